// Package deadletter keeps on disk what can never be written to
// Elasticsearch, until somebody has fixed the cause and replays it.
//
// A folder holds files of JSON lines, one letter a line, in the order of
// their names. Each letter is synced before the call that buried it returns.
// Several processes may share a folder: a file is locked while one of them
// appends to it or replays it.
//
// Letters that bring something back wait until they are replayed, however
// full the folder is. Records that no dialect knows are kept for a look only,
// in files of their own: those make room, oldest first.
package deadletter

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"dossier/correlate/commit"
)

// Defaults of Options, in bytes.
const (
	DefaultMaxBytes     = 256 << 20
	DefaultMaxFileBytes = 16 << 20
)

// pieceBytes is how much of a broken chunk goes into one line.
const pieceBytes = 256 << 10

// maxLine bounds one line of a file, in bytes. The events of one chunk take a
// small part of it.
const maxLine = 128 << 20

// Ends of file names.
const (
	suffix         = ".jsonl"
	unparsedSuffix = ".unparsed" + suffix
	replayedMark   = ".replayed"
)

// ErrFull says that the letters have reached Options.MaxBytes.
var ErrFull = errors.New("the dead letters are full")

// Options configures a Box.
type Options struct {
	// Path is the folder. It is made, for this user only, if it isn't there.
	Path string
	// MaxBytes bounds all files in the folder together. To make room replayed
	// files are deleted, oldest first, then files of unparsed records, oldest
	// first; other letters that wait never are. Default 256 MiB.
	MaxBytes int64
	// MaxFileBytes is the size from which a new file is begun. Default
	// 16 MiB. Unparsed records get files of a sixteenth of MaxBytes where
	// that is less.
	MaxFileBytes int64
	// Encode returns what a contribution's delta is kept as. It leaves out
	// what must not be kept.
	Encode func(delta any) (json.RawMessage, error)
	// Dropped, unless nil, is told of letters with unparsed records that were
	// given up because the folder is full. It is called under no lock of the
	// Box.
	Dropped func(Dropped)
}

// Dropped counts letters with unparsed records that were given up because the
// folder is full, and their bytes in the files.
type Dropped struct {
	Letters, Bytes int64
}

func (d *Dropped) add(more Dropped) {
	d.Letters += more.Letters
	d.Bytes += more.Bytes
}

// Letter is one line of a file.
type Letter struct {
	// Time is when the letter was buried.
	Time time.Time `json:"time"`
	// Reason is why, in one line.
	Reason string `json:"reason"`
	// Chunk is the chunk's id in hex.
	Chunk string `json:"chunk"`

	// Minute, Index, ID, Class and Events are a contribution to a document:
	// those of commit.Chunk, commit.Key and commit.Part, and the encoded
	// delta.
	Minute uint32          `json:"minute,omitempty"`
	Index  string          `json:"index,omitempty"`
	ID     string          `json:"id,omitempty"`
	Class  commit.Class    `json:"class,omitempty"`
	Events json.RawMessage `json:"events,omitempty"`

	// Tag, Offset, Piece, Pieces and Data are a chunk that can't be decoded
	// from Offset on: the chunk's tag, and the number (from 1) and bytes of
	// one piece of it. A letter with Index has none of them. With Unparsed the
	// data are whole records that no dialect knows.
	Tag    string `json:"tag,omitempty"`
	Offset int    `json:"offset,omitempty"`
	Piece  int    `json:"piece,omitempty"`
	Pieces int    `json:"pieces,omitempty"`
	Data   []byte `json:"data,omitempty"`

	Unparsed bool `json:"unparsed,omitempty"`
}

// ChunkID returns the id of the letter's chunk.
func (l *Letter) ChunkID() (commit.ChunkID, error) {
	var id commit.ChunkID
	b, err := hex.DecodeString(l.Chunk)
	if err != nil || len(b) != len(id) {
		return id, fmt.Errorf("deadletter: %q is no chunk id", l.Chunk)
	}
	copy(id[:], b)
	return id, nil
}

