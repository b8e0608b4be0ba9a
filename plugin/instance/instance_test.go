package instance

import (
	"context"
	"errors"
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"dossier/correlate"
	"dossier/correlate/commit"
	"dossier/correlate/dialect"
	"dossier/correlate/law"
	"dossier/esindex"
	"dossier/panics"
	"dossier/plugin/logging"
	"dossier/plugin/options"
	"dossier/testbed/otlp"
	"dossier/testbed/process"
)

//go:generate go test . -run TestMetricsDocumentation -update

var update = flag.Bool("update", false, "write docs/metrics.md anew")

// parse returns options for a cluster that isn't there.
func parse(t testing.TB, more map[string]string) options.Options {
	t.Helper()
	p := map[string]string{
		"es_hosts": "http://127.0.0.1:1", "sensor_id": "s1", "dead_letter_path": filepath.Join(t.TempDir(), "letters"),
	}
	for k, v := range more {
		p[k] = v
	}
	o, err := options.Parse(func(key string) string { return p[key] }, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// start starts an instance that logs into the buffer.
func start(t testing.TB, targets *Targets, more map[string]string) (*Instance, *process.Log) {
	t.Helper()
	log := new(process.Log)
	i, err := New(parse(t, more), Host{Version: "test", Logger: slog.New(slog.NewTextHandler(log, nil)), Targets: targets})
	if err != nil {
		t.Fatal(err)
	}
	return i, log
}

// fakeEngine stands for what can't be had from the real one: panics.
type fakeEngine struct {
	flush func() (correlate.Result, error)
	stats correlate.Stats
}

func (e *fakeEngine) Flush(context.Context, string, []byte) (correlate.Result, error) {
	return e.flush()
}

func (e *fakeEngine) Stats() correlate.Stats { return e.stats }

// ready makes the instance believe that its cluster is set up.
func ready(i *Instance) {
	i.target.rank.Store(new(law.Rank))
	i.target.ready = closed()
}

func closed() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}

func letters(t testing.TB, i *Instance) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(i.o.DeadLetterPath, "*"))
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
	defer goleak.VerifyNone(t)
	i, log := start(t, new(Targets), nil)
	defer i.Close()
	ready(i)
	calls := 0
	i.engine = &fakeEngine{flush: func() (correlate.Result, error) {
		if calls++; calls == 1 {
			panic("boom")
		}
		return correlate.OK, nil
	}}
	if code := i.Flush("a", []byte("once"), true); code != Retry || i.Health() == nil {
		t.Errorf("got %v, health %v", code, i.Health())
	}
	if code := i.Flush("a", []byte("once"), true); code != OK || i.Health() != nil {
		t.Errorf("got %v, health %v", code, i.Health())
	}
	if s := log.String(); !strings.Contains(s, "boom") || !strings.Contains(s, "TestPanic") {
		t.Errorf("no word of it, or no stack: %s", s)
	}
	i.engine = &fakeEngine{flush: func() (correlate.Result, error) { var p *int; return correlate.Result(*p), nil }}
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
	i, _ := start(t, new(Targets), nil)
	defer i.Close()
	ready(i)
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
		i.engine = &fakeEngine{flush: func() (correlate.Result, error) { return test.result, test.err }}
		if code := i.Flush("a", nil, false); code != test.want || (i.Health() == nil) != test.healthy {
			t.Errorf("%v, %v: got %v, health %v", test.result, test.err, code, i.Health())
		}
	}
}

// TestNotReady: while the cluster isn't there chunks come back at once, and
// health says why.
func TestNotReady(t *testing.T) {
	defer goleak.VerifyNone(t)
	i, log := start(t, new(Targets), nil)
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
	synctest.Test(t, func(t *testing.T) {
		o := options.Options{CommitTimeout: 8 * time.Second, EngineCommitTimeout: 3 * time.Second}
		i := &Instance{o: o, host: Host{Targets: new(Targets)}, log: slog.New(slog.DiscardHandler), target: &target{ready: make(chan struct{}), tried: make(chan struct{})}}
		i.makeHistograms()
		for onWorker, want := range map[bool]time.Duration{true: 8 * time.Second, false: 3 * time.Second} {
			begin := time.Now()
			if code := i.Flush("a", nil, onWorker); code != Retry || time.Since(begin) != want {
				t.Errorf("on a worker %v: %v after %v", onWorker, code, time.Since(begin))
			}
		}
	})
}

