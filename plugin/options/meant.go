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

var rights = sync.OnceValue(func() map[string]string {
	out := make(map[string]string)
	for _, s := range slips() {
		out[s.wrong] = s.right
	}
	return out
})
