package ci

import (
	"errors"
	"go/build"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const module = "dossier"

// imports returns what each package of the product imports of the others, by
// their folders: tests, the testbed and tools aside.
func imports(t *testing.T) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	root := filepath.Join("..", "..")
	context := build.Default
	context.CgoEnabled = true
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		folder, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		if name := d.Name(); folder == "testbed" || folder == "tools" || folder == "build" || name == "testdata" || path != root && strings.HasPrefix(name, ".") {
			return fs.SkipDir
		}
		p, err := context.ImportDir(path, 0)
		var none *build.NoGoError
		switch {
		case errors.As(err, &none):
			return nil
		case err != nil:
			return err
		}
		own := []string{}
		for _, i := range p.Imports {
			if i, ok := strings.CutPrefix(i, module+"/"); ok {
				own = append(own, i)
			}
		}
		out[filepath.ToSlash(folder)] = own
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// drawing is what docs/design.md says of packages.
type drawing struct {
	drawn  map[string]bool
	leaves map[string]bool
	arrows map[string]bool // "from --> to"
}

var (
	mermaid    = regexp.MustCompile("(?s)```mermaid\n(.*?)```")
	notDrawn   = regexp.MustCompile(`(?s)Not drawn, .*?\n\n`)
	arrow      = regexp.MustCompile(`^(\w+)(?:\["([^"]+)"\])? --> (\w+)(?:\["([^"]+)"\])?$`)
	inTheLines = regexp.MustCompile("`([^`]+)`")
)

func readDrawing(t *testing.T, page string) drawing {
	t.Helper()
	d := drawing{map[string]bool{}, map[string]bool{}, map[string]bool{}}
	block := mermaid.FindStringSubmatch(page)
	if block == nil {
		t.Fatal("docs/design.md has no drawing")
	}
	var arrows [][]string
	names := map[string]string{}
	for _, line := range strings.Split(block[1], "\n")[1:] {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		m := arrow.FindStringSubmatch(line)
		if m == nil {
			t.Fatalf("docs/design.md: %q is no arrow", line)
		}
		arrows = append(arrows, m)
		for _, i := range []int{1, 3} {
			if m[i+1] != "" {
				names[m[i]] = m[i+1]
			}
		}
	}
	name := func(id string) string {
		if n := names[id]; n != "" {
			return n
		}
		return id
	}
	for _, m := range arrows {
		from, to := name(m[1]), name(m[3])
		d.drawn[from], d.drawn[to] = true, true
		if a := from + " --> " + to; d.arrows[a] {
			t.Errorf("docs/design.md draws %s twice", a)
		} else {
			d.arrows[a] = true
		}
	}
	for _, m := range inTheLines.FindAllStringSubmatch(notDrawn.FindString(page), -1) {
		d.leaves[m[1]] = true
	}
	return d
}

// room returns the name under which a package is drawn: its own, or that of the
// nearest folder around it.
func (d drawing) room(folder string) string {
	for at := folder; at != "."; at = filepath.ToSlash(filepath.Dir(at)) {
		if d.drawn[at] || d.leaves[at] {
			return at
		}
	}
	return ""
}

// The drawing in docs/design.md is what the code imports: no arrow less, none
// more.
func TestDrawing(t *testing.T) {
	page, err := os.ReadFile("../../docs/design.md")
	if err != nil {
		t.Fatal(err)
	}
	d := readDrawing(t, string(page))
	imported := map[string][]string{} // arrows, and the imports they stand for
	rooms := map[string]bool{}
	for folder, all := range imports(t) {
		from := d.room(folder)
		if from == "" {
			t.Errorf("docs/design.md: the package %s isn't there: draw it, or name it among those that are not drawn", folder)
			continue
		}
		rooms[from] = true
		for _, i := range all {
			to := d.room(i)
			switch {
			case to == "" || to == from:
			case d.leaves[from] && !d.leaves[to]:
				t.Errorf("docs/design.md: %s imports %s, so it can't be among those that are not drawn", folder, i)
			case !d.leaves[from] && !d.leaves[to]:
				a := from + " --> " + to
				imported[a] = append(imported[a], folder+" imports "+i)
			}
		}
	}
	for _, a := range slices.Sorted(maps.Keys(imported)) {
		if !d.arrows[a] {
			slices.Sort(imported[a])
			t.Errorf("docs/design.md lacks the arrow %s: %s", a, strings.Join(imported[a], ", "))
		}
	}
	for _, a := range slices.Sorted(maps.Keys(d.arrows)) {
		if imported[a] == nil {
			t.Errorf("docs/design.md draws %s, which nothing imports any more: take the arrow out", a)
		}
	}
	for _, named := range []map[string]bool{d.drawn, d.leaves} {
		for _, room := range slices.Sorted(maps.Keys(named)) {
			if !rooms[room] {
				t.Errorf("docs/design.md names %s, in which there is no package", room)
			}
		}
	}
	if len(imported) < 10 {
		t.Errorf("only %d arrows found in the code", len(imported))
	}
}

// Every page that a source, a page or a configuration names is there.
func TestPagesThatAreNamedExist(t *testing.T) {
	named := regexp.MustCompile(`\bdocs/[\w-]+\.md\b`)
	found := map[string]bool{}
	err := filepath.WalkDir(filepath.Join("..", ".."), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if d.Name() == ".git" || d.Name() == "build" {
				return fs.SkipDir
			}
			return nil
		}
		switch filepath.Ext(path) {
		case ".go", ".md", ".conf", ".yaml", ".yml", ".c", ".h":
		default:
			if d.Name() != "Makefile" && d.Name() != "Dockerfile" {
				return nil
			}
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, page := range named.FindAllString(string(b), -1) {
			found[page] = true
			if _, err := os.Stat(filepath.Join("..", "..", page)); err != nil {
				t.Errorf("%s names %s, which isn't there", path, page)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) < 5 {
		t.Errorf("only %v are named", slices.Sorted(maps.Keys(found)))
	}
}
