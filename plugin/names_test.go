package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dossier/testbed/flb"
	"dossier/testbed/host"
)

// TestFluentBitNames: what Fluent Bit stores of a list in YAML, of a name that
// is there twice and of one that nothing reads is said, and nothing of what
// is right.
func TestFluentBitNames(t *testing.T) {
	flb.Require(t)
	program, err := flb.Find()
	if err != nil {
		t.Fatal(err)
	}
	so := host.BuildPlugin(t)
	dir := t.TempDir()
	node := deadPort(t)
	letters := filepath.Join(dir, "letters")
	files := map[string]string{
		"c.yaml": fmt.Sprintf(`
plugins:
  - %s
pipeline:
  inputs:
    - name: dummy
  outputs:
    - name: dossier
      match: '*'
      alias: mine
      workers: 1
      retry_limit: no_limits
      storage.total_limit_size: 5M
      log_level: info
      net.keepalive: on
      es_hosts:
        - %s
        - http://127.0.0.1:2
      exclude_nets: 192.0.2.0/24
      retry_limt: 3
      nonsense: 1
      dead_letter_path: %s
`, so, node, letters),
		"c.conf": fmt.Sprintf(`[SERVICE]
    Flush 1
[INPUT]
    Name dummy
[OUTPUT]
    Name dossier
    Match *
    Alias mine
    Workers 1
    Retry_Limit no_limits
    storage.total_limit_size 5M
    Es_Hosts %s
    es_hosts http://127.0.0.1:2
    exclude_nets 192.0.2.0/24
    Retry_Limt 3
    Nonsense 1
    dead_letter_path %s
`, node, letters),
	}
	for name, text := range files {
		t.Run(name, func(t *testing.T) {
			config := filepath.Join(dir, name)
			if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			log := filepath.Join(dir, name+".log")
			cmd := exec.CommandContext(limit(t, time.Minute), program, "-e", so, "-c", config, "-l", log)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() {
				cmd.Process.Kill()
				cmd.Wait()
			}()
			ctx := limit(t, 40*time.Second)
			var lines []string
			for {
				b, _ := os.ReadFile(log)
				if lines = strings.Split(string(b), "\n"); strings.Contains(string(b), "[output:dossier:mine] started") {
					break
				}
				select {
				case <-ctx.Done():
					t.Fatalf("it does not start:\n%s", b)
				case <-time.After(50 * time.Millisecond):
				}
			}
			var said []string
			for _, l := range ours(lines, "warn") {
				if strings.Contains(l, "] option ") {
					said = append(said, l)
				}
			}
			wants := []string{
				"option retry_limt does not exist and has no effect; did you mean retry_limit?",
				"option es_hosts is a list or is there 2 times", `option "nonsense" does not exist and has no effect`,
			}
			if len(said) != len(wants) {
				t.Errorf("got %q", said)
			}
			for _, want := range wants {
				if !strings.Contains(strings.Join(said, "\n"), want) {
					t.Errorf("no %q in %q", want, said)
				}
			}
		})
	}
}
