package correlate

import (
	"net/netip"
	"strings"

	"dossier/correlate/commit"
	"dossier/correlate/event"
)

// work is one chunk on its way from bytes to parts. It is reused.
type work struct {
	arena   event.Arena
	records int
	first   event.Time

	events []event.Event
	// of holds the group of each event.
	of     []int32
	groups groups

	pointers []*event.Event
	deltas   []attackerDelta
	targets  []targetDelta
	hours    []hourDelta
	// hourNames has the hours whose names were made.
	hourNames map[hourKey]hourName
	// unparsed holds the bytes of the records that no dialect knows.
	unparsed []byte
}

// attackerDelta is what one chunk adds to one attacker.
type attackerDelta struct {
	arena  *event.Arena
	sensor string
	prefix netip.Prefix
	events []*event.Event
}

// targetDelta is what one chunk adds to one mail domain of an attacker.
type targetDelta struct {
	sensor string
	prefix netip.Prefix
	domain string
	events []*event.Event
}

// hourDelta is what one chunk adds to one hour of an attacker.
type hourDelta struct {
	sensor string
	prefix netip.Prefix
	hour   event.Time
	events []*event.Event
}

// hourKey tells the hours of a chunk apart.
type hourKey struct {
	hour  event.Time
	stray bool
}

// hourName is what the activity documents of an hour have in common: their
// index, and what stands behind the address in their ids.
type hourName struct{ index, suffix string }

func newWork() *work {
	return &work{hourNames: map[hourKey]hourName{}}
}

// recordBytes is about the least that a record takes in a chunk.
const recordBytes = 128

// expect makes room for the events of a chunk of that size, so that they
// needn't move while they are read.
func (w *work) expect(size int) {
	w.events = grow(w.events, size/recordBytes)
	w.of = grow(w.of, size/recordBytes)
}

func (w *work) reset() {
	w.arena.Reset()
	w.records, w.first = 0, event.Never
	clear(w.events)
	w.events = w.events[:0]
	w.groups.reset()
	w.of = w.of[:0]
	clear(w.pointers)
	w.pointers = w.pointers[:0]
	w.deltas, w.targets, w.hours = w.deltas[:0], w.targets[:0], w.hours[:0]
	w.unparsed = w.unparsed[:0]
	clear(w.hourNames)
}

// room returns room for an event, with whatever was there before; keep takes
// it.
func (w *work) room() *event.Event {
	n := len(w.events)
	if n == cap(w.events) {
		w.events = append(w.events, event.Event{})[:n]
	}
	return &w.events[: n+1 : cap(w.events)][n]
}

func (w *work) keep(ev *event.Event, ipv6Prefix int) {
	bits := ev.Addr.BitLen()
	prefix := netip.PrefixFrom(ev.Addr, bits)
	if bits == 128 && ipv6Prefix < 128 {
		prefix = netip.PrefixFrom(ev.Addr, ipv6Prefix).Masked()
	}
	w.events = w.events[:len(w.events)+1]
	w.of = append(w.of, w.groups.of(prefix))
}

// id returns the document id of an attacker: the address, or the network as
// CIDR where it is one.
func id(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}

// attackers makes each group an attacker's delta.
func (w *work) attackers(o *Options) {
	groups := w.groups.all
	for _, g := range w.of {
		groups[g].count++
	}
	w.deltas = grow(w.deltas, len(groups))
	w.pointers = grow(w.pointers, len(w.events))[:len(w.events)]
	free := w.pointers
	for i := range groups {
		g := &groups[i]
		w.deltas = append(w.deltas, attackerDelta{
			arena: &w.arena, sensor: o.Sensor, prefix: g.prefix, events: free[:0:g.count],
		})
		free = free[g.count:]
	}
	for i, g := range w.of {
		d := &w.deltas[g]
		d.events = append(d.events, &w.events[i])
	}
}

// parts groups the events by the documents they change.
func (w *work) parts(o *Options) []commit.Part {
	w.attackers(o)
	parts := make([]commit.Part, 0, 2*len(w.deltas))
	for i := range w.deltas {
		d := &w.deltas[i]
		parts = append(parts, commit.Part{
			Key: commit.Key{Index: o.Indices.Attackers(), ID: id(d.prefix)}, Class: ClassAttacker, Delta: d,
		})
	}
	n := len(parts)
	for i := range w.deltas {
		parts = w.targetParts(parts, &w.deltas[i], parts[i].Key.ID, o)
	}
	if o.Activity {
		for i := range n {
			parts = w.hourParts(parts, &w.deltas[i], parts[i].Key.ID, o)
		}
	}
	for i := range parts[n:] {
		p := &parts[n+i]
		switch at := p.Delta.(type) {
		case targetRef:
			p.Delta = &w.targets[at]
		case hourRef:
			p.Delta = &w.hours[at]
		}
	}
	return parts
}

// The deltas of targets and hours are appended to slices that may move; until
// all are there the parts hold their places.
type (
	targetRef int
	hourRef   int
)

func (w *work) targetParts(parts []commit.Part, d *attackerDelta, address string, o *Options) []commit.Part {
	var at map[string]int
	for _, ev := range d.events {
		for i := range ev.Evidence {
			e := &ev.Evidence[i]
			if e.Kind != event.Recipient && e.Kind != event.Message {
				continue
			}
			if at == nil {
				at = map[string]int{}
			}
			t, known := at[e.A]
			if !known {
				t = len(w.targets)
				at[e.A] = t
				domain := strings.Clone(e.A)
				w.targets = append(w.targets, targetDelta{sensor: o.Sensor, prefix: d.prefix, domain: domain})
				parts = append(parts, commit.Part{
					Key: commit.Key{Index: o.Indices.Targets(), ID: address + "|" + domain}, Class: ClassTarget, Delta: targetRef(t),
				})
			}
			if evs := w.targets[t].events; len(evs) == 0 || evs[len(evs)-1] != ev {
				w.targets[t].events = append(evs, ev)
			}
		}
	}
	return parts
}

func (w *work) hourParts(parts []commit.Part, d *attackerDelta, address string, o *Options) []commit.Part {
	var at map[hourKey]int
	last, lastAt, from := hourKey{hour: -1}, 0, 0
	for i, ev := range d.events {
		if ev.Role == event.Prober {
			// What we did ourselves is no activity of the attacker.
			continue
		}
		k := hourKey{hour: ev.Time.Hour(), stray: ev.Stray}
		if k != last {
			t, known := at[k]
			if !known {
				if at == nil {
					at = map[hourKey]int{}
				}
				t = len(w.hours)
				at[k] = t
				w.hours = append(w.hours, hourDelta{sensor: o.Sensor, prefix: d.prefix, hour: k.hour})
				name, known := w.hourNames[k]
				if !known {
					name = hourName{o.Indices.Activity(k.hour, k.stray), "|" + k.hour.Time().Format("2006-01-02T15")}
					w.hourNames[k] = name
				}
				parts = append(parts, commit.Part{
					Key: commit.Key{Index: name.index, ID: address + name.suffix}, Class: ClassActivity, Delta: hourRef(t),
				})
			}
			last, lastAt, from = k, t, i
		}
		// Nearly always an hour's events follow each other: as long as they
		// do, they are a view of the attacker's.
		if h := &w.hours[lastAt]; len(h.events) == i-from {
			h.events = d.events[from : i+1 : i+1]
		} else {
			h.events = append(h.events, ev)
		}
	}
	return parts
}

func grow[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, 0, n)
	}
	return s[:0]
}
