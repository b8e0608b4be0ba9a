package gen

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"dossier/correlate/dialect"
	"dossier/correlate/event"
)

func newSource(t testing.TB, o Options) *Source {
	t.Helper()
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// The dialects must read every line as an event of the attacker it was made
// up for.
func TestEveryLineIsAnEvent(t *testing.T) {
	p, err := dialect.New(dialect.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]Options{
		"DECNET":      {Sensor: DECNET, Attackers: 300},
		"DECNET zipf": {Sensor: DECNET, Attackers: 300, Zipf: 1.1},
		"Cowrie":      {Sensor: Cowrie, Attackers: 300},
		"DECNET wide": {Sensor: DECNET, Attackers: 300, Mailing: 10, Domains: 300},
	} {
		t.Run(name, func(t *testing.T) {
			var a event.Arena
			attackers := map[string]int{}
			kinds := map[event.EvidenceKind]int{}
			for _, line := range newSource(t, o).Lines(20_000) {
				if o.Sensor == Cowrie && !json.Valid([]byte(line)) {
					t.Fatalf("no JSON: %s", line)
				}
				r := event.Record{Time: 1_800_000_000e6, Fields: []event.Field{{Key: "log", Value: line}}}
				var ev event.Event
				v := p.Parse(&a, &r, &ev)
				if v.Class() != dialect.Parsed {
					t.Fatalf("%v: %s", v.Reason, line)
				}
				attackers[ev.Addr.String()]++
				for _, e := range ev.Evidence {
					kinds[e.Kind]++
				}
				a.Reset()
			}
			if len(attackers) > 300 || len(attackers) < 250 {
				t.Errorf("%d attackers; want about 300", len(attackers))
			}
			if kinds[event.Login] == 0 || kinds[event.Command] == 0 || kinds[event.Fingerprint] == 0 {
				t.Errorf("evidence lacks a kind: %v", kinds)
			}
			most := 0
			for _, n := range attackers {
				most = max(most, n)
			}
			// Of 20,000 lines 67 are everybody's share.
			if skewed := most > 1000; skewed != (o.Zipf != 0) {
				t.Errorf("the busiest attacker has %d lines of 20000", most)
			}
		})
	}
}

func TestTheSeedDecides(t *testing.T) {
	one := newSource(t, Options{Seed: 1}).Lines(1000)
	if !slices.Equal(one, newSource(t, Options{Seed: 1}).Lines(1000)) {
		t.Error("the same options give different lines")
	}
	if slices.Equal(one, newSource(t, Options{Seed: 2}).Lines(1000)) {
		t.Error("another seed gives the same lines")
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for _, o := range []Options{{Sensor: 9}, {Habit: 99}, {Attackers: -1}, {Zipf: 0.5}, {Deckies: -1}, {Step: -1}} {
		if _, err := New(o); err == nil {
			t.Errorf("%+v is taken", o)
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	s := newSource(b, Options{})
	var line []byte
	for b.Loop() {
		line = s.Append(line[:0])
	}
	b.SetBytes(int64(len(line)))
}

// TestAttackersThatGo: so many are there at a time, each for as long as Stay
// says, and nobody comes back.
func TestAttackersThatGo(t *testing.T) {
	const stay, step = time.Minute, 100 * time.Millisecond
	p, err := dialect.New(dialect.Options{})
	if err != nil {
		t.Fatal(err)
	}
	type span struct{ first, last event.Time }
	seen := map[string]*span{}
	var a event.Arena
	for _, line := range newSource(t, Options{Attackers: 20, Stay: stay, Step: step}).Lines(6000) {
		r := event.Record{Time: 1_800_000_000e6, Fields: []event.Field{{Key: "log", Value: line}}}
		var ev event.Event
		if v := p.Parse(&a, &r, &ev); v.Class() != dialect.Parsed {
			t.Fatalf("%v: %s", v.Reason, line)
		}
		who := ev.Addr.String()
		if seen[who] == nil {
			seen[who] = &span{first: ev.Time}
		}
		seen[who].last = ev.Time
		a.Reset()
	}
	// Ten minutes of 20 at a time, a minute each.
	if len(seen) < 190 || len(seen) > 220 {
		t.Errorf("%d attackers; want about 210", len(seen))
	}
	for who, s := range seen {
		if took := s.last.Time().Sub(s.first.Time()); took > stay {
			t.Errorf("%s was there for %v; want at most %v", who, took, stay)
		}
	}
}
