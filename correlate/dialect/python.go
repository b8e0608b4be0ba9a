package dialect

import (
	"strings"
	"unicode/utf8"

	"dossier/correlate/event"
)

// pythonText reads a Python string literal at s[i:] as repr writes it, with an
// optional b prefix, and returns the index behind it.
func pythonText(a *event.Arena, s string, i int) (text string, next int, ok bool) {
	if i < len(s) && s[i] == 'b' {
		i++
	}
	if i >= len(s) || s[i] != '\'' && s[i] != '"' {
		return "", i, false
	}
	quote := s[i]
	i++
	start, end, escaped := i, i, false
	for end < len(s) && s[end] != quote {
		if s[end] == '\\' {
			escaped = true
			end++
		}
		end++
	}
	if end >= len(s) {
		return "", i, false
	}
	if !escaped {
		return s[start:end], end + 1, true
	}
	next = end + 1
	s = s[:end]
	b := a.Grab(end - start)
	for i < end {
		c := s[i]
		i++
		if c != '\\' || i == len(s) {
			b = append(b, c)
			continue
		}
		c = s[i]
		i++
		width := 0
		switch c {
		case 'n':
			b = append(b, '\n')
		case 'r':
			b = append(b, '\r')
		case 't':
			b = append(b, '\t')
		case 'x':
			width = 2
		case 'u':
			width = 4
		case 'U':
			width = 8
		default:
			b = append(b, c)
		}
		if width == 0 {
			continue
		}
		var r rune
		for n := 0; n < width && i < len(s); n++ {
			d, isHex := hexDigit(s[i])
			if !isHex {
				return "", i, false
			}
			r = r<<4 | rune(d)
			i++
		}
		b = utf8.AppendRune(b, r)
	}
	return a.Keep(b), next, true
}

// pythonDict appends the members of a Python dict of strings, as repr writes
// it, to fields. It stops at the first thing that isn't one.
func pythonDict(a *event.Arena, fields []event.Field, s string, limit int) []event.Field {
	if s == "" || s[0] != '{' {
		return fields
	}
	i := 1
	for range limit {
		i = skipSpace(s, i)
		key, next, ok := pythonText(a, s, i)
		if !ok {
			return fields
		}
		if i = skipSpace(s, next); i >= len(s) || s[i] != ':' {
			return fields
		}
		value, next, ok := pythonText(a, s, skipSpace(s, i+1))
		if !ok {
			return fields
		}
		fields = append(fields, event.Field{Key: key, Value: value})
		if i = skipSpace(s, next); i >= len(s) || s[i] != ',' {
			return fields
		}
		i++
	}
	return fields
}

// pythonList calls yield for each string of a Python list, as repr writes it.
// It returns false where s is not such a list.
func pythonList(a *event.Arena, s string, yield func(string)) bool {
	if len(s) < 2 || s[0] != '[' || s[len(s)-1] != ']' {
		return false
	}
	i := skipSpace(s, 1)
	for i < len(s)-1 {
		text, next, ok := pythonText(a, s, i)
		if !ok {
			return false
		}
		yield(text)
		i = skipSpace(s, next)
		if s[i] == ',' {
			i = skipSpace(s, i+1)
		}
	}
	return true
}

func skipSpace(s string, i int) int {
	return i + len(s[i:]) - len(strings.TrimLeft(s[i:], " "))
}
