// Package state holds what is known of an attacker, of a mail domain an
// attacker aimed at, and of an attacker's hour: the states, the folds that
// add events to them, and their encoding.
//
// A fold is pure and free of order: next = fold(state, events) gives the same
// state for every order and every grouping of the events. A decoded state is
// a view of the bytes it was decoded from, and folding keeps views of the
// events: encode it before either goes away.
package state

import (
	"slices"

	"dossier/correlate/event"
	"dossier/correlate/law"
)

const (
	// LimitSessions and LimitDomains are the numbers up to which sessions
	// and mail domains are counted exactly.
	LimitSessions = 256
	LimitDomains  = 256
	// LimitTimes is the number of newest event times kept.
	LimitTimes = 512
	// LimitHours is the number of newest hours in which events are counted.
	LimitHours = 24
	// MaxTargets is the number of mail domains of one address for which
	// documents are opened, about.
	MaxTargets = 2000
	// maxStack and maxWord bound the newest TCP/IP snapshot and a class in
	// it.
	maxStack = 1 << 10
	maxWord  = 32
)

// Attacker is everything known of one address (or IPv6 network): what is
// proven of it, and apart from that what is claimed (Claimed) and what decoys
// did (Contacts).
type Attacker struct {
	// First and Last are the smallest and largest time of proven events.
	First, Last event.Time
	// Events counts proven events, Kinds counts them by event.Kind.
	Events int64
	Kinds  [3]int64
	// Services has the services touched; Rank is the strongest event.Kind,
	// Count the events.
	Services law.Bottom
	// Deckies has the decoys touched; First is the first contact.
	Deckies law.Bottom
	// Hops has the first contact with each decky (A) and service (B), C the
	// event type.
	Hops law.First
	// Times has the newest event times, Hours the events of the newest hours.
	Times law.Times
	Hours law.Hours
	// Commands has the newest commands: A service, B decky, C line.
	Commands     law.Newest
	CommandCount int64
	FirstCommand event.Time
	// Known has the commands that a rule knows, keyed by service, NUL, line.
	Known law.Bottom
	// Credentials is keyed by CredentialKey; Rank is the best event.Outcome,
	// Payload the secret as it may be shown. Admitted has those that a decoy
	// let in, Count is how often it did.
	Credentials     law.Bottom
	Admitted        law.Bottom
	Attempts        int64
	Successes       int64
	FirstSuccess    event.Time
	Fingerprints    law.Bottom // keyed by type, NUL, value
	Artifacts       law.Bottom // keyed by SHA-256, NUL, URL, NUL, kind
	Leaks           law.Bottom // keyed by address, NUL, header, NUL, category
	Sessions        law.Distinct
	LongestSession  int64 // in milliseconds
	Sensors         law.Bottom
	Network         law.First  // the real addresses behind a network: A, the newest by negated time
	Recon           event.Time // newest event of phase Recon
	Exfil           event.Time // oldest event of phase Exfil
	Large           int64      // events that moved at least 1 MiB
	SystemGuesses   law.Bottom // sniffer's label of the operating system; Rank is 1 where it is proven
	TTLs            law.Bottom // TTL as seen, in decimal
	Distances       law.Bottom // hop distance, in decimal
	Stack           law.Latest // newest snapshot, EncodeFields
	IPIDClass       law.Latest
	ISNClass        law.Latest
	Retransmits     int64
	KexOrders       law.Bottom
	Tools           law.Bottom   // A tool, Payload by what it was recognised
	Techniques      law.Bottom   // ATT&CK id, Payload by what
	Alerts          law.Bottom   // signature, NUL, category; Rank the severity
	Domains         law.Distinct // mail domains
	Crowd           Crowd
	Handshake       bool // whether anything is proven
	Claimed         Claimed
	Contacts        Contacts
	Logins          logins // when the address logged in to a shell, by decoy
	Transitions     []Transition
	Untold          int64  // lines crossed that found no room in Transitions
	unknown         []byte // fields of a newer minor version, encoded
	unknownElements uint32
	changes         uint64
	shellCut        bool // ProveShell's copy: whether Claimed.Shell was truncated
	rank            law.Rank
	cutBy           int64 // the ID of the Rank that has cut what was read
}

// By has the lists of s rank keys by r. It is called while s is empty.
func (s *Attacker) By(r law.Rank) {
	s.rank = r
	for _, l := range s.lists() {
		l.law.By(r)
	}
	s.Commands.By(r)
	s.Claimed.Shell.By(r)
}

// Rank returns what By was given.
func (s *Attacker) Rank() law.Rank { return s.rank }

// Changes counts how often s was folded into, decoded or reset: what was
// concluded from s at the same count still holds. It says nothing while 0,
// nor where fields were set by hand.
func (s *Attacker) Changes() uint64 { return s.changes }

