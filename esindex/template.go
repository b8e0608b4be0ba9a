package esindex

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/elastic/go-elasticsearch/v8/esapi"

	"dossier/correlate"
)

// Priority is the priority of our index templates. Elastic's own for
// logs-*-* and the like have 100 and 200.
const Priority = 500

// metaKey is where a mapping's and a template's _meta says that it is ours.
const metaKey = "dossier"

// Template describes one kind of index.
type Template struct {
	// Name names the index template: lower-case letters, digits, ".", "_"
	// and "-".
	Name string
	// Pattern says which indices are of the kind: either one name, or the
	// beginning of names with a "*" at its end. An index of one name is
	// created by Install.
	Pattern string
	// Version is the mapping's version, from 1. It only grows, and a newer
	// mapping only adds to an older one.
	Version int
	// Body is a JSON object with "settings", "mappings" and "aliases", as
	// they stand under "template" in an index template.
	Body json.RawMessage
	// Better holds definitions of fields, by their dotted names, that stand in
	// place of those in Body where the cluster has their type. An index may
	// have either: which it is was decided when its template was installed.
	Better map[string]json.RawMessage
	// Fixed holds settings that must be the same for all documents of an
	// index, for ever. They are recorded in the mapping; an index with
	// others is not written to.
	Fixed map[string]string
	// Monthly says that what the "*" stands for is a month ("2026.11") or
	// "other". Documents of a month that has no index go to the latter: see
	// Store.
	Monthly bool
	// Homes says that the kind's index for others also keeps where the
	// documents of the months of every kind are. One Monthly template has it
	// wherever there are any.
	Homes bool
	// Retired are aliases that the index had once. Install takes it out of
	// them.
	Retired []string
	// Numbered says that the index of one name stands behind an alias of that
	// name, so that a larger one can take its place. One that has the name
	// itself is as good, until dossier reshard has moved it.
	Numbered bool
	// ListKey names the field of the mapping that holds the list key, "" for
	// none. Install sets the key where there is none; it is for an index of
	// one name.
	ListKey string
}

// isIndexName says whether s is made of what all our names are made of, which
// is less than Elasticsearch allows.
func isIndexName(s string) bool {
	if s == "" || len(s) > 255 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		alnum := c >= 'a' && c <= 'z' || c >= '0' && c <= '9'
		if !alnum && (i == 0 || c != '.' && c != '_' && c != '-') {
			return false
		}
	}
	return true
}

// kind is a template made ready for use.
type kind struct {
	Template
	settings, aliases json.RawMessage
	mappings          json.RawMessage // with _meta
	// bare is mappings without the fields that Better has a say in.
	bare json.RawMessage
	// either has both definitions of each field of Better.
	either map[string][2]parameters
	meta   map[string]any // what stands in _meta under metaKey
}

func newKind(t Template) (*kind, error) {
	bad := func(format string, args ...any) (*kind, error) {
		return nil, fmt.Errorf("esindex: template %q: "+format, append([]any{t.Name}, args...)...)
	}
	stem := strings.TrimSuffix(t.Pattern, "*")
	switch {
	case !isIndexName(t.Name):
		return bad("a wrong name")
	case !isIndexName(stem):
		return bad("pattern %q must be a name, or its beginning and a *", t.Pattern)
	case t.Version < 1:
		return bad("version %d; versions begin at 1", t.Version)
	case t.Monthly && !strings.HasSuffix(t.Pattern, "-*"), t.Homes && !t.Monthly:
		return bad("pattern %q is of no months", t.Pattern)
	case (t.ListKey != "" || t.Numbered) && stem != t.Pattern:
		return bad("a list key, and numbers, are for an index of one name")
	case correlate.ClaimedBy(stem) != "":
		return bad("Elasticsearch makes data streams of %s-*", correlate.ClaimedBy(stem))
	}
	var body struct {
		Settings json.RawMessage            `json:"settings"`
		Mappings map[string]json.RawMessage `json:"mappings"`
		Aliases  json.RawMessage            `json:"aliases"`
	}
	d := json.NewDecoder(bytes.NewReader(t.Body))
	d.DisallowUnknownFields()
	if err := d.Decode(&body); err != nil {
		return bad("%w", err)
	}
	if body.Mappings == nil {
		return bad("no mappings")
	}
	k := &kind{Template: t, settings: body.Settings, aliases: body.Aliases, meta: map[string]any{"schema": t.Version}}
	for name, value := range t.Fixed {
		if name == "schema" {
			return bad("a fixed setting can't be called schema")
		}
		k.meta[name] = value
	}
	meta := map[string]any{}
	if raw := body.Mappings["_meta"]; raw != nil {
		if err := json.Unmarshal(raw, &meta); err != nil {
			return bad("_meta: %w", err)
		}
	}
	meta[metaKey] = k.meta
	var err error
	if body.Mappings["_meta"], err = json.Marshal(meta); err != nil {
		return bad("%w", err)
	}
	if k.mappings, err = json.Marshal(body.Mappings); err != nil {
		return bad("%w", err)
	}
	return k, k.readBetter()
}

