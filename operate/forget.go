package operate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"dossier/analyst"
	"dossier/conf/roles"
	"dossier/correlate/commit"
	"dossier/correlate/state"
	"dossier/esindex"
	"dossier/profile"
	"dossier/target"
)

const (
	// forgetRounds is how often everything is looked at anew because something of
	// the attacker was written meanwhile.
	forgetRounds = 10
	// forgetPage is how many indicators are listed at a time, forgetNames how many
	// indices one request names: its line has a bound.
	forgetPage  = 500
	forgetNames = 40
)

// Known is how many documents name an attacker.
type Known struct {
	Profiles, Domains, Hours, Transitions, Notes int64
	// Indicators are those whose list of attackers names it.
	Indicators int64
	// Elsewhere are documents of others, and indicators, that show the address as part
	// of what was done: a host that a file came from, an address that was claimed.
	// They are not erased.
	Elsewhere int64
}

// Any says whether there is anything to erase.
func (k Known) Any() bool {
	return k.Profiles+k.Domains+k.Hours+k.Transitions+k.Notes+k.Indicators > 0
}

// String tells it in a line.
func (k Known) String() string {
	return fmt.Sprintf("%d profiles, %d mail domains, %d hours, %d transitions, %d notes and verdicts, and the entries in %d indicators",
		k.Profiles, k.Domains, k.Hours, k.Transitions, k.Notes, k.Indicators)
}

// forgetting is one attacker who is to be forgotten.
type forgetting struct {
	*Target
	id    string
	judge *target.Judge
	// unreadable are the indicators that can't be read, and why one can't.
	unreadable map[string]bool
	reason     string
}

// forgotten is a kind of documents that are about the attacker alone.
type forgotten struct {
	object  string
	indices []string
	query   map[string]any
	count   *int64
}

// Known returns what names the attacker of that id (analyst.ParseAddress). It needs
// the role forget. An address that has no profile but is in that of a network is an
// error: what that counts can't be parted.
func (t *Target) Known(ctx context.Context, id string) (Known, error) {
	var k Known
	if err := t.mustHold(ctx, roles.Forget); err != nil {
		return k, err
	}
	f := forgetting{Target: t, id: id}
	kinds, err := f.kinds(ctx, &k)
	if err != nil {
		return k, err
	}
	if err := f.refresh(ctx, kinds); err != nil {
		return k, err
	}
	for _, kind := range kinds {
		if *kind.count, err = f.count(ctx, kind.indices, kind.query); err != nil {
			return k, err
		}
	}
	if k.Indicators, err = f.count(ctx, []string{t.indices.Indicators()}, f.named()); err != nil {
		return k, err
	}
	elsewhere := map[string]any{"bool": map[string]any{"filter": one("related.ip", id), "must_not": []any{one("uuid", profile.UUID(id))}}}
	if k.Elsewhere, err = f.count(ctx, []string{t.indices.Attackers(), t.indices.Indicators()}, elsewhere); err != nil {
		return k, err
	}
	if k.Profiles == 0 {
		around := analyst.IDsOf(id)[1:]
		found, err := f.list(ctx, t.indices.Attackers(), map[string]any{"ids": map[string]any{"values": around}})
		if err == nil && len(around) > 0 && len(found) > 0 {
			err = fmt.Errorf("%s is in the profile of %s, whose counts can't be parted: dossier forget %s erases the whole network", id, line(found[0].ID), line(found[0].ID))
		}
		if err != nil {
			return k, err
		}
	}
	return k, nil
}

func one(field, value string) map[string]any {
	return map[string]any{"term": map[string]any{field: value}}
}

// named is a query for the indicators whose attackers the attacker is one of.
func (f *forgetting) named() map[string]any { return one("attackers", f.id) }

