package target

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dossier/plugin/options"
	"dossier/testbed/esnode"
)

// A dead letter comes back to its document once, however often it is
// replayed.
func TestReplay(t *testing.T) {
	node := esnode.Shared(t)
	dir := t.TempDir()
	prefix := fmt.Sprintf("t-replay-%x", time.Now().UnixNano()&0xffffff)
	esnode.CleanUp(t, prefix)
	values := map[string]string{"es_hosts": node.URL, "index_prefix": prefix, "dead_letter_path": filepath.Join(dir, "own"), "sensor_id": "s"}
	o, err := options.Parse(func(k string) string { return values[k] }, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cleanUp(t, node, prefix) })
	letter := `{"time":"2026-01-08T00:00:00Z","reason":"document_parsing_exception","chunk":"000102030405060708090a0b0c0d0e0f","minute":29464320,` +
		`"index":"` + prefix + `-attackers","id":"203.0.113.9","events":{"sensor":"s","source":"203.0.113.9/32","events":[` +
		`{"time":1767780000000000,"address":"203.0.113.9","decky":"decky-01","service":"ssh","type":"connect","kind":1,"handshake":true}]}}` + "\n"
	for round := range 2 {
		path := filepath.Join(dir, fmt.Sprintf("letters-%d.jsonl", round))
		if err := os.WriteFile(path, []byte(letter+letter), 0o600); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
		r, err := Replay(ctx, o, Host{Version: "test", Logger: slog.New(slog.DiscardHandler)}, path, nil)
		cancel()
		if err != nil || r.Written != 2 || r.Files != 1 || r.Kept != 0 {
			t.Fatalf("round %d: %+v, %v", round, r, err)
		}
		if _, err := os.Stat(path); !os.IsNotExist(err) {
			t.Errorf("round %d: the file still waits", round)
		}
	}
	doc := node.Must(t, "GET", "/"+prefix+"-attackers/_doc/203.0.113.9", nil)["_source"].(map[string]any)
	if doc["event_count"] != 1.0 {
		t.Errorf("event_count %v after four replays; want 1", doc["event_count"])
	}
}

// A letter whose document and events disagree is not written, to neither.
func TestReplayOfAChangedLetter(t *testing.T) {
	node := esnode.Shared(t)
	dir := t.TempDir()
	prefix := fmt.Sprintf("t-replay-%x", time.Now().UnixNano()&0xffffff)
	values := map[string]string{"es_hosts": node.URL, "index_prefix": prefix, "dead_letter_path": filepath.Join(dir, "own"), "sensor_id": "s"}
	o, err := options.Parse(func(k string) string { return values[k] }, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cleanUp(t, node, prefix) })
	letter := `{"time":"2026-01-08T00:00:00Z","reason":"document_parsing_exception","chunk":"000102030405060708090a0b0c0d0e0f","minute":29464320,` +
		`"index":"` + prefix + `-attackers","id":"8.8.8.8","events":{"sensor":"s","source":"203.0.113.9/32","events":[` +
		`{"time":1767780000000000,"address":"203.0.113.9","decky":"decky-01","service":"ssh","type":"connect","kind":1,"handshake":true}]}}` + "\n"
	path := filepath.Join(dir, "letters.jsonl")
	if err := os.WriteFile(path, []byte(letter), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := Replay(t.Context(), o, Host{Version: "test", Logger: slog.New(slog.DiscardHandler)}, path, nil)
	if err == nil || !strings.Contains(err.Error(), "8.8.8.8") || r.Written != 0 {
		t.Errorf("%+v, %v", r, err)
	}
	for _, id := range []string{"8.8.8.8", "203.0.113.9"} {
		if code, _, err := node.Do(t.Context(), "GET", "/"+prefix+"-attackers/_doc/"+id, nil); code != 404 {
			t.Errorf("%s: %d, %v", id, code, err)
		}
	}
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
}

// cleanUp removes what was set up under the prefix: the node may be somebody's
// own.
func cleanUp(t *testing.T, node *esnode.Node, prefix string) {
	ctx := context.Background()
	_, indices, err := node.Do(ctx, "GET", "/"+prefix+"-*/_mapping?filter_path=*.mappings._meta", nil)
	if err != nil {
		t.Error(err)
	}
	for name := range indices {
		node.Do(ctx, "DELETE", "/"+name, nil)
	}
	node.Do(ctx, "DELETE", "/_index_template/"+prefix+"-*", nil)
	node.Do(ctx, "DELETE", "/_component_template/"+prefix+"-*", nil)
}
