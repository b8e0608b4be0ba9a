package golden

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"dossier/correlate"
	"dossier/correlate/commit"
	"dossier/correlate/dialect"
	"dossier/correlate/event"
	"dossier/plugin/chunk"
	"dossier/plugin/chunk/chunktest"
	"dossier/profile"
	"dossier/testbed/memory"
	"dossier/testbed/sample"
)

func readLines(t testing.TB, name string) []string {
	t.Helper()
	lines, err := sample.Lines(sample.Data("decnet", name))
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

// at is the time Fluent Bit gives the records: after every line's own.
var at = time.Date(2026, 1, 8, 0, 0, 0, 0, time.UTC)

// fixture is an engine over a store in memory.
type fixture struct {
	store  *memory.Store
	engine *correlate.Engine
	close  func()
}

func newFixture(t testing.TB, o correlate.Options) fixture {
	t.Helper()
	store := memory.New()
	ix := correlate.Indices{Prefix: "dossier"}
	renderer, err := profile.New(profile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	committer, err := commit.New(commit.Options{
		MachineOptions: commit.MachineOptions{Ledger: ix.Ledger},
		Store:          store, DeadLetters: store,
		Model: correlate.NewModel(correlate.ModelOptions{
			Renderer: renderer, Indices: ix, Activity: true, Transitions: true, Now: func() time.Time { return at },
		}),
	})
	if err != nil {
		t.Fatal(err)
	}
	parser, err := dialect.New(dialect.Options{})
	if err != nil {
		t.Fatal(err)
	}
	o.Committer, o.Indices, o.Parser = committer, ix, parser
	o.Annotator, _ = any(renderer).(correlate.Annotator)
	o.Decode = func(a *event.Arena, data []byte) correlate.Records { return chunk.NewDecoder(data, a) }
	o.BuryBroken = func(context.Context, correlate.Broken) error { return nil }
	if o.Sensor == "" {
		o.Sensor = "sensor-1"
	}
	o.CommitTimeout = time.Minute
	engine, err := correlate.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return fixture{store, engine, func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := committer.Close(ctx); err != nil {
			t.Error(err)
		}
	}}
}

func (f fixture) flush(t testing.TB, tag string, lines []string) {
	t.Helper()
	r, err := f.engine.Flush(context.Background(), tag, chunktest.Lines(at, "log", lines...))
	if err != nil || r != correlate.OK {
		t.Fatalf("flush: %v, %v", r, err)
	}
}

// The same lines must give the same documents, to the byte, wherever they are
// cut into chunks and in whatever order the chunks come.
func TestCutAndOrderDontShow(t *testing.T) {
	for _, log := range []struct {
		name    string
		lines   func() []string
		indices []string
	}{
		{"raw_2k.log", func() []string { return readLines(t, "raw_2k.log") }, []string{"dossier-attackers", "dossier-smtp-targets"}},
		{"raw_20k.log", func() []string { return readLines(t, "raw_20k.log") }, []string{"dossier-attackers", "dossier-smtp-targets"}},
		// Only the first record of a session tells its protocol.
		{"cowrie-2.7.json", func() []string { return sessionsOfTwo(t) }, []string{"dossier-attackers", "dossier-activity-2026.01"}},
	} {
		t.Run(log.name, func(t *testing.T) {
			lines := log.lines()
			whole := newFixture(t, correlate.Options{Activity: true})
			whole.flush(t, "all", lines)
			whole.close()
			for seed := range uint64(6) {
				r := rand.New(rand.NewPCG(seed, 3))
				var chunks [][]string
				for rest := lines; len(rest) > 0; {
					n := min(len(rest), 1+r.IntN(1+len(lines)/(3<<seed)))
					chunks = append(chunks, rest[:n])
					rest = rest[n:]
				}
				r.Shuffle(len(chunks), func(i, j int) { chunks[i], chunks[j] = chunks[j], chunks[i] })
				cut := newFixture(t, correlate.Options{Activity: true})
				for i, c := range chunks {
					cut.flush(t, fmt.Sprint(i), c)
				}
				cut.close()
				for _, index := range log.indices {
					want, got := whole.store.Documents(index), cut.store.Documents(index)
					if len(want) == 0 || len(want) != len(got) {
						t.Fatalf("seed %d: %s: %d documents, %d in one chunk", seed, index, len(got), len(want))
					}
					for id, w := range want {
						a, b := withoutState(t, w), withoutState(t, got[id])
						if index == "dossier-smtp-targets" {
							// What is told of the attacker is of a write.
							a, b = ofAttacker.ReplaceAllString(a, ""), ofAttacker.ReplaceAllString(b, "")
						}
						if a != b {
							t.Fatalf("seed %d: %s/%s differs:\n%s\n%s", seed, index, id, a, b)
						}
					}
				}
			}
		})
	}
}

var ofAttacker = regexp.MustCompile(`"risk":\{[^}]*\},"behavior":\{[^}]*\},`)

// sessionsOfTwo returns what Cowrie 2 wrote, its sessions spread over ten
// addresses, so that none has more than is kept apart, and every other one as it
// writes Telnet's: with that protocol, and without what only SSH's clients say.
func sessionsOfTwo(t *testing.T) (lines []string) {
	t.Helper()
	file, err := os.ReadFile(filepath.Join("..", "data", "cowrie", "cowrie-2.7.json"))
	if err != nil {
		t.Fatal(err)
	}
	place := map[string]int{}
	telnet := 0
	for line := range strings.Lines(string(file)) {
		var r map[string]any
		// Before the time of the records.
		if err := json.Unmarshal([]byte(strings.ReplaceAll(line, "2026-11-2", "2026-01-0")), &r); err != nil {
			t.Fatal(err)
		}
		session, _ := r["session"].(string)
		n, known := place[session]
		if !known {
			n = len(place)
			place[session] = n
		}
		r["src_ip"] = fmt.Sprint("192.0.2.", 1+n%10)
		if kind, _ := r["eventid"].(string); n/10%2 == 1 {
			if strings.HasPrefix(kind, "cowrie.client.") || strings.Contains(kind, "-tcpip.") {
				continue
			}
			if kind == "cowrie.session.connect" {
				r["protocol"] = "telnet"
				telnet++
			}
		}
		out, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, string(out))
	}
	if telnet < 10 {
		t.Fatalf("%d sessions of Telnet", telnet)
	}
	return lines
}

