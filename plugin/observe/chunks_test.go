package observe

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// TestChunksAreCountedInTheirUnits: how long Fluent Bit waited is in seconds, what it
// brought in bytes, as the names say.
func TestChunksAreCountedInTheirUnits(t *testing.T) {
	c := NewChunks()
	c.Observe("ok", 1500*time.Millisecond, 3000)
	c.Observe("retry", 250*time.Millisecond, 5)
	registry := prometheus.NewRegistry()
	registry.MustRegister(c)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := f.GetName()
			for _, l := range m.GetLabel() {
				name += " " + l.GetValue()
			}
			got[name] = m.GetHistogram().GetSampleSum()
		}
	}
	for name, want := range map[string]float64{
		"dossier_flush_seconds ok": 1.5, "dossier_flush_seconds retry": 0.25, "dossier_flush_seconds error": 0, "dossier_chunk_bytes": 3005,
	} {
		if sum, ok := got[name]; !ok || sum != want {
			t.Errorf("%s is %v, %v, want %v", name, sum, ok, want)
		}
	}
}
