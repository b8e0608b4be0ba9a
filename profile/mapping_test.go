package profile

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func TestNamesAreUniqueAndNoObjectHoldsAValue(t *testing.T) {
	for _, k := range Kinds() {
		seen := map[string]bool{}
		for _, f := range Fields(k) {
			if seen[f.Name] {
				t.Errorf("%s: %s stands in the table twice", k, f.Name)
			}
			seen[f.Name] = true
		}
		for name := range seen {
			for i := strings.LastIndexByte(name, '.'); i >= 0; i = strings.LastIndexByte(name[:i], '.') {
				if seen[name[:i]] {
					t.Errorf("%s: %s has %s inside", k, name[:i], name)
				}
			}
		}
	}
}

func TestMappings(t *testing.T) {
	for _, k := range Kinds() {
		var m struct {
			Meta       Meta `json:"_meta"`
			Dynamic    any
			Properties map[string]any
		}
		if err := json.Unmarshal(Mappings(k), &m); err != nil {
			t.Fatal(err)
		}
		if m.Dynamic != false {
			t.Errorf("%s: dynamic is %v, want false", k, m.Dynamic)
		}
		if m.Meta.Product != Product || m.Meta.Kind != k.String() || m.Meta.SchemaVersion != SchemaVersion {
			t.Errorf("%s: _meta is %+v", k, m.Meta)
		}
		for _, f := range Fields(k) {
			at := m.Properties
			parts := strings.Split(f.Name, ".")
			for i, part := range parts {
				property, _ := at[part].(map[string]any)
				if property == nil {
					t.Errorf("%s: %s isn't mapped", k, f.Name)
					break
				}
				if i < len(parts)-1 {
					at, _ = property["properties"].(map[string]any)
					continue
				}
				if property["type"] != string(f.Type) {
					t.Errorf("%s: %s is %v, want %s", k, f.Name, property["type"], f.Type)
				}
				if path, _ := property["path"].(string); path != f.Path {
					t.Errorf("%s: %s is another name of %q, want %q", k, f.Name, path, f.Path)
				}
				if f.Type == Object && property["enabled"] != false {
					t.Errorf("%s: the object %s is parsed", k, f.Name)
				}
			}
		}
	}
}

func TestTemplates(t *testing.T) {
	templates, err := Templates(TemplateOptions{Prefix: "decoys", IPv6Prefix: 64})
	if err != nil {
		t.Fatal(err)
	}
	if len(templates) != len(Kinds()) {
		t.Fatalf("%d templates for %d kinds", len(templates), len(Kinds()))
	}
	for _, template := range templates {
		var body struct {
			Settings struct {
				Index map[string]any
			}
			Mappings struct {
				Meta Meta `json:"_meta"`
			}
			Aliases map[string]any
		}
		if err := json.Unmarshal(template.Body, &body); err != nil {
			t.Fatal(err)
		}
		want := "decoys-" + template.Kind.String()
		if template.Kind.Monthly() {
			want += "-*"
		}
		if template.Pattern != want {
			t.Errorf("%s: pattern %s", template.Name, template.Pattern)
		}
		index := body.Settings.Index
		if index["translog.durability"] != "request" || index["auto_expand_replicas"] != "0-1" || index["refresh_interval"] != "5s" || index["number_of_shards"] != 1.0 {
			t.Errorf("%s: settings %v", template.Name, index)
		}
		_, alias := body.Aliases[Alias("decoys")]
		if alias != (template.Kind == Attackers) {
			t.Errorf("%s: aliases %v", template.Name, body.Aliases)
		}
		byLength := template.Kind == Attackers || template.Kind == Targets || template.Kind == Activity || template.Kind == Transitions
		if byLength != (body.Mappings.Meta.IPv6Prefix == 64) {
			t.Errorf("%s: _meta %+v", template.Name, body.Mappings.Meta)
		}
	}
}

func TestTemplateOptionsAreChecked(t *testing.T) {
	for name, o := range map[string]TemplateOptions{
		"upper case":          {Prefix: "Dossier"},
		"wildcard":            {Prefix: "dossier*"},
		"leading hyphen":      {Prefix: "-dossier"},
		"under logs-*-*":      {Prefix: "logs-decoys"},
		"metrics-*-*":         {Prefix: "metrics"},
		"too many shards":     {Shards: 65},
		"too many replicas":   {Replicas: new(6)},
		"interval of an hour": {RefreshInterval: time.Hour},
		"prefix length 8":     {IPv6Prefix: 8},
	} {
		if _, err := Templates(o); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
