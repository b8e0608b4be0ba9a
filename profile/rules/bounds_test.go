package rules

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"dossier/correlate/event"
	"dossier/testbed/race"
)

func put(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "rules.json")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// A rule file of 4 MiB is read, a longer one isn't, and who is told learns
// which option and which file.
func TestRuleFilesAreBounded(t *testing.T) {
	for option, use := range map[string]func(path string) Options{
		"tool_rules":   func(path string) Options { return Options{Tools: path} },
		"attack_rules": func(path string) Options { return Options{Rules: path} },
		"risk_rules":   func(path string) Options { return Options{Risk: path} },
	} {
		body := map[string]string{"tool_rules": `{"version":1}`, "attack_rules": ownRules("a", "T1105", "when: {program: x}"), "risk_rules": riskOf()}[option]
		full := body + strings.Repeat(" ", 4<<20-len(body))
		if _, err := New(use(put(t, full))); err != nil {
			t.Errorf("%s of 4 MiB: %v", option, err)
		}
		path := put(t, full+" ")
		_, err := New(use(path))
		if err == nil || !strings.Contains(err.Error(), option) || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "4194304") {
			t.Errorf("%s of 4 MiB and a byte: %v", option, err)
		}
	}
	// One bad file doesn't hide another.
	_, err := New(Options{Tools: put(t, "{"), Risk: put(t, "{")})
	if err == nil || !strings.Contains(err.Error(), "tool_rules") || !strings.Contains(err.Error(), "risk_rules") {
		t.Errorf("two bad files: %v", err)
	}
}

// To one event at most 64 findings are added: the first ones, each once.
func TestFindingsAreBounded(t *testing.T) {
	var tools []string
	for i := range 80 {
		tools = append(tools, fmt.Sprintf(`{"tool":"tool%02d","value":"value%02d"}`, i, i))
	}
	s, err := New(Options{Tools: put(t, `{"version":1,"fingerprints":[{"type":"hassh","by":"HASSH","tools":[`+strings.Join(tools, ",")+`]}]}`)})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{1, 63, 64, 65, 80} {
		var ev event.Event
		for i := range n {
			e := event.Evidence{Kind: event.Fingerprint, A: "hassh", B: fmt.Sprintf("value%02d", i)}
			ev.Evidence = append(ev.Evidence, e, e)
		}
		found := concluded(s, ev)
		if len(found) != min(n, 64) {
			t.Errorf("%d tools give %d findings", n, len(found))
		}
		for i, f := range found {
			if f != fmt.Sprintf("tool%02d HASSH", i) {
				t.Errorf("of %d tools finding %d is %s", n, i, f)
			}
		}
	}
}

// What runs another program hands over that one, whatever options stand
// between, with values of their own or without.
func TestWrappersHandOver(t *testing.T) {
	for wrapper, c := range map[string]struct {
		valued, other string
		arguments     int
	}{
		"sudo": {"u g p C h r t T D R U", "n E H i k S b", 0}, "doas": {"u C", "n s", 0}, "busybox": {"", "", 0}, "toybox": {"", "", 0},
		"env": {"u C S", "i 0", 0}, "nohup": {"", "", 0}, "exec": {"a", "c l", 0}, "command": {"", "p v", 0}, "builtin": {"", "", 0},
		"nice": {"n", "", 0}, "ionice": {"c n", "t", 0}, "setsid": {"", "w f", 0}, "stdbuf": {"i o e", "", 0}, "timeout": {"k s", "v", 1},
		"time": {"f o", "p v", 0}, "xargs": {"a d E I L n P s", "r 0 t", 0}, "watch": {"n", "d t", 0}, "chroot": {"", "", 1},
		"unbuffer": {"", "p", 0}, "proxychains": {"f", "q", 0}, "proxychains4": {"f", "q", 0}, "torsocks": {"", "i", 0}, "tsocks": {"", "", 0},
		"if": {"", "", 0}, "then": {"", "", 0}, "elif": {"", "", 0}, "else": {"", "", 0}, "do": {"", "", 0}, "while": {"", "", 0},
		"until": {"", "", 0}, "!": {"", "", 0}, "{": {"", "", 0},
	} {
		lines := []string{" wget x", " -- wget x", " --long wget x", " A=1 wget x"}
		for option := range strings.FieldsSeq(c.valued) {
			lines = append(lines, " -"+option+" value wget x")
		}
		for option := range strings.FieldsSeq(c.other) {
			lines = append(lines, " -"+option+" wget x")
		}
		for _, line := range lines {
			if c.arguments == 1 {
				line = strings.Replace(line, " wget", " argument wget", 1)
			}
			got := parts(wrapper + line)
			want := []string{"wget: wget|x"}
			if wrapper == "sudo" || wrapper == "doas" {
				want = append([]string{wrapper + ": " + strings.ReplaceAll(wrapper+line, " ", "|")}, want...)
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s%s: %q, want %q", wrapper, line, got, want)
			}
		}
		if got, want := parts(wrapper), wrapper+": "+wrapper; len(got) != 1 || got[0] != want {
			t.Errorf("%s alone: %q, want %q", wrapper, got, want)
		}
	}
	if len(wrappers) != 32 {
		t.Errorf("%d wrappers are known, 32 are tested", len(wrappers))
	}
	for _, line := range []string{"nothing wget x", "sudoers wget x", "-u root wget"} {
		if got := parts(line); len(got) != 1 || strings.HasPrefix(got[0], "wget") {
			t.Errorf("%q: %q", line, got)
		}
	}
}

