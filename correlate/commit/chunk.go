package commit

import (
	"iter"
	"time"
)

// chunkState is where a chunk stands.
type chunkState uint8

const (
	// committing: its parts are on the way into their documents.
	committing chunkState = iota
	// burying: its dead letters are being written; it can't end before that.
	burying
	// marking: all of it is durable, its marker is not yet.
	marking
	// ended: its result stands.
	ended
)

// chunk is a chunk under way.
type chunk struct {
	id       ChunkID
	minute   uint32
	records  int
	deadline time.Time
	state    chunkState
	parts    []part
	outcomes outcomes
	done     []func(Result)
	result   Result // once it has ended
	// lent: a fold works on its deltas; nobody is told of its end before that.
	lent bool
	// held: some document holds it.
	held bool
	// markerFirst: it is OK only after its marker is acknowledged, since a
	// document of it is filling up or it has dead letters.
	markerFirst bool
	// replay is what a chunk has that brings a dead letter of another, else nil.
	replay  *replay
	lookups [laneCount]lookup
	// leaders counts the parts that lead and are neither told nor decided;
	// lastLeader is the place of the last that leads.
	leaders    int
	lastLeader int32
}

func newChunk(c *Chunk, r *replay, done func(Result)) *chunk {
	return &chunk{
		id: c.ID, minute: c.Minute, records: c.Records, deadline: c.Deadline, replay: r,
		parts: make([]part, len(c.Parts)), outcomes: outcomes{undecided: len(c.Parts)}, done: []func(Result){done},
	}
}

// lookup tells of a chunk's marker in one lane: the last round that asked for
// it, and the last one whose answer the chunk can rely on.
type lookup struct {
	asked, answered uint64
}

// lookedUp says whether any lane had an answer.
func (c *chunk) lookedUp() bool {
	for _, l := range c.lookups {
		if l.answered != 0 {
			return true
		}
	}
	return false
}

// entry returns the id under which the chunk goes into its documents.
func (c *chunk) entry() ChunkID {
	if c.replay != nil {
		return c.replay.entry
	}
	return c.id
}

// outcome is what became of a part of a chunk.
type outcome uint8

const (
	// undecided: it waits in its document.
	undecided outcome = iota
	// rejected alone, for good. It goes to the dead letters when all else of its
	// chunk is durable, so that a chunk that comes again for another reason
	// leaves no dead letter each time.
	rejected
	// blocked: a newer version's document keeps it from going on. All else of
	// its chunk does; then the chunk is given back.
	blocked
	// settled: durable, dead-lettered or given up.
	settled
)

// outcomes counts the parts of a chunk by what became of them. Which of them
// failed, and how, decides how the chunk goes on.
type outcomes [settled + 1]int

// part is one contribution under way.
type part struct {
	chunk   *chunk
	doc     *document
	delta   any
	outcome outcome
	reason  string // why it is rejected
	// held says that the state the task at work found holds it.
	held bool
	// suspect: one of several whose write was rejected, or a dead letter. It is
	// written apart, to find the one, and so that a replay sees its chunk.
	suspect bool
	// leads: others of the chunk depend on its fold. told: it was folded, or is in
	// the fold that is under way.
	leads, told bool
	// leader is what it waits for before it opens its document: the place in its
	// chunk of what leads it, everyone, or nobody.
	leader int32
}

func decided(p *part) bool { return p.outcome != undecided }

// canProceed says whether p may be folded in the task's round: not if it came
// after the markers were asked for, nor if it awaits its marker.
func (p *part) canProceed(t *task) bool {
	l := &p.chunk.lookups[t.lane]
	return !decided(p) && l.asked == t.round && l.answered == t.round
}

// awaitsMarker says whether the task asked for p's marker and had no answer
// that its chunk can rely on.
func (p *part) awaitsMarker(t *task) bool {
	l := &p.chunk.lookups[t.lane]
	return !decided(p) && l.asked == t.round && l.answered != t.round
}

// rejected returns the parts that go to the dead letters.
func (c *chunk) rejected() iter.Seq[*part] {
	return func(yield func(*part) bool) {
		for i := range c.parts {
			if p := &c.parts[i]; p.outcome == rejected && !yield(p) {
				return
			}
		}
	}
}

// resolve notes what became of p, with the reason where it is rejected.
func (m *Machine) resolve(p *part, o outcome, reason string) {
	c := p.chunk
	switch {
	case decided(p):
		return
	case o == rejected && c.replay != nil:
		// It is a dead letter already.
		m.finish(c, StillRejected)
		return
	}
	p.outcome, p.reason = o, reason
	c.outcomes[undecided]--
	c.outcomes[o]++
	if p.leads && !p.told {
		c.leaders--
		m.leadersChanged = true
	}
	if o == settled && weakened("marker after the first document") {
		m.mark(marker{applied: applied{id: c.id, minute: c.minute}})
	}
	m.advance(c)
}

// advance takes a chunk on of which nothing is undecided.
func (m *Machine) advance(c *chunk) {
	switch {
	case c.state == ended:
	case c.outcomes[undecided] == 1 && weakened("OK when all but one document are durable"):
		m.complete(c, "")
	case c.outcomes[rejected] > 0 && weakened("before the rest of the chunk is durable"):
		if c.state != burying {
			m.bury(c)
		}
	case c.outcomes[undecided] > 0:
	case c.outcomes[blocked] > 0:
		m.giveBack(c)
	case c.outcomes[rejected] > 0:
		m.bury(c)
	default:
		m.complete(c, "")
	}
}

// complete ends a chunk that is durable, but for the documents in except,
// which are dead-lettered.
func (m *Machine) complete(c *chunk, except exceptions) {
	if c.entry() != c.id {
		// A dead letter that stands for a chunk under way elsewhere.
		m.finish(c, OK)
		return
	}
	if except != "" {
		// Once a chunk with dead letters is acknowledged the ledger knows of them.
		c.markerFirst = true
	}
	taken := m.mark(marker{applied: applied{id: c.id, minute: c.minute}, except: except})
	switch {
	case !c.markerFirst, m.ledger.has(c.id), weakened("OK before the marker even where a document fills up"):
		m.finish(c, OK)
	case taken:
		c.state = marking
		m.stats.MarkedFirst++
		m.markers.hurry(m.now)
	default:
		m.giveBack(c)
	}
}

// giveBack ends a chunk undone. What of it is written already is found by its
// id when it comes again.
func (m *Machine) giveBack(c *chunk) {
	if c.state != ended && (c.state != burying || weakened("given back while a letter is written")) {
		m.finish(c, Retry)
	}
}

func (m *Machine) finish(c *chunk, r Result) {
	if r == Retry {
		m.rememberStuck(c)
	} else {
		delete(m.gates.stuck, c.id)
	}
	m.turn++
	c.state = ended
	delete(m.chunks, c.id)
	if weakened("attempts that panic are forgotten when the chunk is given back") {
		clear(m.panics)
	}
	for i := range c.parts {
		c.parts[i].outcome, c.parts[i].delta = settled, nil
	}
	if r == OK {
		m.stats.OK++
	} else {
		m.stats.Retried++
	}
	c.result, c.parts = r, nil
	m.leadersChanged = true
	if !c.lent || weakened("a chunk is told of its end while a fold uses its deltas") {
		m.tellDone(c)
	}
}

// tellDone tells how a chunk ended. Whoever owns its deltas may use their
// memory again then.
func (m *Machine) tellDone(c *chunk) {
	for _, done := range c.done {
		done(c.result)
	}
	c.done = nil
}
