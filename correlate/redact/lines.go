package redact

import (
	"bytes"
	"encoding/base64"
	"strings"
	"unicode/utf8"
)

// blank says whether c separates words.
func blank(c byte) bool { return c <= ' ' || c == 0x7f }

// words takes a line apart. Where ASCII ends a word does too: spaces of Unicode
// are beyond it, and what telnet clients send before a verb, and no verb is.
type words struct {
	s       string
	at, end int
	// quoting says that words in quotes are one, as Redis has it.
	quoting bool
}

// next returns where the next word stands. What is beyond ASCII in front of it
// belongs to it.
func (w *words) next() (from, to int, ok bool) {
	for w.at < w.end && blank(w.s[w.at]) {
		w.at++
	}
	from = w.at
	if from == w.end {
		return from, from, false
	}
	for w.at < w.end && w.s[w.at] >= 0x80 {
		w.at++
	}
	if w.at == w.end {
		return from, w.at, true
	}
	quote := w.s[w.at]
	if !w.quoting || quote != '"' && quote != '\'' {
		for w.at < w.end && !blank(w.s[w.at]) && w.s[w.at] < 0x80 {
			w.at++
		}
		return from, w.at, true
	}
	for w.at++; w.at < w.end; w.at++ {
		switch w.s[w.at] {
		case '\\':
			w.at = min(w.at+1, w.end-1)
		case quote:
			w.at++
			return from, w.at, true
		}
	}
	return from, w.end, true
}

// verb is next for what has ASCII in it.
func (w *words) verb() (from, to int, ok bool) {
	for {
		from, to, ok = w.next()
		if !ok || w.s[to-1] < 0x80 {
			return from, to, ok
		}
	}
}

// keyword returns a word as a verb, an option or a mechanism is compared: in
// upper case, without quotes, brackets and commas around it and what isn't ASCII,
// with escapes taken out. Longer ones than any are "".
func keyword(buf *[64]byte, word string) string {
	if len(word) > 8*len(buf) {
		return ""
	}
	b := buf[:0]
	for i := 0; i < len(word); i++ {
		c := word[i]
		if c == '\\' && i+3 < len(word) && word[i+1]|0x20 == 'x' {
			if hi, ok := hexValue(word[i+2]); ok {
				if lo, ok := hexValue(word[i+3]); ok {
					c, i = hi<<4|lo, i+3
				}
			}
		}
		if c >= 'a' && c <= 'z' {
			c -= 'a' - 'A'
		}
		if c < ' ' || c >= 0x7f {
			continue
		}
		if len(b) == len(buf) {
			return ""
		}
		b = append(b, c)
	}
	return string(bytes.Trim(b, `"'[](){},;:`))
}

func hexValue(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10, true
	}
	return 0, false
}

// mechanisms are the names of SASL's mechanisms (IANA's registry) and of FTP's
// and older servers'.
var mechanisms = set("PLAIN LOGIN CRAM-MD5 DIGEST-MD5 NTLM GSSAPI GSS-SPNEGO XOAUTH XOAUTH2 OAUTHBEARER EXTERNAL " +
	"ANONYMOUS KERBEROS_V4 KERBEROS_V5 SKEY OTP SECURID SRP PASSDSS-3DES-1 SCRAM-SHA-1 SCRAM-SHA-1-PLUS SCRAM-SHA-256 " +
	"SCRAM-SHA-256-PLUS SCRAM-SHA-512 SCRAM-SHA-512-PLUS ECDSA-NIST256P-CHALLENGE OPENID20 SAML20 EAP-AES128 EAP-AES128-PLUS " +
	"NMAS_LOGIN NMAS_AUTHEN X-OAUTH2 TLS SSL TLS-C TLS-P")

