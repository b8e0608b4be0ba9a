package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dossier/plugin/options"
	"dossier/testbed/e2e"
	"dossier/testbed/esnode"
)

// TestMain is the command itself where a test runs this program again.
func TestMain(m *testing.M) {
	if os.Getenv("DOSSIER_TEST_COMMAND") != "" {
		main()
	}
	os.Exit(m.Run())
}

// dossier runs the command in a process of its own.
func dossier(t *testing.T, env []string, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, os.Args[0], args...)
	c.Env = append(append(os.Environ(), "DOSSIER_TEST_COMMAND=1"), env...)
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
	with := func(args ...string) []string { return append(args, link...) }

	out, errs, status := dossier(t, nil, with("check")...)
	if status != 2 || errs != "" {
		t.Errorf("check before setup: status %d, %s", status, errs)
	}
	contains(t, out, "FAIL templates: "+prefix+"-attackers is missing; run dossier setup")

	out, errs, status = dossier(t, nil, with("setup", "--shards", "2", "--refresh-interval", "7s")...)
	if status != 0 || errs != "" {
		t.Fatalf("setup: status %d, %s\n%s", status, errs, out)
	}
	contains(t, out, "index template "+prefix+"-attackers: created", "index "+prefix+"-attackers: created", "index "+prefix+"-chunks-"+time.Now().UTC().Format("2006.01")+": created",
		"roles "+prefix+"-*: left out: this cluster has no security")
	if settings := node.Must(t, "GET", prefix+"-attackers/_settings?flat_settings=true", nil); !strings.Contains(settingsOf(settings, prefix+"-attackers"), "2 7000ms") {
		t.Errorf("got %v", settings)
	}
	// The environment does for a flag.
	out, _, status = dossier(t, []string{"DOSSIER_ES_HOSTS=" + node.URL, "DOSSIER_INDEX_PREFIX=" + prefix, "DOSSIER_SHARDS=2", "DOSSIER_REFRESH_INTERVAL=7s"}, "setup")
	if status != 0 || strings.Contains(out, "created") || strings.Contains(out, "upgraded") {
		t.Errorf("the second time: status %d\n%s", status, out)
	}

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
		{[]string{"setup", "--key", "root=/x"}, "key: got", 1},
		{[]string{"setup", "--key-expires", "soon"}, "key-expires: got", 1},
		{[]string{"setup", "--roles", "perhaps", "--es-hosts", "http://127.0.0.1:1"}, "roles: got", 1},
		{[]string{"setup", "--es-hosts", "http://127.0.0.1:1"}, "elasticsearch: ", 1},
		{[]string{"check", "--es-api-key-file", missing}, "option es_api_key_file: got", 3},
		{[]string{"retain", "--ledger", "3d", "--es-hosts", "http://127.0.0.1:1"}, "ledger: got 3 days, want at least 30", 1},
		{[]string{"retain", "--attackers", "3h"}, `got "3h"`, 1},
		{[]string{"setup", "--es-password", "hunter2"}, "unknown flag: --es-password", 1},
		{[]string{"setup", "--es-api-key", "hunter2"}, "unknown flag: --es-api-key", 1},
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
