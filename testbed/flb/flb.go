// Package flb runs a real Fluent Bit in end-to-end tests: it tails a file
// with filesystem storage and delivers it through the plugin's shared object.
package flb

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"dossier/testbed/port"
	"dossier/testbed/process"
)

// Find returns the fluent-bit to run: the one FLUENT_BIT names, else the one
// on PATH. It returns "" where there is none.
func Find() (string, error) {
	if given := os.Getenv("FLUENT_BIT"); given != "" {
		path, err := exec.LookPath(given)
		if err != nil {
			return "", fmt.Errorf("flb: FLUENT_BIT: %w", err)
		}
		return path, nil
	}
	path, err := exec.LookPath("fluent-bit")
	if err != nil {
		return "", nil
	}
	return path, nil
}

// Require skips the test, in one visible line, where there is no Fluent Bit.
func Require(t testing.TB) {
	t.Helper()
	path, err := Find()
	if err != nil {
		t.Fatal(err)
	}
	if path == "" {
		fmt.Fprintf(os.Stderr, "SKIP: no fluent-bit on PATH and FLUENT_BIT not set; %s did not run\n", t.Name())
		t.Skip("SKIP: no fluent-bit on PATH and FLUENT_BIT not set; the end-to-end tests run through the test host alone")
	}
}

// Kinds of plugins, as the headings of fluent-bit --help name them.
const (
	Input  = "Inputs"
	Filter = "Filters"
	Output = "Outputs"
)

// RequirePlugin is Require for a test that also needs a plugin which Fluent
// Bit may have been built without.
func RequirePlugin(t testing.TB, kind, name string) {
	t.Helper()
	Require(t)
	program, err := Find()
	if err != nil {
		t.Fatal(err)
	}
	help, err := exec.CommandContext(t.Context(), program, "--help").CombinedOutput()
	if err != nil {
		t.Fatalf("flb: %s --help: %v\n%s", program, err, help)
	}
	if !listed(string(help), kind, name) {
		fmt.Fprintf(os.Stderr, "SKIP: %s was built without the %s plugin %s; %s did not run\n", program, strings.ToLower(strings.TrimSuffix(kind, "s")), name, t.Name())
		t.Skipf("SKIP: %s was built without the plugin %s", program, name)
	}
}

// listed says whether a plugin stands under a heading of what fluent-bit
// --help prints: one a line, behind two blanks, padded to 24 characters, what
// it is for behind it.
func listed(help, kind, name string) bool {
	under := false
	for line := range strings.Lines(help) {
		entry, indented := strings.CutPrefix(line, "  ")
		if !indented {
			under = strings.Contains(line, kind)
			continue
		}
		rest, found := strings.CutPrefix(entry, name)
		if under && found && (rest == "" || len(name) >= 24 || rest[0] == ' ' || rest[0] == '\n') {
			return true
		}
	}
	return false
}

// Options says what Fluent Bit to run. Dir, Plugin and File are needed, or
// Config alone.
type Options struct {
	// Program is the Fluent Bit to run; by default what Find returns.
	Program string
	// Config is a configuration file to run as it is. Nothing below is used
	// but Plugin, Env and Log.
	Config string
	// Plugin is the path of the shared object.
	Plugin string
	// Dir holds the storage, the tail position and the generated
	// configuration. Another start in it goes on where the last ended.
	Dir string
	// File is the file to tail, from its start.
	File string
	// Tag is the records' tag. Default "sensor".
	Tag string
	// Output are the keys of the output beside name and match.
	Output map[string]string
	// More are further outputs.
	More []map[string]string
	// Input and Service are laid over the generated sections.
	Input, Service map[string]string
	// Parsers is the content of a parsers file.
	Parsers string
	// Env is added to the environment.
	Env []string
	// Log, if set, gets a copy of the log.
	Log io.Writer
}

// Fluent is a running Fluent Bit.
type Fluent struct {
	cmd  *exec.Cmd
	done chan struct{}
	exit error
	log  process.Log
	// Of a generated configuration only.
	port    int // of its HTTP server
	storage string
}

