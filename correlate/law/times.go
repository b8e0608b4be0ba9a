package law

import (
	"slices"

	"dossier/correlate/event"

	"github.com/tinylib/msgp/msgp"
)

// Times keeps the newest instants, a multiset.
type Times struct {
	list queue[event.Time] // ascending
	cut  bool
}

// Reset empties t and keeps its memory.
func (t *Times) Reset() {
	t.list.reset()
	t.cut = false
}

// List returns the kept times, oldest first. The slice is the Times' own.
func (t *Times) List() []event.Time { return t.list.items() }

// Empty says whether there is no time.
func (t *Times) Empty() bool { return t.list.len() == 0 }

// Size returns what Append takes at the most.
func (t *Times) Size() int { return TimesSize(t.list.len()) }

// TimesSize is what n times take at the most.
func TimesSize(n int) int { return 5 + 1 + 9*n }

// Truncated says whether more times were seen than are kept.
func (t *Times) Truncated() bool { return t.cut }

// Add combines at into the list and keeps the newest n.
func (t *Times) Add(at event.Time, n int) {
	list := t.list.items()
	if len(list) >= n {
		t.cut = true
		if at <= list[0] {
			return
		}
		t.list.drop(1)
		list = list[1:]
	}
	i := len(list)
	if i > 0 && list[i-1] > at {
		i, _ = slices.BinarySearch(list, at)
	}
	*t.list.insert(i) = at
}

// Append appends the msgpack encoding: [cut, first, difference ...].
func (t *Times) Append(dst []byte) []byte {
	dst = msgp.AppendArrayHeader(dst, uint32(1+t.list.len()))
	dst = msgp.AppendBool(dst, t.cut)
	last := event.Never
	for _, at := range t.list.items() {
		dst = appendTime(dst, at-last)
		last = at
	}
	return dst
}

// Decode reads what Append wrote and returns the bytes behind it.
func (t *Times) Decode(src []byte) ([]byte, error) {
	n, src, err := readArray(src)
	if err != nil || n < 1 {
		return src, ErrCorrupt
	}
	t.Reset()
	if t.cut, src, err = msgp.ReadBoolBytes(src); err != nil {
		return src, err
	}
	t.list.reserve(n)
	last := event.Never
	for i := range n - 1 {
		var d event.Time
		if d, src, err = readTime(src); err != nil {
			return src, err
		}
		if i > 0 && d < 0 {
			return src, ErrCorrupt
		}
		last += d
		*t.list.push() = last
	}
	return src, nil
}

// Latest keeps the newest value: of equal times the larger content.
type Latest struct {
	Time  event.Time
	Value string
}

// Add combines a value seen at a time.
func (l *Latest) Add(at event.Time, value string) {
	if l.Time == event.Never || at > l.Time || at == l.Time && value > l.Value {
		*l = Latest{at, value}
	}
}

// Reset forgets the value.
func (l *Latest) Reset() { *l = Latest{} }

// Empty says whether there is none.
func (l *Latest) Empty() bool { return l.Time == event.Never }

// Size returns what Append takes at the most.
func (l *Latest) Size() int { return 1 + 9 + text(l.Value) }

// LatestSize is what a value of n bytes takes at the most, of less than 64 KiB.
func LatestSize(n int) int { return 1 + 9 + longText + n }

// Append appends the msgpack encoding.
func (l *Latest) Append(dst []byte) []byte {
	dst = msgp.AppendArrayHeader(dst, 2)
	dst = appendTime(dst, l.Time)
	return msgp.AppendString(dst, l.Value)
}

// Decode reads what Append wrote and returns the bytes behind it.
func (l *Latest) Decode(src []byte) ([]byte, error) {
	n, src, err := readArray(src)
	if err != nil || n < 2 {
		return src, ErrCorrupt
	}
	if l.Time, src, err = readTime(src); err != nil {
		return src, err
	}
	if l.Value, src, err = readString(src); err != nil {
		return src, err
	}
	return skip(src, n-2)
}
