package dialect

import (
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"dossier/correlate/event"
)

// wallTime is a time as a clock on the wall shows it: without a zone, and in
// RFC 3164 without a year.
type wallTime struct {
	year       int // 0 where there is none
	month, day int
	// seconds since midnight, and what is finer.
	seconds int64
	micros  int64
	// ahead is how far its clock is ahead of UTC, in seconds, with zoned.
	ahead int64
	zoned bool
}

// months are the names of months as RFC 3164 writes them.
const months = "JanFebMarAprMayJunJulAugSepOctNovDec"

// cutBSDTime cuts a time stamp of RFC 3164 off a line, with the space behind
// it: "Jan  2 15:04:05 ", with one or two digits of day and one or two spaces in
// front of them. What some senders add is read too: the day of the week in front,
// a fraction of the second, and the year, in front or behind, with a colon or
// without.
func cutBSDTime(s string) (w wallTime, rest string, ok bool) {
	if year, ok := digits(s, 0, 4); ok && len(s) > 5 && s[4] == ' ' && year > 1970 {
		w.year, s = int(year), s[5:]
	}
	if len(s) > 4 && s[3] == ' ' && strings.Contains("MonTueWedThuFriSatSun", s[:3]) {
		s = s[4:]
	}
	if len(s) < len("Jan 2 15:04:05 ") || s[3] != ' ' {
		return w, "", false
	}
	i := strings.Index(months, s[:3])
	if i < 0 || i%3 != 0 {
		return w, "", false
	}
	w.month = i/3 + 1
	s = strings.TrimPrefix(s[4:], " ")
	number, s, ok := strings.Cut(s, " ")
	day, isNumber := digits(number, 0, len(number))
	if !ok || !isNumber || len(number) > 2 || day < 1 || day > 31 {
		return w, "", false
	}
	w.day = int(day)
	if year, ok := digits(s, 0, 4); ok && len(s) > 5 && s[4] == ' ' && year > 1970 && w.year == 0 {
		w.year, s = int(year), s[5:]
	}
	clock, rest, ok := strings.Cut(s, " ")
	if !ok || len(clock) < len("15:04:05") || len(clock) > len("15:04:05.123456789") || clock[2] != ':' || clock[5] != ':' {
		return w, "", false
	}
	if w.seconds, w.micros, ok = parseHMS(strings.TrimSuffix(clock, ":")); !ok {
		return w, "", false
	}
	rest = w.cutZone(rest)
	if year, ok := digits(rest, 0, 4); ok && len(rest) > 5 && rest[4] == ' ' && year > 1970 && w.year == 0 {
		w.year, rest = int(year), rest[5:]
		rest = w.cutZone(rest)
	}
	if w.day > int(daysIn(leapYear, int64(w.month))) || w.year != 0 && w.day > int(daysIn(int64(w.year), int64(w.month))) {
		return w, "", false
	}
	return w, rest, true
}

// zones are the names of zones that senders put behind a time, and how far each
// is ahead of UTC in half hours; RFC 822 has those of America.
var zones = map[string]int64{
	"UTC": 0, "GMT": 0, "UT": 0, "Z": 0, "WET": 0, "WEST": 2, "CET": 2, "MET": 2, "CEST": 4, "MEST": 4, "EET": 4, "EEST": 6, "MSK": 6,
	"EST": -10, "EDT": -8, "CST": -12, "CDT": -10, "MST": -14, "MDT": -12, "PST": -16, "PDT": -14, "AKST": -18, "AKDT": -16, "HST": -20,
	"JST": 18, "KST": 18, "SGT": 16, "HKT": 16, "AEST": 20, "AEDT": 22, "ACST": 19, "AWST": 16, "NZST": 24, "NZDT": 26,
}

// doubtfulZones are those whose names several zones have: the sender's own is
// the option's.
var doubtfulZones = []string{"BST", "IST", "AST", "ADT", "GST", "PKT"}

