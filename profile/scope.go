package profile

import (
	"net/netip"
	"slices"
)

// The scopes of an attacker's address.
const (
	// Internal is an address of the operator's own networks: whoever touches a
	// decoy from there is inside already.
	Internal = "internal"
	// External is any other.
	External = "external"
)

// PrivateNets returns the networks that are nobody's on the Internet: those of
// RFC 1918, RFC 6598, RFC 4193 and RFC 3927 with RFC 4291's link-local ones.
// Loopback is none of them: there a decoy meets itself, or the end of a tunnel.
func PrivateNets() []netip.Prefix { return slices.Clone(privateNets) }

var privateNets = []netip.Prefix{
	netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("172.16.0.0/12"), netip.MustParsePrefix("192.168.0.0/16"),
	netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("169.254.0.0/16"),
	netip.MustParsePrefix("fc00::/7"), netip.MustParsePrefix("fe80::/10"),
}

// scope returns Internal or External.
func (r *Renderer) scope(h Head) string {
	for _, net := range r.o.InternalNets {
		if net.Contains(h.Addr) {
			return Internal
		}
	}
	return External
}

// scoped appends where the address is, and the name of an internal one where it
// is known.
func (r *Renderer) scoped(d *document, h Head) {
	scope := r.scope(h)
	d.string("scope", scope)
	if scope != Internal || h.Network.IsValid() {
		return
	}
	if name := r.o.InternalHosts[h.Addr]; name != "" {
		d.object("host")
		d.string("name", name)
		d.end()
	}
}
