package sensors

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dossier/testbed/e2e"
	"dossier/testbed/esnode"
	"dossier/testbed/flb"
	"dossier/testbed/host"
	"dossier/testbed/port"

	"go.yaml.in/yaml/v3"
)

// TestCompose runs what conf/compose.yaml has in it without its containers,
// against a node with security: the script of the accounts, the set-up, and
// Fluent Bit's configuration as the user that the script makes.
func TestCompose(t *testing.T) {
	var c struct {
		Services map[string]struct {
			Command     []string
			Environment map[string]string
		}
		Configs map[string]struct{ Content string }
	}
	if err := yaml.Unmarshal([]byte(file(t, conf("compose.yaml"))), &c); err != nil {
		t.Fatal(err)
	}
	script, content := c.Services["accounts"].Command, c.Configs["fluent-bit"].Content
	if len(script) != 1 || content == "" {
		t.Fatalf("accounts has %q, Fluent Bit %q", script, content)
	}
	// In a compose file a dollar sign is written twice.
	content = strings.ReplaceAll(content, "$$", "$")
	dir := t.TempDir()
	config := filepath.Join(dir, "fluent-bit.yaml")
	if err := os.WriteFile(config, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	safe(t, readConfig(t, config))
	flb.Require(t)
	for _, program := range []string{"bash", "curl"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("SKIP: no %s to run the script of the accounts with", program)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	node := esnode.Require(t, esnode.Options{Name: "compose", Password: "elastic-secret", TLS: true})
	secrets := filepath.Join(dir, "secrets")
	if err := os.Mkdir(secrets, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"ca.crt": string(node.Authority().CA()), "elastic.password": "elastic-secret", "kibana.password": "kibana-secret", "dossier.password": "dossier-secret",
	} {
		if err := os.WriteFile(filepath.Join(secrets, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run := func(env []string, name string, args ...string) {
		t.Helper()
		cmd := exec.CommandContext(ctx, name, args...)
		cmd.Env = append(os.Environ(), env...)
		cmd.Dir = conf("..")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
	}
	here := strings.NewReplacer("$$", "$", "/secrets", secrets, "https://elasticsearch:9200", node.URL)
	run(nil, "bash", "-euc", here.Replace(script[0]))
	var env []string
	for name, value := range c.Services["setup"].Environment {
		env = append(env, name+"="+here.Replace(value))
	}
	run(env, "go", "run", "./cmd/dossier", "setup")

	s := all[1] // Cowrie
	content = strings.NewReplacer(
		"/usr/lib/dossier/out_dossier.so", host.BuildPlugin(t), "/var/lib/dossier/dead-letters", filepath.Join(dir, "dead-letters"), "/secrets", secrets, "2020", port.Text(t),
	).Replace(content)
	if err := os.WriteFile(config, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "storage"), 0o755); err != nil {
		t.Fatal(err)
	}
	log := strings.Join(e2e.Lines(t, e2e.Data(filepath.Split(s.data[0]))), "\n") + "\n"
	if err := os.WriteFile(filepath.Join(dir, "cowrie.json"), []byte(log), 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := flb.Start(ctx, flb.Options{Config: config, Env: []string{
		"SENSOR_LOG=" + filepath.Join(dir, "*.json"), "STORAGE=" + filepath.Join(dir, "storage"), "DOSSIER_ES_HOSTS=" + node.URL,
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		f.Kill()
		if t.Failed() {
			t.Log(strings.Join(f.Log(), "\n"))
		}
	})
	docs := await(ctx, t, node, "dossier", s, f)
	if err := f.Stop(ctx); err != nil {
		t.Error(err)
	}
	s.check(t, docs)
	for _, line := range f.Log() {
		if strings.Contains(line, "[error]") || strings.Contains(line, "[ warn]") && !harmless(line) {
			t.Errorf("it complains: %s", line)
		}
	}
	if len(e2e.Documents(t, node, "dossier-activity-*")) == 0 || len(e2e.Documents(t, node, "dossier-sensors")) == 0 {
		t.Error("no activity, or no heartbeat")
	}
}

// The sample that conf/compose.yaml replays is the recorded one, and its week
// ends today: the dashboards look at the last days.
func TestComposeSample(t *testing.T) {
	var c struct {
		Services map[string]struct{ Command []string }
	}
	if err := yaml.Unmarshal([]byte(file(t, conf("compose.yaml"))), &c); err != nil {
		t.Fatal(err)
	}
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip("SKIP: no bash to run the script of the sample with")
	}
	dir := t.TempDir()
	script := strings.NewReplacer("$$", "$", "/sample/", dir+"/", "/recorded/", e2e.Data()+"/").Replace(c.Services["sample"].Command[0])
	today := time.Now().UTC()
	if out, err := exec.CommandContext(t.Context(), "bash", "-euc", script).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	was := append(e2e.Lines(t, e2e.Data("decnet", "raw_20k.log")), e2e.Lines(t, e2e.Data("demo", "more.log"))...)
	is := e2e.Lines(t, filepath.Join(dir, "sample.json"))
	if len(is) != len(was) {
		t.Fatalf("%d lines of %d", len(is), len(was))
	}
	for i := range is {
		want := was[i]
		for day := 1; day <= 8; day++ {
			want = strings.ReplaceAll(want, "2026-01-0"+string(rune('0'+day)), "@"+today.AddDate(0, 0, day-7).Format(time.DateOnly))
		}
		if want = strings.ReplaceAll(want, "@20", "20"); strings.ReplaceAll(is[i], "@20", "20") != want {
			t.Fatalf("line %d is\n%s\nwant\n%s", i+1, is[i], want)
		}
	}
}
