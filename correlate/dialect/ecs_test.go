package dialect

import (
	"strings"
	"testing"
)

// TestECSDecky checks where a decoy's name comes from: never from what an
// attacker sends.
func TestECSDecky(t *testing.T) {
	const head = `{"@timestamp": "2026-11-26T10:00:00Z", "event": {"kind": "event", "category": ["network"]}, "source": {"ip": "192.0.2.39"}, "destination": {"ip": "10.0.0.5", "port": 80}, `
	for rest, want := range map[string]string{
		`"observer": {"name": "o"}, "agent": {"name": "a"}, "host": {"name": "h"}}`:                    "o",
		`"opencanary": {"node": {"id": "n"}}, "host": {"name": "evil.example"}, "url": {"path": "/"}}`: "n",
		`"agent": {"name": "a"}, "host": {"name": "evil.example"}, "user_agent": {"original": "x"}}`:   "a",
		`"host": {"name": "evil.example"}, "http": {"request": {"method": "GET"}}}`:                    "10.0.0.5",
		`"host": {"name": "evil.example"}, "url": {"domain": "evil.example"}}`:                         "10.0.0.5",
		`"host": {"name": "h", "id": "30ca00a7", "os": {"type": "linux"}}, "url": {"path": "/"}}`:      "h",
		`"host": {"name": "h"}}`: "h",
		`"host": {"hostname": "hh", "name": "evil.example"}, "url": {"path": "/"}}`:                                                  "hh",
		`"observer": {"type": "ids"}, "agent": {"name": "a"}, "host": {"name": "h"}}`:                                                "10.0.0.5",
		`"event.dataset": "zeek.http", "agent": {"name": "a"}}`:                                                                      "10.0.0.5",
		`"agent": {"name": "collector"}, "event.dataset": "system.auth", "host": {"hostname": "decoy-1"}, "process": {"name": "x"}}`: "decoy-1",
	} {
		p := newParser(t, Options{DecoyNets: tenNet})
		for form, got := range map[string]string{"text": read(t, p, logRecord(head+rest)), "fields": read(t, p, mapRecord(t, head+rest))} {
			if !strings.HasPrefix(got, "192.0.2.39 "+want+"/") {
				t.Errorf("%s, %s: %s, want the decky %s", rest, form, got, want)
			}
		}
	}
}

