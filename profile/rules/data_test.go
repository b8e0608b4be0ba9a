package rules

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"dossier/correlate/event"
	"dossier/profile/behavior"
)

// The tables of this file say a second time, and by example, what the built-in
// rules conclude: a slip in a rule file shows here. Whoever changes a rule on
// purpose changes its row.

// knownTools has a value of each fingerprint that a tool is known by.
var knownTools = []struct{ kind, by, value, tool string }{
	{"http_useragent", "user agent", "x NMAP SCRIPTING ENGINE y", "nmap"},
	{"http_useragent", "user agent", "x NIKTO y", "nikto"},
	{"http_useragent", "user agent", "x SQLMAP y", "sqlmap"},
	{"http_useragent", "user agent", "x NUCLEI y", "nuclei"},
	{"http_useragent", "user agent", "x MASSCAN y", "masscan"},
	{"http_useragent", "user agent", "x ZGRAB y", "zgrab"},
	{"http_useragent", "user agent", "x METASPLOIT y", "metasploit"},
	{"http_useragent", "user agent", "CURL/9", "curl"},
	{"http_useragent", "user agent", "x PYTHON-REQUESTS y", "python_requests"},
	{"http_useragent", "user agent", "x GOBUSTER y", "gobuster"},
	{"http_useragent", "user agent", "x DIRBUSTER y", "dirbuster"},
	{"http_useragent", "user agent", "x HYDRA y", "hydra"},
	{"http_useragent", "user agent", "x WFUZZ y", "wfuzz"},
	{"http_useragent", "user agent", "WGET/9", "wget"},
	{"http_useragent", "user agent", "GO-HTTP-CLIENT/9", "go_http_client"},
	{"http_useragent", "user agent", "PYTHON-URLLIB9", "python_urllib"},
	{"http_useragent", "user agent", "PYTHON-HTTPX9", "python_httpx"},
	{"http_useragent", "user agent", "x AIOHTTP/ y", "aiohttp"},
	{"http_useragent", "user agent", "LIBWWW-PERL9", "libwww_perl"},
	{"http_useragent", "user agent", "x FUZZ FASTER U FOOL y", "ffuf"},
	{"http_useragent", "user agent", "x FEROXBUSTER y", "feroxbuster"},
	{"http_useragent", "user agent", "x WPSCAN y", "wpscan"},
	{"http_useragent", "user agent", "x WHATWEB y", "whatweb"},
	{"http_useragent", "user agent", "x KATANA y", "katana"},
	{"http_useragent", "user agent", "x ACUNETIX y", "acunetix"},
	{"http_useragent", "user agent", "x NESSUS y", "nessus"},
	{"http_useragent", "user agent", "x OPENVAS y", "openvas"},
	{"http_useragent", "user agent", "x ARACHNI y", "arachni"},
	{"http_useragent", "user agent", "x ZMAP y", "zmap"},
	{"http_useragent", "user agent", "x CENSYSINSPECT y", "censys"},
	{"http_useragent", "user agent", "x EXPANSE, A PALO ALTO NETWORKS COMPANY y", "expanse"},
	{"http_useragent", "user agent", "x INTERNETMEASUREMENT y", "internet_measurement"},
	{"http_useragent", "user agent", "x L9EXPLORE y", "leakix"},
	{"http_useragent", "user agent", "x LEAKIX y", "leakix"},
	{"http_useragent", "user agent", "x DOCS-CORTEX.PALOALTONETWORKS.COM y", "xpanse"},
	{"http_useragent", "user agent", "x HELLO FROM PALO ALTO NETWORKS y", "xpanse"},
	{"http_useragent", "user agent", "x SHODAN y", "shodan"},
	{"http_useragent", "user agent", "x SHADOWSERVER y", "shadowserver"},
	{"http_useragent", "user agent", "x ONYPHE y", "onyphe"},
	{"http_useragent", "user agent", "x BINARYEDGE y", "binaryedge"},
	{"http_useragent", "user agent", "x MODATSCANNER y", "modat"},
	{"http_useragent", "user agent", "x GETODIN.COM y", "odin"},
	{"http_useragent", "user agent", "x NETSYSTEMSRESEARCH y", "netsystemsresearch"},
	{"http_useragent", "user agent", "x PROJECT SONAR y", "project_sonar"},
	{"http_useragent", "user agent", "x RESEARCHSCAN y", "research_scanner"},
	{"http_useragent", "user agent", "x CYBERRESILIENCE.IO y", "cyberresilience"},
	{"http_useragent", "user agent", "x L9TCPID y", "l9tcpid"},
	{"http_useragent", "user agent", "x IVRE- y", "ivre"},
	{"http_useragent", "user agent", "x FOFA. y", "fofa"},
	{"http_useragent", "user agent", "x UPTIMEROBOT y", "uptimerobot"},
	{"http_useragent", "user agent", "x PINGDOM y", "pingdom"},
	{"http_useragent", "user agent", "x STATUSCAKE y", "statuscake"},
	{"http_useragent", "user agent", "x SITE24X7 y", "site24x7"},
	{"http_useragent", "user agent", "x GOOGLEBOT y", "googlebot"},
	{"http_useragent", "user agent", "x BINGBOT y", "bingbot"},
	{"http_useragent", "user agent", "x APPLEBOT y", "applebot"},
	{"http_useragent", "user agent", "x YANDEXBOT y", "yandexbot"},
	{"http_useragent", "user agent", "x BAIDUSPIDER y", "baiduspider"},
	{"http_useragent", "user agent", "x PETALBOT y", "petalbot"},
	{"http_useragent", "user agent", "x SEMRUSHBOT y", "semrushbot"},
	{"http_useragent", "user agent", "x AHREFSBOT y", "ahrefsbot"},
	{"http_useragent", "user agent", "x GPTBOT y", "gptbot"},
	{"http_useragent", "user agent", "x CLAUDEBOT y", "claudebot"},
	{"http_useragent", "user agent", "x BYTESPIDER y", "bytespider"},
	{"http_useragent", "user agent", "x DIRSEARCH y", "dirsearch"},
	{"http_useragent", "user agent", "x HTTPX - OPEN-SOURCE PROJECT y", "httpx"},
	{"http_useragent", "user agent", "x XRAY/ y", "xray"},
	{"http_useragent", "user agent", "x GOBY/ y", "goby"},
	{"http_useragent", "user agent", "x ZAPROXY y", "zaproxy"},
	{"http_useragent", "user agent", "x BURPSUITE y", "burp"},
	{"http_useragent", "user agent", "x JORGEE y", "jorgee"},
	{"http_useragent", "user agent", "x ZMEU y", "zmeu"},
	{"http_useragent", "user agent", "x MORFEUS y", "morfeus"},
	{"sip_useragent", "SIP user agent", "x FRIENDLY-SCANNER y", "sipvicious"},
	{"sip_useragent", "SIP user agent", "x SIPVICIOUS y", "sipvicious"},
	{"sip_useragent", "SIP user agent", "x PPLSIP y", "pplsip"},
	{"sip_useragent", "SIP user agent", "x SIPCLI y", "sipcli"},
	{"sip_useragent", "SIP user agent", "x SUNDAYDDR y", "sundayddr"},
	{"sip_useragent", "SIP user agent", "x VAXSIPUSERAGENT y", "vaxsip"},
	{"sip_useragent", "SIP user agent", "x IWAR y", "iwar"},
	{"ssh_client_banner", "SSH client banner", "x MASSCAN y", "masscan"},
	{"ssh_client_banner", "SSH client banner", "SSH-2.0-HELLOWORLD9", "rapperbot"},
	{"http_mailer", "mailer", "x GOPHISH y", "gophish"},
	{"ssh_client_banner", "SSH client banner", "SSH-2.0-GO9", "go_ssh"},
	{"ssh_client_banner", "SSH client banner", "SSH-2.0-LIBSSH_9", "libssh"},
	{"ssh_client_banner", "SSH client banner", "SSH-2.0-LIBSSH-9", "libssh"},
	{"ssh_client_banner", "SSH client banner", "SSH-2.0-LIBSSH29", "libssh2"},
	{"ssh_client_banner", "SSH client banner", "SSH-2.0-PARAMIKO9", "paramiko"},
	{"ssh_client_banner", "SSH client banner", "SSH-2.0-ASYNCSSH9", "asyncssh"},
	{"ssh_client_banner", "SSH client banner", "SSH-2.0-JSCH9", "jsch"},
	{"ssh_client_banner", "SSH client banner", "SSH-2.0-PUTTY9", "putty"},
	{"ssh_client_banner", "SSH client banner", "SSH-2.0-WINSCP9", "winscp"},
	{"ssh_client_banner", "SSH client banner", "SSH-2.0-RUBY/NET::SSH9", "ruby_net_ssh"},
	{"ssh_client_banner", "SSH client banner", "SSH-2.0-RENCI.SSHNET9", "renci_ssh_net"},
	{"ssh_client_banner", "SSH client banner", "SSH-2.0-RUSSH9", "russh"},
	{"ssh_client_banner", "SSH client banner", "x NMAP y", "nmap"},
	{"ssh_client_banner", "SSH client banner", "x ZGRAB y", "zgrab"},
	{"ssh_client_banner", "SSH client banner", "SSH-2.0-MEDUSA9", "medusa"},
	{"ssh_client_banner", "SSH client banner", "SSH-2.0-DROPBEAR9", "dropbear"},
	{"hassh", "HASSH", "de30354b88bae4c2810426614e1b6976", "renci_ssh_net"},
	{"hassh", "HASSH", "fafc45381bfde997b6305c4e1600f1bf", "ruby_net_ssh"},
	{"hassh", "HASSH", "b5752e36ba6c5979a575e43178908adf", "paramiko"},
	{"hassh", "HASSH", "c6f5e6d54285a11b9f02fef7fc77bd6f", "paramiko"},
	{"hassh", "HASSH", "d72f74b08466652d162ca02ad197b9ad", "paramiko"},
	{"hassh", "HASSH", "b05dfbbf26090c7792d4aa6b76cd1f1a", "paramiko"},
	{"hassh", "HASSH", "16f898dd8ed8279e1055350b4e20666c", "dropbear"},
	{"hassh", "HASSH", "22865d7159a8dedcb091cd4fc5fd2841", "dropbear"},
	{"hassh", "HASSH", "ad00edb0c2a031d9884826ba7b7ba41e", "dropbear"},
	{"hassh", "HASSH", "7742887e2a57712bdb91a772093f54ce", "dropbear"},
	{"hassh", "HASSH", "e22efe3cde8b396b874c3f13fdb6c61a", "dropbear"},
	{"hassh", "HASSH", "8a8ae540028bf433cd68356c1b9e8d5b", "cyberduck"},
	{"ja3", "JA3", "e7d705a3286e19ea42f587b344ee6865", "tor"},
	{"ja3", "JA3", "6734f37431670b3ab4292b8f60f29984", "trickbot"},
	{"ja3", "JA3", "4d7a28d6f2263ed61de88ca66eb011e3", "emotet"},
	{"ja3", "JA3", "ccaa60f6ccc701bde536ef409be3cf63", "curl"},
	{"ja3", "JA3", "fe048fe8faf797796e278f2b4f1e9c24", "curl"},
}

