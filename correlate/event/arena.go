package event

import "slices"

import "unsafe"

const (
	arenaBytes  = 64 << 10
	arenaFields = 2048
	arenaEvents = 1024
)

// Arena is memory for what is read from one chunk: strings that had to be
// rewritten, fields, evidence. It hands out views that stay valid until
// Reset. The zero value is ready; it is not safe for concurrent use.
type Arena struct {
	bytes    blocks[byte]
	fields   blocks[Field]
	evidence blocks[Evidence]
	names    [512]name

	// Local is memory that whoever reads into the arena keeps with it, nil
	// while there is none. It may hold views of what the arena handed out:
	// Reset resets it too.
	Local interface{ Reset() }
}

// name is what Name made of a text.
type name struct {
	text, clean string
	limit       int
}

// blocks hands out sub-slices of large blocks, so that growing never moves
// what was handed out before, and reuses the blocks after reset.
type blocks[T any] struct {
	full [][]T
	cur  []T
	free [][]T
}

// grab returns an empty slice with room for n elements at the end of the
// current block.
func (b *blocks[T]) grab(n, size int) []T {
	if cap(b.cur)-len(b.cur) < n {
		if b.cur != nil {
			b.full = append(b.full, b.cur)
		}
		b.cur = nil
		if n <= size && len(b.free) > 0 {
			b.cur = b.free[len(b.free)-1][:0]
			b.free = b.free[:len(b.free)-1]
		} else {
			b.cur = make([]T, 0, max(n, size))
		}
	}
	return b.cur[len(b.cur):len(b.cur):cap(b.cur)]
}

// keep takes the elements of s, which grab returned, for good.
func (b *blocks[T]) keep(s []T) []T {
	b.cur = b.cur[:len(b.cur)+len(s)]
	return slices.Clip(s)
}

// reset makes all blocks of the ordinary size free again.
func (b *blocks[T]) reset(size int) {
	if b.cur != nil {
		b.full = append(b.full, b.cur)
		b.cur = nil
	}
	for _, f := range b.full {
		if cap(f) == size {
			clear(f[:cap(f)])
			b.free = append(b.free, f[:0])
		}
	}
	b.full = b.full[:0]
}

// Reset makes the arena empty and keeps its memory. Everything it handed out
// is invalid from here on.
func (a *Arena) Reset() {
	a.bytes.reset(arenaBytes)
	a.fields.reset(arenaFields)
	a.evidence.reset(arenaEvents)
	clear(a.names[:])
	if a.Local != nil {
		a.Local.Reset()
	}
}

// Grab returns an empty buffer with room for at least n bytes. Append at most
// n bytes to it, then give it to Keep; nothing else may be taken from the
// arena in between.
func (a *Arena) Grab(n int) []byte { return a.bytes.grab(n, arenaBytes) }

// Keep turns a buffer from Grab into a string.
func (a *Arena) Keep(b []byte) string { return View(a.bytes.keep(b)) }

// Join returns the concatenation of the parts.
func (a *Arena) Join(parts ...string) string {
	n := 0
	for _, p := range parts {
		n += len(p)
	}
	b := a.Grab(n)
	for _, p := range parts {
		b = append(b, p...)
	}
	return a.Keep(b)
}

// Fields returns a copy of f that lives in the arena.
func (a *Arena) Fields(f []Field) []Field {
	if len(f) == 0 {
		return nil
	}
	return a.fields.keep(append(a.fields.grab(len(f), arenaFields), f...))
}

// Evidence returns a copy of e that lives in the arena.
func (a *Arena) Evidence(e []Evidence) []Evidence {
	if len(e) == 0 {
		return nil
	}
	return a.evidence.keep(append(a.evidence.grab(len(e), arenaEvents), e...))
}

// MoreEvidence returns e with n empty elements behind it: where e was the last
// evidence handed out it stays where it is, else it is copied.
func (a *Arena) MoreEvidence(e []Evidence, n int) []Evidence {
	size := len(e) + n
	cur := a.evidence.cur
	if at := len(cur) - len(e); len(e) > 0 && at >= 0 && at+size <= cap(cur) && &cur[at] == &e[0] {
		a.evidence.cur = cur[:at+size]
		e = a.evidence.cur[at : at+size : at+size]
		clear(e[size-n:])
		return e
	}
	b := append(a.evidence.grab(size, arenaEvents), e...)[:size]
	clear(b[len(e):])
	return a.evidence.keep(b)
}

// View returns b as a string without copying. b must not change while the
// string is in use.
func View(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	return unsafe.String(&b[0], len(b))
}

// Bytes returns s as bytes without copying. They must not be written to.
func Bytes(s string) []byte {
	if s == "" {
		return nil
	}
	return unsafe.Slice(unsafe.StringData(s), len(s))
}
