package dialect

import (
	"net/netip"
	"strings"

	"dossier/correlate/event"
)

// flow is who talks to whom in a document of a sensor that sees both ends.
type flow struct {
	attacker, decoy netip.Addr
	// opened says that the decoy opened the connection, or may have: then the
	// attacker is the server, and what the document shows is the decoy's work.
	opened bool
	// sent says that the attacker is the document's source.
	sent bool
	// doubtful says that nothing but what the decoy could have chosen, had it
	// opened the connection, tells that it didn't.
	doubtful bool
}

// opener says which ends of a document may have opened its connection. Where
// signs disagree, both; where there is none, neither.
type opener uint8

const (
	bySource opener = 1 << iota
	byDestination
	// doubtful says that the signs are ports that either end could have bound.
	doubtful

	byNobodyKnown opener = 0
)

// who is an opener without the doubt.
func (o opener) who() opener { return o &^ doubtful }

// sides tells the attacker from the decoy among two addresses. The decoys' own
// networks decide where they are known; else a public address is the
// attacker's before a private one; else whoever opened the connection, where
// that is told.
func (p *Parser) sides(src, dst netip.Addr, by opener) (f flow, reason Reason) {
	if src == dst || src.IsLoopback() || dst.IsLoopback() || p.nobody(src) || p.nobody(dst) || p.likeBroadcast(dst) {
		return flow{}, DecoysOnly
	}
	doubt := by.who() == byNobodyKnown || by&doubtful != 0
	out := flow{attacker: src, decoy: dst, sent: true, opened: by&byDestination != 0, doubtful: doubt}
	in := flow{attacker: dst, decoy: src, opened: by&bySource != 0, doubtful: doubt}
	if len(p.decoys) > 0 {
		switch s, d := within(src, p.decoys), within(dst, p.decoys); {
		case d && !s:
			return out, OK
		case s && !d:
			return in, OK
		default:
			return flow{}, DecoysOnly
		}
	}
	switch s, d := addressCategory(src) == "public", addressCategory(dst) == "public"; {
	case s && !d:
		return out, OK
	case d && !s:
		return in, OK
	case by.who() == bySource:
		return out, OK
	case by.who() == byDestination:
		return in, OK
	default:
		return flow{}, Ambiguous
	}
}

// nobody says whether an address is no host's: of all, or of a group. The
// broadcast address of a network is known where it is the decoys'.
func (p *Parser) nobody(a netip.Addr) bool {
	if a.IsMulticast() || a.IsUnspecified() || a == limitedBroadcast {
		return true
	}
	net, ok := p.decoyNet(a)
	return ok && a.Is4() && net.Addr().Is4() && net.Bits() < 31 && a == lastAddress(net)
}

// likeBroadcast guesses where private networks mostly have their broadcast
// address. Nothing is sent from one (RFC 1122 §3.2.1.3): who sends has a wider
// network, and is a host.
func (p *Parser) likeBroadcast(a netip.Addr) bool {
	if _, ok := p.decoyNet(a); ok {
		return false
	}
	if _, named := p.names[a]; named {
		return false
	}
	return a.Is4() && a.IsPrivate() && a.As4()[3] == 255
}

// decoyNet returns the decoys' network that has an address.
func (p *Parser) decoyNet(a netip.Addr) (netip.Prefix, bool) {
	for _, net := range p.decoys {
		if net.Contains(a) {
			return net, true
		}
	}
	return netip.Prefix{}, false
}

var limitedBroadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// lastAddress returns the last address of an IPv4 network.
func lastAddress(net netip.Prefix) netip.Addr {
	b := net.Addr().As4()
	for i := net.Bits(); i < 32; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	return netip.AddrFrom4(b)
}

// unspecified says whether text is the address of a host that has none yet.
func unspecified(text string) bool { return text == "0.0.0.0" || text == "::" }

