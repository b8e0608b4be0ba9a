// Package stored reads stored logs as chunks, by a law that gives the same
// chunks of the same log whenever and under whatever name it is read.
//
// # The law
//
// A log is the decompressed stream of a file, a line a record. A chunk ends with
// each record whose number is a multiple of ChunkRecords, and with one that
// brings it to ChunkBytes. Its id is the SHA-256 of its lines, each with a line
// feed behind it, and of the dialect that they are read as: no name, no place and
// no time of reading is in it. The chunk at the end of the stream is open until
// it is full, or the log is said to be final.
//
// So a log that is read again, has grown, was renamed, copied or compressed has
// chunks that the ledger knows. The law must not change: the chunks of every log
// that was ever imported would count again.
package stored

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"time"

	"github.com/tinylib/msgp/msgp"

	"dossier/correlate/commit"
	"dossier/correlate/dialect"
)

// The bounds of a chunk, which are part of the law.
const (
	// ChunkRecords is the number whose multiples end chunks.
	ChunkRecords = 2000
	// ChunkBytes ends a chunk early, in bytes of its lines as they are kept.
	ChunkBytes = 4 << 20
)

// maxLine is how much of a line is kept, in bytes: enough for dialects to say
// that it is too large.
const maxLine = dialect.MaxText + 1

// law names the law in what ids are made of.
const law = "dossier stored log 1\x00"

// Chunk is a chunk of a stored log.
type Chunk struct {
	ID commit.ChunkID
	// From and To are where it begins and ends in the stream, in bytes, each
	// line with its line feed.
	From, To int64
	// Before is how many records the stream has before it, Records its own.
	Before, Records int64
	// Open says that the stream ends before the chunk is full, Torn that its
	// last line has no line feed.
	Open, Torn bool
	// Prefix is the hash of the stream up to To.
	Prefix Prefix

	lines []byte
	ends  []int
}

// Append appends the chunk as Fluent Bit's tail would have delivered it, with
// each line under "log" in a record of the time at.
func (c *Chunk) Append(dst []byte, at time.Time) []byte {
	from := 0
	for _, to := range c.ends {
		// [[EventTime, {}], {"log": line}]
		dst = append(dst, 0x92, 0x92, 0xd7, 0)
		dst = binary.BigEndian.AppendUint32(dst, uint32(at.Unix()))
		dst = binary.BigEndian.AppendUint32(dst, uint32(at.Nanosecond()))
		dst = append(dst, 0x80, 0x81)
		dst = msgp.AppendString(dst, "log")
		dst = msgp.AppendStringFromBytes(dst, c.lines[from:to])
		from = to
	}
	return dst
}

// Prefix is the SHA-256 of the beginning of a stream.
type Prefix [sha256.Size]byte

// Position is a place between two chunks of a stream.
type Position struct {
	// Offset is in bytes, Records in records from the beginning.
	Offset, Records int64
	// Prefix is the hash of the stream up to there.
	Prefix Prefix
}

// End returns the position behind the chunk.
func (c *Chunk) End() Position { return Position{c.To, c.Before + c.Records, c.Prefix} }

// Reader cuts a stream into chunks. It is not safe for concurrent use.
type Reader struct {
	in      *bufio.Reader
	dialect string
	prefix  hash.Hash
	at      Position
	line    []byte
	torn    bool
	err     error
}

// NewReader returns a Reader of a stream from its beginning. dialect is the
// dialect that its records are read as.
func NewReader(in io.Reader, dialect string) *Reader {
	r := &Reader{in: bufio.NewReaderSize(in, 1<<18), dialect: dialect, prefix: sha256.New()}
	r.prefix.Write([]byte(law + dialect + "\x00"))
	return r
}

