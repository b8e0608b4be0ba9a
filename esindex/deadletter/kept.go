package deadletter

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// keptSuffix is the end of the names of files with letters that were kept.
const keptSuffix = suffix + ".kept"

// ErrKeep is what a function given to Replay returns for a letter that it can
// do nothing with: the letter is kept, in a file *.jsonl.kept beside its own,
// and the others are gone through. Nothing but whoever looks at them removes
// kept letters.
var ErrKeep = errors.New("deadletter: keep this letter")

// EachKept calls f with each letter that was kept in a folder, as Each does
// with those that wait. Of a file it finds none.
func EachKept(path string, f func(file string, l Letter) error) (Result, error) {
	if info, err := os.Lstat(path); err == nil && !info.IsDir() {
		return Result{}, nil
	}
	return walk(path, keptSuffix, nil, f, false)
}

// IsRaw says whether the letter holds bytes of a chunk that nobody could read,
// and not what is for a document.
func (l *Letter) IsRaw() bool { return l.Index == "" }

// keep writes the lines into the file for kept letters that belongs to name,
// and returns when they are on disk. What an interrupted replay wrote there is
// replaced: it reads the same lines again.
func keep(name string, lines []byte) error {
	if len(lines) == 0 {
		return nil
	}
	to := strings.TrimSuffix(name, suffix) + keptSuffix
	// Beside it first, so that no half of it is ever under its name.
	half := to + ".new"
	f, err := os.OpenFile(half, os.O_WRONLY|os.O_CREATE|os.O_TRUNC|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return fmt.Errorf("deadletter: %w", err)
	}
	_, err = f.Write(lines)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(half, to)
	}
	if err != nil {
		os.Remove(half)
		return fmt.Errorf("deadletter: %w", err)
	}
	return syncDir(filepath.Dir(to))
}

// withEnd returns a line with its end.
func withEnd(line []byte) []byte { return append(bytes.TrimRight(line, "\r\n"), '\n') }