// withoutState cuts the state out of a document, byte for byte otherwise.
func withoutState(t *testing.T, doc []byte) string {
	t.Helper()
	before, rest, ok := strings.Cut(string(doc), `"state":"`)
	if !ok {
		t.Fatalf("a document without a state: %.200s", doc)
	}
	_, after, _ := strings.Cut(rest, `"`)
	return before + after
}

// oracle is what DECNET made of the lines.
type oracle struct {
	Attackers map[string]struct {
		FirstSeen     time.Time `json:"first_seen"`
		LastSeen      time.Time `json:"last_seen"`
		EventCount    int64     `json:"event_count"`
		Services      []string  `json:"services"`
		Deckies       []string  `json:"deckies"`
		IsTraversal   bool      `json:"is_traversal"`
		TraversalPath *string   `json:"traversal_path"`
		Commands      []struct {
			Service, Decky, Command string
			Timestamp               time.Time
		} `json:"commands"`
		Behavior struct {
			OSGuess         *string            `json:"os_guess"`
			HopDistance     *int64             `json:"hop_distance"`
			Jitter          *float64           `json:"beacon_jitter_pct"`
			RetransmitCount int64              `json:"retransmit_count"`
			KexOrder        []string           `json:"kex_order_raw"`
			Banners         []string           `json:"ssh_client_banners"`
			Timing          map[string]float64 `json:"timing_stats"`
			Tools           []string           `json:"tool_guesses"`
			TCP             map[string]any     `json:"tcp_fingerprint"`
			Phase           struct {
				ExfilStart *time.Time `json:"exfil_start_ts"`
				Large      int64      `json:"large_payload_count"`
			} `json:"phase_sequence"`
		} `json:"behavior"`
		ServiceActivity struct {
			Interacted, Scanned []string
		} `json:"service_activity"`
		SMTPTargets  map[string]int64 `json:"smtp_targets"`
		Fingerprints []struct {
			Payload map[string]any
		}
	} `json:"attackers"`
	Credentials []struct {
		Address   string  `json:"attacker_ip"`
		Attempts  int64   `json:"attempt_count"`
		Principal *string `json:"principal"`
		Kind      string  `json:"secret_kind"`
		SHA256    string  `json:"secret_sha256"`
		Service   string  `json:"service"`
	} `json:"credentials"`
	Bounties struct {
		Artifacts []struct {
			Address string `json:"attacker_ip"`
			Payload struct {
				Kind, SHA256 string
			}
		}
		Leaks []struct {
			Address string `json:"attacker_ip"`
			Payload struct {
				Claim  string `json:"real_ip_claim"`
				Header string `json:"source_header"`
			}
		} `json:"ip_leaks"`
	}
}

