package rules

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"dossier/profile/behavior"
)

// Fact is a number that risk is judged by.
type Fact uint8

// The facts.
const (
	HandsOn Fact = iota // 1 where somebody who got in gives commands
	LoginSuccesses
	LoginAttempts
	Commands
	Files // files captured, uploaded or fetched
	Mails // mails captured
	Domains
	Credentials
	Deckies
	Services
	Interactions
	Events
	LargePayloads
	WorstAlerts // signatures of severity 1
	Alerts
	Claims // addresses claimed in headers
	Strobe // 1 where there was a contact a second for a day
	facts
)

var factNames = [facts]string{
	"hands_on", "login_successes", "login_attempts", "commands", "files", "mails", "smtp_domains", "credentials", "deckies",
	"services", "interactions", "events", "large_payloads", "worst_alerts", "alerts", "claims", "strobe",
}

// Facts is what an attacker's risk is judged by.
type Facts struct {
	Numbers [facts]int64
	// Class is the class of behaviour.
	Class string
	// Tools and Techniques are names and ids, each once.
	Tools, Techniques []string
	// Spoofable says that no event proves that the address is the
	// attacker's.
	Spoofable bool
}

// The levels of risk, and the score from which each begins.
var levels = []struct {
	name string
	from float64
}{{"Critical", 90}, {"High", 70}, {"Moderate", 40}, {"Low", 20}, {"Unknown", 0}}

// Level returns the level of a score.
func Level(score float64) string {
	for _, l := range levels {
		if score >= l.from {
			return l.name
		}
	}
	return levels[len(levels)-1].name
}

// AppendLevels appends the levels that a score has reached, lowest first, but
// for Unknown.
func AppendLevels(dst []string, score float64) []string {
	for i := len(levels) - 2; i >= 0; i-- {
		if score >= levels[i].from {
			dst = append(dst, levels[i].name)
		}
	}
	return dst
}

// Risk is how dangerous an attacker is, and why.
type Risk struct {
	// Score is from 0 to 100.
	Score float64
	Level string
	// Reasons are the strongest, strongest first.
	Reasons []Reason
}

// Reason is one input of a score.
type Reason struct {
	rule *riskRule
	n    int64
	// Points is what the reason adds to the score.
	Points float64
	// Evidence names what the reason was concluded from, where that is not a
	// number: tools or techniques.
	Evidence []string
}

// ID names the reason.
func (r *Reason) ID() string { return r.rule.id }

// Weight is how much the reason alone would count, from 0 to 100.
func (r *Reason) Weight() float64 { return r.rule.weight }

// AppendText appends the reason in words.
func (r *Reason) AppendText(dst []byte) []byte {
	before, after, ok := strings.Cut(r.rule.text, "{n}")
	dst = append(dst, before...)
	if ok {
		dst = strconv.AppendInt(dst, r.n, 10)
		dst = append(dst, after...)
	}
	return dst
}

type riskRules struct {
	inputs int
	factor float64
	norm   float64
	rules  []riskRule
}

type riskRule struct {
	id, text, class, tactic, technique string
	tools, except                      []string
	fact                               Fact
	isFact                             bool
	atLeast                            int64
	weight                             float64
}

