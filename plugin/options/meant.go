package options

import "sync"

// Meant returns what a name that no option has was likely meant for, as
// Parse's warnings say it; false where it is an option, or like none.
func Meant(name string) (right string, ok bool) {
	right, ok = rights()[name]
	return right, ok
}

var rights = sync.OnceValue(func() map[string]string {
	out := make(map[string]string)
	for _, s := range slips() {
		out[s.wrong] = s.right
	}
	return out
})
