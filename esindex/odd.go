package esindex

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// Oddity is something of an index that its template would not have given it:
// somebody else made the index, or changed it.
type Oddity struct {
	// Text is one line: "it sends documents through the pipeline x".
	Text string
	// Grave says that documents are lost or changed by it, or can't be read.
	Grave bool
}

// graveSettings are those by which an index changes, drops or hides what is
// written to it.
var graveSettings = []string{"default_pipeline", "final_pipeline", "mode", "mapping.source.mode", "mapping.synthetic_source_keep", "routing_partition_size"}

// innocent says whether a setting comes from Elasticsearch itself, says only
// where shards lie or how fast they are, or is told apart (blocks, hidden).
func innocent(name string) bool {
	for _, own := range []string{
		"creation_date", "creation_date_string", "uuid", "provided_name", "history_uuid", "hidden", "priority", "codec", "verified_before_close",
		"version.", "routing.allocation.", "resize.", "blocks.", "merge.", "search.", "indexing.", "unassigned.", "shard.", "store.", "replication.",
	} {
		if name == own || strings.HasSuffix(own, ".") && strings.HasPrefix(name, own) {
			return true
		}
	}
	return isChoice(name)
}

// An index may have this many shards for each of its template's, and this
// many copies more: an operator's earlier choice is no fault.
const (
	shardsFactor = 4
	shardsFloor  = 8
	moreReplicas = 2
)

// findOdd looks at what is strange about the indices of one kind. What only
// manage_index_templates shows (an operator's own settings and fields) is
// taken as unknown without it.
func (c *Client) findOdd(ctx context.Context, k *kind, found []Index) error {
	if len(found) == 0 {
		return nil
	}
	aliases, err := c.lookAt(ctx, k, "alias")
	if err != nil {
		return err
	}
	in, err := c.readTemplate(ctx, k)
	switch {
	case hasStatus(err, http.StatusForbidden):
		in = nil
	case err != nil && in == nil:
		in = nil // whose templates these are is said elsewhere
	}
	for i := range found {
		index := &found[i]
		if !k.owns(index.Name) && !k.single() {
			index.odd(true, "it stands behind an alias named after our indices: documents meant for those go there")
		}
		index.oddSettings(k, in)
		index.oddMapping(k, in)
		index.oddAliases(k, aliases[index.Name]["aliases"])
	}
	return nil
}

func (i *Index) odd(grave bool, format string, args ...any) {
	i.Odd = append(i.Odd, Oddity{Text: fmt.Sprintf(format, args...), Grave: grave})
}

func (i *Index) oddSettings(k *kind, in *installed) {
	template, custom := settingsOf(k.settings), settings{}
	if in != nil && in.found {
		custom = in.custom
		maps.Copy(template, in.settings)
	}
	maps.Copy(template, custom)
	for _, name := range slices.Sorted(maps.Keys(i.settings)) {
		grave := slices.Contains(graveSettings, name)
		have := i.settings.show(name)
		if have == template.show(name) || !grave && innocent(name) || name == "translog.durability" { // told apart
			continue
		}
		switch {
		case strings.HasSuffix(name, "_pipeline") && have == "_none":
		case name == "routing_partition_size" && have == "1": // of what _split and _clone make
		case strings.HasSuffix(name, "_pipeline"):
			i.odd(true, "it sends documents through the pipeline %s (index.%s), which can change or drop them", have, name)
		default:
			i.odd(grave, "index.%s is %s, in its template %s", name, have, template.show(name))
		}
	}
	shards, most := number(i.settings, Shards), max(number(template, Shards)*shardsFactor, shardsFloor)
	if shards > most && !k.Numbered {
		i.odd(false, "it has %d shards, its template %d: shards of this kind use up what the cluster allows", shards, max(number(template, Shards), 1))
	}
	copies := i.settings.show(string(Replicas))
	if n, _ := strconv.Atoi(copies); n > max(number(template, Replicas), 1)+moreReplicas {
		i.odd(false, "it has %s replicas, its template %s", copies, Replicas.in(template))
	}
	if RefreshInterval.in(i.settings) == "-1" && RefreshInterval.in(template) != "-1" {
		i.odd(false, "index.refresh_interval is -1: searches don't see what is written")
	}
}

func number(s settings, c Choice) int {
	n, _ := strconv.Atoi(s.show(string(c)))
	return n
}

// oddMapping compares what the mapping says beside its fields, and looks for
// fields that no template has: with dynamic false nobody but a person makes
// any, and one of another type than a document's value has it refused.
func (i *Index) oddMapping(k *kind, in *installed) {
	var have, want map[string]json.RawMessage
	json.Unmarshal(i.mapping, &have)
	json.Unmarshal(k.mappings, &want)
	for _, name := range slices.Sorted(maps.Keys(have)) {
		if name == "properties" || name == "_meta" || name == "dynamic" || text(have[name]) == text(want[name]) {
			continue
		}
		i.odd(name == "_source" || name == "_routing", "its mapping has %s %s, its template %s", oneLine(name), text(have[name]), text(want[name]))
	}
	if text(want["_source"]) != "unset" && have["_source"] == nil {
		i.odd(true, "its mapping has no _source, its template %s", text(want["_source"]))
	}
	if i.Err != nil || i.Schema > k.Version {
		return
	}
	ours := fieldsOf(k.mappings)
	if in != nil {
		maps.Copy(ours, fieldsOf(in.own))
	}
	var more []string
	fields := fieldsOf(i.mapping)
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if _, ok := ours[name]; !ok && name != k.ListKey {
			more = append(more, oneLine(name))
		}
	}
	if len(more) == 0 {
		return
	}
	const most = 5
	list := strings.Join(more[:min(len(more), most)], ", ")
	if n := len(more) - most; n > 0 {
		list += fmt.Sprintf(" and %d more", n)
	}
	i.odd(false, "its mapping has fields that its template doesn't: %s: documents may be refused for them; fields of your own belong into %s", list, k.customName())
}

func (i *Index) oddAliases(k *kind, raw json.RawMessage) {
	var have, want map[string]json.RawMessage
	json.Unmarshal(raw, &have)
	json.Unmarshal(k.aliases, &want)
	for _, alias := range slices.Sorted(maps.Keys(have)) {
		_, ours := want[alias]
		switch {
		case slices.Contains(k.Retired, alias), k.single() && alias == k.Pattern: // told apart; reindexed
		case !ours:
			i.odd(false, "it has the alias %s, its template none of that name", oneLine(alias))
		case !sameJSON(have[alias], want[alias]):
			i.odd(false, "its alias %s is %s, in its template %s", oneLine(alias), text(have[alias]), text(want[alias]))
		}
	}
}
