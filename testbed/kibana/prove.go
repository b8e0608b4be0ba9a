package kibana

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"dossier/kibana"
	"dossier/testbed/esnode"
)

// Prover proves files against a node.
type Prover struct {
	node     *esnode.Node
	from, to time.Time
	caps     map[string]object // by the pattern of a data view
}

type object = map[string]any

// NewProver returns one that looks at the time from from to to.
func NewProver(node *esnode.Node, from, to time.Time) *Prover {
	return &Prover{node: node, from: from, to: to, caps: map[string]object{}}
}

// Panel is what a panel shows.
type Panel struct {
	Dashboard string `json:"dashboard"`
	Title     string `json:"title"`
	Question  string `json:"question"`
	Type      string `json:"type"`   // lens, visualization, search, map, links
	Visual    string `json:"visual"` // Lens's kind of visualization, vega or markdown
	Text      string `json:"text,omitempty"`
	Grid      [4]int `json:"grid"` // x, y, w, h
	// Columns are the labels, of buckets first; Buckets is how many those are.
	Columns []string `json:"columns,omitempty"`
	Types   []string `json:"types,omitempty"` // data types
	Formats []object `json:"formats,omitempty"`
	Buckets int      `json:"buckets"`
	Rows    [][]any  `json:"rows,omitempty"`
	State   any      `json:"state,omitempty"` // Lens's visualization
	Spec    object   `json:"spec,omitempty"`  // Vega's, with the answer in place of the search
	Places  [][3]any `json:"places,omitempty"`
	view    string
}

// Empty says whether the panel shows nothing, or a figure nothing but zero.
func (p *Panel) Empty() bool {
	if p.Visual == "lnsMetric" && len(p.Rows) == 1 {
		v, _ := p.Rows[0][0].(float64)
		return v == 0
	}
	switch {
	case p.Type == "links", p.Visual == "markdown":
		return false
	case p.Type == "map":
		return len(p.Places) == 0
	}
	return len(p.Rows) == 0
}

// Report is what was found.
type Report struct {
	// Problems are one a line, with the object and panel first.
	Problems []string
	Panels   []Panel
	// Titles of the dashboards by their ids, in the file's order.
	Dashboards []string
	Titles     map[string]string
	Controls   map[string][]string
}

// Options says how to prove.
type Options struct {
	// Filter is one more that every search of a view has, as a dashboard's own
	// filters would; nil for none.
	Filter func(pattern string) object
	// Structure leaves out the searches.
	Structure bool
}

type proof struct {
	*Prover
	o      Options
	ctx    context.Context
	report *Report
	file   []object
	byID   map[string]object
	where  string
}

func (p *proof) bad(format string, args ...any) {
	p.report.Problems = append(p.report.Problems, p.where+": "+fmt.Sprintf(format, args...))
}

// versions are the newest that Kibana 8.15 takes, by type; "" where none may be
// said.
var versions = map[string]string{"dashboard": "8.9.0", "index-pattern": "8.0.0", "search": "8.0.0", "map": "8.4.0", "links": ""}

// Prove proves the file.
func (p *Prover) Prove(ctx context.Context, ndjson []byte, o Options) *Report {
	w := &proof{Prover: p, o: o, ctx: ctx, report: &Report{Titles: map[string]string{}, Controls: map[string][]string{}}, byID: map[string]object{}}
	w.read(ndjson)
	for _, o := range w.file {
		w.where = str(o["type"]) + ":" + str(o["id"])
		w.envelope(o)
		if o["type"] == "index-pattern" {
			w.dataView(o)
		}
	}
	for _, o := range w.file {
		w.where = str(o["type"]) + ":" + str(o["id"])
		refs := w.references(o)
		switch o["type"] {
		case "links":
			for _, l := range list(get(o, "attributes", "links")) {
				if get(l, "type") != "dashboardLink" {
					w.bad("a link of type %v", get(l, "type"))
				}
				refs.use(str(get(l, "destinationRefName")), "dashboard")
			}
		case "search":
			w.search(o, refs)
		case "map":
			w.layers(o, refs)
		case "dashboard":
			w.dashboard(o, refs)
		}
		w.where = str(o["type"]) + ":" + str(o["id"])
		refs.unused()
	}
	return w.report
}

