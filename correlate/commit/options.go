package commit

import (
	"errors"
	"time"
)

// MachineOptions configures a Machine.
type MachineOptions struct {
	// Ledger names the index that holds the marker of a chunk whose first
	// record is of that minute (since 1970).
	Ledger func(minute uint32) string
	// CacheBytes bounds the memory of the cache.
	//
	// If CacheBytes is zero, the default of 256 MiB will be used.
	CacheBytes int64
	// MaxApplied bounds the chunk ids in one document. A chunk that would go
	// beyond is given back; an eighth is kept for chunks that are partly
	// durable already.
	//
	// If MaxApplied is zero, the default of 512 will be used.
	MaxApplied int
	// Retention is how long an id without a marker stays in a document; the
	// ledger must be kept as long.
	//
	// If Retention is zero, the default of 30 days will be used.
	Retention time.Duration
	// MaxDocuments bounds the documents that are taken through one round, and
	// so the states that are read at a time.
	//
	// If MaxDocuments is zero, the default of 1500 will be used: what a
	// backlog's later chunks bring for documents whose round has not begun is
	// written with them.
	MaxDocuments int
	// BulkBytes and BulkOps say when a write is large enough: with the
	// document that brings its bodies to so many bytes, or its operations to
	// so many.
	//
	// If zero, the defaults of 4 MiB and 1500 will be used.
	BulkBytes, BulkOps int
	// Bulks is how many writes of a round may be on their way at a time.
	//
	// If Bulks is zero, the default of 2 will be used; with the round ahead
	// that is up to 4.
	Bulks int
	// Gather is how long chunks wait for others that are expected, to be
	// written together; never longer than an eighth of the time until their
	// deadline.
	//
	// If Gather is zero, the default of 1 s will be used.
	Gather time.Duration
	// RequestTimeout is how long a request may take where no chunk's
	// deadline gives it more.
	//
	// If RequestTimeout is zero, the default of 2 s will be used.
	RequestTimeout time.Duration
	// MarkerDelay is how long a marker waits for a bulk to travel with.
	//
	// If MarkerDelay is zero, the default of 250 ms will be used.
	MarkerDelay time.Duration
	// BackoffMin and BackoffMax bound the pause before a document is tried
	// again after a failure that is no conflict, and between the probes of an
	// outage; a half more or less, so that sensors don't meet.
	//
	// If zero, the defaults of 50 ms and 2 s will be used.
	BackoffMin, BackoffMax time.Duration
	// Seed seeds the jitter of pauses.
	Seed uint64

	closeItems int // see the constant; the tests have less
}

func (o *MachineOptions) setDefaults() error {
	if o.Ledger == nil {
		return errors.New("commit: MachineOptions.Ledger is missing")
	}
	setDefault(&o.CacheBytes, 256<<20)
	setDefault(&o.MaxApplied, 512)
	setDefault(&o.Retention, 30*24*time.Hour)
	setDefault(&o.MaxDocuments, 1500)
	setDefault(&o.BulkBytes, 4<<20)
	setDefault(&o.BulkOps, 1500)
	setDefault(&o.Bulks, 2)
	setDefault(&o.Gather, time.Second)
	setDefault(&o.RequestTimeout, 2*time.Second)
	setDefault(&o.MarkerDelay, 250*time.Millisecond)
	setDefault(&o.BackoffMin, 50*time.Millisecond)
	setDefault(&o.BackoffMax, 2*time.Second)
	setDefault(&o.closeItems, closeItems)
	return nil
}

func setDefault[T comparable](v *T, value T) {
	var zero T
	if *v == zero {
		*v = value
	}
}

// Stats counts what a Machine did.
type Stats struct {
	Chunks, Skipped, OK, Retried     int64
	Tasks, Reads, Writes             int64
	DocumentsRead, DocumentsWritten  int64
	Created, Conflicts, Unknown      int64
	Confirmed, Markers, Effects      int64
	Buried, Refused, AtRisk, Evicted int64
	// Outages counts how often Elasticsearch, or an index, was taken as away.
	Outages int64
	// Unreadable counts the documents met whose state is corrupt or missing.
	Unreadable int64
	// Panics counts those of the Model, of callbacks and of the protocol.
	Panics int64
	// Followed counts how often a document wasn't opened yet, for want of what
	// leads it.
	Followed int64
	// MarkedFirst counts chunks whose OK waited for the marker.
	MarkedFirst              int64
	CacheBytes, CacheEntries int64
	MaxApplied               int64
	WrittenByClass           [8]int64
}
