package instance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"dossier/correlate"
	"dossier/correlate/commit"
	"dossier/correlate/law"
	"dossier/esindex"
	"dossier/esindex/deadletter"
	"dossier/panics"
	"dossier/plugin/logging"
	"dossier/plugin/options"
	"dossier/plugin/tracing"
	"dossier/profile"
	"dossier/profile/enrich"
)

const (
	// firstTry is how long the start of an instance waits to say whether the
	// cluster is there. Fluent Bit doesn't start meanwhile.
	firstTry = 2 * time.Second
	// setupTimeout bounds one try to install the templates.
	setupTimeout = 30 * time.Second
	// minPause and maxPause bound the pause between tries.
	minPause, maxPause = time.Second, 5 * time.Second
)

// target is one index prefix on one cluster: all writes to it go through one
// committer. The package's documentation says who may be called under its
// lock: nobody.
type target struct {
	name string
	o    options.Options

	log       *slog.Logger
	indices   correlate.Indices
	client    *esindex.Client
	cluster   cluster // the client, as setting up needs it
	store     commit.Store
	templates []esindex.Template
	letters   *deadletter.Box
	renderer  *profile.Renderer
	leftOut   atomic.Int64 // parts of documents that failed
	panics    atomic.Int64 // of no instance in particular
	files     *enrich.Files
	names     *enrich.Names
	committer *commit.Committer
	requests  *allRequests
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
	// joined is closed when the first instance is there.
	joined chan struct{}

	mu        sync.Mutex // a leaf: nothing is called while it is held
	err       error      // of the last try
	instances []*Instance
	lastError string
	erredAt   time.Time
	twins     map[string]bool // by sensor: another process has its name
}

// cluster is what of a client's calls setting up needs.
type cluster interface {
	Info(ctx context.Context) (esindex.Info, error)
	Identity(ctx context.Context) (esindex.Identity, error)
	Install(ctx context.Context, templates []esindex.Template) ([]esindex.Step, error)
	ListKey(ctx context.Context, templates []esindex.Template) ([esindex.ListKeySize]byte, error)
}

