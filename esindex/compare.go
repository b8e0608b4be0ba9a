package esindex

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Difference is a field of a mapping that is not as its template has it.
type Difference struct {
	// Field is the dotted name, "dynamic" for the mapping's own setting.
	Field string
	// Have and Want describe it ("text", "keyword with ignore_above 256").
	// Have is empty where the field is missing.
	Have, Want string
}

func (d Difference) String() string {
	if d.Have == "" {
		return fmt.Sprintf("field %s (%s) is missing", d.Field, d.Want)
	}
	return fmt.Sprintf("field %s is %s, not %s", d.Field, d.Have, d.Want)
}

// parameters are those of one field of a mapping, by their names.
type parameters map[string]string

// fieldsOf returns the parameters of all fields of a mapping by their dotted
// names, those that only hold others included.
func fieldsOf(mapping json.RawMessage) map[string]parameters {
	var root map[string]any
	if json.Unmarshal(mapping, &root) != nil {
		return nil
	}
	out := map[string]parameters{}
	if dynamic, ok := root["dynamic"]; ok {
		out["dynamic"] = parameters{"type": scalar(dynamic)}
	}
	walkFields(out, "", root["properties"])
	return out
}

func walkFields(out map[string]parameters, path string, properties any) {
	fields, _ := properties.(map[string]any)
	for name, definition := range fields {
		values, _ := definition.(map[string]any)
		p := parameters{"type": "object"}
		for key, value := range values {
			switch key {
			case "properties", "fields":
				walkFields(out, path+name+".", value)
			default:
				p[key] = scalar(value)
			}
		}
		if p["type"] == "wildcard" && p["doc_values"] == "false" {
			delete(p, "doc_values") // OpenSearch shows this one's default
		}
		out[path+name] = p
	}
}

// scalar returns the text of a JSON value; numbers and the like are the same
// with and without quotes, as Elasticsearch takes them.
func scalar(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case bool, nil:
		return fmt.Sprint(v)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	default:
		b, _ := json.Marshal(v) // of what was decoded; keys are sorted
		return string(b)
	}
}

// describe says what the field is, with those of its parameters in which it
// differs from another.
func (p parameters) describe(other parameters) string {
	text := oneLine(p["type"])
	if p["type"] != other["type"] {
		return text
	}
	word := " with "
	for _, key := range slices.Sorted(maps.Keys(p.union(other))) {
		if p[key] != other[key] {
			text += word + oneLine(key) + " " + cmp.Or(oneLine(p[key]), "unset")
			word = ", "
		}
	}
	return text
}

func (p parameters) union(other parameters) parameters {
	all := maps.Clone(p)
	maps.Copy(all, other)
	return all
}

// compareFields returns the fields of want that have lacks or has otherwise,
// in the order of their names. What only have has is not looked at, nor what
// lies below a field that is something else.
func compareFields(have, want map[string]parameters) []Difference {
	var out []Difference
	wrong := ""
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if wrong != "" && strings.HasPrefix(name, wrong+".") {
			continue
		}
		h, ok := have[name]
		switch {
		case !ok && want[name]["type"] == "object" && !isLeaf(want, name):
			// Its fields are missing as well, and say it.
		case !ok:
			out = append(out, Difference{Field: name, Want: want[name].describe(nil)})
		case !maps.Equal(h, want[name]):
			out = append(out, Difference{Field: name, Have: h.describe(want[name]), Want: want[name].describe(h)})
			wrong = name
		}
	}
	return out
}

func isLeaf(fields map[string]parameters, name string) bool {
	for other := range fields {
		if strings.HasPrefix(other, name+".") {
			return false
		}
	}
	return true
}

// part returns the mapping cut down to some of its fields.
func part(mapping json.RawMessage, names []string) (json.RawMessage, error) {
	var root map[string]any
	if err := json.Unmarshal(mapping, &root); err != nil {
		return nil, err
	}
	out := map[string]any{}
	if slices.Contains(names, "dynamic") {
		out["dynamic"] = root["dynamic"]
	}
	if kept := cutFields(root["properties"], "", names); kept != nil {
		out["properties"] = kept
	}
	return json.Marshal(out)
}

