// Package law holds the laws by which evidence combines. Each keeps a bounded
// amount and gives the same result for every order of arrival:
//
//   - Bottom keeps the N keys with the smallest hash, each with exact
//     counters, and estimates how many keys there were beyond that.
//   - Distinct counts keys without keeping them.
//   - Newest keeps the N newest items, a multiset ordered by time and content.
//   - First keeps the N keys that were seen first.
//   - Times keeps the N newest instants, a multiset.
//   - Hours counts by hour, over the N newest hours.
//   - Latest keeps the newest value.
//
// "The newest N keys with a counter each" is missing on purpose: what it
// keeps depends on the order of arrival. (Hours may: an hour's place never
// changes, so one that was left out never comes back.)
//
// Where a list is bounded in bytes, a key or item that didn't fit leaves a mark
// behind: nothing beyond the mark is taken in any more, even where it would
// fit, for it would have been cut had it come before. That makes the longest
// prefix that fits the same for every order.
//
// All of them encode to msgpack and decode to views: strings of a decoded
// value point into the bytes it was decoded from.
package law

import (
	"errors"

	"dossier/correlate/event"

	"github.com/tinylib/msgp/msgp"
)

// ErrCorrupt is returned for bytes that are not an encoded law of that kind.
var ErrCorrupt = errors.New("law: corrupt encoding")

func appendTime(b []byte, t event.Time) []byte { return msgp.AppendInt64(b, int64(t)) }

func readTime(b []byte) (event.Time, []byte, error) {
	v, b, err := msgp.ReadInt64Bytes(b)
	return event.Time(v), b, err
}

// readArray reads an array header and refuses one that announces more
// elements than the bytes left could hold.
func readArray(b []byte) (int, []byte, error) {
	n, b, err := msgp.ReadArrayHeaderBytes(b)
	if err != nil {
		return 0, b, err
	}
	if int64(n) > int64(len(b)) {
		return 0, b, ErrCorrupt
	}
	return int(n), b, nil
}

// skip skips the elements that a newer minor version appended to an array.
func skip(b []byte, n int) ([]byte, error) {
	var err error
	for range n {
		if b, err = msgp.Skip(b); err != nil {
			return b, err
		}
	}
	return b, nil
}

// text is what a string takes when it is encoded.
func text(s string) int {
	switch n := len(s); {
	case n < 32:
		return 1 + n
	case n < 1<<8:
		return 2 + n
	case n < 1<<16:
		return 3 + n
	default:
		return 5 + n
	}
}

func readString(b []byte) (string, []byte, error) {
	v, rest, err := msgp.ReadStringZC(b)
	return event.View(v), rest, err
}
