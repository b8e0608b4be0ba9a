package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"dossier/conf/roles"
	"dossier/correlate/event"
	"dossier/operate"
	"dossier/profile"
	"dossier/profile/rules"
	"dossier/testbed/e2e"
	"dossier/testbed/esnode"
)

// use is one use of a flag, or of the variable that stands for it.
type use struct {
	*testing.T
	w             *world
	command, flag string
	env, beside   string // the variable and the value it has beside the flag
	byEnv         bool
	more          []string // of the environment
}

// run runs the command with the flag, and args.
func (u use) run(value string, args ...string) (out, errs string, status int) {
	u.Helper()
	env := append([]string{"GOGC=off"}, u.more...) // a third of a short run
	switch {
	case u.byEnv:
		env = append(env, u.env+"="+value)
	default:
		args = append(args, "--"+u.flag+"="+value)
		if u.beside != "" {
			env = append(env, u.env+"="+u.beside)
		}
	}
	return dossier(u.T, env, append(strings.Fields(u.command), args...)...)
}

// row is what is tried of a flag.
type row struct {
	// wrong is a value that is refused, refusal a part of the line that says
	// so.
	wrong, refusal string
	// works uses the flag with a value that is not its default, and wants
	// what comes of it.
	works func(u use)
}

// option is the row of an option of the plugin.
func option(key, wrong string, works func(u use)) row {
	return row{wrong, "option " + key + ": got ", works}
}

// world is what the flags have an effect on, for one at a time.
type world struct {
	*files
	http, tls, hang *stub
	node            *esnode.Node
	prefix          string
	month           string // of which only the ages below decide
	n               int
}

func newWorld(t *testing.T) *world {
	w := &world{files: newFiles(t), http: newStub(t, false), tls: newStub(t, true), hang: newStub(t, false), node: esnode.Shared(t), prefix: e2e.Prefix(t)}
	w.tls.askForCertificate(t, w.files)
	w.hang.silent.Store(true)
	out, errs, status := dossier(t, nil, "setup", "--months=1", "--es-hosts", w.node.URL, "--index-prefix", w.prefix)
	if status != 0 {
		t.Fatal(out, errs)
	}
	now := time.Now().UTC()
	w.month = time.Date(now.Year(), now.Month()-5, 1, 0, 0, 0, 0, time.UTC).Format("2006.01")
	for _, kind := range []string{"activity", "transitions", "chunks"} {
		w.node.Must(t, "PUT", w.prefix+"-"+kind+"-"+w.month, nil)
	}
	var hosts strings.Builder
	for n := range 1000 {
		fmt.Fprintf(&hosts, "185.0.%d.%d files-1\n", n/250, n%250+1)
	}
	w.hosts = w.write(t, "hosts", hosts.String())
	w.types = w.write(t, "types", "[tor]\n192.0.2.0/24\n")
	w.mmdb = filepath.Join(w.dir, "test.mmdb")
	tree, err := mmdbwriter.New(mmdbwriter.Options{DatabaseType: "Test"})
	if err != nil {
		t.Fatal(err)
	}
	_, network, _ := net.ParseCIDR("185.0.0.0/8")
	if err := tree.Insert(network, mmdbtype.Map{"country": mmdbtype.Map{"iso_code": mmdbtype.String("DE")}, "autonomous_system_number": mmdbtype.Uint32(60729)}); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(w.mmdb)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := tree.WriteTo(f); err != nil {
		t.Fatal(err)
	}
	return w
}

// real are the flags that lead to the real node.
func (w *world) real(args ...string) []string {
	return append(args, "--es-hosts", w.node.URL, "--index-prefix", w.prefix)
}

// letters writes dead letters of a new attacker into a folder of their own:
// one for him, one for his hour.
func (w *world) letters(t *testing.T, prefix string) (dir, attacker, hour string) {
	t.Helper()
	w.n++
	attacker = fmt.Sprintf("185.0.%d.%d", w.n/250, w.n%250+1)
	var id [16]byte
	rand.Read(id[:])
	at := time.Now().UTC().Truncate(time.Hour)
	events := map[string]any{"sensor": "s", "source": attacker + "/32", "hour": event.FromTime(at), "events": []any{map[string]any{
		"time": event.FromTime(at), "address": attacker, "decky": "d", "service": "ssh", "type": "login_attempt", "kind": event.Scan, "handshake": true,
		"evidence": []any{map[string]any{"kind": event.Login, "n": 1, "a": "root", "b": "plaintext", "c": "hunter2", "sha256": strings.Repeat("ab", 32)}},
	}}}
	hour = attacker + "|" + at.Format("2006-01-02T15")
	var text strings.Builder
	for class, to := range [][2]string{{prefix + "-attackers", attacker}, {}, {prefix + "-activity-" + at.Format("2006.01"), hour}} {
		if to[0] == "" {
			continue
		}
		b, err := json.Marshal(map[string]any{
			"time": at, "reason": "x", "chunk": hex.EncodeToString(id[:]), "minute": at.Unix() / 60,
			"index": to[0], "id": to[1], "class": class, "events": events,
		})
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&text, "%s\n", b)
	}
	dir = t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.jsonl"), []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir, attacker, hour
}

// args are those that each command needs to ask a node something.
func (u use) args(args ...string) []string {
	switch u.command {
	case "setup":
		return append(args, "--roles=off")
	case "replay":
		dir, _, _ := u.w.letters(u.T, "dossier")
		return append(args, dir)
	case "keys rotate":
		return append(args, "--keep-old=1h", u.keyFile())
	case "keys revoke":
		return append(args, "one")
	case "show", "report":
		return append(args, "192.0.2.1")
	}
	return args
}

// keyFile returns a file with the key that the stub knows.
func (u use) keyFile() string {
	u.Helper()
	file := filepath.Join(u.TempDir(), "old.key")
	if err := os.WriteFile(file, []byte("old:key\n"), 0o600); err != nil {
		u.Fatal(err)
	}
	return file
}

// rotates rotates the stub's key and returns what was said and the file.
func (u use) rotates(value string, more ...string) (out, file string) {
	u.Helper()
	file = u.keyFile()
	out, errs, status := u.run(value, append(more, "--es-hosts", u.w.http.URL, file)...)
	if status != 0 {
		u.Fatalf("status %d, %s\n%s", status, errs, out)
	}
	return out, file
}

// asks wants the stub to be asked, and something of one request.
func (u use) asks(s *stub, what string, want func(asked) bool) {
	u.Helper()
	seen := s.take()
	for _, a := range seen {
		if want(a) {
			return
		}
	}
	u.Errorf("of %d requests none %s:\n%s", len(seen), what, lines(seen))
}

func anything(asked) bool { return true }

