package observe

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// results are what Fluent Bit is told of chunks.
var results = [...]string{"retry", "ok", "error"}

// Chunks counts chunks by how long Fluent Bit waited for them and by their size. Every
// series is there from the beginning.
type Chunks struct {
	seconds *prometheus.HistogramVec
	bytes   prometheus.Histogram
}

// NewChunks returns Chunks without any.
func NewChunks() *Chunks {
	c := &Chunks{
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: namespace, Name: "flush_seconds", Help: "How long Fluent Bit waited for a chunk.",
			Buckets: []float64{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30},
		}, []string{"result"}),
		bytes: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: namespace, Name: "chunk_bytes", Help: "Sizes of chunks.",
			Buckets: []float64{1 << 10, 1 << 12, 1 << 14, 1 << 16, 1 << 18, 1 << 20, 1 << 21, 1 << 22, 1 << 24},
		}),
	}
	for _, result := range results {
		c.seconds.WithLabelValues(result)
	}
	return c
}

// Observe counts a chunk of size bytes. result is retry, ok or error.
func (c *Chunks) Observe(result string, took time.Duration, size int) {
	c.seconds.WithLabelValues(result).Observe(took.Seconds())
	c.bytes.Observe(float64(size))
}

// Describe implements prometheus.Collector.
func (c *Chunks) Describe(ch chan<- *prometheus.Desc) {
	c.seconds.Describe(ch)
	c.bytes.Describe(ch)
}

// Collect implements prometheus.Collector.
func (c *Chunks) Collect(ch chan<- prometheus.Metric) {
	c.seconds.Collect(ch)
	c.bytes.Collect(ch)
}
