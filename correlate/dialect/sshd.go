package dialect

import (
	"strings"

	"dossier/correlate/event"
)

// sentence is one kind of what OpenSSH's sshd says of a peer: the forms it has in
// versions 7.0 to 10, in the notation of parseForm.
type sentence struct {
	kind    string
	outcome event.Outcome
	forms   []string
}

// sentences are those that name a peer, from OpenSSH's source: auth.c,
// auth-pam.c, auth2-pubkey.c, auth2-hostbased.c, auth2-gss.c, monitor.c,
// packet.c, canohost.c, kex.c, sshd.c, sshd-session.c, serverloop.c, session.c,
// channels.c, srclimit.c and sftp-server.c. "refused connect" is the wrappers' that
// Debian links in; a few forms without a port are older than 7.0.
var sentences = []sentence{
	{"login", event.Failure, []string{
		"Failed {m} for {u} from {a} port {n} ssh2", "Failed {m} for {u} from {a} port {n} ssh2: {*}",
		"Failed {m} for {u} from {a} port {n} ssh1", "Failed {m} for {u} from {a} port {n} ssh1: {*}",
		"Failed {m} for {u} from {a}", "Failed {m} for {u} from {a} port {n}",
	}},
	{"login", event.Success, []string{
		"Accepted {m} for {u} from {a} port {n} ssh2", "Accepted {m} for {u} from {a} port {n} ssh2: {*}",
		"Accepted {m} for {u} from {a} port {n} ssh1", "Accepted {m} for {u} from {a} port {n} ssh1: {*}",
		"Accepted {m} for {u} from {a}", "Accepted {m} for {u} from {a} port {n}",
	}},
	{"login_step", event.Unknown, []string{
		"Postponed {m} for {u} from {a} port {n} ssh2", "Postponed {m} for {u} from {a} port {n} ssh2: {*}",
		"Partial {m} for {u} from {a} port {n} ssh2", "Partial {m} for {u} from {a} port {n} ssh2: {*}",
		"Postponed {m} for {u} from {a} port {n} ssh1", "Partial {m} for {u} from {a} port {n} ssh1",
		"public key {w} signature for {u} from {a} port {n} rejected: user presence (authenticator touch) requirement not met",
		"public key {w} signature for {u} from {a} port {n} rejected: user verification requirement not met",
		"public key {w} {w} signature for {u} from {a} port {n} rejected: user presence (authenticator touch) requirement not met",
		"public key {w} {w} signature for {u} from {a} port {n} rejected: user verification requirement not met",
		"userauth_hostbased mismatch: client sends {u}, but we resolve {a} to {w}",
		"Authentication tried for {u} with correct key but not from a permitted host (host={w}, ip={a}).",
		"Authentication tried for {u} with correct key but not from a permitted host (host={w}, ip={a}, required={w}).",
		"Authentication tried for {u} with valid certificate but not from a permitted host (ip={a}).",
		"Authentication tried for {u} with valid certificate but not from a permitted source address ({a}).",
	}},
	{"invalid_user", event.Unknown, []string{"Invalid user {u} from {a}", "Invalid user {u} from {a} port {n}", "Illegal user {u} from {a}"}},
	{"login_pam", event.Failure, []string{
		"PAM: {w} {*} for {u} from {h}", "PAM: {w} {*} for {u} from {h} via {w}",
		"PAM: {w} for {u} from {h}", "PAM: {w} for {u} from {h} via {w}",
	}},
	{"too_many_attempts", event.Unknown, []string{
		"maximum authentication attempts exceeded for {u} from {a} port {n} ssh2",
		"maximum authentication attempts exceeded for {u} from {a} port {n} ssh1",
		"maximum authentication attempts exceeded for {u} from {a}", "maximum authentication attempts exceeded for {u} from {a} port {n}",
	}},
	{"refused", event.Unknown, []string{
		"User {u} from {h} not allowed because listed in DenyUsers",
		"User {u} from {h} not allowed because not listed in AllowUsers",
		"User {u} from {h} not allowed because not in any group",
		"User {u} from {h} not allowed because a group is listed in DenyGroups",
		"User {u} from {h} not allowed because none of user's groups are listed in AllowGroups",
		"administratively prohibited connection for {u} from {a} port {n}",
		"Username too long from {a} port {n}", "ROOT LOGIN REFUSED FROM {a}", "ROOT LOGIN REFUSED FROM {a} port {n}",
		"Connection from {a} port {n} with IP opts: {*}",
		"drop connection #{n} from [{a}]:{n} on [{w}]:{n} {*}",
		"Received request from {a} port {n} to connect to host {*}, but the request was denied.",
		"Received request from {a} port {n} to remote forward to {*}, but the request was denied.",
		"Received request from {a} port {n} to remote forward, but the request was denied.",
		"refused connect from {u} ({a})", "refused connect from {h}", "refused connect from {u}@{h}",
	}},
	{"penalty", event.Unknown, []string{
		"srclimit_penalise: ipv4: new {a}/32 {w} penalty of {w} seconds for {*}",
		"srclimit_penalise: ipv6: new {a}/128 {w} penalty of {w} seconds for {*}",
		"srclimit_penalise: {a}/32: activating ipv4 penalty of {w} seconds for {*}",
		"srclimit_penalise: {a}/128: activating ipv6 penalty of {w} seconds for {*}",
		"srclimit_penalise: ipv4 penalty table full, cannot penalise {a}/32 for {*}",
		"srclimit_penalise: ipv6 penalty table full, cannot penalise {a}/128 for {*}",
	}},
	{"bad_banner", event.Unknown, []string{
		"Bad protocol version identification '{u}' from {a}", "Bad protocol version identification '{u}' from {a} port {n}",
		"Bad protocol version identification {u} from {a} port {n}",
		"probed from {a} with {*}", "probed from {a} port {n} with {*}",
		"scanned from {a} with {*}", "scanned from {a} port {n} with {*}",
		"Protocol major versions differ for {a}: {*}", "Protocol major versions differ for {a} port {n}: {*}",
		"banner exchange: Connection {d} {i}: {*}",
	}},
	{"no_banner", event.Unknown, []string{
		"Did not receive identification string from {a}", "Did not receive identification string from {a} port {n}",
		"Could not write ident string to {a}", "Could not write ident string to {a} port {n}",
	}},
	{"negotiation_failure", event.Unknown, []string{"Unable to negotiate with {i}: {*}"}},
	{"connect", event.Unknown, []string{
		"Connection from {a}", "Connection from {a} port {n}", "Connection from {a} port {n} on {w} port {l}",
		"Connection from {a} port {n} on {w} port {l} rdomain {*}",
	}},
	{"disconnect", event.Unknown, []string{
		"Connection closed by {i}", "Connection reset by {i}", "Disconnected from {i}", "Closing connection to {a}",
		"Closing connection to {a} port {n}", "Finished discarding for {a}", "Finished discarding for {a} port {n}",
		"Received disconnect from {a}:", "Received disconnect from {a}: {*}", "Received disconnect from {a} port {n}:{*}",
		"Disconnecting {i}: {*}", "terminating inactive connection from {i}",
		"Session process {n} unpriv child crash for connection from {a}", "Session process {n} unpriv child crash for connection from {a} to {w}",
		"Session process {n} unpriv child crash for connection from {a} to {w} (early)",
		"session process {n} for connection from {a} to {w} {*}", "session process {n} for connection from {a} killed by signal {*}",
		"session process {n} for connection from {a} terminated abnormally{*}",
	}},
	{"timeout", event.Unknown, []string{
		"Timeout before authentication for {a}", "Timeout before authentication for {a} port {n}",
		"Timeout before authentication for connection from {a}, pid = {n}",
		"Timeout before authentication for connection from {a} to {w}, pid = {n}",
		"Timeout before authentication for connection from {a}, pid = {n} (early)",
		"Timeout before authentication for connection from {a} to {w}, pid = {n} (early)",
		"Connection {d} {i} timed out", "Timeout, client not responding from {i}",
	}},
	{"protocol_error", event.Unknown, []string{
		"Read error from remote host {i}: {*}", "Connection {d} {i}: {*}", "{f}: Connection {d} {i}: {*}", "{f}: {o}: Connection {d} {i}: {*}",
		"do_ssh1_kex: bad session key len from {a}: {*}",
	}},
	{"reverse_mapping", event.Unknown, []string{
		"Address {a} maps to {w}, but this does not map back to the address.",
		"Address {a} maps to {w}, but this does not map back to the address",
		"Address {a} maps to {w}, but this does not map back to the address - POSSIBLE BREAK-IN ATTEMPT!",
		"Address {a} maps to {w}, but this does not map back to the address - POSSIBLE BREAK-IN ATTEMPT",
		"reverse mapping checking getaddrinfo for {u} [{a}] failed.",
		"reverse mapping checking getaddrinfo for {u} [{a}] failed - POSSIBLE BREAK-IN ATTEMPT!",
		"Nasty PTR record \"{u}\" is set up for {a}, ignoring",
	}},
	{"session", event.Unknown, []string{
		"Starting session: {u} from {a} port {n} id {n}", "Starting session: {u} from {a} port {n}",
		"Close session: user {u} from {a} port {n} id {n}",
		"session opened for local user {u} from [{a}]", "session closed for local user {u} from [{a}]",
	}},
	// FreeBSD's and HPN's.
	{"connect", event.Unknown, []string{"SSH: Server;Ltype: {w};Remote: {a}-{n};{*}"}},
}

