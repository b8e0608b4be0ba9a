package target

import (
	"testing"

	"dossier/plugin/options"
)

// What a document shows by a file that these options lack is missed; what the built-in
// list says comes again by itself.
func TestLacks(t *testing.T) {
	whole := options.Options{GeoIPDB: "g", ASNDB: "a", NetworkTypes: "n"}
	for _, c := range []struct {
		o            options.Options
		country, asn bool
		types, want  string
	}{
		{options.Options{}, false, false, "", ""},
		{options.Options{}, true, true, "own", "geoip_db"},
		{options.Options{GeoIPDB: "g"}, true, true, "own", "asn_db"},
		{options.Options{GeoIPDB: "g", ASNDB: "a"}, true, true, "torproject.org", "network_types"},
		{options.Options{GeoIPDB: "g", ASNDB: "a"}, true, true, "MISP vpn-ipv4 2025-12-23", ""},
		{whole, true, true, "torproject.org", ""},
	} {
		if got := Lacks(c.o, c.country, c.asn, c.types); got != c.want {
			t.Errorf("%+v: %q, want %q", c, got, c.want)
		}
	}
}
