package commit

import (
	"fmt"
	"math/bits"
	"slices"
	"testing"
	"time"

	"dossier/testbed/race"
)

// The schedules that broke simpler designs. Newer chunks are more than any
// list of ids holds.
const newer = 600

// others commits n chunks from first on to the documents, from a process of
// their own.
func (b *bed) others(first, n uint16, ids ...string) {
	b.t.Helper()
	m := b.process()
	for i := range n {
		if r := b.commit(m, chunkOf(first+i, ids...)); r != OK {
			b.t.Fatalf("chunk %d: result %d", first+i, r)
		}
	}
}

// F1: a chunk is written and OK returned, but Fluent Bit never reads it: the
// process is dead, or its grace was over. The chunk comes again after many
// newer ones.
func TestF1AcknowledgementLost(t *testing.T) {
	for _, marked := range []bool{true, false} {
		t.Run(fmt.Sprintf("marker written %v", marked), func(t *testing.T) {
			b := newBed(t)
			m := b.process()
			o := b.submit(m, chunkOf(1, "x"))
			b.steps(m, Read, Read, Write)
			if o.result != OK {
				t.Fatalf("result %d", o.result)
			}
			if marked {
				b.rest(m, b.serve)
			}
			if b.marked(1) != marked {
				t.Fatalf("the marker is there: %v", b.marked(1))
			}
			b.others(100, newer, "x")
			if r := b.commit(b.process(), chunkOf(1, "x")); r != OK {
				t.Errorf("again: result %d", r)
			}
			b.holds("x", 1, 1)
		})
	}
}

// F2: document x is written, y fails, RETRY; the process dies; the chunk comes
// again after many newer ones.
func TestF2HalfWrittenThenCrash(t *testing.T) {
	b := newBed(t)
	if r := b.commitWith(b.process(), chunkOf(1, "x", "y"), b.down("y")); r != Retry {
		t.Fatalf("result %d", r)
	}
	b.holds("x", 1, 1)
	b.others(100, newer, "x")
	if r := b.commit(b.process(), chunkOf(1, "x", "y")); r != OK {
		t.Errorf("again: result %d", r)
	}
	b.holds("x", 1, 1)
	b.holds("y", 1, 1)
}

// F3: y is down; more chunks wait for it than any process would keep in mind,
// while x moves on.
func TestF3MoreOutstandingThanKept(t *testing.T) {
	race.OneGoroutine(t)
	const outstanding = 400
	b := newBed(t)
	m := b.process()
	for n := range uint16(outstanding) {
		if r := b.commitWith(m, chunkOf(n, "x", "y"), b.down("y")); r != Retry {
			t.Fatalf("chunk %d: result %d", n, r)
		}
	}
	b.others(1000, newer, "x")
	m = b.process()
	for n := range uint16(outstanding) {
		if r := b.commit(m, chunkOf(outstanding-1-n, "x", "y")); r != OK {
			t.Fatalf("chunk %d again: result %d", outstanding-1-n, r)
		}
	}
	for n := range uint16(outstanding) {
		b.holds("x", n, 1)
		b.holds("y", n, 1)
	}
}

// F4: y is down for longer than anything is kept in memory. Only the ledger's
// retention ends the wait, and that is reported.
func TestF4OutstandingForWeeks(t *testing.T) {
	for _, days := range []int{29, 31} {
		t.Run(fmt.Sprintf("%d days", days), func(t *testing.T) {
			b := newBed(t)
			m := b.process()
			b.commitWith(m, chunkOf(1, "x", "y"), b.down("y"))
			for day := range uint16(days) {
				b.now = b.now.Add(24 * time.Hour)
				if r := b.commit(m, chunkOf(100+day, "x")); r != OK {
					t.Fatalf("day %d: result %d", day, r)
				}
			}
			inside := days < 30
			if atRisk := m.Stats().AtRisk; (atRisk == 0) != inside {
				t.Errorf("%d ids reported at risk", atRisk)
			}
			b.commit(m, chunkOf(1, "x", "y"))
			if inside {
				b.holds("x", 1, 1)
			}
			b.holds("y", 1, 1)
		})
	}
}

