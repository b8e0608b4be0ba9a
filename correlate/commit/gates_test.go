package commit

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"dossier/testbed/race"
)

// counting is a tally that counts what it is asked.
type counting struct {
	tally
	folds map[string]int // by index
}

func (c *counting) Fold(k Key, class Class, payload []byte, in []Contribution) (Folded, error) {
	c.folds[k.Index]++
	return c.tally.Fold(k, class, payload, in)
}

// outage is one way in which nothing goes on.
type outage struct {
	name string
	// answer returns the answer instead of serve's.
	answer func(b *bed, r *Request) Answer
	// folds says that each probe comes to a fold.
	folds bool
	// others says that the documents of another index are written meanwhile.
	others bool
	// again says that what a chunk has in the index is folded with each
	// delivery: what is missing shows only then.
	again bool
}

// items answers as serve does, but what fails says fails.
func items(fails func(Key) bool, read bool) func(*bed, *Request) Answer {
	return func(b *bed, r *Request) (a Answer) {
		for _, k := range r.Keys {
			if s := (Stored{Err: errLost}); read && fails(k) {
				a.Stored = append(a.Stored, s)
			} else {
				a.Stored = append(a.Stored, b.es.read(k))
			}
		}
		for i := range r.Ops {
			if fails(r.Ops[i].Key) {
				a.Written = append(a.Written, Written{Reason: "cluster_block_exception: blocked"})
			} else {
				a.Written = append(a.Written, b.es.write(&r.Ops[i]))
			}
		}
		return a
	}
}

var outages = []outage{
	{name: "nobody there", answer: func(*bed, *Request) Answer { return Answer{Err: errLost} }},
	{name: "writes fail as a whole", folds: true, answer: func(b *bed, r *Request) Answer {
		if r.Kind == Write {
			return Answer{Err: errors.New("429 Too Many Requests")}
		}
		return b.serve(r)
	}},
	{name: "every item of a write fails", folds: true, answer: items(func(Key) bool { return true }, false)},
	{name: "every item of a read fails", answer: items(func(Key) bool { return true }, true)},
	{name: "an index is blocked", folds: true, others: true, answer: items(func(k Key) bool { return k.Index == "documents" }, false)},
	{name: "an index is gone", others: true, answer: items(func(k Key) bool { return k.Index == "documents" }, true)},
	{name: "the ledger is gone", answer: items(func(k Key) bool { return k.Index == "ledger" }, true)},
	{name: "the effects' index is blocked", folds: true, others: true, again: true, answer: items(func(k Key) bool { return k.Index == "effects" }, false)},
	{name: "answers of the wrong length", answer: func(*bed, *Request) Answer { return Answer{} }},
}

