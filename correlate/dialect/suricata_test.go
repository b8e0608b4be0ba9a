package dialect

import (
	"net/netip"
	"strings"
	"testing"
)

// eveTypes are the event types of Suricata 8 (etc/schema.json and the loggers'
// sources, August 2026).
const eveTypes = `alert anomaly arp bittorrent_dht dcerpc dhcp dnp3 dns doh2 drop engine enip fileinfo flow frame ftp ftp_data http
http2 igmp ike imap krb5 ldap llmnr mdns metadata modbus mqtt ndpi netflow nfs ntp packet pgsql pop3 quic rdp rfb rgmp sip smb
smtp snmp ssh stats stream_tcp telnet template tftp tls websocket`

// TestSuricataTypes checks that the table has each on purpose.
func TestSuricataTypes(t *testing.T) {
	for kind := range strings.FieldsSeq(eveTypes) {
		if _, ok := table[Suricata][kind]; !ok {
			t.Errorf("%s is not in the table", kind)
		}
	}
}

// eve is an event that an attacker's client sent to a decoy's port.
func eve(kind, proto, port, rest string) string {
	return `{"timestamp": "2026-11-26T10:00:00.000000+0000", "flow_id": 2, "event_type": "` + kind +
		`", "src_ip": "192.0.2.30", "src_port": 40000, "dest_ip": "10.0.0.5", "dest_port": ` + port + `, "proto": "` + proto + `", ` + rest + `}`
}

// answer is the same the other way around: the attacker's service answers.
func answer(kind, proto, port, rest string) string {
	return `{"timestamp": "2026-11-26T10:00:00.000000+0000", "flow_id": 2, "event_type": "` + kind +
		`", "src_ip": "192.0.2.30", "src_port": ` + port + `, "dest_ip": "10.0.0.5", "dest_port": 40000, "proto": "` + proto + `", ` + rest + `}`
}

var tenNet = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}

