package commit

import (
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// Machine is the commit protocol: it is told of chunks, answers and the time, and
// tells which requests to make, without I/O, a clock or goroutines. It is not safe
// for concurrent use, but for Request.Fold.
type Machine struct {
	o     MachineOptions
	model Model
	rand  *rand.Rand
	now   time.Time // the latest time the machine was told

	chunks  map[ChunkID]*chunk
	docs    map[Key]*document
	lanes   lanes
	delayed []*document
	// following are the documents that wait for what leads them, see leaders.go.
	following      []*document
	leadersChanged bool
	outbox         []*Request
	cache          *cache
	ledger         *ledger
	markers        markers

	rounds   uint64
	window   int   // see adjustWindow
	foldsFor *task // that a fold is under way for
	folding  folding
	panics   map[ChunkID]int // by chunk and document: letterID

	gates gates
	turn  int // see Turn

	stats     Stats
	incidents incidents
}

// NewMachine returns a Machine that folds with model.
func NewMachine(o MachineOptions, model Model) (*Machine, error) {
	if err := o.setDefaults(); err != nil {
		return nil, err
	}
	return &Machine{
		o:       o,
		model:   model,
		rand:    rand.New(rand.NewPCG(o.Seed, 0)),
		chunks:  map[ChunkID]*chunk{},
		docs:    map[Key]*document{},
		lanes:   lanes{fullWrite: o.MaxDocuments, gather: o.Gather, contended: map[Key]int{}},
		cache:   newCache(o.CacheBytes),
		ledger:  newLedger(rememberedMarkers),
		markers: markers{delay: o.MarkerDelay, queued: map[ChunkID]bool{}},
		panics:  map[ChunkID]int{},
		gates:   gates{byIndex: map[string]*gate{}, stuck: map[ChunkID]string{}},
		window:  max(o.MaxDocuments, o.BulkOps),
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
	return len(m.chunks) == 0 && len(m.markers.pending) == 0 && !m.markers.alone && m.lanes.idle()
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
	ch := newChunk(&c, replay, done)
	m.chunks[c.ID] = ch
	for i := range c.Parts {
		p := &c.Parts[i]
		d := m.docs[p.Key]
		if d == nil {
			// It may outlast the chunk.
			d = &document{key: Key{p.Key.Index, strings.Clone(p.Key.ID)}, class: p.Class}
			d.lead = leadOf(d.key.ID, p.Lead)
			m.docs[d.key] = d
		}
		if d.queued && !d.waits() {
			// It is left from chunks that ended, and would be folded before what
			// this one has it depend on.
			d.late = true
		}
		ch.parts[i] = part{chunk: ch, doc: d, delta: p.Delta, leads: p.Leads, suspect: replay != nil}
		ch.follow(i, p)
		d.waiting = append(d.waiting, &ch.parts[i])
		m.queue(d)
	}
	m.leadersChanged = true
	m.lanes.hurry(c.Deadline, now)
}

// Expect says how many chunks will be submitted soon: what is ready waits for
// them a little, to be written once for all.
func (m *Machine) Expect(chunks int) { m.lanes.expected = chunks }

// Next returns the next request to make, nil where there is none for now.
func (m *Machine) Next(now time.Time) *Request {
	m.now = now
	m.wakeDelayed()
	m.wakeFollowing()
	m.startProbes()
	for l := range laneCount {
		// One request at a time: it is on its way while the next is folded.
		for over := true; over && len(m.outbox) == 0; {
			if m.lanes.busy[l] == nil && m.lanes.canStart(l, now) {
				m.start(l)
			}
			over = m.nextFold(l)
		}
	}
	if len(m.outbox) == 0 && m.canWriteMarkers() {
		m.writeMarkers()
	}
	if len(m.outbox) == 0 {
		return nil
	}
	r := m.outbox[0]
	m.outbox = slices.Delete(m.outbox, 0, 1)
	return r
}

// Flush makes pending markers due at once.
func (m *Machine) Flush() {
	m.markers.since, m.markers.rest, m.gates.all.until = time.Time{}, time.Time{}, time.Time{}
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
	m.wakeMarkers(sooner)
	m.wakeProbes(sooner)
	if m.lanes.waitsForOthers() {
		sooner(m.lanes.gathered)
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
