package esindextest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"dossier/esindex/esindextest"
	"dossier/testbed/esnode"
)

type node interface {
	Do(ctx context.Context, method, path string, body any) (int, map[string]any, error)
}

// step is one request of the contract. P stands for a prefix of the test's
// own, in paths and bodies.
type step struct {
	method, path, body string
}

const (
	bulk   = "_bulk?filter_path=items.*.status,items.*._seq_no,items.*._primary_term,items.*.error.type,items.*.error.reason"
	mget   = "_mget?_source_includes=state&filter_path=docs.found,docs._seq_no,docs._primary_term,docs._source.state,docs.error.type,docs.error.reason"
	things = `{"mappings":{"_meta":{"dossier":{"schema":1,"ipv6_prefix":"128"}},"dynamic":false,"properties":{"state":{"type":"binary"},"name":{"type":"keyword"},"count":{"type":"long"},"at":{"type":"ip"}}}}`
)

func op(kind, index, id, rest, doc string) string {
	return fmt.Sprintf(`{"%s":{"_index":"%s","_id":"%s"%s}}`+"\n%s\n", kind, index, id, rest, doc)
}

func at(seq, term int) string { return fmt.Sprintf(`,"if_seq_no":%d,"if_primary_term":%d`, seq, term) }

func wanted(ids ...string) string {
	var docs []string
	for _, id := range ids {
		index, id, _ := strings.Cut(id, "/")
		docs = append(docs, fmt.Sprintf(`{"_index":"%s","_id":"%s"}`, index, id))
	}
	return `{"docs":[` + strings.Join(docs, ",") + `]}`
}

// contract is what package esindex relies on. Each step's answer must be the
// same from the node in memory as from a real one.
var contract = map[string][]step{
	"compare and set": {
		{"PUT", "P-a", things},
		{"PUT", "P-a", things},
		{"POST", mget, wanted("P-a/1", "P-none/1")},
		{"POST", bulk, op("create", "P-a", "1", "", `{"state":"AA=="}`) + op("create", "P-a", "2", "", `{"state":"AQ=="}`)},
		{"POST", bulk, op("create", "P-a", "1", "", `{"state":"Ag=="}`)},
		{"POST", bulk, op("index", "P-a", "1", at(0, 1), `{"state":"Aw==","name":"x"}`) + op("index", "P-a", "1", at(0, 1), `{"state":"BA=="}`) +
			op("index", "P-a", "2", at(1, 2), `{"state":"BA=="}`) + op("index", "P-a", "9", at(0, 1), `{"state":"BA=="}`) + op("index", "P-a", "2", "", `{"state":"BQ=="}`)},
		{"POST", mget, wanted("P-a/1", "P-a/2", "P-a/9", "P-a/1")},
		{"POST", bulk, op("index", "P-a", "1", at(2, 1), `{"other":1}`)},
		{"POST", mget, wanted("P-a/1")},
	},
	"documents that are refused": {
		{"PUT", "P-a", things},
		{"POST", bulk, op("create", "P-a", "1", "", `{"state":"AA==","at":"hello"}`) + op("create", "P-a", "2", "", `{"state":"AA==","at":"192.0.2.1","count":"7"}`) +
			op("create", "P-a", "3", "", `{"state":"AA==","count":"seven"}`)},
		{"POST", bulk, op("create", "P-a", "4", "", `{"state":"AA==","name":"`+strings.Repeat("x", 32767)+`"}`)},
		{"POST", bulk, op("create", "P-a", "5", "", `{"state":"`)},
	},
	"indices": {
		{"GET", "P-a/_mapping", ""},
		{"GET", "P-*/_mapping", ""},
		{"DELETE", "P-a", ""},
		{"PUT", "P-A", ""},
		{"PUT", "P-a", things},
		{"GET", "P-a/_mapping", ""},
		{"PUT", "P-a/_mapping", `{"_meta":{"dossier":{"schema":2,"ipv6_prefix":"128"}},"properties":{"more":{"type":"ip"}}}`},
		{"PUT", "P-a/_mapping", `{"properties":{"count":{"type":"ip"}}}`},
		{"GET", "P-*/_mapping", ""},
		{"DELETE", "P-a", ""},
		{"GET", "P-a/_mapping", ""},
		{"POST", bulk, op("index", "P-a", "1", at(0, 1), `{"state":"AA=="}`)}, // makes the index, though it fails
		{"POST", bulk, op("create", "P-a", "1", "", `{"state":"AA=="}`)},
		{"POST", bulk, op("create", "P-A", "1", "", `{"state":"AA=="}`)},
	},
	"aliases": {
		{"PUT", "P-a", things},
		{"PUT", "P-b", things},
		{"GET", "P-a/_alias/P-alias", ""},
		{"PUT", "P-a/_alias/P-alias", `{}`},
		{"GET", "P-a/_alias/P-alias", ""},
		{"POST", bulk, op("create", "P-alias", "1", "", `{"state":"AA=="}`)},
		{"POST", mget, wanted("P-alias/1", "P-a/1", "P-b/1")},
		{"PUT", "P-b/_alias/P-alias", `{}`},
		{"POST", bulk, op("create", "P-alias", "2", "", `{"state":"AA=="}`)},
		{"GET", "P-alias/_mapping", ""},
		{"PUT", "P-b/_alias/P-alias", `{"is_write_index":true}`},
		{"POST", bulk, op("create", "P-alias", "2", "", `{"state":"AA=="}`)},
		{"POST", mget, wanted("P-b/2", "P-alias/2")},
		{"POST", bulk + "&require_alias=true", op("create", "P-b", "3", "", `{"state":"AA=="}`) + op("create", "P-c", "3", "", `{"state":"AA=="}`) + op("create", "P-alias", "3", "", `{"state":"AA=="}`)},
		{"GET", "P-c/_mapping", ""},
	},
	"blocks": {
		{"PUT", "P-a", things},
		{"PUT", "P-a/_settings", `{"index.blocks.write":true}`},
		{"POST", bulk, op("create", "P-a", "1", "", `{"state":"AA=="}`)},
		{"PUT", "P-a/_settings", `{"index.blocks.write":null}`},
		{"PUT", "P-a/_settings", `{"index":{"blocks":{"read_only_allow_delete":true}}}`},
		{"POST", bulk, op("create", "P-a", "1", "", `{"state":"AA=="}`)},
		{"PUT", "P-a/_settings", `{"index":{"blocks":{"read_only_allow_delete":null}}}`},
		{"POST", bulk, op("create", "P-a", "1", "", `{"state":"AA=="}`)},
	},
	"templates": {
		{"GET", "_index_template/P-t?filter_path=error.type,status", ""},
		{"PUT", "_index_template/P-t", `{"index_patterns":["P-a*"],"composed_of":["P-c"],"priority":1}`},
		{"PUT", "_component_template/P-c", `{"template":` + things + `}`},
		{"PUT", "_index_template/P-t", `{"index_patterns":["P-a*"],"composed_of":["P-c","P-d"],"ignore_missing_component_templates":["P-d"],"priority":1,"template":{"aliases":{"P-x":{}}}}`},
		{"POST", bulk, op("create", "P-a1", "1", "", `{"state":"AA==","count":"x"}`)},
		{"GET", "P-x/_mapping", ""},
		{"PUT", "_index_template/P-u", `{"index_patterns":["P-a2"],"priority":2,"template":{"mappings":{"_meta":{"dossier":{"schema":7}}}}}`},
		{"PUT", "P-a2", ""},
		{"GET", "P-a2/_mapping", ""},
		{"DELETE", "_index_template/P-t", ""},
		{"DELETE", "_index_template/P-t?filter_path=error.type,status", ""},
	},
	"whole requests": {
		{"POST", bulk, `{"create":{"_index":"P-a","_id":"1"}}` + "\n{}"},
		{"POST", bulk + "&include_source_on_error=false", op("create", "P-a", "1", "", `{"state":"AA=="}`)},
	},
}