func TestShellsReadTheirArgument(t *testing.T) {
	for _, name := range []string{"sh", "bash", "dash", "ash", "zsh", "ksh", "su", "/bin/sh", "BASH"} {
		for _, options := range []string{"-c", "-xc", "-x -c", "-x -ec"} {
			if got := parts(name + " " + options + " 'wget x; id'"); len(got) != 3 || got[1] != "wget: wget|x" || got[2] != "id: id" {
				t.Errorf("%s %s: %q", name, options, got)
			}
		}
		for _, options := range []string{"--c", "-cx", "c", "--rc"} {
			if got := parts(name + " " + options + " 'wget x; id'"); len(got) != 1 {
				t.Errorf("%s %s: %q", name, options, got)
			}
		}
	}
	for _, line := range []string{"fish -c 'id'", "echo -c 'id'", "evals 'id'"} {
		if got := parts(line); len(got) != 1 {
			t.Errorf("%q: %q", line, got)
		}
	}
	if got := parts("eval 'a b' 'c d'"); len(got) != 3 || got[1] != "a: a|b" || got[2] != "c: c|d" {
		t.Errorf("eval: %q", got)
	}
}

// The bounds of a command line, each at its edge.
func TestCommandLinesAtTheirBounds(t *testing.T) {
	if n := len(parts(strings.Repeat("id;", 64))); n != 64 {
		t.Errorf("64 commands give %d", n)
	}
	if n := len(parts(strings.Repeat("id;", 65))); n != 64 {
		t.Errorf("65 commands give %d", n)
	}
	for words, want := range map[int]int{47: 47, 48: 48, 49: 48} {
		line := strings.TrimSpace(strings.Repeat("a ", words))
		if got := parts(line); strings.Count(got[0], "|")+1 != want {
			t.Errorf("%d words give %q", words, got)
		}
	}
	// The line itself is the first level.
	for depth, want := range map[int]bool{0: true, 3: true, 4: false} {
		line := strings.Repeat("$(", depth) + "id" + strings.Repeat(")", depth)
		if got := slices.Contains(parts(line), "id: id"); got != want {
			t.Errorf("at depth %d a command is read: %v", depth, got)
		}
	}
	if got := parts("a" + strings.Repeat("x", maxText)); len(got[0]) < maxText || maxText != 8192 {
		t.Errorf("a word of %d bytes is read as %d", maxText+1, len(got[0]))
	}
	// A program's name is 64 bytes at the most.
	long := strings.Repeat("n", 64)
	for line, want := range map[string]string{long: long, long + "n": long, "/bin/" + long: long, "X.EXE": "x", ".exe": ".exe", "x/": "x/", "a/b.ExE": "b"} {
		if got := parts(line); len(got) != 1 || !strings.HasPrefix(got[0], want+": ") {
			t.Errorf("%q runs %q, want %q", line, got, want)
		}
	}
	for line, want := range map[string]string{
		"A=1": "set: A=1", "_a9=": "set: _a9=", "9a=1": "9a=1: 9a=1", "=1": "=1: =1", "a-b=1": "a-b=1: a-b=1", "a=1 b": "b: b", "id 1>x": "id: id|x", "id 12>x": "id: id|12|x",
		"id a>x": "id: id|a|x", "id 0<x": "id: id|x", "id 9>x": "id: id|x", "id />x": "id: id|/|x", "id :>x": "id: id|:|x",
	} {
		if got := parts(line); !slices.Equal(got, []string{want}) {
			t.Errorf("%q: %q, want %q", line, got, want)
		}
	}
}

