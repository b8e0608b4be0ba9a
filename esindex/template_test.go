package esindex_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"dossier/correlate/commit"
	"dossier/esindex"
	"dossier/testbed/esnode"
)

func install(t *testing.T, c *esindex.Client, templates []esindex.Template) string {
	t.Helper()
	steps, err := c.Install(t.Context(), templates)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, s := range steps {
		lines = append(lines, s.String())
	}
	return strings.Join(lines, "\n")
}

// dig returns what stands at the path in a decoded answer.
func dig(v any, path ...string) any {
	for _, p := range path {
		m, _ := v.(map[string]any)
		v = m[p]
	}
	return v
}

func TestInstall(t *testing.T) {
	s := newSite(t, esnode.Shared(t), nil)
	p := s.prefix
	want := fmt.Sprintf("index template %[1]s-things: created\nindex %[1]s-things: created\nalias %[1]s-alias: created\nindex template %[1]s-months: created", p)
	if got := install(t, s.client, s.templates); got != want {
		t.Errorf("first:\n%s\nwant\n%s", got, want)
	}
	if got := install(t, s.client, s.templates); got != strings.ReplaceAll(want, "created", "kept") {
		t.Errorf("again:\n%s", got)
	}
	index := s.Must(t, "GET", p+"-things", nil)[p+"-things"]
	if dig(index, "settings", "index", "refresh_interval") != "5s" || dig(index, "settings", "index", "auto_expand_replicas") != "0-1" ||
		dig(index, "aliases", p+"-alias") == nil || dig(index, "mappings", "dynamic") != "false" ||
		dig(index, "mappings", "_meta", "dossier", "schema") != 1.0 || dig(index, "mappings", "_meta", "dossier", "ipv6_prefix") != "128" {
		t.Errorf("index: %v", index)
	}
	// A month is created by its first write, with settings of the template
	// and of an operator's own component template.
	s.Must(t, "PUT", "_component_template/"+p+"-months@custom", map[string]any{
		"template": map[string]any{"settings": map[string]any{"refresh_interval": "30s", "number_of_shards": 3}},
	})
	t.Cleanup(func() { s.Do(t.Context(), "DELETE", "_component_template/"+p+"-months@custom", nil) })
	month := commit.Key{Index: p + "-months-2026.01", ID: "1"}
	write(t, s.store, commit.Op{Key: month, Body: doc("1", "")})
	index = s.Must(t, "GET", month.Index, nil)[month.Index]
	if dig(index, "settings", "index", "refresh_interval") != "30s" || dig(index, "settings", "index", "number_of_shards") != "3" ||
		dig(index, "settings", "index", "auto_expand_replicas") != "0-1" || dig(index, "mappings", "_meta", "dossier", "schema") != 1.0 {
		t.Errorf("month: %v", index)
	}

	// A newer version upgrades; the older one then changes nothing and goes
	// on writing.
	newer := templates(p, 3)
	for i := range newer {
		newer[i].Body = json.RawMessage(strings.Replace(string(newer[i].Body), `"name"`, `"more": {"type": "ip"}, "name"`, 1))
	}
	got := install(t, s.client, newer)
	for _, part := range []string{
		"index template " + p + "-things: upgraded from version 1", "mapping " + p + "-things: upgraded from version 1",
		"mapping " + month.Index + ": upgraded from version 1", "index " + p + "-things: kept",
	} {
		if !strings.Contains(got, part) {
			t.Errorf("upgrade lacks %q:\n%s", part, got)
		}
	}
	index = s.Must(t, "GET", p+"-things", nil)[p+"-things"]
	if dig(index, "mappings", "properties", "more", "type") != "ip" || dig(index, "mappings", "_meta", "dossier", "schema") != 3.0 {
		t.Errorf("upgraded: %v", index)
	}
	if got := install(t, s.client, s.templates); strings.Count(got, "kept, it is newer (version 3)") != 2 || strings.Contains(got, "upgraded") {
		t.Errorf("downgrade:\n%s", got)
	}
	if w := write(t, s.store, commit.Op{Kind: commit.Put, Key: month, Body: doc("2", "")}); w[0].Status != commit.Done {
		t.Errorf("an older writer: %+v", w)
	}
	old, err := esindex.NewStore(s.client, s.templates)
	if err != nil {
		t.Fatal(err)
	}
	if w := write(t, old, commit.Op{Kind: commit.Put, Key: month, Body: doc("3", "")}); w[0].Status != commit.Done {
		t.Errorf("an older writer that starts: %+v", w)
	}
	// The newer one writes to indices with an older mapping.
	upgraded, err := esindex.NewStore(s.client, templates(p, 9))
	if err != nil {
		t.Fatal(err)
	}
	if w := write(t, upgraded, commit.Op{Kind: commit.Put, Key: month, Body: doc("4", "")}); w[0].Status != commit.Done {
		t.Errorf("a newer writer: %+v", w)
	}
}

