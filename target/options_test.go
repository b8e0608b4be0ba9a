package target

import (
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"dossier/correlate"
	"dossier/correlate/commit"
	"dossier/correlate/dialect"
	"dossier/correlate/exclude"
	"dossier/correlate/redact"
	"dossier/esindex"
	"dossier/esindex/deadletter"
	"dossier/plugin/observe/tracing"
	"dossier/plugin/options"
	"dossier/plugin/options/optionstest"
	"dossier/profile"
	"dossier/profile/enrich"
	"dossier/profile/rules"
	"dossier/testbed/authority"
	"dossier/testbed/process"
)

// parts is what each part of an output is given.
type parts struct {
	o         options.Options
	key, name string
	client    esindex.Options
	template  profile.TemplateOptions
	letters   deadletter.Options
	databases enrich.Options
	rules     rules.Options
	ruleFiles [5]ruleFile
	renderer  profile.Options
	model     correlate.ModelOptions
	machine   commit.MachineOptions
	tracer    tracing.Options
	parser    dialect.Options
	engine    correlate.Options
	hosts     map[netip.Addr]string
}

func partsOf(o options.Options) parts {
	hosts, err := readHosts(o)
	if err != nil {
		panic(err)
	}
	return parts{
		o: o, hosts: hosts, key: key(o), name: name(o), client: clientOptions(o, "1.2"), template: templateOptions(o), letters: letterOptions(o),
		databases: databaseOptions(o), rules: ruleOptions(o), ruleFiles: ruleFiles(o), renderer: rendererOptions(o), model: modelOptions(o),
		machine: machineOptions(o), tracer: tracerOptions(o, "1.2"), parser: parserOptions(o), engine: engineOptions(o),
	}
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestEveryOptionArrives sets every option to something else than its default
// and says who gets what of it. An option that is added must be added here.
func TestEveryOptionArrives(t *testing.T) {
	cert, key := authority.ClientFiles(t)
	database := "\xab\xcd\xefMaxMind.com\xe0"
	geo, asn, nets := write(t, "geo.mmdb", database), write(t, "asn.mmdb", database), write(t, "nets", "[tor]")
	password, apiKey := write(t, "password", "from file\n"), write(t, "key", "id:from-file\n")
	attack, tool, risk, maps1 := write(t, "attack", ""), write(t, "tool", ""), write(t, "risk", ""), write(t, "maps", "")
	scanners, good := write(t, "scanners", ""), write(t, "good", "")
	hosts := write(t, "hosts", "10.0.0.5 files-1\n")
	const cloud = "site:ZXUuZXhhbXBsZSRhYmMkZGVm"
	type arrival struct {
		who  string
		got  func(p *parts) any
		want any
	}
	every := make(map[string]string)
	alone := []string{"json_in_syslog", "es_cloud_id", "es_password_file", "es_api_key", "es_api_key_file"} // others exclude them
	var checks []func()
	leftOut := func(s string) []exclude.Rule {
		r, err := exclude.Parse(s)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	prefix := func(s string) []netip.Prefix { return []netip.Prefix{netip.MustParsePrefix(s)} }
	for _, row := range []struct {
		key, value string
		instead    string // of options that exclude it, separated by spaces
		arrivals   []arrival
	}{
		{"es_hosts", "http://b.example:1 http://a.example:2", "", []arrival{
			{"client", func(p *parts) any { return p.client.Hosts }, []string{"http://b.example:1", "http://a.example:2"}},
			{"key", func(p *parts) any { return p.key }, "http://a.example:2 http://b.example:1  pre"},
			{"name", func(p *parts) any { return p.name }, "http://b.example:1,http://a.example:2/pre-*"},
		}},
		{"es_cloud_id", cloud, "es_hosts", []arrival{
			{"client", func(p *parts) any { return p.client.CloudID }, cloud},
			{"client's hosts", func(p *parts) any { return len(p.client.Hosts) }, 0},
			{"key", func(p *parts) any { return p.key }, cloud + " pre"},
			{"name", func(p *parts) any { return p.name }, "cloud:site/pre-*"},
		}},
		{"es_user", "u", "", []arrival{{"client", func(p *parts) any { return p.client.User }, "u"}}},
		{"es_password", "secret", "", []arrival{{"client", func(p *parts) any { return p.client.Password }, "secret"}}},
		{"es_password_file", password, "es_password", []arrival{
			{"client", func(p *parts) any { return p.client.PasswordFile }, password},
		}},
		{"es_api_key", "id:key", "es_user es_password", []arrival{{"client", func(p *parts) any { return p.client.APIKey }, "aWQ6a2V5"}}},
		{"es_api_key_file", apiKey, "es_user es_password", []arrival{
			{"client", func(p *parts) any { return p.client.APIKeyFile }, apiKey},
		}},
		{"es_ca_file", cert, "", []arrival{{"client", func(p *parts) any { return p.client.CAFile }, cert}}},
		{"es_client_cert", cert, "", []arrival{{"client", func(p *parts) any { return p.client.ClientCert }, cert}}},
		{"es_client_key", key, "", []arrival{{"client", func(p *parts) any { return p.client.ClientKey }, key}}},
		{"es_tls_verify", "off", "", []arrival{{"client", func(p *parts) any { return p.client.TLSSkipVerify }, true}}},
		{"es_compress", "off", "", []arrival{{"client", func(p *parts) any { return p.client.Compress }, esindex.CompressOff}}},
		{"index_prefix", "pre", "", []arrival{
			{"templates", func(p *parts) any { return p.template.Prefix }, "pre"},
			{"model", func(p *parts) any { return p.model.Indices.Attackers() }, "pre-attackers"},
			{"machine", func(p *parts) any { return p.machine.Ledger(29464320) }, "pre-chunks-2026.01"},
			{"engine", func(p *parts) any { return p.engine.Indices.Targets() }, "pre-smtp-targets"},
		}},
		{"manage_templates", "off", "", []arrival{{"setting up", func(p *parts) any { return p.o.ManageTemplates }, false}}},
		{"shards", "7", "", []arrival{{"templates", func(p *parts) any { return p.template.Shards }, 7}}},
		{"replicas", "3", "", []arrival{{"templates", func(p *parts) any { return p.template.Replicas }, new(3)}}},
		{"refresh_interval", "1500ms", "", []arrival{{"templates", func(p *parts) any { return p.template.RefreshInterval }, 1500 * time.Millisecond}}},
		{"commit_timeout", "11s", "", []arrival{
			{"engine", func(p *parts) any { return p.engine.CommitTimeout }, 11 * time.Second},
		}},
		{"cache_size", "64M", "", []arrival{{"machine", func(p *parts) any { return p.machine.CacheBytes }, int64(64 << 20)}}},
		{"dead_letter_path", "/var/tmp/x", "", []arrival{{"letters", func(p *parts) any { return p.letters.Path }, "/var/tmp/x"}}},
		{"unparsed_dead_letters", "on", "", []arrival{{"engine", func(p *parts) any { return p.engine.BuryUnparsed }, true}}},
		{"sensor_id", "north", "", []arrival{
			{"engine", func(p *parts) any { return p.engine.Sensor }, "north"},
			{"tracer", func(p *parts) any { return p.tracer.Sensor }, "north"},
		}},
		{"dialect", "cowrie", "", []arrival{{"parser", func(p *parts) any { return p.parser.Force }, "cowrie"}}},
		{"field_map", maps1, "", []arrival{{"parser's files", func(p *parts) any { return p.o.FieldMaps }, []string{maps1}}}},
		{"exclude", "port=22", "", []arrival{{"engine", func(p *parts) any { return p.engine.Exclude }, leftOut("port=22")}}},
		{"exclude_nets", "192.0.2.0/24", "", []arrival{{"engine", func(p *parts) any { return p.engine.ExcludeNets }, prefix("192.0.2.0/24")}}},
		{"decoy_nets", "198.51.100.0/24", "", []arrival{{"parser", func(p *parts) any { return p.parser.DecoyNets }, prefix("198.51.100.0/24")}}},
		{"port_map", "2222=22", "", []arrival{{"parser", func(p *parts) any { return p.parser.Ports }, map[uint16]uint16{2222: 22}}}},
		{"decoy_names", "10.0.0.1=web", "", []arrival{{"parser", func(p *parts) any { return p.parser.DecoyNames }, map[netip.Addr]string{netip.MustParseAddr("10.0.0.1"): "web"}}}},
		{"structured_data", "off", "", []arrival{{"parser", func(p *parts) any { return p.parser.SentencesOnly }, true}}},
		{"json_in_syslog", "a.service", "structured_data", []arrival{{"parser", func(p *parts) any { return p.parser.JSON.Units }, []string{"a.service"}}}},
		{"syslog_timezone", "Asia/Tokyo", "", []arrival{{"parser", func(p *parts) any { return p.parser.Zone.String() }, "Asia/Tokyo"}}},
		{"drop_apps", "one,two", "", []arrival{{"parser", func(p *parts) any { return p.parser.DropApps }, []string{"one", "two"}}}},
		{"internal_decky_prefix", "own-", "", []arrival{{"parser", func(p *parts) any { return p.parser.InternalDeckyPrefix }, "own-"}}},
		{"ipv6_prefix", "56", "", []arrival{
			{"engine", func(p *parts) any { return p.engine.IPv6Prefix }, 56},
			{"templates", func(p *parts) any { return p.template.IPv6Prefix }, 56},
		}},
		{"store_secrets", "sha256", "", []arrival{
			{"renderer", func(p *parts) any { return p.renderer.Secrets }, profile.Digest},
			{"parser", func(p *parts) any { return p.parser.Secrets }, dialect.SHA256},
			{"engine", func(p *parts) any { return p.engine.Mask }, redact.Options{Secrets: true}},
		}},
		{"internal_nets", "198.51.100.0/24", "", []arrival{{"renderer", func(p *parts) any { return p.renderer.InternalNets }, prefix("198.51.100.0/24")}}},
		{"internal_hosts", hosts, "", []arrival{{"names", func(p *parts) any { return p.hosts }, map[netip.Addr]string{netip.MustParseAddr("10.0.0.5"): "files-1"}}}},
		{"geoip_db", geo, "", []arrival{{"databases", func(p *parts) any { return p.databases.GeoIP }, geo}}},
		{"asn_db", asn, "", []arrival{{"databases", func(p *parts) any { return p.databases.ASN }, asn}}},
		{"network_types", nets, "", []arrival{{"databases", func(p *parts) any { return p.databases.Networks }, nets}}},
		{"tlp", "RED", "", []arrival{{"renderer", func(p *parts) any { return p.renderer.TLP }, "RED"}}},
		{"activity", "off", "", []arrival{
			{"model", func(p *parts) any { return p.model.Activity }, false},
			{"engine", func(p *parts) any { return p.engine.Activity }, false},
		}},
		{"attack_rules", attack, "", []arrival{
			{"rules", func(p *parts) any { return p.rules.Rules }, attack},
			{"its own", func(p *parts) any { return p.ruleFiles[1] }, ruleFile{"attack_rules", attack, rules.Options{Rules: attack}}},
		}},
		{"tool_rules", tool, "", []arrival{
			{"rules", func(p *parts) any { return p.rules.Tools }, tool},
			{"its own", func(p *parts) any { return p.ruleFiles[0] }, ruleFile{"tool_rules", tool, rules.Options{Tools: tool}}},
		}},
		{"known_scanners", scanners, "", []arrival{
			{"rules", func(p *parts) any { return p.rules.Scanners }, scanners},
			{"its own", func(p *parts) any { return p.ruleFiles[3] }, ruleFile{"known_scanners", scanners, rules.Options{Scanners: scanners}}},
		}},
		{"known_good", good, "", []arrival{
			{"rules", func(p *parts) any { return p.rules.Good }, good},
			{"its own", func(p *parts) any { return p.ruleFiles[4] }, ruleFile{"known_good", good, rules.Options{Good: good}}},
		}},
		{"risk_rules", risk, "", []arrival{
			{"rules", func(p *parts) any { return p.rules.Risk }, risk},
			{"its own", func(p *parts) any { return p.ruleFiles[2] }, ruleFile{"risk_rules", risk, rules.Options{Risk: risk}}},
		}},
		{"ptr", "on", "", []arrival{{"names", func(p *parts) any { return p.o.PTR }, true}}},
		{"metrics_listen", "127.0.0.1:9600", "", []arrival{{"endpoint", func(p *parts) any { return p.o.MetricsListen }, "127.0.0.1:9600"}}},
	} {
		every[row.key] = row.value
		checks = append(checks, func() {
			values := maps.Clone(every)
			for _, other := range alone {
				if other != row.key {
					delete(values, other)
				}
			}
			for other := range strings.FieldsSeq(row.instead) {
				delete(values, other)
			}
			if row.key == "es_password_file" {
				values["es_user"] = "u"
			}
			p := partsOf(read(t, values))
			without := partsOf(read(t, map[string]string{"sensor_id": "x"}))
			if len(row.arrivals) == 0 {
				t.Errorf("%s: who gets it?", row.key)
			}
			for _, a := range row.arrivals {
				if got := a.got(&p); !reflect.DeepEqual(got, a.want) {
					t.Errorf("%s: the %s gets %v, want %v", row.key, a.who, got, a.want)
				}
				if reflect.DeepEqual(a.got(&without), a.want) && row.key != "es_cloud_id" {
					t.Errorf("%s: the %s gets that without it, too", row.key, a.who)
				}
			}
		})
	}
	for _, d := range options.Describe() {
		if _, ok := every[d.Key]; !ok {
			t.Errorf("option %s is not tried: say who gets it", d.Key)
		}
	}
	for _, check := range checks {
		check()
	}
	// What is set by none of them, or together with another.
	p := partsOf(read(t, map[string]string{"sensor_id": "x", "es_user": "u", "es_password_file": password}))
	if p.client.Password != "" || p.client.UserAgent != "dossier/1.2" || p.tracer.Version != "1.2" || !p.model.Transitions || p.letters.Encode == nil {
		t.Errorf("got %+v", p)
	}
	if p := partsOf(read(t, map[string]string{"sensor_id": "x", "json_in_syslog": "on"})); !p.parser.JSON.All || len(p.parser.JSON.Units) > 0 {
		t.Errorf("json_in_syslog on: the parser gets %+v", p.parser.JSON)
	}
	if p := partsOf(read(t, map[string]string{"sensor_id": "x", "es_api_key_file": apiKey})); p.client.APIKey != "" {
		t.Error("a key of a file is passed, and so never read again")
	}
	if p.client.TLSSkipVerify || !p.engine.Activity || !p.model.Activity || p.template.Replicas != nil || p.template.RefreshInterval != 5*time.Second ||
		p.engine.CommitTimeout != 8*time.Second {
		t.Errorf("the defaults: %+v", p)
	}
}

func read(t *testing.T, values map[string]string) options.Options {
	t.Helper()
	o, err := options.Parse(func(key string) string { return values[key] }, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// TestEveryChoiceArrives: of options with words, each word.
func TestEveryChoiceArrives(t *testing.T) {
	with := func(key, value string) parts {
		return partsOf(read(t, map[string]string{"sensor_id": "x", key: value}))
	}
	for value, want := range map[string]esindex.Compress{"auto": esindex.CompressAuto, "on": esindex.CompressOn, "off": esindex.CompressOff} {
		if got := with("es_compress", value).client.Compress; got != want {
			t.Errorf("es_compress %s: %v", value, got)
		}
	}
	for value, want := range map[string]struct {
		r profile.Secrets
		d dialect.Secrets
	}{"plain": {profile.Plain, dialect.Plain}, "sha256": {profile.Digest, dialect.SHA256}, "none": {profile.Hidden, dialect.Hidden}} {
		if p := with("store_secrets", value); p.renderer.Secrets != want.r || p.parser.Secrets != want.d || p.engine.Mask.Secrets != (value != "plain") {
			t.Errorf("store_secrets %s: %v, %v", value, p.renderer.Secrets, p.parser.Secrets)
		}
	}
	if p := with("internal_decky_prefix", "none"); p.parser.InternalDeckyPrefix != "\x00" {
		t.Errorf("internal_decky_prefix none: %q", p.parser.InternalDeckyPrefix)
	}
	if p := with("drop_apps", "none"); p.parser.DropApps == nil || len(p.parser.DropApps) != 0 {
		t.Errorf("drop_apps none: %#v", p.parser.DropApps)
	}
	if p := with("replicas", "0"); p.template.Replicas == nil || *p.template.Replicas != 0 {
		t.Errorf("replicas 0: %v", p.template.Replicas)
	}
}

// TestRunningParts: what is made of the options really runs with them.
func TestRunningParts(t *testing.T) {
	for _, ptr := range []string{"off", "on"} {
		i, _ := start(t, new(Pool), map[string]string{"ptr": ptr})
		if asks := i.target.names != nil; asks != (ptr == "on") {
			t.Errorf("ptr %s: names of attackers are asked for: %v", ptr, asks)
		}
		i.Close()
	}
	for _, manage := range []bool{false, true} {
		tg, _ := bare()
		tg.o.ManageTemplates = manage
		c := &fakeCluster{info: fine, install: fine}
		tg.cluster = c
		if err := tg.trySetUp(t.Context()); err != nil || c.infos != 1 || (c.installs == 1) != manage {
			t.Errorf("manage_templates %v: %d calls, %d installations, %v", manage, c.infos, c.installs, err)
		}
	}
	// A sensor's key may not look at templates; that shall not make anybody give it more.
	refused, said := bare()
	refused.cluster = &fakeCluster{info: fine, install: func(int) error {
		return &esindex.Error{Op: "read the templates", Status: 403, Type: "security_exception", Fix: "give the role or API key that cluster privilege"}
	}}
	for range 3 {
		if err := refused.trySetUp(t.Context()); err == nil || !strings.Contains(err.Error(), "set manage_templates off") || strings.Contains(err.Error(), "give the role") {
			t.Errorf("templates that are refused: %v", err)
		}
	}
	if n := strings.Count(said.String(), "msg=connected"); n != 1 {
		t.Errorf("said to be connected %d times: %s", n, said.String())
	}
	maps1 := write(t, "maps", "not: [yaml")
	if _, err := NewParser(read(t, map[string]string{"sensor_id": "x", "field_map": maps1})); err == nil || !strings.Contains(err.Error(), "option field_map: got "+fmt.Sprintf("%q", maps1)) {
		t.Errorf("a wrong field map: %v", err)
	}
	bad := write(t, "rules", "not: [yaml")
	for _, key := range []string{"tool_rules", "attack_rules", "risk_rules", "known_scanners", "known_good"} {
		if _, err := readRules(read(t, map[string]string{"sensor_id": "x", key: bad})); err == nil || !strings.Contains(err.Error(), "option "+key+": got") {
			t.Errorf("wrong %s: %v", key, err)
		}
	}
	log := new(process.Log)
	letters := write(t, "file", "")
	if _, err := new(Pool).Open(optionstest.Parse(t, map[string]string{"dead_letter_path": letters}), Host{Logger: slog.New(slog.NewTextHandler(log, nil))}); err == nil || !strings.Contains(err.Error(), "option dead_letter_path: got") {
		t.Errorf("a file for the dead letters: %v", err)
	}
}

// TestFieldMapsArrive: each of the files, and what is in it.
func TestFieldMapsArrive(t *testing.T) {
	parser := func(files ...string) *dialect.Parser {
		values := map[string]string{"sensor_id": "x", "field_map": strings.Join(files, " ")}
		p, err := NewParser(read(t, values))
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	const first, second = "../conf/field_maps/beelzebub.yaml", "../conf/field_maps/heralding.yaml"
	none, one, other, both := parser(), parser(first), parser(second), parser(first, second)
	for _, pair := range [][2]*dialect.Parser{{none, one}, {none, other}, {one, other}, {one, both}, {other, both}} {
		if reflect.DeepEqual(pair[0], pair[1]) {
			t.Error("the maps of a file make no difference")
		}
	}
}

// TestRendererOptions: what is open goes into the renderer, and what it tells
// is counted, logged and in the heartbeat.
func TestRendererOptions(t *testing.T) {
	i, log := start(t, new(Pool), map[string]string{"ptr": "on"})
	defer i.Close()
	set, err := readRules(i.target.o)
	if err != nil {
		t.Fatal(err)
	}
	r := i.target.rendererOptions(set, nil)
	if r.Files == nil || r.Files != i.target.files || r.Names == nil || r.Names != i.target.names || r.Rules != set || r.TLP != "AMBER" {
		t.Errorf("got %+v", r)
	}
	r.OnFailure("behavior", ErrNotDurable)
	r.OnFailure("behavior", ErrNotDurable)
	text, _ := i.target.lastErred()
	if i.target.leftOut.Load() != 2 || text != "behavior: "+ErrNotDurable.Error() || !strings.Contains(log.String(), "reason=behavior") {
		t.Errorf("%d parts, the last error %q, log %s", i.target.leftOut.Load(), text, log.String())
	}
}
