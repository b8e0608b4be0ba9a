package enrich

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"sync"
)

//go:embed data/countries.json
var countriesFile []byte

var countries = sync.OnceValue(func() map[string]string {
	var f struct {
		Names map[string]string `json:"names"`
	}
	if err := json.Unmarshal(countriesFile, &f); err != nil {
		panic(fmt.Sprintf("enrich: the names of countries: %v", err))
	}
	return f.Names
})

// CountryName returns the English name of an ISO 3166-1 alpha-2 code in Unicode's
// CLDR, "" where it has none.
func CountryName(code string) string { return countries()[code] }
