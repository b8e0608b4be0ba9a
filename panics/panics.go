// Package panics catches panics where a goroutine begins, a callback is called
// or a request is answered: one costs what was being done, and not the process
// with everything else in it.
//
// A goroutine that is not the caller's has one of these around each thing it
// does (an attempt, a beat, a line), so that it goes on with the next.
package panics

import (
	"fmt"
	"runtime/debug"
	"strings"
)

// Panic is a panic that was caught. It is an error, so that it can be handed
// on as one.
type Panic struct {
	// During says what was being done: a word from a fixed set, by which
	// repeats are told apart.
	During string
	// Value is what the code panicked with, Stack the stack from there on.
	Value, Stack string
}

// The bounds of a Panic's texts in bytes.
const (
	maxValue = 1 << 10
	maxStack = 8 << 10
)

// Error implements error.
func (p *Panic) Error() string { return "panic in " + p.During + ": " + p.Value }

// Catch ends a panic of the function that defers it, and tells of it; tell may
// be nil. A panic of tell's own is dropped: there is nobody left to tell.
func Catch(during string, tell func(*Panic)) {
	if v := recover(); v != nil {
		defer func() { _ = recover() }()
		if p := caught(during, v); tell != nil {
			tell(p)
		}
	}
}

// Do calls f and says whether it came to its end.
func Do(during string, tell func(*Panic), f func()) (ended bool) {
	defer Catch(during, tell)
	f()
	return true
}

// Into is deferred by a function that returns an error: a panic is that error
// then, a *Panic.
func Into(err *error, during string) {
	if v := recover(); v != nil {
		*err = caught(during, v)
	}
}

func caught(during string, v any) *Panic {
	return &Panic{During: during, Value: bounded(fmt.Sprint(v), maxValue), Stack: bounded(fromPanic(string(debug.Stack())), maxStack)}
}

// fromPanic cuts a stack's own frames, which stand before that of the panic.
func fromPanic(stack string) string {
	const panicked = "\npanic("
	at := strings.Index(stack, panicked)
	if at < 0 {
		return stack
	}
	rest := stack[at+1:]
	for range 2 { // the function and its line
		_, after, ok := strings.Cut(rest, "\n")
		if !ok {
			return stack
		}
		rest = after
	}
	return rest
}

func bounded(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
