package hostile

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"dossier/correlate/dialect"
	"dossier/correlate/event"
	"dossier/testbed/race"
)

// framed are the lines that a network sensor writes when a decoy talks to
// 8.8.8.8, by what they are: the decoy is 10.0.0.5, at port 40000 where the
// protocol doesn't say otherwise.
func framed() map[string]string {
	eve := func(kind, src, srcPort, dst, dstPort, proto, rest string) string {
		return fmt.Sprintf(`{"timestamp":"2026-11-24T11:00:00.000000+0000","flow_id":1,"event_type":%q,"src_ip":%q,"src_port":%s,"dest_ip":%q,"dest_port":%s,"proto":%q%s}`,
			kind, src, srcPort, dst, dstPort, proto, rest)
	}
	out := func(kind, port, rest string) string {
		return eve(kind, "10.0.0.5", "40000", "8.8.8.8", port, "TCP", rest)
	}
	udp := func(kind, port, rest string) string {
		return eve(kind, "10.0.0.5", "40000", "8.8.8.8", port, "UDP", rest)
	}
	back := func(kind, port, rest string) string {
		return eve(kind, "8.8.8.8", port, "10.0.0.5", "40000", "TCP", rest)
	}
	const (
		alert  = `,"alert":{"signature":"EXPLOIT","category":"Attempted Administrator Privilege Gain","severity":1,"signature_id":7,"metadata":{"mitre_technique_id":["T1190"]}}`
		opened = `,"flow":{"src_ip":"10.0.0.5","dest_ip":"8.8.8.8","src_port":40000,"dest_port":80}`
		digest = `"sha256":"9ce00c425e8da132900daf2b80c11c1f4ac92f0bfd9d9a5e1cf87ae3c030966f"`
		file   = `,"fileinfo":{"filename":"/bot","state":"CLOSED","size":9999999,` + digest + `}`
		get    = `,"app_proto":"http","http":{"hostname":"8.8.8.8","url":"/bot","http_method":"GET","http_user_agent":"sqlmap/1.7","xff":"9.9.9.9","status":200}`
		post   = `,"app_proto":"http","http":{"hostname":"8.8.8.8","url":"/bot","http_method":"POST","http_user_agent":"sqlmap/1.7","status":200}`
	)
	ecs := func(rest string) string {
		return `{"@timestamp":"2026-11-24T11:00:00Z","ecs":{"version":"8.17.0"},"network":{"transport":"tcp"},"observer":{"type":"ids"},"source":{"ip":"10.0.0.5","port":40000},"destination":{"ip":"8.8.8.8","port":21},` + rest + `}`
	}
	return map[string]string{
		"alert of the request":     out("alert", "80", alert+opened+`,"app_proto":"http"`+get),
		"alert of the answer":      back("alert", "80", alert+opened+get),
		"alert, direction alone":   back("alert", "80", alert+`,"direction":"to_client"`+get),
		"alert, ports alone":       out("alert", "80", alert+get),
		"answer's alert by ports":  back("alert", "80", alert+get),
		"drop":                     out("drop", "80", `,"direction":"to_server"`),
		"anomaly":                  back("anomaly", "80", `,"anomaly":{"type":"stream"}`),
		"frame":                    back("frame", "80", `,"direction":"to_client"`),
		"http":                     out("http", "80", get),
		"http, posting":            out("http", "80", post),
		"http2":                    out("http2", "443", post),
		"tls":                      out("tls", "443", `,"tls":{"sni":"dns.google","version":"TLS 1.3","ja3":{"hash":"a"},"ja3s":{"hash":"b"},"ja4":"t13","subject":"CN=dns.google"}`),
		"quic":                     udp("quic", "443", `,"quic":{"sni":"dns.google","ja3":{"hash":"a"},"ja4":"q13"}`),
		"ssh":                      out("ssh", "22", `,"ssh":{"client":{"software_version":"libssh","proto_version":"2.0","hassh":{"hash":"h","string":"a;b"}},"server":{"hassh":{"hash":"s"}}}`),
		"dns":                      udp("dns", "53", `,"dns":{"type":"query","rrname":"a.example"}`),
		"smtp":                     out("smtp", "25", `,"smtp":{"helo":"x","mail_from":"<a@b.example>","rcpt_to":["<c@d.example>"]}`),
		"ftp PASS":                 out("ftp", "21", `,"ftp":{"command":"PASS","command_data":"x","completion_code":["230"]}`),
		"ftp STOR":                 out("ftp", "21", `,"ftp":{"command":"STOR","command_data":"evil"}`),
		"ftp_data":                 out("ftp_data", "50000", `,"ftp_data":{"filename":"evil","command":"STOR"}`),
		"ftp_data, active":         back("ftp_data", "20", `,"ftp_data":{"filename":"evil","command":"RETR"}`),
		"tftp":                     udp("tftp", "69", `,"tftp":{"packet":"write","file":"evil"}`),
		"smb":                      out("smb", "445", `,"smb":{"status":"STATUS_SUCCESS","filename":"evil","ntlmssp":{"user":"root","domain":"d"}}`),
		"snmp":                     udp("snmp", "161", `,"snmp":{"pdu_type":"set_request","community":"private","vars":["1.3"]}`),
		"snmp, the answer":         eve("snmp", "8.8.8.8", "161", "10.0.0.5", "161", "UDP", `,"snmp":{"pdu_type":"response","community":"private","vars":["1.3"]}`),
		"sip":                      udp("sip", "5060", `,"sip":{"method":"INVITE"}`),
		"sip, the answer":          eve("sip", "8.8.8.8", "5060", "10.0.0.5", "5060", "UDP", `,"sip":{"code":"200"}`),
		"rfb":                      out("rfb", "5900", `,"rfb":{"authentication":{"vnc":{"response":"aa"}}}`),
		"rfb, the answer":          back("rfb", "5900", `,"rfb":{"authentication":{"vnc":{"response":"aa"}}}`),
		"rdp":                      out("rdp", "3389", `,"rdp":{"event_type":"initial_request","cookie":"root"}`),
		"rdp, the answer":          back("rdp", "3389", `,"rdp":{"event_type":"initial_request","cookie":"root"}`),
		"krb5":                     back("krb5", "88", `,"krb5":{"msg_type":"KRB_AS_REP","cname":"root"}`),
		"ike":                      eve("ike", "8.8.8.8", "500", "10.0.0.5", "500", "UDP", `,"ike":{"role":"responder"}`),
		"mqtt":                     back("mqtt", "1883", `,"mqtt":{"publish":{"topic":"a"}}`),
		"pgsql":                    out("pgsql", "5432", `,"pgsql":{"request":{"simple_query":"drop table a"}}`),
		"nfs":                      out("nfs", "2049", `,"nfs":{"procedure":"READ"}`),
		"dcerpc":                   out("dcerpc", "135", `,"dcerpc":{"request":"REQUEST"}`),
		"modbus":                   out("modbus", "502", ``),
		"ldap":                     out("ldap", "389", ``),
		"a protocol not invented":  out("gopher2", "70", `,"gopher2":{"command":"x"}`),
		"its answer":               back("gopher2", "70", `,"gopher2":{"command":"x"}`),
		"flow":                     out("flow", "80", `,"flow":{"state":"closed","bytes_toserver":9999999,"start":"2026-11-24T11:00:00.000000+0000"},"tcp":{"tcp_flags_ts":"1b","tcp_flags_tc":"1b"}`),
		"file fetched":             back("fileinfo", "80", get+file),
		"file fetched, high port":  eve("fileinfo", "8.8.8.8", "50000", "10.0.0.5", "40000", "TCP", get+file),
		"file answered to a POST":  back("fileinfo", "80", post+file),
		"file posted":              out("fileinfo", "80", post+file),
		"file sent with GET":       out("fileinfo", "80", get+file),
		"file by a bound port":     eve("fileinfo", "8.8.8.8", "50000", "10.0.0.5", "80", "TCP", get+file),
		"file by FTP":              back("fileinfo", "50000", `,"app_proto":"ftp-data","ftp_data":{"command":"RETR"}`+file),
		"file by active FTP":       back("fileinfo", "20", `,"app_proto":"ftp-data"`+file),
		"file by SMB":              back("fileinfo", "445", `,"app_proto":"smb"`+file),
		"mail sent":                out("fileinfo", "25", `,"app_proto":"smtp"`+file),
		"ECS login":                ecs(`"event":{"category":["authentication"],"action":"ssh_login","outcome":"success"},"user":{"name":"root"}`),
		"ECS command":              ecs(`"event":{"action":"command"},"process":{"command_line":"rm -rf /"}`),
		"ECS file":                 ecs(`"event":{"action":"x"},"file":{"hash":{` + digest + `}},"url":{"full":"http://8.8.8.8/bot"}`),
		"ECS alert":                ecs(`"event":{"kind":"alert","action":"x","severity":1},"rule":{"name":"EXPLOIT"},"threat":{"technique":{"id":["T1190"]}}`),
		"ECS by client and server": `{"@timestamp":"2026-11-24T11:00:00Z","observer":{"type":"ids"},"event":{"action":"command"},"source":{"ip":"8.8.8.8","port":80},"destination":{"ip":"10.0.0.5","port":40000},"client":{"ip":"10.0.0.5"},"process":{"command_line":"id"}}`,
		"ECS from Suricata":        `{"@timestamp":"2026-11-24T11:00:00Z","event":{"dataset":"suricata.eve","action":"x"},"suricata":{"eve":{"event_type":"fileinfo"}},"network":{"protocol":"http","transport":"tcp"},"http":{"request":{"method":"GET"}},"source":{"ip":"8.8.8.8","port":80},"destination":{"ip":"10.0.0.5","port":40000},"file":{"hash":{` + digest + `}}}`,
		"ECS without a sensor":     `{"@timestamp":"2026-11-24T11:00:00Z","event":{"category":["authentication"],"action":"login","outcome":"success"},"user":{"name":"root"},"source":{"ip":"10.0.0.5"},"destination":{"ip":"8.8.8.8"},"network":{"transport":"tcp"}}`,
		"a field map's two sides":  `{"trap":"x","from":"10.0.0.5","to":"8.8.8.8","what":"login","user":"root","password":"x","ok":"success","cmd":"id","proto":"ssh"}`,
		"a field map's contact":    `{"trap":"x","from":"8.8.8.8","to":"10.0.0.5","what":"callback","user":"root","password":"x","ok":"success","cmd":"id","proto":"ssh"}`,
	}
}

