package esindex

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/elastic/go-elasticsearch/v8/esapi"
)

// maxFieldSteps bounds the fields of one mapping that are told one by one.
const maxFieldSteps = 20

// Reconcile is Install for an operator: what is there is compared with the
// templates, settings, mappings and versions alike. What differs is changed
// where Elasticsearch can, in the templates and in the indices there are, and
// told field by field; a Step says so where it can't.
//
// The choices (shards, replicas, refresh interval) are made anew only where
// they are among chosen: the others stay as they were made at first. An
// operator's own <name>@custom goes before them.
//
// Beside what Install needs, changing the settings of an index takes the
// privilege indices:admin/settings/update on it.
func (c *Client) Reconcile(ctx context.Context, templates []Template, chosen []Choice) ([]Step, error) {
	switch product, err := c.Product(ctx); {
	case err != nil:
		return nil, err
	case product == Serverless:
		chosen = slices.DeleteFunc(slices.Clone(chosen), func(choice Choice) bool { return refusedByServerless(string(choice)) })
	}
	return c.install(ctx, templates, func(k *kind) ([]Step, error) {
		steps, custom, err := c.reconcileTemplate(ctx, k, chosen)
		if err != nil {
			return steps, err
		}
		more, err := c.reconcileIndices(ctx, k, chosen, custom)
		return append(steps, more...), err
	})
}

// installed is a kind's templates as they are in the cluster.
type installed struct {
	found bool
	// schema is the version that made them.
	schema int
	// index is the index template, pack what it is made of; nil where that is
	// missing.
	index, pack map[string]json.RawMessage
	// settings, mappings and aliases are those of pack, custom the settings of the
	// operator's own component template.
	settings, custom  settings
	mappings, aliases json.RawMessage
	// own are the mappings of the operator's component template.
	own json.RawMessage
}

// readTemplate returns what is installed under the kind's name. Templates
// that are not ours are an error.
func (c *Client) readTemplate(ctx context.Context, k *kind) (*installed, error) {
	op := "read template " + k.Name
	var found struct {
		List []struct {
			Template map[string]json.RawMessage `json:"index_template"`
		} `json:"index_templates"`
	}
	err := c.call(ctx, op, esapi.IndicesGetIndexTemplateRequest{Name: k.Name}, &found)
	switch {
	case hasStatus(err, http.StatusNotFound):
		return &installed{settings: settings{}, custom: settings{}}, nil
	case err != nil:
		return nil, err
	case len(found.List) != 1:
		return nil, &Error{Op: op, Reason: fmt.Sprintf("%d templates of that name", len(found.List))}
	}
	in := &installed{found: true, index: found.List[0].Template, settings: settings{}, custom: settings{}}
	if in.schema = schemaOf(in.index["_meta"]); in.schema < 1 {
		return nil, &Error{
			Op: "install template " + k.Name, Reason: "there is an index template of that name which dossier did not make",
			Fix: "delete or rename it, or use another index_prefix", cause: ErrForeign,
		}
	}
	return in, c.readComponents(ctx, k, in)
}

// schemaOf returns the version in a template's _meta, 0 where it isn't ours.
func schemaOf(raw json.RawMessage) int {
	var outer map[string]json.RawMessage
	var inner struct {
		Schema int `json:"schema"`
	}
	if json.Unmarshal(raw, &outer) != nil || json.Unmarshal(outer[metaKey], &inner) != nil {
		return 0
	}
	return inner.Schema
}

func (c *Client) readComponents(ctx context.Context, k *kind, in *installed) error {
	var found struct {
		List []struct {
			Name     string                     `json:"name"`
			Template map[string]json.RawMessage `json:"component_template"`
		} `json:"component_templates"`
	}
	err := c.call(ctx, "read template "+k.Name, request{http.MethodGet, "/_component_template/" + url.PathEscape(k.Name+"@*"), nil}, &found)
	if err != nil && !hasStatus(err, http.StatusNotFound) {
		return err
	}
	for _, f := range found.List {
		var body struct {
			Settings json.RawMessage `json:"settings"`
			Mappings json.RawMessage `json:"mappings"`
			Aliases  json.RawMessage `json:"aliases"`
		}
		json.Unmarshal(f.Template["template"], &body) // what is no object has no settings
		switch f.Name {
		case k.packName():
			in.pack, in.settings, in.mappings, in.aliases = f.Template, settingsOf(body.Settings), body.Mappings, body.Aliases
		case k.customName():
			in.custom, in.own = settingsOf(body.Settings), body.Mappings
		}
	}
	return nil
}

