package dialect

import (
	"net/netip"
	"strconv"
	"strings"

	"dossier/correlate/event"
	"dossier/correlate/redact"
)

// suricata reads a document of Suricata's EVE output.
func (p *Parser) suricata(x *scratch, r *event.Record, fields []event.Field, out *event.Event) Verdict {
	x.document(fields)
	v := Verdict{Dialect: Suricata}
	kind, _ := x.lookup("event_type")
	class := classify(Suricata, kind)
	if class == noise && kind != "anomaly" || x.answers(kind) {
		v.Reason = SensorReport
		return v
	}
	f, reason := p.suricataFlow(x, kind)
	if reason != OK {
		v.Reason = reason
		return v
	}
	out.Addr = f.attacker
	out.Role = event.Sniffer
	started := "timestamp"
	if kind == "flow" {
		started = "flow.start"
	}
	v.ClockSkew = x.when(out, r, started)
	out.Type = x.arena.Name(kind, event.MaxService)
	if out.Decky = p.decky(x, x.get("t-pot_hostname")); out.Decky == "" {
		out.Decky = p.decoyName(x, f.decoy)
	}
	if f.opened {
		x.contact(out.Decky, func() { x.served(kind, &f) }, out)
		return v
	}
	out.Service = x.suricataService(kind)
	tcp := x.get("proto") == "TCP"
	if tcp && !f.doubtful && (class.Established || kind == "flow" && x.flowEstablished() || kind == "alert" && x.applicationSeen()) {
		out.Proof = event.ByConnection
	}
	class = x.suricataClass(kind, class, &f)
	out.Kind, out.Phase = class.Kind, class.Phase
	out.Large = x.suricataLarge(kind)
	// The protocol is the flow's, whoever opened it.
	x.protocol = redact.Named(x.suricataService(kind))
	x.suricataEvidence(kind, &f, out)
	out.Evidence = x.arena.Evidence(x.evidence)
	return v
}

// answers says whether a document is the decoy's own answer to what another
// document has told already.
func (x *scratch) answers(kind string) bool {
	switch kind {
	case "dns":
		direction := x.get("dns.type")
		return direction == "answer" || direction == "response"
	case "quic":
		return x.get("quic.ja3s.hash") != "" && x.get("quic.ja3.hash") == "" && x.get("quic.ja4") == ""
	default:
		return false
	}
}

// suricataFlow tells the attacker from the decoy.
func (p *Parser) suricataFlow(x *scratch, kind string) (flow, Reason) {
	from, to := x.get("src_ip"), x.get("dest_ip")
	if from == "" || to == "" {
		return flow{}, NoAddress
	}
	src, ok1 := event.ParseAddress(from)
	dst, ok2 := event.ParseAddress(to)
	if !ok1 || !ok2 {
		if unspecified(from) || unspecified(to) {
			return flow{}, DecoysOnly // a host that asks for its address
		}
		return flow{}, BadAddress
	}
	return p.sides(src, dst, x.openerOf(kind, "", ends{src, dst, x.get("src_port"), x.get("dest_port")}))
}

// suricataService names the decoy's service by the protocol recognised.
func (x *scratch) suricataService(kind string) string {
	service := x.get("app_proto")
	switch {
	case service == "failed":
		service = ""
	case service != "":
	case suricataProtocols[kind]:
		service = kind
	}
	switch service {
	case "ftp_data", "ftp-data":
		service = "ftp"
	case "rfb":
		service = "vnc"
	case "pgsql":
		service = "postgres"
	case "tls":
		if x.get("dest_port") == "443" || x.get("src_port") == "443" {
			service = "https"
		}
	}
	return x.arena.Name(service, event.MaxService)
}

// suricataProtocols are the event types that name the protocol.
var suricataProtocols = map[string]bool{
	"http": true, "tls": true, "quic": true, "ssh": true, "dns": true, "smtp": true, "ftp": true, "ftp_data": true,
	"tftp": true, "rfb": true, "rdp": true, "smb": true, "snmp": true, "sip": true, "krb5": true, "ike": true, "nfs": true,
	"dcerpc": true, "dhcp": true, "mqtt": true, "pgsql": true, "modbus": true, "dnp3": true, "enip": true, "telnet": true,
	"bittorrent_dht": true, "ldap": true, "pop3": true, "imap": true, "redis": true, "ntp": true,
}

// flowEstablished says whether both sides of a TCP flow sent data after a
// handshake. With stream.midstream Suricata takes data without one, and whoever
// sends first for whoever opened the flow.
func (x *scratch) flowEstablished() bool {
	const synPushAck = 0x1a
	state := x.get("flow.state")
	return (state == "established" || state == "closed") &&
		x.flags("tcp.tcp_flags_ts")&synPushAck == synPushAck && x.flags("tcp.tcp_flags_tc")&synPushAck == synPushAck
}