// single says whether the kind has one index only.
func (k *kind) single() bool { return !strings.HasSuffix(k.Pattern, "*") }

func (k *kind) owns(index string) bool {
	if k.single() {
		return index == k.Pattern
	}
	return strings.HasPrefix(index, strings.TrimSuffix(k.Pattern, "*")) && isIndexName(index)
}

func newKinds(templates []Template) ([]*kind, error) {
	var kinds []*kind
	monthly, homes := false, 0
	for _, t := range templates {
		k, err := newKind(t)
		if err != nil {
			return nil, err
		}
		monthly = monthly || t.Monthly
		if t.Homes {
			homes++
		}
		kinds = append(kinds, k)
	}
	if monthly && homes != 1 || homes > 1 {
		return nil, fmt.Errorf("esindex: %d templates keep the homes of months, want one", homes)
	}
	return kinds, nil
}

// Step is one thing that Install looked after.
type Step struct {
	// Object is "index template", "index", "alias" or "mapping".
	Object string
	Name   string
	// Done says what was done: "created", "upgraded from version 2",
	// "refresh_interval 5s → 30s: updated", or "kept" and why.
	Done string
}

func (s Step) String() string { return s.Object + " " + s.Name + ": " + s.Done }

// Changed says whether something was changed, as against looked at.
func (s Step) Changed() bool {
	for _, start := range []string{"kept", "left "} {
		if strings.HasPrefix(s.Done, start) {
			return false
		}
	}
	return !strings.Contains(s.Done, "can't ") && !strings.Contains(s.Done, " stays: ")
}

// Install brings the templates into the cluster, and the indices that have
// one name, with their aliases. It may run at any time, and on several
// machines at once: what is there in the same or a newer version stays as it
// is. Indices of an older version get the new mapping; where Elasticsearch
// refuses that the index goes on with the old one, and a Step says so.
// Reconcile changes what is there.
//
// Of fields that have a Better definition the cluster is asked whether it knows
// the type.
//
// Each kind becomes a component template <name>@package and an index template
// <name>, which also takes <name>@custom: that is made empty, for an operator
// to fill, and settings in there win.
//
// It needs the cluster privilege manage_index_templates and the index
// privilege manage on the indices and aliases.
func (c *Client) Install(ctx context.Context, templates []Template) ([]Step, error) {
	return c.install(ctx, templates, func(k *kind) ([]Step, error) {
		done, err := c.installTemplate(ctx, k)
		if err != nil {
			return nil, err
		}
		return []Step{{"index template", k.Name, done}}, nil
	})
}

