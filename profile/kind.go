package profile

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"dossier/correlate/event"
	"dossier/correlate/law"
	"dossier/correlate/state"
	"dossier/profile/behavior"
	"dossier/profile/rules"
)

// The kinds of behaviour: what an attacker does, where the class is what its
// rhythm looks like.
const (
	KindScan       = "scan"
	KindCrawl      = "crawl"
	KindBruteForce = "brute_force"
	KindSpraying   = "spraying"
	KindExploit    = "exploit"
	KindAutomated  = "automated_session"
	KindHandsOn    = "hands_on"
	KindRelay      = "relay"
	KindMonitor    = "monitor"
	KindNoise      = "noise"
)

// typed works out whether somebody types.
func (r *Renderer) typed(s *state.Attacker, f *figures) {
	turns := s.Turns.List()
	if len(turns) < 2 {
		return
	}
	commands, times := s.Commands.Items(), s.Times.List()
	r.turns = r.turns[:0]
	for i := range turns {
		turn := &turns[i]
		c := given(commands, turn)
		if c == nil {
			continue
		}
		one := behavior.Typed{Session: uint64(turn.Session), Time: turn.Time, Line: c.Line()}
		if turn.Session == 0 {
			// Without a name of the session it is the decoy's, and nothing may
			// have come in between: a login would be another session.
			one.Session = 1<<32 | uint64(decoy(commands, c.Decky()))
		}
		r.turns = append(r.turns, one)
	}
	slices.SortStableFunc(r.turns, func(a, b behavior.Typed) int {
		return cmp.Or(cmp.Compare(a.Session, b.Session), cmp.Compare(a.Time, b.Time))
	})
	for i := 1; i < len(r.turns); i++ {
		if a, b := &r.turns[i-1], &r.turns[i]; a.Session == b.Session && a.Session >= 1<<32 {
			b.Busy = between(times, a.Time, b.Time)
		}
	}
	f.pauses, f.byHand, r.floats = behavior.ByHand(r.turns, r.floats)
}

// given finds the command that a turn is of, nil where it isn't kept.
func given(commands []law.Item, turn *state.Turn) *state.Command {
	i, _ := slices.BinarySearchFunc(commands, turn.Time, func(it law.Item, at event.Time) int { return cmp.Compare(it.Time, at) })
	for ; i < len(commands) && commands[i].Time == turn.Time; i++ {
		if c := state.CommandOf(&commands[i]); state.InShell(c.Service()) && state.LineDigest(c.Line()) == turn.Line {
			return c
		}
	}
	return nil
}

// decoy returns the place of the first command that was given on the decoy, to
// tell decoys apart by.
func decoy(commands []law.Item, decky string) int {
	return slices.IndexFunc(commands, func(it law.Item) bool { return state.CommandOf(&it).Decky() == decky })
}

// between says whether an event lies between two times.
func between(times []event.Time, from, to event.Time) bool {
	i, _ := slices.BinarySearch(times, from+1)
	return i < len(times) && times[i] < to
}

