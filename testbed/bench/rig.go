package main

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"dossier/correlate"
	"dossier/correlate/commit"
	"dossier/correlate/dialect"
	"dossier/correlate/event"
	"dossier/esindex"
	chunks "dossier/plugin/chunk"
	"dossier/profile"
)

// rig is what the plugin consists of, without Fluent Bit: an engine, its
// committer and a store.
type rig struct {
	prefix    string
	engine    *correlate.Engine
	committer *commit.Committer
	// last has the operations by index of the last write.
	observed observed
	close    func() error
}

// observed is what the requests were.
type observed struct {
	mu                sync.Mutex
	writes            int
	documents         int
	reading, writing  time.Duration
	largest           int
	duplicateInWrites int
}

func (o *observed) see(_ context.Context, r *commit.Request, took time.Duration, _ error) {
	o.mu.Lock()
	defer o.mu.Unlock()
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
	store    interface {
		commit.Store
		commit.DeadLetters
	}
}

// noLetters takes no dead letters: a benchmark has none.
type noLetters struct{}

func (noLetters) Bury(context.Context, []commit.Letter) error {
	return fmt.Errorf("a dead letter in a benchmark")
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
	r := &rig{prefix: o.prefix, close: func() error { return nil }}
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
		templates, err := templates(o.prefix)
		if err != nil {
			return nil, err
		}
		client, err := esindex.New(esindex.Options{Hosts: []string{url}})
		if err != nil {
			return nil, err
		}
		r.close = client.Close
		if _, err := client.Install(context.Background(), templates); err != nil {
			return nil, err
		}
		if c.Store, err = esindex.NewStore(client, templates); err != nil {
			return nil, err
		}
		c.DeadLetters = noLetters{}
	}
	if r.committer, err = commit.New(c); err != nil {
		return nil, err
	}
	annotator, _ := any(renderer).(correlate.Annotator)
	r.engine, err = correlate.New(correlate.Options{
		Committer: r.committer, Indices: ix, Parser: parser, Annotator: annotator, Sensor: o.sensor, Activity: o.activity,
		Decode:        func(a *event.Arena, data []byte) correlate.Records { return chunks.NewDecoder(data, a) },
		BuryBroken:    func(context.Context, correlate.Broken) error { return fmt.Errorf("a broken chunk in a benchmark") },
		CommitTimeout: 2 * time.Minute,
	})
	return r, err
}

// templates returns the templates of all indices as esindex takes them.
func templates(prefix string) ([]esindex.Template, error) {
	made, err := profile.Templates(profile.TemplateOptions{Prefix: prefix})
	if err != nil {
		return nil, err
	}
	out := make([]esindex.Template, len(made))
	for i, m := range made {
		var body struct {
			Patterns []string        `json:"index_patterns"`
			Template json.RawMessage `json:"template"`
		}
		if err := json.Unmarshal(m.Body, &body); err != nil {
			return nil, err
		}
		out[i] = esindex.Template{Name: m.Name, Pattern: body.Patterns[0], Version: profile.SchemaVersion, Body: body.Template}
	}
	return out, nil
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
				if err != nil || result != correlate.OK {
					cancel(fmt.Errorf("chunk %d: result %d, %w", i, result, err))
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

// drop deletes everything under a prefix.
func (b *bench) drop(ctx context.Context, prefix string) error {
	for _, path := range []string{"/" + prefix + "-*", "/" + prefix} {
		if code, answer, err := b.node.Do(ctx, "DELETE", path+"?ignore_unavailable=true&expand_wildcards=all", nil); err != nil || code > 299 && code != 404 {
			return fmt.Errorf("delete %s: HTTP %d, %v, %w", path, code, answer, err)
		}
	}
	return nil
}

// onDisk merges the indices under a prefix and returns their size.
func (b *bench) onDisk(ctx context.Context, pattern string) (bytes float64, documents float64, err error) {
	if code, _, err := b.node.Do(ctx, "POST", "/"+pattern+"/_forcemerge?max_num_segments=1&wait_for_completion=true", nil); err != nil || code > 299 {
		return 0, 0, fmt.Errorf("merge %s: HTTP %d, %w", pattern, code, err)
	}
	if code, _, err := b.node.Do(ctx, "POST", "/"+pattern+"/_flush", nil); err != nil || code > 299 {
		return 0, 0, fmt.Errorf("flush %s: HTTP %d, %w", pattern, code, err)
	}
	code, answer, err := b.node.Do(ctx, "GET", "/"+pattern+"/_stats/store,docs", nil)
	if err != nil || code > 299 {
		return 0, 0, fmt.Errorf("stats of %s: HTTP %d, %w", pattern, code, err)
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
