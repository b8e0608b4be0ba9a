package commit

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"time"
)

// marker says in the ledger that a chunk is durable.
type marker struct {
	applied
	// except holds the documents for which the chunk was dead-lettered instead.
	// Whether they hold it only they can tell, so its id stays in them.
	except exceptions
	// seen: version is that of the marker as it was read.
	seen    bool
	version Version
}

// letterID returns the id under which a letter of a chunk is replayed.
func letterID(chunk ChunkID, k Key) ChunkID {
	h := sha256.New()
	h.Write(chunk[:])
	h.Write([]byte(k.Index))
	h.Write([]byte{0})
	h.Write([]byte(k.ID))
	return ChunkID(h.Sum(nil)[:16])
}

// op returns the write of the marker. A marker without exceptions is the last
// word: it may replace one that has some, never the other way round, however
// late a request is carried out.
func (a marker) op(k Key, now time.Time) Op {
	op := Op{Kind: Put, Key: k, Body: a.body(now)}
	if a.except != "" && !weakened("a marker with exceptions replaces one without") {
		op.Kind = Create
		if a.seen {
			op.Kind, op.Version = Replace, a.version
		}
	}
	return op
}

// body returns the marker as JSON. Its exceptions are its state.
func (a marker) body(now time.Time) []byte {
	b := fmt.Appendf(nil, `{"@timestamp":%q,"first_record":%q`,
		now.UTC().Format(time.RFC3339), time.Unix(int64(a.minute)*60, 0).UTC().Format(time.RFC3339))
	if a.except != "" {
		b = fmt.Appendf(b, `,"state":%q`, base64.StdEncoding.EncodeToString([]byte(a.except)))
	}
	return append(b, '}')
}

// rememberedMarkers bounds the markers a process remembers. One that is
// forgotten leaves its id in the documents a while longer.
const rememberedMarkers = 1 << 16

// ledger knows the newest markers this process had acknowledged.
type ledger struct {
	size    int
	markers map[ChunkID]exceptions
	order   []ChunkID
	next    int
}

func newLedger(size int) *ledger {
	return &ledger{size: size, markers: map[ChunkID]exceptions{}}
}

func (l *ledger) has(id ChunkID) bool {
	_, ok := l.markers[id]
	return ok
}

// knows says whether the marker, or one that excepts no document which this one
// doesn't, is there.
func (l *ledger) knows(a marker) bool {
	except, ok := l.markers[a.id]
	return ok && except.coveredBy(a.except)
}

// vouches says whether the document k may do without the chunk's id.
func (l *ledger) vouches(id ChunkID, k Key) bool {
	except, ok := l.markers[id]
	return ok && !except.has(k)
}

// add takes a marker; it forgets the oldest beyond its size.
func (l *ledger) add(id ChunkID, except exceptions) {
	_, known := l.markers[id]
	l.markers[id] = except
	switch {
	case known:
	case len(l.order) < l.size:
		l.order = append(l.order, id)
	default:
		delete(l.markers, l.order[l.next])
		l.order[l.next] = id
		l.next = (l.next + 1) % l.size
	}
}
