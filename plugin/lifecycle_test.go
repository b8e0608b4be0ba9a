package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"dossier/esindex/deadletter"
	"dossier/plugin/chunk/chunktest"
	"dossier/testbed/e2e"
	"dossier/testbed/esnode"
	"dossier/testbed/host"
	"dossier/testbed/port"
)

// properties are options under which the plugin starts, whatever listens.
func properties(t testing.TB, url string, more map[string]string) map[string]string {
	return e2e.Properties(t, url, e2e.Prefix(t), more)
}

// records is a chunk of n lines of one attacker.
func records(n int) []byte {
	lines := make([]string, n)
	for i := range lines {
		lines[i] = line(i)
	}
	return chunktest.Lines(e2e.RecordTime, "log", lines...)
}

func line(i int) string {
	return fmt.Sprintf(`<134>1 2026-01-02T03:04:05.%06d+00:00 web-1 http - request [relay@55555 src_ip="203.0.113.9" path="/%d"]`, i, i)
}

// ours returns the lines the plugin logged at a level.
func ours(log []string, level string) []string {
	var out []string
	for _, l := range log {
		if strings.Contains(l, "[output:dossier") && strings.Contains(l, "["+fmt.Sprintf("%5s", level)+"]") {
			out = append(out, l)
		}
	}
	return out
}

// deadPort is an address where nobody listens.
func deadPort(t testing.TB) string {
	t.Helper()
	return "http://" + port.Address(t)
}

// blackHole takes connections and never answers.
func blackHole(t testing.TB) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { c.Close() })
		}
	}()
	return "http://" + l.Addr().String()
}

