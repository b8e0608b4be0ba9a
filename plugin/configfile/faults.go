package configfile

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"dossier/plugin/options"
)

// Fault is one thing in a configuration that stops Fluent Bit, loses data or has no
// effect.
type Fault struct {
	Place
	// Stops says that Fluent Bit doesn't start with it, or delivers nothing.
	Stops bool
	// Text says what is wrong, Fix what to do; each is one line.
	Text, Fix string
}

// Faults returns what is wrong with Dossier's outputs, the inputs whose records they get and
// the service. Values of options are judged as on this host:
// files that they name must be here.
func (l *Loaded) Faults() []Fault {
	j := judging{Loaded: l}
	outputs, err := l.DossierOutputs()
	if err != nil {
		var at Place
		if len(l.Sections) > 0 {
			at = l.Sections[0].Place
		}
		j.stops(at, "there is no output with the name dossier", "add one: docs/options.md has its options")
		return j.out
	}
	slowest := time.Duration(0)
	for i := range outputs {
		slowest = max(slowest, j.output(&outputs[i]))
	}
	anyWorkers := slices.ContainsFunc(outputs, func(o DossierOutput) bool { return o.workers() > 0 })
	j.service(slowest, anyWorkers)
	for i := range l.Sections {
		s := &l.Sections[i]
		if s.Kind == "input" && slices.ContainsFunc(outputs, func(o DossierOutput) bool { return j.gets(o, s) }) {
			j.input(s)
		}
	}
	return j.out
}

type judging struct {
	*Loaded
	out []Fault
}

func (j *judging) stops(at Place, text, fix string) {
	j.out = append(j.out, Fault{at, true, text, fix})
}

func (j *judging) loses(at Place, text, fix string) {
	j.out = append(j.out, Fault{at, false, text, fix})
}

func (o *DossierOutput) workers() int {
	n, err := strconv.Atoi(o.Get("workers").Value)
	if err != nil {
		return 0
	}
	return n
}

// isOn reads a switch as Fluent Bit does (flb_utils_bool).
func isOn(v string) bool {
	return slices.Contains([]string{"on", "true", "yes", "1"}, strings.ToLower(v))
}

// output judges one output and returns how long its chunks may take.
func (j *judging) output(o *DossierOutput) time.Duration {
	count := map[string]int{}
	for _, p := range o.Properties {
		count[p.Key]++
		j.unset(p)
		switch right, ok := options.Suggest(p.Key); {
		case options.IsRead(p.Key) && (p.Several || count[p.Key] == 2):
			j.loses(p.Place, fmt.Sprintf("%s has several values, and Fluent Bit hands over the first alone", p.Key), "write it once; several values of a list into one text, separated by spaces")
		case options.IsRead(p.Key):
		case ok:
			j.loses(p.Place, fmt.Sprintf("%s does not exist here and has no effect", shown(p.Key)), "did you mean "+right+"?")
		default:
			j.loses(p.Place, fmt.Sprintf("%s does not exist and has no effect", shown(p.Key)), "docs/options.md has all there are")
		}
	}
	if o.Processors {
		j.loses(o.Place, "the output has processors: they change the bytes at each attempt, so that a chunk that comes again counts again", "use processors of the input, or filters")
	}
	limit := o.Get("retry_limit")
	if text := (Output{RetryLimit: limit.Value}).givesUp(); text != "" {
		j.loses(limit.Place, text+", and what is in it is lost", "set retry_limit no_limits")
	}
	j.match(o)
	parsed, err := options.Parse(func(key string) string {
		if !options.IsRead(key) {
			return "" // said above
		}
		return o.Get(key).Value
	}, func(string) {})
	if err != nil {
		at := o.Place
		if f, ok := errors.AsType[*options.Fault](err); ok && len(f.Keys) > 0 {
			at = o.Get(f.Keys[0]).Place
		}
		j.stops(at, strings.TrimPrefix(err.Error(), "dossier: "), "")
		return 0
	}
	if o.workers() > 0 {
		return parsed.CommitTimeout
	}
	return parsed.EngineCommitTimeout
}

