// Package instance is the life of one output of Fluent Bit's: it is made from
// options, commits chunks, and ends. Outputs that write to the same indices
// of the same cluster share what talks to it.
//
// # Locks
//
// Fluent Bit's threads (starts, flushes, exits), the metrics endpoint, the
// heartbeat and the committer's callbacks come in at any time, each from a
// goroutine of its own. So that they never wait for each other in a circle:
//
//   - Instance.mu, target.mu, Targets.mu, causes.mu and the lock of a
//     shared.Pool are leaves. While one is held nothing is called that can wait, log, do I/O or
//     take another lock: what is needed is copied under it, and used after.
//   - Targets.limit may be held while the pool is asked, and nothing else.
//   - The committer, an engine, the store and the logger are asked with no lock
//     held. The committer may call report and observe whenever it likes: they
//     take leaves for a moment, and never ask the committer.
//   - Making and ending a target takes seconds and holds no lock; only who wants
//     that same target waits for it.
//
// # Panics
//
// Each goroutine and each callback catches panics around every single thing it
// does (package panics): one costs a try or a beat, is counted in panics_total,
// logged with its stack and told in the heartbeat.
package instance

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"dossier/correlate"
	"dossier/correlate/commit"
	"dossier/correlate/dialect"
	"dossier/esindex"
	"dossier/panics"
	"dossier/plugin/logging"
	"dossier/plugin/options"
)

// Code is what Fluent Bit is told of a chunk.
type Code uint8

// The codes.
const (
	// Retry: the chunk must come again.
	Retry Code = iota
	// OK: everything in the chunk is durable, or dead-lettered.
	OK
	// Error: the chunk is of no use; its bytes are dead-lettered.
	Error
)

var codes = [...]string{Retry: "retry", OK: "ok", Error: "error"}

// String returns the code's name as it stands in metrics.
func (c Code) String() string { return codes[c] }

const (
	// closing bounds how long Close waits for markers that are on their way.
	closing = 2 * time.Second
	// maxPanics is how often a chunk may break the process's rules before
	// its bytes are dead-lettered.
	maxPanics = 3
	// maxSuspects bounds the chunks whose panics are counted.
	maxSuspects = 1000
)

// Host is what the process offers its instances.
type Host struct {
	// Version is Dossier's.
	Version string
	// Logger takes what is to be said of this instance.
	Logger *slog.Logger
	// Targets holds what instances share; one for the process.
	Targets *Targets
}

// Instance is one output. It is safe for concurrent use.
type Instance struct {
	o      options.Options
	host   Host
	log    *slog.Logger
	target *target
	engine engine

	panics atomic.Int64

	mu       sync.Mutex // a leaf: nothing is called while it is held
	suspects map[commit.ChunkID]int
	refused  [dialect.ReasonCount]int64 // what was told of
	lastOK   time.Time
	failing  error // of the last chunk

	flushes [len(codes)]*histogram // by code
	sizes   *histogram
}

// engine is what an Instance asks of a correlate.Engine.
type engine interface {
	Flush(ctx context.Context, tag string, data []byte) (correlate.Result, error)
	Stats() correlate.Stats
}

// New starts an instance. What is wrong with the options or with the files
// they name is an error; a cluster that can't be reached is not: it is logged,
// and chunks are given back until it can.
func New(o options.Options, h Host) (*Instance, error) {
	parser, err := newParser(o)
	if err != nil {
		return nil, err
	}
	t, err := h.Targets.acquire(o, h)
	if err != nil {
		return nil, err
	}
	i := &Instance{o: o, host: h, log: h.Logger, target: t, suspects: make(map[commit.ChunkID]int)}
	i.makeHistograms()
	if i.engine, err = i.newEngine(parser); err != nil {
		h.Targets.release(context.Background(), t)
		return nil, err
	}
	h.Targets.join(i)
	t.join(i)
	i.log.Info("started", "version", h.Version, "sensor", o.SensorID, "target", t.name, "commit_timeout", o.CommitTimeout,
		"syslog_timezone", options.ZoneText(o.SyslogTimezone, time.Now()))
	return i, nil
}

