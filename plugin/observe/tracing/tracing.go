// Package tracing tells an OpenTelemetry collector what commits do, where the
// standard OTEL_* variables of the environment ask for it. Without them there
// is no Tracer, and nothing is done at all.
package tracing

import (
	"context"
	"fmt"
	"iter"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"dossier/panics"
)

// MaxAttackers bounds the spans of one commit's attackers. A commit can have
// thousands, and spans beyond the exporter's queue would be lost unsaid.
const MaxAttackers = 500

// Options says who traces.
type Options struct {
	// Version is Dossier's.
	Version string
	// Sensor is the sensor's name.
	Sensor string
	// Report is told of what goes wrong with this tracer, and of what the SDK
	// can't read in the environment. It must not wait.
	Report func(error)
	// Panicked is told of a panic while spans are sent; they are lost.
	Panicked func(*panics.Panic)
}

// Tracer makes spans. It is safe for concurrent use.
type Tracer struct {
	provider *sdktrace.TracerProvider
	client   *client
	tracer   trace.Tracer
}

// Open returns a Tracer as the environment asks for, nil where it asks for
// none. The endpoint, its headers, TLS, timeout and compression are read here;
// sampler, limits, batches and resource attributes by OpenTelemetry's own SDK.
func Open(o Options) (*Tracer, error) {
	on, err := wanted()
	if err != nil || !on {
		return nil, err
	}
	s, err := readSettings()
	if err != nil {
		return nil, err
	}
	res, err := resource.New(context.Background(),
		resource.WithTelemetrySDK(),
		resource.WithAttributes(
			attribute.String("service.name", "dossier"),
			attribute.String("service.version", o.Version),
			attribute.String("service.instance.id", o.Sensor)),
		resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	t := &Tracer{client: newClient(s)}
	sender, err := otlptrace.New(context.Background(), t.client)
	if err != nil {
		return nil, err
	}
	stray.add(t, o.Report)
	t.provider = sdktrace.NewTracerProvider(sdktrace.WithResource(res), sdktrace.WithBatcher(&exporter{sender, o.Report, o.Panicked}))
	t.tracer = t.provider.Tracer("dossier", trace.WithInstrumentationVersion(o.Version))
	return t, nil
}

// Commit is one write of what some chunks changed.
type Commit struct {
	// Index is the prefix of the indices written to.
	Index string
	Start time.Time
	Took  time.Duration
	// Chunks and Records are those that the write is made for; a chunk that
	// needs several writes is in each.
	Chunks, Records int
	// Documents are all that were to be written, Attackers those of them that
	// are an attacker's.
	Documents, Attackers int
	// Conflicts are the documents that another sensor had changed meanwhile;
	// they are written again.
	Conflicts int
	// Failure is the class of an error, empty without one. It holds nothing
	// that an attacker wrote.
	Failure string
}

// Attacker is what was written of one attacker.
type Attacker struct {
	// Address is an IP address, or the network that stands for several.
	Address    string
	Events     int64
	Traversal  bool
	Bounties   int64
	Commands   int64
	NewProfile bool
}

// Commit makes the span of a commit that has ended and, where it is sampled,
// one of each attacker written. The attackers are asked for only then.
func (t *Tracer) Commit(c *Commit, attackers iter.Seq[Attacker]) {
	end := trace.WithTimestamp(c.Start.Add(c.Took))
	start := trace.WithTimestamp(c.Start)
	ctx, span := t.tracer.Start(context.Background(), "commit", start, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
		attribute.String("db.system.name", "elasticsearch"),
		attribute.String("dossier.index_prefix", c.Index),
		attribute.Int("dossier.chunks", c.Chunks),
		attribute.Int("dossier.records", c.Records),
		attribute.Int("dossier.attackers", c.Attackers),
		attribute.Int("dossier.documents", c.Documents),
		attribute.Int("dossier.conflicts", c.Conflicts),
	))
	defer span.End(end)
	if c.Failure != "" {
		span.SetStatus(codes.Error, c.Failure)
	}
	if !span.IsRecording() {
		return
	}
	n := 0
	for a := range attackers {
		if n++; n > MaxAttackers {
			span.SetAttributes(attribute.Bool("dossier.attackers_cut", true))
			return
		}
		_, s := t.tracer.Start(ctx, "attacker", start, trace.WithAttributes(
			attribute.String("dossier.attacker.address", a.Address),
			attribute.Int64("dossier.attacker.event_count", a.Events),
			attribute.Bool("dossier.attacker.is_traversal", a.Traversal),
			attribute.Int64("dossier.attacker.bounty_count", a.Bounties),
			attribute.Int64("dossier.attacker.command_count", a.Commands),
			attribute.Bool("dossier.attacker.created", a.NewProfile),
		))
		s.End(end)
	}
}

// Close sends the spans that wait, by ctx at the latest.
func (t *Tracer) Close(ctx context.Context) error {
	defer stray.remove(t)
	err := t.provider.Shutdown(ctx)
	// What is still under way ends now, in time or not.
	_ = t.client.Stop(ctx)
	return err
}
