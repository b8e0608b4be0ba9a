package logging

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode"
)

func lines(q *Queue) (out []Line) {
	q.Take(func(l Line) { out = append(out, l) })
	return out
}

func none(Line) {}

func TestLine(t *testing.T) {
	q := NewQueue(none, nil)
	log := slog.New(NewHandler(q, "sensors", Info))
	log.Info("connected", "host", "https://es1:9200", "took", 1234567*time.Microsecond, "err", errors.New(`no "x"`), "empty", "")
	log.With("a", 1).WithGroup("g").Warn("b", "c", 2, slog.Group("d", "e", 3))
	log.Debug("not seen")
	want := []Line{
		{Info, `[output:dossier:sensors] connected host=https://es1:9200 took=1.235s err="no \"x\"" empty=""`},
		{Warn, `[output:dossier:sensors] b a=1 g.c=2 g.d.e=3`},
	}
	got := lines(q)
	if len(got) != len(want) {
		t.Fatalf("got %v", got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("got  %v\nwant %v", got[i], want[i])
		}
	}
}

func TestLevels(t *testing.T) {
	for most := Error; most <= Trace; most++ {
		q := NewQueue(none, nil)
		log := slog.New(NewHandler(q, "x", most))
		for _, l := range []slog.Level{slog.LevelError, slog.LevelWarn, slog.LevelInfo, slog.LevelDebug, slog.LevelDebug - 4} {
			log.Log(t.Context(), l, "x")
		}
		if got := lines(q); len(got) != int(most) || got[len(got)-1].Level != most {
			t.Errorf("up to level %d: got %v", most, got)
		}
	}
}

// TestHostileText: whatever stands in a value, a line is one line, short, and
// without anything that moves a cursor.
func TestHostileText(t *testing.T) {
	hostile := "a\n[2026/01/01] [ info] forged\x1b[2J\u202egnp.exe %s%n\xff" + strings.Repeat("x", 1<<20)
	q := NewQueue(none, nil)
	log := slog.New(NewHandler(q, "a\nb", Info))
	log.Info(hostile)
	log.Info("x", "k", hostile)
	log.Info("x", hostile, 1)
	log.Info("x", "err", errors.New(hostile))
	log.WithGroup(hostile).Info("x", "k", []string{hostile})
	got := lines(q)
	if len(got) != 5 {
		t.Fatalf("%d lines", len(got))
	}
	for _, l := range got {
		if len(l.Text) > 4000 {
			t.Errorf("%d bytes", len(l.Text))
		}
		for _, r := range l.Text {
			if r == '\n' || !unicode.IsPrint(r) {
				t.Errorf("%q in %.80q", r, l.Text)
				break
			}
		}
	}
}

func TestRepeatsAreHeldBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := NewQueue(none, nil)
		log := slog.New(NewHandler(q, "x", Info))
		for range 100 {
			log.Error("down", "reason", "refused", "chunk", time.Now().String())
			log.Error("down", "reason", "timeout")
			log.Warn("down", "reason", "refused")
			log.Info("up")
			log.Info("seen", "reason", "a")
		}
		count := func() map[string]int {
			n := make(map[string]int)
			for _, l := range lines(q) {
				n[strings.Fields(strings.TrimPrefix(l.Text, "[output:dossier:x] "))[0]+fmt.Sprint(l.Level)]++
			}
			return n
		}
		if n := count(); n["down1"] != 2 || n["down2"] != 1 || n["up3"] != 100 || n["seen3"] != 1 {
			t.Errorf("first: %v", n)
		}
		time.Sleep(Interval - time.Second)
		log.Error("down", "reason", "refused")
		if n := count(); len(n) != 0 {
			t.Errorf("too early: %v", n)
		}
		time.Sleep(time.Second)
		log.Error("down", "reason", "refused")
		got := lines(q)
		if len(got) != 1 || !strings.HasSuffix(got[0].Text, "(and 100 times more since it was last said)") {
			t.Errorf("later: %v", got)
		}
	})
}

func TestReasonsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := NewQueue(none, nil)
		h := NewHandler(q, "x", Info)
		for i := range 10 * maxReasons {
			slog.New(h).Error("x", "reason", i)
			lines(q)
		}
		if n := len(h.out.seen); n > maxReasons {
			t.Errorf("%d complaints are remembered", n)
		}
		time.Sleep(Interval)
		slog.New(h).Error("y")
		if got := lines(q); len(got) != 1 {
			t.Errorf("after a flood nothing is said any more: %v", got)
		}
	})
}

func TestQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var late []Line
		q := NewQueue(func(l Line) { late = append(late, l) }, nil)
		q.Put(Line{Info, "a"})
		q.Put(Line{Info, "b"})
		<-q.Wake()
		if got := lines(q); len(got) != 2 || got[0].Text != "a" || got[1].Text != "b" {
			t.Errorf("got %v", got)
		}
		time.Sleep(2 * Patience)
		if len(late) != 0 {
			t.Errorf("%v came twice", late)
		}
		q.Put(Line{Info, "c"})
		time.Sleep(2 * Patience)
		synctest.Wait()
		if len(late) != 1 || late[0].Text != "c" {
			t.Errorf("nobody called: %v", late)
		}
		for range maxWaiting + 7 {
			q.Put(Line{Info, "d"})
		}
		got := lines(q)
		if len(got) != maxWaiting+1 || !strings.Contains(got[maxWaiting].Text, "7 log lines are lost") {
			t.Errorf("%d lines, the last %v", len(got), got[len(got)-1])
		}
	})
}

func TestConcurrentUse(t *testing.T) {
	q := NewQueue(none, nil)
	log := slog.New(NewHandler(q, "x", Info))
	var group sync.WaitGroup
	n := 0
	for range 4 {
		group.Go(func() {
			for i := range 100 {
				log.Info("x", "i", i)
				log.Error("y", "reason", i%3)
			}
		})
	}
	group.Wait()
	q.Take(func(Line) { n++ })
	if n != 4*100+3 {
		t.Errorf("%d lines", n)
	}
}
