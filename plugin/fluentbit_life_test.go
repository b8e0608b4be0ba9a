package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"dossier/testbed/e2e"
	"dossier/testbed/esnode"
	"dossier/testbed/flb"
	"dossier/testbed/host"
)

// faulty builds the plugin with a defect that some records bring out.
func faulty(t *testing.T) string {
	t.Helper()
	plugin := filepath.Join(t.TempDir(), "out_dossier.so")
	build := exec.CommandContext(t.Context(), "go", "build", "-buildmode=c-shared", "-trimpath", "-tags", "netgo,osusergo,faults", "-o", plugin, ".")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return plugin
}

// TestFluentBitSeveralOutputs: two to the same indices share what talks to
// the cluster and count each chunk once; the third is apart.
func TestFluentBitSeveralOutputs(t *testing.T) {
	flb.Require(t)
	node := esnode.Shared(t)
	first := properties(t, node.URL, map[string]string{"alias": "a"})
	second, third := maps.Clone(first), maps.Clone(first)
	second["alias"] = "b"
	third["alias"], third["index_prefix"] = "c", first["index_prefix"]+"-c"
	dir := t.TempDir()
	f := flb.Run(limit(t, time.Minute), t, flb.Options{Plugin: host.BuildPlugin(t), Dir: dir, File: sensorLog(t, dir, 100), Output: first, More: []map[string]string{second, third}})
	if err := f.WaitRecords(limit(t, 3*time.Minute), 100); err != nil {
		t.Fatal(err)
	}
	if err := f.Stop(limit(t, 30*time.Second)); err != nil {
		t.Error(err)
	}
	connected := 0
	for _, l := range ours(f.Log(), "info") {
		if strings.Contains(l, "] connected ") {
			connected++
		}
	}
	if connected != 2 {
		t.Errorf("%d connections for two targets", connected)
	}
	for _, p := range []string{first["index_prefix"], third["index_prefix"]} {
		docs := e2e.Documents(t, node, p+"-attackers")
		if n := docs["203.0.113.9"]["event_count"]; fmt.Sprint(n) != "100" {
			t.Errorf("%s: %v events, want 100", p, n)
		}
	}
}

// TestFluentBitFailedReload: the new configuration is wrong elsewhere; the
// output goes on with the old one.
func TestFluentBitFailedReload(t *testing.T) {
	flb.Require(t)
	node := esnode.Shared(t)
	p := properties(t, node.URL, map[string]string{"workers": "0"})
	dir := t.TempDir()
	log := sensorLog(t, dir, 100)
	f := flb.Run(limit(t, time.Minute), t, flb.Options{Plugin: host.BuildPlugin(t), Dir: dir, File: log, Output: p, Service: map[string]string{"hot_reload": "on"}})
	if _, err := f.WaitLog(limit(t, 30*time.Second), "[output:dossier:dossier.0] started"); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "fluent-bit.yaml")
	good, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(config, []byte(strings.Replace(string(good), `"tail"`, `"no_such_input"`, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		refused(t, f, "no_such_input", i+1)
	}
	more, err := os.OpenFile(log, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer more.Close()
	for i := range 20 {
		fmt.Fprintln(more, line(1000+i))
	}
	if err := f.WaitRecords(limit(t, 3*time.Minute), 120); err != nil {
		t.Fatal(err)
	}
	if err := f.Stop(limit(t, 30*time.Second)); err != nil {
		t.Error(err)
	}
	for _, l := range f.Log() {
		if strings.Contains(l, "panic") || strings.Contains(l, "SIGSEGV") {
			t.Error(l)
		}
	}
	docs := e2e.Documents(t, node, p["index_prefix"]+"-attackers")
	if n := docs["203.0.113.9"]["event_count"]; fmt.Sprint(n) != "120" {
		t.Errorf("%v events, want 120", n)
	}
}

// refused asks for a reload until it was refused for the n-th time, with what
// stands in the log then. One that comes while the last is under way is
// dropped, and nothing says when it is over.
func refused(t *testing.T, f *flb.Fluent, text string, n int) {
	t.Helper()
	ctx := limit(t, time.Minute)
	for {
		if err := f.Reload(); err != nil {
			t.Fatal(err)
		}
		wait, cancel := context.WithTimeout(ctx, 3*time.Second)
		err := f.WaitLogs(wait, text, n)
		cancel()
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatal(err)
		case <-f.Done():
			t.Fatal(err)
		default:
		}
	}
}

// TestFluentBitPanic: a nil dereference over one record, after Fluent Bit put
// its own handler of SIGSEGV in place of Go's, costs that chunk its attempts
// and nobody else anything.
func TestFluentBitPanic(t *testing.T) {
	flb.Require(t)
	node := esnode.Shared(t)
	for _, workers := range []string{"0", "2"} {
		t.Run("workers "+workers, func(t *testing.T) {
			p := properties(t, node.URL, map[string]string{"workers": workers})
			dir := t.TempDir()
			log := sensorLog(t, dir, 100)
			f := flb.Run(limit(t, time.Minute), t, flb.Options{Plugin: faulty(t), Dir: dir, File: log, Output: p})
			if err := f.WaitRecords(limit(t, 3*time.Minute), 100); err != nil {
				t.Fatal(err)
			}
			more, err := os.OpenFile(log, os.O_APPEND|os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer more.Close()
			// What systemd and timeout(1) send, too.
			if err := syscall.Kill(int(f.PID()), syscall.SIGCONT); err != nil {
				t.Fatal(err)
			}
			// It is told of in the log after the handlers are as they will be.
			if _, err := f.WaitLog(limit(t, 30*time.Second), "Fluent Bit Dump"); err != nil {
				t.Fatal(err)
			}
			fmt.Fprintln(more, strings.Replace(line(2000), " web-1 ", " nil ", 1))
			if _, err := f.WaitLog(limit(t, 30*time.Second), "panic: this is a defect of Dossier"); err != nil {
				t.Fatal(err)
			}
			for i := range 20 {
				fmt.Fprintln(more, line(1000+i))
			}
			if err := f.WaitRecords(limit(t, 3*time.Minute), 121); err != nil {
				t.Fatal(err)
			}
			if err := f.Stop(limit(t, 30*time.Second)); err != nil {
				t.Error(err)
			}
			docs := e2e.Documents(t, node, p["index_prefix"]+"-attackers")
			if n := docs["203.0.113.9"]["event_count"]; fmt.Sprint(n) != "120" {
				t.Errorf("%v events, want 120", n)
			}
			if files, _ := filepath.Glob(filepath.Join(p["dead_letter_path"], "*.jsonl")); len(files) == 0 {
				t.Error("the chunk is nowhere")
			}
		})
	}
}