func (w *proof) read(ndjson []byte) {
	w.where = "the file"
	for i, l := range bytes.Split(bytes.TrimSpace(ndjson), []byte("\n")) {
		o := object{}
		if err := json.Unmarshal(l, &o); err != nil {
			w.bad("line %d: %v", i+1, err)
			continue
		}
		key := str(o["type"]) + ":" + str(o["id"])
		if w.byID[key] != nil {
			w.bad("%s is there twice", key)
		}
		w.byID[key] = o
		w.file = append(w.file, o)
	}
}

func (w *proof) envelope(o object) {
	typ := str(o["type"])
	version, known := versions[typ]
	if !known {
		w.bad("a type that isn't imported here")
		return
	}
	if got := str(o["typeMigrationVersion"]); got != version {
		w.bad("says version %q of its type, want %q: Kibana 8.15 takes no newer one, and an older one is changed in ways that today's panels don't survive", got, version)
	}
	if got := str(o["coreMigrationVersion"]); got != "8.8.0" {
		w.bad("says version %q of the core, want 8.8.0", got)
	}
	w.says(typ, o["attributes"])
	if str(get(o, "attributes", "title")) == "" {
		w.bad("no title")
	}
}

// references are those of an object by name.
type references struct {
	w     *proof
	names map[string]object
	used  map[string]bool
}

func (w *proof) references(o object) *references {
	r := &references{w, map[string]object{}, map[string]bool{}}
	for _, ref := range list(o["references"]) {
		ref, _ := ref.(object)
		name := str(ref["name"])
		if r.names[name] != nil {
			w.bad("two references are called %s", name)
		}
		r.names[name] = ref
		if w.byID[str(ref["type"])+":"+str(ref["id"])] == nil {
			w.bad("refers to %v:%v, which isn't in the file", ref["type"], ref["id"])
		}
	}
	return r
}

// use returns what the reference of that name and type is about.
func (r *references) use(name, typ string) object {
	ref := r.names[name]
	if ref == nil || ref["type"] != typ {
		r.w.bad("there is no reference called %s to a %s", name, typ)
		return nil
	}
	r.used[name] = true
	return r.w.byID[typ+":"+str(ref["id"])]
}

func (r *references) unused() {
	for _, name := range slices.Sorted(maps.Keys(r.names)) {
		if !r.used[name] {
			r.w.bad("nothing uses the reference %s", name)
		}
	}
}

func (w *proof) do(method, path string, body any) object {
	status, answer, err := w.node.Do(w.ctx, method, path, body)
	if err != nil || status > 299 {
		w.bad("%s %s: HTTP %d: %.600s %v", method, path, status, fmt.Sprint(answer["error"]), err)
		return nil
	}
	return answer
}

func pattern(view object) string { return str(get(view, "attributes", "title")) }

func (w *proof) dataView(o object) {
	p := pattern(o)
	if w.caps[p] == nil {
		answer := w.do("GET", "/"+p+"/_field_caps?fields=*&include_unmapped=false", nil)
		fields, _ := answer["fields"].(object)
		w.caps[p] = fields
	}
	if t := str(get(o, "attributes", "timeFieldName")); t != "" && get(w.caps[p][t], "date") == nil {
		w.bad("%s has no date called %s", p, t)
	}
}

// has returns the type of a field that the pattern's indices have, "" where they
// have none, or several.
func (w *proof) has(pattern, field string) string {
	types, _ := w.caps[pattern][field].(object)
	if len(types) != 1 {
		return ""
	}
	for typ := range types {
		return typ
	}
	return ""
}

// aggregates says whether the field can be counted by.
func (w *proof) aggregates(pattern, field string) bool {
	typ := w.has(pattern, field)
	return get(w.caps[pattern][field], typ, "aggregatable") == true
}

func (w *proof) search(o object, refs *references) {
	source := decoded(get(o, "attributes", "kibanaSavedObjectMeta", "searchSourceJSON"))
	p := pattern(refs.use(str(get(source, "indexRefName")), "index-pattern"))
	for _, c := range list(get(o, "attributes", "columns")) {
		if w.has(p, str(c)) == "" {
			w.bad("shows %v, which %s lacks", c, p)
		}
	}
	for _, s := range list(get(o, "attributes", "sort")) {
		if by := list(s); len(by) != 2 || w.has(p, str(by[0])) == "" {
			w.bad("sorts by %v, which %s lacks", s, p)
		}
	}
}

