package esindex_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"dossier/correlate/commit"
	"dossier/esindex"
)

func TestNumberOf(t *testing.T) {
	for index, want := range map[string]int{
		"x-things": 0, "x-things-000001": 1, "x-things-000020": 20, "x-things-099999": 99999,
		"x-things-1": -1, "x-things-000000": -1, "x-things-100000": -1, "x-things-00001": -1, "x-things-0000001": -1,
		"x-things-+00001": -1, "x-things-00000x": -1, "x-things-": -1, "x-thing": -1, "x-things2": -1, "": -1,
	} {
		n, ok := esindex.NumberOf("x-things", index)
		if ok != (want >= 0) || ok && n != want {
			t.Errorf("%q: %d, %v, want %d", index, n, ok, want)
		}
		if ok && esindex.NumberedIndex("x-things", n) != index {
			t.Errorf("%q is called %q", index, esindex.NumberedIndex("x-things", n))
		}
	}
}

// TestNumbersAreForOneName: months have a document's id in one index each.
func TestNumbersAreForOneName(t *testing.T) {
	body := json.RawMessage(`{"mappings":{}}`)
	c := newClient(t, esindex.Options{Hosts: []string{"http://127.0.0.1:1"}})
	if _, err := esindex.NewStore(c, []esindex.Template{{Name: "x-things", Pattern: "x-things", Version: 1, Body: body, Numbered: true}}); err != nil {
		t.Error(err)
	}
	_, err := esindex.NewStore(c, []esindex.Template{{Name: "x-months", Pattern: "x-months-*", Version: 1, Body: body, Numbered: true}})
	if err == nil || !strings.Contains(err.Error(), "are for an index of one name") {
		t.Errorf("numbered months: %v", err)
	}
}

// named is a node on which a name is an index, or an alias of one.
type named struct {
	t       *testing.T
	mu      sync.Mutex
	index   string // what the name stands for, "" for nothing
	there   bool   // is x-things-000001, whatever leads to it
	blocked bool
	asked   []string
	bulks   []string
}

func (n *named) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		n.t.Error(err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.asked = append(n.asked, r.Method+" "+r.URL.Path)
	w.Header().Set("X-Elastic-Product", "Elasticsearch")
	w.Header().Set("Content-Type", "application/json")
	fail := func(code int, typ string) {
		w.WriteHeader(code)
		fmt.Fprintf(w, `{"error":{"type":%q,"reason":"index [x]"},"status":%d}`, typ, code)
	}
	switch r.Method + " " + r.URL.Path {
	case "GET /x-things/_mapping":
		if n.index == "" {
			fail(404, "index_not_found_exception")
			return
		}
		fmt.Fprintf(w, `{%q:{"mappings":{"_meta":{"dossier":{"schema":1}}}}}`, n.index)
	case "PUT /x-things-000001":
		if n.there || !strings.Contains(string(body), `"aliases":{"x-things":{}}`) {
			fail(400, "resource_already_exists_exception")
			return
		}
		n.index, n.there = "x-things-000001", true
		fmt.Fprint(w, `{}`)
	case "POST /_bulk":
		n.bulks = append(n.bulks, string(body))
		requires := strings.Contains(string(body), `"require_alias":true`)
		switch {
		case n.index == "" && !requires:
			n.t.Error("Elasticsearch makes an index of the name")
		case n.blocked:
			fmt.Fprint(w, `{"items":[{"index":{"status":403,"error":{"type":"cluster_block_exception","reason":"index [x-things] blocked by: [FORBIDDEN/8/index write (api)];"}}}]}`)
		case requires && n.index != "x-things-000001":
			fmt.Fprint(w, `{"items":[{"index":{"status":404,"error":{"type":"index_not_found_exception","reason":"no such index [x-things] and [require_alias] request flag is [true] and [x-things] is not an alias"}}}]}`)
		default:
			fmt.Fprintf(w, `{"items":[{"index":{"status":200,"_seq_no":%d,"_primary_term":1}}]}`, len(n.bulks))
		}
	default:
		n.t.Errorf("%s %s", r.Method, r.URL.Path)
	}
}

// TestANameThatBecomesAnAlias: a sensor that knows the name as an index learns
// by the block of the move that it is an alias, and requires one from then on,
// so that nothing is made of the name where it is taken away.
func TestANameThatBecomesAnAlias(t *testing.T) {
	n := &named{t: t, index: "x-things"}
	server := httptest.NewServer(n)
	defer server.Close()
	c := newClient(t, esindex.Options{Hosts: []string{server.URL}})
	s, err := esindex.NewStore(c, []esindex.Template{{Name: "x-things", Pattern: "x-things", Version: 1, Body: json.RawMessage(`{"mappings":{}}`), Numbered: true}})
	if err != nil {
		t.Fatal(err)
	}
	// step writes once and wants what comes of it, the requests made for it, and
	// whether an alias was required.
	step := func(what string, want commit.Status, alias bool, asked ...string) {
		t.Helper()
		n.asked = nil
		w, err := s.Write(t.Context(), []commit.Op{{Kind: commit.Put, Key: commit.Key{Index: "x-things", ID: "1"}, Body: []byte(`{}`)}})
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		last := n.bulks[len(n.bulks)-1]
		if w[0].Status != want || !slices.Equal(n.asked, asked) || strings.Contains(last, `"require_alias":true`) != alias {
			t.Errorf("%s: %+v after %q, want %d after %q; sent %s", what, w[0], n.asked, want, asked, last)
		}
	}
	const look, bulk = "GET /x-things/_mapping", "POST /_bulk"
	step("an index", commit.Done, false, look, bulk)
	step("known", commit.Done, false, bulk)
	n.blocked = true
	step("blocked", commit.Unknown, false, bulk)
	step("still blocked", commit.Unknown, false, look, bulk)
	n.blocked, n.index, n.there = false, "x-things-000001", true
	step("moved", commit.Done, true, look, bulk)
	step("known as an alias", commit.Done, true, bulk)
	n.blocked = true
	step("a split", commit.Unknown, true, bulk)
	step("a split, looked for no more", commit.Unknown, true, bulk)
	n.blocked = false
	step("split", commit.Done, true, bulk)
	n.index = ""
	step("the alias is gone", commit.Unknown, true, bulk)
	n.asked = nil
	_, err = s.Write(t.Context(), []commit.Op{{Kind: commit.Put, Key: commit.Key{Index: "x-things", ID: "1"}, Body: []byte(`{}`)}})
	if err == nil || !strings.Contains(err.Error(), "the name x-things leads nowhere") || !slices.Equal(n.asked, []string{look, "PUT /x-things-000001", look}) {
		t.Errorf("looked for: %v after %q", err, n.asked)
	}
	n.there = false
	step("made anew", commit.Done, true, look, "PUT /x-things-000001", look, bulk)
	n.index = "x-things" // and back, which nobody of ours does
	step("an index again", commit.Unknown, true, bulk)
	step("learnt", commit.Done, false, look, bulk)
}
