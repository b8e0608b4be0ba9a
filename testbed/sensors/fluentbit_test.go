package sensors

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"dossier/testbed/e2e"
	"dossier/testbed/esnode"
	"dossier/testbed/flb"
	"dossier/testbed/host"
	"dossier/testbed/port"
)

// TestThroughFluentBit runs each configuration as it is in a real Fluent Bit,
// but for paths, ports and the index prefix, and gives its input what the
// sensor wrote, by the way the sensor would take.
func TestThroughFluentBit(t *testing.T) {
	flb.Require(t)
	node := esnode.Shared(t)
	for _, s := range all {
		if s.config == "decnet" {
			continue // TestShippedConfigurations of plugin runs it
		}
		for _, format := range []string{".yaml", ".conf"} {
			name := "dossier-" + s.config + format
			if _, err := os.Stat(conf(name)); err != nil {
				continue
			}
			t.Run(name, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
				defer cancel()
				flb.RequirePlugin(t, flb.Input, readConfig(t, conf("dossier-"+s.config+".yaml")).Pipeline.Inputs[0]["name"])
				prefix, dir := e2e.Prefix(t), t.TempDir()
				at := port.Text(t)
				f := start(ctx, t, s, node, prefix, dir, name, at)
				feed(ctx, t, s, dir, at, f)
				docs := await(ctx, t, node, prefix, s, f)
				if err := f.Stop(ctx); err != nil {
					t.Error(err)
				}
				s.check(t, docs)
				told := map[string]bool{}
				for _, line := range f.Log() {
					if n := slices.IndexFunc(s.refused, func(text string) bool { return strings.Contains(line, text) }); n >= 0 {
						told[s.refused[n]] = true
						continue
					}
					if strings.Contains(line, "[error]") || strings.Contains(line, "[ warn]") && !harmless(line) {
						t.Errorf("it complains: %s", line)
					}
				}
				for _, text := range s.refused {
					if !told[text] {
						t.Errorf("no line with %q", text)
					}
				}
			})
		}
	}
}

// harmless says whether a warning is about the test, not the configuration.
func harmless(line string) bool {
	return strings.Contains(line, "service will shutdown") || strings.Contains(line, "${DOSSIER_ES_CA_FILE}") ||
		strings.Contains(line, "${DECOY_NETS}") || strings.Contains(line, "given back to Fluent Bit") ||
		// A node that is slow for a moment: await says what comes of it.
		strings.Contains(line, "retry in") || strings.Contains(line, "did not take it for now")
}

