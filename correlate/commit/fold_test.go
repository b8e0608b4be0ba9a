package commit

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

// fold returns the next request, which must be a fold.
func (b *bed) fold(m *Machine) *Request {
	b.t.Helper()
	r := m.Next(b.now)
	if r == nil || r.Kind != Fold {
		b.t.Fatalf("request %+v, want a fold", r)
	}
	return r
}

// Rule 13: a chunk whose deadline passes while it is folded is told of only
// when the fold has ended: its memory is used again then. The fold counts all
// the same, and the chunk that comes again finds it.
func TestGivenBackWhileFolded(t *testing.T) {
	b := newBed(t)
	m := b.process()
	o := b.submit(m, chunkOf(1, "x", "y"))
	other := b.submit(m, chunkOf(2, "x"))
	b.steps(m, Read, Read)
	f := b.fold(m)
	b.now = b.now.Add(time.Minute)
	m.Tick(b.now)
	if o.calls != 0 || other.calls != 0 {
		t.Fatal("told while the fold uses its deltas")
	}
	again := b.submit(m, chunkOf(1, "x", "y"))
	if r := m.Next(b.now); r != nil {
		t.Fatalf("beside the fold: %+v", r)
	}
	if m.Idle() {
		t.Error("idle while it folds")
	}
	f.Fold()
	if o.calls != 0 {
		t.Fatal("told before the machine knows that the fold has ended")
	}
	m.Answer(f, Answer{}, b.now)
	if o.calls != 1 || o.result != Retry || other.result != Retry {
		t.Fatalf("%+v, %+v", o, other)
	}
	b.rest(m, b.serve)
	if again.calls != 1 || again.result != OK {
		t.Errorf("%+v", again)
	}
	b.commit(m, chunkOf(2, "x"))
	for n := uint16(1); n <= 2; n++ {
		b.holds("x", n, 1)
	}
	b.holds("y", 1, 1)
}

// What comes while a fold is under way, for the same document too, waits for
// the next round; what the other lane answers goes on.
func TestGoesOnWhileFolded(t *testing.T) {
	b := newBed(t)
	b.options.BulkOps = 1
	m := b.process()
	one := b.submit(m, chunkOf(1, "x", "y", "z"))
	b.steps(m, Read, Read)
	f := b.fold(m)
	late := b.submit(m, chunkOf(2, "x", "z"))
	f.Fold()
	m.Answer(f, Answer{}, b.now)
	w := b.steps(m, Write)
	if got := documents(w); len(got) != 1 || got[0] != "x" {
		t.Fatalf("written: %v", got)
	}
	b.rest(m, b.serve)
	if one.result != OK || late.result != OK {
		t.Errorf("%+v and %+v", one, late)
	}
	for _, id := range []string{"x", "z"} {
		b.holds(id, 1, 1)
		b.holds(id, 2, 1)
	}
	b.holds("y", 1, 1)
}

// The Model is called by one at a time, whatever the lanes do: a write of the
// one may be on its way while the other folds.
func TestOneFoldAtATime(t *testing.T) {
	b := newBed(t)
	b.options.MaxDocuments = 2
	m := b.process()
	var ids []string
	for i := range 6 {
		ids = append(ids, fmt.Sprint(i))
	}
	o := b.submit(m, chunkOf(1, ids...))
	b.steps(m, Read, Read)
	first := b.fold(m) // of the one lane
	look := b.step(m, Read)
	m.Answer(look, b.serve(look), b.now)
	look = b.step(m, Read) // the other lane's
	m.Answer(look, b.serve(look), b.now)
	if r := m.Next(b.now); r != nil {
		t.Fatalf("while a fold is under way: %+v", r)
	}
	first.Fold()
	m.Answer(first, Answer{}, b.now)
	b.rest(m, b.serve)
	if o.result != OK {
		t.Errorf("%+v", o)
	}
	for _, id := range ids {
		b.holds(id, 1, 1)
	}
}

// A fold that was not carried out is no harm: its documents are read again.
func TestFoldNotCarriedOut(t *testing.T) {
	b := newBed(t)
	m := b.process()
	o := b.submit(m, chunkOf(1, "x", "y"))
	b.steps(m, Read, Read)
	m.Answer(b.fold(m), Answer{Err: errors.New("closed")}, b.now)
	b.rest(m, b.serve)
	if o.result != OK {
		t.Errorf("%+v", o)
	}
	b.holds("x", 1, 1)
	b.holds("y", 1, 1)
}

// Thousands of documents refused for one cause are one incident that counts
// them; other causes, indices and kinds are others.
func TestIncidentsAreOne(t *testing.T) {
	b := newBed(t)
	m := b.process()
	var ids []string
	for i := range 1400 {
		ids = append(ids, fmt.Sprint(i))
	}
	b.submit(m, chunkOf(1, ids...))
	b.steps(m, Read, Read)
	w := b.step(m, Write)
	a := Answer{Written: make([]Written, len(w.Ops))}
	for i := range a.Written {
		a.Written[i] = Written{Reason: fmt.Sprintf("es_rejected_execution_exception: %d queued", i)}
	}
	a.Written[7].Reason = "cluster_block_exception: read-only"
	m.Answer(w, a, b.now)
	told := m.Incidents()
	if len(told) != 2 || told[0].Count != 1399 || told[1].Count != 1 || told[0].Key.Index != "documents" || told[0].Reason == "" {
		t.Errorf("told: %+v", told)
	}
	if again := m.Incidents(); len(again) != 0 {
		t.Errorf("told twice: %+v", again)
	}
	// Whatever the answers say, what waits to be told is bounded, and nothing
	// of it is uncounted.
	var s incidents
	for i := range 1000 {
		s.add(Incident{Kind: Unreachable, Reason: fmt.Sprint("cause ", i)})
		s.add(Incident{Kind: Buried, Reason: fmt.Sprint("cause ", i)})
	}
	counts := map[IncidentKind]int64{}
	all := s.take()
	for _, in := range all {
		counts[in.Kind] += in.Count
	}
	if len(all) > maxIncidents+2 || counts[Unreachable] != 1000 || counts[Buried] != 1000 {
		t.Errorf("%d incidents, %v", len(all), counts)
	}
}
