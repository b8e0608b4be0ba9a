package options

import (
	"fmt"
	"strings"
)

// Markdown returns docs/options.md.
func Markdown() string {
	var b strings.Builder
	b.WriteString(`# Options

Set on the output in Fluent Bit's configuration. Values are single strings;
Fluent Bit expands environment variables (` + "`${NAME}`" + `) before Dossier sees them
and can't tell an empty value from one that is not set. Lists are separated by
spaces or commas; a YAML list would lose all but its first element. Durations
are written ` + "`500ms`, `8s`, `2m`; sizes `64M`, `1G`" + ` (powers of 1024); switches ` + "`on`\nand `off`" + `.

A wrong value stops Fluent Bit with one line that says which option, what was
given and what is allowed. Fluent Bit doesn't reject names it doesn't know, so
Dossier warns at start of those that nothing reads, and of likely misspellings
of Fluent Bit's own. An option is one value: of a list in YAML, or of an option
that is there twice, Fluent Bit hands over the first value alone, which is
warned of as well.
` + "`host`, `port`, `tls`, `tls.*`, `net.*`" + ` of Fluent Bit have no effect on this
output (` + "`tls on`" + ` even stops Fluent Bit): Fluent Bit doesn't hand them on.
` + "`workers`, `retry_limit`, `match`, `alias`, `log_level`" + ` work as everywhere.
Tracing has no option: the variables of OpenTelemetry in the environment ask for
it ([operations.md](operations.md#tracing)).

For the command ` + "`dossier`" + ` an option is a flag (` + "`--es-hosts`" + `), a variable
(` + "`DOSSIER_ES_HOSTS`" + `) or stands in such a configuration (` + "`--config fluent-bit.yaml`" + `); the
flag goes before the variable, and that before the file
([operations.md](operations.md#flags-and-variables)).
` + "`dossier check --config`" + ` finds what is wrong in a file before Fluent Bit starts with it.

<!-- Made from the table in plugin/options by go generate; don't edit. -->
`)
	group := ""
	for i := range table {
		row := &table[i]
		if row.group != group {
			group = row.group
			fmt.Fprintf(&b, "\n## %s\n\n| option | default | allowed | what it does |\n|---|---|---|---|\n", group)
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", row.key, cell(row.def()), cell(row.want), cell(row.doc))
	}
	return b.String()
}

// def is the default as the documentation shows it.
func (row *option) def() string {
	switch {
	case row.shown != "":
		return row.shown
	case row.value != "":
		return "`" + row.value + "`"
	default:
		return "—"
	}
}

func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }
