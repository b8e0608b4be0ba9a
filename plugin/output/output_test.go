package output

import (
	"context"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"log/slog"
	"net"
	"os"
	"path"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"dossier/correlate"
	"dossier/correlate/commit"
	"dossier/correlate/dialect"
	"dossier/esindex/esindextest"
	"dossier/panics"
	"dossier/plugin/chunk/chunktest"
	"dossier/plugin/logging"
	"dossier/plugin/options"
	"dossier/plugin/options/optionstest"
	"dossier/target"
	"dossier/testbed/process"
)

// start starts an output that logs into the buffer.
func start(t testing.TB, pool *target.Pool, more map[string]string) (*Output, *process.Log) {
	t.Helper()
	return started(t, pool, func(h Host) (*Output, error) { return New(optionstest.Parse(t, more), h) })
}

// startWith starts one with an engine of the test's.
func startWith(t testing.TB, pool *target.Pool, more map[string]string, e engine) (*Output, *process.Log) {
	t.Helper()
	return started(t, pool, func(h Host) (*Output, error) {
		return newOutput(optionstest.Parse(t, more), h, func(*target.Target) (engine, error) { return e, nil })
	})
}

func started(t testing.TB, pool *target.Pool, start func(Host) (*Output, error)) (*Output, *process.Log) {
	t.Helper()
	log := new(process.Log)
	out, err := start(Host{Version: "test", Logger: slog.New(slog.NewTextHandler(log, nil)), Targets: pool})
	if err != nil {
		t.Fatal(err)
	}
	return out, log
}

// startReady starts an output whose cluster is set up, with an engine that
// answers as flush does.
func startReady(t testing.TB, flush func() (correlate.Result, error)) (*Output, *fakeEngine, *process.Log) {
	t.Helper()
	e := &fakeEngine{flush: flush}
	out, log := startWith(t, new(target.Pool), map[string]string{"es_hosts": esindextest.New(t).URL}, e)
	if err := out.target.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	return out, e, log
}

// An output whose engine can't be made leaves nothing behind: the target is closed,
// and one with the same prefix and other options can be opened.
func TestWithoutAnEngineTheTargetIsClosed(t *testing.T) {
	refused := errors.New("no engine")
	pool, node := new(target.Pool), esindextest.New(t)
	o := optionstest.Parse(t, map[string]string{"es_hosts": node.URL})
	h := Host{Version: "test", Logger: slog.New(slog.DiscardHandler), Targets: pool}
	if _, err := newOutput(o, h, func(*target.Target) (engine, error) { return nil, refused }); !errors.Is(err, refused) {
		t.Fatalf("got %v", err)
	}
	out, _ := start(t, pool, map[string]string{"es_hosts": node.URL, "refresh_interval": "77s"})
	out.Close()
}

// fakeEngine stands for what can't be had from the real one: panics.
type fakeEngine struct {
	flush func() (correlate.Result, error)

	mu    sync.Mutex
	stats correlate.Stats
}

func (e *fakeEngine) Flush(context.Context, string, []byte) (correlate.Result, error) {
	return e.flush()
}

func (e *fakeEngine) Stats() correlate.Stats {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.stats
}

// count changes the stats, which heartbeats ask for at any time.
func (e *fakeEngine) count(change func(*correlate.Stats)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	change(&e.stats)
}

func letters(t testing.TB, out *Output) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(out.o.DeadLetterPath, "*"))
	if err != nil {
		t.Fatal(err)
	}
	var b []byte
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		b = append(b, text...)
	}
	return string(b)
}

