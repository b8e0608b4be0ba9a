package commit

import (
	"errors"
	"slices"
	"time"

	"dossier/panics"
)

// folding is a Fold request: documents of a task that are folded and rendered
// into one bulk. From the time the request is handed out until its answer it
// belongs to whoever carries it out, while the machine goes on: it shares with
// the machine only what neither changes. There is one at a time, as the Model
// demands, so its memory is used again for the next.
type folding struct {
	model Model
	// bytes and most say when the bulk is large enough.
	bytes, most int

	items  []folded
	in     []Contribution // of all items, one after the other
	chunks []*chunk       // whose deltas these are
	bulk   *bulk
	ops    []Op
	done   int // items folded; the others wait for the next bulk

	state, encoded []byte // as they are encoded
}

// folded is one document of a folding.
type folded struct {
	doc  *document
	left int // its place in what the task has left
	// What is folded: the document as it stands in the task, with the ids of
	// what is added.
	key      Key
	class    Class
	exists   bool
	version  Version
	env      envelope
	from, to int  // its contributions
	write    bool // the document is written, not only its effects
	// What came of it:
	state []byte // none where only effects are made
	sends bool   // it has operations in the bulk
	err   error
}

// Fold carries out a request of that kind. It may run while the machine is
// told of other things; its answer is an empty one.
func (r *Request) Fold() {
	f := r.folding
	for f.done < len(f.items) && f.bulk.size < f.bytes && len(f.ops) < f.most {
		f.fold(&f.items[f.done])
		f.done++
	}
}

// fold folds one document and appends the operations it takes.
func (f *folding) fold(it *folded) {
	body, effects, err := f.render(it)
	if err != nil {
		it.err, it.state = err, nil
		return
	}
	if it.write {
		op := Op{Kind: Create, Key: it.key, Body: body}
		if it.exists {
			op.Kind, op.Version = Replace, it.version
		}
		if it.exists && weakened("write over whatever is there") || !it.exists && weakened("open a document over one that is there") {
			op.Kind = Put
		}
		f.add(op, taskOp{key: it.key, doc: it.doc})
	}
	for _, e := range effects {
		f.add(Op{Kind: Create, Key: e.Key, Body: e.Body}, taskOp{key: e.Key, doc: it.doc, effect: true})
	}
	it.sends = it.write || len(effects) > 0
}

func (f *folding) add(op Op, o taskOp) {
	f.ops = append(f.ops, op)
	f.bulk.ops = append(f.bulk.ops, o)
	f.bulk.size += len(op.Body)
}

// render folds a document and, if it shall be written, encodes its state and
// renders it. A panic there is an error like any other.
func (f *folding) render(it *folded) (body []byte, effects []Effect, err error) {
	defer panics.Into(&err, "a fold")
	var payload []byte
	if it.exists {
		if payload, err = it.env.unpack(); err != nil {
			return nil, nil, err
		}
	}
	next, err := f.model.Fold(it.key, it.class, payload, f.in[it.from:it.to])
	if err != nil {
		return nil, nil, err
	}
	if it.write {
		f.state = next.AppendState(f.state[:0])
		it.env.payload, it.env.packing = f.state, packNone
		f.encoded = it.env.append(f.encoded[:0])
		it.state = slices.Clone(f.encoded) // of the size it has: the cache keeps it
		body = f.bulk.take(next.AppendDocument(f.bulk.room(), it.state))
	}
	effects = next.Effects()
	for i := range effects {
		effects[i].Body = f.bulk.take(append(f.bulk.room(), effects[i].Body...))
	}
	return body, effects, nil
}

