package law

import (
	"cmp"
	"slices"
	"sort"

	"dossier/correlate/event"
)

// Bottom keeps keys, each with exact attributes: a key that is kept has been
// kept from its first sight on, because the bound only ever tightens. It takes
// all keys while they fit. From then on it is full: it keeps those that come
// first by Rank, of each class, and beside them the keys that were seen first
// of all, by time and then Rank. What is known of those is when they were seen
// first: how often, a bounded list can't tell of a key that it may have left
// out for a while.
//
// A full list estimates the number of distinct keys from the hashes it kept
// (Bar-Yossef et al., "Counting distinct elements in a data stream", 2002;
// relative standard error about 1/√(N−2)), and never claims more of them than
// there were items.
//
// A list that isn't full is written in the order of the keys' SHA-256, as all
// lists were by earlier versions, which read it and go on; a full one has
// another form (see Ranked). The zero value is empty.
type Bottom struct {
	by      Rank
	entries []Entry // the first ordered of them by hash, then key; the others as they came
	ordered int
	size    int
	// ranked says that the list is full: the order is by's, else SHA-256's.
	ranked bool
	// old is the mark of an earlier version's list that was cut by SHA-256, 0
	// of any other. Settle takes it away.
	old uint64
	// pile is what an earlier version wrote beside a full list that it
	// couldn't read, pileOld its mark. Settle takes it in.
	pile    []Entry
	pileOld uint64
	// longest is what the longest entry read takes.
	longest int

	// Of a full list: the items seen, what earlier versions estimated, the
	// classes, and the keys that came first by First, hash and key.
	seen, before int64
	classes      []class
	firsts       []Entry
	all          []Entry // entries and those of firsts that aren't among them
	fresh        bool    // all holds
	shown        []Entry // Ordered's
}

// class is what a list knows of one class of its keys.
type class struct {
	n, size int
	// mark is the smallest hash that was cut, 0 while nothing was: a key
	// behind it stays out, even where it would fit, for it would have been
	// cut had it come before the one at the mark.
	mark uint64
}

// maxClasses is how many classes a list may have.
const maxClasses = 16

// perClass is a number of each class.
type perClass [maxClasses]int

// short is the number of keys up to which a key is found by comparing it with
// all of them, which is cheaper than hashing it. A longer list is all ordered.
const short = 32

// fullOverhead is what a full list takes beside its entries and those that
// came first: two numbers and the headers of two lists.
const fullOverhead = 2*9 + 2*5

// By has b rank keys by r. It is called while b is empty.
func (b *Bottom) By(r Rank) { b.by = r }

// Reset empties b and keeps its memory and Rank.
func (b *Bottom) Reset() {
	clear(b.entries)
	clear(b.shown)
	b.shown = b.shown[:0]
	b.entries, b.ordered, b.size, b.old, b.longest = b.entries[:0], 0, 0, 0, 0
	if b.pile != nil {
		b.pile, b.pileOld = nil, 0
	}
	if b.ranked || len(b.classes) > 0 {
		b.ranked, b.seen, b.before, b.classes, b.fresh = false, 0, 0, b.classes[:0], false
		clear(b.firsts)
		clear(b.all)
		b.firsts, b.all = b.firsts[:0], b.all[:0]
	}
}

// Len returns the number of keys kept.
func (b *Bottom) Len() int { return len(b.kept()) }

// Size returns what Append takes at the most. It is the same for the same
// items.
func (b *Bottom) Size() int {
	n := headOverhead + b.size
	if b.ranked {
		n += fullOverhead + 9*max(1, len(b.classes))
		for i := range b.firsts {
			n += firstBytes(&b.firsts[i])
		}
	}
	return n
}

// Empty says whether no key was seen.
func (b *Bottom) Empty() bool { return len(b.entries) == 0 && !b.Truncated() }

// Truncated says whether more keys were seen than are kept.
func (b *Bottom) Truncated() bool { return b.ranked || b.old != 0 }

// Full says whether the list is written in the form that versions before this
// one don't know.
func (b *Bottom) Full() bool { return b.ranked }

