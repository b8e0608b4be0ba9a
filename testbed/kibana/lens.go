package kibana

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// kinds are Kibana's data types by Elasticsearch's.
var kinds = map[string]string{
	"keyword": "string", "ip": "ip", "date": "date", "boolean": "boolean", "long": "number", "integer": "number", "float": "number", "double": "number",
}

// lens checks a Lens panel, and runs its search.
func (w *proof) lens(raw any, panel *Panel, refs *references, index string, source any) {
	attributes := get(raw, "embeddableConfig", "attributes")
	w.says("lens", attributes)
	panel.Visual = str(get(attributes, "visualizationType"))
	layers, _ := get(attributes, "state", "datasourceStates", "formBased", "layers").(object)
	if len(layers) != 1 {
		w.bad("%d layers, want one", len(layers))
		return
	}
	name := slices.Collect(maps.Keys(layers))[0]
	layer, _ := layers[name].(object)
	var view object
	for _, r := range list(get(attributes, "references")) {
		if want := "indexpattern-datasource-layer-" + name; str(get(r, "name")) != want {
			w.bad("its reference is called %v, want %s", get(r, "name"), want)
		}
		view = refs.use(index+":"+str(get(r, "name")), "index-pattern")
		if view != nil && view["id"] != get(r, "id") {
			w.bad("its reference is to %v, the dashboard's to %v", get(r, "id"), view["id"])
		}
	}
	if view == nil {
		return
	}
	p := pattern(view)
	panel.view = p
	w.says("layer", layer)
	columns, _ := layer["columns"].(object)
	for _, id := range slices.Sorted(maps.Keys(columns)) {
		w.says(str(get(columns, id, "operationType")), columns[id])
	}
	var buckets, metrics []string
	seen := map[string]bool{}
	for _, o := range list(layer["columnOrder"]) {
		id := str(o)
		switch c := columns[id]; {
		case c == nil || seen[id]:
			w.bad("the order names %s, which isn't there, or twice", id)
			return
		case get(c, "isBucketed") == true && len(metrics) > 0:
			w.bad("the bucket %s stands behind a metric", id)
			return
		case get(c, "isBucketed") == true:
			buckets = append(buckets, id)
		default:
			metrics = append(metrics, id)
		}
		seen[id] = true
	}
	if len(seen) != len(columns) || len(metrics) == 0 {
		w.bad("the order has %d of %d columns, %d of them metrics", len(seen), len(columns), len(metrics))
		return
	}
	state := get(attributes, "state", "visualization")
	w.visual(panel.Visual, state, name, columns)
	aggregations := w.tree(p, columns, buckets, metrics)
	var kql []string
	for _, q := range []any{get(source, "query", "query"), get(attributes, "state", "query", "query")} {
		kql = append(kql, str(q))
	}
	query := w.query(p, str(get(view, "attributes", "timeFieldName")), kql...)
	for _, id := range append(slices.Clone(buckets), metrics...) {
		panel.Columns = append(panel.Columns, str(get(columns, id, "label")))
		panel.Types = append(panel.Types, str(get(columns, id, "dataType")))
		format, _ := get(columns, id, "params", "format").(object)
		panel.Formats = append(panel.Formats, format)
	}
	panel.Buckets, panel.State = len(buckets), state
	if w.o.Structure {
		return
	}
	answer := w.do("POST", "/"+p+"/_search?ignore_unavailable=true&allow_no_indices=true", object{"size": 0, "query": query, "aggs": aggregations})
	found, _ := answer["aggregations"].(object)
	rows(found, buckets, metrics, nil, &panel.Rows)
	// What stands on the axis comes first, as in the picture.
	x := get(state, "xAccessor")
	for _, l := range list(get(state, "layers")) {
		x = get(l, "xAccessor")
	}
	if len(buckets) == 2 && buckets[1] == x {
		for _, r := range panel.Rows {
			r[0], r[1] = r[1], r[0]
		}
		panel.Columns[0], panel.Columns[1] = panel.Columns[1], panel.Columns[0]
		panel.Types[0], panel.Types[1] = panel.Types[1], panel.Types[0]
	}
}

// visual checks that every column that the visualization names is there.
func (w *proof) visual(kind string, state any, layer string, columns object) {
	w.says(kind, state)
	parts := []any{state}
	if l := list(get(state, "layers")); l != nil {
		parts = l
	}
	used := map[string]bool{}
	use := func(v any) {
		if id, ok := v.(string); ok {
			if used[id] = true; columns[id] == nil {
				w.bad("it shows the column %s, which isn't there", id)
			}
		}
	}
	for _, part := range parts {
		if get(part, "layerId") != layer || get(part, "layerType") != "data" {
			w.bad("its layer is %v, not %s", get(part, "layerId"), layer)
		}
		for _, one := range []string{"metricAccessor", "secondaryMetricAccessor", "breakdownByAccessor", "maxAccessor", "xAccessor", "yAccessor", "valueAccessor", "tagAccessor", "splitAccessor"} {
			use(get(part, one))
		}
		for _, several := range []string{"accessors", "primaryGroups", "metrics"} {
			for _, v := range list(get(part, several)) {
				use(v)
			}
		}
		for _, c := range list(get(part, "columns")) {
			use(get(c, "columnId"))
		}
	}
	for _, id := range slices.Sorted(maps.Keys(columns)) {
		if !used[id] {
			w.bad("nothing shows the column %s", id)
		}
	}
}

