package commit

import "errors"

// What a part waits for before it opens its document, where that isn't the place
// of one part of its chunk.
const (
	nobody   int32 = -1 - iota
	everyone       // all that lead
)

// errUntold says that a document wasn't folded since the fold of what leads it
// failed just before.
var errUntold = errors.New("commit: what leads the document was not folded")

// follow notes what part i leads, or what leads it: that comes before it.
func (c *chunk) follow(i int, from *Part) {
	p := &c.parts[i]
	p.leader = nobody
	if p.leads {
		c.leaders++
		c.lastLeader = int32(i)
	}
	if !from.Led {
		return
	}
	p.leader = everyone
	if l := &c.parts[c.lastLeader]; l.leads && l.doc.key.ID == from.Lead {
		p.leader = c.lastLeader
	}
}

// waitsForLeader says whether p may not open its document yet. What leads it may
// be delayed, in another lane, or folded later in its task; rejected, it never is.
func (p *part) waitsForLeader() bool {
	switch {
	case p.leader == nobody, weakened("a document is opened before what leads it is folded"):
		return false
	case p.leader == everyone:
		return p.chunk.leaders > 0
	}
	l := &p.chunk.parts[p.leader]
	return !l.told && (!decided(l) || weakened("a document waits for what leads it although that was rejected"))
}

// tell notes that a fold is about to tell the others of its chunk what p leads
// them with.
func (m *Machine) tell(p *part) {
	if p.leads && !p.told && !decided(p) {
		p.told = true
		p.chunk.leaders--
	}
}

// untell takes back tell for what an attempt was to write: its fold failed.
func (m *Machine) untell(a *attempt) {
	for _, p := range a.writing {
		if p.leads && p.told && !decided(p) {
			p.told = false
			p.chunk.leaders++
		}
	}
}

// follow ends an attempt to open a document all of which waits for what leads it.
func (m *Machine) follow(a *attempt) {
	d := a.doc
	m.endAttempt(a)
	d.queued = true
	m.following = append(m.following, d)
	m.stats.Followed++
}

// wakeFollowing makes those ready of which something needs to wait no longer.
func (m *Machine) wakeFollowing() {
	if !m.leadersChanged || m.foldsFor != nil {
		return
	}
	m.leadersChanged = false
	still := m.following[:0]
	for _, d := range m.following {
		switch {
		case !d.waits():
			d.queued = false
			m.forget(d)
		case d.mayOpen() && !weakened("those whose leader was folded are left where they wait"):
			d.queued = false
			m.queue(d)
		default:
			still = append(still, d)
		}
	}
	clear(m.following[len(still):])
	m.following = still
}

// mayOpen says whether something that waits for d may open it.
func (d *document) mayOpen() bool {
	for _, p := range d.waiting {
		if !decided(p) && !p.waitsForLeader() {
			return true
		}
	}
	return false
}
