package esindex

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// lexer reads one JSON value from a stream, token by token, without keeping
// more of it than the longest token and without making strings. It is as
// strict as encoding/json but for invalid UTF-8, which passes.
type lexer struct {
	r     io.Reader
	buf   []byte
	pos   int   // next byte in buf
	end   int   // end of what was read
	base  int64 // offset of buf[0] in the stream
	limit int   // longest token in bytes
	text  []byte
	key   []byte
}

// errTruncated says that the stream ended within the value.
var errTruncated = errors.New("it ends too early")

// maxDepth bounds how deep values may be nested. Elasticsearch itself takes
// documents that are nested 1,000 deep, which stand in its answers.
const maxDepth = 1100

// errLong says that a string is longer than the limit; it was passed over.
var errLong = errors.New("a string that is too long")

// lexerBuffer is the first size of the buffer, and what is kept of it.
const lexerBuffer = 64 << 10

// readError is an error of the stream, other than its end.
type readError struct{ err error }

func (e *readError) Error() string { return e.err.Error() }
func (e *readError) Unwrap() error { return e.err }

// reset begins a new stream whose tokens have at most limit bytes, or 64 KiB
// where that is more.
func (l *lexer) reset(r io.Reader, limit int) {
	if l.buf == nil || len(l.buf) > 16*lexerBuffer {
		l.buf = make([]byte, lexerBuffer)
	}
	if cap(l.text) > 16*lexerBuffer {
		l.text = nil
	}
	l.r, l.limit, l.pos, l.end, l.base = r, limit, 0, 0, 0
}

// more reads on. What stands from keep stays, from where it is moved to the
// buffer's start; positions before it move by keep.
func (l *lexer) more(keep int) error {
	if keep > 0 {
		copy(l.buf, l.buf[keep:l.end])
		l.base += int64(keep)
		l.pos -= keep
		l.end -= keep
	}
	if l.end == len(l.buf) {
		if l.end >= l.limit {
			return l.errorf("%w: more than %d bytes", errLong, l.limit)
		}
		l.buf = slices.Grow(l.buf, len(l.buf))[:2*len(l.buf)]
	}
	for range 100 {
		n, err := l.r.Read(l.buf[l.end:])
		l.end += n
		switch {
		case n > 0:
			return nil
		case err == io.EOF:
			return l.errorf("%w", errTruncated)
		case err != nil:
			return &readError{err}
		}
	}
	return &readError{io.ErrNoProgress}
}

func (l *lexer) errorf(format string, args ...any) error {
	return fmt.Errorf("at byte %d: "+format, append([]any{l.base + int64(l.pos)}, args...)...)
}

// next returns the first byte that is no white space and stays before it.
func (l *lexer) next() (byte, error) {
	for {
		for l.pos < l.end {
			switch c := l.buf[l.pos]; c {
			case ' ', '\n', '\r', '\t':
				l.pos++
			default:
				return c, nil
			}
		}
		if err := l.more(l.pos); err != nil {
			return 0, err
		}
	}
}

// expect takes the byte.
func (l *lexer) expect(want byte) error {
	c, err := l.next()
	if err != nil {
		return err
	}
	if c != want {
		return l.errorf("%q where %q should be", c, want)
	}
	l.pos++
	return nil
}

// finish makes sure that nothing follows.
func (l *lexer) finish() error {
	switch c, err := l.next(); {
	case err == nil:
		return l.errorf("%q after the end", c)
	case errors.Is(err, errTruncated):
		return nil
	default:
		return err
	}
}

// str takes a string. It is valid until the next token is read. One beyond the
// limit is an errLong, and the next token is what stands behind it.
func (l *lexer) str() ([]byte, error) {
	if err := l.expect('"'); err != nil {
		return nil, err
	}
	start := l.pos
	escaped := false
	for {
		rest := l.buf[l.pos:l.end]
		n := 0
		for n < len(rest) && plain[rest[n]] {
			n++
		}
		l.pos += n
		if n < len(rest) {
			switch rest[n] {
			case '"':
				s := l.buf[start:l.pos]
				l.pos++
				if escaped {
					return l.unescape(s)
				}
				return s, nil
			case '\\':
				escaped = true
				l.pos++
			default:
				return nil, l.errorf("a control character in a string")
			}
			if l.pos < l.end {
				l.pos++ // whatever it is: unescape judges
				continue
			}
			if err := l.more(start); err != nil {
				return nil, l.passOver(err, true)
			}
			start = 0
			l.pos++
			continue
		}
		if err := l.more(start); err != nil {
			return nil, l.passOver(err, false)
		}
		start = 0
	}
}

