package faults

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dossier/plugin/chunk/chunktest"
	"dossier/testbed/e2e"
	"dossier/testbed/esnode"
	"dossier/testbed/host"
)

// seedIndex starts the plugin once, so that its templates are there, and
// returns the mapping of the attackers index with its name.
func seedIndex(t *testing.T, node *esnode.Node, prefix string, properties map[string]string) (index string, mapping map[string]any) {
	t.Helper()
	h := e2e.StartHost(t, host.Options{Workers: 1, Properties: properties})
	e2e.Deliver(t, h, []e2e.Chunk{{Tag: "seed", Data: chunktest.Lines(e2e.RecordTime, "log", honestLines()...)}}, 1)
	if err := h.Exit(t.Context()); err != nil {
		t.Fatal(err)
	}
	index = prefix + "-attackers"
	answer := node.Must(t, "GET", "/"+index+"/_mapping", nil)
	for name, m := range answer {
		return name, m.(map[string]any)["mappings"].(map[string]any)
	}
	t.Fatal("no mapping")
	return "", nil
}

// One attacker's document can't be written (his key exchange order doesn't
// fit a mapping somebody changed), many chunks on it at once: only what fails
// alone is dead-lettered, everything else is exact, and the chunks are
// acknowledged.
func TestPoisonedDocument(t *testing.T) {
	node := esnode.Shared(t)
	prefix := e2e.Prefix(t)
	properties := e2e.Properties(t, node.URL, prefix, nil)
	index, mapping := seedIndex(t, node, prefix, properties)
	node.Must(t, "DELETE", "/"+index, nil)
	behavior := mapping["properties"].(map[string]any)["behavior"].(map[string]any)["properties"].(map[string]any)
	behavior["kex_order"] = map[string]any{"type": "long"}
	node.Must(t, "PUT", "/"+index, map[string]any{"mappings": mapping, "aliases": map[string]any{prefix + "-attackers": struct{}{}}})

	const poisoned, chunks, innocents = "203.0.113.66", 12, 20
	h := e2e.StartHost(t, host.Options{Workers: 8, Properties: properties})
	var all []e2e.Chunk
	for c := range chunks {
		at := e2e.RecordTime.Add(-time.Hour + time.Duration(c)*time.Minute)
		var lines []string
		for i := range innocents {
			lines = append(lines, line(at, fmt.Sprintf(`decky-01 ssh - connect [relay@55555 src_ip="203.0.113.%d"]`, 100+i)))
		}
		lines = append(lines, line(at, `decky-01 ssh - connect [relay@55555 src_ip="`+poisoned+`"]`))
		if c%3 == 1 {
			lines = append(lines, line(at, `decnet-prober prober - hassh_fingerprint [relay@55555 target_ip="`+poisoned+`" target_port="22" hassh_server_hash="b12d2871a1189eff20364cf5333619ee" kex_algorithms="curve25519-sha256"]`))
		}
		all = append(all, e2e.Chunk{Tag: fmt.Sprint("poison.", c), Data: chunktest.Lines(e2e.RecordTime, "log", lines...)})
	}
	e2e.Deliver(t, h, all, 8)
	if err := h.Exit(t.Context()); err != nil {
		t.Fatal(err)
	}
	docs := e2e.Documents(t, node, index)
	for i := range innocents {
		if d := docs[fmt.Sprintf("203.0.113.%d", 100+i)]; d == nil || d["event_count"] != float64(chunks) {
			t.Errorf("an innocent's profile: %v", d["event_count"])
		}
	}
	letters := deadLetters(t, properties["dead_letter_path"])
	buried := 0
	for _, l := range letters {
		if !strings.Contains(l, poisoned) || !strings.Contains(l, "kex") && !strings.Contains(l, "curve25519") {
			t.Errorf("a dead letter that doesn't fail alone: %.300s", l)
			continue
		}
		buried++
	}
	if buried != chunks/3 {
		t.Errorf("%d dead letters; want %d", buried, chunks/3)
	}
	if d := docs[poisoned]; d == nil || d["event_count"] != float64(chunks-chunks/3) {
		t.Errorf("the poisoned attacker has %v events; want %d", d["event_count"], chunks-chunks/3)
	}
	t.Logf("%d chunks at once on a poisoned document: %d dead letters, the rest exact", chunks, buried)
}

