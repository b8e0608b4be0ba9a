package dialect

import (
	"slices"
	"strings"
	"testing"

	"dossier/correlate/event"
)

// cowrieEvents are the event ids of Cowrie 3 (src/cowrie/core/eventids.py,
// August 2026) and those that Cowrie 2 and other output plugins have.
const cowrieEvents = `
abuseipdb.ratelimited abuseipdb.reportedip abuseipdb.reportfail abuseipdb.started abuseipdb.wakeup
client.fingerprint client.kex client.malformed_packet client.size client.var client.version
command.chpasswd command.failed command.input command.success
direct-tcpip.data direct-tcpip.ja4 direct-tcpip.ja4h direct-tcpip.redirect direct-tcpip.request direct-tcpip.tunnel
tunnelproxy-tcpip.data greynoise.result log.closed log.open login.failed login.success
proxy.backend_connect_error proxy.backend_connected proxy.backend_disconnected proxy.client_disconnect proxy.ssh
reversedns.connect reversedns.forward
session.closed session.connect session.file_download session.file_download.failed session.file_upload session.input session.params
telnet.error telnet.exploit_attempt telnet.exploit_success telnet.option
urlhaus.submitted virustotal.scanfile virustotal.scanurl
backend_pool.libvirtd malwarebazaar.submitted malshare.submitted csirtg.submitted cuckoo.submitted misp.submitted`

// TestCowrieEvents checks that every event id is known, and that Cowrie's own
// look-ups are never the attacker's acts, though they name him.
func TestCowrieEvents(t *testing.T) {
	own := []string{
		"abuseipdb", "greynoise", "proxy", "reversedns", "urlhaus", "virustotal", "backend_pool", "malwarebazaar", "malshare", "csirtg", "cuckoo", "misp",
	}
	p := newParser(t, Options{})
	for id := range strings.FieldsSeq(cowrieEvents) {
		part, _, _ := strings.Cut(id, ".")
		want := "parsed"
		if slices.Contains(own, part) || id == "log.open" || id == "session.params" {
			want = "dropped/sensor_report"
		} else if _, ok := table[Cowrie]["cowrie."+id]; !ok {
			t.Errorf("cowrie.%s is not in the table", id)
		}
		got := read(t, p, logRecord(`{"eventid": "cowrie.`+id+`", "src_ip": "192.0.2.34", "session": "ac", "protocol": "ssh", "sensor": "d", "timestamp": "2026-11-26T10:00:05.000000Z"}`))
		if want == "parsed" && !strings.HasPrefix(got, "192.0.2.34 d/ssh cowrie."+id) || want != "parsed" && got != want {
			t.Errorf("cowrie.%s: %s, want %s", id, got, want)
		}
	}
}

// readTogether reads records as one chunk and returns what they are read as, and how
// many services stay guesses.
func readTogether(t *testing.T, p *Parser, lines []string) (texts []string, guessed int) {
	t.Helper()
	var a event.Arena
	events := make([]event.Event, len(lines))
	verdicts := make([]Verdict, len(lines))
	for i, line := range lines {
		verdicts[i] = p.Parse(&a, logRecord(line), &events[i])
	}
	for i := range events {
		if verdicts[i].Class() != Parsed {
			texts = append(texts, verdicts[i].Reason.String())
			continue
		}
		if !p.Settle(&a, verdicts[i], &events[i]) {
			guessed++
		}
		texts = append(texts, show(&events[i]))
	}
	return texts, guessed
}

