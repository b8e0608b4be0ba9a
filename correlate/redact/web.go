package redact

import "strings"

// maxName is the longest name of a value that is looked at.
const maxName = 128

// web finds the secrets in s[:to] that have a name (query strings, forms, JSON,
// XML, headers), that follow a scheme of RFC 9110 §11, and that are in URLs.
func (f *found) web(to int) {
	f.pairs(to)
	f.calls(to)
	f.schemes(to)
	f.urls(0, to)
}

// pairs finds values whose names say that they are secrets: name=value,
// "name": "value", name: value, <name>value</name>, and the parts of a form
// (RFC 7578).
func (f *found) pairs(to int) {
	rpc, sasl := f.has(to, "<methodcall"), f.has(to, "sasl")
	for i := 0; i < to; i++ {
		switch f.s[i] {
		case '=', ':':
			name, quoted := f.nameBefore(i)
			if name == "" {
				continue
			}
			if f.s[i] == '=' && quoted == "" && strings.EqualFold(name, "name") {
				i = f.part(i+1, to)
				continue
			}
			if secretName(name) || sasl && strings.EqualFold(name, "payload") {
				i = f.valueAt(i+1, to, f.s[i] == ':', name) - 1
			}
		case '>':
			// The parameters of XML-RPC have no names.
			element := f.elementBefore(i)
			if secretName(element) || rpc && (element == "string" || element == "value" || element == "base64") {
				end := i + 1
				for end < to && f.s[end] != '<' {
					end++
				}
				f.mark(i+1, end)
				i = end - 1
			}
		}
	}
}

// has says whether s[:to] has a word, in any case.
func (f *found) has(to int, word string) bool { return indexFold(f.s[:to], word) >= 0 }

func nameByte(c byte) bool {
	switch {
	case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		return true
	}
	return c >= 0x80 || strings.IndexByte("_-.[]%+$@", c) >= 0
}

// nameBefore returns the name in front of s[at], and the quotes around it.
func (f *found) nameBefore(at int) (name, quotes string) {
	s := f.s
	end := at
	low := max(0, at-maxName)
	for end > low && (s[end-1] == ' ' || s[end-1] == '\t') {
		end--
	}
	closing := end
	for end > low && (s[end-1] == '"' || s[end-1] == '\'' || s[end-1] == '\\') {
		end--
	}
	start := end
	for start > low && nameByte(s[start-1]) {
		start--
	}
	return s[start:end], s[end:closing]
}

// elementBefore returns the local name of the XML element whose tag s[at] ends.
func (f *found) elementBefore(at int) string {
	low := max(0, at-4*maxName)
	for i := at - 1; i >= low; i-- {
		switch f.s[i] {
		case '>':
			return ""
		case '<':
			name := f.s[i+1 : at]
			if n := strings.IndexAny(name, " \t\r\n/"); n >= 0 {
				name = name[:n]
			}
			return name[strings.IndexByte(name, ':')+1:]
		}
	}
	return ""
}

// part reads name="x" of a form's part. It hides the part where x is a secret's
// name, and returns where to go on.
func (f *found) part(at, to int) int {
	s := f.s
	for at < to && (s[at] == '"' || s[at] == '\\') {
		at++
	}
	end := at
	for end < to && end-at < maxName && nameByte(s[end]) {
		end++
	}
	if !secretName(s[at:end]) {
		return max(at-1, 0)
	}
	// The part's headers end with an empty line, the part before "\n--".
	body := at
	for _, blank := range [...]string{"\r\n\r\n", "\n\n", `\r\n\r\n`, `\n\n`} {
		if n := strings.Index(s[end:min(end+512, to)], blank); n >= 0 {
			body = end + n + len(blank)
			break
		}
	}
	if body == at {
		// An HTML form's input: value="x" is near, or the value is the name's.
		return end
	}
	stop := body
	for stop < to {
		n := strings.Index(s[stop:to], "--")
		if n < 0 {
			stop = to
			break
		}
		stop += n
		if c := s[stop-1]; c == '\n' || c == 'n' && s[stop-2] == '\\' {
			break
		}
		stop++
	}
	// The line's end before the boundary is the boundary's.
	for _, end := range [...]string{"\r\n", "\n", `\r\n`, `\n`} {
		if stop < to && strings.HasSuffix(s[body:stop], end) {
			stop -= len(end)
			break
		}
	}
	f.mark(body, stop)
	return stop
}

// calls finds the password in db.auth("name", "password") of MongoDB's shell, and
// the token that a websocket to Kubernetes has in its subprotocol's name.
func (f *found) calls(to int) {
	const subprotocol = "bearer.authorization.k8s.io."
	if at := indexFold(f.s[:to], subprotocol); at >= 0 {
		at += len(subprotocol)
		end := at
		for end < to && !blank(f.s[end]) && f.s[end] != ',' && f.s[end] != '\\' && f.s[end] != '"' {
			end++
		}
		f.mark(at, end)
	}
	const call = ".auth("
	for at := 0; at < to; {
		n := indexFold(f.s[at:to], call)
		if n < 0 {
			return
		}
		at += n + len(call)
		comma := strings.IndexByte(f.s[at:to], ',')
		if comma < 0 {
			return
		}
		end := strings.IndexByte(f.s[at+comma:to], ')')
		if end < 0 {
			end = to - at - comma
		}
		f.mark(at+comma+1, at+comma+end)
		at += comma + end
	}
}

