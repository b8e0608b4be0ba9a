package correlate

import (
	"time"

	"dossier/correlate/commit"
	"dossier/correlate/event"
)

// The classes of documents, in the order in which they are folded.
const (
	ClassAttacker commit.Class = iota
	ClassTarget
	ClassActivity
)

// Indices names the indices of one index prefix.
type Indices struct {
	Prefix string
}

// Attackers holds one document per address.
func (i Indices) Attackers() string { return i.Prefix + "-attackers" }

// Targets holds one document per address and mail domain.
func (i Indices) Targets() string { return i.Prefix + "-smtp-targets" }

// Sensors holds one document per sensor.
func (i Indices) Sensors() string { return i.Prefix + "-sensors" }

// Activity holds one document per address and hour.
func (i Indices) Activity(hour event.Time, stray bool) string {
	if stray {
		return i.Prefix + "-activity-other"
	}
	return i.month("-activity-", hour.Time())
}

// Transitions holds what happened to an attacker for the first time.
func (i Indices) Transitions(at event.Time) string { return i.month("-transitions-", at.Time()) }

// Ledger holds the markers of the chunks whose first record is of that minute
// since 1970.
func (i Indices) Ledger(minute uint32) string {
	return i.month("-chunks-", time.Unix(int64(minute)*60, 0).UTC())
}

// month names a month's index. Months no sensor can mean go to one index, so
// that a bad clock can't open a thousand.
func (i Indices) month(kind string, t time.Time) string {
	if t.Year() < 2015 || t.Year() > 2099 {
		return i.Prefix + kind + "other"
	}
	return i.Prefix + kind + t.Format("2006.01")
}
