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
	"strings"

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
	// LimitIndicatorCount is the number up to which an attacker's indicators are
	// counted exactly, MaxIndicators that for which documents are opened, about.
	LimitIndicatorCount = 256
	MaxIndicators       = 2000
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
	// Turns has when and in which session the newest commands in shells were
	// given.
	Turns Turns
	// Known has the commands that a rule knows, keyed by service, NUL, line.
	Known law.Bottom
	// Credentials is keyed by CredentialKey; Rank is the best event.Outcome,
	// Payload the secret as it may be shown. Admitted has those that a decoy
	// let in, Count is how often it did.
	Credentials    law.Bottom
	Admitted       law.Bottom
	Attempts       int64
	Successes      int64
	FirstSuccess   event.Time
	Fingerprints   law.Bottom // keyed by type, NUL, value
	Artifacts      law.Bottom // keyed by SHA-256, NUL, URL, NUL, kind
	Leaks          law.Bottom // keyed by address, NUL, header, NUL, category
	Sessions       law.Distinct
	LongestSession int64 // in milliseconds
	Sensors        law.Bottom
	Network        law.First  // the real addresses behind a network: A, the newest by negated time
	Recon          event.Time // newest event of phase Recon
	Exfil          event.Time // oldest event of phase Exfil
	Large          int64      // events that moved at least 1 MiB
	SystemGuesses  law.Bottom // sniffer's label of the operating system; Rank is 1 where it is proven
	TTLs           law.Bottom // TTL as seen, in decimal
	Distances      law.Bottom // hop distance, in decimal
	Stack          law.Latest // newest snapshot, EncodeFields
	IPIDClass      law.Latest
	ISNClass       law.Latest
	Retransmits    int64
	KexOrders      law.Bottom
	Tools          law.Bottom   // A tool, Payload by what it was recognised
	Techniques     law.Bottom   // ATT&CK id, Payload by what
	Conclusions    law.Bottom   // rank of a stage and rule, Payload what it saw
	Alerts         law.Bottom   // signature, NUL, category; Rank the severity
	Domains        law.Distinct // mail domains
	// Ports has the decoys' ports that the address connected to, keyed by
	// PortKey; Rank is 1 where it is proven.
	Ports   law.Bottom
	Unnamed Unnamed
	Crowd   Crowd
	// Indicators has the things that the address used beyond the decoy, keyed by
	// kind, NUL, value; Payload is how. IndicatorCount counts them, and
	// IndicatorCrowd says that they are more than MaxIndicators.
	Indicators     law.Bottom
	IndicatorCount law.Distinct
	IndicatorCrowd Crowd
	// Forwards has what decoys were asked to pass on, keyed by way, NUL, target.
	Forwards    law.Bottom
	Handshake   bool // whether anything is proven
	Claimed     Claimed
	Contacts    Contacts
	Logins      logins // when the address logged in to a shell, by decoy
	Transitions []Transition
	Untold      int64 // lines crossed that found no room in Transitions
	// told says that the state tells what is proven from what is not, as all do
	// that this version writes.
	told     always
	changes  uint64
	shellCut bool // ProveShell's copy: whether Claimed.Shell was truncated
	carried
}

