package commit

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// Chunks that were announced are waited for, so that one write does for all;
// but not for long, and not once they are withdrawn.
func TestGather(t *testing.T) {
	b := newBed(t)
	b.options.Gather = time.Second
	m := b.process()
	m.Expect(2)
	one := b.submit(m, chunkOf(1, "x", "y"))
	if r := b.next(m); r != nil {
		t.Fatalf("it didn't wait: %+v", r)
	}
	m.Expect(1)
	two := b.submit(m, chunkOf(2, "y", "z"))
	if r := b.next(m); r != nil {
		t.Fatalf("it didn't wait for the second: %+v", r)
	}
	m.Expect(0) // withdrawn
	b.steps(m, Read, Read)
	if got := documents(b.steps(m, Write)); !slices.Equal(got, []string{"x", "y", "z"}) {
		t.Errorf("written: %v", got)
	}
	if one.result != OK || two.result != OK {
		t.Errorf("results %d and %d", one.result, two.result)
	}

	for gather, want := range map[time.Duration]time.Duration{
		500 * time.Millisecond: 500 * time.Millisecond,
		time.Minute:            time.Second, // an eighth of the 8 s that a chunk has here
	} {
		b.options.Gather = gather
		m := b.process()
		m.Expect(1)
		late := b.submit(m, chunkOf(3, "x"))
		if r, at := b.next(m), m.Wake(); r != nil || !at.Equal(b.now.Add(want)) {
			t.Fatalf("gathering for %v: %+v, wakes at %v", gather, r, at)
		}
		b.now = b.now.Add(want)
		b.steps(m, Read, Read)
		if b.steps(m, Write); late.result != OK {
			t.Errorf("it waits for what doesn't come: result %d", late.result)
		}
	}
}

// While a write is under way another full one is prepared and sent; less than
// a full one waits and collects.
func TestAhead(t *testing.T) {
	b := newBed(t)
	b.options.MaxDocuments = 3
	m := b.process()
	var ids []string
	for i := range 8 {
		ids = append(ids, fmt.Sprint(i))
	}
	o := b.submit(m, chunkOf(1, ids...))
	b.steps(m, Read, Read)
	first := b.step(m, Write)
	b.steps(m, Read, Read)
	second := b.step(m, Write)
	if got := append(documents(first), documents(second)...); !slices.Equal(got, ids[:6]) {
		t.Fatalf("written: %v", got)
	}
	if r := b.next(m); r != nil {
		t.Fatalf("a third at a time: %+v", r)
	}
	m.Answer(second, b.serve(second), b.now)
	if r := b.next(m); r != nil {
		t.Fatalf("two documents are no full write: %+v", r)
	}
	m.Answer(first, b.serve(first), b.now)
	b.rest(m, b.serve)
	if o.result != OK || o.calls != 1 {
		t.Errorf("%+v", o)
	}
	for _, id := range ids {
		b.holds(id, 1, 1)
	}
}

// What a round writes is cut into bulks. Some are on their way at a time, the
// next is folded when one of them is answered, and a chunk is done with the
// last.
func TestBulks(t *testing.T) {
	b := newBed(t)
	b.options.BulkOps, b.options.Bulks = 2, 2
	m := b.process()
	ids := []string{"0", "1", "2", "3", "4", "5", "6"}
	o := b.submit(m, chunkOf(1, ids...))
	b.steps(m, Read, Read)
	var way []*Request
	for range 2 {
		way = append(way, b.step(m, Write))
	}
	if r := b.next(m); r != nil {
		t.Fatalf("a third at a time: %+v", r)
	}
	if got := append(documents(way[0]), documents(way[1])...); !slices.Equal(got, ids[:4]) {
		t.Errorf("written: %v", got)
	}
	// What comes meanwhile, for a document that waits to be folded too, is
	// left for the next round.
	late := b.submit(m, chunkOf(2, "6"))
	m.Answer(way[1], b.serve(way[1]), b.now)
	third := b.step(m, Write)
	m.Answer(third, b.serve(third), b.now)
	last := b.step(m, Write)
	if got := append(documents(third), documents(last)...); !slices.Equal(got, ids[4:]) {
		t.Errorf("written: %v", got)
	}
	m.Answer(last, b.serve(last), b.now)
	if o.calls != 0 || b.next(m) != nil {
		t.Fatalf("a bulk is on its way, and the round over: %+v", o)
	}
	m.Answer(way[0], b.serve(way[0]), b.now)
	b.rest(m, b.serve)
	if o.result != OK || late.result != OK {
		t.Errorf("results %+v and %+v", o, late)
	}
	for _, id := range ids {
		b.holds(id, 1, 1)
	}
	b.holds("6", 2, 1)
}

// When a round of contended documents comes to nothing the next begins at
// once: nothing else would wake it.
func TestRoundThatComesToNothing(t *testing.T) {
	b := newBed(t)
	b.options.MaxDocuments = 1
	m := b.process()
	outcomes := map[string]*ending{"x": b.submit(m, chunkOf(1, "x")), "y": b.submit(m, chunkOf(2, "y"))}
	var way []*Request
	for range outcomes {
		b.steps(m, Read, Read)
		way = append(way, b.step(m, Write))
	}
	b.commit(b.process(), chunkOf(3, "x", "y"))
	for _, w := range way {
		m.Answer(w, b.serve(w), b.now) // a conflict
	}
	first := b.step(m, Read)
	id, other, n := first.Keys[0].ID, "y", uint16(1)
	switch id {
	case "x":
	case "y":
		other, n = "x", 2
	default:
		t.Fatalf("it asks for %v first", first.Keys)
	}
	m.giveBack(m.chunks[chunkOf(n).ID])
	m.Answer(first, b.serve(first), b.now)
	if next := b.step(m, Read); next.Keys[0].ID != other {
		t.Fatalf("it asks for %v", next.Keys)
	} else {
		m.Answer(next, b.serve(next), b.now)
	}
	b.rest(m, b.serve)
	if outcomes[id].result != Retry || outcomes[other].result != OK {
		t.Errorf("%s: %+v, %s: %+v", id, outcomes[id], other, outcomes[other])
	}
}

// A bulk ends with the document that brings it to its size.
func TestBulkBytes(t *testing.T) {
	b := newBed(t)
	b.options.BulkBytes = 1
	m := b.process()
	most := 0
	if r := b.commitWith(m, chunkOf(1, "x", "y", "z"), func(r *Request) Answer {
		most = max(most, len(documents(r)))
		return b.serve(r)
	}); r != OK || most != 1 {
		t.Errorf("result %d, at most %d documents at a time", r, most)
	}
}

// The bodies of a bulk stay what they are while others follow, whether they
// fit into a block or not.
func TestBodies(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	for range 20 {
		var b bulk
		var bodies [][]byte
		for i := range 50 {
			size := r.IntN(10_000)
			if r.IntN(10) == 0 {
				size = r.IntN(2 * len(block{}.b))
			}
			// Grown in steps, as a document is, and perhaps cut again.
			body := b.buffer()
			for len(body) < size {
				body = append(body, bytes.Repeat([]byte{byte(i)}, 1+r.IntN(1000))...)
			}
			bodies = append(bodies, b.retain(body[:size]))
			if len(bodies[i]) != size {
				t.Fatalf("seed %d: body %d has %d bytes of %d", seed, i, len(bodies[i]), size)
			}
		}
		for i, body := range bodies {
			if len(bytes.Trim(body, string([]byte{byte(i)}))) != 0 {
				t.Fatalf("seed %d: body %d was written over", seed, i)
			}
		}
		b.recycle()
	}
}