// What is brought along counts as one program, wherever it lies; what lies
// elsewhere goes by its name.
func TestShapeOfWhatIsBroughtAlong(t *testing.T) {
	shape := func(lines ...string) string {
		var s Shape
		for _, line := range lines {
			s.Add(line)
		}
		return strings.Join(s.Programs(), " ")
	}
	for line, want := range map[string]string{
		"./x": "./", "/tmp/x": "./", "/var/tmp/x": "./", "/dev/shm/x": "./", "/var/run/x": "./", "sudo /dev/shm/x": "sudo ./",
		"/usr/bin/x": "x", "/home/a/x": "x", "x": "x", "tmp/x": "x", "/tmpx/x": "x", "../x": "x", "/dev/x": "x",
	} {
		if got := shape(line); got != want {
			t.Errorf("%q: %q, want %q", line, got, want)
		}
	}
	if got := shape("b; a; b", "a; C"); got != "b a c" {
		t.Errorf("each once, in the order of the first run: %q", got)
	}
	for n, want := range map[int]int{63: 63, 64: 64, 65: 64} {
		var lines []string
		for i := range n {
			lines = append(lines, fmt.Sprint("program", i))
		}
		if got := strings.Fields(shape(lines...)); len(got) != want || got[0] != "program0" {
			t.Errorf("%d programs give %d", n, len(got))
		}
	}
}

