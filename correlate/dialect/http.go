package dialect

import (
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"strings"

	"dossier/correlate/event"
	"dossier/correlate/redact"
)

const (
	maxHeaders    = 64
	maxHeaderText = 64 << 10
	headerPrefix  = "headers."
)

// request is what a request's headers say, whoever sent them.
type request struct {
	// text is what the headers were read from, "" where they came apart.
	text    string
	headers []event.Field
	// order names the headers in their order in lower case, without the
	// volatile ones, as it may be shown; casing is how they are spelled, tool
	// whose order it is, hash the order's SHA-256.
	order, casing, tool, hash string
	// claims says that a proxy header is among them.
	claims bool
}

// request reads the headers from the parameter "headers": a JSON object, a
// Python dict as print shows it, or an object already taken apart.
func (x *scratch) request() *request {
	text, ok := x.lookup("headers")
	m := &x.memo.requests[event.Mix(text)%uint(len(x.memo.requests))]
	if m.text == text && text != "" {
		return m
	}
	x.headers = x.headers[:0]
	if ok {
		x.readHeaders(strings.TrimSpace(text))
	} else {
		for i := range x.params {
			f := &x.params[i]
			if name, ok := strings.CutPrefix(f.Key, headerPrefix); ok && len(x.headers) < maxHeaders {
				x.headers = append(x.headers, event.Field{Key: name, Value: f.Value})
			}
		}
	}
	*m = request{text: text, headers: x.arena.Fields(x.headers)}
	for _, name := range proxyHeaders {
		_, has := m.header(name)
		m.claims = m.claims || has
	}
	x.setOrder(m)
	return m
}

func (x *scratch) readHeaders(text string) {
	if len(text) < 2 || len(text) > maxHeaderText || text[0] != '{' {
		return
	}
	if strings.TrimLeft(text[1:], " ")[0] == '"' {
		if fields, ok := x.json.flatten(x.arena, x.headers, text, maxHeaders); ok {
			x.headers = fields
			return
		}
	}
	x.headers = pythonDict(x.arena, x.headers, text, maxHeaders)
}

// header returns the value of the first header of that name.
func (r *request) header(name string) (string, bool) {
	for i := range r.headers {
		if strings.EqualFold(r.headers[i].Key, name) {
			return r.headers[i].Value, true
		}
	}
	return "", false
}

// agent adds the user agent's fingerprint. How software names itself is the
// sender's choice; the category and the tool say what the name claims.
func (x *scratch) agent(value, method, path string) {
	if value == "" {
		return
	}
	value = value[:min(len(value), event.MaxCommand)]
	known := x.userAgent(value)
	x.note("category", known.category)
	x.note("tool", known.tool)
	x.note("signals", known.signals)
	x.put("method", method)
	x.put("path", x.webPath(path))
	x.add(event.Evidence{Kind: event.Fingerprint, A: "http_useragent", B: known.shown})
}

// webPath returns what a request names, without the secrets and the local parts
// of mail addresses in its query.
func (x *scratch) webPath(path string) string {
	if x.secrets != Plain {
		path = redact.URL(path)
	}
	return redact.QueryAddresses(path)
}

// agentSignals names what is odd about a user agent, as a comma list.
func (x *scratch) agentSignals(value string) string {
	signals := ""
	add := func(name string, is bool) {
		switch {
		case !is:
		case signals == "":
			signals = name
		default:
			signals = x.arena.Join(signals, ",", name)
		}
	}
	add("suspicious_short", len(value) < 8)
	add("suspicious_long", len(value) > 512)
	add("nonprintable", !printable(value))
	add("injection_like", injectionLike(value))
	return signals
}

// injections are typical of attempts to inject into HTML, SQL, paths, Log4j or
// templates, in lower case and by their first byte.
var injections = [128][]string{
	'<':  {"<script"},
	'\'': {"';", "' or '", "' or 1", "' --"},
	'1':  {"1=1"},
	'/':  {"/../", "/etc/passwd"},
	'$':  {"${jndi:"},
	'{':  {"{{"},
}

