package commit

import (
	"slices"
	"strings"
	"time"
)

// document is a document with contributions waiting.
type document struct {
	key     Key
	class   Class
	lead    string // the id it is folded after, its own where it leads itself
	waiting []*part
	// attempt is what the task that owns it knows of it, nil while none does.
	attempt  *attempt
	queued   bool // it is ready, delayed or parked
	late     bool // its place among what is ready is older than what waits for it
	failures int
	until    time.Time
	parked   *gate   // the gate it waits behind
	probes   []*gate // those it is the probe of
	blocked  string  // the index whose failure keeps it from being done
}

// leadOf returns the lead of a document in memory of its own: most are what
// the document's id begins with.
func leadOf(id, lead string) string {
	switch {
	case lead == "":
		return id
	case strings.HasPrefix(id, lead):
		return id[:len(lead)]
	}
	return strings.Clone(lead)
}

// attempt is a document in the hands of a task, from its read to its write.
type attempt struct {
	doc *document

	// What is there, as it was read or as this process last wrote it.
	env       envelope
	exists    bool
	version   Version
	confirmed bool // env is what this process had acknowledged
	// unreadable: what is stored is no state that this version can read.
	unreadable error

	// What is about to be written.
	aged    int      // ids that were left out because of their age
	lifted  []marker // that except it, though it holds the chunk
	writing []*part  // what the write holds
	fresh   bool     // some of it for the first time
	state   []byte   // nil where only effects are written
	answer  Written  // to the write
}

// current says whether the task still owns the document.
func (a *attempt) current() bool { return a.doc.attempt == a }

// waits drops the parts that are decided and says whether others wait.
func (d *document) waits() bool {
	d.waiting = slices.DeleteFunc(d.waiting, decided)
	return len(d.waiting) > 0
}

// queue makes d ready for the next task, unless it is owned, delayed or
// queued already.
func (m *Machine) queue(d *document) {
	if d.attempt != nil || d.queued {
		return
	}
	d.queued = true
	m.lanes.add(d, m.now)
}

// endAttempt ends the task's hold on the document.
func (m *Machine) endAttempt(a *attempt) {
	m.endProbes(a.doc)
	a.doc.attempt = nil
}

// release ends an attempt and queues what still waits for the document.
func (m *Machine) release(a *attempt) {
	m.endAttempt(a)
	if !a.doc.waits() {
		m.forget(a.doc)
		return
	}
	m.queue(a.doc)
}

// delay ends an attempt that failed: the document is tried again after a pause,
// and read first.
func (m *Machine) delay(a *attempt) {
	d := a.doc
	if !weakened("the cached copy survives an unknown outcome") {
		m.cache.drop(d.key)
	}
	m.endAttempt(a)
	for _, g := range m.closedFor(d) {
		if g != nil {
			m.park(d, g)
			return
		}
	}
	pause := m.o.BackoffMin << min(d.failures, 10)
	d.failures++
	d.until = m.now.Add(m.jitter(min(pause, m.o.BackoffMax)))
	d.queued = true
	m.delayed = append(m.delayed, d)
}

// wakeDelayed makes those ready whose pause is over.
func (m *Machine) wakeDelayed() {
	still := m.delayed[:0]
	for _, d := range m.delayed {
		if m.now.Before(d.until) {
			still = append(still, d)
			continue
		}
		d.queued = false
		m.queue(d)
	}
	clear(m.delayed[len(still):])
	m.delayed = still
}

// settleAll takes what the write holds as durable.
func (m *Machine) settleAll(a *attempt) {
	for _, p := range a.writing {
		m.resolve(p, settled, "")
	}
}

// separate makes the chunks of the write be written one at a time from now on,
// to find the one that is refused. It returns false where there is but one.
func (a *attempt) separate() bool {
	if a.writing[0].chunk == a.writing[len(a.writing)-1].chunk || weakened("all chunks of a rejected document are buried") {
		return false
	}
	for _, p := range a.writing {
		p.suspect = true
	}
	return true
}

// forget drops a document for which nothing waits.
func (m *Machine) forget(d *document) {
	m.endProbes(d)
	delete(m.docs, d.key)
}
