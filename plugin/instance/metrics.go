package instance

import (
	"context"
	"time"

	"dossier/correlate"
	"dossier/correlate/commit"
	"dossier/correlate/dialect"
	"dossier/panics"
)

// Metric is one series of the fixed set of counters and gauges.
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

// counts is what the metrics are made from.
type counts struct {
	engine correlate.Stats
	commit commit.Stats
	// rules are those of exclude.
	rules  []string
	panics int64
	// leftOut counts the parts of documents that failed.
	leftOut int64
	// dropped counts the letters with unparsed records that were given up.
	dropped int64
	ready   bool
	// last is the time of the last chunk that was done.
	last time.Time
}

// Metrics returns all series: always the same ones in the same order. What a
// target counts for all its instances is given by the one that came first, so
// that sums over instances are right.
func (i *Instance) Metrics() []Metric {
	c := counts{panics: i.panics.Load() + i.host.Targets.panicsFor(i), last: i.lastDone()}
	for r := range i.o.Exclude {
		c.rules = append(c.rules, i.o.Exclude[r].String())
	}
	c.engine, c.commit, c.ready = i.engine.Stats(), i.target.statsFor(i), i.target.isReady()
	if i.target.isFirst(i) {
		c.leftOut = i.target.leftOut.Load()
		c.dropped = i.target.letters.Dropped().Letters
	}
	return c.metrics()
}

func (c *counts) metrics() []Metric {
	var out []Metric
	counter := func(name, help string, value int64, labels ...Label) {
		out = append(out, Metric{Name: name, Help: help, Labels: labels, Value: float64(value)})
	}
	gauge := func(name, help string, value float64) {
		out = append(out, Metric{Name: name, Help: help, Gauge: true, Value: value})
	}
	s, m := &c.engine, &c.commit
	const chunks = "Chunks by what Fluent Bit was told; a chunk that comes again counts again."
	counter("chunks_total", chunks, s.ChunksOK, Label{"result", "ok"})
	counter("chunks_total", chunks, s.ChunksRetry, Label{"result", "retry"})
	counter("chunks_total", chunks, s.ChunksError, Label{"result", "error"})
	counter("chunks_broken_total", "Chunks that broke off after some records; the rest is dead-lettered.", s.Broken)
	counter("chunks_skipped_total", "Chunks found done already: redeliveries.", m.Skipped)
	counter("chunk_bytes_total", "Bytes of the chunks that are done.", s.Bytes)
	counter("records_total", "Records of the chunks that are done.", s.Records)
	counter("records_malformed_total", "Entries of chunks that are no records.", s.Malformed)
	for _, r := range dialect.Reasons() {
		if r.Class() == dialect.Unparsed {
			counter("records_unparsed_total", "Records in no form that any dialect knows, by reason.", s.Refused[r], Label{"reason", r.String()})
		}
	}
	for _, r := range dialect.Reasons() {
		if r.Class() != dialect.Parsed {
			counter("records_refused_total", "Records that gave no event, by verdict and reason.", s.Refused[r],
				Label{"verdict", r.Class().String()}, Label{"reason", r.String()})
		}
	}
	counter("events_total", "Events attributed to an address.", s.Events)
	counter("events_excluded_total", "Events of exclude_nets and exclude.", s.Excluded)
	const byRule = "Events left out, by the rule of exclude that they met; exclude_nets is one."
	nets := s.Excluded
	for i, rule := range c.rules {
		n := int64(0)
		if i < len(s.ExcludedBy) {
			n = s.ExcludedBy[i]
		}
		nets -= n
		counter("events_excluded_by_rule_total", byRule, n, Label{"rule", rule})
	}
	counter("events_excluded_by_rule_total", byRule, nets, Label{"rule", "exclude_nets"})
	counter("events_clock_skew_total", "Events that were given their record's time.", s.ClockSkew)
	counter("events_service_guessed_total", "Events whose service no record of their chunk tells: of Cowrie 2, counted as ssh.", s.ServiceGuessed)
	counter("panics_total", "Panics, each of which cost a try of what was being done (a chunk, a document, a heartbeat, setting up); each is a defect of Dossier.", c.panics+m.Panics)
	counter("parts_left_out_total", "Parts of documents (behavior, campaigns, enrichment) that failed and were left out; each is a defect of Dossier.", c.leftOut)
	counter("documents_read_total", "Documents read from Elasticsearch.", m.DocumentsRead)
	counter("documents_written_total", "Documents that Elasticsearch acknowledged.", m.DocumentsWritten)
	counter("documents_created_total", "Documents that were new.", m.Created)
	counter("conflicts_total", "Writes that met another sensor's and were made again.", m.Conflicts)
	counter("unknown_outcomes_total", "Documents of requests whose outcome nobody knew; they were read again.", m.Unknown)
	counter("dead_letters_total", "Contributions to documents that went to the dead letters.", m.Buried)
	counter("documents_unreadable_total", "Times that a document was met whose stored state is corrupt or missing; what belongs to it goes to the dead letters.", m.Unreadable)
	counter("dead_letters_dropped_total", "Dead letters with records that no dialect knows (unparsed_dead_letters) that were given up because the dead letters are full.", c.dropped)
	counter("effects_total", "Documents that are created once: transitions.", m.Effects)
	counter("markers_total", "Markers of done chunks in the ledger.", m.Markers)
	counter("exactness_at_risk_total", "Chunk ids that aged out without a marker: a redelivery of those would count twice.", m.AtRisk)
	counter("cache_evictions_total", "Documents that left the cache for others.", m.Evicted)
	gauge("cache_bytes", "Memory of the document cache.", float64(m.CacheBytes))
	gauge("cache_documents", "Documents in the cache.", float64(m.CacheEntries))
	ready := 0.0
	if c.ready {
		ready = 1
	}
	gauge("ready", "1 once Elasticsearch was found set up.", ready)
	last := 0.0
	if !c.last.IsZero() {
		last = float64(c.last.UnixMilli()) / 1000
	}
	gauge("last_chunk_timestamp_seconds", "When the last chunk was done; 0 before the first.", last)
	return out
}

