package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"dossier/correlate"
	"dossier/correlate/commit"
	"dossier/correlate/dialect"
	"dossier/correlate/event"
	"dossier/esindex"
	chunks "dossier/plugin/chunk"
	"dossier/profile"
	"dossier/testbed/memory"
)

// rig is what the plugin consists of, without Fluent Bit: an engine, its
// committer and a store.
type rig struct {
	prefix    string
	engine    *correlate.Engine
	committer *commit.Committer
	observed  observed
	close     func() error
}

// observed is what the requests were.
type observed struct {
	trace             bool // print each request
	mu                sync.Mutex
	writes            int
	documents         int
	reading, writing  time.Duration
	largest           int
	duplicateInWrites int
}

func (o *observed) see(_ context.Context, r *commit.Request, a commit.Answer, took time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.trace {
		size := 0
		for i := range r.Ops {
			size += len(r.Ops[i].Body)
		}
		fmt.Printf("        %s %-5s %5d keys, %5d operations (%.1f MB) for %d chunks: %v, error %v\n", time.Now().Format("05.000"),
			[]string{"read", "write", "bury"}[r.Kind], len(r.Keys), len(r.Ops), float64(size)/1e6, r.Chunks, took.Round(time.Millisecond), a.Err)
	}
	switch r.Kind {
	case commit.Read:
		o.reading += took
	case commit.Write:
		o.writes++
		o.writing += took
		o.documents += len(r.Ops)
		o.largest = max(o.largest, len(r.Ops))
		seen := make(map[commit.Key]bool, len(r.Ops))
		for i := range r.Ops {
			if seen[r.Ops[i].Key] {
				o.duplicateInWrites++
			}
			seen[r.Ops[i].Key] = true
		}
	}
}

// rigOptions vary a rig.
type rigOptions struct {
	prefix   string
	sensor   string
	activity bool
	trace    bool
	store    interface {
		commit.Store
		commit.DeadLetters
	}
}

func newRig(o rigOptions, url string) (*rig, error) {
	renderer, err := profile.New(profile.Options{})
	if err != nil {
		return nil, err
	}
	parser, err := dialect.New(dialect.Options{})
	if err != nil {
		return nil, err
	}
	r := &rig{prefix: o.prefix, observed: observed{trace: o.trace}, close: func() error { return nil }}
	ix := correlate.Indices{Prefix: o.prefix}
	c := commit.Options{
		MachineOptions: commit.MachineOptions{Ledger: ix.Ledger, RequestTimeout: time.Minute},
		Observe:        r.observed.see,
		Model: correlate.NewModel(correlate.ModelOptions{
			Renderer: renderer, Indices: ix, Activity: o.activity, Transitions: true,
		}),
	}
	if o.store != nil {
		c.Store, c.DeadLetters = o.store, o.store
	} else {
		client, templates, err := install(o.prefix, url)
		if err != nil {
			return nil, err
		}
		r.close = client.Close
		if c.Store, err = esindex.NewStore(client, templates); err != nil {
			return nil, err
		}
		c.DeadLetters = memory.Nothing{}
	}
	if r.committer, err = commit.New(c); err != nil {
		return nil, err
	}
	annotator, _ := any(renderer).(correlate.Annotator)
	r.engine, err = correlate.New(correlate.Options{
		Committer: r.committer, Indices: ix, Parser: parser, Annotator: annotator, Sensor: o.sensor, Activity: o.activity,
		Decode:        func(a *event.Arena, data []byte) correlate.Records { return chunks.NewDecoder(data, a) },
		BuryBroken:    func(context.Context, correlate.Broken) error { return errors.New("a broken chunk in a benchmark") },
		CommitTimeout: 2 * time.Minute,
	})
	return r, err
}

// install installs the templates of all indices.
func install(prefix, url string) (*esindex.Client, []esindex.Template, error) {
	templates, err := templates(prefix)
	if err != nil {
		return nil, nil, err
	}
	client, err := esindex.New(esindex.Options{Hosts: []string{url}})
	if err != nil {
		return nil, nil, err
	}
	_, err = client.Install(context.Background(), templates)
	return client, templates, err
}

// templates returns the templates of all indices as esindex takes them.
func templates(prefix string) ([]esindex.Template, error) {
	made, err := profile.Templates(profile.TemplateOptions{Prefix: prefix})
	if err != nil {
		return nil, err
	}
	out := make([]esindex.Template, len(made))
	for i, m := range made {
		out[i] = esindex.Template{Name: m.Name, Pattern: m.Pattern, Version: profile.SchemaVersion, Body: m.Body}
	}
	return out, nil
}

