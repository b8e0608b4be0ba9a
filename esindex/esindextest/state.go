package esindextest

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"
)

// state is what the node keeps.
type state struct {
	indices   map[string]*index
	templates map[string]obj // by "_index_template/name"
}

type index struct {
	mappings obj
	settings obj
	aliases  obj
	docs     map[string]*doc
	next     int64 // sequence number
	term     int64
	blocks   map[string]bool
}

type doc struct {
	source    obj
	seq, term int64
}

func newState() state { return state{indices: map[string]*index{}, templates: map[string]obj{}} }

// set takes settings in any of the forms that Elasticsearch takes.
func (x *index) set(settings obj) {
	for k, v := range flat("", settings) {
		k = strings.TrimPrefix(k, "index.")
		if name, ok := strings.CutPrefix(k, "blocks."); ok {
			x.blocks[name] = v == true || v == "true"
		}
		x.settings[k] = v
	}
}

func flat(prefix string, v obj) obj {
	out := obj{}
	for k, v := range v {
		if inner, ok := v.(obj); ok {
			maps.Copy(out, flat(prefix+k+".", inner))
		} else {
			out[prefix+k] = v
		}
	}
	return out
}

// merge puts b's members into a, deep.
func merge(a, b obj) obj {
	out := maps.Clone(a)
	if out == nil {
		out = obj{}
	}
	for k, v := range b {
		if in, ok := v.(obj); ok {
			was, _ := out[k].(obj)
			v = merge(was, in)
		}
		out[k] = v
	}
	return out
}

func child(v obj, names ...string) obj {
	for _, n := range names {
		v, _ = v[n].(obj)
	}
	return v
}

// create makes an index from the templates and the body.
func (s *state) create(name string, body obj) *fault {
	if s.indices[name] != nil {
		return failf(400, "resource_already_exists_exception", "index [%s/uuid] already exists", name)
	}
	if strings.ToLower(name) != name || strings.ContainsAny(name, ` "*\<|,>/?#:`) || strings.HasPrefix(name, "_") || strings.HasPrefix(name, "-") {
		return failf(400, "invalid_index_name_exception", "Invalid index name [%s], must be lowercase", name)
	}
	whole := obj{}
	best := -1.0
	for _, key := range slices.Sorted(maps.Keys(s.templates)) {
		t := s.templates[key]
		priority, _ := t["priority"].(float64)
		if !strings.HasPrefix(key, "_index_template/") || priority <= best || !fits(t, name) {
			continue
		}
		best, whole = priority, obj{}
		parts, _ := t["composed_of"].([]any)
		for _, p := range parts {
			c := s.templates["_component_template/"+p.(string)]
			whole = merge(whole, child(c, "template"))
		}
		whole = merge(whole, child(t, "template"))
	}
	whole = merge(whole, body)
	x := &index{
		mappings: merge(child(whole, "mappings"), nil), settings: obj{}, aliases: merge(child(whole, "aliases"), nil),
		docs: map[string]*doc{}, term: 1, blocks: map[string]bool{},
	}
	x.set(child(whole, "settings"))
	s.indices[name] = x
	return nil
}

func fits(template obj, name string) bool {
	patterns, _ := template["index_patterns"].([]any)
	return slices.ContainsFunc(patterns, func(p any) bool {
		ok, _ := path.Match(p.(string), name)
		return ok
	})
}

// licensed are types of fields that a node without a licence doesn't have.
var licensed = []string{"wildcard", "constant_keyword", "match_only_text"}

// simulate looks at the types in a template that is only tried.
func simulate(body obj) (obj, *fault) {
	template, _ := body["template"].(obj)
	mappings, _ := template["mappings"].(obj)
	properties, _ := mappings["properties"].(obj)
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		field, _ := properties[name].(obj)
		if t, _ := field["type"].(string); slices.Contains(licensed, t) {
			return nil, failf(400, "mapper_parsing_exception", "No handler for type [%s] declared on field [%s]", t, name)
		}
	}
	return obj{"template": template, "overlapping": []any{}}, nil
}

func (s *state) template(method, kind, name string, body obj) (obj, *fault) {
	key := kind + "/" + name
	switch method {
	case http.MethodPut:
		if kind == "_index_template" {
			ignored, _ := body["ignore_missing_component_templates"].([]any)
			parts, _ := body["composed_of"].([]any)
			for _, p := range parts {
				if s.templates["_component_template/"+p.(string)] == nil && !slices.Contains(ignored, p) {
					return nil, failf(400, "invalid_index_template_exception", "index_template [%s] invalid, cause [index template [%s] specifies component templates [%s] that do not exist]", name, name, p)
				}
			}
		}
		s.templates[key] = body
	case http.MethodDelete:
		if s.templates[key] == nil {
			return nil, failf(404, "index_template_missing_exception", "index_template [%s] missing", name)
		}
		delete(s.templates, key)
	default:
		member := strings.TrimPrefix(kind, "_")
		if name == "" {
			all := []obj{}
			for _, key := range slices.Sorted(maps.Keys(s.templates)) {
				if name, ok := strings.CutPrefix(key, kind+"/"); ok {
					all = append(all, obj{"name": name, member: s.templates[key]})
				}
			}
			return obj{member + "s": all}, nil
		}
		if s.templates[key] == nil {
			return nil, failf(404, "resource_not_found_exception", "index template matching [%s] not found", name)
		}
		return obj{member + "s": []obj{{"name": name, member: s.templates[key]}}}, nil
	}
	return obj{"acknowledged": true}, nil
}

