package law

import (
	"cmp"
	"slices"

	"dossier/correlate/event"
)

// classify counts what each class has.
func (b *Bottom) classify(limit *Limit) {
	n := max(1, len(limit.Shares))
	for len(b.classes) < n {
		b.classes = append(b.classes, class{})
	}
	b.classes, b.size = b.classes[:n], 0
	for i := range b.classes {
		b.classes[i].n, b.classes[i].size = 0, 0
	}
	for i := range b.entries {
		e := &b.entries[i]
		e.class = limit.class(e.Key)
		size := e.bytes(limit)
		b.size += size
		b.classes[e.class].n++
		b.classes[e.class].size += size
	}
	for i := range b.firsts {
		b.firsts[i].class = limit.class(b.firsts[i].Key)
	}
}

// over says whether a class has more than its room, where there are shares.
func (b *Bottom) over(class int, room *perClass, limit *Limit) bool {
	if len(limit.Shares) > 0 {
		return b.classes[class].size > room[class]
	}
	return len(b.entries) > limit.Keys || limit.Bytes > 0 && b.size > limit.Bytes
}

// rooms works out what each class may take: its share, and as much of what the
// others leave of theirs as there is, as evenly as it can be (max-min
// fairness). A class that needs more takes room from others, never the other
// way round, and one that was cut needs all it can get. So rooms only ever
// shrink, and what was cut stays cut whatever comes, in any order.
func (b *Bottom) rooms(limit *Limit) (room perClass) {
	const endless = 1 << 40
	var more perClass
	left, wanting := limit.Bytes, 0
	for i := range limit.Shares {
		need := b.classes[i].size
		if b.classes[i].mark != 0 {
			need = endless
		}
		room[i] = min(need, limit.Shares[i].Bytes)
		if more[i] = need - room[i]; more[i] > 0 {
			wanting++
		}
		left -= room[i]
	}
	for wanting > 0 {
		each, given := left/wanting, false
		for i := range more {
			if more[i] > 0 && more[i] <= each {
				room[i] += more[i]
				left -= more[i]
				more[i], given = 0, true
				wanting--
			}
		}
		if given {
			continue
		}
		for i := range more {
			if more[i] > 0 {
				room[i] += each
			}
		}
		break
	}
	return room
}

func (b *Bottom) trim(limit *Limit) {
	var room perClass
	if len(limit.Shares) > 0 {
		if !b.ranked && b.size <= limit.Bytes {
			return
		}
		room = b.rooms(limit)
	}
	for class := range max(1, len(limit.Shares)) {
		if !b.over(class, &room, limit) {
			continue
		}
		if !b.ranked {
			b.rank(limit)
		}
		b.order()
		c := &b.classes[class]
		kept := len(b.entries)
		for i := kept - 1; i >= 0 && b.over(class, &room, limit); i-- {
			e := &b.entries[i]
			if int(e.class) != class {
				continue
			}
			size := e.bytes(limit)
			c.n, c.size, c.mark = c.n-1, c.size-size, b.hashed(e)
			b.size -= size
			copy(b.entries[i:], b.entries[i+1:kept])
			kept--
			b.entries[kept] = Entry{}
			b.entries, b.ordered = b.entries[:kept], kept
		}
	}
}

// rank makes b a full list. All that was seen so far is in it, or what an
// earlier version left of it.
func (b *Bottom) rank(limit *Limit) {
	b.ranked, b.seen, b.ordered, b.fresh = true, 0, 0, false
	for i := range b.entries {
		e := &b.entries[i]
		e.hash = b.by.of(e.Key)
		b.seen += e.Count
	}
	b.classify(limit)
	slices.SortFunc(b.entries, compareRank)
	b.ordered = len(b.entries)
	for i := range b.entries {
		e := &b.entries[i]
		b.first(e.Key, e.First, e.Early, limit)
	}
}

// first has key among those that came first, if it is one of them.
func (b *Bottom) first(key string, at event.Time, early string, limit *Limit) {
	of := limit.class(key)
	most := limit.firsts(int(of))
	if most == 0 {
		return
	}
	if !limit.Early {
		early = ""
	}
	if len(limit.Shares) == 0 && len(b.firsts) >= most && at > b.firsts[len(b.firsts)-1].First {
		return
	}
	f := Entry{Key: key, First: at, Payload: early, class: of}
	known, n := -1, 0
	for i := range b.firsts {
		if b.firsts[i].Key == key {
			known = i
		}
		if b.firsts[i].class == of {
			n++
		}
	}
	if known >= 0 {
		old := &b.firsts[known]
		if at > old.First || at == old.First && early >= old.Payload {
			return
		}
		f.hash = old.hash
		b.firsts = slices.Delete(b.firsts, known, known+1)
		n--
	}
	f.hash = cmp.Or(f.hash, b.by.of(key))
	place, _ := slices.BinarySearchFunc(b.firsts, f, compareFirst)
	b.firsts = slices.Insert(b.firsts, place, f)
	for i := len(b.firsts) - 1; n+1 > most; i-- {
		if b.firsts[i].class == of {
			b.firsts = slices.Delete(b.firsts, i, i+1)
			n--
		}
	}
}
