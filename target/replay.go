package target

import (
	"context"
	"errors"
	"fmt"
	"time"

	"dossier/correlate"
	"dossier/correlate/commit"
	"dossier/esindex/deadletter"
	"dossier/plugin/options"
)

// Replayed is what became of the dead letters of some files.
type Replayed struct {
	deadletter.Result
	// Written letters are in their documents now, or were already.
	Written int
}

// Replay brings the dead letters of path, a folder or a file, back to their
// documents through the same committer as chunks, with the ids of their
// chunks: a letter replayed twice counts once. Of the files those come that
// only is true for, all where it is nil. Raw letters, bytes that no version so
// far could read as records, are kept (deadletter.ErrKeep). It stops at the
// first letter that is still not taken; that file waits for another replay.
func Replay(ctx context.Context, o options.Options, h Host, path string, only func(file string) bool) (r Replayed, err error) {
	t, err := new(Pool).Open(o, h)
	if err != nil {
		return r, err
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closing)
		defer cancel()
		t.Close(closing)
	}()
	if err := t.Wait(ctx); err != nil {
		return r, err
	}
	var letters correlate.Letters
	r.Result, err = deadletter.ReplayOnly(path, only, func(l deadletter.Letter) error {
		if l.IsRaw() {
			return deadletter.ErrKeep
		}
		if err := t.replay(ctx, &letters, &l); err != nil {
			return fmt.Errorf("the letter of chunk %s for %s/%s: %w", l.Chunk, l.Index, l.ID, err)
		}
		r.Written++
		return nil
	})
	return r, err
}

var (
	errStillRefused    = errors.New("Elasticsearch still doesn't take it; fix the cause first (its reason stands in the letter)")
	errStillUnreadable = errors.New("the document's state can't be read, so nothing can be added to it; restore the document from a snapshot, or delete it, then replay again")
	errNotNow          = errors.New("it was not durable in time; replay again later")
)

func (t *Target) replay(ctx context.Context, letters *correlate.Letters, l *deadletter.Letter) error {
	id, err := l.ChunkID()
	if err != nil {
		return err
	}
	if err := t.indices.CheckLetter(commit.Key{Index: l.Index, ID: l.ID}, l.Class, l.Events); err != nil {
		return err
	}
	delta, err := letters.Decode(l.Class, l.Events)
	if err != nil {
		return err
	}
	start := time.Now()
	result, err := t.committer.Commit(ctx, commit.Chunk{
		ID: id, Minute: l.Minute, Replay: true, Deadline: time.Now().Add(t.o.CommitTimeout),
		Parts: []commit.Part{{Key: commit.Key{Index: l.Index, ID: l.ID}, Class: l.Class, Delta: delta}},
	})
	if err != nil {
		return err
	}
	switch result {
	case commit.OK:
		return nil
	case commit.StillRejected:
		return errStillRefused
	case commit.StillUnreadable:
		return errStillUnreadable
	default:
		if in, ok := t.causes.since(start); ok {
			return fmt.Errorf("Elasticsearch doesn't take it for now: %s", causeText(in))
		}
		return errNotNow
	}
}
