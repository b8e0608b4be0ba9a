package options

import (
	"bytes"
	"flag"
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

	"dossier/correlate/dialect"
	"dossier/correlate/redact"
	"dossier/testbed/authority"
	"dossier/testbed/page"
)

//go:generate go test . -run TestDocumentation -update

var update = flag.Bool("update", false, "write docs/options.md anew")

// properties answers as Fluent Bit does: by name, whatever the case.
type properties map[string]string

func (p properties) get(key string) string { return p[strings.ToLower(key)] }

func parse(t testing.TB, p properties) (Options, []string, error) {
	t.Helper()
	var warnings []string
	o, err := Parse(p.get, func(s string) { warnings = append(warnings, s) })
	return o, warnings, err
}

func mustParse(t testing.TB, p properties) Options {
	t.Helper()
	o, _, err := parse(t, p)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestDefaults(t *testing.T) {
	o, warnings, err := parse(t, properties{"sensor_id": "s1"})
	if err != nil {
		t.Fatal(err)
	}
	want := Options{
		Hosts:               []string{"http://127.0.0.1:9200"},
		HostsDefaulted:      true,
		TLSVerify:           true,
		Compress:            CompressAuto,
		IndexPrefix:         "dossier",
		ManageTemplates:     true,
		Shards:              1,
		Replicas:            ReplicasAuto,
		RefreshInterval:     5 * time.Second,
		SensorID:            "s1",
		CommitTimeout:       8 * time.Second,
		EngineCommitTimeout: 3 * time.Second,
		CacheSize:           256 << 20,
		DeadLetterPath:      "/var/lib/dossier/dead-letters",
		InternalDeckyPrefix: "decnet-",
		StructuredData:      true,
		SyslogTimezone:      time.Local,
		IPv6Prefix:          128,
		StoreSecrets:        redact.Plain,
		TLP:                 "AMBER",
		Activity:            true,
	}
	if !reflect.DeepEqual(o, want) {
		t.Errorf("got  %+v\nwant %+v", o, want)
	}
	if len(warnings) != 0 {
		t.Errorf("the defaults warn: %q", warnings)
	}
}

func TestSensorIDIsTheHostName(t *testing.T) {
	name, err := os.Hostname()
	if err != nil || !sensorName.MatchString(name) {
		t.Skipf("the host name %q is no sensor name", name)
	}
	if o := mustParse(t, properties{}); o.SensorID != name {
		t.Errorf("got %q, want %q", o.SensorID, name)
	}
}

func prefixes(s ...string) []netip.Prefix {
	var out []netip.Prefix
	for _, p := range s {
		out = append(out, netip.MustParsePrefix(p))
	}
	return out
}

func TestValues(t *testing.T) {
	for _, test := range []struct {
		key, value string
		got        func(Options) any
		want       any
	}{
		{
			"es_hosts", "https://es1.example, http://[2001:db8::1]:9201/es/ HTTPS://ES2.Example:443", func(o Options) any { return o.Hosts },
			[]string{"https://es1.example:9200", "http://[2001:db8::1]:9201/es", "https://es2.example:443"},
		},
		{"es_hosts", "http://[::1]", func(o Options) any { return o.Hosts }, []string{"http://[::1]:9200"}},
		{"es_api_key", "id:key", func(o Options) any { return o.APIKey }, Secret("aWQ6a2V5")},
		{"es_api_key", "aWQ6a2V5", func(o Options) any { return o.APIKey }, Secret("aWQ6a2V5")},
		{"es_cloud_id", "site:ZXUuZXhhbXBsZSRhYmMkZGVm", func(o Options) any { return o.CloudID }, "site:ZXUuZXhhbXBsZSRhYmMkZGVm"},
		{"es_cloud_id", "site:ZXUuZXhhbXBsZSRhYmMkZGVm", func(o Options) any { return len(o.Hosts) }, 0},
		{"es_cloud_id", "ZXUuZXhhbXBsZSRhYmMkZGVm", func(o Options) any { return o.CloudID }, "ZXUuZXhhbXBsZSRhYmMkZGVm"},
		{"es_cloud_id", "a:b:ZXUuZXhhbXBsZSRhYmM", func(o Options) any { return o.CloudID }, "a:b:ZXUuZXhhbXBsZSRhYmM"},
		{"es_tls_verify", "Off", func(o Options) any { return o.TLSVerify }, false},
		{"es_compress", "true", func(o Options) any { return o.Compress }, CompressOn},
		{"es_compress", "Auto", func(o Options) any { return o.Compress }, CompressAuto},
		{"es_compress", "no", func(o Options) any { return o.Compress }, CompressOff},
		{"index_prefix", "logsx-a.b_c", func(o Options) any { return o.IndexPrefix }, "logsx-a.b_c"},
		{"replicas", "2", func(o Options) any { return o.Replicas }, 2},
		{"refresh_interval", "1m", func(o Options) any { return o.RefreshInterval }, time.Minute},
		{"commit_timeout", "12s", func(o Options) any { return o.CommitTimeout }, 12 * time.Second},
		{"commit_timeout", "12s", func(o Options) any { return o.EngineCommitTimeout }, 12 * time.Second},
		{"cache_size", "64m", func(o Options) any { return o.CacheSize }, int64(64 << 20)},
		{"cache_size", "1 GiB", func(o Options) any { return o.CacheSize }, int64(1 << 30)},
		{"cache_size", "100000000", func(o Options) any { return o.CacheSize }, int64(100000000)},
		{"exclude", "net=192.0.2.77/24 port=22", func(o Options) any { return o.Exclude[0].Net.String() + " " + o.Exclude[0].String() }, "192.0.2.0/24 net=192.0.2.77/24 port=22"},
		{
			"exclude_nets", "192.0.2.77/24,2001:db8::/32  203.0.113.9 ::ffff:198.51.100.0/120", func(o Options) any { return o.ExcludeNets },
			prefixes("192.0.2.0/24", "2001:db8::/32", "203.0.113.9/32", "198.51.100.0/24"),
		},
		{"internal_nets", "none", func(o Options) any { return o.InternalNets }, []netip.Prefix{}},
		{"internal_nets", "10.0.0.0/8 2001:db8::/32", func(o Options) any { return o.InternalNets }, prefixes("10.0.0.0/8", "2001:db8::/32")},
		{"decoy_nets", "10.0.0.0/8", func(o Options) any { return o.DecoyNets }, prefixes("10.0.0.0/8")},
		{"port_map", "web-1/8080=80 2222=22, a/b/8080=81", func(o Options) any { return o.DecoyPorts }, map[dialect.DecoyPort]uint16{{Decky: "web-1", Port: 8080}: 80, {Decky: "a/b", Port: 8080}: 81}},
		{"port_map", "2222=22, 2223=23", func(o Options) any { return o.PortMap }, map[uint16]uint16{2222: 22, 2223: 23}},
		{
			"decoy_names", "10.0.0.1=web-1, ::ffff:10.0.0.2=b", func(o Options) any { return o.DecoyNames },
			map[netip.Addr]string{netip.MustParseAddr("10.0.0.1"): "web-1", netip.MustParseAddr("10.0.0.2"): "b"},
		},
		{"structured_data", "off", func(o Options) any { return o.StructuredData }, false},
		{"json_in_syslog", "on", func(o Options) any { return o.JSONInSyslog }, true},
		{"json_in_syslog", "cowrie.service, opencanary@a.service", func(o Options) any { return o.JSONUnits }, []string{"cowrie.service", "opencanary@a.service"}},
		{"json_in_syslog", "cowrie.service", func(o Options) any { return o.JSONInSyslog }, false},
		{"syslog_timezone", "Europe/Berlin", func(o Options) any { return o.SyslogTimezone.String() }, "Europe/Berlin"},
		{"syslog_timezone", "Local", func(o Options) any { return o.SyslogTimezone == time.Local }, true},
		{"drop_apps", "none", func(o Options) any { return len(o.DropApps) }, 0},
		{"drop_apps", "a b", func(o Options) any { return o.DropApps }, []string{"a", "b"}},
		{"internal_decky_prefix", "none", func(o Options) any { return o.InternalDeckyPrefix }, ""},
		{"ipv6_prefix", "64", func(o Options) any { return o.IPv6Prefix }, 64},
		{"store_secrets", "SHA256", func(o Options) any { return o.StoreSecrets }, redact.SHA256},
		{"dialect", "Cowrie", func(o Options) any { return o.Dialect }, "cowrie"},
		{"dialect", "auto", func(o Options) any { return o.Dialect }, ""},
		{"tlp", "amber+strict", func(o Options) any { return o.TLP }, "AMBER+STRICT"},
		{"activity", "off", func(o Options) any { return o.Activity }, false},
		{"ptr", "on", func(o Options) any { return o.PTR }, true},
		{"metrics_listen", "[::1]:9600", func(o Options) any { return o.MetricsListen }, "[::1]:9600"},
		{"metrics_listen", "off", func(o Options) any { return o.MetricsListen }, ""},
		{"unparsed_dead_letters", "on", func(o Options) any { return o.UnparsedDeadLetters }, true},
	} {
		o, _, err := parse(t, properties{"sensor_id": "s1", test.key: "  " + test.value + " "})
		if err != nil {
			t.Errorf("%s %q: %v", test.key, test.value, err)
			continue
		}
		if got := test.got(o); !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s %q: got %v, want %v", test.key, test.value, got, test.want)
		}
	}
}