func (w *proof) layers(o object, refs *references) {
	for _, l := range list(decoded(get(o, "attributes", "layerListJSON"))) {
		name := str(get(l, "sourceDescriptor", "indexPatternRefName"))
		if name == "" {
			continue
		}
		p := pattern(refs.use(name, "index-pattern"))
		if field := str(get(l, "sourceDescriptor", "geoField")); w.has(p, field) != "geo_point" {
			w.bad("%s of %s is no place", field, p)
		}
	}
}

func (w *proof) dashboard(o object, refs *references) {
	id, where := str(o["id"]), w.where
	w.report.Dashboards = append(w.report.Dashboards, id)
	w.report.Titles[id] = str(get(o, "attributes", "title"))
	if str(get(o, "attributes", "description")) == "" {
		w.bad("no line says what is counted")
	}
	source := decoded(get(o, "attributes", "kibanaSavedObjectMeta", "searchSourceJSON"))
	asked := map[string]bool{} // fields that controls filter by
	controls, _ := decoded(get(o, "attributes", "controlGroupInput", "panelsJSON")).(object)
	for _, cid := range slices.Sorted(maps.Keys(controls)) {
		c := controls[cid]
		view := refs.use("controlGroup_"+cid+":optionsListDataView", "index-pattern")
		field := str(get(c, "explicitInput", "fieldName"))
		if get(c, "type") != "optionsListControl" || get(c, "explicitInput", "id") != cid || get(c, "explicitInput", "dataViewId") != view["id"] {
			w.bad("the control %s is none", cid)
		}
		if !w.aggregates(pattern(view), field) {
			w.bad("a control on %s, which %s lacks", field, pattern(view))
		}
		asked[field] = true
		w.report.Controls[id] = append(w.report.Controls[id], str(get(c, "explicitInput", "title")))
	}
	taken, ids, views := map[[2]int]string{}, map[string]bool{}, map[string]bool{}
	links := false
	for _, raw := range list(decoded(get(o, "attributes", "panelsJSON"))) {
		index, title := str(get(raw, "panelIndex")), str(get(raw, "embeddableConfig", "title"))
		w.where = where + " " + index + " " + title
		if ids[index] || str(get(raw, "gridData", "i")) != index {
			w.bad("its id is there twice, or its place is another's")
		}
		ids[index] = true
		panel := Panel{Dashboard: id, Title: title, Question: str(get(raw, "embeddableConfig", "description")), Type: str(get(raw, "type"))}
		w.says("panel", raw)
		w.place(raw, &panel, taken, index)
		if name := str(get(raw, "panelRefName")); name != "" {
			w.referred(&panel, refs.use(index+":"+name, panel.Type))
		}
		switch panel.Type {
		case "lens":
			w.lens(raw, &panel, refs, index, source)
		case "visualization":
			w.visualization(raw, &panel)
		case "links":
			links = true
		}
		if panel.view != "" && !w.ignoring(raw) {
			views[panel.view] = true
		}
		w.drilldown(raw, &panel, refs, index)
		w.report.Panels = append(w.report.Panels, panel)
	}
	w.where = where
	if !links {
		w.bad("nothing leads to the other dashboards")
	}
	for _, field := range slices.Sorted(maps.Keys(asked)) {
		for _, v := range slices.Sorted(maps.Keys(views)) {
			if w.has(v, field) == "" {
				w.bad("a filter on %s empties the panels of %s", field, v)
			}
		}
	}
}

// ignoring says whether the panel takes no filters of the dashboard.
func (w *proof) ignoring(raw any) bool {
	layers, _ := get(raw, "embeddableConfig", "attributes", "state", "datasourceStates", "formBased", "layers").(object)
	for _, l := range layers {
		if get(l, "ignoreGlobalFilters") != true {
			return false
		}
	}
	return len(layers) > 0
}

// gridWidth is that of Kibana's grid.
const gridWidth = 48

func (w *proof) place(raw any, panel *Panel, taken map[[2]int]string, index string) {
	for i, k := range []string{"x", "y", "w", "h"} {
		v, ok := get(raw, "gridData", k).(float64)
		if !ok || v != float64(int(v)) || v < 0 {
			w.bad("its %s is %v", k, get(raw, "gridData", k))
		}
		panel.Grid[i] = int(v)
	}
	x, y, width, h := panel.Grid[0], panel.Grid[1], panel.Grid[2], panel.Grid[3]
	if x+width > gridWidth || width < 1 || h < 1 || h > 100 {
		w.bad("it doesn't fit the grid: %v", panel.Grid)
		return
	}
	for i := x; i < x+width; i++ {
		for j := y; j < y+h; j++ {
			if on := taken[[2]int{i, j}]; on != "" {
				w.bad("it lies over %s", on)
				return
			}
			taken[[2]int{i, j}] = index
		}
	}
}

