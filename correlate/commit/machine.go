package commit

import (
	"math/rand/v2"
	"slices"
	"time"
)

// RequestKind tells requests apart.
type RequestKind uint8

// The requests.
const (
	Read RequestKind = iota
	Write
	Bury
)

// Request is what a Machine wants done.
type Request struct {
	Kind     RequestKind
	Keys     []Key    // Read
	Ops      []Op     // Write
	Letters  []Letter // Bury
	Deadline time.Time

	task *task
	// Chunks and Conflicts describe the commit for tracing.
	Chunks, Round int
}

// Answer is what became of a Request. With Err nothing is known about any of
// it.
type Answer struct {
	Stored  []Stored
	Written []Written
	Err     error
}

// lane separates contended documents, whose writes must follow their reads at
// once, from the many others.
type lane uint8

const (
	calm lane = iota
	hot
	lanes
)

// hotFor is how many writes without a conflict make a document calm again.
const hotFor = 4

// part is one contribution under way.
type part struct {
	chunk *chunk
	class Class
	key   Key
	delta any
	// settled: durable, dead-lettered or given up.
	settled bool
}

// chunk is a chunk under way.
type chunk struct {
	id       ChunkID
	minute   uint32
	deadline time.Time
	left     int
	parts    []*part
	done     []func(Result)
	over     bool
}

// document is a document with contributions waiting.
type document struct {
	key     Key
	class   Class
	waiting []*part
	owner   *task
	queued  bool
	// alone: its contributions are written one chunk at a time, to find the
	// one that is rejected.
	alone    bool
	failures int
	until    time.Time

	// While a task owns it:
	env       envelope
	exists    bool
	version   Version
	confirmed bool    // env is what this process had acknowledged
	writing   []*part // what the write holds
	state     []byte  // what is written, nil where only effects are
	answer    Written // to the write
}

// phase is where a task stands.
type phase uint8

const (
	reading phase = iota
	looking
	writing
	burying
)

// task takes some documents through one round: read, look up the markers,
// fold, write.
type task struct {
	lane    lane
	phase   phase
	docs    []*document
	read    []*document
	chunks  []*chunk
	looked  map[*chunk]bool
	foreign []applied
	buried  []*document
	letters []*part
	ops     []taskOp
}

// taskOp is an Op and what it is for: a document, an effect of one, or, with
// neither, a marker.
type taskOp struct {
	op     Op
	doc    *document
	effect bool
	marker applied
}

// Machine is the commit protocol: it is told of chunks, answers and the time,
// and tells which requests to make. It does no I/O, has no clock and starts
// no goroutine. It is not safe for concurrent use.
type Machine struct {
	o     MachineOptions
	model Model
	rand  *rand.Rand

	chunks  map[ChunkID]*chunk
	docs    map[Key]*document
	ready   [lanes][]*document
	delayed []*document
	busy    [lanes]*task
	outbox  []*Request
	cache   *cache
	heat    map[Key]int
	marked  *idSet
	pending []applied // markers to write
	queued  map[ChunkID]bool
	since   time.Time // when the first of pending came
	marking bool      // a write of markers alone is under way
	now     time.Time // the latest time the machine was told
	stats   Stats
}

// NewMachine returns a Machine that folds with model.
func NewMachine(o MachineOptions, model Model) (*Machine, error) {
	if err := o.setDefaults(); err != nil {
		return nil, err
	}
	return &Machine{
		o:      o,
		model:  model,
		rand:   rand.New(rand.NewPCG(o.Seed, 0)),
		chunks: map[ChunkID]*chunk{},
		docs:   map[Key]*document{},
		cache:  newCache(o.CacheBytes),
		heat:   map[Key]int{},
		marked: newIDSet(1 << 16),
		queued: map[ChunkID]bool{},
	}, nil
}

// Stats returns what the machine did so far.
func (m *Machine) Stats() Stats {
	s := m.stats
	s.CacheBytes, s.CacheEntries, s.Evicted = m.cache.bytes, int64(len(m.cache.entries)), m.cache.evicted
	return s
}

// Idle says whether nothing is under way, markers included.
func (m *Machine) Idle() bool {
	return len(m.chunks) == 0 && len(m.docs) == 0 && len(m.pending) == 0 && !m.marking &&
		m.busy[calm] == nil && m.busy[hot] == nil
}

// Submit takes a chunk; done is called once, by Submit, Answer or Tick. A
// chunk that is under way already is not taken twice: it is waited for.
func (m *Machine) Submit(c Chunk, now time.Time, done func(Result)) {
	m.now = now
	if under := m.chunks[c.ID]; under != nil {
		under.done = append(under.done, done)
		return
	}
	m.stats.Chunks++
	if len(c.Parts) == 0 {
		m.stats.OK++
		done(OK)
		return
	}
	ch := &chunk{id: c.ID, minute: c.Minute, deadline: c.Deadline, left: len(c.Parts), done: []func(Result){done}}
	m.chunks[c.ID] = ch
	all := make([]part, len(c.Parts))
	ch.parts = make([]*part, len(c.Parts))
	for i, p := range c.Parts {
		all[i] = part{chunk: ch, class: p.Class, key: p.Key, delta: p.Delta}
		ch.parts[i] = &all[i]
		d := m.docs[p.Key]
		if d == nil {
			d = &document{key: p.Key, class: p.Class}
			m.docs[p.Key] = d
		}
		d.waiting = append(d.waiting, &all[i])
		m.queue(d)
	}
}