// goOn prepares the next fold of the lane's task, as far as there may be
// another bulk on its way and no fold is under way. It says whether the task is
// over: nothing was left to write.
func (m *Machine) goOn(l lane) (over bool) {
	t := m.busy[l]
	if t == nil || t.phase != writing || m.folds != nil && !weakened("two folds at a time") || t.bulks >= m.o.Bulks {
		return false
	}
	if m.prepare(t) {
		m.folds = t
		m.outbox = append(m.outbox, &Request{Kind: Fold, Chunks: len(t.chunks), task: t, folding: &m.folding})
		return false
	}
	if over = t.bulks == 0; over {
		m.end(t)
	}
	return over
}

// prepare chooses what of the task is folded next. It returns false where there
// is nothing.
func (m *Machine) prepare(t *task) bool {
	f := &m.folding
	f.model, f.bytes, f.most = m.model, m.o.BulkBytes, min(m.o.BulkOps, m.window)
	f.items, f.in, f.chunks, f.done = f.items[:0], f.in[:0], f.chunks[:0], 0
	// A body is longer than its state was: what is surely too much isn't
	// prepared.
	size := 0
	for i := 0; i < len(t.left) && len(f.items) < f.most && size < f.bytes; i++ {
		if m.prepareDocument(t, t.left[i], i) {
			size += len(f.items[len(f.items)-1].env.payload)
		}
	}
	if len(f.items) == 0 {
		t.left = nil
		return false
	}
	for _, it := range f.items {
		for _, p := range it.doc.writing {
			if !p.chunk.lent {
				p.chunk.lent = true
				f.chunks = append(f.chunks, p.chunk)
			}
		}
	}
	// A document seldom has more than one effect.
	room := min(2*len(f.items), m.o.BulkOps)
	f.bulk, f.ops = &bulk{ops: make([]taskOp, 0, room)}, make([]Op, 0, room)
	return true
}

// prepareDocument makes an item of what waits for d. It returns false where
// nothing is to be folded; then the document is released.
func (m *Machine) prepareDocument(t *task, d *document, left int) bool {
	if d.owner != t || !weakened("what is folded already when a gate closes goes on") && m.barred(d) {
		return false
	}
	blind := m.choose(t, d)
	if len(d.writing) == 0 {
		if blind {
			m.delay(d)
		} else {
			m.release(d)
		}
		return false
	}
	f := &m.folding
	it := folded{
		doc: d, left: left, key: d.key, class: d.class, exists: d.exists, version: d.version, env: d.env,
		from: len(f.in),
	}
	d.fresh = false
	it.env.applied = slices.Grow(d.env.applied, len(d.writing))
	for i, p := range d.writing {
		d.fresh = d.fresh || !p.held
		if c := p.chunk; !p.held && (i == 0 || d.writing[i-1].chunk != c) {
			it.env.applied = append(it.env.applied, applied{id: c.entry(), minute: c.minute, since: minute(m.now)})
		}
		// What a read shows may be rolled back: it is written again unless
		// this process had it acknowledged.
		it.write = it.write || !p.held || !d.confirmed && !weakened("no confirming write")
		if p.held && d.confirmed && d.env.isComplete(p.chunk.id) {
			// A backlog that takes longer than the deadline comes again and
			// again: what is known to be there isn't made each time.
			continue
		}
		f.in = append(f.in, Contribution{Chunk: p.chunk.id, Delta: p.delta, Applied: p.held})
	}
	if it.to = len(f.in); it.to == it.from {
		m.fillsUp(d)
		m.settleAll(d)
		m.release(d)
		return false
	}
	f.items = append(f.items, it)
	return true
}

