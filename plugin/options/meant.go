package options

import (
	"slices"
	"sync"
)

// Meant returns what a name that no option has was likely meant for, as
// Parse's warnings say it; false where it is an option, or like none. What is
// meant for Fluent Bit itself is no option of Dossier's.
func Meant(name string) (right string, ok bool) {
	right, ok = rights()[name]
	if _, its := fluentBits[name]; its || slices.Contains(reserved, right) {
		return "", false
	}
	return right, ok
}

// Suggest returns what to use in place of a name on an output: that of an option, one
// that Fluent Bit itself reads there, or what says it; false where the name is read, or
// like none.
func Suggest(name string) (right string, ok bool) {
	right, ok = rights()[name]
	return right, ok
}

// IsRead says whether Dossier, or Fluent Bit itself, reads that name on an output.
func IsRead(name string) bool {
	return slices.Contains(reserved, name) || slices.ContainsFunc(table, func(row option) bool { return row.key == name })
}

var rights = sync.OnceValue(func() map[string]string {
	out := make(map[string]string)
	for _, s := range slips() {
		out[s.wrong] = s.right
	}
	return out
})
