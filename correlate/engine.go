// Package correlate keeps one file on every attacker: it reads the records of
// a chunk into events, groups them by attacker and commits what they change.
//
// An Engine serves one Fluent Bit output instance. Engines that write to the
// same indices share one commit.Committer, whose Model comes from NewModel.
package correlate

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"dossier/correlate/commit"
	"dossier/correlate/dialect"
	"dossier/correlate/event"
	"dossier/correlate/exclude"
	"dossier/correlate/redact"
)

// Records reads the records of one chunk.
type Records interface {
	// Next moves to the next record; false at the end and at a break.
	Next() bool
	// Record is the current record, valid until Next.
	Record() event.Record
	// Err says why Next stopped: nil at the chunk's proper end.
	Err() error
	// Offset is where the last whole record ended, in bytes.
	Offset() int
	// Malformed counts the entries that were whole but no records.
	Malformed() int
	// Cut counts the records that had more fields, depth or longer names than
	// are read.
	Cut() int
}

// Broken is the part of a chunk that can't be decoded.
type Broken struct {
	Chunk  commit.ChunkID
	Tag    string
	Offset int
	Data   []byte
	Reason string
	// Unparsed says that Data are whole records that no dialect knows.
	Unparsed bool
}

// Options configures an Engine.
type Options struct {
	// Committer makes chunks durable. Its Model must come from NewModel with
	// the same Indices.
	Committer *commit.Committer
	// Indices names the documents' indices.
	Indices Indices
	// Decode starts to read a chunk; what it returns may hold views of data
	// and of the arena.
	Decode func(a *event.Arena, data []byte) Records
	// Parser reads records into events.
	Parser *dialect.Parser
	// Annotator adds what rules know of an event; nil adds nothing.
	Annotator Annotator
	// Mask says what is masked of what BuryBroken gets.
	Mask redact.Options
	// BuryBroken saves what can't be decoded, durably: the bytes as they came,
	// but for what is masked: the local parts of mail addresses in any case.
	BuryBroken func(ctx context.Context, b Broken) error
	// BuryUnparsed says that BuryBroken also gets the records that no dialect
	// knows, and others whose reason may be a gap (dialect.Reason.Gap), as a
	// chunk of their own.
	BuryUnparsed bool
	// Sensor is this sensor's name.
	Sensor string
	// ExcludeNets are networks whose events are dropped: own scanners,
	// health checks.
	ExcludeNets []netip.Prefix
	// Exclude are rules for events that are dropped.
	Exclude []exclude.Rule
	// IPv6Prefix is the length by which IPv6 sources are aggregated.
	//
	// If IPv6Prefix is zero, the default of 128 will be used: not at all.
	IPv6Prefix int
	// Activity says whether the hourly activity is written.
	Activity bool
	// CommitTimeout is how long a chunk may take at the most.
	//
	// If CommitTimeout is zero, the default of 8 s will be used.
	CommitTimeout time.Duration
	// Stored, unless nil, says that the records are of stored logs.
	Stored *Stored

	keptWhole int // see the constant; the tests have less
}

// Stored says how records of stored logs are taken. Each is of its event's
// time, whenever it is read, and the markers of their chunks are all in the
// ledger's index for times of no month: nothing that differs between two
// readings decides where a chunk's marker is looked for.
type Stored struct {
	// Since and Until bound the events that are taken, from Since on and before
	// Until. Never is no bound.
	Since, Until event.Time
}

func (s *Stored) has(t event.Time) bool {
	return t >= s.Since && (s.Until == event.Never || t < s.Until)
}

func (o *Options) validate() error {
	switch {
	case o.Committer == nil:
		return errors.New("correlate: Options.Committer is missing")
	case o.Decode == nil:
		return errors.New("correlate: Options.Decode is missing")
	case o.Parser == nil:
		return errors.New("correlate: Options.Parser is missing")
	case o.BuryBroken == nil:
		return errors.New("correlate: Options.BuryBroken is missing")
	case o.Indices.Prefix == "":
		return errors.New("correlate: Options.Indices.Prefix is missing")
	case o.IPv6Prefix < 0 || o.IPv6Prefix > 128:
		return fmt.Errorf("correlate: Options.IPv6Prefix is %d; it must be from 1 to 128", o.IPv6Prefix)
	case o.CommitTimeout < 0:
		return fmt.Errorf("correlate: Options.CommitTimeout is %v; it must be positive", o.CommitTimeout)
	}
	if o.IPv6Prefix == 0 {
		o.IPv6Prefix = 128
	}
	if o.keptWhole == 0 {
		o.keptWhole = keptWhole
	}
	if o.CommitTimeout == 0 {
		o.CommitTimeout = 8 * time.Second
	}
	return nil
}

