package esindex_test

import (
	"encoding/json"
	"strings"
	"testing"

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
