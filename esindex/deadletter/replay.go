package deadletter

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// Result is what was found in a folder or file.
type Result struct {
	// Files and Letters were read to their ends.
	Files, Letters int
	// Torn counts last lines that a crash cut off. What they would have held
	// was not acknowledged, and so came again.
	Torn int
	// Damaged counts lines that are no letter. They are passed over.
	Damaged int
	// Busy counts files that another process appends to or replays; they
	// are left out.
	Busy int
}

// Read calls f with each letter that waits in a folder, or that stands in a
// file, in the order they were buried. It stops at the first error of f.
//
// Letters decide what is written to documents, so a folder or file is refused
// that somebody else than its owner may have written to, and so is a path
// with a symbolic link in it.
func Read(path string, f func(Letter) error) (Result, error) { return walk(path, f, false) }

// Replay is Read for letters that are then done with: a file is renamed to
// *.jsonl.replayed after f has returned nil for all of its letters. After an
// error all letters of that file come again.
func Replay(path string, f func(Letter) error) (Result, error) { return walk(path, f, true) }

func walk(path string, f func(Letter) error, mark bool) (Result, error) {
	var r Result
	info, err := os.Lstat(path)
	if err != nil {
		return r, err
	}
	if err := checkPath(path); err != nil {
		return r, err
	}
	files, from := []string{path}, -1
	if info.IsDir() {
		if err := checkFolder(path, true); err != nil {
			return r, err
		}
		from = owner(info)
		if files, err = filepath.Glob(filepath.Join(globQuote(path), "*"+suffix)); err != nil {
			return r, err
		}
		slices.Sort(files)
	}
	for _, name := range files {
		if err := r.file(name, from, f, mark); err != nil {
			return r, err
		}
	}
	return r, nil
}

func (r *Result) file(name string, folderOwner int, f func(Letter) error, mark bool) error {
	file, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) && folderOwner >= 0 { // it was listed: another replay is done with it
		r.Busy++
		return nil
	}
	if err != nil {
		return err
	}
	defer file.Close()
	if err := checkFile(file, folderOwner); err != nil {
		return err
	}
	if err := flock(file); err != nil || !isAt(file, name) {
		r.Busy++
		return nil
	}
	in := bufio.NewReaderSize(file, 64<<10)
	for n := 1; ; n++ {
		line, whole, err := readLine(in, maxLine)
		if errors.Is(err, io.EOF) {
			if len(line) > 0 || !whole {
				r.Torn++
			}
			break
		}
		if err != nil {
			return err
		}
		var l Letter
		if !whole || json.Unmarshal(bytes.TrimSpace(line), &l) != nil || l.Chunk == "" {
			r.Damaged++
			continue
		}
		if err := f(l); err != nil {
			return fmt.Errorf("%s, line %d: %w", name, n, err)
		}
		r.Letters++
	}
	r.Files++
	if !mark || !strings.HasSuffix(name, suffix) {
		return nil
	}
	if err := os.Rename(name, name+replayedMark); err != nil {
		return err
	}
	return syncDir(filepath.Dir(name))
}

// readLine reads a line. Of one that is longer than most it keeps nothing,
// and whole is false. At the end of the file err is io.EOF, beside what
// follows the last line break.
func readLine(in *bufio.Reader, most int) (line []byte, whole bool, err error) {
	whole = true
	for {
		part, err := in.ReadSlice('\n')
		if whole && len(line)+len(part) > most {
			line, whole = nil, false
		}
		if whole {
			line = append(line, part...)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, whole, err
		}
	}
}
