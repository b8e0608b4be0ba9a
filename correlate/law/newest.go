package law

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"

	"dossier/correlate/event"

	"github.com/tinylib/msgp/msgp"
)

// Item is one element of a Newest or First: a time and up to three texts.
type Item struct {
	Time    event.Time
	A, B, C string
}

// Compare orders items by time, then by content in byte order.
func (i Item) Compare(o Item) int {
	switch {
	case i.Time < o.Time:
		return -1
	case i.Time > o.Time:
		return 1
	}
	if c := strings.Compare(i.A, o.A); c != 0 {
		return c
	}
	if c := strings.Compare(i.B, o.B); c != 0 {
		return c
	}
	return strings.Compare(i.C, o.C)
}

// itemOverhead is what an item takes beside its texts at the most: the header
// of its array and its time.
const itemOverhead = 1 + 9

func (i *Item) bytes() int { return itemOverhead + text(i.A) + text(i.B) + text(i.C) }

// items is a list in ascending order with what First and Newest share.
type items struct {
	list queue[Item]
	size int
	cut  bool
	// mark is the first item in the order of the law that was cut: one behind
	// it stays out even where it would fit.
	mark Item
}

func (l *items) reset() {
	l.list.reset()
	l.size = 0
	if l.cut {
		l.cut, l.mark = false, Item{}
	}
}

func (i *Item) encode(dst []byte) []byte {
	dst = msgp.AppendArrayHeader(dst, 4)
	dst = appendTime(dst, i.Time)
	dst = msgp.AppendString(dst, i.A)
	dst = msgp.AppendString(dst, i.B)
	return msgp.AppendString(dst, i.C)
}

func (i *Item) decode(src []byte) ([]byte, error) {
	n, src, err := readArray(src)
	if err != nil || n < 4 {
		return src, ErrCorrupt
	}
	if i.Time, src, err = readTime(src); err != nil {
		return src, err
	}
	if i.A, src, err = readString(src); err != nil {
		return src, err
	}
	if i.B, src, err = readString(src); err != nil {
		return src, err
	}
	if i.C, src, err = readString(src); err != nil {
		return src, err
	}
	return skip(src, n-4)
}

// encode appends [mark, item ...], the mark nil while nothing was cut.
func (l *items) encode(dst []byte) []byte {
	dst = msgp.AppendArrayHeader(dst, uint32(1+l.list.len()))
	if l.cut {
		dst = l.mark.encode(dst)
	} else {
		dst = msgp.AppendNil(dst)
	}
	list := l.list.items()
	for i := range list {
		dst = list[i].encode(dst)
	}
	return dst
}

func (l *items) decode(src []byte) ([]byte, error) {
	n, src, err := readArray(src)
	if err != nil || n < 1 {
		return src, ErrCorrupt
	}
	if l.cut = !msgp.IsNil(src); l.cut {
		src, err = l.mark.decode(src)
	} else {
		src, err = msgp.ReadNilBytes(src)
	}
	if err != nil {
		return src, err
	}
	l.list.reserve(n)
	for range n - 1 {
		var it Item
		if src, err = it.decode(src); err != nil {
			return src, err
		}
		if list := l.list.items(); len(list) > 0 && list[len(list)-1].Compare(it) > 0 {
			return src, ErrCorrupt
		}
		*l.list.push() = it
	}
	return src, nil
}

// insert puts an item in its place.
func (l *items) insert(it *Item) {
	list := l.list.items()
	i := len(list)
	// Events come nearly in order: the place is mostly at the end.
	for i > 0 && i > len(list)-4 && list[i-1].Compare(*it) > 0 {
		i--
	}
	if i > 0 && list[i-1].Compare(*it) > 0 {
		i, _ = slices.BinarySearchFunc(list[:i], *it, Item.Compare)
	}
	place := l.list.insert(i)
	// One by one: a whole Item that was just put together is slow to copy.
	place.Time, place.A, place.B, place.C = it.Time, it.A, it.B, it.C
}

// Newest keeps the newest items, a multiset ordered by time and content, and
// once it is full also those that came first of all.
type Newest struct {
	items
	// Oldest has the items that came first: all that a Limit's Firsts allows
	// once the list is full, none before.
	Oldest Oldest
}

// By has n rank items of one time by r. It is called while n is empty.
func (n *Newest) By(r Rank) { n.Oldest.by = r }

// Reset empties n and keeps its memory and Rank.
func (n *Newest) Reset() {
	n.reset()
	n.Oldest.Reset()
}

// Gone returns those of the items that came first that are not among Items.
// The slice is the Newest's own.
func (n *Newest) Gone() []Item {
	list := n.Oldest.list
	i := len(list)
	for i > 0 && (!n.cut || list[i-1].Compare(n.mark) > 0) {
		i--
	}
	return list[:i]
}