// knownReasons are the reasons for risk: what each asks for, from how much on,
// its weight and what it says.
var knownReasons = []struct {
	id, condition string
	atLeast       int64
	weight        float64
	text          string
}{
	{"hands_on", "fact hands_on", 1, 100, "gives commands after a successful login"},
	{"login_success", "fact login_successes", 1, 90, "successful logins: {n}"},
	{"commands", "fact commands", 20, 75, "commands given: {n}"},
	{"commands", "fact commands", 1, 60, "commands given: {n}"},
	{"files", "fact files", 1, 90, "files left or fetched: {n}"},
	{"mails", "fact mails", 1, 50, "mails sent: {n}"},
	{"targets", "fact smtp_domains", 10, 60, "mail domains aimed at: {n}"},
	{"targets", "fact smtp_domains", 1, 35, "mail domains aimed at: {n}"},
	{"login_attempts", "fact login_attempts", 1000, 70, "login attempts: {n}"},
	{"login_attempts", "fact login_attempts", 100, 60, "login attempts: {n}"},
	{"login_attempts", "fact login_attempts", 10, 45, "login attempts: {n}"},
	{"login_attempts", "fact login_attempts", 1, 30, "login attempts: {n}"},
	{"credentials", "fact credentials", 100, 50, "different credentials tried: {n}"},
	{"credentials", "fact credentials", 10, 35, "different credentials tried: {n}"},
	{"traversal", "fact deckies", 10, 75, "went from decoy to decoy; decoys touched: {n}"},
	{"traversal", "fact deckies", 5, 60, "went from decoy to decoy; decoys touched: {n}"},
	{"traversal", "fact deckies", 2, 45, "went from decoy to decoy; decoys touched: {n}"},
	{"services", "fact services", 10, 50, "services touched: {n}"},
	{"services", "fact services", 3, 30, "services touched: {n}"},
	{"interactions", "fact interactions", 10, 40, "events that used a service: {n}"},
	{"interactions", "fact interactions", 1, 25, "events that used a service: {n}"},
	{"events", "fact events", 10000, 40, "events: {n}"},
	{"events", "fact events", 1000, 25, "events: {n}"},
	{"events", "fact events", 1, 10, "events: {n}"},
	{"large_payloads", "fact large_payloads", 1, 45, "transfers of at least 1 MiB: {n}"},
	{"alerts", "fact worst_alerts", 1, 80, "signatures of the worst severity matched: {n}"},
	{"alerts", "fact alerts", 1, 45, "signatures matched: {n}"},
	{"spoofed", "fact claims", 1, 20, "other addresses claimed in headers: {n}"},
	{"strobe", "fact strobe", 1, 60, "at least one event a second for a day"},
	{"class_beaconing", "class beaconing", 1, 55, "comes back like a beacon"},
	{"class_brute_force", "class brute_force", 1, 50, "guesses passwords by brute force"},
	{"class_interactive", "class interactive", 1, 50, "behaves like a person at a keyboard"},
	{"class_scanning", "class scanning", 1, 40, "scans"},
	{"class_slow_scan", "class slow_scan", 1, 40, "scans slowly"},
	{"tool_c2", "tools cobalt_strike sliver havoc mythic trickbot emotet metasploit", 1, 75, "looks like malware or a tool of command and control"},
	{"tool_attack", "tools sqlmap hydra medusa nuclei nikto wpscan acunetix gophish wfuzz ffuf gobuster dirbuster feroxbuster", 1, 55, "uses tools for attacking"},
	{"tool_scan", "tools nmap masscan zmap zgrab whatweb nessus openvas arachni leakix katana", 1, 35, "uses tools for scanning"},
	{"tactic_persistence", "tactic TA0003 except T1078 T1098", 1, 85, "makes itself at home (persistence)"},
	{"tactic_impact", "tactic TA0040 except T1498.002", 1, 85, "damages or uses up the system (impact)"},
	{"tactic_lateral", "tactic TA0008", 1, 80, "goes on to other systems (lateral movement)"},
	{"tactic_credential", "tactic TA0006 except T1110", 1, 75, "looks for credentials (credential access)"},
	{"tactic_evasion", "tactic TA0005 except T1078 T1222.002 T1070.004", 1, 65, "covers its tracks (defense evasion)"},
	{"tactic_c2", "tactic TA0011 except T1071.003", 1, 70, "brings tools along or calls home (command and control)"},
	{"tactic_discovery", "tactic TA0007 except T1046", 1, 45, "looks around on the system (discovery)"},
	{"exploit", "technique T1190", 1, 70, "tries to exploit a public service"},
}

