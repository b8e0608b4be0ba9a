package observe

import (
	"flag"
	"testing"
	"time"

	"dossier/correlate"
	"dossier/correlate/commit"
	"dossier/correlate/dialect"
	"dossier/correlate/exclude"
	"dossier/target"
	"dossier/testbed/page"
)

//go:generate go test . -run TestMetricsDocumentation -update

var update = flag.Bool("update", false, "write docs/metrics.md anew")

func TestMetricsDocumentation(t *testing.T) {
	page.Check(t, "../../docs/metrics.md", metricsMarkdown(), *update, "go generate ./plugin/observe")
}

// TestEveryMetricHasItsOwnSource: each series shows the one count it stands
// for, and every documented one is there.
func TestEveryMetricHasItsOwnSource(t *testing.T) {
	var refused [dialect.ReasonCount]int64
	for r := range refused {
		refused[r] = int64(1000 + r)
	}
	last := time.UnixMilli(1767323045678)
	f := Figures{
		Engine: correlate.Stats{
			ChunksOK: 1, ChunksRetry: 2, ChunksError: 3, Bytes: 4, Records: 5, Events: 6, Malformed: 7, Cut: 29, Broken: 8, ClockSkew: 9, Excluded: 10, ServiceGuessed: 28, Lag: 1500 * time.Millisecond, ExcludedBy: []int64{4}, Refused: refused,
		},
		Target: target.Figures{Commit: commit.Stats{
			Skipped: 11, DocumentsRead: 12, DocumentsWritten: 13, Created: 14, Conflicts: 15, Unknown: 16, Buried: 17, Panics: 100, Unreadable: 26, Effects: 18, Markers: 19,
			AtRisk: 20, Evicted: 21, CacheBytes: 22, CacheEntries: 23,
		}, Panics: 20, LeftOut: 25, LettersDropped: 27, Ready: true},
		Panics: 4, LastChunk: last,
	}
	rules, err := exclude.Parse("port=22")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]float64{
		"chunks_total ok": 1, "chunks_total retry": 2, "chunks_total error": 3, "chunk_bytes_total": 4, "records_total": 5, "events_total": 6,
		"records_malformed_total": 7, "records_cut_total": 29, "chunks_broken_total": 8, "events_clock_skew_total": 9, "events_service_guessed_total": 28, "events_excluded_total": 10, "events_excluded_by_rule_total port=22": 4, "events_excluded_by_rule_total exclude_nets": 6,
		"chunks_skipped_total": 11, "documents_read_total": 12, "documents_written_total": 13, "documents_created_total": 14, "conflicts_total": 15,
		"unknown_outcomes_total": 16, "dead_letters_total": 17, "effects_total": 18, "markers_total": 19, "exactness_at_risk_total": 20,
		"cache_evictions_total": 21, "cache_bytes": 22, "cache_documents": 23, "panics_total": 124, "documents_unreadable_total": 26, "parts_left_out_total": 25, "dead_letters_dropped_total": 27, "ready": 1, "lag_seconds": 1.5, "last_chunk_timestamp_seconds": 1767323045.678,
	}
	for _, r := range dialect.Reasons() {
		if r.Class() == dialect.Unparsed {
			want["records_unparsed_total "+r.String()] = float64(1000 + int(r))
		}
		if r.Class() != dialect.Parsed {
			want["records_refused_total "+r.Class().String()+" "+r.String()] = float64(1000 + int(r))
		}
	}
	series := NewSeries(rules)
	for _, s := range series {
		name := s.Name
		for _, l := range s.Labels {
			name += " " + l.Value
		}
		v, ok := want[name]
		if got := s.Value(&f); !ok || got != v {
			t.Errorf("%s is %v, want %v", name, got, v)
		}
		delete(want, name)
	}
	for name := range want {
		t.Errorf("%s is missing", name)
	}
	for _, s := range series {
		if v := s.Value(&Figures{}); v != 0 {
			t.Errorf("%s begins at %v", s.Name, v)
		}
	}
}
