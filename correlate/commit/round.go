package commit

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// maxHot bounds the contended documents of one round.
const maxHot = 64

// start takes what is ready in a lane through the first phase.
func (m *Machine) start(l lane) {
	t := &task{lane: l}
	n, most, from := 0, min(m.o.MaxDocuments, m.window), l
	if l == ahead {
		from = calm
	}
	if l == hot {
		// Few at a time, so that little happens between a read and its
		// write, and in no order that all writers share: else they meet at
		// every document.
		most = min(most, maxHot)
		m.rand.Shuffle(len(m.ready[l]), func(i, j int) {
			m.ready[l][i], m.ready[l][j] = m.ready[l][j], m.ready[l][i]
		})
	}
	for _, d := range m.ready[from] {
		if len(t.docs) == most {
			break
		}
		n++
		d.queued = false
		d.waiting = slices.DeleteFunc(d.waiting, decided)
		if len(d.waiting) == 0 {
			m.forget(d)
			continue
		}
		if !m.admit(d) {
			continue
		}
		d.owner = t
		t.docs = append(t.docs, d)
	}
	m.ready[from] = slices.Delete(m.ready[from], 0, n)
	if from == calm {
		if m.left = max(0, m.left-n); m.busy[calm] == nil && m.busy[ahead] == nil {
			m.left = len(m.ready[calm])
		}
	}
	if len(t.docs) == 0 {
		return
	}
	m.stats.Tasks++
	m.busy[l] = t
	// What belongs together is folded one after the other, while its events are
	// near; first what the ids of the others begin with.
	slices.SortFunc(t.docs, func(a, b *document) int {
		return cmp.Or(strings.Compare(a.key.ID, b.key.ID), strings.Compare(a.key.Index, b.key.Index))
	})
	for _, d := range t.docs {
		// What is contended is read in any case: the cache is too old for it.
		if l != hot {
			if c, ok := m.cache.get(d.key); ok {
				if env, err := parseEnvelope(c.state); err == nil {
					env.setComplete(c.complete)
					d.env, d.exists, d.version, d.confirmed = env, true, c.version, true
					continue
				}
			}
		}
		t.read = append(t.read, d)
	}
	if len(t.read) == 0 || weakened("markers read before the states") {
		m.look(t)
		return
	}
	m.survey(t)
	m.read(t)
}

// read asks for the states of the documents that are not in the cache.
func (m *Machine) read(t *task) {
	keys := make([]Key, len(t.read))
	for i, d := range t.read {
		keys[i] = d.key
	}
	t.phase = reading
	m.stats.Reads++
	m.stats.DocumentsRead += int64(len(keys))
	m.send(t, &Request{Kind: Read, Keys: keys, Chunks: len(t.chunks)})
}

// survey begins a round: it collects the chunks that wait for the task's
// documents.
func (m *Machine) survey(t *task) {
	m.rounds++
	t.round, t.chunks, t.deadline = m.rounds, t.chunks[:0], time.Time{}
	for _, d := range t.docs {
		for _, p := range d.waiting {
			c := p.chunk
			if decided(p) || c.lookups[t.lane].asked == t.round {
				continue
			}
			c.lookups[t.lane].asked = t.round
			t.chunks = append(t.chunks, c)
			if c.deadline.After(t.deadline) {
				t.deadline = c.deadline
			}
		}
	}
}

func (m *Machine) send(t *task, r *Request) {
	r.task = t
	m.sendBy(t.deadline, r)
}

func (m *Machine) sendBy(deadline time.Time, r *Request) {
	r.Deadline = m.now.Add(m.o.RequestTimeout)
	if deadline.After(r.Deadline) {
		r.Deadline = deadline
	}
	m.outbox = append(m.outbox, r)
}

