package dialect

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"dossier/correlate/event"
	"dossier/testbed/race"
)

// own are the fields that the sensors fill themselves and that say who, where
// and what, by sensor. Everything else in their records may be the attacker's.
var own = map[string][]string{
	"cowrie":     {"eventid", "src_ip", "sensor", "protocol", "timestamp", "t-pot_hostname", "type"},
	"opencanary": {"node_id", "src_host", "utc_time", "logdata.action"},
	"suricata": {
		"event_type", "timestamp", "src_ip", "dest_ip", "proto", "app_proto", "direction", "flow.start", "flow.src_ip", "flow.dest_ip", "netflow.start",
		// Suricata takes files from the bodies of POST and PUT, and from answers.
		"http.http_method",
	},
	"ecs": {
		"@timestamp", "source.ip", "source.address", "destination.ip", "observer.name", "host.name", "agent.name", "observer.type",
		"network.protocol", "network.transport", "network.application", "service.type", "service.name", "url.scheme", "ecs.version",
		"event.action", "event.reason", "event.dataset", "event.kind", "event.category.0", "event.type.0", "suricata.eve.event_type",
	},
	"heralding": {"timestamp", "source_ip", "destination_ip", "protocol", "session_id"},
	"beelzebub": {"event.DateTime", "event.SourceIp", "event.RemoteAddr", "event.Protocol", "event.Status", "event.Msg", "level", "msg"},
	"dionaea": {
		"timestamp", "src_ip", "dst_ip", "connection.protocol", "connection.transport", "connection.type", "origin",
		"data.connection.remote_ip", "data.connection.local_ip", "data.connection.protocol",
	},
}

func init() {
	// Wordpot's plugin is the one of its own that answered.
	all := []string{
		"@timestamp", "t-pot_hostname", "type", "proto", "src_ip", "dest_ip", "dest_port", "plugin",
		// The honeypots' own words. Of Redishoneypot's actions those of clients are
		// commands, whatever they are called.
		"action", "attack_connection.protocol", "data_type", "event", "event_type", "eventid", "handler", "msg", "phase", "protocol",
		"reason", "server", "status", "trapped",
		"request", // ConPot has one or says that there is none
	}
	for _, names := range own {
		all = append(all, names...)
	}
	own["tpot"] = all
}

// evil is what attackers write to be taken for somebody else, and what a
// terminal or a page would do something with.
var evil = []string{
	`x","src_ip":"6.6.6.6","source_ip":"6.6.6.6","eventid":"cowrie.login.success`,
	`{"src_ip":"6.6.6.6","eventid":"cowrie.login.success","sensor":"other"}`,
	`[relay@55555 src_ip="6.6.6.6" decky="other"]`,
	"x\n<134>1 " + stamp + ` other ssh - auth_success [relay@55555 src_ip="6.6.6.6"]`,
	"x\r\n{\"src_ip\":\"6.6.6.6\"}",
	"6.6.6.6", "6.6.6.6, 10.0.0.1", "::ffff:6.6.6.6", "cowrie.session.connect", "login", "true", "null", "", "None", "\x00",
	"\x1b]0;t\x07\x1b[2J\x1b[31m", "\u202egnp.exe\u2066\u200b", "\xff\xfe\xc0\xaf", "%s%n%d", "../../etc/passwd", "${jndi:ldap://6.6.6.6/a}",
}

// Whatever the attacker writes into the fields that he fills, and whatever
// names he gives to those that he names, the record stays one event of the same
// attacker on the same decoy.
func TestNobodyCanForge(t *testing.T) {
	race.OneGoroutine(t)
	huge := strings.Repeat("A\u202e\n", 1<<18)
	for _, s := range sensors {
		sensor, _, _ := strings.Cut(s.file, "/")
		if own[sensor] == nil {
			continue // no JSON: FuzzPayload
		}
		t.Run(s.file, func(t *testing.T) {
			if s.dialect == Mapped {
				s.options.FieldMaps = readFieldMaps(t, sensor)
			}
			if sensor == "tpot" {
				s.options.FieldMaps = append(readFieldMaps(t, "beelzebub"), s.options.FieldMaps...)
			}
			p := newParser(t, s.options)
			seen := map[string]bool{}
			changed := 0
			for _, line := range readLines(t, filepath.Join(dataDir, s.file)) {
				var doc map[string]any
				dec := json.NewDecoder(strings.NewReader(line))
				dec.UseNumber()
				if err := dec.Decode(&doc); err != nil {
					t.Fatal(err)
				}
				want := who(t, p, line)
				kind, _, _ := strings.Cut(want, " at ")
				_, kind, _ = strings.Cut(kind, " ")
				if want == "" || seen[kind] {
					continue // one of each kind is enough
				}
				seen[kind] = true
				texts := evil
				if len(seen)%4 == 1 {
					texts = append(slices.Clone(evil), huge)
				}
				for _, text := range texts {
					var forged any
					if text == huge { // what comes behind it must still count
						forged, _ = forge(doc, "", own[sensor], "x")
						forged.(map[string]any)["A"] = huge
					} else {
						var n int
						forged, n = forge(doc, "", own[sensor], text)
						changed += n
					}
					b, err := encode(forged)
					if err != nil {
						t.Fatal(err)
					}
					if got := who(t, p, b); got != want {
						t.Errorf("%s\nbecomes %s\nwith %.60q in it: %.400s", want, got, text, b)
					}
				}
			}
			if changed < 100 {
				t.Errorf("only %d values were changed", changed)
			}
		})
	}
}

// who returns what an attacker must not change about a record's event.
func who(t *testing.T, p *Parser, line string) string {
	t.Helper()
	var a event.Arena
	var ev event.Event
	v := p.Parse(&a, logRecord(line), &ev)
	if v.Class() != Parsed {
		return ""
	}
	checkEvent(t, v, &ev)
	if ev.Addr == netip.MustParseAddr("6.6.6.6") {
		t.Errorf("6.6.6.6 comes from %.300s", line)
	}
	return fmt.Sprintf("%s %s/%s %s at %v", ev.Addr, ev.Decky, ev.Service, ev.Type, ev.Time)
}

// forge returns v with text in every string that isn't the sensor's own. Where
// an object holds a string of the attacker's, he may name a member, too.
func forge(v any, name string, own []string, text string) (forged any, changed int) {
	join := func(key string) string {
		if name == "" {
			return key
		}
		return name + "." + key
	}
	switch v := v.(type) {
	case string:
		if slices.Contains(own, name) {
			return v, 0
		}
		return text, 1
	case map[string]any:
		out := map[string]any{}
		for key, inner := range v {
			f, n := forge(inner, join(key), own, text)
			out[key] = f
			changed += n
		}
		// Objects whose members' names are the attacker's: HTTP and SIP headers.
		switch name {
		case "auxiliary_data", "event.HeadersMap", "logdata.HEADERS":
			for _, key := range []string{text, "src_ip", "source_ip", "SourceIp", "a.b", "source.ip", "eventid", "event_type"} {
				if _, taken := out[key]; !taken {
					out[key] = []any{"6.6.6.6"}
				}
			}
		}
		return out, changed
	case []any:
		out := make([]any, len(v))
		for i := range v {
			f, n := forge(v[i], join(fmt.Sprint(i)), own, text)
			out[i] = f
			changed += n
		}
		return out, changed
	}
	return v, 0
}

func encode(v any) (string, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return strings.TrimSuffix(b.String(), "\n"), err
}
