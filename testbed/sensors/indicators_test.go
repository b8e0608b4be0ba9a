package sensors

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"dossier/plugin/chunk/chunktest"
	"dossier/profile"
	"dossier/testbed/e2e"
	"dossier/testbed/esnode"
	"dossier/testbed/host"
)

type object = map[string]any

// TestElasticSecurityFindsAttackers asks for the attackers as Elastic Security
// does, with its default index patterns. The queries are those of
//
//   - the prebuilt rule "Threat Intel IP Address Indicator Match" (0c41e478-…),
//     elastic/detection-rules, rules/threat_intel/
//     threat_intel_indicator_match_address.toml as updated 2025/04/22
//     (2ada205f2e): its threat_query, threat_filters, threat_mapping and query;
//   - what an indicator match rule makes of it, elastic/kibana,
//     security_solution/server/lib/detection_engine/rule_types/indicator_match/
//     threat_mapping: get_threat_list.ts (0467ecaf38) pages through a point in
//     time, build_threat_mapping_filter.ts (014322438e) asks by terms where both
//     fields are of type ip, with the first value of each indicator;
//   - the Indicators page, security_solution/public/threat_intelligence:
//     constants/common.ts (b4099342f2), modules/indicators/utils/
//     get_indicator_query_params.ts (f0e9481c5e), services/fetch_indicators.ts
//     (27a5c70085) and the bar chart's aggregation of the search strategy;
//   - the enrichment of an alert and the overview's sources, security_solution/
//     server/search_strategy/security_solution/factory/cti: event_enrichment/
//     query.ts, threat_intel_source/query.threat_intel_source.dsl.ts
//     (176a8a5f73).
func TestElasticSecurityFindsAttackers(t *testing.T) {
	node := esnode.Shared(t)
	prefix := e2e.Prefix(t)
	now := time.Now().UTC()
	const v4, v6, quiet, old = "203.0.113.77", "2001:db8:77::1", "203.0.113.78", "203.0.113.79"
	var b chunktest.Builder
	for addr, age := range map[string]time.Duration{v4: time.Hour, v6: 2 * time.Hour, quiet: 20 * 24 * time.Hour, old: 40 * 24 * time.Hour} {
		for i := range 3 {
			at := now.Add(-age - time.Duration(i)*time.Second).Format("2006-01-02T15:04:05.000000+00:00")
			b.Event(now, chunktest.Map{"log", fmt.Sprintf(`<134>1 %s decky-0%d ssh - connect [relay@55555 src_ip="%s"]`, at, i+1, addr)})
		}
	}
	h := e2e.StartHost(t, host.Options{Workers: 1, Properties: e2e.Properties(t, node.URL, prefix, nil)})
	e2e.Deliver(t, h, []e2e.Chunk{{Tag: "decnet", Data: b.Bytes()}}, 1)
	if err := h.Exit(t.Context()); err != nil {
		t.Fatal(err)
	}
	node.Must(t, "POST", "/"+prefix+"-attackers/_refresh", nil)

	// What the node's other users have is under the same alias.
	ours := object{"prefix": object{"_index": prefix}}
	in := func(filters ...any) object {
		return object{"bool": object{"filter": append([]any{ours}, filters...)}}
	}
	since := func(when string) object { return object{"range": object{"@timestamp": object{"gte": when}}} }
	match := func(field, value string) object { return object{"match": object{field: value}} }
	phrase := func(field, value string) object { return object{"match_phrase": object{field: value}} }
	exists := func(field string) object { return object{"exists": object{"field": field}} }
	either := func(queries ...any) object {
		return object{"bool": object{"should": queries, "minimum_should_match": 1}}
	}
	search := func(t *testing.T, pattern string, body object) (hits []object, answer object) {
		t.Helper()
		answer = node.Must(t, "POST", "/"+pattern+"/_search?ignore_unavailable=true&allow_no_indices=true", body)
		for _, hit := range at(answer, "hits.hits").([]any) {
			hits = append(hits, hit.(object))
		}
		return hits, answer
	}
	addresses := func(hits []object) []string {
		var list []string
		for _, hit := range hits {
			list = append(list, fmt.Sprint(hit["fields"].(object)["threat.indicator.ip"]))
		}
		slices.Sort(list)
		return list
	}
	recent := []string{"[" + v4 + "]", "[" + quiet + "]", "[" + v6 + "]"}
	slices.Sort(recent)
	const feeds, threatFeeds = "logs-ti_*", "filebeat-*,logs-ti_*"

	// indicators returns what the rule's threat_query and threat_filters find.
	indicators := func(t *testing.T, filters ...any) []object {
		pit := node.Must(t, "POST", "/"+threatFeeds+"/_pit?keep_alive=1m&ignore_unavailable=true&allow_partial_search_results=false", nil)
		answer := node.Must(t, "POST", "/_search", object{
			"pit": object{"id": pit["id"], "keep_alive": "1m"}, "sort": []any{"_shard_doc"},
			"size": 1000, "track_total_hits": false, "_source": false, "fields": []any{"threat.indicator.ip"},
			"query": object{"bool": object{"filter": append(filters, since("now-30d/d"), either(match("event.module", "threatintel"), object{"query_string": object{"fields": []any{"event.module"}, "query": "ti_*"}}),
				exists("threat.indicator.ip"), object{"bool": object{"must_not": phrase("labels.is_ioc_transform_source", "true")}},
				phrase("event.category", "threat"), phrase("event.kind", "enrichment"), phrase("event.type", "indicator"))}},
		})
		node.Must(t, "DELETE", "/_pit", object{"id": answer["pit_id"]})
		var hits []object
		for _, hit := range at(answer, "hits.hits").([]any) {
			hits = append(hits, hit.(object))
		}
		return hits
	}

	t.Run("indicator match rule", func(t *testing.T) {
		list := indicators(t, ours)
		if got := addresses(list); !slices.Equal(got, recent) {
			t.Fatalf("the rule knows %v, want %v", got, recent)
		}
		var values []any
		for _, hit := range list {
			indicator := hit["fields"].(object)["threat.indicator.ip"].([]any)
			if len(indicator) != 1 {
				t.Errorf("an indicator with %d addresses: %v", len(indicator), indicator)
			}
			values = append(values, indicator[0])
		}

		events := prefix + "-events"
		node.Must(t, "PUT", "/"+events, object{"mappings": object{"properties": object{
			"@timestamp": object{"type": "date"}, "source": object{"properties": object{"ip": object{"type": "ip"}}},
			"destination": object{"properties": object{"ip": object{"type": "ip"}}},
		}}})
		for id, sides := range map[string][2]string{
			"from an attacker": {v4, "192.0.2.1"}, "to an attacker": {"192.0.2.1", v6}, "from a stranger": {"198.51.100.1", "192.0.2.1"},
			"from an old attacker": {old, "192.0.2.1"},
		} {
			node.Must(t, "PUT", "/"+events+"/_doc/"+strings.ReplaceAll(id, " ", "-")+"?refresh=true", object{
				"@timestamp": now.Add(-time.Minute), "source": object{"ip": sides[0]}, "destination": object{"ip": sides[1]},
			})
		}
		events += "," + prefix + "-attackers"
		observed := object{"bool": object{"filter": []any{
			object{"range": object{"@timestamp": object{"gte": "now-65m"}}},
			either(exists("source.ip"), exists("destination.ip")),
			either(object{"terms": object{"source.ip": values, "_name": "source"}}, object{"terms": object{"destination.ip": values, "_name": "destination"}}),
		}}}
		hits, _ := search(t, events, object{"query": observed})
		found := map[string]string{}
		for _, hit := range hits {
			found[hit["_id"].(string)] = fmt.Sprint(hit["matched_queries"])
		}
		if want := map[string]string{"from-an-attacker": "[source]", "to-an-attacker": "[destination]"}; !maps.Equal(found, want) {
			t.Errorf("the rule fires for %v, want %v", found, want)
		}
		// The rule's own events are logs-*, which the alias is in.
		self, _ := search(t, profile.Alias("dossier"), object{"query": in(either(exists("source.ip"), exists("destination.ip")))})
		if len(self) > 0 {
			t.Errorf("%d indicators would match themselves", len(self))
		}
	})

	t.Run("Indicators page", func(t *testing.T) {
		base := in(match("event.type", "indicator"), match("event.category", "threat"), since("now-30d/d"))
		rows, _ := search(t, feeds, object{
			"size": 25, "from": 0, "fields": []any{object{"field": "*", "include_unmapped": true}}, "query": base,
			"sort": []any{object{"@timestamp": "desc"}}, "docvalue_fields": []any{"threat.indicator.type", "threat.indicator.ip"},
		})
		if got := addresses(rows); !slices.Equal(got, recent) {
			t.Errorf("the table shows %v, want %v", got, recent)
		}
		for _, row := range rows {
			fields := row["fields"].(object)
			// The page works the name out of these two, and shows the others.
			want := "ipv4-addr"
			if strings.Contains(fmt.Sprint(fields["threat.indicator.ip"]), ":") {
				want = "ipv6-addr"
			}
			if got := fmt.Sprint(fields["threat.indicator.type"]); got != "["+want+"]" {
				t.Errorf("%v is of type %s", fields["threat.indicator.ip"], got)
			}
			for _, name := range []string{"threat.indicator.name", "threat.indicator.first_seen", "threat.indicator.last_seen", "threat.indicator.confidence", "threat.indicator.marking.tlp", "threat.feed.name"} {
				if fields[name] == nil {
					t.Errorf("%v has no %s", fields["threat.indicator.ip"], name)
				}
			}
		}
		_, answer := search(t, feeds, object{"size": 0, "query": base, "aggs": object{"bars": object{
			"terms": object{"field": "threat.feed.name"},
			"aggs": object{"events": object{"date_histogram": object{
				"field": "@timestamp", "fixed_interval": "1d", "min_doc_count": 0,
				"extended_bounds": object{"min": now.AddDate(0, 0, -30).UnixMilli(), "max": now.UnixMilli()},
			}}},
		}}})
		if got := at(answer, "aggregations.bars.buckets").([]any); len(got) != 1 || got[0].(object)["key"] != "Dossier" || got[0].(object)["doc_count"] != 3.0 {
			t.Errorf("the chart has %v", got)
		}
	})

	t.Run("enrichment of an alert", func(t *testing.T) {
		hits, _ := search(t, feeds, object{
			"_source": false, "stored_fields": []any{"*"}, "fields": []any{object{"field": "*", "include_unmapped": true}},
			"query": object{"bool": object{
				"should":               []any{object{"match": object{"threat.indicator.ip": object{"query": v6, "_name": "source.ip"}}}},
				"minimum_should_match": 1,
				"filter":               []any{ours, object{"term": object{"event.type": "indicator"}}, since("now-30d")},
			}},
		})
		if len(hits) != 1 || fmt.Sprint(hits[0]["matched_queries"]) != "[source.ip]" || hits[0]["_id"] != v6 {
			t.Errorf("got %v", hits)
		}
	})

	t.Run("overview", func(t *testing.T) {
		_, answer := search(t, feeds, object{"size": 0, "track_total_hits": true, "query": in(since("now-30d")), "aggs": object{"dataset": object{
			"terms": object{"field": "event.dataset"},
			"aggs": object{
				"name":      object{"terms": object{"field": "threat.feed.name"}},
				"dashboard": object{"terms": object{"field": "threat.feed.dashboard_id"}},
			},
		}}})
		source := at(answer, "aggregations.dataset.buckets").([]any)
		if len(source) != 1 || source[0].(object)["key"] != "ti_dossier.attackers" || source[0].(object)["doc_count"] != 3.0 {
			t.Errorf("the overview lists %v", source)
		}
	})

	// Of a network the rule takes the newest address alone; the enrichment
	// of an alert finds them all.
	t.Run("network", func(t *testing.T) {
		prefix := e2e.Prefix(t)
		var b chunktest.Builder
		for i, addr := range []string{"2001:db8:77::1", "2001:db8:77::2", "2001:db8:77::3"} {
			at := now.Add(-time.Hour + time.Duration(i)*time.Minute).Format("2006-01-02T15:04:05.000000+00:00")
			b.Event(now, chunktest.Map{"log", fmt.Sprintf(`<134>1 %s decky-01 ssh - connect [relay@55555 src_ip="%s"]`, at, addr)})
		}
		h := e2e.StartHost(t, host.Options{Workers: 1, Properties: e2e.Properties(t, node.URL, prefix, map[string]string{"ipv6_prefix": "64"})})
		e2e.Deliver(t, h, []e2e.Chunk{{Tag: "decnet", Data: b.Bytes()}}, 1)
		if err := h.Exit(t.Context()); err != nil {
			t.Fatal(err)
		}
		node.Must(t, "POST", "/"+prefix+"-attackers/_refresh", nil)
		mine := object{"prefix": object{"_index": prefix}}
		list := indicators(t, mine)
		if len(list) != 1 {
			t.Fatalf("the rule knows %v", list)
		}
		if got, want := fmt.Sprint(list[0]["fields"].(object)["threat.indicator.ip"]), "[2001:db8:77::3 2001:db8:77::2 2001:db8:77::1]"; got != want {
			t.Errorf("the network's addresses are %s, want %s", got, want)
		}
		for _, addr := range []string{"2001:db8:77::1", "2001:db8:77::3"} {
			hits, _ := search(t, feeds, object{"query": object{"bool": object{
				"should":               []any{object{"match": object{"threat.indicator.ip": object{"query": addr, "_name": "source.ip"}}}},
				"minimum_should_match": 1,
				"filter":               []any{mine, object{"term": object{"event.type": "indicator"}}, since("now-30d")},
			}}})
			if len(hits) != 1 {
				t.Errorf("%s: the enrichment finds %v", addr, hits)
			}
		}
	})

	// What the rules watch must not stand beside what they watch for: of ours
	// only what is published as indicators is among logs-*, by its own alias.
	published := map[string]bool{profile.Alias(prefix): true, profile.IndicatorsAlias(prefix): true}
	seen := 0
	for index, body := range node.Must(t, http.MethodGet, "/logs-*/_alias", nil) {
		if !strings.HasPrefix(index, prefix+"-") {
			continue
		}
		for alias := range body.(object)["aliases"].(object) {
			if !strings.HasPrefix(alias, "logs-") {
				continue // told of the index, but not what leads there from logs-*
			}
			seen++
			if !published[alias] {
				t.Errorf("%s is among logs-* as %s", index, alias)
			}
		}
	}
	if seen != len(published) {
		t.Errorf("%d aliases of ours are among logs-*, want %d", seen, len(published))
	}
}