// The verbs of the protocols in which a line without one may be what a server
// asked for: an answer of SASL, or a literal.
var (
	imapVerbs = set("CAPABILITY NOOP LOGOUT STARTTLS AUTHENTICATE LOGIN SELECT EXAMINE CREATE DELETE RENAME SUBSCRIBE UNSUBSCRIBE " +
		"LIST LSUB XLIST RLIST RLSUB STATUS APPEND CHECK CLOSE UNSELECT EXPUNGE SEARCH ESEARCH FETCH STORE COPY MOVE UID IDLE DONE ID " +
		"NAMESPACE ENABLE SORT THREAD GETQUOTA GETQUOTAROOT SETQUOTA GETACL SETACL DELETEACL LISTRIGHTS MYRIGHTS " +
		"GETMETADATA SETMETADATA COMPRESS NOTIFY")
	pop3Verbs = set("USER PASS APOP AUTH STAT LIST RETR DELE NOOP RSET QUIT TOP UIDL CAPA STLS LAST UTF8 LANG XTND")
	smtpVerbs = set("HELO EHLO LHLO MAIL RCPT DATA RSET VRFY EXPN HELP NOOP QUIT STARTTLS AUTH ETRN TURN ATRN BDAT SEND SOML SAML " +
		"XCLIENT XFORWARD BURL XADR XCIR XGEN")
	// nickWords are what IRC's services take a password behind.
	nickWords = set("IDENTIFY REGISTER GHOST RECOVER RELEASE LOGIN AUTH PASSWORD PASS SET")
)

func set(names string) map[string]bool {
	m := map[string]bool{}
	for name := range strings.FieldsSeq(names) {
		m[name] = true
	}
	return m
}

// known says whether a protocol has the verb.
func known(p Protocol, verb string) bool {
	switch p {
	case IMAP:
		return imapVerbs[verb]
	case POP3:
		return pop3Verbs[verb]
	case SMTP:
		return smtpVerbs[verb]
	default:
		return imapVerbs[verb] || pop3Verbs[verb] || smtpVerbs[verb]
	}
}

// lines finds the secrets of protocols that are written in lines.
func (f *found) lines(p Protocol) {
	asked := false // the line above asks for an answer, or for literals
	for from := 0; from < len(f.s); {
		start := from
		for start < len(f.s) && f.s[start] >= 0x7f {
			start++
		}
		if end, ok := f.resp(p, start); ok {
			from, asked = end, false
			continue
		}
		to := len(f.s)
		if n := strings.IndexAny(f.s[from:], "\r\n"); n >= 0 {
			to = from + n
		}
		asked = f.line(p, from, to, asked)
		from = to + 1
	}
}

// line finds the secrets in a line. It returns whether the next one belongs to
// it; asked says that the line itself belongs to the one above.
func (f *found) line(p Protocol, from, to int, asked bool) bool {
	var buf [64]byte
	w := words{s: f.s, at: from, end: to}
	first, firstEnd, ok := w.next()
	if !ok {
		return asked
	}
	verbAt := first
	if f.s[firstEnd-1] >= 0x80 {
		if start, end, ok := w.verb(); ok {
			verbAt, firstEnd = start, end
		}
	}
	for f.s[verbAt] >= 0x80 && verbAt < firstEnd-1 {
		verbAt++
	}
	verb := keyword(&buf, f.s[verbAt:firstEnd])
	second, secondEnd, more := w.verb()
	next := ""
	if more {
		next = keyword(&buf, f.s[second:secondEnd])
	}
	if asked && !known(p, verb) && !known(p, next) {
		f.mark(first, to)
		return true
	}
	if p == Redis || p == Any {
		// Where nobody named the protocol, AUTH is SASL's, with its mechanism.
		if at := redisSecret(f.s, from, to); at >= 0 && (p == Redis || verb != "AUTH") {
			f.mark(at, to)
		}
		if p == Redis {
			return false
		}
	}
	if strings.HasPrefix(verb, "AUTH=") && (p == SMTP || p == Any) {
		if more { // as servers from before RFC 2554 have it
			f.mark(second, to)
		}
		return true
	}
	switch {
	case p == IMAP && !imapVerbs[verb] && !imapVerbs[next] && !login(p, verb) && !login(p, next):
		// What no command is was asked for by one: a literal (RFC 3501 §7.5),
		// or an answer (§6.2.2).
		f.mark(first, to)
		return true
	case !more && (p == POP3 || p == SMTP) && !known(p, verb) && f.s[verbAt:firstEnd] != ".",
		!more && p == Any && credentials(f.s[verbAt:firstEnd]):
		// An answer of SASL is a line of base64 (RFC 4954 §4, RFC 5034 §4).
		f.mark(first, to)
		return true
	}
	tagged := more && (p == IMAP || p == Any || f.s[verbAt] == ':') && login(p, next)
	switch {
	case login(p, verb) && !(tagged && p == IMAP && !imapVerbs[verb]):
		return f.login(p, verb, words{s: f.s, at: firstEnd, end: to})
	case tagged:
		return f.login(p, next, words{s: f.s, at: secondEnd, end: to})
	}
	return false
}

