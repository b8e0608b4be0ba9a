package law

import (
	"slices"

	"github.com/tinylib/msgp/msgp"
)

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
