package state

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"dossier/correlate/event"
	"dossier/correlate/law"

	"github.com/tinylib/msgp/msgp"
)

// ErrCorrupt is returned for bytes that are not an encoded state.
var ErrCorrupt = errors.New("state: corrupt encoding")

// An encoded state is a msgpack map from short names to values; what is zero
// is left out. A name once given keeps its meaning. A newer minor version may
// add names: they are carried through unread and unchanged.

// part is a law as the codec sees it.
type part interface {
	Append([]byte) []byte
	Decode([]byte) ([]byte, error)
}

// encoder appends a map whose size is known only at its end.
type encoder struct {
	b     []byte
	start int
	n     uint32
	full  bool // a full list is among them
}

func newEncoder(dst []byte) encoder {
	return encoder{b: append(dst, 0xdf, 0, 0, 0, 0), start: len(dst)}
}

func (e *encoder) key(name string) {
	e.b = msgp.AppendString(e.b, name)
	e.n++
}

func (e *encoder) int(name string, v int64) {
	if v != 0 {
		e.key(name)
		e.b = msgp.AppendInt64(e.b, v)
	}
}

func (e *encoder) time(name string, t event.Time) { e.int(name, int64(t)) }

func (e *encoder) bool(name string, v bool) {
	if v {
		e.key(name)
		e.b = msgp.AppendBool(e.b, v)
	}
}

func (e *encoder) part(name string, p part, present bool) {
	if present {
		e.key(name)
		e.b = p.Append(e.b)
	}
}

// A list that can be full has two names: a full one is written under its name
// and a "+", which versions from before there was a Rank carry through unread.
// They go on under the plain name, and what they write there is taken into the
// full list by whoever reads both. Beside full lists stands the ID of the Rank
// that has cut them.
const (
	fullSuffix = "+"
	rankName   = "rk"
)

// ranked is a list that can be full.
type ranked interface {
	part
	By(law.Rank)
	DecodeMore([]byte) ([]byte, error)
	Full() bool
	Truncated() bool
	Len() int
}

// list is such a list with its bound: a limit, or how many are counted.
type list struct {
	law   ranked
	limit *law.Limit
	count int
}

// settle brings a list that was read under its bound. Seen is how many items
// there can have been, foreign says that another Rank has cut full lists.
func (l *list) settle(seen int64, foreign bool) {
	foreign = foreign && l.law.Full()
	switch s := l.law.(type) {
	case *law.Bottom:
		s.Settle(l.limit, seen, foreign)
	case *law.Distinct:
		s.Settle(l.count, seen, foreign)
	}
}

func (e *encoder) ranked(name string, p ranked) {
	if p.Len() == 0 && !p.Truncated() {
		return
	}
	if p.Full() {
		e.full = true
		e.key(name + fullSuffix)
	} else {
		e.key(name)
	}
	e.b = p.Append(e.b)
}

// by appends which Rank has cut the full lists, if there are any.
func (e *encoder) by(r law.Rank) {
	if e.full {
		e.int(rankName, int64(r.ID()))
	}
}

func (e *encoder) latest(name string, p *law.Latest) { e.part(name, p, p.Time != event.Never) }

func (e *encoder) finish(unknown []byte, n uint32) []byte {
	e.b = append(e.b, unknown...)
	e.n += n
	h := e.b[e.start:]
	h[1], h[2], h[3], h[4] = byte(e.n>>24), byte(e.n>>16), byte(e.n>>8), byte(e.n)
	return e.b
}

// target is where one named value decodes to: exactly one of its members is
// set.
type target struct {
	int  *int64
	time *event.Time
	bool *bool
	part part
	// ranked has a plain and a full form.
	ranked ranked
	fn     func([]byte) ([]byte, error)
}

func (t target) decode(b []byte) (rest []byte, err error) {
	switch {
	case t.int != nil:
		*t.int, rest, err = msgp.ReadInt64Bytes(b)
	case t.time != nil:
		var v int64
		v, rest, err = msgp.ReadInt64Bytes(b)
		*t.time = event.Time(v)
	case t.bool != nil:
		*t.bool, rest, err = msgp.ReadBoolBytes(b)
	case t.part != nil:
		rest, err = t.part.Decode(b)
	case t.ranked != nil:
		rest, err = t.ranked.DecodeMore(b)
	default:
		rest, err = t.fn(b)
	}
	return rest, err
}

