package kibana

import (
	"strings"

	"dossier/profile"
)

// rule is a detection rule of Elastic Security, of those that the free licence
// has: query, threshold and indicator match.
type rule struct {
	name     string // of the id, and never changed
	title    string
	about    string
	severity string
	version  int
	index    []string
	where    Condition
	every    string // how often it runs
	from     string // how far back it looks
	// override is the time that counts, "" for @timestamp: of documents that
	// may come late.
	override string
	// threshold is the field of a rule that fires again for each group that it
	// finds, "" for one that fires once for each document.
	threshold string
	match     *match
	// worse is a field whose value Critical makes the alert critical.
	worse string
	// scored says that the alert's score is the attacker's.
	scored bool
	threat []tactic
	// mistaken says what may set it off though nothing is wrong.
	mistaken []string
	// guide says what is to be done, in Markdown.
	guide string
}

// match is what an indicator match rule compares.
type match struct {
	index string
	where Condition
	// pairs are fields of the event and of the indicator: any may match.
	pairs [][2]string
}

type tactic struct {
	id, name   string
	techniques [][2]string
}

// scores of the severities, in the middle of the ranges that Elastic Security
// gives them.
var scores = map[string]int{"low": 21, "medium": 47, "high": 73, "critical": 99}

func (r *rule) id(k kit) string {
	name := "rule/" + r.name
	if k.prefix != DefaultPrefix {
		name = "rule/" + k.prefix + "/" + r.name
	}
	return profile.UUID(name)
}

func (r *rule) encode(k kit) object {
	o := object{
		"rule_id": r.id(k), "name": k.mark() + r.title, "description": r.about, "severity": r.severity, "risk_score": scores[r.severity], "version": r.version,
		"type": "query", "language": "kuery", "query": r.where.KQL(), "index": r.index, "filters": []any{},
		"interval": r.every, "from": r.from, "to": "now", "enabled": false, "max_signals": 100, "author": []string{"Dossier"}, "license": "Apache-2.0",
		"tags": []string{"Dossier", "Decoy"}, "references": []any{}, "false_positives": r.mistaken, "exceptions_list": []any{}, "actions": []any{},
		"severity_mapping": []any{}, "risk_score_mapping": []any{}, "threat": r.tactics(), "note": r.note(k),
	}
	if r.override != "" {
		o["timestamp_override"] = r.override
	}
	if r.worse != "" {
		o["severity_mapping"] = []any{object{"field": r.worse, "operator": "equals", "value": "Critical", "severity": "critical"}}
	}
	if r.scored {
		o["risk_score_mapping"] = []any{object{"field": "event.risk_score", "operator": "equals", "value": ""}}
	}
	switch {
	case r.threshold != "":
		o["type"] = "threshold"
		o["threshold"] = object{"field": []string{r.threshold}, "value": 1, "cardinality": []any{}}
	case r.match != nil:
		o["type"] = "threat_match"
		var mapping []any
		for _, p := range r.match.pairs {
			mapping = append(mapping, object{"entries": []any{object{"field": p[0], "type": "mapping", "value": p[1]}}})
		}
		o["threat_index"], o["threat_mapping"], o["threat_query"], o["threat_language"] = []string{r.match.index}, mapping, r.match.where.KQL(), "kuery"
		o["threat_indicator_path"], o["threat_filters"] = "threat.indicator", []any{phrase("event.kind", "enrichment"), phrase("event.type", "indicator")}
	default:
		o["investigation_fields"] = object{"field_names": []string{
			"source.ip", "message", "event.action", "transition.value", "behavior.class", "risk.level", "risk.stage", "services", "traversal_path", "login_successes", "command_count", "observer.name",
		}}
	}
	return o
}

// phrase is a filter as Kibana keeps one.
func phrase(field, value string) object {
	return object{
		"$state": object{"store": "appState"}, "query": object{"match_phrase": object{field: value}},
		"meta": object{"disabled": false, "negate": false, "alias": nil, "type": "phrase", "key": field, "params": object{"query": value}},
	}
}

func (r *rule) tactics() []any {
	const site = "https://attack.mitre.org/"
	var out []any
	for _, t := range r.threat {
		techniques := []any{}
		for _, id := range t.techniques {
			techniques = append(techniques, object{"id": id[0], "name": id[1], "reference": site + "techniques/" + id[0] + "/"})
		}
		out = append(out, object{
			"framework": "MITRE ATT&CK", "technique": techniques,
			"tactic": object{"id": t.id, "name": t.name, "reference": site + "tactics/" + t.id + "/"},
		})
	}
	return out
}

// note is the investigation guide; dashboards are called by their titles, for
// links would hold ids that another space doesn't have.
func (r *rule) note(k kit) string {
	return strings.ReplaceAll(strings.TrimSpace(r.guide), "[[", "**"+k.mark()) + "\n"
}
