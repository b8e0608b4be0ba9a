package profile

import (
	"encoding/hex"
	"fmt"
	"slices"

	"dossier/correlate/event"
	"dossier/correlate/law"
	"dossier/correlate/state"
)

// proven is a copy of a state in which what shells told of logged in
// addresses is theirs, and what sessions did is their services'.
type proven struct {
	of      *state.Attacker
	changes uint64
	// state is the copy, or of itself where there is nothing to prove.
	state  *state.Attacker
	copied state.Attacker
	wire   []byte // what the copy is a view of
	arena  event.Arena
	memory state.ShellMemory
	// annotate adds what the rules know of an event.
	annotate func(*event.Event)
}

// prove returns s with what shells told of sessions among what is proven, and
// with the services of sessions that other chunks told: what
// is judged, and shown, is that state. It is valid until the next call with
// another state. Where that panics all that shells told is claimed.
func (r *Renderer) prove(s *state.Attacker) (with *state.Attacker) {
	p := &r.proven
	if s == &p.copied || p.of == s && p.changes == s.Changes() && s.Changes() > 0 {
		return p.state
	}
	p.of, p.changes, p.state = s, s.Changes(), s
	if !s.ProvesShell() && !s.Unnamed.Waits() {
		return s
	}
	defer func() {
		if cause := recover(); cause != nil {
			p.state, with = s, s
			r.failed("sessions", cause)
		}
	}()
	p.arena.Reset()
	p.wire = s.Append(p.wire[:0])
	p.copied.Reset()
	p.copied.By(s.Rank())
	if err := p.copied.Decode(p.wire); err != nil {
		r.failed("sessions", fmt.Sprint(err))
		return s
	}
	p.copied.Name(&p.arena)
	p.copied.ProveShell(&p.arena, &p.memory, p.annotate)
	p.state = &p.copied
	return p.state
}

// hourly is a copy of an hour's state in which what sessions did is their
// services'.
type hourly struct {
	copied state.Activity
	wire   []byte // what the copy is a view of
	arena  event.Arena
}

// nameSessions returns s with the services of sessions that other chunks told. It is
// valid until the next call. Where that panics the hour lacks what they did there.
func (r *Renderer) nameSessions(s *state.Activity) (with *state.Activity) {
	if !s.Unnamed.Waits() {
		return s
	}
	defer func() {
		if cause := recover(); cause != nil {
			with = s
			r.failed("sessions", cause)
		}
	}()
	n := &r.hourly
	n.arena.Reset()
	n.wire = s.Append(n.wire[:0])
	n.copied.Reset()
	n.copied.By(s.Rank())
	if err := n.copied.Decode(n.wire); err != nil {
		r.failed("sessions", fmt.Sprint(err))
		return s
	}
	n.copied.Name(&n.arena)
	return &n.copied
}

// touched is where an attacker is said to have been, proven or claimed.
type touched struct {
	services, deckies       *law.Bottom
	servicesCut, deckiesCut bool
	// claimedServices and claimedDeckies are at least how many are claimed,
	// where the lists are too short to tell.
	atLeastServices, atLeastDeckies int64
}

func (t *touched) serviceCount() int64 { return max(t.services.Distinct(), t.atLeastServices) }

func (t *touched) deckyCount() int64 { return max(t.deckies.Distinct(), t.atLeastDeckies) }

// touched returns what is proven and what is claimed together. It is valid
// until the next call with another state.
func (r *Renderer) touched(s *state.Attacker) touched {
	t := touched{
		services: &s.Services, deckies: &s.Deckies,
		servicesCut: s.Services.Truncated() || s.Claimed.Services.Truncated(),
		deckiesCut:  s.Deckies.Truncated() || s.Claimed.Deckies.Truncated(),
	}
	union := func(to *law.Bottom, limit law.Limit, a, b *law.Bottom) *law.Bottom {
		to.By(s.Rank())
		to.Reset()
		for _, list := range [...]*law.Bottom{a, b} {
			entries := list.Entries()
			for i := range entries {
				to.Add(entries[i], limit)
			}
		}
		return to
	}
	if s.Claimed.Services.Len() > 0 {
		t.atLeastServices = max(s.Services.Distinct(), s.Claimed.Services.Distinct())
		t.services = union(&r.unions[0], state.LimitServices, &s.Services, &s.Claimed.Services)
		t.servicesCut = t.servicesCut || t.services.Truncated()
	}
	if s.Claimed.Deckies.Len() > 0 {
		t.atLeastDeckies = max(s.Deckies.Distinct(), s.Claimed.Deckies.Distinct())
		t.deckies = union(&r.unions[1], state.LimitDeckies, &s.Deckies, &s.Claimed.Deckies)
		t.deckiesCut = t.deckiesCut || t.deckies.Truncated()
	}
	return t
}