// install has look see to each kind's templates, and to what it changes of the
// indices there are; the rest is the same whoever asks.
func (c *Client) install(ctx context.Context, templates []Template, look func(*kind) ([]Step, error)) ([]Step, error) {
	kinds, err := c.kindsFor(ctx, templates)
	if err != nil {
		return nil, err
	}
	if err := c.checkApart(ctx, kinds); err != nil {
		return nil, err
	}
	var steps []Step
	for _, k := range kinds {
		told, err := look(k)
		steps = append(steps, told...)
		if err != nil {
			return steps, err
		}
		more, err := c.installIndices(ctx, k)
		for _, step := range more {
			// Of an index that was changed it needn't be said that it is kept.
			if step.Changed() || !slices.ContainsFunc(told, func(o Step) bool { return o.Object == step.Object && o.Name == step.Name }) {
				steps = append(steps, step)
			}
		}
		if err != nil {
			return steps, err
		}
		more, err = c.retireAliases(ctx, k)
		steps = append(steps, more...)
		if err != nil {
			return steps, err
		}
	}
	return steps, nil
}

// kindsFor returns the kinds as this cluster takes them: with the types that it
// knows and without what it refuses.
func (c *Client) kindsFor(ctx context.Context, templates []Template) ([]*kind, error) {
	kinds, err := newKinds(templates)
	if err != nil {
		return nil, err
	}
	if err := c.chooseTypes(ctx, kinds); err != nil {
		return nil, err
	}
	product, err := c.Product(ctx)
	if err != nil || product != Serverless {
		return kinds, err
	}
	for _, k := range kinds {
		if err := k.dropRefused(); err != nil {
			return nil, err
		}
	}
	return kinds, nil
}

// installTemplate returns what it did. An upgrade leaves the choices as they
// were made: a sensor that is updated must not undo what an operator set.
func (c *Client) installTemplate(ctx context.Context, k *kind) (string, error) {
	in, err := c.readTemplate(ctx, k)
	switch {
	case err != nil:
		return "", err
	case !in.found:
		return "created", c.putTemplate(ctx, k, k.wanted(in, nil))
	case in.schema > k.Version:
		return fmt.Sprintf("kept, it is newer (version %d)", in.schema), nil
	case in.schema == k.Version && k.Numbered && text(in.index["index_patterns"]) != text(k.patterns()):
		// It would leave an index of a number without settings.
		return "index_patterns: updated", c.putTemplate(ctx, k, k.wanted(in, nil))
	case in.schema == k.Version:
		return "kept", nil
	}
	return fmt.Sprintf("upgraded from version %d", in.schema), c.putTemplate(ctx, k, k.wanted(in, nil))
}

// installIndices upgrades the indices there are, and creates the one that has
// a fixed name.
func (c *Client) installIndices(ctx context.Context, k *kind) ([]Step, error) {
	var steps []Step
	found, err := c.mappings(ctx, k.Pattern)
	if err != nil && !errors.Is(err, ErrMissing) {
		return nil, err
	}
	for _, index := range slices.Sorted(maps.Keys(found)) {
		ours, err := k.check(index, found[index])
		if err != nil {
			if k.single() {
				return steps, err
			}
			// One wrong month must not hold up the others.
			steps = append(steps, Step{"index", index, "left alone: " + err.Error()})
			continue
		}
		if ours >= k.Version {
			continue
		}
		step := Step{"mapping", index, fmt.Sprintf("upgraded from version %d", ours)}
		if err := c.call(ctx, "upgrade mapping of "+index, esapi.IndicesPutMappingRequest{Index: []string{index}, Body: &payload{k.bare}}, nil); err != nil {
			if e, _ := errors.AsType[*Error](err); e == nil || e.Status != http.StatusBadRequest {
				return steps, err
			}
			step.Done = fmt.Sprintf("kept at version %d: %v", ours, err)
			more, err := c.addWhatCan(ctx, k, index)
			steps = append(steps, more...)
			if err != nil {
				return steps, err
			}
		}
		// One that has the other definition already keeps it.
		if len(k.Better) > 0 {
			if err := c.putFields(ctx, k, index, slices.Sorted(maps.Keys(k.Better))...); err != nil && !hasStatus(err, http.StatusBadRequest) {
				return steps, err
			}
		}
		steps = append(steps, step)
	}
	if !k.single() {
		return steps, nil
	}
	done := "kept"
	names := slices.Sorted(maps.Keys(found))
	if len(found) == 0 {
		if err := c.createIndex(ctx, k, k.Pattern); err != nil {
			return steps, err
		}
		done, names = "created", []string{k.firstIndex()}
	}
	steps = append(steps, Step{"index", strings.Join(names, ", "), done})
	if k.ListKey != "" {
		step, err := c.setListKey(ctx, k)
		if err != nil {
			return steps, err
		}
		steps = append(steps, step)
	}
	more, err := c.installAliases(ctx, k, names, done)
	return append(steps, more...), err
}