// passOver goes on to the end of a string that is too long. escaped says that
// it broke off behind a backslash.
func (l *lexer) passOver(err error, escaped bool) error {
	if !errors.Is(err, errLong) {
		return err
	}
	if escaped {
		if err := l.escape(); err != nil {
			return err
		}
	}
	if broken := l.restOfString(); broken != nil {
		return broken
	}
	return err // too long, but whole
}

// byte takes one byte.
func (l *lexer) byte() (byte, error) {
	if l.pos == l.end {
		if err := l.more(l.pos); err != nil {
			return 0, err
		}
	}
	c := l.buf[l.pos]
	l.pos++
	return c, nil
}

// restOfString takes what is left of a string, however long, and keeps nothing
// of it.
func (l *lexer) restOfString() error {
	for {
		for l.pos < l.end && plain[l.buf[l.pos]] {
			l.pos++
		}
		c, err := l.byte()
		switch {
		case err != nil:
			return err
		case c == '"':
			return nil
		case c == '\\':
			if err := l.escape(); err != nil {
				return err
			}
		case !plain[c]:
			return l.errorf("a control character in a string")
		}
	}
}

// escape takes what stands behind a backslash.
func (l *lexer) escape() error {
	c, err := l.byte()
	if err != nil {
		return err
	}
	switch c {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return nil
	case 'u':
		var digits [4]byte
		for i := range digits {
			if digits[i], err = l.byte(); err != nil {
				return err
			}
		}
		if _, ok := hex4(digits[:]); ok {
			return nil
		}
		return l.errorf("a broken \\u in a string")
	}
	return l.errorf("a wrong escape in a string")
}

// plain are the bytes that mean themselves in a string.
var plain = func() (t [256]bool) {
	for c := 0x20; c < len(t); c++ {
		t[c] = c != '"' && c != '\\'
	}
	return t
}()

// unescape resolves the escapes in s.
func (l *lexer) unescape(s []byte) ([]byte, error) {
	out := l.text[:0]
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			out = append(out, s[i])
			continue
		}
		i++
		switch s[i] {
		case '"', '\\', '/':
			out = append(out, s[i])
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		case 'u':
			r, ok := hex4(s[i+1:])
			if !ok {
				return nil, l.errorf("a broken \\u in a string")
			}
			i += 4
			if utf16.IsSurrogate(r) {
				pair := rune(utf8.RuneError)
				if len(s) > i+2 && s[i+1] == '\\' && s[i+2] == 'u' {
					if low, ok := hex4(s[i+3:]); ok {
						pair = utf16.DecodeRune(r, low)
					}
				}
				if r = pair; r != utf8.RuneError {
					i += 6
				}
			}
			out = utf8.AppendRune(out, r)
		default:
			return nil, l.errorf("a wrong escape in a string")
		}
	}
	l.text = out
	return out, nil
}

