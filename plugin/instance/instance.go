// Package instance is the life of one output of Fluent Bit's: it is made from
// options, commits chunks, and ends. Outputs that write to the same indices
// of the same cluster share what talks to it.
package instance

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"dossier/correlate"
	"dossier/correlate/commit"
	"dossier/correlate/dialect"
	"dossier/correlate/event"
	"dossier/esindex"
	"dossier/plugin/chunk"
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

	mu       sync.Mutex
	suspects map[commit.ChunkID]int
	panics   int64
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
	t.join(i)
	i.log.Info("started", "version", h.Version, "sensor", o.SensorID, "target", t.name, "commit_timeout", o.CommitTimeout)
	return i, nil
}

func (i *Instance) newEngine(parser *dialect.Parser) (*correlate.Engine, error) {
	return correlate.New(correlate.Options{
		Committer:     i.target.committer,
		Indices:       i.target.indices,
		Decode:        func(a *event.Arena, data []byte) correlate.Records { return chunk.NewDecoder(data, a) },
		Parser:        parser,
		Annotator:     annotator(i.target.renderer),
		BuryBroken:    i.target.buryBroken,
		BuryUnparsed:  i.o.UnparsedDeadLetters,
		Sensor:        i.o.SensorID,
		ExcludeNets:   i.o.ExcludeNets,
		IPv6Prefix:    i.o.IPv6Prefix,
		Activity:      i.o.Activity,
		CommitTimeout: max(i.o.CommitTimeout, i.o.EngineCommitTimeout),
	})
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
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.failing = err; err == nil {
		i.lastOK = time.Now()
	}
	return code
}

// flush returns an error where the code is Retry.
func (i *Instance) flush(tag string, data []byte, onWorker bool) (code Code, err error) {
	defer func() {
		if p := recover(); p != nil {
			code, err = i.panicked(tag, data, p), errPanic
		}
	}()
	timeout := i.o.EngineCommitTimeout
	if onWorker {
		timeout = i.o.CommitTimeout
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	switch err := i.target.wait(ctx); {
	case errors.Is(err, errSettingUp):
		i.log.Warn("a chunk is given back to Fluent Bit: the indices are still being set up")
		return Retry, err
	case err != nil:
		i.log.Error("not ready to write, chunks are given back to Fluent Bit", logging.ReasonKey, reason(err), "err", err)
		return Retry, err
	}
	result, err := i.engine.Flush(ctx, tag, data)
	switch result {
	case correlate.OK:
		i.tellRefused()
		return OK, nil
	case correlate.Error:
		i.log.Error("a chunk can't be read and was dead-lettered", "tag", tag, "bytes", len(data), "err", err)
		return Error, nil
	default:
		if err == nil {
			err = errNotDurable
		}
		i.log.Warn("a chunk is given back to Fluent Bit for a retry", "tag", tag, "err", err)
		return Retry, err
	}
}

var (
	errPanic      = errors.New("the last chunk made the code panic")
	errNotDurable = errors.New("the last chunk is not durable yet")
)

// tellRefused logs that records gave no event, by reason; the logger holds
// back repeats, for a minute. What is dropped on purpose is only counted.
func (i *Instance) tellRefused() {
	s := i.engine.Stats()
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, r := range dialect.Reasons() {
		if s.Refused[r] == i.refused[r] {
			continue
		}
		i.refused[r] = s.Refused[r]
		level := slog.LevelInfo
		switch r.Class() {
		case dialect.Unparsed:
			level = slog.LevelWarn
		case dialect.Unattributed:
		default:
			continue
		}
		attrs := []slog.Attr{
			slog.String(logging.ReasonKey, r.String()), slog.String("verdict", r.Class().String()), slog.Int64("since_start", s.Refused[r]),
		}
		if s.Samples[r] != "" {
			attrs = append(attrs, slog.String("sample", s.Samples[r]))
		}
		i.log.LogAttrs(context.Background(), level, "records give no event", attrs...)
	}
}

// panicked decides about a chunk that made the code panic. It may be the
// chunk, and then it would come for ever.
func (i *Instance) panicked(tag string, data []byte, p any) Code {
	id := correlate.ID(tag, data)
	i.mu.Lock()
	if len(i.suspects) >= maxSuspects {
		clear(i.suspects)
	}
	i.suspects[id]++
	n := i.suspects[id]
	i.panics++
	i.mu.Unlock()
	i.log.Error("panic: this is a defect of Dossier, please report it", logging.ReasonKey, "flush", "chunk", id, "attempt", n,
		"panic", fmt.Sprint(p), logging.StackKey, string(debug.Stack()))
	if n < maxPanics {
		return Retry
	}
	ctx, cancel := context.WithTimeout(context.Background(), closing)
	defer cancel()
	err := i.target.buryBroken(ctx, correlate.Broken{Chunk: id, Tag: tag, Data: correlate.WithoutLocalParts(data), Reason: "panic"})
	if err != nil {
		i.log.Error("a chunk can't be dead-lettered", "chunk", id, "err", err)
		return Retry
	}
	i.mu.Lock()
	delete(i.suspects, id)
	i.mu.Unlock()
	return Error
}

// Close ends the instance. All its flushes have ended.
func (i *Instance) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), closing)
	defer cancel()
	i.target.leave(i)
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
