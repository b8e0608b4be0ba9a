package redact

import (
	"strings"
	"unicode/utf8"
)

// layer is a text with its escapes taken out. pos has where each of its bytes
// was written, and the end.
type layer struct {
	s   string
	pos []int32
}

// through returns a mark for parts of the layer that calls mark for where they
// are written.
func (l layer) through(mark func(from, to int)) func(from, to int) {
	return func(from, to int) { mark(int(l.pos[from]), int(l.pos[to])) }
}

// escapeStarts begin what decode takes out.
const escapeStarts = "\\%&=+\x00\xef"

// decode takes the escapes out of s that browsers, mail programs and languages
// know: \u0040, \u{40}, \x40, \100, %40, %u0040, &#64;, &#x40;, &commat;, =40 of
// quoted-printable (with mail), +AEA- of UTF-7, the fullwidth forms, and NUL,
// which UTF-16 has between the letters. What becomes no ASCII is one byte 0x80:
// it is part of a word, and which one is of no interest.
func decode(s string, mail bool) (layer, bool) {
	at := strings.IndexAny(s, escapeStarts) //nolint:staticcheck // 0xef, which is no text, is looked for beside it
	if strings.IndexByte(s, 0xef) < 0 && at < 0 {
		return layer{}, false
	}
	l := layer{pos: make([]int32, 0, len(s)+1)}
	b := make([]byte, 0, len(s))
	changed := false
	for i := 0; i < len(s); {
		c, n := byte(0), 0
		switch s[i] {
		case '\\':
			c, n = backslash(s[i:])
		case '%':
			c, n = percent(s[i:])
		case '&':
			c, n = entity(s[i:])
		case '=':
			if mail {
				c, n = quotedPrintable(s[i:])
			}
		case '+':
			if mail && strings.HasPrefix(s[i:], "+AEA-") {
				c, n = '@', len("+AEA-")
			}
		case 0xef:
			c, n = fullwidth(s[i:])
		case 0:
			changed = true
			i++
			continue
		}
		if n == 0 {
			b, l.pos = append(b, s[i]), append(l.pos, int32(i))
			i++
			continue
		}
		changed = true
		if c != dropped {
			b, l.pos = append(b, c), append(l.pos, int32(i))
		}
		i += n
	}
	if !changed {
		return layer{}, false
	}
	l.s, l.pos = string(b), append(l.pos, int32(len(s)))
	return l, true
}

// dropped stands for nothing in what decode's helpers return.
const dropped = 0xff

// ascii returns r as decode writes it.
func ascii(r rune) byte {
	switch {
	case r < 0x80 && r > 0:
		return byte(r)
	case r >= 0xff01 && r <= 0xff5e:
		return byte(r - 0xff01 + '!')
	case r == 0xfe6b:
		return '@'
	case r == 0x3002, r == 0xff61:
		return '.'
	case r == 0:
		return dropped
	}
	return 0x80
}

// number reads up to most digits of a base from s.
func number(s string, base rune, most int) (r rune, n int) {
	for n < len(s) && n < most {
		v, ok := hexValue(s[n])
		if !ok || rune(v) >= base {
			break
		}
		if r = r*base + rune(v); r > utf8.MaxRune {
			r = utf8.MaxRune
		}
		n++
	}
	return r, n
}

func backslash(s string) (c byte, n int) {
	if len(s) < 2 {
		return 0, 0
	}
	switch s[1] {
	case 'u', 'U':
		if len(s) > 2 && s[2] == '{' {
			r, digits := number(s[3:], 16, 8)
			if digits > 0 && len(s) > 3+digits && s[3+digits] == '}' {
				return ascii(r), 4 + digits
			}
			return 0, 0
		}
		want := 4
		if s[1] == 'U' {
			want = 8
		}
		if r, digits := number(s[2:], 16, want); digits == want {
			return ascii(r), 2 + digits
		}
	case 'x', 'X':
		if r, digits := number(s[2:], 16, 2); digits == 2 {
			return ascii(r), 4
		}
	case '0', '1', '2', '3':
		if r, digits := number(s[1:], 8, 3); digits == 3 {
			return ascii(r), 4
		}
	case 'n', 'r', 't':
		return "\n\r\t"[strings.IndexByte("nrt", s[1])], 2
	case '"', '\\', '/', '\'':
		return s[1], 2
	}
	return 0, 0
}

func percent(s string) (c byte, n int) {
	if r, digits := number(s[1:], 16, 2); digits == 2 {
		return ascii(r), 3
	}
	if len(s) > 1 && s[1]|0x20 == 'u' {
		if r, digits := number(s[2:], 16, 4); digits == 4 {
			return ascii(r), 6
		}
	}
	return 0, 0
}

// entities are the names of HTML for what addresses and their surroundings have.
var entities = [...]struct {
	name string
	c    byte
}{
	{"&commat;", '@'},
	{"&period;", '.'},
	{"&lowbar;", '_'},
	{"&plus;", '+'},
	{"&lt;", '<'},
	{"&gt;", '>'},
	{"&quot;", '"'},
	{"&apos;", '\''},
	{"&amp;", '&'},
	{"&colon;", ':'},
	{"&equals;", '='},
	{"&sol;", '/'},
	{"&nbsp;", ' '},
	{"&shy;", dropped},
}

func entity(s string) (c byte, n int) {
	if len(s) > 2 && s[1] == '#' {
		base, at := rune(10), 2
		if s[2]|0x20 == 'x' {
			base, at = 16, 3
		}
		r, digits := number(s[at:], base, 16)
		if digits == 0 {
			return 0, 0
		}
		n = at + digits
		if n < len(s) && s[n] == ';' {
			n++
		}
		return ascii(r), n
	}
	for _, e := range entities {
		if len(s) >= len(e.name) && strings.EqualFold(s[:len(e.name)], e.name) {
			return e.c, len(e.name)
		}
	}
	return 0, 0
}

// quotedPrintable reads =40 and a soft line break (RFC 2045 §6.7). A number
// behind "=" is only an "@" where a domain follows.
func quotedPrintable(s string) (c byte, n int) {
	switch {
	case strings.HasPrefix(s, "=\r\n"):
		return dropped, 3
	case strings.HasPrefix(s, "=\n"):
		return dropped, 2
	}
	r, digits := number(s[1:], 16, 2)
	if digits < 2 {
		return 0, 0
	}
	if c = ascii(r); c == '@' && !dottedPrintable(s[3:]) {
		return 0, 0
	}
	return c, 3
}

// dottedPrintable is dotted for what may be quoted-printable itself.
func dottedPrintable(s string) bool {
	if dotted(s) {
		return true
	}
	var buf [64]byte
	b := buf[:0]
	for i := 0; i < len(s) && len(b) < len(buf); i++ {
		c := s[i]
		if c == '=' && i+2 < len(s) {
			switch {
			case s[i+1] == '\n':
				i++
				continue
			case s[i+1] == '\r' && s[i+2] == '\n':
				i += 2
				continue
			}
			r, digits := number(s[i+1:], 16, 2)
			if digits < 2 {
				break
			}
			c, i = ascii(r), i+2
		}
		b = append(b, c)
	}
	return dotted(string(b))
}

func fullwidth(s string) (c byte, n int) {
	r, n := utf8.DecodeRuneInString(s)
	if c = ascii(r); n < 3 || c >= 0x80 {
		return 0, 0
	}
	return c, n
}
