package dialect

import (
	"net/netip"
	"slices"
	"strings"

	"dossier/correlate/event"
	"dossier/correlate/redact"
)

// mebibyte is the size from which on a payload is large.
const mebibyte = 1 << 20

// app is what is known of the program that wrote a line.
type app struct {
	shell, helper bool
	drop          drop
	// name is the program's, where its lines may be dropped.
	name string
	// prose says that the program's sentences are read, dropbear that they are
	// Dropbear's.
	prose, dropbear bool
	// report says that the program reports on the sensor's own work.
	report bool
	// proof is how the addresses in its lines are known.
	proof event.Proof
	role  event.Role
}

// tcpServices are the services that see nobody who didn't finish a TCP
// handshake; HTTP/3 runs over QUIC, whose handshake proves as much. DNS, SNMP,
// SIP, TFTP and LLMNR may come over UDP, and conpot takes addresses out of its
// log text.
var tcpServices = []string{
	"ssh", "telnet", "ftp", "http", "https", "docker_api", "k8s", "elasticsearch", "smtp", "smtp_relay", "imap",
	"pop3", "mysql", "mssql", "postgres", "mongodb", "redis", "ldap", "mqtt", "smb", "rdp", "vnc",
}

// drop says which lines of a program are dropped, none where it is zero.
type drop uint8

const (
	// dropContainer: those in the form of DECNET's containers.
	dropContainer drop = iota + 1
	dropAll
)

// programs returns the programs that are known, with those marked whose lines
// are to be dropped. dropped is Options.DropApps.
func programs(dropped []string) map[string]app {
	sshd := app{helper: true, proof: event.ByConnection, prose: true}
	shell := app{helper: true, shell: true, proof: event.ByShell}
	apps := map[string]app{
		"mutator": {report: true}, "correlator": {report: true}, "orchestrator": {report: true},
		"prober": {role: event.Prober, proof: event.ByConnection}, "sniffer": {role: event.Sniffer},
		// Programs that work for the SSH and Telnet decoys.
		"auth-helper": {helper: true, proof: event.ByConnection}, "sessrec": {helper: true, proof: event.ByShell},
		"sshd": sshd, "sshd-session": sshd, "sshd-auth": sshd, "pam_unix": sshd,
		"internal-sftp": sshd,
		"dropbear":      {helper: true, proof: event.ByConnection, prose: true, dropbear: true},
		// Whoever has a shell can start it with an SSH_CONNECTION of his own.
		"sftp-server": {helper: true, proof: event.ByShell, prose: true},
		// Shells have the address from a variable that the attacker can set, and
		// so has what records their sessions.
		"bash": shell, "sh": shell, "ash": shell,
	}
	for _, service := range tcpServices {
		apps[service] = app{proof: event.ByConnection}
	}
	which := dropAll
	if dropped == nil {
		which, dropped = dropContainer, decnetDropApps
	}
	if slices.Contains(dropped, "sshd") {
		// OpenSSH 9.8 took sshd's work apart.
		dropped = append(slices.Clone(dropped), "sshd-session", "sshd-auth")
	}
	for _, name := range dropped {
		a := apps[name]
		a.drop, a.name = which, name
		apps[name] = a
	}
	return apps
}

