// Package observe is what is told of the outputs: the series of counters and gauges,
// which Fluent Bit's own metrics have too, and metrics and health over HTTP, for
// Prometheus and for whoever watches the process.
//
// The lock of a server is a leaf: which outputs it has is read under it, and
// they are asked after.
package observe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"dossier/panics"
	"dossier/plugin/logging"
	"dossier/plugin/shared"
)

// Source is what is served of an output: an output.Output.
type Source interface {
	// Series are always the same.
	Series() []Series
	Figures() Figures
	Histograms() []prometheus.Collector
	// Health says why the output gets nothing done, nil where it does.
	Health() error
}

// Options says who hears of what goes wrong with serving.
type Options struct {
	Version string
	// Log takes what can't be served.
	//
	// If Log is nil, nobody hears of it.
	Log *slog.Logger
	// Panicked is told of panics; each costs what was being served. It may be
	// nil.
	Panicked func(*panics.Panic)
}

// Servers holds the servers of a process by address: outputs with the same
// address share one. The zero value is ready.
type Servers struct {
	pool shared.Pool[*server]
}

type server struct {
	address  string
	log      *slog.Logger
	panicked func(*panics.Panic)
	http     *http.Server
	listen   func(network, address string) (net.Listener, error)
	ending   chan struct{}
	done     chan struct{}

	mu      sync.Mutex
	sources map[string]Source
}

// Serve adds an output by its name to the server at the address, which it
// starts where there is none yet, with o. The function it returns ends that.
func (ss *Servers) Serve(address, name string, s Source, o Options) (end func(), err error) {
	srv, err := ss.pool.Acquire(address, func() (*server, error) { return start(address, o, net.Listen) })
	if err != nil {
		return nil, err
	}
	if !srv.add(name, s) {
		ss.pool.Release(address, (*server).close)
		return nil, fmt.Errorf("two outputs have the name %q: give one an alias", name)
	}
	return sync.OnceFunc(func() {
		srv.remove(name)
		ss.pool.Release(address, (*server).close)
	}), nil
}

// add is false where there is one of that name.
func (s *server) add(name string, source Source) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, twice := s.sources[name]; twice {
		return false
	}
	s.sources[name] = source
	return true
}

func (s *server) remove(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sources, name)
}

// outputs returns a copy of who is served.
func (s *server) outputs() map[string]Source {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.sources)
}

// start listens at the address. listen is net.Listen.
func start(address string, o Options, listen func(network, address string) (net.Listener, error)) (*server, error) {
	l, err := listen("tcp", address)
	if err != nil {
		return nil, err
	}
	s := &server{
		address: address, log: o.Log, panicked: o.Panicked, listen: listen,
		ending: make(chan struct{}), done: make(chan struct{}), sources: make(map[string]Source),
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.panicked == nil {
		s.panicked = func(*panics.Panic) {}
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Namespace: namespace, Name: "build_info", Help: "1, with the version of Dossier.",
		ConstLabels: prometheus.Labels{"version": o.Version},
	})
	build.Set(1)
	registry := prometheus.NewRegistry()
	registry.MustRegister(s, build, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{
		ErrorLog: errorLog{s.log}, ErrorHandling: promhttp.ContinueOnError, MaxRequestsInFlight: 4, Timeout: 10 * time.Second,
	}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok\n") })
	mux.HandleFunc("GET /readyz", s.ready)
	s.http = &http.Server{
		Handler: s.careful(mux), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 20 * time.Second,
		IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug), // what clients do wrong
	}
	go s.run(l)
	return s, nil
}

// errorLog says what the registry can't serve.
type errorLog struct{ log *slog.Logger }

// Println implements promhttp.Logger.
func (e errorLog) Println(v ...any) {
	e.log.Error("some metrics can't be served", logging.ReasonKey, "metrics", "err", strings.TrimSpace(fmt.Sprintln(v...)))
}

// again is how long a server waits before it listens again.
const again = time.Second

// run serves until close, also after a panic or where the listener breaks.
func (s *server) run(l net.Listener) {
	defer close(s.done)
	for {
		if s.serve(l) {
			return
		}
		select {
		case <-s.ending:
			return
		case <-time.After(again):
		}
		panics.Do("metrics", s.panicked, func() {
			var err error
			if l, err = s.listen("tcp", s.address); err != nil {
				l = broken{err}
			}
		})
	}
}

// serve says whether close ended it.
func (s *server) serve(l net.Listener) (ended bool) {
	defer panics.Catch("metrics", s.panicked)
	defer l.Close()
	err := s.http.Serve(l)
	if errors.Is(err, http.ErrServerClosed) {
		return true
	}
	s.log.Error("metrics_listen can't be served, trying again", "address", s.address, "err", err)
	return false
}

// broken stands for a listener that there is none of.
type broken struct{ err error }

func (b broken) Accept() (net.Conn, error) { return nil, b.err }
func (b broken) Close() error              { return nil }
func (b broken) Addr() net.Addr            { return &net.TCPAddr{} }

// careful answers 500 where the handler panics.
func (s *server) careful(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !panics.Do("metrics", s.panicked, func() { h.ServeHTTP(w, r) }) {
			http.Error(w, "a defect of Dossier; its log has more", http.StatusInternalServerError)
		}
	})
}

// close ends the server. Requests under way have a moment to end.
func (s *server) close() {
	close(s.ending)
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
	var lines []string
	for name, source := range s.outputs() {
		if err := s.health(source); err != nil {
			lines = append(lines, fmt.Sprintf("%s: %s\n", name, strings.ReplaceAll(err.Error(), "\n", "; ")))
		}
	}
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

func (s *server) health(source Source) (err error) {
	defer func() {
		if p, ok := errors.AsType[*panics.Panic](err); ok {
			s.panicked(p)
		}
	}()
	defer panics.Into(&err, "health")
	return source.Health()
}