// queue makes d ready for the next task, unless it is owned, delayed or
// queued already.
func (m *Machine) queue(d *document) {
	if d.owner != nil || d.queued {
		return
	}
	d.queued = true
	l := calm
	if m.heat[d.key] > 0 {
		l = hot
	}
	m.ready[l] = append(m.ready[l], d)
}

// Next returns the next request to make, nil where there is none for now.
func (m *Machine) Next(now time.Time) *Request {
	m.now = now
	m.wake()
	for l := range lanes {
		if m.busy[l] == nil {
			m.start(l)
		}
	}
	if len(m.outbox) == 0 && len(m.pending) > 0 && !m.marking && now.Sub(m.since) >= m.o.MarkerDelay {
		// Nothing to travel with.
		t := &task{phase: writing}
		m.marking = true
		m.write(t)
	}
	if len(m.outbox) == 0 {
		return nil
	}
	r := m.outbox[0]
	m.outbox = slices.Delete(m.outbox, 0, 1)
	return r
}

// Flush makes pending markers due at once.
func (m *Machine) Flush() { m.since = time.Time{} }

// Wake returns when Next or Tick has something to do by the clock alone, the
// zero time where it has nothing.
func (m *Machine) Wake() time.Time {
	var at time.Time
	sooner := func(t time.Time) {
		if at.IsZero() || t.Before(at) {
			at = t
		}
	}
	for _, c := range m.chunks {
		sooner(c.deadline)
	}
	for _, d := range m.delayed {
		sooner(d.until)
	}
	if len(m.pending) > 0 && !m.marking {
		sooner(m.since.Add(m.o.MarkerDelay))
	}
	return at
}

// Tick gives back the chunks whose deadline has passed.
func (m *Machine) Tick(now time.Time) {
	m.now = now
	var late []*chunk
	for _, c := range m.chunks {
		if !now.Before(c.deadline) {
			late = append(late, c)
		}
	}
	// In a fixed order, whatever the map's.
	slices.SortFunc(late, func(a, b *chunk) int { return slices.Compare(a.id[:], b.id[:]) })
	for _, c := range late {
		m.giveBack(c)
	}
}

func (m *Machine) wake() {
	still := m.delayed[:0]
	for _, d := range m.delayed {
		if m.now.Before(d.until) {
			still = append(still, d)
			continue
		}
		d.queued = false
		m.queue(d)
	}
	clear(m.delayed[len(still):])
	m.delayed = still
}

// settle takes p as done; with the last part its chunk is.
func (m *Machine) settle(p *part) {
	if p.settled {
		return
	}
	p.settled = true
	p.chunk.left--
	if p.chunk.left == 0 && !p.chunk.over {
		m.mark(applied{id: p.chunk.id, minute: p.chunk.minute})
		m.finish(p.chunk, OK)
	}
}

// giveBack ends a chunk undone. What of it is written already is found by its
// id when it comes again.
func (m *Machine) giveBack(c *chunk) {
	if !c.over {
		m.finish(c, Retry)
	}
}

func (m *Machine) finish(c *chunk, r Result) {
	c.over = true
	delete(m.chunks, c.id)
	for _, p := range c.parts {
		p.settled = true
		p.delta = nil
		// What nobody owns and nobody waits for is forgotten with its chunk.
		if d := m.docs[p.key]; d != nil && d.owner == nil && !d.queued {
			m.release(d)
		}
	}
	if r == OK {
		m.stats.OK++
	} else {
		m.stats.Retried++
	}
	for _, done := range c.done {
		done(r)
	}
	c.parts, c.done = nil, nil
}

// maxPending bounds the markers that wait. One that is dropped leaves its id
// in the documents: exactness doesn't suffer.
const maxPending = 1 << 14

// mark queues the marker of a chunk that is durable.
func (m *Machine) mark(a applied) {
	if m.queued[a.id] || m.marked.has(a.id) || len(m.pending) >= maxPending {
		return
	}
	if len(m.pending) == 0 {
		m.since = m.now
	}
	m.queued[a.id] = true
	m.pending = append(m.pending, a)
}

func (m *Machine) answerMarker(a applied, w Written) {
	delete(m.queued, a.id)
	switch w.Status {
	case Done:
		m.stats.Markers++
		m.marked.add(a.id)
	case Rejected:
		// The ids stay in the documents; the operator learns why.
		m.o.Report(Incident{Kind: Unreachable, Key: m.markerKey(a.id, a.minute), Reason: w.Reason})
	default:
		m.mark(a)
		m.since = m.now.Add(m.o.BackoffMax)
	}
}
