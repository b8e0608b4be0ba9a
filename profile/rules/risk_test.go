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

// riskOf returns a file of risk with these reasons and bands that are easy to
// work with: looking 10 to 20, attempting 20 to 30, inside 30 to 40, acting 40
// to 80.
func riskOf(reasons ...string) string {
	return `{"version":2,"stages":[{"stage":"looking","from":10,"to":20,"half_life_days":1},{"stage":"attempting","from":20,"to":30,"half_life_days":2},
		{"stage":"inside","from":30,"to":40,"half_life_days":4},{"stage":"acting","from":40,"to":80,"half_life_days":8}],"earlier_factor":0.5,"lifting_weight":20,
		"severities":{"low":10,"medium":25,"high":50,"critical":75},"harmless":{"network":2,"dns":4,"announced":6,"noise":1},"internal":{"from":24,"to":26},
		"software":{"id":"software","text":"s"},"tactics":[{"tactic":"TA0003","id":"persistence","text":"p"},{"tactic":"TA0011","id":"control","text":"c"}],
		"reasons":[` + strings.Join(reasons, ",") + `]}`
}

func ofRisk(t *testing.T, reasons ...string) *Set {
	t.Helper()
	s, err := New(Options{Risk: put(t, riskOf(reasons...))})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func concludedRules(ids ...string) (c []Concluded) {
	for i, id := range ids {
		c = append(c, Concluded{Rule: id, Stage: 1, First: event.Time(1000 - i)})
	}
	return c
}

func never(f Facts) *Facts {
	for i := range f.Since {
		f.Since[i] = event.Never
	}
	return &f
}

// The furthest stage of which something of weight tells is reached, and moves the
// score into its band: no number of weak reasons does, one strong one does.
func TestStageIsTheFurthest(t *testing.T) {
	var weak []string
	for i := range 30 {
		weak = append(weak, fmt.Sprintf(`{"id":"w%d","fact":"events","stage":"acting","weight":19,"text":"w"}`, i))
	}
	look := `{"id":"look","fact":"services","stage":"looking","weight":1,"text":"l"}`
	f := never(Facts{})
	f.Numbers[Events], f.Numbers[Services] = 1, 1
	if got := ofRisk(t, append(weak, look)...).Risk(f, nil); got.Stage != Looking || got.Score > 20 || got.Score < 19.9 {
		t.Errorf("thirty weak reasons give %s, %v", got.Stage, got.Score)
	}
	strong := `{"id":"s","fact":"commands","stage":"acting","weight":20,"text":"s"}`
	f.Numbers[Commands] = 1
	if got := ofRisk(t, look, strong).Risk(f, nil); got.Stage != Acting || got.Base != 40 || got.Score <= 40 || got.Score > 80 {
		t.Errorf("one strong reason gives %s, %v from %v", got.Stage, got.Score, got.Base)
	}
	for stage, name := range map[Stage]string{None: "none", Looking: "looking", Attempting: "attempting", Inside: "inside", Acting: "acting", Acting + 1: "none"} {
		if stage.String() != name || stage <= Acting && stage != None && stageOf(name) != stage {
			t.Errorf("stage %d is %s", stage, stage)
		}
	}
}

// The formula, by hand: of the acting band's 40 points a reason of 50 takes 20,
// one of 25 of what is left 5, one of an earlier stage half of its weight, 20 of
// 15 3.
func TestScoreIsTheFormulas(t *testing.T) {
	s := ofRisk(t,
		`{"id":"a","fact":"commands","stage":"acting","weight":50,"text":"commands: {n}"}`,
		`{"id":"a","fact":"commands","stage":"acting","at_least":10,"weight":60,"text":"more"}`,
		`{"id":"b","tools":["x","y"],"weight":25,"text":"b"}`,
		`{"id":"c","class":"scanning","stage":"looking","weight":40,"text":"c"}`)
	f := never(Facts{Tools: []string{"x", "z"}, Class: behavior.Scanning})
	f.Numbers[Commands] = 9
	got := s.Risk(f, nil)
	if got.Score != 68 || got.Base != 40 || len(got.Reasons) != 3 || got.Class != Malicious {
		t.Fatalf("%v from %v by %d reasons, %s", got.Score, got.Base, len(got.Reasons), got.Class)
	}
	for i, want := range []string{"a 50 20 [] acting commands: 9", "b 25 5 [x] none b", "c 40 3 [] looking c"} {
		r := &got.Reasons[i]
		if text := fmt.Sprint(r.ID(), " ", r.Weight(), " ", r.Points, " ", r.Evidence, " ", r.Stage(), " ", string(r.AppendText(nil))); text != want {
			t.Errorf("reason %d is %s, want %s", i, text, want)
		}
	}
	f.Numbers[Commands] = 10
	if got := s.Risk(f, nil); got.Reasons[0].Weight() != 60 || len(got.Reasons) != 3 {
		t.Errorf("of one id the strongest counts: %v", got.Reasons)
	}
	// Memory lent to the next call must not show.
	first := fmt.Sprint(s.Risk(f, nil))
	memory := s.Risk(f, nil).Reasons
	s.Risk(never(Facts{Tools: []string{"y"}}), memory)
	if again := fmt.Sprint(s.Risk(f, memory)); len(again) != len(first) {
		t.Errorf("%s, then %s", first, again)
	}
}

// What rules concluded counts by the tactic, the gravest of a tactic once, and
// names the rules; what a decoy was only asked for is no more than an attempt.
func TestConclusionsAreWeighed(t *testing.T) {
	s := ofRisk(t)
	got := s.Risk(never(Facts{Concluded: concludedRules("crontab", "ssh-key-written", "fetch")}), nil)
	if got.Stage != Acting || len(got.Reasons) != 2 || got.Reasons[0].ID() != "persistence" || got.Reasons[0].Weight() != 75 || !slices.Equal(got.Reasons[0].Evidence, []string{"crontab", "ssh-key-written"}) {
		t.Fatalf("%s by %v", got.Stage, got.Reasons)
	}
	// 40 and 40*0.75, then 25 by half of the 10 left.
	if got.Score != 71.25 || got.Since[Acting] != 999 || got.Since[Inside] != 998 || got.Since[Looking] != event.Never {
		t.Errorf("score %v, since %v", got.Score, got.Since)
	}
	asked := concludedRules("crontab", "fetch")
	for i := range asked {
		asked[i].Door = true
	}
	if got := s.Risk(never(Facts{Concluded: asked}), nil); got.Stage != Attempting || got.Since[Attempting] != 999 {
		t.Errorf("asked at the door: %s since %v", got.Stage, got.Since)
	}
	if got := s.Risk(never(Facts{Concluded: concludedRules("of-another-version")}), nil); got.Stage != None || got.Score != 0 {
		t.Errorf("a rule that isn't known gives %s, %v", got.Stage, got.Score)
	}
	// Of older evidence only the technique is known: the weakest rule's stage.
	if got := s.Risk(never(Facts{Folded: []Concluded{{Rule: "T1098.004", First: 7}}}), nil); got.Stage != Acting || got.Reasons[0].Evidence[0] != "T1098.004" || got.Since[Acting] != 7 {
		t.Errorf("an older technique gives %s by %v", got.Stage, got.Reasons)
	}
	// A rule tells more than its technique.
	if got := s.Risk(never(Facts{Folded: []Concluded{{Rule: "T1098.004", First: 7}}, Concluded: concludedRules("ssh-key-written")}), nil); len(got.Reasons[0].Evidence) != 1 {
		t.Errorf("told twice: %v", got.Reasons)
	}
}

// Who proves nothing is no further than looking, who is harmless has a band of
// his own, and who attacks is not harmless.
func TestWhoIsHarmless(t *testing.T) {
	s := ofRisk(t, `{"id":"look","fact":"events","stage":"looking","weight":50,"text":"l"}`, `{"id":"try","fact":"commands","stage":"attempting","weight":50,"text":"t"}`)
	look := Facts{}
	look.Numbers[Events] = 1
	attack := look
	attack.Numbers[Commands] = 1
	inside := look
	inside.Numbers[Internal] = 1
	basis := func(f Facts, basis string) *Facts { f.Basis = basis; return never(f) }
	spoofable := attack
	spoofable.Spoofable = true
	for _, c := range []struct {
		name         string
		f            *Facts
		score        float64
		class, basis string
		stage        Stage
	}{
		{"looks", never(look), 15, Suspicious, "", Looking},
		{"attacks", never(attack), 26.25, Malicious, "", Attempting},
		{"attacks with an address that nothing proves", never(spoofable), 0, Suspicious, "", None},
		{"of a listed network", basis(look, ByNetwork), 1, Benign, "network", Looking},
		{"of a confirmed name", basis(look, ByName), 2, Benign, "dns", Looking},
		{"says who it is", basis(look, Announced), 3, Benign, "announced", Looking},
		{"noise", basis(Facts{}, Noise), 0, Benign, "noise", None},
		{"of a listed network, but attacks", basis(attack, ByNetwork), 26.25, Malicious, "", Attempting},
		{"inside the network", never(inside), 25, Suspicious, "", Looking},
		{"nothing", never(Facts{}), 0, Suspicious, "", None},
	} {
		got := s.Risk(c.f, nil)
		if math.Abs(got.Score-c.score) > 0.01 || got.Class != c.class || got.Basis != c.basis || got.Stage != c.stage {
			t.Errorf("%s: %v %s %q %s, want %v %s %q %s", c.name, got.Score, got.Class, got.Basis, got.Stage, c.score, c.class, c.basis, c.stage)
		}
	}
}

// Each built-in reason holds from its bound on, and the built-in bands are those
// of docs/risk.md.
func TestBuiltinRisk(t *testing.T) {
	s := builtin(t)
	want := [...]band{{0, 20, 7}, {20, 40, 7}, {40, 60, 14}, {60, 80, 30}, {80, 100, 90}}
	if s.risk.bands != want {
		t.Errorf("bands %v, want %v", s.risk.bands, want)
	}
	if len(s.risk.rules) != 31 {
		t.Errorf("%d reasons are built in, 31 are counted", len(s.risk.rules))
	}
	for i := range s.risk.rules {
		r := &s.risk.rules[i]
		var f Facts
		switch {
		case r.isFact:
			f.Numbers[r.fact] = r.atLeast
		case r.class != "":
			f.Class = r.class
		case r.technique != "":
			f.Techniques = []string{r.technique}
		default:
			f.Tools = r.tools[len(r.tools)-1:]
		}
		holds := func() bool {
			w := weighing{k: &s.risk}
			w.rule(r, &f)
			return len(w.reasons) == 1 && w.reasons[0].Weight() == r.weight
		}
		if !holds() {
			t.Errorf("%s, %q: doesn't hold at its bound", r.id, r.text)
		}
		f.Numbers[r.fact]--
		f.Class, f.Techniques, f.Tools = f.Class+"x", nil, nil
		if holds() {
			t.Errorf("%s, %q: holds below its bound", r.id, r.text)
		}
	}
	for _, r := range s.Rules() {
		if r.Tactic != "" && s.risk.tactics[r.Tactic] == nil {
			t.Errorf("rule %s: tactic %s has no reason of its own", r.ID, r.Tactic)
		}
	}
}

// Half of a score is left after each half-life, whole and none of it at the ends.
func TestCurrent(t *testing.T) {
	for _, c := range []struct{ score, half, days, want float64 }{
		{80, 30, 0, 80}, {80, 30, 30, 40}, {80, 30, 60, 20}, {80, 30, -5, 80}, {80, 0, 100, 80}, {99.5, 90, 9000, 0},
	} {
		if got := Current(c.score, c.half, c.days); got != c.want {
			t.Errorf("%v after %v days of %v: %v, want %v", c.score, c.days, c.half, got, c.want)
		}
	}
	if got := builtin(t).Risk(never(Facts{Concluded: concludedRules("crontab")}), nil).HalfLife; got != 90 {
		t.Errorf("half of what was acted is forgotten in %v days", got)
	}
}
