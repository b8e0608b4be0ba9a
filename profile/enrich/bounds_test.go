package enrich

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/maxmind/mmdbwriter/mmdbtype"
)

func text8(v string) mmdbtype.String { return mmdbtype.String(v) }

// What stands where in a database of countries, in each of the forms that are
// read, at each bound.
func TestCountriesInEachForm(t *testing.T) {
	at := func(lat, lon float64) mmdbtype.Map {
		return mmdbtype.Map{"latitude": mmdbtype.Float64(lat), "longitude": mmdbtype.Float64(lon)}
	}
	place := func(lat, lon float64) Place { return Place{Located: true, Latitude: lat, Longitude: lon} }
	code := func(c string) Place { return Place{Country: c, CountrySource: "Type"} }
	iso := func(c string) mmdbtype.Map { return mmdbtype.Map{"iso_code": text8(c)} }
	for name, c := range map[string]struct {
		record mmdbtype.Map
		want   Place
	}{
		"iso_code":                     {mmdbtype.Map{"country": iso("CL")}, code("CL")},
		"small letters":                {mmdbtype.Map{"country": iso("cl")}, code("CL")},
		"country_code":                 {mmdbtype.Map{"country_code": text8("CL")}, code("CL")},
		"country as a text":            {mmdbtype.Map{"country": text8("CL")}, code("CL")},
		"registered_country alone":     {mmdbtype.Map{"registered_country": iso("CL")}, code("CL")},
		"country before registered":    {mmdbtype.Map{"registered_country": iso("US"), "country": iso("CL")}, code("CL")},
		"code before registered":       {mmdbtype.Map{"registered_country": iso("US"), "country_code": text8("CL")}, code("CL")},
		"code before country":          {mmdbtype.Map{"country_code": text8("CL"), "country": text8("Chile")}, code("CL")},
		"an empty one":                 {mmdbtype.Map{"country": iso(""), "registered_country": iso("CL")}, code("CL")},
		"ZZ":                           {mmdbtype.Map{"country": iso("ZZ")}, Place{}},
		"zz":                           {mmdbtype.Map{"country_code": text8("zz")}, Place{}},
		"one letter":                   {mmdbtype.Map{"country": text8("C")}, Place{}},
		"three letters":                {mmdbtype.Map{"country": text8("CHL")}, Place{}},
		"north-east":                   {mmdbtype.Map{"location": at(52.5, 13.25)}, place(52.5, 13.25)},
		"north-west":                   {mmdbtype.Map{"location": at(40.75, -73.5)}, place(40.75, -73.5)},
		"south-west":                   {mmdbtype.Map{"location": at(-33.5, -70.25)}, place(-33.5, -70.25)},
		"south-east":                   {mmdbtype.Map{"location": at(-37.5, 144.75)}, place(-37.5, 144.75)},
		"null island":                  {mmdbtype.Map{"location": at(0, 0)}, place(0, 0)},
		"beside the location":          {at(-1, -2), place(-1, -2)},
		"the location before the rest": {mmdbtype.Map{"location": at(1, 2), "latitude": mmdbtype.Float64(3), "longitude": mmdbtype.Float64(4)}, place(1, 2)},
		"north pole":                   {mmdbtype.Map{"location": at(90, 180)}, place(90, 180)},
		"south pole":                   {mmdbtype.Map{"location": at(-90, -180)}, place(-90, -180)},
		"beyond the north pole":        {mmdbtype.Map{"location": at(90.01, 0)}, Place{}},
		"beyond the south pole":        {mmdbtype.Map{"location": at(-90.01, 0)}, Place{}},
		"too far east":                 {mmdbtype.Map{"location": at(0, 180.01)}, Place{}},
		"too far west":                 {mmdbtype.Map{"location": at(0, -180.01)}, Place{}},
		"no longitude":                 {mmdbtype.Map{"location": mmdbtype.Map{"latitude": mmdbtype.Float64(1)}}, Place{}},
		"no latitude":                  {mmdbtype.Map{"location": mmdbtype.Map{"longitude": mmdbtype.Float64(1)}}, Place{}},
	} {
		f := open(t, Options{GeoIP: database(t, t.TempDir(), "Type", map[string]mmdbtype.DataType{"89.0.0.0/16": c.record})})
		if got := f.Place(netip.MustParseAddr("89.0.1.2")); got != c.want {
			t.Errorf("%s: got %+v, want %+v", name, got, c.want)
		}
	}
}

