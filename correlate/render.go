package correlate

import (
	"net/netip"
	"time"

	"dossier/correlate/event"
	"dossier/correlate/state"
)

// Head is what a document shows beside its own state.
type Head struct {
	// Addr is the attacker's address; with Network it is that network's
	// first address.
	Addr netip.Addr
	// Network is the aggregated IPv6 network, the zero Prefix for a single
	// address.
	Network netip.Prefix
	// ID is the attacker document's id: the address, or the network as CIDR.
	ID string
	// Now is the time of the write.
	Now time.Time
	// State is the encoded state, which goes into the document in base64;
	// none where the document has none.
	State []byte
}

// Renderer turns states into documents. Every Append method appends one line
// of JSON without a line feed. What it renders depends on its arguments only,
// not on the order in which the state came about. It is called by one
// goroutine at a time.
type Renderer interface {
	// AppendAttacker renders an attacker.
	AppendAttacker(dst []byte, h Head, s *state.Attacker) []byte
	// AppendTarget renders a mail domain that an attacker aimed at; country
	// and the like come from h.Addr.
	AppendTarget(dst []byte, h Head, domain string, s *state.Target) []byte
	// AppendIndicator renders a thing that attackers used beyond the decoys; the
	// head has no attacker.
	AppendIndicator(dst []byte, h Head, kind, value string, s *state.Indicator) []byte
	// AppendActivity renders an attacker's hour.
	AppendActivity(dst []byte, h Head, hour event.Time, s *state.Activity) []byte
	// AppendTransition renders the crossing t of the attacker s.
	AppendTransition(dst []byte, h Head, t state.Transition, s *state.Attacker) []byte
	// Transitions appends those lines that the attacker is beyond now: action,
	// value and time, without a chunk.
	Transitions(dst []state.Transition, h Head, s *state.Attacker) []state.Transition
	// AppendSummary appends the attacker's key figures, which the activity
	// documents show (state.Activity.Summary).
	AppendSummary(dst []byte, h Head, s *state.Attacker) []byte
}

// Annotator adds to an event what rules know of it: tools and techniques.
// It is safe for concurrent use.
type Annotator interface {
	Annotate(a *event.Arena, ev *event.Event)
}
