package commit

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// store is the model of Elasticsearch as a Store, with faults.
type store struct {
	mu      sync.Mutex
	es      *elastic
	letters []Letter
	// fault is called before and after each request; an error there is the
	// request's.
	fault func(ctx context.Context, write bool) error
}

func newStore() *store {
	s := &store{es: newElastic(), fault: func(context.Context, bool) error { return nil }}
	s.es.reject = poisonous
	return s
}

func (s *store) Read(ctx context.Context, keys []Key) ([]Stored, error) {
	a, err := s.ask(ctx, &Request{Keys: keys}, false)
	return a.Stored, err
}

func (s *store) Write(ctx context.Context, ops []Op) ([]Written, error) {
	a, err := s.ask(ctx, &Request{Ops: ops}, true)
	return a.Written, err
}

func (s *store) ask(ctx context.Context, r *Request, write bool) (Answer, error) {
	if err := s.fault(ctx, write); err != nil {
		return Answer{}, err
	}
	s.mu.Lock()
	a := s.es.serve(r)
	s.mu.Unlock()
	return a, s.fault(ctx, write)
}

func (s *store) Bury(_ context.Context, letters []Letter) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.letters = append(s.letters, letters...)
	return nil
}

func (s *store) check(t *testing.T, id string, n uint16, want int) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if got := countsOf(s.es.durable(key(id)))[n]; got != want {
		t.Errorf("%s holds chunk %d %d times, want %d", id, n, got, want)
	}
}

func newCommitter(t *testing.T, s *store, change func(*Options)) *Committer {
	t.Helper()
	o := Options{
		MachineOptions: MachineOptions{
			Ledger:      func(uint32) string { return "ledger" },
			MarkerDelay: 5 * time.Millisecond, BackoffMin: time.Millisecond, BackoffMax: 10 * time.Millisecond,
			RequestTimeout: 200 * time.Millisecond,
		},
		Store: s, DeadLetters: s, Model: &tally{},
	}
	if change != nil {
		change(&o)
	}
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func closeCommitter(t *testing.T, c *Committer) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := c.Close(ctx); err != nil {
		t.Error(err)
	}
}

func soon(d time.Duration) time.Time { return time.Now().Add(d) }

// Two committers with eight callers each bring the same documents forward
// through a store that loses requests and answers.
func TestCommitters(t *testing.T) {
	s := newStore()
	var mu sync.Mutex
	rng := rand.New(rand.NewPCG(1, 2))
	s.fault = func(ctx context.Context, _ bool) error {
		mu.Lock()
		dice, pause := rng.IntN(20), time.Duration(rng.IntN(2000))*time.Microsecond
		mu.Unlock()
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return ctx.Err()
		}
		if dice == 0 {
			return errLost
		}
		return nil
	}
	const callers, each = 8, 12
	var observed atomic.Int64
	var group sync.WaitGroup
	for i := range 2 {
		c := newCommitter(t, s, func(o *Options) {
			o.Seed = uint64(i)
			o.Observe = func(_ context.Context, r *Request, a Answer, took time.Duration) {
				err := a.Err
				if took <= 0 || r.Chunks == 0 && r.Kind != Write || err != nil && !errors.Is(err, errLost) && !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("observed %+v, %v, %v", r, took, err)
				}
				observed.Add(1)
			}
		})
		defer closeCommitter(t, c)
		for j := range callers {
			group.Go(func() {
				for n := range each {
					// Every chunk is delivered to both: the storage was cloned.
					chunk := chunkOf(uint16(j*each+n), "hot", fmt.Sprint(n%5), fmt.Sprint(j, "-", n))
					for {
						chunk.Deadline = soon(2 * time.Second)
						r, err := c.Commit(t.Context(), chunk)
						if err != nil {
							t.Error(err)
							return
						}
						if r == OK {
							break
						}
					}
				}
			})
		}
	}
	group.Wait()
	if observed.Load() == 0 {
		t.Error("nothing was observed")
	}
	for j := range callers {
		for n := range each {
			chunk := uint16(j*each + n)
			s.check(t, "hot", chunk, 1)
			s.check(t, fmt.Sprint(n%5), chunk, 1)
			s.check(t, fmt.Sprint(j, "-", n), chunk, 1)
		}
	}
}

func TestOptionsOfCommitter(t *testing.T) {
	s := newStore()
	for i, o := range []Options{
		{}, {Store: s}, {Store: s, DeadLetters: s}, {Store: s, DeadLetters: s, Model: &tally{}},
	} {
		if _, err := New(o); err == nil {
			t.Errorf("%d: no error", i)
		}
	}
}

