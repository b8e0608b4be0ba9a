package main

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"dossier/plugin/options"
)

// envPrefix begins the name of every variable that stands for an option.
const envPrefix = "DOSSIER_"

// notOptions are variables that are used around Dossier under names that look
// like an option misspelt: the cache of its tests, and the password in
// conf/compose.yaml.
var notOptions = []string{"DOSSIER_CACHE", "DOSSIER_PASSWORD"}

// misspelt warns of variables that were likely meant for an option. environ
// is as os.Environ returns it.
func misspelt(environ []string, warn func(string)) {
	for _, pair := range slices.Sorted(slices.Values(environ)) {
		name, value, _ := strings.Cut(pair, "=")
		key, ok := strings.CutPrefix(name, envPrefix)
		if !ok || value == "" || slices.Contains(notOptions, name) {
			continue
		}
		right, ok := options.Meant(strings.ToLower(key))
		if !ok {
			continue
		}
		if isOption(right) {
			right = envName(right)
		}
		warn(fmt.Sprintf("the environment variable %s is no option and has no effect; did you mean %s?", name, right))
	}
}

// optionKeys are the keys of all options. Thousands of likely slips are looked
// up at each start.
var optionKeys = sync.OnceValue(func() map[string]bool {
	keys := make(map[string]bool)
	for _, d := range options.Describe() {
		keys[d.Key] = true
	}
	return keys
})

func isOption(key string) bool { return optionKeys()[key] }