// valueAt hides the value that starts at or behind at: to the end of its quotes,
// of the pair, or of the line. It returns where the value ends.
func (f *found) valueAt(at, to int, colon bool, name string) int {
	s := f.s
	for at < to && (s[at] == ' ' || s[at] == '\t') {
		at++
	}
	slashes := at
	for at < to && s[at] == '\\' {
		at++
	}
	if at < to && (s[at] == '"' || s[at] == '\'') {
		escaped := at - slashes
		quote := s[at]
		for end := at + 1; end < to; end++ {
			if s[end] == '\\' && escaped == 0 {
				end++
				continue
			}
			if s[end] == quote && backslashes(s[at+1:end]) <= escaped {
				end -= min(backslashes(s[at+1:end]), escaped)
				f.mark(at+1, end)
				return end
			}
		}
		f.mark(at+1, to)
		return to
	}
	at = slashes
	if colon && (at+1 < to && s[at] == '/' && s[at+1] == '/') {
		return at // a URL's scheme
	}
	if at < to && s[at] == '[' && colon {
		return f.list(at+1, to)
	}
	if at < to && s[at] == '{' && colon {
		return at // what it holds has names of its own
	}
	end := at
	for end < to && s[end] != '\r' && s[end] != '\n' && (colon || s[end] != '&') {
		end++
	}
	if colon && authorization(name) {
		// The scheme isn't the secret.
		if n := strings.IndexByte(s[at:end], ' '); n > 0 && schemeName(s[at:at+n]) {
			at += n + 1
		}
	}
	f.mark(at, end)
	return end
}

// list hides the texts in quotes of a list that starts at at. It returns where the
// list ends.
func (f *found) list(at, to int) int {
	s := f.s
	for at < to && s[at] != ']' && s[at] != '{' {
		quote := s[at]
		at++
		if quote != '"' && quote != '\'' {
			continue
		}
		start := at
		for at < to && s[at] != quote {
			if s[at] == '\\' {
				at++
			}
			at++
		}
		at = min(at, to)
		f.mark(start, at-backslashes(s[start:at]))
		at = min(at+1, to)
	}
	return at
}

// backslashes returns how many backslashes s ends with, 8 at the most.
func backslashes(s string) int {
	n := 0
	for n < len(s) && n < 8 && s[len(s)-1-n] == '\\' {
		n++
	}
	return n
}

func authorization(name string) bool {
	const word = "authorization"
	return len(name) >= len(word) && strings.EqualFold(name[len(name)-len(word):], word)
}

// schemeName says whether s is an authentication scheme of HTTP (IANA's
// registry).
func schemeName(s string) bool {
	switch strings.ToLower(s) {
	case "basic", "bearer", "digest", "negotiate", "ntlm", "dpop", "gnap", "hoba", "mutual", "oauth", "privatetoken",
		"scram-sha-1", "scram-sha-256", "vapid", "token", "apikey", "aws4-hmac-sha256":
		return true
	}
	return false
}

// schemes finds what follows "Basic " and its like wherever it stands.
func (f *found) schemes(to int) {
	s := f.s
	for i := 0; i < to; i++ {
		if !letter(s[i]) || i > 0 && (letter(s[i-1]) || s[i-1] == '-') {
			continue
		}
		end := i
		for end < to && end-i < 16 && letter(s[end]) {
			end++
		}
		if end == to || s[end] != ' ' && s[end] != '\t' {
			continue
		}
		switch strings.ToLower(s[i:end]) {
		case "basic", "bearer", "negotiate", "ntlm":
		default:
			continue
		}
		start := end
		for start < to && (s[start] == ' ' || s[start] == '\t') {
			start++
		}
		stop := start
		for stop < to && (base64Byte(s[stop]) || s[stop] == '.' || s[stop] == '~' || s[stop] == '=') {
			stop++
		}
		if stop-start >= 4 {
			f.mark(start, stop)
		}
		i = max(i, stop-1)
	}
}

// secretWords are in the names of values that are secrets, without what isn't a
// letter; secretNames are such names.
var (
	secretWords = [...]string{
		"passw", "passphrase", "passcode", "passkey", "secret", "token", "apikey", "accesskey", "privatekey", "credential",
		"authorization", "kennwort", "contrasena", "motdepasse", "bearer",
	}
	secretEnds  = [...]string{"pass", "pwd", "passwd", "psswd", "pswd", "jwt", "authkey", "sessionid", "sessid"}
	secretNames = set("pw pin psw psd pword key auth otp sig signature senha mdp clave creds passe parola haslo sifre sid cookie setcookie")
)