// Broken is a chunk that can't be decoded from Offset on, or what no dialect
// knows of one.
type Broken struct {
	Chunk  commit.ChunkID
	Tag    string
	Offset int
	Data   []byte
	Reason string
	// Unparsed says that Data are whole records that no dialect knows. They
	// are kept as long as there is room: they never hold up their chunk
	// because the folder is full.
	Unparsed bool
}

// Box buries letters in a folder. It holds no file open, and is safe for
// concurrent use. It implements commit.DeadLetters.
type Box struct {
	o    Options
	disk disk

	mu       sync.Mutex
	letters  series
	unparsed series
	dropped  Dropped
}

// series is the files of one kind that a Box writes.
type series struct {
	suffix string
	most   int64  // bytes of a file
	file   string // the one appended to last, "" before the first letter
}

// Open makes sure that letters can be written to the folder, and by nobody
// else: it is refused where it belongs to another user, where group or others
// may write to it, and where its path leads over a symbolic link or through a
// folder in which others could replace it.
func Open(o Options) (*Box, error) { return open(o, osDisk{}) }

func open(o Options, d disk) (*Box, error) {
	o.MaxBytes = cmp.Or(o.MaxBytes, DefaultMaxBytes)
	o.MaxFileBytes = cmp.Or(o.MaxFileBytes, DefaultMaxFileBytes)
	switch {
	case o.Path == "":
		return nil, errors.New("deadletter: no folder is given")
	case o.Encode == nil:
		return nil, errors.New("deadletter: Options.Encode is missing")
	case o.MaxBytes < 0 || o.MaxFileBytes < 0:
		return nil, errors.New("deadletter: sizes must not be negative")
	}
	if err := makeFolder(o.Path); err != nil {
		return nil, err
	}
	// The letters' own way of writing, but for the name.
	probe := filepath.Join(o.Path, ".probe-"+rand.Text())
	f, err := d.create(probe)
	if err != nil {
		return nil, err
	}
	defer func() { _ = d.remove(probe) }()
	_, err = f.Write([]byte("{}\n"))
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return nil, err
	}
	b := &Box{o: o, disk: d}
	b.letters = series{suffix: suffix, most: o.MaxFileBytes}
	b.unparsed = series{suffix: unparsedSuffix, most: min(o.MaxFileBytes, o.MaxBytes/16)}
	return b, d.syncDir(o.Path)
}

// Dropped returns what was given up since Open.
func (b *Box) Dropped() Dropped {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.dropped
}

// Bury writes the letters and returns when they are on disk: all of them, or
// none where it returns an error.
func (b *Box) Bury(ctx context.Context, letters []commit.Letter) error {
	now := time.Now().UTC()
	var lines bytes.Buffer
	for i := range letters {
		in := &letters[i]
		events, err := b.o.Encode(in.Part.Delta)
		if err != nil {
			return fmt.Errorf("deadletter: %w", err)
		}
		err = appendLine(&lines, &Letter{
			Time: now, Reason: in.Reason, Chunk: in.Chunk.String(), Minute: in.Minute,
			Index: in.Part.Key.Index, ID: in.Part.Key.ID, Class: in.Part.Class, Events: events,
		})
		if err != nil {
			return err
		}
	}
	return b.write(ctx, &b.letters, lines.Bytes())
}

// BuryBroken writes the bytes of a chunk that can't be decoded, in pieces,
// and returns when they are on disk. Unparsed records that there is no room
// for are given up, and counted, without an error.
func (b *Box) BuryBroken(ctx context.Context, in Broken) error {
	l := Letter{
		Time: time.Now().UTC(), Reason: in.Reason, Chunk: in.Chunk.String(), Tag: in.Tag, Offset: in.Offset,
		Pieces: max(1, (len(in.Data)+pieceBytes-1)/pieceBytes), Unparsed: in.Unparsed,
	}
	to := &b.letters
	if in.Unparsed {
		to = &b.unparsed
	}
	if int64(len(in.Data)) > b.o.MaxBytes { // before it is encoded
		if in.Unparsed {
			b.give(Dropped{int64(l.Pieces), int64(len(in.Data))})
			return nil
		}
		return b.full(0, int64(len(in.Data)))
	}
	var lines bytes.Buffer
	rest := in.Data
	for l.Piece = 1; l.Piece <= l.Pieces; l.Piece++ {
		n := min(len(rest), pieceBytes)
		l.Data, rest = rest[:n], rest[n:]
		if err := appendLine(&lines, &l); err != nil {
			return err
		}
	}
	err := b.write(ctx, to, lines.Bytes())
	if in.Unparsed && isFull(err) {
		b.give(Dropped{int64(l.Pieces), int64(lines.Len())})
		return nil
	}
	return err
}

