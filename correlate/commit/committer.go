package commit

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"dossier/panics"
)

// ErrClosed is returned for a chunk that comes after Close.
var ErrClosed = errors.New("commit: closed")

// ErrAway is returned for a chunk that can't be written now, as others before
// it could not: the incidents told of those say why.
var ErrAway = errors.New("commit: Elasticsearch, or an index, takes nothing now; waiting until it does")

// Options configures a Committer.
type Options struct {
	MachineOptions
	Store       Store
	DeadLetters DeadLetters
	Model       Model
	// Report is told what operators must know. It must not block for long.
	Report func(Incident)
	// Observe is told of every request but folds when it has ended: what it was,
	// how long it took and how it ended. It must neither block nor keep r or a.
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

	announced atomic.Int32 // chunks

	panics atomic.Int64 // of callbacks

	folds sync.Mutex // held by a fold, which another life's may meet

	// mu covers the machine's steps from one state to the next, never a fold, a
	// request or a callback.
	mu     sync.Mutex
	life   *life
	closed bool
	// changed is closed when chunks may be admitted that were not: turn is the
	// machine's turn then.
	changed chan struct{}
	turn    int
	probing int // chunks announced to probe with
	trials  trials
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
	c := &Committer{o: o, life: newLife(m), kick: make(chan struct{}, 1), changed: make(chan struct{})}
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
		return Retry, fmt.Errorf("commit: a replay of %d dead letters; one at a time", len(chunk.Parts))
	}
	if err := ctx.Err(); err != nil {
		return Retry, err
	}
	ctx, cancel := context.WithDeadline(ctx, chunk.Deadline)
	defer cancel()
	ended := make(chan Result, 1)
	id, tried, waits, r, err := c.submit(ctx, chunk, ended)
	chunk.Announced.Withdraw()
	if !waits {
		return r, err
	}
	c.nudge()
	if r = <-ended; tried && r != Retry {
		c.acquit(id)
	}
	return r, nil
}

// news is what the machine has to tell, until the lock is released.
type news struct {
	ended     []end
	incidents []Incident
}

// step runs f, which must not wait, under the lock; what came of it is told
// after.
func (c *Committer) step(f func(m *Machine)) { c.tell(c.underLock(f)) }

func (c *Committer) underLock(f func(m *Machine)) (n news) {
	c.mu.Lock()
	defer c.mu.Unlock()
	defer panics.Catch("the commit protocol", func(p *panics.Panic) { n = c.restart(p) })
	f(c.life.m)
	if t := c.life.m.Turn(); t != c.turn {
		c.turn = t
		c.askAgain()
	}
	return news{c.life.take(), c.life.m.Incidents()}
}

// tell must not be called under the lock. Incidents go first: whoever waits
// for a chunk's end may ask then what held it back.
func (c *Committer) tell(n news) {
	if c.o.Report != nil {
		for _, in := range n.incidents {
			c.guard(func() { c.o.Report(in) })
		}
	}
	for _, e := range n.ended {
		e.to <- e.result
	}
}

// guard runs a callback. A panic there costs what it had to say, and is
// counted.
func (c *Committer) guard(callback func()) {
	panics.Do("a callback", func(*panics.Panic) { c.panics.Add(1) }, callback)
}

// Announcement says that a chunk is on its way.
type Announcement struct {
	c    *Committer
	over atomic.Bool
	// probing: it was let through an outage.
	probing bool
}

