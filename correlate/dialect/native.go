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

// parseTag reads HOST TAG[PID]: MSG, the colon being the sender's choice. A relay that took the VERSION of an RFC
// 5424 line for a tag wrote "HOST 1 " and the rest of that line.
func (f *frame) parseTag(s string) bool {
	host, rest, ok := strings.Cut(s, " ")
	if !ok || host == "" {
		return false
	}
	if wrapped, ok := strings.CutPrefix(rest, wrappedApp+" "); ok {
		f.host, f.app, f.msg = host, wrappedApp, strings.TrimSpace(wrapped)
		return true
	}
	end := strings.IndexAny(rest, ": ")
	if end <= 0 {
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
	key  string // the fingerprint of a public key
	// outcome is how an attempt ended.
	outcome event.Outcome
	// ambiguous says that the address may stand in somebody's text.
	ambiguous bool
}

// parseProse reads what sshd and PAM write. User names, banners and reasons in
// the sentences are the other side's text; an address counts only where the
// program puts it: at the start, or where the sentence's own end says. Where
// the end leaves two readings the sentence is ambiguous.
func parseProse(msg string) prose {
	if strings.HasPrefix(msg, "pam_") {
		return pamProse(msg)
	}
	// What sshd's unprivileged half says is marked so by the other half.
	msg = strings.TrimSuffix(msg, " [preauth]")
	for i := range sentences {
		s := &sentences[i]
		rest, ok := strings.CutPrefix(msg, s.start)
		if !ok {
			continue
		}
		p := prose{kind: s.kind, outcome: s.outcome}
		switch s.order {
		case addressFirst:
			p.addr, _, _ = strings.Cut(rest, " ")
		case nameAddress:
			if at := strings.LastIndex(rest, portWord); at >= 0 && isNumber(rest[at+len(portWord):]) {
				rest = rest[:at]
			}
			if at := strings.LastIndexByte(rest, ' '); at >= 0 {
				p.user, p.addr = rest[:at], rest[at+1:]
			}
		case nameFromAddress:
			at, found := placeOfAddress(rest, s.keyed)
			if found == 0 {
				continue
			}
			tail := rest[at+len(fromWord):]
			p.user = rest[:at]
			p.addr, tail, _ = strings.Cut(tail, " ")
			if key := strings.Index(tail, " SHA256:"); key >= 0 {
				p.key, _, _ = strings.Cut(tail[key+1:], " ")
			}
			p.ambiguous = found > 1
		}
		return p
	}
	return prose{}
}

const (
	fromWord = " from "
	portWord = " port "
	sshWord  = " ssh2"
)

// placeOfAddress finds the " from " behind which sshd put the address in a
// sentence that begins with a name, and in how many places it may be:
//
//	NAME from ADDRESS [port N [ssh2[: KEY]]]
//
// The name is the client's text, and so is the identity of a certificate, which
// only sentences of keys can have: KEY is "TYPE FINGERPRINT" or "TYPE
// [FINGERPRINT] ID identity (serial N) CA TYPE FINGERPRINT" (OpenSSH, auth.c and
// auth2-pubkey.c). Without a certificate all that follows the address is sshd's,
// so that it stands in the last place that fits the end. A certificate may have
// a name that looks like one in front of it, and sshd cuts a line at 1,023
// bytes, which may be in the identity: then every place that fits may be it.
func placeOfAddress(s string, keyed bool) (at, found int) {
	const none = -1
	end, key, other := none, none, none
	keys, others := 0, 0
	for i := 0; ; i += len(fromWord) - 1 { // its last space may be another's first
		n := strings.Index(s[i:], fromWord)
		if n < 0 {
			break
		}
		i += n
		_, tail, _ := strings.Cut(s[i+len(fromWord):], " ")
		switch whole, ends := cutPort(tail); {
		case ends:
			end = i
		case keyed && whole != "":
			key, keys = i, keys+1
		default:
			other, others = i, others+1
		}
	}
	switch {
	case end != none:
		return end, 1 + keys
	case keys > 0:
		return key, keys
	default:
		return other, others
	}
}

// cutPort reads what stands behind an address, without the space in front: ends
// says that it is "", "port N" or "port N ssh2", key is what follows "port N
// ssh2: ".
func cutPort(s string) (key string, ends bool) {
	if s == "" {
		return "", true
	}
	s, ok := strings.CutPrefix(s, portWord[1:])
	if !ok {
		return "", false
	}
	port, s, more := strings.Cut(s, " ")
	if !isNumber(port) {
		return "", false
	}
	if !more || s == sshWord[1:] {
		return "", true
	}
	key, _ = strings.CutPrefix(s, sshWord[1:]+": ")
	if key == s {
		return "", false
	}
	return key, false
}

// isNumber says whether s is digits.
func isNumber(s string) bool {
	_, ok := digits(s, 0, len(s))
	return ok && s != ""
}

// The orders in which sentences have a name and an address.
const (
	addressFirst    = iota
	nameAddress     // NAME ADDRESS port N
	nameFromAddress // NAME from ADDRESS port N
)

// sentences are the beginnings of what OpenSSH's sshd writes (auth.c,
// packet.c, kex.c), longer ones first.
var sentences = [...]struct {
	start   string
	order   int
	kind    string
	outcome event.Outcome
	// keyed says that the sentence may end with the client's key.
	keyed bool
}{
	{"Failed password for invalid user ", nameFromAddress, "login", event.Failure, false},
	{"Failed password for ", nameFromAddress, "login", event.Failure, false},
	{"Failed publickey for invalid user ", nameFromAddress, "login", event.Failure, true},
	{"Failed publickey for ", nameFromAddress, "login", event.Failure, true},
	{"Failed keyboard-interactive/pam for invalid user ", nameFromAddress, "login", event.Failure, false},
	{"Failed keyboard-interactive/pam for ", nameFromAddress, "login", event.Failure, false},
	{"Failed none for invalid user ", nameFromAddress, "login", event.Failure, false},
	{"Failed none for ", nameFromAddress, "login", event.Failure, false},
	{"Accepted password for ", nameFromAddress, "login", event.Success, false},
	{"Accepted publickey for ", nameFromAddress, "login", event.Success, true},
	{"Accepted keyboard-interactive/pam for ", nameFromAddress, "login", event.Success, false},
	{"Invalid user ", nameFromAddress, "invalid_user", event.Unknown, false},
	{"Postponed ", nameFromAddress, "login_step", event.Unknown, true},
	{"error: PAM: Authentication failure for ", nameFromAddress, "login_pam", event.Failure, false},
	{"error: maximum authentication attempts exceeded for ", nameFromAddress, "too_many_attempts", event.Unknown, false},
	{"Bad protocol version identification ", nameFromAddress, "bad_banner", event.Unknown, false},
	{"Connection from ", addressFirst, "connect", event.Unknown, false},
	{"Connection closed by authenticating user ", nameAddress, "disconnect", event.Unknown, false},
	{"Connection closed by invalid user ", nameAddress, "disconnect", event.Unknown, false},
	{"Connection closed by ", addressFirst, "disconnect", event.Unknown, false},
	{"Connection reset by authenticating user ", nameAddress, "disconnect", event.Unknown, false},
	{"Connection reset by invalid user ", nameAddress, "disconnect", event.Unknown, false},
	{"Connection reset by ", addressFirst, "disconnect", event.Unknown, false},
	{"Disconnected from authenticating user ", nameAddress, "disconnect", event.Unknown, false},
	{"Disconnected from invalid user ", nameAddress, "disconnect", event.Unknown, false},
	{"Disconnected from user ", nameAddress, "disconnect", event.Unknown, false},
	{"Disconnected from ", addressFirst, "disconnect", event.Unknown, false},
	{"Received disconnect from ", addressFirst, "disconnect", event.Unknown, false},
	{"Did not receive identification string from ", addressFirst, "no_banner", event.Unknown, false},
	{"banner exchange: Connection from ", addressFirst, "bad_banner", event.Unknown, false},
	{"Unable to negotiate with ", addressFirst, "negotiation_failure", event.Unknown, false},
}

// pamProse reads "pam_unix(sshd:auth): authentication failure; logname= uid=0
// euid=0 tty=ssh ruser= rhost=192.0.2.1  user=root" (Linux-PAM,
// modules/pam_unix/support.c). Both ruser in front of the address and user
// behind it are a client's to choose, so that the address counts where nothing
// or the user follows it, and alone.
func pamProse(msg string) prose {
	_, pairs, ok := strings.Cut(msg, "): authentication failure; ")
	if !ok {
		return prose{}
	}
	p := prose{kind: "login_pam"}
	found := 0
	for {
		if _, pairs, ok = strings.Cut(pairs, " rhost="); !ok {
			break
		}
		addr, tail, _ := strings.Cut(pairs, " ")
		if tail = strings.TrimLeft(tail, " "); tail == "" || strings.HasPrefix(tail, "user=") {
			p.addr = addr
			found++
		}
	}
	p.ambiguous = found > 1
	return p
}

// proseLogin adds the login a sentence tells of.
func (x *scratch) proseLogin(p *prose, class class) {
	if !class.Login {
		return
	}
	c := credential{principal: p.user, outcome: p.outcome}
	if p.key != "" {
		c.kind, c.secret = "publickey", p.key
	}
	x.login(c)
}
