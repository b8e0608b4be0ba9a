package rules

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

//go:embed data/rules/*.yaml
var ruleFiles embed.FS

// list has texts; in YAML one may stand alone.
type list []string

// UnmarshalYAML reads a text or a list of texts.
func (l *list) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind == yaml.ScalarNode {
		*l = list{node.Value}
		return nil
	}
	return node.Decode((*[]string)(l))
}

// selection has what must hold by the names of fields, each with the modifiers
// of Sigma behind it.
type selection map[string]list

// selections are several, of which one is enough.
type selections []selection

// UnmarshalYAML reads one selection or a list of them.
func (s *selections) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind == yaml.MappingNode {
		var one selection
		if err := node.Decode(&one); err != nil {
			return err
		}
		*s = selections{one}
		return nil
	}
	return node.Decode((*[]selection)(s))
}

// Software is a program, a family of malware or who uses it.
type Software struct {
	Name string `yaml:"name"`
	// Type is one of SoftwareTypes.
	Type string `yaml:"type"`
}

// SoftwareTypes are what a name may stand for.
var SoftwareTypes = []string{Library, Scanner, Tool, Malware, Group}

// Grave says how much the rule's conclusion weighs beside others': its stage,
// then its severity.
func (r *Rule) Grave() int { return int(r.rank)*len(severities) + slices.Index(severities, r.Severity) }

var severities = []string{"low", "medium", "high", "critical"}

// Example is something that an attacker says, and by which a rule is tested: a
// text, or more of an event where a text alone doesn't say it.
type Example struct {
	Service  string            `yaml:"service"`
	Type     string            `yaml:"type"`
	Text     string            `yaml:"text"`
	Request  string            `yaml:"request"` // method and path
	Headers  map[string]string `yaml:"headers"`
	Body     string            `yaml:"body"`
	Outcome  string            `yaml:"outcome"`
	Kind     string            `yaml:"kind"`
	User     string            `yaml:"user"`
	Secret   string            `yaml:"secret"`
	Internal bool              `yaml:"internal"`
}

// UnmarshalYAML reads an example or its text alone.
func (e *Example) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind == yaml.ScalarNode {
		e.Text = node.Value
		return nil
	}
	type plain Example
	return node.Decode((*plain)(e))
}

// Rule is one conclusion and what it is drawn from.
type Rule struct {
	// ID names the rule; a rule of a user's takes the place of the built-in
	// one with the same.
	ID string `yaml:"id"`
	// Name says what the attacker does, in words that stand behind "because
	// it": "fetches a file".
	Name string `yaml:"name"`
	// Reference is where the rule's pattern is described.
	Reference string `yaml:"reference"`
	// Channel has the channels on which it holds.
	Channel list `yaml:"channel"`
	// When has what must hold, all of it; Unless what must not.
	When   selection  `yaml:"when"`
	Unless selections `yaml:"unless"`
	// Technique is an id of ATT&CK, Tactic the one of its tactics that is
	// meant.
	Technique string `yaml:"technique"`
	Tactic    string `yaml:"tactic"`
	// Software is what the rule recognises, beside or instead of a technique.
	Software *Software `yaml:"software"`
	// CVE has the vulnerabilities that are exploited.
	CVE list `yaml:"cve"`
	// Stage is how far the attacker got, Severity how grave it is.
	Stage    string `yaml:"stage"`
	Severity string `yaml:"severity"`
	// Fires are examples that the rule holds for, Quiet near misses.
	Fires []Example `yaml:"fires"`
	Quiet []Example `yaml:"quiet"`

	topic    string
	rank     Stage
	channels channelSet
	when     []condition
	unless   [][]condition
}

// The bounds of rule files.
const (
	maxRules  = 4096
	maxValues = 512
)

// readRules reads the rules of one file.
func readRules(name string, data []byte) ([]*Rule, error) {
	var f struct {
		Topic string  `yaml:"topic"`
		Rules []*Rule `yaml:"rules"`
	}
	d := yaml.NewDecoder(bytes.NewReader(data))
	d.KnownFields(true)
	if err := d.Decode(&f); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if err := d.Decode(new(any)); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: more than one YAML document: put all rules under the rules of one", name)
	}
	if f.Topic == "" || len(f.Rules) == 0 {
		return nil, fmt.Errorf("%s: topic and rules must be given", name)
	}
	if len(f.Rules) > maxRules {
		return nil, fmt.Errorf("%s: %d rules; at most %d are read", name, len(f.Rules), maxRules)
	}
	for i, r := range f.Rules {
		if r == nil {
			return nil, fmt.Errorf("%s: rule %d is empty", name, i+1)
		}
		r.topic = f.Topic
	}
	return f.Rules, nil
}

