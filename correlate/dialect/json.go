package dialect

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"dossier/correlate/event"
)

// maxTop bounds the members of a document's outermost object that are kept. They
// are counted apart: however much somebody puts into an array, the sensor's own
// fields behind it count.
const maxTop = 256

// maxOpen bounds the objects and arrays inside each other that a document may
// have, as encoding/json does.
const maxOpen = 10_000

// scanner reads JSON (RFC 8259) into flat fields: names of nested objects are
// joined with dots, array elements numbered from 0, null left out, numbers kept
// as they are spelled. Strings without escapes are views of the text. What lies
// deeper than the bounds of package event, or comes later, is checked and left
// out.
//
// It takes what the grammar allows and nothing else, with two exceptions, in
// which it agrees with encoding/json: a string may have bytes that are no UTF-8,
// which are repaired where the string is shown, and half a surrogate pair, which
// stands for U+FFFD.
type scanner struct {
	s      string
	i      int
	arena  *event.Arena
	fields []event.Field
	max    int
	maxTop int
	// top counts the members of the outermost object.
	top int
	// cut says that something was left out.
	cut    bool
	joined event.Joined
	// path is the name of the object or array at work, with a dot at its end;
	// "" of the outermost object.
	path  []byte
	index [20]byte
	// open has a bit for each object or array that is being skipped, set for
	// an object.
	open []uint64
}

// reset forgets the document and keeps the scanner's memory.
func (sc *scanner) reset() { *sc = scanner{path: sc.path[:0], open: sc.open[:0]} }