// attackerTable has the fields of an attacker in the order in which they are
// written.
var attackerTable = table[Attacker]{
	number("f", lawMin, "time of the oldest proven event", func(s *Attacker) *int64 { return (*int64)(&s.First) }),
	number("l", lawMax, "time of the newest proven event", func(s *Attacker) *int64 { return (*int64)(&s.Last) }),
	number("n", lawSum, "proven events", func(s *Attacker) *int64 { return &s.Events }),
	number("k0", lawSum, "proven events that are noise", func(s *Attacker) *int64 { return &s.Kinds[event.Noise] }),
	number("k1", lawSum, "proven events that are scans", func(s *Attacker) *int64 { return &s.Kinds[event.Scan] }),
	number("k2", lawSum, "proven events that are interactions", func(s *Attacker) *int64 { return &s.Kinds[event.Interaction] }),
	keys("s", "services: rank is the strongest kind of event", &LimitServices, func(s *Attacker) *law.Bottom { return &s.Services }),
	keys("d", "decoys", &LimitDeckies, func(s *Attacker) *law.Bottom { return &s.Deckies }),
	firsts("h", "first contacts: decoy, service, event type", &LimitHops, func(s *Attacker) *law.First { return &s.Hops }),
	other("t", lawNewest, "times of events", law.TimesSize(LimitTimes), func(s *Attacker) value { return &s.Times }),
	other("hr", lawSum+", newest hours", "events by hour", law.HoursSize(LimitHours), func(s *Attacker) value { return &s.Hours }),
	newest("c", "commands: service, decoy, line", &LimitCommands, func(s *Attacker) *law.Newest { return &s.Commands }),
	oldest("co", "the first commands, once not all are kept", &LimitCommands, func(s *Attacker) *law.Newest { return &s.Commands }),
	other("ct", lawNewest, "commands in shells: time, digests of the session and the line", mostTurns, func(s *Attacker) value { return &s.Turns }),
	keys("ck", "commands that a rule knows: service, line", &LimitKnown, func(s *Attacker) *law.Bottom { return &s.Known }),
	number("cn", lawSum, "commands", func(s *Attacker) *int64 { return &s.CommandCount }),
	number("cf", lawMin, "time of the first command", func(s *Attacker) *int64 { return (*int64)(&s.FirstCommand) }),
	keys("cr", "credentials: service, principal, kind of secret, its SHA-256; rank is the best outcome, payload the secret", &LimitCredentials, func(s *Attacker) *law.Bottom { return &s.Credentials }),
	keys("ca", "credentials that a decoy let in", &LimitAdmitted, func(s *Attacker) *law.Bottom { return &s.Admitted }),
	number("la", lawSum, "login attempts", func(s *Attacker) *int64 { return &s.Attempts }),
	number("ls", lawSum, "successful logins", func(s *Attacker) *int64 { return &s.Successes }),
	number("lf", lawMin, "time of the first successful login", func(s *Attacker) *int64 { return (*int64)(&s.FirstSuccess) }),
	keys("fp", "fingerprints: type, value; payload is what more the sensor tells", &LimitFingerprints, func(s *Attacker) *law.Bottom { return &s.Fingerprints }),
	keys("ar", "files and URLs: SHA-256, URL, kind", &LimitArtifacts, func(s *Attacker) *law.Bottom { return &s.Artifacts }),
	keys("lk", "claimed addresses: address, header, category", &LimitLeaks, func(s *Attacker) *law.Bottom { return &s.Leaks }),
	counts("se", "sessions", LimitSessions, func(s *Attacker) *law.Distinct { return &s.Sessions }),
	number("sl", lawMax, "length of the longest session in milliseconds", func(s *Attacker) *int64 { return &s.LongestSession }),
	keys("sn", "sensors", &LimitSensors, func(s *Attacker) *law.Bottom { return &s.Sensors }),
	firsts("nw", "addresses of a network, by negated time", &LimitNetwork, func(s *Attacker) *law.First { return &s.Network }),
	number("pr", lawMax, "newest event that looks around", func(s *Attacker) *int64 { return (*int64)(&s.Recon) }),
	number("px", lawMin, "oldest event that moves something out", func(s *Attacker) *int64 { return (*int64)(&s.Exfil) }),
	number("pl", lawSum, "events that moved at least 1 MiB", func(s *Attacker) *int64 { return &s.Large }),
	keys("os", "labels of operating systems; rank is 1 where one is proven", &LimitSystems, func(s *Attacker) *law.Bottom { return &s.SystemGuesses }),
	keys("tt", "TTLs", &LimitNumbers, func(s *Attacker) *law.Bottom { return &s.TTLs }),
	keys("hd", "hop distances", &LimitNumbers, func(s *Attacker) *law.Bottom { return &s.Distances }),
	latest("st", "TCP/IP snapshot", maxStack, func(s *Attacker) *law.Latest { return &s.Stack }),
	latest("ip", "class of IP ids", maxWord, func(s *Attacker) *law.Latest { return &s.IPIDClass }),
	latest("is", "class of initial sequence numbers", maxWord, func(s *Attacker) *law.Latest { return &s.ISNClass }),
	number("rt", lawSum, "retransmits", func(s *Attacker) *int64 { return &s.Retransmits }),
	keys("kx", "orders of key exchange algorithms", &LimitKexOrders, func(s *Attacker) *law.Bottom { return &s.KexOrders }),
	keys("to", "tools; payload is by what one was recognised", &LimitTools, func(s *Attacker) *law.Bottom { return &s.Tools }),
	keys("te", "techniques of ATT&CK; payload is why", &LimitTechniques, func(s *Attacker) *law.Bottom { return &s.Techniques }),
	keys("cc", "what rules concluded: rank of the stage, rule; payload is what it saw", &LimitConclusions, func(s *Attacker) *law.Bottom { return &s.Conclusions }),
	keys("al", "alerts: signature, category, side; rank is 255 less the severity", &LimitAlerts, func(s *Attacker) *law.Bottom { return &s.Alerts }),
	counts("do", "mail domains", LimitDomains, func(s *Attacker) *law.Distinct { return &s.Domains }),
	other("cw", lawOnce, "share of the mail domains that the chunk opens which crossed their bound, and that chunk", crowdBytes, func(s *Attacker) value { return &s.Crowd }),
	other("hs", lawOr, "whether anything is proven", 1, func(s *Attacker) value { return (*boolean)(&s.Handshake) }),
	other("tr", lawOnce, "lines crossed: action, value, time, chunk", transitionBytes, func(s *Attacker) value { return (*transitions)(&s.Transitions) }),
	other("ts", lawOnce, "places of those that open no month", 2, func(s *Attacker) value { return (*stray)(&s.Transitions) }),
	keys("po", "decoys' ports: transport, number; rank is 1 where proven", &LimitPorts, func(s *Attacker) *law.Bottom { return &s.Ports }),
	toldField("ap", func(s *Attacker) *Unnamed { return &s.Unnamed }),
	unnamedField("au", func(s *Attacker) *Unnamed { return &s.Unnamed }),
	number("ag", lawSum, "events of those that had no room there", func(s *Attacker) *int64 { return &s.Unnamed.Guessed }),
	keys("in", "things used beyond the decoy: kind, value; payload is how", &LimitIndicators, func(s *Attacker) *law.Bottom { return &s.Indicators }),
	counts("ic", "those things", LimitIndicatorCount, func(s *Attacker) *law.Distinct { return &s.IndicatorCount }),
	other("iw", lawOnce, "share of the things that the chunk opens which crossed their bound, and that chunk", crowdBytes, func(s *Attacker) value { return &s.IndicatorCrowd }),
	keys("fw", "what decoys were asked to pass on: way, target", &LimitForwards, func(s *Attacker) *law.Bottom { return &s.Forwards }),
	number("tu", lawMax, "lines crossed that found no room", func(s *Attacker) *int64 { return &s.Untold }),

	other("pv", "constant", "that what is proven is told from what is not", 1, func(s *Attacker) value { return &s.told }),
	number("vf", lawMin, "time of the oldest event that is not proven", func(s *Attacker) *int64 { return (*int64)(&s.Claimed.First) }),
	number("vl", lawMax, "time of the newest event that is not proven", func(s *Attacker) *int64 { return (*int64)(&s.Claimed.Last) }),
	number("vn", lawSum, "events that are not proven", func(s *Attacker) *int64 { return &s.Claimed.Events }),
	number("v0", lawSum, "those that are noise", func(s *Attacker) *int64 { return &s.Claimed.Kinds[event.Noise] }),
	number("v1", lawSum, "those that are scans", func(s *Attacker) *int64 { return &s.Claimed.Kinds[event.Scan] }),
	number("v2", lawSum, "those that are interactions", func(s *Attacker) *int64 { return &s.Claimed.Kinds[event.Interaction] }),
	number("vc", lawSum, "commands that are not proven", func(s *Attacker) *int64 { return &s.Claimed.Commands }),
	number("va", lawSum, "login attempts that are not proven", func(s *Attacker) *int64 { return &s.Claimed.Attempts }),
	number("vs", lawSum, "successful logins that are not proven", func(s *Attacker) *int64 { return &s.Claimed.Successes }),
	number("vg", lawSum, "events that moved at least 1 MiB and are not proven", func(s *Attacker) *int64 { return &s.Claimed.Large }),
	keys("vv", "services that are not proven", &LimitClaimedServices, func(s *Attacker) *law.Bottom { return &s.Claimed.Services }),
	keys("vd", "decoys that are not proven", &LimitClaimedDeckies, func(s *Attacker) *law.Bottom { return &s.Claimed.Deckies }),
	keys("ve", "evidence that is not proven: kind, service, texts", &LimitClaims, func(s *Attacker) *law.Bottom { return &s.Claimed.Evidence }),
	newest("vh", "what shells told: service, decoy, line", &LimitShell, func(s *Attacker) *law.Newest { return &s.Claimed.Shell }),
	oldest("vo", "the first that shells told, once not all are kept", &LimitShell, func(s *Attacker) *law.Newest { return &s.Claimed.Shell }),
	keys("vk", "commands of shells that a rule knows: service, line, decoy", &LimitShellKnown, func(s *Attacker) *law.Bottom { return &s.Claimed.Known }),
	number("xf", lawMin, "time of the first connection that a decoy opened", func(s *Attacker) *int64 { return (*int64)(&s.Contacts.First) }),
	number("xl", lawMax, "time of the last", func(s *Attacker) *int64 { return (*int64)(&s.Contacts.Last) }),
	number("xn", lawSum, "connections that decoys opened", func(s *Attacker) *int64 { return &s.Contacts.Events }),
	other("lg", lawSet, "days and decoys with a login to a shell, first and last time", mostLogins, func(s *Attacker) value { return &s.Logins }),
	other("lo", lawSet, "the oldest of those that had no room there", mostGoneLogins, func(s *Attacker) value { return &s.Logins.gone }),
}

