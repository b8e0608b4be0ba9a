package dialect

import (
	"strings"

	"dossier/correlate/event"
	"dossier/correlate/redact"
)

// decnetEvidence adds what an event of DECNET shows beyond having happened.
func (x *scratch) decnetEvidence(out *event.Event, class class, s *survey) {
	switch out.Role {
	case event.Sniffer:
		x.snifferEvidence(out.Type)
		return
	case event.Prober:
		x.proberEvidence(out.Type)
		return
	}
	if s.secret != "" || class.Login {
		x.decnetLogin(s.secret, class)
	}
	if class.Command {
		x.command(x.commandText(out.Service))
	}
	if s.request {
		x.requestEvidence(out)
	}
	if s.method && out.Type != "http_access" && out.Type != "http_request_fingerprint" && out.Service != "ftp" {
		x.saidRequest(x.get("method"), x.get("path"), "", x.first("body", "body_preview"))
	}
	x.decnetSaid(out)
	switch out.Type {
	case "session_recorded":
		x.sessionOf(x.get("sid"), milliseconds(x.get("duration_s")))
	case "rcpt_to", "rcpt_denied", "message_accepted":
		x.recipients(out)
	case "file_captured", "message_stored":
		x.storedFile(out.Type)
	case "version":
		if out.Service == "vnc" {
			x.fingerprint("vnc_client_version", x.get("client_version"))
		}
	case "http_request_fingerprint":
		x.put("protocol", x.get("proto"))
		x.put("method", x.get("method"))
		x.put("path", x.webPath(x.get("path")))
		x.putAll("headers_ordered", "accept_language")
		x.fingerprint("ja4h", x.get("ja4h"))
	case "http2_settings", "http3_settings":
		x.settings(out.Type)
	}
}

// decnetSaid adds what a client asked of a service that is no command and no web
// request by DECNET's count.
func (x *scratch) decnetSaid(out *event.Event) {
	text := ""
	switch out.Service {
	case "mqtt":
		switch out.Type {
		case "publish":
			text = x.join(x.join("PUBLISH", x.get("topic")), x.get("payload"))
		case "subscribe":
			text = x.join("SUBSCRIBE", x.get("topics"))
		}
	case "smtp", "smtp_relay":
		switch out.Type {
		case "ehlo":
			text = x.join("EHLO", x.get("domain"))
		case "mail_from":
			text = expanded("MAIL FROM ", x.get("value"), x)
		case "rcpt_to", "rcpt_denied":
			text = expanded("RCPT TO ", x.get("value"), x)
		}
	case "sip":
		if out.Type == "request" {
			text = x.join(x.get("method"), sipTarget(x.get("to")))
		}
	case "tftp":
		if out.Type == "request" {
			text = x.join(x.get("op"), x.get("filename"))
		}
	case "snmp":
		if out.Type == "get_request" {
			text = x.join("get", x.get("oids"))
		}
	case "dns", "llmnr":
		text = x.first("qname", "name")
	case "conpot":
		if out.Type == "request" {
			text = x.get("msg")
		}
	}
	x.said(event.SaidText, "", text)
}

// expanded returns an address that a mail server would expand, "" for any other:
// whom somebody writes to is nobody's business.
func expanded(verb, address string, x *scratch) string {
	if !strings.Contains(address, "${") {
		return ""
	}
	return x.arena.Join(verb, address)
}

// decnetLogin adds the attempt to log in that an event shows.
func (x *scratch) decnetLogin(encoded string, class class) {
	c := credential{principal: x.first("principal", "username"), outcome: outcomeOf(x.get("outcome"))}
	if encoded != "" && strings.IndexByte(encoded, '\n') < 0 {
		if secret, ok := x.decodeBase64(encoded); ok {
			c.secret = secret
			if c.kind = x.get("secret_kind"); c.kind == "" {
				c.kind = plaintext
			}
		}
	}
	if c.kind != "" || class.Login {
		x.login(c)
	}
}

// commandText returns the command line an event carries. Redis keeps the verb
// and its arguments apart.
func (x *scratch) commandText(service string) string {
	if service == "redis" {
		if verb, _ := x.lookup("cmd"); verb != "" {
			return x.redisLine(verb, x.get("args"))
		}
	}
	for _, key := range [...]string{"command", "query", "input", "line", "sql", "cmd"} {
		if line, _ := x.lookup(key); line != "" {
			return line
		}
	}
	return ""
}

