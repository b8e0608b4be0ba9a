package flb

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dossier/testbed/host"
)

// sample builds the plugin that the host's own tests use; it is registered as
// output "sample".
func sample(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "out_sample.so")
	if err := host.Build(t.Context(), filepath.Join("..", "host", "testdata", "sample"), path); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFileGoesThrough(t *testing.T) {
	Require(t)
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	dir := t.TempDir()
	file := filepath.Join(dir, "in.log")
	var lines bytes.Buffer
	for i := range 500 {
		fmt.Fprintf(&lines, "line %d\n", i)
	}
	if err := os.WriteFile(file, lines.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	o := Options{
		Plugin: sample(t), Dir: dir, File: file,
		Output: map[string]string{"name": "sample", "alias": "mine", "mode": "${MODE}", "host": "ignored"},
		Env:    []string{"MODE=from the environment"},
	}
	f, err := Start(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Kill)
	line, err := f.WaitLog(ctx, "init mine")
	if err != nil {
		t.Fatalf("%v\n%s", err, strings.Join(f.Log(), "\n"))
	}
	if !strings.Contains(line, `host="" mode="from the environment"`) {
		t.Errorf("options: %s", line)
	}
	if err := f.WaitRecords(ctx, 500); err != nil {
		t.Fatal(err)
	}
	waitCount(t, f, 500)
	if _, err := f.WaitLog(ctx, "flush sensor"); err != nil {
		t.Error(err)
	}
	if rss, err := f.PID().RSS(); err != nil || rss < 1<<20 {
		t.Error(rss, err)
	}
	f.Kill()

	// A second start in the folder goes on behind the last line.
	if err := os.WriteFile(file, append(lines.Bytes(), "one more\n"...), 0o644); err != nil {
		t.Fatal(err)
	}
	if f, err = Start(ctx, o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Kill)
	if err := f.WaitRecords(ctx, 1); err != nil {
		t.Fatal(err)
	}
	waitCount(t, f, 1)
	if err := f.Stop(ctx); err != nil {
		t.Error(err)
	}
}

// waitCount waits until Fluent Bit has counted the records as delivered.
func waitCount(t *testing.T, f *Fluent, want int) {
	t.Helper()
	for deadline := time.Now().Add(15 * time.Second); ; time.Sleep(200 * time.Millisecond) {
		counts, err := f.Counts(t.Context())
		if err == nil && counts["mine"] == (Counts{Records: want}) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("counts %+v, want %d records; %v", counts, want, err)
		}
	}
}

func TestInitFailureEndsIt(t *testing.T) {
	Require(t)
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	dir := t.TempDir()
	f, err := Start(ctx, Options{
		Plugin: sample(t), Dir: dir, File: filepath.Join(dir, "none.log"),
		Output: map[string]string{"name": "sample", "mode": "fail"},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Kill)
	if err := f.Wait(ctx); err == nil || err.Error() != "exit status 255" {
		t.Errorf("ended with %v", err)
	}
}

func TestListed(t *testing.T) {
	const help = "Usage: fluent-bit [OPTION]\n  -c  --config=FILE\tspecify an optional configuration file\n\n\x1b[1mInputs\x1b[0m\n" +
		"  tail                    Tail files\n  process_exporter_metricsProcess Exporter Metrics\n  mem\n\n" +
		"\x1b[1mOutputs\x1b[0m\n  http                    HTTP Output\n"
	for _, test := range []struct {
		kind, name string
		want       bool
	}{
		{Input, "tail", true},
		{Input, "mem", true},
		{Input, "process_exporter_metrics", true},
		{Output, "http", true},
		{Input, "http", false},
		{Input, "ta", false},
		{Input, "elasticsearch", false},
		{Output, "tail", false},
		{Input, "-c", false},
	} {
		if got := listed(help, test.kind, test.name); got != test.want {
			t.Errorf("%s %s: %v, want %v", test.kind, test.name, got, test.want)
		}
	}
}
