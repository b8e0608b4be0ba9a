package dialect

import (
	"strings"

	"dossier/correlate/event"
)

const (
	// relayID is the SD-ID of DECNET's structured data.
	relayID = "relay@55555"
	// wrappedApp is the APP-NAME of a line that a relay took for an older
	// format: the VERSION of the wrapped line.
	wrappedApp = "1"
	// maxParams bounds the parameters kept of one line; maxParamName the
	// length of a name (RFC 5424 allows 32).
	maxParams    = 128
	maxParamName = 64
)

// frame is a syslog line taken apart. A NIL value is "".
type frame struct {
	time, host, app, proc, msgID string
	msg                          string
	// relay says that the line carries DECNET's structured data; the
	// scratch has its parameters.
	relay bool
	// container says that the line has the form in which DECNET's containers
	// write.
	container bool
	// timed says that the line had a field for its time, readable or not.
	timed bool
	// wall is the line's time where it has no zone, with walled.
	wall   wallTime
	walled bool
	// micros is the time where it came as a number.
	micros event.Time
	// journal is the entry of systemd's journal that the line comes from.
	journal *journal
	// header is what is remembered of app and msgID, nil while nothing is.
	header *header
}

// parse5424 takes apart a line by the grammar of RFC 5424 §6, strict where an
// attacker could gain by laxness (structured data) and lax where senders are
// (any length of a header field, a newline inside a value).
func (x *scratch) parse5424(f *frame, line string) Reason {
	line = strings.TrimPrefix(line, bom)
	rest, ok := cutPriority(line)
	if !ok || !strings.HasPrefix(rest, "1 ") {
		return BadHeader
	}
	rest, ok = cutFields(rest[len("1 "):], &f.time, &f.host)
	if !ok {
		return BadHeader
	}
	if h, n := x.header(rest); n > 0 && h.text == rest[:n] {
		f.app, f.proc, f.msgID, f.header = h.app, h.proc, h.msgID, h
		rest = rest[n:]
	} else {
		start := rest
		if rest, ok = cutFields(rest, &f.app, &f.proc, &f.msgID); !ok {
			return BadHeader
		}
		if n == len(start)-len(rest) {
			*h = header{start[:n], f.app, f.proc, f.msgID, *x.program(f.app), *x.kind(DECNET, f.msgID)}
			f.header = h
		}
	}
	f.timed, f.container = true, true
	if reason := x.parseBody(f, rest); reason != OK {
		return reason
	}
	if f.wrapping() {
		return x.parseWrapped(f)
	}
	return OK
}

// cutFields cuts header fields off s, each with the space behind it.
func cutFields(s string, fields ...*string) (rest string, ok bool) {
	for _, field := range fields {
		space := strings.IndexByte(s, ' ')
		if space <= 0 {
			return "", false
		}
		if v := s[:space]; v != "-" {
			*field = v
		}
		s = s[space+1:]
	}
	return s, true
}

// wrapping says whether a relay may have wrapped a line in f.
func (f *frame) wrapping() bool {
	return f.app == wrappedApp && f.proc == "" && f.msgID == "" && !f.relay
}

// cutPriority cuts "<PRI>" off a line.
func cutPriority(line string) (rest string, ok bool) {
	if len(line) < 3 || line[0] != '<' {
		return "", false
	}
	end := strings.IndexByte(line[:min(len(line), 7)], '>')
	if end < 2 {
		return "", false
	}
	if _, ok := digits(line, 1, end-1); !ok {
		return "", false
	}
	return line[end+1:], true
}

// parseWrapped takes apart the line inside a line that a relay wrapped
// because it took the VERSION for a tag. The time stays the outer one, which
// the relay's clock gave.
func (x *scratch) parseWrapped(f *frame) Reason {
	rest := f.msg
	if !strings.HasPrefix(strings.TrimLeft(rest, "0123456789-T:.+Z"), " ") {
		return OK // no time stamp, whole or cut by a parser
	}
	inner := frame{time: f.time, timed: f.timed, wall: f.wall, walled: f.walled, container: true}
	var stamp string
	rest, ok := cutFields(rest, &stamp, &inner.host, &inner.app, &inner.proc, &inner.msgID)
	if !ok {
		return OK
	}
	if reason := x.parseBody(&inner, rest); reason != OK {
		return reason
	}
	*f = inner
	return OK
}

