package dialect

import "dossier/correlate/event"

// class is what an event type means.
type class struct {
	Kind  event.Kind
	Phase event.Phase
	// Command says that the type carries a command line, Login that it is an
	// attempt to authenticate.
	Command, Login bool
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
}

// classify returns what an event type means in a dialect.
func classify(d Dialect, kind string) class {
	if c, ok := table[d][kind]; ok {
		return c
	}
	return scan
}
