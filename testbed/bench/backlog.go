package main

import (
	"context"
	"fmt"
	"runtime/metrics"
	"sync"
	"time"

	"dossier/correlate"
	"dossier/correlate/commit"
	"dossier/testbed/memory"
)

// paced is a store that takes as long as a node does, and keeps nothing: so what a
// setting does to writes and memory shows on a machine that is busy too.
type paced struct{ memory.Nothing }

const (
	// perRequest and perOperation are about what a warm node takes on the machine of
	// docs/performance.md.
	perRequest   = 5 * time.Millisecond
	perOperation = 40 * time.Microsecond
)

// Write implements commit.Store.
func (p paced) Write(ctx context.Context, ops []commit.Op) ([]commit.Written, error) {
	if err := sleep(ctx, perRequest+time.Duration(len(ops))*perOperation); err != nil {
		return nil, err
	}
	return p.Nothing.Write(ctx, ops)
}

// backlog measures, without a node, how often attackers are written and what memory
// is used where a whole log waits, by the number of workers.
func (b *bench) backlog(ctx context.Context) error {
	for _, load := range b.chosenLoads() {
		s, err := newSource(load.o, b.lines)
		if err != nil {
			return err
		}
		list := s.all()
		for _, workers := range []int{2, 4, 8, 16, 32, 64} {
			before := liveBytes()
			peak, stop := watchMemory(before)
			own := ownTime()
			start := time.Now()
			st, err := without(ctx, rigOptions{prefix: "bench-backlog", sensor: "bench", activity: true, store: paced{}}, list, workers)
			if err != nil {
				return err
			}
			took, own := time.Since(start), ownTime()-own
			stop()
			b.report.add(figure{
				What: fmt.Sprintf("a backlog, %s, workers %d: attackers written", load.name, workers), Value: float64(st.WrittenByClass[correlate.ClassAttacker]), Unit: "documents",
				Note: fmt.Sprintf("of %d chunks; %s documents in all, %.1f s, %.1f s of the engine's processor a million records, %.0f MB of live memory at most",
					len(list), number(float64(st.DocumentsWritten)), took.Seconds(), own.Seconds()/float64(b.lines)*1e6, float64(*peak)/1e6),
			})
		}
	}
	return nil
}

// watchMemory looks at what the collector found alive, beyond before, until stop.
func watchMemory(before uint64) (peak *uint64, stop func()) {
	peak = new(uint64)
	done := make(chan struct{})
	var group sync.WaitGroup
	group.Go(func() {
		for {
			if live := liveBytes(); live > before {
				*peak = max(*peak, live-before)
			}
			select {
			case <-time.After(20 * time.Millisecond):
			case <-done:
				return
			}
		}
	})
	return peak, func() {
		close(done)
		group.Wait()
	}
}

// liveBytes is what the last collection left.
func liveBytes() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
