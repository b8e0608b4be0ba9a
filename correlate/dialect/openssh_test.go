package dialect

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"dossier/correlate/event"
	"dossier/testbed/race"
)

// spoken are the sentences in OpenSSH's source that name a peer, by the file that
// they come from and the versions that have them, from 7.0 to 10.
//
// PEER is the peer's address, HERE the server's, TEXT what the peer chose: a
// user's name, a banner, a reason, a certificate's identity, the name of a host.
// What is behind the last bar is the event, "" where nobody may be blamed.
var spoken = []struct{ file, versions, sentence, kind string }{
	{"auth.c", "7.0-7.2", "Failed password for TEXT from PEER port 4000 ssh2", "login"},
	{"auth.c", "7.0-7.2", "Failed password for invalid user TEXT from PEER port 4000 ssh2", "login"},
	{"auth.c", "7.0-7.2", "Accepted password for TEXT from PEER port 4000 ssh1", "login"},
	{"auth.c", "7.0-10", "Accepted password for TEXT from PEER port 4000 ssh2", "login"},
	{"auth.c", "7.0-10", "Accepted publickey for TEXT from PEER port 4000 ssh2: ED25519 SHA256:abc", "login"},
	{"auth.c", "7.0-10", "Accepted publickey for TEXT from PEER port 4000 ssh2: ED25519-CERT SHA256:abc ID TEXT (serial 0) CA ED25519 SHA256:def", "login"},
	{"auth.c", "7.0-10", "Failed publickey for invalid user TEXT from PEER port 4000 ssh2: RSA SHA256:abc", "login"},
	{"auth.c", "7.0-10", "Failed hostbased for TEXT from PEER port 4000 ssh2: RSA SHA256:abc, client user \"TEXT\", client host \"TEXT\"", "login"},
	{"auth.c", "7.0-10", "Failed keyboard-interactive/pam for TEXT from PEER port 4000 ssh2", "login"},
	{"auth.c", "7.0-10", "Failed none for invalid user TEXT from PEER port 4000 ssh2", "login_step"},
	{"auth.c", "7.0-10", "Failed gssapi-with-mic for invalid user TEXT from PEER port 4000 ssh2", "login"},
	{"auth.c", "7.0-10", "Postponed publickey for invalid user TEXT from PEER port 4000 ssh2", "login_step"},
	{"auth.c", "7.0-10", "Partial publickey for TEXT from PEER port 4000 ssh2: ED25519 SHA256:abc", "login_step"},
	{"auth.c", "7.0-7.2", "error: maximum authentication attempts exceeded for TEXT from PEER port 4000 ssh1", "too_many_attempts"},
	{"auth.c", "7.0-10", "error: maximum authentication attempts exceeded for invalid user TEXT from PEER port 4000 ssh2", "too_many_attempts"},
	{"channels.c", "7.0-8.0", "Received request to connect to host TEXT port 80, but the request was denied.", ""},
	{"channels.c", "8.1-10", "Received request from PEER port 4000 to connect to host TEXT port 80, but the request was denied.", "refused"},
	{"channels.c", "8.1-10", "Received request from PEER port 4000 to remote forward to path \"TEXT\", but the request was denied.", "refused"},
	{"channels.c", "8.1-10", "Received request from PEER port 4000 to remote forward to host TEXT port 80, but the request was denied.", "refused"},
	{"channels.c", "8.1-10", "Received request from PEER port 4000 to remote forward, but the request was denied.", "refused"},
	{"auth.c", "7.0-7.2", "Invalid user TEXT from PEER", "invalid_user"},
	{"auth.c", "7.3-10", "Invalid user TEXT from PEER port 4000", "invalid_user"},
	{"auth.c", "3.7-4.0", "Illegal user TEXT from PEER", "invalid_user"},
	{"auth.c", "7.0-7.2", "ROOT LOGIN REFUSED FROM PEER", "refused"},
	{"auth.c", "7.3-10", "ROOT LOGIN REFUSED FROM PEER port 4000", "refused"},
	{"auth.c", "7.0-10", "User TEXT from PEER not allowed because listed in DenyUsers", "refused"},
	{"auth.c", "7.0-10", "User TEXT from PEER not allowed because not listed in AllowUsers", "refused"},
	{"auth.c", "7.0-10", "User TEXT from PEER not allowed because not in any group", "refused"},
	{"auth.c", "7.0-10", "User TEXT from PEER not allowed because a group is listed in DenyGroups", "refused"},
	{"auth.c", "7.0-10", "User TEXT from PEER not allowed because none of user's groups are listed in AllowGroups", "refused"},
	{"auth.c", "7.0-10", "User TEXT not allowed because account is locked", ""},
	{"auth.c", "7.0-10", "User TEXT not allowed because shell TEXT does not exist", ""},
	{"auth.c", "7.5-9.6", "Address PEER maps to host.example, but this does not map back to the address.", "reverse_mapping"},
	{"auth.c", "7.5-9.6", "Nasty PTR record \"TEXT\" is set up for PEER, ignoring", "reverse_mapping"},
	{"auth.c", "7.5-9.6", "reverse mapping checking getaddrinfo for TEXT [PEER] failed.", "reverse_mapping"},
	{"auth.c", "7.9-9.0", "/root/.ssh/authorized_keys:1: Authentication tried for TEXT with correct key but not from a permitted host (host=host.example, ip=PEER, required=HERE).", "login_step"},
	{"auth.c", "7.9-9.0", "/root/.ssh/authorized_keys:1: Authentication tried for TEXT with valid certificate but not from a permitted source address (PEER).", "login_step"},
	{"auth-options.c", "7.0-7.5", "Authentication tried for TEXT with correct key but not from a permitted host (host=host.example, ip=PEER).", "login_step"},
	{"auth-options.c", "7.0-7.5", "Authentication tried for TEXT with valid certificate but not from a permitted host (ip=PEER).", "login_step"},
	{"auth2-pubkeyfile.c", "9.2-10", "/etc/keys:1: Authentication tried for TEXT with correct key but not from a permitted host (host=host.example, ip=PEER, required=HERE).", "login_step"},
	{"auth-pam.c", "7.0-10", "error: PAM: Authentication failure for TEXT from PEER", "login_pam"},
	{"auth-pam.c", "7.0-10", "error: PAM: User not known to the underlying authentication module for illegal user TEXT from PEER", "login_pam"},
	{"auth-pam.c", "8.5-10", "fatal: Username too long from PEER port 4000", "refused"},
	{"auth2.c", "7.0-10", "input_userauth_request: invalid user TEXT", ""},
	{"auth2-gss.c", "10", "Failed gssapi-with-mic for invalid user TEXT from PEER port 4000 ssh2", "login"},
	{"auth2-hostbased.c", "7.0-10", "userauth_hostbased mismatch: client sends TEXT, but we resolve PEER to host.example", "login_step"},
	{"auth2-hostbased.c", "7.0-10", "Accepted RSA public key SHA256:abc from TEXT@TEXT", ""},
	{"auth2-hostbased.c", "7.0-10", "Accepted certificate ID \"TEXT\" signed by RSA CA SHA256:abc from TEXT@TEXT", ""},
	{"auth2-hostbased.c", "10", "error: Refusing certificate ID \"TEXT\" serial=0 signed by RSA CA SHA256:abc: TEXT", ""},
	{"auth2-pubkey.c", "8.2-10", "error: public key ED25519-SK SHA256:abc signature for invalid user TEXT from PEER port 4000 rejected: user presence (authenticator touch) requirement not met ", "login_step"},
	{"auth2-pubkey.c", "8.5-10", "error: public key ED25519-SK signature for TEXT from PEER port 4000 rejected: user verification requirement not met ", "login_step"},
	{"auth2-pubkey.c", "7.2-10", "Accepted certificate ID \"TEXT\" (serial 0) signed by RSA CA SHA256:abc via /etc/ca", ""},
	{"monitor.c", "8.2-10", "error: public key ED25519-SK SHA256:abc signature for invalid user TEXT from PEER port 4000 rejected: user presence (authenticator touch) requirement not met ", "login_step"},
	{"monitor.c", "9.9-10", "administratively prohibited connection for invalid user TEXT from PEER port 4000", "refused"},
	{"canohost.c", "7.0-7.2", "reverse mapping checking getaddrinfo for TEXT [PEER] failed - POSSIBLE BREAK-IN ATTEMPT!", "reverse_mapping"},
	{"canohost.c", "7.0-7.2", "Address PEER maps to host.example, but this does not map back to the address - POSSIBLE BREAK-IN ATTEMPT!", "reverse_mapping"},
	{"canohost.c", "7.0-7.2", "Nasty PTR record \"TEXT\" is set up for PEER, ignoring", "reverse_mapping"},
	{"packet.c", "9.8-10", "reverse mapping checking getaddrinfo for TEXT [PEER] failed.", "reverse_mapping"},
	{"packet.c", "7.0", "Received disconnect from PEER: 11: TEXT", "disconnect"},
	{"packet.c", "7.0", "error: Received disconnect from PEER: TEXT", "disconnect"},
	{"packet.c", "7.1-10", "Received disconnect from PEER port 4000:11: TEXT", "disconnect"},
	{"packet.c", "7.1-10", "error: Received disconnect from PEER port 4000:3: TEXT", "disconnect"},
	{"packet.c", "7.1-7.5", "error: Received disconnect from PEER port 4000: TEXT", "disconnect"},
	{"packet.c", "7.0", "Connection closed by PEER", "disconnect"},
	{"packet.c", "7.1-10", "Connection closed by PEER port 4000", "disconnect"},
	{"packet.c", "7.3-10", "Connection closed by invalid user TEXT PEER port 4000", "disconnect"},
	{"packet.c", "7.3-10", "Connection closed by authenticating user TEXT PEER port 4000", "disconnect"},
	{"packet.c", "7.0", "Connection reset by PEER", "disconnect"},
	{"packet.c", "7.3-10", "Connection reset by authenticating user TEXT PEER port 4000", "disconnect"},
	{"packet.c", "7.0", "Disconnected from PEER", "disconnect"},
	{"packet.c", "7.3-10", "Disconnected from user TEXT PEER port 4000", "disconnect"},
	{"packet.c", "7.3-10", "Disconnected from invalid user TEXT PEER port 4000", "disconnect"},
	{"packet.c", "7.0-7.2", "Disconnecting: Too many authentication failures for TEXT", ""},
	{"packet.c", "7.3-10", "Disconnecting PEER port 4000: Protocol error or corrupt packet", "disconnect"},
	{"packet.c", "7.3-10", "Disconnecting invalid user TEXT PEER port 4000: Change of username or service not allowed: (TEXT,ssh-connection) -> (TEXT,ssh-connection)", "disconnect"},
	{"packet.c", "7.3-10", "Disconnecting authenticating user TEXT PEER port 4000: Too many authentication failures", "disconnect"},
	{"packet.c", "7.0", "Connection to PEER timed out", "timeout"},
	{"packet.c", "7.1-10", "Connection from PEER port 4000 timed out", "timeout"},
	{"packet.c", "7.3-10", "Connection from authenticating user TEXT PEER port 4000 timed out", "timeout"},
	{"packet.c", "7.0", "fatal: Unable to negotiate with PEER: no matching cipher found. Their offer: TEXT", "negotiation_failure"},
	{"packet.c", "7.1-7.2", "fatal: Unable to negotiate with PEER port 4000: no matching key exchange method found. Their offer: TEXT", "negotiation_failure"},
	{"packet.c", "7.3-10", "Unable to negotiate with PEER port 4000: no matching host key type found. Their offer: TEXT", "negotiation_failure"},
	{"packet.c", "7.0", "fatal: ssh_dispatch_run_fatal: Connection to PEER: message authentication code incorrect", "protocol_error"},
	{"packet.c", "7.1-7.2", "fatal: ssh_dispatch_run_fatal: Connection from PEER port 4000: Connection corrupted", "protocol_error"},
	{"packet.c", "7.3-10", "ssh_dispatch_run_fatal: Connection from invalid user TEXT PEER port 4000: incomplete message", "protocol_error"},
	{"packet.c", "8.2-10", "banner exchange: Connection from PEER port 4000: invalid format", "bad_banner"},
	{"packet.c", "8.2-10", "kex_input_kexinit: parse packet: Connection from PEER port 4000: invalid format", "protocol_error"},
	{"packet.c", "7.0", "Finished discarding for PEER", "disconnect"},
	{"packet.c", "7.1-10", "Finished discarding for PEER port 4000", "disconnect"},
	{"sshd.c", "7.0-7.2", "Did not receive identification string from PEER", "no_banner"},
	{"sshd.c", "7.3-7.9", "Did not receive identification string from PEER port 4000", "no_banner"},
	{"sshd.c", "7.0-7.2", "Could not write ident string to PEER", "no_banner"},
	{"sshd.c", "7.3-7.9", "Could not write ident string to PEER port 4000", "no_banner"},
	{"sshd.c", "7.0-7.9", "Bad protocol version identification 'TEXT' from PEER port 4000", "bad_banner"},
	{"sshd.c", "7.0-7.2", "probed from PEER with TEXT.  Don't panic.", "bad_banner"},
	{"sshd.c", "7.3-7.9", "scanned from PEER port 4000 with TEXT.  Don't panic.", "bad_banner"},
	{"sshd.c", "7.0-7.2", "Protocol major versions differ for PEER: SSH-2.0-OpenSSH_7.0 vs. TEXT", "bad_banner"},
	{"sshd.c", "7.3-7.9", "Protocol major versions differ for PEER port 4000: SSH-2.0-OpenSSH_7.9 vs. TEXT", "bad_banner"},
	{"sshd.c", "7.0-9.6", "Connection from PEER port 4000 on HERE port 22", "connect"},
	{"sshd.c", "7.9-9.6", "Connection from PEER port 4000 on HERE port 22 rdomain \"\"", "connect"},
	{"sshd.c", "7.0-9.6", "fatal: Connection from PEER port 4000 with IP opts: 01 02", "refused"},
	{"sshd.c", "7.0-9.6", "Closing connection to PEER port 4000", "disconnect"},
	{"sshd.c", "7.0-7.2", "error: do_ssh1_kex: bad session key len from PEER: session_key_int 1 > sizeof(session_key) 2", "protocol_error"},
	{"sshd.c", "7.0-9.7", "fatal: Timeout before authentication for PEER", "timeout"},
	{"sshd.c", "7.0-9.7", "fatal: Timeout before authentication for PEER port 4000", "timeout"},
	{"sshd.c", "9.8-10", "Timeout before authentication for connection from PEER to HERE, pid = 29098", "timeout"},
	{"sshd.c", "9.8-10", "Session process 29098 unpriv child crash for connection from PEER to HERE", "disconnect"},
	{"sshd.c", "9.8-10", "error: session process 29098 for connection from PEER to HERE terminated abnormally, status=0x1", "disconnect"},
	{"sshd.c", "9.8-10", "session process 29098 for connection from PEER to HERE killed by signal 11", "disconnect"},
	{"sshd.c", "7.5-9.6", "drop connection #10 from [PEER]:4000 on [HERE]:22 past MaxStartups", "refused"},
	{"sshd.c", "9.8-10", "drop connection #0 from [PEER]:4000 on [HERE]:22 penalty: failed authentication", "refused"},
	{"sshd.c", "8.5-10", "error: beginning MaxStartups throttling", ""},
	{"sshd.c", "7.0-10", "Server listening on HERE port 22.", ""},
	{"sshd-session.c", "9.8-10", "Connection from PEER port 4000 on HERE port 22 rdomain \"\"", "connect"},
	{"sshd-session.c", "9.8-10", "Closing connection to PEER port 4000", "disconnect"},
	{"kex.c", "8.2-10", "probed from PEER port 4000 with TEXT.  Don't panic.", "bad_banner"},
	{"kex.c", "8.2-10", "error: Bad remote protocol version identification: 'TEXT'", ""},
	{"kex.c", "8.5-10", "error: kex_exchange_identification: client sent invalid protocol identifier \"TEXT\"", ""},
	{"kex.c", "8.5-10", "error: kex_exchange_identification: Connection closed by remote host", ""},
	{"serverloop.c", "7.9-10", "Timeout, client not responding from PEER port 4000", "timeout"},
	{"serverloop.c", "7.9-10", "Timeout, client not responding from user TEXT PEER port 4000", "timeout"},
	{"serverloop.c", "9.2-10", "terminating inactive connection from user TEXT PEER port 4000", "disconnect"},
	{"serverloop.c", "7.0-7.2", "Read error from remote host PEER: Connection reset by peer", "protocol_error"},
	{"serverloop.c", "7.3-10", "Read error from remote host PEER port 4000: Connection timed out", "protocol_error"},
	{"serverloop.c", "7.0-10", "Connection closed by PEER port 4000", "disconnect"},
	{"session.c", "7.0", "Starting session: shell on pts/0 for TEXT from PEER port 4000", "session"},
	{"session.c", "7.2-10", "Starting session: command for TEXT from PEER port 4000 id 0", "session"},
	{"session.c", "7.2-10", "Starting session: subsystem 'TEXT' for TEXT from PEER port 4000 id 0", "session"},
	{"session.c", "7.2-10", "Close session: user TEXT from PEER port 4000 id 0", "session"},
	{"session.c", "7.0-10", "subsystem request for TEXT by user TEXT failed, subsystem not found", ""},
	{"srclimit.c", "9.8-10", "srclimit_penalise: ipv4: new PEER/32 deferred penalty of 5.000 seconds for penalty: failed authentication", "penalty"},
	{"srclimit.c", "9.8-10", "srclimit_penalise: PEER/32: activating ipv4 penalty of 15.000 seconds for penalty: exceeded LoginGraceTime", "penalty"},
	{"srclimit.c", "9.8-10", "srclimit_penalise: ipv4: new 192.0.2.0/24 active penalty of 5 seconds for penalty: failed authentication", ""},
	{"sftp-server.c", "7.0-10", "session opened for local user TEXT from [PEER]", "session"},
	{"sftp-server.c", "7.0-10", "session closed for local user TEXT from [PEER]", "session"},
	{"Debian's libwrap", "7.0-10", "refused connect from host.example (PEER)", "refused"},
	{"Debian's libwrap", "7.0-10", "refused connect from PEER (PEER)", "refused"},
}

