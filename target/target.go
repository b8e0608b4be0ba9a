// Package target is one index prefix on one cluster: it is opened, set up,
// written to through one committer, says by heartbeats that it is there, and is
// closed. The outputs of a process that write to the same place share one; the
// command opens it without anything running behind it (Connect).
//
// # Locks
//
// Fluent Bit's threads (starts, flushes, exits), the metrics endpoint, the
// heartbeat and the committer's callbacks come in at any time, each from a
// goroutine of its own. So that they never wait for each other in a circle:
//
//   - Target.mu, Pool.mu, causes.mu and the lock of a shared.Pool are leaves, and
//     so is that of an output. While one is held nothing is called that can wait,
//     log, do I/O or take another lock: what is needed is copied under it, and
//     used after.
//   - Pool.limit may be held while the shared.Pool is asked, and nothing else.
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
package target

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"dossier/correlate"
	"dossier/correlate/commit"
	"dossier/correlate/dialect"
	"dossier/correlate/event"
	"dossier/correlate/law"
	"dossier/esindex"
	"dossier/esindex/deadletter"
	"dossier/panics"
	"dossier/plugin/logging"
	"dossier/plugin/observe/tracing"
	"dossier/plugin/options"
	"dossier/profile"
	"dossier/profile/enrich"
	"dossier/profile/rules"
)

const (
	// closing bounds how long an end waits for markers that are on their way.
	closing = 2 * time.Second
	// firstTry is how long the start of an output waits to say whether the
	// cluster is there. Fluent Bit doesn't start meanwhile.
	firstTry = 2 * time.Second
	// setupTimeout bounds one try to install the templates.
	setupTimeout = 30 * time.Second
	// minPause and maxPause bound the pause between tries.
	minPause, maxPause = time.Second, 5 * time.Second
)

// Host is what the process tells of itself.
type Host struct {
	// Version is Dossier's.
	Version string
	// Logger takes what is to be said.
	Logger *slog.Logger
}

// Target is one index prefix on one cluster: all writes to it go through one
// committer. The package's documentation says who may be called under its
// lock: nobody.
type Target struct {
	o    options.Options
	pool *Pool

	log       *slog.Logger
	link      *Connection
	indices   correlate.Indices
	cluster   cluster      // the link's client, as setting up needs it
	store     commit.Store // the link's
	letters   *deadletter.Box
	renderer  *profile.Renderer
	leftOut   atomic.Int64 // parts of documents that failed
	panics    atomic.Int64 // of no output in particular
	files     *enrich.Files
	rules     *rules.Set
	names     *enrich.Names
	committer *commit.Committer
	requests  *requests
	causes    causes
	// rank is that of the prefix's list key, nil until that is read. It is
	// read once: a prefix has one for ever.
	rank   atomic.Pointer[law.Rank]
	tracer *tracing.Tracer // nil where there is no tracing

	begun  time.Time
	cancel context.CancelFunc
	group  sync.WaitGroup
	// tried is closed when the first try to set up has ended, ready when one
	// has succeeded.
	tried, ready chan struct{}
	// connected is what was said of the cluster last; only set-up touches it.
	connected *esindex.Info
	// joined is closed when the first output is there.
	joined chan struct{}

	mu        sync.Mutex // a leaf: nothing is called while it is held
	err       error      // of the last try
	members   []*Member
	lastError string
	erredAt   time.Time
	twins     map[string]bool // by sensor: another process has its name
	told      map[string]told // by sensor: what its last heartbeat counted
}

// cluster is what of a client's calls setting up needs.
type cluster interface {
	Info(ctx context.Context) (esindex.Info, error)
	Identity(ctx context.Context) (esindex.Identity, error)
	Install(ctx context.Context, templates []esindex.Template) ([]esindex.Step, error)
	ListKey(ctx context.Context, templates []esindex.Template) ([esindex.ListKeySize]byte, error)
}