func cutFields(properties any, path string, names []string) map[string]any {
	fields, _ := properties.(map[string]any)
	var out map[string]any
	keep := func(name string, definition any) {
		if out == nil {
			out = map[string]any{}
		}
		out[name] = definition
	}
	for name, definition := range fields {
		if slices.Contains(names, path+name) {
			keep(name, definition)
			continue
		}
		values, _ := definition.(map[string]any)
		for _, below := range []string{"properties", "fields"} {
			if inner := cutFields(values[below], path+name+".", names); inner != nil {
				whole := maps.Clone(values)
				whole[below] = inner
				keep(name, whole)
			}
		}
	}
	return out
}

// settings are those of an index or template by their names, without the
// "index." before each.
type settings map[string]any

// settingsOf reads settings as Elasticsearch takes and returns them, flat or
// nested.
func settingsOf(raw json.RawMessage) settings {
	var tree map[string]any
	if raw == nil || json.Unmarshal(raw, &tree) != nil {
		return settings{}
	}
	out := settings{}
	var walk func(path string, v any)
	walk = func(path string, v any) {
		if inner, ok := v.(map[string]any); ok {
			for name, value := range inner {
				walk(path+"."+name, value)
			}
			return
		}
		out[strings.TrimPrefix(strings.TrimPrefix(path, "."), "index.")] = v
	}
	walk("", tree)
	return out
}

// body returns the settings as Elasticsearch takes them.
func (s settings) body() map[string]any {
	out := make(map[string]any, len(s))
	for name, value := range s {
		out["index."+name] = value
	}
	return out
}

// show returns the value of a setting for a line: durations in one form.
func (s settings) show(name string) string {
	v, ok := s[name]
	if !ok || v == nil {
		return "unset"
	}
	text := oneLine(scalar(v))
	if !strings.HasSuffix(name, "interval") {
		return text
	}
	// Elasticsearch's units are Go's, but for the day.
	d, err := time.ParseDuration(text)
	if days, isDays := strings.CutSuffix(text, "d"); isDays {
		n, bad := strconv.Atoi(days)
		d, err = time.Duration(n)*24*time.Hour, bad
	}
	if err != nil {
		return text
	}
	short := d.String()
	for _, zeros := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(short, zeros) {
			short = strings.TrimSuffix(short, zeros[1:])
		}
	}
	return short
}

// Choice is a setting that whoever installs the indices may choose. All other
// settings of a template are Dossier's.
type Choice string

// The choices. Replicas is number_of_replicas or auto_expand_replicas.
const (
	Shards          Choice = "number_of_shards"
	Replicas        Choice = "number_of_replicas"
	RefreshInterval Choice = "refresh_interval"
)

const autoExpand = "auto_expand_replicas"

var choices = []Choice{Shards, Replicas, RefreshInterval}

// names returns the settings that make the choice.
func (c Choice) names() []string {
	if c == Replicas {
		return []string{string(Replicas), autoExpand}
	}
	return []string{string(c)}
}

// in returns how the settings have chosen, for a line.
func (c Choice) in(s settings) string {
	if c != Replicas {
		return s.show(string(c))
	}
	switch auto := s.show(autoExpand); auto {
	case "unset", "false":
		return s.show(string(Replicas))
	case "0-1":
		return "auto"
	default:
		return "auto (" + auto + ")"
	}
}

// isIn says whether the settings make the choice at all.
func (c Choice) isIn(s settings) bool { return c.in(s) != "unset" }

// move sets in one what the other has chosen.
func (c Choice) move(to, from settings) {
	for _, name := range c.names() {
		delete(to, name)
		if v, ok := from[name]; ok {
			to[name] = v
		}
	}
}

// change returns what an index must be sent to have what want has chosen.
func (c Choice) change(want settings) settings {
	out := settings{}
	c.move(out, want)
	if c == Replicas && out[autoExpand] == nil {
		out[autoExpand] = "false" // else it would go before the number
	}
	return out
}

// isChoice says whether a setting belongs to a choice.
func isChoice(name string) bool {
	return slices.ContainsFunc(choices, func(c Choice) bool { return slices.Contains(c.names(), name) })
}
