package kibana

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"dossier/kibana"
	"dossier/testbed/e2e"
	"dossier/testbed/esnode"
	"dossier/testbed/host"
	"dossier/testbed/sample"
)

// Every panel of every dashboard is proved on a node that the sample filled.
func TestDashboards(t *testing.T) {
	node := esnode.Shared(t)
	prefix := e2e.Prefix(t)
	if err := Fill(t.Context(), node, host.BuildPlugin(t), prefix, t.TempDir()); err != nil {
		t.Fatal(err)
	}
	prover := NewProver(node, sample.Begin, sample.End.Add(24*time.Hour))
	file := kibana.Dashboards(prefix)

	t.Run("panels", func(t *testing.T) {
		report := prover.Prove(t.Context(), file, Options{})
		for _, p := range report.Problems {
			t.Error(p)
		}
		if len(report.Dashboards) != 7 {
			t.Errorf("%d dashboards, want 7", len(report.Dashboards))
		}
		shown := 0
		for i := range report.Panels {
			p := &report.Panels[i]
			if p.Empty() {
				t.Errorf("%s: %s shows nothing: %v", p.Dashboard, p.Title, p.Rows)
			}
			if p.Type != "links" && p.Visual != "markdown" {
				shown++
				if p.Question == "" && p.Type == "lens" {
					t.Errorf("%s: %s answers no question", p.Dashboard, p.Title)
				}
			}
		}
		t.Logf("%d panels", shown)
	})

	// A panel that shows the same whatever is there answers nothing.
	t.Run("answers differ", func(t *testing.T) {
		part := func(sensor, of string) *Report {
			return prover.Prove(t.Context(), file, Options{Filter: func(pattern string) object {
				switch pattern {
				case prefix + "-sensors":
					return object{"term": object{"sensor": sensor}}
				case prefix + "-indicators":
					// No attacker's own: split by the name of the decoy.
					return object{"regexp": object{"deckies": ".*" + of}}
				}
				return object{"regexp": object{"uuid": of}}
			}})
		}
		one, other := part("decoys-1", "[0-3].*"), part("decoys-3", "[4-9a].*")
		third := sync.OnceValue(func() *Report { return part("decoys-2", "[b-f].*") }) // where two happen to be the same
		same := func(a, b *Panel) bool {
			return reflect.DeepEqual(a.Rows, b.Rows) && reflect.DeepEqual(a.Places, b.Places)
		}
		for i := range one.Panels {
			a, b := &one.Panels[i], &other.Panels[i]
			if a.Type == "links" || a.Visual == "markdown" {
				continue
			}
			if same(a, b) && same(a, &third().Panels[i]) {
				t.Errorf("%s: %s shows the same of different attackers: %v", a.Dashboard, a.Title, a.Rows)
			}
		}
	})

	t.Run("mutations", func(t *testing.T) {
		for name, m := range mutations {
			changed := mutated(t, file, m.change)
			report := prover.Prove(t.Context(), changed, Options{Structure: true})
			if !slices.ContainsFunc(report.Problems, func(p string) bool { return strings.Contains(p, m.want) }) {
				t.Errorf("%s: nobody says %q, but %v", name, m.want, report.Problems)
			}
		}
	})

	t.Run("rules", func(t *testing.T) { proveRules(t, node, prefix) })
}

// mutated returns the file with one object changed: change is given each
// dashboard with its panels and returns true where it did something.
func mutated(t *testing.T, file []byte, change func(o object, panels []any) bool) []byte {
	t.Helper()
	var out bytes.Buffer
	done := false
	for _, l := range bytes.Split(bytes.TrimSpace(file), []byte("\n")) {
		o := object{}
		if err := json.Unmarshal(l, &o); err != nil {
			t.Fatal(err)
		}
		if !done {
			panels := list(decoded(get(o, "attributes", "panelsJSON")))
			if done = change(o, panels); done && panels != nil {
				text, err := json.Marshal(panels)
				if err != nil {
					t.Fatal(err)
				}
				o["attributes"].(object)["panelsJSON"] = string(text)
			}
		}
		b, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(append(b, '\n'))
	}
	if !done {
		t.Fatal("nothing was changed")
	}
	return out.Bytes()
}

// column finds the first Lens panel with a column of that operation.
func column(panels []any, op string, change func(panel object, c object)) bool {
	for _, p := range panels {
		columns, _ := layerOf(p)["columns"].(object)
		for _, id := range []string{"row0", "row1", "metric0", "metric1"} {
			if c, _ := columns[id].(object); c != nil && c["operationType"] == op {
				change(p.(object), c)
				return true
			}
		}
	}
	return false
}

func first(panels []any, typ string) object {
	for _, p := range panels {
		if get(p, "type") == typ {
			return p.(object)
		}
	}
	return nil
}

