package dialect

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"dossier/correlate/event"
)

// checkEvent checks what must hold of every event that is given out.
func checkEvent(t *testing.T, v Verdict, ev *event.Event) {
	t.Helper()
	if v.Class() != Parsed {
		return
	}
	if !ev.Addr.IsValid() || ev.Addr.Is4In6() || ev.Addr.Zone() != "" || ev.Addr.IsUnspecified() {
		t.Fatalf("address %v", ev.Addr)
	}
	if ev.Time == event.Never {
		t.Fatal("an event without a time")
	}
	raw := false
	text := func(s string, limit int) {
		t.Helper()
		if raw && len(s) <= limit {
			return // nobody shows it
		}
		if !utf8.ValidString(s) || len(s) > limit {
			t.Fatalf("%d bytes (limit %d), valid %v: %q", len(s), limit, utf8.ValidString(s), s)
		}
		for _, r := range s {
			if r < 0x20 || r == 0x7f || r >= 0x202a && r <= 0x202e {
				t.Fatalf("%q is not repaired", s)
			}
		}
	}
	text(ev.Decky, event.MaxName)
	text(ev.Service, event.MaxService)
	text(ev.Type, event.MaxService)
	for i := range ev.Evidence {
		e := &ev.Evidence[i]
		raw = e.Kind == event.Said
		text(e.A, event.MaxCommand)
		text(e.B, event.MaxValue)
		text(e.C, event.MaxValue)
		for _, f := range e.Payload {
			text(f.Key, 64)
			text(f.Value, event.MaxValue)
		}
		if (e.Kind == event.Recipient || e.Kind == event.Message) && (strings.Contains(e.A, "@") || !validDomain(e.A)) {
			t.Fatalf("domain %q", e.A)
		}
	}
}

func FuzzRFC5424(f *testing.F) {
	for i, line := range readLines(f, filepath.Join(dataDir, "decnet", "raw_2k.log")) {
		if i%50 == 0 {
			f.Add(line)
		}
	}
	f.Add(`<134>1 ` + stamp + ` d redis - command [relay@55555 src="1.1.1.1" cmd="SET" args="['a\\x00', \"b'\"\]"]`)
	f.Add(`<134>1 ` + stamp + ` d https - request [relay@55555 remote_addr="[::1\]:5" headers="{'a': 'b\\'', 'User-Agent': \"x\"}"]`)
	f.Add(`<134>1 ` + stamp + ` d smtp - message_accepted [relay@55555 src="1.1.1.1" rcpt_to="<a@b.c.de>,<@x:y@ü.de>"]`)
	f.Add(`Jan  2 03:04:05 host sshd[12]: Failed password for invalid user x from 1.1.1.1 port 22 ssh2`)
	p := newParser(f, Options{DropApps: []string{"none"}})
	f.Fuzz(func(t *testing.T, line string) {
		var a event.Arena
		var ev event.Event
		checkEvent(t, p.Parse(&a, logRecord(line), &ev), &ev)
	})
}

// FuzzRecord reads records of any fields by every dialect.
func FuzzRecord(f *testing.F) {
	for _, s := range sensors {
		lines := readLines(f, filepath.Join(dataDir, s.file))
		for i := 0; i < len(lines); i += len(lines)/20 + 1 {
			f.Add(lines[i])
		}
	}
	f.Add(`{"log":"{\"log\":\"{}\",\"stream\":\"x\"}","stream":"stdout"}`)
	f.Add(`{"source":{"ip":"1.1.1.1"},"event":{"category":["authentication"],"outcome":"failure"},"user":{"name":"x"}}`)
	f.Add(`{"ident":"bash","extradata":"-","message":"CMD uid=0 src=1.1.1.1 cmd=x"}`)
	f.Add(`{"decky":"x","service":"ssh","event_type":"auth","fields":{"src_ip":"1.1.1.1","secret_b64":"eA"}}`)
	var parsers []*Parser
	for _, force := range []string{"", "decnet", "cowrie", "opencanary", "suricata", "ecs"} {
		parsers = append(parsers, newParser(f, Options{Force: force, Secrets: SHA256}))
	}
	f.Fuzz(func(t *testing.T, text string) {
		records := []*event.Record{logRecord(text)}
		if fields, ok := flatten(new(event.Arena), nil, text, event.MaxFields); ok {
			records = append(records, &event.Record{Time: recordTime, Fields: fields})
		}
		for _, p := range parsers {
			for _, r := range records {
				var a event.Arena
				var ev event.Event
				checkEvent(t, p.Parse(&a, r, &ev), &ev)
			}
		}
	})
}

