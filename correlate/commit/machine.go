package commit

import (
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"
)

// RequestKind tells requests apart.
type RequestKind uint8

// The requests.
const (
	Read RequestKind = iota
	Write
	Bury
	// Fold is carried out with Request.Fold: computing, no I/O. There is one at
	// a time.
	Fold
)

// Request is what a Machine wants done.
type Request struct {
	Kind     RequestKind
	Keys     []Key    // Read
	Ops      []Op     // Write
	Letters  []Letter // Bury
	Deadline time.Time
	// Chunks is the number of chunks it is made for, Records that of their
	// records, for tracing.
	Chunks, Records int

	task    *task    // none for a Bury
	chunk   *chunk   // of a Bury
	bulk    *bulk    // of a Write
	folding *folding // of a Fold
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
	// ahead takes calm documents too, while the write of the other lane is on
	// its way: where that left so much behind that it is another full write.
	ahead
	lanes
)

// hotFor is how many writes without a conflict make a document calm again.
const hotFor = 4

// The parts of MaxApplied from which a document's room is cared for.
const (
	// lookFrom: the markers of ids that other processes left there are looked
	// for.
	lookFrom = 20
	// markFrom: a chunk is OK only after its marker is acknowledged.
	markFrom = 4
	// reserve: this much is kept for chunks that some document holds already.
	reserve = 8
)

// document is a document with contributions waiting.
type document struct {
	key      Key
	class    Class
	waiting  []*part
	owner    *task
	queued   bool
	failures int
	until    time.Time
	parked   *gate   // the gate it waits behind
	probes   []*gate // those it is the probe of
	blocked  string  // the index whose failure keeps it from being done

	// While a task owns it:
	env       envelope
	exists    bool
	version   Version
	confirmed bool     // env is what this process had acknowledged
	aged      int      // ids that were left out because of their age
	lifts     []marker // that except it, though it holds the chunk
	writing   []*part  // what the write holds
	fresh     bool     // some of it for the first time
	// unreadable: what is stored is no state that this version can read.
	unreadable error
	state      []byte  // what is written, nil where only effects are
	answer     Written // to the write
}

// phase is where a task stands.
type phase uint8

const (
	reading phase = iota
	looking
	writing
)

// task takes some documents through one round: read, look up the markers,
// fold, write. A task without documents writes markers.
type task struct {
	lane     lane
	phase    phase
	round    uint64
	deadline time.Time // the latest of the chunks'
	docs     []*document
	read     []*document
	chunks   []*chunk
	foreign  []applied
	// While it writes: the documents still to be folded, and how many bulks
	// are on their way.
	left  []*document
	bulks int
}

// bulk is one write of a task: as many of its documents as go into a request.
// They are rendered when there is a request to send them with, so that memory
// is bounded by what is on its way, and Elasticsearch works on the first while
// the next are folded.
type bulk struct {
	docs []*document
	ops  []taskOp
	size int // of the bodies, in bytes
	// blocks hold the bodies one after the other, the last one is being
	// filled. A body that it has no room for has its own memory.
	blocks []*block
}

// block is memory for bodies, used again once their bulk is answered.
type block struct {
	used int
	b    [128 << 10]byte
}

var blocks = sync.Pool{New: func() any { return new(block) }}

// room returns where the next body may be appended.
func (b *bulk) room() []byte {
	if len(b.blocks) == 0 {
		b.blocks = append(b.blocks, blocks.Get().(*block))
	}
	l := b.blocks[len(b.blocks)-1]
	return l.b[l.used:l.used]
}

// take keeps a body that was appended to room, and returns it.
func (b *bulk) take(body []byte) []byte {
	l := b.blocks[len(b.blocks)-1]
	if l.used+len(body) <= len(l.b) {
		l.used += len(body)
	} else {
		b.blocks = append(b.blocks, blocks.Get().(*block))
	}
	return body[:len(body):len(body)]
}

// free gives the bodies' memory back: the request has been answered, and
// nobody reads them any more.
func (b *bulk) free() {
	for _, l := range b.blocks {
		l.used = 0
		blocks.Put(l)
	}
	b.blocks = nil
}

func (t *task) records() (n int) {
	for _, c := range t.chunks {
		n += c.records
	}
	return n
}