// decnet reads a line of DECNET, or the document its collector made of one:
// f has the header, x.params the structured data.
func (p *Parser) decnet(x *scratch, f *frame, r *event.Record, out *event.Event) Verdict {
	v := Verdict{Dialect: DECNET}
	if !f.relay {
		v.Dialect = Native
	}
	x.frame = *f
	table := DECNET
	var program *programMemo
	var known *kindMemo
	if f.header != nil {
		program, known = &f.header.program, &f.header.kind
	} else {
		program, known = x.program(f.app), x.kind(DECNET, f.msgID)
	}
	app := &program.app
	switch {
	case app.drop == dropAll, app.drop == dropContainer && f.container:
		v.Reason, v.Program = DropApp, app.name
		return v
	case app.report:
		v.Reason = SensorReport
		return v
	}
	if !f.relay {
		if text, ok := jsonIn(f); ok {
			return p.jsonInLine(x, r, f, text, out)
		}
		if p.force > Native {
			return Verdict{Dialect: p.force, Reason: UnknownShape}
		}
	}
	out.Role = app.role

	s := x.survey(app.role)
	kind := f.msgID
	if app.shell && !f.relay {
		var line shellLine
		if line, s.named = parseShellLine(f.msg); s.named {
			if line.sources > 1 {
				v.Reason, v.Decoy = Ambiguous, p.ownerless(x, f.host)
				return v
			}
			kind, s.addr, s.named = "command", line.source, line.sources == 1
			x.keep("command", line.command)
		}
	}
	var said prose
	if !f.relay && app.prose {
		if said = parseProse(f.msg, app.dropbear); said.ambiguous {
			v.Reason = Ambiguous
			return v
		}
		if said.kind != "" {
			table, kind, s.addr, s.named = Native, said.kind, said.addr, !said.named
			x.port = said.port
		}
	}
	if table != DECNET || kind != f.msgID {
		known = x.kind(table, kind)
	}
	class := known.class
	if s.twice {
		v.Reason = Ambiguous
		return v
	}
	addr, reason := p.peer(s.addr, s.named, x.get("dst_ip"))
	if reason != OK {
		switch {
		case app.shell && class.Command:
			reason, v.Decoy = Ownerless, p.ownerless(x, f.host)
		case reason == NoAddress && (class.Kind == event.Noise || app.prose && said.kind == ""):
			reason = SensorEvent
		}
		v.Reason = reason
		if app.prose && !f.relay {
			v.Speaker = speaker(program.name)
		}
		return v
	}

	out.Addr = addr
	own, readable := p.timeOf(f, r.Time)
	out.Time, v.ClockSkew = settle(own, readable, r.Time, p.latest)
	v.ClockSkew = v.ClockSkew && f.timed
	out.Type = known.name
	out.Kind, out.Phase = class.Kind, class.Phase
	out.Decky = p.decky(x, f.host)
	switch {
	case app.role != event.Decoy:
	case app.helper:
		out.Service = "ssh"
		if service := x.get("service"); service != "" {
			out.Service = x.arena.Name(service, event.MaxService)
		}
	default:
		out.Service = program.service
	}
	out.Large = s.sized && s.large()
	out.Proof = x.decnetProof(program, kind)
	x.protocol = redact.Named(out.Service)
	if table == Native {
		x.proseLogin(&said, class)
	} else {
		x.decnetEvidence(out, class, &s)
	}
	out.Evidence = x.arena.Evidence(x.evidence)
	return v
}

// speaker returns the name of a program whose sentences are read: a constant, not
// what stands in the line.
func speaker(name string) string {
	for _, known := range [...]string{"sshd", "sshd-session", "sshd-auth", "internal-sftp", "sftp-server", "pam_unix", "dropbear"} {
		if name == known {
			return known
		}
	}
	return ""
}

// timeOf returns the time that a line gives itself.
func (p *Parser) timeOf(f *frame, record event.Time) (event.Time, bool) {
	if f.micros != event.Never {
		return f.micros, true
	}
	if f.walled {
		return p.zone.resolve(f.wall, record)
	}
	return parseTime(f.time)
}

// program returns the program's name in an APP-NAME: "sshd" in "sshd[42]" and
// in "/usr/sbin/sshd[42]".
func program(app string) string {
	if i := strings.IndexByte(app, '['); i > 0 {
		app = app[:i]
	}
	// Linux-PAM before 0.99 put its module behind the program's name.
	app, _, _ = strings.Cut(app, "(pam_")
	return app[strings.LastIndexByte(app, '/')+1:]
}

// decky returns a decoy's name; names with the internal prefix are none.
func (p *Parser) decky(x *scratch, host string) string {
	if p.internal != "" && strings.HasPrefix(host, p.internal) {
		return ""
	}
	return x.arena.Name(host, event.MaxName)
}

// ownerless names the decoy of a command that can't be told whose it is.
func (p *Parser) ownerless(x *scratch, host string) string {
	if decoy := p.decky(x, host); decoy != "" {
		return decoy
	}
	return "unknown"
}

// decoyName returns the name of the decoy with that address, or the address
// where it has none.
func (p *Parser) decoyName(x *scratch, a netip.Addr) string {
	if name, ok := p.names[a]; ok {
		return p.decky(x, name)
	}
	return x.address(a)
}

// survey is what one look at each parameter of a line finds.
type survey struct {
	// addr is the address as the sensor wrote it, named whether it did.
	addr  string
	named bool
	// twice says that the field with it is there twice and says two things.
	twice bool
	// sizes are bytes, size and content_length, in DECNET's order.
	sizes [3]string
	sized bool // whether there is any
	// secret is secret_b64.
	secret string
	// request says that there is something of a request's headers, method that
	// there is its method.
	request, method bool
}