// loose are beginnings of sentences that go on as no version of OpenSSH that is
// known has them. They count only where no form of sentences is found, and where
// one address stands in them alone.
var loose = []sentence{
	{"login", event.Failure, []string{"Failed {m} for {u} from {a} {*}"}},
	{"login", event.Success, []string{"Accepted {m} for {u} from {a} {*}"}},
	{"invalid_user", event.Unknown, []string{"Invalid user {u} from {a} {*}"}},
	{"too_many_attempts", event.Unknown, []string{"maximum authentication attempts exceeded for {u} from {a} {*}"}},
	{"bad_banner", event.Unknown, []string{"Bad protocol version identification {u} from {a} {*}"}},
}

// The tokens of a form beside text.
const (
	tokenText    = iota
	tokenAddress // {a}: an address
	tokenPeer    // {p}: an address with a port
	tokenHost    // {h}: an address, or a name that sshd looked up
	tokenUser    // {u}: any text, such as a user's name
	tokenMethod  // {m}: a method such as keyboard-interactive/pam
	tokenNumber  // {n}
	tokenPort    // {l}: the decoy's own port
	tokenWord    // {w}: text without a space
	tokenTag     // {f}: the name of one of sshd's functions
	tokenRest    // {*}: any text
)

type token struct {
	what byte
	text string
}