// Answer tells what became of a request that Next returned.
func (m *Machine) Answer(r *Request, a Answer, now time.Time) {
	m.now = now
	t := r.task
	switch r.Kind {
	case Fold:
		m.answerFold(t, r.folding, a)
		return
	case Bury:
		m.answerBury(r.chunk, a)
		return
	}
	m.judgeAnswer(r, &a)
	m.fit(r, a.Err == nil)
	switch t.phase {
	case reading:
		m.answerRead(t, a)
	case looking:
		m.answerLook(t, a)
	case writing:
		m.answerWrite(t, r.bulk, a)
	}
}

// judgeAnswer says what an answer shows of Elasticsearch as a whole, and a read
// of each index. One of the wrong length is none.
func (m *Machine) judgeAnswer(r *Request, a *Answer) {
	write := r.Kind == Write
	asked, got := len(r.Keys), len(a.Stored)
	if write {
		asked, got = len(r.Ops), len(a.Written)
	}
	if a.Err == nil && asked != got {
		a.Err = fmt.Errorf("commit: %d items asked for, %d answered", asked, got)
	}
	if a.Err != nil {
		m.report(Incident{Kind: Unreachable, Err: a.Err, Reason: a.Err.Error()})
		if !weakened("no outage of everything") {
			m.failed(&m.all, asked, write)
		}
	} else {
		m.answered(&m.all, write)
		if !write {
			m.judgeRead(r.Keys, a.Stored)
		}
	}
	if write && len(r.bulk.docs) == 0 {
		m.all.marker = false
	}
}

// minWindow is how few documents a request may always have.
const minWindow = 16

// fit bounds the documents of a round, and the operations of a write, by what
// Elasticsearch does in time. What took too long it carries out all the same, so
// that to ask for as much again would go on for ever; what it does in time is
// asked for in larger requests.
func (m *Machine) fit(r *Request, answered bool) {
	asked := max(len(r.Keys), len(r.Ops))
	switch {
	case !m.now.Before(r.Deadline):
		m.window = max(min(m.window, asked/2), minWindow)
	case answered && asked >= m.window/2:
		m.window = min(m.window+m.window/4, max(m.o.MaxDocuments, m.o.BulkOps))
	}
}

func (m *Machine) answerRead(t *task, a Answer) {
	for i, d := range t.read {
		if a.Err != nil {
			m.delay(d)
			continue
		}
		s := a.Stored[i]
		switch {
		case errors.Is(s.Err, ErrCorrupt):
			d.env, d.exists, d.version, d.confirmed, d.unreadable = envelope{}, true, s.Version, false, s.Err
		case s.Err != nil:
			m.report(Incident{Kind: Unreachable, Key: d.key, Err: s.Err, Reason: s.Err.Error()})
			m.delay(d)
		case !s.Exists:
			d.env, d.exists, d.version, d.confirmed = envelope{}, false, Version{}, false
		default:
			// What is unreadable waits for the markers as well: a chunk that is
			// done leaves no letter.
			env, err := parseEnvelope(s.State)
			if err != nil && weakened("a newer major version is overwritten") {
				env, err = envelope{payload: []byte{0}}, nil
			}
			d.env, d.exists, d.version, d.confirmed, d.unreadable = env, true, s.Version, weakened("what is read counts as acknowledged"), err
		}
	}
	if weakened("markers read before the states") {
		t.read, t.docs = nil, slices.DeleteFunc(t.docs, func(d *document) bool { return d.owner != t })
		m.fold(t)
		return
	}
	m.look(t)
}

