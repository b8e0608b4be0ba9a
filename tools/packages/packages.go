package main

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"debug/elf"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goreleaser/nfpm/v2"
	_ "github.com/goreleaser/nfpm/v2/deb" // the two formats
	"github.com/goreleaser/nfpm/v2/files"
	_ "github.com/goreleaser/nfpm/v2/rpm"
)

// packages is what goes into both packages.
type packages struct {
	staged, version, maintainer string
	time                        time.Time
}

// formats are those that are made, and where each has what lies elsewhere
// than make install puts it.
var formats = map[string]*strings.Replacer{
	"deb": strings.NewReplacer("/usr/share/zsh/site-functions/", "/usr/share/zsh/vendor-completions/"),
	"rpm": strings.NewReplacer(),
}

// write makes the packages in a folder.
func (p packages) write(out string) error {
	glibc, err := newestGlibc(filepath.Join(p.staged, "usr/lib/dossier/out_dossier.so"))
	if err != nil {
		return err
	}
	version, err := packageVersion(p.version, p.time)
	if err != nil {
		return err
	}
	licences := filepath.Join(out, "third-party-licences")
	if err := writeLicences(licences); err != nil {
		return err
	}
	values := map[string]string{"ARCH": runtime.GOARCH, "VERSION": version, "MAINTAINER": p.maintainer, "GLIBC": glibc}
	for format, moved := range formats {
		config, err := nfpm.ParseFileWithEnvMapping("packaging/nfpm.yaml", func(name string) string { return values[name] })
		if err != nil {
			return err
		}
		info, err := config.Get(format)
		if err != nil {
			return err
		}
		info.Contents = append(info.Contents, &files.Content{Source: licences, Destination: "/usr/share/doc/dossier/third-party-licences"})
		staged, err := p.contents(moved)
		if err != nil {
			return err
		}
		info.Contents = append(info.Contents, staged...)
		info.MTime = p.time
		for _, c := range info.Contents {
			c.FileInfo = cmp.Or(c.FileInfo, &files.ContentFileInfo{Mode: 0o644})
			c.FileInfo.Owner, c.FileInfo.Group, c.FileInfo.MTime = "root", "root", p.time
		}
		if err := pack(format, nfpm.WithDefaults(info), out); err != nil {
			return fmt.Errorf("%s: %w", format, err)
		}
	}
	return nil
}

// pack makes one package.
func pack(format string, info *nfpm.Info, out string) error {
	packager, err := nfpm.Get(format)
	if err != nil {
		return err
	}
	if err := nfpm.PrepareForPackager(info, format); err != nil {
		return err
	}
	f, err := os.Create(filepath.Join(out, packager.ConventionalFileName(info)))
	if err != nil {
		return err
	}
	return errors.Join(packager.Package(info, f), f.Close())
}

// ours are folders that go with the package: rpm leaves others where they are.
var ours = regexp.MustCompile(`/dossier(/|$)|/fluent-bit\.service\.d$`)

// contents are the files that make install put in place. What an operator
// edits is left alone when a package is replaced.
func (p packages) contents(moved *strings.Replacer) (files.Contents, error) {
	var out files.Contents
	err := filepath.WalkDir(p.staged, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		to := strings.TrimPrefix(path, p.staged)
		if e.IsDir() {
			if ours.MatchString(to) {
				out = append(out, &files.Content{Destination: to, Type: files.TypeDir, FileInfo: &files.ContentFileInfo{Mode: 0o755}})
			}
			return nil
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		c := &files.Content{Source: path, Destination: moved.Replace(to), FileInfo: &files.ContentFileInfo{Mode: info.Mode().Perm()}}
		if strings.HasPrefix(to, "/etc/") {
			c.Type = files.TypeConfigNoReplace
		}
		out = append(out, c)
		return nil
	})
	return out, err
}

var (
	tag    = regexp.MustCompile(`^v?(\d+(?:\.\d+)*)(?:-(\d+-g[0-9a-f]+))?(-dirty)?$`)
	commit = regexp.MustCompile(`^([0-9a-f]{7,})(-dirty)?$`)
)

