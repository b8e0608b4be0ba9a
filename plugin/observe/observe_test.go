package observe

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"go.uber.org/goleak"

	"dossier/testbed/port"
)

type source struct {
	series     []Series
	histograms []prometheus.Collector
	health     error
}

func (s *source) Series() []Series                   { return s.series }
func (s *source) Figures() Figures                   { return Figures{} }
func (s *source) Histograms() []prometheus.Collector { return s.histograms }
func (s *source) Health() error                      { return s.health }

// always is what a series shows whatever the figures.
func always(v float64) func(*Figures) float64 { return func(*Figures) float64 { return v } }

// histogram is one with a bucket up to 1 and these values.
func histogram(name string, values ...float64) prometheus.Collector {
	h := prometheus.NewHistogram(prometheus.HistogramOpts{Name: name, Help: "H.", Buckets: []float64{1}})
	for _, v := range values {
		h.Observe(v)
	}
	return h
}

func get(t *testing.T, address, path string) (int, string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
	res, err := client.Get("http://" + address + path)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

func TestServer(t *testing.T) {
	defer goleak.VerifyNone(t)
	a := &source{
		series: []Series{
			{Name: "chunks_total", Help: "Chunks.", Labels: []Label{{Name: "result", Value: "ok"}}, Value: always(3)},
			{Name: "chunks_total", Help: "Chunks.", Labels: []Label{{Name: "result", Value: "retry"}}, Value: always(1)},
			{Name: "cache_bytes", Help: "Cache.", Gauge: true, Value: always(5)},
		},
		histograms: []prometheus.Collector{histogram("dossier_flush_seconds", 0.5, 1, 2)},
	}
	b := &source{series: a.series, histograms: a.histograms}
	var servers Servers
	at := port.Address(t)
	endA, err := servers.Serve(at, "a", a, Options{Version: "1.2.3"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := servers.Serve(at, "a", b, Options{Version: "1.2.3"}); err == nil || !strings.Contains(err.Error(), "alias") {
		t.Errorf("the same name twice: %v", err)
	}
	endB, err := servers.Serve(at, "b", b, Options{Version: "1.2.3"})
	if err != nil {
		t.Fatal(err)
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	if _, err := servers.Serve(taken.Addr().String(), "c", a, Options{Version: "1.2.3"}); err == nil {
		t.Error("it listens where somebody else does")
	}
	code, text := get(t, at, "/metrics")
	if code != 200 {
		t.Errorf("HTTP %d", code)
	}
	for _, want := range []string{
		`dossier_chunks_total{output="a",result="ok"} 3`, `dossier_chunks_total{output="b",result="retry"} 1`,
		"# TYPE dossier_chunks_total counter", "# TYPE dossier_cache_bytes gauge",
		`dossier_flush_seconds_bucket{output="a",le="1"} 2`, `dossier_flush_seconds_count{output="b"} 3`,
		`dossier_build_info{version="1.2.3"} 1`, "go_goroutines", "process_resident_memory_bytes",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("missing %s", want)
		}
	}
	a.health = errors.New("no answer\nat all")
	if code, text := get(t, at, "/readyz"); code != 503 || text != "a: no answer; at all\n" {
		t.Errorf("readyz: %d %q", code, text)
	}
	if code, text := get(t, at, "/healthz"); code != 200 || text != "ok\n" {
		t.Errorf("healthz: %d %q", code, text)
	}
	endA()
	endA()
	if code, text := get(t, at, "/readyz"); code != 200 || text != "ok\n" {
		t.Errorf("readyz: %d %q", code, text)
	}
	if _, text := get(t, at, "/metrics"); strings.Contains(text, `output="a"`) {
		t.Error("an output that ended is served")
	}
	if code, _ := get(t, at, "/debug/pprof/"); code != 404 {
		t.Errorf("HTTP %d for what isn't there", code)
	}
	endB()
	if c, err := net.Dial("tcp", at); err == nil {
		c.Close()
		t.Error("it still listens")
	}
	// The address is free for the next one: a hot reload.
	end, err := servers.Serve(at, "a", a, Options{Version: "1.2.3"})
	if err != nil {
		t.Fatal(err)
	}
	end()
}

var documented = regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| ([a-z]+) \\|")

// TestNames: every documented metric keeps Prometheus's conventions, and no
// other is served.
func TestNames(t *testing.T) {
	var text strings.Builder
	names := make(map[string]string)
	for _, m := range documented.FindAllStringSubmatch(metricsMarkdown(), -1) {
		names[m[1]] = m[2]
		fmt.Fprintf(&text, "# HELP dossier_%s x\n# TYPE dossier_%s %s\n", m[1], m[1], m[2])
		if m[2] == "histogram" {
			fmt.Fprintf(&text, "dossier_%s_bucket{le=\"+Inf\"} 0\ndossier_%s_sum 0\ndossier_%s_count 0\n", m[1], m[1], m[1])
		} else {
			fmt.Fprintf(&text, "dossier_%s 0\n", m[1])
		}
	}
	if len(names) < 20 {
		t.Fatalf("only %d metrics are documented", len(names))
	}
	problems, err := promlint.New(strings.NewReader(text.String())).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}
