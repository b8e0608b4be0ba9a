package correlate

import (
	"fmt"

	"dossier/correlate/commit"
	"dossier/correlate/law"
	"dossier/correlate/state"
)

// StateReader tries whether stored states can be read, as the fold reads them. It is
// not safe for concurrent use.
type StateReader struct {
	attacker  state.Attacker
	target    state.Target
	hour      state.Activity
	indicator state.Indicator
}

// Try reads the state that a document of the class has stored. The error says why
// it can't be read: commit.ErrNewer, or commit.ErrCorrupt for all else.
func (r *StateReader) Try(class commit.Class, stored []byte) error {
	payload, err := commit.Payload(stored)
	if err != nil {
		return err
	}
	var s interface {
		By(law.Rank)
		Decode([]byte) error
	}
	switch class {
	case ClassAttacker:
		s = &r.attacker
	case ClassTarget:
		s = &r.target
	case ClassActivity:
		s = &r.hour
	case ClassIndicator:
		s = &r.indicator
	default:
		return fmt.Errorf("correlate: no documents of class %d", class)
	}
	// What is read depends on no rank; only what a fold keeps does.
	s.By(law.Rank{})
	if err := s.Decode(payload); err != nil {
		return fmt.Errorf("%w: %w", commit.ErrCorrupt, err)
	}
	return nil
}

// ClassOf returns the class of the documents in an index of the prefix, and whether
// they have a state that is folded. The name may go on behind that of a single index,
// as it does where an alias stands for it.
func (i Indices) ClassOf(index string) (commit.Class, bool) {
	for _, kind := range []struct {
		begins string
		class  commit.Class
	}{{i.Attackers(), ClassAttacker}, {i.Targets(), ClassTarget}, {i.Prefix + "-activity-", ClassActivity}, {i.Indicators(), ClassIndicator}} {
		if len(index) >= len(kind.begins) && index[:len(kind.begins)] == kind.begins {
			return kind.class, true
		}
	}
	return 0, false
}
