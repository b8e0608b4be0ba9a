package operate

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"dossier/correlate/commit"
	"dossier/esindex"
)

// maxStates bounds how many documents of each kind Check reads the states of.
const maxStates = 200

// unreadable looks for documents whose states no sensor can read: those that were
// written last, and those without a time, as a document is that somebody overwrote with
// a state alone. All are read by dossier repair.
func (k *checker) unreadable(ctx context.Context) {
	const subject = "states"
	queries := []any{
		map[string]any{"match_all": map[string]any{}},
		map[string]any{"bool": map[string]any{"must_not": map[string]any{"exists": map[string]any{"field": "@timestamp"}}}},
	}
	var keys []commit.Key
	known := map[commit.Key]bool{}
	for _, index := range k.indices.Folded() {
		for _, query := range queries {
			body, err := json.Marshal(map[string]any{"query": query, "size": maxStates, "_source": false, "sort": []any{map[string]any{"_seq_no": "desc"}}})
			if err != nil {
				k.failed(subject, err)
				return
			}
			var found struct {
				Hits struct {
					Hits []struct {
						Index string `json:"_index"`
						ID    string `json:"_id"`
					} `json:"hits"`
				} `json:"hits"`
			}
			err = k.client.Call(ctx, "list the documents", http.MethodPost, "/"+index+"/_search?filter_path=hits.hits._id,hits.hits._index", body, &found)
			if isMissing(err) {
				continue // said before
			}
			if err != nil {
				k.failed(subject, err)
				return
			}
			for _, h := range found.Hits.Hits {
				if key := (commit.Key{Index: h.Index, ID: h.ID}); !known[key] {
					known[key] = true
					keys = append(keys, key)
				}
			}
		}
	}
	found, err := k.link.Unreadable(ctx, keys)
	if e, ok := errors.AsType[*esindex.Error](err); ok && e.Status == http.StatusForbidden {
		k.say(Note, subject, "check as a user with the role "+k.roleName("reader"), "not looked at: these credentials may not read documents")
		return
	}
	if err != nil {
		k.failed(subject, err)
		return
	}
	if len(found) == 0 {
		k.say(OK, subject, "", "%d of the newest read", len(keys))
		return
	}
	names := make([]string, len(found))
	for i, u := range found {
		names[i] = line(u.Key.Index + "/" + u.Key.ID)
	}
	const text = "%d of %d that were read can't be: nothing is added to them, and what belongs to them goes to the dead letters: %s"
	k.say(Failure, subject, "run dossier repair, which names all and says what can be done", text, len(found), len(keys), strings.TrimSpace(first(names)))
}
