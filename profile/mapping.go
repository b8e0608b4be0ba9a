package profile

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"dossier/correlate"
	"dossier/profile/rules"
)

// SchemaVersion is the version of the documents' fields. It is in every
// document, in the mappings and in the templates.
const SchemaVersion = 2

// Product marks the indices that are ours, in the mappings' _meta.
const Product = "dossier"

// Alias returns the alias of the prefix's attackers index: under it the default
// index pattern of Elastic Security's indicator match rules, logs-ti_*, finds
// them.
func Alias(prefix string) string { return "logs-ti_" + prefix + ".attackers" }

// RetiredAlias returns the alias that the attackers index of the prefix may
// have from a time when all prefixes shared one, "" where that is still its
// own. Who may read a shared alias reads the attackers of every prefix.
func RetiredAlias(prefix string) string {
	const shared = "logs-ti_dossier.attackers"
	if Alias(prefix) == shared {
		return ""
	}
	return shared
}

// Meta is what the mappings of an index say about it.
type Meta struct {
	Product       string `json:"product"`
	Kind          string `json:"kind"`
	SchemaVersion int    `json:"schema_version"`
	// IPv6Prefix is the length by which IPv6 sources are aggregated. An
	// index holds documents of one length only.
	IPv6Prefix int `json:"ipv6_prefix,omitempty"`
}

// TemplateOptions says how the indices are made.
type TemplateOptions struct {
	// Prefix holds the index prefix.
	//
	// If Prefix is empty, "dossier" is used.
	Prefix string
	// Shards holds the number of primary shards of each index.
	//
	// If Shards is zero, 1 is used.
	Shards int
	// Replicas holds the number of replicas, nil for one wherever there is a
	// second node.
	Replicas *int
	// RefreshInterval holds how long a write may take to be searchable, in
	// whole milliseconds.
	//
	// If RefreshInterval is zero, 5 s are used.
	RefreshInterval time.Duration
	// IPv6Prefix holds the length by which IPv6 sources are aggregated.
	//
	// If IPv6Prefix is zero, 128 is used: no aggregation.
	IPv6Prefix int
}

// What the indices may be made with. Whoever offers these as options offers
// them within these limits.
const (
	MaxShards          = 64
	MaxReplicas        = 5
	MinRefreshInterval = 100 * time.Millisecond
	MaxRefreshInterval = 10 * time.Minute
	MinIPv6Prefix      = 16
	MaxIPv6Prefix      = 128
)

func (o *TemplateOptions) validate() error {
	if o.Prefix == "" {
		o.Prefix = "dossier"
	}
	if o.Shards == 0 {
		o.Shards = 1
	}
	if o.RefreshInterval == 0 {
		o.RefreshInterval = 5 * time.Second
	}
	if o.IPv6Prefix == 0 {
		o.IPv6Prefix = 128
	}
	var errs []error
	errs = append(errs, correlate.ValidatePrefix(o.Prefix))
	if o.Shards < 1 || o.Shards > MaxShards {
		errs = append(errs, fmt.Errorf("number of shards %d: allowed are 1 to %d", o.Shards, MaxShards))
	}
	if n := o.Replicas; n != nil && (*n < 0 || *n > MaxReplicas) {
		errs = append(errs, fmt.Errorf("number of replicas %d: allowed are 0 to %d", *n, MaxReplicas))
	}
	if d := o.RefreshInterval; d < MinRefreshInterval || d > MaxRefreshInterval {
		errs = append(errs, fmt.Errorf("refresh interval %s: allowed are %s to %s", d, MinRefreshInterval, MaxRefreshInterval))
	}
	if o.IPv6Prefix < MinIPv6Prefix || o.IPv6Prefix > MaxIPv6Prefix {
		errs = append(errs, fmt.Errorf("IPv6 prefix length %d: allowed are %d to %d", o.IPv6Prefix, MinIPv6Prefix, MaxIPv6Prefix))
	}
	return errors.Join(errs...)
}

// Template is a composable index template.
type Template struct {
	// Name is the template's name.
	Name string
	Kind Kind
	// Pattern says which indices are of the kind: one name, or with a "*" at its end
	// the beginning of names.
	Pattern string
	// Body holds settings, mappings and aliases as JSON, as they stand under
	// "template" in an index template.
	Body []byte
	// Better has the definitions of fields, by their dotted names, that are to
	// stand in place of those in Body where the cluster has their type.
	Better map[string]json.RawMessage
}

