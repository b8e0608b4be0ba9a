package state

import (
	"fmt"
	"testing"

	"dossier/correlate/event"
)

// What is further isn't pushed out by what is less, as much of that as there may
// be, and a key is taken apart as it was put together.
func TestConclusionsKeepTheFurthest(t *testing.T) {
	a, s := new(event.Arena), new(Attacker)
	fold := func(n int64, m int64, ids ...string) {
		for i, id := range ids {
			s.Fold(a, "one", false, []*event.Event{{Time: event.Time(i + 1), Proof: event.ByConnection, Evidence: []event.Evidence{{Kind: event.Conclusion, A: id, B: "saw " + id, N: n, M: m}}}})
		}
	}
	var looking, acting []string
	for i := range 3000 {
		looking = append(looking, fmt.Sprint("looks-", i))
	}
	for i := range 40 {
		acting = append(acting, fmt.Sprint("acts-", i))
	}
	fold(4, 0, acting...)
	fold(1, 0, looking...)
	fold(3, 1, "asks")
	got := map[string]int{}
	for _, e := range s.Conclusions.Entries() {
		id, stage, door := ConclusionOf(e.Key)
		got[fmt.Sprint(stage, door)]++
		if stage == 4 && e.Payload != "saw "+id {
			t.Errorf("%s saw %q", id, e.Payload)
		}
	}
	if got["4 false"] != 40 || got["3 true"] != 1 || got["1 false"] < 50 || got["1 false"] > 400 || !s.Conclusions.Truncated() {
		t.Errorf("kept are %v", got)
	}
	if id, stage, door := ConclusionOf(""); id != "" || stage != 0 || door {
		t.Error("an empty key is something")
	}
	if id, stage, door := ConclusionOf("9!x"); id != "x" || stage != 4 || !door {
		t.Errorf("a stage of a later version is %d", stage)
	}
}
