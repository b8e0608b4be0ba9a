package dialect

import (
	"strings"

	"dossier/correlate/event"
)

// parse3164 takes apart a line as older programs and rsyslog's file formats
// write it: [<PRI>]TIMESTAMP HOST TAG[PID]: MSG (RFC 3164 §4.1). A time stamp
// without year and zone means no instant; the record's time stands for it.
func parse3164(f *frame, line string) bool {
	*f = frame{}
	rest := line
	if rest[0] == '<' {
		var ok bool
		if rest, ok = cutPriority(rest); !ok {
			return false
		}
	}
	if rest, ok := cutBSDTime(rest); ok {
		return f.parseTag(rest)
	}
	stamp, rest, ok := strings.Cut(rest, " ")
	if !ok || len(stamp) < len("2006-01-02T15:04:05") {
		return false
	}
	if _, ok := parseTime(stamp); !ok {
		return false
	}
	f.time, f.timed = stamp, true
	return f.parseTag(rest)
}

// cutBSDTime cuts "Jan  2 15:04:05 " off a line.
func cutBSDTime(s string) (rest string, ok bool) {
	const layout = "Jan  2 15:04:05 "
	if len(s) < len(layout) || s[3] != ' ' || s[6] != ' ' || s[9] != ':' || s[12] != ':' || s[15] != ' ' {
		return "", false
	}
	const months = "JanFebMarAprMayJunJulAugSepOctNovDec"
	if i := strings.Index(months, s[:3]); i < 0 || i%3 != 0 {
		return "", false
	}
	for _, i := range [...]int{7, 10, 13} {
		if _, ok := digits(s, i, 2); !ok {
			return "", false
		}
	}
	return s[len(layout):], true
}

// parseTag reads HOST TAG[PID]: MSG.
func (f *frame) parseTag(s string) bool {
	host, rest, ok := strings.Cut(s, " ")
	if !ok || host == "" {
		return false
	}
	end := strings.IndexAny(rest, ": ")
	if end <= 0 || rest[end] != ':' {
		return false
	}
	f.host, f.app = host, rest[:end]
	f.msg = strings.TrimSpace(rest[end+1:])
	return true
}

// prose is what a program's sentence says.
type prose struct {
	// kind is the event, "" where the sentence is none of those known.
	kind string
	addr string
	user string
	// sources counts the places in which an address could stand.
	sources int
}

// parseProse reads what sshd and PAM write. User names, banners and
// reasons in the sentences are the other side's text: an address counts only
// where the program puts it, and a sentence with two such places, of which one
// must be in somebody's name, is nobody's.
func parseProse(msg string) prose {
	if strings.HasPrefix(msg, "pam_") {
		return pamProse(msg)
	}
	for i := range sentences {
		s := &sentences[i]
		rest, ok := strings.CutPrefix(msg, s.start)
		if !ok {
			continue
		}
		p := prose{kind: s.kind}
		if s.between == "" {
			p.addr, _, _ = strings.Cut(rest, " ")
			p.sources = 1
			return p
		}
		if s.between == portWord {
			// NAME ADDRESS port N
			p.sources = strings.Count(rest, portWord)
			name, _, _ := strings.Cut(rest, portWord)
			if at := strings.LastIndexByte(name, ' '); at >= 0 {
				p.user, p.addr = name[:at], name[at+1:]
			}
			return p
		}
		p.sources = strings.Count(rest, s.between)
		if at := strings.LastIndex(rest, s.between); at >= 0 {
			p.user = rest[:at]
			p.addr, _, _ = strings.Cut(rest[at+len(s.between):], " ")
		}
		return p
	}
	return prose{}
}

// portWord follows the address in sshd's sentences.
const portWord = " port "

// sentences are the beginnings of what OpenSSH's sshd writes, longer ones first. Where between is " from ", a name stands before it
// and the address behind it; where it is " port ", both stand before it; else
// the address comes at once.
var sentences = [...]struct{ start, between, kind string }{
	{"Failed password for invalid user ", " from ", "auth_failure"},
	{"Failed password for ", " from ", "auth_failure"},
	{"Failed publickey for ", " from ", "auth_failure"},
	{"Failed keyboard-interactive/pam for ", " from ", "auth_failure"},
	{"Failed none for ", " from ", "auth_failure"},
	{"Accepted password for ", " from ", "auth_success"},
	{"Accepted publickey for ", " from ", "auth_success"},
	{"Accepted keyboard-interactive/pam for ", " from ", "auth_success"},
	{"Invalid user ", " from ", "invalid_user"},
	{"error: maximum authentication attempts exceeded for ", " from ", "too_many_attempts"},
	{"Bad protocol version identification ", " from ", "bad_banner"},
	{"Connection from ", "", "connect"},
	{"Connection closed by authenticating user ", portWord, "disconnect"},
	{"Connection closed by invalid user ", portWord, "disconnect"},
	{"Connection closed by ", "", "disconnect"},
	{"Connection reset by ", "", "disconnect"},
	{"Disconnected from authenticating user ", portWord, "disconnect"},
	{"Disconnected from invalid user ", portWord, "disconnect"},
	{"Disconnected from user ", portWord, "disconnect"},
	{"Disconnected from ", "", "disconnect"},
	{"Received disconnect from ", "", "disconnect"},
	{"Did not receive identification string from ", "", "no_banner"},
	{"banner exchange: Connection from ", "", "bad_banner"},
	{"error: kex_exchange_identification: Connection closed by ", "", "no_banner"},
	{"Unable to negotiate with ", "", "negotiation_failure"},
}

// pamProse reads "pam_unix(sshd:auth): authentication failure; logname= uid=0
// euid=0 tty=ssh ruser= rhost=192.0.2.1  user=root".
func pamProse(msg string) prose {
	_, pairs, ok := strings.Cut(msg, "): authentication failure; ")
	if !ok {
		return prose{}
	}
	p := prose{kind: "pam_failure", sources: strings.Count(pairs, "rhost=")}
	_, rest, ok := strings.Cut(pairs, " rhost=")
	if !ok {
		return p
	}
	p.addr, _, _ = strings.Cut(rest, " ")
	return p
}

// proseLogin adds the login a sentence tells of.
func (x *scratch) proseLogin(p *prose, class class) {
	if !class.Login {
		return
	}
	c := credential{principal: p.user, outcome: event.Failure}
	if p.kind == "auth_success" {
		c.outcome = event.Success
	}
	x.login(c)
}
