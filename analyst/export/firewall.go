package export

import (
	"bufio"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"dossier/analyst"
)

// nftables is a file for nft -f, which takes it whole or not at all: the table
// inet dossier with the sets attackers4 and attackers6, emptied and filled.
// Rules of one's own name the sets.
type nftables struct {
	w     *bufio.Writer
	o     Options
	batch [2][]string
}

// atOnce is how many elements one command adds.
const atOnce = 256

func (t *nftables) begin() error {
	if err := remark(t.w, t.o); err != nil {
		return err
	}
	flags := "interval"
	if t.o.Expires != Forever {
		flags += ", timeout"
	}
	_, err := fmt.Fprintf(t.w, `# nft -f FILE; then, say: nft add chain inet dossier input '{ type filter hook input priority -10; }'
#                nft add rule inet dossier input ip saddr @attackers4 drop
add table inet dossier
add set inet dossier attackers4 { type ipv4_addr; flags %s; auto-merge; }
add set inet dossier attackers6 { type ipv6_addr; flags %s; auto-merge; }
flush set inet dossier attackers4
flush set inet dossier attackers6
`, flags, flags)
	return err
}

func (t *nftables) add(p *analyst.Profile, n netip.Prefix) error {
	family := 0
	if n.Addr().Is6() {
		family = 1
	}
	element := shown(n)
	if t.o.Expires != Forever {
		element += fmt.Sprintf(" timeout %ds", left(t.o, p))
	}
	t.batch[family] = append(t.batch[family], element)
	if len(t.batch[family]) < atOnce {
		return nil
	}
	return t.flush(family)
}

// left is how many seconds an entry has left, at least one.
func left(o Options, p *analyst.Profile) int64 {
	return max(1, int64(o.end(p).Sub(o.Now)/time.Second))
}

func (t *nftables) flush(family int) error {
	if len(t.batch[family]) == 0 {
		return nil
	}
	_, err := fmt.Fprintf(t.w, "add element inet dossier attackers%d { %s }\n", 4+2*family, strings.Join(t.batch[family], ", "))
	t.batch[family] = t.batch[family][:0]
	return err
}

func (t *nftables) end() error {
	for family := range t.batch {
		if err := t.flush(family); err != nil {
			return err
		}
	}
	return nil
}

// ipset is a file for ipset restore: it fills new sets and puts them in the
// place of dossier4 and dossier6, so that no packet meets a half-filled one.
type ipset struct {
	w *bufio.Writer
	o Options
}

const (
	// maxElements is what the sets have room for. It never changes: ipset
	// refuses to make a set again that is there with another number.
	maxElements = 4 << 20
	// maxTimeout is the longest that the kernel's sets keep an entry, in
	// seconds (ipset(8)).
	maxTimeout = 2147483
)

func (s *ipset) begin() error {
	if err := remark(s.w, s.o); err != nil {
		return err
	}
	return s.each(func(name, family string) string {
		made := fmt.Sprintf("hash:net family %s maxelem %d timeout 0 -exist", family, maxElements)
		return fmt.Sprintf("create %s %s\ncreate %s-new %s\nflush %s-new\n", name, made, name, made, name)
	})
}

func (s *ipset) each(text func(name, family string) string) error {
	_, err := s.w.WriteString(text("dossier4", "inet") + text("dossier6", "inet6"))
	return err
}

func (s *ipset) add(p *analyst.Profile, n netip.Prefix) error {
	name := "dossier4-new"
	if n.Addr().Is6() {
		name = "dossier6-new"
	}
	line := "add " + name + " " + shown(n)
	if s.o.Expires != Forever {
		line += fmt.Sprintf(" timeout %d", min(left(s.o, p), maxTimeout))
	}
	_, err := s.w.WriteString(line + "\n")
	return err
}

func (s *ipset) end() error {
	return s.each(func(name, _ string) string { return fmt.Sprintf("swap %s-new %s\ndestroy %s-new\n", name, name, name) })
}
