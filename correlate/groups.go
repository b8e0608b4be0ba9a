package correlate

import (
	"encoding/binary"
	"hash/maphash"
	"math/bits"
	"math/rand/v2"
	"net/netip"
)

// groups finds the group of an address or, masked, network. Most attackers
// have a few events in a chunk, so that finding where they belong counts: this
// is a map with what a map needs for other purposes left out. The hash is
// seeded: attackers choose their addresses.
type groups struct {
	all    []group
	seed   maphash.Seed
	factor uint64 // odd; of IPv4 addresses, for which multiplying is enough (Dietzfelbinger et al., 1997)
	slots  []slot // their number is a power of two, at least twice that of groups
}

type group struct {
	prefix netip.Prefix
	hash   uint64
	count  int32 // events
	mail   bool  // some of them name mail domains
	things bool  // or things that are used beyond the decoy
}

// slot is the place of a group: its index and 1, negative where it isn't an
// IPv4 address, 0 where the place is empty. The tag of an IPv4 address is the
// address itself, so that nothing else must be looked at.
type slot struct {
	tag   uint32
	group int32
}

const minSlots = 64

// reset empties the groups.
func (g *groups) reset() {
	g.all = g.all[:0]
	clear(g.slots)
}

// expect makes room for about so many groups.
func (g *groups) expect(n int) {
	g.all = grow(g.all, n)
	if len(g.slots) < 2*n {
		g.rehash(2 * n)
	}
}

// of returns the index of the group of p, which must be masked; of IPv4
// nothing may be masked.
func (g *groups) of(p netip.Prefix) int32 {
	n := int32(len(g.all))
	if 2*len(g.all) >= len(g.slots) {
		g.rehash(2 * len(g.slots))
	}
	var new slot
	var hash uint64
	if addr := p.Addr(); addr.Is4() {
		ip := addr.As4()
		new = slot{binary.BigEndian.Uint32(ip[:]), n + 1}
		hash = uint64(new.tag) * g.factor
	} else {
		ip := addr.As16()
		hash = maphash.Bytes(g.seed, ip[:])
		new = slot{uint32(hash), -n - 1}
	}
	for i := g.start(hash); ; i = (i + 1) & (len(g.slots) - 1) {
		switch s := &g.slots[i]; {
		case s.group == 0:
			*s = new
			g.all = append(g.all, group{prefix: p, hash: hash})
			return n
		case s.tag != new.tag:
		case s.group > 0 && new.group > 0:
			return s.group - 1
		case s.group < 0 && g.all[-s.group-1].prefix == p:
			return -s.group - 1
		}
	}
}

// start returns where the search for a hash starts.
func (g *groups) start(hash uint64) int { return int(hash>>32) & (len(g.slots) - 1) }

// rehash makes a table of at least so many slots.
func (g *groups) rehash(size int) {
	if g.slots == nil {
		g.seed, g.factor = maphash.MakeSeed(), rand.Uint64()|1
	}
	old := g.slots
	g.slots = make([]slot, 1<<bits.Len(uint(max(minSlots, size)-1)))
	for _, s := range old {
		if s.group == 0 {
			continue
		}
		i := g.start(g.all[max(s.group, -s.group)-1].hash)
		for g.slots[i].group != 0 {
			i = (i + 1) & (len(g.slots) - 1)
		}
		g.slots[i] = s
	}
}
