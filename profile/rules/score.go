package rules

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"dossier/correlate/event"
	"dossier/correlate/law"
	"dossier/profile/behavior"
)

// riskVersion is the version of files of risk. Files of version 1 added
// reasons up, whatever stage they were of.
const riskVersion = 2

type riskRules struct {
	bands      [Acting + 1]band
	earlier    float64
	lifting    float64
	severities map[string]float64
	rules      []riskRule // the strongest first
	tactics    map[string]*riskRule
	software   riskRule
	harmless   map[string]float64
	internal   band
	// weakest has for each technique the weakest of the rules that conclude it:
	// what is known of a technique of which no rule is told.
	weakest map[string]*Rule
	byID    map[string]*Rule
}

// band is what a stage gives, and in how many days half of it is forgotten.
type band struct{ from, to, halfLife float64 }

type riskRule struct {
	id, family, text, class, technique string
	tools                              []string
	stage                              Stage
	fact                               Fact
	isFact                             bool
	atLeast                            int64
	weight                             float64
}

type fileOfRisk struct {
	Version int `json:"version"`
	Stages  []struct {
		Stage    string  `json:"stage"`
		From     float64 `json:"from"`
		To       float64 `json:"to"`
		HalfLife float64 `json:"half_life_days"`
	} `json:"stages"`
	Earlier    float64            `json:"earlier_factor"`
	Lifting    float64            `json:"lifting_weight"`
	Severities map[string]float64 `json:"severities"`
	Harmless   map[string]float64 `json:"harmless"`
	Internal   struct {
		From float64 `json:"from"`
		To   float64 `json:"to"`
	} `json:"internal"`
	Software struct {
		ID   string `json:"id"`
		Text string `json:"text"`
	} `json:"software"`
	Tactics []struct {
		Tactic string `json:"tactic"`
		ID     string `json:"id"`
		Text   string `json:"text"`
	} `json:"tactics"`
	Reasons []struct {
		ID        string   `json:"id"`
		Family    string   `json:"family"`
		Stage     string   `json:"stage"`
		Fact      string   `json:"fact"`
		AtLeast   int64    `json:"at_least"`
		Class     string   `json:"class"`
		Tools     []string `json:"tools"`
		Technique string   `json:"technique"`
		Weight    float64  `json:"weight"`
		Text      string   `json:"text"`
	} `json:"reasons"`
}

func (s *Set) loadRisk(data []byte) error {
	var f fileOfRisk
	if err := strict(data, &f); err != nil {
		return err
	}
	if f.Version != riskVersion {
		return fmt.Errorf("version %d; this program reads version %d, which judges by stages (docs/upgrading.md)", f.Version, riskVersion)
	}
	k := riskRules{
		earlier: f.Earlier, lifting: f.Lifting, severities: map[string]float64{}, tactics: map[string]*riskRule{}, harmless: f.Harmless,
		software: riskRule{id: f.Software.ID, family: f.Software.ID, text: f.Software.Text},
	}
	if err := errors.Join(k.loadBands(&f), k.loadWeights(&f), k.loadReasons(&f, &s.catalogue)); err != nil {
		return err
	}
	s.risk = k
	return nil
}

func (k *riskRules) loadBands(f *fileOfRisk) error {
	var names []string
	last := 0.0
	for _, b := range f.Stages {
		names = append(names, b.Stage)
		if b.From < last || b.To <= b.From || b.To > 100 || b.HalfLife <= 0 {
			return fmt.Errorf("stage %s: from %v to %v, half_life_days %v: stages must follow each other from 0 to 100, and days be above 0", b.Stage, b.From, b.To, b.HalfLife)
		}
		last = b.To
		k.bands[stageOf(b.Stage)] = band{b.From, b.To, b.HalfLife}
	}
	k.bands[None] = band{0, k.bands[Looking].from, k.bands[Looking].halfLife}
	if k.internal = (band{from: f.Internal.From, to: f.Internal.To}); k.internal.from < 0 || k.internal.to < k.internal.from || k.internal.to > 100 {
		return fmt.Errorf("internal: from %v to %v: allowed are 0 to 100", f.Internal.From, f.Internal.To)
	}
	if !slices.Equal(names, stages) {
		return fmt.Errorf("stages %q: there must be %q, in that order", names, stages)
	}
	return nil
}

func (k *riskRules) loadWeights(f *fileOfRisk) error {
	var errs []error
	if f.Earlier < 0 || f.Earlier > 1 {
		errs = append(errs, fmt.Errorf("earlier_factor %v: allowed are 0 to 1", f.Earlier))
	}
	for _, name := range severities {
		w := f.Severities[name]
		if w <= 0 || w >= 100 {
			errs = append(errs, fmt.Errorf("severities: %s is %v; allowed are numbers above 0, below 100", name, w))
		}
		k.severities[name] = w
	}
	if len(f.Severities) != len(severities) {
		errs = append(errs, fmt.Errorf("severities: there must be %s", strings.Join(severities, ", ")))
	}
	for _, basis := range Bases() {
		if w, given := f.Harmless[basis]; !given || w < 0 || w > k.bands[Looking].from {
			errs = append(errs, fmt.Errorf("harmless: %s is %v; it must be given, from 0 to where looking begins", basis, w))
		}
	}
	if len(f.Harmless) != len(Bases()) {
		errs = append(errs, fmt.Errorf("harmless: there must be %s", strings.Join(Bases(), ", ")))
	}
	return errors.Join(errs...)
}

