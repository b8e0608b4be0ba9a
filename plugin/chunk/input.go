package chunk

import "io"

// input is the chunk and how far it was read. It is what the msgpack decoder
// reads numbers from; texts, and the headers that every record has, are taken
// from it directly.
type input struct {
	data []byte
	off  int
}

// Read implements io.Reader.
func (in *input) Read(p []byte) (int, error) {
	if in.off >= len(in.data) {
		return 0, io.EOF
	}
	n := copy(p, in.data[in.off:])
	in.off += n
	return n, nil
}

// ReadByte implements io.ByteScanner.
func (in *input) ReadByte() (byte, error) {
	if in.off >= len(in.data) {
		return 0, io.EOF
	}
	b := in.data[in.off]
	in.off++
	return b, nil
}

// UnreadByte implements io.ByteScanner.
func (in *input) UnreadByte() error {
	in.off--
	return nil
}

// take returns the next n bytes as a view.
func (in *input) take(n int) ([]byte, error) {
	if n < 0 || n > len(in.data)-in.off {
		return nil, errCut
	}
	b := in.data[in.off : in.off+n]
	in.off += n
	return b, nil
}

// peek says what kind of value comes next.
func (in *input) peek() (kind, error) {
	if in.off >= len(in.data) {
		return 0, errCut
	}
	return kinds[in.data[in.off]], nil
}

// length reads the header of the str, bin, array or map that comes next and
// returns how many bytes, elements or pairs it announces.
func (in *input) length() (int, error) {
	c := in.data[in.off]
	switch {
	case c <= 0x9f: // fixmap, fixarray
		in.off++
		return int(c & 0x0f), nil
	case c <= 0xbf: // fixstr
		in.off++
		return int(c & 0x1f), nil
	}
	b, err := in.take(1 + int(shapes[c-0xc0].length))
	if err != nil {
		return 0, err
	}
	n := 0
	for _, x := range b[1:] {
		n = n<<8 | int(x)
	}
	if n < 0 { // of four bytes, in an int as long
		return 0, errCut
	}
	return n, nil
}

// skip steps over one value. It uses neither stack nor memory, however deep
// the value goes; that is why it isn't the msgpack decoder's own.
func (in *input) skip() error {
	for pending := uint64(1); pending > 0; pending-- {
		if in.off >= len(in.data) {
			return errCut
		}
		c := in.data[in.off]
		in.off++
		// How many bytes of length follow, how many bytes of content, how
		// many values.
		var length, content, values uint64
		switch {
		case c <= 0x7f || c >= 0xe0:
		case c <= 0x8f:
			values = uint64(c&0x0f) * 2
		case c <= 0x9f:
			values = uint64(c & 0x0f)
		case c <= 0xbf:
			content = uint64(c & 0x1f)
		default:
			shape := shapes[c-0xc0]
			length, content = uint64(shape.length), uint64(shape.content)
		}
		if length > 0 {
			b, err := in.take(int(length))
			if err != nil {
				return err
			}
			var n uint64
			for _, x := range b {
				n = n<<8 | uint64(x)
			}
			switch kinds[c] {
			case arrayKind:
				values = n
			case mapKind:
				values = n * 2
			default:
				content += n
			}
		}
		left := uint64(len(in.data) - in.off)
		switch {
		case kinds[c] == invalidKind:
			return errInvalid
		case content > left || pending-1+values > left:
			// Each pending value takes a byte at least, the ones after this
			// among them.
			return errCut
		}
		in.off += int(content)
		pending += values
	}
	return nil
}

func be32(b []byte) uint32 {
	return uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
}

// kind is a family of msgpack values.
type kind uint8

const (
	invalidKind kind = iota
	nilKind
	boolKind
	uintKind // any unsigned or positive form
	intKind  // any signed form, which may be positive too
	floatKind
	stringKind // str and bin
	arrayKind
	mapKind
	extKind
)

// kinds gives the family by a value's first byte (msgpack specification).
var kinds = func() (k [256]kind) {
	fill := func(from, to int, what kind) {
		for c := from; c <= to; c++ {
			k[c] = what
		}
	}
	fill(0x00, 0x7f, uintKind)
	fill(0x80, 0x8f, mapKind)
	fill(0x90, 0x9f, arrayKind)
	fill(0xa0, 0xbf, stringKind)
	fill(0xc0, 0xc0, nilKind)
	fill(0xc2, 0xc3, boolKind)
	fill(0xc4, 0xc6, stringKind)
	fill(0xc7, 0xc9, extKind)
	fill(0xca, 0xcb, floatKind)
	fill(0xcc, 0xcf, uintKind)
	fill(0xd0, 0xd3, intKind)
	fill(0xd4, 0xd8, extKind)
	fill(0xd9, 0xdb, stringKind)
	fill(0xdc, 0xdd, arrayKind)
	fill(0xde, 0xdf, mapKind)
	fill(0xe0, 0xff, intKind)
	return k
}()

// shapes gives, for the first bytes 0xc0 to 0xdf, how many bytes of length
// follow and how many of content, the length's own not counted.
var shapes = [32]struct{ length, content uint8 }{
	0x04: {1, 0}, 0x05: {2, 0}, 0x06: {4, 0}, // bin
	0x07: {1, 1}, 0x08: {2, 1}, 0x09: {4, 1}, // ext, with its type
	0x0a: {0, 4}, 0x0b: {0, 8}, // float
	0x0c: {0, 1}, 0x0d: {0, 2}, 0x0e: {0, 4}, 0x0f: {0, 8}, // uint
	0x10: {0, 1}, 0x11: {0, 2}, 0x12: {0, 4}, 0x13: {0, 8}, // int
	0x14: {0, 2}, 0x15: {0, 3}, 0x16: {0, 5}, 0x17: {0, 9}, 0x18: {0, 17}, // fixext
	0x19: {1, 0}, 0x1a: {2, 0}, 0x1b: {4, 0}, // str
	0x1c: {2, 0}, 0x1d: {4, 0}, // array
	0x1e: {2, 0}, 0x1f: {4, 0}, // map
}
