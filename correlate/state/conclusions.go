package state

import (
	"strings"

	"dossier/correlate/event"
	"dossier/correlate/law"
)

// LimitConclusions bounds what rules concluded, with a share for each stage:
// what is further can't be pushed out by what is less. All built-in rules fit
// with a short text each.
var LimitConclusions = law.Limit{Bytes: 24 << 10, Entry: 192, Payload: 48, Class: conclusionClass, Shares: []law.Share{
	{Bytes: 2 << 10}, {Bytes: 3 << 10}, {Bytes: 4 << 10}, {Bytes: 6 << 10}, {Bytes: 7 << 10},
}}

// conclusionStages are the ranks of stages that have a share of their own;
// those of a newer version share that of the last.
const conclusionStages = 5

// atDoor stands in front of a rule that saw what a decoy was asked to run.
const atDoor = "!"

// conclusionKey returns the key of a conclusion: the rank of the rule's stage
// as a digit, then the rule's id.
func conclusionKey(a *event.Arena, e *event.ConclusionEvidence) string {
	door := ""
	if e.AtDoor() {
		door = atDoor
	}
	return a.Join("01234"[min(max(e.Stage(), 0), conclusionStages-1):][:1], door, e.Rule())
}

func conclusionClass(key string) int {
	if key == "" {
		return 0
	}
	return min(max(int(key[0])-'0', 0), conclusionStages-1)
}

// ConclusionOf takes a conclusion's key apart: the rule, the rank of the stage
// that it had when it was applied, and whether a decoy was only asked to do what
// it saw.
func ConclusionOf(key string) (rule string, stage uint8, door bool) {
	if key == "" {
		return "", 0, false
	}
	rule, door = strings.CutPrefix(key[1:], atDoor)
	return rule, uint8(conclusionClass(key)), door
}

func (s *Attacker) foldConclusion(a *event.Arena, ev *event.Event, e *event.Evidence) {
	s.Conclusions.See(conclusionKey(a, e.Conclusion()), ev.Time, 0, e.Conclusion().Saw(), &LimitConclusions)
}
