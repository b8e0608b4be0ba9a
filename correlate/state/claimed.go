package state

import (
	"slices"
	"strings"

	"dossier/correlate/event"
	"dossier/correlate/law"
)

// The bounds of what is claimed of an address. They are small: who claims can
// do so as often as he likes, and nobody is judged by it.
var (
	LimitClaimedServices = law.Limit{Keys: 32, Bytes: 2 << 10, Entry: 64}
	LimitClaimedDeckies  = law.Limit{Keys: 64, Bytes: 3 << 10, Entry: 96}
	// LimitClaims has a share for each kind of claim.
	LimitClaims = law.Limit{Bytes: 10 << 10, Entry: 320, Part: 2, Payload: maxClaim, Class: claimClass, Shares: claimShares}
	// LimitShell bounds the newest commands that shells told, and the first.
	LimitShell = law.Limit{Keys: 256, Bytes: 16 << 10, Entry: 512, Firsts: 10}
	// LimitShellKnown bounds those of them that a rule knows.
	LimitShellKnown = law.Limit{Keys: 48, Bytes: 8 << 10, Entry: 256, Part: 1, Firsts: 6}
)

// maxClaim bounds each text of a claim.
const maxClaim = 64

// Claimed is what was told of an address by what doesn't prove that it was the
// address's doing (event.Claimed, event.ByShell). It counts, and is shown
// apart; nobody is judged by it.
type Claimed struct {
	// First and Last are the smallest and largest event time, Events counts the
	// events, Kinds by event.Kind.
	First, Last event.Time
	Events      int64
	Kinds       [3]int64
	// Commands, Attempts, Successes and Large count as the attacker's own do.
	Commands, Attempts, Successes, Large int64
	// Services and Deckies are as the attacker's own.
	Services, Deckies law.Bottom
	// Evidence is keyed by a Claim's Key; Rank and Payload are those that the
	// evidence would have among what is proven.
	Evidence law.Bottom
	// Shell has the newest events that shells told, and the first: A service, B decky, C the
	// command line, "" where the event was none.
	Shell law.Newest
	// Known has those of them that a rule knows, so that many others push none
	// out: keyed by service, NUL, line, NUL, decky.
	Known law.Bottom
}

// Claim is one thing claimed: what kind of evidence, on which service, and its
// texts.
type Claim struct {
	Kind, Service string
	// A, B and C are what the evidence's fields mean; of a login C is the
	// secret's SHA-256, in bytes.
	A, B, C string
}

// Key returns the claim's key.
func (c *Claim) Key(a *event.Arena) string {
	return a.Join(c.Kind, "\x00", c.Service, "\x00", c.A, "\x00", c.B, "\x00", c.C)
}

// ClaimOf takes a key apart.
func ClaimOf(key string) (c Claim) {
	c.Kind, key, _ = strings.Cut(key, "\x00")
	c.Service, key, _ = strings.Cut(key, "\x00")
	c.A, key, _ = strings.Cut(key, "\x00")
	c.B, c.C, _ = strings.Cut(key, "\x00")
	return c
}

// cut bounds a text of a claim.
func cut(s string) string { return law.Shorten(s, maxClaim) }

// claimKinds has the places of the kinds of claims among claimShares; the
// first is for all others.
var claimKinds = map[string]int{
	ClaimCommand: 1, ClaimLogin: 2, ClaimFingerprint: 3, ClaimFile: 4, ClaimLeak: 5, ClaimRecipient: 6, ClaimTool: 7, ClaimTechnique: 8,
	ClaimAlert: 9, ClaimKexOrder: 10,
}

var claimShares = slices.Repeat([]law.Share{{Bytes: 768, Firsts: 1}}, 11)

func claimClass(key string) int {
	kind, _, _ := strings.Cut(key, "\x00")
	return claimKinds[kind]
}

// The names of kinds of claims.
const (
	ClaimCommand     = "command"
	ClaimLogin       = "login"
	ClaimFingerprint = "fingerprint"
	ClaimFile        = "file"
	ClaimLeak        = "ip_leak"
	ClaimRecipient   = "recipient"
	ClaimTool        = "tool"
	ClaimTechnique   = "technique"
	ClaimAlert       = "alert"
	ClaimKexOrder    = "kex_order"
	ClaimIndicator   = "indicator"
)