// Crowd says that an address aims at more than MaxTargets mail domains.
type Crowd struct {
	// Share is the part of the domains for which the chunk that crossed the
	// bound opened documents, by law.Rank's Share; 0 while the bound isn't crossed.
	Share float64
	Chunk [16]byte
}

// Opens says whether a document may be opened for a domain that a chunk
// names and that has none yet.
func (c Crowd) Opens(by law.Rank, domain string, chunk [16]byte) bool {
	return c.Share == 0 || c.Chunk == chunk && by.Share(domain) <= c.Share
}

// Transition is a line crossed for the first time: a first sighting, a first
// traversal, a risk level reached.
type Transition struct {
	// Action is what happened: "observed", "traversal", "login_success",
	// "hands_on", "class", "risk".
	Action string
	// Value tells the class or level apart, "" otherwise.
	Value string
	Time  event.Time
	// Chunk is the id of the chunk that crossed it.
	Chunk [16]byte
	// Stray says that Time is so far from that chunk's own that the
	// transition must not open a month: one may be crossed by a time that
	// came with another chunk. It is kept so that whoever writes the
	// transition again chooses the same index.
	Stray bool
}

// transitionOverhead is what a transition takes beside the characters of its
// action and value at the most: headers, time, chunk, and its place among the
// stray.
const transitionOverhead = 1 + 3 + 3 + 9 + 18 + 1

func (t *Transition) bytes() int { return transitionOverhead + len(t.Action) + len(t.Value) }

// Cross notes those of the lines crossed that weren't before. The lines for
// which there is no room are counted instead, each once.
func (s *Attacker) Cross(lines []Transition) {
	size := 0
	for i := range s.Transitions {
		size += s.Transitions[i].bytes()
	}
	var untold int64
	for i := range lines {
		t := &lines[i]
		n := t.bytes()
		switch {
		case slices.ContainsFunc(s.Transitions, func(o Transition) bool { return o.Action == t.Action && o.Value == t.Value }):
		case len(s.Transitions) >= LimitTransitions.Keys, size+n > LimitTransitions.Bytes:
			untold++
		default:
			s.Transitions = append(s.Transitions, *t)
			size += n
		}
	}
	s.Untold = max(s.Untold, untold)
}

// CredentialKey returns the key of a login's credential: service, principal,
// kind of secret and the secret's SHA-256.
func CredentialKey(a *event.Arena, service string, ev *event.Evidence) string {
	return a.Join(service, "\x00", ev.A, "\x00", ev.B, "\x00", event.View(ev.Digest[:]))
}

// KnownKey returns the key of a command that a rule knows.
func KnownKey(a *event.Arena, service, line string) string { return a.Join(service, "\x00", line) }

// Reset empties s and keeps the memory of its lists. Most attackers have a few
// events in a chunk, so it is done in place.
func (s *Attacker) Reset() {
	s.changes++
	s.First, s.Last, s.Events, s.Kinds = event.Never, event.Never, 0, [3]int64{}
	s.CommandCount, s.FirstCommand = 0, event.Never
	s.Attempts, s.Successes, s.FirstSuccess = 0, 0, event.Never
	s.LongestSession, s.Recon, s.Exfil, s.Large, s.Retransmits = 0, event.Never, event.Never, 0, 0
	s.Stack, s.IPIDClass, s.ISNClass = law.Latest{}, law.Latest{}, law.Latest{}
	s.Crowd, s.Handshake, s.Transitions, s.Untold = Crowd{}, false, nil, 0
	s.unknown, s.unknownElements, s.cutBy = nil, 0, 0
	s.Claimed.reset()
	s.Contacts, s.shellCut = Contacts{}, false
	s.Logins.reset()
	s.Services.Reset()
	s.Deckies.Reset()
	s.Hops.Reset()
	s.Times.Reset()
	s.Hours.Reset()
	s.Commands.Reset()
	s.Known.Reset()
	s.Credentials.Reset()
	s.Admitted.Reset()
	s.Fingerprints.Reset()
	s.Artifacts.Reset()
	s.Leaks.Reset()
	s.Sessions.Reset()
	s.Sensors.Reset()
	s.Network.Reset()
	s.SystemGuesses.Reset()
	s.TTLs.Reset()
	s.Distances.Reset()
	s.KexOrders.Reset()
	s.Tools.Reset()
	s.Techniques.Reset()
	s.Alerts.Reset()
	s.Domains.Reset()
}

// IsTraversal says whether at least two deckies were touched.
func (s *Attacker) IsTraversal() bool { return s.Deckies.Len() >= 2 }

