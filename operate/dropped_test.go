package operate

import (
	"fmt"
	"strings"
	"testing"
)

// What a heartbeat says of decoys comes from whoever owns that host: as many as
// a line bears are named, and nothing of theirs starts a line.
func TestOwnerlessCommandsAreNamedWithinBounds(t *testing.T) {
	if got := ownerlessText([]ownerless{{"decky-01", 3}, {"a\nb", 1}}); got != "decky-01 3, a?b 1" {
		t.Errorf("got %q", got)
	}
	var many []ownerless
	for i := range 500 {
		many = append(many, ownerless{fmt.Sprint("d", i), 1})
	}
	if got := ownerlessText(many); !strings.HasSuffix(got, "d19 1, and 480 more decoys") {
		t.Errorf("got %q", got)
	}
	if got := ownerlessText(nil); got != "" {
		t.Errorf("got %q", got)
	}
}
