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

// ownerless is how many commands on a decoy nobody is known to have given.
type ownerless struct {
	Decky string `json:"decky"`
	Count int64  `json:"count"`
}

// ownerlessText says how many there were, by decoy.
func ownerlessText(decoys []ownerless) string {
	var parts []string
	for _, d := range decoys[:min(len(decoys), maxDropped)] {
		parts = append(parts, fmt.Sprintf("%s %d", line(d.Decky), d.Count))
	}
	if more := len(decoys) - maxDropped; more > 0 {
		parts = append(parts, fmt.Sprintf("and %d more decoys", more))
	}
	return strings.Join(parts, ", ")
}
