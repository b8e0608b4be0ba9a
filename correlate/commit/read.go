package commit

import (
	"cmp"
	"errors"
	"slices"
	"strings"
)

// maxHot bounds the contended documents of one round.
const maxHot = 64

// start takes what is ready in a lane into a task, and reads the states of those
// that aren't in the cache.
func (m *Machine) start(l lane) {
	docs := m.choose(l)
	if len(docs) == 0 {
		return
	}
	m.stats.Tasks++
	t := &task{lane: l, attempts: make([]*attempt, len(docs))}
	m.lanes.busy[l] = t
	all := make([]attempt, len(docs))
	for i, d := range docs {
		a := &all[i]
		a.doc, d.attempt, t.attempts[i] = d, a, a
		// What is contended is read in any case: the cache is too old for it.
		if l == hot || !m.fromCache(a) {
			t.unread = append(t.unread, a)
		}
	}
	if len(t.unread) == 0 || weakened("markers read before the states") {
		m.lookUp(t)
		return
	}
	m.beginRound(t)
	m.read(t)
}

// choose takes out what is ready in a lane, as much as a task may have, in the
// order in which it is folded.
func (m *Machine) choose(l lane) (docs []*document) {
	most := min(m.o.MaxDocuments, m.window)
	ready := m.lanes.ready[l.queue()]
	if l == hot {
		// Few at a time, so that little happens between a read and its
		// write, and in no order that all writers share: else they meet at
		// every document.
		most = min(most, maxHot)
		m.rand.Shuffle(len(ready), func(i, j int) { ready[i], ready[j] = ready[j], ready[i] })
	}
	n := 0
	var late []*document
	for _, d := range ready {
		if len(docs) == most {
			break
		}
		n++
		d.queued = false
		switch {
		case !d.waits():
			m.forget(d)
		case d.late:
			late = append(late, d)
		case m.admit(d):
			docs = append(docs, d)
		}
	}
	m.lanes.taken(l, n)
	for _, d := range late {
		d.late = false
		m.queue(d)
	}
	if len(docs) == 0 && len(late) > 0 {
		return m.choose(l)
	}
	// What belongs together is folded one after the other, while its events are
	// near, and first what the others depend on.
	slices.SortFunc(docs, func(a, b *document) int {
		return cmp.Or(
			strings.Compare(a.lead, b.lead), cmp.Compare(a.class, b.class),
			strings.Compare(a.key.ID, b.key.ID), strings.Compare(a.key.Index, b.key.Index),
		)
	})
	return docs
}

// fromCache says whether this process knows what it last wrote there.
func (m *Machine) fromCache(a *attempt) bool {
	c, ok := m.cache.get(a.doc.key)
	if !ok {
		return false
	}
	env, err := parseEnvelope(c.state)
	if err != nil {
		return false
	}
	env.setComplete(c.complete)
	a.env, a.exists, a.version, a.confirmed = env, true, c.version, true
	return true
}

func (m *Machine) read(t *task) {
	keys := make([]Key, len(t.unread))
	for i, a := range t.unread {
		keys[i] = a.doc.key
	}
	t.phase = reading
	m.stats.Reads++
	m.stats.DocumentsRead += int64(len(keys))
	m.send(&Request{Kind: Read, Keys: keys, Chunks: len(t.chunks), task: t}, t.deadline)
}

func (m *Machine) answerRead(t *task, answer Answer) {
	for i, a := range t.unread {
		if answer.Err != nil {
			m.delay(a)
			continue
		}
		s := answer.Stored[i]
		switch {
		case errors.Is(s.Err, ErrCorrupt):
			a.exists, a.version, a.unreadable = true, s.Version, s.Err
		case s.Err != nil:
			m.report(Incident{Kind: Unreachable, Key: a.doc.key, Err: s.Err, Reason: s.Err.Error()})
			m.delay(a)
		case s.Exists:
			// What is unreadable waits for the markers as well: a chunk that is
			// done leaves no dead letter.
			a.exists, a.version, a.confirmed = true, s.Version, weakened("what is read counts as acknowledged")
			a.env, a.unreadable = parseEnvelope(s.State)
			if a.unreadable != nil && weakened("a newer major version is overwritten") {
				a.env, a.unreadable = envelope{payload: []byte{0}}, nil
			}
		}
	}
	if weakened("markers read before the states") {
		t.unread, t.attempts = nil, slices.DeleteFunc(t.attempts, func(a *attempt) bool { return !a.current() })
		m.beginFold(t)
		return
	}
	m.lookUp(t)
}
