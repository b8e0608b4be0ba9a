package commit

import (
	"cmp"
	"slices"
)

const (
	// foreignFrom: from so much of MaxApplied on the markers of ids that other
	// processes left in a document are looked for.
	foreignFrom = 20
	// maxForeign bounds the ids of other processes looked for at a time.
	maxForeign = 1024
)

// lookUp asks for the markers of the task's chunks: after every state the task
// will use was read, so that a chunk whose id has left a document by then
// shows in the ledger.
func (m *Machine) lookUp(t *task) {
	t.attempts = slices.DeleteFunc(t.attempts, func(a *attempt) bool { return !a.current() || m.barred(a) })
	if len(t.attempts) == 0 {
		m.endTask(t)
		return
	}
	m.beginRound(t)
	if len(t.chunks) == 0 {
		// All of it was given back in the meantime.
		m.beginFold(t)
		return
	}
	m.collectForeign(t)
	keys := make([]Key, 0, len(t.chunks)+len(t.foreign))
	for _, c := range t.chunks {
		keys = append(keys, m.markerKey(applied{id: c.id, minute: c.minute}))
		if c.replay != nil {
			keys = append(keys, m.markerKey(applied{id: c.replay.origin, minute: c.minute}))
		}
	}
	for _, f := range t.foreign {
		keys = append(keys, m.markerKey(f))
	}
	t.phase = lookingUp
	m.stats.Reads++
	m.send(&Request{Kind: Read, Keys: keys, Chunks: len(t.chunks), task: t}, t.deadline)
}

// collectForeign collects the ids in the task's documents that others left
// there, perhaps because they crashed or because their documents are calm now.
func (m *Machine) collectForeign(t *task) {
	var seen map[ChunkID]bool
	for _, a := range t.attempts {
		if len(a.env.applied) < m.o.MaxApplied/foreignFrom {
			continue
		}
		for _, f := range a.env.applied {
			if len(t.foreign) >= maxForeign || seen[f.id] || m.ledger.vouches(f.id, a.doc.key) || m.markers.queued[f.id] || m.chunks[f.id] != nil {
				continue
			}
			if seen == nil {
				seen = map[ChunkID]bool{}
			}
			seen[f.id] = true
			t.foreign = append(t.foreign, f)
		}
	}
}

func (m *Machine) answerLookUp(t *task, answer Answer) {
	if answer.Err != nil {
		for _, a := range t.attempts {
			m.delay(a)
		}
		m.endTask(t)
		return
	}
	stored := answer.Stored
	next := func() (s Stored) {
		s, stored = stored[0], stored[1:]
		return s
	}
	for _, c := range t.chunks {
		own, origin := next(), Stored{}
		if c.replay != nil {
			origin = next()
		}
		if c.state != ended {
			m.answerMarkerOf(t, c, own, origin)
		}
	}
	for _, f := range t.foreign {
		if s := next(); s.Err == nil && s.Exists {
			m.noteForeign(t, marker{applied: f, except: exceptions(s.State), seen: true, version: s.Version})
		}
	}
	if len(t.unread) > 0 && weakened("markers read before the states") {
		m.read(t)
		return
	}
	m.beginFold(t)
}

// answerMarkerOf tells a chunk of its marker, and a replay of that of the chunk
// it is of. One that must not rely on the answer awaits the next.
func (m *Machine) answerMarkerOf(t *task, c *chunk, own, origin Stored) {
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
		origin.Exists && !exceptions(origin.State).has(c.parts[0].doc.key):
		m.finish(c, OK)
	case c.replay == nil || m.canReplay(c, origin):
		c.lookups[t.lane].answered = t.round
	}
}

// overlooks says whether a weakened rule is blind to the chunk's own marker.
func (m *Machine) overlooks(t *task, c *chunk) bool {
	return weakened("no look-up") || weakened("a fixed ring of the newest 16 ids, and no ledger") ||
		c.replay == nil && c.lookedUp() && weakened("markers read once for each delivery") ||
		weakened("a chunk that is done leaves a letter for an unreadable document") &&
			slices.ContainsFunc(t.attempts, func(a *attempt) bool { return a.unreadable != nil })
}

// noteForeign takes the marker of an id that stands in one of the task's
// documents.
func (m *Machine) noteForeign(t *task, f marker) {
	excepted := false
	for _, a := range t.attempts {
		if f.except.has(a.doc.key) && a.env.has(f.id) {
			excepted = true
			if f.except.without(a.doc.key) != f.except {
				a.lifted = append(a.lifted, f)
			}
		}
	}
	if !excepted {
		// Seen is not durable: the id may leave only after a marker of our own
		// is acknowledged.
		if weakened("an id leaves on a marker merely seen") {
			m.ledger.add(f.id, f.except)
			return
		}
		m.mark(f)
	}
}
