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
	// Damaged counts lines that are no letter. They are passed over, and
	// kept as letters are for which ErrKeep is returned.
	Damaged int
	// Kept counts those letters.
	Kept int
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
func Read(path string, f func(Letter) error) (Result, error) {
	return Each(path, func(_ string, l Letter) error { return f(l) })
}

// Each is Read for a function that asks which file a letter stands in.
func Each(path string, f func(file string, l Letter) error) (Result, error) {
	return walk(path, suffix, nil, f, false)
}

// Replay is Read for letters that are then done with: a file is renamed to
// *.jsonl.replayed after f has returned nil or ErrKeep for all of its letters.
// After another error all letters of that file come again.
func Replay(path string, f func(Letter) error) (Result, error) { return ReplayOnly(path, nil, f) }

// ReplayOnly is Replay for those of the files for which only is true, or for
// all where only is nil.
func ReplayOnly(path string, only func(file string) bool, f func(Letter) error) (Result, error) {
	return walk(path, suffix, only, func(_ string, l Letter) error { return f(l) }, true)
}

func walk(path, end string, only func(string) bool, f func(string, Letter) error, mark bool) (Result, error) {
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
		if files, err = filepath.Glob(filepath.Join(globQuote(path), "*"+end)); err != nil {
			return r, err
		}
		slices.Sort(files)
	}
	for _, name := range files {
		if only != nil && !only(name) {
			continue
		}
		if err := r.file(name, from, f, mark); err != nil {
			return r, err
		}
	}
	return r, nil
}

func (r *Result) file(name string, folderOwner int, f func(string, Letter) error, mark bool) error {
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
	mark = mark && strings.HasSuffix(name, suffix)
	var kept bytes.Buffer
	keepLine := func(line []byte) {
		if mark {
			kept.Write(withEnd(line))
		}
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
			if whole { // else nothing of it is at hand
				keepLine(line)
			}
			continue
		}
		switch err := f(name, l); {
		case errors.Is(err, ErrKeep):
			r.Kept++
			keepLine(line)
		case err != nil:
			return fmt.Errorf("%s, line %d: %w", name, n, err)
		}
		r.Letters++
	}
	r.Files++
	if !mark {
		return nil
	}
	if err := keep(name, kept.Bytes()); err != nil {
		return err
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
