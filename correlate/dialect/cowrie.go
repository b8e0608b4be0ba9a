package dialect

import (
	"math"
	"net/netip"
	"strconv"
	"strings"

	"dossier/correlate/event"
	"dossier/correlate/redact"
)

const cowriePrefix = "cowrie."

// directPrefix starts the ids of events whose dst_ip is where the client wants to
// go.
const directPrefix = cowriePrefix + "direct-tcpip."

const cowrieConnect = cowriePrefix + "session.connect"

// cowrie reads a document of Cowrie's jsonlog output, versions 2 and 3. Where
// T-Pot passed it on, the machine is the decoy, not Cowrie's container.
func (p *Parser) cowrie(x *scratch, r *event.Record, fields []event.Field, out *event.Event) Verdict {
	x.document(fields)
	v := Verdict{Dialect: Cowrie}
	kind, _ := x.lookup("eventid")
	known := x.kind(Cowrie, kind)
	class := known.class
	text, named := x.lookup("src_ip")
	own := ""
	if !strings.HasPrefix(kind, directPrefix) {
		own = x.first("dst_ip", "dest_ip")
	}
	addr, reason := p.peer(text, named, own)
	if reason != OK {
		if reason == NoAddress && class.Kind == event.Noise {
			reason = SensorEvent
		}
		v.Reason = reason
		return v
	}
	if class.Kind == event.Noise {
		if v.Reason = SensorReport; !cowrieKnows(kind) {
			v.Reason = SensorEvent // a look-up that is new, or else our gap
		}
		return v
	}
	out.Addr = addr
	v.ClockSkew = x.when(out, r, "timestamp")
	out.Type = known.name
	out.Kind, out.Phase = class.Kind, class.Phase
	p.cowriePlace(x, kind, out, &v)
	out.Proof = event.ByConnection // every event comes after accept
	x.protocol = redact.Named(out.Service)
	x.cowrieEvidence(kind, class)
	out.Evidence = x.arena.Evidence(x.evidence)
	return v
}

// when sets an event's time from the parameter named key and returns whether
// the clock is wrong. A record's own fields may lack it: Fluent Bit's parser
// takes the time out.
func (x *scratch) when(out *event.Event, r *event.Record, key string) (skewed bool) {
	text, named := x.lookup(key)
	own, known := parseTime(text)
	out.Time, skewed = settle(own, known, r.Time, x.parser.latest)
	return skewed && (named || x.text)
}

func (x *scratch) cowrieEvidence(kind string, class class) {
	switch kind {
	case cowrieConnect, "cowrie.log.closed":
		x.session(x.get("session"))
	case "cowrie.session.closed":
		length, ok := x.int("duration_ms")
		if !ok {
			length = milliseconds(x.get("duration")) // version 2
		}
		x.sessionOf(x.get("session"), length)
	case "cowrie.client.version":
		x.fingerprint("ssh_client_banner", x.get("version"))
	case "cowrie.client.kex":
		algorithms := x.get("hasshAlgorithms")
		x.put("algorithms", algorithms)
		x.fingerprint("hassh", x.get("hassh"))
		if kex, _, _ := strings.Cut(algorithms, ";"); kex != "" {
			x.add(event.Evidence{Kind: event.KexOrder, A: x.value(kex)})
		}
	case "cowrie.client.fingerprint":
		x.putAll("type", "username")
		x.fingerprint("ssh_public_key", x.get("fingerprint"))
	case "cowrie.login.failed":
		x.cowrieLogin(event.Failure)
	case "cowrie.login.success":
		x.cowrieLogin(event.Success)
	case "cowrie.command.input", "cowrie.session.input":
		if input, _ := x.lookup("input"); !silentRealm(x.get("realm")) {
			x.commandIn(input, x.get("session"))
		}
	case "cowrie.command.chpasswd":
		x.technique("T1098", kind)
	case "cowrie.session.file_download":
		x.file(x.digest("shasum"), x.get("url"), "file", "destfile")
	case "cowrie.session.file_download.failed":
		x.file("", x.get("url"), "url", "error")
	case "cowrie.session.file_upload":
		x.file(x.digest("shasum"), "", "file", "filename")
	case "cowrie.direct-tcpip.request":
		x.technique("T1090", kind)
		x.forward(x.get("dst_ip"), x.get("dst_port"))
	case "cowrie.direct-tcpip.data", "cowrie.tunnelproxy-tcpip.data":
		// A request to somebody else, through the decoy.
		if data, _, ok := pythonText(x.arena, x.get("data"), 0); ok {
			x.saidRaw(data, "")
		}
	case "cowrie.direct-tcpip.ja4":
		x.fingerprint("ja4", x.get("ja4"))
	case "cowrie.direct-tcpip.ja4h":
		x.fingerprint("ja4h", x.get("ja4h"))
	case "cowrie.telnet.exploit_attempt":
		x.technique("T1190", x.get("cve"))
	case "cowrie.telnet.exploit_success":
		x.technique("T1190", x.get("cve"))
		x.login(credential{principal: x.get("username"), outcome: event.Success})
	}
}