// taskOp is what an Op is for: a document, an effect of one, or, with
// neither, a marker.
type taskOp struct {
	key    Key
	doc    *document
	effect bool
	marker marker
}

// Machine is the commit protocol: it is told of chunks, answers and the time,
// and tells which requests to make. It does no I/O, has no clock and starts
// no goroutine. It is not safe for concurrent use, but for Request.Fold.
type Machine struct {
	o     MachineOptions
	model Model
	rand  *rand.Rand

	chunks   map[ChunkID]*chunk
	docs     map[Key]*document
	ready    [lanes][]*document
	delayed  []*document
	busy     [lanes]*task
	coming   int       // chunks that will be submitted soon
	gathered time.Time // until when what is in ready[calm] may wait for more
	left     int       // how many in ready[calm] no longer wait for others
	outbox   []*Request
	cache    *cache
	heat     map[Key]int
	ledger   *ledger
	pending  []marker // to be written
	queued   map[ChunkID]bool
	panics   map[ChunkID]int // by chunk and document: letterID
	all      gate
	gates    map[string]*gate   // those that are or may get closed
	stuck    map[ChunkID]string // the index in the way of a chunk
	turn     int
	verdict  verdict
	since    time.Time // when the first of pending came
	rest     time.Time // no marker is sent before, as the last one failed
	marking  bool      // a write of markers alone is under way
	rounds   uint64
	window   int   // see fit
	folds    *task // that a fold is under way for
	folding  folding
	now      time.Time // the latest time the machine was told
	stats    Stats
	told     incidents
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
		ledger: newLedger(rememberedMarkers),
		queued: map[ChunkID]bool{},
		panics: map[ChunkID]int{},
		gates:  map[string]*gate{},
		stuck:  map[ChunkID]string{},
		window: max(o.MaxDocuments, o.BulkOps),
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
	return len(m.chunks) == 0 && len(m.pending) == 0 && !m.marking && m.busy == [lanes]*task{}
}

// Submit takes a chunk; done is called once, by any method, and must do no more
// than note the result. A chunk that is under way already is not taken twice:
// it is waited for.
func (m *Machine) Submit(c Chunk, now time.Time, done func(Result)) {
	m.now = now
	replay := replayOfLetter(&c)
	if under := m.chunks[c.ID]; under != nil && !weakened("the same chunk in flight twice is folded twice") {
		under.done = append(under.done, done)
		return
	}
	m.stats.Chunks++
	if len(c.Parts) == 0 {
		m.stats.OK++
		done(OK)
		return
	}
	ch := &chunk{
		id: c.ID, minute: c.Minute, records: c.Records, deadline: c.Deadline, replay: replay,
		parts: make([]part, len(c.Parts)), outcomes: outcomes{undecided: len(c.Parts)}, done: []func(Result){done},
	}
	m.chunks[c.ID] = ch
	for i := range c.Parts {
		p := &c.Parts[i]
		d := m.docs[p.Key]
		if d == nil {
			// It may outlast the chunk.
			d = &document{key: Key{p.Key.Index, strings.Clone(p.Key.ID)}, class: p.Class}
			m.docs[d.key] = d
		}
		if d.parked != nil {
			d.waiting = slices.DeleteFunc(d.waiting, decided)
		}
		ch.parts[i] = part{chunk: ch, doc: d, delta: p.Delta, suspect: replay != nil}
		d.waiting = append(d.waiting, &ch.parts[i])
		m.queue(d)
	}
	if by := now.Add(c.Deadline.Sub(now) / patience); by.Before(m.gathered) {
		m.gathered = by
	}
}

// patience is the part of its time that a chunk may wait for others.
const patience = 8

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
	if l == calm && len(m.ready[l]) == 0 {
		m.gathered = m.now.Add(m.o.Gather)
	}
	m.ready[l] = append(m.ready[l], d)
}

// Expect says how many chunks will be submitted soon: what is ready waits for
// them a little, to be written once for all.
func (m *Machine) Expect(chunks int) { m.coming = chunks }

// may says whether the lane may take what is ready for it.
func (m *Machine) may(l lane) bool {
	return l == hot || m.free(l) && (m.coming == 0 || !m.now.Before(m.gathered))
}

// free says whether nothing under way keeps a lane of calm documents from
// starting.
func (m *Machine) free(l lane) bool {
	other := m.busy[calm+ahead-l]
	if other == nil {
		return l == calm
	}
	// What has come since collects: it is written once when this is done.
	return other.phase >= writing && m.left >= m.o.MaxDocuments
}

