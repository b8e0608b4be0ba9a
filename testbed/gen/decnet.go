package gen

import (
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"strings"
	"time"
)

// decnetEvent appends a line from its APP-NAME on.
type decnetEvent func(s *Source, b []byte, a *actor) []byte

// decnetMix is what attackers do to DECNET's decoys, by habit.
var decnetMix = map[Habit][]weighted[decnetEvent]{
	Scanner: {
		{50, (*Source).connect},
		{20, (*Source).connection},
		{6, (*Source).syn},
		{4, (*Source).flow},
		{3, (*Source).hello},
		{2, (*Source).banner},
		{5, (*Source).redis},
		{5, (*Source).bye},
	},
	Guesser:  {{70, (*Source).login}, {20, (*Source).connection}, {5, (*Source).databaseLogin}, {2, (*Source).syn}},
	Browser:  {{60, (*Source).request}, {20, (*Source).access}, {3, (*Source).hello}, {2, (*Source).syn}},
	Intruder: {{15, (*Source).login}, {40, (*Source).command}, {20, (*Source).wrapped}, {8, (*Source).captured}, {6, (*Source).recorded}},
	Spammer: {
		{15, (*Source).connect},
		{15, (*Source).ehlo},
		{15, (*Source).mailFrom},
		{30, (*Source).recipient},
		{10, (*Source).accepted},
	},
}

func (s *Source) decnet(b []byte, a *actor, at time.Time) []byte {
	event := choose(s, decnetMix[a.habit])
	b = append(b, "<134>1 "...)
	b = at.AppendFormat(b, "2006-01-02T15:04:05.000000-07:00")
	b = append(b, " decky-"...)
	b = two(b, a.deckies[s.rand.IntN(a.reach)])
	b = append(b, ' ')
	if s.o.Mailing > 0 && s.rand.IntN(100) < s.o.Mailing {
		b = param(relay(b, "smtp", "rcpt_to"), "src", a.addr.String())
		return end(param(b, "value", "<someone@mail-"+strconv.Itoa(s.rand.IntN(s.o.Domains))+".example>"))
	}
	return event(s, b, a)
}

// relay appends the head of a line and its structured data's.
func relay(b []byte, app, kind string) []byte {
	b = append(b, app...)
	b = append(b, " - "...)
	b = append(b, kind...)
	return append(b, " [relay@55555"...)
}

