package instance

import (
	"context"
	"fmt"
	"math"
	"os"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"

	"dossier/panics"
	"dossier/plugin/options"
	"dossier/plugin/shared"
)

const (
	// workingMemory is what Go's memory may grow to beyond the caches and the
	// chunks under way.
	workingMemory = 150 << 20
	// chunkMemory is about what a chunk of log lines takes while it is under
	// way: its 2 MB become 7 MB of events, parts and evidence.
	chunkMemory = 8 << 20
	// collectAt is by how many percent the heap grows before it is collected,
	// as long as that is within the limit.
	collectAt = 300
)

// Targets holds what the instances of a process share, by cluster and index
// prefix. The zero value is ready.
type Targets struct {
	flushing atomic.Int64 // chunks under way
	most     atomic.Int64 // at a time so far, as the memory limit knows it
	panics   atomic.Int64 // of no target's

	pool shared.Pool[*target]

	// limit is held while the memory limit is set, and only asks the pool.
	limit sync.Mutex

	mu        sync.Mutex // a leaf: nothing is called while it is held
	instances []*Instance
}

// acquire returns the target of o, which release gives back. An error is one
// that an output must not start with.
func (ts *Targets) acquire(o options.Options, h Host) (*target, error) {
	t, err := ts.pool.Acquire(targetKey(o), func() (*target, error) { return newTarget(o, h) })
	if err != nil {
		return nil, err
	}
	ts.limitMemory()
	if option := t.o.Disagrees(&o); option == "" {
		err = t.firstTry()
	} else {
		err = fmt.Errorf("dossier: option %s: differs from that of another output with the same es_hosts and index_prefix, want the same value on both", option)
	}
	if err != nil {
		at, cancel := context.WithTimeout(context.Background(), closing)
		defer cancel()
		ts.release(at, t)
		return nil, err
	}
	return t, nil
}

// release gives t back; the last one ends it, by ctx at the latest.
func (ts *Targets) release(ctx context.Context, t *target) {
	defer ts.limitMemory()
	ts.pool.Release(targetKey(t.o), func(t *target) { t.close(ctx) })
}

// begin counts a chunk under way until end. Each worker of Fluent Bit holds one
// more, so with the first that many at a time memory may grow by what they
// take: else a backlog is collected as garbage over and over, in a third of the
// time it takes.
func (ts *Targets) begin() {
	n := ts.flushing.Add(1)
	for most := ts.most.Load(); n > most; most = ts.most.Load() {
		if ts.most.CompareAndSwap(most, n) {
			ts.limitMemory()
			return
		}
	}
}

func (ts *Targets) end() { ts.flushing.Add(-1) }

// limitMemory has the garbage collector work harder as memory gets near what
// the caches and their use need together, and less while it is far from it: a
// backlog of chunks is many short-lived bytes, and collecting at each doubling
// took a sixth of the time. GOMEMLIMIT and GOGC go before.
func (ts *Targets) limitMemory() {
	if os.Getenv("GOMEMLIMIT") != "" || os.Getenv("GOGC") != "" {
		return
	}
	ts.limit.Lock()
	defer ts.limit.Unlock()
	limit, collect := int64(math.MaxInt64), 100
	if targets := ts.pool.Values(); len(targets) > 0 {
		limit, collect = workingMemory+ts.most.Load()*chunkMemory, collectAt
		for _, t := range targets {
			limit += t.o.CacheSize
		}
	}
	debug.SetGCPercent(collect)
	debug.SetMemoryLimit(limit)
}

// join and leave tell of the instances of the process.
func (ts *Targets) join(i *Instance) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	ts.instances = append(ts.instances, i)
}

func (ts *Targets) leave(i *Instance) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	ts.instances = slices.DeleteFunc(ts.instances, func(other *Instance) bool { return other == i })
}

func (ts *Targets) isFirst(i *Instance) bool {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	return len(ts.instances) > 0 && ts.instances[0] == i
}

// Panicked counts a panic that is no instance's: of the log, the metrics
// endpoint. Who calls it logs it.
func (ts *Targets) Panicked(*panics.Panic) { ts.panics.Add(1) }

// panicsFor returns how many panics the instance reports beside its own: those
// of its target where it is the target's first, those of the process where it
// is the first of all.
func (ts *Targets) panicsFor(i *Instance) (n int64) {
	if i.target.isFirst(i) {
		n += i.target.panics.Load()
	}
	if ts.isFirst(i) {
		n += ts.panics.Load()
	}
	return n
}