// concluded returns what the rules add to an event: "tool by" and "technique
// why".
func concluded(s *Set, ev event.Event) (found []string) {
	known := len(ev.Evidence)
	s.Annotate(new(event.Arena), &ev)
	for _, e := range ev.Evidence[known:] {
		found = append(found, e.A+" "+e.B)
	}
	return found
}

func TestEveryKnownTool(t *testing.T) {
	s := builtin(t)
	for _, c := range knownTools {
		got := concluded(s, event.Event{Evidence: []event.Evidence{{Kind: event.Fingerprint, A: c.kind, B: c.value}}})
		if want := c.tool + " " + c.by; !slices.Contains(got, want) {
			t.Errorf("%s %q: %q, want %q", c.kind, c.value, got, want)
		}
		// What must stand in front doesn't count behind.
		if c.value[len(c.value)-1] == '9' && c.value[0] != ' ' && strings.ToUpper(c.value) == c.value {
			got := concluded(s, event.Event{Evidence: []event.Evidence{{Kind: event.Fingerprint, A: c.kind, B: "x " + c.value}}})
			if slices.Contains(got, c.tool+" "+c.by) {
				t.Errorf("%s: %q is recognised within a text", c.kind, c.value)
			}
		}
	}
	known := 0
	for _, g := range s.signatures {
		known += len(g.exact) + len(g.forms)
	}
	if known != len(knownTools) {
		t.Errorf("%d signatures are built in, %d are tested", known, len(knownTools))
	}
	// A user agent that names two tools shows both, whichever comes first.
	got := concluded(s, event.Event{Evidence: []event.Evidence{{Kind: event.Fingerprint, A: "http_useragent", B: "nuclei then nikto"}}})
	if !slices.Equal(got, []string{"nikto user agent", "T1595.002 comes with a tool for scanning vulnerabilities", "nuclei user agent"}) {
		t.Errorf("two tools: %q", got)
	}
}

