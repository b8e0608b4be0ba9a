package correlate_test

import (
	"context"
	"testing"
	"time"

	"dossier/correlate"
	"dossier/correlate/commit"
	"dossier/correlate/dialect"
	"dossier/correlate/event"
	"dossier/correlate/state"
	"dossier/plugin/chunk"
	"dossier/plugin/chunk/chunktest"
	"dossier/profile"
	"dossier/testbed/memory"
)

// brittle can't render one attacker.
type brittle struct{ *profile.Renderer }

func (b brittle) AppendAttacker(dst []byte, h correlate.Head, s *state.Attacker) []byte {
	if h.ID == "203.0.113.66" {
		panic("a defect of rendering")
	}
	return b.Renderer.AppendAttacker(dst, h, s)
}

// One attacker whose rendering panics costs its document a letter; the chunk is
// done, others are exact, and each chunk after it as well.
func TestPanicInRendering(t *testing.T) {
	store := memory.New()
	r, err := profile.New(profile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ix := correlate.Indices{Prefix: "d"}
	c, err := commit.New(commit.Options{
		MachineOptions: commit.MachineOptions{Ledger: ix.Ledger}, Store: store, DeadLetters: store,
		Model: correlate.NewModel(correlate.ModelOptions{Renderer: brittle{r}, Indices: ix}),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.Background())
	p, err := dialect.New(dialect.Options{})
	if err != nil {
		t.Fatal(err)
	}
	e, err := correlate.New(correlate.Options{
		Committer: c, Indices: ix, Parser: p, Sensor: "s", CommitTimeout: 20 * time.Second,
		Decode:     func(a *event.Arena, data []byte) correlate.Records { return chunk.NewDecoder(data, a) },
		BuryBroken: func(context.Context, correlate.Broken) error { t.Error("the chunk is dead-lettered"); return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{store: store, engine: e, committer: c}
	for n := range 2 {
		at := recordTime.Add(time.Duration(n) * time.Second)
		b.flush(t, correlate.OK, chunktest.Lines(recordTime, "log", connect("203.0.113.66", at), connect("203.0.113.1", at)))
	}
	if d := b.attacker(t, "203.0.113.1"); d["event_count"] != 2.0 {
		t.Errorf("the other attacker has %v events", d["event_count"])
	}
	if d := b.attacker(t, "203.0.113.66"); d != nil {
		t.Errorf("rendered: %v", d)
	}
	if s := c.Stats(); s.Buried != 2 || s.Panics != 6 {
		t.Errorf("%d buried, %d panics", s.Buried, s.Panics)
	}
}
