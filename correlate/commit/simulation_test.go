package commit

import (
	"container/heap"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"dossier/testbed/race"
)

var (
	seedFlag  = flag.Uint64("seed", 0, "replay this seed of the simulation")
	fromFlag  = flag.Uint64("from", 1, "first seed of the simulation")
	seedsFlag = flag.Int("seeds", 0, "number of seeds of the simulation (default 4000)")
	stepsFlag = flag.Bool("steps", false, "with -seed: print every step")
)

// TestSimulation runs sensors against the model of Elasticsearch under random
// schedules of faults, one for each seed, until all is quiet. Then every
// document must hold each of its chunks once, but for those in the dead
// letters; and once these are replayed, really each.
//
// A failing seed is printed; go test ./correlate/commit -run TestSimulation
// -seed N [-steps] runs it again, step by step the same.
func TestSimulation(t *testing.T) {
	if *seedFlag != 0 {
		w := newWorld(*seedFlag)
		if *stepsFlag {
			w.trace = t.Logf
		}
		if err := w.run(); err != nil {
			t.Fatalf("seed %d: %v\nfaults: %+v", *seedFlag, err, w.f)
		}
		t.Logf("seed %d: %+v", *seedFlag, w.figures)
		return
	}
	race.OneGoroutine(t)
	seeds := *seedsFlag
	switch {
	case seeds > 0:
	case testing.Short():
		seeds = 1000
	default:
		seeds = 4000
	}
	var next atomic.Int64
	var failed atomic.Int64
	var mu sync.Mutex
	var total figures
	var group sync.WaitGroup
	start := time.Now()
	for range runtime.GOMAXPROCS(0) {
		group.Go(func() {
			for i := int(next.Add(1)) - 1; i < seeds && failed.Load() < 5; i = int(next.Add(1)) - 1 {
				seed := *fromFlag + uint64(i)
				w := newWorld(seed)
				if err := w.run(); err != nil {
					failed.Add(1)
					t.Errorf("seed %d: %v\nfaults: %+v\nagain: go test ./correlate/commit -run TestSimulation -seed %d -steps", seed, err, w.f, seed)
				}
				mu.Lock()
				total.add(w.figures)
				mu.Unlock()
			}
		})
	}
	group.Wait()
	t.Logf("%d seeds in %.1f s: %s", seeds, time.Since(start).Seconds(), total)
	if failed.Load() == 0 {
		total.complete(t)
	}
}

// figures counts what happened in simulations, so that a fault that no longer
// happens shows.
type figures struct {
	Chunks, Pairs, Deliveries, Crashes, AckLost, Late, Twice  int64
	Lost, Zombies, Unknown, TakenBack, Rejected, Letters      int64
	Replays, Early, Forgot                                    int64
	Conflicts, Confirmed, Skipped, Refused, Evicted, Effects  int64
	Outages, Clones, MarkedFirst, SlowFolds, FoldedLate       int64
	Panics, Garbled, Unreadable, Aways, Blocks, Closed, Waits int64
	Followed, Unled                                           int64
}

func (f *figures) each(g *figures, do func(name string, a, b *int64)) {
	do("chunks", &f.Chunks, &g.Chunks)
	do("pairs", &f.Pairs, &g.Pairs)
	do("deliveries", &f.Deliveries, &g.Deliveries)
	do("crashes", &f.Crashes, &g.Crashes)
	do("acknowledgements lost", &f.AckLost, &g.AckLost)
	do("acknowledged chunks redelivered", &f.Late, &g.Late)
	do("in flight twice", &f.Twice, &g.Twice)
	do("requests lost", &f.Lost, &g.Lost)
	do("zombies", &f.Zombies, &g.Zombies)
	do("unknown outcomes", &f.Unknown, &g.Unknown)
	do("writes taken back", &f.TakenBack, &g.TakenBack)
	do("rejected", &f.Rejected, &g.Rejected)
	do("letters", &f.Letters, &g.Letters)
	do("letters replayed", &f.Replays, &g.Replays)
	do("early ones OK", &f.Early, &g.Early)
	do("ledgers forgotten", &f.Forgot, &g.Forgot)
	do("conflicts", &f.Conflicts, &g.Conflicts)
	do("confirmed", &f.Confirmed, &g.Confirmed)
	do("skipped by marker", &f.Skipped, &g.Skipped)
	do("refused as full", &f.Refused, &g.Refused)
	do("evicted", &f.Evicted, &g.Evicted)
	do("effects", &f.Effects, &g.Effects)
	do("outages", &f.Outages, &g.Outages)
	do("clones", &f.Clones, &g.Clones)
	do("marked first", &f.MarkedFirst, &g.MarkedFirst)
	do("times away", &f.Aways, &g.Aways)
	do("blocked indices", &f.Blocks, &g.Blocks)
	do("outages found", &f.Closed, &g.Closed)
	do("chunks not admitted", &f.Waits, &g.Waits)
	do("panics", &f.Panics, &g.Panics)
	do("not opened yet, for want of what leads it", &f.Followed, &g.Followed)
	do("opened although what leads it is never folded", &f.Unled, &g.Unled)
	do("documents written over", &f.Garbled, &g.Garbled)
	do("unreadable ones met", &f.Unreadable, &g.Unreadable)
	do("folds that took time", &f.SlowFolds, &g.SlowFolds)
	do("chunks over before their fold", &f.FoldedLate, &g.FoldedLate)
}

