package profile

import (
	"slices"

	"dossier/correlate/event"
	"dossier/correlate/law"
	"dossier/correlate/state"
	"dossier/profile/behavior"
)

func (r *Renderer) services(d *document, s *state.Attacker, p *plan) {
	seen := r.touched(s)
	services := first(seen.services, p.keep[listServices])
	r.keys(d, "services", seen.services, p.keep[listServices])
	d.int("service_count", seen.serviceCount())
	d.someCount("service_guessed", s.Unnamed.Guessed)
	for _, list := range [...]struct {
		name string
		kind event.Kind
	}{{"services_scanned", event.Scan}, {"services_interacted", event.Interaction}} {
		d.strings(list.name, r.each(services, func(e *law.Entry) (string, bool) {
			return e.Key, event.Kind(e.Rank) == list.kind
		}))
	}
}

const arrow = " → "

func (r *Renderer) deckies(d *document, s *state.Attacker, p *plan) {
	seen := r.touched(s)
	deckies := r.byFirst(seen.deckies, p.keep[listDeckies])
	d.array("deckies")
	for i := range deckies {
		d.item(deckies[i].Key)
	}
	d.endArray()
	d.int("decky_count", seen.deckyCount())
	d.bool("is_traversal", s.IsTraversal())
	if s.IsTraversal() {
		d.path(r.byFirst(&s.Deckies, p.keep[listDeckies]))
	}
}

// path appends the traversal path.
func (d *document) path(deckies []law.Entry) {
	d.key("traversal_path")
	d.b = append(d.b, '"')
	for i := range deckies {
		if i > 0 {
			d.b = append(d.b, arrow...)
		}
		// The name between the quotes that appendString puts around it.
		at := len(d.b)
		d.b = appendString(d.b, deckies[i].Key)
		copy(d.b[at:], d.b[at+1:len(d.b)-1])
		d.b = d.b[:len(d.b)-2]
	}
	d.b = append(d.b, '"')
}

// move is a move from one decky to another.
type move struct {
	from, to string
	first    event.Time
	count    int64
}

// movement appends how the attacker went from decky to decky: the first
// contacts, the moves between them, the stay on each.
func (r *Renderer) movement(d *document, s *state.Attacker, p *plan) {
	hops := s.Hops.Items()
	hops = hops[:min(len(hops), p.keep[listHops])]
	elements(d, "hops", hops, d.hop)
	r.moves = r.moves[:0]
	for i := 1; i < len(hops); i++ {
		from, to := state.HopOf(&hops[i-1]).Decky(), state.HopOf(&hops[i]).Decky()
		if from == to {
			continue
		}
		known := slices.IndexFunc(r.moves, func(m move) bool { return m.from == from && m.to == to })
		if known < 0 {
			r.moves = append(r.moves, move{from, to, hops[i].Time, 1})
			continue
		}
		r.moves[known].count++
	}
	if s.Deckies.Len() == 0 {
		return
	}
	d.object("movement")
	if len(r.moves) > 0 {
		r.names = r.names[:0]
		for _, m := range r.moves {
			r.names = append(r.names, r.arena.Join(m.from, arrow, m.to))
		}
		slices.Sort(r.names)
		d.strings("edge", r.names)
		d.array("edges")
		for _, m := range r.moves {
			d.element()
			d.string("from", m.from)
			d.string("to", m.to)
			d.time("first", m.first)
			d.int("count", m.count)
			d.end()
		}
		d.endArray()
	}
	d.array("dwell")
	deckies := r.byFirst(&s.Deckies, s.Deckies.Len())
	for i := range deckies[:min(len(deckies), p.keep[listDwell])] {
		d.dwell(&deckies[i])
	}
	d.endArray()
	d.end()
}

func (d *document) hop(item *law.Item) {
	h := state.HopOf(item)
	d.element()
	d.time("timestamp", h.Time)
	d.string("decky", h.Decky())
	d.some("service", h.Service())
	d.some("event_type", h.Type())
	d.end()
}

func (d *document) dwell(e *law.Entry) {
	d.element()
	d.string("decky", e.Key)
	d.time("first", e.First)
	d.time("last", e.Last)
	d.float("seconds", behavior.Round(float64(e.Last-e.First)/1e6, 3))
	d.int("events", e.Count)
	d.end()
}
