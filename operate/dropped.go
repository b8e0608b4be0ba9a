package operate

import (
	"fmt"
	"strings"
)

// dropped is how many lines of a program a sensor left out.
type dropped struct {
	Program string `json:"program"`
	Count   int64  `json:"count"`
}

// maxDropped bounds the programs that are named.
const maxDropped = 20

// droppedText says how many lines a sensor left out, by program. What a
// heartbeat says may come from whoever owns that host.
func droppedText(programs []dropped) string {
	var parts []string
	for _, p := range programs[:min(len(programs), maxDropped)] {
		parts = append(parts, fmt.Sprintf("%s %d", line(p.Program), p.Count))
	}
	if more := len(programs) - maxDropped; more > 0 {
		parts = append(parts, fmt.Sprintf("and %d more programs", more))
	}
	return strings.Join(parts, ", ")
}