// redisLine writes a Redis command as one types it: words with spaces or
// quotes in them are quoted.
func (x *scratch) redisLine(verb, args string) string {
	if args == "" || args == "[]" {
		return verb
	}
	args = args[:min(len(args), 4*event.MaxCommand)]
	x.headers = x.headers[:0]
	if !pythonList(x.arena, args, func(word string) {
		x.headers = append(x.headers, event.Field{Value: word})
	}) {
		x.headers = x.headers[:0]
		return x.arena.Join(verb, " ", args)
	}
	size := len(verb)
	for i := range x.headers {
		size += 2*len(x.headers[i].Value) + 3
	}
	b := append(x.arena.Grab(size), verb...)
	for i := range x.headers {
		b = append(b, ' ')
		word := x.headers[i].Value
		if word != "" && !strings.ContainsAny(word, " \t\r\n\"'") {
			b = append(b, word...)
			continue
		}
		b = append(b, '"')
		for j := 0; j < len(word); j++ {
			if word[j] == '"' || word[j] == '\\' {
				b = append(b, '\\')
			}
			b = append(b, word[j])
		}
		b = append(b, '"')
	}
	x.headers = x.headers[:0]
	return x.arena.Keep(b)
}

// recipients adds the mail domains that an event of an SMTP decoy names.
func (x *scratch) recipients(out *event.Event) {
	if out.Service != "smtp" && out.Service != "smtp_relay" {
		return
	}
	switch out.Type {
	case "message_accepted":
		x.addDomains(event.Message, x.get("rcpt_to"), event.Unknown)
	case "rcpt_to":
		x.addRecipient(x.get("value"), event.Success)
	case "rcpt_denied":
		x.addRecipient(x.get("value"), event.Failure)
	}
}

func (x *scratch) addRecipient(address string, outcome event.Outcome) {
	if domain, ok := x.mailDomain(address); ok {
		x.add(event.Evidence{Kind: event.Recipient, A: domain, Outcome: outcome})
	}
}

// storedFile adds a captured file or mail. Of mail addresses only the domains
// are kept.
func (x *scratch) storedFile(kind string) {
	if x.get("stored_as") == "" {
		return
	}
	e := event.Evidence{Kind: event.Artifact, A: x.digest("sha256"), C: "file"}
	if kind == "file_captured" {
		x.putAll("stored_as", "size", "orig_path", "attribution", "writer_comm")
	} else {
		e.C = "mail"
		x.putAll("stored_as", "size")
		x.put("subject", redact.Text(x.get("subject")))
		for _, key := range [...]string{"from_hdr", "to_hdr", "mail_from", "rcpt_to"} {
			x.put(key, x.domains(x.get(key)))
		}
		x.putAll("attachment_count", "content_type")
	}
	x.add(e)
}

// digest returns the parameter named key if it is a SHA-256 in hex.
func (x *scratch) digest(key string) string {
	v := x.get(key)
	if len(v) != 64 {
		return ""
	}
	for i := 0; i < len(v); i++ {
		if _, ok := hexDigit(v[i]); !ok {
			return ""
		}
	}
	return x.lower(v)
}

// settings adds the fingerprint of HTTP/2 or HTTP/3 settings.
func (x *scratch) settings(kind string) {
	value := x.get("settings")
	order := x.get("frame_order")
	if value == "" {
		value = order
	} else if order != "" {
		value = x.arena.Join(value, "|", order)
	}
	x.putAll("settings", "frame_order")
	x.put("protocol", map[bool]string{true: "h3", false: "h2"}[kind == "http3_settings"])
	x.fingerprint(kind, value)
}

// requestEvidence adds what a request's headers show.
func (x *scratch) requestEvidence(out *event.Event) {
	r := x.request()
	if len(r.headers) == 0 {
		if agent := x.get("user_agent"); agent != "" {
			x.agent(agent, x.get("method"), x.get("path"))
		}
		return
	}
	if agent, ok := r.header("User-Agent"); ok {
		x.agent(agent, x.get("method"), x.get("path"))
	}
	if mailer, ok := r.header("X-Mailer"); ok {
		if containsFold(mailer, "gophish") {
			x.add(event.Evidence{Kind: event.Tool, A: "gophish", B: "x-mailer"})
		}
	}
	x.saidHeaders(r.headers)
	if out.Service == "http" || out.Service == "https" {
		x.claims(r, out.Addr)
		x.headerOrder(r)
	}
}

// snifferEvidence adds what the sniffer saw of a connection.
func (x *scratch) snifferEvidence(kind string) {
	switch kind {
	case "tcp_syn_fingerprint":
		x.synStack()
		return
	case "tcp_flow_timing":
		if n, ok := x.int("retransmits"); ok && n > 0 {
			x.add(event.Evidence{Kind: event.Retransmits, N: n})
		}
		return
	case "ssh_client_banner":
		x.fingerprint("ssh_client_banner", x.get("ssh_version"))
		return
	case "quic_client_hello":
		x.putAll("sni", "alpn", "raw_ciphers")
		x.fingerprint("ja4_quic", x.get("ja4_quic"))
		return
	}
	if x.get("ja3") != "" {
		x.putAll("ja3s", "ja4", "ja4s", "tls_version", "sni", "alpn", "dst_port", "raw_ciphers", "raw_extensions")
		x.fingerprint("ja3", x.get("ja3"))
	}
	x.fingerprint("ja3s", x.get("ja3s"))
	x.fingerprint("ja4", x.get("ja4"))
	x.fingerprint("ja4s", x.get("ja4s"))
	x.latency()
	x.fingerprint("tls_resumption", x.get("resumption"))
	if x.get("subject_cn") != "" {
		x.certificate()
	}
}

