package state

import (
	"dossier/correlate/event"
	"dossier/correlate/law"
)

// Target is one mail domain that one address aimed at.
type Target struct {
	First, Last event.Time
	// Count counts the events that name the domain, each once.
	Count int64
	// Accepted and Denied count recipients by what the decoy answered,
	// Messages the mails it took.
	Accepted, Denied, Messages int64
	Services, Deckies, Sensors law.Bottom
	unknown                    []byte
	unknownElements            uint32
}

// Reset empties s and keeps the memory of its lists.
func (s *Target) Reset() {
	s.Services.Reset()
	s.Deckies.Reset()
	s.Sensors.Reset()
	*s = Target{Services: s.Services, Deckies: s.Deckies, Sensors: s.Sensors}
}

// Fold adds the events that name domain.
func (s *Target) Fold(sensor, domain string, events []*event.Event) {
	for _, ev := range events {
		if ev.Role == event.Prober || !ev.Proof.Proven() {
			continue
		}
		named := false
		for i := range ev.Evidence {
			e := &ev.Evidence[i]
			if e.A != domain || e.Kind != event.Recipient && e.Kind != event.Message {
				continue
			}
			named = true
			switch {
			case e.Kind == event.Message:
				s.Messages++
			case e.Outcome == event.Success:
				s.Accepted++
			case e.Outcome == event.Failure:
				s.Denied++
			}
		}
		if !named {
			continue
		}
		s.Count++
		s.First = law.Earliest(s.First, ev.Time)
		s.Last = max(s.Last, ev.Time)
		if ev.Service != "" {
			s.Services.Add(law.Entry{Key: ev.Service, Count: 1}, LimitSmall)
		}
		if ev.Decky != "" {
			s.Deckies.Add(law.Entry{Key: ev.Decky, Count: 1}, LimitSmall)
		}
		if sensor != "" {
			s.Sensors.Add(law.Entry{Key: sensor}, LimitSensors)
		}
	}
}