func TestWrongValues(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing")
	text := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(text, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	wrong := map[string][]string{
		"es_hosts": {
			"es1.example", "es1.example:9200", "ftp://es1.example", "https://", "https://es1.example:0",
			"https://es1.example:99999", "https://es1.example/?a=b", "https://es1.example#x", "https://%zz", ",", strings.Repeat("http://a ", 65),
		},
		"es_cloud_id":           {"x", "x:", "x:!!", "x:YWJj"},
		"es_user":               {"a:b", "a\x01b"},
		"es_password":           {"a\x01b"},
		"es_password_file":      {missing, t.TempDir()},
		"es_api_key":            {"x", ":", "a:", "YWJj", "a:\x01"},
		"es_api_key_file":       {missing, text},
		"es_ca_file":            {missing, text, t.TempDir()},
		"es_client_cert":        {missing},
		"es_client_key":         {missing},
		"es_tls_verify":         {"maybe", "1"},
		"es_compress":           {"gzip"},
		"index_prefix":          {"Dossier", "-a", "_a", ".a", "a*", "a b", "a/b", "logs", "logs-x", "metrics-x-y", "traces", "synthetics-a", "dossier-activity", "a-chunks-b", "a-sensors", "ä", strings.Repeat("a", 101)},
		"manage_templates":      {"x"},
		"shards":                {"0", "65", "x", "1.5"},
		"replicas":              {"-1", "6", "AUTO"},
		"refresh_interval":      {"5", "-1", "1ms", "1h"},
		"commit_timeout":        {"8", "0s", "1h", "x"},
		"cache_size":            {"1M", "1T", "-5M", "256X", "65G", "9999999999999G", "999999999999G"},
		"dead_letter_path":      {"relative", "/a\x01"},
		"unparsed_dead_letters": {"x"},
		"sensor_id":             {"a b", "ä", strings.Repeat("a", 129)},
		"dialect":               {"x"},
		"field_map":             {missing, text + "," + missing},
		"exclude":               {"x", "net=x", "port=0", "user=x", ";", "agent=*"},
		"exclude_nets":          {"x", "192.0.2.0/33", "192.0.2.0/24;10.0.0.0/8", "fe80::1%eth0", ",", "::ffff:1.2.3.4/90"},
		"decoy_nets":            {"10.0.0.0/8 x"},
		"port_map":              {"x", "2222", "2222=", "=22", "0=22", "22=0", "2222=65536", "-1=22", "2222=22 2222=23", "2222=22=23", ","},
		"decoy_names":           {"x", "10.0.0.1", "10.0.0.1=", "10.0.0.1=a/b", "10.0.0.1=a 10.0.0.1=b", ","},
		"structured_data":       {"none"},
		"json_in_syslog":        {"cowrie", "on cowrie.service", "cowrie.service,x", "../x.service", strings.Repeat("a.service ", 101), strings.Repeat("a", 251) + ".service"},
		"syslog_timezone":       {"x", "CEST", "../../etc/passwd", "/etc/localtime", "+01:00"},
		"drop_apps":             {strings.Repeat("a ", 101), strings.Repeat("a", 65), "a\x01"},
		"internal_decky_prefix": {"a b", strings.Repeat("a", 65)},
		"ipv6_prefix":           {"15", "129", "/64"},
		"store_secrets":         {"md5"},
		"internal_nets":         {"10/8", "none 10.0.0.0/8", ","},
		"internal_hosts":        {missing, t.TempDir()},
		"geoip_db":              {missing, text, t.TempDir()},
		"asn_db":                {missing, text},
		"network_types":         {missing, t.TempDir()},
		"tlp":                   {"PURPLE"},
		"activity":              {"daily", "on"},
		"attack_rules":          {missing},
		"tool_rules":            {missing},
		"risk_rules":            {missing},
		"known_scanners":        {missing},
		"known_good":            {missing},
		"ptr":                   {"x"},
		"metrics_listen":        {"9600", ":9600", "127.0.0.1:0", "127.0.0.1:http", "example.org:9600"},
	}
	for i := range table {
		row := &table[i]
		if len(wrong[row.key]) == 0 {
			t.Errorf("no wrong value of %s is tried", row.key)
		}
		for _, v := range wrong[row.key] {
			_, _, err := parse(t, properties{"sensor_id": "s1", row.key: v})
			if err == nil {
				t.Errorf("%s takes %q", row.key, v)
				continue
			}
			line := err.Error()
			if !strings.HasPrefix(line, "dossier: option "+row.key+": got ") || !strings.Contains(line, "want "+row.want) {
				t.Errorf("%s %q: %s", row.key, v, line)
			}
			if strings.ContainsAny(line, "\n\r\x01") || len(line) > 1000 {
				t.Errorf("%s: not one fair line: %q", row.key, line)
			}
		}
	}
}

func TestMessage(t *testing.T) {
	for _, test := range []struct {
		p    properties
		want string
	}{
		{properties{"es_hosts": "https://a x"}, `dossier: option es_hosts: got "x", want URLs such as https://es1.example:9200, separated by spaces or commas`},
		{properties{"geoip_db": "/nowhere.mmdb"}, `dossier: option geoip_db: got "/nowhere.mmdb", want a readable MaxMind database file (.mmdb) (no such file or directory)`},
		{properties{"es_user": "u"}, `dossier: option es_user: got "u" without a password, want es_password or es_password_file beside it (an environment variable that is not set counts as empty)`},
		{properties{"es_api_key": "a:b", "es_user": "u", "es_password": "p"}, `dossier: option es_api_key: got a value beside es_user, want only one of the two`},
		{properties{"es_password": "p"}, `dossier: option es_user: got nothing beside a password, want the user that the password belongs to`},
	} {
		if _, _, err := parse(t, test.p); err == nil || err.Error() != test.want {
			t.Errorf("got  %v\nwant %s", err, test.want)
		}
	}
}

func TestSecretsAreNeverShown(t *testing.T) {
	const secret = "hunter2hunter2"
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(" a:"+secret+"\x01\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, p := range []properties{
		{"es_api_key": secret},
		{"es_api_key": secret + ":"},
		{"es_password": secret + "\x01", "es_user": "u"},
		{"es_password": secret},
		{"es_password": secret, "es_user": "a:b"},
		{"es_password": secret, "es_user": "u", "es_api_key": "a:" + secret},
		{"es_api_key_file": file},
		{"es_password_file": file, "es_user": "u"},
		{"es_hosts": "https://u:" + secret + "@es1.example"},
		{"es_hosts": "https://u:" + secret + "@es1.example:%zz"},
	} {
		_, warnings, err := parse(t, p)
		if err == nil {
			t.Errorf("%d options are taken, a fault was meant", len(p))
			continue
		}
		if s := err.Error() + strings.Join(warnings, ""); strings.Contains(s, secret) {
			t.Errorf("shown: %s", s)
		}
	}
	o := mustParse(t, properties{"es_user": "u", "es_password": secret})
	if o.Password.Reveal() != secret {
		t.Error("Reveal doesn't")
	}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "o", o, "p", o.Password)
	for _, s := range []string{fmt.Sprint(o), fmt.Sprintf("%+v %#v %s %q %x", o, o, o.Password, o.Password, o.Password), log.String()} {
		if strings.Contains(s, secret) || strings.Contains(s, fmt.Sprintf("%x", secret)) {
			t.Errorf("shown: %s", s)
		}
	}
}

