package state

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"dossier/correlate/event"
	"dossier/correlate/law"
)

func connection(t event.Transport, port uint16, at event.Time) *event.Event {
	return &event.Event{Time: at, Service: "x", Kind: event.Scan, Transport: t, Port: port, Proof: event.ByConnection}
}

// Behind a full sweep of all ports those that matter are exact, whatever the
// order and the cut, and the number of ports is about right.
func TestPortsBehindASweep(t *testing.T) {
	var events []*event.Event
	for port := range 1 << 16 {
		events = append(events, connection(event.TCP, uint16(port), t0+event.Time(port)))
	}
	tried := map[uint16]int64{22: 4, 445: 3, 3389: 2, 8080: 1}
	for port, n := range tried {
		for i := range n {
			e := connection(event.TCP, port, t0+hr+event.Time(i))
			if port == 445 {
				e.Proof = event.Claimed
			}
			events = append(events, e)
		}
	}
	seeds := uint64(4)
	if testing.Short() {
		seeds = 2
	}
	var want, wantHour []byte
	for seed := range seeds {
		r := rand.New(rand.NewPCG(seed, 3))
		var a event.Arena
		s, h := new(Attacker), new(Activity)
		s.By(testRank)
		h.By(testRank)
		for rest := events; len(rest) > 0; {
			n := min(len(rest), 1+r.IntN(20_000))
			s.Fold(&a, "one", false, rest[:n])
			h.Fold(&a, "one", rest[:n])
			rest = rest[n:]
			if err := s.Decode(s.Append(nil)); err != nil {
				t.Fatal(err)
			}
			if err := h.Decode(h.Append(nil)); err != nil {
				t.Fatal(err)
			}
		}
		if got := s.Append(nil); want == nil {
			want, wantHour = got, h.Append(nil)
		} else if !bytes.Equal(got, want) || !bytes.Equal(h.Append(nil), wantHour) {
			t.Fatalf("seed %d: the order of events shows", seed)
		}
		if got := s.Size(); got > MaxAttacker {
			t.Errorf("%d bytes of at most %d", got, MaxAttacker)
		}
		for _, ports := range []*law.Bottom{&s.Ports, &h.Ports} {
			for port, more := range tried {
				e := ports.Get(PortKey(&a, event.TCP, port))
				if e == nil || e.Count != 1+more || e.First != t0+event.Time(port) || e.Last != t0+hr+event.Time(more-1) || e.Rank != 1 {
					t.Errorf("port %d: %+v, want it %d times", port, e, 1+more)
				}
			}
			for _, p := range portsThatMatter {
				if p.transport == event.TCP && ports.Get(PortKey(&a, p.transport, p.number)) == nil {
					t.Errorf("port %d is gone", p.number)
				}
			}
			// The estimate's standard error is 1/√(N-2), of the others some 80.
			if n := ports.Distinct(); n < 1<<16*6/10 || n > 1<<16*14/10 || !ports.Truncated() {
				t.Errorf("%d ports of %d", n, 1<<16)
			}
		}
		t.Logf("seed %d: %d ports kept, %d estimated, %d bytes", seed, s.Ports.Len(), s.Ports.Distinct(), s.Ports.Size())
		r.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
	}
}

// What nobody connected to, or the decoy opened itself, is no port; a port is
// another over another transport.
func TestPortsCounted(t *testing.T) {
	contact, probe := connection(event.TCP, 80, t0), connection(event.TCP, 81, t0)
	contact.Role, probe.Role = event.Contact, event.Prober
	forged := connection(event.UDP, 53, t0+5)
	forged.Proof = event.Claimed
	events := []*event.Event{
		contact, probe, forged, connection(event.TCP, 53, t0), connection(event.TCP, 53, t0+9), connection(event.NoTransport, 53, t0), connection(event.TCP, 0, t0),
	}
	var a event.Arena
	s, h := new(Attacker), new(Activity)
	s.Fold(&a, "one", false, events)
	h.Fold(&a, "one", events)
	for _, ports := range []*law.Bottom{&s.Ports, &h.Ports} {
		var got []string
		for _, e := range ports.Entries() {
			transport, port := PortOf(e.Key)
			got = append(got, fmt.Sprintf("%s/%d x%d %d-%d proven %d", transport, port, e.Count, e.First-t0, e.Last-t0, e.Rank))
		}
		slices.Sort(got)
		want := []string{"/53 x1 0-0 proven 1", "tcp/53 x2 0-9 proven 1", "udp/53 x1 5-5 proven 0"}
		if !slices.Equal(got, want) || ports.Distinct() != 3 || ports.Truncated() {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// Each port that matters is one, and an entry takes no more than it counts as.
func TestPortsThatMatter(t *testing.T) {
	var a event.Arena
	seen := map[portNumber]bool{}
	for _, p := range portsThatMatter {
		if p.number == 0 || p.transport == event.NoTransport || seen[p] {
			t.Errorf("%v is no port, or there twice", p)
		}
		seen[p] = true
		if portClass(PortKey(&a, p.transport, p.number)) != 0 {
			t.Errorf("%v is among the others", p)
		}
	}
	for _, n := range []uint16{22, 23, 80, 443, 445, 3389, 5900, 6379} {
		if !seen[portNumber{event.TCP, n}] {
			t.Errorf("%d is none that matters", n)
		}
	}
	if portClass(PortKey(&a, event.TCP, 31337)) != 1 || portClass("") != 1 || portClass("longer than a key") != 1 {
		t.Error("a port that nobody looks for, or no port, matters")
	}
	var b law.Bottom
	empty := b.Size()
	b.See(PortKey(&a, event.UDP, 65535), 1<<60, 1, "", &LimitPorts)
	if got := b.Size() - empty; got != portBytes {
		t.Errorf("a port takes %d bytes, counted are %d", got, portBytes)
	}
}
