package dialect

import (
	"slices"
	"strings"

	"dossier/correlate/event"
)

// class is what an event type means.
type class struct {
	Kind  event.Kind
	Phase event.Phase
	// Command says that the type carries a command line, Login that it is an
	// attempt to authenticate.
	Command, Login bool
	// Established says that events of the type come after a TCP handshake
	// where the protocol below is TCP.
	Established bool
}

// The classes that the table is made of.
var (
	noise       = class{Kind: event.Noise}
	scan        = class{Kind: event.Scan}
	recon       = class{Kind: event.Scan, Phase: event.Recon}
	login       = class{Kind: event.Scan, Phase: event.Recon, Login: true}
	loginOnly   = class{Kind: event.Scan, Login: true}
	interaction = class{Kind: event.Interaction}
	command     = class{Kind: event.Interaction, Phase: event.Exfil, Command: true}
	commandOnly = class{Kind: event.Interaction, Command: true}
	exfil       = class{Kind: event.Interaction, Phase: event.Exfil}
	talk        = class{Kind: event.Scan, Phase: event.Recon, Established: true}
	use         = class{Kind: event.Interaction, Established: true}
	exfilScan   = class{Kind: event.Scan, Phase: event.Exfil}
)

// table classifies every event type of every dialect. A type that isn't in it
// is a scan.
var table = [dialectCount]map[string]class{
	DECNET: {
		// What was typed or asked.
		"command": command, "exec": command, "query": command, "shell_input": command,
		"input": commandOnly, "execute": commandOnly, "run": commandOnly,
		"sql_query": commandOnly, "redis_command": commandOnly,
		// Use of a service.
		"ldap_search": interaction, "mail_from": interaction, "rcpt_to": interaction,
		"rcpt_denied": interaction, "message_accepted": interaction,
		"file_captured": interaction, "download_attempt": interaction,
		"retr": interaction, "publish": interaction, "subscribe": interaction,
		"session_recorded": interaction, "upload": exfil,
		// What the sensor says about itself, or could not read.
		"startup": noise, "shutdown": noise, "config_error": noise, "parse_error": noise,
		"unknown_packet": noise, "unknown_opcode": noise, "unknown_command": noise,
		"protocol_error": noise,
		// Logins.
		"auth": login, "auth_attempt": login, "login": login, "login_attempt": login,
		"auth_failure": login, "auth_success": loginOnly, "bind": loginOnly,
		// Looking around.
		"connect": recon, "connection": recon, "banner": recon, "probe": recon,
		"scan": recon, "request": recon,
		// Names of phases.py that no service of DECNET 1.0.0 writes.
		"download": exfilScan, "file_transfer": exfilScan, "data_exfil": exfilScan,
		// Everything else DECNET's services write is a scan.
		"accept": scan, "close": scan, "disconnect": scan, "user": scan,
		"http_access": scan, "http_request_fingerprint": scan,
		"http2_settings": scan, "http3_settings": scan,
		"root_probe": scan, "cat_api": scan, "cluster_recon": scan, "nodes_recon": scan,
		"security_probe": scan, "head_request": scan, "delete_request": scan,
		"post_request": scan, "put_request": scan,
		"ehlo": scan, "rcpt_rejected_syntax": scan, "rcpt_rejected_tld": scan,
		"rcpt_greylisted": scan, "vrfy": scan, "message_stored": scan,
		"delete": scan, "message": scan, "auth_start": scan, "packet": scan,
		"rdp_cookie": scan, "connection_request": scan, "tls_handshake_failed": scan,
		"error": scan, "warning": scan, "log": scan,
		"version": scan, "security_choice": scan, "auth_response": loginOnly,
		"amp_probe": scan, "tunneling_suspect": scan, "zone_transfer": scan,
		"fingerprint_probe": scan, "flood_suspect": scan, "recon_burst": scan,
		"malformed_packet": scan, "empty_question_section": scan, "multi_question": scan,
		"question_parse_error": scan, "tracking_evicted": scan, "raw_packet": scan,
		"get_request": scan, "session_skipped": scan,
		"tcp_syn_fingerprint": scan, "tcp_flow_timing": scan, "ssh_client_banner": scan,
		"tls_client_hello": scan, "tls_session": scan, "tls_certificate": scan,
		"quic_client_hello": scan, "ipv6_link_local_leak": scan,
		"jarm_fingerprint": scan, "hassh_fingerprint": scan, "tcpfp_fingerprint": scan,
		"icmp_error_leak": scan, "icmp6_error_leak": scan, "fingerprint_rotated": scan,
		"prober_error": scan, "prober_startup": scan,
	},
	Native: {
		"login": login, "invalid_user": recon, "connect": recon, "bad_banner": recon, "no_banner": recon,
		"negotiation_failure": recon, "disconnect": scan, "too_many_attempts": scan,
		"refused": recon, "timeout": scan, "protocol_error": scan, "penalty": scan, "reverse_mapping": scan, "session": scan,
		// The same attempt told by another layer.
		"login_pam": scan, "login_step": scan,
	},
	Cowrie: {
		"cowrie.session.connect": recon, "cowrie.session.closed": scan,
		"cowrie.client.version": recon, "cowrie.client.kex": recon, "cowrie.client.fingerprint": recon,
		"cowrie.client.size": scan, "cowrie.client.var": scan, "cowrie.client.malformed_packet": scan,
		"cowrie.login.failed": login, "cowrie.login.success": login,
		"cowrie.command.input": command, "cowrie.session.input": command,
		"cowrie.command.failed": interaction, "cowrie.command.success": interaction,
		"cowrie.command.chpasswd":             interaction,
		"cowrie.session.file_download":        exfil,
		"cowrie.session.file_download.failed": exfil,
		"cowrie.session.file_upload":          exfil,
		"cowrie.direct-tcpip.request":         interaction, "cowrie.direct-tcpip.data": interaction,
		"cowrie.direct-tcpip.ja4": interaction, "cowrie.direct-tcpip.ja4h": interaction,
		"cowrie.direct-tcpip.redirect": interaction, "cowrie.direct-tcpip.tunnel": interaction,
		"cowrie.tunnelproxy-tcpip.data": interaction,
		"cowrie.telnet.option":          scan, "cowrie.telnet.error": scan,
		"cowrie.telnet.exploit_attempt": recon, "cowrie.telnet.exploit_success": {Kind: event.Interaction, Login: true},
		"cowrie.log.closed": interaction,
		// What Cowrie says about its own work.
		"cowrie.log.open": noise, "cowrie.session.params": noise, "cowrie.pool_client": noise, "cowrie.test": noise,
		"cowrie.proxy.backend_connected": noise, "cowrie.proxy.backend_disconnected": noise,
		"cowrie.proxy.backend_connect_error": noise, "cowrie.proxy.client_disconnect": noise,
		"cowrie.proxy.ssh": noise,
	},
	// By logtype; MongoDB's by action.
	OpenCanary: {
		"1000": noise, "1001": noise, "1002": noise, "1003": noise, "1004": noise, "1005": noise, "1006": noise,
		"2000": login, "2001": recon,
		"3000": recon, "3001": login, "3002": recon, "3003": recon,
		"4000": recon, "4001": recon, "4002": login,
		"5000": exfil, "5001": recon, "5002": recon, "5003": recon, "5004": recon, "5005": recon,
		"6001": login, "6002": recon, "7001": login, "8001": login,
		"9001": login, "9002": login, "9003": recon,
		"10001": {Kind: event.Interaction, Phase: event.Exfil, Command: true},
		"11001": recon, "12001": login, "13001": command, "14001": recon, "15001": recon,
		"16001": command, "17001": command, "18001": recon, "18002": recon,
		"18003": command, "18004": command, "18005": command, "19001": interaction,
		"connection": recon, "auth_attempt": login, "command": command, "error": noise, "disconnect": scan,
		"99000": scan, "99001": scan, "99002": scan, "99003": scan, "99004": scan,
		"99005": scan, "99006": scan, "99007": scan, "99008": scan, "99009": scan,
	},
	// What depends on more than the type is strengthened by suricataClass.
	Suricata: {
		"alert": scan, "http": talk, "tls": talk, "quic": recon, "ssh": talk, "dns": recon, "smtp": use, "ftp": talk,
		"ftp_data": {Kind: event.Interaction, Phase: event.Exfil, Established: true},
		"tftp":     {Kind: event.Interaction, Phase: event.Exfil, Command: true},
		"fileinfo": {Kind: event.Scan, Established: true}, "rfb": talk, "rdp": talk, "smb": talk,
		"snmp": command, "sip": recon, "flow": recon,
		"krb5": talk, "ike": recon, "nfs": use, "dcerpc": talk, "dhcp": scan, "mqtt": use, "pgsql": use, "modbus": use,
		"dnp3": talk, "enip": talk, "bittorrent_dht": scan, "telnet": talk, "ldap": talk, "pop3": talk, "imap": talk,
		"drop": scan, "frame": scan, "anomaly": noise, "http2": talk, "redis": use, "mdns": scan, "llmnr": scan, "doh2": talk,
		"websocket": talk, "ntp": scan, "stream_tcp": scan, "ndpi": scan, "igmp": scan, "rgmp": scan,
		// The same again, one direction at a time, or about Suricata itself.
		"netflow": noise, "stats": noise, "metadata": noise, "template": noise, "engine": noise,
		"packet": noise, "inspectedrules": noise, "arp": noise, "firewall": noise, "capture": noise,
	},
	// By what the fields say was done.
	ECS: {
		"login":   {Kind: event.Scan, Phase: event.Recon, Login: true, Established: true},
		"command": {Kind: event.Interaction, Phase: event.Exfil, Command: true, Established: true},
		"file":    {Kind: event.Interaction, Phase: event.Exfil, Established: true},
		"request": talk, "query": recon, "connection": recon,
	},
}

