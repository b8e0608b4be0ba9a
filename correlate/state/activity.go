package state

import (
	"dossier/correlate/event"
	"dossier/correlate/law"
)

// LimitActivityCommands bounds the commands of one hour.
var LimitActivityCommands = law.Limit{Keys: 20, Bytes: 16 << 10, Entry: 512, Firsts: 5}

// LimitLines bounds the distinct command lines of one hour.
var LimitLines = law.Limit{Keys: 64, Bytes: 8 << 10, Entry: 512, Firsts: 8}

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
	// Lines has distinct command lines, beside Commands, which forget those
	// of the middle of a long hour.
	Lines law.Bottom
	// Tried has the credentials shown, keyed by CredentialKey: Count is how
	// often, Payload the secret as it may be shown. Admitted has those that a
	// decoy let in, Count is how often. Both are cut by the same rank of the
	// key, and what Admitted keeps of a key is never longer, so a key whose
	// attempts Tried counts is never missing in Admitted.
	Tried, Admitted law.Bottom
	// Ports and Unnamed are as the attacker's.
	Ports   law.Bottom
	Unnamed Unnamed
	// Summary is the attacker as it stood at the last write, encoded by
	// whoever renders it; Latest keeps the one with most events.
	Summary law.Latest
	carried
}

// activityTable has the fields of an hour in the order in which they are
// written.
var activityTable = table[Activity]{
	number("n", lawSum, "events", func(s *Activity) *int64 { return &s.Events }),
	number("k0", lawSum, "events that are noise", func(s *Activity) *int64 { return &s.Kinds[event.Noise] }),
	number("k1", lawSum, "events that are scans", func(s *Activity) *int64 { return &s.Kinds[event.Scan] }),
	number("k2", lawSum, "events that are interactions", func(s *Activity) *int64 { return &s.Kinds[event.Interaction] }),
	number("cn", lawSum, "commands", func(s *Activity) *int64 { return &s.CommandCount }),
	number("la", lawSum, "login attempts", func(s *Activity) *int64 { return &s.Attempts }),
	number("ls", lawSum, "successful logins", func(s *Activity) *int64 { return &s.Successes }),
	number("rc", lawSum, "mail recipients", func(s *Activity) *int64 { return &s.Recipients }),
	number("cl", lawSum, "events that are not proven", func(s *Activity) *int64 { return &s.Claimed }),
	keys("s", "services: rank is the strongest kind of event", &LimitSmall, func(s *Activity) *law.Bottom { return &s.Services }),
	keys("d", "decoys", &LimitDecoys, func(s *Activity) *law.Bottom { return &s.Deckies }),
	keys("sn", "sensors", &LimitSensors, func(s *Activity) *law.Bottom { return &s.Sensors }),
	newest("c", "commands: service, decoy, line", &LimitActivityCommands, func(s *Activity) *law.Newest { return &s.Commands }),
	keys("tr", "credentials: service, principal, kind of secret, its SHA-256; payload is the secret", &LimitTried, func(s *Activity) *law.Bottom { return &s.Tried }),
	keys("ad", "credentials that a decoy let in", &LimitTried, func(s *Activity) *law.Bottom { return &s.Admitted }),
	keys("po", "decoys' ports: transport, number; rank is 1 where proven", &LimitPorts, func(s *Activity) *law.Bottom { return &s.Ports }),
	keys("li", "distinct command lines", &LimitLines, func(s *Activity) *law.Bottom { return &s.Lines }),
	oldest("co", "the first commands, once not all are kept", &LimitActivityCommands, func(s *Activity) *law.Newest { return &s.Commands }),
	toldField("ap", func(s *Activity) *Unnamed { return &s.Unnamed }),
	unnamedField("au", func(s *Activity) *Unnamed { return &s.Unnamed }),
	number("ag", lawSum, "events of those that had no room there", func(s *Activity) *int64 { return &s.Unnamed.Guessed }),
	latest("su", "the attacker as of the write with most events", maxSummary, func(s *Activity) *law.Latest { return &s.Summary }),
}

// maxSummary is what an attacker's figures take at the most.
const maxSummary = 256

// By has the lists of s rank keys by r. It is called before Reset or Decode.
func (s *Activity) By(r law.Rank) { activityTable.by(s, &s.carried, r) }

// Rank returns what By was given.
func (s *Activity) Rank() law.Rank { return s.rank }

// Reset empties s and keeps the memory of its lists.
func (s *Activity) Reset() { activityTable.reset(s, &s.carried) }

// Append appends the encoded state.
func (s *Activity) Append(dst []byte) []byte { return activityTable.append(dst, s, &s.carried) }

// Decode reads an encoded state in place of what s holds. The result is a view
// of src.
func (s *Activity) Decode(src []byte) error {
	s.Reset()
	if err := activityTable.decode(src, s, &s.carried); err != nil {
		return err
	}
	activityTable.settle(s, &s.carried, s.Events)
	return nil
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
		foldPort(a, &s.Ports, ev)
		later := waits(ev)
		if ev.Naming != event.Named {
			s.Unnamed.fold(a, ev, s)
		}
		if ev.Service != "" && !later {
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
				line := law.Shorten(e.Command().Line(), maxLine)
				s.Lines.See(line, ev.Time, 0, "", &LimitLines)
				if later {
					continue
				}
				s.Commands.Add(commandItem(ev.Time, ev.Service, ev.Decky, line), LimitActivityCommands)
			case event.Login:
				login := e.Login()
				n := login.Attempts()
				s.Attempts += n
				if e.Outcome == event.Success {
					s.Successes += n
				}
				if login.SecretKind() == "" || later {
					continue // no secret was shown, or not yet
				}
				key := CredentialKey(a, ev.Service, e)
				s.Tried.See(key, ev.Time, 0, login.Secret(), &LimitTried)
				if e.Outcome == event.Success {
					s.Admitted.See(key, ev.Time, 0, login.Secret(), &LimitTried)
				}
			case event.Recipient:
				s.Recipients++
			}
		}
	}
}

// place adds what of an event depends on its service.
func (s *Activity) place(a *event.Arena, service string, p *placed) {
	if p.touch && service != "" {
		s.Services.Add(law.Entry{Key: service, Count: 1, Rank: uint8(p.kind)}, LimitSmall)
	}
	switch {
	case p.command:
		s.Commands.Add(commandItem(p.at, service, p.decky, p.text), LimitActivityCommands)
	case p.login:
		key := a.Join(service, "\x00", p.text)
		s.Tried.See(key, p.at, 0, p.secret, &LimitTried)
		if p.outcome == event.Success {
			s.Admitted.See(key, p.at, 0, p.secret, &LimitTried)
		}
	}
}
