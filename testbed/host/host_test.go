package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"dossier/testbed/process"
)

var sample = sync.OnceValues(func() (string, error) {
	root, err := moduleRoot()
	if err != nil {
		return "", err
	}
	path := filepath.Join(root, "build", "test", "out_sample.so")
	return path, Build(context.Background(), filepath.Join("testdata", "sample"), path)
})

func start(t *testing.T, o Options) *Host {
	t.Helper()
	h, err := startSample(t, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Kill)
	return h
}

func startSample(t *testing.T, o Options) (*Host, error) {
	t.Helper()
	path, err := sample()
	if err != nil {
		t.Fatal(err)
	}
	o.Plugin = path
	return Start(t.Context(), o)
}

func flush(t *testing.T, h *Host, tag, data string) Code {
	t.Helper()
	code, err := h.Flush(t.Context(), tag, []byte(data))
	if err != nil {
		t.Fatal(err)
	}
	return code
}

func wantLog(t *testing.T, h *Host, text string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	line, err := h.WaitLog(ctx, text)
	if err != nil {
		t.Fatalf("%v in\n%s", err, strings.Join(h.Log(), "\n"))
	}
	return line
}

func TestFlushOnTheEngineThread(t *testing.T) {
	for _, stack := range []int{0, 24576, -1} {
		h := start(t, Options{CoroStack: stack, Properties: map[string]string{"mode": "plain", "HOST": "es.example", "alias": "mine", "log_level": "debug"}})
		line := wantLog(t, h, "init ")
		if !strings.Contains(line, `[ info] init mine host="" mode="plain" debug=1 on flb-pipeline`) {
			t.Errorf("init: %s", line)
		}
		for tag, want := range map[string]Code{"ok": OK, "retry": Retry, "error": Error} {
			if got := flush(t, h, tag, "data"); got != want {
				t.Errorf("tag %s: %v, want %v", tag, got, want)
			}
		}
		wantLog(t, h, `flush ok "data" on flb-pipeline`)
		if got := flush(t, h, "empty", ""); got != OK {
			t.Error(got)
		}
		if err := h.Exit(t.Context()); err != nil {
			t.Error(err)
		}
		if _, err := h.Flush(t.Context(), "ok", nil); !errors.Is(err, process.ErrGone) {
			t.Errorf("after exit: %v", err)
		}
		var ops []string
		for _, e := range h.Events() {
			ops = append(ops, e.Op)
		}
		if want := []string{"register", "init", "running", "exit", "end"}; !slices.Equal(ops, want) {
			t.Errorf("events %q, want %q", ops, want)
		}
	}
}

