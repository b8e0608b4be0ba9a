package options

import (
	"fmt"
	"slices"
	"strings"
)

// CheckNames warns of what the names of all properties show, one line each:
// options that are there more than once, of which Fluent Bit hands over the
// first alone (a list in YAML is stored so), and names that nothing reads.
// Those that Parse warns of are left out.
func CheckNames(names []string, warn func(string)) {
	count := make(map[string]int)
	var order []string
	for _, name := range names {
		name = strings.ToLower(name)
		if count[name]++; count[name] == 1 {
			order = append(order, name)
		}
	}
	for _, name := range order {
		known := slices.ContainsFunc(table, func(row option) bool { return row.key == name })
		switch {
		case known && count[name] > 1 && TakesSeveral(name):
			warn(fmt.Sprintf("option %s is a list or is there %d times, and Fluent Bit hands over the first value alone: write all into one, separated by spaces", name, count[name]))
		case known && count[name] > 1:
			warn(fmt.Sprintf("option %s is there %d times, and Fluent Bit hands over the first value alone: leave one", name, count[name]))
		case known, slices.Contains(reserved, name):
		case slices.ContainsFunc(slips(), func(s slip) bool { return s.wrong == name }):
		default:
			warn(fmt.Sprintf("option %s does not exist and has no effect; docs/options.md has all there are", quote(name)))
		}
	}
}

// TakesSeveral says whether the option takes several values in one text.
func TakesSeveral(key string) bool {
	return slices.ContainsFunc(table, func(row option) bool { return row.key == key && strings.Contains(row.want, "separated by") })
}
