package law

import (
	"slices"
	"strings"

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

func (i *Item) bytes() int { return len(i.A) + len(i.B) + len(i.C) }

// items is a list in ascending order with what First and Newest share.
type items struct {
	list queue[Item]
	size int
	cut  bool
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

func (l *items) encode(dst []byte) []byte {
	list := l.list.items()
	for i := range list {
		dst = list[i].encode(dst)
	}
	return dst
}

func (l *items) decode(src []byte, n int) ([]byte, error) {
	l.list.reserve(n + 1)
	for range n {
		var it Item
		var err error
		if src, err = it.decode(src); err != nil {
			return src, err
		}
		if list := l.list.items(); len(list) > 0 && list[len(list)-1].Compare(it) > 0 {
			return src, ErrCorrupt
		}
		l.list.push(it)
		l.size += it.bytes()
	}
	return src, nil
}

// insert puts it in its place.
func (l *items) insert(it Item) {
	list := l.list.items()
	i := len(list)
	// Events come nearly in order: the place is mostly at the end.
	for i > 0 && i > len(list)-4 && list[i-1].Compare(it) > 0 {
		i--
	}
	if i > 0 && list[i-1].Compare(it) > 0 {
		i, _ = slices.BinarySearchFunc(list[:i], it, Item.Compare)
	}
	l.list.insert(i, it)
	l.size += it.bytes()
}

// Newest keeps the newest items, a multiset ordered by time and content.
type Newest struct {
	items
	// mark is the newest item that was cut: an older one stays out even
	// where it would fit, for it would have been cut had it come before.
	mark Item
}

// Emptied returns an empty Newest that takes over the memory of n.
func (n *Newest) Emptied() Newest { return Newest{items: items{list: n.list.emptied()}} }

// Items returns the kept items, oldest first. The slice is the Newest's own.
func (n *Newest) Items() []Item { return n.list.items() }

// Truncated says whether more items were seen than are kept.
func (n *Newest) Truncated() bool { return n.cut }

// Add combines it into the list. limit.Bytes bounds the texts together: the
// newest items that fit are kept, without a gap.
func (n *Newest) Add(it Item, limit Limit) {
	if n.cut && it.Compare(n.mark) <= 0 {
		return
	}
	n.insert(it)
	list, drop := n.list.items(), 0
	for len(list)-drop > limit.Keys || limit.Bytes > 0 && n.size > limit.Bytes {
		n.size -= list[drop].bytes()
		drop++
	}
	if drop > 0 {
		n.mark = list[drop-1]
		n.list.drop(drop)
		n.cut = true
	}
}

// Append appends the msgpack encoding: [mark, item ...], the mark nil while
// nothing was cut.
func (n *Newest) Append(dst []byte) []byte {
	dst = msgp.AppendArrayHeader(dst, uint32(1+n.list.len()))
	if n.cut {
		dst = n.mark.encode(dst)
	} else {
		dst = msgp.AppendNil(dst)
	}
	return n.encode(dst)
}

// Decode reads what Append wrote and returns the bytes behind it.
func (n *Newest) Decode(src []byte) ([]byte, error) {
	*n = n.Emptied()
	count, src, err := readArray(src)
	if err != nil || count < 1 {
		return src, ErrCorrupt
	}
	if n.cut = !msgp.IsNil(src); n.cut {
		src, err = n.mark.decode(src)
	} else {
		src, err = msgp.ReadNilBytes(src)
	}
	if err != nil {
		return src, err
	}
	return n.decode(src, count-1)
}

// First keeps the keys that were seen first, in order of their first sight. A
// key is A and B; C tells more about its first item.
type First struct {
	items
	// hint is where the last key was found: events come in runs.
	hint int
}

// Emptied returns an empty First that takes over the memory of f.
func (f *First) Emptied() First { return First{items: items{list: f.list.emptied()}} }

// Items returns the kept items, first seen first. The slice is the First's
// own.
func (f *First) Items() []Item { return f.list.items() }

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

// Add combines it into the list. Of two items with one key the smaller is
// kept.
func (f *First) Add(it Item, keys int) {
	list := f.list.items()
	if i := f.find(&it); i >= 0 {
		if it.Compare(list[i]) < 0 {
			f.size -= list[i].bytes()
			f.list.remove(i)
			f.insert(it)
		}
		return
	}
	if n := len(list); n >= keys {
		f.cut = true
		if it.Compare(list[n-1]) > 0 {
			return
		}
	}
	f.insert(it)
	if list = f.list.items(); len(list) > keys {
		f.size -= list[len(list)-1].bytes()
		f.list.remove(len(list) - 1)
	}
}

// Append appends the msgpack encoding: [cut, item ...].
func (f *First) Append(dst []byte) []byte {
	dst = msgp.AppendArrayHeader(dst, uint32(1+f.list.len()))
	return f.encode(msgp.AppendBool(dst, f.cut))
}

// Decode reads what Append wrote and returns the bytes behind it.
func (f *First) Decode(src []byte) ([]byte, error) {
	*f = f.Emptied()
	count, src, err := readArray(src)
	if err != nil || count < 1 {
		return src, ErrCorrupt
	}
	if f.cut, src, err = msgp.ReadBoolBytes(src); err != nil {
		return src, err
	}
	return f.decode(src, count-1)
}
