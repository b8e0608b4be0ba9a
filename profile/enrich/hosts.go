package enrich

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strings"
)

// The bounds of a file of hosts, in bytes and names.
const (
	maxHostsFile = 16 << 20
	maxHosts     = 100_000
	maxHostName  = 253
)

// ReadHosts reads the names of addresses from a file in the form of hosts(5):
// an address and its names a line, of which the first counts; what follows a "#"
// is left out.
func ReadHosts(path string) (map[netip.Addr]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	hosts := make(map[netip.Addr]string)
	limited := &io.LimitedReader{R: f, N: maxHostsFile + 1}
	lines := bufio.NewScanner(limited)
	for n := 1; lines.Scan(); n++ {
		text, _, _ := strings.Cut(lines.Text(), "#")
		words := strings.Fields(text)
		if len(words) == 0 {
			continue
		}
		addr, err := netip.ParseAddr(words[0])
		switch {
		case err != nil || addr.Zone() != "":
			return nil, fmt.Errorf("line %d: %q is no address", n, words[0])
		case len(words) == 1:
			return nil, fmt.Errorf("line %d: %s has no name", n, addr)
		case len(words[1]) > maxHostName || strings.Trim(words[1], "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") != "":
			return nil, fmt.Errorf("line %d: %q is no host's name", n, words[1])
		}
		if addr = addr.Unmap(); hosts[addr] == "" {
			hosts[addr] = words[1]
		}
		if len(hosts) > maxHosts {
			return nil, fmt.Errorf("more than %d hosts", maxHosts)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if limited.N <= 0 {
		return nil, errors.New("more than 16 MiB")
	}
	return hosts, nil
}
