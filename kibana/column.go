package kibana

import "fmt"

// column is one of Lens.
type column struct {
	op, field, label string
	typ              string // data type
	size             int
	where            Condition
	decimals         int // of numbers, -1 for Kibana's own way
	ascending        bool
	suffix           string
}

// Of documents and numbers.

func count(label string) column {
	return column{op: "count", label: label, typ: "number", decimals: -1}
}

func number(op, field, label string) column {
	return column{op: op, field: field, label: label, typ: "number"}
}
func sum(field, label string) column  { return number("sum", field, label) }
func most(field, label string) column { return number("max", field, label) }
func distinct(field, label string) column {
	return column{op: "unique_count", field: field, label: label, typ: "number", decimals: -1}
}

// Of times.

func latest(field, label string) column {
	return column{op: "max", field: field, label: label, typ: "date"}
}

func earliest(field, label string) column {
	return column{op: "min", field: field, label: label, typ: "date"}
}

// last is the field of the newest document.
func last(field, label string) column {
	return column{op: "last_value", field: field, label: label, typ: "string"}
}

// Buckets.

func top(field, label string, size int) column {
	return column{op: "terms", field: field, label: label, typ: "string", size: size}
}

func hours() column {
	return column{op: "date_histogram", field: "@timestamp", label: "Time", typ: "date"}
}

func (c column) as(typ string) column      { c.typ = typ; return c }
func (c column) only(w Condition) column   { c.where = w; return c }
func (c column) fraction(n int) column     { c.decimals = n; return c }
func (c column) rising() column            { c.ascending = true; return c }
func (c column) unit(suffix string) column { c.suffix = suffix; return c }

// encode returns the column as Lens has it; by is the column that terms are
// ordered by.
func (c column) encode(by string) object {
	o := object{"label": c.label, "customLabel": true, "dataType": c.typ, "operationType": c.op, "sourceField": c.field, "isBucketed": false, "scale": "ratio"}
	p := object{}
	switch c.op {
	case "terms":
		o["isBucketed"], o["scale"] = true, "ordinal"
		order, direction := object{"type": "column", "columnId": by}, "desc"
		if c.ascending {
			direction = "asc"
		}
		p = object{
			"size": c.size, "orderBy": order, "orderDirection": direction, "otherBucket": false, "missingBucket": false,
			"parentFormat": object{"id": "terms"}, "include": []any{}, "exclude": []any{}, "includeIsRegex": false, "excludeIsRegex": false,
		}
	case "date_histogram":
		o["isBucketed"], o["scale"] = true, "interval"
		p = object{"interval": "auto", "includeEmptyRows": true, "dropPartials": false}
	case "last_value":
		o["scale"] = "ordinal"
		p = object{"sortField": "@timestamp", "showArrayValues": false}
		o["filter"] = kuery(fmt.Sprintf("%q: *", c.field)) // as Lens writes it itself
	case "count":
		o["sourceField"] = "___records___"
		p = object{"emptyAsNull": false}
	default:
		p = object{"emptyAsNull": true}
	}
	if !c.where.empty() {
		o["filter"] = kuery(c.where.KQL())
	}
	if c.typ == "number" && c.op != "terms" && (c.decimals >= 0 || c.suffix != "") {
		f := object{"decimals": max(c.decimals, 0)}
		if c.suffix != "" {
			f["suffix"] = c.suffix
		}
		p["format"] = object{"id": "number", "params": f}
	}
	o["params"] = p
	return o
}

func kuery(q string) object { return object{"language": "kuery", "query": q} }