// By has the lists of s rank keys by r. It is called before Reset or Decode.
func (s *Attacker) By(r law.Rank) { attackerTable.by(s, &s.carried, r) }

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
	login := ev.Login()
	return a.Join(service, "\x00", login.Principal(), "\x00", login.SecretKind(), "\x00", login.SecretDigest())
}

// IndicatorKey returns the key of a thing of that kind.
func IndicatorKey(a *event.Arena, kind, value string) string { return a.Join(kind, "\x00", value) }

// IndicatorOf takes such a key apart.
func IndicatorOf(key string) (kind, value string) {
	kind, value, _ = strings.Cut(key, "\x00")
	return kind, value
}

// KnownKey returns the key of a command that a rule knows.
func KnownKey(a *event.Arena, service, line string) string { return a.Join(service, "\x00", line) }

// Reset empties s and keeps the memory of its lists. Most attackers have a few
// events in a chunk, so it is done in place.
func (s *Attacker) Reset() {
	s.changes++
	s.shellCut = false
	attackerTable.reset(s, &s.carried)
}

// Size returns how many bytes Append appends at the most. It is the same for
// the same events, in whatever order and chunks they came: transitions, which
// may not be, count in full.
func (s *Attacker) Size() int { return attackerTable.size(s, &s.carried) }

