package law

// Settle brings a list that was read under its limit and its Rank. Entries of
// an earlier version's list that SHA-256 has cut, of one that such a version
// wrote beside a full list, and of one that another Rank has cut (foreign) are
// ranked anew, each with what is known of it: what was cut then stays lost.
// Seen bounds what is believed of an earlier version's estimate of distinct
// keys.
//
// A settled list is what it would be had its entries been seen anew, so what
// is added from here on gives the same in every order.
func (b *Bottom) Settle(limit *Limit, seen int64, foreign bool) {
	long := limit.Entry > 0 && b.longest > limit.Entry
	whole := b.pile == nil && !long
	switch plain := !b.ranked && b.old == 0; {
	case plain && whole && len(b.entries) == 0:
	case plain && whole:
		b.measure(limit)
		b.trim(limit)
	case b.ranked && whole && !foreign:
		b.classify(limit)
		b.trim(limit)
	default:
		b.anew(limit, seen, foreign)
	}
}

// measure counts what entries take that were read: of a list with shares what
// each class does.
func (b *Bottom) measure(limit *Limit) {
	if len(limit.Shares) == 0 && !limit.Early {
		return // Decode has counted
	}
	b.classify(limit)
	if len(limit.Shares) == 0 {
		b.classes = b.classes[:0]
	}
}

// anew makes b of what was read, as if it were seen now.
func (b *Bottom) anew(limit *Limit, seen int64, foreign bool) {
	was := *b
	*b = Bottom{by: was.by}
	if was.ranked || was.old != 0 {
		b.rank(limit)
		b.before = was.before
		switch {
		case was.old != 0:
			b.before = max(b.before, min(estimateOld(was.entries), seen))
		case foreign:
			b.before = max(b.before, min(was.estimateByMarks(), was.seen))
		default:
			b.classes = was.classes
			b.classify(limit)
		}
		for i := range was.firsts {
			f := &was.firsts[i]
			key, payload := f.Key, f.Payload
			if !limit.fits(key, payload) {
				key, payload = limit.fit(key, payload)
			}
			b.first(key, f.First, payload, limit)
		}
	}
	b.take(was.entries, limit)
	if was.ranked {
		b.seen = was.seen
	}
	b.take(was.pile, limit)
	if was.pileOld != 0 {
		if !b.ranked {
			b.rank(limit)
		}
		b.before = max(b.before, min(estimateOld(was.pile), seen))
	}
	b.trim(limit)
}

// take adds what was read elsewhere.
func (b *Bottom) take(entries []Entry, limit *Limit) {
	for i := range entries {
		e := &entries[i]
		key, payload, early := e.Key, e.Payload, e.Early
		if !limit.fits(key, payload) {
			_, early = limit.fit(key, early)
			key, payload = limit.fit(key, payload)
		}
		b.combine(key, e.Count, e.First, e.Last, e.Rank, payload, early, limit)
	}
}

// estimateOld is what an earlier version said of the number of keys of a list
// that it had cut to these.
func estimateOld(entries []Entry) int64 {
	n, largest := len(entries), uint64(0)
	for i := range entries {
		largest = max(largest, keyHash(entries[i].Key))
	}
	if n < 2 {
		return int64(n) + 1
	}
	return estimate(n, largest)
}

// estimateByMarks estimates the number of keys where their hashes can't be
// made.
func (b *Bottom) estimateByMarks() int64 {
	n := int64(len(b.entries))
	for i := range b.classes {
		if m := b.classes[i].mark; m != 0 {
			n = max(n, estimate(max(2, len(b.entries)), m))
		}
	}
	return n
}
