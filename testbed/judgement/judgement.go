// Package judgement measures what Dossier concludes against what an analyst
// says of the same logs: the labelled attackers of testbed/data/scenarios.
package judgement

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Label is what an analyst says of one attacker's log.
type Label struct {
	ID             string   `json:"id"`
	Name           string   `json:"name"`
	File           string   `json:"file"`
	Sensor         string   `json:"sensor"`
	Title          string   `json:"title"`
	Origin         string   `json:"origin"`
	IP             string   `json:"ip"`
	Lines          int      `json:"lines"`
	Tier           int      `json:"tier"`
	Kind           string   `json:"kind"`
	Classification string   `json:"classification"`
	Basis          string   `json:"basis"`
	Why            string   `json:"one_line_why"`
	Must           []string `json:"must_techniques"` // "A|B": either
	May            []string `json:"may_techniques"`
	Never          []string `json:"must_not_techniques"`
	Tactics        []string `json:"tactics"`
	Names          []string `json:"families_or_tools"`
	MayNames       []string `json:"may_names"`
	Indicators     struct {
		URLs    []string `json:"urls"`
		SHA256  []string `json:"sha256"`
		Domains []string `json:"domains"`
		IPs     []string `json:"ips"`
	} `json:"indicators"`
	Ports      []int    `json:"ports"`
	CVEs       []string `json:"cves"`
	Automated  bool     `json:"automated"`
	RunnerArgs []string `json:"runner_args"`
}

// Pair says how the scores of two attackers must lie: A above B ("higher"), or
// within ten points of it ("within10").
type Pair struct {
	Kind string `json:"kind"`
	A    string `json:"a"`
	B    string `json:"b"`
	Why  string `json:"why"`
}

// Line is what must come of one line that an address of its own sent.
type Line struct {
	Service    string   `json:"service"`
	Text       string   `json:"line"`
	IP         string   `json:"ip"`
	Techniques []string `json:"techniques"`
}

// Lines are single lines: those that must give techniques, and harmless ones.
type Lines struct {
	Note   string   `json:"note"`
	Ignore []string `json:"ignore"`
	Files  []struct {
		File       string   `json:"file"`
		RunnerArgs []string `json:"runner_args"`
	} `json:"files"`
	Expect []Line `json:"expect"`
	None   []Line `json:"none"`
}

// Set is a folder of labelled attackers.
type Set struct {
	Dir    string
	Labels []Label
	Pairs  []Pair
	Lines  Lines
}

// Read reads the set in dir.
func Read(dir string) (*Set, error) {
	s := &Set{Dir: dir}
	var errs []error
	for name, v := range map[string]any{"labels.json": &s.Labels, "pairs.json": &s.Pairs, "commands.json": &s.Lines} {
		f, err := os.Open(filepath.Join(dir, name))
		if err != nil {
			errs = append(errs, err)
			continue
		}
		d := json.NewDecoder(f)
		d.DisallowUnknownFields()
		if err := d.Decode(v); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
		}
		f.Close()
	}
	return s, errors.Join(errs...)
}

// Document is an attacker's document.
type Document map[string]any

// Profiler returns the documents that come of the log in path.
type Profiler func(args []string, path string) ([]Document, error)

// get returns what stands under a path of names, whether they are nested or
// joined by dots.
func (d Document) get(path string) any {
	if v, ok := d[path]; ok {
		return v
	}
	for i := range path {
		if path[i] != '.' {
			continue
		}
		if inner, ok := d[path[:i]].(map[string]any); ok {
			if v := Document(inner).get(path[i+1:]); v != nil {
				return v
			}
		}
	}
	return nil
}

func (d Document) texts(path string) (out []string) {
	switch v := d.get(path).(type) {
	case string:
		out = append(out, v)
	case []any:
		for _, e := range v {
			if s, ok := e.(string); ok {
				out = append(out, s)
			}
		}
	}
	return out
}

func (d Document) score() float64 {
	v, _ := d.get("risk.score").(float64)
	return v
}

