package stored

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync/atomic"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/mikelolasagasti/xz"
)

const (
	// maxWindow bounds what a decompressor keeps of the stream: zstd --long=27,
	// and twice what xz -9 takes.
	maxWindow = 128 << 20
	// A stream of more than freeBytes may be at most maxRatio times as long as
	// what it was compressed to: logs shrink to a tenth or a hundredth.
	freeBytes = 64 << 20
	maxRatio  = 1000
)

// ErrBomb says that a stream is so much longer than what it was compressed to
// that no log can be in it.
var ErrBomb = fmt.Errorf("it decompresses to more than %d times its size, as no log does; decompress it yourself, look at it, and import the file", maxRatio)

// File is a file with a stored log.
type File struct {
	f *os.File
	// Size is how long the file was when it was opened, in bytes: a plain one
	// is read no further. Modified is when it was written last.
	Size     int64
	Modified time.Time
	// Plain says that it isn't compressed, so the stream is the file.
	Plain bool

	kind    kind
	read    atomic.Int64
	streams []io.Closer
}

type kind uint8

const (
	plain kind = iota
	gzipped
	xzipped
	zstandard
)

// magics are what compressed files begin with. Zstandard's has also the frames
// to be skipped (RFC 8878), which pzstd begins with.
var magics = []struct {
	begin string
	kind  kind
}{
	{"\x1f\x8b\x08", gzipped},
	{"\xfd7zXZ\x00", xzipped},
	{"\x28\xb5\x2f\xfd", zstandard},
	{"\x50\x2a\x4d\x18", zstandard},
}

// Open opens a file. How it is compressed is seen by what it begins with,
// whatever its name is.
func Open(path string) (*File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "import", Path: path, Err: errors.New("it is no regular file: only those can be gone on with where they were left")}
	}
	begin := make([]byte, 8)
	if err == nil {
		if _, err = f.ReadAt(begin, 0); errors.Is(err, io.EOF) {
			err = nil
		}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	out := &File{f: f, Size: info.Size(), Modified: info.ModTime(), Plain: true}
	for _, m := range magics {
		if bytes.HasPrefix(begin, []byte(m.begin)) {
			out.kind, out.Plain = m.kind, false
		}
	}
	return out, nil
}

// Read returns how much of the file the last stream has read, in bytes.
func (f *File) Read() int64 { return min(f.read.Load(), f.Size) }

// Close closes the file and its streams.
func (f *File) Close() error {
	f.closeStreams()
	return f.f.Close()
}

func (f *File) closeStreams() {
	for _, s := range f.streams {
		s.Close()
	}
	f.streams = nil
}

// Stream returns the decompressed stream from its beginning. Only the last one
// may be read.
func (f *File) Stream() (io.Reader, error) {
	f.read.Store(0)
	f.closeStreams() // each holds its window
	if f.Size == 0 {
		return bytes.NewReader(nil), nil
	}
	in := bufio.NewReaderSize(&counted{io.NewSectionReader(f.f, 0, f.Size), &f.read}, 1<<16)
	var out io.Reader
	var err error
	switch f.kind {
	case plain:
		return in, nil
	case gzipped:
		out, err = gzip.NewReader(in)
	case xzipped:
		out, err = xz.NewReader(in, maxWindow)
	case zstandard:
		var d *zstd.Decoder
		d, err = zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxMemory(maxWindow), zstd.WithDecoderMaxWindow(maxWindow))
		if err == nil {
			f.streams = append(f.streams, d.IOReadCloser())
		}
		out = d
	}
	if err != nil {
		return nil, readable(err)
	}
	return &bounded{in: out, from: &f.read}, nil
}

type counted struct {
	in io.Reader
	n  *atomic.Int64
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.in.Read(b)
	c.n.Add(int64(n))
	return n, err
}

// bounded is a decompressed stream that ends with an error where it gets too
// long for what it is made from.
type bounded struct {
	in   io.Reader
	from *atomic.Int64
	n    int64
}

func (s *bounded) Read(b []byte) (int, error) {
	n, err := s.in.Read(b)
	s.n += int64(n)
	if s.n > freeBytes && s.n/maxRatio > s.from.Load() {
		return 0, ErrBomb
	}
	if err != nil && !errors.Is(err, io.EOF) {
		err = readable(err)
	}
	return n, err
}

// readable says what to do about an error of a decompressor.
func readable(err error) error {
	switch {
	case errors.Is(err, zstd.ErrWindowSizeExceeded), errors.Is(err, zstd.ErrDecoderSizeExceeded), errors.Is(err, xz.ErrMemlimit):
		return fmt.Errorf("it takes more than %d MiB of memory to decompress (%w); decompress it yourself and import the file", maxWindow>>20, err)
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, xz.ErrBuf):
		return fmt.Errorf("it breaks off: what is whole of it was read; import it again when it is complete (%w)", err)
	default:
		return fmt.Errorf("it can't be decompressed: %w", err)
	}
}