func TestWorkersInTurn(t *testing.T) {
	h := start(t, Options{Workers: 3, More: []Instance{{Properties: map[string]string{"mode": "second"}}}})
	begin := time.Now()
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			if got := flush(t, h, "slow", ""); got != OK {
				t.Error(got)
			}
		})
	}
	wg.Wait()
	if took := time.Since(begin); took > 800*time.Millisecond {
		t.Errorf("three slow flushes on three workers took %v", took)
	}
	for i := range 3 {
		flush(t, h, fmt.Sprintf("tag%d", i), "x")
		wantLog(t, h, fmt.Sprintf(`flush tag%d "x" on flb-out-sample.`, i))
	}
	threads, err := h.PID().Threads()
	if err != nil {
		t.Fatal(err)
	}
	// The kernel keeps fifteen bytes of a name.
	n := 0
	for _, name := range threads {
		if strings.HasPrefix(name, "flb-out-sample.") {
			n++
		}
	}
	if n != 3 || !slices.Contains(threads, "flb-pipeline") {
		t.Errorf("threads %q", threads)
	}
	if code, err := h.FlushTo(t.Context(), 1, "other", []byte("x")); code != OK || err != nil {
		t.Error(code, err)
	}
	wantLog(t, h, `flush other "x" on flb-pipeline`)
	if rss, err := h.PID().RSS(); err != nil || rss < 1<<20 {
		t.Error(rss, err)
	}
	if err := h.Exit(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestKeptViewsArePoisoned: data that a plugin keeps beyond the flush is not
// what it was.
func TestKeptViewsArePoisoned(t *testing.T) {
	h := start(t, Options{})
	// Large, so that freeing it gives its pages back to nobody else at once.
	data := bytes.Repeat([]byte{0x11}, 4096)
	flush(t, h, "keep", string(data))
	flush(t, h, "show", "")
	if line := wantLog(t, h, "kept "); strings.Contains(line, strings.Repeat("11", 4096)) {
		t.Error("the view outlived its flush")
	}
}

func TestKill(t *testing.T) {
	h := start(t, Options{Workers: 1})
	failed := make(chan error)
	go func() {
		_, err := h.Flush(context.Background(), "slow", nil)
		failed <- err
	}()
	if err := h.WaitFlushing(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	h.Kill()
	if err := <-failed; !errors.Is(err, process.ErrGone) {
		t.Errorf("the flush under way ended with %v", err)
	}
	if h.ExitErr() == nil {
		t.Error("killed and no error")
	}
}

func TestExitWaitsForFlushes(t *testing.T) {
	for _, workers := range []int{0, 2} {
		h := start(t, Options{Workers: workers})
		codes := make(chan Code, 4)
		for range 4 {
			go func() {
				code, _ := h.Flush(context.Background(), "slow", nil)
				codes <- code
			}()
		}
		if err := h.WaitFlushing(t.Context(), 4); err != nil {
			t.Fatal(err)
		}
		if err := h.Exit(t.Context()); err != nil {
			t.Fatal(err)
		}
		for range 4 {
			if code := <-codes; code != OK {
				t.Errorf("workers %d: %v", workers, code)
			}
		}
	}
}

func TestInitFailure(t *testing.T) {
	h, err := startSample(t, Options{
		Properties: map[string]string{"mode": "a"},
		More:       []Instance{{Properties: map[string]string{"mode": "fail"}}, {}},
	})
	if err == nil || !strings.Contains(err.Error(), "exit status 255") || !strings.Contains(err.Error(), "output initialization failed") {
		t.Fatalf("got %v", err)
	}
	checkExits(t, h, map[int]bool{0: true, 2: false})
	h, err = startSample(t, Options{FailSibling: true, More: []Instance{{}}})
	if err == nil {
		t.Fatal("started")
	}
	checkExits(t, h, map[int]bool{0: true, 1: false})
}

// checkExits holds which instances were told to exit, with a context or NULL.
func checkExits(t *testing.T, h *Host, want map[int]bool) {
	t.Helper()
	got := map[int]bool{}
	for _, e := range h.Events() {
		if e.Op == "exit" {
			got[e.Instance] = e.Context
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("exits %v, want %v", got, want)
	}
}

func TestDryRun(t *testing.T) {
	path, err := sample()
	if err != nil {
		t.Fatal(err)
	}
	h, err := DryRun(t.Context(), Options{Plugin: path})
	if err != nil {
		t.Fatal(err)
	}
	checkExits(t, h, map[int]bool{0: false})
}

func TestReload(t *testing.T) {
	h := start(t, Options{Properties: map[string]string{"mode": "one"}})
	if err := h.ReloadBroken(t.Context()); !errors.Is(err, ErrRefused) {
		t.Errorf("broken: %v", err)
	}
	if got := flush(t, h, "after-broken", ""); got != OK {
		t.Error(got)
	}
	if err := h.Reload(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if err := h.Reload(t.Context(), map[string]string{"mode": "veto"}); err != nil {
		t.Fatal(err)
	}
	wantLog(t, h, `mode="veto"`)
	if err := h.Reload(t.Context(), nil); !errors.Is(err, ErrRefused) {
		t.Errorf("vetoed: %v", err)
	}
	if got := flush(t, h, "after-veto", "x"); got != OK {
		t.Error(got)
	}
	if err := h.Exit(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestStructureOverrun: the sample writes event_type at its second
// registration, which is behind the end of the old structure.
func TestStructureOverrun(t *testing.T) {
	for size, want := range map[int]bool{32: true, 40: false, 48: false} {
		h := start(t, Options{DefSize: size})
		h.ReloadBroken(t.Context())
		overrun := false
		for _, e := range h.Events() {
			overrun = overrun || e.Overrun
		}
		if overrun != want {
			t.Errorf("structure of %d bytes: overrun %v, want %v", size, overrun, want)
		}
	}
}

// TestUseAfterExitIsCaught: a goroutine that calls the host for an instance
// that has exited ends the process with one line that says so.
func TestUseAfterExitIsCaught(t *testing.T) {
	h := start(t, Options{Properties: map[string]string{"mode": "x"}, More: []Instance{{Properties: map[string]string{"mode": "linger"}}}})
	flush(t, h, "late", "")
	if err := h.Exit(t.Context()); err == nil {
		t.Error("not caught")
	}
	wantLog(t, h, "the plugin called flb_output_name with an instance that is no more")
}

func TestTLSOnIsRefused(t *testing.T) {
	_, err := startSample(t, Options{Properties: map[string]string{"tls": "on"}})
	if err == nil || !strings.Contains(err.Error(), "sample.0 does not support TLS") {
		t.Errorf("got %v", err)
	}
}

// What was logged before an event is there with it, however late the other
// pipe is read, and marks are no lines.
func TestLogIsThereWithTheEvent(t *testing.T) {
	h := start(t, Options{Workers: 1, Log: slow{}})
	for i := range 5 {
		flush(t, h, "show", "")
		n := 0
		for _, line := range h.Log() {
			if strings.Contains(line, markEdgeText) {
				t.Errorf("a mark in the log: %q", line)
			}
			if strings.Contains(line, "kept ") {
				n++
			}
		}
		if n != i+1 {
			t.Fatalf("%d lines after %d flushes:\n%s", n, i+1, strings.Join(h.Log(), "\n"))
		}
	}
}

// A SIGTERM ends the host as an exit does.
func TestTerminate(t *testing.T) {
	for _, trap := range []bool{false, true} {
		h := start(t, Options{Workers: 1, Trap: trap})
		flush(t, h, "x", "")
		if err := h.Terminate(); err != nil {
			t.Fatal(err)
		}
		select {
		case <-h.Done():
		case <-time.After(20 * time.Second):
			t.Fatal("it goes on")
		}
		if err := h.ExitErr(); err != nil {
			t.Errorf("trap %v: %v", trap, err)
		}
	}
}

const markEdgeText = "\x1e"

// slow is somebody who reads the log late.
type slow struct{}

func (slow) Write(p []byte) (int, error) {
	time.Sleep(30 * time.Millisecond)
	return len(p), nil
}
