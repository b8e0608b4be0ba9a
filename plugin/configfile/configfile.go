// Package configfile reads in Fluent Bit's own configuration what Dossier
// depends on and Fluent Bit tells no plugin: the grace at a stop, where inputs
// keep what waits, and the retries and workers of an output. What it can't be sure of it doesn't say: a
// file that includes others, a variable that isn't set, a command line that
// changes what the file says.
package configfile

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// maxFile bounds a configuration in bytes.
const maxFile = 1 << 20

// defaultGrace is Fluent Bit's own (flb_config_init in flb_config.c).
const defaultGrace = 5 * time.Second

// errUnclear says that a configuration can't be read for certain.
var errUnclear = errors.New("the configuration is not all in this file")

// Config is what a configuration says.
type Config struct {
	// Grace is how long Fluent Bit waits at a stop.
	Grace time.Duration
	// InMemory says that no input keeps on the disk what waits.
	InMemory bool
	// Outputs are those of Dossier, in their order.
	Outputs []Output
}

// Output is what Fluent Bit keeps of an output to itself.
type Output struct {
	// Name is the alias, or the name that Fluent Bit gives it: "dossier.0".
	Name string
	// RetryLimit is as it is written, "" where it is not.
	RetryLimit string
	// Workers is 0 where Fluent Bit flushes on its engine's thread.
	Workers int
}

// Running returns the configuration of this process, an error where it isn't
// certain.
func Running() (*Config, error) {
	line, err := os.ReadFile("/proc/self/cmdline")
	if err != nil {
		return nil, err
	}
	path, err := pathIn(strings.Split(strings.TrimRight(string(line), "\x00"), "\x00"))
	if err != nil {
		return nil, err
	}
	return Read(path)
}

// pathIn returns the configuration's path on Fluent Bit's command line.
func pathIn(args []string) (path string, err error) {
	for i := 1; i < len(args); i++ {
		arg, value, joined := strings.Cut(args[i], "=")
		switch {
		case arg == "-c" || arg == "--config":
			if !joined && i+1 < len(args) {
				i++
				value = args[i]
			}
			if value == "" || path != "" {
				return "", errUnclear
			}
			path = value
		case strings.HasPrefix(arg, "-c") && !strings.HasPrefix(arg, "--"):
			return "", errUnclear
		case slices.Contains([]string{"-i", "--input", "-o", "--output", "-w", "--workdir"}, arg):
			return "", errUnclear // inputs and outputs of its own, or paths of another folder
		}
	}
	if path == "" {
		return "", errUnclear
	}
	return path, nil
}

// Read reads a configuration in the classic format, or in YAML where the name
// ends so.
func Read(path string) (*Config, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(b) > maxFile {
		return nil, errUnclear
	}
	var sections []section
	if strings.HasSuffix(path, ".yaml") || strings.HasSuffix(path, ".yml") {
		sections, err = readYAML(b)
	} else {
		sections, err = readClassic(b)
	}
	if err != nil {
		return nil, err
	}
	return newConfig(sections)
}

// section is [SERVICE], an [INPUT] or an [OUTPUT] with its keys in lower case.
type section struct {
	kind   string // "service", "input" or "output"
	values map[string]string
}

var variable = regexp.MustCompile(`\$\{([^}]*)\}`)

// get returns a value with its variables.
func (s section) get(key string) (string, error) {
	v := s.values[key]
	unset := false
	v = variable.ReplaceAllStringFunc(v, func(name string) string {
		value, ok := os.LookupEnv(name[2 : len(name)-1])
		unset = unset || !ok
		return value
	})
	if unset {
		return "", errUnclear
	}
	return strings.TrimSpace(v), nil
}

func newConfig(sections []section) (*Config, error) {
	c := &Config{Grace: defaultGrace}
	inputs, onDisk := 0, 0
	for _, s := range sections {
		if s.kind == "input" {
			kept, err := s.get("storage.type")
			if err != nil {
				return nil, err
			}
			inputs++
			if kept != "" && !strings.EqualFold(kept, "memory") {
				onDisk++
			}
			continue
		}
		if s.kind == "service" {
			text, err := s.get("grace")
			if err != nil {
				return nil, err
			}
			if text != "" {
				n, err := strconv.ParseInt(text, 10, 32)
				if err != nil {
					return nil, errUnclear
				}
				c.Grace = time.Duration(n) * time.Second
			}
			if s.values["storage.inherit"] != "" {
				onDisk++ // inputs have what the service says
			}
			continue
		}
		name, err := s.get("name")
		if err != nil {
			return nil, err
		}
		if !strings.EqualFold(name, "dossier") {
			continue
		}
		o := Output{Name: fmt.Sprintf("dossier.%d", len(c.Outputs))}
		alias, err := s.get("alias")
		if err != nil {
			return nil, err
		}
		if alias != "" {
			o.Name = alias
		}
		if o.RetryLimit, err = s.get("retry_limit"); err != nil {
			return nil, err
		}
		workers, err := s.get("workers")
		if err != nil {
			return nil, err
		}
		if workers != "" {
			if o.Workers, err = strconv.Atoi(workers); err != nil {
				return nil, errUnclear
			}
		}
		c.Outputs = append(c.Outputs, o)
	}
	c.InMemory = inputs > 0 && onDisk == 0
	return c, nil
}

