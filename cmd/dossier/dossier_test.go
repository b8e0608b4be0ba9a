package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io/fs"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"dossier/operate"
	"dossier/plugin/options"
	"dossier/testbed/e2e"
	"dossier/testbed/esnode"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// program is the command as it is shipped: under the race detector a start of it,
// of which there are several hundred, takes ten times as long.
var program string

// TestMain builds the command.
func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "dossier")
	if err != nil {
		log.Fatal(err)
	}
	program = filepath.Join(dir, "dossier")
	build := exec.Command("go", "build", "-o", program, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		log.Fatalf("go build: %v\n%s", err, out)
	}
	status := m.Run()
	os.RemoveAll(dir)
	os.Exit(status)
}

// dossier runs the command in a process of its own.
func dossier(t *testing.T, env []string, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, program, args...)
	c.Env = append(os.Environ(), env...)
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	err := c.Run()
	if e, ok := errors.AsType[*exec.ExitError](err); ok {
		status = e.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	return out.String(), errs.String(), status
}

func contains(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(text, p) {
			t.Errorf("no %q in\n%s", p, text)
		}
	}
}

// TestLife of an installation: set up twice, checked, retained.
func TestLife(t *testing.T) {
	node := esnode.Shared(t)
	prefix := e2e.Prefix(t)
	link := []string{"--es-hosts", node.URL, "--index-prefix", prefix}
	with := func(args ...string) []string {
		if args[0] == "setup" { // fewer than it makes by itself: TestEveryFlag counts those
			args = append(args, "--months=3")
		}
		return append(args, link...)
	}

	out, errs, status := dossier(t, nil, with("check")...)
	if status != 2 || errs != "" {
		t.Errorf("check before setup: status %d, %s", status, errs)
	}
	contains(t, out, "FAIL templates: "+prefix+"-attackers is missing; run dossier setup")

	out, errs, status = dossier(t, nil, with("setup", "--shards", "2", "--refresh-interval", "7s")...)
	if status != 0 || errs != "" {
		t.Fatalf("setup: status %d, %s\n%s", status, errs, out)
	}
	contains(t, out, "index template "+prefix+"-attackers: created", "index "+prefix+"-attackers-000001: created", "index "+prefix+"-chunks-"+time.Now().UTC().Format("2006.01")+": created",
		"roles "+prefix+"-*: left out: this cluster has no security")
	if settings := node.Must(t, "GET", prefix+"-attackers/_settings?flat_settings=true", nil); !strings.Contains(settingsOf(settings, prefix+"-attackers-000001"), "2 7s") {
		t.Errorf("got %v", settings)
	}
	// The environment does for a flag.
	out, _, status = dossier(t, []string{"DOSSIER_ES_HOSTS=" + node.URL, "DOSSIER_INDEX_PREFIX=" + prefix, "DOSSIER_SHARDS=2", "DOSSIER_REFRESH_INTERVAL=7s"}, "setup", "--months=3")
	if status != 0 || strings.Contains(out, "created") || strings.Contains(out, "upgraded") {
		t.Errorf("the second time: status %d\n%s", status, out)
	}

	if !strings.HasSuffix(out, "\nnothing changed\n") {
		t.Errorf("the second time:\n%s", out)
	}
	// What is asked for later gets into what is there, once; what nobody asks
	// for stays.
	for round, want := range []string{"index " + prefix + "-attackers-000001: refresh_interval 7s → 8s: updated", "\nnothing changed\n"} {
		out, errs, status = dossier(t, nil, with("setup", "--refresh-interval", "8s")...)
		if contains(t, out, want); status != 0 || round == 0 && strings.Contains(out, "nothing changed") {
			t.Errorf("status %d, %s\n%s", status, errs, out)
		}
		if settings := node.Must(t, "GET", prefix+"-attackers/_settings?flat_settings=true", nil); !strings.Contains(settingsOf(settings, prefix+"-attackers-000001"), "2 8s") {
			t.Errorf("got %v", settings)
		}
	}
	out, _, _ = dossier(t, nil, with("setup", "--shards", "3")...)
	contains(t, out, "index template "+prefix+"-attackers: number_of_shards 2 → 3: updated",
		"index "+prefix+"-attackers-000001: number_of_shards 2 → 3: can't change on an existing index; dossier reshard can give it more")
	for _, change := range [][2]string{{"auto", "2"}, {"2", "auto"}} {
		out, _, _ = dossier(t, nil, with("setup", "--replicas", change[1])...)
		contains(t, out, "index template "+prefix+"-attackers: number_of_replicas "+change[0]+" → "+change[1]+": updated",
			"index "+prefix+"-attackers-000001: number_of_replicas "+change[0]+" → "+change[1]+": updated")
	}
	out, _, _ = dossier(t, nil, with("setup")...)
	contains(t, out, "\nnothing changed\n")

	letters := t.TempDir()
	out, _, status = dossier(t, nil, with("check", "--role", "setup", "--dead-letter-path", letters)...)
	if status != 1 || strings.Contains(out, "FAIL") { // a warning: no security
		t.Errorf("check: status %d\n%s", status, out)
	}
	out, _, _ = dossier(t, nil, with("check", "--json")...)
	contains(t, out, `{"level":"ok","subject":"connection",`)

	node.Must(t, "PUT", prefix+"-attackers/_doc/192.0.2.1?refresh=true", `{"last_seen":"2019-01-02T03:04:05Z"}`)
	out, _, status = dossier(t, nil, with("retain", "--dry-run", "--attackers", "100d")...)
	if contains(t, out, "documents "+prefix+"-attackers: 1 to delete"); status != 0 {
		t.Errorf("retain: status %d\n%s", status, out)
	}
	out, _, _ = dossier(t, nil, with("retain", "--attackers", "forever")...)
	if strings.Contains(out, "-attackers") {
		t.Errorf("kept for ever:\n%s", out)
	}
	out, _, status = dossier(t, nil, with("retain")...)
	if contains(t, out, "documents "+prefix+"-attackers: 1 deleted"); status != 0 {
		t.Errorf("retain: status %d\n%s", status, out)
	}
	out, errs, status = dossier(t, nil, with("replay", letters)...)
	if contains(t, out, "0 letters written"); status != 0 {
		t.Errorf("replay: status %d, %s", status, errs)
	}
}

