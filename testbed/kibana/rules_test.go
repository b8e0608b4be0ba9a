package kibana

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"dossier/kibana"
	"dossier/testbed/esnode"
)

// tries are documents that a rule must find, and such that it must not, by the
// rule's title behind the mark. Of indicator match rules they are events of our
// own.
var tries = map[string]struct {
	index         string // behind the prefix
	finds, leaves []object
	most          int // alerts a day of the sample, at the most
}{
	"An attacker moved between decoys": {"-transitions-2026.02", []object{{"event": object{"action": "traversal"}}}, []object{{"event": object{"action": "observed"}}}, 80}, // on which day a second decoy is the second depends on the order of the chunks
	"Hands on keyboard on a decoy":     {"-transitions-2026.02", []object{{"event": object{"action": "hands_on"}}}, []object{{"event": object{"action": "login_success"}}}, 20},
	"An attacker of the decoys reached high risk": {
		"-transitions-2026.02",
		[]object{{"event": object{"action": "risk"}, "transition": object{"value": "High"}}, {"event": object{"action": "risk"}, "transition": object{"value": "Critical"}}},
		[]object{{"event": object{"action": "risk"}, "transition": object{"value": "Moderate"}}, {"event": object{"action": "stage"}, "transition": object{"value": "acting"}}},
		40,
	},
	"A host of ours touched a decoy": {
		"-transitions-2026.02",
		[]object{{"event": object{"action": "observed"}, "scope": "internal"}},
		[]object{{"event": object{"action": "observed"}, "scope": "external"}, {"event": object{"action": "risk"}, "scope": "internal"}},
		20,
	},
	"A decoy was logged in to, and commands followed": {
		"-activity-2026.02",
		[]object{{"activity": object{"login_successes": 1, "commands": 2}}},
		[]object{{"activity": object{"login_successes": 0, "commands": 2}}, {"activity": object{"login_successes": 1, "commands": 0}}},
		30,
	},
	"A sensor of Dossier is silent": {
		"-sensors", []object{{"sensor": "quiet", "@timestamp": time.Now().Add(-10 * time.Minute)}}, []object{{"sensor": "loud", "@timestamp": time.Now().Add(-time.Minute)}}, -1,
	},
	"A host of ours talks to an attacker of the decoys": {
		"-own",
		[]object{{"destination": object{"ip": "203.0.113.1"}}},
		[]object{{"source": object{"ip": "203.0.113.1"}}, {"destination": object{"ip": "203.0.113.2"}}, {"destination": object{"ip": "203.0.113.3"}}, {"destination": object{"ip": "203.0.113.9"}}},
		-1,
	},
	"An attacker of the decoys reaches a host of ours": {
		"-own", []object{{"source": object{"ip": "203.0.113.1"}}}, []object{{"destination": object{"ip": "203.0.113.1"}}, {"source": object{"ip": "203.0.113.2"}}}, -1,
	},
	"A file of an attacker is on a host of ours": {
		"-own",
		[]object{{"file": object{"hash": object{"sha256": strings.Repeat("a1", 32)}}}},
		[]object{{"file": object{"hash": object{"sha256": strings.Repeat("b2", 32)}}}, {"process": object{"hash": object{"sha256": strings.Repeat("a1", 32)}}}},
		-1,
	},
	"A host of ours fetches from where attackers fetch": {
		"-own",
		[]object{
			{"url": object{"full": "http://203.0.113.1/x.sh"}},
			{"url": object{"original": "http://203.0.113.1/x.sh"}},
			{"url": object{"domain": "evil.example"}},
			{"dns": object{"question": object{"name": "evil.example"}}},
		},
		// A host where anybody can put something is not published, a URL there is.
		[]object{
			{"url": object{"full": "http://203.0.113.1/y.sh"}},
			{"url": object{"path": "http://203.0.113.1/x.sh"}},
			{"url": object{"domain": "shared.example"}},
			{"dns": object{"question": object{"name": "shared.example"}}},
			{"dns": object{"question": object{"name": "good.example"}}},
		},
		-1,
	},
}