// builtinRules reads the rules that the program comes with, and tells their bytes.
func builtinRules(told io.Writer) ([]*Rule, error) {
	names, err := fs.Glob(ruleFiles, "data/rules/*.yaml")
	if err != nil {
		return nil, err
	}
	var all []*Rule
	for _, name := range names {
		data, err := ruleFiles.ReadFile(name)
		if err != nil {
			return nil, err
		}
		if _, err := told.Write(data); err != nil {
			return nil, err
		}
		rules, err := readRules(path.Base(name), data)
		if err != nil {
			return nil, err
		}
		all = append(all, rules...)
	}
	return all, nil
}

// check fills in what matching needs.
func (r *Rule) check(c *catalogue) error {
	if r.ID == "" || strings.Trim(r.ID, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		return fmt.Errorf("rule %q: an id is lower-case letters, digits and -", r.ID)
	}
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if r.Name == "" {
		bad("name must be given")
	}
	if r.Technique == "" && r.Software == nil {
		bad("technique or software must be given")
	}
	if t, ok := c.techniques[r.Technique]; r.Technique != "" && !ok {
		bad("%q is no technique of ATT&CK %s", r.Technique, c.version)
	} else if ok && !slices.Contains(t.Tactics, r.Tactic) {
		bad("tactic %q: %s has %s", r.Tactic, r.Technique, strings.Join(t.Tactics, ", "))
	}
	if s := r.Software; s != nil && (s.Name == "" || !slices.Contains(SoftwareTypes, s.Type)) {
		bad("software: name must be given, and a type of %s", strings.Join(SoftwareTypes, ", "))
	}
	if !slices.Contains(stages, r.Stage) {
		bad("stage %q: it must be one of %s", r.Stage, strings.Join(stages, ", "))
	}
	r.rank = stageOf(r.Stage)
	if !slices.Contains(severities, r.Severity) {
		bad("severity %q: it must be one of %s", r.Severity, strings.Join(severities, ", "))
	}
	if len(r.Channel) == 0 {
		bad("channel must be given")
	}
	for _, name := range r.Channel {
		i := slices.Index(channelNames[:], name)
		if i < 0 {
			bad("channel %q: it must be one of %s", name, strings.Join(channelNames[:], ", "))
			continue
		}
		r.channels |= 1 << i
	}
	var err error
	if r.when, err = conditions(r.When); err != nil {
		bad("when: %w", err)
	}
	if len(r.when) == 0 {
		bad("when must be given: a rule without a condition holds always")
	}
	r.unless = nil
	for _, s := range r.Unless {
		c, err := conditions(s)
		if err == nil && len(c) == 0 {
			err = errors.New("an empty one would never let the rule hold")
		}
		if err != nil {
			bad("unless: %w", err)
		}
		r.unless = append(r.unless, c)
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("rule %s: %w", r.ID, err)
	}
	return nil
}

// field is something of an event that a rule can ask for.
type field uint8

const (
	programField field = iota
	wordField
	writesField
	lineField
	textField
	verbField
	statementField
	methodField
	pathField
	queryField
	headerField
	agentField
	bodyField
	typeField
	serviceField
	kindField
	outcomeField
	triedField
	scopeField
	nestedField
	quietField
	toolField
	fields
)

var fieldNames = [fields]string{
	"program", "word", "writes", "line", "text", "verb", "statement", "method", "path", "query", "header", "agent", "body",
	"type", "service", "kind", "outcome", "tried", "scope", "nested", "quiet", "tool",
}

// op is how a value is compared.
type op uint8

const (
	exactly op = iota
	contains
	startsWith
	endsWith
)

var opNames = map[string]op{"contains": contains, "startswith": startsWith, "endswith": endsWith}

// condition asks for one of the values in a field, or for all of them.
type condition struct {
	field  field
	op     op
	all    bool
	values []string
}

