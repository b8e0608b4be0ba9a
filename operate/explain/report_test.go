package explain

import (
	"testing"

	"dossier/correlate/event"
)

// Whoever adds a kind of evidence names it.
func TestEveryKindOfEvidenceHasAName(t *testing.T) {
	for k := event.Command; k <= event.Forward; k++ {
		if kinds[k] == "" {
			t.Errorf("kind %d of evidence has no name", k)
		}
	}
}
