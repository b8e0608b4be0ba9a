package commit

import (
	"errors"
	"slices"
	"time"

	"dossier/panics"
)

// beginFold sees which of the task's contributions its documents hold already,
// and makes room for the others.
func (m *Machine) beginFold(t *task) {
	for _, a := range t.attempts {
		if weakened("ids are taken out before a replay looks for its chunk's") {
			m.prune(a)
		}
		// Before anything is pruned: the marker that a replay asked for may have
		// been acknowledged since, and lets its chunk's id leave the document.
		m.findHeld(t, a)
		m.prune(a)
	}
	for _, a := range t.attempts {
		if a.current() && a.unreadable != nil {
			m.leaveUnreadable(t, a)
		}
	}
	m.refuse(t)
	t.phase, t.unfolded = writing, t.attempts
}

// leaveUnreadable leaves a document alone, and takes parts from it. If a newer
// version wrote it, they wait on Fluent Bit's disk for this sensor's update;
// else whoever can write to the index could stall every sensor, so they are
// rejected, for this document alone.
func (m *Machine) leaveUnreadable(t *task, a *attempt) {
	err := a.unreadable
	awaits := false
	var parts []*part
	for _, p := range a.doc.waiting {
		if p.canProceed(t) {
			parts = append(parts, p)
		} else {
			awaits = awaits || p.awaitsMarker(t)
		}
	}
	if len(parts) == 0 && awaits {
		m.delay(a)
		return
	}
	newer := errors.Is(err, ErrNewer) && !weakened("a newer major version is dead-lettered")
	if newer || weakened("a corrupt state stalls its chunks") {
		m.report(Incident{Kind: Newer, Key: a.doc.key, Err: err, Reason: err.Error()})
		for _, p := range parts {
			if weakened("a newer version's document holds up the rest of its chunk") {
				m.giveBack(p.chunk)
			}
			m.resolve(p, blocked, "")
		}
	} else {
		m.report(Incident{Kind: Unreadable, Key: a.doc.key, Err: err, Reason: err.Error()})
		m.stats.Unreadable++
		for _, p := range parts {
			if c := p.chunk; c.replay != nil && !decided(p) {
				m.finish(c, StillUnreadable)
			} else {
				m.resolve(p, rejected, "unreadable_state: "+err.Error())
			}
		}
	}
	if awaits {
		m.delay(a)
	} else {
		m.release(a)
	}
}

// nextFold prepares the next fold of the lane's task, as far as there may be
// another bulk on its way and no fold is under way. It says whether the task is
// over: nothing was left to write.
func (m *Machine) nextFold(l lane) (over bool) {
	t := m.lanes.busy[l]
	if t == nil || t.phase != writing || m.foldsFor != nil && !weakened("two folds at a time") || t.bulks >= m.o.Bulks {
		return false
	}
	if m.prepare(t) {
		m.foldsFor = t
		m.outbox = append(m.outbox, &Request{Kind: Fold, Chunks: len(t.chunks), task: t, folding: &m.folding})
		return false
	}
	if over = t.bulks == 0; over {
		m.endTask(t)
	}
	return over
}

// prepare chooses what of the task is folded next. It returns false where there
// is nothing.
func (m *Machine) prepare(t *task) bool {
	f := &m.folding
	f.model, f.bytes, f.most = m.model, m.o.BulkBytes, min(m.o.BulkOps, m.window)
	f.items, f.in, f.chunks, f.done, f.untold = f.items[:0], f.in[:0], f.chunks[:0], 0, false
	// A body is longer than its state was: what is surely too much isn't
	// prepared.
	size := 0
	for i := 0; i < len(t.unfolded) && len(f.items) < f.most && size < f.bytes; i++ {
		if m.prepareDocument(t, t.unfolded[i], i) {
			size += len(f.items[len(f.items)-1].env.payload)
		}
	}
	if len(f.items) == 0 {
		t.unfolded = nil
		return false
	}
	for _, it := range f.items {
		for _, p := range it.attempt.writing {
			if !p.chunk.lent {
				p.chunk.lent = true
				f.chunks = append(f.chunks, p.chunk)
			}
		}
	}
	// A document seldom has more than one effect.
	ops := min(2*len(f.items), m.o.BulkOps)
	f.bulk, f.ops = &bulk{ops: make([]bulkOp, 0, ops)}, make([]Op, 0, ops)
	return true
}

