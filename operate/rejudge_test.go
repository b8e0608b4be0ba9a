package operate

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"dossier/conf/roles"
	"dossier/esindex"
	"dossier/profile"
	"dossier/profile/rules"
)

// otherRisk is the built-in file of risk with another weight, so that its
// judgement and its version differ.
func otherRisk(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("../profile/rules/data/risk.json")
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(string(b), `"at_least": 1, "weight": 5, "text": "events: {n}"`, `"at_least": 1, "weight": 50, "text": "events: {n}"`, 1)
	if changed == string(b) {
		t.Fatal("the built-in risk has no such reason")
	}
	path := filepath.Join(t.TempDir(), "risk.json")
	if err := os.WriteFile(path, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestRejudge: documents are rendered anew by the rules at hand, their states stay
// byte for byte and no transition is written; what is stopped goes on where it was; what
// can't be read is left alone.
func TestRejudge(t *testing.T) {
	before, node := plain(t, false, map[string]string{"risk_rules": otherRisk(t)})
	if err := before.Setup(t.Context(), Setup{Roles: "off"}, func(esindex.Step) {}); err != nil {
		t.Fatal(err)
	}
	index := before.indices.Attackers()
	var letters []string
	const attackers = 120
	id := func(n int) string { return fmt.Sprintf("198.51.100.%d", n+1) }
	for n := range attackers {
		letters = append(letters, letter(n+1, index, id(n)))
	}
	if r, err := before.Replay(t.Context(), lettersIn(t, map[string][]string{"a.jsonl": letters}), quiet); err != nil || r.Written != attackers {
		t.Fatalf("%+v, %v", r, err)
	}
	node.Must(t, "PUT", index+"/_doc/203.0.113.66?refresh=true", `{"uuid":"ffffffff-ffff-5fff-8fff-ffffffffffff","state":"c3RhdGU="}`)
	node.Must(t, "POST", before.o.IndexPrefix+"-*/_refresh", nil)
	transitions := func() any { return node.Must(t, "GET", before.o.IndexPrefix+"-transitions-*/_count", nil)["count"] }
	document := func(id string) map[string]any {
		return node.Must(t, "GET", index+"/_doc/"+id, nil)["_source"].(map[string]any)
	}
	was, told := document(id(7)), transitions()

	set, err := rules.New(rules.Options{})
	if err != nil {
		t.Fatal(err)
	}
	version := func(d map[string]any) string { return fmt.Sprint(d["rules"].(map[string]any)["version"]) }
	if version(was) == set.Version() {
		t.Fatal("other rules have the same version")
	}
	o := before.o
	o.RiskRules = ""
	after, err := Open(o, "test")
	if err != nil {
		t.Fatal(err)
	}
	defer after.Close()

	dry, err := after.Rejudge(t.Context(), Rejudging{Rate: MaxRate, DryRun: true}, quiet, func(Rejudged) {})
	if err != nil || dry.Of != attackers+1 || dry.Written != 0 {
		t.Fatalf("a dry run: %+v, %v", dry, err)
	}
	ctx, stop := context.WithCancel(t.Context())
	first, err := after.Rejudge(ctx, Rejudging{Rate: MaxRate}, quiet, func(Rejudged) { stop() })
	if err == nil || first.Written != rejudgeBatch {
		t.Fatalf("stopped: %+v, %v", first, err)
	}
	node.Must(t, "POST", index+"/_refresh", nil)
	second, err := after.Rejudge(t.Context(), Rejudging{Rate: MaxRate}, quiet, func(Rejudged) {})
	if err != nil || second.Of != attackers+1-rejudgeBatch || second.Written != attackers-rejudgeBatch || second.Unreadable != 1 || second.Reason == "" || second.Failed != 0 {
		t.Fatalf("the rest: %+v, %v", second, err)
	}
	is := document(id(7))
	if is["state"] != was["state"] || is["event_count"] != was["event_count"] || version(is) != set.Version() {
		t.Errorf("the state changed, or nobody judged: %v", is["rules"])
	}
	score := func(d map[string]any) any { return d["risk"].(map[string]any)["score"] }
	if score(is) == score(was) {
		t.Errorf("still %v by other rules", score(is))
	}
	node.Must(t, "POST", before.o.IndexPrefix+"-*/_refresh", nil)
	if now := transitions(); now != told {
		t.Errorf("%v transitions, %v before", now, told)
	}
	if d := document("203.0.113.66"); d["state"] != "c3RhdGU=" || len(d) != 2 {
		t.Errorf("what can't be read was written: %v", d)
	}

	// The rate holds, and what documents show isn't taken from them.
	node.Must(t, "POST", index+"/_delete_by_query?refresh=true", `{"query":{"term":{"uuid":"ffffffff-ffff-5fff-8fff-ffffffffffff"}}}`)
	began := time.Now()
	if r, err := after.Rejudge(t.Context(), Rejudging{Rate: 60, All: true}, quiet, func(Rejudged) {}); err != nil || r.Written != attackers || time.Since(began) < 1900*time.Millisecond {
		t.Errorf("60 a second: %+v, %v, in %v", r, err, time.Since(began))
	}
	node.Must(t, "POST", index+"/_update/"+id(3)+"?refresh=true", `{"doc":{"country_code":"CL"}}`)
	if _, err := after.Rejudge(t.Context(), Rejudging{Rate: MaxRate, All: true}, quiet, func(Rejudged) {}); err == nil || !strings.Contains(err.Error(), "--geoip-db") {
		t.Errorf("documents would lose their countries: %v", err)
	}
	if _, err := after.Rejudge(t.Context(), Rejudging{}, quiet, func(Rejudged) {}); err == nil || !strings.Contains(err.Error(), "--rate") {
		t.Errorf("no rate: %v", err)
	}
}

// TestRejudgeUnderWriters: while writers fold chunks into the same attackers, nothing of
// theirs is lost or counted twice.
func TestRejudgeUnderWriters(t *testing.T) {
	admin, node := plain(t, false, nil)
	if err := admin.Setup(t.Context(), Setup{Roles: "off"}, func(esindex.Step) {}); err != nil {
		t.Fatal(err)
	}
	index := admin.indices.Attackers()
	const attackers, writers, rounds = 5, 3, 40
	id := func(n int) string { return fmt.Sprintf("192.0.2.%d", n+1) }
	var group sync.WaitGroup
	for w := range writers {
		var letters []string
		for n := range rounds * attackers {
			letters = append(letters, letter(1+w*1000+n, index, id(n%attackers)))
		}
		dir := lettersIn(t, map[string][]string{"a.jsonl": letters})
		writer, err := Open(admin.o, "test")
		if err != nil {
			t.Fatal(err)
		}
		group.Go(func() {
			defer writer.Close()
			if r, err := writer.Replay(t.Context(), dir, quiet); err != nil || r.Written != rounds*attackers {
				t.Errorf("writer %d: %+v, %v", w, r, err)
			}
		})
	}
	wrote := make(chan struct{})
	go func() { group.Wait(); close(wrote) }()
	var total Rejudged
	for busy := true; busy; {
		select {
		case <-wrote:
			busy = false // once more, with nobody else there
		default:
		}
		node.Must(t, "POST", index+"/_refresh", nil)
		r, err := admin.Rejudge(t.Context(), Rejudging{Rate: MaxRate, All: true}, quiet, func(Rejudged) {})
		if err != nil {
			t.Fatal(err)
		}
		if r.Unreadable+r.Gone+r.Failed > 0 {
			t.Errorf("%+v", r)
		}
		total.Written += r.Written
		total.Busy += r.Busy
	}
	if total.Written < 2*attackers { // how many more is the machine's affair
		t.Errorf("only %d documents were rendered anew meanwhile", total.Written)
	}
	t.Logf("%d rendered anew beside %d chunks, %d left to the next run", total.Written, writers*rounds*attackers, total.Busy)
	for n := range attackers {
		d := node.Must(t, "GET", index+"/_doc/"+id(n), nil)["_source"].(map[string]any)
		if d["event_count"] != float64(writers*rounds) {
			t.Errorf("%s counts %v events, want %d", id(n), d["event_count"], writers*rounds)
		}
	}
}

// TestRejudgeRole: the role is enough, and none of its privileges is too much.
func TestRejudgeRole(t *testing.T) {
	s := secured(t)
	prefix, admin := s.setUp(t)
	index := admin.indices.Attackers()
	if r, err := admin.Replay(t.Context(), lettersIn(t, map[string][]string{"a.jsonl": {letter(9001, index, "192.0.2.77")}}), quiet); err != nil {
		t.Fatalf("%+v, %v", r, err)
	}
	s.node.Must(t, "POST", index+"/_refresh", nil)
	needed(t, roles.Rejudge, get(t, roles.Rejudge, prefix), func(role roles.Role) error {
		_, err := s.as(t, prefix, role).Rejudge(t.Context(), Rejudging{Rate: MaxRate, All: true}, quiet, func(Rejudged) {})
		return err
	})
	as := s.as(t, prefix, get(t, roles.Rejudge, prefix))
	for _, try := range [][2]string{{"DELETE", "/" + index}, {"DELETE", "/" + index + "/_doc/192.0.2.77"}, {"POST", "/" + profile.Alias(prefix) + "/_search"}} {
		if err := as.client.Call(t.Context(), "try", try[0], try[1], nil, nil); !isForbidden(err) {
			t.Errorf("%s %s with the role rejudge: %v", try[0], try[1], err)
		}
	}
}