// MaxAttacker is what an attacker's state takes at the most, whatever was
// folded into it.
var MaxAttacker = attackerTable.most()

// Append appends the encoded state.
func (s *Attacker) Append(dst []byte) []byte { return attackerTable.append(dst, s, &s.carried) }

// Decode reads an encoded state in place of what s holds. The result is a view
// of src.
func (s *Attacker) Decode(src []byte) error {
	s.Reset()
	if err := attackerTable.decode(src, s, &s.carried); err != nil {
		return err
	}
	doubtful := s.Domains.Doubtful()
	attackerTable.settle(s, &s.carried, s.Total())
	if doubtful && s.Domains.Count() <= MaxTargets {
		// An earlier version could be made to believe in domains that nobody
		// named.
		s.Crowd = Crowd{}
	}
	if !s.told {
		s.withoutProvenance(new(event.Arena))
	}
	return nil
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
				if e := &ev.Evidence[i]; e.Kind == event.Fingerprint || e.Kind == event.Indicator || e.Kind == event.Alert && e.Alert().Side() == event.PayloadHost {
					s.foldEvidence(a, ev, e)
				}
			}
		case ev.Proof.Proven():
			s.foldProven(a, ev)
		default:
			s.foldClaimed(a, ev)
		}
		counted = true
		foldPort(a, &s.Ports, ev)
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
	if ev.Naming != event.Named {
		s.Unnamed.fold(a, ev, s)
	}
}

