package kibana

import (
	"fmt"
	"strings"
)

// Markdown returns docs/kibana.md: how dashboards and rules get into Kibana, and
// what each of them is for, from the tables that they are made from.
func Markdown() []byte {
	var b strings.Builder
	b.WriteString(prose)
	for i := range dashboards {
		d := &dashboards[i]
		fmt.Fprintf(&b, "\n### %s\n\n%s\n\n| panel | answers | what then |\n|---|---|---|\n", d.title, d.about)
		for _, p := range d.laid() {
			if p.question != "" {
				fmt.Fprintf(&b, "| %s | %s | %s |\n", p.title, p.question, p.next)
			}
		}
	}
	b.WriteString(rulesProse)
	for _, r := range ruleTable(kit{DefaultPrefix}) {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", r.title, r.severity, r.about)
	}
	return []byte(b.String())
}

const prose = `<!-- Made from the tables in kibana/ and kibana/markdown.go by ` + "`go generate ./kibana`" + `. -->

# Dashboards and rules in Kibana

Seven dashboards and ten detection rules go with the indices. They need Kibana 8.15 or newer and nothing but the free licence. All
panels were proved without a Kibana: each of their searches is rebuilt from the file and run on a real Elasticsearch that the sample of
` + "`make demo`" + ` filled (` + "`go test ./testbed/kibana`" + `); in a Kibana itself this project has not tried them.

## Getting them in

With the command, and again after each update (what is there of the same ids is replaced; change copies):

` + "```sh" + `
export DOSSIER_ES_PASSWORD=…
dossier kibana dashboards --url https://kibana:5601 --es-user elastic
dossier kibana rules --url https://kibana:5601 --es-user elastic
` + "```" + `

` + "`--space`" + ` names a space, ` + "`--index-prefix`" + ` the index prefix; credentials and certificates are given as to the other commands. Dashboards take
the Kibana privilege *Saved Objects Management*, rules *Security*. Whoever looks needs the role ` + "`PREFIX-reader`" + ` beside a role for Kibana.

By hand, for the prefix ` + "`dossier`" + `, from a copy of this repository:

` + "```sh" + `
export AUTH=elastic:…
curl -u "$AUTH" -H 'kbn-xsrf: true' -F file=@conf/kibana/dashboards.ndjson 'https://kibana:5601/api/saved_objects/_import?overwrite=true'
curl -u "$AUTH" -H 'kbn-xsrf: true' -F file=@conf/kibana/rules.ndjson 'https://kibana:5601/api/detection_engine/rules/_import?overwrite=true'
` + "```" + `

Run ` + "`dossier setup`" + ` before: indices of an earlier version lack names that panels ask for, and a panel on such a field is red.

## Reading them

Every row with an attacker's address opens that attacker's dashboard: click the address, then *Open this attacker*. Other values filter
the dashboard that you are on. One filter on ` + "`ip`, `sensors`, `risk.level`, `behavior.class`, `country_code` or `network_type`" + ` works in all panels but those
about sensors and indicators, which take none: a sensor is no attacker's, and an indicator may be that of many. What attackers sent is shown as text; none of it can be clicked.

The map needs tiles from the internet in the browser; countries stand in a table as well.

## Dashboards
`

const rulesProse = `
## Rules

They come switched off. Indicator match rules look through our own logs (auditbeat-*, filebeat-*, logs-*, packetbeat-*, winlogbeat-*,
endgame-*) for what attackers of the last 30 days used; those on ` + "`PREFIX-transitions-*`" + ` fire once for each line that an attacker
crosses, however often its document is written; the two on thresholds fire again. Each has a guide that says what to look at in which
dashboard.

| rule | severity | when |
|---|---|---|
`
