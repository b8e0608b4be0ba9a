package logging

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"dossier/panics"
)

// one logs one record and returns its line without the prefix.
func one(t *testing.T, log func(*slog.Logger)) string {
	t.Helper()
	q := NewQueue(none, nil)
	log(slog.New(NewHandler(q, "x", Trace)))
	got := lines(q)
	if len(got) != 1 {
		t.Fatalf("%d lines", len(got))
	}
	return strings.TrimPrefix(got[0].Text, "[output:dossier:x] ")
}

// TestLengths: at each bound a text is whole, one byte above it is cut, at the
// start of a character.
func TestLengths(t *testing.T) {
	a := func(n int) string { return strings.Repeat("a", n) }
	for name, test := range map[string]struct {
		bound int
		line  func(text string) string
		want  func(text string) string
	}{
		"value": {600, func(s string) string { return one(t, func(l *slog.Logger) { l.Info("m", "k", s) }) }, func(s string) string { return "m k=" + s }},
		"stack": {2400, func(s string) string { return one(t, func(l *slog.Logger) { l.Info("m", StackKey, s) }) }, func(s string) string { return "m stack=" + s }},
		"error": {600, func(s string) string { return one(t, func(l *slog.Logger) { l.Info("m", "err", errors.New(s)) }) }, func(s string) string { return "m err=" + s }},
	} {
		for _, n := range []int{test.bound - 1, test.bound} {
			if got := test.line(a(n)); got != test.want(a(n)) {
				t.Errorf("%s of %d bytes: %d came", name, n, len(got))
			}
		}
		if got := test.line(a(test.bound + 1)); got != test.want(a(test.bound)+"…") {
			t.Errorf("%s of %d bytes: %d came, ending in %q", name, test.bound+1, len(got), got[len(got)-8:])
		}
		cut := a(test.bound-1) + "äb"
		if got := test.line(cut); got != test.want(a(test.bound-1)+"…") || !utf8.ValidString(got) {
			t.Errorf("%s: cut within a character: %q", name, got[len(got)-8:])
		}
	}
	prefix := len("[output:dossier:x] ")
	for n, want := range map[int]int{3499 - prefix: 3499, 3500 - prefix: 3500, 3501 - prefix: 3500 + len("…"), 1 << 20: 3500 + len("…")} {
		if got := len(one(t, func(l *slog.Logger) { l.Info(a(n)) })) + prefix; got != want {
			t.Errorf("a message of %d bytes: a line of %d, want %d", n, got, want)
		}
	}
	// Many values, each within its bound.
	var attrs []any
	for i := range 20 {
		attrs = append(attrs, fmt.Sprint("k", i), a(500))
	}
	if got := len(one(t, func(l *slog.Logger) { l.Info("m", attrs...) })) + prefix; got != 3500+len("…") {
		t.Errorf("a line of %d bytes", got)
	}
	if s := capped("äöü", 0); s != "…" {
		t.Errorf("got %q", s)
	}
}

// TestQueueLength: the queue holds its bound, and counts each line above it.
func TestQueueLength(t *testing.T) {
	for _, test := range []struct{ put, lines, lost int }{{511, 511, 0}, {512, 512, 0}, {513, 513, 1}, {700, 513, 188}} {
		q := NewQueue(none, nil)
		for i := range test.put {
			q.Put(Line{Info, fmt.Sprint(i)})
		}
		got := lines(q)
		if len(got) != test.lines || got[0].Text != "0" || got[min(test.put, 512)-1].Text != fmt.Sprint(min(test.put, 512)-1) {
			t.Errorf("%d lines: %d came", test.put, len(got))
			continue
		}
		if test.lost > 0 && got[512] != (Line{Warn, fmt.Sprintf("[output:dossier] %d log lines are lost: too many at once", test.lost)}) {
			t.Errorf("%d lines: the last is %v", test.put, got[512])
		}
		// What was lost is said once, and there is room again.
		q.Put(Line{Info, "next"})
		if got := lines(q); len(got) != 1 || got[0].Text != "next" {
			t.Errorf("after it: %v", got)
		}
	}
}

// TestTimer: a line waits Patience for a callback, whatever came before it and
// was taken.
func TestTimer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var came []string
		begin := time.Now()
		q := NewQueue(func(l Line) {
			mu.Lock()
			defer mu.Unlock()
			came = append(came, l.Text+" "+time.Since(begin).String())
		}, nil)
		q.Put(Line{Info, "a"})
		time.Sleep(2 * time.Second)
		lines(q)
		time.Sleep(time.Second / 2)
		q.Put(Line{Info, "b"}) // at 2.5 s: the first timer would have rung at 3 s
		time.Sleep(time.Second / 4)
		q.Put(Line{Info, "c"})
		time.Sleep(time.Minute)
		synctest.Wait()
		if fmt.Sprint(came) != "[b 5.5s c 5.5s]" {
			t.Errorf("got %v", came)
		}
		q.Put(Line{Info, "d"})
		time.Sleep(time.Minute)
		synctest.Wait()
		if fmt.Sprint(came[2:]) != "[d 1m5.75s]" {
			t.Errorf("got %v", came)
		}
	})
}

