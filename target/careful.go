package target

import (
	"context"

	"dossier/correlate/commit"
	"dossier/panics"
)

// careful is what the committer asks of the cluster and of the dead letters: a
// panic there is counted and told, and an error whose outcome is unknown.
type careful struct {
	store    commit.Store
	letters  commit.DeadLetters
	panicked func(*panics.Panic)
}

// Read implements commit.Store.
func (c *careful) Read(ctx context.Context, keys []commit.Key) (read []commit.Stored, err error) {
	defer panics.Catch("read", c.into(&err))
	return c.store.Read(ctx, keys)
}

// Write implements commit.Store.
func (c *careful) Write(ctx context.Context, ops []commit.Op) (written []commit.Written, err error) {
	defer panics.Catch("write", c.into(&err))
	return c.store.Write(ctx, ops)
}

// Bury implements commit.DeadLetters.
func (c *careful) Bury(ctx context.Context, letters []commit.Letter) (err error) {
	defer panics.Catch("bury", c.into(&err))
	return c.letters.Bury(ctx, letters)
}

func (c *careful) into(err *error) func(*panics.Panic) {
	return func(p *panics.Panic) {
		*err = p
		c.panicked(p)
	}
}
