package rules

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"dossier/profile/internal/registry"
)

// scannerLists has MISP's warning lists whose operator is named.
var scannerLists = map[string][]string{
	"Alpha Strike Labs": {"alphastrike-scanning", "alphastrike-research-nt-scanning"}, "BufferOver.run": {"bufferover-nt-scanning"}, "Censys": {"censys-scanning"},
	"Coalition": {"coalition-signals-intelligence-nt-scanning"}, "Cyber Resilience": {"cyberresilience-nt-scanning"}, "CyberGreen": {"cybergreen-nt-scanning"},
	"Cypex": {"cypex-nt-scanning"}, "F6": {"f6-nt-scanning"}, "IPIP": {"ipip-nt-scanning"}, "IPinfo": {"ipinfo-nt-scanning"},
	"Internet Census": {"internet-census-nt-scanning"}, "Intrinsec": {"intrinsec-nt-scanning"}, "Modat": {"modat-nt-scanning", "modat-scanner"},
	"NetSecScan": {"netsecscan-nt-scanning", "netsecscan-scanning"}, "ONYPHE": {"onyphe-nt-scanning", "onyphe-scanner"}, "Probe the Net": {"probethenet-nt-scanning"},
	"Rapid7": {"rapid7-nt-scanning"}, "SKIPA": {"skipa-nt-scanning"}, "ShadowForce": {"shadowforce-nt-scanning", "shadowforce-scanning"},
	"Shadowserver": {"shadowserver", "shadowserver-nt-scanning"}, "Shodan": {"shodan-scanning", "shodan-nt-scanning"}, "research scanner": {"research-scanner-nt-scanning"},
}

// The built-in list has the networks of the published lists, and their date.
// With UPDATE=1 it is made from them anew; all else in the file stays.
func TestKnownScannersArePublished(t *testing.T) {
	dir := filepath.Join(registry.Need(t, registry.Warnings), "pymispwarninglists", "data", "misp-warninglists", "lists")
	networks, date, used := map[string][]string{}, "", map[string]bool{}
	for actor, lists := range scannerLists {
		all := map[string]bool{}
		for _, name := range lists {
			used[name] = true
			data, err := os.ReadFile(filepath.Join(dir, name, "list.json"))
			if err != nil {
				t.Fatal(err)
			}
			var list struct {
				Version int
				List    []string
			}
			if err := json.Unmarshal(data, &list); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			// Some lists have their date for a version.
			if at, err := time.Parse("20060102", fmt.Sprint(list.Version)); err == nil && at.Year() < 2100 {
				date = max(date, at.Format(time.DateOnly))
			}
			for _, text := range list.List {
				p, err := netip.ParsePrefix(text)
				if err != nil {
					a, err := netip.ParseAddr(text)
					if err != nil {
						t.Fatalf("%s: %q is no network", name, text)
					}
					p = netip.PrefixFrom(a, a.BitLen())
				}
				all[p.Masked().String()] = true
			}
		}
		networks[actor] = slices.Sorted(maps.Keys(all))
	}
	found, err := filepath.Glob(filepath.Join(dir, "*scanning"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range found {
		if name := filepath.Base(path); !used[name] {
			t.Errorf("nobody uses the list %s: say whose it is", name)
		}
	}
	if os.Getenv("UPDATE") != "" {
		rewriteScanners(t, networks, date)
		return
	}
	var f struct {
		Date     string
		Networks map[string][]string
	}
	if err := json.Unmarshal(scannersFile, &f); err != nil {
		t.Fatal(err)
	}
	for _, list := range f.Networks {
		slices.Sort(list)
	}
	if f.Date != date || !maps.EqualFunc(f.Networks, networks, slices.Equal) {
		t.Errorf("data/scanners.json, of %s, is not what %s has, of %s; UPDATE=1 writes it anew", f.Date, registry.Warnings, date)
	}
}

// rewriteScanners puts networks and date into the file.
func rewriteScanners(t *testing.T, networks map[string][]string, date string) {
	t.Helper()
	const file, mark = "data/scanners.json", `  "networks": {`
	before, _, ok := bytes.Cut(scannersFile, []byte(mark))
	if !ok {
		t.Fatal("the file has no networks")
	}
	var b strings.Builder
	for line := range strings.Lines(string(before)) {
		if strings.HasPrefix(line, `  "date": `) {
			line = fmt.Sprintf("  \"date\": %q,\n", date)
		}
		b.WriteString(line)
	}
	b.WriteString(mark + "\n")
	actors := slices.Sorted(maps.Keys(networks))
	for i, actor := range actors {
		fmt.Fprintf(&b, "    %q: [", actor)
		width := 1000
		for j, network := range networks[actor] {
			text := fmt.Sprintf("%q", network)
			if j < len(networks[actor])-1 {
				text += ","
			}
			if width+1+len(text) > 130 {
				b.WriteString("\n      ")
				width = 6
			} else {
				b.WriteString(" ")
			}
			b.WriteString(text)
			width += 1 + len(text)
		}
		b.WriteString("\n    ]")
		if i < len(actors)-1 {
			b.WriteString(",")
		}
		b.WriteString("\n")
	}
	b.WriteString("  }\n}\n")
	if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}
