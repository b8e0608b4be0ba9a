package logging

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"dossier/panics"
)

const (
	// maxLine bounds a line in bytes; Fluent Bit cuts at 4,088.
	maxLine = 3500
	// maxValue bounds one value in a line, maxStack the one of StackKey.
	maxValue = 600
	maxStack = 2400
	// Interval is how often the same complaint is made at most.
	Interval = time.Minute
	// maxReasons bounds the complaints told apart.
	maxReasons = 1024
)

// ReasonKey is the attribute by which lines of the same message are told
// apart when repeats are held back. Its values must come from a bounded set.
const ReasonKey = "reason"

// AlwaysKey is the attribute of a line that is written however often it comes,
// with the value true: the answer to what an operator asks for. It doesn't
// stand in the line.
const AlwaysKey = "always"

// StackKey is the attribute for the stack of a panic.
const StackKey = "stack"

// PanicText is what is said of a panic.
const PanicText = "panic: this is a defect of Dossier, please report it"

// Panic logs that p was caught, with its stack; repeats are held back by what
// was being done.
func Panic(log *slog.Logger, p *panics.Panic, attrs ...any) {
	log.With(attrs...).Error(PanicText, ReasonKey, p.During, "panic", p.Value, StackKey, p.Stack)
}

// Handler is a slog.Handler that writes one line a record: the message, then
// key=value pairs. Values are escaped and capped. Warnings, errors and
// whatever has a reason are written once per Interval by message and reason,
// with the count of those held back; what has AlwaysKey is written each time.
type Handler struct {
	out   *output
	attrs string
	group string
}

// output is what the handlers of one instance share.
type output struct {
	queue  *Queue
	prefix string
	most   Level

	mu    sync.Mutex // a leaf: nothing is called while it is held
	seen  map[string]*complaint
	swept time.Time
}

type complaint struct {
	since time.Time
	held  int
}

// NewHandler returns a handler that puts lines up to level most into queue,
// each with "[output:dossier:name] " before it.
func NewHandler(queue *Queue, name string, most Level) *Handler {
	return &Handler{out: &output{
		queue: queue, most: most,
		prefix: "[output:dossier:" + clean(name) + "] ",
		seen:   make(map[string]*complaint),
	}}
}

// Enabled implements slog.Handler.
func (h *Handler) Enabled(_ context.Context, l slog.Level) bool { return level(l) <= h.out.most }

// Handle implements slog.Handler.
func (h *Handler) Handle(_ context.Context, r slog.Record) error {
	var b strings.Builder
	b.WriteString(h.out.prefix)
	b.WriteString(clean(r.Message))
	b.WriteString(h.attrs)
	reason, always := "", false
	r.Attrs(func(a slog.Attr) bool {
		switch a.Key {
		case ReasonKey:
			reason = capped(a.Value.Resolve().String(), maxValue)
		case AlwaysKey:
			always = true
			return true
		}
		add(&b, h.group, a)
		return true
	})
	l := level(r.Level)
	if !always && (l <= Warn || reason != "") {
		held, ok := h.out.allow(strconv.Itoa(int(l))+r.Message+"\x00"+reason, time.Now())
		if !ok {
			return nil
		}
		if held > 0 {
			fmt.Fprintf(&b, " (and %d times more since it was last said)", held)
		}
	}
	h.out.queue.Put(Line{l, capped(b.String(), maxLine)})
	return nil
}

// WithAttrs implements slog.Handler.
func (h *Handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	var b strings.Builder
	b.WriteString(h.attrs)
	for _, a := range attrs {
		add(&b, h.group, a)
	}
	return &Handler{out: h.out, attrs: b.String(), group: h.group}
}

// WithGroup implements slog.Handler.
func (h *Handler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	return &Handler{out: h.out, attrs: h.attrs, group: h.group + name + "."}
}

// allow says whether a complaint may be made now, and how many of it were
// held back since the last time.
func (o *output) allow(key string, now time.Time) (held int, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	c := o.seen[key]
	switch {
	case c == nil:
		if len(o.seen) >= maxReasons && now.Sub(o.swept) >= Interval/4 {
			o.swept = now
			for k, old := range o.seen {
				if now.Sub(old.since) >= Interval {
					delete(o.seen, k)
				}
			}
		}
		if len(o.seen) >= maxReasons {
			return 0, false
		}
		o.seen[key] = &complaint{since: now}
		return 0, true
	case now.Sub(c.since) < Interval:
		c.held++
		return 0, false
	}
	held = c.held
	*c = complaint{since: now}
	return held, true
}

func level(l slog.Level) Level {
	switch {
	case l >= slog.LevelError:
		return Error
	case l >= slog.LevelWarn:
		return Warn
	case l >= slog.LevelInfo:
		return Info
	case l >= slog.LevelDebug:
		return Debug
	default:
		return Trace
	}
}

// add appends " key=value".
func add(b *strings.Builder, group string, a slog.Attr) {
	v := a.Value.Resolve()
	if v.Kind() == slog.KindGroup {
		if a.Key != "" {
			group += a.Key + "."
		}
		for _, inner := range v.Group() {
			add(b, group, inner)
		}
		return
	}
	if a.Key == "" {
		return
	}
	b.WriteByte(' ')
	b.WriteString(clean(group + a.Key))
	b.WriteByte('=')
	s := v.String()
	if v.Kind() == slog.KindDuration {
		s = v.Duration().Round(time.Millisecond).String()
	}
	most := maxValue
	if a.Key == StackKey {
		most = maxStack
	}
	s = capped(s, most)
	if s == "" || strings.ContainsFunc(s, func(r rune) bool {
		return r == '"' || r == '=' || r == ' ' || r == utf8.RuneError || !unicode.IsPrint(r)
	}) {
		s = strconv.Quote(s)
	}
	b.WriteString(s)
}

// clean escapes what would break a line or a terminal, and cuts.
func clean(s string) string {
	s = capped(s, maxLine)
	if !strings.ContainsFunc(s, func(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) }) {
		return s
	}
	q := strconv.Quote(s)
	return strings.ReplaceAll(q[1:len(q)-1], `\"`, `"`)
}

func capped(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most] + "…"
}
