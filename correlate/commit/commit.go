package commit

import (
	"context"
	"encoding/hex"
	"errors"
	"time"
)

// ChunkID identifies a chunk by its content: the first 16 bytes of the
// SHA-256 over its tag and bytes.
type ChunkID [16]byte

// String returns the id in hex, as it is the marker's document id.
func (id ChunkID) String() string { return hex.EncodeToString(id[:]) }

// Key names one document.
type Key struct {
	Index, ID string
}

// Class tells the Model what a document is.
type Class uint8

// Part is what one chunk contributes to one document.
type Part struct {
	// Key names the document. Its ID may be memory that is used again once
	// the chunk is over.
	Key   Key
	Class Class
	// Lead is the id of the document that this one is folded after: those of one
	// lead one after the other, in the order of their leads. Empty is the
	// document's own.
	Lead string
	// Leads says that parts of the chunk depend on what this one's fold learns. It
	// is folded even where the document is known to hold all of it.
	Leads bool
	// Led says that the document may be opened only with what is learned so: while
	// it isn't there the part waits until those of its chunk that lead it were
	// folded, or can't be. They are the one with the id Lead, or else all.
	Led bool
	// Delta is what the Model folds; nil never.
	Delta any
}

// Chunk is one chunk to commit.
type Chunk struct {
	ID ChunkID
	// Minute is the time of the chunk's first record in minutes since 1970:
	// it tells in which index the marker is.
	Minute uint32
	// Deadline is when the chunk is given back undone at the latest, unless
	// its dead letters are just being written.
	Deadline time.Time
	// Records is how many the chunk holds, for tracing.
	Records int
	Parts   []Part
	// Announced is the chunk's announcement, nil where it had none.
	Announced *Announcement
	// Replay says that Parts holds one dead letter of the chunk. It is
	// applied once, however often it is replayed, for as long as the ledger
	// is kept; where the document holds the chunk all the same only
	// the effects are made that may be missing.
	Replay bool
}

// Result is how a chunk ended.
type Result uint8

const (
	// Retry says that something of the chunk is not durable yet.
	Retry Result = iota
	// OK says that every document of the chunk is durable or dead-lettered.
	OK
	// StillRejected says of a replay that Elasticsearch, or the Model, doesn't take
	// it this time either. It stays a dead letter.
	StillRejected
	// StillUnreadable says of a replay that its document's state can't be read. It
	// stays a dead letter.
	StillUnreadable
)

// Contribution is one chunk's delta to one document.
type Contribution struct {
	Chunk ChunkID
	Delta any
	// Applied says that the state holds the delta already: it must not be
	// folded again, but its effects may still be missing.
	Applied bool
	// Complete says that its effects aren't: it is there for those that it leads.
	Complete bool
}

// ErrNotOpened is returned by Model.Fold for a document that doesn't exist
// and shall not be opened. Its contributions count as done.
var ErrNotOpened = errors.New("commit: document not opened")

// Model folds and renders documents. It is called by one goroutine at a time,
// for the documents of a round in the order of their leads (Part.Lead).
type Model interface {
	// Fold adds the contributions to the stored payload (nil: the document
	// doesn't exist). The result may hold views of both; it is used before
	// Fold is called again. An error other than ErrNotOpened says that the
	// payload can't be read: the document is never overwritten, and the
	// contributions are dead-lettered, unless it is ErrNewer.
	Fold(key Key, class Class, payload []byte, in []Contribution) (Folded, error)
}

// Folded is a document's next state.
type Folded interface {
	// AppendState appends the state's encoding.
	AppendState(dst []byte) []byte
	// AppendDocument appends the document as one line of JSON; state goes
	// into it as base64 under the name "state".
	AppendDocument(dst []byte, state []byte) []byte
	// Effects returns what must be created when the contributions are
	// applied, and again wherever it isn't known that it was. A document of
	// that id that exists already is left alone; so an effect whose creation
	// a failover takes back may be missing, but is never there twice. The
	// bodies are copied before Fold is called again.
	Effects() []Effect
}

// Effect is a document created once and never changed.
type Effect struct {
	Key  Key
	Body []byte
}

// OpKind is how a document is written.
type OpKind uint8

const (
	// Create writes a document that must not exist.
	Create OpKind = iota
	// Replace writes over the document with the sequence number given.
	Replace
	// Put writes over whatever is there.
	Put
)

// Version is Elasticsearch's compare-and-set token.
type Version struct {
	SeqNo, PrimaryTerm int64
	// Index is the index that the numbers are of, empty where it is the key's
	// own: a store may keep a document elsewhere. They say nothing of another.
	Index string
}

// Op is one write.
type Op struct {
	Kind    OpKind
	Key     Key
	Version Version // with Replace
	Body    []byte
}

// Status is what became of one operation.
type Status uint8

const (
	// Unknown: nobody knows whether it was applied, or it was not and may be
	// tried again later.
	Unknown Status = iota
	// Done: acknowledged.
	Done
	// Conflict: the document is not as the operation wanted it.
	Conflict
	// Rejected: Elasticsearch will never take this document as it is.
	Rejected
)

// Written is the answer to one Op.
type Written struct {
	Status  Status
	Version Version // with Done
	// Reason says in one line what Elasticsearch gave as the cause, without
	// any of the document's content.
	Reason string
}

// Stored is the answer to one key read.
type Stored struct {
	// Err says that the document could not be read; the rest is empty.
	Err     error
	Exists  bool
	State   []byte
	Version Version
}

// Store is the durable side. Both calls may take as long as their context
// allows. An error says that nothing is known about any of the operations.
type Store interface {
	// Read returns the state of each document, in the order of the keys, as
	// of now (not as of the last refresh).
	Read(ctx context.Context, keys []Key) ([]Stored, error)
	// Write carries out the operations and returns their answers in order.
	// The memory of the bodies is used again after it returned.
	Write(ctx context.Context, ops []Op) ([]Written, error)
}

// Letter is what can never be written: one chunk's contribution to one
// document.
type Letter struct {
	Chunk  ChunkID
	Minute uint32
	Part   Part
	Reason string
}

// DeadLetters keeps dead letters durably.
type DeadLetters interface {
	// Bury returns after the dead letters are on disk: all there are of one chunk.
	// It may be called while another call is under way.
	Bury(ctx context.Context, letters []Letter) error
}
