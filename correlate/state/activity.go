package state

import (
	"dossier/correlate/event"
	"dossier/correlate/law"
)

// LimitActivityCommands bounds the commands of one hour.
var LimitActivityCommands = law.Limit{Keys: 20, Bytes: 16 << 10}

// Activity is what one address did in one hour.
type Activity struct {
	Events                     int64
	Kinds                      [3]int64
	CommandCount               int64
	Attempts, Successes        int64
	Recipients                 int64
	Services, Deckies, Sensors law.Bottom
	// Commands has the newest commands: A service, B decky, C line.
	Commands law.Newest
	// Summary is the attacker as it stood at the last write, encoded by
	// whoever renders it; Latest keeps the one with most events.
	Summary         law.Latest
	unknown         []byte
	unknownElements uint32
}

// Reset empties s and keeps the memory of its lists.
func (s *Activity) Reset() {
	s.Services.Reset()
	s.Deckies.Reset()
	s.Sensors.Reset()
	s.Commands.Reset()
	*s = Activity{Services: s.Services, Deckies: s.Deckies, Sensors: s.Sensors, Commands: s.Commands}
}

// Fold adds the events of the hour.
func (s *Activity) Fold(sensor string, events []*event.Event) {
	for _, ev := range events {
		if ev.Role == event.Prober {
			continue
		}
		s.Events++
		s.Kinds[ev.Kind]++
		if ev.Service != "" {
			s.Services.Add(law.Entry{Key: ev.Service, Count: 1, Rank: uint8(ev.Kind)}, LimitSmall)
		}
		if ev.Decky != "" {
			s.Deckies.Add(law.Entry{Key: ev.Decky, Count: 1}, LimitSmall)
		}
		if sensor != "" {
			s.Sensors.Add(law.Entry{Key: sensor}, LimitSensors)
		}
		for i := range ev.Evidence {
			e := &ev.Evidence[i]
			switch e.Kind {
			case event.Command:
				s.CommandCount++
				s.Commands.Add(law.Item{Time: ev.Time, A: ev.Service, B: ev.Decky, C: e.A}, LimitActivityCommands)
			case event.Login:
				s.Attempts++
				if e.Outcome == event.Success {
					s.Successes++
				}
			case event.Recipient:
				s.Recipients++
			}
		}
	}
}
