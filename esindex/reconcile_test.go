package esindex_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"dossier/correlate/commit"
	"dossier/esindex"
	"dossier/testbed/esnode"
)

// changed returns templates with other texts in their bodies.
func changed(list []esindex.Template, oldnew ...string) []esindex.Template {
	out := slices.Clone(list)
	for i := range out {
		out[i].Body = json.RawMessage(strings.NewReplacer(oldnew...).Replace(string(out[i].Body)))
	}
	return out
}

// reconciled returns what Reconcile says, without the prefix.
func (s *site) reconciled(t *testing.T, templates []esindex.Template, chosen ...esindex.Choice) string {
	t.Helper()
	steps, err := s.client.Reconcile(t.Context(), templates, chosen)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, step := range steps {
		lines = append(lines, strings.ReplaceAll(step.String(), s.prefix+"-", ""))
	}
	return strings.Join(lines, "\n")
}

func (s *site) wantReconciled(t *testing.T, templates []esindex.Template, chosen []esindex.Choice, want ...string) {
	t.Helper()
	if got := s.reconciled(t, templates, chosen...); got != strings.Join(want, "\n") {
		t.Errorf("it said:\n%s\nwant:\n%s", got, strings.Join(want, "\n"))
	}
}

// settings returns the settings of an index or of a component template.
func (s *site) setting(t *testing.T, index, name string) any {
	t.Helper()
	return dig(s.Must(t, "GET", s.prefix+"-"+index+"/_settings?flat_settings=true", nil)[s.prefix+"-"+index], "settings", "index."+name)
}

var kept = []string{"index template things: kept", "index things: kept", "alias alias: kept", "index template months: kept"}

