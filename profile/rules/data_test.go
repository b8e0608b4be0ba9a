package rules

import (
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
	{"ja4", "JA4", "t13d201100_2b729b4bf6f3_9e7b989ebec8", "icedid"},
	{"ja4", "JA4", "t13d190900_9dc949149365_97f8aa674fd9", "sliver"},
	{"ja4", "JA4", "t13i190800_9dc949149365_97f8aa674fd9", "sliver"},
	{"ja4", "JA4", "t13d191000_9dc949149365_e7c285222651", "evilginx"},
	{"ja4", "JA4", "t12i190700_d83cc789557e_16bbda4055b2", "cobalt_strike"},
	{"ja4", "JA4", "t12i210700_76e208dd3e22_16bbda4055b2", "cobalt_strike"},
	{"ja4", "JA4", "t12d190800_d83cc789557e_16bbda4055b2", "cobalt_strike"},
	{"ja4", "JA4", "t12d210800_76e208dd3e22_16bbda4055b2", "cobalt_strike"},
	{"ja4", "JA4", "t13d880900_fcb5b95cb75a_b0d3b4ac2a14", "softether"},
	{"ja4", "JA4", "t13i880900_fcb5b95cb75a_b0d3b4ac2a14", "softether"},
	{"ja4", "JA4", "t13i181000_85036bcba153_d41ae481755e", "python_tls"},
	{"ja4", "JA4", "t13d181000_85036bcba153_d41ae481755e", "python_tls"},
	{"ja4", "JA4", "t13d4312h1_c7886603b240_b26ce05bbdd6", "python_tls"},
	{"ja4", "JA4", "t13d1412h2_e33ad33b3d25_6b314db333b6", "go_tls"},
	{"ja4", "JA4", "t12d160700_8cdfa2d4673b_18dd7303c4a5", "go_tls"},
	{"ja4", "JA4", "t13d141000_cbb2034c60b8_e7c285222651", "go_tls"},
	{"jarm", "JARM", "22b22b09b22b22b22b22b22b22b22b352842cd5d6b0278445702035e06875c", "trickbot"},
	{"jarm", "JARM", "1dd40d40d00040d1dc1dd40d1dd40d3df2d6a0c2caaa0dc59908f0d3602943", "asyncrat"},
	{"jarm", "JARM", "07d14d16d21d21d00042d43d000000aa99ce74e2c6d013c745aa52b5cc042d", "metasploit"},
	{"jarm", "JARM", "29d21b20d29d29d21c41d21b21b41d494e0df9532e75299f15ba73156cee38", "merlin"},
}

// concluded returns what the rules add to an event: "tool by" and "technique
// why".
func concluded(s *Set, ev event.Event) (found []string) {
	known := len(ev.Evidence)
	s.Annotate(new(event.Arena), &ev)
	for _, e := range ev.Evidence[known:] {
		if e.Kind == event.Conclusion {
			continue
		}
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
