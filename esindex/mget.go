package esindex

import (
	"encoding/base64"
	"errors"
	"fmt"

	"dossier/correlate/commit"
)

// maxState bounds the base64 of one state, in bytes: more than twice what the
// largest document takes. Whoever holds a sensor's key can write longer ones.
const maxState = 512 << 10

// readAnswer reads an _mget answer into out at the positions of sc.at. It
// returns the positions of those whose index is missing.
func (sc *scratch) readAnswer(out []commit.Stored) (missing []int32, err error) {
	l := &sc.lexer
	r := reader{item: &sc.item}
	count := -1
	err = l.object(func(key []byte) error {
		if string(key) != "docs" || count >= 0 {
			return unexpected(l, key)
		}
		count = 0
		return l.array(func(n int) error {
			if n >= len(sc.at) {
				return l.errorf("%w", errCount)
			}
			count++
			out[sc.at[n]] = commit.Stored{}
			r.missing = false
			err := r.read(l, &out[sc.at[n]])
			if r.missing {
				missing = append(missing, sc.at[n])
			}
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	if count != len(sc.at) {
		return nil, l.errorf("%w", errCount)
	}
	return missing, l.finish()
}

// reader reads the documents of one _mget answer.
type reader struct {
	*item
	missing bool // of the last one: its index is
	// What was made of the last error, as many repeat.
	lastErr   error
	lastType  string
	lastCause string
}

var errState = fmt.Errorf("%w: it is no base64, or too long", commit.ErrCorrupt)

func (r *reader) read(l *lexer, doc *commit.Stored) error {
	found, answered, failed := false, false, false
	version := commit.Version{SeqNo: -1}
	var broken error
	err := l.object(func(key []byte) (err error) {
		switch string(key) {
		case "found":
			answered = true
			found, err = l.boolean()
		case "_seq_no":
			version.SeqNo, err = l.integer()
		case "_primary_term":
			version.PrimaryTerm, err = l.integer()
		case "_source":
			err = l.object(func(key []byte) error {
				if string(key) != "state" {
					return l.skip()
				}
				if c, err := l.next(); err != nil {
					return err
				} else if c != '"' {
					broken = errState
					return l.skip()
				}
				coded, err := l.str()
				if errors.Is(err, errLong) {
					broken = errState
					return nil
				}
				if err != nil {
					return err
				}
				doc.State = make([]byte, base64.StdEncoding.DecodedLen(len(coded)))
				n, bad := base64.StdEncoding.Decode(doc.State, coded)
				doc.State = doc.State[:n]
				if bad != nil {
					broken = errState
				}
				return nil
			})
		case "error":
			failed = true
			r.typ, r.reason, err = readCause(l, r.typ[:0], r.reason[:0])
		default:
			err = l.skip()
		}
		return err
	})
	switch {
	case err != nil:
		return err
	case failed && string(r.typ) == "index_not_found_exception":
		r.missing = true
		*doc = commit.Stored{}
	case failed:
		if r.lastErr == nil || string(r.typ) != r.lastType || string(r.reason) != r.lastCause {
			reason := string(r.reason)
			r.lastType, r.lastCause = errorType(string(r.typ)), reason
			r.lastErr = &Error{Op: "read", Type: r.lastType, Reason: safeReason(r.lastType, reason), Fix: fix(0, r.lastType, reason)}
		}
		*doc = commit.Stored{Err: r.lastErr}
	case !answered:
		return l.errorf("an answer without found")
	case !found:
		*doc = commit.Stored{}
	case broken != nil:
		*doc = commit.Stored{Err: broken, Version: version}
	case version.SeqNo < 0 || version.PrimaryTerm < 1:
		return l.errorf("a document without its version")
	default:
		doc.Exists, doc.Version = true, version
	}
	return nil
}
