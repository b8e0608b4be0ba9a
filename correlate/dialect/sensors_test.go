package dialect

import (
	"encoding/json"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dossier/correlate/event"
	"dossier/testbed/race"
)

var update = flag.Bool("update", false, "write the golden files of what is read from the sensors' output")

// The sensors' real output and how it is read.
var sensors = []struct {
	dialect Dialect
	file    string
	options Options
}{
	{Cowrie, "cowrie/cowrie.json", Options{}},
	{Cowrie, "cowrie/cowrie-proxy.json", Options{}},
	{Cowrie, "cowrie/cowrie-2.7.json", Options{}},
	{OpenCanary, "opencanary/opencanary.log", Options{}},
	{OpenCanary, "opencanary/opencanary-fed.log", Options{}},
	{Suricata, "suricata/eve.json", Options{DecoyNets: decoyNets}},
	{Suricata, "suricata/eve-ips.json", Options{DecoyNets: decoyNets}},
	{Native, "syslog/logger-5424.log", Options{}},
	{Native, "syslog/logger-3164.log", Options{}},
	{Native, "syslog/rsyslog-5424.log", everyProgram},
	{Native, "syslog/rsyslog-3164.log", everyProgram},
	{Native, "syslog/rsyslog-file.log", everyProgram},
	{Native, "syslog/fluentbit-rfc5424.jsonl", everyProgram},
	{Native, "syslog/fluentbit-rfc3164.jsonl", everyProgram},
	{Native, "syslog/openssh-9.2-file.log", everyProgram},
	{Native, "syslog/openssh-9.2-5424.log", everyProgram},
	{Native, "journald/fluentbit-systemd.jsonl", everyProgram},
	{None, "syslog/json-file.log", sensorsAlone},
	{None, "syslog/json-5424.log", sensorsAlone},
	{ECS, "ecs/ecs.json", Options{}},
	{ECS, "ecs/beelzebub-integration.json", Options{}}, // without the field map
	{Mapped, "heralding/log_session.json", Options{}},
	{Mapped, "beelzebub/beelzebub.json", Options{}},
	{Mapped, "dionaea/log_json.json", Options{}},
	{Mapped, "dionaea/log_json_flat.json", Options{}},
	{Mapped, "dionaea/log_incident.json", Options{}},
	{Cowrie, "tpot/cowrie.json", Options{}},
	{Mapped, "tpot/others.json", Options{}},
	{Mapped, "tpot/honeypots.json", Options{}},
}

// everyProgram are the options under which sshd's and PAM's lines count.
var everyProgram = Options{DropApps: []string{"rsyslogd"}}

// sensorsAlone are those of an output that gets the syslog of sensors.
var sensorsAlone = Options{DropApps: []string{"rsyslogd"}, JSON: JSONTrust{All: true}, DecoyNets: decoyNets}

// decoyNets are the decoys of the recorded capture.
var decoyNets = []netip.Prefix{
	netip.MustParsePrefix("10.99.0.2/32"), netip.MustParsePrefix("10.99.0.10/32"), netip.MustParsePrefix("fd00:99::2/128"),
}

