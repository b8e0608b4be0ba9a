package operate

import (
	"fmt"
	"strings"
	"testing"
)

func TestDroppedText(t *testing.T) {
	if got := droppedText(nil); got != "" {
		t.Errorf("nothing was dropped: %q", got)
	}
	if got, want := droppedText([]dropped{{"CRON", 3}, {"ss\x1bhd\n", 5}}), "CRON 3, ss?hd? 5"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	var many []dropped
	for i := range 25 {
		many = append(many, dropped{fmt.Sprint("p", i), 1})
	}
	if got := droppedText(many); !strings.HasSuffix(got, "p19 1, and 5 more programs") {
		t.Errorf("got %q", got)
	}
}