func (x *scratch) flags(key string) uint64 {
	n, _ := strconv.ParseUint(x.get(key), 16, 16)
	return n
}

// applicationSeen says whether an alert on a stream carries what an application
// protocol's parser read from it, or that it was that protocol's.
func (x *scratch) applicationSeen() bool {
	// It names a protocol once it has read a stream's beginning, behind the handshake.
	switch x.get("app_proto") {
	case "http", "http2", "tls", "ssh", "smtp", "smb", "ftp", "dcerpc":
		return true
	}
	for i := range x.params {
		key := x.params[i].Key
		if dot := strings.IndexByte(key, '.'); dot > 0 {
			switch key[:dot] {
			case "http", "tls", "ssh", "smtp", "smb", "ftp":
				return true
			}
		}
	}
	return false
}

// suricataClass strengthens the class of an event by what was done.
func (x *scratch) suricataClass(kind string, class class, f *flow) class {
	switch kind {
	case "alert":
		if x.get("alert.severity") == "1" || x.get("direction") == "to_client" {
			class.Kind = event.Interaction
		}
	case "http":
		switch x.get("http.http_method") {
		case "PUT", "POST", "DELETE", "PATCH":
			class.Kind = event.Interaction
		}
	case "ftp":
		if ftpWork(x.get("ftp.command")) {
			class.Kind, class.Phase = event.Interaction, event.Exfil
		}
	case "fileinfo":
		if f.sent {
			class.Kind, class.Phase = event.Interaction, event.Exfil
		}
	case "mqtt":
		if f.sent && x.get("mqtt.connect.protocol_string") != "" {
			class = talk // what a client starts with
		}
	case "pop3", "imap":
		if mailboxWork(x.get(x.joined(kind, ".request.command"))) {
			class.Kind = event.Interaction
		}
	case "sip":
		class = sipClass(x.get("sip.method"))
	case "smb":
		if x.get("smb.filename") != "" {
			class.Kind, class.Phase = event.Interaction, event.Exfil
		}
	}
	return class
}

func (x *scratch) suricataLarge(kind string) bool {
	for _, key := range [...]string{"fileinfo.size", "flow.bytes_toserver", "flow.bytes_toclient"} {
		if kind != "fileinfo" && kind != "flow" {
			return false
		}
		if n, ok := x.int(key); ok && n >= mebibyte {
			return true
		}
	}
	return false
}

func (x *scratch) suricataEvidence(kind string, f *flow, out *event.Event) {
	switch kind {
	case "alert":
		x.alert(out.Addr)
		x.webRequest(out.Addr)
		if f.sent {
			x.alertPayload()
		}
		x.handshakes()
		if out.Service == "dns" {
			x.dnsQueries()
		}
		if out.Service == "sip" && f.sent {
			x.sipRequest(x.get("sip.method"), x.get("sip.uri"))
		}
	case "http", "http2":
		x.webRequest(out.Addr)
	case "tls", "quic", "ssh":
		x.handshakes()
	case "dns", "mdns", "llmnr":
		x.dnsQueries()
	case "mqtt":
		x.mqtt(f)
	case "pop3", "imap":
		x.mailboxWord(kind)
	case "pgsql":
		x.pgsql()
	case "ldap":
		x.ldap()
	case "redis":
		x.keyValue()
	case "krb5":
		x.kerberos()
	case "smtp":
		x.mailRecipients()
		if helo := x.get("smtp.helo"); helo != "" {
			x.said(event.SaidText, "", x.arena.Join("EHLO ", helo))
		}
	case "modbus", "dnp3", "enip":
		x.controller(kind)
	case "ftp":
		x.ftp()
	case "tftp":
		x.command(x.join(x.get("tftp.packet"), x.get("tftp.file")))
	case "fileinfo":
		x.fileInfo(f)
	case "rfb":
		if response := x.get("rfb.authentication.vnc.response"); response != "" {
			c := credential{kind: "vnc_des_response", secret: response}
			switch result := x.get("rfb.authentication.security_result"); {
			case result == "OK":
				c.outcome = event.Success
			case result != "", x.get("rfb.server_security_failure_reason") != "":
				c.outcome = event.Failure
			}
			x.login(c)
		}
	case "rdp":
		if cookie := x.get("rdp.cookie"); cookie != "" {
			x.login(credential{principal: cookie})
		}
		x.fingerprint("rdp_client_name", x.get("rdp.client.client_name"))
	case "sip":
		if f.sent {
			x.sipRequest(x.get("sip.method"), x.get("sip.uri"))
		}
	case "smb":
		x.smbLogin()
		x.said(event.SaidText, "", x.get("smb.filename"))
	case "snmp":
		community, ok := x.lookup("snmp.community")
		if ok {
			x.login(credential{kind: "snmp_community", secret: community})
		} else if user := x.get("snmp.usm"); user != "" {
			x.login(credential{principal: user})
		}
		x.command(x.list("snmp.vars"))
	}
}

