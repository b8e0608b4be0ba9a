// Package law holds the laws by which evidence combines. Each keeps a bounded
// amount and gives the same result for every order of arrival:
//
//   - Bottom keeps keys, each with exact counters: all while they fit, then
//     those that come first by Rank, and beside them the keys that were seen
//     first of all. It estimates how many keys there were.
//   - Distinct counts keys without keeping them.
//   - Newest keeps the N newest items, a multiset ordered by time and content,
//     and once it is full the oldest ones beside.
//   - First keeps the N keys that were seen first.
//   - Times keeps the N newest instants, a multiset.
//   - Hours counts by hour, over the N newest hours.
//   - Latest keeps the newest value.
//
// "The newest N keys with a counter each" is missing on purpose: what it
// keeps depends on the order of arrival. (Hours may: an hour's place never
// changes, so one that was left out never comes back.) For the same reason
// nothing is counted of the keys that a full Bottom keeps only because they
// came first: one may be pushed out by an older one and come back with an older
// item still. Its time is then the smallest all the same, a count wouldn't be.
//
// Where a list is bounded in bytes, a key or item that didn't fit leaves a mark
// behind: nothing beyond the mark is taken in any more, even where it would
// fit, for it would have been cut had it come before. That makes the longest
// prefix that fits the same for every order. Where classes share a list, a
// class's room only shrinks while others need more, and a class that was cut
// needs all it can get for good; so what was cut had no room in the end
// either.
//
// # Rank
//
// Attackers choose the keys. A plain hash decides nothing against them: they
// try texts until enough hash low. So full lists go by Rank, a hash with a key
// that only the writers of a prefix have.
//
// A list that was never full doesn't depend on any hash. It is written in the
// order of the keys' SHA-256, as versions from before there was a Rank write
// and read it, and becomes a full one at the item that doesn't fit: until then
// it holds all that was seen, so it can be ranked as if it had been from the
// start. That is when a full list's other parts are worked out, too: what came
// first is known of each key it holds.
//
// A list that such a version has cut by SHA-256 can't be: what it left out is
// lost. Settle ranks its entries anew, each with what is known of it, drops the
// old mark and remembers that something was cut. What that gives is a list
// like one into which those entries were just added, a function of the old list
// alone; and adding is free of order. So from there on nothing shows which
// items came when, in which chunks or on which sensor. The same holds of a list
// that another Rank has cut, and of what an earlier version writes beside a
// full list that it can't read: its entries are further items, counted apart
// from those in the full list, and adding them up counts none twice.
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