// injectionLike says whether s carries one of the injections.
func injectionLike(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= 128 {
			continue
		}
		for _, mark := range injections[s[i]] {
			if len(s)-i >= len(mark) && strings.EqualFold(s[i:i+len(mark)], mark) {
				return true
			}
		}
	}
	return false
}

// containsFold says whether s contains the lower-case ASCII text sub, in any
// case.
func containsFold(s, sub string) bool {
	for i := 0; i+len(sub) <= len(s); i++ {
		if lowerByte(s[i]) == sub[0] && strings.EqualFold(s[i:i+len(sub)], sub) {
			return true
		}
	}
	return false
}

// hasPrefixFold is strings.HasPrefix without regard to case.
func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

func lowerByte(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// volatile says whether proxies and caches add or change a header, so that it
// says nothing about the client.
func volatile(lower string) bool {
	switch lower {
	case "forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-forwarded-port",
		"x-real-ip", "true-client-ip", "cf-connecting-ip", "via", "x-request-id", "content-length",
		"cookie", "authorization", "date", "if-modified-since", "if-none-match":
		return true
	default:
		return false
	}
}

// setOrder sets what the order of r's headers says.
func (x *scratch) setOrder(r *request) {
	size := 0
	for i := range r.headers {
		size += len(r.headers[i].Key) + 1
	}
	names := x.arena.Grab(size)
	for i := range r.headers {
		name := r.headers[i].Key
		start := len(names)
		for j := 0; j < len(name); j++ {
			names = append(names, lowerByte(name[j]))
		}
		if volatile(event.View(names[start:])) {
			names = names[:start]
			continue
		}
		names = append(names, ',')
		switch c := casingOf(name); {
		case r.casing == "":
			r.casing = c
		case r.casing != c:
			r.casing = "mixed"
		}
	}
	if len(names) == 0 {
		return
	}
	order := x.arena.Keep(names[:len(names)-1])
	r.order, r.tool = x.value(order), orderTool(order)
	// The hash is over the names with a newline between them.
	lines := append(x.arena.Grab(len(order)), order...)
	for i, c := range lines {
		if c == ',' {
			lines[i] = '\n'
		}
	}
	sum := sha256.Sum256(lines)
	r.hash = x.arena.Keep(hex.AppendEncode(x.arena.Grab(16), sum[:8]))
}

// headerOrder adds the fingerprint of which headers come in which order.
func (x *scratch) headerOrder(r *request) {
	if r.hash == "" {
		return
	}
	x.note("order", r.order)
	x.note("casing_category", r.casing)
	x.note("tool_guess", r.tool)
	x.add(event.Evidence{Kind: event.Fingerprint, A: "http_quirks", B: r.hash})
}

// casingOf says how a header's name is spelled.
func casingOf(name string) string {
	lower, upper, title := true, true, true
	start := true
	for i := 0; i < len(name); i++ {
		c := name[i]
		isLower, isUpper := c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z'
		lower = lower && !isUpper
		upper = upper && !isLower
		title = title && (!start || !isLower) && (start || !isUpper)
		start = c == '-'
	}
	switch {
	case title:
		return "title"
	case lower:
		return "lower"
	case upper:
		return "upper"
	default:
		return "mixed"
	}
}

// orderTool names the client whose first headers come in this order.
func orderTool(order string) string {
	for _, known := range [...]struct{ order, tool string }{
		{"host,user-agent,accept-encoding,accept,connection", "python-requests"},
		{"host,user-agent,accept-encoding", "go-http-client"},
		{"host,user-agent,accept", "curl"},
		{"host,connection,user-agent", "nmap-nse"},
	} {
		if rest, ok := strings.CutPrefix(order, known.order); ok && (rest == "" || rest[0] == ',') {
			return known.tool
		}
	}
	return ""
}

// proxyHeaders are the headers in which proxies name their clients.
var proxyHeaders = [...]string{"Forwarded", "X-Forwarded-For", "X-Real-IP", "True-Client-IP", "CF-Connecting-IP"}

// claims adds the address that a proxy header of the request claims, where it
// isn't the attacker's own. It is evidence, never the attacker's address.
func (x *scratch) claims(r *request, own netip.Addr) {
	if !r.claims {
		return
	}
	for _, name := range proxyHeaders {
		value, ok := r.header(name)
		if !ok {
			continue
		}
		if x.claim(name, value, own) {
			return
		}
	}
}

// claim adds the address in a proxy header and returns whether there was one.
func (x *scratch) claim(name, value string, own netip.Addr) bool {
	addr, ok := claimed(value, name == "Forwarded")
	if ok && addr != own {
		x.add(event.Evidence{Kind: event.Leak, A: x.address(addr), B: name, C: addressCategory(addr)})
	}
	return ok
}

// address returns an address in canonical form.
func (x *scratch) address(a netip.Addr) string {
	return x.arena.Keep(a.AppendTo(x.arena.Grab(maxAddressText)))
}

// maxAddressText is the longest canonical form of an address without a zone.
const maxAddressText = len("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255")

// claimed returns the first address in a list of them, or the first for= of a
// Forwarded header (RFC 7239).
func claimed(value string, forwarded bool) (netip.Addr, bool) {
	value = value[:min(len(value), event.MaxValue)]
	for value != "" {
		var item string
		if i := strings.IndexAny(value, ",;"); i >= 0 {
			item, value = value[:i], value[i+1:]
		} else {
			item, value = value, ""
		}
		item = strings.TrimSpace(item)
		if forwarded {
			if len(item) < 4 || !strings.EqualFold(item[:4], "for=") {
				continue
			}
			item = strings.Trim(item[4:], `"`)
		}
		if addr, ok := claimedAddress(item); ok {
			return addr, true
		}
	}
	return netip.Addr{}, false
}

// claimedAddress is event.ParseAddress that also takes the unspecified
// address, which is a claim too.
func claimedAddress(s string) (netip.Addr, bool) {
	if addr, ok := event.ParseAddress(s); ok {
		return addr, true
	}
	switch s {
	case "0.0.0.0":
		return netip.IPv4Unspecified(), true
	case "::":
		return netip.IPv6Unspecified(), true
	}
	return netip.Addr{}, false
}

// addressCategory says why an address can't be a host of the Internet,
// "public" where it can (IANA special-purpose registries).
func addressCategory(a netip.Addr) string {
	switch {
	case a.IsUnspecified():
		return "unspecified"
	case a.IsLoopback():
		return "loopback"
	case a.IsLinkLocalUnicast():
		return "link_local"
	case a.IsMulticast():
		return "multicast"
	case within(a, reservedNets):
		return "reserved"
	case a.IsPrivate(), within(a, privateNets):
		return "private"
	default:
		return "public"
	}
}

var (
	reservedNets = prefixes("240.0.0.0/4", "::/8", "100::/8", "200::/7", "400::/6", "800::/5", "1000::/4",
		"4000::/3", "6000::/3", "8000::/3", "a000::/3", "c000::/3", "e000::/4", "f000::/5", "f800::/6", "fe00::/9")
	privateNets = prefixes("0.0.0.0/8", "192.0.0.0/29", "192.0.0.170/31", "192.0.2.0/24", "198.18.0.0/15",
		"198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32", "2001::/23", "fec0::/10")
)

func prefixes(texts ...string) []netip.Prefix {
	ps := make([]netip.Prefix, len(texts))
	for i, t := range texts {
		ps[i] = netip.MustParsePrefix(t)
	}
	return ps
}

func within(a netip.Addr, nets []netip.Prefix) bool {
	for _, p := range nets {
		if p.Contains(a) {
			return true
		}
	}
	return false
}
