// Package output is the life of one output of Fluent Bit's: it is made from options,
// commits chunks to its target.Target, and ends.
//
// A chunk ends in one of three codes. One that makes the code panic is tried a few
// times, and then dead-lettered whole: it would come for ever.
package output

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

	"github.com/prometheus/client_golang/prometheus"

	"dossier/correlate"
	"dossier/correlate/commit"
	"dossier/correlate/dialect"
	"dossier/panics"
	"dossier/plugin/logging"
	"dossier/plugin/observe"
	"dossier/plugin/options"
	"dossier/target"
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

// Host is what the process offers its outputs.
type Host struct {
	// Version is Dossier's.
	Version string
	// Logger takes what is to be said of this output.
	Logger *slog.Logger
	// Targets are what outputs share; one for the process.
	Targets *target.Pool
}

// Output is one output. It is safe for concurrent use.
type Output struct {
	o      options.Options
	host   Host
	log    *slog.Logger
	target *target.Target
	member *target.Member
	engine engine
	chunks *observe.Chunks
	series []observe.Series

	panics atomic.Int64

	mu       sync.Mutex // a leaf: nothing is called while it is held
	suspects map[commit.ChunkID]int
	refused  [dialect.ReasonCount]int64 // what was told of
	lastOK   time.Time
	failing  error // of the last chunk
}

// engine is what an Output asks of a correlate.Engine.
type engine interface {
	Flush(ctx context.Context, tag string, data []byte) (correlate.Result, error)
	Stats() correlate.Stats
}

// New starts an output. What is wrong with the options or with the files
// they name is an error; a cluster that can't be reached is not: it is logged,
// and chunks are given back until it can.
func New(o options.Options, h Host) (*Output, error) {
	parser, err := target.NewParser(o)
	if err != nil {
		return nil, err
	}
	return newOutput(o, h, func(t *target.Target) (engine, error) { return t.NewEngine(o, parser) })
}

// newOutput starts one with the engine that newEngine makes: heartbeats ask for
// it as soon as the output is the target's.
func newOutput(o options.Options, h Host, newEngine func(*target.Target) (engine, error)) (*Output, error) {
	t, err := h.Targets.Open(o, target.Host{Version: h.Version, Logger: h.Logger})
	if err != nil {
		return nil, err
	}
	out := &Output{
		o: o, host: h, log: h.Logger, target: t, suspects: make(map[commit.ChunkID]int),
		chunks: observe.NewChunks(), series: observe.NewSeries(o.Exclude),
	}
	out.member = &target.Member{
		Sensor: o.SensorID, Version: h.Version, Logger: h.Logger,
		Stats:  func() correlate.Stats { return out.engine.Stats() },
		Panics: out.panics.Load,
	}
	if out.engine, err = newEngine(t); err != nil {
		t.Close(context.Background())
		return nil, err
	}
	t.Join(out.member)
	out.log.Info("started", "version", h.Version, "sensor", o.SensorID, "target", t.String(), "commit_timeout", commitTimeout(o),
		"syslog_timezone", options.ZoneText(o.SyslogTimezone, time.Now()))
	return out, nil
}

// Flush commits one chunk. Nothing refers to data when it returns. onWorker
// says that the caller's thread has nothing else to do.
func (out *Output) Flush(tag string, data []byte, onWorker bool) Code {
	out.host.Targets.Begin()
	defer out.host.Targets.End()
	start := time.Now()
	code, err := out.flush(tag, data, onWorker)
	out.chunks.Observe(code.String(), time.Since(start), len(data))
	out.ended(err)
	return code
}

// ended keeps how the last chunk ended.
func (out *Output) ended(err error) {
	out.mu.Lock()
	defer out.mu.Unlock()
	if out.failing = err; err == nil {
		out.lastOK = time.Now()
	}
}

// lastDone returns when the last chunk was done.
func (out *Output) lastDone() time.Time {
	out.mu.Lock()
	defer out.mu.Unlock()
	return out.lastOK
}

// flush returns an error where the code is Retry.
func (out *Output) flush(tag string, data []byte, onWorker bool) (code Code, err error) {
	defer panics.Catch("flush", func(p *panics.Panic) { code, err = out.panicked(tag, data, p), errPanic })
	ctx, cancel := context.WithTimeout(context.Background(), out.timeout(onWorker))
	defer cancel()
	switch err := out.target.Wait(ctx); {
	case errors.Is(err, target.ErrSettingUp):
		out.log.Warn("a chunk is given back to Fluent Bit: the indices are still being set up")
		return Retry, err
	case err != nil:
		out.log.Error("not ready to write, chunks are given back to Fluent Bit", logging.ReasonKey, target.Class(err), "err", err)
		return Retry, err
	}
	start := time.Now()
	result, err := out.engine.Flush(ctx, tag, data)
	switch result {
	case correlate.OK:
		out.tellRefused()
		return OK, nil
	case correlate.Error:
		out.log.Error("a chunk can't be read and was dead-lettered", "tag", tag, "bytes", len(data), "err", err)
		return Error, nil
	default:
		switch {
		case errors.Is(err, commit.ErrAway):
			// What the probes of an outage met is the cause, whenever the last was.
			err = out.target.Away(start)
		case err == nil || errors.Is(err, correlate.ErrNotDurable):
			err = out.target.NotDurable(start)
		}
		out.log.Warn("a chunk is given back to Fluent Bit for a retry", logging.ReasonKey, target.Class(err), "tag", tag, "err", err)
		return Retry, err
	}
}

