package rules

import (
	"errors"
	"fmt"
	"slices"
)

// index finds the rules that could hold, so that few are looked at: each rule
// stands under one of its conditions, the one that is rarest met.
type index struct {
	rules []*Rule
	// Rules of shells: by program, by a text inside a word, by a text of the
	// line, and those that hold for every command.
	programs  map[string][]*Rule
	words     *matcher
	wordRules [][]*Rule // by the matcher's texts
	lines     *matcher
	lineRules [][]*Rule
	always    []*Rule
	// Rules of other texts: by the first word, by a text, and those of a
	// channel that ask for something else.
	verbs     [channels]map[string][]*Rule
	texts     *matcher
	textRules [][]*Rule
	// carriers says which of the texts may carry a command.
	carriers []bool
	loose    [channels][]*Rule
	// Rules of events by type, and of tools by name.
	types map[string][]*Rule
	tools map[string][]*Rule
	// texted are the channels that a rule of texts asks for.
	texted channelSet
}

// anchors collects texts and the rules that stand under each.
type anchors struct {
	texts []string
	rules [][]*Rule
	bytes int
}

func (a *anchors) add(c *condition, r *Rule) {
	values := c.values
	if c.all {
		// One of those that must all be there will do: the longest.
		longest := slices.MaxFunc(values, func(a, b string) int { return len(a) - len(b) })
		values = []string{longest}
	}
	for _, v := range values {
		i := slices.Index(a.texts, v)
		if i < 0 {
			i = len(a.texts)
			a.texts, a.rules = append(a.texts, v), append(a.rules, nil)
			a.bytes += len(v)
		}
		if !slices.Contains(a.rules[i], r) {
			a.rules[i] = append(a.rules[i], r)
		}
	}
}

// maxAnchors bounds the texts of one matcher, in bytes.
const maxAnchors = 60 << 10

func newIndex(rules []*Rule) (*index, error) {
	x := &index{rules: rules, programs: map[string][]*Rule{}, types: map[string][]*Rule{}, tools: map[string][]*Rule{}}
	for i := range x.verbs {
		x.verbs[i] = map[string][]*Rule{}
	}
	var words, lines, texts anchors
	for _, r := range rules {
		if r.channels.has(shellChannel) {
			switch {
			case r.asked(programField) != nil && r.asked(programField).op == exactly:
				for _, p := range r.asked(programField).values {
					x.programs[p] = append(x.programs[p], r)
				}
			case r.asked(writesField) != nil:
				words.add(r.asked(writesField), r)
			case r.asked(wordField) != nil:
				words.add(r.asked(wordField), r)
			case r.asked(lineField) != nil:
				lines.add(r.asked(lineField), r)
			default:
				x.always = append(x.always, r)
			}
		}
		for c := range channels {
			if c == shellChannel || !r.channels.has(c) {
				continue
			}
			switch c {
			case eventChannel:
				t := r.asked(typeField)
				if t == nil || t.op != exactly {
					return nil, fmt.Errorf("rule %s: on the channel event the field type must be asked for", r.ID)
				}
				for _, v := range t.values {
					x.types[v] = append(x.types[v], r)
				}
				continue
			case toolChannel:
				t := r.asked(toolField)
				if t == nil || t.op != exactly {
					return nil, fmt.Errorf("rule %s: on the channel tool the field tool must be asked for", r.ID)
				}
				for _, v := range t.values {
					x.tools[v] = append(x.tools[v], r)
				}
				continue
			}
			x.texted |= 1 << c
			if verb := r.asked(verbField); verb != nil && verb.op == exactly {
				for _, v := range verb.values {
					x.verbs[c][v] = append(x.verbs[c][v], r)
				}
				continue
			}
			if t := r.anchor(); t != nil {
				texts.add(t, r)
				continue
			}
			x.loose[c] = append(x.loose[c], r)
		}
	}
	for _, text := range carried {
		i := slices.Index(texts.texts, text)
		if i < 0 {
			i = len(texts.texts)
			texts.texts, texts.rules = append(texts.texts, text), append(texts.rules, nil)
			texts.bytes += len(text)
		}
		x.carriers = append(x.carriers, make([]bool, max(0, i+1-len(x.carriers)))...)
		x.carriers[i] = true
	}
	x.carriers = append(x.carriers, make([]bool, len(texts.texts)-len(x.carriers))...)
	if max(words.bytes, lines.bytes, texts.bytes) > maxAnchors {
		return nil, errors.New("the rules ask for more text than can be looked for at once")
	}
	x.words, x.wordRules = newMatcher(words.texts), words.rules
	x.lines, x.lineRules = newMatcher(lines.texts), lines.rules
	x.texts, x.textRules = newMatcher(texts.texts), texts.rules
	return x, nil
}

// anchor returns the condition of a text by which the rule is found: the one
// whose shortest text is longest.
func (r *Rule) anchor() *condition {
	var best *condition
	length := func(c *condition) int {
		shortest := len(slices.MinFunc(c.values, func(a, b string) int { return len(a) - len(b) }))
		if c.all {
			shortest = len(slices.MaxFunc(c.values, func(a, b string) int { return len(a) - len(b) }))
		}
		return shortest
	}
	for i := range r.when {
		c := &r.when[i]
		switch c.field {
		case textField, statementField, pathField, queryField, headerField, agentField, bodyField:
			if best == nil || length(c) > length(best) {
				best = c
			}
		}
	}
	return best
}