// indicators are attackers of today, one of whom nothing proves, and one of last
// year.
func indicators() []object {
	one := func(ip, confidence string, at time.Time) object {
		return object{
			"@timestamp": at, "ip": ip, "event": object{"kind": "enrichment", "type": []string{"indicator"}},
			"threat": object{"indicator": object{"ip": ip, "confidence": confidence}},
		}
	}
	return []object{one("203.0.113.1", "High", time.Now()), one("203.0.113.2", "Low", time.Now()), one("203.0.113.3", "High", time.Now().AddDate(-1, 0, 0))}
}

// things are what one of them used, of which one URL and one file are published.
func things() []object {
	one := func(published bool, indicator object) object {
		return object{
			"@timestamp": time.Now(), "event": object{"kind": "enrichment", "type": []string{"indicator"}}, "published": published,
			"threat": object{"indicator": indicator},
		}
	}
	url := func(u string) object {
		return object{"name": u, "url": object{"full": u, "original": u, "domain": strings.Split(u, "/")[2]}}
	}
	file := func(digest string) object {
		return object{"file": object{"hash": object{"sha256": strings.Repeat(digest, 32)}}}
	}
	domain := func(published bool, name string) object {
		o := one(published, object{"name": name, "url": object{"domain": name}})
		o["indicator"] = object{"kind": "domain", "value": name}
		return o
	}
	return []object{
		one(true, url("http://shared.example/x.sh")), domain(true, "evil.example"), domain(false, "shared.example"),
		one(true, url("http://203.0.113.1/x.sh")), one(false, url("http://203.0.113.1/y.sh")), one(true, file("a1")), one(false, file("b2")),
	}
}

// required are what the import of rules asks of each, beside what its type does.
var required = []string{"rule_id", "name", "description", "risk_score", "severity", "type", "version", "query", "language", "interval", "from", "note", "threat", "false_positives"}

