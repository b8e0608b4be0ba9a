package operate

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"dossier/analyst"
	"dossier/esindex"
	"dossier/profile"
)

// maxForeign bounds the indices that are named in one finding.
const maxForeign = 20

// foreign names the indices under the prefix that Dossier gives no name like
// theirs. Elasticsearch tells names and shards with the cluster's health, also
// of indices that these credentials may not look at.
func (k *checker) foreign(ctx context.Context) {
	const subject = "foreign indices"
	var h struct {
		Indices map[string]struct {
			Shards   int `json:"number_of_shards"`
			Replicas int `json:"number_of_replicas"`
		} `json:"indices"`
	}
	err := k.client.Call(ctx, "look at the indices' names", http.MethodGet,
		"/_cluster/health/"+k.o.IndexPrefix+"-*?level=indices&filter_path=indices.*.number_of_*", nil, &h)
	if err != nil {
		k.failed(subject, err)
		return
	}
	var meant, far, others []string
	shards := 0
	for _, name := range slices.Sorted(maps.Keys(h.Indices)) {
		index := h.Indices[name]
		kind := k.kindOf(name)
		at, ok := month(strings.TrimPrefix(name, kind))
		switch {
		case kind == "" && !k.isOurs(name):
			if !k.isNeighbours(name) {
				others = append(others, line(name))
			}
		case kind == "" || strings.TrimPrefix(name, kind) == "other":
		case !ok:
			n := index.Shards * (1 + index.Replicas)
			shards += n
			meant = append(meant, fmt.Sprintf("%s (%d shards)", line(name), n))
		case at.After(k.ahead(MaxMonths + 2)):
			far = append(far, line(name))
		}
	}
	if len(meant) > 0 {
		k.say(Warning, subject, "see who made them: revoke that key, then DELETE them by name as a user such as elastic",
			"%d have names that Dossier gives to none, and take %d shards: %s", len(meant), shards, first(meant))
	}
	if len(far) > 0 {
		k.say(Warning, subject, "see who made them; where no sensor's clock and no log means those months, DELETE them by name",
			"%d are for months that dossier setup doesn't make: %s", len(far), first(far))
	}
	if len(others) > 0 {
		k.say(Note, subject, "", "named after this prefix, of no kind of ours: %s", first(others))
	}
	if len(meant)+len(far) == 0 {
		k.say(OK, subject, "", "none under %s-*", k.o.IndexPrefix)
	}
}

func first(names []string) string {
	text := strings.Join(names[:min(len(names), maxForeign)], ", ")
	if n := len(names) - maxForeign; n > 0 {
		text += fmt.Sprintf(" and %d more", n)
	}
	return text
}

// kindOf returns the beginning of the names of monthly indices that a name has,
// "" where it has none.
func (t *Target) kindOf(name string) string {
	for _, tt := range t.templates {
		if stem, monthly := strings.CutSuffix(tt.Pattern, "*"); monthly && strings.HasPrefix(name, stem) {
			return stem
		}
	}
	return ""
}

// isOurs says whether an index has the one name of its kind, or was reindexed
// to a name that begins with it.
func (t *Target) isOurs(name string) bool {
	return name == analyst.NotesIndex(t.o.IndexPrefix) || slices.ContainsFunc(t.templates, func(tt esindex.Template) bool { return strings.HasPrefix(name, tt.Pattern) })
}

// maxTransitions bounds the newest transitions that are looked at.
const maxTransitions = 1000

// told is what a transition says of itself. All of it may come from whoever
// holds a sensor's key.
type told struct {
	At    time.Time `json:"@timestamp"`
	Event struct {
		Action   string    `json:"action"`
		Module   string    `json:"module"`
		Dataset  string    `json:"dataset"`
		Kind     string    `json:"kind"`
		Ingested time.Time `json:"ingested"`
	} `json:"event"`
	Transition struct {
		Value string `json:"value"`
	} `json:"transition"`
	Source struct {
		IP string `json:"ip"`
	} `json:"source"`
	Network string    `json:"network"`
	First   time.Time `json:"first_seen"`
	Last    time.Time `json:"last_seen"`
	Schema  int       `json:"schema_version"`
	UUID    string    `json:"uuid"`
	Message string    `json:"message"`
}