// link are the flags that all commands have.
var link = map[string]row{
	"es-hosts": option("es_hosts", "nowhere", func(u use) {
		u.run(u.w.http.URL, u.args()...)
		u.asks(u.w.http, "came", anything)
	}),
	"es-cloud-id": option("es_cloud_id", "x", func(u use) {
		u.more = append(u.more, "HTTPS_PROXY="+u.w.http.URL, "NO_PROXY=", "no_proxy=")
		u.run("site:"+base64.StdEncoding.EncodeToString([]byte("eu.example.invalid$abc$def")), u.args()...)
		u.asks(u.w.http, "goes to the cloud", func(a asked) bool { return strings.HasPrefix(a.line, "CONNECT abc.eu.example.invalid:") })
	}),
	"es-user": option("es_user", "a:b", func(u use) {
		u.more = append(u.more, "DOSSIER_ES_PASSWORD=env-horse")
		u.run("anna", u.args("--es-hosts", u.w.http.URL)...)
		u.asks(u.w.http, "is anna's", basic("anna:env-horse"))
	}),
	"es-password-file": option("es_password_file", "/nowhere", func(u use) {
		u.run(u.w.password, u.args("--es-hosts", u.w.http.URL, "--es-user=anna")...)
		u.asks(u.w.http, "has the file's password", basic("anna:file-horse"))
	}),
	"es-api-key-file": option("es_api_key_file", "/nowhere", func(u use) {
		u.run(u.w.key, u.args("--es-hosts", u.w.http.URL)...)
		u.asks(u.w.http, "has the file's key", func(a asked) bool { return a.authorization == "ApiKey aWQ6a2V5" })
	}),
	"es-ca-file": option("es_ca_file", "/nowhere", func(u use) {
		u.run(u.w.tls.ca, u.args("--es-hosts", u.w.tls.URL)...)
		u.asks(u.w.tls, "came", anything)
		u.run(u.w.otherCA, u.args("--es-hosts", u.w.tls.URL)...)
		if seen := u.w.tls.take(); len(seen) > 0 {
			u.Errorf("a node is trusted that nobody vouches for: %s", lines(seen))
		}
	}),
	"es-client-cert": option("es_client_cert", "/nowhere", func(u use) {
		u.run(u.w.clientCert, u.args("--es-hosts", u.w.tls.URL, "--es-ca-file", u.w.tls.ca, "--es-client-key", u.w.clientKey)...)
		u.asks(u.w.tls, "shows the certificate", func(a asked) bool { return a.client == "operator" })
	}),
	"es-client-key": option("es_client_key", "/nowhere", func(u use) {
		u.run(u.w.clientKey, u.args("--es-hosts", u.w.tls.URL, "--es-ca-file", u.w.tls.ca, "--es-client-cert", u.w.clientCert)...)
		u.asks(u.w.tls, "shows the certificate", func(a asked) bool { return a.client == "operator" })
	}),
	"es-tls-verify": option("es_tls_verify", "maybe", func(u use) {
		_, errs, _ := u.run("off", u.args("--es-hosts", u.w.tls.URL)...)
		u.asks(u.w.tls, "came", anything)
		contains(u.T, errs, "dossier: warning: es_tls_verify is off")
	}),
	"es-compress": option("es_compress", "gzip", func(u use) {
		u.run("on", u.args("--es-hosts", u.w.http.URL)...)
		u.asks(u.w.http, "takes gzip", func(a asked) bool { return a.encoding == "gzip" })
	}),
	"index-prefix": option("index_prefix", "Dossier", func(u use) {
		args := u.args("--es-hosts", u.w.http.URL)
		if u.command == "replay" {
			dir, _, _ := u.w.letters(u.T, "other")
			args = []string{"--es-hosts", u.w.http.URL, dir}
		}
		_, errs, _ := u.run("other", args...)
		switch u.command {
		case "keys rotate":
			contains(u.T, errs, "its key is of the index_prefix dossier, this is other")
		case "keys list", "keys revoke":
			u.asks(u.w.http, "is about keys of other", func(a asked) bool { return strings.Contains(a.body, `{"metadata.dossier.prefix":"other"}`) })
		case "fleet":
			u.asks(u.w.http, "is about other-sensors", func(a asked) bool { return strings.HasPrefix(a.line, "POST /other-sensors/") })
		default:
			u.asks(u.w.http, "is about other-attackers", func(a asked) bool { return strings.Contains(a.line+a.body, "other-attackers") })
		}
	}),
	"config": {"/nowhere.yaml", "no such file", func(u use) {
		u.w.http.take()
		u.run(fluentBit(u.T, "    - {name: dossier, match: a, es_hosts: "+u.w.http.URL+"}\n"), u.args()...)
		u.asks(u.w.http, "came", anything)
	}},
	"timeout": {"-1s", "want a duration such as 90s or 10m", func(u use) {
		begin := time.Now()
		out, errs, status := u.run("300ms", u.args("--es-hosts", u.w.hang.URL)...)
		if contains(u.T, out+errs, "no answer in time"); status == 0 {
			u.Error("it is well without an answer")
		}
		// Each command's own is a minute or more.
		if took := time.Since(begin); took > 50*time.Second {
			u.Errorf("it took %s", took)
		}
	}},
}

func basic(userAndPassword string) func(asked) bool {
	return func(a asked) bool {
		return a.authorization == "Basic "+base64.StdEncoding.EncodeToString([]byte(userAndPassword))
	}
}

// installs wants a template or index to be made with a part in its body.
func installs(part string) func(u use, value string, args ...string) {
	return func(u use, value string, args ...string) {
		u.Helper()
		if out, errs, status := u.run(value, append(args, "--es-hosts", u.w.http.URL)...); status != 0 {
			u.Errorf("status %d, %s\n%s", status, errs, out)
		}
		u.asks(u.w.http, "has "+part, func(a asked) bool {
			return strings.HasPrefix(a.line, "PUT /_component_template/dossier-attackers@package") && strings.Contains(a.body, part)
		})
	}
}

// Records of sensors, as lines of a log.
const (
	sshdLine    = `<38>Nov 26 10:00:00 decoy1 sshd[42]: Failed password for root from 185.0.2.1 port 40000 ssh2`
	decnetLine  = `<134>1 2026-01-01T10:00:00Z decky-01 ssh - connection [relay@55555 src_ip="192.0.2.1" event_type="connection"] x`
	cowrieLine  = `{"eventid":"cowrie.login.success","username":"root","password":"hunter2","src_ip":"2001:db8::1","session":"a","protocol":"ssh","sensor":"decoy1","timestamp":"2026-11-26T10:00:00.000000Z"}`
	commandLine = `{"eventid":"cowrie.command.input","input":"crontab /tmp/c","src_ip":"192.0.2.1","session":"a","protocol":"ssh","sensor":"decoy1","timestamp":"2026-11-26T10:00:00.000000Z"}`
	bannerLine  = `{"eventid":"cowrie.client.version","version":"SSH-2.0-paramiko_2.4","src_ip":"192.0.2.1","session":"a","protocol":"ssh","sensor":"decoy1","timestamp":"2026-11-26T10:00:00.000000Z"}`
	dionaeaLine = `{"connection":{"protocol":"ftpd","transport":"tcp","type":"accept"},"dst_ip":"10.0.0.5","dst_port":21,"src_ip":"192.0.2.1","src_port":59037,"timestamp":"2026-11-24T02:43:22.999629"}`
	tlsLine     = `{"event_type":"tls","flow_id":1,"src_ip":"192.0.2.1","src_port":40000,"dest_ip":"10.0.0.5","dest_port":443,"proto":"TCP","timestamp":"2026-11-26T10:00:00Z","tls":{"sni":"a.example"}}`
)