// latency adds the round trip time as a fingerprint. Its value is the time's
// power of two and the TTL, so that one client has few of them; the time
// itself is in the payload.
func (x *scratch) latency() {
	rtt := x.get("ja4l_rtt_ms")
	if rtt == "" {
		return
	}
	whole, _, _ := strings.Cut(rtt, ".")
	n, ok := digits(whole, 0, min(len(whole), 9))
	if !ok {
		return
	}
	bucket := int64(1)
	for bucket <= n {
		bucket *= 2
	}
	x.put("rtt_ms", rtt)
	x.putAll("ja4l_client_ttl")
	x.fingerprint("ja4l", x.arena.Join("<", x.decimal(bucket), "ms_", x.get("ja4l_client_ttl")))
}

// synStack adds the fingerprint of a TCP SYN.
func (x *scratch) synStack() {
	e := event.Evidence{Kind: event.Stack}
	if system := x.get("os_guess"); system != "unknown" {
		e.A = x.value(system)
	}
	var ok bool
	if e.N, ok = x.int("ttl"); !ok {
		e.N, _ = x.int("initial_ttl")
	}
	if hops, ok := x.int("hop_distance"); ok && hops > 0 {
		e.M = hops
	}
	x.putAll("window", "wscale", "mss", "options_sig", "has_sack", "has_timestamps",
		"tos", "dscp", "ecn", "ipid_class", "isn_class")
	x.add(e)
}

// proberEvidence adds what our own probes learned of the attacker's host.
func (x *scratch) proberEvidence(kind string) {
	switch kind {
	case "jarm_fingerprint":
		x.putAll("target_port")
		x.fingerprint("jarm", x.get("jarm_hash"))
	case "hassh_fingerprint":
		x.putAll("target_port", "ssh_banner", "kex_algorithms", "encryption_s2c", "mac_s2c", "compression_s2c")
		x.fingerprint("hassh_server", x.get("hassh_server_hash"))
		if kex := x.get("kex_algorithms"); kex != "" {
			x.add(event.Evidence{Kind: event.KexOrder, A: x.value(kex)})
		}
	case "tcpfp_fingerprint":
		x.synackStack()
		x.putAll("tcpfp_raw", "target_port", "ttl", "window_size", "df_bit", "mss", "window_scale",
			"sack_ok", "timestamp", "options_order")
		x.fingerprint("tcpfp", x.get("tcpfp_hash"))
	case "tls_certificate":
		x.certificate()
	case "icmp_error_leak":
		x.putAll("matrix", "errors", "target_port")
		x.fingerprint("icmp_error", x.get("icmp_fp_hash"))
	case "icmp6_error_leak":
		x.putAll("matrix", "errors", "target_port")
		x.fingerprint("icmp6_error", x.get("icmp6_fp_hash"))
	}
}

// certificate adds a TLS certificate, known by its SHA-256 or else by its
// subject.
func (x *scratch) certificate() {
	value := x.digest("cert_sha256")
	if value == "" {
		value = x.get("subject_cn")
	}
	x.putAll("subject_cn", "issuer", "self_signed", "not_before", "not_after", "sans", "sni", "target_port")
	x.fingerprint("tls_certificate", value)
}

// synackStack adds the fingerprint of the SYN-ACK that answered our probe. The
// hop distance is what is missing to the initial TTL of the system's kind.
func (x *scratch) synackStack() {
	e := event.Evidence{Kind: event.Stack}
	e.N, _ = x.int("ttl")
	var initial int64
	switch {
	case e.N >= 55 && e.N <= 70:
		initial = 64
	case e.N >= 115 && e.N <= 135:
		initial = 128
	case e.N >= 235 && e.N <= 255:
		initial = 255
	}
	e.M = max(initial-e.N, 0)
	x.put("window", x.get("window_size"))
	x.put("wscale", x.get("window_scale"))
	x.putAll("mss")
	x.put("options_sig", x.get("options_order"))
	x.put("has_sack", oneIsTrue(x.get("sack_ok")))
	x.put("has_timestamps", oneIsTrue(x.get("timestamp")))
	x.putAll("tos", "dscp", "ecn")
	x.add(e)
}

func oneIsTrue(s string) string {
	if s == "1" {
		return "true"
	}
	return "false"
}
