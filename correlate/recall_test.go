package correlate_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"dossier/correlate"
	"dossier/correlate/commit"
	"dossier/plugin/chunk/chunktest"
	"dossier/testbed/gen"
	"dossier/testbed/memory"
)

// sampleLines are the lines of every sensor in testbed/data, and made-up ones of
// every load.
func sampleLines(t *testing.T) []string {
	t.Helper()
	var lines []string
	for _, pattern := range []string{"decnet/raw_20k.log", "cowrie/*.json", "opencanary/*.log", "suricata/*.json", "ecs/*.json", "syslog/*.log", "dionaea/*.json", "heralding/*.json", "beelzebub/*.json"} {
		files, err := filepath.Glob(filepath.Join("..", "testbed", "data", pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			f, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			s := bufio.NewScanner(bytes.NewReader(f))
			s.Buffer(nil, 1<<20)
			for n := 0; s.Scan() && n < 2000; n++ {
				lines = append(lines, s.Text())
			}
		}
	}
	for _, o := range []gen.Options{
		{Attackers: 40}, {Sensor: gen.Cowrie, Attackers: 40}, {Attackers: 20, Mailing: 20, Domains: 30}, {Attackers: 4, Habit: gen.Intruder},
	} {
		s, err := gen.New(o)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, s.Lines(1500)...)
	}
	return lines
}

// patient has so many chunks keep their events, and none given back where the machine
// is busy.
func patient(kept int) func(*correlate.Options) {
	return func(o *correlate.Options) {
		correlate.KeepWhole(o, kept)
		o.CommitTimeout = 10 * time.Minute
	}
}

// deliverAll has an engine over a store in memory commit the lines, in chunks one
// after the other or all at a time, and returns its documents but for when they were
// written.
func deliverAll(t *testing.T, lines []string, kept int, together bool) map[string]any {
	t.Helper()
	store := memory.New()
	b := newBenchOn(t, store, patient(kept))
	var group sync.WaitGroup
	for part := range slices.Chunk(lines, 400) {
		data, unmap := lent(t, chunktest.Lines(recordTime, "log", part...))
		group.Go(func() {
			defer unmap()
			if got, err := b.engine.Flush(t.Context(), "tag", data); got != correlate.OK {
				t.Errorf("flush: %v, %v", got, err)
			}
		})
		if !together {
			group.Wait()
		}
	}
	group.Wait()
	documents := map[string]any{}
	for index := range store.Indices() {
		if strings.HasPrefix(index, "d-chunks") {
			continue
		}
		for id, raw := range store.Documents(index) {
			var doc map[string]any
			if err := json.Unmarshal(raw, &doc); err != nil {
				t.Fatal(err)
			}
			delete(doc, "updated_at")
			delete(doc, "state")
			if of, ok := doc["event"].(map[string]any); ok {
				delete(of, "ingested")
			}
			documents[index+" "+id] = doc
		}
	}
	return documents
}

