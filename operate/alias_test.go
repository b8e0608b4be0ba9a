package operate

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"dossier/esindex"
	"dossier/profile"
)

// TestAliasLeavesOutTheHarmless: the alias for threat intelligence shows who may mean
// harm and who only says that he doesn't; one without that filter is given it, once.
func TestAliasLeavesOutTheHarmless(t *testing.T) {
	target, node := plain(t, false, nil)
	setup := func() string {
		var steps []string
		if err := target.Setup(t.Context(), Setup{Roles: "off"}, func(s esindex.Step) { steps = append(steps, s.String()) }); err != nil {
			t.Fatal(err)
		}
		return strings.Join(steps, "\n")
	}
	setup()
	index, alias := target.indices.Attackers(), profile.Alias(target.o.IndexPrefix)
	for id, basis := range map[string]string{"a": `"network"`, "b": `"dns"`, "c": `"noise"`, "d": `"announced"`, "e": "null"} {
		node.Must(t, "PUT", index+"/_doc/"+id+"?refresh=true", `{"classification_basis":`+basis+`}`)
	}
	shown := func() (ids []string) {
		found := node.Must(t, "POST", alias+"/_search", `{"size":10}`)
		for _, h := range found["hits"].(map[string]any)["hits"].([]any) {
			ids = append(ids, h.(map[string]any)["_id"].(string))
		}
		slices.Sort(ids)
		return ids
	}
	want := []string{"d", "e"}
	if got := shown(); !slices.Equal(got, want) {
		t.Errorf("a new index: %q, want %q", got, want)
	}
	// As a version before this one has made it.
	index = esindex.NumberedIndex(index, 1)
	node.Must(t, "POST", "_aliases", fmt.Sprintf(`{"actions":[{"remove":{"index":%q,"alias":%q}},{"add":{"index":%q,"alias":%q}}]}`, index, alias, index, alias))
	if got := shown(); len(got) != 5 {
		t.Fatalf("without a filter: %q", got)
	}
	if steps := setup(); !strings.Contains(steps, "alias "+alias+": its filter replaced") {
		t.Errorf("no step replaces the filter:\n%s", steps)
	}
	if got := shown(); !slices.Equal(got, want) {
		t.Errorf("after set-up: %q, want %q", got, want)
	}
	if steps := setup(); strings.Contains(steps, "replaced") {
		t.Errorf("replaced once more:\n%s", steps)
	}
}