func TestUpgradeThatElasticsearchRefusesLeavesTheMapping(t *testing.T) {
	s := newSite(t, esnode.Shared(t), nil)
	install(t, s.client, s.templates)
	newer := templates(s.prefix, 2)
	for i := range newer {
		newer[i].Body = json.RawMessage(strings.Replace(string(newer[i].Body), `"count": {"type": "long"}`, `"count": {"type": "ip"}, "more": {"type": "ip"}`, 1))
	}
	// The new field comes nevertheless, and the other one is named.
	got := install(t, s.client, newer)
	for _, want := range []string{
		"mapping " + s.prefix + "-things: kept at version 1: ", "index " + s.prefix + "-things: field more: added",
		"index " + s.prefix + "-things: field count is long, not ip: can't change on an existing index; reindex it",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if got := dig(s.Must(t, "GET", s.prefix+"-things/_mapping", nil)[s.prefix+"-things"], "mappings", "properties", "more", "type"); got != "ip" {
		t.Errorf("the new field is %v", got)
	}
	if got := install(t, s.client, newer); strings.Contains(got, "added") || !strings.Contains(got, "field count is long, not ip: can't change") {
		t.Errorf("again:\n%s", got)
	}
	if w := write(t, s.store, commit.Op{Key: s.things("1"), Body: doc("1", `,"count":1`)}); w[0].Status != commit.Done {
		t.Errorf("%+v", w)
	}
}

func TestFixedSettingDiffers(t *testing.T) {
	s := newSite(t, esnode.Shared(t), nil)
	install(t, s.client, s.templates)
	other := templates(s.prefix, 1)
	other[0].Fixed = map[string]string{"ipv6_prefix": "64"}
	_, err := s.client.Install(t.Context(), other)
	if !errors.Is(err, esindex.ErrFixed) || !strings.Contains(err.Error(), "set ipv6_prefix to 128") {
		t.Errorf("install: %v", err)
	}
	store, err := esindex.NewStore(s.client, other)
	if err != nil {
		t.Fatal(err)
	}
	_, err = store.Write(t.Context(), []commit.Op{{Key: s.things("1"), Body: doc("1", "")}})
	if !errors.Is(err, esindex.ErrFixed) {
		t.Errorf("write: %v", err)
	}
	t.Log(err)
}

func TestForeignTemplateStays(t *testing.T) {
	s := newSite(t, esnode.Shared(t), nil)
	s.Must(t, "PUT", "_index_template/"+s.prefix+"-things", map[string]any{"index_patterns": []string{s.prefix + "-things"}, "priority": 1})
	if _, err := s.client.Install(t.Context(), s.templates); !errors.Is(err, esindex.ErrForeign) {
		t.Error(err)
	}
}

func TestManyInstallAtOnce(t *testing.T) {
	s := newSite(t, esnode.Shared(t), nil)
	var g sync.WaitGroup
	for range 6 {
		g.Go(func() {
			if _, err := s.client.Install(t.Context(), s.templates); err != nil {
				t.Error(err)
			}
			store, err := esindex.NewStore(s.client, s.templates)
			if err != nil {
				t.Error(err)
				return
			}
			w, err := store.Write(t.Context(), []commit.Op{{Kind: commit.Put, Key: commit.Key{Index: s.prefix + "-months-a", ID: "1"}, Body: doc("1", "")}})
			if err != nil || w[0].Status != commit.Done {
				t.Errorf("%+v, %v", w, err)
			}
		})
	}
	g.Wait()
}

func TestTemplatesThatAreRefused(t *testing.T) {
	c := newClient(t, esindex.Options{Hosts: []string{"http://127.0.0.1:1"}})
	good := templates("x", 1)[0]
	for name, change := range map[string]func(*esindex.Template){
		"name":     func(t *esindex.Template) { t.Name = "A b" },
		"pattern":  func(t *esindex.Template) { t.Pattern = "x-*-y" },
		"all":      func(t *esindex.Template) { t.Pattern = "*" },
		"logs":     func(t *esindex.Template) { t.Pattern = "logs-x-*" },
		"metrics":  func(t *esindex.Template) { t.Pattern = "metrics-x" },
		"version":  func(t *esindex.Template) { t.Version = 0 },
		"body":     func(t *esindex.Template) { t.Body = json.RawMessage(`{`) },
		"member":   func(t *esindex.Template) { t.Body = json.RawMessage(`{"mappings":{},"index_patterns":["x"]}`) },
		"mappings": func(t *esindex.Template) { t.Body = json.RawMessage(`{"settings":{}}`) },
		"meta":     func(t *esindex.Template) { t.Body = json.RawMessage(`{"mappings":{"_meta":1}}`) },
		"fixed":    func(t *esindex.Template) { t.Fixed = map[string]string{"schema": "1"} },
	} {
		bad := good
		change(&bad)
		if _, err := esindex.NewStore(c, []esindex.Template{bad}); err == nil {
			t.Errorf("%s: a store takes it", name)
		}
		if _, err := c.Install(t.Context(), []esindex.Template{bad}); err == nil || strings.Contains(err.Error(), "refused") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
