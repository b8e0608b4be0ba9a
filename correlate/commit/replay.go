package commit

// replay is what a chunk has that brings one dead letter of another chunk.
type replay struct {
	// origin is the chunk that the dead letter is of.
	origin ChunkID
	// entry is the id under which it goes into its document: origin's as long as
	// the ledger doesn't say that origin is over.
	entry ChunkID
	// heldAnyway: the ledger says that the document holds origin in spite of the
	// dead letter.
	heldAnyway bool
}

// replayOfLetter returns the replay of a chunk that is one, and gives the chunk
// an id of its own; nil for any other.
func replayOfLetter(c *Chunk) *replay {
	if !c.Replay {
		return nil
	}
	r := &replay{origin: c.ID}
	c.ID = letterID(c.ID, c.Parts[0].Key)
	r.entry = c.ID
	return r
}

// isIn says whether the document's state holds what is replayed.
func (r *replay) isIn(env *envelope) bool {
	return r.heldAnyway || env.has(r.origin) && !weakened("a replay doesn't look for its chunk in the document")
}

// canReplay says what a dead letter is to its document, given its chunk's
// marker, and whether it may go on.
func (m *Machine) canReplay(c *chunk, origin Stored) bool {
	r := c.replay
	r.heldAnyway, r.entry = false, c.id
	switch {
	case !origin.Exists && weakened("a replay waits until its chunk's marker is there"):
		return false
	case !origin.Exists && weakened("a replay writes its chunk's marker"):
		if m.mark(marker{applied: applied{id: r.origin, minute: c.minute}, except: exception(c.parts[0].doc.key)}) {
			m.markers.hurry(m.now)
		}
		return false
	case !origin.Exists:
		// The chunk may come again: it must find its own id.
		if !weakened("a replay never takes its chunk's id") {
			r.entry = r.origin
		}
	case !exceptions(origin.State).has(c.parts[0].doc.key):
		// The document holds the chunk in spite of the dead letter. What followed
		// from it may be missing all the same.
		r.heldAnyway = !weakened("a replay doesn't ask for its chunk's marker")
	case !m.ledger.has(r.origin) && !weakened("a replay relies on a marker merely seen"):
		// The chunk is over, and what its marker excepts is left to the dead
		// letter. But a marker merely seen may be taken back, and then the chunk
		// comes again: only an acknowledgement counts, as for a skip.
		if m.mark(marker{
			applied: applied{id: r.origin, minute: c.minute}, except: exceptions(origin.State),
			seen: true, version: origin.Version,
		}) {
			m.markers.hurry(m.now)
		}
		return false
	}
	return true
}
