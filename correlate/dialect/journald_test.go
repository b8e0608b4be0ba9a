package dialect

import (
	"testing"
	"time"

	"dossier/correlate/event"
)

// recordOf returns a record of these fields.
func recordOf(pairs ...string) *event.Record {
	r := &event.Record{Time: recordTime}
	for i := 0; i+1 < len(pairs); i += 2 {
		r.Fields = append(r.Fields, event.Field{Key: pairs[i], Value: pairs[i+1]})
	}
	return r
}

// verdictOf returns whom a record blames and where, or why nobody.
func verdictOf(t *testing.T, p *Parser, r *event.Record) string {
	t.Helper()
	var a event.Arena
	var ev event.Event
	v := p.Parse(&a, r, &ev)
	if v.Class() != Parsed {
		return v.Reason.String()
	}
	checkEvent(t, v, &ev)
	return ev.Addr.String() + " " + ev.Decky + " " + ev.Service + " " + ev.Type
}

const (
	sshdSays    = "Failed password for root from 192.0.2.8 port 42393 ssh2"
	sshdBlames  = "192.0.2.8 decoy-1 ssh login"
	cowrieSays  = `{"eventid":"cowrie.login.failed","username":"root","password":"a","src_ip":"192.0.2.1","session":"s1","protocol":"ssh","sensor":"decoy-1","timestamp":"2026-11-26T10:00:00.000000Z"}`
	cowrieMeans = "192.0.2.1 decoy-1 ssh cowrie.login.failed"
)

// An entry of the journal is whose journald says it is.
func TestJournalSenders(t *testing.T) {
	p := newParser(t, Options{DropApps: []string{"CRON"}})
	for _, tt := range []struct {
		name string
		want string
		of   []string
	}{
		{"sshd", sshdBlames, []string{"_COMM", "sshd", "_SYSTEMD_UNIT", "ssh.service"}},
		{"sshd of version 9.8", sshdBlames, []string{"_COMM", "sshd-session", "_SYSTEMD_UNIT", "sshd.service", "SYSLOG_IDENTIFIER", "sshd-session"}},
		{"sshd where systemd listens", sshdBlames, []string{"_COMM", "sshd", "_SYSTEMD_UNIT", "ssh@3-10.0.0.1:22-192.0.2.8:4.service"}},
		{"sshd by its file", sshdBlames, []string{"_COMM", "sshd", "_EXE", "/usr/sbin/sshd", "_SYSTEMD_UNIT", "session-4.scope", "_UID", "1000"}},
		{"sshd's root half in a session", sshdBlames, []string{"_COMM", "sshd", "_SYSTEMD_UNIT", "session-4.scope", "_UID", "0"}},
		{"sshd by its unit", sshdBlames, []string{"SYSLOG_IDENTIFIER", "sshd", "_SYSTEMD_UNIT", "ssh.service"}},
		{"sshd without a unit", sshdBlames, []string{"SYSLOG_IDENTIFIER", "sshd", "_COMM", "sshd"}},
		{"by its own word", "unknown_sender", []string{"SYSLOG_IDENTIFIER", "sshd", "_TRANSPORT", "syslog"}},
		{"of logger", "unknown_sender", []string{"SYSLOG_IDENTIFIER", "sshd", "_COMM", "logger", "_SYSTEMD_UNIT", "session-4.scope"}},
		{"of logger in sshd's unit", "unknown_sender", []string{"SYSLOG_IDENTIFIER", "sshd", "_COMM", "logger", "_SYSTEMD_UNIT", "ssh.service"}},
		{"a file of that name", "unknown_sender", []string{"SYSLOG_IDENTIFIER", "sshd", "_COMM", "sshd", "_EXE", "/tmp/sshd", "_SYSTEMD_UNIT", "session-4.scope", "_UID", "1000"}},
		{"a file outside", "unknown_sender", []string{"_COMM", "sshd", "_EXE", "/usr/../tmp/sshd"}},
		{"another file", "unknown_sender", []string{"_COMM", "sshd", "_EXE", "/usr/bin/python3.11", "_SYSTEMD_UNIT", "ssh.service"}},
		{"another unit", "unknown_sender", []string{"_COMM", "sshd", "_SYSTEMD_UNIT", "apache2.service"}},
		{"a user's process", "unknown_sender", []string{"_COMM", "sshd", "_SYSTEMD_UNIT", "session-4.scope", "_UID", "1000"}},
		{"a user's process without a unit", "unknown_sender", []string{"_COMM", "sshd", "_UID", "1000"}},
		{"fields without underscores", "unknown_sender", []string{"COMM", "sshd", "SYSTEMD_UNIT", "ssh.service", "SYSLOG_IDENTIFIER", "sshd"}},
		{"another program", "no_address", []string{"_COMM", "nginx", "_SYSTEMD_UNIT", "nginx.service", "SYSLOG_IDENTIFIER", "nginx"}},
		{"a program that is dropped", "drop_app", []string{"_COMM", "cron", "_SYSTEMD_UNIT", "cron.service", "SYSLOG_IDENTIFIER", "CRON"}},
	} {
		r := recordOf(append([]string{"MESSAGE", sshdSays, "_HOSTNAME", "decoy-1", "_PID", "42"}, tt.of...)...)
		if got := verdictOf(t, p, r); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
	}
}

