package commit

import "time"

// phase is where a task stands.
type phase uint8

const (
	reading phase = iota
	lookingUp
	writing
)

// task takes some documents through one round: read their states, look up their
// chunks' markers, fold, write. Each of these has a file of its own.
type task struct {
	lane     lane
	phase    phase
	round    uint64
	deadline time.Time // the latest of the chunks'
	attempts []*attempt
	unread   []*attempt // those whose state must be read
	chunks   []*chunk
	foreign  []applied
	// While it writes: what is still to be folded, and how many bulks are on
	// their way.
	unfolded []*attempt
	bulks    int
}

func (t *task) records() (n int) {
	for _, c := range t.chunks {
		n += c.records
	}
	return n
}

// beginRound collects the chunks that wait for the task's documents.
func (m *Machine) beginRound(t *task) {
	m.rounds++
	t.round, t.chunks, t.deadline = m.rounds, t.chunks[:0], time.Time{}
	for _, a := range t.attempts {
		for _, p := range a.doc.waiting {
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

func (m *Machine) endTask(t *task) { m.lanes.busy[t.lane] = nil }
