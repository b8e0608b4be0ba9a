package main

import (
	"context"
	"fmt"

	"dossier/testbed/gen"
	"dossier/testbed/memory"
)

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
		st, err := without(ctx, rigOptions{prefix: "bench-memory", sensor: "bench", store: memory.Nothing{}}, s.all(), 1)
		if err != nil {
			return err
		}
		b.report.add(figure{
			What: "cached bytes of " + kind.name, Value: float64(st.CacheBytes) / float64(st.CacheEntries), Unit: "bytes", Goal: kind.goal,
			Note: fmt.Sprintf("%d documents", st.CacheEntries),
		})
	}
	return b.underWay(ctx)
}