// addWhatCan gives an index whose mapping Elasticsearch refused as a whole
// those fields of it that go: one that can't change must not keep out the new
// ones.
func (c *Client) addWhatCan(ctx context.Context, k *kind, index string) ([]Step, error) {
	found, err := c.inspect(ctx, k)
	if err != nil {
		return nil, err
	}
	n := slices.IndexFunc(found, func(i Index) bool { return i.Name == index })
	if n < 0 || found[n].Err != nil {
		return nil, nil // deleted meanwhile, or judged elsewhere
	}
	return c.reconcileFields(ctx, k, &found[n])
}

// installAliases makes the aliases that the index lacks, and gives those that
// it has the filter they are to have. A new index has them
// from its template, so they are as new as it is: index says which. An alias is
// made for what stands behind the kind's name, as there is none for an alias.
func (c *Client) installAliases(ctx context.Context, k *kind, on []string, index string) ([]Step, error) {
	var wanted map[string]json.RawMessage
	if k.aliases == nil || json.Unmarshal(k.aliases, &wanted) != nil {
		return nil, nil //nolint:nilerr // newKind has read them before
	}
	var steps []Step
	for _, alias := range slices.Sorted(maps.Keys(wanted)) {
		op := "alias " + alias
		done := index
		var has map[string]struct {
			Aliases map[string]json.RawMessage `json:"aliases"`
		}
		err := c.call(ctx, op, esapi.IndicesGetAliasRequest{Index: on, Name: []string{alias}}, &has)
		missing := hasStatus(err, http.StatusNotFound)
		other := false
		for _, index := range has {
			other = other || !sameJSON(index.Aliases[alias], wanted[alias])
		}
		if missing || err == nil && other {
			if done = "created"; !missing {
				done = "its filter replaced: " + text(wanted[alias])
			}
			err = c.call(ctx, op, esapi.IndicesPutAliasRequest{Index: on, Name: alias, Body: &payload{wanted[alias]}}, nil)
		}
		if err != nil {
			return steps, err
		}
		steps = append(steps, Step{"alias", alias, done})
	}
	return steps, nil
}

// sameJSON says whether two values are the same whatever the order of their names.
func sameJSON(a, b json.RawMessage) bool {
	var x, y any
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && reflect.DeepEqual(x, y)
}

// making says which index is made for a name, and with what mapping and aliases.
// Where the kind is numbered the first index gets the name as an alias: both or
// neither are there.
func (k *kind) making(name string, mappings any) (index string, body map[string]any) {
	body = map[string]any{"mappings": mappings}
	if !k.Numbered {
		return name, body
	}
	body["aliases"] = map[string]any{name: struct{}{}}
	return k.firstIndex(), body
}

// createIndex creates the index of a name with the kind's mapping, which holds
// whether or not the template is there. All else comes from the template: an
// operator may have other settings there, and who set it up has asked which types
// there are.
func (c *Client) createIndex(ctx context.Context, k *kind, name string) error {
	index, parts := k.making(name, k.bare)
	body, err := json.Marshal(parts)
	if err != nil {
		return err
	}
	err = c.call(ctx, "create index "+index, esapi.IndicesCreateRequest{Index: index, Body: &payload{body}}, nil)
	if e, ok := errors.AsType[*Error](err); ok {
		switch e.Type {
		// Another sensor was faster; an older one gives the index the name itself.
		case "resource_already_exists_exception", "invalid_alias_name_exception":
			_, err := c.checkIndex(ctx, k, name)
			if errors.Is(err, ErrMissing) && k.Numbered {
				return &Error{
					Op: "create index " + index, Reason: "it is there, but the name " + name + " leads nowhere",
					Fix: fmt.Sprintf(`if its documents are the right ones POST /_aliases {"actions":[{"add":{"index":%q,"alias":%q}}]}, else delete it; then run dossier setup`, index, name),
				}
			}
			return err
		case "security_exception":
			if e.Status != http.StatusForbidden {
				break // who this is, not what it may
			}
			e.Fix = missingFix(name)
		}
	}
	return err
}