// TestSharing: outputs to the same indices share a target, whatever the order
// of its hosts; the last one out ends it.
func TestSharing(t *testing.T) {
	defer goleak.VerifyNone(t)
	var targets Targets
	path := filepath.Join(t.TempDir(), "letters")
	a, _ := start(t, &targets, map[string]string{"es_hosts": "http://127.0.0.1:1 http://127.0.0.1:2", "dead_letter_path": path})
	b, _ := start(t, &targets, map[string]string{"es_hosts": "http://127.0.0.1:2 http://127.0.0.1:1", "dead_letter_path": path, "drop_apps": "none"})
	c, _ := start(t, &targets, map[string]string{"index_prefix": "other"})
	if a.target != b.target || a.target == c.target || a.engine == b.engine {
		t.Error("wrongly shared")
	}
	n := 0
	for _, i := range []*Instance{a, b} {
		if i.target.isFirst(i) {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d instances report the target's figures", n)
	}
	_, err := New(parse(t, map[string]string{"index_prefix": "other"}), Host{Logger: slog.New(slog.DiscardHandler), Targets: &targets})
	if err == nil || !strings.Contains(err.Error(), "option dead_letter_path: differs") {
		t.Errorf("disagreement: %v", err)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		if limit, want := debug.SetMemoryLimit(-1), int64(2*256<<20+workingMemory); limit != want {
			t.Errorf("the memory limit is %d, want %d", limit, want)
		}
		defer func() {
			if limit := debug.SetMemoryLimit(-1); limit != math.MaxInt64 {
				t.Errorf("the memory limit stays at %d", limit)
			}
		}()
	}
	a.Close()
	if _, err := b.target.committer.Commit(context.Background(), commit.Chunk{Deadline: time.Now()}); errors.Is(err, commit.ErrClosed) {
		t.Error("closed under another's feet")
	}
	if !b.target.isFirst(b) {
		t.Error("nobody reports the target's figures")
	}
	b.Close()
	if _, err := b.target.committer.Commit(context.Background(), commit.Chunk{Deadline: time.Now()}); !errors.Is(err, commit.ErrClosed) {
		t.Errorf("after the last one: %v", err)
	}
	c.Close()
	if n := len(targets.pool.Values()); n != 0 || len(targets.instances) != 0 {
		t.Errorf("%d targets and %d instances are left", n, len(targets.instances))
	}
}

// TestMemoryFollowsWorkers: with each chunk more at a time the memory limit
// grows by what one takes, once.
func TestMemoryFollowsWorkers(t *testing.T) {
	if os.Getenv("GOMEMLIMIT") != "" || os.Getenv("GOGC") != "" {
		t.Skip("SKIP: GOMEMLIMIT or GOGC is set, which goes before")
	}
	i, _ := start(t, new(Targets), nil)
	defer i.Close()
	limit := debug.SetMemoryLimit(-1)
	grown := func() int64 { return (debug.SetMemoryLimit(-1) - limit) / chunkMemory }
	ready(i)
	held, come := make(chan struct{}), make(chan struct{})
	i.engine = &fakeEngine{flush: func() (correlate.Result, error) {
		come <- struct{}{}
		<-held
		return correlate.OK, nil
	}}
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
	i, log := start(t, new(Targets), nil)
	defer i.Close()
	ready(i)
	e := &fakeEngine{flush: func() (correlate.Result, error) { return correlate.OK, nil }}
	i.engine = e
	e.stats.Refused[dialect.NoAddress], e.stats.Refused[dialect.DropApp], e.stats.Refused[dialect.BadHeader] = 3, 4, 5
	e.stats.Refused[dialect.StructuredData], e.stats.Refused[dialect.JSONInSyslog] = 6, 7
	i.Flush("a", nil, true)
	i.Flush("a", nil, true)
	s := log.String()
	for text, want := range map[string]int{"reason=no_address verdict=unattributed since_start=3": 1, "reason=bad_header verdict=unparsed since_start=5": 1, "drop_app": 0,
		`reason=structured_data verdict=dropped since_start=6 option="structured_data off"`: 1,
		"reason=json_in_syslog verdict=dropped since_start=7 option=json_in_syslog":         1,
	} {
		if n := strings.Count(s, text); n != want {
			t.Errorf("%q stands %d times in\n%s", text, n, s)
		}
	}
}

// TestHeartbeatSaysWhatIsDropped: the lines left out by program, sorted, those
// of all outputs of a sensor together.
func TestHeartbeatSaysWhatIsDropped(t *testing.T) {
	var targets Targets
	var last *Instance
	letters := map[string]string{"dead_letter_path": t.TempDir()}
	for _, dropped := range []map[string]int64{{"sshd": 3, "CRON": 1}, {"sshd": 2, "sudo": 4}} {
		last, _ = start(t, &targets, letters)
		defer last.Close()
		e := &fakeEngine{}
		e.stats.Dropped = dropped
		last.engine = e
	}
	beats := last.target.heartbeats(time.Now(), time.Now())
	if len(beats) != 1 {
		t.Fatalf("%d heartbeats of one sensor", len(beats))
	}
	if want := `"dropped_programs":[{"program":"CRON","count":1},{"program":"sshd","count":5},{"program":"sudo","count":4}]`; !strings.Contains(string(beats[0].Body), want) {
		t.Errorf("no %s in %s", want, beats[0].Body)
	}
}

func TestReasonsAreFew(t *testing.T) {
	seen := make(map[string]bool)
	for _, err := range []error{
		&esindex.Error{Op: "create index a", Status: 403, Type: "security_exception"},
		&esindex.Error{Op: "create index b", Status: 403, Type: "security_exception"},
		&esindex.Error{Op: "bulk", Reason: "read tcp 127.0.0.1:4711: reset"},
		&esindex.Error{Op: "bulk", Reason: "read tcp 127.0.0.1:4712: reset"},
		context.DeadlineExceeded, errors.New("x"), errors.New("y"),
	} {
		seen[reason(err)] = true
	}
	if len(seen) != 4 {
		t.Errorf("got %v", seen)
	}
	for _, in := range []commit.Incident{
		{Kind: commit.Full, Reason: "the document holds 512 chunk ids"},
		{Kind: commit.Full, Reason: "the document holds 513 chunk ids"},
		{Kind: commit.Full},
	} {
		if c := incidentClass(in); c != "full" {
			t.Errorf("got %q", c)
		}
	}
	if c := incidentClass(commit.Incident{Kind: commit.Buried, Reason: "document_parsing_exception: [1:2] x"}); c != "document_parsing_exception" {
		t.Errorf("got %q", c)
	}
}

func TestTemplates(t *testing.T) {
	templates, err := Templates(parse(t, map[string]string{"ipv6_prefix": "64", "index_prefix": "p", "replicas": "2", "refresh_interval": "1m"}))
	if err != nil {
		t.Fatal(err)
	}
	patterns := make(map[string]bool)
	for _, p := range templates {
		patterns[p.Pattern] = true
		if s := string(p.Body); !strings.Contains(s, `"60s"`) || !strings.Contains(s, `"number_of_replicas":"2"`) {
			t.Errorf("%s: %.300s", p.Name, s)
		}
		if want := strings.Contains(p.Name, "attackers") || strings.Contains(p.Name, "targets") || strings.Contains(p.Name, "activity") || strings.Contains(p.Name, "transitions"); (p.Fixed["ipv6_prefix"] == "64") != want {
			t.Errorf("%s: fixed %v", p.Name, p.Fixed)
		}
	}
	ix := correlate.Indices{Prefix: "p"}
	for _, want := range []string{ix.Attackers(), ix.Targets(), ix.Sensors(), "p-activity-*", "p-transitions-*", "p-chunks-*"} {
		if !patterns[want] {
			t.Errorf("no template for %s", want)
		}
	}
}

func TestHistogram(t *testing.T) {
	h := newHistogram([]float64{1, 2, 5})
	for _, v := range []float64{0, 1, 1.5, 2, 3, 7, 9} {
		h.observe(v)
	}
	got := h.read("x", "y")
	if got.Count != 7 || got.Sum != 23.5 || got.Buckets[1] != 2 || got.Buckets[2] != 4 || got.Buckets[5] != 5 {
		t.Errorf("got %+v", got)
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
	for _, dir := range []string{".", "..", "../metrics"} {
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
	for _, kind := range []commit.IncidentKind{
		commit.Unreachable, commit.Unreadable, commit.Newer, commit.Panicked, commit.Buried, commit.NotBuried, commit.Full, commit.AtRisk, commit.EffectLost,
	} {
		explained(incidents[kind].text)
	}
}

func TestMetricsDocumentation(t *testing.T) {
	const file = "../../docs/metrics.md"
	want := MetricsMarkdown()
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Error("docs/metrics.md is stale: go generate ./plugin/instance")
	}
}

// TestNoTracingCostsNothing: without the variables an observed write is
// counted, and no memory is asked for.
func TestNoTracingCostsNothing(t *testing.T) {
	tg := &target{requests: newRequestHistograms()}
	r := &commit.Request{Kind: commit.Write, Chunks: 3, Ops: make([]commit.Op, 100)}
	a := commit.Answer{Written: make([]commit.Written, 100)}
	if n := testing.AllocsPerRun(100, func() { tg.observe(t.Context(), r, a, time.Millisecond) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestTracedCommits: what is told of a write, conflicts and a failure
// included; a marker's own write is none.
func TestTracedCommits(t *testing.T) {
	collector := otlp.Start(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.URL)
	i, log := start(t, new(Targets), nil)
	tg := i.target
	key := func(index, id string) commit.Key { return commit.Key{Index: tg.o.IndexPrefix + index, ID: id} }
	r := &commit.Request{Kind: commit.Write, Chunks: 2, Records: 70, Ops: []commit.Op{
		{Kind: commit.Create, Key: key("-attackers", "192.0.2.1"), Body: []byte(`{"event_count":7,"is_traversal":true,"bounty_count":2,"command_count":3,"x":"y"}`)},
		{Kind: commit.Replace, Key: key("-attackers", "192.0.2.2"), Body: []byte(`{"event_count":1}`)},
		{Kind: commit.Replace, Key: key("-attackers", "192.0.2.3"), Body: []byte(`{"event_count":`)},
		{Kind: commit.Create, Key: key("-activity-2026.01", "192.0.2.1|2026-01-01T00"), Body: []byte(`{}`)},
		{Kind: commit.Put, Key: key("-chunks-2026.01", "00"), Body: []byte(`{}`)},
	}}
	done := commit.Written{Status: commit.Done}
	tg.observe(t.Context(), r, commit.Answer{Written: []commit.Written{done, {Status: commit.Conflict}, done, done, done}}, time.Millisecond)
	tg.observe(t.Context(), r, commit.Answer{Err: &esindex.Error{Op: "bulk", Status: 429, Type: "x", Reason: "what somebody wrote"}}, time.Millisecond)
	tg.observe(t.Context(), &commit.Request{Kind: commit.Write, Ops: r.Ops[4:]}, commit.Answer{Written: []commit.Written{done}}, time.Millisecond)
	tg.observe(t.Context(), &commit.Request{Kind: commit.Read, Chunks: 1}, commit.Answer{}, time.Millisecond)
	// More answers than operations: a defect, and no end of the process.
	tg.observe(t.Context(), &commit.Request{Kind: commit.Write, Chunks: 1}, commit.Answer{Written: []commit.Written{done}}, time.Millisecond)
	i.Close()
	if text := log.String(); !strings.Contains(text, "panic") || !strings.Contains(text, "reason=trace") {
		t.Errorf("the log has %s", text)
	}
	var commits, attackers []otlp.Span
	for _, s := range collector.Spans(t) {
		switch s.Name {
		case "commit":
			commits = append(commits, s)
		case "attacker":
			attackers = append(attackers, s)
		}
	}
	if len(commits) != 3 || len(attackers) != 1 {
		t.Fatalf("%d commits, %d attackers", len(commits), len(attackers))
	}
	for k, want := range map[string]int64{"chunks": 2, "records": 70, "attackers": 3, "documents": 4, "conflicts": 1} {
		if got := commits[0].Attributes["dossier."+k]; got != want {
			t.Errorf("%s is %v, want %v", k, got, want)
		}
	}
	if got := commits[1].Failed; got != "bulk 429 x" {
		t.Errorf("a failure shows as %q", got)
	}
	for k, want := range map[string]any{"address": "192.0.2.1", "event_count": int64(7), "is_traversal": true, "bounty_count": int64(2), "command_count": int64(3), "created": true} {
		if got := attackers[0].Attributes["dossier.attacker."+k]; got != want {
			t.Errorf("%s is %v, want %v", k, got, want)
		}
	}
}

// TestEveryMetricHasItsOwnSource: each series shows the one count it stands
// for, and every documented one is there.
func TestEveryMetricHasItsOwnSource(t *testing.T) {
	var refused [dialect.ReasonCount]int64
	for r := range refused {
		refused[r] = int64(1000 + r)
	}
	last := time.UnixMilli(1767323045678)
	c := counts{
		engine: correlate.Stats{
			ChunksOK: 1, ChunksRetry: 2, ChunksError: 3, Bytes: 4, Records: 5, Events: 6, Malformed: 7, Broken: 8, ClockSkew: 9, Excluded: 10, ServiceGuessed: 28, ExcludedBy: []int64{4}, Refused: refused,
		},
		commit: commit.Stats{
			Skipped: 11, DocumentsRead: 12, DocumentsWritten: 13, Created: 14, Conflicts: 15, Unknown: 16, Buried: 17, Panics: 100, Unreadable: 26, Effects: 18, Markers: 19,
			AtRisk: 20, Evicted: 21, CacheBytes: 22, CacheEntries: 23,
		},
		panics: 24, leftOut: 25, dropped: 27, ready: true, last: last, rules: []string{"port=22"},
	}
	want := map[string]float64{
		"chunks_total ok": 1, "chunks_total retry": 2, "chunks_total error": 3, "chunk_bytes_total": 4, "records_total": 5, "events_total": 6,
		"records_malformed_total": 7, "chunks_broken_total": 8, "events_clock_skew_total": 9, "events_service_guessed_total": 28, "events_excluded_total": 10, "events_excluded_by_rule_total port=22": 4, "events_excluded_by_rule_total exclude_nets": 6,
		"chunks_skipped_total": 11, "documents_read_total": 12, "documents_written_total": 13, "documents_created_total": 14, "conflicts_total": 15,
		"unknown_outcomes_total": 16, "dead_letters_total": 17, "effects_total": 18, "markers_total": 19, "exactness_at_risk_total": 20,
		"cache_evictions_total": 21, "cache_bytes": 22, "cache_documents": 23, "panics_total": 124, "documents_unreadable_total": 26, "parts_left_out_total": 25, "dead_letters_dropped_total": 27, "ready": 1, "last_chunk_timestamp_seconds": 1767323045.678,
	}
	for _, r := range dialect.Reasons() {
		if r.Class() == dialect.Unparsed {
			want["records_unparsed_total "+r.String()] = float64(1000 + int(r))
		}
		if r.Class() != dialect.Parsed {
			want["records_refused_total "+r.Class().String()+" "+r.String()] = float64(1000 + int(r))
		}
	}
	for _, m := range c.metrics() {
		name := m.Name
		for _, l := range m.Labels {
			name += " " + l.Value
		}
		v, ok := want[name]
		if !ok || m.Value != v {
			t.Errorf("%s is %v, want %v", name, m.Value, v)
		}
		delete(want, name)
	}
	for name := range want {
		t.Errorf("%s is missing", name)
	}
	c = counts{}
	for _, m := range c.metrics() {
		if m.Value != 0 {
			t.Errorf("%s begins at %v", m.Name, m.Value)
		}
	}
}
