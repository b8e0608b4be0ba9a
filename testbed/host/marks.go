package host

import (
	"bytes"
	"io"
	"strconv"
	"sync"
)

// markEdge stands before and behind a mark in the log: RS, which no line of a
// log has, since control characters are escaped there.
const markEdge = '\x1e'

// marks takes the marks out of what the process logs, and knows the last:
// the host writes one before each event.
type marks struct {
	log io.Writer

	mu      sync.Mutex
	rest    []byte // a mark that isn't whole yet
	last    int
	changed chan struct{} // closed and replaced at every mark
}

// Write implements io.Writer.
func (m *marks) Write(p []byte) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	text := append(m.rest, p...)
	m.rest = nil
	for {
		before, behind, begun := bytes.Cut(text, []byte{markEdge})
		m.log.Write(before)
		if !begun {
			return len(p), nil
		}
		mark, after, whole := bytes.Cut(behind, []byte{markEdge})
		if !whole {
			m.rest = append([]byte{markEdge}, behind...)
			return len(p), nil
		}
		if n, err := strconv.Atoi(string(bytes.TrimPrefix(mark, []byte("@")))); err == nil {
			m.last = n
			close(m.changed)
			m.changed = make(chan struct{})
		}
		text = after
	}
}

// wait waits until the mark was read. It was written before whoever waits for
// it heard of it, so it comes.
func (m *marks) wait(n int) {
	for {
		m.mu.Lock()
		last, changed := m.last, m.changed
		m.mu.Unlock()
		if last >= n {
			return
		}
		<-changed
	}
}
