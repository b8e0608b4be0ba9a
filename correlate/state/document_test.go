package state

import (
	"flag"
	"testing"

	"dossier/testbed/page"
)

var update = flag.Bool("update", false, "write docs/state.md anew")

// The page on states is the tables'.
func TestDocumentation(t *testing.T) {
	page.Check(t, "../../docs/state.md", Documentation(), *update, "go generate ./correlate/state")
}

// Names are of one or two letters, each once, and none is the Rank's: what
// reading relies on.
func TestNamesAreShortAndDistinct(t *testing.T) {
	check(t, attackerTable)
	check(t, targetTable)
	check(t, activityTable)
}

func check[S any](t *testing.T, fields table[S]) {
	t.Helper()
	seen := map[string]bool{rankName: true}
	for i := range fields {
		f := &fields[i]
		if n := len(f.name); n < 1 || n > 2 || seen[f.name] {
			t.Errorf("%T: %q is no name, or another's", *new(S), f.name)
		}
		seen[f.name] = true
		if f.doc == "" || f.law == "" || f.most == 0 {
			t.Errorf("%T: %s says nothing", *new(S), f.name)
		}
	}
	if fields[0].number == nil {
		t.Errorf("%T: the first field is no number, by which slots tells a copy", *new(S))
	}
}

// A copy of a state is written, read and reset by itself.
func TestCopiesAreApart(t *testing.T) {
	s := full(t, 20)
	want := string(s.Append(nil))
	other := *s
	other.Events += 5
	if got := string(s.Append(nil)); got != want {
		t.Error("what a copy counts shows in the state")
	}
	var back Attacker
	back.By(testRank)
	if err := back.Decode(other.Append(nil)); err != nil || back.Events != s.Events+5 {
		t.Errorf("a copy writes %d events, want %d (%v)", back.Events, s.Events+5, err)
	}
}
