package law

import (
	"slices"

	"dossier/correlate/event"

	"github.com/tinylib/msgp/msgp"
)

// Hour is how often something happened in an hour.
type Hour struct {
	// Start is the start of the hour, UTC.
	Start event.Time
	Count int64
}

// Hours counts by hour and keeps the newest hours, each exact.
type Hours struct {
	list []Hour // ascending
}

// length is an hour.
const length = event.Time(3600 * 1e6)

// hourBytes is what an hour takes at the most: hours are within some hundred
// thousand years.
const hourBytes = 5 + 9

// Reset empties h and keeps its memory.
func (h *Hours) Reset() { h.list = h.list[:0] }

// List returns the hours kept, oldest first. The slice is the Hours' own.
func (h *Hours) List() []Hour { return h.list }

// Add counts what happened at a time and keeps the newest n hours.
func (h *Hours) Add(at event.Time, n int) {
	k := len(h.list)
	if k > 0 && at >= h.list[k-1].Start && at < h.list[k-1].Start+length {
		h.list[k-1].Count++
		return
	}
	start := at.Hour()
	i, found := slices.BinarySearchFunc(h.list, start, func(e Hour, start event.Time) int {
		switch {
		case e.Start < start:
			return -1
		case e.Start > start:
			return 1
		}
		return 0
	})
	switch {
	case found:
		h.list[i].Count++
	case k < n:
		h.list = slices.Insert(h.list, i, Hour{start, 1})
	case i > 0:
		copy(h.list, h.list[1:i])
		h.list[i-1] = Hour{start, 1}
	}
}

// Empty says whether nothing was counted.
func (h *Hours) Empty() bool { return len(h.list) == 0 }

// Size returns what Append takes at the most.
func (h *Hours) Size() int { return HoursSize(len(h.list)) }

// HoursSize is what n hours take at the most.
func HoursSize(n int) int { return 5 + hourBytes*n }

// Append appends the msgpack encoding: [hour, count, hours later, count ...].
func (h *Hours) Append(dst []byte) []byte {
	dst = msgp.AppendArrayHeader(dst, uint32(2*len(h.list)))
	last := event.Never
	for _, e := range h.list {
		dst = msgp.AppendInt64(dst, int64((e.Start-last)/length))
		dst = msgp.AppendInt64(dst, e.Count)
		last = e.Start
	}
	return dst
}

// Decode reads what Append wrote and returns the bytes behind it.
func (h *Hours) Decode(src []byte) ([]byte, error) {
	n, src, err := readArray(src)
	if err != nil || n%2 != 0 {
		return src, ErrCorrupt
	}
	h.Reset()
	last := event.Never
	for i := range n / 2 {
		var later, count int64
		if later, src, err = msgp.ReadInt64Bytes(src); err != nil {
			return src, err
		}
		if count, src, err = msgp.ReadInt64Bytes(src); err != nil {
			return src, err
		}
		if i > 0 && later <= 0 || later != int64(int32(later)) || last/length+event.Time(later) != event.Time(int32(last/length+event.Time(later))) {
			return src, ErrCorrupt
		}
		last += event.Time(later) * length
		h.list = append(h.list, Hour{last, count})
	}
	return src, nil
}
