package state

import (
	"cmp"
	"encoding/binary"
	"slices"

	"dossier/correlate/event"
	"dossier/correlate/law"

	"github.com/tinylib/msgp/msgp"
)

// LimitUnnamed bounds the events whose service isn't known yet.
var LimitUnnamed = law.Limit{Keys: 256, Bytes: 8 << 10, Entry: maxUnnamed}

const (
	// maxUnnamed is what one of them may take, maxUnnamedText what its texts may,
	// a credential's with all that a sensor may tell of one: how those are cut
	// depends on the service. One with longer texts isn't kept.
	maxUnnamed     = maxUnnamedText + 32
	maxUnnamedText = 2*event.MaxValue + event.MaxName + event.MaxService + 128
	// maxTold is the number of sessions whose service is kept.
	maxTold   = 128
	toldBytes = 3 + 8*maxTold
)

// Unnamed is what is known of sensors' sessions whose records tell the service
// once, in whatever chunk that was: which service a session has, and those
// events that no record of their chunk tells the service of. Both are capped by
// the hash of the session's id, so that they are of the same sessions. What has
// no room counts as event.GuessedService.
//
// What an event shows beside its service is folded at once; what depends on it
// is when the state is rendered (Name).
type Unnamed struct {
	// Told has the services of sessions.
	Told told
	// Events has what depends on the service, with the session for the time:
	// an item is a placed one.
	Events waiting
	// Guessed counts the events that had no room; of a copy that Name was called
	// on, all whose service is a guess.
	Guessed int64
}

// waiting is a list of items that wait for their service.
type waiting struct{ law.Newest }

// told has the services of sessions: the hash, then the place in services,
// sorted. The largest are kept.
type told []uint64

// services are those that a session can have. A place is for good.
var services = [...]string{1: "ssh", 2: "telnet"}

// placer is a state to which what depends on an event's service is added.
type placer interface {
	place(a *event.Arena, service string, p *placed)
}

// placed is what of an event depends on its service.
type placed struct {
	at event.Time
	// touch says that it stands for the event itself, of the kind and the type
	// what.
	touch bool
	kind  event.Kind
	decky string
	what  string
	// command says that text is a command line, which a rule knows or not;
	// login that it is the key of a credential but for the service.
	command, known, login bool
	outcome               event.Outcome
	text, secret          string
}

// waits says whether what depends on ev's service is kept apart.
func waits(ev *event.Event) bool {
	return ev.Naming == event.Guessed && ev.Proof.Proven() && (ev.Role == event.Decoy || ev.Role == event.Sniffer)
}

// fold adds what ev tells of its session, or leaves to others of it.
func (u *Unnamed) fold(a *event.Arena, ev *event.Event, to placer) {
	if ev.Naming == event.Names {
		u.Told.tell(ev.Session, ev.Service)
		return
	}
	if !waits(ev) {
		return
	}
	p := placed{at: ev.Time, touch: true, kind: ev.Kind, decky: ev.Decky, what: LimitHops.CutNote(ev.Type)}
	for i := range ev.Evidence {
		switch e := &ev.Evidence[i]; e.Kind {
		case event.Command:
			p.command, p.known, p.text = true, e.Command().Known(), law.Shorten(e.Command().Line(), maxLine)
		case event.Login:
			login := e.Login()
			if login.SecretKind() == "" {
				continue
			}
			p.login, p.outcome, p.secret = true, e.Outcome, login.Secret()
			p.text = a.Join(login.Principal(), "\x00", login.SecretKind(), "\x00", login.SecretDigest())
		default:
			continue
		}
		u.keep(a, ev.Session, &p, to)
		p = placed{at: ev.Time, decky: ev.Decky}
	}
	if p.touch {
		u.keep(a, ev.Session, &p, to)
	}
}