// field checks a column's field and returns it.
func (w *proof) field(pattern string, c object) string {
	f := str(c["sourceField"])
	if f == "___records___" {
		if c["operationType"] != "count" {
			w.bad("%v of documents", c["operationType"])
		}
		return f
	}
	typ := w.has(pattern, f)
	switch {
	case typ == "":
		w.bad("%s has no field %s", pattern, f)
		return f
	case !w.aggregates(pattern, f):
		w.bad("%s, a %s, can't be counted by", f, typ)
	}
	op, kind := str(c["operationType"]), kinds[typ]
	switch op {
	case "terms", "last_value", "date_histogram":
		if c["dataType"] != kind {
			w.bad("%s is a %s, the column says %v", f, kind, c["dataType"])
		}
	case "sum":
		if kind != "number" {
			w.bad("the sum of %s, a %s", f, typ)
		}
	case "max", "min":
		if kind != "number" && kind != "date" || c["dataType"] != kind {
			w.bad("the %s of %s, a %s, as a %v", op, f, typ, c["dataType"])
		}
	}
	return f
}

// metric is the aggregation of a column.
func (w *proof) metric(pattern string, c object) object {
	f := w.field(pattern, c)
	var filter object
	if q := str(get(c, "filter", "query")); q != "" {
		filter = w.asked(pattern, q)
	}
	var a object
	switch op := str(c["operationType"]); op {
	case "count":
		if filter == nil {
			filter = object{"match_all": object{}}
		}
		return object{"filter": filter}
	case "sum", "max", "min":
		a = object{op: object{"field": f}}
	case "unique_count":
		a = object{"cardinality": object{"field": f}}
	case "last_value":
		by := str(get(c, "params", "sortField"))
		if w.has(pattern, by) != "date" {
			w.bad("the last %s by %s, which is no date", f, by)
		}
		a = object{"top_hits": object{"size": 1, "sort": []any{object{by: "desc"}}, "_source": false, "fields": []any{f}}}
	default:
		w.bad("Lens has no operation %q", op)
		return object{"filter": object{"match_all": object{}}}
	}
	if filter != nil {
		return object{"filter": filter, "aggs": object{"in": a}}
	}
	return a
}

// steps are the intervals that Kibana chooses from for a time.
var steps = []time.Duration{time.Minute, 5 * time.Minute, 10 * time.Minute, 30 * time.Minute, time.Hour, 3 * time.Hour, 12 * time.Hour, 24 * time.Hour, 7 * 24 * time.Hour}

// maxSteps is about how many of them it shows.
const maxSteps = 75

func (w *proof) step() time.Duration {
	for _, s := range steps {
		if w.to.Sub(w.from)/s <= maxSteps {
			return s
		}
	}
	return steps[len(steps)-1]
}

// tree is the aggregation of a layer: buckets in each other, and in each the
// metrics, by which they are ordered.
func (w *proof) tree(pattern string, columns object, buckets, metrics []string) object {
	inner := object{}
	for _, id := range metrics {
		c, _ := columns[id].(object)
		inner[id] = w.metric(pattern, c)
	}
	all := inner
	for _, id := range slices.Backward(buckets) {
		c, _ := columns[id].(object)
		f := w.field(pattern, c)
		var bucket object
		switch op := str(c["operationType"]); op {
		case "date_histogram":
			bucket = object{"date_histogram": object{"field": f, "fixed_interval": fmt.Sprintf("%ds", int(w.step().Seconds())), "min_doc_count": 1}}
		case "terms":
			terms := object{"field": f, "size": get(c, "params", "size"), "shard_size": 1000}
			if order := w.order(c, columns); order != nil {
				terms["order"] = order
			}
			bucket = object{"terms": terms}
		default:
			w.bad("a bucket by %q", op)
			return object{}
		}
		sub := maps.Clone(inner)
		maps.Copy(sub, all)
		bucket["aggs"] = sub
		all = object{id: bucket}
	}
	return all
}

func (w *proof) order(c, columns object) object {
	direction := str(get(c, "params", "orderDirection"))
	if direction != "asc" && direction != "desc" {
		w.bad("ordered %q", direction)
	}
	by := str(get(c, "params", "orderBy", "columnId"))
	o, _ := columns[by].(object)
	filtered := get(o, "filter") != nil
	switch op := str(o["operationType"]); {
	case o == nil || o["isBucketed"] == true:
		w.bad("ordered by %q, which is no metric", by)
		return nil
	case op == "last_value":
		w.bad("ordered by a last value, which Elasticsearch can't")
		return nil
	case op == "count" && filtered:
		return object{by: direction} // how many documents it has
	case op == "count":
		return object{"_count": direction}
	case filtered:
		return object{by + ">in": direction}
	default:
		return object{by: direction}
	}
}

// rows makes rows of an answer: keys of the buckets, then the metrics.
func rows(found object, buckets, metrics []string, before []any, out *[][]any) {
	if len(buckets) == 0 {
		row := slices.Clone(before)
		for _, id := range metrics {
			row = append(row, value(found[id]))
		}
		*out = append(*out, row)
		return
	}
	for _, b := range list(get(found, buckets[0], "buckets")) {
		b, _ := b.(object)
		rows(b, buckets[1:], metrics, append(slices.Clone(before), b["key"]), out)
	}
}

func value(v any) any {
	m, _ := v.(object)
	if in, ok := m["in"]; ok {
		return value(in)
	}
	if hits := get(m, "hits", "hits"); hits != nil {
		for _, h := range list(hits) {
			fields, _ := get(h, "fields").(object)
			for _, v := range fields {
				return joined(v)
			}
		}
		return nil
	}
	if v, ok := m["value"]; ok {
		return v
	}
	return m["doc_count"]
}
