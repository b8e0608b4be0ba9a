package analyst

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// Verdict is what an analyst said of an attacker: benign, suspicious or
// malicious. It goes before the classification in searches and exports.
type Verdict struct {
	Verdict Text `json:"verdict"`
	Author  Text `json:"author"`
	Time    Time `json:"time"`
	Note    Text `json:"note,omitempty"`
}

// Note is one remark on an attacker.
type Note struct {
	Time    Time `json:"@timestamp"`
	Author  Text `json:"author"`
	Text    Text `json:"note"`
	Verdict Text `json:"verdict"`
}

// NotesIndex holds what analysts say: documents of their own, since a sensor
// overwrites a profile whole.
func NotesIndex(prefix string) string { return prefix + "-notes" }

type noteDocument struct {
	Note
	ID Text `json:"attacker"`
}

func newestFirst() []any {
	return []any{map[string]any{"@timestamp": map[string]any{"order": "desc", "unmapped_type": "date"}}}
}

// Notes returns what analysts said of an attacker, newest first, at most
// limit.
func (r *Reader) Notes(ctx context.Context, id string, limit int) ([]Note, error) {
	f, err := r.search(ctx, "read the notes on "+id, NotesIndex(r.prefix), map[string]any{
		"size": limit, "sort": newestFirst(), "query": term("attacker", id),
	})
	if err != nil {
		return nil, err
	}
	var out []Note
	for _, h := range f.Hits.Hits {
		var d noteDocument
		if json.Unmarshal(h.Source, &d) == nil {
			out = append(out, d.Note)
		}
	}
	return out, nil
}

// verdict returns the newest verdict on an attacker, nil without one. "none"
// takes one back.
func (r *Reader) verdict(ctx context.Context, id string) (*Verdict, error) {
	f, err := r.search(ctx, "read the verdict on "+id, NotesIndex(r.prefix), map[string]any{
		"size": 1, "sort": newestFirst(),
		"query": map[string]any{"bool": map[string]any{"filter": []any{term("attacker", id), map[string]any{"exists": map[string]any{"field": "verdict"}}}}},
	})
	if err != nil || len(f.Hits.Hits) == 0 {
		return nil, err
	}
	var d noteDocument
	if err := json.Unmarshal(f.Hits.Hits[0].Source, &d); err != nil {
		return nil, nil //nolint:nilerr // a note that somebody spoilt is none
	}
	return d.said(), nil
}

// said returns the document's verdict, nil where it is none.
func (d *noteDocument) said() *Verdict {
	if !slices.Contains(Classes(), string(d.Verdict)) {
		return nil
	}
	return &Verdict{Verdict: d.Verdict, Author: d.Author, Time: d.Time, Note: d.Text}
}

var errTooManyVerdicts = errors.New("too many verdicts")

// verdicts returns the newest verdict on each attacker that has one.
func (r *Reader) verdicts(ctx context.Context) (map[string]*Verdict, error) {
	newest := map[string]*Verdict{}
	seen := map[string]bool{}
	query := map[string]any{"exists": map[string]any{"field": "verdict"}}
	err := r.each(ctx, NotesIndex(r.prefix), query, Query{Sort: byNote, Fields: []string{"@timestamp", "author", "note", "verdict", "attacker"}}, func(h hit) error {
		var d noteDocument
		if err := json.Unmarshal(h.Source, &d); err != nil || seen[string(d.ID)] {
			return nil //nolint:nilerr // a note that somebody spoilt is none
		}
		if seen[string(d.ID)] = true; len(seen) > maxVerdicts {
			return fmt.Errorf("%w in %s: more than %d attackers have one; delete old ones", errTooManyVerdicts, NotesIndex(r.prefix), maxVerdicts)
		}
		if v := d.said(); v != nil {
			newest[string(d.ID)] = v
		}
		return nil
	})
	return newest, err
}

// NotesBody is what the index of notes is made with.
func NotesBody() []byte {
	return []byte(`{"settings":{"index.number_of_shards":1,"index.auto_expand_replicas":"0-1"},"mappings":{"dynamic":false,"_meta":{"dossier":{"kind":"notes"}},"properties":{` +
		`"@timestamp":{"type":"date"},"attacker":{"type":"keyword"},"author":{"type":"keyword","ignore_above":256},"verdict":{"type":"keyword"},"note":{"type":"text"}}}}`)
}

// The longest note and author, in bytes.
const (
	MaxNote   = 4096
	MaxAuthor = 128
)

// None takes a verdict back.
const None = "none"

// Validate says what is wrong with a note that is to be added.
func (n Note) Validate() error {
	switch {
	case n.Text == "" && n.Verdict == "":
		return errors.New("got neither a note nor a verdict")
	case len(n.Text) > MaxNote:
		return fmt.Errorf("got a note of %d bytes or more, want at most %d", len(n.Text), MaxNote)
	case n.Author == "" || len(n.Author) > MaxAuthor:
		return fmt.Errorf("--author: got %d bytes, want 1 to %d", len(n.Author), MaxAuthor)
	case n.Verdict != "" && n.Verdict != None && !slices.Contains(Classes(), string(n.Verdict)):
		return fmt.Errorf("got verdict %q, want one of %s, or %s to take one back", Repair(string(n.Verdict)), strings.Join(Classes(), ", "), None)
	}
	return nil
}

// ErrMayNotSay says that a key may not add notes.
var ErrMayNotSay = errors.New("these credentials may not add notes and verdicts; use a key of the role analyst")

// Say adds what an analyst says of an attacker, who must have a profile: a
// note, a verdict (one of Classes, or None), or both. It is there for the next
// search when Say returns. It needs the role analyst.
func (r *Reader) Say(ctx context.Context, address string, n Note) (*Profile, error) {
	if err := n.Validate(); err != nil {
		return nil, err
	}
	p, err := r.Profile(ctx, address)
	if err != nil {
		return nil, err
	}
	doc := map[string]any{
		"@timestamp": r.now().UTC().Format("2006-01-02T15:04:05.000000Z"), "attacker": p.ID, "author": Repair(string(n.Author)),
	}
	if n.Text != "" {
		doc["note"] = Repair(string(n.Text))
	}
	if n.Verdict != "" {
		doc["verdict"] = n.Verdict
	}
	body, err := json.Marshal(doc)
	if err != nil {
		return nil, err
	}
	// In a bulk request adding a document takes a privilege that can't overwrite one.
	var answer struct {
		Items []struct {
			Create struct {
				Status int `json:"status"`
				Error  struct {
					Type   string `json:"type"`
					Reason string `json:"reason"`
				} `json:"error"`
			} `json:"create"`
		} `json:"items"`
	}
	what := "add a note on " + p.ID
	lines := append(append([]byte(`{"create":{}}`+"\n"), body...), '\n')
	if err := r.client.Call(ctx, what, http.MethodPost, "/"+NotesIndex(r.prefix)+"/_bulk?refresh=wait_for", lines, &answer); err != nil {
		return p, err
	}
	if len(answer.Items) != 1 {
		return p, fmt.Errorf("%s: the answer has %d items", what, len(answer.Items))
	}
	if c := answer.Items[0].Create; c.Status == http.StatusForbidden {
		return p, fmt.Errorf("%s: %w", what, ErrMayNotSay)
	} else if c.Status > 299 {
		return p, fmt.Errorf("%s: HTTP %d: %s: %s", what, c.Status, Repair(c.Error.Type), Repair(c.Error.Reason))
	}
	return p, nil
}