// Each beat of a known tool, at and just beyond both tolerances.
func TestEveryKnownBeat(t *testing.T) {
	s := builtin(t)
	for tool, c := range map[string]struct{ interval, off, cv, cvOff float64 }{
		"cobalt_strike": {60, 8, 0.20, 0.05}, "sliver": {60, 10, 0.30, 0.08}, "havoc": {45, 8, 0.10, 0.03}, "mythic": {30, 6, 0.15, 0.03},
	} {
		beats := func(mean, cv float64) bool {
			return slices.Contains(s.AppendCadences(nil, behavior.Timing{Intervals: true, Varies: true, Mean: mean, CV: cv}), tool)
		}
		for _, side := range []float64{-1, 1} {
			if !beats(c.interval+side*c.off, c.cv) || beats(c.interval+side*(c.off+0.001), c.cv) {
				t.Errorf("%s: the mean may be off by %v", tool, c.off)
			}
			// Sums of binary fractions lie beside their decimals: 0.0001 is the
			// last digit of a cv.
			if !beats(c.interval, c.cv+side*(c.cvOff-0.0001)) || beats(c.interval, c.cv+side*(c.cvOff+0.0001)) {
				t.Errorf("%s: the coefficient of variation may be off by %v", tool, c.cvOff)
			}
		}
	}
	if len(s.cadences) != 4 {
		t.Errorf("%d beats are built in, 4 are tested", len(s.cadences))
	}
}

