package correlate_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"dossier/correlate"
	"dossier/correlate/commit"
	"dossier/correlate/dialect"
	"dossier/correlate/event"
	"dossier/plugin/chunk"
	"dossier/plugin/chunk/chunktest"
	"dossier/testbed/memory"
)

// absent is a store that can be away.
type absent struct {
	*memory.Store
	away atomic.Bool
	asks atomic.Int64
}

var errAbsent = errors.New("connection refused")

func (a *absent) Read(ctx context.Context, keys []commit.Key) ([]commit.Stored, error) {
	if a.asks.Add(1); a.away.Load() {
		return nil, errAbsent
	}
	return a.Store.Read(ctx, keys)
}

func (a *absent) Write(ctx context.Context, ops []commit.Op) ([]commit.Written, error) {
	if a.asks.Add(1); a.away.Load() {
		return nil, errAbsent
	}
	return a.Store.Write(ctx, ops)
}

// outageBench is an engine over a store that can be away; decoded counts the
// chunks that were read.
func outageBench(t testing.TB) (s *absent, e *correlate.Engine, c *commit.Committer, decoded *atomic.Int64) {
	s, decoded = &absent{Store: memory.New()}, new(atomic.Int64)
	renderer, err := newRenderer()
	if err != nil {
		t.Fatal(err)
	}
	ix := correlate.Indices{Prefix: "d"}
	c, err = commit.New(commit.Options{
		MachineOptions: commit.MachineOptions{Ledger: ix.Ledger}, Store: s, DeadLetters: s.Store,
		Model: correlate.NewModel(correlate.ModelOptions{Renderer: renderer, Indices: ix, Activity: true, Transitions: true}),
	})
	if err != nil {
		t.Fatal(err)
	}
	parser, err := dialect.New(dialect.Options{})
	if err != nil {
		t.Fatal(err)
	}
	e, err = correlate.New(correlate.Options{
		Committer: c, Indices: ix, Parser: parser, Annotator: renderer, Sensor: "sensor-1", Activity: true,
		Decode: func(a *event.Arena, data []byte) correlate.Records {
			decoded.Add(1)
			return chunk.NewDecoder(data, a)
		},
		BuryBroken: func(context.Context, correlate.Broken) error { return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	return s, e, c, decoded
}

// While Elasticsearch is away chunks that come again and again are not read, but
// for one at a time to try with; they are given back in their time. When it is
// back those that wait go on at once.
func TestChunksAreNotReadWhileAway(t *testing.T) {
	const chunks, minutes = 25, 30
	synctest.Test(t, func(t *testing.T) {
		s, e, c, decoded := outageBench(t)
		s.away.Store(true)
		var flushes atomic.Int64
		var group sync.WaitGroup
		var back time.Time
		for n := range chunks {
			data := chunktest.Lines(recordTime, "log", connect(fmt.Sprintf("203.0.113.%d", n), recordTime), connect("198.51.100.1", recordTime))
			group.Go(func() {
				for {
					start := time.Now()
					r, _ := e.Flush(t.Context(), "tag", data)
					if flushes.Add(1); r == correlate.OK {
						return
					}
					if took := time.Since(start); took > 8100*time.Millisecond {
						t.Errorf("given back after %v", took)
					}
					time.Sleep(5 * time.Second)
				}
			})
		}
		time.Sleep(minutes * time.Minute)
		synctest.Wait()
		seconds := int64(minutes * 60)
		t.Logf("%d flushes, %d chunks read, %d requests", flushes.Load(), decoded.Load(), s.asks.Load())
		if most := chunks + seconds/4 + 10; decoded.Load() > most {
			t.Errorf("%d chunks read in %d minutes, at most %d", decoded.Load(), minutes, most)
		}
		if s.asks.Load() > seconds+100 {
			t.Errorf("%d requests in %d minutes", s.asks.Load(), minutes)
		}
		back = time.Now()
		s.away.Store(false)
		group.Wait()
		if took := time.Since(back); took > 12*time.Second {
			t.Errorf("all done %v after it is back", took)
		}
		if err := c.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// BenchmarkChunksWhileAway is what an outage costs a sensor with 25 chunks of
// 2 MB, each given back and delivered again: one operation is a second of it.
func BenchmarkChunksWhileAway(b *testing.B) {
	s, e, c, decoded := outageBench(b)
	s.away.Store(true)
	lines := make([]string, 16_000)
	for i := range lines {
		lines[i] = connect(fmt.Sprintf("203.%d.%d.%d", i%100, i/250, i%250), recordTime)
	}
	ctx, cancel := context.WithCancel(b.Context())
	var group sync.WaitGroup
	for n := range 25 {
		data := chunktest.Lines(recordTime.Add(time.Duration(n)*time.Second), "log", lines...)
		group.Go(func() {
			for ctx.Err() == nil {
				_, _ = e.Flush(ctx, "tag", data)
				select {
				case <-time.After(2 * time.Second):
				case <-ctx.Done():
				}
			}
		})
	}
	time.Sleep(12 * time.Second) // all were read once
	b.ResetTimer()
	read, before := decoded.Load(), used(b)
	for b.Loop() {
		time.Sleep(time.Second)
	}
	b.ReportMetric(100*(used(b)-before).Seconds()/b.Elapsed().Seconds(), "%core")
	b.ReportMetric(float64(decoded.Load()-read)/b.Elapsed().Seconds(), "chunks-read/s")
	cancel()
	group.Wait()
	at, done := context.WithTimeout(context.Background(), time.Millisecond)
	defer done()
	_ = c.Close(at)
}

func used(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
