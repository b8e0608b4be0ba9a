package correlate

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"time"

	"dossier/correlate/commit"
	"dossier/correlate/event"
)

// grouped is which events, by their places in the chunk, a document gets.
type grouped map[commit.Key][]int

// plainly groups the events of a chunk in the simplest way: for each event the
// documents that it changes.
func plainly(events []event.Event, ix Indices, prefix int) grouped {
	all := grouped{}
	for i, ev := range events {
		bits := ev.Addr.BitLen()
		id := ev.Addr.String()
		if bits == 128 && prefix < 128 {
			id = netip.PrefixFrom(ev.Addr, prefix).Masked().String()
		}
		add := func(index, name string) {
			k := commit.Key{Index: index, ID: id + name}
			if !slices.Contains(all[k], i) {
				all[k] = append(all[k], i)
			}
		}
		add("x-attackers", "")
		if ev.Role == event.Prober {
			continue
		}
		for _, e := range ev.Evidence {
			if ev.Proof.Proven() && (e.Kind == event.Recipient || e.Kind == event.Message) {
				add("x-smtp-targets", "|"+e.A)
			}
		}
		at := ev.Time.Time()
		index := "x-activity-" + at.Format("2006.01")
		if ev.Stray || at.Year() < 2015 || at.Year() > 2099 {
			index = "x-activity-other"
		}
		add(index, "|"+at.Format("2006-01-02T15"))
	}
	return all
}

// Every document of a chunk gets exactly the events that are its own, in their
// order, whatever stands between them: other hours, other attackers, our own
// probes, strays, other mail domains. The documents of one chunk are different
// ones, an attacker's own first.
func TestEveryDocumentGetsItsEvents(t *testing.T) {
	w := newWork() // as an engine does, one for many chunks
	for seed := range uint64(3000) {
		r := rand.New(rand.NewPCG(seed, 11))
		w.reset()
		prefix := []int{128, 64}[r.IntN(2)]
		attackers, hours := 1+r.IntN(4), 1+r.IntN(5)
		first := []event.Time{490_000 * 3600e6, firstMonth - 2*3600e6, endMonth - 2*3600e6}[r.IntN(3)]
		n := r.IntN(40)
		if r.IntN(50) == 0 {
			attackers, hours, n = 20, 300, 800 // more than a map keeps its memory for
		}
		for range n {
			ev := event.Event{
				Time:  first + event.Time(r.IntN(hours))*3600e6 + []event.Time{0, 1, 3600e6 - 1, event.Time(r.Int64N(3600e6))}[r.IntN(4)],
				Role:  []event.Role{event.Decoy, event.Decoy, event.Decoy, event.Sniffer, event.Prober}[r.IntN(5)],
				Stray: r.IntN(5) == 0,
				Proof: event.Proof(r.IntN(4)),
			}
			who := byte(r.IntN(attackers))
			if ev.Addr = netip.AddrFrom4([4]byte{192, 0, 2, who}); r.IntN(3) == 0 {
				ev.Addr = netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 7: who, 15: byte(r.IntN(3))})
			}
			for range r.IntN(4) {
				ev.Evidence = append(ev.Evidence, event.Evidence{Kind: []event.EvidenceKind{event.Recipient, event.Message, event.Command}[r.IntN(3)], A: fmt.Sprint(r.IntN(4), ".example")})
			}
			*w.room() = ev
			w.keep(w.room(), place{}, prefix)
		}
		want := plainly(w.events, Indices{Prefix: "x"}, prefix)
		got := grouped{}
		place := map[*event.Event]int{}
		for i := range w.events {
			place[&w.events[i]] = i
		}
		attacker := ""
		for _, p := range w.parts(&Options{Activity: true, Indices: Indices{Prefix: "x"}}) {
			if _, twice := got[p.Key]; twice {
				t.Fatalf("seed %d: two parts for %v", seed, p.Key)
			}
			var events []*event.Event
			switch d := p.Delta.(type) {
			case *attackerDelta:
				events, attacker = d.events, p.Key.ID
				if w.id(d.prefix) != p.Key.ID || p.Class != ClassAttacker {
					t.Fatalf("seed %d: class %d, prefix %v of %v", seed, p.Class, d.prefix, p.Key)
				}
			case *targetDelta:
				events = d.events
				if attacker+"|"+d.domain != p.Key.ID || p.Class != ClassTarget {
					t.Fatalf("seed %d: class %d, domain %q of %v", seed, p.Class, d.domain, p.Key)
				}
			case *hourDelta:
				events = d.events
				if attacker+"|"+d.key.hour.Time().Format("2006-01-02T15") != p.Key.ID || p.Class != ClassActivity || d.count != len(events) {
					t.Fatalf("seed %d: class %d, hour %v, %d of %d events of %v", seed, p.Class, d.key, len(events), d.count, p.Key)
				}
			}
			if attackerOf(p.Key) != attacker {
				t.Fatalf("seed %d: a part of %v among those of %s", seed, p.Key, attacker)
			}
			got[p.Key] = nil
			for _, ev := range events {
				got[p.Key] = append(got[p.Key], place[ev])
			}
		}
		if !reflect.DeepEqual(got, want) {
			for k := range want {
				if !slices.Equal(got[k], want[k]) {
					t.Errorf("seed %d: %v gets events %v, want %v", seed, k, got[k], want[k])
				}
			}
			t.Fatalf("seed %d: %d documents, want %d", seed, len(got), len(want))
		}
	}
}

