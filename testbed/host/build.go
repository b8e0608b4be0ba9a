package host

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"dossier/testbed/cache"
)

//go:embed src/host.c
var source []byte

// compile builds src/host.c, once for each version of it, with the macros
// defined.
func compile(ctx context.Context, macros ...string) (string, error) {
	dir, err := cache.Dir()
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	program := filepath.Join(dir, fmt.Sprintf("host-%x", sha256.Sum256(source))[:len("host-")+16]+strings.Join(append([]string{""}, macros...), "-"))
	if _, err := os.Stat(program); err == nil {
		return program, nil
	}
	tmp, err := os.MkdirTemp(dir, "host-build-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(tmp)
	c := filepath.Join(tmp, "host.c")
	if err := os.WriteFile(c, source, 0o644); err != nil {
		return "", err
	}
	cc := os.Getenv("CC")
	if cc == "" {
		cc = "cc"
	}
	built := filepath.Join(tmp, "host")
	// -rdynamic: the plugin finds the host's symbols, as it finds Fluent Bit's.
	args := []string{"-std=gnu11", "-O1", "-g", "-rdynamic", "-o", built, c, "-ldl", "-lpthread"}
	for _, m := range macros {
		args = append(args, "-D"+m)
	}
	out, err := exec.CommandContext(ctx, cc, args...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("host: can't compile host.c (a C compiler is needed): %w\n%s", err, out)
	}
	return program, os.Rename(built, program)
}

// Build builds the Go package in the folder as a shared object at the path.
// Builds of the same path wait for each other; a process that has the old one
// loaded keeps it.
func Build(ctx context.Context, pkg, path string) error {
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	lock, err := os.OpenFile(path+".lock", os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return err
	}
	fresh := path + ".new"
	cmd := exec.CommandContext(ctx, "go", "build", "-buildmode=c-shared", "-trimpath", "-tags", "netgo,osusergo", "-o", fresh, ".")
	cmd.Dir = pkg
	cmd.Env = append(os.Environ(), "CGO_ENABLED=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("host: can't build %s: %w\n%s", pkg, err, out)
	}
	os.Remove(path + ".h") // cgo's header beside it; nobody includes it
	return os.Rename(fresh, path)
}

var plugin = sync.OnceValues(func() (string, error) {
	root, err := moduleRoot()
	if err != nil {
		return "", err
	}
	path := filepath.Join(root, "build", "test", "out_dossier.so")
	return path, Build(context.Background(), filepath.Join(root, "plugin"), path)
})

// BuildPlugin builds the plugin into build/test, once for each test
// binary, and returns its path.
func BuildPlugin(t testing.TB) string {
	t.Helper()
	path, err := plugin()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// moduleRoot returns the folder of go.mod above the working folder, which in
// a test is the package's own.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("host: no go.mod above the working folder")
		}
		dir = parent
	}
}