// TestPanic: a chunk that makes the code panic costs an attempt; one that
// does so every time goes to the dead letters instead of coming for ever.
func TestPanic(t *testing.T) {
	t.Cleanup(func() { goleak.VerifyNone(t) }) // after the node has gone
	calls := 0
	i, e, log := startReady(t, func() (correlate.Result, error) {
		if calls++; calls == 1 {
			panic("boom")
		}
		return correlate.OK, nil
	})
	defer i.Close()
	if code := i.Flush("a", []byte("once"), true); code != Retry || i.Health() == nil {
		t.Errorf("got %v, health %v", code, i.Health())
	}
	if code := i.Flush("a", []byte("once"), true); code != OK || i.Health() != nil {
		t.Errorf("got %v, health %v", code, i.Health())
	}
	if s := log.String(); !strings.Contains(s, "boom") || !strings.Contains(s, "TestPanic") {
		t.Errorf("no word of it, or no stack: %s", s)
	}
	e.flush = func() (correlate.Result, error) { var p *int; return correlate.Result(*p), nil }
	for n := range maxPanics - 1 {
		if code := i.Flush("a", []byte("always"), true); code != Retry {
			t.Fatalf("attempt %d: %v", n, code)
		}
		if s := letters(t, i); s != "" {
			t.Errorf("dead-lettered already: %s", s)
		}
	}
	if code := i.Flush("a", []byte("always"), true); code != Error {
		t.Errorf("got %v", code)
	}
	if _, known := i.suspects[correlate.ID("a", []byte("always"))]; known {
		t.Error("a chunk that is in the dead letters is still suspected")
	}
	if s := letters(t, i); !strings.Contains(s, `"data":"YWx3YXlz"`) || !strings.Contains(s, `"tag":"a"`) {
		t.Errorf("the dead letters hold %q", s)
	}
	for range 10 * maxSuspects {
		if i.panicked("a", []byte(time.Now().String()), &panics.Panic{}); len(i.suspects) > maxSuspects {
			t.Fatal("suspects are not bounded")
		}
	}
}

func TestCodes(t *testing.T) {
	i, e, _ := startReady(t, nil)
	defer i.Close()
	for _, test := range []struct {
		result  correlate.Result
		err     error
		want    Code
		healthy bool
	}{
		{correlate.OK, nil, OK, true},
		{correlate.Error, errors.New("x"), Error, true},
		{correlate.Retry, errors.New("x"), Retry, false},
		{correlate.Retry, nil, Retry, false},
		{correlate.Retry, commit.ErrClosed, Retry, false},
		{correlate.Result(77), nil, Retry, false},
	} {
		e.flush = func() (correlate.Result, error) { return test.result, test.err }
		if code := i.Flush("a", nil, false); code != test.want || (i.Health() == nil) != test.healthy {
			t.Errorf("%v, %v: got %v, health %v", test.result, test.err, code, i.Health())
		}
	}
}

// TestNotReady: while the cluster isn't there chunks come back at once, and
// health says why.
func TestNotReady(t *testing.T) {
	defer goleak.VerifyNone(t)
	i, log := start(t, new(target.Pool), nil)
	defer i.Close()
	begin := time.Now()
	if code := i.Flush("a", nil, false); code != Retry {
		t.Errorf("got %v", code)
	}
	if took := time.Since(begin); took > time.Second {
		t.Errorf("it took %v", took)
	}
	if err := i.Health(); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("health: %v", err)
	}
	if s := log.String(); !strings.Contains(s, "Elasticsearch is not ready") || !strings.Contains(s, "given back") {
		t.Errorf("log: %s", s)
	}
}

// TestDeadlines: the engine thread waits less.
func TestDeadlines(t *testing.T) {
	out := &Output{o: options.Options{CommitTimeout: 8 * time.Second, EngineCommitTimeout: 3 * time.Second}}
	for onWorker, want := range map[bool]time.Duration{true: 8 * time.Second, false: 3 * time.Second} {
		if got := out.timeout(onWorker); got != want {
			t.Errorf("on a worker %v: %v", onWorker, got)
		}
	}
	// A cluster that says nothing for as long.
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	i, _ := start(t, new(target.Pool), map[string]string{"es_hosts": "http://" + silent.Addr().String(), "commit_timeout": "500ms"})
	defer i.Close()
	for _, onWorker := range []bool{true, false} {
		begin := time.Now()
		if code := i.Flush("a", nil, onWorker); code != Retry || time.Since(begin) < 500*time.Millisecond {
			t.Errorf("on a worker %v: %v after %v", onWorker, code, time.Since(begin))
		}
	}
}

