package main

import (
	"os"
	"path/filepath"
	"testing"
)

// TestKeptPassword: a node that is stopped and started again on its data takes
// no other password than before.
func TestKeptPassword(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "nodes")
	first, err := keptPassword(dir, "a")
	if err != nil || len(first) < 20 {
		t.Fatalf("%q, %v", first, err)
	}
	if again, err := keptPassword(dir, "a"); err != nil || again != first {
		t.Errorf("%q after %q, %v", again, first, err)
	}
	if other, err := keptPassword(dir, "b"); err != nil || other == first {
		t.Errorf("two nodes have %q, %v", other, err)
	}
	if info, err := os.Stat(filepath.Join(dir, "a.password")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
}