// Judged is what was concluded of one attacker, beside its label.
type Judged struct {
	Label             *Label
	Document          Document // nil where there was none
	Others            int      // documents of other addresses
	Score             float64
	Level             string
	Techniques        []string
	Missing           []string // demanded techniques
	MissingLenient    []string // of which not even a parent or a child came
	Forbidden         []string
	Odd               []string // neither demanded nor allowed
	MissingTactics    []string
	Names             []string
	MissingNames      []string
	FalseNames        []string
	MissingIndicators []string // URLs and digests
	MissingSoft       []string // domains and addresses
	Class             string
	Behaviour         string
}

// Report is all figures of a set.
type Report struct {
	Set    *Set
	Judged []Judged
	TauB   float64
	Failed []Failure
	// Lines that lack a technique, and harmless ones that show some.
	Missed, False []LineResult
	NotSeen       []string
}

// Failure is a pair that doesn't hold.
type Failure struct {
	Pair
	ScoreA, ScoreB float64
}

// LineResult is what came of a single line.
type LineResult struct {
	Line
	Got, Missing []string
}

// Measure profiles the set's logs and compares.
func Measure(s *Set, profile Profiler) (*Report, error) {
	r := &Report{Set: s}
	scores := map[string]float64{}
	for i := range s.Labels {
		l := &s.Labels[i]
		docs, err := profile(l.RunnerArgs, filepath.Join(s.Dir, l.File))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", l.File, err)
		}
		j := judge(l, docs)
		scores[l.ID] = j.Score
		r.Judged = append(r.Judged, j)
	}
	var tiers, points []float64
	for i := range r.Judged {
		tiers, points = append(tiers, float64(r.Judged[i].Label.Tier)), append(points, r.Judged[i].Score)
	}
	r.TauB = tauB(tiers, points)
	for _, p := range s.Pairs {
		a, okA := scores[p.A]
		b, okB := scores[p.B]
		if !okA || !okB {
			return nil, fmt.Errorf("pair %s %s: no such attacker", p.A, p.B)
		}
		if holds := p.Kind == "higher" && a > b || p.Kind == "within10" && a-b <= 10 && b-a <= 10; !holds {
			r.Failed = append(r.Failed, Failure{p, a, b})
		}
	}
	return r, r.lines(profile)
}

func (r *Report) lines(profile Profiler) error {
	of := map[string]Document{}
	for _, f := range r.Set.Lines.Files {
		docs, err := profile(f.RunnerArgs, filepath.Join(r.Set.Dir, f.File))
		if err != nil {
			return fmt.Errorf("%s: %w", f.File, err)
		}
		for _, d := range docs {
			ip, _ := d["ip"].(string)
			of[ip] = d
		}
	}
	for _, l := range r.Set.Lines.Expect {
		got := of[l.IP].texts("threat.technique.id")
		var missing []string
		for _, want := range l.Techniques {
			if !hit(want, got) {
				missing = append(missing, want)
			}
		}
		if len(missing) > 0 {
			r.Missed = append(r.Missed, LineResult{l, got, missing})
		}
	}
	for _, l := range r.Set.Lines.None {
		d, ok := of[l.IP]
		if !ok {
			r.NotSeen = append(r.NotSeen, l.Service+": "+l.Text)
		}
		got := slices.DeleteFunc(d.texts("threat.technique.id"), func(id string) bool { return slices.Contains(r.Set.Lines.Ignore, id) })
		if len(got) > 0 {
			r.False = append(r.False, LineResult{l, got, nil})
		}
	}
	return nil
}

// indicatorFields are where a document shows indicators.
var indicatorFields = []string{
	"artifact.url", "artifact.sha256", "threat.indicator.url.full", "threat.indicator.url.original", "threat.indicator.file.hash.sha256",
	"threat.indicator.url.domain", "indicator.url", "indicator.sha256", "indicator.domain", "indicator.ip", "related.hash",
}

