package profile

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"dossier/profile/internal/registry"
)

// ecsFile is what testdata/ecs.json holds of the Elastic Common Schema: the
// fields that the documents copy.
type ecsFile struct {
	Origin  string
	Version string
	Fields  map[string]ecsField
}

type ecsField struct {
	Type  string `json:"type"`
	Array bool   `json:"array,omitempty"`
	// Values are those that the schema allows or expects, where it names any.
	Values []string `json:"values,omitempty"`
}

func ecsFields(t *testing.T) ecsFile {
	t.Helper()
	var f ecsFile
	data, err := os.ReadFile("testdata/ecs.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &f); err != nil {
		t.Fatal(err)
	}
	return f
}

func TestECSCopiesAreValid(t *testing.T) {
	ecs := ecsFields(t)
	if ecs.Version != ecsVersion {
		t.Errorf("documents say ECS %s, checked are they against %s", ecsVersion, ecs.Version)
	}
	for kind, documents := range everyDocument(t) {
		for _, f := range Fields(kind) {
			spec, known := ecs.Fields[f.Name]
			// A heartbeat's message and the like are no ECS copies; what
			// looks like one must be one.
			if f.ECS != known && f.Name != "message" {
				t.Errorf("%s: %s is said to be ECS: %v, but is: %v", kind, f.Name, f.ECS, known)
			}
			if !f.ECS || !known {
				continue
			}
			// Wildcards are of the same family, for searches that begin with a
			// star; not every distribution has them.
			if string(f.Type) != spec.Type && (f.Type != Keyword || spec.Type != "wildcard") {
				t.Errorf("%s: %s is %s, in ECS %s", kind, f.Name, f.Type, spec.Type)
			}
			if spec.Array && !f.List {
				t.Errorf("%s: %s is one value, in ECS a list", kind, f.Name)
			}
			for _, doc := range documents {
				for _, v := range values(at(doc, f.Name)) {
					if len(spec.Values) > 0 && !slices.Contains(spec.Values, fmt.Sprint(v)) {
						t.Errorf("%s: %s is %v, in ECS one of %v", kind, f.Name, v, spec.Values)
					}
				}
			}
		}
	}
	for _, tlp := range Markings() {
		if spec := ecs.Fields["threat.indicator.marking.tlp"]; !slices.Contains(spec.Values, tlp) {
			t.Errorf("tlp %s is not among %v", tlp, spec.Values)
		}
	}
}

func values(v any) []any {
	if list, ok := v.([]any); ok {
		return list
	}
	if v == nil {
		return nil
	}
	return []any{v}
}

// The extract must be what the published package says.
func TestECSExtractIsFresh(t *testing.T) {
	committed := ecsFields(t)
	if committed.Version != registry.ECS.Version {
		t.Fatalf("the extract is of ECS %s, the package of %s", committed.Version, registry.ECS.Version)
	}
	dir := registry.Need(t, registry.ECS)
	names := map[string]bool{}
	for _, k := range Kinds() {
		for _, f := range Fields(k) {
			names[f.Name] = true
		}
	}
	const script = `
const {EcsFlat} = require(process.argv[1]);
const out = {};
for (const [name, f] of Object.entries(EcsFlat)) {
  const o = {type: f.type};
  if (f.normalize.includes('array')) o.array = true;
  const values = f.allowed_values ? f.allowed_values.map(v => v.name) : f.expected_values;
  if (values) o.values = values;
  out[name] = o;
}
console.log(JSON.stringify(out));`
	out, err := exec.Command("node", "-e", script, filepath.Join(dir, "generated", "ecs_flat.js")).Output()
	if err != nil {
		t.Skipf("SKIP: node can't read the package: %v", err)
	}
	all := map[string]ecsField{}
	if err := json.Unmarshal(out, &all); err != nil {
		t.Fatal(err)
	}
	want := map[string]ecsField{}
	for name, f := range all {
		if names[name] && name != "message" {
			want[name] = f
		}
	}
	if os.Getenv("UPDATE") != "" {
		committed.Fields = want
		data, err := json.MarshalIndent(committed, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile("testdata/ecs.json", append(data, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !reflect.DeepEqual(committed.Fields, want) {
		t.Errorf("testdata/ecs.json is not what @elastic/ecs %s says; UPDATE=1 writes it anew", committed.Version)
	}
}

// What Elastic Security's Indicators page and its indicator match rules ask
// for. Their queries run against a real node in the end-to-end tests.
func TestIndicatorPageFindsAttackers(t *testing.T) {
	for _, prefix := range []string{"dossier", "site-b", strings.Repeat("a", 100)} {
		if alias := Alias(prefix); !strings.HasPrefix(alias, "logs-ti_") || len(alias) > 255 {
			t.Errorf("the alias %s is outside their index pattern logs-ti_*, or too long", alias)
		}
	}
	for _, doc := range everyDocument(t)[Attackers] {
		for name, want := range map[string]string{
			"event.kind": "enrichment", "event.category": "[threat]", "event.type": "[indicator]",
		} {
			if got := fmt.Sprint(at(doc, name)); got != want {
				t.Errorf("%s is %s, want %s", name, got, want)
			}
		}
		for _, name := range []string{"threat.indicator.type", "threat.indicator.name", "threat.feed.name", "threat.indicator.first_seen", "@timestamp"} {
			if at(doc, name) == nil {
				t.Errorf("%s is missing", name)
			}
		}
		if at(doc, "source") != nil {
			t.Error("an indicator with a source address would match itself")
		}
	}
}
