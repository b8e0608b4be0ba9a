package commit

import (
	"slices"
	"time"
)

// maxPending bounds the markers that wait. One that is dropped leaves its id
// in the documents: exactness doesn't suffer.
const maxPending = 1 << 14

// markers are those to be written: with the next write, or alone when the first
// of them has waited for long.
type markers struct {
	delay   time.Duration // see MachineOptions.MarkerDelay
	pending []marker
	queued  map[ChunkID]bool
	since   time.Time // when the first of pending came
	rest    time.Time // none is sent before, as the last one failed
	alone   bool      // a write of markers alone is under way
}

// due returns when the pending markers are written if no other write takes them
// along.
func (s *markers) due() time.Time {
	if due := s.since.Add(s.delay); due.After(s.rest) {
		return due
	}
	return s.rest
}

// hurry makes pending markers due now, unless the ledger just failed.
func (s *markers) hurry(now time.Time) { s.since = now.Add(-s.delay) }

// add returns false where there are too many.
func (s *markers) add(a marker, now time.Time) bool {
	if len(s.pending) >= maxPending {
		return false
	}
	if len(s.pending) == 0 {
		s.since = now
	}
	s.queued[a.id] = true
	s.pending = append(s.pending, a)
	return true
}

// take returns the first n, which stay queued until they are answered.
func (s *markers) take(n int) []marker {
	taken := slices.Clone(s.pending[:n])
	s.pending = slices.Delete(s.pending, 0, n)
	return taken
}

// mark queues the marker of a chunk that is durable, unless the ledger has it.
// It returns false where there is no room.
func (m *Machine) mark(a marker) bool {
	return m.markers.queued[a.id] || m.ledger.knows(a) || m.markers.add(a, m.now)
}

// canWriteMarkers says whether pending markers are due that no write takes along.
func (m *Machine) canWriteMarkers() bool {
	s := &m.markers
	return len(s.pending) > 0 && !s.alone && !m.now.Before(s.due()) && (!m.gates.all.closed || m.gates.all.due(m.now))
}

// wakeMarkers says when pending markers are due to be written alone.
func (m *Machine) wakeMarkers(sooner func(time.Time)) {
	all := &m.gates.all
	if len(m.markers.pending) == 0 || m.markers.alone || all.closed && all.probe != nil {
		return
	}
	due := m.markers.due()
	if all.closed && due.Before(all.until) {
		due = all.until
	}
	sooner(due)
}

// addMarkers puts the markers that wait for a ride into a bulk.
func (m *Machine) addMarkers(b *bulk, ops []Op) []Op {
	if m.now.Before(m.markers.rest) {
		return ops
	}
	n := min(len(m.markers.pending), m.o.MaxDocuments)
	if m.gates.all.closed {
		n = min(n, 1) // it is a probe
	}
	for _, a := range m.markers.take(n) {
		k := m.markerKey(a.applied)
		ops = append(ops, a.op(k, m.now))
		b.ops = append(b.ops, bulkOp{key: k, marker: a})
	}
	return ops
}

func (m *Machine) answerMarker(a marker, w Written) {
	delete(m.markers.queued, a.id)
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
		m.markers.rest = m.now.Add(m.o.BackoffMax)
		return
	}
	if c != nil && c.state == marking {
		m.finish(c, OK)
	}
}

func (m *Machine) markerKey(a applied) Key {
	return Key{Index: m.o.Ledger(a.minute), ID: a.id.String()}
}