// TestReconcileSettings: what is chosen gets into templates and indices, once;
// what is not chosen stays as it is, also when a newer version upgrades.
func TestReconcileSettings(t *testing.T) {
	s := newSite(t, esnode.Shared(t), nil)
	s.wantReconciled(t, s.templates, nil, "index template things: created", "index things: created", "alias alias: created", "index template months: created")
	write(t, s.store, commit.Op{Key: commit.Key{Index: s.prefix + "-months-a", ID: "1"}, Body: doc("1", "")})
	s.wantReconciled(t, s.templates, nil, kept...)
	all := []esindex.Choice{esindex.Shards, esindex.Replicas, esindex.RefreshInterval}
	s.wantReconciled(t, s.templates, all, kept...)

	// Another spelling of the same differs in nothing.
	s.wantReconciled(t, changed(s.templates, `"5s"`, `"5000ms"`, `"number_of_shards": 1`, `"number_of_shards": "1"`), all, kept...)

	other := changed(s.templates, `"5s"`, `"90s"`, `"number_of_shards": 1`, `"number_of_shards": 3`, `"auto_expand_replicas": "0-1"`, `"number_of_replicas": 2`)
	s.wantReconciled(t, other, nil, kept...)
	s.wantReconciled(t, other, []esindex.Choice{esindex.RefreshInterval},
		"index template things: refresh_interval 5s → 1m30s: updated",
		"index things: refresh_interval 5s → 1m30s: updated",
		"alias alias: kept",
		"index template months: refresh_interval 5s → 1m30s: updated",
		"index months-a: refresh_interval 5s → 1m30s: updated")
	s.wantReconciled(t, other, []esindex.Choice{esindex.Shards, esindex.Replicas},
		"index template things: number_of_shards 1 → 3: updated",
		"index template things: number_of_replicas auto → 2: updated",
		"index things: number_of_shards 1 → 3: can't change on an existing index; reindex it to have it",
		"index things: number_of_replicas auto → 2: updated",
		"alias alias: kept",
		"index template months: number_of_shards 1 → 3: updated",
		"index template months: number_of_replicas auto → 2: updated",
		"index months-a: number_of_shards 1 → 3: can't change on an existing index; those made from now on have it",
		"index months-a: number_of_replicas auto → 2: updated")
	write(t, s.store, commit.Op{Key: commit.Key{Index: s.prefix + "-months-b", ID: "1"}, Body: doc("1", "")})
	for _, index := range []string{"things", "months-a", "months-b"} {
		for name, want := range map[string]any{"refresh_interval": "90s", "number_of_replicas": "2"} {
			if got := s.setting(t, index, name); got != want {
				t.Errorf("%s: %s is %v, want %v", index, name, got, want)
			}
		}
		if auto := s.setting(t, index, "auto_expand_replicas"); auto != nil && auto != "false" {
			t.Errorf("%s: auto_expand_replicas is %v beside a number", index, auto)
		}
	}
	if got := s.setting(t, "months-b", "number_of_shards"); got != "3" {
		t.Errorf("a new index has %v shards, want 3", got)
	}
	// Nobody asks: nothing goes back, by an operator, an upgrade of his or a
	// sensor's.
	s.wantReconciled(t, s.templates, nil, kept...)
	newer := templates(s.prefix, 2)
	s.wantReconciled(t, newer, nil,
		"index template things: upgraded from version 1", "mapping things: upgraded from version 1", "index things: kept", "alias alias: kept",
		"index template months: upgraded from version 1", "mapping months-a: upgraded from version 1", "mapping months-b: upgraded from version 1")
	if got := install(t, s.client, templates(s.prefix, 3)); !strings.Contains(got, "upgraded from version 2") {
		t.Error(got)
	}
	if got := s.reconciled(t, changed(templates(s.prefix, 3), `"5s"`, `"90s"`), esindex.RefreshInterval); strings.Contains(got, "refresh") {
		t.Errorf("an upgrade took the interval back:\n%s", got)
	}
	// An older command may choose, and leaves all else to the newer version.
	s.wantReconciled(t, s.templates, []esindex.Choice{esindex.Replicas},
		"index template things: kept, it is newer (version 3)", "index template things: number_of_replicas 2 → auto: updated",
		"index things: number_of_replicas 2 → auto: updated", "alias alias: kept",
		"index template months: kept, it is newer (version 3)", "index template months: number_of_replicas 2 → auto: updated",
		"index months-a: number_of_replicas 2 → auto: updated", "index months-b: number_of_replicas 2 → auto: updated")
	if got := s.setting(t, "months-b", "auto_expand_replicas"); got != "0-1" {
		t.Errorf("auto_expand_replicas is %v", got)
	}
	if got := s.reconciled(t, s.templates, esindex.Replicas); strings.Contains(got, "→") {
		t.Errorf("again:\n%s", got)
	}
}

