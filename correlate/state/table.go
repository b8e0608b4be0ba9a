package state

import (
	"bytes"
	"errors"
	"fmt"

	"dossier/correlate/event"
	"dossier/correlate/law"

	"github.com/tinylib/msgp/msgp"
)

// ErrCorrupt is returned for bytes that are not an encoded state.
var ErrCorrupt = errors.New("state: corrupt encoding")

// An encoded state is a msgpack map from short names to values; what is zero
// is left out. A name once given keeps its meaning. A newer minor version may
// add names: they are carried through unread and unchanged.

// value is a law, or a value that is no law's, as a table sees it.
type value interface {
	Reset()
	// Empty says whether there is nothing to write.
	Empty() bool
	Append([]byte) []byte
	Decode([]byte) ([]byte, error)
	// Size returns what Append appends at the most.
	Size() int
}

// ranked is a law that Rank cuts, and that has a plain and a full form.
type ranked interface {
	value
	DecodeMore([]byte) ([]byte, error)
	Full() bool
}

// field describes one field of a state S: everything that is done with all
// fields goes by it.
type field[S any] struct {
	// name is the field's on the wire, of one or two letters.
	name string
	// number is where the value is, of a number or a time; of is of any other.
	number func(*S) *int64
	of     func(*S) value
	// rank is of, of a law that Rank cuts.
	rank func(*S) ranked
	// by has a law that asks Rank rank by r.
	by func(s *S, r law.Rank)
	// settle brings what was read under its bound: seen is how many items there
	// can have been, foreign says that another Rank has cut what is full.
	settle func(s *S, seen int64, foreign bool)
	// The rest is apart, so that what folding needs of a field is one cache
	// line.
	*about
}

// about is what is told of a field.
type about struct {
	law, doc string
	// limit bounds the keys of a law, count those of one that has no others.
	limit *law.Limit
	count int
	// most is what the value takes on the wire at the most.
	most int
}

// slot is where a field of one state is, so that going over all of them costs
// no calls.
type slot struct {
	name   uint16
	number *int64
	value  value
	ranked ranked
}

// carried is what a state has beside its fields.
type carried struct {
	unknown         []byte // fields of a newer minor version, encoded
	unknownElements uint32
	rank            law.Rank
	cutBy           int64 // the ID of the Rank that has cut what was read
	slots           []slot
}

// table has the fields of a state in the order in which they are written.
type table[S any] []field[S]

const (
	// nameBytes is what a name takes at the most, that of a full list.
	nameBytes = 4
	// numberBytes is what a number or a time takes at the most.
	numberBytes = 9
	// mapBytes is what the header of a state takes.
	mapBytes = 5
)

// A list that can be full has two names: a full one is written under its name
// and a "+", which versions from before there was a Rank carry through unread.
// They go on under the plain name, and what they write there is taken into the
// full list by whoever reads both. Beside full lists stands the ID of the Rank
// that has cut them.
const (
	rankName = "rk"
)

var fullSuffix = []byte("+")

// by has the laws of s rank keys by r.
func (t table[S]) by(s *S, c *carried, r law.Rank) {
	if c.rank == r {
		return
	}
	c.rank = r
	for i := range t {
		if by := t[i].by; by != nil {
			by(s, r)
		}
	}
}

// slots returns where the fields of s are, in the order of t. They are kept with
// s, and are made anew where s is a copy.
func (t table[S]) slots(s *S, c *carried) []slot {
	if len(c.slots) == len(t) && c.slots[0].number == t[0].number(s) {
		return c.slots
	}
	c.slots = make([]slot, len(t))
	for i := range t {
		f, at := &t[i], &c.slots[i]
		at.name = code(event.Bytes(f.name))
		switch {
		case f.number != nil:
			at.number = f.number(s)
		case f.rank != nil:
			at.ranked = f.rank(s)
		default:
			at.value = f.of(s)
		}
	}
	return c.slots
}

// code is a name as a number, 0 of one that is no field's.
func code(name []byte) uint16 {
	switch len(name) {
	case 1:
		return uint16(name[0])
	case 2:
		return uint16(name[0]) | uint16(name[1])<<8
	}
	return 0
}