// The same of autonomous systems.
func TestSystemsInEachForm(t *testing.T) {
	system := func(n uint32, name string) Place {
		return Place{ASN: n, ASName: name, Network: "89.0.0.0/16", ASNSource: "Type"}
	}
	long := strings.Repeat("x", 254)
	for name, c := range map[string]struct {
		record mmdbtype.Map
		want   Place
	}{
		"MaxMind's":              {mmdbtype.Map{"autonomous_system_number": mmdbtype.Uint32(7), "autonomous_system_organization": text8("Seven")}, system(7, "Seven")},
		"as_number":              {mmdbtype.Map{"as_number": mmdbtype.Uint32(8), "as_organization": text8("Eight")}, system(8, "Eight")},
		"asn, a number":          {mmdbtype.Map{"asn": mmdbtype.Uint32(9), "name": text8("Nine")}, system(9, "Nine")},
		"asn, a text":            {mmdbtype.Map{"asn": text8("AS10"), "as_name": text8("Ten")}, system(10, "Ten")},
		"the largest":            {mmdbtype.Map{"asn": text8("AS4294967295")}, system(4294967295, "")},
		"one too large":          {mmdbtype.Map{"asn": text8("AS4294967296")}, Place{}},
		"AS0":                    {mmdbtype.Map{"asn": text8("AS0"), "as_name": text8("Nobody")}, Place{}},
		"a bare number":          {mmdbtype.Map{"asn": text8("10"), "as_name": text8("Ten")}, Place{}},
		"no number":              {mmdbtype.Map{"as_name": text8("Ten")}, Place{}},
		"the next where first 0": {mmdbtype.Map{"autonomous_system_number": mmdbtype.Uint32(0), "asn": mmdbtype.Uint32(9)}, system(9, "")},
		"the first of two":       {mmdbtype.Map{"autonomous_system_number": mmdbtype.Uint32(7), "as_number": mmdbtype.Uint32(9)}, system(7, "")},
		"the first of two names": {mmdbtype.Map{"asn": mmdbtype.Uint32(7), "autonomous_system_organization": text8("a"), "as_name": text8("b"), "name": text8("c")}, system(7, "a")},
		"a name of 255 bytes":    {mmdbtype.Map{"asn": mmdbtype.Uint32(7), "name": text8(long + "y")}, system(7, long+"y")},
		"a longer one":           {mmdbtype.Map{"asn": mmdbtype.Uint32(7), "name": text8(long + "yz")}, system(7, long+"y")},
		"cut within a character": {mmdbtype.Map{"asn": mmdbtype.Uint32(7), "name": text8(long + "ä")}, system(7, long)},
	} {
		f := open(t, Options{ASN: database(t, t.TempDir(), "Type", map[string]mmdbtype.DataType{"89.0.0.0/16": c.record})})
		if got := f.Place(netip.MustParseAddr("89.0.1.2")); got != c.want {
			t.Errorf("%s: got %+v, want %+v", name, got, c.want)
		}
	}
	// The database's type, which stands beside what it says, is bounded too.
	kind := strings.Repeat("T", 64)
	f := open(t, Options{ASN: database(t, t.TempDir(), kind+"x", map[string]mmdbtype.DataType{"89.0.0.0/16": mmdbtype.Map{"asn": mmdbtype.Uint32(7)}})})
	if got := f.Place(netip.MustParseAddr("89.0.1.2")).ASNSource; got != kind {
		t.Errorf("the type is %q", got)
	}
}

