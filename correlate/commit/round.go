package commit

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// start takes what is ready in a lane through the first phase.
func (m *Machine) start(l lane) {
	t := &task{lane: l}
	n := 0
	for _, d := range m.ready[l] {
		if len(t.docs) == m.o.MaxDocuments {
			break
		}
		n++
		d.queued = false
		d.waiting = slices.DeleteFunc(d.waiting, func(p *part) bool { return p.settled })
		if len(d.waiting) == 0 {
			delete(m.docs, d.key)
			continue
		}
		d.owner = t
		t.docs = append(t.docs, d)
	}
	m.ready[l] = slices.Delete(m.ready[l], 0, n)
	if len(t.docs) == 0 {
		return
	}
	m.stats.Tasks++
	m.busy[l] = t
	slices.SortStableFunc(t.docs, func(a, b *document) int { return int(a.class) - int(b.class) })
	var keys []Key
	for _, d := range t.docs {
		if l == calm {
			if c, ok := m.cache.get(d.key); ok {
				if env, err := decodeEnvelope(c.state); err == nil {
					d.env, d.exists, d.version, d.confirmed = env, true, c.version, true
					continue
				}
			}
		}
		t.read = append(t.read, d)
		keys = append(keys, d.key)
	}
	if len(keys) == 0 {
		m.look(t)
		return
	}
	t.phase = reading
	m.stats.Reads++
	m.stats.DocumentsRead += int64(len(keys))
	m.send(t, &Request{Kind: Read, Keys: keys})
}

func (m *Machine) send(t *task, r *Request) {
	r.task = t
	r.Deadline = m.now.Add(m.o.RequestTimeout)
	chunks := map[*chunk]bool{}
	for _, d := range t.docs {
		for _, p := range d.waiting {
			chunks[p.chunk] = true
			if p.chunk.deadline.After(r.Deadline) {
				r.Deadline = p.chunk.deadline
			}
		}
	}
	r.Chunks = len(chunks)
	m.outbox = append(m.outbox, r)
}

// Answer tells what became of a request that Next returned.
func (m *Machine) Answer(r *Request, a Answer, now time.Time) {
	m.now = now
	t := r.task
	if a.Err != nil {
		m.o.Report(Incident{Kind: Unreachable, Err: a.Err, Reason: a.Err.Error()})
	}
	switch t.phase {
	case reading:
		m.answerRead(t, a)
	case looking:
		m.answerLook(t, a)
	case writing:
		m.answerWrite(t, a)
	case burying:
		m.answerBury(t, a)
	}
}

func (m *Machine) answerRead(t *task, a Answer) {
	if a.Err == nil && len(a.Stored) != len(t.read) {
		a.Err = fmt.Errorf("commit: %d documents asked for, %d answered", len(t.read), len(a.Stored))
	}
	for i, d := range t.read {
		if a.Err != nil {
			m.delay(d)
			continue
		}
		s := a.Stored[i]
		switch {
		case s.Err != nil:
			m.o.Report(Incident{Kind: Unreachable, Key: d.key, Err: s.Err, Reason: s.Err.Error()})
			m.delay(d)
		case !s.Exists:
			d.env, d.exists, d.version, d.confirmed = envelope{}, false, Version{}, false
		default:
			env, err := decodeEnvelope(s.State)
			if err != nil {
				m.unreadable(d, err)
				continue
			}
			d.env, d.exists, d.version, d.confirmed = env, true, s.Version, false
		}
	}
	m.look(t)
}

// unreadable leaves d alone: what it waits for goes back to Fluent Bit, whose
// disk keeps it until the document can be read again.
func (m *Machine) unreadable(d *document, err error) {
	m.o.Report(Incident{Kind: Unreadable, Key: d.key, Err: err, Reason: err.Error()})
	parts := d.waiting
	m.release(d)
	for _, p := range parts {
		m.giveBack(p.chunk)
	}
}

// release ends a task's hold on d and queues what still waits for it.
func (m *Machine) release(d *document) {
	d.owner = nil
	d.env, d.state, d.writing = envelope{}, nil, nil
	d.waiting = slices.DeleteFunc(d.waiting, func(p *part) bool { return p.settled })
	if len(d.waiting) == 0 {
		delete(m.docs, d.key)
		return
	}
	m.queue(d)
}