// Distinct returns the number of distinct keys seen: exact while nothing was
// cut, estimated after, and no more than there were items.
func (b *Bottom) Distinct() int64 {
	if !b.ranked {
		if n := len(b.entries); b.old != 0 && n >= 2 {
			b.order()
			return estimate(n, b.entries[n-1].hash)
		}
		return int64(len(b.entries))
	}
	b.order()
	var n int64
	var largest [maxClasses]uint64
	for i := range b.entries {
		largest[b.entries[i].class] = b.hashed(&b.entries[i])
	}
	for i := range b.classes {
		switch c := &b.classes[i]; {
		case c.mark == 0:
			n += int64(c.n)
		case c.n < 2:
			n += int64(c.n) + 1
		default:
			n += estimate(c.n, largest[i])
		}
	}
	return max(min(n, b.seen), int64(b.Len()), b.before)
}

// Entries returns the kept keys, those last of which only the first sight is
// known: their Count is 0. The slice is the Bottom's own.
func (b *Bottom) Entries() []Entry {
	b.order()
	return b.kept()
}

func (b *Bottom) kept() []Entry {
	if len(b.firsts) == 0 {
		return b.entries
	}
	if !b.fresh {
		b.all = append(b.all[:0], b.entries...)
		for i := range b.firsts {
			f := &b.firsts[i]
			if e, _ := b.find(f.Key); e == nil {
				e := *f
				e.Early = e.Payload
				b.all = append(b.all, e)
			}
		}
		b.fresh = true
	}
	return b.all
}

// Ordered returns the kept keys in the order in which they matter where not all
// can be shown: of each class in turn one that came first and one that comes
// first by Rank. The slice is the Bottom's own.
func (b *Bottom) Ordered() []Entry {
	b.shown = append(b.shown[:0], b.Entries()...)
	out := b.shown
	for i := range out {
		out[i].hash = b.by.of(out[i].Key)
	}
	// The place of a key in its class is where its two orders have it first.
	slices.SortFunc(out, compareFirst)
	var n perClass
	for i := range out {
		c := out[i].class
		out[i].place, n[c] = 2*n[c], n[c]+1
	}
	slices.SortFunc(out, compareRank)
	n = perClass{}
	for i := range out {
		c := out[i].class
		out[i].place, n[c] = min(out[i].place, 2*n[c]+1), n[c]+1
	}
	slices.SortFunc(out, func(x, y Entry) int {
		return cmp.Or(cmp.Compare(x.place, y.place), cmp.Compare(x.class, y.class), compareRank(x, y))
	})
	return out
}

// Sorted returns the kept keys in byte order of the key.
func (b *Bottom) Sorted() []Entry {
	s := append([]Entry(nil), b.kept()...)
	sort.Slice(s, func(i, j int) bool { return s[i].Key < s[j].Key })
	return s
}

// Keys returns the kept keys in byte order.
func (b *Bottom) Keys() []string {
	kept := b.kept()
	s := make([]string, len(kept))
	for i := range kept {
		s[i] = kept[i].Key
	}
	sort.Strings(s)
	return s
}

// Get returns the entry of key, nil where it isn't kept.
func (b *Bottom) Get(key string) *Entry {
	e, _ := b.find(key)
	for i := 0; e == nil && i < len(b.firsts); i++ {
		if b.firsts[i].Key == key {
			e = &b.firsts[i]
		}
	}
	return e
}

// find returns the entry of key, nil where it isn't kept, and key's hash if it
// had to be made.
func (b *Bottom) find(key string) (e *Entry, hash uint64) {
	if len(b.entries) <= short {
		for i := range b.entries {
			if b.entries[i].Key == key {
				return &b.entries[i], 0
			}
		}
		return nil, 0
	}
	b.order()
	hash = b.hash(key)
	if i := b.search(hash, key); i < len(b.entries) && b.entries[i].Key == key {
		return &b.entries[i], hash
	}
	return nil, hash
}

// search returns where a key belongs among the ordered entries.
func (b *Bottom) search(hash uint64, key string) int {
	return sort.Search(b.ordered, func(i int) bool {
		e := &b.entries[i]
		h := b.hashed(e)
		return h > hash || h == hash && e.Key >= key
	})
}