// seen is what the attacker's document says.
type seen struct {
	UUID  string    `json:"uuid"`
	First time.Time `json:"first_seen"`
	Last  time.Time `json:"last_seen"`
}

// settled is how long after a transition was written the attacker's document
// shows it to a search, whatever refresh_interval is.
const settled = time.Hour

// transitionsTold looks for transitions that no sensor of ours wrote: whoever
// holds a sensor's key may create one ahead of the true one, which then meets a
// conflict and is never told. All are searched for a wrong form; the newest and
// a random sample are compared with their attackers.
func (k *checker) transitionsTold(ctx context.Context) {
	const subject = "transitions"
	newest := map[string]any{"query": map[string]any{"match_all": map[string]any{}}, "sort": []any{map[string]any{"_seq_no": "desc"}}}
	random := map[string]any{"query": map[string]any{"function_score": map[string]any{
		"random_score": map[string]any{"seed": k.now().UnixNano(), "field": "_seq_no"}, "boost_mode": "replace",
	}}}
	term := func(field string, value any) any {
		return map[string]any{"term": map[string]any{field: value}}
	}
	exists := func(field string) any { return map[string]any{"exists": map[string]any{"field": field}} }
	either := func(list ...any) any { return map[string]any{"bool": map[string]any{"should": list}} }
	wrong := map[string]any{"query": map[string]any{"bool": map[string]any{"must_not": map[string]any{"bool": map[string]any{"filter": []any{
		term("event.module", "dossier"), term("event.dataset", "dossier.transitions"),
		map[string]any{"terms": map[string]any{"event.action": profile.Actions()}},
		either(exists("source.ip"), exists("network")), exists("@timestamp"), exists("event.ingested"), exists("uuid"),
	}}}}}}
	hits := map[string]transition{}
	for _, query := range []map[string]any{newest, random, wrong} {
		query["size"] = maxTransitions
		body, err := json.Marshal(query)
		if err != nil {
			k.failed(subject, err)
			return
		}
		var found struct {
			Hits struct {
				Hits []transition `json:"hits"`
			} `json:"hits"`
		}
		path := "/" + k.indices.Prefix + "-transitions-*/_search?filter_path=hits.hits._id,hits.hits._index,hits.hits._source&_source_excludes=source.geo,source.as,services,traversal_path,observer,behavior,threat"
		if err := k.client.Call(ctx, "look at the transitions", http.MethodPost, path, body, &found); err != nil {
			if !isMissing(err) {
				k.failed(subject, err)
			}
			return
		}
		for _, h := range found.Hits.Hits {
			hits[h.Index+"/"+h.ID] = h
		}
	}
	attackers, err := k.attackersOf(ctx, hits)
	if err != nil {
		k.failed(subject, err)
		return
	}
	var forged, doubtful []string
	now := k.now()
	for _, name := range slices.Sorted(maps.Keys(hits)) {
		h := hits[name]
		if why := h.malformed(k.indices.Prefix, now); why != "" {
			forged = append(forged, line(name)+" ("+why+")")
		} else if why := h.contradicts(attackers, now); why != "" {
			doubtful = append(doubtful, line(name)+" ("+why+")")
		}
	}
	const fix = "somebody with a sensor's key wrote it, and the true one is not told: revoke that key, look at the attacker's own document, delete the transition by its id"
	if len(forged) > 0 {
		k.say(Failure, subject, fix, "%d are not as Dossier writes them: %s", len(forged), first(forged))
	}
	if len(doubtful) > 0 {
		k.say(Warning, subject, fix+"; of an attacker whom dossier retain deleted since, old ones may stay", "%d contradict their attacker: %s", len(doubtful), first(doubtful))
	}
	if len(forged)+len(doubtful) == 0 && len(hits) > 0 {
		k.say(OK, subject, "", "%d looked at, as their attackers", len(hits))
	}
}

// transition is one as a search finds it.
type transition struct {
	Index string          `json:"_index"`
	ID    string          `json:"_id"`
	Raw   json.RawMessage `json:"_source"`

	told told
	bad  bool
}