func (i *Instance) newEngine(parser *dialect.Parser) (*correlate.Engine, error) {
	e := engineOptions(i.o)
	e.Committer, e.Parser, e.Annotator = i.target.committer, parser, annotator(i.target.renderer)
	e.Decode = decode
	e.BuryBroken = i.target.buryBroken
	return correlate.New(e)
}

// Flush commits one chunk. Nothing refers to data when it returns. onWorker
// says that the caller's thread has nothing else to do.
func (i *Instance) Flush(tag string, data []byte, onWorker bool) Code {
	i.host.Targets.begin()
	defer i.host.Targets.end()
	start := time.Now()
	code, err := i.flush(tag, data, onWorker)
	i.flushes[code].observe(time.Since(start).Seconds())
	i.sizes.observe(float64(len(data)))
	i.ended(err)
	return code
}

// ended keeps how the last chunk ended.
func (i *Instance) ended(err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.failing = err; err == nil {
		i.lastOK = time.Now()
	}
}

// lastDone returns when the last chunk was done.
func (i *Instance) lastDone() time.Time {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.lastOK
}

// flush returns an error where the code is Retry.
func (i *Instance) flush(tag string, data []byte, onWorker bool) (code Code, err error) {
	defer panics.Catch("flush", func(p *panics.Panic) { code, err = i.panicked(tag, data, p), errPanic })
	ctx, cancel := context.WithTimeout(context.Background(), flushTimeout(i.o, onWorker))
	defer cancel()
	switch err := i.target.wait(ctx); {
	case errors.Is(err, errSettingUp):
		i.log.Warn("a chunk is given back to Fluent Bit: the indices are still being set up")
		return Retry, err
	case err != nil:
		i.log.Error("not ready to write, chunks are given back to Fluent Bit", logging.ReasonKey, reason(err), "err", err)
		return Retry, err
	}
	start := time.Now()
	result, err := i.engine.Flush(ctx, tag, data)
	switch result {
	case correlate.OK:
		i.tellRefused()
		return OK, nil
	case correlate.Error:
		i.log.Error("a chunk can't be read and was dead-lettered", "tag", tag, "bytes", len(data), "err", err)
		return Error, nil
	default:
		switch {
		case errors.Is(err, commit.ErrAway):
			// What the probes of an outage met is the cause, whenever the last was.
			err = i.target.away(start)
		case err == nil || errors.Is(err, correlate.ErrNotDurable):
			err = i.target.notDurable(start)
		}
		i.log.Warn("a chunk is given back to Fluent Bit for a retry", logging.ReasonKey, causeClass(err), "tag", tag, "err", err)
		return Retry, err
	}
}

var (
	errPanic      = errors.New("the last chunk made the code panic")
	errNotDurable = errors.New("the last chunk is not durable yet")
)

// tellRefused logs that records gave no event, by reason; the logger holds
// back repeats, for a minute. What is dropped on purpose is only counted, but
// for what an attacker may have forged.
func (i *Instance) tellRefused() {
	s := i.engine.Stats()
	for _, r := range i.newlyRefused(&s) {
		level := slog.LevelInfo
		switch {
		case r.Class() == dialect.Unparsed, r == dialect.StructuredData, r == dialect.JSONInSyslog, r == dialect.UnknownSender:
			level = slog.LevelWarn
		case r.Class() == dialect.Unattributed:
		default:
			continue
		}
		attrs := []slog.Attr{
			slog.String(logging.ReasonKey, r.String()), slog.String("verdict", r.Class().String()), slog.Int64("since_start", s.Refused[r]),
		}
		switch r {
		case dialect.StructuredData:
			attrs = append(attrs, slog.String("option", "structured_data off"))
		case dialect.JSONInSyslog:
			attrs = append(attrs, slog.String("option", "json_in_syslog"))
		}
		if r == dialect.Ownerless {
			attrs = append(attrs, slog.String("decoys", worstDecoys(s.Ownerless)))
		}
		if s.Samples[r] != "" {
			attrs = append(attrs, slog.String("sample", s.Samples[r]))
		}
		i.log.LogAttrs(context.Background(), level, "records give no event", attrs...)
	}
	if g := s.Gateway; g.Hides() {
		i.log.Warn("one private address is behind nearly everything: a NAT or a container's bridge hides the attackers",
			logging.ReasonKey, "gateway", "address", g.Addr, "events", g.Events, "of", g.Of)
	}
}

