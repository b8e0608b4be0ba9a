package redact

import "strings"

// maxWords is how many words of a line of nobody's are looked at as verbs.
const maxWords = 64

// rare are verbs that stand in no sentence; common ones count where they are in
// capitals, or where the line has the name of a protocol.
var (
	rare      = set("AUTHENTICATE APOP ADAT AUTHINFO SETUSER")
	common    = set("PASS AUTH LOGIN ACCT SITE OPER")
	commands  = set("HELLO CONFIG ACL MIGRATE SENTINEL EVAL EVAL_RO SCRIPT FUNCTION AUTH")
	protocols = [...]string{"redis", "imap", "pop3", "smtp", "ftp", "sasl"}
)

// anywhere finds logins in lines of no known form, which may have anything in
// front of a command.
func (f *found) anywhere() {
	asked := false
	for from := 0; from < len(f.s); {
		to := len(f.s)
		if n := strings.IndexAny(f.s[from:], "\r\n"); n >= 0 {
			to = from + n
		}
		asked = f.anywhereIn(from, to, asked)
		from = to + 1
	}
}

// anywhereIn finds a login in a line, as line does.
func (f *found) anywhereIn(from, to int, asked bool) bool {
	var buf [64]byte
	s := f.s
	named := false
	for _, p := range protocols {
		named = named || indexFold(s[from:to], p) >= 0
	}
	w := words{s: s, at: from, end: to}
	for n := range maxWords {
		start, end, ok := w.verb()
		if !ok {
			return asked && n == 0
		}
		word := s[start:end]
		// A verb may stand behind a name, or in quotes: cmd="AUTH.
		if at := strings.LastIndexAny(word, `="':`); at >= 0 && at+1 < len(word) {
			start += at + 1
			word = s[start:end]
		}
		if at := strings.IndexByte(word, '*'); at >= 0 {
			f.resp(Any, start+at)
		}
		key := keyword(&buf, word)
		if asked && n == 0 {
			if _, _, more := (&words{s: s, at: end, end: to}).next(); !more && !known(Any, key) {
				f.mark(start, end)
				return true
			}
		}
		loud := named || strings.Contains(word, key)
		switch {
		case key == "":
		case commands[key] && loud && key != "AUTH":
			if at := redisSecret(s, start, to); at >= 0 {
				f.mark(at, to)
				return false
			}
		case rare[key], common[key] && loud:
			if key == "SETUSER" {
				if at := strings.IndexAny(s[end:to], "><#!"); at >= 0 {
					f.mark(end+at+1, to)
					return false
				}
				continue
			}
			if more := f.login(Any, key, words{s: s, at: end, end: to}); more || f.hides(to-1) {
				return more
			}
		default:
			for _, name := range redisParameters {
				if key == name {
					f.mark(end, to)
					return false
				}
			}
		}
	}
	return false
}

// hides says whether s[at] is hidden.
func (f *found) hides(at int) bool { return f.hide != nil && f.hide[at] != 0 }
