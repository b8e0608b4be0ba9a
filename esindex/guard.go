package esindex

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"dossier/correlate/commit"
)

// guard lets documents into indices of ours only.
//
// Elasticsearch creates an index at the first write to it, with whatever
// template fits, or with a mapping guessed from the first document. Whether a
// template is there can't be asked with a writer's privileges (it takes
// manage_index_templates). So each index is looked at before this process
// writes to it for the first time, and where there is none it is created with
// the mapping that this process holds. That takes the index privileges
// view_index_metadata and create_index, or only the first where the indices
// were set up beforehand, as they are for sensors with the role writer.
type guard struct {
	c     *Client
	kinds []*kind

	mu   sync.Mutex
	good map[string]struct{}
}

// maxGood bounds the indices remembered. A prefix has a few kinds and a dozen
// months.
const maxGood = 4096

func newGuard(c *Client, templates []Template) (*guard, error) {
	kinds, err := newKinds(templates)
	if err != nil {
		return nil, err
	}
	return &guard{c: c, kinds: kinds, good: make(map[string]struct{})}, nil
}

// admit returns nil where the index may be written to; one that is missing is
// made.
func (g *guard) admit(ctx context.Context, index string) error {
	err := g.look(ctx, index)
	if errors.Is(err, ErrMissing) {
		return g.make(ctx, index)
	}
	return err
}

// look returns nil where the index is there and may be written to.
func (g *guard) look(ctx context.Context, index string) error {
	g.mu.Lock()
	_, known := g.good[index]
	g.mu.Unlock()
	if known {
		return nil
	}
	k, err := g.kind(index)
	if err == nil {
		err = g.c.checkIndex(ctx, k, index)
	}
	if err == nil {
		g.remember(index)
	}
	return err
}

// make makes an index that is missing.
func (g *guard) make(ctx context.Context, index string) error {
	k, err := g.kind(index)
	if err == nil {
		err = g.c.createIndex(ctx, k, index)
	}
	if err == nil {
		g.remember(index)
	}
	return err
}

func (g *guard) remember(index string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.good) >= maxGood {
		clear(g.good)
	}
	g.good[index] = struct{}{}
}

func (g *guard) kind(index string) (*kind, error) {
	for _, k := range g.kinds {
		if k.owns(index) {
			return k, nil
		}
	}
	return nil, &Error{Op: "look at index " + oneLine(index), Reason: "no template is for an index of that name", cause: ErrForeign,
		Fix: fmt.Sprintf("the %d templates given to the store must cover all indices", len(g.kinds))}
}

// forget makes the next write look at the index again.
func (g *guard) forget(index string) {
	g.mu.Lock()
	delete(g.good, index)
	g.mu.Unlock()
}

// watch looks through the answers for signs that an index was deleted
// meanwhile, and may have been made anew by somebody else: it is missing, or
// counts its writes from 0.
func (g *guard) watch(ops []commit.Op, out []commit.Written) {
	for i := range out {
		switch w := &out[i]; {
		case w.Status == commit.Done && w.Version.SeqNo == 0,
			w.Status == commit.Unknown && strings.Contains(w.Reason, "index_not_found_exception"):
			g.forget(ops[i].Key.Index)
		}
	}
}

// CheckIndex reports whether the index is there and ours: nil, or an error
// that is ErrMissing, ErrForeign, ErrFixed, or one of the connection.
func (s *Store) CheckIndex(ctx context.Context, index string) error {
	k, err := s.guard.kind(index)
	if err != nil {
		return err
	}
	return s.c.checkIndex(ctx, k, index)
}
