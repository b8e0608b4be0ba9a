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
	"syscall"
)

// Fate is what becomes of a letter that Erase looks at.
type Fate int

// The fates. A letter that is changed is written as the function left it.
const (
	Stays Fate = iota
	Changed
	Erased
)

// Erasure is what Erase did.
type Erasure struct {
	// Files were rewritten or removed; Letters were taken out of them, and
	// Changed are those of which a part was.
	Files, Letters, Changed int
	// Damaged counts lines that are no letter and that odd found something
	// in. They stay.
	Damaged int
	// Busy are files that another process appends to or replays: nothing was
	// done to them.
	Busy []string
}

// Erase goes through all files of letters in a folder, those that were replayed and
// kept included, and takes out what judge says. odd, unless nil, is asked of
// lines that are no letter whether something is in them.
//
// A file is replaced as a whole, once what stays of it is on the disk, with its
// mode; one of which nothing stays is removed. The folder must be this
// user's, and no link may be in its path.
func Erase(folder string, judge func(file string, l *Letter) (Fate, error), odd func(line []byte) bool) (Erasure, error) {
	var r Erasure
	if err := checkPath(folder); err != nil {
		return r, err
	}
	if err := checkFolder(folder, false); err != nil {
		return r, err
	}
	for _, end := range []string{suffix, suffix + replayedMark, keptSuffix} {
		files, err := filepath.Glob(filepath.Join(globQuote(folder), "*"+end))
		if err != nil {
			return r, err
		}
		slices.Sort(files)
		for _, name := range files {
			if err := r.file(name, judge, odd); err != nil {
				return r, fmt.Errorf("deadletter: %w", err)
			}
		}
	}
	return r, nil
}

func (r *Erasure) file(name string, judge func(string, *Letter) (Fate, error), odd func([]byte) bool) error {
	file, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) { // replayed meanwhile: under its new name it is looked at later
		return nil
	}
	if err != nil {
		return err
	}
	defer file.Close()
	if err := checkFile(file, os.Geteuid()); err != nil {
		return err
	}
	if err := flock(file); err != nil || !isAt(file, name) {
		r.Busy = append(r.Busy, name)
		return nil
	}
	info, err := file.Stat()
	if err != nil {
		return err
	}
	half := name + ".new"
	to, err := os.OpenFile(half, os.O_WRONLY|os.O_CREATE|os.O_TRUNC|syscall.O_NOFOLLOW, info.Mode().Perm())
	if err != nil {
		return err
	}
	defer os.Remove(half)
	defer to.Close()
	out := bufio.NewWriterSize(to, 64<<10)
	erased, changed, stay, err := r.lines(file, out, name, judge, odd)
	if err != nil || erased+changed == 0 {
		return err
	}
	if stay == 0 {
		err = os.Remove(name)
	} else if err = errors.Join(out.Flush(), to.Sync()); err == nil {
		err = os.Rename(half, name)
	}
	if err = errors.Join(err, syncDir(filepath.Dir(name))); err != nil {
		return err
	}
	r.Files, r.Letters, r.Changed = r.Files+1, r.Letters+erased, r.Changed+changed
	return nil
}

// lines copies what stays of a file.
func (r *Erasure) lines(from io.Reader, to io.Writer, name string, judge func(string, *Letter) (Fate, error), odd func([]byte) bool) (erased, changed, stay int, err error) {
	in := bufio.NewReaderSize(from, 64<<10)
	for n := 1; ; n++ {
		line, whole, err := readLine(in, maxLine)
		end := errors.Is(err, io.EOF)
		if err != nil && !end {
			return erased, changed, stay, err
		}
		if !whole {
			return erased, changed, stay, fmt.Errorf("%s, line %d is longer than a letter can be: look at that file", name, n)
		}
		if len(line) == 0 {
			return erased, changed, stay, nil
		}
		var l Letter
		fate := Stays
		if json.Unmarshal(bytes.TrimSpace(line), &l) != nil || l.Chunk == "" {
			if odd != nil && odd(line) {
				r.Damaged++
			}
		} else if fate, err = judge(name, &l); err != nil {
			return erased, changed, stay, fmt.Errorf("%s, line %d: %w", name, n, err)
		}
		switch fate {
		case Erased:
			erased++
			continue
		case Changed:
			changed++
			var b bytes.Buffer
			if err := appendLine(&b, &l); err != nil {
				return erased, changed, stay, err
			}
			line = b.Bytes()
		}
		stay++
		if _, err := to.Write(line); err != nil {
			return erased, changed, stay, err
		}
		if end {
			return erased, changed, stay, nil
		}
	}
}
