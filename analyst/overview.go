package analyst

import (
	"context"
	"encoding/json"
	"time"

	"dossier/profile/enrich"
)

// Count is how often something was seen.
type Count struct {
	Name  Text
	Count int64
}

// Overview is what all attackers together did.
type Overview struct {
	Since, Now time.Time
	Attackers  int64
	Events     int64
	Traversals int64
	// Each has the most frequent ones first.
	Levels, Stages, Classes, Countries, Networks, Techniques, Tools, Services, Deckies, Ports, Credentials []Count
	Days                                                                                                   []Hour
	// Highest are the attackers of highest risk.
	Highest []*Profile
}

// overviewRows is how many rows a list of an overview has.
const overviewRows = 12

// overviewAttackers is how many attackers an overview lists.
const overviewAttackers = 25

// Overview sums up the attackers that were seen since then.
func (r *Reader) Overview(ctx context.Context, since time.Time) (*Overview, error) {
	o := &Overview{Since: since, Now: r.now()}
	terms := func(field string) any {
		return map[string]any{"terms": map[string]any{"field": field, "size": overviewRows}}
	}
	seen := map[string]any{"range": map[string]any{"last_seen": map[string]any{"gte": since.UTC().Format(time.RFC3339)}}}
	f, err := r.search(ctx, "sum up the attackers", r.prefix+"-attackers", map[string]any{
		"size": 0, "track_total_hits": true, "query": seen,
		"aggs": map[string]any{
			"events":    map[string]any{"sum": map[string]any{"field": "event_count"}},
			"traversal": map[string]any{"filter": term("is_traversal", true)},
			"level":     terms("risk.level"), "stage": terms("risk.stage"), "class": terms("classification"), "country": terms("country_code"), "network": terms("network_type"),
			"technique": terms("threat.technique.name"), "tool": terms("behavior.tools"), "service": terms("services"), "decky": terms("deckies"), "port": terms("port.name"),
		},
	})
	if err != nil {
		return nil, err
	}
	type buckets struct {
		Buckets []struct {
			Key Text        `json:"key"`
			N   int64       `json:"doc_count"`
			Sum valueOfAggs `json:"attempts"`
		} `json:"buckets"`
	}
	var aggs struct {
		Events    valueOfAggs `json:"events"`
		Traversal struct {
			N int64 `json:"doc_count"`
		} `json:"traversal"`
		Level     buckets `json:"level"`
		Stage     buckets `json:"stage"`
		Class     buckets `json:"class"`
		Country   buckets `json:"country"`
		Network   buckets `json:"network"`
		Technique buckets `json:"technique"`
		Tool      buckets `json:"tool"`
		Service   buckets `json:"service"`
		Decky     buckets `json:"decky"`
		Port      buckets `json:"port"`
		Tried     struct {
			Secret buckets `json:"secret"`
		} `json:"tried"`
	}
	if len(f.Aggregations) > 0 {
		if err := json.Unmarshal(f.Aggregations, &aggs); err != nil {
			return nil, err
		}
	}
	counts := func(b buckets) []Count {
		var out []Count
		for _, e := range b.Buckets {
			n := e.N
			if e.Sum.Value > 0 {
				n = int64(e.Sum.Value)
			}
			out = append(out, Count{e.Key, n})
		}
		return out
	}
	o.Attackers, o.Events, o.Traversals = f.Hits.Total.Value, int64(aggs.Events.Value), aggs.Traversal.N
	o.Levels, o.Stages, o.Classes, o.Countries = counts(aggs.Level), counts(aggs.Stage), counts(aggs.Class), counts(aggs.Country)
	o.Networks = counts(aggs.Network)
	for i := range o.Countries {
		if name := enrich.CountryName(string(o.Countries[i].Name)); name != "" {
			o.Countries[i].Name = Text(name)
		}
	}
	o.Techniques, o.Tools, o.Services, o.Deckies, o.Ports = counts(aggs.Technique), counts(aggs.Tool), counts(aggs.Service), counts(aggs.Decky), counts(aggs.Port)
	f, err = r.search(ctx, "sum up the credentials", r.prefix+"-activity-*", map[string]any{
		"size": 0, "query": map[string]any{"range": map[string]any{"@timestamp": map[string]any{"gte": since.UTC().Format(time.RFC3339)}}},
		"aggs": map[string]any{"tried": map[string]any{
			"nested": map[string]any{"path": "credentials.tried"},
			"aggs": map[string]any{"secret": map[string]any{
				"terms": map[string]any{"field": "credentials.tried.secret", "size": overviewRows, "order": map[string]any{"attempts": "desc"}},
				"aggs":  map[string]any{"attempts": map[string]any{"sum": map[string]any{"field": "credentials.tried.attempts"}}},
			}},
		}},
	})
	if err != nil {
		return nil, err
	}
	if len(f.Aggregations) > 0 {
		if err := json.Unmarshal(f.Aggregations, &aggs); err != nil {
			return nil, err
		}
	}
	o.Credentials = counts(aggs.Tried.Secret)
	if o.Days, err = r.Hours(ctx, "", "1h", since); err != nil {
		return nil, err
	}
	q := Query{Since: since, Limit: overviewAttackers}
	err = r.Each(ctx, q, func(Text, error) {}, func(p *Profile) error {
		o.Highest = append(o.Highest, p)
		return nil
	})
	return o, err
}

type valueOfAggs struct {
	Value float64 `json:"value"`
}
