package correlate

import (
	"net/netip"
	"slices"
	"strings"

	"dossier/correlate/commit"
	"dossier/correlate/dialect"
	"dossier/correlate/event"
	"dossier/correlate/state"
)

// work is one chunk on its way from bytes to parts, and what of it is needed until
// it is durable. It is reused.
type work struct {
	*reading // nil where its events were let go
	names    event.Arena
	records  int
	first    event.Time

	deltas  []attackerDelta
	targets []targetDelta
	hours   []hourDelta
	// things has what is used beyond the decoys.
	things []indicatorDelta
}

// reading is what a chunk is read into.
type reading struct {
	arena  event.Arena
	events []event.Event
	// of holds the group of each event, places where it begins in the chunk.
	of     []int32
	places []place
	told   []told
	groups groups

	pointers []*event.Event
	// hourPointers is the memory of the hours' events.
	hourPointers []*event.Event
	// hourNames has the hours whose names were made.
	hourNames map[hourKey]hourName
	// hourAt and targetAt have the places in hours and targets of the attacker
	// at work, hourOf that of each of its events; thingAt those in things.
	hourAt   map[hourKey]int
	hourOf   []int
	targetAt map[string]int
	thingAt  map[string]int
	// months are those that the chunk's events fall in.
	months months
	// unparsed holds the bytes of the records that no dialect knows.
	unparsed []byte
	// waiting has the events of which other records of the chunk may tell more.
	waiting []waiting
}

// waiting is an event, how its record was read, and the record's time.
type waiting struct {
	event    event.Event
	verdict  dialect.Verdict
	recorded event.Time
	at       place
}

// attackerDelta is what one chunk adds to one attacker.
type attackerDelta struct {
	arena  *event.Arena
	sensor string
	prefix netip.Prefix
	// first is the time of the chunk's first record that has one.
	first  event.Time
	events []*event.Event
	// outline, where the events were let go, has their places from, so many.
	outline     *outline
	from, count uint32
	// learned is what the attacker's fold leaves for the chunk's other parts, nil
	// before it.
	learned *learned
}

// knows returns what the attacker's fold left.
func (d *attackerDelta) knows() learned {
	if d.learned == nil {
		return learned{}
	}
	return *d.learned
}

// targetDelta is what one chunk adds to one mail domain of an attacker.
type targetDelta struct {
	attacker *attackerDelta
	domain   string
	events   []*event.Event
}

// indicatorDelta is what one chunk adds to one thing that is used beyond the
// decoys, by whomever.
type indicatorDelta struct {
	kind, value string
	uses        []use
}

// use is one event of one attacker, whose document has that id, that names a
// thing.
type use struct {
	attacker *attackerDelta
	id, use  string
	event    *event.Event
	nth      uint32 // of the attacker's events
}

// hourDelta is what one chunk adds to one hour of an attacker.
type hourDelta struct {
	attacker *attackerDelta
	key      hourKey
	count    int
	events   []*event.Event
}

// hourKey tells the hours of a chunk apart as their documents are: whose month
// has no index of its own is in the same document whether it is stray or not.
type hourKey struct {
	hour  event.Time
	other bool
}

// hourName is what the activity documents of an hour have in common: their
// index, and what stands behind the address in their ids.
type hourName struct{ index, suffix string }

func newReading() *reading {
	return &reading{hourNames: map[hourKey]hourName{}, hourAt: map[hourKey]int{}, targetAt: map[string]int{}, thingAt: map[string]int{}}
}

// recordBytes is about what a short record takes in a chunk.
const recordBytes = 160

// expect makes room for the events of a chunk of that size, so that they
// needn't move while they are read, and for about so many attackers.
func (w *reading) expect(size, attackers int) {
	records := size / recordBytes
	w.events = grow(w.events, records)
	w.of = grow(w.of, records)
	w.places = grow(w.places, records)
	w.groups.expect(min(attackers, records))
}

// reset lets go of everything. Its reading, where it has one, is reset too.
func (w *work) reset() {
	if w.reading != nil {
		w.reading.reset()
	}
	w.names.Reset()
	w.records, w.first = 0, event.Never
	clear(w.deltas)
	w.deltas, w.targets, w.hours = w.deltas[:0], w.targets[:0], w.hours[:0]
	clear(w.things)
	w.things = w.things[:0]
}

func (w *reading) reset() {
	w.arena.Reset()
	clear(w.events)
	w.events = w.events[:0]
	w.groups.reset()
	w.of, w.places = w.of[:0], w.places[:0]
	clear(w.told)
	w.told = w.told[:0]
	clear(w.pointers)
	w.pointers = w.pointers[:0]
	clear(w.hourPointers)
	w.hourPointers = w.hourPointers[:0]
	w.months.reset()
	w.unparsed = w.unparsed[:0]
	clear(w.waiting)
	w.waiting = w.waiting[:0]
	clear(w.hourNames)
	w.targetAt = emptied(w.targetAt)
	w.thingAt = emptied(w.thingAt)
}

