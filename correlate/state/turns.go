package state

import (
	"cmp"
	"encoding/binary"
	"slices"

	"dossier/correlate/event"

	"github.com/tinylib/msgp/msgp"
)

// maxTurns is the number of newest commands in shells of which the session is
// kept.
const maxTurns = 96

// turnBytes is what one takes: the time, the session, the line.
const turnBytes = 8 + 3 + 2

// Turn is when a command was given in a shell, and in which session.
type Turn struct {
	Time event.Time
	// Session is a digest of the sensor's name of the session, 0 where it names
	// none. Line is one of the command line, to find it among the commands by.
	Session uint32
	Line    uint16
}

func (t Turn) compare(o Turn) int {
	return cmp.Or(cmp.Compare(t.Time, o.Time), cmp.Compare(t.Session, o.Session), cmp.Compare(t.Line, o.Line))
}

// Turns keeps the newest turns, a multiset ordered by time and content.
type Turns struct{ list []Turn }

// List returns the kept turns, oldest first. The slice is the Turns' own.
func (t *Turns) List() []Turn { return t.list }

// Reset forgets them and keeps their memory.
func (t *Turns) Reset() { t.list = t.list[:0] }

// Empty says whether there is none.
func (t *Turns) Empty() bool { return len(t.list) == 0 }

// Add notes a command: session is the sensor's name of the session, "" where it
// names none.
func (t *Turns) Add(at event.Time, session, line string) {
	e := Turn{Time: at, Line: LineDigest(line)}
	if session != "" {
		e.Session = max(digest(session)&0xffffff, 1)
	}
	i := len(t.list)
	if i > 0 && t.list[i-1].compare(e) > 0 {
		i, _ = slices.BinarySearchFunc(t.list, e, Turn.compare)
	}
	switch {
	case len(t.list) < maxTurns:
		t.list = slices.Insert(t.list, i, e)
	case i > 0:
		copy(t.list, t.list[1:i])
		t.list[i-1] = e
	}
}

// LineDigest returns the digest of a command line that a Turn has.
func LineDigest(line string) uint16 {
	sum := digest(line[:min(len(line), 64)])
	return uint16(sum ^ sum>>16)
}

// digest is FNV-1a (Fowler, Noll, Vo) of 32 bits, of the first 256 bytes. It
// tells apart and proves nothing.
func digest(text string) uint32 {
	sum := uint32(2166136261)
	for i := range min(len(text), 256) {
		sum = (sum ^ uint32(text[i])) * 16777619
	}
	return sum
}

// Size returns what Append appends at the most.
func (t *Turns) Size() int {
	if len(t.list) == 0 {
		return 0
	}
	return 3 + len(t.list)*turnBytes
}

// mostTurns is what they take at the most.
const mostTurns = 3 + maxTurns*turnBytes

// Append appends them as one binary value.
func (t *Turns) Append(b []byte) []byte {
	var buf [maxTurns * turnBytes]byte
	w := buf[:0]
	for i := range t.list {
		e := &t.list[i]
		w = binary.BigEndian.AppendUint64(w, uint64(e.Time))
		w = append(w, byte(e.Session>>16), byte(e.Session>>8), byte(e.Session), byte(e.Line>>8), byte(e.Line))
	}
	return msgp.AppendBytes(b, w)
}

// Decode reads what Append wrote.
func (t *Turns) Decode(b []byte) ([]byte, error) {
	t.Reset()
	v, rest, err := msgp.ReadBytesZC(b)
	if err != nil || len(v)%turnBytes != 0 || len(v) > maxTurns*turnBytes {
		return rest, ErrCorrupt
	}
	for ; len(v) > 0; v = v[turnBytes:] {
		e := Turn{
			Time:    event.Time(binary.BigEndian.Uint64(v)),
			Session: uint32(v[8])<<16 | uint32(v[9])<<8 | uint32(v[10]),
			Line:    binary.BigEndian.Uint16(v[11:]),
		}
		if n := len(t.list); n > 0 && t.list[n-1].compare(e) > 0 {
			return rest, ErrCorrupt
		}
		t.list = append(t.list, e)
	}
	return rest, nil
}

// InShell says whether what is said to a service is typed into a shell.
func InShell(service string) bool { return service == "ssh" || service == "telnet" || service == "adb" }

// sessionOf returns the sensor's name of the session in which a command was
// given, "" where it names none.
func sessionOf(ev *event.Event, e *event.Evidence) string {
	if id := e.Command().Session(); id != "" {
		return id
	}
	for i := range ev.Evidence {
		if ev.Evidence[i].Kind == event.Session {
			return ev.Evidence[i].Session().ID()
		}
	}
	return ""
}
