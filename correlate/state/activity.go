package state

import (
	"dossier/correlate/event"
	"dossier/correlate/law"
)

// LimitActivityCommands bounds the commands of one hour.
var LimitActivityCommands = law.Limit{Keys: 20, Bytes: 16 << 10, Entry: 512, Firsts: 5}

// LimitTried bounds the credentials of one hour.
var LimitTried = law.Limit{Keys: 128, Bytes: 13824, Entry: credential, Part: 1, Payload: secret, Firsts: 8, Early: true}

// Activity is what one address did in one hour.
type Activity struct {
	Events              int64
	Kinds               [3]int64
	CommandCount        int64
	Attempts, Successes int64
	Recipients          int64
	// Claimed counts the events whose address is not proven, or by what only
	// the attacker's state can tell (event.ByShell).
	Claimed                    int64
	Services, Deckies, Sensors law.Bottom
	// Commands has the newest commands: A service, B decky, C line.
	Commands law.Newest
	// Tried has the credentials shown, keyed by CredentialKey: Count is how
	// often, Payload the secret as it may be shown. Admitted has those that a
	// decoy let in, Count is how often. Both are cut by the same rank of the
	// key, and what Admitted keeps of a key is never longer, so a key whose
	// attempts Tried counts is never missing in Admitted.
	Tried, Admitted law.Bottom
	// Summary is the attacker as it stood at the last write, encoded by
	// whoever renders it; Latest keeps the one with most events.
	Summary         law.Latest
	unknown         []byte
	unknownElements uint32
	rank            law.Rank
	cutBy           int64 // the ID of the Rank that has cut what was read
}

// By has the lists of s rank keys by r. It is called while s is empty.
func (s *Activity) By(r law.Rank) {
	s.rank = r
	for _, l := range s.lists() {
		l.law.By(r)
	}
	s.Commands.By(r)
}

// Reset empties s and keeps the memory of its lists.
func (s *Activity) Reset() {
	s.Services.Reset()
	s.Deckies.Reset()
	s.Sensors.Reset()
	s.Commands.Reset()
	s.Tried.Reset()
	s.Admitted.Reset()
	*s = Activity{Services: s.Services, Deckies: s.Deckies, Sensors: s.Sensors, Commands: s.Commands, Tried: s.Tried, Admitted: s.Admitted, rank: s.rank}
}

// Fold adds the events of the hour. Strings of the events are kept as views;
// the arena holds the keys that are made here.
func (s *Activity) Fold(a *event.Arena, sensor string, events []*event.Event) {
	for _, ev := range events {
		if ev.Role == event.Prober {
			continue
		}
		s.Events++
		if !ev.Proof.Proven() && ev.Role != event.Contact {
			s.Claimed++
		}
		if sensor != "" {
			s.Sensors.Add(law.Entry{Key: sensor}, LimitSensors)
		}
		if ev.Role == event.Contact {
			s.Kinds[event.Noise]++
			continue
		}
		s.Kinds[ev.Kind]++
		if ev.Service != "" {
			s.Services.Add(law.Entry{Key: ev.Service, Count: 1, Rank: uint8(ev.Kind)}, LimitSmall)
		}
		if ev.Decky != "" {
			s.Deckies.Add(law.Entry{Key: ev.Decky, Count: 1}, LimitDecoys)
		}
		for i := range ev.Evidence {
			e := &ev.Evidence[i]
			switch e.Kind {
			case event.Command:
				s.CommandCount++
				s.Commands.Add(law.Item{Time: ev.Time, A: ev.Service, B: ev.Decky, C: law.Shorten(e.A, maxLine)}, LimitActivityCommands)
			case event.Login:
				n := max(1, e.N)
				s.Attempts += n
				if e.Outcome == event.Success {
					s.Successes += n
				}
				if e.B == "" {
					continue // no secret was shown
				}
				key := CredentialKey(a, ev.Service, e)
				s.Tried.See(key, ev.Time, 0, e.C, &LimitTried)
				if e.Outcome == event.Success {
					s.Admitted.See(key, ev.Time, 0, e.C, &LimitTried)
				}
			case event.Recipient:
				s.Recipients++
			}
		}
	}
}

func (s *Activity) lists() [5]list {
	return [...]list{
		{&s.Services, &LimitSmall, 0}, {&s.Deckies, &LimitDecoys, 0}, {&s.Sensors, &LimitSensors, 0},
		{&s.Tried, &LimitTried, 0}, {&s.Admitted, &LimitTried, 0},
	}
}

// settle brings what was read under this version's bounds and s's Rank.
func (s *Activity) settle() {
	foreign := s.cutBy != int64(s.rank.ID())
	lists := s.lists()
	for i := range lists {
		lists[i].settle(s.Events, foreign)
	}
	s.Commands.Settle(&LimitActivityCommands)
}
