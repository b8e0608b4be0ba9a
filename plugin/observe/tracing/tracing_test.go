package tracing

import (
	"context"
	"encoding/pem"
	"errors"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"dossier/panics"
	"dossier/testbed/otlp"
)

// open opens a tracer under the variables and no others.
func open(t *testing.T, variables map[string]string, report func(error)) (*Tracer, error) {
	t.Helper()
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); strings.HasPrefix(name, "OTEL_") {
			t.Setenv(name, "")
		}
	}
	for name, v := range variables {
		t.Setenv(name, v)
	}
	if report == nil {
		report = func(err error) { t.Error(err) }
	}
	return Open(Options{Version: "1.2.3", Sensor: "s1", Report: report, Panicked: func(p *panics.Panic) { t.Error(p, p.Stack) }})
}

// TestOffWithoutVariables is the first: what a package of OpenTelemetry's
// started by itself would show.
func TestOffWithoutVariables(t *testing.T) {
	defer goleak.VerifyNone(t)
	for _, v := range []map[string]string{
		nil,
		{"OTEL_SERVICE_NAME": "x", "OTEL_TRACES_SAMPLER": "always_on"},
		{"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"},
		{"OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"},
	} {
		if tr, err := open(t, v, nil); tr != nil || err != nil {
			t.Errorf("%v: %v, %v", v, tr, err)
		}
	}
}

func TestWrongVariables(t *testing.T) {
	text := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(text, []byte("none"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"OTEL_TRACES_EXPORTER":                  "zipkin",
		"OTEL_EXPORTER_OTLP_PROTOCOL":           "grpc",
		"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT":    "collector:4318",
		"OTEL_EXPORTER_OTLP_ENDPOINT":           "http://user:hunter2@collector:4318",
		"OTEL_EXPORTER_OTLP_HEADERS":            "hunter2",
		"OTEL_EXPORTER_OTLP_TIMEOUT":            "10s",
		"OTEL_EXPORTER_OTLP_TRACES_COMPRESSION": "zstd",
		"OTEL_EXPORTER_OTLP_CERTIFICATE":        text,
		"OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": "/nowhere/client.pem",
		"OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY":  "/nowhere/client.key",
		"OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE": "/nowhere/ca.pem",
		"OTEL_RESOURCE_ATTRIBUTES":              "no pairs",
		"OTEL_EXPORTER_OTLP_TRACES_HEADERS":     "a=b%zz",
		"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL":    "http/json",
		"OTEL_EXPORTER_OTLP_TRACES_TIMEOUT":     "0",
		"OTEL_EXPORTER_OTLP_COMPRESSION":        "GZIP",
	} {
		t.Run(name, func(t *testing.T) {
			tr, err := open(t, map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:1", name: value, "OTEL_TRACES_EXPORTER": map[bool]string{true: value, false: "otlp"}[name == "OTEL_TRACES_EXPORTER"]}, nil)
			if name == "OTEL_EXPORTER_OTLP_ENDPOINT" {
				tr, err = open(t, map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "", name: value}, nil)
			}
			if tr != nil || err == nil {
				t.Fatalf("it was taken: %v", value)
			}
			known := strings.Contains(err.Error(), name) || name == "OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY" && strings.Contains(err.Error(), "and its key")
			if !known || strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v", err)
			}
		})
	}
}

func commit() *Commit {
	return &Commit{
		Index: "dossier", Start: time.Now().Add(-time.Second), Took: 300 * time.Millisecond,
		Chunks: 2, Records: 30, Documents: 5, Attackers: 3, Conflicts: 1,
	}
}

var two = slices.Values([]Attacker{
	{Address: "203.0.113.9", Events: 12, Traversal: true, Bounties: 3, Commands: 4},
	{Address: "2001:db8::/64", Events: 1, NewProfile: true},
})