// F5: the sensor's id changes at the restart. No id of a sensor is in any
// document or request; what stands for one here is the seed.
func TestF5SensorIDChanges(t *testing.T) {
	b := newBed(t)
	b.commitWith(b.process(), chunkOf(1, "x", "y"), b.down("y"))
	b.options.Seed = 2
	if r := b.commit(b.process(), chunkOf(1, "x", "y")); r != OK {
		t.Errorf("result %d", r)
	}
	b.options.Seed = 3
	if r := b.commit(b.process(), chunkOf(1, "x", "y")); r != OK {
		t.Errorf("result %d", r)
	}
	b.holds("x", 1, 1)
	b.holds("y", 1, 1)
}

// F6: two hosts under one id. Each brings its chunks in turn, many, and each
// again later.
func TestF6OneSensorIDOnTwoHosts(t *testing.T) {
	b := newBed(t)
	hosts := []*Machine{b.process(), b.process()}
	deliver := func() {
		for n := range uint16(2 * newer) {
			if r := b.commit(hosts[n%2], chunkOf(n, "x")); r != OK {
				t.Fatalf("chunk %d: result %d", n, r)
			}
		}
	}
	deliver()
	deliver()
	for n := range uint16(2 * newer) {
		b.holds("x", n, 1)
	}
}

// F7: the storage is cloned, so two processes commit the same chunk at the
// same time: in every order of their requests.
func TestF7ClonedStorage(t *testing.T) {
	const steps = 12
	for order := range uint(1) << steps {
		if bits.OnesCount(order) != steps/2 {
			continue
		}
		b := newBed(t)
		a, z := b.process(), b.process()
		oa, oz := b.submit(a, chunkOf(1, "x", "y")), b.submit(z, chunkOf(1, "x", "y"))
		for i := range steps {
			m := a
			if order>>i&1 == 1 {
				m = z
			}
			if r := b.next(m); r != nil {
				m.Answer(r, b.serve(r), b.now)
			}
		}
		b.rest(a, b.serve)
		b.rest(z, b.serve)
		if oa.result != OK || oz.result != OK {
			t.Errorf("order %b: results %d and %d", order, oa.result, oz.result)
		}
		b.holds("x", 1, 1)
		b.holds("y", 1, 1)
	}
}

// F8: a write is on the primary only, its answer is lost; the next read shows
// it, and a failover takes it back.
func TestF8DirtyReadRolledBack(t *testing.T) {
	for _, failover := range []string{"before the confirming write", "after it"} {
		t.Run(failover, func(t *testing.T) {
			b := newBed(t)
			m := b.process()
			o := b.submit(m, chunkOf(1, "x"))
			b.steps(m, Read, Read)
			r := b.step(m, Write)
			for i := range r.Ops {
				if _, w := b.es.apply(&r.Ops[i]); w.Status != Done {
					t.Fatal(w)
				}
			}
			m.Answer(r, Answer{Err: errLost}, b.now)
			b.now = b.now.Add(time.Second)
			read := b.step(m, Read)
			a := b.serve(read)
			if !a.Stored[0].Exists {
				t.Fatal("the dirty write doesn't show")
			}
			m.Answer(read, a, b.now)
			b.steps(m, Read)
			if o.calls != 0 {
				t.Fatal("acknowledged by a read alone")
			}
			none := func(string) bool { return false }
			if failover == "after it" {
				b.steps(m, Write)
				b.es.failover("documents", none)
			} else {
				b.es.failover("documents", none)
				b.rest(m, b.serve)
			}
			if o.result != OK {
				t.Errorf("result %d", o.result)
			}
			b.holds("x", 1, 1)
		})
	}
}

