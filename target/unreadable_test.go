package target_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"dossier/correlate/commit"
	"dossier/plugin/options"
	"dossier/target"
)

// TestWhatIsAwayIsNotUnreadable: a document whose shard is away for now is none that
// somebody has to delete.
func TestWhatIsAwayIsNotUnreadable(t *testing.T) {
	answer := ""
	node := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Elastic-Product", "Elasticsearch")
		w.Header().Set("Content-Type", "application/json")
		if strings.HasSuffix(r.URL.Path, "_mget") {
			io.WriteString(w, answer)
			return
		}
		io.WriteString(w, `{"version":{"number":"8.19.0","build_flavor":"default"},"tagline":"You Know, for Search"}`)
	}))
	defer node.Close()
	properties := map[string]string{"es_hosts": node.URL}
	o, err := options.Parse(func(key string) string { return properties[key] }, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	c, err := target.Connect(o, "test")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	keys := []commit.Key{{Index: "dossier-attackers-000001", ID: "203.0.113.9"}}
	answer = `{"docs":[{"_index":"dossier-attackers-000001","_id":"203.0.113.9","error":{"type":"no_shard_available_action_exception","reason":"No shard available"}}]}`
	if found, err := c.Unreadable(t.Context(), keys); err == nil || len(found) > 0 {
		t.Errorf("its shard is away: %v, %v", found, err)
	}
	answer = `{"docs":[{"_index":"dossier-attackers-000001","_id":"203.0.113.9","_seq_no":3,"_primary_term":1,"found":true,"_source":{"state":"AAAA"}}]}`
	if found, err := c.Unreadable(t.Context(), keys); err != nil || len(found) != 1 || found[0].Key != keys[0] || found[0].Newer || found[0].Version.SeqNo != 3 {
		t.Errorf("its state is none: %v, %v", found, err)
	}
}
