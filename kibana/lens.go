package kibana

import "fmt"

// How a panel is drawn.
type kind string

const (
	metric  kind = "metric"
	table   kind = "table"
	bars    kind = "bars"  // standing, stacked
	lying   kind = "lying" // bars from left to right
	line    kind = "line"
	donut   kind = "donut"
	cloud   kind = "cloud"
	heat    kind = "heat"
	vega    kind = "vega"
	mapOf   kind = "map"
	found   kind = "search" // documents, newest first
	linksOf kind = "links"
	note    kind = "text"
)

// layer is the one layer of each Lens panel.
const layer = "layer"

// colors are Kibana's palette for people who see colours differently.
func colors() object {
	return object{
		"assignments": []any{}, "specialAssignments": []any{object{"rule": object{"type": "other"}, "color": object{"type": "loop"}, "touched": false}},
		"paletteId": "eui_amsterdam_color_blind", "colorMode": object{"type": "categorical"},
	}
}

type reference struct {
	Type string `json:"type"`
	ID   string `json:"id"`
	Name string `json:"name"`
}

// lens returns the attributes of a Lens panel, by value.
func (k kit) lens(p *panel) object {
	columns := object{}
	var rows, metrics, order []string
	for i := range p.metrics {
		metrics = append(metrics, fmt.Sprintf("metric%d", i))
		columns[metrics[i]] = p.metrics[i].encode("")
	}
	for i := range p.rows {
		rows = append(rows, fmt.Sprintf("row%d", i))
		columns[rows[i]] = p.rows[i].encode(metrics[0])
	}
	// What is counted within a time comes before it: else each step of time
	// would have top values of its own.
	for _, times := range []bool{false, true} {
		for i, id := range rows {
			if (p.rows[i].op == "date_histogram") == times {
				order = append(order, id)
			}
		}
	}
	order = append(order, metrics...)
	data := object{"columns": columns, "columnOrder": order, "incompleteColumns": object{}, "sampling": 1}
	if p.view == sensors || p.view == indicators {
		// These have none of the fields of attackers: a filter on one of
		// those would say that there are none.
		data["ignoreGlobalFilters"] = true
	}
	typ, visual := p.visual(rows, metrics)
	return object{
		"title": p.title, "description": p.question, "visualizationType": typ, "type": "lens",
		"references": []any{reference{"index-pattern", k.id(string(p.view)), "indexpattern-datasource-layer-" + layer}},
		"state": object{
			"visualization": visual, "query": kuery(p.where.KQL()), "filters": []any{},
			"datasourceStates":   object{"formBased": object{"layers": object{layer: data}}},
			"internalReferences": []any{}, "adHocDataViews": object{},
		},
	}
}

// visual returns Lens's name of the panel's kind, and how it looks.
func (p *panel) visual(rows, metrics []string) (string, object) {
	base := object{"layerId": layer, "layerType": "data"}
	switch p.kind {
	case metric:
		base["metricAccessor"] = metrics[0]
		if len(metrics) > 1 {
			base["secondaryMetricAccessor"] = metrics[1]
		}
		return "lnsMetric", base
	case table:
		var columns []any
		for i, id := range rows {
			c := object{"columnId": id, "isTransposed": false}
			if p.opens && i == 0 {
				c["oneClickFilter"] = true
			}
			columns = append(columns, c)
		}
		for _, id := range metrics {
			columns = append(columns, object{"columnId": id, "isTransposed": false, "isMetric": true})
		}
		base["columns"], base["paging"] = columns, object{"enabled": true, "size": 10}
		base["rowHeight"], base["headerRowHeight"] = "single", "single"
		return "lnsDatatable", base
	case bars, lying, line:
		series := map[kind]string{bars: "bar_stacked", lying: "bar_horizontal", line: "line"}[p.kind]
		base["seriesType"], base["xAccessor"], base["accessors"] = series, rows[0], metrics
		base["position"], base["showGridlines"], base["colorMapping"] = "top", false, colors()
		if len(rows) > 1 {
			base["splitAccessor"] = rows[1]
		}
		return "lnsXY", object{
			"layers": []any{base}, "preferredSeriesType": series, "legend": object{"isVisible": len(rows) > 1 || len(metrics) > 1, "position": "right"},
			"valueLabels": "hide", "fittingFunction": "Zero", "axisTitlesVisibilitySettings": object{"x": false, "yLeft": true, "yRight": true},
		}
	case donut:
		base["primaryGroups"], base["metrics"] = rows, metrics
		base["numberDisplay"], base["categoryDisplay"], base["legendDisplay"], base["nestedLegend"] = "percent", "default", "show", false
		base["emptySizeRatio"], base["colorMapping"] = 0.5, colors()
		return "lnsPie", object{"shape": "donut", "layers": []any{base}}
	case cloud:
		base["tagAccessor"], base["valueAccessor"], base["maxFontSize"], base["minFontSize"] = rows[0], metrics[0], 48, 14
		base["orientation"], base["showLabel"], base["colorMapping"] = "single", false, colors()
		return "lnsTagcloud", base
	case heat:
		base["shape"], base["xAccessor"], base["yAccessor"], base["valueAccessor"] = "heatmap", rows[0], rows[1], metrics[0]
		base["legend"] = object{"type": "heatmap_legend", "isVisible": true, "position": "right"}
		base["gridConfig"] = object{
			"type": "heatmap_grid", "isCellLabelVisible": false, "isYAxisLabelVisible": true, "isXAxisLabelVisible": true,
			"isYAxisTitleVisible": false, "isXAxisTitleVisible": false,
		}
		return "lnsHeatmap", base
	}
	panic("kibana: " + string(p.kind) + " is no kind of Lens")
}