func (s *state) mapping(method, name string, body obj) (obj, *fault) {
	found := s.match(name)
	if len(found) == 0 && !strings.Contains(name, "*") {
		return nil, missing(name)
	}
	if method == http.MethodPut {
		for _, n := range found {
			x := s.indices[n]
			for field, def := range child(body, "properties") {
				was, is := child(x.mappings, "properties", field)["type"], def.(obj)["type"]
				if was != nil && was != is {
					return nil, failf(400, "illegal_argument_exception", "mapper [%s] cannot be changed from type [%s] to [%s]", field, was, is)
				}
				if null := child(x.mappings, "properties", field)["null_value"]; was != nil && null != def.(obj)["null_value"] {
					return nil, failf(400, "illegal_argument_exception", "Mapper for [%s] conflicts with existing mapper: Cannot update parameter [null_value]", field)
				}
			}
			x.mappings = merge(x.mappings, body)
		}
		return obj{"acknowledged": true}, nil
	}
	out := obj{}
	for _, n := range found {
		out[n] = obj{"mappings": s.indices[n].mappings}
	}
	return out, nil
}

func (s *state) settingsOf(name string) (obj, *fault) {
	found := s.match(name)
	if len(found) == 0 && !strings.Contains(name, "*") {
		return nil, missing(name)
	}
	out := obj{}
	for _, n := range found {
		out[n] = obj{"settings": obj{"index": s.indices[n].settings}}
	}
	return out, nil
}

func (s *state) alias(method, name, alias string, body obj) (obj, *fault) {
	found := s.match(name)
	if len(found) == 0 {
		return nil, missing(name)
	}
	out := obj{}
	for _, n := range found {
		x := s.indices[n]
		if method == http.MethodPut {
			x.aliases[alias] = merge(body, nil)
		} else if x.aliases[alias] != nil {
			out[n] = obj{"aliases": obj{alias: x.aliases[alias]}}
		}
	}
	switch {
	case method == http.MethodPut:
		return obj{"acknowledged": true, "errors": false}, nil
	case len(out) == 0:
		return nil, &fault{404, "", "alias [" + alias + "] missing"}
	}
	return out, nil
}

// outcome is what became of one write.
type outcome struct {
	status    int
	seq, term int64
	f         *fault
}

func (s *state) bulk(r *Request, item func(index, id string) (int, string, string)) (obj, *fault) {
	if len(r.Body) == 0 || r.Body[len(r.Body)-1] != '\n' {
		return nil, failf(400, "illegal_argument_exception", "The bulk request must be terminated by a newline [\\n]")
	}
	lines := bytes.Split(r.Body[:len(r.Body)-1], []byte{'\n'})
	requireAlias := len(r.Query["require_alias"]) > 0 && r.Query["require_alias"][0] != "false"
	items := []any{}
	for i := 0; i < len(lines); i += 2 {
		var action map[string]obj
		d := json.NewDecoder(bytes.NewReader(lines[i]))
		d.UseNumber()
		if d.Decode(&action) != nil || len(action) != 1 || i+1 == len(lines) {
			return nil, failf(400, "illegal_argument_exception", "Malformed action/metadata line [%d]", i+1)
		}
		for kind, meta := range action {
			name, _ := meta["_index"].(string)
			id, _ := meta["_id"].(string)
			if len(id) == 0 || len(id) > 512 {
				return nil, failf(400, "action_request_validation_exception", "Validation Failed: 1: id [%s] is wrong;", id)
			}
			var o outcome
			if item != nil {
				if status, typ, reason := item(name, id); status != 0 {
					o.f = &fault{status, typ, reason}
				}
			}
			if o.f == nil {
				o = s.write(kind, name, id, lines[i+1], meta, requireAlias)
			}
			if o.f != nil {
				items = append(items, obj{kind: obj{"status": o.f.status, "error": obj{"type": o.f.typ, "reason": o.f.reason}}})
			} else {
				items = append(items, obj{kind: obj{"status": o.status, "_seq_no": o.seq, "_primary_term": o.term}})
			}
		}
	}
	return obj{"items": items}, nil
}