func (k *kind) packName() string   { return k.Name + "@package" }
func (k *kind) customName() string { return k.Name + "@custom" }

// wanted returns the settings that the kind's template is to have: ours, the
// choices but for those chosen as they are installed, and what else is there.
func (k *kind) wanted(in *installed, chosen []Choice) settings {
	ours := settingsOf(k.settings)
	if in.pack == nil {
		return ours
	}
	want := maps.Clone(in.settings)
	for name, v := range ours {
		if !isChoice(name) {
			want[name] = v
		}
	}
	for _, c := range chosen {
		c.move(want, ours)
	}
	return want
}

// reconcileTemplate also returns the operator's own settings.
func (c *Client) reconcileTemplate(ctx context.Context, k *kind, chosen []Choice) ([]Step, settings, error) {
	in, err := c.readTemplate(ctx, k)
	if err != nil {
		return nil, nil, err
	}
	step := func(format string, args ...any) Step {
		return Step{"index template", k.Name, fmt.Sprintf(format, args...)}
	}
	want := k.wanted(in, chosen)
	if !in.found {
		return []Step{step("created")}, in.custom, c.putTemplate(ctx, k, want)
	}
	var steps []Step
	if in.schema > k.Version {
		want = maps.Clone(in.settings) // a newer version knows what else it needs
		for _, choice := range chosen {
			choice.move(want, settingsOf(k.settings))
		}
		steps = append(steps, step("kept, it is newer (version %d)", in.schema))
	}
	var said []string
	for _, choice := range chosen {
		if have, wish := choice.in(in.settings), choice.in(want); have != wish {
			said = append(said, fmt.Sprintf("%s %s → %s: updated", choice, have, wish))
		}
	}
	switch {
	case in.schema > k.Version:
		if len(said) > 0 {
			err = c.putSettings(ctx, k, in, want)
		}
	default:
		said = append(said, k.drift(in, want)...)
		if in.schema < k.Version {
			said = append([]string{fmt.Sprintf("upgraded from version %d", in.schema) + k.brings(fieldsOf(in.mappings))}, said...)
		}
		if len(said) > 0 {
			err = c.putTemplate(ctx, k, want)
		} else {
			steps = append(steps, step("kept"))
		}
	}
	if err != nil {
		return steps, in.custom, err
	}
	for _, text := range said {
		steps = append(steps, step("%s", text))
	}
	for _, choice := range chosen {
		if choice.isIn(in.custom) && choice.in(in.custom) != choice.in(want) {
			steps = append(steps, step("%s %s stays: %s sets it, which goes before; change it there", choice, choice.in(in.custom), k.customName()))
		}
	}
	return steps, in.custom, nil
}

// drift says what else differs between what is installed and what the kind's
// templates are: all but the choices. An older version's mapping is another
// one anyway.
func (k *kind) drift(in *installed, want settings) []string {
	var said []string
	if in.isEdited() {
		said = append(said, "somebody changed it since Dossier wrote it: updated")
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if have, wish := in.settings.show(name), want.show(name); have != wish && !isChoice(name) {
			said = append(said, fmt.Sprintf("%s %s → %s: updated", name, have, wish))
		}
	}
	for _, key := range []string{"index_patterns", "priority", "composed_of"} {
		have, wish := text(in.index[key]), text(k.indexTemplate()[key])
		if have != wish {
			said = append(said, fmt.Sprintf("%s %s → %s: updated", key, have, wish))
		}
	}
	if in.schema == k.Version {
		have, ours := fieldsOf(in.mappings), fieldsOf(k.mappings)
		for _, d := range compareFields(have, ours) {
			said = append(said, fmt.Sprintf("%s: updated", d))
		}
		for _, name := range slices.Sorted(maps.Keys(have)) {
			if _, ok := ours[name]; !ok {
				said = append(said, fmt.Sprintf("field %s: removed; fields of your own belong into %s", oneLine(name), k.customName()))
			}
		}
	}
	if have, wish := hashIn(in.index["_meta"]), hashOf(want, k.mappings, k.aliases); len(said) == 0 && in.schema == k.Version && have != wish {
		said = append(said, fmt.Sprintf("hash %s → %s: updated", cmp.Or(have, "unset"), wish))
	}
	if n := len(said); n > maxFieldSteps {
		said = append(said[:maxFieldSteps], fmt.Sprintf("%d more differences: updated", n-maxFieldSteps))
	}
	return said
}

