package analyst

import (
	"context"
	"strings"

	"dossier/correlate/commit"
	"dossier/target"
)

// Unreadable is a document whose stored state no sensor can read, so that nothing
// is added to it.
type Unreadable struct {
	Index  Text `json:"index"`
	ID     Text `json:"id"`
	Newer  bool `json:"newer"`
	Reason Text `json:"reason"`
	// SeqNo and PrimaryTerm are what a write names that must meet the document as it
	// was read.
	SeqNo       int64 `json:"seq_no"`
	PrimaryTerm int64 `json:"primary_term"`
}

// Unreadable calls out with every document of an attacker, or of all where id is "",
// whose state can't be read, and returns how many it looked at. progress is told after
// each page.
func (r *Reader) Unreadable(ctx context.Context, id string, progress func(looked int64), out func(Unreadable) error) (looked int64, err error) {
	for _, index := range r.link.Indices.Folded() {
		if id != "" && index == r.link.Indices.Indicators() {
			continue // they are nobody's
		}
		err := r.pages(ctx, index, stateQuery(id), func(keys []commit.Key) error {
			if id != "" {
				keys = keysOf(keys, id)
			}
			found, err := r.link.Unreadable(ctx, keys)
			for _, u := range found {
				if err := out(unreadable(u)); err != nil {
					return err
				}
			}
			looked += int64(len(keys))
			progress(looked)
			return err
		})
		if err != nil {
			return looked, err
		}
	}
	return looked, nil
}

func unreadable(u target.Unreadable) Unreadable {
	return Unreadable{Repair(u.Key.Index), Repair(u.Key.ID), u.Newer, Repair(u.Reason), u.Version.SeqNo, u.Version.PrimaryTerm}
}

// stateQuery finds what may be a document of the attacker: what somebody spoilt may
// lack every field, and has its id alone.
func stateQuery(id string) any {
	if id == "" {
		return map[string]any{"match_all": map[string]any{}}
	}
	term := func(field string) any { return map[string]any{"term": map[string]any{field: id}} }
	should := []any{
		map[string]any{"ids": map[string]any{"values": []string{id}}},
		map[string]any{"bool": map[string]any{"must_not": map[string]any{"exists": map[string]any{"field": "@timestamp"}}}},
	}
	if strings.Contains(id, "/") {
		should = append(should, term("network"))
	} else {
		should = append(should, term("ip"), term("source.ip"))
	}
	return map[string]any{"bool": map[string]any{"should": should}}
}

// keysOf returns those of the keys that are an attacker's by their ids.
func keysOf(keys []commit.Key, id string) (out []commit.Key) {
	for _, k := range keys {
		if k.ID == id || strings.HasPrefix(k.ID, id+"|") {
			out = append(out, k)
		}
	}
	return out
}

// pages calls do with the keys of all documents that a query finds, a page at a time,
// from one point in time.
func (r *Reader) pages(ctx context.Context, index string, query any, do func([]commit.Key) error) error {
	var keys []commit.Key
	flush := func() error {
		err := do(keys)
		keys = keys[:0]
		return err
	}
	// One short field: what somebody wrote may be long.
	err := r.each(ctx, index, query, Query{Fields: []string{"@timestamp"}, Sort: unsorted}, func(h hit) error {
		if keys = append(keys, commit.Key{Index: h.Index, ID: h.ID}); len(keys) == pageOfFew {
			return flush()
		}
		return nil
	})
	if err != nil || len(keys) == 0 {
		return err
	}
	return flush()
}