func conditions(s selection) ([]condition, error) {
	var out []condition
	// In a fixed order, so that the same rule is the same everywhere.
	keys := make([]string, 0, len(s))
	for key := range s {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		parts := strings.Split(key, "|")
		i := slices.Index(fieldNames[:], parts[0])
		if i < 0 {
			return nil, fmt.Errorf("%q is no field; fields are %s", parts[0], strings.Join(fieldNames[:], ", "))
		}
		c := condition{field: field(i)}
		for _, m := range parts[1:] {
			how, known := opNames[m]
			switch {
			case m == "all":
				c.all = true
			case known && c.op == exactly:
				c.op = how
			default:
				return nil, fmt.Errorf("%s: %q is no modifier; modifiers are contains, startswith, endswith and all", key, m)
			}
		}
		if len(s[key]) == 0 || len(s[key]) > maxValues || slices.Contains(s[key], "") {
			return nil, fmt.Errorf("%s: from 1 to %d texts must be given, none of them empty", key, maxValues)
		}
		if c.all && c.op != contains {
			return nil, fmt.Errorf("%s: all goes with contains", key)
		}
		for _, v := range s[key] {
			if !c.field.cased() && v != strings.ToLower(v) {
				return nil, fmt.Errorf("%s: %q must be in lower case: %s is compared so", key, v, parts[0])
			}
			c.values = append(c.values, v)
		}
		out = append(out, c)
	}
	return out, nil
}

// cased says that a field is compared as it was written: options of programs
// differ in case alone.
func (f field) cased() bool {
	return f == wordField || f == writesField || f == typeField || f == serviceField || f == kindField || f == toolField
}

// asked returns the condition of that field, nil where there is none.
func (r *Rule) asked(f field) *condition {
	for i := range r.when {
		if r.when[i].field == f {
			return &r.when[i]
		}
	}
	return nil
}

// channel is a way in which an attacker talks to a decoy.
type channel uint8

const (
	shellChannel channel = iota
	sqlChannel
	redisChannel
	mongoChannel
	memcachedChannel
	elasticChannel
	httpChannel
	dockerChannel
	kubernetesChannel
	ftpChannel
	fileChannel
	mailChannel
	sipChannel
	snmpChannel
	ldapChannel
	gitChannel
	icsChannel
	dataChannel
	alertChannel
	// What follows is no text, but that something happened.
	eventChannel
	loginChannel
	artifactChannel
	recipientChannel
	messageChannel
	toolChannel
	channels
)

var channelNames = [channels]string{
	"shell", "sql", "redis", "mongodb", "memcached", "elasticsearch", "http", "docker", "kubernetes", "ftp", "file", "mail",
	"sip", "snmp", "ldap", "git", "ics", "data", "alert", "event", "login", "artifact", "recipient", "message", "tool",
}

// channelSet is a set of channels.
type channelSet uint32

func (s channelSet) has(c channel) bool { return s&(1<<c) != 0 }

// channelOf returns the channel of what is said to a service. Who is no
// service that is known here says bytes: only shells read commands.
func channelOf(service string) channel {
	switch service {
	case "", "ssh", "telnet", "shell", "adb", "adbhoney", "bash", "console", "rsh":
		return shellChannel
	case "mysql", "postgres", "postgresql", "mssql", "oracle":
		return sqlChannel
	case "redis":
		return redisChannel
	case "mongodb":
		return mongoChannel
	case "memcached":
		return memcachedChannel
	case "elasticsearch":
		return elasticChannel
	case "http", "https", "httpproxy":
		return httpChannel
	case "docker_api", "docker":
		return dockerChannel
	case "k8s", "kubernetes":
		return kubernetesChannel
	case "ftp", "tftp":
		return ftpChannel
	case "smb":
		return fileChannel
	case "smtp", "smtp_relay", "imap", "imaps", "pop3", "pop3s":
		return mailChannel
	case "sip":
		return sipChannel
	case "snmp":
		return snmpChannel
	case "ldap":
		return ldapChannel
	case "git":
		return gitChannel
	case "modbus", "s7comm", "s7", "enip", "dnp3", "bacnet", "iec104":
		return icsChannel
	default:
		return dataChannel
	}
}
