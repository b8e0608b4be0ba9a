package hostile

import (
	"fmt"
	"strings"
	"testing"

	"dossier/correlate/dialect"
)

// bound are the lines that a network sensor writes when somebody on the decoy
// 10.0.0.5 has bound a service's port before talking to 8.8.8.8, where one of
// 443 or 53 answers, or asks for what is logged with another direction than it
// went: packets that acknowledge it, files, connections picked up midway.
func bound() map[string]string {
	const decoy, other = "10.0.0.5", "8.8.8.8"
	eve := func(kind, src string, srcPort int, dst string, dstPort int, rest string) string {
		return fmt.Sprintf(`{"timestamp":"2026-11-24T11:00:00.000000+0000","flow_id":1,"event_type":%q,"src_ip":%q,"src_port":%d,"dest_ip":%q,"dest_port":%d,"proto":"TCP"%s}`,
			kind, src, srcPort, dst, dstPort, rest)
	}
	from := func(port, to int, kind, rest string) string { return eve(kind, decoy, port, other, to, rest) }
	back := func(port, to int, kind, rest string) string { return eve(kind, other, to, decoy, port, rest) }
	const (
		alert = `,"alert":{"signature":"ET EXPLOIT CVE-2021-44228","category":"x","severity":1,"metadata":{"mitre_technique_id":["T1190"]}}`
		web   = `,"app_proto":"http","http":{"hostname":"x","url":"/?id=1'+union+select","http_method":"GET","http_user_agent":"sqlmap/1.7"}`
		post  = `,"app_proto":"http","http":{"http_method":"POST","url":"/a"}`
		file  = `,"fileinfo":{"filename":"/bot","state":"CLOSED","size":9999999,"sha256":"9ce00c425e8da132900daf2b80c11c1f4ac92f0bfd9d9a5e1cf87ae3c030966f"}`
	)
	ecs := func(rest, src string, srcPort int, dst string, dstPort int) string {
		return fmt.Sprintf(`{"@timestamp":"2026-11-24T11:00:00Z","ecs":{"version":"8.17.0"},%s,"source":{"ip":%q,"port":%d},"destination":{"ip":%q,"port":%d}}`, rest, src, srcPort, dst, dstPort)
	}
	const overTCP = `"network":{"transport":"tcp","protocol":"http"}`
	out := map[string]string{
		"MQTT":                          from(1883, 443, "mqtt", `,"mqtt":{"connect":{"username":"root","password":"x","protocol_string":"MQTT"}}`),
		"MQTT, publishing":              from(1883, 443, "mqtt", `,"mqtt":{"publish":{"topic":"a","message":"b"}}`),
		"VNC":                           from(5900, 443, "rfb", `,"rfb":{"authentication":{"vnc":{"response":"aa"}}}`),
		"VNC, acknowledged":             back(5900, 443, "rfb", `,"rfb":{"authentication":{"vnc":{"response":"aa"}}}`),
		"RDP":                           from(3389, 443, "rdp", `,"rdp":{"event_type":"initial_request","cookie":"root"}`),
		"RDP, acknowledged":             back(3389, 443, "rdp", `,"rdp":{"event_type":"initial_request","cookie":"root"}`),
		"Kerberos":                      from(88, 443, "krb5", `,"krb5":{"msg_type":"KRB_AS_REP","cname":"root"}`),
		"Kerberos, acknowledged":        back(88, 443, "krb5", `,"krb5":{"msg_type":"KRB_AS_REP","cname":"root"}`),
		"NFS":                           from(2049, 443, "nfs", `,"nfs":{"procedure":"READ"}`),
		"SIP over TCP, acknowledged":    back(40000, 5060, "sip", `,"sip":{"method":"INVITE","uri":"sip:a"}`),
		"a websocket, acknowledged":     back(40000, 443, "websocket", `,"websocket":{"opcode":"text"}`),
		"a protocol not invented":       from(7070, 443, "gopher2", `,"gopher2":{"command":"x"}`),
		"an alert":                      from(80, 443, "alert", alert+web),
		"an alert, acknowledged":        back(80, 443, "alert", alert+web),
		"an alert to another service":   from(80, 53, "alert", alert+web),
		"an alert from an unused port":  from(8080, 853, "alert", alert+web),
		"an alert on TLS":               from(443, 853, "alert", alert+`,"app_proto":"tls","tls":{"sni":"a","ja3":{"hash":"a"}}`),
		"an alert from SSH's port":      from(22, 443, "alert", alert+web),
		"a drop":                        from(80, 443, "drop", web),
		"a file answered to a POST":     back(22, 8000, "fileinfo", post+file),
		"a file by SMB, both on its":    back(445, 445, "fileinfo", `,"app_proto":"smb"`+file),
		"a file by passive FTP":         back(40000, 50000, "fileinfo", `,"app_proto":"ftp-data"`+file),
		"a file sent by passive FTP":    from(40000, 50000, "fileinfo", `,"app_proto":"ftp-data"`+file),
		"FTP's data from port 20":       from(20, 50000, "ftp_data", `,"ftp_data":{"filename":"evil","command":"STOR"}`),
		"FTP's data to a client":        back(40000, 50000, "ftp_data", `,"ftp_data":{"filename":"evil","command":"RETR"}`),
		"a flow picked up midway":       back(40000, 443, "flow", `,"flow":{"state":"established","bytes_toserver":9999999},"tcp":{"tcp_flags_ts":"19","tcp_flags_tc":"18"}`),
		"a flow of answers":             back(40000, 443, "flow", `,"flow":{"state":"new"},"tcp":{"tcp_flags_ts":"12","tcp_flags_tc":"04"}`),
		"ECS: an alert's packet":        ecs(`"event":{"dataset":"snort.log","kind":"alert"},"observer":{"type":"ids"},"rule":{"name":"EXPLOIT CVE-2021-44228"},"http":{"request":{"method":"GET"}},`+overTCP, other, 443, decoy, 8080),
		"ECS: an answer's packet":       ecs(`"event":{"dataset":"snort.log","kind":"alert"},"observer":{"type":"ids"},"rule":{"name":"EXPLOIT CVE-2021-44228"},"http":{"request":{"method":"GET"}},`+overTCP, other, 443, decoy, 40000),
		"ECS: a firewall's":             ecs(`"event":{"action":"command"},"observer":{"type":"firewall"},"process":{"command_line":"id"},`+overTCP, other, 443, decoy, 40000),
		"ECS: Suricata's MQTT":          ecs(`"event":{"dataset":"suricata.eve"},"suricata":{"eve":{"event_type":"mqtt"}},"process":{"command_line":"id"},`+overTCP, decoy, 1883, other, 443),
		"ECS: Suricata's websocket":     ecs(`"event":{"dataset":"suricata.eve"},"suricata":{"eve":{"event_type":"websocket"}},"http":{"request":{"method":"GET"}},`+overTCP, other, 443, decoy, 40000),
		"ECS: an agent on the decoy":    ecs(`"agent":{"type":"endpoint"},"event":{"action":"disconnect_received"},"process":{"command_line":"curl"},"network":{"direction":"egress","transport":"tcp","protocol":"ssh"}`, other, 22, decoy, 40000),
		"ECS: the same, the other way":  ecs(`"agent":{"type":"auditbeat"},"event":{"action":"network_flow"},"process":{"command_line":"wget x"},"network":{"direction":"outbound","transport":"tcp","protocol":"ssh"}`, decoy, 40000, other, 22),
		"ECS: Zeek's, the decoy's SSH":  ecs(`"event":{"dataset":"zeek.ssh","action":"ssh_login","category":["authentication"],"outcome":"success"},"user":{"name":"root"},"network":{"transport":"tcp","protocol":"ssh"}`, decoy, 40000, other, 22),
		"ECS: Corelight's, by its name": ecs(`"event":{"dataset":"corelight.http"},"http":{"request":{"method":"GET"}},"url":{"path":"/x"},`+overTCP, decoy, 80, other, 443),
	}
	return out
}