// place adds what of an event depends on its service.
func (s *Attacker) place(a *event.Arena, service string, p *placed) {
	if p.touch {
		if service != "" {
			s.Services.See(service, p.at, uint8(p.kind), "", &LimitServices)
		}
		if p.decky != "" {
			s.Hops.Add(law.Item{Time: p.at, A: p.decky, B: service, C: p.what}, LimitHops)
		}
	}
	switch {
	case p.command:
		s.Commands.Add(commandItem(p.at, service, p.decky, p.text), LimitCommands)
		if p.known {
			s.Known.See(KnownKey(a, service, p.text), p.at, 0, "", &LimitKnown)
		}
	case p.login:
		key := a.Join(service, "\x00", p.text)
		s.Credentials.See(key, p.at, uint8(p.outcome), p.secret, &LimitCredentials)
		if p.outcome == event.Success {
			s.Admitted.See(key, p.at, uint8(p.outcome), p.secret, &LimitAdmitted)
		}
	}
}

func (s *Attacker) foldEvent(ev *event.Event) {
	s.First = law.Earliest(s.First, ev.Time)
	s.Last = max(s.Last, ev.Time)
	s.Events++
	s.Kinds[ev.Kind]++
	s.Times.Add(ev.Time, LimitTimes)
	s.Hours.Add(ev.Time, LimitHours)
	if ev.Service != "" && !waits(ev) {
		s.Services.See(ev.Service, ev.Time, uint8(ev.Kind), "", &LimitServices)
	}
	if ev.Decky != "" {
		s.Deckies.See(ev.Decky, ev.Time, 0, "", &LimitDeckies)
		if !waits(ev) {
			s.Hops.Add(law.Item{Time: ev.Time, A: ev.Decky, B: ev.Service, C: ev.Type}, LimitHops)
		}
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
		line := law.Shorten(e.Command().Line(), maxLine)
		if InShell(ev.Service) { // whichever of them it turns out to be, where that waits
			s.Turns.Add(ev.Time, sessionOf(ev, e), line)
		}
		if waits(ev) {
			break
		}
		s.Commands.Add(commandItem(ev.Time, ev.Service, ev.Decky, line), LimitCommands)
		if e.Command().Known() {
			s.Known.See(KnownKey(a, ev.Service, line), ev.Time, 0, "", &LimitKnown)
		}
	case event.Login:
		login := e.Login()
		n := login.Attempts()
		s.Attempts += n
		if e.Outcome == event.Success {
			s.Successes += n
			s.FirstSuccess = law.Earliest(s.FirstSuccess, ev.Time)
		}
		// DECNET's logins don't tell how they ended.
		if e.Outcome != event.Failure && ev.Decky != "" && (ev.Service == "ssh" || ev.Service == "telnet") {
			s.Logins.add(ev.Decky, ev.Time)
		}
		if login.SecretKind() != "" && !waits(ev) {
			key := CredentialKey(a, ev.Service, e)
			s.Credentials.See(key, ev.Time, uint8(e.Outcome), login.Secret(), &LimitCredentials)
			if e.Outcome == event.Success {
				s.Admitted.See(key, ev.Time, uint8(e.Outcome), login.Secret(), &LimitAdmitted)
			}
		}
	case event.Fingerprint:
		f := e.Fingerprint()
		s.Fingerprints.See(a.Join(f.Type(), "\x00", f.Value()), ev.Time, 0, EncodeFields(a, e.Payload), &LimitFingerprints)
	case event.Artifact:
		f := e.Artifact()
		s.Artifacts.See(a.Join(f.SHA256(), "\x00", f.URL(), "\x00", f.Type()), ev.Time, 0, EncodeFields(a, e.Payload), &LimitArtifacts)
	case event.Leak:
		l := e.Leak()
		s.Leaks.See(a.Join(l.Address(), "\x00", l.Header(), "\x00", l.Category()), ev.Time, 0, "", &LimitLeaks)
	case event.Session:
		s.foldSession(e)
	case event.Recipient, event.Message:
		s.Domains.Add(e.Domain(), LimitDomains)
		if e.Kind == event.Recipient {
			s.Forwards.See(a.Join(event.ForwardMail, "\x00", e.Domain()), ev.Time, 0, "", &LimitForwards)
		}
	case event.Forward:
		s.Forwards.See(a.Join(e.Forward().Way(), "\x00", e.Forward().Target()), ev.Time, 0, "", &LimitForwards)
	case event.Indicator:
		i := e.Indicator()
		key := IndicatorKey(a, i.Type(), i.Value())
		s.Indicators.See(key, ev.Time, 0, i.Use(), &LimitIndicators)
		s.IndicatorCount.Add(key, LimitIndicatorCount)
	case event.Stack:
		s.foldStack(a, ev, e)
	case event.Retransmits:
		s.Retransmits += e.Segments()
	case event.KexOrder:
		s.KexOrders.See(e.Algorithms(), ev.Time, 0, "", &LimitKexOrders)
	case event.Tool:
		s.Tools.See(e.Recognised().Name(), ev.Time, 0, e.Recognised().Why(), &LimitTools)
	case event.Technique:
		s.Techniques.See(e.Recognised().Name(), ev.Time, 0, e.Recognised().Why(), &LimitTechniques)
	case event.Conclusion:
		s.foldConclusion(a, ev, e)
	case event.Alert:
		alert := e.Alert()
		key := a.Join(alert.Signature(), "\x00", alert.Category())
		if alert.Side() != "" {
			key = a.Join(key, "\x00", alert.Side())
		}
		s.Alerts.See(key, ev.Time, worst(alert.Severity()), "", &LimitAlerts)
	}
}

// worst returns the rank of an alert's severity: the worst is 1, and ranks keep
// the largest.
func worst(severity int64) uint8 { return uint8(255 - min(max(severity, 1), 254)) }

func (s *Attacker) foldSession(e *event.Evidence) {
	s.Sessions.Add(e.Session().ID(), LimitSessions)
	s.LongestSession = max(s.LongestSession, e.Session().Milliseconds())
}

func (s *Attacker) foldStack(a *event.Arena, ev *event.Event, e *event.Evidence) {
	stack := e.Stack()
	if stack.System() != "" {
		proven := uint8(0)
		if ev.Proof.Proven() {
			proven = 1
		}
		s.SystemGuesses.See(stack.System(), ev.Time, proven, "", &LimitSystems)
	}
	if stack.TTL() > 0 {
		s.TTLs.See(decimal(a, stack.TTL()), ev.Time, 0, "", &LimitNumbers)
	}
	if stack.Hops() > 0 {
		s.Distances.See(decimal(a, stack.Hops()), ev.Time, 0, "", &LimitNumbers)
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
