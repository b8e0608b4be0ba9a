package dialect

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"dossier/correlate/event"
	"dossier/plugin/chunk"
	"dossier/plugin/chunk/chunktest"
	"dossier/testbed/race"
)

// maxAmplification is how many bytes of memory a byte of a chunk may cost until
// its records are events. The worst is an array of commands of a byte: four bytes
// of JSON each, an evidence of 128.
const maxAmplification = 32

// repeat is s with "%d" in it, n times with a number each, sep in between.
func repeat(s, sep string, n int) string {
	all := make([]string, n)
	for i := range all {
		all[i] = strings.ReplaceAll(s, "%d", fmt.Sprint(i))
	}
	return strings.Join(all, sep)
}

// hostileLines are lines that make as much of a byte as their dialect allows:
// names that are written once and put together often, lists of next to nothing,
// escapes, numbers. of is how much of it there is in a line.
func hostileLines(of int) map[string]string {
	long := strings.Repeat("k", min(200, of/2))
	decnet := func(app, kind, params string) string {
		return `<134>1 ` + stamp + ` d ` + app + ` - ` + kind + ` [relay@55555 src_ip="192.0.2.1" ` + params + `]`
	}
	canary := func(code, data string) string {
		return `{"logtype":` + code + `,"node_id":"d","src_host":"192.0.2.1","utc_time":"2026-01-02 03:04:05","logdata":{` + data + `}}`
	}
	eve := func(kind, more string) string {
		return `{"timestamp":"` + stamp + `","flow_id":1,"event_type":"` + kind + `","src_ip":"192.0.2.1","dest_ip":"198.51.100.1","proto":"TCP",` + more + `}`
	}
	cowrie := func(kind, more string) string {
		return `{"eventid":"cowrie.` + kind + `","src_ip":"192.0.2.1","timestamp":"` + stamp + `",` + more + `}`
	}
	ecs := func(more string) string {
		return `{"source":{"ip":"192.0.2.1"},"event":{"action":"x","category":["process","authentication"]},` + more + `}`
	}
	mapped := func(more string) string { return `{"sensor":"mapped","src":"192.0.2.1",` + more + `}` }
	half, third, sixth := of/2, of/3, of/6
	return map[string]string{
		"JSON: a long name, an array":           `{"` + long + `":[` + repeat("1", ",", half) + `]}`,
		"JSON: a long name, an object":          `{"` + long + `":{` + repeat(`"a":1`, ",", sixth) + `}}`,
		"JSON: long names in each other":        `{"` + long[:len(long)/3] + `":{"` + long[:len(long)/3] + `":{"b":[` + repeat("1", ",", half) + `]}}}`,
		"JSON: a long name, empty objects":      `{"` + long + `":[` + repeat("{}", ",", third) + `]}`,
		"JSON: a long name, arrays of one":      `{"` + long + `":[` + repeat("[1]", ",", of/4) + `]}`,
		"JSON: many members":                    `{` + repeat(`"":0`, ",", of/5) + `,` + repeat(`"a":0`, ",", sixth) + `}`,
		"JSON: many members with escapes":       `{` + repeat(`"\n":"\n"`, ",", of/10) + `}`,
		"JSON: as deep as can be":               nested(`[`+repeat("1", ",", sixth)+`]`, sixth),
		"JSON: brackets":                        `{"a":` + strings.Repeat("[", min(9990, half)) + strings.Repeat("]", min(9990, half)) + `}`,
		"JSON in Docker's JSON":                 `{"log":"{\"log\":\"{\\\"` + long + `\\\":[` + repeat("1", ",", half) + `]}\",\"stream\":\"x\"}","stream":"x"}`,
		"DECNET: parameters":                    decnet("ssh", "auth", repeat(`a=""`, " ", of/5)),
		"DECNET: escapes":                       decnet("ssh", "auth", repeat(`a="\""`, " ", of/7)),
		"DECNET: other elements":                decnet("ssh", "auth", ``) + repeat(`[a]`, "", third),
		"DECNET: headers in JSON":               decnet("http", "request", `headers="{`+repeat(`\"a\":\"\"`, ",", of/9)+`}"`),
		"DECNET: headers in JSON in each other": decnet("http", "request", `headers="{\"`+long+`\":[`+repeat(`1`, ",", half)+`\]}"`),
		"DECNET: headers of Python":             decnet("http", "request", `headers="{`+repeat(`'a': ''`, ", ", of/9)+`}"`),
		"DECNET: headers of escapes":            decnet("http", "request", `headers="{`+repeat(`'\\x00': '\\x00'`, ", ", of/20)+`}"`),
		"DECNET: forwarded for":                 decnet("http", "request", `headers="{\"X-Forwarded-For\": \"`+repeat("1.1.1.1", ",", of/8)+`\"}"`),
		"DECNET: recipients":                    decnet("smtp", "message_accepted", `rcpt_to="`+repeat("a@b%d.de", ",", of/10)+`"`),
		"DECNET: recipients in IDN":             decnet("smtp", "message_accepted", `rcpt_to="`+repeat("a@ü%d.de", ",", of/10)+`"`),
		"DECNET: a stored mail":                 decnet("smtp", "message_stored", `stored_as="x" from_hdr="`+repeat("a@b%d.de", ",", of/10)+`" to_hdr="`+repeat("a@b%d.de", ",", of/10)+`"`),
		"DECNET: arguments":                     decnet("redis", "command", `cmd="SET" args="[`+repeat("'a'", ", ", of/5)+`\]"`),
		"DECNET: control characters":            decnet("ssh", "command", `command="`+strings.Repeat("\x01", of)+`"`),
		"DECNET: a secret":                      decnet("ssh", "auth", `username="`+strings.Repeat("\x01", half)+`" secret_b64="`+strings.Repeat("AQEB", of/8)+`"`),
		"DECNET: ja3":                           decnet("sniffer", "tls_client_hello", repeat(`ja3="a"`, " ", of/8)),
		"syslog: sshd":                          `<38>1 ` + stamp + ` d sshd 7 - -  Failed password for invalid user ` + strings.Repeat("\x01", of) + ` from 192.0.2.1 port 5 ssh2`,
		"syslog: sshd, old":                     `Jan  2 03:04:05 d sshd[7]: Invalid user ` + repeat("x from", " ", of/7) + ` from 192.0.2.1 port 5`,
		"syslog: bash":                          `<14>1 ` + stamp + ` d bash - - - CMD uid=0 user=root src=192.0.2.1 pwd=/ cmd=` + strings.Repeat("\x01", of),
		"syslog: a header":                      `<14>1 ` + stamp + ` ` + strings.Repeat("\u202e", third) + ` ` + strings.Repeat("a", half) + ` - ` + strings.Repeat("b", half) + ` - x`,
		"Cowrie: a login":                       cowrie("login.failed", `"username":"`+strings.Repeat(`\u0001`, sixth)+`","password":"`+strings.Repeat(`\u0001`, sixth)+`"`),
		"Cowrie: a command":                     cowrie("command.input", `"input":"`+strings.Repeat(`\u0001`, sixth)+`"`),
		"Cowrie: key exchange":                  cowrie("client.kex", `"hassh":"a","hasshAlgorithms":"`+strings.Repeat(`\u202e`, sixth)+`","kexAlgs":[`+repeat(`""`, ",", third)+`]`),
		"OpenCanary: a list":                    canary("13001", `"REQUESTS":[`+repeat(`"a"`, ",", of/4)+`],"COMMUNITY_STRING":"x"`),
		"OpenCanary: headers":                   canary("15001", `"HEADERS":{`+repeat(`"a":["b"]`, ",", of/10)+`}`),
		"Suricata: HTTP headers":                eve("http", `"http":{"url":"/","http_user_agent":"x","request_headers":[`+repeat(`{"name":"a","value":"b"}`, ",", of/25)+`]}`),
		"Suricata: forwarded for":               eve("http", `"http":{"url":"/","http_user_agent":"x","xff":"`+repeat("1.1.1.1", ",", of/8)+`"}`),
		"Suricata: DNS":                         eve("dns", `"dns":{"query":[`+repeat(`{"rrname":"a"}`, ",", of/15)+`]}`),
		"Suricata: SMTP":                        eve("smtp", `"smtp":{"mail_from":"<a@b.de>","rcpt_to":[`+repeat(`"<a@b%d.de>"`, ",", of/12)+`]}`),
		"Suricata: alert metadata":              eve("alert", `"alert":{"signature":"`+strings.Repeat(`\u0001`, of/12)+`","category":"y","severity":1,"metadata":{"mitre_technique_id":[`+repeat(`"T1059"`, ",", of/8)+`]}}`),
		"Suricata: FTP":                         eve("ftp", `"ftp":{"command":"USER","command_data":"x","reply":[`+repeat(`""`, ",", third)+`]}`),
		"ECS: arguments":                        ecs(`"process":{"args":[` + repeat(`""`, ",", third) + `],"command_line":"x"}`),
		"ECS: techniques":                       ecs(`"rule":{"name":"x"},"threat":{"technique":{"id":[` + repeat(`"T1059"`, ",", of/8) + `]}}`),
		"ECS: forwarded for":                    ecs(`"http":{"request":{"headers":{"x-forwarded-for":["` + repeat("1.1.1.1", ",", of/8) + `"]}}},"client":{"ip":"192.0.2.1"}`),
		"field map: logins":                     mapped(`"creds":[` + repeat(`{"u":"a","p":""}`, ",", of/17) + `]`),
		"field map: logins side by side":        mapped(`"users":[` + repeat(`""`, ",", sixth) + `],"passwords":[` + repeat(`""`, ",", sixth) + `]`),
		"field map: commands":                   mapped(`"commands":[` + repeat(`"a"`, ",", of/4) + `]`),
		"field map: commands with arguments":    mapped(`"commands":[` + repeat(`"a"`, ",", of/8) + `],"args":[` + repeat(`"b"`, ",", of/8) + `]`),
		"field map: techniques":                 mapped(`"alert":"` + strings.Repeat(`\u0001`, of/12) + `","technique":[` + repeat(`"T1059"`, ",", of/16) + `]`),
		"field map: forwarded for":              mapped(`"xff":"` + repeat("1.1.1.1", ",", of/8) + `"`),
		"no dialect":                            strings.Repeat("\x01", of),
	}
}

