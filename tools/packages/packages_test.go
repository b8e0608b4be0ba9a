package main

import (
	"bufio"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

const root = "../.."

func TestPackageVersion(t *testing.T) {
	at := time.Date(2026, 11, 28, 9, 56, 51, 0, time.UTC)
	// Each is newer than the one before, to dpkg as well.
	var versions []string
	for _, test := range [][2]string{
		{"4d5259a", "0~20261128095651.g4d5259a"},
		{"4d5259a-dirty", "0~20261128095651.g4d5259a+dirty"},
		{"v0.9", "0.9"},
		{"v1.2.0", "1.2.0"},
		{"v1.2.0-3-gabcdef0", "1.2.0+3.gabcdef0"},
		{"v1.2.0-12-gabcdef0-dirty", "1.2.0+12.gabcdef0+dirty"},
		{"1.10.0", "1.10.0"},
	} {
		got, err := packageVersion(test[0], at)
		if err != nil || got != test[1] {
			t.Errorf("%s: got %q, %v, want %q", test[0], got, err, test[1])
		}
		versions = append(versions, got)
	}
	for _, wrong := range []string{"", "dev", "main", "v1.2.0 ", "1.0;id"} {
		if got, err := packageVersion(wrong, at); err == nil {
			t.Errorf("%q gave %q", wrong, got)
		}
	}
	if _, err := exec.LookPath("dpkg"); err != nil {
		t.Skip("SKIP: no dpkg to ask which version is newer")
	}
	for i := range versions[1:] {
		if err := exec.CommandContext(t.Context(), "dpkg", "--compare-versions", versions[i], "lt", versions[i+1]).Run(); err != nil {
			t.Errorf("%s is not older than %s", versions[i], versions[i+1])
		}
	}
}

// need skips the test, in one visible line, where a program isn't there or
// this user may not install packages.
func need(t *testing.T, programs ...string) {
	t.Helper()
	why := ""
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			why = "no " + p
		}
	}
	if os.Geteuid() != 0 {
		why = "not root, who alone may install into a folder"
	}
	if why != "" {
		fmt.Fprintf(os.Stderr, "SKIP: %s; %s did not run\n", why, t.Name())
		t.Skip("SKIP: " + why)
	}
}

// stage puts everything in place as make package does, of the binaries in
// build: nothing is made anew where make test has just made it.
func stage(t *testing.T) string {
	t.Helper()
	run(t, "make", "-s", "-C", root, "build")
	build, err := filepath.Abs(filepath.Join(root, "build"))
	if err != nil {
		t.Fatal(err)
	}
	staged := t.TempDir()
	run(t, "make", "-s", "-C", root, "install", "DESTDIR="+staged, "PLUGIN="+build+"/out_dossier.so", "COMMAND="+build+"/dossier")
	return staged
}

// packed returns a folder with the packages of what is staged.
func packed(t *testing.T, staged, version string) string {
	t.Helper()
	out := t.TempDir()
	p := packages{staged: staged, version: version, maintainer: "A. Tester <tester@site.example>", time: time.Unix(1767225600, 0).UTC()}
	if err := p.write(out); err != nil {
		t.Fatal(err)
	}
	return out
}