// drilldown checks what a click opens. Its filter is on the first column.
func (w *proof) drilldown(raw any, panel *Panel, refs *references, index string) {
	events := list(get(raw, "embeddableConfig", "enhancements", "dynamicActions", "events"))
	for _, e := range events {
		factory := str(get(e, "action", "factoryId"))
		if factory != "DASHBOARD_TO_DASHBOARD_DRILLDOWN" {
			w.bad("the drilldown %s takes more than the free licence, or is none", factory)
		}
		to := refs.use(index+":drilldown:"+factory+":"+str(get(e, "eventId"))+":dashboardId", "dashboard")
		if t := list(get(e, "triggers")); len(t) != 1 || t[0] != "FILTER_TRIGGER" {
			w.bad("a drilldown to a dashboard is offered for FILTER_TRIGGER only, not for %v", t)
		}
		columns, _ := layerOf(raw)["columns"].(object)
		field := str(get(columns, "row0", "sourceField"))
		for _, p := range list(decoded(get(to, "attributes", "panelsJSON"))) {
			for _, r := range list(get(p, "embeddableConfig", "attributes", "references")) {
				v := pattern(w.byID["index-pattern:"+str(get(r, "id"))])
				if !w.ignoring(p) && w.has(v, field) == "" {
					w.bad("the filter on %s that it brings along empties %q there", field, get(p, "embeddableConfig", "title"))
				}
			}
		}
	}
	if columns, _ := layerOf(raw)["columns"].(object); panel.Visual == "lnsDatatable" && len(events) == 0 {
		if f := str(get(columns, "row0", "sourceField")); f == "ip" || f == "source.ip" {
			w.bad("a row of attackers opens nothing")
		}
	}
}

// layerOf returns the one layer of a Lens panel.
func layerOf(raw any) object {
	layers, _ := get(raw, "embeddableConfig", "attributes", "state", "datasourceStates", "formBased", "layers").(object)
	for _, l := range layers {
		l, _ := l.(object)
		return l
	}
	return nil
}

// referred is a panel whose content is an object of its own.
func (w *proof) referred(panel *Panel, of object) {
	if of == nil || w.o.Structure {
		return
	}
	var view object
	for _, r := range list(of["references"]) {
		if get(r, "type") == "index-pattern" {
			view = w.byID["index-pattern:"+str(get(r, "id"))]
		}
	}
	if view == nil {
		return
	}
	p := pattern(view)
	panel.view = p
	query := w.query(p, str(get(view, "attributes", "timeFieldName")))
	switch panel.Type {
	case "map":
		field := ""
		for _, l := range list(decoded(get(of, "attributes", "layerListJSON"))) {
			field = str(get(l, "sourceDescriptor", "geoField")) + field
		}
		answer := w.do("POST", "/"+p+"/_search", object{"size": 0, "query": query, "aggs": object{"places": object{
			"geotile_grid": object{"field": field, "precision": 6, "size": 500}, "aggs": object{"at": object{"geo_centroid": object{"field": field}}},
		}}})
		for _, b := range list(get(answer, "aggregations", "places", "buckets")) {
			panel.Places = append(panel.Places, [3]any{get(b, "at", "location", "lon"), get(b, "at", "location", "lat"), get(b, "doc_count")})
		}
	case "search":
		columns := list(get(of, "attributes", "columns"))
		answer := w.do("POST", "/"+p+"/_search", object{
			"size": 50, "query": query, "_source": false, "sort": []any{object{"@timestamp": "desc"}},
			"fields": append([]any{"@timestamp"}, columns...),
		})
		panel.Columns = []string{"Time"}
		for _, c := range columns {
			panel.Columns = append(panel.Columns, str(c))
		}
		for _, hit := range list(get(answer, "hits", "hits")) {
			row := []any{joined(get(hit, "fields", "@timestamp"))}
			for _, c := range columns {
				fields, _ := get(hit, "fields").(object)
				row = append(row, joined(fields[str(c)]))
			}
			panel.Rows = append(panel.Rows, row)
		}
	}
}

