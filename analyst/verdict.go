package analyst

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
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
		if json.Unmarshal(h.Source, &d) != nil || seen[string(d.ID)] {
			return nil
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
