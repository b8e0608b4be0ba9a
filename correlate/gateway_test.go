package correlate

import (
	"net/netip"
	"testing"
)

func TestGateway(t *testing.T) {
	a, b := netip.MustParseAddr("172.17.0.1"), netip.MustParseAddr("10.0.0.1")
	var g Gateway
	for range 10 {
		g.add(a, 95, 100)
	}
	if !g.Hides() || g.Addr != a || g.Events != 950 || g.Of != 1000 {
		t.Errorf("19 of 20: %+v", g)
	}
	g = Gateway{}
	for range 100 {
		g.add(a, 90, 100)
	}
	if g.Hides() {
		t.Errorf("nine tenths are not more than that: %+v", g)
	}
	g = Gateway{}
	for range 9 {
		g.add(a, 100, 100)
	}
	if g.Hides() {
		t.Errorf("900 events say nothing yet: %+v", g)
	}
	// What was before the change to host networking fades.
	for range 20 {
		g.add(netip.Addr{}, 0, 100)
	}
	if g.Hides() {
		t.Errorf("public addresses since: %+v", g)
	}
	for range 60 {
		g.add(b, 100, 100)
	}
	if !g.Hides() || g.Addr != b {
		t.Errorf("another gateway: %+v", g)
	}
	for range 30000 {
		g.add(b, 100, 100)
	}
	if !g.Hides() || g.Of > manyEvents {
		t.Errorf("it grows without end: %+v", g)
	}
}