// write carries out one operation.
func (s *state) write(kind, name, id string, body []byte, meta obj, requireAlias bool) outcome {
	fail := func(f *fault) outcome { return outcome{f: f} }
	x := s.indices[name]
	if x == nil {
		behind := s.match(name)
		switch {
		case len(behind) > 1:
			var to []string
			for _, n := range behind {
				if w, _ := child(s.indices[n].aliases, name)["is_write_index"].(bool); w {
					to = append(to, n)
				}
			}
			if len(to) != 1 {
				return fail(failf(400, "illegal_argument_exception", "no write index is defined for alias [%s]. The write index may be explicitly disabled using is_write_index=false or the alias points to multiple indices without one being designated as a write index", name))
			}
			x = s.indices[to[0]]
		case len(behind) == 1:
			x = s.indices[behind[0]]
		case requireAlias:
			return fail(failf(404, "index_not_found_exception", "no such index [%s] and [require_alias] request flag is [true] and [%s] is not an alias", name, name))
		default:
			if f := s.create(name, nil); f != nil {
				return fail(f)
			}
			x = s.indices[name]
		}
	} else if requireAlias {
		return fail(failf(404, "index_not_found_exception", "no such index [%s] and [require_alias] request flag is [true] and [%s] is not an alias", name, name))
	}
	switch {
	case x.blocks["read_only_allow_delete"]:
		return fail(failf(429, "cluster_block_exception", "index [%s] blocked by: [TOO_MANY_REQUESTS/12/disk usage exceeded flood-stage watermark, index has read-only-allow-delete block; for more information, see uri];", name))
	case x.blocks["write"]:
		return fail(failf(403, "cluster_block_exception", "index [%s] blocked by: [FORBIDDEN/8/index write (api)];", name))
	}
	was := x.docs[id]
	if kind == "create" && was != nil {
		return fail(failf(409, "version_conflict_engine_exception", "[%s]: version conflict, document already exists (current version [1])", id))
	}
	if seq, ok := number(meta["if_seq_no"]); ok {
		term, _ := number(meta["if_primary_term"])
		if was == nil {
			return fail(failf(409, "version_conflict_engine_exception", "[%s]: version conflict, required seqNo [%d], primary term [%d]. but no document was found", id, seq, term))
		}
		if was.seq != seq || was.term != term {
			return fail(failf(409, "version_conflict_engine_exception", "[%s]: version conflict, required seqNo [%d], primary term [%d]. current document has seqNo [%d] and primary term [%d]", id, seq, term, was.seq, was.term))
		}
	}
	var source obj
	if json.Unmarshal(body, &source) != nil {
		return fail(failf(400, "document_parsing_exception", "[1:1] failed to parse"))
	}
	for field, v := range source {
		if f := check(field, child(x.mappings, "properties", field)["type"], v, id); f != nil {
			return fail(f)
		}
	}
	o := outcome{status: http.StatusOK, seq: x.next, term: x.term}
	if was == nil {
		o.status = http.StatusCreated
	}
	x.docs[id] = &doc{source, x.next, x.term}
	x.next++
	return o
}

// check says why a value doesn't fit a field.
func check(field string, typ, v any, id string) *fault {
	ok := true
	switch s, isText := v.(string); typ {
	case "long":
		if isText {
			_, err := strconv.ParseFloat(s, 64)
			ok = err == nil
		}
	case "ip":
		_, err := netip.ParseAddr(s)
		ok = err == nil
	case "keyword":
		ok = len(s) <= 32766 // the cause says "immense term"
	}
	if !ok {
		return failf(400, "document_parsing_exception", "[1:1] failed to parse field [%s] of type [%s] in document with id '%s'. Preview of field's value: '%v'", field, typ, id, v)
	}
	return nil
}

func number(v any) (int64, bool) {
	n, ok := v.(json.Number)
	if !ok {
		return 0, false
	}
	i, err := n.Int64()
	return i, err == nil
}

func (s *state) mget(body obj) obj {
	list, _ := body["docs"].([]any)
	docs := make([]any, 0, len(list))
	for _, d := range list {
		name, _ := d.(obj)["_index"].(string)
		id, _ := d.(obj)["_id"].(string)
		found := s.match(name)
		var f *fault
		switch {
		case len(found) == 0:
			f = missing(name)
		case len(found) > 1:
			f = failf(400, "illegal_argument_exception", "alias [%s] has more than one index associated with it [%s], can't execute a single index op", name, strings.Join(found, ", "))
		default:
			x := s.indices[found[0]]
			at := x.docs[id]
			if at == nil {
				docs = append(docs, obj{"found": false})
				continue
			}
			answer := obj{"found": true, "_seq_no": at.seq, "_primary_term": at.term}
			if state, ok := at.source["state"]; ok {
				answer["_source"] = obj{"state": state}
			}
			docs = append(docs, answer)
			continue
		}
		docs = append(docs, obj{"error": obj{"type": f.typ, "reason": f.reason}})
	}
	return obj{"docs": docs}
}