// TestRepeats: a complaint is made again after exactly Interval, with the
// count of those held back; below Warn only what has a reason is held back.
func TestRepeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := NewQueue(none, nil)
		log := slog.New(NewHandler(q, "x", Trace))
		say := func() (came []string) {
			log.Warn("w")
			log.Debug("d")
			log.Debug("d", ReasonKey, "r")
			for _, l := range lines(q) {
				came = append(came, strings.TrimPrefix(l.Text, "[output:dossier:x] "))
			}
			return came
		}
		for _, step := range []struct {
			wait time.Duration
			want string
		}{
			{0, "[w d d reason=r]"},
			{0, "[d]"},
			{time.Minute - 1, "[d]"},
			{1, "[w (and 2 times more since it was last said) d d reason=r (and 2 times more since it was last said)]"},
			{time.Minute, "[w d d reason=r]"},
			{time.Second, "[d]"},
			{time.Minute, "[w (and 1 times more since it was last said) d d reason=r (and 1 times more since it was last said)]"},
		} {
			time.Sleep(step.wait)
			if got := fmt.Sprint(say()); got != step.want {
				t.Errorf("%v later: got %s\nwant %s", step.wait, got, step.want)
			}
		}
	})
}

// TestComplaintsAreBounded: 1,024 are told apart; then new ones wait until old
// ones are forgotten, which is looked at every quarter of Interval.
func TestComplaintsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := NewQueue(none, nil)
		h := NewHandler(q, "x", Info)
		log := slog.New(h)
		said := func(reason any) bool {
			log.Error("x", ReasonKey, reason)
			return len(lines(q)) == 1
		}
		for i := range 1024 {
			if !said(i) {
				t.Fatalf("complaint %d is not made", i)
			}
			if i == 511 {
				time.Sleep(Interval / 2)
			}
		}
		if said("new") || len(h.out.seen) != 1024 {
			t.Errorf("%d complaints are remembered", len(h.out.seen))
		}
		time.Sleep(Interval / 2) // the older half is as old as Interval
		if !said("new") || len(h.out.seen) != 513 {
			t.Errorf("%d complaints are remembered after half of them grew old", len(h.out.seen))
		}
	})
}

// TestReasonIsBounded: a reason is told apart by as much of it as is shown.
func TestReasonIsBounded(t *testing.T) {
	q := NewQueue(none, nil)
	log := slog.New(NewHandler(q, "x", Info))
	long := strings.Repeat("r", maxValue)
	log.Error("x", ReasonKey, long+"1")
	log.Error("x", ReasonKey, long+"2")
	if got := lines(q); len(got) != 1 {
		t.Errorf("%d lines", len(got))
	}
}

func TestLevelsAreFluentBits(t *testing.T) {
	for l, want := range map[slog.Level]Level{
		slog.LevelError: 1, slog.LevelError + 4: 1, slog.LevelError - 1: 2, slog.LevelWarn: 2, slog.LevelWarn - 1: 3,
		slog.LevelInfo: 3, slog.LevelInfo - 1: 4, slog.LevelDebug: 4, slog.LevelDebug - 1: 5,
	} {
		if got := level(l); got != want {
			t.Errorf("%v is %d, want %d", l, got, want)
		}
	}
}

// TestPanicOverALine: a line that the host's log panics over is lost alone, in
// a callback as in the timer's goroutine; it is told, once, with its stack.
func TestPanicOverALine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var q *Queue
		var came []string
		var log *slog.Logger
		told := 0
		var mu sync.Mutex
		emit := func(l Line) {
			mu.Lock()
			defer mu.Unlock()
			if strings.Contains(l.Text, "bad") {
				panic("the host's log")
			}
			came = append(came, l.Text)
		}
		q = NewQueue(emit, func(p *panics.Panic) { told++; Panic(log, p) })
		log = slog.New(NewHandler(q, "x", Info))
		log.Info("a")
		log.Info("bad")
		log.Info("b")
		time.Sleep(2 * time.Minute) // nobody takes them: the timer does, also what is told
		synctest.Wait()
		if len(came) != 3 || !strings.HasSuffix(came[0], " a") || !strings.HasSuffix(came[1], " b") || told != 1 {
			t.Fatalf("told %d times, got %q", told, came)
		}
		for _, want := range []string{PanicText, "reason=log", `panic="the host's log"`, "stack=", "TestPanicOverALine"} {
			if !strings.Contains(came[2], want) {
				t.Errorf("%q is not in %s", want, came[2])
			}
		}
		came = nil
		for range 3 {
			log.Info("bad")
			q.Take(emit)
		}
		q.Take(emit)
		if told != 4 || len(came) != 1 || !strings.Contains(came[0], PanicText) {
			t.Errorf("told %d times, got %q", told, came)
		}
	})
}

func TestPanicLine(t *testing.T) {
	var b strings.Builder
	log := slog.New(slog.NewTextHandler(&b, nil))
	Panic(log, &panics.Panic{During: "a beat", Value: "v", Stack: "s"}, "attempt", 2)
	if s := b.String(); !strings.Contains(s, `level=ERROR msg="`+PanicText+`" attempt=2 reason="a beat" panic=v stack=s`) {
		t.Errorf("got %s", s)
	}
	Panic(slog.New(slog.NewTextHandler(io.Discard, nil)), &panics.Panic{}) //nolint:sloglint // what is written is made
}