// TestSuricataKeeps checks what is kept of what Suricata parses.
func TestSuricataKeeps(t *testing.T) {
	tests := []struct{ name, line, want string }{
		{
			"MQTT login", eve("mqtt", "TCP", "1883", `"mqtt": {"connect": {"protocol_string": "MQTT", "client_id": "c1", "username": "user", "password": "pass"}, "connack": {"return_code": 4}}`),
			`10.0.0.5/mqtt mqtt scan recon handshake sniffer | login "user" "plaintext" "pass" failure | fingerprint "mqtt_client_id" "c1"`,
		},
		{
			"MQTT login taken", eve("mqtt", "TCP", "1883", `"mqtt": {"connect": {"protocol_string": "MQTT", "username": "user"}, "connack": {"return_code": 0}}`),
			`10.0.0.5/mqtt mqtt scan recon handshake sniffer | login "user" success`,
		},
		{
			"MQTT topics", eve("mqtt", "TCP", "1883", `"mqtt": {"subscribe": {"topics": [{"topic": "#", "qos": 0}, {"topic": "$SYS/#", "qos": 0}]}}`),
			`10.0.0.5/mqtt mqtt interaction handshake sniffer | command "SUBSCRIBE #" | command "SUBSCRIBE $SYS/#"`,
		},
		{
			"MQTT message", eve("mqtt", "TCP", "1883", `"mqtt": {"publish": {"topic": "cmd", "message": "id"}}`),
			`10.0.0.5/mqtt mqtt interaction handshake sniffer | command "PUBLISH cmd id"`,
		},
		{
			"what the broker sends", `{"timestamp": "2026-11-26T10:00:00.000000+0000", "flow_id": 2, "event_type": "mqtt", "src_ip": "10.0.0.5", "src_port": 1883, "dest_ip": "192.0.2.30", "dest_port": 40000, "proto": "TCP", "mqtt": {"publish": {"topic": "temp", "message": "20"}}}`,
			`10.0.0.5/mqtt mqtt interaction handshake sniffer`,
		},
		{
			"POP3 password", eve("pop3", "TCP", "110", `"pop3": {"request": {"command": "PASS", "args": ["two", "words"]}, "response": {"success": false, "status": "ERR"}}`),
			`10.0.0.5/pop3 pop3 scan recon handshake sniffer | login "" "plaintext" "two words" failure`,
		},
		{
			"POP3 AUTH", eve("pop3", "TCP", "110", `"pop3": {"request": {"command": "AUTH", "args": ["PLAIN", "AHVzZXIAcGFzcw=="]}, "response": {"success": true}}`),
			`10.0.0.5/pop3 pop3 scan recon handshake sniffer | login "user" "plaintext" "pass" success`,
		},
		{
			"POP3 APOP", eve("pop3", "TCP", "110", `"pop3": {"request": {"command": "APOP", "args": ["user", "c4c9334bac560ecc979e58001b3e22fb"]}}`),
			`10.0.0.5/pop3 pop3 scan recon handshake sniffer | login "user" "apop_md5" "c4c9334bac560ecc979e58001b3e22fb"`,
		},
		{
			"POP3 mail", eve("pop3", "TCP", "110", `"pop3": {"request": {"command": "RETR", "args": ["1"]}}`),
			`10.0.0.5/pop3 pop3 interaction recon handshake sniffer | command "RETR 1"`,
		},
		{
			"IMAP login", eve("imap", "TCP", "143", `"imap": {"request": {"command": "LOGIN", "args": ["user", "pass"]}}`),
			`10.0.0.5/imap imap scan recon handshake sniffer | login "user" "plaintext" "pass"`,
		},
		{
			"LDAP bind", eve("ldap", "TCP", "389", `"ldap": {"request": {"operation": "bind_request", "bind_request": {"version": 3, "name": "cn=admin,dc=x"}}, "responses": [{"operation": "bind_response", "bind_response": {"result_code": "invalid_credentials"}}]}`),
			`10.0.0.5/ldap ldap scan recon handshake sniffer | login "cn=admin,dc=x" failure`,
		},
		{
			"LDAP bind of nobody", eve("ldap", "TCP", "389", `"ldap": {"request": {"operation": "bind_request", "bind_request": {"version": 3, "name": ""}}}`),
			`10.0.0.5/ldap ldap scan recon handshake sniffer`,
		},
		{
			"LDAP search", eve("ldap", "TCP", "389", `"ldap": {"request": {"operation": "search_request", "search_request": {"base_object": "dc=x", "scope": 2, "filter": {"type": "present", "value": "objectclass"}}}}`),
			`10.0.0.5/ldap ldap scan recon handshake sniffer | command "search dc=x present objectclass"`,
		},
		{
			"PostgreSQL query", eve("pgsql", "TCP", "5432", `"pgsql": {"tx_id": 3, "request": {"simple_query": "COPY x FROM PROGRAM 'id'"}}`),
			`10.0.0.5/postgres pgsql interaction handshake sniffer | command "COPY x FROM PROGRAM 'id'"`,
		},
		{
			"PostgreSQL password", eve("pgsql", "TCP", "5432", `"pgsql": {"tx_id": 2, "request": {"password": "hunter2"}, "response": {"code": "28P01"}}`),
			`10.0.0.5/postgres pgsql interaction handshake sniffer | login "" "plaintext" "hunter2" failure`,
		},
		{
			"PostgreSQL user", eve("pgsql", "TCP", "5432", `"pgsql": {"tx_id": 1, "request": {"protocol_version": "3.0", "startup_parameters": {"user": "rep", "optional_parameters": [{"database": "mailstore"}]}}}`),
			`10.0.0.5/postgres pgsql interaction handshake sniffer | fingerprint "postgres_user" "rep" database=mailstore`,
		},
		{
			"HTTP basic", eve("http", "TCP", "80", `"http": {"hostname": "x", "url": "/", "http_method": "GET", "status": 401, "request_headers": [{"name": "Host", "value": "x"}, {"name": "Authorization", "value": "Basic YWRtaW46YTpi"}]}`),
			`10.0.0.5/http http scan recon handshake sniffer | login "admin" "plaintext" "a:b" failure`,
		},
		{
			"HTTP basic by name", eve("http", "TCP", "80", `"http": {"url": "/", "http_method": "GET", "status": 200, "authorization": "basic YWRtaW46YQ=="}`),
			`10.0.0.5/http http scan recon handshake sniffer | login "admin" "plaintext" "a"`,
		},
		{
			"HTTP digest", eve("http", "TCP", "80", `"http": {"url": "/", "http_method": "GET", "authorization": "Digest username=\"admin\", realm=\"x\""}`),
			`10.0.0.5/http http scan recon handshake sniffer | login "admin"`,
		},
		{
			"DNS, version 2", eve("dns", "UDP", "53", `"dns": {"version": 2, "type": "query", "id": 1, "rrname": "version.bind", "rrtype": "TXT"}`),
			`10.0.0.5/dns dns scan recon sniffer | fingerprint "dns_query" "version.bind" rrtype=TXT`,
		},
		{
			"DNS, version 3", eve("dns", "UDP", "53", `"dns": {"version": 3, "type": "request", "id": 1, "queries": [{"rrname": "a.example", "rrtype": "A"}, {"rrname": "b.example", "rrtype": "ANY"}]}`),
			`10.0.0.5/dns dns scan recon sniffer | fingerprint "dns_query" "a.example" rrtype=A | fingerprint "dns_query" "b.example" rrtype=ANY`,
		},
		{"DNS's answer", eve("dns", "UDP", "53", `"dns": {"version": 3, "type": "response", "rcode": "NOERROR"}`), `dropped/sensor_report`},
		{
			"VNC refused", eve("rfb", "TCP", "5900", `"rfb": {"authentication": {"security_type": 2, "vnc": {"response": "aa"}, "security_result": "FAIL"}}`),
			`10.0.0.5/vnc rfb scan recon handshake sniffer | login "" "vnc_des_response" "aa" failure`,
		},
		{
			"RDP client", eve("rdp", "TCP", "3389", `"rdp": {"event_type": "initial_request", "client": {"client_name": "KALI"}}`),
			`10.0.0.5/rdp rdp scan recon handshake sniffer | fingerprint "rdp_client_name" "KALI"`,
		},
		{
			"SNMP's third version", eve("snmp", "UDP", "161", `"snmp": {"version": 3, "pdu_type": "get_request", "usm": "admin"}`),
			`10.0.0.5/snmp snmp interaction exfil sniffer | login "admin"`,
		},
		{
			"file without SHA-256", eve("fileinfo", "TCP", "80", `"app_proto": "http", "http": {"http_method": "POST", "url": "/u"}, "fileinfo": {"filename": "/u", "state": "CLOSED", "size": 9, "md5": "3e665142def4cfe5a3aeb0d6314d5618", "sha1": "82a7348c2e03731109d0cf45a7325b8882a7348c"}`),
			`10.0.0.5/http fileinfo interaction exfil handshake sniffer | fingerprint "file_sha1" "82a7348c2e03731109d0cf45a7325b8882a7348c" filename=/u size=9 | fingerprint "file_md5" "3e665142def4cfe5a3aeb0d6314d5618"`,
		},
		{
			"SSH, the attacker's side", eve("ssh", "TCP", "22", `"ssh": {"client": {"proto_version": "2.0", "software_version": "libssh2_1.4"}, "server": {"proto_version": "2.0", "software_version": "OpenSSH_9.2"}}`),
			`10.0.0.5/ssh ssh scan recon handshake sniffer | fingerprint "ssh_client_banner" "SSH-2.0-libssh2_1.4"`,
		},
		{
			"alert", eve("alert", "TCP", "80", `"app_proto": "http", "alert": {"signature_id": 1, "signature": "ET EXPLOIT x (CVE-2021-44228) (cve_2021_45046)", "category": "c", "severity": 1, "xff": "198.51.100.9", "metadata": {"cve": ["CVE_2021_44228"], "mitre_technique_id": ["T1190"]}, "references": ["cve,2022-22965"]}, "http": {"http_user_agent": "curl/8", "http_method": "GET", "url": "/"}`),
			`10.0.0.5/http alert interaction handshake sniffer | alert "ET EXPLOIT x (CVE-2021-44228) (cve_2021_45046)" "c" 1 0 signature_id=1` +
				` | technique "T1190" "ET EXPLOIT x (CVE-2021-44228) (cve_2021_45046)"` +
				` | technique "T1190" "CVE-2021-44228" | fingerprint "cve" "CVE-2021-44228" | technique "T1190" "CVE-2021-45046" | fingerprint "cve" "CVE-2021-45046"` +
				` | technique "T1190" "CVE-2022-22965" | fingerprint "cve" "CVE-2022-22965"` +
				` | leak "198.51.100.9" "X-Forwarded-For" "private" | fingerprint "http_useragent" "curl/8" category=cli tool=curl signals=suspicious_short method=GET path=/`,
		},
		{
			"alert behind a proxy", eve("alert", "TCP", "80", `"app_proto": "http", "alert": {"signature_id": 1, "signature": "s", "category": "c", "severity": 2}, "http": {"url": "/"}, "xff": "198.51.100.9"`),
			`10.0.0.5/http alert scan handshake sniffer | alert "s" "c" 2 0 signature_id=1 | leak "198.51.100.9" "X-Forwarded-For" "private"`,
		},
		{
			"Kerberos", `{"timestamp": "2026-11-26T10:00:00.000000+0000", "flow_id": 2, "event_type": "krb5", "src_ip": "10.0.0.5", "src_port": 88, "dest_ip": "192.0.2.30", "dest_port": 40000, "proto": "UDP", "krb5": {"msg_type": "KRB_AS_REP", "cname": "robot", "realm": "X"}}`,
			`10.0.0.5/krb5 krb5 scan recon sniffer | login "robot@X" success`,
		},

		// What the decoy opened is its own, whoever answers.
		{
			"SSH, the server's side", `{"timestamp": "2026-11-26T10:00:00.000000+0000", "flow_id": 2, "event_type": "ssh", "src_ip": "10.0.0.5", "src_port": 40000, "dest_ip": "192.0.2.30", "dest_port": 22, "proto": "TCP", "ssh": {"client": {"proto_version": "2.0", "software_version": "OpenSSH_9.2", "hassh": {"hash": "aa"}}, "server": {"proto_version": "2.0", "software_version": "dropbear_2020"}}}`,
			`/ ssh noise contact | fingerprint "contacted_by" "10.0.0.5" | fingerprint "ssh_server_banner" "SSH-2.0-dropbear_2020"`,
		},
		{
			"alert on an answer", answer("alert", "TCP", "80", `"app_proto": "http", "alert": {"signature_id": 1, "signature": "TEST scan CVE-2021-44228", "category": "Misc", "severity": 2}, "http": {"hostname": "files.example", "url": "/x.sh", "http_user_agent": "curl/7", "http_method": "GET"}`),
			`/ alert noise contact | fingerprint "contacted_by" "10.0.0.5" | fingerprint "contact_alert" "TEST scan CVE-2021-44228" category=Misc severity=2` +
				` | alert "TEST scan CVE-2021-44228" "Misc" "payload_host" 2 0 | fingerprint "contact_url" "http://files.example/x.sh"`,
		},
	}
	p := newParser(t, Options{DecoyNets: tenNet})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			want := tt.want
			if !strings.HasPrefix(want, "dropped") {
				want = "192.0.2.30 " + want
			}
			for form, got := range map[string]string{"text": read(t, p, logRecord(tt.line)), "fields": read(t, p, mapRecord(t, tt.line))} {
				if got != want {
					t.Errorf("%s:\n got %s\nwant %s", form, got, want)
				}
			}
		})
	}
}