// names are what a peer may choose for TEXT.
var names = []string{
	"root", "", " ", "a b", "from", " from 6.6.6.6", "x from 6.6.6.6", "x from 6.6.6.6 port 5", "x from 6.6.6.6 port 5 ssh2", "x from 6.6.6.6 port 5 ssh2: y",
	"x from 6.6.6.6 port 5 ssh2 [preauth]", "x 6.6.6.6 port 5", "x 6.6.6.6", "x 6.6.6.6 port 5: y", "x [6.6.6.6] failed.", "x\" is set up for 6.6.6.6, ignoring",
	"x from 6.6.6.6 not allowed because listed in DenyUsers", "x, but we resolve 6.6.6.6 to y", "x from 6.6.6.6 port 5 id 0", "x from [6.6.6.6]", "(6.6.6.6)", "x@6.6.6.6",
	"Connection from 6.6.6.6 port 5: y", ": Connection from 6.6.6.6 port 5: y", "Accepted password for x from 6.6.6.6 port 5 ssh2", "x' from 6.6.6.6 port 5",
	"message repeated 2 times: [ Failed password for x from 6.6.6.6 port 5 ssh2]", "x with correct key but not from a permitted host (host=y, ip=6.6.6.6).",
	"x from 6.6.6.6 port 5 rejected: user verification requirement not met", "error: fatal: Connection closed by 6.6.6.6", "UNKNOWN", "x from UNKNOWN port 65535 ssh2", "6.6.6.6",
}