// UnmarshalJSON reads what the document says, where it can be read.
func (h *transition) UnmarshalJSON(b []byte) error {
	type plain transition
	if err := json.Unmarshal(b, (*plain)(h)); err != nil {
		return err
	}
	h.bad = json.Unmarshal(h.Raw, &h.told) != nil
	h.Raw = nil
	return nil
}

// attacker returns the id of the attacker's document.
func (h *transition) attacker() string {
	if h.told.Network != "" {
		return h.told.Network
	}
	return h.told.Source.IP
}

// malformed says in what a transition is not as Dossier writes one.
func (h *transition) malformed(prefix string, now time.Time) string {
	t := &h.told
	month, _ := strings.CutPrefix(h.Index, prefix+"-transitions-")
	id := h.ID
	// That of a month which has no index says which.
	if n := strings.LastIndexByte(id, '@'); month == "other" && n >= 0 {
		id, month = id[:n], id[n+1:]
	}
	switch {
	case h.bad:
		return "it can't be read"
	case t.Event.Module != "dossier", t.Event.Dataset != "dossier.transitions", t.Event.Kind != "event", t.Schema < 1, !slices.Contains(profile.Actions(), t.Event.Action):
		return "it is of another form"
	case id != t.ID():
		return "its _id is not that of what it says"
	case t.At.IsZero(), t.First.IsZero(), t.Last.IsZero(), t.Event.Ingested.IsZero():
		return "a time is missing"
	case month != "other" && t.At.UTC().Format("2006.01") != month:
		return "it is in another month's index"
	case t.At.Before(t.First), t.At.After(t.Last):
		return "its time is not between its attacker's first and last event"
	case t.Event.Ingested.After(now.Add(settled)):
		return "it was written in the future"
	case t.UUID != profile.UUID(h.attacker()):
		return "its uuid is another attacker's"
	case !strings.HasPrefix(t.Message, h.attacker()+": "):
		return "its message is about somebody else"
	}
	return ""
}

// ID returns the _id of a transition that says so.
func (t *told) ID() string {
	who := t.Network
	if who == "" {
		who = t.Source.IP
	}
	return who + "|" + t.Event.Action + "|" + t.Transition.Value
}

// contradicts says in what a transition is not as its attacker, where their
// document shows it by now. The first event only gets earlier and the last one
// only later.
func (h *transition) contradicts(attackers map[string]seen, now time.Time) string {
	if now.Sub(h.told.Event.Ingested) < settled {
		return ""
	}
	a, ok := attackers[h.attacker()]
	switch {
	case !ok:
		return "there is no such attacker"
	case h.told.At.Before(a.First), h.told.At.After(a.Last):
		return "its time is not between the first and last event of the attacker"
	case h.told.First.Before(a.First), h.told.Last.After(a.Last):
		return "it says of earlier or later events than the attacker had"
	}
	return ""
}

// attackersOf returns the attackers that the transitions are about.
func (k *checker) attackersOf(ctx context.Context, hits map[string]transition) (map[string]seen, error) {
	ids := map[string]bool{}
	for _, h := range hits {
		if who := h.attacker(); who != "" && len(who) <= 64 {
			ids[who] = true
		}
	}
	out := map[string]seen{}
	for chunk := range slices.Chunk(slices.Sorted(maps.Keys(ids)), maxTransitions) {
		body, err := json.Marshal(map[string]any{"query": map[string]any{"ids": map[string]any{"values": chunk}}, "size": len(chunk), "_source": []string{"uuid", "first_seen", "last_seen"}})
		if err != nil {
			return nil, err
		}
		var found struct {
			Hits struct {
				Hits []struct {
					ID     string          `json:"_id"`
					Source json.RawMessage `json:"_source"`
				} `json:"hits"`
			} `json:"hits"`
		}
		if err := k.client.Call(ctx, "look at the attackers", http.MethodPost, "/"+k.indices.Attackers()+"/_search?filter_path=hits.hits._id,hits.hits._source", body, &found); err != nil {
			return nil, err
		}
		for _, h := range found.Hits.Hits {
			var s seen
			if json.Unmarshal(h.Source, &s) == nil {
				out[h.ID] = s
			}
		}
	}
	return out, nil
}
