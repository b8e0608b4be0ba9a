package main

import (
	"bytes"
	"debug/elf"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"dossier/testbed/host"
)

// newestGLIBC is the newest version of the C library that the shared object
// may ask for; docs/compatibility.md says which systems have it.
const newestGLIBC = "2.34"

// TestSharedObject reads the symbol table as the dynamic linker does.
func TestSharedObject(t *testing.T) {
	path := host.BuildPlugin(t)
	f, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	symbols, err := f.DynamicSymbols()
	if err != nil {
		t.Fatal(err)
	}
	exported := func(name string) bool {
		return slices.ContainsFunc(symbols, func(s elf.Symbol) bool {
			return s.Name == name && s.Section != elf.SHN_UNDEF &&
				elf.ST_TYPE(s.Info) == elf.STT_FUNC && elf.ST_BIND(s.Info) == elf.STB_GLOBAL && elf.ST_VISIBILITY(s.Other) == elf.STV_DEFAULT
		})
	}
	for _, name := range []string{
		"FLBPluginPreRegister", "FLBPluginRegister", "FLBPluginInit", "FLBPluginFlushCtx", "FLBPluginExitCtx",
		"FLBPluginOutputPreRun", "FLBPluginOutputPreExit", "FLBPluginUnregister",
	} {
		if !exported(name) {
			t.Errorf("%s is not exported", name)
		}
	}
	for _, name := range []string{"FLBPluginFlush", "FLBPluginExit", "FLBPluginInputCallback"} {
		if exported(name) {
			t.Errorf("%s is exported", name)
		}
	}

	needed, err := f.ImportedLibraries()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range needed {
		if name, _, _ := strings.Cut(l, ".so"); !slices.Contains([]string{"libc", "libdl", "libpthread", "libresolv", "ld-linux-x86-64", "ld-linux-aarch64"}, name) {
			t.Errorf("it needs %s", l)
		}
	}
	imported, err := f.ImportedSymbols()
	if err != nil {
		t.Fatal(err)
	}
	newest := ""
	for _, s := range imported {
		if v, ok := strings.CutPrefix(s.Version, "GLIBC_"); ok && compareVersions(v, newest) > 0 {
			newest = v
		}
	}
	if compareVersions(newest, newestGLIBC) > 0 {
		t.Errorf("it needs GLIBC_%s; at most %s is documented", newest, newestGLIBC)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// What the tag faults brings in is for one test's own build.
	if !bytes.Contains(b, []byte("output.(*Output).Flush")) || bytes.Contains(b, []byte("target.(*faulty)")) {
		t.Error("the faults of a test are in it, or the names of its functions are not")
	}
	t.Logf("%.1f MB, needs GLIBC_%s, %s", float64(len(b))/1e6, newest, strings.Join(needed, " "))
}

func compareVersions(a, b string) int {
	return slices.Compare(numbers(a), numbers(b))
}

func numbers(version string) []int {
	var out []int
	for s := range strings.SplitSeq(version, ".") {
		n, _ := strconv.Atoi(s)
		out = append(out, n)
	}
	return out
}

// TestLoadingIsQuickAndQuiet: a dry run loads the library, registers, and
// ends without a word or a folder made.
func TestLoadingIsQuickAndQuiet(t *testing.T) {
	path := host.BuildPlugin(t)
	best := time.Hour
	for range 5 {
		start := time.Now()
		h, err := host.DryRun(t.Context(), host.Options{Plugin: path, Properties: map[string]string{
			"es_hosts": "no url", "dead_letter_path": "/nonexistent/dossier",
		}})
		if err != nil {
			t.Fatalf("%v\n%s", err, strings.Join(h.Log(), "\n"))
		}
		best = min(best, time.Since(start))
		for _, l := range h.Log() {
			if strings.Contains(l, "dossier") {
				t.Errorf("a dry run says: %s", l)
			}
		}
	}
	t.Logf("start, load, register and end take %v", best.Round(time.Millisecond))
	// Alone on a machine it takes 20 ms; tests seldom are.
	if best > 2*time.Second {
		t.Errorf("loading takes %v", best)
	}
}
