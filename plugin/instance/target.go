package instance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"dossier/correlate"
	"dossier/correlate/commit"
	"dossier/esindex"
	"dossier/esindex/deadletter"
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

	mu sync.Mutex
	by map[string]*target
}

// target is one index prefix on one cluster: all writes to it go through one
// committer.
type target struct {
	key, name string
	o         options.Options
	users     int

	log       *slog.Logger
	indices   correlate.Indices
	client    *esindex.Client
	store     *esindex.Store
	templates []esindex.Template
	letters   *deadletter.Box
	renderer  *profile.Renderer
	leftOut   atomic.Int64 // parts of documents that failed
	files     *enrich.Files
	names     *enrich.Names
	committer *commit.Committer
	requests  *allRequests
	tracer    *tracing.Tracer // nil where there is no tracing

	cancel context.CancelFunc
	group  sync.WaitGroup
	// tried is closed when the first try to set up has ended, ready when one
	// has succeeded.
	tried, ready chan struct{}
	// joined is closed when the first instance is there.
	joined chan struct{}

	mu        sync.Mutex
	err       error // of the last try
	instances []*Instance
	lastError string
	erredAt   time.Time
}

// acquire returns the target of o, which release gives back.
func (ts *Targets) acquire(o options.Options, h Host) (*target, error) {
	hosts := slices.Sorted(slices.Values(o.Hosts))
	key := strings.Join(append(hosts, o.CloudID, o.IndexPrefix), " ")
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if t := ts.by[key]; t != nil {
		if option := t.o.Disagrees(&o); option != "" {
			return nil, fmt.Errorf("dossier: option %s: differs from that of another output with the same es_hosts and index_prefix, want the same value on both", option)
		}
		t.users++
		return t, nil
	}
	t, err := newTarget(o, h)
	if err != nil {
		return nil, err
	}
	t.key, t.users = key, 1
	if ts.by == nil {
		ts.by = make(map[string]*target)
	}
	ts.by[key] = t
	ts.limitMemory()
	if err := t.firstTry(); err != nil {
		ts.close(context.Background(), t)
		return nil, err
	}
	return t, nil
}

// begin counts a chunk under way until end. Each worker of Fluent Bit holds one
// more, so with the first that many at a time memory may grow by what they
// take: else a backlog is collected as garbage over and over, in a third of the
// time it takes.
func (ts *Targets) begin() {
	n := ts.flushing.Add(1)
	// Who makes or ends a target holds the lock for seconds: the next chunk
	// tries again.
	if n <= ts.most.Load() || !ts.mu.TryLock() {
		return
	}
	defer ts.mu.Unlock()
	ts.most.Store(max(n, ts.most.Load()))
	ts.limitMemory()
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
	if len(ts.by) > 0 {
		debug.SetGCPercent(collectAt)
	} else {
		debug.SetGCPercent(100)
	}
	limit := int64(math.MaxInt64)
	if len(ts.by) > 0 {
		limit = workingMemory + ts.most.Load()*chunkMemory
		for _, t := range ts.by {
			limit += t.o.CacheSize
		}
	}
	debug.SetMemoryLimit(limit)
}

// release gives t back; the last one ends it, by ctx at the latest.
func (ts *Targets) release(ctx context.Context, t *target) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if t.users--; t.users == 0 {
		ts.close(ctx, t)
	}
}

func (ts *Targets) close(ctx context.Context, t *target) {
	delete(ts.by, t.key)
	t.close(ctx)
	ts.limitMemory()
}

