package law

import (
	"bytes"
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"sort"
	"testing"

	"dossier/correlate/event"
)

// plainBottom says what a Bottom must hold in the simplest way: all keys
// merged, all hashed, sorted, the longest prefix that fits.
func plainBottom(items []Entry, limit Limit) (kept []Entry, mark uint64) {
	all := map[string]*Entry{}
	for _, it := range items {
		e := all[it.Key]
		if e == nil {
			e = &Entry{Key: it.Key, First: it.First, Last: it.Last, hash: keyHash(it.Key)}
			all[it.Key] = e
		}
		e.Count += it.Count
		e.First, e.Last, e.Rank = min(e.First, it.First), max(e.Last, it.Last), max(e.Rank, it.Rank)
		if len(it.Payload) > len(e.Payload) || len(it.Payload) == len(e.Payload) && it.Payload > e.Payload {
			e.Payload = it.Payload
		}
	}
	for _, e := range all {
		kept = append(kept, *e)
	}
	sort.Slice(kept, func(i, j int) bool { return kept[i].hash < kept[j].hash })
	size := 0
	for i := range kept {
		size += kept[i].bytes()
		if i >= limit.Keys || limit.Bytes > 0 && size > limit.Bytes {
			return kept[:i], kept[i].hash
		}
	}
	return kept, 0
}

// Keys are hashed late; that must not show: not in what is kept, nor in its
// order, nor in what is written, whenever somebody looks, writes or reads in
// between.
func TestBottomHashesUnseen(t *testing.T) {
	for seed := range uint64(1500) {
		r := rand.New(rand.NewPCG(seed, 3))
		limit := Limit{Keys: 1 + r.IntN(90)}
		if r.IntN(2) == 0 {
			limit.Bytes = 40 + r.IntN(4000)
		}
		keys := 1 + r.IntN(100)
		items := make([]Entry, r.IntN(300))
		for i := range items {
			at := event.Time(1 + r.IntN(50))
			items[i] = Entry{Key: fmt.Sprint("key", r.IntN(keys)), Count: 1, First: at, Last: at, Rank: uint8(r.IntN(3)),
				Payload: string(bytes.Repeat([]byte{'a' + byte(r.IntN(3))}, r.IntN(40)))}
		}
		kept, mark := plainBottom(items, limit)
		var b Bottom
		for i, it := range items {
			b.Add(it, limit)
			switch r.IntN(40) {
			case 0:
				if got := b.Entries(); !slices.IsSortedFunc(got, func(x, y Entry) int { return cmp.Compare(keyHash(x.Key), keyHash(y.Key)) }) {
					t.Fatalf("seed %d, item %d: entries out of order", seed, i)
				}
			case 1:
				b.Distinct()
			case 2:
				b = roundTrip(t, &b)
			case 3:
				if e := b.Get(it.Key); e != nil && e.Key != it.Key {
					t.Fatalf("seed %d, item %d: Get(%q) gave %q", seed, i, it.Key, e.Key)
				}
			}
		}
		want := Bottom{entries: kept, ordered: len(kept), mark: mark}
		if got := b.Append(nil); !bytes.Equal(got, want.Append(nil)) {
			t.Fatalf("seed %d: limit %+v:\n%x\nwant\n%x", seed, limit, got, want.Append(nil))
		}
		if b.Distinct() != want.Distinct() || b.Len() != len(kept) || b.Truncated() != (mark != 0) {
			t.Fatalf("seed %d: %d keys of %d, cut %v; want %d of %d, %v", seed, b.Len(), b.Distinct(), b.Truncated(), len(kept), want.Distinct(), mark != 0)
		}
		for i, e := range b.Entries() {
			if e.Key != kept[i].Key || b.Get(e.Key) == nil {
				t.Fatalf("seed %d: entry %d is %q, want %q, to be found", seed, i, e.Key, kept[i].Key)
			}
		}
	}
}

func roundTrip(t *testing.T, b *Bottom) Bottom {
	t.Helper()
	var c Bottom
	if rest, err := c.Decode(b.Append(nil)); err != nil || len(rest) != 0 {
		t.Fatalf("decode: %v, %d bytes left", err, len(rest))
	}
	return c
}