// Settle brings a list that was read under its limit: of one that an earlier
// version has cut, what it kept first came first, as far as is known.
func (n *Newest) Settle(limit *Limit) {
	if limit.Entry > 0 {
		list, long := n.list.items(), false
		for i := range list {
			long = long || list[i].bytes() > limit.Entry
		}
		if long {
			n.size = 0
			for i := range list {
				limit.fitItem(&list[i])
				n.size += list[i].bytes()
			}
			slices.SortFunc(list, Item.Compare)
		}
	}
	if n.cut && len(n.Oldest.list) == 0 {
		n.Oldest.take(n.list.items(), limit)
	}
	n.trim(limit, nil)
}

// MostItems is what a Newest or a First with this limit takes at the most when
// it is encoded, without the items of a Newest that came first.
func (l *Limit) MostItems() int { return headOverhead + l.Bytes + l.Entry }

// MostOldest is what those take.
func (l *Limit) MostOldest() int { return 5 + l.Firsts*l.Entry }

// fitItem cuts the longest of an item's texts, its last, where the item takes
// more than an entry may.
func (l *Limit) fitItem(it *Item) {
	if over := it.bytes() - l.Entry; l.Entry > 0 && over > 0 {
		it.C = Shorten(it.C, max(cutTail, len(it.C)-over-2))
	}
}

// Oldest keeps the items that came first of all, a multiset ordered by time,
// then Rank, then content: who sends many at one time doesn't choose which.
type Oldest struct {
	by   Rank
	list []Item
}

// Reset empties e and keeps its memory and Rank.
func (e *Oldest) Reset() {
	clear(e.list)
	e.list = e.list[:0]
}

// Empty says whether there is none.
func (e *Oldest) Empty() bool { return len(e.list) == 0 }

// Items returns the kept items, oldest first. The slice is the Oldest's own.
func (e *Oldest) Items() []Item { return e.list }

func (e *Oldest) compare(x, y *Item) int {
	if x.Time != y.Time {
		return cmp.Compare(x.Time, y.Time)
	}
	return cmp.Or(cmp.Compare(e.rank(x), e.rank(y)), x.Compare(*y))
}

func (e *Oldest) rank(it *Item) uint64 { return e.by.of(it.A + "\x00" + it.B + "\x00" + it.C) }

func (e *Oldest) take(items []Item, limit *Limit) {
	for i := range items {
		e.add(&items[i], limit)
	}
}

func (e *Oldest) add(it *Item, limit *Limit) {
	n := len(e.list)
	if limit.Firsts == 0 || n >= limit.Firsts && it.Time > e.list[n-1].Time {
		return
	}
	i := n
	for i > 0 && e.compare(&e.list[i-1], it) > 0 {
		i--
	}
	if i == limit.Firsts {
		return
	}
	e.list = slices.Insert(e.list, i, *it)
	if len(e.list) > limit.Firsts {
		e.list[limit.Firsts] = Item{}
		e.list = e.list[:limit.Firsts]
	}
}

// Size returns what Append takes at the most.
func (e *Oldest) Size() int {
	n := 5
	for i := range e.list {
		n += e.list[i].bytes()
	}
	return n
}

// Append appends the msgpack encoding: [item ...].
func (e *Oldest) Append(dst []byte) []byte {
	dst = msgp.AppendArrayHeader(dst, uint32(len(e.list)))
	for i := range e.list {
		dst = e.list[i].encode(dst)
	}
	return dst
}

// Decode reads what Append wrote and returns the bytes behind it.
func (e *Oldest) Decode(src []byte) ([]byte, error) {
	e.Reset()
	n, src, err := readArray(src)
	if err != nil {
		return src, ErrCorrupt
	}
	for range n {
		var it Item
		if src, err = it.decode(src); err != nil {
			return src, err
		}
		e.list = append(e.list, it)
	}
	return src, nil
}

// Empty says whether no item was seen.
func (n *Newest) Empty() bool { return n.list.len() == 0 && !n.cut }

// Items returns the kept items, oldest first. The slice is the Newest's own.
func (n *Newest) Items() []Item { return n.list.items() }

// Truncated says whether more items were seen than are kept.
func (n *Newest) Truncated() bool { return n.cut }

// Add combines it into the list: the newest items that fit are kept, without
// a gap.
func (n *Newest) Add(it Item, limit Limit) { n.AddOr(it, &limit, nil) }

// AddOr combines it into the list as Add does, and hands out each item that
// has no room there, once: it or ones that were kept until now.
func (n *Newest) AddOr(it Item, limit *Limit, gone func(Item)) {
	limit.fitItem(&it)
	if n.cut {
		n.Oldest.add(&it, limit)
		if it.Compare(n.mark) <= 0 {
			if gone != nil {
				gone(it)
			}
			return
		}
	}
	n.insert(&it)
	n.size += it.bytes()
	n.trim(limit, gone)
}