func TestSpans(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	for name, more := range map[string]map[string]string{
		"plain": nil,
		"gzip":  {"OTEL_EXPORTER_OTLP_COMPRESSION": "gzip"},
	} {
		t.Run(name, func(t *testing.T) {
			r := otlp.Start(t)
			defer r.Close()
			var headers atomic.Pointer[http.Header]
			r.Answer = func(_ http.ResponseWriter, q *http.Request) bool { headers.Store(&q.Header); return false }
			v := map[string]string{
				"OTEL_EXPORTER_OTLP_ENDPOINT": r.URL, "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20x,tenant=decoys",
				"OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=dmz",
			}
			maps.Copy(v, more)
			tr, err := open(t, v, nil)
			if err != nil {
				t.Fatal(err)
			}
			c := commit()
			tr.Commit(c, two)
			failed := commit()
			failed.Failure = "bulk 429 es_rejected_execution_exception"
			tr.Commit(failed, slices.Values[[]Attacker](nil))
			if err := tr.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			spans := r.Spans(t)
			if len(spans) != 4 {
				t.Fatalf("%d spans", len(spans))
			}
			at := slices.IndexFunc(spans, func(s otlp.Span) bool { return s.Name == "commit" && s.Failed == "" })
			root := spans[at]
			for k, want := range map[string]any{
				"dossier.chunks": int64(2), "dossier.records": int64(30), "dossier.attackers": int64(3), "dossier.conflicts": int64(1),
				"dossier.documents": int64(5), "dossier.index_prefix": "dossier", "service.name": "dossier", "service.version": "1.2.3",
				"service.instance.id": "s1", "deployment.environment.name": "dmz",
			} {
				if root.Attributes[k] != want {
					t.Errorf("%s is %v, want %v", k, root.Attributes[k], want)
				}
			}
			if root.Parent != "" || root.End-root.Start != uint64(c.Took) || root.Start != uint64(c.Start.UnixNano()) || root.Scope != "dossier" {
				t.Errorf("%+v", root)
			}
			var addresses []any
			for _, s := range spans {
				switch {
				case s.Name == "attacker":
					addresses = append(addresses, s.Attributes["dossier.attacker.address"])
					if s.Parent != root.ID || s.Trace != root.Trace {
						t.Errorf("an attacker of another commit: %+v", s)
					}
					if s.Attributes["dossier.attacker.address"] != "203.0.113.9" {
						continue
					}
					for k, want := range map[string]any{"event_count": int64(12), "is_traversal": true, "bounty_count": int64(3), "command_count": int64(4), "created": false} {
						if got := s.Attributes["dossier.attacker."+k]; got != want {
							t.Errorf("%s is %v, want %v", k, got, want)
						}
					}
				case s.ID != root.ID && s.Failed != failed.Failure:
					t.Errorf("%+v", s)
				}
			}
			if !slices.Equal(addresses, []any{"203.0.113.9", "2001:db8::/64"}) {
				t.Errorf("attackers %v", addresses)
			}
			if h := *headers.Load(); h.Get("Authorization") != "Bearer x" || h.Get("Tenant") != "decoys" {
				t.Errorf("headers %v", h)
			}
		})
	}
}

// TestNotSampled: a commit that isn't sampled doesn't even ask for its
// attackers.
func TestNotSampled(t *testing.T) {
	r := otlp.Start(t)
	tr, err := open(t, map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": r.URL, "OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	tr.Commit(commit(), func(func(Attacker) bool) { t.Error("it asks for the attackers") })
	if err := tr.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := len(r.Spans(t)); n != 0 {
		t.Errorf("%d spans", n)
	}
}

func TestAttackersAreBounded(t *testing.T) {
	r := otlp.Start(t)
	tr, err := open(t, map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": r.URL}, nil)
	if err != nil {
		t.Fatal(err)
	}
	tr.Commit(commit(), func(yield func(Attacker) bool) {
		for yield(Attacker{Address: "192.0.2.1"}) {
		}
	})
	if err := tr.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	spans := r.Spans(t)
	cut := slices.ContainsFunc(spans, func(s otlp.Span) bool { return s.Name == "commit" && s.Attributes["dossier.attackers_cut"] == true })
	if len(spans) != MaxAttackers+1 || !cut {
		t.Errorf("%d spans, said to be cut: %v", len(spans), cut)
	}
}

// TestBusyCollector is asked again, as it says.
func TestBusyCollector(t *testing.T) {
	r := otlp.Start(t)
	var calls atomic.Int64
	r.Answer = func(w http.ResponseWriter, _ *http.Request) bool {
		if calls.Add(1) == 1 {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusServiceUnavailable)
			return true
		}
		return false
	}
	tr, err := open(t, map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": r.URL}, nil)
	if err != nil {
		t.Fatal(err)
	}
	tr.Commit(commit(), two)
	if err := tr.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := len(r.Spans(t)); n != 3 || calls.Load() != 2 {
		t.Errorf("%d spans after %d requests", n, calls.Load())
	}
}

// TestCollectorIsAway: what goes wrong is told, nobody waits for longer than
// he wants to, and nothing stays behind.
func TestCollectorIsAway(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() // takes connections, never answers
	refused, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	refused.Close()
	secret := otlp.Start(t)
	secret.Answer = func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Location", "http://127.0.0.1:1/elsewhere")
		w.WriteHeader(http.StatusTemporaryRedirect)
		return true
	}
	plain := otlp.StartTLS(t)
	for name, test := range map[string]struct{ url, want string }{
		"silent":   {"http://" + l.Addr().String(), ""},
		"refused":  {"http://" + refused.Addr().String() + "/?token=hunter2", "refused"},
		"redirect": {secret.URL, "HTTP 307"},
		"TLS":      {plain.URL, "certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
			told := make(chan error, 10)
			tr, err := open(t, map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": test.url, "OTEL_BSP_SCHEDULE_DELAY": "10"}, func(err error) { told <- err })
			if err != nil {
				t.Fatal(err)
			}
			tr.Commit(commit(), two)
			if time.Sleep(50 * time.Millisecond); test.want != "" { // a request is under way
				time.Sleep(time.Second) // and ended
			}
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			start := time.Now()
			err = tr.Close(ctx)
			if took := time.Since(start); took > 2*time.Second {
				t.Errorf("it took %v", took)
			}
			select {
			case e := <-told:
				err = errors.Join(err, e)
			case <-time.After(2 * time.Second):
			}
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

func TestOwnAuthority(t *testing.T) {
	r := otlp.StartTLS(t)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: r.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	tr, err := open(t, map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": r.URL, "OTEL_EXPORTER_OTLP_CERTIFICATE": ca}, nil)
	if err != nil {
		t.Fatal(err)
	}
	tr.Commit(commit(), two)
	if err := tr.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := len(r.Spans(t)); n != 3 {
		t.Errorf("%d spans", n)
	}
}