// trap is a field map with two sides.
var trap = dialect.FieldMap{
	Name: "trap", Match: map[string]string{"trap": "*"},
	Fields: dialect.FieldNames{
		Address: dialect.Names{"from"}, Decoy: dialect.Names{"to"}, Type: dialect.Names{"what"}, Principal: dialect.Names{"user"},
		Secret: dialect.Names{"password"}, Outcome: dialect.Names{"ok"}, Command: dialect.Names{"cmd"}, Service: dialect.Names{"proto"},
	},
	Types: map[string]string{"login": "login", "callback": "contact"}, Handshake: dialect.Names{"*"},
}

// blameless fails unless doc says nothing against the address but that it was
// contacted.
func blameless(t *testing.T, what string, doc map[string]any) {
	t.Helper()
	if doc == nil {
		t.Errorf("%s: nothing is kept of it", what)
		return
	}
	indicator, _ := doc["threat"].(map[string]any)["indicator"].(map[string]any)
	risk, _ := doc["risk"].(map[string]any)
	if reasons, _ := risk["reasons"].([]any); len(reasons) > 0 || risk["level"] != "Unknown" || indicator["confidence"] != "Low" || doc["spoofable"] != true {
		t.Errorf("%s: risk %v, confidence %v, spoofable %v: %v", what, risk["level"], indicator["confidence"], doc["spoofable"], risk["reasons"])
	}
	for _, field := range []string{
		"login_attempts", "login_successes", "command_count", "credential_count", "session_count", "service_count", "decky_count",
		"smtp_domain_count",
	} {
		if n, ok := doc[field].(float64); ok && n != 0 {
			t.Errorf("%s: %s is %v", what, field, n)
		}
	}
	alerts, _ := doc["alerts"].([]any)
	for _, alert := range alerts {
		if alert.(map[string]any)["side"] != event.PayloadHost {
			t.Errorf("%s: an alert is held against the address: %v", what, alert)
		}
	}
	if signatures := doc["alert"]; signatures != nil {
		t.Errorf("%s: alert is %v", what, signatures)
	}
	for _, field := range []string{"artifacts", "commands", "credentials", "services", "deckies", "hops", "ip_leaks"} {
		if list, _ := doc[field].([]any); len(list) != 0 {
			t.Errorf("%s: %s is %v", what, field, list)
		}
	}
	if threat := doc["threat"].(map[string]any); threat["technique"] != nil {
		t.Errorf("%s: techniques %v", what, threat["technique"])
	}
	if behavior, _ := doc["behavior"].(map[string]any); behavior["tools"] != nil && len(behavior["tools"].([]any)) != 0 {
		t.Errorf("%s: tools %v", what, behavior["tools"])
	}
	list, _ := doc["fingerprints"].([]any)
	contacted := false
	for _, f := range list {
		switch kind := f.(map[string]any)["type"].(string); {
		case kind == "contacted_by":
			contacted = true
		case strings.HasPrefix(kind, "contact_"), kind == "ja3s", kind == "tls_certificate", kind == "hassh_server":
		default:
			t.Errorf("%s: the decoy's own fingerprint %v", what, f)
		}
	}
	if !contacted && what != "a field map's contact" {
		t.Errorf("%s: who made the contact is not told: %v", what, list)
	}
}

