package commit

import (
	"maps"
	"slices"
	"time"
)

// gate keeps what can't be read or written now from being tried over and over: one
// for everything (nobody there, 429, 401), one for each index (a block, a lost
// shard). While it is closed one document at a time is its probe, after growing
// pauses, and the others are parked, neither read nor folded.
type gate struct {
	index    string // empty for everything
	failures int    // answers in a row
	items    int    // in them
	level    int    // how far the pauses have grown
	closed   bool
	// writes: a write failed, so that only a write can open it.
	writes bool
	until  time.Time // when the next probe may start
	probe  *document // that is it now
	marker bool      // a marker is
	parked []*document
}

// gates are those of everything and of the indices that failed.
type gates struct {
	all     gate
	byIndex map[string]*gate   // those that are or may get closed
	stuck   map[ChunkID]string // the index in the way of a chunk
	verdict verdict            // of the answer that is being judged
}

const (
	// closeAfter is how many answers in a row must fail: one alone may be lost
	// on any network.
	closeAfter = 2
	// closeItems is how many items of an index must have failed in them: what a
	// few cost that fail over and over is bounded by their own pauses, and they
	// need not stand for their index.
	closeItems = 16
	// maxStuck bounds the chunks remembered as stuck behind a gate.
	maxStuck = 1 << 12
)

// due says whether the next probe may start.
func (g *gate) due(now time.Time) bool {
	one := g.probe == nil && !g.marker || weakened("any number of probes at a time")
	return g.closed && one && !now.Before(g.until)
}

// gateOf returns the gate of an index, which is made.
func (m *Machine) gateOf(index string) *gate {
	g := m.gates.byIndex[index]
	if g == nil {
		g = &gate{index: index}
		m.gates.byIndex[index] = g
	}
	return g
}

// failed takes note of an answer that did nothing for all behind the gate.
func (m *Machine) failed(g *gate, items int, write bool) {
	if g.closed && g.probe == nil && !g.marker {
		return // of a request from before it closed
	}
	g.failures++
	g.items += items
	g.writes = g.writes || write
	enough := closeAfter
	if weakened("one lost request is an outage") {
		enough = 1
	}
	if !g.closed && (g.failures < enough || g.index != "" && g.items < m.o.closeItems) {
		return
	}
	if !g.closed {
		g.closed = true
		m.stats.Outages++
	}
	pause := min(m.o.BackoffMin<<g.level, m.o.BackoffMax)
	if !weakened("the pauses don't grow") {
		g.level = min(g.level+1, 10)
	}
	g.until = m.now.Add(m.jitter(pause))
}

// jitter returns about d, up to a half more or less: what waits for the same
// shall not meet again.
func (m *Machine) jitter(d time.Duration) time.Duration {
	return d/2 + time.Duration(m.rand.Int64N(int64(d)))
}

// answered takes note of an answer that shows that the gate may be open.
func (m *Machine) answered(g *gate, write bool) {
	if g.writes && !write && !weakened("what a read answers opens to writes") {
		return
	}
	probed := g.probe != nil || g.marker
	g.writes = false
	switch {
	case g.closed && probed:
		// One went through, perhaps because it is small: if the next fails the
		// pauses go on from here.
		g.failures, g.items = closeAfter-1, m.o.closeItems
	default:
		g.failures, g.items, g.level = 0, 0, 0
	}
	if g.closed {
		m.open(g)
	}
	if g.index != "" && g.failures == 0 {
		delete(m.gates.byIndex, g.index)
	}
}

// open lets everything behind the gate go on at once.
func (m *Machine) open(g *gate) {
	g.closed, g.until = false, time.Time{}
	m.turn++
	parked := g.parked
	g.parked = nil
	for _, d := range parked {
		if weakened("those behind a gate that opens are left there") {
			break
		}
		m.unpark(d)
	}
	if g == &m.gates.all {
		for _, d := range m.delayed {
			d.until = m.now
		}
	}
}

// unpark makes d ready, if something still waits for it.
func (m *Machine) unpark(d *document) {
	d.parked, d.queued, d.failures = nil, false, 0
	if !d.waits() {
		m.forget(d)
		return
	}
	m.queue(d)
}

// park puts d, which no task owns, behind the gate.
func (m *Machine) park(d *document, g *gate) {
	if !d.waits() {
		m.forget(d)
		return
	}
	d.queued, d.parked = true, g
	g.parked = append(g.parked, d)
}

// endProbes ends what d was the probe of.
func (m *Machine) endProbes(d *document) {
	for _, g := range d.probes {
		g.probe = nil
	}
	d.probes = d.probes[:0]
}

// barriers are the closed gates in a document's way, first that of everything.
type barriers [3]*gate

// closedFor returns the closed gates before d: that of everything, those of its
// index or of an effect's that failed, that of the ledger's index in which the
// markers of all that waits for it are.
func (m *Machine) closedFor(d *document) (out barriers) {
	if m.gates.all.closed {
		out[0] = &m.gates.all
	}
	if len(m.gates.byIndex) == 0 {
		return out
	}
	if g := m.gates.byIndex[d.key.Index]; g != nil && g.closed {
		out[1] = g
	} else if g := m.gates.byIndex[d.blocked]; g != nil && g.closed {
		out[1] = g
	}
	for _, p := range d.waiting {
		if decided(p) {
			continue
		}
		g := m.gates.byIndex[m.o.Ledger(p.chunk.minute)]
		if g == nil || !g.closed {
			out[2] = nil
			break
		}
		out[2] = g
	}
	return out
}