// flatten appends the members of the JSON object s to fields: limit of the
// outermost object's, and of all others as many as make limit fields. It returns
// false where s is not one object and nothing else.
func (sc *scanner) flatten(a *event.Arena, fields []event.Field, s string, limit int) ([]event.Field, bool) {
	sc.reset()
	sc.s, sc.arena, sc.fields, sc.max, sc.maxTop = s, a, fields, len(fields)+limit, min(limit, maxTop)
	sc.space()
	if sc.peek() != '{' || !sc.object(0) {
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

// room says whether another member or element of the object or array at work
// may be kept, and counts it where they are counted.
func (sc *scanner) room(depth int) bool {
	if depth > 0 {
		return len(sc.fields) < sc.max
	}
	if sc.top >= sc.maxTop {
		return false
	}
	sc.top++
	return true
}

// add keeps a field of the object or array at work.
func (sc *scanner) add(key, value string) {
	if len(sc.path) > 0 {
		if !sc.joined.Take(len(sc.path)+len(key), sc.i) {
			sc.cut = true
			return
		}
		key = sc.arena.Join(event.View(sc.path), key)
	}
	sc.fields = append(sc.fields, event.Field{Key: key, Value: value})
}

// value reads one value of an object or array at depth; key is its name there,
// keep whether it is kept.
func (sc *scanner) value(key string, keep bool, depth int) bool {
	c := sc.peek()
	if c != '{' && c != '[' {
		v, ok := sc.scalar(c, keep)
		if ok && c != 'n' {
			if keep {
				sc.add(key, v)
			} else {
				sc.cut = true
			}
		}
		return ok
	}
	if keep = keep && event.Within(sc.path, key, depth+1) && len(sc.path)+len(key) < event.MaxKey; !keep {
		sc.cut = true
		return sc.skip(depth + 1)
	}
	above := len(sc.path)
	sc.path = append(append(sc.path, key...), '.')
	var ok bool
	if c == '{' {
		ok = sc.object(depth + 1)
	} else {
		ok = sc.array(depth + 1)
	}
	sc.path = sc.path[:above]
	return ok
}

// scalar reads a value that begins with c and is neither an object nor an
// array, and returns it as text. A string that isn't kept is only checked.
func (sc *scanner) scalar(c byte, keep bool) (string, bool) {
	switch c {
	case '"':
		return sc.text(keep)
	case 't':
		return sc.literal("true")
	case 'f':
		return sc.literal("false")
	case 'n':
		return sc.literal("null")
	default:
		return sc.number()
	}
}

func (sc *scanner) literal(word string) (string, bool) {
	if !strings.HasPrefix(sc.s[sc.i:], word) {
		return "", false
	}
	sc.i += len(word)
	return word, true
}

func (sc *scanner) number() (string, bool) {
	start := sc.i
	sc.accept('-')
	switch c := sc.peek(); {
	case c == '0':
		sc.i++
	case c >= '1' && c <= '9':
		sc.digits()
	default:
		return "", false
	}
	if sc.accept('.') && !sc.digits() {
		return "", false
	}
	if sc.accept('e') || sc.accept('E') {
		if !sc.accept('+') {
			sc.accept('-')
		}
		if !sc.digits() {
			return "", false
		}
	}
	return sc.s[start:sc.i], true
}

func (sc *scanner) digits() bool {
	start := sc.i
	for sc.i < len(sc.s) && sc.s[sc.i] >= '0' && sc.s[sc.i] <= '9' {
		sc.i++
	}
	return sc.i > start
}

// key reads a member's name and the colon behind it.
func (sc *scanner) key(keep bool) (string, bool) {
	sc.space()
	if sc.peek() != '"' {
		return "", false
	}
	key, ok := sc.text(keep)
	if !ok {
		return "", false
	}
	sc.space()
	if !sc.accept(':') {
		return "", false
	}
	sc.space()
	return key, true
}

// object reads an object that is kept. It and array call each other
// event.MaxDepth deep at the most.
func (sc *scanner) object(depth int) bool {
	sc.i++
	sc.space()
	if sc.accept('}') {
		return true
	}
	for {
		key, ok := sc.key(true)
		if !ok {
			return false
		}
		keep := key != "" && len(key) <= event.MaxKey && sc.room(depth)
		if !sc.value(key, keep, depth) {
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

// array reads an array that is kept.
func (sc *scanner) array(depth int) bool {
	sc.i++
	sc.space()
	if sc.accept(']') {
		return true
	}
	for n := 0; ; n++ {
		sc.space()
		// The key is copied before an inner array writes another one.
		key := event.View(strconv.AppendInt(sc.index[:0], int64(n), 10))
		if !sc.value(key, sc.room(depth), depth) {
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

// skip checks an object or array inside depth others and leaves it out. It uses
// no stack, and a bit of memory for each that is open.
func (sc *scanner) skip(depth int) bool {
	for open := 0; ; {
		// Here comes a value.
		switch c := sc.peek(); c {
		case '{', '[':
			if depth+open >= maxOpen {
				return false
			}
			sc.i++
			sc.mark(open, c == '{')
			open++
			sc.space()
			if sc.accept(c + 2) { // '}' or ']'
				open--
				break
			}
			if c == '{' {
				if _, ok := sc.key(false); !ok {
					return false
				}
			}
			continue
		default:
			if _, ok := sc.scalar(c, false); !ok {
				return false
			}
		}
		// Here one has ended, and perhaps what it stands in.
		for {
			if open == 0 {
				return true
			}
			object := sc.open[(open-1)/64]>>((open-1)%64)&1 == 1
			sc.space()
			if sc.accept(',') {
				if object {
					if _, ok := sc.key(false); !ok {
						return false
					}
				}
				sc.space()
				break
			}
			end := byte(']')
			if object {
				end = '}'
			}
			if !sc.accept(end) {
				return false
			}
			open--
		}
	}
}

// mark notes what the n-th one open is.
func (sc *scanner) mark(n int, object bool) {
	if n/64 == len(sc.open) {
		sc.open = append(sc.open, 0)
	}
	if bit := uint64(1) << (n % 64); object {
		sc.open[n/64] |= bit
	} else {
		sc.open[n/64] &^= bit
	}
}

// text reads a string. Where it isn't kept it is only checked.
func (sc *scanner) text(keep bool) (string, bool) {
	start := sc.i + 1
	end := quoteSlashOrControl(sc.s, start)
	escaped := false
	for end < len(sc.s) && sc.s[end] == '\\' {
		escaped = true
		end = quoteSlashOrControl(sc.s, min(end+2, len(sc.s)))
	}
	if end == len(sc.s) || sc.s[end] != '"' {
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