// secretName says whether a value of that name is a secret: password, user_pass,
// login[pwd], API-Key, access%5Ftoken.
func secretName(name string) bool {
	if name == "" || len(name) > maxName {
		return false
	}
	var buf [maxName]byte
	b := buf[:0]
	digits := 0
	for i := 0; i < len(name); i++ {
		c := name[i]
		if c == '%' && i+2 < len(name) {
			if hi, ok := hexValue(name[i+1]); ok {
				if lo, ok := hexValue(name[i+2]); ok {
					c, i = hi<<4|lo, i+2
				}
			}
		}
		switch {
		case letter(c):
			b, digits = append(b, c|0x20), 0
		case c >= '0' && c <= '9':
			digits++
		}
	}
	n := string(b)
	if secretNames[n] {
		return true
	}
	for _, word := range secretWords {
		if strings.Contains(n, word) {
			return true
		}
	}
	for _, word := range secretEnds {
		if strings.HasSuffix(n, word) {
			return true
		}
	}
	return false
}

// ending is where a word or a line ends, and where the last "@" in it is, -1
// without one.
type ending struct{ end, at int }

// reach returns where what stop ends ends, from at on.
func reach(s string, at, to int, stop func(c byte) bool) ending {
	e := ending{at, -1}
	for ; e.end < to && !stop(s[e.end]); e.end++ {
		if s[e.end] == '@' {
			e.at = e.end
		}
	}
	return e
}

func endsURL(c byte) bool  { return c <= ' ' || c == '"' || c == '<' || c == '>' }
func endsLine(c byte) bool { return c == '\r' || c == '\n' }

// urls finds the passwords of the URLs in s[from:to].
func (f *found) urls(from, to int) {
	word, line := ending{from, -1}, ending{from, -1}
	for i := from; i+1 < to; i++ {
		if f.s[i] != '/' || f.s[i+1] != '/' {
			continue
		}
		if i >= line.end {
			line = reach(f.s, i, to, endsLine)
		}
		if i >= word.end {
			word = reach(f.s, i, to, endsURL)
		}
		if (i == from || f.s[i-1] != ':') && line.at < i {
			continue // part of a path
		}
		i = max(i, f.url(i+2, word, line)-1)
	}
}

// url finds the password of the URL whose authority stands at from, in a word and
// a line that end as given. It returns where the authority ends, or the password.
//
// People write passwords with "/", "?", "#", "@" and spaces in them, as RFC 3986
// doesn't allow. Where the password's end is in doubt nothing behind its start
// is shown, the host neither: another one could be read into it.
func (f *found) url(from int, word, line ending) int {
	s, end := f.s, word.end
	if from >= end {
		return from
	}
	authority := from
	for authority < end && strings.IndexByte("/?#\\", s[authority]) < 0 {
		authority++
	}
	host := from
	if s[host] == '[' {
		if n := strings.IndexByte(s[host:authority], ']'); n >= 0 {
			host += n // an IPv6 address
		}
	}
	colon, width := colonIn(s[host:authority])
	if colon < 0 {
		return authority
	}
	colon += host
	start := colon + width
	at := from + strings.LastIndexByte(s[from:authority], '@')
	named := at >= from
	switch {
	case named && at > colon && word.at > at:
		end = doubtful(s, word, line)
		f.mark(start, end)
		return end
	case named && at == start:
		f.mark(from, colon) // without a password the name is one: a token
		return authority
	case named && at > colon:
		f.mark(start, at)
		return authority
	case port(s[start:authority], word.at < from):
		name := s[from:colon]
		if named || word.at < authority || strings.ContainsAny(name, ".[%") || strings.EqualFold(name, "localhost") {
			return authority
		}
		f.mark(start, end)
		return end
	default:
		end = doubtful(s, word, line)
		f.mark(start, end)
		return end
	}
}

// doubtful returns where a password ends at the latest: at the end of the word
// that has the line's last "@".
func doubtful(s string, word, line ending) int {
	if line.at < word.end {
		return word.end
	}
	return reach(s, line.at, line.end, endsURL).end
}

// colonIn returns where the first ":" of an authority stands, and how long it is
// written.
func colonIn(s string) (at, width int) {
	for i := 0; i < len(s); i++ {
		if s[i] == ':' {
			return i, 1
		}
		if s[i] == '%' && i+2 < len(s) && s[i+1] == '3' && s[i+2]|0x20 == 'a' {
			return i, 3
		}
	}
	return -1, 0
}

// port says whether s is a port. What follows one loosely may be the next part of
// a command line.
func port(s string, loosely bool) bool {
	n := 0
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	if n > 5 {
		return false
	}
	return n == len(s) || loosely && n > 0 && strings.IndexByte(";|&`'(),+}]", s[n]) >= 0
}