// delay releases d after a failure: it is tried again after a pause, and read
// first.
func (m *Machine) delay(d *document) {
	m.cache.drop(d.key)
	d.owner = nil
	d.env, d.state, d.writing = envelope{}, nil, nil
	pause := m.o.BackoffMin << min(d.failures, 10)
	pause = min(pause, m.o.BackoffMax)
	pause = pause/2 + time.Duration(m.rand.Int64N(int64(pause)))
	d.failures++
	d.until = m.now.Add(pause)
	d.queued = true
	m.delayed = append(m.delayed, d)
}

// pruneFrom is the number of ids in a document from which the markers of ids
// that other processes left there are looked for.
const pruneFrom = 24

// look asks for the markers of the task's chunks: after every state the task
// will use was read, so that a chunk whose id has left a document by then
// shows in the ledger.
func (m *Machine) look(t *task) {
	t.docs = slices.DeleteFunc(t.docs, func(d *document) bool { return d.owner != t })
	if len(t.docs) == 0 {
		m.end(t)
		return
	}
	t.chunks, t.foreign, t.looked = nil, nil, map[*chunk]bool{}
	seen := map[ChunkID]bool{}
	var keys []Key
	for _, d := range t.docs {
		for _, p := range d.waiting {
			if !p.settled && !seen[p.chunk.id] {
				seen[p.chunk.id] = true
				t.looked[p.chunk] = true
				t.chunks = append(t.chunks, p.chunk)
				keys = append(keys, m.markerKey(p.chunk.id, p.chunk.minute))
			}
		}
	}
	for _, d := range t.docs {
		if len(d.env.applied) < pruneFrom {
			continue
		}
		for _, a := range d.env.applied {
			if len(t.foreign) < 1024 && !seen[a.id] && !m.marked.has(a.id) && !m.queued[a.id] && m.chunks[a.id] == nil {
				seen[a.id] = true
				t.foreign = append(t.foreign, a)
				keys = append(keys, m.markerKey(a.id, a.minute))
			}
		}
	}
	if len(t.chunks) == 0 {
		// All of it was given back in the meantime.
		m.fold(t, nil)
		return
	}
	t.phase = looking
	m.stats.Reads++
	m.send(t, &Request{Kind: Read, Keys: keys})
}

func (m *Machine) markerKey(id ChunkID, minute uint32) Key {
	return Key{Index: m.o.Ledger(minute), ID: id.String()}
}

func (m *Machine) answerLook(t *task, a Answer) {
	if a.Err == nil && len(a.Stored) != len(t.chunks)+len(t.foreign) {
		a.Err = fmt.Errorf("commit: %d markers asked for, %d answered", len(t.chunks)+len(t.foreign), len(a.Stored))
	}
	if a.Err != nil {
		for _, d := range t.docs {
			m.delay(d)
		}
		m.end(t)
		return
	}
	blind := map[*chunk]bool{}
	for i, c := range t.chunks {
		switch s := a.Stored[i]; {
		case s.Err != nil:
			// Whether this chunk was done is not known: none of it may be
			// folded now.
			m.o.Report(Incident{Kind: Unreachable, Err: s.Err, Reason: s.Err.Error()})
			blind[c] = true
		case s.Exists && !c.over:
			m.stats.Skipped++
			m.finish(c, OK)
		}
	}
	for i, f := range t.foreign {
		if s := a.Stored[len(t.chunks)+i]; s.Err == nil && s.Exists {
			// Seen is not durable: the id may leave only after a marker of
			// our own is acknowledged.
			m.mark(f)
		}
	}
	m.fold(t, blind)
}

