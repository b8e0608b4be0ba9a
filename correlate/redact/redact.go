// Package redact finds in texts that attackers sent what must not be shown: the
// secrets of protocols that log in, and the local parts of mail addresses. It
// reads tokens as the protocols' servers do, in whatever case, spacing, quoting
// and encoding they take them.
//
// Its functions are pure. They take time and memory in proportion to the text,
// and what they return is at most three times as long, as long as it is where
// bytes are masked in place. What has gone through one comes out of it again
// unchanged.
package redact

import "strings"

// Protocol says by whose rules a text is read.
type Protocol uint8

const (
	// Shell is what somebody typed into a shell: nothing in it is a secret.
	Shell Protocol = iota
	// Any is what came to a port whose protocol nobody named: whatever is a
	// login in any of the others is one.
	Any
	// Redis is redis.io's protocol, inline or RESP.
	Redis
	// IMAP is RFC 3501 and RFC 9051.
	IMAP
	// POP3 is RFC 1939 and RFC 5034.
	POP3
	// SMTP is RFC 5321 and RFC 4954.
	SMTP
	// FTP is RFC 959 and RFC 2228.
	FTP
	// Web is HTTP and what is spoken over it or written like it: RFC 9110,
	// RFC 3986, HTML's forms, JSON, SIP and RTSP.
	Web
	// SQL is the statements of databases.
	SQL
)

// Hidden stands in place of what is not shown.
const Hidden = "***"

// shells are parts of the names of services in which people type commands.
var shells = [...]string{"ssh", "telnet", "shell", "adb"}

// Named returns the protocol of a service, as sensors name it.
func Named(service string) Protocol {
	service = strings.ToLower(service)
	switch service {
	case "":
		return Shell
	case "redis":
		return Redis
	case "imap", "imaps", "imap4":
		return IMAP
	case "pop3", "pop3s", "pop":
		return POP3
	case "smtp", "smtps", "submission", "smtp_relay", "lmtp":
		return SMTP
	case "ftp", "ftps":
		return FTP
	case "http", "https", "httpproxy", "docker_api", "k8s", "elasticsearch", "sip", "rtsp", "mongodb":
		return Web
	case "mysql", "mssql", "postgres", "postgresql", "oracle":
		return SQL
	}
	for _, shell := range shells {
		if strings.Contains(service, shell) {
			return Shell
		}
	}
	return Any
}

// Mail says whether what the protocol carries has mail addresses of others.
func (p Protocol) Mail() bool { return p == SMTP || p == IMAP || p == POP3 || p == Any }

// Command returns text, a command or more, without its secrets.
func Command(p Protocol, text string) string {
	if p == Shell {
		return text
	}
	return settled(text, func(f *found) { f.command(p) })
}

// Shown returns text, a command or more of a protocol, as it may be shown: without
// the local parts of others' mail addresses, and where hide says so without secrets
// too, those that usual, the protocol of its port, has included.
func Shown(p, usual Protocol, hide bool, text string) string {
	mail := p.Mail() && !(innocent(text) && !names(text))
	if !mail && !hide || p == Shell && usual == Shell {
		return text
	}
	return settled(text, func(f *found) {
		if hide {
			f.command(p)
			f.command(usual)
		}
		if mail {
			f.mail(p)
		}
	})
}

// URL returns a URL, or what a request names, without the password of the
// authority (RFC 3986 §3.2.1) and those in the query.
func URL(text string) string {
	if plainPath(text) {
		return text
	}
	return hiddenURL(text)
}

// plainPath says whether a text is a path in which nothing can be a secret's
// place: it has no authority, no name with a value and no encoding of either.
func plainPath(text string) bool {
	for i := range len(text) {
		switch c := text[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '.', c == '-', c == '_', c == '~':
		case c == '/' && (i == 0 || text[i-1] != '/'):
		default:
			return false
		}
	}
	return true
}

func hiddenURL(text string) string {
	return settled(text, func(f *found) {
		end := 0
		if at := strings.Index(f.s, "//"); at >= 0 && (at > 0 && f.s[at-1] == ':' || strings.LastIndexByte(f.s, '@') > at) {
			end = f.url(at+2, ending{len(f.s), strings.LastIndexByte(f.s, '@')}, ending{len(f.s), -1})
		}
		f.urls(end, len(f.s))
		f.pairs(len(f.s))
		f.decoded(func(f *found) { f.pairs(len(f.s)) })
	})
}