// reset empties the fields of s and keeps their memory.
func (t table[S]) reset(s *S, c *carried) {
	c.unknown, c.unknownElements, c.cutBy = nil, 0, 0
	slots := t.slots(s, c)
	for i := range slots {
		switch f := &slots[i]; {
		case f.number != nil:
			*f.number = 0
		case f.ranked != nil:
			f.ranked.Reset()
		default:
			f.value.Reset()
		}
	}
}

// append appends the encoded state.
func (t table[S]) append(dst []byte, s *S, c *carried) []byte {
	start, n, full := len(dst), c.unknownElements, false
	b := append(dst, 0xdf, 0, 0, 0, 0)
	slots := t.slots(s, c)
	for i := range slots {
		f := &slots[i]
		switch {
		case f.number != nil:
			if *f.number == 0 {
				continue
			}
			b = msgp.AppendInt64(msgp.AppendString(b, t[i].name), *f.number)
		case f.ranked != nil:
			if f.ranked.Empty() {
				continue
			}
			name := t[i].name
			b = msgp.AppendString(b, name)
			if f.ranked.Full() {
				full = true
				b[len(b)-len(name)-1]++
				b = append(b, fullSuffix...)
			}
			b = f.ranked.Append(b)
		default:
			if f.value.Empty() {
				continue
			}
			b = f.value.Append(msgp.AppendString(b, t[i].name))
		}
		n++
	}
	if full {
		b = msgp.AppendInt64(msgp.AppendString(b, rankName), int64(c.rank.ID()))
		n++
	}
	b = append(b, c.unknown...)
	h := b[start:]
	h[1], h[2], h[3], h[4] = byte(n>>24), byte(n>>16), byte(n>>8), byte(n)
	return b
}

// decode reads an encoded state into s, which is empty.
func (t table[S]) decode(src []byte, s *S, c *carried) error {
	count, b, err := msgp.ReadMapHeaderBytes(src)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	slots, at := t.slots(s, c), 0
	for range count {
		whole := b
		var name []byte
		if name, b, err = msgp.ReadStringZC(b); err != nil {
			return fmt.Errorf("%w: a name: %w", ErrCorrupt, err)
		}
		plain, full := bytes.CutSuffix(name, fullSuffix)
		switch f := find(slots, plain, &at); {
		case f == nil && string(name) == rankName:
			c.cutBy, b, err = msgp.ReadInt64Bytes(b)
		case f == nil || full && f.ranked == nil:
			if b, err = msgp.Skip(b); err == nil {
				c.unknown = append(c.unknown, whole[:len(whole)-len(b)]...)
				c.unknownElements++
			}
		case f.number != nil:
			*f.number, b, err = msgp.ReadInt64Bytes(b)
		case f.ranked != nil:
			b, err = f.ranked.DecodeMore(b)
		default:
			b, err = f.value.Decode(b)
		}
		if err != nil {
			return fmt.Errorf("%w: %q: %w", ErrCorrupt, name, err)
		}
	}
	if len(b) != 0 {
		return fmt.Errorf("%w: %d bytes behind its end", ErrCorrupt, len(b))
	}
	return nil
}

// find returns the slot of that name, nil where there is none. States are
// written in the table's order, so it is looked for from *at on, which find
// moves behind it.
func find(slots []slot, name []byte, at *int) *slot {
	of := code(name)
	if of == 0 {
		return nil
	}
	for i := *at; i < len(slots); i++ {
		if slots[i].name == of {
			*at = i + 1
			return &slots[i]
		}
	}
	for i := range slots[:*at] {
		if slots[i].name == of {
			*at = i + 1
			return &slots[i]
		}
	}
	return nil
}

// settle brings what was read under this version's bounds and s's Rank. Seen
// is how many items each law can have seen.
func (t table[S]) settle(s *S, c *carried, seen int64) {
	foreign := c.cutBy != int64(c.rank.ID())
	for i := range t {
		if settle := t[i].settle; settle != nil {
			settle(s, seen, foreign)
		}
	}
}

// size returns what append appends at the most.
func (t table[S]) size(s *S, c *carried) int {
	n := mapBytes + nameBytes + numberBytes + len(c.unknown) // the Rank's name and ID
	slots := t.slots(s, c)
	for i := range slots {
		n += nameBytes + slots[i].size()
	}
	return n
}

// size returns what the value takes at the most.
func (f *slot) size() int {
	switch {
	case f.number != nil:
		return numberBytes
	case f.ranked != nil:
		return f.ranked.Size()
	}
	return f.value.Size()
}

