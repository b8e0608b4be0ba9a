package hostile

import (
	"bytes"
	"compress/flate"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"dossier/correlate"
	"dossier/correlate/commit"
	"dossier/correlate/dialect"
	"dossier/correlate/event"
	"dossier/correlate/redact"
	"dossier/plugin/chunk"
	"dossier/plugin/chunk/chunktest"
	"dossier/profile"
	"dossier/testbed/memory"
	"dossier/testbed/race"

	"github.com/vmihailenco/msgpack/v5"
)

var secretsTime = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// secretsMaps describes a sensor that names any service.
const secretsMaps = `
name: any
match: {sensor: any}
fields:
  time: time
  address: ip
  service: service
  command: command
  arguments: args
  url: url
  path: path
  method: method
  user_agent: agent
set: {type: command}
types: {command: command}
`

// outputs runs lines through the whole core, and once more with a store that takes
// no document, and returns every text that comes of them by its place: documents,
// states unpacked, dead letters of documents and of bytes.
func outputs(t *testing.T, secrets dialect.Secrets, lines []string) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, refuse := range []bool{false, true} {
		store := memory.New()
		run := &secretsRun{store: store, refuse: refuse, t: t, out: out}
		run.flush(secrets, lines)
		for index := range store.Indices() {
			for id, body := range store.Documents(index) {
				place := index + "/" + id
				var doc map[string]any
				if err := json.Unmarshal(body, &doc); err != nil {
					t.Fatal(err)
				}
				if encoded, ok := doc["state"].(string); ok {
					out[place+" state"] = stateOf(t, encoded)
					delete(doc, "state")
				}
				text, err := json.Marshal(doc)
				if err != nil {
					t.Fatal(err)
				}
				out[place] = plainJSON(string(text))
			}
		}
	}
	return out
}

// secretsRun is a core over a store that may refuse everything.
type secretsRun struct {
	store  *memory.Store
	refuse bool
	t      *testing.T
	out    map[string]string
}

func (r *secretsRun) Read(ctx context.Context, keys []commit.Key) ([]commit.Stored, error) {
	return r.store.Read(ctx, keys)
}

func (r *secretsRun) Write(ctx context.Context, ops []commit.Op) ([]commit.Written, error) {
	if !r.refuse {
		return r.store.Write(ctx, ops)
	}
	out := make([]commit.Written, len(ops))
	for i := range ops {
		out[i] = commit.Written{Status: commit.Rejected, Reason: "document_parsing_exception"}
	}
	return out, nil
}

func (r *secretsRun) Bury(_ context.Context, letters []commit.Letter) error {
	for i := range letters {
		text, err := correlate.EncodeDelta(letters[i].Part.Delta)
		if err != nil {
			return err
		}
		r.out[fmt.Sprintf("dead letter %d of %v", len(r.out), letters[i].Part.Key)] = plainJSON(string(text))
	}
	return nil
}

