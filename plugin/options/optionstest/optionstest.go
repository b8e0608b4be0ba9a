// Package optionstest has the options of an output for tests of what is made
// from them.
package optionstest

import (
	"maps"
	"path/filepath"
	"testing"

	"dossier/plugin/options"
)

// Parse returns options for a cluster that isn't there, with more.
func Parse(t testing.TB, more map[string]string) options.Options {
	t.Helper()
	p := map[string]string{
		"es_hosts": "http://127.0.0.1:1", "sensor_id": "s1", "dead_letter_path": filepath.Join(t.TempDir(), "letters"),
	}
	maps.Copy(p, more)
	o, err := options.Parse(func(key string) string { return p[key] }, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	return o
}
