package configfile

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dossier/testbed/authority"
)

// writeAuthority writes a file with a certificate.
func writeAuthority(t *testing.T, path string) {
	t.Helper()
	a, err := authority.New()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, a.CA(), 0o600); err != nil {
		t.Fatal(err)
	}
}

// lines returns the faults, each as a line.
func lines(l *Loaded) string {
	var out []string
	for _, f := range l.Faults() {
		how := "loses "
		if f.Stops {
			how = "stops "
		}
		out = append(out, how+strings.TrimPrefix(f.Place.String(), filepath.Dir(f.File)+"/")+": "+f.Text+"; "+f.Fix)
	}
	return strings.Join(out, "\n")
}

// TestShippedHaveNoFaults, after the edits that are marked in them.
func TestShippedHaveNoFaults(t *testing.T) {
	dir := t.TempDir()
	for name, value := range map[string]string{
		"STORAGE": "/var/lib/fluent-bit", "SENSOR_LOG": "/var/log/sensor.json", "JOURNAL": "/var/log/journal", "AGGREGATOR_SHARED_KEY": "k",
		"DOSSIER_ES_HOSTS": "https://es:9200", "DOSSIER_ES_API_KEY": "a:b", "DOSSIER_ES_CA_FILE": dir + "/ca.pem", "DECOY_NETS": "192.0.2.0/24",
	} {
		t.Setenv(name, value)
	}
	writeAuthority(t, dir+"/ca.pem")
	if err := os.CopyFS(dir+"/conf", os.DirFS("../../conf")); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(dir + "/conf/dossier-*")
	if err != nil || len(files) < 14 {
		t.Fatal(files, err)
	}
	seen := 0
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		text := strings.NewReplacer("/etc/dossier/ca.pem", dir+"/ca.pem", "/etc/dossier/field_maps", dir+"/conf/field_maps").Replace(string(b))
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(file, "dossier-plugins.conf") {
			continue
		}
		l, err := Load(file)
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		seen++
		if got := lines(l); got != "" {
			t.Errorf("%s:\n%s", filepath.Base(file), got)
		}
	}
	if seen < 13 {
		t.Errorf("%d configurations", seen)
	}
}

// good is a configuration without a fault, line by line.
const good = `service:
  daemon: off
  grace: 15
  scheduler.cap: 30
  storage.path: /var/lib/fluent-bit/storage
  hot_reload: off
pipeline:
  inputs:
    - name: tail
      tag: decoy.ssh
      path: /var/log/a.log
      db: /var/lib/a.db
      storage.type: filesystem
      buffer_max_size: 8M
      skip_long_lines: on
  outputs:
    - name: dossier
      match: decoy.*
      workers: 2
      retry_limit: no_limits
      es_hosts: http://127.0.0.1:9200
`

