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
	rank                       law.Rank
	cutBy                      int64 // the ID of the Rank that has cut what was read
}

// By has the lists of s rank keys by r. It is called while s is empty.
func (s *Target) By(r law.Rank) {
	s.rank = r
	for _, l := range s.lists() {
		l.law.By(r)
	}
}

// Reset empties s and keeps the memory of its lists.
func (s *Target) Reset() {
	s.Services.Reset()
	s.Deckies.Reset()
	s.Sensors.Reset()
	*s = Target{Services: s.Services, Deckies: s.Deckies, Sensors: s.Sensors, rank: s.rank}
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
			s.Deckies.Add(law.Entry{Key: ev.Decky, Count: 1}, LimitDecoys)
		}
		if sensor != "" {
			s.Sensors.Add(law.Entry{Key: sensor}, LimitSensors)
		}
	}
}

func (s *Target) lists() [3]list {
	return [...]list{{&s.Services, &LimitSmall, 0}, {&s.Deckies, &LimitDecoys, 0}, {&s.Sensors, &LimitSensors, 0}}
}

// settle brings what was read under this version's bounds and s's Rank.
func (s *Target) settle() {
	foreign := s.cutBy != int64(s.rank.ID())
	lists := s.lists()
	for i := range lists {
		lists[i].settle(s.Count, foreign)
	}
}
