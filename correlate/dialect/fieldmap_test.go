package dialect

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var fieldMapDir = filepath.Join("..", "..", "conf", "field_maps")

func readFieldMaps(t testing.TB, name string) []FieldMap {
	t.Helper()
	file, err := os.Open(filepath.Join(fieldMapDir, name+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	maps, err := ReadFieldMaps(file)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return maps
}

func TestFieldMap(t *testing.T) {
	maps, err := ReadFieldMaps(strings.NewReader(`
name: trap
match: {sensor.kind: trap, v: "*"}
fields:
  time: at
  address: [peer.addr, peer.host]
  decoy: own.addr
  decky: sensor.name
  service: svc
  port: own.port
  type: what
  session: sid
  principal: user
  secret: pass
  secret_kind: how
  outcome: result
  command: cmd
  sha256: file.hash
  url: file.url
  user_agent: ua
  size: bytes
fingerprints: {ja3: [tls.ja3, ja3]}
set: {decky: trap-1}
services: {sshd: ssh}
types: {hello: noise, ping: recon, get: transfer, do: command, bye: drop, try: login}
success: ["in"]
failure: out
handshake: ssh
---
name: other
match: {kind: other}
fields: {address: ip, principal: tries.*.u, secret: tries.*.p}
types: {"": login}
`))
	if err != nil {
		t.Fatal(err)
	}
	p := newParser(t, Options{
		FieldMaps: maps, DecoyNets: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
		DecoyNames: map[netip.Addr]string{netip.MustParseAddr("10.0.0.1"): "named"},
	})
	const head = `{"sensor":{"kind":"trap"},"v":1,"at":"` + stamp + `","peer":{"addr":"192.0.2.1:99"},`
	tests := []struct{ name, doc, want string }{
		{
			"a login", head + `"svc":"sshd","what":"try","user":"root","pass":"x","result":"in","sid":7}`,
			`192.0.2.1 trap-1/ssh try scan recon handshake | login "root" "plaintext" "x" success | session "7"`,
		},
		{
			"a login nobody named", head + `"svc":"sshd","what":"?","user":"root","pass":"x","how":"md5","result":"out"}`,
			`192.0.2.1 trap-1/ssh ? scan recon handshake | login "root" "md5" "x" failure`,
		},
		{
			"a command", head + `"what":"do","cmd":"id","own":{"port":23},"sensor.name":"own-name"}`,
			`192.0.2.1 own-name/telnet do interaction exfil | command "id"`,
		},
		{
			"a command nobody named", head + `"cmd":"id"}`,
			`192.0.2.1 trap-1/ command interaction exfil | command "id"`,
		},
		{
			"a file", head + `"what":"get","bytes":2000000,"file":{"url":"http://x/y","hash":"` + strings.Repeat("Ab", 32) + `"}}`,
			`192.0.2.1 trap-1/ get interaction exfil large | artifact "` + strings.Repeat("ab", 32) + `" "http://x/y" "file"`,
		},
		{
			"a fingerprint", head + `"ja3":"abc","ua":"curl/8"}`,
			`192.0.2.1 trap-1/ request scan recon | fingerprint "http_useragent" "curl/8" category=cli tool=curl signals=suspicious_short | fingerprint "ja3" "abc"`,
		},
		{"a hello", head + `"what":"hello"}`, `192.0.2.1 trap-1/ hello noise`},
		{"a goodbye", head + `"what":"bye"}`, `dropped/sensor_report`},
		{"nobody", `{"sensor":{"kind":"trap"},"v":1,"what":"hello","peer":{"addr":""}}`, `unattributed/sensor_event`},
		{"not an address", `{"sensor":{"kind":"trap"},"v":1,"peer":{"addr":"x"}}`, `unattributed/bad_address`},
		{
			"the decoy called", `{"sensor":{"kind":"trap"},"v":1,"at":1767323045.5,"peer":{"host":"10.0.0.1"},"own":{"addr":"192.0.2.9"}}`,
			`192.0.2.9 / connection noise contact | fingerprint "contacted_by" "trap-1"`,
		},
		{"between decoys", `{"sensor":{"kind":"trap"},"v":1,"peer":{"addr":"10.0.0.1"},"own":{"addr":"10.0.0.2"}}`, `unattributed/decoys_only`},
		{
			"a stranger to the decoys", `{"sensor":{"kind":"trap"},"v":1,"peer":{"addr":"192.0.2.1"},"own":{"addr":"198.51.100.1"}}`,
			`192.0.2.1 trap-1/ connection scan recon SKEW`,
		},
		{"another sensor", `{"sensor":{"kind":"tarp"},"v":1}`, `unparsed/unknown_shape`},
		{"without a field", `{"sensor":{"kind":"trap"}}`, `unparsed/unknown_shape`},
		{
			"several logins", `{"kind":"other","ip":"192.0.2.1","tries":[{"u":"a","p":"1"},{"u":"b","p":"2"},{"p":"3"}]}`,
			`192.0.2.1 / login scan recon | login "a" "plaintext" "1" | login "b" "plaintext" "2" | login "" "plaintext" "3" SKEW`,
		},
		{"no login", `{"kind":"other","ip":"192.0.2.1","tries":[]}`, `192.0.2.1 / connection scan recon SKEW`},
	}
	for _, tt := range tests {
		if got := read(t, p, logRecord(tt.doc)); got != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", tt.name, got, tt.want)
		}
	}
}

func TestFieldMapErrors(t *testing.T) {
	const good = "name: x\nmatch: {a: b}\nfields: {address: ip}\n"
	tests := []struct{ yaml, want string }{
		{"", "no field map"},
		{"name: [", "did not find"},
		{good + "matches: {}\n", "field matches not found"},
		{"name: X Y\nmatch: {a: b}\nfields: {address: ip}\n", "lower-case letters"},
		{"name: x\nfields: {address: ip}\n", "match is empty"},
		{"name: x\nmatch: {a: b}\n", "fields.address is missing"},
		{"name: x\nmatch: {a: b}\nfields: {adress: ip}\n", "field adress not found"}, //nolint:misspell // as a user may
		{good + "types: {a: attack}\n", `types.a is "attack"`},
		{good + "set: {address: x}\n", "set.address: only decky"},
		{good + "set: {outcome: perhaps}\n", `set.outcome is "perhaps"`},
		{"name: x\nmatch: {a: b}\nfields: {address: [ip, headers.X-Forwarded-For]}\n", "a client can write there"},
		{good + "absent: ['*']\n", `absent has "*"`},
		{"name: x\nmatch: {a: b}\nfields: {address: 'peers.*.ip'}\n", `fields.address is "peers.*.ip"`},
		{"name: x\nmatch: {a: b}\nfields: {address: ip, secret: 'a.*.b.*'}\n", `fields.secret is "a.*.b.*": only one`},
		{"name: x\nmatch: {a: b}\nfields: {address: ['']}\n", "fields.address has an empty name"},
		{good + "fingerprints: {\"a b\": x}\n", "fingerprints.a b"},
		{strings.Repeat(good+"---\n", maxFieldMaps+1), "more than"},
	}
	for _, tt := range tests {
		_, err := ReadFieldMaps(strings.NewReader(tt.yaml))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: %v, want an error with %q", tt.yaml, err, tt.want)
		}
	}
	if _, err := ReadFieldMaps(strings.NewReader(good + "set: {outcome: nope}\nfailure: nope\n---\n" + good)); err != nil {
		t.Error(err)
	}
}

