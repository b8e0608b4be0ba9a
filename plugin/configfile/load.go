package configfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// The bounds of a configuration: how deep files may include others, how many
// there may be, and how many sections they may have.
const (
	maxDepth    = 8
	maxFiles    = 100
	maxSections = 1000
)

// Place is where something stands.
type Place struct {
	File string
	Line int
}

func (p Place) String() string { return fmt.Sprintf("%s:%d", p.File, p.Line) }

// Property is one setting as it is written. Key is in lower case, Value has its
// variables replaced.
type Property struct {
	Key, Value string
	Place
	// Unset are the variables in it that are not set here.
	Unset []string
	// Several says that it is a list, of which Fluent Bit hands a plugin the first
	// value alone.
	Several bool
}

// Section is one block: "service", "input", "filter", "output" and so on.
type Section struct {
	Kind string
	Place
	Properties []Property
	// Processors says that it has processors of its own, Routes that an input says itself
	// which outputs its records go to.
	Processors, Routes bool
}

// Get returns the first property of that name, which is the one that Fluent Bit
// takes, and a zero one where there is none.
func (s *Section) Get(key string) Property {
	for _, p := range s.Properties {
		if p.Key == key {
			return p
		}
	}
	return Property{Place: s.Place}
}

// Loaded is a configuration with all files that it includes.
type Loaded struct {
	Sections []Section

	env   map[string]string
	files int
}

// Load reads a configuration in the classic format, or in YAML where the name ends
// so, and what it includes: @INCLUDE and includes, relative to the file, with patterns.
// Variables are those of its env sections and @SET, then this process's.
func Load(path string) (*Loaded, error) {
	l := &Loaded{env: map[string]string{}}
	if err := l.file(path, 0); err != nil {
		return nil, err
	}
	for i := range l.Sections {
		for j := range l.Sections[i].Properties {
			l.replace(&l.Sections[i].Properties[j])
		}
	}
	return l, nil
}

// replace puts in the values of variables.
func (l *Loaded) replace(p *Property) {
	p.Value = variable.ReplaceAllStringFunc(p.Value, func(text string) string {
		name := text[2 : len(text)-1]
		if v, ok := l.env[name]; ok {
			return v
		}
		v, ok := os.LookupEnv(name)
		if !ok && name == "HOSTNAME" { // Fluent Bit sets it itself
			v, _ = os.Hostname()
			ok = v != ""
		}
		if !ok && !slices.Contains(p.Unset, name) {
			p.Unset = append(p.Unset, name)
		}
		return v
	})
	p.Value = strings.TrimSpace(p.Value)
}

func (l *Loaded) file(path string, depth int) error {
	if l.files++; depth > maxDepth || l.files > maxFiles {
		return fmt.Errorf("%s: more than %d files, or includes more than %d deep: do they include each other?", path, maxFiles, maxDepth)
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return err
	}
	if len(b) > maxFile {
		return fmt.Errorf("%s has more than %d bytes", path, maxFile)
	}
	if strings.HasSuffix(path, ".yaml") || strings.HasSuffix(path, ".yml") {
		return l.yaml(path, b, depth)
	}
	return l.classic(path, b, depth)
}

// include reads the files of a pattern, relative to the file that names it.
func (l *Loaded) include(from Place, pattern string, depth int) error {
	p := Property{Value: pattern}
	l.replace(&p)
	path := p.Value
	if !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(from.File), path)
	}
	files := []string{path}
	if strings.ContainsAny(path, "*?[") {
		var err error
		if files, err = filepath.Glob(path); err != nil {
			return fmt.Errorf("%s: include %s: %w", from, pattern, err)
		}
	}
	for _, f := range files {
		if err := l.file(f, depth+1); err != nil {
			return fmt.Errorf("%s: include %s: %w", from, pattern, err)
		}
	}
	return nil
}

func (l *Loaded) add(s Section) error {
	if len(l.Sections) >= maxSections {
		return fmt.Errorf("%s: more than %d sections", s.Place, maxSections)
	}
	l.Sections = append(l.Sections, s)
	return nil
}

