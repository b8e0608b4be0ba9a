package main

import (
	"context"
	"fmt"
	"sync/atomic"

	"dossier/correlate/commit"
	"dossier/testbed/gen"
)

// counting is a store that keeps nothing: every document is new, every write
// is taken.
type counting struct{}

var sequence atomic.Int64

// Read implements commit.Store.
func (counting) Read(_ context.Context, keys []commit.Key) ([]commit.Stored, error) {
	return make([]commit.Stored, len(keys)), nil
}

// Write implements commit.Store.
func (counting) Write(_ context.Context, ops []commit.Op) ([]commit.Written, error) {
	out := make([]commit.Written, len(ops))
	for i := range out {
		out[i] = commit.Written{Status: commit.Done, Version: commit.Version{SeqNo: sequence.Add(1), PrimaryTerm: 1}}
	}
	return out, nil
}

// Bury implements commit.DeadLetters.
func (counting) Bury(context.Context, []commit.Letter) error {
	return fmt.Errorf("a dead letter in a benchmark")
}

// memory measures what the cache takes for each attacker.
func (b *bench) memory(ctx context.Context) error {
	for _, kind := range []struct {
		name, goal string
		o          gen.Options
		lines      int
	}{
		{"a scanner (20 lines each)", "≤ 1,536", gen.Options{Attackers: 2000, Habit: gen.Scanner}, 40_000},
		{"an ordinary attacker (100 lines each)", "", gen.Options{Attackers: 1000}, 100_000},
		{"a busy intruder (1,000 lines each)", "≤ 16,384", gen.Options{Attackers: 50, Habit: gen.Intruder}, 50_000},
		{"the busiest intruder (10,000 lines each)", "", gen.Options{Attackers: 10, Habit: gen.Intruder}, 100_000},
	} {
		s, err := newSource(kind.o, kind.lines)
		if err != nil {
			return err
		}
		st, err := without(ctx, rigOptions{prefix: "bench-memory", sensor: "bench", store: counting{}}, s.all(), 1)
		if err != nil {
			return err
		}
		b.report.add(figure{What: "cached bytes of " + kind.name, Value: float64(st.CacheBytes) / float64(st.CacheEntries), Unit: "bytes", Goal: kind.goal,
			Note: fmt.Sprintf("%d documents", st.CacheEntries)})
	}
	return nil
}