// Every sentence blames its peer, or nobody where the peer chose what it says so
// that it can be read in two ways, and never anybody else.
func TestWhatOpenSSHSays(t *testing.T) {
	race.OneGoroutine(t)
	p := newParser(t, Options{})
	own, sentences := 0, 0
	for _, s := range spoken {
		for _, peer := range []string{"192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1"} {
			if strings.Contains(s.sentence, "/32") && strings.Contains(peer, ":") {
				continue
			}
			blamed := strings.TrimPrefix(peer, "::ffff:")
			for _, name := range names {
				sentence := strings.NewReplacer("PEER", peer, "HERE", "198.51.100.1", "TEXT", name).Replace(s.sentence)
				for _, form := range []string{"%s", "%s [preauth]", "message repeated 3 times: [ %s]"} {
					line := "Nov 26 10:00:00 d sshd[1]: " + fmt.Sprintf(form, sentence)
					var a event.Arena
					var ev event.Event
					v := p.Parse(&a, logRecord(line), &ev)
					sentences++
					switch {
					case s.kind == "" && v.Class() == Parsed:
						t.Errorf("%s\nblames %s", line, ev.Addr)
					case s.kind == "":
						if plain := name == "root"; plain && v.Reason != SensorEvent {
							t.Errorf("%s\nis %s", line, v.Reason)
						}
					case v.Reason == Ambiguous && name != "root":
					case v.Reason != OK || ev.Addr.String() != blamed:
						t.Errorf("%s: %s\nblames %v (%s), want %s", s.file, line, ev.Addr, v.Reason, blamed)
					default:
						own++
						if ev.Type != s.kind && name == "root" {
							t.Errorf("%s: %s\nis %s, want %s", s.file, line, ev.Type, s.kind)
						}
						if ev.Service != "ssh" {
							t.Errorf("%s: service %q", line, ev.Service)
						}
					}
				}
			}
		}
	}
	t.Logf("%d sentences in %d forms; %d blame their peer", len(spoken), sentences, own)
	if own < sentences/2 {
		t.Errorf("of %d only %d blame their peer", sentences, own)
	}
}