// login says whether a secret may follow a verb.
func login(p Protocol, verb string) bool {
	switch verb {
	case "PASS", "AUTH":
		return true
	case "LOGIN":
		return p == IMAP || p == POP3 || p == Any
	case "AUTHENTICATE":
		return p == IMAP || p == Any
	case "APOP":
		return p == POP3 || p == Any
	case "ACCT", "ADAT", "SITE":
		return p == FTP || p == Any
	case "OPER", "AUTHINFO", "IDENTIFY", "NICKSERV", "NS", "PRIVMSG", "NOTICE", "SQUERY":
		return p == Any
	}
	return false
}

// login hides what follows a verb. It returns whether the next line belongs to
// it.
func (f *found) login(p Protocol, verb string, w words) bool {
	var buf [64]byte
	from, to, ok := w.next()
	if !ok {
		return false
	}
	key := keyword(&buf, f.s[from:to])
	more := false
	switch verb {
	case "AUTH", "AUTHENTICATE":
		if p == FTP && mechanisms[key] {
			return false // RFC 2228 §3: nothing but the mechanism
		}
		more = true
		if mechanisms[key] {
			from, _, ok = w.next()
		}
	case "LOGIN":
		more = strings.HasSuffix(strings.TrimRight(f.s[from:w.end], " \t"), "}")
	case "APOP", "OPER":
		if next, _, ok := w.next(); ok {
			from = next
		}
	case "AUTHINFO":
		switch key {
		case "USER":
			return false
		case "SASL":
			w.next()
			more = true
		}
		from, _, ok = w.next()
	case "SITE":
		switch key {
		case "PSWD", "PASSWD", "PASSWORD", "CHPASS", "CPWD", "GPASS", "PASS", "AUTH":
			from, _, ok = w.next()
		case "ADDUSER", "USERADD":
			w.next()
			from, _, ok = w.next()
		default:
			return false
		}
	case "NICKSERV", "NS", "PRIVMSG", "NOTICE", "SQUERY":
		for ok && !nickWords[keyword(&buf, f.s[from:to])] {
			from, to, ok = w.next()
		}
		from, _, ok = w.next()
	}
	if ok {
		f.mark(from, w.end)
	}
	return more
}

// credentials says whether a word is what SASL's PLAIN, LOGIN and CRAM-MD5 send:
// base64 of a text.
func credentials(word string) bool {
	if len(word) < 4 || len(word)%4 != 0 || len(word) > 4096 {
		return false
	}
	b, err := base64.StdEncoding.DecodeString(word)
	if err != nil || !utf8.Valid(b) {
		return false
	}
	for _, c := range b {
		if c < ' ' && c > 1 || c == 0x7f {
			return false
		}
	}
	return true
}

// The parameters of Redis whose values are secrets (redis.conf, sentinel.conf).
var redisParameters = [...]string{
	"REQUIREPASS", "MASTERAUTH", "TLS-KEY-FILE-PASS", "TLS-CLIENT-KEY-FILE-PASS", "SENTINEL-PASS", "AUTH-PASS",
}

// redisSecret returns where in a command of Redis the secret starts, -1 without
// one. What follows it isn't told apart: a password may have spaces.
func redisSecret(s string, from, to int) int {
	r := redisReader{}
	w := words{s: s, at: from, end: to, quoting: true}
	for {
		a, b, ok := w.next()
		if !ok {
			return r.at
		}
		if at := r.word(s, a, b); at >= 0 {
			return at
		}
	}
}

// redisReader reads a command word by word.
type redisReader struct {
	n         int
	verb, sub string
	// awaited says that the secret is near: the one after skip words.
	awaited bool
	skip    int
	// at is where the secret would be if no more words came, 0 without one.
	at int
}

