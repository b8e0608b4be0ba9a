package dialect

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"dossier/correlate/event"
)

// The bounds of a JSON document. What lies deeper or comes later is checked
// and left out.
const (
	maxDepth  = 8
	maxFields = 512
	maxKey    = 256
	maxNames  = 4 * maxFields
	maxTop    = 256
)

// scanner reads JSON (RFC 8259) into flat fields: names of nested objects are
// joined with dots, array elements numbered from 0, null left out, numbers kept
// as they are spelled. Strings without escapes are views of the text.
type scanner struct {
	s      string
	i      int
	arena  *event.Arena
	fields []event.Field
	max    int
	maxTop int
	// named counts the names made, those of empty objects too, top those of
	// the outermost object. These are kept apart: however much somebody puts
	// into an array, the sensor's own fields behind it count.
	named, top int
}

// flatten appends the members of the JSON object s to fields. It returns
// false where s is not one object and nothing else.
func flatten(a *event.Arena, fields []event.Field, s string, limit int) ([]event.Field, bool) {
	sc := scanner{s: s, arena: a, fields: fields, max: len(fields) + limit, maxTop: min(limit, maxTop)}
	sc.space()
	if sc.peek() != '{' || !sc.value("", 0) {
		return fields, false
	}
	sc.space()
	return sc.fields, sc.i == len(sc.s)
}

func (sc *scanner) peek() byte {
	if sc.i < len(sc.s) {
		return sc.s[sc.i]
	}
	return 0
}

func (sc *scanner) space() {
	for sc.i < len(sc.s) && sc.s[sc.i] <= ' ' {
		switch sc.s[sc.i] {
		case ' ', '\t', '\n', '\r':
			sc.i++
		default:
			return
		}
	}
}

// accept takes the byte c if it is next.
func (sc *scanner) accept(c byte) bool {
	if sc.peek() == c && sc.i < len(sc.s) {
		sc.i++
		return true
	}
	return false
}

// full says that nothing more may be kept at this depth.
func (sc *scanner) full(depth int) bool {
	if depth == 0 {
		return sc.top >= sc.maxTop
	}
	return depth > maxDepth || len(sc.fields) >= sc.max || sc.named >= maxNames
}

func (sc *scanner) add(name, value string) {
	if name != "" {
		sc.fields = append(sc.fields, event.Field{Key: name, Value: value})
	}
}

// value reads one value; name is where it stands, "" where it isn't kept.
func (sc *scanner) value(name string, depth int) bool {
	switch c := sc.peek(); {
	case c == '"':
		v, ok := sc.text(name != "")
		if ok {
			sc.add(name, v)
		}
		return ok
	case c == '{':
		return sc.object(name, depth)
	case c == '[':
		return sc.array(name, depth)
	case c == 't':
		return sc.literal(name, "true")
	case c == 'f':
		return sc.literal(name, "false")
	case c == 'n':
		return sc.literal("", "null")
	default:
		return sc.number(name)
	}
}

func (sc *scanner) literal(name, word string) bool {
	if !strings.HasPrefix(sc.s[sc.i:], word) {
		return false
	}
	sc.add(name, sc.s[sc.i:sc.i+len(word)])
	sc.i += len(word)
	return true
}

func (sc *scanner) number(name string) bool {
	start := sc.i
	sc.accept('-')
	switch c := sc.peek(); {
	case c == '0':
		sc.i++
	case c >= '1' && c <= '9':
		sc.digits()
	default:
		return false
	}
	if sc.accept('.') && !sc.digits() {
		return false
	}
	if sc.accept('e') || sc.accept('E') {
		if !sc.accept('+') {
			sc.accept('-')
		}
		if !sc.digits() {
			return false
		}
	}
	sc.add(name, sc.s[start:sc.i])
	return true
}

func (sc *scanner) digits() bool {
	start := sc.i
	for sc.i < len(sc.s) && sc.s[sc.i] >= '0' && sc.s[sc.i] <= '9' {
		sc.i++
	}
	return sc.i > start
}

