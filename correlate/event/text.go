package event

import (
	"math/bits"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The longest texts kept, in bytes, after repair.
const (
	MaxName    = 255  // decky, host and sensor names
	MaxService = 64   // services and event types
	MaxCommand = 4096 // one command line
	MaxValue   = 1024 // principals, secrets, user agents and other values
	MaxPayload = 2048 // one payload, all fields together
)

// maxMarks is how many nonspacing marks may stand on one character: the
// languages that stack them need no more than four.
const maxMarks = 4

// firstMark is the first nonspacing mark of Unicode.
const firstMark = 0x300

// Clean repairs s for display and cuts it to at most limit bytes: invalid
// UTF-8 becomes U+FFFD, and what can't be seen or changes how the text around it
// is seen is spelled out (\x1b, \u202e, \u3164), marks beyond maxMarks on one
// character included. It reports whether
// anything was cut. The result is s itself where nothing had to change, else
// it lives in the arena.
func (a *Arena) Clean(s string, limit int) (clean string, cut bool) {
	if printable(s) {
		if len(s) <= limit {
			return s, false
		}
		return s[:limit], true
	}
	// Nothing beyond limit input bytes can be shown: repair never shortens.
	// An invalid byte becomes three.
	in := s
	if len(in) > limit+utf8.UTFMax {
		in = in[:limit+utf8.UTFMax]
	}
	b := a.Grab(len(in)*len(`\U000e0001`) + utf8.UTFMax)
	marks := 0
	for i := 0; i < len(in); {
		r, n := utf8.DecodeRuneInString(in[i:])
		mark := len(b)
		if r >= firstMark && unicode.In(r, unicode.Mn, unicode.Me) {
			marks++
		} else {
			marks = 0
		}
		if marks > maxMarks {
			b = appendSpelled(b, r)
		} else {
			b = appendClean(b, r)
		}
		if len(b) > limit {
			return a.Keep(b[:mark]), true
		}
		i += n
	}
	clean = keepIfChanged(a, b, s)
	return clean, len(in) < len(s)
}

// printable says whether s is printable ASCII, as nearly all texts are. It
// looks at eight bytes at once.
func printable(s string) bool {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	for ; len(s) >= 8; s = s[8:] {
		w := Load64(s)
		// The high bit of a byte is set where it is below 0x20, and where it
		// is 0x7f or more; and nowhere while no byte is either.
		if ((w-0x20*ones)|(w+ones)|w)&highs != 0 {
			return false
		}
	}
	for i := 0; i < len(s); i++ {
		if s[i] < 0x20 || s[i] >= 0x7f {
			return false
		}
	}
	return true
}

// Load64 returns the first eight bytes of s, the first one lowest. s must have
// as many.
func Load64(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

func keepIfChanged(a *Arena, b []byte, s string) string {
	if string(b) == s {
		return s
	}
	return a.Keep(b)
}

const hexDigits = "0123456789abcdef"

// appendClean appends r, spelled out where it can't be seen or would change
// how the text around it is seen.
func appendClean(b []byte, r rune) []byte {
	switch {
	case r == utf8.RuneError:
		return utf8.AppendRune(b, utf8.RuneError)
	case r < 0x20 || r == 0x7f:
		return append(b, '\\', 'x', hexDigits[r>>4], hexDigits[r&15])
	case r < 0x7f:
		return append(b, byte(r))
	case unseen(r):
		return appendSpelled(b, r)
	default:
		return utf8.AppendRune(b, r)
	}
}

// unseen says whether a character of those beyond ASCII leaves nothing to see,
// or changes the direction or the lines of the text around it. Unicode's word for
// the former is Default_Ignorable_Code_Point (DerivedCoreProperties.txt), which is
// made of three tables here; its exceptions, visible format characters, are
// spelled out too, as all of Cf are. BRAILLE PATTERN BLANK is a symbol by its
// properties and empty all the same.
func unseen(r rune) bool {
	if r >= 0xa0 && r < firstMark {
		return r == 0xad // SOFT HYPHEN
	}
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp,
		unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector) || r == 0x2800
}

// appendSpelled appends the number of r, as \u202e or \U000e0001.
func appendSpelled(b []byte, r rune) []byte {
	if r > 0xffff {
		b = append(b, '\\', 'U', '0', '0', hexDigits[r>>20&15], hexDigits[r>>16&15])
	} else {
		b = append(b, '\\', 'u')
	}
	return append(b, hexDigits[r>>12&15], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
}

// Name cleans a name (decky, service, type): repaired, trimmed and capped.
// "" and "-" are no name.
//
// A chunk has few names and has them over and over: equal ones come back as
// one string, which whoever compares them later sees without looking at the
// text, far away in the chunk.
func (a *Arena) Name(s string, limit int) string {
	if s == "" {
		return ""
	}
	n := &a.names[Mix(s)%uint(len(a.names))]
	if n.text != s || n.limit != limit {
		*n = name{s, a.name(s, limit), limit}
	}
	return n.clean
}

func (a *Arena) name(s string, limit int) string {
	s = strings.TrimSpace(s)
	if s == "-" {
		return ""
	}
	s, _ = a.Clean(s, limit)
	return s
}

// Mix returns a number made of the length, the beginning and the end of s, by
// which tables whose places may be overwritten choose one.
func Mix(s string) uint {
	n := len(s)
	h := uint64(n)
	switch {
	case n >= 8:
		h += Load64(s) ^ bits.RotateLeft64(Load64(s[n-8:]), 21)
	case n > 0:
		h |= uint64(s[0])<<8 | uint64(s[n/2])<<16 | uint64(s[n-1])<<24
	}
	return uint(h * 0x9e3779b97f4a7c15 >> 40)
}
