package esindex

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// checkApart returns an ErrOverlap where another installation's indices would
// be taken for ours: one with a prefix such as dossier-activity, which today's
// commands refuse, beside the prefix dossier.
func (c *Client) checkApart(ctx context.Context, kinds []*kind) error {
	var found struct {
		List []struct {
			Name     string `json:"name"`
			Template struct {
				Meta struct {
					Dossier struct {
						Schema int `json:"schema"`
					} `json:"dossier"`
				} `json:"_meta"`
			} `json:"index_template"`
		} `json:"index_templates"`
	}
	const path = "/_index_template?filter_path=index_templates.name,index_templates.index_template._meta." + metaKey
	if err := c.Call(ctx, "read the templates", http.MethodGet, path, nil, &found); err != nil {
		return err
	}
	for _, f := range found.List {
		if f.Template.Meta.Dossier.Schema < 1 || slices.ContainsFunc(kinds, func(k *kind) bool { return k.Name == f.Name }) {
			continue
		}
		for _, k := range kinds {
			if strings.HasPrefix(f.Name, k.Name+"-") {
				return &Error{
					Op: "install template " + k.Name, cause: ErrOverlap,
					Reason: fmt.Sprintf("the indices of another installation, %s and those beside it, would be taken for %s-*", oneLine(f.Name), k.Name),
					Fix:    "use another index_prefix, or delete that installation's templates and indices where it is not needed any more",
				}
			}
		}
	}
	return nil
}

// retireAliases takes the index of the kind out of the aliases it had once,
// and its template. Where the credentials may not, a Step says so.
func (c *Client) retireAliases(ctx context.Context, k *kind) ([]Step, error) {
	if len(k.Retired) == 0 || !k.single() {
		return nil, nil
	}
	if err := c.retireInTemplate(ctx, k); err != nil {
		return nil, err
	}
	has, err := c.aliases(ctx, k.Pattern)
	if c.looks && hasStatus(err, http.StatusNotFound) { // its index wasn't made
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var steps []Step
	for index, names := range has {
		for _, alias := range k.Retired {
			if _, ok := names[alias]; !ok {
				continue
			}
			body, err := json.Marshal(map[string]any{"actions": []any{map[string]any{"remove": map[string]any{"index": index, "alias": alias}}}})
			if err != nil {
				return steps, err
			}
			step := Step{"alias", alias, "taken off " + index + ": whoever may read it saw the attackers of every prefix"}
			err = c.Call(ctx, "take "+index+" out of the alias "+alias, http.MethodPost, "/_aliases", body, nil)
			if hasStatus(err, http.StatusForbidden) {
				step.Done = "left on " + index + ", so that whoever may read it sees these attackers: run dossier setup as a user such as elastic to take it off"
				err = nil
			}
			if err != nil {
				return steps, err
			}
			steps = append(steps, step)
		}
	}
	return steps, nil
}

// aliases returns the aliases of the index, by the index's own name. Other
// than _alias this call shows those too that the credentials may not use.
func (c *Client) aliases(ctx context.Context, index string) (map[string]map[string]json.RawMessage, error) {
	var found map[string]struct {
		Aliases map[string]json.RawMessage `json:"aliases"`
	}
	if err := c.Call(ctx, "look at the aliases of "+index, http.MethodGet, "/"+index+"?filter_path=*.aliases", nil, &found); err != nil {
		return nil, err
	}
	out := make(map[string]map[string]json.RawMessage, len(found))
	for name, f := range found {
		out[name] = f.Aliases
	}
	return out, nil
}

// HasAlias says whether the index has the alias, also where the credentials
// may not use that.
func (c *Client) HasAlias(ctx context.Context, index, alias string) (bool, error) {
	found, err := c.aliases(ctx, index)
	for _, names := range found {
		if _, ok := names[alias]; ok {
			return true, err
		}
	}
	return false, err
}

// retireInTemplate takes retired aliases out of the component template, which
// is otherwise left as it is.
func (c *Client) retireInTemplate(ctx context.Context, k *kind) error {
	pack := k.Name + "@package"
	var found struct {
		List []struct {
			Component struct {
				Template map[string]json.RawMessage `json:"template"`
				Version  json.RawMessage            `json:"version,omitempty"`
				Meta     json.RawMessage            `json:"_meta,omitempty"`
			} `json:"component_template"`
		} `json:"component_templates"`
	}
	err := c.Call(ctx, "read template "+pack, http.MethodGet, "/_component_template/"+pack, nil, &found)
	if err != nil {
		if hasStatus(err, http.StatusNotFound) {
			return nil
		}
		return err
	}
	if len(found.List) != 1 {
		return errors.New("esindex: several component templates " + pack)
	}
	part := found.List[0].Component
	var aliases map[string]json.RawMessage
	if part.Template["aliases"] == nil || json.Unmarshal(part.Template["aliases"], &aliases) != nil {
		return nil //nolint:nilerr // what can't be read has none of the aliases
	}
	if !slices.ContainsFunc(k.Retired, func(alias string) bool { _, ok := aliases[alias]; return ok }) {
		return nil
	}
	if part.Template["aliases"] = k.aliases; k.aliases == nil {
		delete(part.Template, "aliases")
	}
	body, err := json.Marshal(part)
	if err != nil {
		return err
	}
	return c.Call(ctx, "write template "+pack, http.MethodPut, "/_component_template/"+pack, body, nil)
}