// The edges of what is far from a record's time, and of the months that have an
// index of their own.
func TestStray(t *testing.T) {
	const day, record = event.Time(24 * 3600e6), event.Time(1_780_000_000e6)
	for _, tt := range []struct {
		at   event.Time
		want bool
	}{
		{record, false}, {record + day, false}, {record + day + 1, true}, {record - 400*day, false}, {record - 400*day - 1, true}, {event.Never, true},
	} {
		if got := stray(tt.at, record); got != tt.want {
			t.Errorf("%v after its record's time: stray %v", tt.at-record, got)
		}
	}
	ix := Indices{Prefix: "x"}
	for at, want := range map[string]string{
		"2014-12-31T23:59:59.999999Z": "other", "2015-01-01T00:00:00Z": "2015.01", "2026-02-28T23:59:59.999999Z": "2026.02",
		"2026-03-01T00:00:00Z": "2026.03", "2099-12-31T23:59:59.999999Z": "2099.12", "2100-01-01T00:00:00Z": "other",
	} {
		when := parse(t, at)
		for _, got := range []string{ix.Activity(when, false), ix.Transitions(when, false), ix.Ledger(minuteOf(when))} {
			kind := got[:len(got)-len(want)]
			if got != kind+want || !slices.Contains([]string{"x-activity-", "x-transitions-", "x-chunks-"}, kind) {
				t.Errorf("%s: %s, want …-%s", at, got, want)
			}
		}
		for _, got := range []string{ix.Activity(when, true), ix.Transitions(when, true)} {
			if got != "x-activity-other" && got != "x-transitions-other" {
				t.Errorf("stray %s: %s", at, got)
			}
		}
	}
	for at, want := range map[event.Time]uint32{0: 0, 59_999_999: 0, 60_000_000: 1, -60_000_000: 0, 1 << 32 * 60_000_000: 0, (1<<32 - 1) * 60_000_000: 1<<32 - 1} {
		if got := minuteOf(at); got != want {
			t.Errorf("minute of %d: %d, want %d", at, got, want)
		}
	}
}

