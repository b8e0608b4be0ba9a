// Package upgrade runs this version on what earlier ones left in a real
// Elasticsearch (testbed/frozen).
package upgrade

import (
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"testing"
	"time"

	"dossier/plugin/chunk/chunktest"
	"dossier/plugin/options"
	"dossier/target"
	"dossier/testbed/e2e"
	"dossier/testbed/esnode"
	"dossier/testbed/frozen"
	"dossier/testbed/host"
)

// The templates, indices, documents and dead letters of schema 1 in a node:
// the plugin goes on from them, the letters are replayed once however often,
// and nothing that was there is lost.
func TestFromSchema1(t *testing.T) {
	for prefix, more := range map[string]map[string]string{
		"dossier": nil, "dossier6": {"ipv6_prefix": "64"},
	} {
		t.Run(prefix, func(t *testing.T) {
			node := esnode.Shared(t)
			as := e2e.Prefix(t)
			snapshot := frozen.Read(t, 1, prefix, as)
			snapshot.Load(t, node)
			before := e2e.Documents(t, node, as+"-attackers")
			counts := map[string]int{}
			for _, d := range snapshot.Documents {
				counts[d.Index]++
			}
			properties := e2e.Properties(t, node.URL, as, more)

			at := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
			var lines []string
			for id := range before {
				lines = append(lines, fmt.Sprintf(`<134>1 %s decky-new newservice - connect [relay@55555 src_ip="%s"]`, at.Format(time.RFC3339), address(id)))
			}
			h := e2e.StartHost(t, host.Options{Workers: 2, Properties: properties})
			e2e.Deliver(t, h, []e2e.Chunk{{Tag: "further", Data: chunktest.Lines(at, "log", lines...)}}, 1)
			if err := h.Exit(t.Context()); err != nil {
				t.Fatal(err)
			}
			buried := buried(snapshot)
			for range 2 {
				dir := filepath.Join(t.TempDir(), "letters")
				snapshot.WriteLetters(t, dir)
				r := replay(t, properties, dir)
				if want := len(buried.letters); r.Written != want || r.Damaged != 0 || r.Kept != len(snapshot.Letters)-want {
					t.Errorf("replayed: %+v; want %d written of %d", r, want, len(snapshot.Letters))
				}
			}
			after := e2e.Documents(t, node, as+"-attackers")
			for id, was := range before {
				want := was["event_count"].(float64) + 1 + buried.events[id]
				if got := after[id]["event_count"]; got != want {
					t.Errorf("%s: %v events, want %v: %v before, one more, %v from the dead letters", id, got, want, was["event_count"], buried.events[id])
				}
				if now := after[id]["uuid"]; now != was["uuid"] {
					t.Errorf("%s: the uuid went from %v to %v", id, was["uuid"], now)
				}
			}
			for index, n := range counts {
				if now := len(e2e.Documents(t, node, index)); now < n {
					t.Errorf("%s had %d documents and has %d", index, n, now)
				}
			}
		})
	}
}

// address is an address of the attacker with that id.
func address(id string) string {
	for i := range id {
		if id[i] == '/' {
			return id[:i] + "7"
		}
	}
	return id
}

type letters struct {
	letters []frozen.Letter
	events  map[string]float64 // by attacker
}

func buried(s *frozen.Snapshot) letters {
	l := letters{events: map[string]float64{}}
	for _, letter := range s.Contributions() {
		l.letters = append(l.letters, letter)
		if letter.Kind == "attackers" {
			l.events[letter.ID] += float64(letter.Events)
		}
	}
	return l
}

func replay(t *testing.T, properties map[string]string, path string) target.Replayed {
	t.Helper()
	p := maps.Clone(properties)
	o, err := options.Parse(func(k string) string { return p[k] }, func(s string) { t.Error(s) })
	if err != nil {
		t.Fatal(err)
	}
	r, err := target.Replay(t.Context(), o, target.Host{Version: "test", Logger: slog.New(slog.DiscardHandler)}, path, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