func (k *riskRules) loadReasons(f *fileOfRisk, c *catalogue) error {
	if f.Software.ID == "" || f.Software.Text == "" {
		return errors.New("software: id and text must be given")
	}
	for _, t := range f.Tactics {
		if _, known := c.tactics[t.Tactic]; !known || t.ID == "" || t.Text == "" {
			return fmt.Errorf("tactics: %q: a tactic of ATT&CK %s, id and text must be given", t.Tactic, c.version)
		}
		k.tactics[t.Tactic] = &riskRule{id: t.ID, family: t.ID, text: t.Text}
	}
	for i, r := range f.Reasons {
		rule := riskRule{
			id: r.ID, family: cmp.Or(r.Family, r.ID), text: r.Text, class: r.Class, technique: r.Technique, tools: r.Tools, atLeast: max(r.AtLeast, 1), weight: r.Weight,
			stage: stageOf(r.Stage),
		}
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
		for _, given := range []bool{r.Class != "", len(r.Tools) > 0, r.Technique != ""} {
			if given {
				conditions++
			}
		}
		switch {
		case err != nil:
		case r.ID == "" || r.Text == "":
			err = errors.New("id and text must be given")
		case conditions != 1:
			err = errors.New("one of fact, class, tools and technique must be given")
		case r.Stage != "" && rule.stage == None:
			err = fmt.Errorf("%q is no stage; stages are %s", r.Stage, strings.Join(stages, ", "))
		case r.Weight <= 0 || r.Weight >= 100:
			err = fmt.Errorf("weight %v: allowed are numbers above 0, below 100", r.Weight)
		}
		if _, known := c.techniques[r.Technique]; err == nil && r.Technique != "" && !known {
			err = fmt.Errorf("%q is no technique of ATT&CK %s", r.Technique, c.version)
		}
		if err != nil {
			return fmt.Errorf("reason %d: %w", i, err)
		}
		k.rules = append(k.rules, rule)
	}
	slices.SortStableFunc(k.rules, func(a, b riskRule) int { return cmp.Compare(b.weight, a.weight) })
	return nil
}

// know takes the rules in that conclusions are judged by.
func (k *riskRules) know(rules []*Rule) {
	k.weakest, k.byID = map[string]*Rule{}, map[string]*Rule{}
	for _, r := range rules {
		k.byID[r.ID] = r
		w := k.weakest[r.Technique]
		if r.Technique != "" && (w == nil || stageOf(r.Stage) < stageOf(w.Stage) || r.Stage == w.Stage && k.severities[r.Severity] < k.severities[w.Severity]) {
			k.weakest[r.Technique] = r
		}
	}
}

// conclude is Set.Conclude.
func (k *riskRules) conclude(concluded []Concluded, technique string) bool {
	return slices.ContainsFunc(concluded, func(c Concluded) bool {
		r := k.byID[c.Rule]
		return r != nil && r.Technique == technique
	})
}

// maxReasons is the number of reasons told.
const maxReasons = 10

// Risk judges facts. The reasons are kept in the memory of into.
func (s *Set) Risk(f *Facts, into []Reason) Risk {
	k := &s.risk
	w := weighing{k: k, reasons: into[:0]}
	for i := range w.since {
		w.since[i] = event.Never
	}
	if !f.Spoofable {
		for i := range f.Concluded {
			w.concluded(&f.Concluded[i])
		}
		for i := range f.Folded {
			w.technique(&f.Folded[i], f)
		}
	}
	for i := range k.rules {
		// Where nothing proves the address, that it was named is all there is to judge.
		if !f.Spoofable || k.rules[i].isFact && k.rules[i].fact == Unproven {
			w.rule(&k.rules[i], f)
		}
	}
	stage := None
	for i := range w.reasons {
		// What is weak is evidence, but lifts nobody.
		if r := &w.reasons[i]; r.stage > stage && (r.weight >= k.lifting || r.stage == Looking) {
			stage = r.stage
		}
	}
	if f.Spoofable {
		stage = None
	}
	basis := f.Basis
	if stage > Looking {
		basis = "" // whoever attacks is not harmless
	}
	return w.result(stage, basis, f.Numbers[Internal] > 0)
}

// weighing is the work of one judgement.
type weighing struct {
	k       *riskRules
	reasons []Reason
	since   [Acting + 1]event.Time
}

