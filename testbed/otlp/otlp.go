// Package otlp is a receiver of traces for tests: OTLP over HTTP, as a
// collector takes it.
package otlp

import (
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// Span is a span received. Attributes of its resource stand among its own.
type Span struct {
	Name       string
	Trace, ID  string
	Parent     string // empty for a root
	Start, End uint64
	Failed     string // the status's message, empty where it is no error
	Scope      string
	Attributes map[string]any
}

// Receiver takes spans at URL, whose path is that of all signals.
type Receiver struct {
	*httptest.Server
	// Answer, if set, answers a request instead where it returns true.
	Answer func(w http.ResponseWriter, r *http.Request) bool

	mu    sync.Mutex
	spans []Span
	wrong []string
}

// Start starts a receiver; the test ends it.
func Start(t testing.TB) *Receiver {
	r := new(Receiver)
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

// StartTLS starts a receiver that speaks TLS.
func StartTLS(t testing.TB) *Receiver {
	r := new(Receiver)
	r.Server = httptest.NewTLSServer(r)
	t.Cleanup(r.Close)
	return r
}

// ServeHTTP implements http.Handler.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if r.Answer != nil && r.Answer(w, req) {
		return
	}
	spans, err := read(req)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.wrong = append(r.wrong, err.Error())
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	r.spans = append(r.spans, spans...)
	w.Header().Set("Content-Type", "application/x-protobuf")
}

// Spans returns what came so far.
func (r *Receiver) Spans(t testing.TB) []Span {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, w := range r.wrong {
		t.Error("a request of traces: ", w)
	}
	return slices.Clone(r.spans)
}

// read reads an ExportTraceServiceRequest. Its one field is that of
// TracesData, which the protocol keeps so on purpose; the message itself is
// in a package that needs gRPC.
func read(req *http.Request) ([]Span, error) {
	if req.Method != http.MethodPost || req.URL.Path != "/v1/traces" || req.Header.Get("Content-Type") != "application/x-protobuf" {
		return nil, fmt.Errorf("%s %s with %s", req.Method, req.URL.Path, req.Header.Get("Content-Type"))
	}
	body := io.Reader(req.Body)
	if req.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(body)
		if err != nil {
			return nil, err
		}
		body = z
	}
	b, err := io.ReadAll(body)
	if err != nil {
		return nil, err
	}
	var data tracepb.TracesData
	if err := proto.Unmarshal(b, &data); err != nil {
		return nil, err
	}
	if len(data.ProtoReflect().GetUnknown()) > 0 || len(data.ResourceSpans) == 0 {
		return nil, fmt.Errorf("no traces, or more than that: %d bytes", len(b))
	}
	var spans []Span
	for _, rs := range data.ResourceSpans {
		for _, ss := range rs.ScopeSpans {
			for _, s := range ss.Spans {
				out := Span{
					Name: s.Name, Trace: fmt.Sprintf("%x", s.TraceId), ID: fmt.Sprintf("%x", s.SpanId), Parent: fmt.Sprintf("%x", s.ParentSpanId),
					Start: s.StartTimeUnixNano, End: s.EndTimeUnixNano, Scope: ss.Scope.GetName(), Attributes: map[string]any{},
				}
				if s.Status.GetCode() == tracepb.Status_STATUS_CODE_ERROR {
					out.Failed = s.Status.GetMessage()
				}
				for _, a := range slices.Concat(rs.Resource.GetAttributes(), s.Attributes) {
					out.Attributes[a.Key] = value(a.Value)
				}
				spans = append(spans, out)
			}
		}
	}
	return spans, nil
}

func value(v *commonpb.AnyValue) any {
	switch v := v.GetValue().(type) {
	case *commonpb.AnyValue_StringValue:
		return v.StringValue
	case *commonpb.AnyValue_BoolValue:
		return v.BoolValue
	case *commonpb.AnyValue_IntValue:
		return v.IntValue
	default:
		return fmt.Sprint(v)
	}
}