// Each reason for risk: what it asks for, at its bound and just below.
func TestEveryKnownReason(t *testing.T) {
	builtins := builtin(t)
	if len(builtins.risk.rules) != len(knownReasons) {
		t.Errorf("%d reasons are built in, %d are tested", len(builtins.risk.rules), len(knownReasons))
	}
	for _, c := range knownReasons {
		what, rest, _ := strings.Cut(c.condition, " ")
		rest, except, _ := strings.Cut(rest, " except ")
		holds := func(f Facts) bool {
			for _, r := range builtins.Risk(&f, nil).Reasons {
				if r.ID() != c.id || r.Weight() != c.weight {
					continue
				}
				want, evidence := c.text, []string(nil)
				switch what {
				case "fact":
					want = strings.ReplaceAll(c.text, "{n}", fmt.Sprint(f.Numbers[slices.Index(factNames[:], rest)]))
				case "tools":
					evidence = f.Tools
				case "tactic", "technique":
					evidence = f.Techniques
				}
				if text := string(r.AppendText(nil)); text != want || !slices.Equal(r.Evidence, evidence) {
					t.Errorf("%s says %q by %q, want %q by %q", c.id, text, r.Evidence, want, evidence)
				}
				return true
			}
			return false
		}
		switch what {
		case "fact":
			fact := slices.Index(factNames[:], rest)
			if fact < 0 {
				t.Errorf("%s is no fact", rest)
				continue
			}
			var f Facts
			if f.Numbers[fact] = c.atLeast; !holds(f) {
				t.Errorf("%s: %d of %s is no reason of weight %v", c.id, c.atLeast, rest, c.weight)
			}
			if f.Numbers[fact] = c.atLeast + 1; !holds(f) {
				t.Errorf("%s: %d of %s is no reason of weight %v", c.id, c.atLeast+1, rest, c.weight)
			}
			if f.Numbers[fact] = c.atLeast - 1; holds(f) {
				t.Errorf("%s: %d of %s is a reason of weight %v", c.id, c.atLeast-1, rest, c.weight)
			}
		case "class":
			if !holds(Facts{Class: rest}) || holds(Facts{Class: rest + "x"}) {
				t.Errorf("%s: class %s", c.id, rest)
			}
		case "tools":
			for _, tool := range strings.Fields(rest) {
				if !holds(Facts{Tools: []string{tool}}) {
					t.Errorf("%s: %s is no reason", c.id, tool)
				}
			}
			if !holds(Facts{Tools: strings.Fields(rest)}) || holds(Facts{Tools: []string{"curl", "paramiko", "go_ssh"}}) {
				t.Errorf("%s: tools %s", c.id, rest)
			}
		case "technique":
			if !holds(Facts{Techniques: []string{rest}}) || holds(Facts{Techniques: []string{"T1082"}}) {
				t.Errorf("%s: technique %s", c.id, rest)
			}
		case "tactic":
			exceptions := strings.Fields(except)
			for id, technique := range builtins.catalogue.techniques {
				want := slices.Contains(technique.Tactics, rest) && !slices.Contains(exceptions, id)
				if got := holds(Facts{Techniques: []string{id}}); got != want {
					t.Errorf("%s: %s is a reason: %v, want %v", c.id, id, got, want)
				}
			}
		}
	}
}

