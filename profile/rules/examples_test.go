package rules

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func alone(t *testing.T, s *Set, r *Rule) *Set {
	t.Helper()
	one, err := s.alone(r)
	if err != nil {
		t.Fatal(err)
	}
	return one
}

// Every rule has an example that it holds for and two near misses that it
// doesn't, and no condition that they could do without.
func TestExamples(t *testing.T) {
	s := builtin(t)
	for _, r := range s.Rules() {
		t.Run(r.ID, func(t *testing.T) {
			if len(r.Fires) < 1 || len(r.Quiet) < 2 {
				t.Fatalf("%d examples and %d near misses; there must be one and two", len(r.Fires), len(r.Quiet))
			}
			if !strings.HasPrefix(r.Reference, "http") {
				t.Errorf("reference %q is no address", r.Reference)
			}
			passes := func(r *Rule) error {
				set := alone(t, s, r)
				for _, e := range r.Fires {
					if !set.concludes(r, e) {
						return fmt.Errorf("doesn't hold for %+v", e)
					}
				}
				for _, e := range r.Quiet {
					if set.concludes(r, e) {
						return fmt.Errorf("holds for %+v", e)
					}
				}
				return nil
			}
			if err := passes(r); err != nil {
				t.Fatal(err)
			}
			without := func(what string, change func(*Rule)) {
				changed := *r
				changed.when, changed.unless = slices.Clone(r.when), slices.Clone(r.unless)
				change(&changed)
				if _, err := newIndex([]*Rule{&changed}); err != nil || len(changed.when) == 0 {
					return // refused
				}
				if passes(&changed) == nil {
					t.Errorf("%s: no example needs %s", r.ID, what)
				}
			}
			for i := range r.when {
				without("when "+fieldNames[r.when[i].field], func(c *Rule) { c.when = slices.Delete(c.when, i, i+1) })
			}
			for i := range r.unless {
				without(fmt.Sprint("unless ", i+1), func(c *Rule) { c.unless = slices.Delete(c.unless, i, i+1) })
			}
		})
	}
}