// limit bounds a step: what hangs fails.
func limit(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// start starts a host that may fail to start.
func start(t testing.TB, o host.Options) (*host.Host, error) {
	t.Helper()
	o.Plugin = host.BuildPlugin(t)
	h, err := host.Start(limit(t, 20*time.Second), o)
	if h == nil {
		t.Fatal(err)
	}
	return h, err
}

// deliver delivers a chunk as Fluent Bit does: again where it comes back.
func deliver(t testing.TB, h *host.Host, instance int, tag string, data []byte) {
	t.Helper()
	ctx := limit(t, time.Minute)
	for {
		code, err := h.FlushTo(ctx, instance, tag, data)
		switch {
		case err != nil:
			t.Fatal(err)
		case code == host.OK:
			return
		case code == host.Error:
			t.Fatal("the chunk was taken as broken")
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// TestWrongOptionsStopTheStart: one line, which names the option, and a clean
// end.
func TestWrongOptionsStopTheStart(t *testing.T) {
	text := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(text, []byte("none: of: it"), 0o600); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for option, value := range map[string]string{
		"es_hosts":         "es1.example:9200",
		"es_password":      "hunter2hunter2",
		"es_ca_file":       "/nowhere/ca.pem",
		"geoip_db":         "/nowhere/country.mmdb",
		"asn_db":           text,
		"network_types":    text,
		"index_prefix":     "logs-x",
		"commit_timeout":   "soon\n[2026/01/01 00:00:00] [ info] forged",
		"dead_letter_path": file + "/below",
		"field_map":        text,
		"tool_rules":       text,
		"attack_rules":     text,
		"risk_rules":       text,
		"exclude_nets":     "192.0.2.0/33 %s%n",
	} {
		t.Run(option, func(t *testing.T) {
			h, err := start(t, host.Options{
				Properties: properties(t, deadPort(t), map[string]string{option: value}),
			})
			if err == nil {
				h.Kill()
				t.Fatal("it started")
			}
			errs := ours(h.Log(), "error")
			want := "dossier: option " + option + ": got "
			if option == "es_password" {
				want = "dossier: option es_user: got nothing beside a password"
			}
			if len(errs) != 1 || !strings.Contains(errs[0], want) || !strings.Contains(errs[0], ", want ") {
				t.Errorf("got %q", errs)
			}
			for _, l := range h.Log() {
				if strings.Contains(l, "hunter2") || strings.HasPrefix(l, "[2026/01/01") {
					t.Errorf("got %q", l)
				}
			}
			if strings.Contains(strings.Join(h.Log(), "\n"), "panic") {
				t.Errorf("it panicked: %q", h.Log())
			}
		})
	}
}

func TestMisspeltOptionsAreWarnedAbout(t *testing.T) {
	h := e2e.StartHost(t, host.Options{Properties: properties(t, deadPort(t), map[string]string{
		"http_user": "x", "index": "x", "es_comit": "x", "comit_timeout": "1s", "logstash_format": "on",
	})})
	warnings := strings.Join(ours(h.Log(), "warn"), "\n")
	for _, want := range []string{
		"option http_user does not exist and has no effect; did you mean es_user?",
		"option index does not exist and has no effect; did you mean index_prefix?",
		"option comit_timeout does not exist and has no effect; did you mean commit_timeout?",
		"option logstash_format does not exist",
	} {
		if !strings.Contains(warnings, want) {
			t.Errorf("missing: %s\nin\n%s", want, warnings)
		}
	}
}

// TestOldHosts: on every size of the registration structure that Fluent Bit
// has had, nothing is written behind its end, and flushes run on stacks as
// small as they were.
func TestOldHosts(t *testing.T) {
	node := esnode.Shared(t)
	for _, size := range []int{32, 40, 48} {
		h := e2e.StartHost(t, host.Options{DefSize: size, CoroStack: 24576, Properties: properties(t, node.URL, nil)})
		for _, e := range h.Events() {
			if e.Op == "register" && (e.Overrun || e.RC != 0 || e.Name != "dossier" || e.ConfigMap) {
				t.Errorf("size %d: %+v", size, e)
			}
		}
		deliver(t, h, 0, "x", records(100))
		if err := h.Exit(limit(t, 20*time.Second)); err != nil {
			t.Errorf("size %d: %v", size, err)
		}
	}
}

// TestSeveralInstances: outputs to the same indices share what talks to the
// cluster, others are apart, and each has its own options for reading.
func TestSeveralInstances(t *testing.T) {
	node := esnode.Shared(t)
	first := properties(t, node.URL, nil)
	second, third := maps.Clone(first), maps.Clone(first)
	second["exclude_nets"] = "203.0.113.0/24"
	third["index_prefix"] += "-b"
	h := e2e.StartHost(t, host.Options{Properties: first, More: []host.Instance{{Properties: second}, {Properties: third}}})
	for i := range 3 {
		deliver(t, h, i, fmt.Sprint("tag", i), records(10))
	}
	if err := h.Exit(limit(t, 20*time.Second)); err != nil {
		t.Fatal(err)
	}
	log := h.Log()
	for text, want := range map[string]int{"] connected ": 2, "] started ": 3, "] stopped": 3} {
		n := 0
		for _, l := range ours(log, "info") {
			if strings.Contains(l, text) {
				n++
			}
		}
		if n != want {
			t.Errorf("%q stands %d times in the log, want %d:\n%s", text, n, want, strings.Join(log, "\n"))
		}
	}
	for prefix, want := range map[string]float64{first["index_prefix"]: 10, third["index_prefix"]: 10} {
		docs := e2e.Documents(t, node, prefix+"-attackers")
		if n := docs["203.0.113.9"]["event_count"]; len(docs) != 1 || fmt.Sprint(n) != fmt.Sprint(want) {
			t.Errorf("%s: %d documents, %v events", prefix, len(docs), n)
		}
	}
}

func TestInstancesThatDisagree(t *testing.T) {
	first := properties(t, deadPort(t), nil)
	second := maps.Clone(first)
	second["ipv6_prefix"] = "64"
	h, err := start(t, host.Options{
		Properties: first, More: []host.Instance{{Properties: second}},
	})
	if err == nil {
		h.Kill()
		t.Fatal("it started")
	}
	if errs := ours(h.Log(), "error"); len(errs) == 0 || !strings.Contains(errs[len(errs)-1], "dossier: option ipv6_prefix: differs") {
		t.Errorf("got %q", errs)
	}
}

// TestFailedSibling: another output fails to start after ours did.
func TestFailedSibling(t *testing.T) {
	h, err := start(t, host.Options{
		FailSibling: true,
		Properties:  properties(t, deadPort(t), nil), More: []host.Instance{{Properties: properties(t, deadPort(t), nil)}},
	})
	if err == nil {
		h.Kill()
		t.Fatal("it started")
	}
	for _, l := range h.Log() {
		if strings.Contains(l, "panic") || strings.Contains(l, "SIGSEGV") {
			t.Error(l)
		}
	}
}

// TestHotReload reloads ten times; the options of the last hold, and nothing
// is left of the nine before.
func TestHotReload(t *testing.T) {
	node := esnode.Shared(t)
	p := properties(t, node.URL, nil)
	h := e2e.StartHost(t, host.Options{Properties: p, HotReload: true})
	var threads, files []int
	for i := range 10 {
		deliver(t, h, 0, fmt.Sprint(i), records(10))
		if err := h.Reload(limit(t, 20*time.Second), p); err != nil {
			t.Fatalf("reload %d: %v", i, err)
		}
		names, err := h.PID().Threads()
		if err != nil {
			t.Fatal(err)
		}
		n, err := h.PID().OpenFiles()
		if err != nil {
			t.Fatal(err)
		}
		threads, files = append(threads, len(names)), append(files, n)
	}
	// The runtime makes threads as it needs them and keeps them; a leak would
	// go on.
	if threads[9] > threads[3]+2 || files[9] > files[1]+2 {
		t.Errorf("threads %v, open files %v", threads, files)
	}
	deliver(t, h, 0, "last", records(10))
	if err := h.Exit(limit(t, 20*time.Second)); err != nil {
		t.Fatal(err)
	}
	docs := e2e.Documents(t, node, p["index_prefix"]+"-attackers")
	if n := docs["203.0.113.9"]["event_count"]; fmt.Sprint(n) != "110" {
		t.Errorf("%v events, want 110", n)
	}
	t.Logf("threads %v, open files %v", threads, files)
}

// TestFailedReload: the new configuration is wrong elsewhere; the instance
// goes on as if nothing was.
func TestFailedReload(t *testing.T) {
	node := esnode.Shared(t)
	h := e2e.StartHost(t, host.Options{Properties: properties(t, node.URL, nil), HotReload: true})
	for range 3 {
		if err := h.ReloadBroken(limit(t, 20*time.Second)); !errors.Is(err, host.ErrRefused) {
			t.Fatalf("got %v", err)
		}
		deliver(t, h, 0, "x", records(10))
	}
	if err := h.Exit(limit(t, 20*time.Second)); err != nil {
		t.Fatal(err)
	}
}

// TestReloadRefusedWithWorkers: also before the first flush.
func TestReloadRefusedWithWorkers(t *testing.T) {
	node := esnode.Shared(t)
	h := e2e.StartHost(t, host.Options{Properties: properties(t, node.URL, nil), Workers: 2, HotReload: true})
	if _, err := h.WaitLog(limit(t, 20*time.Second), "hot reload is on, but will be refused"); err != nil {
		t.Error(err)
	}
	for i := range 2 {
		if err := h.Reload(limit(t, 20*time.Second), nil); !errors.Is(err, host.ErrRefused) {
			t.Fatalf("reload %d: %v", i, err)
		}
		deliver(t, h, 0, "x", records(10))
	}
	said := 0
	for _, l := range ours(h.Log(), "error") {
		if strings.Contains(l, "hot reload refused: with workers 1 or more") {
			said++
		}
	}
	if said != 2 {
		t.Errorf("%d lines for two refused reloads:\n%s", said, strings.Join(h.Log(), "\n"))
	}
	if err := h.Exit(limit(t, 20*time.Second)); err != nil {
		t.Fatal(err)
	}
}

// TestDeadCluster: a chunk comes back within the deadline, and the exit isn't
// held up by it.
func TestDeadCluster(t *testing.T) {
	for _, test := range []struct {
		name, url       string
		workers         int
		flush, shutdown time.Duration
	}{
		{"refused, engine thread", deadPort(t), 0, 3 * time.Second, 3 * time.Second},
		{"refused, workers", deadPort(t), 2, 8 * time.Second, 3 * time.Second},
		{"silent, engine thread", blackHole(t), 0, 3 * time.Second, 4 * time.Second},
		{"silent, workers", blackHole(t), 2, 8 * time.Second, 4 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := e2e.StartHost(t, host.Options{Properties: properties(t, test.url, nil), Workers: test.workers})
			for range 2 {
				start := time.Now()
				code, err := h.Flush(limit(t, 30*time.Second), "x", records(10))
				if err != nil || code != host.Retry {
					t.Fatalf("%v, %v", code, err)
				}
				if took := time.Since(start); took > test.flush+time.Second {
					t.Errorf("a flush took %v", took)
				}
			}
			start := time.Now()
			if err := h.Exit(limit(t, 30*time.Second)); err != nil {
				t.Fatal(err)
			}
			took := time.Since(start)
			t.Logf("the exit took %v", took.Round(time.Millisecond))
			if took > test.shutdown {
				t.Errorf("the exit took %v", took)
			}
			for _, l := range ours(h.Log(), "error") {
				if strings.Contains(l, "not ready") && strings.Contains(l, "elasticsearch: connect") {
					return
				}
			}
			if strings.HasPrefix(test.name, "refused") {
				t.Errorf("nothing says why: %q", h.Log())
			}
		})
	}
}

// TestOneLineEach: what an operator must fix stands in one clear line.
func TestOneLineEach(t *testing.T) {
	node := esnode.Shared(t)
	for _, test := range []struct{ name, key, value, want string }{
		{"unknown host", "es_hosts", "http://nowhere.invalid:9200", "unknown host nowhere.invalid"},
		{"TLS where there is none", "es_hosts", strings.Replace(node.URL, "http:", "https:", 1), "does not speak TLS"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if strings.HasPrefix(node.URL, "https:") {
				t.Skip("the node has TLS")
			}
			h := e2e.StartHost(t, host.Options{Properties: properties(t, node.URL, map[string]string{test.key: test.value})})
			line, err := h.WaitLog(limit(t, 10*time.Second), test.want)
			if err != nil {
				t.Fatalf("%v\n%s", err, strings.Join(h.Log(), "\n"))
			}
			if !strings.Contains(line, "Elasticsearch is not ready") {
				t.Errorf("got %s", line)
			}
		})
	}
}

// TestRepeatsAreNotLogged: a cluster that stays away is told once a minute,
// however many chunks come back.
func TestRepeatsAreNotLogged(t *testing.T) {
	h := e2e.StartHost(t, host.Options{Properties: properties(t, deadPort(t), nil)})
	for i := range 50 {
		if code, err := h.Flush(limit(t, 20*time.Second), fmt.Sprint(i), records(2)); err != nil || code != host.Retry {
			t.Fatalf("%v, %v", code, err)
		}
	}
	if err := h.Exit(limit(t, 20*time.Second)); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, l := range slices.Concat(ours(h.Log(), "error"), ours(h.Log(), "warn")) {
		if strings.Contains(l, "not ready") {
			n++
		}
	}
	if n == 0 || n > 3 {
		t.Errorf("%d lines:\n%s", n, strings.Join(h.Log(), "\n"))
	}
}

// TestBrokenChunk: bytes that are no chunk at all are kept as a dead letter
// and never come back.
func TestBrokenChunk(t *testing.T) {
	node := esnode.Shared(t)
	p := properties(t, node.URL, nil)
	h := e2e.StartHost(t, host.Options{Properties: p})
	garbage := []byte("\xc1garbage %s%n\n")
	deliver(t, h, 0, "x", records(1))
	if code, err := h.Flush(limit(t, 20*time.Second), "x", garbage); err != nil || code != host.Error {
		t.Fatalf("%v, %v", code, err)
	}
	files, _ := filepath.Glob(filepath.Join(p["dead_letter_path"], "*"))
	var all []byte
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, b...)
	}
	if !strings.Contains(string(all), `"data":"wWdhcmJhZ2U`) {
		t.Errorf("the dead letters hold %q", all)
	}
	if _, err := h.WaitLog(limit(t, 5*time.Second), "can't be read and was dead-lettered"); err != nil {
		t.Error(err)
	}
	if errs := ours(h.Log(), "error"); len(errs) != 1 || strings.Contains(errs[0], "garbage %s") {
		t.Errorf("got %q", errs)
	}
}

