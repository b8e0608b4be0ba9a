package main

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"time"

	"dossier/correlate"
	"dossier/correlate/commit"
	"dossier/testbed/memory"
)

// shut is a store that doesn't answer before it is opened.
type shut struct {
	memory.Nothing
	opened chan struct{}
}

// Read implements commit.Store.
func (s *shut) Read(ctx context.Context, keys []commit.Key) ([]commit.Stored, error) {
	select {
	case <-s.opened:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return s.Nothing.Read(ctx, keys)
}

// underWay measures what each of 16 chunks takes that wait to be written, beside its
// bytes, which are Fluent Bit's.
func (b *bench) underWay(ctx context.Context) error {
	const waiting = 16
	for _, load := range b.chosenLoads() {
		s, err := newSource(load.o, -1)
		if err != nil {
			return err
		}
		var list []chunk
		for range waiting {
			list = append(list, s.next())
		}
		store := &shut{opened: make(chan struct{})}
		r, err := newRig(rigOptions{prefix: "bench-under-way", sensor: "bench", activity: true, store: store}, "")
		if err != nil {
			return err
		}
		before := reachable()
		var group sync.WaitGroup
		results := make(chan error, waiting)
		for _, c := range list {
			group.Go(func() {
				result, err := r.engine.Flush(ctx, "bench", c.data)
				if err == nil && result != correlate.OK {
					err = fmt.Errorf("result %d", result)
				}
				results <- err
			})
		}
		for r.committer.Stats().Chunks < waiting {
			if err := sleep(ctx, 10*time.Millisecond); err != nil {
				return err
			}
		}
		each := float64(reachable()-before) / waiting
		b.report.add(figure{
			What: "memory of a chunk under way, " + load.name, Value: each, Unit: "bytes",
			Note: fmt.Sprintf("the mean of %d of %d bytes, which come on top", waiting, len(list[0].data)),
		})
		close(store.opened)
		group.Wait()
		close(results)
		for err := range results {
			if err != nil {
				return err
			}
		}
		if err := r.end(ctx); err != nil {
			return err
		}
		runtime.KeepAlive(list)
	}
	return nil
}

// reachable returns the bytes that are in use: what pools hold goes with the second
// collection.
func reachable() uint64 {
	for range 3 {
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
