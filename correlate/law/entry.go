package law

import (
	"cmp"
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

// entryOverhead is what an entry takes beside its key and payload at the most:
// the header of its array, count, two times and rank.
const entryOverhead = 1 + 9 + 9 + 9 + 2

func (e *Entry) bytes(limit *Limit) int {
	return entryOverhead + text(e.Key) + limit.times()*text(e.Payload)
}

// firstBytes is what a key that came first takes at the most.
func firstBytes(e *Entry) int { return 1 + 9 + text(e.Key) + text(e.Payload) }

func compareRank(x, y Entry) int {
	return cmp.Or(cmp.Compare(x.hash, y.hash), strings.Compare(x.Key, y.Key))
}

func compareFirst(x, y Entry) int {
	return cmp.Or(cmp.Compare(x.First, y.First), cmp.Compare(x.hash, y.hash), strings.Compare(x.Key, y.Key))
}

// Earliest returns the smaller of two times, of which Never is none.
func Earliest(a, b event.Time) event.Time {
	if a == event.Never || b != event.Never && b < a {
		return b
	}
	return a
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