// packageVersion makes a version that dpkg and rpm can order of what git
// describes: a tag is 1.2, commits after it are 1.2+3-gabc, and where there is no
// tag yet 0~ and the commit's time, which is before all that have one.
func packageVersion(described string, at time.Time) (string, error) {
	if m := tag.FindStringSubmatch(described); m != nil && (strings.Contains(m[1], ".") || strings.HasPrefix(described, "v")) {
		version := m[1]
		if m[2] != "" {
			version += "+" + strings.ReplaceAll(m[2], "-", ".")
		}
		return version + strings.ReplaceAll(m[3], "-", "+"), nil
	}
	if m := commit.FindStringSubmatch(described); m != nil {
		return "0~" + at.Format("20060102150405") + ".g" + m[1] + strings.ReplaceAll(m[2], "-", "+"), nil
	}
	return "", fmt.Errorf("version: got %q, want what git describe --tags --always tells, such as v1.2.0 or 4d5259a; set VERSION", described)
}

// newestGlibc returns the oldest version of glibc that the plugin works with:
// the newest of those whose symbols it asks for.
func newestGlibc(plugin string) (string, error) {
	f, err := elf.Open(plugin)
	if err != nil {
		return "", err
	}
	defer f.Close()
	symbols, err := f.ImportedSymbols()
	if err != nil {
		return "", err
	}
	var newest []int
	for _, s := range symbols {
		text, ok := strings.CutPrefix(s.Version, "GLIBC_")
		if !ok {
			continue
		}
		var version []int
		for part := range strings.SplitSeq(text, ".") {
			n, err := strconv.Atoi(part)
			if err != nil {
				return "", fmt.Errorf("%s asks for %s of %s, which is no version", plugin, s.Name, s.Version)
			}
			version = append(version, n)
		}
		if slices.Compare(version, newest) > 0 {
			newest = version
		}
	}
	if newest == nil {
		return "", fmt.Errorf("%s asks for nothing of glibc: it is no plugin", plugin)
	}
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(newest), " ", "."), "[]"), nil
}

// writeLicences writes down under which licences what is linked in may be
// passed on, each text once.
func writeLicences(path string) error {
	list := exec.Command("go", "list", "-deps", "-tags", "netgo,osusergo", "-json=Module", "./plugin", "./cmd/dossier")
	list.Stderr = os.Stderr
	b, err := list.Output()
	if err != nil {
		return fmt.Errorf("go list: %w", err)
	}
	type module struct {
		Path, Version, Dir string
		Main               bool
	}
	modules := map[string]module{"Go": {Path: "Go", Version: runtime.Version(), Dir: runtime.GOROOT()}}
	for d := json.NewDecoder(bytes.NewReader(b)); ; {
		var pkg struct{ Module *module }
		if err := d.Decode(&pkg); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return fmt.Errorf("go list: %w", err)
		}
		if pkg.Module != nil && !pkg.Module.Main {
			modules[pkg.Module.Path] = *pkg.Module
		}
	}
	type text struct {
		of   []string
		text []byte
	}
	var texts []*text
	known := make(map[[sha256.Size]byte]*text)
	for _, m := range modules {
		entries, err := os.ReadDir(m.Dir)
		if err != nil {
			return err
		}
		found := false
		for _, e := range entries {
			if !regexp.MustCompile(`(?i)^(licen[cs]e|copying|notice|unlicense)`).MatchString(e.Name()) || !e.Type().IsRegular() {
				continue
			}
			b, err := os.ReadFile(filepath.Join(m.Dir, e.Name()))
			if err != nil {
				return err
			}
			sum := sha256.Sum256(b)
			if known[sum] == nil {
				known[sum] = &text{text: b}
				texts = append(texts, known[sum])
			}
			known[sum].of = append(known[sum].of, m.Path+" "+m.Version+", "+e.Name())
			found = true
		}
		if !found {
			return fmt.Errorf("%s %s has no licence in %s", m.Path, m.Version, m.Dir)
		}
	}
	for _, t := range texts {
		slices.Sort(t.of)
	}
	slices.SortFunc(texts, func(a, b *text) int { return strings.Compare(a.of[0], b.of[0]) })
	var out bytes.Buffer
	out.WriteString("What is linked into Dossier's plugin and command, and under which licences.\n")
	for _, t := range texts {
		fmt.Fprintf(&out, "\n%s\n\n%s\n\n%s\n", strings.Repeat("=", 80), strings.Join(t.of, "\n"), bytes.TrimSpace(t.text))
	}
	return os.WriteFile(path, out.Bytes(), 0o644)
}
