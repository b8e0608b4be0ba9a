package operate

import (
	"cmp"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// KeyFile is whose the file of a key is and who may read it. What is left out
// stays as it is with a file that is there; a new one has the mode 0600 and is
// this process's.
type KeyFile struct {
	Owner *Owner
	// Mode holds permission bits, 0 for none given.
	Mode fs.FileMode
}

// Owner is a user and a group.
type Owner struct {
	// Name is how it was given.
	Name string
	// UID and GID are numbers of this host; GID is -1 where only the user is
	// known.
	UID, GID int
}

// ParseOwner reads USER or USER:GROUP, each a name of this host or a number.
// Without a group it is the user's own.
func ParseOwner(s string) (*Owner, error) {
	name, group, grouped := strings.Cut(s, ":")
	bad := func(what string) (*Owner, error) {
		return nil, fmt.Errorf("--key-owner: got %q, want USER or USER:GROUP, names of this host or numbers (%s)", s, what)
	}
	if name == "" || grouped && group == "" {
		return bad("a part is empty")
	}
	o := &Owner{Name: s, GID: -1}
	u, err := user.Lookup(name)
	if err != nil {
		u, err = user.LookupId(name)
	}
	if err == nil {
		o.UID, _ = strconv.Atoi(u.Uid)
		o.GID, _ = strconv.Atoi(u.Gid)
	} else if o.UID, err = number(name); err != nil {
		return bad("there is no user " + strconv.Quote(name))
	}
	if !grouped {
		return o, nil
	}
	g, err := user.LookupGroup(group)
	if err == nil {
		o.GID, err = strconv.Atoi(g.Gid)
	} else {
		o.GID, err = number(group)
	}
	if err != nil {
		return bad("there is no group " + strconv.Quote(group))
	}
	return o, nil
}

// number reads a user's or a group's number.
func number(s string) (int, error) {
	n, err := strconv.ParseUint(s, 10, 31)
	return int(n), err
}

// ParseKeyMode reads the mode of a key's file.
func ParseKeyMode(s string) (fs.FileMode, error) {
	n, err := strconv.ParseUint(s, 8, 32)
	if mode := fs.FileMode(n); err == nil && mode&0o400 != 0 && mode&^0o660 == 0 {
		return mode, nil
	}
	return 0, fmt.Errorf("--key-mode: got %q, want 0600, 0640, 0400 or 0440: the file is a secret, nothing is for everybody", s)
}

// newKeyFile makes the file that is to become path, with its owner and mode,
// in the same folder. It comes before the key does: a key whose secret can't
// be kept would live on. before is the file that is there, nil for none.
func newKeyFile(path string, want KeyFile, before fs.FileInfo) (*os.File, error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".dossier-key-*") // mode 0600
	if err != nil {
		return nil, err
	}
	mode, owner := cmp.Or(want.Mode, 0o600), want.Owner
	if before != nil {
		mode = cmp.Or(want.Mode, before.Mode().Perm())
		if st, ok := before.Sys().(*syscall.Stat_t); ok && owner == nil {
			owner = &Owner{Name: fmt.Sprintf("%d:%d, whose the file is now", st.Uid, st.Gid), UID: int(st.Uid), GID: int(st.Gid)}
		}
	}
	if err := own(f, owner, mode); err != nil {
		f.Close()
		os.Remove(f.Name())
		return nil, err
	}
	return f, nil
}

// tryFile says why the key's file can't be made, before anything is done that
// would have to be undone.
func (k Key) tryFile(want KeyFile) error {
	if _, err := os.Lstat(k.File); !errors.Is(err, fs.ErrNotExist) {
		return nil // what is there is looked at later
	}
	f, err := newKeyFile(k.File, want, nil)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("--key %s=%s: there is no folder %s: make it first", k.Role, k.File, filepath.Dir(k.File))
	case err != nil:
		return fmt.Errorf("--key %s=%s: %w", k.Role, k.File, err)
	}
	f.Close()
	return os.Remove(f.Name())
}

// own gives an open file an owner, unless that is nil, and a mode.
func own(f *os.File, owner *Owner, mode fs.FileMode) error {
	st, err := f.Stat()
	if err != nil {
		return err
	}
	if is, ok := st.Sys().(*syscall.Stat_t); ok && owner != nil && (int(is.Uid) != owner.UID || owner.GID >= 0 && int(is.Gid) != owner.GID) {
		if err := f.Chown(owner.UID, owner.GID); err != nil {
			return fmt.Errorf("the file can't be given to %s: run this as root (%w)", owner.Name, errors.Unwrap(err))
		}
	}
	return f.Chmod(mode)
}

// adjust gives a file that is there the owner and the mode that are wanted,
// and says whether something changed.
func adjust(path string, want KeyFile) (changed bool, err error) {
	if want.Owner == nil && want.Mode == 0 {
		return false, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	before, err := f.Stat()
	if err != nil {
		return false, err
	}
	if err := own(f, want.Owner, cmp.Or(want.Mode, before.Mode().Perm())); err != nil {
		return false, err
	}
	after, err := f.Stat()
	if err != nil {
		return false, err
	}
	return describeFile(before) != describeFile(after), nil
}

// describeFile says whose a file is and what its mode is.
func describeFile(info fs.FileInfo) string {
	owner := ""
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		name := strconv.Itoa(int(st.Uid))
		if u, err := user.LookupId(name); err == nil {
			name = u.Username
		}
		owner = ", of " + name
	}
	return fmt.Sprintf("mode %04o%s", info.Mode().Perm(), owner)
}

// forRootOnly says what to do about a sensor's new file that only root can
// read. The other roles' files belong on no sensor's host.
func forRootOnly(role, path string) string {
	info, err := os.Stat(path)
	if err != nil || role != "writer" {
		return ""
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && st.Uid == 0 && info.Mode().Perm()&0o040 == 0 {
		return "; only root can read it: give --key-owner where Fluent Bit runs as another user"
	}
	return ""
}

// syncFolder makes a rename or a link in the folder of path durable.
func syncFolder(path string) error {
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// maxKeyFile bounds the file of a key in bytes.
const maxKeyFile = 8 << 10

// keyIDOf returns the id of the key in a file, which is no secret.
func keyIDOf(path string) (string, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return "", err
	case !info.Mode().IsRegular() || info.Size() > maxKeyFile:
		return "", errors.New("it is no file of a key")
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	text := strings.TrimSpace(string(b))
	if !strings.Contains(text, ":") {
		raw, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return "", errors.New("it holds no API key")
		}
		text = string(raw)
	}
	id, _, ok := strings.Cut(text, ":")
	if !ok || id == "" || len(id) > 200 || line(id) != id {
		return "", errors.New("it holds no API key")
	}
	return id, nil
}