// deadLetters returns the lines of all dead letter files.
func deadLetters(t *testing.T, path string) []string {
	t.Helper()
	var lines []string
	err := filepath.WalkDir(path, func(p string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s can be read by others: %v", p, info.Mode())
		}
		b, err := os.ReadFile(p)
		for l := range strings.SplitSeq(string(b), "\n") {
			if json.Valid([]byte(l)) && strings.HasPrefix(l, "{") {
				lines = append(lines, l)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

// A blocked index dead-letters nothing: chunks come back until the block is
// lifted, and then everything is exact.
func TestBlockedIndex(t *testing.T) {
	node := esnode.Shared(t)
	prefix := e2e.Prefix(t)
	properties := e2e.Properties(t, node.URL, prefix, map[string]string{"commit_timeout": "1s"})
	index, _ := seedIndex(t, node, prefix, properties)
	for _, block := range []string{"index.blocks.read_only_allow_delete", "index.blocks.write"} {
		node.Must(t, "PUT", "/"+index+"/_settings", map[string]any{block: true})
		h := e2e.StartHost(t, host.Options{Workers: 2, Properties: properties})
		data := chunktest.Lines(e2e.RecordTime, "log", line(e2e.RecordTime.Add(-time.Minute), `decky-01 ssh - connect [relay@55555 src_ip="203.0.113.5"]`), block)
		for range 2 {
			code, err := h.Flush(t.Context(), "blocked", data)
			if err != nil || code != host.Retry {
				t.Fatalf("%s: a flush returned %v, %v; want FLB_RETRY", block, code, err)
			}
		}
		node.Must(t, "PUT", "/"+index+"/_settings", map[string]any{block: nil})
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		if _, err := h.Deliver(ctx, "blocked", data, 200*time.Millisecond); err != nil {
			t.Fatal(err)
		}
		cancel()
		if err := h.Exit(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if d := e2e.Documents(t, node, index)["203.0.113.5"]; d["event_count"] != 2.0 {
		t.Errorf("event_count %v after two blocks; want 2", d["event_count"])
	}
	if l := deadLetters(t, properties["dead_letter_path"]); len(l) > 0 {
		t.Errorf("%d dead letters from a block: %.300s", len(l), l[0])
	}
}

// A flush under way when the host exits, with Elasticsearch dead, ends by the
// deadline; what it carried is counted once when it comes again.
func TestExitInFlight(t *testing.T) {
	node := stoppable(t)
	prefix := e2e.Prefix(t)
	properties := e2e.Properties(t, node.URL, prefix, map[string]string{"commit_timeout": "3s"})
	index, _ := seedIndex(t, node, prefix, properties)
	h := e2e.StartHost(t, host.Options{Workers: 2, Properties: properties})
	data := chunktest.Lines(e2e.RecordTime, "log", line(e2e.RecordTime.Add(-time.Minute), `decky-01 ssh - connect [relay@55555 src_ip="203.0.113.5"]`))
	if err := node.Pause(); err != nil {
		t.Fatal(err)
	}
	codes := make(chan host.Code, 1)
	start := time.Now()
	go func() {
		code, _ := h.Flush(t.Context(), "exit", data)
		codes <- code
	}()
	if err := h.WaitFlushing(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if err := h.Exit(t.Context()); err != nil {
		t.Fatal(err)
	}
	took := time.Since(start)
	if took > 12*time.Second {
		t.Errorf("exit took %.1f s with a commit_timeout of 3 s", took.Seconds())
	}
	if code := <-codes; code != host.Retry {
		t.Errorf("the flush returned %v; want FLB_RETRY", code)
	}
	if err := node.Resume(); err != nil {
		t.Fatal(err)
	}
	h = e2e.StartHost(t, host.Options{Workers: 2, Properties: properties})
	for range 3 {
		if _, err := h.Deliver(t.Context(), "exit", data, 200*time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
	if err := h.Exit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if d := e2e.Documents(t, node, index)["203.0.113.5"]; d == nil || d["event_count"] != 1.0 {
		t.Errorf("event_count %v; want 1", d["event_count"])
	}
	t.Logf("exit with a dead node: %.1f s", took.Seconds())
}
