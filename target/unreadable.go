package target

import (
	"context"
	"errors"
	"slices"

	"dossier/correlate"
	"dossier/correlate/commit"
	"dossier/esindex"
)

// Unreadable is a document that no sensor adds to, since the state that it has
// stored can't be read.
type Unreadable struct {
	Key commit.Key
	// Newer says that a newer version of Dossier wrote it: chunks wait for it, and
	// nothing goes to the dead letters.
	Newer bool
	// Reason says what is wrong with the state.
	Reason string
	// Version is what a write by compare-and-set names, zero where it isn't known.
	Version commit.Version
}

// unreadableBatch is how many states are read at a time: some 4 KB each mostly, a
// few hundred at the most.
const unreadableBatch = 50

// NameOf returns the name that an index stands behind, by which alone a key
// may be allowed to read it, or its own.
func (c *Connection) NameOf(index string) string {
	for _, t := range c.Templates {
		if _, ok := esindex.NumberOf(t.Pattern, index); ok && t.Numbered {
			return t.Pattern
		}
	}
	return index
}

// Unreadable returns those of the documents whose states can't be read. What is
// gone by now is none, and one that can't be reached for now is an error.
func (c *Connection) Unreadable(ctx context.Context, keys []commit.Key) (out []Unreadable, err error) {
	var reader correlate.StateReader
	for batch := range slices.Chunk(keys, unreadableBatch) {
		asked := slices.Clone(batch)
		for i := range asked {
			asked[i].Index = c.NameOf(asked[i].Index)
		}
		stored, err := c.Store.Read(ctx, asked)
		if err != nil {
			return out, err
		}
		for i, s := range stored {
			class, folded := c.Indices.ClassOf(batch[i].Index)
			if !folded || s.Err == nil && !s.Exists {
				continue
			}
			if s.Err == nil {
				s.Err = reader.Try(class, s.State)
			}
			switch newer := errors.Is(s.Err, commit.ErrNewer); {
			case newer, errors.Is(s.Err, commit.ErrCorrupt):
				out = append(out, Unreadable{batch[i], newer, s.Err.Error(), s.Version})
			case s.Err != nil:
				return out, s.Err
			}
		}
	}
	return out, nil
}
