package esindex

import (
	"errors"
	"strings"
	"testing"

	"dossier/correlate/commit"
	"dossier/panics"
)

// TestPanicWhileSending: in a request as around it, a panic ends the write as
// a failure, is told with its stack, and leaves no lock held.
func TestPanicWhileSending(t *testing.T) {
	var told []*panics.Panic
	c := &Client{} // which can't send
	c.o.MaxBulkDocs = 1
	s := &Store{c: c}
	s.OnPanic(func(p *panics.Panic) { told = append(told, p) })
	ops := []commit.Op{{Kind: commit.Put, Key: commit.Key{Index: "a", ID: "1"}, Body: []byte("{}")}, {Kind: commit.Put, Key: commit.Key{Index: "a", ID: "2"}, Body: []byte("{}")}}
	for name, b := range map[string]*batches{
		"in a request": {s: s, ctx: t.Context(), ops: ops, out: make([]commit.Written, 2), pending: []int32{0, 1}},
		"around it":    {s: s, ctx: t.Context(), ops: ops[:1], out: make([]commit.Written, 2), pending: []int32{7}},
	} {
		told = nil
		sc := new(scratch)
		b.send(sc)
		if _, ok := errors.AsType[*panics.Panic](b.failed); !ok || b.answered {
			t.Errorf("%s: failed %v", name, b.failed)
		}
		if len(told) != 1 || told[0].During != "write" || !strings.Contains(told[0].Stack, "esindex.") {
			t.Errorf("%s: told %v", name, told)
		}
		if !b.mu.TryLock() {
			t.Errorf("%s: the lock is held", name)
		}
	}
	s.OnPanic(nil)
	b := &batches{s: s, ctx: t.Context(), ops: ops, out: make([]commit.Written, 2), pending: []int32{0, 1}}
	b.send(new(scratch))
	if b.failed == nil || !strings.Contains(b.out[0].Reason, "panic in write") {
		t.Errorf("failed %v, %+v", b.failed, b.out)
	}
}
