package dialect

import (
	"fmt"
	"strings"

	"dossier/correlate/event"
)

// The bounds of a description.
const (
	describedNames = 12
	describedName  = 40
)

// Describe says what shape a record has, for the log: the names of its fields,
// and of those of the document in it. What is in the fields stays out: it may
// be a password or anybody's mail address.
func Describe(r *event.Record) string {
	var b strings.Builder
	b.WriteString("fields ")
	describeNames(&b, r.Fields)
	s := new(Parser).shapeOf(r.Fields)
	if s.rank == len(lineKeys) {
		return b.String()
	}
	line := strings.TrimSpace(s.line)
	fmt.Fprintf(&b, "; %d bytes of ", len(line))
	switch {
	case line == "" || line[0] != '{' && line[0] != '<':
		b.WriteString("text")
	case line[0] == '<':
		b.WriteString("syslog")
	case len(line) > MaxText:
		b.WriteString("JSON")
	default:
		var sc scanner
		fields, ok := sc.flatten(new(event.Arena), nil, line, event.MaxFields)
		if ok {
			b.WriteString("JSON with the fields ")
		} else {
			b.WriteString("broken JSON with the fields ")
		}
		describeNames(&b, fields)
	}
	return b.String()
}

// Describe says what shape a record has that got this verdict: also the dialect
// it was read as, and the program where the line is of one that is known.
func (v Verdict) Describe(r *event.Record) string {
	text := Describe(r)
	if v.Dialect != None {
		text += "; read as " + v.Dialect.String()
	}
	if v.Speaker != "" {
		text += ", of " + v.Speaker
	}
	return text
}

func describeNames(b *strings.Builder, fields []event.Field) {
	if len(fields) == 0 {
		b.WriteString("(none)")
	}
	var a event.Arena
	for i := range fields {
		switch {
		case i == describedNames:
			fmt.Fprintf(b, " and %d more", len(fields)-i)
			return
		case i > 0:
			b.WriteString(", ")
		}
		name, cut := a.Clean(fields[i].Key, describedName)
		if strings.ContainsAny(name, "@%") {
			name, cut = "", true // somebody's address
		}
		b.WriteString(name)
		if cut {
			b.WriteString("…")
		}
	}
}