// Bounties counts the distinct credentials, fingerprints, artifacts and leaks,
// proven or claimed.
func (s *Attacker) Bounties() int64 {
	credentials, others := s.claimedAlone()
	return s.Credentials.Distinct() + s.Fingerprints.Distinct() + s.Artifacts.Distinct() + s.Leaks.Distinct() + credentials + others
}

// CredentialCount counts the distinct credentials, proven or claimed.
func (s *Attacker) CredentialCount() int64 {
	credentials, _ := s.claimedAlone()
	return s.Credentials.Distinct() + credentials
}

// Fold adds the events that sensor saw. Strings of the events are kept as
// views; the arena holds the keys that are made here.
func (s *Attacker) Fold(a *event.Arena, sensor string, network bool, events []*event.Event) {
	s.changes++
	counted := false
	for _, ev := range events {
		switch {
		case ev.Role == event.Prober:
			for i := range ev.Evidence {
				s.foldEvidence(a, ev, &ev.Evidence[i])
			}
			continue
		case ev.Role == event.Contact:
			// When the decoy calls says nothing about whom it calls.
			s.Contacts.fold(ev)
			for i := range ev.Evidence {
				if e := &ev.Evidence[i]; e.Kind == event.Fingerprint || e.Kind == event.Alert && e.C == event.PayloadHost {
					s.foldEvidence(a, ev, e)
				}
			}
		case ev.Proof.Proven():
			s.foldProven(a, ev)
		default:
			s.foldClaimed(a, ev)
		}
		counted = true
		if network && ev.Addr.IsValid() && (ev.Proof.Proven() || ev.Role == event.Contact) {
			s.Network.Add(law.Item{Time: -ev.Time, A: ev.Addr.String()}, LimitNetwork)
		}
	}
	if sensor != "" && counted {
		s.Sensors.Add(law.Entry{Key: sensor}, LimitSensors)
	}
}

// foldProven adds an event whose address is proven.
func (s *Attacker) foldProven(a *event.Arena, ev *event.Event) {
	s.foldEvent(ev)
	for i := range ev.Evidence {
		s.foldEvidence(a, ev, &ev.Evidence[i])
	}
}

func (s *Attacker) foldEvent(ev *event.Event) {
	s.First = law.Earliest(s.First, ev.Time)
	s.Last = max(s.Last, ev.Time)
	s.Events++
	s.Kinds[ev.Kind]++
	s.Times.Add(ev.Time, LimitTimes)
	s.Hours.Add(ev.Time, LimitHours)
	if ev.Service != "" {
		s.Services.See(ev.Service, ev.Time, uint8(ev.Kind), "", &LimitServices)
	}
	if ev.Decky != "" {
		s.Deckies.See(ev.Decky, ev.Time, 0, "", &LimitDeckies)
		s.Hops.Add(law.Item{Time: ev.Time, A: ev.Decky, B: ev.Service, C: ev.Type}, LimitHops)
	}
	if ev.Phase&event.Recon != 0 {
		s.Recon = max(s.Recon, ev.Time)
	}
	if ev.Phase&event.Exfil != 0 {
		s.Exfil = law.Earliest(s.Exfil, ev.Time)
	}
	if ev.Large {
		s.Large++
	}
	s.Handshake = true
}

func (s *Attacker) foldEvidence(a *event.Arena, ev *event.Event, e *event.Evidence) {
	switch e.Kind {
	case event.Command:
		s.CommandCount++
		s.FirstCommand = law.Earliest(s.FirstCommand, ev.Time)
		line := law.Shorten(e.A, maxLine)
		s.Commands.Add(law.Item{Time: ev.Time, A: ev.Service, B: ev.Decky, C: line}, LimitCommands)
		if e.N > 0 {
			s.Known.See(KnownKey(a, ev.Service, line), ev.Time, 0, "", &LimitKnown)
		}
	case event.Login:
		n := max(1, e.N)
		s.Attempts += n
		if e.Outcome == event.Success {
			s.Successes += n
			s.FirstSuccess = law.Earliest(s.FirstSuccess, ev.Time)
		}
		// DECNET's logins don't tell how they ended.
		if e.Outcome != event.Failure && ev.Decky != "" && (ev.Service == "ssh" || ev.Service == "telnet") {
			s.Logins.add(ev.Decky, ev.Time)
		}
		if e.B != "" {
			key := CredentialKey(a, ev.Service, e)
			s.Credentials.See(key, ev.Time, uint8(e.Outcome), e.C, &LimitCredentials)
			if e.Outcome == event.Success {
				s.Admitted.See(key, ev.Time, uint8(e.Outcome), e.C, &LimitAdmitted)
			}
		}
	case event.Fingerprint:
		s.Fingerprints.See(a.Join(e.A, "\x00", e.B), ev.Time, 0, EncodeFields(a, e.Payload), &LimitFingerprints)
	case event.Artifact:
		s.Artifacts.See(a.Join(e.A, "\x00", e.B, "\x00", e.C), ev.Time, 0, EncodeFields(a, e.Payload), &LimitArtifacts)
	case event.Leak:
		s.Leaks.See(a.Join(e.A, "\x00", e.B, "\x00", e.C), ev.Time, 0, "", &LimitLeaks)
	case event.Session:
		s.foldSession(e)
	case event.Recipient, event.Message:
		s.Domains.Add(e.A, LimitDomains)
	case event.Stack:
		s.foldStack(a, ev, e)
	case event.Retransmits:
		s.Retransmits += e.N
	case event.KexOrder:
		s.KexOrders.See(e.A, ev.Time, 0, "", &LimitKexOrders)
	case event.Tool:
		s.Tools.See(e.A, ev.Time, 0, e.B, &LimitTools)
	case event.Technique:
		s.Techniques.See(e.A, ev.Time, 0, e.B, &LimitTechniques)
	case event.Alert:
		key := a.Join(e.A, "\x00", e.B)
		if e.C != "" {
			key = a.Join(key, "\x00", e.C)
		}
		s.Alerts.See(key, ev.Time, worst(e.N), "", &LimitAlerts)
	}
}

