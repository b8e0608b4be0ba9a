package dialect

import (
	"testing"

	"dossier/correlate/event"
)

// TestDropApps: by default sshd and its kind are left out in the form in which
// DECNET's containers write them, and read in every other; programs that are
// named are left out in every form.
func TestDropApps(t *testing.T) {
	const sentence = "Failed password for root from 45.9.148.249 port 1 ssh2"
	fields := func(pairs ...string) *event.Record {
		r := &event.Record{Time: recordTime}
		for i := 0; i < len(pairs); i += 2 {
			r.Fields = append(r.Fields, event.Field{Key: pairs[i], Value: pairs[i+1]})
		}
		return r
	}
	forms := []struct {
		name      string
		r         *event.Record
		container bool
	}{
		{"RFC 5424", logRecord("<38>1 " + stamp + " decky-03 sshd 9654 - - " + sentence), true},
		{"RFC 5424, PID in the name", logRecord("<38>1 " + stamp + " decky-03 sshd[9654] - - - " + sentence), true},
		{"RFC 5424, wrapped by a relay", logRecord("<14>1 " + stamp + " dockerhost01 1 - - - " + stamp + " decky-03 sshd 9654 - - " + sentence), true},
		{"the collector's JSON", logRecord(`{"timestamp":"2026-01-02 03:04:05","decky":"decky-03","service":"sshd","event_type":"-","attacker_ip":"45.9.148.249","fields":{},"msg":"` + sentence + `","raw_line":""}`), true},
		{"Fluent Bit's parser for RFC 5424", fields("time", stamp, "host", "decky-03", "ident", "sshd", "pid", "9654", "msgid", "-", "extradata", "-", "message", sentence), true},
		{"RFC 3164", logRecord("<38>Jan  2 03:04:05 bastion sshd[9654]: " + sentence), false},
		{"rsyslog's file format", logRecord(stamp + " bastion sshd[9654]: " + sentence), false},
		{"Fluent Bit's parser for RFC 3164", fields("time", "Jan  2 03:04:05", "host", "bastion", "ident", "sshd", "pid", "9654", "message", sentence), false},
	}
	for _, form := range forms {
		for _, test := range []struct {
			name    string
			apps    []string
			dropped bool
		}{
			{"by default", nil, form.container},
			{"none", []string{}, false},
			{"named", []string{"sshd"}, true},
			{"another named", []string{"CRON"}, false},
		} {
			t.Run(form.name+", "+test.name, func(t *testing.T) {
				var a event.Arena
				var ev event.Event
				v := newParser(t, Options{DropApps: test.apps}).Parse(&a, form.r, &ev)
				switch {
				case test.dropped:
					if v.Reason != DropApp || v.Program != "sshd" {
						t.Errorf("got %s of %q, want it dropped", v.Reason, v.Program)
					}
				case v.Reason == DropApp || v.Program != "":
					t.Errorf("dropped as %q", v.Program)
				case !form.container && (v.Reason != OK || ev.Addr.String() != "45.9.148.249"):
					t.Errorf("got %s, %v; want the attacker's login", v.Reason, ev.Addr)
				}
			})
		}
	}
	// OpenSSH 9.8 took sshd's work apart.
	for _, program := range []string{"sshd-session", "sshd-auth", "pam_unix", "sudo", "su", "CRON", "cron", "systemd", "kernel", "rsyslogd", "dbus-daemon"} {
		var a event.Arena
		var ev event.Event
		if v := newParser(t, Options{}).Parse(&a, logRecord("<38>1 "+stamp+" decky-03 "+program+" 1 - - "+sentence), &ev); v.Reason != DropApp || v.Program != program {
			t.Errorf("%s: got %s of %q", program, v.Reason, v.Program)
		}
	}
}
