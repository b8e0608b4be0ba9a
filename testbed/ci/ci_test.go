// Package ci tests the script that continuous integration runs.
package ci

import (
	"fmt"
	"go/version"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const script = "../../.ci/run"

// wanted is the newest version of Go that one of the modules asks for.
func wanted(t *testing.T) string {
	t.Helper()
	newest := ""
	for _, file := range []string{"../../go.mod", "../../tools/go.mod"} {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		m := regexp.MustCompile(`(?m)^go (\S+)$`).FindStringSubmatch(string(b))
		if m == nil {
			t.Fatalf("%s names no version of Go", file)
		}
		if newest == "" || version.Compare("go"+m[1], "go"+newest) > 0 {
			newest = m[1]
		}
	}
	return newest
}

// run runs the script where every command it asks for is there, as a fake, and
// go has the version; "" for no go. make says with what it was called.
func run(t *testing.T, version, toolchain string) (string, error) {
	t.Helper()
	dir := t.TempDir()
	for _, tool := range []string{"bash", "dirname", "sed", "sort", "tail", "id", "env"} {
		path, err := exec.LookPath(tool)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(path, filepath.Join(dir, tool)); err != nil {
			t.Fatal(err)
		}
	}
	fakes := map[string]string{"make": `echo "make $* with GOTOOLCHAIN=${GOTOOLCHAIN-}"`}
	for _, name := range []string{"cc", "java", "mvn", "npm", "pip", "tmux", "chromium", "nft", "ipset", "rpm"} {
		fakes[name] = ":"
	}
	if version != "" {
		fakes["go"] = fmt.Sprintf("echo 'go version %s linux/amd64'", version)
	}
	for name, body := range fakes {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!"+filepath.Join(dir, "bash")+"\n"+body+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), filepath.Join(dir, "bash"), script)
	cmd.Env = []string{"PATH=" + dir, "HOME=" + dir}
	if toolchain != "" {
		cmd.Env = append(cmd.Env, "GOTOOLCHAIN="+toolchain)
	}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// A go that is new enough is taken as it is; one that can fetch the right one
// is made to, whatever the environment says; else one line says what to do.
func TestGo(t *testing.T) {
	want := wanted(t)
	for _, test := range []struct{ version, toolchain, toolchainThen string }{
		{"go" + want, "", ""},
		{"go" + want, "local", "local"},
		{"go1.99.1", "local", "local"},
		{"devel go1.99-abcdef Mon Jan 1", "", ""},
		{"go1.21.0", "", "go" + want},
		{"go1.21", "local", "go" + want},
		{"go1.24.9", "path", "go" + want},
		{"go1.24.9", "auto", "go" + want},
		// Somebody has chosen.
		{"go1.24.9", "go1.98.0", "go1.98.0"},
	} {
		out, err := run(t, test.version, test.toolchain)
		with := " with GOTOOLCHAIN=" + test.toolchainThen + "\n"
		if err != nil || !strings.HasSuffix(out, "make test"+with+"make bench-core"+with) {
			t.Errorf("%s, GOTOOLCHAIN=%s: %v\n%s", test.version, test.toolchain, err, out)
		}
	}
	for _, version := range []string{"", "go1.19.8", "go1.20.14", "go1.9", "gccgo 12"} {
		out, err := run(t, version, "local")
		if err == nil || strings.Count(out, "\n") != 1 || !strings.HasPrefix(out, "ci: go is ") || !strings.Contains(out, "install Go 1.21 or newer") {
			t.Errorf("%q: %v\n%s", version, err, out)
		}
	}
}