// Result is what Fluent Bit is told of a chunk.
type Result uint8

const (
	// OK: everything in the chunk is durable, or dead-lettered.
	OK Result = iota
	// Retry: the chunk must come again.
	Retry
	// Error: the chunk can't be decoded at all; its bytes are saved.
	Error
)

// ErrNotDurable is returned for a chunk that is given back because some of it is
// not written yet; the Committer's Report was told what kept it.
var ErrNotDurable = errors.New("not durable yet")

// Engine commits the chunks of one output instance. It is safe for concurrent
// use.
type Engine struct {
	o       Options
	work    sync.Pool
	reading sync.Pool
	// underWay is how many chunks are, recall what those of them read again into that
	// let their events go.
	underWay atomic.Int32
	recall   atomic.Pointer[recollection]
	// readings has room for the chunks that are being read or keep their events.
	readings chan struct{}
	stats    counters
	// attackers is how many the last chunk had.
	attackers atomic.Int32
}

// New returns an Engine.
func New(o Options) (*Engine, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	e := &Engine{o: o, readings: make(chan struct{}, 1+max(1, o.keptWhole))}
	e.work.New = func() any { return new(work) }
	e.reading.New = func() any { return newReading() }
	return e, nil
}

// Stats returns what the engine did so far.
func (e *Engine) Stats() Stats { return e.stats.read() }

// ID returns the id of the chunk with that tag and content.
func ID(tag string, data []byte) commit.ChunkID {
	h := sha256.New()
	h.Write(event.Bytes(tag))
	h.Write([]byte{0})
	h.Write(data)
	var sum [sha256.Size]byte
	h.Sum(sum[:0])
	return commit.ChunkID(sum[:16])
}

// Flush commits one chunk. It returns when nothing refers to data any more.
// The error says why the result isn't OK.
func (e *Engine) Flush(ctx context.Context, tag string, data []byte) (Result, error) {
	return e.FlushAs(ctx, ID(tag, data), tag, data)
}

// FlushAs is Flush for a chunk with another id than ID gives it: whoever makes
// chunks knows what must be the same for two to be one.
func (e *Engine) FlushAs(ctx context.Context, id commit.ChunkID, tag string, data []byte) (Result, error) {
	r, err := e.flush(ctx, id, tag, data)
	e.stats.chunk(r, len(data))
	return r, err
}

