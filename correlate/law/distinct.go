package law

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"math"
	"slices"

	"dossier/correlate/event"

	"github.com/tinylib/msgp/msgp"
)

// Distinct counts distinct keys without keeping them: it holds 64 bits of the
// SHA-256 of each, up to n of them, and of more those n that come first by
// Rank, eight bytes each. The count is exact up to n, then estimated as
// Bottom's, and never more than there were items.
type Distinct struct {
	by     Rank
	hashes []uint64 // ascending, or by Rank
	// ranked says that the order is by's: there were more than n, or an
	// earlier version says so.
	ranked bool
	ranks  []uint64 // of hashes, where ranked
	cut    bool     // by Rank
	// seen counts items, before is what an earlier version estimated.
	seen, before int64
	// old says that an earlier version has cut the list by SHA-256; largest
	// is where another Rank has. Settle takes both away.
	old     bool
	largest uint64
	pile    *Distinct // as Bottom's
}

// By has d rank keys by r. It is called while d is empty.
func (d *Distinct) By(r Rank) { d.by = r }

// Reset empties d and keeps its memory and Rank.
func (d *Distinct) Reset() { *d = Distinct{by: d.by, hashes: d.hashes[:0], ranks: d.ranks[:0]} }

// Add counts key and keeps at most n hashes.
func (d *Distinct) Add(key string, n int) {
	d.seen++
	d.add(keyHash(key), n)
}

func (d *Distinct) add(h uint64, n int) {
	if !d.ranked {
		i, found := slices.BinarySearch(d.hashes, h)
		if found {
			return
		}
		d.hashes = slices.Insert(d.hashes, i, h)
		if len(d.hashes) > n {
			d.rank()
			d.trim(n)
		}
		return
	}
	at := d.by.ofHash(h)
	i, _ := slices.BinarySearch(d.ranks, at)
	for ; i < len(d.ranks) && d.ranks[i] == at; i++ {
		if d.hashes[i] == h {
			return
		} else if d.hashes[i] > h {
			break
		}
	}
	if d.cut && i == len(d.ranks) {
		return
	}
	d.hashes, d.ranks = slices.Insert(d.hashes, i, h), slices.Insert(d.ranks, i, at)
	d.trim(n)
}

// rank brings the hashes into the order of their ranks.
func (d *Distinct) rank() {
	d.ranked, d.ranks = true, d.ranks[:0]
	slices.SortFunc(d.hashes, func(x, y uint64) int { return cmp.Or(cmp.Compare(d.by.ofHash(x), d.by.ofHash(y)), cmp.Compare(x, y)) })
	for _, h := range d.hashes {
		d.ranks = append(d.ranks, d.by.ofHash(h))
	}
}

func (d *Distinct) trim(n int) {
	if len(d.hashes) > n {
		d.hashes, d.ranks, d.cut = d.hashes[:n], d.ranks[:n], true
	}
}

// Settle brings what was read under n and its Rank, as Bottom's does: seen
// bounds what is believed of an earlier version's estimate, foreign says that
// another Rank has cut the list.
func (d *Distinct) Settle(n int, seen int64, foreign bool) {
	d.seen = max(d.seen, int64(len(d.hashes)))
	switch {
	case d.old:
		d.before = max(d.before, min(estimate(len(d.hashes), d.hashes[len(d.hashes)-1]), seen))
		d.old = false
		d.rank()
	case d.ranked && foreign:
		if d.cut {
			d.before = max(d.before, min(estimate(max(2, len(d.hashes)), d.largest), d.seen))
		}
		d.cut = false
		d.rank()
	case len(d.hashes) > n && !d.ranked:
		d.rank()
	}
	d.largest = 0
	if p := d.pile; p != nil {
		d.pile = nil
		d.seen += max(p.seen, int64(len(p.hashes)))
		if p.old {
			d.before = max(d.before, min(estimate(len(p.hashes), p.hashes[len(p.hashes)-1]), seen))
		}
		for _, h := range p.hashes {
			d.add(h, n)
		}
	}
	if d.ranked {
		d.trim(n)
	}
}

// Len returns the number of hashes kept.
func (d *Distinct) Len() int { return len(d.hashes) }

// Empty says whether no key was seen.
func (d *Distinct) Empty() bool { return len(d.hashes) == 0 && !d.Truncated() }

// Size returns what Append takes at the most.
func (d *Distinct) Size() int { return DistinctSize(len(d.hashes)) }

// DistinctSize is what n keys take at the most.
func DistinctSize(n int) int { return 1 + 3*9 + 5 + 8*n }

// Truncated says whether Count is an estimate.
func (d *Distinct) Truncated() bool { return d.ranked || d.old }

// Doubtful says that an earlier version has estimated some of it by a hash that
// an attacker could choose keys by; nothing that was settled is.
func (d *Distinct) Doubtful() bool { return d.old || d.pile != nil && d.pile.old }

