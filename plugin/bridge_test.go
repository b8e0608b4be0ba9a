package main

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"dossier/plugin/observe"
)

// fakeSeries is a series of a host that may refuse it.
type fakeSeries struct {
	value  float64
	calls  int
	refuse bool
	freed  int
}

func (f *fakeSeries) set(v float64) error {
	if f.calls++; f.refuse {
		return errNotSet
	}
	f.value = v
	return nil
}

func (f *fakeSeries) free() { f.freed++ }

// TestOneSeriesFails: a series that can't be made, or set, is told of once by
// its name; all others go on.
func TestOneSeriesFails(t *testing.T) {
	var series []observe.Series
	for i, name := range []string{"a", "unmade", "b", "refused", "c", "c"} {
		series = append(series, observe.Series{Name: name, Value: func(f *observe.Figures) float64 { return float64(f.Panics + int64(i) + 1) }})
	}
	figures := func(base int64) observe.Figures { return observe.Figures{Panics: base} }
	var text bytes.Buffer
	log := slog.New(slog.NewTextHandler(&text, nil))
	var b bridge
	var made []*fakeSeries
	b.begin(series, figures(0), func(m observe.Series) (hostSeries, error) {
		f := &fakeSeries{value: -1, refuse: m.Name == "refused"}
		made = append(made, f)
		if m.Name == "unmade" {
			return nil, errNotMade
		}
		return f, nil
	}, log)
	want := func(values ...float64) {
		t.Helper()
		for i, v := range values {
			if made[i].value != v {
				t.Errorf("series %d is %v, want %v", i, made[i].value, v)
			}
		}
	}
	want(1, -1, 3, -1, 5, 6)
	b.set(figures(10), log)
	b.set(figures(10), log)
	want(11, -1, 13, -1, 15, 16)
	if made[0].calls != 2 || made[3].calls != 3 {
		t.Errorf("%d calls for what didn't change, %d of the one that is refused", made[0].calls, made[3].calls)
	}
	made[3].refuse = false
	b.set(figures(20), log)
	want(21, -1, 23, 24, 25, 26)
	for name, n := range map[string]int{"reason=unmade": 1, "reason=refused": 1, "level=WARN": 2} {
		if got := strings.Count(text.String(), name); got != n {
			t.Errorf("%q stands %d times in\n%s", name, got, text.String())
		}
	}
	b.free()
	b.free()
	b.set(figures(50), log)
	for i, f := range made {
		if want := 1; i != 1 && f.freed != want || i == 1 && f.freed != 0 {
			t.Errorf("series %d is freed %d times", i, f.freed)
		}
	}
	want(21, -1, 23, 24, 25, 26)
}
