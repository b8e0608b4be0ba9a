package law

import (
	"cmp"
	"slices"
	"sort"
	"strings"

	"dossier/correlate/event"

	"github.com/tinylib/msgp/msgp"
)

// Entry is one key of a Bottom with its exact attributes.
type Entry struct {
	Key   string
	Count int64
	// First and Last are the smallest and largest time of the key's items.
	First, Last event.Time
	// Rank is the largest rank of the key's items (an outcome, a kind).
	Rank uint8
	// Payload is the largest payload of the key's items by length, then
	// content: the most telling one, and a law that never depends on order.
	Payload string
	// Early is the smallest payload of the items at First, where the Limit
	// has Early.
	Early string

	hash  uint64 // 0 until it is needed
	class uint8
	place int // in Ordered
}

// FirstOnly says that nothing is known of the key but its first sight.
func (e *Entry) FirstOnly() bool {
	return e.Count == 0 && e.Last == event.Never && e.First != event.Never
}

// Limit bounds a list.
type Limit struct {
	// Keys is the number of keys kept.
	Keys int
	// Bytes bounds what the keys kept take at the most when they are encoded:
	// the longest prefix, in the order of the law, that fits is kept. 0 means
	// no bound beyond Keys.
	Bytes int
	// Note is the length, in bytes, to which a First cuts what it knows of a
	// key beside the key. It counts in full into Bytes: what a key takes must
	// not depend on which of its items came first.
	Note int
	// Entry is what one entry may take when it is encoded; longer texts are
	// cut. 0 means no bound.
	Entry int
	// Part is the part of the key, of those joined by NUL, that is cut.
	Part int
	// Payload is what of an entry is left to its payload however long the key
	// is. 0 means that there are no payloads.
	Payload int
	// Fields says how a payload is cut to n bytes.
	//
	// If Fields is nil, payloads are texts, and Shorten will be used.
	Fields func(payload string, n int) string
	// Firsts is how many of the keys that came first a full list keeps
	// beside, whatever their place.
	Firsts int
	// Early says that a payload is kept with those that came first; payloads
	// count twice into Bytes.
	Early bool
	// Shares are what the classes that Class tells apart by the key have for
	// certain, so that none can push out another. What is left of Bytes goes
	// to those that need more, as evenly as it can. Without any there is one
	// class, bounded by Keys, Bytes and Firsts.
	Shares []Share
	Class  func(key string) int
}

// Share is what one class of a list has for certain: Bytes, and Firsts of the
// keys that came first.
type Share struct{ Bytes, Firsts int }

// Most is what a Bottom with this limit takes at the most when it is encoded.
func (l *Limit) Most() int {
	first := l.Entry
	if !l.Early {
		first = 1 + 9 + 1 + longText + l.longestKey()
	}
	classes := max(1, len(l.Shares))
	n := headOverhead + fullOverhead + 9*classes + l.Bytes
	for i := range classes {
		n += l.firsts(i) * first
	}
	return n
}

// firsts is how many of a class's keys that came first are kept.
func (l *Limit) firsts(class int) int {
	if len(l.Shares) == 0 {
		return l.Firsts
	}
	return l.Shares[class].Firsts
}

// Key returns a key as the list keeps it.
func (l *Limit) Key(key string) string {
	if l.Entry == 0 {
		return key
	}
	return shortenPart(key, l.Part, l.longestKey())
}

// longestKey is what a key may take.
func (l *Limit) longestKey() int {
	return l.Entry - entryOverhead - longText - l.times()*(longText+l.Payload)
}

func (l *Limit) class(key string) uint8 {
	if len(l.Shares) == 0 {
		return 0
	}
	return uint8(l.Class(key))
}

// fit cuts what is longer than an entry may be. How the key is cut depends on
// the key alone, how the payload is on both: a law's items stay the same
// whatever else was seen.
func (l *Limit) fit(key, payload string) (string, string) {
	times := l.times()
	key = l.Key(key)
	n := (l.Entry-entryOverhead-text(key))/times - longText
	switch {
	case len(payload) <= n:
	case n < cutTail:
		payload = ""
	case l.Fields != nil:
		payload = l.Fields(payload, n)
	default:
		payload = Shorten(payload, n)
	}
	return key, payload
}

// fits says whether fit has nothing to do, quickly.
func (l *Limit) fits(key, payload string) bool {
	return l.Entry == 0 || len(key)+l.times()*(len(payload)+l.Payload) <= l.Entry-entryOverhead-4*longText
}

// times is how often a payload counts.
func (l *Limit) times() int {
	if l.Early {
		return 2
	}
	return 1
}

