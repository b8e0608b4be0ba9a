package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// ownRules are two rules: one does what its examples say, the other neither
// fires where it should nor is quiet where it should.
const ownRules = `topic: bait
rules:
  - id: own-good
    name: reads our bait
    channel: shell
    when: {'word|contains': [bait.txt]}
    technique: T1083
    tactic: TA0007
    stage: inside
    severity: low
    fires: [cat bait.txt]
    quiet: [cat other.txt]
  - id: own-bad
    name: reads our other bait
    channel: shell
    when: {'word|contains': [honey.txt]}
    technique: T1083
    tactic: TA0007
    stage: inside
    severity: low
    fires: ["uname -a \u001b[31m"]
    quiet: [cat honey.txt]
`

// TestRulesAreTried: each rule by its own examples, and it is said which did
// what.
func TestRulesAreTried(t *testing.T) {
	out, errs, status := dossier(t, nil, "test", "rules")
	if status != 0 || out != "" || !strings.Contains(errs, " rules, ") || !strings.Contains(errs, " 0 failed\n") {
		t.Errorf("the built-in rules: status %d, %.500s, %s", status, out, errs)
	}
	file := filepath.Join(t.TempDir(), "rules.yaml")
	if err := os.WriteFile(file, []byte(ownRules), 0o600); err != nil {
		t.Fatal(err)
	}
	out, errs, status = dossier(t, nil, "test", "rules", file)
	if status != 1 || errs != "2 rules, 4 examples, 2 failed\n" {
		t.Errorf("status %d, %s", status, errs)
	}
	for _, want := range []string{
		"ok   own-good: cat bait.txt: fires on shell", "ok   own-good: cat other.txt: quiet",
		`FAIL own-bad: uname -a \x1b[31m: quiet, should fire; others that fire: ask-system`, "FAIL own-bad: cat honey.txt: fires on shell, should be quiet",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if err := os.WriteFile(file, []byte(strings.Replace(ownRules, "    fires: [cat bait.txt]\n", "", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, errs, status = dossier(t, nil, "test", "rules", file); status != 1 || !strings.Contains(errs, "FAIL own-good has no example that it must hold for") {
		t.Errorf("status %d, %s", status, errs)
	}
	if _, errs, status = dossier(t, nil, "test", "rules", file+"x"); status != 1 || strings.Count(errs, "\n") != 1 {
		t.Errorf("status %d, %s", status, errs)
	}
}

var tryRows = map[string]row{
	"test rules --all": {"maybe", `"maybe" for "-a, --all"`, func(u use) {
		out, _, _ := u.run("true")
		contains(u.T, out, "ok   ", ": fires on shell")
	}},
	"test rules --output": {"xml", "want one of table", func(u use) {
		out, _, _ := u.run("json")
		var trials []struct {
			Rule string
			OK   bool
		}
		if err := json.Unmarshal([]byte(out), &trials); err != nil || len(trials) < 100 || !trials[0].OK {
			u.Errorf("%v: %.200s", err, out)
		}
	}},
}
