package state

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"dossier/correlate/event"

	"github.com/tinylib/msgp/msgp"
)

// randomEvent returns an event of any shape a dialect can give.
func randomEvent(r *rand.Rand) *event.Event {
	ev := &event.Event{
		Time: event.Time(1_760_000_000_000_000 + r.Int64N(400)*500_000), Addr: netip.MustParseAddr("203.0.113.7"),
		Decky: pick(r, "", "decky-01", "decky-02", "decky-03"), Service: pick(r, "", "ssh", "http", "smtp"),
		Type: pick(r, "connect", "command", "auth_attempt"), Kind: event.Kind(r.IntN(3)), Role: event.Role(r.IntN(3)),
		Phase: event.Phase(r.IntN(4)), Handshake: r.IntN(9) == 0, Large: r.IntN(9) == 0,
	}
	for range r.IntN(4) {
		e := event.Evidence{Kind: event.EvidenceKind(1 + r.IntN(int(event.Alert))), Outcome: event.Outcome(r.IntN(3)),
			N: r.Int64N(200), M: r.Int64N(20), A: fmt.Sprint("a", r.IntN(30)), B: pick(r, "", "plaintext", "x"), C: pick(r, "", "c", "cc")}
		e.Digest = sha256.Sum256([]byte(e.C))
		for range r.IntN(3) {
			e.Payload = append(e.Payload, event.Field{Key: pick(r, "k", "ipid_class", "window"), Value: fmt.Sprint(r.IntN(50))})
		}
		ev.Evidence = append(ev.Evidence, e)
	}
	return ev
}

func pick(r *rand.Rand, s ...string) string { return s[r.IntN(len(s))] }

// The same events must give the same state in every order, cut anywhere, with
// the state written and read back in between.
func TestFoldIsFreeOfOrderAndCut(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 7))
		events := make([]*event.Event, 1+r.IntN(120))
		for i := range events {
			events[i] = randomEvent(r)
		}
		var want [3][]byte
		for shuffle := range 5 {
			var a event.Arena
			var att Attacker
			var tgt Target
			var act Activity
			for rest := events; len(rest) > 0; {
				n := 1 + r.IntN(len(rest))
				att.Fold(&a, "sensor-1", seed%2 == 0, rest[:n])
				tgt.Fold("sensor-1", "a3", rest[:n])
				act.Fold("sensor-1", rest[:n])
				rest = rest[n:]
				for _, s := range []interface {
					Append([]byte) []byte
					Decode([]byte) error
				}{&att, &tgt, &act} {
					if err := s.Decode(s.Append(nil)); err != nil {
						t.Fatalf("seed %d: %T: %v", seed, s, err)
					}
				}
			}
			for i, got := range [][]byte{att.Append(nil), tgt.Append(nil), act.Append(nil)} {
				if shuffle == 0 {
					want[i] = got
				} else if !bytes.Equal(got, want[i]) {
					t.Fatalf("seed %d, shuffle %d, state %d: the order of events shows", seed, shuffle, i)
				}
			}
			r.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
		}
	}
}

