package commit

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/tinylib/msgp/msgp"
)

func someEnvelope(ids, payload int) envelope {
	e := envelope{applied: []applied{}, payload: bytes.Repeat([]byte("payload "), payload/8)}
	for i := range ids {
		e.applied = append(e.applied, applied{id: chunkOf(uint16(i)).ID, minute: 29_000_000 + uint32(i), since: 29_000_100})
	}
	return e
}

func TestEnvelopeRoundTrip(t *testing.T) {
	for _, e := range []envelope{
		{applied: []applied{}, payload: []byte{}},
		someEnvelope(1, 100),
		someEnvelope(512, packFrom-8),
		someEnvelope(3, packFrom),
		someEnvelope(0, 200<<10),
		{minor: 9, applied: []applied{}, payload: []byte("p"), extra: msgp.AppendString(msgp.AppendMapHeader(nil, 0), "x"), extraN: 2},
	} {
		b := e.append(nil)
		got, err := decodeEnvelope(b)
		if err != nil {
			t.Fatal(err)
		}
		if len(got.extra) == 0 {
			got.extra = nil
		}
		if !reflect.DeepEqual(got, e) {
			t.Errorf("%d ids, %d bytes of payload: got %d and %d, extra %x", len(e.applied), len(e.payload), len(got.applied), len(got.payload), got.extra)
		}
		if again := got.append(nil); !bytes.Equal(again, b) {
			t.Error("encoded differently")
		}
		if len(e.payload) >= packFrom && len(b) > len(e.payload)/2 {
			t.Errorf("%d bytes of payload are not packed", len(e.payload))
		}
	}
}

// TestWithPayload: of a state whose payload is another one all else is as it was, a
// newer minor version's elements included.
func TestWithPayload(t *testing.T) {
	was := someEnvelope(3, packFrom)
	was.minor, was.extra, was.extraN = 9, msgp.AppendString(nil, "x"), 1
	for _, payload := range [][]byte{[]byte("p"), bytes.Repeat([]byte("payload "), packFrom)} {
		b, err := WithPayload(was.append(nil), payload)
		if err != nil {
			t.Fatal(err)
		}
		want := was
		want.payload = payload
		if got, err := decodeEnvelope(b); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%d bytes of payload: %d ids, minor %d, extra %x, %v", len(payload), len(got.applied), got.minor, got.extra, err)
		}
	}
	if _, err := WithPayload(msgp.AppendUint64(msgp.AppendArrayHeader(nil, 2), Major+1), nil); !errors.Is(err, ErrNewer) {
		t.Errorf("a newer version: %v", err)
	}
	if _, err := WithPayload([]byte("x"), nil); !errors.Is(err, ErrCorrupt) {
		t.Errorf("no state: %v", err)
	}
}

// A payload beyond what a reader unpacks is not packed: it must not become
// unreadable.
func TestEnvelopeOfHugePayload(t *testing.T) {
	e := someEnvelope(0, maxPayload+8)
	got, err := decodeEnvelope(e.append(nil))
	if err != nil || !bytes.Equal(got.payload, e.payload) {
		t.Errorf("%d bytes, %v", len(got.payload), err)
	}
}

