package observe

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"dossier/panics"
	"dossier/testbed/port"
	"dossier/testbed/process"
)

// panicking is an output that panics when it is asked.
type panicking struct {
	source
	metrics, histograms, health bool
}

func (p *panicking) Figures() Figures {
	if p.metrics {
		panic("metrics")
	}
	return p.source.Figures()
}

func (p *panicking) Histograms() []prometheus.Collector {
	if p.histograms {
		panic("histograms")
	}
	return p.source.Histograms()
}

func (p *panicking) Health() error {
	if p.health {
		panic("health")
	}
	return p.source.Health()
}

// heard collects what a server tells.
type heard struct {
	process.Log
	mu     sync.Mutex
	panics []*panics.Panic
}

func (h *heard) options() Options {
	return Options{Version: "1", Log: slog.New(slog.NewTextHandler(&h.Log, nil)), Panicked: func(p *panics.Panic) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.panics = append(h.panics, p)
	}}
}

func (h *heard) take() []*panics.Panic {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := h.panics
	h.panics = nil
	return out
}

func figures(output string) source {
	return source{
		series:     []Series{{Name: "a_total", Help: "A.", Value: always(1)}, {Name: "b_total", Help: "B.", Value: always(2)}},
		histograms: []prometheus.Collector{histogram("dossier_h", 1)},
	}
}

// TestPanickingOutput: one that panics costs what it was asked for; the others
// and the rest of its own are served, and each panic is told.
func TestPanickingOutput(t *testing.T) {
	defer goleak.VerifyNone(t)
	var h heard
	var servers Servers
	at := port.Address(t)
	bad, good := &panicking{source: figures("bad")}, figures("good")
	for name, s := range map[string]Source{"bad": bad, "good": &good} {
		end, err := servers.Serve(at, name, s, h.options())
		if err != nil {
			t.Fatal(err)
		}
		defer end()
	}
	rest := []string{`dossier_a_total{output="good"} 1`, `dossier_h_count{output="good"} 1`, "go_goroutines", "dossier_build_info"}
	for what, test := range map[string]struct {
		set     func(bool)
		present []string
		absent  string
	}{
		"metrics":    {func(on bool) { bad.metrics = on }, append(rest, `dossier_h_count{output="bad"} 1`), `dossier_a_total{output="bad"}`},
		"histograms": {func(on bool) { bad.histograms = on }, append(rest, `dossier_a_total{output="bad"} 1`), `dossier_h_count{output="bad"}`},
	} {
		test.set(true)
		code, text := get(t, at, "/metrics")
		test.set(false)
		if code != 200 || strings.Contains(text, test.absent) {
			t.Errorf("%s: HTTP %d\n%s", what, code, text)
		}
		for _, want := range test.present {
			if !strings.Contains(text, want) {
				t.Errorf("%s: %s is missing", what, want)
			}
		}
		if told := h.take(); len(told) != 1 || told[0].Value != what || told[0].During != "metrics" {
			t.Errorf("%s: told %v", what, told)
		}
	}
	bad.health = true
	if code, text := get(t, at, "/readyz"); code != 503 || text != "bad: panic in health: health\n" {
		t.Errorf("readyz: %d %q", code, text)
	}
	if told := h.take(); len(told) != 1 || told[0].During != "health" {
		t.Errorf("told %v", told)
	}
	bad.health = false
	if code, text := get(t, at, "/readyz"); code != 200 || text != "ok\n" {
		t.Errorf("readyz: %d %q", code, text)
	}
}

// TestSeriesThatCantBeMade costs itself, and is told by its name.
func TestSeriesThatCantBeMade(t *testing.T) {
	var h heard
	var servers Servers
	at := port.Address(t)
	s := figures("x")
	s.series = append(s.series,
		Series{Name: "bad name", Help: "X.", Value: always(3)},
		Series{Name: "c_total", Help: "C.", Labels: []Label{{Name: "l", Value: "\xff"}}, Value: always(4)},
		Series{Name: "a_total", Help: "A.", Value: always(5)}, // twice
		Series{Name: "d_total", Help: "D.", Value: always(6)},
	)
	s.histograms = append(s.histograms, histogram("dossier_bad\xff", 2))
	end, err := servers.Serve(at, "x\xff", &s, h.options())
	if err != nil {
		t.Fatal(err)
	}
	defer end()
	code, text := get(t, at, "/metrics")
	for _, want := range []string{"dossier_b_total{output=\"x\uFFFD\"} 2", "dossier_d_total{output=\"x\uFFFD\"} 6", `dossier_h_count`, "dossier_a_total"} {
		if code != 200 || !strings.Contains(text, want) {
			t.Errorf("HTTP %d, %s is missing in\n%s", code, want, text)
		}
	}
	log := h.String()
	for _, want := range []string{"a metric can't be served", "reason=c_total", "dossier_bad", "some metrics can't be served", "a_total"} {
		if !strings.Contains(log, want) {
			t.Errorf("the log has no %q: %s", want, log)
		}
	}
}

