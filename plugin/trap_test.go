package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"dossier/testbed/e2e"
	"dossier/testbed/esnode"
	"dossier/testbed/flb"
	"dossier/testbed/host"
)

const trapLine = "set hot_reload off, or use 3.2.3 or newer"

// endsOnTrap wants one line that says what to set, and exit code 1.
func endsOnTrap(t *testing.T, log []string, err error) {
	t.Helper()
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != 1 {
		t.Errorf("it ended with %v, want exit code 1", err)
	}
	errs := ours(log, "error")
	if len(errs) != 1 || !strings.Contains(errs[0], trapLine) {
		t.Errorf("got %q", errs)
	}
}

// TestTrapHost: where a refused reload would leave Fluent Bit running without
// ever delivering, the process ends before one can come, with a line.
func TestTrapHost(t *testing.T) {
	node := esnode.Shared(t)
	for _, workers := range []int{0, 2} {
		t.Run(fmt.Sprint("workers ", workers), func(t *testing.T) {
			p := properties(t, node.URL, nil)
			second := host.Instance{Properties: properties(t, node.URL, nil)}
			h := e2e.StartHost(t, host.Options{Trap: true, HotReload: true, Workers: workers, Properties: p, More: []host.Instance{second}})
			select {
			case <-h.Done():
			case <-limit(t, 30*time.Second).Done():
				t.Fatal("it goes on")
			}
			endsOnTrap(t, h.Log(), h.ExitErr())
		})
	}
}

// TestTrapHostWithoutHotReload: where no reload can come, nothing is wrong.
func TestTrapHostWithoutHotReload(t *testing.T) {
	node := esnode.Shared(t)
	h := e2e.StartHost(t, host.Options{Trap: true, Workers: 2, Properties: properties(t, node.URL, nil)})
	deliver(t, h, 0, "x", records(10))
	if err := h.Terminate(); err != nil {
		t.Fatal(err)
	}
	if err := h.Exit(limit(t, 20*time.Second)); err != nil {
		t.Error(err)
	}
	if errs := ours(h.Log(), "error"); len(errs) > 0 {
		t.Errorf("got %q", errs)
	}
}

// TestNoTrap: a host that has what came with 3.2.3 runs with hot_reload on.
func TestNoTrap(t *testing.T) {
	node := esnode.Shared(t)
	h := e2e.StartHost(t, host.Options{HotReload: true, Properties: properties(t, node.URL, nil)})
	deliver(t, h, 0, "x", records(10))
	if err := h.Exit(limit(t, 20*time.Second)); err != nil {
		t.Error(err)
	}
}

// TestFluentBitTrap is TestTrapHost with a real Fluent Bit from 2.2.0 to
// 3.2.2, which FLUENT_BIT_TRAP names.
func TestFluentBitTrap(t *testing.T) {
	program := os.Getenv("FLUENT_BIT_TRAP")
	if program == "" {
		fmt.Fprintln(os.Stderr, "SKIP: FLUENT_BIT_TRAP names no Fluent Bit from 2.2.0 to 3.2.2; TestFluentBitTrap did not run")
		t.Skip("SKIP: FLUENT_BIT_TRAP names no Fluent Bit from 2.2.0 to 3.2.2")
	}
	node := esnode.Shared(t)
	for _, workers := range []string{"0", "2"} {
		for _, reload := range []string{"on", "off"} {
			t.Run("workers "+workers+" hot_reload "+reload, func(t *testing.T) {
				p := properties(t, node.URL, map[string]string{"workers": workers})
				dir := t.TempDir()
				f := flb.Run(limit(t, time.Minute), t, flb.Options{
					Program: program, Plugin: host.BuildPlugin(t), Dir: dir, File: sensorLog(t, dir, 100), Output: p,
					Service: map[string]string{"hot_reload": reload},
				})
				if reload == "on" {
					err := f.Wait(limit(t, endLimit+30*time.Second))
					endsOnTrap(t, f.Log(), err)
					// Nothing is lost: the same storage without it.
					f = flb.Run(limit(t, time.Minute), t, flb.Options{
						Program: program, Plugin: host.BuildPlugin(t), Dir: dir, File: dir + "/sensor.log", Output: p,
					})
				}
				for ctx := limit(t, time.Minute); ; {
					code, doc, err := node.Do(ctx, "GET", "/"+p["index_prefix"]+"-attackers/_doc/203.0.113.9", nil)
					if err == nil && code == 200 && strings.Contains(fmt.Sprint(doc), "event_count:100 ") {
						break
					}
					select {
					case <-ctx.Done():
						t.Fatalf("%d %v %v", code, doc, err)
					case <-f.Done():
						t.Fatal("it ended")
					case <-time.After(300 * time.Millisecond):
					}
				}
				if err := f.Stop(limit(t, 40*time.Second)); err != nil {
					t.Error(err)
				}
			})
		}
	}
}