func (f *figures) add(g figures) { f.each(&g, func(_ string, a, b *int64) { *a += *b }) }

// complete fails for whatever never happened.
func (f *figures) complete(t *testing.T) {
	f.each(f, func(name string, a, _ *int64) {
		if *a == 0 {
			t.Errorf("no seed came to %s", name)
		}
	})
}

func (f figures) String() string {
	var b []byte
	f.each(&f, func(name string, a, _ *int64) { b = fmt.Appendf(b, "%s %d, ", name, *a) })
	return string(b[:max(len(b)-2, 0)])
}

// faults are the probabilities of one seed, zero for what doesn't happen in
// it.
type faults struct {
	// Of each request:
	Lost, LostAnswer, Zombie, Slow float64
	// Of each item: refused for now, its answer lost, applied late, on the
	// primary only.
	ItemFails, ItemLost, ItemZombie, ItemDirty float64
	ReadFails, ItemUnread                      float64
	// Of each fold: it takes up to seconds.
	SlowFold float64
	// Of each letter: not written, or at least said so; replayed while its
	// chunk may still be under way.
	Unburied, Early float64
	// Of each chunk:
	AckLost, Late, Twice float64
	// Announced is how often other chunks are said to be on their way.
	Announced float64
	Poison    float64
	Panics    float64
	// Of each delivery: before it the process forgets which markers it had
	// acknowledged, as it does with the oldest.
	Forgets float64
	// Mean seconds between two, for each sensor, document or index.
	Crash, Outage, Reject, Failover, Unreadable, Away, Blocked float64
	// Waits: a chunk isn't brought while the machine doesn't admit it.
	Waits  bool
	Clones bool
}

// setup is what else differs from seed to seed.
type setup struct {
	sensors, chunks, documents, most int
	hot                              float64 // share of chunks that touch the hot document
	led                              bool    // documents lead others
	span                             time.Duration
	options                          MachineOptions
}

type event struct {
	at  time.Duration
	seq int
	do  func()
}

type agenda []event

func (a agenda) Len() int { return len(a) }
func (a agenda) Less(i, j int) bool {
	return a[i].at < a[j].at || a[i].at == a[j].at && a[i].seq < a[j].seq
}
func (a agenda) Swap(i, j int) { a[i], a[j] = a[j], a[i] }
func (a *agenda) Push(x any)   { *a = append(*a, x.(event)) }
func (a *agenda) Pop() any {
	last := (*a)[len(*a)-1]
	*a = (*a)[:len(*a)-1]
	return last
}

// parcel is one chunk of the simulation.
type parcel struct {
	chunk Chunk // without deadline
}

type pair struct {
	chunk uint16
	key   Key
}

// world is one simulation.
type world struct {
	rng     *rand.Rand
	f       faults
	s       setup
	es      *elastic
	now     time.Duration
	agenda  agenda
	seq     int
	sensors []*sensor
	parcels []*parcel
	keys    []Key
	calm    bool // no new faults
	healed  bool // nothing is refused any more
	down    map[Key]bool
	refused map[Key]bool // documents that are refused whatever is in them
	ever    map[Key]bool // those that once were
	letters map[pair]int
	// garbled holds what documents were that somebody else wrote over.
	garbled map[Key][]byte
	// mayFail holds those that once were, or whose fold panics.
	mayFail map[Key]bool
	// away: nobody is there; blocked are the indices that refuse everything for
	// now.
	away    bool
	blocked map[string]bool
	err     error
	trace   func(format string, args ...any)
	figures figures
}

// sensor is a process with a machine, and the storage it leaves to the next.
type sensor struct {
	w      *world
	name   int
	m      *Machine
	epoch  int
	up     bool
	buffer map[int]bool // parcels not acknowledged
	alarm  time.Duration
	// folding: a fold is under way.
	folding bool
}

var epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func newWorld(seed uint64) *world {
	w := &world{
		rng: rand.New(rand.NewPCG(seed, 1)), es: newElastic(),
		down: map[Key]bool{}, refused: map[Key]bool{}, ever: map[Key]bool{}, letters: map[pair]int{}, garbled: map[Key][]byte{}, mayFail: map[Key]bool{}, blocked: map[string]bool{},
	}
	w.draw()
	w.es.reject = w.rejects
	for i := range w.s.documents {
		w.keys = append(w.keys, Key{Index: fmt.Sprintf("documents-%d", i%3), ID: strconv.Itoa(i)})
	}
	for i := range w.s.chunks {
		w.parcels = append(w.parcels, w.parcel(uint16(i)))
	}
	for i := range w.s.sensors {
		w.sensors = append(w.sensors, &sensor{w: w, name: i, buffer: map[int]bool{}})
	}
	return w
}

// draw chooses the faults of a seed: each is there in about half of them, from
// rare to frequent. Every other seed is crowded: few documents and chunks, and
// what is there of faults is frequent, so that they meet.
func (w *world) draw() {
	r := w.rng
	crowded := r.IntN(2) == 0
	rate := func(most float64) float64 {
		switch {
		case crowded && r.IntN(4) > 0:
			return most * r.Float64()
		case crowded || r.IntN(2) == 0:
			return 0
		}
		return most * math.Pow(0.1, 2*r.Float64())
	}
	between := func(least, most float64) float64 {
		switch {
		case crowded && r.IntN(4) > 0:
			return least * (1 + 3*r.Float64())
		case crowded || r.IntN(2) == 0:
			return 0
		}
		return least * math.Pow(most/least, r.Float64())
	}
	w.f = faults{
		Lost: rate(0.3), LostAnswer: rate(0.3), Zombie: rate(0.2), Slow: rate(0.3),
		ItemFails: rate(0.3), ItemLost: rate(0.2), ItemZombie: rate(0.2), ItemDirty: rate(0.3),
		ReadFails: rate(0.3), ItemUnread: rate(0.2), Unburied: rate(0.5), Early: rate(1),
		AckLost: rate(0.5), Late: rate(0.5), Twice: rate(0.3), Poison: rate(0.2), Forgets: rate(0.5), Announced: rate(1),
		Crash: between(3, 100), Outage: between(10, 100), Reject: between(10, 300), Failover: between(2, 60),
		Clones: r.IntN(4) == 0, SlowFold: rate(0.5), Panics: rate(0.05), Unreadable: between(10, 300),
		Away: between(10, 100), Blocked: between(10, 100), Waits: r.IntN(2) == 0,
	}
	w.s = setup{
		sensors: 1 + r.IntN(4), chunks: 10 + r.IntN(50), documents: 2 + r.IntN(8), most: 1 + r.IntN(4),
		hot: r.Float64(), led: r.IntN(2) == 0, span: time.Duration(1+r.IntN(100)) * time.Second,
		options: MachineOptions{
			Ledger:       func(minute uint32) string { return "ledger-" + strconv.Itoa(int(minute/30)) },
			CacheBytes:   int64(1) << (9 + r.IntN(12)),
			MaxApplied:   []int{16, 24, 40, 512}[r.IntN(4)],
			MaxDocuments: []int{1, 2, 5, 5000}[r.IntN(4)],
			BulkOps:      []int{1, 2, 4, 1500}[r.IntN(4)],
			Bulks:        1 + r.IntN(3),
			closeItems:   []int{1, 2, 4, 16}[r.IntN(4)],
		},
	}
	if crowded {
		w.s.chunks, w.s.documents = 10+r.IntN(20), 1+r.IntN(3)
	}
}

func (w *world) parcel(n uint16) *parcel {
	sum := sha256.Sum256([]byte{byte(n), byte(n >> 8)})
	p := &parcel{chunk: Chunk{ID: ChunkID(sum[:16]), Minute: minute(epoch) - uint32(w.rng.IntN(60))}}
	docs := map[int]bool{}
	if w.rng.Float64() < w.s.hot {
		docs[0] = true
	}
	for range 1 + w.rng.IntN(w.s.most) {
		docs[w.rng.IntN(len(w.keys))] = true
	}
	for _, i := range slices.Sorted(maps.Keys(docs)) {
		p.chunk.Parts = append(p.chunk.Parts, Part{
			Key: w.keys[i], Class: Class(i % 3),
			Delta: &delta{chunk: n, poison: w.chance(w.f.Poison), panics: w.chance(w.f.Panics), effect: w.rng.IntN(8) == 0},
		})
		w.figures.Pairs++
	}
	w.lead(p.chunk.Parts)
	w.figures.Chunks++
	return p
}

