package profile

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"dossier/correlate/event"
	"dossier/correlate/state"
	"dossier/testbed/esnode"
)

// A real Elasticsearch takes the templates and every field of every document,
// and finds the attackers as Elastic Security looks for indicators.
func TestElasticsearch(t *testing.T) {
	n := esnode.Shared(t)
	prefix := fmt.Sprintf("profile-test-%08x", rand.Uint32())
	templates, err := Templates(TemplateOptions{Prefix: prefix})
	if err != nil {
		t.Fatal(err)
	}
	esnode.CleanUp(t, prefix)
	for _, template := range templates {
		n.Must(t, http.MethodPut, "/_index_template/"+template.Name,
			fmt.Appendf(nil, `{"index_patterns":[%q],"priority":500,"template":%s}`, template.Pattern, template.Body))
	}
	documents := everyDocument(t)
	r := renderer(t, Options{})
	recent := new(state.Attacker)
	recent.Fold(new(event.Arena), "sensor-1", false, []*event.Event{{Time: event.FromTime(time.Now().Add(-time.Hour)), Service: "ssh", Decky: "decky-01", Kind: event.Scan, Proof: event.ByConnection}})
	documents[Attackers] = append(documents[Attackers], decode(t, r.AppendAttacker(nil, headOf(someone), recent)))
	documents[Chunks] = []map[string]any{{"@timestamp": "2026-01-02T03:04:05Z", "first_record": "2026-01-02T03:04:00Z", "state": "c3RhdGU="}}
	var bulk bytes.Buffer
	for kind, docs := range documents {
		index := kind.Index(prefix)
		if kind.Monthly() {
			index += "-2026.01"
		}
		for i, doc := range docs {
			line, err := json.Marshal(doc)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&bulk, `{"create":{"_index":%q,"_id":"%d"}}`+"\n%s\n", index, i, line)
		}
	}
	if answer := n.Must(t, http.MethodPost, "/_bulk?refresh=true", bulk.String()); answer["errors"] != false {
		t.Fatalf("not every document was taken: %.2000s", fmt.Sprint(answer))
	}
	for kind, docs := range documents {
		pattern := "/" + kind.Index(prefix) + "*"
		if got := hits(t, n, pattern, `{"exists":{"field":"_ignored"}}`); got != 0 {
			t.Errorf("%s: %d documents with a field that couldn't be indexed", kind, got)
		}
		for _, f := range Fields(kind) {
			if f.Type == Object || f.Type == Binary {
				continue
			}
			want, name := 0, f.Name
			if f.Type == OtherName {
				name = f.Path
			}
			for _, doc := range docs {
				if len(values(at(doc, name))) > 0 {
					want++
				}
			}
			query := fmt.Sprintf(`{"exists":{"field":%q}}`, f.Name)
			if f.Type == Nested {
				query = fmt.Sprintf(`{"nested":{"path":%q,"query":{"exists":{"field":"%s.%s"}}}}`, f.Name, f.Name, f.Members[0].Name)
			}
			if got := hits(t, n, pattern, query); got != want {
				t.Errorf("%s: %d documents are found by %s, %d hold it", kind, got, f.Name, want)
			}
		}
		for name, index := range n.Must(t, http.MethodGet, pattern+"/_mapping", nil) {
			mapped, _ := index.(map[string]any)["mappings"].(map[string]any)
			if mapped["dynamic"] != "false" || len(flat("", mapped["properties"].(map[string]any))) != len(Fields(kind)) {
				t.Errorf("%s: the mapping has %d fields, the table %d", name, len(flat("", mapped["properties"].(map[string]any))), len(Fields(kind)))
			}
		}
	}
	// The Indicators page's base query, and filters and query of the prebuilt
	// rule for indicators of addresses, on their default index pattern.
	const window = `{"range":{"@timestamp":{"gte":"now-30d/d"}}}`
	ours := fmt.Sprintf(`{"prefix":{"_index":%q}}`, prefix)
	for name, query := range map[string]string{
		"Indicators page": `{"bool":{"filter":[` + ours + `,` + window + `,{"match":{"event.type":"indicator"}},{"match":{"event.category":"threat"}}]}}`,
		"indicator match rule": `{"bool":{"filter":[` + ours + `,` + window + `,{"match_phrase":{"event.category":"threat"}},{"match_phrase":{"event.kind":"enrichment"}},{"match_phrase":{"event.type":"indicator"}},` +
			`{"query_string":{"query":"event.module:(threatintel OR ti_*) AND threat.indicator.ip:* AND NOT labels.is_ioc_transform_source:\"true\""}}]}}`,
		"by network": `{"bool":{"filter":[` + ours + `,` + window + `,{"term":{"threat.indicator.ip":"185.220.101.0/24"}}]}}`,
	} {
		if got := hits(t, n, "/logs-ti_*", query); got != 1 {
			t.Errorf("%s: %d attackers found, want the recent one", name, got)
		}
	}
}

// flat returns the dotted names of a mapping's fields.
func flat(prefix string, properties map[string]any) []string {
	var names []string
	for name, v := range properties {
		m := v.(map[string]any)
		if inner, ok := m["properties"].(map[string]any); ok && m["type"] != string(Nested) {
			names = append(names, flat(prefix+name+".", inner)...)
			continue
		}
		names = append(names, prefix+name)
	}
	return names
}

func hits(t *testing.T, n *esnode.Node, pattern, query string) int {
	t.Helper()
	answer := n.Must(t, http.MethodPost, pattern+"/_search?size=0", `{"track_total_hits":true,"query":`+query+`}`)
	total, _ := at(answer, "hits.total.value").(float64)
	if strings.Contains(fmt.Sprint(answer["_shards"]), "failures") {
		t.Errorf("%s: %v", query, answer["_shards"])
	}
	return int(total)
}