// leave leaves d, which is unreadable, alone, and takes parts from it. If a
// newer version wrote it, they wait on Fluent Bit's disk for this sensor's
// update; else whoever can write to the index could stall every sensor, so they
// are condemned, for this document alone.
func (m *Machine) leave(t *task, d *document) {
	err := d.unreadable
	blind := false
	var parts []*part
	for _, p := range d.waiting {
		if p.canProceed(t) {
			parts = append(parts, p)
		} else {
			blind = blind || p.awaitsMarker(t)
		}
	}
	if len(parts) == 0 && blind {
		m.delay(d)
		return
	}
	newer := errors.Is(err, ErrNewer) && !weakened("a newer major version is dead-lettered")
	if newer || weakened("a corrupt state stalls its chunks") {
		m.report(Incident{Kind: Newer, Key: d.key, Err: err, Reason: err.Error()})
		for _, p := range parts {
			if weakened("a newer version's document holds up the rest of its chunk") {
				m.giveBack(p.chunk)
			}
			m.resolve(p, blocked, "")
		}
	} else {
		m.report(Incident{Kind: Unreadable, Key: d.key, Err: err, Reason: err.Error()})
		m.stats.Unreadable++
		for _, p := range parts {
			if c := p.chunk; c.replay != nil && !decided(p) {
				m.finish(c, StillUnreadable)
			} else {
				m.resolve(p, rejected, "unreadable_state: "+err.Error())
			}
		}
	}
	if blind {
		m.delay(d)
	} else {
		m.release(d)
	}
}

// release ends a task's hold on d and queues what still waits for it.
func (m *Machine) release(d *document) {
	m.let(d)
	d.waiting = slices.DeleteFunc(d.waiting, decided)
	if len(d.waiting) == 0 {
		m.forget(d)
		return
	}
	m.queue(d)
}

// let ends a task's hold on d.
func (m *Machine) let(d *document) {
	m.unprobe(d)
	clear(d.writing)
	d.owner, d.env, d.state, d.writing, d.lifts, d.unreadable = nil, envelope{}, nil, d.writing[:0], nil, nil
}

// delay releases d after a failure: it is tried again after a pause, and read
// first.
func (m *Machine) delay(d *document) {
	if !weakened("the cached copy survives an unknown outcome") {
		m.cache.drop(d.key)
	}
	m.let(d)
	for _, g := range m.closedFor(d) {
		if g != nil {
			m.park(d, g)
			return
		}
	}
	pause := m.o.BackoffMin << min(d.failures, 10)
	d.failures++
	d.until = m.now.Add(m.jitter(min(pause, m.o.BackoffMax)))
	d.queued = true
	m.delayed = append(m.delayed, d)
}

// look asks for the markers of the task's chunks: after every state the task
// will use was read, so that a chunk whose id has left a document by then
// shows in the ledger.
func (m *Machine) look(t *task) {
	t.docs = slices.DeleteFunc(t.docs, func(d *document) bool { return d.owner != t || m.barred(d) })
	if len(t.docs) == 0 {
		m.end(t)
		return
	}
	m.survey(t)
	if len(t.chunks) == 0 {
		// All of it was given back in the meantime.
		m.fold(t)
		return
	}
	m.strangers(t)
	keys := make([]Key, 0, len(t.chunks)+len(t.foreign))
	for _, c := range t.chunks {
		keys = append(keys, m.markerKey(applied{id: c.id, minute: c.minute}))
		if c.replay != nil {
			keys = append(keys, m.markerKey(applied{id: c.replay.origin, minute: c.minute}))
		}
	}
	for _, a := range t.foreign {
		keys = append(keys, m.markerKey(a))
	}
	t.phase = looking
	m.stats.Reads++
	m.send(t, &Request{Kind: Read, Keys: keys, Chunks: len(t.chunks)})
}

// maxForeign bounds the ids of other processes looked for at a time.
const maxForeign = 1024

// strangers collects the ids in the task's documents that others left there,
// perhaps because they crashed or because their documents are calm now.
func (m *Machine) strangers(t *task) {
	var seen map[ChunkID]bool
	for _, d := range t.docs {
		if len(d.env.applied) < m.o.MaxApplied/lookFrom {
			continue
		}
		for _, a := range d.env.applied {
			if len(t.foreign) >= maxForeign || seen[a.id] || m.ledger.vouches(a.id, d.key) || m.queued[a.id] || m.chunks[a.id] != nil {
				continue
			}
			if seen == nil {
				seen = map[ChunkID]bool{}
			}
			seen[a.id] = true
			t.foreign = append(t.foreign, a)
		}
	}
}