func TestFilesOfSecrets(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte("id:key\n"), 0o604); err != nil {
		t.Fatal(err)
	}
	o, warnings, err := parse(t, properties{"es_api_key_file": file})
	if err != nil || o.APIKey != "aWQ6a2V5" || o.APIKeyFile != file {
		t.Errorf("got %q from %q, %v", o.APIKey.Reveal(), o.APIKeyFile, err)
	}
	if len(warnings) != 1 || !strings.Contains(warnings[0], "chmod") {
		t.Errorf("a file everybody can read: %q", warnings)
	}
	o, _, err = parse(t, properties{"es_user": "u", "es_password_file": file})
	if err != nil || o.Password != "id:key" {
		t.Errorf("got %q, %v", o.Password.Reveal(), err)
	}
}

func TestCertificates(t *testing.T) {
	cert, key := authority.ClientFiles(t)
	_, other := authority.ClientFiles(t)
	o := mustParse(t, properties{"es_ca_file": cert, "es_client_cert": cert, "es_client_key": key})
	if o.CAFile != cert || o.ClientCert != cert || o.ClientKey != key {
		t.Errorf("got %+v", o)
	}
	for _, p := range []properties{
		{"es_client_cert": cert},
		{"es_client_key": key},
		{"es_client_cert": cert, "es_client_key": other},
		{"es_client_cert": cert, "es_client_key": cert},
	} {
		if _, _, err := parse(t, p); err == nil || !strings.HasPrefix(err.Error(), "dossier: option es_client_") {
			t.Errorf("%v: %v", p, err)
		}
	}
}

