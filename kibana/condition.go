package kibana

import (
	"fmt"
	"strconv"
	"strings"
)

// Condition is one thing that is asked of a document. Kibana's query (KQL) and
// the node's own both come from it, so that what is proved on a node is what
// Kibana sends.
type Condition struct {
	op     string // "", is, exists, range, and, or, not
	field  string
	values []any
	below  string // the comparison of range: >, >=, <, <=
	of     []Condition
}

// is wants the field to have one of the values.
func is(field string, values ...any) Condition {
	return Condition{op: "is", field: field, values: values}
}

// has wants the field to have a value.
func has(field string) Condition { return Condition{op: "exists", field: field} }

// over, atLeast, under compare a number, or a date as Elasticsearch's date math.
func over(field string, v any) Condition {
	return Condition{op: "range", field: field, below: ">", values: []any{v}}
}

func atLeast(field string, v any) Condition {
	return Condition{op: "range", field: field, below: ">=", values: []any{v}}
}

func under(field string, v any) Condition {
	return Condition{op: "range", field: field, below: "<", values: []any{v}}
}

func all(of ...Condition) Condition   { return Condition{op: "and", of: of} }
func anyOf(of ...Condition) Condition { return Condition{op: "or", of: of} }
func not(of Condition) Condition      { return Condition{op: "not", of: []Condition{of}} }
func (c Condition) empty() bool       { return c.op == "" }

// KQL returns the condition as Kibana's query language has it, "" of none.
func (c Condition) KQL() string { return c.kql(false) }

func (c Condition) kql(inside bool) string {
	switch c.op {
	case "is":
		if len(c.values) == 1 {
			return c.field + ": " + literal(c.values[0])
		}
		words := make([]string, len(c.values))
		for i, v := range c.values {
			words[i] = literal(v)
		}
		return c.field + ": (" + strings.Join(words, " or ") + ")"
	case "exists":
		return c.field + ": *"
	case "range":
		return c.field + " " + c.below + " " + literal(c.values[0])
	case "not":
		return "not " + c.of[0].kql(true)
	case "and", "or":
		parts := make([]string, len(c.of))
		for i, o := range c.of {
			parts[i] = o.kql(true)
		}
		s := strings.Join(parts, " "+c.op+" ")
		if inside {
			return "(" + s + ")"
		}
		return s
	}
	return ""
}

// literal writes a value; texts always in quotes, where nothing but the quote
// and the backslash means anything.
func literal(v any) string {
	switch v := v.(type) {
	case string:
		return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(v) + `"`
	case bool:
		return strconv.FormatBool(v)
	default:
		return fmt.Sprint(v)
	}
}

// Query returns the condition in the node's own language, of the form in which
// Kibana writes it.
func (c Condition) Query() map[string]any {
	switch c.op {
	case "is":
		should := make([]any, len(c.values))
		for i, v := range c.values {
			match := "match"
			if _, text := v.(string); text {
				match = "match_phrase"
			}
			should[i] = object{match: object{c.field: v}}
		}
		return object{"bool": object{"should": should, "minimum_should_match": 1}}
	case "exists":
		return object{"exists": object{"field": c.field}}
	case "range":
		return object{"range": object{c.field: object{map[string]string{">": "gt", ">=": "gte", "<": "lt"}[c.below]: c.values[0]}}}
	case "not":
		return object{"bool": object{"must_not": []any{c.of[0].Query()}}}
	case "and", "or":
		of := make([]any, len(c.of))
		for i, o := range c.of {
			of[i] = o.Query()
		}
		if c.op == "and" {
			return object{"bool": object{"filter": of}}
		}
		return object{"bool": object{"should": of, "minimum_should_match": 1}}
	}
	return object{"match_all": object{}}
}

// Fields returns the fields that are asked for.
func (c Condition) Fields() []string {
	if c.field != "" {
		return []string{c.field}
	}
	var out []string
	for _, o := range c.of {
		out = append(out, o.Fields()...)
	}
	return out
}

// Query returns the node's own query for what a panel, a column or a rule of
// this package asks in KQL, and the fields it asks for; false where none of
// them asks so.
func Query(kql string) (query map[string]any, fields []string, ok bool) {
	if field, is := strings.CutSuffix(kql, ": *"); is {
		if name, err := strconv.Unquote(field); err == nil {
			return has(name).Query(), []string{name}, true // what Lens adds to a last value
		}
	}
	for _, c := range asked() {
		if c.KQL() == kql {
			return c.Query(), c.Fields(), true
		}
	}
	return nil, nil, false
}

// asked are all conditions that there are.
func asked() []Condition {
	out := []Condition{{}}
	for i := range dashboards {
		for _, p := range dashboards[i].laid() {
			out = append(out, p.where)
			for _, c := range append(p.rows, p.metrics...) {
				out = append(out, c.where)
			}
		}
	}
	for _, r := range ruleTable(kit{DefaultPrefix}) {
		out = append(out, r.where)
		if r.match != nil {
			out = append(out, r.match.where)
		}
	}
	return out
}