// lead makes some documents of a chunk lead others, in half of the seeds.
func (w *world) lead(parts []Part) {
	if !w.s.led {
		return
	}
	for i := range parts {
		p := &parts[i]
		switch w.rng.IntN(3) {
		case 0:
			p.Leads = true
		case 1:
			if p.Led = true; i > 0 && w.rng.IntN(2) == 0 {
				p.Lead = parts[i-1].Key.ID
			} else {
				p.Lead = "~"
			}
		}
		if p.Delta.(*delta).panics {
			w.mayFail[p.Key] = true
		}
	}
}

// opened notes a document that is opened before what leads it was folded: that can't
// be.
func (w *world) opened(k Key, d *delta) {
	w.figures.Unled++
	for _, p := range w.parcels[d.chunk].chunk.Parts {
		if p.Leads && w.mayFail[p.Key] {
			return
		}
	}
	w.fail("%v is opened with chunk %d, and what leads it was not folded", k, d.chunk)
}

// rejects says what the model of Elasticsearch refuses for good.
func (w *world) rejects(op *Op) bool {
	no := !w.healed && (poisonous(op) || w.refused[op.Key])
	if no {
		w.figures.Rejected++
	}
	return no
}

func (w *world) chance(p float64) bool { return p > 0 && w.rng.Float64() < p }

// fault is a chance that ends with the time of faults.
func (w *world) fault(p float64) bool { return !w.calm && w.chance(p) }

func (w *world) in(least, most time.Duration) time.Duration {
	return least + time.Duration(w.rng.Int64N(int64(most-least)+1))
}

func (w *world) after(d time.Duration, do func()) {
	w.seq++
	heap.Push(&w.agenda, event{w.now + d, w.seq, do})
}

func (w *world) say(format string, args ...any) {
	if w.trace != nil {
		w.trace("%10.3f "+format, append([]any{w.now.Seconds()}, args...)...)
	}
}

func (w *world) fail(format string, args ...any) {
	if w.err == nil {
		w.err = fmt.Errorf("after %v: %w", w.now, fmt.Errorf(format, args...))
	}
}

// The bounds of one simulation: a day, and more steps than any needs.
const (
	longest   = 24 * time.Hour
	mostSteps = 200_000
)

func (w *world) run() error {
	for _, s := range w.sensors {
		s.start()
	}
	for i := range w.parcels {
		at := w.in(0, w.s.span)
		first := w.rng.IntN(len(w.sensors))
		w.after(at, func() { w.sensors[first].take(i) })
		if w.f.Clones && w.rng.IntN(3) == 0 {
			// The storage was copied to another host.
			second := w.rng.IntN(len(w.sensors))
			w.figures.Clones++
			w.after(at+w.in(0, 20*time.Second), func() { w.sensors[second].take(i) })
		}
	}
	for _, s := range w.sensors {
		w.again(w.f.Crash, s.crash)
	}
	for _, k := range w.keys {
		w.again(w.f.Outage, func() { w.spell(w.down, k, "outage") })
		w.again(w.f.Reject, func() { w.spell(w.refused, k, "refused") })
		w.again(w.f.Unreadable, func() { w.overwrite(k) })
	}
	indices := []string{"documents-0", "documents-1", "documents-2", "effects"}
	for minutes := uint32(0); minutes <= 60; minutes += 30 {
		indices = append(indices, w.s.options.Ledger(minute(epoch)-minutes))
	}
	w.again(w.f.Away, w.leave)
	for _, index := range indices {
		w.again(w.f.Blocked, func() { w.block(index) })
		w.again(w.f.Failover, func() { w.failover(index, 0.3) })
	}
	w.after(w.s.span+20*time.Second, func() {
		w.say("no new faults")
		w.calm = true
		clear(w.down)
		clear(w.blocked)
		w.away = false
	})
	w.proceed()
	w.quiet()
	w.check(false)
	w.replay()
	w.check(true)
	for _, s := range w.sensors {
		s.retire()
	}
	return w.err
}

// again does something at random times, mean seconds apart.
func (w *world) again(mean float64, do func()) {
	if mean == 0 {
		return
	}
	w.after(time.Duration(w.rng.ExpFloat64()*mean*float64(time.Second)), func() {
		if !w.calm {
			do()
			w.again(mean, do)
		}
	})
}

// spell makes a document be down or refused for a while.
func (w *world) spell(which map[Key]bool, k Key, what string) {
	w.say("%v: %s", k, what)
	which[k] = true
	if what == "refused" {
		w.ever[k] = true
	}
	w.figures.Outages++
	w.after(w.in(time.Second, 40*time.Second), func() {
		w.say("%v: no longer %s", k, what)
		delete(which, k)
	})
}

