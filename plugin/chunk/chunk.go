// Package chunk reads Fluent Bit's chunks: msgpack events one after the other,
// [time, body] or [[time, metadata], body], with group markers between them.
//
// Records are views. Nothing of the chunk is copied; what has to be built
// (dotted keys, numbers as text) lives in an event.Arena. Lengths, counts and
// depths that the chunk claims are held against its size before anything is
// done with them, so a chunk can't ask for more memory than it brings.
package chunk

import (
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/vmihailenco/msgpack/v5"

	"dossier/correlate/event"
)

// Seconds that mark the start and the end of a group instead of a time: -1
// and -2 in 32 bits (Fluent Bit, flb_log_event.h).
const (
	groupStart = 0xffffffff
	groupEnd   = 0xfffffffe
)

// lastSecond is 9999-12-31T23:59:59Z. Seconds beyond are no time.
const lastSecond = 253402300799

// BrokenError says that a chunk can't be read to its end: it was cut off, or
// something in it is no msgpack. The records before are whole.
type BrokenError struct {
	// Offset is where the first unreadable event begins.
	Offset int
	// Records is the number of whole records before it.
	Records int
	// Reason says what is wrong, in words of this package.
	Reason string
}

func (e *BrokenError) Error() string {
	return fmt.Sprintf("chunk broken at byte %d, after %d records: %s", e.Offset, e.Records, e.Reason)
}

var (
	errCut     = errors.New("it ends inside an event")
	errInvalid = errors.New("a byte that is no msgpack (0xc1)")
	errFraming = errors.New("no event begins here")
)

// Decoder reads the records of one chunk. The zero value is an empty chunk;
// Reset gives it one. It is not safe for concurrent use.
type Decoder struct {
	// OnMalformed, if set, is called with the bytes of each value that is
	// whole but no event, and the reason. The bytes are a view.
	OnMalformed func(raw []byte, reason string)

	in      input
	msgpack *msgpack.Decoder
	arena   *event.Arena
	record  event.Record
	err     error

	records   int
	malformed int
	cut       int

	// Of the record being read.
	fields []event.Field
	path   []byte // key of the map or array being read, with a dot at its end
	index  [20]byte
	start  int // where the record begins
	joined event.Joined
	isCut  bool
}

// NewDecoder returns a decoder of the chunk.
func NewDecoder(data []byte, arena *event.Arena) *Decoder {
	d := &Decoder{}
	d.Reset(data, arena)
	return d
}

// Reset makes the decoder start on another chunk. Counters begin anew.
func (d *Decoder) Reset(data []byte, arena *event.Arena) {
	d.in = input{data: data}
	d.arena = arena
	d.record = event.Record{}
	d.err = nil
	d.records, d.malformed, d.cut = 0, 0, 0
	if d.msgpack == nil {
		d.msgpack = msgpack.NewDecoder(&d.in)
	}
}

// Record returns the record that Next found. Its fields are valid until Next
// is called again, their text as long as the arena and the chunk are.
func (d *Decoder) Record() event.Record { return d.record }

// Err returns the *BrokenError that ended the chunk, nil where it was read to
// its end.
func (d *Decoder) Err() error { return d.err }

// Offset returns where the last whole event ended, in bytes.
func (d *Decoder) Offset() int {
	if broken, ok := errors.AsType[*BrokenError](d.err); ok {
		return broken.Offset
	}
	return d.in.off
}

// Records returns how many records were found so far.
func (d *Decoder) Records() int { return d.records }

// Malformed returns how many values were skipped that are whole but no event.
func (d *Decoder) Malformed() int { return d.malformed }

// Cut returns how many records had more fields, depth or longer keys than the
// bounds allow (event.MaxFields and others), and lost the rest.
func (d *Decoder) Cut() int { return d.cut }

// Next reads the next record. It returns false at the end of the chunk and
// where it is broken.
func (d *Decoder) Next() bool {
	for d.err == nil && d.in.off < len(d.in.data) {
		start := d.in.off
		what, err := d.event()
		switch {
		case err != nil:
			d.err = &BrokenError{Offset: start, Records: d.records, Reason: err.Error()}
		case what == "":
			d.records++
			if d.isCut {
				d.cut++
			}
			return true
		case what != marker:
			// It may have been left in the middle. Only a value that is whole
			// can be stepped over.
			d.in.off = start
			if err := d.in.skip(); err != nil {
				d.err = &BrokenError{Offset: start, Records: d.records, Reason: err.Error()}
				break
			}
			d.malformed++
			if d.OnMalformed != nil {
				d.OnMalformed(d.in.data[start:d.in.off], what)
			}
		}
	}
	d.record = event.Record{}
	return false
}

