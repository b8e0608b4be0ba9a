package commit

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"strings"
	"time"
)

// marker says in the ledger that a chunk is durable.
type marker struct {
	applied
	// except holds the documents for which the chunk was dead-lettered
	// instead: 8 bytes each, see exception. For these the ledger doesn't
	// vouch: whether they hold the chunk only they can tell, so its id stays
	// in them.
	except string
	// seen: version is that of the marker as it was read.
	seen    bool
	version Version
}

// maxExcept bounds the exceptions in a marker; beyond, it excepts all.
const maxExcept = 64

// exceptAll excepts every document, as does any list that is cut off.
const exceptAll = "*"

// letterID returns the id under which a letter of a chunk is replayed.
func letterID(chunk ChunkID, k Key) ChunkID {
	h := sha256.New()
	h.Write(chunk[:])
	h.Write([]byte(k.Index))
	h.Write([]byte{0})
	h.Write([]byte(k.ID))
	return ChunkID(h.Sum(nil)[:16])
}

// exception returns the name of a document in a marker's exceptions: the FNV-1a
// hash of its index and id. Two documents of one name cost an id that stays.
func exception(k Key) string {
	h := fnv.New64a()
	h.Write([]byte(k.Index))
	h.Write([]byte{0})
	h.Write([]byte(k.ID))
	return string(binary.BigEndian.AppendUint64(nil, h.Sum64()))
}

// excepts says whether the exceptions hold the document.
func excepts(except string, k Key) bool {
	switch {
	case except == "":
		return false
	case len(except)%8 != 0:
		return true
	}
	return holds(except, exception(k))
}

// holds says whether a list of exceptions has the name.
func holds(except, name string) bool {
	for ; except != ""; except = except[8:] {
		if strings.HasPrefix(except, name) {
			return true
		}
	}
	return false
}

// within says whether all documents that the exceptions hold are held by of too.
func within(except, of string) bool {
	switch {
	case except == "" || len(of)%8 != 0:
		return true
	case len(except)%8 != 0:
		return false
	}
	for ; except != ""; except = except[8:] {
		if !holds(of, except[:8]) {
			return false
		}
	}
	return true
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

// without returns the exceptions but for the document. What isn't a list
// stays as it is.
func without(except string, k Key) string {
	if len(except)%8 != 0 {
		return except
	}
	name, rest := exception(k), ""
	for ; except != ""; except = except[8:] {
		if !strings.HasPrefix(except, name) {
			rest += except[:8]
		}
	}
	return rest
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
	markers map[ChunkID]string // to the exceptions
	order   []ChunkID
	next    int
}

func newLedger(size int) *ledger {
	return &ledger{size: size, markers: map[ChunkID]string{}}
}

func (l *ledger) has(id ChunkID) bool {
	_, ok := l.markers[id]
	return ok
}

// knows says whether the marker, or one that excepts no document which this one
// doesn't, is there.
func (l *ledger) knows(a marker) bool {
	except, ok := l.markers[a.id]
	return ok && within(except, a.except)
}

// vouches says whether the document k may do without the chunk's id.
func (l *ledger) vouches(id ChunkID, k Key) bool {
	except, ok := l.markers[id]
	return ok && !excepts(except, k)
}

// add takes a marker; it forgets the oldest beyond its size.
func (l *ledger) add(id ChunkID, except string) {
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
