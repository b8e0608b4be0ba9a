package profile

import (
	"strings"
	"testing"

	"dossier/correlate/event"
	"dossier/correlate/state"
	"dossier/profile/rules"
)

// Whoever meets every built-in rule keeps each of them, with a short text, whether a
// decoy did what it was told or was only asked to.
func TestEveryBuiltInRuleIsKept(t *testing.T) {
	set, err := rules.New(rules.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for door := range 2 {
		var s state.Attacker
		a := new(event.Arena)
		for _, r := range set.Rules() {
			ev := event.Event{Time: 1, Kind: event.Interaction, Proof: event.ByConnection, Evidence: []event.Evidence{
				{Kind: event.Conclusion, A: r.ID, B: strings.Repeat("x", 16), N: int64(r.Rank()), M: int64(door)},
			}}
			s.Fold(a, "198.51.100.1", false, []*event.Event{&ev})
		}
		if n := len(set.Rules()); s.Conclusions.Truncated() || s.Conclusions.Len() != n {
			t.Errorf("%d of %d conclusions are kept, %d bytes", s.Conclusions.Len(), n, s.Conclusions.Size())
		}
	}
}