func (i *Instance) makeHistograms() {
	for c := range i.flushes {
		i.flushes[c] = newHistogram(secondBounds)
	}
	i.sizes = newHistogram(byteBounds)
}

// Histograms returns the histograms of the instance: always the same ones in
// the same order. As with Metrics, only the instance that came first has the
// target's.
func (i *Instance) Histograms() []Histogram {
	var out []Histogram
	for code, h := range i.flushes {
		out = append(out, h.read("flush_seconds", "How long Fluent Bit waited for a chunk.", Label{"result", Code(code).String()}))
	}
	out = append(out, i.sizes.read("chunk_bytes", "Sizes of chunks."))
	requests := i.target.requests
	if !i.target.isFirst(i) {
		requests = newRequestHistograms()
	}
	for kind, r := range requests {
		label := Label{"kind", requestKinds[kind]}
		out = append(out,
			r.ok.read("request_seconds", "How long requests took.", label, Label{"outcome", "ok"}),
			r.failed.read("request_seconds", "How long requests took.", label, Label{"outcome", "error"}),
			r.documents.read("request_documents", "How many documents a request has.", label))
	}
	return out
}

// requestKinds names the kinds of requests.
var requestKinds = [...]string{commit.Read: "read", commit.Write: "write", commit.Bury: "bury"}

// requestHistograms are those of one kind of request.
type requestHistograms struct {
	ok, failed, documents *histogram
}

type allRequests [len(requestKinds)]requestHistograms

func newRequestHistograms() *allRequests {
	var a allRequests
	for k := range a {
		a[k] = requestHistograms{newHistogram(secondBounds), newHistogram(secondBounds), newHistogram(documentBounds)}
	}
	return &a
}

// observe is told of every request of the committer, whose goroutine must
// survive a panic here.
func (t *target) observe(_ context.Context, r *commit.Request, a commit.Answer, took time.Duration) {
	defer panics.Catch("observe", t.panicked)
	if t.tracer != nil && r.Kind == commit.Write && r.Chunks > 0 {
		t.trace(r, a, took)
	}
	h := &t.requests[r.Kind]
	if a.Err != nil {
		h.failed.observe(took.Seconds())
	} else {
		h.ok.observe(took.Seconds())
	}
	h.documents.observe(float64(max(len(r.Keys), len(r.Ops), len(r.Letters))))
}

// Health says why the instance gets nothing done, nil where it does.
func (i *Instance) Health() error {
	if !i.target.isReady() {
		if err := i.target.lastTry(); err != nil {
			return err
		}
		return errSettingUp
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.failing
}
