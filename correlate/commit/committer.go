package commit

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// ErrClosed is returned for a chunk that comes after Close.
var ErrClosed = errors.New("commit: closed")

// Options configures a Committer.
type Options struct {
	MachineOptions
	Store       Store
	DeadLetters DeadLetters
	Model       Model
	// Observe is told of every request when it has ended: what it was, how
	// long it took and how it ended. It must neither block nor keep r or a.
	Observe func(ctx context.Context, r *Request, a Answer, took time.Duration)
}

func (o *Options) validate() error {
	switch {
	case o.Store == nil:
		return errors.New("commit: Options.Store is missing")
	case o.DeadLetters == nil:
		return errors.New("commit: Options.DeadLetters is missing")
	case o.Model == nil:
		return errors.New("commit: Options.Model is missing")
	}
	return nil
}

// Committer carries out what a Machine wants done. One Committer serves all
// that write to the same documents in this process; it is safe for concurrent
// use.
type Committer struct {
	o      Options
	ctx    context.Context
	cancel context.CancelFunc
	kick   chan struct{}
	group  sync.WaitGroup

	coming atomic.Int32 // announced chunks

	mu     sync.Mutex
	m      *Machine
	closed bool
}

// New returns a Committer at work. Close ends it.
func New(o Options) (*Committer, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	if o.Seed == 0 {
		// Writers that fall into step would go on meeting.
		o.Seed = rand.Uint64()
	}
	m, err := NewMachine(o.MachineOptions, o.Model)
	if err != nil {
		return nil, err
	}
	c := &Committer{o: o, m: m, kick: make(chan struct{}, 1)}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.group.Go(c.run)
	return c, nil
}

// Commit makes chunk durable and returns how it ended: by chunk.Deadline or
// ctx's deadline, whichever comes first. It returns only when nothing refers
// to the chunk's deltas any more, so their memory may be reused after.
func (c *Committer) Commit(ctx context.Context, chunk Chunk) (Result, error) {
	if d, ok := ctx.Deadline(); ok && (chunk.Deadline.IsZero() || d.Before(chunk.Deadline)) {
		chunk.Deadline = d
	}
	if chunk.Deadline.IsZero() {
		return Retry, errors.New("commit: a chunk without a deadline")
	}
	if chunk.Replay && len(chunk.Parts) != 1 {
		return Retry, fmt.Errorf("commit: a replay of %d letters; one at a time", len(chunk.Parts))
	}
	if err := ctx.Err(); err != nil {
		return Retry, err
	}
	ended := make(chan Result, 1)
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return Retry, ErrClosed
	}
	c.m.Submit(chunk, time.Now(), func(r Result) { ended <- r })
	c.mu.Unlock()
	chunk.Announced.Withdraw()
	c.nudge()
	return <-ended, nil
}

// Announcement says that a chunk is on its way.
type Announcement struct {
	c    *Committer
	over atomic.Bool
}

// Announce says that a chunk will come soon, so that those that are there
// wait for it a little (MachineOptions.Gather): one write for all of them
// costs less than one for each. Either the chunk comes with the announcement,
// or it is withdrawn.
func (c *Committer) Announce() *Announcement {
	c.coming.Add(1)
	return &Announcement{c: c}
}

// Withdraw ends the announcement of a chunk that doesn't come; after that of
// one that came it does nothing.
func (a *Announcement) Withdraw() {
	if a != nil && a.over.CompareAndSwap(false, true) {
		a.c.coming.Add(-1)
		a.c.nudge()
	}
}

// Stats returns what was done so far.
func (c *Committer) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.m.Stats()
}

// Close waits until nothing is under way, the markers written, but no longer
// than ctx allows; then it gives back what is left and ends all requests.
func (c *Committer) Close(ctx context.Context) error {
	c.mu.Lock()
	c.closed = true
	c.m.Flush()
	c.mu.Unlock()
	c.nudge()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !c.idle() && ctx.Err() == nil {
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
	c.cancel()
	c.group.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	// Nothing is in flight any more; what is left to be asked for fails.
	far := time.Unix(1<<40, 0)
	for {
		c.m.Tick(far)
		r := c.m.Next(far)
		if r == nil {
			return ctx.Err()
		}
		c.m.Answer(r, Answer{Err: ErrClosed}, far)
	}
}

func (c *Committer) idle() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.m.Idle()
}

func (c *Committer) nudge() {
	select {
	case c.kick <- struct{}{}:
	default:
	}
}

// run makes the machine's requests and tells it the time.
func (c *Committer) run() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		c.mu.Lock()
		now := time.Now()
		c.m.Tick(now)
		c.m.Expect(int(c.coming.Load()))
		for r := c.m.Next(now); r != nil; r = c.m.Next(now) {
			c.group.Go(func() { c.do(r) })
		}
		wake := c.m.Wake()
		c.mu.Unlock()
		pause := time.Hour
		if !wake.IsZero() {
			pause = max(time.Until(wake), time.Millisecond)
		}
		timer.Reset(pause)
		select {
		case <-c.kick:
		case <-timer.C:
		case <-c.ctx.Done():
			return
		}
	}
}

// do carries out one request and tells the machine its answer.
func (c *Committer) do(r *Request) {
	ctx, cancel := context.WithDeadline(c.ctx, r.Deadline)
	defer cancel()
	start := time.Now()
	a := c.ask(ctx, r)
	if c.o.Observe != nil {
		c.o.Observe(ctx, r, a, time.Since(start))
	}
	c.mu.Lock()
	c.m.Answer(r, a, time.Now())
	c.mu.Unlock()
	c.nudge()
}

// ask carries out r. A panic in the store is an answer like any other: the
// outcome is unknown.
func (c *Committer) ask(ctx context.Context, r *Request) (a Answer) {
	defer func() {
		if p := recover(); p != nil {
			a = Answer{Err: fmt.Errorf("commit: panic in a request: %v", p)}
		}
	}()
	switch r.Kind {
	case Read:
		a.Stored, a.Err = c.o.Store.Read(ctx, r.Keys)
	case Write:
		a.Written, a.Err = c.o.Store.Write(ctx, r.Ops)
	case Bury:
		a.Err = c.o.DeadLetters.Bury(ctx, r.Letters)
	}
	return a
}
