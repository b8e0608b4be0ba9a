package state

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"time"

	"dossier/correlate/event"

	"github.com/tinylib/msgp/msgp"
)

// maxLogins is the number of decoys and days of which logins are kept, the
// newest, maxGoneLogins that of the oldest beside them: whoever logs in often
// afterwards takes nothing from what he did first.
const (
	maxLogins     = 64
	maxGoneLogins = 32
)

// loginBytes is what one takes: the day, the decoy, and the times.
const loginBytes = 4 + 8 + 5 + 5

const day = event.Time(24 * time.Hour / time.Microsecond)

// login is when an address logged in on a decoy on one day (UTC): the first
// and the last time. That is enough to tell of any time whether there was a
// login within the day before: one on that time's own day, not after it, or
// one on the day before, not earlier than a day.
type login struct {
	day         int32
	decoy       uint64 // the first bytes of the name's SHA-256
	first, last event.Time
}

// order is that of the law: the newest days count most.
func (l login) order(o login) int {
	return cmp.Or(cmp.Compare(o.day, l.day), cmp.Compare(l.decoy, o.decoy))
}

// logins keeps the newest days' logins, a set: where a day and a decoy stand
// never changes, so that what was left out never comes back.
type logins struct {
	list []login
	gone goneLogins
}

// goneLogins keeps the oldest of those that logins has no room for. What it
// leaves out never comes back either: those that are older stay.
type goneLogins struct{ list []login }

// Reset forgets them and keeps their memory.
func (l *logins) Reset() { l.list = l.list[:0] }

// Reset forgets them and keeps their memory.
func (l *goneLogins) Reset() { l.list = l.list[:0] }

// Empty says whether there is none.
func (l *logins) Empty() bool { return len(l.list) == 0 }

// Empty says whether there is none.
func (l *goneLogins) Empty() bool { return len(l.list) == 0 }

// loginKey returns the key of a login, without times.
func loginKey(decoy string, at event.Time) login {
	sum := sha256.Sum256(event.Bytes(decoy))
	d := at / day
	if at%day < 0 {
		d--
	}
	return login{day: int32(d), decoy: binary.BigEndian.Uint64(sum[:])}
}

// merge adds e to what is known of its day and decoy.
func (l *login) merge(e login) {
	l.first, l.last = min(l.first, e.first), max(l.last, e.last)
}

// add notes a login.
func (l *logins) add(decoy string, at event.Time) {
	e := loginKey(decoy, at)
	e.first, e.last = at, at
	i, known := slices.BinarySearchFunc(l.list, e, login.order)
	switch {
	case known:
		l.list[i].merge(e)
	case i >= maxLogins:
		l.gone.add(e)
	default:
		l.list = slices.Insert(l.list, i, e)
		if len(l.list) > maxLogins {
			l.gone.add(l.list[maxLogins])
			l.list = l.list[:maxLogins]
		}
	}
}

func (l *goneLogins) add(e login) {
	i, known := slices.BinarySearchFunc(l.list, e, login.order)
	switch {
	case known:
		l.list[i].merge(e)
	case i == 0 && len(l.list) >= maxGoneLogins:
	default:
		l.list = slices.Insert(l.list, i, e)
		if len(l.list) > maxGoneLogins {
			l.list = slices.Delete(l.list, 0, 1)
		}
	}
}

// find returns what is known of a day and a decoy.
func (l *logins) find(key login) (login, bool) {
	for _, list := range [...][]login{l.list, l.gone.list} {
		if i, known := slices.BinarySearchFunc(list, key, login.order); known {
			return list[i], true
		}
	}
	return login{}, false
}

// admits says whether there was a login on the decoy within the day before a
// time.
func (l *logins) admits(decoy string, at event.Time) bool {
	if decoy == "" || len(l.list) == 0 {
		return false
	}
	key := loginKey(decoy, at)
	if l, known := l.find(key); known && l.first <= at {
		return true
	}
	key.day--
	before, known := l.find(key)
	return known && before.last >= at-day
}

// Size returns what Append appends at the most.
func (l *logins) Size() int { return sizeOfLogins(l.list) }

// Size returns what Append appends at the most.
func (l *goneLogins) Size() int { return sizeOfLogins(l.list) }

// mostLogins and mostGoneLogins are what they take at the most.
const (
	mostLogins     = 3 + 3 + maxLogins*loginBytes
	mostGoneLogins = 3 + 3 + maxGoneLogins*loginBytes
)

func sizeOfLogins(list []login) int {
	if len(list) == 0 {
		return 0
	}
	return 3 + 3 + len(list)*loginBytes
}

// Append appends the newest as one binary value.
func (l *logins) Append(b []byte) []byte { return appendLogins(b, l.list) }

// Append appends the oldest as one binary value.
func (l *goneLogins) Append(b []byte) []byte { return appendLogins(b, l.list) }

func appendLogins(b []byte, list []login) []byte {
	var buf [maxLogins * loginBytes]byte
	w := buf[:0]
	for i := range list {
		e := &list[i]
		start := event.Time(e.day) * day
		w = binary.BigEndian.AppendUint32(w, uint32(e.day))
		w = binary.BigEndian.AppendUint64(w, e.decoy)
		for _, t := range [...]event.Time{e.first, e.last} {
			v := uint64(t - start)
			w = append(w, byte(v>>32), byte(v>>24), byte(v>>16), byte(v>>8), byte(v))
		}
	}
	return msgp.AppendBytes(b, w)
}

// Decode reads what Append wrote.
func (l *logins) Decode(b []byte) (rest []byte, err error) {
	l.list, rest, err = decodeLogins(l.list[:0], b, maxLogins)
	return rest, err
}

// Decode reads what Append wrote.
func (l *goneLogins) Decode(b []byte) (rest []byte, err error) {
	l.list, rest, err = decodeLogins(l.list[:0], b, maxGoneLogins)
	return rest, err
}

func decodeLogins(list []login, b []byte, most int) ([]login, []byte, error) {
	v, rest, err := msgp.ReadBytesZC(b)
	if err != nil || len(v)%loginBytes != 0 || len(v) > most*loginBytes {
		return list, rest, ErrCorrupt
	}
	for ; len(v) > 0; v = v[loginBytes:] {
		e := login{day: int32(binary.BigEndian.Uint32(v)), decoy: binary.BigEndian.Uint64(v[4:])}
		at := func(v []byte) event.Time {
			return event.Time(e.day)*day + event.Time(v[0])<<32 + event.Time(binary.BigEndian.Uint32(v[1:]))
		}
		e.first, e.last = at(v[12:]), at(v[17:])
		if n := len(list); n > 0 && list[n-1].order(e) >= 0 {
			return list, rest, ErrCorrupt
		}
		list = append(list, e)
	}
	return list, rest, nil
}