// fold folds what waits for the task's documents and writes them.
func (m *Machine) fold(t *task, blind map[*chunk]bool) {
	for _, d := range t.docs {
		m.prune(d)
	}
	m.refuse(t, blind)
	var idle, delayed []*document
	for _, d := range t.docs {
		if d.owner != t {
			continue
		}
		d.writing = d.writing[:0]
		fresh, unconfirmed, skipped := false, false, false
		var in []Contribution
		for _, p := range d.waiting {
			// What came after the markers were asked for waits for the next
			// round.
			if p.settled || !t.looked[p.chunk] {
				continue
			}
			if blind[p.chunk] {
				skipped = true
				continue
			}
			if d.alone && len(in) > 0 {
				break
			}
			has := d.env.has(p.chunk.id)
			fresh = fresh || !has
			unconfirmed = unconfirmed || has && !d.confirmed
			in = append(in, Contribution{Chunk: p.chunk.id, Delta: p.delta, Applied: has})
			d.writing = append(d.writing, p)
		}
		if len(in) == 0 {
			if skipped {
				delayed = append(delayed, d)
			} else {
				idle = append(idle, d)
			}
			continue
		}
		var payload []byte
		if d.exists {
			payload = d.env.payload
		}
		folded, err := m.foldOne(d, payload, in)
		if errors.Is(err, ErrNotOpened) {
			for _, p := range d.writing {
				m.settle(p)
			}
			idle = append(idle, d)
			continue
		}
		if err != nil {
			m.unreadable(d, err)
			continue
		}
		if fresh || unconfirmed {
			for i, p := range d.writing {
				if !in[i].Applied {
					d.env.applied = append(d.env.applied, applied{p.chunk.id, p.chunk.minute, minute(m.now)})
				}
			}
			m.stats.MaxApplied = max(m.stats.MaxApplied, int64(len(d.env.applied)))
			d.env.payload = folded.AppendState(nil)
			d.state = d.env.append(make([]byte, 0, len(d.env.payload)+len(d.env.applied)*appliedSize+32))
			op := Op{Kind: Create, Key: d.key, Body: folded.AppendDocument(nil, d.state)}
			if d.exists {
				op.Kind, op.Version = Replace, d.version
			}
			t.ops = append(t.ops, taskOp{op: op, doc: d})
		}
		effects := folded.Effects()
		for _, e := range effects {
			t.ops = append(t.ops, taskOp{op: Op{Kind: Create, Key: e.Key, Body: e.Body}, doc: d, effect: true})
		}
		if d.state == nil && len(effects) == 0 {
			// Everything is there and acknowledged.
			for _, p := range d.writing {
				m.settle(p)
			}
			idle = append(idle, d)
		}
	}
	for _, d := range delayed {
		m.delay(d)
	}
	for _, d := range idle {
		m.release(d)
	}
	m.write(t)
}

// foldOne calls the model. A panic there leaves the document alone, as an
// unreadable state does.
func (m *Machine) foldOne(d *document, payload []byte, in []Contribution) (f Folded, err error) {
	defer func() {
		if p := recover(); p != nil {
			f, err = nil, fmt.Errorf("commit: panic in a fold: %v", p)
		}
	}()
	return m.model.Fold(d.key, d.class, payload, in)
}

func minute(t time.Time) uint32 { return uint32(t.Unix() / 60) }

// prune takes out of d the ids that are in the ledger for certain, and those
// that have outlived the ledger.
func (m *Machine) prune(d *document) {
	oldest := int64(minute(m.now)) - int64(m.o.Retention/time.Minute)
	d.env.applied = slices.DeleteFunc(d.env.applied, func(a applied) bool {
		if m.chunks[a.id] != nil {
			return false
		}
		if m.marked.has(a.id) {
			return true
		}
		if int64(a.since) >= oldest {
			return false
		}
		m.stats.AtRisk++
		m.o.Report(Incident{Kind: AtRisk, Key: d.key, Reason: "a chunk id without a marker is older than the ledger: " + a.id.String()})
		return true
	})
}

// refuse gives back the chunks for which one of the task's documents has no
// room, before anything of them is written.
func (m *Machine) refuse(t *task, blind map[*chunk]bool) {
	for _, d := range t.docs {
		room := m.o.MaxApplied - len(d.env.applied)
		for _, p := range d.waiting {
			if p.settled || !t.looked[p.chunk] || blind[p.chunk] || d.env.has(p.chunk.id) {
				continue
			}
			if room > 0 {
				room--
				continue
			}
			m.stats.Refused++
			m.o.Report(Incident{Kind: Full, Key: d.key, Reason: fmt.Sprintf("the document holds %d chunk ids without a marker", len(d.env.applied))})
			m.giveBack(p.chunk)
		}
	}
}

// write sends the task's operations, and the markers that wait for a ride.
func (m *Machine) write(t *task) {
	t.docs = slices.DeleteFunc(t.docs, func(d *document) bool { return d.owner != t })
	t.ops = slices.DeleteFunc(t.ops, func(o taskOp) bool { return o.doc != nil && o.doc.owner != t })
	t.phase = writing
	if len(t.ops) == 0 && !m.alone(t) {
		m.end(t)
		return
	}
	for _, a := range m.pending {
		t.ops = append(t.ops, taskOp{marker: a, op: Op{Kind: Put, Key: m.markerKey(a.id, a.minute), Body: markerBody(a, m.now)}})
	}
	m.pending = m.pending[:0]
	ops := make([]Op, len(t.ops))
	for i := range t.ops {
		ops[i] = t.ops[i].op
		t.ops[i].op.Body = nil
	}
	m.stats.Writes++
	m.send(t, &Request{Kind: Write, Ops: ops})
}

