package commit

import "dossier/panics"

// life is a Machine at work, until it panics: then what it knows can't be
// relied on, and another one begins as in a process that crashed.
type life struct {
	m *Machine
	// waiting are those who wait for a chunk's end, ended those to be told.
	waiting map[chan<- Result]struct{}
	ended   []end
	// lent counts the requests under way that work on the memory of chunks.
	lent int
}

// end is how a chunk ended.
type end struct {
	to     chan<- Result
	result Result
}

func newLife(m *Machine) *life {
	return &life{m: m, waiting: make(map[chan<- Result]struct{})}
}

// teller returns what notes the end of a chunk.
func (l *life) teller(to chan<- Result) func(Result) {
	l.waiting[to] = struct{}{}
	return func(r Result) {
		delete(l.waiting, to)
		l.ended = append(l.ended, end{to, r})
	}
}

// lend counts a request that begins (1) or has ended (-1).
func (l *life) lend(r *Request, n int) {
	if r.Kind == Fold || r.Kind == Bury {
		l.lent += n
	}
}

// take returns those to be told, and forgets them.
func (l *life) take() []end {
	ended := l.ended
	if l.m == nil {
		if l.lent > 0 {
			return nil // their memory is in use
		}
		for to := range l.waiting {
			ended = append(ended, end{to, Retry})
		}
		clear(l.waiting)
	}
	l.ended = nil
	return ended
}

// restart begins another life after a panic of the machine, and returns what
// the last one has to tell: all its chunks are given back. It is called under
// the lock.
func (c *Committer) restart(p *panics.Panic) news {
	old := c.life
	c.trials.panicked(old.m)
	m, err := NewMachine(c.o.MachineOptions, c.o.Model)
	if err != nil {
		panic(err) // New checked the options
	}
	m.stats, m.cache.evicted = old.m.stats, old.m.cache.evicted
	m.stats.Panics++
	m.stats.Retried += int64(len(old.m.chunks))
	m.report(Incident{Kind: Panicked, Err: p, Reason: p.Error(), Stack: []byte(p.Stack)})
	incidents := append(old.m.Incidents(), m.Incidents()...)
	old.m = nil
	c.life, c.turn = newLife(m), m.Turn()
	c.askAgain()
	c.nudge()
	return news{old.take(), incidents}
}
