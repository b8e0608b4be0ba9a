package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestInstall: everything is where configurations and pages say, and what
// somebody edited stays.
func TestInstall(t *testing.T) {
	dest := t.TempDir()
	plugin := filepath.Join(t.TempDir(), "out_dossier.so")
	if err := os.WriteFile(plugin, []byte("plugin"), 0o600); err != nil {
		t.Fatal(err)
	}
	install := func(args ...string) string {
		t.Helper()
		c := exec.CommandContext(t.Context(), "make", append([]string{"-s", "install", "DESTDIR=" + dest, "PLUGIN=" + plugin, "COMMAND=" + program}, args...)...)
		c.Dir = "../.."
		c.Env = append(os.Environ(), "SOURCE_DATE_EPOCH=1767225600")
		out, err := c.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return string(out)
	}
	if out := install(); out != "" {
		t.Error(out)
	}
	read := func(name string) string {
		t.Helper()
		b, err := os.ReadFile(filepath.Join(dest, name))
		if err != nil {
			t.Error(err)
		}
		return string(b)
	}
	for name, mode := range map[string]os.FileMode{
		"usr/lib/dossier/out_dossier.so": 0o644, "usr/bin/dossier": 0o755, "etc/dossier/dossier-cowrie.yaml": 0o644, "etc/dossier/parsers.conf": 0o644,
		"etc/dossier/field_maps/tpot.yaml": 0o644, "usr/share/man/man1/dossier-show.1": 0o644, "usr/share/bash-completion/completions/dossier": 0o644,
	} {
		if info, err := os.Stat(filepath.Join(dest, name)); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	// Every path of a configuration that lies in our folders is there.
	configs, err := filepath.Glob(filepath.Join(dest, "etc/dossier/dossier-*"))
	if err != nil || len(configs) < 10 {
		t.Fatal(configs, err)
	}
	for _, config := range configs {
		for _, word := range strings.FieldsFunc(read(strings.TrimPrefix(config, dest)), func(r rune) bool { return strings.ContainsRune(" \n\"',", r) }) {
			if strings.HasPrefix(word, "/usr/lib/dossier/") || strings.HasPrefix(word, "/etc/dossier/field_maps/") {
				if _, err := os.Stat(filepath.Join(dest, word)); err != nil {
					t.Errorf("%s names what isn't there: %v", config, err)
				}
			}
		}
	}
	page := read("usr/share/man/man1/dossier-export.1")
	contains(t, page, ".TH \"DOSSIER\" \"1\" \"Jan 2026\"", `\fB--min-risk\fP`, "STIX")
	for _, shell := range []string{"usr/share/zsh/site-functions/_dossier", "usr/share/fish/vendor_completions.d/dossier.fish"} {
		contains(t, read(shell), "dossier")
	}
	edited := filepath.Join(dest, "etc/dossier/dossier-cowrie.yaml")
	if err := os.WriteFile(edited, []byte("mine\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out := install()
	contains(t, out, edited+" was edited: the new one is "+edited+".new")
	if read("etc/dossier/dossier-cowrie.yaml") != "mine\n" || strings.Count(out, "\n") != 1 {
		t.Errorf("what was edited is gone, or more than that is told:\n%s", out)
	}
	dest = t.TempDir()
	install("PREFIX=/opt/dossier")
	contains(t, read("etc/dossier/dossier-cowrie.yaml"), "- /opt/dossier/lib/dossier/out_dossier.so")
	read("opt/dossier/bin/dossier")
}
