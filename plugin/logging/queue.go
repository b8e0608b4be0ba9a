// Package logging carries slog records into Fluent Bit's own log.
//
// Fluent Bit's log takes a line to where its user wants it (Log_File, the
// console) only from a thread of its own; a line from any other thread goes
// to standard error. So lines wait in a Queue for the next callback.
package logging

import (
	"fmt"
	"sync"
	"time"

	"dossier/panics"
)

// Level is one of Fluent Bit's log levels.
type Level int

// The levels, as Fluent Bit numbers them (flb_log.h).
const (
	Error Level = 1 + iota
	Warn
	Info
	Debug
	Trace
)

// Line is one line for Fluent Bit's log, with its prefix and without a line
// feed.
type Line struct {
	Level Level
	Text  string
}

const (
	// maxWaiting bounds the lines of a Queue.
	maxWaiting = 512
	// Patience is how long a line waits for a callback before it goes out
	// from wherever the process is.
	Patience = 3 * time.Second
)

// Queue holds lines until a callback of Fluent Bit's takes them. It is safe
// for concurrent use.
type Queue struct {
	late     func(Line)
	panicked func(*panics.Panic)
	wake     chan struct{}

	mu    sync.Mutex // a leaf: nothing is called while it is held
	lines []Line
	lost  int
	timer *time.Timer
}

// NewQueue returns an empty Queue. Lines that no callback took within
// Patience are given to late; it must be safe to call from any thread. A line
// that late, or a callback, panics over is lost, and panicked is told.
func NewQueue(late func(Line), panicked func(*panics.Panic)) *Queue {
	return &Queue{late: late, panicked: panicked, wake: make(chan struct{}, 1)}
}

// Wake receives when there are lines to Take.
func (q *Queue) Wake() <-chan struct{} { return q.wake }

// Put adds a line. When too many are waiting it is lost, and counted.
func (q *Queue) Put(l Line) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.lines) >= maxWaiting {
		q.lost++
		return
	}
	q.lines = append(q.lines, l)
	if len(q.lines) == 1 {
		q.timer = time.AfterFunc(Patience, func() { q.Take(q.late) })
	}
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// Take empties the queue into emit, in order.
func (q *Queue) Take(emit func(Line)) {
	lines, lost := q.empty()
	if lost > 0 {
		lines = append(lines, Line{Warn, fmt.Sprintf("[output:dossier] %d log lines are lost: too many at once", lost)})
	}
	for _, l := range lines {
		panics.Do("log", q.panicked, func() { emit(l) })
	}
}

func (q *Queue) empty() (lines []Line, lost int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	lines, lost = q.lines, q.lost
	q.lines, q.lost = nil, 0
	if q.timer != nil {
		q.timer.Stop()
		q.timer = nil
	}
	return lines, lost
}
