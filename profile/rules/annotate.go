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

// findings collects what one event shows.
type findings struct {
	event *event.Event
	found [maxFound]event.Evidence
	n     int
}

func (f *findings) add(kind event.EvidenceKind, what, by string) bool {
	for i := range f.found[:f.n] {
		if f.found[i].Kind == kind && f.found[i].A == what {
			return false
		}
	}
	if f.n == maxFound {
		return false
	}
	e := &f.found[f.n]
	e.Kind, e.A, e.B = kind, what, by
	f.n++
	return true
}

func (f *findings) conclude(t *technique) { f.add(event.Technique, t.id, t.why) }

// Annotate adds to ev the tools and techniques it shows, as evidence. Most
// events show none and are left as they are; nothing is allocated beyond the
// arena.
func (s *Set) Annotate(a *event.Arena, ev *event.Event) {
	rules := s.events[ev.Type]
	if len(rules) == 0 && !s.telling(ev) {
		return
	}
	s.annotate(a, ev, rules)
}

// telling says whether any evidence could meet a rule.
func (s *Set) telling(ev *event.Event) bool {
	for i := range ev.Evidence {
		e := &ev.Evidence[i]
		switch {
		case e.Kind == event.Command, e.Kind == event.Fingerprint && s.signatures[e.A] != nil,
			int(e.Kind) < len(s.evidence) && len(s.evidence[e.Kind]) > 0:
			return true
		}
	}
	return false
}

func (s *Set) annotate(a *event.Arena, ev *event.Event, rules []eventRule) {
	f := findings{event: ev}
	if ev.Role == event.Decoy {
		for i := range rules {
			if applies(rules[i].services, ev.Service) {
				f.conclude(&rules[i].technique)
			}
		}
	}
	for i := range ev.Evidence {
		e := &ev.Evidence[i]
		switch e.Kind {
		case event.Command:
			s.command(&f, e.A)
		case event.Fingerprint:
			s.fingerprint(&f, e)
		}
		if int(e.Kind) < len(s.evidence) {
			s.evident(&f, e)
		}
	}
	if f.n == 0 {
		return
	}
	// Both parts go to the arena next to each other.
	var all [2 * maxFound]event.Evidence
	joined := append(append(all[:0], ev.Evidence...), f.found[:f.n]...)
	ev.Evidence = a.Evidence(joined)
}

func applies(services []string, service string) bool {
	return len(services) == 0 || slices.Contains(services, service)
}

func (s *Set) evident(f *findings, e *event.Evidence) {
	for i := range s.evidence[e.Kind] {
		r := &s.evidence[e.Kind][i]
		if r.outcome != event.Unknown && r.outcome != e.Outcome {
			continue
		}
		kind, value := e.C, e.A
		if e.Kind == event.Fingerprint {
			kind, value = e.A, e.B
		}
		if len(r.kinds) > 0 && !slices.Contains(r.kinds, kind) {
			continue
		}
		if len(r.contains) > 0 {
			var buf [longestValue]byte
			low := lower(buf[:0], value)
			if !slices.ContainsFunc(r.contains, func(text string) bool { return bytes.Contains(low, event.Bytes(text)) }) {
				continue
			}
		}
		f.conclude(&r.technique)
	}
}

func (s *Set) fingerprint(f *findings, e *event.Evidence) {
	g := s.signatures[e.A]
	if g == nil {
		return
	}
	if tool, ok := g.exact[e.B]; ok {
		s.tool(f, tool, g.by)
	}
	if len(g.forms) == 0 {
		return
	}
	var buf [longestValue]byte
	low := lower(buf[:0], e.B)
	for i := range g.forms {
		text := event.Bytes(g.forms[i].text)
		if g.forms[i].prefix && bytes.HasPrefix(low, text) || !g.forms[i].prefix && bytes.Contains(low, text) {
			s.tool(f, g.forms[i].tool, g.by)
		}
	}
}

func (s *Set) tool(f *findings, tool, by string) {
	if !f.add(event.Tool, tool, by) {
		return
	}
	for i := range s.byTool[tool] {
		f.conclude(&s.byTool[tool][i])
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
func (s *Set) command(f *findings, line string) {
	if len(s.texts) > 0 {
		var buf [event.MaxCommand]byte
		low := lower(buf[:0], line)
		for i := range s.texts {
			r := &s.texts[i]
			if applies(r.services, f.event.Service) &&
				slices.ContainsFunc(r.texts, func(text string) bool { return bytes.Contains(low, event.Bytes(text)) }) {
				f.conclude(&r.technique)
			}
		}
	}
	var sh shell
	sh.split(line, func(program string, words []string) { s.part(f, program, words) })
}

// part concludes from one simple command.
func (s *Set) part(f *findings, program string, words []string) {
	for i := range s.everywhere {
		s.everywhere[i].judge(f, words)
	}
	rules := s.programs[program]
	for i := range rules {
		rules[i].judge(f, words)
	}
}

func (r *commandRule) judge(f *findings, words []string) {
	if !applies(r.services, f.event.Service) {
		return
	}
	if len(r.words) == 0 && len(r.exact) == 0 {
		f.conclude(&r.technique)
		return
	}
	for _, w := range words {
		if slices.Contains(r.exact, w) {
			f.conclude(&r.technique)
			return
		}
		for _, part := range r.words {
			if strings.Contains(w, part) {
				f.conclude(&r.technique)
				return
			}
		}
	}
}