// cowrieReports are the parts of Cowrie that report on their own work: its
// output plugins' look-ups of addresses, names, files and URLs, and the back
// ends (src/cowrie/output, src/backend_pool). They name the attacker, at times
// long after he left.
var cowrieReports = []string{
	"abuseipdb", "axiom", "backend_pool", "crashreporter", "csirtg", "cuckoo", "datadog", "discord", "dshield", "elasticsearch",
	"graylog", "greynoise", "hpfeeds", "hpfeeds3", "influx", "kafka", "malshare", "malwarebazaar", "misp", "mongodb", "mysql",
	"oraclecloud", "pool", "postgresql", "prometheus", "proxy", "redis", "reversedns", "rmq", "s3", "signal", "slack", "splunk",
	"telegram", "urlhaus", "virustotal", "xmpp",
}

// classify returns what an event type means in a dialect.
func classify(d Dialect, kind string) class {
	if c, ok := table[d][kind]; ok {
		return c
	}
	if d == Cowrie && !slices.Contains(cowrieParts, cowriePart(kind)) {
		return noise
	}
	return scan
}

// cowrieParts are the parts of Cowrie whose events are what its clients do
// (src/cowrie/core/eventids.py).
var cowrieParts = []string{"session", "client", "login", "command", "direct-tcpip", "tunnelproxy-tcpip", "telnet", "log"}

// cowriePart returns the part of Cowrie that an event is of.
func cowriePart(kind string) string {
	part, _, _ := strings.Cut(strings.TrimPrefix(kind, cowriePrefix), ".")
	return part
}

// cowrieKnows says whether the part of Cowrie that an event is of is known.
func cowrieKnows(kind string) bool {
	part := cowriePart(kind)
	_, known := table[Cowrie][kind]
	return known || slices.Contains(cowrieParts, part) || slices.Contains(cowrieReports, part)
}