type form struct {
	kind    string
	outcome event.Outcome
	tokens  []token
}

// forms and looseForms hold all forms by their first byte; those that begin with
// a function's name are under 0.
var forms, looseForms = formsOf(sentences), formsOf(loose)

func formsOf(all []sentence) (by [256][]form) {
	for _, s := range all {
		for _, text := range s.forms {
			for _, t := range variants(text) {
				f := form{s.kind, s.outcome, parseForm(t)}
				at := byte(0)
				if f.tokens[0].what == tokenText {
					at = f.tokens[0].text[0]
				}
				by[at] = append(by[at], f)
			}
		}
	}
	return by
}

// variants writes out the parts of a form that have several forms of their own:
// {i} is how sshd names a connection, {d} its direction, which version 7.0 had
// wrong, {o} what a function was at.
func variants(text string) []string {
	for part, as := range map[string][]string{
		"{i}": {
			"{a}", "{a} port {n}", "user {u} {a} port {n}", "invalid user {u} {a} port {n}", "authenticating user {u} {a} port {n}",
			"user {u} {a}", "invalid user {u} {a}", "authenticating user {u} {a}",
		},
		"{d}": {"from", "to"},
		"{o}": {
			"append key", "send", "send reply", "send open failure", "send open confirm", "send PAM banner", "start request", "parse packet",
			"exit reply", "parse mode", "parse device", "ssh_packet_write_poll", "parse tcpip-forward", "parse cancel-tcpip-forward",
			"parse streamlocal-forward@openssh.com", "parse cancel-streamlocal-forward@openssh.com",
		},
	} {
		before, after, ok := strings.Cut(text, part)
		if !ok {
			continue
		}
		var all []string
		for _, v := range as {
			all = append(all, variants(before+v+after)...)
		}
		return all
	}
	return []string{text}
}

// parseForm takes a form apart: the tokens in braces, and the text between.
func parseForm(s string) (tokens []token) {
	what := map[byte]byte{
		'a': tokenAddress, 'p': tokenPeer, 'h': tokenHost, 'u': tokenUser, 'm': tokenMethod, 'n': tokenNumber, 'l': tokenPort, 'w': tokenWord, 'f': tokenTag, '*': tokenRest,
	}
	for s != "" {
		if s[0] == '{' {
			tokens = append(tokens, token{what: what[s[1]]})
			s = s[3:]
			continue
		}
		text, _, _ := strings.Cut(s, "{")
		tokens = append(tokens, token{text: text})
		s = s[len(text):]
	}
	return tokens
}

