package profile

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"dossier/correlate/event"
	"dossier/correlate/law"
	"dossier/correlate/redact"
	"dossier/correlate/state"
	"dossier/profile/behavior"
	"dossier/profile/enrich"
	"dossier/profile/rules"

	"github.com/google/uuid"
)

// namespace is the name space of the attackers' UUIDs. It is the version 5
// UUID of "urn:dossier:attacker" in RFC 9562's name space for URLs, and never
// changes.
const namespace = "7bd113fc-8472-511b-8ac6-824e102bd8b9"

// ecsVersion is the version of the Elastic Common Schema whose fields the
// documents copy.
const ecsVersion = "9.4.0"

// Secrets says how much of the attackers' passwords the documents show.
type Secrets = redact.Secrets

// The ways of showing a password.
const (
	Plain  = redact.Plain
	Digest = redact.SHA256
	Hidden = redact.None
)

// Options configures a Renderer.
type Options struct {
	// TLP holds the traffic light protocol marking of the indicators.
	//
	// If TLP is empty, "AMBER" is used.
	TLP string
	// Secrets holds how much of the attackers' passwords is shown.
	Secrets Secrets
	// Rules holds what is known of tools, techniques and risk.
	//
	// If Rules is nil, the built-in rules are used.
	Rules *rules.Set
	// Files holds where addresses are looked up; nil knows no place.
	Files *enrich.Files
	// Names holds where names of addresses are looked up; nil, the default,
	// asks nobody.
	Names *enrich.Names
	// InternalNets holds the operator's own networks: who comes from them has
	// scope "internal".
	//
	// If InternalNets is nil, PrivateNets will be used.
	InternalNets []netip.Prefix
	// InternalHosts holds the names of addresses in them (enrich.ReadHosts).
	InternalHosts map[netip.Addr]string
	// OnFailure is called when a part of a document that isn't its core panics
	// (behaviour, campaigns, enrichment): the document goes without it. It may
	// be nil.
	OnFailure func(part string, err error)
}

// Markings returns the traffic light protocol markings that ECS knows.
func Markings() []string {
	return []string{"WHITE", "CLEAR", "GREEN", "AMBER", "AMBER+STRICT", "RED"}
}

