package dialect

import (
	"strings"
	"testing"

	"dossier/correlate/event"
)

// TestPort checks that a decoy's port is taken from its own side.
func TestPort(t *testing.T) {
	maps, err := ReadFieldMaps(strings.NewReader(`{name: own, match: {node: "*"}, fields: {address: who, port: own.port}}`))
	if err != nil {
		t.Fatal(err)
	}
	p := newParser(t, Options{DecoyNets: tenNet, FieldMaps: maps})
	for line, want := range map[string]uint16{
		eve("http", "TCP", "8080", `"http": {}`): 8080,
		`{"timestamp": "2026-11-26T10:00:00Z", "flow_id": 2, "event_type": "alert", "direction": "to_client", "src_ip": "10.0.0.5", "src_port": 443, "dest_ip": "192.0.2.30", "dest_port": 40000, "proto": "TCP"}`: 443,
		`{"eventid": "cowrie.session.connect", "src_ip": "192.0.2.1", "src_port": 5, "dst_port": 2222, "session": "a", "protocol": "ssh"}`:                                                                         2222,
		`{"eventid": "cowrie.direct-tcpip.request", "src_ip": "192.0.2.1", "dst_port": 25, "session": "a"}`:                                                                                                        0,
		canary("4000", "22", "", ""): 22,
		`{"@timestamp": "2026-11-26T10:00:00Z", "event": {"action": "x"}, "source": {"ip": "192.0.2.1", "port": 5}, "destination": {"ip": "10.0.0.5", "port": 21}}`: 21,
		`{"node": "n", "who": "192.0.2.1", "own": {"port": 5060}}`: 5060,
		`{"node": "n", "who": "192.0.2.1", "dest_port": "23"}`:     23,
		`{"node": "n", "who": "192.0.2.1", "dest_port": "70000"}`:  0,
		`{"node": "n", "who": "192.0.2.1"}`:                        0,
	} {
		var a event.Arena
		var ev event.Event
		v := p.Parse(&a, logRecord(line), &ev)
		if got := p.Port(&a, v, &ev); v.Class() != Parsed || got != want {
			t.Errorf("%s: %s, port %d, want %d", line, v.Reason, got, want)
		}
	}
}