// fold adds an event whose address isn't proven.
func (s *Attacker) foldClaimed(a *event.Arena, ev *event.Event) {
	c := &s.Claimed
	c.First = law.Earliest(c.First, ev.Time)
	c.Last = max(c.Last, ev.Time)
	c.Events++
	c.Kinds[ev.Kind]++
	if ev.Large {
		c.Large++
	}
	if ev.Service != "" {
		c.Services.See(ev.Service, ev.Time, uint8(ev.Kind), "", &LimitClaimedServices)
	}
	if ev.Decky != "" {
		c.Deckies.See(ev.Decky, ev.Time, 0, "", &LimitClaimedDeckies)
	}
	if ev.Proof == event.ByShell {
		s.foldShell(a, ev)
		return
	}
	for i := range ev.Evidence {
		s.foldClaim(a, ev, &ev.Evidence[i])
	}
}

// foldShell adds what a shell told. What rules concluded from a command is
// left out: it is concluded again where the command is a session's.
func (s *Attacker) foldShell(a *event.Arena, ev *event.Event) {
	c := &s.Claimed
	line, told := "", false
	for i := range ev.Evidence {
		switch e := &ev.Evidence[i]; e.Kind {
		case event.Command:
			c.Commands++
			if told {
				// A shell tells one command an event; another's is a claim.
				s.claim(a, ev, Claim{Kind: ClaimCommand, A: e.Command().Line()}, 0, "")
				continue
			}
			line, told = law.Shorten(e.Command().Line(), maxLine), true
			if e.Command().Known() {
				c.Known.See(shellKey(a, ev.Service, line, ev.Decky), ev.Time, 0, "", &LimitShellKnown)
			}
		case event.Indicator:
			// It is told again where the command is a session's; what has a document
			// counts at once.
			s.IndicatorCount.Add(IndicatorKey(a, e.Indicator().Type(), e.Indicator().Value()), LimitIndicatorCount)
		case event.Tool, event.Technique, event.Conclusion:
		default:
			s.foldClaim(a, ev, e)
		}
	}
	c.Shell.Add(commandItem(ev.Time, ev.Service, ev.Decky, line), LimitShell)
}

func (s *Attacker) foldClaim(a *event.Arena, ev *event.Event, e *event.Evidence) {
	c := &s.Claimed
	switch e.Kind {
	case event.Command:
		c.Commands++
		s.claim(a, ev, Claim{Kind: ClaimCommand, A: e.Command().Line()}, 0, "")
	case event.Login:
		c.Attempts++
		if e.Outcome == event.Success {
			c.Successes++
		}
		login, digest := e.Login(), ""
		if login.SecretKind() != "" {
			digest = login.SecretDigest()
		}
		s.claim(a, ev, Claim{ClaimLogin, ev.Service, login.Principal(), login.SecretKind(), digest}, uint8(e.Outcome), login.Secret())
	case event.Fingerprint:
		s.claim(a, ev, Claim{Kind: ClaimFingerprint, A: e.Fingerprint().Type(), B: e.Fingerprint().Value()}, 0, "")
	case event.Artifact:
		s.claim(a, ev, Claim{Kind: ClaimFile, A: e.Artifact().SHA256(), B: e.Artifact().URL(), C: e.Artifact().Type()}, 0, "")
	case event.Leak:
		s.claim(a, ev, Claim{Kind: ClaimLeak, A: e.Leak().Address(), B: e.Leak().Header(), C: e.Leak().Category()}, 0, "")
	case event.Recipient, event.Message:
		s.claim(a, ev, Claim{Kind: ClaimRecipient, A: e.Domain()}, 0, "")
	case event.Tool:
		s.claim(a, ev, Claim{Kind: ClaimTool, A: e.Recognised().Name()}, 0, e.Recognised().Why())
	case event.Technique:
		s.claim(a, ev, Claim{Kind: ClaimTechnique, A: e.Recognised().Name()}, 0, e.Recognised().Why())
	case event.Alert:
		s.claim(a, ev, Claim{Kind: ClaimAlert, A: e.Alert().Signature(), B: e.Alert().Category()}, worst(e.Alert().Severity()), "")
	case event.Indicator:
		s.claim(a, ev, Claim{Kind: ClaimIndicator, A: e.Indicator().Type(), B: e.Indicator().Value()}, 0, e.Indicator().Use())
	case event.KexOrder:
		s.claim(a, ev, Claim{Kind: ClaimKexOrder, A: e.Algorithms()}, 0, "")
	case event.Session:
		// How long it took is what the claim says, and nobody's doing.
		s.Sessions.Add(e.Session().ID(), LimitSessions)
	case event.Stack:
		s.foldStack(a, ev, e)
	case event.Retransmits:
		s.Retransmits += e.Segments()
	}
}