// TestECSSensors checks what integrations' own fields say.
func TestECSSensors(t *testing.T) {
	auth := func(event, sentence, ip string) string {
		return `{"@timestamp": "2026-11-26T10:00:00Z", "event": {"action": "ssh_login", "category": ["authentication"], "outcome": "failure"}, "host": {"hostname": "d"}, "process": {"name": "sshd"}, "message": "` +
			sentence + `", "source": {"ip": "` + ip + `", "port": 1}, "system": {"auth": {"ssh": {"event": "` + event + `", "method": "password"}}}, "user": {"name": " root"}}`
	}
	canary := func(logger, rest string) string {
		return `{"@timestamp": "2026-11-26T10:00:00Z", "destination": {"ip": "10.0.0.5", "port": 443}, "event": {"category": ["network", "intrusion_detection"], "kind": ["alert"], "provider": "` + logger +
			`", "type": ["connection"]}, "log": {"logger": "` + logger + `"}, "opencanary": {"node": {"id": "d"}` + rest + `}, "source": {"ip": "192.0.2.40"}, "user": {"name": "root"}}`
	}
	tests := []struct{ name, line, want string }{
		{"sshd refuses", auth("Failed", "", "192.0.2.40"), `192.0.2.40 d/ssh ssh_login scan recon handshake | login "root" failure`},
		{
			"sshd refuses, the sentence beside it", auth("Failed", "Failed password for root from 192.0.2.40 port 1 ssh2", "192.0.2.40"),
			`192.0.2.40 d/ssh ssh_login scan recon handshake | login "root" failure`,
		},
		{
			"the pipeline took the name's word", auth("Failed", "Failed password for x from 198.51.100.9 port 1 ssh2 from 192.0.2.40 port 1 ssh2", "198.51.100.9"),
			`unattributed/ambiguous_address`,
		},
		{"the same attempt again", auth("Invalid", "", "192.0.2.40"), `192.0.2.40 d/ssh ssh_login scan recon handshake`},
		{
			"PAM about the same attempt", `{"@timestamp": "2026-11-26T10:00:00Z", "event": {"action": "authentication_failure", "category": ["authentication"], "outcome": "failure", "dataset": "system.auth"}, "host": {"hostname": "d"}, "process": {"name": "sshd"}, "source": {"ip": "192.0.2.40"}}`,
			`192.0.2.40 d/ssh authentication_failure scan recon handshake`,
		},
		{
			"a sentence that the pipeline doesn't know", `{"@timestamp": "2026-11-26T10:00:00Z", "ecs": {"version": "8.0.0"}, "event": {"kind": "event", "dataset": "system.auth"}, "host": {"hostname": "d"}, "process": {"name": "sshd", "pid": 3}, "message": "Connection closed by 192.0.2.40 port 4000 [preauth]"}`,
			`192.0.2.40 d/ssh disconnect scan handshake`,
		},
		{
			"one of another program's", `{"@timestamp": "2026-11-26T10:00:00Z", "ecs": {"version": "8.0.0"}, "event": {"dataset": "system.auth"}, "host": {"hostname": "d"}, "process": {"name": "x"}, "message": "Connection closed by 192.0.2.40 port 4000"}`,
			`unattributed/sensor_event`,
		},
		{
			"a peer without a banner", `{"@timestamp": "2026-11-26T10:00:00Z", "event": {"kind": "event", "dataset": "system.auth"}, "host": {"hostname": "d"}, "process": {"name": "sshd"}, "system": {"auth": {"ssh": {"dropped_ip": "192.0.2.40"}}}}`,
			`192.0.2.40 d/ssh connection scan recon handshake`,
		},
		{
			"another program's login", `{"@timestamp": "2026-11-26T10:00:00Z", "event": {"action": "logged-in", "category": ["authentication"], "outcome": "success"}, "agent": {"name": "d"}, "process": {"name": "vsftpd"}, "source": {"ip": "192.0.2.40"}, "user": {"name": "u"}}`,
			`192.0.2.40 d/ftp logged-in scan recon handshake | login "u" success`,
		},
		{
			"a login nobody proves", `{"@timestamp": "2026-11-26T10:00:00Z", "event": {"action": "login", "category": ["authentication"]}, "agent": {"name": "d"}, "source": {"ip": "192.0.2.40"}}`,
			`192.0.2.40 d/ login scan recon | login ""`,
		},
		{"OpenCanary's login", canary("LOG_HTTP_POST_LOGIN_ATTEMPT", ""), `192.0.2.40 d/https connection scan recon handshake | login "root"`},
		{"OpenCanary's Redis", canary("LOG_REDIS_COMMAND", `, "redis": {"command": "CONFIG", "args": "GET *"}`), `192.0.2.40 d/redis connection interaction exfil handshake | command "CONFIG GET *"`},
		{"OpenCanary's SNMP", canary("LOG_SNMP_CMD", ""), `192.0.2.40 d/snmp connection scan recon`},
		{"OpenCanary's port scan", canary("LOG_PORT_SYN", ""), `192.0.2.40 d/portscan connection scan recon`},
		{"OpenCanary about itself", canary("LOG_BASE_BOOT", ""), `dropped/sensor_report`},
		{
			"Zeek's client", `{"@timestamp": "2026-11-26T10:00:00Z", "event": {"category": ["network"], "dataset": "zeek.http"}, "source": {"ip": "192.0.2.40", "port": 50000}, "destination": {"ip": "10.0.0.5", "port": 80}, "network": {"transport": "tcp"}, "user_agent": {"original": "sqlmap/1.7"}, "url": {"original": "/"}}`,
			`192.0.2.40 10.0.0.5/http network scan recon handshake | fingerprint "http_useragent" "sqlmap/1.7" category=scanner tool=sqlmap path=/`,
		},
		{
			"Zeek's client, the decoy", `{"@timestamp": "2026-11-26T10:00:00Z", "event": {"category": ["network"], "dataset": "zeek.http"}, "source": {"ip": "10.0.0.5", "port": 50000}, "destination": {"ip": "192.0.2.40", "port": 80}, "network": {"transport": "tcp"}, "user_agent": {"original": "curl/8"}, "url": {"full": "http://192.0.2.40/x"}}`,
			`192.0.2.40 / network noise contact | fingerprint "contacted_by" "10.0.0.5" | fingerprint "contact_url" "http://192.0.2.40/x"`,
		},
	}
	p := newParser(t, Options{DecoyNets: tenNet})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for form, got := range map[string]string{"text": read(t, p, logRecord(tt.line)), "fields": read(t, p, mapRecord(t, tt.line))} {
				if got != tt.want {
					t.Errorf("%s:\n got %s\nwant %s", form, got, tt.want)
				}
			}
		})
	}
}