// brings says in the rest of a line which fields this version adds to those
// that there are, and which it has otherwise.
func (k *kind) brings(have map[string]parameters) string {
	var added, other []string
	for _, d := range k.unlike(have) {
		if d.Have == "" {
			added = append(added, oneLine(d.Field))
		} else {
			other = append(other, oneLine(d.Field))
		}
	}
	text := ""
	if len(added) > 0 {
		text += ", new fields: " + few(added)
	}
	if len(other) > 0 {
		text += ", changed fields: " + few(other)
	}
	return text
}

// few joins the first names of a list, and says how many more there are.
func few(names []string) string {
	if n := len(names) - maxFieldSteps; n > 0 {
		names = append(slices.Clone(names[:maxFieldSteps]), fmt.Sprintf("%d more", n))
	}
	return strings.Join(names, ", ")
}

// text returns a value of a template in one form.
func text(raw any) string {
	b, err := json.Marshal(raw)
	var v any
	if err != nil || json.Unmarshal(b, &v) != nil || v == nil {
		return "unset"
	}
	return oneLine(scalar(v))
}

// indexTemplate is the kind's index template as Elasticsearch takes it, but for
// its _meta.
func (k *kind) indexTemplate() map[string]any {
	return map[string]any{
		"index_patterns": k.patterns(), "priority": Priority, "version": k.Version,
		"composed_of": []string{k.packName(), k.customName()},
	}
}

// templateMeta is the _meta of both templates: the version, and the hash of
// what they set.
func (k *kind) templateMeta(s settings) map[string]any {
	return map[string]any{metaKey: map[string]any{"schema": k.Version, "hash": hashOf(s, k.mappings, k.aliases)}}
}

// bodies are the kind's component and index template with these settings.
func (k *kind) bodies(s settings) (component, index []byte, err error) {
	part := map[string]any{"mappings": k.mappings}
	if len(s) > 0 {
		part["settings"] = s.body()
	}
	if k.aliases != nil {
		part["aliases"] = k.aliases
	}
	meta := k.templateMeta(s)
	if component, err = json.Marshal(map[string]any{"template": part, "version": k.Version, "_meta": meta}); err != nil {
		return nil, nil, err
	}
	whole := k.indexTemplate()
	whole["_meta"] = meta
	index, err = json.Marshal(whole)
	return component, index, err
}

// emptyTemplate is a component template for an operator to fill.
const emptyTemplate = `{"template":{}}`

// putTemplate installs the kind's templates with these settings.
func (c *Client) putTemplate(ctx context.Context, k *kind, s settings) error {
	component, index, err := k.bodies(s)
	if err != nil {
		return err
	}
	op := "install template " + k.Name
	if err := c.call(ctx, op, esapi.ClusterPutComponentTemplateRequest{Name: k.packName(), Body: &payload{component}}, nil); err != nil {
		return err
	}
	if err := c.makeCustom(ctx, op, k.customName()); err != nil {
		return err
	}
	return c.call(ctx, op, esapi.IndicesPutIndexTemplateRequest{Name: k.Name, Body: &payload{index}}, nil)
}

// makeCustom makes the component template that an operator may fill, unless it
// is there: OpenSearch takes no index template that may do without one.
func (c *Client) makeCustom(ctx context.Context, op, name string) error {
	err := c.call(ctx, op, esapi.ClusterGetComponentTemplateRequest{Name: []string{name}}, nil)
	if !hasStatus(err, http.StatusNotFound) {
		return err
	}
	create := true
	err = c.call(ctx, op, esapi.ClusterPutComponentTemplateRequest{Name: name, Create: &create, Body: &payload{[]byte(emptyTemplate)}}, nil)
	if e, ok := errors.AsType[*Error](err); ok && e.Status == http.StatusBadRequest && strings.Contains(e.Reason, "already exists") {
		return nil // somebody was faster
	}
	return err
}

// putSettings changes the settings of templates that a newer version made,
// and nothing else of them.
func (c *Client) putSettings(ctx context.Context, k *kind, in *installed, s settings) error {
	body := map[string]json.RawMessage{}
	if err := json.Unmarshal(in.pack["template"], &body); err != nil {
		return &Error{Op: "read template " + k.Name, Reason: "it can't be read: " + oneLine(err.Error())}
	}
	var err error
	if body["settings"], err = json.Marshal(s.body()); err != nil {
		return err
	}
	pack := maps.Clone(in.pack)
	if pack["template"], err = json.Marshal(body); err != nil {
		return err
	}
	whole, err := json.Marshal(pack)
	if err != nil {
		return err
	}
	return c.call(ctx, "install template "+k.Name, esapi.ClusterPutComponentTemplateRequest{Name: k.packName(), Body: &payload{whole}}, nil)
}

