package operate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"dossier/analyst"
	"dossier/conf/roles"
	"dossier/esindex"
)

// Installed is what set-up and sensors made under a prefix, and is there.
type Installed struct {
	// Indices are by their own names, whatever aliases stand for them; Documents are
	// how many each has.
	Indices   []string
	Documents map[string]int64
	// Templates are index templates, Components what those are made of.
	Templates, Components []string
	Roles                 []string
	// Keys are those that work. own is the id of the one that is used here.
	Keys []APIKey
	own  string
	// Left are things of names like ours that aren't ours, and why.
	Left []string
	// Writing are the sensors with a heartbeat of the last 90 seconds.
	Writing []string
}

// Empty says whether nothing is there.
func (i *Installed) Empty() bool {
	return len(i.Indices)+len(i.Templates)+len(i.Components)+len(i.Roles)+len(i.Keys) == 0
}

// Steps tells each thing once, with what is said of it.
func (i *Installed) Steps(done string) []esindex.Step {
	var out []esindex.Step
	for _, k := range i.Keys {
		out = append(out, esindex.Step{Object: "API key", Name: line(k.Name), Done: "id " + line(k.ID) + ", " + done})
	}
	for _, name := range i.Templates {
		out = append(out, esindex.Step{Object: "index template", Name: name, Done: done})
	}
	for _, name := range i.Components {
		out = append(out, esindex.Step{Object: "component template", Name: name, Done: done})
	}
	for _, name := range i.Indices {
		out = append(out, esindex.Step{Object: "index", Name: line(name), Done: fmt.Sprintf("%d documents, %s", i.Documents[name], done)})
	}
	for _, name := range i.Roles {
		out = append(out, esindex.Step{Object: "role", Name: name, Done: done})
	}
	return out
}

// gives says whether Dossier gives an index or alias that name.
func (t *Target) gives(name string) bool {
	if name == analyst.NotesIndex(t.o.IndexPrefix) {
		return true
	}
	for _, tt := range t.templates {
		if _, ok := esindex.NumberOf(tt.Pattern, name); ok && tt.Numbered {
			return true
		}
		stem, monthly := strings.CutSuffix(tt.Pattern, "*")
		rest, ok := strings.CutPrefix(name, stem)
		_, isMonth := month(rest)
		if ok && (!monthly && rest == "" || monthly && (isMonth || rest == "other")) {
			return true
		}
	}
	return false
}

// neighbour matches what follows another prefix in the names of its indices.
var neighbour = regexp.MustCompile(`-(attackers|smtp-targets|indicators|sensors|notes|(activity|transitions|chunks)-([0-9]{4}\.[0-9]{2}|other))(-[0-9]{6})?$`)

// isNeighbours says whether an index is named as those of a longer prefix are.
func (t *Target) isNeighbours(name string) bool {
	at := neighbour.FindStringIndex(name)
	return at != nil && name[:at[0]] != t.o.IndexPrefix
}

// Installed looks for all that was made under this prefix. What only has a name like ours
// is told in Left: an index whose mapping doesn't say that Dossier made it, or that is no month of
// ours. It takes a user such as elastic: what credentials may not see is not found.
func (t *Target) Installed(ctx context.Context) (*Installed, error) {
	i := &Installed{Documents: map[string]int64{}}
	for _, look := range []func(context.Context, *Installed) error{t.installedIndices, t.installedTemplates, t.installedSecurity} {
		if err := look(ctx, i); err != nil {
			return nil, err
		}
	}
	beats, _, err := t.heartbeats(ctx)
	if err != nil && !isMissing(err) {
		return nil, err
	}
	for _, h := range beats {
		if t.now().Sub(h.At) <= silence {
			i.Writing = append(i.Writing, line(h.Sensor))
		}
	}
	return i, nil
}

func (t *Target) installedIndices(ctx context.Context, i *Installed) error {
	var found map[string]struct {
		Aliases  map[string]json.RawMessage `json:"aliases"`
		Mappings struct {
			Meta struct {
				Dossier struct {
					Schema int    `json:"schema"`
					Kind   string `json:"kind"`
				} `json:"dossier"`
			} `json:"_meta"`
		} `json:"mappings"`
	}
	// Of indices behind an alias it tells as well, by their own names.
	path := "/" + t.o.IndexPrefix + "-*?expand_wildcards=all&filter_path=*.aliases,*.mappings._meta,*.settings.index.uuid"
	if err := t.client.Call(ctx, "look at the indices", http.MethodGet, path, nil, &found); err != nil && !isMissing(err) {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(found)) {
		index := found[name]
		ours := t.gives(name)
		for alias := range index.Aliases {
			ours = ours || t.gives(alias)
		}
		made := index.Mappings.Meta.Dossier
		switch {
		case ours && (made.Schema >= 1 || made.Kind == "notes"):
			i.Indices = append(i.Indices, name)
		case ours:
			i.Left = append(i.Left, "index "+line(name)+": its mapping doesn't say that Dossier made it")
		case t.isNeighbours(name):
		default:
			i.Left = append(i.Left, "index "+line(name)+": Dossier gives none such a name")
		}
	}
	for some := range slices.Chunk(i.Indices, forgetNames) {
		var stats struct {
			Indices map[string]struct {
				Primaries struct {
					Docs struct {
						Count int64 `json:"count"`
					} `json:"docs"`
				} `json:"primaries"`
			} `json:"indices"`
		}
		path := "/" + strings.Join(some, ",") + "/_stats/docs?filter_path=indices.*.primaries.docs.count"
		if err := t.client.Call(ctx, "count documents", http.MethodGet, path, nil, &stats); err != nil && !isMissing(err) {
			return err
		}
		for name, s := range stats.Indices {
			i.Documents[name] = s.Primaries.Docs.Count
		}
	}
	return nil
}