// sd escapes a value as RFC 5424 says and DECNET does, line breaks excepted,
// which would end the line before it gets here.
var sd = strings.NewReplacer(`\`, `\\`, `"`, `\"`, `]`, `\]`, "\n", " ", "\r", " ")

func quote(s string) string {
	b, _ := json.Marshal(strings.ToValidUTF8(s, "?"))
	return string(b)
}

// FuzzPayload puts text of the attacker's choice wherever one can put it, as
// the sensors' own encoders write it, and checks that it changes neither who
// nor where nor what.
func FuzzPayload(f *testing.F) {
	for _, seed := range []string{
		"", "x", `" src_ip="6.6.6.6"] [relay@55555 src_ip="6.6.6.6"]`, `","src_ip":"6.6.6.6","eventid":"cowrie.login.success`,
		"a\n<134>1 " + stamp + ` d ssh - x [relay@55555 src_ip="6.6.6.6"]`, " src=6.6.6.6 pwd=/ cmd=ls", "x from 6.6.6.6 port 22 ssh2",
		`{"log":"{\"src_ip\":\"6.6.6.6\"}","stream":"x"}`, "\x1b[2J\u202e", `\`, `\"`, `]`, strings.Repeat("A", 1<<16), "}}", "'}, {'X-Forwarded-For': '6.6.6.6",
	} {
		f.Add(seed)
	}
	p := newParser(f, Options{DropApps: []string{"none"}})
	bench := netip.MustParseAddr("192.0.2.1")
	f.Fuzz(func(t *testing.T, evil string) {
		q, s := quote(evil), sd.Replace(evil)
		line := strings.NewReplacer("\n", " ", "\r", " ").Replace(evil)
		for _, tt := range []struct{ text, decky, service, kind string }{
			{`<134>1 ` + stamp + ` d ssh - auth_attempt [relay@55555 username="` + s + `" secret_printable="` + s + `" src_ip="192.0.2.1"]`, "d", "ssh", "auth_attempt"},
			{`<134>1 ` + stamp + ` d http - request [relay@55555 path="` + s + `" remote_addr="192.0.2.1:5" headers="{}" body="` + s + `"] ` + s, "d", "http", "request"},
			{`<134>1 ` + stamp + ` d http - request [relay@55555 remote_addr="192.0.2.1" headers="` + sd.Replace(`{"User-Agent": `+q+`}`) + `"]`, "d", "http", "request"},
			{`<14>1 ` + stamp + ` d bash - command [timeQuality tzKnown="1"] CMD uid=0 user=root src=192.0.2.1 pwd=/ cmd=` + line, "d", "ssh", "command"},
			{`<14>1 ` + stamp + ` h 1 - - - ` + stamp + ` d bash - command [timeQuality tzKnown="1"] CMD uid=0 user=root src=192.0.2.1 pwd=/ cmd=` + line, "d", "ssh", "command"},
			{`<38>1 ` + stamp + ` d sshd 7 - -  Failed password for invalid user ` + line + ` from 192.0.2.1 port 5 ssh2`, "d", "ssh", "login"},
			{`<86>1 ` + stamp + ` d sshd 7 - -  pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.1  user=` + line, "d", "ssh", "login_pam"},
			{`<38>Jan  2 03:04:05 d sshd[7]: Invalid user ` + line + ` from 192.0.2.1 port 5`, "d", "ssh", "invalid_user"},
			{`{"log":` + quote(`<38>1 `+stamp+` d sshd 7 - -  Accepted password for `+line+` from 192.0.2.1 port 5 ssh2`) + `,"stream":"stdout","time":"` + stamp + `"}`, "d", "ssh", "login"},
			{`{"timestamp":"2026-01-02 03:04:05","decky":"d","service":"ftp","event_type":"user","attacker_ip":"6.6.6.6","fields":{"src_ip":"192.0.2.1","username":` + q + `},"msg":` + q + `}`, "d", "ftp", "user"},
			{`{"eventid":"cowrie.command.input","src_ip":"192.0.2.1","sensor":"d","protocol":"telnet","session":"1","timestamp":"` + stamp + `","input":` + q + `,"message":` + q + `}`, "d", "telnet", "cowrie.command.input"},
			{`{"eventid":"cowrie.login.failed","username":` + q + `,"password":` + q + `,"src_ip":"192.0.2.1","sensor":"d","protocol":"ssh","session":"1","timestamp":"` + stamp + `"}`, "d", "ssh", "cowrie.login.failed"},
			{`{"logdata":{"USERNAME":` + q + `,"PASSWORD":` + q + `},"logtype":2000,"node_id":"d","src_host":"192.0.2.1","utc_time":"2026-01-02 03:04:05"}`, "d", "ftp", "login"},
			{`{"timestamp":"` + stamp + `","flow_id":1,"event_type":"http","src_ip":"192.0.2.1","dest_ip":"198.51.100.1","proto":"TCP","http":{"url":` + q + `,"http_user_agent":` + q + `,"xff":` + q + `}}`, "198.51.100.1", "http", "http"},
			{`{"@timestamp":"` + stamp + `","source":{"ip":"192.0.2.1"},"event":{"action":"exec","category":["process"]},"observer":{"name":"d"},"network":{"protocol":"ssh"},"process":{"command_line":` + q + `},"message":` + q + `}`, "d", "ssh", "exec"},
		} {
			var a event.Arena
			var ev event.Event
			v := p.Parse(&a, logRecord(tt.text), &ev)
			if v.Class() != Parsed {
				if strings.TrimSpace(line) == "" {
					continue // a command line may end at its "cmd="
				}
				t.Fatalf("%s: %s", tt.text, v.Reason)
			}
			checkEvent(t, v, &ev)
			if ev.Addr != bench || ev.Decky != tt.decky || ev.Service != tt.service || ev.Type != tt.kind {
				t.Fatalf("%s\nis %s", tt.text, show(&ev))
			}
		}
	})
}

