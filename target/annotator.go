//go:build !faults

package target

import (
	"dossier/correlate"
	"dossier/profile"
)

// annotator returns what adds to events. Tests of what a panic costs build
// another one, with the tag faults.
func annotator(r *profile.Renderer) correlate.Annotator { return r }
