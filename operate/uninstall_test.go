package operate

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"dossier/esindex"
)

// under returns all that has a name under a prefix, but for what is named after another.
func (s *site) under(t *testing.T, prefix string) (out []string) {
	t.Helper()
	collect := func(path string, names func(found map[string]any)) {
		code, found, err := s.node.Do(t.Context(), "GET", path, nil)
		if err != nil || code != 200 && code != 404 {
			t.Fatal(path, code, err)
		}
		if code == 200 {
			names(found)
		}
	}
	take := func(kind, name string) {
		if strings.HasPrefix(name, prefix+"-") && !strings.HasPrefix(name, prefix+"-2-") || strings.Contains(name, "ti_"+prefix+".") {
			out = append(out, kind+" "+name)
		}
	}
	collect(prefix+"*?expand_wildcards=all&filter_path=*.aliases,*.settings.index.uuid", func(found map[string]any) {
		for name, index := range found {
			take("index", name)
			if aliases, ok := index.(map[string]any)["aliases"].(map[string]any); ok {
				for alias := range aliases {
					take("alias", alias)
				}
			}
		}
	})
	for _, kind := range []string{"index_template", "component_template"} {
		collect("_"+kind+"?filter_path=*.name", func(found map[string]any) {
			list, _ := found[kind+"s"].([]any)
			for _, f := range list {
				take(kind, f.(map[string]any)["name"].(string))
			}
		})
	}
	collect("_security/role", func(found map[string]any) {
		for name := range found {
			take("role", name)
		}
	})
	collect("_security/api_key?active_only=true", func(found map[string]any) {
		for _, k := range found["api_keys"].([]any) {
			take("key", k.(map[string]any)["name"].(string))
		}
	})
	slices.Sort(out)
	return out
}

// TestUninstall: afterwards nothing of the prefix is left, an index that stands behind an
// alias of ours included; what isn't ours, and prefixes that begin alike, are as they were.
func TestUninstall(t *testing.T) {
	s := secured(t)
	prefix := newPrefix()
	set := func(prefix string) *Target {
		t.Helper()
		target := s.admin(t, prefix)
		key := Key{Role: "writer", Name: "one", File: filepath.Join(t.TempDir(), "one.key")}
		if err := target.Setup(t.Context(), Setup{Keys: []Key{key}}, func(esindex.Step) {}); err != nil {
			t.Fatal(err)
		}
		return target
	}
	// Before there are templates, from which they would have what says whose they are.
	foreign := []string{"index " + prefix + "-attackers-backup", "index " + prefix + "-activity-2026.13", "index " + prefix + "-transitions-2020.01", "component_template " + prefix + "-attackers@custom"}
	for _, f := range foreign[:3] {
		s.node.Must(t, "PUT", strings.TrimPrefix(f, "index "), `{"settings":{"number_of_replicas":0}}`)
	}
	target := set(prefix)
	neighbours := []string{prefix + "-2", prefix + "x"}
	before := map[string][]string{}
	for _, n := range neighbours {
		set(n)
		if before[n] = s.under(t, n); len(before[n]) < 40 {
			t.Fatalf("%s has only %q", n, before[n])
		}
	}
	// Its attackers were moved into another index, and an operator has settings of their own.
	mapping, err := json.Marshal(s.node.Must(t, "GET", prefix+"-attackers/_mapping", nil)[prefix+"-attackers-000001"])
	if err != nil {
		t.Fatal(err)
	}
	s.node.Must(t, "DELETE", prefix+"-attackers-000001", nil)
	moved := strings.TrimSuffix(string(mapping), "}") + fmt.Sprintf(`,"aliases":{%q:{},"logs-ti_%s.attackers":{}}}`, prefix+"-attackers", prefix)
	s.node.Must(t, "PUT", prefix+"-attackers-000002", moved)
	s.node.Must(t, "PUT", "_component_template/"+prefix+"-attackers@custom", `{"template":{"settings":{"index.refresh_interval":"9s"}}}`)
	t.Cleanup(func() {
		for _, n := range append(neighbours, prefix) {
			if i, err := s.admin(t, n).Installed(t.Context()); err == nil {
				s.admin(t, n).Uninstall(t.Context(), i, false, func(esindex.Step) {}) //nolint:errcheck // the site goes after the tests
			}
		}
	})

	kept, err := target.Installed(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(kept.Left) != 4 || !slices.Contains(kept.Indices, prefix+"-attackers-000002") || slices.Contains(kept.Indices, prefix+"-attackers") || len(kept.Keys) != 1 || len(kept.Writing) != 0 {
		t.Fatalf("%+v", kept)
	}
	var said []string
	if err := target.Uninstall(t.Context(), kept, true, func(s esindex.Step) { said = append(said, s.String()) }); err != nil {
		t.Fatal(err)
	}
	if left := s.under(t, prefix); slices.ContainsFunc(left, func(l string) bool {
		return !strings.HasPrefix(l, "index ") && !strings.HasPrefix(l, "alias ") && !slices.Contains(foreign, l)
	}) || len(left) < 12 {
		t.Errorf("with --keep-data is left: %q", left)
	}
	all, err := target.Installed(t.Context())
	if err != nil || len(all.Keys)+len(all.Roles)+len(all.Templates)+len(all.Components) != 0 || len(all.Indices) != len(kept.Indices) {
		t.Fatalf("%+v, %v", all, err)
	}
	if err := target.Uninstall(t.Context(), all, false, func(s esindex.Step) { said = append(said, s.String()) }); err != nil {
		t.Fatal(err)
	}
	slices.Sort(foreign)
	if left := s.under(t, prefix); !slices.Equal(left, foreign) {
		t.Errorf("left: %q, want %q", left, foreign)
	}
	if n := len(kept.Steps("")); len(said) != n {
		t.Errorf("%d things told, %d were there:\n%s", len(said), n, strings.Join(said, "\n"))
	}
	for _, n := range neighbours {
		if now := s.under(t, n); !slices.Equal(now, before[n]) {
			t.Errorf("%s: %q\nbefore: %q", n, now, before[n])
		}
	}
	if i, err := target.Installed(t.Context()); err != nil || !i.Empty() {
		t.Errorf("%+v, %v", i, err)
	}
	for _, f := range foreign {
		if name, ok := strings.CutPrefix(f, "index "); ok {
			s.node.Must(t, "DELETE", name, nil)
		}
	}
	s.node.Must(t, "DELETE", "_component_template/"+prefix+"-attackers@custom", nil)
}
