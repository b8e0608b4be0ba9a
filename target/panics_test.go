package target

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"dossier/correlate"
	"dossier/correlate/commit"
	"dossier/esindex"
	"dossier/panics"
	"dossier/plugin/logging"
	"dossier/plugin/options"
	"dossier/testbed/process"
)

// bare returns a target without anything behind it, whose log is written to
// the buffer.
func bare() (*Target, *process.Log) {
	log := new(process.Log)
	return &Target{
		o: options.Options{ManageTemplates: true, IndexPrefix: "p"}, log: slog.New(slog.NewTextHandler(log, nil)), begun: time.Now(),
		tried: make(chan struct{}), ready: make(chan struct{}), joined: make(chan struct{}), requests: newRequests(),
		indices: correlate.Indices{Prefix: "p"}, link: new(Connection), pool: new(Pool),
	}, log
}

// fakeCluster is a cluster whose calls go as the steps say.
type fakeCluster struct {
	info, install func(n int) error
	infos         int
	installs      int
}

func (c *fakeCluster) Info(context.Context) (esindex.Info, error) {
	c.infos++
	return esindex.Info{}, c.info(c.infos)
}

func (c *fakeCluster) Identity(context.Context) (esindex.Identity, error) {
	return esindex.Identity{}, nil
}

func (c *fakeCluster) Install(context.Context, []esindex.Template) ([]esindex.Step, error) {
	c.installs++
	return nil, c.install(c.installs)
}

func (c *fakeCluster) ListKey(context.Context, []esindex.Template) (key [esindex.ListKeySize]byte, err error) {
	return key, nil
}

func fine(int) error { return nil }

// TestPanicWhileSettingUp costs a try, also where it is not the cluster that
// panics; the next one is made.
func TestPanicWhileSettingUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tg, log := bare()
		tg.cluster = &fakeCluster{
			info: func(n int) error {
				if n == 1 {
					panic("info")
				}
				return nil
			},
			install: func(n int) error {
				switch n {
				case 1:
					panic("install")
				case 2:
					return errors.New("not yet")
				}
				return nil
			},
		}
		begin := time.Now()
		tg.start()
		<-tg.tried
		synctest.Wait()
		if err := tg.Health(); err == nil || err.Error() != "panic in set_up: info" {
			t.Errorf("health: %v", err)
		}
		if err := tg.Wait(t.Context()); err == nil || !strings.Contains(err.Error(), "info") {
			t.Errorf("chunks are told %v", err)
		}
		<-tg.ready
		synctest.Wait()
		if took := time.Since(begin); took != (1+2+4)*time.Second || tg.panics.Load() != 2 {
			t.Errorf("ready after %v and %d panics", took, tg.panics.Load())
		}
		tg.stop()
		for _, want := range []string{logging.PanicText + `" reason=set_up panic=info stack=`, "panic=install", "fakeCluster", "not yet", "Elasticsearch is ready"} {
			if !strings.Contains(log.String(), want) {
				t.Errorf("the log has no %q: %s", want, log.String())
			}
		}
		if text, _ := tg.lastErred(); text != "not yet" {
			t.Errorf("the heartbeat's last error is %q", text)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		tg, _ := bare()
		tg.cluster = &fakeCluster{info: fine, install: fine}
		tg.log = slog.New(&panickingHandler{slog.DiscardHandler, 1})
		tg.start()
		<-tg.ready // in spite of a log that panics once
		tg.stop()
		if n := tg.panics.Load(); n != 1 {
			t.Errorf("%d panics", n)
		}
	})
}

// panickingHandler panics at the first records.
type panickingHandler struct {
	slog.Handler
	times int
}

func (h *panickingHandler) Enabled(context.Context, slog.Level) bool { return true }
func (h *panickingHandler) Handle(context.Context, slog.Record) error {
	if h.times--; h.times >= 0 {
		panic("a log")
	}
	return nil
}

// fakeStore keeps what is written last.
type fakeStore struct {
	mu    sync.Mutex
	calls int
	write func(n int, ops []commit.Op) ([]commit.Written, error)
	ops   []commit.Op
}

func (s *fakeStore) Read(context.Context, []commit.Key) ([]commit.Stored, error) { panic("a read") }

func (s *fakeStore) Write(_ context.Context, ops []commit.Op) ([]commit.Written, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	s.ops = ops
	return s.write(s.calls, ops)
}

