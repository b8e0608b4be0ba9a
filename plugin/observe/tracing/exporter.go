package tracing

import (
	"context"
	"errors"
	"sync"

	"go.opentelemetry.io/otel"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"dossier/panics"
)

// exporter is a target's own end of the SDK. The SDK hands an error of an
// exporter to a handler that is one for the process, and lets a panic of it
// end the process; so neither gets that far.
type exporter struct {
	sdktrace.SpanExporter
	report   func(error)
	panicked func(*panics.Panic)
}

// ExportSpans implements sdktrace.SpanExporter. What fails is told here.
func (e *exporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	err := e.export(ctx, spans)
	if p, ok := errors.AsType[*panics.Panic](err); ok {
		panics.Do("trace", e.panicked, func() { e.panicked(p) })
	} else if err != nil {
		panics.Do("trace", e.panicked, func() { e.report(err) })
	}
	return nil
}

func (e *exporter) export(ctx context.Context, spans []sdktrace.ReadOnlySpan) (err error) {
	defer panics.Into(&err, "trace")
	return e.SpanExporter.ExportSpans(ctx, spans)
}

// strays takes what the SDK tells of no tracer in particular: a variable of
// the environment that it can't read, which concerns every tracer. The SDK
// knows one handler a process, so this is set once and knows who is open.
type strays struct {
	once    sync.Once
	mu      sync.Mutex
	reports map[*Tracer]func(error)
}

var stray strays

// add has report told until remove.
func (s *strays) add(t *Tracer, report func(error)) {
	s.once.Do(func() { otel.SetErrorHandler(s) })
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reports == nil {
		s.reports = make(map[*Tracer]func(error))
	}
	s.reports[t] = report
}

func (s *strays) remove(t *Tracer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.reports, t)
}

// Handle implements otel.ErrorHandler.
func (s *strays) Handle(err error) {
	for _, report := range s.all() {
		panics.Do("trace", func(*panics.Panic) {}, func() { report(err) })
	}
}

func (s *strays) all() []func(error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]func(error), 0, len(s.reports))
	for _, report := range s.reports {
		out = append(out, report)
	}
	return out
}