// Addresses returns what a protocol carries that has mail addresses of others
// without their local parts. The names of those who log in are none.
func Addresses(p Protocol, text string) string {
	if innocent(text) && !names(text) {
		return text
	}
	return settled(text, func(f *found) { f.mail(p) })
}

// Text returns a text, such as a mail's subject, without the local parts of mail
// addresses in it.
func Text(text string) string {
	if innocent(text) {
		return text
	}
	return settled(text, func(f *found) { f.addresses(f.mark, 0, true) })
}

// QueryAddresses returns a URL, or what a request names, without the local parts
// of mail addresses in its query.
func QueryAddresses(text string) string {
	if at := strings.IndexByte(text, '?'); at < 0 || innocentQuery(text[at+1:]) {
		return text
	}
	return settled(text, func(f *found) {
		at := strings.IndexByte(f.s, '?')
		if at < 0 {
			return
		}
		query := found{s: f.s[at+1:], form: true, strict: true}
		query.addresses(func(from, to int) { f.mark(at+1+from, at+1+to) }, 0, true)
	})
}

// innocentQuery is innocent for each value of a query, whose own "&" and "=" aren't
// those of an encoding.
func innocentQuery(query string) bool {
	if strings.Contains(query, "&#") || strings.Contains(query, "&amp;") || strings.Contains(query, "=40") || indexFold(query, "&commat") >= 0 {
		return false
	}
	for query != "" {
		n := strings.IndexAny(query, "&=")
		if n < 0 {
			n = len(query)
		}
		if !innocent(query[:n]) {
			return false
		}
		query = query[min(n+1, len(query)):]
	}
	return true
}

// maxRounds is how often a text is looked at: what stands beside what was
// replaced may then be a secret's place.
const maxRounds = 8

// settled returns text with Hidden in place of what find finds, as long as it
// finds something. Nothing is shown of a text that doesn't come to an end.
func settled(text string, find func(*found)) string {
	for range maxRounds {
		f := found{s: text}
		find(&f)
		next := f.replaced()
		if next == text {
			return text
		}
		text = next
	}
	return Hidden
}

// found is a text with what was found in it.
type found struct {
	s string
	// hide has for each byte of s what it is replaced by, 0 where it is
	// shown; nil where nothing was found.
	hide []byte
	// form says that the text is a form's, in which "=", "&" and "/" end names.
	form bool
	// strict says that names with a dot in them only are domains.
	strict bool
}

// mark hides s[from:to].
func (f *found) mark(from, to int) { f.fill(from, to, '*') }

func (f *found) fill(from, to int, with byte) {
	from, to = max(from, 0), min(to, len(f.s))
	if from >= to {
		return
	}
	if f.hide == nil {
		f.hide = make([]byte, len(f.s))
	}
	for i := from; i < to; i++ {
		f.hide[i] = with
	}
}

// replaced returns the text with Hidden in place of what was found.
func (f *found) replaced() string {
	if f.hide == nil {
		return f.s
	}
	var b strings.Builder
	b.Grow(len(f.s))
	for i := 0; i < len(f.s); i++ {
		switch {
		case f.hide[i] == 0:
			b.WriteByte(f.s[i])
		case i == 0 || f.hide[i-1] == 0:
			b.WriteString(Hidden)
		}
	}
	return b.String()
}

// command finds the secrets in a command.
func (f *found) command(p Protocol) {
	switch p {
	case Shell:
		return
	case Web:
		f.web(len(f.s))
		f.decoded((*found).webHere)
		return
	case SQL:
		f.sql()
		f.urls(0, len(f.s))
		return
	case Any:
		f.web(len(f.s))
		f.decoded((*found).webHere)
		f.sql()
	default:
		f.urls(0, len(f.s))
	}
	f.lines(p)
}

func (f *found) webHere() { f.web(len(f.s)) }

// decoded runs find over the text with its escapes taken out, twice.
func (f *found) decoded(find func(*found)) {
	const layers = 2
	mark, s := f.mark, f.s
	for range layers {
		l, ok := decode(s, false)
		if !ok {
			return
		}
		inner := found{s: l.s}
		find(&inner)
		mark = l.through(mark)
		inner.each(mark)
		s = l.s
	}
}

// each calls mark for each part that was found.
func (f *found) each(mark func(from, to int)) {
	for i := 0; i < len(f.hide); i++ {
		from := i
		for i < len(f.hide) && f.hide[i] != 0 {
			i++
		}
		if from < i {
			mark(from, i)
		}
	}
}
