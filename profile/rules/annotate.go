package rules

import (
	"bytes"
	"slices"
	"strings"

	"dossier/correlate/event"
)

// maxFound bounds what is added to one event.
const maxFound = 48

// longestValue is how much of a fingerprint is looked at.
const longestValue = 512

// finding is evidence to be added.
type finding struct {
	kind     event.EvidenceKind
	what, by string
}

// annotation is the work on one event.
type annotation struct {
	set   *Set
	event *event.Event
	found [maxFound]finding
	n     int
	shell shell
	low   [event.MaxCommand]byte
	value []byte // the fingerprint at hand in lower case, in low
	hits  []uint16
	// knows says that a rule knows the command at hand, not one of those that
	// hold for any.
	knows bool
}

func (w *annotation) add(kind event.EvidenceKind, what, by string) bool {
	for i := range w.found[:w.n] {
		if w.found[i].what == what && w.found[i].kind == kind {
			return false
		}
	}
	if w.n == maxFound {
		return false
	}
	w.found[w.n] = finding{kind, what, by}
	w.n++
	return true
}

func (w *annotation) conclude(t *technique) { w.add(event.Technique, t.id, t.why) }

// Annotate adds to ev the tools and techniques it shows, as evidence. Most
// events show none and are left as they are; nothing is allocated beyond the
// arena. What the decoy opened itself shows nothing of the other side's.
func (s *Set) Annotate(a *event.Arena, ev *event.Event) {
	if ev.Role == event.Contact {
		return
	}
	rules := s.events[ev.Type]
	if len(rules) == 0 && !s.telling(ev) {
		return
	}
	w, _ := s.work.Get().(*annotation)
	if w == nil {
		w = &annotation{set: s}
		w.shell.sink = w
	}
	w.event, w.n = ev, 0
	w.judge(rules)
	if w.n > 0 {
		known := len(ev.Evidence)
		ev.Evidence = a.MoreEvidence(ev.Evidence, w.n)
		for i, f := range w.found[:w.n] {
			e := &ev.Evidence[known+i]
			e.Kind, e.A, e.B = f.kind, f.what, f.by
		}
	}
	w.event = nil
	s.work.Put(w)
}

// telling says whether any evidence could meet a rule.
func (s *Set) telling(ev *event.Event) bool {
	for i := range ev.Evidence {
		switch e := &ev.Evidence[i]; {
		case e.Kind == event.Command, e.Kind == event.Fingerprint && s.signatures[e.A] != nil,
			int(e.Kind) < len(s.evidence) && len(s.evidence[e.Kind]) > 0:
			return true
		}
	}
	return false
}

func (w *annotation) judge(rules []eventRule) {
	if w.event.Role == event.Decoy {
		for i := range rules {
			if applies(rules[i].services, w.event.Service) {
				w.conclude(&rules[i].technique)
			}
		}
	}
	for i := range w.event.Evidence {
		e := &w.event.Evidence[i]
		switch e.Kind {
		case event.Command:
			w.knows = false
			w.command(e.A)
			if w.knows {
				e.N = 1
			}
		case event.Fingerprint:
			w.value = lower(w.low[:0:longestValue], e.B)
			w.fingerprint(e)
		}
		if int(e.Kind) < len(w.set.evidence) {
			w.evident(e)
		}
	}
}

func applies(services []string, service string) bool {
	return len(services) == 0 || slices.Contains(services, service)
}

func (w *annotation) evident(e *event.Evidence) {
	rules := w.set.evidence[e.Kind]
	for i := range rules {
		r := &rules[i]
		if r.outcome != event.Unknown && r.outcome != e.Outcome {
			continue
		}
		kind := e.C
		if e.Kind == event.Fingerprint {
			kind = e.A
		}
		if len(r.kinds) > 0 && !slices.Contains(r.kinds, kind) {
			continue
		}
		if len(r.contains) > 0 {
			low := w.value
			if e.Kind != event.Fingerprint {
				low = lower(w.low[:0:longestValue], e.A)
			}
			if !slices.ContainsFunc(r.contains, func(text string) bool { return bytes.Contains(low, event.Bytes(text)) }) {
				continue
			}
		}
		w.conclude(&r.technique)
	}
}

func (w *annotation) fingerprint(e *event.Evidence) {
	g := w.set.signatures[e.A]
	if g == nil {
		return
	}
	if tool, ok := g.exact[e.B]; ok {
		w.tool(tool, g.by)
	}
	if len(g.forms) == 0 {
		return
	}
	w.hits = g.matcher.appendFound(w.hits[:0], w.value)
	for _, i := range w.hits {
		if f := &g.forms[i]; !f.prefix || bytes.HasPrefix(w.value, event.Bytes(f.text)) {
			w.tool(f.tool, g.by)
		}
	}
}

func (w *annotation) tool(tool, by string) {
	if !w.add(event.Tool, tool, by) {
		return
	}
	rules := w.set.byTool[tool]
	for i := range rules {
		w.conclude(&rules[i])
	}
}

// lower appends the beginning of v in lower case (ASCII), as much as fits.
func lower(dst []byte, v string) []byte {
	v = v[:min(len(v), cap(dst))]
	for i := range len(v) {
		c := v[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		dst = append(dst, c)
	}
	return dst
}

// command concludes from one command line.
func (w *annotation) command(line string) {
	if len(w.set.texts) > 0 {
		low := lower(w.low[:0], line)
		for i := range w.set.texts {
			r := &w.set.texts[i]
			if applies(r.services, w.event.Service) &&
				slices.ContainsFunc(r.texts, func(text string) bool { return bytes.Contains(low, event.Bytes(text)) }) {
				w.knows = true
				w.conclude(&r.technique)
			}
		}
	}
	w.shell.read(line)
}

// part concludes from one simple command.
func (w *annotation) part(program string, words []string) {
	for i := range w.set.always {
		w.concludeCommand(&w.set.always[i], false)
	}
	w.hits = w.hits[:0]
	for _, word := range words {
		w.hits = w.set.words.appendFound(w.hits, event.Bytes(word))
	}
	for _, i := range w.hits {
		w.concludeCommand(&w.set.everywhere[w.set.wordOf[i]], true)
	}
	rules := w.set.programs[program]
	for i := range rules {
		if rules[i].meets(words) {
			w.concludeCommand(&rules[i], true)
		}
	}
}

func (w *annotation) concludeCommand(r *commandRule, knows bool) {
	if applies(r.services, w.event.Service) {
		w.knows = w.knows || knows
		w.conclude(&r.technique)
	}
}

// meets says whether one of the words is what the rule asks for.
func (r *commandRule) meets(words []string) bool {
	if len(r.words) == 0 && len(r.exact) == 0 {
		return true
	}
	for _, w := range words {
		if slices.Contains(r.exact, w) {
			return true
		}
		for _, part := range r.words {
			if strings.Contains(w, part) {
				return true
			}
		}
	}
	return false
}
