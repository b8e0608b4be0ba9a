package profile

import (
	"math"

	"dossier/correlate/state"
)

// AppendAttacker appends the profile of an attacker as one line of JSON.
func (r *Renderer) AppendAttacker(dst []byte, h Head, s *state.Attacker) []byte {
	size := s.Size()
	s = r.prove(s)
	f := r.judge(h, s)
	place, name := r.where(h), r.o.Names.Name(h.Addr)
	r.arena.Reset()
	start := len(dst)
	all := everything
	d := begin(dst)
	r.attacker(&d, h, s, f, &place, name, &all)
	view, allowed := len(d.b)-start, room(state.MaxAttacker)
	if view > allowed {
		allowed = room(size)
	}
	if view > allowed || all.commandBytes > commandBudget {
		sizes := r.measure(s)
		// What stands in several elements is shown once in the flat lists, so
		// that leaving one out saves less than was measured.
		for over, pass := view-allowed, 0; ; pass++ {
			if pass == maxPasses {
				over = math.MaxInt / 2
			}
			fit := fit(sizes, over)
			d = begin(d.b[:start])
			r.attacker(&d, h, s, f, &place, name, &fit)
			left := len(d.b) - start - allowed
			if left <= 0 || pass == maxPasses {
				break
			}
			over = max(over, 0) + left + step<<pass
		}
	}
	d.base64("state", h.State)
	d.end()
	return d.b
}

// attacker appends all of the profile but the state and the closing brace.
func (r *Renderer) attacker(d *document, h Head, s *state.Attacker, f *figures, place *Place, name string, p *plan) {
	first, last := s.Seen()
	d.someTime("@timestamp", last)
	d.who(h)
	r.uuid(d, h.ID)
	d.someTime("first_seen", first)
	d.someTime("last_seen", last)
	d.now("updated_at", h.Now)
	d.int("event_count", s.Total())
	r.services(d, s, p)
	r.ports(d, &s.Ports, p.keep[listPorts])
	r.deckies(d, s, p)
	r.movement(d, s, p)
	r.commands(d, s, p)
	d.int("command_count", s.CommandCount+s.Claimed.Commands)
	r.credentials(d, s, p)
	r.fingerprints(d, s, p)
	r.artifacts(d, s, p)
	r.indicators(d, s, p)
	r.leaks(d, s, p)
	r.alerts(d, s, p)
	r.claimed(d, s, p)
	d.int("bounty_count", s.Bounties())
	d.int("session_count", s.Sessions.Count())
	if s.LongestSession > 0 {
		d.float("session_longest_s", float64(s.LongestSession)/1000)
	}
	r.part("behavior", d, func() { r.behavior(d, s, f, p) })
	r.software(d, f)
	r.part("campaigns", d, func() { r.campaigns(d, s, p) })
	if n := s.Domains.Count(); n > 0 {
		d.int("smtp_domain_count", n)
		if n > state.MaxTargets {
			d.int("smtp_domains_dropped", n-state.MaxTargets)
		}
	}
	d.enriched(place, name)
	r.scoped(d, h)
	r.exploits(d, s, p)
	r.riskOf(d, s, f)
	r.keys(d, "sensors", &s.Sensors, p.keep[listSensors])
	d.bool("spoofable", !s.Handshake)
	d.object("transitions")
	var crossed [4]state.Transition
	for _, t := range crossings(crossed[:0], s) {
		d.time(t.Action, t.Time)
	}
	d.end()
	r.threat(d, h, s, f, place, p)
	r.related(d, h, s, name, p)
	d.object("event")
	d.string("kind", "enrichment")
	d.strings("category", []string{"threat"})
	d.strings("type", []string{"indicator"})
	d.string("module", "ti_dossier")
	d.string("dataset", "ti_dossier.attackers")
	d.end()
	r.truncated(d, s, p)
	d.schema()
}

// truncated appends the names of the fields whose cap bit: in the fold or
// here.
func (r *Renderer) truncated(d *document, s *state.Attacker, p *plan) {
	r.names = r.names[:0]
	of := r.subject(s)
	for i := range listed {
		if n, cut := listed[i].kept(&of); cut || p.keep[i] < n {
			r.names = append(r.names, listed[i].fields...)
		}
	}
	for i := range counted {
		if counted[i].cut(&of) {
			r.names = append(r.names, counted[i].field)
		}
	}
	d.someStrings("truncated", distinct(r.names))
}