func TestDatabase(t *testing.T) {
	file := filepath.Join(t.TempDir(), "x.mmdb")
	if err := os.WriteFile(file, append(make([]byte, 1<<20), "\xab\xcd\xefMaxMind.com\xe0"...), 0o600); err != nil {
		t.Fatal(err)
	}
	if o := mustParse(t, properties{"geoip_db": file, "asn_db": file}); o.GeoIPDB != file || o.ASNDB != file {
		t.Errorf("got %+v", o)
	}
}

func TestWarnings(t *testing.T) {
	for _, test := range []struct {
		p    properties
		want string
	}{
		{properties{"es_tls_verify": "off"}, "es_tls_verify is off"},
		{properties{"es_hosts": "http://192.0.2.1", "es_api_key": "a:b"}, "not encrypted"},
		{properties{"tlp": "CLEAR"}, "store_secrets"},
		{properties{"host": "x"}, "option host does not exist and has no effect; did you mean es_hosts?"},
		{properties{"http_user": "x"}, "did you mean es_user?"},
		{properties{"http_passwd": "x"}, "did you mean es_password?"},
		{properties{"api_key": "x"}, "did you mean es_api_key?"},
		{properties{"logstash_format": "on"}, "did you mean index_prefix?"},
		{properties{"tls.verify": "off"}, "did you mean es_tls_verify?"},
		{properties{"es_host": "x"}, "did you mean es_hosts?"},
		{properties{"exlude_nets": "x"}, "did you mean exclude_nets?"},
		{properties{"store_secret": "x"}, "did you mean store_secrets?"},
		{properties{"store-secrets": "x"}, "did you mean store_secrets?"},
		{properties{"sotre_secrets": "x"}, "did you mean store_secrets?"},
		{properties{"geoip-db": "x"}, "did you mean geoip_db?"},
		{properties{"retry_limt": "no_limits"}, "option retry_limt does not exist and has no effect; did you mean retry_limit?"},
		{properties{"retry": "x"}, "did you mean retry_limit?"},
		{properties{"worker": "2"}, "did you mean workers?"},
		{properties{"wrokers": "2"}, "did you mean workers?"},
		{properties{"mach": "*"}, "did you mean match?"},
		{properties{"match-regex": "x"}, "did you mean match_regex?"},
		{properties{"log_levl": "x"}, "did you mean log_level?"},
		{properties{"storage_total_limit_size": "x"}, "did you mean storage.total_limit_size?"},
	} {
		_, warnings, err := parse(t, test.p)
		if err != nil {
			t.Errorf("%v: %v", test.p, err)
		}
		if len(warnings) != 1 || !strings.Contains(warnings[0], test.want) {
			t.Errorf("%v: got %q, want %q", test.p, warnings, test.want)
		}
	}
	for _, p := range []properties{
		{"es_hosts": "http://127.0.0.1", "es_api_key": "a:b"},
		{"match": "*", "alias": "x", "workers": "1", "name": "dossier"},
	} {
		if _, warnings, err := parse(t, p); err != nil || len(warnings) != 0 {
			t.Errorf("%v: got %q, %v", p, warnings, err)
		}
	}
}