func FuzzDomain(f *testing.F) {
	for _, seed := range []string{"<a@b.de>", "a@bücher.de", "<\"a>@b\"@c.de>", "a@xn--bcher-kva.de", "@", "a@b..c", "<<a@b.cd", "a@ß.de"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, candidate string) {
		var a event.Arena
		x := &scratch{arena: &a}
		domain, ok := x.mailDomain(candidate)
		if !ok {
			return
		}
		if !validDomain(domain) || strings.ToLower(domain) != domain || !strings.Contains(domain, ".") {
			t.Fatalf("mailDomain(%q) = %q", candidate, domain)
		}
		if again, ok := x.mailDomain("x@" + domain); !ok || again != domain {
			t.Fatalf("mailDomain(%q) = %q, and of that %q, %v", candidate, domain, again, ok)
		}
	})
}

// A megabyte in any field costs no more than its reading.
func TestLongFields(t *testing.T) {
	long := strings.Repeat("ab\u202e\x00", 1<<18)
	p := newParser(t, Options{})
	for _, text := range []string{
		`<134>1 ` + stamp + ` ` + strings.Repeat("h", 1<<20) + ` ssh - x [relay@55555 src_ip="192.0.2.1"]`,
		`<134>1 ` + stamp + ` d ssh - auth [relay@55555 src_ip="192.0.2.1" username="` + long + `" secret_b64="` + strings.Repeat("QUJD", 1<<18) + `"]`,
		`<134>1 ` + stamp + ` d redis - command [relay@55555 src="192.0.2.1" cmd="SET" args="[` + strings.Repeat("'a', ", 1<<18) + `'b'\]"]`,
		`<134>1 ` + stamp + ` d http - request [relay@55555 src="192.0.2.1" headers="{` + strings.Repeat("'a': 'b', ", 1<<17) + `}"]`,
		`<134>1 ` + stamp + ` d smtp - message_accepted [relay@55555 src="192.0.2.1" rcpt_to="` + strings.Repeat("<a@b.de>,", 1<<17) + `"]`,
		fmt.Sprintf(`{"eventid":"cowrie.login.failed","src_ip":"192.0.2.1","username":%s,"timestamp":"%s"}`, quote(long), stamp),
	} {
		var a event.Arena
		var ev event.Event
		v := p.Parse(&a, logRecord(text), &ev)
		if v.Class() != Parsed {
			t.Errorf("%.100s: %s", text, v.Reason)
		}
		checkEvent(t, v, &ev)
	}
	if got := read(t, p, logRecord(strings.Repeat("{", MaxText+1))); got != "unparsed/too_large" {
		t.Errorf("a line of more than MaxText bytes: %s", got)
	}
}
