package memory

import (
	"context"
	"errors"
	"sync/atomic"

	"dossier/correlate/commit"
)

// Nothing is a store that keeps nothing, for measurements: every document is
// new, every write is taken. A dead letter, which a measurement doesn't expect,
// is an error. It implements commit.Store and commit.DeadLetters.
type Nothing struct{}

var sequence atomic.Int64

// Read implements commit.Store.
func (Nothing) Read(_ context.Context, keys []commit.Key) ([]commit.Stored, error) {
	return make([]commit.Stored, len(keys)), nil
}

// Write implements commit.Store.
func (Nothing) Write(_ context.Context, ops []commit.Op) ([]commit.Written, error) {
	out := make([]commit.Written, len(ops))
	for i := range out {
		out[i] = commit.Written{Status: commit.Done, Version: commit.Version{SeqNo: sequence.Add(1), PrimaryTerm: 1}}
	}
	return out, nil
}

// Bury implements commit.DeadLetters.
func (Nothing) Bury(context.Context, []commit.Letter) error {
	return errors.New("memory: a dead letter where none was expected")
}
