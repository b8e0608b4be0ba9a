package correlate

import "net/netip"

// Gateway is the private address that most events come from, as far as that
// can be told from the largest of each chunk's.
type Gateway struct {
	Addr netip.Addr
	// Events is how many came from it, Of how many there were; old ones count
	// for less and less.
	Events, Of int64
	// lead is by how much it is ahead of all others.
	lead int64
}

const (
	// fewEvents is how many say nothing yet.
	fewEvents = 1000
	// manyEvents is how many make older ones count for half.
	manyEvents = 1 << 20
)

// Hides says whether the address is behind more than nine tenths of everything:
// then a NAT or a container's bridge hides the attackers.
func (g *Gateway) Hides() bool { return g != nil && g.Of >= fewEvents && g.Events*10 > g.Of*9 }

// add takes a chunk of so many events, of which the private address addr, the
// one with the most, has some.
func (g *Gateway) add(addr netip.Addr, some, events int64) {
	g.Of += events
	switch {
	case addr.IsValid() && addr == g.Addr:
		g.Events += some
		g.lead += some - (events - some)
	default:
		g.lead -= events
	}
	if g.lead < 0 && addr.IsValid() {
		*g = Gateway{Addr: addr, Events: some, Of: events, lead: some}
	}
	g.lead = max(g.lead, 0)
	if g.Of > manyEvents {
		g.Events, g.Of, g.lead = g.Events/2, g.Of/2, g.lead/2
	}
}

// gateway returns the private address with the most events of the chunk.
func (w *work) gateway() (addr netip.Addr, events int64) {
	for i := range w.deltas {
		if p := w.deltas[i].prefix; p.Addr().IsPrivate() && p.IsSingleIP() && int64(len(w.deltas[i].events)) > events {
			addr, events = p.Addr(), int64(len(w.deltas[i].events))
		}
	}
	return addr, events
}
