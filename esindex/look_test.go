package esindex_test

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"dossier/esindex"
)

// TestLookWithholds: of what a client that looks is asked to send only questions get through.
func TestLookWithholds(t *testing.T) {
	var mu sync.Mutex
	var seen []string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, r.Method+" "+r.URL.Path)
		w.Header().Set("X-Elastic-Product", "Elasticsearch")
		w.Header().Set("Content-Type", "application/json")
		w.Write([]byte(`{"ok":true}`))
	}))
	defer s.Close()
	c, err := esindex.New(esindex.Options{Hosts: []string{s.URL}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, r := range []struct {
		method, path string
		sent         bool
	}{
		{"GET", "/a/_mapping", true},

		{"POST", "/a/_search", true},
		{"POST", "/a/_count", true},
		{"POST", "/_security/_query/api_key", true},
		{"POST", "/_security/user/_has_privileges", true},
		{"POST", "/_index_template/_simulate", true},
		{"POST", "/a/_mget", true},
		{"PUT", "/a", false},
		{"DELETE", "/a", false},
		{"POST", "/_aliases", false},
		{"POST", "/a/_bulk", false},
		{"POST", "/a/_delete_by_query", false},
		{"POST", "/_security/api_key", false},
		{"PUT", "/a/_search", false},
		{"POST", "/a/_refresh", false},
		{"POST", "/a_search", false},
	} {
		for _, looks := range []bool{true, false} {
			client := c
			if looks {
				client = c.Look()
			}
			seen = nil
			var answer struct{ OK bool }
			if err := client.Call(t.Context(), "try", r.method, r.path, nil, &answer); err != nil {
				t.Errorf("%s %s: %v", r.method, r.path, err)
			}
			if want := r.sent || !looks; (len(seen) == 1) != want || answer.OK != want {
				t.Errorf("%s %s, looking %v: sent %q, answered %v", r.method, r.path, looks, seen, answer.OK)
			}
		}
	}
}

func TestStepAhead(t *testing.T) {
	for done, want := range map[string]string{
		"created":                            "would be created",
		"created, it sends the others":       "would be created, it sends the others",
		"kept":                               "kept",
		"kept, 3 of 4":                       "kept, 3 of 4",
		"left out: no security":              "left out: no security",
		"upgraded from version 2":            "would be upgraded from version 2",
		"refresh_interval 5s → 30s: updated": "refresh_interval 5s → 30s: would be updated",
		"field a: added":                     "field a: would be added",
		"field a: removed; fields of your own belong into x":                     "field a: would be removed; fields of your own belong into x",
		"shards 1 → 3: can't change on an existing index; reindex it to have it": "shards 1 → 3: can't change on an existing index; reindex it to have it",
		"its filter replaced: {}":                                                "its filter would be replaced: {}",
		"taken off a: whoever may read it":                                       "would be taken off a: whoever may read it",
	} {
		if got := (esindex.Step{Object: "o", Name: "n", Done: done}).Ahead(); got.Done != want || got.Name != "n" {
			t.Errorf("%q: %q, want %q", done, got.Done, want)
		}
	}
}