// A clone commits the chunk, marks it and takes its id out of the document
// between any two requests of the first: the marker is read after the state,
// and again whenever the state is.
func TestCloneFinishesInBetween(t *testing.T) {
	for at := range 8 {
		b := newBed(t)
		b.others(100, 3, "x")
		m := b.process()
		o := b.submit(m, chunkOf(1, "x", "y"))
		for i := 0; !m.Idle(); i++ {
			if i == at {
				clone := b.process()
				b.commit(clone, chunkOf(1, "x", "y"))
				b.commit(clone, chunkOf(2, "x", "y"))
				if _, has := b.ids("x", 1); has {
					t.Fatal("the id is still there")
				}
			}
			r := b.next(m)
			if r == nil {
				b.now = m.Wake()
				continue
			}
			m.Answer(r, b.serve(r), b.now)
		}
		if o.result != OK {
			t.Errorf("before request %d: result %d", at, o.result)
		}
		b.holds("x", 1, 1)
		b.holds("y", 1, 1)
	}
}

// A request that is carried out long after it was given up changes nothing.
func TestZombieRequests(t *testing.T) {
	b := newBed(t)
	m := b.process()
	var zombies []*Request
	first := true
	o := b.submit(m, chunkOf(1, "x", "y"))
	b.rest(m, func(r *Request) Answer {
		if r.Kind == Write && first {
			first = false
			zombies = append(zombies, &Request{Kind: Write, Ops: sent(r.Ops)})
			return Answer{Err: errLost}
		}
		return b.serve(r)
	})
	b.commit(m, chunkOf(2, "x", "y"))
	for _, r := range zombies {
		for _, w := range b.serve(r).Written {
			if w.Status != Conflict {
				t.Errorf("a zombie was carried out: %+v", w)
			}
		}
	}
	if o.result != OK {
		t.Errorf("result %d", o.result)
	}
	for _, id := range []string{"x", "y"} {
		b.holds(id, 1, 1)
		b.holds(id, 2, 1)
	}
}

// The ids in x are those of chunks that wait for room in y, and the other way
// round: what is kept for such chunks lets them finish.
func TestFullDocumentsDontWaitForEachOther(t *testing.T) {
	b := newBed(t)
	b.options.MaxApplied = 16
	fill := func(first uint16, down string) (taken []uint16) {
		m := b.process()
		for n := range uint16(16) {
			b.commitWith(m, chunkOf(first+n, "x", "y"), func(r *Request) Answer {
				if r.Kind == Read {
					// Not even readable, so its room isn't known.
					a := b.serve(r)
					for i, k := range r.Keys {
						if k.ID == down {
							a.Stored[i] = Stored{Err: errLost}
						}
					}
					return a
				}
				return b.down(down)(r)
			})
			taken = append(taken, first+n)
		}
		return taken
	}
	chunks := append(fill(0, "y"), fill(100, "x")...)
	if n, _ := b.ids("x", 0); n < 14 {
		t.Fatalf("x holds %d ids", n)
	}
	if n, _ := b.ids("y", 0); n < 14 {
		t.Fatalf("y holds %d ids", n)
	}
	m := b.process()
	for range 20 {
		chunks = slices.DeleteFunc(chunks, func(n uint16) bool { return b.commit(m, chunkOf(n, "x", "y")) == OK })
	}
	if len(chunks) > 0 {
		t.Errorf("%v are stuck", chunks)
	}
	for n := range uint16(16) {
		b.holds("x", n, 1)
		b.holds("y", n, 1)
		b.holds("x", 100+n, 1)
		b.holds("y", 100+n, 1)
	}
}

// A process that dies again and again, after OK and before the marker, leaves
// ids behind; they must not fill the document for good.
func TestCrashLoopDoesntFillTheDocument(t *testing.T) {
	b := newBed(t)
	b.options.MaxApplied = 64
	refused := 0
	for n := range uint16(200) {
		m := b.process()
		for {
			o := b.submit(m, chunkOf(n, "x"))
			for o.calls == 0 {
				r := b.next(m)
				if r == nil {
					t.Fatalf("chunk %d waits", n)
				}
				m.Answer(r, b.serve(r), b.now)
			}
			if o.result == OK {
				break
			}
			if refused++; refused > 10 {
				ids, _ := b.ids("x", n)
				t.Fatalf("chunk %d is refused again and again, with %d ids", n, ids)
			}
			b.rest(m, b.serve)
		}
	}
}
