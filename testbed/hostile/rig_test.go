// Package hostile attacks Dossier with what an attacker can write: each test's
// name says what is tried, and looks at the profiles that come of it.
package hostile

import (
	"context"
	"encoding/json"
	"net/netip"
	"os"
	"sync"
	"testing"
	"time"

	"dossier/correlate"
	"dossier/correlate/commit"
	"dossier/correlate/dialect"
	"dossier/correlate/event"
	"dossier/plugin/chunk"
	"dossier/plugin/chunk/chunktest"
	"dossier/profile"
	"dossier/profile/rules"
	"dossier/testbed/memory"
)

// at is the time that Fluent Bit gives the records.
var at = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

var decoyNets = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}

// profiles reads lines from the parser to the renderer and returns the
// documents of the attackers' index by address, and what was refused.
func profiles(t *testing.T, o dialect.Options, lines ...string) (map[string]map[string]any, correlate.Stats) {
	t.Helper()
	r := newRig(t, o)
	r.flush("sensor-1", lines)
	return r.close(), r.stats()
}

// inChunks is profiles of lines in several chunks, each of another sensor than
// the one before, and delivered twice if so.
func inChunks(t *testing.T, o dialect.Options, twice bool, chunks ...[]string) map[string]map[string]any {
	t.Helper()
	r := newRig(t, o)
	for i, lines := range chunks {
		sensor := []string{"sensor-1", "sensor-2"}[i%2]
		r.flush(sensor, lines)
		if twice {
			r.flush(sensor, lines)
		}
	}
	return r.close()
}

// rig is a store, and what writes to it as sensors do.
type rig struct {
	t         *testing.T
	store     *memory.Store
	committer *commit.Committer
	engines   map[string]*correlate.Engine
}

var rigIndices = correlate.Indices{Prefix: "dossier"}

// builtin are the built-in rules. Reading them takes longer than most of what
// is tried with them.
var builtin = sync.OnceValues(func() (*rules.Set, error) { return rules.New(rules.Options{}) })

func newRenderer(t *testing.T) *profile.Renderer {
	t.Helper()
	set, err := builtin()
	if err != nil {
		t.Fatal(err)
	}
	r, err := profile.New(profile.Options{Rules: set})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func newRig(t *testing.T, o dialect.Options) *rig {
	t.Helper()
	r := &rig{t: t, store: memory.New(), engines: map[string]*correlate.Engine{}}
	renderer := newRenderer(t)
	var err error
	r.committer, err = commit.New(commit.Options{
		MachineOptions: commit.MachineOptions{Ledger: rigIndices.Ledger},
		Store:          r.store, DeadLetters: r.store,
		Model: correlate.NewModel(correlate.ModelOptions{
			Renderer: renderer, Indices: rigIndices, Activity: true, Transitions: true, Now: func() time.Time { return at },
		}),
	})
	if err != nil {
		t.Fatal(err)
	}
	parser, err := dialect.New(o)
	if err != nil {
		t.Fatal(err)
	}
	for _, sensor := range []string{"sensor-1", "sensor-2"} {
		r.engines[sensor], err = correlate.New(correlate.Options{
			Committer: r.committer, Indices: rigIndices, Parser: parser, Annotator: renderer, Sensor: sensor, Activity: true,
			Decode:        func(a *event.Arena, data []byte) correlate.Records { return chunk.NewDecoder(data, a) },
			BuryBroken:    func(context.Context, correlate.Broken) error { return nil },
			CommitTimeout: time.Minute,
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func (r *rig) flush(sensor string, lines []string) {
	r.t.Helper()
	if got, err := r.engines[sensor].Flush(r.t.Context(), "hostile", chunktest.Lines(at, "log", lines...)); err != nil || got != correlate.OK {
		r.t.Fatalf("flush: %v, %v", got, err)
	}
}

func (r *rig) stats() correlate.Stats { return r.engines["sensor-1"].Stats() }

// close ends the writing and returns the attackers' documents by address.
func (r *rig) close() map[string]map[string]any {
	r.t.Helper()
	if err := r.committer.Close(r.t.Context()); err != nil {
		r.t.Error(err)
	}
	docs := map[string]map[string]any{}
	for id, body := range r.store.Documents(rigIndices.Attackers()) {
		var doc map[string]any
		if err := json.Unmarshal(body, &doc); err != nil {
			r.t.Fatalf("%s: %v", id, err)
		}
		docs[id] = doc
	}
	return docs
}

// tpot returns the field maps for T-Pot.
func tpot(t *testing.T) []dialect.FieldMap {
	t.Helper()
	f, err := os.Open("../../conf/field_maps/tpot.yaml")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	maps, err := dialect.ReadFieldMaps(f)
	if err != nil {
		t.Fatal(err)
	}
	return maps
}
