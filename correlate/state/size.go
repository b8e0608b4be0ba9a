package state

import "dossier/correlate/law"

const (
	// fixed is what an attacker's state takes beside its lists: the header
	// of the map, names and values of numbers and times, the crowd.
	fixed = 5 + (names+provenanceNames)*4 + (numberFields+provenanceNumbers)*9 + 9 + 1 + 1 + 1 + 9 + 18
	// names is how many names an attacker's state has.
	names = 49
	// numberFields is how many numbers and times.
	numberFields = 17
	// head is the header of a list and the number in front of it.
	head = 5 + 9
	// networkMark is what the longest mark of the addresses of a network takes.
	networkMark = 1 + 9 + 3*3 + 39
)

// transitions is what those take at the most, whichever were crossed: they,
// and the list of those that are stray.
var transitions = 5 + 2 + LimitTransitions.Bytes

// Size returns how many bytes Append appends at the most. It is the same for
// the same events, in whatever order and chunks they came: transitions, which
// may not be, count in full.
func (s *Attacker) Size() int {
	n := fixed + transitions + len(s.unknown)
	for _, l := range [...]interface{ Size() int }{
		&s.Services, &s.Deckies, &s.Hops, &s.Times, &s.Hours, &s.Commands, &s.Commands.Oldest, &s.Known, &s.Credentials, &s.Admitted, &s.Fingerprints, &s.Artifacts, &s.Leaks,
		&s.Sessions, &s.Sensors, &s.Network, &s.SystemGuesses, &s.TTLs, &s.Distances, &s.Stack, &s.IPIDClass, &s.ISNClass,
		&s.KexOrders, &s.Tools, &s.Techniques, &s.Alerts, &s.Domains,
	} {
		n += l.Size()
	}
	return n + s.provenanceSize()
}

// MaxAttacker is what an attacker's state takes at the most, whatever was
// folded into it.
var MaxAttacker = func() int {
	n := fixed + transitions
	for _, limit := range [...]*law.Limit{
		&LimitServices, &LimitDeckies, &LimitKnown, &LimitCredentials, &LimitAdmitted, &LimitFingerprints, &LimitArtifacts, &LimitLeaks,
		&LimitSensors, &LimitSystems, &LimitNumbers, &LimitNumbers, &LimitKexOrders, &LimitTools, &LimitTechniques, &LimitAlerts,
	} {
		n += limit.Most()
	}
	n += 3*head + LimitHops.Bytes + LimitNetwork.Bytes + LimitCommands.Bytes + 5 + LimitCommands.Firsts*LimitCommands.Entry
	n += LimitCommands.Entry + LimitHops.Entry + networkMark
	n += 6 + 9*LimitTimes + 5 + 14*LimitHours
	n += 2*(1+3*9+5) + 8*(LimitSessions+LimitDomains)
	return n + 3*13 + maxStack + 2*maxWord + maxProvenance()
}()
