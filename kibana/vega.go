package kibana

// What Lens can't say, in Vega-Lite 5, which Kibana has: lists of objects that
// are added up one by one, and what stands in a document only.

const vegaLite = "https://vega.github.io/schema/vega-lite/v5.json"

// asked is a search that takes the dashboard's filters and times.
func (k kit) asked(v view, body object, property string) object {
	return object{
		"url":    object{"%context%": true, "%timefield%": "@timestamp", "index": k.pattern(v), "body": body},
		"format": object{"property": property},
	}
}

// plain is how all of them look.
func plain() object {
	return object{
		"view": object{"stroke": nil}, "axis": object{"domain": false, "ticks": false, "grid": false, "labelLimit": 260, "titleColor": "#69707d", "labelColor": "#343741"},
		"autosize": object{"type": "fit", "contains": "padding"},
	}
}

// ranking are bars, the longest on top.
func ranking(data object, transform []any, label, value, unit string) object {
	return object{
		"$schema": vegaLite, "data": data, "transform": transform, "autosize": object{"type": "fit", "contains": "padding"},
		"mark": object{"type": "bar", "color": "#16C5C0", "tooltip": true, "height": object{"band": 0.75}},
		"encoding": object{
			"y": object{"field": label, "type": "nominal", "sort": "-x", "title": nil},
			"x": object{"field": value, "type": "quantitative", "title": unit},
		},
		"config": plain(),
	}
}

// movement is who went from which decoy to which.
func (k kit) movement() object {
	return object{
		"$schema": vegaLite, "autosize": object{"type": "fit", "contains": "padding"},
		"data": k.asked(attackers, object{"size": 0, "aggs": object{"edge": object{"terms": object{"field": "movement.edge", "size": 500}}}}, "aggregations.edge.buckets"),
		"transform": []any{
			object{"calculate": "split(datum.key, ' → ')[0]", "as": "from"}, object{"calculate": "split(datum.key, ' → ')[1]", "as": "to"},
		},
		"mark": object{"type": "rect", "tooltip": true},
		"encoding": object{
			"x":     object{"field": "to", "type": "nominal", "title": "to", "axis": object{"labelAngle": -40}},
			"y":     object{"field": "from", "type": "nominal", "title": "from"},
			"color": object{"field": "doc_count", "type": "quantitative", "title": "attackers", "scale": object{"scheme": "tealblues"}},
		},
		"config": plain(),
	}
}

// nested adds up a list of objects: rows by key, each with the sum of a number.
func nested(path, key, value string) object {
	return object{"size": 0, "aggs": object{"list": object{
		"nested": object{"path": path},
		"aggs": object{"key": object{
			"terms": object{"field": path + "." + key, "size": 12, "order": object{"n": "desc"}},
			"aggs":  object{"n": object{"sum": object{"field": path + "." + value}}},
		}},
	}}}
}

func (k kit) tried(what string) object {
	return ranking(k.asked(activity, nested("credentials.tried", what, "attempts"), "aggregations.list.key.buckets"),
		[]any{object{"calculate": "datum.n.value", "as": "attempts"}}, "key", "attempts", "attempts")
}

func (k kit) ports() object {
	return ranking(k.asked(activity, nested("ports", "port", "count"), "aggregations.list.key.buckets"),
		[]any{object{"calculate": "toString(datum.key)", "as": "port"}, object{"calculate": "datum.n.value", "as": "connections"}}, "port", "connections", "connections")
}

// reasons is why the risk is what it is, of the most dangerous of the attackers
// who are looked at; the list is in the documents only.
func (k kit) reasons() object {
	return ranking(k.asked(attackers, object{"size": 1, "_source": []any{"ip", "network", "risk"}, "sort": []any{object{"risk.score": "desc"}}}, "hits.hits"),
		[]any{
			object{"filter": "isValid(datum._source.risk) && isValid(datum._source.risk.reasons)"},
			object{"flatten": []any{"_source.risk.reasons"}, "as": []any{"reason"}},
			object{"calculate": "datum.reason.points", "as": "points"},
			object{"calculate": "datum.reason.reason + (isValid(datum.reason.stage) ? ' (' + datum.reason.stage + ')' : '')", "as": "why"},
			object{"aggregate": []any{object{"op": "max", "field": "points", "as": "points"}}, "groupby": []any{"why"}},
		}, "why", "points", "points of the score")
}
