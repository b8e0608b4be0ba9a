package observe

import (
	"time"

	"dossier/correlate"
	"dossier/correlate/dialect"
	"dossier/correlate/exclude"
	"dossier/target"
)

// Figures are what the series of an output show, at one moment.
type Figures struct {
	Engine correlate.Stats
	Target target.Figures
	// Panics are those that chunks of the output met.
	Panics int64
	// LastChunk is the time of the last chunk that was done, zero before it.
	LastChunk time.Time
}

// excludedBy returns how many events met the rule of exclude.
func (f *Figures) excludedBy(rule int) int64 {
	if rule < len(f.Engine.ExcludedBy) {
		return f.Engine.ExcludedBy[rule]
	}
	return 0
}

// excludedByNets returns how many events met exclude_nets beside so many rules.
func (f *Figures) excludedByNets(rules int) int64 {
	n := f.Engine.Excluded
	for i := range rules {
		n -= f.excludedBy(i)
	}
	return n
}

// Series is one of the fixed set of counters and gauges. Prometheus and Fluent
// Bit's own metrics are served from the same ones.
type Series struct {
	// Name is the metric's name without prefix; counters end in "_total".
	Name string
	Help string
	// Gauge says that the value may fall.
	Gauge  bool
	Labels []Label
	// Value reads the series' value off the figures.
	Value func(*Figures) float64
}

// Label is one label of a series and its value, which is from a fixed set.
type Label struct{ Name, Value string }