// A sentence that the logger repeated counts as often.
func TestRepeatedSentences(t *testing.T) {
	p := newParser(t, Options{})
	for line, want := range map[string]int64{
		sshdSays: 0,
		"message repeated 5 times: [ " + sshdSays + "]":                                   5,
		"message repeated 1 times: [ " + sshdSays + "]":                                   1,
		"message repeated 99999999999 times: [ " + sshdSays + "]":                         maxRepeats,
		"message repeated 5 times: [ message repeated 5 times: [ " + sshdSays + "]]":      -1,
		"message repeated many times: [ " + sshdSays + "]":                                -1,
		"message repeated 5 times":                                                        -1,
		"message repeated 99999999999999999999999999999999999 times: [ " + sshdSays + "]": -1,
	} {
		var a event.Arena
		var ev event.Event
		v := p.Parse(&a, logRecord("Nov 26 10:00:00 d sshd[1]: "+line), &ev)
		switch {
		case want < 0:
			if v.Reason != SensorEvent {
				t.Errorf("%s: %s", line, v.Reason)
			}
		case v.Reason != OK || len(ev.Evidence) != 1 || ev.Evidence[0].N != want:
			t.Errorf("%s: %s, %+v", line, v.Reason, ev.Evidence)
		}
	}
}

// However often a sentence can be read, reading it ends soon.
func TestSentencesOfManyReadings(t *testing.T) {
	p := newParser(t, Options{})
	for _, text := range []string{" from ", " for ", " for x from ", " from 6.6.6.6", " from 6.6.6.6 port 5 ssh2: ", "6.6.6.6 port 5: ", " port "} {
		for _, start := range []string{"Failed password for ", "error: PAM: x y", "Disconnecting invalid user ", "User ", "refused connect from ", "x y: Connection from "} {
			line := "Nov 26 10:00:00 d sshd[1]: " + start + strings.Repeat(text, 1<<16)
			if got := whom(t, p, line); got == "6.6.6.6" && text != " from 6.6.6.6" {
				t.Errorf("%.80s blames it", line)
			}
		}
	}
}

