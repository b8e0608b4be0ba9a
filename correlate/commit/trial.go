package commit

import (
	"context"
	"errors"
	"strings"
	"time"

	"dossier/panics"
)

// trials finds the chunk that makes the protocol itself panic: those that were
// under way then are tried alone when they come again, so that another panic is
// surely its own. It belongs to a Committer, under its lock.
type trials struct {
	// suspects are counted by the panics they were alone with.
	suspects map[ChunkID]int
	// waiting is how many of them wait to be alone; nobody else begins then.
	waiting int
	// current is the last one tried, submitting the one that is being submitted.
	current, submitting ChunkID
}

const (
	// maxTrials is how many panics a suspect may be alone with: then it goes to
	// the dead letters.
	maxTrials = 3
	// maxSuspects bounds the suspects remembered.
	maxSuspects = 1 << 12
	// convicted stands for a count: its dead letters are written.
	convicted = -1
)

// canBegin says whether a chunk may be submitted now, and whether it is a suspect.
func (t *trials) canBegin(id ChunkID, m *Machine) (canBegin, suspect bool) {
	if len(t.suspects) == 0 {
		return true, false
	}
	_, suspect = t.suspects[id]
	switch {
	case m.chunks[id] != nil:
		return true, suspect // it is waited for
	case m.chunks[t.current] != nil:
		return false, suspect
	case suspect:
		return len(m.chunks) == 0, true
	}
	return t.waiting == 0, false
}

// panicked notes who was under way in m when it panicked.
func (t *trials) panicked(m *Machine) {
	if t.suspects == nil || len(t.suspects)+len(m.chunks) > maxSuspects {
		t.suspects = map[ChunkID]int{}
	}
	alone := len(m.chunks) == 1
	for id := range m.chunks {
		if t.submitting != (ChunkID{}) && id != t.submitting {
			alone = false
			continue
		}
		n := t.suspects[id]
		if alone {
			n++
		}
		t.suspects[id] = n
	}
	t.submitting = ChunkID{}
}

// submit hands a chunk over once it may begin. It returns false where the chunk's
// end need not be waited for: for what r and err say.
func (c *Committer) submit(ctx context.Context, chunk Chunk, ended chan<- Result) (id ChunkID, tried, waits bool, r Result, err error) {
	id = chunk.ID
	if chunk.Replay {
		id = letterID(chunk.ID, chunk.Parts[0].Key)
	}
	queued := false
	for {
		var changed <-chan struct{}
		count, over := 0, false
		c.step(func(m *Machine) {
			t := &c.trials
			if queued {
				t.waiting--
				queued = false
			}
			canBegin, suspect := t.canBegin(id, m)
			count = t.suspects[id]
			switch {
			case c.closed:
				err = ErrClosed
			case ctx.Err() != nil:
				// Others may begin.
				err, over = ctx.Err(), true
				c.askAgain()
			case count == convicted || count >= maxTrials:
			case !canBegin:
				if changed = c.changed; suspect {
					t.waiting++
					queued = true
				}
			default:
				if tried = suspect; suspect {
					t.current = id
				}
				t.submitting = id
				m.Submit(chunk, time.Now(), c.life.teller(ended))
				t.submitting = ChunkID{}
			}
		})
		switch {
		case over && errors.Is(err, context.DeadlineExceeded):
			return id, tried, false, Retry, nil // as one that was begun
		case err != nil:
			return id, tried, false, Retry, err
		case count == convicted:
			return id, tried, false, OK, nil
		case count >= maxTrials:
			r, err = c.convict(ctx, id, chunk)
			return id, tried, false, r, err
		case changed == nil:
			return id, tried, true, Retry, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
}

// acquit forgets a suspect that came to its end.
func (c *Committer) acquit(id ChunkID) {
	c.step(func(*Machine) {
		delete(c.trials.suspects, id)
		c.askAgain()
	})
}

// convict sends all of a chunk that the protocol can't commit to the dead letters.
// A document that holds it all the same knows it by its id when it is replayed.
func (c *Committer) convict(ctx context.Context, id ChunkID, chunk Chunk) (Result, error) {
	const reason = "panic in the commit protocol"
	if chunk.Replay {
		return StillRejected, nil // it is a dead letter already
	}
	letters := make([]Letter, len(chunk.Parts))
	for i, p := range chunk.Parts {
		p.Key.ID = strings.Clone(p.Key.ID) // it is only lent
		letters[i] = Letter{Chunk: chunk.ID, Minute: chunk.Minute, Reason: reason, Part: p}
	}
	err := func() (err error) {
		defer panics.Into(&err, "bury")
		return c.o.DeadLetters.Bury(ctx, letters)
	}()
	kind, r := Buried, OK
	if err != nil {
		kind, r = NotBuried, Retry
	}
	c.step(func(m *Machine) {
		m.stats.Chunks++
		if err == nil {
			c.trials.suspects[id] = convicted
			m.stats.OK++
			m.stats.Buried += int64(len(letters))
		} else {
			m.stats.Retried++
		}
		for _, l := range letters {
			in := Incident{Kind: kind, Key: l.Part.Key, Reason: reason, Err: err}
			if err != nil {
				in.Reason = err.Error()
			}
			m.report(in)
		}
	})
	return r, nil
}
