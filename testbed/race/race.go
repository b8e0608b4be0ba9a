// Package race tells tests whether the race detector is on.
package race

import "testing"

// OneGoroutine leaves a test out under the race detector, which makes it ten
// times as long and can see nothing where there is one goroutine. make test runs
// such packages without it too.
func OneGoroutine(t testing.TB) {
	t.Helper()
	if Detector {
		t.Skip("one goroutine: tried without the race detector")
	}
}
