package law

import (
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

	hash uint64
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
// The zero value is empty.
type Bottom struct {
	entries []Entry // by hash, then key
	size    int
	// mark is the smallest hash that was cut, 0 while nothing was: a key
	// behind it stays out, even where it would fit, for it would have been
	// cut had it come before the one at the mark.
	mark uint64
}

// entryOverhead is what an entry takes beside its key and payload at the most:
// the header of its array, count, two times and rank.
const entryOverhead = 1 + 9 + 9 + 9 + 2

// headOverhead is what the header of a list and a number in front take.
const headOverhead = 5 + 9

// Emptied returns an empty Bottom that takes over the memory of b.
func (b *Bottom) Emptied() Bottom {
	clear(b.entries)
	return Bottom{entries: b.entries[:0]}
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
	return estimate(n, b.entries[n-1].hash)
}

// Entries returns the kept keys in hash order. The slice is the Bottom's own.
func (b *Bottom) Entries() []Entry { return b.entries }

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
	// Most lists are short, and comparing a few strings is cheaper than
	// hashing one.
	if len(b.entries) <= 32 {
		for i := range b.entries {
			if b.entries[i].Key == key {
				return &b.entries[i]
			}
		}
		return nil
	}
	if i, found := b.search(keyHash(key), key); found {
		return &b.entries[i]
	}
	return nil
}

func (b *Bottom) search(hash uint64, key string) (int, bool) {
	i := sort.Search(len(b.entries), func(i int) bool {
		e := &b.entries[i]
		return e.hash > hash || e.hash == hash && e.Key >= key
	})
	return i, i < len(b.entries) && b.entries[i].Key == key
}

// Add combines item, whose Count is how often it was seen, into the set. The
// item's strings are kept as they are.
func (b *Bottom) Add(item Entry, limit Limit) {
	if e := b.Get(item.Key); e != nil {
		e.merge(&item)
		if len(e.Payload) < len(item.Payload) || len(e.Payload) == len(item.Payload) && e.Payload < item.Payload {
			b.size += text(item.Payload) - text(e.Payload)
			e.Payload = item.Payload
			b.trim(limit)
		}
		return
	}
	item.hash = keyHash(item.Key)
	if b.mark != 0 && item.hash >= b.mark {
		return
	}
	i, _ := b.search(item.hash, item.Key)
	b.entries = append(b.entries, Entry{})
	copy(b.entries[i+1:], b.entries[i:])
	b.entries[i] = item
	b.size += item.bytes()
	b.trim(limit)
}

func (e *Entry) bytes() int { return entryOverhead + text(e.Key) + text(e.Payload) }

func (e *Entry) merge(item *Entry) {
	e.Count += item.Count
	e.First = Earliest(e.First, item.First)
	e.Last = max(e.Last, item.Last)
	e.Rank = max(e.Rank, item.Rank)
}

// Earliest returns the smaller of two times, of which Never is none.
func Earliest(a, b event.Time) event.Time {
	if a == event.Never || b != event.Never && b < a {
		return b
	}
	return a
}

func (b *Bottom) trim(limit Limit) {
	n := len(b.entries)
	for n > 0 && (n > limit.Keys || limit.Bytes > 0 && b.size > limit.Bytes) {
		n--
		b.size -= b.entries[n].bytes()
	}
	if n < len(b.entries) {
		b.mark = max(1, b.entries[n].hash)
		clear(b.entries[n:])
		b.entries = b.entries[:n]
	}
}

// Append appends the msgpack encoding: [mark, [key, count, first, last, rank,
// payload] ...]. The hashes, which nothing packs, are made again by Decode.
func (b *Bottom) Append(dst []byte) []byte {
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
	*b = b.Emptied()
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
		if k := len(b.entries); k > 0 && !before(&b.entries[k-1], &e) {
			return src, ErrCorrupt
		}
		b.entries = append(b.entries, e)
		b.size += e.bytes()
	}
	return src, nil
}

func before(a, b *Entry) bool {
	return a.hash < b.hash || a.hash == b.hash && strings.Compare(a.Key, b.Key) < 0
}

func (e *Entry) decode(src []byte) ([]byte, error) {
	n, src, err := readArray(src)
	if err != nil || n < 6 {
		return src, ErrCorrupt
	}
	if e.Key, src, err = readString(src); err != nil {
		return src, err
	}
	e.hash = keyHash(e.Key)
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