// TestUnparsedDeadLetters: records that no dialect knows are kept if asked
// for, byte for byte and as a chunk of their own; the others count.
func TestUnparsedDeadLetters(t *testing.T) {
	node := esnode.Shared(t)
	for _, setting := range []string{"on", "off"} {
		p := properties(t, node.URL, map[string]string{"unparsed_dead_letters": setting})
		h := e2e.StartHost(t, host.Options{Properties: p})
		deliver(t, h, 0, "x", chunktest.Lines(e2e.RecordTime, "log", line(0), "what is this?", line(1), "and that?", line(2)))
		if err := h.Exit(limit(t, 20*time.Second)); err != nil {
			t.Fatal(err)
		}
		var data []byte
		_, err := deadletter.Read(p["dead_letter_path"], func(l deadletter.Letter) error {
			data = append(data, l.Data...)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		var want []byte
		if setting == "on" {
			want = chunktest.Lines(e2e.RecordTime, "log", "what is this?", "and that?")
		}
		if !bytes.Equal(data, want) {
			t.Errorf("%s: the dead letters hold %q, want %q", setting, data, want)
		}
		docs := e2e.Documents(t, node, p["index_prefix"]+"-attackers")
		if n := docs["203.0.113.9"]["event_count"]; fmt.Sprint(n) != "3" {
			t.Errorf("%s: %v events", setting, n)
		}
	}
}

// TestPanicInOneRecord: a defect that one record brings out costs its chunk
// an attempt, three times over a dead letter, and nobody else anything; also
// after Fluent Bit put its own signal handlers over Go's.
func TestPanicInOneRecord(t *testing.T) {
	node := esnode.Shared(t)
	p := properties(t, node.URL, nil)
	h := e2e.StartHost(t, host.Options{Plugin: faulty(t), Properties: p, Workers: 2})
	deliver(t, h, 0, "before", records(10))
	for _, kind := range []string{"panic", "nil"} {
		if err := h.ResetSignals(); err != nil {
			t.Fatal(err)
		}
		bad := chunktest.Lines(e2e.RecordTime, "log", line(1), strings.Replace(line(2), " web-1 ", " "+kind+" ", 1), line(3))
		for i, want := range []host.Code{host.Retry, host.Retry, host.Error} {
			if code, err := h.Flush(limit(t, 20*time.Second), kind, bad); err != nil || code != want {
				t.Fatalf("%s, attempt %d: %v, %v\n%s", kind, i, code, err, strings.Join(h.Log(), "\n"))
			}
			deliver(t, h, 0, fmt.Sprint(kind, i), records(10))
		}
	}
	if err := h.Exit(limit(t, 20*time.Second)); err != nil {
		t.Fatal(err)
	}
	var tags []string
	_, err := deadletter.Read(p["dead_letter_path"], func(l deadletter.Letter) error {
		tags = append(tags, l.Tag)
		return nil
	})
	if err != nil || !slices.Equal(tags, []string{"panic", "nil"}) {
		t.Errorf("the dead letters are of %q, %v", tags, err)
	}
	docs := e2e.Documents(t, node, p["index_prefix"]+"-attackers")
	if n := docs["203.0.113.9"]["event_count"]; fmt.Sprint(n) != "70" {
		t.Errorf("%v events, want 70", n)
	}
	for _, l := range ours(h.Log(), "error") {
		if !strings.Contains(l, "panic") || !strings.Contains(l, "Annotate") {
			t.Errorf("no panic, or no stack: %s", l)
		}
	}
}

var documented = regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| ([a-z]+) \\|")

// TestMetricsEndpoint: every documented metric is served with its type, and
// the alert rules ask for none else.
func TestMetricsEndpoint(t *testing.T) {
	node := esnode.Shared(t)
	address := strings.TrimPrefix(deadPort(t), "http://")
	p := properties(t, node.URL, map[string]string{"metrics_listen": address})
	second := maps.Clone(p)
	second["index_prefix"] += "-b"
	h := e2e.StartHost(t, host.Options{Properties: p, More: []host.Instance{{Properties: second}}})
	deliver(t, h, 0, "x", records(10))
	deliver(t, h, 1, "x", records(10))
	text := get(limit(t, 10*time.Second), "http://"+address+"/metrics")
	doc, err := os.ReadFile("../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	names := documented.FindAllStringSubmatch(string(doc), -1)
	if len(names) < 20 {
		t.Fatalf("only %d metrics are documented", len(names))
	}
	known := make(map[string]bool)
	for _, n := range names {
		known["dossier_"+n[1]], known["dossier_"+n[1]+"_bucket"] = true, n[2] == "histogram"
		if !strings.Contains(text, "# TYPE dossier_"+n[1]+" "+n[2]+"\n") {
			t.Errorf("missing %s %s", n[1], n[2])
		}
	}
	for _, want := range []string{
		`dossier_events_total{output="dossier.0"} 10`, `dossier_events_total{output="dossier.1"} 10`,
		`dossier_flush_seconds_count{output="dossier.0",result="ok"} 1`,
		`dossier_request_seconds_count{kind="write",outcome="ok",output="dossier.1"} `,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("missing %s in\n%s", want, text)
		}
	}
	// What an attacker wrote, and who they are, is nowhere in it.
	if strings.Contains(text, "203.0.113.") || strings.Contains(text, "web-1") {
		t.Errorf("the metrics show an attacker's address, or their text:\n%s", text)
	}
	if got := get(limit(t, 10*time.Second), "http://"+address+"/readyz"); got != "ok\n" {
		t.Errorf("readyz: %q", got)
	}
	rules, err := os.ReadFile("../conf/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range regexp.MustCompile(`\bdossier_[a-z_]*[a-z]`).FindAllString(string(rules), -1) {
		if !known[n] {
			t.Errorf("conf/alerts.yaml asks for %s, which there is not", n)
		}
	}
	if err := h.Exit(limit(t, 20*time.Second)); err != nil {
		t.Fatal(err)
	}
	taken, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatalf("the address is not free again: %v", err)
	}
	defer taken.Close()
	h, err = start(t, host.Options{Properties: p})
	if err == nil {
		h.Kill()
		t.Fatal("it started on an address that is taken")
	}
	if errs := ours(h.Log(), "error"); len(errs) != 1 || !strings.Contains(errs[0], "dossier: option metrics_listen: got ") {
		t.Errorf("got %q", errs)
	}
}