// Whatever an attacker sends, the state stays within its bounds and says what
// it cut.
func TestBounds(t *testing.T) {
	var a event.Arena
	var s Attacker
	long := strings.Repeat("x", event.MaxCommand)
	for i := range 20_000 {
		n := fmt.Sprint(i)
		at := event.Time(1_760_000_000_000_000 + int64(i)*1_000_000)
		ev := &event.Event{Time: at, Decky: "decky-" + n, Service: "svc" + n, Type: "command", Kind: event.Interaction, Evidence: []event.Evidence{
			{Kind: event.Command, A: n + long[len(n):]},
			{Kind: event.Login, A: "user" + n, B: "plaintext", C: long[:event.MaxValue], Digest: sha256.Sum256([]byte(n))},
			{Kind: event.Fingerprint, A: "ja3", B: n, Payload: []event.Field{{Key: "p", Value: long[:event.MaxPayload-64]}}},
			{Kind: event.Artifact, A: n, B: "http://" + long[:1000], C: "file"},
			{Kind: event.Leak, A: n, B: "X-Forwarded-For", C: "public"},
			{Kind: event.Session, A: n},
			{Kind: event.Recipient, A: n + ".example.org"},
			{Kind: event.Stack, A: "os" + n, N: int64(i), M: int64(i), Payload: []event.Field{{Key: "window", Value: n}}},
			{Kind: event.KexOrder, A: n + long[:900]},
			{Kind: event.Tool, A: "tool" + n},
			{Kind: event.Technique, A: "T" + n},
			{Kind: event.Alert, A: long[:900] + n, B: "category", N: 1},
		}}
		s.Fold(&a, "sensor-"+n, true, []*event.Event{ev})
		if i%500 == 499 {
			// Keep the test's own memory small: the state lets go of the
			// arena by being written and read.
			wire := s.Append(nil)
			a.Reset()
			if err := s.Decode(wire); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, got := range map[string][2]int{
		"services":    {s.Services.Len(), LimitServices.Keys},
		"deckies":     {s.Deckies.Len(), LimitDeckies.Keys},
		"sessions":    {s.Sessions.Len(), LimitSessions},
		"sensors":     {s.Sensors.Len(), LimitSensors.Keys},
		"hops":        {len(s.Hops.Items()), LimitHops},
		"times":       {len(s.Times.List()), LimitTimes},
		"domains":     {s.Domains.Len(), LimitDomains},
		"credentials": {s.Credentials.Len(), LimitCredentials.Keys},
	} {
		if got[0] > got[1] || got[0] == 0 {
			t.Errorf("%s: %d kept, bound %d", name, got[0], got[1])
		}
	}
	for name, cut := range map[string]bool{
		"services": s.Services.Truncated(), "deckies": s.Deckies.Truncated(), "hops": s.Hops.Truncated(), "times": s.Times.Truncated(),
		"commands": s.Commands.Truncated(), "credentials": s.Credentials.Truncated(), "fingerprints": s.Fingerprints.Truncated(),
		"artifacts": s.Artifacts.Truncated(), "leaks": s.Leaks.Truncated(), "sessions": s.Sessions.Truncated(), "sensors": s.Sensors.Truncated(),
		"tools": s.Tools.Truncated(), "techniques": s.Techniques.Truncated(), "alerts": s.Alerts.Truncated(),
	} {
		if !cut {
			t.Errorf("%s: cut, but it doesn't say so", name)
		}
	}
	if s.Events != 20_000 || s.CommandCount != 20_000 || s.Attempts != 20_000 {
		t.Errorf("counts %d, %d, %d; want 20000 each", s.Events, s.CommandCount, s.Attempts)
	}
	size := len(s.Append(nil))
	t.Logf("state with every list full: %d bytes before packing", size)
	if size > 160<<10 {
		t.Errorf("state is %d bytes; want at most %d", size, 160<<10)
	}
}

// What a newer minor version added goes back as it came.
func TestUnknownNamesAreCarriedThrough(t *testing.T) {
	var a event.Arena
	var s Attacker
	s.Fold(&a, "s", false, []*event.Event{randomEvent(rand.New(rand.NewPCG(1, 1)))})
	wire := s.Append(nil)
	wire[4] += 2 // two more names
	wire = msgp.AppendString(wire, "zz")
	wire = appendNew(wire)
	wire = msgp.AppendString(wire, "zy")
	wire = msgp.AppendInt(wire, 7)
	if err := s.Decode(wire); err != nil {
		t.Fatal(err)
	}
	s.Fold(&a, "s", false, []*event.Event{randomEvent(rand.New(rand.NewPCG(2, 2)))})
	m, _, err := msgp.ReadMapStrIntfBytes(s.Append(nil), nil)
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(m["zz"]) != "map[new:[1 two]]" || fmt.Sprint(m["zy"]) != "7" {
		t.Errorf("zz = %v, zy = %v", m["zz"], m["zy"])
	}
}

func TestDecodeRefusesGarbage(t *testing.T) {
	for _, b := range [][]byte{nil, {0xc0}, {0x81}, {0x81, 0xa1, 'n', 0xa1, 'x'}, {0x80, 0x00}, {0xdf, 0xff, 0xff, 0xff, 0xff}} {
		var s Attacker
		if err := s.Decode(b); !errors.Is(err, ErrCorrupt) {
			t.Errorf("% x: %v; want ErrCorrupt", b, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	var a event.Arena
	var s Attacker
	r := rand.New(rand.NewPCG(1, 1))
	for range 20 {
		s.Fold(&a, "s", false, []*event.Event{randomEvent(r)})
	}
	f.Add(s.Append(nil))
	f.Add([]byte{0x80})
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, s := range []interface {
			Append([]byte) []byte
			Decode([]byte) error
		}{&Attacker{}, &Target{}, &Activity{}} {
			if s.Decode(data) != nil {
				continue
			}
			if err := s.Decode(s.Append(nil)); err != nil {
				t.Fatalf("%T: own encoding refused: %v", s, err)
			}
		}
	})
}

func appendNew(b []byte) []byte {
	b = msgp.AppendMapHeader(b, 1)
	b = msgp.AppendString(b, "new")
	b = msgp.AppendArrayHeader(b, 2)
	b = msgp.AppendInt(b, 1)
	return msgp.AppendString(b, "two")
}