// explains wants the flag to change what a record is read as: want is there
// with it and not without, gone the other way round; "" asks nothing.
func explains(record, want, gone, value string, args ...string) func(u use) {
	return func(u use) {
		u.Helper()
		file := filepath.Join(u.TempDir(), "records")
		if err := os.WriteFile(file, []byte(record+"\n"), 0o600); err != nil {
			u.Fatal(err)
		}
		args := append(slices.Clone(args), file)
		with, errs, status := u.run(value, slices.Clone(args)...)
		if status != 0 || errs != "" {
			u.Fatalf("status %d, %s", status, errs)
		}
		without, _, _ := dossier(u.T, nil, append([]string{"explain"}, args...)...)
		if want != "" && (!strings.Contains(with, want) || strings.Contains(without, want)) {
			u.Errorf("want %q with it alone; with it\n%s\nwithout\n%s", want, with, without)
		}
		if gone != "" && (strings.Contains(with, gone) || !strings.Contains(without, gone)) {
			u.Errorf("want %q without it alone; with it\n%s\nwithout\n%s", gone, with, without)
		}
	}
}

// changed wants a file of rules to count in which one text is another.
func changed(file, from, to, record string) func(u use) {
	return func(u use) {
		u.Helper()
		rules, err := os.ReadFile(filepath.Join("../../profile/rules/data", file))
		if err != nil || !strings.Contains(string(rules), from) {
			u.Fatalf("%s without %q: %v", file, from, err)
		}
		other := filepath.Join(u.TempDir(), filepath.Base(file))
		if err := os.WriteFile(other, []byte(strings.ReplaceAll(string(rules), from, to)), 0o600); err != nil {
			u.Fatal(err)
		}
		want, _, _ := strings.Cut(strings.TrimPrefix(to, "name: "), "{")
		explains(record, want, "", other, "--profiles")(u)
	}
}

// expiry is what a dry run says of the ages.
type expiry struct {
	attackers, targets, sensors, indicators int // days
	activity, transitions, ledger           bool
}

var standard = expiry{365, 365, 30, 365, false, false, true}

// expires wants the flag to change its age and no other.
func expires(value string, change func(*expiry)) func(u use) {
	return func(u use) {
		want := standard
		change(&want)
		out, errs, status := u.run(value, u.w.real("--dry-run")...)
		if status != 0 {
			u.Fatalf("status %d, %s", status, errs)
		}
		day := func(days int) string {
			return time.Now().UTC().AddDate(0, 0, -days).Format(time.DateOnly)
		}
		p := u.w.prefix
		contains(u.T, out, p+"-attackers: 0 to delete, last_seen before "+day(want.attackers), p+"-smtp-targets: 0 to delete, last_seen before "+day(want.targets),
			p+"-indicators: 0 to delete, last_seen before "+day(want.indicators),
			p+"-sensors: 0 to delete, @timestamp before "+day(want.sensors))
		for kind, expired := range map[string]bool{"activity": want.activity, "transitions": want.transitions, "chunks": want.ledger} {
			if got := strings.Contains(out, "index "+p+"-"+kind+"-"+u.w.month+": to delete"); got != expired {
				u.Errorf("%s of %s to delete: %v, want %v\n%s", kind, u.w.month, got, expired, out)
			}
		}
	}
}

// rejudged makes an attacker's document, has it and all others rendered anew with the
// flag, and returns it.
func (u use) rejudged(value string) (doc, errs, out string) {
	u.Helper()
	dir, id, _ := u.w.letters(u.T, u.w.prefix)
	dossier(u.T, nil, append([]string{"replay"}, u.w.real(dir)...)...)
	u.w.node.Must(u.T, "POST", u.w.prefix+"-attackers/_refresh", nil)
	var args []string
	for flag, value := range map[string]string{"all": "true", "rate": "5000", "geoip-db": u.w.mmdb, "asn-db": u.w.mmdb, "network-types": u.w.types} {
		if flag != u.flag {
			args = append(args, "--"+flag+"="+value)
		}
	}
	out, errs, _ = u.run(value, u.w.real(args...)...)
	b, err := json.Marshal(u.w.node.Must(u.T, "GET", u.w.prefix+"-attackers/_doc/"+id, nil)["_source"])
	if err != nil {
		u.Fatal(err)
	}
	return string(b), errs, out
}

// rejudges wants something in the document that the flag alone brings.
func rejudges(want string, value func(u use) string) func(u use) {
	return func(u use) {
		u.Helper()
		if doc, errs, _ := u.rejudged(value(u)); !strings.Contains(doc, want) {
			u.Errorf("no %s in\n%s\n%s", want, doc, errs)
		}
	}
}

// rejudgedBy wants the document to be judged by a changed file.
func rejudgedBy(file, from, to string) func(u use) {
	return func(u use) {
		u.Helper()
		b, err := os.ReadFile(filepath.Join("../../profile/rules/data", file))
		if err != nil || !strings.Contains(string(b), from) {
			u.Fatalf("%s without %q: %v", file, from, err)
		}
		set, err := rules.New(rules.Options{})
		if err != nil {
			u.Fatal(err)
		}
		doc, errs, _ := u.rejudged(write(u.T, strings.ReplaceAll(string(b), from, to)))
		if !strings.Contains(doc, `"rules":{`) || strings.Contains(doc, fmt.Sprintf(`"rules":{"lists_date":%q,"version":%q}`, set.ScannersDate(), set.Version())) {
			u.Errorf("judged by what is built in:\n%s\n%s", doc, errs)
		}
	}
}

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// replays replays the letters of a new attacker and returns his documents.
func (u use) replays(value string) (attacker, hour string) {
	u.Helper()
	dir, id, hourID := u.w.letters(u.T, u.w.prefix)
	out, errs, status := u.run(value, u.w.real(dir)...)
	if contains(u.T, out, "2 letters written, 1 files done"); status != 0 {
		u.Fatalf("status %d, %s\n%s", status, errs, out)
	}
	source := func(path string) string {
		b, err := json.Marshal(u.w.node.Must(u.T, "GET", path, nil)["_source"])
		if err != nil {
			u.Fatal(err)
		}
		return string(b)
	}
	return source(u.w.prefix + "-attackers/_doc/" + id), source(u.w.prefix + "-activity-" + time.Now().UTC().Format("2006.01") + "/_doc/" + strings.ReplaceAll(hourID, "|", "%7C"))
}

