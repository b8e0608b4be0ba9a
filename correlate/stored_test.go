package correlate_test

import (
	"maps"
	"slices"
	"testing"
	"time"

	"dossier/correlate"
	"dossier/correlate/commit"
	"dossier/correlate/event"
	"dossier/plugin/chunk/chunktest"
)

// flushAs has the bench's engine commit a chunk under an id of its own.
func (b *bench) flushAs(t *testing.T, id byte, data []byte) {
	t.Helper()
	if got, err := b.engine.FlushAs(t.Context(), commit.ChunkID{id}, "tag", data); got != correlate.OK {
		t.Fatalf("flush: %v, %v", got, err)
	}
}

// stored is an engine for stored logs.
func stored(t *testing.T, s correlate.Stored) *bench {
	return newBench(t, func(o *correlate.Options) { o.Stored = &s })
}

// TestStoredAnyTime: a chunk of a stored log is the same, and its hours have their
// own months, by whatever time it is read; its marker is always in one place.
func TestStoredAnyTime(t *testing.T) {
	b := stored(t, correlate.Stored{})
	lines := []string{connect("203.0.113.1", recordTime.AddDate(-3, 0, 0)), connect("203.0.113.1", recordTime)}
	for _, read := range []time.Time{recordTime.AddDate(0, 0, 1), recordTime.AddDate(5, 0, 0)} {
		b.flushAs(t, 1, chunktest.Lines(read, "log", lines...))
	}
	if d := b.attacker(t, "203.0.113.1"); d["event_count"] != 2.0 {
		t.Errorf("event_count %v, want 2", d["event_count"])
	}
	for _, index := range []string{"d-activity-2023.01", "d-activity-2026.01"} {
		if n := len(b.store.Documents(index)); n != 1 {
			t.Errorf("%d hours in %s, want 1", n, index)
		}
	}
	if err := b.committer.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := slices.Collect(maps.Keys(b.store.Documents("d-chunks-other"))); len(got) != 1 || got[0] != (commit.ChunkID{1}).String() {
		t.Errorf("markers %q", got)
	}
}

// TestStoredBounds: what is out of bounds is left out, and a chunk that is wholly
// so stays unknown: wider bounds want it.
func TestStoredBounds(t *testing.T) {
	b := stored(t, correlate.Stored{Since: event.FromTime(recordTime), Until: event.FromTime(recordTime.Add(time.Minute))})
	chunk := func(offsets ...time.Duration) []byte {
		var lines []string
		for _, o := range offsets {
			lines = append(lines, connect("203.0.113.1", recordTime.Add(o)))
		}
		return chunktest.Lines(recordTime.Add(time.Hour), "log", lines...)
	}
	b.flushAs(t, 1, chunk(-time.Microsecond, 0, time.Minute-time.Microsecond, time.Minute))
	b.flushAs(t, 2, chunk(-time.Hour, time.Hour))
	if d := b.attacker(t, "203.0.113.1"); d["event_count"] != 2.0 {
		t.Errorf("event_count %v, want 2", d["event_count"])
	}
	if s := b.engine.Stats(); s.OutOfBounds != 4 || s.Events != 2 || s.Records != 6 {
		t.Errorf("%+v", s)
	}
	if err := b.committer.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := len(b.store.Documents("d-chunks-other")); n != 1 {
		t.Errorf("%d markers, want that of the first chunk", n)
	}
}