// NewSeries returns the series of an output with these rules of exclude: always
// the same ones in the same order.
func NewSeries(rules []exclude.Rule) []Series {
	var out []Series
	counter := func(name, help string, value func(*Figures) int64, labels ...Label) {
		out = append(out, Series{Name: name, Help: help, Labels: labels, Value: func(f *Figures) float64 { return float64(value(f)) }})
	}
	gauge := func(name, help string, value func(*Figures) float64) {
		out = append(out, Series{Name: name, Help: help, Gauge: true, Value: value})
	}
	const chunks = "Chunks by what Fluent Bit was told; a chunk that comes again counts again."
	counter("chunks_total", chunks, func(f *Figures) int64 { return f.Engine.ChunksOK }, Label{"result", "ok"})
	counter("chunks_total", chunks, func(f *Figures) int64 { return f.Engine.ChunksRetry }, Label{"result", "retry"})
	counter("chunks_total", chunks, func(f *Figures) int64 { return f.Engine.ChunksError }, Label{"result", "error"})
	counter("chunks_broken_total", "Chunks that broke off after some records; the rest is dead-lettered.", func(f *Figures) int64 { return f.Engine.Broken })
	counter("chunks_skipped_total", "Chunks found done already: redeliveries.", func(f *Figures) int64 { return f.Target.Commit.Skipped })
	counter("chunk_bytes_total", "Bytes of the chunks that are done.", func(f *Figures) int64 { return f.Engine.Bytes })
	counter("records_total", "Records of the chunks that are done.", func(f *Figures) int64 { return f.Engine.Records })
	counter("records_malformed_total", "Entries of chunks that are no records.", func(f *Figures) int64 { return f.Engine.Malformed })
	counter("records_cut_total", "Records of which fields were left out: beyond 512, 8 levels (24 of OpenTelemetry's lists), or with longer names.", func(f *Figures) int64 { return f.Engine.Cut })
	for _, r := range dialect.Reasons() {
		if r.Class() == dialect.Unparsed {
			counter("records_unparsed_total", "Records in no form that any dialect knows, by reason.", func(f *Figures) int64 { return f.Engine.Refused[r] }, Label{"reason", r.String()})
		}
	}
	for _, r := range dialect.Reasons() {
		if r.Class() != dialect.Parsed {
			counter("records_refused_total", "Records that gave no event, by verdict and reason.", func(f *Figures) int64 { return f.Engine.Refused[r] },
				Label{"verdict", r.Class().String()}, Label{"reason", r.String()})
		}
	}
	counter("events_total", "Events attributed to an address.", func(f *Figures) int64 { return f.Engine.Events })
	counter("events_excluded_total", "Events of exclude_nets and exclude.", func(f *Figures) int64 { return f.Engine.Excluded })
	const byRule = "Events left out, by the rule of exclude that they met; exclude_nets is one."
	for i := range rules {
		counter("events_excluded_by_rule_total", byRule, func(f *Figures) int64 { return f.excludedBy(i) }, Label{"rule", rules[i].String()})
	}
	counter("events_excluded_by_rule_total", byRule, func(f *Figures) int64 { return f.excludedByNets(len(rules)) }, Label{"rule", "exclude_nets"})
	counter("events_clock_skew_total", "Events that were given their record's time.", func(f *Figures) int64 { return f.Engine.ClockSkew })
	counter("events_service_guessed_total", "Events whose service no record of their chunk tells, of Cowrie 2: ssh, unless another chunk tells it.", func(f *Figures) int64 { return f.Engine.ServiceGuessed })
	counter("panics_total", "Panics, each of which cost a try of what was being done (a chunk, a document, a heartbeat, setting up); each is a defect of Dossier.", func(f *Figures) int64 { return f.Panics + f.Target.Panics + f.Target.Commit.Panics })
	counter("parts_left_out_total", "Parts of documents (behavior, campaigns, enrichment) that failed and were left out; each is a defect of Dossier.", func(f *Figures) int64 { return f.Target.LeftOut })
	counter("documents_read_total", "Documents read from Elasticsearch.", func(f *Figures) int64 { return f.Target.Commit.DocumentsRead })
	counter("documents_written_total", "Documents that Elasticsearch acknowledged.", func(f *Figures) int64 { return f.Target.Commit.DocumentsWritten })
	counter("documents_created_total", "Documents that were new.", func(f *Figures) int64 { return f.Target.Commit.Created })
	counter("conflicts_total", "Writes that met another sensor's and were made again.", func(f *Figures) int64 { return f.Target.Commit.Conflicts })
	counter("unknown_outcomes_total", "Documents of requests whose outcome nobody knew; they were read again.", func(f *Figures) int64 { return f.Target.Commit.Unknown })
	counter("dead_letters_total", "Contributions to documents that went to the dead letters.", func(f *Figures) int64 { return f.Target.Commit.Buried })
	counter("documents_unreadable_total", "Times that a document was met whose stored state is corrupt or missing; what belongs to it goes to the dead letters.", func(f *Figures) int64 { return f.Target.Commit.Unreadable })
	counter("dead_letters_dropped_total", "Dead letters with records that no dialect knows (unparsed_dead_letters) that were given up because the dead letters are full.", func(f *Figures) int64 { return f.Target.LettersDropped })
	counter("effects_total", "Documents that are created once: transitions.", func(f *Figures) int64 { return f.Target.Commit.Effects })
	counter("markers_total", "Markers of done chunks in the ledger.", func(f *Figures) int64 { return f.Target.Commit.Markers })
	counter("exactness_at_risk_total", "Chunk ids that aged out without a marker: a redelivery of those would count twice.", func(f *Figures) int64 { return f.Target.Commit.AtRisk })
	counter("cache_evictions_total", "Documents that left the cache for others.", func(f *Figures) int64 { return f.Target.Commit.Evicted })
	gauge("cache_bytes", "Memory of the document cache.", func(f *Figures) float64 { return float64(f.Target.Commit.CacheBytes) })
	gauge("cache_documents", "Documents in the cache.", func(f *Figures) float64 { return float64(f.Target.Commit.CacheEntries) })
	gauge("ready", "1 once Elasticsearch was found set up.", func(f *Figures) float64 {
		if f.Target.Ready {
			return 1
		}
		return 0
	})
	gauge("lag_seconds", "How old the first record of the chunk was that was done last, by the time that Fluent Bit gives it; 0 before the first.", func(f *Figures) float64 { return f.Engine.Lag.Seconds() })
	gauge("last_chunk_timestamp_seconds", "When the last chunk was done; 0 before the first.", func(f *Figures) float64 {
		if f.LastChunk.IsZero() {
			return 0
		}
		return float64(f.LastChunk.UnixMilli()) / 1000
	})
	return out
}
