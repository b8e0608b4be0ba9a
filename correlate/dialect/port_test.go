package dialect

import (
	"fmt"
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
	p := newParser(t, Options{DecoyNets: tenNet, FieldMaps: maps, Ports: map[uint16]uint16{2222: 22}, DecoyPorts: map[DecoyPort]uint16{{"inner-2", 2222}: 2200, {"inner-2", 8080}: 80}})
	for line, want := range map[string]string{
		eve("http", "TCP", "8080", `"http": {}`):                           "tcp/8080",
		eve("dns", "UDP", "53", `"dns": {"type": "query", "rrname": "x"}`): "udp/53",
		`{"timestamp": "2026-11-26T10:00:00Z", "flow_id": 2, "event_type": "alert", "direction": "to_client", "src_ip": "10.0.0.5", "src_port": 443, "dest_ip": "192.0.2.30", "dest_port": 40000, "proto": "TCP"}`: "tcp/443",
		`{"eventid": "cowrie.session.connect", "src_ip": "192.0.2.1", "src_port": 5, "dst_port": 2222, "session": "a", "protocol": "ssh"}`:                                                                         "tcp/22",
		`{"eventid": "cowrie.session.connect", "src_ip": "192.0.2.1", "src_port": 5, "dst_port": 2222, "session": "a", "protocol": "ssh", "sensor": "inner-2"}`:                                                    "tcp/2200",
		`{"eventid": "cowrie.session.connect", "src_ip": "192.0.2.1", "src_port": 5, "dst_port": 8080, "session": "a", "protocol": "ssh", "sensor": "inner-3"}`:                                                    "tcp/8080",
		`{"eventid": "cowrie.direct-tcpip.request", "src_ip": "192.0.2.1", "dst_port": 25, "session": "a"}`:                                                                                                        "0",
		canary("4000", "22", "", ""):   "tcp/22",
		canary("13001", "161", "", ""): "udp/161",
		`<38>Nov 26 10:00:00 decoy1 sshd[42]: Connection from 185.0.2.1 port 40000 on 10.0.0.5 port 22`:                                                                "tcp/22",
		`<38>Nov 26 10:00:00 decoy1 sshd[42]: Failed password for root from 185.0.2.1 port 40000 ssh2`:                                                                 "0",
		`<134>1 2026-11-26T10:00:00Z decky-1 sniffer - tls_client_hello [relay@55555 src_ip="45.9.148.10" src_port="51234" dst_ip="10.0.0.5" dst_port="443" ja3="e7"]`: "tcp/443",
		`{"@timestamp": "2026-11-26T10:00:00Z", "event": {"action": "x"}, "source": {"ip": "192.0.2.1", "port": 5}, "destination": {"ip": "10.0.0.5", "port": 21}}`:    "21",
		`{"node": "n", "who": "192.0.2.1", "own": {"port": 5060}}`:                                                                                                     "5060",
		`{"node": "n", "who": "192.0.2.1", "dest_port": "23"}`:                                                                                                         "23",
		`{"node": "n", "who": "192.0.2.1", "dest_port": "70000"}`:                                                                                                      "0",
		`{"node": "n", "who": "192.0.2.1"}`: "0",
	} {
		var a event.Arena
		var ev event.Event
		v := p.Parse(&a, logRecord(line), &ev)
		got := strings.TrimPrefix(fmt.Sprint(ev.Transport, "/", ev.Port), "/")
		if v.Class() != Parsed || got != want {
			t.Errorf("%s: %s, port %s, want %s", line, v.Reason, got, want)
		}
	}
}