const bom = "\uFEFF"

// parseBody reads STRUCTURED-DATA [SP MSG]. Only here can parameters come
// from: whatever stands in MSG is text.
func (x *scratch) parseBody(f *frame, s string) Reason {
	switch {
	case s == "":
		return BadData
	case s[0] == '-':
		s = s[1:]
	case s[0] == '[':
		for s != "" && s[0] == '[' {
			var ok bool
			if s, ok = x.parseElement(f, s[1:]); !ok {
				return BadData
			}
		}
	default:
		return BadData
	}
	if s == "" {
		return OK
	}
	if s[0] != ' ' {
		if strings.TrimSpace(s) == "" {
			return OK
		}
		return BadData
	}
	f.msg = strings.TrimSpace(strings.TrimPrefix(strings.TrimLeft(s, " "), bom))
	return OK
}

// parseElement reads an SD-ELEMENT behind its "[" and returns what follows
// its "]". Parameters are kept of the relay element alone.
func (x *scratch) parseElement(f *frame, s string) (rest string, ok bool) {
	end := 0
	for end < len(s) && s[end] != ' ' && s[end] != ']' {
		if c := s[end]; c == '=' || c == '"' || c == '[' {
			return "", false
		}
		end++
	}
	if end == 0 {
		return "", false
	}
	relay := s[:end] == relayID
	if relay && f.relay {
		return "", false // an SD-ID must not come twice
	}
	f.relay = f.relay || relay
	s = s[end:]
	for {
		for s != "" && s[0] == ' ' {
			s = s[1:]
		}
		if s == "" {
			return "", false
		}
		if s[0] == ']' {
			return s[1:], true
		}
		eq := 0
		for eq < len(s) && nameBytes[s[eq]] {
			eq++
		}
		if eq == 0 || eq > maxParamName || len(s) < eq+3 || s[eq] != '=' || s[eq+1] != '"' {
			return "", false
		}
		name := s[:eq]
		s = s[eq+2:]
		var value string
		if end := quoteOrSlash(s, 0); end < len(s) && s[end] == '"' {
			value, s = s[:end], s[end+1:] // nothing is escaped, as mostly
		} else if value, s, ok = x.parseValue(s, relay); !ok {
			return "", false
		}
		if relay {
			x.keep(name, value)
		}
		if s == "" || s[0] != ' ' && s[0] != ']' {
			return "", false
		}
	}
}

// nameBytes are the bytes that a PARAM-NAME may have.
var nameBytes = func() (is [256]bool) {
	for c := byte('!'); c < 0x7f; c++ {
		is[c] = c != '=' && c != '"' && c != ']'
	}
	return is
}()

// parseValue reads a PARAM-VALUE behind its opening quote, and its closing
// quote. `\"`, `\\` and `\]` stand for the second character, any other
// backslash for itself.
func (x *scratch) parseValue(s string, keep bool) (value, rest string, ok bool) {
	end := quoteOrSlash(s, 0)
	escaped := false
	for end < len(s) && s[end] == '\\' {
		escaped = true
		end = quoteOrSlash(s, min(end+2, len(s)))
	}
	if end == len(s) {
		return "", "", false
	}
	value, rest = s[:end], s[end+1:]
	if escaped && keep {
		value = x.unescaped(value)
	}
	return value, rest, true
}

// unescaped returns a PARAM-VALUE without its escapes.
func (x *scratch) unescaped(value string) string {
	m := &x.memo.values[event.Mix(value)%uint(len(x.memo.values))]
	if m.text == value {
		return m.value
	}
	b := x.arena.Grab(len(value))
	for i := 0; i < len(value); i++ {
		c := value[i]
		if c == '\\' && i+1 < len(value) {
			if n := value[i+1]; n == '"' || n == '\\' || n == ']' {
				i++
				c = n
			}
		}
		b = append(b, c)
	}
	*m = valueMemo{value, x.arena.Keep(b)}
	return m.value
}