func TestEnvelopeErrors(t *testing.T) {
	array := func(n uint32, major, minor uint64, rest ...byte) []byte {
		b := msgp.AppendUint64(msgp.AppendArrayHeader(nil, n), major)
		return append(msgp.AppendUint64(b, minor), rest...)
	}
	bomb := envelope{payload: bytes.Repeat([]byte{0}, maxPayload)}.append2()
	for name, test := range map[string]struct {
		b    []byte
		want error
	}{
		"nothing":            {nil, ErrCorrupt},
		"text":               {[]byte("{}"), ErrCorrupt},
		"map":                {msgp.AppendMapHeader(nil, 3), ErrCorrupt},
		"huge array":         {msgp.AppendArrayHeader(nil, 1<<32-1), ErrCorrupt},
		"newer major":        {array(2, Major+1, 0), ErrNewer},
		"newer major, other": {append(msgp.AppendUint64(msgp.AppendArrayHeader(nil, 9), 7), 0xc1), ErrNewer},
		"older major":        {array(5, Major-1, 0), ErrCorrupt},
		"too short":          {array(4, Major, 0, 0xc4, 0, 0, 0xc4, 0), ErrCorrupt},
		"no ids":             {array(5, Major, 0), ErrCorrupt},
		"half an id":         {array(5, Major, 0, 0xc4, 3, 1, 2, 3, 0, 0xc4, 0), ErrCorrupt},
		"packing":            {array(5, Major, 0, 0xc4, 0, 9, 0xc4, 0), ErrCorrupt},
		"bad deflate":        {array(5, Major, 0, 0xc4, 0, packDeflate, 0xc4, 2, 0xff, 0xff), ErrCorrupt},
		"cut":                {array(5, Major, 0, 0xc4, 0, 0, 0xc4, 5, 1, 2), ErrCorrupt},
		"trailing":           {array(5, Major, 0, 0xc4, 0, 0, 0xc4, 0, 1), ErrCorrupt},
		"extra missing":      {array(1<<31, Major, 1, 0xc4, 0, 0, 0xc4, 0, 1), ErrCorrupt},
		"unpacks to more":    {bomb, ErrCorrupt},
	} {
		if _, err := decodeEnvelope(test.b); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
	}
	whole := someEnvelope(3, packFrom)
	for b := whole.append(nil); len(b) > 0; b = b[:len(b)-1] {
		if _, err := decodeEnvelope(b[:len(b)-1]); err == nil {
			t.Fatalf("cut to %d bytes it is read", len(b)-1)
		}
	}
}

// append2 returns an envelope whose deflated payload unpacks to one byte more
// than is allowed.
func (e envelope) append2() []byte {
	b := msgp.AppendUint64(msgp.AppendUint64(msgp.AppendArrayHeader(nil, 5), Major), 0)
	b = msgp.AppendUint8(msgp.AppendBytes(b, nil), packDeflate)
	return msgp.AppendBytes(b, deflate(append(e.payload, 0)))
}

func FuzzEnvelope(f *testing.F) {
	for _, e := range []envelope{someEnvelope(0, 0), someEnvelope(2, 64), someEnvelope(1, packFrom), {minor: 3, extra: []byte{0xc0}, extraN: 1}} {
		f.Add(e.append(nil))
	}
	f.Add([]byte{0x92, 2, 0})
	f.Add([]byte(strings.Repeat("\x95", 10)))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := decodeEnvelope(b)
		if err != nil {
			if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrNewer) {
				t.Error(err)
			}
			return
		}
		again, err := decodeEnvelope(e.append(nil))
		if err != nil {
			t.Fatal(err)
		}
		if again.minor != e.minor || again.extraN != e.extraN || !bytes.Equal(again.payload, e.payload) || !bytes.Equal(again.extra, e.extra) || len(again.applied) != len(e.applied) {
			t.Errorf("%+v became %+v", e, again)
		}
	})
}

// An id is found wherever it is and wherever it is thought to be.
func TestFind(t *testing.T) {
	const ids = 5
	e := someEnvelope(ids, 0)
	for from := range ids + 1 {
		for i := range ids {
			if got := e.find(chunkOf(uint16(i)).ID, from); got != i {
				t.Errorf("id %d, from %d: found at %d", i, from, got)
			}
		}
		if got := e.find(chunkOf(ids).ID, from); got != -1 {
			t.Errorf("an id that isn't there, from %d: found at %d", from, got)
		}
	}
}

// What claims to be newer is what parseEnvelope calls newer.
func TestIsNewer(t *testing.T) {
	e := envelope{payload: []byte{1}}
	for _, state := range [][]byte{e.append(nil), {}, {0x92}, {0x91, 2}, {0x92, 2, 0}, {0x92, 0xa1, '2', 0}, {0x95, 0xcf, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0}, []byte("state")} {
		_, err := parseEnvelope(state)
		if got := IsNewer(state); got != errors.Is(err, ErrNewer) {
			t.Errorf("%x: %v, but parsing says %v", state, got, err)
		}
	}
}
