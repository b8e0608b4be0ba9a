//go:build faults

package target

import (
	"dossier/correlate"
	"dossier/correlate/event"
	"dossier/profile"
)

// annotator returns what adds to events, and panics over some.
func annotator(r *profile.Renderer) correlate.Annotator { return &faulty{r} }

// faulty is a defect that one record brings out.
type faulty struct{ *profile.Renderer }

// Annotate panics over an event whose decky is named for it.
func (f *faulty) Annotate(a *event.Arena, ev *event.Event) {
	switch ev.Decky {
	case "panic":
		panic("a fault")
	case "nil":
		ev = nil
		ev.Decky = ""
	}
	f.Renderer.Annotate(a, ev)
}
