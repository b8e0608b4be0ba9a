// Package validators has the programs of others that exports are checked with:
// the OASIS validator of STIX 2.1 and MISP's own library, both from PyPI, in a
// Python environment of their own in the cache folder.
package validators

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dossier/testbed/cache"
)

// packages are what is installed, of these versions.
var packages = []string{"stix2-validator==3.3.2", "pymisp==2.5.34.4"}

const installLimit = 5 * time.Minute

// Python returns the interpreter of an environment that has the packages. It
// is made where it isn't there yet.
func Python(ctx context.Context) (string, error) {
	dir, err := cache.Dir("pip", "env-"+strings.NewReplacer("==", "-", " ", "_").Replace(strings.Join(packages, " ")))
	if err != nil {
		return "", err
	}
	python := filepath.Join(dir, "bin", "python")
	done := filepath.Join(dir, "installed")
	if _, err := os.Stat(done); err == nil {
		return python, nil
	}
	ctx, cancel := context.WithTimeout(ctx, installLimit)
	defer cancel()
	for _, command := range [][]string{
		{"python3", "-m", "venv", dir},
		append([]string{python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"}, packages...),
	} {
		if out, err := exec.CommandContext(ctx, command[0], command[1:]...).CombinedOutput(); err != nil {
			err = fmt.Errorf("%s can't be installed: %w: %.200s", strings.Join(packages, ", "), err, strings.ReplaceAll(strings.TrimSpace(string(out)), "\n", " "))
			return "", errors.Join(err, os.RemoveAll(dir))
		}
	}
	return python, os.WriteFile(done, nil, 0o600)
}

// Run runs a Python script with arguments, and fails the test where it ends
// with another status than 0. Without Python or the packages the test is
// skipped; the command validators says so before the tests run.
func Run(t testing.TB, script string, args ...string) string {
	t.Helper()
	if testing.Short() {
		t.Skip("SKIP: -short: the validators take half a minute")
	}
	python, err := Python(t.Context())
	if err != nil {
		t.Skipf("SKIP: %v", err)
	}
	c := exec.CommandContext(t.Context(), python, append([]string{"-c", script}, args...)...)
	// Nothing is asked of the network.
	c.Env = append(os.Environ(), "HTTP_PROXY=http://127.0.0.1:9", "HTTPS_PROXY=http://127.0.0.1:9", "NO_PROXY=")
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}