// match judges whether records reach the output.
func (j *judging) match(o *DossierOutput) {
	match, pattern := o.Get("match"), o.Get("match_regex")
	if slices.ContainsFunc(j.Sections, func(s Section) bool { return s.Routes }) {
		return // they need no tags
	}
	if match.Value == "" && pattern.Value == "" {
		j.stops(o.Place, "the output has neither match nor match_regex, and gets no records", "set match to the tag of its inputs")
		return
	}
	inputs := 0
	for i := range j.Sections {
		s := &j.Sections[i]
		if s.Kind == "filter" && slices.Contains([]string{"rewrite_tag", "log_to_metrics"}, s.Get("name").Value) {
			return // other tags than those of inputs
		}
		if s.Kind == "input" {
			if inputs++; j.gets(*o, s) {
				return
			}
		}
	}
	if inputs > 0 {
		at := match
		if match.Value == "" {
			at = pattern
		}
		j.stops(at.Place, fmt.Sprintf("%s %s matches the tag of no input: it gets no records", at.Key, shown(at.Value)), "the inputs have "+strings.Join(j.tags(), ", "))
	}
}

// tags are those of the inputs.
func (j *judging) tags() []string {
	var out []string
	for i := range j.Sections {
		if s := &j.Sections[i]; s.Kind == "input" && len(out) < 10 {
			tag, _ := tagOf(s)
			out = append(out, shown(tag))
		}
	}
	return out
}

// tagOf returns an input's tag, and whether its records may have any other.
func tagOf(s *Section) (tag string, any bool) {
	tag = s.Get("tag").Value
	switch name := strings.ToLower(s.Get("name").Value); {
	case tag != "":
		return tag, strings.Contains(tag, "*") || strings.Contains(tag, "<") || s.Get("tag_from_uri").Value != "" || s.Get("tag_key").Value != ""
	case slices.Contains([]string{"forward", "http", "splunk", "elasticsearch", "opentelemetry", "prometheus_remote_write", "kubernetes_events"}, name):
		return name, true // it is the sender's, or its path's
	default:
		return name + ".0", false
	}
}

// gets says whether an output gets records of an input.
func (j *judging) gets(o DossierOutput, input *Section) bool {
	tag, any := tagOf(input)
	if any || input.Routes {
		return true
	}
	if m := o.Get("match").Value; m != "" {
		return matches(m, tag)
	}
	re, err := regexp.Compile(o.Get("match_regex").Value)
	return err != nil || re.MatchString(tag)
}

// matches says whether a pattern in which * stands for anything matches a tag
// (flb_router_match).
func matches(pattern, tag string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == tag
	}
	rest, ok := strings.CutPrefix(tag, parts[0])
	if !ok {
		return false
	}
	for _, p := range parts[1 : len(parts)-1] {
		_, after, ok := strings.Cut(rest, p)
		if !ok {
			return false
		}
		rest = after
	}
	return strings.HasSuffix(rest, parts[len(parts)-1])
}

// service judges what all outputs depend on.
func (j *judging) service(slowest time.Duration, anyWorkers bool) {
	grace := j.Service("grace")
	seconds := int64(defaultGrace / time.Second)
	if n, err := strconv.ParseInt(grace.Value, 10, 32); err == nil {
		seconds = n
	}
	if seconds >= 0 && slowest >= time.Duration(seconds)*time.Second {
		j.loses(grace.Place, fmt.Sprintf("commit_timeout is %s and grace %d s: a flush that is under way at a stop may end after the grace, where Fluent Bit throws its result away and delivers the chunk again", slowest, seconds),
			fmt.Sprintf("set grace to %d or more", int(slowest/time.Second)+2))
	}
	if p := j.Service("daemon"); isOn(p.Value) {
		j.stops(p.Place, "daemon is on: Fluent Bit forks after it has loaded the plugin, which no Go plugin survives", "set daemon off and leave the background to systemd or Docker")
	}
	if p := j.Service("hot_reload"); isOn(p.Value) && anyWorkers {
		j.loses(p.Place, "hot_reload is on: with workers Fluent Bit up to 5.1.1 crashes at a reload, and Dossier refuses those", "set hot_reload off, and restart instead")
	}
	limit := j.Service("scheduler.cap")
	if n, err := strconv.Atoi(limit.Value); err != nil || n > 300 {
		j.loses(limit.Place, "scheduler.cap is more than 300 s (by default 2000): after an outage chunks come again ever more seldom", "set scheduler.cap 30")
	}
	onDisk := false
	for i := range j.Sections {
		s := &j.Sections[i]
		onDisk = onDisk || s.Kind == "input" && strings.EqualFold(s.Get("storage.type").Value, "filesystem")
	}
	if p := j.Service("storage.path"); p.Value == "" && (onDisk || j.inherits()) {
		j.stops(p.Place, "an input has storage.type filesystem and the service no storage.path", "set storage.path to a folder that only Fluent Bit's user may write to")
	}
	for i := range j.Sections {
		if s := &j.Sections[i]; s.Kind == "service" {
			for _, p := range s.Properties {
				j.unset(p)
			}
		}
	}
}