// listener fails as it is told to.
type listener struct {
	net.Listener
	fail func()
}

func (l *listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil && l.fail != nil {
		c.Close()
		l.fail()
		return nil, errors.New("broken")
	}
	return c, err
}

// TestListenerBreaks: a listener that panics or breaks is replaced, which is
// told, also where listening panics or is refused meanwhile.
func TestListenerBreaks(t *testing.T) {
	defer goleak.VerifyNone(t)
	for name, fail := range map[string]func(){"panics": func() { panic("a listener") }, "breaks": func() {}} {
		t.Run(name, func(t *testing.T) {
			var h heard
			at := port.Address(t)
			var calls atomic.Int32
			listen := func(network, address string) (net.Listener, error) {
				n := calls.Add(1)
				switch n {
				case 2:
					panic("listening")
				case 3:
					return nil, errors.New("in use")
				}
				l, err := net.Listen(network, address)
				if err != nil {
					return nil, err
				}
				if n > 1 {
					fail = nil
				}
				return &listener{l, fail}, nil
			}
			s, err := start(at, h.options(), listen)
			if err != nil {
				t.Fatal(err)
			}
			defer s.close()
			client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Second}
			for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
				res, err := client.Get("http://" + at + "/healthz")
				if err == nil {
					res.Body.Close()
					break
				}
				if time.Now().After(deadline) {
					t.Fatalf("it doesn't come back: %v", err)
				}
			}
			told, want := h.take(), 1 // of listening
			if name == "panics" {
				want = 2
			}
			if len(told) != want || !strings.Contains(h.String(), "metrics_listen can't be served") || calls.Load() != 4 {
				t.Errorf("told %v, %d calls, log %s", told, calls.Load(), h.String())
			}
		})
	}
}

// TestEndingWhileBroken: close doesn't wait for the address to be free again.
func TestEndingWhileBroken(t *testing.T) {
	defer goleak.VerifyNone(t)
	var h heard
	calls := make(chan struct{}, 100)
	s, err := start("x", h.options(), func(string, string) (net.Listener, error) {
		calls <- struct{}{}
		return broken{errors.New("gone")}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	<-calls
	<-calls
	s.close()
}

// TestScrapesDontWait: while an output is slow to say how it is, others come,
// go and are served.
func TestScrapesDontWait(t *testing.T) {
	var servers Servers
	at := port.Address(t)
	asked, answer := make(chan struct{}), make(chan struct{})
	slow := &waiting{source: figures("slow"), asked: asked, answer: answer}
	end, err := servers.Serve(at, "slow", slow, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer end()
	done := make(chan struct{})
	go func() { defer close(done); get(t, at, "/readyz") }()
	<-asked
	other := figures("other")
	endOther, err := servers.Serve(at, "other", &other, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, text := get(t, at, "/metrics"); !strings.Contains(text, `dossier_a_total{output="other"} 1`) {
		t.Errorf("got %s", text)
	}
	endOther()
	close(answer)
	<-done
}

type waiting struct {
	source
	asked, answer chan struct{}
}

func (w *waiting) Health() error {
	w.asked <- struct{}{}
	<-w.answer
	return nil
}

// TestScrapesAtOnceAreFew: each scrape asks all outputs, so that of more than four at
// once the rest is sent away.
func TestScrapesAtOnceAreFew(t *testing.T) {
	const most = 4
	var servers Servers
	at := port.Address(t)
	asked, answer := make(chan struct{}), make(chan struct{})
	slow := &gathering{source: figures("slow"), asked: asked, answer: answer}
	end, err := servers.Serve(at, "slow", slow, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer end()
	codes := make(chan int, most)
	for range most {
		go func() {
			code, _ := get(t, at, "/metrics")
			codes <- code
		}()
		<-asked
	}
	if code, _ := get(t, at, "/metrics"); code != http.StatusServiceUnavailable {
		t.Errorf("the scrape beside four others: HTTP %d", code)
	}
	close(answer)
	for range most {
		if code := <-codes; code != http.StatusOK {
			t.Errorf("one of the four: HTTP %d", code)
		}
	}
}

// gathering is an output that answers a scrape when it is let.
type gathering struct {
	source
	asked, answer chan struct{}
}

func (g *gathering) Figures() Figures {
	select {
	case <-g.answer:
	case g.asked <- struct{}{}:
		<-g.answer
	}
	return g.source.Figures()
}

// TestEndingWhileAsked: a request that doesn't end has a moment to, and is broken
// off then: neither it nor its connection outlives the server.
func TestEndingWhileAsked(t *testing.T) {
	asked, answer := make(chan struct{}), make(chan struct{})
	defer close(answer)
	var servers Servers
	at := port.Address(t)
	end, err := servers.Serve(at, "slow", &waiting{source: figures("slow"), asked: asked, answer: answer}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, "GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	<-asked
	end()
	c.SetReadDeadline(time.Now().Add(5 * time.Second))
	if n, err := c.Read(make([]byte, 1)); n != 0 || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the connection is still there: %d, %v", n, err)
	}
}
