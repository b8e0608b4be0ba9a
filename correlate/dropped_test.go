package correlate_test

import (
	"maps"
	"testing"

	"dossier/correlate"
	"dossier/plugin/chunk/chunktest"
)

// TestDroppedLinesAreCountedByProgram, over chunks, and what Stats returns is
// the caller's own.
func TestDroppedLinesAreCountedByProgram(t *testing.T) {
	b := newBench(t, nil)
	line := func(program string) string {
		return "<38>1 2026-01-02T03:04:05.000001+00:00 decky-03 " + program + " 1 - - Failed password for root from 203.0.113.1 port 1 ssh2"
	}
	b.flush(t, correlate.OK, chunktest.Lines(recordTime, "log", line("sshd"), line("sshd"), line("CRON")))
	b.flush(t, correlate.OK, chunktest.Lines(recordTime, "log", line("sshd"), line("sudo")))
	got := b.engine.Stats().Dropped
	if want := (map[string]int64{"sshd": 3, "CRON": 1, "sudo": 1}); !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	got["sshd"] = 0
	if n := b.engine.Stats().Dropped["sshd"]; n != 3 {
		t.Errorf("a caller changed the count to %d", n)
	}
}

// TestWhatIsCountedByNameOutlivesTheChunk: Fluent Bit takes a chunk's memory
// back, and names in it are views.
func TestWhatIsCountedByNameOutlivesTheChunk(t *testing.T) {
	b := newBench(t, nil)
	line := `<134>1 2026-01-02T03:04:05.000001+00:00 decky-03 bash - - - CMD uid=0 user=root src= pwd=/root cmd=id`
	for range 3 {
		data := chunktest.Lines(recordTime, "log", line)
		b.flush(t, correlate.OK, data)
		for i := range data {
			data[i] = 'x'
		}
	}
	if got, want := b.engine.Stats().Ownerless, (map[string]int64{"decky-03": 3}); !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
