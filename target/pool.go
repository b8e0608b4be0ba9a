package target

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
	workingMemory = 80 << 20
	// wholeMemory is about what a chunk of log lines takes while it is under way
	// alone: its 2 MB become 7 MB of events, parts and evidence. Where there are
	// more none keeps all of that (package correlate): each further one takes
	// chunkMemory.
	wholeMemory, wholeChunks = 8 << 20, 1
	chunkMemory              = 2 << 20
	// collectAt is by how many percent the heap grows before it is collected,
	// as long as that is within the limit.
	collectAt = 300
)

// Pool holds the targets of a process, by cluster and index prefix. The zero value
// is ready.
type Pool struct {
	flushing atomic.Int64 // chunks under way
	most     atomic.Int64 // at a time so far, as the memory limit knows it
	panics   atomic.Int64 // of no target's

	targets shared.Pool[*Target]

	// limit is held while the memory limit is set, and only asks targets.
	limit sync.Mutex

	mu      sync.Mutex // a leaf: nothing is called while it is held
	members []*Member
}

// Open returns the target of o, which Close gives back. What is wrong with the
// options or with the files they name is an error, and so is an index that must
// never be written to; a cluster that can't be reached is not: it is logged, and
// tried again.
func (p *Pool) Open(o options.Options, h Host) (*Target, error) {
	t, err := p.targets.Acquire(key(o), func() (*Target, error) { return open(p, o, h) })
	if err != nil {
		return nil, err
	}
	p.limitMemory()
	if option := t.o.Disagrees(&o); option == "" {
		err = t.firstTry()
	} else {
		err = fmt.Errorf("dossier: option %s: differs from that of another output with the same es_hosts and index_prefix, want the same value on both", option)
	}
	if err != nil {
		at, cancel := context.WithTimeout(context.Background(), closing)
		defer cancel()
		t.Close(at)
		return nil, err
	}
	return t, nil
}

// Close gives the target back; the last one ends it, by ctx at the latest.
func (t *Target) Close(ctx context.Context) {
	defer t.pool.limitMemory()
	t.pool.targets.Release(key(t.o), func(t *Target) { t.close(ctx) })
}

// Begin counts a chunk under way until End. Each worker of Fluent Bit holds one
// more, so with the first that many at a time memory may grow by what they
// take: else a backlog is collected as garbage over and over, in a third of the
// time it takes.
func (p *Pool) Begin() {
	n := p.flushing.Add(1)
	for most := p.most.Load(); n > most; most = p.most.Load() {
		if p.most.CompareAndSwap(most, n) {
			p.limitMemory()
			return
		}
	}
}

// End counts a chunk that is not under way any more.
func (p *Pool) End() { p.flushing.Add(-1) }

// limitMemory has the garbage collector work harder as memory gets near what
// the caches and their use need together, and less while it is far from it: a
// backlog of chunks is many short-lived bytes, and collecting at each doubling
// took a sixth of the time. GOMEMLIMIT and GOGC go before.
func (p *Pool) limitMemory() {
	if os.Getenv("GOMEMLIMIT") != "" || os.Getenv("GOGC") != "" {
		return
	}
	p.limit.Lock()
	defer p.limit.Unlock()
	limit, collect := int64(math.MaxInt64), 100
	if targets := p.targets.Values(); len(targets) > 0 {
		most := p.most.Load()
		limit, collect = workingMemory+min(most, wholeChunks)*wholeMemory+max(0, most-wholeChunks)*chunkMemory, collectAt
		for _, t := range targets {
			limit += t.o.CacheSize
		}
	}
	debug.SetGCPercent(collect)
	debug.SetMemoryLimit(limit)
}

// join and leave tell of the outputs of the process.
func (p *Pool) join(m *Member) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.members = append(p.members, m)
}

func (p *Pool) leave(m *Member) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.members = slices.DeleteFunc(p.members, func(other *Member) bool { return other == m })
}

func (p *Pool) isFirst(m *Member) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.members) > 0 && p.members[0] == m
}

// Panicked counts a panic that is no output's: of the log, the metrics
// endpoint. Who calls it logs it.
func (p *Pool) Panicked(*panics.Panic) { p.panics.Add(1) }
