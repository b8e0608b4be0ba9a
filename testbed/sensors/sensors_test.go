// Package sensors runs what the sensors' real programs wrote through the
// configurations that conf/ has for them, into a real Elasticsearch.
package sensors

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"dossier/plugin/chunk/chunktest"
	"dossier/testbed/e2e"
	"dossier/testbed/esnode"
	"dossier/testbed/host"

	"go.yaml.in/yaml/v3"
)

// recordTime is the time Fluent Bit gives the records: after every line's own.
var recordTime = time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC)

// sensor is a configuration, what its input is given, and what must come of
// it.
type sensor struct {
	// config is the configuration's file, without its extension.
	config string
	// data are the files under testbed/data.
	data []string
	// env is what the configuration takes from the environment beside what
	// all take.
	env map[string]string
	// attackers is the number of documents.
	attackers int
	// refused is what the log must tell of records that give no event: of those
	// that were cut before Fluent Bit, and of what somebody else than the sensor
	// wrote.
	refused []string
	// address is an attacker that is looked at closer, want what his document
	// must say, whatever the record's time.
	address string
	want    map[string]any
	// sample stands in the line that docs/sensors.md shows, show are the
	// fields it shows beside those of all.
	sample string
	show   []string
}

// TestConfigurationsAreSafe holds each configuration against the settings
// under which nothing is lost (docs/guarantees.md).
func TestConfigurationsAreSafe(t *testing.T) {
	files, err := filepath.Glob(conf("dossier-*.yaml"))
	if err != nil || len(files) < len(all) {
		t.Fatalf("%d configurations, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			c := readConfig(t, file)
			safe(t, c)
			if _, err := os.Stat(strings.TrimSuffix(file, ".yaml") + ".conf"); err == nil {
				sameInClassic(t, c, strings.TrimSuffix(file, ".yaml")+".conf")
			}
		})
	}
}

// safe checks the settings that every configuration must have.
func safe(t *testing.T, c config) {
	t.Helper()
	for key, want := range map[string]string{
		"grace": "25", "scheduler.cap": "30", "hot_reload": "off", "coro_stack_size": "98304",
		"daemon": "off", "http_listen": "127.0.0.1",
	} {
		if got := c.Service[key]; got != want {
			t.Errorf("service: %s is %q, want %q", key, got, want)
		}
	}
	if c.Service["storage.path"] == "" {
		t.Error("service: no storage.path")
	}
	for _, in := range c.Pipeline.Inputs {
		if in["storage.type"] != "filesystem" {
			t.Errorf("input %s: storage.type is %q", in["name"], in["storage.type"])
		}
		if in["name"] == "tail" && (in["db"] == "" || in["skip_long_lines"] != "on") {
			t.Errorf("input tail: db %q, skip_long_lines %q", in["db"], in["skip_long_lines"])
		}
		if l, network := in["listen"]; network && l != "127.0.0.1" && (in["shared_key"] == "" || in["tls"] != "on") {
			t.Errorf("input %s listens on %s without authentication or TLS", in["name"], l)
		}
	}
	for _, out := range c.Pipeline.Outputs {
		if n, err := strconv.Atoi(out["workers"]); err != nil || n < 1 || out["retry_limit"] != "no_limits" {
			t.Errorf("output: workers %q, retry_limit %q", out["workers"], out["retry_limit"])
		}
	}
}

// sameInClassic checks that a configuration in the classic format says what
// the one in YAML says.
func sameInClassic(t *testing.T, c config, file string) {
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]map[string]string{}
	var section map[string]string
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSpace(line)
		switch {
		case line == "", line[0] == '#':
		case line[0] == '[':
			section = map[string]string{}
			got[strings.ToLower(strings.Trim(line, "[]"))] = section
		default:
			key, value, _ := strings.Cut(line, " ")
			section[strings.ToLower(key)] = strings.TrimSpace(value)
		}
	}
	delete(got["service"], "plugins_file")
	for name, want := range map[string]map[string]string{
		"service": c.Service, "input": c.Pipeline.Inputs[0], "output": c.Pipeline.Outputs[0],
	} {
		if !maps.Equal(got[name], want) {
			t.Errorf("%s: %s is\n%v\nin YAML it is\n%v", filepath.Base(file), name, got[name], want)
		}
	}
}

// TestThroughHost runs each configuration's output settings against what the
// sensor wrote, in the form in which its input hands it over, and checks that
// docs/sensors.md shows what comes of it.
func TestThroughHost(t *testing.T) {
	node := esnode.Shared(t)
	page := readPage(t)
	for _, s := range all {
		t.Run(s.config, func(t *testing.T) {
			prefix := e2e.Prefix(t)
			deliver(t, s, properties(t, s, node, prefix, nil))
			docs := e2e.Documents(t, node, prefix+"-attackers")
			s.check(t, docs)
			s.says(t, docs[s.address])
			page.holds(t, "input "+s.config, s.input(t))
			page.holds(t, "example "+s.config, s.example(t, docs[s.address]))
		})
	}
	page.holds(t, "map heralding", "```yaml\n"+file(t, conf("field_maps/heralding.yaml"))+"```\n")
	page.write(t)
}

