package commit

import (
	"slices"
	"testing"
	"time"
)

// unread answers as serve does, but documents of these ids can't be read.
func (b *bed) unread(ids ...string) func(*Request) Answer {
	return func(r *Request) Answer {
		a := b.serve(r)
		for i, k := range r.Keys {
			if slices.Contains(ids, k.ID) {
				a.Stored[i] = Stored{Err: errLost}
			}
		}
		return a
	}
}

// What is led isn't opened before what leads it was folded, and then at once;
// what is there already, and what others open, goes on.
func TestLeaderComesLate(t *testing.T) {
	b := newBed(t)
	m := b.process()
	if r := b.commit(m, chunkOf(1, "there")); r != OK {
		t.Fatal(r)
	}
	o := b.submit(m, led(chunkOf(2, "a", "there", "x", "y")))
	start := b.now
	for b.now.Sub(start) < 2*time.Second {
		b.pass(m, b.unread("a"))
		b.now = m.Wake()
		m.Tick(b.now)
	}
	b.holds("there", 2, 1)
	b.holds("x", 2, 0)
	b.holds("y", 2, 0)
	if n := m.Stats().Followed; n > 2 {
		t.Errorf("%d times looked at in vain", n)
	}
	// Another chunk has nothing to wait for.
	other := b.submit(m, chunkOf(3, "y"))
	b.pass(m, b.unread("a"))
	if other.result != OK {
		t.Errorf("another chunk's result is %d", other.result)
	}
	b.holds("y", 3, 1)
	b.holds("y", 2, 1)
	b.holds("x", 2, 0)
	// As soon as it can be read, without another pause.
	for written := 0; written == 0; {
		b.now = m.Wake()
		m.Tick(b.now)
		b.pass(m, func(r *Request) Answer { written += len(documents(r)); return b.serve(r) })
	}
	if o.result != OK {
		t.Errorf("result %d when what leads is there", o.result)
	}
	for _, id := range []string{"a", "there", "x", "y"} {
		b.holds(id, 2, 1)
	}
}

// What leads others and is rejected, or waits for an update of this sensor, keeps
// nothing waiting. A replay brings its letter without any.
func TestLeaderThatIsNeverFolded(t *testing.T) {
	for name, body := range map[string][]byte{"newer": newerMajor, "corrupt": []byte("D?")} {
		b := newBed(t)
		b.decided = true
		m := b.process()
		b.es.write(&Op{Kind: Put, Key: key("a"), Body: body})
		want := OK
		if name == "newer" {
			want = Retry
		}
		c := led(chunkOf(1, "a", "x"))
		c.Parts = append(c.Parts, Part{Key: key("y"), Delta: &delta{chunk: 1}, Lead: "~", Led: true})
		start := b.now
		if r := b.commit(m, c); r != want {
			t.Errorf("%s: result %d, want %d", name, r, want)
		}
		b.holds("x", 1, 1)
		b.holds("y", 1, 1)
		if b.untold != 2 || b.now.Sub(start) > time.Second {
			t.Errorf("%s: %d opened without, after %v", name, b.untold, b.now.Sub(start))
		}
		if want == OK {
			b.decided = false
			for _, l := range b.letters {
				l.Part.Key = key("z") // whose document is not there
				if r := b.commit(m, replayOf(l)); r != OK {
					t.Errorf("replay: result %d", r)
				}
			}
		}
	}
}

// What is folded together with what leads it isn't opened where that panics, and is
// once that was rejected for it.
func TestLeaderWhoseFoldFails(t *testing.T) {
	b := newBed(t)
	m := b.process()
	c := led(chunkOf(1, "a", "x"))
	c.Parts[0].Delta.(*delta).panics = true
	o := b.submit(m, c)
	for range maxPanics - 1 {
		b.pass(m, b.serve)
		b.holds("x", 1, 0)
		b.now = m.Wake()
	}
	b.decided = true
	b.rest(m, b.serve)
	if o.result != OK || len(b.letters) != 1 || b.untold != 1 {
		t.Errorf("result %d, %d letters, %d opened without", o.result, len(b.letters), b.untold)
	}
	b.holds("x", 1, 1)
}

// What waits is given back with its chunk, and nothing of it stays.
func TestLedIsGivenBack(t *testing.T) {
	b := newBed(t)
	m := b.process()
	if r := b.commitWith(m, led(chunkOf(1, "a", "x", "y")), b.unread("a")); r != Retry {
		t.Errorf("result %d", r)
	}
	for b.now = m.Wake(); !b.now.IsZero(); b.now = m.Wake() {
		b.pass(m, b.serve)
	}
	b.now = epoch.Add(time.Minute)
	if len(m.docs) > 0 || len(m.following) > 0 {
		t.Errorf("%d documents and %d that wait stay", len(m.docs), len(m.following))
	}
	if r := b.commit(m, led(chunkOf(1, "a", "x", "y"))); r != OK {
		t.Errorf("again: result %d", r)
	}
	b.holds("x", 1, 1)
}