// monthAhead is the month that comes n after this one, as indices name it.
func monthAhead(n int) string {
	now := time.Now().UTC()
	return time.Date(now.Year(), now.Month()+time.Month(n), 1, 0, 0, 0, 0, time.UTC).Format("2006.01")
}

// someOwner returns who a file can be given to.
func someOwner() (uid, gid int) {
	if os.Getuid() == 0 {
		return 12345, 23456
	}
	return os.Getuid(), os.Getgid()
}

func (u use) owns(file string, uid, gid int) {
	u.Helper()
	info, err := os.Stat(file)
	if err != nil {
		u.Fatal(err)
	}
	if st := info.Sys().(*syscall.Stat_t); int(st.Uid) != uid || int(st.Gid) != gid {
		u.Errorf("the file is of %d:%d, want %d:%d", st.Uid, st.Gid, uid, gid)
	}
}

// rows are those of each command's own flags.
var rows = map[string]row{
	"setup --shards": option("shards", "0", func(u use) { installs(`"index.number_of_shards":3`)(u, "3", "--roles=off") }),
	"setup --replicas": option("replicas", "6", func(u use) {
		installs(`"index.number_of_replicas":"2"`)(u, "2", "--roles=off")
	}),
	"setup --refresh-interval": option("refresh_interval", "5", func(u use) { installs(`"index.refresh_interval":"7s"`)(u, "7s", "--roles=off") }),
	"setup --ipv6-prefix":      option("ipv6_prefix", "129", func(u use) { installs(`"ipv6_prefix":"64"`)(u, "64", "--roles=off") }),
	"setup --months": {"37", "months: got 37, want 1 to 36", func(u use) {
		u.w.http.take() // what a row before left
		u.run("2", "--es-hosts", u.w.http.URL)
		got := lines(u.w.http.take())
		if !strings.Contains(got, "PUT /dossier-chunks-"+monthAhead(2)) || strings.Contains(got, "PUT /dossier-chunks-"+monthAhead(3)) || !strings.Contains(got, "PUT /dossier-transitions-other") {
			u.Errorf("two months ahead and those of stray times:\n%s", got)
		}
		dossier(u.T, nil, "setup", "--es-hosts", u.w.http.URL)
		if made := strings.Count(lines(u.w.http.take()), "PUT /dossier-chunks-"); made != 1+operate.DefaultMonths+1 {
			u.Errorf("without it: %d months of the ledger", made)
		}
	}},
	"setup --also-month": {"2024.13", "also-month: got ", func(u use) {
		u.w.http.take()
		u.run("2019.03", "--es-hosts", u.w.http.URL)
		if got := lines(u.w.http.take()); !strings.Contains(got, "PUT /dossier-activity-2019.03") || strings.Contains(got, "2019.04") {
			u.Errorf("the month of old logs:\n%s", got)
		}
	}},
	"setup --roles": {"perhaps", "roles: got ", func(u use) {
		for value, want := range map[string]int{"on": len(roles.Names()), "off": 0} {
			u.run(value, "--es-hosts", u.w.http.URL)
			if got := strings.Count(lines(u.w.http.take()), "PUT /_security/role/dossier-"); got != want {
				u.Errorf("%s: %d roles, want %d", value, got, want)
			}
		}
	}},
	"setup --key": {"root=/x", "key: got ", func(u use) {
		file := filepath.Join(u.TempDir(), "a.key")
		u.run("retention="+file, "--es-hosts", u.w.http.URL)
		if b, err := os.ReadFile(file); err != nil || strings.TrimSpace(string(b)) != "aTpr" {
			u.Errorf("the key's file: %q, %v", b, err)
		}
		u.asks(u.w.http, "makes a key of the role", func(a asked) bool {
			return a.line == "POST /_security/api_key" && strings.Contains(a.body, "dossier-retention") && !strings.Contains(a.body, "expiration")
		})
	}},
	"setup --key-expires": {"soon", "key-expires: got ", func(u use) {
		u.run("30d", "--es-hosts", u.w.http.URL, "--key=writer="+filepath.Join(u.TempDir(), "a.key"))
		u.asks(u.w.http, "makes a key for 30 days", func(a asked) bool {
			return a.line == "POST /_security/api_key" && strings.Contains(a.body, `"expiration":"2592000s"`)
		})
	}},

	"setup --key-mode": {"0644", "key-mode: got ", func(u use) {
		file := filepath.Join(u.TempDir(), "a.key")
		u.run("0640", "--es-hosts", u.w.http.URL, "--key=writer="+file)
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o640 {
			u.Errorf("the key's file: %v, %v", info, err)
		}
	}},
	"setup --key-owner": {"nobody-of-that-name", "key-owner: got ", func(u use) {
		uid, gid := someOwner()
		file := filepath.Join(u.TempDir(), "a.key")
		u.run(fmt.Sprintf("%d:%d", uid, gid), "--es-hosts", u.w.http.URL, "--key=writer="+file)
		u.owns(file, uid, gid)
	}},

	"setup --dry-run": {"maybe", `"maybe" for "-n, --dry-run"`, func(u use) {
		u.w.http.take()
		file := filepath.Join(u.TempDir(), "a.key")
		out, errs, status := u.run("true", "--es-hosts", u.w.http.URL, "--roles=on", "--key=writer:one="+file)
		contains(u.T, out, "index template dossier-attackers: would be created", "role dossier-writer: would be created", "API key "+file+": would be created, dossier-writer-one", "a dry run: nothing was changed")
		if status != 0 {
			u.Errorf("status %d, %s", status, errs)
		}
		for _, a := range u.w.http.take() {
			if method, path, _ := strings.Cut(a.line, " "); method != "GET" && path != "/_index_template/_simulate" && !strings.Contains(path, "/_search") {
				u.Errorf("sent: %s", a.line)
			}
		}
		if _, err := os.Lstat(file); err == nil {
			u.Error("the key's file was made")
		}
	}},
	"setup --export": {"/", "--export: / isn't empty", func(u use) {
		dir := filepath.Join(u.TempDir(), "new")
		out, errs, status := u.run(dir, "--es-hosts", u.w.http.URL, "--months=1")
		if contains(u.T, out, "file _index_template/dossier-attackers.json: created", "file apply.sh: created"); status != 0 {
			u.Errorf("status %d, %s", status, errs)
		}
		if b, err := os.ReadFile(filepath.Join(dir, "_security/role/dossier-forget.json")); err != nil || !strings.Contains(string(b), `"dossier-indicators"`) {
			u.Errorf("a role's file: %s, %v", b, err)
		}
		_, errs, _ = u.run(dir, "--es-hosts", u.w.http.URL, "--dry-run")
		contains(u.T, errs, "leave out --dry-run and --key")
	}},

	"check --ipv6-prefix": option("ipv6_prefix", "129", func(u use) {
		out, _, status := u.run("64", u.w.real()...)
		if contains(u.T, out, "it was made with ipv6_prefix 128, this sensor has 64"); status != 2 {
			u.Errorf("status %d", status)
		}
	}),
	"check --syslog-timezone": option("syslog_timezone", "Mars", func(u use) {
		out, _, _ := u.run("Asia/Tokyo", u.w.real()...)
		contains(u.T, out, "Asia/Tokyo")
	}),
	"check --dead-letter-path": option("dead_letter_path", "relative", func(u use) {
		dir, _, _ := u.w.letters(u.T, "x")
		out, _, _ := u.run(dir, "--es-hosts", u.w.http.URL)
		contains(u.T, out, "WARN dead letters: 2 wait in "+dir)
	}),
	"check --role": {"root", "role: got ", func(u use) {
		out, _, _ := u.run("retention", "--es-hosts", u.w.http.URL)
		contains(u.T, out, "has what the role retention has")
		u.asks(u.w.http, "asks for what retention has", func(a asked) bool {
			return strings.HasSuffix(a.line, "_has_privileges") && strings.Contains(a.body, "delete_index")
		})
	}},
	"check --json": {"maybe", `"maybe" for "--json"`, func(u use) {
		out, _, _ := u.run("true", "--es-hosts", u.w.http.URL)
		for _, l := range strings.Split(strings.TrimSpace(out), "\n") {
			var f struct{ Level, Subject, Text string }
			if err := json.Unmarshal([]byte(l), &f); err != nil || f.Level == "" || f.Subject == "" || f.Text == "" {
				u.Errorf("%v: %s", err, l)
			}
		}
	}},

	"explain --form":     {"json", `form: got "json", want log or record`, explains(sshdLine, "", "attacker ", "record")},
	"explain --profiles": {"maybe", `"maybe" for "--profiles"`, explains(sshdLine, "DOC {", "technique \"", "true")},
	"explain --time": {
		"now", `time: got "now", want a time such as 2026-11-27T00:00:00Z`,
		explains(sshdLine, "time 2019-11-26T10:00:00", "", "2019-12-01T00:00:00Z"),
	},
	"explain --sensor-id":             option("sensor_id", "a b", explains(cowrieLine, `"sensors":["here"]`, "", "here", "--profiles")),
	"explain --dialect":               option("dialect", "splunk", explains(cowrieLine, "read as suricata", "cowrie.login.success", "suricata")),
	"explain --field-map":             option("field_map", "/nowhere", explains(dionaeaLine, "read as mapped", "", "../../conf/field_maps/dionaea.yaml")),
	"explain --decoy-nets":            option("decoy_nets", "10/8", explains(tlsLine, "attacker 10.0.0.5", "attacker 192.0.2.1", "192.0.2.0/24", "--form=record")),
	"explain --decoy-names":           option("decoy_names", "web-1", explains(tlsLine, `decky "web-1"`, "", "10.0.0.5=web-1", "--form=record", "--decoy-nets=10.0.0.0/8")),
	"explain --port-map":              option("port_map", "2222", explains(tlsLine, `"tcp/8443"`, `"tcp/443"`, "443=8443", "--form=record", "--decoy-nets=10.0.0.0/8", "--profiles")),
	"explain --exclude-nets":          option("exclude_nets", "10/8", explains(sshdLine, "excluded", "attacker ", "185.0.2.0/24")),
	"explain --exclude":               option("exclude", "host=x", explains(sshdLine, "excluded", "attacker ", "service=ssh")),
	"explain --structured-data":       option("structured_data", "maybe", explains(decnetLine, "structured_data", "attacker ", "off")),
	"explain --json-in-syslog":        option("json_in_syslog", "a/b", explains("<38>1 2026-11-26T10:00:00Z decoy1 cowrie - - - "+cowrieLine, "event cowrie.login.success", "json_in_syslog", "on")),
	"explain --syslog-timezone":       option("syslog_timezone", "Mars", explains(sshdLine, "-11-26T01:00:00.000000Z", "", "Asia/Tokyo")),
	"explain --drop-apps":             option("drop_apps", "a\x01", explains(sshdLine, "drop_app (dropped)", "attacker ", "sshd")),
	"explain --internal-decky-prefix": option("internal_decky_prefix", "a b", explains(sshdLine, `decky ""`, "", "decoy")),
	"explain --ipv6-prefix":           option("ipv6_prefix", "129", explains(cowrieLine, `"network":"2001:db8::/64"`, `"ip":"2001:db8::1"`, "64", "--profiles")),
	"explain --store-secrets":         option("store_secrets", "md5", explains(cowrieLine, "", "hunter2", "none", "--profiles")),
	"explain --internal-nets":         option("internal_nets", "10/8", explains(sshdLine, `"scope":"internal"`, `"scope":"external"`, "185.0.0.0/8", "--profiles")),
	"explain --internal-hosts": option("internal_hosts", "/nowhere", func(u use) {
		explains(sshdLine, `"host":{"name":"files-1"}`, "", u.w.hosts, "--profiles", "--internal-nets=185.0.0.0/8")(u)
	}),
	"explain --geoip-db": option("geoip_db", "/nowhere", func(u use) { explains(sshdLine, `"DE"`, "", u.w.mmdb, "--profiles")(u) }),
	"explain --asn-db":   option("asn_db", "/nowhere", func(u use) { explains(sshdLine, `60729`, "", u.w.mmdb, "--profiles")(u) }),
	"explain --network-types": option("network_types", "/nowhere", func(u use) {
		explains(sshdLine, `"network_type":"tor"`, "", write(u.T, "[tor]\n0.0.0.0/0\n"), "--profiles")(u)
	}),
	"explain --tlp":          option("tlp", "PURPLE", explains(cowrieLine, `"tlp":"RED"`, "", "RED", "--profiles")),
	"explain --attack-rules": option("attack_rules", "/nowhere", changed("rules/persistence.yaml", "name: schedules a job", "name: plants a timer", commandLine)),
	"explain --tool-rules":   option("tool_rules", "/nowhere", changed("tools.json", `"paramiko"`, `"gadget"`, bannerLine)),
	"explain --known-scanners": option("known_scanners", "/nowhere", func(u use) {
		explains(cowrieLine, `"lists_date":"2001-02-03"`, "", write(u.T, `{"version":1,"date":"2001-02-03","origin":"o"}`), "--profiles")(u)
	}),
	"explain --known-good": option("known_good", "/nowhere", func(u use) {
		explains(bannerLine, `"actor":"our monitoring"`, "", write(u.T, "192.0.2.0/24 our monitoring\n"), "--profiles")(u)
	}),
	"explain --risk-rules": option("risk_rules", "/nowhere", changed("risk.json", "events: {n}", "records: {n}", cowrieLine)),

	"rejudge --ipv6-prefix": option("ipv6_prefix", "129", func(u use) {
		_, errs, _ := u.rejudged("64")
		contains(u.T, errs, "made with ipv6_prefix 128, this sensor has 64")
	}),
	"rejudge --internal-nets": option("internal_nets", "10/8", rejudges(`"scope":"internal"`, func(u use) string { return "185.0.0.0/8" })),
	"rejudge --internal-hosts": option("internal_hosts", "/nowhere", func(u use) {
		u.more = append(u.more, "DOSSIER_INTERNAL_NETS=185.0.0.0/8")
		rejudges(`"files-1"`, func(u use) string { return u.w.hosts })(u)
	}),
	"rejudge --geoip-db":      option("geoip_db", "/nowhere", rejudges(`"DE"`, func(u use) string { return u.w.mmdb })),
	"rejudge --asn-db":        option("asn_db", "/nowhere", rejudges(`60729`, func(u use) string { return u.w.mmdb })),
	"rejudge --network-types": option("network_types", "/nowhere", rejudges(`"network_type":"tor"`, func(u use) string { return write(u.T, "[tor]\n0.0.0.0/0\n") })),
	"rejudge --tlp":           option("tlp", "PURPLE", rejudges(`"tlp":"RED"`, func(use) string { return "RED" })),
	"rejudge --store-secrets": option("store_secrets", "md5", func(u use) {
		if doc, _, _ := u.rejudged("none"); strings.Contains(doc, "hunter2") || !strings.Contains(doc, `"root"`) {
			u.Errorf("the document: %s", doc)
		}
	}),
	"rejudge --tool-rules":     option("tool_rules", "/nowhere", rejudgedBy("tools.json", `"paramiko"`, `"gadget"`)),
	"rejudge --attack-rules":   option("attack_rules", "/nowhere", rejudgedBy("rules/persistence.yaml", "name: schedules a job", "name: plants a timer")),
	"rejudge --risk-rules":     option("risk_rules", "/nowhere", rejudgedBy("risk.json", "events: {n}", "records: {n}")),
	"rejudge --known-scanners": option("known_scanners", "/nowhere", rejudgedBy("scanners.json", `"date": "`, `"date": "2001-`)),
	"rejudge --known-good": option("known_good", "/nowhere", rejudges(`"actor":"our monitoring"`, func(u use) string {
		return write(u.T, "185.0.0.0/8 our monitoring\n")
	})),
	"rejudge --all": {"maybe", `"maybe" for "--all"`, func(u use) {
		_, _, out := u.rejudged("true")
		if strings.HasPrefix(out, "0 of about 0 ") {
			u.Errorf("nothing rendered: %s", out)
		}
	}},
	"rejudge --rate": {"0", "--rate: got 0, want 1 to 5000", func(u use) {
		_, _, out := u.rejudged("4000")
		contains(u.T, out, "documents rendered anew")
	}},
	"rejudge --dry-run": {"maybe", `"maybe" for "-n, --dry-run"`, func(u use) {
		_, _, out := u.rejudged("true")
		contains(u.T, out, "0 of about ")
	}},

	"reshard --shards": option("shards", "0", func(u use) {
		out, errs, status := u.run("3", u.w.real("smtp-targets")...)
		if status != 0 || !strings.Contains(out, u.w.prefix+"-smtp-targets-00000") || !strings.Contains(out, " 3 shards") {
			u.Errorf("status %d, %s\n%s", status, errs, out)
		}
	}),
	"reshard --ipv6-prefix": option("ipv6_prefix", "129", func(u use) {
		_, errs, _ := u.run("64", u.w.real()...)
		contains(u.T, errs, "made with ipv6_prefix 128, this sensor has 64")
	}),
	"reshard --abort": {"maybe", `"maybe" for "--abort"`, func(u use) {
		out, _, _ := u.run("true", u.w.real()...)
		if strings.Count(out, "kept, nothing was begun") != 3 {
			u.Errorf("%s", out)
		}
	}},
	"retain --attackers":   {"3h", `got "3h", want days`, expires("77d", func(e *expiry) { e.attackers = 77 })},
	"retain --targets":     {"3h", `got "3h", want days`, expires("78d", func(e *expiry) { e.targets = 78 })},
	"retain --indicators":  {"3h", `got "3h", want days`, expires("76d", func(e *expiry) { e.indicators = 76 })},
	"retain --sensors":     {"0d", `got "0d", want days`, expires("79d", func(e *expiry) { e.sensors = 79 })},
	"retain --activity":    {"x", `got "x", want days`, expires("90d", func(e *expiry) { e.activity = true })},
	"retain --transitions": {"-1d", `got "-1d", want days`, expires("90d", func(e *expiry) { e.transitions = true })},
	"retain --ledger":      {"29d", "ledger: got 29 days, want at least 30", expires("300d", func(e *expiry) { e.ledger = false })},
	"retain --dry-run": {"maybe", `"maybe" for "-n, --dry-run"`, func(u use) {
		index := u.w.prefix + "-attackers"
		u.w.node.Must(u.T, "PUT", index+"/_doc/old?refresh=true", `{"last_seen":"2019-01-02T03:04:05Z"}`)
		out, _, _ := u.run("true", u.w.real()...)
		contains(u.T, out, index+": 1 to delete")
		out, _, _ = dossier(u.T, nil, append([]string{"retain", "-n"}, u.w.real()...)...)
		contains(u.T, out, index+": 1 to delete")
		u.w.node.Must(u.T, "GET", index+"/_doc/old", nil)
		u.w.node.Must(u.T, "DELETE", index+"/_doc/old?refresh=true", nil)
	}},

	"check --output": {"xml", "want one of table", func(u use) {
		out, _, _ := u.run("json", "--es-hosts", u.w.http.URL)
		var findings []struct{ Level, Subject, Text string }
		if err := json.Unmarshal([]byte(out), &findings); err != nil || len(findings) < 5 || findings[0].Subject != "connection" {
			u.Errorf("%v: %s", err, out)
		}
		out, _, _ = u.run("yaml", "--es-hosts", u.w.http.URL)
		contains(u.T, out, `- level: "`, `subject: "connection"`)
	}},
	"fleet --output": {"xml", "want one of table", func(u use) {
		beat(u, "north", 0)
		out, _, status := u.run("json", u.w.real()...)
		var fleet []struct{ Sensor, State string }
		if err := json.Unmarshal([]byte(out), &fleet); err != nil || len(fleet) != 1 || fleet[0].Sensor != "north" || fleet[0].State != "well" || status != 0 {
			u.Errorf("%v, status %d: %s", err, status, out)
		}
	}},
	"repair --output": {"xml", "want one of table", func(u use) {
		u.w.node.Must(u.T, "PUT", u.w.prefix+"-attackers/_doc/192.0.2.200?refresh=true", `{"state":"AAAA"}`)
		defer u.w.node.Must(u.T, "DELETE", u.w.prefix+"-attackers/_doc/192.0.2.200", nil)
		out, _, status := u.run("ndjson", u.w.real("192.0.2.200")...)
		var spoilt struct{ ID, Reason string }
		if err := json.Unmarshal([]byte(out), &spoilt); err != nil || spoilt.ID != "192.0.2.200" || spoilt.Reason == "" || status != 1 {
			u.Errorf("%v, status %d: %s", err, status, out)
		}
	}},
	"fleet --unwell": {"maybe", `"maybe" for "--unwell"`, func(u use) {
		beat(u, "north", 0)
		beat(u, "south", time.Hour)
		out, _, status := u.run("true", u.w.real()...)
		contains(u.T, out, "2 sensors: 1 well, 0 unwell, 1 silent; 0.0 records a second; versions dev (1)", "WARN sensor south: silent for 1h")
		if strings.Contains(out, "north") || !strings.HasPrefix(out, "SENSOR  STATE ") || status != 1 {
			u.Errorf("status %d: %s", status, out)
		}
		out, _, _ = dossier(u.T, nil, append([]string{"fleet"}, u.w.real()...)...)
		contains(u.T, out, "\nnorth   well    ")
	}},
	"keys list --output": {"xml", "want one of table", func(u use) {
		out, _, _ := u.run("yaml", "--es-hosts", u.w.http.URL)
		contains(u.T, out, `role: "retention"`, `id: "old"`)
	}},
	"keys list --json": {"maybe", `"maybe" for "--json"`, func(u use) {
		out, _, _ := u.run("true", "--es-hosts", u.w.http.URL)
		var k struct{ Key struct{ ID, Role string } }
		first, _, _ := strings.Cut(out, "\n")
		if err := json.Unmarshal([]byte(first), &k); err != nil || k.Key.ID != "old" || k.Key.Role != "retention" {
			u.Errorf("%v: %s", err, out)
		}
	}},
	"keys list --privileges": {"maybe", `"maybe" for "--privileges"`, func(u use) {
		out, _, _ := u.run("true", "--es-hosts", u.w.http.URL)
		contains(u.T, out, "may: on the cluster monitor")
	}},
	"keys rotate --keep-old": {"soon", `"soon" for "--keep-old"`, func(u use) {
		if out, _ := u.rotates("2h"); !strings.Contains(out, ", id old: works until ") {
			u.Errorf("the old key:\n%s", out)
		}
		u.asks(u.w.http, "gives the old key two hours", func(a asked) bool {
			return a.line == "PUT /_security/api_key/old" && strings.Contains(a.body, `"expiration":"7200s"`)
		})
		if out, _ := u.rotates("0s"); !strings.Contains(out, ", id old: revoked") {
			u.Errorf("the old key:\n%s", out)
		}
	}},
	"keys rotate --key-expires": {"soon", "key-expires: got ", func(u use) {
		u.rotates("30d", "--keep-old=1h")
		u.asks(u.w.http, "makes a key for 30 days", func(a asked) bool {
			return a.line == "POST /_security/api_key" && strings.Contains(a.body, `"expiration":"2592000s"`)
		})
	}},
	"keys rotate --key-mode": {"0644", "key-mode: got ", func(u use) {
		_, file := u.rotates("0640", "--keep-old=1h")
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o640 {
			u.Errorf("the key's file: %v, %v", info, err)
		}
	}},
	"keys rotate --key-owner": {"nobody-of-that-name", "key-owner: got ", func(u use) {
		uid, gid := someOwner()
		_, file := u.rotates(fmt.Sprintf("%d:%d", uid, gid), "--keep-old=1h")
		u.owns(file, uid, gid)
	}},
	"keys revoke --all": {"maybe", `"maybe" for "--all"`, func(u use) {
		_, errs, _ := u.run("false", "two", "--es-hosts", u.w.http.URL)
		contains(u.T, errs, "2 keys have the name two")
		out, _, _ := u.run("true", "two", "--es-hosts", u.w.http.URL)
		if strings.Count(out, ": revoked") != 2 {
			u.Errorf("both keys:\n%s", out)
		}
	}},

	"replay --dead-letter-path": option("dead_letter_path", "relative", func(u use) {
		dir, _, _ := u.w.letters(u.T, u.w.prefix)
		out, errs, _ := u.run(dir, u.w.real()...)
		contains(u.T, out+errs, dir+": 2 letters written, 1 files done")
	}),
	"replay --ipv6-prefix": option("ipv6_prefix", "129", func(u use) {
		dir, _, _ := u.w.letters(u.T, u.w.prefix)
		u.more = append(u.more, "DOSSIER_COMMIT_TIMEOUT=2s")
		_, errs, status := u.run("64", u.w.real(dir)...)
		if contains(u.T, errs, "made with ipv6_prefix 128, this sensor has 64"); status != 1 {
			u.Errorf("status %d", status)
		}
	}),
	"replay --internal-nets": option("internal_nets", "10/8", func(u use) {
		doc, hour := u.replays("185.0.0.0/8")
		contains(u.T, doc+hour, `"scope":"internal"`)
	}),
	"replay --internal-hosts": option("internal_hosts", "/nowhere", func(u use) {
		u.more = append(u.more, "DOSSIER_INTERNAL_NETS=185.0.0.0/8")
		doc, _ := u.replays(u.w.hosts)
		contains(u.T, doc, `"files-1"`)
	}),
	"replay --geoip-db": option("geoip_db", "/nowhere", func(u use) {
		doc, _ := u.replays(u.w.mmdb)
		contains(u.T, doc, `"DE"`)
	}),
	"replay --asn-db": option("asn_db", "/nowhere", func(u use) {
		doc, _ := u.replays(u.w.mmdb)
		contains(u.T, doc, `60729`)
	}),
	"replay --network-types": option("network_types", "/nowhere", func(u use) {
		doc, _ := u.replays(write(u.T, "[tor]\n0.0.0.0/0\n"))
		contains(u.T, doc, `"network_type":"tor"`)
	}),
	"replay --tlp": option("tlp", "PURPLE", func(u use) {
		doc, _ := u.replays("RED")
		contains(u.T, doc, `"tlp":"RED"`)
	}),
	"replay --store-secrets": option("store_secrets", "md5", func(u use) {
		if doc, _ := u.replays("none"); strings.Contains(doc, "hunter2") || !strings.Contains(doc, `"root"`) {
			u.Errorf("the document: %s", doc)
		}
	}),
	"replay --activity": option("activity", "daily", func(u use) {
		if _, hour := u.replays("off"); strings.Contains(hour, `"risk`) {
			u.Errorf("the hour has the attacker's key figures: %s", hour)
		}
		if u.byEnv { // and so it has without
			dir, _, hourID := u.w.letters(u.T, u.w.prefix)
			dossier(u.T, nil, append([]string{"replay"}, u.w.real(dir)...)...)
			doc := u.w.node.Must(u.T, "GET", u.w.prefix+"-activity-"+time.Now().UTC().Format("2006.01")+"/_doc/"+strings.ReplaceAll(hourID, "|", "%7C"), nil)
			b, _ := json.Marshal(doc["_source"])
			contains(u.T, string(b), `"risk`)
		}
	}),
	"replay --show-raw": {"maybe", `"maybe" for "--show-raw"`, func(u use) {
		dir := u.TempDir()
		raw := `{"time":"2026-01-08T00:00:00Z","reason":"r","chunk":"00","tag":"t","piece":1,"pieces":2,"data":"` + base64.StdEncoding.EncodeToString([]byte("a\x1b[31mb\xff")) + `"}`
		if err := os.WriteFile(filepath.Join(dir, "a.jsonl"), []byte(raw+"\n"), 0o600); err != nil {
			u.Fatal(err)
		}
		out, errs, status := u.run("true", dir)
		if want := dir + "/a.jsonl: 2026-01-08T00:00:00Z, r, chunk 00, tag t, piece 1 of 2\n    a\\x1b[31mb\uFFFD\n1 raw letters\n"; out != want || errs != "" || status != 0 {
			u.Errorf("status %d, %s, got %q, want %q", status, errs, out, want)
		}
	}},
}