func TestDisagrees(t *testing.T) {
	base := properties{"sensor_id": "s1", "es_user": "u", "es_password": "p"}
	a := mustParse(t, base)
	for key, value := range map[string]string{
		"": "", "sensor_id": "", "drop_apps": "", "commit_timeout": "",
		"es_password": "q", "ipv6_prefix": "64", "tlp": "RED", "activity": "off", "cache_size": "64M", "ptr": "on",
	} {
		p := maps.Clone(base)
		want := ""
		switch {
		case value != "":
			p[key], want = value, key
		case key == "commit_timeout":
			p[key] = "1s"
		case key != "":
			p[key] = "other"
		}
		b := mustParse(t, p)
		if got := a.Disagrees(&b); got != want {
			t.Errorf("%s: got %q, want %q", key, got, want)
		}
	}
	known := make(map[string]bool)
	for i := range table {
		known[table[i].key] = true
	}
	for _, s := range shared {
		if !known[s.key] {
			t.Errorf("there is no option %s", s.key)
		}
	}
}

func TestMisnomersPointToOptions(t *testing.T) {
	known := make(map[string]bool)
	for i := range table {
		known[table[i].key] = true
	}
	for wrong, right := range misnomers {
		if known[wrong] {
			t.Errorf("%s is an option", wrong)
		}
		found := strings.Contains(right, " ")
		if !found && !known[right] {
			t.Errorf("%s: there is no option %s", wrong, right)
		}
	}
	seen := make(map[string]bool)
	for _, s := range slips() {
		if known[s.wrong] || seen[s.wrong] {
			t.Errorf("%s is asked for twice or is an option", s.wrong)
		}
		seen[s.wrong] = true
	}
	t.Logf("%d likely wrong names", len(seen))
}