func TestParseEpoch(t *testing.T) {
	for s, want := range map[string]int64{
		"1767323045": 1767323045e6, "1767323045.5": 17673230455e5, "1767323045123": 1767323045123e3,
		"1767323045123456": 1767323045123456, "1767323045.1234567": 1767323045123456,
	} {
		if got, ok := parseEpoch(s); !ok || int64(got) != want {
			t.Errorf("parseEpoch(%q) = %d, %v, want %d", s, got, ok, want)
		}
	}
	for _, s := range []string{"", "1", "x", "17673230450000000", "1767323045.x", "-1767323045", "1e9"} {
		if got, ok := parseEpoch(s); ok {
			t.Errorf("parseEpoch(%q) = %d", s, got)
		}
	}
}

func TestShippedFieldMaps(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(fieldMapDir, "*.yaml"))
	if err != nil || len(files) < 4 {
		t.Fatalf("%d field maps, %v", len(files), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".yaml")
		seen := map[string]bool{}
		for _, m := range readFieldMaps(t, name) {
			if !strings.HasPrefix(m.Name, name) || seen[m.Name] {
				t.Errorf("%s holds a field map %q", file, m.Name)
			}
			seen[m.Name] = true
		}
	}
}

func TestECS(t *testing.T) {
	const head = `{"@timestamp":"` + stamp + `","ecs":{"version":"8.11.0"},"source":{"ip":"192.0.2.1","port":5},"observer":{"name":"d"},`
	tests := []struct{ name, doc, want string }{
		{
			"a login", head + `"event":{"category":["authentication"],"action":"ssh_login","outcome":"failure"},"user":{"name":"root"},"network":{"protocol":"ssh","transport":"tcp"}}`,
			`192.0.2.1 d/ssh ssh_login scan recon handshake | login "root" failure`,
		},
		{
			"a command", head + `"event":{"category":"process","action":"exec"},"process":{"command_line":"id"},"destination":{"port":22}}`,
			`192.0.2.1 d/ssh exec interaction exfil handshake | command "id"`,
		},
		{
			"a request", head + `"event":{"category":["web"]},"http":{"request":{"method":"GET"}},"url":{"path":"/x"},"user_agent":{"original":"zgrab/0.x"},"network":{"transport":"tcp","protocol":"http"},"tls":{"client":{"ja3":"j"}}}`,
			`192.0.2.1 d/http web scan recon handshake | fingerprint "http_useragent" "zgrab/0.x" category=scanner tool=zgrab method=GET path=/x | fingerprint "ja3" "j"`,
		},
		{
			"a file", head + `"event":{"action":"download"},"file":{"hash":{"sha256":"` + strings.Repeat("0a", 32) + `"}},"url":{"full":"http://x/y"}}`,
			`192.0.2.1 d/ download interaction exfil | artifact "` + strings.Repeat("0a", 32) + `" "http://x/y" "file"`,
		},
		{"a connection", head + `"event":{"kind":"event"}}`, `192.0.2.1 d/ connection scan recon`},
		{"no address", `{"source":{"ip":"-"},"event":{"action":"x"}}`, `unattributed/no_address`},
		{"not enough", `{"source":{"ip":"192.0.2.1"},"message":"<134>1 x"}`, `unparsed/unknown_shape`},
	}
	p := newParser(t, Options{})
	for _, tt := range tests {
		if got := read(t, p, logRecord(tt.doc)); got != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", tt.name, got, tt.want)
		}
		if tt.doc[0] == '{' {
			if got := read(t, p, mapRecord(t, tt.doc)); got != tt.want && tt.name != "not enough" {
				t.Errorf("%s, as fields:\n got %s\nwant %s", tt.name, got, tt.want)
			}
		}
	}
}

