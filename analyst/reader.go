package analyst

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"dossier/esindex"
	"dossier/plugin/options"
	"dossier/target"
)

// Reader reads the profiles of one index prefix. It is safe for concurrent
// use.
type Reader struct {
	link   *target.Connection
	client *esindex.Client
	prefix string
	now    func() time.Time
}

// Open returns a reader of what the options name. It sends nothing. version
// is that of the command.
func Open(o options.Options, version string) (*Reader, error) {
	link, err := target.Connect(o, version)
	if err != nil {
		return nil, err
	}
	return &Reader{link: link, client: link.Client, prefix: o.IndexPrefix, now: time.Now}, nil
}

// Close ends the connections.
func (r *Reader) Close() error { return r.link.Close() }

// Prefix returns the index prefix that is read.
func (r *Reader) Prefix() string { return r.prefix }

// String names the nodes and the indices that are read.
func (r *Reader) String() string { return r.link.String() }

// ErrUnknown says that there is no profile of an address.
var ErrUnknown = errors.New("no profile")

// ParseAddress reads an address, or a network, as the id of its document.
func ParseAddress(s string) (string, error) {
	n, err := parseNetwork(strings.TrimSpace(s))
	if err != nil {
		return "", fmt.Errorf("got %q, want an address such as 203.0.113.9 or 2001:db8::1, or an IPv6 network such as 2001:db8::/64", string(Repair(s)))
	}
	if n.IsSingleIP() {
		return n.Addr().String(), nil
	}
	return n.String(), nil
}

// hit is one document that Elasticsearch found.
type hit struct {
	Index  string          `json:"_index"`
	ID     string          `json:"_id"`
	Source json.RawMessage `json:"_source"`
	Sort   []any           `json:"sort"`
}

type found struct {
	PIT      string `json:"pit_id"`
	TimedOut bool   `json:"timed_out"`
	Shards   struct {
		Failed int `json:"failed"`
	} `json:"_shards"`
	Hits struct {
		Total struct {
			Value int64 `json:"value"`
		} `json:"total"`
		Hits []hit `json:"hits"`
	} `json:"hits"`
	Aggregations json.RawMessage `json:"aggregations"`
}

// absent says in a request what it means where the index isn't there: that nothing
// is in it, but for attackers, without which the prefix is a wrong one.
func (r *Reader) absent(index string) string {
	return fmt.Sprintf("ignore_unavailable=%t", r.mayBeAbsent(index))
}

func (r *Reader) mayBeAbsent(index string) bool { return index != r.prefix+"-attackers" }

// search sends one search. index is "" where the body has a point in time.
// Numbers of sort keys stay as they are written.
func (r *Reader) search(ctx context.Context, what, index string, body map[string]any) (*found, error) {
	b, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	path := "/_search"
	if index != "" {
		path = "/" + index + "/_search?" + r.absent(index)
	}
	var raw json.RawMessage
	if err := r.client.Call(ctx, what, http.MethodPost, path, b, &raw); err != nil {
		return nil, err
	}
	var f found
	d := json.NewDecoder(strings.NewReader(string(raw)))
	d.UseNumber()
	if err := d.Decode(&f); err != nil {
		return nil, err
	}
	if f.TimedOut || f.Shards.Failed > 0 {
		return nil, fmt.Errorf("%s: %d shards did not answer; look at the cluster's health and try again", what, f.Shards.Failed)
	}
	return &f, nil
}

// noState leaves out of a document what only sensors read.
var noState = map[string]any{"excludes": []string{"state"}}

