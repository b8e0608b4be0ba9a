package main

import (
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"dossier/plugin/chunk/chunktest"
	"dossier/testbed/e2e"
	"dossier/testbed/esnode"
	"dossier/testbed/host"
)

// TestRepair spoils documents as somebody with a sensor's key can, and carries out
// the requests that dossier repair prints: those of the one attacker by what there was
// of it beside the damage, those of the other by deleting them. Then the dead letters
// bring what came since.
func TestRepair(t *testing.T) {
	node, prefix := esnode.Shared(t), e2e.Prefix(t)
	properties := e2e.Properties(t, node.URL, prefix, nil)
	h := e2e.StartHost(t, host.Options{Properties: properties})
	at := time.Now().UTC().Add(-time.Minute).Truncate(time.Second)
	chunks := 0
	come := func(addresses ...string) {
		t.Helper()
		var lines []string
		for _, a := range addresses {
			chunks++
			lines = append(lines, fmt.Sprintf(`{"eventid":"cowrie.login.success","username":"root","password":"x","message":"m","sensor":"d1","src_ip":%q,"session":"s%d","protocol":"ssh","timestamp":%q}`,
				a, chunks, at.Add(time.Duration(chunks)*time.Millisecond).Format("2006-01-02T15:04:05.000000Z")))
		}
		e2e.Deliver(t, h, []e2e.Chunk{{Tag: "cowrie", Data: chunktest.Lines(at, "log", lines...)}}, 1)
	}
	const restored, deleted, well = "203.0.113.7", "203.0.113.8", "203.0.113.9"
	come(restored, deleted, well)
	at0 := at.Format("2006-01-02T15")
	attackers, hours := prefix+"-attackers-000001", prefix+"-activity-"+at.Format("2006.01")
	hourOf := func(a string) string { return url.PathEscape(a + "|" + at0) }
	repair := func(args ...string) (string, int) {
		t.Helper()
		out, errs, status := dossier(t, nil, append([]string{"repair", "--es-hosts", node.URL, "--index-prefix", prefix}, args...)...)
		if errs != "" {
			t.Fatal(errs)
		}
		return out, status
	}
	node.Must(t, "POST", prefix+"-*/_refresh", nil)
	if out, status := repair(); status != 0 || !strings.Contains(out, "6 documents read, each has a state") {
		t.Fatalf("status %d: %s", status, out)
	}

	// The snapshot, and what somebody writes then.
	backup := map[string]any{}
	for _, path := range []string{attackers + "/_doc/" + restored, hours + "/_doc/" + hourOf(restored)} {
		backup["/restored-"+path] = node.Must(t, "GET", path, nil)["_source"]
	}
	for _, a := range []string{restored, deleted} {
		node.Must(t, "PUT", attackers+"/_doc/"+a, `{"state":"AAAA"}`)
		node.Must(t, "PUT", hours+"/_doc/"+hourOf(a), `{"source":{"ip":"`+a+`"},"@timestamp":"2026-01-01T00:00:00Z"}`)
	}
	come(restored, deleted, well)
	node.Must(t, "POST", prefix+"-*/_refresh", nil)

	out, _, status := dossier(t, nil, "check", "--es-hosts", node.URL, "--index-prefix", prefix)
	contains(t, out, "FAIL states: 4 of ", "/"+restored, "/"+deleted+"|"+at0, "run dossier repair")
	if status != 2 {
		t.Errorf("check: status %d", status)
	}
	if out, status := repair(well); status != 0 || !strings.Contains(out, "2 documents read, each has") {
		t.Errorf("status %d: %s", status, out)
	}
	out, status = repair("-o", "json")
	var all []struct{ Index, ID, Reason string }
	if err := json.Unmarshal([]byte(out), &all); err != nil || len(all) != 4 || status != 1 {
		t.Errorf("%v, status %d: %s", err, status, out)
	}

	// For each what it says.
	request := regexp.MustCompile(`(?m)^  (GET|PUT|DELETE) (/\S+)`)
	for _, a := range []string{restored, deleted} {
		out, status := repair(a)
		contains(t, out, "2 of 2 documents can't be read", `"rename_replacement": "restored-$1"`)
		if other := map[string]string{restored: deleted, deleted: restored}[a]; status != 1 || strings.Contains(out, other) {
			t.Errorf("status %d: %s", status, out)
		}
		var body any
		done := 0
		for _, r := range request.FindAllStringSubmatch(out, -1) {
			switch method, path := r[1], r[2]; {
			case method == "GET":
				body = backup[path]
			case method == "PUT" && a == restored, method == "DELETE" && a == deleted:
				b := ""
				if method == "PUT" {
					text, err := json.Marshal(body)
					if err != nil {
						t.Fatal(err)
					}
					b = string(text)
				}
				node.Must(t, method, strings.TrimPrefix(path, "/"), b)
				done++
			}
		}
		if done != 2 {
			t.Fatalf("%d requests carried out:\n%s", done, out)
		}
	}
	if err := h.Exit(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, errs, status := dossier(t, nil, "replay", "--es-hosts", node.URL, "--index-prefix", prefix, properties["dead_letter_path"])
	if status != 0 {
		t.Fatal(errs)
	}
	for a, want := range map[string]float64{restored: 2, deleted: 1, well: 2} {
		for _, path := range []string{attackers + "/_doc/" + a, hours + "/_doc/" + hourOf(a)} {
			source, _ := node.Must(t, "GET", path, nil)["_source"].(map[string]any)
			if got := source["event_count"]; got != want {
				t.Errorf("%s: %v events, want %v", path, got, want)
			}
		}
	}
	if _, status := repair(); status != 0 {
		t.Errorf("status %d after the repair", status)
	}
}