// TestCowrieSessions checks what a record says through the others of its
// session, wherever in the chunk they stand.
func TestCowrieSessions(t *testing.T) {
	record := func(id, session, ip, rest string) string {
		return `{"eventid": "cowrie.` + id + `", "session": "` + session + `", "src_ip": "` + ip + `", "timestamp": "2026-11-26T10:00:05.000000Z"` + rest + `}`
	}
	const telnet, named = `, "protocol": "telnet"`, `, "sensor": "d"`
	tests := []struct {
		name    string
		lines   []string
		want    []string // how each event starts
		guessed int
	}{
		{
			"the session's start tells",
			[]string{record("session.connect", "aa", "192.0.2.1", telnet+named), record("login.success", "aa", "192.0.2.1", named+`, "username": "root", "password": "vizxv"`)},
			[]string{"192.0.2.1 d/telnet", "192.0.2.1 d/telnet"},
			0,
		},
		{
			"a later record tells",
			[]string{record("command.input", "aa", "192.0.2.1", named+`, "input": "id"`), record("session.closed", "aa", "192.0.2.1", telnet+named)},
			[]string{"192.0.2.1 d/telnet", "192.0.2.1 d/telnet"},
			0,
		},
		{
			"what only Telnet has tells",
			[]string{record("login.failed", "aa", "192.0.2.1", named), record("telnet.option", "aa", "192.0.2.1", named)},
			[]string{"192.0.2.1 d/telnet", "192.0.2.1 d/telnet"},
			0,
		},
		{
			"what only SSH has tells",
			[]string{record("login.failed", "aa", "192.0.2.1", named), record("client.version", "aa", "192.0.2.1", named)},
			[]string{"192.0.2.1 d/ssh", "192.0.2.1 d/ssh"},
			0,
		},
		{
			"the transport tells",
			[]string{record("command.input", "ab", "192.0.2.1", named+`, "system": "CowrieTelnetTransport,18,192.0.2.1"`), record("login.failed", "ab", "192.0.2.1", named)},
			[]string{"192.0.2.1 d/telnet", "192.0.2.1 d/telnet"},
			0,
		},
		{
			"SSH's transport tells",
			[]string{record("command.input", "ab", "192.0.2.1", named+`, "system": "SSHChannel session (0) on SSHService b'ssh-connection' on HoneyPotSSHTransport,1,192.0.2.1"`)},
			[]string{"192.0.2.1 d/ssh"},
			0,
		},
		{
			"another's session of the same name does not",
			[]string{record("session.connect", "aa", "192.0.2.2", telnet+named), record("login.failed", "aa", "192.0.2.1", named)},
			[]string{"192.0.2.2 d/telnet", "192.0.2.1 d/ssh"},
			1,
		},
		{
			"nothing tells",
			[]string{record("login.failed", "aa", "192.0.2.1", named), record("login.failed", "ab", "192.0.2.1", named)},
			[]string{"192.0.2.1 d/ssh", "192.0.2.1 d/ssh"},
			2,
		},
		{
			"a sensor without a name",
			[]string{record("login.failed", "aa", "192.0.2.1", `, "sensor": ""`), record("session.connect", "aa", "192.0.2.1", `, "sensor": "", "dst_ip": "10.0.0.2", "dst_port": 2222, "protocol": "ssh"`)},
			[]string{"192.0.2.1 10.0.0.2/ssh", "192.0.2.1 10.0.0.2/ssh"},
			0,
		},
		{
			"what is asked to be forwarded is no decoy",
			[]string{record("direct-tcpip.request", "aa", "192.0.2.1", `, "sensor": "", "dst_ip": "198.51.100.7", "dst_port": 25`)},
			[]string{"192.0.2.1 -/ssh"},
			0,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, guessed := readTogether(t, newParser(t, Options{}), tt.lines)
			for i, want := range tt.want {
				if want = strings.Replace(want, " -/", " /", 1); !strings.HasPrefix(got[i], want+" ") {
					t.Errorf("record %d: %s, want %s", i, got[i], want)
				}
			}
			if guessed != tt.guessed {
				t.Errorf("%d services are guessed, want %d", guessed, tt.guessed)
			}
		})
	}
}

