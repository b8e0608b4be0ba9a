package redact

import (
	"bytes"
	"encoding/base64"
	"strings"
)

// The longest quoted local part, domain and space or comment between them that
// are looked for (RFC 5321 §4.5.3.1 allows 64 and 255 bytes of the former).
const (
	maxQuoted  = 256
	maxDomain  = 255
	maxBetween = 64
)

// maxLayers is how many encodings inside each other are taken out.
const maxLayers = 3

// addresses calls mark for each local part in the text, in whatever way it is
// encoded. In shown text "/" ends a local part, so that nobody hides a URL in
// front of an "@".
func (f *found) addresses(mark func(from, to int), depth int, shown bool) {
	s := f.s
	f.locals(mark, shown, f.strict)
	if depth == maxLayers {
		return
	}
	f.base64(mark, depth)
	if l, ok := decode(s, true); ok {
		inner := found{s: l.s, form: f.form, strict: f.strict}
		inner.addresses(l.through(mark), depth+1, shown)
	}
}

// locals calls mark for each local part that is written as it is. strict takes
// names with a dot in them only for domains.
func (f *found) locals(mark func(from, to int), shown, strict bool) {
	s := f.s
	from := 0 // what is before belongs to the last address
	for i := strings.IndexByte(s, '@'); i >= 0; {
		if start, end, ok := f.local(from, i, shown, strict); ok {
			mark(start, end)
			from = i + 1
		}
		n := strings.IndexByte(s[i+1:], '@')
		if n < 0 {
			return
		}
		i += 1 + n
	}
}

// local returns the local part in front of the "@" at at, not before from.
func (f *found) local(from, at int, shown, strict bool) (start, end int, ok bool) {
	s := f.s
	domain := between(s, at+1)
	end = betweenBack(s, from, at)
	if strict || domain > at+1 || end < at {
		ok = dotted(s[domain:])
	} else {
		ok = named(s[domain:])
	}
	if !ok || end == from {
		return 0, 0, false
	}
	start = end
	// RFC 5322 §4.4 allows words of both kinds with dots between them.
	for range 8 {
		if s[start-1] == '"' {
			open := quoteBefore(s, start-1)
			if open < 0 {
				break
			}
			if start == end {
				// The quotes themselves tell nothing.
				if open <= from || s[open-1] != '.' {
					return open + 1, end - 1, open+1 < end-1
				}
			}
			start = open
		} else {
			word := start
			for word > from && f.atom(s[word-1], shown) {
				word--
			}
			if word == start {
				break
			}
			start = word
			if s[start] != '.' {
				break
			}
		}
		if start <= from {
			break
		}
	}
	return start, end, start < end
}

// quoteBefore returns where the quoted text starts that the quote at end closes,
// -1 where that one is escaped or nothing opens it.
func quoteBefore(s string, end int) int {
	if backslashes(s[:end])%2 == 1 {
		return -1
	}
	for i := end - 1; i >= max(0, end-maxQuoted); i-- {
		if s[i] == '"' && backslashes(s[:i])%2 == 0 {
			if i == 0 || strings.IndexByte("<(:,;.[{=\\\"' \t\r\n", s[i-1]) >= 0 {
				return i
			}
			return -1
		}
	}
	return -1
}

// between returns what follows the spaces and comments at at.
func between(s string, at int) int {
	i := at
	for i < len(s) && i-at < maxBetween {
		if white(s[i]) {
			i++
			continue
		}
		if s[i] != '(' {
			return i
		}
		n := strings.IndexByte(s[i:min(len(s), i+maxBetween)], ')')
		if n < 0 {
			return i
		}
		i += n + 1
	}
	return i
}

// betweenBack returns where the spaces and comments in front of at start, from
// at the least.
func betweenBack(s string, from, at int) int {
	i := at
	for i > from && at-i < maxBetween {
		if white(s[i-1]) {
			i--
			continue
		}
		if s[i-1] != ')' {
			return i
		}
		low := max(from, i-maxBetween)
		n := strings.LastIndexByte(s[low:i], '(')
		if n < 0 {
			return i
		}
		i = low + n
	}
	return i
}

