// Package process watches the processes that tests run: what they log, how
// much memory they hold, which threads and files they have.
package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// ErrGone is returned where a process has ended before what was waited for.
var ErrGone = errors.New("the process has ended")

// PID is a running process.
type PID int

// RSS returns the process's resident memory in bytes.
func (p PID) RSS() (int64, error) { return p.status("VmRSS:") }

// PeakRSS returns the most resident memory the process ever had, in bytes.
func (p PID) PeakRSS() (int64, error) { return p.status("VmHWM:") }

func (p PID) status(key string) (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, key); ok {
			kb, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return kb << 10, err
		}
	}
	return 0, fmt.Errorf("process %d: no %s in its status", p, key)
}

// tick is the unit of the processor times in /proc: the kernel's USER_HZ,
// which is 100 on every platform that Go runs on.
const tick = 10 * time.Millisecond

// Time returns the processor time that the process has used so far, user and
// system, of all its threads, to 10 ms (proc(5), /proc/pid/stat, fields 14 and
// 15).
func (p PID) Time() (time.Duration, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p))
	if err != nil {
		return 0, err
	}
	// The name, in parentheses, may hold anything; behind it is field 3.
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if len(fields) < 13 {
		return 0, fmt.Errorf("process %d: %d fields in its stat", p, len(fields))
	}
	var sum time.Duration
	for _, f := range fields[11:13] {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("process %d: stat: %w", p, err)
		}
		sum += time.Duration(n) * tick
	}
	return sum, nil
}

// Threads returns the names of the process's threads, sorted. The kernel
// keeps fifteen bytes of a name.
func (p PID) Threads() ([]string, error) {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/comm", p))
	if err != nil {
		return nil, err
	}
	var names []string
	for _, f := range files {
		if b, err := os.ReadFile(f); err == nil {
			names = append(names, strings.TrimSpace(string(b)))
		}
	}
	slices.Sort(names)
	return names, nil
}

// OpenFiles returns how many files and sockets the process has open.
func (p PID) OpenFiles() (int, error) {
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p))
	return len(entries), err
}

// Log collects lines. It is what a command's standard error is set to. The
// zero value is ready.
type Log struct {
	// Copy, if set, gets all that is written.
	Copy io.Writer

	mu      sync.Mutex
	lines   []string
	rest    []byte
	changed chan struct{}
}

// Write implements io.Writer.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.Copy != nil {
		l.Copy.Write(p)
	}
	l.rest = append(l.rest, p...)
	for {
		line, rest, ok := bytes.Cut(l.rest, []byte("\n"))
		if !ok {
			break
		}
		l.lines = append(l.lines, string(line))
		l.rest = rest
	}
	if l.changed != nil {
		close(l.changed)
		l.changed = nil
	}
	return len(p), nil
}

// Lines returns the whole lines so far.
func (l *Log) Lines() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.lines)
}

// String returns the whole lines so far as one text.
func (l *Log) String() string { return strings.Join(l.Lines(), "\n") }

// Wait waits until there is a line that contains the text and returns it. It
// returns ErrGone where done is closed before.
func (l *Log) Wait(ctx context.Context, done <-chan struct{}, text string) (string, error) {
	return l.WaitNth(ctx, done, text, 1)
}

// WaitNth is Wait for the n-th of such lines, counted from 1.
func (l *Log) WaitNth(ctx context.Context, done <-chan struct{}, text string, n int) (string, error) {
	for seen := 0; ; {
		l.mu.Lock()
		for _, line := range l.lines[seen:] {
			if !strings.Contains(line, text) {
				continue
			}
			if n--; n == 0 {
				l.mu.Unlock()
				return line, nil
			}
		}
		seen = len(l.lines)
		if l.changed == nil {
			l.changed = make(chan struct{})
		}
		changed := l.changed
		l.mu.Unlock()
		select {
		case <-changed:
			continue
		default:
		}
		select {
		case <-changed:
		case <-done:
			// Nothing is written any more; what was last is looked at above.
			select {
			case <-changed:
				continue
			default:
				return "", fmt.Errorf("%d log lines with %q too few: %w", n, text, ErrGone)
			}
		case <-ctx.Done():
			return "", fmt.Errorf("%d log lines with %q too few: %w", n, text, ctx.Err())
		}
	}
}