// Rule 16: while Elasticsearch or an index is away it costs nothing, however
// much waits and whatever comes again and again: so many requests, so many
// documents folded and so many chunks read again in an hour. The first answer
// wakes everything: all is durable within seconds.
func TestOutageCostsNothing(t *testing.T) {
	race.OneGoroutine(t)
	const (
		chunks, documents = 25, 200
		hour              = time.Hour
	)
	for _, out := range outages {
		t.Run(out.name, func(t *testing.T) {
			b := newBed(t)
			model := &counting{folds: map[string]int{}}
			m, err := NewMachine(b.options, model)
			if err != nil {
				t.Fatal(err)
			}
			b.machines = append(b.machines, m)
			var all []Chunk
			for n := range uint16(chunks) {
				c := chunkOf(n)
				for i := range documents {
					// Some documents are in all chunks, some in one.
					id := fmt.Sprint(i)
					if i%2 == 0 {
						id = fmt.Sprint(n, "-", i)
					}
					k := key(id)
					if i%4 == 3 {
						k.Index = "others"
					}
					c.Parts = append(c.Parts, Part{Key: k, Delta: &delta{chunk: n, effect: k.Index == "documents"}})
				}
				all = append(all, c)
			}
			host := &fluentBit{b: b, m: m, chunks: all, next: make([]time.Time, chunks), taken: make([]bool, chunks), done: make([]bool, chunks)}
			start := b.now
			requests := 0
			host.run(start.Add(hour), func(r *Request) Answer {
				requests++
				return out.answer(b, r)
			})
			if left := host.left(); left != chunks {
				t.Errorf("%d of %d chunks are left", left, chunks)
			}
			folds := model.folds["documents"] + model.folds["others"]
			t.Logf("%d requests, %d folds (%v), %d chunks read", requests, folds, model.folds, host.brought)
			// A probe each second or two, of three requests at the most, and what
			// it took to find out.
			if most := 3*3600 + 200; requests > most {
				t.Errorf("%d requests in an hour, at most %d", requests, most)
			}
			// To find out took a few bulks; each chunk that is brought may fold
			// what it has in other indices.
			most := 4 * 1500
			if out.folds {
				most += 3600
			}
			if out.others {
				most += chunks * documents
			}
			if out.again {
				most += host.brought * documents
			}
			if folds > most {
				t.Errorf("%d documents folded in an hour, at most %d", folds, most)
			}
			// One chunk at a time is brought to try with, each for its time.
			if most := chunks + 3600/8 + 10; host.brought > most {
				t.Errorf("%d chunks read in an hour, at most %d", host.brought, most)
			}
			if out.others {
				for i := 3; i < documents; i += 4 {
					if got := countsOf(b.es.durable(all[0].Parts[i].Key)); len(got) != chunks {
						t.Fatalf("%v, of another index, holds %d chunks", all[0].Parts[i].Key, len(got))
					}
				}
			}
			back := b.now
			host.run(back.Add(30*time.Second), b.serve)
			if left := host.left(); left != 0 {
				t.Errorf("%d chunks are left 30 s after it is back", left)
			}
			if took := host.last.Sub(back); took > 12*time.Second {
				t.Errorf("the last chunk is done %v after it is back", took)
			}
			for n, c := range all {
				for _, p := range c.Parts {
					if got := countsOf(b.es.durable(p.Key))[uint16(n)]; got != 1 {
						t.Fatalf("%v holds chunk %d %d times", p.Key, n, got)
					}
				}
			}
		})
	}
}

// fluentBit delivers chunks to a machine as Fluent Bit and an engine do: each
// waits to be admitted for 6 s, is then given back and comes again after 5 s;
// once brought it has 8 s.
type fluentBit struct {
	b       *bed
	m       *Machine
	chunks  []Chunk
	next    []time.Time // of a chunk that isn't taken: when it comes
	taken   []bool
	done    []bool
	brought int
	last    time.Time
}

func (f *fluentBit) left() (n int) {
	for _, d := range f.done {
		if !d {
			n++
		}
	}
	return n
}

func (f *fluentBit) run(until time.Time, serve func(*Request) Answer) {
	f.b.t.Helper()
	for steps := 0; f.b.now.Before(until) && f.left() > 0; steps++ {
		if steps > 1_000_000 {
			f.b.t.Fatal("it spins")
		}
		for i := range f.chunks {
			f.deliver(i)
		}
		f.b.pass(f.m, serve)
		at := until
		if w := f.m.Wake(); !w.IsZero() && w.Before(at) {
			at = w
		}
		for i, n := range f.next {
			if !f.taken[i] && !f.done[i] && n.After(f.b.now) && n.Before(at) {
				at = n
			}
		}
		// No driver looks more often than each millisecond.
		if least := f.b.now.Add(time.Millisecond); at.Before(least) {
			at = least
		}
		f.b.now = at
		f.m.Tick(f.b.now)
	}
}

func (f *fluentBit) deliver(i int) {
	if f.taken[i] || f.done[i] || f.b.now.Before(f.next[i]) {
		return
	}
	if admits, _ := f.m.Admits(f.chunks[i].ID, 0); !admits {
		if f.b.now.Sub(f.next[i]) > 6*time.Second {
			f.next[i] = f.b.now.Add(5 * time.Second)
		}
		return
	}
	f.brought++
	f.taken[i] = true
	c := f.chunks[i]
	c.Deadline = f.b.now.Add(8 * time.Second)
	c, back := lend(c)
	f.m.Submit(c, f.b.now, func(r Result) {
		back()
		f.taken[i] = false
		if f.done[i] = r == OK; f.done[i] {
			f.last = f.b.now
		} else {
			f.next[i] = f.b.now.Add(5 * time.Second)
		}
	})
}

// While it is away one probe at a time is under way, with pauses that grow; what
// was on its way before is no probe.
func TestOneProbeAtATime(t *testing.T) {
	b := newBed(t)
	m := b.process()
	for n := range uint16(3) {
		b.submit(m, chunkOf(n, fmt.Sprint(n), "x"))
	}
	var pauses []time.Duration
	last := b.now
	for len(pauses) < 12 {
		r := b.next(m)
		if r == nil {
			b.now = m.Wake()
			m.Tick(b.now)
			if len(m.chunks) == 0 {
				b.submit(m, chunkOf(9, "x"))
			}
			continue
		}
		if m.gates.all.closed {
			if len(r.Keys) != 1 {
				t.Fatalf("the probe asks for %v", r.Keys)
			}
			if other := b.next(m); other != nil {
				t.Fatalf("beside the probe: %+v", other)
			}
			pauses = append(pauses, b.now.Sub(last))
		}
		last = b.now
		m.Answer(r, Answer{Err: errLost}, b.now)
	}
	if pauses[0] > 100*time.Millisecond || slices.Max(pauses[8:]) < time.Second || slices.Max(pauses) > 4*time.Second {
		t.Errorf("pauses %v", pauses)
	}
}

// A lost request alone, or some documents that fail over and over, are no
// outage: all else goes on at full speed.
func TestNoOutage(t *testing.T) {
	b := newBed(t)
	m := b.process()
	b.submit(m, chunkOf(1, "x", "y"))
	m.Answer(b.step(m, Read), Answer{Err: errLost}, b.now)
	if m.gates.all.closed {
		t.Error("one lost request")
	}
	b.rest(m, b.serve)
	stuck := b.submit(m, chunkOf(2, "bad"))
	for n := uint16(10); n < 30; n++ {
		o := b.submit(m, chunkOf(n, fmt.Sprint(n)))
		b.pass(m, b.down("bad"))
		if o.result != OK {
			t.Fatalf("chunk %d waits for a document that it isn't about", n)
		}
		b.now = b.now.Add(100 * time.Millisecond)
	}
	if stuck.calls != 0 || m.Stats().Outages != 0 {
		t.Errorf("%+v, %d outages", stuck, m.Stats().Outages)
	}
}

// Where single documents get through and full bulks don't, the pauses go on
// growing: a probe that succeeds is not the end of it.
func TestOnlyProbesGetThrough(t *testing.T) {
	b := newBed(t)
	model := &counting{folds: map[string]int{}}
	m, err := NewMachine(b.options, model)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for i := range 1000 {
		ids = append(ids, fmt.Sprint(i))
	}
	c := chunkOf(1, ids...)
	c.Deadline = b.now.Add(10 * time.Minute)
	m.Submit(c, b.now, func(Result) {})
	for b.now.Before(c.Deadline.Add(-time.Second)) && !m.Idle() {
		b.pass(m, func(r *Request) Answer {
			if r.Kind == Write && len(r.Ops) > 10 {
				return Answer{Err: errors.New("429 Too Many Requests")}
			}
			return b.serve(r)
		})
		b.now = m.Wake()
		m.Tick(b.now)
	}
	if n := model.folds["documents"]; n > 600*1000 {
		t.Errorf("%d folds in ten minutes", n)
	}
}

