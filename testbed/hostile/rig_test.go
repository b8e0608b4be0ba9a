// Package hostile attacks Dossier with what an attacker can write: each test's
// name says what is tried, and looks at the profiles that come of it.
package hostile

import (
	"context"
	"encoding/json"
	"net/netip"
	"testing"
	"time"

	"dossier/correlate"
	"dossier/correlate/commit"
	"dossier/correlate/dialect"
	"dossier/correlate/event"
	"dossier/plugin/chunk"
	"dossier/plugin/chunk/chunktest"
	"dossier/profile"
	"dossier/testbed/memory"
)

// at is the time that Fluent Bit gives the records.
var at = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

var decoyNets = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}

// profiles reads lines from the parser to the renderer and returns the
// documents of the attackers' index by address, and what was refused.
func profiles(t *testing.T, o dialect.Options, lines ...string) (map[string]map[string]any, correlate.Stats) {
	t.Helper()
	store := memory.New()
	ix := correlate.Indices{Prefix: "dossier"}
	renderer, err := profile.New(profile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	committer, err := commit.New(commit.Options{
		MachineOptions: commit.MachineOptions{Ledger: ix.Ledger},
		Store:          store, DeadLetters: store,
		Model: correlate.NewModel(correlate.ModelOptions{
			Renderer: renderer, Indices: ix, Activity: true, Transitions: true, Now: func() time.Time { return at },
		}),
	})
	if err != nil {
		t.Fatal(err)
	}
	parser, err := dialect.New(o)
	if err != nil {
		t.Fatal(err)
	}
	engine, err := correlate.New(correlate.Options{
		Committer: committer, Indices: ix, Parser: parser, Annotator: renderer, Sensor: "sensor-1", Activity: true,
		Decode:        func(a *event.Arena, data []byte) correlate.Records { return chunk.NewDecoder(data, a) },
		BuryBroken:    func(context.Context, correlate.Broken) error { return nil },
		CommitTimeout: time.Minute,
	})
	if err != nil {
		t.Fatal(err)
	}
	if r, err := engine.Flush(t.Context(), "hostile", chunktest.Lines(at, "log", lines...)); err != nil || r != correlate.OK {
		t.Fatalf("flush: %v, %v", r, err)
	}
	if err := committer.Close(t.Context()); err != nil {
		t.Error(err)
	}
	docs := map[string]map[string]any{}
	for id, body := range store.Documents(ix.Attackers()) {
		var doc map[string]any
		if err := json.Unmarshal(body, &doc); err != nil {
			t.Fatalf("%s: %v", id, err)
		}
		docs[id] = doc
	}
	return docs, engine.Stats()
}
