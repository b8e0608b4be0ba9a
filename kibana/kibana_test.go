package kibana

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"

	"dossier/testbed/page"
)

var update = flag.Bool("update", false, "write conf/kibana anew")

//go:generate go test . -run TestFilesAreFresh -update

// What is in conf/kibana is what the command writes.
func TestFilesAreFresh(t *testing.T) {
	if *update {
		if err := os.MkdirAll("../conf/kibana", 0o755); err != nil {
			t.Fatal(err)
		}
	}
	page.Check(t, "../conf/kibana/dashboards.ndjson", string(Dashboards(DefaultPrefix)), *update, "go generate ./kibana")
	page.Check(t, "../conf/kibana/rules.ndjson", string(Rules(DefaultPrefix)), *update, "go generate ./kibana")
	page.Check(t, "../docs/kibana.md", string(Markdown()), *update, "go generate ./kibana")
}

// A panel answers a question and says what is done with the answer, and a band
// of panels fills the grid.
func TestTable(t *testing.T) {
	for i := range dashboards {
		d := &dashboards[i]
		for _, b := range d.bands {
			w := 0
			for _, p := range b.panels {
				if w += p.w; p.title == "" || p.next == "" || !strings.HasSuffix(p.question, "?") {
					t.Errorf("%s: %q answers %q, and then %q", d.name, p.title, p.question, p.next)
				}
			}
			if w != gridWidth {
				t.Errorf("%s: the panels from %q on are %d wide, want %d", d.name, b.panels[0].title, w, gridWidth)
			}
		}
	}
}

// KQL means what the query does: of each kind of condition one, as Kibana would
// read it.
func TestConditions(t *testing.T) {
	for _, c := range []struct {
		Condition
		kql, query string
	}{
		{Condition{}, ``, `{"match_all":{}}`},
		{is("a.b", `x"\y`), `a.b: "x\"\\y"`, `{"bool":{"minimum_should_match":1,"should":[{"match_phrase":{"a.b":"x\"\\y"}}]}}`},
		{is("n", true), `n: true`, `{"bool":{"minimum_should_match":1,"should":[{"match":{"n":true}}]}}`},
		{is("a", "x", "y"), `a: ("x" or "y")`, `{"bool":{"minimum_should_match":1,"should":[{"match_phrase":{"a":"x"}},{"match_phrase":{"a":"y"}}]}}`},
		{has("a"), `a: *`, `{"exists":{"field":"a"}}`},
		{over("n", 0), `n > 0`, `{"range":{"n":{"gt":0}}}`},
		{under("t", "now-90s"), `t < "now-90s"`, `{"range":{"t":{"lt":"now-90s"}}}`},
		{
			all(atLeast("n", 0.7), anyOf(has("a"), not(has("b")))), `n >= 0.7 and (a: * or not b: *)`,
			`{"bool":{"filter":[{"range":{"n":{"gte":0.7}}},{"bool":{"minimum_should_match":1,"should":[{"exists":{"field":"a"}},{"bool":{"must_not":[{"exists":{"field":"b"}}]}}]}}]}}`,
		},
	} {
		query, err := json.Marshal(c.Query())
		if err != nil {
			t.Fatal(err)
		}
		if c.KQL() != c.kql || string(query) != c.query {
			t.Errorf("got %s and %s, want %s and %s", c.KQL(), query, c.kql, c.query)
		}
	}
}

// Of several prefixes in one space each has its own objects, and a default one
// has the plain names.
func TestPrefixesAreApart(t *testing.T) {
	ids := map[string]bool{}
	for _, prefix := range []string{"dossier", "other"} {
		for _, file := range [][]byte{Dashboards(prefix), Rules(prefix)} {
			for l := range bytes.Lines(file) {
				var o struct {
					Type, ID string
					Rule     string `json:"rule_id"`
				}
				if err := json.Unmarshal(l, &o); err != nil {
					t.Fatal(err)
				}
				id := o.Type + o.ID + o.Rule
				if ids[id] {
					t.Errorf("%s is there twice", id)
				}
				ids[id] = true
				if prefix == "other" && bytes.Contains(l, []byte(`dossier-`)) {
					t.Errorf("%s names what is the default prefix's", id)
				}
			}
		}
	}
}

// What is left of a score today is worked out as the page of queries has it, which is
// tried on a node.
func TestRiskCurrentIsThePages(t *testing.T) {
	page, err := os.ReadFile("../docs/queries.md")
	if err != nil {
		t.Fatal(err)
	}
	source, err := json.Marshal(riskCurrent)
	if err != nil {
		t.Fatal(err)
	}
	// As it stands on the page: nothing in it is escaped for HTML.
	plain := strings.NewReplacer(`\u003e`, ">", `\u003c`, "<", `\u0026`, "&").Replace(string(source))
	if !strings.Contains(string(page), plain) {
		t.Errorf("docs/queries.md has another script than\n%s", plain)
	}
}
