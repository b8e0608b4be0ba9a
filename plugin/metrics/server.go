// Package metrics serves the metrics and the health of the outputs over HTTP,
// for Prometheus and for whoever watches the process.
package metrics

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"dossier/plugin/instance"
)

// Source is what is served of an output: an instance.Instance.
type Source interface {
	Metrics() []instance.Metric
	Histograms() []instance.Histogram
	// Health says why the output gets nothing done, nil where it does.
	Health() error
}

// Servers holds the servers of a process by address: outputs with the same
// address share one. The zero value is ready.
type Servers struct {
	mu sync.Mutex
	by map[string]*server
}

type server struct {
	http     *http.Server
	registry *prometheus.Registry
	done     chan struct{}

	mu      sync.Mutex
	sources map[string]*collector
}

// Serve adds an output by its name to the server at the address, which it
// starts where there is none yet. The function it returns ends that.
func (ss *Servers) Serve(address, name, version string, s Source) (end func(), err error) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	srv := ss.by[address]
	if srv == nil {
		if srv, err = listen(address, version); err != nil {
			return nil, err
		}
	}
	c := &collector{source: s, output: name}
	srv.mu.Lock()
	_, twice := srv.sources[name]
	if !twice {
		srv.sources[name] = c
	}
	srv.mu.Unlock()
	if twice {
		return nil, fmt.Errorf("two outputs have the name %q: give one an alias", name)
	}
	srv.registry.MustRegister(c)
	if ss.by == nil {
		ss.by = make(map[string]*server)
	}
	ss.by[address] = srv
	return sync.OnceFunc(func() { ss.end(address, name) }), nil
}

func (ss *Servers) end(address, name string) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	srv := ss.by[address]
	srv.mu.Lock()
	c := srv.sources[name]
	delete(srv.sources, name)
	last := len(srv.sources) == 0
	srv.mu.Unlock()
	srv.registry.Unregister(c)
	if last {
		delete(ss.by, address)
		srv.close()
	}
}

func listen(address, version string) (*server, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	s := &server{registry: prometheus.NewRegistry(), done: make(chan struct{}), sources: make(map[string]*collector)}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Namespace: namespace, Name: "build_info", Help: "1, with the version of Dossier.",
		ConstLabels: prometheus.Labels{"version": version},
	})
	build.Set(1)
	s.registry.MustRegister(build, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.registry, promhttp.HandlerOpts{
		ErrorHandling: promhttp.ContinueOnError, MaxRequestsInFlight: 4, Timeout: 10 * time.Second,
	}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok\n") })
	mux.HandleFunc("GET /readyz", s.ready)
	s.http = &http.Server{
		Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 20 * time.Second,
		IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
	}
	go func() {
		defer close(s.done)
		s.http.Serve(l)
	}()
	return s, nil
}

// close ends the server. Requests under way have a moment to end.
func (s *server) close() {
	ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
	defer cancel()
	if s.http.Shutdown(ctx) != nil {
		s.http.Close()
	}
	<-s.done
}

// ready answers 200 when all outputs get their chunks done, 503 and one line
// for each that doesn't otherwise.
func (s *server) ready(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	var lines []string
	for name, c := range s.sources {
		if err := c.source.Health(); err != nil {
			lines = append(lines, fmt.Sprintf("%s: %s\n", name, strings.ReplaceAll(err.Error(), "\n", "; ")))
		}
	}
	s.mu.Unlock()
	if len(lines) == 0 {
		io.WriteString(w, "ok\n")
		return
	}
	slices.Sort(lines)
	w.WriteHeader(http.StatusServiceUnavailable)
	for _, l := range lines {
		io.WriteString(w, l)
	}
}