func newTarget(o options.Options, h Host) (_ *target, err error) {
	t := &target{
		o: o, log: h.Logger, indices: indices(o), name: targetName(o), begun: time.Now(),
		tried: make(chan struct{}), ready: make(chan struct{}), joined: make(chan struct{}),
		requests: newRequestHistograms(),
	}
	if t.templates, err = Templates(o); err != nil {
		return nil, err
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
	link := clientOptions(o, h.Version)
	link.OnFault = t.fileFault
	t.tellDefaults()
	if t.client, err = esindex.New(link); err != nil {
		return nil, fmt.Errorf("dossier: %w", err)
	}
	t.cluster = t.client
	store, err := esindex.NewStore(t.client, t.templates)
	if err != nil {
		return nil, err
	}
	store.OnPanic(t.panicked)
	t.store = store
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

// start sets up the cluster and writes heartbeats in the background until
// stop.
func (t *target) start() {
	ctx, cancel := context.WithCancel(context.Background())
	t.cancel = cancel
	t.group.Go(func() {
		if t.setUp(ctx) {
			t.beat(ctx)
		}
	})
}

func (t *target) stop() {
	t.cancel()
	t.group.Wait()
}

// panicked is told of a panic that cost this target something, and no chunk.
func (t *target) panicked(p *panics.Panic) {
	t.panics.Add(1)
	t.erred(p.Error())
	logging.Panic(t.log, p)
}

// Templates returns the templates of all indices as esindex takes them.
func Templates(o options.Options) ([]esindex.Template, error) {
	made, err := profile.Templates(templateOptions(o))
	if err != nil {
		return nil, err
	}
	out := make([]esindex.Template, len(made))
	for i, m := range made {
		var body struct {
			Patterns []string        `json:"index_patterns"`
			Template json.RawMessage `json:"template"`
		}
		if err := json.Unmarshal(m.Body, &body); err != nil || len(body.Patterns) != 1 {
			return nil, fmt.Errorf("dossier: template %s is not as expected: %v", m.Name, err)
		}
		out[i] = esindex.Template{
			Name: m.Name, Pattern: body.Patterns[0], Version: profile.SchemaVersion, Body: body.Template,
			Monthly: m.Kind.Monthly(), Homes: m.Kind == profile.Chunks,
		}
		switch m.Kind {
		case profile.Attackers, profile.Targets, profile.Activity, profile.Transitions:
			out[i].Fixed = map[string]string{"ipv6_prefix": strconv.Itoa(o.IPv6Prefix)}
		}
		if m.Kind == profile.Attackers {
			out[i].ListKey = profile.ListKeyField
		}
		if old := profile.RetiredAlias(o.IndexPrefix); m.Kind == profile.Attackers && old != "" {
			out[i].Retired = []string{old}
		}
	}
	return out, nil
}

// setUp tries until the cluster is as it must be; false when ctx ended it. A
// try that panics is one that failed.
func (t *target) setUp(ctx context.Context) bool {
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
func (t *target) try(ctx context.Context, first bool) bool {
	err := t.trySetUp(ctx)
	if ctx.Err() != nil {
		return false
	}
	t.failed(err)
	if err == nil {
		if !first {
			t.log.Info("Elasticsearch is ready", "target", t.name)
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
	t.erred(err.Error())
	t.log.Error("Elasticsearch is not ready, trying again", logging.ReasonKey, reason(err), "target", t.name, "err", err)
	return false
}

// failed keeps how the last try to set up ended.
func (t *target) failed(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.err = err
}

// lastTry returns how the last try to set up ended, nil before the first.
func (t *target) lastTry() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.err
}

// isFinal says whether an error stays until somebody changes the options.
func isFinal(err error) bool {
	return errors.Is(err, esindex.ErrForeign) || errors.Is(err, esindex.ErrFixed) || errors.Is(err, esindex.ErrOverlap)
}

func (t *target) trySetUp(ctx context.Context) (err error) {
	defer panics.Into(&err, "set_up")
	ctx, cancel := context.WithTimeout(ctx, setupTimeout)
	defer cancel()
	info, err := t.cluster.Info(ctx)
	if err != nil {
		return err
	}
	if t.o.APIKey != "" {
		if err := t.wrongKey(ctx); err != nil {
			return err
		}
	}
	t.log.Info("connected", "target", t.name, "cluster", info.Cluster, "version", info.Version)
	if t.o.ManageTemplates {
		steps, err := t.cluster.Install(ctx, t.templates)
		if err != nil {
			return err
		}
		for _, s := range steps {
			t.log.Debug(s.String())
		}
	}
	key, err := t.cluster.ListKey(ctx, t.templates)
	if err != nil {
		return err
	}
	rank := law.NewRank(key)
	t.rank.Store(&rank)
	return nil
}

// ranked returns the prefix's Rank. Nothing is folded before the target is
// ready, and then it is there.
func (t *target) ranked() law.Rank {
	if r := t.rank.Load(); r != nil {
		return *r
	}
	panic("dossier: folding before the list key is read")
}

// firstTry waits a moment, from the target's beginning on, for the first try to
// set up, so that what it found is said while the output starts. Only an index
// that must never be written to is an error.
func (t *target) firstTry() error {
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

func (t *target) isReady() bool {
	select {
	case <-t.ready:
		return true
	default:
		return false
	}
}

// join and leave tell the target of its instances.
func (t *target) join(i *Instance) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.instances = append(t.instances, i); len(t.instances) == 1 {
		close(t.joined)
	}
}

func (t *target) leave(i *Instance) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.instances = slices.DeleteFunc(t.instances, func(other *Instance) bool { return other == i })
}

// statsFor returns what the target did for the one instance that reports it,
// the first; zeros for the others.
func (t *target) statsFor(i *Instance) commit.Stats {
	if !t.isFirst(i) {
		return commit.Stats{}
	}
	return t.committer.Stats()
}

func (t *target) isFirst(i *Instance) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.instances) > 0 && t.instances[0] == i
}

// all returns a copy of the instances, in the order in which they came.
func (t *target) all() []*Instance {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.instances)
}

// erred keeps the last error for the heartbeat.
func (t *target) erred(text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lastError, t.erredAt = text, time.Now()
}

// lastErred returns the last error, and when it was.
func (t *target) lastErred() (text string, at time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.lastError, t.erredAt
}

// wait returns nil as soon as the cluster is set up. Where a try has failed
// it doesn't wait: the caller may be the thread everything else runs on.
func (t *target) wait(ctx context.Context) error {
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
	return errSettingUp
}

var errSettingUp = errors.New("the indices are still being set up")

func (t *target) buryBroken(ctx context.Context, b correlate.Broken) error {
	return t.letters.BuryBroken(ctx, deadletter.Broken{Chunk: b.Chunk, Tag: b.Tag, Offset: b.Offset, Data: b.Data, Reason: b.Reason, Unparsed: b.Unparsed})
}

// dropped says that the dead letters gave up records that no dialect knows.
func (t *target) dropped(d deadletter.Dropped) {
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
func (t *target) report(in commit.Incident) {
	defer panics.Catch("report", t.panicked)
	t.causes.note(in, time.Now())
	said, known := incidents[in.Kind]
	if !known {
		said = saying{slog.LevelWarn, string(in.Kind)}
	}
	if in.Err != nil {
		t.erred(in.Err.Error())
	} else {
		t.erred(said.text + ": " + in.Reason)
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

func (t *target) close(ctx context.Context) {
	t.stop()
	if err := t.closeCommitter(ctx); err != nil {
		t.log.Info("markers of the ledger are still to be written; the next delivery sees to it")
	}
	t.closeTracer(ctx)
	t.closeFiles()
}