// TestEachFault: each wrong setting has one line, which says where it stands and what is allowed.
func TestEachFault(t *testing.T) {
	os.Unsetenv("NOT_SET_HERE")
	for _, c := range []struct{ from, to, want string }{
		{"", "", ""},
		{"  grace: 15\n", "", "loses a.yaml:1: commit_timeout is 8s and grace 5 s: a flush that is under way at a stop may end after the grace, where Fluent Bit throws its result away and delivers the chunk again; set grace to 10 or more"},
		{"grace: 15", "grace: 8", "loses a.yaml:3: commit_timeout is 8s and grace 8 s: "},
		{"es_hosts:", "commit_timeout: 20s\n      es_hosts:", "loses a.yaml:3: commit_timeout is 20s and grace 15 s: "},
		{"workers: 2\n", "workers: 0\n      commit_timeout: 15s\n", "loses a.yaml:3: commit_timeout is 15s and grace 15 s: "},
		{"daemon: off", "daemon: on", "stops a.yaml:2: daemon is on: "},
		{"hot_reload: off", "hot_reload: on", "loses a.yaml:6: hot_reload is on: "},
		{"  scheduler.cap: 30\n", "", "loses a.yaml:1: scheduler.cap is more than 300 s (by default 2000): "},
		{"scheduler.cap: 30", "scheduler.cap: 301", "loses a.yaml:4: scheduler.cap is more than 300 s"},
		{"  storage.path: /var/lib/fluent-bit/storage\n", "", "stops a.yaml:1: an input has storage.type filesystem and the service no storage.path; "},
		{"      storage.type: filesystem\n", "", "loses a.yaml:9: the input tail keeps in memory alone what waits: "},
		{"storage.type: filesystem", "storage.type: memory", "loses a.yaml:13: the input tail keeps in memory alone"},
		{"      db: /var/lib/a.db\n", "", "loses a.yaml:9: the input tail has no db: "},
		{"skip_long_lines: on", "skip_long_lines: off", "loses a.yaml:15: skip_long_lines is off: "},
		{"      skip_long_lines: on\n", "", "loses a.yaml:9: skip_long_lines is off: "},
		{"      buffer_max_size: 8M\n", "", "loses a.yaml:9: buffer_max_size is 32k by default: longer lines are left out, "},
		{"buffer_max_size: 8M", "buffer_max_size: 64k", "loses a.yaml:14: buffer_max_size is 64k: "},
		{"match: decoy.*", "match: honeypot.*", "stops a.yaml:18: match honeypot.* matches the tag of no input: it gets no records; the inputs have decoy.ssh"},
		{"match: decoy.*", "match_regex: ^x", "stops a.yaml:18: match_regex ^x matches the tag of no input"},
		{"      match: decoy.*\n", "", "stops a.yaml:17: the output has neither match nor match_regex, and gets no records; "},
		{"      retry_limit: no_limits\n", "", "loses a.yaml:17: retry_limit is not set: Fluent Bit gives up a chunk after one retry, and what is in it is lost; set retry_limit no_limits"},
		{"retry_limit: no_limits", "retry_limit: 5", `loses a.yaml:20: retry_limit is "5": `},
		{"retry_limit: no_limits", "retries: no_limits", "loses a.yaml:20: retries does not exist here and has no effect; did you mean retry_limit?\nloses a.yaml:17: retry_limit is not set"},
		{"es_hosts: http", "es_host: http", "loses a.yaml:21: es_host does not exist here and has no effect; did you mean es_hosts?"},
		{"es_hosts: http://127.0.0.1:9200", "host: es", "loses a.yaml:21: host does not exist here and has no effect; did you mean es_hosts?"},
		{"workers: 2", "workers: 2\n      tls: on", "loses a.yaml:20: tls does not exist here and has no effect; did you mean https in es_hosts?"},
		{"workers: 2", "workers: 2\n      \"frob\\u001bnicate\": 1", `loses a.yaml:20: frob\x1bnicate does not exist and has no effect; docs/options.md has all there are`},
		{"es_hosts: http://127.0.0.1:9200", "es_hosts: [http://a:9200, http://b:9200]", "loses a.yaml:21: es_hosts has several values, and Fluent Bit hands over the first alone; "},
		{"workers: 2", "workers: 2\n      shards: 0", `stops a.yaml:20: option shards: got "0", want `},
		{"es_hosts: http", "es_ca_file: /nowhere/ca.pem\n      es_hosts: http", `stops a.yaml:21: option es_ca_file: got "/nowhere/ca.pem", want `},
		{"es_hosts: http://127.0.0.1:9200", "es_hosts: ${NOT_SET_HERE}", "loses a.yaml:21: the variable NOT_SET_HERE, which es_hosts is made of, is not set here, and was taken for empty; "},
		{"path: /var/log/a.log", "path: ${NOT_SET_HERE}/a.log", "loses a.yaml:11: the variable NOT_SET_HERE, which path is made of, is not set here"},
		{"  daemon: off", "  log_level: ${NOT_SET_HERE}", "loses a.yaml:2: the variable NOT_SET_HERE, which log_level is made of"},
		{"workers: 2", "workers: 2\n      processors: {logs: [{name: sql}]}", "loses a.yaml:17: the output has processors: "},
		{"name: dossier", "name: es", "stops a.yaml:1: there is no output with the name dossier; "},
		// What is no fault.
		{"pipeline:", "env: {TAG: decoy.ssh}\npipeline:", ""},
		{"tag: decoy.ssh", "tag: decoy.*", ""},
		{"tag: decoy.ssh", "tag: x\n      routes: {logs: [{name: all, to: {outputs: [{name: dossier.0}]}}]}", ""},
		{"match: decoy.*", "match: '*ssh'", ""},
		{"match: decoy.*", "match: 'x'\n    - name: stdout\n      match: decoy.*\n    - name: stdout\n      match: '*'", "loses a.yaml:17: retry_limit is not set: Fluent Bit gives up a chunk after one retry, and what is in it is lost; set retry_limit no_limits\nstops a.yaml:18: match x matches the tag of no input"},
		{"  outputs:", "  filters:\n    - name: rewrite_tag\n      match: '*'\n  outputs:", ""},
		{"      storage.type: filesystem\n", "", "loses a.yaml:9: the input tail keeps in memory"},
		{"workers: 2", "workers: 2\n      storage.total_limit_size: 10G\n      alias: north", ""},
	} {
		text := strings.Replace(good, c.from, c.to, 1)
		if c.from != "" && text == good {
			t.Fatalf("%q isn't there", c.from)
		}
		path := filepath.Join(t.TempDir(), "a.yaml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		l, err := Load(path)
		if err != nil {
			t.Errorf("%q → %q: %v", c.from, c.to, err)
			continue
		}
		got := lines(l)
		if (c.want == "") != (got == "") || !strings.HasPrefix(got, c.want) || strings.Count(got, "\n") > max(strings.Count(c.want, "\n"), strings.Count(text, "name: dossier")+strings.Count(c.to, "stdout")) {
			t.Errorf("%q → %q:\n%s\nwant\n%s", c.from, c.to, got, c.want)
		}
	}
}

// TestLoad: both formats, with what they include, and their variables.
func TestLoad(t *testing.T) {
	t.Setenv("FROM_HERE", "here")
	t.Setenv("BOTH", "here")
	dir := t.TempDir()
	for name, text := range map[string]string{
		"a.conf":        "@SET BOTH=set\n[SERVICE]\n  Grace 15\n@INCLUDE parts/*.conf\n[OUTPUT]\n  Name dossier\n  Match *\n  es_hosts  http://${FROM_HERE}:9200\n  index_prefix ${BOTH}\n  # es_user x\n",
		"parts/1.conf":  "[INPUT]\n  Name tail\n  Tag one\n",
		"parts/2.conf":  "[INPUT]\n  Name tail\n  Tag two\n@INCLUDE ../more.conf\n",
		"more.conf":     "[INPUT]\n  Name forward\n",
		"a.yaml":        "env: {BOTH: set}\nincludes: [parts/b.yaml]\nservice: {grace: 15}\npipeline:\n  outputs:\n    - {name: dossier, alias: north, es_hosts: 'http://${FROM_HERE}:9200', index_prefix: '${BOTH}'}\n",
		"parts/b.yaml":  "pipeline: {inputs: [{name: tail, tag: one}]}\n",
		"self.conf":     "@INCLUDE self.conf\n",
		"self.yaml":     "includes: [self.yaml]\n",
		"outside.conf":  "Name dossier\n",
		"missing.conf":  "@INCLUDE nowhere.conf\n",
		"broken.yaml":   "a: [",
		"big.conf":      strings.Repeat("#\n", maxFile),
		"sections.conf": strings.Repeat("[INPUT]\n", maxSections+1),
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]struct {
		inputs       int
		output, line string
	}{"a.conf": {3, "dossier.0", "a.conf:5"}, "a.yaml": {1, "north", "a.yaml:6"}} {
		l, err := Load(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		o, err := l.DossierOutputs()
		if err != nil || len(o) != 1 || o[0].Name != want.output || o[0].Get("es_hosts").Value != "http://here:9200" || o[0].Get("index_prefix").Value != "set" || o[0].Get("es_user").Value != "" ||
			!strings.HasSuffix(o[0].Place.String(), want.line) || l.Service("grace").Value != "15" {
			t.Errorf("%s: %+v, %v", name, o, err)
		}
		inputs := 0
		for _, s := range l.Sections {
			if s.Kind == "input" {
				inputs++
			}
		}
		if inputs != want.inputs {
			t.Errorf("%s: %d inputs", name, inputs)
		}
	}
	for name, want := range map[string]string{
		"self.conf": "do they include each other?", "self.yaml": "do they include each other?", "outside.conf": "outside.conf:1: a setting outside of a section", "missing.conf": "missing.conf:1: include nowhere.conf: ",
		"broken.yaml": "broken.yaml: ", "big.conf": "has more than ", "sections.conf": "more than 1000 sections", "nowhere.yaml": "no such file",
	} {
		if _, err := Load(filepath.Join(dir, name)); err == nil || !strings.Contains(err.Error(), want) || len(err.Error()) > 3000 {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
}

func TestMatches(t *testing.T) {
	for _, c := range []struct {
		pattern, tag string
		want         bool
	}{
		{"*", "", true}, {"a", "a", true}, {"a", "ab", false}, {"a*", "ab", true}, {"*b", "ab", true}, {"a*c*e", "abcde", true}, {"a*e*c", "abcde", false}, {"a*b*c", "ac", false}, {"ab*ba", "aba", false}, {"**", "x", true},
	} {
		if got := matches(c.pattern, c.tag); got != c.want {
			t.Errorf("%s, %s: %v", c.pattern, c.tag, got)
		}
	}
}
