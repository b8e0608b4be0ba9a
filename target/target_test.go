package target

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"dossier/correlate"
	"dossier/correlate/commit"
	"dossier/esindex"
	"dossier/plugin/options/optionstest"
	"dossier/testbed/otlp"
	"dossier/testbed/process"
)

// member stands for an output whose figures can be set.
type member struct {
	*Member
	target *Target
	stats  correlate.Stats
	panics atomic.Int64
}

// join adds a member without an engine to the target.
func join(tg *Target, sensor string, log *slog.Logger) *member {
	m := &member{target: tg}
	m.Member = &Member{
		Sensor: sensor, Version: "1.2", Logger: log,
		Stats: func() correlate.Stats { return m.stats }, Panics: m.panics.Load,
	}
	tg.Join(m.Member)
	return m
}

// start opens a target with a member, that logs into the buffer.
func start(t testing.TB, pool *Pool, more map[string]string) (*member, *process.Log) {
	t.Helper()
	log := new(process.Log)
	o, logger := optionstest.Parse(t, more), slog.New(slog.NewTextHandler(log, nil))
	tg, err := pool.Open(o, Host{Version: "test", Logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	return join(tg, o.SensorID, logger), log
}

// Close ends what start began.
func (m *member) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), closing)
	defer cancel()
	m.target.Leave(m.Member)
	m.target.Close(ctx)
}

// TestSharing: outputs to the same indices share a target, whatever the order
// of its hosts; the last one out ends it.
func TestSharing(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	var pool Pool
	path := filepath.Join(t.TempDir(), "letters")
	a, _ := start(t, &pool, map[string]string{"es_hosts": "http://127.0.0.1:1 http://127.0.0.1:2", "dead_letter_path": path})
	b, _ := start(t, &pool, map[string]string{"es_hosts": "http://127.0.0.1:2 http://127.0.0.1:1", "dead_letter_path": path, "drop_apps": "none"})
	c, _ := start(t, &pool, map[string]string{"index_prefix": "other"})
	if a.target != b.target || a.target == c.target {
		t.Error("wrongly shared")
	}
	n := 0
	for _, m := range []*member{a, b} {
		if m.target.isFirst(m.Member) {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d members report the target's figures", n)
	}
	_, err := pool.Open(optionstest.Parse(t, map[string]string{"index_prefix": "other"}), Host{Logger: slog.New(slog.DiscardHandler)})
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
	if !b.target.isFirst(b.Member) {
		t.Error("nobody reports the target's figures")
	}
	b.Close()
	if _, err := b.target.committer.Commit(context.Background(), commit.Chunk{Deadline: time.Now()}); !errors.Is(err, commit.ErrClosed) {
		t.Errorf("after the last one: %v", err)
	}
	c.Close()
	if n := len(pool.targets.Values()); n != 0 || len(pool.members) != 0 {
		t.Errorf("%d targets and %d members are left", n, len(pool.members))
	}
}

// TestMemoryFollowsChunks: with each chunk more at a time the memory limit
// grows by what one takes, once.
func TestMemoryFollowsChunks(t *testing.T) {
	if os.Getenv("GOMEMLIMIT") != "" || os.Getenv("GOGC") != "" {
		t.Skip("SKIP: GOMEMLIMIT or GOGC is set, which goes before")
	}
	var pool Pool
	m, _ := start(t, &pool, nil)
	defer m.Close()
	limit := debug.SetMemoryLimit(-1)
	grown := func() int64 { return debug.SetMemoryLimit(-1) - limit }
	for n, want := range []int64{wholeMemory, wholeMemory + chunkMemory, wholeMemory + 2*chunkMemory, wholeMemory + 3*chunkMemory} {
		if pool.Begin(); grown() != want {
			t.Errorf("%d chunks under way: the limit grew by %d, want %d", n+1, grown(), want)
		}
	}
	for range 4 {
		pool.End()
	}
	if pool.Begin(); grown() != wholeMemory+3*chunkMemory {
		t.Errorf("after 4 chunks and one more: the limit grew by %d", grown())
	}
	pool.End()
}

// TestHeartbeatSaysWhatIsDropped: the lines left out by program, sorted, those
// of all outputs of a sensor together.
func TestHeartbeatSaysWhatIsDropped(t *testing.T) {
	var pool Pool
	var last *member
	letters := map[string]string{"dead_letter_path": t.TempDir()}
	for _, dropped := range []map[string]int64{{"sshd": 3, "CRON": 1}, {"sshd": 2, "sudo": 4}} {
		last, _ = start(t, &pool, letters)
		defer last.Close()
		last.stats.Dropped = dropped
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
		seen[Class(err)] = true
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
	all, err := templates(optionstest.Parse(t, map[string]string{"ipv6_prefix": "64", "index_prefix": "p", "replicas": "2", "refresh_interval": "1m"}))
	if err != nil {
		t.Fatal(err)
	}
	patterns := make(map[string]bool)
	for _, p := range all {
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

// TestNoTracingCostsNothing: without the variables an observed write is
// counted, and no memory is asked for.
func TestNoTracingCostsNothing(t *testing.T) {
	tg := &Target{requests: newRequests()}
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
	i, log := start(t, new(Pool), nil)
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

// TestEveryIncidentIsExplained in docs/log.md, as each other line of the log.
func TestEveryIncidentIsExplained(t *testing.T) {
	doc, err := os.ReadFile("../docs/log.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []commit.IncidentKind{
		commit.Unreachable, commit.Unreadable, commit.Newer, commit.Panicked, commit.Buried, commit.NotBuried, commit.Full, commit.AtRisk, commit.EffectLost,
	} {
		if text := incidents[kind].text; !strings.Contains(string(doc), "| `"+text+"` |") {
			t.Errorf("docs/log.md has no %q", text)
		}
	}
}
