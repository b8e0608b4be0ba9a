package metrics

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"dossier/panics"
	"dossier/plugin/instance"
	"dossier/plugin/logging"
)

// namespace starts the names of all metrics.
const namespace = "dossier"

// Describe implements prometheus.Collector. It tells nothing: what the outputs
// have is known when they are asked.
func (s *server) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector. An output that panics is left out,
// and so is a series that can't be made: the rest is served.
func (s *server) Collect(ch chan<- prometheus.Metric) {
	for name, source := range s.outputs() {
		panics.Do("metrics", s.panicked, func() {
			for _, m := range source.Metrics() {
				kind := prometheus.CounterValue
				if m.Gauge {
					kind = prometheus.GaugeValue
				}
				made, err := prometheus.NewConstMetric(desc(name, m.Name, m.Help, m.Labels), kind, m.Value, values(m.Labels)...)
				s.give(ch, m.Name, made, err)
			}
		})
		panics.Do("metrics", s.panicked, func() {
			for _, h := range source.Histograms() {
				made, err := prometheus.NewConstHistogram(desc(name, h.Name, h.Help, h.Labels), h.Count, h.Sum, h.Buckets, values(h.Labels)...)
				s.give(ch, h.Name, made, err)
			}
		})
	}
}

func (s *server) give(ch chan<- prometheus.Metric, name string, made prometheus.Metric, err error) {
	if err != nil {
		s.log.Error("a metric can't be served and is left out", logging.ReasonKey, name, "err", err)
		return
	}
	ch <- made
}

func desc(output, name, help string, labels []instance.Label) *prometheus.Desc {
	names := make([]string, len(labels))
	for i, l := range labels {
		names[i] = l.Name
	}
	return prometheus.NewDesc(prometheus.BuildFQName(namespace, "", name), help, names, prometheus.Labels{"output": strings.ToValidUTF8(output, "\uFFFD")})
}

func values(labels []instance.Label) []string {
	out := make([]string, len(labels))
	for i, l := range labels {
		out[i] = l.Value
	}
	return out
}