// TestNobody checks that groups, all hosts, loopback and a host that talks to
// itself are neither attackers nor decoys, with the decoys' networks and without.
func TestNobody(t *testing.T) {
	pairs := [][2]string{
		{"192.0.2.9", "224.0.0.251"},
		{"10.0.0.9", "239.255.255.250"},
		{"10.0.0.5", "ff02::fb"},
		{"fe80::1", "ff02::1:2"},
		{"10.0.0.9", "255.255.255.255"},
		{"10.0.0.9", "10.0.0.255"},
		{"0.0.0.0", "255.255.255.255"},
		{"::", "ff02::16"},
		{"10.0.0.7", "10.0.0.7"},
		{"192.0.2.7", "192.0.2.7"},
		{"::ffff:10.0.0.7", "10.0.0.7"},
		{"127.0.0.1", "127.0.0.53"},
		{"127.0.0.1", "10.0.0.5"},
		{"::1", "::1"},
		{"224.0.0.1", "10.0.0.5"},
	}
	decoys := map[string][]netip.Prefix{
		"no networks": nil, "networks": {netip.MustParsePrefix("10.0.0.0/24"), netip.MustParsePrefix("fe80::/64")},
	}
	for name, nets := range decoys {
		p := newParser(t, Options{DecoyNets: nets})
		for _, pair := range pairs {
			for form, line := range map[string]string{
				"Suricata": `{"timestamp": "2026-11-26T10:00:00.000000+0000", "flow_id": 14, "event_type": "flow", "src_ip": "` + pair[0] + `", "src_port": 5353, "dest_ip": "` + pair[1] + `", "dest_port": 5353, "proto": "UDP", "flow": {"state": "new"}}`,
				"ECS":      `{"@timestamp": "2026-11-26T10:00:00Z", "event": {"kind": "event", "category": ["network"]}, "observer": {"type": "ids"}, "source": {"ip": "` + pair[0] + `"}, "destination": {"ip": "` + pair[1] + `"}}`,
			} {
				if form == "ECS" && (pair[0] == "0.0.0.0" || pair[0] == "::") {
					continue
				}
				if got := read(t, p, logRecord(line)); got != "unattributed/decoys_only" {
					t.Errorf("%s, %s: %s to %s: %s", name, form, pair[0], pair[1], got)
				}
			}
		}
	}
	// A decoy may have an address that looks like a broadcast's.
	p := newParser(t, Options{DecoyNets: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/16")}})
	line := strings.ReplaceAll(eve("flow", "TCP", "22", `"flow": {"state": "new"}`), "10.0.0.5", "10.0.0.255")
	if got := read(t, p, logRecord(line)); !strings.HasPrefix(got, "192.0.2.30 10.0.0.255") {
		t.Errorf("a decoy whose address ends in 255: %s", got)
	}
}