// leave makes every request fail for a while.
func (w *world) leave() {
	if w.away {
		return
	}
	w.say("away")
	w.figures.Aways++
	w.away = true
	w.after(w.in(time.Second, time.Minute), func() {
		w.say("back")
		w.away = false
	})
}

// block makes an index refuse all that is read or written for a while.
func (w *world) block(index string) {
	w.say("%s: blocked", index)
	w.blocked[index] = true
	w.figures.Blocks++
	w.after(w.in(time.Second, time.Minute), func() {
		w.say("%s: no longer blocked", index)
		delete(w.blocked, index)
	})
}

// overwrite has somebody write over a document, with garbage or as a newer
// version does, and somebody else restore it later.
func (w *world) overwrite(k Key) {
	d := w.es.shard(k.Index).docs[k.ID]
	if d == nil || d.current == nil || w.garbled[k] != nil {
		return
	}
	w.garbled[k], w.mayFail[k] = d.current.body, true
	body := newerMajor
	if w.rng.IntN(2) == 0 {
		body = unreadable[slices.Sorted(maps.Keys(unreadable))[w.rng.IntN(len(unreadable))]]
		w.ever[k] = true
	}
	w.say("%v: written over with %q", k, body)
	w.figures.Garbled++
	w.put(k, body)
	w.after(w.in(time.Second, 40*time.Second), func() {
		w.say("%v: restored", k)
		w.put(k, w.garbled[k])
		delete(w.garbled, k)
	})
}

func (w *world) put(k Key, body []byte) {
	reject := w.es.reject
	w.es.reject = func(*Op) bool { return false }
	w.es.write(&Op{Kind: Put, Key: k, Body: body})
	w.es.reject = reject
}

// countsOf returns what a document holds, or will once it is restored.
func (w *world) countsOf(k Key) map[uint16]int {
	if body := w.garbled[k]; body != nil {
		return countsOf(body)
	}
	return countsOf(w.es.durable(k))
}

func (w *world) failover(index string, survives float64) {
	w.say("failover of %s", index)
	w.es.failover(index, func(id string) bool {
		kept := w.chance(survives)
		if !kept {
			w.say("taken back: %s", id)
			w.figures.TakenBack++
		}
		return kept
	})
}

func (w *world) proceed() {
	for steps := 0; len(w.agenda) > 0 && w.err == nil; steps++ {
		e := heap.Pop(&w.agenda).(event)
		w.now = e.at
		if w.now > longest || steps > mostSteps {
			w.fail("it doesn't come to rest: %s", w.unfinished())
			return
		}
		e.do()
	}
}

func (w *world) unfinished() string {
	var b []byte
	for _, s := range w.sensors {
		b = fmt.Appendf(b, "sensor %d holds %v; ", s.name, slices.Sorted(maps.Keys(s.buffer)))
	}
	return string(b)
}

// quiet says that nothing is left to do, then takes back what isn't durable.
func (w *world) quiet() {
	if w.err != nil {
		return
	}
	for _, s := range w.sensors {
		if len(s.buffer) > 0 || !s.m.Idle() {
			w.fail("sensor %d is not done: %v, idle %v", s.name, slices.Sorted(maps.Keys(s.buffer)), s.m.Idle())
		}
	}
	for _, index := range slices.Sorted(maps.Keys(w.es.shards)) {
		w.failover(index, 0)
	}
}

// check compares what is durable with what was sent: after a replay the dead
// letters are no excuse any more.
func (w *world) check(replayed bool) {
	if w.err != nil {
		return
	}
	want := map[Key]map[uint16]*delta{}
	for _, p := range w.parcels {
		for _, part := range p.chunk.Parts {
			if want[part.Key] == nil {
				want[part.Key] = map[uint16]*delta{}
			}
			d := part.Delta.(*delta)
			want[part.Key][d.chunk] = d
		}
	}
	effects := map[string]bool{}
	for _, k := range w.keys {
		got := countsOf(w.es.durable(k))
		for chunk, n := range got {
			if want[k][chunk] == nil {
				w.fail("%v holds chunk %d, which is not its own", k, chunk)
			}
			if n != 1 {
				w.fail("doubled: %v holds chunk %d %d times", k, chunk, n)
			}
		}
		for _, chunk := range slices.Sorted(maps.Keys(want[k])) {
			d := want[k][chunk]
			letters := w.letters[pair{chunk, k}]
			switch {
			case got[chunk] == 0 && (letters == 0 || replayed):
				w.fail("lost: %v lacks chunk %d, replayed %v, letters %d", k, chunk, replayed, letters)
			case letters > 0 && !d.poison && !d.panics && !w.ever[k]:
				w.fail("buried without need: chunk %d for %v", chunk, k)
			case got[chunk] == 1 && (d.poison || d.panics) && !replayed:
				w.fail("%v took the poison of chunk %d", k, chunk)
			}
			if e := effectKey(k, chunk); d.effect {
				effects[e.ID] = true
				if w.es.durable(e) == nil && got[chunk] == 1 && (letters == 0 || replayed) && !w.es.excused[e] {
					w.fail("lost: the effect %v", e)
				}
			}
		}
	}
	for id := range w.es.shard("effects").docs {
		if !effects[id] {
			w.fail("an effect out of nowhere: %s", id)
		}
	}
}

