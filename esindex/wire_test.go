package esindex

import (
	"errors"
	"io"
	"strings"
	"testing"
)

// A body that was read to its end says so after the answer as well: net/http
// asks once more then, and an error would close a connection on which the next
// request may be under way. A body that was not is gone with its buffer.
func TestLoanEnds(t *testing.T) {
	for _, c := range []struct {
		read int64
		want error
	}{{6, nil}, {5, io.ErrClosedPipe}, {0, io.ErrClosedPipe}} {
		lent := &loan{buf: []byte("a body")}
		r, err := lent.reader()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.CopyN(io.Discard, r, c.read); err != nil {
			t.Fatal(err)
		}
		lent.end()
		var rest strings.Builder
		if _, err := io.Copy(&rest, r); !errors.Is(err, c.want) || rest.Len() > 0 {
			t.Errorf("%d bytes read before the end: then %q, %v, want %v", c.read, &rest, err, c.want)
		}
	}
}
