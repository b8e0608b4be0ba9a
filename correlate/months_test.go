package correlate_test

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"dossier/correlate"
	"dossier/correlate/commit"
	"dossier/plugin/chunk/chunktest"
	"dossier/profile"
	"dossier/testbed/memory"
)

// noting is a store that notes what documents were asked to be written.
type noting struct {
	*memory.Store
	mu      sync.Mutex
	written map[commit.Key]bool
}

func newNoting() *noting { return &noting{Store: memory.New(), written: map[commit.Key]bool{}} }

func (s *noting) Write(ctx context.Context, ops []commit.Op) ([]commit.Written, error) {
	s.mu.Lock()
	for _, o := range ops {
		s.written[o.Key] = true
	}
	s.mu.Unlock()
	return s.Store.Write(ctx, ops)
}

// months returns the months of each monthly kind of which there is an index,
// "other" among them.
func (s *noting) months(t *testing.T) map[profile.Kind][]string {
	t.Helper()
	all := map[profile.Kind][]string{}
	seen := map[string]bool{}
	s.mu.Lock()
	defer s.mu.Unlock()
	for k := range s.written {
		if seen[k.Index] {
			continue
		}
		seen[k.Index] = true
		found := false
		for _, kind := range profile.Kinds() {
			month, ok := strings.CutPrefix(k.Index, "d-"+kind.String()+"-")
			if ok && kind.Monthly() {
				all[kind] = append(all[kind], month)
				found = true
			} else if k.Index == "d-"+kind.String() {
				found = true
			}
		}
		if !found {
			t.Errorf("an index of no kind: %s", k.Index)
		}
	}
	return all
}

