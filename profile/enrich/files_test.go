package enrich

import (
	"encoding/csv"
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"dossier/profile/internal/registry"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"
)

// database writes a database of the records to a new file in dir.
func database(t testing.TB, dir, kind string, records map[string]mmdbtype.DataType) string {
	t.Helper()
	tree, err := mmdbwriter.New(mmdbwriter.Options{DatabaseType: kind, IncludeReservedNetworks: true})
	if err != nil {
		t.Fatal(err)
	}
	for network, record := range records {
		_, n, err := net.ParseCIDR(network)
		if err != nil {
			t.Fatal(err)
		}
		if err := tree.Insert(n, record); err != nil {
			t.Fatal(err)
		}
	}
	return writeTree(t, dir, tree)
}

func writeTree(t testing.TB, dir string, tree *mmdbwriter.Tree) string {
	t.Helper()
	f, err := os.CreateTemp(dir, "*.mmdb")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tree.WriteTo(f); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return f.Name()
}

func country(code string) mmdbtype.Map {
	return mmdbtype.Map{
		"country":  mmdbtype.Map{"iso_code": mmdbtype.String(code)},
		"location": mmdbtype.Map{"latitude": mmdbtype.Float64(52.5), "longitude": mmdbtype.Float64(13.4)},
	}
}

func open(t testing.TB, o Options) *Files {
	t.Helper()
	f, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	return f
}

func TestPlace(t *testing.T) {
	dir := t.TempDir()
	f := open(t, Options{
		GeoIP: database(t, dir, "Test-City", map[string]mmdbtype.DataType{
			"185.220.101.0/24": country("de"),
			"2a00:1450::/29":   country("IE"),
			"10.0.0.0/8":       country("XX"),
			"203.0.113.0/24":   country("XX"),
			"2001:db8::/32":    country("XX"),
			"89.0.0.0/16":      mmdbtype.Map{"country_code": mmdbtype.String("FR"), "latitude": mmdbtype.Float32(48.5), "longitude": mmdbtype.Float32(2.5)},
			"89.1.0.0/16":      mmdbtype.Map{"country": mmdbtype.String("NL")},
			"89.2.0.0/16":      mmdbtype.Map{"country_code": mmdbtype.String("Utopia"), "location": mmdbtype.Map{"latitude": mmdbtype.Float64(91), "longitude": mmdbtype.Float64(0)}},
			"89.3.0.0/16":      mmdbtype.String("nothing to see"),
		}),
		ASN: database(t, dir, "Test-ASN", map[string]mmdbtype.DataType{
			"185.220.96.0/20": mmdbtype.Map{"autonomous_system_number": mmdbtype.Uint32(60729), "autonomous_system_organization": mmdbtype.String("Stiftung \"Erneuerbare Freiheit\"")},
			"89.1.0.0/16":     mmdbtype.Map{"asn": mmdbtype.String("AS3356"), "as_name": mmdbtype.String("Level 3")},
			"89.2.0.0/16":     mmdbtype.Map{"autonomous_system_number": mmdbtype.Uint32(0)},
		}),
	})
	for address, want := range map[string]Place{
		"185.220.101.4": {
			Country: "DE", CountrySource: "Test-City", Located: true, Latitude: 52.5, Longitude: 13.4,
			ASN: 60729, ASName: `Stiftung "Erneuerbare Freiheit"`, Network: "185.220.96.0/20", ASNSource: "Test-ASN",
			NetworkType: "vpn", NetworkSource: "MISP vpn-ipv4 2025-12-23",
		},
		"2a00:1450:4001:81b::200e": {Country: "IE", CountrySource: "Test-City", Located: true, Latitude: 52.5, Longitude: 13.4},
		"89.0.0.1":                 {Country: "FR", CountrySource: "Test-City", Located: true, Latitude: 48.5, Longitude: 2.5},
		"89.1.0.1":                 {Country: "NL", CountrySource: "Test-City", ASN: 3356, ASName: "Level 3", Network: "89.1.0.0/16", ASNSource: "Test-ASN"},
		"89.2.0.1":                 {},
		"89.3.0.1":                 {},
		"10.1.2.3":                 {},
		"203.0.113.5":              {},
		"2001:db8::1":              {},
		"198.41.0.4":               {},
	} {
		for range 2 { // read, then from the cache
			if got := f.Place(netip.MustParseAddr(address)); got != want {
				t.Errorf("%s: got %+v, want %+v", address, got, want)
			}
		}
	}
	if got := (*Files)(nil).Place(netip.MustParseAddr("185.220.101.4")); got != (Place{}) {
		t.Errorf("without files: %+v", got)
	}
}

func TestFilesThatCantBeOpened(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "text.mmdb")
	if err := os.WriteFile(text, []byte("no database"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]Options{
		"missing":  {GeoIP: filepath.Join(dir, "missing.mmdb")},
		"no form":  {ASN: text},
		"a folder": {GeoIP: dir},
	} {
		if f, err := Open(o); err == nil {
			f.Close()
			t.Errorf("%s: opened", name)
		}
	}
}