// Start starts Fluent Bit. It does not wait until outputs are initialised.
func Start(ctx context.Context, o Options) (*Fluent, error) {
	program := o.Program
	if program == "" {
		var err error
		if program, err = Find(); err != nil {
			return nil, err
		}
	}
	if program == "" {
		return nil, errors.New("flb: no fluent-bit on PATH and FLUENT_BIT not set")
	}
	f := &Fluent{done: make(chan struct{})}
	config := o.Config
	if config == "" {
		var err error
		if config, err = f.configure(o); err != nil {
			return nil, err
		}
	}
	args := []string{"-c", config}
	if o.Plugin != "" {
		plugin, err := filepath.Abs(o.Plugin)
		if err != nil {
			return nil, err
		}
		args = append([]string{"-e", plugin}, args...)
	}
	f.cmd = exec.CommandContext(context.WithoutCancel(ctx), program, args...)
	f.cmd.Env = append(f.cmd.Environ(), o.Env...)
	f.log.Copy = o.Log
	f.cmd.Stderr = &f.log
	if err := f.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		f.exit = f.cmd.Wait()
		close(f.done)
	}()
	return f, nil
}

// Run is Start for a test: where there is no Fluent Bit the test is skipped,
// with the test it ends, and where the test fails the end of its log is shown.
func Run(ctx context.Context, t testing.TB, o Options) *Fluent {
	t.Helper()
	if o.Program == "" {
		Require(t)
	}
	f, err := Start(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		f.Kill()
		if t.Failed() {
			log := f.Log()
			for _, l := range log[max(0, len(log)-40):] {
				t.Log("fluent-bit:", l)
			}
		}
	})
	return f
}

// configure writes the configuration: the settings under which nothing is
// lost (docs/guarantees.md), with short waits.
func (f *Fluent) configure(o Options) (string, error) {
	if o.Dir == "" || o.File == "" || o.Plugin == "" {
		return "", errors.New("flb: Dir, File and Plugin are needed, or Config")
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return "", err
	}
	file, err := filepath.Abs(o.File)
	if err != nil {
		return "", err
	}
	if o.Tag == "" {
		o.Tag = "sensor"
	}
	if f.port, err = port.Free(); err != nil {
		return "", err
	}
	f.storage = filepath.Join(dir, "storage")
	service := map[string]string{
		"flush": "1", "grace": "15", "log_level": "info", "daemon": "off",
		"scheduler.base": "1", "scheduler.cap": "2",
		"storage.path": f.storage, "storage.sync": "normal",
		"http_server": "on", "http_listen": "127.0.0.1", "http_port": strconv.Itoa(f.port),
		"hot_reload": "off", "coro_stack_size": "98304",
	}
	if o.Parsers != "" {
		service["parsers_file"] = filepath.Join(dir, "parsers.conf")
		if err := os.WriteFile(service["parsers_file"], []byte(o.Parsers), 0o644); err != nil {
			return "", err
		}
	}
	maps.Copy(service, o.Service)
	input := map[string]string{
		"name": "tail", "path": file, "tag": o.Tag, "read_from_head": "on", "refresh_interval": "1",
		"db": filepath.Join(dir, "tail.db"), "storage.type": "filesystem", "skip_long_lines": "on",
		"buffer_chunk_size": "256k", "buffer_max_size": "8M",
	}
	maps.Copy(input, o.Input)

	var b strings.Builder
	b.WriteString("service:\n")
	section(&b, "  ", service)
	b.WriteString("pipeline:\n  inputs:\n    -\n")
	section(&b, "      ", input)
	b.WriteString("  outputs:\n")
	for _, out := range append([]map[string]string{o.Output}, o.More...) {
		keys := map[string]string{"name": "dossier", "match": "*", "retry_limit": "no_limits", "workers": "2"}
		maps.Copy(keys, out)
		b.WriteString("    -\n")
		section(&b, "      ", keys)
	}
	config := filepath.Join(dir, "fluent-bit.yaml")
	return config, os.WriteFile(config, []byte(b.String()), 0o600)
}

// section writes keys as YAML; a JSON string is one in YAML too.
func section(b *strings.Builder, indent string, keys map[string]string) {
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		v, _ := json.Marshal(keys[k])
		fmt.Fprintf(b, "%s%s: %s\n", indent, k, v)
	}
}

// Log returns the lines logged so far.
func (f *Fluent) Log() []string { return f.log.Lines() }

// WaitLog waits until a line that contains the text was logged and returns
// it.
func (f *Fluent) WaitLog(ctx context.Context, text string) (string, error) {
	return f.log.Wait(ctx, f.done, text)
}