// unknownPeer is what sshd writes where the peer was gone.
const unknownPeer = "UNKNOWN"

// maxReadings bounds how many places are tried in one sentence. One with more is
// as good as ambiguous.
const maxReadings = 4096

// stepBytes is how much of a text may be searched for what one place counts;
// maxWord bounds what has no space in it.
const (
	stepBytes = 1024
	maxWord   = 1024
)

// readings finds all the ways in which a sentence can be read, as far as they
// differ in the address: names, banners and reasons are the peer's text, and may
// look like the end of a sentence.
type readings struct {
	prose
	// word is what stands in the place of the address of the reading at work,
	// host says that it may be a name.
	word   string
	host   bool
	name   string
	own    string // the decoy's port
	method string
	rest   string
	found  bool
	steps  int
	at     *form
}

// read reads s by the rest of a form.
func (r *readings) read(tokens []token, s string) {
	if r.steps++; r.steps > maxReadings {
		r.ambiguous = true
		return
	}
	if len(tokens) == 0 {
		if s == "" {
			r.take()
		}
		return
	}
	t, tokens := tokens[0], tokens[1:]
	switch t.what {
	case tokenText:
		if rest, ok := strings.CutPrefix(s, t.text); ok {
			r.read(tokens, rest)
		}
	case tokenUser, tokenRest:
		r.readText(t.what, tokens, s)
	default:
		word, rest := s, ""
		if len(tokens) > 0 {
			text := tokens[0].text
			at := len(s) - len(text)
			if len(tokens) > 1 {
				at = strings.Index(s[:min(len(s), maxWord+len(text))], text)
			}
			if at < 0 {
				return
			}
			word, rest = s[:at], s[at:]
		}
		if !t.takes(word) {
			return
		}
		switch t.what {
		case tokenAddress, tokenHost:
			r.word, r.host = word, t.what == tokenHost
		case tokenPeer:
			r.word, r.host = word[:strings.LastIndexByte(word, ':')], false
		case tokenMethod:
			r.method = word
		case tokenPort:
			r.own = word
		}
		r.read(tokens, rest)
	}
}

// readText tries all the places where any text can end.
func (r *readings) readText(what byte, tokens []token, s string) {
	keep := func(text string) {
		if what == tokenUser {
			r.name = text
		} else {
			r.rest = text
		}
	}
	if len(tokens) == 0 {
		keep(s)
		r.take()
		return
	}
	for i := 0; r.steps <= maxReadings; i++ {
		n := strings.Index(s[i:], tokens[0].text)
		if n < 0 {
			r.steps += (len(s) - i) / stepBytes
			return
		}
		r.steps += n / stepBytes
		i += n
		keep(s[:i])
		r.read(tokens, s[i:])
	}
}

// take takes a reading that fits to the end.
func (r *readings) take() {
	_, ok := event.ParseAddress(r.word)
	if !ok && !r.host && r.word != unknownPeer {
		// Nothing that sshd writes there.
		if !r.found && r.addr == "" {
			r.kind, r.outcome, r.addr = r.at.kind, r.at.outcome, r.word
		}
		return
	}
	if r.found {
		r.ambiguous = r.ambiguous || r.addr != r.word
		return
	}
	r.found, r.named = true, !ok
	r.kind, r.outcome, r.addr, r.user = r.at.kind, r.at.outcome, r.word, r.name
	if r.kind == "login" && r.outcome == event.Failure && r.method == "none" {
		// Clients ask so which methods there are (RFC 4252 §5.2).
		r.kind, r.outcome = "login_step", event.Unknown
	}
	r.port = r.own
	for _, word := range [...]string{"invalid user ", "illegal user "} {
		r.user = strings.TrimPrefix(r.user, word)
	}
	if key := strings.Index(" "+r.rest, " SHA256:"); key >= 0 {
		r.key, _, _ = strings.Cut(r.rest[key:], " ")
		r.key = strings.TrimSuffix(r.key, ",")
	}
}

