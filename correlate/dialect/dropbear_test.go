package dialect

import (
	"strings"
	"testing"

	"dossier/correlate/event"
)

// Dropbear's sentences, with the file of its source that each comes from.
func TestWhatDropbearSays(t *testing.T) {
	p := newParser(t, Options{})
	for _, s := range []struct{ file, sentence, kind string }{
		{"svr-main.c", "Child connection from PEER", "connect"},
		{"svr-auth.c", "Login attempt for nonexistent user from PEER", "invalid_user"},
		{"svr-auth.c, 0.52", "login attempt for nonexistent user 'TEXT' from PEER", "invalid_user"},
		{"svr-auth.c", "Login attempt with wrong user TEXT from PEER", "invalid_user"},
		{"svr-auth.c", "Auth succeeded with blank password for 'TEXT' from PEER", "login"},
		{"svr-authpasswd.c", "Bad password attempt for 'TEXT' from PEER", "login"},
		{"svr-authpasswd.c, 0.52", "bad password attempt for 'TEXT' from PEER", "login"},
		{"svr-authpasswd.c", "Too-long password attempt for 'TEXT' from PEER", "login"},
		{"svr-authpasswd.c", "Password auth succeeded for 'TEXT' from PEER", "login"},
		{"svr-authpasswd.c", "Password auth succeeded for 'TEXT' from PEER, extra auth required", "login_step"},
		{"svr-authpam.c", "Bad PAM password attempt for 'TEXT' from PEER", "login"},
		{"svr-authpam.c", "PAM password auth succeeded for 'TEXT' from PEER", "login"},
		{"svr-authpubkey.c", "Pubkey auth succeeded for 'TEXT' with ssh-ed25519 key SHA256:abc from PEER", "login"},
		{"svr-authpubkey.c, 2016", "Pubkey auth succeeded for 'TEXT' with key md5 00:11:22 from PEER", "login"},
		{"svr-authpubkey.c", "Pubkey auth bad signature for 'TEXT' with key SHA256:abc from PEER", "login"},
		{"svr-session.c", "Exit before auth from <PEER>: (user 'TEXT', 3 fails): Max auth tries reached - user 'TEXT'", "too_many_attempts"},
		{"svr-session.c, 2016", "Exit before auth (user 'TEXT', 10 fails): Max auth tries reached - user 'TEXT' from PEER", "too_many_attempts"},
		{"svr-session.c", "Exit before auth from <PEER>: Timeout before auth", "disconnect"},
		{"svr-session.c", "Exit before auth from <PEER>: (user 'TEXT', 0 fails): Disconnect received", "disconnect"},
		{"svr-session.c", "Exit (TEXT) from <PEER>: Disconnect received", "disconnect"},
		{"svr-session.c", "Early exit from <PEER>: Incompatible remote version 'TEXT'", "disconnect"},
		{"pam_unix", "pam_unix(dropbear:auth): authentication failure; logname= uid=0 euid=0 tty=/dev/pts ruser= rhost=192.0.2.1  user=root", "login_pam"},
		// Sentences without a peer.
		{"svr-session.c, 2016", "Exit (TEXT): Disconnect received", ""},
		{"svr-auth.c", "User 'TEXT' has invalid shell, rejected", ""},
		{"svr-main.c", "Not backgrounding", ""},
		// OpenSSH's are not Dropbear's.
		{"none", "Failed password for TEXT from 192.0.2.1 port 4000 ssh2", ""},
	} {
		for peer, blamed := range map[string]string{"192.0.2.1:4000": "192.0.2.1", "[2001:db8::1]:4000": "2001:db8::1", "2001:db8::1:4000": "2001:db8::1"} {
			if strings.HasPrefix(s.file, "pam") {
				blamed = "192.0.2.1"
			}
			for _, name := range []string{"root", "x' from 6.6.6.6:1", "x' with key y from 6.6.6.6:1", "x) from <6.6.6.6:1>: y", "x', 3 fails): Max auth tries reached - user 'x' from 6.6.6.6:1", "PEER"} {
				line := "Nov 26 10:00:00 d dropbear[42]: " + strings.NewReplacer("PEER", peer, "TEXT", name).Replace(s.sentence)
				var a event.Arena
				var ev event.Event
				v := p.Parse(&a, logRecord(line), &ev)
				switch {
				case s.kind == "" && v.Class() == Parsed && name == "root":
					t.Errorf("%s\nblames %s", line, ev.Addr)
				case s.sentence == "Exit (TEXT): Disconnect received": // the name is an account's
				case v.Class() == Parsed && ev.Addr.String() == "6.6.6.6":
					t.Errorf("%s\nblames what the peer wrote", line)
				case s.kind == "", v.Reason == Ambiguous && name != "root":
				case v.Reason != OK || ev.Addr.String() != blamed:
					t.Errorf("%s: %s\nblames %v (%s), want %s", s.file, line, ev.Addr, v.Reason, blamed)
				case name == "root" && (ev.Type != s.kind || ev.Service != "ssh" || ev.Decky != "d" || ev.Proof != event.ByConnection):
					t.Errorf("%s: %s\nis %s of %s on %s, %s", s.file, line, ev.Type, ev.Service, ev.Decky, ev.Proof)
				}
			}
		}
	}
	for line, want := range map[string]string{
		"Bad password attempt for 'root' from 192.0.2.1:4000":                                      `login "root" failure`,
		"Password auth succeeded for 'root' from 192.0.2.1:4000":                                   `login "root" success`,
		"Pubkey auth succeeded for 'root' with ssh-ed25519 key SHA256:abc from 192.0.2.1:4000":     `login "root" "publickey" "SHA256:abc" success`,
		"Password auth succeeded for 'root' from 192.0.2.1:4000, extra auth required":              ``,
		"Exit before auth from <192.0.2.1:4000>: (user 'root', 3 fails): Max auth tries reached -": ``,
	} {
		_, evidence, _ := strings.Cut(read(t, p, logRecord("Nov 26 10:00:00 d dropbear[42]: "+line)), "| ")
		if evidence, _, _ = strings.Cut(evidence, " SKEW"); evidence != want {
			t.Errorf("%s\nshows %s, want %s", line, evidence, want)
		}
	}
}

