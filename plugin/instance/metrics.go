package instance

import "dossier/correlate/dialect"

// Metric is one series of the fixed set that goes into Fluent Bit's own
// metrics.
type Metric struct {
	// Name is the metric's name without prefix; counters end in "_total".
	Name string
	Help string
	// Gauge says that the value may fall.
	Gauge  bool
	Labels []Label
	Value  float64
}

// Label is one label of a series and its value, which is from a fixed set.
type Label struct{ Name, Value string }

// Metrics returns all series: always the same ones in the same order. What a
// target counts for all its instances is given by the one that came first, so
// that sums over instances are right.
func (i *Instance) Metrics() []Metric {
	s := i.engine.Stats()
	var out []Metric
	counter := func(name, help string, value int64, labels ...Label) {
		out = append(out, Metric{Name: name, Help: help, Labels: labels, Value: float64(value)})
	}
	const chunks = "Chunks by what Fluent Bit was told."
	counter("chunks_total", chunks, s.ChunksOK, Label{"result", "ok"})
	counter("chunks_total", chunks, s.ChunksRetry, Label{"result", "retry"})
	counter("chunks_total", chunks, s.ChunksError, Label{"result", "error"})
	counter("chunks_broken_total", "Chunks that broke off after some records.", s.Broken)
	counter("records_total", "Records in chunks that are done.", s.Records)
	counter("records_malformed_total", "Entries of chunks that are no records.", s.Malformed)
	for _, r := range dialect.Reasons() {
		if r.Class() != dialect.Parsed {
			counter("records_refused_total", "Records that gave no event, by reason.", s.Refused[r],
				Label{"verdict", r.Class().String()}, Label{"reason", r.String()})
		}
	}
	counter("events_total", "Events attributed to an address.", s.Events)
	counter("events_excluded_total", "Events of exclude_nets.", s.Excluded)
	counter("events_clock_skew_total", "Events that were given their record's time.", s.ClockSkew)
	i.mu.Lock()
	counter("panics_total", "Chunks that made the code panic; each is a defect.", i.panics)
	i.mu.Unlock()

	c := i.target.statsFor(i)
	counter("chunks_skipped_total", "Chunks found done already.", c.Skipped)
	counter("documents_read_total", "Documents read from Elasticsearch.", c.DocumentsRead)
	counter("documents_written_total", "Documents that Elasticsearch acknowledged.", c.DocumentsWritten)
	counter("conflicts_total", "Writes that met another sensor's.", c.Conflicts)
	counter("unknown_outcomes_total", "Requests whose outcome nobody knows.", c.Unknown)
	counter("dead_letters_total", "Contributions that went to the dead letters.", c.Buried)
	counter("exactness_at_risk_total", "Chunk ids that aged out without a marker.", c.AtRisk)
	gauge := func(name, help string, value int64) {
		out = append(out, Metric{Name: name, Help: help, Gauge: true, Value: float64(value)})
	}
	gauge("cache_bytes", "Memory of the document cache.", c.CacheBytes)
	gauge("cache_documents", "Documents in the cache.", c.CacheEntries)
	ready := int64(0)
	if i.target.isReady() {
		ready = 1
	}
	gauge("ready", "1 when Elasticsearch was found set up since the start.", ready)
	return out
}