// Announce says that a chunk will come soon, so that those that are there wait
// for it a little (MachineOptions.Gather). Either the chunk comes with the
// announcement, or it is withdrawn.
//
// While Elasticsearch, or the index that keeps this chunk from being done, is
// away Announce waits for the end of that, or of ctx, which is an ErrAway; to
// bring the chunk would change nothing. One at a time is let through to try with.
func (c *Committer) Announce(ctx context.Context, id ChunkID) (*Announcement, error) {
	for {
		var changed <-chan struct{}
		var err error
		var a *Announcement
		c.step(func(m *Machine) {
			admits, probing := m.Admits(id, c.probing)
			switch {
			case c.closed:
				err = ErrClosed
			case admits:
				a = &Announcement{c: c, probing: probing}
				if probing {
					c.probing++
				}
			default:
				changed = c.changed
			}
		})
		switch {
		case err != nil:
			return nil, err
		case a != nil:
			c.announced.Add(1)
			return a, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ErrAway
		}
	}
}

// Withdraw ends the announcement of a chunk that doesn't come; after that of
// one that came it does nothing.
func (a *Announcement) Withdraw() {
	if a == nil || !a.over.CompareAndSwap(false, true) {
		return
	}
	a.c.announced.Add(-1)
	if a.probing {
		a.c.step(func(*Machine) {
			a.c.probing--
			a.c.askAgain()
		})
	}
	a.c.nudge()
}

// askAgain has those who wait to bring a chunk ask again.
func (c *Committer) askAgain() {
	close(c.changed)
	c.changed = make(chan struct{})
}

// Stats returns what was done so far.
func (c *Committer) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.life.m.Stats()
	s.Panics += c.panics.Load()
	return s
}

// Close waits until nothing is under way, the markers written, but no longer
// than ctx allows; then it gives back what is left and ends all requests.
func (c *Committer) Close(ctx context.Context) error {
	c.step(func(m *Machine) {
		c.closed = true
		c.askAgain()
		m.Flush()
	})
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
	// Nothing is in flight any more; what is left to be asked for fails.
	far := time.Unix(1<<40, 0)
	c.step(func(m *Machine) {
		for m.Tick(far); ; m.Tick(far) {
			r := m.Next(far)
			if r == nil {
				return
			}
			m.Answer(r, Answer{Err: ErrClosed}, far)
		}
	})
	return ctx.Err()
}

func (c *Committer) idle() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.life.m.Idle()
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
		var wake time.Time
		c.step(func(m *Machine) {
			now := time.Now()
			m.Tick(now)
			m.Expect(int(c.announced.Load()))
			for r := m.Next(now); r != nil; r = m.Next(now) {
				c.begin(r)
			}
			wake = m.Wake()
		})
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

// begin carries out a request of the machine at work.
func (c *Committer) begin(r *Request) {
	l := c.life
	l.lend(r, 1)
	c.group.Go(func() { c.do(l, r) })
}

// do carries out one request and tells the machine its answer, unless that
// machine's life has ended meanwhile.
func (c *Committer) do(l *life, r *Request) {
	var a Answer
	if r.Kind == Fold {
		a = c.fold(r)
	} else {
		a = c.observed(r)
	}
	var late []end
	c.step(func(m *Machine) {
		if l.lend(r, -1); l == c.life {
			m.Answer(r, a, time.Now())
		} else {
			late = l.take()
		}
	})
	c.tell(news{ended: late})
	c.nudge()
}

// fold carries out r, one at a time. A panic that isn't the Model's is an
// answer like any other.
func (c *Committer) fold(r *Request) (a Answer) {
	c.folds.Lock()
	defer c.folds.Unlock()
	defer panics.Into(&a.Err, "a fold")
	r.Fold()
	return a
}

func (c *Committer) observed(r *Request) Answer {
	ctx, cancel := context.WithDeadline(c.ctx, r.Deadline)
	defer cancel()
	start := time.Now()
	a := c.ask(ctx, r)
	if c.o.Observe != nil {
		c.guard(func() { c.o.Observe(ctx, r, a, time.Since(start)) })
	}
	return a
}

// ask carries out r. A panic in the store is an answer like any other: the
// outcome is unknown.
func (c *Committer) ask(ctx context.Context, r *Request) (a Answer) {
	defer panics.Into(&a.Err, "a request")
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