// better returns the kind's fields that have a type of more use than the one
// that every Elasticsearch has.
func better(k Kind) map[string]json.RawMessage {
	out := map[string]json.RawMessage{}
	for _, f := range Fields(k) {
		if f.Words {
			// ignore_above would leave out what nobody indexes as a keyword either.
			out[f.Name+".text"] = json.RawMessage(`{"type":"wildcard"}`)
		}
	}
	return out
}

// Index returns the name of the kind's index, or of a monthly kind the part
// before the month.
func (k Kind) Index(prefix string) string { return prefix + "-" + k.String() }

// Templates returns the templates of all kinds.
func Templates(o TemplateOptions) ([]Template, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	var templates []Template
	for _, k := range Kinds() {
		pattern := k.Index(o.Prefix)
		if k.Monthly() {
			pattern += "-*"
		}
		index := map[string]any{
			"number_of_shards":    o.Shards,
			"refresh_interval":    interval(o.RefreshInterval),
			"translog.durability": "request",
		}
		if o.Replicas == nil {
			index["auto_expand_replicas"] = "0-1"
		} else {
			index["number_of_replicas"] = strconv.Itoa(*o.Replicas)
		}
		template := map[string]any{
			"settings": map[string]any{"index": index},
			"mappings": mappings(k, meta(k, o.IPv6Prefix)),
		}
		if k == Attackers {
			template["aliases"] = map[string]any{Alias(o.Prefix): map[string]any{"filter": harmful}}
		}
		if k == Indicators {
			template["aliases"] = map[string]any{IndicatorsAlias(o.Prefix): map[string]any{"filter": map[string]any{"term": map[string]any{"published": true}}}}
		}
		body, err := json.Marshal(template)
		if err != nil {
			return nil, fmt.Errorf("profile: template of %s: %w", k, err)
		}
		templates = append(templates, Template{Name: k.Index(o.Prefix), Kind: k, Pattern: pattern, Body: body, Better: better(k)})
	}
	return templates, nil
}

// harmful leaves out of the alias for threat intelligence who is known to be
// harmless by more than its own word, and stray packets.
var harmful = map[string]any{"bool": map[string]any{"must_not": map[string]any{
	"terms": map[string]any{"classification_basis": []string{rules.ByNetwork, rules.ByName, rules.Noise}},
}}}

func meta(k Kind, ipv6Prefix int) Meta {
	m := Meta{Product: Product, Kind: k.String(), SchemaVersion: SchemaVersion}
	switch k {
	case Attackers, Targets, Activity, Transitions:
		m.IPv6Prefix = ipv6Prefix
	}
	return m
}

// Mappings returns the kind's mappings as JSON.
func Mappings(k Kind) []byte {
	b, err := json.MarshalIndent(mappings(k, meta(k, 128)), "", "  ")
	if err != nil {
		panic(err) // maps of strings and numbers only
	}
	return b
}

func mappings(k Kind, meta Meta) map[string]any {
	root := map[string]any{}
	for _, f := range Fields(k) {
		at := root
		parts := strings.Split(f.Name, ".")
		for _, p := range parts[:len(parts)-1] {
			child, ok := at[p].(map[string]any)
			if !ok {
				child = map[string]any{"properties": map[string]any{}}
				at[p] = child
			}
			at = child["properties"].(map[string]any)
		}
		at[parts[len(parts)-1]] = f.mapping()
	}
	return map[string]any{
		"_meta":      meta,
		"dynamic":    false,
		"properties": root,
	}
}

func (f Field) mapping() map[string]any {
	m := map[string]any{"type": string(f.Type)}
	switch f.Type {
	case Keyword:
		m["ignore_above"] = longestKeyword
		if f.Words {
			m["fields"] = map[string]any{"text": map[string]any{"type": "text"}}
		}
	case OtherName:
		m["path"] = f.Path
	case Object:
		m["enabled"] = false
	case Nested:
		m["dynamic"] = false
		members := map[string]any{}
		for _, member := range f.Members {
			members[member.Name] = member.mapping()
		}
		m["properties"] = members
	}
	return m
}

// interval writes a time as Elasticsearch reads it: it has no "1m0s".
func interval(d time.Duration) string {
	if d%time.Second == 0 {
		return strconv.FormatInt(int64(d/time.Second), 10) + "s"
	}
	return strconv.FormatInt(d.Milliseconds(), 10) + "ms"
}

// ListKeyField is the field of the attackers' mapping, and of no document, that
// holds the prefix's list key: what decides which keys full lists keep.
const ListKeyField = "list_key"
