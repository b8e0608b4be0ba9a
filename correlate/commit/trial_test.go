package commit

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// badMinute is that of chunks that make the protocol panic, wherever it asks for
// their ledger.
const badMinute = 13

func panicsAt(o *Options) {
	o.Ledger = func(minute uint32) string {
		if minute == badMinute {
			panic("a defect")
		}
		return "ledger"
	}
}

// delivered brings a chunk until that is OK, as Fluent Bit does, and returns how
// often that took.
func delivered(t *testing.T, c *Committer, chunk Chunk) int {
	for n := 1; ; n++ {
		chunk.Deadline = soon(10 * time.Second)
		lent, back := lend(chunk)
		r, err := c.Commit(t.Context(), lent)
		back()
		if err != nil {
			t.Error(err)
			return n
		}
		if r == OK {
			return n
		}
		if n > 100 {
			t.Errorf("chunk %v comes again and again", chunk.ID)
			return n
		}
	}
}

// A chunk that makes the protocol itself panic each time goes to the dead letters
// after three attempts alone. Those that were beside it are all done, once.
func TestChunkThatPanicsTheProtocol(t *testing.T) {
	s := newStore()
	c := newCommitter(t, s, panicsAt)
	const callers, each = 8, 20
	bad := chunkOf(1000, "x", "y0")
	bad.Minute = badMinute
	var group sync.WaitGroup
	var most atomic.Int64
	for i := range callers {
		group.Go(func() {
			for j := range each {
				if i == 0 && j == 3 {
					delivered(t, c, bad)
				}
				n := uint16(i*each + j)
				most.Store(max(most.Load(), int64(delivered(t, c, chunkOf(n, "x", fmt.Sprint("y", n%3))))))
			}
		})
	}
	group.Wait()
	if n := delivered(t, c, bad); n != 1 {
		t.Errorf("when it comes once more it takes %d attempts", n)
	}
	st := c.Stats()
	if st.Panics > 2*maxTrials || st.Buried != 2 {
		t.Errorf("%d panics, %d letters", st.Panics, st.Buried)
	}
	if most.Load() > 3 {
		t.Errorf("another chunk took %d attempts", most.Load())
	}
	closeCommitter(t, c)
	var ids []string
	for _, l := range s.letters {
		if l.Chunk != bad.ID || l.Reason != "panic in the commit protocol" {
			t.Errorf("a letter of %v, %q", l.Chunk, l.Reason)
		}
		ids = append(ids, l.Part.Key.ID)
	}
	if slices.Sort(ids); !slices.Equal(ids, []string{"x", "y0"}) {
		t.Errorf("letters for %q", ids)
	}
	for n := range uint16(callers * each) {
		s.check(t, "x", n, 1)
		s.check(t, fmt.Sprint("y", n%3), n, 1)
	}
	s.check(t, "x", 1000, 0)
}

// Two such chunks that come together are found one after the other; a letter of
// such a chunk stays one; where the letters can't be written the chunk waits.
func TestChunksThatPanicTheProtocol(t *testing.T) {
	s := newStore()
	fails := true
	c := newCommitter(t, s, func(o *Options) {
		panicsAt(o)
		o.DeadLetters = buryFunc(func(letters []Letter) error {
			if fails {
				fails = false
				return errors.New("no space left on device")
			}
			return s.Bury(t.Context(), letters)
		})
	})
	var group sync.WaitGroup
	for n := range uint16(2) {
		group.Go(func() {
			bad := chunkOf(n, "x")
			bad.Minute = badMinute
			delivered(t, c, bad)
		})
	}
	group.Wait()
	if st := c.Stats(); st.Buried != 2 || st.Panics > 4*maxTrials {
		t.Errorf("%+v", st)
	}
	letter := replayOf(s.letters[0])
	for n := range maxTrials + 1 {
		letter.Deadline = soon(10 * time.Second)
		want := Retry
		if n == maxTrials {
			want = StillRejected
		}
		if r, err := c.Commit(t.Context(), letter); r != want || err != nil {
			t.Errorf("replay %d: result %d, %v; want %d", n+1, r, err, want)
		}
	}
	delivered(t, c, chunkOf(5, "x"))
	closeCommitter(t, c)
	s.check(t, "x", 5, 1)
}

// A suspect waits to be alone no longer than its time, and nobody for it after.
func TestSuspectGivesUp(t *testing.T) {
	h := newHeld()
	c := newCommitter(t, h.store, func(o *Options) { o.Model = h })
	defer closeCommitter(t, c)
	c.step(func(*Machine) { c.trials.suspects = map[ChunkID]int{chunkOf(1).ID: 0} })
	commit := func(n uint16, within time.Duration) chan Result {
		done := make(chan Result, 1)
		chunk := chunkOf(n, fmt.Sprint("x", n))
		chunk.Deadline = soon(within)
		go func() {
			r, err := c.Commit(t.Context(), chunk)
			if err != nil {
				t.Error(err)
			}
			done <- r
		}()
		return done
	}
	two := commit(2, 20*time.Second)
	<-h.in
	one := commit(1, 100*time.Millisecond)
	for waiting := 0; waiting == 0; time.Sleep(time.Millisecond) {
		c.step(func(*Machine) { waiting = c.trials.waiting })
	}
	three := commit(3, 20*time.Second)
	if r := <-one; r != Retry {
		t.Errorf("the suspect: %d", r)
	}
	for under := 0; under < 2; time.Sleep(time.Millisecond) {
		c.step(func(m *Machine) { under = len(m.chunks) })
	}
	h.out <- struct{}{}
	<-h.in
	h.out <- struct{}{}
	if r, s := <-two, <-three; r != OK || s != OK {
		t.Errorf("the others: %d and %d", r, s)
	}
}

// buryFunc is DeadLetters as a function.
type buryFunc func([]Letter) error

func (f buryFunc) Bury(_ context.Context, letters []Letter) error { return f(letters) }
