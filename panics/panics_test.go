package panics

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func boom(v any) { panic(v) }

func TestCatch(t *testing.T) {
	for _, v := range []any{"boom", errors.New("boom"), fmt.Errorf("x %w", errors.New("boom"))} {
		var told []*Panic
		ended := Do("a beat", func(p *Panic) { told = append(told, p) }, func() { boom(v) })
		if ended || len(told) != 1 {
			t.Fatalf("ended %v, told %d times", ended, len(told))
		}
		p := told[0]
		if p.During != "a beat" || !strings.Contains(p.Value, "boom") || p.Error() != "panic in a beat: "+p.Value {
			t.Errorf("got %q %q %q", p.During, p.Value, p.Error())
		}
		if !strings.HasPrefix(p.Stack, "dossier/panics.boom(") {
			t.Errorf("the stack doesn't begin where it happened: %.200s", p.Stack)
		}
	}
	var p *Panic
	Do("x", func(q *Panic) { p = q }, func() { var m map[string]int; m["a"] = 1 }) //nolint:staticcheck // it is to panic
	if p == nil || !strings.Contains(p.Value, "nil map") || !strings.Contains(p.Stack, "TestCatch") {
		t.Errorf("got %+v", p)
	}
	Do("x", func(q *Panic) { p = q }, func() { panic(nil) })
	if !strings.Contains(p.Value, "nil") {
		t.Errorf("panic(nil): %+v", p)
	}
}

func TestNothingIsTold(t *testing.T) {
	if !Do("x", func(*Panic) { t.Error("told") }, func() {}) {
		t.Error("it did not end")
	}
	f := func() (err error) { defer Into(&err, "x"); return errors.New("its own") }
	if err := f(); err.Error() != "its own" {
		t.Errorf("got %v", err)
	}
}

func TestInto(t *testing.T) {
	f := func() (err error) { defer Into(&err, "a request"); boom("b"); return nil }
	p, ok := errors.AsType[*Panic](fmt.Errorf("in between: %w", f()))
	if !ok || p.During != "a request" || p.Value != "b" || !strings.Contains(p.Stack, "boom") {
		t.Errorf("got %+v", p)
	}
}

// TestTellingPanics: who is told may fail as well.
func TestTellingPanics(t *testing.T) {
	if Do("x", func(*Panic) { panic("again") }, func() { panic("first") }) {
		t.Error("it is said to have ended")
	}
}

func TestBounds(t *testing.T) {
	var p *Panic
	Do("x", func(q *Panic) { p = q }, func() { panic(strings.Repeat("ä", maxValue)) })
	if len(p.Value) > maxValue+len("…") || !strings.HasSuffix(p.Value, "ä…") {
		t.Errorf("%d bytes, ending in %q", len(p.Value), p.Value[len(p.Value)-5:])
	}
	var deep func(n int)
	deep = func(n int) {
		if n == 0 {
			panic("deep")
		}
		deep(n - 1)
	}
	Do("x", func(q *Panic) { p = q }, func() { deep(1000) })
	if len(p.Stack) > maxStack+len("…") || len(p.Stack) < maxStack/2 {
		t.Errorf("a stack of %d bytes", len(p.Stack))
	}
	if s := fromPanic("no panic in it"); s != "no panic in it" {
		t.Errorf("got %q", s)
	}
}