// check looks at the attackers that came of a sensor.
func (s sensor) check(t *testing.T, docs map[string]map[string]any) {
	t.Helper()
	if len(docs) != s.attackers {
		t.Errorf("%d attackers, want %d: %v", len(docs), s.attackers, slices.Sorted(maps.Keys(docs)))
	}
	doc := docs[s.address]
	if doc == nil {
		t.Fatalf("nothing of %s", s.address)
	}
	for _, field := range slices.Sorted(maps.Keys(s.want)) {
		if got, want := fmt.Sprint(at(doc, field)), fmt.Sprint(s.want[field]); got != want {
			t.Errorf("%s: %s is %s, want %s", s.address, field, got, want)
		}
	}
}

// at returns the value of a field by its dotted name.
func at(doc map[string]any, field string) any {
	head, rest, nested := strings.Cut(field, ".")
	if !nested {
		return doc[head]
	}
	inner, _ := doc[head].(map[string]any)
	return at(inner, rest)
}

// properties are the options of a configuration's output, for a test.
func properties(t testing.TB, s sensor, node *esnode.Node, prefix string, more map[string]string) map[string]string {
	t.Helper()
	c := readConfig(t, conf("dossier-"+s.config+".yaml"))
	p := map[string]string{}
	for k, v := range c.Pipeline.Outputs[0] {
		v = os.Expand(v, func(name string) string { return s.env[name] })
		v = strings.ReplaceAll(v, "/etc/dossier/", conf("")+"/")
		switch k {
		case "name", "match", "workers", "retry_limit", "es_ca_file", "es_api_key":
		default:
			if v != "" {
				p[k] = v
			}
		}
	}
	maps.Copy(p, e2e.Properties(t, node.URL, prefix, more))
	return p
}

// deliver runs a sensor's data through the host.
func deliver(t testing.TB, s sensor, properties map[string]string, edit ...func(file, line string) string) *host.Host {
	t.Helper()
	h := e2e.StartHost(t, host.Options{Workers: 2, Properties: properties})
	input := readConfig(t, conf("dossier-"+s.config+".yaml")).Pipeline.Inputs[0]["name"]
	for _, file := range s.data {
		var b chunktest.Builder
		for _, line := range e2e.Lines(t, e2e.Data(filepath.Split(file))) {
			for _, f := range edit {
				line = f(file, line)
			}
			b.Event(timeOf(t, input, line), body(t, input, line))
		}
		e2e.Deliver(t, h, []e2e.Chunk{{Tag: s.config, Data: b.Bytes()}}, 1)
	}
	if err := h.Exit(t.Context()); err != nil {
		t.Fatal(err)
	}
	return h
}

// body is the record that an input makes of a line.
func body(t testing.TB, input, line string) any {
	t.Helper()
	switch input {
	case "tail", "syslog":
		return chunktest.Map{"log", line}
	case "http", "elasticsearch", "systemd":
		var record map[string]any
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			t.Fatalf("%v: %.200s", err, line)
		}
		if input == "systemd" {
			delete(record, "date") // the stdout output's
		}
		if input == "elasticsearch" {
			record["@meta"] = map[string]any{"create": map[string]any{"_index": "logs-honeypot-default"}}
		}
		return record
	}
	t.Fatalf("what does the input %s hand over?", input)
	return nil
}

// timeOf is the time that an input gives a record: the journal's own where it
// comes from there.
func timeOf(t testing.TB, input, line string) time.Time {
	t.Helper()
	if input != "systemd" {
		return recordTime
	}
	var record struct{ Date time.Time }
	if err := json.Unmarshal([]byte(line), &record); err != nil || record.Date.IsZero() {
		t.Fatalf("%v: %.200s", err, line)
	}
	return record.Date
}

// config is a Fluent Bit configuration.
type config struct {
	Service  map[string]string
	Plugins  []string
	Pipeline struct{ Inputs, Outputs []map[string]string }
}

func readConfig(t testing.TB, file string) config {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var c config
	if err := yaml.Unmarshal(b, &c); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	if len(c.Plugins) != 1 || len(c.Pipeline.Inputs) != 1 || len(c.Pipeline.Outputs) != 1 {
		t.Fatalf("%s: %d plugins, %d inputs, %d outputs", file, len(c.Plugins), len(c.Pipeline.Inputs), len(c.Pipeline.Outputs))
	}
	return c
}

func file(t testing.TB, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// conf returns the path of a file under conf.
func conf(name string) string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "..", "..", "conf", name)
}