// What event found where it is no record.
const (
	marker      = "group marker"
	notAnArray  = "not an array"
	wrongLength = "not two elements"
	wrongHeader = "its header is not time and metadata"
	wrongTime   = "its first element is no time"
	wrongBody   = "its body is not a map"
)

// event reads one event into d.record. It returns "" for a record, else what
// it is instead. The error says that the chunk is broken.
func (d *Decoder) event() (what string, err error) {
	d.start = d.in.off
	switch kinds[d.in.data[d.in.off]] {
	case arrayKind:
	case mapKind, stringKind, extKind:
		return notAnArray, nil
	case invalidKind:
		return "", errInvalid
	default:
		// Bare numbers are what any text looks like: the framing is lost.
		return "", errFraming
	}
	if n, err := d.arrayLen(); err != nil || n != 2 {
		return wrongLength, err
	}
	kind, err := d.in.peek()
	if err != nil {
		return "", err
	}
	withMetadata := kind == arrayKind
	if withMetadata {
		if n, err := d.arrayLen(); err != nil || n != 2 {
			return wrongHeader, err
		}
	}
	when, what, err := d.time()
	if err != nil || what != "" && what != marker {
		return what, err
	}
	if withMetadata {
		if err := d.in.skip(); err != nil {
			return "", err
		}
	}
	if what == marker {
		return marker, d.in.skip()
	}
	if kind, err = d.in.peek(); err != nil {
		return "", err
	}
	if kind != mapKind {
		return wrongBody, nil
	}
	d.fields, d.path, d.joined, d.isCut = d.fields[:0], d.path[:0], event.Joined{}, false
	if err := d.mapFields(1); err != nil {
		return "", err
	}
	d.record = event.Record{Time: when, Fields: d.fields}
	return "", nil
}

// time reads an event's time: EventTime (extension 0, seconds and nanoseconds
// in 32 bits each), an integer or a float, both seconds. What is a number but
// no instant gives event.Never: the record counts all the same.
func (d *Decoder) time() (t event.Time, what string, err error) {
	kind, err := d.in.peek()
	if err != nil {
		return 0, "", err
	}
	switch kind {
	case extKind:
		b, err := d.eventTime()
		if err != nil || b == nil {
			return 0, wrongTime, err
		}
		seconds, nanos := be32(b), be32(b[4:])
		if seconds >= groupEnd {
			return 0, marker, nil
		}
		return event.Time(seconds)*1e6 + event.Time(min(nanos, 999_999_999)/1000), "", nil
	case uintKind:
		seconds, err := d.msgpack.DecodeUint64()
		switch {
		case err != nil:
			return 0, "", errCut
		case seconds == groupStart || seconds == groupEnd:
			return 0, marker, nil
		case seconds > lastSecond:
			return event.Never, "", nil
		}
		return event.Time(seconds) * 1e6, "", nil
	case intKind:
		seconds, err := d.msgpack.DecodeInt64()
		switch {
		case err != nil:
			return 0, "", errCut
		case seconds < 0:
			// Fluent Bit keeps negative times for markers.
			return 0, marker, nil
		case seconds > lastSecond:
			return event.Never, "", nil
		}
		return event.Time(seconds) * 1e6, "", nil
	case floatKind:
		seconds, err := d.msgpack.DecodeFloat64()
		if err != nil {
			return 0, "", errCut
		}
		if !(seconds >= 0 && seconds <= lastSecond) { // NaN too
			return event.Never, "", nil
		}
		return event.Time(math.Round(seconds * 1e6)), "", nil
	case invalidKind:
		return 0, "", errInvalid
	default:
		return 0, wrongTime, nil
	}
}

// eventTime reads the 8 bytes of an extension 0, nil where it is another one.
func (d *Decoder) eventTime() ([]byte, error) {
	if rest := d.in.data[d.in.off:]; len(rest) >= 10 && rest[0] == 0xd7 && rest[1] == 0 {
		d.in.off += 10 // as Fluent Bit writes it
		return rest[2:10], nil
	}
	id, n, err := d.msgpack.DecodeExtHeader()
	if err != nil {
		return nil, errCut
	}
	b, err := d.in.take(n)
	if err != nil || id != 0 || n != 8 {
		return nil, err
	}
	return b, nil
}