// silentRealm says whether what is put into a program is no command line: it is
// a secret, or what two programs say to each other.
func silentRealm(realm string) bool {
	switch realm {
	case "passwd", "sudo", "su", "chpasswd", "login", "scp", "sftp":
		return true
	default:
		return false
	}
}

func (x *scratch) cowrieLogin(outcome event.Outcome) {
	c := credential{outcome: outcome}
	c.principal, _ = x.lookup("username")
	if password, ok := x.lookup("password"); ok {
		c.kind, c.secret = plaintext, password
	} else if key := x.get("fingerprint"); key != "" {
		c.kind, c.secret = "publickey", key
	}
	x.login(c)
}

// session adds a session's id.
func (x *scratch) session(id string) {
	x.sessionOf(id, 0)
}

// maxSession is the longest session that is believed, in milliseconds.
const maxSession = 366 * 24 * 3600 * 1000

// sessionOf adds a session's id with its length in milliseconds, 0 where it
// isn't known.
func (x *scratch) sessionOf(id string, length int64) {
	if length < 0 || length > maxSession {
		length = 0
	}
	if id != "" {
		x.add(event.Evidence{Kind: event.Session, A: x.value(id), N: length})
	}
}

// milliseconds reads a number of seconds with a fraction. It returns 0 for
// anything else.
func milliseconds(s string) int64 {
	if s == "" || len(s) > 24 {
		return 0
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || !(v >= 0 && v <= maxSession/1000) {
		return 0
	}
	return int64(math.Round(v * 1000))
}

// technique adds an ATT&CK technique, recognised by what.
func (x *scratch) technique(id, what string) {
	x.add(event.Evidence{Kind: event.Technique, A: id, B: x.value(what)})
}

// tool adds a tool, recognised by what.
func (x *scratch) tool(name, what string) {
	x.add(event.Evidence{Kind: event.Tool, A: name, B: what})
}

// forward adds where somebody wants a connection passed on to.
func (x *scratch) forward(host, port string) {
	n, ok := parseInt(port)
	if !ok || n < 1 || n > 65535 {
		return
	}
	if a, ok := event.ParseAddress(host); ok {
		x.add(event.Evidence{Kind: event.Forward, A: x.arena.Join(netip.AddrPortFrom(a, uint16(n)).String()), B: event.ForwardTCP})
	} else if domain, ok := x.hostName(host); ok {
		x.add(event.Evidence{Kind: event.Forward, A: x.arena.Join(domain, ":", x.decimal(n)), B: event.ForwardTCP})
	}
}

// hostName returns the name of a host in lower case.
func (x *scratch) hostName(s string) (string, bool) {
	if s == "" || len(s) > 253 {
		return "", false
	}
	for i := range len(s) {
		c := s[i]
		if c != '.' && c != '-' && c != '_' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return "", false
		}
	}
	return x.lower(s), true
}

// file adds a file with the parameters named by keys. Without a digest and a
// URL there is nothing to know it by.
func (x *scratch) file(digest, url, kind string, keys ...string) {
	if digest == "" && url == "" {
		x.payload = x.payload[:0]
		return
	}
	for _, key := range keys {
		x.put(key, x.webPath(x.get(key)))
	}
	x.add(event.Evidence{Kind: event.Artifact, A: digest, B: x.url(url), C: kind})
}

// url repairs and caps a URL. The passwords in it are secrets like any other.
func (x *scratch) url(s string) string {
	return x.value(x.webPath(s))
}
