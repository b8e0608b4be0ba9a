// Package rules knows, from data files, which tools and ATT&CK techniques an
// event shows, and what makes an attacker dangerous.
package rules

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"maps"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"dossier/profile/behavior"
)

//go:embed data/tools.json
var toolsFile []byte

//go:embed data/risk.json
var riskFile []byte

//go:embed data/techniques.json
var techniquesFile []byte

//go:embed data/attack-names.json
var attackNamesFile []byte

//go:embed data/techniques-ics.json
var icsTechniquesFile []byte

// Options names files that take the place of those built in.
type Options struct {
	// Tools holds the path of a file of tools.
	//
	// If Tools is empty, the built-in file is used.
	Tools string
	// Rules holds the path of a file of rules that are used beside the built-in
	// ones, and instead of those whose ids they have.
	//
	// If Rules is empty, the built-in rules alone are used.
	Rules string
	// Risk holds the path of a file of risk inputs.
	//
	// If Risk is empty, the built-in file is used.
	Risk string
	// Internal holds the networks whose addresses have the scope internal.
	//
	// If Internal is nil, those of RFC 1918 and RFC 4193 will be used.
	Internal []netip.Prefix
	// Scanners holds the path of a list of known scanners.
	//
	// If Scanners is empty, the built-in list is used.
	Scanners string
	// Good holds the path of a list of the user's own scanners and monitors,
	// beside the known ones.
	//
	// If Good is empty, there are none.
	Good string
}

// fileVersion is the version of all files that this package reads.
const fileVersion = 1

// maxFile bounds a rule file, in bytes.
const maxFile = 4 << 20

// Set is a set of rules. Its lists of known scanners change by Reload, nothing
// else of it does. It is safe for concurrent use.
type Set struct {
	catalogue  catalogue
	cadences   []behavior.Cadence
	signatures map[string]*signatures // by type of fingerprint
	names      map[string]string      // kinds of names
	marks      map[mark]*Mark
	index      *index
	risk       riskRules
	internal   []netip.Prefix
	scanners   atomic.Pointer[scanners]
	lists      [2]listFile // known scanners, and the user's own
	work       sync.Pool   // *annotation
	read       hash.Hash   // of what was read so far
	version    string
}

// isInternal says whether an address has the scope internal.
func (s *Set) isInternal(addr netip.Addr) bool {
	if s.internal == nil {
		return addr.IsPrivate()
	}
	return slices.ContainsFunc(s.internal, func(net netip.Prefix) bool { return net.Contains(addr) })
}

