package enrich

import (
	"bytes"
	"cmp"
	_ "embed"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
)

// The types of networks that the built-in list tells; a file of the user's may
// tell others, Tor's exits above all.
const (
	NetworkCloud   = "cloud"
	NetworkHosting = "hosting"
	NetworkVPN     = "vpn"
)

//go:embed data/networks.txt
var networksFile string

// BuiltIn is how the names of the built-in lists begin, and of no list of the user's.
const BuiltIn = "MISP "

// The bounds of a list of networks.
const (
	maxNetworksFile = 16 << 20
	maxSections     = 64
	maxSectionName  = 64
)

// networks is a list of networks by type: sections, of which the first that has an
// address tells its type.
type networks struct {
	path     string
	info     os.FileInfo
	sections []section
}

// section is what one list knows of one type of network.
type section struct {
	typ, source string
	v4          []span[uint32]
	v6          []span[[16]byte]
}

// span is a run of addresses, both ends in it. Numbers take a sixth of the memory of
// netip's addresses.
type span[A any] struct{ from, to A }

func compareV6(a, b [16]byte) int { return bytes.Compare(a[:], b[:]) }

// builtinNetworks is parsed once, when somebody looks an address up.
var builtinNetworks = sync.OnceValue(func() *networks {
	n, err := parseNetworks(networksFile)
	if err != nil {
		panic(fmt.Sprintf("enrich: the built-in list of networks: %v", err))
	}
	return n
})

// openNetworks reads the user's list; nil without a path.
func openNetworks(path string) (*networks, error) {
	if path == "" {
		return nil, nil
	}
	n, err := readNetworks(path)
	if err != nil {
		return nil, fmt.Errorf("got %q, want a file of networks below lines such as [tor]: %w", path, err)
	}
	return n, nil
}

func readNetworks(path string) (*networks, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("can't open the list: %w", err)
	}
	if info.Size() > maxNetworksFile {
		return nil, fmt.Errorf("it has %d bytes; at most %d are read", info.Size(), maxNetworksFile)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("can't read the list: %w", err)
	}
	n, err := parseNetworks(string(data))
	if err != nil {
		return nil, err
	}
	for i := range n.sections {
		if strings.HasPrefix(n.sections[i].source, BuiltIn) {
			return nil, fmt.Errorf("a list can't be from %q: so the built-in ones are told apart", n.sections[i].source)
		}
	}
	n.path, n.info = path, info
	return n, nil
}

func (n *networks) changed() bool { return n != nil && replaced(n.path, n.info) }

var errNoSection = errors.New("want [TYPE] or [TYPE where it is from] in front of the networks, such as [tor]")

// parseNetworks reads lines of a network or address each, under a header in
// brackets: the type in lower-case letters, and where the list is from.
func parseNetworks(text string) (*networks, error) {
	n := new(networks)
	at := 0
	for line := range strings.Lines(text) {
		at++
		line, _, _ = strings.Cut(line, "#")
		switch line = strings.TrimSpace(line); {
		case line == "":
			continue
		case line[0] == '[':
			if err := n.open(line); err != nil {
				return nil, fmt.Errorf("line %d: %w", at, err)
			}
			continue
		case len(n.sections) == 0:
			return nil, fmt.Errorf("line %d: %w", at, errNoSection)
		}
		p, err := parsePrefix(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %q: want a network or an address", at, shorten(line))
		}
		n.sections[len(n.sections)-1].add(p)
	}
	if len(n.sections) == 0 {
		return nil, errNoSection
	}
	for i := range n.sections {
		n.sections[i].v4 = join(n.sections[i].v4, cmp.Compare[uint32])
		n.sections[i].v6 = join(n.sections[i].v6, compareV6)
	}
	return n, nil
}

func shorten(line string) string { return cut(line, maxSectionName) }

func parsePrefix(text string) (netip.Prefix, error) {
	if strings.IndexByte(text, '/') >= 0 {
		p, err := netip.ParsePrefix(text)
		return p.Masked(), err
	}
	a, err := netip.ParseAddr(text)
	if err != nil || a.Zone() != "" {
		return netip.Prefix{}, cmp.Or(err, errors.New("an address with a zone"))
	}
	return netip.PrefixFrom(a, a.BitLen()), nil
}

func (n *networks) open(line string) error {
	head, ok := strings.CutSuffix(line[1:], "]")
	typ, source, _ := strings.Cut(strings.TrimSpace(head), " ")
	source = strings.TrimSpace(source)
	switch {
	case !ok || !isType(typ):
		return fmt.Errorf("%q: %w", shorten(line), errNoSection)
	case len(source) > maxSectionName || strings.ContainsFunc(source, func(r rune) bool { return r < ' ' || r > '~' }):
		return fmt.Errorf("where the list is from has at most %d characters of ASCII", maxSectionName)
	case len(n.sections) == maxSections:
		return fmt.Errorf("more than %d lists", maxSections)
	}
	n.sections = append(n.sections, section{typ: typ, source: source})
	return nil
}

// isType says whether a word may be the type of a network.
func isType(word string) bool {
	return word != "" && len(word) <= 32 && !strings.ContainsFunc(word, func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '_' && r != '-' })
}

func (s *section) add(p netip.Prefix) {
	if a := p.Addr(); a.Is4In6() {
		if p.Bits() < 96 {
			return // no network of IPv4 addresses
		}
		p = netip.PrefixFrom(a.Unmap(), p.Bits()-96)
	}
	from := p.Addr().As16()
	to := from
	for bit := 128 - p.Addr().BitLen() + p.Bits(); bit < 128; bit++ {
		to[bit/8] |= 0x80 >> (bit % 8)
	}
	if p.Addr().Is4() {
		s.v4 = append(s.v4, span[uint32]{number4(from), number4(to)})
	} else {
		s.v6 = append(s.v6, span[[16]byte]{from, to})
	}
}

// number4 is an IPv4 address that is mapped into IPv6, as a number.
func number4(a [16]byte) uint32 { return binary.BigEndian.Uint32(a[12:]) }

// join sorts spans and puts together those that overlap.
func join[A any](spans []span[A], compare func(a, b A) int) []span[A] {
	slices.SortFunc(spans, func(a, b span[A]) int { return compare(a.from, b.from) })
	joined := spans[:0]
	for _, s := range spans {
		if n := len(joined); n > 0 && compare(s.from, joined[n-1].to) <= 0 {
			if compare(s.to, joined[n-1].to) > 0 {
				joined[n-1].to = s.to
			}
			continue
		}
		joined = append(joined, s)
	}
	return slices.Clip(joined)
}

func contains[A any](spans []span[A], a A, compare func(a, b A) int) bool {
	at, found := slices.BinarySearchFunc(spans, a, func(s span[A], a A) int { return compare(s.from, a) })
	return found || at > 0 && compare(a, spans[at-1].to) <= 0
}

// find returns the type of an address and the list that has it.
func (n *networks) find(addr netip.Addr) (typ, source string) {
	if n == nil {
		return "", ""
	}
	addr = addr.Unmap()
	of := addr.As16()
	for i := range n.sections {
		s := &n.sections[i]
		if addr.Is4() && contains(s.v4, number4(of), cmp.Compare[uint32]) || addr.Is6() && contains(s.v6, of, compareV6) {
			return s.typ, cmp.Or(s.source, "network_types")
		}
	}
	return "", ""
}
