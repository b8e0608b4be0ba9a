package export

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// ToFile replaces a file by what write writes, at once: whoever reads it sees
// the old one or the new one, whole. Where write fails the old one stays. A new
// file has the mode 0644, one that is there keeps its own.
func ToFile(path string, write func(io.Writer) error) (err error) {
	mode := fs.FileMode(0o644)
	if info, err := os.Stat(path); err == nil {
		if !info.Mode().IsRegular() {
			return fmt.Errorf("%s is no file; give the name of one", path)
		}
		mode = info.Mode().Perm()
	}
	// Through a link, so that the link stays one.
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	err = write(f)
	if err == nil {
		err = errors.Join(f.Chmod(mode), f.Sync())
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// Difference is what changed between two exports of one form, sorted.
type Difference struct{ Added, Removed []string }

// Diff compares two exports by the addresses and networks in them.
func Diff(form Form, before, after io.Reader) (d Difference, err error) {
	old, err := Entries(form, before)
	if err != nil {
		return d, fmt.Errorf("the file as it was: %w", err)
	}
	now, err := Entries(form, after)
	if err != nil {
		return d, err
	}
	for e := range now {
		if !old[e] {
			d.Added = append(d.Added, e)
		}
	}
	for e := range old {
		if !now[e] {
			d.Removed = append(d.Removed, e)
		}
	}
	slices.Sort(d.Added)
	slices.Sort(d.Removed)
	return d, nil
}

// element finds the entries of a command of nft.
var element = regexp.MustCompile(`[0-9a-f.:/]{2,}( timeout [0-9]+s)?`)

// Entries returns the addresses and networks in an export.
func Entries(form Form, r io.Reader) (map[string]bool, error) {
	entries := map[string]bool{}
	s := bufio.NewScanner(r)
	s.Buffer(nil, 4<<20)
	for n := 0; s.Scan(); n++ {
		line := strings.TrimSuffix(strings.TrimSpace(s.Text()), ",")
		if line == "" || line[0] == '#' {
			continue
		}
		switch form {
		case Blocklist:
			entries[line] = true
		case CSV:
			if address, _, _ := strings.Cut(line, ","); n > 0 {
				entries[address] = true
			}
		case IPSet:
			if f := strings.Fields(line); f[0] == "add" && len(f) > 2 {
				entries[f[2]] = true
			}
		case NFTables:
			if _, list, ok := strings.Cut(line, "{ "); ok && strings.HasPrefix(line, "add element ") {
				for _, e := range element.FindAllString(list, -1) {
					address, _, _ := strings.Cut(e, " ")
					entries[address] = true
				}
			}
		default: // an object a line
			var o struct{ Type, Name, Value, IP, Network string }
			if json.Unmarshal([]byte(line), &o) != nil {
				continue // the brackets around
			}
			switch form {
			case STIX:
				if address, ok := strings.CutPrefix(o.Name, "Attacker "); ok && o.Type == "indicator" {
					entries[address] = true
				}
			case MISP:
				entries[o.Value] = true
			case NDJSON:
				entries[o.IP+o.Network] = true
			}
		}
	}
	if err := s.Err(); err != nil {
		return nil, fmt.Errorf("a line is longer than %d bytes: it is no export of ours", 4<<20)
	}
	return entries, nil
}