var unstable = []*regexp.Regexp{
	regexp.MustCompile(`index \[P-[a-z]+/[^\]]*\] already`), // a UUID
	regexp.MustCompile(`\[\d+:\d+\]`),                       // a position in the document
	regexp.MustCompile(`for more information, see [^\]]*\]`),
	regexp.MustCompile(`immense term is: '.*`),
	regexp.MustCompile(`Malformed action.*|The bulk request must.*`),
	regexp.MustCompile(`cause \[.*`),
}

// normal makes answers of two nodes comparable: errors lose what is in them
// beside type and reason, and reasons what no two nodes agree on.
func normal(v any, prefix string) any {
	b, _ := json.Marshal(v)
	var out any
	json.Unmarshal([]byte(strings.ReplaceAll(string(b), prefix, "P")), &out)
	return walk(out)
}

func walk(v any) any {
	switch v := v.(type) {
	case map[string]any:
		if typ, ok := v["type"].(string); ok && v["reason"] != nil {
			reason := v["reason"].(string)
			for _, r := range unstable {
				reason = r.ReplaceAllString(reason, "~")
			}
			if typ == "document_parsing_exception" && !strings.Contains(reason, "field [") {
				reason = "" // of the parser
			}
			return map[string]any{"type": typ, "reason": reason}
		}
		out := map[string]any{}
		for k, e := range v {
			switch {
			case k == "error" && walk(e) != nil:
				out[k] = walk(e)
			case k == "status" || k == "_source":
				out[k] = e
			case k == "dynamic":
			default:
				out[k] = walk(e)
			}
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = walk(v[i])
		}
		return out
	}
	return v
}

// TestContract: the node in memory answers as a real one.
func TestContract(t *testing.T) {
	esnode.Elastic(t, "answers of its own that the node in memory gives: that is one of Elasticsearch")
	real := esnode.Shared(t)
	for name, steps := range contract {
		t.Run(name, func(t *testing.T) {
			fake := esindextest.New(t)
			prefix := fmt.Sprintf("contract%08x", rand.Uint32())
			t.Cleanup(func() {
				ctx := context.Background()
				for _, x := range []string{"a", "b", "c", "a1", "a2"} {
					real.Do(ctx, "DELETE", prefix+"-"+x, nil)
				}
				for _, x := range []string{"_index_template/" + prefix + "-t", "_index_template/" + prefix + "-u", "_component_template/" + prefix + "-c"} {
					real.Do(ctx, "DELETE", x, nil)
				}
			})
			for i, s := range steps {
				var got [2]any
				for j, n := range []node{real, fake} {
					var body any
					if s.body != "" {
						body = strings.ReplaceAll(s.body, "P-", prefix+"-")
					}
					status, answer, err := n.Do(t.Context(), s.method, strings.ReplaceAll(s.path, "P-", prefix+"-"), body)
					if err != nil {
						t.Fatal(err)
					}
					got[j] = []any{status, normal(answer, prefix)}
				}
				if !reflect.DeepEqual(got[0], got[1]) {
					t.Errorf("step %d, %s %s:\nreal %v\nfake %v", i, s.method, s.path, got[0], got[1])
				}
			}
		})
	}
}
