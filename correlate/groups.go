package correlate

import (
	"hash/maphash"
	"net/netip"
)

// groups finds the group of an address or, masked, network. Most attackers
// have a few events in a chunk, so that finding where they belong counts: this
// is a map with what a map needs for other purposes left out. The hash is
// seeded: attackers choose their addresses.
type groups struct {
	all   []group
	seed  maphash.Seed
	slots []slot // their number is a power of two, at least twice that of groups
}

type group struct {
	prefix netip.Prefix
	hash   uint64
	count  int32 // events
}

// slot is the place of a group, empty where next is 0.
type slot struct {
	tag  uint32 // of the hash
	next int32  // the group's index and 1
}

const minSlots = 64

// reset empties the groups.
func (g *groups) reset() {
	g.all = g.all[:0]
	clear(g.slots)
}

// of returns the index of the group of p, which must be masked.
func (g *groups) of(p netip.Prefix) int32 {
	if 2*len(g.all) >= len(g.slots) {
		g.grow()
	}
	// No address is IPv4-mapped, so this tells all of them apart.
	key := p.Addr().As16()
	hash := maphash.Bytes(g.seed, key[:])
	i, tag := g.start(hash)
	for ; ; i = (i + 1) & (len(g.slots) - 1) {
		s := &g.slots[i]
		if s.next == 0 {
			g.all = append(g.all, group{prefix: p, hash: hash})
			*s = slot{tag, int32(len(g.all))}
			return s.next - 1
		}
		if s.tag == tag && g.all[s.next-1].prefix == p {
			return s.next - 1
		}
	}
}

// start returns where the search for a hash starts, and its tag.
func (g *groups) start(hash uint64) (int, uint32) {
	return int(hash) & (len(g.slots) - 1), uint32(hash >> 32)
}

func (g *groups) grow() {
	if g.slots == nil {
		g.seed = maphash.MakeSeed()
	}
	g.slots = make([]slot, max(minSlots, 2*len(g.slots)))
	for k := range g.all {
		i, tag := g.start(g.all[k].hash)
		for g.slots[i].next != 0 {
			i = (i + 1) & (len(g.slots) - 1)
		}
		g.slots[i] = slot{tag, int32(k + 1)}
	}
}