// without has chunks go through a rig whose store is no node, and returns what
// its committer did.
func without(ctx context.Context, o rigOptions, list []chunk, workers int) (commit.Stats, error) {
	r, err := newRig(o, "")
	if err != nil {
		return commit.Stats{}, err
	}
	if _, err := r.deliver(ctx, list, workers); err != nil {
		return commit.Stats{}, err
	}
	end, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	err = r.end(end)
	return r.committer.Stats(), err
}

// end waits for the markers and closes the rig.
func (r *rig) end(ctx context.Context) error {
	if err := r.committer.Close(ctx); err != nil {
		return err
	}
	return r.close()
}

// acknowledged is when how many records were durable.
type acknowledged struct {
	at      time.Duration
	records int
}

// deliver has the chunks flushed by so many workers and returns when each was
// durable.
func (r *rig) deliver(ctx context.Context, list []chunk, workers int) ([]acknowledged, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var (
		group sync.WaitGroup
		mu    sync.Mutex
		acks  []acknowledged
		next  atomic.Int64
	)
	start := time.Now()
	for range workers {
		group.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(list) || ctx.Err() != nil {
					return
				}
				result, err := r.engine.Flush(ctx, "bench", list[i].data)
				if err == nil && result != correlate.OK {
					err = fmt.Errorf("result %d", result)
				}
				if err != nil {
					cancel(fmt.Errorf("chunk %d: %w", i, err))
					return
				}
				mu.Lock()
				acks = append(acks, acknowledged{time.Since(start), list[i].records})
				mu.Unlock()
			}
		})
	}
	group.Wait()
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	return acks, nil
}

// rate returns records per second.
func rate(acks []acknowledged) float64 {
	if len(acks) == 0 {
		return 0
	}
	n := 0
	for _, a := range acks {
		n += a.records
	}
	return float64(n) / acks[len(acks)-1].at.Seconds()
}

// ask sends a request to the node. Every status but 2xx is an error.
func (b *bench) ask(ctx context.Context, method, path string, body any) (map[string]any, error) {
	code, answer, err := b.node.Do(ctx, method, path, body)
	if err == nil && code > 299 {
		err = fmt.Errorf("%s %s: HTTP %d: %v", method, path, code, answer)
	}
	return answer, err
}

// nodeTime returns the processor time that the nodes have used so far. It
// waits first: a node looks at its own figures once a second.
func (b *bench) nodeTime(ctx context.Context) (time.Duration, error) {
	if err := sleep(ctx, 1100*time.Millisecond); err != nil {
		return 0, err
	}
	answer, err := b.ask(ctx, "GET", "/_nodes/stats/process", nil)
	if err != nil {
		return 0, err
	}
	sum := 0.0
	nodes, _ := answer["nodes"].(map[string]any)
	for _, n := range nodes {
		ms, _ := dig(n, "process", "cpu", "total_in_millis").(float64)
		sum += ms
	}
	return time.Duration(sum) * time.Millisecond, nil
}

// since returns the processor time that the nodes have used since.
func (b *bench) since(ctx context.Context, start time.Duration) (time.Duration, error) {
	now, err := b.nodeTime(ctx)
	return now - start, err
}

// ownTime returns the processor time that this process has used so far.
func ownTime() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// drop deletes all indices that a pattern names.
func (b *bench) drop(ctx context.Context, pattern string) error {
	found, err := b.ask(ctx, "GET", "/"+pattern+"/_settings?flat_settings=true&ignore_unavailable=true&allow_no_indices=true", nil)
	if err != nil || len(found) == 0 {
		return err
	}
	_, err = b.ask(ctx, "DELETE", "/"+strings.Join(slices.Collect(maps.Keys(found)), ","), nil)
	return err
}

// onDisk merges the indices under a pattern and returns their size.
func (b *bench) onDisk(ctx context.Context, pattern string) (bytes, documents float64, err error) {
	for _, step := range []string{"/_forcemerge?max_num_segments=1&wait_for_completion=true", "/_flush"} {
		if _, err := b.ask(ctx, "POST", "/"+pattern+step, nil); err != nil {
			return 0, 0, err
		}
	}
	answer, err := b.ask(ctx, "GET", "/"+pattern+"/_stats/store,docs", nil)
	if err != nil {
		return 0, 0, err
	}
	bytes, _ = dig(answer, "_all", "primaries", "store", "size_in_bytes").(float64)
	documents, _ = dig(answer, "_all", "primaries", "docs", "count").(float64)
	return bytes, documents, nil
}

// dig follows a path through JSON objects.
func dig(v any, path ...string) any {
	for _, name := range path {
		m, _ := v.(map[string]any)
		v = m[name]
	}
	return v
}