// object reads an object. Nesting deeper than maxDepth is read without
// recursion.
func (sc *scanner) object(name string, depth int) bool {
	if depth > maxDepth {
		return sc.skip()
	}
	sc.i++
	sc.space()
	if sc.accept('}') {
		return true
	}
	for {
		sc.space()
		if sc.peek() != '"' {
			return false
		}
		key, ok := sc.text(true)
		if !ok {
			return false
		}
		sc.space()
		if !sc.accept(':') {
			return false
		}
		sc.space()
		child := ""
		if (depth == 0 || name != "") && !sc.full(depth) && key != "" && len(key) <= maxKey {
			child = key
			if depth == 0 {
				sc.top++
			} else {
				sc.named++
				child = sc.arena.Join(name, ".", key)
			}
		}
		if !sc.value(child, depth+1) {
			return false
		}
		sc.space()
		if sc.accept('}') {
			return true
		}
		if !sc.accept(',') {
			return false
		}
	}
}

// array reads an array.
func (sc *scanner) array(name string, depth int) bool {
	if depth > maxDepth {
		return sc.skip()
	}
	sc.i++
	sc.space()
	if sc.accept(']') {
		return true
	}
	for n := 0; ; n++ {
		sc.space()
		child := ""
		if name != "" && !sc.full(depth) {
			sc.named++
			b := sc.arena.Grab(len(name) + 21)
			b = append(append(b, name...), '.')
			child = sc.arena.Keep(strconv.AppendInt(b, int64(n), 10))
		}
		if !sc.value(child, depth+1) {
			return false
		}
		sc.space()
		if sc.accept(']') {
			return true
		}
		if !sc.accept(',') {
			return false
		}
	}
}

// skip passes over an object or array by its brackets alone.
func (sc *scanner) skip() bool {
	var open int
	for sc.i < len(sc.s) {
		switch sc.s[sc.i] {
		case '"':
			if _, ok := sc.text(false); !ok {
				return false
			}
			continue
		case '{', '[':
			open++
		case '}', ']':
			open--
		}
		sc.i++
		if open == 0 {
			return true
		}
	}
	return false
}

// text reads a string. Where it isn't kept it is only passed over.
func (sc *scanner) text(keep bool) (string, bool) {
	start := sc.i + 1
	end := quoteOrSlash(sc.s, start)
	escaped := false
	for end < len(sc.s) && sc.s[end] == '\\' {
		escaped = true
		end = quoteOrSlash(sc.s, min(end+2, len(sc.s)))
	}
	if end == len(sc.s) {
		return "", false
	}
	sc.i = end + 1
	raw := sc.s[start:end]
	switch {
	case !escaped:
		return raw, true
	case !keep:
		return "", validEscapes(raw)
	default:
		return unescape(sc.arena, raw)
	}
}

// validEscapes says whether the escapes in a JSON string are those that exist.
func validEscapes(raw string) bool {
	for {
		slash := strings.IndexByte(raw, '\\')
		if slash < 0 {
			return true
		}
		raw = raw[slash+1:]
		switch c := raw[0]; c {
		case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
			raw = raw[1:]
		case 'u':
			if _, ok := hex4(raw[1:]); !ok {
				return false
			}
			raw = raw[1+4:]
		default:
			return false
		}
	}
}

// unescape replaces the escapes of a JSON string.
func unescape(a *event.Arena, raw string) (string, bool) {
	b := a.Grab(len(raw))
	for i := 0; i < len(raw); {
		c := raw[i]
		if c != '\\' {
			b = append(b, c)
			i++
			continue
		}
		if i+1 >= len(raw) {
			return "", false
		}
		i += 2
		switch c = raw[i-1]; c {
		case '"', '\\', '/':
			b = append(b, c)
		case 'b':
			b = append(b, '\b')
		case 'f':
			b = append(b, '\f')
		case 'n':
			b = append(b, '\n')
		case 'r':
			b = append(b, '\r')
		case 't':
			b = append(b, '\t')
		case 'u':
			r, ok := hex4(raw[i:])
			if !ok {
				return "", false
			}
			i += 4
			if utf16.IsSurrogate(r) {
				pair := utf8.RuneError
				if strings.HasPrefix(raw[i:], `\u`) {
					if low, ok := hex4(raw[i+2:]); ok {
						pair = utf16.DecodeRune(r, low)
					}
				}
				if r = pair; r != utf8.RuneError {
					i += 6
				}
			}
			b = utf8.AppendRune(b, r)
		default:
			return "", false
		}
	}
	return a.Keep(b), true
}

// hex4 reads four hex digits.
func hex4(s string) (rune, bool) {
	if len(s) < 4 {
		return 0, false
	}
	var r rune
	for i := range 4 {
		d, ok := hexDigit(s[i])
		if !ok {
			return 0, false
		}
		r = r<<4 | rune(d)
	}
	return r, true
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10, true
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10, true
	default:
		return 0, false
	}
}
