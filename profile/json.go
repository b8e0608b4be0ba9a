package profile

import (
	"encoding/base64"
	"encoding/binary"
	"math"
	"net/netip"
	"strconv"
	"time"
	"unicode/utf8"

	"dossier/correlate/event"
)

// document appends one JSON document. A comma goes before whatever doesn't
// open an object or array.
type document struct{ b []byte }

func (d *document) comma() {
	switch d.b[len(d.b)-1] {
	case '{', '[', ':':
	default:
		d.b = append(d.b, ',')
	}
}

// key begins a member. The name is one of ours and needs no escape.
func (d *document) key(name string) {
	d.comma()
	d.b = append(d.b, '"')
	d.b = append(d.b, name...)
	d.b = append(d.b, '"', ':')
}

func (d *document) object(name string) {
	d.key(name)
	d.b = append(d.b, '{')
}

// element begins an object in an array.
func (d *document) element() {
	d.comma()
	d.b = append(d.b, '{')
}

func (d *document) end() { d.b = append(d.b, '}') }

func (d *document) array(name string) {
	d.key(name)
	d.b = append(d.b, '[')
}

func (d *document) endArray() { d.b = append(d.b, ']') }

// elements appends an array with an element for each entry, where there are any.
func elements[E any](d *document, name string, entries []E, element func(*E)) {
	if len(entries) == 0 {
		return
	}
	d.array(name)
	for i := range entries {
		element(&entries[i])
	}
	d.endArray()
}

func (d *document) string(name, v string) {
	d.key(name)
	d.b = appendString(d.b, v)
}

// some appends a string unless it is empty.
func (d *document) some(name, v string) {
	if v != "" {
		d.string(name, v)
	}
}

// item appends a string to an array.
func (d *document) item(v string) {
	d.comma()
	d.b = appendString(d.b, v)
}

func (d *document) strings(name string, v []string) {
	d.array(name)
	for _, s := range v {
		d.item(s)
	}
	d.endArray()
}

// someStrings appends an array unless it is empty.
func (d *document) someStrings(name string, v []string) {
	if len(v) > 0 {
		d.strings(name, v)
	}
}

func (d *document) int(name string, v int64) {
	d.key(name)
	d.b = strconv.AppendInt(d.b, v, 10)
}

func (d *document) bool(name string, v bool) {
	d.key(name)
	d.b = strconv.AppendBool(d.b, v)
}

// float appends a number. JSON knows neither infinity nor NaN: they are left
// out.
func (d *document) float(name string, v float64) {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return
	}
	d.key(name)
	d.b = strconv.AppendFloat(d.b, v, 'f', -1, 64)
}

func (d *document) time(name string, t event.Time) {
	d.key(name)
	d.b = append(d.b, '"')
	d.b = appendTime(d.b, t)
	d.b = append(d.b, '"')
}

// someCount appends n unless it is 0.
func (d *document) someCount(name string, n int64) {
	if n != 0 {
		d.int(name, n)
	}
}

// someTime appends a time unless it is unknown.
func (d *document) someTime(name string, t event.Time) {
	if t != event.Never {
		d.time(name, t)
	}
}

func (d *document) address(name string, a netip.Addr) {
	d.key(name)
	d.b = append(d.b, '"')
	d.b = a.AppendTo(d.b)
	d.b = append(d.b, '"')
}

func (d *document) base64(name string, v []byte) {
	d.key(name)
	d.b = append(d.b, '"')
	d.b = base64.StdEncoding.AppendEncode(d.b, v)
	d.b = append(d.b, '"')
}

// The range that Elasticsearch's strict_date_optional_time can read.
const (
	minTime = event.Time(-62135596800_000000)
	maxTime = event.Time(253402300799_999999)
)

// appendTime appends t in UTC with all six digits of its fraction, so that
// the texts sort as the times do.
func appendTime(b []byte, t event.Time) []byte {
	t = min(max(t, minTime), maxTime) - minTime
	const day = event.Time(24 * time.Hour / time.Microsecond)
	year, month, date := civil(int64(t / day))
	micros := int64(t % day)
	second := micros / 1e6
	b = append(b, "0000-00-00T00:00:00.000000Z"...)
	text := b[len(b)-len("0000-00-00T00:00:00.000000Z"):]
	twoDigits(text[0:], year/100)
	twoDigits(text[2:], year%100)
	twoDigits(text[5:], month)
	twoDigits(text[8:], date)
	twoDigits(text[11:], second/3600)
	twoDigits(text[14:], second/60%60)
	twoDigits(text[17:], second%60)
	micros %= 1e6
	twoDigits(text[20:], micros/1e4)
	twoDigits(text[22:], micros/100%100)
	twoDigits(text[24:], micros%100)
	return b
}

func twoDigits(b []byte, v int64) { b[0], b[1] = byte('0'+v/10), byte('0'+v%10) }

// civil returns the date that is days after 0001-01-01 in the Gregorian
// calendar. Counted from the first of March, a year's leap day is its last
// (Hinnant, "chrono-compatible low-level date algorithms").
func civil(days int64) (year, month, day int64) {
	days += 306 // 0000-03-01
	era := days / 146097
	of := days % 146097
	y := (of - of/1460 + of/36524 - of/146096) / 365
	of -= 365*y + y/4 - y/100
	m := (5*of + 2) / 153
	day = of - (153*m+2)/5 + 1
	year = era*400 + y
	if month = m + 3; month > 12 {
		return year + 1, month - 12, day
	}
	return year, month, day
}

const hexDigits = "0123456789abcdef"

// plain returns how much of the beginning of s, in steps of eight bytes, needs no
// escape and is ASCII: nearly all of what is shown.
func plain(s string) (n int) {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	b := event.Bytes(s)
	for ; n+8 <= len(b); n += 8 {
		w := binary.LittleEndian.Uint64(b[n:])
		// A byte's high bit is set where it is below a space, or what follows
		// is 0 there (Warren, "Hacker's Delight", 6-1).
		quote, slash, del := w^ones*'"', w^ones*'\\', w^ones*0x7f
		if (w|(w-ones*' ')&^w|(quote-ones)&^quote|(slash-ones)&^slash|(del-ones)&^del)&highs != 0 {
			break
		}
	}
	return n
}

// appendString appends s as a JSON string (RFC 8259). Invalid UTF-8 becomes
// U+FFFD, and U+2028 and U+2029 are escaped: they end lines in JavaScript.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	start := 0
	for i := plain(s); i < len(s); {
		c := s[i]
		if c >= 0x20 && c < utf8.RuneSelf && c != '"' && c != '\\' && c != 0x7f {
			i++
			continue
		}
		if c < utf8.RuneSelf {
			b = append(b, s[start:i]...)
			switch c {
			case '"', '\\':
				b = append(b, '\\', c)
			case '\n':
				b = append(b, '\\', 'n')
			case '\r':
				b = append(b, '\\', 'r')
			case '\t':
				b = append(b, '\\', 't')
			default:
				b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
			}
			i++
			start = i
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			b = append(b, s[start:i]...)
			b = append(b, "\ufffd"...)
		case r == '\u2028' || r == '\u2029':
			b = append(b, s[start:i]...)
			b = append(b, '\\', 'u', '2', '0', '2', hexDigits[r&15])
		default:
			i += n
			continue
		}
		i += n
		start = i
	}
	b = append(b, s[start:]...)
	return append(b, '"')
}