// takes says whether a text can be what a token stands for.
func (t token) takes(s string) bool {
	if s == "" {
		return false
	}
	switch t.what {
	case tokenNumber, tokenPort:
		return isNumber(s)
	case tokenAddress, tokenHost:
		// No brackets and no port: sshd puts none there.
		if strings.Count(s, ":") == 1 {
			return false
		}
		return len(s) <= event.MaxName && all(s, func(c byte) bool {
			return isAlphanumeric(c) || c == '.' || c == ':' || c == '-' || c == '_' || c == '%'
		})
	case tokenPeer:
		at := strings.LastIndexByte(s, ':')
		return at > 0 && isNumber(s[at+1:]) && len(s) <= event.MaxName && all(s[:at], func(c byte) bool {
			return isAlphanumeric(c) || strings.IndexByte(".:-_%[]", c) >= 0
		})
	case tokenMethod:
		return all(s, func(c byte) bool {
			return isAlphanumeric(c) || c == '-' || c == '/' || c == '_' || c == '.' || c == '@'
		})
	case tokenTag:
		return s[0] >= 'a' && s[0] <= 'z' && all(s, func(c byte) bool { return isAlphanumeric(c) || c == '_' })
	default:
		return !strings.ContainsRune(s, ' ')
	}
}

func all(s string, is func(byte) bool) bool {
	for i := 0; i < len(s); i++ {
		if !is(s[i]) {
			return false
		}
	}
	return true
}

func isAlphanumeric(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// isNumber says whether s is digits.
func isNumber(s string) bool {
	_, ok := digits(s, 0, len(s))
	return ok && s != "" && len(s) < 19
}

// prose is what a program's sentence says.
type prose struct {
	// kind is the event, "" where the sentence is none of those known.
	kind string
	addr string
	// named says that there is a host's name instead of an address.
	named bool
	user  string
	key   string // the fingerprint of a public key
	port  string // the decoy's, where the sentence has it
	// outcome is how an attempt ended.
	outcome event.Outcome
	// ambiguous says that the address may stand in somebody's text.
	ambiguous bool
	// times is how often the sentence was said, 0 for once.
	times int64
}

// maxRepeats bounds how often one line can say that something happened.
const maxRepeats = 1_000_000

// parseProse reads what sshd and PAM write. User names, banners and reasons in
// the sentences are the other side's text; an address counts only where the
// program puts it, and where a sentence can be read in two ways nobody is
// blamed.
func parseProse(msg string, dropbear bool) prose {
	times := int64(0)
	if rest, ok := strings.CutPrefix(msg, "message repeated "); ok {
		// rsyslog's (tools/omfile, action.c) and sysklogd's.
		n, rest, ok := strings.Cut(rest, " times: [")
		if inner, closed := strings.CutSuffix(strings.TrimRight(rest, " "), "]"); ok && closed && isNumber(n) {
			times, _ = digits(n, 0, len(n))
			times = max(1, min(times, maxRepeats))
			msg = strings.TrimSpace(inner)
		}
	}
	var p prose
	if dropbear {
		p = parseDropbear(msg)
	} else {
		p = parseSentence(msg)
	}
	p.times = times
	return p
}

func parseSentence(msg string) prose {
	msg = withoutMarks(msg)
	if strings.HasPrefix(msg, "pam_") || strings.HasPrefix(msg, "PAM ") || ofOldPAM(msg) {
		return pamProse(msg)
	}
	if msg == "" {
		return prose{}
	}
	for _, known := range [...]*[256][]form{&forms, &looseForms} {
		var r readings
		r.try(known[msg[0]], msg)
		if !r.found && !r.ambiguous && r.kind == "" {
			r.try(known[0], msg)
		}
		if r.kind != "" || r.ambiguous {
			return r.prose
		}
	}
	return prose{}
}

func (r *readings) try(known []form, msg string) {
	for i := range known {
		r.at = &known[i]
		r.word, r.host, r.name, r.method, r.own, r.rest = "", false, "", "", "", ""
		r.read(r.at.tokens, msg)
	}
}

// withoutMarks cuts off what sshd and the loggers put around a sentence: the
// level, the half of sshd that said it, Solaris' message ID, and the file and
// line of the key that was tried.
func withoutMarks(msg string) string {
	if rest, ok := strings.CutPrefix(msg, "[ID "); ok {
		if _, rest, ok = strings.Cut(rest, "] "); ok {
			msg = rest
		}
	}
	for {
		rest, isError := strings.CutPrefix(msg, "error: ")
		rest, isFatal := strings.CutPrefix(rest, "fatal: ")
		if !isError && !isFatal {
			break
		}
		msg = rest
	}
	if place, rest, ok := strings.Cut(msg, ": Authentication tried for "); ok && !strings.Contains(place, " ") {
		msg = "Authentication tried for " + rest
	}
	msg = strings.TrimRight(msg, " \x00")
	for _, half := range [...]string{" [preauth]", " [postauth]"} {
		msg = strings.TrimSuffix(msg, half)
	}
	return strings.TrimRight(msg, " ")
}