// room returns room for an event, with whatever was there before; keep takes
// it.
func (w *reading) room() *event.Event {
	n := len(w.events)
	if n == cap(w.events) {
		w.events = append(w.events, event.Event{})[:n]
	}
	return &w.events[: n+1 : cap(w.events)][n]
}

func (w *reading) keep(ev *event.Event, at place, ipv6Prefix int) {
	bits := ev.Addr.BitLen()
	prefix := netip.PrefixFrom(ev.Addr, bits)
	if bits == 128 && ipv6Prefix < 128 {
		prefix = netip.PrefixFrom(ev.Addr, ipv6Prefix).Masked()
	}
	w.events = w.events[:len(w.events)+1]
	of := w.groups.of(prefix)
	w.of, w.places = append(w.of, of), append(w.places, at)
	g := &w.groups.all[of]
	proven, opens := ev.Proof.Proven(), state.OpensIndicators(ev)
	for i := range ev.Evidence {
		e := &ev.Evidence[i]
		g.mail = g.mail || proven && names(e)
		g.things = g.things || opens && e.Kind == event.Indicator
	}
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
			arena: &w.arena, sensor: o.Sensor, prefix: g.prefix, first: w.first, events: free[:0:g.count], count: uint32(g.count),
		})
		free = free[g.count:]
	}
	for i, g := range w.of {
		d := &w.deltas[g]
		d.events = append(d.events, &w.events[i])
	}
}

// outline lets go of the events, once the parts were made: of each only the place
// in data stays. What they were read into is returned.
func (w *work) outline(data []byte, o *Options, recall *recollection) *reading {
	r := w.reading
	l := &outline{o: o, data: data, places: make([]place, len(r.places)), months: slices.Clone(r.months), recall: recall}
	for _, t := range r.told {
		l.told = append(l.told, told{strings.Clone(t.decky), strings.Clone(t.service), t.naming, t.session})
	}
	from := uint32(0)
	for i := range w.deltas {
		d := &w.deltas[i]
		d.outline, d.from, d.arena, d.events = l, from, &recall.arena, nil
		from, d.count = from+d.count, 0
	}
	for i, g := range r.of {
		d := &w.deltas[g]
		l.places[d.from+d.count] = r.places[i]
		d.count++
	}
	for i := range w.targets {
		w.targets[i].events = nil
	}
	for i := range w.hours {
		w.hours[i].events = nil
	}
	for i := range w.things {
		uses := w.things[i].uses
		for j := range uses {
			uses[j].event, uses[j].use = nil, strings.Clone(uses[j].use)
		}
	}
	w.reading = nil
	return r
}

// parts groups the events by the documents they change, those of an attacker
// one after the other.
func (w *work) parts(o *Options) []commit.Part {
	w.attackers(o)
	parts := make([]commit.Part, 0, 2*len(w.deltas))
	if o.Activity {
		w.hours = grow(w.hours, len(w.deltas))
		w.hourPointers = grow(w.hourPointers, len(w.events))
	}
	index := o.Indices.Attackers()
	for i := range w.deltas {
		d := &w.deltas[i]
		address, at := w.id(d.prefix), len(parts)
		parts = append(parts, commit.Part{
			Key: commit.Key{Index: index, ID: address}, Class: ClassAttacker, Delta: d,
		})
		if w.groups.all[i].mail {
			parts = w.targetParts(parts, d, address, o)
		}
		if o.Activity {
			parts = w.hourParts(parts, d, address, o)
		}
		things := w.groups.all[i].things
		if things {
			w.uses(d, address)
		}
		parts[at].Leads = things || len(parts) > at+1
	}
	parts = w.thingParts(parts, o)
	// Only now do the deltas of targets and hours stay where they are.
	targets, hours, things := w.targets, w.hours, w.things
	for i := range parts {
		switch p := &parts[i]; p.Class {
		case ClassTarget:
			p.Delta, targets = &targets[0], targets[1:]
			p.Led = true
		case ClassActivity:
			p.Delta, hours = &hours[0], hours[1:]
		case ClassIndicator:
			p.Delta, things = &things[0], things[1:]
			p.Led = true
		}
	}
	return parts
}

// id returns the document id of an attacker: the address, or the network as
// CIDR where it is one.
func (w *work) id(p netip.Prefix) string {
	b := w.names.Grab(maxPrefix)
	if p.IsSingleIP() {
		return w.names.Keep(p.Addr().AppendTo(b))
	}
	return w.names.Keep(p.AppendTo(b))
}

// maxPrefix is the length of the longest network in CIDR notation, without a
// zone: an event's address has none.
const maxPrefix = len("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255/128")

// aims says whether the mail domains that ev names are ones that its attacker aimed
// at.
func aims(ev *event.Event) bool { return ev.Role != event.Prober && ev.Proof.Proven() }

// names says whether e names a mail domain.
func names(e *event.Evidence) bool { return e.Kind == event.Recipient || e.Kind == event.Message }