// New reads the rules.
func New(o Options) (*Set, error) {
	s := &Set{names: map[string]string{}, read: sha256.New(), internal: o.Internal}
	if err := s.catalogue.load(techniquesFile); err != nil {
		return nil, fmt.Errorf("rules: techniques: %w", err)
	}
	if err := s.catalogue.addICS(icsTechniquesFile); err != nil {
		return nil, fmt.Errorf("rules: techniques of ICS: %w", err)
	}
	if err := s.catalogue.addNames(attackNamesFile); err != nil {
		return nil, fmt.Errorf("rules: names of ATT&CK: %w", err)
	}
	s.lists = [2]listFile{{path: o.Scanners}, {path: o.Good}}
	var errs []error
	errs = append(errs, s.loadLists())
	for _, f := range []struct {
		option, path string
		builtin      []byte
		load         func([]byte) error
	}{
		{"tool_rules", o.Tools, toolsFile, s.loadTools},
		{"risk_rules", o.Risk, riskFile, s.loadRisk},
	} {
		data, err := read(f.path, f.builtin)
		if err == nil {
			s.read.Write(data)
			err = f.load(data)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s %q: %w", f.option, f.path, err))
		}
	}
	if err := s.loadRules(o.Rules); err != nil {
		errs = append(errs, fmt.Errorf("attack_rules %q: %w", o.Rules, err))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	s.version = hex.EncodeToString(s.read.Sum(nil)[:6])
	s.read = nil
	return s, nil
}

// Version tells sets apart that may judge differently: it changes with every
// byte of a file that was read, built in or the user's.
func (s *Set) Version() string {
	if s == nil {
		return ""
	}
	return s.version
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
	// software and groups have ids by our names.
	software, groups map[string]string
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
	*c = catalogue{version: f.Version, techniques: map[string]Technique{}, tactics: map[string]Tactic{}}
	for _, t := range f.Tactics {
		c.tactics[t.ID] = t
	}
	for _, t := range f.Techniques {
		c.techniques[t.ID] = t
	}
	return nil
}

// addICS adds the techniques of ATT&CK for ICS.
func (c *catalogue) addICS(data []byte) error {
	var ics catalogue
	if err := ics.load(data); err != nil {
		return err
	}
	maps.Copy(c.techniques, ics.techniques)
	maps.Copy(c.tactics, ics.tactics)
	return nil
}

// attackNames is what ATT&CK calls the programs and groups that rules and signatures
// know.
type attackNames struct {
	Version          string `json:"attack_version"`
	Origin           string `json:"origin"`
	Licence          string `json:"licence"`
	Software, Groups []attackName
}

type attackName struct {
	// Name is ours, AttackName ATT&CK's.
	Name       string `json:"name"`
	ID         string `json:"id"`
	AttackName string `json:"attack_name"`
}

// addNames adds the ids of programs and groups.
func (c *catalogue) addNames(data []byte) error {
	var f attackNames
	if err := strict(data, &f); err != nil {
		return err
	}
	if f.Version != c.version {
		return fmt.Errorf("of version %s, techniques of %s", f.Version, c.version)
	}
	c.software, c.groups = map[string]string{}, map[string]string{}
	for _, n := range f.Software {
		c.software[n.Name] = n.ID
	}
	for _, n := range f.Groups {
		c.groups[n.Name] = n.ID
	}
	return nil
}

// AttackID returns the id that ATT&CK has for a name, S… of a program and G… of a
// group, "" where it has none.
func (s *Set) AttackID(name string) string {
	if s == nil {
		return ""
	}
	if s.Kind(name) == Group {
		return s.catalogue.groups[name]
	}
	return s.catalogue.software[name]
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

// The kinds of names, those of a rule's software too.
const (
	Library = "library"
	Scanner = "scanner"
	Tool    = "tool"
	Malware = "malware"
	Group   = "group"
)

// Kind returns what a name stands for: Library, Scanner, Tool, Malware or Group.
// One that no file tells the kind of is a tool's.
func (s *Set) Kind(name string) string {
	if s != nil {
		if kind, ok := s.names[name]; ok {
			return kind
		}
	}
	return Tool
}

// mark is by what a name was recognised.
type mark struct{ name, by string }

// Mark is what is known of the signatures of one type that recognise a name.
type Mark struct {
	// Source is where they come from, Collides says with which ordinary clients
	// all of them collide.
	Source, Collides string
}

// Mark returns what is known of the signatures by which a name was recognised;
// nothing of a rule's.
func (s *Set) Mark(name, by string) Mark {
	if s != nil {
		if m := s.marks[mark{name, by}]; m != nil {
			return *m
		}
	}
	return Mark{}
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
		Version  int                 `json:"version"`
		Kinds    map[string][]string `json:"kinds"`
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
				Collides string `json:"collides"`
			} `json:"tools"`
		} `json:"fingerprints"`
	}
	if err := strict(data, &f); err != nil {
		return err
	}
	if err := checkVersion(f.Version); err != nil {
		return err
	}
	s.marks = map[mark]*Mark{}
	for kind, names := range f.Kinds {
		if !slices.Contains(SoftwareTypes, kind) {
			return fmt.Errorf("kinds: %q: there are %s", kind, strings.Join(SoftwareTypes, ", "))
		}
		for _, name := range names {
			if other, twice := s.names[name]; twice {
				return fmt.Errorf("kinds: %s is %s and %s", name, min(kind, other), max(kind, other))
			}
			s.names[name] = kind
		}
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
			of := mark{t.Tool, group.By}
			if m := s.marks[of]; m == nil {
				s.marks[of] = &Mark{group.Source, t.Collides}
			} else if t.Collides == "" {
				m.Collides = ""
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

// loadRules takes the built-in rules and those of a user's file.
func (s *Set) loadRules(path string) error {
	all, err := builtinRules(s.read)
	if err != nil {
		return err
	}
	place := map[string]int{}
	for i, r := range all {
		if _, twice := place[r.ID]; twice {
			return fmt.Errorf("two built-in rules are called %s", r.ID)
		}
		place[r.ID] = i
	}
	var errs []error
	if path != "" {
		var own []*Rule
		data, err := read(path, nil)
		if err == nil {
			s.read.Write(data)
			own, err = readRules(path, data)
		}
		if err != nil {
			return err
		}
		seen := map[string]bool{}
		for _, r := range own {
			if seen[r.ID] {
				errs = append(errs, fmt.Errorf("two rules are called %s", r.ID))
			}
			seen[r.ID] = true
			if i, known := place[r.ID]; known {
				all[i] = r
			} else {
				all = append(all, r)
			}
		}
	}
	for _, r := range all {
		errs = append(errs, r.check(&s.catalogue))
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	for _, r := range all {
		if r.Software == nil {
			continue
		}
		if kind, known := s.names[r.Software.Name]; known && kind != r.Software.Type {
			errs = append(errs, fmt.Errorf("rule %s: %s is %s elsewhere, not %s: a name has one type", r.ID, r.Software.Name, kind, r.Software.Type))
		}
		s.names[r.Software.Name] = r.Software.Type
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if s.index, err = newIndex(all); err == nil {
		s.risk.know(all)
	}
	return err
}

// Rules returns all rules. They must not be changed.
func (s *Set) Rules() []*Rule { return s.index.rules }

// Rule returns the rule of that id, nil where none is known.
func (s *Set) Rule(id string) *Rule {
	if s == nil {
		return nil
	}
	return s.risk.byID[id]
}

// Conclude says whether one of the rules that concluded something, and are known,
// concludes the technique.
func (s *Set) Conclude(concluded []Concluded, technique string) bool {
	return s != nil && s.risk.conclude(concluded, technique)
}

// Profile is what only the whole profile shows.
type Profile struct {
	// Class is the class of behaviour, Routed says that the address is one of
	// the Internet's.
	Class  string
	Routed bool
	// Looked says that there was more than noise: a connection, a banner, a
	// request.
	Looked bool
	// Users and Secrets are how many different ones were tried together, as
	// far as they are kept.
	Users, Secrets int
	// Inferred says that commands in a shell prove a login of which no sensor
	// tells how it ended.
	Inferred bool
}

// Spraying is few secrets for many users, where brute force is the other way
// round (ATT&CK T1110.003).
const (
	sprayedUsers = 8
	usersASecret = 4
)

// Shown is a technique that no single event shows, and what shows it.
type Shown struct{ Technique, Why string }

// AppendProfile appends the techniques that the whole profile shows, where known
// has those that single events do.
func AppendProfile(dst []Shown, known []string, p Profile) []Shown {
	scans := p.Class == behavior.Scanning || p.Class == behavior.SlowScan
	switch {
	case scans && p.Routed:
		dst = append(dst, Shown{"T1595.001", "goes through services in a scanner's time"})
	case scans:
		dst = append(dst, Shown{"T1046", "goes through services in a scanner's time, from an address that is not the Internet's"})
	case p.Looked && !p.Routed:
		dst = append(dst, Shown{"T1046", "looks at services, from an address that is not the Internet's"})
	case p.Looked && !slices.ContainsFunc(known, func(id string) bool { return strings.HasPrefix(id, "T1595") }):
		dst = append(dst, Shown{"T1595", "looks at services"})
	}
	if p.Users >= sprayedUsers && p.Users >= usersASecret*p.Secrets {
		dst = append(dst, Shown{"T1110.003", "tries few secrets for many users"})
	}
	if p.Inferred {
		dst = append(dst, Shown{"T1078", "gives commands in a shell, behind a login of which no sensor tells how it ended"})
	}
	return dst
}
