package dialect

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"dossier/correlate/event"
)

// An alert of Suricata 6's has a packet's direction and nothing that tells the
// flow's: the ports do, whatever ranges they are from.
func TestAlertsByPorts(t *testing.T) {
	alert := func(sport, dport, app string) string {
		return `{"timestamp": "2026-11-26T10:00:00.000000+0000", "flow_id": 1, "event_type": "alert", "src_ip": "192.0.2.28", "src_port": ` + sport + `, "dest_ip": "10.0.0.5", "dest_port": ` + dport +
			`, "proto": "TCP", "alert": {"signature_id": 1, "signature": "s", "severity": 3}, "app_proto": "` + app + `"}`
	}
	p := newParser(t, Options{DecoyNets: tenNet})
	for _, tt := range []struct {
		sport, dport, app string
		contact           bool
	}{
		{"80", "47592", "http", true},
		{"47592", "80", "http", false},
		{"80", "17592", "http", true},
		{"17592", "80", "http", false},
		{"8080", "1025", "http", true},
		{"443", "20000", "tls", true},
		{"22", "30000", "ssh", true},
		{"30000", "22", "ssh", false},
		{"21", "1500", "ftp", true},
		{"6379", "10000", "redis", true},
		{"10000", "6379", "redis", false},
		{"700", "10000", "failed", true},
		{"10000", "700", "", false},
		// Both are somebody's: the protocol's own.
		{"80", "22", "ssh", false},
		{"22", "80", "ssh", true},
		{"53", "443", "tls", false},
		// Nothing tells.
		{"5000", "9000", "http", false},
		{"47592", "50000", "", false},
		{"80", "80", "http", false},
		{"0", "0", "", false},
	} {
		got := read(t, p, logRecord(alert(tt.sport, tt.dport, tt.app)))
		if contact := strings.Contains(got, " contact"); contact != tt.contact || !strings.HasPrefix(got, "192.0.2.28 ") {
			t.Errorf("%s to %s, %s: %s", tt.sport, tt.dport, tt.app, got)
		}
	}
}

