package target

import (
	"context"
	"encoding/json"
	"iter"
	"strings"
	"time"

	"dossier/correlate/commit"
	"dossier/panics"
	"dossier/plugin/logging"
	"dossier/plugin/observe/tracing"
)

// flushing is what of the time to close is kept for spans that wait.
const flushing = 500 * time.Millisecond

// openTracer starts tracing where the environment asks for it. What is wrong
// with the environment must not keep a sensor from its work.
func (t *Target) openTracer(version string) {
	o := tracerOptions(t.o, version)
	o.Panicked = t.panicked
	o.Report = func(err error) { t.log.Warn("spans are lost", logging.ReasonKey, "export", "err", err) }
	var err error
	t.tracer, err = tracing.Open(o)
	switch {
	case err != nil:
		t.log.Warn("tracing is off", "err", err)
	case t.tracer != nil:
		t.log.Info("tracing is on", "target", t.String())
	}
}

// closeCommitter closes the committer and leaves some of the time to the
// tracer.
func (t *Target) closeCommitter(ctx context.Context) error {
	if end, ok := ctx.Deadline(); ok && t.tracer != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, end.Add(-flushing))
		defer cancel()
	}
	return t.committer.Close(ctx)
}

func (t *Target) closeTracer(ctx context.Context) {
	if t.tracer == nil {
		return
	}
	if err := t.tracer.Close(ctx); err != nil {
		t.log.Warn("spans are lost", logging.ReasonKey, "close", "err", err)
	}
}

// trace makes the spans of a write.
func (t *Target) trace(r *commit.Request, a commit.Answer, took time.Duration) {
	defer panics.Catch("trace", t.panicked)
	c := tracing.Commit{
		Index: t.o.IndexPrefix, Start: time.Now().Add(-took), Took: took,
		Chunks: r.Chunks, Records: r.Records,
	}
	if a.Err != nil {
		c.Failure = reason(a.Err)
	}
	attackers, ledger := t.indices.Attackers(), t.indices.Ledger(0)
	ledger = ledger[:strings.LastIndexByte(ledger, '-')+1]
	for i := range r.Ops {
		index := r.Ops[i].Key.Index
		if strings.HasPrefix(index, ledger) {
			continue
		}
		c.Documents++
		if index == attackers {
			c.Attackers++
		}
		if i < len(a.Written) && a.Written[i].Status == commit.Conflict {
			c.Conflicts++
		}
	}
	t.tracer.Commit(&c, written(r, a, attackers))
}

// written returns the attackers that Elasticsearch acknowledged, as their
// documents show them.
func written(r *commit.Request, a commit.Answer, index string) iter.Seq[tracing.Attacker] {
	return func(yield func(tracing.Attacker) bool) {
		for i := range a.Written {
			op := &r.Ops[i]
			if a.Written[i].Status != commit.Done || op.Key.Index != index {
				continue
			}
			var doc struct {
				Events    int64 `json:"event_count"`
				Traversal bool  `json:"is_traversal"`
				Bounties  int64 `json:"bounty_count"`
				Commands  int64 `json:"command_count"`
			}
			if json.Unmarshal(op.Body, &doc) != nil {
				continue
			}
			if !yield(tracing.Attacker{
				Address: op.Key.ID, Events: doc.Events, Traversal: doc.Traversal,
				Bounties: doc.Bounties, Commands: doc.Commands, NewProfile: op.Kind == commit.Create,
			}) {
				return
			}
		}
	}
}
