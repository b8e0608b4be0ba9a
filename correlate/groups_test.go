package correlate

import (
	"math/rand/v2"
	"net/netip"
	"testing"
)

// The groups are those that a map finds, chunk after chunk.
func TestGroups(t *testing.T) {
	var g groups
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 5))
		g.reset()
		plain := map[netip.Prefix]int32{}
		spread := 1 + r.IntN(5000)
		for i := range r.IntN(10000) {
			n := r.IntN(spread)
			addr := netip.AddrFrom4([4]byte{192, 0, byte(n >> 8), byte(n)})
			bits := 32
			if r.IntN(3) == 0 {
				addr, bits = netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, byte(n >> 8), byte(n), 15: byte(i)}), 128-64*r.IntN(2)
			}
			p := netip.PrefixFrom(addr, bits).Masked()
			want, known := plain[p]
			if !known {
				want = int32(len(plain))
				plain[p] = want
			}
			if got := g.of(p); got != want || g.all[got].prefix != p {
				t.Fatalf("seed %d, address %d: %v is in group %d (%v), want %d", seed, i, p, got, g.all[got].prefix, want)
			}
		}
		if len(g.all) != len(plain) {
			t.Fatalf("seed %d: %d groups, want %d", seed, len(g.all), len(plain))
		}
	}
}