// decodeMap reads an encoded state: find tells where a name's value goes. It
// returns the names it doesn't know, still encoded, and their number.
func decodeMap(src []byte, find func(name string) (target, bool)) (unknown []byte, n uint32, err error) {
	count, b, err := msgp.ReadMapHeaderBytes(src)
	if err != nil {
		return nil, 0, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	for range count {
		whole := b
		var name []byte
		if name, b, err = msgp.ReadStringZC(b); err != nil {
			return nil, 0, fmt.Errorf("%w: a name: %w", ErrCorrupt, err)
		}
		plain, full := strings.CutSuffix(event.View(name), fullSuffix)
		if t, known := find(plain); known && (!full || t.ranked != nil) {
			b, err = t.decode(b)
		} else {
			if b, err = msgp.Skip(b); err == nil {
				unknown = append(unknown, whole[:len(whole)-len(b)]...)
				n++
			}
		}
		if err != nil {
			return nil, 0, fmt.Errorf("%w: %q: %w", ErrCorrupt, name, err)
		}
	}
	if len(b) != 0 {
		return nil, 0, fmt.Errorf("%w: %d bytes behind its end", ErrCorrupt, len(b))
	}
	return unknown, n, nil
}

// Append appends the encoded state.
func (s *Attacker) Append(dst []byte) []byte {
	e := newEncoder(dst)
	e.time("f", s.First)
	e.time("l", s.Last)
	e.int("n", s.Events)
	e.int("k0", s.Kinds[0])
	e.int("k1", s.Kinds[1])
	e.int("k2", s.Kinds[2])
	e.ranked("s", &s.Services)
	e.ranked("d", &s.Deckies)
	e.part("h", &s.Hops, len(s.Hops.Items()) > 0)
	e.part("t", &s.Times, len(s.Times.List()) > 0)
	e.part("hr", &s.Hours, len(s.Hours.List()) > 0)
	e.part("c", &s.Commands, len(s.Commands.Items()) > 0 || s.Commands.Truncated())
	e.part("co", &s.Commands.Oldest, len(s.Commands.Oldest.Items()) > 0)
	e.ranked("ck", &s.Known)
	e.int("cn", s.CommandCount)
	e.time("cf", s.FirstCommand)
	e.ranked("cr", &s.Credentials)
	e.ranked("ca", &s.Admitted)
	e.int("la", s.Attempts)
	e.int("ls", s.Successes)
	e.time("lf", s.FirstSuccess)
	e.ranked("fp", &s.Fingerprints)
	e.ranked("ar", &s.Artifacts)
	e.ranked("lk", &s.Leaks)
	e.ranked("se", &s.Sessions)
	e.int("sl", s.LongestSession)
	e.ranked("sn", &s.Sensors)
	e.part("nw", &s.Network, len(s.Network.Items()) > 0)
	e.time("pr", s.Recon)
	e.time("px", s.Exfil)
	e.int("pl", s.Large)
	e.ranked("os", &s.SystemGuesses)
	e.ranked("tt", &s.TTLs)
	e.ranked("hd", &s.Distances)
	e.latest("st", &s.Stack)
	e.latest("ip", &s.IPIDClass)
	e.latest("is", &s.ISNClass)
	e.int("rt", s.Retransmits)
	e.ranked("kx", &s.KexOrders)
	e.ranked("to", &s.Tools)
	e.ranked("te", &s.Techniques)
	e.ranked("al", &s.Alerts)
	e.ranked("do", &s.Domains)
	if s.Crowd.Share > 0 {
		e.key("cw")
		e.b = msgp.AppendArrayHeader(e.b, 2)
		e.b = msgp.AppendFloat64(e.b, s.Crowd.Share)
		e.b = msgp.AppendBytes(e.b, s.Crowd.Chunk[:])
	}
	e.bool("hs", s.Handshake)
	if len(s.Transitions) > 0 {
		e.key("tr")
		e.b = appendTransitions(e.b, s.Transitions)
		if slices.ContainsFunc(s.Transitions, func(t Transition) bool { return t.Stray }) {
			e.key("ts")
			e.b = appendStray(e.b, s.Transitions)
		}
	}
	e.int("tu", s.Untold)
	s.appendProvenance(&e)
	e.by(s.rank)
	return e.finish(s.unknown, s.unknownElements)
}

// Decode reads an encoded state in place of what s holds. The result is a view
// of src.
func (s *Attacker) Decode(src []byte) error {
	s.Reset()
	var err error
	var beside struct { // what is known only at the end
		stray      []byte
		provenance bool
	}
	s.unknown, s.unknownElements, err = decodeMap(src, func(name string) (target, bool) {
		var t target
		switch name {
		case "f":
			t.time = &s.First
		case "l":
			t.time = &s.Last
		case "n":
			t.int = &s.Events
		case "k0":
			t.int = &s.Kinds[0]
		case "k1":
			t.int = &s.Kinds[1]
		case "k2":
			t.int = &s.Kinds[2]
		case "s":
			t.ranked = &s.Services
		case "d":
			t.ranked = &s.Deckies
		case "h":
			t.part = &s.Hops
		case "t":
			t.part = &s.Times
		case "hr":
			t.part = &s.Hours
		case "c":
			t.part = &s.Commands
		case "co":
			t.part = &s.Commands.Oldest
		case "ck":
			t.ranked = &s.Known
		case "ca":
			t.ranked = &s.Admitted
		case rankName:
			t.int = &s.cutBy
		case "cn":
			t.int = &s.CommandCount
		case "cf":
			t.time = &s.FirstCommand
		case "cr":
			t.ranked = &s.Credentials
		case "la":
			t.int = &s.Attempts
		case "ls":
			t.int = &s.Successes
		case "lf":
			t.time = &s.FirstSuccess
		case "fp":
			t.ranked = &s.Fingerprints
		case "ar":
			t.ranked = &s.Artifacts
		case "lk":
			t.ranked = &s.Leaks
		case "se":
			t.ranked = &s.Sessions
		case "sl":
			t.int = &s.LongestSession
		case "sn":
			t.ranked = &s.Sensors
		case "nw":
			t.part = &s.Network
		case "pr":
			t.time = &s.Recon
		case "px":
			t.time = &s.Exfil
		case "pl":
			t.int = &s.Large
		case "os":
			t.ranked = &s.SystemGuesses
		case "tt":
			t.ranked = &s.TTLs
		case "hd":
			t.ranked = &s.Distances
		case "st":
			t.part = &s.Stack
		case "ip":
			t.part = &s.IPIDClass
		case "is":
			t.part = &s.ISNClass
		case "rt":
			t.int = &s.Retransmits
		case "kx":
			t.ranked = &s.KexOrders
		case "to":
			t.ranked = &s.Tools
		case "te":
			t.ranked = &s.Techniques
		case "al":
			t.ranked = &s.Alerts
		case "do":
			t.ranked = &s.Domains
		case "cw":
			t.fn = s.Crowd.decode
		case "hs":
			t.bool = &s.Handshake
		case "tr":
			t.fn = func(b []byte) (rest []byte, err error) {
				s.Transitions, rest, err = readTransitions(b)
				return rest, err
			}
		case "ts":
			t.fn = func(b []byte) (rest []byte, err error) {
				beside.stray, rest, err = msgp.ReadBytesZC(b)
				return rest, err
			}
		case "tu":
			t.int = &s.Untold
		case "pv":
			t.bool = &beside.provenance
		default:
			return s.provenance(name)
		}
		return t, true
	})
	for _, i := range beside.stray {
		if err == nil && int(i) >= len(s.Transitions) {
			err = fmt.Errorf("%w: transition %d of %d is stray", ErrCorrupt, i, len(s.Transitions))
		}
		if err != nil {
			return err
		}
		s.Transitions[i].Stray = true
	}
	if err != nil {
		return err
	}
	s.settle()
	if !beside.provenance {
		s.withoutProvenance(new(event.Arena))
	}
	return nil
}

func (c *Crowd) decode(b []byte) ([]byte, error) {
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

func appendTransitions(b []byte, ts []Transition) []byte {
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

// appendStray appends the places of the stray transitions, a byte each. They
// stand apart from the transitions because a writer that doesn't know of them
// carries a name through, but no element.
func appendStray(b []byte, ts []Transition) []byte {
	places := make([]byte, 0, 256)
	for i := range ts[:min(len(ts), 256)] {
		if ts[i].Stray {
			places = append(places, byte(i))
		}
	}
	return msgp.AppendBytes(b, places)
}

func readTransitions(b []byte) ([]Transition, []byte, error) {
	n, b, err := msgp.ReadArrayHeaderBytes(b)
	if err != nil || int64(n) > int64(len(b)) {
		return nil, b, ErrCorrupt
	}
	ts := make([]Transition, 0, n)
	for range n {
		var t Transition
		var m uint32
		var action, value, chunk []byte
		var at int64
		if m, b, err = msgp.ReadArrayHeaderBytes(b); err != nil || m < 4 {
			return nil, b, ErrCorrupt
		}
		if action, b, err = msgp.ReadStringZC(b); err != nil {
			return nil, b, err
		}
		if value, b, err = msgp.ReadStringZC(b); err != nil {
			return nil, b, err
		}
		if at, b, err = msgp.ReadInt64Bytes(b); err != nil {
			return nil, b, err
		}
		if chunk, b, err = msgp.ReadBytesZC(b); err != nil || len(chunk) != len(t.Chunk) {
			return nil, b, ErrCorrupt
		}
		for range m - 4 {
			if b, err = msgp.Skip(b); err != nil {
				return nil, b, err
			}
		}
		t.Action, t.Value, t.Time = event.View(action), event.View(value), event.Time(at)
		copy(t.Chunk[:], chunk)
		ts = append(ts, t)
	}
	return ts, b, nil
}

// Append appends the encoded state.
func (s *Target) Append(dst []byte) []byte {
	e := newEncoder(dst)
	e.time("f", s.First)
	e.time("l", s.Last)
	e.int("n", s.Count)
	e.int("a", s.Accepted)
	e.int("r", s.Denied)
	e.int("m", s.Messages)
	e.ranked("s", &s.Services)
	e.ranked("d", &s.Deckies)
	e.ranked("sn", &s.Sensors)
	e.by(s.rank)
	return e.finish(s.unknown, s.unknownElements)
}

// Decode reads an encoded state. The result is a view of src.
func (s *Target) Decode(src []byte) error {
	s.Reset()
	var err error
	s.unknown, s.unknownElements, err = decodeMap(src, func(name string) (target, bool) {
		var t target
		switch name {
		case "f":
			t.time = &s.First
		case "l":
			t.time = &s.Last
		case "n":
			t.int = &s.Count
		case "a":
			t.int = &s.Accepted
		case "r":
			t.int = &s.Denied
		case "m":
			t.int = &s.Messages
		case "s":
			t.ranked = &s.Services
		case "d":
			t.ranked = &s.Deckies
		case "sn":
			t.ranked = &s.Sensors
		case rankName:
			t.int = &s.cutBy
		default:
			return t, false
		}
		return t, true
	})
	if err != nil {
		return err
	}
	s.settle()
	return nil
}

// Append appends the encoded state.
func (s *Activity) Append(dst []byte) []byte {
	e := newEncoder(dst)
	e.int("n", s.Events)
	e.int("k0", s.Kinds[0])
	e.int("k1", s.Kinds[1])
	e.int("k2", s.Kinds[2])
	e.int("cn", s.CommandCount)
	e.int("la", s.Attempts)
	e.int("ls", s.Successes)
	e.int("rc", s.Recipients)
	e.int("cl", s.Claimed)
	e.ranked("s", &s.Services)
	e.ranked("d", &s.Deckies)
	e.ranked("sn", &s.Sensors)
	e.part("c", &s.Commands, len(s.Commands.Items()) > 0 || s.Commands.Truncated())
	e.ranked("tr", &s.Tried)
	e.ranked("ad", &s.Admitted)
	e.part("co", &s.Commands.Oldest, len(s.Commands.Oldest.Items()) > 0)
	e.latest("su", &s.Summary)
	e.by(s.rank)
	return e.finish(s.unknown, s.unknownElements)
}

// Decode reads an encoded state. The result is a view of src.
func (s *Activity) Decode(src []byte) error {
	s.Reset()
	var err error
	s.unknown, s.unknownElements, err = decodeMap(src, func(name string) (target, bool) {
		var t target
		switch name {
		case "n":
			t.int = &s.Events
		case "k0":
			t.int = &s.Kinds[0]
		case "k1":
			t.int = &s.Kinds[1]
		case "k2":
			t.int = &s.Kinds[2]
		case "co":
			t.part = &s.Commands.Oldest
		case "cn":
			t.int = &s.CommandCount
		case "la":
			t.int = &s.Attempts
		case "ls":
			t.int = &s.Successes
		case "rc":
			t.int = &s.Recipients
		case "cl":
			t.int = &s.Claimed
		case "s":
			t.ranked = &s.Services
		case "d":
			t.ranked = &s.Deckies
		case "sn":
			t.ranked = &s.Sensors
		case "c":
			t.part = &s.Commands
		case "tr":
			t.ranked = &s.Tried
		case "ad":
			t.ranked = &s.Admitted
		case "su":
			t.part = &s.Summary
		case rankName:
			t.int = &s.cutBy
		default:
			return t, false
		}
		return t, true
	})
	if err != nil {
		return err
	}
	s.settle()
	return nil
}
