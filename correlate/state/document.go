package state

import (
	"fmt"
	"strings"

	"dossier/correlate/law"
)

//go:generate go test . -run TestDocumentation -update

// Documentation returns the page on what states hold, as Markdown.
func Documentation() string {
	var b strings.Builder
	b.WriteString(`# What a state holds

Each attacker, mail domain, indicator and hour carries its state, from which the rest of the document is rendered (` + "`state`" + ` in [profile.md](profile.md)). A state is a msgpack map from short names to values; what is zero is left out. A name keeps its meaning for ever, and one that a version doesn't know is carried through unchanged. How each law combines evidence is in the package documentation of ` + "`correlate/law`" + `.

A list that is full has a ` + "`+`" + ` behind its name, and ` + "`rk`" + ` beside it tells which list key has cut it. Bytes are what a value takes at the most.
`)
	section(&b, "An attacker", attackerTable)
	section(&b, "A mail domain of an attacker", targetTable)
	section(&b, "An indicator", indicatorTable)
	section(&b, "An hour of an attacker", activityTable)
	return b.String()
}

func section[S any](b *strings.Builder, title string, t table[S]) {
	fmt.Fprintf(b, "\n## %s\n\nAt most %d bytes.\n\n| name | value | law | bound | bytes |\n|---|---|---|---|---:|\n", title, t.most())
	for i := range t {
		fmt.Fprintf(b, "| `%s` | %s | %s | %s | %d |\n", t[i].name, t[i].doc, t[i].law, t[i].bound(), t[i].most)
	}
}

// bound says how many of what there are the value keeps.
func (a *about) bound() string {
	switch {
	case a.limit == nil && a.count == 0:
		return ""
	case a.limit == nil:
		return fmt.Sprint(a.count)
	}
	return describe(a.limit)
}

func describe(l *law.Limit) string {
	var parts []string
	add := func(format string, n int) {
		if n > 0 {
			parts = append(parts, fmt.Sprintf(format, n))
		}
	}
	add("%d keys", l.Keys)
	add("%d bytes", l.Bytes)
	add("%d bytes each", l.Entry)
	add("%d classes", len(l.Shares))
	firsts := l.Firsts
	for i := range l.Shares {
		firsts += l.Shares[i].Firsts
	}
	add("the first %d beside", firsts)
	return strings.Join(parts, ", ")
}
