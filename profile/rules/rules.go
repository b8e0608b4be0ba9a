// Package rules knows, from data files, which tools and ATT&CK techniques an
// event shows, and what makes an attacker dangerous.
package rules

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"

	"dossier/correlate/event"
	"dossier/profile/behavior"
)

//go:embed data/tools.json
var toolsFile []byte

//go:embed data/attack.json
var attackFile []byte

//go:embed data/risk.json
var riskFile []byte

//go:embed data/techniques.json
var techniquesFile []byte

// Options names files that take the place of those built in.
type Options struct {
	// Tools holds the path of a file of tools.
	//
	// If Tools is empty, the built-in file is used.
	Tools string
	// Attack holds the path of a file of ATT&CK rules.
	//
	// If Attack is empty, the built-in file is used.
	Attack string
	// Risk holds the path of a file of risk inputs.
	//
	// If Risk is empty, the built-in file is used.
	Risk string
}

// fileVersion is the version of all files that this package reads.
const fileVersion = 1

// maxFile bounds a rule file, in bytes.
const maxFile = 4 << 20

// Set is a set of rules. It doesn't change and is safe for concurrent use.
type Set struct {
	catalogue  catalogue
	cadences   []behavior.Cadence
	signatures map[string]*signatures // by type of fingerprint
	events     map[string][]eventRule // by event type
	evidence   [event.Alert + 1][]evidenceRule
	byTool     map[string][]technique
	profiles   []profileRule
	programs   map[string][]commandRule
	always     []commandRule // rules that ask for nothing
	everywhere []commandRule // rules that ask for words, whatever the program
	words      *matcher      // of everywhere's words
	wordOf     []int         // word → rule in everywhere
	texts      []textRule
	risk       riskRules
	work       sync.Pool // *annotation
}