// replay submits the dead letters, twice and with faults, after what was
// wrong with the documents is put right.
func (w *world) replay() {
	if w.err != nil || len(w.letters) == 0 {
		return
	}
	w.healed, w.calm = true, false
	w.say("letters are replayed")
	span := w.in(time.Second, time.Minute)
	for _, p := range w.parcels {
		for _, part := range p.chunk.Parts {
			if w.letters[pair{part.Delta.(*delta).chunk, part.Key}] == 0 {
				continue
			}
			c := replayOf(Letter{Chunk: p.chunk.ID, Minute: p.chunk.Minute, Part: part})
			at := w.in(0, span)
			for range 2 {
				w.figures.Replays++
				to := w.sensors[w.rng.IntN(len(w.sensors))]
				w.after(at, func() { to.replay(c, math.MaxInt) })
				at += w.in(0, time.Second)
			}
		}
	}
	for _, s := range w.sensors {
		w.again(w.f.Crash, s.crash)
	}
	w.after(time.Minute, func() { w.calm = true })
	w.proceed()
	w.quiet()
}

// start makes a new process: it remembers nothing.
func (s *sensor) start() {
	o := s.w.s.options
	o.Seed = s.w.rng.Uint64()
	m, err := NewMachine(o, &tally{fixed: func() bool { return s.w.healed }, early: s.w.opened})
	if err != nil {
		panic(err)
	}
	s.m, s.up, s.alarm, s.folding = m, true, 0, false
	// The buffer comes again, in any order.
	for _, i := range slices.Sorted(maps.Keys(s.buffer)) {
		s.w.after(s.w.in(0, 5*time.Second), func() { s.deliver(i) })
	}
}

func (s *sensor) crash() {
	if !s.up {
		return
	}
	s.w.say("sensor %d crashes", s.name)
	s.w.figures.Crashes++
	s.retire()
	s.epoch++
	s.up = false
	s.w.after(s.w.in(100*time.Millisecond, 10*time.Second), s.start)
}

func (s *sensor) retire() {
	if s.up {
		st := s.m.Stats()
		f := &s.w.figures
		f.Conflicts += st.Conflicts
		f.Confirmed += st.Confirmed
		f.Skipped += st.Skipped
		f.Refused += st.Refused
		f.Evicted += st.Evicted
		f.Effects += st.Effects
		f.Unknown += st.Unknown
		f.MarkedFirst += st.MarkedFirst
		f.Panics += st.Panics
		f.Closed += st.Outages
		f.Unreadable += st.Unreadable
		f.Followed += st.Followed
		if int(st.MaxApplied) > s.w.s.options.MaxApplied {
			s.w.fail("a document held %d ids", st.MaxApplied)
		}
	}
}

// take puts a chunk into the buffer and delivers it.
func (s *sensor) take(i int) {
	s.buffer[i] = true
	s.deliver(i)
}

func (s *sensor) deliver(i int) {
	if !s.up || !s.buffer[i] {
		return
	}
	if s.w.f.Waits {
		id := s.w.parcels[i].chunk.ID
		if admits, _ := s.m.Admits(id, 0); !admits {
			s.w.figures.Waits++
			s.w.after(s.w.in(time.Second, 30*time.Second), func() { s.deliver(i) })
			return
		}
	}
	s.w.say("sensor %d: chunk %d", s.name, i)
	s.w.figures.Deliveries++
	if s.w.fault(s.w.f.Forgets) {
		s.w.figures.Forgot++
		s.m.ledger = newLedger(rememberedMarkers)
	}
	if s.w.fault(s.w.f.Announced) {
		// Some of them come, some don't.
		s.m.Expect(s.w.rng.IntN(3))
	}
	s.submit(i)
	if s.w.fault(s.w.f.Twice) {
		s.w.figures.Twice++
		s.w.after(s.w.in(0, 100*time.Millisecond), func() {
			if s.up && s.buffer[i] {
				s.submit(i)
			}
		})
	}
	s.drive()
}