func (s *Attacker) claim(a *event.Arena, ev *event.Event, c Claim, rank uint8, payload string) {
	c.Service, c.A, c.B = ev.Service, cut(c.A), cut(c.B)
	if c.Kind != ClaimLogin {
		c.C = cut(c.C)
	}
	s.Claimed.Evidence.See(c.Key(a), ev.Time, rank, cut(payload), &LimitClaims)
}

// claimedAlone counts the credentials, and the fingerprints, files and
// addresses, that are claimed and not among what is proven; of claims no more
// than are kept. A claim that is not among a list that was cut counts for none:
// it may be one of those that the list's estimate stands for.
func (s *Attacker) claimedAlone() (credentials, others int64) {
	entries := s.Claimed.Evidence.Entries()
	for i := range entries {
		kind, rest, _ := strings.Cut(entries[i].Key, "\x00")
		_, evidence, _ := strings.Cut(rest, "\x00") // behind the service
		switch kind {
		case ClaimLogin:
			if _, secret, _ := strings.Cut(evidence, "\x00"); secret != "\x00" && alone(&s.Credentials, &LimitCredentials, rest) {
				credentials++
			}
		case ClaimFingerprint:
			if evidence = strings.TrimSuffix(evidence, "\x00"); alone(&s.Fingerprints, &LimitFingerprints, evidence) {
				others++
			}
		case ClaimFile:
			if alone(&s.Artifacts, &LimitArtifacts, evidence) {
				others++
			}
		case ClaimLeak:
			if alone(&s.Leaks, &LimitLeaks, evidence) {
				others++
			}
		}
	}
	return credentials, others
}

// alone says whether what a claim's key names was never proven, as far as the
// list of what was tells. The texts of claims are cut shorter than those of lists.
func alone(list *law.Bottom, limit *law.Limit, key string) bool {
	if list.Truncated() || list.Get(limit.Key(key)) != nil {
		return false
	}
	if !law.HoldsShortened(key) {
		return true
	}
	parts := strings.SplitN(key, "\x00", 4)
	entries := list.Entries()
	return !slices.ContainsFunc(entries, func(e law.Entry) bool {
		return slices.EqualFunc(parts, strings.SplitN(e.Key, "\x00", 4), law.ShortenedAlike)
	})
}

// Contacts counts the connections that decoys opened to the address
// (event.Contact): what the address did is none of it.
type Contacts struct {
	First, Last event.Time
	Events      int64
}

func (c *Contacts) fold(ev *event.Event) {
	c.First = law.Earliest(c.First, ev.Time)
	c.Last = max(c.Last, ev.Time)
	c.Events++
}

// Seen returns the times of the oldest and the newest event, whatever it
// proves.
func (s *Attacker) Seen() (first, last event.Time) {
	first = law.Earliest(law.Earliest(s.First, s.Claimed.First), s.Contacts.First)
	return first, max(s.Last, s.Claimed.Last, s.Contacts.Last)
}

// Total counts the events, whatever they prove.
func (s *Attacker) Total() int64 { return s.Events + s.Claimed.Events + s.Contacts.Events }