func TestDocumentation(t *testing.T) {
	page.Check(t, "../../docs/options.md", Markdown(), *update, "go generate ./plugin/options")
}

func BenchmarkParse(b *testing.B) {
	p := properties{"sensor_id": "s1"}
	for b.Loop() {
		if _, err := Parse(p.get, func(string) {}); err != nil {
			b.Fatal(err)
		}
	}
}

// FuzzParse: whatever is given, parsing ends with options or with one line,
// and never shows the secret.
func FuzzParse(f *testing.F) {
	for i := range table {
		f.Add(uint8(i), table[i].value)
	}
	f.Add(uint8(0), "https://u:p@x:99999/%zz?#")
	f.Add(uint8(1), "a:ZXUuZXhhbXBsZSRhYmMkZGVm")
	f.Add(uint8(26), "192.0.2.0/24,::ffff:0:0/96 fe80::1%a")
	f.Fuzz(func(t *testing.T, i uint8, v string) {
		row := &table[int(i)%len(table)]
		o, err := Parse(properties{"sensor_id": "s1", row.key: v}.get, func(string) {})
		if err == nil {
			if o.CommitTimeout <= 0 || o.CacheSize <= 0 || o.IndexPrefix == "" || len(o.Hosts) == 0 && o.CloudID == "" {
				t.Errorf("%s %q: incomplete options", row.key, v)
			}
			return
		}
		line := err.Error()
		if !strings.HasPrefix(line, "dossier: option ") || strings.ContainsAny(line, "\n\r") {
			t.Errorf("%s %q: %q", row.key, v, line)
		}
		if row.secret && len(v) > 8 && strings.Contains(line, v) {
			t.Errorf("%s shows its value", row.key)
		}
	})
}