func (m *Machine) markerKey(a applied) Key {
	return Key{Index: m.o.Ledger(a.minute), ID: a.id.String()}
}

func (m *Machine) answerLook(t *task, a Answer) {
	if a.Err != nil {
		for _, d := range t.docs {
			m.delay(d)
		}
		m.end(t)
		return
	}
	stored := a.Stored
	next := func() (s Stored) {
		s, stored = stored[0], stored[1:]
		return s
	}
	for _, c := range t.chunks {
		own, origin := next(), Stored{}
		if c.replay != nil {
			origin = next()
		}
		if c.state == ended {
			continue
		}
		switch err := cmp.Or(own.Err, origin.Err); {
		case err != nil:
			// Whether this chunk was done is not known: none of it may be
			// folded now.
			m.report(Incident{Kind: Unreachable, Err: err, Reason: err.Error()})
			if weakened("fold while a marker's answer is missing") {
				c.lookups[t.lane].answered = t.round
			}
		case own.Exists && !m.overlooks(t, c):
			m.stats.Skipped++
			m.finish(c, OK)
		case c.replay != nil && weakened("one whose chunk is held in spite of it brings nothing") &&
			origin.Exists && !excepts(string(origin.State), c.parts[0].doc.key):
			m.finish(c, OK)
		case c.replay == nil || m.canReplay(c, origin):
			c.lookups[t.lane].answered = t.round
		}
	}
	for _, f := range t.foreign {
		if s := next(); s.Err == nil && s.Exists {
			m.saw(t, marker{applied: f, except: string(s.State), seen: true, version: s.Version})
		}
	}
	if len(t.read) > 0 && weakened("markers read before the states") {
		m.read(t)
		return
	}
	m.fold(t)
}

// overlooks says whether a weakened rule is blind to the chunk's own marker.
func (m *Machine) overlooks(t *task, c *chunk) bool {
	return weakened("no look-up") || weakened("a fixed ring of the newest 16 ids, and no ledger") ||
		c.replay == nil && c.lookedUp() && weakened("markers read once for each delivery") ||
		weakened("a chunk that is done leaves a letter for an unreadable document") &&
			slices.ContainsFunc(t.docs, func(d *document) bool { return d.unreadable != nil })
}

// saw takes the marker of an id that stands in one of the task's documents.
func (m *Machine) saw(t *task, a marker) {
	excepted := false
	for _, d := range t.docs {
		if excepts(a.except, d.key) && d.env.has(a.id) {
			excepted = true
			if without(a.except, d.key) != a.except {
				d.lifts = append(d.lifts, a)
			}
		}
	}
	if !excepted {
		// Seen is not durable: the id may leave only after a marker of our own
		// is acknowledged.
		if weakened("an id leaves on a marker merely seen") {
			m.ledger.add(a.id, a.except)
			return
		}
		m.mark(a)
	}
}

// fold makes the task's documents ready to be folded and written.
func (m *Machine) fold(t *task) {
	for _, d := range t.docs {
		if weakened("ids are taken out before a replay looks for its chunk's") {
			m.prune(d)
		}
		// Before anything is pruned: since the markers were asked for, this
		// process may have had one acknowledged that takes the id of a
		// letter's chunk out of the document. The letter, which saw the
		// marker before, must still find that id.
		for _, p := range d.waiting {
			c := p.chunk
			switch {
			case !p.canProceed(t):
			case c.replay != nil && c.replay.heldAnyway && !d.exists && !weakened("one whose chunk is held opens a document that was deleted"):
				// It was deleted since.
				m.resolve(p, settled, "")
			default:
				p.held = d.env.has(c.id) || c.replay != nil && c.replay.isIn(&d.env)
				c.held = c.held || p.held
			}
		}
		m.prune(d)
	}
	for _, d := range t.docs {
		if d.owner == t && d.unreadable != nil {
			m.leave(t, d)
		}
	}
	m.refuse(t)
	t.phase, t.left = writing, t.docs
}

