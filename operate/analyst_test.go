package operate

import (
	"testing"

	"dossier/analyst"
)

// TestAnalystRole: what dossier show, search, export, note and verdict ask is
// allowed to the roles that are for them, and a note to no reader.
func TestAnalystRole(t *testing.T) {
	s := secured(t)
	prefix, _ := s.setUp(t)
	const address = "9.9.9.9"
	s.node.Must(t, "PUT", prefix+"-attackers/_doc/"+address+"?refresh=true", `{"ip":"9.9.9.9","event_count":3,"last_seen":"2026-01-02T03:04:05Z","classification":"suspicious"}`)
	open := func(role string) *analyst.Reader {
		t.Helper()
		r, err := analyst.Open(s.as(t, prefix, get(t, role, prefix)).o, "test")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { r.Close() })
		return r
	}
	seen := func(r *analyst.Reader, class string) (n int) {
		t.Helper()
		if err := r.Each(t.Context(), analyst.Query{Classes: []string{class}}, nil, func(*analyst.Profile) error { n++; return nil }); err != nil {
			t.Fatal(err)
		}
		return n
	}
	reader, writes := open("reader"), open("analyst")
	said := analyst.Note{Author: "anna", Verdict: "benign", Text: "ours"}
	if _, err := reader.Say(t.Context(), address, said); !isForbidden(err) {
		t.Errorf("a reader writes a note: %v", err)
	}
	for _, r := range []*analyst.Reader{reader, writes} {
		if sheet, err := r.Sheet(t.Context(), address); err != nil || sheet.EventCount != 3 || len(sheet.Notes) != 0 {
			t.Fatal(sheet, err)
		}
		if _, n, err := r.List(t.Context(), analyst.Query{}); err != nil || n != 1 || seen(r, "suspicious") != 1 || seen(r, "benign") != 0 {
			t.Error(n, err)
		}
	}
	if _, err := writes.Say(t.Context(), address, said); err != nil {
		t.Fatal(err)
	}
	for _, r := range []*analyst.Reader{reader, writes} {
		if sheet, err := r.Sheet(t.Context(), address); err != nil || sheet.Class() != "benign" || len(sheet.Notes) != 1 || sheet.Notes[0].Text != "ours" {
			t.Errorf("%+v, %v", sheet, err)
		}
		if seen(r, "suspicious") != 0 || seen(r, "benign") != 1 {
			t.Error("the verdict doesn't go before the classification")
		}
	}
	client := s.as(t, prefix, get(t, "analyst", prefix)).client
	notes := "/" + analyst.NotesIndex(prefix)
	for _, try := range [][3]string{
		{"PUT", notes + "/_doc/one", `{}`},
		{"POST", notes + "/_delete_by_query", `{"query":{"match_all":{}}}`},
		{"DELETE", notes, ""},
		{"POST", "/" + prefix + "-attackers/_doc", `{}`},
		{"PUT", notes + "/_mapping", `{"properties":{}}`},
	} {
		if try[1] == notes+"/_doc/one" { // an id that is taken
			s.node.Must(t, "PUT", notes+"/_doc/one?refresh=true", `{"attacker":"9.9.9.9","note":"mine"}`)
		}
		if err := client.Call(t.Context(), "try", try[0], try[1], []byte(try[2]), nil); !isForbidden(err) {
			t.Errorf("%s %s as an analyst: %v", try[0], try[1], err)
		}
	}
}