const hostileMap = `
name: hostile
match: {sensor: mapped}
fields:
  address: src
  principal: [creds.*.u, users.*]
  secret: [creds.*.p, passwords.*]
  command: [commands.*, command]
  arguments: [args.*, more.*]
  alert: alert
  technique: technique
  forwarded: xff
`

// hostileBodies are records that came as msgpack maps.
func hostileBodies(of int) map[string]any {
	type m = chunktest.Map
	list := func(v any) []any {
		all := make([]any, of/2)
		for i := range all {
			all[i] = v
		}
		return all
	}
	var empty, numbers m
	for range of / 2 {
		empty = append(empty, "", "")
		numbers = append(numbers, 7, 9)
	}
	long := strings.Repeat("k", min(200, of/2))
	return map[string]any{
		"msgpack: a long name, an array":       m{long, list(1)},
		"msgpack: a long name, empty maps":     m{long, list(m{})},
		"msgpack: a long name, arrays of one":  m{long, list([]any{1})},
		"msgpack: long names in each other":    m{long[:len(long)/2], m{long[:len(long)/2], list(true)}},
		"msgpack: empty fields":                empty,
		"msgpack: numbers":                     numbers,
		"msgpack: floats":                      m{"a", list(float32(1e20))},
		"msgpack: ECS in maps":                 m{"source", m{"ip", "192.0.2.1"}, "event", m{"action", "exec"}, "process", m{"args", list("")}},
		"msgpack: the parts of a syslog line":  m{"ident", "sshd", "message", "Failed password for x from 192.0.2.1 port 5", "extradata", "-", "x", list("")},
		"msgpack: DECNET's collector's fields": m{"decky", "d", "service", "ssh", "event_type", "auth", "fields", m{"src_ip", "192.0.2.1", "x", list("")}},
	}
}