// prepareDocument makes an item of what waits for a document. It returns false
// where nothing is to be folded; then the document is released.
func (m *Machine) prepareDocument(t *task, a *attempt, place int) bool {
	if !a.current() || !weakened("what is folded already when a gate closes goes on") && m.barred(a) {
		return false
	}
	awaits, follows := a.choose(t)
	if len(a.writing) == 0 {
		switch {
		case awaits:
			m.delay(a)
		case follows:
			m.follow(a)
		default:
			m.release(a)
		}
		return false
	}
	f := &m.folding
	it := folded{
		attempt: a, place: place, key: a.doc.key, class: a.doc.class, exists: a.exists, version: a.version, env: a.env,
		from: len(f.in),
	}
	a.fresh = false
	it.env.applied = slices.Grow(a.env.applied, len(a.writing))
	for i, p := range a.writing {
		a.fresh = a.fresh || !p.held
		if c := p.chunk; !p.held && (i == 0 || a.writing[i-1].chunk != c) {
			it.env.applied = append(it.env.applied, applied{id: c.entry(), minute: c.minute, since: minute(m.now)})
		}
		// What a read shows may be rolled back: it is written again unless
		// this process had it acknowledged.
		it.write = it.write || !p.held || !a.confirmed && !weakened("no confirming write")
		// A backlog that takes longer than the deadline comes again and again:
		// what is known to be there isn't made each time.
		complete := p.held && a.confirmed && a.env.isComplete(p.chunk.id)
		if complete && !p.leads {
			continue
		}
		f.in = append(f.in, Contribution{Chunk: p.chunk.id, Delta: p.delta, Applied: p.held, Complete: complete})
		it.leads = it.leads || p.leads
		it.led = it.led || !a.exists && p.leader != nobody
		m.tell(p)
	}
	if it.to = len(f.in); it.to == it.from {
		m.noteFilling(a)
		m.settleAll(a)
		m.release(a)
		return false
	}
	f.items = append(f.items, it)
	return true
}

// choose puts into a.writing what is folded in this round, and says whether
// something awaits its marker, or waits for what leads it. What is suspect is
// folded chunk by chunk.
func (a *attempt) choose(t *task) (awaits, follows bool) {
	a.writing = a.writing[:0]
	var first *part
	for _, p := range a.doc.waiting {
		if !p.canProceed(t) {
			awaits = awaits || p.awaitsMarker(t)
			continue
		}
		if !a.exists && p.waitsForLeader() {
			follows = true
			continue
		}
		if first == nil {
			first = p
		}
		if p.chunk == first.chunk || !first.suspect && !p.suspect && !weakened("one chunk for each write") {
			a.writing = append(a.writing, p)
		}
	}
	return awaits, follows
}

// answerFold takes what was folded and sends it.
func (m *Machine) answerFold(t *task, f *folding, answer Answer) {
	m.foldsFor, m.leadersChanged = nil, true
	if answer.Err != nil {
		// It was not carried out.
		f.done = 0
		for i := range f.items {
			m.delay(f.items[i].attempt)
		}
	}
	for i := range f.items {
		if it := &f.items[i]; it.leads && (i >= f.done || it.err != nil) {
			m.untell(it.attempt)
		}
	}
	for i := range f.items[:f.done] {
		m.answerFolded(t, f.bulk, &f.items[i])
	}
	if answer.Err == nil && f.done < len(f.items) {
		t.unfolded = t.unfolded[f.items[f.done].place:]
	} else {
		t.unfolded = t.unfolded[f.items[len(f.items)-1].place+1:]
	}
	// Only now may those who own the deltas use their memory again.
	clear(f.in)
	for _, c := range f.chunks {
		c.lent = false
		if c.state == ended {
			m.tellDone(c)
		}
	}
	clear(f.chunks)
	b, ops := f.bulk, f.ops
	clear(f.items)
	f.bulk, f.ops = nil, nil
	if len(ops) > 0 {
		m.write(t, b, ops)
		return
	}
	b.recycle()
	if len(t.unfolded) == 0 && t.bulks == 0 {
		m.endTask(t)
	}
}

func (m *Machine) answerFolded(t *task, b *bulk, it *folded) {
	a := it.attempt
	switch {
	case it.err == nil:
	case errors.Is(it.err, ErrNotOpened):
		m.settleAll(a)
		m.release(a)
		return
	case errors.Is(it.err, errUntold):
		m.release(a)
		return
	default:
		if p, ok := errors.AsType[*panics.Panic](it.err); ok {
			m.panicked(a, p)
			return
		}
		a.unreadable = it.err
		m.leaveUnreadable(t, a)
		return
	}
	a.env, a.state = it.env, it.state
	m.noteFilling(a)
	if !it.sends {
		// Everything is there and acknowledged.
		m.settleAll(a)
		m.release(a)
		return
	}
	b.attempts = append(b.attempts, a)
}

// maxPanics is how often a chunk may make the fold of a document panic alone
// before it is rejected for it; maxPanicked bounds the pairs remembered.
const (
	maxPanics   = 3
	maxPanicked = 1 << 12
)

// panicked decides about a document whose fold or rendering broke down. It may
// be one of the chunks, which would come for ever; or something that passes.
func (m *Machine) panicked(a *attempt, p *panics.Panic) {
	m.stats.Panics++
	in := Incident{Kind: Panicked, Key: a.doc.key, Err: p, Reason: p.Error(), Stack: []byte(p.Stack)}
	if a.separate() {
		m.report(in)
		m.release(a)
		return
	}
	// It outlasts the chunk, which may be given back before it has its three
	// attempts.
	id := letterID(a.writing[0].chunk.id, a.doc.key)
	if m.panics[id]++; m.panics[id] == 1 {
		m.report(in)
	}
	last := m.panics[id] >= maxPanics && !weakened("a panic of the fold is retried for ever")
	if !last && !weakened("a panic of the fold is dead-lettered at once") {
		if len(m.panics) > maxPanicked {
			clear(m.panics)
		}
		m.delay(a)
		return
	}
	delete(m.panics, id)
	for _, p := range a.writing {
		m.resolve(p, rejected, "panic")
	}
	m.release(a)
}

func minute(t time.Time) uint32 { return uint32(t.Unix() / 60) }
