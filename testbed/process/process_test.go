package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"
)

func TestLogLines(t *testing.T) {
	var l Log
	done := make(chan struct{})
	found := make(chan string)
	go func() {
		line, err := l.Wait(t.Context(), done, "two")
		if err != nil {
			t.Error(err)
		}
		found <- line
	}()
	for _, part := range []string{"line o", "ne\nline t", "wo\nrest"} {
		fmt.Fprint(&l, part)
	}
	if line := <-found; line != "line two" {
		t.Errorf("got %q", line)
	}
	if got := l.String(); got != "line one\nline two" {
		t.Errorf("lines %q", got)
	}
	short, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := l.Wait(short, done, "three"); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	close(done)
	if _, err := l.Wait(t.Context(), done, "three"); !errors.Is(err, ErrGone) {
		t.Error(err)
	}
	if line, err := l.Wait(t.Context(), done, "one"); line != "line one" || err != nil {
		t.Error(line, err)
	}
}

func TestOwnProcess(t *testing.T) {
	p := PID(os.Getpid())
	rss, err := p.RSS()
	if err != nil || rss < 1<<20 {
		t.Error(rss, err)
	}
	if peak, err := p.PeakRSS(); err != nil || peak < rss {
		t.Error(peak, err)
	}
	if threads, err := p.Threads(); err != nil || len(threads) == 0 {
		t.Error(threads, err)
	}
	if n, err := p.OpenFiles(); err != nil || n < 3 {
		t.Error(n, err)
	}
}