// most is what append appends at the most, whatever was folded.
func (t table[S]) most() int {
	n := mapBytes + nameBytes + numberBytes
	for i := range t {
		n += nameBytes + t[i].most
	}
	return n
}

// The laws' names, for the documentation.
const (
	lawSum    = "sum"
	lawMin    = "min"
	lawMax    = "max"
	lawKeys   = "keys by Rank"
	lawCount  = "distinct keys by Rank"
	lawNewest = "newest by (time, content)"
	lawOldest = "oldest by (time, Rank)"
	lawFirst  = "first by (time, content)"
	lawLatest = "latest by (time, content)"
	lawOr     = "or"
	lawOnce   = "once crossed"
	lawSet    = "newest, each for good"
	lawHashed = "last by the hash of the session's id"
)

// number is a field that is one, or a time.
func number[S any](name, law, doc string, of func(*S) *int64) field[S] {
	return field[S]{name: name, number: of, about: &about{law: law, doc: doc, most: numberBytes}}
}

// keys is a law.Bottom.
func keys[S any](name, doc string, limit *law.Limit, of func(*S) *law.Bottom) field[S] {
	return field[S]{
		name: name, about: &about{law: lawKeys, doc: doc, limit: limit, most: limit.Most()},
		rank: func(s *S) ranked { return of(s) },
		by:   func(s *S, r law.Rank) { of(s).By(r) },
		settle: func(s *S, seen int64, foreign bool) {
			l := of(s)
			l.Settle(limit, seen, foreign && l.Full())
		},
	}
}

// counts is a law.Distinct that counts n keys exactly.
func counts[S any](name, doc string, n int, of func(*S) *law.Distinct) field[S] {
	return field[S]{
		name: name, about: &about{law: lawCount, doc: doc, count: n, most: law.DistinctSize(n)},
		rank: func(s *S) ranked { return of(s) },
		by:   func(s *S, r law.Rank) { of(s).By(r) },
		settle: func(s *S, seen int64, foreign bool) {
			l := of(s)
			l.Settle(n, seen, foreign && l.Full())
		},
	}
}

// newest is a law.Newest but for its oldest items, which oldest is.
func newest[S any](name, doc string, limit *law.Limit, of func(*S) *law.Newest) field[S] {
	return field[S]{
		name: name, about: &about{law: lawNewest, doc: doc, limit: limit, most: limit.MostItems()},
		of:     func(s *S) value { return of(s) },
		by:     func(s *S, r law.Rank) { of(s).By(r) },
		settle: func(s *S, _ int64, _ bool) { of(s).Settle(limit) },
	}
}

// oldest are the oldest items of a law.Newest.
func oldest[S any](name, doc string, limit *law.Limit, of func(*S) *law.Newest) field[S] {
	return field[S]{
		name: name, about: &about{law: lawOldest, doc: doc, count: limit.Firsts, most: limit.MostOldest()},
		of: func(s *S) value { return &of(s).Oldest },
	}
}

// firsts is a law.First.
func firsts[S any](name, doc string, limit *law.Limit, of func(*S) *law.First) field[S] {
	return field[S]{
		name: name, about: &about{law: lawFirst, doc: doc, limit: limit, most: limit.MostItems()},
		of:     func(s *S) value { return of(s) },
		settle: func(s *S, _ int64, _ bool) { of(s).Settle(limit) },
	}
}

// latest is a law.Latest of texts of at most n bytes.
func latest[S any](name, doc string, n int, of func(*S) *law.Latest) field[S] {
	return field[S]{name: name, of: func(s *S) value { return of(s) }, about: &about{law: lawLatest, doc: doc, most: law.LatestSize(n)}}
}

// other is a value that takes at most so many bytes.
func other[S any](name, law, doc string, most int, of func(*S) value) field[S] {
	return field[S]{name: name, of: of, about: &about{law: law, doc: doc, most: most}}
}

// boolean is a value that is true or absent.
type boolean bool

func (f *boolean) Reset()                 { *f = false }
func (f *boolean) Empty() bool            { return !bool(*f) }
func (f *boolean) Size() int              { return 1 }
func (f *boolean) Append(b []byte) []byte { return msgp.AppendBool(b, bool(*f)) }

func (f *boolean) Decode(b []byte) (rest []byte, err error) {
	*(*bool)(f), rest, err = msgp.ReadBoolBytes(b)
	return rest, err
}