func TestCommitRefuses(t *testing.T) {
	c := newCommitter(t, newStore(), nil)
	chunk := chunkOf(1, "x")
	if _, err := c.Commit(t.Context(), chunk); err == nil {
		t.Error("no deadline, no error")
	}
	chunk = chunkOf(1, "x", "y")
	chunk.Replay, chunk.Deadline = true, soon(time.Second)
	if _, err := c.Commit(t.Context(), chunk); err == nil {
		t.Error("two letters, no error")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	chunk = chunkOf(1, "x")
	chunk.Deadline = soon(time.Second)
	if _, err := c.Commit(ctx, chunk); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	closeCommitter(t, c)
	if _, err := c.Commit(t.Context(), chunk); !errors.Is(err, ErrClosed) {
		t.Errorf("closed: %v", err)
	}
	closeCommitter(t, c)
}

// The context's deadline is the chunk's where it comes first.
func TestCommitDeadline(t *testing.T) {
	s := newStore()
	s.fault = func(ctx context.Context, _ bool) error {
		<-ctx.Done()
		return ctx.Err()
	}
	c := newCommitter(t, s, func(o *Options) { o.RequestTimeout = 50 * time.Millisecond })
	defer closeCommitter(t, c)
	start := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	chunk := chunkOf(1, "x")
	chunk.Deadline = soon(time.Hour)
	if r, err := c.Commit(ctx, chunk); r != Retry || err != nil {
		t.Errorf("result %d, %v", r, err)
	}
	if took := time.Since(start); took < 100*time.Millisecond || took > 5*time.Second {
		t.Errorf("after %v", took)
	}
}

// Close writes the markers that wait.
func TestCloseWritesMarkers(t *testing.T) {
	s := newStore()
	c := newCommitter(t, s, func(o *Options) { o.MarkerDelay = time.Hour })
	chunk := chunkOf(1, "x")
	chunk.Deadline = soon(5 * time.Second)
	if r, err := c.Commit(t.Context(), chunk); r != OK || err != nil {
		t.Fatalf("result %d, %v", r, err)
	}
	closeCommitter(t, c)
	if s.es.durable(Key{"ledger", chunk.ID.String()}) == nil {
		t.Error("no marker")
	}
	if st := c.Stats(); st.OK != 1 || st.Markers != 1 {
		t.Errorf("%+v", st)
	}
}

// Close while the store hangs gives everything back when its time is over, and
// leaves no goroutine behind.
func TestCloseInFlight(t *testing.T) {
	s := newStore()
	var writing atomic.Bool
	s.fault = func(ctx context.Context, write bool) error {
		if !write {
			return nil
		}
		writing.Store(true)
		<-ctx.Done()
		return ctx.Err()
	}
	c := newCommitter(t, s, func(o *Options) { o.RequestTimeout = time.Hour })
	results := make(chan Result)
	for n := range uint16(10) {
		go func() {
			chunk := chunkOf(n, "x", fmt.Sprint(n))
			chunk.Deadline = soon(48 * time.Hour)
			r, err := c.Commit(context.Background(), chunk)
			if err != nil && !errors.Is(err, ErrClosed) {
				t.Error(err)
			}
			results <- r
		}()
	}
	for !writing.Load() {
		time.Sleep(time.Millisecond)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := c.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Close: %v", err)
	}
	for range 10 {
		if r := <-results; r != Retry {
			t.Errorf("result %d", r)
		}
	}
}

// After Commit nothing refers to a delta, not even a letter on its way: its
// memory is used again. The race detector would see it.
func TestDeltasAreFreeAfterCommit(t *testing.T) {
	s := newStore()
	slow := slowLetters{store: s}
	c := newCommitter(t, s, func(o *Options) { o.DeadLetters = &slow })
	defer closeCommitter(t, c)
	for n := range uint16(3) {
		chunk := poisoned(chunkOf(n, "x"))
		chunk.Deadline = soon(30 * time.Millisecond)
		if _, err := c.Commit(t.Context(), chunk); err != nil {
			t.Fatal(err)
		}
		*chunk.Parts[0].Delta.(*delta) = delta{}
	}
	if slow.seen.Load() == 0 {
		t.Error("no letter")
	}
}

type slowLetters struct {
	*store
	seen atomic.Int64
}

func (s *slowLetters) Bury(_ context.Context, letters []Letter) error {
	time.Sleep(100 * time.Millisecond)
	for _, l := range letters {
		if !l.Part.Delta.(*delta).poison {
			return errors.New("somebody else's memory")
		}
		s.seen.Add(1)
	}
	return nil
}

// A panic in the store is an unknown outcome.
func TestPanicInStore(t *testing.T) {
	s := newStore()
	var calls atomic.Int64
	s.fault = func(context.Context, bool) error {
		if calls.Add(1) == 2 {
			panic("a bug")
		}
		return nil
	}
	c := newCommitter(t, s, nil)
	defer closeCommitter(t, c)
	chunk := chunkOf(1, "x")
	chunk.Deadline = soon(5 * time.Second)
	if r, err := c.Commit(t.Context(), chunk); r != OK || err != nil {
		t.Errorf("result %d, %v", r, err)
	}
	s.check(t, "x", 1, 1)
}

// What was announced is waited for, until it comes or is withdrawn.
func TestAnnounce(t *testing.T) {
	s := newStore()
	c := newCommitter(t, s, func(o *Options) { o.Gather = time.Hour })
	defer closeCommitter(t, c)
	results := make(chan Result, 2)
	submit := func(chunk Chunk) {
		chunk.Deadline = soon(10 * time.Second)
		go func() {
			r, err := c.Commit(t.Context(), chunk)
			if err != nil {
				t.Error(err)
			}
			results <- r
		}()
	}
	coming, err := c.Announce(t.Context(), chunkOf(2).ID)
	if err != nil {
		t.Fatal(err)
	}
	withdrawn, err := c.Announce(t.Context(), chunkOf(3).ID)
	if err != nil {
		t.Fatal(err)
	}
	submit(chunkOf(1, "x"))
	time.Sleep(50 * time.Millisecond)
	if n := c.Stats().Tasks; n != 0 {
		t.Errorf("%d rounds while two chunks are on their way", n)
	}
	second := chunkOf(2, "x")
	second.Announced = coming
	submit(second)
	withdrawn.Withdraw()
	withdrawn.Withdraw() // once counts
	for range 2 {
		if r := <-results; r != OK {
			t.Errorf("result %d", r)
		}
	}
	s.check(t, "x", 1, 1)
	s.check(t, "x", 2, 1)
}

// Rule 13: callbacks run under no lock of the committer: each may ask it for
// its figures, and take a lock that others hold while they do. What they panic
// with is counted and ends nothing.
func TestCallbacksUnderNoLock(t *testing.T) {
	s := newStore()
	var fail atomic.Bool
	s.fault = func(context.Context, bool) error {
		if fail.Load() {
			return errLost
		}
		return nil
	}
	var c *Committer
	var outer sync.Mutex // as a heartbeat's: it is held around Stats
	var reported, observed atomic.Int64
	var made sync.WaitGroup
	made.Add(1)
	ask := func(n *atomic.Int64) {
		made.Wait()
		outer.Lock()
		defer outer.Unlock()
		c.Stats()
		if n.Add(1)%3 == 0 {
			panic("a defect of a callback")
		}
	}
	c = newCommitter(t, s, func(o *Options) {
		o.Report = func(Incident) { ask(&reported) }
		o.Observe = func(context.Context, *Request, Answer, time.Duration) { ask(&observed) }
	})
	made.Done()
	stop := make(chan struct{})
	var group sync.WaitGroup
	for range 2 {
		group.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					outer.Lock()
					c.Stats()
					outer.Unlock()
				}
			}
		})
	}
	for n := range uint16(40) {
		// Each kind in turn: refused for good, unreachable, a fold that panics,
		// an unreadable document.
		chunk := chunkOf(n, fmt.Sprint("x", n%4))
		fail.Store(n%4 == 1)
		switch n % 4 {
		case 0:
			chunk = poisoned(chunk)
		case 2:
			chunk.Parts[0].Delta.(*delta).panics = true
		case 3:
			s.mu.Lock()
			s.es.write(&Op{Kind: Put, Key: key("x3"), Body: []byte("Dgarbage")})
			s.mu.Unlock()
		}
		chunk.Deadline = soon(20 * time.Millisecond)
		if _, err := c.Commit(t.Context(), chunk); err != nil {
			t.Fatal(err)
		}
	}
	fail.Store(false)
	close(stop)
	group.Wait()
	closeCommitter(t, c)
	if st := c.Stats(); reported.Load() == 0 || observed.Load() == 0 || st.Panics == 0 {
		t.Errorf("%d reported, %d observed, %d panics", reported.Load(), observed.Load(), st.Panics)
	}
}