// likeShow are the commands whose link is made by the function that makes that
// of show, which is tried with it; dossier top asks nothing without a terminal.
var likeShow = []string{"search", "export", "report", "top", "note", "verdict"}

// likeRetain are the commands whose link is made by the function that makes that
// of retain, which is tried with it.
var likeRetain = []string{"import", "forget", "uninstall"}

// rowOf returns the row of a flag. import has explain's options, by the function
// that gives them to explain: shared says that they are tried with that.
func rowOf(command, flag string) (r row, shared, ok bool) {
	if r, ok = rows[command+" --"+flag]; ok {
		return r, false, true
	}
	if r, ok = rows["explain --"+flag]; ok && command == "import" {
		return r, true, true
	}
	r, ok = link[flag]
	return r, slices.Contains(likeShow, command) || slices.Contains(likeRetain, command), ok
}

func init() {
	maps.Copy(rows, readerRows)
	maps.Copy(rows, tryRows)
	maps.Copy(rows, importRows)
	maps.Copy(rows, forgetRows)
	maps.Copy(rows, uninstallRows)
}

// TestEveryFlag uses every flag of every command: with a value that is not
// its default, by the environment where a variable stands for it, beside a
// variable that says something else, with a value that is wrong and with none.
func TestEveryFlag(t *testing.T) {
	worlds := make(chan *world, runtime.GOMAXPROCS(0))
	for range cap(worlds) {
		worlds <- newWorld(t)
	}
	used := map[string]bool{}
	for _, c := range commands(newRoot()) {
		command := strings.TrimPrefix(c.CommandPath(), "dossier ")
		c.Flags().VisitAll(func(f *pflag.Flag) {
			name := command + " --" + f.Name
			used[name] = true
			r, shared, ok := rowOf(command, f.Name)
			if !ok {
				t.Errorf("%s has no row here", name)
				return
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				w := <-worlds
				t.Cleanup(func() { worlds <- w }) // after all that the rows clean up
				u := use{T: t, w: w, command: command, flag: f.Name}
				if shared {
					wantRefused(t, u, r.refusal, "--"+f.Name+"="+r.wrong)
					wantRefused(t, u, "", "--"+f.Name+"=")
					return
				}
				r.works(u)
				if key := f.Annotations[optionOf]; key != nil {
					u.env = envName(key[0])
					byEnv := u
					byEnv.byEnv = true
					r.works(byEnv)
					u.beside = r.wrong // would be refused
					r.works(u)
				}
				wantRefused(t, u, r.refusal, "--"+f.Name+"="+r.wrong)
				wantRefused(t, u, "", "--"+f.Name+"=")
			})
		})
	}
	for name := range rows {
		if !used[name] {
			t.Errorf("there is no %s", name)
		}
	}
}

