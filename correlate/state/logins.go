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

// maxLogins is the number of decoys and days of which logins are kept.
const maxLogins = 64

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
type logins struct{ list []login }

// Reset forgets them.
func (l *logins) Reset() { l.list = l.list[:0] }

// Empty says whether there are none.
func (l *logins) Empty() bool { return len(l.list) == 0 }

// loginKey returns the key of a login, without times.
func loginKey(decoy string, at event.Time) login {
	sum := sha256.Sum256(event.Bytes(decoy))
	d := at / day
	if at%day < 0 {
		d--
	}
	return login{day: int32(d), decoy: binary.BigEndian.Uint64(sum[:])}
}

// add notes a login.
func (l *logins) add(decoy string, at event.Time) {
	key := loginKey(decoy, at)
	i, known := slices.BinarySearchFunc(l.list, key, login.order)
	if known {
		l.list[i].first, l.list[i].last = min(l.list[i].first, at), max(l.list[i].last, at)
		return
	}
	if i >= maxLogins {
		return
	}
	key.first, key.last = at, at
	l.list = slices.Insert(l.list, i, key)
	l.list = l.list[:min(len(l.list), maxLogins)]
}

// admits says whether there was a login on the decoy within the day before a
// time.
func (l *logins) admits(decoy string, at event.Time) bool {
	if decoy == "" || len(l.list) == 0 {
		return false
	}
	key := loginKey(decoy, at)
	if i, known := slices.BinarySearchFunc(l.list, key, login.order); known && l.list[i].first <= at {
		return true
	}
	key.day--
	i, known := slices.BinarySearchFunc(l.list, key, login.order)
	return known && l.list[i].last >= at-day
}

// Size returns what Append takes at the most.
func (l *logins) Size() int {
	if l.Empty() {
		return 0
	}
	return 3 + 3 + len(l.list)*loginBytes
}

// mostLogins is what they take at the most.
const mostLogins = 3 + 3 + maxLogins*loginBytes

// Append appends them as one binary value.
func (l *logins) Append(b []byte) []byte {
	var buf [maxLogins * loginBytes]byte
	w := buf[:0]
	for i := range l.list {
		e := &l.list[i]
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
func (l *logins) Decode(b []byte) ([]byte, error) {
	l.Reset()
	v, rest, err := msgp.ReadBytesZC(b)
	if err != nil || len(v)%loginBytes != 0 || len(v) > maxLogins*loginBytes {
		return rest, ErrCorrupt
	}
	for ; len(v) > 0; v = v[loginBytes:] {
		e := login{day: int32(binary.BigEndian.Uint32(v)), decoy: binary.BigEndian.Uint64(v[4:])}
		at := func(v []byte) event.Time {
			return event.Time(e.day)*day + event.Time(v[0])<<32 + event.Time(binary.BigEndian.Uint32(v[1:]))
		}
		e.first, e.last = at(v[12:]), at(v[17:])
		if n := len(l.list); n > 0 && l.list[n-1].order(e) >= 0 {
			return rest, ErrCorrupt
		}
		l.list = append(l.list, e)
	}
	return rest, nil
}
