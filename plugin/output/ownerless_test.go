package output

import (
	"fmt"
	"strings"
	"testing"
)

// The decoys with most commands that nobody is known to have given stand in the
// log line, and no more than it bears.
func TestWorstDecoysAreNamedFirst(t *testing.T) {
	if got := worstDecoys(map[string]int64{"b": 2, "a": 2, "c": 9}); got != "c 9, a 2, b 2" {
		t.Errorf("got %q", got)
	}
	many := map[string]int64{}
	for i := range 64 {
		many[fmt.Sprint("d", i)] = int64(i)
	}
	if got := worstDecoys(many); !strings.HasPrefix(got, "d63 63, ") || !strings.HasSuffix(got, "d54 54 and 54 more") {
		t.Errorf("got %q", got)
	}
}
