package observe

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"dossier/panics"
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
		output := prometheus.Labels{"output": strings.ToValidUTF8(name, "\uFFFD")}
		panics.Do("metrics", s.panicked, func() {
			figures := source.Figures()
			for _, series := range source.Series() {
				made, err := series.metric(output, &figures)
				s.give(ch, series.Name, made, err)
			}
		})
		panics.Do("metrics", s.panicked, func() {
			for _, h := range source.Histograms() {
				prometheus.WrapCollectorWith(output, h).Collect(ch)
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

// metric returns the series as Prometheus takes it, with the labels added.
func (s *Series) metric(more prometheus.Labels, f *Figures) (prometheus.Metric, error) {
	names, values := make([]string, len(s.Labels)), make([]string, len(s.Labels))
	for i, l := range s.Labels {
		names[i], values[i] = l.Name, l.Value
	}
	kind := prometheus.CounterValue
	if s.Gauge {
		kind = prometheus.GaugeValue
	}
	desc := prometheus.NewDesc(prometheus.BuildFQName(namespace, "", s.Name), s.Help, names, more)
	return prometheus.NewConstMetric(desc, kind, s.Value(f), values...)
}
