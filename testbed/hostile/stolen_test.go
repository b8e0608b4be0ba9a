package hostile

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"dossier/conf/roles"
	"dossier/plugin/chunk/chunktest"
	"dossier/testbed/race"
)

// outcomes of what is tried with a stolen key.
const (
	mayNot   = iota // HTTP 403, as a whole or each item
	does            // carried out
	noEffect        // refused for what it says, or without an effect
	notHere         // HTTP 403 where the node has it, which the tests' may not
)

// answer sends a request with a sensor's key and returns the status: of a _bulk
// that of its first item.
func (f *fleet) answer(t *testing.T, role, method, path, body string) int {
	t.Helper()
	if !strings.Contains(path, "_bulk") {
		return status(f.as(t, role, method, path, body))
	}
	var found struct {
		Items []map[string]struct {
			Status int `json:"status"`
		} `json:"items"`
	}
	if err := f.ask(t, role, method, path, body, &found); err != nil {
		return status(err)
	}
	for _, item := range found.Items {
		for _, op := range item {
			return op.Status
		}
	}
	return 0
}

// The attacker holds a sensor's key and tries every way of writing, reading and
// wasting that Elasticsearch has, on each kind of index. After each that works
// the fleet goes on: a chunk with the address he aimed at and another one is
// acknowledged, and the other one is counted.
func TestAStolenKeyWritesWhatItMay(t *testing.T) {
	f := newFleet(t)
	honest := f.sensor(t, roles.Writer)
	now := time.Now().UTC()
	aim, n := "203.0.113.66", 0
	month := now.Format("2006.01")
	hour := aim + "%7C" + now.Format("2006-01-02T15")
	count := func() float64 {
		code, doc, err := f.node.Do(t.Context(), "GET", f.prefix+"-attackers/_doc/192.0.2.10", nil)
		if err != nil || code != 200 {
			return 0
		}
		n, _ := doc["_source"].(map[string]any)["event_count"].(float64)
		return n
	}
	goesOn := func(after string) {
		t.Helper()
		n++
		at := now.Add(time.Duration(n) * time.Millisecond)
		before := count()
		begin := time.Now()
		goesThrough(t, honest, chunktest.Lines(at, "log", login(aim, at), login("192.0.2.10", at)))
		// Twenty mebibytes take a while where the race detector reads them too.
		if took := time.Since(begin); took > map[bool]time.Duration{false: 15 * time.Second, true: time.Minute}[race.Detector] {
			t.Errorf("after %s a chunk waits for %s", after, took)
		}
		if got := count(); got != before+1 {
			t.Errorf("after %s: %v events of who has nothing to do with it, want %v", after, got, before+1)
		}
	}
	goesOn("nothing")
	state := func(b string) string { return base64.StdEncoding.EncodeToString([]byte(b)) }
	const anything = `{"x":1}`
	attackers, activity, chunks, transitions, sensors := "/"+f.prefix+"-attackers", "/"+f.prefix+"-activity-"+month, "/"+f.prefix+"-chunks-"+month, "/"+f.prefix+"-transitions-"+month, "/"+f.prefix+"-sensors"
	item := func(kind, index, more, doc string) string {
		return fmt.Sprintf(`{%q:{"_index":%q,"_id":%q%s}}`+"\n%s\n", kind, index[1:], aim, more, doc)
	}
	type try struct {
		what, method, path, body string
		want                     int
	}
	tries := []try{
		// Writes of one document.
		{"a state that is none", "PUT", attackers + "/_doc/" + aim, `{"state":"AAAA"}`, does},
		{"no state", "PUT", attackers + "/_doc/" + aim, `{}`, does},
		{"a state of a newer version", "PUT", attackers + "/_doc/" + aim, `{"state":"` + state("\x92\x02\x00") + `"}`, does},
		{"a long state", "PUT", attackers + "/_doc/" + aim, `{"state":"` + strings.Repeat("A", 20<<20) + `"}`, does},
		{"an hour's state", "PUT", activity + "/_doc/" + hour, `{"state":"` + state("\x92\x02\x00") + `"}`, does},
		{"the last version number there is", "PUT", attackers + "/_doc/" + aim + "?version=9223372036854775807&version_type=external", `{"state":"AAAA"}`, does},
		{"the last version number, of an hour", "PUT", activity + "/_doc/" + hour + "?version=9223372036854775807&version_type=external_gte", `{"state":"AAAA"}`, does},
		{"a routing of his own", "PUT", attackers + "/_doc/" + aim + "?routing=elsewhere", `{"state":"AAAA"}`, does},
		{"a pipeline that isn't there", "PUT", attackers + "/_doc/" + aim + "?pipeline=drop", anything, noEffect},
		{"a sequence number of his own", "PUT", attackers + "/_doc/" + aim + "?if_seq_no=99999999&if_primary_term=99", anything, noEffect},
		{"a wrong type", "PUT", attackers + "/_doc/" + aim, `{"first_seen":{"a":1},"risk":"high","ip":"nobody"}`, noEffect},
		{"nested a thousand deep", "PUT", attackers + "/_doc/" + aim, strings.Repeat(`{"a":`, 1500) + "1" + strings.Repeat("}", 1500), noEffect},
		{"ten thousand names", "PUT", attackers + "/_doc/" + aim, names(10000), does},
		{"a document without an id", "POST", attackers + "/_doc", anything, does},
		{"an id of 512 bytes", "PUT", attackers + "/_doc/" + strings.Repeat("x", 512), anything, does},
		{"a heartbeat of the honest sensor", "PUT", sensors + "/_doc/" + t.Name(), `{"@timestamp":"2100-01-01T00:00:00Z"}`, does},
		{"a marker", "PUT", chunks + "/_doc/00000000000000000000000000000000", `{"state":"` + state("x") + `"}`, does},
		{"where this month's hours are", "PUT", "/" + f.prefix + "-chunks-other/_doc/@" + activity[1:], `{"state":"` + state(`{"to":"other"}`) + `"}`, does},
		{"where this month's markers are", "PUT", "/" + f.prefix + "-chunks-other/_doc/@" + chunks[1:], `{"state":5}`, does},
		{"a transition", "PUT", transitions + "/_create/" + aim + "%7Ctraversal%7C", anything, does},
		{"a transition a second time", "PUT", transitions + "/_doc/" + aim + "%7Ctraversal%7C", anything, mayNot},
		// The same by _bulk.
		{"bulk index", "POST", "/_bulk", item("index", attackers, "", `{"state":"AAAA"}`), does},
		{"bulk create", "POST", "/_bulk", item("create", activity, "", anything), does},
		{"bulk update", "POST", "/_bulk", item("update", attackers, "", `{"doc":{"state":"AAAA"}}`), mayNot},
		{"bulk update with a script", "POST", "/_bulk", item("update", attackers, "", `{"script":{"source":"ctx._source.clear()"},"upsert":{}}`), mayNot},
		{"bulk delete", "POST", "/_bulk", fmt.Sprintf(`{"delete":{"_index":%q,"_id":%q}}`+"\n", attackers[1:], aim), mayNot},
		{"bulk with a pipeline", "POST", "/_bulk?pipeline=drop", item("index", attackers, "", anything), noEffect},
		{"bulk with a type of his own", "POST", "/_bulk", item("index", attackers, `,"dynamic_templates":{"evil":"x"}`, `{"evil":"y"}`), noEffect},
		{"bulk with the last version", "POST", "/_bulk", item("index", attackers, `,"version":9223372036854775807,"version_type":"external_gte"`, `{"state":"AAAA"}`), does},
		{"bulk to a month that isn't there", "POST", "/_bulk", item("create", "/"+f.prefix+"-activity-2031.01", "", anything), mayNot},
		{"bulk that asks for an alias", "POST", "/_bulk?require_alias=true", item("index", activity, "", anything), noEffect},
		{"bulk that waits for ten copies", "POST", "/_bulk?wait_for_active_shards=10&timeout=1s", item("index", attackers, "", anything), noEffect},
		// Other ways to write.
		{"update", "POST", attackers + "/_update/" + aim, `{"doc":{}}`, mayNot},
		{"update by query", "POST", attackers + "/_update_by_query", `{}`, mayNot},
		{"delete", "DELETE", attackers + "/_doc/" + aim, "", mayNot},
		{"delete by query", "POST", attackers + "/_delete_by_query", `{"query":{"match_all":{}}}`, mayNot},
		{"reindex", "POST", "/_reindex", fmt.Sprintf(`{"source":{"index":%q},"dest":{"index":%q}}`, attackers[1:], activity[1:]), mayNot},
		{"delete an index", "DELETE", activity, "", mayNot},
		{"make an index", "PUT", "/" + f.prefix + "-activity-2031.01", `{}`, mayNot},
		{"roll over", "POST", attackers + "/_rollover", "", mayNot},
		{"close", "POST", activity + "/_close", "", mayNot},
		{"block", "PUT", activity + "/_block/write", "", mayNot},
		{"split", "POST", attackers + "/_split/" + f.prefix + "-activity-2031.01", `{"settings":{"index.number_of_shards":2}}`, mayNot},
		{"clone", "POST", attackers + "/_clone/" + f.prefix + "-activity-2031.01", `{}`, mayNot},
		{"mapping", "PUT", activity + "/_mapping", `{"properties":{"state":{"type":"long"}}}`, mayNot},
		{"settings", "PUT", activity + "/_settings", `{"index.final_pipeline":"drop"}`, mayNot},
		{"alias", "PUT", activity + "/_alias/" + f.prefix + "-activity-2031.02", "", mayNot},
		{"aliases", "POST", "/_aliases", fmt.Sprintf(`{"actions":[{"remove_index":{"index":%q}}]}`, activity[1:]), mayNot},
		{"an operator's own part of a template", "PUT", "/_component_template/" + f.prefix + "-activity@custom", `{"template":{"settings":{"index.final_pipeline":"drop"}}}`, mayNot},
		{"template", "PUT", "/_index_template/evil", `{"index_patterns":["` + f.prefix + `-*"],"priority":1000}`, mayNot},
		{"pipeline", "PUT", "/_ingest/pipeline/drop", `{"processors":[{"drop":{}}]}`, mayNot},
		{"stored script", "PUT", "/_scripts/x", `{"script":{"lang":"painless","source":"1"}}`, mayNot},
		{"cluster settings", "PUT", "/_cluster/settings", `{"persistent":{"action.auto_create_index":"false"}}`, mayNot},
		{"lifecycle policy", "PUT", "/_ilm/policy/x", `{"policy":{"phases":{"delete":{"actions":{"delete":{}}}}}}`, notHere},
		{"snapshot repository", "PUT", "/_snapshot/x", `{"type":"fs","settings":{"location":"/tmp"}}`, mayNot},
		{"another key", "POST", "/_security/api_key", `{"name":"more"}`, mayNot},
		{"end all keys", "DELETE", "/_security/api_key", `{"owner":false,"username":"elastic"}`, mayNot},
		{"tasks", "POST", "/_tasks/_cancel", "", mayNot},
		// Reading and holding what others need.
		{"search", "POST", attackers + "/_search", `{}`, mayNot},
		{"search with a scroll", "POST", attackers + "/_search?scroll=24h", `{}`, mayNot},
		{"async search", "POST", attackers + "/_async_search?keep_alive=5d", `{}`, notHere},
		{"point in time", "POST", attackers + "/_pit?keep_alive=24h", "", mayNot},
		{"count", "POST", attackers + "/_count", "", mayNot},
		{"several searches", "POST", "/_msearch", fmt.Sprintf(`{"index":%q}`+"\n{}\n", attackers[1:]), mayNot},
		{"ES|QL", "POST", "/_query", `{"query":"FROM ` + f.prefix + `-attackers"}`, notHere},
		{"SQL", "POST", "/_sql", `{"query":"SELECT * FROM \"` + f.prefix + `-attackers\""}`, notHere},
		{"one document by GET", "GET", attackers + "/_doc/" + aim, "", mayNot},
		{"term vectors", "GET", attackers + "/_termvectors/" + aim, "", mayNot},
		{"explain", "POST", attackers + "/_explain/" + aim, `{"query":{"match_all":{}}}`, mayNot},
		{"refresh", "POST", attackers + "/_refresh", "", mayNot},
		{"flush", "POST", attackers + "/_flush", "", mayNot},
		{"force merge", "POST", attackers + "/_forcemerge?max_num_segments=1", "", mayNot},
		{"a document of another index", "POST", "/_mget", `{"docs":[{"_index":".security-7","_id":"reserved-user-elastic"}]}`, noEffect},
		{"documents by id", "POST", "/_mget", fmt.Sprintf(`{"docs":[{"_index":%q,"_id":%q}]}`, attackers[1:], aim), does},
	}
	for _, x := range tries {
		got := f.answer(t, roles.Writer, x.method, x.path, x.body)
		ok := false
		switch x.want {
		case mayNot:
			ok = got == 403 || got == 401
		case does:
			ok = got >= 200 && got < 300
		case notHere:
			ok = got == 403 || got == 400 || got == 405
		case noEffect:
			ok = got >= 200 && got != 500
		}
		if !ok {
			t.Errorf("%s: HTTP %d, want %s", x.what, got, []string{"it refused", "it carried out", "it refused, or of no effect", "it refused, or unknown"}[x.want])
		}
		if x.want != mayNot && x.want != notHere {
			goesOn(x.what)
		}
	}
	// The last version number there is, on a state that is right: what is written
	// next can't be numbered as usual.
	const last = "203.0.113.67"
	for n, version := range []string{"9223372036854775806", "9223372036854775807"} {
		at := now.Add(time.Duration(n) * time.Minute)
		goesThrough(t, honest, chunktest.Lines(at, "log", login(last, at)))
		doc := f.node.Must(t, "GET", f.prefix+"-attackers/_doc/"+last, nil)
		body, err := json.Marshal(doc["_source"])
		if err != nil {
			t.Fatal(err)
		}
		if err := f.as(t, roles.Writer, "PUT", attackers+"/_doc/"+last+"?version="+version+"&version_type=external_gte", string(body)); err != nil {
			t.Errorf("version %s: %v", version, err)
		}
		aim = last
		goesOn("version " + version)
		goesOn("version " + version + " again")
		t.Logf("after version %s: %v events", version, f.events(t, last))
	}
	// Storms: each is answered, and the honest sensor goes on beside them.
	stop := make(chan struct{})
	ended := make(chan int)
	for _, storm := range []struct{ path, body string }{
		{"/_bulk?refresh=true", item("index", attackers, "", `{"state":"AAAA"}`)},
		{"/_mget?refresh=true", fmt.Sprintf(`{"docs":[{"_index":%q,"_id":%q}]}`, attackers[1:], aim)},
		{"/_bulk?refresh=wait_for", item("index", activity, "", `{}`)},
	} {
		go func() {
			requests := 0
			for {
				select {
				case <-stop:
					ended <- requests
					return
				default:
					f.as(t, roles.Writer, "POST", storm.path, storm.body)
					requests++
				}
			}
		}()
	}
	for range 5 {
		goesOn("a storm of refreshes")
	}
	close(stop)
	total := 0
	for range 3 {
		total += <-ended
	}
	t.Logf("%d requests in the storms", total)
	if total == 0 {
		t.Error("there was no storm")
	}
}

// names is a document of that many fields.
func names(n int) string {
	doc := map[string]int{}
	for i := range n {
		doc[fmt.Sprint("name", i)] = i
	}
	b, err := json.Marshal(doc)
	if err != nil {
		panic(err) // of numbers
	}
	return string(b)
}
