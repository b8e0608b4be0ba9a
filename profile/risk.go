package profile

import (
	"slices"

	"dossier/correlate/event"
	"dossier/correlate/law"
	"dossier/correlate/state"
	"dossier/profile/rules"
)

// concluded takes what rules concluded, each rule once, and the techniques that
// stand behind.
func (r *Renderer) concluded(s *state.Attacker, f *figures) {
	r.facts.Concluded = r.facts.Concluded[:0]
next:
	for i := range s.Conclusions.Entries() {
		e := &s.Conclusions.Entries()[i]
		id, stage, door := state.ConclusionOf(e.Key)
		for j := range r.facts.Concluded {
			// Versions of a rule may differ in its stage.
			if c := &r.facts.Concluded[j]; c.Rule == id && c.Door == door {
				c.First = law.Earliest(c.First, e.First)
				continue next
			}
		}
		r.facts.Concluded = append(r.facts.Concluded, rules.Concluded{Rule: id, Stage: stage, Door: door, First: e.First})
		if rule := r.o.Rules.Rule(id); rule != nil && rule.Technique != "" {
			f.techniques = append(f.techniques, rule.Technique)
		}
	}
}

// weigh judges the risk.
func (r *Renderer) weigh(h Head, s *state.Attacker, f *figures, tools []string) {
	r.facts = rules.Facts{Class: f.class, Tools: tools, Techniques: f.techniques, Spoofable: !s.Handshake, Concluded: r.facts.Concluded, Folded: r.facts.Folded}
	n, since := &r.facts.Numbers, &r.facts.Since
	for i := range since {
		since[i] = event.Never
	}
	if at := handsOn(s); at != event.Never {
		n[rules.HandsOn], since[rules.HandsOn] = 1, at
	}
	n[rules.LoginSuccesses], since[rules.LoginSuccesses] = s.Successes, s.FirstSuccess
	n[rules.LoginAttempts] = s.Attempts
	n[rules.Commands] = s.CommandCount
	if inShell(s) {
		n[rules.ShellCommands], since[rules.ShellCommands] = s.CommandCount, s.FirstCommand
	}
	for i := range s.Artifacts.Entries() {
		e := &s.Artifacts.Entries()[i]
		switch a := artifactOf(e.Key); {
		case a.kind == "mail":
			n[rules.Mails]++
		case rules.Nothing(a.sha256) && a.url == "": // nobody's payload
		default:
			n[rules.Files]++
			since[rules.Files] = law.Earliest(since[rules.Files], e.First)
		}
	}
	n[rules.Domains] = s.Domains.Count()
	n[rules.Credentials] = s.Credentials.Distinct()
	n[rules.Deckies] = s.Deckies.Distinct()
	n[rules.Services] = s.Services.Distinct()
	n[rules.Interactions] = s.Kinds[event.Interaction]
	n[rules.Events], since[rules.Events] = s.Kinds[event.Scan]+s.Kinds[event.Interaction], s.First
	n[rules.LargePayloads] = s.Large
	n[rules.Alerts] = s.Alerts.Distinct()
	for i := range s.Alerts.Entries() {
		switch e := &s.Alerts.Entries()[i]; {
		case alertOf(e.Key).side != "":
			n[rules.Alerts]-- // who served the decoy attacked nobody
		case severityOf(e) == 1:
			n[rules.WorstAlerts]++
			since[rules.WorstAlerts] = law.Earliest(since[rules.WorstAlerts], e.First)
		}
	}
	n[rules.Claims] = s.Leaks.Distinct()
	if f.beacon.Strobe {
		n[rules.Strobe] = 1
	}
	if r.scope(h) == Internal {
		n[rules.Internal] = 1
	}
	if inferred(s) {
		n[rules.Inferred], since[rules.Inferred] = 1, s.FirstCommand
	}
	if f.byHand {
		n[rules.Person] = 1
	}
	if !s.Handshake {
		n[rules.Unproven] = requested(s)
	}
	r.facts.Basis, f.actor = r.harmless(h, s, tools)
	r.facts.Folded = r.facts.Folded[:0]
	for i := range s.Techniques.Entries() {
		e := &s.Techniques.Entries()[i]
		r.facts.Folded = append(r.facts.Folded, rules.Concluded{Rule: e.Key, First: e.First})
	}
	f.risk = r.o.Rules.Risk(&r.facts, r.reasons)
	r.reasons = f.risk.Reasons
}