// Groups and all hosts attack nobody, by whatever sensor.
func TestNobodyByEverySensor(t *testing.T) {
	p := newParser(t, Options{DecoyNets: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24")}, JSON: JSONTrust{All: true}})
	for _, nobody := range []string{"224.0.0.1", "239.255.255.250", "255.255.255.255", "ff02::1", "10.0.0.255"} {
		for _, line := range []string{
			`{"eventid":"cowrie.session.connect","src_ip":"` + nobody + `","sensor":"d","timestamp":"` + stamp + `"}`,
			`{"eventid":"cowrie.login.success","src_ip":"` + nobody + `","username":"root","password":"a","sensor":"d","timestamp":"` + stamp + `"}`,
			`{"dst_host":"10.0.0.5","logtype":4002,"node_id":"d","src_host":"` + nobody + `"}`,
			`<134>1 ` + stamp + ` d ssh - connection [relay@55555 src_ip="` + nobody + `"]`,
			`<134>1 ` + stamp + ` d snmp - get_request [relay@55555 src="` + nobody + `"]`,
			`Nov 26 10:00:00 d sshd[1]: Failed password for root from ` + nobody + ` port 1 ssh2`,
			`{"@timestamp":"` + stamp + `","event":{"kind":"event","category":["web"]},"observer":{"name":"d"},"source":{"ip":"` + nobody + `"},"url":{"path":"/"}}`,
		} {
			if got := read(t, p, logRecord(line)); got != "unattributed/decoys_only" {
				t.Errorf("%s\n%s", line, got)
			}
		}
	}
	// A host of a wide network may have an address that elsewhere is a broadcast's:
	// what it sends is its own, whatever the sensor.
	for _, line := range []string{
		`{"eventid":"cowrie.session.connect","src_ip":"10.7.3.255","sensor":"d","timestamp":"` + stamp + `"}`,
		`{"dst_host":"10.0.0.5","logtype":4002,"node_id":"d","src_host":"10.7.3.255"}`,
		`Nov 26 10:00:00 d sshd[1]: Failed password for root from 10.7.3.255 port 1 ssh2`,
		`{"@timestamp":"` + stamp + `","event":{"kind":"event","category":["web"]},"observer":{"name":"d"},"source":{"ip":"10.7.3.255"},"url":{"path":"/"}}`,
		strings.NewReplacer("192.0.2.30", "10.7.3.255").Replace(eve("flow", "TCP", "22", `"flow": {"state": "new"}`)),
	} {
		if got := read(t, p, logRecord(line)); !strings.HasPrefix(got, "10.7.3.255 ") {
			t.Errorf("%s\n%s", line, got)
		}
	}
	for line, want := range map[string]string{
		`{"eventid":"cowrie.session.connect","src_ip":"192.0.2.1","dst_ip":"192.0.2.1","sensor":"d","timestamp":"` + stamp + `"}`: "unattributed/decoys_only",
		// What the client wants is its own business.
		`{"eventid":"cowrie.direct-tcpip.request","src_ip":"192.0.2.1","dst_ip":"192.0.2.1","sensor":"d","timestamp":"` + stamp + `"}`: `192.0.2.1 d/ssh cowrie.direct-tcpip.request interaction handshake | technique "T1090" "cowrie.direct-tcpip.request"`,
	} {
		if got := read(t, p, logRecord(line)); got != want {
			t.Errorf("%s\n got %s\nwant %s", line, got, want)
		}
	}
}

// Cowrie's look-ups are its own, the known ones and those to come, which may be
// our gap; a part of Cowrie that speaks with clients has their acts.
func TestCowrieLookUps(t *testing.T) {
	p := newParser(t, Options{})
	for id, want := range map[string]string{
		"cowrie.virustotal.scanfile": "sensor_report", "cowrie.reversedns.connect": "sensor_report", "cowrie.abuseipdb.reportedip": "sensor_report",
		"cowrie.backend_pool.libvirtd": "sensor_report", "cowrie.test": "sensor_report",
		"cowrie.shodan.result": "sensor_event", "cowrie.ipinfo.lookup": "sensor_event", "cowrie.hybridanalysis.submitted": "sensor_event",
		"cowrie.threatfox": "sensor_event", "cowrie.": "sensor_event",
		"cowrie.session.unheard": "192.0.2.1 d ssh cowrie.session.unheard", "cowrie.telnet.unheard": "192.0.2.1 d telnet cowrie.telnet.unheard",
	} {
		line := `{"eventid":"` + id + `","src_ip":"192.0.2.1","session":"s","sensor":"d","timestamp":"` + stamp + `"}`
		if got := verdictOf(t, p, logRecord(line)); got != want {
			t.Errorf("%s: %s, want %s", id, got, want)
		}
	}
}

// Whoever asks for a path has a connection with a web server, whether or not a
// sensor tells the method or the user agent.
func TestWebByItsURL(t *testing.T) {
	p := newParser(t, Options{DecoyNets: tenNet})
	doc := func(more string) string {
		return `{"@timestamp":"` + stamp + `","event":{"kind":"event"},"observer":{"name":"d"},"source":{"ip":"192.0.2.9"},` + more + `}`
	}
	for more, want := range map[string]string{
		`"url":{"path":"/wp-login.php"}`:                                          "192.0.2.9 d/http request scan recon handshake",
		`"url":{"original":"/a?b"},"network":{"transport":"tcp"}`:                 "192.0.2.9 d/ request scan recon handshake",
		`"url":{"full":"https://d/a","scheme":"https"}`:                           "192.0.2.9 d/https request scan recon handshake",
		`"url":{"path":"/a"},"destination":{"port":8443}`:                         "192.0.2.9 d/https request scan recon handshake",
		`"http":{"response":{"status_code":404}}`:                                 "192.0.2.9 d/http request scan recon handshake",
		`"url":{"path":"/a"},"network":{"transport":"udp"}`:                       "192.0.2.9 d/http request scan recon",
		`"url":{"path":"/a"},"network":{"transport":["udp"]}`:                     "192.0.2.9 d/http request scan recon",
		`"url":{"path":"/a"},"network":{"transport":["tcp","udp"]}`:               "192.0.2.9 d/http request scan recon",
		`"url":{"path":"/a"},"network":{"transport":["tcp"]}`:                     "192.0.2.9 d/http request scan recon handshake",
		`"url":{"path":"/a"},"network":{"protocol":"coap"}`:                       "192.0.2.9 d/coap request scan recon",
		`"url":{"full":"sip:100@d"}`:                                              "192.0.2.9 d/ connection scan recon",
		`"sip":{"method":"INVITE","uri":{"original":"sip:100@d"}}`:                `192.0.2.9 d/ connection scan recon | command "INVITE sip:100@d"`,
		`"sip":{"method":"OPTIONS","user_agent":{"original":"friendly-scanner"}}`: `192.0.2.9 d/ connection scan recon | fingerprint "sip_request" "OPTIONS" | fingerprint "sip_useragent" "friendly-scanner"`,
	} {
		if got := read(t, p, logRecord(doc(more))); got != want && !strings.HasPrefix(got, want+" |") {
			t.Errorf("%s\n got %s\nwant %s", more, got, want)
		}
	}
	served := func(url string) string {
		return `{"@timestamp":"` + stamp + `","event":{"kind":"event"},"observer":{"name":"d"},"source":{"ip":"10.0.0.5"},"destination":{"ip":"192.0.2.9"},"url":` + url + `}`
	}
	for url, want := range map[string]string{
		`{"full":"http://a.example/x.sh"}`:                                                "http://a.example/x.sh",
		`{"domain":"a.example","path":"/x.sh"}`:                                           "http://a.example/x.sh",
		`{"domain":"a.example","original":"/x.sh?a=b"}`:                                   "http://a.example/x.sh?a=b",
		`{"domain":"a.example","scheme":"https","port":8443,"path":"x.sh","query":"a=b"}`: "https://a.example:8443/x.sh?a=b",
		`{"domain":"a.example","scheme":"https","port":443,"path":"/x.sh"}`:               "https://a.example/x.sh",
		`{"domain":"a.example"}`:                                                          "http://a.example",
		`{"path":"/x.sh"}`:                                                                "",
	} {
		got := read(t, p, logRecord(served(url)))
		want := `fingerprint "contact_url" "` + want + `"`
		if strings.HasSuffix(want, `""`) {
			want = `fingerprint "contacted_by" "d"`
		}
		if !strings.HasSuffix(got, want) {
			t.Errorf("%s: %s", url, got)
		}
	}
}

// Over SIP a call is a command, a question whether somebody is there is not.
func TestSIP(t *testing.T) {
	p := newParser(t, Options{DecoyNets: tenNet})
	for _, tt := range []struct{ line, want string }{
		{
			eve("sip", "UDP", "5060", `"sip": {"method": "INVITE", "uri": "sip:900972595301@10.0.0.5", "version": "SIP/2.0", "request_line": "INVITE sip:900972595301@10.0.0.5 SIP/2.0"}`),
			`192.0.2.30 10.0.0.5/sip sip interaction sniffer | command "INVITE sip:900972595301@10.0.0.5"`,
		},
		{
			eve("sip", "UDP", "5060", `"sip": {"method": "REGISTER", "uri": "sip:10.0.0.5", "version": "SIP/2.0"}`),
			`192.0.2.30 10.0.0.5/sip sip scan recon sniffer | command "REGISTER sip:10.0.0.5"`,
		},
		{
			eve("sip", "UDP", "5060", `"sip": {"method": "OPTIONS", "uri": "sip:100@10.0.0.5", "version": "SIP/2.0"}`),
			`192.0.2.30 10.0.0.5/sip sip scan recon sniffer | fingerprint "sip_request" "OPTIONS sip:100@10.0.0.5"`,
		},
		{
			eve("alert", "UDP", "5060", `"app_proto": "sip", "alert": {"signature_id": 1, "signature": "s", "severity": 3}, "sip": {"method": "INVITE", "uri": "sip:1@10.0.0.5"}`),
			`192.0.2.30 10.0.0.5/sip alert scan sniffer | alert "s" 3 0 signature_id=1 | command "INVITE sip:1@10.0.0.5"`,
		},
		{
			`{"dst_host":"10.0.0.5","dst_port":5060,"logdata":{"HEADERS":{"cseq":["1 INVITE"],"to":["\"x\" <sip:1000@10.0.0.5>;tag=1"],"user-agent":["friendly-scanner"],"authorization":["Digest username=\"1000\", realm=\"x\""]}},"logtype":15001,"node_id":"d","src_host":"192.0.2.30","utc_time":"2026-01-02 03:04:05.678901"}`,
			`192.0.2.30 d/sip request interaction | fingerprint "sip_useragent" "friendly-scanner" method=INVITE | command "INVITE sip:1000@10.0.0.5" | login "1000" failure`,
		},
	} {
		if got := read(t, p, logRecord(tt.line)); got != tt.want {
			t.Errorf("%s\n got %s\nwant %s", tt.line, got, tt.want)
		}
	}
}

// A program's name may be its file's, and a zone may stand behind the time.
func TestHeadersWithPathsAndZones(t *testing.T) {
	p := newParser(t, Options{DropApps: []string{"CRON"}})
	for _, header := range []string{
		"Nov 26 10:00:00 decoy-1 /usr/sbin/sshd[42]: ", "Nov 26 10:00:00 decoy-1 /usr/libexec/openssh/sshd-session[42]: ", "<38>Nov 26 10:00:00 decoy-1 /usr/sbin/sshd: ",
		"<38>1 2026-11-26T10:00:00Z decoy-1 /usr/sbin/sshd 42 - - ", "2026-11-26T10:00:00Z decoy-1 /usr/sbin/sshd[42]: ",
		"Nov 26 10:00:00 UTC decoy-1 sshd[42]: ", "Nov 26 11:00:00 CET decoy-1 sshd[42]: ", "Nov 26 12:00:00 +0200 decoy-1 sshd[42]: ", "Nov 26 2026 10:00:00 UTC: decoy-1 sshd[42]: ",
		"2026-11-26 10:00:00 UTC decoy-1 sshd[42]: ", "2026-11-26 12:00:00 +0200 decoy-1 sshd[42]: ", "2026-11-26 05:00:00.000 EST decoy-1 sshd[42]: ", "Thu Nov 26 10:00:00 UTC 2026 decoy-1 sshd[42]: ",
	} {
		r := logRecord(header + sshdSays)
		if got := verdictOf(t, p, r); got != sshdBlames {
			t.Errorf("%s: %s", header, got)
		}
		if at := timeOf(t, p, r); at != "2026-11-26T10:00:00Z" {
			t.Errorf("%s: %s", header, at)
		}
	}
	// A host's name is no zone's.
	if got := verdictOf(t, p, logRecord("Nov 26 10:00:00 decoy-1 sshd[42]: "+sshdSays)); got != sshdBlames {
		t.Error(got)
	}
}

// A map that names where the transport stands proves a handshake only where
// that says so.
func TestTransportsOfFieldMaps(t *testing.T) {
	maps, err := ReadFieldMaps(strings.NewReader(`
name: trap
match: {kind: trap}
fields: {address: ip, service: svc, transport: [how, net.how]}
set: {decky: d}
absent: ["?"]
handshake: "*"
`))
	if err != nil {
		t.Fatal(err)
	}
	p := newParser(t, Options{FieldMaps: maps})
	for more, proven := range map[string]bool{
		``: false, `,"how":""`: false, `,"how":null`: false, `,"how":"?"`: false, `,"how":[]`: false, `,"how":"udp"`: false, `,"how":["udp"]`: false,
		`,"how":["tcp","udp"]`: false, `,"how":["udp","tcp"]`: false, `,"how":{"x":"tcp"}`: false, `,"how":"udp","net":{"how":"tcp"}`: false,
		`,"how":"TCP"`: true, `,"how":["tcp"]`: true, `,"how":6`: true, `,"how":"?","net":{"how":"tls"}`: true,
	} {
		got := read(t, p, logRecord(`{"kind":"trap","ip":"192.0.2.1","svc":"ftp"`+more+`}`))
		if strings.Contains(got, " handshake") != proven {
			t.Errorf("%s: %s", more, got)
		}
	}
}

// Of T-Pot's honeypots those that listen on UDP prove nothing, unless the record
// tells that it came over TCP.
func TestTPotsDatagrams(t *testing.T) {
	p := newParser(t, Options{FieldMaps: append(readFieldMaps(t, "beelzebub"), readFieldMaps(t, "tpot")...)})
	for fields, proven := range map[string]bool{
		`"type":"Ciscoasa","payload_printable":"GET /+CSCOE+/logon.html"`:           false,
		`"type":"Ciscoasa","payload_printable":"IKE"`:                               false,
		`"type":"ConPot","data_type":"enip"`:                                        false,
		`"type":"ConPot","data_type":"snmp"`:                                        false,
		`"type":"ConPot","data_type":"bacnet"`:                                      false,
		`"type":"ConPot","data_type":"ipmi"`:                                        false,
		`"type":"ConPot","data_type":"modbus"`:                                      true,
		`"type":"ConPot","data_type":"IEC104"`:                                      true,
		`"type":"Ddospot","dns_name":"x"`:                                           false,
		`"type":"Dionaea","connection":{"protocol":"TftpServerHandler"}`:            false,
		`"type":"Dionaea","connection":{"protocol":"smbd"}`:                         false,
		`"type":"Dionaea","connection":{"protocol":"smbd","transport":"tcp"}`:       true,
		`"type":"Dionaea","connection":{"protocol":"SipSession","transport":"udp"}`: false,
		`"type":"Glutton","handler":"udp"`:                                          false,
		`"type":"Glutton","msg":"UDP payload","payload_hash":"ab"`:                  false,
		`"type":"Glutton","protocol":"udp"`:                                         false,
		`"type":"Glutton","handler":"http","method":"GET"`:                          true,
		`"type":"Honeypots","server":"sip_server","protocol":"sip"`:                 false,
		`"type":"Honeypots","server":"snmp","action":"query"`:                       false,
		`"type":"Honeypots","server":"dns"`:                                         false,
		`"type":"Honeypots","server":"ntp"`:                                         false,
		`"type":"Honeypots","server":"dhcp"`:                                        false,
		`"type":"Honeypots","server":"ftp"`:                                         true,
		`"type":"Honeytrap","attack_connection":{"protocol":"udp"}`:                 false,
		`"type":"Honeytrap"`:                                                        false,
		`"type":"Honeytrap","attack_connection":{"protocol":"tcp"}`:                 true,
		`"type":"Sentrypeer","sip_method":"INVITE","transport_type":"UDP"`:          false,
		`"type":"Sentrypeer","sip_method":"INVITE"`:                                 false,
		`"type":"Sentrypeer","sip_method":"INVITE","transport_type":"TCP"`:          true,
		`"type":"Unheard","protocol":"tcp"`:                                         false,
	} {
		got := read(t, p, logRecord(`{"t-pot_hostname":"tp","@timestamp":"`+stamp+`","src_ip":"192.0.2.1","dest_port":5000,`+fields+`}`))
		if strings.Contains(got, " handshake") != proven || !strings.HasPrefix(got, "192.0.2.1 tp/") {
			t.Errorf("%s: %s", fields, got)
		}
	}
}

// timeOf returns the time of a record's event, where the record came a day after
// stamps of 26 November 2026.
func timeOf(t *testing.T, p *Parser, r *event.Record) string {
	t.Helper()
	var a event.Arena
	var ev event.Event
	r.Time = event.Time(time.Date(2026, 11, 27, 0, 0, 0, 0, time.UTC).UnixMicro())
	if v := p.Parse(&a, r, &ev); v.Class() != Parsed {
		return v.Reason.String()
	}
	return ev.Time.Time().UTC().Format(time.RFC3339)
}