// WaitLogs waits until n lines that contain the text were logged.
func (f *Fluent) WaitLogs(ctx context.Context, text string, n int) error {
	_, err := f.log.WaitNth(ctx, f.done, text, n)
	return err
}

// WaitReloads waits until n hot reloads are over, refused ones not counted.
// One that is asked for while another is under way is dropped. It is for a
// generated configuration.
func (f *Fluent) WaitReloads(ctx context.Context, n int) error {
	for {
		var state struct {
			Count int `json:"hot_reload_count"`
		}
		err := f.get(ctx, "/api/v2/reload", &state)
		if err == nil && state.Count >= n {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("flb: %d of %d reloads, %v: %w", state.Count, n, err, ctx.Err())
		case <-f.done:
			return fmt.Errorf("flb: %d of %d reloads: %w", state.Count, n, process.ErrGone)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// PID returns the process.
func (f *Fluent) PID() process.PID { return process.PID(f.cmd.Process.Pid) }

// Port returns the port of Fluent Bit's HTTP server.
func (f *Fluent) Port() int { return f.port }

// get reads a JSON document from Fluent Bit's HTTP server.
func (f *Fluent) get(ctx context.Context, path string, into any) error {
	req, err := http.NewRequestWithContext(ctx, "GET", fmt.Sprintf("http://127.0.0.1:%d%s", f.port, path), nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != 200 {
		return fmt.Errorf("flb: %s: HTTP %d", path, res.StatusCode)
	}
	return json.NewDecoder(res.Body).Decode(into)
}

// Counts are an output's counters since the start.
type Counts struct {
	Records        int `json:"proc_records"`
	Errors         int `json:"errors"`
	Retries        int `json:"retries"`
	RetriesFailed  int `json:"retries_failed"`
	DroppedRecords int `json:"dropped_records"`
}

// Counts returns the counters of each output by its name or alias. Fluent Bit
// brings them up to date every few seconds.
func (f *Fluent) Counts(ctx context.Context) (map[string]Counts, error) {
	var m struct {
		Output map[string]Counts `json:"output"`
	}
	err := f.get(ctx, "/api/v1/metrics", &m)
	return m.Output, err
}

// WaitRecords waits until this run has taken in the number of records and
// holds no chunk any more: all were delivered, or dropped as failed. What an
// earlier run left in the storage is waited for too. It is for a generated
// configuration.
func (f *Fluent) WaitRecords(ctx context.Context, n int) error {
	var last string
	for {
		var metrics struct {
			Input map[string]struct{ Records int } `json:"input"`
		}
		err := f.get(ctx, "/api/v1/metrics", &metrics)
		taken := 0
		for _, in := range metrics.Input {
			taken += in.Records
		}
		// The files say what is held now; Fluent Bit's own figures lag.
		held, _ := filepath.Glob(filepath.Join(f.storage, "tail.*", "*.flb"))
		if err == nil && taken >= n && len(held) == 0 {
			return nil
		}
		last = fmt.Sprintf("%d of %d records taken in, %d chunks held, %v", taken, n, len(held), err)
		select {
		case <-ctx.Done():
			return fmt.Errorf("flb: %s: %w\n%s", last, ctx.Err(), f.log.String())
		case <-f.done:
			return fmt.Errorf("flb: %s: %w\n%s", last, process.ErrGone, f.log.String())
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// Reload sends SIGHUP, a hot reload where Service has hot_reload on.
func (f *Fluent) Reload() error { return f.cmd.Process.Signal(syscall.SIGHUP) }

// Stop ends Fluent Bit by SIGTERM and waits for its end. An exit code other
// than 0 is an error.
func (f *Fluent) Stop(ctx context.Context) error {
	if err := f.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-f.done:
		return f.exit
	case <-ctx.Done():
		return fmt.Errorf("flb: it does not end: %w\n%s", ctx.Err(), f.log.String())
	}
}

// Kill ends Fluent Bit as kill -9 does and waits until it is gone.
func (f *Fluent) Kill() {
	f.cmd.Process.Kill()
	<-f.done
}

// Done is closed when Fluent Bit has ended.
func (f *Fluent) Done() <-chan struct{} { return f.done }

// Wait waits for the end of a Fluent Bit that ends by itself, and returns how
// it ended: nil for exit code 0.
func (f *Fluent) Wait(ctx context.Context) error {
	select {
	case <-f.done:
		return f.exit
	case <-ctx.Done():
		return ctx.Err()
	}
}
