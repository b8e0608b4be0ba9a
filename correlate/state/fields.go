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