// alone says whether t writes markers only.
func (m *Machine) alone(t *task) bool { return m.busy[calm] != t && m.busy[hot] != t }

func markerBody(a applied, now time.Time) []byte {
	return fmt.Appendf(nil, `{"@timestamp":%q,"first_record":%q}`,
		now.UTC().Format(time.RFC3339), time.Unix(int64(a.minute)*60, 0).UTC().Format(time.RFC3339))
}

func (m *Machine) answerWrite(t *task, a Answer) {
	if a.Err == nil && len(a.Written) != len(t.ops) {
		a.Err = fmt.Errorf("commit: %d operations sent, %d answered", len(t.ops), len(a.Written))
	}
	for _, d := range t.docs {
		d.answer = Written{Status: Done}
	}
	for i, o := range t.ops {
		w := Written{Status: Unknown}
		if a.Err == nil {
			w = a.Written[i]
		}
		if w.Status == Unknown {
			m.stats.Unknown++
			if a.Err == nil {
				m.o.Report(Incident{Kind: Unreachable, Key: o.op.Key, Reason: w.Reason})
			}
		}
		switch {
		case o.doc == nil:
			m.answerMarker(o.marker, w)
		case !o.effect:
			o.doc.answer = w
		case w.Status == Unknown && o.doc.answer.Status == Done:
			// The document is written; what it stands for comes again.
			o.doc.answer = w
		case w.Status == Rejected:
			m.o.Report(Incident{Kind: EffectLost, Key: o.op.Key, Reason: w.Reason})
		case w.Status == Done:
			m.stats.Effects++
		}
	}
	for _, d := range t.docs {
		m.answerDocument(t, d)
	}
	if len(t.buried) > 0 {
		m.bury(t)
		return
	}
	m.end(t)
}

func (m *Machine) answerDocument(t *task, d *document) {
	switch d.answer.Status {
	case Done:
		if d.state != nil {
			m.cache.put(d.key, cached{d.state, d.answer.Version})
			m.count(d)
		}
		if h := m.heat[d.key]; h > 1 {
			m.heat[d.key] = h - 1
		} else if h == 1 {
			delete(m.heat, d.key)
		}
		d.failures = 0
		for _, p := range d.writing {
			m.settle(p)
		}
		m.release(d)
	case Conflict:
		// Somebody else wrote it: read, fold and write again at once.
		m.stats.Conflicts++
		m.cache.drop(d.key)
		if len(m.heat) < maxHeat {
			m.heat[d.key] = hotFor
		}
		m.release(d)
	case Rejected:
		if len(d.writing) > 1 {
			d.alone = true
			m.release(d)
			return
		}
		t.buried = append(t.buried, d)
	default:
		m.delay(d)
	}
}

// maxHeat bounds the documents remembered as contended.
const maxHeat = 1 << 14

func (m *Machine) count(d *document) {
	m.stats.DocumentsWritten++
	m.stats.WrittenByClass[min(int(d.class), len(m.stats.WrittenByClass)-1)]++
	if !d.exists {
		m.stats.Created++
	}
	fresh := false
	for _, p := range d.writing {
		fresh = fresh || !p.settled
	}
	if !fresh {
		m.stats.Confirmed++
	}
}

// bury sends to the dead letters what alone made its document be rejected.
func (m *Machine) bury(t *task) {
	t.docs, t.buried = t.buried, nil
	t.phase = burying
	t.letters = t.letters[:0]
	var letters []Letter
	for _, d := range t.docs {
		for _, p := range d.writing {
			if !p.settled {
				t.letters = append(t.letters, p)
				letters = append(letters, Letter{
					Chunk: p.chunk.id, Minute: p.chunk.minute, Reason: d.answer.Reason,
					Part: Part{Key: p.key, Class: p.class, Delta: p.delta},
				})
			}
		}
	}
	m.send(t, &Request{Kind: Bury, Letters: letters})
}

func (m *Machine) answerBury(t *task, a Answer) {
	for _, p := range t.letters {
		if a.Err != nil {
			m.o.Report(Incident{Kind: NotBuried, Key: p.key, Err: a.Err, Reason: a.Err.Error()})
			m.giveBack(p.chunk)
			continue
		}
		m.stats.Buried++
		m.o.Report(Incident{Kind: Buried, Key: p.key, Reason: m.docs[p.key].answer.Reason})
		m.settle(p)
	}
	for _, d := range t.docs {
		m.release(d)
	}
	m.end(t)
}

func (m *Machine) end(t *task) {
	if m.busy[t.lane] == t {
		m.busy[t.lane] = nil
	} else {
		m.marking = false
	}
}
