package behavior

import (
	"slices"
	"strconv"

	"dossier/correlate/law"
)

// System returns the operating system: the sniffer's most frequent label, of
// equally frequent ones the first seen; without one what the most frequent
// TTL stands for; "" where neither is known.
func System(labels, ttls *law.Bottom) string {
	if e := mode(labels); e != nil {
		return e.Key
	}
	if e := mode(ttls); e != nil {
		if ttl, err := strconv.Atoi(e.Key); err == nil {
			return systemByTTL(ttl)
		}
	}
	return ""
}

func mode(b *law.Bottom) *law.Entry {
	var best *law.Entry
	entries := b.Entries()
	for i := range entries {
		e := &entries[i]
		if best == nil || e.Count > best.Count ||
			e.Count == best.Count && (e.First < best.First || e.First == best.First && e.Key < best.Key) {
			best = e
		}
	}
	return best
}

func systemByTTL(ttl int) string {
	switch {
	case ttl >= 55 && ttl <= 70:
		return "linux"
	case ttl >= 115 && ttl <= 135:
		return "windows"
	case ttl >= 235 && ttl <= 255:
		return "embedded"
	default:
		return ""
	}
}

// Distance returns the median of the distances in hops, cut to a whole
// number, and whether there is one.
func Distance(distances *law.Bottom) (int64, bool) {
	type hops struct{ distance, count int64 }
	var known []hops
	var n int64
	for _, e := range distances.Entries() {
		if d, err := strconv.ParseInt(e.Key, 10, 64); err == nil && d > 0 {
			known = append(known, hops{d, e.Count})
			n += e.Count
		}
	}
	if n == 0 {
		return 0, false
	}
	slices.SortFunc(known, func(a, b hops) int { return int(a.distance - b.distance) })
	at := func(i int64) int64 {
		for _, h := range known {
			if i < h.count {
				return h.distance
			}
			i -= h.count
		}
		return known[len(known)-1].distance
	}
	return (at((n-1)/2) + at(n/2)) / 2, true
}
