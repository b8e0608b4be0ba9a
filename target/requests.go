package target

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"dossier/correlate/commit"
	"dossier/panics"
)

// kinds names the kinds of requests.
var kinds = [...]string{commit.Read: "read", commit.Write: "write", commit.Bury: "bury"}

// requests counts a target's requests by how long they took and how many documents
// they had. Every series is there from the beginning.
type requests struct {
	seconds, documents *prometheus.HistogramVec
	by                 [len(kinds)]struct{ ok, failed, documents prometheus.Observer }
}

func newRequests() *requests {
	r := &requests{
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: "dossier", Name: "request_seconds", Help: "How long requests took.",
			Buckets: []float64{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30},
		}, []string{"kind", "outcome"}),
		documents: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: "dossier", Name: "request_documents", Help: "How many documents a request has.",
			Buckets: []float64{1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000},
		}, []string{"kind"}),
	}
	for k, kind := range kinds {
		by := &r.by[k]
		by.ok, by.failed = r.seconds.WithLabelValues(kind, "ok"), r.seconds.WithLabelValues(kind, "error")
		by.documents = r.documents.WithLabelValues(kind)
	}
	return r
}

func (r *requests) observe(q *commit.Request, a commit.Answer, took time.Duration) {
	by := &r.by[q.Kind]
	if a.Err != nil {
		by.failed.Observe(took.Seconds())
	} else {
		by.ok.Observe(took.Seconds())
	}
	by.documents.Observe(float64(max(len(q.Keys), len(q.Ops), len(q.Letters))))
}

// Describe implements prometheus.Collector.
func (r *requests) Describe(ch chan<- *prometheus.Desc) {
	r.seconds.Describe(ch)
	r.documents.Describe(ch)
}

// Collect implements prometheus.Collector.
func (r *requests) Collect(ch chan<- prometheus.Metric) {
	r.seconds.Collect(ch)
	r.documents.Collect(ch)
}

// NoRequests are the histograms of a target that asked for nothing yet.
var NoRequests prometheus.Collector = newRequests()

// Requests returns the histograms of the target's requests as the member
// reports them: only the one that came first has any, so that sums are right.
func (t *Target) Requests(m *Member) prometheus.Collector {
	if t.isFirst(m) {
		return t.requests
	}
	return NoRequests
}

// observe is told of every request of the committer, whose goroutine must
// survive a panic here.
func (t *Target) observe(_ context.Context, r *commit.Request, a commit.Answer, took time.Duration) {
	defer panics.Catch("observe", t.panicked)
	if t.tracer != nil && r.Kind == commit.Write && r.Chunks > 0 {
		t.trace(r, a, took)
	}
	t.requests.observe(r, a, took)
}