// alert adds a matched signature, the techniques and vulnerabilities that its
// rule names, and the address that the attacker's request claims.
func (x *scratch) alert(own netip.Addr) {
	signature := x.get("alert.signature")
	e := event.Evidence{Kind: event.Alert, A: x.value(signature), B: x.value(x.get("alert.category"))}
	e.N, _ = x.int("alert.severity")
	x.put("signature_id", x.get("alert.signature_id"))
	x.put("action", x.get("alert.action"))
	x.add(e)
	x.techniques(signature, func(key string) bool { return strings.HasPrefix(key, "alert.metadata.mitre_technique_id") })
	x.vulnerabilities(signature, "alert.")
	// Suricata writes it beside the alert, not in it (output-json-alert.c).
	if xff := x.first("xff", "alert.xff"); xff != "" && xff != x.get("http.xff") {
		x.claim("X-Forwarded-For", xff, own)
	}
}

// alertPayload adds the beginning of what the attacker sent, where Suricata logs
// what the signature matched (payload-printable: yes). Parts that the request's own
// fields have are not told twice.
func (x *scratch) alertPayload() {
	payload := x.get("payload_printable")
	switch x.get("app_proto") {
	case "tls", "quic", "ssh", "smtp", "dns":
		return // unreadable, or with mail addresses
	}
	if x.get("http.url") == "" {
		x.saidRaw(payload, event.SaidText)
		return
	}
	if _, custom := x.lookup("http.request_headers.0.name"); custom || x.get("http.http_request_body_printable") != "" {
		return
	}
	head, body, _ := strings.Cut(payload, "\r\n\r\n")
	_, headers, _ := strings.Cut(head, "\r\n")
	for n := 0; headers != "" && n < maxSaidHeaders; n++ {
		var header string
		header, headers, _ = strings.Cut(headers, "\r\n")
		if name, value, ok := strings.Cut(header, ":"); ok && !strings.EqualFold(name, "Referer") {
			x.saidHeader(name, strings.TrimSpace(value))
		}
	}
	x.said(event.SaidBody, "", body)
}

// maxTechniques bounds the techniques that one record can name.
const maxTechniques = 32

// techniques adds the ATT&CK techniques in the parameters that are named so,
// recognised by what.
func (x *scratch) techniques(what string, named func(key string) bool) {
	what = x.value(what)
	found := 0
	for i := range x.params {
		if found == maxTechniques {
			return
		}
		if !named(x.params[i].Key) {
			continue
		}
		if id, ok := x.techniqueID(x.params[i].Value); ok {
			x.add(event.Evidence{Kind: event.Technique, A: id, B: what})
			found++
		}
	}
}

// techniqueID returns an ATT&CK technique as it is cited: rules write T1595.002
// or T1595_002.
func (x *scratch) techniqueID(s string) (string, bool) {
	if len(s) != len("T1595") && len(s) != len("T1595.002") || s[0] != 'T' {
		return "", false
	}
	if _, ok := digits(s, 1, 4); !ok {
		return "", false
	}
	if len(s) == len("T1595") {
		return s, true
	}
	if _, ok := digits(s, 6, 3); !ok || s[5] != '.' && s[5] != '_' {
		return "", false
	}
	return x.arena.Join(s[:5], ".", s[6:]), true
}

// webRequest adds what a request of the attacker's shows.
func (x *scratch) webRequest(own netip.Addr) {
	x.agent(x.get("http.http_user_agent"), x.get("http.http_method"), x.get("http.url"))
	x.saidRequest(x.get("http.http_method"), x.get("http.url"), "", x.get("http.http_request_body_printable"))
	x.saidHeader("Referer", x.get("http.http_refer"))
	for i := range maxSaidHeaders {
		name := x.get(x.numbered("http", ".request_headers.", i, ".name"))
		if name == "" {
			break
		}
		x.saidHeader(name, x.get(x.numbered("http", ".request_headers.", i, ".value")))
	}
	if xff := x.get("http.xff"); xff != "" {
		x.claim("X-Forwarded-For", xff, own)
	}
	x.webLogin()
}

// serverHandshakes adds the TLS, QUIC and SSH fingerprints of a server that the
// decoy contacted.
func (x *scratch) serverHandshakes() {
	x.fingerprint("ja3s", x.first("tls.ja3s.hash", "quic.ja3s.hash"))
	if subject := x.get("tls.subject"); subject != "" {
		x.put("issuer", x.get("tls.issuerdn"))
		x.put("sha1", x.get("tls.fingerprint"))
		x.put("not_before", x.get("tls.notbefore"))
		x.put("not_after", x.get("tls.notafter"))
		x.fingerprint("tls_certificate", subject)
	}
	x.fingerprint("hassh_server", x.get("ssh.server.hassh.hash"))
	x.fingerprint("ssh_server_banner", x.sshBanner("ssh.server."))
}

