package profile

import (
	"dossier/correlate/state"
)

// AppendTransition appends the crossing t of the attacker s.
func (r *Renderer) AppendTransition(dst []byte, h Head, t state.Transition, s *state.Attacker) []byte {
	s = r.prove(s)
	f := r.judge(h, s)
	seen := r.touched(s)
	where := r.where(h)
	p := everything
	d := begin(dst)
	d.time("@timestamp", t.Time)
	d.object("event")
	d.now("ingested", h.Now)
	d.string("kind", "event")
	d.strings("category", []string{"intrusion_detection"})
	d.strings("type", []string{"info"})
	d.string("action", t.Action)
	d.string("module", "dossier")
	d.string("dataset", "dossier.transitions")
	d.float("risk_score", f.risk.Score)
	d.end()
	d.string("message", h.ID+": "+sentence(t))
	if t.Value != "" {
		d.object("transition")
		d.string("value", t.Value)
		d.end()
	}
	d.source(h, &where)
	r.uuid(&d, h.ID)
	d.object("observer")
	r.keys(&d, "name", &s.Sensors, s.Sensors.Len())
	d.end()
	first, last := s.Seen()
	d.someTime("first_seen", first)
	d.someTime("last_seen", last)
	d.int("event_count", s.Total())
	r.keys(&d, "services", seen.services, seen.services.Len())
	d.int("service_count", seen.serviceCount())
	d.int("decky_count", seen.deckyCount())
	d.bool("is_traversal", s.IsTraversal())
	if s.IsTraversal() {
		d.path(r.byFirst(&s.Deckies, p.keep[listDeckies]))
	}
	d.int("login_attempts", s.Attempts+s.Claimed.Attempts)
	d.int("login_successes", s.Successes+s.Claimed.Successes)
	d.int("command_count", s.CommandCount+s.Claimed.Commands)
	d.int("bounty_count", s.Bounties())
	d.object("behavior")
	d.string("class", f.class)
	d.some("kind", f.kind)
	d.someStrings("tools", f.tools)
	d.end()
	d.object("risk")
	d.float("score", f.risk.Score)
	d.string("level", f.risk.Level)
	d.string("stage", f.risk.Stage.String())
	d.end()
	d.some("classification", f.risk.Class)
	d.bool("spoofable", !s.Handshake)
	r.scoped(&d, h)
	d.some("network_type", where.NetworkType)
	if len(f.techniques) > 0 {
		d.object("threat")
		d.object("technique")
		d.strings("id", f.techniques)
		d.end()
		d.end()
	}
	d.object("related")
	d.strings("ip", r.addresses(h, &s.Network, everything.keep[listNetwork]))
	d.end()
	d.schema()
	d.end()
	return d.b
}

// sentence says what crossing t means.
func sentence(t state.Transition) string {
	switch t.Action {
	case Observed:
		return "seen for the first time"
	case Traversal:
		return "moved to a second decoy"
	case LoginSuccess:
		return "logged in for the first time"
	case HandsOn:
		return "gives commands after a login"
	case StageReached:
		return "reached the stage of " + t.Value
	case ClassSeen:
		return "behaves as " + t.Value
	default:
		return "risk reached " + t.Value
	}
}

// network appends which network the attacker is.
func (d *document) network(h Head) {
	d.string("network", h.ID)
	d.string("cidr", h.ID)
}

// source appends where an activity came from.
func (d *document) source(h Head, where *Place) {
	if h.Network.IsValid() {
		d.network(h)
	}
	d.object("source")
	if !h.Network.IsValid() {
		d.address("ip", h.Addr)
	}
	d.place(where)
	d.end()
}
