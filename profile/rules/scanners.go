package rules

import (
	_ "embed"
	"errors"
	"fmt"
	"net/netip"
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
	*k = scanners{date: f.Date, agents: f.Agents, kinds: map[string]string{}, networks: map[netip.Prefix]string{}}
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
			k.networks[p] = actor
			k.bits[family(p.Addr())][p.Bits()] = true
		}
	}
	return nil
}

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
	for bits := a.BitLen(); bits >= 0; bits-- {
		if !s.scanners.bits[family(a)][bits] {
			continue
		}
		if p, err := a.Prefix(bits); err == nil {
			if actor, ok := s.scanners.networks[p]; ok {
				return actor
			}
		}
	}
	return ""
}

// Announced returns who a client says it is by one of the tools, "" where it
// names no known scanner.
func (s *Set) Announced(tools []string) string {
	for _, t := range tools {
		if actor, ok := s.scanners.agents[t]; ok {
			return actor
		}
	}
	return ""
}

// Announces says whether a name is one that a known scanner gives itself.
func (s *Set) Announces(name string) bool { return s.scanners.agents[name] != "" }

// NameOf returns the first of the names that a known scanner gives itself, "" where it
// has none.
func (s *Set) NameOf(actor string) (name string) {
	if actor == "" {
		return ""
	}
	for n, of := range s.scanners.agents {
		if of == actor && (name == "" || n < name) {
			name = n
		}
	}
	return name
}

// ScannerKind returns "monitor" or "crawl" for an actor that does that, "" for one
// that scans.
func (s *Set) ScannerKind(actor string) string { return s.scanners.kinds[actor] }

// ScannersDate returns the date of the list of known scanners.
func (s *Set) ScannersDate() string {
	if s == nil {
		return ""
	}
	return s.scanners.date
}