// Profile returns the profile of an address, or of the network it is in, with
// what analysts said of it. The error is ErrUnknown where there is none.
func (r *Reader) Profile(ctx context.Context, address string) (*Profile, error) {
	id, err := ParseAddress(address)
	if err != nil {
		return nil, err
	}
	f, err := r.search(ctx, "read the profile of "+id, r.prefix+"-attackers", map[string]any{
		"size": 200, "_source": noState, "query": map[string]any{"ids": map[string]any{"values": IDsOf(id)}},
	})
	if err != nil {
		return nil, err
	}
	if len(f.Hits.Hits) == 0 {
		return nil, fmt.Errorf("%w of %s in %s-attackers; dossier search finds who is there", ErrUnknown, id, r.prefix)
	}
	best := f.Hits.Hits[0]
	for _, h := range f.Hits.Hits { // the closest network
		if bits(h.ID) > bits(best.ID) {
			best = h
		}
	}
	p, err := decode(best.ID, best.Source)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", Repair(best.ID), err)
	}
	v, err := r.verdict(ctx, p.ID)
	p.Verdict = v
	return p, err
}

func bits(id string) int {
	n, err := parseNetwork(id)
	if err != nil {
		return -1
	}
	return n.Bits()
}

// IDsOf returns the ids under which an address may have its profile: its own,
// and with IPv6 those of the networks around it.
func IDsOf(id string) []string {
	ids := []string{id}
	if a, err := netip.ParseAddr(id); err == nil && a.Is6() {
		for n := 127; n >= 16; n-- {
			p, err := a.Prefix(n)
			if err == nil {
				ids = append(ids, p.String())
			}
		}
	}
	return ids
}

// Hour is what an attacker did in an hour, or all of them in an interval.
type Hour struct {
	Time   time.Time
	Events int64
}

// Hours returns how many events an attacker had in each interval (an hour, a
// day), oldest first, without those that had none; of all attackers where id is
// "". Those before since are left out.
func (r *Reader) Hours(ctx context.Context, id, interval string, since time.Time) ([]Hour, error) {
	must := []any{map[string]any{"range": map[string]any{"@timestamp": map[string]any{"gte": since.UTC().Format(time.RFC3339)}}}}
	if id != "" {
		field := "source.ip"
		if strings.Contains(id, "/") {
			field = "network"
		}
		must = append(must, map[string]any{"term": map[string]any{field: id}})
	}
	f, err := r.search(ctx, "read the activity", r.prefix+"-activity-*", map[string]any{
		"size": 0, "query": map[string]any{"bool": map[string]any{"filter": must}},
		"aggs": map[string]any{"hours": map[string]any{
			"date_histogram": map[string]any{"field": "@timestamp", "fixed_interval": interval, "min_doc_count": 1},
			"aggs":           map[string]any{"events": map[string]any{"sum": map[string]any{"field": "activity.events"}}},
		}},
	})
	if err != nil {
		return nil, err
	}
	var aggs struct {
		Hours struct {
			Buckets []struct {
				Key    int64 `json:"key"`
				Events struct {
					Value float64 `json:"value"`
				} `json:"events"`
			} `json:"buckets"`
		} `json:"hours"`
	}
	if len(f.Aggregations) == 0 {
		return nil, nil
	}
	if err := json.Unmarshal(f.Aggregations, &aggs); err != nil {
		return nil, err
	}
	hours := make([]Hour, len(aggs.Hours.Buckets))
	for i, b := range aggs.Hours.Buckets {
		hours[i] = Hour{time.UnixMilli(b.Key).UTC(), int64(b.Events.Value)}
	}
	return hours, nil
}

// Transition is a line that an attacker crossed.
type Transition struct {
	Time   Time
	Action Text
	Text   Text
}

// maxTransitions bounds those that are read of one attacker: there are some
// twenty.
const maxTransitions = 200

// Transitions returns the lines that an attacker crossed, oldest first.
func (r *Reader) Transitions(ctx context.Context, id string) ([]Transition, error) {
	field := "source.ip"
	if strings.Contains(id, "/") {
		field = "network"
	}
	f, err := r.search(ctx, "read the transitions of "+id, r.prefix+"-transitions-*", map[string]any{
		"size": maxTransitions, "sort": []any{map[string]any{"@timestamp": "asc"}},
		"query": map[string]any{"term": map[string]any{field: id}},
	})
	if err != nil {
		return nil, err
	}
	var out []Transition
	for _, h := range f.Hits.Hits {
		var d struct {
			Time  Time `json:"@timestamp"`
			Event struct {
				Action Text `json:"action"`
			} `json:"event"`
			Message Text `json:"message"`
		}
		if json.Unmarshal(h.Source, &d) == nil {
			out = append(out, Transition{d.Time, d.Event.Action, d.Message})
		}
	}
	return out, nil
}