func FuzzSentences(f *testing.F) {
	for _, s := range spoken {
		f.Add(strings.NewReplacer("PEER", "192.0.2.1", "HERE", "198.51.100.1", "TEXT", "root").Replace(s.sentence), "root")
	}
	for _, name := range names {
		f.Add("Failed password for x from 192.0.2.1 port 5 ssh2", name)
	}
	for _, line := range readLines(f, filepath.Join(dataDir, "syslog", "rsyslog-file.log")) {
		f.Add(line, "x")
	}
	p := newParser(f, Options{})
	f.Fuzz(func(t *testing.T, line, name string) {
		var a event.Arena
		var ev event.Event
		checkEvent(t, p.Parse(&a, logRecord("Nov 26 10:00:00 d sshd[1]: "+line), &ev), &ev)
		checkEvent(t, p.Parse(&a, logRecord(line), &ev), &ev)
		// A name in a sentence blames nobody but its peer.
		name = strings.Map(func(r rune) rune {
			if r < ' ' || r == 0x7f {
				return '?' // as strnvis(3) does, which sshd logs through
			}
			return r
		}, name)
		for _, s := range spoken {
			if !strings.Contains(s.sentence, "TEXT") {
				continue
			}
			line := "Nov 26 10:00:00 d sshd[1]: " + strings.NewReplacer("PEER", "192.0.2.1", "HERE", "198.51.100.1", "TEXT", name).Replace(s.sentence)
			v := p.Parse(&a, logRecord(line), &ev)
			if v.Reason == OK && (s.kind == "" || ev.Addr.String() != "192.0.2.1") {
				t.Fatalf("%s\nblames %s", line, ev.Addr)
			}
		}
	})
}

