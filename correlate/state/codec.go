package state

import (
	"fmt"
	"slices"

	"dossier/correlate/event"

	"github.com/tinylib/msgp/msgp"
)

// Reset forgets that there is a crowd.
func (c *Crowd) Reset() { *c = Crowd{} }

// Empty says whether there is none.
func (c *Crowd) Empty() bool { return c.Share <= 0 }

// Size returns what Append takes.
func (c *Crowd) Size() int { return crowdBytes }

const crowdBytes = 1 + 9 + 18

// Append appends the msgpack encoding.
func (c *Crowd) Append(b []byte) []byte {
	b = msgp.AppendArrayHeader(b, 2)
	b = msgp.AppendFloat64(b, c.Share)
	return msgp.AppendBytes(b, c.Chunk[:])
}

// Decode reads what Append wrote and returns the bytes behind it.
func (c *Crowd) Decode(b []byte) ([]byte, error) {
	n, b, err := msgp.ReadArrayHeaderBytes(b)
	if err != nil || n != 2 {
		return b, ErrCorrupt
	}
	if c.Share, b, err = msgp.ReadFloat64Bytes(b); err != nil {
		return b, err
	}
	chunk, b, err := msgp.ReadBytesZC(b)
	if err != nil || len(chunk) != len(c.Chunk) {
		return b, ErrCorrupt
	}
	copy(c.Chunk[:], chunk)
	return b, nil
}

// always is a value that is written whatever it is.
type always bool

func (a *always) Reset()                 { *a = false }
func (a *always) Empty() bool            { return false }
func (a *always) Size() int              { return 1 }
func (a *always) Append(b []byte) []byte { return msgp.AppendBool(b, true) }

func (a *always) Decode(b []byte) ([]byte, error) { return (*boolean)(a).Decode(b) }

// transitions are the lines crossed as a table sees them: their size doesn't
// tell which were crossed.
type transitions []Transition

// transitionBytes is what they take at the most, with the places of the stray.
var transitionBytes = 5 + LimitTransitions.Bytes

func (t *transitions) Reset()      { *t = nil }
func (t *transitions) Empty() bool { return len(*t) == 0 }
func (t *transitions) Size() int   { return transitionBytes }

// Append appends the msgpack encoding: [[action, value, time, chunk] ...].
func (t *transitions) Append(b []byte) []byte {
	ts := *t
	b = msgp.AppendArrayHeader(b, uint32(len(ts)))
	for i := range ts {
		t := &ts[i]
		b = msgp.AppendArrayHeader(b, 4)
		b = msgp.AppendString(b, t.Action)
		b = msgp.AppendString(b, t.Value)
		b = msgp.AppendInt64(b, int64(t.Time))
		b = msgp.AppendBytes(b, t.Chunk[:])
	}
	return b
}

// stray are those of the lines crossed that are stray. They
// stand apart from the transitions because a writer that doesn't know of them
// carries a name through, but no element.
type stray []Transition

func (t *stray) Reset() {}

func (t *stray) Empty() bool {
	return !slices.ContainsFunc(*t, func(t Transition) bool { return t.Stray })
}

// Size is that of the header; the places count with the transitions.
func (t *stray) Size() int { return 2 }

// Append appends the places of the stray, a byte each.
func (t *stray) Append(b []byte) []byte {
	ts := *t
	places := make([]byte, 0, 256)
	for i := range ts[:min(len(ts), 256)] {
		if ts[i].Stray {
			places = append(places, byte(i))
		}
	}
	return msgp.AppendBytes(b, places)
}

// Decode reads what Append wrote, behind the transitions.
func (t *stray) Decode(b []byte) ([]byte, error) {
	places, b, err := msgp.ReadBytesZC(b)
	for _, i := range places {
		if int(i) >= len(*t) {
			return b, fmt.Errorf("%w: transition %d of %d is stray", ErrCorrupt, i, len(*t))
		}
		(*t)[i].Stray = true
	}
	return b, err
}

// Decode reads what Append wrote and returns the bytes behind it.
func (t *transitions) Decode(b []byte) ([]byte, error) {
	n, b, err := msgp.ReadArrayHeaderBytes(b)
	if err != nil || int64(n) > int64(len(b)) {
		return b, ErrCorrupt
	}
	ts := make([]Transition, 0, n)
	for range n {
		var one Transition
		var m uint32
		var action, value, chunk []byte
		var at int64
		if m, b, err = msgp.ReadArrayHeaderBytes(b); err != nil || m < 4 {
			return b, ErrCorrupt
		}
		if action, b, err = msgp.ReadStringZC(b); err != nil {
			return b, err
		}
		if value, b, err = msgp.ReadStringZC(b); err != nil {
			return b, err
		}
		if at, b, err = msgp.ReadInt64Bytes(b); err != nil {
			return b, err
		}
		if chunk, b, err = msgp.ReadBytesZC(b); err != nil || len(chunk) != len(one.Chunk) {
			return b, ErrCorrupt
		}
		for range m - 4 {
			if b, err = msgp.Skip(b); err != nil {
				return b, err
			}
		}
		one.Action, one.Value, one.Time = event.View(action), event.View(value), event.Time(at)
		copy(one.Chunk[:], chunk)
		ts = append(ts, one)
	}
	*t = ts
	return b, nil
}