// sshBanner returns one side's identification (RFC 4253 §4.2), "" where it
// isn't told.
func (x *scratch) sshBanner(side string) string {
	software := x.get(x.joined(side, "software_version"))
	if software == "" {
		return ""
	}
	return x.arena.Join("SSH-", x.get(x.joined(side, "proto_version")), "-", software)
}

// handshakes adds the TLS, QUIC and SSH fingerprints of the attacker's side.
func (x *scratch) handshakes() {
	x.put("sni", x.first("tls.sni", "quic.sni"))
	x.put("tls_version", x.get("tls.version"))
	x.fingerprint("ja3", x.first("tls.ja3.hash", "quic.ja3.hash"))
	x.fingerprint("ja4", x.get("tls.ja4"))
	x.put("sni", x.get("quic.sni"))
	x.fingerprint("ja4_quic", x.get("quic.ja4"))
	if algorithms := x.get("ssh.client.hassh.string"); algorithms != "" {
		x.put("algorithms", algorithms)
		x.fingerprint("hassh", x.get("ssh.client.hassh.hash"))
		kex, _, _ := strings.Cut(algorithms, ";")
		x.add(event.Evidence{Kind: event.KexOrder, A: x.value(kex)})
	}
	x.fingerprint("ssh_client_banner", x.sshBanner("ssh.client."))
	x.clientCertificate()
	x.agent(x.get("quic.ua"), "", "")
}

// mailRecipients adds the domains of a mail's recipients.
func (x *scratch) mailRecipients() {
	for i := range x.params {
		if strings.HasPrefix(x.params[i].Key, "smtp.rcpt_to.") && len(x.evidence) < maxRecipients {
			x.addDomains(event.Recipient, x.params[i].Value, event.Unknown)
			x.said(event.SaidText, "", expanded("RCPT TO ", x.params[i].Value, x))
		}
	}
}

// ftp adds a command, or the password of a login. The name came in a command
// of its own.
func (x *scratch) ftp() {
	verb, argument := x.get("ftp.command"), x.get("ftp.command_data")
	switch verb {
	case "PASS":
		c := credential{kind: plaintext, secret: argument}
		switch x.get("ftp.completion_code.0") {
		case "230":
			c.outcome = event.Success
		case "530":
			c.outcome = event.Failure
		}
		x.login(c)
	default:
		if ftpWork(verb) {
			x.command(x.join(verb, argument))
		}
	}
}

// ftpWork says whether an FTP command does something to files; the others
// are how clients and servers get along.
func ftpWork(verb string) bool {
	switch verb {
	case "RETR", "STOR", "STOU", "APPE", "DELE", "MKD", "RMD", "RNFR", "RNTO", "CWD", "LIST", "NLST", "MLSD", "SITE", "SIZE":
		return true
	default:
		return false
	}
}

// fileInfo adds a file that the attacker sent unasked.
func (x *scratch) fileInfo(f *flow) {
	if !f.sent {
		return
	}
	digest := ""
	if x.get("fileinfo.state") == "CLOSED" {
		digest = x.digest("fileinfo.sha256")
	}
	x.put("filename", x.webPath(x.get("fileinfo.filename")))
	x.put("size", x.get("fileinfo.size"))
	if digest != "" {
		x.note("sha1", x.hexDigest("fileinfo.sha1", 20))
		x.note("md5", x.hexDigest("fileinfo.md5", 16))
		x.file(digest, "", "file")
		return
	}
	// A file is known by its SHA-256 alone; what else is told finds it elsewhere.
	if x.get("fileinfo.state") == "CLOSED" {
		x.fingerprint("file_sha1", x.hexDigest("fileinfo.sha1", 20))
		x.fingerprint("file_md5", x.hexDigest("fileinfo.md5", 16))
	}
	x.payload = x.payload[:0]
}

// smbLogin adds a login by NTLM.
func (x *scratch) smbLogin() {
	user := x.get("smb.ntlmssp.user")
	if user == "" {
		return
	}
	c := credential{principal: user}
	if domain := x.get("smb.ntlmssp.domain"); domain != "" {
		c.principal = x.arena.Join(domain, `\`, user)
	}
	switch x.get("smb.status") {
	case "STATUS_SUCCESS":
		c.outcome = event.Success
	case "STATUS_LOGON_FAILURE", "STATUS_ACCESS_DENIED":
		c.outcome = event.Failure
	}
	x.login(c)
}