// The attacker lets the decoy talk to a victim, by every protocol that a
// network sensor knows, to get the victim a profile.
func TestADecoysOwnTrafficFramesNobody(t *testing.T) {
	race.OneGoroutine(t)
	o := dialect.Options{DecoyNets: decoyNets, FieldMaps: []dialect.FieldMap{trap}}
	var all []string
	for what, line := range framed() {
		docs, _ := profiles(t, o, line)
		blameless(t, what, docs["8.8.8.8"])
		if len(docs) != 1 {
			t.Errorf("%s: %d profiles", what, len(docs))
		}
		all = append(all, line)
	}
	// All at once, many times and from several decoys, at a beat.
	var beat []string
	for i := range 40 {
		for _, line := range all {
			line = strings.ReplaceAll(line, "11:00:00", fmt.Sprintf("11:%02d:%02d", i, 10))
			beat = append(beat, strings.ReplaceAll(line, "10.0.0.5", fmt.Sprintf("10.0.0.%d", 1+i%20)))
		}
	}
	docs, _ := profiles(t, o, beat...)
	blameless(t, "all of it", docs["8.8.8.8"])
	// At the beat of a tool, and so often that the number alone would tell.
	for what, n := range map[string]int{"a beat": 100, "a flood": flood + flood/5} {
		var lines []string
		for i := range n {
			lines = append(lines, strings.ReplaceAll(framed()["dns"], "T11:00:00", at.Add(time.Duration(i-n)*time.Minute/time.Duration(1+n/200)).Format("T15:04:05")))
		}
		docs, _ := profiles(t, o, lines...)
		blameless(t, what, docs["8.8.8.8"])
		if class := docs["8.8.8.8"]["behavior"].(map[string]any)["class"]; class != "unknown" {
			t.Errorf("%s: the class is %v", what, class)
		}
	}
	// Without the decoys' networks a public address is still told from a
	// private one; what has no sensor that sees both ends blames the decoy.
	for what, line := range framed() {
		if docs, _ := profiles(t, dialect.Options{FieldMaps: []dialect.FieldMap{trap}}, line); docs["8.8.8.8"] != nil {
			blameless(t, what+", networks unknown", docs["8.8.8.8"])
		}
	}
}