// Each network that belongs to nobody, from its first address to its last, and
// the routed addresses before and behind it.
func TestRoutedAtEachBound(t *testing.T) {
	networks := []struct{ first, last string }{
		{"0.0.0.0", "0.255.255.255"},
		{"10.0.0.0", "10.255.255.255"},
		{"100.64.0.0", "100.127.255.255"},
		{"127.0.0.0", "127.255.255.255"},
		{"169.254.0.0", "169.254.255.255"},
		{"172.16.0.0", "172.31.255.255"},
		{"192.0.0.0", "192.0.0.255"},
		{"192.0.2.0", "192.0.2.255"},
		{"192.88.99.0", "192.88.99.255"},
		{"192.168.0.0", "192.168.255.255"},
		{"198.18.0.0", "198.19.255.255"},
		{"198.51.100.0", "198.51.100.255"},
		{"203.0.113.0", "203.0.113.255"},
		{"224.0.0.0", "239.255.255.255"},
		{"240.0.0.0", "255.255.255.255"},
		{"::", "ff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
		{"64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff"},
		{"100::", "100::ffff:ffff:ffff:ffff"},
		{"2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff"},
		{"2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"},
		{"2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
		{"3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff"},
		{"5f00::", "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
		{"fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
		{"fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
		{"fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
		{"ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
	}
	inside := func(a netip.Addr) bool {
		for _, n := range networks {
			first, last := netip.MustParseAddr(n.first), netip.MustParseAddr(n.last)
			if a.BitLen() == first.BitLen() && a.Compare(first) >= 0 && a.Compare(last) <= 0 {
				return true
			}
		}
		return false
	}
	for _, n := range networks {
		first, last := netip.MustParseAddr(n.first), netip.MustParseAddr(n.last)
		for _, a := range []netip.Addr{first, last, first.Prev(), last.Next()} {
			if a.IsValid() && Routed(a) == inside(a) {
				t.Errorf("%s is routed: %v", a, Routed(a))
			}
			if mapped := netip.AddrFrom16(a.As16()); a.IsValid() && a.Is4() && Routed(mapped) == inside(a) {
				t.Errorf("%s is routed: %v", mapped, Routed(mapped))
			}
		}
	}
	if len(networks) != len(unrouted) {
		t.Errorf("%d networks belong to nobody, %d are tested", len(unrouted), len(networks))
	}
	if Routed(netip.Addr{}) {
		t.Error("no address is routed")
	}
}

// A changed database of either kind is opened again, and what it says is
// forgotten then, of addresses already asked for too.
func TestEitherChangedFileIsOpenedAgain(t *testing.T) {
	dir := t.TempDir()
	paths := map[string]string{"country": filepath.Join(dir, "country.mmdb"), "asn": filepath.Join(dir, "asn.mmdb")}
	put := func(which string, record mmdbtype.Map) {
		if err := os.Rename(database(t, dir, "Type", map[string]mmdbtype.DataType{"185.220.0.0/16": record}), paths[which]); err != nil {
			t.Fatal(err)
		}
	}
	asn := func(n uint32) mmdbtype.Map { return mmdbtype.Map{"asn": mmdbtype.Uint32(n)} }
	put("country", country("DE"))
	put("asn", asn(1))
	f := open(t, Options{GeoIP: paths["country"], ASN: paths["asn"], Check: 5 * time.Millisecond})
	addr := netip.MustParseAddr("185.220.101.4")
	is := func(code string, n uint32) func() bool {
		return func() bool { p := f.Place(addr); return p.Country == code && p.ASN == n }
	}
	if !is("DE", 1)() {
		t.Fatalf("first: %+v", f.Place(addr))
	}
	put("asn", asn(2))
	waitFor(t, "the second file of systems", is("DE", 2))
	put("country", country("FR"))
	waitFor(t, "the second file of countries", is("FR", 2))
	put("asn", asn(3))
	waitFor(t, "the third file of systems", is("FR", 3))
}

// What was read from a database before another took its place is not kept
// behind that: it would be shown until the next change.
func TestWhatWasReadBeforeAChangeIsNotKept(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "country.mmdb")
	put := func(code string) {
		if err := os.Rename(database(t, dir, "Type", map[string]mmdbtype.DataType{"185.220.0.0/16": country(code)}), path); err != nil {
			t.Fatal(err)
		}
	}
	put("DE")
	f := open(t, Options{GeoIP: path, Check: time.Hour})
	addr := netip.MustParseAddr("185.220.101.4")
	_, opened, _ := f.cached(addr)
	old := f.lookup(addr)
	put("FR")
	f.reload(&f.country)
	f.keep(addr, old, opened)
	if got := f.Place(addr).Country; old.Country != "DE" || got != "FR" {
		t.Errorf("read %s before the change, it shows %s behind it", old.Country, got)
	}
}

// A file has changed when it is another one, or newer, or of another size.
func TestWhatIsAChange(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	write := func(path, text string, at time.Time) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		change func()
		want   bool
	}{
		"nothing":      {func() {}, false},
		"another time": {func() { write(path, "text", at.Add(time.Second)) }, true},
		"an older one": {func() { write(path, "text", at.Add(-time.Second)) }, true},
		"another size": {func() { write(path, "texts", at) }, true},
		"another file": {func() {
			write(path+".new", "TEXT", at)
			if err := os.Rename(path+".new", path); err != nil {
				t.Fatal(err)
			}
		}, true},
		"gone": {func() {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}, false},
	} {
		write(path, "text", at)
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		c.change()
		if got := (&file{path: path, info: info}).changed(); got != c.want {
			t.Errorf("%s: changed: %v, want %v", name, got, c.want)
		}
	}
	if (*file)(nil).changed() {
		t.Error("no file has changed")
	}
}

// What was looked up is kept, of 8192 addresses at most.
func TestPlacesAreKept(t *testing.T) {
	f := open(t, Options{GeoIP: database(t, t.TempDir(), "Type", map[string]mmdbtype.DataType{"185.0.0.0/8": country("DE")})})
	addr := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{185, byte(i >> 16), byte(i >> 8), byte(i)}) }
	for i := range 8192 {
		f.Place(addr(i))
	}
	if len(f.cache) != 8192 {
		t.Errorf("of 8192 addresses %d are kept", len(f.cache))
	}
	f.cache[addr(5)] = Place{Country: "XX"}
	if got := f.Place(addr(5)).Country; got != "XX" {
		t.Errorf("an address that is kept is looked up again: %s", got)
	}
	f.Place(addr(8192))
	if len(f.cache) != 1 || f.Place(addr(5)).Country != "DE" {
		t.Errorf("%d addresses are kept behind the bound", len(f.cache))
	}
	// An address without a place is kept too: it isn't read again.
	private := netip.MustParseAddr("10.0.0.1")
	f.Place(private)
	if place, kept := f.cache[private]; !kept || place != (Place{}) {
		t.Errorf("kept %v: %+v", kept, place)
	}
}

func TestOptionsOfFiles(t *testing.T) {
	if f := open(t, Options{}); f.o.Check != 30*time.Second || f.Place(netip.MustParseAddr("89.0.1.2")) != (Place{}) {
		t.Errorf("without files they are looked at each %v", f.o.Check)
	}
	if _, err := Open(Options{Check: -1}); err == nil {
		t.Error("a negative interval is accepted")
	}
	_, err := Open(Options{GeoIP: "/nowhere/a.mmdb", ASN: "/nowhere/b.mmdb"})
	if err == nil || !strings.Contains(err.Error(), "geoip_db: ") || !strings.Contains(err.Error(), "/nowhere/a.mmdb") ||
		!strings.Contains(err.Error(), "asn_db: ") || !strings.Contains(err.Error(), "/nowhere/b.mmdb") {
		t.Errorf("two missing files: %v", err)
	}
}

// recorder answers with names and notes who was asked for, and until when it
// had to answer.
type recorder struct {
	names []string
	err   error

	mu    sync.Mutex
	asked []string
	left  time.Duration
}

func (r *recorder) LookupAddr(ctx context.Context, addr string) ([]string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked = append(r.asked, addr)
	if until, ok := ctx.Deadline(); ok {
		r.left = time.Until(until)
	}
	return r.names, r.err
}

func (r *recorder) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.asked)
}

// Who is asked by default, for how long, and by how many at a time.
func TestDefaultsOfNames(t *testing.T) {
	n := NewNames(NamesOptions{})
	defer n.Close()
	if n.o.Resolver != net.DefaultResolver || n.o.Timeout != 2*time.Second || n.o.Workers != 4 {
		t.Errorf("%+v", n.o)
	}
	r := new(recorder)
	own := NewNames(NamesOptions{Resolver: r, Timeout: time.Minute, Workers: 1})
	defer own.Close()
	if own.o.Resolver != r || own.o.Timeout != time.Minute || own.o.Workers != 1 {
		t.Errorf("%+v", own.o)
	}
	own.ask(context.Background(), netip.MustParseAddr("185.220.101.4"))
	if r.left > time.Minute || r.left < 30*time.Second {
		t.Errorf("the resolver has %v to answer, want a minute", r.left)
	}
}

// The resolver's answer is the name, the first of several; an error is none.
func TestAnswers(t *testing.T) {
	addr := netip.MustParseAddr("185.220.101.4")
	for _, c := range []struct {
		names []string
		err   error
		want  string
	}{
		{[]string{"a.example."}, nil, "a.example"},
		{[]string{"B.example", "c.example."}, nil, "b.example"},
		{nil, nil, ""},
		{[]string{"a.example."}, errors.New("refused"), ""},
		{[]string{"no good.example."}, nil, ""},
	} {
		r := &recorder{names: c.names, err: c.err}
		n := NewNames(NamesOptions{Resolver: r})
		if got := n.Name(addr); got != "" {
			t.Errorf("%v: %q before there was an answer", c.names, got)
		}
		waitFor(t, "the question", func() bool { return r.count() == 1 })
		n.Close() // the answer is noted
		if got := n.answers[addr].name; got != c.want || n.Name(addr) != c.want {
			t.Errorf("%v, %v: %q, want %q", c.names, c.err, got, c.want)
		}
		if r.asked[0] != "185.220.101.4" || r.count() != 1 {
			t.Errorf("asked for %v", r.asked)
		}
	}
}

// An answer, also one that there is no name, holds for a day.
func TestAnswersExpire(t *testing.T) {
	addr := netip.MustParseAddr("185.220.101.4")
	for age, holds := range map[time.Duration]bool{0: true, 24*time.Hour - time.Minute: true, 24 * time.Hour: false, 48 * time.Hour: false} {
		for _, name := range []string{"old.example", ""} {
			n := &Names{questions: make(chan netip.Addr, 1), answers: map[netip.Addr]answer{addr: {name: name, at: time.Now().Add(-age)}}}
			got := n.Name(addr)
			want := name
			if !holds {
				want = ""
			}
			if got != want || (len(n.questions) == 0) != holds {
				t.Errorf("an answer %q of %v ago: %q, and %d questions", name, age, got, len(n.questions))
			}
		}
	}
}

// Of 16384 answers more none is kept, and while 1024 questions wait no more are
// put: they are asked another time.
func TestNamesAtTheirBounds(t *testing.T) {
	addr := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{185, byte(i >> 16), byte(i >> 8), byte(i)}) }
	n := &Names{questions: make(chan netip.Addr, 20000), answers: map[netip.Addr]answer{}}
	for i := range 16384 {
		n.Name(addr(i))
	}
	if len(n.answers) != 16384 || len(n.questions) != 16384 {
		t.Errorf("%d answers and %d questions of 16384 addresses", len(n.answers), len(n.questions))
	}
	n.Name(addr(5))
	if len(n.questions) != 16384 {
		t.Error("an address that waits is asked for again")
	}
	n.Name(addr(16384))
	if len(n.answers) != 1 {
		t.Errorf("%d answers behind the bound", len(n.answers))
	}
	hung := NewNames(NamesOptions{Resolver: &zone{}, Timeout: time.Hour, Workers: 1})
	defer hung.Close()
	if cap(hung.questions) != 1024 {
		t.Errorf("%d questions may wait, want 1024", cap(hung.questions))
	}
	full := &Names{questions: make(chan netip.Addr), answers: map[netip.Addr]answer{}}
	full.Name(addr(1))
	if len(full.answers) != 0 {
		t.Error("a question that wasn't put counts as put")
	}
}