// targetParts appends a part for each mail domain that an attacker aimed at,
// and its delta to w.targets.
func (w *work) targetParts(parts []commit.Part, d *attackerDelta, address string, o *Options) []commit.Part {
	w.targetAt = emptied(w.targetAt)
	for _, ev := range d.events {
		if !aims(ev) {
			continue
		}
		for i := range ev.Evidence {
			e := &ev.Evidence[i]
			if !names(e) {
				continue
			}
			t, known := w.targetAt[e.Domain()]
			if !known {
				t = len(w.targets)
				domain := strings.Clone(e.Domain())
				w.targetAt[domain] = t
				w.targets = append(w.targets, targetDelta{attacker: d, domain: domain})
				parts = append(parts, commit.Part{
					Key: commit.Key{Index: o.Indices.Targets(), ID: w.names.Join(address, "|", domain)}, Class: ClassTarget, Lead: address,
				})
			}
			if evs := w.targets[t].events; len(evs) == 0 || evs[len(evs)-1] != ev {
				w.targets[t].events = append(evs, ev)
			}
		}
	}
	return parts
}

// behind is the lead of what depends on several attackers: it comes behind
// every address.
const behind = "~"

// uses takes what an attacker's events name that is used beyond the decoys.
func (w *work) uses(d *attackerDelta, address string) {
	for nth, ev := range d.events {
		if !state.OpensIndicators(ev) {
			continue
		}
		for i := range ev.Evidence {
			e := &ev.Evidence[i]
			if e.Kind != event.Indicator {
				continue
			}
			key := state.IndicatorKey(&w.arena, e.Indicator().Type(), e.Indicator().Value())
			at, known := w.thingAt[key]
			if !known {
				at = len(w.things)
				key = strings.Clone(key)
				kind, value := state.IndicatorOf(key)
				w.thingAt[key] = at
				w.things = append(w.things, indicatorDelta{kind: kind, value: value})
			}
			if t := &w.things[at]; len(t.uses) == 0 || t.uses[len(t.uses)-1].event != ev {
				t.uses = append(t.uses, use{d, address, e.Indicator().Use(), ev, uint32(nth)})
			}
		}
	}
}

// thingParts appends a part for each thing that the chunk's events name.
func (w *work) thingParts(parts []commit.Part, o *Options) []commit.Part {
	index := o.Indices.Indicators()
	for i := range w.things {
		t := &w.things[i]
		parts = append(parts, commit.Part{
			Key: commit.Key{Index: index, ID: state.IndicatorID(t.kind, t.value)}, Class: ClassIndicator, Lead: behind,
		})
	}
	return parts
}

// hourOf returns the hour of an event, or false where it is none of the attacker's
// activity: what we did ourselves.
func hourOf(ev *event.Event) (k hourKey, counts bool) {
	k.hour = ev.Time.Hour()
	k.other = ev.Stray || !hasMonth(k.hour)
	return k, ev.Role != event.Prober
}

// hourParts appends a part for each hour of an attacker, and its delta to
// w.hours. As with attackers, each event is first told its hour, and then
// every hour gets its events in memory of just their number: their order
// doesn't matter.
func (w *work) hourParts(parts []commit.Part, d *attackerDelta, address string, o *Options) []commit.Part {
	w.hourAt = emptied(w.hourAt)
	w.hourOf = grow(w.hourOf, len(d.events))
	before, last := len(w.hours), -1
	for _, ev := range d.events {
		k, counts := hourOf(ev)
		if !counts {
			w.hourOf = append(w.hourOf, -1)
			continue
		}
		if last < 0 || w.hours[last].key != k {
			t, known := w.hourAt[k]
			if !known {
				t = len(w.hours)
				w.hourAt[k] = t
				w.hours = append(w.hours, hourDelta{attacker: d, key: k})
				name := w.hourName(k, o)
				parts = append(parts, commit.Part{
					Key: commit.Key{Index: name.index, ID: w.names.Join(address, name.suffix)}, Class: ClassActivity, Lead: address,
				})
			}
			last = t
		}
		w.hours[last].count++
		w.hourOf = append(w.hourOf, last)
	}
	for i := before; i < len(w.hours); i++ {
		h, from := &w.hours[i], len(w.hourPointers)
		w.hourPointers = w.hourPointers[:from+h.count]
		h.events = w.hourPointers[from:from:len(w.hourPointers)]
	}
	for i, t := range w.hourOf {
		if t >= 0 {
			h := &w.hours[t]
			h.events = append(h.events, d.events[i])
		}
	}
	return parts
}

// hourName returns what the documents of an hour have in common.
func (w *work) hourName(k hourKey, o *Options) hourName {
	name, known := w.hourNames[k]
	if !known {
		name = hourName{o.Indices.Activity(k.hour, k.other), "|" + k.hour.Time().Format("2006-01-02T15")}
		w.hourNames[k] = name
	}
	return name
}

// emptied returns an empty map: m itself unless it was large, for then
// emptying it takes long, each time.
func emptied[K comparable](m map[K]int) map[K]int {
	if len(m) > 128 {
		return make(map[K]int)
	}
	clear(m)
	return m
}

func grow[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, 0, n)
	}
	return s[:0]
}
