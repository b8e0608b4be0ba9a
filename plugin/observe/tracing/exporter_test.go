package tracing

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"dossier/panics"
	"dossier/testbed/otlp"
)

// told collects what one tracer's owner hears.
type told struct {
	mu     sync.Mutex
	errors []error
	panics []*panics.Panic
}

func (t *told) report(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.errors = append(t.errors, err)
}

func (t *told) panicked(p *panics.Panic) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.panics = append(t.panics, p)
}

// TestEachTracerHearsItsOwn: of two tracers, the one whose collector refuses
// the spans hears of it and the other doesn't, whichever was opened last.
func TestEachTracerHearsItsOwn(t *testing.T) {
	good, bad := otlp.Start(t), otlp.Start(t)
	bad.Answer = func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(http.StatusForbidden); return true }
	for _, order := range [][]*otlp.Receiver{{good, bad}, {bad, good}} {
		heard := make(map[*otlp.Receiver]*told)
		var tracers []*Tracer
		for _, r := range order {
			heard[r] = new(told)
			t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", r.URL)
			tr, err := Open(Options{Report: heard[r].report, Panicked: heard[r].panicked})
			if err != nil {
				t.Fatal(err)
			}
			tracers = append(tracers, tr)
		}
		for _, tr := range tracers {
			tr.Commit(commit(), two)
		}
		for _, tr := range tracers {
			if err := tr.Close(t.Context()); err != nil {
				t.Error(err)
			}
		}
		if n := len(heard[good].errors); n != 0 {
			t.Errorf("who lost nothing hears %v", heard[good].errors)
		}
		if n := len(heard[bad].errors); n != 1 || !strings.Contains(heard[bad].errors[0].Error(), "HTTP 403") {
			t.Errorf("who lost spans hears %v", heard[bad].errors)
		}
	}
	if n := len(good.Spans(t)); n != 6 {
		t.Errorf("%d spans", n)
	}
}

// TestStrayErrors: what the SDK tells the process is told to every open
// tracer's owner, to nobody after, and an owner who panics is in no other's
// way.
func TestStrayErrors(t *testing.T) {
	r := otlp.Start(t)
	var a, b told
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", r.URL)
	var open []*Tracer
	for _, report := range []func(error){a.report, func(error) { panic("an owner") }, b.report} {
		tr, err := Open(Options{Report: report, Panicked: a.panicked})
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, tr)
	}
	otel.Handle(errors.New("stray"))
	if len(a.errors) != 1 || len(b.errors) != 1 {
		t.Errorf("%d and %d heard", len(a.errors), len(b.errors))
	}
	open[2].Close(t.Context())
	otel.Handle(errors.New("stray"))
	if len(a.errors) != 2 || len(b.errors) != 1 {
		t.Errorf("%d and %d heard", len(a.errors), len(b.errors))
	}
	open[0].Close(t.Context())
	open[1].Close(t.Context())
	if n := len(stray.reports); n != 0 {
		t.Errorf("%d closed tracers are remembered", n)
	}
	// A variable that the SDK can't read.
	var c told
	t.Setenv("OTEL_TRACES_SAMPLER", "sometimes")
	tr, err := Open(Options{Report: c.report, Panicked: c.panicked})
	if err != nil {
		t.Fatal(err)
	}
	tr.Close(t.Context())
	if len(c.errors) == 0 || !strings.Contains(c.errors[0].Error(), "sometimes") {
		t.Errorf("a wrong sampler: %v", c.errors)
	}
}

// faulty is an exporter that panics.
type faulty struct{ calls chan struct{} }

func (f faulty) ExportSpans(context.Context, []sdktrace.ReadOnlySpan) error {
	f.calls <- struct{}{}
	panic("an exporter")
}
func (faulty) Shutdown(context.Context) error { return nil }

// TestPanicWhileSending: the SDK's goroutine survives a panic of the exporter,
// in the background as at the end, and the next spans are tried again.
func TestPanicWhileSending(t *testing.T) {
	var heard told
	f := faulty{make(chan struct{}, 10)}
	p := sdktrace.NewTracerProvider(sdktrace.WithBatcher(&exporter{f, heard.report, heard.panicked}, sdktrace.WithBatchTimeout(time.Millisecond)))
	tr := &Tracer{provider: p, client: newClient(settings{}), tracer: p.Tracer("dossier")}
	for range 2 {
		tr.Commit(commit(), two)
		<-f.calls
	}
	tr.Commit(commit(), two)
	if err := tr.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if len(heard.errors) != 0 || len(heard.panics) < 3 || heard.panics[0].During != "trace" || !strings.Contains(heard.panics[0].Stack, "faulty") {
		t.Errorf("heard %v, %v", heard.errors, heard.panics)
	}
	// One that panics when it is told, too.
	e := &exporter{f, heard.report, func(*panics.Panic) { panic("who is told") }}
	if err := e.ExportSpans(t.Context(), nil); err != nil {
		t.Error(err)
	}
}