// answerFold takes what was folded and sends it.
func (m *Machine) answerFold(t *task, f *folding, a Answer) {
	m.folds = nil
	if a.Err != nil {
		// It was not carried out.
		f.done = 0
		for i := range f.items {
			m.delay(f.items[i].doc)
		}
		t.left = t.left[f.items[len(f.items)-1].left+1:]
	}
	for i := range f.items[:f.done] {
		m.answerFolded(t, f.bulk, &f.items[i])
	}
	switch {
	case a.Err != nil:
	case f.done < len(f.items):
		t.left = t.left[f.items[f.done].left:]
	default:
		t.left = t.left[f.items[f.done-1].left+1:]
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
	b.free()
	if len(t.left) == 0 && t.bulks == 0 {
		m.end(t)
	}
}

func (m *Machine) answerFolded(t *task, b *bulk, it *folded) {
	d := it.doc
	switch {
	case it.err == nil:
	case errors.Is(it.err, ErrNotOpened):
		m.settleAll(d)
		m.release(d)
		return
	default:
		if p, ok := errors.AsType[*panics.Panic](it.err); ok {
			m.panicked(d, p)
			return
		}
		d.unreadable = it.err
		m.leave(t, d)
		return
	}
	d.env, d.state = it.env, it.state
	m.fillsUp(d)
	if !it.sends {
		// Everything is there and acknowledged.
		m.settleAll(d)
		m.release(d)
		return
	}
	b.docs = append(b.docs, d)
}

// maxPanics is how often a chunk may make the fold of a document panic alone
// before it is condemned for it; maxPanicked bounds the pairs remembered.
const (
	maxPanics   = 3
	maxPanicked = 1 << 12
)

// panicked decides about a document whose fold or rendering broke down. It may
// be one of the chunks, which would come for ever; or something that passes.
func (m *Machine) panicked(d *document, p *panics.Panic) {
	m.stats.Panics++
	in := Incident{Kind: Panicked, Key: d.key, Err: p, Reason: p.Error(), Stack: []byte(p.Stack)}
	if m.suspect(d) {
		m.report(in)
		m.release(d)
		return
	}
	// It outlasts the chunk, which may be given back before it has its three
	// attempts.
	id := letterID(d.writing[0].chunk.id, d.key)
	if m.panics[id]++; m.panics[id] == 1 {
		m.report(in)
	}
	last := m.panics[id] >= maxPanics && !weakened("a panic of the fold is retried for ever")
	if !last && !weakened("a panic of the fold is dead-lettered at once") {
		if len(m.panics) > maxPanicked {
			clear(m.panics)
		}
		m.delay(d)
		return
	}
	delete(m.panics, id)
	for _, p := range d.writing {
		m.resolve(p, rejected, "panic")
	}
	m.release(d)
}

// fillsUp notes how many ids d holds.
func (m *Machine) fillsUp(d *document) {
	m.stats.MaxApplied = max(m.stats.MaxApplied, int64(len(d.env.applied)))
	if len(d.env.applied) >= m.o.MaxApplied/markFrom {
		// The document is filling up. A process that crashes between a
		// chunk's OK and its marker leaves the id there for as long as the
		// ledger is kept; from here on the marker comes first.
		for _, p := range d.writing {
			p.chunk.markerFirst = true
		}
	}
}

// choose puts into d.writing what of d is folded in this round, and says
// whether something waits for its marker. What is suspect is
// folded chunk by chunk.
func (m *Machine) choose(t *task, d *document) (blind bool) {
	d.writing = d.writing[:0]
	var first *part
	for _, p := range d.waiting {
		if !p.canProceed(t) {
			blind = blind || p.awaitsMarker(t)
			continue
		}
		if first == nil {
			first = p
		}
		if p.chunk == first.chunk || !first.suspect && !p.suspect && !weakened("one chunk for each write") {
			d.writing = append(d.writing, p)
		}
	}
	return blind
}

// suspect makes the chunks in d.writing be written one at a time from now on.
// It returns false where there is but one.
func (m *Machine) suspect(d *document) bool {
	if d.writing[0].chunk == d.writing[len(d.writing)-1].chunk || weakened("all chunks of a rejected document are buried") {
		return false
	}
	for _, p := range d.writing {
		p.suspect = true
	}
	return true
}

func (m *Machine) settleAll(d *document) {
	for _, p := range d.writing {
		m.resolve(p, settled, "")
	}
}

func minute(t time.Time) uint32 { return uint32(t.Unix() / 60) }
