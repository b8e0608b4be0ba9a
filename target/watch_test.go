package target

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"dossier/correlate"
	"dossier/plugin/options/optionstest"
	"dossier/testbed/esnode"
)

// logbook keeps what is logged.
type logbook struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logbook) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *logbook) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.buf.String(), text)
}

func (l *logbook) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

// TestIdle: an output without a record is told of once, ten minutes after its
// own start, and no other.
func TestIdle(t *testing.T) {
	var book logbook
	tg := &Target{log: book.logger()}
	one := func(n int64, name string) *Member {
		return &Member{Stats: func() correlate.Stats { return correlate.Stats{Records: n} }, Logger: book.logger().With("output", name)}
	}
	idle, busy, late := one(0, "idle"), one(1, "busy"), one(0, "late")
	tg.members = []*Member{idle, busy}
	w := newWatch(tg)
	start := time.Unix(1e9, 0)
	for minute := range 30 {
		if minute == 12 {
			tg.members = append(tg.members, late)
		}
		w.idle(start.Add(time.Duration(minute) * time.Minute))
		for name, from := range map[string]int{"idle": 10, "busy": 99, "late": 22} {
			want := 0
			if minute >= from {
				want = 1
			}
			if got := book.count("output=" + name); got != want {
				t.Fatalf("after %d minutes %s was told of %d times, want %d", minute, name, got, want)
			}
		}
	}
	tg.members = nil
	if w.idle(start.Add(time.Hour)); len(w.since)+len(w.told) != 0 {
		t.Error("what is gone is kept")
	}
}

// TestTwin: two processes with one sensor_id notice each other, say it once,
// and their heartbeats say it as long as it is so. One that ended before the
// other began is no twin.
func TestTwin(t *testing.T) {
	node := esnode.Shared(t)
	prefix := "t-twin-" + time.Now().Format("150405.000000")
	type process struct {
		*watch
		started time.Time
		book    logbook
	}
	begin := func(started time.Time, sensor string) *process {
		p := &process{started: started}
		tg, err := new(Pool).Open(optionstest.Parse(t, map[string]string{"es_hosts": node.URL, "index_prefix": prefix, "sensor_id": sensor, "dead_letter_path": t.TempDir()}),
			Host{Version: "test", Logger: p.book.logger()})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(join(tg, sensor, p.book.logger()).Close)
		// Its own heartbeats would be in the way of those that are made here.
		tg.stop()
		p.watch = newWatch(tg)
		return p
	}
	const said = "another process writes heartbeats with this sensor_id"
	beat := func(p *process, at time.Time) (lastError string) {
		t.Helper()
		p.twins(t.Context())
		ops := p.t.heartbeats(p.started, at)
		if !p.t.writeHeartbeats(t.Context(), ops) {
			t.Fatal("the heartbeat could not be written")
		}
		p.written(ops)
		doc := node.Must(t, "GET", prefix+"-sensors/_doc/"+ops[0].Key.ID, nil)["_source"].(map[string]any)
		lastError, _ = doc["last_error"].(string)
		return lastError
	}
	now := time.Now()
	before := begin(now.Add(-time.Hour), "s1")
	beat(before, now)
	beat(before, now)
	first, other := begin(now, "s1"), begin(now.Add(time.Millisecond), "s2")
	for n := range 3 {
		for _, p := range []*process{first, other} {
			if text := beat(p, now.Add(time.Duration(n)*Beat)); text != "" {
				t.Errorf("alone: %q", text)
			}
		}
	}
	second := begin(now.Add(time.Minute), "s1")
	for n := range 4 {
		at := now.Add(time.Duration(10+n) * Beat)
		one, two := beat(first, at), beat(second, at)
		if n > 0 && (!strings.Contains(one, said) || !strings.Contains(two, said)) {
			t.Errorf("two with one name: %q, %q", one, two)
		}
		if text := beat(other, at); text != "" {
			t.Errorf("another name: %q", text)
		}
	}
	for p, want := range map[*process]int{before: 0, first: 1, second: 1, other: 0} {
		if got := p.book.count(said); got != want {
			t.Errorf("it was said %d times, want %d", got, want)
		}
	}
	// An error of just now goes before.
	second.t.Erred("the disk is full")
	second.t.mu.Lock()
	second.t.erredAt = now.Add(20 * Beat)
	second.t.mu.Unlock()
	beat(first, now.Add(20*Beat))
	if text := beat(second, now.Add(20*Beat)); text != "the disk is full" {
		t.Errorf("got %q", text)
	}
	// Alone again.
	var text string
	for n := range 2 {
		text = beat(first, now.Add(time.Duration(30+n)*Beat))
	}
	if text != "" {
		t.Errorf("alone again: %q", text)
	}
}
