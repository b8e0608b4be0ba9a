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
	ClassIndicator
)

// Indices names the indices of one index prefix.
type Indices struct {
	Prefix string
}

// Attackers holds one document per address.
func (i Indices) Attackers() string { return i.Prefix + "-attackers" }

// Targets holds one document per address and mail domain.
func (i Indices) Targets() string { return i.Prefix + "-smtp-targets" }

// Indicators holds one document per thing that attackers used beyond the
// decoys.
func (i Indices) Indicators() string { return i.Prefix + "-indicators" }

// Sensors holds one document per sensor.
func (i Indices) Sensors() string { return i.Prefix + "-sensors" }

// Activity holds one document per address and hour. The hours of strays have
// one index (event.Event.Stray).
func (i Indices) Activity(hour event.Time, stray bool) string {
	return i.month("-activity-", hour, stray)
}

// Transitions holds what happened to an attacker for the first time. Those
// that are stray have one index (state.Transition.Stray).
func (i Indices) Transitions(at event.Time, stray bool) string {
	return i.month("-transitions-", at, stray)
}

// Ledger holds the markers of the chunks whose first record is of that minute
// since 1970.
func (i Indices) Ledger(minute uint32) string {
	return i.month("-chunks-", event.Time(minute)*event.Time(time.Minute/time.Microsecond), false)
}

// month names a month's index. What is stray, and months no sensor can mean,
// go to one index, so that a bad clock can't open a thousand.
func (i Indices) month(kind string, t event.Time, stray bool) string {
	if stray || !hasMonth(t) {
		return i.Prefix + kind + "other"
	}
	return i.Prefix + kind + t.Time().Format("2006.01")
}

// The months that have an index of their own: 2015 to 2099.
const (
	firstMonth = event.Time(1420070400e6)
	endMonth   = event.Time(4102444800e6)
)

// hasMonth says whether a sensor can mean the month of t.
func hasMonth(t event.Time) bool { return t >= firstMonth && t < endMonth }

// HasMonth says whether the month of at has indices of its own.
func HasMonth(at time.Time) bool { return hasMonth(event.FromTime(at)) }

// stray says whether an event is so far from its record's time that it must
// not open a month of its own: judged by the chunk, so that a redelivery
// chooses the same index.
func stray(at, record event.Time) bool {
	const day = event.Time(24 * time.Hour / time.Microsecond)
	return at < record-400*day || at > record+day
}

// maxMonths is how many months one chunk's events may open: records of one
// time reach over fifteen, from 400 days before it to a day after.
const maxMonths = 16

// months are the months of one chunk, in the order of their first event.
type months []struct{ from, end event.Time }

func (m *months) reset() { *m = (*m)[:0] }

// has says whether t falls in one of the chunk's months, of which there is
// room for maxMonths. A month that comes later than those is stray.
func (m *months) has(t event.Time) bool {
	for i := range *m {
		if t >= (*m)[i].from && t < (*m)[i].end {
			return true
		}
	}
	if !hasMonth(t) {
		return true // it opens nothing
	}
	if len(*m) == maxMonths {
		return false
	}
	y, month, _ := t.Time().Date()
	from := time.Date(y, month, 1, 0, 0, 0, 0, time.UTC)
	*m = append(*m, struct{ from, end event.Time }{event.FromTime(from), event.FromTime(from.AddDate(0, 1, 0))})
	return true
}
