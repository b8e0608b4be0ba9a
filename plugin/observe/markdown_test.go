package observe

import (
	"fmt"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"dossier/target"
)

// metricsMarkdown returns docs/metrics.md.
func metricsMarkdown() string {
	var b strings.Builder
	b.WriteString(`# Metrics

Counters and gauges stand in Fluent Bit's own ` + "`/api/v2/metrics`" + ` and ` + "`/api/v2/metrics/prometheus`" + ` (with
` + "`http_server on`" + `) as ` + "`fluentbit_dossier_…`" + ` with the label ` + "`name`" + `, the output's name or alias, brought up to date
after each chunk. Where Fluent Bit was built without metrics they are missing there.

With ` + "`metrics_listen`" + ` an endpoint of Dossier's own serves them as ` + "`dossier_…`" + ` with the label ` + "`output`" + `, at any
time, with the histograms, the figures of the Go runtime and the process, and ` + "`dossier_build_info{version}`" + `:
` + "`/metrics`" + ` for Prometheus, ` + "`/healthz`" + ` (200 while the process answers), ` + "`/readyz`" + ` (200 while every output gets its
chunks done, 503 with one line for each that doesn't).

What several outputs to the same indices have in common (documents, conflicts, cache, requests) is counted at the first
of them, so that sums are right. Rules to alert on are in ` + "`conf/alerts.yaml`" + `, a
dashboard for Grafana in ` + "`conf/grafana-dashboard.json`" + `.

<!-- Made from the code in plugin/observe by go generate; don't edit. -->

| metric | type | labels | what it counts |
|---|---|---|---|
`)
	seen := make(map[string]bool)
	row := func(name, kind, help string, labels map[string][]string, order []string) {
		if seen[name] {
			return
		}
		seen[name] = true
		var parts []string
		for _, l := range order {
			parts = append(parts, fmt.Sprintf("`%s` (%s)", l, strings.Join(labels[l], ", ")))
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", name, kind, strings.Join(parts, "; "), help)
	}
	metrics := NewSeries(nil)
	for _, m := range metrics {
		kind := "counter"
		if m.Gauge {
			kind = "gauge"
		}
		all := make(map[string][]string)
		var order []string
		for _, other := range metrics {
			if other.Name == m.Name {
				order = gather(all, order, other.Labels)
			}
		}
		row(m.Name, kind, m.Help, all, order)
	}
	for _, h := range histograms() {
		all := make(map[string][]string)
		var order []string
		for _, m := range h.GetMetric() {
			var labels []Label
			for _, l := range m.GetLabel() {
				labels = append(labels, Label{l.GetName(), l.GetValue()})
			}
			order = gather(all, order, labels)
		}
		row(strings.TrimPrefix(h.GetName(), namespace+"_"), "histogram", h.GetHelp(), all, order)
	}
	return b.String()
}

// histograms returns those of an output that has done nothing yet.
func histograms() []*dto.MetricFamily {
	r := prometheus.NewPedanticRegistry()
	r.MustRegister(NewChunks(), target.NoRequests)
	families, err := r.Gather()
	if err != nil {
		panic(err) // they are the same at each build
	}
	return families
}

// gather adds the labels' values to those seen, and new names to the order.
func gather(all map[string][]string, order []string, labels []Label) []string {
	for _, l := range labels {
		values, known := all[l.Name]
		if !known {
			order = append(order, l.Name)
		}
		if !slices.Contains(values, l.Value) {
			all[l.Name] = append(values, l.Value)
		}
	}
	return order
}
