package rules

import (
	"strconv"
	"strings"

	"dossier/correlate/event"
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
	Claims        // addresses claimed in headers
	Strobe        // 1 where there was a contact a second for a day
	ShellCommands // commands in a shell
	Internal      // 1 for an address of scope internal
	Inferred      // 1 where commands prove a login of which no sensor tells how it ended
	Person        // 1 where somebody types at a keyboard
	Unproven      // events that looked at a decoy with an address that nothing proves
	facts
)

var factNames = [facts]string{
	"hands_on", "login_successes", "login_attempts", "commands", "files", "mails", "smtp_domains", "credentials", "deckies",
	"services", "interactions", "events", "large_payloads", "worst_alerts", "alerts", "claims", "strobe",
	"shell_commands", "internal", "inferred", "person", "unproven",
}

// Facts is what an attacker's risk is judged by.
type Facts struct {
	Numbers [facts]int64
	// Class is the class of behaviour.
	Class string
	// Tools and Techniques are names and ids, each once.
	Tools, Techniques []string
	// Folded are those of the techniques that were folded, each once, in the
	// place of rules.
	Folded []Concluded
	// Concluded is what rules concluded, each rule once.
	Concluded []Concluded
	// Since has when the facts became so, Never where that isn't known.
	Since [facts]event.Time
	// Basis says why the attacker is taken for harmless, "" where it isn't.
	Basis string
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

// Concluded is what one rule concluded from all that it saw.
type Concluded struct {
	// Rule is the rule's id, Stage the rank of its stage as whoever saw it last
	// knew it: it counts where the rule isn't known here.
	Rule  string
	Stage uint8
	// Door says that a decoy was only asked to do it.
	Door  bool
	First event.Time
}

// Risk is how dangerous an attacker is, and why.
type Risk struct {
	// Score is from 0 to 100: Base and the points of all reasons. Half of it
	// is left after HalfLife days.
	Score, Base, HalfLife float64
	Level                 string
	// Class is Benign, Suspicious or Malicious, Basis why it is Benign.
	Class, Basis string
	// Stage is how far the attacker got, Since when the first evidence of
	// each stage is from, Never where there is none.
	Stage Stage
	Since [Acting + 1]event.Time
	// Reasons are the strongest, strongest first.
	Reasons []Reason
}

// Reason is one input of a score.
type Reason struct {
	rule  *riskRule
	n     int64
	stage Stage
	// weight is the rule's, or of what rules concluded that of the gravest.
	weight float64
	// Points is what the reason adds to the score.
	Points float64
	// Evidence names what the reason was concluded from, where that is not a
	// number: rules, tools or techniques.
	Evidence []string
}

// maxEvidence is how much of a reason's evidence is named.
const maxEvidence = 16

// Stage returns the stage that the reason is evidence of, None where it is of
// any.
func (r *Reason) Stage() Stage { return r.stage }

// ID names the reason.
func (r *Reason) ID() string { return r.rule.id }

// Weight is how much the reason alone would count, from 0 to 100.
func (r *Reason) Weight() float64 { return r.weight }

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
