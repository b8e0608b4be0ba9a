package analyst

import (
	"fmt"
	"slices"
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// Column is a column of a list of attackers.
type Column struct {
	Title string
	// Right says that it is set to the right, Rest that it takes what is left of
	// the line.
	Right, Rest bool
	// Optional says that it is left out where nobody has anything in it.
	Optional bool
	width    int
	cell     func(*Profile) string
}

// Columns are those of a list of attackers, the ones that matter most first.
func Columns() []Column {
	number := func(n func(*Profile) int64) func(*Profile) string {
		return func(p *Profile) string { return fmt.Sprint(n(p)) }
	}
	return []Column{
		{Title: "ADDRESS", width: 15, cell: func(p *Profile) string { return p.ID }},
		{Title: "RISK", width: 12, cell: func(p *Profile) string { return fmt.Sprintf("%3.0f %s", p.Risk.Score, p.Risk.Level) }},
		{Title: "STAGE", width: 10, cell: func(p *Profile) string { return string(p.Risk.Stage) }},
		{Title: "CLASS", width: 11, cell: func(p *Profile) string { return string(p.Behavior.Class) }},
		{Title: "LAST SEEN", width: 16, cell: func(p *Profile) string { return strings.TrimSuffix(p.LastSeen.Short(), p.LastSeen.UTC().Format(":05")) }},
		{Title: "EVENTS", width: 7, Right: true, cell: number(func(p *Profile) int64 { return p.EventCount })},
		{Title: "DECOYS", width: 6, Right: true, cell: number(func(p *Profile) int64 { return p.DeckyCount })},
		{Title: "CMDS", width: 5, Right: true, cell: number(func(p *Profile) int64 { return p.CommandCount })},
		{Title: "LOGINS", width: 6, Right: true, cell: number(func(p *Profile) int64 { return p.LoginAttempts })},
		{Title: "FROM", width: 2, Optional: true, cell: func(p *Profile) string { return string(p.Country) }},
		{Title: "WHAT", width: 8, Rest: true, cell: func(p *Profile) string { return string(p.What()) }},
	}
}

// What is what a list says of an attacker: who it is known as, the tools, the
// newest command.
func (p *Profile) What() Text {
	var last Text
	if n := len(p.Commands); n > 0 {
		last = "$ " + p.Commands[n-1].Command
	}
	return Text(joined(string(p.Actor), strings.Join(p.Behavior.Tools.Strings(), " "), string(last)))
}

// Fit returns the columns that fit a line of so many cells, and how wide each
// is; all of them where width is 0. The first always fits, and is as wide as the
// longest address.
func Fit(columns []Column, width int, profiles []*Profile) ([]Column, []int) {
	var fit []Column
	var widths []int
	used := 0
	for _, c := range columns {
		if c.Optional && !slices.ContainsFunc(profiles, func(p *Profile) bool { return c.cell(p) != "" }) {
			continue
		}
		w := max(c.width, ansi.StringWidth(c.Title))
		if len(fit) == 0 {
			for _, p := range profiles {
				w = max(w, len(p.ID))
			}
			if width > 0 {
				w = min(w, width)
			}
		} else if width > 0 && used+2+w > width {
			continue
		}
		if len(fit) > 0 {
			used += 2
		}
		used += w
		fit, widths = append(fit, c), append(widths, w)
	}
	if n := len(fit); n > 0 && fit[n-1].Rest {
		if width > 0 {
			widths[n-1] += width - used
		} else {
			widths[n-1] = 60
		}
	}
	return fit, widths
}

// Line sets cells in columns. A cell that is too wide is cut, with an ellipsis.
func Line(columns []Column, widths []int, cell func(Column) string) string {
	var b strings.Builder
	for i, c := range columns {
		if i > 0 {
			b.WriteString("  ")
		}
		text := ansi.Truncate(cell(c), widths[i], "…")
		pad := strings.Repeat(" ", widths[i]-ansi.StringWidth(text))
		if c.Right {
			b.WriteString(pad + text)
		} else {
			b.WriteString(text + pad)
		}
	}
	return strings.TrimRight(b.String(), " ")
}

// Titles returns the line above a list.
func Titles(columns []Column, widths []int) string {
	return Line(columns, widths, func(c Column) string { return c.Title })
}

// Row returns the line of an attacker.
func (p *Profile) Row(columns []Column, widths []int) string {
	return Line(columns, widths, func(c Column) string { return c.cell(p) })
}
