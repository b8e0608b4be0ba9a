package commit

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A panic of the protocol itself costs the chunks under way one attempt each:
// they count once when they come again. It is told once, and no figure falls.
func TestPanicInTheProtocol(t *testing.T) {
	s := newStore()
	var told atomic.Int64
	c := newCommitter(t, s, func(o *Options) {
		o.Report = func(in Incident) {
			if in.Kind == Panicked && strings.Contains(in.Reason, "a defect") && strings.Contains(string(in.Stack), "TestPanicInTheProtocol") {
				told.Add(in.Count)
			}
		}
	})
	const callers, each, panics = 6, 30, 5
	var group sync.WaitGroup
	for i := range callers {
		group.Go(func() {
			for j := range each {
				n := uint16(i*each + j)
				for {
					chunk := chunkOf(n, "x", fmt.Sprint("y", n%3))
					chunk.Deadline = soon(10 * time.Second)
					r, err := c.Commit(t.Context(), chunk)
					if err != nil {
						t.Error(err)
						return
					}
					// Nothing refers to it any more.
					for _, p := range chunk.Parts {
						*p.Delta.(*delta) = delta{chunk: 9999}
					}
					if r == OK {
						break
					}
				}
			}
		})
	}
	for n := range panics {
		for was := c.Stats().Writes; c.Stats().OK < callers*each/2 && c.Stats().Writes < was+3; {
			time.Sleep(time.Millisecond)
		}
		before := c.Stats()
		c.step(func(*Machine) { panic("a defect") })
		after := c.Stats()
		if after.Chunks < before.Chunks || after.OK < before.OK || after.Writes < before.Writes || after.Evicted < before.Evicted {
			t.Errorf("figures fell: %+v, then %+v", before, after)
		}
		if after.Panics != int64(n+1) {
			t.Errorf("%d panics, want %d", after.Panics, n+1)
		}
	}
	group.Wait()
	closeCommitter(t, c)
	if told.Load() != panics {
		t.Errorf("told of %d panics, want %d", told.Load(), panics)
	}
	for n := range uint16(callers * each) {
		s.check(t, "x", n, 1)
		s.check(t, fmt.Sprint("y", n%3), n, 1)
	}
	s.check(t, "x", 9999, 0)
}

// A panic of the naming of ledgers, which the protocol asks, ends neither the
// committer nor the process.
func TestPanicInLedger(t *testing.T) {
	s := newStore()
	var calls atomic.Int64
	c := newCommitter(t, s, func(o *Options) {
		o.Ledger = func(uint32) string {
			if calls.Add(1) == 1 {
				panic("a defect")
			}
			return "ledger"
		}
	})
	defer closeCommitter(t, c)
	for want := range 2 {
		chunk := chunkOf(1, "x")
		chunk.Deadline = soon(10 * time.Second)
		if r, err := c.Commit(t.Context(), chunk); err != nil || r != Result(want) {
			t.Errorf("result %d, %v; want %d", r, err, want)
		}
	}
	s.check(t, "x", 1, 1)
}

// held is a Model, and dead letters, that wait within their call.
type held struct {
	tally
	*store
	in, out chan struct{}
	at      atomic.Int32 // how many are within
}

func newHeld() *held {
	return &held{store: newStore(), in: make(chan struct{}, 10), out: make(chan struct{})}
}

func (h *held) wait() bool {
	alone := h.at.Add(1) == 1
	h.in <- struct{}{}
	<-h.out
	h.at.Add(-1)
	return alone
}

func (h *held) Fold(key Key, class Class, payload []byte, in []Contribution) (Folded, error) {
	if !h.wait() {
		return nil, errors.New("two folds at a time")
	}
	return h.tally.Fold(key, class, payload, in)
}

// After a panic of the protocol a chunk is told of only when no fold works on
// its memory any more, and the next fold waits for that one.
func TestPanicWhileFolding(t *testing.T) {
	h := newHeld()
	c := newCommitter(t, h.store, func(o *Options) { o.Model = h })
	defer closeCommitter(t, c)
	results := make(chan Result, 2)
	commit := func(n uint16) {
		chunk := chunkOf(n, "x")
		chunk.Deadline = soon(20 * time.Second)
		go func() {
			r, err := c.Commit(context.Background(), chunk)
			if err != nil {
				t.Error(err)
			}
			results <- r
		}()
	}
	commit(1)
	<-h.in
	c.step(func(*Machine) { panic("a defect") })
	commit(2)
	for asked := false; !asked; time.Sleep(time.Millisecond) {
		c.step(func(m *Machine) { asked = m.foldsFor != nil })
	}
	select {
	case <-h.in:
		t.Error("two folds at a time")
	case r := <-results:
		t.Errorf("told %d while the fold uses its memory", r)
	default:
	}
	h.out <- struct{}{}
	if r := <-results; r != Retry {
		t.Errorf("the chunk whose fold was under way: %d", r)
	}
	<-h.in
	h.out <- struct{}{}
	if r := <-results; r != OK {
		t.Errorf("the chunk after: %d", r)
	}
	h.check(t, "x", 1, 0)
	h.check(t, "x", 2, 1)
}

func (h *held) Bury(ctx context.Context, letters []Letter) error {
	h.wait()
	return h.store.Bury(ctx, letters)
}

// So it is while letters are written.
func TestPanicWhileBurying(t *testing.T) {
	h := newHeld()
	c := newCommitter(t, h.store, func(o *Options) { o.DeadLetters = h })
	defer closeCommitter(t, c)
	done := make(chan Result, 1)
	go func() {
		chunk := poisoned(chunkOf(1, "x"))
		chunk.Deadline = soon(20 * time.Second)
		r, err := c.Commit(context.Background(), chunk)
		if err != nil {
			t.Error(err)
		}
		done <- r
	}()
	<-h.in
	c.step(func(*Machine) { panic("a defect") })
	select {
	case r := <-done:
		t.Errorf("told %d while its letter is written", r)
	default:
	}
	h.out <- struct{}{}
	if r := <-done; r != Retry {
		t.Errorf("result %d", r)
	}
}

// A chunk that is announced when the protocol panics comes in.
func TestPanicWhileAnnounced(t *testing.T) {
	s := newStore()
	c := newCommitter(t, s, nil)
	defer closeCommitter(t, c)
	a, err := c.Announce(t.Context(), chunkOf(1).ID)
	if err != nil {
		t.Fatal(err)
	}
	c.step(func(*Machine) { panic("a defect") })
	chunk := chunkOf(1, "x")
	chunk.Deadline, chunk.Announced = soon(10*time.Second), a
	if r, err := c.Commit(t.Context(), chunk); r != OK || err != nil {
		t.Errorf("result %d, %v", r, err)
	}
	s.check(t, "x", 1, 1)
}