// The differences DECNET 1.0.0's results show on purpose. Each is a test on
// one line: it names the addresses whose profiles it changes. (That an empty
// user agent is no fingerprint is the one that compareBounties knows.)
const (
	splitPort    = "ip:port is split"
	nobody       = "text that is not an address is nobody"
	neverGuessed = "an address is never guessed from text"
	grammar      = "structured data is read by RFC 5424's grammar"
	ownProbes    = "our own probes are not the attacker's activity"
	helpers      = "helper programs are not services"
	wholeCommand = "a redis command has its arguments"
	smtpRelay    = "smtp_relay counts"
	mapped       = "an IPv4-mapped address is read to its end"
	nilHeader    = "a line without a time or a host counts"
	apart        = "what is only claimed is shown apart, and judges nobody"
)

// excused has how many addresses each difference touches: none may excuse more,
// or fewer, than it did when these lines were looked through.
var excused = map[string]map[string]int{
	"2k": {
		apart: 21, nilHeader: 1, wholeCommand: 7, mapped: 2, neverGuessed: 3, helpers: 27, splitPort: 21, ownProbes: 3, smtpRelay: 6, grammar: 24, nobody: 1,
	},
	"20k": {
		apart: 84, nilHeader: 1, wholeCommand: 38, mapped: 2, neverGuessed: 5, helpers: 90, splitPort: 183, ownProbes: 23, smtpRelay: 21, grammar: 116, nobody: 1,
	},
}

// excusedRest has how many attackers are compared field by field, and how many
// are nobody.
var excusedRest = map[string]struct{ compared, nobodies int }{"2k": {65, 4}, "20k": {205, 6}}

var helperOf = map[string]string{"auth-helper": "ssh", "bash": "ssh", "sshd": "ssh", "sessrec": "ssh"}