// bare makes a system with a shell, rmdir and libc6, and nothing else: what the
// packages' scripts may use.
func bare(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, program := range []string{"sh", "rmdir", "true"} {
		path, err := exec.LookPath(program)
		if err != nil {
			t.Fatal(err)
		}
		wanted := []string{path}
		libraries, err := exec.CommandContext(t.Context(), "ldd", path).Output()
		if err != nil {
			t.Fatal(err)
		}
		for word := range strings.FieldsSeq(string(libraries)) {
			if strings.HasPrefix(word, "/") {
				wanted = append(wanted, word)
			}
		}
		for _, file := range wanted {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			to := filepath.Join(dir, file)
			if file == path {
				to = filepath.Join(dir, "bin", program)
			}
			if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(to, b, 0o755); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, folder := range folders {
		if err := os.MkdirAll(filepath.Join(dir, folder), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// folders are those that every system has.
var folders = []string{"etc", "usr/bin", "usr/lib/systemd/system", "usr/share/bash-completion/completions", "usr/share/doc", "usr/share/fish/vendor_completions.d", "usr/share/man/man1", "usr/share/zsh/vendor-completions", "usr/share/zsh/site-functions", "usr/share/licenses", "var/lib/dpkg/info", "var/lib/dpkg/updates", "var/lib/rpm", "var/log", "var/tmp", "tmp", "root"}

// all returns what is in a system beside what the package managers write down:
// paths with their mode and a sum.
func all(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := strings.TrimPrefix(path, dir)
		if name == "/var/lib/dpkg" || name == "/var/lib/rpm" || name == "/root/.rpmdb" || name == "/var/log" {
			return fs.SkipDir
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		out[name] = info.Mode().String()
		if info.Mode().IsRegular() {
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			out[name] += fmt.Sprintf(" %x", sha256.Sum256(b))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// differences are the names that two systems don't have alike.
func differences(a, b map[string]string) (out []string) {
	for name, is := range a {
		if b[name] != is {
			out = append(out, name)
		}
	}
	for name := range b {
		if _, ok := a[name]; !ok {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	b, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, b)
	}
	return string(b)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Error(err)
	}
	return string(b)
}

func glob(t *testing.T, parts ...string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(parts...))
	if err != nil || len(found) != 1 {
		t.Fatal(parts, found, err)
	}
	return found[0]
}

// TestPackages makes the packages and installs each into a system that has
// nothing but a shell and libc6; upgrades it, and removes it without a trace.
func TestPackages(t *testing.T) {
	need(t, "make", "dpkg", "ldd")
	staged := stage(t)
	t.Chdir(root)
	old := packed(t, staged, "v1.2.0")
	// To pack 40 MB takes some seconds: what is compared and upgraded to has a
	// small plugin and a small command.
	small, err := os.ReadFile("/bin/true")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"usr/lib/dossier/out_dossier.so", "usr/bin/dossier"} {
		if err := os.WriteFile(filepath.Join(staged, name), small, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	newer, again := packed(t, staged, "v1.2.0-3-gabcdef0"), packed(t, staged, "v1.2.0-3-gabcdef0")
	if differ := differences(all(t, newer), all(t, again)); len(differ) > 0 {
		t.Errorf("%q are others the second time", differ)
	}
	t.Run("deb", func(t *testing.T) {
		deb := glob(t, old, "dossier_1.2.0_"+runtime.GOARCH+".deb")
		fields := run(t, "dpkg-deb", "--field", deb)
		for _, want := range []string{"Package: dossier\n", "Version: 1.2.0\n", "Maintainer: A. Tester <tester@site.example>\n", "Depends: libc6 (>= 2.", "Recommends: fluent-bit\n"} {
			if !strings.Contains(fields, want) {
				t.Errorf("no %q in\n%s", want, fields)
			}
		}
		dir := bare(t)
		status := run(t, "dpkg-query", "--status", "libc6")
		write(t, filepath.Join(dir, "var/lib/dpkg/status"), withoutDependencies(status)+"\n")
		write(t, filepath.Join(dir, "var/lib/dpkg/info/libc6:"+runtime.GOARCH+".list"), owned())
		before := all(t, dir)
		said := run(t, "dpkg", "--root="+dir, "--install", deb)
		if !strings.Contains(said, "dossier: next: dossier setup") {
			t.Errorf("it doesn't say what is next:\n%s", said)
		}
		installed(t, dir, "/usr/share/zsh/vendor-completions/_dossier")
		if copyright := read(t, filepath.Join(dir, "usr/share/doc/dossier/copyright")); !strings.Contains(copyright, "License: Apache-2.0\n") {
			t.Error(copyright)
		}
		// What an operator edited stays, at an upgrade as well.
		edited := filepath.Join(dir, "etc/dossier/dossier-cowrie.yaml")
		write(t, edited, "mine\n")
		letter := filepath.Join(dir, "var/lib/dossier/dead-letters/1.jsonl")
		write(t, letter, "{}\n")
		said = run(t, "dpkg", "--root="+dir, "--install", glob(t, newer, "*.deb"))
		if !strings.Contains(said, "systemctl restart fluent-bit") || strings.Contains(said, "dossier: next") {
			t.Errorf("it doesn't say that Fluent Bit needs a start:\n%s", said)
		}
		if read(t, edited) != "mine\n" {
			t.Error("what was edited is gone")
		}
		run(t, "dpkg", "--root="+dir, "--purge", "dossier")
		if read(t, letter) != "{}\n" {
			t.Error("the dead letter is gone")
		}
		if err := os.RemoveAll(filepath.Join(dir, "var/lib/dossier")); err != nil {
			t.Fatal(err)
		}
		// And where there was none, the folders go too.
		run(t, "dpkg", "--root="+dir, "--install", deb)
		if err := os.MkdirAll(filepath.Join(dir, "var/lib/dossier/dead-letters"), 0o700); err != nil {
			t.Fatal(err)
		}
		run(t, "dpkg", "--root="+dir, "--purge", "dossier")
		if left := differences(before, all(t, dir)); len(left) > 0 {
			t.Errorf("it leaves traces: %q", left)
		}
	})
	t.Run("rpm", func(t *testing.T) {
		need(t, "rpm")
		rpm := glob(t, old, "dossier-1.2.0-1.*.rpm")
		if got := run(t, "rpm", "--query", "--package", "--queryformat", "%{NAME} %{VERSION} %{PACKAGER} %{LICENSE} %{BUILDHOST}", rpm); got !=
			"dossier 1.2.0 A. Tester <tester@site.example> Apache-2.0 AND BSD-2-Clause AND BSD-3-Clause AND CC0-1.0 AND ISC AND MIT localhost" {
			t.Error(got)
		}
		if got := run(t, "rpm", "--query", "--package", "--requires", rpm); !strings.Contains(got, "glibc >= 2.") {
			t.Error(got)
		}
		dir := bare(t)
		run(t, "rpm", "--root", dir, "--initdb")
		before := all(t, dir)
		// The system has no database that knows of glibc.
		said := run(t, "rpm", "--root", dir, "--nodeps", "--install", rpm)
		if !strings.Contains(said, "dossier: next: dossier setup") {
			t.Errorf("it doesn't say what is next:\n%s", said)
		}
		installed(t, dir, "/usr/share/zsh/site-functions/_dossier")
		if left := run(t, "rpm", "--root", dir, "--nodeps", "--upgrade", glob(t, newer, "*.rpm")); !strings.Contains(left, "systemctl restart fluent-bit") {
			t.Errorf("it doesn't say that Fluent Bit needs a start:\n%s", left)
		}
		run(t, "rpm", "--root", dir, "--erase", "dossier")
		if left := differences(before, all(t, dir)); len(left) > 0 {
			t.Errorf("it leaves traces: %q", left)
		}
	})
}

// owned is the list of all folders with those above them, for the package that
// has them: dpkg removes empty ones that belong to none.
func owned() string {
	list := []string{"/."}
	for _, folder := range folders {
		for at := "/" + folder; at != "/" && !slices.Contains(list, at); at = filepath.Dir(at) {
			list = append(list, at)
		}
	}
	return strings.Join(list, "\n") + "\n"
}

// withoutDependencies is a package's entry as that of one that needs nothing.
func withoutDependencies(status string) string {
	var out strings.Builder
	for lines := bufio.NewScanner(strings.NewReader(status)); lines.Scan(); {
		key, _, _ := strings.Cut(lines.Text(), ":")
		if slices.Contains([]string{"Package", "Status", "Maintainer", "Architecture", "Multi-Arch", "Version"}, key) {
			out.WriteString(lines.Text() + "\n")
		}
	}
	return out.String() + "Description: the library\n"
}

// installed checks what is in a system after a package was installed.
func installed(t *testing.T, dir, zsh string) {
	t.Helper()
	for name, mode := range map[string]os.FileMode{
		"/usr/lib/dossier/out_dossier.so": 0o644, "/usr/bin/dossier": 0o755, "/etc/dossier/dossier-decnet.yaml": 0o644, "/etc/dossier/field_maps/tpot.yaml": 0o644,
		"/usr/share/man/man1/dossier-check.1": 0o644, "/usr/lib/systemd/system/fluent-bit.service.d/dossier.conf": 0o644,
		"/usr/share/dossier/kubernetes/dossier.yaml": 0o644, "/usr/share/doc/dossier/install.md": 0o644, "/usr/share/doc/dossier/third-party-licences": 0o644,
		"/etc/dossier": 0o755, zsh: 0o644,
	} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	// Static: it runs where there is nothing.
	if out := run(t, "chroot", dir, "/usr/bin/dossier", "--version"); !strings.Contains(out, "dossier version ") {
		t.Error(out)
	}
	if text := read(t, filepath.Join(dir, "usr/share/doc/dossier/third-party-licences")); !strings.Contains(text, "github.com/elastic/elastic-transport-go/v8 v") || !strings.Contains(text, "Redistribution and use") {
		t.Error("licences are missing")
	}
}

// The drop-in is one to systemd itself, and has more patience than Fluent Bit.
func TestDropIn(t *testing.T) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		fmt.Fprintln(os.Stderr, "SKIP: no systemd-analyze; TestDropIn did not run")
		t.Skip("SKIP: no systemd-analyze")
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "fluent-bit.service"), "[Unit]\nDescription=Fluent Bit\n[Service]\nExecStart=/bin/true\nRestart=always\n")
	text := read(t, filepath.Join("../../packaging/fluent-bit.service.conf"))
	write(t, filepath.Join(dir, "fluent-bit.service.d/dossier.conf"), text)
	analyze := func() string {
		c := exec.CommandContext(t.Context(), "systemd-analyze", "verify", "--man=no", "fluent-bit.service")
		c.Env = append(os.Environ(), "SYSTEMD_UNIT_PATH="+dir+":")
		b, err := c.CombinedOutput()
		var lines []string
		for line := range strings.Lines(string(b)) {
			if strings.Contains(line, dir) || strings.Contains(line, "fluent-bit") {
				lines = append(lines, line)
			}
		}
		if err != nil {
			lines = append(lines, err.Error())
		}
		return strings.Join(lines, "")
	}
	if said := analyze(); said != "" {
		t.Error(said)
	}
	// What the test is for.
	write(t, filepath.Join(dir, "fluent-bit.service.d/dossier.conf"), text+"StateDirectory=/var/lib/dossier\nMemoryMaximum=1G\n")
	if said := analyze(); !strings.Contains(said, "MemoryMaximum") {
		t.Errorf("a wrong setting is not noticed: %q", said)
	}
}
