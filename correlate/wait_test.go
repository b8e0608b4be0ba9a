package correlate_test

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"dossier/correlate"
	"dossier/correlate/commit"
	"dossier/correlate/dialect"
	"dossier/correlate/event"
	"dossier/plugin/chunk"
	"dossier/plugin/chunk/chunktest"
	"dossier/testbed/memory"
)

// BenchmarkWaitWhileFolding shows how long a heartbeat, a scrape or the end of
// a flush waits for the committer while bulks of 1,500 documents are folded and
// rendered: one operation is one such chunk, with Stats asked for every 100 µs
// meanwhile.
func BenchmarkWaitWhileFolding(b *testing.B) {
	renderer, err := newRenderer()
	if err != nil {
		b.Fatal(err)
	}
	parser, err := dialect.New(dialect.Options{})
	if err != nil {
		b.Fatal(err)
	}
	ix := correlate.Indices{Prefix: "d"}
	store := memory.New()
	committer, err := commit.New(commit.Options{
		MachineOptions: commit.MachineOptions{Ledger: ix.Ledger}, Store: store, DeadLetters: store,
		Model: correlate.NewModel(correlate.ModelOptions{Renderer: renderer, Indices: ix, Activity: true, Transitions: true}),
	})
	if err != nil {
		b.Fatal(err)
	}
	defer committer.Close(context.Background())
	engine, err := correlate.New(correlate.Options{
		Committer: committer, Indices: ix, Parser: parser, Annotator: renderer, Sensor: "sensor-1", CommitTimeout: time.Minute,
		Decode:     func(a *event.Arena, data []byte) correlate.Records { return chunk.NewDecoder(data, a) },
		BuryBroken: func(context.Context, correlate.Broken) error { return nil },
	})
	if err != nil {
		b.Fatal(err)
	}
	var waits []time.Duration
	var over atomic.Bool
	done := make(chan struct{})
	go func() {
		defer close(done)
		for !over.Load() {
			start := time.Now()
			committer.Stats()
			waits = append(waits, time.Since(start))
			time.Sleep(100 * time.Microsecond)
		}
	}()
	for n := 0; b.Loop(); n++ {
		lines := make([]string, 1500)
		for i := range lines {
			lines[i] = connect(fmt.Sprintf("203.%d.%d.%d", i%100, i/250, i%250), recordTime.Add(time.Duration(n)*time.Second))
		}
		if r, err := engine.Flush(b.Context(), "tag", chunktest.Lines(recordTime, "log", lines...)); r != correlate.OK {
			b.Fatal(r, err)
		}
	}
	over.Store(true)
	<-done
	slices.Sort(waits)
	at := func(q float64) float64 { return float64(waits[int(q*float64(len(waits)-1))].Microseconds()) }
	b.ReportMetric(at(0.5), "µs-p50")
	b.ReportMetric(at(0.99), "µs-p99")
	b.ReportMetric(at(1), "µs-max")
}