// kinds returns the documents that are about the attacker alone.
func (f *forgetting) kinds(ctx context.Context, k *Known) ([]forgotten, error) {
	activity, err := f.Target.list(ctx, f.o.IndexPrefix+"-activity-")
	if err != nil {
		return nil, err
	}
	transitions, err := f.Target.list(ctx, f.o.IndexPrefix+"-transitions-")
	if err != nil {
		return nil, err
	}
	// The uuid is that of the address. One who forged a document may have left it out.
	either := []any{one("uuid", profile.UUID(f.id))}
	if _, err := netip.ParseAddr(f.id); err == nil {
		either = append(either, map[string]any{"bool": map[string]any{
			"filter": one("source.ip", f.id), "must_not": map[string]any{"exists": map[string]any{"field": "network"}},
		}})
	}
	his := map[string]any{"bool": map[string]any{"should": either}}
	return []forgotten{
		{"profile", []string{f.indices.Attackers()}, map[string]any{"ids": map[string]any{"values": []string{f.id}}}, &k.Profiles},
		{"mail domains", []string{f.indices.Targets()}, his, &k.Domains},
		{"hours", activity, his, &k.Hours},
		{"transitions", transitions, his, &k.Transitions},
		{"notes and verdicts", []string{analyst.NotesIndex(f.o.IndexPrefix)}, one("attacker", f.id), &k.Notes},
	}, nil
}

// absentIsNone has an index that isn't there hold nothing.
const absentIsNone = "ignore_unavailable=true"

// refresh has searches see all that was written.
func (f *forgetting) refresh(ctx context.Context, kinds []forgotten) error {
	names := []string{f.indices.Indicators()}
	for _, k := range kinds {
		names = append(names, k.indices...)
	}
	for some := range slices.Chunk(names, forgetNames) {
		if err := f.client.Call(ctx, "refresh the indices", http.MethodPost, "/"+strings.Join(some, ",")+"/_refresh?"+absentIsNone, nil, nil); err != nil {
			return err
		}
	}
	return nil
}

func (f *forgetting) count(ctx context.Context, names []string, query map[string]any) (n int64, err error) {
	body, err := json.Marshal(map[string]any{"query": query})
	if err != nil {
		return 0, err
	}
	for some := range slices.Chunk(names, forgetNames) {
		var found struct {
			Count  int64 `json:"count"`
			Shards struct {
				Failed int `json:"failed"`
			} `json:"_shards"`
		}
		at := strings.Join(some, ",")
		if err := f.client.Call(ctx, "count in "+at, http.MethodPost, "/"+at+"/_count?"+absentIsNone, body, &found); err != nil {
			return n, err
		}
		if found.Shards.Failed > 0 {
			return n, fmt.Errorf("count in %s: %d shards did not answer; look at the cluster's health and try again", at, found.Shards.Failed)
		}
		n += found.Count
	}
	return n, nil
}

// thing is what a search shows of an indicator.
type thing struct {
	ID     string `json:"_id"`
	Source struct {
		Indicator struct {
			Kind  string `json:"kind"`
			Value string `json:"value"`
		} `json:"indicator"`
		Threat struct {
			Indicator struct {
				Marking struct {
					TLP string `json:"tlp"`
				} `json:"marking"`
			} `json:"indicator"`
		} `json:"threat"`
	} `json:"_source"`
}

func (f *forgetting) list(ctx context.Context, index string, query map[string]any) ([]thing, error) {
	body, err := json.Marshal(map[string]any{"query": query, "size": forgetPage, "_source": []string{"indicator", "threat.indicator.marking"}})
	if err != nil {
		return nil, err
	}
	var found struct {
		Hits struct {
			Hits []thing `json:"hits"`
		} `json:"hits"`
	}
	err = f.client.Call(ctx, "list in "+index, http.MethodPost, "/"+index+"/_search?allow_partial_search_results=false&"+absentIsNone, body, &found)
	return found.Hits.Hits, err
}