// TestFlagsAreGivenOnce: of two values one would be taken without a word.
func TestFlagsAreGivenOnce(t *testing.T) {
	values := map[string]string{
		"bool": "true", "int": "3", "duration": "3s", "age": "90d", "string": "x", "float64": "3", "format": "json", "order": "newest", "time": "7d", "instant": "2026-11-01", "file": "../../conf/dossier-decnet.yaml",
	}
	for _, c := range commands(newRoot()) {
		var names []string
		c.Flags().VisitAll(func(f *pflag.Flag) {
			if f.Value.Type() != "stringArray" {
				names = append(names, f.Name)
			}
		})
		for _, name := range names {
			fresh, _, err := newRoot().Find(strings.Fields(strings.TrimPrefix(c.CommandPath(), "dossier ")))
			if err != nil {
				t.Fatal(err)
			}
			flag := "--" + name + "=" + values[fresh.Flags().Lookup(name).Value.Type()]
			want := "it is there twice; leave one"
			if slices.Contains([]string{"es-hosts", "decoy-names", "decoy-nets", "drop-apps", "exclude-nets", "internal-nets", "port-map", "field-map", "json-in-syslog"}, name) {
				want = "it is there twice; write all values into one, separated by commas"
			}
			if err := fresh.ParseFlags([]string{flag}); err != nil {
				t.Errorf("%s %s: %v", c.CommandPath(), flag, err)
			}
			if err := fresh.ParseFlags([]string{flag}); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s %s twice: %v", c.CommandPath(), flag, err)
			}
		}
	}
}

