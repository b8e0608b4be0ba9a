package dialect

import (
	"slices"
	"strings"

	"dossier/correlate/event"
)

// parse3164 takes apart a line as older programs and rsyslog's file formats
// write it: [<PRI>]TIMESTAMP [HOST] TAG[PID]: MSG (RFC 3164 §4.1). What writes
// to /dev/log leaves the host out, and with a <PRI> some, such as Python's
// SysLogHandler, the time stamp too.
func parse3164(f *frame, line string) bool {
	*f = frame{}
	rest := line
	priority := rest[0] == '<'
	if priority {
		var ok bool
		if rest, ok = cutPriority(rest); !ok {
			return false
		}
	}
	if w, rest, ok := cutBSDTime(rest); ok {
		f.wall, f.walled, f.timed = w, true, true
		return f.parseTag(rest)
	}
	if rest, ok := f.cutISOTime(rest); ok {
		return f.parseTag(rest)
	}
	if f.cutDropbear(rest) {
		return true
	}
	return priority && f.parseOnlyTag(rest)
}

// cutDropbear reads what Dropbear writes where it doesn't log to syslog:
// "[PID] Jan 02 15:04:05 MSG" (svr-session.c).
func (f *frame) cutDropbear(s string) bool {
	pid, rest, ok := strings.Cut(strings.TrimPrefix(s, "["), "] ")
	if s[:min(1, len(s))] != "[" || !ok || !isNumber(pid) {
		return false
	}
	w, msg, ok := cutBSDTime(rest)
	if !ok {
		return false
	}
	f.wall, f.walled, f.timed, f.app, f.msg = w, true, true, "dropbear", strings.TrimSpace(msg)
	return true
}

// cutISOTime cuts a time stamp of ISO 8601 off a line, with "T" or a space
// between date and time.
func (f *frame) cutISOTime(s string) (rest string, ok bool) {
	const date = "2006-01-02"
	if len(s) < len(date)+len("T15:04:05 ") {
		return "", false
	}
	end := strings.IndexByte(s, ' ')
	if end == len(date) {
		if end = strings.IndexByte(s[len(date)+1:], ' '); end >= 0 {
			end += len(date) + 1
		}
	}
	if end < len(date)+len("T15:04:05") {
		return "", false
	}
	stamp := s[:end]
	t, ok := parseTime(stamp)
	if !ok {
		return "", false
	}
	f.time, f.timed = stamp, true
	rest = s[end+1:]
	if clock := stamp[len(date):]; !strings.ContainsAny(clock, "Z+-") {
		var w wallTime
		if rest = w.cutZone(rest); w.zoned {
			f.micros = t - event.Time(w.ahead*1e6)
		}
	}
	return rest, true
}

// parseTag reads [HOST] TAG[PID]: MSG, the colon being the sender's choice where
// there is a host. A relay that took the VERSION of an RFC 5424 line for a tag
// wrote "HOST 1 " and the rest of that line.
func (f *frame) parseTag(s string) bool {
	s = strings.TrimLeft(s, " ")
	if strings.HasPrefix(s, "<") {
		// FreeBSD's syslogd -v writes facility and level there: <auth.info>.
		if _, rest, ok := strings.Cut(s, "> "); ok {
			s = rest
		}
	}
	host, rest, ok := strings.Cut(s, " ")
	if ok && isPriority(host) {
		return f.parseOnlyTag(rest) // logread without a host
	}
	// BusyBox's syslogd writes facility and level behind the host: auth.info.
	if word, behind, more := strings.Cut(rest, " "); more && isPriority(word) {
		s, rest = host+" "+behind, behind
	}
	if !ok || host == "" {
		return false
	}
	if host[len(host)-1] == ':' || isBracketed(host) || strings.HasSuffix(host, "]") {
		return f.parseOnlyTag(s)
	}
	if f.isTag(s) {
		return f.parseOnlyTag(s)
	}
	if wrapped, ok := strings.CutPrefix(rest, wrappedApp+" "); ok {
		f.host, f.app, f.msg = host, wrappedApp, strings.TrimSpace(wrapped)
		return true
	}
	f.host = host
	if f.isTag(rest) {
		return f.parseOnlyTag(rest)
	}
	end := strings.IndexAny(rest, ": ")
	if end <= 0 {
		return false
	}
	f.app = unbracketed(rest[:end])
	f.msg = strings.TrimSpace(rest[end+1:])
	return true
}

// isPriority says whether a word is a facility and a level, such as auth.info.
func isPriority(word string) bool {
	facility, level, ok := strings.Cut(word, ".")
	return ok && slices.Contains(levels, level) && (slices.Contains(facilities, facility) || strings.HasPrefix(facility, "local") && len(facility) == len("local0"))
}

var (
	facilities = []string{"kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp"}
	levels     = []string{"emerg", "alert", "crit", "err", "warn", "notice", "info", "debug"}
)

// isTag says whether s begins with a tag whose brackets have spaces or a colon in
// them, as OpenCanary's "[%(process)-5s:%(thread)d]" makes.
func (f *frame) isTag(s string) bool {
	open := strings.IndexAny(s, " [:")
	if open <= 0 || s[open] != '[' {
		return false
	}
	end := strings.IndexByte(s, ']')
	return end > open && end-open < 64 && strings.HasPrefix(s[end:], "]:") && strings.ContainsAny(s[open:end], " :")
}

// parseOnlyTag reads TAG[PID]: MSG.
func (f *frame) parseOnlyTag(s string) bool {
	if f.isTag(s) {
		tag, msg, _ := strings.Cut(s, "]:")
		f.app, _, _ = strings.Cut(tag, "[")
		f.msg = strings.TrimSpace(msg)
		return true
	}
	tag, msg, ok := strings.Cut(s, " ")
	if !ok || len(tag) > maxTag {
		return false
	}
	// A tag ends in a colon, has a process id, or is in brackets.
	name, colon := strings.CutSuffix(tag, ":")
	if !colon && !strings.HasSuffix(name, "]") || name == "" {
		return false
	}
	f.app, f.msg = unbracketed(name), strings.TrimSpace(msg)
	return f.app != ""
}

// maxTag is the longest tag, in bytes. RFC 3164 allows 32.
const maxTag = 128

// unbracketed returns the name in "[sshd]", as some formats write tags.
func unbracketed(tag string) string {
	if isBracketed(tag) {
		return tag[1 : len(tag)-1]
	}
	return tag
}

func isBracketed(tag string) bool { return len(tag) > 2 && tag[0] == '[' && tag[len(tag)-1] == ']' }

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
	// Of a sentence that was repeated the attempts count, each.
	x.evidence[len(x.evidence)-1].N = p.times
}