// open returns a target that sets itself up.
func open(p *Pool, o options.Options, h Host) (_ *Target, err error) {
	t := &Target{
		o: o, pool: p, log: h.Logger, indices: indices(o), begun: time.Now(),
		tried: make(chan struct{}), ready: make(chan struct{}), joined: make(chan struct{}),
		requests: newRequests(),
	}
	if err := t.openFiles(); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			at, cancel := context.WithTimeout(context.Background(), 0)
			defer cancel()
			t.closeTracer(at)
			t.closeFiles()
		}
	}()
	letters := letterOptions(o)
	letters.Dropped = t.dropped
	if t.letters, err = deadletter.Open(letters); err != nil {
		return nil, fmt.Errorf("dossier: option dead_letter_path: got %q, want a folder that can be written to (%w)", o.DeadLetterPath, err)
	}
	t.tellDefaults()
	if t.link, err = connect(o, h.Version, t.fileFault); err != nil {
		return nil, fmt.Errorf("dossier: %w", err)
	}
	t.cluster, t.store = t.link.Client, t.link.Store
	t.link.Store.OnPanic(t.panicked)
	t.openTracer(h.Version)
	model := modelOptions(o)
	model.Renderer = t.renderer
	model.Rank = t.ranked
	asked := &careful{t.store, t.letters, t.panicked}
	t.committer, err = commit.New(commit.Options{
		MachineOptions: machineOptions(o),
		Report:         t.report,
		Store:          asked,
		DeadLetters:    asked,
		Observe:        t.observe,
		Model:          correlate.NewModel(model),
	})
	if err != nil {
		return nil, err
	}
	t.start()
	return t, nil
}

// String names the target: its nodes and indices.
func (t *Target) String() string { return name(t.o) }

// NewEngine returns what commits the chunks of one output to the target; parser is of
// the output's options.
func (t *Target) NewEngine(o options.Options, parser *dialect.Parser) (*correlate.Engine, error) {
	return t.newEngine(engineOptions(o), parser)
}

// NewStoredEngine returns what commits records of stored logs to the target. Times
// without a year are of that year, or of the latest possible where it is 0; a line's
// own time is believed up to when the log was read first.
func (t *Target) NewStoredEngine(o options.Options, stored correlate.Stored, year int, read time.Time) (*correlate.Engine, error) {
	d, e := parserOptions(o), engineOptions(o)
	d.Year, d.Latest, e.Stored = year, event.FromTime(read), &stored
	parser, err := newParser(o, d)
	if err != nil {
		return nil, err
	}
	return t.newEngine(e, parser)
}

func (t *Target) newEngine(e correlate.Options, parser *dialect.Parser) (*correlate.Engine, error) {
	e.Committer, e.Parser, e.Annotator = t.committer, parser, annotator(t.renderer)
	e.Decode = decode
	e.BuryBroken = t.buryBroken
	return correlate.New(e)
}

// start sets up the cluster and writes heartbeats in the background until
// stop.
func (t *Target) start() {
	ctx, cancel := context.WithCancel(context.Background())
	t.cancel = cancel
	t.group.Go(func() {
		if t.setUp(ctx) {
			t.beat(ctx)
		}
	})
	if t.o.KnownScanners != "" || t.o.KnownGood != "" {
		t.group.Go(func() { t.watchLists(ctx, rules.ReloadEvery) })
	}
}

// watchLists reads the lists of known scanners again when they change, until ctx
// ends.
func (t *Target) watchLists(ctx context.Context, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		panics.Do("lists", t.panicked, func() {
			switch changed, err := t.rules.Reload(); {
			case err != nil:
				t.Erred(err.Error())
				t.log.Error("a changed list of known scanners can't be read; the one before stays in use", "err", err)
			case changed:
				t.log.Info("the list of known scanners is read again; dossier rejudge judges who doesn't come again", "date", t.rules.ScannersDate())
			}
		})
	}
}

func (t *Target) stop() {
	t.cancel()
	t.group.Wait()
}

// panicked is told of a panic that cost this target something, and no chunk.
func (t *Target) panicked(p *panics.Panic) {
	t.panics.Add(1)
	t.Erred(p.Error())
	logging.Panic(t.log, p)
}

// setUp tries until the cluster is as it must be; false when ctx ended it. A
// try that panics is one that failed.
func (t *Target) setUp(ctx context.Context) bool {
	pause := minPause
	for first := true; ; first = false {
		done := false
		panics.Do("set_up", t.panicked, func() { done = t.try(ctx, first) })
		if first {
			close(t.tried)
		}
		if done || ctx.Err() != nil {
			return done
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return false
		}
		pause = min(2*pause, maxPause)
	}
}