// commands returns the commands that do something, those below others
// included.
func commands(c *cobra.Command) (out []*cobra.Command) {
	if len(c.Commands()) == 0 {
		return []*cobra.Command{c}
	}
	for _, below := range c.Commands() {
		out = append(out, commands(below)...)
	}
	return out
}

// beat writes a sensor's heartbeat of so long ago, for as long as the use takes.
func beat(u use, sensor string, ago time.Duration) {
	u.Helper()
	doc := u.w.prefix + "-sensors/_doc/" + sensor + "?refresh=true"
	now := time.Now().Add(-ago)
	u.w.node.Must(u.T, "PUT", doc, json.RawMessage(profile.AppendSensor(nil, now, &profile.Heartbeat{Sensor: sensor, Version: version, Started: now.Add(-time.Hour), RecordsIn: 1})))
	u.Cleanup(func() { u.w.node.Do(context.WithoutCancel(u.Context()), "DELETE", doc, nil) })
}

// wantRefused wants one line on standard error and the right status.
func wantRefused(t *testing.T, u use, part, flag string) {
	t.Helper()
	want := 1
	args := append(strings.Fields(u.command), flag)
	switch u.command {
	case "check":
		want = couldNotCheck
	case "keys rotate", "keys revoke":
		args = append(args, "what")
	case "show", "forget":
		args = append(args, "192.0.2.1")
	case "import":
		args = append(args, "/nowhere")
	case "note", "verdict":
		args = append(args, "192.0.2.1", "benign")
	}
	out, errs, status := dossier(t, nil, args...)
	if status != want || out != "" || strings.Count(errs, "\n") != 1 || !strings.HasPrefix(errs, "dossier: ") || !strings.Contains(errs, part) {
		t.Errorf("%q: status %d, output %q, errors %q; want %q", args, status, out, errs, part)
	}
}