func FuzzHeaders(f *testing.F) {
	for _, header := range []string{
		"Nov 26 10:00:00 d sshd[1]: ", "<38>Nov 6 10:00:00 sshd[1]: ", "Nov 26 10:00:00 [sshd]: ", "Nov 26 10:00:00 [sshd] ", "2026-11-26 10:00:00 d sshd: ", "<12>opencanaryd[9    :1]: d WARNING ",
		"Thu Nov 26 10:00:00 2026 d sshd[1]: ", "2026-11-26T10:00:00Z stdout F ", "@cee: ", "<38>1 " + stamp + " d sshd - - - ", "Nov 26 10:00:00 <auth.info> d sshd[1]: ",
	} {
		f.Add(header, sshdSays)
		f.Add(header, cowrieSays)
	}
	on, off := newParser(f, Options{JSON: JSONTrust{All: true}}), newParser(f, Options{})
	f.Fuzz(func(t *testing.T, header, msg string) {
		for _, p := range []*Parser{on, off} {
			var a event.Arena
			var ev event.Event
			checkEvent(t, p.Parse(&a, logRecord(header+msg), &ev), &ev)
			checkEvent(t, p.Parse(&a, recordOf("MESSAGE", msg, "_COMM", header, "_SYSTEMD_UNIT", "ssh.service", "SYSLOG_IDENTIFIER", "sshd"), &ev), &ev)
			checkEvent(t, p.Parse(&a, recordOf("pri", "1", "ident", header, "time", header, "message", msg), &ev), &ev)
			checkEvent(t, p.Parse(&a, recordOf("topic", "t", "partition", "0", "offset", "1", "payload", header+msg), &ev), &ev)
		}
	})
}