// Full says whether d is written in the form that versions before this one
// don't know.
func (d *Distinct) Full() bool { return d.ranked }

// Count returns the number of distinct keys.
func (d *Distinct) Count() int64 {
	n := len(d.hashes)
	switch {
	case d.old:
		return estimate(n, d.hashes[n-1])
	case !d.ranked:
		return int64(n)
	case !d.cut || n == 0:
		return max(int64(n), d.before)
	}
	return max(int64(n), min(estimate(n, d.by.ofHash(d.hashes[n-1])), d.seen), d.before)
}

// estimate is how many hashes there are when the n smallest end at largest.
func estimate(n int, largest uint64) int64 {
	e := float64(n-1)/((float64(largest)+1)/math.MaxUint64) + 0.5
	return max(int64(n)+1, int64(min(e, 1<<62)))
}

// Append appends the msgpack encoding: [false, bin of 8 bytes a hash] and
// how many were seen where that is more, or
// of more keys than are kept [seen, before, largest, bin], the largest rank 0
// where none was cut by it.
func (d *Distinct) Append(dst []byte) []byte {
	if d.ranked {
		var largest uint64
		if n := len(d.hashes); d.cut && n > 0 {
			largest = d.by.ofHash(d.hashes[n-1])
		}
		dst = msgp.AppendArrayHeader(dst, 4)
		dst = msgp.AppendInt64(dst, d.seen)
		dst = msgp.AppendInt64(dst, d.before)
		dst = msgp.AppendUint64(dst, largest)
	} else if d.once() {
		dst = msgp.AppendArrayHeader(dst, 2)
		dst = msgp.AppendBool(dst, d.old)
	} else {
		dst = msgp.AppendArrayHeader(dst, 3)
		dst = msgp.AppendBool(dst, d.old)
	}
	dst = msgp.AppendBytesHeader(dst, uint32(8*len(d.hashes)))
	for _, h := range d.hashes {
		dst = binary.BigEndian.AppendUint64(dst, h)
	}
	if !d.ranked && !d.once() {
		dst = msgp.AppendInt64(dst, d.seen)
	}
	return dst
}

// once says that each key came once, as far as is known.
func (d *Distinct) once() bool { return d.seen <= int64(len(d.hashes)) }

// Decode reads what Append wrote and returns the bytes behind it. Settle must
// follow before anything is added.
func (d *Distinct) Decode(src []byte) ([]byte, error) {
	d.Reset()
	return d.DecodeMore(src)
}

// DecodeMore is Decode beside what d holds, as Bottom's is.
func (d *Distinct) DecodeMore(src []byte) ([]byte, error) {
	if d.seen == 0 && len(d.hashes) == 0 && !d.ranked && d.pile == nil {
		return d.decode(src)
	}
	read := &Distinct{by: d.by}
	src, err := read.decode(src)
	switch {
	case err != nil:
	case read.ranked == d.ranked || d.pile != nil:
		err = ErrCorrupt
	case read.ranked:
		old := *d
		*d = *read
		d.pile = &old
	default:
		d.pile = read
	}
	return src, err
}

func (d *Distinct) decode(src []byte) ([]byte, error) {
	n, src, err := readArray(src)
	if err != nil || n < 2 {
		return src, ErrCorrupt
	}
	rest := n - 2
	if msgp.NextType(src) == msgp.BoolType {
		d.old, src, err = msgp.ReadBoolBytes(src)
	} else if n < 4 {
		return src, ErrCorrupt
	} else {
		d.ranked, rest = true, n-4
		if d.seen, src, err = msgp.ReadInt64Bytes(src); err != nil {
			return src, err
		}
		if d.before, src, err = msgp.ReadInt64Bytes(src); err != nil {
			return src, err
		}
		d.largest, src, err = msgp.ReadUint64Bytes(src)
	}
	if err != nil {
		return src, err
	}
	raw, src, err := msgp.ReadBytesZC(src)
	if err != nil || len(raw)%8 != 0 || (d.old || d.ranked) && len(raw) == 0 {
		return src, ErrCorrupt
	}
	for i := 0; i < len(raw); i += 8 {
		h := binary.BigEndian.Uint64(raw[i:])
		if k := len(d.hashes); !d.ranked && k > 0 && d.hashes[k-1] >= h {
			return src, ErrCorrupt
		}
		d.hashes = append(d.hashes, h)
	}
	if d.ranked {
		d.cut = d.largest != 0
		for _, h := range d.hashes {
			d.ranks = append(d.ranks, d.by.ofHash(h))
		}
	} else if rest > 0 {
		rest--
		if d.seen, src, err = msgp.ReadInt64Bytes(src); err != nil {
			return src, err
		}
	}
	return skip(src, rest)
}

func keyHash(key string) uint64 {
	sum := sha256.Sum256(event.Bytes(key))
	return binary.BigEndian.Uint64(sum[:])
}
