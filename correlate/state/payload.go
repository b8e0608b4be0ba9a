package state

import (
	"strconv"

	"dossier/correlate/event"

	"github.com/tinylib/msgp/msgp"
)

// EncodeFields encodes a payload as a msgpack array of names and values: the
// longest prefix of whole fields that fits event.MaxPayload. No fields are "".
func EncodeFields(a *event.Arena, fields []event.Field) string {
	return encodeFields(a, fields, event.MaxPayload)
}

func encodeFields(a *event.Arena, fields []event.Field, limit int) string {
	size, n := 3, 0
	for ; n < len(fields); n++ {
		s := len(fields[n].Key) + len(fields[n].Value) + 6
		if size+s > limit {
			break
		}
		size += s
	}
	if n == 0 {
		return ""
	}
	b := msgp.AppendArrayHeader(a.Grab(size+3), uint32(2*n))
	for i := range fields[:n] {
		b = appendText(b, fields[i].Key)
		b = appendText(b, fields[i].Value)
	}
	return a.Keep(b)
}

// leftOut is the field of a payload that says how many of its fields are
// missing because the payload was too long.
const leftOut = "left_out"

// FitFields returns a payload of the fields of another that fit into n bytes,
// in their order, and how many didn't.
func FitFields(payload string, n int) string {
	left := 0
	room := n - 3 - 2*longest - len(leftOut) - 4
	b := make([]byte, 0, n)
	kept := uint32(0)
	DecodeFields(payload, func(key, value string) {
		size := len(key) + len(value) + 2*longest
		if key == leftOut || size > room {
			left++
			return
		}
		room -= size
		b = msgp.AppendString(msgp.AppendString(b, key), value)
		kept += 2
	})
	if room < 0 {
		return ""
	}
	b = appendText(appendText(b, leftOut), strconv.Itoa(left))
	return event.View(append(msgp.AppendArrayHeader(make([]byte, 0, len(b)+3), kept+2), b...))
}

// longest is what the header of a text takes at the most.
const longest = 3

// appendText appends s, which is mostly short.
func appendText(b []byte, s string) []byte {
	if len(s) >= 32 {
		return msgp.AppendString(b, s)
	}
	b = append(b, 0xa0|byte(len(s)))
	return append(b, s...)
}

// DecodeFields calls yield for each field of a payload, in its order. It stops
// at the first byte that isn't EncodeFields' work.
func DecodeFields(payload string, yield func(key, value string)) {
	if payload == "" {
		return
	}
	n, b, err := msgp.ReadArrayHeaderBytes(event.Bytes(payload))
	for ; err == nil && n >= 2; n -= 2 {
		var key, value []byte
		if key, b, err = msgp.ReadStringZC(b); err != nil {
			return
		}
		if value, b, err = msgp.ReadStringZC(b); err != nil {
			return
		}
		yield(event.View(key), event.View(value))
	}
}

func decimal(a *event.Arena, n int64) string {
	return a.Keep(strconv.AppendInt(a.Grab(20), n, 10))
}