// try makes one try to set up, says how it ended, and returns whether the
// cluster is as it must be.
func (t *Target) try(ctx context.Context, first bool) bool {
	err := t.trySetUp(ctx)
	if ctx.Err() != nil {
		return false
	}
	t.failed(err)
	if err == nil {
		if !first {
			t.log.Info("Elasticsearch is ready", "target", t.String())
		}
		close(t.ready)
		return true
	}
	if first && isFinal(err) {
		return false // the start fails, which says it
	}
	if p, ok := errors.AsType[*panics.Panic](err); ok {
		t.panicked(p)
		return false
	}
	t.Erred(err.Error())
	t.log.Error("Elasticsearch is not ready, trying again", logging.ReasonKey, Class(err), "target", t.String(), "err", err)
	return false
}

// failed keeps how the last try to set up ended.
func (t *Target) failed(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.err = err
}

// lastTry returns how the last try to set up ended, nil before the first.
func (t *Target) lastTry() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.err
}

// isFinal says whether an error stays until somebody changes the options.
func isFinal(err error) bool {
	return errors.Is(err, esindex.ErrForeign) || errors.Is(err, esindex.ErrFixed) || errors.Is(err, esindex.ErrOverlap)
}

func (t *Target) trySetUp(ctx context.Context) (err error) {
	defer panics.Into(&err, "set_up")
	ctx, cancel := context.WithTimeout(ctx, setupTimeout)
	defer cancel()
	info, err := t.cluster.Info(ctx)
	if err == nil {
		err = info.Unfit()
	}
	if err != nil {
		return err
	}
	if t.o.APIKey != "" {
		if err := t.wrongKey(ctx); err != nil {
			return err
		}
	}
	if t.connected == nil || *t.connected != info {
		t.connected = &info
		t.log.Info("connected", "target", t.String(), "cluster", info.Cluster, "server", info.Product.String(), "version", info.Version)
	}
	if t.o.ManageTemplates {
		steps, err := t.cluster.Install(ctx, t.link.Templates)
		if err != nil {
			return mayNotInstall(err)
		}
		for _, s := range steps {
			t.log.Debug(s.String())
		}
	}
	key, err := t.cluster.ListKey(ctx, t.link.Templates)
	if err != nil {
		return err
	}
	rank := law.NewRank(key)
	t.rank.Store(&rank)
	return nil
}

// ranked returns the prefix's Rank. Nothing is folded before the target is
// ready, and then it is there.
func (t *Target) ranked() law.Rank {
	if r := t.rank.Load(); r != nil {
		return *r
	}
	panic("dossier: folding before the list key is read")
}

// firstTry waits a moment, from the target's beginning on, for the first try to
// set up, so that what it found is said while the output starts. Only an index
// that must never be written to is an error.
func (t *Target) firstTry() error {
	select {
	case <-t.tried:
	case <-time.After(time.Until(t.begun.Add(firstTry))):
		return nil
	}
	if err := t.lastTry(); isFinal(err) {
		return fmt.Errorf("dossier: %w", err)
	}
	return nil
}

func (t *Target) isReady() bool {
	select {
	case <-t.ready:
		return true
	default:
		return false
	}
}

// Health says why nothing can be written yet, nil where the cluster is set up.
func (t *Target) Health() error {
	if t.isReady() {
		return nil
	}
	if err := t.lastTry(); err != nil {
		return err
	}
	return ErrSettingUp
}

// Erred keeps the last error for the heartbeat.
func (t *Target) Erred(text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lastError, t.erredAt = text, time.Now()
}

// lastErred returns the last error, and when it was.
func (t *Target) lastErred() (text string, at time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.lastError, t.erredAt
}

// Wait returns nil as soon as the cluster is set up. Where a try has failed
// it doesn't wait: the caller may be the thread everything else runs on. The
// error is ErrSettingUp before the first try has ended.
func (t *Target) Wait(ctx context.Context) error {
	select {
	case <-t.ready:
		return nil
	default:
	}
	select {
	case <-t.ready:
		return nil
	case <-t.tried:
	case <-ctx.Done():
	}
	if err := t.lastTry(); err != nil {
		return err
	}
	return ErrSettingUp
}