// TestReplayOfAnotherPrefix: said, with what to do, and nothing is touched; what
// is kept is counted each time.
func TestReplayOfAnotherPrefix(t *testing.T) {
	dir := t.TempDir()
	for name, line := range map[string]string{
		"a.jsonl": `{"chunk":"00","index":"other-attackers","id":"x"}`, "b.jsonl": `{"chunk":"00","data":"eA=="}`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(line+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		out, errs, status := dossier(t, nil, "replay", dir)
		want := "dossier: " + dir + ": 1 letters are in files for another prefix (other), left as they are; run dossier replay --index-prefix with that\n"
		if status != 1 || errs != want {
			t.Errorf("status %d, %q, want %q", status, errs, want)
		}
		contains(t, out, dir+": 0 letters written", dir+": 1 raw letters (--show-raw shows them) and 0 damaged lines (to be looked at in the files) are kept in 1 files *.jsonl.kept")
	}
	if _, err := os.Stat(filepath.Join(dir, "a.jsonl")); err != nil {
		t.Error(err)
	}
}

func settingsOf(answer map[string]any, index string) string {
	s := answer[index].(map[string]any)["settings"].(map[string]any)
	return s["index.number_of_shards"].(string) + " " + s["index.refresh_interval"].(string)
}

// TestWrongUse: one line on standard error that says what to do, a status
// that isn't 0, and no secret in either.
func TestWrongUse(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing")
	for _, test := range []struct {
		args   []string
		want   string
		status int
	}{
		{[]string{"setup", "--es-hosts", "nowhere"}, "option es_hosts: got", 1},
		{[]string{"setup", "--key", "root=/x"}, "--key: got", 1},
		{[]string{"setup", "--key", "writer:s1=/x", "--key", "retention=/y", "--key-owner", "root"}, "--key-owner and --key-mode: got keys of sensors and of other roles", 1},
		{[]string{"setup", "--key", "reader=/x", "--key", "creating-writer=/y", "--key-mode", "0640"}, "--key-owner and --key-mode: got keys of sensors and of other roles", 1},
		{[]string{"setup", "--key-expires", "soon"}, "--key-expires: got", 1},
		{[]string{"setup", "--key-expires", "30d"}, "--key-expires, --key-owner and --key-mode are about the keys of --key, and none is given", 1},
		{[]string{"setup", "--key-owner", "root"}, "and none is given", 1},
		{[]string{"setup", "--key-mode", "0640"}, "and none is given", 1},
		{[]string{"keys", "rotate"}, "got nothing, want the file of a key: dossier keys rotate FILE", 1},
		{[]string{"keys", "revoke"}, "got nothing, want the name or id of a key: dossier keys revoke NAME", 1},
		{[]string{"setup", "--roles", "perhaps", "--es-hosts", "http://127.0.0.1:1"}, "--roles: got", 1},
		{[]string{"setup", "--es-hosts", "http://127.0.0.1:1"}, "elasticsearch: ", 1},
		{[]string{"check", "--es-api-key-file", missing}, "option es_api_key_file: got", 3},
		{[]string{"retain", "--ledger", "3d", "--es-hosts", "http://127.0.0.1:1"}, "--ledger: got 3 days, want at least 30", 1},
		{[]string{"retain", "--attackers", "3h"}, `got "3h"`, 1},
		{[]string{"setup", "--es-password", "hunter2"}, "unknown flag: --es-password: a secret is in --es-password-file or in the variable DOSSIER_ES_PASSWORD", 1},
		{[]string{"show", "--es-host", "x", "192.0.2.1"}, "unknown flag: --es-host; did you mean --es-hosts?", 1},
		{[]string{"shwo"}, `unknown command "shwo" for "dossier"; did you mean show?`, 1},
		{[]string{"setup", "--es-api-key", "hunter2"}, "unknown flag: --es-api-key", 1},
		{[]string{"check", "--nonsense"}, "unknown flag: --nonsense", 3},
		{[]string{"retain", "--index-prefix", ""}, "--index-prefix: got nothing", 1},
		{[]string{"frobnicate"}, `unknown command "frobnicate"`, 1},
	} {
		t.Run(strings.Join(test.args, " "), func(t *testing.T) {
			out, errs, status := dossier(t, []string{"DOSSIER_ES_USER=elastic", "DOSSIER_ES_PASSWORD=horse-horse"}, test.args...)
			if status != test.status || out != "" || strings.Count(errs, "\n") != 1 || !strings.HasPrefix(errs, "dossier: ") {
				t.Errorf("status %d, output %q, errors %q", status, out, errs)
			}
			contains(t, errs, test.want)
			if strings.Contains(errs, "horse") {
				t.Errorf("a secret: %s", errs)
			}
		})
	}
	// Nobody to talk to is a finding, not an accident.
	out, _, status := dossier(t, nil, "check", "--es-hosts", "http://127.0.0.1:1")
	if contains(t, out, "FAIL connection: "); status != 2 {
		t.Errorf("status %d", status)
	}
}

// TestVariables: what looks like an option misspelt is warned about by its
// own name, and what has a use of its own is not.
func TestVariables(t *testing.T) {
	empty := t.TempDir()
	_, errs, _ := dossier(t, []string{
		"DOSSIER_CACHE=/x", "DOSSIER_PASSWORD=x", "DOSSIER_LONG=1", "DOSSIER_ESNODE_IDLE=1", "DOSSIER_ES_HOST=", "DOSSIER_FROBNICATE=1",
		"DOSSIER_USER=anna", "DOSSIER_INDEX_PREFFIX=x", "DOSSIER_TLS=on",
	}, "replay", empty)
	want := "dossier: warning: the environment variable DOSSIER_INDEX_PREFFIX is no option and has no effect; did you mean DOSSIER_INDEX_PREFIX?\n" +
		"dossier: warning: the environment variable DOSSIER_TLS is no option and has no effect; did you mean https in es_hosts?\n" +
		"dossier: warning: the environment variable DOSSIER_USER is no option and has no effect; did you mean DOSSIER_ES_USER?\n"
	if errs != want {
		t.Errorf("got\n%swant\n%s", errs, want)
	}
}

// TestNoVariableOfOursIsAMisspeltOption: whatever the sources of this
// repository name, a test's cache or a password for compose, may be set.
func TestNoVariableOfOursIsAMisspeltOption(t *testing.T) {
	name := regexp.MustCompile(`DOSSIER_[A-Z][A-Z0-9_]*[A-Z0-9]`)
	seen := 0
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() && (d.Name() == ".git" || d.Name() == "data") {
			return cmp.Or(err, fs.SkipDir)
		}
		if info, err := d.Info(); err != nil || d.IsDir() || info.Size() > 1<<20 || strings.HasSuffix(path, "dossier_test.go") {
			return err
		}
		b, err := os.ReadFile(path)
		for _, n := range name.FindAllString(string(b), -1) {
			seen++
			misspelt([]string{n + "=x"}, func(text string) { t.Errorf("%s: %s", path, text) })
		}
		return err
	})
	if err != nil || seen < 20 {
		t.Errorf("%d variables, %v", seen, err)
	}
}

