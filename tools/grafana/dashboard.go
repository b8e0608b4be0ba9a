// Package grafana makes conf/grafana-dashboard.json: the sensors' metrics as
// Prometheus has them, for Grafana 10 and newer.
package grafana

import (
	"encoding/json"

	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

// panel is one panel: what it asks Prometheus, with a legend for each.
type panel struct {
	title, about, unit string
	single             bool // one figure, not a line
	w, h               uint32
	queries            [][2]string
}

// rows are the panels below each heading.
var rows = []struct {
	title  string
	panels []panel
}{
	{"Is everything arriving?", []panel{
		{"Outputs ready", "Outputs whose Elasticsearch was found set up, of all.", "short", true, 4, 4, [][2]string{{`sum(dossier_ready{job=~"$job"})`, "ready"}, {`count(dossier_ready{job=~"$job"})`, "of"}}},
		{"Oldest last chunk", "How long ago the output that is furthest behind had a chunk done.", "s", true, 4, 4, [][2]string{{`max(time() - (dossier_last_chunk_timestamp_seconds{job=~"$job"} > 0))`, "ago"}}},
		{"Dead letters", "What could not be written within the time chosen: fix the cause, then dossier replay.", "short", true, 4, 4, [][2]string{{`sum(increase(dossier_dead_letters_total{job=~"$job"}[$__range]))`, ""}}},
		{"Exactness at risk", "Chunk ids that aged out without a marker: a redelivery of those would count twice.", "short", true, 4, 4, [][2]string{{`sum(increase(dossier_exactness_at_risk_total{job=~"$job"}[$__range]))`, ""}}},
		{"Panics", "Each is a defect of Dossier.", "short", true, 4, 4, [][2]string{{`sum(increase(dossier_panics_total{job=~"$job"}[$__range]))`, ""}}},
		{"Refused", "Part of the records that gave no event.", "percentunit", true, 4, 4, [][2]string{{`sum(increase(dossier_records_refused_total{job=~"$job"}[$__range])) / sum(increase(dossier_records_total{job=~"$job"}[$__range]))`, ""}}},
		{"Records", "Records of the chunks that are done, by sensor.", "cps", false, 12, 8, [][2]string{{`sum by (instance) (rate(dossier_records_total{job=~"$job"}[$__rate_interval]))`, "{{instance}}"}}},
		{"Chunks by what Fluent Bit was told", "retry: Elasticsearch is overloaded or away; error: dead-lettered.", "cps", false, 12, 8, [][2]string{{`sum by (result) (rate(dossier_chunks_total{job=~"$job"}[$__rate_interval]))`, "{{result}}"}}},
	}},
	{"Is anybody behind?", []panel{
		{"Lag", "How old the first record of the chunk was that was done last: minutes of it mean that a backlog is worked off, or that old logs are read.", "s", false, 24, 8, [][2]string{{`max by (instance) (dossier_lag_seconds{job=~"$job"})`, "{{instance}}"}}},
	}},
	{"What gives no event", []panel{
		{"Refused, by reason", "Records dropped on purpose, that name no address, or that no dialect knows.", "cps", false, 12, 8, [][2]string{{`sum by (verdict, reason) (rate(dossier_records_refused_total{job=~"$job"}[$__rate_interval]))`, "{{verdict}}: {{reason}}"}}},
		{"Clocks", "Events that were given their record's time, for their own is missing or ahead.", "cps", false, 12, 8, [][2]string{{`sum by (instance) (rate(dossier_events_clock_skew_total{job=~"$job"}[$__rate_interval]))`, "{{instance}}"}}},
	}},
	{"How fast", []panel{
		{"How long Fluent Bit waits for a chunk", "commit_timeout is 20 s as shipped.", "s", false, 12, 8, [][2]string{
			{`histogram_quantile(0.5, sum by (le) (rate(dossier_flush_seconds_bucket{job=~"$job",result="ok"}[$__rate_interval])))`, "half of them"},
			{`histogram_quantile(0.95, sum by (le) (rate(dossier_flush_seconds_bucket{job=~"$job",result="ok"}[$__rate_interval])))`, "19 of 20"},
		}},
		{"How long requests take", "To Elasticsearch, 19 of 20.", "s", false, 12, 8, [][2]string{{`histogram_quantile(0.95, sum by (le, kind) (rate(dossier_request_seconds_bucket{job=~"$job",outcome="ok"}[$__rate_interval])))`, "{{kind}}"}}},
		{"Documents", "Read and written; what is created is new.", "cps", false, 8, 8, [][2]string{
			{`sum(rate(dossier_documents_read_total{job=~"$job"}[$__rate_interval]))`, "read"},
			{`sum(rate(dossier_documents_written_total{job=~"$job"}[$__rate_interval]))`, "written"},
			{`sum(rate(dossier_documents_created_total{job=~"$job"}[$__rate_interval]))`, "created"},
		}},
		{"Conflicts", "Writes that met another sensor's and were made again.", "cps", false, 8, 8, [][2]string{{`sum by (instance) (rate(dossier_conflicts_total{job=~"$job"}[$__rate_interval]))`, "{{instance}}"}}},
		{"Cache", "Raise cache_size where documents are evicted all the time.", "bytes", false, 8, 8, [][2]string{{`sum by (instance) (dossier_cache_bytes{job=~"$job"})`, "{{instance}}"}}},
	}},
}

// Dashboard returns the dashboard as Grafana imports it.
func Dashboard() ([]byte, error) {
	b := dashboard.NewDashboardBuilder("Dossier sensors").Uid("dossier-sensors").Tags([]string{"dossier"}).
		Description("Metrics of the Fluent Bit output dossier (option metrics_listen), as Prometheus scrapes them.").
		Time("now-6h", "now").Refresh("1m").Tooltip(dashboard.DashboardCursorSyncCrosshair).Readonly().
		WithVariable(dashboard.NewDatasourceVariableBuilder("source").Label("Prometheus").Type("prometheus")).
		WithVariable(dashboard.NewQueryVariableBuilder("job").Label("Job").Datasource(source()).
			Query(dashboard.StringOrMap{String: new("label_values(dossier_ready, job)")}).Refresh(dashboard.VariableRefreshOnDashboardLoad).
			Multi(true).IncludeAll(true).AllValue(".*"))
	for _, r := range rows {
		b.WithRow(dashboard.NewRowBuilder(r.title))
		for _, p := range r.panels {
			if p.single {
				s := stat.NewPanelBuilder().Title(p.title).Description(p.about).Unit(p.unit).Datasource(source()).Span(p.w).Height(p.h).
					ReduceOptions(common.NewReduceDataOptionsBuilder().Calcs([]string{"lastNotNull"}))
				for i, q := range p.queries {
					s.WithTarget(query(i, q))
				}
				b.WithPanel(s)
				continue
			}
			t := timeseries.NewPanelBuilder().Title(p.title).Description(p.about).Unit(p.unit).Datasource(source()).Span(p.w).Height(p.h).Min(0).FillOpacity(10)
			for i, q := range p.queries {
				t.WithTarget(query(i, q))
			}
			b.WithPanel(t)
		}
	}
	d, err := b.Build()
	if err != nil {
		return nil, err
	}
	text, err := json.MarshalIndent(d, "", "  ")
	return append(text, '\n'), err
}

func source() common.DataSourceRef {
	return common.DataSourceRef{Type: new("prometheus"), Uid: new("${source}")}
}

func query(i int, q [2]string) *prometheus.DataqueryBuilder {
	return prometheus.NewDataqueryBuilder().Expr(q[0]).LegendFormat(q[1]).RefId(string(rune('A' + i))).Datasource(source())
}
