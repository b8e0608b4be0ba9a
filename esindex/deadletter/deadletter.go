// Package deadletter keeps on disk what can never be written to
// Elasticsearch, until somebody has mended the cause and replays it.
//
// A folder holds files of JSON lines, one letter a line, in the order of
// their names. Each letter is synced before the call that buried it returns.
// Several processes may share a folder: a file is locked while one of them
// appends to it or replays it.
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
	"io/fs"
	"os"
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

// Ends of file names.
const (
	suffix         = ".jsonl"
	replayedSuffix = suffix + ".replayed"
)

// ErrFull says that the letters have reached Options.MaxBytes.
var ErrFull = errors.New("the dead letters are full")

// Options configures a Box.
type Options struct {
	// Path is the folder. It is made, for this user only, if it isn't there.
	Path string
	// MaxBytes bounds all files in the folder together. Replayed files are
	// deleted, oldest first, to make room; letters that wait never are.
	// Default 256 MiB.
	MaxBytes int64
	// MaxFileBytes is the size from which a new file is begun. Default
	// 16 MiB.
	MaxFileBytes int64
	// Encode returns what a contribution's delta is kept as. It leaves out
	// what must not be kept.
	Encode func(delta any) (json.RawMessage, error)
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
	// one piece of it. A letter with Index has none of them.
	Tag    string `json:"tag,omitempty"`
	Offset int    `json:"offset,omitempty"`
	Piece  int    `json:"piece,omitempty"`
	Pieces int    `json:"pieces,omitempty"`
	Data   []byte `json:"data,omitempty"`
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

// Broken is a chunk that can't be decoded from Offset on.
type Broken struct {
	Chunk  commit.ChunkID
	Tag    string
	Offset int
	Data   []byte
	Reason string
}

// Box buries letters in a folder. It holds no file open, and is safe for
// concurrent use. It implements commit.DeadLetters.
type Box struct {
	o Options

	mu   sync.Mutex
	file string // the file appended to last, "" before the first letter
}

// Open makes sure that letters can be written to the folder.
func Open(o Options) (*Box, error) {
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
	if err := os.MkdirAll(o.Path, 0o700); err != nil {
		return nil, err
	}
	info, err := os.Stat(o.Path)
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o022 != 0 {
		return nil, fmt.Errorf("others may write to %s: chmod 700 it", o.Path)
	}
	// The letters' own way of writing, but for the name.
	probe := filepath.Join(o.Path, ".probe-"+rand.Text())
	f, err := create(probe)
	if err != nil {
		return nil, err
	}
	defer os.Remove(probe)
	_, err = f.WriteString("{}\n")
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return nil, err
	}
	return &Box{o: o}, syncDir(o.Path)
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
	return b.write(ctx, lines.Bytes())
}

// BuryBroken writes the bytes of a chunk that can't be decoded, in pieces,
// and returns when they are on disk.
func (b *Box) BuryBroken(ctx context.Context, in Broken) error {
	l := Letter{
		Time: time.Now().UTC(), Reason: in.Reason, Chunk: in.Chunk.String(), Tag: in.Tag, Offset: in.Offset,
		Pieces: max(1, (len(in.Data)+pieceBytes-1)/pieceBytes),
	}
	if int64(len(in.Data)) > b.o.MaxBytes { // before it is encoded
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
	return b.write(ctx, lines.Bytes())
}

func appendLine(to *bytes.Buffer, l *Letter) error {
	line, err := json.Marshal(l)
	if err != nil {
		return fmt.Errorf("deadletter: %w", err)
	}
	to.Write(line)
	to.WriteByte('\n')
	return nil
}

// write appends the lines to the current file, or to a new one.
func (b *Box) write(ctx context.Context, lines []byte) error {
	if len(lines) == 0 {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := b.makeRoom(int64(len(lines))); err != nil {
		return err
	}
	f, size, err := b.open(int64(len(lines)))
	if err != nil {
		return fmt.Errorf("deadletter: %w", err)
	}
	_, err = f.Write(lines)
	if err == nil {
		err = f.Sync()
	}
	if err != nil {
		// Nothing of it may count, or half a line would come before others.
		if size == 0 {
			os.Remove(b.file)
		} else if f.Truncate(size) != nil {
			b.file = ""
		}
		f.Close()
		return fmt.Errorf("deadletter: %w", err)
	}
	f.Close()
	if size == 0 {
		if err := syncDir(b.o.Path); err != nil {
			return fmt.Errorf("deadletter: %w", err)
		}
	}
	return nil
}

// open returns the file to append to, locked, and its size.
func (b *Box) open(more int64) (f *os.File, size int64, err error) {
	if b.file != "" {
		if f, size := b.reopen(); f != nil {
			if size+more <= b.o.MaxFileBytes {
				return f, size, nil
			}
			f.Close()
		}
	}
	b.file = filepath.Join(b.o.Path, time.Now().UTC().Format("20060102T150405.000Z")+"-"+strings.ToLower(rand.Text()[:8])+suffix)
	if f, err = create(b.file); err != nil {
		return nil, 0, err
	}
	if err := flock(f); err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, 0, nil
}

// reopen returns the last file, or nil where it is replayed, or is being, or
// can't be had.
func (b *Box) reopen() (*os.File, int64) {
	f, err := os.OpenFile(b.file, os.O_WRONLY|os.O_APPEND|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return nil, 0
	}
	info, err := f.Stat()
	if err == nil {
		err = flock(f)
	}
	if err == nil && !isAt(f, b.file) {
		err = fs.ErrNotExist
	}
	if err != nil {
		f.Close()
		return nil, 0
	}
	return f, info.Size()
}

// makeRoom deletes replayed files where that is needed.
func (b *Box) makeRoom(more int64) error {
	entries, err := os.ReadDir(b.o.Path)
	if err != nil {
		return fmt.Errorf("deadletter: %w", err)
	}
	used := int64(0)
	sizes := make([]int64, len(entries))
	for i, e := range entries {
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() {
			sizes[i] = info.Size()
			used += sizes[i]
		}
	}
	for i, e := range entries { // by name, so oldest first
		if used+more <= b.o.MaxBytes {
			return nil
		}
		if strings.HasSuffix(e.Name(), replayedSuffix) && os.Remove(filepath.Join(b.o.Path, e.Name())) == nil {
			used -= sizes[i]
		}
	}
	if used+more > b.o.MaxBytes {
		return b.full(used, more)
	}
	return nil
}

func (b *Box) full(used, more int64) error {
	return fmt.Errorf("deadletter: %w: %s holds %d bytes, %d more would pass the limit of %d; replay them (dossier replay), or delete files there",
		ErrFull, b.o.Path, used, more, b.o.MaxBytes)
}

func create(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE|os.O_EXCL|syscall.O_NOFOLLOW, 0o600)
}

// flock locks a file against other processes. It doesn't wait.
func flock(f *os.File) error {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
}

// isAt says whether the file still has its name.
func isAt(f *os.File, path string) bool {
	ours, err := f.Stat()
	if err != nil {
		return false
	}
	there, err := os.Lstat(path)
	return err == nil && os.SameFile(ours, there)
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
