package rules

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"time"
)

//go:embed data/scanners.json
var scannersFile []byte

// scanners are the known ones that look at the whole Internet and attack nobody:
// search engines, monitors, research.
type scanners struct {
	date string
	// agents has who stands behind a tool that a client names.
	agents map[string]string
	// kinds has those that do something else than scan.
	kinds    map[string]string
	networks map[netip.Prefix]string
	// names has whose the ends of host names are.
	names map[string]string
	// bits has the lengths of prefixes there are, of each family.
	bits [2][129]bool
}

func (k *scanners) load(data []byte) error {
	var f struct {
		Version  int                 `json:"version"`
		Date     string              `json:"date"`
		Origin   string              `json:"origin"`
		Agents   map[string]string   `json:"agents"`
		Kinds    map[string][]string `json:"kinds"`
		Names    map[string][]string `json:"names"`
		Networks map[string][]string `json:"networks"`
	}
	if err := strict(data, &f); err != nil {
		return err
	}
	if err := checkVersion(f.Version); err != nil {
		return err
	}
	if f.Date == "" || f.Origin == "" {
		return errors.New("date and origin must be given")
	}
	*k = scanners{date: f.Date, agents: f.Agents, kinds: map[string]string{}, names: map[string]string{}, networks: map[netip.Prefix]string{}}
	for actor, names := range f.Names {
		for _, name := range names {
			if name == "" || strings.ToLower(strings.Trim(name, ".")) != name || !strings.Contains(name, ".") {
				return fmt.Errorf("%s: %q is no end of a host name: lower-case letters with a dot between", actor, name)
			}
			k.names[name] = actor
		}
	}
	for kind, actors := range f.Kinds {
		if kind != "monitor" && kind != "crawl" {
			return fmt.Errorf("kinds: %q: there are monitor and crawl", kind)
		}
		for _, actor := range actors {
			k.kinds[actor] = kind
		}
	}
	for actor, networks := range f.Networks {
		for _, text := range networks {
			p, err := netip.ParsePrefix(text)
			if err != nil || p != p.Masked() {
				return fmt.Errorf("%s: %q is no network", actor, text)
			}
			k.add(p, actor)
		}
	}
	return nil
}

func (k *scanners) add(p netip.Prefix, actor string) {
	k.networks[p] = actor
	k.bits[family(p.Addr())][p.Bits()] = true
}

// maxGood bounds the lines of a user's list.
const maxGood = 1 << 16

// addGood takes a user's list: a network or address and whose it is, one a line.
func (k *scanners) addGood(data []byte) error {
	n := 0
	for line := range bytes.Lines(data) {
		n++
		text, _, _ := strings.Cut(string(line), "#")
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		if n > maxGood {
			return fmt.Errorf("more than %d lines", maxGood)
		}
		of, actor, _ := strings.Cut(text, " ")
		p, err := netip.ParsePrefix(of)
		if err != nil {
			var a netip.Addr
			if a, err = netip.ParseAddr(of); err == nil {
				p = netip.PrefixFrom(a, a.BitLen())
			}
		}
		if actor = strings.TrimSpace(actor); err != nil || p != p.Masked() || actor == "" || len(actor) > 64 {
			return fmt.Errorf("line %d: %q: want a network or address and whose it is, such as 192.0.2.0/24 our monitoring", n, text)
		}
		k.add(p, actor)
	}
	sum := sha256.Sum256(data)
	k.date += "+" + hex.EncodeToString(sum[:4])
	return nil
}

// listFile is a list that a user gives, as it was when it was read.
type listFile struct {
	path string
	info os.FileInfo
}

func (f *listFile) changed() bool {
	if f.path == "" {
		return false
	}
	info, err := os.Stat(f.path)
	return err == nil && (f.info == nil || !os.SameFile(info, f.info) || !info.ModTime().Equal(f.info.ModTime()) || info.Size() != f.info.Size())
}

// read returns what the list holds, builtin without a path.
func (f *listFile) read(builtin []byte) ([]byte, error) {
	if f.path == "" {
		return builtin, nil
	}
	info, err := os.Stat(f.path)
	if err != nil {
		return nil, err
	}
	f.info = info
	return read(f.path, nil)
}

// loadLists reads the list of known scanners and that of the user's own.
func (s *Set) loadLists() error {
	k := new(scanners)
	data, err := s.lists[0].read(scannersFile)
	if err == nil {
		err = k.load(data)
	}
	if err != nil {
		return fmt.Errorf("known_scanners %q: %w", s.lists[0].path, err)
	}
	if s.lists[1].path != "" {
		data, err := s.lists[1].read(nil)
		if err == nil {
			err = k.addGood(data)
		}
		if err != nil {
			return fmt.Errorf("known_good %q: %w", s.lists[1].path, err)
		}
	}
	s.scanners.Store(k)
	return nil
}

// Reload reads the user's lists again where they changed, and says whether they did. The
// lists before stay in use where that fails. One goroutine at a time calls it.
func (s *Set) Reload() (bool, error) {
	if !s.lists[0].changed() && !s.lists[1].changed() {
		return false, nil
	}
	return true, s.loadLists()
}

// ReloadEvery is how often Reload should be called.
const ReloadEvery = 30 * time.Second

func family(a netip.Addr) int {
	if a.Is4() {
		return 0
	}
	return 1
}

// Scanner returns whose listed network the address is in, "" where it is in none.
func (s *Set) Scanner(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	k := s.scanners.Load()
	for bits := a.BitLen(); bits >= 0; bits-- {
		if !k.bits[family(a)][bits] {
			continue
		}
		if p, err := a.Prefix(bits); err == nil {
			if actor, ok := k.networks[p]; ok {
				return actor
			}
		}
	}
	return ""
}

// Named returns whose a host name is, "" where no known scanner's names end so.
func (s *Set) Named(host string) string {
	k := s.scanners.Load()
	for host != "" {
		if actor, ok := k.names[host]; ok {
			return actor
		}
		_, host, _ = strings.Cut(host, ".")
	}
	return ""
}

// Announced returns who a client says it is by one of the tools, "" where it
// names no known scanner.
func (s *Set) Announced(tools []string) string {
	for _, t := range tools {
		if actor, ok := s.scanners.Load().agents[t]; ok {
			return actor
		}
	}
	return ""
}

// Announces says whether a name is one that a known scanner gives itself.
func (s *Set) Announces(name string) bool { return s.scanners.Load().agents[name] != "" }

// NameOf returns the first of the names that a known scanner gives itself, "" where it
// has none.
func (s *Set) NameOf(actor string) (name string) {
	if actor == "" {
		return ""
	}
	for n, of := range s.scanners.Load().agents {
		if of == actor && (name == "" || n < name) {
			name = n
		}
	}
	return name
}

// ScannerKind returns "monitor" or "crawl" for an actor that does that, "" for one
// that scans.
func (s *Set) ScannerKind(actor string) string { return s.scanners.Load().kinds[actor] }

// ScannersDate returns the date of the list of known scanners.
func (s *Set) ScannersDate() string {
	if s == nil {
		return ""
	}
	return s.scanners.Load().date
}