// prune takes out of d the ids for which the ledger vouches for certain, and
// those that have outlived the ledger.
func (m *Machine) prune(d *document) {
	retention := m.o.Retention
	if weakened("ids age out after an hour") {
		retention = time.Hour
	}
	oldest := int64(minute(m.now)) - int64(retention/time.Minute)
	d.aged = 0
	if weakened("a fixed ring of the newest 16 ids") || weakened("a fixed ring of the newest 16 ids, and no ledger") {
		d.env.applied = d.env.applied[max(0, len(d.env.applied)-16):]
	}
	d.env.applied = slices.DeleteFunc(d.env.applied, func(a applied) bool {
		switch {
		case m.chunks[a.id] != nil:
			return false
		case weakened("a fixed ring of the newest 16 ids, and no ledger"):
			return false
		case m.ledger.vouches(a.id, d.key), m.queued[a.id] && weakened("an id leaves when its marker is sent"):
			return true
		case int64(a.since) >= oldest, weakened("ids of any age stay"):
			return false
		}
		d.aged++
		return true
	})
}

// refuse gives back the chunks for which one of the task's documents has no
// room, before anything of them is written.
//
// An eighth of the room is kept for chunks that some document holds already:
// when the ids of two documents are those of chunks that wait for room in the
// other one, they can be finished. A document in which exceptions can be lifted
// takes one chunk into that room, the last place if need be, which is kept for
// it: with its write the other ids may leave.
func (m *Machine) refuse(t *task) {
	for _, d := range t.docs {
		if d.owner != t {
			continue
		}
		taken := len(d.env.applied)
		for _, p := range d.waiting {
			if !p.canProceed(t) || p.held {
				continue
			}
			limit := m.o.MaxApplied
			lifting := len(d.lifts) > 0 && taken == len(d.env.applied) && !weakened("a full document whose exceptions can be lifted takes nothing")
			switch {
			case lifting:
			case p.chunk.held && weakened("the last place of a document is given away like any other"):
			case !p.chunk.held && weakened("no room kept for what is half done"):
			case p.chunk.held:
				limit-- // the last place is for one with which ids may leave
			default:
				limit -= m.o.MaxApplied / reserve
			}
			if taken < limit || weakened("no limit") {
				taken++
				continue
			}
			m.stats.Refused++
			m.report(Incident{Kind: Full, Key: d.key, Reason: fmt.Sprintf("the document holds %d chunk ids without a marker", taken)})
			if weakened("other documents of a refused chunk are written") {
				m.resolve(p, blocked, "")
				continue
			}
			m.giveBack(p.chunk)
		}
	}
}

// write sends a bulk of the task, and the markers that wait for a ride.
func (m *Machine) write(t *task, b *bulk, ops []Op) {
	if !m.now.Before(m.rest) {
		n := min(len(m.pending), m.o.MaxDocuments)
		if m.all.closed {
			n = min(n, 1) // it is a probe
		}
		for _, a := range m.pending[:n] {
			k := m.markerKey(a.applied)
			ops = append(ops, a.op(k, m.now))
			b.ops = append(b.ops, taskOp{key: k, marker: a})
		}
		m.pending = slices.Delete(m.pending, 0, n)
	}
	t.bulks++
	m.stats.Writes++
	m.send(t, &Request{Kind: Write, Ops: ops, Chunks: len(t.chunks), Records: t.records(), bulk: b})
}

