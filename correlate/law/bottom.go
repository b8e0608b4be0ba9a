package law

import (
	"sort"

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

	hash uint64 // 0 until it is needed
}

// Limit bounds a Bottom.
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
}

// Bottom keeps the keys whose SHA-256 is smallest, each with exact
// attributes: a key that is kept has been kept from its first sight on,
// because the bound only ever tightens. Beyond its limit it estimates the
// number of distinct keys from the hashes it kept (Bar-Yossef et al.,
// "Counting distinct elements in a data stream", 2002; relative standard
// error about 1/√(N−2)).
//
// A key is hashed where its place in the order of hashes matters: when
// something must be cut, and when the list is read or written. A decoded list
// comes in that order and is taken at its word.
//
// The zero value is empty.
type Bottom struct {
	entries []Entry // the first ordered of them by hash, then key; the others as they came
	ordered int
	size    int
	// mark is the smallest hash that was cut, 0 while nothing was: a key
	// behind it stays out, even where it would fit, for it would have been
	// cut had it come before the one at the mark.
	mark uint64
}

// short is the number of keys up to which a key is found by comparing it with
// all of them, which is cheaper than hashing it. A longer list is all ordered.
const short = 32

// entryOverhead is what an entry takes beside its key and payload at the most:
// the header of its array, count, two times and rank.
const entryOverhead = 1 + 9 + 9 + 9 + 2

// headOverhead is what the header of a list and a number in front take.
const headOverhead = 5 + 9

// Reset empties b and keeps its memory.
func (b *Bottom) Reset() {
	clear(b.entries)
	b.entries, b.ordered, b.size, b.mark = b.entries[:0], 0, 0, 0
}

// Len returns the number of keys kept.
func (b *Bottom) Len() int { return len(b.entries) }

// Size returns what Append takes at the most. It is the same for the same
// keys and payloads.
func (b *Bottom) Size() int { return headOverhead + b.size }

// Truncated says whether more keys were seen than are kept.
func (b *Bottom) Truncated() bool { return b.mark != 0 }

// Distinct returns the number of distinct keys seen: exact while nothing was
// cut, estimated after.
func (b *Bottom) Distinct() int64 {
	n := len(b.entries)
	if b.mark == 0 || n < 2 {
		return int64(n)
	}
	b.order()
	return estimate(n, b.entries[n-1].hashed())
}

// Entries returns the kept keys in hash order. The slice is the Bottom's own.
func (b *Bottom) Entries() []Entry {
	b.order()
	return b.entries
}

// Sorted returns the kept keys in byte order of the key.
func (b *Bottom) Sorted() []Entry {
	s := append([]Entry(nil), b.entries...)
	sort.Slice(s, func(i, j int) bool { return s[i].Key < s[j].Key })
	return s
}

// Keys returns the kept keys in byte order.
func (b *Bottom) Keys() []string {
	s := make([]string, len(b.entries))
	for i := range b.entries {
		s[i] = b.entries[i].Key
	}
	sort.Strings(s)
	return s
}

// Get returns the entry of key, nil where it isn't kept.
func (b *Bottom) Get(key string) *Entry {
	e, _ := b.find(key)
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
	hash = keyHash(key)
	if i := b.search(hash, key); i < len(b.entries) && b.entries[i].Key == key {
		return &b.entries[i], hash
	}
	return nil, hash
}

// search returns where a key belongs among the ordered entries.
func (b *Bottom) search(hash uint64, key string) int {
	return sort.Search(b.ordered, func(i int) bool {
		e := &b.entries[i]
		h := e.hashed()
		return h > hash || h == hash && e.Key >= key
	})
}

// order brings all entries into the order of their hashes. They are few that
// aren't: those that came since, of a short list.
func (b *Bottom) order() {
	for ; b.ordered < len(b.entries); b.ordered++ {
		e := b.entries[b.ordered]
		i := b.search(e.hashed(), e.Key)
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
	e, hash := b.find(key)
	if e != nil {
		e.Count += count
		e.First = Earliest(e.First, first)
		e.Last = max(e.Last, last)
		e.Rank = max(e.Rank, rank)
		if len(e.Payload) < len(payload) || len(e.Payload) == len(payload) && e.Payload < payload {
			b.size += text(payload) - text(e.Payload)
			e.Payload = payload
			b.trim(limit)
		}
		return
	}
	if b.mark != 0 {
		if hash == 0 {
			hash = keyHash(key)
		}
		if hash >= b.mark {
			return
		}
	}
	n := len(b.entries)
	if n == cap(b.entries) {
		b.entries = append(b.entries, Entry{})
	}
	b.entries = b.entries[:n+1]
	e = &b.entries[n]
	// One by one: a whole Entry that was just put together is slow to copy.
	e.Key, e.Count, e.First, e.Last, e.Rank, e.Payload, e.hash = key, count, first, last, rank, payload, hash
	b.size += e.bytes()
	if n >= short {
		b.order()
	}
	b.trim(limit)
}

// hashed returns the hash of e's key.
func (e *Entry) hashed() uint64 {
	if e.hash == 0 {
		e.hash = keyHash(e.Key)
	}
	return e.hash
}

func (e *Entry) bytes() int { return entryOverhead + text(e.Key) + text(e.Payload) }

// Earliest returns the smaller of two times, of which Never is none.
func Earliest(a, b event.Time) event.Time {
	if a == event.Never || b != event.Never && b < a {
		return b
	}
	return a
}

func (b *Bottom) trim(limit *Limit) {
	n := len(b.entries)
	over := func() bool { return n > limit.Keys || limit.Bytes > 0 && b.size > limit.Bytes }
	if !over() {
		return
	}
	b.order()
	for ; n > 0 && over(); n-- {
		b.size -= b.entries[n-1].bytes()
	}
	if n < len(b.entries) {
		b.mark = max(1, b.entries[n].hashed())
		clear(b.entries[n:])
		b.entries, b.ordered = b.entries[:n], n
	}
}

// Append appends the msgpack encoding: [mark, [key, count, first, last, rank,
// payload] ...]. The hashes, which nothing packs, are made again where they are
// needed.
func (b *Bottom) Append(dst []byte) []byte {
	b.order()
	dst = msgp.AppendArrayHeader(dst, uint32(1+len(b.entries)))
	dst = msgp.AppendUint64(dst, b.mark)
	for i := range b.entries {
		e := &b.entries[i]
		dst = msgp.AppendArrayHeader(dst, 6)
		dst = msgp.AppendString(dst, e.Key)
		dst = msgp.AppendInt64(dst, e.Count)
		dst = appendTime(dst, e.First)
		// Most keys are seen for a short while: the difference is shorter.
		dst = msgp.AppendInt64(dst, int64(e.Last-e.First))
		dst = msgp.AppendUint8(dst, e.Rank)
		dst = msgp.AppendString(dst, e.Payload)
	}
	return dst
}

// Decode reads what Append wrote and returns the bytes behind it. The entries
// are views of src.
func (b *Bottom) Decode(src []byte) ([]byte, error) {
	n, src, err := readArray(src)
	if err != nil || n < 1 {
		return src, ErrCorrupt
	}
	b.Reset()
	if b.mark, src, err = msgp.ReadUint64Bytes(src); err != nil {
		return src, err
	}
	if cap(b.entries) < n-1 {
		b.entries = make([]Entry, 0, n+1)
	}
	for range n - 1 {
		var e Entry
		if src, err = e.decode(src); err != nil {
			return src, err
		}
		b.entries = append(b.entries, e)
		b.size += e.bytes()
	}
	b.ordered = len(b.entries)
	return src, nil
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
	return skip(src, n-6)
}