func (o *Options) validate() error {
	if o.TLP == "" {
		o.TLP = "AMBER"
	}
	o.TLP = strings.ToUpper(o.TLP)
	var errs []error
	if !slices.Contains(Markings(), o.TLP) {
		errs = append(errs, fmt.Errorf("tlp %q: allowed are %s", o.TLP, strings.Join(Markings(), ", ")))
	}
	if o.InternalNets == nil {
		o.InternalNets = privateNets
	}
	if !o.Secrets.Valid() {
		errs = append(errs, fmt.Errorf("secrets %d: allowed are Plain, Digest and Hidden", o.Secrets))
	}
	if o.Rules == nil {
		var err error
		o.Rules, err = rules.New(rules.Options{})
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// Renderer turns states into documents. What it renders depends on the state,
// the head, the rules and the enrichment files only: not on the order in
// which the state came about. It is not safe for concurrent use.
type Renderer struct {
	o         Options
	namespace uuid.UUID

	// What follows is memory that one call leaves to the next.
	entries []law.Entry
	shown   []law.Entry // credentials
	lines   []law.Item  // commands
	floats  []float64
	turns   []behavior.Typed
	names   []string
	keysOf  []string
	text    []byte
	shape   rules.Shape
	arena   event.Arena
	flats   [flatFingerprints][]string
	moves   []move
	figures figures
	judged  judged
	facts   rules.Facts
	reasons []rules.Reason
	named   struct{ of, uuid string }
	proven  proven
	hourly  hourly
	unions  [2]law.Bottom
}

// New returns a Renderer.
func New(o Options) (*Renderer, error) {
	if err := o.validate(); err != nil {
		return nil, fmt.Errorf("profile: %w", err)
	}
	r := &Renderer{o: o, namespace: uuid.MustParse(namespace)}
	r.proven.annotate = func(ev *event.Event) { o.Rules.Annotate(&r.proven.arena, ev) }
	return r, nil
}

// Annotate adds to ev the tools and techniques that the rules see in it. Other
// than rendering it is safe for concurrent use.
func (r *Renderer) Annotate(a *event.Arena, ev *event.Event) { r.o.Rules.Annotate(a, ev) }

// judged is what figures were concluded from.
type judged struct {
	state   *state.Attacker
	changes uint64
	addr    netip.Addr
}

// begin opens the document.
func begin(dst []byte) document { return document{append(dst, '{')} }

// now appends the time of the write.
func (d *document) now(name string, t time.Time) { d.time(name, event.FromTime(t)) }

func (r *Renderer) uuid(d *document, id string) {
	// An attacker's documents are rendered one after the other.
	if r.named.of != id {
		r.named.of = strings.Clone(id)
		r.named.uuid = uuid.NewSHA1(r.namespace, event.Bytes(id)).String()
	}
	d.string("uuid", r.named.uuid)
}

// UUID returns the uuid of the attacker with that id: an address or network.
func UUID(id string) string {
	return uuid.NewSHA1(uuid.MustParse(namespace), []byte(id)).String()
}

// schema appends what closes every document.
func (d *document) schema() {
	d.object("ecs")
	d.string("version", ecsVersion)
	d.end()
	d.int("schema_version", SchemaVersion)
}

// first returns the n entries of b that matter most, in any order.
func first(b *law.Bottom, n int) []law.Entry {
	if entries := b.Entries(); n >= len(entries) {
		return entries
	}
	return b.Ordered()[:n]
}

// keys appends the n keys of b that matter most, sorted.
func (r *Renderer) keys(d *document, name string, b *law.Bottom, n int) {
	d.strings(name, r.each(first(b, n), keyOf))
}

func keyOf(e *law.Entry) (string, bool) { return e.Key, true }

// each returns what of gives for the entries, sorted, each once. It is valid
// until the next use of r.names.
func (r *Renderer) each(entries []law.Entry, of func(*law.Entry) (string, bool)) []string {
	r.names = r.names[:0]
	for i := range entries {
		if v, ok := of(&entries[i]); ok {
			r.names = append(r.names, v)
		}
	}
	return distinct(r.names)
}

// byFirst returns the n entries that matter most, sorted by their first sight,
// then key.
func (r *Renderer) byFirst(b *law.Bottom, n int) []law.Entry {
	return r.sortByFirst(first(b, n))
}

func (r *Renderer) sortByFirst(entries []law.Entry) []law.Entry {
	r.entries = append(r.entries[:0], entries...)
	slices.SortFunc(r.entries, func(a, b law.Entry) int {
		switch {
		case a.First < b.First:
			return -1
		case a.First > b.First:
			return 1
		}
		return strings.Compare(a.Key, b.Key)
	})
	return r.entries
}

// counted appends how often and when an entry was seen, as far as is known.
func (d *document) counted(e *law.Entry) {
	if e.FirstOnly() {
		d.time("first_seen", e.First)
		return
	}
	d.int("count", e.Count)
	d.someTime("first_seen", e.First)
	d.someTime("last_seen", e.Last)
}

// distinct sorts v and leaves out what stands there twice.
func distinct(v []string) []string {
	slices.Sort(v)
	return slices.Compact(v)
}

// figures is what is judged of an attacker.
type figures struct {
	timing  behavior.Timing
	class   string
	beacon  behavior.Beacon
	beacons bool
	system  string
	tools   []string
	// cadences are tools whose beat the attacker has; actor is who is known
	// behind it.
	cadences []string
	actor    string
	// kind is what it does, kindWhy from what that was concluded; byHand says that
	// somebody typed, pauses how.
	kind    string
	kindWhy []byte
	byHand  bool
	pauses  behavior.Pauses
	// techniques and tactics are ids of ATT&CK.
	techniques, tactics []string
	// whole are those that the whole profile shows, of so many users and secrets;
	// packets and listed are names by packets and by a listed network.
	whole           []rules.Shown
	users, secrets  int
	packets, listed string
	risk            rules.Risk
}

// part appends a part of a document that must not be in the way of the rest:
// where it panics it is left out.
func (r *Renderer) part(name string, d *document, appendTo func()) {
	n := len(d.b)
	defer func() {
		if p := recover(); p != nil {
			d.b = d.b[:n]
			r.failed(name, p)
		}
	}()
	appendTo()
}

func (r *Renderer) failed(part string, cause any) {
	if r.o.OnFailure != nil {
		r.o.OnFailure(part, fmt.Errorf("panic: %v", cause))
	}
}

// judge works out the figures of s. They are valid until the next call. Where
// that panics nothing is known of the attacker but what the state says.
func (r *Renderer) judge(h Head, s *state.Attacker) (f *figures) {
	f = &r.figures
	// A commit asks three times for the same state.
	of := judged{s, s.Changes(), h.Addr}
	if r.judged == of && of.changes > 0 {
		return f
	}
	defer func() {
		if p := recover(); p != nil {
			*f = figures{class: behavior.Unknown, risk: rules.Risk{Level: rules.Level(0)}}
			r.judged = of
			r.failed("behavior", p)
		}
	}()
	r.conclude(h, s, f)
	r.judged = of
	return f
}

func (r *Renderer) conclude(h Head, s *state.Attacker, f *figures) {
	r.judged = judged{}
	*f = figures{tools: f.tools[:0], cadences: f.cadences[:0], techniques: f.techniques[:0], tactics: f.tactics[:0], whole: f.whole[:0], kindWhy: f.kindWhy[:0]}
	f.timing, r.floats = behavior.Time(s.Times.List(), r.floats)
	f.class = behavior.Class(f.timing, s.Events, s.Services.Distinct())
	f.beacon, f.beacons, r.floats = behavior.Score(s.Times.List(), !s.Times.Truncated(), s.Hours.List(), r.floats)
	f.system = behavior.System(&s.SystemGuesses, &s.TTLs)
	for i := range s.Tools.Entries() {
		// What ordinary clients show as well names nobody.
		if e := &s.Tools.Entries()[i]; r.o.Rules.Mark(e.Key, e.Payload).Collides == "" {
			f.tools = append(f.tools, e.Key)
		}
	}
	f.cadences = r.o.Rules.AppendCadences(f.cadences, f.timing)
	// The name comes from single packets, which anybody can send.
	if guess := s.SystemGuesses.Get("nmap"); f.system == "nmap" && guess != nil && guess.Rank > 0 {
		f.tools = append(f.tools, "nmap")
		f.packets = "nmap"
	}
	for i := range s.Techniques.Entries() {
		f.techniques = append(f.techniques, s.Techniques.Entries()[i].Key)
	}
	r.concluded(s, f)
	users, secrets := r.guesses(s)
	f.users, f.secrets = users, secrets
	f.whole = rules.AppendProfile(f.whole, f.techniques, rules.Profile{
		Class: f.class, Routed: enrich.Routed(h.Addr), Looked: s.Recon != event.Never, Users: users, Secrets: secrets,
		Inferred: inferred(s),
	})
	for i := range f.whole {
		f.techniques = append(f.techniques, f.whole[i].Technique)
	}
	f.techniques = distinct(f.techniques)
	for _, id := range f.techniques {
		if t, ok := r.o.Rules.Technique(id); ok {
			f.tactics = append(f.tactics, t.Tactics...)
		}
	}
	f.tactics = distinct(f.tactics)
	f.tools = distinct(f.tools)
	r.typed(s, f)
	r.weigh(h, s, f, f.tools)
	if name := r.o.Rules.NameOf(f.actor); f.risk.Basis == rules.ByNetwork && name != "" {
		f.tools = distinct(append(f.tools, name))
		f.listed = name
	}
	r.kindOf(s, f)
}

// guesses returns how many different users and secrets the kept credentials have.
// Those without a secret don't count.
func (r *Renderer) guesses(s *state.Attacker) (users, secrets int) {
	r.names, r.keysOf = r.names[:0], r.keysOf[:0]
	for i := range s.Credentials.Entries() {
		_, rest, _ := strings.Cut(s.Credentials.Entries()[i].Key, "\x00")
		user, rest, _ := strings.Cut(rest, "\x00")
		if kind, secret, _ := strings.Cut(rest, "\x00"); kind != "" {
			r.names, r.keysOf = append(r.names, user), append(r.keysOf, secret)
		}
	}
	r.names, r.keysOf = distinct(r.names), distinct(r.keysOf)
	return len(r.names), len(r.keysOf)
}

// inShell says whether there were commands in a shell.
func inShell(s *state.Attacker) bool {
	return slices.ContainsFunc(s.Services.Entries(), func(e law.Entry) bool {
		return (e.Key == "ssh" || e.Key == "telnet") && event.Kind(e.Rank) == event.Interaction
	})
}

// alertKey is an alert's key taken apart.
type alertKey struct{ signature, category, side string }

func alertOf(key string) (a alertKey) {
	a.signature, a.category, _ = strings.Cut(key, "\x00")
	a.category, a.side, _ = strings.Cut(a.category, "\x00")
	return a
}

// severityOf returns the worst severity of an alert; 1 is worst.
func severityOf(e *law.Entry) int64 { return int64(255 - e.Rank) }

// traversed returns when the second decky was touched, Never without
// traversal.
func traversed(s *state.Attacker) event.Time {
	if !s.IsTraversal() {
		return event.Never
	}
	hops := s.Hops.Items()
	for i := range hops {
		if state.HopOf(&hops[i]).Decky() != state.HopOf(&hops[0]).Decky() {
			return hops[i].Time
		}
	}
	// The first decky alone filled the hops: the second contact among the
	// deckies kept.
	first, second := event.Never, event.Never
	for i := range s.Deckies.Entries() {
		switch at := s.Deckies.Entries()[i].First; {
		case first == event.Never || at < first:
			first, second = at, first
		case second == event.Never || at < second:
			second = at
		}
	}
	return second
}

// handsOn returns since when somebody who got in gives commands, Never where
// nobody does. The first command after the first success can't be told from
// a bounded state; the later of both firsts can, and is not later.
func handsOn(s *state.Attacker) event.Time {
	commands := s.Commands.Items()
	if s.FirstSuccess == event.Never || len(commands) == 0 || commands[len(commands)-1].Time < s.FirstSuccess {
		return event.Never
	}
	return max(s.FirstSuccess, s.FirstCommand)
}

// The actions of transitions.
const (
	Observed     = "observed"
	Traversal    = "traversal"
	LoginSuccess = "login_success"
	HandsOn      = "hands_on"
	ClassSeen    = "class"
	RiskReached  = "risk"
	StageReached = "stage"
)

// Actions returns all actions of transitions.
func Actions() []string {
	return []string{Observed, Traversal, LoginSuccess, HandsOn, ClassSeen, RiskReached, StageReached}
}

// crossings appends the lines whose crossing is dated by the state alone.
func crossings(dst []state.Transition, s *state.Attacker) []state.Transition {
	if s.Events == 0 {
		return dst
	}
	for _, t := range [...]state.Transition{
		{Action: Observed, Time: s.First},
		{Action: Traversal, Time: traversed(s)},
		{Action: LoginSuccess, Time: s.FirstSuccess},
		{Action: HandsOn, Time: handsOn(s)},
	} {
		if t.Time != event.Never {
			dst = append(dst, t)
		}
	}
	return dst
}

// Transitions appends the lines that the attacker is beyond now, without a
// chunk. The class and the risk level are dated by the newest event: the one
// that made them so.
func (r *Renderer) Transitions(dst []state.Transition, h Head, s *state.Attacker) []state.Transition {
	s = r.prove(s)
	if s.Events == 0 {
		return dst
	}
	dst = crossings(dst, s)
	f := r.judge(h, s)
	if f.class != behavior.Unknown {
		dst = append(dst, state.Transition{Action: ClassSeen, Value: f.class, Time: s.Last})
	}
	for stage := rules.Looking; stage <= f.risk.Stage; stage++ {
		at := f.risk.Since[stage]
		if at == event.Never {
			at = s.Last // told by the whole, not by one event
		}
		dst = append(dst, state.Transition{Action: StageReached, Value: stage.String(), Time: at})
	}
	r.names = rules.AppendLevels(r.names[:0], f.risk.Score)
	for _, level := range r.names {
		dst = append(dst, state.Transition{Action: RiskReached, Value: level, Time: s.Last})
	}
	return dst
}

// address appends who the attacker is.
func (d *document) who(h Head) {
	if h.Network.IsValid() {
		d.network(h)
	} else {
		d.address("ip", h.Addr)
	}
}

// addresses appends the attacker's address, or the newest distinct ones of a
// network.
func (r *Renderer) addresses(h Head, network *law.First, n int) []string {
	r.names = r.names[:0]
	if !h.Network.IsValid() {
		return append(r.names, h.ID)
	}
	items := network.Items()
	for _, it := range items[:min(n, len(items))] {
		r.names = append(r.names, it.A)
	}
	return r.names
}

func indicatorType(a netip.Addr) string {
	if a.Is4() {
		return "ipv4-addr"
	}
	return "ipv6-addr"
}
