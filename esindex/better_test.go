package esindex_test

import (
	"encoding/json"
	"strings"
	"testing"

	"dossier/esindex"
	"dossier/testbed/esnode"
)

// What a field is better stored as depends on what the cluster has: a sensor
// must come up on either, and so must one that finds indices of the other kind.
func TestFieldsGetTheTypeThatTheClusterHas(t *testing.T) {
	node := esnode.Shared(t)
	with := func(prefix, better string) []esindex.Template {
		out := templates(prefix, 1)
		for i := range out {
			out[i].Body = json.RawMessage(strings.Replace(string(out[i].Body), `"name"`, `"tool": {"properties": {"line": {"type": "keyword", "fields": {"text": {"type": "text"}}}}}, "name"`, 1))
			out[i].Better = map[string]json.RawMessage{"tool.line.text": json.RawMessage(`{"type":"` + better + `"}`)}
		}
		return out
	}
	typeOf := func(s *site, index string) any {
		return dig(s.Must(t, "GET", index+"/_mapping", nil)[index], "mappings", "properties", "tool", "properties", "line", "fields", "text", "type")
	}
	reconcile := func(s *site, list []esindex.Template) (changed []string) {
		t.Helper()
		steps, err := s.client.Reconcile(t.Context(), list, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, step := range steps {
			if step.Changed() {
				changed = append(changed, step.String())
			}
		}
		return changed
	}
	inspected := func(s *site, list []esindex.Template) {
		t.Helper()
		store, err := esindex.NewStore(s.client, list)
		if err != nil {
			t.Fatal(err)
		}
		found, err := store.Inspect(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, index := range found {
			if len(index.Fields) > 0 || len(index.Odd) > 0 {
				t.Errorf("%s differs from its template: %v, %v", index.Name, index.Fields, index.Odd)
			}
		}
	}
	for better, want := range map[string]string{"binary": "binary", "no_such_type": "text"} {
		s := newSite(t, node, nil)
		list := with(s.prefix, better)
		// The index is there without the field, as one of an earlier build is.
		install(t, s.client, templates(s.prefix, 1))
		if got := strings.Join(reconcile(s, list), "\n"); !strings.Contains(got, "field tool.line.text: added") && !strings.Contains(got, "field tool.line: added") {
			t.Errorf("%s: set-up did:\n%s", better, got)
		}
		if got := typeOf(s, s.prefix+"-things"); got != want {
			t.Errorf("%s: the index has line.text as %v, want %s", better, got, want)
		}
		if got := reconcile(s, list); len(got) > 0 {
			t.Errorf("%s: set-up again did %v", better, got)
		}
		store, err := esindex.NewStore(s.client, list)
		if err != nil {
			t.Fatal(err)
		}
		// A month gets it from the template, whoever makes the index.
		month := s.prefix + "-months-2026.01"
		if _, err := store.EnsureIndex(t.Context(), month); err != nil {
			t.Fatal(err)
		}
		if got := typeOf(s, month); got != want {
			t.Errorf("%s: the month has line.text as %v, want %s", better, got, want)
		}
		inspected(s, list)
	}
	// The cluster gains the type: what is there stays and is well, and what
	// comes has it.
	s := newSite(t, node, nil)
	plain := with(s.prefix, "binary")
	for i := range plain {
		plain[i].Better = nil
	}
	install(t, s.client, plain)
	list := with(s.prefix, "binary")
	if got := strings.Join(reconcile(s, list), "\n"); !strings.Contains(got, "field tool.line.text is text, not binary: updated") || strings.Contains(got, "index "+s.prefix+"-things:") {
		t.Errorf("set-up did:\n%s", got)
	}
	if got := typeOf(s, s.prefix+"-things"); got != "text" {
		t.Errorf("the index has line.text as %v", got)
	}
	inspected(s, list)
}