func (s *sensor) clock() time.Time { return epoch.Add(s.w.now) }

func (s *sensor) submit(i int) {
	w, at := s.w, s.epoch
	c := w.parcels[i].chunk
	c.Deadline = s.clock().Add(w.in(time.Second, 8*time.Second))
	lent, back := lend(c)
	s.m.Submit(lent, s.clock(), func(r Result) {
		back()
		if s.epoch != at {
			w.fail("sensor %d: an answer from the dead", s.name)
		}
		w.say("sensor %d: chunk %d: result %d", s.name, i, r)
		if r == Retry {
			w.after(w.in(time.Second, 30*time.Second), func() { s.deliver(i) })
			return
		}
		s.acknowledged(i)
	})
}

// acknowledged checks that an OK is true, and lets Fluent Bit know, or not.
func (s *sensor) acknowledged(i int) {
	w := s.w
	for _, p := range w.parcels[i].chunk.Parts {
		if w.countsOf(p.Key)[uint16(i)] == 0 && w.letters[pair{uint16(i), p.Key}] == 0 {
			w.fail("chunk %d is acknowledged but not durable in %v", i, p.Key)
		}
	}
	switch {
	case w.fault(w.f.AckLost):
		w.figures.AckLost++
		w.after(w.in(time.Second, 5*time.Minute), func() { s.deliver(i) })
		return
	case w.fault(w.f.Late):
		w.figures.Late++
		w.after(w.in(time.Second, 40*time.Minute), func() { s.take(i) })
	}
	delete(s.buffer, i)
}

// replay submits a letter until that is OK, or so many times.
func (s *sensor) replay(c Chunk, times int) {
	again := func() {
		if times > 1 {
			s.replay(c, times-1)
		}
	}
	if !s.up {
		s.w.after(time.Second, again)
		return
	}
	at, ended := s.epoch, false
	c.Deadline = s.clock().Add(5 * time.Second)
	lent, back := lend(c)
	s.m.Submit(lent, s.clock(), func(r Result) {
		back()
		ended = true
		s.w.say("replay of %v: result %d", c.Parts[0].Delta.(*delta).chunk, r)
		switch {
		case r != OK:
			s.w.after(s.w.in(time.Second, 10*time.Second), again)
		case !s.w.healed:
			s.w.figures.Early++
		}
	})
	// A fold may hold it beyond its deadline.
	s.w.after(10*time.Second, func() {
		if !ended && s.epoch != at {
			again()
		}
	})
	s.drive()
}

// drive carries out what the machine wants done and sets the alarm.
func (s *sensor) drive() {
	s.m.Tick(s.clock())
	for r := s.m.Next(s.clock()); r != nil; r = s.m.Next(s.clock()) {
		switch r.Kind {
		case Read:
			s.read(r)
		case Write:
			s.write(r)
		case Bury:
			s.bury(r)
		case Fold:
			s.fold(r)
		}
	}
	wake := s.m.Wake()
	if wake.IsZero() {
		return
	}
	at := max(wake.Sub(epoch), s.w.now)
	if s.alarm > s.w.now && s.alarm <= at {
		return
	}
	s.alarm = at
	life := s.epoch
	s.w.after(at-s.w.now, func() {
		if s.epoch == life && s.up && s.alarm == at {
			s.drive()
		}
	})
}

var errLost = errors.New("i/o timeout")

// travel returns how long one way takes.
func (w *world) travel() time.Duration {
	if w.fault(w.f.Slow) {
		return w.in(time.Millisecond, 5*time.Second)
	}
	return w.in(time.Millisecond, 10*time.Millisecond)
}

// answer gives the machine its answer d from now, but for one that crashed;
// past the request's deadline it learns nothing.
func (s *sensor) answer(r *Request, d time.Duration, give func() Answer) {
	life := s.epoch
	w := s.w
	left := max(r.Deadline.Sub(epoch)-w.now, 0)
	tell := func(a Answer) {
		if s.epoch == life && s.up {
			s.m.Answer(r, a, s.clock())
			s.drive()
		}
	}
	if d > left {
		w.after(left, func() { tell(Answer{Err: errLost}) })
		w.after(d, func() { give() })
		return
	}
	w.after(d, func() { tell(give()) })
}

func (s *sensor) lost(r *Request) {
	s.w.figures.Lost++
	s.answer(r, s.w.in(0, 3*time.Second), func() Answer { return Answer{Err: errLost} })
}

