package shared

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func never(t *testing.T) func() (int, error) {
	return func() (int, error) { t.Error("made once more"); return 0, nil }
}

func TestOneForAll(t *testing.T) {
	var p Pool[int]
	for n := range 3 {
		create := never(t)
		if n == 0 {
			create = func() (int, error) { return 7, nil }
		}
		if v, err := p.Acquire("a", create); v != 7 || err != nil {
			t.Errorf("got %d, %v", v, err)
		}
	}
	if v, err := p.Acquire("b", func() (int, error) { return 8, nil }); v != 8 || err != nil {
		t.Errorf("got %d, %v", v, err)
	}
	ended := 0
	end := func(v int) {
		if ended++; v != 7 || !slices.Contains(p.Values(), 7) {
			t.Errorf("ends %d, of %v", v, p.Values())
		}
	}
	p.Release("a", end)
	p.Release("a", end)
	if ended != 0 {
		t.Error("ended under another's feet")
	}
	p.Release("a", end)
	p.Release("a", end) // once too often
	p.Release("unknown", end)
	if ended != 1 || !slices.Equal(p.Values(), []int{8}) {
		t.Errorf("ended %d times, left %v", ended, p.Values())
	}
}

// TestFailures: what can't be made, or panics while it is made or ended, is in
// nobody's way.
func TestFailures(t *testing.T) {
	var p Pool[int]
	wrong := errors.New("wrong")
	if _, err := p.Acquire("a", func() (int, error) { return 1, wrong }); err != wrong {
		t.Errorf("got %v", err)
	}
	quietly := func(f func()) {
		defer func() { _ = recover() }()
		f()
		t.Error("no panic")
	}
	quietly(func() { p.Acquire("a", func() (int, error) { panic("making") }) })
	if n := len(p.Values()); n != 0 {
		t.Errorf("%d values", n)
	}
	if v, err := p.Acquire("a", func() (int, error) { return 2, nil }); v != 2 || err != nil {
		t.Errorf("got %d, %v", v, err)
	}
	quietly(func() { p.Release("a", func(int) { panic("ending") }) })
	if v, err := p.Acquire("a", func() (int, error) { return 3, nil }); v != 3 || err != nil {
		t.Errorf("got %d, %v", v, err)
	}
}

// TestNobodyWaitsForAnother: while one value is made and another ends, a third
// comes and goes and everybody can look; who wants the same ones waits.
func TestNobodyWaitsForAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p Pool[string]
		took := func(want time.Duration, f func()) {
			t.Helper()
			begin := time.Now()
			if f(); time.Since(begin) != want {
				t.Errorf("it took %v, want %v", time.Since(begin), want)
			}
		}
		make := func(v string, d time.Duration) func() (string, error) {
			return func() (string, error) { time.Sleep(d); return v, nil }
		}
		p.Acquire("ending", make("old", 0))
		go p.Release("ending", func(string) { time.Sleep(2 * time.Second) })
		go p.Acquire("made", make("made", 3*time.Second))
		synctest.Wait()
		took(0, func() {
			p.Acquire("third", make("third", 0))
			if v := p.Values(); len(v) != 2 {
				t.Errorf("values %v", v)
			}
			p.Release("third", func(string) {})
		})
		took(2*time.Second, func() {
			if v, _ := p.Acquire("ending", make("new", 0)); v != "new" {
				t.Errorf("got %q, which has ended", v)
			}
		})
		took(time.Second, func() {
			if v, _ := p.Acquire("made", make("again", 0)); v != "made" {
				t.Errorf("got %q", v)
			}
		})
		// Those who waited for one that could not be made try for themselves.
		go p.Acquire("failed", func() (string, error) { time.Sleep(time.Second); return "", errors.New("x") })
		synctest.Wait()
		took(time.Second, func() {
			if v, err := p.Acquire("failed", make("mine", 0)); v != "mine" || err != nil {
				t.Errorf("got %q, %v", v, err)
			}
		})
	})
}

// TestNeverTwoAtATime: whatever comes and goes, there is one value of a key at
// most, and it is there while somebody uses it.
func TestNeverTwoAtATime(t *testing.T) {
	var p Pool[*atomic.Bool]
	var alive atomic.Int32
	var group sync.WaitGroup
	for w := range 8 {
		group.Go(func() {
			for n := range 500 {
				v, err := p.Acquire("a", func() (*atomic.Bool, error) {
					if alive.Add(1) != 1 {
						t.Error("two at a time")
					}
					if (w+n)%7 == 0 {
						alive.Add(-1)
						return nil, errors.New("x")
					}
					v := new(atomic.Bool)
					v.Store(true)
					return v, nil
				})
				if err != nil {
					continue
				}
				if !v.Load() {
					t.Error("in use, and ended")
				}
				p.Release("a", func(v *atomic.Bool) {
					v.Store(false)
					alive.Add(-1)
				})
			}
		})
	}
	group.Wait()
	if n := len(p.Values()); n != 0 || alive.Load() != 0 {
		t.Errorf("%d are left, %d alive", n, alive.Load())
	}
}
