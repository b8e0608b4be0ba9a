package esindex

import (
	"bytes"
	"cmp"
	"io"
	"net/http"
	"strconv"

	"dossier/correlate/commit"

	"github.com/elastic/go-elasticsearch/v8/esapi"
)

// The answers are cut to what is read of them. Errors of the whole request
// come whole nevertheless.
var (
	bulkFilter = []string{"items.*.status", "items.*._seq_no", "items.*._primary_term", "items.*.error.type", "items.*.error.reason"}
	readFilter = []string{"docs.found", "docs._seq_no", "docs._primary_term", "docs._source.state", "docs.error.type", "docs.error.reason"}
)

// maxReasonText bounds one text in a _bulk answer, in bytes.
const maxReasonText = 256 << 10

// actionSize is an upper bound of what an operation takes in a request beside
// the document and its key.
const actionSize = 136

// maxSize is about what an operation takes in a request, and no less.
func maxSize(op *commit.Op) int {
	return len(op.Body) + sizeString(op.Key.Index) + sizeString(op.Key.ID) + actionSize
}

// sizeString is how many bytes appendString takes for s, without the quotes.
func sizeString(s string) int {
	n := len(s)
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			n++
		case c < 0x20:
			n += 5
		}
	}
	return n
}

// appendOp appends an operation as _bulk wants it: a line that says what to
// do, and the document's. alias has it refused where the index's name is none.
func appendOp(b []byte, op *commit.Op, alias bool) []byte {
	if op.Kind == commit.Create {
		b = append(b, `{"create":{"_index":`...)
	} else {
		b = append(b, `{"index":{"_index":`...)
	}
	b = appendString(b, op.Key.Index)
	b = append(b, `,"_id":`...)
	b = appendString(b, op.Key.ID)
	if op.Kind == commit.Replace {
		b = append(b, `,"if_seq_no":`...)
		b = strconv.AppendInt(b, op.Version.SeqNo, 10)
		b = append(b, `,"if_primary_term":`...)
		b = strconv.AppendInt(b, op.Version.PrimaryTerm, 10)
	}
	if alias {
		b = append(b, `,"require_alias":true`...)
	}
	b = append(b, "}}\n"...)
	b = append(b, op.Body...)
	return append(b, '\n')
}

func containsBreak(b []byte) bool { return bytes.IndexByte(b, '\n') >= 0 }

const hexDigits = "0123456789abcdef"

// appendString appends s as a JSON string.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c < 0x20:
			b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}

// item is the answer to one operation as it is being read.
type item struct {
	status      int64
	seqNo, term int64
	typ, reason []byte
	failed      bool
	// What was made of the last error, as many repeat: its status, type and
	// reason, and the text.
	lastStatus int64
	lastType   string
	lastCause  []byte
	lastText   string
}

// bulkAnswer reads a _bulk answer into out at the positions. An error says
// that it can't be relied on; what is in out then is worth nothing.
func (sc *scratch) bulkAnswer(ops []commit.Op, at []int32, out []commit.Written) error {
	l, it := &sc.lexer, &sc.item
	it.lastStatus = -1
	count := -1
	err := l.object(func(key []byte) error {
		if string(key) != "items" || count >= 0 {
			return unexpected(l, key)
		}
		count = 0
		return l.array(func(n int) error {
			if n >= len(at) {
				return l.errorf("%w", errCount)
			}
			count++
			op := &ops[at[n]]
			if err := it.read(l, op.Kind); err != nil {
				return err
			}
			out[at[n]] = it.judge()
			return nil
		})
	})
	if err != nil {
		return err
	}
	if count != len(at) {
		return l.errorf("%w", errCount)
	}
	return l.finish()
}

// unexpected skips a member that was not asked for. One that stands where an
// answer should be is an error.
func unexpected(l *lexer, key []byte) error {
	switch string(key) {
	case "items", "docs", "error":
		return l.errorf("a misplaced %q", key)
	}
	return l.skip()
}

func (it *item) read(l *lexer, kind commit.OpKind) error {
	it.status, it.seqNo, it.term, it.failed = 0, -1, 0, false
	it.typ, it.reason = it.typ[:0], it.reason[:0]
	members := 0
	err := l.object(func(key []byte) error {
		want := "index"
		if kind == commit.Create {
			want = "create"
		}
		if members++; members > 1 || string(key) != want {
			return l.errorf("the answer to another operation")
		}
		return l.object(func(key []byte) (err error) {
			switch string(key) {
			case "status":
				it.status, err = l.integer()
			case "_seq_no":
				it.seqNo, err = l.integer()
			case "_primary_term":
				it.term, err = l.integer()
			case "error":
				it.failed = true
				it.typ, it.reason, err = readCause(l, it.typ, it.reason)
			default:
				err = l.skip()
			}
			return err
		})
	})
	if err == nil && members == 0 {
		return l.errorf("an empty answer")
	}
	return err
}

// readCause takes an error: an object with type and reason, or a mere text.
func readCause(l *lexer, typ, reason []byte) (_, _ []byte, err error) {
	c, err := l.next()
	if err != nil {
		return typ, reason, err
	}
	if c == '"' {
		s, err := l.str()
		return typ, append(reason[:0], s...), err
	}
	err = l.object(func(key []byte) error {
		c, err := l.next()
		if err != nil {
			return err
		}
		into := &typ
		switch {
		case c != '"':
			return l.skip()
		case string(key) == "reason":
			into = &reason
		case string(key) != "type":
			return l.skip()
		}
		s, err := l.str()
		*into = append((*into)[:0], s...)
		return err
	})
	return typ, reason, err
}

// judge says what the answer means. Everything that is neither known to be
// done nor known to be impossible is Unknown: it will be tried again.
func (it *item) judge() commit.Written {
	switch {
	case it.status >= 200 && it.status < 300 && !it.failed && it.seqNo >= 0 && it.term >= 1:
		return commit.Written{Status: commit.Done, Version: commit.Version{SeqNo: it.seqNo, PrimaryTerm: it.term}}
	case it.status == http.StatusConflict:
		return commit.Written{Status: commit.Conflict, Reason: "version conflict"}
	}
	if it.status == it.lastStatus && string(it.typ) == it.lastType && bytes.Equal(it.reason, it.lastCause) {
		return commit.Written{Reason: it.lastText}
	}
	typ, reason := errorType(string(it.typ)), string(it.reason)
	if rejects(int(it.status), typ, reason) {
		text := typ
		if safe := safeReason(typ, reason); safe != "" {
			text += ": " + safe
		}
		return commit.Written{Status: commit.Rejected, Reason: text}
	}
	it.lastStatus, it.lastType, it.lastCause = it.status, typ, append(it.lastCause[:0], it.reason...)
	text := cmp.Or(typ, "HTTP "+strconv.FormatInt(it.status, 10))
	if safe := safeReason(typ, reason); safe != "" {
		text += ": " + safe
	}
	if fix := fix(int(it.status), typ, reason); fix != "" {
		text += "; " + fix
	}
	it.lastText = text
	return commit.Written{Reason: text}
}

// readStatusError describes a whole answer that is no success.
func readStatusError(op string, res *esapi.Response) error {
	b, err := io.ReadAll(io.LimitReader(res.Body, maxReasonText))
	if err != nil {
		return newTransportError(op, err)
	}
	return newStatusError(op, res.StatusCode, b, true)
}
