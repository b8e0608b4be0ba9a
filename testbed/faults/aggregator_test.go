package faults

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dossier/testbed/authority"
	"dossier/testbed/e2e"
	"dossier/testbed/esnode"
	"dossier/testbed/flb"
	"dossier/testbed/host"
	"dossier/testbed/port"
	"dossier/testbed/process"
)

// TestAggregators: fifty Fluent Bits without the plugin send to two with it,
// all with the shipped configurations. While none is killed every event counts
// once. When one aggregator is killed nothing is lost; what a sender sends
// again, since nobody had acknowledged it, may count twice: it is another
// chunk. It prints what that was, and what the aggregators took.
func TestAggregators(t *testing.T) {
	long(t)
	flb.RequirePlugin(t, flb.Input, "forward")
	flb.RequirePlugin(t, flb.Output, "forward")
	const senders = 50
	perSender, lines := linesEach(t, senders, 2000, "DOSSIER_SENDER_LINES")
	node := esnode.Shared(t)
	want := undisturbed(t, node, e2e.Cut(lines, 60))

	for _, kill := range []bool{false, true} {
		name := "none is killed"
		if kill {
			name = "one is killed"
		}
		t.Run(name, func(t *testing.T) {
			prefix := e2e.Prefix(t)
			f := newForwarding(t, node, prefix)
			one, two := f.aggregator("one"), f.aggregator("two")
			begin := time.Now()
			var all []*sender
			for i := range senders {
				all = append(all, f.sender(i, lines[i*perSender:(i+1)*perSender]))
			}
			if kill {
				// In the middle: when the first third has come in.
				f.until("a third of the records", func() bool { return f.taken("one")+f.taken("two") > len(lines)/3 })
				two.Kill()
				time.Sleep(3 * time.Second)
				two = f.aggregator("two")
			}
			f.until("every sender has been acknowledged for everything", func() bool {
				for _, s := range all {
					if s.sent() < perSender {
						return false
					}
				}
				return true
			})
			f.until("the aggregators hold nothing any more", func() bool { return f.held("one")+f.held("two") == 0 })
			took := time.Since(begin)
			for name, a := range map[string]*flb.Fluent{"one": one, "two": two} {
				rss, err := process.PID(a.PID()).PeakRSS()
				if err != nil {
					t.Fatal(err)
				}
				cpu, err := process.PID(a.PID()).Time()
				if err != nil {
					t.Fatal(err)
				}
				t.Logf("aggregator %s: %d MiB at the most, %.1f s of processor time", name, rss>>20, cpu.Seconds())
				if err := a.Stop(t.Context()); err != nil {
					t.Error(err)
				}
			}
			again := 0
			for _, s := range all {
				again += s.retried()
				if err := s.Stop(t.Context()); err != nil {
					t.Error(err)
				}
			}
			t.Logf("%d senders, %d records in %.1f s (%.0f/s); %d chunks were sent again", senders, len(lines), took.Seconds(), float64(len(lines))/took.Seconds(), again)
			got := documents(t, node, prefix)
			if !kill {
				equal(t, withoutSensors(want), withoutSensors(got))
				return
			}
			lost, twice := 0, 0
			for id, doc := range want["-attackers"] {
				n, counted := int(doc["event_count"].(float64)), 0
				if d := got["-attackers"][id]; d != nil {
					counted = int(d["event_count"].(float64))
				}
				lost += max(0, n-counted)
				twice += max(0, counted-n)
			}
			t.Logf("lost: %d; counted twice: %d of %d", lost, twice, len(lines))
			if lost > 0 {
				t.Errorf("%d events are lost", lost)
			}
			if twice > 0 && again == 0 {
				t.Errorf("%d events count twice, and no chunk was sent again", twice)
			}
		})
	}
}

// withoutSensors takes out who wrote: by way of aggregators those are others.
func withoutSensors(docs map[string]map[string]map[string]any) map[string]map[string]map[string]any {
	for _, of := range docs {
		for _, doc := range of {
			delete(doc, "sensors")
			delete(doc, "observer")
		}
	}
	return docs
}

// forwarding is a fleet that sends to aggregators.
type forwarding struct {
	*testing.T
	dir    string
	prefix string
	node   *esnode.Node
	ports  map[string]string // of the aggregators
	http   map[string]string
}

func newForwarding(t *testing.T, node *esnode.Node, prefix string) *forwarding {
	f := &forwarding{T: t, dir: t.TempDir(), prefix: prefix, node: node, ports: map[string]string{}, http: map[string]string{}}
	for _, name := range []string{"one", "two"} {
		f.ports[name], f.http[name] = port.Text(t), port.Text(t)
	}
	certificate(t, f.dir)
	f.write("aggregators.conf", "aggregators.conf",
		"aggregator-1.example", "localhost", "aggregator-2.example", "localhost", "/etc/fluent-bit/ca.pem", filepath.Join(f.dir, "ca.pem"))
	path := filepath.Join(f.dir, "aggregators.conf")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	first, second, _ := strings.Cut(string(text), "24224")
	second = strings.Replace(second, "24224", f.ports["two"], 1)
	if err := os.WriteFile(path, []byte(first+f.ports["one"]+second), 0o600); err != nil {
		t.Fatal(err)
	}
	return f
}