// give counts what is given up, and tells of it.
func (b *Box) give(d Dropped) {
	if d == (Dropped{}) {
		return
	}
	b.mu.Lock()
	b.dropped.add(d)
	b.mu.Unlock()
	if b.o.Dropped != nil {
		b.o.Dropped(d)
	}
}

// isFull says whether err is for want of room only.
func isFull(err error) bool {
	return errors.Is(err, ErrFull) || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

func appendLine(to *bytes.Buffer, l *Letter) error {
	line, err := json.Marshal(l)
	if err != nil {
		return fmt.Errorf("deadletter: %w", err)
	}
	if len(line) > maxLine {
		return fmt.Errorf("deadletter: a letter of %d bytes; the most that can be read back is %d", len(line), maxLine)
	}
	to.Write(line)
	to.WriteByte('\n')
	return nil
}

// write appends the lines to the series' current file, or to a new one.
func (b *Box) write(ctx context.Context, to *series, lines []byte) error {
	if len(lines) == 0 {
		return nil
	}
	var gone Dropped
	defer func() { b.give(gone) }()
	b.mu.Lock()
	defer b.mu.Unlock()
	for first := true; ; first = false {
		if err := ctx.Err(); err != nil {
			return err
		}
		more, err := b.makeRoom(int64(len(lines)))
		gone.add(more)
		if err != nil {
			return err
		}
		if err = b.append(to, lines); err == nil {
			return nil
		}
		err = fmt.Errorf("deadletter: %w", err)
		if !first || !isFull(err) {
			return err
		}
		// The disk is full before the folder is: what may be given up goes.
		more, found := b.dropUnparsed(int64(len(lines)))
		gone.add(more)
		if !found {
			return err
		}
	}
}

// append writes the lines, syncs them, and syncs the folder where a file was
// begun. After an error nothing of them counts.
func (b *Box) append(to *series, lines []byte) error {
	f, size, err := b.open(to, int64(len(lines)))
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err = f.Write(lines); err == nil {
		err = f.Sync()
	}
	if err == nil && size == 0 {
		err = b.disk.syncDir(b.o.Path)
	}
	if err == nil {
		return nil
	}
	// Half a line must not come before others, and a later sync of this file
	// may say nothing of pages that this one lost: so the next letter begins
	// another file, whether or not this one can be cut back.
	if size == 0 {
		_ = b.disk.remove(to.file)
	} else {
		_ = f.Truncate(size)
	}
	to.file = ""
	return err
}

// open returns the file to append to, locked, and its size.
func (b *Box) open(to *series, more int64) (f file, size int64, err error) {
	if to.file != "" {
		if f, size := b.reopen(to.file); f != nil {
			if size+more <= to.most {
				return f, size, nil
			}
			f.Close()
		}
	}
	name, err := b.nextName(to.suffix)
	if err != nil {
		return nil, 0, err
	}
	to.file = filepath.Join(b.o.Path, name)
	if f, err = b.disk.create(to.file); err != nil {
		return nil, 0, err
	}
	if err := f.lock(); err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, 0, nil
}

// stampForm is how a file's name begins: when it was begun, and a counter.
const (
	stampForm = "20060102T150405.000Z"
	counters  = 1_000_000
)

// nextName returns a name that sorts behind all there are, also where the
// clock was set back or a millisecond begins many files.
func (b *Box) nextName(suffix string) (string, error) {
	names, err := b.disk.names(b.o.Path)
	if err != nil {
		return "", err
	}
	at, n := time.Now().UTC().Truncate(time.Millisecond), 0
	for _, name := range names {
		if was, count, ok := parseName(name); ok && !was.Before(at) {
			if !was.Equal(at) {
				at, n = was, 0
			}
			n = max(n, count+1)
		}
	}
	if n >= counters {
		at, n = at.Add(time.Millisecond), 0
	}
	return fmt.Sprintf("%s-%06d-%s%s", at.Format(stampForm), n, strings.ToLower(rand.Text()[:8]), suffix), nil
}

// parseName reads the time and the counter of a file's name. Times after the
// year 9998 are none, so that there is always a later one.
func parseName(name string) (at time.Time, count int, ok bool) {
	if len(name) < len(stampForm) || !strings.Contains(name, suffix) {
		return at, 0, false
	}
	at, err := time.Parse(stampForm, name[:len(stampForm)])
	if err != nil || at.Year() > 9998 {
		return at, 0, false
	}
	rest := name[len(stampForm):]
	if len(rest) > 7 && rest[0] == '-' && rest[7] == '-' {
		for _, c := range []byte(rest[1:7]) {
			if c < '0' || c > '9' {
				return at, 0, true // a random part, of older versions
			}
			count = 10*count + int(c-'0')
		}
	}
	return at, count, true
}

// reopen returns the last file, or nil where it is replayed, or is being, or
// can't be had, or ends within a line.
func (b *Box) reopen(path string) (file, int64) {
	f, err := b.disk.append(path)
	if err != nil {
		return nil, 0
	}
	size := int64(0)
	if err = f.lock(); err == nil {
		size, err = f.end(path)
	}
	if err != nil {
		f.Close()
		return nil, 0
	}
	return f, size
}

// makeRoom deletes replayed files, then files of unparsed records, where that
// is needed.
func (b *Box) makeRoom(more int64) (gone Dropped, err error) {
	entries, err := b.disk.list(b.o.Path)
	if err != nil {
		return gone, fmt.Errorf("deadletter: %w", err)
	}
	used := int64(0)
	for _, e := range entries {
		used += e.size
	}
	for _, e := range entries { // by name, so oldest first
		if used+more <= b.o.MaxBytes {
			return gone, nil
		}
		if strings.HasSuffix(e.name, suffix+replayedMark) && b.disk.remove(filepath.Join(b.o.Path, e.name)) == nil {
			used -= e.size
		}
	}
	for _, e := range entries {
		if used+more <= b.o.MaxBytes {
			return gone, nil
		}
		if d, ok := b.drop(e); ok {
			gone.add(d)
			used -= e.size
		}
	}
	if used+more > b.o.MaxBytes {
		return gone, b.full(used, more)
	}
	return gone, nil
}

// dropUnparsed deletes files of unparsed records, oldest first, until so many
// bytes are free. found says whether there was one.
func (b *Box) dropUnparsed(bytes int64) (gone Dropped, found bool) {
	entries, err := b.disk.list(b.o.Path)
	if err != nil {
		return gone, false
	}
	for _, e := range entries {
		if gone.Bytes >= bytes {
			break
		}
		if d, ok := b.drop(e); ok {
			gone.add(d)
			found = true
		}
	}
	return gone, found
}

// drop deletes a file if it is of unparsed records and nobody has it open.
func (b *Box) drop(e entry) (d Dropped, ok bool) {
	if !strings.HasSuffix(e.name, unparsedSuffix) {
		return d, false
	}
	path := filepath.Join(b.o.Path, e.name)
	f, err := b.disk.append(path)
	if err != nil {
		return d, false
	}
	defer f.Close()
	if f.lock() != nil {
		return d, false
	}
	lines, err := f.lines()
	if err != nil || b.disk.remove(path) != nil {
		return d, false
	}
	return Dropped{lines, e.size}, true
}

func (b *Box) full(used, more int64) error {
	return fmt.Errorf("deadletter: %w: %s holds %d bytes, %d more would pass the limit of %d; replay them (dossier replay), or delete files there",
		ErrFull, b.o.Path, used, more, b.o.MaxBytes)
}
