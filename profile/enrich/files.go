// Package enrich says where an address is and what its name is: from local
// database files, and from reverse DNS where that is switched on.
package enrich

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"

	"dossier/panics"

	"github.com/oschwald/maxminddb-golang/v2"
)

// Place is where an address is. What is not known is zero.
type Place struct {
	// Country is the ISO 3166-1 alpha-2 code, CountrySource the type of the
	// database it comes from.
	Country, CountrySource string
	// ASN is the number of the autonomous system.
	ASN uint32
	// ASName is its name, Network the database's network around the address,
	// ASNSource the database's type.
	ASName, Network, ASNSource string
	// NetworkType is what kind of network the address is in, NetworkSource the list
	// that says so.
	NetworkType, NetworkSource string
	// Located says that Latitude and Longitude, in degrees, are known.
	Located             bool
	Latitude, Longitude float64
}

// The longest texts taken from a database.
const (
	maxName   = 255
	maxSource = 64
)

// Options configures Files.
type Options struct {
	// GeoIP holds the path of a database of countries or cities. It may be
	// empty.
	GeoIP string
	// ASN holds the path of a database of autonomous systems. It may be
	// empty.
	ASN string
	// Networks holds the path of a list of networks and their types, which is
	// asked before the built-in one. It may be empty.
	Networks string
	// Check holds how often the files are looked at for a change.
	//
	// If Check is zero, the default of 30 s will be used.
	Check time.Duration
	// OnError is called when a changed file can't be opened: the one before
	// stays in use. It may be nil.
	OnError func(error)
	// OnPanic is called when looking at the files panics; they are looked at
	// again. It may be nil.
	OnPanic func(*panics.Panic)
}

// Files looks addresses up in databases of MaxMind's format, which it maps
// into memory and opens again when they change. It is safe for concurrent
// use.
type Files struct {
	o    Options
	stop chan struct{}
	done sync.WaitGroup

	mu      sync.RWMutex // held for reading while a mapping is in use
	country *file
	asn     *file
	listed  *networks

	cacheMu sync.Mutex
	cache   map[netip.Addr]Place
	// opened counts the databases and lists opened since the start: what was read before
	// the last of them must not be kept behind it.
	opened int
}

// file is one open database.
type file struct {
	path   string
	reader *maxminddb.Reader
	source string
	info   os.FileInfo
}

// maxPlaces bounds the cache.
const maxPlaces = 8192

// Open opens the databases and the list. Without any path only the types of networks
// are known that the built-in list tells.
func Open(o Options) (*Files, error) {
	if o.Check == 0 {
		o.Check = 30 * time.Second
	}
	if o.Check < 0 {
		return nil, fmt.Errorf("enrich: the interval between checks is %v; it must be positive", o.Check)
	}
	f := &Files{o: o, stop: make(chan struct{}), cache: map[netip.Addr]Place{}}
	var errs []error
	var err error
	if f.country, err = openFile(o.GeoIP); err != nil {
		errs = append(errs, fmt.Errorf("geoip_db: %w", err))
	}
	if f.asn, err = openFile(o.ASN); err != nil {
		errs = append(errs, fmt.Errorf("asn_db: %w", err))
	}
	if f.listed, err = openNetworks(o.Networks); err != nil {
		errs = append(errs, fmt.Errorf("network_types: %w", err))
	}
	if err := errors.Join(errs...); err != nil {
		f.country.close()
		f.asn.close()
		return nil, err
	}
	if f.country != nil || f.asn != nil || f.listed != nil {
		f.done.Add(1)
		go f.watch()
	}
	return f, nil
}

func openFile(path string) (*file, error) {
	if path == "" {
		return nil, nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("can't open the database: %w", err)
	}
	reader, err := maxminddb.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%s is no readable MaxMind-format database: %w", path, err)
	}
	return &file{path, reader, cut(strings.Clone(reader.Metadata.DatabaseType), maxSource), info}, nil
}

func (f *file) close() {
	if f != nil {
		_ = f.reader.Close()
	}
}

// changed says whether there is another file at the path now.
func (f *file) changed() bool {
	return f != nil && replaced(f.path, f.info)
}

// replaced says whether there is another file at path than the one of info.
func replaced(path string, was os.FileInfo) bool {
	info, err := os.Stat(path)
	return err == nil && (!os.SameFile(info, was) || !info.ModTime().Equal(was.ModTime()) || info.Size() != was.Size())
}

// Close stops looking for changes and closes the databases.
func (f *Files) Close() {
	close(f.stop)
	f.done.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.country.close()
	f.asn.close()
	f.country, f.asn = nil, nil
}

func (f *Files) watch() {
	defer f.done.Done()
	tick := time.NewTicker(f.o.Check)
	defer tick.Stop()
	for {
		select {
		case <-f.stop:
			return
		case <-tick.C:
			panics.Do("databases", f.o.OnPanic, func() { f.reload(&f.country) })
			panics.Do("databases", f.o.OnPanic, func() { f.reload(&f.asn) })
			panics.Do("databases", f.o.OnPanic, f.reloadNetworks)
		}
	}
}