func (r *secretsRun) flush(secrets dialect.Secrets, lines []string) {
	t := r.t
	t.Helper()
	maps, err := dialect.ReadFieldMaps(strings.NewReader(secretsMaps))
	if err != nil {
		t.Fatal(err)
	}
	parser, err := dialect.New(dialect.Options{Secrets: secrets, FieldMaps: maps})
	if err != nil {
		t.Fatal(err)
	}
	set, err := builtin()
	if err != nil {
		t.Fatal(err)
	}
	renderer, err := profile.New(profile.Options{Secrets: secrets, Rules: set})
	if err != nil {
		t.Fatal(err)
	}
	indices := correlate.Indices{Prefix: "d"}
	committer, err := commit.New(commit.Options{
		MachineOptions: commit.MachineOptions{Ledger: indices.Ledger}, Store: r, DeadLetters: r,
		Model: correlate.NewModel(correlate.ModelOptions{Renderer: renderer, Indices: indices, Activity: true, Transitions: true}),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = committer.Close(context.Background()) }()
	engine, err := correlate.New(correlate.Options{
		Committer: committer, Indices: indices, Parser: parser, Annotator: renderer, Sensor: "s", Activity: true,
		Decode:       func(a *event.Arena, data []byte) correlate.Records { return chunk.NewDecoder(data, a) },
		BuryUnparsed: true, Mask: redact.Options{Secrets: secrets != dialect.Plain},
		BuryBroken: func(_ context.Context, b correlate.Broken) error {
			r.out[fmt.Sprintf("raw letter %d", len(r.out))] = string(b.Data)
			return nil
		},
		CommitTimeout: 20 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	// An attacker has few commands, so that none is pushed out.
	const each = 40
	for len(lines) > 0 {
		n := min(each, len(lines))
		data := chunktest.Lines(secretsTime, "log", lines[:n]...)
		if result, err := engine.Flush(t.Context(), "tag", data); result != correlate.OK {
			t.Fatal(result, err)
		}
		lines = lines[n:]
	}
	s := engine.Stats()
	t.Logf("%d events, %d records refused by reason", s.Events, s.Refused)
}

// plainJSON returns a JSON text without the escapes by which a text in it may
// look like another one.
func plainJSON(s string) string {
	return strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&", `\"`, `"`, `\\`, `\`, `\/`, "/").Replace(s)
}

// stateOf returns what a state holds, unpacked.
func stateOf(t *testing.T, encoded string) string {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		t.Fatal(err)
	}
	var envelope []any
	if err := msgpack.Unmarshal(b, &envelope); err != nil {
		return string(b) // a marker of the ledger
	}
	var all strings.Builder
	for _, part := range envelope {
		inner, ok := part.([]byte)
		if !ok {
			continue
		}
		all.Write(inner)
		if text, err := io.ReadAll(flate.NewReader(bytes.NewReader(inner))); err == nil {
			all.Write(text)
		}
	}
	return all.String()
}

// sender writes a command of a protocol as one sensor does; "" where it can't.
type sender struct {
	name string
	line func(n int, service, command string) string
}

func address(n int) string { return fmt.Sprintf("203.0.%d.%d", 100+n/200, 1+n%200) }

func document(v map[string]any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// parameter writes an RFC 5424 PARAM-VALUE.
func parameter(s string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`, `]`, `\]`).Replace(s)
}

// pythonWords writes words as Python's repr does.
func pythonWords(words []string) string {
	var b strings.Builder
	b.WriteByte('[')
	for i, w := range words {
		if i > 0 {
			b.WriteString(", ")
		}
		quote := "'"
		if strings.Contains(w, "'") {
			quote = `"`
		}
		b.WriteString(quote + strings.NewReplacer(`\`, `\\`, "\r", `\r`, "\n", `\n`, "\t", `\t`).Replace(w) + quote)
	}
	b.WriteByte(']')
	return b.String()
}

const secretsStamp = "2026-01-02T03:04:05.000000+00:00"

var senders = []sender{
	{"DECNET", func(n int, service, command string) string {
		if service == "redis" {
			words := strings.Fields(command)
			if strings.HasPrefix(command, "*") || len(words) == 0 {
				return ""
			}
			return fmt.Sprintf(`<134>1 %s d redis - command [relay@55555 src="%s" cmd="%s" args="%s"]`, secretsStamp, address(n), parameter(words[0]), parameter(pythonWords(words[1:])))
		}
		return fmt.Sprintf(`<134>1 %s d %s - command [relay@55555 src="%s" cmd="%s"]`, secretsStamp, service, address(n), parameter(command))
	}},
	{"OpenCanary's raw data", func(n int, service, command string) string {
		ports := map[string]int{"redis": 6379, "imap": 143, "pop3": 110, "smtp": 25, "ftp": 21, "http": 80, "mysql": 3306}
		return document(map[string]any{
			"dst_host": "127.0.0.1", "dst_port": ports[service], "logtype": 18004, "node_id": "d", "src_host": address(n), "src_port": 1,
			"utc_time": "2026-01-02 03:04:05.000000", "logdata": map[string]any{"DATA": command},
		})
	}},
	{"OpenCanary's Redis", func(n int, service, command string) string {
		verb, args, _ := strings.Cut(command, " ")
		if service != "redis" || verb == "" || strings.HasPrefix(command, "*") {
			return ""
		}
		return document(map[string]any{
			"dst_host": "127.0.0.1", "dst_port": 6379, "logtype": 17001, "node_id": "d", "src_host": address(n), "src_port": 1,
			"utc_time": "2026-01-02 03:04:05.000000", "logdata": map[string]any{"CMD": verb, "ARGS": args},
		})
	}},
	{"a field map", func(n int, service, command string) string {
		return document(map[string]any{"sensor": "any", "time": secretsStamp, "ip": address(n), "service": service, "command": command})
	}},
	{"a field map with the verb apart", func(n int, service, command string) string {
		verb, args, ok := strings.Cut(command, " ")
		if !ok {
			return ""
		}
		return document(map[string]any{"sensor": "any", "time": secretsStamp, "ip": address(n), "service": strings.ToUpper(service), "command": verb, "args": args})
	}},
	{"a field map's request", func(n int, service, command string) string {
		if service != "http" || strings.ContainsAny(command, "\r\n") {
			return ""
		}
		return document(map[string]any{"sensor": "any", "time": secretsStamp, "ip": address(n), "service": service, "command": "GET", "path": command, "method": "GET", "agent": "curl/8", "url": command})
	}},
	{"Suricata's request", func(n int, service, command string) string {
		if service != "http" || strings.ContainsAny(command, "\r\n") {
			return ""
		}
		return document(map[string]any{
			"timestamp": "2026-01-02T03:04:05.000000+0000", "flow_id": 1, "event_type": "http", "src_ip": address(n), "src_port": 1, "dest_ip": "10.0.0.1",
			"dest_port": 80, "proto": "TCP", "http": map[string]any{"url": command, "http_user_agent": "curl/8", "http_method": "GET"},
		})
	}},
	{"Cowrie's download", func(n int, service, command string) string {
		if !strings.Contains(command, "://") || service != "http" {
			return ""
		}
		return document(map[string]any{
			"eventid": "cowrie.session.file_download", "src_ip": address(n), "session": "x", "sensor": "d", "timestamp": "2026-01-02T03:04:05.000000Z",
			"url": command, "shasum": strings.Repeat("ab", 32), "destfile": "-",
		})
	}},
	{"a line of nobody's", func(n int, service, command string) string {
		return "? " + service + " " + strconvQuote(command)
	}},
	{"a document of nobody's", func(n int, service, command string) string {
		return document(map[string]any{"who": "knows", "deep": map[string]any{"line": command}})
	}},
	{"a line that is the command", func(n int, service, command string) string {
		if command[0] == '{' || command[0] == '<' {
			return "" // another sensor's
		}
		return command
	}},
}

// strconvQuote is how programs of C write a text into a line.
func strconvQuote(s string) string {
	return strings.NewReplacer("\r", `\r`, "\n", `\n`, "\t", `\t`).Replace(s)
}

// logins are what protocols take a password in, %s, or base64 of it, %b, or of
// RFC 4616's message with it, %p.
var logins = map[string][]string{
	"redis": {
		"AUTH %s", "auth bob %s", "AUTH  bob\t%s", "HELLO 3 AUTH bob %s", "hello 2 setname x AUTH bob %s", "CONFIG SET requirepass %s", "config set maxmemory 1 MASTERAUTH %s",
		"ACL SETUSER bob on >%s ~* +@all", "acl setuser bob resetpass <%s", "MIGRATE h 6379 k 0 9 AUTH %s KEYS a", "MIGRATE h 6379 k 0 9 COPY AUTH2 bob %s", "SENTINEL SET m auth-pass %s",
		"*2\r\n$4\r\nAUTH\r\n$9\r\n%s\r\n", "*5\r\n$5\r\nHELLO\r\n$1\r\n3\r\n$4\r\nAUTH\r\n$3\r\nbob\r\n$9\r\n%s\r\n",
		"EVAL return(redis.call('auth','%s')) 0",
	},
	"imap": {
		"a1 LOGIN bob %s", "a1  LOGIN bob %s", "a1\tlogin\tbob\t%s", "  a1 LOGIN \"bob\" \"%s\"", "a1 LOGIN {3}\r\nbob {9}\r\n%s", "a1 AUTHENTICATE PLAIN %p", "a1 authenticate  plain\t%p",
		"a1 AUTHENTICATE PLAIN\r\n%p", "%p", "%b", "a1 AUTHENTICATE LOGIN\r\nYm9i\r\n%b",
	},
	"pop3": {"PASS %s", "  pass\t%s", "APOP bob %s", "AUTH PLAIN %p", "AUTH PLAIN\r\n%p", "AUTH LOGIN\r\nYm9i\r\n%b", "%b", "AUTH CRAM-MD5\r\n%b"},
	"smtp": {"AUTH PLAIN %p", "auth  plain  %p", "AUTH LOGIN %b", "AUTH LOGIN\r\nYm9i\r\n%b", "AUTH CRAM-MD5\r\n%b", "%p", "%b", "AUTH PLAIN\r\n%p\r\nMAIL FROM:<>"},
	"ftp":  {"PASS %s", "pass  %s", "ACCT %s", "ADAT %b", "SITE PSWD old %s", "RETR ftp://bob:%s@192.0.2.1/x"},
	"http": {
		"http://bob:%s@192.0.2.9/x", "http://bob:a/%s@192.0.2.9/x", "http://bob:%s/b@192.0.2.9/x", "http://192.0.2.9/x?password=%s", "/?PassWd=%s&x=1", "/x?pwd=%s", "/?token=%s", "/?api_key=%s",
		"/?client-secret=%s", "/?access_token=%s#x", "/?login%5Bpassword%5D=%s", "/?p%61ssword=%s", "/?next=%2Fx%3Fpassword%3D%s", "user=bob&user_pass=%s",
		"POST / HTTP/1.1\r\nAuthorization: Basic %p\r\n\r\n", "POST / HTTP/1.1\r\nauthorization:bearer %b\r\nX-Api-Key: %s\r\n\r\nuser=bob&password=%s", `{"user":"bob","password":"%s"}`, "<password>%s</password>",
	},
	"mysql": {"CREATE USER 'bob'@'h' IDENTIFIED BY '%s'", "SET PASSWORD FOR 'bob'@'h' = PASSWORD('%s')"},
}

// allLogins returns every form by service.
func allLogins() map[string][]string {
	all := map[string][]string{}
	for _, forms := range []map[string][]string{logins, laterLogins} {
		for service, list := range forms {
			all[service] = append(all[service], list...)
		}
	}
	return all
}

// No password, token or key comes out that somebody puts into a login of a
// protocol, in any form and by any sensor: not in a document, not in a state, not
// in a dead letter of documents or of bytes.
func TestNoSecretOfALoginComesOut(t *testing.T) {
	race.OneGoroutine(t)
	for _, secrets := range []dialect.Secrets{dialect.Hidden, dialect.SHA256} {
		t.Run(secrets.String(), func(t *testing.T) {
			var lines []string
			hidden := map[string]string{}
			n := 0
			for service, forms := range allLogins() {
				for _, form := range forms {
					for _, s := range senders {
						n++
						mark := fmt.Sprintf("zq7x%dk", n)
						b := base64.StdEncoding.EncodeToString([]byte(mark))
						p := base64.StdEncoding.EncodeToString([]byte("\x00bob\x00" + mark))
						command := strings.NewReplacer("%s", mark, "%b", b, "%p", p).Replace(form)
						lone := form == "%b" || form == "%p"
						if s.name == "a line of nobody's" && lone {
							continue // nothing tells what it is
						}
						line := s.line(n, service, command)
						if line == "" {
							continue
						}
						lines = append(lines, line)
						for _, text := range []string{mark, b, p, strings.TrimRight(b, "="), strings.TrimRight(p, "=")} {
							hidden[text] = s.name + ": " + command
						}
					}
				}
			}
			all := outputs(t, secrets, lines)
			found := map[string]bool{}
			for place, text := range all {
				if !slices.ContainsFunc([]string{"zq7x", "enE3e", "AGJvYgB6cTd4"}, func(start string) bool { return strings.Contains(text, start) }) {
					continue // how each begins
				}
				for mark, from := range hidden {
					if strings.Contains(text, mark) && !found[from] {
						found[from] = true
						i := strings.Index(text, mark)
						t.Errorf("%s\n\tis in %s: …%q…", from, place, text[max(0, i-100):min(len(text), i+60)])
					}
				}
			}
			if len(lines) < 1500 || len(all) < 1500 {
				t.Errorf("%d lines gave %d outputs", len(lines), len(all))
			}
		})
	}
}

// With store_secrets plain, what they typed is there.
func TestSecretsAreShownWhereTheyMayBe(t *testing.T) {
	race.OneGoroutine(t)
	var lines []string
	for i, form := range []string{"AUTH %s", "HELLO 3 AUTH bob %s"} {
		lines = append(lines, senders[0].line(i, "redis", strings.ReplaceAll(form, "%s", "zq7xk")))
	}
	lines = append(lines, senders[0].line(2, "imap", "a1  LOGIN bob zq7xk"), senders[7].line(3, "http", "http://bob:zq7xk@192.0.2.9/x"))
	shown := 0
	for place, text := range outputs(t, dialect.Plain, lines) {
		if strings.HasPrefix(place, "d-attackers/") && !strings.HasSuffix(place, "state") && strings.Contains(text, "zq7xk") {
			shown++
		}
	}
	if shown != len(lines) {
		t.Errorf("%d of %d profiles show the secret", shown, len(lines))
	}
}

// A shell's command line is shown as it was typed, whatever store_secrets says.
func TestAShellsLineIsShownAsItWasTyped(t *testing.T) {
	const typed = "mysql -u root -psecret9 -e 'AUTH x'; curl -u a:b http://u:p@192.0.2.9/?password=x"
	lines := []string{document(map[string]any{"eventid": "cowrie.command.input", "src_ip": "203.0.113.9", "session": "x", "sensor": "d", "timestamp": "2026-01-02T03:04:05.000000Z", "input": typed})}
	out := outputs(t, dialect.Hidden, lines)
	for place, text := range out {
		if strings.HasPrefix(place, "d-attackers/") && !strings.HasSuffix(place, "state") {
			if !strings.Contains(text, typed) {
				t.Errorf("%s: %s", place, text)
			}
			return
		}
	}
	t.Errorf("no profile in %d outputs", len(out))
}

// No local part of a victim's mail address comes out, however it is written, with
// any store_secrets.
func TestNoLocalPartOfAVictimComesOut(t *testing.T) {
	b := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	forms := []string{
		"RCPT TO:<%v@example.org>", "rcpt  to: %v@example.org", "RCPT TO:<\"%v x\"@example.org>", "VRFY %v", "EXPN %v", "RCPT TO:<%v>", "MAIL FROM:<%v@[192.0.2.1]> SIZE=1", "To: Bob <%v@example.org>, <b.%v@example.org>",
		"RCPT TO:<%v&#64;example.org>", "x %v&#x40;example.org", "x %v&commat;example.org", "x %v＠example.org", "x %v﹫example.org", "x %v=40example.org", "x %v=\r\n@example.org", "x %v%40example.org", "x %v%2540example.org",
		`x %v\u0040example.org`, `x %v\x40example.org`, "x %v+AEA-example.org", "x %v (c) @ example.org", "Login: %v@example.org", "User: %v@example.org", "Subject: pass %v@example.org", "EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<%v@example.org>\r\nDATA",
	}
	encoded := []string{"rcpt to:<%v@example.org>", "To: %v@example.org\r\n", "x%v@example.org y", "To: %v=40example.org"}
	var lines []string
	hidden := map[string]string{}
	n := 0
	for _, s := range senders {
		for _, service := range []string{"smtp", "imap"} {
			for i := range len(forms) + len(encoded) {
				n++
				mark := fmt.Sprintf("zq7xv%dk", n)
				var command string
				if i < len(forms) {
					if service == "imap" && !strings.HasPrefix(forms[i], "x ") {
						continue
					}
					command = strings.ReplaceAll(forms[i], "%v", mark)
				} else {
					command = "x " + b(strings.ReplaceAll(encoded[i-len(forms)], "%v", mark))
					// What stands for the mark in base64, wherever it starts.
					hidden[command[2:]] = s.name + ": " + command
				}
				if service == "imap" {
					command = "a1 SEARCH TO " + command[2:]
				}
				if line := s.line(n, service, command); line != "" {
					lines = append(lines, line)
					hidden[mark] = s.name + ": " + command
				}
			}
		}
	}
	for i, subject := range []string{"auth %v@example.org", "Pass: %v@example.org", "x %v=40example.org", "x %v&#64;example.org"} {
		mark := fmt.Sprintf("zq7xs%dk", i)
		hidden[mark] = subject
		lines = append(lines, fmt.Sprintf(`<134>1 %s d smtp - message_stored [relay@55555 src="%s" stored_as="x" sha256="%s" subject="%s" from_hdr="%s@example.org"]`,
			secretsStamp, address(n+i), strings.Repeat("ab", 32), strings.ReplaceAll(subject, "%v", mark), mark))
	}
	for _, secrets := range []dialect.Secrets{dialect.Plain, dialect.Hidden} {
		all := outputs(t, secrets, lines)
		found := map[string]bool{}
		for place, text := range all {
			for mark, from := range hidden {
				if strings.Contains(text, mark) && !found[from] {
					found[from] = true
					i := strings.Index(text, mark)
					t.Errorf("%v: %s\n\tis in %s: …%q…", secrets, from, place, text[max(0, i-100):min(len(text), i+60)])
				}
			}
		}
		if len(lines) < 200 || len(all) < 200 {
			t.Errorf("%d lines gave %d outputs", len(lines), len(all))
		}
	}
}

// A chunk that breaks off in the middle of a password or an address shows neither.
func TestABrokenChunkShowsNothingOfALogin(t *testing.T) {
	var record bytes.Buffer
	enc := msgpack.NewEncoder(&record)
	enc.SetSortMapKeys(true)
	if err := enc.Encode([]any{[]any{1767323045, map[string]any{}}, map[string]any{
		"password": "zq7x1k", "log": "PASS zq7x2k", "to": "zq7x3k@example.org", "n": map[string]any{"api_key": 47114711},
	}}); err != nil {
		t.Fatal(err)
	}
	number := string([]byte{0x02, 0xce, 0xe9, 0xd7})
	if !bytes.Contains(record.Bytes(), []byte(number)) {
		t.Fatalf("the number isn't in %x", record.Bytes())
	}
	for cut := 20; cut <= record.Len(); cut++ {
		text := string(redact.Options{Secrets: true}.Broken(record.Bytes()[:cut]))
		for _, leak := range []string{"zq7x1k", "zq7x2k", "zq7x3k@", number} {
			if strings.Contains(text, leak) {
				t.Errorf("cut at %d: %q is in\n%s", cut, leak, hex.Dump([]byte(text)))
			}
		}
		if len(text) != cut {
			t.Fatalf("%d bytes became %d", cut, len(text))
		}
	}
}
