package law

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"sort"
	"testing"

	"dossier/correlate/event"
)

// plain is what a Bottom must hold, worked out in the simplest way.
type plain struct {
	full           bool
	seen           int64
	entries, first []Entry
	marks          []uint64
}

// plainBottom merges all keys. Where a class of them is too large it sorts
// them by rank and takes of each class the longest prefix that fits, and those
// seen first.
func plainBottom(items []Entry, limit Limit, by Rank) (p plain) {
	all := map[string]*Entry{}
	for _, it := range items {
		e := all[it.Key]
		if e == nil {
			e = &Entry{Key: it.Key, First: it.First, Last: it.Last, Early: it.Payload, class: limit.class(it.Key)}
			all[it.Key] = e
		}
		e.Count += it.Count
		if it.First < e.First || it.First == e.First && it.Payload < e.Early {
			e.Early = it.Payload
		}
		e.First, e.Last, e.Rank = min(e.First, it.First), max(e.Last, it.Last), max(e.Rank, it.Rank)
		if len(it.Payload) > len(e.Payload) || len(it.Payload) == len(e.Payload) && it.Payload > e.Payload {
			e.Payload = it.Payload
		}
	}
	var kept []Entry
	for _, e := range all {
		p.seen += e.Count
		if !limit.Early {
			e.Early = e.Payload
		}
		kept = append(kept, *e)
	}
	classes := max(1, len(limit.Shares))
	n, size, need := make([]int, classes), make([]int, classes), make([]int, classes)
	p.marks = make([]uint64, classes)
	for i := range kept {
		need[kept[i].class] += kept[i].bytes(&limit)
	}
	// The highest level of water that doesn't run over.
	room := slices.Clone(need)
	if len(limit.Shares) > 0 {
		for level := limit.Bytes; level >= 0; level-- {
			sum := 0
			for c := range room {
				share := limit.Shares[c].Bytes
				room[c] = min(need[c], share+min(max(0, need[c]-share), level))
				sum += room[c]
			}
			if sum <= limit.Bytes {
				break
			}
		}
	}
	over := func(c uint8) bool {
		if len(limit.Shares) > 0 {
			return size[c] > room[c]
		}
		return n[c] > limit.Keys || limit.Bytes > 0 && size[c] > limit.Bytes
	}
	for i := range kept {
		c := kept[i].class
		n[c]++
		size[c] += kept[i].bytes(&limit)
		p.full = p.full || over(c)
	}
	if !p.full {
		sort.Slice(kept, func(i, j int) bool { return keyHash(kept[i].Key) < keyHash(kept[j].Key) })
		p.entries = kept
		return p
	}
	sort.Slice(kept, func(i, j int) bool { return by.of(kept[i].Key) < by.of(kept[j].Key) })
	clear(n)
	clear(size)
	for _, e := range kept {
		if p.marks[e.class] != 0 {
			continue
		}
		n[e.class]++
		size[e.class] += e.bytes(&limit)
		if over(e.class) {
			p.marks[e.class] = by.of(e.Key)
			continue
		}
		p.entries = append(p.entries, e)
	}
	sort.SliceStable(kept, func(i, j int) bool { return kept[i].First < kept[j].First })
	clear(n)
	for _, e := range kept {
		if n[e.class]++; n[e.class] > limit.firsts(int(e.class)) {
			continue
		}
		f := Entry{Key: e.Key, First: e.First}
		if limit.Early {
			f.Payload = e.Early
		}
		p.first = append(p.first, f)
	}
	return p
}

// Keys are hashed late; that must not show: not in what is kept, nor in its
// order, nor in what is written, whenever somebody looks, writes or reads in
// between.
func TestBottomHashesUnseen(t *testing.T) {
	for seed := range uint64(1500) {
		r := rand.New(rand.NewPCG(seed, 3))
		limit := Limit{Keys: 1 + r.IntN(90), Early: r.IntN(2) == 0, Firsts: r.IntN(6)}
		if r.IntN(2) == 0 {
			limit.Bytes = 40 + r.IntN(4000)
		}
		if r.IntN(3) == 0 {
			limit.Class, limit.Bytes = byLength, 100
			for range 3 {
				limit.Shares = append(limit.Shares, Share{r.IntN(3) * 300, r.IntN(4)})
				limit.Bytes += limit.Shares[len(limit.Shares)-1].Bytes + r.IntN(400)
			}
		}
		keys := 1 + r.IntN(100)
		items := make([]Entry, r.IntN(300))
		for i := range items {
			at := event.Time(1 + r.IntN(50))
			items[i] = Entry{
				Key: fmt.Sprint("key", r.IntN(keys)), Count: 1, First: at, Last: at, Rank: uint8(r.IntN(3)),
				Payload: string(bytes.Repeat([]byte{'a' + byte(r.IntN(3))}, r.IntN(40))),
			}
		}
		want := plainBottom(items, limit, testRank)
		b := ranked()
		for i, it := range items {
			b.Add(it, limit)
			switch r.IntN(40) {
			case 0:
				b.Entries()
			case 1:
				b.Distinct()
			case 2:
				b = roundTrip(t, &b, &limit)
			case 3:
				if e := b.Get(it.Key); e != nil && e.Key != it.Key {
					t.Fatalf("seed %d, item %d: Get(%q) gave %q", seed, i, it.Key, e.Key)
				}
			case 4:
				b.Ordered()
			}
		}
		b.order()
		if b.ranked != want.full || b.Truncated() != want.full {
			t.Fatalf("seed %d: full %v, cut %v; want %v", seed, b.ranked, b.Truncated(), want.full)
		}
		show := func(list []Entry) (s string) {
			for _, e := range list {
				s += fmt.Sprintf("%q %d %d-%d %d %q %q\n", e.Key, e.Count, e.First, e.Last, e.Rank, e.Payload, e.Early)
			}
			return s
		}
		if got := show(b.entries); got != show(want.entries) {
			t.Fatalf("seed %d: limit %+v:\n%s\nwant\n%s", seed, limit, got, show(want.entries))
		}
		if got := show(b.firsts); got != show(want.first) {
			t.Fatalf("seed %d: limit %+v: first came\n%s\nwant\n%s", seed, limit, got, show(want.first))
		}
		if want.full {
			for i, c := range b.classes {
				if c.mark != want.marks[i] {
					t.Fatalf("seed %d: class %d is cut at %x, want %x", seed, i, c.mark, want.marks[i])
				}
			}
			if b.seen != want.seen || b.Distinct() > want.seen {
				t.Fatalf("seed %d: %d items, %d distinct; there were %d", seed, b.seen, b.Distinct(), want.seen)
			}
		}
		if got := b.Ordered(); len(got) != b.Len() || len(got) != len(b.Keys()) || len(got) != len(b.Sorted()) {
			t.Fatalf("seed %d: %d in order, %d kept, %d keys", seed, len(got), b.Len(), len(b.Keys()))
		}
		for _, e := range b.Entries() {
			if got := b.Get(e.Key); got == nil || got.Count != e.Count {
				t.Fatalf("seed %d: %q is kept and not found", seed, e.Key)
			}
		}
	}
}

func roundTrip(t *testing.T, b *Bottom, limit *Limit) Bottom {
	t.Helper()
	c := ranked()
	if rest, err := c.Decode(b.Append(nil)); err != nil || len(rest) != 0 {
		t.Fatalf("decode: %v, %d bytes left", err, len(rest))
	}
	c.Settle(limit, 1<<40, false)
	return c
}