// TestDECNETParity feeds the lines that both attribute to the same address, and
// compares every attacker that no difference touches with DECNET's own record,
// field by field. It says by name how many addresses each difference touches.
func TestDECNETParity(t *testing.T) {
	for _, name := range []string{"2k", "20k"} {
		t.Run(name, func(t *testing.T) {
			raw, err := os.ReadFile(filepath.Join("..", "data", "decnet", "oracle_"+name+"_cold.json"))
			if err != nil {
				t.Fatal(err)
			}
			var o oracle
			if err := json.Unmarshal(raw, &o); err != nil {
				t.Fatal(err)
			}
			d := compareLines(t, readLines(t, "raw_"+name+".log"))
			f := newFixture(t, correlate.Options{})
			f.flush(t, "agreed", d.agreed)
			f.close()
			docs := map[string]map[string]any{}
			for id, raw := range f.store.Documents("dossier-attackers") {
				var m map[string]any
				if err := json.Unmarshal(raw, &m); err != nil {
					t.Fatal(err)
				}
				docs[id] = m
			}
			targets := map[string]bool{}
			for id := range f.store.Documents("dossier-smtp-targets") {
				targets[id] = true
			}
			compared, attackers, nobodies := 0, 0, 0
			for address, want := range o.Attackers {
				_, err := netip.ParseAddr(address)
				if err == nil {
					attackers++
				}
				if guessed := d.guessed[address]; guessed > 0 && int64(guessed) == want.EventCount {
					nobodies++
					if docs[address] != nil {
						t.Errorf("%s: all that DECNET knows of it was guessed from text, but it has a document", address)
					}
					continue
				}
				if d.moved[address] {
					if err == nil {
						t.Logf("%s is left out: DECNET gives it lines of somebody else", address)
					} else if docs[address] != nil {
						t.Errorf("%s is no address, but it has a document", address)
					}
					continue
				}
				doc := docs[address]
				if doc == nil {
					t.Errorf("%s: no document, and no difference explains it", address)
					continue
				}
				compared++
				compare(t, address, doc, &o, &d)
				for domain := range want.SMTPTargets {
					if !d.evidence[address] && !targets[address+"|"+domain] {
						t.Errorf("%s: no document of the mail domain %s", address, domain)
					}
				}
			}
			for address := range docs {
				if _, known := o.Attackers[address]; !known {
					t.Errorf("%s: a document that DECNET doesn't have, and no difference explains it", address)
				}
			}
			for _, difference := range slices.Sorted(maps.Keys(d.touches)) {
				t.Logf("%-50s touches %d addresses", difference, len(d.touches[difference]))
			}
			for difference, want := range excused[name] {
				if got := len(d.touches[difference]); got != want {
					t.Errorf("%s: touches %d addresses, want %d", difference, got, want)
				}
			}
			if len(d.touches) != len(excused[name]) || compared != excusedRest[name].compared || nobodies != excusedRest[name].nobodies {
				t.Errorf("%d differences, %d attackers compared, %d are nobody; want %d, %d, %d", len(d.touches), compared, nobodies,
					len(excused[name]), excusedRest[name].compared, excusedRest[name].nobodies)
			}
			t.Logf("%d of %d attackers compared field by field, %d of them with more than DECNET kept of what stood behind a bracket, %d without our own probes; %d are nobody",
				compared, attackers, len(d.evidence), len(d.probes), nobodies)
			if compared+nobodies < attackers {
				t.Errorf("only %d of %d attackers compared", compared, attackers-nobodies)
			}
		})
	}
}

// comparison is how Dossier's reading of the lines differs from DECNET's.
type comparison struct {
	// agreed are the lines that both attribute to the same address, or none.
	agreed []string
	// moved are the addresses to which DECNET attributes lines that Dossier
	// gives to another, to nobody, or doesn't count.
	moved map[string]bool
	// evidence are the addresses of which DECNET loses parameters.
	evidence map[string]bool
	// claimed are the addresses of which some evidence is not proven by itself.
	claimed map[string]bool
	// probes has the times of our own probes of an address, which DECNET
	// counts as its activity.
	probes map[string][]event.Time
	// guessed counts the lines that DECNET gives to an address that it found
	// in their text, or made by reading half of one.
	guessed map[string]int
	// touches holds the addresses by the difference's name.
	touches map[string]map[string]bool
}