// lent returns a copy of data in memory like Fluent Bit's, which isn't there any more
// when a chunk is done: whoever looks at it then is killed.
func lent(t *testing.T, data []byte) (copied []byte, unmap func()) {
	t.Helper()
	m, err := syscall.Mmap(-1, 0, len(data), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	copy(m, data)
	return m, func() {
		if err := syscall.Munmap(m); err != nil {
			t.Error(err)
		}
	}
}

// TestRecall: what is read again from a chunk is what was read from it. The
// documents of every sensor's lines are the same whether a chunk under way keeps its
// events or their places alone.
func TestRecall(t *testing.T) {
	lines := sampleLines(t)
	for _, together := range []bool{false, true} {
		want := deliverAll(t, lines, 1<<20, together)
		got := deliverAll(t, lines, -1, together)
		if together {
			// These tell how far the attacker was known when they were written.
			for _, m := range []map[string]any{want, got} {
				maps.DeleteFunc(m, func(key string, doc any) bool {
					if strings.HasPrefix(key, "d-smtp-targets") {
						delete(doc.(map[string]any), "risk")
						delete(doc.(map[string]any), "behavior")
					}
					return strings.HasPrefix(key, "d-activity") || strings.HasPrefix(key, "d-transitions")
				})
			}
		}
		if len(want) < 150 || len(got) != len(want) {
			t.Errorf("together %v: %d documents; want %d, and at least 150", together, len(got), len(want))
		}
		for _, key := range slices.Sorted(maps.Keys(want)) {
			if !reflect.DeepEqual(got[key], want[key]) {
				t.Errorf("together %v: %s:\n%v\nwant\n%v", together, key, got[key], want[key])
			}
		}
	}
}

// holding is a store that never takes a document of an index, and keeps the letters
// as they are written to disk.
type holding struct {
	*memory.Store
	refused string
	letters []string
}

func (h *holding) Bury(_ context.Context, letters []commit.Letter) error {
	for _, l := range letters {
		raw, err := correlate.EncodeDelta(l.Part.Delta)
		if err != nil {
			return err
		}
		h.letters = append(h.letters, l.Part.Key.ID+" "+string(raw))
	}
	return nil
}

func (h *holding) Write(ctx context.Context, ops []commit.Op) ([]commit.Written, error) {
	out := make([]commit.Written, 0, len(ops))
	for i := range ops {
		if ops[i].Key.Index == h.refused {
			out = append(out, commit.Written{Status: commit.Rejected, Reason: "mapper_parsing_exception"})
			continue
		}
		w, err := h.Store.Write(ctx, ops[i:i+1])
		if err != nil {
			return nil, err
		}
		out = append(out, w...)
	}
	return out, nil
}

// TestLettersOfRecalledChunks: a dead letter of a chunk whose events were let go has
// them all the same.
func TestLettersOfRecalledChunks(t *testing.T) {
	var lines []string
	for _, habit := range []gen.Habit{gen.Spammer, gen.Intruder} {
		s, err := gen.New(gen.Options{Attackers: 5, Habit: habit})
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, s.Lines(300)...)
	}
	ix := correlate.Indices{Prefix: "d"}
	letters := func(kept int) []string {
		var list []string
		for _, index := range []string{ix.Attackers(), ix.Targets(), "d-activity-2026.01", ix.Indicators()} {
			store := &holding{Store: memory.New(), refused: index}
			b := newBenchOn(t, store, func(o *correlate.Options) { correlate.KeepWhole(o, kept) })
			b.flush(t, correlate.OK, chunktest.Lines(recordTime, "log", lines...))
			if len(store.letters) == 0 {
				t.Fatalf("no letters of %s", index)
			}
			slices.Sort(store.letters)
			list = append(list, store.letters...)
		}
		return list
	}
	want, got := letters(1), letters(-1)
	if len(want) == 0 || !slices.Equal(got, want) {
		t.Errorf("%d letters %.300v\nwant %d %.300v", len(got), got, len(want), want)
	}
}

// closed is a store that answers no read before it is opened.
type closed struct {
	memory.Nothing
	opened chan struct{}
}

func (c *closed) Read(ctx context.Context, keys []commit.Key) ([]commit.Stored, error) {
	select {
	case <-c.opened:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return c.Nothing.Read(ctx, keys)
}

// TestRecallLeavesNoMemory: what one attacker's events of all chunks under way took is
// given back with the next attacker, and with the last chunk.
func TestRecallLeavesNoMemory(t *testing.T) {
	const chunks, most = 8, 4 << 20
	store := &closed{opened: make(chan struct{})}
	b := newBenchOn(t, store, patient(-1))
	lines := func(attackers, n int) []byte {
		s, err := gen.New(gen.Options{Attackers: attackers})
		if err != nil {
			t.Fatal(err)
		}
		return chunktest.Lines(recordTime, "log", s.Lines(n)...)
	}
	flush := func(tag string, data []byte) {
		if got, err := b.engine.Flush(t.Context(), tag, data); got != correlate.OK {
			t.Errorf("flush %s: %v, %v", tag, got, err)
		}
	}
	live := func() int64 {
		for range 3 { // what pools hold goes with the second
			runtime.GC()
		}
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	flood, others := lines(1, 3000), lines(300, 300)
	before := live()
	var group sync.WaitGroup
	for n := range chunks {
		group.Go(func() { flush(fmt.Sprint(n), flood) })
	}
	for b.committer.Stats().Chunks < chunks {
		time.Sleep(time.Millisecond)
	}
	close(store.opened)
	group.Wait()
	if kept := live() - before; kept > most {
		t.Errorf("%d bytes are kept when all chunks are done, want at most %d", kept, most)
	}
	flush("others", others)
	if kept := live() - before; kept > most {
		t.Errorf("%d bytes are kept after others' chunk, want at most %d", kept, most)
	}
}