// admit says whether d may be taken by a task, perhaps as a probe. If not it is
// parked.
func (m *Machine) admit(d *document) bool {
	gates := m.closedFor(d)
	for _, g := range gates {
		if g != nil && g.probe != d && !g.due(m.now) {
			m.endProbes(d)
			m.park(d, g)
			return false
		}
	}
	for _, g := range gates {
		if g != nil && g.probe != d {
			g.probe = d
			d.probes = append(d.probes, g)
		}
	}
	return true
}

// barred says whether a gate closed before a document that a task owns; then it
// is parked.
func (m *Machine) barred(a *attempt) bool {
	d := a.doc
	for _, g := range m.closedFor(d) {
		if g != nil && g.probe != d {
			m.endAttempt(a)
			m.park(d, g)
			return true
		}
	}
	return false
}

// startProbes makes one of those behind each gate that is due ready, and forgets
// what nothing waits for any more.
func (m *Machine) startProbes() {
	m.startProbe(&m.gates.all)
	if len(m.gates.byIndex) == 0 {
		return
	}
	for _, index := range slices.Sorted(maps.Keys(m.gates.byIndex)) {
		m.startProbe(m.gates.byIndex[index])
	}
}

// wakeProbes says when the next probes are due.
func (m *Machine) wakeProbes(sooner func(time.Time)) {
	all := &m.gates.all
	if all.closed && all.probe == nil && !all.marker && len(all.parked) > 0 {
		sooner(all.until)
	}
	for _, g := range m.gates.byIndex {
		if g.closed && g.probe == nil && len(g.parked) > 0 && !m.behind(g) {
			sooner(g.until)
		}
	}
}

// behind says whether an index's gate need not be tried, since that of everything
// is closed too and has something to try with: what is behind it would only move
// there, one document at a time.
func (m *Machine) behind(g *gate) bool {
	return g != &m.gates.all && m.gates.all.closed && (len(m.gates.all.parked) > 0 || m.gates.all.probe != nil)
}

func (m *Machine) startProbe(g *gate) {
	if len(g.parked) == 0 || !g.due(m.now) || m.behind(g) {
		return
	}
	live := g.parked[:0]
	for _, d := range g.parked {
		if d.waits() {
			live = append(live, d)
		} else {
			d.parked = nil
			m.forget(d)
		}
	}
	clear(g.parked[len(live):])
	g.parked = live
	if len(live) == 0 {
		return
	}
	d := live[0]
	g.parked = slices.Delete(live, 0, 1)
	d.parked, d.queued = nil, false
	g.probe = d
	d.probes = append(d.probes, g)
	m.queue(d)
}

// verdict is what an answer says of each index.
type verdict struct {
	all []indexVerdict
}

type indexVerdict struct {
	index string
	items int
	alive bool
}

// add notes one item's.
func (v *verdict) add(index string, alive bool) {
	for i := len(v.all) - 1; i >= 0; i-- {
		if v.all[i].index == index {
			v.all[i].alive = v.all[i].alive || alive
			v.all[i].items++
			return
		}
	}
	v.all = append(v.all, indexVerdict{index, 1, alive})
}

// judge opens and closes the indices' gates.
func (m *Machine) judge(v *verdict, write bool) {
	for _, i := range v.all {
		if !i.alive && weakened("no outage of an index") {
			continue
		}
		if !i.alive {
			m.failed(m.gateOf(i.index), i.items, write)
		} else if g := m.gates.byIndex[i.index]; g != nil {
			m.answered(g, write)
		}
	}
	v.all = v.all[:0]
}

// judgeRead judges by what was read of each index.
func (m *Machine) judgeRead(keys []Key, stored []Stored) {
	for i := range stored {
		m.gates.verdict.add(keys[i].Index, stored[i].Err == nil)
	}
	m.judge(&m.gates.verdict, false)
}

// rememberStuck remembers that c is given back because of a closed gate.
func (m *Machine) rememberStuck(c *chunk) {
	for i := range c.parts {
		p := &c.parts[i]
		if g := p.doc.parked; !decided(p) && g != nil && g.index != "" {
			if len(m.gates.stuck) >= maxStuck {
				clear(m.gates.stuck)
			}
			m.gates.stuck[c.id] = g.index
			return
		}
	}
}

// Admits says whether it is of use to bring a chunk now, which changes with Turn:
// not while what it needs is away, unless there is nothing left to probe with.
// announced is how many were admitted in spite of that and are still to come.
func (m *Machine) Admits(id ChunkID, announced int) (admits, probing bool) {
	g := &m.gates.all
	if !g.closed {
		if g = m.gates.byIndex[m.gates.stuck[id]]; g == nil || !g.closed {
			return true, false
		}
	}
	if weakened("chunks are brought while it is away") {
		return true, false
	}
	if announced > 0 || g.probe != nil {
		return false, false
	}
	if g == &m.gates.all {
		return len(m.chunks) == 0, true
	}
	for id := range m.chunks {
		if m.gates.stuck[id] == g.index {
			return false, false
		}
	}
	return !slices.ContainsFunc(g.parked, func(d *document) bool {
		return slices.ContainsFunc(d.waiting, func(p *part) bool { return !decided(p) })
	}), true
}

// Turn changes when Admits may say something else.
func (m *Machine) Turn() int { return m.turn }