// harmless says by what an attacker that only looks is taken for harmless, and
// who it is. From inside the network nobody is, nor from a private address, whatever
// internal_nets says.
func (r *Renderer) harmless(h Head, s *state.Attacker, tools []string) (basis, actor string) {
	if n := &r.facts.Numbers; n[rules.Events] == 0 && n[rules.Unproven] == 0 {
		return rules.Noise, ""
	}
	if h.Addr.IsPrivate() || r.scope(h) == Internal || !s.Handshake {
		return "", ""
	}
	if !h.Network.IsValid() {
		if actor = r.o.Rules.Scanner(h.Addr); actor != "" {
			return rules.ByNetwork, actor
		}
	}
	if actor = r.o.Rules.Named(r.o.Names.Confirmed(h.Addr)); actor != "" {
		return rules.ByName, actor
	}
	if actor = r.o.Rules.Announced(tools); actor != "" {
		return rules.Announced, actor
	}
	return "", ""
}

// portScan is the service of packets to closed ports, sweep how many of them
// are no stray ones.
const (
	portScan = "portscan"
	sweep    = 10
)

// requested counts the events that asked a service for something with an address
// that nothing proves. A packet that no service took is none: victims of forged
// addresses send such.
func requested(s *state.Attacker) (n int64) {
	for i := range s.Claimed.Services.Entries() {
		if e := &s.Claimed.Services.Entries()[i]; e.Key != portScan || e.Count >= sweep {
			n += e.Count
		}
	}
	return n
}

// inferred says whether commands in a shell prove a login of which no sensor
// tells how it ended.
func inferred(s *state.Attacker) bool {
	return s.Attempts > 0 && s.Successes == 0 && s.CommandCount > 0 && inShell(s)
}

// conclusions appends what rules concluded, and the techniques of which no rule
// tells: what sensors say themselves, and what versions before this one folded.
func (r *Renderer) conclusions(d *document, s *state.Attacker, p *plan) {
	kept := r.byFirst(&s.Conclusions, p.keep[listConclusions])
	elements(d, "conclusions", kept, func(e *law.Entry) { r.conclusion(d, e) })
	open := false
	kept = r.byFirst(&s.Techniques, p.keep[listTechniques])
	for i := range kept {
		if r.o.Rules.Conclude(r.facts.Concluded, kept[i].Key) {
			continue
		}
		if !open {
			d.array("technique_evidence")
			open = true
		}
		d.concluded(&kept[i])
	}
	if open {
		d.endArray()
	}
}

// wholly appends what the whole profile shows, by none of its events alone.
func (d *document) wholly(s *state.Attacker, f *figures) {
	if len(f.whole) == 0 && f.packets == "" && f.listed == "" {
		return
	}
	d.array("profile_evidence")
	since := func() {
		d.someTime("first_seen", s.First)
		d.someTime("last_seen", s.Last)
		d.end()
	}
	for i := range f.whole {
		d.element()
		d.string("technique", f.whole[i].Technique)
		d.string("why", f.whole[i].Why)
		if f.whole[i].Technique == "T1110.003" {
			d.int("users", int64(f.users))
			d.int("secrets", int64(f.secrets))
		}
		since()
	}
	if f.packets != "" {
		d.element()
		d.string("tool", f.packets)
		d.string("why", "sends packets that only it makes")
		since()
	}
	if f.listed != "" {
		d.element()
		d.string("tool", f.listed)
		d.string("why", "comes from the network that is listed as its own")
		since()
	}
	d.endArray()
}