func (r *redisReader) word(s string, from, to int) int {
	if r.n == 0 {
		r.at = -1
	}
	if r.awaited {
		if r.skip == 0 {
			return from
		}
		r.skip--
		r.at = from
		return -1
	}
	var buf [64]byte
	word := s[from:to]
	key := keyword(&buf, word)
	n := r.n
	r.n++
	switch n {
	case 0:
		r.verb = key
		r.awaited = key == "AUTH"
		return -1
	case 1:
		r.sub = key
	}
	switch {
	case key == "AUTH", key == "AUTH2":
		// HELLO … AUTH user password, MIGRATE … AUTH password, AUTH2 user
		// password.
		r.awaited = true
		if r.verb == "HELLO" || key == "AUTH2" {
			r.skip = 1
		}
		return -1
	case r.verb == "ACL" && r.sub == "SETUSER" && n > 1:
		// A rule may be in quotes, selectors are in parentheses.
		for i := from; i < to; i++ {
			switch s[i] {
			case '>', '<', '#', '!':
				return i + 1
			case '"', '\'', '(', '[', ',', '\\':
				continue
			}
			break
		}
		if i := strings.IndexAny(word, "><#!"); i >= 0 && strings.ContainsAny(word[:i], "( \t\\") {
			return from + i + 1
		}
	case r.verb == "EVAL", r.verb == "EVAL_RO", r.verb == "SCRIPT", r.verb == "FUNCTION":
		for _, call := range [...]string{"auth", "setuser"} {
			if i := indexFold(word, call); i >= 0 {
				return from + i + len(call)
			}
		}
	case n > 0 && secretName(strings.Trim(word[strings.LastIndexAny(word, ":./")+1:], `"'`)):
		// SET admin:password x, HSET user password x: what follows the name.
		r.awaited = true
		return -1
	}
	for _, name := range redisParameters {
		if key == name {
			r.awaited = true
			return -1
		}
		if i := indexFold(word, name); i >= 0 {
			return from + i + len(name)
		}
	}
	return -1
}

// indexFold returns where the ASCII text sub is in s, in any case, -1 without.
func indexFold(s, sub string) int {
	for i := 0; i+len(sub) <= len(s); i++ {
		if s[i]|0x20 == sub[0]|0x20 && strings.EqualFold(s[i:i+len(sub)], sub) {
			return i
		}
	}
	return -1
}

// resp finds the secrets in a command of Redis as RESP writes it: "*2", "$4",
// "AUTH", "$6", "secret", each with a line's end. It returns where the command
// ends.
func (f *found) resp(p Protocol, from int) (end int, ok bool) {
	s := f.s
	if p != Redis && p != Any || from >= len(s) || s[from] != '*' {
		return 0, false
	}
	count, at, ok := respNumber(s, from+1)
	if !ok {
		return 0, false
	}
	r := redisReader{}
	secret, stop := 0, at
	for range count {
		if at >= len(s) || s[at] != '$' {
			break
		}
		_, start, ok := respNumber(s, at+1)
		if !ok {
			break
		}
		// The line counts and not its length: that is the sender's to choose.
		stop = start
		for stop < len(s) && s[stop] != '\r' && s[stop] != '\n' {
			stop++
		}
		if secret == 0 {
			if i := r.word(s, start, stop); i >= 0 {
				secret = i
			}
		}
		at = stop
		for at < len(s) && (s[at] == '\r' || s[at] == '\n') {
			at++
		}
	}
	if secret == 0 && r.n > 0 && r.at > 0 {
		secret = r.at
	}
	if secret > 0 {
		f.mark(secret, stop)
	}
	return at, true
}

// respNumber reads a number and the line's end behind it.
func respNumber(s string, at int) (n, end int, ok bool) {
	start := at
	for at < len(s) && s[at] >= '0' && s[at] <= '9' && at-start < 9 {
		n = 10*n + int(s[at]-'0')
		at++
	}
	if at == start || at == len(s) || s[at] != '\r' && s[at] != '\n' {
		return 0, 0, false
	}
	if s[at] == '\r' {
		at++
	}
	if at < len(s) && s[at] == '\n' {
		at++
	}
	return n, at, true
}

// sql finds the secrets in statements: IDENTIFIED BY 'x', PASSWORD = 'x',
// PASSWORD('x'), SET PASSWORD FOR u = 'x'. The first text in quotes behind the
// word is the secret, unless something else starts before.
func (f *found) sql() {
	var buf [64]byte
	s, identified := f.s, false
	for i := 0; i < len(s); {
		if !letter(s[i]) {
			i++
			continue
		}
		start := i
		for i < len(s) && (letter(s[i]) || s[i] == '_') {
			i++
		}
		if i-start > 32 {
			continue
		}
		switch keyword(&buf, s[start:i]) {
		case "PASSWORD", "OLD_PASSWORD", "SECRET", "PWD", "MASTER_PASSWORD", "SOURCE_PASSWORD":
			if end := f.assigned(i); end > i {
				i = end
				continue
			}
			i = f.literal(i)
		case "IDENTIFIED":
			identified = true
			if end := f.bare(i); end > i {
				i = end
				continue
			}
			i = f.literal(i)
		case "REPLACE":
			if identified {
				i = f.literal(i)
			}
		case "SP_ADDLOGIN", "SP_PASSWORD", "OPENROWSET", "OPENDATASOURCE":
			// Their arguments have no names.
			i = f.arguments(i)
		}
	}
}