func judge(l *Label, docs []Document) Judged {
	j := Judged{Label: l, Level: "-"}
	for _, d := range docs {
		if d["ip"] == l.IP {
			j.Document = d
		} else {
			j.Others++
		}
	}
	d := j.Document
	j.Score = d.score()
	if level, ok := d.get("risk.level").(string); ok {
		j.Level = level
	}
	j.Techniques = d.texts("threat.technique.id")
	allowed := slices.Clone(l.May)
	for _, want := range l.Must {
		either := strings.Split(want, "|")
		allowed = append(allowed, either...)
		if hit(want, j.Techniques) {
			continue
		}
		j.Missing = append(j.Missing, want)
		if !slices.ContainsFunc(either, func(a string) bool {
			return slices.ContainsFunc(j.Techniques, func(g string) bool { return parent(a) == parent(g) })
		}) {
			j.MissingLenient = append(j.MissingLenient, want)
		}
	}
	for _, got := range j.Techniques {
		switch {
		case slices.Contains(l.Never, got):
			j.Forbidden = append(j.Forbidden, got)
		case !slices.ContainsFunc(allowed, func(a string) bool { return a == got || parent(a) == got }):
			j.Odd = append(j.Odd, got)
		}
	}
	tactics := d.texts("threat.tactic.id")
	for _, want := range l.Tactics {
		if !hit(want, tactics) {
			j.MissingTactics = append(j.MissingTactics, want)
		}
	}
	j.names(l)
	j.indicators(l)
	j.Behaviour, _ = d.get("behavior.kind").(string)
	for _, path := range []string{"classification", "threat.classification", "risk.classification"} {
		if v, ok := d.get(path).(string); ok {
			j.Class = v
		}
	}
	return j
}

func (j *Judged) names(l *Label) {
	plain := func(s string) string { return strings.ReplaceAll(strings.ToLower(s), "_", "-") }
	for _, path := range []string{"behavior.tools", "threat.software.name", "threat.group.name"} {
		for _, n := range j.Document.texts(path) {
			j.Names = append(j.Names, plain(n))
		}
	}
	slices.Sort(j.Names)
	j.Names = slices.Compact(j.Names)
	within := func(a, b string) bool { return strings.Contains(a, b) || strings.Contains(b, a) }
	allowed := slices.Clone(l.MayNames)
	for _, want := range l.Names {
		either := strings.Split(want, "|")
		allowed = append(allowed, either...)
		if !slices.ContainsFunc(either, func(a string) bool {
			return slices.ContainsFunc(j.Names, func(n string) bool { return within(a, n) })
		}) {
			j.MissingNames = append(j.MissingNames, want)
		}
	}
	for _, n := range j.Names {
		if !slices.ContainsFunc(allowed, func(a string) bool { return within(plain(a), n) }) {
			j.FalseNames = append(j.FalseNames, n)
		}
	}
}

func (j *Judged) indicators(l *Label) {
	var shown []string
	for _, path := range indicatorFields {
		shown = append(shown, j.Document.texts(path)...)
	}
	if list, ok := j.Document["artifacts"].([]any); ok {
		for _, a := range list {
			if m, ok := a.(map[string]any); ok {
				shown = append(shown, append(Document(m).texts("url"), Document(m).texts("sha256")...)...)
			}
		}
	}
	for _, u := range l.Indicators.URLs {
		if !slices.ContainsFunc(shown, func(v string) bool { return strings.HasPrefix(v, u) }) {
			j.MissingIndicators = append(j.MissingIndicators, u)
		}
	}
	for _, h := range l.Indicators.SHA256 {
		if !slices.Contains(shown, h) {
			j.MissingIndicators = append(j.MissingIndicators, h)
		}
	}
	for _, u := range append(slices.Clone(l.Indicators.Domains), l.Indicators.IPs...) {
		if !slices.ContainsFunc(shown, func(v string) bool { return strings.Contains(v, u) }) {
			j.MissingSoft = append(j.MissingSoft, u)
		}
	}
}

// hit says whether one of the ids of "A|B" is there.
func hit(want string, got []string) bool {
	for id := range strings.SplitSeq(want, "|") {
		if slices.Contains(got, id) {
			return true
		}
	}
	return false
}

func parent(id string) string {
	id, _, _ = strings.Cut(id, ".")
	return id
}
