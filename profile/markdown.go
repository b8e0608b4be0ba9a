package profile

import (
	_ "embed"
	"fmt"
	"strconv"
	"strings"

	"dossier/correlate/law"
	"dossier/correlate/state"
)

//go:generate go run ./cmd/fielddocs -o ../docs/profile.md

//go:embed prose.md
var prose string

// Markdown returns the documentation of every field, and how what is computed
// is computed.
func Markdown() []byte {
	var b strings.Builder
	b.WriteString("<!-- Made from the field table in profile/fields.go and profile/prose.md by `go generate ./profile`. -->\n\n")
	before, after, _ := strings.Cut(prose, "<!-- fields -->\n")
	b.WriteString(before)
	for _, k := range Kinds() {
		name := "<prefix>-" + k.String()
		if k.Monthly() {
			name += "-YYYY.MM"
		}
		fmt.Fprintf(&b, "## `%s`\n\n`_id` is %s.%s\n\n", name, k.id(), k.other())
		b.WriteString("| field | type | law | from | what it tells |\n|---|---|---|---|---|\n")
		for _, f := range Fields(k) {
			f.row(&b, "")
		}
		b.WriteString("\n")
	}
	b.WriteString(strings.Replace(after, "<!-- limits -->\n", limits(), 1))
	return []byte(b.String())
}

// row writes the field's row of the table, and those of its members.
func (f Field) row(b *strings.Builder, within string) {
	kind := string(f.Type)
	if f.List {
		kind += "[]"
	}
	if f.Type == Object {
		kind += ", not indexed"
	}
	if f.ECS {
		kind += ", ECS"
	}
	fmt.Fprintf(b, "| `%s%s` | %s | %s | %s | %s |\n", within, f.Name, kind, f.Law, f.Source, f.Doc)
	for _, member := range f.Members {
		member.row(b, within+f.Name+".")
	}
}

// limits returns the rows of the table of bounds.
func limits() string {
	var b strings.Builder
	for _, l := range []struct {
		field string
		law.Limit
	}{
		{"services", state.LimitServices},
		{"ports", state.LimitPorts},
		{"deckies", state.LimitDeckies},
		{"hops", state.LimitHops},
		{"commands", state.LimitCommands},
		{"credentials", state.LimitCredentials},
		{"fingerprints", state.LimitFingerprints},
		{"artifacts", state.LimitArtifacts},
		{"ip_leaks", state.LimitLeaks},
		{"alerts", state.LimitAlerts},
		{"behavior.tool_evidence", state.LimitTools},
		{"behavior.technique_evidence", state.LimitTechniques},
		{"behavior.conclusions", state.LimitConclusions},
		{"behavior.kex_order", state.LimitKexOrders},
		{"sensors", state.LimitSensors},
		{"claimed.services", state.LimitClaimedServices},
		{"claimed.deckies", state.LimitClaimedDeckies},
		{"claimed.evidence", state.LimitClaims},
		{"claimed.commands", state.LimitShell},
		{"threat.indicator.ip", state.LimitNetwork},
		{"credentials.tried", state.LimitTried},
	} {
		keys := "–" // as many as fit
		if l.Keys > 0 {
			keys = strconv.Itoa(l.Keys)
		}
		fmt.Fprintf(&b, "| `%s` | %s | %d |\n", l.field, keys, l.Bytes)
	}
	return b.String()
}
