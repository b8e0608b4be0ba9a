package commit

import (
	"fmt"
	"slices"
	"time"
)

const (
	// markFrom: from so much of MaxApplied on a chunk is OK only after its marker
	// is acknowledged.
	markFrom = 4
	// reserve: this part of MaxApplied is kept for chunks that some document
	// holds already.
	reserve = 8
)

// findHeld notes which contributions the document holds.
func (m *Machine) findHeld(t *task, a *attempt) {
	for _, p := range a.doc.waiting {
		c := p.chunk
		switch {
		case !p.canProceed(t):
		case c.replay != nil && c.replay.heldAnyway && !a.exists && !weakened("one whose chunk is held opens a document that was deleted"):
			// It was deleted since.
			m.resolve(p, settled, "")
		default:
			p.held = a.env.has(c.id) || c.replay != nil && c.replay.isIn(&a.env)
			c.held = c.held || p.held
		}
	}
}

// prune takes out the ids for which the ledger vouches for certain, and those
// that have outlived the ledger.
func (m *Machine) prune(a *attempt) {
	retention := m.o.Retention
	if weakened("ids age out after an hour") {
		retention = time.Hour
	}
	oldest := int64(minute(m.now)) - int64(retention/time.Minute)
	a.aged = 0
	if weakened("a fixed ring of the newest 16 ids") || weakened("a fixed ring of the newest 16 ids, and no ledger") {
		a.env.applied = a.env.applied[max(0, len(a.env.applied)-16):]
	}
	a.env.applied = slices.DeleteFunc(a.env.applied, func(id applied) bool {
		switch {
		case m.chunks[id.id] != nil:
			return false
		case weakened("a fixed ring of the newest 16 ids, and no ledger"):
			return false
		case m.ledger.vouches(id.id, a.doc.key), m.markers.queued[id.id] && weakened("an id leaves when its marker is sent"):
			return true
		case int64(id.since) >= oldest, weakened("ids of any age stay"):
			return false
		}
		a.aged++
		return true
	})
}

// refuse gives back the chunks for which one of the task's documents has no
// space, before anything of them is written. What is kept for whom is said under
// rule 7.
func (m *Machine) refuse(t *task) {
	for _, a := range t.attempts {
		if !a.current() {
			continue
		}
		taken := len(a.env.applied)
		for _, p := range a.doc.waiting {
			if !p.canProceed(t) || p.held {
				continue
			}
			limit := m.o.MaxApplied
			lifting := len(a.lifted) > 0 && taken == len(a.env.applied) && !weakened("a full document whose exceptions can be lifted takes nothing")
			switch {
			case lifting:
			case p.chunk.held && weakened("the last place of a document is given away like any other"):
			case !p.chunk.held && weakened("no room kept for what is half done"):
			case p.chunk.held:
				limit-- // the last place is for one with which ids may leave
			default:
				limit -= m.o.MaxApplied / reserve
			}
			if taken < limit || weakened("no limit") {
				taken++
				continue
			}
			m.stats.Refused++
			m.report(Incident{Kind: Full, Key: a.doc.key, Reason: fmt.Sprintf("the document holds %d chunk ids without a marker", taken)})
			if weakened("other documents of a refused chunk are written") {
				m.resolve(p, blocked, "")
				continue
			}
			m.giveBack(p.chunk)
		}
	}
}

// noteFilling notes how many ids the document holds.
func (m *Machine) noteFilling(a *attempt) {
	m.stats.MaxApplied = max(m.stats.MaxApplied, int64(len(a.env.applied)))
	if len(a.env.applied) >= m.o.MaxApplied/markFrom {
		// The document is filling up. A process that crashes between a
		// chunk's OK and its marker leaves the id there for as long as the
		// ledger is kept; from here on the marker comes first.
		for _, p := range a.writing {
			p.chunk.markerFirst = true
		}
	}
}