// TestMemoryFollowsWorkers: with each chunk more at a time the memory limit
// grows by what one takes, once.
func TestMemoryFollowsWorkers(t *testing.T) {
	if os.Getenv("GOMEMLIMIT") != "" || os.Getenv("GOGC") != "" {
		t.Skip("SKIP: GOMEMLIMIT or GOGC is set, which goes before")
	}
	held, come := make(chan struct{}), make(chan struct{})
	i, _, _ := startReady(t, func() (correlate.Result, error) {
		come <- struct{}{}
		<-held
		return correlate.OK, nil
	})
	defer i.Close()
	const whole, chunk = 8 << 20, 2 << 20 // the first takes all, further ones less
	limit := debug.SetMemoryLimit(-1)
	grown := func() int64 {
		grown := debug.SetMemoryLimit(-1) - limit
		return min(grown/whole, 1) + max(0, grown-whole)/chunk
	}
	var group sync.WaitGroup
	for n := range int64(3) {
		group.Go(func() { i.Flush("a", nil, true) })
		<-come
		if grown() != n+1 {
			t.Errorf("%d chunks under way: the limit grew by %d", n+1, grown())
		}
	}
	close(held)
	group.Wait()
	group.Go(func() { i.Flush("a", nil, true) })
	<-come
	group.Wait()
	if grown() != 3 {
		t.Errorf("after 3 chunks and one more: the limit grew by %d", grown())
	}
}

// TestRefusedRecordsAreTold: by reason, what is dropped on purpose left out.
func TestRefusedRecordsAreTold(t *testing.T) {
	i, e, log := startReady(t, func() (correlate.Result, error) { return correlate.OK, nil })
	defer i.Close()
	e.count(func(s *correlate.Stats) {
		s.Refused[dialect.NoAddress], s.Refused[dialect.DropApp], s.Refused[dialect.BadHeader] = 3, 4, 5
		s.Refused[dialect.StructuredData], s.Refused[dialect.JSONInSyslog] = 6, 7
		s.Refused[dialect.UnknownSender] = 8
	})
	i.Flush("a", nil, true)
	i.Flush("a", nil, true)
	// Flushes overlap: one that comes second may bring an older count.
	e.count(func(s *correlate.Stats) { s.Refused[dialect.BadHeader] = 2 })
	i.Flush("a", nil, true)
	e.count(func(s *correlate.Stats) { s.Refused[dialect.BadHeader] = 5 })
	i.Flush("a", nil, true)
	s := log.String()
	for text, want := range map[string]int{
		"reason=no_address verdict=unattributed since_start=3": 1, "reason=bad_header verdict=unparsed since_start=5": 1, "drop_app": 0,
		`reason=structured_data verdict=dropped since_start=6 option="structured_data off"`: 1,
		"reason=json_in_syslog verdict=dropped since_start=7 option=json_in_syslog":         1,
		"since_start=2": 0,
		`level=WARN msg="records give no event" reason=unknown_sender verdict=unattributed since_start=8`: 1,
	} {
		if n := strings.Count(s, text); n != want {
			t.Errorf("%q stands %d times in\n%s", text, n, s)
		}
	}
}

// TestEveryLogLineIsExplained reads what the sources log.
func TestEveryLogLineIsExplained(t *testing.T) {
	doc, err := os.ReadFile("../../docs/log.md")
	if err != nil {
		t.Fatal(err)
	}
	explained := func(text string) {
		if !strings.Contains(string(doc), "| `"+text+"` |") {
			t.Errorf("docs/log.md has no %q", text)
		}
	}
	n := 0
	for _, dir := range []string{".", "..", "../observe", "../../target"} {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(f, func(node ast.Node) bool {
				call, ok := node.(*ast.CallExpr)
				if !ok {
					return true
				}
				fun, ok := call.Fun.(*ast.SelectorExpr)
				if ok {
					if x, named := fun.X.(*ast.Ident); named && x.Name == "http" {
						return true // http.Error
					}
				}
				if !ok || !slices.Contains([]string{"Info", "Warn", "Error", "LogAttrs"}, fun.Sel.Name) {
					return true
				}
				for _, a := range call.Args {
					if lit, ok := a.(*ast.BasicLit); ok && lit.Kind == token.STRING {
						text, err := strconv.Unquote(lit.Value)
						if err != nil {
							t.Fatal(err)
						}
						explained(text)
						n++
						break
					}
				}
				return true
			})
		}
	}
	if n < 15 {
		t.Errorf("only %d lines were found", n)
	}
	explained(logging.PanicText)
}

