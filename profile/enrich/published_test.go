package enrich

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"dossier/profile/internal/registry"
)

// networkLists has MISP's warning lists by type, in the order in which they are asked: what
// a cloud says of itself before what others say of many providers.
var networkLists = []struct {
	typ, list string
	// longer leaves out IPv4 networks that are shorter than that.
	longer int
}{
	{NetworkCloud, "amazon-aws", 0},
	{NetworkCloud, "google-gcp", 0},
	{NetworkCloud, "microsoft-azure", 0},
	{NetworkCloud, "microsoft-azure-china", 0},
	{NetworkCloud, "microsoft-azure-germany", 0},
	{NetworkCloud, "microsoft-azure-us-gov", 0},
	{NetworkHosting, "ovh-cluster", 0},
	// Its short networks are whole providers, most of whose customers run no VPN.
	{NetworkVPN, "vpn-ipv4", 22},
	{NetworkVPN, "vpn-ipv6", 0},
}

// The built-in list of networks is that of the published lists, with their dates. With
// UPDATE=1 it is made from them anew.
func TestNetworksArePublished(t *testing.T) {
	dir := filepath.Join(registry.Need(t, registry.Warnings), "pymispwarninglists", "data", "misp-warninglists", "lists")
	var b strings.Builder
	fmt.Fprintf(&b, "# Networks by type, from MISP's warning lists (github.com/MISP/misp-warninglists, CC0) as the package\n# %s on PyPI carries them. "+
		"Made by UPDATE=1 go test ./profile/enrich -run NetworksArePublished.\n", registry.Warnings)
	for _, of := range networkLists {
		data, err := os.ReadFile(filepath.Join(dir, of.list, "list.json"))
		if err != nil {
			t.Fatal(err)
		}
		var list struct {
			Version int
			List    []string
		}
		if err := json.Unmarshal(data, &list); err != nil {
			t.Fatalf("%s: %v", of.list, err)
		}
		at, err := time.Parse("20060102", fmt.Sprint(list.Version))
		if err != nil {
			t.Fatalf("%s has the version %d, which is no date", of.list, list.Version)
		}
		all := map[netip.Prefix]bool{}
		for _, text := range list.List {
			p, err := parsePrefix(text)
			if err != nil {
				t.Fatalf("%s: %q is no network", of.list, text)
			}
			if p.Addr().Is6() || p.Bits() >= of.longer {
				all[p] = true
			}
		}
		fmt.Fprintf(&b, "\n[%s MISP %s %s]\n", of.typ, of.list, at.Format(time.DateOnly))
		for _, p := range slices.SortedFunc(maps.Keys(all), netip.Prefix.Compare) {
			fmt.Fprintln(&b, strings.TrimSuffix(strings.TrimSuffix(p.String(), "/32"), "/128"))
		}
	}
	same(t, "data/networks.txt", networksFile, b.String())
}

// twoLetters are codes of CLDR that stand for a place: ISO 3166-1 alpha-2, and Kosovo's.
var twoLetters = regexp.MustCompile(`^[A-Z]{2}$`)

// notPlaces are codes of two letters that CLDR has beside those of ISO 3166-1.
var notPlaces = map[string]bool{"EZ": true, "UN": true, "QO": true, "XA": true, "XB": true, "ZZ": true}

// The names of countries are those of Unicode's CLDR. With UPDATE=1 the file is made anew.
func TestCountryNamesArePublished(t *testing.T) {
	dir := registry.Need(t, registry.CountryNames)
	data, err := os.ReadFile(filepath.Join(dir, "main", "en", "territories.json"))
	if err != nil {
		t.Fatal(err)
	}
	var f struct {
		Main struct {
			En struct {
				Names struct {
					Territories map[string]string `json:"territories"`
				} `json:"localeDisplayNames"`
			} `json:"en"`
		} `json:"main"`
	}
	if err := json.Unmarshal(data, &f); err != nil {
		t.Fatal(err)
	}
	names := f.Main.En.Names.Territories
	maps.DeleteFunc(names, func(code, _ string) bool { return !twoLetters.MatchString(code) || notPlaces[code] })
	var b strings.Builder
	fmt.Fprintf(&b, "{\n  \"origin\": %q,\n  \"licence\": %q,\n  \"names\": {\n", "Unicode CLDR, English names of territories, as the package "+registry.CountryNames.String()+" on npm carries them",
		"Unicode-3.0, in LICENSE-Unicode beside this file")
	codes := slices.Sorted(maps.Keys(names))
	for i, code := range codes {
		fmt.Fprintf(&b, "    %q: %q%s\n", code, names[code], map[bool]string{true: ",", false: ""}[i < len(codes)-1])
	}
	b.WriteString("  }\n}\n")
	same(t, "data/countries.json", string(countriesFile), b.String())
}

// same says whether the built-in file is what was published, and with UPDATE=1 makes it so.
func same(t *testing.T, path, builtin, published string) {
	t.Helper()
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(path, []byte(published), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if builtin != published {
		t.Errorf("%s is not what the packages have that profile/internal/registry names; UPDATE=1 writes it anew", path)
	}
}