// Linux-PAM before 0.99 named its module behind the program.
func TestOldPAM(t *testing.T) {
	p := newParser(t, Options{})
	for line, want := range map[string]string{
		"sshd(pam_unix)[42]: authentication failure; logname= uid=0 euid=0 tty=NODEVssh ruser= rhost=192.0.2.1  user=root":                    "192.0.2.1",
		"sshd(pam_unix)[42]: authentication failure; logname= uid=0 euid=0 tty=NODEVssh ruser= rhost=192.0.2.1 ":                              "192.0.2.1",
		"sshd(pam_unix)[42]: 2 more authentication failures; logname= uid=0 euid=0 tty=NODEVssh ruser= rhost=192.0.2.1  user=root":            "192.0.2.1",
		"sshd(pam_unix)[42]: authentication failure; logname= uid=0 euid=0 tty=NODEVssh ruser= rhost=host.example ":                           "",
		"sshd(pam_unix)[42]: check pass; user unknown":                                                                                        "",
		"sshd(pam_unix)[42]: authentication failure; logname= uid=0 euid=0 tty=NODEVssh ruser= rhost=6.6.6.6  user=x rhost=192.0.2.1  user=y": "",
		"login(pam_unix)[42]: authentication failure; logname=LOGIN uid=0 euid=0 tty=tty1 ruser= rhost=  user=root":                           "",
	} {
		var a event.Arena
		var ev event.Event
		got := ""
		if v := p.Parse(&a, logRecord("Nov 26 10:00:00 d "+line), &ev); v.Reason == OK {
			got = ev.Addr.String()
			if ev.Type != "login_pam" || ev.Service != "ssh" {
				t.Errorf("%s: %s of %s", line, ev.Type, ev.Service)
			}
		}
		if got != want {
			t.Errorf("%s: blames %q, want %q", line, got, want)
		}
	}
}
