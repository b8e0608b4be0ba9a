package operate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"dossier/conf/roles"
	"dossier/esindex"
)

// Forever keeps what an age would expire.
const Forever time.Duration = -1

// day is the unit of ages.
const day = 24 * time.Hour

// LeastLedger is how long a marker of the ledger must be kept: a chunk that
// comes again later counts twice.
const LeastLedger = 30 * day

// Ages says how long what is kept. Forever is allowed everywhere.
type Ages struct {
	// Attackers, Targets (mail domains) and Indicators expire so long after their
	// last event.
	Attackers, Targets, Indicators time.Duration
	// Activity and Transitions expire by whole months, so long after their
	// end.
	Activity, Transitions time.Duration
	// Sensors expire so long after their last heartbeat.
	Sensors time.Duration
	// Ledger expires by whole months, so long after the last marker was
	// written; at least LeastLedger.
	Ledger time.Duration
}

// DefaultAges are the ages of dossier retain.
func DefaultAges() Ages {
	return Ages{Attackers: 365 * day, Targets: 365 * day, Indicators: 365 * day, Activity: 180 * day, Transitions: 365 * day, Sensors: 30 * day, Ledger: 60 * day}
}

// ParseAge reads an age: "90d", or "forever".
func ParseAge(s string) (time.Duration, error) {
	if s == "forever" {
		return Forever, nil
	}
	n, ok := strings.CutSuffix(s, "d")
	days, err := strconv.Atoi(n)
	if !ok || err != nil || days < 1 || days > 100*365 {
		return 0, fmt.Errorf("got %q, want days such as 90d, or forever", s)
	}
	return time.Duration(days) * day, nil
}

func (a Ages) validate() error {
	if a.Ledger != Forever && a.Ledger < LeastLedger {
		return fmt.Errorf("--ledger: got %d days, want at least %d: a chunk that Fluent Bit delivers again after its marker is gone counts twice",
			a.Ledger/day, LeastLedger/day)
	}
	for _, age := range []time.Duration{a.Attackers, a.Targets, a.Indicators, a.Activity, a.Transitions, a.Sensors} {
		if age != Forever && age < day {
			return errors.New("an age is less than a day")
		}
	}
	return nil
}

// Retain deletes what is older than the ages. With dryRun it only says what
// it would delete. step is told of each thing when it is done. It may run at
// any time, also while sensors write.
func (t *Target) Retain(ctx context.Context, ages Ages, dryRun bool, step func(esindex.Step)) error {
	if err := ages.validate(); err != nil {
		return err
	}
	if err := t.mayRetain(ctx); err != nil {
		return err
	}
	return t.retain(ctx, ages, dryRun, step)
}

func (t *Target) retain(ctx context.Context, ages Ages, dryRun bool, step func(esindex.Step)) error {
	r := retention{Target: t, dry: dryRun, step: step, now: t.now().UTC()}
	prefix := t.o.IndexPrefix
	for _, do := range []func() error{
		func() error { return r.documents(ctx, t.indices.Attackers(), "last_seen", ages.Attackers) },
		func() error { return r.documents(ctx, t.indices.Targets(), "last_seen", ages.Targets) },
		func() error { return r.documents(ctx, t.indices.Indicators(), "last_seen", ages.Indicators) },
		func() error { return r.documents(ctx, t.indices.Sensors(), "@timestamp", ages.Sensors) },
		func() error { return r.months(ctx, prefix+"-activity-", ages.Activity, "updated_at") },
		func() error { return r.months(ctx, prefix+"-transitions-", ages.Transitions, "event.ingested") },
		func() error { return r.ledger(ctx, prefix+"-chunks-", ages.Ledger) },
	} {
		if err := do(); err != nil {
			return err
		}
	}
	return nil
}

// mayRetain returns an error where these credentials lack what the retention
// role has. Elasticsearch just leaves out what may not be seen, and indices
// would be kept for ever without a word.
func (t *Target) mayRetain(ctx context.Context) error { return t.mustHold(ctx, "retention") }