// TestSensors reads what the real programs wrote and compares the events with
// the golden files in testdata, line by line.
func TestSensors(t *testing.T) {
	race.OneGoroutine(t)
	for _, s := range sensors {
		t.Run(s.file, func(t *testing.T) {
			sensor, _, _ := strings.Cut(s.file, "/")
			if s.dialect == Mapped {
				s.options.FieldMaps = readFieldMaps(t, sensor)
			}
			if sensor == "tpot" {
				s.options.FieldMaps = append(readFieldMaps(t, "beelzebub"), s.options.FieldMaps...)
			}
			p := newParser(t, s.options)
			var got strings.Builder
			for _, line := range readLines(t, filepath.Join(dataDir, s.file)) {
				text := read(t, p, logRecord(line))
				got.WriteString(strings.ToValidUTF8(text, "?") + "\n")
				if line[0] == '{' {
					if as := read(t, p, mapRecord(t, line)); as != text {
						t.Errorf("%s\nas text   %s\nas fields %s", line, text, as)
					}
				}
				v := p.Parse(new(event.Arena), logRecord(line), new(event.Event))
				// T-Pot, Beelzebub and syslog mix in what others wrote.
				if v.Dialect != s.dialect && s.dialect != Mapped && s.dialect != None {
					t.Errorf("%s\nis read as %s", line, v.Dialect)
				}
			}
			golden := filepath.Join("testdata", "golden", strings.ReplaceAll(s.file, "/", "-")+".txt")
			if *update {
				if err := os.WriteFile(golden, []byte(got.String()), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			gotLines, wantLines := strings.Split(got.String(), "\n"), strings.Split(string(want), "\n")
			for i := range max(len(gotLines), len(wantLines)) {
				if i >= len(gotLines) || i >= len(wantLines) || gotLines[i] != wantLines[i] {
					t.Fatalf("line %d:\n got %s\nwant %s", i+1, at(gotLines, i), at(wantLines, i))
				}
			}
		})
	}
}

func at(lines []string, i int) string {
	if i >= len(lines) {
		return "(nothing)"
	}
	return lines[i]
}

// mapRecord is a record of a JSON line as Fluent Bit's JSON parser hands it
// over: flattened by an independent implementation.
func mapRecord(t testing.TB, line string) *event.Record {
	t.Helper()
	dec := json.NewDecoder(strings.NewReader(line))
	dec.UseNumber()
	r := &event.Record{Time: recordTime}
	if err := flattenTokens(dec, "", r); err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	return r
}

func flattenTokens(dec *json.Decoder, name string, r *event.Record) error {
	token, err := dec.Token()
	if err != nil {
		return err
	}
	join := func(key string) string {
		if name == "" {
			return key
		}
		return name + "." + key
	}
	add := func(value string) { r.Fields = append(r.Fields, event.Field{Key: name, Value: value}) }
	switch v := token.(type) {
	case json.Delim:
		for i := 0; dec.More(); i++ {
			key := json.Number([]byte{byte('0' + i%10)}).String()
			if i >= 10 {
				key = string(rune('0'+i/10)) + key
			}
			if v == '{' {
				token, err := dec.Token()
				if err != nil {
					return err
				}
				key = token.(string)
			}
			if err := flattenTokens(dec, join(key), r); err != nil {
				return err
			}
		}
		_, err = dec.Token()
		return err
	case string:
		add(v)
	case json.Number:
		add(v.String())
	case bool:
		if v {
			add("true")
		} else {
			add("false")
		}
	}
	return nil
}

// TestEventTypesAreKnown checks that every event type the real programs wrote
// is in the table on purpose.
func TestEventTypesAreKnown(t *testing.T) {
	for _, s := range sensors {
		if s.dialect == Native || s.dialect == ECS || s.dialect == Mapped {
			continue // the parser names these types itself
		}
		for _, line := range readLines(t, filepath.Join(dataDir, s.file)) {
			if !strings.HasPrefix(line, "{") {
				continue // a line of syslog around the same programs' JSON
			}
			r := mapRecord(t, line)
			var kind string
			switch s.dialect {
			case Cowrie:
				kind, _ = r.Get("eventid")
			case OpenCanary:
				if kind, _ = r.Get("logtype"); kind == "20001" {
					kind, _ = r.Get("logdata.action")
					kind = strings.TrimPrefix(kind, "mongodb.")
				}
			case Suricata:
				kind, _ = r.Get("event_type")
			}
			if _, ok := table[s.dialect][kind]; !ok {
				t.Errorf("%s: %s event type %q is not in the table", s.file, s.dialect, kind)
			}
		}
	}
}

// TestDerivedTypesAreKnown does the same for the types that the parser or a
// field map gives.
func TestDerivedTypesAreKnown(t *testing.T) {
	// What a record of these types means depends on what else is in it.
	judged := map[string]string{"dionaea": "accept connect", "tpot": "accept connect Cowrie ipphoney.get-printer-attributes stats command_received badlogin Snare"}
	for _, s := range sensors {
		sensor, _, _ := strings.Cut(s.file, "/")
		known := map[string]bool{}
		switch s.dialect {
		case Native:
			for kind := range table[Native] {
				known[kind] = true
			}
			for kind := range table[DECNET] { // bash's lines have DECNET's types
				known[kind] = true
			}
		case Mapped:
			for _, name := range []string{"beelzebub", sensor} {
				s.options.FieldMaps = append(s.options.FieldMaps, readFieldMaps(t, name)...)
			}
			for _, m := range s.options.FieldMaps {
				for kind := range m.Types {
					known[kind] = true
				}
			}
			for kind := range strings.FieldsSeq(judged[sensor]) {
				known[kind] = true
			}
		default:
			continue
		}
		p := newParser(t, s.options)
		for _, line := range readLines(t, filepath.Join(dataDir, s.file)) {
			var ev event.Event
			v := p.Parse(new(event.Arena), logRecord(line), &ev)
			if v.Class() == Parsed && (v.Dialect == s.dialect || s.dialect == Native) && !known[ev.Type] {
				t.Errorf("%s: nobody says what %q means", s.file, ev.Type)
			}
		}
	}
}

// TestCommandsAreInteractions checks the table: who gives a command interacts.
func TestCommandsAreInteractions(t *testing.T) {
	for d, types := range table {
		for kind, class := range types {
			if class.Command && class.Kind != event.Interaction {
				t.Errorf("%s %q carries a command and is %s", Dialect(d), kind, class.Kind)
			}
			if class.Login && class.Kind == event.Noise {
				t.Errorf("%s %q is a login and noise", Dialect(d), kind)
			}
		}
	}
	if c := meanings["command"]; !c.Command || c.Kind != event.Interaction {
		t.Error("a field map's commands are no interactions")
	}
}

func TestMilliseconds(t *testing.T) {
	for s, want := range map[string]int64{
		"0.2": 200, "800.274": 800274, "12": 12000, "0": 0, "": 0, "x": 0, "-1": 0, "NaN": 0, "Inf": 0, "1e300": 0, "31622400": maxSession, "31622401": 0,
	} {
		if got := milliseconds(s); got != want {
			t.Errorf("milliseconds(%q) = %d, want %d", s, got, want)
		}
	}
}
