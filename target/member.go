package target

import (
	"log/slog"
	"slices"

	"dossier/correlate"
	"dossier/correlate/commit"
)

// Member is an output as its target knows it.
type Member struct {
	// Sensor is the name that its heartbeat is written under.
	Sensor string
	// Version is Dossier's.
	Version string
	// Logger takes what is to be said of this output.
	Logger *slog.Logger
	// Stats returns what its engine did so far.
	Stats func() correlate.Stats
	// Panics returns how many panics its chunks met.
	Panics func() int64
}

// Figures are what a target did. Those that outputs have in common are with the one
// that came first, and zero with the others, so that sums are right.
type Figures struct {
	Commit commit.Stats
	// Panics are those of the target, and of the process, that cost no chunk.
	Panics int64
	// LeftOut counts the parts of documents that failed.
	LeftOut int64
	// LettersDropped counts the dead letters that were given up.
	LettersDropped int64
	// Ready says that the cluster was found set up.
	Ready bool
}

// Join adds an output to those that write to the target, until Leave.
func (t *Target) Join(m *Member) {
	t.pool.join(m)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.members = append(t.members, m); len(t.members) == 1 {
		close(t.joined)
	}
}

// Leave takes an output from those that write to the target.
func (t *Target) Leave(m *Member) {
	defer t.pool.leave(m)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.members = slices.DeleteFunc(t.members, func(other *Member) bool { return other == m })
}

// Figures returns what the target did, as the member reports it.
func (t *Target) Figures(m *Member) Figures {
	f := Figures{Ready: t.isReady(), Panics: t.panicsFor(m)}
	if t.isFirst(m) {
		f.Commit = t.committer.Stats()
		f.LeftOut = t.leftOut.Load()
		f.LettersDropped = t.letters.Dropped().Letters
	}
	return f
}

// panicsFor returns how many panics the member reports beside its own: those
// of its target where it is the target's first, those of the process where it
// is the first of all.
func (t *Target) panicsFor(m *Member) (n int64) {
	if t.isFirst(m) {
		n += t.panics.Load()
	}
	if t.pool.isFirst(m) {
		n += t.pool.panics.Load()
	}
	return n
}

func (t *Target) isFirst(m *Member) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.members) > 0 && t.members[0] == m
}

// all returns a copy of the members, in the order in which they came.
func (t *Target) all() []*Member {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.members)
}