// What a file of risk may say, at each bound.
func TestRiskFilesAreChecked(t *testing.T) {
	race.OneGoroutine(t)
	reason := func(rest string) string { return `{"id":"a","text":"t",` + rest + `}` }
	event := reason(`"fact":"events","weight":1`)
	with := func(old, changed string) string {
		text := riskOf(event)
		if !strings.Contains(text, old) {
			t.Fatalf("the file has no %s", old)
		}
		return strings.Replace(text, old, changed, 1)
	}
	for name, text := range map[string]string{
		"as it is":         riskOf(event),
		"earlier 0":        with(`"earlier_factor":0.5`, `"earlier_factor":0`),
		"earlier 1":        with(`"earlier_factor":0.5`, `"earlier_factor":1`),
		"a severity of 99": with(`"critical":75`, `"critical":99.9`),
		"bands with room":  with(`"from":10,"to":20`, `"from":10,"to":15`),
		"harmless at most": with(`"announced":6`, `"announced":10`),
		"a large weight":   riskOf(reason(`"fact":"events","weight":99.99`)),
		"a small weight":   riskOf(reason(`"fact":"events","weight":0.01`)),
		"class":            riskOf(reason(`"class":"mixed","weight":1`)),
		"tools":            riskOf(reason(`"tools":["x"],"weight":1`)),
		"technique":        riskOf(reason(`"technique":"T1105","weight":1`)),
		"family and stage": riskOf(reason(`"technique":"T1105","weight":1,"family":"f","stage":"inside"`)),
		"no reasons":       riskOf(),
	} {
		if _, err := New(Options{Risk: put(t, text)}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, text := range map[string]string{
		"earlier -0.01":     with(`"earlier_factor":0.5`, `"earlier_factor":-0.01`),
		"earlier 1.01":      with(`"earlier_factor":0.5`, `"earlier_factor":1.01`),
		"a severity of 100": with(`"critical":75`, `"critical":100`),
		"a severity of 0":   with(`"low":10`, `"low":0`),
		"no severity":       with(`"low":10,`, ``),
		"another severity":  with(`"low":10`, `"low":10,"none":1`),
		"a band of nothing": with(`"from":10,"to":20`, `"from":10,"to":10`),
		"bands that cross":  with(`"from":20,"to":30`, `"from":19,"to":30`),
		"beyond 100":        with(`"to":80`, `"to":101`),
		"stages swapped":    with(`"stage":"inside"`, `"stage":"acting"`),
		"half-life of 0":    with(`"half_life_days":8`, `"half_life_days":0`),
		"harmless too much": with(`"announced":6`, `"announced":10.5`),
		"no such basis":     with(`"announced":6`, `"announced":6,"liked":1`),
		"a basis missing":   with(`"noise":1`, `"nois":1`),
		"internal backward": with(`"internal":{"from":24,"to":26}`, `"internal":{"from":26,"to":24}`),
		"no software":       with(`"software":{"id":"software"`, `"software":{"id":""`),
		"a tactic unknown":  with(`TA0003`, `TA9999`),
		"weight 0":          riskOf(reason(`"fact":"events","weight":0`)),
		"weight -1":         riskOf(reason(`"fact":"events","weight":-1`)),
		"weight 100":        riskOf(reason(`"fact":"events","weight":100`)),
		"no id":             riskOf(`{"text":"t","fact":"events","weight":1}`),
		"no text":           riskOf(`{"id":"a","fact":"events","weight":1}`),
		"no condition":      riskOf(reason(`"weight":1`)),
		"fact and class":    riskOf(reason(`"fact":"events","class":"mixed","weight":1`)),
		"two of technique":  riskOf(reason(`"technique":"T1105","tools":["x"],"weight":1`)),
		"unknown technique": riskOf(reason(`"technique":"T9999","weight":1`)),
		"unknown fact":      riskOf(reason(`"fact":"evnts","weight":1`)),
		"unknown stage":     riskOf(reason(`"fact":"events","stage":"none","weight":1`)),
		"misspelt name":     riskOf(reason(`"fact":"events","wait":1`)),
		"version 1":         `{"version":1,"inputs":1,"reasons":[]}`,
		"no version":        `{"reasons":[]}`,
	} {
		if _, err := New(Options{Risk: put(t, text)}); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// What a file of tools and one of rules may say.
func TestToolAndRuleFilesAreChecked(t *testing.T) {
	race.OneGoroutine(t)
	own := func(rest string) Options { return Options{Rules: put(t, ownRules("a", "T1105", rest))} }
	tools := func(rest string) Options { return Options{Tools: put(t, `{"version":1,`+rest+`}`)} }
	for name, o := range map[string]Options{
		"program and word":        own("when: {program: x, word: -c}"),
		"modifiers":               own("when: {'word|contains': x, 'line|startswith': y, 'line|contains|all': [a, b]}"),
		"unless":                  own("when: {program: x}\n    unless: {word: -h}"),
		"several unless":          own("when: {program: x}\n    unless: [{word: -h}, {word: -V}]"),
		"software":                own("when: {program: x}\n    software: {name: x, type: malware}"),
		"a cadence":               tools(`"cadences":[{"tool":"x","interval_s":0.1}]`),
		"two types":               tools(`"fingerprints":[{"type":"a","by":"a","tools":[]},{"type":"b","by":"b","tools":[]}]`),
		"contains, prefix, value": tools(`"fingerprints":[{"type":"a","by":"a","tools":[{"tool":"x","contains":"a"},{"tool":"x","prefix":"a"},{"tool":"x","value":"a"}]}]`),
	} {
		if _, err := New(o); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	changed := func(old, now string) Options {
		text := ownRules("a", "T1105", "when: {program: x}")
		if !strings.Contains(text, old) {
			t.Fatalf("no %q in it", old)
		}
		return Options{Rules: put(t, strings.Replace(text, old, now, 1))}
	}
	for name, o := range map[string]Options{
		"unknown field":        own("when: {programme: x}"),
		"unknown modifier":     own("when: {'word|re': x}"),
		"two modifiers":        own("when: {'word|contains|startswith': x}"),
		"all alone":            own("when: {'word|all': x}"),
		"capitals":             own("when: {program: X}"),
		"empty text":           own("when: {program: x, 'word|contains': ''}"),
		"no texts":             own("when: {program: []}"),
		"empty unless":         own("when: {program: x}\n    unless: [{}]"),
		"software without":     own("when: {program: x}\n    software: {name: x}"),
		"software's type":      own("when: {program: x}\n    software: {name: x, type: virus}"),
		"unknown key":          own("when: {program: x}\n    whenever: {}"),
		"no name":              changed("name: does it", "name: ''"),
		"id":                   changed("id: a", "id: A b"),
		"tactic":               changed("TA0011", "TA0001"),
		"channel":              changed("channel: shell", "channel: shells"),
		"no channel":           changed("channel: shell", "channel: []"),
		"stage":                changed("stage: inside", "stage: in"),
		"severity":             changed("severity: low", "severity: none"),
		"no topic":             changed("topic: mine", "topic: ''"),
		"event without type":   changed("channel: shell", "channel: event"),
		"tool without tool":    changed("channel: shell", "channel: tool"),
		"two documents":        {Rules: put(t, ownRules("a", "T1105", "when: {program: x}")+"---\ntopic: y\n")},
		"a cadence of 0 s":     tools(`"cadences":[{"tool":"x","interval_s":0}]`),
		"a cadence of nobody":  tools(`"cadences":[{"interval_s":1}]`),
		"a type twice":         tools(`"fingerprints":[{"type":"a","by":"a","tools":[]},{"type":"a","by":"b","tools":[]}]`),
		"no by":                tools(`"fingerprints":[{"type":"a","tools":[]}]`),
		"no type":              tools(`"fingerprints":[{"by":"a","tools":[]}]`),
		"a tool of no text":    tools(`"fingerprints":[{"type":"a","by":"a","tools":[{"tool":"x"}]}]`),
		"a text of no tool":    tools(`"fingerprints":[{"type":"a","by":"a","tools":[{"contains":"x"}]}]`),
		"contains and prefix":  tools(`"fingerprints":[{"type":"a","by":"a","tools":[{"tool":"x","contains":"x","prefix":"x"}]}]`),
		"prefix and value":     tools(`"fingerprints":[{"type":"a","by":"a","tools":[{"tool":"x","value":"x","prefix":"x"}]}]`),
		"unknown tool's field": tools(`"fingerprints":[{"type":"a","by":"a","tools":[{"tool":"x","suffix":"x"}]}]`),
	} {
		if _, err := New(o); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	// A rule with the id of a built-in one takes its place.
	s, err := New(Options{Rules: put(t, ownRules("fetch", "T1105", "when: {program: fetchit}"))})
	if err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string]bool{"fetchit x": true, "wget x": false} {
		got := concluded(s, event.Event{Evidence: []event.Evidence{{Kind: event.Command, A: line}}})
		if slices.Contains(got, "T1105 does it") != want {
			t.Errorf("%q: %q", line, got)
		}
	}
}

// Who is internal is who the options say, and by default who has a private
// address.
func TestScopeOfRules(t *testing.T) {
	file := put(t, strings.Replace(ownRules("from-inside", "T1105", "when: {type: connect, scope: internal}"), "channel: shell", "channel: event", 1))
	for _, tt := range []struct {
		internal []netip.Prefix
		addr     string
		want     bool
	}{
		{nil, "10.0.0.1", true},
		{nil, "192.0.2.1", false},
		{[]netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}, "192.0.2.1", true},
		{[]netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}, "10.0.0.1", false},
		{[]netip.Prefix{}, "10.0.0.1", false},
	} {
		s, err := New(Options{Rules: file, Internal: tt.internal})
		if err != nil {
			t.Fatal(err)
		}
		got := concluded(s, event.Event{Type: "connect", Addr: netip.MustParseAddr(tt.addr)})
		if slices.Contains(got, "T1105 does it") != tt.want {
			t.Errorf("%s with %v: %q", tt.addr, tt.internal, got)
		}
	}
}

// What is said of a level, at each bound.
func TestLevelsReached(t *testing.T) {
	for score, want := range map[float64]string{
		0: "", 19.99: "", 20: "Low", 39.99: "Low", 40: "Low Moderate", 69.99: "Low Moderate", 70: "Low Moderate High", 89.99: "Low Moderate High",
		90: "Low Moderate High Critical", 100: "Low Moderate High Critical",
	} {
		if got := strings.Join(AppendLevels(nil, score), " "); got != want {
			t.Errorf("%v has reached %q, want %q", score, got, want)
		}
	}
	if Level(-1) != "Unknown" {
		t.Errorf("-1 is %s", Level(-1))
	}
}
