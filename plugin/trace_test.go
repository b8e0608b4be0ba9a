package main

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"dossier/plugin/chunk/chunktest"
	"dossier/testbed/e2e"
	"dossier/testbed/esnode"
	"dossier/testbed/flb"
	"dossier/testbed/host"
	"dossier/testbed/otlp"
)

// attacks is a chunk of one attacker who goes from decky to decky, and one
// who looks once.
func attacks() []byte {
	const head = `<134>1 2026-01-02T03:04:05.%06d+00:00 %s ssh - %s [relay@55555 src_ip="%s"%s]`
	return chunktest.Lines(e2e.RecordTime, "log",
		fmt.Sprintf(head, 1, "web-1", "auth_attempt", "203.0.113.9", ` username="root" principal="root" secret_printable="toor" secret_b64="dG9vcg=="`),
		fmt.Sprintf(head, 2, "web-2", "command", "203.0.113.9", ` command="uname -a"`),
		fmt.Sprintf(head, 3, "web-2", "command", "203.0.113.9", ` command="id"`),
		fmt.Sprintf(head, 4, "web-1", "connect", "198.51.100.7", ""))
}

// TestTracing: a span for each commit, one for each attacker in it, and the
// last ones are sent at the exit.
func TestTracing(t *testing.T) {
	node := esnode.Shared(t)
	r := otlp.Start(t)
	p := properties(t, node.URL, nil)
	h := e2e.StartHost(t, host.Options{Properties: p, Env: []string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + r.URL, "OTEL_SERVICE_NAME=decoys", "OTEL_BSP_SCHEDULE_DELAY=3600000"}})
	deliver(t, h, 0, "x", attacks())
	if n := len(r.Spans(t)); n != 0 {
		t.Errorf("%d spans before their time", n)
	}
	if err := h.Exit(limit(t, 20*time.Second)); err != nil {
		t.Fatal(err)
	}
	seen := map[string]map[string]any{}
	root := ""
	for _, s := range r.Spans(t) {
		switch {
		case s.Name == "commit" && s.Attributes["dossier.records"] == int64(4):
			root = s.ID
			for k, want := range map[string]any{
				"service.name": "decoys", "service.instance.id": "sensor-1", "dossier.index_prefix": p["index_prefix"],
				"dossier.chunks": int64(1), "dossier.attackers": int64(2), "dossier.conflicts": int64(0),
			} {
				if s.Attributes[k] != want {
					t.Errorf("%s is %v, want %v", k, s.Attributes[k], want)
				}
			}
		case s.Name == "attacker":
			seen[fmt.Sprint(s.Attributes["dossier.attacker.address"])] = s.Attributes
		}
		if text := fmt.Sprint(s); strings.Contains(text, "toor") || strings.Contains(text, "uname") {
			t.Errorf("a span shows what an attacker wrote: %s", text)
		}
	}
	if root == "" || len(seen) != 2 {
		t.Fatalf("got %+v", r.Spans(t))
	}
	for _, want := range []struct {
		address                 string
		events, bounties, typed int64
		traversal               bool
	}{{"203.0.113.9", 3, 1, 2, true}, {"198.51.100.7", 1, 0, 0, false}} {
		got := seen[want.address]
		for k, v := range map[string]any{"event_count": want.events, "bounty_count": want.bounties, "command_count": want.typed, "is_traversal": want.traversal, "created": true} {
			if got["dossier.attacker."+k] != v {
				t.Errorf("%s: %s is %v, want %v", want.address, k, got["dossier.attacker."+k], v)
			}
		}
	}
}

// TestTracingIsNoBurden: a collector that hangs, one that isn't there and a
// wrong variable cost neither a chunk nor the exit.
func TestTracingIsNoBurden(t *testing.T) {
	node := esnode.Shared(t)
	for name, test := range map[string]struct{ variable, want string }{
		"silent": {"OTEL_EXPORTER_OTLP_ENDPOINT=" + blackHole(t), "spans are lost"},
		"away":   {"OTEL_EXPORTER_OTLP_ENDPOINT=" + deadPort(t), "spans are lost"},
		"wrong":  {"OTEL_EXPORTER_OTLP_ENDPOINT=collector:4317", "OTEL_EXPORTER_OTLP_ENDPOINT"},
		"grpc":   {"OTEL_EXPORTER_OTLP_PROTOCOL=grpc", "OTEL_EXPORTER_OTLP_PROTOCOL"},
	} {
		t.Run(name, func(t *testing.T) {
			env := []string{"OTEL_TRACES_EXPORTER=otlp", test.variable, "OTEL_BSP_SCHEDULE_DELAY=100"}
			h := e2e.StartHost(t, host.Options{Properties: properties(t, node.URL, nil), Workers: 1, Env: env})
			deliver(t, h, 0, "x", attacks())
			start := time.Now()
			if err := h.Exit(limit(t, 20*time.Second)); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(start); took > 4*time.Second {
				t.Errorf("the exit took %v", took)
			}
			warnings := ours(h.Log(), "warn")
			if !slices.ContainsFunc(warnings, func(l string) bool { return strings.Contains(l, test.want) }) {
				t.Errorf("no %q in %q", test.want, warnings)
			}
			said := 0
			for _, l := range warnings {
				if strings.Contains(l, "spans are lost") || strings.Contains(l, "tracing is off") {
					said++
				}
			}
			if said > 3 {
				t.Errorf("%d warnings: %q", said, warnings)
			}
		})
	}
}

// TestFluentBitTracing: the variables get through a real Fluent Bit, and the
// last spans out of it at its end.
func TestFluentBitTracing(t *testing.T) {
	flb.Require(t)
	node := esnode.Shared(t)
	r := otlp.Start(t)
	hits := make(chan struct{}, 100)
	r.Answer = func(http.ResponseWriter, *http.Request) bool { hits <- struct{}{}; return false }
	dir := t.TempDir()
	f, err := flb.Start(limit(t, time.Minute), flb.Options{
		Plugin: host.BuildPlugin(t), Dir: dir, File: sensorLog(t, dir, 100), Output: properties(t, node.URL, nil),
		Env: []string{"OTEL_TRACES_EXPORTER=otlp", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=" + r.URL + "/v1/traces"},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Kill()
	if err := f.WaitRecords(limit(t, 3*time.Minute), 100); err != nil {
		t.Fatal(err)
	}
	if err := f.Stop(limit(t, 30*time.Second)); err != nil {
		t.Error(err)
	}
	select {
	case <-hits:
	default:
		t.Fatal("no spans came")
	}
	records := int64(0)
	for _, s := range r.Spans(t) {
		if s.Name == "commit" && s.Failed == "" {
			n, _ := s.Attributes["dossier.records"].(int64)
			records = max(records, n)
		}
	}
	if records == 0 || records > 100 {
		t.Errorf("commits of %d records", records)
	}
}
