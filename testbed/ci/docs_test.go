package ci

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	inBackquotes = regexp.MustCompile("`([a-z0-9/]+)`")
	// testName is what a page calls a test by: a test's or fuzz target's name.
	testName    = regexp.MustCompile(`\b(?:Test|Fuzz)[A-Z][A-Za-z0-9]*`)
	declaration = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)[A-Z][A-Za-z0-9]*)\(`)
)

// declared returns the tests of a package, nil where the name is no folder.
func declared(t *testing.T, folder string) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("../..", folder, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]bool
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range declaration.FindAllStringSubmatch(string(b), -1) {
			if out == nil {
				out = map[string]bool{}
			}
			out[m[1]] = true
		}
	}
	return out
}

// Every test that a page gives as the proof of a promise exists in the package
// that it names before it.
func TestPagesNameTestsThatExist(t *testing.T) {
	for page, least := range map[string]int{"guarantees.md": 40, "security.md": 50} {
		b, err := os.ReadFile("../../docs/" + page)
		if err != nil {
			t.Fatal(err)
		}
		named := 0
		last := map[string]bool{} // of the last package named, a page's tables may leave it out
		text, at := string(b), 0
		for _, m := range testName.FindAllStringIndex(text, -1) {
			for _, q := range inBackquotes.FindAllStringSubmatch(text[at:m[0]], -1) {
				if tests := declared(t, q[1]); tests != nil {
					last = tests
				}
			}
			at = m[1]
			named++
			if name := text[m[0]:m[1]]; !last[name] {
				t.Errorf("%s:%d: there is no %s in the package named before it", page, 1+strings.Count(text[:at], "\n"), name)
			}
		}
		if named < least {
			t.Errorf("%s names %d tests, at least %d are meant", page, named, least)
		}
	}
}

// Of what attackers try every row names the test that shows it, or is one of
// those that say what is left and how it is seen.
func TestEachPromiseOfSecurityNamesItsTest(t *testing.T) {
	b, err := os.ReadFile("../../docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(b), "\n| attempt | what comes of it |\n|---|---|\n")
	table, _, _ = strings.Cut(table, "\n\n")
	rows := strings.Split(table, "\n")
	for _, row := range rows {
		if !testName.MatchString(row) {
			t.Errorf("no test shows it: %.120s", row)
		}
	}
	if len(rows) < 30 {
		t.Errorf("%d rows of what attackers try", len(rows))
	}
}