// longText is what the header of a text takes that an entry may have.
const longText = 3

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

// entryOverhead is what an entry takes beside its key and payload at the most:
// the header of its array, count, two times and rank.
const entryOverhead = 1 + 9 + 9 + 9 + 2

// headOverhead is what the header of a list and a number in front take.
const headOverhead = 5 + 9

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

// firstBytes is what a key that came first takes at the most.
func firstBytes(e *Entry) int { return 1 + 9 + text(e.Key) + text(e.Payload) }

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

func compareRank(x, y Entry) int {
	return cmp.Or(cmp.Compare(x.hash, y.hash), strings.Compare(x.Key, y.Key))
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

func (b *Bottom) combine(key string, count int64, first, last event.Time, rank uint8, payload, early string, limit *Limit) {
	b.fresh = false
	if b.ranked {
		b.seen += count
		b.first(key, first, early, limit)
	}
	e, hash := b.find(key)
	if e != nil {
		e.Count += count
		if limit.Early && (first == e.First && early < e.Early || first != e.First && Earliest(e.First, first) == first) {
			e.Early = early
		}
		e.First = Earliest(e.First, first)
		e.Last = max(e.Last, last)
		e.Rank = max(e.Rank, rank)
		if len(e.Payload) < len(payload) || len(e.Payload) == len(payload) && e.Payload < payload {
			more := limit.times() * (text(payload) - text(e.Payload))
			b.size += more
			if len(b.classes) > 0 {
				b.classes[e.class].size += more
			}
			e.Payload = payload
			if !limit.Early {
				e.Early = payload
			}
			b.trim(limit)
		}
		return
	}
	of := limit.class(key)
	if len(limit.Shares) > 0 && len(b.classes) == 0 {
		b.classify(limit)
	}
	if b.ranked {
		if mark := b.classes[of].mark; mark != 0 {
			if hash == 0 {
				hash = b.hash(key)
			}
			if hash >= mark {
				return
			}
		}
	}
	n := len(b.entries)
	if n == cap(b.entries) {
		b.entries = append(b.entries, Entry{})
	}
	b.entries = b.entries[:n+1]
	e = &b.entries[n]
	// One by one: a whole Entry that was just put together is slow to copy.
	e.Key, e.Count, e.First, e.Last, e.Rank, e.Payload, e.hash, e.class = key, count, first, last, rank, payload, hash, of
	e.Early = payload
	if limit.Early {
		e.Early = early
	}
	size := e.bytes(limit)
	b.size += size
	if len(b.classes) > 0 {
		b.classes[of].n++
		b.classes[of].size += size
	}
	if n >= short {
		b.order()
	}
	b.trim(limit)
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

func (e *Entry) bytes(limit *Limit) int {
	return entryOverhead + text(e.Key) + limit.times()*text(e.Payload)
}

// Earliest returns the smaller of two times, of which Never is none.
func Earliest(a, b event.Time) event.Time {
	if a == event.Never || b != event.Never && b < a {
		return b
	}
	return a
}

// classify counts what each class has.
func (b *Bottom) classify(limit *Limit) {
	n := max(1, len(limit.Shares))
	for len(b.classes) < n {
		b.classes = append(b.classes, class{})
	}
	b.classes, b.size = b.classes[:n], 0
	for i := range b.classes {
		b.classes[i].n, b.classes[i].size = 0, 0
	}
	for i := range b.entries {
		e := &b.entries[i]
		e.class = limit.class(e.Key)
		size := e.bytes(limit)
		b.size += size
		b.classes[e.class].n++
		b.classes[e.class].size += size
	}
	for i := range b.firsts {
		b.firsts[i].class = limit.class(b.firsts[i].Key)
	}
}

// over says whether a class has more than its room, where there are shares.
func (b *Bottom) over(class int, room *perClass, limit *Limit) bool {
	if len(limit.Shares) > 0 {
		return b.classes[class].size > room[class]
	}
	return len(b.entries) > limit.Keys || limit.Bytes > 0 && b.size > limit.Bytes
}

// rooms works out what each class may take: its share, and as much of what the
// others leave of theirs as there is, as evenly as it can be (max-min
// fairness). A class that needs more takes room from others, never the other
// way round, and one that was cut needs all it can get. So rooms only ever
// shrink, and what was cut stays cut whatever comes, in any order.
func (b *Bottom) rooms(limit *Limit) (room perClass) {
	const endless = 1 << 40
	var more perClass
	left, wanting := limit.Bytes, 0
	for i := range limit.Shares {
		need := b.classes[i].size
		if b.classes[i].mark != 0 {
			need = endless
		}
		room[i] = min(need, limit.Shares[i].Bytes)
		if more[i] = need - room[i]; more[i] > 0 {
			wanting++
		}
		left -= room[i]
	}
	for wanting > 0 {
		each, given := left/wanting, false
		for i := range more {
			if more[i] > 0 && more[i] <= each {
				room[i] += more[i]
				left -= more[i]
				more[i], given = 0, true
				wanting--
			}
		}
		if given {
			continue
		}
		for i := range more {
			if more[i] > 0 {
				room[i] += each
			}
		}
		break
	}
	return room
}

func (b *Bottom) trim(limit *Limit) {
	var room perClass
	if len(limit.Shares) > 0 {
		if !b.ranked && b.size <= limit.Bytes {
			return
		}
		room = b.rooms(limit)
	}
	for class := range max(1, len(limit.Shares)) {
		if !b.over(class, &room, limit) {
			continue
		}
		if !b.ranked {
			b.rank(limit)
		}
		b.order()
		c := &b.classes[class]
		kept := len(b.entries)
		for i := kept - 1; i >= 0 && b.over(class, &room, limit); i-- {
			e := &b.entries[i]
			if int(e.class) != class {
				continue
			}
			size := e.bytes(limit)
			c.n, c.size, c.mark = c.n-1, c.size-size, b.hashed(e)
			b.size -= size
			copy(b.entries[i:], b.entries[i+1:kept])
			kept--
			b.entries[kept] = Entry{}
			b.entries, b.ordered = b.entries[:kept], kept
		}
	}
}

// rank makes b a full list. All that was seen so far is in it, or what an
// earlier version left of it.
func (b *Bottom) rank(limit *Limit) {
	b.ranked, b.seen, b.ordered, b.fresh = true, 0, 0, false
	for i := range b.entries {
		e := &b.entries[i]
		e.hash = b.by.of(e.Key)
		b.seen += e.Count
	}
	b.classify(limit)
	slices.SortFunc(b.entries, compareRank)
	b.ordered = len(b.entries)
	for i := range b.entries {
		e := &b.entries[i]
		b.first(e.Key, e.First, e.Early, limit)
	}
}

// first has key among those that came first, if it is one of them.
func (b *Bottom) first(key string, at event.Time, early string, limit *Limit) {
	of := limit.class(key)
	most := limit.firsts(int(of))
	if most == 0 {
		return
	}
	if !limit.Early {
		early = ""
	}
	if len(limit.Shares) == 0 && len(b.firsts) >= most && at > b.firsts[len(b.firsts)-1].First {
		return
	}
	f := Entry{Key: key, First: at, Payload: early, class: of}
	known, n := -1, 0
	for i := range b.firsts {
		if b.firsts[i].Key == key {
			known = i
		}
		if b.firsts[i].class == of {
			n++
		}
	}
	if known >= 0 {
		old := &b.firsts[known]
		if at > old.First || at == old.First && early >= old.Payload {
			return
		}
		f.hash = old.hash
		b.firsts = slices.Delete(b.firsts, known, known+1)
		n--
	}
	f.hash = cmp.Or(f.hash, b.by.of(key))
	place, _ := slices.BinarySearchFunc(b.firsts, f, compareFirst)
	b.firsts = slices.Insert(b.firsts, place, f)
	for i := len(b.firsts) - 1; n+1 > most; i-- {
		if b.firsts[i].class == of {
			b.firsts = slices.Delete(b.firsts, i, i+1)
			n--
		}
	}
}

func compareFirst(x, y Entry) int {
	return cmp.Or(cmp.Compare(x.First, y.First), cmp.Compare(x.hash, y.hash), strings.Compare(x.Key, y.Key))
}

// Settle brings a list that was read under its limit and its Rank. Entries of
// an earlier version's list that SHA-256 has cut, of one that such a version
// wrote beside a full list, and of one that another Rank has cut (foreign) are
// ranked anew, each with what is known of it: what was cut then stays lost.
// Seen bounds what is believed of an earlier version's estimate of distinct
// keys.
//
// A settled list is what it would be had its entries been seen anew, so what
// is added from here on gives the same in every order.
func (b *Bottom) Settle(limit *Limit, seen int64, foreign bool) {
	plain := !b.ranked && b.old == 0
	long := limit.Entry > 0 && b.longest > limit.Entry
	if plain && b.pile == nil && !long {
		if len(b.entries) == 0 {
			return
		}
		if len(limit.Shares) > 0 || limit.Early {
			b.classify(limit)
			if len(limit.Shares) == 0 {
				b.classes = b.classes[:0]
			}
		}
		b.trim(limit)
		return
	}
	if b.ranked && b.pile == nil && !long && !foreign {
		b.classify(limit)
		b.trim(limit)
		return
	}
	was := *b
	*b = Bottom{by: was.by}
	if !plain {
		b.rank(limit)
		b.before = was.before
		switch {
		case was.old != 0:
			b.before = max(b.before, min(estimateOld(was.entries), seen))
		case foreign:
			b.before = max(b.before, min(was.estimateByMarks(), was.seen))
		default:
			b.classes = was.classes
			b.classify(limit)
		}
		for i := range was.firsts {
			f := &was.firsts[i]
			key, payload := f.Key, f.Payload
			if !limit.fits(key, payload) {
				key, payload = limit.fit(key, payload)
			}
			b.first(key, f.First, payload, limit)
		}
	}
	b.take(was.entries, limit)
	if was.ranked {
		b.seen = was.seen
	}
	b.take(was.pile, limit)
	if was.pileOld != 0 {
		if !b.ranked {
			b.rank(limit)
		}
		b.before = max(b.before, min(estimateOld(was.pile), seen))
	}
	b.trim(limit)
}

// take adds what was read elsewhere.
func (b *Bottom) take(entries []Entry, limit *Limit) {
	for i := range entries {
		e := &entries[i]
		key, payload, early := e.Key, e.Payload, e.Early
		if !limit.fits(key, payload) {
			_, early = limit.fit(key, early)
			key, payload = limit.fit(key, payload)
		}
		b.combine(key, e.Count, e.First, e.Last, e.Rank, payload, early, limit)
	}
}

// estimateOld is what an earlier version said of the number of keys of a list
// that it had cut to these.
func estimateOld(entries []Entry) int64 {
	n, largest := len(entries), uint64(0)
	for i := range entries {
		largest = max(largest, keyHash(entries[i].Key))
	}
	if n < 2 {
		return int64(n) + 1
	}
	return estimate(n, largest)
}

// estimateByMarks estimates the number of keys where their hashes can't be
// made.
func (b *Bottom) estimateByMarks() int64 {
	n := int64(len(b.entries))
	for i := range b.classes {
		if m := b.classes[i].mark; m != 0 {
			n = max(n, estimate(max(2, len(b.entries)), m))
		}
	}
	return n
}

// Append appends the msgpack encoding: [mark, entry ...], the mark 0, or of a
// full list [[seen, before, [mark ...], [first ...]], entry ...]. An entry is
// [key, count, first, last - first, rank, payload] and its early payload where
// that is another, a first [key, time, early payload]. The hashes, which nothing
// packs, are made again where they are needed.
func (b *Bottom) Append(dst []byte) []byte {
	b.order()
	dst = msgp.AppendArrayHeader(dst, uint32(1+len(b.entries)))
	if b.ranked {
		dst = msgp.AppendArrayHeader(dst, 4)
		dst = msgp.AppendInt64(dst, b.seen)
		dst = msgp.AppendInt64(dst, b.before)
		cut := len(b.classes)
		for cut > 0 && b.classes[cut-1].mark == 0 {
			cut--
		}
		dst = msgp.AppendArrayHeader(dst, uint32(cut))
		for i := range b.classes[:cut] {
			dst = msgp.AppendUint64(dst, b.classes[i].mark)
		}
		dst = msgp.AppendArrayHeader(dst, uint32(len(b.firsts)))
		for i := range b.firsts {
			f := &b.firsts[i]
			dst = msgp.AppendArrayHeader(dst, 3)
			dst = msgp.AppendString(dst, f.Key)
			dst = appendTime(dst, f.First)
			dst = msgp.AppendString(dst, f.Payload)
		}
	} else {
		dst = msgp.AppendUint64(dst, b.old)
	}
	for i := range b.entries {
		e := &b.entries[i]
		elements := uint32(6)
		if e.Early != e.Payload {
			elements = 7
		}
		dst = msgp.AppendArrayHeader(dst, elements)
		dst = msgp.AppendString(dst, e.Key)
		dst = msgp.AppendInt64(dst, e.Count)
		dst = appendTime(dst, e.First)
		// Most keys are seen for a short while: the difference is shorter.
		dst = msgp.AppendInt64(dst, int64(e.Last-e.First))
		dst = msgp.AppendUint8(dst, e.Rank)
		dst = msgp.AppendString(dst, e.Payload)
		if elements == 7 {
			dst = msgp.AppendString(dst, e.Early)
		}
	}
	return dst
}

// Decode reads what Append wrote and returns the bytes behind it. The entries
// are views of src. Settle must follow before anything is added.
func (b *Bottom) Decode(src []byte) ([]byte, error) {
	b.Reset()
	return b.DecodeMore(src)
}

// DecodeMore is Decode beside what b holds: the full list and the one that an
// earlier version, which can't read that, has begun beside it, in any order.
func (b *Bottom) DecodeMore(src []byte) ([]byte, error) {
	n, src, err := readArray(src)
	if err != nil || n < 1 {
		return src, ErrCorrupt
	}
	full := len(src) > 0 && msgp.NextType(src) == msgp.ArrayType
	if !full {
		var old uint64
		if old, src, err = msgp.ReadUint64Bytes(src); err != nil {
			return src, err
		}
		if b.ranked || len(b.entries) > 0 || b.old != 0 {
			b.pileOld = max(b.pileOld, old)
			b.pile, _, src, err = decodeEntries(b.pile, n-1, src)
			return src, err
		}
		b.old = old
	} else {
		if b.ranked {
			return src, ErrCorrupt
		}
		if len(b.entries) > 0 || b.old != 0 {
			b.pile, b.pileOld = b.entries, b.old
			b.entries, b.old, b.size = nil, 0, 0
		}
		if src, err = b.decodeHead(src); err != nil {
			return src, err
		}
	}
	if b.entries, b.longest, src, err = decodeEntries(b.entries, n-1, src); err != nil {
		return src, err
	}
	for i := range b.entries {
		b.size += entryOverhead + text(b.entries[i].Key) + text(b.entries[i].Payload)
	}
	b.ordered = len(b.entries)
	return src, nil
}

// decodeHead reads what stands in front of the entries of a full list.
func (b *Bottom) decodeHead(src []byte) ([]byte, error) {
	elements, src, err := readArray(src)
	if err != nil || elements < 4 {
		return src, ErrCorrupt
	}
	b.ranked = true
	if b.seen, src, err = msgp.ReadInt64Bytes(src); err != nil {
		return src, err
	}
	if b.before, src, err = msgp.ReadInt64Bytes(src); err != nil {
		return src, err
	}
	n, src, err := readArray(src)
	if err != nil || n > maxClasses {
		return src, ErrCorrupt
	}
	b.classes = slices.Grow(b.classes[:0], max(1, n))[:max(1, n)]
	clear(b.classes)
	for i := range n {
		if b.classes[i].mark, src, err = msgp.ReadUint64Bytes(src); err != nil {
			return src, err
		}
	}
	if n, src, err = readArray(src); err != nil {
		return src, ErrCorrupt
	}
	for range n {
		var f Entry
		var m int
		if m, src, err = readArray(src); err != nil || m < 3 {
			return src, ErrCorrupt
		}
		if f.Key, src, err = readString(src); err != nil {
			return src, err
		}
		if f.First, src, err = readTime(src); err != nil {
			return src, err
		}
		if f.Payload, src, err = readString(src); err != nil {
			return src, err
		}
		if src, err = skip(src, m-3); err != nil {
			return src, err
		}
		f.hash = b.by.of(f.Key)
		b.firsts = append(b.firsts, f)
	}
	return skip(src, elements-4)
}

func decodeEntries(dst []Entry, n int, src []byte) (entries []Entry, longest int, rest []byte, err error) {
	dst = slices.Grow(dst, n+1)
	for range n {
		var e Entry
		if src, err = e.decode(src); err != nil {
			return dst, 0, src, err
		}
		dst = append(dst, e)
		longest = max(longest, entryOverhead+text(e.Key)+text(e.Payload))
	}
	return dst, longest, src, nil
}

func (e *Entry) decode(src []byte) ([]byte, error) {
	n, src, err := readArray(src)
	if err != nil || n < 6 {
		return src, ErrCorrupt
	}
	if e.Key, src, err = readString(src); err != nil {
		return src, err
	}
	if e.Count, src, err = msgp.ReadInt64Bytes(src); err != nil {
		return src, err
	}
	if e.First, src, err = readTime(src); err != nil {
		return src, err
	}
	if e.Last, src, err = readTime(src); err != nil {
		return src, err
	}
	e.Last += e.First
	if e.Rank, src, err = msgp.ReadUint8Bytes(src); err != nil {
		return src, err
	}
	if e.Payload, src, err = readString(src); err != nil {
		return src, err
	}
	e.Early = e.Payload
	if n > 6 {
		if e.Early, src, err = readString(src); err != nil {
			return src, err
		}
		n--
	}
	return skip(src, n-6)
}
