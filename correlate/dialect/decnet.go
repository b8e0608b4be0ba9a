package dialect

import (
	"net/netip"
	"strings"

	"dossier/correlate/event"
)

// mebibyte is the size from which on a payload is large.
const mebibyte = 1 << 20

// decnet reads a line of DECNET, or the document its collector made of one:
// f has the header, x.params the structured data.
func (p *Parser) decnet(x *scratch, f *frame, r *event.Record, out *event.Event) Verdict {
	v := Verdict{Dialect: DECNET}
	if !f.relay {
		v.Dialect = Native
	}
	app := program(f.app)
	if p.drop[app] {
		v.Reason = DropApp
		return v
	}
	switch app {
	case "mutator", "correlator", "orchestrator":
		v.Reason = SensorReport
		return v
	case "prober":
		out.Role = event.Prober
	case "sniffer":
		out.Role = event.Sniffer
	default:
		out.Role = event.Decoy
	}

	var text string // the address as the sensor wrote it
	var found bool
	kind := f.msgID
	switch {
	case f.relay:
		text, found = x.connection(out.Role)
	case shells[app]:
		var line shellLine
		if line, found = parseShellLine(f.msg); found {
			if line.sources > 1 {
				v.Reason = Ambiguous
				return v
			}
			kind, text, found = "command", line.source, line.sources == 1
			x.params = append(x.params, event.Field{Key: "command", Value: line.command})
			if line.user == "" && !found {
				app = "telnet"
			}
		}
	}
	class := classify(DECNET, kind)
	addr, reason := attacker(text, found)
	if reason != OK {
		if reason == NoAddress && class.Kind == event.Noise {
			reason = SensorEvent
		}
		v.Reason = reason
		return v
	}

	out.Addr = addr
	own, known := parseTime(f.time)
	out.Time, v.ClockSkew = settle(own, known, r.Time)
	if !f.timed {
		v.ClockSkew = false
	}
	out.Type = x.arena.Name(kind, event.MaxService)
	out.Kind, out.Phase = class.Kind, class.Phase
	out.Service = p.decnetService(x, app, out.Role)
	out.Decky = p.decky(x, f.host)
	out.Large = x.large()
	out.Handshake = decnetHandshake(app, out.Service, kind, x)
	p.decnetEvidence(x, out, class)
	out.Evidence = x.arena.Evidence(x.evidence)
	return v
}

// program returns the program's name in an APP-NAME: "sshd" in "sshd[42]".
func program(app string) string {
	if i := strings.IndexByte(app, '['); i > 0 {
		return app[:i]
	}
	return app
}

// decky returns a decoy's name; names with the internal prefix are none.
func (p *Parser) decky(x *scratch, host string) string {
	if p.internal != "" && strings.HasPrefix(host, p.internal) {
		return ""
	}
	return x.arena.Name(host, event.MaxName)
}

// decnetService returns the service an APP-NAME stands for: helper programs
// count as the service they belong to, observers as none.
func (p *Parser) decnetService(x *scratch, app string, role event.Role) string {
	if role != event.Decoy {
		return ""
	}
	if helpers[app] {
		if s := x.get("service"); s != "" && s != "-" {
			return x.arena.Name(s, event.MaxService)
		}
		return "ssh"
	}
	return x.arena.Name(app, event.MaxService)
}

// shells are the programs whose hook writes commands.
var shells = map[string]bool{"bash": true, "sh": true, "ash": true}

// helpers are the programs that work for SSH or Telnet decoys.
var helpers = map[string]bool{
	"auth-helper": true, "sessrec": true, "sshd": true, "pam_unix": true,
	"bash": true, "sh": true, "ash": true,
}

// connection returns the address field of a line's structured data. The first
// one present decides, in DECNET's order: what it holds is the sensor's word,
// and if that is no address, none of the others is taken for it. Only the
// prober's target is an attacker.
func (x *scratch) connection(role event.Role) (text string, found bool) {
	if role == event.Prober {
		return x.lookup("target_ip")
	}
	best := len(addressFields)
	for i := range x.params {
		key := x.params[i].Key
		if len(key) > len("remote_addr") {
			continue
		}
		for rank, name := range addressFields {
			if rank > best {
				break
			}
			if key == name {
				best, text, found = rank, x.params[i].Value, true
			}
		}
	}
	return text, found
}

var addressFields = [...]string{"src_ip", "src", "client_ip", "remote_ip", "remote_addr", "ip"}

// attacker reads the address in text.
func attacker(text string, found bool) (netip.Addr, Reason) {
	if !found {
		return netip.Addr{}, NoAddress
	}
	addr, ok := event.ParseAddress(text)
	if ok {
		return addr, OK
	}
	switch strings.TrimSpace(text) {
	case "", "-", "?", "Unknown", "unknown", "None", "null":
		return netip.Addr{}, NoAddress
	default:
		return netip.Addr{}, BadAddress
	}
}

// large says whether the first readable size is at least a mebibyte.
func (x *scratch) large() bool {
	for _, key := range [...]string{"bytes", "size", "content_length"} {
		if n, ok := x.int(key); ok {
			return n >= mebibyte
		}
	}
	return false
}

// decnetHandshake says whether an event proves that the address is real. TCP
// services see nobody who didn't finish a handshake; HTTP/3 runs over QUIC,
// whose handshake proves as much. Not so what may come over UDP, what a
// sniffer saw of a single packet, what our own probes learned (they prove that
// somebody answers there, not that he attacked), conpot's addresses, which it
// takes out of its log text, and the shell's, which stands in a variable that
// the attacker can set.
func decnetHandshake(app, service, kind string, x *scratch) bool {
	switch {
	case app == "sniffer":
		switch kind {
		case "tls_client_hello", "tls_session", "tls_certificate", "ssh_client_banner":
			return true
		}
		return false
	case shells[app]:
		return false
	case service == "dns":
		return x.get("transport") == "tcp"
	}
	return tcpServices[service]
}

var tcpServices = map[string]bool{
	"ssh": true, "telnet": true, "ftp": true, "http": true, "https": true,
	"docker_api": true, "k8s": true, "elasticsearch": true, "smtp": true,
	"smtp_relay": true, "imap": true, "pop3": true, "mysql": true,
	"mssql": true, "postgres": true, "mongodb": true, "redis": true,
	"ldap": true, "mqtt": true, "smb": true, "rdp": true, "vnc": true,
}

// shellLine is what the shell hook wrote:
// "CMD uid=0 user=root src=192.0.2.1 pwd=/root cmd=id; uname -a".
type shellLine struct {
	user, source, command string
	// sources counts the src= words before the working directory. The hook
	// writes one at most.
	sources int
}

// parseShellLine reads the message of the shell hook. The user name and the
// working directory are the attacker's to choose, so the address counts only
// where it stands before the directory, and alone.
func parseShellLine(msg string) (l shellLine, ok bool) {
	head, ok := strings.CutPrefix(msg, "CMD ")
	if !ok {
		return l, false
	}
	if strings.HasPrefix(head, "cmd=") {
		l.command = head[len("cmd="):]
		return l, true
	}
	head, l.command, ok = strings.Cut(head, " cmd=")
	if !ok {
		return l, false
	}
	if i := strings.Index(" "+head, " pwd="); i >= 0 {
		head = head[:max(i-1, 0)]
	}
	for head != "" {
		var word string
		word, head, _ = strings.Cut(head, " ")
		if v, ok := strings.CutPrefix(word, "src="); ok {
			l.source = v
			l.sources++
		} else if v, ok := strings.CutPrefix(word, "user="); ok && l.user == "" {
			l.user = v
		}
	}
	return l, true
}