// order brings all entries into the order of their hashes. They are few that
// aren't: those that came since, of a short list.
func (b *Bottom) order() {
	for ; b.ordered < len(b.entries); b.ordered++ {
		e := b.entries[b.ordered]
		i := b.search(b.hashed(&e), e.Key)
		copy(b.entries[i+1:b.ordered+1], b.entries[i:])
		b.entries[i] = e
	}
}

// hash returns the place of a key in the order at hand.
func (b *Bottom) hash(key string) uint64 {
	if b.ranked {
		return b.by.of(key)
	}
	return keyHash(key)
}

// hashed returns the hash of e's key.
func (b *Bottom) hashed(e *Entry) uint64 {
	if e.hash == 0 {
		e.hash = b.hash(e.Key)
	}
	return e.hash
}

// Add combines item, whose Count is how often it was seen, into the set. The
// item's strings are kept as they are.
func (b *Bottom) Add(item Entry, limit Limit) {
	b.add(item.Key, item.Count, item.First, item.Last, item.Rank, item.Payload, &limit)
}

// See combines one sight of key at a time into the set, as Add does an item.
// It is for those who have many: handing on an Entry takes longer than
// counting it.
func (b *Bottom) See(key string, at event.Time, rank uint8, payload string, limit *Limit) {
	b.add(key, 1, at, at, rank, payload, limit)
}

func (b *Bottom) add(key string, count int64, first, last event.Time, rank uint8, payload string, limit *Limit) {
	if !limit.fits(key, payload) {
		key, payload = limit.fit(key, payload)
	}
	b.combine(key, count, first, last, rank, payload, payload, limit)
}

// combine adds count items of one key.
func (b *Bottom) combine(key string, count int64, first, last event.Time, rank uint8, payload, early string, limit *Limit) {
	b.fresh = false
	if b.ranked {
		b.seen += count
		b.first(key, first, early, limit)
	}
	e, hash := b.find(key)
	if e == nil {
		of := limit.class(key)
		if b.ranked && b.classes[of].mark != 0 {
			if hash == 0 {
				hash = b.hash(key)
			}
			if hash >= b.classes[of].mark {
				return
			}
		}
		b.insert(key, count, first, last, rank, payload, early, hash, of, limit)
		return
	}
	e.Count += count
	if limit.Early && (first == e.First && early < e.Early || first != e.First && Earliest(e.First, first) == first) {
		e.Early = early
	}
	e.First = Earliest(e.First, first)
	e.Last = max(e.Last, last)
	e.Rank = max(e.Rank, rank)
	if len(e.Payload) < len(payload) || len(e.Payload) == len(payload) && e.Payload < payload {
		b.grow(e.class, limit.times()*(text(payload)-text(e.Payload)))
		e.Payload = payload
		if !limit.Early {
			e.Early = payload
		}
		b.trim(limit)
	}
}

// insert adds a key that isn't kept.
func (b *Bottom) insert(key string, count int64, first, last event.Time, rank uint8, payload, early string, hash uint64, of uint8, limit *Limit) {
	if len(limit.Shares) > 0 && len(b.classes) == 0 {
		b.classify(limit)
	}
	n := len(b.entries)
	if n == cap(b.entries) {
		b.entries = append(b.entries, Entry{})
	}
	b.entries = b.entries[:n+1]
	e := &b.entries[n]
	// One by one: a whole Entry that was just put together is slow to copy.
	e.Key, e.Count, e.First, e.Last, e.Rank, e.Payload, e.hash, e.class = key, count, first, last, rank, payload, hash, of
	e.Early = payload
	if limit.Early {
		e.Early = early
	}
	b.grow(of, e.bytes(limit))
	if len(b.classes) > 0 {
		b.classes[of].n++
	}
	if n >= short {
		b.order()
	}
	b.trim(limit)
}

// grow counts that a class takes so many bytes more.
func (b *Bottom) grow(of uint8, bytes int) {
	b.size += bytes
	if len(b.classes) > 0 {
		b.classes[of].size += bytes
	}
}