// DNS never learns of addresses that are nobody's, nor of any where there is no
// Names.
func TestNobodyIsAskedForNobody(t *testing.T) {
	n := &Names{questions: make(chan netip.Addr, 10), answers: map[netip.Addr]answer{}}
	for _, address := range []string{"10.0.0.1", "192.168.1.1", "127.0.0.1", "fe80::1", "fd00::1", "::1", "203.0.113.1", "::ffff:10.0.0.1"} {
		n.Name(netip.MustParseAddr(address))
	}
	n.Name(netip.Addr{})
	if len(n.questions) != 0 || len(n.answers) != 0 {
		t.Errorf("%d questions, %d answers", len(n.questions), len(n.answers))
	}
	n.Name(netip.MustParseAddr("2a00:1450::1"))
	if len(n.questions) != 1 {
		t.Errorf("%d questions of a routed address", len(n.questions))
	}
}

func TestHosts(t *testing.T) {
	label := strings.Repeat("a", 250)
	for name, want := range map[string]string{
		"a.example.": "a.example", "a.example": "a.example", "A-b_C.9z.": "a-b_c.9z", label + ".de.": label + ".de", label + ".com.": "",
		"": "", ".": "", "a b": "", "a/b": "", "a:b": "", "a@b": "", "ä.de": "", "a\x00": "", "a`": "", "a{": "", "a[": "", "a..": "a.",
	} {
		if got := host(name); got != want {
			t.Errorf("%q is %q, want %q", name, got, want)
		}
	}
}