// maxDecoysTold bounds the decoys that a log line names.
const maxDecoysTold = 10

// worstDecoys names the decoys with most commands that nobody is known to have
// given, with their number.
func worstDecoys(counts map[string]int64) string {
	names := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b))
	})
	var b strings.Builder
	for i, name := range names[:min(len(names), maxDecoysTold)] {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%s %d", name, counts[name])
	}
	if more := len(names) - maxDecoysTold; more > 0 {
		fmt.Fprintf(&b, " and %d more", more)
	}
	return b.String()
}

// newlyRefused returns the reasons whose counts have grown since the last
// call.
func (i *Instance) newlyRefused(s *correlate.Stats) (grown []dialect.Reason) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, r := range dialect.Reasons() {
		// Flushes overlap: the older of two counts may come second.
		if s.Refused[r] > i.refused[r] {
			i.refused[r] = s.Refused[r]
			grown = append(grown, r)
		}
	}
	return grown
}

// panicked decides about a chunk that made the code panic. It may be the
// chunk, and then it would come for ever.
func (i *Instance) panicked(tag string, data []byte, p *panics.Panic) Code {
	id := correlate.ID(tag, data)
	n := i.suspect(id)
	i.Panicked(p, "chunk", id, "attempt", n)
	if n < maxPanics {
		return Retry
	}
	ctx, cancel := context.WithTimeout(context.Background(), closing)
	defer cancel()
	err := i.target.buryBroken(ctx, correlate.Broken{Chunk: id, Tag: tag, Data: maskOptions(i.o).Broken(data), Reason: "panic"})
	if err != nil {
		i.log.Error("a chunk can't be dead-lettered", "chunk", id, "err", err)
		return Retry
	}
	i.acquit(id)
	return Error
}

// suspect counts a panic over a chunk, and returns how many those are.
func (i *Instance) suspect(id commit.ChunkID) int {
	i.mu.Lock()
	defer i.mu.Unlock()
	if len(i.suspects) >= maxSuspects {
		clear(i.suspects)
	}
	i.suspects[id]++
	return i.suspects[id]
}

// acquit forgets a chunk that is done.
func (i *Instance) acquit(id commit.ChunkID) {
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.suspects, id)
}

// Panicked counts and logs a panic over something of this instance's.
func (i *Instance) Panicked(p *panics.Panic, attrs ...any) {
	i.panics.Add(1)
	i.target.erred(p.Error())
	logging.Panic(i.log, p, attrs...)
}

// Close ends the instance. All its flushes have ended.
func (i *Instance) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), closing)
	defer cancel()
	i.target.leave(i)
	i.host.Targets.leave(i)
	i.host.Targets.release(ctx, i.target)
	i.log.Info("stopped")
}

// reason is a word for an error from a bounded set, by which repeats are told
// apart: texts hold port numbers and the like.
func reason(err error) string {
	if e, ok := errors.AsType[*esindex.Error](err); ok {
		kind := e.Type
		if kind == "" && e.Status == 0 {
			kind = "no_answer"
		}
		op, _, _ := strings.Cut(e.Op, " ")
		return strings.TrimSpace(fmt.Sprint(op, " ", e.Status, " ", kind))
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	case errors.Is(err, commit.ErrClosed):
		return "closed"
	default:
		return "failed"
	}
}
