package explain

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/vmihailenco/msgpack/v5"
)

// maxNested bounds the objects and arrays inside each other in a record.
const maxNested = 256

// encoder makes chunks as Fluent Bit does.
type encoder struct{ buf bytes.Buffer }

func (e *encoder) data() []byte { return e.buf.Bytes() }
func (e *encoder) size() int    { return e.buf.Len() }
func (e *encoder) reset()       { e.buf = bytes.Buffer{} } // what was read are views

// add adds a record of a line, none with the error.
func (e *encoder) add(t time.Time, form Form, line []byte) error {
	start := e.buf.Len()
	// [[EventTime, {}], body]
	e.buf.Write([]byte{0x92, 0x92, 0xd7, 0})
	e.buf.Write(binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, uint32(t.Unix())), uint32(t.Nanosecond())))
	e.buf.WriteByte(0x80)
	var err error
	if form == Record {
		err = e.object(line)
	} else {
		enc := msgpack.NewEncoder(&e.buf)
		err = errors.Join(enc.EncodeMapLen(1), enc.EncodeString("log"), enc.EncodeString(string(line)))
	}
	if err != nil {
		e.buf.Truncate(start)
	}
	return err
}

// object adds the JSON object in text, its members in their order.
func (e *encoder) object(text []byte) error {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	t, err := dec.Token()
	if err != nil {
		return fmt.Errorf("no JSON: %w", err)
	}
	if t != json.Delim('{') {
		return errors.New("no JSON object")
	}
	if err := e.value(dec, t, &e.buf, 0); err != nil {
		return fmt.Errorf("no JSON: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more than one JSON object")
	}
	return nil
}

// value appends to dst the value that begins with the token t.
func (e *encoder) value(dec *json.Decoder, t json.Token, dst *bytes.Buffer, depth int) error {
	if depth > maxNested {
		return fmt.Errorf("more than %d levels", maxNested)
	}
	enc := msgpack.NewEncoder(dst)
	switch t := t.(type) {
	case json.Delim:
		var inner bytes.Buffer
		n := 0
		for ; dec.More(); n++ {
			next, err := dec.Token()
			if err != nil {
				return err
			}
			if err := e.value(dec, next, &inner, depth+1); err != nil {
				return err
			}
		}
		if _, err := dec.Token(); err != nil {
			return err
		}
		var err error
		if t == '{' {
			err = enc.EncodeMapLen(n / 2)
		} else {
			err = enc.EncodeArrayLen(n)
		}
		dst.Write(inner.Bytes())
		return err
	case json.Number:
		if n, err := strconv.ParseInt(string(t), 10, 64); err == nil {
			return enc.EncodeInt(n)
		}
		f, err := t.Float64()
		if err != nil {
			return err
		}
		return enc.EncodeFloat64(f)
	case string:
		return enc.EncodeString(t)
	case bool:
		return enc.EncodeBool(t)
	default:
		return enc.EncodeNil()
	}
}