// ErrSettingUp is returned while the first try to set up is under way.
var ErrSettingUp = errors.New("the indices are still being set up")

// BuryChunk dead-letters a whole chunk that makes the code panic, masked as
// store_secrets says.
func (t *Target) BuryChunk(ctx context.Context, id commit.ChunkID, tag string, data []byte) error {
	return t.buryBroken(ctx, correlate.Broken{Chunk: id, Tag: tag, Data: maskOptions(t.o).Broken(data), Reason: "panic"})
}

func (t *Target) buryBroken(ctx context.Context, b correlate.Broken) error {
	return t.letters.BuryBroken(ctx, deadletter.Broken{Chunk: b.Chunk, Tag: b.Tag, Offset: b.Offset, Data: b.Data, Reason: b.Reason, Unparsed: b.Unparsed})
}

// dropped says that the dead letters gave up records that no dialect knows.
func (t *Target) dropped(d deadletter.Dropped) {
	t.log.Warn("the dead letters are full; records that no dialect knows were given up", "letters", d.Letters, "bytes", d.Bytes)
}

// saying is how an incident is logged.
type saying struct {
	level slog.Level
	text  string
}

var incidents = map[commit.IncidentKind]saying{
	commit.Unreachable: {slog.LevelWarn, "Elasticsearch did not take it for now"},
	commit.Unreadable:  {slog.LevelError, "a stored state is corrupt or missing; its document is left alone and what belongs to it goes to the dead letters"},
	commit.Newer:       {slog.LevelError, "a newer version of Dossier wrote this document; it is left alone and its chunks wait in Fluent Bit"},
	commit.Panicked:    {slog.LevelError, logging.PanicText},
	commit.Buried:      {slog.LevelWarn, "this can't be written to its document, now or ever; it went to the dead letters"},
	commit.NotBuried:   {slog.LevelError, "the dead letters can't be written; the chunk waits in Fluent Bit"},
	commit.Full:        {slog.LevelWarn, "a document holds as many unsettled chunks as it may; further ones wait in Fluent Bit"},
	commit.AtRisk:      {slog.LevelError, "a chunk's id aged out before its marker was written; a redelivery now would count twice"},
	commit.EffectLost:  {slog.LevelWarn, "Elasticsearch will never take this transition; it is missing"},
}

// report says what the committer met. The committer holds no lock meanwhile.
func (t *Target) report(in commit.Incident) {
	defer panics.Catch("report", t.panicked)
	t.causes.note(in, time.Now())
	said, known := incidents[in.Kind]
	if !known {
		said = saying{slog.LevelWarn, string(in.Kind)}
	}
	if in.Err != nil {
		t.Erred(in.Err.Error())
	} else {
		t.Erred(said.text + ": " + in.Reason)
	}
	attrs := []slog.Attr{slog.String(logging.ReasonKey, incidentClass(in))}
	if in.Key.Index != "" {
		attrs = append(attrs, slog.String("index", in.Key.Index), slog.String("id", in.Key.ID))
	}
	if in.Err != nil {
		attrs = append(attrs, slog.Any("err", in.Err))
	} else if in.Reason != "" {
		attrs = append(attrs, slog.String("detail", in.Reason))
	}
	if in.Stack != nil {
		attrs = append(attrs, slog.String(logging.StackKey, string(in.Stack)))
	}
	if in.Count > 1 {
		attrs = append(attrs, slog.Int64("count", in.Count))
	}
	t.log.LogAttrs(context.Background(), said.level, said.text, attrs...)
}

// incidentClass is a word for an incident from a bounded set.
func incidentClass(in commit.Incident) string {
	switch in.Kind {
	case commit.Unreadable, commit.Newer, commit.Panicked:
		return string(in.Kind)
	}
	if in.Err != nil {
		return reason(in.Err)
	}
	word, _, _ := strings.Cut(in.Reason, ":")
	if word == "" || strings.ContainsAny(word, " /0123456789") {
		return string(in.Kind)
	}
	return word
}

func (t *Target) close(ctx context.Context) {
	t.stop()
	if err := t.closeCommitter(ctx); err != nil {
		t.log.Info("markers of the ledger are still to be written; the next delivery sees to it")
	}
	t.closeTracer(ctx)
	t.closeFiles()
}