func (l *Loaded) classic(path string, b []byte, depth int) error {
	now := -1
	for n, text := range bytes.Split(b, []byte{'\n'}) {
		line, at := strings.TrimSpace(string(text)), Place{path, n + 1}
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "@"):
			word, rest, _ := strings.Cut(line, " ")
			rest = strings.TrimSpace(rest)
			switch strings.ToUpper(word) {
			case "@INCLUDE":
				if err := l.include(at, rest, depth); err != nil {
					return err
				}
				now = -1
			case "@SET":
				name, value, _ := strings.Cut(rest, "=")
				l.env[strings.TrimSpace(name)] = strings.TrimSpace(value)
			}
		case strings.HasPrefix(line, "["):
			if err := l.add(Section{Kind: strings.ToLower(strings.Trim(line, "[]")), Place: at}); err != nil {
				return err
			}
			now = len(l.Sections) - 1
		case now < 0:
			return fmt.Errorf("%s: a setting outside of a section", at)
		default:
			key, value := line, ""
			if i := strings.IndexAny(line, " \t"); i >= 0 {
				key, value = line[:i], strings.TrimSpace(line[i:])
			}
			s := &l.Sections[now]
			s.Properties = append(s.Properties, Property{Key: strings.ToLower(key), Value: value, Place: at})
		}
	}
	return nil
}

func (l *Loaded) yaml(path string, b []byte, depth int) error {
	var root yaml.Node
	if err := yaml.Unmarshal(b, &root); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if len(root.Content) == 0 {
		return nil
	}
	for key, value := range pairs(root.Content[0]) {
		switch strings.ToLower(key.Value) {
		case "env":
			for name, v := range pairs(value) {
				l.env[name.Value] = v.Value
			}
		case "includes":
			for _, v := range value.Content {
				if err := l.include(Place{path, v.Line}, v.Value, depth); err != nil {
					return err
				}
			}
		case "service":
			if err := l.add(blockOf(path, "service", key.Line, value)); err != nil {
				return err
			}
		case "pipeline":
			for kind, list := range pairs(value) {
				for _, v := range list.Content {
					if err := l.add(blockOf(path, strings.TrimSuffix(strings.ToLower(kind.Value), "s"), v.Line, v)); err != nil {
						return err
					}
				}
			}
		}
	}
	return nil
}

// blockOf reads a block of YAML.
func blockOf(path, kind string, line int, n *yaml.Node) Section {
	s := Section{Kind: kind, Place: Place{path, line}}
	for key, v := range pairs(n) {
		p := Property{Key: strings.ToLower(key.Value), Place: Place{path, key.Line}}
		switch v.Kind {
		case yaml.MappingNode:
			s.Processors = s.Processors || p.Key == "processors"
			s.Routes = s.Routes || p.Key == "routes"
			continue
		case yaml.SequenceNode:
			if p.Several = true; len(v.Content) > 0 {
				p.Value = v.Content[0].Value
			}
		case yaml.AliasNode:
			p.Value = v.Alias.Value
		default:
			p.Value = v.Value
		}
		s.Properties = append(s.Properties, p)
	}
	return s
}

// pairs yields the keys and values of a mapping.
func pairs(n *yaml.Node) func(yield func(key, value *yaml.Node) bool) {
	return func(yield func(key, value *yaml.Node) bool) {
		if n.Kind != yaml.MappingNode {
			return
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			if !yield(n.Content[i], n.Content[i+1]) {
				return
			}
		}
	}
}

// Service returns the first service property of that name; of what is there several
// times Fluent Bit takes the last for the service.
func (l *Loaded) Service(key string) Property {
	var out Property
	for i := range l.Sections {
		if s := &l.Sections[i]; s.Kind == "service" {
			if out.File == "" {
				out.Place = s.Place
			}
			for _, p := range s.Properties {
				if p.Key == key {
					out = p
				}
			}
		}
	}
	return out
}

// errNoOutput says that a configuration has no output of Dossier.
var errNoOutput = errors.New("it has no output with the name dossier")

// DossierOutput is an output of Dossier in a configuration.
type DossierOutput struct {
	*Section
	// Name is the alias, or the name that Fluent Bit gives it: "dossier.0".
	Name string
}

// DossierOutputs returns the outputs of Dossier in their order.
func (l *Loaded) DossierOutputs() ([]DossierOutput, error) {
	var out []DossierOutput
	for i := range l.Sections {
		s := &l.Sections[i]
		if s.Kind != "output" || !strings.EqualFold(s.Get("name").Value, "dossier") {
			continue
		}
		o := DossierOutput{s, fmt.Sprintf("dossier.%d", len(out))}
		if alias := s.Get("alias").Value; alias != "" {
			o.Name = alias
		}
		out = append(out, o)
	}
	if len(out) == 0 {
		return nil, errNoOutput
	}
	return out, nil
}