// Next reads the next chunk; io.EOF says that there is none. At another error c
// holds nothing.
func (r *Reader) Next(c *Chunk) error {
	id := sha256.New()
	id.Write([]byte(law + r.dialect + "\x00"))
	*c = Chunk{From: r.at.Offset, Before: r.at.Records, lines: c.lines[:0], ends: c.ends[:0]}
	for {
		n, err := r.next(id)
		if errors.Is(err, io.EOF) {
			c.Open = true
			break
		}
		if err != nil {
			return err
		}
		c.lines = append(c.lines, r.line...)
		c.ends = append(c.ends, len(c.lines))
		c.Records++
		r.at.Records++
		r.at.Offset += n
		if r.at.Records%ChunkRecords == 0 || len(c.lines)+len(c.ends) >= ChunkBytes {
			break
		}
	}
	if c.Records == 0 {
		return io.EOF
	}
	c.Torn = r.torn
	// A line without its line feed may still get more.
	c.Open = c.Open || c.Torn
	c.To = r.at.Offset
	r.prefix.Sum(r.at.Prefix[:0])
	c.Prefix = r.at.Prefix
	c.ID = commit.ChunkID(id.Sum(nil)[:16])
	return nil
}

// next reads a line into r.line, all of it into the hashes, and returns how
// long it is with its line feed.
func (r *Reader) next(id io.Writer) (n int64, err error) {
	if r.err != nil {
		return 0, r.err
	}
	r.line = r.line[:0]
	feed := []byte{'\n'}
	for {
		part, err := r.in.ReadSlice('\n')
		id.Write(part)
		r.prefix.Write(part)
		n += int64(len(part))
		text := bytes.TrimSuffix(part, feed)
		r.line = append(r.line, text[:min(len(text), maxLine-len(r.line))]...)
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF) && n > 0:
			r.err, r.torn = io.EOF, true
			id.Write(feed)
			r.prefix.Write(feed)
			n++
		case err != nil:
			r.err = err
			return 0, err
		}
		return n, nil
	}
}

// Skip reads to the position, which the stream must go through (Through).
func (r *Reader) Skip(to Position) error {
	if to.Offset == 0 {
		return nil
	}
	for r.at.Offset < to.Offset {
		n, err := r.next(nothing{})
		if err != nil {
			return fmt.Errorf("it ended, or changed, while it was read: %w", err)
		}
		r.at.Offset += n
		r.at.Records++
	}
	r.prefix.Sum(r.at.Prefix[:0])
	if r.at != to {
		return errors.New("it changed while it was read; import it again")
	}
	return nil
}

// Head is what is known of a stream by its first chunk.
type Head struct {
	// Line tells streams apart by their first line, First by their first chunk.
	Line  [16]byte
	First commit.ChunkID
}

// ReadHead reads the head of a stream. It is io.EOF for one without a record.
func ReadHead(in io.Reader, dialect string) (h Head, err error) {
	var c Chunk
	if err := NewReader(in, dialect).Next(&c); err != nil {
		return h, err
	}
	line := sha256.New()
	line.Write([]byte(law + dialect + "\x00"))
	line.Write(c.lines[:c.ends[0]])
	copy(h.Line[:], line.Sum(nil))
	h.First = c.ID
	return h, nil
}

// Through reads a stream from its beginning, and returns the places in the list
// of those positions that it goes through.
func Through(in io.Reader, dialect string, wanted []Position) (found []int, err error) {
	last := int64(0)
	for _, p := range wanted {
		last = max(last, p.Offset)
	}
	r := NewReader(in, dialect)
	for r.at.Offset < last {
		n, err := r.next(nothing{})
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return found, err
		}
		r.at.Offset += n
		r.at.Records++
		for i, p := range wanted {
			if p.Offset == r.at.Offset && p.Records == r.at.Records && Prefix(r.prefix.Sum(nil)) == p.Prefix {
				found = append(found, i)
			}
		}
	}
	return found, nil
}

// nothing is what lines that are only skipped are hashed into.
type nothing struct{}

func (nothing) Write(b []byte) (int, error) { return len(b), nil }
