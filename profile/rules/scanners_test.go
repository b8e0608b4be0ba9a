package rules

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
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
	own := new(Set)
	own.scanners.Store(&k)
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
	if n := len(s.scanners.Load().networks); n < 1000 || s.ScannersDate() == "" {
		t.Errorf("%d networks of %q", n, s.ScannersDate())
	}
}

// A name is a scanner's at its end, from a dot on.
func TestNamedScanners(t *testing.T) {
	s := builtin(t)
	for host, want := range map[string]string{
		"census1.shodan.io": "Shodan", "shodan.io": "Shodan", "notshodan.io": "", "shodan.io.example.com": "", "": "", "io": "", "crawl-66-249-66-1.googlebot.com": "Google",
	} {
		if got := s.Named(host); got != want {
			t.Errorf("%q is %q's, want %q", host, got, want)
		}
	}
}

// A user's lists stand beside and instead of the built-in one, are read again when
// they change, and stay as they were where that fails.
func TestListsAreReadAgain(t *testing.T) {
	dir := t.TempDir()
	good, known := filepath.Join(dir, "good"), filepath.Join(dir, "known.json")
	put := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put(good, "# ours\n\n192.0.2.0/24 our monitoring # Zabbix\n2001:db8::7 our probe\n")
	put(known, `{"version":1,"date":"2026-01-01","origin":"o","networks":{"N":["198.51.100.0/24"]}}`)
	s, err := New(Options{Scanners: known, Good: good})
	if err != nil {
		t.Fatal(err)
	}
	who := func() string {
		var all []string
		for _, a := range []string{"192.0.2.9", "2001:db8::7", "198.51.100.1", "203.0.113.1", "71.6.135.131"} {
			all = append(all, s.Scanner(netip.MustParseAddr(a)))
		}
		return strings.Join(all, ",")
	}
	date := s.ScannersDate()
	if got := who(); got != "our monitoring,our probe,N,," || !strings.HasPrefix(date, "2026-01-01+") {
		t.Errorf("%s of %s", got, date)
	}
	if changed, err := s.Reload(); changed || err != nil {
		t.Errorf("nothing changed: %v, %v", changed, err)
	}
	put(good, "203.0.113.0/24 another one\n")
	if changed, err := s.Reload(); !changed || err != nil {
		t.Errorf("changed: %v, %v", changed, err)
	}
	if got := who(); got != ",,N,another one," || s.ScannersDate() == date {
		t.Errorf("read again: %s of %s", got, s.ScannersDate())
	}
	for _, wrong := range []string{"203.0.113.1/24 not masked\n", "203.0.113.0/24\n", "somebody\n", "1.2.3.4 " + strings.Repeat("x", 65) + "\n"} {
		put(good, wrong)
		if changed, err := s.Reload(); !changed || err == nil || !strings.Contains(err.Error(), "known_good") || who() != ",,N,another one," {
			t.Errorf("%q: %v, %v, %s", wrong, changed, err, who())
		}
	}
	for _, o := range []Options{{Scanners: good}, {Good: filepath.Join(dir, "nowhere")}, {Good: good}} {
		if _, err := New(o); err == nil {
			t.Errorf("%+v: no error", o)
		}
	}
}