var errPanic = errors.New("the last chunk made the code panic")

// timeout is how long a chunk may take on a worker's thread, or on the one that
// everything else of Fluent Bit's runs on.
func (out *Output) timeout(onWorker bool) time.Duration {
	if onWorker {
		return out.o.CommitTimeout
	}
	return out.o.EngineCommitTimeout
}

// tellRefused logs that records gave no event, by reason; the logger holds
// back repeats, for a minute. What is dropped on purpose is only counted, but
// for what an attacker may have forged.
func (out *Output) tellRefused() {
	s := out.engine.Stats()
	for _, r := range out.newlyRefused(&s) {
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
		out.log.LogAttrs(context.Background(), level, "records give no event", attrs...)
	}
	if g := s.Gateway; g.Hides() {
		out.log.Warn("one private address is behind nearly everything: a NAT or a container's bridge hides the attackers",
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
func (out *Output) newlyRefused(s *correlate.Stats) (grown []dialect.Reason) {
	out.mu.Lock()
	defer out.mu.Unlock()
	for _, r := range dialect.Reasons() {
		// Flushes overlap: the older of two counts may come second.
		if s.Refused[r] > out.refused[r] {
			out.refused[r] = s.Refused[r]
			grown = append(grown, r)
		}
	}
	return grown
}

// panicked decides about a chunk that made the code panic. It may be the
// chunk, and then it would come for ever.
func (out *Output) panicked(tag string, data []byte, p *panics.Panic) Code {
	id := correlate.ID(tag, data)
	n := out.suspect(id)
	out.Panicked(p, "chunk", id, "attempt", n)
	if n < maxPanics {
		return Retry
	}
	ctx, cancel := context.WithTimeout(context.Background(), closing)
	defer cancel()
	if err := out.target.BuryChunk(ctx, id, tag, data); err != nil {
		out.log.Error("a chunk can't be dead-lettered", "chunk", id, "err", err)
		return Retry
	}
	out.acquit(id)
	return Error
}

// suspect counts a panic over a chunk, and returns how many those are.
func (out *Output) suspect(id commit.ChunkID) int {
	out.mu.Lock()
	defer out.mu.Unlock()
	if len(out.suspects) >= maxSuspects {
		clear(out.suspects)
	}
	out.suspects[id]++
	return out.suspects[id]
}

// acquit forgets a chunk that is done.
func (out *Output) acquit(id commit.ChunkID) {
	out.mu.Lock()
	defer out.mu.Unlock()
	delete(out.suspects, id)
}

// Panicked counts and logs a panic over something of this output's.
func (out *Output) Panicked(p *panics.Panic, attrs ...any) {
	out.panics.Add(1)
	out.target.Erred(p.Error())
	logging.Panic(out.log, p, attrs...)
}

// Close ends the output. All its flushes have ended.
func (out *Output) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), closing)
	defer cancel()
	out.target.Leave(out.member)
	out.target.Close(ctx)
	out.log.Info("stopped")
}

// Series are the counters and gauges of the output: always the same ones in the same
// order.
func (out *Output) Series() []observe.Series { return out.series }

// Figures returns what the series show. What a target counts for all its outputs
// is given by the one that came first, so that sums over outputs are right.
func (out *Output) Figures() observe.Figures {
	return observe.Figures{
		Engine: out.engine.Stats(), Target: out.target.Figures(out.member),
		Panics: out.panics.Load(), LastChunk: out.lastDone(),
	}
}

// Histograms are those of the output. As with Figures, only the output that came
// first has the target's.
func (out *Output) Histograms() []prometheus.Collector {
	return []prometheus.Collector{out.chunks, out.target.Requests(out.member)}
}

// Health says why the output gets nothing done, nil where it does.
func (out *Output) Health() error {
	if err := out.target.Health(); err != nil {
		return err
	}
	out.mu.Lock()
	defer out.mu.Unlock()
	return out.failing
}

// commitTimeout is how long a chunk may take, and how long where Fluent Bit
// flushes on its engine's thread, if that is another time: which of them it is
// shows at the first flush.
func commitTimeout(o options.Options) string {
	if o.EngineCommitTimeout == o.CommitTimeout {
		return o.CommitTimeout.String()
	}
	return fmt.Sprintf("%s (%s without workers)", o.CommitTimeout, o.EngineCommitTimeout)
}
