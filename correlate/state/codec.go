package state

import (
	"errors"
	"fmt"
	"slices"

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

func (e *encoder) bottom(name string, p *law.Bottom) { e.part(name, p, p.Len() > 0 || p.Truncated()) }

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
	fn   func([]byte) ([]byte, error)
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
		if t, known := find(event.View(name)); known {
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
	e.bottom("s", &s.Services)
	e.bottom("d", &s.Deckies)
	e.part("h", &s.Hops, len(s.Hops.Items()) > 0)
	e.part("t", &s.Times, len(s.Times.List()) > 0)
	e.part("hr", &s.Hours, len(s.Hours.List()) > 0)
	e.part("c", &s.Commands, len(s.Commands.Items()) > 0 || s.Commands.Truncated())
	e.int("cn", s.CommandCount)
	e.time("cf", s.FirstCommand)
	e.bottom("cr", &s.Credentials)
	e.int("la", s.Attempts)
	e.int("ls", s.Successes)
	e.time("lf", s.FirstSuccess)
	e.bottom("fp", &s.Fingerprints)
	e.bottom("ar", &s.Artifacts)
	e.bottom("lk", &s.Leaks)
	e.part("se", &s.Sessions, s.Sessions.Len() > 0)
	e.int("sl", s.LongestSession)
	e.bottom("sn", &s.Sensors)
	e.part("nw", &s.Network, len(s.Network.Items()) > 0)
	e.time("pr", s.Recon)
	e.time("px", s.Exfil)
	e.int("pl", s.Large)
	e.bottom("os", &s.SystemGuesses)
	e.bottom("tt", &s.TTLs)
	e.bottom("hd", &s.Distances)
	e.latest("st", &s.Stack)
	e.latest("ip", &s.IPIDClass)
	e.latest("is", &s.ISNClass)
	e.int("rt", s.Retransmits)
	e.bottom("kx", &s.KexOrders)
	e.bottom("to", &s.Tools)
	e.bottom("te", &s.Techniques)
	e.bottom("al", &s.Alerts)
	e.part("do", &s.Domains, s.Domains.Len() > 0)
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
			t.part = &s.Services
		case "d":
			t.part = &s.Deckies
		case "h":
			t.part = &s.Hops
		case "t":
			t.part = &s.Times
		case "hr":
			t.part = &s.Hours
		case "c":
			t.part = &s.Commands
		case "cn":
			t.int = &s.CommandCount
		case "cf":
			t.time = &s.FirstCommand
		case "cr":
			t.part = &s.Credentials
		case "la":
			t.int = &s.Attempts
		case "ls":
			t.int = &s.Successes
		case "lf":
			t.time = &s.FirstSuccess
		case "fp":
			t.part = &s.Fingerprints
		case "ar":
			t.part = &s.Artifacts
		case "lk":
			t.part = &s.Leaks
		case "se":
			t.part = &s.Sessions
		case "sl":
			t.int = &s.LongestSession
		case "sn":
			t.part = &s.Sensors
		case "nw":
			t.part = &s.Network
		case "pr":
			t.time = &s.Recon
		case "px":
			t.time = &s.Exfil
		case "pl":
			t.int = &s.Large
		case "os":
			t.part = &s.SystemGuesses
		case "tt":
			t.part = &s.TTLs
		case "hd":
			t.part = &s.Distances
		case "st":
			t.part = &s.Stack
		case "ip":
			t.part = &s.IPIDClass
		case "is":
			t.part = &s.ISNClass
		case "rt":
			t.int = &s.Retransmits
		case "kx":
			t.part = &s.KexOrders
		case "to":
			t.part = &s.Tools
		case "te":
			t.part = &s.Techniques
		case "al":
			t.part = &s.Alerts
		case "do":
			t.part = &s.Domains
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
	if err == nil && !beside.provenance {
		s.withoutProvenance(new(event.Arena))
	}
	for _, i := range beside.stray {
		if err == nil && int(i) >= len(s.Transitions) {
			err = fmt.Errorf("%w: transition %d of %d is stray", ErrCorrupt, i, len(s.Transitions))
		}
		if err != nil {
			return err
		}
		s.Transitions[i].Stray = true
	}
	return err
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
	e.bottom("s", &s.Services)
	e.bottom("d", &s.Deckies)
	e.bottom("sn", &s.Sensors)
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
			t.part = &s.Services
		case "d":
			t.part = &s.Deckies
		case "sn":
			t.part = &s.Sensors
		default:
			return t, false
		}
		return t, true
	})
	return err
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
	e.bottom("s", &s.Services)
	e.bottom("d", &s.Deckies)
	e.bottom("sn", &s.Sensors)
	e.part("c", &s.Commands, len(s.Commands.Items()) > 0 || s.Commands.Truncated())
	e.bottom("tr", &s.Tried)
	e.bottom("ad", &s.Admitted)
	e.latest("su", &s.Summary)
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
			t.part = &s.Services
		case "d":
			t.part = &s.Deckies
		case "sn":
			t.part = &s.Sensors
		case "c":
			t.part = &s.Commands
		case "tr":
			t.part = &s.Tried
		case "ad":
			t.part = &s.Admitted
		case "su":
			t.part = &s.Summary
		default:
			return t, false
		}
		return t, true
	})
	return err
}
