package target

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
	"unicode"

	"dossier/correlate/commit"
	"dossier/esindex"
)

// maxCause bounds the text of a cause in bytes.
const maxCause = 500

// ErrNotDurable is what the errors are that NotDurable and Away return.
var ErrNotDurable = errors.New("the last chunk is not durable yet")

// causes keeps the last incident for which chunks are given back. Its lock is a
// leaf: nothing is called while it is held.
type causes struct {
	mu   sync.Mutex
	last commit.Incident
	at   time.Time
}

func (c *causes) note(in commit.Incident, now time.Time) {
	switch in.Kind {
	case commit.Unreachable, commit.Newer, commit.Panicked, commit.NotBuried, commit.Full:
	default:
		return // that holds no chunk back
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last, c.at = in, now
}

// since returns the last incident since start, false where there was none.
func (c *causes) since(start time.Time) (commit.Incident, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last, !c.at.IsZero() && !c.at.Before(start)
}

// causeText says in one line what an incident was. It names the index but not
// the document: that is an attacker's address, and /readyz is for everybody.
func causeText(in commit.Incident) string {
	detail := in.Reason
	if in.Err != nil {
		detail = in.Err.Error()
	}
	text := strings.TrimPrefix(detail, "elasticsearch: ")
	if in.Kind != commit.Unreachable {
		text = strings.TrimSuffix(incidents[in.Kind].text+": "+detail, ": ")
	}
	if in.Key.Index != "" {
		text = in.Key.Index + ": " + text
	}
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text)
	if len(text) > maxCause {
		text = strings.ToValidUTF8(text[:maxCause], "") + "…"
	}
	return text
}

// notDurable says why a chunk that was begun at start is not durable.
type notDurable struct {
	in    commit.Incident
	known bool
	took  time.Duration
}

// NotDurable says why a chunk that was begun at start is not durable, as an
// ErrNotDurable.
func (t *Target) NotDurable(start time.Time) error { return t.notDurable(start) }

func (t *Target) notDurable(start time.Time) *notDurable {
	e := &notDurable{took: time.Since(start)}
	e.in, e.known = t.causes.since(start)
	return e
}

// Away says why nothing can be written: what was met last, even before start.
// The error is an ErrNotDurable.
func (t *Target) Away(start time.Time) error {
	e := t.notDurable(start)
	if !e.known {
		e.in, e.known = t.causes.since(time.Time{})
	}
	return e
}

// Error returns one line.
func (e *notDurable) Error() string {
	if !e.known {
		return fmt.Sprintf("%v: Elasticsearch had not answered all of its writes after %s", ErrNotDurable, e.took.Round(time.Millisecond))
	}
	return fmt.Sprintf("%v: %s", ErrNotDurable, causeText(e.in))
}

// Is makes every notDurable an ErrNotDurable.
func (e *notDurable) Is(other error) bool { return other == ErrNotDurable }

// Unwrap returns the incident's error.
func (e *notDurable) Unwrap() error { return e.in.Err }

// Class is a word for the cause of an error of a flush or of setting up, from a
// bounded set.
func Class(err error) string {
	e, ok := errors.AsType[*notDurable](err)
	switch {
	case !ok:
		return reason(err)
	case !e.known:
		return "slow"
	default:
		return incidentClass(e.in)
	}
}

// reason is a word for an error from a bounded set, by which repeats are told
// apart: texts hold port numbers and the like.
func reason(err error) string {
	if e, ok := errors.AsType[*esindex.Error](err); ok {
		kind := e.Type
		if kind == "" && e.Status == 0 {
			kind = "no_answer"
		}
		op, _, _ := strings.Cut(e.Op, " ")
		return strings.TrimSpace(fmt.Sprint(op, " ", e.Status, " ", kind))
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	case errors.Is(err, commit.ErrClosed):
		return "closed"
	default:
		return "failed"
	}
}