// openerOf tells who opened the connection of a document of Suricata's with
// that event type, whose fields' names start with prefix. What is logged with
// its flow's direction has whoever opened it as the source; what is logged with
// a packet's or a file's direction has its sender there (Suricata, output.c
// and output-json-*.c): over TCP mostly the other end, for its packet
// acknowledges what is logged. A type that is not known is read as the latter.
func (x *scratch) openerOf(kind, prefix string, e ends) opener {
	get := func(name string) string { return x.eve(prefix, name) }
	switch kind {
	case "flow", "http", "http2", "redis", "tls", "ssh", "dns", "smtp", "ftp", "smb", "dcerpc", "pgsql", "modbus", "dnp3", "enip",
		"ldap", "pop3", "imap", "doh2", "llmnr", "telnet":
		return bySource
	case "ftp_data":
		// Whoever opened it, the other may have opened the connection that asked
		// for it: in active mode the server does, from port 20.
		if by := e.serverOn("20"); by != byNobodyKnown {
			return by | doubtful
		}
		return bySource | doubtful
	case "alert", "drop", "anomaly", "frame", "stream_tcp":
		return x.packetOpener(get, e)
	case "fileinfo":
		return x.fileOpener(get, e)
	case "mqtt":
		if get("mqtt.connect.protocol_string") != "" || get("mqtt.subscribe.topics.0.topic") != "" {
			return bySource // what clients alone send is logged with its sender
		}
	case "snmp":
		switch pdu := get("snmp.pdu_type"); {
		case strings.Contains(pdu, "response"):
			return byDestination
		case pdu != "":
			return bySource
		}
	case "sip":
		switch {
		case strings.EqualFold(get("proto"), "tcp"):
		case get("sip.code") != "" || get("sip.response_line") != "":
			return byDestination
		case get("sip.method") != "":
			return bySource
		}
	case "ike":
		if get("ike.role") == "responder" {
			return byDestination
		}
	case "krb5":
		// What is logged is the answer's packet, or one behind it.
		if by := e.server("88"); by.who() != byNobodyKnown {
			return by
		}
		return byDestination | doubtful
	}
	if by := e.server(protocolPort(kind)); by.who() != byNobodyKnown {
		return by
	}
	return bySource | doubtful
}

// eve returns a field of an event of Suricata's. Filebeat gives some of them
// names of the schema.
func (x *scratch) eve(prefix, name string) string {
	if v := x.get(x.joined(prefix, name)); v != "" || prefix == "" {
		return v
	}
	switch name {
	case "app_proto":
		return x.get("network.protocol")
	case "proto":
		return x.get("network.transport")
	case "http.http_method":
		return x.get("http.request.method")
	default:
		return ""
	}
}

// packetOpener tells who opened the flow of a packet.
func (x *scratch) packetOpener(get func(string) string, e ends) opener {
	if a, ok := event.ParseAddress(get("flow.src_ip")); ok {
		switch a {
		case e.src:
			return bySource
		case e.dst:
			return byDestination
		}
	}
	switch get("direction") {
	case "to_server":
		return bySource
	case "to_client":
		return byDestination
	}
	app := strings.ToLower(get("app_proto"))
	if by := e.serverOf(app); by != byNobodyKnown {
		return e.doubted(by)
	}
	return e.server("")
}

// fileOpener tells who opened the connection that a file came over: its
// sender is the source. A request may have a body where none is usual, and
// ports can be chosen, so that all signs count.
func (x *scratch) fileOpener(get func(string) string, e ends) opener {
	var by opener
	switch app := strings.ToLower(get("app_proto")); app {
	case "smtp":
		return bySource // mail goes to servers
	case "ftp-data", "ftp_data":
		switch get("ftp_data.command") {
		case "RETR":
			return byDestination
		case "STOR", "STOU", "APPE":
			return bySource
		}
		return e.serverOn("20") | doubtful
	default:
		by = e.server(protocolPort(app))
	}
	switch strings.ToUpper(get("http.http_method")) {
	case "GET", "HEAD", "OPTIONS", "CONNECT", "TRACE":
		// The body is the answer's.
		by |= byDestination
	}
	return by
}

// ends are the two ends of a document.
type ends struct {
	src, dst         netip.Addr
	srcPort, dstPort string
}

// firstEphemeral is the first port that Linux gives to clients; other systems
// start later.
const firstEphemeral = 32768

// server tells who opened a connection by the ports: the side with the
// protocol's own port is the server, else the one below the ports of clients
// where the other is above, else the one that has a service's port, or one below
// 1024, where the other has not.
func (e *ends) server(port string) opener { return e.doubted(e.likely(port)) }

// doubted adds a doubt to what ports tell, unless the client has one that
// systems give to clients and the server hasn't. A decoy can be bound to any
// port, but nobody else answers at those of clients.
func (e *ends) doubted(by opener) opener {
	client, server := e.srcPort, e.dstPort
	if by == byDestination {
		client, server = server, client
	}
	c, ok1 := parseInt(client)
	s, ok2 := parseInt(server)
	if !ok1 || !ok2 || c < firstEphemeral || s >= firstEphemeral {
		by |= doubtful
	}
	return by
}