// claimed appends what is claimed of the address, apart from all else.
func (r *Renderer) claimed(d *document, s *state.Attacker, p *plan) {
	c := &s.Claimed
	if c.Events == 0 {
		return
	}
	d.object("claimed")
	d.int("event_count", c.Events)
	d.someTime("first_seen", c.First)
	d.someTime("last_seen", c.Last)
	d.int("command_count", c.Commands)
	d.int("login_attempts", c.Attempts)
	d.int("login_successes", c.Successes)
	d.someStrings("services", r.claimedNames(&c.Services, p.keep[listClaimedServices]))
	d.someStrings("deckies", r.claimedNames(&c.Deckies, p.keep[listClaimedDeckies]))
	claims := r.byFirst(&c.Evidence, p.keep[listClaims])
	items := shellCommands(c.Shell.Items(), p.keep[listClaimedCommands])
	r.names = r.names[:0]
	for i := range claims {
		r.names = append(r.names, state.ClaimOf(claims[i].Key).Kind)
	}
	if slices.ContainsFunc(items, isCommand) {
		r.names = append(r.names, state.ClaimCommand)
	}
	d.someStrings("kinds", distinct(r.names))
	elements(d, "evidence", claims, func(e *law.Entry) { r.claim(d, e) })
	if slices.ContainsFunc(items, isCommand) {
		d.array("commands")
		for i := range items {
			if isCommand(items[i]) {
				d.command(&items[i])
			}
		}
		d.endArray()
	}
	d.end()
}

// claimedNames returns the n keys that matter most, sorted, but for those that
// turned out to be proven.
func (r *Renderer) claimedNames(b *law.Bottom, n int) []string {
	return r.each(first(b, n), func(e *law.Entry) (string, bool) { return e.Key, e.Count > 0 })
}

// shellCommands returns the newest n of what shells told, oldest first.
func shellCommands(items []law.Item, n int) []law.Item { return items[max(0, len(items)-n):] }

func isCommand(it law.Item) bool { return state.CommandOf(&it).Line() != "" }

// claim appends one claim: what kind of evidence it is, and what the evidence
// would say.
func (r *Renderer) claim(d *document, e *law.Entry) {
	c := state.ClaimOf(e.Key)
	d.element()
	d.string("kind", c.Kind)
	d.some("service", c.Service)
	switch c.Kind {
	case state.ClaimLogin:
		d.some("principal", c.A)
		if c.B != "" {
			d.string("secret_kind", c.B)
			r.claimedSecret(d, c.C, e.Payload)
		}
		d.some("outcome", event.Outcome(e.Rank).String())
	case state.ClaimFingerprint:
		d.string("type", c.A)
		d.string("value", c.B)
	case state.ClaimFile:
		d.some("sha256", c.A)
		d.some("url", c.B)
		d.some("file", c.C)
	case state.ClaimLeak:
		d.string("claimed_ip", c.A)
		d.some("header", c.B)
	case state.ClaimAlert:
		d.string("value", c.A)
		d.some("category", c.B)
		d.int("severity", severityOf(e))
	default:
		d.string("value", c.A)
		d.some("why", e.Payload)
	}
	d.counted(e)
	d.end()
}

// claimedSecret appends what store_secrets shows of a claimed login's secret.
func (r *Renderer) claimedSecret(d *document, digest, secret string) {
	if r.o.Secrets == Plain {
		d.string("secret", secret)
	}
	if r.o.Secrets != Hidden {
		d.string("secret_sha256", hex.EncodeToString(event.Bytes(digest)))
	}
}
