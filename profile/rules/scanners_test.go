package rules

import (
	"net/netip"
	"testing"
)

// A listed network is known to its edges, and only what a client says of itself
// names who it is.
func TestScanners(t *testing.T) {
	s := builtin(t)
	for address, want := range map[string]string{
		"71.6.135.131": "Shodan", "108.165.44.0": "Shadowserver", "8.8.8.8": "", "10.0.0.1": "", "2001:db8::1": "",
	} {
		if got := s.Scanner(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s is %q's, want %q", address, got, want)
		}
	}
	var k scanners
	if err := k.load([]byte(`{"version":1,"date":"d","origin":"o","agents":{"a":"A"},"networks":{"N":["192.0.2.64/26","2001:db8::/32"]}}`)); err != nil {
		t.Fatal(err)
	}
	own := &Set{scanners: k}
	for address, want := range map[string]string{"192.0.2.63": "", "192.0.2.64": "N", "192.0.2.127": "N", "192.0.2.128": "", "2001:db8:ffff::": "N", "2001:db9::": ""} {
		if got := own.Scanner(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s is %q's, want %q", address, got, want)
		}
	}
	if own.Scanner(netip.Addr{}) != "" || own.Announced([]string{"x", "a"}) != "A" || own.Announced([]string{"x"}) != "" {
		t.Error("somebody is taken for another")
	}
	for _, text := range []string{`{}`, `{"version":1}`, `{"version":1,"date":"d","origin":"o","networks":{"N":["192.0.2.65/26"]}}`, `{"version":1,"date":"d","origin":"o","nets":{}}`} {
		if err := new(scanners).load([]byte(text)); err == nil {
			t.Errorf("%s: accepted", text)
		}
	}
	if len(s.scanners.networks) < 1000 || s.ScannersDate() == "" {
		t.Errorf("%d networks of %q", len(s.scanners.networks), s.ScannersDate())
	}
}