func newTarget(o options.Options, h Host) (_ *target, err error) {
	t := &target{
		o: o, log: h.Logger, indices: correlate.Indices{Prefix: o.IndexPrefix},
		name:  targetName(o),
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
	if t.letters, err = deadletter.Open(deadletter.Options{Path: o.DeadLetterPath, Encode: correlate.EncodeDelta, Dropped: t.dropped}); err != nil {
		return nil, fmt.Errorf("dossier: option dead_letter_path: got %q, want a folder that can be written to (%w)", o.DeadLetterPath, err)
	}
	if t.client, err = esindex.New(clientOptions(o, h.Version)); err != nil {
		return nil, fmt.Errorf("dossier: %w", err)
	}
	if t.store, err = esindex.NewStore(t.client, t.templates); err != nil {
		return nil, err
	}
	t.openTracer(h.Version)
	t.committer, err = commit.New(commit.Options{
		MachineOptions: commit.MachineOptions{Ledger: t.indices.Ledger, CacheBytes: o.CacheSize},
		Report:         t.report,
		Store:          t.store,
		DeadLetters:    t.letters,
		Observe:        t.observe,
		Model: correlate.NewModel(correlate.ModelOptions{
			Renderer: t.renderer, Indices: t.indices, Activity: o.Activity, Transitions: true,
		}),
	})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	t.cancel = cancel
	t.group.Go(func() {
		if t.setUp(ctx) {
			t.beat(ctx)
		}
	})
	return t, nil
}

func targetName(o options.Options) string {
	where := strings.Join(o.Hosts, ",")
	if where == "" {
		name, _, _ := strings.Cut(o.CloudID, ":")
		where = "cloud:" + name
	}
	return where + "/" + o.IndexPrefix + "-*"
}

func clientOptions(o options.Options, version string) esindex.Options {
	e := esindex.Options{
		Hosts: o.Hosts, CloudID: o.CloudID,
		User: o.User, PasswordFile: o.PasswordFile, APIKeyFile: o.APIKeyFile,
		CAFile: o.CAFile, ClientCert: o.ClientCert, ClientKey: o.ClientKey, TLSSkipVerify: !o.TLSVerify,
		Compress: map[options.Compress]esindex.Compress{
			options.CompressAuto: esindex.CompressAuto, options.CompressOn: esindex.CompressOn, options.CompressOff: esindex.CompressOff,
		}[o.Compress],
		UserAgent: "dossier/" + version,
	}
	// Where there is a file the client reads it itself, and again when it
	// changes.
	if e.PasswordFile == "" {
		e.Password = o.Password.Reveal()
	}
	if e.APIKeyFile == "" {
		e.APIKey = o.APIKey.Reveal()
	}
	return e
}

// Templates returns the templates of all indices as esindex takes them.
func Templates(o options.Options) ([]esindex.Template, error) {
	p := profile.TemplateOptions{
		Prefix: o.IndexPrefix, Shards: o.Shards, IPv6Prefix: o.IPv6Prefix,
		RefreshInterval: strconv.FormatInt(o.RefreshInterval.Milliseconds(), 10) + "ms",
	}
	if o.Replicas != options.ReplicasAuto {
		p.Replicas = strconv.Itoa(o.Replicas)
	}
	made, err := profile.Templates(p)
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
		}
		switch m.Kind {
		case profile.Attackers, profile.Targets, profile.Activity, profile.Transitions:
			out[i].Fixed = map[string]string{"ipv6_prefix": strconv.Itoa(o.IPv6Prefix)}
		}
	}
	return out, nil
}

// setUp tries until the cluster is as it must be; false when ctx ended it.
func (t *target) setUp(ctx context.Context) bool {
	pause := minPause
	for first := true; ; first = false {
		err := t.trySetUp(ctx)
		if ctx.Err() != nil {
			return false
		}
		t.mu.Lock()
		t.err = err
		t.mu.Unlock()
		switch {
		case err == nil:
			if !first {
				t.log.Info("Elasticsearch is ready", "target", t.name)
			}
			close(t.ready)
		case first && isFinal(err):
			// The start fails, which says it.
		default:
			t.erred(err.Error())
			t.log.Error("Elasticsearch is not ready, trying again", logging.ReasonKey, reason(err), "target", t.name, "err", err)
		}
		if first {
			close(t.tried)
		}
		if err == nil {
			return true
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return false
		}
		pause = min(2*pause, maxPause)
	}
}

// isFinal says whether an error stays until somebody changes the options.
func isFinal(err error) bool {
	return errors.Is(err, esindex.ErrForeign) || errors.Is(err, esindex.ErrFixed)
}

func (t *target) trySetUp(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, setupTimeout)
	defer cancel()
	info, err := t.client.Info(ctx)
	if err != nil {
		return err
	}
	t.log.Info("connected", "target", t.name, "cluster", info.Cluster, "version", info.Version)
	if !t.o.ManageTemplates {
		return nil
	}
	steps, err := t.client.Install(ctx, t.templates)
	if err != nil {
		return err
	}
	for _, s := range steps {
		t.log.Debug(s.String())
	}
	return nil
}

// firstTry waits a moment for the first try to set up, so that what it found
// is said while the output starts. Only an index that must never be written
// to is an error.
func (t *target) firstTry() error {
	select {
	case <-t.tried:
	case <-time.After(firstTry):
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if isFinal(t.err) {
		return fmt.Errorf("dossier: %w", t.err)
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

// erred keeps the last error for the heartbeat.
func (t *target) erred(text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lastError, t.erredAt = text, time.Now()
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
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.err == nil {
		return errSettingUp
	}
	return t.err
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
	commit.Panicked:    {slog.LevelError, "panic: this is a defect of Dossier, please report it"},
	commit.Buried:      {slog.LevelWarn, "this can't be written to its document, now or ever; it went to the dead letters"},
	commit.NotBuried:   {slog.LevelError, "the dead letters can't be written; the chunk waits in Fluent Bit"},
	commit.Full:        {slog.LevelWarn, "a document holds as many unsettled chunks as it may; further ones wait in Fluent Bit"},
	commit.AtRisk:      {slog.LevelError, "a chunk's id aged out before its marker was written; a redelivery now would count twice"},
	commit.EffectLost:  {slog.LevelWarn, "Elasticsearch will never take this transition; it is missing"},
}

// report says what the committer met. The committer holds no lock meanwhile.
func (t *target) report(in commit.Incident) {
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
	t.cancel()
	t.group.Wait()
	if err := t.closeCommitter(ctx); err != nil {
		t.log.Info("markers of the ledger are still to be written; the next delivery sees to it")
	}
	t.closeTracer(ctx)
	t.closeFiles()
}