// The forms in which the journal comes.
func TestJournalForms(t *testing.T) {
	p := newParser(t, Options{})
	for name, r := range map[string]*event.Record{
		"Fluent Bit's systemd input":  recordOf("PRIORITY", "6", "_HOSTNAME", "decoy-1", "_COMM", "sshd", "_SYSTEMD_UNIT", "ssh.service", "MESSAGE", sshdSays),
		"in lower case":               recordOf("priority", "6", "_hostname", "decoy-1", "_comm", "sshd", "_systemd_unit", "ssh.service", "message", sshdSays),
		"journalctl -o json":          logRecord(`{"__REALTIME_TIMESTAMP":"1796031600000000","_HOSTNAME":"decoy-1","_COMM":"sshd","_SYSTEMD_UNIT":"ssh.service","MESSAGE":"` + sshdSays + `","__CURSOR":"s=1"}`),
		"Filebeat's journald input":   recordOf("@timestamp", stamp, "message", sshdSays, "ecs.version", "8.0.0", "input.type", "journald", "host.hostname", "decoy-1", "journald.process.name", "sshd", "systemd.unit", "ssh.service", "syslog.identifier", "sshd", "event.kind", "event"),
		"through a message broker":    recordOf("topic", "t", "partition", "0", "offset", "1", "payload", `{"MESSAGE":"`+sshdSays+`","_COMM":"sshd","_SYSTEMD_UNIT":"ssh.service","_HOSTNAME":"decoy-1"}`),
		"said five times, by rsyslog": recordOf("MESSAGE", "message repeated 5 times: [ "+sshdSays+"]", "_HOSTNAME", "decoy-1", "_COMM", "sshd", "_SYSTEMD_UNIT", "ssh.service"),
	} {
		if got := verdictOf(t, p, r); got != sshdBlames {
			t.Errorf("%s: got %s, want %s", name, got, sshdBlames)
		}
	}
	// What somebody may have typed is no entry where nothing but sentences
	// count.
	strict := newParser(t, Options{SentencesOnly: true})
	typed := logRecord(`{"MESSAGE":"` + sshdSays + `","_COMM":"sshd","_SYSTEMD_UNIT":"ssh.service"}`)
	if got := verdictOf(t, strict, typed); got != "structured_data" {
		t.Errorf("got %s", got)
	}
}

// The journal's own time is the entry's.
func TestJournalTime(t *testing.T) {
	var a event.Arena
	var ev event.Event
	r := recordOf("MESSAGE", sshdSays, "_COMM", "sshd", "_SYSTEMD_UNIT", "ssh.service", "__REALTIME_TIMESTAMP", "1795687200000001")
	if v := newParser(t, Options{}).Parse(&a, r, &ev); v.Reason != OK || ev.Time != 1795687200000001 || v.ClockSkew {
		t.Errorf("%s, %v", v.Reason, ev.Time)
	}
}