// write writes a shipped configuration with other words in it.
func (f *forwarding) write(to, shipped string, oldnew ...string) string {
	f.Helper()
	text, err := os.ReadFile(e2e.Data("..", "..", "conf", shipped))
	if err != nil {
		f.Fatal(err)
	}
	for i := 0; i < len(oldnew); i += 2 {
		if !strings.Contains(string(text), oldnew[i]) {
			f.Fatalf("%s has no %q", shipped, oldnew[i])
		}
	}
	path := filepath.Join(f.dir, to)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		f.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(strings.NewReplacer(oldnew...).Replace(string(text))), 0o600); err != nil {
		f.Fatal(err)
	}
	return path
}

// env is what the configurations leave to the environment.
var env = []string{"AGGREGATOR_SHARED_KEY=0123456789abcdef", "DOSSIER_ES_API_KEY=id:key"}

// aggregator starts one, or starts it again where it was.
func (f *forwarding) aggregator(name string) *flb.Fluent {
	dir := filepath.Join(f.dir, name)
	config := f.write(name+"/fluent-bit.yaml", "dossier-aggregator.yaml",
		"/usr/lib/dossier/out_dossier.so", host.BuildPlugin(f), "/var/lib/fluent-bit/storage", filepath.Join(dir, "storage"),
		"/etc/fluent-bit/", f.dir+"/", "/var/lib/dossier/dead-letters", filepath.Join(dir, "dead-letters"),
		"24224", f.ports[name], "2020", f.http[name], "0.0.0.0", "127.0.0.1",
		"https://elastic-1.example:9200", f.node.URL, "      es_ca_file: /etc/dossier/ca.pem\n", "", "      es_api_key: ${DOSSIER_ES_API_KEY}\n", "",
		"index_prefix: dossier", "index_prefix: "+f.prefix, "# sensor_id: aggregator-1", "sensor_id: "+name)
	return flb.Run(f.Context(), f, flb.Options{Config: config, Env: env})
}

// sender is one sensor.
type sender struct {
	*flb.Fluent
	f    *forwarding
	http string
}

func (f *forwarding) sender(n int, lines []string) *sender {
	name := fmt.Sprintf("sensor-%02d", n)
	dir := filepath.Join(f.dir, name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		f.Fatal(err)
	}
	file := filepath.Join(dir, "decnet.log")
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		f.Fatal(err)
	}
	s := &sender{f: f, http: port.Text(f)}
	config := f.write(name+"/fluent-bit.yaml", "forward-to-aggregator.yaml",
		"/var/lib/fluent-bit/", dir+"/", "/var/log/decnet/decnet.log", file, "/etc/fluent-bit/", f.dir+"/", "2020", s.http)
	s.Fluent = flb.Run(f.Context(), f, flb.Options{Config: config, Env: env})
	return s
}

// output reads a counter of the sender's output.
func (s *sender) output(key string) int { return s.f.counter(s.http, "output", "forward.0", key) }

// sent is how many records were acknowledged.
func (s *sender) sent() int    { return s.output("proc_records") }
func (s *sender) retried() int { return s.output("retries") }

// taken is how many records an aggregator has taken in since it started.
func (f *forwarding) taken(name string) int {
	return f.counter(f.http[name], "input", "forward.0", "records")
}

// counter reads a counter of a Fluent Bit, 0 where it doesn't answer.
func (f *forwarding) counter(port, kind, name, key string) int {
	res, err := http.Get("http://127.0.0.1:" + port + "/api/v1/metrics")
	if err != nil {
		return 0
	}
	defer res.Body.Close()
	var m map[string]map[string]map[string]float64
	if json.NewDecoder(res.Body).Decode(&m) != nil {
		return 0
	}
	return int(m[kind][name][key])
}

// held is how many chunks wait in an aggregator's storage.
func (f *forwarding) held(name string) int {
	held, err := filepath.Glob(filepath.Join(f.dir, name, "storage", "*", "*.flb"))
	if err != nil {
		f.Fatal(err)
	}
	return len(held)
}

func (f *forwarding) until(what string, is func() bool) {
	f.Helper()
	ctx, cancel := context.WithTimeout(f.Context(), 8*time.Minute)
	defer cancel()
	for !is() {
		select {
		case <-ctx.Done():
			f.Fatalf("after eight minutes still not: %s", what)
		case <-time.After(500 * time.Millisecond):
		}
	}
}

// certificate writes a certificate for localhost, its key, and the authority that
// the senders trust.
func certificate(t *testing.T, dir string) {
	t.Helper()
	ca, err := authority.New()
	if err != nil {
		t.Fatal(err)
	}
	crt, key, err := ca.Server("localhost")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{"aggregator.pem": crt, "aggregator-key.pem": key, "ca.pem": ca.CA()} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