func (e *Engine) flush(ctx context.Context, id commit.ChunkID, tag string, data []byte) (Result, error) {
	ctx, cancel := context.WithTimeout(ctx, e.o.CommitTimeout)
	defer cancel()
	announced, err := e.announce(ctx, id)
	if err != nil {
		return Retry, err
	}
	defer announced.Withdraw()
	e.underWay.Add(1)
	defer func() {
		if e.underWay.Add(-1) == 0 {
			e.recall.Store(nil)
		}
	}()
	// Else each of a backlog's chunks has memory to be read into at a time.
	select {
	case e.readings <- struct{}{}:
	case <-ctx.Done():
		return Retry, fmt.Errorf("correlate: chunk %s is not read: %w", id, ctx.Err())
	}
	letGo := sync.OnceFunc(func() { <-e.readings })
	defer letGo()
	w := e.work.Get().(*work)
	w.reading = e.reading.Get().(*reading)
	defer func() {
		r := w.reading
		w.reset()
		w.reading = nil
		e.work.Put(w)
		if r != nil {
			e.reading.Put(r)
		}
	}()
	w.expect(len(data), int(e.attackers.Load()))
	records := e.o.Decode(&w.arena, data)
	seen := Stats{}
	for from := 0; records.Next(); from = records.Offset() {
		r := records.Record()
		reason := e.read(w, &r, place{from: uint32(from), to: uint32(records.Offset())}, &seen)
		if reason.Gap() && e.o.BuryUnparsed {
			w.unparsed = append(w.unparsed, data[from:records.Offset()]...)
		}
	}
	e.settle(w, &seen)
	seen.Malformed = int64(records.Malformed())
	seen.Cut += int64(records.Cut())
	broken := records.Err()
	if broken != nil && w.records == 0 {
		if err := e.bury(ctx, id, tag, data, 0, broken); err != nil {
			return Retry, err
		}
		return Error, fmt.Errorf("correlate: chunk %s holds no record: %w", id, broken)
	}
	if seen.OutOfBounds > 0 && seen.Events == 0 {
		if err := e.buryUnparsed(ctx, id, tag, w.unparsed); err != nil {
			return Retry, err
		}
		// It stays without a marker: wider bounds may want all of it.
		e.stats.add(&seen)
		return OK, nil
	}
	deadline, _ := ctx.Deadline()
	chunk := commit.Chunk{ID: id, Announced: announced, Minute: e.minute(w), Deadline: deadline, Records: w.records}
	chunk.Parts = w.parts(&e.o)
	e.attackers.Store(int32(len(w.deltas)))
	most := Gateway{Of: seen.Events}
	most.Addr, most.Events = w.gateway()
	seen.Gateway = &most
	unparsed := w.unparsed
	if int(e.underWay.Load()) > e.o.keptWhole && len(data) <= maxOutlined {
		unparsed = slices.Clone(unparsed)
		recall := e.recall.Load()
		if recall == nil { // two at once may each make one
			recall = new(recollection)
			e.recall.Store(recall)
		}
		r := w.outline(data, &e.o, recall)
		r.reset()
		e.reading.Put(r)
		letGo()
	}
	result, err := e.o.Committer.Commit(ctx, chunk)
	if err != nil {
		return Retry, err
	}
	if result != commit.OK {
		return Retry, fmt.Errorf("correlate: chunk %s is %w", id, ErrNotDurable)
	}
	if broken != nil {
		if err := e.bury(ctx, id, tag, data[records.Offset():], records.Offset(), broken); err != nil {
			return Retry, err
		}
		seen.Broken++
	}
	if err := e.buryUnparsed(ctx, id, tag, unparsed); err != nil {
		return Retry, err
	}
	if w.first != event.Never {
		seen.Lag = max(0, time.Since(w.first.Time()))
	}
	// What a redelivered chunk holds is counted once: when it is done.
	e.stats.add(&seen)
	return OK, nil
}

// announce waits for the end of an outage, but no longer than for most of the
// chunk's time: the rest is for writing it.
func (e *Engine) announce(ctx context.Context, id commit.ChunkID) (*commit.Announcement, error) {
	if by, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, by.Add(-time.Until(by)/4))
		defer cancel()
	}
	a, err := e.o.Committer.Announce(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("correlate: chunk %s is not read: %w", id, err)
	}
	return a, nil
}

func (e *Engine) bury(ctx context.Context, id commit.ChunkID, tag string, data []byte, offset int, reason error) error {
	err := e.o.BuryBroken(ctx, Broken{Chunk: id, Tag: tag, Offset: offset, Data: e.o.Mask.Broken(data), Reason: reason.Error()})
	if err != nil {
		return fmt.Errorf("correlate: chunk %s breaks off at byte %d (%w) and can't be saved: %w", id, offset, reason, err)
	}
	return nil
}

// buryUnparsed saves the records of a chunk that no dialect knows, where that is
// asked for.
func (e *Engine) buryUnparsed(ctx context.Context, id commit.ChunkID, tag string, unparsed []byte) error {
	if len(unparsed) == 0 {
		return nil
	}
	err := e.o.BuryBroken(ctx, Broken{Chunk: id, Tag: tag, Data: e.o.Mask.Records(unparsed), Reason: "no dialect knows these records", Unparsed: true})
	if err != nil {
		return fmt.Errorf("correlate: records of chunk %s that no dialect knows can't be saved: %w", id, err)
	}
	return nil
}