// What was read before it was found out is not folded any more.
func TestFoldedNoMoreWhileAway(t *testing.T) {
	b := newBed(t)
	b.options.BulkOps, b.options.Bulks = 2, 2
	m := b.process()
	o := b.submit(m, chunkOf(1, "0", "1", "2", "3", "4", "5", "6", "7"))
	b.steps(m, Read, Read)
	one, two := b.step(m, Write), b.step(m, Write)
	m.Answer(one, Answer{Err: errLost}, b.now)
	m.Answer(two, Answer{Err: errLost}, b.now)
	if m.Stats().Outages != 1 {
		t.Fatal("no outage")
	}
	if r := m.Next(b.now); r != nil {
		t.Fatalf("it goes on with %+v", r)
	}
	b.rest(m, b.serve)
	if o.result != OK {
		t.Errorf("%+v", o)
	}
	for _, p := range chunkOf(1, "0", "1", "2", "3", "4", "5", "6", "7").Parts {
		b.holds(p.Key.ID, 1, 1)
	}
}

// Close in an outage ends in its time; those who wait to bring a chunk are sent
// away, markers that can't be written are left.
func TestCloseWhileAway(t *testing.T) {
	s := newStore()
	var away atomic.Bool
	s.fault = func(context.Context, bool) error {
		if away.Load() {
			return errLost
		}
		return nil
	}
	c := newCommitter(t, s, func(o *Options) { o.MarkerDelay = time.Hour })
	first := chunkOf(0, "x")
	first.Deadline = soon(5 * time.Second)
	if r, err := c.Commit(t.Context(), first); r != OK || err != nil {
		t.Fatal(r, err)
	}
	away.Store(true)
	chunk := chunkOf(1, "x", "y")
	chunk.Deadline = soon(time.Hour)
	ended := make(chan Result, 1)
	go func() {
		r, _ := c.Commit(t.Context(), chunk)
		ended <- r
	}()
	for c.Stats().Outages == 0 {
		runtime.Gosched()
	}
	waiting := make(chan error, 1)
	go func() {
		_, err := c.Announce(t.Context(), chunkOf(2).ID)
		waiting <- err
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := c.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Close: %v", err)
	}
	if r := <-ended; r != Retry {
		t.Errorf("result %d", r)
	}
	if err := <-waiting; !errors.Is(err, ErrClosed) {
		t.Errorf("waiting to bring a chunk: %v", err)
	}
}

