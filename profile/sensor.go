package profile

import (
	"strings"
	"time"

	"dossier/correlate/event"
)

// Heartbeat is what a sensor says of itself. Its counts are those since the
// start of the process.
type Heartbeat struct {
	Sensor, Version string
	Started         time.Time
	// StateVersion is the major version of the states that the sensor writes.
	StateVersion int

	RecordsIn, RecordsOut              int64
	ChunksIn, ChunksOut, ChunksSkipped int64
	BytesIn, DocumentsWritten          int64
	Unattributed, Unparsed, Dropped    int64
	Malformed, DeadLetters             int64
	Conflicts, Retries                 int64
	ClockSkew, ExactnessAtRisk         int64
	ServiceGuessed                     int64
	Panics                             int64
	CacheDocuments, CacheBytes         int64

	// RecordsPerSecond is the rate since the heartbeat before; 0 in the first.
	RecordsPerSecond float64

	// Lag is how old the first record of the chunk was that was done last, when
	// it was done.
	Lag time.Duration

	// Gateway is the private address that is behind nearly everything, "" without
	// one, and GatewayEvents how many events.
	Gateway       string
	GatewayEvents int64

	// Reasons has the records that gave no event, by reason.
	Reasons []RefusalCount

	// DroppedPrograms has the lines left out, by program.
	DroppedPrograms []ProgramCount

	// Ownerless has the commands that shells told and that can't be told whose
	// they are, by decoy.
	Ownerless []DecoyCount

	// LastError is the last error, "" without one, and LastErrorAt its time.
	LastError   string
	LastErrorAt time.Time
}

// RefusalCount is how many records gave no event for one reason.
type RefusalCount struct {
	Verdict, Reason string
	Count           int64
}

// ProgramCount is how many lines of a program were left out.
type ProgramCount struct {
	Program string
	Count   int64
}

// DecoyCount is how many commands were given on a decoy by nobody known.
type DecoyCount struct {
	Decky string
	Count int64
}

// longestError bounds the error that a heartbeat shows.
const longestError = 1024

// AppendSensor appends the sensor's document: its heartbeat at now.
func AppendSensor(dst []byte, now time.Time, h *Heartbeat) []byte {
	d := begin(dst)
	d.now("@timestamp", now)
	d.string("sensor", h.Sensor)
	d.some("version", h.Version)
	d.int("state_version", int64(h.StateVersion))
	d.now("started_at", h.Started)
	for _, count := range [...]struct {
		name string
		n    int64
	}{
		{"records_in", h.RecordsIn},
		{"records_out", h.RecordsOut},
		{"chunks_in", h.ChunksIn},
		{"chunks_out", h.ChunksOut},
		{"chunks_skipped", h.ChunksSkipped},
		{"bytes_in", h.BytesIn},
		{"documents_written", h.DocumentsWritten},
		{"unattributed", h.Unattributed},
		{"unparsed", h.Unparsed},
		{"dropped", h.Dropped},
		{"malformed", h.Malformed},
		{"dead_letters", h.DeadLetters},
		{"conflicts", h.Conflicts},
		{"retries", h.Retries},
		{"clock_skew", h.ClockSkew},
		{"service_guessed", h.ServiceGuessed},
		{"exactness_at_risk", h.ExactnessAtRisk},
		{"panics", h.Panics},
		{"cache_documents", h.CacheDocuments},
		{"cache_bytes", h.CacheBytes},
	} {
		d.int(count.name, count.n)
	}
	d.float("records_per_second", h.RecordsPerSecond)
	d.int("lag_s", int64(h.Lag/time.Second))
	if h.Gateway != "" {
		d.string("gateway", h.Gateway)
		d.int("gateway_events", h.GatewayEvents)
	}
	if len(h.Reasons) > 0 {
		d.array("reasons")
		for _, r := range h.Reasons {
			d.element()
			d.string("verdict", r.Verdict)
			d.string("reason", r.Reason)
			d.int("count", r.Count)
			d.end()
		}
		d.endArray()
	}
	if len(h.Ownerless) > 0 {
		d.array("ownerless_commands")
		for _, o := range h.Ownerless {
			d.element()
			d.string("decky", o.Decky)
			d.int("count", o.Count)
			d.end()
		}
		d.endArray()
	}
	if len(h.DroppedPrograms) > 0 {
		d.array("dropped_programs")
		for _, p := range h.DroppedPrograms {
			d.element()
			d.string("program", p.Program)
			d.int("count", p.Count)
			d.end()
		}
		d.endArray()
	}
	if h.LastError != "" {
		text := h.LastError
		if len(text) > longestError {
			text = strings.ToValidUTF8(text[:longestError], "")
		}
		d.string("last_error", text)
		d.time("last_error_at", event.FromTime(h.LastErrorAt))
	}
	d.schema()
	d.end()
	return d.b
}