// unset tells of variables that are not set here.
func (j *judging) unset(p Property) {
	for _, name := range p.Unset {
		j.loses(p.Place, fmt.Sprintf("the variable %s, which %s is made of, is not set here, and was taken for empty", shown(name), shown(p.Key)), "set it as the service that runs Fluent Bit has it, then look again")
	}
}

// inherits says whether inputs have the service's storage.type.
func (j *judging) inherits() bool {
	return isOn(j.Service("storage.inherit").Value) && strings.EqualFold(j.Service("storage.type").Value, "filesystem")
}

// input judges an input whose records Dossier gets.
func (j *judging) input(s *Section) {
	name := strings.ToLower(s.Get("name").Value)
	for _, p := range s.Properties {
		j.unset(p)
	}
	kept := s.Get("storage.type")
	if !strings.EqualFold(kept.Value, "filesystem") && (kept.Value != "" || !j.inherits()) {
		j.loses(kept.Place, fmt.Sprintf("the input %s keeps in memory alone what waits: it is lost at a stop or a crash", shown(name)), "set storage.type filesystem on it, and storage.path of the service")
	}
	if (name == "tail" || name == "systemd") && s.Get("db").Value == "" && len(s.Get("db").Unset) == 0 {
		j.loses(s.Place, fmt.Sprintf("the input %s has no db: after a restart it doesn't know how far it has read, and lines are left out or come again", name), "set db to a file beside storage.path")
	}
	if name != "tail" {
		return
	}
	if skip := s.Get("skip_long_lines"); !isOn(skip.Value) && !isOn(s.Get("truncate_long_lines").Value) {
		j.loses(skip.Place, "skip_long_lines is off: at a line longer than buffer_max_size the input stops reading that file, and attackers send long lines", "set skip_long_lines on, and buffer_max_size 8M")
	}
	if size := s.Get("buffer_max_size"); bytesOf(size.Value) < leastLine {
		j.loses(size.Place, fmt.Sprintf("buffer_max_size is %s: longer lines are left out, and attackers send long lines", shown(orDefault(size.Value, "32k by default"))), "set buffer_max_size 8M, and buffer_chunk_size 256k")
	}
}

// leastLine is the longest line of which a sensor's log should lose none.
const leastLine = 1 << 20

func orDefault(v, def string) string {
	if v == "" {
		return def
	}
	return v
}

// bytesOf reads a size as Fluent Bit does: a number with k, m or g behind it. What it
// can't read is 0.
func bytesOf(v string) int64 {
	v = strings.TrimSuffix(strings.ToLower(v), "b")
	unit := int64(1)
	for suffix, n := range map[string]int64{"k": 1 << 10, "m": 1 << 20, "g": 1 << 30} {
		if rest, ok := strings.CutSuffix(v, suffix); ok {
			v, unit = rest, n
			break
		}
	}
	n, err := strconv.ParseInt(v, 10, 32)
	if err != nil {
		return 0
	}
	return n * unit
}

// shown makes a text of the configuration fit for a line.
func shown(s string) string {
	if len(s) > 100 {
		s = s[:100] + "…"
	}
	return strings.Trim(strconv.Quote(s), `"`)
}
