package correlate

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"time"

	"dossier/correlate/commit"
	"dossier/correlate/event"
	"dossier/correlate/state"
)

// CheckLetter reports where a dead letter's envelope and content disagree:
// its document must be the one that the events belong to, in an index of the
// class, and every time must be of a year that has four digits. A letter that
// was written by Bury passes; one that was changed afterwards could else
// write one address's events to another's document.
func (i Indices) CheckLetter(key commit.Key, class commit.Class, raw json.RawMessage) error {
	var l struct {
		Source netip.Prefix `json:"source"`
		Domain string       `json:"domain"`
		Hour   event.Time   `json:"hour"`
		Kind   string       `json:"kind"`
		Value  string       `json:"value"`
		Events []struct {
			Time   event.Time   `json:"time"`
			Addr   netip.Addr   `json:"address"`
			Source netip.Prefix `json:"source"`
		} `json:"events"`
	}
	if err := json.Unmarshal(raw, &l); err != nil {
		return fmt.Errorf("correlate: a dead letter's events: %w", err)
	}
	if !l.Source.IsValid() || l.Source != l.Source.Masked() || l.Source.Addr().Is4In6() {
		return fmt.Errorf("correlate: a dead letter's events name no source")
	}
	id := idOf(l.Source)
	var indices []string
	switch class {
	case ClassAttacker:
		indices = []string{i.Attackers()}
	case ClassTarget:
		indices = []string{i.Targets()}
		id += "|" + l.Domain
	case ClassIndicator:
		indices = []string{i.Indicators()}
		id = state.IndicatorID(l.Kind, l.Value)
	case ClassActivity:
		if !sane(l.Hour) || l.Hour != l.Hour.Hour() {
			return fmt.Errorf("correlate: a dead letter of hour %d, which is none of the years 1 to 9999", l.Hour)
		}
		hour := l.Hour.Time()
		indices = []string{i.Prefix + "-activity-" + hour.Format("2006.01"), i.Prefix + "-activity-other"}
		id += "|" + hour.Format("2006-01-02T15")
	default:
		return fmt.Errorf("correlate: no documents of class %d", class)
	}
	if key.ID != id {
		return fmt.Errorf("correlate: a dead letter for the document %q with events of %q", key.ID, id)
	}
	if key.Index != indices[0] && key.Index != indices[len(indices)-1] {
		return fmt.Errorf("correlate: a dead letter for the index %q; documents of its class are in %q", key.Index, indices[0])
	}
	for _, ev := range l.Events {
		source := l.Source
		if class == ClassIndicator {
			source = ev.Source
		}
		switch {
		case !source.IsValid() || source != source.Masked() || !source.Contains(ev.Addr):
			return fmt.Errorf("correlate: a dead letter for the document %q with an event of %q", key.ID, ev.Addr)
		case !sane(ev.Time):
			return fmt.Errorf("correlate: a dead letter with an event at %d, which is none of the years 1 to 9999", ev.Time)
		case class == ClassActivity && ev.Time.Hour() != l.Hour:
			return fmt.Errorf("correlate: a dead letter for the document %q with an event of another hour", key.ID)
		}
	}
	return nil
}

// sane says whether a time is of a year that has up to four digits: what
// Elasticsearch's dates, and index names, take.
func sane(t event.Time) bool {
	least, most := time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 999_999_000, time.UTC)
	return t >= event.FromTime(least) && t <= event.FromTime(most)
}
