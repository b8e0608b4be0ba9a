package profile

import (
	_ "embed"
	"fmt"
	"strings"
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
		fmt.Fprintf(&b, "## `%s`\n\n`_id` is %s.\n\n", name, k.id())
		b.WriteString("| field | type | law | from | what it tells |\n|---|---|---|---|---|\n")
		for _, f := range Fields(k) {
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
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", f.Name, kind, f.Law, f.Source, f.Doc)
		}
		b.WriteString("\n")
	}
	b.WriteString(after)
	return []byte(b.String())
}