// A chunk opens the months of its first events, as many as there is room for,
// and those it opened it keeps.
func TestMonths(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 12))
		var m months
		m.reset()
		opened := map[string]bool{}
		for range 200 {
			at := firstMonth - 40*24*3600e6 + event.Time(r.Int64N(int64(2+r.IntN(40))*31*24*3600e6))
			if r.IntN(4) == 0 {
				at = parse(t, fmt.Sprintf("2026-%02d-01T00:00:00Z", 1+r.IntN(12))) - event.Time(r.IntN(2))
			}
			month := at.Time().Format("2006.01")
			want := at < firstMonth || opened[month] || len(opened) < 16
			if got := m.has(at); got != want {
				t.Fatalf("seed %d: %s, %d months open: %v, want %v", seed, month, len(opened), got, want)
			}
			if want && at >= firstMonth {
				opened[month] = true
			}
		}
	}
}

// The months of one chunk say nothing of the next one's.
func TestMonthsOfTheNextChunk(t *testing.T) {
	w := newWork()
	for month := range 20 {
		w.months.has(firstMonth + event.Time(month)*31*24*3600e6)
	}
	last := parse(t, "2026-01-01T00:00:00Z")
	if w.months.has(last) {
		t.Error("a chunk of many months opens another")
	}
	w.reset()
	if !w.months.has(last) {
		t.Error("the next chunk opens none")
	}
}

// A letter has all of an event, and what its chunk says of strays.
func TestLettersHaveEverything(t *testing.T) {
	ev := event.Event{
		Time: 5, Addr: netip.MustParseAddr("192.0.2.1"), Decky: "d", Service: "s", Type: "t", Kind: event.Interaction, Role: event.Sniffer,
		Phase: event.Exfil, Proof: event.ByConnection, Port: 22, Transport: event.TCP, Large: true, Stray: true, Naming: event.Guessed, Session: 77,
		Evidence: []event.Evidence{{Kind: event.Login, Outcome: event.Success, N: 7, M: 8, A: "a", B: "b", C: "c", Digest: [32]byte{9}, Payload: []event.Field{{Key: "k", Value: "v"}}}},
	}
	whole := func(v reflect.Value) {
		for i := range v.NumField() {
			if v.Field(i).IsZero() {
				t.Errorf("the test leaves %s zero", v.Type().Field(i).Name)
			}
		}
	}
	whole(reflect.ValueOf(ev))
	whole(reflect.ValueOf(ev.Evidence[0]))
	d := &attackerDelta{sensor: "x", prefix: netip.MustParsePrefix("192.0.2.1/32"), first: 77, events: []*event.Event{&ev}}
	for class, delta := range map[commit.Class]any{
		ClassAttacker: d, ClassTarget: &targetDelta{attacker: d, domain: "a.example", events: d.events}, ClassActivity: &hourDelta{attacker: d, key: hourKey{hour: 3600e6}, events: d.events},
	} {
		raw, err := EncodeDelta(delta)
		if err != nil {
			t.Fatal(err)
		}
		back, err := DecodeDelta(class, raw)
		if err != nil {
			t.Fatal(err)
		}
		got, events := (*attackerDelta)(nil), []*event.Event(nil)
		switch b := back.(type) {
		case *attackerDelta:
			got, events = b, b.events
			if b.first != 77 {
				t.Errorf("the chunk's first record is of %d, want 77", b.first)
			}
		case *targetDelta:
			got, events = b.attacker, b.events
			if b.domain != "a.example" {
				t.Errorf("domain %q", b.domain)
			}
		case *hourDelta:
			got, events = b.attacker, b.events
			if b.key.hour != 3600e6 {
				t.Errorf("hour %d", b.key.hour)
			}
		}
		if got.sensor != d.sensor || got.prefix != d.prefix || len(events) != 1 || !reflect.DeepEqual(*events[0], ev) {
			t.Errorf("class %d: %+v of %q, %v\nwant %+v", class, *events[0], got.sensor, got.prefix, ev)
		}
	}
}

func parse(t *testing.T, s string) event.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		t.Fatal(err)
	}
	return event.FromTime(at)
}