// proveRules runs the query of each rule over documents that it must find and
// such that it must not, and over the sample.
func proveRules(t *testing.T, node *esnode.Node, prefix string) {
	node.Must(t, "PUT", "/"+prefix+"-own", object{"mappings": object{"properties": object{
		"source": object{"properties": object{"ip": object{"type": "ip"}}}, "destination": object{"properties": object{"ip": object{"type": "ip"}}},
		"file": object{"properties": object{"hash": object{"properties": object{"sha256": object{"type": "keyword"}}}}},
		"url":  object{"properties": object{"full": object{"type": "keyword"}, "original": object{"type": "keyword"}, "domain": object{"type": "keyword"}}},
		"dns":  object{"properties": object{"question": object{"properties": object{"name": object{"type": "keyword"}}}}},
	}}})
	for i, doc := range indicators() {
		node.Must(t, "PUT", fmt.Sprintf("/%s-attackers/_doc/indicator-%d", prefix, i), doc)
	}
	for i, doc := range things() {
		node.Must(t, "PUT", fmt.Sprintf("/%s-indicators/_doc/thing-%d", prefix, i), doc)
	}
	// What the sample's rules find is counted before documents of others come.
	search := func(index string, query object) []any {
		node.Must(t, "POST", "/"+index+"/_refresh", nil)
		answer := node.Must(t, "POST", "/"+index+"/_search", object{"size": 10000, "query": query, "sort": []any{"_doc"}})
		return list(get(answer, "hits", "hits"))
	}
	seen := map[string]bool{}
	ids := map[string]bool{}
	for _, l := range bytes.Split(bytes.TrimSpace(kibana.Rules(prefix)), []byte("\n")) {
		rule := object{}
		if err := json.Unmarshal(l, &rule); err != nil {
			t.Fatal(err)
		}
		_, title, _ := strings.Cut(str(rule["name"]), "] ")
		try, ok := tries[title]
		if seen[title] = true; !ok {
			t.Errorf("%s: nobody tries it", title)
			continue
		}
		for _, name := range required {
			if v := rule[name]; v == nil || v == "" || fmt.Sprint(v) == "[]" {
				t.Errorf("%s: no %s", title, name)
			}
		}
		if ids[str(rule["rule_id"])] {
			t.Errorf("%s: its id is another's", title)
		}
		ids[str(rule["rule_id"])] = true
		for dashboard := range strings.SplitSeq(str(rule["note"]), "**[Dossier "+prefix+"] ") {
			name, _, ok := strings.Cut(dashboard, "**")
			if ok && !strings.HasPrefix(dashboard, "##") && !slices.ContainsFunc(bytes.Split(kibana.Dashboards(prefix), []byte("\n")), func(l []byte) bool {
				return bytes.Contains(l, []byte(`"title":"[Dossier `+prefix+`] `+name+`"`))
			}) {
				t.Errorf("%s: its guide tells of the dashboard %q, which there isn't", title, name)
			}
		}
		query, _, ok := kibana.Query(str(rule["query"]))
		if !ok {
			t.Errorf("%s: nobody asks %s", title, rule["query"])
			continue
		}
		if try.most >= 0 {
			days := map[string]int{}
			for _, hit := range search(str(list(rule["index"])[0]), query) {
				at := str(get(hit, "_source", "@timestamp"))
				if days[at[:10]]++; str(get(hit, "_source", "@timestamp")) == "" {
					t.Errorf("%s: a document without a time", title)
				}
			}
			if len(days) == 0 {
				t.Errorf("%s: the sample sets it off nowhere", title)
			}
			for day, n := range days {
				if n > try.most {
					t.Errorf("%s: %d alerts on %s, at most %d are wanted", title, n, day, try.most)
				}
			}
		}
		index := prefix + try.index
		if !strings.Contains(str(list(rule["index"])[0]), "beat-") && !strings.HasPrefix(index, strings.TrimSuffix(str(list(rule["index"])[0]), "*")) {
			t.Errorf("%s: it looks at %v, not at %s", title, rule["index"], index)
		}
		found := map[string]bool{}
		for n, doc := range append(slices.Clone(try.finds), try.leaves...) {
			if doc["@timestamp"] == nil {
				doc["@timestamp"] = "2026-02-01T00:00:00Z"
			}
			node.Must(t, "PUT", fmt.Sprintf("/%s/_doc/try-%d", index, n), doc)
		}
		for _, hit := range search(index, query) {
			if rule["type"] == "threat_match" && !matches(t, rule, hit, search) {
				continue
			}
			if id := str(get(hit, "_id")); strings.HasPrefix(id, "try-") {
				found[id] = true
			}
		}
		for n := range len(try.finds) + len(try.leaves) {
			if id := fmt.Sprintf("try-%d", n); found[id] != (n < len(try.finds)) {
				t.Errorf("%s: %s is found: %v", title, id, found[id])
			}
			node.Must(t, "DELETE", fmt.Sprintf("/%s/_doc/try-%d", index, n), nil)
		}
	}
	if len(seen) != 10 {
		t.Errorf("%d rules, want 10", len(seen))
	}
}

// matches says whether an indicator has what one of the event's fields has, as
// Elastic Security looks for it.
func matches(t *testing.T, rule object, hit any, search func(string, object) []any) bool {
	query, _, ok := kibana.Query(str(rule["threat_query"]))
	if !ok {
		t.Errorf("%v: nobody asks %s", rule["name"], rule["threat_query"])
	}
	filters := []any{query}
	for _, f := range list(rule["threat_filters"]) {
		filters = append(filters, get(f, "query"))
	}
	for _, indicator := range search(str(list(rule["threat_index"])[0]), object{"bool": object{"filter": filters}}) {
		for _, m := range list(rule["threat_mapping"]) {
			for _, e := range list(get(m, "entries")) {
				event := str(get(get(hit, "_source"), strings.Split(str(get(e, "field")), ".")...))
				value := get(get(indicator, "_source"), strings.Split(str(get(e, "value")), ".")...)
				if event != "" && (value == event || slices.Contains(list(value), any(event))) {
					return true
				}
			}
		}
	}
	return false
}
