package profile

import (
	"slices"
	"strings"
	"unicode/utf8"

	"dossier/correlate/event"
	"dossier/correlate/law"
	"dossier/correlate/state"
)

// orderedCommands returns the commands kept in the order in which they matter:
// in turn one that a rule knows, two of the newest, one of the first. They are
// valid until the next call.
func (r *Renderer) orderedCommands(s *state.Attacker) []law.Item {
	newest, oldest, known := s.Commands.Items(), s.Commands.Gone(), r.knownCommands(s)
	r.lines = r.lines[:0]
	for len(newest)+len(oldest)+len(known) > 0 {
		if len(known) > 0 {
			service, line, _ := strings.Cut(known[0].Key, "\x00")
			r.lines = append(r.lines, law.Item{Time: known[0].First, A: service, C: line})
			known = known[1:]
		}
		for range 2 {
			if n := len(newest); n > 0 {
				r.lines, newest = append(r.lines, newest[n-1]), newest[:n-1]
			}
		}
		if len(oldest) > 0 {
			r.lines, oldest = append(r.lines, oldest[0]), oldest[1:]
		}
	}
	return r.lines
}

// knownCommands returns the commands that a rule knows and that are neither
// among the newest nor among the first ones.
func (r *Renderer) knownCommands(s *state.Attacker) []law.Entry {
	if !s.Commands.Truncated() || s.Known.Len() == 0 {
		return nil // all are among the newest
	}
	r.names = r.names[:0]
	for _, list := range [2][]law.Item{s.Commands.Items(), s.Commands.Gone()} {
		for i := range list {
			r.names = append(r.names, state.LimitKnown.Key(state.KnownKey(&r.arena, state.CommandOf(&list[i]).Service(), state.CommandOf(&list[i]).Line())))
		}
	}
	slices.Sort(r.names)
	return slices.DeleteFunc(s.Known.Ordered(), func(e law.Entry) bool {
		_, shown := slices.BinarySearch(r.names, e.Key)
		return shown
	})
}

// commands appends the commands that matter most, oldest first.
func (r *Renderer) commands(d *document, s *state.Attacker, p *plan) {
	items := s.Commands.Items()
	if s.Commands.Truncated() {
		items = r.orderedCommands(s)
		items = items[:min(len(items), p.keep[listCommands])]
		slices.SortFunc(items, law.Item.Compare)
	} else {
		items = items[max(0, len(items)-p.keep[listCommands]):]
	}
	if len(items) == 0 {
		return
	}
	start := len(d.b)
	elements(d, "commands", items, d.command)
	r.names = r.names[:0]
	for i := range items {
		if line := state.CommandOf(&items[i]).Line(); indexable(line) && !slices.Contains(r.names, line) {
			r.names = append(r.names, line)
		}
	}
	if len(r.names) > 0 {
		d.object("command")
		d.strings("line", r.names)
		d.end()
	}
	p.commandBytes = len(d.b) - start
}

func (d *document) command(item *law.Item) {
	c := state.CommandOf(item)
	d.element()
	d.time("timestamp", c.Time)
	d.some("service", c.Service())
	d.some("decky", c.Decky())
	d.string("command", c.Line())
	d.end()
}

// longest says whether some of a command line is missing: it was cut, or by an
// earlier version may have been, being as long as that kept lines. Repair cuts before a character of at most ten
// bytes that doesn't fit.
func longest(commands []law.Item) bool {
	return slices.ContainsFunc(commands, func(c law.Item) bool {
		line := state.CommandOf(&c).Line()
		return law.Shortened(line) || len(line) > event.MaxCommand-len(`\U000e0001`)
	})
}

// indexable says whether Elasticsearch indexes v as a keyword: a longer one
// would stand in the flat lists without being found.
func indexable(v string) bool {
	return len(v) <= longestKeyword || utf8.RuneCountInString(v) <= longestKeyword
}