func (t *Target) installedTemplates(ctx context.Context, i *Installed) error {
	type meta struct {
		Dossier struct {
			Schema int `json:"schema"`
		} `json:"dossier"`
	}
	var found struct {
		List []struct {
			Name     string `json:"name"`
			Template struct {
				Meta meta `json:"_meta"`
			} `json:"index_template"`
		} `json:"index_templates"`
	}
	err := t.client.Call(ctx, "read the templates", http.MethodGet, "/_index_template/"+t.o.IndexPrefix+"-*?filter_path=index_templates.name,index_templates.index_template._meta", nil, &found)
	if err != nil && !isNotFound(err) {
		return err
	}
	ours := map[string]bool{}
	for _, tt := range t.templates {
		ours[tt.Name] = true
	}
	for _, f := range found.List {
		switch {
		case !ours[f.Name]:
		case f.Template.Meta.Dossier.Schema < 1:
			i.Left = append(i.Left, "index template "+f.Name+": Dossier did not make it")
		default:
			i.Templates = append(i.Templates, f.Name)
		}
	}
	var parts struct {
		List []struct {
			Name      string `json:"name"`
			Component struct {
				Meta     meta                       `json:"_meta"`
				Template map[string]json.RawMessage `json:"template"`
			} `json:"component_template"`
		} `json:"component_templates"`
	}
	err = t.client.Call(ctx, "read the templates", http.MethodGet, "/_component_template/"+t.o.IndexPrefix+"-*@*", nil, &parts)
	if err != nil && !isNotFound(err) {
		return err
	}
	for _, p := range parts.List {
		of, part, _ := strings.Cut(p.Name, "@")
		switch {
		case !ours[of] || part != "package" && part != "custom":
		case part == "package" && p.Component.Meta.Dossier.Schema < 1:
			i.Left = append(i.Left, "component template "+p.Name+": Dossier did not make it")
		case part == "custom" && len(p.Component.Template) > 0:
			i.Left = append(i.Left, "component template "+p.Name+": it holds what you filled in")
		default:
			i.Components = append(i.Components, p.Name)
		}
	}
	slices.Sort(i.Templates)
	slices.Sort(i.Components)
	return nil
}

func (t *Target) installedSecurity(ctx context.Context, i *Installed) error {
	product, err := t.client.Product(ctx)
	if err != nil || product == esindex.OpenSearch {
		return err
	}
	who, err := t.client.Identity(ctx)
	if errors.Is(err, esindex.ErrNoSecurity) {
		return nil
	}
	if err != nil {
		return err
	}
	if who.Key != nil {
		i.own = who.Key.ID
	}
	var names []string
	for _, name := range roles.Names() {
		names = append(names, t.roleName(name))
	}
	var found map[string]roles.Role
	if err := t.client.Call(ctx, "read the roles", http.MethodGet, "/_security/role/"+strings.Join(names, ","), nil, &found); err != nil && !isNotFound(err) {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(found)) {
		if found[name].Metadata["dossier"] == "" {
			i.Left = append(i.Left, "role "+line(name)+": Dossier did not make it")
			continue
		}
		i.Roles = append(i.Roles, name)
	}
	keys, err := t.Keys(ctx)
	for _, k := range keys {
		if k.valid(t.now()) {
			i.Keys = append(i.Keys, k)
		}
	}
	return err
}

// Uninstall deletes what Installed found, and with keepData all but the indices. step is told
// of each thing when it is gone. Keys end first, so that no sensor makes again what is
// deleted; templates go before indices for the same reason. It may be run again where it stopped.
func (t *Target) Uninstall(ctx context.Context, i *Installed, keepData bool, step func(esindex.Step)) error {
	gone := func(part Installed) {
		part.Documents = i.Documents
		for _, s := range part.Steps("deleted") {
			step(s)
		}
	}
	remove := func(op, path string) error {
		err := t.client.Call(ctx, op, http.MethodDelete, path, nil, nil)
		if isNotFound(err) || isMissing(err) { // somebody was faster
			return nil
		}
		return err
	}
	var last []APIKey
	for _, k := range i.Keys {
		if k.ID == i.own { // it is needed to the end
			last = append(last, k)
			continue
		}
		if err := t.invalidate(ctx, k.ID); err != nil {
			return err
		}
		gone(Installed{Keys: []APIKey{k}})
	}
	for _, name := range i.Templates {
		if err := remove("delete index template "+name, "/_index_template/"+name); err != nil {
			return err
		}
		gone(Installed{Templates: []string{name}})
	}
	for _, name := range i.Components {
		if err := remove("delete component template "+name, "/_component_template/"+name); err != nil {
			return err
		}
		gone(Installed{Components: []string{name}})
	}
	if !keepData {
		for _, name := range i.Indices {
			if err := remove("delete index "+line(name), "/"+name); err != nil {
				return err
			}
			gone(Installed{Indices: []string{name}})
		}
	}
	for _, name := range i.Roles {
		if err := remove("delete role "+name, "/_security/role/"+name); err != nil {
			return err
		}
		gone(Installed{Roles: []string{name}})
	}
	again := Installed{Documents: map[string]int64{}}
	if !keepData {
		if err := t.installedIndices(ctx, &again); err != nil {
			return err
		}
	}
	for _, k := range last {
		if err := t.invalidate(ctx, k.ID); err != nil {
			return err
		}
		gone(Installed{Keys: []APIKey{k}})
	}
	if n := len(again.Indices); n > 0 {
		return fmt.Errorf("%d indices were made meanwhile: a sensor still writes; stop it and run this again: %s", n, first(again.Indices))
	}
	return nil
}