// New reads the rules.
func New(o Options) (*Set, error) {
	s := new(Set)
	if err := s.catalogue.load(techniquesFile); err != nil {
		return nil, fmt.Errorf("rules: techniques: %w", err)
	}
	var errs []error
	for _, f := range []struct {
		option, path string
		builtin      []byte
		load         func([]byte) error
	}{
		{"tool_rules", o.Tools, toolsFile, s.loadTools},
		{"attack_rules", o.Attack, attackFile, s.loadAttack},
		{"risk_rules", o.Risk, riskFile, s.loadRisk},
	} {
		data, err := read(f.path, f.builtin)
		if err == nil {
			err = f.load(data)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s %q: %w", f.option, f.path, err))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return s, nil
}

func read(path string, builtin []byte) ([]byte, error) {
	if path == "" {
		return builtin, nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxFile {
		return nil, fmt.Errorf("%d bytes; at most %d are read", info.Size(), maxFile)
	}
	return os.ReadFile(path)
}

// strict decodes JSON and refuses names it doesn't know: a misspelt one would
// switch a condition off.
func strict(data []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	return d.Decode(v)
}

func checkVersion(v int) error {
	if v != fileVersion {
		return fmt.Errorf("version %d; this program reads version %d", v, fileVersion)
	}
	return nil
}

// Technique is an ATT&CK technique.
type Technique struct {
	ID      string   `json:"id"`
	Name    string   `json:"name"`
	Tactics []string `json:"tactics"`
}

// Tactic is an ATT&CK tactic.
type Tactic struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// catalogue is what ATT&CK says of its techniques.
type catalogue struct {
	version    string
	techniques map[string]Technique
	tactics    map[string]Tactic
}

func (c *catalogue) load(data []byte) error {
	var f struct {
		Version    string      `json:"attack_version"`
		Origin     string      `json:"origin"`
		Licence    string      `json:"licence"`
		Tactics    []Tactic    `json:"tactics"`
		Techniques []Technique `json:"techniques"`
	}
	if err := strict(data, &f); err != nil {
		return err
	}
	*c = catalogue{f.Version, map[string]Technique{}, map[string]Tactic{}}
	for _, t := range f.Tactics {
		c.tactics[t.ID] = t
	}
	for _, t := range f.Techniques {
		c.techniques[t.ID] = t
	}
	return nil
}

// AttackVersion returns the version of ATT&CK whose names are known.
func (s *Set) AttackVersion() string { return s.catalogue.version }

// Technique returns the technique of that id.
func (s *Set) Technique(id string) (Technique, bool) {
	t, ok := s.catalogue.techniques[id]
	return t, ok
}

// Tactic returns the tactic of that id.
func (s *Set) Tactic(id string) (Tactic, bool) {
	t, ok := s.catalogue.tactics[id]
	return t, ok
}

// signatures recognises tools by fingerprints of one type.
type signatures struct {
	by      string
	exact   map[string]string
	forms   []form
	matcher *matcher // of the forms' texts
}

type form struct {
	tool, text string
	prefix     bool
}

func (s *Set) loadTools(data []byte) error {
	var f struct {
		Version  int `json:"version"`
		Cadences []struct {
			Tool              string  `json:"tool"`
			Interval          float64 `json:"interval_s"`
			IntervalTolerance float64 `json:"interval_tolerance_s"`
			CV                float64 `json:"cv"`
			CVTolerance       float64 `json:"cv_tolerance"`
			Source            string  `json:"source"`
		} `json:"cadences"`
		Fingerprints []struct {
			Type   string `json:"type"`
			By     string `json:"by"`
			Source string `json:"source"`
			Tools  []struct {
				Tool     string `json:"tool"`
				Contains string `json:"contains"`
				Prefix   string `json:"prefix"`
				Value    string `json:"value"`
			} `json:"tools"`
		} `json:"fingerprints"`
	}
	if err := strict(data, &f); err != nil {
		return err
	}
	if err := checkVersion(f.Version); err != nil {
		return err
	}
	for i, c := range f.Cadences {
		if c.Tool == "" || c.Interval <= 0 {
			return fmt.Errorf("cadence %d: tool and interval_s must be given", i)
		}
		s.cadences = append(s.cadences, behavior.Cadence{
			Tool: c.Tool, Interval: c.Interval, IntervalTolerance: c.IntervalTolerance, CV: c.CV, CVTolerance: c.CVTolerance,
		})
	}
	s.signatures = map[string]*signatures{}
	for i, group := range f.Fingerprints {
		if group.Type == "" || group.By == "" || s.signatures[group.Type] != nil {
			return fmt.Errorf("fingerprints %d: type and by must be given, each type once", i)
		}
		g := &signatures{by: group.By, exact: map[string]string{}}
		for j, t := range group.Tools {
			given := 0
			for _, text := range []string{t.Contains, t.Prefix, t.Value} {
				if text != "" {
					given++
				}
			}
			if t.Tool == "" || given != 1 {
				return fmt.Errorf("fingerprints %s, tool %d: tool and one of contains, prefix and value must be given", group.Type, j)
			}
			switch {
			case t.Value != "":
				g.exact[t.Value] = t.Tool
			case t.Prefix != "":
				g.forms = append(g.forms, form{t.Tool, strings.ToLower(t.Prefix), true})
			default:
				g.forms = append(g.forms, form{t.Tool, strings.ToLower(t.Contains), false})
			}
		}
		texts := make([]string, len(g.forms))
		for i := range g.forms {
			texts[i] = g.forms[i].text
		}
		g.matcher = newMatcher(texts)
		s.signatures[group.Type] = g
	}
	return nil
}

// AppendCadences appends the tools whose beat the timing has.
func (s *Set) AppendCadences(dst []string, t behavior.Timing) []string {
	for _, c := range s.cadences {
		if c.Fits(t) {
			dst = append(dst, c.Tool)
		}
	}
	return dst
}

// technique is what a rule concludes.
type technique struct{ id, why string }

type eventRule struct {
	technique
	services []string
}

type evidenceRule struct {
	technique
	outcome  event.Outcome
	kinds    []string
	contains []string
}

type profileRule struct {
	technique
	classes []string
	routed  bool
}

type commandRule struct {
	technique
	services     []string
	words, exact []string
}

type textRule struct {
	technique
	services []string
	texts    []string
}

// header is what every ATT&CK rule has.
type header struct {
	Technique string `json:"technique"`
	Why       string `json:"why"`
}

func (s *Set) conclusion(h header) (technique, error) {
	if _, ok := s.catalogue.techniques[h.Technique]; !ok {
		return technique{}, fmt.Errorf("%q is no technique of ATT&CK %s", h.Technique, s.catalogue.version)
	}
	if h.Why == "" {
		return technique{}, errors.New("why must be given")
	}
	return technique{h.Technique, h.Why}, nil
}

var evidenceKinds = map[string]event.EvidenceKind{
	"command": event.Command, "login": event.Login, "fingerprint": event.Fingerprint, "artifact": event.Artifact,
	"leak": event.Leak, "recipient": event.Recipient, "message": event.Message, "alert": event.Alert,
}

func (s *Set) loadAttack(data []byte) error {
	var f struct {
		Version       int    `json:"version"`
		AttackVersion string `json:"attack_version"`
		Events        []struct {
			header
			Services []string `json:"services"`
			Types    []string `json:"types"`
		} `json:"events"`
		Evidence []struct {
			header
			Evidence string   `json:"evidence"`
			Outcome  string   `json:"outcome"`
			Kinds    []string `json:"kinds"`
			Contains []string `json:"contains"`
		} `json:"evidence"`
		Tools []struct {
			header
			Tools []string `json:"tools"`
		} `json:"tools"`
		Profile []struct {
			header
			Classes []string `json:"classes"`
			Routed  bool     `json:"routed"`
		} `json:"profile"`
		Commands []struct {
			header
			Services []string `json:"services"`
			Programs []string `json:"programs"`
			Words    []string `json:"words"`
			Exact    []string `json:"exact"`
			Text     []string `json:"text"`
			Any      bool     `json:"any"`
		} `json:"commands"`
	}
	if err := strict(data, &f); err != nil {
		return err
	}
	if err := checkVersion(f.Version); err != nil {
		return err
	}
	if f.AttackVersion != s.catalogue.version {
		return fmt.Errorf("attack_version %q; the techniques known are those of %s", f.AttackVersion, s.catalogue.version)
	}
	s.events = map[string][]eventRule{}
	for i, r := range f.Events {
		t, err := s.conclusion(r.header)
		if err == nil && len(r.Types) == 0 {
			err = errors.New("types must be given")
		}
		if err != nil {
			return fmt.Errorf("events, rule %d: %w", i, err)
		}
		for _, kind := range r.Types {
			s.events[kind] = append(s.events[kind], eventRule{t, r.Services})
		}
	}
	for i, r := range f.Evidence {
		t, err := s.conclusion(r.header)
		kind, ok := evidenceKinds[r.Evidence]
		if err == nil && !ok {
			err = fmt.Errorf("%q is no kind of evidence", r.Evidence)
		}
		outcome := event.Unknown
		switch r.Outcome {
		case "":
		case "success":
			outcome = event.Success
		case "failure":
			outcome = event.Failure
		default:
			err = errors.Join(err, fmt.Errorf("%q is no outcome", r.Outcome))
		}
		if err != nil {
			return fmt.Errorf("evidence, rule %d: %w", i, err)
		}
		s.evidence[kind] = append(s.evidence[kind], evidenceRule{t, outcome, r.Kinds, lowered(r.Contains)})
	}
	s.byTool = map[string][]technique{}
	for i, r := range f.Tools {
		t, err := s.conclusion(r.header)
		if err != nil {
			return fmt.Errorf("tools, rule %d: %w", i, err)
		}
		for _, tool := range r.Tools {
			s.byTool[tool] = append(s.byTool[tool], t)
		}
	}
	for i, r := range f.Profile {
		t, err := s.conclusion(r.header)
		if err != nil {
			return fmt.Errorf("profile, rule %d: %w", i, err)
		}
		s.profiles = append(s.profiles, profileRule{t, r.Classes, r.Routed})
	}
	s.programs = map[string][]commandRule{}
	for i, r := range f.Commands {
		t, err := s.conclusion(r.header)
		conditions := len(r.Programs) + len(r.Words) + len(r.Exact) + len(r.Text)
		switch {
		case err != nil:
		case r.Any != (conditions == 0):
			err = errors.New("one of programs, words, exact and text must be given, or any alone")
		case len(r.Text) > 0 && conditions > len(r.Text):
			err = errors.New("text stands alone")
		case slices.Contains(append(append(slices.Clone(r.Words), r.Exact...), r.Text...), ""):
			err = errors.New("an empty text is in every command")
		}
		if err != nil {
			return fmt.Errorf("commands, rule %d: %w", i, err)
		}
		if len(r.Text) > 0 {
			s.texts = append(s.texts, textRule{t, r.Services, lowered(r.Text)})
			continue
		}
		rule := commandRule{t, r.Services, r.Words, r.Exact}
		switch {
		case r.Any:
			s.always = append(s.always, rule)
		case len(r.Programs) == 0 && len(r.Exact) > 0:
			return fmt.Errorf("commands, rule %d: exact needs programs", i)
		case len(r.Programs) == 0:
			s.everywhere = append(s.everywhere, rule)
		}
		for _, program := range r.Programs {
			s.programs[program] = append(s.programs[program], rule)
		}
	}
	var words []string
	for i := range s.everywhere {
		for _, w := range s.everywhere[i].words {
			words = append(words, w)
			s.wordOf = append(s.wordOf, i)
		}
	}
	s.words = newMatcher(words)
	return nil
}

func lowered(v []string) []string {
	for i := range v {
		v[i] = strings.ToLower(v[i])
	}
	return v
}

// AppendProfile appends the techniques that the whole profile shows: its class
// of behaviour, and whether its address is routed.
func (s *Set) AppendProfile(dst []string, class string, routed bool) []string {
	for i := range s.profiles {
		r := &s.profiles[i]
		if r.routed == routed && slices.Contains(r.classes, class) {
			dst = append(dst, r.id)
		}
	}
	return dst
}