func compareLines(t *testing.T, lines []string) comparison {
	t.Helper()
	d := comparison{moved: map[string]bool{}, evidence: map[string]bool{}, claimed: map[string]bool{}, probes: map[string][]event.Time{}, guessed: map[string]int{}, touches: map[string]map[string]bool{}}
	touch := func(in map[string]bool, address, difference string) {
		if address == "" {
			return
		}
		if in != nil {
			in[address] = true
		}
		if d.touches[difference] == nil {
			d.touches[difference] = map[string]bool{}
		}
		d.touches[difference][address] = true
	}
	parser, err := dialect.New(dialect.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range lines {
		var a event.Arena
		var ev event.Event
		v := parser.Parse(&a, &event.Record{Time: event.FromTime(at), Fields: []event.Field{{Key: "log", Value: line}}}, &ev)
		ours := ""
		if v.Class() == dialect.Parsed {
			ours = ev.Addr.String()
		}
		theirs := parseDECNET(line)
		address := theirs.address
		if !theirs.ok || theirs.mutation || v.Class() == dialect.Dropped {
			address = ""
		}
		if address == ours {
			d.agreed = append(d.agreed, line)
		}
		switch {
		case address == ours && ours == "":
		case address == ours && ev.Role == event.Prober:
			d.probes[address] = append(d.probes[address], ev.Time)
			touch(nil, address, ownProbes)
			if strings.Contains(line, `\]`) {
				touch(d.evidence, address, grammar)
			}
		case address == ours:
			if !ev.Proof.Proven() {
				touch(d.claimed, address, apart)
			}
			if strings.Contains(line, `\]`) {
				touch(d.evidence, address, grammar)
			}
			if ev.Service == "redis" && ev.Type == "command" {
				touch(nil, address, wholeCommand)
			}
			if ev.Service == "smtp_relay" {
				touch(nil, address, smtpRelay)
			}
			if helperOf[theirs.service] != "" {
				touch(nil, address, helpers)
			}
		case ours != "" && !theirs.ok:
			touch(nil, ours, nilHeader)
		case ours != "" && strings.HasPrefix(address, ours+":"):
			touch(d.moved, address, splitPort)
		case strings.HasPrefix(address, "::ffff:") && netip.MustParseAddr(address).Is6() && !netip.MustParseAddr(address).Is4In6():
			d.guessed[address]++
			touch(d.moved, address, mapped)
			touch(nil, ours, mapped)
		case ours == "" && theirs.addressFrom == "text":
			d.guessed[address]++
			touch(d.moved, address, neverGuessed)
		case ours == "" && !plausible(address):
			touch(d.moved, address, nobody)
		default:
			touch(d.moved, address, grammar)
			touch(nil, ours, grammar)
		}
	}
	return d
}

func plausible(address string) bool {
	_, ok := event.ParseAddress(address)
	return ok
}

func compare(t *testing.T, address string, doc map[string]any, o *oracle, d *comparison) {
	t.Helper()
	want := o.Attackers[address]
	lossy, probes, told := d.evidence[address], d.probes[address], d.claimed[address]
	equal := func(field string, got, want any) {
		t.Helper()
		g, _ := json.Marshal(got)
		w, _ := json.Marshal(want)
		if string(g) != string(w) {
			t.Errorf("%s: %s: got %s, DECNET has %s", address, field, g, w)
		}
	}
	probedAt := func(at time.Time) bool { return slices.Contains(probes, event.FromTime(at)) }
	events := want.EventCount - int64(len(probes))
	equal("event_count", doc["event_count"], events)
	if events == 0 {
		if doc["first_seen"] != nil {
			t.Errorf("%s: nothing but our own probes, but it was first seen at %v", address, doc["first_seen"])
		}
	} else {
		if !probedAt(want.FirstSeen) {
			equal("first_seen", instant(t, doc["first_seen"]), want.FirstSeen.UTC())
		}
		if !probedAt(want.LastSeen) {
			equal("last_seen", instant(t, doc["last_seen"]), want.LastSeen.UTC())
		}
	}
	equal("deckies", doc["deckies"], external(want.Deckies))
	if !told {
		equal("is_traversal", doc["is_traversal"], want.IsTraversal)
	}
	if want.TraversalPath != nil && !told {
		equal("traversal_path", doc["traversal_path"], *want.TraversalPath)
	}
	equal("services ("+helpers+")", list(doc["services"]), canonical(want.Services))
	interacted := canonical(want.ServiceActivity.Interacted)
	if !lossy { // The original classes services by a second parser.
		equal("services_interacted", list(doc["services_interacted"]), interacted)
	}
	scanned := slices.DeleteFunc(canonical(want.ServiceActivity.Scanned), func(s string) bool { return slices.Contains(interacted, s) })
	if !lossy {
		equal("services_scanned", list(doc["services_scanned"]), scanned)
	}

	behavior, _ := doc["behavior"].(map[string]any)
	b := want.Behavior
	timing, _ := behavior["timing"].(map[string]any)
	// Our probes are among DECNET's event times.
	if events <= 512 && len(probes) == 0 && !told {
		for k, v := range b.Timing {
			if k == "event_count" {
				continue
			}
			if v != 0 {
				equal("behavior.timing."+k, timing[k], v)
			}
		}
	}
	statistic := func(k string) *float64 {
		if v, ok := b.Timing[k]; ok && want.EventCount > 1 {
			return &v
		}
		return nil
	}
	// DECNET counts helper programs as services: its rules, our services.
	class := classify(want.EventCount, statistic("mean_iat_s"), statistic("cv"), len(canonical(want.Services)))
	if events <= 512 && len(probes) == 0 && !told {
		equal("behavior.class", behavior["class"], class)
		if class == "beaconing" {
			beacon, _ := behavior["beacon"].(map[string]any)
			equal("behavior.beacon.interval_s", beacon["interval_s"], b.Timing["mean_iat_s"])
			if b.Jitter != nil {
				equal("behavior.beacon.jitter_pct", beacon["jitter_pct"], *b.Jitter)
			}
		}
	}
	if b.OSGuess != nil {
		equal("behavior.os_guess", behavior["os_guess"], *b.OSGuess)
	}
	// One attacker's distances are more than the sixteen kept.
	if b.HopDistance != nil && !slices.Contains(list(doc["truncated"]), "behavior.hop_distance") {
		equal("behavior.hop_distance", behavior["hop_distance"], *b.HopDistance)
	}
	equal("behavior.retransmit_count", number(behavior["retransmit_count"]), float64(b.RetransmitCount))
	if len(b.TCP) > 0 {
		tcp, _ := behavior["tcp_fingerprint"].(map[string]any)
		for k, v := range b.TCP {
			if v != nil {
				equal("behavior.tcp_fingerprint."+k, fmt.Sprint(tcp[k]), fmt.Sprint(v))
			}
		}
	}
	// DECNET has them in the order in which the lines came.
	kex := append([]string{}, b.KexOrder...)
	ours := list(behavior["kex_order"])
	slices.Sort(kex)
	slices.Sort(ours)
	equal("behavior.kex_order", ours, kex)
	phase, _ := behavior["phase"].(map[string]any)
	equal("behavior.phase.large_payload_count", number(phase["large_payload_count"]), float64(b.Phase.Large))
	if b.Phase.ExfilStart != nil && !told {
		equal("behavior.phase.exfil_start", instant(t, first(phase, "exfil_start_ts", "exfil_start")), b.Phase.ExfilStart.UTC())
	}
	for _, tool := range b.Tools {
		if (len(probes) > 0 || told) && slices.Contains(cadences, tool) || told && tool == "nmap" {
			continue // by times that our probes are among
		}
		// A cadence names no tool: what DECNET tells by it stands apart.
		if shown := slices.Concat(list(behavior["tools"]), list(behavior["cadence_like"])); !slices.Contains(shown, tool) {
			t.Errorf("%s: behavior.tools and cadence_like: %v lack %s", address, shown, tool)
		}
	}
	for _, banner := range b.Banners {
		// One that the sniffer saw in a single segment is claimed.
		claim := slices.ContainsFunc(items(object(doc, "claimed")["evidence"]), func(c map[string]any) bool {
			return c["kind"] == "fingerprint" && c["value"] == banner
		})
		if !claim && !slices.Contains(list(first(object(doc, "fingerprint"), "ssh_client")), banner) {
			t.Errorf("%s: fingerprint.ssh_client lacks %s", address, banner)
		}
	}

	// Where DECNET loses what stands behind a bracket there is all that it
	// kept, and more.
	var got []string
	commands, _ := doc["commands"].([]any)
	claims := object(doc, "claimed")
	more, _ := claims["commands"].([]any)
	commands = append(slices.Clone(commands), more...)
	// Of datagrams' commands only the line is kept, and its beginning.
	said := map[string]int{}
	for _, c := range items(claims["evidence"]) {
		if c["kind"] == "command" {
			said[fmt.Sprint(" ", c["service"], " ", c["value"])] += int(number(c["count"]))
		}
	}
	for _, c := range commands {
		m := c.(map[string]any)
		got = append(got, fmt.Sprint(instant(t, m["timestamp"]), m["decky"], firstWord(m["service"], m["command"])))
	}
	var expected []string
	for _, c := range want.Commands {
		expected = append(expected, fmt.Sprint(c.Timestamp.UTC(), c.Decky, firstWord(canonicalService(c.Service), c.Command)))
	}
	expected = slices.DeleteFunc(expected, func(e string) bool {
		for claim, n := range said {
			if n > 0 && strings.Contains(e, claim) && !slices.Contains(got, e) {
				said[claim]--
				return true
			}
		}
		return false
	})
	slices.Sort(got)
	slices.Sort(expected)
	switch n := int64(number(doc["command_count"])); {
	case lossy:
		if n < int64(len(want.Commands)) {
			t.Errorf("%s: %d commands, DECNET has %d", address, n, len(want.Commands))
		}
	default:
		equal("command_count", n, len(want.Commands))
	}
	switch {
	case number(doc["command_count"]) > 200:
	case lossy:
		for _, e := range expected {
			i := slices.Index(got, e)
			if i < 0 {
				t.Errorf("%s: commands lack %s", address, e)
				continue
			}
			got = slices.Delete(got, i, i+1)
		}
	default:
		equal("commands", got, expected)
	}

	compareCredentials(t, address, doc, o, lossy)
	compareBounties(t, address, doc, o)
}

// cadences are the tools that DECNET recognises by timing.
var cadences = []string{"cobalt_strike", "sliver", "havoc", "mythic"}

func compareCredentials(t *testing.T, address string, doc map[string]any, o *oracle, lossy bool) {
	t.Helper()
	type credential struct{ service, principal, kind, sha string }
	attempts := map[credential]int64{}
	for _, c := range o.Credentials {
		if c.Address != address {
			continue
		}
		k := credential{canonicalService(c.Service), "", c.Kind, c.SHA256}
		if c.Principal != nil && *c.Principal != "None" {
			k.principal = *c.Principal
		}
		attempts[k] += c.Attempts
	}
	n := int64(number(doc["credential_count"]))
	claims := items(object(doc, "claimed")["evidence"])
	if n != int64(len(attempts)) && !lossy || n < int64(len(attempts)) {
		t.Errorf("%s: %d distinct credentials, DECNET has %d", address, n, len(attempts))
	}
	if number(doc["credential_count"]) > 200 {
		return
	}
	found := map[credential]int64{}
	for _, c := range append(items(doc["credentials"]), claims...) {
		if c["secret_kind"] == nil {
			continue
		}
		text := func(name string) string { s, _ := c[name].(string); return s }
		found[credential{text("service"), text("principal"), text("secret_kind"), text("secret_sha256")}] += int64(number(c["count"]))
	}
	for k, n := range attempts {
		if found[k] != n && !lossy || found[k] < n {
			t.Errorf("%s: credential %v tried %d times, DECNET has %d", address, k, found[k], n)
		}
	}
}

// compareBounties compares fingerprints, files and claimed addresses: what
// DECNET has must be there.
func compareBounties(t *testing.T, address string, doc map[string]any, o *oracle) {
	t.Helper()
	has := map[string]bool{}
	for _, f := range items(doc["fingerprints"]) {
		has[fmt.Sprint(f["type"], " ", f["value"])] = true
	}
	for _, l := range items(doc["ip_leaks"]) {
		has[fmt.Sprint(l["kind"], " ", l["header"], " ", l["claimed_ip"])] = true
	}
	for _, a := range items(doc["artifacts"]) {
		has[fmt.Sprint(a["kind"], " ", a["sha256"])] = true
	}
	for _, c := range items(object(doc, "claimed")["evidence"]) {
		switch c["kind"] {
		case "fingerprint":
			has[fmt.Sprint(c["type"], " ", c["value"])] = true
		case "file":
			has[fmt.Sprint(c["file"], " ", c["sha256"])] = true
		case "ip_leak":
			has[fmt.Sprint("leak ", c["header"], " ", c["claimed_ip"])], has[fmt.Sprint("spoofed_source ", c["header"], " ", c["claimed_ip"])] = true, true
		}
	}
	cut := list(doc["truncated"])
	for _, f := range o.Attackers[address].Fingerprints {
		p := f.Payload
		var want string
		switch kind := fmt.Sprint(p["fingerprint_type"]); kind {
		case "http_useragent":
			if p["value"] == "" {
				continue // an empty user agent is no fingerprint
			}
			want = fmt.Sprint(kind, " ", p["value"])
		case "ja3", "ja4_quic":
			want = fmt.Sprint(kind, " ", p[kind])
		case "jarm", "tcpfp", "hassh_server":
			want = fmt.Sprint(kind, " ", p["hash"])
		case "tls_certificate":
			want = fmt.Sprint(kind, " ", first(p, "cert_sha256", "subject_cn"))
		case "http_quirks":
			want = fmt.Sprint(kind, " ", p["order_hash"])
		case "ja4l":
			// Each connection has a round trip time of its own: kept is the power
			// of two above it.
			rtt, bucket := number(p["rtt_ms"]), 1.0
			if text, ok := p["rtt_ms"].(string); ok {
				rtt, _ = strconv.ParseFloat(text, 64)
			}
			for bucket <= rtt {
				bucket *= 2
			}
			want = fmt.Sprint(kind, " <", bucket, "ms_", p["client_ttl"])
		case "spoofed_source":
			want = fmt.Sprint(kind, " ", p["source_header"], " ", p["claimed_ip"])
		}
		if !has[want] && !slices.Contains(cut, "fingerprints") {
			t.Errorf("%s: no fingerprint %q", address, want)
		}
	}
	for _, a := range o.Bounties.Artifacts {
		if a.Address == address && !has[a.Payload.Kind+" "+a.Payload.SHA256] && !slices.Contains(cut, "artifacts") {
			t.Errorf("%s: no %s %s", address, a.Payload.Kind, a.Payload.SHA256)
		}
	}
	for _, l := range o.Bounties.Leaks {
		if l.Address == address && !has["leak "+l.Payload.Header+" "+l.Payload.Claim] {
			t.Errorf("%s: no leak of %s in %s", address, l.Payload.Claim, l.Payload.Header)
		}
	}
}

func items(v any) []map[string]any {
	var out []map[string]any
	list, _ := v.([]any)
	for _, i := range list {
		if m, ok := i.(map[string]any); ok {
			out = append(out, m)
		}
	}
	return out
}

func object(m map[string]any, key string) map[string]any {
	o, _ := m[key].(map[string]any)
	return o
}

// firstWord cuts a redis command to the verb, which is all DECNET keeps.
func firstWord(service, command any) string {
	c := fmt.Sprint(command)
	if fmt.Sprint(service) == "redis" {
		c, _, _ = strings.Cut(c, " ")
	}
	return fmt.Sprint(" ", service, " ", c)
}

func canonicalService(s string) string {
	if h, ok := helperOf[s]; ok {
		return h
	}
	return s
}

// canonical maps DECNET's programs to the services they belong to.
func canonical(services []string) []string {
	out := []string{}
	for _, s := range services {
		if s == "sniffer" || s == "prober" {
			continue
		}
		s = canonicalService(s)
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	slices.Sort(out)
	return out
}

func external(deckies []string) []string {
	return slices.DeleteFunc(slices.Clone(deckies), func(d string) bool { return strings.HasPrefix(d, "decnet-") })
}

func instant(t *testing.T, v any) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339Nano, fmt.Sprint(v))
	if err != nil {
		t.Errorf("%v is no time: %v", v, err)
	}
	return at.UTC()
}

func list(v any) []string {
	out := []string{}
	items, _ := v.([]any)
	for _, i := range items {
		out = append(out, fmt.Sprint(i))
	}
	return out
}

func number(v any) float64 {
	n, _ := v.(float64)
	return n
}

func first(m map[string]any, keys ...string) any {
	for _, k := range keys {
		if v, ok := m[k]; ok {
			return v
		}
	}
	return nil
}