// worst returns the rank of an alert's severity: the worst is 1, and ranks keep
// the largest.
func worst(severity int64) uint8 { return uint8(255 - min(max(severity, 1), 254)) }

func (s *Attacker) foldSession(e *event.Evidence) {
	s.Sessions.Add(e.A, LimitSessions)
	s.LongestSession = max(s.LongestSession, e.N)
}

func (s *Attacker) foldStack(a *event.Arena, ev *event.Event, e *event.Evidence) {
	if e.A != "" {
		proven := uint8(0)
		if ev.Proof.Proven() {
			proven = 1
		}
		s.SystemGuesses.See(e.A, ev.Time, proven, "", &LimitSystems)
	}
	if e.N > 0 {
		s.TTLs.See(decimal(a, e.N), ev.Time, 0, "", &LimitNumbers)
	}
	if e.M > 0 {
		s.Distances.See(decimal(a, e.M), ev.Time, 0, "", &LimitNumbers)
	}
	for _, f := range e.Payload {
		if f.Value == "" || f.Value == "unknown" || len(f.Value) > maxWord {
			continue
		}
		switch f.Key {
		case "ipid_class":
			s.IPIDClass.Add(ev.Time, f.Value)
		case "isn_class":
			s.ISNClass.Add(ev.Time, f.Value)
		}
	}
	if len(e.Payload) > 0 {
		s.Stack.Add(ev.Time, encodeFields(a, e.Payload, maxStack))
	}
}

func (s *Attacker) lists() [22]list {
	return [...]list{
		{&s.Services, &LimitServices, 0}, {&s.Deckies, &LimitDeckies, 0}, {&s.Known, &LimitKnown, 0},
		{&s.Credentials, &LimitCredentials, 0}, {&s.Admitted, &LimitAdmitted, 0}, {&s.Fingerprints, &LimitFingerprints, 0},
		{&s.Artifacts, &LimitArtifacts, 0}, {&s.Leaks, &LimitLeaks, 0}, {&s.Sensors, &LimitSensors, 0},
		{&s.SystemGuesses, &LimitSystems, 0}, {&s.TTLs, &LimitNumbers, 0}, {&s.Distances, &LimitNumbers, 0},
		{&s.KexOrders, &LimitKexOrders, 0}, {&s.Tools, &LimitTools, 0}, {&s.Techniques, &LimitTechniques, 0}, {&s.Alerts, &LimitAlerts, 0},
		{&s.Claimed.Services, &LimitClaimedServices, 0}, {&s.Claimed.Deckies, &LimitClaimedDeckies, 0}, {&s.Claimed.Evidence, &LimitClaims, 0}, {&s.Claimed.Known, &LimitShellKnown, 0},
		{&s.Sessions, nil, LimitSessions}, {&s.Domains, nil, LimitDomains},
	}
}

// settle brings what was read under this version's bounds and s's Rank.
func (s *Attacker) settle() {
	foreign, doubtful := s.cutBy != int64(s.rank.ID()), s.Domains.Doubtful()
	lists := s.lists()
	for i := range lists {
		lists[i].settle(s.Total(), foreign)
	}
	s.Commands.Settle(&LimitCommands)
	s.Claimed.Shell.Settle(&LimitShell)
	s.Hops.Settle(&LimitHops)
	if doubtful && s.Domains.Count() <= MaxTargets {
		// An earlier version could be made to believe in domains that nobody
		// named.
		s.Crowd = Crowd{}
	}
}