// Chunks wait to be brought while it is away, one at a time is let through, and
// all go on with the first answer.
func TestAnnounceWhileAway(t *testing.T) {
	s := newStore()
	var away atomic.Bool
	s.fault = func(context.Context, bool) error {
		if away.Load() {
			return errLost
		}
		return nil
	}
	c := newCommitter(t, s, nil)
	defer closeCommitter(t, c)
	away.Store(true)
	const all = 20
	var group sync.WaitGroup
	var waited, settled, probes atomic.Int64
	for n := range uint16(all) {
		group.Go(func() {
			for known := false; ; {
				if !known && c.Stats().Outages > 0 {
					// Nothing of this one's from before is on its way.
					known = true
					settled.Add(1)
				}
				ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
				a, err := c.Announce(ctx, chunkOf(n).ID)
				cancel()
				if errors.Is(err, ErrAway) {
					waited.Add(1)
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				if settled.Load() == all {
					time.Sleep(5 * time.Millisecond) // others ask while it is read
					c.step(func(m *Machine) {
						if !m.gates.all.closed {
							return
						}
						probes.Add(1)
						if c.probing != 1 || len(m.chunks) > 0 {
							t.Errorf("let through: %d, with %d under way", c.probing, len(m.chunks))
						}
					})
				}
				chunk := chunkOf(n, fmt.Sprint(n), "x")
				chunk.Announced, chunk.Deadline = a, soon(100*time.Millisecond)
				r, err := c.Commit(t.Context(), chunk)
				if err != nil {
					t.Error(err)
					return
				}
				if r == OK {
					return
				}
			}
		})
	}
	for (waited.Load() < 100 || probes.Load() < 5) && !t.Failed() {
		time.Sleep(time.Millisecond)
	}
	away.Store(false)
	group.Wait()
	for n := range uint16(20) {
		s.check(t, "x", n, 1)
	}
}

// BenchmarkOutage is what an outage costs: one operation is a second in which
// 25 chunks of 200 documents come again and again while nobody is there.
func BenchmarkOutage(b *testing.B) {
	s := newStore()
	s.fault = func(context.Context, bool) error { return errLost }
	c, err := New(Options{
		MachineOptions: MachineOptions{Ledger: func(uint32) string { return "ledger" }},
		Store:          s, DeadLetters: s, Model: &tally{},
	})
	if err != nil {
		b.Fatal(err)
	}
	var ids []string
	for i := range 200 {
		ids = append(ids, fmt.Sprint(i))
	}
	ctx, cancel := context.WithCancel(b.Context())
	var group sync.WaitGroup
	for n := range uint16(25) {
		group.Go(func() {
			for ctx.Err() == nil {
				at, done := context.WithTimeout(ctx, 6*time.Second)
				a, err := c.Announce(at, chunkOf(n).ID)
				done()
				if err != nil {
					continue
				}
				chunk := chunkOf(n, ids...)
				chunk.Announced, chunk.Deadline = a, time.Now().Add(2*time.Second)
				_, _ = c.Commit(ctx, chunk)
			}
		})
	}
	time.Sleep(3 * time.Second) // it is found out
	before := processorTime(b)
	for b.Loop() {
		time.Sleep(time.Second)
	}
	used := processorTime(b) - before
	b.ReportMetric(100*used.Seconds()/b.Elapsed().Seconds(), "%core")
	cancel()
	at, done := context.WithTimeout(context.Background(), time.Millisecond)
	defer done()
	_ = c.Close(at)
	group.Wait()
}

func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// TestGate: what a gate makes of the answers, one after the other.
func TestGate(t *testing.T) {
	b := newBed(t)
	m := b.process()
	m.now = b.now
	g := &m.gates.all
	twice := func(write bool) {
		m.failed(g, 1, true)
		m.failed(g, 1, write)
		if !g.closed {
			t.Fatal("it is open after two failures")
		}
	}
	probe := func(answered bool) {
		g.probe = &document{}
		if answered {
			m.answered(g, true)
		} else {
			m.failed(g, 1, true)
		}
		g.probe = nil
	}
	twice(true)
	for range 3 {
		probe(false)
	}
	level := g.level
	waits := &document{until: m.now.Add(time.Second)}
	m.delayed = append(m.delayed, waits)
	probe(true)
	switch {
	case g.closed:
		t.Fatal("a probe was answered, and it is closed")
	case !waits.until.Equal(m.now):
		t.Error("what failed before still waits when everything goes on")
	}
	m.delayed = nil
	if m.failed(g, 1, true); !g.closed || g.level != level+1 {
		t.Errorf("only the probe got through: closed %v, level %d after %d", g.closed, g.level, level)
	}
	probe(true)
	m.answered(g, true)
	if m.failed(g, 1, true); g.closed {
		t.Error("one failure among answers closes it")
	}
	m.answered(g, true)
	if twice(true); g.level != 1 {
		t.Errorf("the pauses of a new outage begin at level %d", g.level-1)
	}
	probe(true)
	m.answered(g, true)
	twice(false)
	g.probe = &document{}
	if m.answered(g, false); !g.closed {
		t.Error("a read opens what a write closed, as a read failed after it")
	}
}

// TestMarkersWhileAway: with nothing else to try with, a single marker is the
// probe when its time has come; then all go at once.
func TestMarkersWhileAway(t *testing.T) {
	b := newBed(t)
	m := b.process()
	m.now = b.now
	for n := range byte(3) {
		m.mark(marker{applied: applied{id: ChunkID{n}, minute: minute(b.now)}})
	}
	m.failed(&m.gates.all, 1, true)
	m.failed(&m.gates.all, 1, true)
	m.gates.all.until = b.now.Add(time.Second)
	b.now = b.now.Add(m.o.MarkerDelay)
	if r := b.next(m); r != nil {
		t.Fatalf("%d operations while away", len(r.Ops))
	}
	if at := m.Wake(); !at.Equal(m.gates.all.until) {
		t.Errorf("it wakes at %v, its probe is due at %v", at, m.gates.all.until)
	}
	b.now = m.gates.all.until
	r := b.next(m)
	if r == nil || len(r.Ops) != 1 {
		t.Fatalf("the probe is %+v", r)
	}
	if other := b.next(m); other != nil {
		t.Error("a second probe beside the first")
	}
	m.Answer(r, b.serve(r), b.now)
	b.now = b.now.Add(m.o.MarkerDelay)
	if r = b.next(m); r == nil || len(r.Ops) != 2 {
		t.Errorf("after an answer: %+v", r)
	}
}

// TestWakesForAnIndex: what waits for an index alone is tried again by the
// clock, whatever else comes.
func TestWakesForAnIndex(t *testing.T) {
	b := newBed(t)
	b.options.closeItems = 1
	m := b.process()
	b.submit(m, chunkOf(1, "a", "b"))
	blocked := items(func(k Key) bool { return k.Index == "documents" }, false)
	var g *gate
	for range 100 {
		r := b.next(m)
		if g = m.gates.byIndex["documents"]; r == nil && g != nil && g.closed && len(m.delayed) == 0 {
			break
		}
		if r == nil {
			b.now = m.Wake()
			continue
		}
		m.Answer(r, blocked(b, r), b.now)
	}
	if g == nil || len(g.parked) != 2 {
		t.Fatalf("the gate is %+v; both documents must wait there", g)
	}
	if at := m.Wake(); !at.Equal(g.until) {
		t.Errorf("it wakes at %v, the probe is due at %v", at, g.until)
	}
}

// While everything is away, what is behind an index's gate stays there: it is not
// moved to the other gate, one document for each round.
func TestIndexBehindEverything(t *testing.T) {
	b := newBed(t)
	m := b.process()
	var ids []string
	for n := range 3000 {
		ids = append(ids, fmt.Sprint("x", n))
	}
	c := chunkOf(1, ids...)
	c.Parts = append(c.Parts, Part{Key: Key{"others", "y"}, Delta: &delta{chunk: 1}})
	c.Deadline = b.now.Add(time.Hour)
	result := Retry
	m.Submit(c, b.now, func(r Result) { result = r })
	rounds := 0
	until := func(over func() bool, answer func(*bed, *Request) Answer) {
		for rounds = 0; !over(); rounds++ {
			if rounds > 20_000 {
				t.Fatal("it doesn't come to that")
			}
			b.pass(m, func(r *Request) Answer { return answer(b, r) })
			if wake := m.Wake(); wake.After(b.now) {
				b.now = wake
			}
			m.Tick(b.now)
		}
	}
	until(func() bool { return len(m.gateOf("documents").parked) > 2900 }, items(func(k Key) bool { return k.Index == "documents" }, true))
	nobody := func(*bed, *Request) Answer { return Answer{Err: errLost} }
	until(func() bool { return m.gates.all.closed }, nobody)
	end := b.now.Add(time.Minute)
	until(func() bool { return b.now.After(end) }, nobody)
	if rounds > 200 {
		t.Errorf("%d rounds in a minute of an outage", rounds)
	}
	back := b.now
	until(func() bool { return m.Idle() }, (*bed).serve)
	if took := b.now.Sub(back); result != OK || took > 10*time.Second {
		t.Errorf("result %d, %v after it was back", result, took)
	}
}

// TestPausesAreJittered around what they are: from a half to one and a half, so that
// those that wait for the same don't meet again.
func TestPausesAreJittered(t *testing.T) {
	m, err := NewMachine(MachineOptions{Ledger: func(uint32) string { return "ledger" }}, &tally{})
	if err != nil {
		t.Fatal(err)
	}
	const d, n = time.Second, 1000
	var sum, least, most time.Duration
	for i := range n {
		j := m.jitter(d)
		if sum += j; i == 0 || j < least {
			least = j
		}
		most = max(most, j)
	}
	if least < d/2 || least > d*6/10 || most > d*3/2 || most < d*14/10 || (sum/n-d).Abs() > d/10 {
		t.Errorf("%s to %s, %s in the mean", least, most, sum/n)
	}
}
