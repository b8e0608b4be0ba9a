package commit

import (
	"fmt"
	"time"
)

// RequestKind tells requests apart.
type RequestKind uint8

// The requests.
const (
	Read RequestKind = iota
	Write
	Bury
	// Fold is carried out with Request.Fold: computing, no I/O. There is one at
	// a time.
	Fold
)

// Request is what a Machine wants done.
type Request struct {
	Kind     RequestKind
	Keys     []Key    // Read
	Ops      []Op     // Write
	Letters  []Letter // Bury
	Deadline time.Time
	// Chunks is the number of chunks it is made for, Records that of their
	// records, for tracing.
	Chunks, Records int

	task    *task    // none for a Bury
	chunk   *chunk   // of a Bury
	bulk    *bulk    // of a Write
	folding *folding // of a Fold
}

// Answer is what became of a Request. With Err nothing is known about any of
// it.
type Answer struct {
	Stored  []Stored
	Written []Written
	Err     error
}

// send puts r into the outbox, to be answered by that time at the latest.
func (m *Machine) send(r *Request, deadline time.Time) {
	r.Deadline = m.now.Add(m.o.RequestTimeout)
	if deadline.After(r.Deadline) {
		r.Deadline = deadline
	}
	m.outbox = append(m.outbox, r)
}

// Answer tells what became of a request that Next returned.
func (m *Machine) Answer(r *Request, a Answer, now time.Time) {
	m.now = now
	switch r.Kind {
	case Fold:
		m.answerFold(r.task, r.folding, a)
	case Bury:
		m.answerBury(r.chunk, a)
	case Write:
		m.judgeAnswer(r, &a)
		m.answerWrite(r.task, r.bulk, a)
	case Read:
		m.judgeAnswer(r, &a)
		if r.task.phase == reading {
			m.answerRead(r.task, a)
		} else {
			m.answerLookUp(r.task, a)
		}
	}
}

// judgeAnswer says what an answer shows of Elasticsearch as a whole, and a read
// of each index. One of the wrong length is none.
func (m *Machine) judgeAnswer(r *Request, a *Answer) {
	write := r.Kind == Write
	asked, got := len(r.Keys), len(a.Stored)
	if write {
		asked, got = len(r.Ops), len(a.Written)
	}
	if a.Err == nil && asked != got {
		a.Err = fmt.Errorf("commit: %d items asked for, %d answered", asked, got)
	}
	if a.Err != nil {
		m.report(Incident{Kind: Unreachable, Err: a.Err, Reason: a.Err.Error()})
		if !weakened("no outage of everything") {
			m.failed(&m.gates.all, asked, write)
		}
	} else {
		m.answered(&m.gates.all, write)
		if !write {
			m.judgeRead(r.Keys, a.Stored)
		}
	}
	if write && r.task == nil {
		m.gates.all.marker = false
	}
	m.adjustWindow(r, a.Err == nil)
}

// minWindow is how few documents a request may always have.
const minWindow = 16

// adjustWindow bounds the documents of a round, and the operations of a write,
// by what Elasticsearch does in time. What took too long it carries out all the
// same, so that to ask for as much again would go on for ever.
func (m *Machine) adjustWindow(r *Request, answered bool) {
	asked := max(len(r.Keys), len(r.Ops))
	switch {
	case !m.now.Before(r.Deadline):
		m.window = max(min(m.window, asked/2), minWindow)
	case answered && asked >= m.window/2:
		m.window = min(m.window+m.window/4, max(m.o.MaxDocuments, m.o.BulkOps))
	}
}
