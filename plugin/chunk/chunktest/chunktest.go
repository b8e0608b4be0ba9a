// Package chunktest builds Fluent Bit chunks for tests: events of both forms
// and all forms of time, group markers, and what attackers and bad disks make
// of them.
package chunktest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/vmihailenco/msgpack/v5"
)

// Map is a map as its keys and values in turn. They keep their order, a key
// may be anything and come twice.
type Map []any

// Raw is msgpack that is taken as it is.
type Raw []byte

// Ext8 is an EventTime in the form ext8, which Fluent Bit reads as well as
// the fixext8 that a time.Time becomes.
type Ext8 time.Time

// Builder builds one chunk. The zero value is an empty one. Values are what
// encoding/json would take, with Map, Raw, Ext8 and time.Time (as EventTime)
// beside; integers and floats keep the width of their Go type.
type Builder struct{ buf bytes.Buffer }

// Bytes returns the chunk.
func (b *Builder) Bytes() []byte { return b.buf.Bytes() }

// Len returns the chunk's size.
func (b *Builder) Len() int { return b.buf.Len() }

// Event adds [[t, {}], body], the form Fluent Bit's inputs write.
func (b *Builder) Event(t, body any) { b.value([]any{[]any{t, Map{}}, body}) }

// EventWithMetadata adds [[t, metadata], body].
func (b *Builder) EventWithMetadata(t, metadata, body any) {
	b.value([]any{[]any{t, metadata}, body})
}

// EventV1 adds [t, body], the form before Fluent Bit 2.1 and what a forward
// input passes through.
func (b *Builder) EventV1(t, body any) { b.value([]any{t, body}) }

// StartGroup adds the marker that begins a group.
func (b *Builder) StartGroup(metadata, attributes any) {
	b.value([]any{[]any{eventTime(0xffffffff, 0), metadata}, attributes})
}

// EndGroup adds the marker that ends a group.
func (b *Builder) EndGroup() { b.value([]any{[]any{eventTime(0xfffffffe, 0), Map{}}, Map{}}) }

// Raw adds bytes as they are.
func (b *Builder) Raw(p ...byte) { b.buf.Write(p) }

// Value adds any value, event or not.
func (b *Builder) Value(v any) { b.value(v) }

func eventTime(seconds, nanos uint32) Raw {
	p := Raw{0xd7, 0}
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(p, seconds), nanos)
}

// EventTime returns any EventTime, also one that no time.Time can be.
func EventTime(seconds, nanos uint32) Raw { return eventTime(seconds, nanos) }

func (b *Builder) value(v any) {
	enc := msgpack.NewEncoder(&b.buf)
	var err error
	switch v := v.(type) {
	case Raw:
		b.buf.Write(v)
	case time.Time:
		b.buf.Write(eventTime(uint32(v.Unix()), uint32(v.Nanosecond())))
	case Ext8:
		t := time.Time(v)
		b.buf.Write([]byte{0xc7, 8})
		b.buf.Write(eventTime(uint32(t.Unix()), uint32(t.Nanosecond()))[1:])
	case Map:
		err = enc.EncodeMapLen(len(v) / 2)
		for _, e := range v[:len(v)/2*2] {
			b.value(e)
		}
	case map[string]any:
		err = enc.EncodeMapLen(len(v))
		for _, k := range slices.Sorted(maps.Keys(v)) {
			b.value(k)
			b.value(v[k])
		}
	case map[string]string:
		err = enc.EncodeMapLen(len(v))
		for _, k := range slices.Sorted(maps.Keys(v)) {
			b.value(k)
			b.value(v[k])
		}
	case []any:
		err = enc.EncodeArrayLen(len(v))
		for _, e := range v {
			b.value(e)
		}
	case nil, bool, string, []byte, float32, float64,
		int, int8, int16, int32, int64, uint, uint8, uint16, uint32, uint64:
		err = enc.Encode(v)
	default:
		panic(fmt.Sprintf("chunktest: no msgpack for a %T", v))
	}
	if err != nil {
		panic(err) // a bytes.Buffer takes everything
	}
}

// Lines returns a chunk with one event for each line, as a tail input writes
// it: the line under the key, all at the time t.
func Lines(t time.Time, key string, lines ...string) []byte {
	var b Builder
	for _, line := range lines {
		b.Event(t, Map{key, line})
	}
	return b.Bytes()
}

// Bombs returns chunks of a few bytes that claim enormous contents. None of
// them holds a whole record.
func Bombs() map[string][]byte {
	head := func(p ...byte) []byte {
		var b Builder
		b.Raw(0x92, 0x92)
		b.value(time.Unix(1700000000, 0))
		b.Raw(0x80)
		b.Raw(p...)
		return b.Bytes()
	}
	return map[string][]byte{
		"root array32":    {0xdd, 0xff, 0xff, 0xff, 0xff},
		"header array32":  {0x92, 0xdd, 0xff, 0xff, 0xff, 0xff},
		"time ext32":      {0x92, 0xc9, 0xff, 0xff, 0xff, 0xff, 0x00},
		"metadata map32":  {0x92, 0x92, 0x01, 0xdf, 0xff, 0xff, 0xff, 0xff},
		"body map32":      head(0xdf, 0xff, 0xff, 0xff, 0xff),
		"body map32 + 1":  head(0xdf, 0x80, 0x00, 0x00, 0x00, 0xa1, 'a', 0xa1, 'b'),
		"key str32":       head(0x81, 0xdb, 0xff, 0xff, 0xff, 0xff, 'a'),
		"value str32":     head(0x81, 0xa1, 'a', 0xdb, 0xff, 0xff, 0xff, 0xff, 'a'),
		"value bin32":     head(0x81, 0xa1, 'a', 0xc6, 0xff, 0xff, 0xff, 0xff, 'a'),
		"value ext32":     head(0x81, 0xa1, 'a', 0xc9, 0xff, 0xff, 0xff, 0xff, 0x01),
		"value array32":   head(0x81, 0xa1, 'a', 0xdd, 0xff, 0xff, 0xff, 0xff, 0x01),
		"value map32":     head(0x81, 0xa1, 'a', 0xdf, 0xff, 0xff, 0xff, 0xff, 0x01),
		"nested arrays":   head(append([]byte{0x81, 0xa1, 'a'}, bytes.Repeat([]byte{0x91}, 1<<20)...)...),
		"nested maps":     head(append([]byte{0x81, 0xa1, 'a'}, bytes.Repeat([]byte{0x81, 0xa1, 'a'}, 1<<18)...)...),
		"nested metadata": append([]byte{0x92, 0x92, 0x01}, bytes.Repeat([]byte{0x91}, 1<<20)...),
	}
}