// reload opens a changed database in place of the one before. Only watch
// changes which is in use.
func (f *Files) reload(which **file) {
	old := *which
	if !old.changed() {
		return
	}
	next, err := openFile(old.path)
	if err != nil {
		if f.o.OnError != nil {
			f.o.OnError(fmt.Errorf("enrich: the database before stays in use: %w", err))
		}
		return
	}
	f.use(which, next)
	old.close()
	f.forget()
}

// reloadNetworks reads a changed list in place of the one before.
func (f *Files) reloadNetworks() {
	if !f.listed.changed() {
		return
	}
	next, err := openNetworks(f.listed.path)
	if err != nil {
		if f.o.OnError != nil {
			f.o.OnError(fmt.Errorf("enrich: network_types: the list before stays in use: %w", err))
		}
		return
	}
	f.mu.Lock()
	f.listed = next
	f.mu.Unlock()
	f.forget()
}

func (f *Files) use(which **file, next *file) {
	f.mu.Lock()
	defer f.mu.Unlock()
	*which = next
}

// forget empties the cache.
func (f *Files) forget() {
	f.cacheMu.Lock()
	defer f.cacheMu.Unlock()
	clear(f.cache)
	f.opened++
}

// Place looks addr up. Addresses that are not globally routed have no place.
func (f *Files) Place(addr netip.Addr) Place {
	if f == nil {
		return Place{}
	}
	place, opened, ok := f.cached(addr)
	if ok {
		return place
	}
	if Routed(addr) {
		place = f.lookup(addr)
	}
	f.keep(addr, place, opened)
	return place
}

// cached returns what is kept of addr, and the state of the files that goes
// with a place that is read now.
func (f *Files) cached(addr netip.Addr) (place Place, opened int, ok bool) {
	f.cacheMu.Lock()
	defer f.cacheMu.Unlock()
	place, ok = f.cache[addr]
	return place, f.opened, ok
}

// keep keeps a place, unless another database was opened while it was read.
func (f *Files) keep(addr netip.Addr, place Place, opened int) {
	f.cacheMu.Lock()
	defer f.cacheMu.Unlock()
	if opened != f.opened {
		return
	}
	if len(f.cache) >= maxPlaces {
		clear(f.cache)
	}
	f.cache[addr] = place
}

// lookup reads the databases. Whoever cuts a mapped file short, instead of
// putting another in its place, makes reading it fault: that must not end the
// process.
func (f *Files) lookup(addr netip.Addr) (place Place) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if recover() != nil {
			place = Place{}
		}
	}()
	if f.country != nil {
		if r := f.country.reader.Lookup(addr); r.Found() {
			place.country(r, f.country.source)
		}
	}
	if f.asn != nil {
		if r := f.asn.reader.Lookup(addr); r.Found() {
			place.system(r, f.asn.source)
		}
	}
	if place.NetworkType, place.NetworkSource = f.listed.find(addr); place.NetworkType == "" {
		place.NetworkType, place.NetworkSource = builtinNetworks().find(addr)
	}
	return place
}

// text returns the first of the paths that holds a text.
func text(r maxminddb.Result, paths ...[]any) string {
	for _, path := range paths {
		var v string
		if r.DecodePath(&v, path...) == nil && v != "" {
			return cut(strings.Clone(v), maxName)
		}
	}
	return ""
}

func cut(s string, limit int) string {
	if len(s) > limit {
		s = s[:limit]
	}
	return strings.ToValidUTF8(s, "")
}

// country reads what MaxMind's, DB-IP's, IPinfo's and ip-location-db's
// databases of countries and cities hold.
func (p *Place) country(r maxminddb.Result, source string) {
	code := strings.ToUpper(text(r, []any{"country", "iso_code"}, []any{"country_code"}, []any{"country"}, []any{"registered_country", "iso_code"}))
	if len(code) == 2 && code != "ZZ" {
		p.Country, p.CountrySource = code, source
	}
	for _, at := range [][]any{{"location"}, nil} {
		var latitude, longitude float64
		if number(r, &latitude, append(at, "latitude")) && number(r, &longitude, append(at, "longitude")) &&
			latitude >= -90 && latitude <= 90 && longitude >= -180 && longitude <= 180 {
			p.Located, p.Latitude, p.Longitude = true, latitude, longitude
			return
		}
	}
}

func number(r maxminddb.Result, to *float64, path []any) bool {
	var v *float64
	if r.DecodePath(&v, path...) != nil || v == nil {
		return false
	}
	*to = *v
	return true
}

// system reads what MaxMind's, IPinfo's and ip-location-db's databases of
// autonomous systems hold.
func (p *Place) system(r maxminddb.Result, source string) {
	for _, name := range []string{"autonomous_system_number", "as_number", "asn"} {
		var n uint32
		if r.DecodePath(&n, name) == nil && n != 0 {
			p.ASN = n
			break
		}
		if v, found := strings.CutPrefix(text(r, []any{name}), "AS"); found {
			if n, err := strconv.ParseUint(v, 10, 32); err == nil && n != 0 {
				p.ASN = uint32(n)
				break
			}
		}
	}
	if p.ASN == 0 {
		return
	}
	p.ASName = text(r, []any{"autonomous_system_organization"}, []any{"as_name"}, []any{"as_organization"}, []any{"name"})
	p.ASNSource = source
	if network := r.Prefix(); network.IsValid() {
		p.Network = network.Masked().String()
	}
}
