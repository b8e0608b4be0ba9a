package profile

import (
	"context"
	"net"
	"net/netip"
)

// oneName is a resolver that knows one name for everybody.
type oneName struct{}

func (oneName) LookupAddr(context.Context, string) ([]string, error) {
	return []string{"host.example."}, nil
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}