// missingFix says how an index comes to be that a sensor may not make.
func missingFix(index string) string {
	const run = "run dossier setup with credentials that may make indices (the role setup)"
	if at := strings.LastIndexByte(index, '-'); at >= 0 {
		if _, err := time.Parse("2006.01", index[at+1:]); err == nil {
			return "it is missing and a sensor's key may not make it: " + run + ", which makes this month and those ahead"
		}
	}
	return "it is missing and a sensor's key may not make it: " + run
}

// meta is what a mapping's _meta says under metaKey; nil where it says
// nothing.
type meta map[string]any

// mappings returns the meta of each index behind a name or pattern. A name
// without an index is ErrMissing.
func (c *Client) mappings(ctx context.Context, name string) (map[string]meta, error) {
	op := "look at index " + name
	var found map[string]struct {
		Mappings struct {
			Meta map[string]json.RawMessage `json:"_meta"`
		} `json:"mappings"`
	}
	err := c.call(ctx, op, esapi.IndicesGetMappingRequest{Index: []string{name}}, &found)
	if e, ok := errors.AsType[*Error](err); ok {
		switch {
		case e.Type == "index_not_found_exception":
			e.cause = ErrMissing
		case e.Type == "security_exception" && e.Status == http.StatusForbidden:
			e.Fix = "give the role the index privilege view_index_metadata on these indices"
		}
	}
	if err != nil {
		return nil, err
	}
	out := make(map[string]meta, len(found))
	for index, f := range found {
		var m meta
		json.Unmarshal(f.Mappings.Meta[metaKey], &m) // what is no object is not ours
		out[index] = m
	}
	return out, nil
}

// checkIndex reports whether the index may be written to, and whether its name
// is an alias.
func (c *Client) checkIndex(ctx context.Context, k *kind, index string) (alias bool, err error) {
	found, err := c.mappings(ctx, index)
	if err != nil {
		return false, err
	}
	if len(found) != 1 {
		return false, &Error{
			Op: "look at index " + index, Reason: fmt.Sprintf("the name stands for %d indices", len(found)),
			Fix: "leave one index behind the alias: a document's id is unique within one index only",
		}
	}
	for real, m := range found {
		alias = real != index
		if alias && !isIndexName(real) {
			real = index
		}
		if _, err := k.check(real, m); err != nil {
			return alias, err
		}
	}
	return alias, nil
}

// check judges an index by its meta and returns its version.
func (k *kind) check(index string, m meta) (int, error) {
	schema, _ := m["schema"].(float64)
	if schema < 1 {
		return 0, &Error{
			Op: "look at index " + index, Reason: "the index exists, but dossier did not make it: its mapping has no _meta." + metaKey + ".schema",
			Fix: "delete it or reindex it elsewhere, then run dossier setup; or use another index_prefix", cause: ErrForeign,
		}
	}
	for _, name := range slices.Sorted(maps.Keys(k.Fixed)) {
		was := "none"
		if v, ok := m[name]; ok {
			was = oneLine(fmt.Sprint(v))
		}
		if was != k.Fixed[name] {
			return 0, &Error{
				Op: "look at index " + index, Reason: fmt.Sprintf("it was made with %s %s, this sensor has %s", name, was, k.Fixed[name]),
				Fix: fmt.Sprintf("set %s to %s, or use another index_prefix", name, was), cause: ErrFixed,
			}
		}
	}
	return int(schema), nil
}