func readClassic(b []byte) ([]section, error) {
	var out []section
	var now *section
	lines := bufio.NewScanner(bytes.NewReader(b))
	lines.Buffer(nil, maxFile)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "@"):
			return nil, errUnclear // includes and settings of its own
		case strings.HasPrefix(line, "["):
			kind := strings.ToLower(strings.Trim(line, "[]"))
			now = nil
			if kind == "service" || kind == "input" || kind == "output" {
				out = append(out, section{kind, map[string]string{}})
				now = &out[len(out)-1]
			}
		case now != nil:
			at := strings.IndexAny(line, " \t")
			if at < 0 {
				continue
			}
			key := strings.ToLower(line[:at])
			if _, twice := now.values[key]; twice && key != "match" {
				continue // of several Fluent Bit takes the first for a plugin
			}
			now.values[key] = strings.TrimSpace(line[at:])
		}
	}
	return out, lines.Err()
}

func readYAML(b []byte) ([]section, error) {
	var file struct {
		Includes yaml.Node            `yaml:"includes"`
		Env      yaml.Node            `yaml:"env"`
		Service  map[string]yaml.Node `yaml:"service"`
		Pipeline struct {
			Inputs  []map[string]yaml.Node `yaml:"inputs"`
			Outputs []map[string]yaml.Node `yaml:"outputs"`
		} `yaml:"pipeline"`
	}
	if err := yaml.Unmarshal(b, &file); err != nil {
		return nil, err
	}
	if !file.Includes.IsZero() || !file.Env.IsZero() {
		return nil, errUnclear
	}
	flat := func(kind string, m map[string]yaml.Node) section {
		s := section{kind, map[string]string{}}
		for key, v := range m {
			if v.Kind == yaml.ScalarNode {
				s.values[strings.ToLower(key)] = v.Value
			}
		}
		return s
	}
	out := []section{flat("service", file.Service)}
	for _, i := range file.Pipeline.Inputs {
		out = append(out, flat("input", i))
	}
	for _, o := range file.Pipeline.Outputs {
		out = append(out, flat("output", o))
	}
	return out, nil
}

// Warnings says in lines what of the configuration goes against an output's
// commit timeouts: with workers, and on the engine's thread. Its name is as
// Fluent Bit gives it.
func (c *Config) Warnings(name string, onWorker, onEngine time.Duration) []string {
	var out []string
	for _, o := range c.Outputs {
		if o.Name != name {
			continue
		}
		if text := o.givesUp(); text != "" {
			out = append(out, text+", and what is in it is lost; set retry_limit no_limits")
		}
		if c.InMemory {
			out = append(out, "no input has storage.type filesystem: chunks wait in memory alone, and what Elasticsearch has not taken is lost at a stop or a crash; set storage.type filesystem on the input, and storage.path of the service")
		}
		timeout := onEngine
		if o.Workers > 0 {
			timeout = onWorker
		}
		if c.Grace >= 0 && timeout >= c.Grace {
			out = append(out, fmt.Sprintf("commit_timeout is %s and grace of the service %s: a flush that is under way at a stop may end after the grace, where Fluent Bit throws its result away and delivers the chunk again; set grace to %d or more",
				timeout, c.Grace, int(timeout/time.Second)+2))
		}
	}
	return out
}

// givesUp says when Fluent Bit gives up a chunk of the output, "" where it
// never does.
func (o Output) givesUp() string {
	switch v := strings.ToLower(o.RetryLimit); v {
	case "no_limits", "false", "off":
		return ""
	case "":
		return "retry_limit is not set: Fluent Bit gives up a chunk after one retry"
	case "no_retries":
		return "retry_limit is no_retries: Fluent Bit gives up a chunk that Elasticsearch can't take at once"
	default:
		n, err := strconv.Atoi(v)
		if err != nil || n <= 0 {
			n = 1 // what Fluent Bit makes of it, from 5.1 on at least
		}
		retries := "retries"
		if n == 1 {
			retries = "retry"
		}
		return fmt.Sprintf("retry_limit is %.20q: Fluent Bit gives up a chunk after %d %s", o.RetryLimit, n, retries)
	}
}