// cutZone cuts the name of a zone, or an offset from UTC, off what follows a
// time; Cisco's end in a colon.
func (w *wallTime) cutZone(s string) string {
	word, rest, ok := strings.Cut(s, " ")
	if word = strings.TrimSuffix(word, ":"); !ok || w.zoned || word == "" || len(word) > len("+02:00") {
		return s
	}
	if word[0] == '+' || word[0] == '-' {
		digits := strings.Replace(word[1:], ":", "", 1)
		if len(digits) != len("0200") {
			return s
		}
		ahead, _, ok := parseHMS(digits)
		if !ok {
			return s
		}
		if word[0] == '-' {
			ahead = -ahead
		}
		w.ahead, w.zoned = ahead, true
		return rest
	}
	if slices.Contains(doubtfulZones, word) {
		return rest
	}
	half, known := zones[word]
	if !known {
		return s
	}
	w.ahead, w.zoned = half*1800, true
	return rest
}

// leapYear is any year with a 29 February.
const leapYear = 2000

// maxEarly is how far a time without a year may be after the record's: beyond,
// it is of the year before.
const maxEarly = event.Time(24 * time.Hour / time.Microsecond)

// maxBack is how many years back a 29 February can be.
const maxBack = 8

// zone knows which instants the times on a wall are.
type zone struct {
	location *time.Location
	// year is that of times without one, 0 where the record's time tells it.
	year int
	// last is what was found out last: times come in order.
	last atomic.Pointer[span]
}

// span is a time in which the clocks of a zone are not changed, in seconds since
// 1970, and how far they are ahead of UTC.
type span struct{ from, to, ahead int64 }

// resolve returns the instant of a wall time in a record of that time: in the
// latest year in which it is at most maxEarly after that, where it has none of
// its own. Of an hour that comes twice when clocks are set back it is the first.
func (z *zone) resolve(w wallTime, record event.Time) (event.Time, bool) {
	if w.year != 0 {
		return z.instant(w, w.year), true
	}
	if z.year != 0 {
		if w.day > int(daysIn(int64(z.year), int64(w.month))) {
			return event.Never, false
		}
		t := z.instant(w, z.year)
		return t, t > event.Never
	}
	if record == event.Never {
		return event.Never, false
	}
	latest := record + maxEarly
	year := latest.Time().Year() + 1 // in the zone it may be the next year already
	for back := 0; back <= maxBack+1; back++ {
		y := year - back
		if w.day > int(daysIn(int64(y), int64(w.month))) {
			continue
		}
		if t := z.instant(w, y); t <= latest {
			return t, t > event.Never
		}
	}
	return event.Never, false
}

// instant returns the instant of a wall time in a year: where clocks show it
// twice the first, where they skip it the one that they would show.
func (z *zone) instant(w wallTime, year int) event.Time {
	wall := civil(int64(year), int64(w.month), int64(w.day))*86400 + w.seconds
	if w.zoned {
		return event.Time((wall-w.ahead)*1e6 + w.micros)
	}
	if s := z.last.Load(); s != nil {
		// A day from either end no other offset is possible.
		if t := wall - s.ahead; t >= s.from+86400 && t < s.to-86400 {
			return event.Time(t*1e6 + w.micros)
		}
	}
	before, after := z.spanAt(wall-86400), z.spanAt(wall+86400)
	z.last.Store(&before)
	t := wall - before.ahead
	if t >= before.to && wall-after.ahead >= before.to {
		t = wall - after.ahead
	}
	return event.Time(t*1e6 + w.micros)
}

// spanAt returns the span that an instant is in.
func (z *zone) spanAt(seconds int64) span {
	at := time.Unix(seconds, 0).In(z.location)
	_, ahead := at.Zone()
	from, to := at.ZoneBounds()
	s := span{from: -1 << 40, to: 1 << 40, ahead: int64(ahead)}
	if !from.IsZero() {
		s.from = from.Unix()
	}
	if !to.IsZero() {
		s.to = to.Unix()
	}
	return s
}