// settle ends the committer, so that the marker that travels with the next
// write is written too.
func (b *bench) settle(t *testing.T) {
	t.Helper()
	if err := b.committer.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// eachMonth calls do with the noon of a day of each month of 90 years, on all of
// which sensors' clocks may stand.
func eachMonth(do func(n int, at time.Time)) {
	for n := range 90 * 12 {
		do(n, time.Date(2012, time.Month(1+n), 2, 12, 0, 0, 0, time.UTC))
	}
}

func hostileAddress(n int) string {
	return netip.AddrFrom4([4]byte{203, 0, byte(n >> 8), byte(n)}).String()
}

// Whatever the clocks say, one chunk opens at most 16 months of each kind and
// the index for others; a kind that is added is among them.
func TestOneChunkOpensFewMonths(t *testing.T) {
	for name, make := range map[string]func() []byte{
		"the events' clocks": func() []byte {
			var lines []string
			eachMonth(func(n int, at time.Time) { lines = append(lines, connect(hostileAddress(n), at)) })
			return chunktest.Lines(recordTime, "log", lines...)
		},
		"the records' clocks": func() (data []byte) {
			eachMonth(func(n int, at time.Time) {
				data = append(data, chunktest.Lines(at, "log", connect(hostileAddress(n), at))...)
			})
			return data
		},
		"one attacker, the records' clocks": func() (data []byte) {
			eachMonth(func(n int, at time.Time) {
				data = append(data, chunktest.Lines(at, "log", connect("203.0.113.1", at))...)
			})
			return data
		},
		"no clock but the events'": func() []byte {
			var lines []string
			eachMonth(func(n int, at time.Time) { lines = append(lines, connect(hostileAddress(n), at)) })
			return chunktest.Lines(time.Unix(0, 0), "log", lines...)
		},
	} {
		t.Run(name, func(t *testing.T) {
			store := newNoting()
			b := newBenchOn(t, store, nil)
			b.flush(t, correlate.OK, make())
			b.settle(t)
			opened := store.months(t)
			for _, kind := range profile.Kinds() {
				if n := len(opened[kind]); kind.Monthly() && (n == 0 || n > 17) {
					t.Errorf("%d indices of %s: %v", n, kind, opened[kind])
				}
			}
		})
	}
}

// transitions returns the months of the transitions written, by line.
func (s *noting) transitions(t *testing.T) map[string]string {
	t.Helper()
	got := map[string]string{}
	s.mu.Lock()
	defer s.mu.Unlock()
	for k := range s.written {
		if month, ok := strings.CutPrefix(k.Index, "d-transitions-"); ok {
			line := strings.TrimPrefix(k.ID, "203.0.113.1|")
			if got[line] != "" {
				t.Errorf("%s is told twice: in %s and %s", line, got[line], month)
			}
			got[line] = month
		}
	}
	return got
}

func touch(decky string, at time.Time) string {
	return fmt.Sprintf(`<134>1 %s %s ssh - connect [relay@55555 src_ip="203.0.113.1"]`, at.Format("2006-01-02T15:04:05.000000+00:00"), decky)
}

// A line may be crossed by a time that came with an earlier chunk: here the
// traversal at the later of two contacts, of which the chunk of the earlier one
// came last. It goes to the index that this chunk chooses: the month where it is
// near, the one for others where it is far. A redelivery to another process
// chooses the same.
func TestTransitionsGoWhereTheirChunkSays(t *testing.T) {
	for months, want := range map[int]map[string]string{
		0:  {"observed|": "2026.01", "traversal|": "2026.01"},
		5:  {"observed|": "2026.01", "traversal|": "other"}, // the chunk's own clock is five months behind
		24: {"observed|": "2026.01", "traversal|": "other"},
	} {
		store := newNoting()
		b := newBenchOn(t, store, nil)
		b.flush(t, correlate.OK, chunktest.Lines(recordTime, "log", touch("decky-01", recordTime)))
		before := recordTime.AddDate(0, -months, 0).Add(-time.Hour)
		second := chunktest.Lines(before, "log", touch("decky-02", before))
		b.flush(t, correlate.OK, second)
		b.flush(t, correlate.OK, second)
		newBenchOn(t, store, nil).flush(t, correlate.OK, second)
		got := store.transitions(t)
		for line, month := range want {
			if got[line] != month {
				t.Errorf("%d months: %s is in %q, want %q", months, line, got[line], month)
			}
		}
	}
}

// Who writes a transition again takes its index from the state, not from the
// chunks it folds now, also where the state and the letter come from a version
// that knew nothing of strays.
func TestTransitionsKeepTheirIndex(t *testing.T) {
	renderer, err := newRenderer()
	if err != nil {
		t.Fatal(err)
	}
	m := correlate.NewModel(correlate.ModelOptions{Renderer: renderer, Indices: correlate.Indices{Prefix: "d"}, Transitions: true})
	delta := func(first string, at time.Time, decky string) any {
		raw := fmt.Sprintf(`{"sensor":"s","source":"203.0.113.1/32",%s"events":[{"time":%d,"address":"203.0.113.1","decky":%q,"type":"connect","kind":1,"proof":"connection"}]}`, first, at.UnixMicro(), decky)
		d, err := correlate.DecodeDelta(correlate.ClassAttacker, []byte(raw))
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	first := func(at time.Time) string { return fmt.Sprintf(`"first":%d,`, at.UnixMicro()) }
	fold := func(payload []byte, in ...commit.Contribution) (state []byte, indices map[string]string) {
		t.Helper()
		f, err := m.Fold(commit.Key{Index: "d-attackers", ID: "203.0.113.1"}, correlate.ClassAttacker, payload, in)
		if err != nil {
			t.Fatal(err)
		}
		indices = map[string]string{}
		for _, e := range f.Effects() {
			indices[strings.TrimPrefix(e.Key.ID, "203.0.113.1|")] = strings.TrimPrefix(e.Key.Index, "d-transitions-")
		}
		return f.AppendState(nil), indices
	}
	a, b, c := commit.ChunkID{1}, commit.ChunkID{2}, commit.ChunkID{3}
	long := recordTime.AddDate(-2, 0, 0)
	now := delta(first(recordTime), recordTime, "decky-01")
	then := delta(first(long), long, "decky-02")
	state, got := fold(nil, commit.Contribution{Chunk: a, Delta: now})
	if len(got) == 0 || got["observed|"] != "2026.01" {
		t.Fatalf("crossed: %v", got)
	}
	state, got = fold(state, commit.Contribution{Chunk: b, Delta: then})
	if got["traversal|"] != "other" || got["observed|"] != "" {
		t.Errorf("crossed: %v, want the traversal in other alone of both", got)
	}
	for name, in := range map[string][]commit.Contribution{
		"alone":                 {{Chunk: b, Delta: then, Applied: true}},
		"before another chunk":  {{Chunk: b, Delta: then, Applied: true}, {Chunk: c, Delta: now}},
		"behind another chunk":  {{Chunk: c, Delta: now}, {Chunk: b, Delta: then, Applied: true}},
		"with the chunk before": {{Chunk: a, Delta: now, Applied: true}, {Chunk: b, Delta: then, Applied: true}},
	} {
		_, got := fold(state, in...)
		if got["traversal|"] != "other" {
			t.Errorf("again, %s: %v", name, got)
		}
		if want := strings.Contains(name, "before") && strings.HasPrefix(name, "with"); (got["observed|"] == "2026.01") != want {
			t.Errorf("again, %s: %v", name, got)
		}
	}
	// A chunk that is in the state already crosses nothing, whatever is
	// concluded from the state now.
	without := correlate.NewModel(correlate.ModelOptions{Renderer: renderer, Indices: correlate.Indices{Prefix: "d"}})
	f, err := without.Fold(commit.Key{Index: "d-attackers", ID: "203.0.113.1"}, correlate.ClassAttacker, nil, []commit.Contribution{{Chunk: a, Delta: now}})
	if err != nil {
		t.Fatal(err)
	}
	bare := f.AppendState(nil)
	if again, got := fold(bare, commit.Contribution{Chunk: a, Delta: now, Applied: true}); len(got) != 0 || string(again) != string(bare) {
		t.Errorf("an applied chunk crossed %v", got)
	}
	// A letter of the first version is judged by its events.
	if _, got := fold(nil, commit.Contribution{Chunk: a, Delta: delta("", long, "decky-01")}); got["observed|"] != "2024.01" {
		t.Errorf("of an old letter: %v", got)
	}
	stray, err := correlate.DecodeDelta(correlate.ClassAttacker, fmt.Appendf(nil, `{"source":"203.0.113.1/32","events":[{"time":%d,"address":"203.0.113.1","type":"x","kind":1,"handshake":true},{"time":%d,"address":"203.0.113.1","type":"x","kind":1,"handshake":true,"stray":true}]}`,
		long.UnixMicro(), recordTime.UnixMicro()))
	if err != nil {
		t.Fatal(err)
	}
	if _, got := fold(nil, commit.Contribution{Chunk: a, Delta: stray}); got["observed|"] != "2024.01" {
		t.Errorf("of an old letter with a stray event: %v", got)
	}
	// A chunk without a clock opens no month.
	if _, got := fold(nil, commit.Contribution{Chunk: a, Delta: delta(`"first":0,`, recordTime, "decky-01")}); got["observed|"] != "other" {
		t.Errorf("without a clock: %v", got)
	}
}

// The first record of a chunk that has a time says which month the chunk is of,
// whatever follows it.
func TestTheFirstRecordSaysTheMonth(t *testing.T) {
	store := newNoting()
	b := newBenchOn(t, store, nil)
	never := chunktest.Lines(time.Unix(0, 0), "log", "nobody reads this")
	later, sooner := recordTime.AddDate(0, 1, 0), recordTime.AddDate(0, -1, 0)
	b.flush(t, correlate.OK, slices.Concat(never, chunktest.Lines(recordTime, "log", touch("decky-01", recordTime)),
		chunktest.Lines(sooner, "log", touch("decky-01", sooner)), chunktest.Lines(later, "log", touch("decky-01", later))))
	b.settle(t)
	if got := store.months(t)[profile.Chunks]; len(got) != 1 || got[0] != "2026.01" {
		t.Errorf("the marker is in %v", got)
	}
}
