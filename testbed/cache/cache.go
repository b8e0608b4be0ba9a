// Package cache says where tests keep what is fetched or built once.
package cache

import (
	"fmt"
	"os"
	"path/filepath"
)

// Env names the folder where it isn't the user's.
const Env = "DOSSIER_CACHE"

// Dir returns the path of a folder below the cache folder: $DOSSIER_CACHE where it
// is set, else the user's. The folder need not be there.
func Dir(parts ...string) (string, error) {
	base := os.Getenv(Env)
	if base == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("no cache folder: %w; set %s", err, Env)
		}
		base = filepath.Join(user, "dossier")
	}
	return filepath.Abs(filepath.Join(append([]string{base}, parts...)...))
}