// The same lines the other way round are the attacker's, so that the decision
// costs no evidence: what he opened, he did.
func TestWhatTheAttackerOpensIsHis(t *testing.T) {
	swap := strings.NewReplacer("10.0.0.5", "8.8.8.8", "8.8.8.8", "10.0.0.5")
	for what, line := range framed() {
		if what == "a field map's contact" {
			continue
		}
		docs, stats := profiles(t, dialect.Options{DecoyNets: decoyNets, FieldMaps: []dialect.FieldMap{trap}}, swap.Replace(line))
		doc := docs["8.8.8.8"]
		if doc == nil {
			t.Errorf("%s: no profile: %v", what, stats.Refused)
			continue
		}
		list, _ := doc["fingerprints"].([]any)
		for _, f := range list {
			if kind := f.(map[string]any)["type"].(string); kind == "contacted_by" {
				// A request's body where none is usual, and an answer without
				// one, may be the decoy's doing.
				if what != "file sent with GET" && what != "file by a bound port" {
					t.Errorf("%s: taken for the decoy's own", what)
				}
			}
		}
	}
	for what, field := range map[string]string{
		"ftp PASS": "login_successes", "ftp STOR": "command_count", "smb": "login_successes", "snmp": "command_count", "tftp": "command_count",
		"ECS login": "login_successes", "ECS command": "command_count", "a field map's two sides": "login_attempts",
	} {
		docs, _ := profiles(t, dialect.Options{DecoyNets: decoyNets, FieldMaps: []dialect.FieldMap{trap}}, swap.Replace(framed()[what]))
		if n, _ := docs["8.8.8.8"][field].(float64); n == 0 {
			t.Errorf("%s: no %s", what, field)
		}
	}
}
