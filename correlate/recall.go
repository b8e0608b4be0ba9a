package correlate

import (
	"fmt"
	"slices"

	"dossier/correlate/event"
)

// A chunk of 2 MB becomes 7 MB of events and evidence. One that is under way alone, as
// most are, keeps its; of those of a backlog only the places of the records are kept,
// by attacker, and what belongs to a document is read again when that is folded. So
// many chunks can be written at once, each document once for all of them, in the
// memory of a few.

// keptWhole is how many chunks of an engine may be under way while they keep their
// events. One more is read at a time: however many cores there are, what a backlog
// waits for is the node.
const keptWhole = 1

// maxOutlined is the length of a chunk, in bytes, whose places are still numbers of
// 32 bits. Fluent Bit's are some MB.
const maxOutlined = 1<<32 - 1

// place is where an event's record begins and ends in the chunk, and what was told of
// it by others: an index into outline.told and 1, 0 for nothing.
type place struct{ from, to, told uint32 }

// told is what other records of the chunk told of an event's session.
type told struct {
	decky, service string
	naming         event.Naming
	session        uint64
}

// outline is what is kept of a chunk whose events aren't. It is made anew for each
// chunk: recollection knows by it what it has read.
type outline struct {
	o      *Options
	data   []byte
	places []place // those of an attacker one after the other
	told   []told
	months months
	recall *recollection
}

// recollection is memory to read events again into. It is an engine's as long as
// chunks are under way, and used by its committer's Model alone.
type recollection struct {
	arena    event.Arena
	records  Records
	blocks   [][]event.Event
	filling  int // the block
	pointers []*event.Event
	of       map[recalled][]*event.Event
	turn     uint64 // the fold that read here last
	count    int    // events read since they were let go
}

// recalled is an attacker's events of a chunk.
type recalled struct {
	*outline
	from uint32
}

const (
	// recallBlock is how many events there is room for at a time.
	recallBlock = 256
	// recallMost is how many events are there at a time, but for what one
	// document takes: those that belong together are folded one after the other.
	recallMost = 2048
)

// begin lets go of what was read for folds before turn, once it is much.
func (r *recollection) begin(turn uint64) {
	if r.turn == turn {
		return
	}
	if r.turn = turn; r.count <= recallMost {
		return
	}
	// One document of many events leaves no more memory than others.
	if r.count > 2*recallMost {
		*r = recollection{turn: turn}
		return
	}
	r.arena.Reset()
	for i, b := range r.blocks {
		clear(b)
		r.blocks[i] = b[:0]
	}
	clear(r.pointers)
	r.pointers, r.of = r.pointers[:0], nil
	r.filling, r.count = 0, 0
}

// events returns an attacker's events of a chunk, in the order of its records.
func (r *recollection) events(l *outline, from, n uint32) []*event.Event {
	k := recalled{l, from}
	if list, known := r.of[k]; known {
		return list
	}
	at := len(r.pointers)
	for _, p := range l.places[from : from+n] {
		r.pointers = append(r.pointers, r.read(l, p))
	}
	list := slices.Clip(r.pointers[at:])
	if r.of == nil {
		r.of = make(map[recalled][]*event.Event)
	}
	r.of[k] = list
	return list
}

// read reads one record again, as the engine read it. It is copied first: what was
// read, and what the parser remembers of it, stays here for longer than its chunk,
// whose memory is Fluent Bit's.
func (r *recollection) read(l *outline, p place) *event.Event {
	data := r.arena.Grab(int(p.to - p.from))
	data = append(data, l.data[p.from:p.to]...)
	r.arena.Keep(data)
	if again, ok := r.records.(interface {
		Reset(data []byte, a *event.Arena)
	}); ok {
		again.Reset(data, &r.arena)
	} else {
		r.records = l.o.Decode(&r.arena, data)
	}
	if !r.records.Next() {
		panic(fmt.Sprintf("correlate: a record that was read isn't there any more: %v", r.records.Err()))
	}
	record := r.records.Record()
	ev := r.room()
	if v := l.o.Parser.Parse(&r.arena, &record, ev); v.Missing != 0 && p.told > 0 {
		t := &l.told[p.told-1]
		ev.Decky, ev.Service, ev.Naming, ev.Session = t.decky, t.service, t.naming, t.session
	}
	if l.o.Annotator != nil {
		l.o.Annotator.Annotate(&r.arena, ev)
	}
	recorded := record.Time
	if l.o.Stored != nil {
		recorded = ev.Time
	}
	ev.Stray = stray(ev.Time, recorded) || !l.months.has(ev.Time)
	return ev
}

// room returns room for an event that stays where it is.
func (r *recollection) room() *event.Event {
	r.count++
	if r.filling < len(r.blocks) && len(r.blocks[r.filling]) == recallBlock {
		r.filling++
	}
	if r.filling == len(r.blocks) {
		r.blocks = append(r.blocks, make([]event.Event, 0, recallBlock))
	}
	b := &r.blocks[r.filling]
	*b = (*b)[:len(*b)+1]
	return &(*b)[len(*b)-1]
}

// The events of a delta, wherever they are: turn is the fold that asks.

func (d *attackerDelta) all(turn uint64) []*event.Event {
	if d.outline == nil {
		return d.events
	}
	d.outline.recall.begin(turn)
	return d.outline.recall.events(d.outline, d.from, d.count)
}

// by returns a copy of the delta whose events r reads.
func (d *attackerDelta) by(r *recollection) *attackerDelta {
	if d.outline == nil {
		return d
	}
	l := *d.outline
	l.recall = r
	own := *d
	own.outline = &l
	return &own
}

func (d *targetDelta) all(turn uint64) []*event.Event {
	if d.attacker.outline == nil {
		return d.events
	}
	var list []*event.Event
	for _, ev := range d.attacker.all(turn) {
		if aims(ev) && slices.ContainsFunc(ev.Evidence, func(e event.Evidence) bool { return names(&e) && e.Domain() == d.domain }) {
			list = append(list, ev)
		}
	}
	return list
}

func (d *hourDelta) all(turn uint64) []*event.Event {
	if d.attacker.outline == nil {
		return d.events
	}
	every := d.attacker.all(turn)
	list := make([]*event.Event, 0, d.count)
	for _, ev := range every {
		if k, counts := hourOf(ev); counts && k == d.key {
			list = append(list, ev)
		}
	}
	return list
}

func (u *use) seen(turn uint64) *event.Event {
	l := u.attacker.outline
	if l == nil {
		return u.event
	}
	l.recall.begin(turn)
	return l.recall.read(l, l.places[u.attacker.from+u.nth])
}