// keep keeps p, or guesses the service of what has no room.
func (u *Unnamed) keep(a *event.Arena, session uint64, p *placed, to placer) {
	if len(p.decky)+len(p.what)+len(p.secret)+len(p.text) > maxUnnamedText {
		u.guess(a, p, to)
		return
	}
	u.Events.AddOr(p.item(a, session), &LimitUnnamed, func(it law.Item) {
		gone := placedOf(&it)
		u.guess(a, &gone, to)
	})
}

func (u *Unnamed) guess(a *event.Arena, p *placed, to placer) {
	if p.touch {
		u.Guessed++
	}
	to.place(a, event.GuessedService, p)
}

// name adds the events to a state, each with its session's service, and returns
// how many there were.
func (u *Unnamed) name(a *event.Arena, to placer) int {
	items := u.Events.Items()
	for i := range items {
		p := placedOf(&items[i])
		if service := u.Told.serviceOf(uint64(items[i].Time)); service != "" {
			to.place(a, service, &p)
		} else {
			u.guess(a, &p, to)
		}
	}
	u.Events.Reset()
	return len(items)
}

// Waits says whether there are events whose service isn't known yet.
func (u *Unnamed) Waits() bool { return len(u.Events.Items()) > 0 }

// Name gives the events of sessions their services, as far as it is known now,
// and returns how many it were. It is for who renders s, on a copy: another
// event may tell more.
func (s *Attacker) Name(a *event.Arena) int {
	s.changes++
	return s.Unnamed.name(a, s)
}

// Name is as Attacker's.
func (s *Activity) Name(a *event.Arena) int { return s.Unnamed.name(a, s) }

func compareTold(x, y uint64) int { return cmp.Compare(x>>8, y>>8) }

// tell notes the service of a session. Where two are told the later in services
// counts.
func (t *told) tell(session uint64, service string) {
	place := slices.Index(services[:], service)
	if place <= 0 || session == 0 {
		return
	}
	list, one := *t, session<<8|uint64(place)
	i, known := slices.BinarySearchFunc(list, one, compareTold)
	switch {
	case known:
		list[i] = max(list[i], one)
	case len(list) < maxTold:
		*t = slices.Insert(list, i, one)
	case i > 0:
		copy(list, list[1:i])
		list[i-1] = one
	}
}

// serviceOf returns the service of a session, "" where it isn't known.
func (t told) serviceOf(session uint64) string {
	if i, known := slices.BinarySearchFunc(t, session<<8, compareTold); known {
		if place := int(t[i] & 0xff); place < len(services) {
			return services[place]
		}
	}
	return ""
}

// The flags of an item.
const (
	flagTouch = 1 << iota
	flagCommand
	flagKnown
	flagLogin
	// flagKind and flagOutcome are where those numbers begin.
	flagKind    = 16
	flagOutcome = 64
)

// item encodes p: the time, so that those of a session are in its order, and
// flags; the decoy; the type, the secret, each behind its length, and the text.
func (p *placed) item(a *event.Arena, session uint64) law.Item {
	flags := byte(p.kind)*flagKind | byte(p.outcome)*flagOutcome
	for i, f := range [...]bool{p.touch, p.command, p.known, p.login} {
		if f {
			flags |= 1 << i
		}
	}
	b := binary.BigEndian.AppendUint64(a.Grab(9), uint64(p.at)^1<<63)
	it := law.Item{Time: event.Time(session), A: a.Keep(append(b, flags)), B: p.decky}
	b = a.Grab(4 + len(p.what) + len(p.secret) + len(p.text))
	b = append(binary.BigEndian.AppendUint16(b, uint16(len(p.what))), p.what...)
	b = append(binary.BigEndian.AppendUint16(b, uint16(len(p.secret))), p.secret...)
	it.C = a.Keep(append(b, p.text...))
	return it
}

