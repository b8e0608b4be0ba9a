package enrich

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func listOf(t testing.TB, text string) *networks {
	t.Helper()
	n, err := parseNetworks(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// An address has the type of the first list that has it, to the edges of its networks.
func TestNetworkTypes(t *testing.T) {
	n := listOf(t, `
# what we know
[tor torproject.org 2026-11-28]
89.0.0.7       # an exit
2a00:1450::7
::ffff:89.0.0.9
[cloud us]
89.0.0.64/26
89.0.0.0/28
89.0.0.8/29
2a00:1450::/32
[vpn]
89.0.0.0/24
`)
	for address, want := range map[string]string{
		"88.255.255.255": " ", "89.0.0.0": "cloud us", "89.0.0.7": "tor torproject.org 2026-11-28", "89.0.0.9": "tor torproject.org 2026-11-28", "89.0.0.15": "cloud us",
		"89.0.0.16": "vpn network_types", "89.0.0.63": "vpn network_types", "89.0.0.64": "cloud us", "89.0.0.127": "cloud us", "89.0.0.128": "vpn network_types",
		"89.0.0.255": "vpn network_types", "89.0.1.0": " ", "2a00:144f:ffff::": " ", "2a00:1450::": "cloud us", "2a00:1450::7": "tor torproject.org 2026-11-28",
		"2a00:1450:ffff:ffff:ffff:ffff:ffff:ffff": "cloud us", "2a00:1451::": " ", "::ffff:89.0.0.64": "cloud us",
	} {
		if typ, source := n.find(netip.MustParseAddr(address)); typ+" "+source != want {
			t.Errorf("%s: %q by %q, want %q", address, typ, source, want)
		}
	}
	if typ, _ := (*networks)(nil).find(netip.MustParseAddr("89.0.0.7")); typ != "" {
		t.Errorf("no list says %q", typ)
	}
}

// A list that says something else than it means is refused, with the line.
func TestNetworkTypesThatAreRefused(t *testing.T) {
	for text, want := range map[string]string{
		"":                                       "want [TYPE]",
		"89.0.0.0/24\n[tor]":                     "line 1: want [TYPE]",
		"[tor]\n89.0.0.0/33":                     `line 2: "89.0.0.0/33"`,
		"[tor]\n89.0.0.0 tor":                    `line 2: "89.0.0.0 tor"`,
		"[tor]\nfe80::1%eth0":                    `line 2: "fe80::1%eth0"`,
		"[tor":                                   `line 1: "[tor"`,
		"[]":                                     `line 1: "[]"`,
		"[TOR]":                                  `line 1: "[TOR]"`,
		"[" + strings.Repeat("a", 33) + "]":      "want [TYPE]",
		"[tor " + strings.Repeat("a", 65) + "]":  "at most 64 characters",
		"[tor caf\u00e9]":                        "ASCII",
		strings.Repeat("[tor]\n", maxSections+1): "more than 64 lists",
		"[tor]\n" + strings.Repeat("x", 100) + "\x00": `line 2: "` + strings.Repeat("x", 64) + `"`,
	} {
		if _, err := parseNetworks(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v, want %q", text, err, want)
		}
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "list")
	for text, want := range map[string]string{"[tor MISP own]\n": "told apart", "x": "line 1"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(Options{Networks: path}); err == nil || !strings.Contains(err.Error(), "network_types") || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if err := os.Truncate(path, maxNetworksFile+1); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{path, dir, filepath.Join(dir, "nowhere")} {
		if _, err := Open(Options{Networks: path}); err == nil || !strings.Contains(err.Error(), "network_types") {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// The built-in list knows clouds by what they say of themselves, VPNs by networks of /22
// and longer only, and addresses that nobody has by nothing.
func TestBuiltInNetworkTypes(t *testing.T) {
	f := open(t, Options{})
	for address, want := range map[string]string{
		"3.5.140.1": "cloud MISP amazon-aws ", "2600:1f14::1": "cloud MISP amazon-aws ", "34.64.32.1": "cloud MISP google-gcp ", "20.36.0.1": "cloud MISP microsoft-azure ",
		"185.220.101.4": "vpn MISP vpn-ipv4 ", "198.41.0.4": " ", "10.0.0.1": " ", "203.0.113.7": " ",
	} {
		p := f.Place(netip.MustParseAddr(address))
		if got := p.NetworkType + " " + p.NetworkSource; !strings.HasPrefix(got, want) || want == " " && got != want {
			t.Errorf("%s: %q, want %q", address, got, want)
		}
		if want != " " {
			if _, err := time.Parse(time.DateOnly, p.NetworkSource[strings.LastIndexByte(p.NetworkSource, ' ')+1:]); err != nil || !strings.HasPrefix(p.NetworkSource, BuiltIn) {
				t.Errorf("%s: by %q: %v", address, p.NetworkSource, err)
			}
		}
	}
	for _, s := range builtinNetworks().sections {
		for _, span := range s.v4 {
			if s.typ == NetworkVPN && span.to-span.from >= 1<<10 {
				t.Errorf("%s has a network of %d addresses", s.source, span.to-span.from+1)
			}
		}
	}
}

// A user's list is asked first and read again when it changes; one that can't be read
// leaves the one before in use, and is told.
func TestNetworkTypesAreReadAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "list")
	put := func(text string) {
		t.Helper()
		if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
	}
	put("[tor]\n185.220.101.4\n")
	var told []error
	f := open(t, Options{Networks: path, Check: time.Hour, OnError: func(err error) { told = append(told, err) }})
	is := func(want string) {
		t.Helper()
		if got := f.Place(netip.MustParseAddr("185.220.101.4")).NetworkType + " " + f.Place(netip.MustParseAddr("185.220.101.5")).NetworkType; got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	is("tor vpn")
	f.reloadNetworks()
	is("tor vpn")
	put("[tor]\n185.220.101.5\n")
	is("tor vpn") // until it is looked at
	f.reloadNetworks()
	is("vpn tor")
	put("nothing of it")
	f.reloadNetworks()
	is("vpn tor")
	if len(told) != 1 || !strings.Contains(told[0].Error(), "stays in use") {
		t.Errorf("told: %v", told)
	}
}

func TestCountryNames(t *testing.T) {
	for code, want := range map[string]string{"DE": "Germany", "TR": "Türkiye", "SZ": "Eswatini", "XK": "Kosovo", "ZZ": "", "XX": "", "": "", "de": ""} {
		if got := CountryName(code); got != want {
			t.Errorf("%q is %q, want %q", code, got, want)
		}
	}
}

func BenchmarkNetworkType(b *testing.B) {
	n := builtinNetworks()
	addr := netip.MustParseAddr("198.41.0.4") // in none
	for b.Loop() {
		n.find(addr)
	}
}

func BenchmarkReadBuiltInNetworks(b *testing.B) {
	for b.Loop() {
		if _, err := parseNetworks(networksFile); err != nil {
			b.Fatal(err)
		}
	}
}