// assigned hides what stands without quotes behind "=", as in a connection's
// string. It returns where that ends, at where there is none.
func (f *found) assigned(at int) int {
	s, start := f.s, skipBlanks(f.s, at)
	if start == len(s) || s[start] != '=' {
		return at
	}
	start = skipBlanks(s, start+1)
	end := start
	for end < len(s) && !blank(s[end]) && strings.IndexByte(`'"();,$`, s[end]) < 0 {
		end++
	}
	switch {
	case end == start, end < len(s) && s[end] == '(':
		return at // in quotes, or a function's
	case end < len(s) && (s[end] == '\'' || s[end] == '"') && (end == start+1 || s[start] == '_'):
		return at // N'x', E'x', _utf8'x'
	}
	f.mark(start, end)
	return end
}

// bare hides the word behind BY, as Oracle has passwords. It returns where that
// ends, at where it is in quotes.
func (f *found) bare(at int) int {
	s, start := f.s, skipBlanks(f.s, at)
	if start+2 >= len(s) || !strings.EqualFold(s[start:start+2], "BY") || !blank(s[start+2]) {
		return at
	}
	start = skipBlanks(s, start+2)
	end := start
	for end < len(s) && !blank(s[end]) && strings.IndexByte(`'"();,/`, s[end]) < 0 {
		end++
	}
	if word := s[start:end]; word == "" || end < len(s) && (s[end] == '\'' || s[end] == '"') ||
		strings.EqualFold(word, "PASSWORD") || strings.EqualFold(word, "VALUES") {
		return at
	}
	f.mark(start, end)
	return end
}

// arguments hides the texts in quotes between the brackets behind at, or to the
// end of the statement.
func (f *found) arguments(at int) int {
	s, depth := f.s, 0
	for at < len(s) {
		switch c := s[at]; c {
		case '(':
			depth++
		case ')':
			if depth--; depth <= 0 {
				return at
			}
		case ';':
			if depth == 0 {
				return at
			}
		case '\'', '"':
			end := quoted(s, at)
			f.mark(at+1, end)
			at = end
		}
		at++
	}
	return at
}

func skipBlanks(s string, at int) int {
	for at < len(s) && blank(s[at]) {
		at++
	}
	return at
}

// quoted returns where the text in quotes that starts at at ends.
func quoted(s string, at int) int {
	c, end := s[at], at+1
	for end < len(s) && (s[end] != c || end+1 < len(s) && s[end+1] == c) {
		if s[end] == '\\' || s[end] == c {
			end++
		}
		end++
	}
	return min(end, len(s))
}

// literal hides the first text in quotes behind at. It returns where to go on.
func (f *found) literal(at int) int {
	const near = 256
	s := f.s
	for i := at; i < min(at+near, len(s)); i++ {
		c := s[i]
		switch c {
		case ';':
			return at
		case '$':
			// PostgreSQL's $tag$x$tag$.
			tag := i + 1
			for tag < len(s) && (letter(s[tag]) || s[tag] == '_') {
				tag++
			}
			if tag == len(s) || s[tag] != '$' {
				continue
			}
			tag++
			end := strings.Index(s[tag:], s[i:tag])
			if end < 0 {
				end = len(s) - tag
			}
			f.mark(tag, tag+end)
			return tag + end
		case '\'', '"':
			end := quoted(s, i)
			name := s[at:i]
			if strings.HasSuffix(strings.ToUpper(strings.TrimRight(name, " \t")), "FOR") || end+1 < len(s) && s[end+1] == '@' {
				// 'user'@'host' comes before the secret.
				i = min(end, len(s)-1)
				continue
			}
			if i > 0 && s[i-1] == '@' {
				i = min(end, len(s)-1)
				continue
			}
			f.mark(i+1, min(end, len(s)))
			return min(end+1, len(s))
		}
	}
	return at
}

func letter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
