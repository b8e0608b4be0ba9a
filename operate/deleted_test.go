package operate

import (
	"fmt"
	"log/slog"
	"testing"
	"time"

	"dossier/esindex"
	"dossier/plugin/chunk/chunktest"
	"dossier/plugin/output"
	"dossier/target"
)

// TestDeletedDocumentsDontComeBack: a sensor that runs has the states of documents
// in its cache. Where somebody deletes those, what the sensor writes next begins
// anew: its compare-and-set meets no document, whether or not Elasticsearch still
// remembers the deletion, and a chunk that comes again is known to the ledger.
func TestDeletedDocumentsDontComeBack(t *testing.T) {
	const address = "203.0.113.9"
	for _, remembered := range []string{"60s", "0s"} {
		t.Run("remembered for "+remembered, func(t *testing.T) {
			to, node := plain(t, false, nil)
			if err := to.Setup(t.Context(), Setup{Roles: "off", Months: 1}, func(esindex.Step) {}); err != nil {
				t.Fatal(err)
			}
			all := to.o.IndexPrefix + "-attackers," + to.o.IndexPrefix + "-activity-*," + to.o.IndexPrefix + "-smtp-targets"
			node.Must(t, "PUT", "/"+all+"/_settings", `{"index.gc_deletes":"`+remembered+`"}`)
			sensor, err := output.New(to.o, output.Host{Version: "test", Logger: slog.New(slog.DiscardHandler), Targets: new(target.Pool)})
			if err != nil {
				t.Fatal(err)
			}
			defer sensor.Close()
			now := time.Now().UTC()
			chunk := func(n int, command string) []byte {
				return chunktest.Lines(now, "log", fmt.Sprintf(`{"eventid":"cowrie.command.input","input":%q,"message":"m","sensor":"d1","src_ip":%q,"session":"a","protocol":"ssh","timestamp":%q}`,
					command, address, now.Add(time.Duration(n)*time.Second).Format("2006-01-02T15:04:05.000000Z")))
			}
			flush := func(data []byte) {
				t.Helper()
				for range 20 { // the node may be slow
					if sensor.Flush("cowrie", data, true) == output.OK {
						return
					}
				}
				t.Fatal("a chunk can't be committed")
			}
			documents := func() (events, commands, hours any) {
				t.Helper()
				node.Must(t, "POST", "/"+all+"/_refresh", nil)
				doc := node.Must(t, "GET", to.indices.Attackers()+"/_doc/"+address, nil)["_source"].(map[string]any)
				found := node.Must(t, "POST", "/"+to.o.IndexPrefix+"-activity-*/_search?size=0", `{"aggs":{"n":{"sum":{"field":"activity.events"}}}}`)
				return doc["event_count"], doc["command_count"], found["aggregations"].(map[string]any)["n"].(map[string]any)["value"]
			}
			first := chunk(0, "echo old")
			flush(first)
			flush(chunk(1, "echo older"))
			if n, _, _ := documents(); n != 2.0 {
				t.Fatalf("%v events", n)
			}
			// Its marker is in the ledger.
			for until := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
				node.Must(t, "POST", "/"+to.o.IndexPrefix+"-chunks-*/_refresh", nil)
				if n := node.Must(t, "POST", "/"+to.o.IndexPrefix+"-chunks-*/_count", nil)["count"]; n == 2.0 {
					break
				}
				if time.Now().After(until) {
					t.Fatal("no markers")
				}
			}
			node.Must(t, "POST", "/"+all+"/_refresh", nil)
			node.Must(t, "POST", "/"+all+"/_delete_by_query?refresh=true", `{"query":{"match_all":{}}}`)
			flush(chunk(2, "echo new"))
			flush(first)
			if n, commands, hours := documents(); n != 1.0 || commands != 1.0 || hours != 1.0 {
				t.Errorf("%v events, %v commands, %v events in hours; want 1 each", n, commands, hours)
			}
		})
	}
}