// TestFigures: what an output adds to the figures of others.
func TestFigures(t *testing.T) {
	var pool target.Pool
	node := esindextest.New(t)
	e := &fakeEngine{flush: func() (correlate.Result, error) { return correlate.OK, nil }, stats: correlate.Stats{Records: 1017}}
	i, _ := startWith(t, &pool, map[string]string{"es_hosts": node.URL}, e)
	defer i.Close()
	i.panics.Store(19)
	value := func(name string) float64 {
		f := i.Figures()
		for _, s := range i.Series() {
			if s.Name == name {
				return s.Value(&f)
			}
		}
		t.Fatalf("no %s", name)
		return 0
	}
	if value("last_chunk_timestamp_seconds") != 0 || value("panics_total") != 19 || value("records_total") != float64(e.stats.Records) {
		t.Error("wrong figures")
	}
	if err := i.target.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	before := time.Now()
	i.Flush("a", make([]byte, 1000), true)
	if last := value("last_chunk_timestamp_seconds"); value("ready") != 1 || last < float64(before.UnixMilli())/1000 || last > float64(time.Now().UnixMilli()+1)/1000 {
		t.Errorf("the last chunk was at %v", last)
	}
	e.flush = func() (correlate.Result, error) { return correlate.Retry, nil }
	i.Flush("a", make([]byte, 3000), true)
	e.flush = func() (correlate.Result, error) { return correlate.Error, nil }
	i.Flush("a", make([]byte, 5000), true)
	i.Flush("a", make([]byte, 5000), true)
	r := prometheus.NewPedanticRegistry()
	r.MustRegister(i.Histograms()...)
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	type values struct {
		count uint64
		sum   float64
	}
	got := make(map[string]values)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := f.GetName()
			for _, l := range m.GetLabel() {
				name += " " + l.GetValue()
			}
			got[name] = values{m.GetHistogram().GetSampleCount(), m.GetHistogram().GetSampleSum()}
		}
	}
	for name, want := range map[string]values{
		"dossier_flush_seconds ok": {1, -1}, "dossier_flush_seconds retry": {1, -1}, "dossier_flush_seconds error": {2, -1}, "dossier_chunk_bytes": {4, 14000},
	} {
		h, ok := got[name]
		if !ok || h.count != want.count || want.sum >= 0 && h.sum != want.sum {
			t.Errorf("%s: %d values, sum %v; want %d, %v", name, h.count, h.sum, want.count, want.sum)
		}
		delete(got, name)
	}
	if len(got) != 9 {
		t.Errorf("beside its own it has %v", got)
	}
}

// TestPanicsAreCountedOnce: those of an output at it, those of its target and of the
// process at the first; sums over outputs are right.
func TestPanicsAreCountedOnce(t *testing.T) {
	var pool target.Pool
	letters := map[string]string{"dead_letter_path": t.TempDir()}
	a, log := start(t, &pool, letters)
	defer a.Close()
	b, _ := start(t, &pool, letters)
	defer b.Close()
	p := &panics.Panic{During: "x", Value: "v"}
	pool.Panicked(p)
	for range 1000 {
		a.Panicked(p, "attempt", 1)
	}
	b.Panicked(p)
	figure := func(out *Output) float64 {
		f := out.Figures()
		for _, s := range out.Series() {
			if s.Name == "panics_total" {
				return s.Value(&f)
			}
		}
		return -1
	}
	if x, y := figure(a), figure(b); x != 1001 || y != 1 {
		t.Errorf("got %v, %v", x, y)
	}
	if !strings.Contains(log.String(), "attempt=1 reason=x panic=v") {
		t.Errorf("the log has %.500s", log.String())
	}
}

// TestGivenBackSaysWhy: what held a chunk back is in the health and in the log, and
// not what the engine itself says of it.
func TestGivenBackSaysWhy(t *testing.T) {
	node := esindextest.New(t)
	i, log := start(t, new(target.Pool), map[string]string{"es_hosts": node.URL, "commit_timeout": "1s"})
	defer i.Close()
	if err := i.target.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	node.Plan(func(r *esindextest.Request) (f esindextest.Fault) {
		if path.Base(r.Path) == "_mget" {
			f.Status, f.Body = 403, `{"error":{"type":"security_exception","reason":"no privilege"},"status":403}`
		}
		return f
	})
	line := `<134>1 2026-01-02T03:04:05.000001+00:00 web-1 http - request [relay@55555 src_ip="203.0.113.9" path="/"]`
	if code := i.Flush("a", chunktest.Lines(time.Now(), "log", line), true); code != Retry {
		t.Fatal(code)
	}
	if err := i.Health(); !errors.Is(err, target.ErrNotDurable) || !strings.Contains(err.Error(), "no privilege") {
		t.Errorf("health: %v", err)
	}
	if text := log.String(); !strings.Contains(text, `msg="a chunk is given back to Fluent Bit for a retry" reason="read 403 security_exception"`) {
		t.Errorf("the log says %s", text)
	}
}