// Next returns the next request to make, nil where there is none for now.
func (m *Machine) Next(now time.Time) *Request {
	m.now = now
	m.wake()
	for l := range lanes {
		// One request at a time: it is on its way while the next is folded.
		for over := true; over && len(m.outbox) == 0; {
			if m.busy[l] == nil && m.may(l) {
				m.start(l)
			}
			over = m.goOn(l)
		}
	}
	if len(m.outbox) == 0 && len(m.pending) > 0 && !m.marking && !now.Before(m.markersDue()) && (!m.all.closed || m.all.due(now)) {
		// Nothing to travel with.
		m.marking, m.all.marker = true, m.all.closed
		m.write(&task{phase: writing}, &bulk{}, nil)
	}
	if len(m.outbox) == 0 {
		return nil
	}
	r := m.outbox[0]
	m.outbox = slices.Delete(m.outbox, 0, 1)
	return r
}

// Flush makes pending markers due at once.
func (m *Machine) Flush() { m.since, m.rest, m.all.until = time.Time{}, time.Time{}, time.Time{} }

// hurry makes pending markers due now, unless the ledger just failed.
func (m *Machine) hurry() { m.since = m.now.Add(-m.o.MarkerDelay) }

// markersDue returns when the pending markers are written if no other write
// takes them along.
func (m *Machine) markersDue() time.Time {
	if due := m.since.Add(m.o.MarkerDelay); due.After(m.rest) {
		return due
	}
	return m.rest
}

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
		if c.state != burying {
			sooner(c.deadline)
		}
	}
	for _, d := range m.delayed {
		sooner(d.until)
	}
	if len(m.pending) > 0 && !m.marking {
		switch due := m.markersDue(); {
		case !m.all.closed:
			sooner(due)
		case m.all.probe == nil && due.Before(m.all.until):
			sooner(m.all.until)
		case m.all.probe == nil:
			sooner(due)
		}
	}
	if m.all.closed && m.all.probe == nil && !m.all.marker && len(m.all.parked) > 0 {
		sooner(m.all.until)
	}
	for _, g := range m.gates {
		if g.closed && g.probe == nil && len(g.parked) > 0 && !m.behind(g) {
			sooner(g.until)
		}
	}
	for _, l := range [...]lane{calm, ahead} {
		if len(m.ready[calm]) > 0 && m.busy[l] == nil && m.free(l) {
			sooner(m.gathered)
		}
	}
	return at
}

// Tick gives back the chunks whose deadline has passed.
func (m *Machine) Tick(now time.Time) {
	m.now = now
	var late []*chunk
	for _, c := range m.chunks {
		due := c.deadline
		if weakened("a chunk stays beyond its deadline") {
			due = due.Add(time.Second)
		}
		if !now.Before(due) {
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
	m.probe()
}

// maxPending bounds the markers that wait. One that is dropped leaves its id
// in the documents: exactness doesn't suffer.
const maxPending = 1 << 14

// mark queues the marker of a chunk that is durable. It returns false where
// there is no room.
func (m *Machine) mark(a marker) bool {
	if m.queued[a.id] || m.ledger.knows(a) {
		return true
	}
	if len(m.pending) >= maxPending {
		return false
	}
	if len(m.pending) == 0 {
		m.since = m.now
	}
	m.queued[a.id] = true
	m.pending = append(m.pending, a)
	return true
}

func (m *Machine) answerMarker(a marker, w Written) {
	delete(m.queued, a.id)
	c := m.chunks[a.id]
	switch w.Status {
	case Done:
		m.stats.Markers++
		m.ledger.add(a.id, a.except)
	case Conflict:
		// Another marker is there, which may be taken back: the ids stay in
		// the documents until they are looked for.
	case Rejected:
		// The ids stay in the documents; the operator learns why.
		m.report(Incident{Kind: Unreachable, Key: m.markerKey(a.applied), Reason: w.Reason})
	default:
		if weakened("a failed marker counts as acknowledged") {
			m.ledger.add(a.id, a.except)
		} else {
			m.mark(a)
		}
		m.rest = m.now.Add(m.o.BackoffMax)
		return
	}
	if c != nil && c.state == marking {
		m.finish(c, OK)
	}
}