// Forget erases all that names the attacker of that id, and looks again until nothing is
// left: sensors may write meanwhile. step is told of each kind how many documents were
// deleted or written without it. It needs the role forget; the ledger stays.
func (t *Target) Forget(ctx context.Context, id string, log *slog.Logger, step func(esindex.Step)) error {
	if err := t.mustHold(ctx, roles.Forget); err != nil {
		return err
	}
	judge, err := target.NewJudge(ctx, t.link, target.Host{Version: t.version, Logger: log})
	if err != nil {
		return err
	}
	defer judge.Close()
	f := forgetting{Target: t, id: id, judge: judge, unreadable: map[string]bool{}}
	var k, total Known
	written := int64(0)
	round := 0
	for ; round < forgetRounds; round++ {
		kinds, err := f.kinds(ctx, &k)
		if err != nil {
			return err
		}
		if err := f.refresh(ctx, kinds); err != nil {
			return err
		}
		found := int64(0)
		sums := []*int64{&total.Profiles, &total.Domains, &total.Hours, &total.Transitions, &total.Notes}
		for i, kind := range kinds {
			n, met, err := f.delete(ctx, kind)
			if err != nil {
				return err
			}
			*sums[i] += n
			found += met
		}
		n, met, err := f.indicators(ctx)
		if err != nil {
			return err
		}
		written += n
		if found+met == 0 {
			break
		}
		if round > 0 { // what is under way at a sensor gets its time
			if err := pause(ctx, time.Duration(round)*100*time.Millisecond); err != nil {
				return err
			}
		}
	}
	prefix := t.o.IndexPrefix
	for _, s := range []struct {
		object, name, what string
		n                  int64
	}{
		{"profile", t.indices.Attackers(), "deleted", total.Profiles},
		{"mail domains", t.indices.Targets(), "deleted", total.Domains},
		{"hours", prefix + "-activity-*", "deleted", total.Hours},
		{"transitions", prefix + "-transitions-*", "deleted", total.Transitions},
		{"notes and verdicts", analyst.NotesIndex(prefix), "deleted", total.Notes},
		{"indicators", t.indices.Indicators(), "written without it", written},
	} {
		step(esindex.Step{Object: s.object, Name: s.name, Done: fmt.Sprintf("%d %s", s.n, s.what)})
	}
	var left []error
	if round == forgetRounds {
		left = append(left, fmt.Errorf("something of %s was written again each of %d times: a sensor sends its records; keep them out there (exclude_nets) and run it again", id, forgetRounds))
	}
	if n := len(f.unreadable); n > 0 {
		left = append(left, fmt.Errorf("%d indicators still name %s: %s", n, id, f.reason))
	}
	return errors.Join(left...)
}

// delete deletes the documents of a kind. met is how many there were, those included
// that somebody wrote meanwhile.
func (f *forgetting) delete(ctx context.Context, k forgotten) (deleted, met int64, err error) {
	body, err := json.Marshal(map[string]any{"query": k.query})
	if err != nil {
		return 0, 0, err
	}
	for some := range slices.Chunk(k.indices, forgetNames) {
		var answer struct {
			Deleted   int64             `json:"deleted"`
			Conflicts int64             `json:"version_conflicts"`
			Failures  []json.RawMessage `json:"failures"`
		}
		at := strings.Join(some, ",")
		err := f.client.Call(ctx, "delete from "+at, http.MethodPost, "/"+at+"/_delete_by_query?conflicts=proceed&refresh=true&"+absentIsNone, body, &answer)
		if err != nil {
			return deleted, met, err
		}
		deleted, met = deleted+answer.Deleted, met+answer.Deleted+answer.Conflicts
		if len(answer.Failures) > 0 {
			return deleted, met, fmt.Errorf("delete from %s: %d deleted, %d failed; look at the cluster's health and run it again", at, answer.Deleted, len(answer.Failures))
		}
	}
	return deleted, met, nil
}

