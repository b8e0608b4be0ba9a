package law

import (
	"crypto/sha256"
	"encoding/binary"
	"math"
	"slices"

	"dossier/correlate/event"

	"github.com/tinylib/msgp/msgp"
)

// Distinct counts distinct keys without keeping them: it holds the n smallest
// of their 64-bit hashes, eight bytes each. The count is exact up to n, then
// estimated as Bottom's.
type Distinct struct {
	hashes []uint64 // ascending
	cut    bool
}

// Reset empties d and keeps its memory.
func (d *Distinct) Reset() { d.hashes, d.cut = d.hashes[:0], false }

// Add counts key and keeps the n smallest hashes.
func (d *Distinct) Add(key string, n int) {
	h := keyHash(key)
	i, found := slices.BinarySearch(d.hashes, h)
	if found {
		return
	}
	if len(d.hashes) >= n {
		d.cut = true
		if i == len(d.hashes) {
			return
		}
		d.hashes = d.hashes[:len(d.hashes)-1]
	}
	d.hashes = slices.Insert(d.hashes, i, h)
}

// Len returns the number of hashes kept.
func (d *Distinct) Len() int { return len(d.hashes) }

// Size returns what Append takes at the most.
func (d *Distinct) Size() int { return 1 + 1 + 5 + 8*len(d.hashes) }

// Truncated says whether Count is an estimate.
func (d *Distinct) Truncated() bool { return d.cut }

// Count returns the number of distinct keys.
func (d *Distinct) Count() int64 {
	if !d.cut {
		return int64(len(d.hashes))
	}
	return estimate(len(d.hashes), d.hashes[len(d.hashes)-1])
}

// estimate is how many hashes there are when the n smallest end at largest.
func estimate(n int, largest uint64) int64 {
	return max(int64(n)+1, int64(float64(n-1)/((float64(largest)+1)/math.MaxUint64)+0.5))
}

// Append appends the msgpack encoding: [cut, bin of 8 bytes a hash].
func (d *Distinct) Append(dst []byte) []byte {
	dst = msgp.AppendArrayHeader(dst, 2)
	dst = msgp.AppendBool(dst, d.cut)
	dst = msgp.AppendBytesHeader(dst, uint32(8*len(d.hashes)))
	for _, h := range d.hashes {
		dst = binary.BigEndian.AppendUint64(dst, h)
	}
	return dst
}

// Decode reads what Append wrote and returns the bytes behind it.
func (d *Distinct) Decode(src []byte) ([]byte, error) {
	d.Reset()
	n, src, err := readArray(src)
	if err != nil || n < 2 {
		return src, ErrCorrupt
	}
	if d.cut, src, err = msgp.ReadBoolBytes(src); err != nil {
		return src, err
	}
	raw, src, err := msgp.ReadBytesZC(src)
	if err != nil || len(raw)%8 != 0 || d.cut && len(raw) == 0 {
		return src, ErrCorrupt
	}
	for i := 0; i < len(raw); i += 8 {
		h := binary.BigEndian.Uint64(raw[i:])
		if k := len(d.hashes); k > 0 && d.hashes[k-1] >= h {
			return src, ErrCorrupt
		}
		d.hashes = append(d.hashes, h)
	}
	return skip(src, n-2)
}

// Share returns the part of all keys that hash no higher than key does, from
// 0 to 1. It spreads a decision evenly and alike on every sensor.
func Share(key string) float64 { return float64(keyHash(key)) / math.MaxUint64 }

func keyHash(key string) uint64 {
	sum := sha256.Sum256(event.Bytes(key))
	return binary.BigEndian.Uint64(sum[:])
}
