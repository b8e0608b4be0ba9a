package law

import "slices"

// Remove takes a key out and says whether it was kept. It is no law: it is for
// whoever must forget a key, on a list that was settled.
//
// Of a list that isn't full nothing is left, as if the key had never come. A full one
// keeps its marks: what was cut stays out, so that whatever comes after gives
// the same in every order. Its estimate of distinct keys falls by as much as one kept key
// stands for, and by nothing for a key that was cut already: over all keys that
// is one each, on the average. A key that comes again is counted from then on, and
// may be among those that came first though others, cut since, came before it.
func (b *Bottom) Remove(key string, limit *Limit) bool {
	key = limit.Key(key)
	is := func(e Entry) bool { return e.Key == key }
	kept := false
	if i := slices.IndexFunc(b.firsts, is); i >= 0 {
		b.firsts, kept = slices.Delete(b.firsts, i, i+1), true
	}
	if i := slices.IndexFunc(b.entries, is); i >= 0 {
		e := &b.entries[i]
		b.grow(e.class, -e.bytes(limit))
		if len(b.classes) > 0 {
			b.classes[e.class].n--
		}
		b.seen = max(0, b.seen-e.Count)
		if i < b.ordered {
			b.ordered--
		}
		b.entries, kept = slices.Delete(b.entries, i, i+1), true
	}
	if kept {
		b.fresh = false
		b.before = max(0, b.before-1)
	}
	return kept
}
