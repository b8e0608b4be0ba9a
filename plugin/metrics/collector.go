package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"dossier/plugin/instance"
)

// namespace starts the names of all metrics.
const namespace = "dossier"

// collector gives one output's series to a registry.
type collector struct {
	source Source
	output string
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, m := range c.source.Metrics() {
		ch <- c.desc(m.Name, m.Help, m.Labels)
	}
	for _, h := range c.source.Histograms() {
		ch <- c.desc(h.Name, h.Help, h.Labels)
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	for _, m := range c.source.Metrics() {
		kind := prometheus.CounterValue
		if m.Gauge {
			kind = prometheus.GaugeValue
		}
		ch <- prometheus.MustNewConstMetric(c.desc(m.Name, m.Help, m.Labels), kind, m.Value, values(m.Labels)...)
	}
	for _, h := range c.source.Histograms() {
		ch <- prometheus.MustNewConstHistogram(c.desc(h.Name, h.Help, h.Labels), h.Count, h.Sum, h.Buckets, values(h.Labels)...)
	}
}

func (c *collector) desc(name, help string, labels []instance.Label) *prometheus.Desc {
	names := make([]string, len(labels))
	for i, l := range labels {
		names[i] = l.Name
	}
	return prometheus.NewDesc(prometheus.BuildFQName(namespace, "", name), help, names, prometheus.Labels{"output": c.output})
}

func values(labels []instance.Label) []string {
	out := make([]string, len(labels))
	for i, l := range labels {
		out[i] = l.Value
	}
	return out
}