// joined shows the values of a field.
func joined(v any) string {
	var s []string
	for _, x := range list(v) {
		s = append(s, fmt.Sprint(x))
	}
	return strings.Join(s, ", ")
}

// query is what every search of a dashboard has: its time and filters, and the
// panel's own.
func (w *proof) query(pattern, timeField string, kql ...string) object {
	filter := []any{}
	if timeField != "" {
		filter = append(filter, object{"range": object{timeField: object{"gte": w.from.Format(time.RFC3339), "lte": w.to.Format(time.RFC3339), "format": "strict_date_optional_time"}}})
	}
	for _, q := range kql {
		if q == "" {
			continue
		}
		filter = append(filter, w.asked(pattern, q))
	}
	if w.o.Filter != nil {
		if f := w.o.Filter(pattern); f != nil {
			filter = append(filter, f)
		}
	}
	return object{"bool": object{"filter": filter}}
}

// asked returns a query for KQL, which is one that the package writes itself,
// and whose fields the view has.
func (w *proof) asked(pattern, kql string) object {
	q, fields, ok := kibana.Query(kql)
	if !ok {
		w.bad("nobody asks for %s", kql)
		return object{"match_none": object{}}
	}
	for _, f := range fields {
		if w.has(pattern, f) == "" {
			w.bad("asks for %s, which %s lacks", f, pattern)
		}
	}
	return q
}

// Vega.

func (w *proof) visualization(raw any, panel *Panel) {
	w.says("savedVis", get(raw, "embeddableConfig", "savedVis"))
	panel.Visual = str(get(raw, "embeddableConfig", "savedVis", "type"))
	params := get(raw, "embeddableConfig", "savedVis", "params")
	switch panel.Visual {
	case "markdown":
		if panel.Text = str(get(params, "markdown")); panel.Text == "" || strings.Contains(panel.Text, "](") {
			w.bad("its text is none, or has a link, which breaks in a second space")
		}
	case "vega":
		spec, ok := decoded(get(params, "spec")).(object)
		if !ok {
			w.bad("its spec is no JSON")
			return
		}
		w.vega(spec, panel)
	default:
		w.bad("a visualization of type %q", panel.Visual)
	}
}

func (w *proof) vega(spec object, panel *Panel) {
	if s := str(spec["$schema"]); s != "https://vega.github.io/schema/vega-lite/v5.json" {
		w.bad("its schema is %q: Kibana has Vega-Lite 5", s)
	}
	url := get(spec, "data", "url")
	index, timeField := str(get(url, "index")), str(get(url, "%timefield%"))
	if get(url, "%context%") != true {
		w.bad("it takes no filters of the dashboard")
	}
	if w.caps[index] == nil {
		w.bad("it asks %s, which is no data view's", index)
		return
	}
	panel.view = index
	body, _ := get(url, "body").(object)
	w.fieldsOf(index, body)
	if w.o.Structure {
		return
	}
	whole := maps.Clone(body)
	whole["query"] = w.query(index, timeField)
	answer := w.do("POST", "/"+index+"/_search", whole)
	var rows any = answer
	for part := range strings.SplitSeq(str(get(spec, "data", "format", "property")), ".") {
		rows = get(rows, part)
	}
	for _, r := range list(rows) {
		panel.Rows = append(panel.Rows, []any{r})
	}
	panel.Spec = maps.Clone(spec)
	panel.Spec["data"] = object{"values": rows}
}

// fieldsOf checks what a search names.
func (w *proof) fieldsOf(index string, v any) {
	switch v := v.(type) {
	case object:
		for name, x := range v {
			if f, ok := x.(string); ok && (name == "field" || name == "path") && w.has(index, f) == "" {
				w.bad("asks for %s, which %s lacks", f, index)
			}
			w.fieldsOf(index, x)
		}
	case []any:
		for _, x := range v {
			w.fieldsOf(index, x)
		}
	}
}

// get returns what stands under the names, nil where nothing does.
func get(v any, path ...string) any {
	for _, p := range path {
		m, ok := v.(object)
		if !ok {
			return nil
		}
		v = m[p]
	}
	return v
}

func list(v any) []any { l, _ := v.([]any); return l }
func str(v any) string { s, _ := v.(string); return s }

// decoded is what a text of JSON says.
func decoded(v any) any {
	var out any
	if json.Unmarshal([]byte(str(v)), &out) != nil {
		return nil
	}
	return out
}
