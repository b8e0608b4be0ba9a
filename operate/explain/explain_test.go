package explain_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dossier/operate/explain"
	"dossier/plugin/options"
)

var data = filepath.Join("..", "..", "testbed", "data")

func output(t *testing.T, set map[string]string) options.Options {
	t.Helper()
	o, err := options.Parse(func(key string) string {
		if key == "sensor_id" {
			return "sensor-1"
		}
		return set[key]
	}, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

var reading = time.Date(2026, 11, 27, 0, 0, 0, 0, time.UTC)

func records(t *testing.T, form explain.Form, set map[string]string, in string) string {
	t.Helper()
	var out bytes.Buffer
	if err := explain.Records(&out, strings.NewReader(in), explain.Options{Output: output(t, set), Form: form, Time: reading}); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestRecords(t *testing.T) {
	const cowrie = `{"eventid":"cowrie.login.failed","username":"root","password":"a\u001b[2J","src_ip":"192.0.2.1","sensor":"decoy-1","protocol":"ssh","timestamp":"2026-11-26T10:00:00.000000Z"}`
	for _, tt := range []struct {
		name string
		form explain.Form
		set  map[string]string
		in   string
		want []string
	}{
		{"an event", explain.Log, nil, cowrie, []string{
			`line 1: read as cowrie, by eventid="cowrie.login.failed": event cowrie.login.failed`,
			`attacker 192.0.2.1, decky "decoy-1", service "ssh", kind scan, time 2026-11-26T10:00:00.000000Z, address by connection`,
			`login "root" "plaintext" "a\x1b[2J", failure`, "1 records, 1 events\n",
		}},
		{"its port", explain.Log, map[string]string{"port_map": "decoy-1/2222=22"}, strings.Replace(cowrie, `"protocol"`, `"dst_port":2222,"protocol"`, 1), []string{`attacker 192.0.2.1, decky "decoy-1", service "ssh", port tcp/22, kind scan`}},
		{"from inside", explain.Log, nil, strings.Replace(cowrie, "192.0.2.1", "10.0.0.9", 1), []string{`attacker 10.0.0.9 (internal), decky`}},
		{"from outside", explain.Log, map[string]string{"internal_nets": "10.0.0.0/8"}, cowrie, []string{`attacker 192.0.2.1 (external), decky`}},
		{"too deep", explain.Log, nil, strings.Replace(cowrie, `"protocol"`, `"x":{"x":{"x":{"x":{"x":{"x":{"x":{"x":{}}}}}}}},"protocol"`, 1), []string{"event cowrie.login.failed", "it is not whole: what is beyond 512 fields, 8 levels"}},
		{"a record too deep", explain.Record, nil, strings.Replace(cowrie, `"protocol"`, `"x":{"x":{"x":{"x":{"x":{"x":{"x":{"x":{"x":1}}}}}}}},"protocol"`, 1), []string{"event cowrie.login.failed", "it is not whole"}},
		{"a record", explain.Record, nil, cowrie, []string{"event cowrie.login.failed"}},
		{"secrets", explain.Record, map[string]string{"store_secrets": "none"}, cowrie, []string{`login "root" "plaintext", failure`}},
		{"excluded", explain.Log, map[string]string{"exclude_nets": "192.0.2.0/24"}, cowrie, []string{"no event, excluded: 192.0.2.1", "1 records, 0 events, excluded 1\n"}},
		{"which field", explain.Log, nil, strings.Replace(cowrie, "192.0.2.1", "nobody", 1), []string{
			"no event, bad_address (unattributed)", `decided by src_ip="nobody"`,
		}},
		{"a program", explain.Log, map[string]string{"drop_apps": "sshd"}, "Nov 26 10:00:00 d sshd[1]: x", []string{"drop_app (dropped)", `decided by the program "sshd"`}},
		{"a sentence", explain.Log, nil, "\nNov 26 10:00:00 d sshd[1]: Server listening on 0.0.0.0 port 22.", []string{
			"line 1: read as none: no event, empty (unparsed)",
			"line 2: read as native: no event, sensor_event (unattributed)", `message="Server listening on 0.0.0.0 port 22."`,
			"2 records, 0 events, sensor_event 1, empty 1\n",
		}},
		{"no shape", explain.Record, nil, `{"a":{"b":["x"]}}`, []string{"no event, unknown_shape (unparsed)", "what is there: fields a.b.0"}},
		{"no record", explain.Record, nil, "[1]\n{\n{} {}\n\n{}", []string{
			`line 1: not a record: "no JSON object"`, "line 2: not a record", `line 3: not a record: "more than one JSON object"`, "line 5: read as none",
			"1 records, 0 events, unknown_shape 1, not a record 3\n",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := records(t, tt.form, tt.set, tt.in)
			for _, want := range tt.want {
				if !strings.Contains(got, want) {
					t.Errorf("no %q in\n%s", want, got)
				}
			}
			if strings.ContainsRune(got, 0x1b) {
				t.Errorf("an escape in %q", got)
			}
		})
	}
}

// A chunk's bounds don't show, and the documents are whole.
func TestProfiles(t *testing.T) {
	log, err := os.ReadFile(filepath.Join(data, "decnet", "raw_20k.log"))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := explain.Profiles(t.Context(), &out, bytes.NewReader(log), explain.Options{Output: output(t, nil), Time: reading.AddDate(1, 0, 0)}); err != nil {
		t.Fatal(err)
	}
	docs, events := 0, 0.0
	before := ""
	for line := range strings.Lines(out.String()) {
		text, ok := strings.CutPrefix(line, "DOC ")
		if !ok {
			if want := "RESULT 20000 records, 19570 events,"; !strings.HasPrefix(line, want) {
				t.Errorf("got %q, want %q", line, want)
			}
			continue
		}
		docs++
		var doc map[string]any
		if err := json.Unmarshal([]byte(text), &doc); err != nil {
			t.Fatal(err)
		}
		events += doc["event_count"].(float64)
		if doc["state"] != nil {
			t.Errorf("%s has a state", doc["ip"])
		}
		if ip := doc["ip"].(string); ip <= before {
			t.Errorf("%s after %s", ip, before)
		} else {
			before = ip
		}
	}
	if docs < 100 || events < 19000 {
		t.Errorf("%d documents with %v events", docs, events)
	}
}

func TestWrongForm(t *testing.T) {
	err := explain.Records(new(bytes.Buffer), strings.NewReader(""), explain.Options{Output: output(t, nil), Form: "json"})
	if err == nil || err.Error() != `form: got "json", want log or record` {
		t.Errorf("got %v", err)
	}
}