// Filebeat's @timestamp is the journal's time.
func TestFilebeatJournalTime(t *testing.T) {
	var a event.Arena
	var ev event.Event
	r := recordOf("@timestamp", "2026-11-26T10:00:00.000Z", "message", sshdSays, "host.hostname", "decoy-1", "journald.process.name", "sshd", "systemd.unit", "ssh.service")
	want := event.Time(time.Date(2026, time.November, 26, 10, 0, 0, 0, time.UTC).UnixMicro())
	if v := newParser(t, Options{}).Parse(&a, r, &ev); v.Reason != OK || ev.Time != want {
		t.Errorf("%s, %v", v.Reason, ev.Time)
	}
}

// A shell's hook speaks through logger.
func TestJournalShell(t *testing.T) {
	p := newParser(t, Options{})
	const said = "CMD uid=0 user=root src=192.0.2.9 pwd=/root cmd=id"
	for comm, want := range map[string]string{"logger": "192.0.2.9 decoy-1 ssh command", "bash": "192.0.2.9 decoy-1 ssh command", "python3": "unknown_sender", "": "unknown_sender"} {
		r := recordOf("MESSAGE", said, "SYSLOG_IDENTIFIER", "bash", "_COMM", comm, "_HOSTNAME", "decoy-1", "_SYSTEMD_UNIT", "session-4.scope", "_UID", "0")
		if got := verdictOf(t, p, r); got != want {
			t.Errorf("%q: got %s, want %s", comm, got, want)
		}
	}
}

// JSON in the journal counts where journald says that a sensor sent it.
func TestJournalJSON(t *testing.T) {
	off, on, listed := Options{}, Options{JSON: JSONTrust{All: true}}, Options{JSON: JSONTrust{Units: []string{"session-4.scope", "cowrie.service"}}}
	for _, tt := range []struct {
		name             string
		of               []string
		off, on, byUnits bool
	}{
		{"a sensor's service", []string{"_COMM", "twistd", "_SYSTEMD_UNIT", "cowrie.service"}, false, true, true},
		{"another service", []string{"_COMM", "python3", "_SYSTEMD_UNIT", "other.service"}, false, true, false},
		{"a session", []string{"_COMM", "python3", "_SYSTEMD_UNIT", "session-5.scope"}, false, false, false},
		{"a unit that is listed", []string{"_COMM", "logger", "_SYSTEMD_UNIT", "session-4.scope"}, false, false, true},
		{"sshd's service", []string{"_COMM", "python3", "_SYSTEMD_UNIT", "ssh.service"}, false, false, false},
		{"logger", []string{"_COMM", "logger", "_SYSTEMD_UNIT", "other.service"}, false, false, false},
		{"no unit", []string{"_COMM", "twistd"}, false, false, false},
		{"nothing but a name", []string{"_TRANSPORT", "syslog"}, false, false, false},
		{"Docker's log driver", []string{"_COMM", "dockerd", "_SYSTEMD_UNIT", "docker.service", "CONTAINER_ID_FULL", "a", "CONTAINER_NAME", "cowrie"}, true, true, true},
		{"a container that says so", []string{"_COMM", "dockerd", "_SYSTEMD_UNIT", "session-4.scope", "CONTAINER_ID_FULL", "a"}, false, false, true},
		{"Podman's", []string{"_COMM", "conmon", "_SYSTEMD_UNIT", "libpod-conmon-1.scope", "CONTAINER_ID_FULL", "a"}, true, true, true},
	} {
		r := recordOf(append([]string{"MESSAGE", cowrieSays, "_HOSTNAME", "h", "SYSLOG_IDENTIFIER", "cowrie"}, tt.of...)...)
		for _, by := range []struct {
			o      Options
			counts bool
		}{{off, tt.off}, {on, tt.on}, {listed, tt.byUnits}} {
			want := "json_in_syslog"
			if by.counts {
				want = cowrieMeans
			}
			if got := verdictOf(t, newParser(t, by.o), r); got != want {
				t.Errorf("%s, %+v: got %s, want %s", tt.name, by.o.JSON, got, want)
			}
		}
	}
}
