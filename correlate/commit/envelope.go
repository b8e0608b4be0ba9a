package commit

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/tinylib/msgp/msgp"
)

// The version of the envelope and of the payloads in it. A newer minor
// version may add elements to the envelope and names to the payloads, which
// an older writer carries through; a newer major version may change
// anything, so an older writer leaves the document alone.
const (
	Major = 1
	Minor = 0
)

// ErrNewer is returned for a state of a newer major version.
var ErrNewer = errors.New("commit: state was written by a newer major version")

// ErrCorrupt is returned for bytes that are no state.
var ErrCorrupt = errors.New("commit: state is unreadable")

// applied is one chunk that a document holds.
type applied struct {
	id ChunkID
	// minute is that of the chunk's first record, which tells where its
	// marker is; since is when it was applied, by which it ages.
	minute, since uint32
	// complete, which isn't stored, says that this process knows that what
	// followed from the chunk is there too: its effects.
	complete bool
}

const appliedSize = 16 + 4 + 4

// IsNewer says whether a state claims to be of a newer major version.
func IsNewer(state []byte) bool {
	n, b, err := msgp.ReadArrayHeaderBytes(state)
	if err != nil || n < 2 {
		return false
	}
	major, _, err := msgp.ReadUint64Bytes(b)
	return err == nil && major > Major
}

// envelope is a document's state: who contributed, and the model's payload.
// It is a msgpack array [major, minor, applied, packing, payload, ...]:
// applied is a bin of 24 bytes a chunk, packing says whether the payload is
// deflated.
type envelope struct {
	minor   uint64
	applied []applied
	// payload is as it is stored: unpack returns what is in it.
	payload []byte
	packing uint8
	// extra holds the elements of a newer minor version, encoded.
	extra  []byte
	extraN uint32
}

const (
	packNone    = 0
	packDeflate = 1
	// packFrom is the payload size from which deflating is worth its time:
	// small states are most of the writes, large ones most of the bytes.
	packFrom = 8 << 10
	// maxPayload bounds what a deflated payload may unpack to.
	maxPayload = 4 << 20
)

// maxComplete is how many ids of a document can be known as complete. Of one
// that isn't the effects are made again.
const maxComplete = 64

// complete returns a bit for each of the first ids, set where it is complete.
func (e *envelope) complete() (bits uint64) {
	for i := range min(len(e.applied), maxComplete) {
		if e.applied[i].complete {
			bits |= 1 << i
		}
	}
	return bits
}

// setComplete takes over what complete returned for the same ids.
func (e *envelope) setComplete(bits uint64) {
	for i := range min(len(e.applied), maxComplete) {
		e.applied[i].complete = bits>>i&1 == 1
	}
}

// isComplete says whether everything of the chunk is known to be there.
func (e *envelope) isComplete(id ChunkID) bool {
	i := e.find(id, 0)
	return i >= 0 && e.applied[i].complete
}

func (e *envelope) has(id ChunkID) bool {
	if weakened("membership tested over the newest 8 ids") {
		return e.find(id, 0) >= max(0, len(e.applied)-8)
	}
	return e.find(id, 0) >= 0
}

// find returns the place of the chunk's id, -1 where it isn't there. It begins
// at from, where the id is thought to be, and comes to those before it last.
func (e *envelope) find(id ChunkID, from int) int {
	for i := from; i < len(e.applied); i++ {
		if e.applied[i].id == id {
			return i
		}
	}
	for i := range from {
		if e.applied[i].id == id {
			return i
		}
	}
	return -1
}

// decodeEnvelope reads a stored state and unpacks it.
func decodeEnvelope(src []byte) (e envelope, err error) {
	if e, err = parseEnvelope(src); err != nil {
		return e, err
	}
	e.payload, err = e.unpack()
	e.packing = packNone
	return e, err
}

// Payload returns the model's payload of a stored state, a view of it where it
// isn't packed. The error is ErrNewer or ErrCorrupt.
func Payload(stored []byte) ([]byte, error) {
	e, err := decodeEnvelope(stored)
	return e.payload, err
}

// WithPayload returns a stored state with another payload of the model: what was
// applied, and what a newer minor version added, stay. The error is ErrNewer or
// ErrCorrupt.
func WithPayload(stored, payload []byte) ([]byte, error) {
	e, err := parseEnvelope(stored)
	if err != nil {
		return nil, err
	}
	e.payload, e.packing = payload, packNone
	return e.append(nil), nil
}