// reconcileIndices changes the settings of the indices there are, and the
// mappings of those of the kind's own version. custom is what an operator's
// component template sets.
func (c *Client) reconcileIndices(ctx context.Context, k *kind, chosen []Choice, custom settings) ([]Step, error) {
	found, err := c.inspect(ctx, k)
	if err != nil {
		return nil, err
	}
	var steps []Step
	for i := range found {
		index := &found[i]
		if index.Err != nil {
			continue // installIndices says it
		}
		more, err := c.reconcileSettings(ctx, k, index, chosen, custom)
		steps = append(steps, more...)
		if err != nil {
			return steps, err
		}
		if index.Schema != k.Version {
			continue
		}
		more, err = c.reconcileFields(ctx, k, index)
		steps = append(steps, more...)
		if err != nil {
			return steps, err
		}
	}
	return steps, nil
}

func (c *Client) reconcileSettings(ctx context.Context, k *kind, index *Index, chosen []Choice, custom settings) ([]Step, error) {
	ours := settingsOf(k.settings)
	var steps []Step
	change := func(name, have, want string, body settings) error {
		step := Step{"index", index.Name, fmt.Sprintf("%s %s → %s: updated", name, have, want)}
		b, err := json.Marshal(body.body())
		if err != nil {
			return err
		}
		// Shards never can; a trial sends nothing, and couldn't say so.
		fixed := name == string(Shards)
		if !fixed {
			err = c.call(ctx, "change settings of "+index.Name, esapi.IndicesPutSettingsRequest{Index: []string{index.Name}, Body: &payload{b}}, nil)
		}
		switch e, ok := errors.AsType[*Error](err); {
		case fixed, ok && e.Status == http.StatusBadRequest:
			step.Done = fmt.Sprintf("%s %s → %s: can't change on an existing index; ", name, have, want)
			switch {
			case k.Numbered && name == string(Shards):
				step.Done += "dossier reshard can give it more"
			case k.single():
				step.Done += "reindex it to have it"
			default:
				step.Done += "those made from now on have it"
			}
		case ok && e.Status == http.StatusForbidden:
			e.Fix = "do it as a user with the index privilege manage, such as elastic: that also brings the role of dossier setup up to date"
			return e
		case err != nil:
			return err
		}
		steps = append(steps, step)
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(ours)) {
		have, want := index.settings.show(name), ours.show(name)
		if _, set := custom[name]; set || isChoice(name) || have == want {
			continue
		}
		if err := change(name, have, want, settings{name: ours[name]}); err != nil {
			return steps, err
		}
	}
	for _, choice := range chosen {
		have, want := choice.in(index.settings), choice.in(ours)
		if choice.isIn(custom) || have == want {
			continue
		}
		if err := change(string(choice), have, want, choice.change(ours)); err != nil {
			return steps, err
		}
	}
	return steps, nil
}

// reconcileFields adds the fields that an index lacks, and changes those that
// Elasticsearch can change.
func (c *Client) reconcileFields(ctx context.Context, k *kind, index *Index) ([]Step, error) {
	step := func(format string, args ...any) Step { return Step{"index", index.Name, fmt.Sprintf(format, args...)} }
	var missing []string
	var said []Step
	for _, d := range index.Fields {
		if d.Have == "" {
			missing = append(missing, d.Field)
			continue
		}
		err := c.putFields(ctx, k, index.Name, d.Field)
		switch e, ok := errors.AsType[*Error](err); {
		case ok && e.Status == http.StatusBadRequest:
			said = append(said, step("%s: can't change on an existing index; reindex it", d))
		case err != nil:
			return said, err
		default:
			said = append(said, step("field %s %s → %s: updated", d.Field, d.Have, d.Want))
		}
	}
	if len(missing) > 0 {
		err := c.putFields(ctx, k, index.Name, missing...)
		e, ok := errors.AsType[*Error](err)
		refused := ok && e.Status == http.StatusBadRequest
		if err != nil && !refused {
			return said, err
		}
		for _, name := range missing {
			if refused {
				said = append(said, step("field %s is missing and can't be added: %v", name, err))
			} else {
				said = append(said, step("field %s: added", name))
			}
		}
	}
	if n := len(said); n > maxFieldSteps {
		said = append(said[:maxFieldSteps], step("%d more fields differed; dossier check says what is left", n-maxFieldSteps))
	}
	return said, nil
}