// ProveShell makes those events that shells told session evidence whose address
// had logged in on the same decoy within the day before, and returns how many
// they are. Of those beyond LimitShell nothing is known but that they were.
//
// It is for who renders s, on a copy: a login that is folded later makes more
// of them. annotate adds what rules know of an event.
func (s *Attacker) ProveShell(a *event.Arena, m *ShellMemory, annotate func(*event.Event)) int {
	claimed, ev := m.claimed[:0], &m.event
	proven := 0
	m.told = s.Claimed.told(a, m.told[:0])
	for _, it := range m.told {
		if !s.Logins.admits(CommandOf(&it).Decky(), it.Time) {
			claimed = append(claimed, it)
			continue
		}
		proven++
		m.tell(&it)
		annotate(ev)
		s.Claimed.Events--
		s.Claimed.Kinds[ev.Kind]--
		for _, e := range [...]*law.Entry{s.Claimed.Services.Get(ev.Service), s.Claimed.Deckies.Get(ev.Decky)} {
			if e != nil {
				e.Count-- // one of 0 is none
			}
		}
		if CommandOf(&it).Line() != "" {
			s.Claimed.Commands--
		}
		s.changes++
		s.foldProven(a, ev)
	}
	m.claimed = claimed
	if proven > 0 {
		truncated := s.Claimed.Shell.Truncated()
		s.Claimed.Shell.Reset()
		for _, it := range claimed {
			s.Claimed.Shell.Add(it, LimitShell)
		}
		s.shellCut = truncated
	}
	return proven
}

// ProvesShell says whether ProveShell would find any.
func (s *Attacker) ProvesShell() bool {
	if s.Logins.Empty() {
		return false
	}
	for _, items := range [...][]law.Item{s.Claimed.Shell.Gone(), s.Claimed.Shell.Items()} {
		for i := range items {
			if s.Logins.admits(CommandOf(&items[i]).Decky(), items[i].Time) {
				return true
			}
		}
	}
	known := s.Claimed.Known.Entries()
	for i := range known {
		it := toldOf(&known[i])
		if decky := CommandOf(&it).Decky(); s.Logins.admits(decky, known[i].First) || s.Logins.admits(decky, known[i].Last) {
			return true
		}
	}
	return false
}

// shellKey returns the key of a shell's command that a rule knows.
func shellKey(a *event.Arena, service, line, decky string) string {
	return a.Join(service, "\x00", line, "\x00", decky)
}

// toldOf returns what a key of Known says, at the first of its times.
func toldOf(e *law.Entry) law.Item {
	service, rest, _ := strings.Cut(e.Key, "\x00")
	i := strings.LastIndexByte(rest, 0)
	return commandItem(e.First, service, rest[i+1:], rest[:max(i, 0)])
}

// told appends what is kept of what shells told: the first, the newest, and
// those that a rule knows and that are neither, at their first and last time.
func (c *Claimed) told(a *event.Arena, to []law.Item) []law.Item {
	to = append(append(to, c.Shell.Gone()...), c.Shell.Items()...)
	if !c.Shell.Truncated() || c.Known.Len() == 0 {
		return to
	}
	kept := make(map[string]bool, len(to))
	for i := range to {
		it := CommandOf(&to[i])
		kept[LimitShellKnown.Key(shellKey(a, it.Service(), it.Line(), it.Decky()))] = true
	}
	known := c.Known.Entries()
	for i := range known {
		if kept[known[i].Key] {
			continue
		}
		it := toldOf(&known[i])
		to = append(to, it)
		if known[i].Last > it.Time {
			it.Time = known[i].Last
			to = append(to, it)
		}
	}
	return to
}

// SessionsTruncated says whether more than is kept may be a session's, of what
// shells told; of a copy that ProveShell was called on.
func (s *Attacker) SessionsTruncated() bool { return s.shellCut }

// ShellTruncated says whether shells told more than is kept.
func (s *Attacker) ShellTruncated() bool { return s.shellCut || s.Claimed.Shell.Truncated() }

// ShellMemory is memory that one ProveShell leaves to the next.
type ShellMemory struct {
	event   event.Event
	shown   [1]event.Evidence
	told    []law.Item
	claimed []law.Item
}