// mustHold returns an error where these credentials lack what the role has: it says
// whose they are and what they are for, as far as Elasticsearch tells.
func (t *Target) mustHold(ctx context.Context, role string) error {
	who, err := t.client.Identity(ctx)
	switch {
	case errors.Is(err, esindex.ErrNoSecurity):
		return nil
	case err != nil:
		return err
	}
	want, err := roles.Get(role, t.o.IndexPrefix)
	if err != nil {
		return err
	}
	_, lacking, err := t.privileges(ctx, want)
	if errors.Is(err, esindex.ErrNotToldOfPrivileges) {
		return nil
	}
	if err != nil || len(lacking) == 0 {
		return err
	}
	if other := who.Misused(t.o.IndexPrefix, role); other != "" {
		return fmt.Errorf("%s: give the key of the role %s of the prefix %s (%s makes one)", other, role, t.o.IndexPrefix, roles.KeyCommand(role, t.o.IndexPrefix))
	}
	return fmt.Errorf("%s lacks what the role %s has (dossier setup makes it): %s", who, t.roleName(role), some(lacking))
}

type retention struct {
	*Target
	dry  bool
	step func(esindex.Step)
	now  time.Time
}

// older is a query for documents whose field is before the time.
func older(field string, than time.Time) map[string]any {
	return map[string]any{"query": map[string]any{"range": map[string]any{field: map[string]any{"lt": than.UTC().Format(time.RFC3339)}}}}
}

