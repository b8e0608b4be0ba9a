package dialect

import (
	"strings"
	"testing"

	"dossier/correlate/event"
)

// TestShapeBeforeName checks that no record is taken for a sensor's by names
// that others use too, and that a user's own map goes before what is guessed.
func TestShapeBeforeName(t *testing.T) {
	tpot := append(readFieldMaps(t, "beelzebub"), readFieldMaps(t, "tpot")...)
	own, err := ReadFieldMaps(strings.NewReader(`
name: own
match: {node: "*"}
fields: {address: who}
`))
	if err != nil {
		t.Fatal(err)
	}
	const head = `{"timestamp": "2026-11-26T10:00:00.000000+0000", "src_ip": "192.0.2.25", "src_port": 40000, "dest_ip": "10.0.0.5", "dest_port": 80, `
	tests := []struct {
		name, line string
		maps       []FieldMap
		want       Dialect
	}{
		{"Suricata", head + `"flow_id": 1, "event_type": "http", "proto": "TCP"}`, nil, Suricata},
		{"a type of Suricata's that is new", head + `"flow_id": 1, "event_type": "gopher", "proto": "TCP"}`, nil, Suricata},
		{"Suricata without a flow", head + `"event_type": "drop", "proto": "ICMP"}`, nil, Suricata},
		{"Suricata's alert, shortened", head + `"event_type": "alert", "alert": {"signature_id": 1, "signature": "x"}}`, nil, Suricata},
		{"Suricata's statistics", `{"timestamp": "2026-11-26T10:00:00.000000+0000", "event_type": "stats", "stats": {"uptime": 1}}`, nil, Suricata},
		{"another's event_type", head + `"event_type": "NEW_CONNECTION", "data_type": "modbus"}`, nil, None},
		{"another's event_type that Suricata has", head + `"event_type": "alert", "message": "x"}`, nil, None},
		{"another's event_type and proto", head + `"event_type": "Exploit", "proto": "tcp"}`, nil, None},
		{"a flow without ends", `{"event_type": "login", "flow_id": 7, "client": "192.0.2.1"}`, nil, None},
		{"T-Pot's Suricata", head + `"flow_id": 1, "event_type": "http", "proto": "TCP", "type": "Suricata", "t-pot_hostname": "tp1"}`, tpot, Suricata},
		{"T-Pot's ConPot", head + `"event_type": "NEW_CONNECTION", "data_type": "modbus", "type": "ConPot", "t-pot_hostname": "tp1"}`, tpot, Mapped},
		{"T-Pot's Cowrie", `{"eventid": "cowrie.session.connect", "src_ip": "192.0.2.25", "session": "a", "type": "Cowrie", "t-pot_hostname": "tp1"}`, tpot, Cowrie},
		{"a map before Suricata", head + `"flow_id": 1, "event_type": "http", "proto": "TCP", "node": "n1", "who": "192.0.2.25"}`, own, Mapped},
		{"a map before Cowrie", `{"eventid": "cowrie.login.failed", "src_ip": "10.0.0.1", "session": "a", "node": "n1", "who": "192.0.2.25"}`, own, Mapped},
		{"a map before OpenCanary", `{"logtype": 4002, "node_id": "x", "src_host": "10.0.0.1", "node": "n1", "who": "192.0.2.25"}`, own, Mapped},
		{"a map before ECS", `{"source": {"ip": "10.0.0.1"}, "event": {"action": "x"}, "node": "n1", "who": "192.0.2.25"}`, own, Mapped},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := newParser(t, Options{FieldMaps: tt.maps})
			for form, r := range map[string]*event.Record{"text": logRecord(tt.line), "fields": mapRecord(t, tt.line)} {
				var ev event.Event
				if v := p.Parse(new(event.Arena), r, &ev); v.Dialect != tt.want || tt.want == Mapped && ev.Addr.String() != "192.0.2.25" {
					t.Errorf("%s: read as %s (%s), of %s, want %s", form, v.Dialect, v.Reason, ev.Addr, tt.want)
				}
			}
		})
	}
}

// TestMapNamesADialect checks the maps that leave a record to a dialect.
func TestMapNamesADialect(t *testing.T) {
	for text, want := range map[string]string{
		`{name: a, match: {x: y}, dialect: cowrie}`:                         "",
		`{name: a, match: {x: y}, dialect: auto}`:                           "dialect is \"auto\"",
		`{name: a, match: {x: y}, dialect: zeek}`:                           "must be one of decnet, cowrie",
		`{name: a, match: {x: y}, dialect: cowrie, fields: {address: "x"}}`: "fields.address stands beside a dialect",
		`{name: a, match: {x: y}}`:                                          "fields.address is missing",
	} {
		_, err := ReadFieldMaps(strings.NewReader(text))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}