// Somebody with a shell on a decoy binds the port of a service, or uses a
// protocol that is logged with a packet's direction, so that a network sensor
// seems to tell of a visitor: nothing of it is proven of who was talked to.
func TestPortsThatADecoyBoundProveNothing(t *testing.T) {
	var all []string
	for _, o := range []dialect.Options{{DecoyNets: decoyNets}, {}} {
		for what, line := range bound() {
			docs, stats := profiles(t, o, line)
			if docs["8.8.8.8"] == nil {
				if o.DecoyNets != nil {
					t.Errorf("%s: nothing is kept of it: %v", what, stats.Refused)
				}
				continue
			}
			unproven(t, what, docs["8.8.8.8"])
			all = append(all, line)
		}
	}
	docs, _ := profiles(t, dialect.Options{DecoyNets: decoyNets}, all...)
	unproven(t, "all of it", docs["8.8.8.8"])
}

// unproven fails if a profile concludes anything from what it has.
func unproven(t *testing.T, what string, doc map[string]any) {
	t.Helper()
	threat := doc["threat"].(map[string]any)
	risk, indicator := doc["risk"].(map[string]any), threat["indicator"].(map[string]any)
	if risk["score"].(float64) > 12 || risk["stage"] != "none" || risk["level"] != "Unknown" || risk["confidence"] != "Low" || doc["spoofable"] != true ||
		doc["classification"] == "malicious" || indicator["confidence"] != "Low" {
		t.Errorf("%s: score %v, stage %v, confidence %v, spoofable %v, %v", what, risk["score"], risk["stage"], risk["confidence"], doc["spoofable"], doc["classification"])
	}
	if crossed, _ := doc["transitions"].(map[string]any); len(crossed) > 0 {
		t.Errorf("%s: crossed %v", what, crossed)
	}
	for _, field := range []string{"artifacts", "commands", "credentials", "hops", "ip_leaks", "alert"} {
		if list, _ := doc[field].([]any); len(list) != 0 {
			t.Errorf("%s: %s is %v", what, field, list)
		}
	}
	if threat["technique"] != nil {
		t.Errorf("%s: techniques %v", what, threat["technique"])
	}
	list, _ := doc["fingerprints"].([]any)
	for _, f := range list {
		if kind := f.(map[string]any)["type"].(string); !strings.HasPrefix(kind, "contact") && kind != "ja3s" {
			t.Errorf("%s: fingerprint %v", what, f)
		}
	}
}