// However a record is written, reading it takes no more memory than a small
// multiple of its bytes, whether it is short, middling or long.
func TestBytesPerByteRead(t *testing.T) {
	if race.Detector {
		t.Skip("SKIP: the race detector allocates on its own account")
	}
	maps, err := ReadFieldMaps(strings.NewReader(hostileMap))
	if err != nil {
		t.Fatal(err)
	}
	const size = 1 << 19
	measure := func(name string, of int, one []byte) {
		t.Helper()
		data := make([]byte, 0, size+len(one))
		for len(data) < size {
			data = append(data, one...)
		}
		p := newParser(t, Options{FieldMaps: maps, DropApps: []string{"none"}})
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		var a event.Arena
		records, parsed := 0, 0
		d := chunk.NewDecoder(data, &a)
		for d.Next() {
			r := d.Record()
			var ev event.Event
			if p.Parse(&a, &r, &ev).Class() == Parsed {
				parsed++
			}
			records++
		}
		runtime.ReadMemStats(&after)
		if d.Err() != nil || records == 0 {
			t.Fatalf("%s: %d records, %v", name, records, d.Err())
		}
		factor := float64(after.TotalAlloc-before.TotalAlloc) / float64(len(data))
		if testing.Verbose() {
			t.Logf("%5.1f bytes a byte: %s, %d bytes each, %d of %d parsed", factor, name, len(one), parsed, records)
		}
		if factor > maxAmplification {
			t.Errorf("%s, %d of it, %d bytes a record: %.1f bytes of memory for each read; want at most %d", name, of, len(one), factor, maxAmplification)
		}
	}
	at := time.UnixMicro(int64(recordTime))
	for _, of := range []int{30, 120, 450, 2000, 8000, 200_000} {
		for name, line := range hostileLines(of) {
			measure(name, of, chunktest.Lines(at, "log", line))
		}
		for name, body := range hostileBodies(of) {
			var b chunktest.Builder
			b.Event(chunktest.EventTime(1_780_000_000, 0), body)
			measure(name, of, b.Bytes())
		}
	}
}
