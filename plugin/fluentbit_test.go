package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
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
)

// sensorLog writes a log of n lines of one attacker.
func sensorLog(t testing.TB, dir string, n int) string {
	t.Helper()
	path := filepath.Join(dir, "sensor.log")
	var b strings.Builder
	for i := range n {
		fmt.Fprintln(&b, line(i))
	}
	if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// startFluent starts a real Fluent Bit on a log of 100 lines.
func startFluent(t *testing.T, output, service map[string]string) *flb.Fluent {
	t.Helper()
	flb.Require(t)
	dir := t.TempDir()
	return flb.Run(limit(t, time.Minute), t, flb.Options{
		Plugin: host.BuildPlugin(t), Dir: dir, File: sensorLog(t, dir, 100), Output: output, Service: service,
	})
}

// TestFluentBitStopsAtAWrongOption: one line of ours, exit code not 0, soon.
func TestFluentBitStopsAtAWrongOption(t *testing.T) {
	f := startFluent(t, properties(t, deadPort(t), map[string]string{"cache_size": "lots"}), nil)
	err := f.Wait(limit(t, 20*time.Second))
	if _, exited := errors.AsType[*exec.ExitError](err); !exited {
		t.Fatalf("it ended with %v", err)
	}
	errs := ours(f.Log(), "error")
	if len(errs) != 1 || !strings.Contains(errs[0], `[output:dossier:dossier.0] dossier: option cache_size: got "lots", want a size from 8M to 64G such as 256M`) {
		t.Errorf("got %q", errs)
	}
}

func TestFluentBitDryRun(t *testing.T) {
	flb.Require(t)
	program, err := flb.Find()
	if err != nil {
		t.Fatal(err)
	}
	so := host.BuildPlugin(t)
	out, err := exec.CommandContext(limit(t, 20*time.Second), program, "--dry-run", "-e", so,
		"-i", "dummy", "-o", "dossier", "-p", "dead_letter_path=/nonexistent/dossier").CombinedOutput()
	if err != nil || strings.Contains(string(out), "panic") || strings.Contains(string(out), "[output:dossier") {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestFluentBitDaemon: a daemon is refused instead of hanging for ever.
func TestFluentBitDaemon(t *testing.T) {
	flb.Require(t)
	program, err := flb.Find()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	log := filepath.Join(dir, "fluent-bit.log")
	config := filepath.Join(dir, "daemon.conf")
	text := fmt.Sprintf("[SERVICE]\n    Daemon on\n    Log_File %s\n    Plugins_File %s\n[INPUT]\n    Name dummy\n[OUTPUT]\n    Name dossier\n    Match *\n    es_hosts %s\n    dead_letter_path %s\n",
		log, filepath.Join(dir, "plugins.conf"), deadPort(t), filepath.Join(dir, "letters"))
	for name, content := range map[string]string{config: text, filepath.Join(dir, "plugins.conf"): "[PLUGINS]\n    Path " + host.BuildPlugin(t) + "\n"} {
		if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	// The child of the fork keeps running without us; it must end by itself.
	cmd := exec.CommandContext(limit(t, 20*time.Second), program, "-c", config)
	if err := cmd.Run(); err != nil {
		t.Logf("the parent ended with %v", err)
	}
	ctx := limit(t, 20*time.Second)
	for {
		b, _ := os.ReadFile(log)
		if strings.Contains(string(b), "set Daemon off") && strings.Contains(string(b), "failed to initialize") {
			break
		}
		select {
		case <-ctx.Done():
			t.Fatalf("no word of it:\n%s", b)
		case <-time.After(50 * time.Millisecond):
		}
	}
	for ctx.Err() == nil && running(config) {
		time.Sleep(50 * time.Millisecond)
	}
	if ctx.Err() != nil {
		t.Error("the daemon does not end")
	}
}

// running says whether a process has arg on its command line.
func running(arg string) bool {
	lines, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, l := range lines {
		if b, err := os.ReadFile(l); err == nil && strings.Contains(string(b), arg) {
			return true
		}
	}
	return false
}

// TestFluentBitHotReload: ten times with workers 0, with data in between.
func TestFluentBitHotReload(t *testing.T) {
	node := esnode.Shared(t)
	p := properties(t, node.URL, map[string]string{"workers": "0"})
	f := startFluent(t, p, map[string]string{"hot_reload": "on"})
	ctx := limit(t, 3*time.Minute)
	const started = "[output:dossier:dossier.0] started"
	if err := f.WaitLogs(ctx, started, 1); err != nil {
		t.Fatal(err)
	}
	var threads, files []int
	for i := range 10 {
		if err := f.Reload(); err != nil {
			t.Fatal(err)
		}
		if err := f.WaitLogs(ctx, started, i+2); err != nil {
			t.Fatal(err)
		}
		if err := f.WaitReloads(ctx, i+1); err != nil {
			t.Fatal(err)
		}
		names, err := f.PID().Threads()
		if err != nil {
			t.Fatal(err)
		}
		n, err := f.PID().OpenFiles()
		if err != nil {
			t.Fatal(err)
		}
		threads, files = append(threads, len(names)), append(files, n)
	}
	t.Logf("threads %v, open files %v", threads, files)
	if threads[9] > threads[3]+2 || files[9] > files[1]+4 {
		t.Errorf("threads %v, open files %v", threads, files)
	}
	if err := f.Stop(limit(t, 30*time.Second)); err != nil {
		t.Error(err)
	}
	docs := e2e.Documents(t, node, p["index_prefix"]+"-attackers")
	if n := docs["203.0.113.9"]["event_count"]; fmt.Sprint(n) != "100" {
		t.Errorf("%v events, want 100", n)
	}
}

// TestFluentBitReloadRefused: with workers the reload is refused at once,
// with a line, and Fluent Bit goes on.
func TestFluentBitReloadRefused(t *testing.T) {
	node := esnode.Shared(t)
	p := properties(t, node.URL, map[string]string{"workers": "2"})
	f := startFluent(t, p, map[string]string{"hot_reload": "on"})
	if _, err := f.WaitLog(limit(t, 20*time.Second), "hot reload is on, but will be refused"); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		refused(t, f, "hot reload refused: with workers 1 or more", i+1)
	}
	if err := f.WaitRecords(limit(t, time.Minute), 100); err != nil {
		t.Fatal(err)
	}
	if err := f.Stop(limit(t, 30*time.Second)); err != nil {
		t.Error(err)
	}
}

// TestFluentBitStopsWithADeadCluster: SIGTERM, and the end comes with grace;
// what could not be written is still on disk.
func TestFluentBitStopsWithADeadCluster(t *testing.T) {
	for _, workers := range []string{"0", "2"} {
		for name, url := range map[string]string{"refused": deadPort(t), "silent": blackHole(t)} {
			t.Run(name+"-"+workers, func(t *testing.T) {
				f := startFluent(t, properties(t, url, map[string]string{"workers": workers, "commit_timeout": "2s"}),
					map[string]string{"grace": "4"})
				if _, err := f.WaitLog(limit(t, 30*time.Second), "failed to flush chunk"); err != nil {
					t.Fatal(err)
				}
				start := time.Now()
				if err := f.Stop(limit(t, 30*time.Second)); err != nil {
					t.Error(err)
				}
				took := time.Since(start)
				t.Logf("the end came after %v", took.Round(10*time.Millisecond))
				if took > 12*time.Second {
					t.Errorf("the end came after %v", took)
				}
			})
		}
	}
}

// TestFluentBitLogFile: lines from goroutines get into Log_File too, with
// Fluent Bit's level and the alias in the prefix.
func TestFluentBitLogFile(t *testing.T) {
	log := filepath.Join(t.TempDir(), "fluent-bit.log")
	f := startFluent(t, properties(t, deadPort(t), map[string]string{"alias": "decoys"}), map[string]string{"log_file": log, "grace": "2"})
	ctx := limit(t, 30*time.Second)
	for {
		b, _ := os.ReadFile(log)
		if text := string(b); strings.Contains(text, "[error] [output:dossier:decoys] Elasticsearch is not ready") &&
			strings.Contains(text, "[error] [output:dossier:decoys] not ready to write") {
			break
		}
		select {
		case <-ctx.Done():
			t.Fatalf("the file has\n%s", b)
		case <-time.After(100 * time.Millisecond):
		}
	}
	if err := f.Stop(limit(t, 40*time.Second)); err != nil {
		t.Error(err)
	}
}

// TestFluentBitLogLevel: the output's own level holds.
func TestFluentBitLogLevel(t *testing.T) {
	f := startFluent(t, properties(t, deadPort(t), map[string]string{"log_level": "error"}), map[string]string{"grace": "2"})
	if _, err := f.WaitLog(limit(t, 20*time.Second), "not ready"); err != nil {
		t.Fatal(err)
	}
	if err := f.Stop(limit(t, 40*time.Second)); err != nil {
		t.Error(err)
	}
	if lines := append(ours(f.Log(), "info"), ours(f.Log(), "warn")...); len(lines) > 0 {
		t.Errorf("got %q", lines)
	}
}

// TestFluentBitMetrics: our series stand within Fluent Bit's own.
func TestFluentBitMetrics(t *testing.T) {
	node := esnode.Shared(t)
	f := startFluent(t, properties(t, node.URL, map[string]string{"alias": "decoys"}), nil)
	want := []string{
		`fluentbit_dossier_chunks_total{name="decoys",result="ok"} 1`,
		`fluentbit_dossier_records_total{name="decoys"} 100`,
		`fluentbit_dossier_events_total{name="decoys"} 100`,
		`fluentbit_dossier_records_refused_total{name="decoys",verdict="unattributed",reason="no_address"} 0`,
		`fluentbit_dossier_ready{name="decoys"} 1`,
		`# TYPE fluentbit_dossier_cache_bytes gauge`,
	}
	doc, err := os.ReadFile("../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range documented.FindAllStringSubmatch(string(doc), -1) {
		if m[2] != "histogram" {
			want = append(want, fmt.Sprintf("# TYPE fluentbit_dossier_%s %s\n", m[1], m[2]))
		}
	}
	if len(want) < 20 {
		t.Fatalf("only %d metrics are documented", len(want))
	}
	ctx := limit(t, time.Minute)
	for {
		text := get(ctx, fmt.Sprintf("http://127.0.0.1:%d/api/v2/metrics/prometheus", f.Port()))
		missing := ""
		for _, w := range want {
			if !strings.Contains(text, w) {
				missing = w
			}
		}
		if missing == "" {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("missing %s in\n%s", missing, text)
		case <-time.After(500 * time.Millisecond):
		}
	}
}

func get(ctx context.Context, url string) string {
	req, err := http.NewRequestWithContext(ctx, "GET", url, nil)
	if err != nil {
		return err.Error()
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err.Error()
	}
	defer res.Body.Close()
	b, _ := io.ReadAll(res.Body)
	return string(b)
}

// shipped copies conf/ to dir with other texts in place of some, and returns
// the path of one file of it.
func shipped(t *testing.T, dir, name string, other map[string]string) string {
	t.Helper()
	for _, file := range []string{name, "dossier-plugins.conf"} {
		b, err := os.ReadFile(filepath.Join("..", "conf", file))
		if err != nil {
			t.Fatal(err)
		}
		text := string(b)
		for old, new := range other {
			if file == name && !strings.Contains(text, old) && !strings.HasSuffix(old, ".so") {
				t.Errorf("%s has no %q", name, old)
			}
			if old == " dossier\n" {
				// The prefix, not the output's name.
				i := strings.Index(text, "index_prefix")
				if i < 0 {
					continue
				}
				text = text[:i] + strings.Replace(text[i:], old, new, 1)
				continue
			}
			text = strings.ReplaceAll(text, old, new)
		}
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, name)
}

// TestShippedConfigurations runs conf/ as it is, but for paths, the cluster
// and the index prefix.
func TestShippedConfigurations(t *testing.T) {
	flb.Require(t)
	node := esnode.Shared(t)
	for _, name := range []string{"dossier-decnet.conf", "dossier-decnet.yaml"} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			prefix := e2e.Prefix(t)
			f, err := flb.Start(limit(t, time.Minute), flb.Options{
				Config: shipped(t, dir, name, map[string]string{
					"/usr/lib/dossier/out_dossier.so": host.BuildPlugin(t),
					"/var/log/decnet/decnet.log":      sensorLog(t, dir, 100),
					"/var/lib/fluent-bit/":            dir + "/",
					"/var/lib/dossier/dead-letters":   filepath.Join(dir, "letters"),
					"https://elastic-1.example:9200":  node.URL,
					"es_ca_file":                      "# es_ca_file",
					" dossier\n":                      " " + prefix + "\n",
					"2020":                            strings.TrimPrefix(deadPort(t), "http://127.0.0.1:"),
				}),
				Env: []string{"DOSSIER_ES_API_KEY=id:key"},
			})
			if err != nil {
				t.Fatal(err)
			}
			defer f.Kill()
			ctx := limit(t, time.Minute)
			for {
				code, doc, err := node.Do(ctx, "GET", "/"+prefix+"-attackers/_doc/203.0.113.9", nil)
				if err == nil && code == 200 && strings.Contains(fmt.Sprint(doc), "event_count:100 ") {
					break
				}
				select {
				case <-ctx.Done():
					t.Fatalf("%d %v %v\n%s", code, doc, err, strings.Join(f.Log(), "\n"))
				case <-f.Done():
					t.Fatalf("it ended\n%s", strings.Join(f.Log(), "\n"))
				case <-time.After(time.Second):
				}
			}
			if err := f.Stop(limit(t, 40*time.Second)); err != nil {
				t.Error(err)
			}
			for _, l := range f.Log() {
				if strings.Contains(l, "[ warn]") && !strings.Contains(l, "service will shutdown") || strings.Contains(l, "[error]") {
					t.Errorf("it complains: %s", l)
				}
			}
		})
	}
}