// A chunk's sessions say nothing of the next one's: a redelivery would show
// another profile.
func TestCowrieSessionsEndWithTheChunk(t *testing.T) {
	p := newParser(t, Options{})
	var a event.Arena
	var ev event.Event
	const head = `{"session": "aa", "src_ip": "192.0.2.1", "sensor": "d", "eventid": "cowrie.`
	p.Parse(&a, logRecord(head+`session.connect", "protocol": "telnet"}`), &ev)
	a.Reset()
	v := p.Parse(&a, logRecord(head+`login.failed"}`), &ev)
	if p.Settle(&a, v, &ev) || ev.Service != "ssh" {
		t.Errorf("the service is %s from a chunk that is gone", ev.Service)
	}
}

// What two programs say to each other was typed by nobody.
func TestCowrieInput(t *testing.T) {
	p := newParser(t, Options{})
	for realm, commands := range map[string]int{"scp": 0, "sftp": 0, "passwd": 0, "sudo": 0, "perl": 1, "cat": 1, "": 1} {
		got := read(t, p, logRecord(`{"eventid": "cowrie.session.input", "realm": "`+realm+`", "input": "C0644 5 x.sh", "session": "ad", "src_ip": "192.0.2.37", "protocol": "ssh", "sensor": "d", "timestamp": "2026-11-26T10:00:05.000000Z"}`))
		if !strings.HasPrefix(got, "192.0.2.37 d/ssh cowrie.session.input interaction") || strings.Count(got, "| command") != commands {
			t.Errorf("realm %q: %s, want an interaction with %d commands", realm, got, commands)
		}
	}
}

// A record that tells its session's protocol alone tells it to other chunks; one
// whose chunk doesn't tell it is a guess of that session. Where every record
// tells it nobody is told, and where the chunk tells it nothing waits.
func TestCowrieNamesSessions(t *testing.T) {
	p := newParser(t, Options{})
	line := func(kind, more string) string {
		return `{"eventid":"cowrie.` + kind + `","src_ip":"192.0.2.1","session":"s1","sensor":"d","timestamp":"2026-11-26T10:00:00.000000Z"` + more + `}`
	}
	for _, tt := range []struct {
		name    string
		lines   []string
		service string
		naming  event.Naming
	}{
		{"a connection", []string{line("session.connect", `,"protocol":"telnet"`)}, "telnet", event.Names},
		{"what only SSH's clients say", []string{line("client.kex", `,"hassh":"a"`)}, "ssh", event.Names},
		{"version 1's system", []string{line("login.failed", `,"system":"CowrieTelnetTransport,1,192.0.2.1"`)}, "telnet", event.Names},
		{"a login of version 2", []string{line("login.failed", `,"username":"a","password":"b"`)}, "ssh", event.Guessed},
		{"a login of version 3", []string{line("login.failed", `,"username":"a","password":"b","protocol":"telnet"`)}, "telnet", event.Named},
		{"a login whose chunk tells", []string{line("login.failed", `,"username":"a","password":"b"`), line("session.connect", `,"protocol":"telnet"`)}, "telnet", event.Named},
		{"another address's connection", []string{line("login.failed", `,"username":"a","password":"b"`), strings.Replace(line("session.connect", `,"protocol":"telnet"`), "192.0.2.1", "192.0.2.9", 1)}, "ssh", event.Guessed},
	} {
		var a event.Arena
		evs := make([]event.Event, len(tt.lines))
		verdicts := make([]Verdict, len(tt.lines))
		for i, line := range tt.lines {
			if verdicts[i] = p.Parse(&a, logRecord(line), &evs[i]); verdicts[i].Reason != OK {
				t.Fatalf("%s: %s", tt.name, verdicts[i].Reason)
			}
		}
		known := p.Settle(&a, verdicts[0], &evs[0])
		ev := &evs[0]
		if ev.Service != tt.service || ev.Naming != tt.naming || known == (tt.naming == event.Guessed) || (ev.Session != 0) != (ev.Naming != event.Named) {
			t.Errorf("%s: %q, naming %d, session %x, known %t", tt.name, ev.Service, ev.Naming, ev.Session, known)
		}
		if ev.Naming != event.Named && ev.Session != sessionHash("s1") {
			t.Errorf("%s: session %x", tt.name, ev.Session)
		}
	}
}
