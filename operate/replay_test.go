package operate

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"dossier/correlate/event"
	"dossier/esindex"
)

// letter returns a dead letter for an attacker.
func letter(n int, index, id string) string {
	quoted, _ := json.Marshal(index)
	return fmt.Sprintf(`{"time":"2026-01-08T00:00:00Z","reason":"x","chunk":"%032x","minute":29464320,"index":%s,"id":%q,"events":{"sensor":"s","source":"%s/32","events":[`+
		`{"time":%d,"address":%q,"decky":"d","service":"ssh","type":"connect","kind":1,"handshake":true}]}}`,
		n, quoted, id, id, event.FromTime(time.Date(2026, 1, 7, 0, 0, 0, 0, time.UTC)), id)
}

func rawLetter(n int, text string) string {
	return fmt.Sprintf(`{"time":"2026-01-08T00:00:00Z","reason":"r","chunk":"%032x","tag":"t","piece":1,"pieces":1,"data":%q}`, n, base64.StdEncoding.EncodeToString([]byte(text)))
}

// lettersIn writes files of letters into a folder of their own.
func lettersIn(t *testing.T, files map[string][]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, lines := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func names(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return strings.Join(out, " ")
}

var quiet = slog.New(slog.DiscardHandler)

// TestReplayKeepsAndLeaves: letters of another prefix are left in their files,
// raw ones are kept, and both are counted each time.
func TestReplayKeepsAndLeaves(t *testing.T) {
	target, node := plain(t, false, nil)
	if err := target.Setup(t.Context(), Setup{Roles: "off"}, func(esindex.Step) {}); err != nil {
		t.Fatal(err)
	}
	ours, id := target.indices.Attackers(), "203.0.113.9"
	dir := lettersIn(t, map[string][]string{
		"a.jsonl": {letter(1, ours, id), rawLetter(2, "raw"), "damaged", letter(3, ours, id)},
		"b.jsonl": {letter(4, ours, id), letter(5, "other-attackers", id)},
		"c.jsonl": {letter(6, "third-one-activity-2026.01", "x"), letter(7, "fourth-chunks-other", "x"), letter(8, "a\x1b[31m", "x")},
		"d.jsonl": {rawLetter(9, "raw too")},
	})
	count := func() any {
		return node.Must(t, "GET", ours+"/_doc/"+id, nil)["_source"].(map[string]any)["event_count"]
	}
	for round, done := range []int{2, 0} {
		r, err := target.Replay(t.Context(), dir, quiet)
		if err != nil {
			t.Fatal(err)
		}
		if r.Written != done || r.Files != done || r.Foreign != 4 || !slices.Equal(r.Prefixes, []string{"a?[31m", "fourth", "other", "third-one"}) ||
			r.RawKept != 2 || r.DamagedKept != 1 || r.KeptIn != 2 {
			t.Errorf("round %d: %+v", round, r)
		}
		if got, want := names(t, dir), "a.jsonl.kept a.jsonl.replayed b.jsonl c.jsonl d.jsonl.kept d.jsonl.replayed"; got != want {
			t.Errorf("round %d: %s", round, got)
		}
		if count() != 2.0 {
			t.Errorf("event_count %v", count())
		}
	}
	// One file is as good as a folder.
	one := lettersIn(t, map[string][]string{"a.jsonl": {letter(10, ours, id)}, "b.jsonl": {letter(11, ours, id)}})
	if r, err := target.Replay(t.Context(), filepath.Join(one, "a.jsonl"), quiet); err != nil || r.Written != 1 || names(t, one) != "a.jsonl.replayed b.jsonl" || count() != 3.0 {
		t.Errorf("%+v, %v, %s, event_count %v", r, err, names(t, one), count())
	}
	if _, err := target.Replay(t.Context(), filepath.Join(dir, "missing"), quiet); err == nil {
		t.Error("a folder that isn't there")
	}

	var shown []string
	if err := ShowRaw(dir, func(r Raw) {
		shown = append(shown, fmt.Sprintf("%s %s %s %d %d %s %d", filepath.Base(r.File), r.Reason, r.Tag, r.Piece, r.Pieces, r.Text, r.More))
	}); err != nil || !slices.Equal(shown, []string{"a.jsonl.kept r t 1 1 raw 0", "d.jsonl.kept r t 1 1 raw too 0"}) {
		t.Errorf("%q, %v", shown, err)
	}
	// Whatever it is, it fits a terminal and is bounded.
	hostile := lettersIn(t, map[string][]string{"x.jsonl": {rawLetter(1, strings.Repeat("\x1b\xff\u202e", maxRawText))}})
	if err := ShowRaw(hostile, func(r Raw) {
		if strings.ContainsAny(r.Text, "\x1b\u202e\n") || r.More != 4*maxRawText || len(r.Text) < maxRawText {
			t.Errorf("%d bytes, %d more", len(r.Text), r.More)
		}
	}); err != nil {
		t.Error(err)
	}
}

// TestReplayStopsWhereItMayNot: said before the first letter is tried, with
// the privileges that are missing; and where a privilege goes meanwhile, at
// the first letter that is refused, with the cause.
func TestReplayStopsWhereItMayNot(t *testing.T) {
	s := secured(t)
	prefix, _ := s.setUp(t)
	index := prefix + "-attackers"
	dir := lettersIn(t, map[string][]string{"a.jsonl": {letter(21, index, "203.0.113.21"), letter(22, index, "203.0.113.22")}, "b.jsonl": {letter(23, index, "203.0.113.23")}})
	writer := get(t, "writer", prefix)
	for _, p := range slices.Sorted(maps.Keys(without(writer))) {
		r, err := s.as(t, prefix, without(writer)[p]).Replay(t.Context(), dir, quiet)
		if err == nil || !strings.Contains(err.Error(), " lacks what the role "+prefix+"-writer has (dossier setup makes it): ") || r.Written != 0 {
			t.Errorf("without %s: %+v, %v", p, r, err)
		}
	}
	if got := names(t, dir); got != "a.jsonl b.jsonl" {
		t.Error(got)
	}
	// A block stands for what only the write meets.
	target := s.open(t, map[string]string{"index_prefix": prefix, "es_api_key": s.key(t, writer), "commit_timeout": "15s"})
	s.node.Must(t, "PUT", index+"/_settings", `{"index.blocks.write":true}`)
	r, err := target.Replay(t.Context(), dir, quiet)
	s.node.Must(t, "PUT", index+"/_settings", `{"index.blocks.write":null}`)
	if err == nil || r.Written != 0 || !strings.Contains(err.Error(), "a.jsonl, line 1: the letter of chunk "+fmt.Sprintf("%032x", 21)) ||
		!strings.Contains(err.Error(), "Elasticsearch doesn't take it for now: "+index+": cluster_block_exception: ") {
		t.Errorf("%+v, %v", r, err)
	}
	if r, err := target.Replay(context.Background(), dir, quiet); err != nil || r.Written != 3 || r.Files != 2 {
		t.Errorf("afterwards: %+v, %v", r, err)
	}
	// A folder without letters takes no privileges.
	empty := lettersIn(t, map[string][]string{"a.jsonl": {rawLetter(1, "x")}})
	if r, err := s.as(t, prefix, get(t, "reader", prefix)).Replay(t.Context(), empty, quiet); err != nil || r.RawKept != 1 {
		t.Errorf("%+v, %v", r, err)
	}
}