// What clients open from a port of clients is proven, as far as it was: the
// doubt costs no evidence of an attacker who behaves like one.
func TestWhatComesFromAClientsPortIsProven(t *testing.T) {
	eve := func(kind, srcPort, dstPort, rest string, back bool) string {
		ends := []any{kind, "198.51.100.9", srcPort, "10.0.0.5", dstPort, rest}
		if back {
			ends = []any{kind, "10.0.0.5", dstPort, "198.51.100.9", srcPort, rest}
		}
		return fmt.Sprintf(`{"timestamp":"2026-11-24T11:00:00.000000+0000","flow_id":1,"event_type":%q,"src_ip":%q,"src_port":%s,"dest_ip":%q,"dest_port":%s,"proto":"TCP"%s}`, ends...)
	}
	const (
		alert = `,"alert":{"signature":"x","severity":2},"app_proto":"http","http":{"http_method":"GET","url":"/"}`
		file  = `,"app_proto":"http","http":{"http_method":"POST","url":"/a"},"fileinfo":{"filename":"/bot","state":"CLOSED","sha256":"9ce00c425e8da132900daf2b80c11c1f4ac92f0bfd9d9a5e1cf87ae3c030966f"}`
	)
	for what, line := range map[string]string{
		"MQTT":                    eve("mqtt", "50000", "1883", `,"mqtt":{"publish":{"topic":"a"}}`, false),
		"MQTT by a strange port":  eve("mqtt", "1025", "99", `,"mqtt":{"connect":{"protocol_string":"MQTT"}}`, false),
		"VNC":                     eve("rfb", "50000", "5900", ``, false),
		"VNC, acknowledged":       eve("rfb", "50000", "5900", ``, true),
		"RDP on another port":     eve("rdp", "50000", "3390", `,"rdp":{"event_type":"initial_request"}`, true),
		"NFS":                     eve("nfs", "50000", "2049", ``, false),
		"Kerberos":                eve("krb5", "50000", "88", `,"krb5":{"msg_type":"KRB_AS_REP","cname":"root"}`, true),
		"a websocket":             eve("websocket", "50000", "8080", ``, true),
		"an alert":                eve("alert", "50000", "80", alert, false),
		"an alert, acknowledged":  eve("alert", "50000", "8081", alert, true),
		"an alert with direction": eve("alert", "80", "80", alert+`,"direction":"to_server"`, false),
		"a file":                  eve("fileinfo", "50000", "80", file, false),
		"a flow":                  eve("flow", "443", "50000", `,"flow":{"state":"closed"},"tcp":{"tcp_flags_ts":"1b","tcp_flags_tc":"1b"}`, false),
		"ECS: an alert": `{"@timestamp":"2026-11-24T11:00:00Z","ecs":{"version":"8.17.0"},"observer":{"type":"ids"},"rule":{"name":"x"},"http":{"request":{"method":"GET"}},"network":{"transport":"tcp","protocol":"http"},` +
			`"source":{"ip":"198.51.100.9","port":50000},"destination":{"ip":"10.0.0.5","port":80}}`,
	} {
		docs, stats := profiles(t, dialect.Options{DecoyNets: decoyNets}, line)
		if doc := docs["198.51.100.9"]; doc == nil || doc["spoofable"] != false {
			t.Errorf("%s: not proven: %v", what, stats.Refused)
		}
	}
}
