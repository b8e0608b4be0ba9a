package esindex

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

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
	// behind are those names that were an alias of one index when they were
	// looked at last. A write there requires an alias: Elasticsearch would else
	// make an index of that name where the alias was just taken away.
	behind map[string]struct{}
	// sure has when it was last seen that an index holds no newer state.
	sure map[string]time.Time
}

// sureFor is how long an index is not looked at again for what claims to be
// newer. Set-up takes longer to bring a new major version.
const sureFor = 10 * time.Second

// majorKey is where _meta says of which major version the states of an index
// may be, from 2 on. A set-up that brings one writes it first.
const majorKey = "major"

// errClaim says that a state is none, whatever it claims.
var errClaim = fmt.Errorf("%w: it claims a newer version, of which the index's mapping knows nothing", commit.ErrCorrupt)

// doubt looks at what claims to be of a newer major version, for which chunks
// wait: with a sensor's key anybody can write that, but only set-up can say so
// in the mapping.
func (g *guard) doubt(ctx context.Context, keys []commit.Key, out []commit.Stored) {
	for i := range out {
		if !out[i].Exists || !commit.IsNewer(out[i].State) {
			continue
		}
		index := cmp.Or(out[i].Version.Index, keys[i].Index)
		if k, err := g.kind(index); err != nil || k.Homes {
			continue // the ledger's states have no version
		}
		switch newer, err := g.mayBeNewer(ctx, index); {
		case err != nil:
			out[i] = commit.Stored{Err: err}
		case !newer:
			out[i] = commit.Stored{Err: errClaim, Version: out[i].Version}
		}
	}
}

// mayBeNewer says whether set-up has told an index's mapping of a newer major
// version.
func (g *guard) mayBeNewer(ctx context.Context, index string) (bool, error) {
	g.mu.Lock()
	sure := time.Since(g.sure[index]) < sureFor
	g.mu.Unlock()
	if sure {
		return false, nil
	}
	found, err := g.c.mappings(ctx, index)
	if err != nil {
		return false, err
	}
	for _, m := range found {
		if major, _ := m[majorKey].(float64); major > commit.Major {
			return true, nil
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.sure) >= maxGood {
		clear(g.sure)
	}
	g.sure[index] = time.Now()
	return false, nil
}

// maxGood bounds the indices remembered. A prefix has a few kinds and a dozen
// months.
const maxGood = 4096

func newGuard(c *Client, templates []Template) (*guard, error) {
	kinds, err := newKinds(templates)
	if err != nil {
		return nil, err
	}
	return &guard{c: c, kinds: kinds, good: make(map[string]struct{}), behind: make(map[string]struct{}), sure: make(map[string]time.Time)}, nil
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
	alias := false
	if err == nil {
		alias, err = g.c.checkIndex(ctx, k, index)
	}
	if err == nil {
		g.remember(index, alias)
	}
	return err
}

// make makes an index that is missing.
func (g *guard) make(ctx context.Context, index string) error {
	k, err := g.kind(index)
	if err == nil {
		err = g.c.createIndex(ctx, k, index)
	}
	switch {
	case err != nil:
	case k.Numbered:
		return g.look(ctx, index) // somebody else may have made it in the other way
	default:
		g.remember(index, false)
	}
	return err
}

func (g *guard) remember(index string, alias bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.good) >= maxGood {
		clear(g.good)
		clear(g.behind)
	}
	g.good[index] = struct{}{}
	if alias {
		g.behind[index] = struct{}{}
	} else {
		delete(g.behind, index)
	}
}

// requiresAlias says whether writes to the name must find an alias.
func (g *guard) requiresAlias(index string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	_, ok := g.behind[index]
	return ok
}

func (g *guard) kind(index string) (*kind, error) {
	for _, k := range g.kinds {
		if k.owns(index) {
			return k, nil
		}
	}
	return nil, &Error{
		Op: "look at index " + oneLine(index), Reason: "no template is for an index of that name", cause: ErrForeign,
		Fix: fmt.Sprintf("the %d templates given to the store must cover all indices", len(g.kinds)),
	}
}

// forget makes the next write look at the index again. What requires an alias
// does until then.
func (g *guard) forget(index string) {
	g.mu.Lock()
	delete(g.good, index)
	g.mu.Unlock()
}

// watch looks through the answers for signs that an index was deleted
// meanwhile, and may have been made anew by somebody else: it is missing, or
// counts its writes from 0. A block may be that of a move behind an alias.
func (g *guard) watch(ops []commit.Op, out []commit.Written) {
	for i := range out {
		switch w := &out[i]; {
		case w.Status == commit.Done && w.Version.SeqNo == 0,
			w.Status == commit.Unknown && strings.Contains(w.Reason, "index_not_found_exception"),
			w.Status == commit.Unknown && strings.Contains(w.Reason, "cluster_block_exception") && !g.requiresAlias(ops[i].Key.Index):
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
	_, err = s.c.checkIndex(ctx, k, index)
	return err
}