func (c *Client) putFields(ctx context.Context, k *kind, index string, names ...string) error {
	body, err := part(k.mappings, names)
	if err != nil {
		return err
	}
	return c.call(ctx, "change mapping of "+index, esapi.IndicesPutMappingRequest{Index: []string{index}, Body: &payload{body}}, nil)
}

// Index is an index as it is in the cluster, beside its template.
type Index struct {
	Name string
	// Kind is the template's name.
	Kind string
	// Schema is the version of its mapping.
	Schema int
	// MayMove says that another index can take its place: the kind is Numbered.
	MayMove bool
	// Err says why it may not be written to: ErrForeign or ErrFixed.
	Err error
	// Fields are those that differ from the template's. A newer mapping may
	// well, and an older one lacks some.
	Fields []Difference
	// Odd is what else an index made from the template would not have. Only
	// Store.Inspect looks for it.
	Odd []Oddity

	settings settings
	mapping  json.RawMessage
}

// Setting returns a setting by its name without "index.", "" where the index
// doesn't have it.
func (i *Index) Setting(name string) string {
	v, ok := i.settings[name]
	if !ok || v == nil {
		return ""
	}
	return oneLine(scalar(v))
}

// Inspect returns the indices there are of each of the store's templates, by
// their names. It needs the index privilege view_index_metadata; what the
// credentials may not see is left out.
func (s *Store) Inspect(ctx context.Context) ([]Index, error) {
	var out []Index
	for _, k := range s.guard.kinds {
		found, err := s.c.inspect(ctx, k)
		if err != nil {
			return nil, err
		}
		if err := s.c.findOdd(ctx, k, found); err != nil {
			return nil, err
		}
		out = append(out, found...)
	}
	return out, nil
}

// inspect returns the indices of one kind.
func (c *Client) inspect(ctx context.Context, k *kind) ([]Index, error) {
	look := func(what string) (parts, error) { return c.lookAt(ctx, k, what) }
	mapped, err := look("mapping")
	if err != nil {
		return nil, err
	}
	set, err := look("settings")
	if err != nil {
		return nil, err
	}
	var out []Index
	for _, name := range slices.Sorted(maps.Keys(mapped)) {
		if set[name] == nil {
			continue // made or deleted between the two
		}
		mapping := mapped[name]["mappings"]
		index := Index{Name: name, Kind: k.Name, MayMove: k.Numbered, settings: settingsOf(set[name]["settings"]), mapping: mapping}
		var outer struct {
			Meta map[string]json.RawMessage `json:"_meta"`
		}
		var m meta
		json.Unmarshal(mapping, &outer)
		json.Unmarshal(outer.Meta[metaKey], &m) // what is no object is not ours
		if index.Schema, index.Err = k.check(name, m); index.Err == nil {
			index.Fields = k.unlike(fieldsOf(mapping))
		}
		out = append(out, index)
	}
	if k.single() && len(out) > 1 {
		names := make([]string, len(out))
		for i := range out {
			names[i] = out[i].Name
		}
		out[0].Err = &Error{
			Op: "look at index " + k.Pattern, Reason: fmt.Sprintf("the name stands for %d indices: %s", len(out), oneLine(strings.Join(names, ", "))),
			Fix: "leave one index behind the alias: a document's id is unique within one index only",
		}
	}
	return out, nil
}

// parts are of several indices, by the index and then by their names.
type parts map[string]map[string]json.RawMessage

// lookAt returns what the kind's indices have: "mapping", "settings" or
// "alias".
func (c *Client) lookAt(ctx context.Context, k *kind, what string) (found parts, err error) {
	path := "/" + url.PathEscape(k.Pattern) + "/_" + what + "?ignore_unavailable=true"
	err = c.call(ctx, "look at index "+k.Pattern, request{http.MethodGet, path, nil}, &found)
	if e, ok := errors.AsType[*Error](err); ok {
		switch e.Type {
		case "index_not_found_exception":
			return nil, nil
		case "security_exception":
			e.Fix = "give the role the index privilege view_index_metadata on these indices"
		}
	}
	return found, err
}