func TestForce(t *testing.T) {
	line := `<134>1 ` + stamp + ` d ssh - x [relay@55555 src_ip="192.0.2.1"]`
	cowrie := `{"eventid":"cowrie.session.connect","src_ip":"192.0.2.1","session":"1","sensor":"d","protocol":"ssh","timestamp":"` + stamp + `"}`
	bare := `{"source":{"ip":"192.0.2.1"},"@timestamp":"` + stamp + `"}`
	for _, tt := range []struct{ force, text, want string }{
		{"decnet", line, `192.0.2.1 d/ssh x scan handshake`},
		{"cowrie", line, `unparsed/unknown_shape`},
		{"cowrie", cowrie, `192.0.2.1 d/ssh cowrie.session.connect scan recon handshake | session "1"`},
		{"decnet", cowrie, `unparsed/no_type`},
		{"ecs", bare, `192.0.2.1 / connection scan recon`},
		{"", bare, `unparsed/unknown_shape`},
		{"auto", line, `192.0.2.1 d/ssh x scan handshake`},
	} {
		if got := read(t, newParser(t, Options{Force: tt.force}), logRecord(tt.text)); got != tt.want {
			t.Errorf("%q, %s:\n got %s\nwant %s", tt.force, tt.text, got, tt.want)
		}
	}
}
