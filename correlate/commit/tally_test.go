package commit

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// delta is what one of the tests' chunks gives to one document.
type delta struct {
	chunk  uint16
	poison bool // the document is refused with it
	panics bool // so is the fold
	effect bool // it is created once
	// told: it was folded. leaders are those of its chunk that come before it.
	told    bool
	leaders []*delta
}

// tally is the tests' Model: a document counts the contributions of each
// chunk, so that what is lost and what is doubled shows per chunk and
// document.
type tally struct {
	// unopened names the documents that are not opened.
	unopened func(Key) bool
	// fixed: nothing panics any more.
	fixed func() bool
	// early is called where a document is opened although something that leads it
	// was not folded.
	early func(Key, *delta)
	next  tallied
}

// tallied is a document: how often each chunk was folded, sorted by chunk.
type tallied struct {
	counts  []count
	poison  bool
	effects []Effect
}

type count struct {
	chunk, n uint16
}

func (c *tally) Fold(key Key, class Class, payload []byte, in []Contribution) (Folded, error) {
	t := &c.next
	if err := t.decode(payload); err != nil {
		return nil, err
	}
	if payload == nil && c.unopened != nil && c.unopened(key) {
		return nil, ErrNotOpened
	}
	t.effects = nil
	for _, one := range in {
		d := one.Delta.(*delta)
		if d.panics && (c.fixed == nil || !c.fixed()) {
			panic("a bad delta")
		}
		d.told = true
		for _, l := range d.leaders {
			if payload == nil && !one.Applied && !l.told && c.early != nil {
				c.early(key, d)
			}
		}
		if d.effect {
			t.effects = append(t.effects, Effect{Key: effectKey(key, d.chunk), Body: []byte{'E'}})
		}
		if one.Applied {
			continue
		}
		i, known := slices.BinarySearchFunc(t.counts, d.chunk, func(c count, chunk uint16) int { return int(c.chunk) - int(chunk) })
		if !known {
			t.counts = slices.Insert(t.counts, i, count{chunk: d.chunk})
		}
		t.counts[i].n++
		t.poison = t.poison || d.poison
	}
	return t, nil
}

func effectKey(k Key, chunk uint16) Key {
	return Key{Index: "effects", ID: fmt.Sprintf("%s|%d", k.ID, chunk)}
}

func (t *tallied) decode(payload []byte) error {
	t.counts, t.poison = t.counts[:0], false
	if payload == nil {
		return nil
	}
	if len(payload)%4 != 1 {
		return fmt.Errorf("a tally of %d bytes", len(payload))
	}
	t.poison = payload[0] == 1
	for b := payload[1:]; len(b) > 0; b = b[4:] {
		t.counts = append(t.counts, count{binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])})
	}
	return nil
}

func (t *tallied) AppendState(dst []byte) []byte {
	if t.poison {
		dst = append(dst, 1)
	} else {
		dst = append(dst, 0)
	}
	for _, c := range t.counts {
		dst = binary.BigEndian.AppendUint16(dst, c.chunk)
		dst = binary.BigEndian.AppendUint16(dst, c.n)
	}
	return dst
}

func (t *tallied) AppendDocument(dst []byte, state []byte) []byte {
	if t.poison {
		dst = append(dst, 'P')
	} else {
		dst = append(dst, 'D')
	}
	return append(dst, state...)
}

func (t *tallied) Effects() []Effect { return t.effects }

// counts returns what a body holds, by chunk.
func countsOf(body []byte) map[uint16]int {
	out := map[uint16]int{}
	if body == nil {
		return out
	}
	env, err := decodeEnvelope(stateOf(body))
	if err != nil {
		panic(err)
	}
	var t tallied
	if err := t.decode(env.payload); err != nil {
		panic(err)
	}
	for _, c := range t.counts {
		out[c.chunk] = int(c.n)
	}
	return out
}

// poisonous says whether a body is one of a document that is refused.
func poisonous(op *Op) bool { return op.Body[0] == 'P' }