// TestReconcileLeavesTheOperatorsOwn: what stands in <name>@custom goes before.
func TestReconcileLeavesTheOperatorsOwn(t *testing.T) {
	s := newSite(t, esnode.Shared(t), nil)
	custom := "_component_template/" + s.prefix + "-things@custom"
	s.Must(t, "PUT", custom, `{"template":{"settings":{"refresh_interval":"30s"}}}`)
	t.Cleanup(func() {
		s.Do(t.Context(), "DELETE", "_index_template/"+s.prefix+"-things", nil)
		s.Do(t.Context(), "DELETE", custom, nil)
	})
	s.reconciled(t, s.templates)
	got := s.reconciled(t, changed(s.templates, `"5s"`, `"7s"`), esindex.RefreshInterval)
	for _, want := range []string{
		"index template things: refresh_interval 30s stays: things@custom sets it, which goes before; change it there",
		"index template months: refresh_interval 5s → 7s: updated",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if got := s.setting(t, "things", "refresh_interval"); got != "30s" {
		t.Errorf("the index has %v", got)
	}
}

// TestReconcileFields: somebody changed a template and the indices.
func TestReconcileFields(t *testing.T) {
	s := newSite(t, esnode.Shared(t), nil)
	s.reconciled(t, changed(s.templates, `"count": {"type": "long"}`, `"count": {"type": "text"}, "stray": {"type": "ip"}`, `"name": {"type": "keyword"}`, `"name": {"type": "keyword", "ignore_above": 7}`))
	more := changed(s.templates, `"name": {"type": "keyword"}`, `"name": {"type": "keyword", "ignore_above": 9}, "deep": {"properties": {"er": {"type": "date"}}}`)
	more = changed(more, `"refresh_interval": "5s"`, `"refresh_interval": "5s", "translog.durability": "request"`)
	// By hand, under the same version.
	s.Must(t, "PUT", s.prefix+"-things/_settings", `{"index.translog.durability":"async"}`)
	s.wantReconciled(t, more, nil,
		"index template things: translog.durability unset → request: updated",
		"index template things: field count is text, not long: updated",
		"index template things: field deep.er (date) is missing: updated",
		"index template things: field name is keyword with ignore_above 7, not keyword with ignore_above 9: updated",
		"index template things: field stray: removed; fields of your own belong into things@custom",
		"index things: translog.durability async → request: updated",
		"index things: field count is text, not long: can't change on an existing index; reindex it",
		"index things: field name keyword with ignore_above 7 → keyword with ignore_above 9: updated",
		"index things: field deep.er: added",
		"alias alias: kept",
		"index template months: translog.durability unset → request: updated",
		"index template months: field count is text, not long: updated",
		"index template months: field deep.er (date) is missing: updated",
		"index template months: field name is keyword with ignore_above 7, not keyword with ignore_above 9: updated",
		"index template months: field stray: removed; fields of your own belong into months@custom")
	s.wantReconciled(t, more, nil,
		"index template things: kept", "index things: field count is text, not long: can't change on an existing index; reindex it",
		"alias alias: kept", "index template months: kept")
	store, err := esindex.NewStore(s.client, more)
	if err != nil {
		t.Fatal(err)
	}
	found, err := store.Inspect(t.Context())
	if err != nil || len(found) != 1 {
		t.Fatalf("%+v, %v", found, err)
	}
	i := found[0]
	if i.Name != s.prefix+"-things" || i.Kind != s.prefix+"-things" || i.Schema != 1 || i.Err != nil || len(i.Fields) != 1 ||
		i.Fields[0].String() != "field count is text, not long" || i.Setting("translog.durability") != "request" || i.Setting("blocks.write") != "" {
		t.Errorf("%+v", i)
	}
	// The pattern and the order of the templates.
	s.Must(t, "PUT", "_index_template/"+s.prefix+"-months", map[string]any{
		"index_patterns": []string{s.prefix + "-moonths-*"}, "priority": 7,
		"composed_of": []string{s.prefix + "-months@package"}, "_meta": map[string]any{"dossier": map[string]any{"schema": 1}},
	})
	got := s.reconciled(t, more)
	for _, want := range []string{"priority 7 → 500: updated", `months-*"]: updated`, "index template months: composed_of "} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if got := s.reconciled(t, more); strings.Count(got, "updated") != 0 {
		t.Errorf("again:\n%s", got)
	}
}

// TestReconcileLeavesOthersAlone: what is not ours is neither changed nor
// passed over in silence.
func TestReconcileLeavesOthersAlone(t *testing.T) {
	s := newSite(t, esnode.Shared(t), nil)
	s.reconciled(t, s.templates)
	s.Must(t, "DELETE", "_index_template/"+s.prefix+"-months", nil)
	s.Must(t, "PUT", s.prefix+"-months-a", `{"settings":{"refresh_interval":"60s"}}`)
	got := s.reconciled(t, changed(s.templates, `"5s"`, `"7s"`), esindex.RefreshInterval)
	if !strings.Contains(got, "index months-a: left alone: ") || s.setting(t, "months-a", "refresh_interval") != "60s" {
		t.Errorf("the month of somebody else:\n%s", got)
	}
}

func TestStepsThatChangedNothing(t *testing.T) {
	for done, changed := range map[string]bool{
		"kept": false, "kept at version 1: x": false, "left alone: x": false, "number_of_shards 1 → 3: can't change on an existing index": false,
		"refresh_interval 30s stays: x": false, "created": true, "field a: added": true, "upgraded from version 1": true, "a 1 → 2: updated": true,
	} {
		if got := (esindex.Step{Object: "index", Name: "x", Done: done}).Changed(); got != changed {
			t.Errorf("%s: changed is %v", done, got)
		}
	}
}

// TestTemplatesCarryVersionAndHash: both templates say what version set what,
// so that an edit by hand is told from another version's.
func TestTemplatesCarryVersionAndHash(t *testing.T) {
	s := newSite(t, esnode.Shared(t), nil)
	s.reconciled(t, s.templates)
	component, index := "_component_template/"+s.prefix+"-things@package", "_index_template/"+s.prefix+"-things"
	hashes := func() (string, string) {
		t.Helper()
		one := func(path, list, inner string) string {
			found, _ := s.Must(t, "GET", path, nil)[list].([]any)
			if len(found) != 1 {
				t.Fatalf("%s: %v", path, found)
			}
			of := dig(found[0], inner, "_meta", "dossier")
			if dig(of, "schema") == nil {
				t.Errorf("%s: no version: %v", path, of)
			}
			hash, _ := dig(of, "hash").(string)
			return hash
		}
		return one(component, "component_templates", "component_template"), one(index, "index_templates", "index_template")
	}
	a, b := hashes()
	if len(a) != 16 || a != b {
		t.Fatalf("the component template has the hash %q, the index template %q; want one of 16 digits", a, b)
	}
	// Choices are the operator's, and other spellings of the same are the same.
	s.wantReconciled(t, changed(s.templates, `"5s"`, `"5000ms"`), nil, kept...)
	s.reconciled(t, changed(s.templates, `"5s"`, `"9s"`), esindex.RefreshInterval)
	if now, _ := hashes(); now != a {
		t.Errorf("a choice changed the hash from %s to %s", a, now)
	}
	newer := changed(s.templates, `"name": {"type": "keyword"}`, `"name": {"type": "keyword"}, "more": {"type": "ip"}`)
	s.reconciled(t, newer)
	more, _ := hashes()
	if more == a {
		t.Error("a new field left the hash as it was")
	}

	// Somebody edits it by hand, and says nothing in _meta.
	part := s.Must(t, "GET", component, nil)["component_templates"].([]any)[0].(map[string]any)["component_template"]
	b2, err := json.Marshal(part)
	if err != nil {
		t.Fatal(err)
	}
	s.Must(t, "PUT", component, strings.Replace(string(b2), `"more":{"type":"ip"}`, `"more":{"type":"keyword"}`, 1))
	s.wantReconciled(t, newer, nil,
		"index template things: somebody changed it since Dossier wrote it: updated",
		"index template things: field more is keyword, not ip: updated",
		"index things: kept", "alias alias: kept", "index template months: kept")
	if now, _ := hashes(); now != more {
		t.Errorf("the hash is %s, want %s", now, more)
	}

	// A version from before there were hashes wrote it: it gets one, once.
	s.Must(t, "PUT", component, strings.Replace(string(b2), `"hash":"`+more+`",`, "", 1))
	var whole map[string]any
	whole = s.Must(t, "GET", index, nil)["index_templates"].([]any)[0].(map[string]any)["index_template"].(map[string]any)
	delete(dig(whole, "_meta", "dossier").(map[string]any), "hash")
	s.Must(t, "PUT", index, whole)
	s.wantReconciled(t, newer, nil, "index template things: hash unset → "+more+": updated", "index things: kept", "alias alias: kept", "index template months: kept")
	s.wantReconciled(t, newer, nil, kept...)
}
