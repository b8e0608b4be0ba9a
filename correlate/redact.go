package correlate

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
)

// The longest quoted local part and the longest domain that are looked for
// (RFC 5321 §4.5.3.1 allows 64 and 255 bytes).
const (
	maxQuoted = 128
	maxDomain = 255
)

// hideLocalParts returns data, whole records in msgpack, with every byte of
// what looks like a local part of a mail address replaced by "*". Lengths stay,
// so the records stay readable.
func hideLocalParts(data []byte) []byte {
	if !bytes.ContainsAny(data, "@%\\") {
		return data
	}
	out := bytes.Clone(data)
	for rest := out; len(rest) > 0; {
		head, text := token(rest)
		if head == 0 || text > len(rest)-head {
			hideIn(rest) // no msgpack, whoever called it that
			break
		}
		hideIn(rest[head : head+text])
		rest = rest[head+text:]
	}
	return out
}

// WithoutLocalParts returns a copy of data, bytes that are in no known form, with
// the local parts of mail addresses replaced by "*". All of a Broken's data has
// gone through it, or through hideLocalParts.
func WithoutLocalParts(data []byte) []byte {
	if !bytes.ContainsAny(data, "@%\\") {
		return data
	}
	out := bytes.Clone(data)
	hideIn(out)
	return out
}

// token returns the length of the next msgpack header, 0 without one, and of
// the bytes that belong to it. What is inside a map or an array comes as tokens
// of its own.
func token(b []byte) (head, body int) {
	// The bytes of a length, and what of the body is no length.
	sized := func(width, extra int) (int, int) {
		if len(b) < 1+width {
			return 0, 0
		}
		var n uint64
		switch width {
		case 1:
			n = uint64(b[1])
		case 2:
			n = uint64(binary.BigEndian.Uint16(b[1:]))
		case 4:
			n = uint64(binary.BigEndian.Uint32(b[1:]))
		}
		return 1 + width, int(n) + extra
	}
	fixed := func(n int) (int, int) {
		if len(b) < n {
			return 0, 0
		}
		return n, 0
	}
	switch c := b[0]; {
	case c < 0xa0, c >= 0xe0: // numbers, small maps and arrays
		return 1, 0
	case c < 0xc0:
		return 1, int(c & 0x1f)
	default:
		switch c {
		case 0xc0, 0xc2, 0xc3: // nil, false, true
			return 1, 0
		case 0xc4, 0xd9:
			return sized(1, 0)
		case 0xc5, 0xda:
			return sized(2, 0)
		case 0xc6, 0xdb:
			return sized(4, 0)
		case 0xc7: // extensions: a type before the bytes
			return sized(1, 1)
		case 0xc8:
			return sized(2, 1)
		case 0xc9:
			return sized(4, 1)
		case 0xcc, 0xd0:
			return fixed(2)
		case 0xcd, 0xd1, 0xdc, 0xde:
			return fixed(3)
		case 0xca, 0xce, 0xd2, 0xdd, 0xdf:
			return fixed(5)
		case 0xcb, 0xcf, 0xd3:
			return fixed(9)
		case 0xd4:
			return fixed(3)
		case 0xd5:
			return fixed(4)
		case 0xd6:
			return fixed(6)
		case 0xd7:
			return fixed(10)
		case 0xd8:
			return fixed(18)
		}
		return 0, 0 // 0xc1
	}
}

// The ways in which "@" is written.
var ats = [...]string{"@", "%40", `\u0040`}

// hideIn replaces the local parts in text. JSON stays JSON.
func hideIn(text []byte) {
	if !bytes.ContainsAny(text, "@%\\") {
		return
	}
	structured := json.Valid(text)
	from := 0 // what is before belongs to the last address
	for i := 0; i < len(text); i++ {
		if c := text[i]; c != '@' && c != '%' && c != '\\' {
			continue
		}
		for _, at := range ats {
			if len(text)-i >= len(at) && string(text[i:i+len(at)]) == at && named(text[i+len(at):]) {
				hide(text[:i], from, structured)
				i += len(at) - 1
				from = i + 1
				break
			}
		}
	}
}

// named says whether text starts with what can be a mail domain: a name, or an
// address in brackets. "@" and a number alone, as in "[relay@55555", is none.
func named(text []byte) bool {
	for i := range min(len(text), maxDomain) {
		switch c := text[i]; {
		case c >= '0' && c <= '9', c == '-':
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= 0x80, c == '.' && i > 0, c == '[' && i == 0:
			return true
		default:
			return false
		}
	}
	return false
}

// hide replaces the local part that text ends with, back to from unless it is
// quoted. In a structured text, quotes that nothing escapes are JSON's own.
func hide(text []byte, from int, structured bool) {
	if end := len(text); end > 0 && text[end-1] == '"' {
		escaped := escapes(text[:end-1])
		end -= 1 + escaped
		if start, ok := quoted(text[:end], escaped); ok && (escaped > 0 || !structured) {
			mask(text[start:end])
		}
		return
	}
	start := len(text)
	for start > from {
		if atom(text[start-1]) {
			start--
			continue
		}
		if text[start-1] != '\\' || start == len(text) || escapes(text[:start])%2 == 0 {
			break
		}
		if !unicode(text[start:]) {
			if bytes.IndexByte([]byte("bfnrt/"), text[start]) >= 0 {
				start++ // belongs to the backslash
			}
			break
		}
		start--
	}
	mask(text[start:])
}

// escapes returns the number of backslashes that text ends with.
func escapes(text []byte) int {
	n := 0
	for n < len(text) && text[len(text)-1-n] == '\\' {
		n++
	}
	return n
}

// unicode says whether text starts with the rest of an escape such as
// "\u00e9".
func unicode(text []byte) bool {
	if len(text) < 5 || text[0] != 'u' {
		return false
	}
	for _, c := range text[1:5] {
		if (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'f') {
			return false
		}
	}
	return true
}

// quoted returns where the quoted text starts that text is the end of. The
// quote that opens it is escaped like the one that closes it, and stands where
// a word can start.
func quoted(text []byte, escaped int) (start int, ok bool) {
	for i := len(text) - 1; i >= max(0, len(text)-maxQuoted); i-- {
		if text[i] != '"' {
			continue
		}
		switch n := escapes(text[:i]); {
		case n > escaped: // part of what is quoted
			continue
		case n < escaped: // the end of JSON's string
			return 0, false
		}
		before := i - escaped
		return i + 1, before == 0 || bytes.IndexByte([]byte("<(:, \t\r\n="), text[before-1]) >= 0 || escaped > 0 && text[before-1] == '"'
	}
	return 0, false
}

func mask(text []byte) {
	for i := range text {
		text[i] = '*'
	}
}

// atom says whether c can stand in a local part without quotes (RFC 5322
// §3.2.3, RFC 6532).
func atom(c byte) bool {
	switch {
	case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c >= 0x80:
		return true
	}
	return bytes.IndexByte([]byte("!#$%&'*+-./=?^_`{|}~"), c) >= 0
}