func (r *Renderer) conclusion(d *document, e *law.Entry) {
	id, rank, door := state.ConclusionOf(e.Key)
	stage := rules.Stage(rank)
	d.element()
	d.string("rule", id)
	if rule := r.o.Rules.Rule(id); rule != nil {
		stage = rule.Rank()
		d.string("why", rule.Name)
		d.some("technique", rule.Technique)
		d.some("tactic", rule.Tactic)
		if rule.Software != nil {
			d.string("software", rule.Software.Name)
			d.some("software_id", r.o.Rules.AttackID(rule.Software.Name))
		}
		if len(rule.CVE) > 0 {
			d.strings("cve", rule.CVE)
		}
		d.string("severity", rule.Severity)
	}
	if door {
		stage = min(stage, rules.Attempting)
		d.bool("asked_only", true)
	}
	d.string("stage", stage.String())
	d.some("saw", e.Payload)
	d.counted(e)
	d.end()
}

// exploit returns the rule that a conclusion is by, where that is about
// getting in through a flaw, else nil.
func (r *Renderer) exploit(e *law.Entry) *rules.Rule {
	id, _, _ := state.ConclusionOf(e.Key)
	rule := r.o.Rules.Rule(id)
	if rule == nil || len(rule.CVE) == 0 && rule.Technique != exploitation {
		return nil
	}
	return rule
}

// exploitation is ATT&CK's Exploit Public-Facing Application.
const exploitation = "T1190"

// exploits appends which flaws were tried, and by what, of the conclusions that
// are shown.
func (r *Renderer) exploits(d *document, s *state.Attacker, p *plan) {
	kept := r.byFirst(&s.Conclusions, p.keep[listConclusions])
	var flaws, requests []string
	for i := range kept {
		rule := r.exploit(&kept[i])
		if rule == nil {
			continue
		}
		flaws = append(flaws, rule.CVE...)
		if saw := kept[i].Payload; saw != "" && indexable(saw) {
			requests = append(requests, saw)
		}
	}
	if len(flaws)+len(requests) == 0 {
		return
	}
	slices.Sort(flaws)
	slices.Sort(requests)
	d.object("exploit")
	d.someStrings("cve", slices.Compact(flaws))
	d.someStrings("request", slices.Compact(requests))
	d.end()
}

// riskOf appends how dangerous the attacker is, and why.
func (r *Renderer) riskOf(d *document, s *state.Attacker, f *figures) {
	risk := &f.risk
	if version := r.o.Rules.Version(); version != "" {
		d.object("rules")
		d.string("version", version)
		d.string("lists_date", r.o.Rules.ScannersDate())
		d.end()
	}
	d.some("classification", risk.Class)
	d.some("classification_basis", risk.Basis)
	d.some("actor", f.actor)
	d.bool("login_inferred", inferred(s))
	d.object("risk")
	d.float("score", risk.Score)
	d.string("level", risk.Level)
	d.string("stage", risk.Stage.String())
	d.string("confidence", f.confidence(s))
	d.float("base", risk.Base)
	d.float("half_life_d", risk.HalfLife)
	open := false
	for stage, at := range risk.Since {
		if at == event.Never {
			continue
		}
		if !open {
			d.object("since")
			open = true
		}
		d.time(rules.Stage(stage).String(), at)
	}
	if open {
		d.end()
	}
	if len(risk.Reasons) > 0 {
		d.array("reasons")
		for i := range risk.Reasons {
			reason := &risk.Reasons[i]
			d.element()
			d.string("id", reason.ID())
			d.key("reason")
			var text [256]byte
			d.b = appendString(d.b, event.View(reason.AppendText(text[:0])))
			if reason.Stage() != rules.None {
				d.string("stage", reason.Stage().String())
			}
			d.float("weight", reason.Weight())
			d.float("points", reason.Points)
			d.someStrings("evidence", reason.Evidence)
			d.end()
		}
		d.endArray()
	}
	d.end()
}
