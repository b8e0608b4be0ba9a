package configfile

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

func read(t *testing.T, name, text string) (*Config, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return Read(path)
}

// TestShipped: nothing is said of what we ship.
func TestShipped(t *testing.T) {
	t.Setenv("STORAGE", "/var/lib/fluent-bit")
	files, err := filepath.Glob("../../conf/dossier-*")
	if err != nil || len(files) < 8 {
		t.Fatal(files, err)
	}
	seen := 0
	for _, file := range files {
		c, err := Read(file)
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		for _, o := range c.Outputs {
			seen++
			if got := c.Warnings(o.Name, 8*time.Second, 3*time.Second); len(got) > 0 {
				t.Errorf("%s: %q", file, got)
			}
		}
	}
	if seen < 8 {
		t.Errorf("%d outputs in %q", seen, files)
	}
}

// TestShippedAlike: what was chosen by measurement is the same in all configurations of
// sensors; an aggregator has more memory, and differs in nothing but what takes it.
func TestShippedAlike(t *testing.T) {
	files, err := filepath.Glob("../../conf/dossier-*")
	more, err2 := filepath.Glob("../../conf/kubernetes/*.yaml")
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	files = append(append(files, more...), "../../conf/compose.yaml")
	settings := regexp.MustCompile(`(?mi)^\s+(flush|grace|scheduler\.cap|storage\.sync|storage\.checksum|storage\.max_chunks_up|storage\.backlog\.mem_limit|` +
		`hot_reload|coro_stack_size|workers|retry_limit|cache_size|commit_timeout):?\s+(\S+)$`)
	of := func(file string) map[string]string {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		found := map[string]string{}
		for _, m := range settings.FindAllSubmatch(text, -1) {
			found[strings.ToLower(string(m[1]))] = string(m[2])
		}
		return found
	}
	want := of("../../conf/dossier-decnet.yaml")
	if len(want) != 13 {
		t.Fatalf("dossier-decnet.yaml has %v", want)
	}
	seen := 0
	for _, file := range files {
		got := of(file)
		if got["workers"] == "" {
			continue // it names plugins, or volumes
		}
		seen++
		if strings.HasSuffix(file, "aggregator.yaml") {
			for _, key := range []string{"flush", "workers", "cache_size", "storage.max_chunks_up", "storage.backlog.mem_limit"} {
				if got[key] == "" || got[key] == want[key] {
					t.Errorf("%s: %s is %q, as on sensors", file, key, got[key])
				}
				got[key] = want[key]
			}
		}
		for key, value := range want {
			if got[key] != value {
				t.Errorf("%s: %s is %q, in dossier-decnet.yaml %q", file, key, got[key], value)
			}
		}
	}
	if seen < 16 {
		t.Errorf("%d configurations in %q", seen, files)
	}
}