// add counts a reason, of several of one family the furthest and then the
// strongest; what says the same joins its evidence.
func (w *weighing) add(rule *riskRule, stage Stage, weight float64, n int64, what string) {
	for i := range w.reasons {
		r := &w.reasons[i]
		if r.rule.family != rule.family {
			continue
		}
		switch {
		case r.rule == rule && r.stage == stage:
			r.weight = max(r.weight, weight)
			r.name(what)
			return
		case r.stage > stage || r.stage == stage && r.weight >= weight:
			return
		}
		evidence := r.Evidence[:0]
		*r = Reason{rule: rule, n: n, stage: stage, weight: weight, Evidence: evidence}
		r.name(what)
		return
	}
	reason := Reason{rule: rule, n: n, stage: stage, weight: weight}
	// Evidence of an earlier call lends its memory.
	if len(w.reasons) < cap(w.reasons) {
		reason.Evidence = w.reasons[:len(w.reasons)+1][len(w.reasons)].Evidence[:0]
	}
	reason.name(what)
	w.reasons = append(w.reasons, reason)
}

func (r *Reason) name(what string) {
	if what != "" && len(r.Evidence) < maxEvidence && !slices.Contains(r.Evidence, what) {
		r.Evidence = append(r.Evidence, what)
	}
}

func (w *weighing) at(stage Stage, weight float64, t event.Time) {
	if stage == Looking || weight >= w.k.lifting {
		w.since[stage] = law.Earliest(w.since[stage], t)
	}
}

// concluded weighs what a rule concluded.
func (w *weighing) concluded(c *Concluded) {
	r := w.k.byID[c.Rule]
	if r == nil {
		return // of whoever has other rules
	}
	stage := r.rank
	if c.Door {
		stage = min(stage, Attempting)
	}
	w.judged(r, stage, c.Rule)
	w.at(stage, w.k.severities[r.Severity], c.First)
}

func (w *weighing) judged(r *Rule, stage Stage, what string) {
	reason := w.k.tactics[r.Tactic]
	if reason == nil {
		reason = &w.k.software
	}
	w.add(reason, stage, w.k.severities[r.Severity], 0, what)
}

// technique weighs a technique of which no conclusion is told: what a version
// before this one folded, and what sensors and whole profiles show.
func (w *weighing) technique(t *Concluded, f *Facts) {
	r := w.k.weakest[t.Rule]
	if r == nil || w.k.conclude(f.Concluded, t.Rule) {
		return
	}
	w.judged(r, r.rank, t.Rule)
	w.at(r.rank, w.k.severities[r.Severity], t.First)
}

// rule weighs a reason of the file.
func (w *weighing) rule(r *riskRule, f *Facts) {
	switch {
	case r.isFact:
		if n := f.Numbers[r.fact]; n >= r.atLeast {
			w.add(r, r.stage, r.weight, n, "")
			if r.stage != None {
				w.at(r.stage, r.weight, f.Since[r.fact])
			}
		}
	case r.class != "":
		if f.Class == r.class {
			w.add(r, r.stage, r.weight, 0, "")
		}
	case r.technique != "":
		if slices.Contains(f.Techniques, r.technique) {
			w.add(r, r.stage, r.weight, 0, r.technique)
		}
	default:
		for _, t := range f.Tools {
			if slices.Contains(r.tools, t) {
				w.add(r, r.stage, r.weight, 0, t)
			}
		}
	}
}

// result adds up: a reason of the stage reached takes its share of what is left
// of the band, one of an earlier stage a part of that.
func (w *weighing) result(stage Stage, basis string, internal bool) Risk {
	k := w.k
	for i := range w.reasons {
		r := &w.reasons[i]
		if r.stage > stage {
			r.stage = stage // what is weak, or proves no more
		}
	}
	counted := func(r *Reason) float64 {
		if r.stage != None && r.stage < stage {
			return r.weight * k.earlier
		}
		return r.weight
	}
	slices.SortStableFunc(w.reasons, func(a, b Reason) int {
		return cmp.Or(cmp.Compare(counted(&b), counted(&a)), strings.Compare(a.rule.id, b.rule.id))
	})
	b := k.bands[stage]
	from, to := b.from, b.to
	switch {
	case internal && stage > None:
		// Inside the network every touch counts.
		from, to = max(from, k.internal.from), max(to, k.internal.to)
	case basis != "":
		// The band of whoever is harmless ends where its basis says.
		from, to = 0, k.harmless[basis]
	}
	result := Risk{Base: from, Stage: stage, Basis: basis, Class: classes(stage, basis), HalfLife: b.halfLife, Since: w.since, Reasons: w.reasons}
	left := to - from
	raw := from
	for i := range w.reasons {
		r := &w.reasons[i]
		points := left * counted(r) / 100
		left -= points
		raw += points
		r.Points = behavior.Round(points, 2)
	}
	for s := stage + 1; s <= Acting; s++ {
		result.Since[s] = event.Never
	}
	result.Score = behavior.Round(raw, 2)
	result.Level = Level(result.Score)
	result.Reasons = result.Reasons[:min(len(result.Reasons), maxReasons)]
	return result
}

// Current returns what is left of a score after so many days without a sign:
// half of it after each half-life.
func Current(score, halfLifeDays, days float64) float64 {
	if halfLifeDays <= 0 || days <= 0 {
		return score
	}
	return behavior.Round(score*math.Exp2(-days/halfLifeDays), 2)
}