var mutations = map[string]struct {
	change func(o object, panels []any) bool
	want   string
}{
	"a field misspelt": {func(_ object, panels []any) bool {
		return column(panels, "terms", func(_, c object) { c["sourceField"] = str(c["sourceField"]) + "s_" })
	}, "has no field"},
	"a wrong type": {func(_ object, panels []any) bool {
		return column(panels, "terms", func(_, c object) { c["dataType"] = "number" })
	}, "the column says"},
	"a sum of words": {func(_ object, panels []any) bool {
		return column(panels, "sum", func(_, c object) { c["sourceField"] = "risk.level" })
	}, "the sum of"},
	"another data view": {func(o object, _ []any) bool {
		if o["type"] != "dashboard" {
			return false
		}
		list(o["references"])[1].(object)["id"] = "dossier-nothing"
		return true
	}, "isn't in the file"},
	"the name of a reference": {func(_ object, panels []any) bool {
		p := first(panels, "lens")
		if p == nil {
			return false
		}
		list(get(p, "embeddableConfig", "attributes", "references"))[0].(object)["name"] = "indexpattern-datasource-layer-other"
		return true
	}, "its reference is called"},
	"a trigger that is never offered": {func(_ object, panels []any) bool {
		for _, p := range panels {
			for _, e := range list(get(p, "embeddableConfig", "enhancements", "dynamicActions", "events")) {
				e.(object)["triggers"] = []any{"VALUE_CLICK_TRIGGER"}
				return true
			}
		}
		return false
	}, "offered for FILTER_TRIGGER only"},
	"a drilldown that takes a better licence": {func(_ object, panels []any) bool {
		for _, p := range panels {
			for _, e := range list(get(p, "embeddableConfig", "enhancements", "dynamicActions", "events")) {
				get(e, "action").(object)["factoryId"] = "URL_DRILLDOWN"
				return true
			}
		}
		return false
	}, "takes more than the free licence"},
	"a drilldown by a field that isn't there": {func(_ object, panels []any) bool {
		for _, p := range panels {
			if list(get(p, "embeddableConfig", "enhancements", "dynamicActions", "events")) != nil {
				layerOf(p)["columns"].(object)["row0"].(object)["sourceField"] = "actor"
				return true
			}
		}
		return false
	}, "that it brings along empties"},
	"rows of attackers that open nothing": {func(o object, panels []any) bool {
		for _, p := range panels {
			if list(get(p, "embeddableConfig", "enhancements", "dynamicActions", "events")) != nil {
				get(p, "embeddableConfig").(object)["enhancements"] = object{}
				return true
			}
		}
		return false
	}, "opens nothing"},
	"ordered by a column that isn't there": {func(_ object, panels []any) bool {
		return column(panels, "terms", func(_, c object) { get(c, "params", "orderBy").(object)["columnId"] = "metric9" })
	}, "which is no metric"},
	"ordered by a last value": {func(_ object, panels []any) bool {
		for _, p := range panels {
			columns, _ := layerOf(p)["columns"].(object)
			if c := columns["metric1"]; get(c, "operationType") == "last_value" && columns["row0"] != nil {
				get(columns, "row0", "params", "orderBy").(object)["columnId"] = "metric1"
				return true
			}
		}
		return false
	}, "ordered by a last value"},
	"an order that names no column": {func(_ object, panels []any) bool {
		p := first(panels, "lens")
		if p == nil {
			return false
		}
		list(layerOf(p)["columnOrder"])[0] = "row7"
		return true
	}, "the order names"},
	"a picture of a column that isn't there": {func(_ object, panels []any) bool {
		p := first(panels, "lens")
		if p == nil {
			return false
		}
		get(p, "embeddableConfig", "attributes", "state", "visualization").(object)["metricAccessor"] = "metric9"
		return true
	}, "it shows the column"},
	"a visualization that Lens lacks": {func(_ object, panels []any) bool {
		p := first(panels, "lens")
		if p == nil {
			return false
		}
		get(p, "embeddableConfig", "attributes").(object)["visualizationType"] = "lnsNoSuch"
		return true
	}, `Kibana has no "lnsNoSuch"`},
	"panels over each other": {func(_ object, panels []any) bool {
		if len(panels) < 4 {
			return false
		}
		get(panels[3], "gridData").(object)["x"] = 0
		return true
	}, "it lies over"},
	"a panel outside the grid": {func(_ object, panels []any) bool {
		if len(panels) < 4 {
			return false
		}
		get(panels[3], "gridData").(object)["x"] = 44
		return true
	}, "doesn't fit the grid"},
	"a place that is none": {func(o object, _ []any) bool {
		if o["type"] != "map" {
			return false
		}
		a := o["attributes"].(object)
		a["layerListJSON"] = strings.Replace(str(a["layerListJSON"]), "threat.indicator.geo.location", "country_code", 1)
		return true
	}, "is no place"},
	"a link to nowhere": {func(o object, _ []any) bool {
		if o["type"] != "links" {
			return false
		}
		list(get(o, "attributes", "links"))[2].(object)["destinationRefName"] = "link_l9_dashboard"
		return true
	}, "there is no reference called link_l9_dashboard"},
	"a control on a field that panels lack": {func(o object, _ []any) bool {
		return control(o, "behavior.os_guess")
	}, "empties the panels of"},
	"a control on no field": {func(o object, _ []any) bool { return control(o, "no.such") }, "a control on no.such"},
	"a query of another field": {func(_ object, panels []any) bool {
		for _, p := range panels {
			if q, _ := get(p, "embeddableConfig", "attributes", "state", "query").(object); str(q["query"]) != "" {
				q["query"] = strings.Replace(str(q["query"]), "risk.level", "risk.levle", 1)
				return true
			}
		}
		return false
	}, "nobody asks for"},
	"a newer version": {func(o object, _ []any) bool {
		if o["type"] != "dashboard" {
			return false
		}
		o["typeMigrationVersion"] = "10.3.0"
		return true
	}, "says version"},
	"an attribute that the schema lacks": {func(o object, _ []any) bool {
		if o["type"] != "search" {
			return false
		}
		o["attributes"].(object)["tabs"] = []any{}
		return true
	}, "search has no tabs"},
	"a parameter that Lens lacks": {func(_ object, panels []any) bool {
		return column(panels, "terms", func(_, c object) { get(c, "params").(object)["otherBuckets"] = true })
	}, "terms.params has no otherBuckets"},
	"an operation that Lens lacks": {func(_ object, panels []any) bool {
		return column(panels, "sum", func(_, c object) { c["operationType"] = "total" })
	}, `Kibana has no "total"`},
	"a scale of another operation": {func(_ object, panels []any) bool {
		return column(panels, "date_histogram", func(_, c object) { c["scale"] = "ratio" })
	}, `date_histogram.scale is never "ratio"`},
	"a picture's name misspelt": {func(_ object, panels []any) bool {
		for _, p := range panels {
			if v, _ := get(p, "embeddableConfig", "attributes", "state", "visualization").(object); v["gridConfig"] != nil {
				v["gridConfig"].(object)["isCellLabelVisable"] = true
				return true
			}
		}
		return false
	}, "lnsHeatmap.gridConfig has no isCellLabelVisable"},
	"a control of another kind": {func(o object, _ []any) bool {
		group, _ := get(o, "attributes", "controlGroupInput").(object)
		if group == nil {
			return false
		}
		group["panelsJSON"] = strings.ReplaceAll(str(group["panelsJSON"]), "optionsListControl", "optionsList")
		return true
	}, `.type is never "optionsList"`},
	"an option that links lack": {func(o object, _ []any) bool {
		if o["type"] != "links" {
			return false
		}
		get(list(get(o, "attributes", "links"))[0], "options").(object)["useCurrentTime"] = true
		return true
	}, "options has no useCurrentTime"},
	"a column that the index lacks": {func(o object, _ []any) bool {
		if o["type"] != "search" {
			return false
		}
		o["attributes"].(object)["columns"] = []any{"source.adress"}
		return true
	}, "which"},
	"a search of Vega that names another field": {func(_ object, panels []any) bool {
		for _, p := range panels {
			params, _ := get(p, "embeddableConfig", "savedVis", "params").(object)
			if spec := str(params["spec"]); strings.Contains(spec, "ports.port") {
				params["spec"] = strings.ReplaceAll(spec, "ports.port", "ports.prot")
				return true
			}
		}
		return false
	}, "asks for ports.prot"},
	"Vega of a version that Kibana lacks": {func(_ object, panels []any) bool {
		for _, p := range panels {
			params, _ := get(p, "embeddableConfig", "savedVis", "params").(object)
			if spec := str(params["spec"]); spec != "" {
				params["spec"] = strings.Replace(spec, "/v5.json", "/v6.json", 1)
				return true
			}
		}
		return false
	}, "its schema is"},
	"a time field that is none": {func(o object, _ []any) bool {
		if o["type"] != "index-pattern" {
			return false
		}
		o["attributes"].(object)["timeFieldName"] = "ip"
		return true
	}, "has no date called ip"},
}

func control(o object, field string) bool {
	group, _ := get(o, "attributes", "controlGroupInput").(object)
	controls, _ := decoded(group["panelsJSON"]).(object)
	if controls == nil {
		return false
	}
	get(controls, "c0", "explicitInput").(object)["fieldName"] = field
	text, err := json.Marshal(controls)
	if err != nil {
		panic(fmt.Sprint(err))
	}
	group["panelsJSON"] = string(text)
	return true
}
