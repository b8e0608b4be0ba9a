package redact

import (
	"encoding/binary"
	"encoding/json"
	"strings"
)

// Options say what is masked in bytes that are kept because nobody could read
// them.
type Options struct {
	// Secrets says that secrets are masked too, not only local parts.
	Secrets bool
}

// maxInside is how many texts inside each other are read: JSON in a string of
// JSON.
const maxInside = 4

// Bytes returns a copy of data, which is in no known form, with local parts and
// secrets replaced by "*". Its length stays, and JSON stays JSON.
func (o Options) Bytes(data []byte) []byte {
	f := found{s: string(data)}
	o.text(&f, 0)
	return f.masked()
}

// Broken returns a copy of data, which may begin with records in msgpack and breaks
// off somewhere, as Records and as Bytes does.
func (o Options) Broken(data []byte) []byte {
	out := o.Records(data)
	if json.Valid(out) {
		return o.Bytes(out)
	}
	// An address may break off behind its "@": a domain stands in for the rest.
	return o.Bytes(append(out, "a.a"...))[:len(data)]
}

// Records returns a copy of data, whole records in msgpack, with local parts and
// secrets replaced by "*", and numbers that are secrets by 0. Its length stays,
// so the records stay readable.
func (o Options) Records(data []byte) []byte {
	f := found{s: string(data)}
	r := reader{o: o, f: &f}
	for at := 0; at < len(f.s); {
		n := r.token(at)
		if n == 0 {
			rest := found{s: f.s[at:]} // no msgpack, whoever called it that
			o.text(&rest, 0)
			f.take(at, &rest)
			break
		}
		at += n
	}
	return f.masked()
}

// masked returns the text with each byte that was found replaced.
func (f *found) masked() []byte {
	b := []byte(f.s)
	for i, c := range f.hide {
		switch c {
		case 0:
		case zero:
			b[i] = 0
		default:
			b[i] = c
		}
	}
	return b
}

// zero stands for the byte 0 in found.hide.
const zero = 0xff

// take takes over what was found in a part that starts at at.
func (f *found) take(at int, part *found) {
	for i, c := range part.hide {
		if c != 0 {
			f.fill(at+i, at+i+1, c)
		}
	}
}

// text finds what is masked in a text.
func (o Options) text(f *found, depth int) {
	trimmed := strings.TrimLeft(f.s, " \t\r\n")
	if depth < maxInside && trimmed != "" && strings.IndexByte("{[\"", trimmed[0]) >= 0 && json.Valid([]byte(f.s)) {
		o.json(f, depth)
		return
	}
	if o.Secrets {
		f.command(Any)
		f.anywhere()
		f.decoded(func(f *found) {
			f.lines(Any)
			f.anywhere()
		})
	}
	f.recipients()
	f.decoded((*found).recipients)
	f.addresses(f.mark, 0, false)
}

// recipients hides what SMTP's commands name, with anything in front of them where
// they are in capitals or the line names the protocol.
func (f *found) recipients() {
	var buf [64]byte
	for from := 0; from < len(f.s); {
		to := len(f.s)
		if n := strings.IndexAny(f.s[from:], "\r\n"); n >= 0 {
			to = from + n
		}
		named := indexFold(f.s[from:to], "smtp") >= 0
		w := words{s: f.s, at: from, end: to}
		for n := range maxWords {
			start, end, ok := w.verb()
			if !ok {
				break
			}
			switch key := keyword(&buf, f.s[start:end]); key {
			case "RCPT", "MAIL", "SEND", "SOML", "SAML", "VRFY", "EXPN":
				if n == 0 || named || strings.Contains(f.s[start:end], key) {
					f.recipient(start, to)
				}
			}
		}
		from = to + 1
	}
}

// json finds what is masked in the strings of a JSON text, and in the numbers
// whose names say that they are secrets.
func (o Options) json(f *found, depth int) {
	s := f.s
	// Where secret's object or array ends, nothing is secret any more.
	secret, level, inside := false, 0, 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case '{', '[':
			level++
			if secret && inside == 0 {
				inside = level
			}
		case '}', ']':
			if inside == level {
				inside, secret = 0, false
			}
			level--
		case ',':
			if inside == 0 {
				secret = false
			}
		case '"':
			end := i + 1
			for s[end] != '"' {
				if s[end] == '\\' {
					end++
				}
				end++
			}
			next := end + 1
			for next < len(s) && white(s[next]) {
				next++
			}
			name := next < len(s) && s[next] == ':'
			switch {
			case secret && !name:
				f.mark(i+1, end)
			default:
				text := o.jsonString(f, i+1, end, depth)
				if name && inside == 0 {
					secret = o.Secrets && secretName(text)
				}
			}
			i = end
		default:
			if secret && (c >= '0' && c <= '9' || c == '-' || c == '+' || c == '.' || c|0x20 == 'e') && number10(s, i) {
				f.fill(i, i+1, '1')
			}
		}
	}
}

// number10 says whether s[i] is part of a number, not of true, false or null.
func number10(s string, i int) bool {
	return s[i]|0x20 != 'e' || i > 0 && s[i-1] >= '0' && s[i-1] <= '9'
}

// jsonString finds what is masked in the string s[from:to] of a JSON text, and
// returns what it says.
func (o Options) jsonString(f *found, from, to, depth int) string {
	l := unescaped(f.s[from:to])
	inner := found{s: l.s}
	o.text(&inner, depth+1)
	inner.each(func(a, b int) { f.mark(from+int(l.pos[a]), from+int(l.pos[b])) })
	return l.s
}