func TestStatus(t *testing.T) {
	for level, want := range map[operate.Level]int{operate.OK: 0, operate.Note: 0, operate.Warning: 1, operate.Failure: 2} {
		if got := statusOf(level); got != want {
			t.Errorf("%v: %d, want %d", level, got, want)
		}
	}
}

// TestOneLine: whatever an error holds, it is one line.
func TestOneLine(t *testing.T) {
	if got := message(errors.New("dossier: a\nb\x1b[31m\u0085c\n")); got != "a; b?[31m?c" {
		t.Errorf("%q", got)
	}
}

// A link of an option's documentation is its text in a flag's help.
func TestHelpHasNoLinks(t *testing.T) {
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		c.Flags().VisitAll(func(f *pflag.Flag) {
			if strings.Contains(f.Usage, "](") {
				t.Errorf("%s --%s: %s", c.CommandPath(), f.Name, f.Usage)
			}
		})
		for _, below := range c.Commands() {
			walk(below)
		}
	}
	walk(newRoot())
	if got := newRejudge().Flags().Lookup("known-scanners").Usage; !strings.HasSuffix(got, "the built-in one (rules.md) (default built in)") {
		t.Errorf("--known-scanners: %s", got)
	}
}

// TestSecretsHaveNoFlag: every user of a host sees the flags of a process.
func TestSecretsHaveNoFlag(t *testing.T) {
	for _, c := range newRoot().Commands() {
		for _, d := range options.Describe() {
			if d.Secret && c.Flags().Lookup(flagName(d.Key)) != nil {
				t.Errorf("dossier %s has the flag --%s", c.Name(), flagName(d.Key))
			}
		}
	}
	out, _, status := dossier(t, nil, "--help")
	if status != 0 {
		t.Error(status)
	}
	contains(t, out, "setup", "check", "retain", "replay")
}
