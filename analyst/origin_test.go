package analyst_test

import (
	"testing"

	"dossier/analyst"
)

// Where an address is from is told with names where the document has them, and as
// before where an older version wrote it.
func TestOrigin(t *testing.T) {
	for want, p := range map[string]analyst.Profile{
		"":   {},
		"DE": {Country: "DE"},
		"Germany (DE), AS60729 Example, vpn by MISP vpn-ipv4 2025-12-23": {
			Country: "DE", CountryName: "Germany", ASN: 60729, ASName: "Example", NetworkType: "vpn", NetworkSource: "MISP vpn-ipv4 2025-12-23",
		},
		"inside our networks, tor": {Scope: "internal", NetworkType: "tor"},
	} {
		if got := p.Origin(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
