package commit

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

func TestCache(t *testing.T) {
	doc := func(n int) cached {
		return cached{state: make([]byte, n), version: Version{SeqNo: int64(n), PrimaryTerm: 1}}
	}
	entry := int64(len("documents")+1+100) + cacheOverhead
	c := newCache(3 * entry)
	for _, id := range []string{"a", "b", "c"} {
		c.put(key(id), doc(100))
	}
	if c.bytes != 3*entry || c.evicted != 0 {
		t.Fatalf("%d bytes, want %d; %d evicted", c.bytes, 3*entry, c.evicted)
	}
	c.get(key("a"))
	c.put(key("d"), doc(100))
	for id, want := range map[string]bool{"a": true, "b": false, "c": true, "d": true} {
		if _, ok := c.get(key(id)); ok != want {
			t.Errorf("%s is there: %v", id, ok)
		}
	}
	// A document that grows pushes others out, but not itself.
	c.put(key("d"), doc(90+2*int(entry)))
	if d, ok := c.get(key("d")); !ok || d.version.SeqNo != 90+2*entry || c.evicted != 3 {
		t.Errorf("there: %v, version %v, %d evicted", ok, d.version, c.evicted)
	}
	c.put(key("e"), doc(4*int(entry)))
	if len(c.entries) != 0 || c.bytes != 0 {
		t.Errorf("%d entries of %d bytes are left by one too large for the cache", len(c.entries), c.bytes)
	}
	c.put(key("f"), doc(1))
	c.drop(key("f"))
	c.drop(key("f"))
	if _, ok := c.get(key("f")); ok || c.bytes != 0 {
		t.Errorf("dropped, but %d bytes are left", c.bytes)
	}
}

func TestCacheCountsItsBytes(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	c := newCache(20_000)
	for range 20_000 {
		k := key(fmt.Sprint(r.IntN(200)))
		switch r.IntN(4) {
		case 0:
			c.drop(k)
		case 1:
			c.get(k)
		default:
			c.put(k, cached{state: make([]byte, r.IntN(2000))})
		}
		if c.bytes > c.maxBytes || len(c.entries) != c.order.Len() {
			t.Fatalf("%d bytes, %d entries, %d in order", c.bytes, len(c.entries), c.order.Len())
		}
	}
	var sum int64
	for _, el := range c.entries {
		sum += el.Value.(*cacheEntry).size()
	}
	if sum != c.bytes {
		t.Errorf("%d bytes counted, %d there", c.bytes, sum)
	}
}

func TestLedger(t *testing.T) {
	l := newLedger(3)
	for n := range uint16(5) {
		l.add(chunkOf(n).ID, "")
		l.add(chunkOf(n).ID, "")
	}
	for n := range uint16(5) {
		if got := l.has(chunkOf(n).ID); got != (n >= 2) {
			t.Errorf("chunk %d is there: %v", n, got)
		}
	}
	if len(l.markers) != 3 {
		t.Errorf("%d markers", len(l.markers))
	}
	l.add(chunkOf(4).ID, exception(key("x")))
	if l.vouches(chunkOf(4).ID, key("x")) || !l.vouches(chunkOf(4).ID, key("y")) || l.vouches(chunkOf(0).ID, key("y")) {
		t.Error("it vouches for what it must not, or not for what it must")
	}
}