// tell makes the event that a shell told.
func (m *ShellMemory) tell(item *law.Item) {
	ev, it := &m.event, CommandOf(item)
	*ev = event.Event{
		Time: it.Time, Service: it.Service(), Decky: it.Decky(), Type: "session_recorded", Kind: event.Interaction, Proof: event.BySession,
	}
	if it.Line() != "" {
		ev.Type, ev.Phase = "command", event.Exfil
		m.shown[0] = event.Evidence{Kind: event.Command, A: it.Line()}
		ev.Evidence = m.shown[:]
	}
}

// withoutProvenance makes of a state that an earlier version wrote what this
// one would: what that one took for proven stays so, and of an address that
// nothing proved all is claimed.
func (s *Attacker) withoutProvenance(a *event.Arena) {
	if s.Handshake {
		for i := range s.SystemGuesses.Entries() {
			s.SystemGuesses.Entries()[i].Rank = 1
		}
		return
	}
	if s.Events == s.Kinds[event.Noise] && s.Deckies.Len() == 0 {
		s.Contacts = Contacts{s.First, s.Last, s.Events}
		s.First, s.Last, s.Events, s.Kinds = event.Never, event.Never, 0, [3]int64{}
		return
	}
	c := &s.Claimed
	c.First, c.Last, c.Events, c.Kinds = s.First, s.Last, s.Events, s.Kinds
	c.Commands, c.Attempts, c.Successes, c.Large = s.CommandCount, s.Attempts, s.Successes, s.Large
	s.First, s.Last, s.Events, s.Kinds = event.Never, event.Never, 0, [3]int64{}
	s.CommandCount, s.FirstCommand, s.Attempts, s.Successes, s.FirstSuccess, s.Large = 0, event.Never, 0, 0, event.Never, 0
	s.Recon, s.Exfil = event.Never, event.Never
	s.Hops.Reset()
	s.Times.Reset()
	s.Hours.Reset()
	move(&s.Services, &c.Services, &LimitClaimedServices, func(e *law.Entry) string { return e.Key })
	move(&s.Deckies, &c.Deckies, &LimitClaimedDeckies, func(e *law.Entry) string { return e.Key })
	commands := s.Commands.Items()
	for i := range commands {
		it := CommandOf(&commands[i])
		key := (&Claim{Kind: ClaimCommand, Service: it.Service(), A: cut(it.Line())}).Key(a)
		c.Evidence.See(key, commands[i].Time, 0, "", &LimitClaims)
	}
	s.Commands.Reset()
	claims := func(from *law.Bottom, of func(parts []string) Claim) {
		move(from, &c.Evidence, &LimitClaims, func(e *law.Entry) string {
			claim := of(append(strings.SplitN(e.Key, "\x00", 4), "", "", ""))
			claim.A, claim.B = cut(claim.A), cut(claim.B)
			return claim.Key(a)
		})
	}
	claims(&s.Credentials, func(p []string) Claim { return Claim{ClaimLogin, p[0], p[1], p[2], p[3]} })
	claims(&s.Artifacts, func(p []string) Claim { return Claim{Kind: ClaimFile, A: p[0], B: p[1], C: p[2]} })
	claims(&s.Leaks, func(p []string) Claim { return Claim{Kind: ClaimLeak, A: p[0], B: p[1], C: p[2]} })
	claims(&s.Tools, func(p []string) Claim { return Claim{Kind: ClaimTool, A: p[0]} })
	claims(&s.Techniques, func(p []string) Claim { return Claim{Kind: ClaimTechnique, A: p[0]} })
	claims(&s.Alerts, func(p []string) Claim { return Claim{Kind: ClaimAlert, A: p[0], B: p[1]} })
	s.Domains.Reset()
	s.Crowd = Crowd{}
}

// move moves the keys of a list to one of claims.
func move(from, to *law.Bottom, limit *law.Limit, key func(e *law.Entry) string) {
	entries := from.Entries()
	for i := range entries {
		e := entries[i]
		to.Add(law.Entry{Key: key(&e), Count: e.Count, First: e.First, Last: e.Last, Rank: e.Rank, Payload: cut(e.Payload)}, *limit)
	}
	from.Reset()
}