// documents deletes the documents of one index by a field, however many there
// are.
func (r retention) documents(ctx context.Context, index, field string, age time.Duration) error {
	if age == Forever {
		return nil
	}
	than := r.now.Add(-age)
	query := older(field, than)
	body, err := json.Marshal(query)
	if err != nil {
		return err
	}
	done := esindex.Step{Object: "documents", Name: index}
	when := fmt.Sprintf("%s before %s", field, than.Format(time.DateOnly))
	var found struct {
		Count int64 `json:"count"`
	}
	err = r.client.Call(ctx, "count in "+index, http.MethodPost, "/"+index+"/_count", body, &found)
	if isMissing(err) && index == r.indices.Attackers() {
		// A misspelt prefix in cron would keep everything for ever without a word.
		return fmt.Errorf("there is no %s: correct index_prefix, or run dossier setup first", index)
	}
	if isMissing(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if r.dry || found.Count == 0 {
		done.Done = fmt.Sprintf("%d to delete, %s", found.Count, when)
		r.step(done)
		return nil
	}
	d := deletion{retention: r, index: index, query: query, of: found.Count}
	if err := d.run(ctx); err != nil {
		return err
	}
	done.Done = fmt.Sprintf("%d deleted, %s", d.deleted, when)
	if d.younger > 0 {
		done.Done += fmt.Sprintf(", %d written meanwhile", d.younger)
	}
	r.step(done)
	return nil
}

func isMissing(err error) bool {
	e, ok := errors.AsType[*esindex.Error](err)
	return ok && e.Type == "index_not_found_exception"
}

// list returns the indices that begin with stem, sorted. Each ends either in
// a month or in "other" and says that we made it; others are not ours.
func (t *Target) list(ctx context.Context, stem string) ([]string, error) {
	var found map[string]struct {
		Mappings struct {
			Meta struct {
				Dossier struct {
					Schema int `json:"schema"`
				} `json:"dossier"`
			} `json:"_meta"`
		} `json:"mappings"`
	}
	err := t.client.Call(ctx, "list "+stem+"*", http.MethodGet, "/"+stem+"*/_mapping?filter_path=*.mappings._meta", nil, &found)
	if isMissing(err) {
		return nil, nil
	}
	names := slices.Sorted(maps.Keys(found))
	return slices.DeleteFunc(names, func(name string) bool {
		rest, ok := strings.CutPrefix(name, stem)
		_, isMonth := month(rest)
		return !ok || !isMonth && rest != "other" || found[name].Mappings.Meta.Dossier.Schema < 1
	}), err
}

// month returns the end of the month that an index is named after.
func month(name string) (end time.Time, ok bool) {
	at, err := time.Parse("2006.01", name)
	if err != nil {
		return time.Time{}, false
	}
	return at.AddDate(0, 1, 0), true
}

// months deletes the indices of months that ended longer ago than age, and
// from the one for stray times what was written longer ago.
func (r retention) months(ctx context.Context, stem string, age time.Duration, written string) error {
	if age == Forever {
		return nil
	}
	names, err := r.list(ctx, stem)
	if err != nil {
		return err
	}
	for _, name := range names {
		end, ok := month(strings.TrimPrefix(name, stem))
		if !ok {
			if err := r.documents(ctx, name, written, age); err != nil {
				return err
			}
			continue
		}
		if r.now.Sub(end) < age {
			continue
		}
		if err := r.index(ctx, name, "its month ended "+end.Format(time.DateOnly)); err != nil {
			return err
		}
	}
	return nil
}

func (r retention) index(ctx context.Context, name, why string) error {
	done := esindex.Step{Object: "index", Name: name, Done: "to delete, " + why}
	if !r.dry {
		err := r.client.Call(ctx, "delete index "+name, http.MethodDelete, "/"+name, nil, nil)
		if err != nil && !isMissing(err) {
			return err
		}
		done.Done = "deleted, " + why
	}
	r.step(done)
	return nil
}

// ledger deletes the months of markers of which none is younger than age. A
// month is that of the chunks' records: old logs that are read now write
// markers into months long past, so only the markers tell.
//
// No marker must be written between the look and the deletion: the index is
// blocked for writes before. Sensors that meet the block try again.
func (r retention) ledger(ctx context.Context, stem string, age time.Duration) error {
	if age == Forever {
		return nil
	}
	names, err := r.list(ctx, stem)
	if err != nil {
		return err
	}
	than := r.now.Add(-age)
	for _, name := range names {
		if strings.HasSuffix(name, "-other") {
			if err := r.documents(ctx, name, "@timestamp", age); err != nil {
				return err
			}
			continue
		}
		end, _ := month(strings.TrimPrefix(name, stem))
		if r.now.Sub(end) < 0 {
			continue // this month, and the next one set up beforehand
		}
		newest, err := r.newest(ctx, name, "")
		if err != nil {
			return err
		}
		if !newest.Before(than) || newest.IsZero() && r.now.Sub(end) < age {
			continue
		}
		why := "last written " + newest.Format(time.DateOnly)
		if newest.IsZero() {
			why = "it is empty"
		}
		if !r.dry {
			again, err := r.blocked(ctx, name)
			if err != nil {
				return err
			}
			if !again.Before(than) {
				if err := r.unblock(ctx, name); err != nil {
					return err
				}
				continue
			}
		}
		if err := r.index(ctx, name, why); err != nil {
			if !r.dry {
				return errors.Join(err, r.unblock(ctx, name))
			}
			return err
		}
	}
	return nil
}

// onPrimary asks the primary alone: OpenSearch may copy whole segments to the
// replicas, and a refresh doesn't wait for that. Elasticsearch has no such
// preference any more, and needs none.
const onPrimary = "&preference=_primary"

// newest returns when the last marker of the index was written, as far as
// searches see it; zero where there is none. more are parameters of the search.
func (r retention) newest(ctx context.Context, index, more string) (time.Time, error) {
	var found struct {
		Aggregations struct {
			Newest struct {
				Value *float64 `json:"value"`
			} `json:"newest"`
		} `json:"aggregations"`
	}
	err := r.client.Call(ctx, "look for the last marker in "+index, http.MethodPost, "/"+index+"/_search?size=0&allow_partial_search_results=false"+more,
		[]byte(`{"aggs":{"newest":{"max":{"field":"@timestamp"}}}}`), &found)
	if err != nil || found.Aggregations.Newest.Value == nil {
		return time.Time{}, err
	}
	return time.UnixMilli(int64(*found.Aggregations.Newest.Value)).UTC(), nil
}

// blocked blocks the index for writes and looks again.
func (r retention) blocked(ctx context.Context, index string) (time.Time, error) {
	if err := r.client.Call(ctx, "block index "+index, http.MethodPut, "/"+index+"/_block/write", nil, nil); err != nil {
		return time.Time{}, err
	}
	err := r.client.Call(ctx, "refresh index "+index, http.MethodPost, "/"+index+"/_refresh", nil, nil)
	var newest time.Time
	where := ""
	if err == nil {
		var product esindex.Product
		if product, err = r.client.Product(ctx); product == esindex.OpenSearch {
			where = onPrimary
		}
	}
	if err == nil {
		newest, err = r.newest(ctx, index, where)
	}
	if err != nil {
		return newest, errors.Join(err, r.unblock(ctx, index))
	}
	return newest, nil
}

func (r retention) unblock(ctx context.Context, index string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return r.client.Call(ctx, "unblock index "+index, http.MethodPut, "/"+index+"/_settings", []byte(`{"index.blocks.write":null}`), nil)
}