func (m *Machine) answerWrite(t *task, b *bulk, a Answer) {
	t.bulks--
	if a.Err == nil {
		// A marker's failure keeps no document waiting.
		for i, o := range b.ops {
			if o.doc != nil {
				m.verdict.add(o.key.Index, a.Written[i].Status != Unknown)
			}
		}
		m.judge(&m.verdict, true)
	}
	for _, d := range b.docs {
		d.answer = Written{Status: Done}
	}
	for i, o := range b.ops {
		w := Written{Status: Unknown}
		if a.Err == nil {
			w = a.Written[i]
		}
		if w.Status == Unknown {
			m.stats.Unknown++
			if a.Err == nil {
				m.report(Incident{Kind: Unreachable, Key: o.key, Reason: w.Reason})
			}
		}
		switch {
		case o.doc == nil:
			m.answerMarker(o.marker, w)
		case !o.effect:
			if o.doc.answer = w; w.Status == Unknown && weakened("an unknown outcome counts as done") {
				o.doc.answer.Status = Done
			}
		case w.Status == Unknown && o.doc.answer.Status == Done:
			// The document is written; what it stands for comes again.
			if !weakened("one that may be missing counts as there") {
				o.doc.answer = w
			}
			o.doc.blocked = o.key.Index
		case w.Status == Rejected:
			m.report(Incident{Kind: EffectLost, Key: o.key, Reason: w.Reason})
		case w.Status == Done:
			m.stats.Effects++
		}
	}
	b.free()
	for _, d := range b.docs {
		m.answerDocument(d)
	}
	if t.bulks == 0 && len(t.left) == 0 {
		m.end(t)
	}
}

// maxHeat bounds the documents remembered as contended.
const maxHeat = 1 << 14

func (m *Machine) answerDocument(d *document) {
	if d.answer.Status == Conflict && weakened("a conflict taken as done") {
		d.answer.Status = Done
	}
	switch d.answer.Status {
	case Done:
		if d.state != nil {
			// The ids of a write follow each other in its order.
			next := 0
			for _, p := range d.writing {
				if i := d.env.find(p.chunk.id, next); i >= 0 {
					d.env.applied[i].complete = true
					next = i + 1
				}
			}
			m.cache.put(d.key, cached{d.state, d.answer.Version, d.env.complete()})
			m.count(d)
			for _, a := range d.lifts {
				// The document holds the chunk for certain, in spite of the
				// letter.
				if !weakened("an exception is never lifted") {
					a.except = without(a.except, d.key)
				}
				m.mark(a)
			}
		}
		if h := m.heat[d.key]; h > 1 {
			m.heat[d.key] = h - 1
		} else if h == 1 {
			delete(m.heat, d.key)
		}
		d.failures, d.blocked = 0, ""
		m.settleAll(d)
		m.release(d)
	case Conflict:
		// Somebody else wrote it: read, fold and write again at once.
		m.stats.Conflicts++
		m.cache.drop(d.key)
		if len(m.heat) >= maxHeat {
			clear(m.heat)
		}
		if !weakened("contended documents written with the others") {
			m.heat[d.key] = hotFor
		}
		if weakened("a pause after a conflict") {
			m.delay(d)
			return
		}
		m.release(d)
	case Rejected:
		if !m.suspect(d) {
			for _, p := range d.writing {
				m.resolve(p, rejected, d.answer.Reason)
			}
		}
		m.release(d)
	default:
		m.delay(d)
	}
}

func (m *Machine) count(d *document) {
	m.stats.DocumentsWritten++
	m.stats.WrittenByClass[min(int(d.class), len(m.stats.WrittenByClass)-1)]++
	if !d.exists {
		m.stats.Created++
	}
	if !d.fresh {
		m.stats.Confirmed++
	}
	if d.aged > 0 {
		m.stats.AtRisk += int64(d.aged)
		m.report(Incident{Kind: AtRisk, Key: d.key, Reason: fmt.Sprintf("%d chunk ids without a marker were older than the ledger", d.aged)})
	}
}

func (m *Machine) end(t *task) {
	if m.busy[t.lane] == t {
		m.busy[t.lane] = nil
	} else {
		m.marking = false
	}
}