// unescaped returns a JSON string's text. Its escapes are of JSON alone; what
// they name beyond ASCII is one byte 0x80.
func unescaped(s string) layer {
	l := layer{pos: make([]int32, 0, len(s)+1)}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); {
		l.pos = append(l.pos, int32(i))
		if s[i] != '\\' || i+1 == len(s) {
			b = append(b, s[i])
			i++
			continue
		}
		n := 2
		switch c := s[i+1]; c {
		case 'n', 'r', 't', 'b', 'f':
			b = append(b, "\n\r\t\b\f"[strings.IndexByte("nrtbf", c)])
		case 'u':
			r, digits := number(s[i+2:], 16, 4)
			n += digits
			switch {
			case r < 0x80:
				b = append(b, byte(r))
			default:
				b = append(b, max(ascii(r), 1))
			}
		default:
			b = append(b, c)
		}
		i += n
	}
	l.pos = append(l.pos, int32(len(s)))
	l.s = string(b)
	return l
}

// reader walks through msgpack.
type reader struct {
	o     Options
	f     *found
	stack []level
}

// level is a map or an array at work.
type level struct {
	// left is how many elements are to come, keys and values apart.
	left  int
	keyed bool
	// secret says that all of it is a secret, next that the next value is.
	secret, next bool
}

// maxLevels bounds the maps and arrays inside each other that are known apart.
const maxLevels = 64

// element counts an element. It returns the level that it is of, nil without
// one, whether it is a key, and whether it is part of a secret.
func (r *reader) element() (l *level, key, secret bool) {
	for len(r.stack) > 0 && r.stack[len(r.stack)-1].left == 0 {
		r.stack = r.stack[:len(r.stack)-1]
	}
	if len(r.stack) == 0 {
		return nil, false, false
	}
	l = &r.stack[len(r.stack)-1]
	key = l.keyed && l.left%2 == 0
	l.left--
	if !key {
		secret, l.next = l.secret || l.next, false
	}
	return l, key, secret
}

// open enters a map or an array of n elements.
func (r *reader) open(n int, keyed, secret bool) {
	if len(r.stack) < maxLevels {
		r.stack = append(r.stack, level{left: n, keyed: keyed, secret: secret})
	}
}

// token reads the token at at and returns its length, 0 where it is none. What
// is inside a map or an array comes as tokens of its own.
func (r *reader) token(at int) int {
	s := r.f.s
	head, body, kind := header(s[at:])
	if head == 0 || kind == bytesKind && body > len(s)-at-head {
		return 0
	}
	l, key, secret := r.element()
	start := at + head
	switch kind {
	case mapKind:
		r.open(2*body, true, secret)
	case arrayKind:
		r.open(body, false, secret)
	case numberKind:
		if secret {
			if head == 1 {
				r.f.fill(at, at+1, zero)
			}
			r.f.fill(at+1, start, zero)
		}
	case bytesKind:
		if secret {
			r.f.mark(start, start+body)
			return head + body
		}
		text := found{s: s[start : start+body]}
		r.o.text(&text, 0)
		r.f.take(start, &text)
		if key {
			l.next = r.o.Secrets && secretName(text.s)
		}
		return head + body
	}
	return head
}

// What a token of msgpack is.
const (
	otherKind = iota
	bytesKind
	mapKind
	arrayKind
	numberKind
)

// header returns the length of the msgpack header that s starts with, 0 without
// one, and how many bytes, pairs or elements belong to it.
func header(s string) (head, body, kind int) {
	if s == "" {
		return 0, 0, otherKind
	}
	// The bytes of a length, and what of the body is no length.
	sized := func(width, extra, kind int) (int, int, int) {
		if len(s) < 1+width {
			return 0, 0, otherKind
		}
		var b [4]byte
		copy(b[4-width:], s[1:1+width])
		return 1 + width, int(binary.BigEndian.Uint32(b[:])) + extra, kind
	}
	fixed := func(n, kind int) (int, int, int) {
		if len(s) < n {
			return 0, 0, otherKind
		}
		return n, 0, kind
	}
	switch c := s[0]; {
	case c < 0x80, c >= 0xe0:
		return 1, 0, numberKind
	case c < 0x90:
		return 1, int(c & 0x0f), mapKind
	case c < 0xa0:
		return 1, int(c & 0x0f), arrayKind
	case c < 0xc0:
		return 1, int(c & 0x1f), bytesKind
	default:
		switch c {
		case 0xc0, 0xc2, 0xc3: // nil, false, true
			return 1, 0, otherKind
		case 0xc4, 0xd9:
			return sized(1, 0, bytesKind)
		case 0xc5, 0xda:
			return sized(2, 0, bytesKind)
		case 0xc6, 0xdb:
			return sized(4, 0, bytesKind)
		case 0xc7: // extensions: a type before the bytes
			return sized(1, 1, bytesKind)
		case 0xc8:
			return sized(2, 1, bytesKind)
		case 0xc9:
			return sized(4, 1, bytesKind)
		case 0xdc:
			return sized(2, 0, arrayKind)
		case 0xdd:
			return sized(4, 0, arrayKind)
		case 0xde:
			return sized(2, 0, mapKind)
		case 0xdf:
			return sized(4, 0, mapKind)
		case 0xcc, 0xd0:
			return fixed(2, numberKind)
		case 0xcd, 0xd1:
			return fixed(3, numberKind)
		case 0xca, 0xce, 0xd2:
			return fixed(5, numberKind)
		case 0xcb, 0xcf, 0xd3:
			return fixed(9, numberKind)
		case 0xd4:
			return fixed(3, otherKind)
		case 0xd5:
			return fixed(4, otherKind)
		case 0xd6:
			return fixed(6, otherKind)
		case 0xd7:
			return fixed(10, otherKind)
		case 0xd8:
			return fixed(18, otherKind)
		}
		return 0, 0, otherKind // 0xc1
	}
}
