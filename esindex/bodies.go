package esindex

import (
	"context"
	"encoding/json"
	"fmt"
)

// Body is a request that makes something: PUT Path with JSON.
type Body struct {
	Path string
	JSON []byte
}

// Bodies returns, in the order in which they are made, what Install makes on an
// empty cluster of this kind: of each template its component template, an empty one for
// the operator and the index template, then the indices that have one name and
// the indices given, which must be of the templates. It sends nothing that changes anything.
//
// The body of an index whose template asks for one has a new list key, which is a secret.
func (c *Client) Bodies(ctx context.Context, templates []Template, indices []string) ([]Body, error) {
	kinds, err := c.kindsFor(ctx, templates)
	if err != nil {
		return nil, err
	}
	var out, made []Body
	add := func(to *[]Body, path string, body []byte, err error) error {
		*to = append(*to, Body{path, body})
		return err
	}
	for _, k := range kinds {
		component, index, err := k.bodies(settingsOf(k.settings))
		if err := add(&out, "/_component_template/"+k.packName(), component, err); err != nil {
			return nil, err
		}
		if err := add(&out, "/_component_template/"+k.customName(), []byte(emptyTemplate), nil); err != nil {
			return nil, err
		}
		if err := add(&out, "/_index_template/"+k.Name, index, nil); err != nil {
			return nil, err
		}
		if k.single() {
			index, body, err := k.indexBody(k.Pattern)
			if err := add(&made, "/"+index, body, err); err != nil {
				return nil, err
			}
		}
	}
	for _, name := range indices {
		of := -1
		for i, k := range kinds {
			if k.owns(name) {
				of = i
			}
		}
		if of < 0 {
			return nil, fmt.Errorf("esindex: no template is for the index %s", name)
		}
		index, body, err := kinds[of].indexBody(name)
		if err := add(&made, "/"+index, body, err); err != nil {
			return nil, err
		}
	}
	return append(out, made...), nil
}

// indexBody is what the index of a name is made with, its list key included.
func (k *kind) indexBody(name string) (index string, body []byte, err error) {
	mapping := map[string]json.RawMessage{}
	if err := json.Unmarshal(k.bare, &mapping); err != nil {
		return "", nil, err
	}
	if k.ListKey != "" {
		var fields map[string]any
		if err := json.Unmarshal(mapping["properties"], &fields); err != nil {
			return "", nil, err
		}
		fields[k.ListKey] = newListKey()
		if mapping["properties"], err = json.Marshal(fields); err != nil {
			return "", nil, err
		}
	}
	index, parts := k.making(name, mapping)
	body, err = json.Marshal(parts)
	return index, body, err
}