// placedOf decodes an item. What is no item's is nothing that depends on a service.
func placedOf(it *law.Item) (p placed) {
	if len(it.A) != 9 {
		return p
	}
	what, rest, ok := cutText(it.C)
	secret, text, whole := cutText(rest)
	if !ok || !whole {
		return p
	}
	flags := it.A[8]
	return placed{
		at: event.Time(binary.BigEndian.Uint64(event.Bytes(it.A[:8])) ^ 1<<63), decky: it.B, what: what, secret: secret, text: text,
		touch: flags&flagTouch != 0, command: flags&flagCommand != 0, known: flags&flagKnown != 0, login: flags&flagLogin != 0,
		kind: min(event.Kind(flags/flagKind%4), event.Interaction), outcome: min(event.Outcome(flags/flagOutcome), event.Success),
	}
}

// cutText takes a text behind its length from s.
func cutText(s string) (text, rest string, ok bool) {
	if len(s) < 2 {
		return "", "", false
	}
	n := int(s[0])<<8 | int(s[1])
	if s = s[2:]; n > len(s) {
		return "", "", false
	}
	return s[:n], s[n:], true
}

// toldValue and unnamedValue are the two lists as a table sees them.
type (
	toldValue    Unnamed
	unnamedValue Unnamed
)

func toldField[S any](name string, of func(*S) *Unnamed) field[S] {
	return field[S]{
		name: name, of: func(s *S) value { return (*toldValue)(of(s)) },
		about: &about{law: lawHashed, doc: "services of sessions, by the hash of their id", count: maxTold, most: toldBytes},
	}
}

func unnamedField[S any](name string, of func(*S) *Unnamed) field[S] {
	return field[S]{
		name: name, of: func(s *S) value { return (*unnamedValue)(of(s)) },
		about: &about{law: lawHashed, doc: "what depends on the service of events whose service isn't known yet", limit: &LimitUnnamed, most: LimitUnnamed.MostItems()},
	}
}

// Reset forgets them and keeps their memory.
func (u *toldValue) Reset() { u.Told = u.Told[:0] }

// Empty says whether there is none.
func (u *toldValue) Empty() bool { return len(u.Told) == 0 }

// Size returns what Append takes, and what the events may take that wait for
// what was told: whether there are any depends on how the events were cut into
// chunks.
func (u *toldValue) Size() int {
	if len(u.Told) == 0 {
		return 0
	}
	return 3 + 8*len(u.Told) + LimitUnnamed.MostItems()
}

// Append appends them as one binary value.
func (u *toldValue) Append(b []byte) []byte {
	var buf [8 * maxTold]byte
	w := buf[:0]
	for _, t := range u.Told {
		w = binary.BigEndian.AppendUint64(w, t)
	}
	return msgp.AppendBytes(b, w)
}

// Decode reads what Append wrote.
func (u *toldValue) Decode(b []byte) ([]byte, error) {
	u.Told = u.Told[:0]
	v, rest, err := msgp.ReadBytesZC(b)
	if err != nil || len(v)%8 != 0 || len(v) > 8*maxTold {
		return rest, ErrCorrupt
	}
	for ; len(v) > 0; v = v[8:] {
		t := binary.BigEndian.Uint64(v)
		if n := len(u.Told); n > 0 && compareTold(u.Told[n-1], t) >= 0 {
			return rest, ErrCorrupt
		}
		u.Told = append(u.Told, t)
	}
	return rest, nil
}

// Reset forgets them and keeps their memory.
func (u *unnamedValue) Reset() { u.Events.Reset() }

// Empty says whether there is none.
func (u *unnamedValue) Empty() bool { return u.Events.Empty() }

// Size returns what Append takes at the most, where that isn't counted already.
func (u *unnamedValue) Size() int {
	if len(u.Told) > 0 {
		return 0
	}
	return u.Events.Size()
}

// Append appends the msgpack encoding.
func (u *unnamedValue) Append(b []byte) []byte { return u.Events.Append(b) }

// Decode reads what Append wrote.
func (u *unnamedValue) Decode(b []byte) ([]byte, error) { return u.Events.Decode(b) }