// indicators writes the indicators that name the attacker without it, each by
// compare-and-set. met is how many did, those included that others wrote each time.
func (f *forgetting) indicators(ctx context.Context) (written, met int64, err error) {
	index := f.Target.indices.Indicators()
	for {
		query := map[string]any{"bool": map[string]any{"filter": f.named(), "must_not": map[string]any{"ids": map[string]any{"values": sorted(f.unreadable)}}}}
		page, err := f.list(ctx, index, query)
		if err != nil {
			return written, met, err
		}
		before := len(f.unreadable)
		n, busy, err := f.rewrite(ctx, page)
		written, met = written+n, met+n+busy
		if err != nil || len(page) < forgetPage || n == 0 && len(f.unreadable) == before {
			return written, met, err
		}
		if err := f.refresh(ctx, nil); err != nil {
			return written, met, err
		}
	}
}

func sorted(set map[string]bool) []string {
	out := []string{}
	for s := range set {
		out = append(out, s)
	}
	slices.Sort(out)
	return out
}

func (f *forgetting) rewrite(ctx context.Context, page []thing) (written, busy int64, err error) {
	for batch := range slices.Chunk(page, rejudgeBatch) {
		for i := range batch {
			if tlp := batch[i].Source.Threat.Indicator.Marking.TLP; tlp != "" && tlp != f.o.TLP {
				return written, busy, fmt.Errorf("the indicators are marked TLP:%s, by these options they would be TLP:%s: give --tlp as the outputs have it", line(tlp), f.o.TLP)
			}
		}
		for try := 0; len(batch) > 0 && try < rejudgeTries; try++ {
			if try > 0 {
				if err := pause(ctx, time.Duration(try)*50*time.Millisecond); err != nil {
					return written, busy, err
				}
			}
			n, again, err := f.once(ctx, batch)
			written += n
			if err != nil {
				return written, busy, err
			}
			batch = again
		}
		busy += int64(len(batch))
	}
	return written, busy, nil
}

// once reads indicators and writes them without the attacker. again are those that
// somebody wrote meanwhile.
func (f *forgetting) once(ctx context.Context, page []thing) (written int64, again []thing, err error) {
	keys := make([]commit.Key, len(page))
	for i := range page {
		keys[i] = commit.Key{Index: f.indices.Indicators(), ID: page[i].ID}
	}
	stored, err := f.store.Read(ctx, keys)
	if err != nil {
		return 0, nil, err
	}
	var ops []commit.Op
	var of []int
	for i := range stored {
		s, in := &stored[i], page[i].Source.Indicator
		switch {
		case s.Err != nil:
			f.unread(page[i].ID, s.Err.Error())
		case !s.Exists: // retention was faster
		case state.IndicatorID(in.Kind, in.Value) != page[i].ID:
			f.unread(page[i].ID, "its _id is not that of what it says")
		default:
			body, was, err := f.judge.AppendIndicatorWithout(nil, in.Kind, in.Value, f.id, s.State, f.now())
			switch {
			case err != nil:
				f.unread(page[i].ID, err.Error())
			case !was:
				f.unread(page[i].ID, "their lists show it and their states don't")
			default:
				ops, of = append(ops, commit.Op{Kind: commit.Replace, Key: keys[i], Version: s.Version, Body: body}), append(of, i)
			}
		}
	}
	if len(ops) == 0 {
		return 0, nil, nil
	}
	results, err := f.store.Write(ctx, ops)
	if err != nil {
		return 0, nil, err
	}
	for i := range results {
		switch w := &results[i]; w.Status {
		case commit.Done:
			written++
		case commit.Conflict:
			again = append(again, page[of[i]])
		case commit.Rejected:
			f.unread(page[of[i]].ID, w.Reason)
		default:
			return written, nil, errors.New("Elasticsearch doesn't take documents for now, run it again: " + w.Reason)
		}
	}
	return written, again, nil
}

func (f *forgetting) unread(id, reason string) {
	f.unreadable[id] = true
	f.reason = line(reason)
}