// kindOf works out what the attacker does, the first that fits, and from what that
// is concluded.
func (r *Renderer) kindOf(s *state.Attacker, f *figures) {
	n, stage := &r.facts.Numbers, f.risk.Stage
	why := f.kindWhy[:0]
	is := func(kind string) {
		f.kind = kind
		f.kindWhy = why
	}
	counted := func(text string, v int64) {
		why = append(why, text...)
		why = strconv.AppendInt(why, v, 10)
	}
	switch guessed := n[rules.LoginAttempts]; {
	case f.risk.Basis == rules.Noise:
		why = append(why, "packets alone"...)
		is(KindNoise)
	case f.byHand:
		why = f.pauses.AppendText(why)
		is(KindHandsOn)
	case stage >= rules.Inside && n[rules.ShellCommands] == 0 && n[rules.Mails] > 0:
		counted("mails to be relayed: ", n[rules.Mails])
		is(KindRelay)
	case stage >= rules.Inside && n[rules.ShellCommands] == 0 && slices.Contains(f.techniques, "T1090"):
		why = append(why, "connections to be forwarded"...)
		is(KindRelay)
	case stage == rules.Inside && inShell(s) && n[rules.Commands] <= fewCommands && n[rules.Files] == 0 && guessed >= fewGuesses:
		counted("login attempts: ", guessed)
		counted(", and then no more than commands: ", n[rules.Commands])
		is(KindBruteForce)
	case stage == rules.Inside && n[rules.Commands] == 0 && n[rules.Files] == 0 && n[rules.LoginSuccesses] > 0 && r.onlyLogsIn():
		counted("login attempts: ", guessed)
		why = append(why, ", and nothing behind the login"...)
		is(KindBruteForce)
	case stage >= rules.Inside && (n[rules.Commands] > 0 || n[rules.Files] > 0 || n[rules.LoginSuccesses] > 0 || !onlyWeb(s)):
		if rule, _ := r.gravest(); n[rules.Commands] == 0 && rule != nil {
			why = append(append(append(why, rule.Name...), ", rule "...), rule.ID...)
		} else {
			counted("commands: ", n[rules.Commands])
			why = append(why, ", none of a person's pauses between them"...)
		}
		is(KindAutomated)
	case slices.Contains(f.techniques, "T1110.003"):
		counted("few secrets for many users, login attempts: ", guessed)
		is(KindSpraying)
	case stage >= rules.Attempting:
		rule, looked := r.gravest()
		switch {
		case rule != nil:
			why = append(append(append(why, rule.Name...), ", rule "...), rule.ID...)
			is(KindExploit)
		case guessed > 0 && !looked:
			counted("login attempts: ", guessed)
			is(KindBruteForce)
		case n[rules.WorstAlerts] > 0:
			counted("signatures of the worst severity: ", n[rules.WorstAlerts])
			is(KindExploit)
		default:
			counted("asks for what is there, events: ", n[rules.Events])
			is(KindScan)
		}
	default:
		kind := KindScan
		if of := r.o.Rules.ScannerKind(f.actor); f.risk.Basis != "" && of != "" {
			kind = of
			why = append(append(append(why, f.actor...), ", known by "...), f.risk.Basis...)
		} else if n[rules.Events] >= crawled && onlyWeb(s) && requests(s) && !r.scans(f) {
			kind = KindCrawl
			counted("requests for pages, and nothing else: ", n[rules.Events])
		} else {
			counted("looks at services: ", max(n[rules.Services], int64(s.Claimed.Services.Len())))
		}
		is(kind)
	}
}

// Whoever logs in after so many attempts and gives no more than so many commands
// wanted the credentials; whoever asks a web server so often crawls.
const (
	fewGuesses  = 3
	fewCommands = 2
	crawled     = 5
)

// onlyWeb says whether nothing but a web server was talked to.
func onlyWeb(s *state.Attacker) bool {
	services := s.Services.Entries()
	return len(services) > 0 && !slices.ContainsFunc(services, func(e law.Entry) bool { return e.Key != "http" && e.Key != "https" })
}

// requests says whether there were requests, not connections alone.
func requests(s *state.Attacker) bool {
	return s.Conclusions.Len() > 0 || slices.ContainsFunc(s.Fingerprints.Entries(), func(e law.Entry) bool { return strings.HasPrefix(e.Key, "http_useragent\x00") })
}

// scans says whether one of the names is a scanner's.
func (r *Renderer) scans(f *figures) bool {
	return slices.ContainsFunc(f.tools, func(name string) bool { return r.o.Rules.Kind(name) == rules.Scanner })
}

// gravest returns the furthest and gravest rule that concluded an attack which is
// no guess of a secret, nil without one; looked says that one asked for what is there.
func (r *Renderer) gravest() (gravest *rules.Rule, looked bool) {
	door := true
	for i := range r.facts.Concluded {
		c := &r.facts.Concluded[i]
		rule := r.o.Rules.Rule(c.Rule)
		if rule == nil || rule.Rank() < rules.Attempting || strings.HasPrefix(rule.Technique, "T1110") {
			continue
		}
		if rule.Tactic == discovery {
			looked = true
			continue
		}
		// What was done says more than what was only asked for.
		if gravest == nil || door && !c.Door || door == c.Door && (rule.Grave() > gravest.Grave() || rule.Grave() == gravest.Grave() && rule.ID < gravest.ID) {
			gravest, door = rule, c.Door
		}
	}
	return gravest, looked
}

// onlyLogsIn says whether the gravest that a rule concluded is the login itself.
func (r *Renderer) onlyLogsIn() bool {
	gravest, _ := r.gravest()
	return gravest == nil || gravest.Technique == "T1078"
}

// discovery is the tactic of asking what is there.
const discovery = "TA0007"