// start runs a copy of conf/ with the test's paths in it.
func start(ctx context.Context, t *testing.T, s sensor, node *esnode.Node, prefix, dir, name, at string) *flb.Fluent {
	t.Helper()
	home := filepath.Join(dir, "conf")
	if err := os.MkdirAll(filepath.Join(dir, "storage"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(home, os.DirFS(conf(""))); err != nil {
		t.Fatal(err)
	}
	replace := strings.NewReplacer(
		"/usr/lib/dossier/out_dossier.so", host.BuildPlugin(t),
		"/etc/dossier/", home+"/",
		"/var/lib/dossier/dead-letters", filepath.Join(dir, "dead-letters"),
		"9201", at, "9880", at, "5140", at, "2020", port.Text(t),
	)
	for _, name := range []string{name, "dossier-plugins.conf"} {
		text := replace.Replace(file(t, filepath.Join(home, name)))
		var lines []string
		for line := range strings.Lines(text) {
			if fields := strings.Fields(line); len(fields) == 2 && strings.TrimSuffix(fields[0], ":") == "index_prefix" {
				line = strings.Replace(line, fields[1], prefix, 1)
			}
			lines = append(lines, line)
		}
		if err := os.WriteFile(filepath.Join(home, name), []byte(strings.Join(lines, "")), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	env := []string{
		"SENSOR_LOG=" + filepath.Join(dir, "sensor.log"), "STORAGE=" + filepath.Join(dir, "storage"),
		"DOSSIER_ES_HOSTS=" + node.URL, "DOSSIER_ES_API_KEY=id:key",
	}
	for k, v := range s.env {
		env = append(env, k+"="+v)
	}
	if s.config == "journald" {
		env = append(env, "JOURNAL="+journal(ctx, t))
	}
	return flb.Run(ctx, t, flb.Options{Config: filepath.Join(home, name), Env: env})
}

// feed gives the input what the sensor wrote.
func feed(ctx context.Context, t *testing.T, s sensor, dir, at string, f *flb.Fluent) {
	t.Helper()
	var lines []string
	for _, name := range s.data {
		lines = append(lines, e2e.Lines(t, e2e.Data(filepath.Split(name)))...)
	}
	text := strings.Join(lines, "\n") + "\n"
	switch input := readConfig(t, conf("dossier-"+s.config+".yaml")).Pipeline.Inputs[0]["name"]; input {
	case "tail":
		if err := os.WriteFile(filepath.Join(dir, "sensor.log"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	case "syslog":
		conn := dial(ctx, t, at, f)
		defer conn.Close()
		var framed strings.Builder
		for _, line := range lines {
			fmt.Fprintf(&framed, "%d %s", len(line), line)
		}
		if _, err := conn.Write([]byte(framed.String())); err != nil {
			t.Fatal(err)
		}
	case "http":
		dial(ctx, t, at, f).Close()
		post(ctx, t, "http://127.0.0.1:"+at+"/tpot", "application/json", "["+strings.Join(lines, ",")+"]")
	case "elasticsearch":
		dial(ctx, t, at, f).Close()
		const action = `{"create":{"_index":"logs-honeypot-default"}}` + "\n"
		body := action + strings.Join(lines, "\n"+action) + "\n"
		answer := post(ctx, t, "http://127.0.0.1:"+at+"/_bulk", "application/x-ndjson", body)
		var result struct {
			Errors bool
			Items  []map[string]struct{ Status int }
		}
		if err := json.Unmarshal(answer, &result); err != nil || result.Errors || len(result.Items) != len(lines) {
			t.Errorf("%d of %d documents, %v: %.300s", len(result.Items), len(lines), err, answer)
		}
	case "systemd": // it is there already
	default:
		t.Fatalf("how does a sensor reach the input %s?", input)
	}
}

// journal makes a journal of what journald wrote, as journalctl exports it.
func journal(ctx context.Context, t *testing.T) string {
	t.Helper()
	program := "/lib/systemd/systemd-journal-remote"
	if _, err := os.Stat(program); err != nil {
		if program, err = exec.LookPath("systemd-journal-remote"); err != nil {
			fmt.Fprintf(os.Stderr, "SKIP: no systemd-journal-remote on this host; %s did not run\n", t.Name())
			t.Skip("SKIP: no systemd-journal-remote on this host to make a journal with")
		}
	}
	dir := t.TempDir()
	out, err := exec.CommandContext(ctx, program, "-o", filepath.Join(dir, "system.journal"), e2e.Data("journald", "journal.export")).CombinedOutput()
	if err != nil {
		t.Fatalf("systemd-journal-remote: %v\n%s", err, out)
	}
	return dir
}

// dial waits until the input listens.
func dial(ctx context.Context, t *testing.T, at string, f *flb.Fluent) net.Conn {
	t.Helper()
	for {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", "127.0.0.1:"+at)
		if err == nil {
			return conn
		}
		select {
		case <-ctx.Done():
			t.Fatal(err)
		case <-f.Done():
			t.Fatalf("Fluent Bit ended before its input listened: %v", f.Wait(ctx))
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func post(ctx context.Context, t *testing.T, url, kind, body string) []byte {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", kind)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var b bytes.Buffer
	if _, err := b.ReadFrom(res.Body); err != nil || res.StatusCode/100 != 2 {
		t.Fatalf("%s: HTTP %d, %v: %.300s", url, res.StatusCode, err, b.Bytes())
	}
	return b.Bytes()
}

// await waits until all is there that must come.
func await(ctx context.Context, t *testing.T, node *esnode.Node, prefix string, s sensor, f *flb.Fluent) map[string]map[string]any {
	t.Helper()
	for {
		var docs map[string]map[string]any
		if code, _, err := node.Do(ctx, http.MethodHead, "/"+prefix+"-attackers", nil); err == nil && code == http.StatusOK {
			docs = e2e.Documents(t, node, prefix+"-attackers")
		}
		if len(docs) >= s.attackers && fmt.Sprint(at(docs[s.address], "event_count")) == fmt.Sprint(s.want["event_count"]) {
			return docs
		}
		select {
		case <-ctx.Done():
			t.Errorf("only %d of %d attackers in time", len(docs), s.attackers)
			return docs
		case <-f.Done():
			t.Fatal("it ended")
		case <-time.After(time.Second):
		}
	}
}