func (e *ends) likely(port string) opener {
	if by := e.serverOn(port); by != byNobodyKnown {
		return by
	}
	src, ok1 := parseInt(e.srcPort)
	dst, ok2 := parseInt(e.dstPort)
	if !ok1 || !ok2 || src <= 0 || dst <= 0 {
		return byNobodyKnown
	}
	switch {
	case src >= firstEphemeral && dst < firstEphemeral:
		return bySource
	case dst >= firstEphemeral && src < firstEphemeral:
		return byDestination
	}
	if s, d := portService(e.srcPort) != "", portService(e.dstPort) != ""; s != d {
		return serverAt(s)
	}
	if s, d := src < firstUnprivileged, dst < firstUnprivileged; s != d {
		return serverAt(s)
	}
	return byNobodyKnown
}

// firstUnprivileged is the first port that any program may open.
const firstUnprivileged = 1024

// serverAt tells who opened a connection by which side is the server.
func serverAt(source bool) opener {
	if source {
		return byDestination
	}
	return bySource
}

// serverOf is server for the usual ports of one application protocol alone, by
// Suricata's name.
func (e *ends) serverOf(app string) opener {
	is := func(port string) bool {
		switch service := portService(port); {
		case service == "":
			return false
		case app == "tls":
			return service == "https"
		case app == "http", app == "http2":
			return service == "http" || service == "https"
		case app == "pgsql":
			return service == "postgres"
		case app == "rfb":
			return service == "vnc"
		default:
			return service == app
		}
	}
	if s, d := is(e.srcPort), is(e.dstPort); s != d {
		return serverAt(s)
	}
	return byNobodyKnown
}

// serverOn is server for one port alone.
func (e *ends) serverOn(port string) opener {
	switch {
	case port == "" || e.srcPort == e.dstPort:
		return byNobodyKnown
	case e.dstPort == port:
		return bySource
	case e.srcPort == port:
		return byDestination
	default:
		return byNobodyKnown
	}
}

// protocolPort returns the port of a protocol whose events have a packet's
// direction, "" where it has none of its own.
func protocolPort(protocol string) string {
	switch protocol {
	case "snmp":
		return "161"
	case "sip":
		return "5060"
	case "tftp":
		return "69"
	case "dhcp":
		return "67"
	case "rfb":
		return "5900"
	case "quic":
		return "443"
	case "nfs":
		return "2049"
	case "smb":
		return "445"
	case "mqtt":
		return "1883"
	case "mdns":
		return "5353"
	default:
		return ""
	}
}

// contact makes out of an event what the decoy did itself: a contact with the
// other side, which is infrastructure and did nothing. It is the only way for
// documents with flow.opened and adds all the evidence they may have: who made
// the contact, and what the other side served and is known by. These are
// fingerprints and alerts on a payload host, by which nobody is judged.
func (x *scratch) contact(decoy string, served func(), out *event.Event) {
	out.Role, out.Kind, out.Phase = event.Contact, event.Noise, 0
	out.Service, out.Decky, out.Proof, out.Large = "", "", event.Claimed, false
	x.evidence, x.payload = x.evidence[:0], x.payload[:0]
	x.fingerprint("contacted_by", decoy)
	served()
	out.Evidence = x.arena.Evidence(x.evidence)
}

// served adds what a document of Suricata's shows of a server that the decoy
// contacted.
func (x *scratch) served(kind string, f *flow) {
	url := ""
	if host := x.get("http.hostname"); host != "" {
		url = x.webPath(x.arena.Join("http://", host, x.get("http.url")))
	}
	switch kind {
	case "alert":
		x.contactAlert(x.get("alert.signature"), x.get("alert.category"), x.get("alert.severity"))
	case "fileinfo":
		digest := ""
		if f.sent && x.get("fileinfo.state") == "CLOSED" {
			if digest = x.digest("fileinfo.sha256"); digest == "" {
				digest = x.hexDigest("fileinfo.sha1", 20)
			}
			if digest == "" {
				digest = x.hexDigest("fileinfo.md5", 16)
			}
		}
		x.put("filename", x.webPath(x.get("fileinfo.filename")))
		x.put("size", x.get("fileinfo.size"))
		x.put("url", url)
		x.fingerprint("contact_file", digest)
	}
	x.fingerprint("contact_url", url)
	x.serverHandshakes()
}

// contactAlert adds a signature that matched in what the decoy and a server
// that it contacted said.
func (x *scratch) contactAlert(signature, category, severity string) {
	if signature == "" {
		return
	}
	x.put("category", category)
	x.put("severity", severity)
	x.fingerprint("contact_alert", signature)
	e := event.Evidence{Kind: event.Alert, A: x.value(signature), B: x.value(category), C: event.PayloadHost}
	e.N, _ = parseInt(severity)
	x.add(e)
}