func hex4(s []byte) (r rune, ok bool) {
	if len(s) < 4 {
		return 0, false
	}
	for _, c := range s[:4] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// number takes a number as it is written. It is valid until the next token is
// read.
func (l *lexer) number() ([]byte, error) {
	if _, err := l.next(); err != nil {
		return nil, err
	}
	start := l.pos
	for {
		for l.pos < l.end {
			switch c := l.buf[l.pos]; {
			case c >= '0' && c <= '9', c == '-', c == '+', c == '.', c == 'e', c == 'E':
				l.pos++
			default:
				if s := l.buf[start:l.pos]; isNumber(s) {
					return s, nil
				}
				return nil, l.errorf("a broken number")
			}
		}
		if err := l.more(start); err != nil {
			return nil, err
		}
		start = 0
	}
}

// isNumber checks the grammar of RFC 8259, section 6.
func isNumber(s []byte) bool {
	digits := func() bool {
		n := 0
		for n < len(s) && s[n] >= '0' && s[n] <= '9' {
			n++
		}
		s = s[n:]
		return n > 0
	}
	if len(s) > 0 && s[0] == '-' {
		s = s[1:]
	}
	if len(s) > 0 && s[0] == '0' {
		s = s[1:]
	} else if !digits() {
		return false
	}
	if len(s) > 0 && s[0] == '.' {
		s = s[1:]
		if !digits() {
			return false
		}
	}
	if len(s) > 0 && (s[0] == 'e' || s[0] == 'E') {
		s = s[1:]
		if len(s) > 0 && (s[0] == '+' || s[0] == '-') {
			s = s[1:]
		}
		if !digits() {
			return false
		}
	}
	return len(s) == 0
}

// integer takes a whole number.
func (l *lexer) integer() (int64, error) {
	s, err := l.number()
	if err != nil {
		return 0, err
	}
	if len(s) <= 20 {
		if n, err := strconv.ParseInt(string(s), 10, 64); err == nil {
			return n, nil
		}
	}
	return 0, l.errorf("a number that is no 64-bit integer")
}

// boolean takes true or false.
func (l *lexer) boolean() (bool, error) {
	c, err := l.next()
	if err != nil {
		return false, err
	}
	if c == 't' {
		return true, l.word("true")
	}
	return false, l.word("false")
}

// word takes exactly this word.
func (l *lexer) word(w string) error {
	if _, err := l.next(); err != nil {
		return err
	}
	for l.end-l.pos < len(w) {
		if err := l.more(l.pos); err != nil {
			return err
		}
	}
	if string(l.buf[l.pos:l.pos+len(w)]) != w {
		return l.errorf("no %s", w)
	}
	l.pos += len(w)
	return nil
}

// object takes an object. member must take the value; key is valid until it
// begins to.
func (l *lexer) object(member func(key []byte) error) error {
	if err := l.expect('{'); err != nil {
		return err
	}
	if c, err := l.next(); err != nil {
		return err
	} else if c == '}' {
		l.pos++
		return nil
	}
	for {
		key, err := l.str()
		if err != nil {
			return err
		}
		l.key = append(l.key[:0], key...) // reading on may move it
		if err := l.expect(':'); err != nil {
			return err
		}
		if err := member(l.key); err != nil {
			return err
		}
		if done, err := l.endOr('}'); done || err != nil {
			return err
		}
	}
}

// array takes an array. element must take the value.
func (l *lexer) array(element func(i int) error) error {
	if err := l.expect('['); err != nil {
		return err
	}
	if c, err := l.next(); err != nil {
		return err
	} else if c == ']' {
		l.pos++
		return nil
	}
	for i := 0; ; i++ {
		if err := element(i); err != nil {
			return err
		}
		if done, err := l.endOr(']'); done || err != nil {
			return err
		}
	}
}

// endOr takes the closing byte, or a comma.
func (l *lexer) endOr(closing byte) (done bool, err error) {
	c, err := l.next()
	switch {
	case err != nil:
		return false, err
	case c == closing:
		l.pos++
		return true, nil
	case c == ',':
		l.pos++
		return false, nil
	}
	return false, l.errorf("%q where a comma or %q should be", c, closing)
}

// skip takes any value.
func (l *lexer) skip() error { return l.skipDeep(0) }

func (l *lexer) skipDeep(depth int) error {
	if depth == maxDepth {
		return l.errorf("nested more than %d deep", maxDepth)
	}
	c, err := l.next()
	if err != nil {
		return err
	}
	switch c {
	case '{':
		return l.object(func([]byte) error { return l.skipDeep(depth + 1) })
	case '[':
		return l.array(func(int) error { return l.skipDeep(depth + 1) })
	case '"':
		l.pos++
		err = l.restOfString()
	case 't':
		err = l.word("true")
	case 'f':
		err = l.word("false")
	case 'n':
		err = l.word("null")
	default:
		_, err = l.number()
	}
	return err
}
