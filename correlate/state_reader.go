package correlate

import (
	"fmt"
	"strings"

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

// kinds are the indices whose documents have a state that is folded, by what their
// names begin with.
func (i Indices) kinds() [4]string {
	return [4]string{ClassAttacker: i.Attackers(), ClassTarget: i.Targets(), ClassActivity: i.Prefix + "-activity-", ClassIndicator: i.Indicators()}
}

// Folded returns the names and patterns of the indices whose documents have a state
// that is folded.
func (i Indices) Folded() []string {
	k := i.kinds()
	return []string{k[ClassAttacker], k[ClassTarget], k[ClassIndicator], k[ClassActivity] + "*"}
}

// ClassOf returns the class of the documents in an index of the prefix, and whether
// they have a state that is folded. The name may go on behind that of a single index,
// as it does where an alias stands for it.
func (i Indices) ClassOf(index string) (commit.Class, bool) {
	for class, begins := range i.kinds() {
		if strings.HasPrefix(index, begins) {
			return commit.Class(class), true
		}
	}
	return 0, false
}