// TestPanicInAHeartbeat costs that beat: of an engine that panics, and of a
// store. The one after says how many they were.
func TestPanicInAHeartbeat(t *testing.T) {
	made, log := start(t, new(Pool), nil)
	committer := made.target.committer
	defer made.Close()
	synctest.Test(t, func(t *testing.T) {
		tg, _ := bare()
		tg.committer, tg.log = committer, slog.New(slog.NewTextHandler(log, nil))
		store := &fakeStore{write: func(n int, ops []commit.Op) ([]commit.Written, error) {
			if n == 1 {
				panic("a store")
			}
			return make([]commit.Written, len(ops)), nil
		}}
		tg.store = store
		var pool Pool
		tg.pool = &pool
		m := join(tg, "s", tg.log)
		times := 1
		m.Stats = func() correlate.Stats {
			if times--; times >= 0 {
				panic("an engine")
			}
			return correlate.Stats{}
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { tg.beat(ctx); close(ended) }()
		for n, want := range []struct{ writes, panics int }{{0, 1}, {1, 2}, {2, 2}, {3, 2}} {
			synctest.Wait()
			store.mu.Lock()
			if store.calls != want.writes || tg.panics.Load() != int64(want.panics) {
				t.Errorf("beat %d: %d writes, %d panics", n, store.calls, tg.panics.Load())
			}
			store.mu.Unlock()
			time.Sleep(Beat)
		}
		cancel()
		<-ended
		var doc map[string]any
		if err := json.Unmarshal(store.ops[0].Body, &doc); err != nil || doc["panics"] != 2.0 || doc["last_error"] != "panic in heartbeat: a store" {
			t.Errorf("the heartbeat says %v, %v", doc, err)
		}
	})
	if s := log.String(); !strings.Contains(s, "panic=\"an engine\"") || !strings.Contains(s, "panic=\"a store\"") || !strings.Contains(s, "reason=heartbeat") {
		t.Errorf("the log has %s", s)
	}
}

// panickingLetters are dead letters that panic.
type panickingLetters struct{}

func (panickingLetters) Bury(context.Context, []commit.Letter) error { panic("letters") }

// TestPanicInARequest: what the committer asks for and panics is an error, is
// counted and told; so is what it calls.
func TestPanicInARequest(t *testing.T) {
	tg, log := bare()
	c := &careful{&fakeStore{write: func(int, []commit.Op) ([]commit.Written, error) { panic("a write") }}, panickingLetters{}, tg.panicked}
	_, read := c.Read(t.Context(), nil)
	_, written := c.Write(t.Context(), nil)
	for want, err := range map[string]error{"panic in read: a read": read, "panic in write: a write": written, "panic in bury: letters": c.Bury(t.Context(), nil)} {
		if _, ok := errors.AsType[*panics.Panic](err); !ok || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	tg.observe(t.Context(), &commit.Request{Kind: 77}, commit.Answer{}, time.Second)
	tg.log = slog.New(&panickingHandler{slog.DiscardHandler, 1})
	tg.report(commit.Incident{Kind: commit.Full})
	if n := tg.panics.Load(); n != 5 || strings.Count(log.String(), logging.PanicText) != 4 {
		t.Errorf("%d panics, log %s", n, log.String())
	}
	good := &careful{store: &fakeStore{write: func(int, []commit.Op) ([]commit.Written, error) {
		return []commit.Written{{Status: commit.Done}}, errors.New("its own")
	}}}
	if w, err := good.Write(t.Context(), nil); len(w) != 1 || err == nil || err.Error() != "its own" {
		t.Errorf("got %v, %v", w, err)
	}
}

// TestPanicsAreCountedOnce: those of a target at its first output, those of the process at the first of all; sums over
// instances are right, and stay so when the first has gone.
func TestPanicsAreCountedOnce(t *testing.T) {
	var pool Pool
	letters := map[string]string{"dead_letter_path": t.TempDir()}
	a, _ := start(t, &pool, letters)
	b, _ := start(t, &pool, letters)
	c, _ := start(t, &pool, map[string]string{"index_prefix": "other"})
	defer b.Close()
	defer c.Close()
	p := &panics.Panic{During: "x", Value: "v"}
	pool.Panicked(p)
	for range 10 {
		a.target.panicked(p)
	}
	for range 100 {
		c.target.panicked(p)
	}
	figure := func(m *member) int64 { return m.target.Figures(m.Member).Panics }
	if x, y, z := figure(a), figure(b), figure(c); x != 11 || y != 0 || z != 100 {
		t.Errorf("got %v, %v, %v", x, y, z)
	}
	a.Close()
	if y, z := figure(b), figure(c); y != 11 || z != 100 {
		t.Errorf("after the first is gone: %v, %v", y, z)
	}
}

// TestPausesBetweenTriesAreBounded: a cluster that was away for long is found within
// seconds. What stays until somebody changes the options is said by the start alone.
func TestPausesBetweenTriesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tg, log := bare()
		tg.cluster = &fakeCluster{install: fine, info: func(n int) error {
			switch {
			case n == 1:
				return esindex.ErrForeign
			case n < 9:
				return errors.New("not yet")
			}
			return nil
		}}
		begin := time.Now()
		tg.start()
		<-tg.tried
		synctest.Wait()
		if strings.Contains(log.String(), "trying again") {
			t.Errorf("the start fails, and the log says: %s", log.String())
		}
		<-tg.ready
		if took := time.Since(begin); took != (1+2+4+5*5)*time.Second {
			t.Errorf("ready after %v", took)
		}
		tg.stop()
	})
}