// survey looks at the parameters. Of the address fields the first one in
// DECNET's order decides: what it holds is the sensor's word, and if that is
// no address, none of the others is taken for it. A field that is there twice
// must say the same: no sensor writes two, so somebody else wrote one. Only the
// prober's target is an attacker.
func (x *scratch) survey(role event.Role) survey {
	s := survey{}
	best := 99
	for i := range x.params {
		f := &x.params[i]
		rank := best + 1
		switch f.Key {
		case "src_ip":
			rank = 0
		case "src":
			rank = 1
		case "client_ip":
			rank = 2
		case "remote_ip":
			rank = 3
		case "remote_addr":
			rank = 4
		case "target_ip":
			if role == event.Prober {
				rank = 0
			}
		case "ip":
			rank = 6
		case "bytes":
			s.sizes[0], s.sized = f.Value, true
		case "size":
			s.sizes[1], s.sized = f.Value, true
		case "content_length":
			s.sizes[2], s.sized = f.Value, true
		case "secret_b64":
			s.secret = f.Value
		case "headers", "user_agent":
			s.request = true
		case "method":
			s.method = true
		default:
			s.request = s.request || strings.HasPrefix(f.Key, headerPrefix)
		}
		if rank > best || role == event.Prober && f.Key != "target_ip" {
			continue
		}
		s.twice = rank == best && (s.twice || s.addr != f.Value)
		best, s.addr, s.named = rank, f.Value, true
	}
	return s
}

// large says whether the first readable size is at least a mebibyte.
func (s *survey) large() bool {
	for _, text := range s.sizes {
		if n, ok := parseInt(text); ok {
			return n >= mebibyte
		}
	}
	return false
}

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
	case "", "-", "?", "Unknown", "unknown", unknownPeer, "None", "null":
		return netip.Addr{}, NoAddress
	default:
		return netip.Addr{}, BadAddress
	}
}

// peer reads the address in text as that of a connection's other end: what is
// no host's, and the decoy's own, is nobody. own is the decoy's, "" where it
// isn't told.
func (p *Parser) peer(text string, found bool, own string) (netip.Addr, Reason) {
	addr, reason := attacker(text, found)
	if reason != OK {
		return addr, reason
	}
	if p.nobody(addr) || own != "" && !addr.IsLoopback() && own == text {
		return netip.Addr{}, DecoysOnly // on loopback somebody may come through a tunnel
	}
	return addr, OK
}

// decnetProof returns how the address of an event of that kind is known.
func (x *scratch) decnetProof(program *programMemo, kind string) event.Proof {
	app := &program.app
	switch {
	case strings.EqualFold(x.get("transport"), "udp"):
		return event.Claimed // whatever the service is mostly asked over
	case sawEstablished(app.role, kind), program.name == "dns" && x.get("transport") == "tcp":
		return event.ByConnection
	case kind == "file_captured" && app.proof.Proven():
		// The decoy looks for the session that wrote a file.
		switch x.get("attribution") {
		case "":
			return app.proof
		case "pid-chain", "ss-only":
			return event.BySession
		default: // one of several, or nobody knows
			return event.Claimed
		}
	default:
		return app.proof
	}
}

// sawEstablished says whether the sniffer saw what the decoy's own end of a TCP
// connection said. It keeps no connections: a client's first segment, with a
// hello or a banner, counts for it whether a handshake came before or not
// (sniffer/fingerprint.py, on_packet), so that anybody could have sent it.
func sawEstablished(role event.Role, kind string) bool {
	if role != event.Sniffer {
		return false
	}
	switch kind {
	case "tls_session", "tls_certificate":
		return true
	default:
		return false
	}
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
	if strings.HasPrefix(head, "pwd=") {
		head = ""
	} else if i := strings.Index(head, " pwd="); i >= 0 {
		head = head[:i]
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

// decnetDocument reads what DECNET's collector made of a line. The line itself
// says more and is read where it is there: the collector cuts the time to
// seconds and loses fields behind a "]".
func (p *Parser) decnetDocument(x *scratch, r *event.Record, fields []event.Field, s *shape, out *event.Event) Verdict {
	var f frame
	if s.rank == 0 {
		line := strings.TrimSpace(s.line)
		if len(line) <= MaxText && x.parse5424(&f, line) == OK {
			return p.decnet(x, &f, r, out)
		}
		x.own, x.params = x.own[:0], nil
		f = frame{}
	}
	f.timed, f.container = x.text, true
	var claimed string
	for i := range fields {
		key, value := fields[i].Key, fields[i].Value
		switch key {
		case "timestamp":
			f.time, f.timed = value, true
		case "decky":
			f.host = value
		case "service":
			f.app = value
		case "event_type":
			f.msgID = value
		case "attacker_ip":
			claimed = value
		case "msg":
			f.msg = strings.TrimSpace(value)
		default:
			if name, ok := strings.CutPrefix(key, "fields."); ok {
				x.keep(name, value)
			}
		}
	}
	for _, field := range [...]*string{&f.time, &f.host, &f.app, &f.msgID} {
		if *field == "-" {
			*field = ""
		}
	}
	if f.msgID == "" && f.app == "" {
		return Verdict{Dialect: DECNET, Reason: NoType}
	}
	// The collector falls back to addresses in the message, so its own word
	// counts only where there is no message.
	if len(x.own) == 0 && f.msg == "" && claimed != "" {
		x.keep("src_ip", claimed)
	}
	f.relay = len(x.own) > 0
	return p.decnet(x, &f, r, out)
}