// pitLife is how long Elasticsearch keeps a point in time between two pages.
const pitLife = "2m"

// A page is how many documents one request asks for: a whole one takes 424 KiB
// at the most and 4 KB mostly, and an answer must stay below 32 MiB.
const (
	page      = 64
	pageOfFew = 1000 // where only some fields are read
	maxListed = 1000
)

// Each calls do with every profile that the query finds, in its order, from
// one point in time: what sensors write meanwhile changes nothing. It holds one
// page in memory. A document that can't be read is told to odd and left out.
func (r *Reader) Each(ctx context.Context, q Query, odd func(id Text, err error), do func(*Profile) error) error {
	verdicts, err := r.verdicts(ctx)
	if err != nil {
		return err
	}
	query, err := q.body(verdicts)
	if err != nil {
		return err
	}
	return r.each(ctx, r.prefix+"-attackers", query, q, func(h hit) error {
		p, err := decode(h.ID, h.Source)
		if err != nil {
			odd(Repair(h.ID), err)
			return nil
		}
		p.Verdict = verdicts[p.ID]
		return do(p)
	})
}

// List returns the first profiles that the query finds, at most 1,000, and how
// many it finds in all.
func (r *Reader) List(ctx context.Context, q Query) ([]*Profile, int64, error) {
	verdicts, err := r.verdicts(ctx)
	if err != nil {
		return nil, 0, err
	}
	query, err := q.body(verdicts)
	if err != nil {
		return nil, 0, err
	}
	limit := maxListed
	if q.Limit > 0 {
		limit = min(limit, q.Limit)
	}
	if len(q.Fields) == 0 {
		limit = min(limit, page)
	}
	f, err := r.search(ctx, "search in "+r.prefix+"-attackers", r.prefix+"-attackers", map[string]any{
		"size": limit, "track_total_hits": true, "_source": q.source(), "query": query, "sort": q.Sort.keys(),
	})
	if err != nil {
		return nil, 0, err
	}
	var out []*Profile
	for _, h := range f.Hits.Hits {
		if p, err := decode(h.ID, h.Source); err == nil {
			p.Verdict = verdicts[p.ID]
			out = append(out, p)
		}
	}
	return out, f.Hits.Total.Value, nil
}

// each calls do with every document that a query finds, in the order and to the
// limit of q, with its fields.
func (r *Reader) each(ctx context.Context, index string, query any, q Query, do func(hit) error) error {
	pit, err := r.openPoint(ctx, index)
	if err != nil || pit == nil {
		return err
	}
	defer r.closePoint(ctx, pit)
	body := map[string]any{
		"track_total_hits": false, "_source": q.source(), "query": query,
		"sort": append(q.Sort.keys(), map[string]any{pit.order: "asc"}),
	}
	whole := page
	if len(q.Fields) > 0 {
		whole = pageOfFew
	}
	for n := 0; q.Limit == 0 || n < q.Limit; {
		size := whole
		if q.Limit > 0 {
			size = min(size, q.Limit-n)
		}
		body["size"] = size
		body["pit"] = map[string]any{"id": pit.id, "keep_alive": pitLife}
		f, err := r.search(ctx, "search in "+index, "", body)
		if err != nil {
			return err
		}
		if f.PIT != "" {
			pit.id = f.PIT
		}
		for _, h := range f.Hits.Hits {
			if err := do(h); err != nil {
				return err
			}
		}
		if n += len(f.Hits.Hits); len(f.Hits.Hits) < size {
			return nil
		}
		body["search_after"] = f.Hits.Hits[len(f.Hits.Hits)-1].Sort
	}
	return nil
}