func TestWarnings(t *testing.T) {
	t.Setenv("SECONDS_TO_WAIT", "4")
	os.Unsetenv("NOT_SET_HERE")
	for _, test := range []struct {
		name, file, text string
		output           string
		want             []string // nil where the configuration is unclear
	}{
		{"all well", "a.conf", "[SERVICE]\n  Grace 15\n[OUTPUT]\n  Name dossier\n  Workers 2\n  Retry_Limit no_limits\n", "dossier.0", []string{}},
		{"YAML's off", "a.yaml", "service:\n  Grace: 9\npipeline:\n  outputs:\n    - Name: dossier\n      retry_limit: off\n      workers: 1\n", "dossier.0", []string{}},
		{"defaults on the engine's thread", "a.conf", "[OUTPUT]\n  Name dossier\n", "dossier.0", []string{"retry_limit is not set: Fluent Bit gives up a chunk after one retry, and what is in it is lost; set retry_limit no_limits"}},
		{"defaults with workers", "a.conf", "[OUTPUT]\n  Name dossier\n Workers 1\n Retry_Limit false\n", "dossier.0", []string{"commit_timeout is 8s and grace of the service 5s: "}},
		{"as long as the grace", "a.yml", "service: {grace: 8}\npipeline: {outputs: [{name: dossier, workers: 2, retry_limit: no_limits}]}", "dossier.0", []string{"commit_timeout is 8s and grace of the service 8s: "}},
		{"for ever", "a.yml", "service: {grace: -1}\npipeline: {outputs: [{name: dossier, workers: 2, retry_limit: no_limits}]}", "dossier.0", []string{}},
		{"a variable", "a.conf", "[SERVICE]\n  grace ${SECONDS_TO_WAIT}\n[OUTPUT]\n  Name dossier\n  workers 1\n  Retry_Limit No_Limits\n", "dossier.0", []string{"commit_timeout is 8s and grace of the service 4s: "}},
		{"one retry", "a.conf", "[OUTPUT]\n  Name dossier\n  Retry_Limit 1\n", "dossier.0", []string{`retry_limit is "1": Fluent Bit gives up a chunk after 1 retry, `}},
		{"five retries", "a.yaml", "pipeline: {outputs: [{name: dossier, retry_limit: 5}]}", "dossier.0", []string{`retry_limit is "5": Fluent Bit gives up a chunk after 5 retries, `}},
		{"none", "a.yaml", "pipeline: {outputs: [{name: dossier, retry_limit: no_retries}]}", "dossier.0", []string{"retry_limit is no_retries: "}},
		{"another output's", "a.conf", "[OUTPUT]\n  Name es\n  Retry_Limit 1\n[OUTPUT]\n  Name dossier\n  Retry_Limit no_limits\n", "dossier.0", []string{}},
		{"the second", "a.conf", "[OUTPUT]\n  Name dossier\n  Retry_Limit 1\n[OUTPUT]\n  Name dossier\n  Retry_Limit no_limits\n", "dossier.1", []string{}},
		{"by its alias", "a.conf", "[OUTPUT]\n  Name dossier\n  Alias north\n  Retry_Limit 3\n", "north", []string{`retry_limit is "3": `}},
		{"not this one", "a.conf", "[OUTPUT]\n  Name dossier\n  Alias north\n  Retry_Limit 3\n", "dossier.0", []string{}},
		{"in memory", "a.conf", "[SERVICE]\n  Grace 15\n[INPUT]\n  Name tail\n[OUTPUT]\n  Name dossier\n  Workers 2\n  Retry_Limit no_limits\n", "dossier.0", []string{"no input has storage.type filesystem: "}},
		{"in memory, said so", "a.yaml", "service: {grace: 15}\npipeline: {inputs: [{name: tail, storage.type: memory}], outputs: [{name: dossier, retry_limit: no_limits}]}", "dossier.0", []string{"no input has storage.type filesystem: "}},
		{"on the disk", "a.yaml", "service: {grace: 15}\npipeline: {inputs: [{name: fluentbit_metrics}, {name: tail, Storage.Type: filesystem}], outputs: [{name: dossier, retry_limit: no_limits}]}", "dossier.0", []string{}},
		{"as the service says", "a.conf", "[SERVICE]\n  Grace 15\n  storage.inherit on\n  storage.type filesystem\n[INPUT]\n  Name tail\n[OUTPUT]\n  Name dossier\n  Retry_Limit no_limits\n", "dossier.0", []string{}},
		{"an include", "a.conf", "@INCLUDE b.conf\n[OUTPUT]\n  Name dossier\n", "dossier.0", nil},
		{"an include in YAML", "a.yaml", "includes: [b.yaml]\npipeline: {outputs: [{name: dossier}]}", "dossier.0", nil},
		{"a variable that isn't set", "a.conf", "[OUTPUT]\n  Name dossier\n  Retry_Limit ${NOT_SET_HERE}\n", "dossier.0", nil},
		{"no YAML", "a.yaml", "a: [", "dossier.0", nil},
		{"too long", "a.conf", strings.Repeat("#\n", maxFile), "dossier.0", nil},
	} {
		c, err := read(t, test.file, test.text)
		if (err != nil) != (test.want == nil) {
			t.Errorf("%s: %v", test.name, err)
		}
		if err != nil {
			continue
		}
		got := c.Warnings(test.output, 8*time.Second, 3*time.Second)
		if len(got) != len(test.want) || len(got) > 0 && !strings.HasPrefix(got[0], test.want[0]) {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

func TestCommandLine(t *testing.T) {
	for line, want := range map[string]string{
		"fluent-bit -c a.conf":                "a.conf",
		"fluent-bit -v --config=b.yaml":       "b.yaml",
		"fluent-bit --config c.yaml -q":       "c.yaml",
		"fluent-bit":                          "",
		"fluent-bit -c":                       "",
		"fluent-bit -ca.conf":                 "",
		"fluent-bit -c a.conf -c b.conf":      "",
		"fluent-bit -c a.conf -w /elsewhere":  "",
		"fluent-bit -c a.conf -o dossier":     "",
		"fluent-bit -i dummy --output=stdout": "",
	} {
		got, err := pathIn(strings.Fields(line))
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%s: %q, %v", line, got, err)
		}
	}
}
