package commit

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// slow works on one write after the other, for a while on each document, and
// ends what it began although nobody waits for it any more.
type slow struct {
	Store
	each time.Duration
	turn chan struct{}
}

func (s *slow) Write(ctx context.Context, ops []Op) ([]Written, error) {
	s.turn <- struct{}{}
	defer func() { <-s.turn }()
	time.Sleep(time.Duration(len(ops)) * s.each)
	written, err := s.Store.Write(context.WithoutCancel(ctx), ops)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return written, err
}

// TestSlowNode: a node that takes longer for a full write than a chunk has time
// gets smaller ones. Each that came too late would have to be made again, so
// that nothing would ever be done; when it is quick again, they grow.
func TestSlowNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		es := newStore()
		s := &slow{es, 10 * time.Millisecond, make(chan struct{}, 1)}
		c := newCommitter(t, es, func(o *Options) { o.Store, o.RequestTimeout = s, 2*time.Second })
		defer closeCommitter(t, c)
		var ids []string
		for n := range 3000 {
			ids = append(ids, fmt.Sprintf("d%04d", n))
		}
		deliveries := func(chunk uint16) int {
			for n := range 30 {
				ch := chunkOf(chunk, ids...)
				ch.Deadline = soon(8 * time.Second)
				r, err := c.Commit(t.Context(), ch)
				if err != nil {
					t.Fatal(err)
				}
				if r == OK {
					return n + 1
				}
				time.Sleep(time.Second)
			}
			s := c.Stats()
			t.Fatalf("30 s of work are not done after 30 deliveries of 8 s: %d documents written, of %d the outcome is unknown", s.DocumentsWritten, s.Unknown)
			return 0
		}
		t.Logf("%d deliveries, each document 10 ms", deliveries(1))
		s.each = 0
		for chunk := range uint16(10) {
			if n := deliveries(2 + chunk); n != 1 {
				t.Errorf("%d deliveries although it is quick", n)
			}
		}
		before := c.Stats().Writes
		deliveries(20)
		if n := c.Stats().Writes - before; n > 4 {
			t.Errorf("%d writes for what goes into two", n)
		}
		for _, id := range ids {
			es.check(t, id, 1, 1)
		}
	})
}
