package enrich

import "net/netip"

// unrouted are the networks that belong to nobody in particular: private,
// reserved, documentation and multicast (IANA's special-purpose address
// registries).
var unrouted = func() []netip.Prefix {
	var networks []netip.Prefix
	for _, n := range []string{
		"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
		"192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15",
		"198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
		"::/8", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
		"5f00::/16", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
	} {
		networks = append(networks, netip.MustParsePrefix(n))
	}
	return networks
}()

// Routed says whether addr may be reached over the Internet.
func Routed(addr netip.Addr) bool {
	addr = addr.Unmap()
	if !addr.IsValid() {
		return false
	}
	for _, n := range unrouted {
		if n.Contains(addr) {
			return false
		}
	}
	return true
}
