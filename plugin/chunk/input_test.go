package chunk

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/vmihailenco/msgpack/v5"
)

// Headers are read as the msgpack package reads them.
func TestLength(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for c := range 256 {
		for range 200 {
			data := []byte{byte(c)}
			for range r.IntN(6) {
				data = append(data, byte(r.UintN(256))>>r.UintN(9))
			}
			reader := bytes.NewReader(data)
			plain := msgpack.NewDecoder(reader)
			var want int
			var err error
			switch kinds[c] {
			case stringKind:
				want, err = plain.DecodeBytesLen()
			case arrayKind:
				want, err = plain.DecodeArrayLen()
			case mapKind:
				want, err = plain.DecodeMapLen()
			default:
				continue
			}
			in := input{data: data}
			got, gotErr := in.length()
			if (gotErr != nil) != (err != nil) || err == nil && (got != want || len(data)-in.off != reader.Len()) {
				t.Fatalf("% x: %d, %v, %d bytes left; want %d, %v, %d left", data, got, gotErr, len(data)-in.off, want, err, reader.Len())
			}
		}
	}
}