var quoted = strings.NewReplacer(`\`, `\\`, `"`, `\"`, `]`, `\]`)

// param appends a parameter.
func param(b []byte, name, value string) []byte {
	b = append(b, ' ')
	b = append(b, name...)
	b = append(b, '=', '"')
	if strings.ContainsAny(value, `\"]`) {
		value = quoted.Replace(value)
	}
	b = append(b, value...)
	return append(b, '"')
}

// end closes the structured data.
func end(b []byte) []byte { return append(b, ']') }

func (s *Source) port(b []byte) []byte {
	return param(b, "src_port", strconv.Itoa(1024+s.rand.IntN(60000)))
}

func two(b []byte, n int) []byte {
	if n < 10 {
		b = append(b, '0')
	}
	return strconv.AppendInt(b, int64(n), 10)
}

func (s *Source) connect(b []byte, a *actor) []byte {
	app := own(a, uint64(s.rand.IntN(3)), []string{"mqtt", "mysql", "vnc", "mssql", "mongodb", "postgres", "imap", "pop3", "ldap", "redis", "telnet", "smtp"})
	if a.habit == Spammer {
		app = "smtp"
	}
	b = relay(b, app, "connect")
	return end(s.port(param(b, "src", a.addr.String())))
}

func (s *Source) connection(b []byte, a *actor) []byte {
	b = relay(b, own(a, uint64(s.rand.IntN(2)), []string{"rdp", "smb", "ftp"}), "connection")
	return end(s.port(param(b, "src_ip", a.addr.String())))
}

func (s *Source) bye(b []byte, a *actor) []byte {
	b = relay(b, own(a, 0, []string{"mysql", "mongodb", "redis", "mssql"}), "disconnect")
	return end(param(b, "src", a.addr.String()))
}

func (s *Source) syn(b []byte, a *actor) []byte {
	b = relay(b, "sniffer", "tcp_syn_fingerprint")
	b = s.port(param(b, "src_ip", a.addr.String()))
	b = param(b, "dst_ip", "10.0.0.5")
	b = param(b, "dst_port", pick(s, []string{"22", "443", "3306", "3389"}))
	b = param(b, "ttl", strconv.Itoa(48+int(a.random>>40&7)))
	b = param(b, "initial_ttl", "64")
	b = param(b, "hop_distance", strconv.Itoa(16-int(a.random>>40&7)))
	b = param(b, "window", own(a, 1, []string{"5840", "64240", "65535", "1024"}))
	b = param(b, "mss", "1400")
	b = param(b, "wscale", "7")
	b = param(b, "options_sig", "M,S,T,N,W")
	b = param(b, "has_sack", "true")
	b = param(b, "has_timestamps", "true")
	return end(param(b, "os_guess", own(a, 2, []string{"linux", "windows", "nmap", "unknown"})))
}

func (s *Source) flow(b []byte, a *actor) []byte {
	b = relay(b, "sniffer", "tcp_flow_timing")
	b = s.port(param(b, "src_ip", a.addr.String()))
	b = param(b, "dst_ip", "10.0.0.5")
	b = param(b, "dst_port", "443")
	b = param(b, "packets", strconv.Itoa(2+s.rand.IntN(40)))
	b = param(b, "bytes", strconv.Itoa(s.rand.IntN(200000)))
	b = param(b, "duration_s", "3.2")
	b = param(b, "mean_iat_ms", "12.0")
	b = param(b, "min_iat_ms", "0.1")
	b = param(b, "max_iat_ms", "99.0")
	return end(param(b, "retransmits", strconv.Itoa(s.rand.IntN(3))))
}

func (s *Source) hello(b []byte, a *actor) []byte {
	b = relay(b, "sniffer", "tls_client_hello")
	b = s.port(param(b, "src_ip", a.addr.String()))
	b = param(b, "dst_ip", "10.0.0.5")
	b = param(b, "dst_port", "443")
	b = param(b, "ja3", own(a, 3, []string{"eb7faa84bead366d57c8da8dbe5adfa4", "19e29534fd49dd27d09234e639c4057e", "e7d705a3286e19ea42f587b344ee6865"}))
	b = param(b, "ja4", own(a, 3, []string{"t13d1508h2_8daaf6152771_e5627efa2ab8", "t13i181000_85036bcba153_d41ae481755e", "t12d1812h2_85036bcba153_6c7c91134a62"}))
	b = param(b, "tls_version", "TLS 1.3")
	b = param(b, "sni", "")
	b = param(b, "alpn", "h2")
	return end(param(b, "raw_ciphers", "4865-4866-4867-49195-49199-52393-52392"))
}

func (s *Source) banner(b []byte, a *actor) []byte {
	b = relay(b, "sniffer", "ssh_client_banner")
	b = s.port(param(b, "src_ip", a.addr.String()))
	b = param(b, "dst_ip", "10.0.0.5")
	b = param(b, "dst_port", "22")
	return end(param(b, "ssh_version", own(a, 4, []string{"SSH-2.0-libssh2_1.10.0", "SSH-2.0-Go", "SSH-2.0-paramiko_3.4.0"})))
}

func (s *Source) redis(b []byte, a *actor) []byte {
	b = relay(b, "redis", "command")
	b = param(b, "src", a.addr.String())
	b = param(b, "cmd", pick(s, []string{"AUTH", "INFO", "CONFIG", "KEYS"}))
	return end(param(b, "args", "['x']"))
}

func (s *Source) secret(b []byte) []byte {
	password := pick(s, passwords)
	b = param(b, "secret_printable", password)
	return param(b, "secret_b64", base64.StdEncoding.EncodeToString([]byte(password)))
}

func (s *Source) login(b []byte, a *actor) []byte {
	user := pick(s, users)
	b = relay(b, "auth-helper", "auth_attempt")
	b = param(b, "username", user)
	b = param(b, "principal", user)
	b = s.secret(b)
	return end(param(b, "src_ip", a.addr.String()))
}

func (s *Source) databaseLogin(b []byte, a *actor) []byte {
	user := pick(s, users)
	b = relay(b, pick(s, []string{"mssql", "postgres", "mysql"}), "auth")
	b = param(b, "src", a.addr.String())
	b = param(b, "username", user)
	b = param(b, "principal", user)
	b = param(b, "secret_kind", "plaintext")
	return end(s.secret(b))
}

func (s *Source) request(b []byte, a *actor) []byte {
	b = relay(b, own(a, 5, []string{"http", "http", "https"}), "request")
	b = param(b, "method", pick(s, []string{"GET", "GET", "HEAD", "POST"}))
	b = param(b, "path", pick(s, paths))
	b = param(b, "remote_addr", a.addr.String())
	b = param(b, "headers", `{"Host": "10.0.0.16", "User-Agent": "`+own(a, 6, agents)+`", "Accept": "*/*"}`)
	return end(param(b, "body", ""))
}

func (s *Source) access(b []byte, a *actor) []byte {
	b = relay(b, "http", "http_access")
	b = param(b, "remote_addr", a.addr.String()+":"+strconv.Itoa(1024+s.rand.IntN(60000)))
	b = param(b, "method", "GET")
	b = param(b, "path", pick(s, paths))
	b = param(b, "proto", "h1")
	b = param(b, "status", pick(s, []string{"200", "404", "403"}))
	return end(param(b, "bytes", strconv.Itoa(s.rand.IntN(20000))))
}

// shellData has structured data of rsyslog's own; DECNET reads the message.
const shellData = `bash - command [timeQuality tzKnown="1" isSynced="1" syncAccuracy="312500"] CMD uid=0 user=root src=`

func (s *Source) command(b []byte, a *actor) []byte {
	b = append(b, shellData...)
	b = append(b, a.addr.String()...)
	b = append(b, " pwd=/root cmd="...)
	return append(b, pick(s, commands)...)
}

// wrapped is the same from a host whose relay wraps the line in another.
func (s *Source) wrapped(b []byte, a *actor) []byte {
	b = append(b, "1 - - - "...)
	b = s.at.AppendFormat(b, "2006-01-02T15:04:05.000000-07:00")
	b = append(b, " decky-"...)
	b = two(b, a.deckies[s.rand.IntN(a.reach)])
	b = append(b, ' ')
	return s.command(b, a)
}

func (s *Source) digest() string {
	var sum [32]byte
	// A few files go around.
	n := uint64(s.rand.IntN(200))
	for i := range 4 {
		x := mix(n<<8 | uint64(i))
		for j := range 8 {
			sum[i*8+j] = byte(x >> (8 * j))
		}
	}
	return hex.EncodeToString(sum[:])
}

func (s *Source) captured(b []byte, a *actor) []byte {
	sum := s.digest()
	b = relay(b, "ssh", "file_captured")
	b = param(b, "stored_as", "2026-01-01T00:00:00Z_"+sum[:12]+"_x")
	b = param(b, "sha256", sum)
	b = param(b, "size", "45000")
	b = param(b, "orig_path", "/tmp/x")
	b = s.port(param(b, "src_ip", a.addr.String()))
	b = param(b, "ssh_user", "root")
	return end(param(b, "attribution", "session"))
}

func (s *Source) recorded(b []byte, a *actor) []byte {
	b = relay(b, "sessrec", "session_recorded")
	b = param(b, "sid", s.digest()[:32])
	b = param(b, "service", "ssh")
	b = param(b, "src_ip", a.addr.String())
	b = param(b, "duration_s", "732.888")
	b = param(b, "bytes", strconv.Itoa(s.rand.IntN(2<<20)))
	return end(param(b, "truncated", "false"))
}

func (s *Source) ehlo(b []byte, a *actor) []byte {
	b = param(relay(b, "smtp", "ehlo"), "src", a.addr.String())
	return end(param(b, "domain", "mail.evil.tld"))
}

func (s *Source) mailFrom(b []byte, a *actor) []byte {
	b = param(relay(b, "smtp", "mail_from"), "src", a.addr.String())
	b = param(b, "value", "<spam@evil.tld>")
	b = param(b, "mail_from", "spam@evil.tld")
	return end(param(b, "domain", "evil.tld"))
}

func (s *Source) recipient(b []byte, a *actor) []byte {
	b = param(relay(b, "smtp", pick(s, []string{"rcpt_to", "rcpt_denied"})), "src", a.addr.String())
	return end(param(b, "value", "<someone@"+pick(s, domains)+">"))
}

func (s *Source) accepted(b []byte, a *actor) []byte {
	b = param(relay(b, "smtp", "message_accepted"), "src", a.addr.String())
	b = param(b, "mail_from", "<spam@evil.tld>")
	b = param(b, "rcpt_to", "<a@"+pick(s, domains)+">,<b@"+pick(s, domains)+">")
	b = param(b, "body_bytes", strconv.Itoa(500+s.rand.IntN(9000)))
	b = param(b, "truncated", "0")
	return end(param(b, "msg_id", s.digest()[:10]))
}
