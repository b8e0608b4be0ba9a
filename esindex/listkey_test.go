package esindex_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"dossier/esindex"
	"dossier/testbed/esnode"
)

// withListKey are the templates of a site whose one index has a list key.
func withListKey(prefix string) []esindex.Template {
	all := templates(prefix, 1)
	for i := range all {
		if !strings.HasSuffix(all[i].Pattern, "*") {
			all[i].ListKey = "list_key"
		}
	}
	return all
}

// Set-ups that race agree on one list key, none that comes later changes it,
// be it an older version's that knows nothing of keys, and Elasticsearch
// itself refuses another.
func TestListKeyIsSetOnce(t *testing.T) {
	s := newSite(t, esnode.Shared(t), nil)
	old, all := templates(s.prefix, 1), withListKey(s.prefix)
	if _, err := s.client.ListKey(t.Context(), all); !errors.Is(err, esindex.ErrMissing) {
		t.Errorf("before there is an index: %v", err)
	}
	install(t, s.client, old)
	if _, err := s.client.ListKey(t.Context(), all); !errors.Is(err, esindex.ErrNoListKey) || !strings.Contains(err.Error(), "run dossier setup") {
		t.Errorf("an index from before there were keys: %v", err)
	}
	var group sync.WaitGroup
	keys := make([][esindex.ListKeySize]byte, 6)
	created := make([]int, len(keys))
	for i := range keys {
		group.Go(func() {
			steps, err := s.client.Install(t.Context(), all)
			if err != nil {
				t.Error(err)
			}
			for _, step := range steps {
				if step.Object == "list key" && step.Done == "created" {
					created[i]++
				}
			}
			if keys[i], err = s.client.ListKey(t.Context(), all); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	made := 0
	for i := range keys {
		made += created[i]
		if keys[i] != keys[0] || keys[i] == ([esindex.ListKeySize]byte{}) {
			t.Errorf("set-up %d reads another key, or none", i)
		}
	}
	if made != 1 {
		t.Errorf("%d set-ups say that they made the key", made)
	}
	newer := templates(s.prefix, 2) // it writes the whole mapping anew
	install(t, s.client, newer)
	for _, do := range []func() error{
		func() error { _, err := s.client.Reconcile(t.Context(), newer, nil); return err },
		func() error { _, err := s.client.Reconcile(t.Context(), all, nil); return err },
	} {
		if err := do(); err != nil {
			t.Fatal(err)
		}
		if key, err := s.client.ListKey(t.Context(), all); err != nil || key != keys[0] {
			t.Errorf("after another set-up: the key is another one, %v", err)
		}
	}
	status, _, err := s.Do(t.Context(), "PUT", s.prefix+"-things/_mapping", map[string]any{"properties": map[string]any{
		"list_key": map[string]any{"type": "keyword", "index": false, "doc_values": false, "null_value": strings.Repeat("0", 32)},
	}})
	if err != nil || status != 400 {
		t.Errorf("another key: status %d, %v; want 400", status, err)
	}
	store, err := esindex.NewStore(s.client, all)
	if err != nil {
		t.Fatal(err)
	}
	found, err := store.Inspect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, index := range found {
		for _, odd := range index.Odd {
			if strings.Contains(odd.Text, "list_key") {
				t.Errorf("%s: %s", index.Name, odd.Text)
			}
		}
	}
	// Field capabilities, by which Kibana learns of fields, don't show it.
	status, caps, err := s.Do(t.Context(), "GET", s.prefix+"-things/_field_caps?fields=*&include_unmapped=true", nil)
	if err != nil || status != 200 || strings.Contains(fmt.Sprint(caps), "null_value") {
		t.Errorf("field capabilities: status %d, %v: %.300s", status, err, fmt.Sprint(caps))
	}
	for _, other := range []string{"", "zz", strings.Repeat("a", 30), strings.Repeat("g", 32)} {
		name := s.prefix + "-things"
		s.Must(t, "DELETE", name, nil)
		install(t, s.client, old)
		s.Must(t, "PUT", name+"/_mapping", map[string]any{"properties": map[string]any{"list_key": map[string]any{"type": "keyword", "null_value": other}}})
		_, err := s.client.ListKey(t.Context(), all)
		if !errors.Is(err, esindex.ErrForeign) || other != "" && strings.Contains(err.Error(), other) {
			t.Errorf("%q in place of a key: %v", other, err)
		}
	}
}