func (n *Newest) trim(limit *Limit, gone func(Item)) {
	list, drop := n.list.items(), 0
	for len(list)-drop > limit.Keys || limit.Bytes > 0 && n.size > limit.Bytes {
		n.size -= list[drop].bytes()
		drop++
	}
	if drop > 0 {
		if !n.cut {
			n.Oldest.take(list, limit)
		}
		n.mark = list[drop-1]
		if gone != nil {
			for i := range list[:drop] {
				gone(list[i])
			}
		}
		n.list.drop(drop)
		n.cut = true
	}
}

// Size returns what Append takes at the most.
func (n *Newest) Size() int {
	if !n.cut {
		return headOverhead + n.size
	}
	return headOverhead + n.size + n.mark.bytes()
}

// Append appends the msgpack encoding.
func (n *Newest) Append(dst []byte) []byte { return n.encode(dst) }

// Decode reads what Append wrote and returns the bytes behind it.
func (n *Newest) Decode(src []byte) ([]byte, error) {
	n.Reset()
	src, err := n.decode(src)
	list := n.list.items()
	for i := range list {
		n.size += list[i].bytes()
	}
	return src, err
}

// First keeps the keys that were seen first, in order of their first sight. A
// key is A and B; C tells more about its first item.
type First struct {
	items
	// hint is where the last key was found: events come in runs.
	hint int
}

// Reset empties f and keeps its memory.
func (f *First) Reset() {
	f.reset()
	f.hint = 0
}

// Items returns the kept items, first seen first. The slice is the First's
// own.
func (f *First) Items() []Item { return f.list.items() }

// Empty says whether no key is kept.
func (f *First) Empty() bool { return f.list.len() == 0 }

// Truncated says whether more keys were seen than are kept.
func (f *First) Truncated() bool { return f.cut }

// find returns the place of it's key, -1 where it isn't kept.
func (f *First) find(it *Item) int {
	list := f.list.items()
	if f.hint < len(list) && list[f.hint].A == it.A && list[f.hint].B == it.B {
		return f.hint
	}
	for i := range list {
		if list[i].A == it.A && list[i].B == it.B {
			f.hint = i
			return i
		}
	}
	return -1
}

// bytes is what a key takes at the most, whatever its item tells.
func (f *First) bytes(it *Item, limit *Limit) int {
	return itemOverhead + text(it.A) + text(it.B) + noteOverhead + limit.Note
}

// noteOverhead is what a note takes beside its text: it is cut to less than
// 256 bytes.
const noteOverhead = 2

// Add combines it into the list. Of two items with one key the smaller is
// kept. C is cut to limit.Note bytes.
func (f *First) Add(it Item, limit Limit) { f.add(&it, &limit) }

func (f *First) add(it *Item, limit *Limit) {
	it.C = limit.CutNote(it.C)
	f.fit(it, limit)
	if f.size < 0 {
		// Decoded: what the keys take is not stored.
		f.size = 0
		list := f.list.items()
		for i := range list {
			f.size += f.bytes(&list[i], limit)
		}
	}
	list := f.list.items()
	if i := f.find(it); i >= 0 {
		if it.Compare(list[i]) < 0 {
			f.list.remove(i)
			f.insert(it)
		}
		return
	}
	if f.cut && it.Compare(f.mark) >= 0 {
		return
	}
	f.insert(it)
	f.size += f.bytes(it, limit)
	list = f.list.items()
	for n := len(list); n > limit.Keys || limit.Bytes > 0 && f.size > limit.Bytes; n-- {
		f.size -= f.bytes(&list[n-1], limit)
		f.mark, f.cut = list[n-1], true
		f.list.remove(n - 1)
	}
}

// CutNote cuts what a First knows of a key beside the key.
func (l *Limit) CutNote(s string) string {
	if len(s) <= l.Note {
		return s
	}
	n := l.Note
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// fit cuts A where the key takes more than an entry may.
func (f *First) fit(it *Item, limit *Limit) {
	if over := f.bytes(it, limit) - limit.Entry; limit.Entry > 0 && over > 0 {
		it.A = Shorten(it.A, max(cutTail, len(it.A)-over))
	}
}

// Settle brings a list that was read under its limit.
func (f *First) Settle(limit *Limit) {
	list := f.list.items()
	for i := range list {
		if limit.Entry > 0 && f.bytes(&list[i], limit) > limit.Entry {
			// Seldom: it is made anew.
			old := slices.Clone(list)
			cut, mark := f.cut, f.mark
			f.Reset()
			f.cut, f.mark = cut, mark
			for i := range old {
				f.Add(old[i], *limit)
			}
			return
		}
	}
}

// Append appends the msgpack encoding.
func (f *First) Append(dst []byte) []byte { return f.encode(dst) }

// Size returns what Append takes at the most.
func (f *First) Size() int {
	n := headOverhead
	list := f.list.items()
	for i := range list {
		n += list[i].bytes()
	}
	if f.cut {
		n += f.mark.bytes()
	}
	return n
}

// Decode reads what Append wrote and returns the bytes behind it.
func (f *First) Decode(src []byte) ([]byte, error) {
	f.Reset()
	src, err := f.decode(src)
	f.size = -1
	return src, err
}
