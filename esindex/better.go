package esindex

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// readBetter looks up what Better may stand in for.
func (k *kind) readBetter() error {
	k.bare = k.mappings
	if len(k.Better) == 0 {
		return nil
	}
	plain := fieldsOf(k.mappings)
	k.either = map[string][2]parameters{}
	for name, raw := range k.Better {
		var definition map[string]any
		if err := json.Unmarshal(raw, &definition); err != nil || plain[name] == nil {
			return fmt.Errorf("esindex: template %q: a better %s: want a definition of a field of the mapping, got %s", k.Name, name, oneLine(string(raw)))
		}
		k.either[name] = [2]parameters{plain[name], parametersOf(definition)}
	}
	var err error
	// Of a field that has others below it a template's definition and an
	// index's own don't add up: the whole is left to the template.
	k.bare, err = edited(k.mappings, func(name string) (any, bool) {
		for better := range k.Better {
			if name == better || plain[name]["type"] != "object" && strings.HasPrefix(better, name+".") {
				return nil, true
			}
		}
		return nil, false
	})
	return err
}

// prefer has the kind's mappings use what is better.
func (k *kind) prefer() (err error) {
	k.mappings, err = edited(k.mappings, func(name string) (any, bool) {
		raw, ok := k.Better[name]
		return raw, ok
	})
	return err
}

// edited returns the mapping with those fields changed, or left out where the
// new definition is nil, for which change says so.
func edited(mapping json.RawMessage, change func(name string) (any, bool)) (json.RawMessage, error) {
	var root map[string]any
	if err := json.Unmarshal(mapping, &root); err != nil {
		return nil, err
	}
	var walk func(path string, in any)
	walk = func(path string, in any) {
		fields, _ := in.(map[string]any)
		for name, definition := range fields {
			if to, ok := change(path + name); ok {
				if fields[name] = to; to == nil {
					delete(fields, name)
				}
				continue
			}
			inner, _ := definition.(map[string]any)
			for _, below := range []string{"properties", "fields"} {
				walk(path+name+".", inner[below])
				if f, ok := inner[below].(map[string]any); ok && len(f) == 0 {
					delete(inner, below)
				}
			}
			if len(inner) == 0 {
				delete(fields, name) // an object of which nothing is left is no field
			}
		}
	}
	walk("", root["properties"])
	return json.Marshal(root)
}

// chooseTypes asks the cluster once whether it knows the types of what is
// better, and has the kinds use that if so. A template that is simulated is
// checked like one that is installed, and nothing is left of it.
func (c *Client) chooseTypes(ctx context.Context, kinds []*kind) error {
	definitions := map[string]json.RawMessage{}
	for _, k := range kinds {
		for _, raw := range k.Better {
			definitions[fmt.Sprintf("f%d", len(definitions))] = raw
		}
	}
	if len(definitions) == 0 {
		return nil
	}
	body, err := json.Marshal(map[string]any{
		"index_patterns": []string{"dossier-types-there-are"}, "priority": Priority,
		"template": map[string]any{"mappings": map[string]any{"properties": definitions}},
	})
	if err != nil {
		return err
	}
	err = c.call(ctx, "ask which field types there are", request{http.MethodPost, "/_index_template/_simulate", body}, nil)
	if hasStatus(err, http.StatusBadRequest) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, k := range kinds {
		if err := k.prefer(); err != nil {
			return err
		}
	}
	return nil
}

// unlike returns the differences of a mapping from the kind's, but for those
// of fields that have the other one of two definitions.
func (k *kind) unlike(have map[string]parameters) []Difference {
	return slices.DeleteFunc(compareFields(have, fieldsOf(k.mappings)), func(d Difference) bool {
		either, ok := k.either[d.Field]
		return ok && slices.ContainsFunc(either[:], func(p parameters) bool { return maps.Equal(p, have[d.Field]) })
	})
}

// parametersOf returns those of one field.
func parametersOf(definition map[string]any) parameters {
	p := parameters{"type": "object"}
	for key, value := range definition {
		p[key] = scalar(value)
	}
	return p
}
