package commit

import "fmt"

// write sends a bulk of the task, and the markers that wait for a ride.
func (m *Machine) write(t *task, b *bulk, ops []Op) {
	t.bulks++
	m.stats.Writes++
	m.send(&Request{
		Kind: Write, Ops: m.addMarkers(b, ops), Chunks: len(t.chunks), Records: t.records(), task: t, bulk: b,
	}, t.deadline)
}

// writeMarkers sends the pending markers alone: there is nothing to travel with.
func (m *Machine) writeMarkers() {
	m.markers.alone, m.gates.all.marker = true, m.gates.all.closed
	m.stats.Writes++
	b := &bulk{}
	m.send(&Request{Kind: Write, Ops: m.addMarkers(b, nil), bulk: b}, m.now)
}

// answerWrite takes the answer to a bulk of t, or to markers alone.
func (m *Machine) answerWrite(t *task, b *bulk, answer Answer) {
	m.judgeWrite(b, answer)
	for _, a := range b.attempts {
		a.answer = Written{Status: Done}
	}
	for i, o := range b.ops {
		w := Written{Status: Unknown}
		if answer.Err == nil {
			w = answer.Written[i]
		}
		if w.Status == Unknown {
			m.stats.Unknown++
			if answer.Err == nil {
				m.report(Incident{Kind: Unreachable, Key: o.key, Reason: w.Reason})
			}
		}
		switch {
		case o.attempt == nil:
			m.answerMarker(o.marker, w)
		case o.effect:
			m.answerEffect(o, w)
		default:
			if o.attempt.answer = w; w.Status == Unknown && weakened("an unknown outcome counts as done") {
				o.attempt.answer.Status = Done
			}
		}
	}
	b.recycle()
	for _, a := range b.attempts {
		m.answerDocument(a)
	}
	if t == nil {
		m.markers.alone = false
	} else if t.bulks--; t.bulks == 0 && len(t.unfolded) == 0 {
		m.endTask(t)
	}
}

// judgeWrite says what the answer to a bulk shows of each index. A marker's
// failure keeps no document waiting.
func (m *Machine) judgeWrite(b *bulk, answer Answer) {
	if answer.Err != nil {
		return
	}
	for i, o := range b.ops {
		if o.attempt != nil {
			m.gates.verdict.add(o.key.Index, answer.Written[i].Status != Unknown)
		}
	}
	m.judge(&m.gates.verdict, true)
}

func (m *Machine) answerEffect(o bulkOp, w Written) {
	switch {
	case w.Status == Unknown && o.attempt.answer.Status == Done:
		// The document is written; what it stands for comes again.
		if !weakened("one that may be missing counts as there") {
			o.attempt.answer = w
		}
		o.attempt.doc.blocked = o.key.Index
	case w.Status == Rejected:
		m.report(Incident{Kind: EffectLost, Key: o.key, Reason: w.Reason})
	case w.Status == Done:
		m.stats.Effects++
	}
}

func (m *Machine) answerDocument(a *attempt) {
	if a.answer.Status == Conflict && weakened("a conflict taken as done") {
		a.answer.Status = Done
	}
	switch a.answer.Status {
	case Done:
		if a.state != nil {
			m.answerState(a)
		}
		m.lanes.undisturbed(a.doc.key)
		a.doc.failures, a.doc.blocked = 0, ""
		m.settleAll(a)
		m.release(a)
	case Conflict:
		// Somebody else wrote it: read, fold and write again at once.
		m.stats.Conflicts++
		m.cache.drop(a.doc.key)
		m.lanes.conflicted(a.doc.key)
		if weakened("a pause after a conflict") {
			m.delay(a)
			return
		}
		m.release(a)
	case Rejected:
		if !a.separate() {
			for _, p := range a.writing {
				m.resolve(p, rejected, a.answer.Reason)
			}
		}
		m.release(a)
	default:
		m.delay(a)
	}
}

// answerState takes a state that was acknowledged.
func (m *Machine) answerState(a *attempt) {
	// The ids of a write follow each other in its order.
	next := 0
	for _, p := range a.writing {
		if i := a.env.find(p.chunk.id, next); i >= 0 {
			a.env.applied[i].complete = true
			next = i + 1
		}
	}
	m.cache.put(a.doc.key, cached{a.state, a.answer.Version, a.env.complete()})
	m.count(a)
	for _, l := range a.lifted {
		// The document holds the chunk for certain, in spite of the dead
		// letter.
		if !weakened("an exception is never lifted") {
			l.except = l.except.without(a.doc.key)
		}
		m.mark(l)
	}
}

func (m *Machine) count(a *attempt) {
	m.stats.DocumentsWritten++
	m.stats.WrittenByClass[min(int(a.doc.class), len(m.stats.WrittenByClass)-1)]++
	if !a.exists {
		m.stats.Created++
	}
	if !a.fresh {
		m.stats.Confirmed++
	}
	if a.aged > 0 {
		m.stats.AtRisk += int64(a.aged)
		m.report(Incident{Kind: AtRisk, Key: a.doc.key, Reason: fmt.Sprintf("%d chunk ids without a marker were older than the ledger", a.aged)})
	}
}