// Without syslog Dropbear writes its number and the time in front.
func TestDropbearsStandardError(t *testing.T) {
	p := newParser(t, Options{})
	if got := verdictOf(t, p, logRecord("[42] Nov 26 10:00:00 Bad password attempt for 'root' from 192.0.2.8:4000")); got != "192.0.2.8  ssh login" {
		t.Error(got)
	}
	for _, line := range []string{"[42] Bad password attempt for 'root' from 192.0.2.8:4000", "[x] Nov 26 10:00:00 Bad password attempt for 'root' from 192.0.2.8:4000", "[", "[]", "[1] "} {
		if got := verdictOf(t, p, logRecord(line)); got != "unknown_shape" {
			t.Errorf("%s: %s", line, got)
		}
	}
}

// The journal's Dropbear is the one whose program journald saw.
func TestDropbearsJournal(t *testing.T) {
	p := newParser(t, Options{})
	says := "Bad password attempt for 'root' from 192.0.2.8:4000"
	for _, tt := range []struct {
		want  string
		entry []string
	}{
		{sshdBlames, []string{"_COMM", "dropbear", "_EXE", "/usr/sbin/dropbear", "SYSLOG_IDENTIFIER", "dropbear", "_HOSTNAME", "decoy-1", "MESSAGE", says}},
		{sshdBlames, []string{"_COMM", "dropbear", "_SYSTEMD_UNIT", "dropbear.service", "_HOSTNAME", "decoy-1", "MESSAGE", says}},
		{"unknown_sender", []string{"_COMM", "logger", "_SYSTEMD_UNIT", "session-1.scope", "_UID", "1000", "SYSLOG_IDENTIFIER", "dropbear", "_HOSTNAME", "decoy-1", "MESSAGE", says}},
		{"unknown_sender", []string{"_COMM", "dropbear", "_EXE", "/tmp/dropbear", "SYSLOG_IDENTIFIER", "dropbear", "_HOSTNAME", "decoy-1", "MESSAGE", says}},
	} {
		if got := verdictOf(t, p, recordOf(tt.entry...)); got != tt.want {
			t.Errorf("%v: %s, want %s", tt.entry, got, tt.want)
		}
	}
}
