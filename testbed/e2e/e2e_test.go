package e2e

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dossier/testbed/esnode"
	"dossier/testbed/flb"
	"dossier/testbed/host"
)

// timed returns the lines that carry a time of their own. What has the
// record's time differs between a replay and a tail.
func timed(lines []string) []string {
	var out []string
	for _, l := range lines {
		if f := strings.Fields(l); len(f) > 1 && strings.HasPrefix(f[1], "20") {
			out = append(out, l)
		}
	}
	return out
}

// reference runs the lines through one host in one chunk.
func reference(t *testing.T, node *esnode.Node, lines []string) (attackers, targets map[string]map[string]any) {
	t.Helper()
	prefix := Prefix(t) + "-ref"
	h := StartHost(t, host.Options{Properties: Properties(t, node.URL, prefix, nil)})
	Deliver(t, h, Cut(lines, 1), 1)
	if err := h.Exit(t.Context()); err != nil {
		t.Fatal(err)
	}
	return Documents(t, node, prefix+"-attackers"), Documents(t, node, prefix+"-smtp-targets")
}

// The same lines in one chunk, or cut anywhere and delivered in any order by
// several workers, give the same documents in a real Elasticsearch.
func TestCutAndOrderDontShow(t *testing.T) {
	node := esnode.Shared(t)
	for _, name := range []string{"raw_2k.log", "raw_20k.log"} {
		t.Run(name, func(t *testing.T) {
			lines := Lines(t, Data("decnet", name))
			attackers, targets := reference(t, node, lines)
			for seed, n := range []int{7, 53} {
				prefix := Prefix(t)
				h := StartHost(t, host.Options{Workers: 4, Properties: Properties(t, node.URL, prefix, nil)})
				Deliver(t, h, Shuffle(Cut(lines, n), uint64(seed)), 4)
				if err := h.Exit(t.Context()); err != nil {
					t.Fatal(err)
				}
				Equal(t, fmt.Sprintf("attackers, %d chunks", n), attackers, Documents(t, node, prefix+"-attackers"))
				Equal(t, fmt.Sprintf("targets, %d chunks", n), targets, Documents(t, node, prefix+"-smtp-targets"), OfAttacker...)
			}
			t.Logf("%d attackers, %d mail domains", len(attackers), len(targets))
		})
	}
}

// A real Fluent Bit that tails the log gives what the host gives.
func TestThroughFluentBit(t *testing.T) {
	flb.Require(t)
	node := esnode.Shared(t)
	lines := timed(Lines(t, Data("decnet", "raw_20k.log")))
	attackers, targets := reference(t, node, lines)
	for _, workers := range []string{"0", "2"} {
		t.Run("workers "+workers, func(t *testing.T) {
			prefix := Prefix(t)
			dir := t.TempDir()
			file := filepath.Join(dir, "decnet.log")
			if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			output := Properties(t, node.URL, prefix, map[string]string{"name": "dossier", "workers": workers, "retry_limit": "no_limits"})
			var log bytes.Buffer
			f, err := flb.Start(t.Context(), flb.Options{Plugin: host.BuildPlugin(t), Dir: dir, File: file, Output: output, Log: &log})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				f.Kill()
				if t.Failed() {
					t.Log(log.String())
				}
			})
			deadline := time.Now().Add(90 * time.Second)
			for {
				counts, err := f.Counts(t.Context())
				done := 0
				for _, c := range counts {
					done = max(done, c.Records)
				}
				if err == nil && done >= len(lines) {
					break
				}
				if time.Now().After(deadline) {
					t.Fatalf("%d of %d records after 90 s (%v)", done, len(lines), err)
				}
				time.Sleep(500 * time.Millisecond)
			}
			if err := f.Stop(t.Context()); err != nil {
				t.Fatal(err)
			}
			Equal(t, "attackers", attackers, Documents(t, node, prefix+"-attackers"))
			Equal(t, "targets", targets, Documents(t, node, prefix+"-smtp-targets"), OfAttacker...)
		})
	}
}
