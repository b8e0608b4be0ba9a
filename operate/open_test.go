package operate

import (
	"fmt"
	"strings"
	"testing"

	"dossier/analyst"
	"dossier/esindex"
)

// TestWithoutSecurity: a cluster that knows no users, of either product, is set
// up at once and again, and checked: it says what is missing there and finds
// nothing else.
func TestWithoutSecurity(t *testing.T) {
	target, node := plain(t, false, nil)
	setUp := func(s Setup) string {
		t.Helper()
		var steps []string
		if err := target.Setup(t.Context(), s, func(s esindex.Step) { steps = append(steps, s.String()) }); err != nil {
			t.Fatal(err)
		}
		return strings.Join(steps, "\n")
	}
	first := setUp(Setup{Months: monthsAhead})
	for _, want := range []string{
		"index template " + target.o.IndexPrefix + "-attackers: created", "index " + target.indices.Attackers() + "-000001: created",
		"roles " + target.o.IndexPrefix + "-*: left out: this cluster has no security",
	} {
		if !strings.Contains(first, want) {
			t.Errorf("no %q in\n%s", want, first)
		}
	}
	if again := setUp(Setup{Months: monthsAhead}); strings.Contains(again, "created") || strings.Contains(again, "updated") {
		t.Errorf("the second time:\n%s", again)
	}
	// An operator's own part is there to be filled, and stays.
	custom := "_component_template/" + target.o.IndexPrefix + "-attackers@custom"
	node.Must(t, "PUT", custom, `{"template":{"settings":{"index.max_result_window":20000}}}`)
	setUp(Setup{})
	if have := node.Must(t, "GET", custom, nil); !strings.Contains(fmt.Sprint(have), "20000") {
		t.Errorf("the operator's own: %v", have)
	}

	product, err := target.client.Product(t.Context())
	if err != nil || (product == esindex.OpenSearch) != node.IsOpenSearch() {
		t.Fatalf("%v, %v", product, err)
	}
	all := findings(t, target, "setup", "")
	for _, want := range []string{
		"ok   connection: cluster ", product.String() + " ", "WARN credentials: this cluster has no security", "ok   templates: ", "ok   indices: ", "ok   alias: ",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("no %q in\n%s", want, all)
		}
	}
	if strings.Contains(all, "FAIL") || strings.Count(all, "WARN") != 1 {
		t.Errorf("not well where it should be:\n%s", all)
	}

	if err := target.Retain(t.Context(), DefaultAges(), false, func(esindex.Step) {}); err != nil {
		t.Error(err)
	}
	if _, err := target.Keys(t.Context()); err == nil || !strings.Contains(err.Error(), map[bool]string{true: "on OpenSearch", false: "no security"}[node.IsOpenSearch()]) {
		t.Errorf("keys: %v", err)
	}
	if err := target.Setup(t.Context(), Setup{Roles: "on"}, func(esindex.Step) {}); err == nil {
		t.Error("roles were made without security")
	}
}

// TestCheckOnServerless: what Serverless doesn't tell is no fault. The answer is
// that which others were given by it.
func TestCheckOnServerless(t *testing.T) {
	var said []Finding
	k := checker{Target: &Target{}, out: func(f Finding) { said = append(said, f) }}
	k.failed("health", &esindex.Error{
		Op: "look at the indices' health", Status: 410, Type: "api_not_available_exception",
		Reason: "Request for uri [/_cluster/health] with method [GET] exists but is not available when running in serverless mode",
	})
	if len(said) != 1 || said[0].Level != Note || !strings.Contains(said[0].Text, "Serverless") {
		t.Errorf("%v", said)
	}
	body, err := withoutSettings(analyst.NotesBody())
	if err != nil || strings.Contains(string(body), "number_of_") || !strings.Contains(string(body), "mappings") {
		t.Errorf("%s, %v", body, err)
	}
}