func (s *sensor) read(r *Request) {
	w := s.w
	if w.away || w.fault(w.f.ReadFails) {
		s.lost(r)
		return
	}
	there, back := w.travel(), w.travel()
	var a Answer
	w.after(there, func() {
		for _, k := range r.Keys {
			if w.down[k] || w.blocked[k.Index] || w.fault(w.f.ItemUnread) {
				a.Stored = append(a.Stored, Stored{Err: errors.New("no_shard_available_action_exception")})
				continue
			}
			a.Stored = append(a.Stored, w.es.read(k))
		}
	})
	s.answer(r, there+back, func() Answer { return a })
}

func (s *sensor) write(r *Request) {
	w, ops := s.w, sent(r.Ops)
	there, back := w.travel(), w.travel()
	switch {
	case w.away || w.fault(w.f.Lost):
		s.lost(r)
		return
	case w.fault(w.f.Zombie):
		// Somewhere on the way it waits for its hour.
		w.figures.Zombies++
		s.lost(r)
		there = w.in(time.Second, 40*time.Minute)
		w.after(there, func() {
			for i := range ops {
				w.es.write(&ops[i])
			}
		})
		return
	}
	revisions := make([]*revision, len(ops))
	written := make([]Written, len(ops))
	carryOut := func(from, to int) {
		for i := from; i < to; i++ {
			op := &ops[i]
			switch {
			case w.down[op.Key] || w.blocked[op.Key.Index] || w.fault(w.f.ItemFails):
				written[i] = Written{Reason: "unavailable_shards_exception"}
			case w.fault(w.f.ItemZombie):
				w.figures.Zombies++
				written[i] = Written{Reason: "timeout"}
				w.after(w.in(time.Second, 10*time.Minute), func() { w.es.write(op) })
			default:
				revisions[i], written[i] = w.es.apply(op)
				w.say("sensor %d: %v %v: %d %s", s.name, op.Key, op.Version, written[i].Status, written[i].Reason)
			}
		}
	}
	// The parts of a bulk go to different shards.
	cut := w.rng.IntN(len(ops) + 1)
	w.after(there, func() { carryOut(0, cut) })
	w.after(there+w.in(0, back), func() { carryOut(cut, len(ops)) })
	silent := w.fault(w.f.LostAnswer)
	s.answer(r, there+back, func() Answer {
		for i, rev := range revisions {
			switch {
			case rev == nil:
			case w.fault(w.f.ItemDirty):
				// On the primary, and perhaps never elsewhere.
				written[i] = Written{Reason: "timeout"}
				if w.rng.IntN(3) == 0 {
					w.after(w.in(0, 20*time.Second), func() { w.es.replicate(ops[i].Key, rev) })
				}
			case !w.es.replicate(ops[i].Key, rev) || w.fault(w.f.ItemLost):
				written[i] = Written{Reason: "primary is no longer"}
			}
		}
		if silent {
			return Answer{Err: errLost}
		}
		return Answer{Written: written}
	})
}

// fold carries out a fold that takes its time: what it reads is as it was when
// it began, and as it ends.
func (s *sensor) fold(r *Request) {
	w, life := s.w, s.epoch
	if s.folding {
		w.fail("sensor %d: two folds at a time", s.name)
	}
	end := func() {
		s.folding = false
		for _, c := range r.folding.chunks {
			if c.state == ended {
				w.figures.FoldedLate++
			}
		}
		s.m.Answer(r, Answer{}, s.clock())
	}
	if !w.fault(w.f.SlowFold) {
		r.Fold()
		end()
		return
	}
	w.figures.SlowFolds++
	s.folding = true
	early := w.rng.IntN(2) == 0
	if early {
		r.Fold()
	}
	w.after(w.in(0, 3*time.Second), func() {
		if s.epoch != life || !s.up {
			return
		}
		if !early {
			r.Fold()
		}
		end()
		s.drive()
	})
}

func (s *sensor) bury(r *Request) {
	w := s.w
	fails, written := w.fault(w.f.Unburied), w.chance(0.5)
	s.answer(r, w.in(time.Millisecond, 200*time.Millisecond), func() Answer {
		if !fails || written {
			for _, l := range r.Letters {
				w.figures.Letters++
				w.letters[pair{l.Part.Delta.(*delta).chunk, l.Part.Key}]++
				if w.chance(w.f.Early) {
					to, c := w.sensors[w.rng.IntN(len(w.sensors))], replayOf(kept(l))
					w.after(w.in(0, 20*time.Second), func() { to.replay(c, 5) })
				}
			}
		}
		if fails {
			return Answer{Err: errors.New("no space left on device")}
		}
		return Answer{}
	})
}