// unpack returns the model's payload, a view where it isn't packed.
func (e *envelope) unpack() ([]byte, error) {
	switch e.packing {
	case packNone:
		return e.payload, nil
	case packDeflate:
		payload, err := inflate(e.payload)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
		}
		return payload, nil
	}
	return nil, ErrCorrupt
}

// parseEnvelope reads a stored state. Its payload is a view of src, and stays
// packed: unpacking takes long.
func parseEnvelope(src []byte) (e envelope, err error) {
	n, b, err := msgp.ReadArrayHeaderBytes(src)
	if err != nil || n < 2 {
		return e, ErrCorrupt
	}
	major, b, err := msgp.ReadUint64Bytes(b)
	if err != nil {
		return e, ErrCorrupt
	}
	if major > Major {
		return e, fmt.Errorf("%w (%d, this one is %d)", ErrNewer, major, Major)
	}
	if major < Major || n < 5 {
		return e, ErrCorrupt
	}
	if e.minor, b, err = msgp.ReadUint64Bytes(b); err != nil {
		return e, ErrCorrupt
	}
	var ids []byte
	if ids, b, err = msgp.ReadBytesZC(b); err != nil || len(ids)%appliedSize != 0 {
		return e, ErrCorrupt
	}
	e.applied = make([]applied, len(ids)/appliedSize)
	for i := range e.applied {
		raw := ids[i*appliedSize:]
		copy(e.applied[i].id[:], raw)
		e.applied[i].minute = binary.BigEndian.Uint32(raw[16:])
		e.applied[i].since = binary.BigEndian.Uint32(raw[20:])
	}
	if e.packing, b, err = msgp.ReadUint8Bytes(b); err != nil || e.packing > packDeflate {
		return e, ErrCorrupt
	}
	if e.payload, b, err = msgp.ReadBytesZC(b); err != nil {
		return e, ErrCorrupt
	}
	e.extraN, e.extra = n-5, b
	for range e.extraN {
		if b, err = msgp.Skip(b); err != nil {
			return e, ErrCorrupt
		}
	}
	if len(b) != 0 {
		return e, ErrCorrupt
	}
	if weakened("a newer minor version's elements are dropped") {
		e.extraN, e.extra = 0, nil
	}
	return e, nil
}

// append appends the encoded envelope. Its payload must be unpacked.
func (e *envelope) append(dst []byte) []byte {
	dst = msgp.AppendArrayHeader(dst, 5+e.extraN)
	dst = msgp.AppendUint64(dst, Major)
	dst = msgp.AppendUint64(dst, max(e.minor, Minor))
	dst = msgp.AppendBytesHeader(dst, uint32(len(e.applied)*appliedSize))
	for i := range e.applied {
		a := &e.applied[i]
		dst = append(dst, a.id[:]...)
		dst = binary.BigEndian.AppendUint32(dst, a.minute)
		dst = binary.BigEndian.AppendUint32(dst, a.since)
	}
	packing, payload := uint8(packNone), e.payload
	if len(payload) >= packFrom && len(payload) <= maxPayload {
		if packed := deflate(payload); len(packed) < len(payload) {
			packing, payload = packDeflate, packed
		}
	}
	dst = msgp.AppendUint8(dst, packing)
	dst = msgp.AppendBytes(dst, payload)
	return append(dst, e.extra...)
}

var deflaters = sync.Pool{New: func() any {
	w, err := flate.NewWriter(io.Discard, flate.BestSpeed)
	if err != nil {
		panic(err) // only for a level that doesn't exist
	}
	return w
}}

func deflate(b []byte) []byte {
	w := deflaters.Get().(*flate.Writer)
	defer deflaters.Put(w)
	var out bytes.Buffer
	out.Grow(len(b) / 2)
	w.Reset(&out)
	// A bytes.Buffer takes everything.
	_, _ = w.Write(b)
	_ = w.Close()
	return out.Bytes()
}

var inflaters = sync.Pool{New: func() any { return flate.NewReader(bytes.NewReader(nil)) }}

func inflate(b []byte) ([]byte, error) {
	r := inflaters.Get().(io.Reader)
	defer inflaters.Put(r)
	if err := r.(flate.Resetter).Reset(bytes.NewReader(b), nil); err != nil {
		return nil, err
	}
	out, err := io.ReadAll(io.LimitReader(r, maxPayload+1))
	if err != nil {
		return nil, err
	}
	if len(out) > maxPayload {
		return nil, errors.New("it unpacks to more than 4 MiB")
	}
	return out, nil
}