// waitFor polls until ok, long enough for a machine that is busy otherwise.
func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for range 12000 {
		if ok() {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("%s: not within a minute", what)
}

func TestChangedFileIsOpenedAgain(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "country.mmdb")
	put := func(code string) {
		next := database(t, dir, "Test-Country", map[string]mmdbtype.DataType{"185.220.101.0/24": country(code)})
		if err := os.Rename(next, path); err != nil {
			t.Fatal(err)
		}
	}
	put("DE")
	var failures atomic.Int32
	f := open(t, Options{GeoIP: path, Check: 5 * time.Millisecond, OnError: func(error) { failures.Add(1) }})
	addr := netip.MustParseAddr("185.220.101.4")
	is := func(code string) func() bool { return func() bool { return f.Place(addr).Country == code } }
	waitFor(t, "first file", is("DE"))
	// Readers all the while.
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				f.Place(netip.AddrFrom4([4]byte{185, 220, 101, byte(i)}))
				runtime.Gosched()
			}
		})
	}
	for _, code := range []string{"FR", "NL", "IT"} {
		put(code)
		waitFor(t, "file with "+code, is(code))
	}
	if err := os.WriteFile(path+".bad", []byte("no database"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".bad", path); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "an error for a bad file", func() bool { return failures.Load() > 0 })
	if !is("IT")() {
		t.Error("a bad file takes the place of a good one")
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	put("ES")
	waitFor(t, "file after a bad one", is("ES"))
	close(stop)
	readers.Wait()
}

// Whoever copies a new database over the old one cuts the mapped file short
// for a moment: reading what is gone faults.
func TestFileCutShortInPlace(t *testing.T) {
	dir := t.TempDir()
	records := map[string]mmdbtype.DataType{}
	for i := range 256 {
		records[netip.PrefixFrom(netip.AddrFrom4([4]byte{185, byte(i), 0, 0}), 16).String()] = country("DE")
	}
	path := database(t, dir, "Test-Country", records)
	f := open(t, Options{GeoIP: path, Check: time.Hour})
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	if got := f.Place(netip.MustParseAddr("185.7.0.1")); got != (Place{}) {
		t.Errorf("read %+v from a file that is gone", got)
	}
}

// Real data: CC0, from public registry records.
func TestPublicCountryData(t *testing.T) {
	dir := registry.Need(t, registry.Countries)
	f := open(t, Options{GeoIP: filepath.Join(dir, "geo-whois-asn-country.mmdb")})
	for address, want := range map[string]string{
		"8.8.8.8":              "US",
		"193.0.0.1":            "NL",
		"185.220.101.4":        "DE",
		"2001:4860:4860::8888": "US",
		"2001:67c:2e8::1":      "NL",
		"192.168.1.1":          "",
		"100.64.0.1":           "",
		"198.51.100.1":         "",
		"fd00::1":              "",
		"2001:db8::1":          "",
		"::1":                  "",
	} {
		if got := f.Place(netip.MustParseAddr(address)).Country; got != want {
			t.Errorf("%s is in %q, want %q", address, got, want)
		}
	}
	const kind = "country ipvAll"
	if got := f.Place(netip.MustParseAddr("8.8.8.8")).CountrySource; got != kind {
		t.Errorf("source %q, want %q", got, kind)
	}
}

// Real data: routes and their owners, as a list, written as a database here.
func TestPublicASNData(t *testing.T) {
	dir := registry.Need(t, registry.Routes)
	tree, err := mmdbwriter.New(mmdbwriter.Options{DatabaseType: "asn"})
	if err != nil {
		t.Fatal(err)
	}
	list, err := os.Open(filepath.Join(dir, "asn-ipv4.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer list.Close()
	rows, err := csv.NewReader(list).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	// Every fiftieth route is plenty.
	type route struct {
		first netip.Addr
		asn   uint64
		owner string
	}
	var routes []route
	for i := 0; i < len(rows); i += 50 {
		first, err1 := netip.ParseAddr(rows[i][0])
		last, err2 := netip.ParseAddr(rows[i][1])
		asn, err3 := strconv.ParseUint(rows[i][2], 10, 32)
		if err := errors.Join(err1, err2, err3); err != nil {
			t.Fatal(err)
		}
		record := mmdbtype.Map{"autonomous_system_number": mmdbtype.Uint32(asn), "autonomous_system_organization": mmdbtype.String(rows[i][3])}
		if err := tree.InsertRange(first.AsSlice(), last.AsSlice(), record); err != nil {
			continue // a reserved range
		}
		routes = append(routes, route{first, asn, rows[i][3]})
	}
	f := open(t, Options{ASN: writeTree(t, t.TempDir(), tree)})
	if len(routes) < 1000 {
		t.Fatalf("only %d routes", len(routes))
	}
	for _, r := range routes {
		got := f.Place(r.first)
		if uint64(got.ASN) != r.asn || len(got.ASName) > maxName || len(r.owner) <= maxName && got.ASName != r.owner {
			t.Fatalf("%s: got %+v, want AS%d %q", r.first, got, r.asn, r.owner)
		}
		if network, err := netip.ParsePrefix(got.Network); err != nil || !network.Contains(r.first) {
			t.Fatalf("%s: network %q", r.first, got.Network)
		}
	}
}

func BenchmarkPlace(b *testing.B) {
	dir := b.TempDir()
	f := open(b, Options{GeoIP: database(b, dir, "Test-City", map[string]mmdbtype.DataType{"185.0.0.0/8": country("DE")})})
	b.Run("cached", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			f.Place(netip.AddrFrom4([4]byte{185, 1, 2, 3}))
		}
	})
	b.Run("read", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			f.lookup(netip.AddrFrom4([4]byte{185, byte(i >> 16), byte(i >> 8), byte(i)}))
		}
	})
}