// mapFields reads a map's members as fields below d.path.
func (d *Decoder) mapFields(depth int) error {
	n, err := d.in.length()
	if err != nil || n > (len(d.in.data)-d.in.off)/2 {
		return errCut
	}
	above := len(d.path)
	for range n {
		key, ok, err := d.text()
		if err != nil {
			return err
		}
		if !ok {
			d.isCut = true
			if err := d.in.skip(); err != nil {
				return err
			}
			continue
		}
		if err := d.value(key, depth); err != nil {
			return err
		}
		d.path = d.path[:above]
	}
	return nil
}

// arrayFields reads an array's elements as numbered fields below d.path.
func (d *Decoder) arrayFields(depth int) error {
	n, err := d.arrayLen()
	if err != nil {
		return err
	}
	above := len(d.path)
	for i := range n {
		// The key is copied before an inner array writes another one.
		key := event.View(strconv.AppendInt(d.index[:0], int64(i), 10))
		if err := d.value(key, depth); err != nil {
			return err
		}
		d.path = d.path[:above]
	}
	return nil
}

// value reads the value that stands under the key in the map or array at
// d.path.
func (d *Decoder) value(key string, depth int) error {
	kind, err := d.in.peek()
	if err != nil {
		return err
	}
	switch {
	case kind == nilKind:
		return d.in.skip()
	case len(d.fields) >= event.MaxFields, len(d.path)+len(key) > event.MaxKey,
		(kind == mapKind || kind == arrayKind) && !event.Within(d.path, key, depth), kind == extKind:
		d.isCut = true
		return d.in.skip()
	case kind == mapKind:
		d.path = append(append(d.path, key...), '.')
		return d.mapFields(depth + 1)
	case kind == arrayKind:
		d.path = append(append(d.path, key...), '.')
		return d.arrayFields(depth + 1)
	}
	if len(d.path) > 0 {
		if !d.joined.Take(len(d.path)+len(key), d.in.off-d.start) {
			d.isCut = true
			return d.in.skip()
		}
		key = d.arena.Join(event.View(d.path), key)
	}
	value, _, err := d.text()
	if err != nil {
		return err
	}
	d.fields = append(d.fields, event.Field{Key: key, Value: value})
	return nil
}

// text reads a scalar as text: a view of the chunk, or of the arena for a
// number. It steps over any other value and returns false.
func (d *Decoder) text() (s string, ok bool, err error) {
	kind, err := d.in.peek()
	if err != nil {
		return "", false, err
	}
	switch kind {
	case stringKind:
		n, err := d.in.length()
		if err != nil {
			return "", false, err
		}
		b, err := d.in.take(n)
		return event.View(b), true, err
	case boolKind:
		b, err := d.msgpack.DecodeBool()
		if err != nil {
			return "", false, errCut
		}
		if b {
			return "true", true, nil
		}
		return "false", true, nil
	case uintKind:
		n, err := d.msgpack.DecodeUint64()
		if err != nil {
			return "", false, errCut
		}
		return d.arena.Keep(strconv.AppendUint(d.arena.Grab(20), n, 10)), true, nil
	case intKind:
		n, err := d.msgpack.DecodeInt64()
		if err != nil {
			return "", false, errCut
		}
		return d.arena.Keep(strconv.AppendInt(d.arena.Grab(20), n, 10)), true, nil
	case floatKind:
		bits := 64
		if d.in.data[d.in.off] == 0xca {
			bits = 32
		}
		f, err := d.msgpack.DecodeFloat64()
		if err != nil {
			return "", false, errCut
		}
		// As JSON and JavaScript write numbers.
		form := byte('f')
		if abs := math.Abs(f); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
			form = 'e'
		}
		return d.arena.Keep(strconv.AppendFloat(d.arena.Grab(40), f, form, -1, bits)), true, nil
	default:
		return "", false, d.in.skip()
	}
}

// arrayLen reads an array's header. An array that can't be in the rest of the
// chunk is cut off.
func (d *Decoder) arrayLen() (int, error) {
	n, err := d.in.length()
	if err != nil || n > len(d.in.data)-d.in.off {
		return 0, errCut
	}
	return n, nil
}
