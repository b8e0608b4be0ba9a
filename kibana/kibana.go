// Package kibana has what analysts look at in Kibana: dashboards, and rules for
// Elastic Security, as the files that Kibana imports, and the calls that import
// them.
//
// Both are made from one table each (table.go, rulestable.go). A panel says
// which question it answers and what is done next; what answers none is left
// out. The files say the versions that Kibana 8.15 to 9.x take: of a dashboard
// the last that all of them know (8.9.0, brought up to date on import), never
// those of a newer export, which an older Kibana refuses.
//
// No field, link or name is made of what attackers send: their texts are shown,
// and nothing of them can be clicked.
package kibana

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// Schema versions of saved objects: the last that every Kibana from 8.15 on
// brings up to date by itself.
const (
	coreVersion      = "8.8.0"
	dashboardVersion = "8.9.0"
	viewVersion      = "8.0.0"
	searchVersion    = "8.0.0"
	mapVersion       = "8.4.0"
)

type object = map[string]any

// kit is what is made for one index prefix.
type kit struct{ prefix string }

// view is a data view by the kind of document.
type view string

const (
	attackers   view = "attackers"
	activity    view = "activity"
	transitions view = "transitions"
	targets     view = "smtp-targets"
	sensors     view = "sensors"
	indicators  view = "indicators"
)

// pattern returns the indices of a view.
func (k kit) pattern(v view) string {
	name := k.prefix + "-" + string(v)
	if v == activity || v == transitions {
		name += "-*"
	}
	return name
}

func (k kit) id(name string) string { return k.prefix + "-" + name }

// mark is what the titles begin with: of several prefixes in one space each
// has its own.
func (k kit) mark() string {
	if k.prefix == DefaultPrefix {
		return "[Dossier] "
	}
	return "[Dossier " + k.prefix + "] "
}

// DefaultPrefix is the index prefix that the committed files are for.
const DefaultPrefix = "dossier"

// Dashboards returns the dashboards of the prefix, and all they need, as NDJSON
// that Kibana's saved objects import takes.
func Dashboards(prefix string) []byte {
	k := kit{prefix}
	return lines(k.objects())
}

// Rules returns the detection rules of the prefix as NDJSON that the import of
// Elastic Security takes. They come switched off.
func Rules(prefix string) []byte {
	var out []any
	for _, r := range ruleTable(kit{prefix}) {
		out = append(out, r.encode(kit{prefix}))
	}
	return lines(out)
}

// lines writes a JSON object a line; keys are sorted, so the same table gives
// the same bytes.
func lines(objects []any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	for _, o := range objects {
		if err := e.Encode(o); err != nil {
			panic(fmt.Sprintf("kibana: %v", err)) // maps, texts and numbers only
		}
	}
	return b.Bytes()
}

// text is an object as the text that many of Kibana's attributes hold it as.
func text(v any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(fmt.Sprintf("kibana: %v", err))
	}
	return string(bytes.TrimRight(b.Bytes(), "\n"))
}