// The built-in file's score, worked out by the formula in docs/profile.md: 90,
// 75, 70, 60 and 10 of ten inputs.
func TestScoreIsTheFormulas(t *testing.T) {
	f := Facts{Techniques: []string{"T1190"}}
	f.Numbers[LoginSuccesses], f.Numbers[Commands], f.Numbers[Strobe], f.Numbers[Events] = 2, 20, 1, 1
	norm := 0.0
	for i := 1.0; i <= 10; i++ {
		norm += 1 / math.Pow(i, 1.5)
	}
	want := (90 + 75/math.Pow(2, 1.5) + 70/math.Pow(3, 1.5) + 60/math.Pow(4, 1.5) + 10/math.Pow(5, 1.5)) / norm
	got := builtin(t).Risk(&f, nil)
	if math.Abs(got.Score-want) > 0.005 || len(got.Reasons) != 5 {
		t.Errorf("score %v of %d reasons, want %.2f", got.Score, len(got.Reasons), want)
	}
	f.Spoofable = true
	if half := builtin(t).Risk(&f, nil); math.Abs(half.Score-want/2) > 0.005 || math.Abs(half.Reasons[0].Points-got.Reasons[0].Points/2) > 0.01 {
		t.Errorf("spoofable, %v with %v for the first, want %.2f", half.Score, half.Reasons[0].Points, want/2)
	}
	if builtin(t).AttackVersion() != "18.1" {
		t.Errorf("ATT&CK %s", builtin(t).AttackVersion())
	}
}