// read takes one record into the work and returns how it was read.
func (e *Engine) read(w *work, r *event.Record, at place, seen *Stats) dialect.Reason {
	w.records++
	seen.Records++
	if w.first == event.Never && e.o.Stored == nil {
		w.first = r.Time
	}
	ev := w.room()
	v, excluded := e.o.Read(&w.arena, r, ev)
	if v.ClockSkew {
		seen.ClockSkew++
	}
	if v.Cut {
		seen.Cut++
	}
	if v.Class() != dialect.Parsed {
		seen.refuse(v, r)
		return v.Reason
	}
	switch {
	case v.Missing != 0:
		w.waiting = append(w.waiting, waiting{*ev, v, r.Time, at})
	case excluded:
		seen.exclude(&e.o, ev)
	default:
		e.take(w, ev, r.Time, at, seen)
	}
	return dialect.OK
}

// settle takes the events that waited for what other records of the chunk tell
// of their sessions.
func (e *Engine) settle(w *work, seen *Stats) {
	for i := range w.waiting {
		ev := w.room()
		*ev = w.waiting[i].event
		known, excluded := e.o.Settle(&w.arena, w.waiting[i].verdict, ev)
		if !known {
			seen.ServiceGuessed++
		}
		if excluded {
			seen.exclude(&e.o, ev)
			continue
		}
		w.told = append(w.told, told{ev.Decky, ev.Service, ev.Naming, ev.Session})
		at := w.waiting[i].at
		at.told = uint32(len(w.told))
		e.take(w, ev, w.waiting[i].recorded, at, seen)
	}
}

// take keeps an event, which stands in the work's room, whose record has the
// time recorded and stands at the place.
func (e *Engine) take(w *work, ev *event.Event, recorded event.Time, at place, seen *Stats) {
	if e.o.Stored != nil {
		if !e.o.Stored.has(ev.Time) {
			seen.OutOfBounds++
			return
		}
		recorded = ev.Time
		if w.first == event.Never {
			w.first = ev.Time
		}
	}
	seen.Events++
	ev.Stray = stray(ev.Time, recorded) || !w.months.has(ev.Time)
	w.keep(ev, at, e.o.IPv6Prefix)
}

// Read reads one record as an Engine of these options does. Where the verdict's
// class is Parsed, ev is the event, unless it is excluded; where the verdict
// says that something is missing, it is not whole before Settle. Of the options
// it needs the Parser alone.
func (o *Options) Read(a *event.Arena, r *event.Record, ev *event.Event) (v dialect.Verdict, excluded bool) {
	v = o.Parser.Parse(a, r, ev)
	if v.Class() != dialect.Parsed || v.Missing != 0 {
		return v, false
	}
	return v, !o.admit(a, ev)
}

// Settle fills in what the record of ev, which Read left with v.Missing, lacks.
// It returns false for known where it had to guess.
func (o *Options) Settle(a *event.Arena, v dialect.Verdict, ev *event.Event) (known, excluded bool) {
	known = o.Parser.Settle(a, v, ev)
	return known, !o.admit(a, ev)
}

// admit annotates an event, or returns false for one that is excluded.
func (o *Options) admit(a *event.Arena, ev *event.Event) bool {
	if o.excludedNet(ev) || exclude.Find(o.Exclude, ev) >= 0 {
		return false
	}
	if o.Annotator != nil {
		o.Annotator.Annotate(a, ev)
	}
	return true
}

// excludedNet says whether an event's address is in one of ExcludeNets.
func (o *Options) excludedNet(ev *event.Event) bool {
	for _, n := range o.ExcludeNets {
		if n.Contains(ev.Addr) {
			return true
		}
	}
	return false
}

// minute tells where the marker of a chunk is.
func (e *Engine) minute(w *work) uint32 {
	if e.o.Stored != nil {
		return 0
	}
	return minuteOf(w.first)
}

func minuteOf(t event.Time) uint32 {
	m := int64(t) / int64(time.Minute/time.Microsecond)
	if m < 0 || m > 1<<32-1 {
		return 0
	}
	return uint32(m)
}