func (s *Set) loadRisk(data []byte) error {
	var f struct {
		Version   int     `json:"version"`
		Inputs    int     `json:"inputs"`
		Spoofable float64 `json:"spoofable_factor"`
		Reasons   []struct {
			ID        string   `json:"id"`
			Fact      string   `json:"fact"`
			AtLeast   int64    `json:"at_least"`
			Class     string   `json:"class"`
			Tools     []string `json:"tools"`
			Tactic    string   `json:"tactic"`
			Technique string   `json:"technique"`
			Except    []string `json:"except"`
			Weight    float64  `json:"weight"`
			Text      string   `json:"text"`
		} `json:"reasons"`
	}
	if err := strict(data, &f); err != nil {
		return err
	}
	if err := checkVersion(f.Version); err != nil {
		return err
	}
	if f.Inputs < 1 || f.Inputs > 10000 {
		return fmt.Errorf("inputs %d: allowed are 1 to 10000", f.Inputs)
	}
	if f.Spoofable < 0 || f.Spoofable > 1 {
		return fmt.Errorf("spoofable_factor %v: allowed are 0 to 1", f.Spoofable)
	}
	s.risk = riskRules{inputs: f.Inputs, factor: f.Spoofable, norm: zeta(f.Inputs)}
	for i, r := range f.Reasons {
		rule := riskRule{id: r.ID, text: r.Text, class: r.Class, tactic: r.Tactic, technique: r.Technique, tools: r.Tools, except: r.Except, atLeast: max(r.AtLeast, 1), weight: r.Weight}
		conditions := 0
		var err error
		if r.Fact != "" {
			conditions++
			fact := slices.Index(factNames[:], r.Fact)
			if fact < 0 {
				err = fmt.Errorf("%q is no fact; facts are %s", r.Fact, strings.Join(factNames[:], ", "))
			} else {
				rule.fact, rule.isFact = Fact(fact), true
			}
		}
		for _, given := range []bool{r.Class != "", len(r.Tools) > 0, r.Tactic != "", r.Technique != ""} {
			if given {
				conditions++
			}
		}
		switch {
		case err != nil:
		case r.ID == "" || r.Text == "":
			err = errors.New("id and text must be given")
		case conditions != 1:
			err = errors.New("one of fact, class, tools, tactic and technique must be given")
		case r.Weight <= 0 || r.Weight > 100:
			err = fmt.Errorf("weight %v: allowed are numbers above 0, up to 100", r.Weight)
		}
		if _, known := s.catalogue.tactics[r.Tactic]; err == nil && r.Tactic != "" && !known {
			err = fmt.Errorf("%q is no tactic of ATT&CK %s", r.Tactic, s.catalogue.version)
		}
		if _, known := s.catalogue.techniques[r.Technique]; err == nil && r.Technique != "" && !known {
			err = fmt.Errorf("%q is no technique of ATT&CK %s", r.Technique, s.catalogue.version)
		}
		if err != nil {
			return fmt.Errorf("reason %d: %w", i, err)
		}
		s.risk.rules = append(s.risk.rules, rule)
	}
	// The strongest first, so that of the rules with one id the first that
	// holds counts.
	slices.SortStableFunc(s.risk.rules, func(a, b riskRule) int { return cmp.Compare(b.weight, a.weight) })
	return nil
}

// maxReasons is the number of reasons told.
const maxReasons = 10

// zeta is the largest value of Σ 1/i^1.5 over n inputs.
func zeta(n int) float64 {
	sum := 0.0
	for i := 1; i <= n; i++ {
		sum += math.Pow(float64(i), -1.5)
	}
	return sum
}

// Weigh combines weights, which descend, into a score: Σ wᵢ/i^1.5, divided by
// what as many inputs as given could give at the most. It is the formula of
// Elastic's entity risk score: bounded, and one strong input outweighs many
// weak ones.
func Weigh(weights []float64, inputs int) float64 {
	sum := 0.0
	for i, w := range weights[:min(len(weights), inputs)] {
		sum += w / math.Pow(float64(i+1), 1.5)
	}
	return sum / zeta(inputs)
}

// Risk judges facts. The reasons are kept in the memory of into.
func (s *Set) Risk(f *Facts, into []Reason) Risk {
	r := Risk{Reasons: into[:0]}
	raw := 0.0
	n := 0
	for i := range s.risk.rules {
		rule := &s.risk.rules[i]
		if n == s.risk.inputs || slices.ContainsFunc(r.Reasons, func(o Reason) bool { return o.rule.id == rule.id }) {
			continue
		}
		reason := Reason{rule: rule}
		// Evidence of an earlier call lends its memory.
		if len(r.Reasons) < cap(r.Reasons) {
			reason.Evidence = r.Reasons[:len(r.Reasons)+1][len(r.Reasons)].Evidence[:0]
		}
		if !s.holds(rule, f, &reason) {
			continue
		}
		n++
		reason.Points = rule.weight / math.Pow(float64(n), 1.5) / s.risk.norm
		if f.Spoofable {
			reason.Points *= s.risk.factor
		}
		raw += reason.Points
		reason.Points = behavior.Round(reason.Points, 2)
		r.Reasons = append(r.Reasons, reason)
	}
	r.Score = behavior.Round(raw, 2)
	r.Level = Level(r.Score)
	r.Reasons = r.Reasons[:min(len(r.Reasons), maxReasons)]
	return r
}

// holds says whether the rule's condition holds, and notes by what.
func (s *Set) holds(rule *riskRule, f *Facts, reason *Reason) bool {
	switch {
	case rule.isFact:
		reason.n = f.Numbers[rule.fact]
		return reason.n >= rule.atLeast
	case rule.class != "":
		return f.Class == rule.class
	case len(rule.tools) > 0:
		for _, t := range f.Tools {
			if slices.Contains(rule.tools, t) {
				reason.Evidence = append(reason.Evidence, t)
			}
		}
	case rule.technique != "":
		if slices.Contains(f.Techniques, rule.technique) {
			reason.Evidence = append(reason.Evidence, rule.technique)
		}
	default:
		for _, id := range f.Techniques {
			t, ok := s.catalogue.techniques[id]
			if ok && slices.Contains(t.Tactics, rule.tactic) && !slices.Contains(rule.except, id) {
				reason.Evidence = append(reason.Evidence, id)
			}
		}
	}
	return len(reason.Evidence) > 0
}
