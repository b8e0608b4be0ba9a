package deadletter

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// disk is what a Box asks of the file system: a test puts one in between that
// fails, or forgets what was not synced.
type disk interface {
	// create makes a file that must not exist, for this user only.
	create(path string) (file, error)
	// append opens a file that exists for writing at its end.
	append(path string) (file, error)
	remove(path string) error
	// syncDir makes names in the folder durable.
	syncDir(path string) error
	// list returns the regular files in a folder, by name.
	list(path string) ([]entry, error)
	// names returns the names of everything in a folder.
	names(path string) ([]string, error)
}

// file is an open file of a disk.
type file interface {
	Write([]byte) (int, error)
	Sync() error
	Truncate(size int64) error
	Close() error
	// lock locks the file against other processes. It doesn't wait.
	lock() error
	// end returns the size where the file still has its name and ends with a
	// whole line.
	end(path string) (int64, error)
	// lines counts the lines.
	lines() (int64, error)
}

type entry struct {
	name string
	size int64
}

type osDisk struct{}

func (osDisk) create(path string) (file, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE|os.O_EXCL|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

func (osDisk) append(path string) (file, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

func (osDisk) remove(path string) error { return os.Remove(path) }

func (osDisk) syncDir(path string) error { return syncDir(path) }

func (osDisk) list(path string) ([]entry, error) {
	entries, err := os.ReadDir(path)
	var out []entry
	for _, e := range entries {
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() {
			out = append(out, entry{e.Name(), info.Size()})
		}
	}
	return out, err
}

func (osDisk) names(path string) ([]string, error) {
	entries, err := os.ReadDir(path)
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names, err
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

type osFile struct{ *os.File }

func (f osFile) lock() error { return flock(f.File) }

func (f osFile) end(path string) (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	if !info.Mode().IsRegular() || !isAt(f.File, path) {
		return 0, fs.ErrNotExist
	}
	size := info.Size()
	if size == 0 {
		return 0, nil
	}
	var last [1]byte
	if _, err := f.ReadAt(last[:], size-1); err != nil {
		return 0, err
	}
	if last[0] != '\n' {
		return 0, io.ErrUnexpectedEOF
	}
	return size, nil
}

func (f osFile) lines() (n int64, err error) {
	buf := make([]byte, 64<<10)
	for {
		k, err := f.Read(buf)
		n += int64(bytes.Count(buf[:k], []byte{'\n'}))
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
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

// makeFolder makes the folder unless it is there, and checks it.
func makeFolder(path string) error {
	// What is there already is looked at before anything is made in it.
	if err := checkPath(path); err != nil {
		return err
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return err
	}
	if err := checkPath(path); err != nil {
		return err
	}
	return checkFolder(path, false)
}

// checkPath refuses a path on which somebody else could put another folder in
// the place of ours: no part of it may be a symbolic link, and no part above
// the last may be writable for everybody, unless its sticky bit keeps names to
// their owners, or belong to somebody else. What is not there yet is passed
// over.
func checkPath(path string) error {
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	for at := path; ; at = filepath.Dir(at) {
		info, err := os.Lstat(at)
		switch {
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		case err != nil:
			return err
		case info.Mode()&fs.ModeSymlink != 0:
			return fmt.Errorf("%s is a symbolic link; give the path without links%s", at, realPath(path))
		case at == path:
		case info.Mode().Perm()&0o002 != 0 && info.Mode()&fs.ModeSticky == 0:
			return fmt.Errorf("everybody may replace what is in %s: chmod o-w it, or use another folder", at)
		case !trusts(info):
			return fmt.Errorf("%s belongs to another user, who may replace what is in it: use another folder", at)
		}
		if at == filepath.Dir(at) {
			return nil
		}
	}
}

func realPath(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return " (" + real + ")"
	}
	return ""
}

// checkFolder refuses a folder that others may write to. Its owner is this
// user; where it is only read root may also look at what is another's.
func checkFolder(path string, reads bool) error {
	info, err := os.Lstat(path)
	switch {
	case err != nil:
		return err
	case !info.IsDir():
		return fmt.Errorf("%s is no folder", path)
	case info.Mode().Perm()&0o022 != 0:
		return fmt.Errorf("others may write to %s: chmod 700 it", path)
	case owner(info) == os.Geteuid(), reads && os.Geteuid() == 0:
		return nil
	}
	return fmt.Errorf("%s belongs to user %d, not to this one (%d): run this as that user, chown it, or use another folder", path, owner(info), os.Geteuid())
}

// checkFile refuses a file of letters that somebody else may have written:
// folderOwner is who owns the folder it was found in, or -1.
func checkFile(f *os.File, folderOwner int) error {
	info, err := f.Stat()
	switch {
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is no regular file", f.Name())
	case info.Mode().Perm()&0o022 != 0:
		return fmt.Errorf("others may write to %s: look at what is in it, then chmod 600 it", f.Name())
	case trusts(info), folderOwner >= 0 && owner(info) == folderOwner, folderOwner < 0 && os.Geteuid() == 0:
		return nil
	}
	return fmt.Errorf("%s belongs to user %d: look at what is in it, then chown it", f.Name(), owner(info))
}

// trusts says whether a file is this user's or root's.
func trusts(info fs.FileInfo) bool {
	uid := owner(info)
	return uid == 0 || uid == os.Geteuid()
}

func owner(info fs.FileInfo) int {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(stat.Uid)
	}
	return -1
}

// globQuote makes a path stand for itself in a pattern.
func globQuote(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}