func white(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

// named says whether text starts with what can be a mail domain: a name, or an
// address in brackets. "@" and a number alone, as in "[relay@55555", is none.
func named(text string) bool {
	for i := range min(len(text), maxDomain) {
		switch c := text[i]; {
		case c >= '0' && c <= '9', c == '-':
		case letter(c), c >= 0x80, c == '.' && i > 0, c == '[' && i == 0:
			return true
		default:
			return false
		}
	}
	return false
}

// dotted says whether text starts with a name of two labels, "localhost" or an
// address in brackets.
func dotted(text string) bool {
	if strings.HasPrefix(text, "[") {
		return len(text) > 1 && (text[1] >= '0' && text[1] <= '9' || text[1]|0x20 == 'i')
	}
	if len(text) >= 9 && strings.EqualFold(text[:9], "localhost") {
		return true
	}
	label := false
	for i := range min(len(text), maxDomain) {
		switch c := text[i]; {
		case letter(c), c >= '0' && c <= '9', c >= 0x80, c == '-':
			label = true
		case c == '.' && label && i+1 < len(text):
			c := text[i+1]
			return letter(c) || c >= '0' && c <= '9' || c >= 0x80
		default:
			return false
		}
	}
	return false
}

// atom says whether c can stand in a local part without quotes (RFC 5322
// §3.2.3, RFC 6532).
func (f *found) atom(c byte, shown bool) bool {
	switch {
	case letter(c), c >= '0' && c <= '9', c >= 0x80:
		return true
	case c == '/':
		return !shown
	case f.form && (c == '=' || c == '&' || c == '?'):
		return false
	}
	return strings.IndexByte("!#$%&'*+-.=?^_`{|}~", c) >= 0
}

// names says whether a line of SMTP starts like one that names somebody.
func names(s string) bool {
	for _, verb := range [...]string{"RCPT", "MAIL", "VRFY", "EXPN", "SEND", "SOML", "SAML"} {
		if indexFold(s, verb) >= 0 {
			return true
		}
	}
	return false
}

// mail finds the local parts in a mail protocol's lines. Who logs in is named in
// them too: that name is a credential and no address.
func (f *found) mail(p Protocol) {
	// Where nobody named the protocol, a name without a dot may be anything.
	strict := p == Any
	s := f.s
	var logins []int // where their lines start and end
	for from := 0; from < len(s); {
		to := len(s)
		if n := strings.IndexAny(s[from:], "\r\n"); n >= 0 {
			to = from + n
		}
		if f.logsIn(p, from, to) {
			logins = append(logins, from, to)
		} else {
			f.recipient(from, to)
		}
		from = to + 1
	}
	// Between two logins an address may go on over lines.
	start := 0
	for i := 0; i <= len(logins); i += 2 {
		end := len(s)
		if i < len(logins) {
			end = logins[i]
		}
		part := found{s: s[start:end]}
		part.strict = strict
		part.addresses(func(a, b int) { f.mark(start+a, start+b) }, 0, true)
		if i < len(logins) {
			start = logins[i+1]
		}
	}
}

// logsIn says whether a line is a login's.
func (f *found) logsIn(p Protocol, from, to int) bool {
	var buf [64]byte
	w := words{s: f.s, at: from, end: to}
	start, end, ok := w.verb()
	if !ok {
		return false
	}
	verb := keyword(&buf, f.s[start:end])
	// "Login: x" is a mail's text.
	if f.s[end-1] != ':' {
		switch verb {
		case "AUTH":
			return true
		case "USER", "PASS", "APOP":
			if p == POP3 || p == Any && verb != "USER" {
				return true
			}
		case "LOGIN", "AUTHENTICATE":
			if p == IMAP || p == Any {
				return true
			}
		}
	}
	second, secondEnd, more := w.verb()
	if !more {
		return answer(f.s[start:end])
	}
	switch keyword(&buf, f.s[second:secondEnd]) {
	case "LOGIN", "AUTHENTICATE":
		return p == IMAP || p == Any
	}
	return false
}

// answer says whether a word is what SASL's PLAIN, LOGIN or CRAM-MD5 answer: two
// or three texts with NUL between them, a name, or a name and a digest.
func answer(word string) bool {
	b, err := base64.StdEncoding.DecodeString(word)
	if err != nil {
		return false
	}
	if bytes.IndexByte(b, 0) >= 0 {
		return credentials(word)
	}
	if len(b) > 33 && b[len(b)-33] == ' ' {
		b = b[:len(b)-33]
	}
	return !bytes.ContainsAny(b, " <>:\t\r\n")
}

func (f *found) recipient(from, to int) {
	var buf [64]byte
	s := f.s
	w := words{s: s, at: from, end: to}
	start, end, ok := w.verb()
	if !ok {
		return
	}
	verb := keyword(&buf, s[start:end])
	path := end
	switch verb {
	case "VRFY", "EXPN":
	case "RCPT", "MAIL", "SEND", "SOML", "SAML":
		colon := strings.IndexByte(s[end:to], ':')
		if colon < 0 {
			return
		}
		path = end + colon + 1
	default:
		return
	}
	for path < to && (blank(s[path]) || s[path] == '<') {
		path++
	}
	stop := path
	if at := strings.LastIndexByte(s[path:to], '@'); at >= 0 {
		stop = path + at
	} else if encodedAt(s[path:to]) {
		return // addresses finds it
	} else {
		for stop < to && s[stop] != '>' && !blank(s[stop]) {
			stop++
		}
	}
	f.mark(path, stop)
}

// encodedAt says whether an "@" is written in another way.
func encodedAt(s string) bool {
	l, ok := decode(s, true)
	return ok && strings.IndexByte(l.s, '@') >= 0
}

func base64Byte(c byte) bool {
	return letter(c) || c >= '0' && c <= '9' || c == '+' || c == '/' || c == '-' || c == '_'
}

// The shortest run of base64 that is decoded, "a@b.cd" in it, and the shortest
// line behind which another one is looked for (RFC 2045 §6.8).
const (
	minBase64     = 8
	minBase64Line = 60
)

// base64 calls mark for each run of base64 (RFC 4648, both alphabets, in lines or
// not) that holds a mail address, wherever in it the encoding starts.
func (f *found) base64(mark func(from, to int), depth int) {
	s := f.s
	var buf [1024]byte
	run := buf[:0]
	for i := 0; i < len(s); {
		if !base64Byte(s[i]) {
			i++
			continue
		}
		start, line := i, i
		run = run[:0]
		for i < len(s) {
			if c := s[i]; base64Byte(c) {
				switch c {
				case '-':
					c = '+'
				case '_':
					c = '/'
				}
				run = append(run, c)
				i++
				continue
			}
			next := i
			for next < len(s) && next-i < 8 && (s[next] <= ' ' || s[next] == '\\' || s[next] == 'r' && s[next-1] == '\\' || s[next] == 'n' && s[next-1] == '\\') {
				next++
			}
			if next == i || i-line < minBase64Line || next == len(s) || !base64Byte(s[next]) {
				break
			}
			i, line = next, next
		}
		end := i
		for end < len(s) && s[end] == '=' {
			end++
		}
		if len(run) >= minBase64 && holdsAddress(run, depth) {
			mark(start, end)
		}
	}
}

// holdsAddress says whether what run encodes has the local part of a mail
// address in it.
func holdsAddress(run []byte, depth int) bool {
	var buf [1024]byte
	text := buf[:]
	if n := base64.RawStdEncoding.DecodedLen(len(run)); n > len(text) {
		text = make([]byte, n)
	}
	for offset := range 4 {
		part := run[min(offset, len(run)):]
		if len(part)%4 == 1 {
			part = part[:len(part)-1]
		}
		n, err := lenient.Decode(text, part)
		if err != nil {
			continue
		}
		if !hinted(text[:n], offset == 0) {
			continue
		}
		f := found{s: string(bytes.ReplaceAll(text[:n], []byte{0}, nil))}
		hit := false
		found := func(int, int) { hit = true }
		if offset == 0 {
			f.addressesStrictly(found, depth+1)
		} else {
			f.locals(found, false, true)
		}
		if hit {
			return true
		}
	}
	return false
}

// hinted says whether bytes may hold an address at all: plainly, or where they
// are text, encoded once more.
func hinted(b []byte, encoded bool) bool {
	if bytes.IndexByte(b, '@') >= 0 {
		return true
	}
	if !encoded {
		return false
	}
	for _, c := range b {
		if c != 0 && (c < ' ' && !white(c) || c >= 0x7f) {
			return false
		}
	}
	return len(b) >= minBase64
}

// innocent says whether nothing in a text can be the local part of an address, so
// that nobody needs to look closer.
func innocent(s string) bool {
	var run [64]byte
	n := 0
	for i := 0; i <= len(s); i++ {
		if i < len(s) && base64Byte(s[i]) && s[i] != '+' {
			if n == len(run) {
				return false
			}
			run[n] = s[i]
			n++
			continue
		}
		if n >= minBase64 {
			for j, c := range run[:n] {
				switch c {
				case '-':
					run[j] = '+'
				case '_':
					run[j] = '/'
				}
			}
			var text [48]byte
			for offset := range 4 {
				part := run[offset:n]
				if len(part)%4 == 1 {
					part = part[:len(part)-1]
				}
				m, err := lenient.Decode(text[:], part)
				if err != nil || hinted(text[:m], offset == 0) {
					return false
				}
			}
		}
		n = 0
		if i < len(s) && strings.IndexByte("@+"+escapeStarts, s[i]) >= 0 {
			return false
		}
	}
	return true
}

// lenient takes whatever bits are left over.
var lenient = *base64.RawStdEncoding

// addressesStrictly is addresses for what may be chance: names without a dot are
// domains only where the rest is text.
func (f *found) addressesStrictly(mark func(from, to int), depth int) {
	f.locals(mark, false, !text(f.s))
	if depth >= maxLayers || !text(f.s) {
		return
	}
	f.base64(mark, depth)
	if l, ok := decode(f.s, true); ok {
		inner := found{s: l.s}
		inner.addressesStrictly(mark, depth+1)
	}
}

// text says whether s is printable ASCII with lines.
func text(s string) bool {
	for i := 0; i < len(s); i++ {
		if (s[i] < ' ' && s[i] != '\t' && s[i] != '\r' && s[i] != '\n') || s[i] >= 0x7f {
			return false
		}
	}
	return true
}
