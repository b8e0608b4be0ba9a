package operate

import (
	"os"
	"path/filepath"
	"testing"
)

// TestOnlyASensorsKeyAsksForItsOwner: the advice would give the keys of
// retention and set-up to the sensor's user.
func TestOnlyASensorsKeyAsksForItsOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("SKIP: files of root, which only root can make")
	}
	path := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for role, want := range map[string]bool{"writer": true, "setup": false, "retention": false, "reader": false} {
		if got := forRootOnly(role, path); (got != "") != want {
			t.Errorf("%s: %q", role, got)
		}
	}
}
