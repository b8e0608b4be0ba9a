package operate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"dossier/conf/roles"
	"dossier/correlate/commit"
	"dossier/profile/rules"
	"dossier/target"
)

// Rejudging says what Rejudge does.
type Rejudging struct {
	// All has those documents rendered too that were by the same rules and lists.
	All bool
	// Rate is the most documents a second.
	Rate int
	// DryRun only counts.
	DryRun bool
}

// The bounds of Rejudging.Rate, and what it is where nothing is asked for.
const (
	DefaultRate = 50
	MaxRate     = 5000
)

// Rejudged is how far Rejudge is.
type Rejudged struct {
	// Of is how many documents there were to render when it began, about.
	Of int64
	// Written were rendered anew; Gone were deleted meanwhile, Busy written by others
	// each time, Unreadable are those whose state can't be read here.
	Written, Gone, Busy, Unreadable int64
	// Failed are parts of documents that failed and were left out.
	Failed int64
	// Reason says of one that is unreadable or was refused why.
	Reason string
}

// String tells it in a line.
func (r Rejudged) String() string {
	s := fmt.Sprintf("%d of about %d documents rendered anew", r.Written, r.Of)
	for _, more := range []struct {
		n    int64
		what string
	}{{r.Gone, "gone"}, {r.Busy, "always written by others, left to the next run"}, {r.Unreadable, "left as they are"}, {r.Failed, "parts left out"}} {
		if more.n > 0 {
			s += fmt.Sprintf(", %d %s", more.n, more.what)
		}
	}
	if r.Reason != "" {
		s += " (" + r.Reason + ")"
	}
	return s
}

const (
	// rejudgePage is how many documents are listed at a time, rejudgeBatch how many are
	// read and written together at the most.
	rejudgePage  = 500
	rejudgeBatch = 50
	// rejudgeTries is how often a document is read again that somebody wrote
	// meanwhile.
	rejudgeTries = 6
)

// Rejudge renders attackers' documents anew from their states, each by
// compare-and-set: what is stored stays byte for byte, and one that somebody writes
// meanwhile is read again. It is told by out how far it is. One that is stopped goes on where
// it was: what has these rules and lists is left alone.
func (t *Target) Rejudge(ctx context.Context, o Rejudging, log *slog.Logger, out func(Rejudged)) (r Rejudged, err error) {
	if o.Rate < 1 || o.Rate > MaxRate {
		return r, fmt.Errorf("--rate: got %d, want 1 to %d documents a second", o.Rate, MaxRate)
	}
	if err := t.mustHold(ctx, roles.Rejudge); err != nil {
		return r, err
	}
	judge, err := target.NewJudge(ctx, t.link, target.Host{Version: t.version, Logger: log})
	if err != nil {
		return r, err
	}
	defer judge.Close()
	j := rejudging{Target: t, judge: judge, o: o, began: t.now(), out: out}
	err = j.run(ctx)
	j.done.Failed = judge.Left()
	return j.done, err
}

type rejudging struct {
	*Target
	judge *target.Judge
	o     Rejudging
	began time.Time
	sent  int64
	done  Rejudged
	out   func(Rejudged)
}

// listed is what a search shows of a document.
type listed struct {
	ID     string `json:"_id"`
	Source struct {
		Name    string `json:"ptr_record"`
		Country string `json:"country_code"`
		ASN     int64  `json:"asn"`
		Type    string `json:"network_type_source"`
		Basis   string `json:"classification_basis"`
	} `json:"_source"`
	Sort []any `json:"sort"`
}

func (j *rejudging) run(ctx context.Context) error {
	for after := ([]any)(nil); ; {
		page, err := j.page(ctx, after)
		if err != nil || len(page) == 0 {
			return err
		}
		if j.o.DryRun {
			j.out(j.done)
			return nil
		}
		for i := range page {
			if lacking := target.Lacks(j.Target.o, page[i].Source.Country != "", page[i].Source.ASN != 0, page[i].Source.Type); lacking != "" {
				return fmt.Errorf("the documents show what the option %s of the outputs gives, and would lose it: give --%s too", lacking, strings.ReplaceAll(lacking, "_", "-"))
			}
			if addr, err := netip.ParseAddr(page[i].ID); err == nil && page[i].Source.Name != "" {
				j.judge.Tell(addr, page[i].Source.Name, page[i].Source.Basis == rules.ByName)
			}
		}
		for from := 0; from < len(page); {
			to := min(from+min(rejudgeBatch, j.o.Rate), len(page))
			if err := j.batch(ctx, page[from:to]); err != nil {
				return err
			}
			from = to
			j.done.Failed = j.judge.Left()
			j.out(j.done)
			if err := j.wait(ctx); err != nil {
				return err
			}
		}
		after = page[len(page)-1].Sort
	}
}

// page lists the next documents that other rules or lists judged, by their uuid,
// which never changes.
func (j *rejudging) page(ctx context.Context, after []any) ([]listed, error) {
	version, lists := j.judge.Version()
	query := map[string]any{"match_all": map[string]any{}}
	if !j.o.All {
		query = map[string]any{"bool": map[string]any{"must_not": []any{map[string]any{"bool": map[string]any{"filter": []any{
			map[string]any{"term": map[string]any{"rules.version": version}}, map[string]any{"term": map[string]any{"rules.lists_date": lists}},
		}}}}}}
	}
	search := map[string]any{
		"query": query, "size": rejudgePage, "sort": []any{map[string]any{"uuid": "asc"}}, "track_total_hits": after == nil,
		"_source": []string{"ptr_record", "country_code", "asn", "network_type_source", "classification_basis"},
	}
	if after != nil {
		search["search_after"] = after
	}
	body, err := json.Marshal(search)
	if err != nil {
		return nil, err
	}
	index := j.indices.Attackers()
	var found struct {
		Hits struct {
			Total struct {
				Value int64 `json:"value"`
			} `json:"total"`
			Hits []listed `json:"hits"`
		} `json:"hits"`
	}
	if err := j.client.Call(ctx, "list in "+index, http.MethodPost, "/"+index+"/_search?allow_partial_search_results=false", body, &found); err != nil {
		return nil, err
	}
	if after == nil {
		j.done.Of = found.Hits.Total.Value
	}
	return found.Hits.Hits, nil
}

// batch renders some documents anew, those again that somebody wrote meanwhile.
func (j *rejudging) batch(ctx context.Context, page []listed) error {
	keys := make([]commit.Key, len(page))
	for i := range page {
		keys[i] = commit.Key{Index: j.indices.Attackers(), ID: page[i].ID}
	}
	for try := 0; len(keys) > 0; try++ {
		if try == rejudgeTries {
			j.done.Busy += int64(len(keys))
			return nil
		}
		if try > 0 {
			// The delay goes before the read: none between read and write.
			if err := pause(ctx, time.Duration(try)*50*time.Millisecond); err != nil {
				return err
			}
		}
		again, err := j.once(ctx, keys)
		if err != nil {
			return err
		}
		keys = again
	}
	return nil
}

func (j *rejudging) once(ctx context.Context, keys []commit.Key) (again []commit.Key, err error) {
	stored, err := j.store.Read(ctx, keys)
	if err != nil {
		return nil, err
	}
	ops := make([]commit.Op, 0, len(keys))
	for i := range stored {
		switch s := &stored[i]; {
		case s.Err != nil:
			j.unreadable(s.Err.Error())
		case !s.Exists:
			j.done.Gone++
		default:
			body, err := j.judge.AppendAttacker(nil, keys[i].ID, s.State, j.now())
			if err != nil {
				j.unreadable(err.Error())
				continue
			}
			ops = append(ops, commit.Op{Kind: commit.Replace, Key: keys[i], Version: s.Version, Body: body})
		}
	}
	if len(ops) == 0 {
		return nil, nil
	}
	j.sent += int64(len(ops))
	written, err := j.store.Write(ctx, ops)
	if err != nil {
		return nil, err
	}
	for i := range written {
		switch w := &written[i]; w.Status {
		case commit.Done:
			j.done.Written++
		case commit.Conflict:
			again = append(again, ops[i].Key)
		case commit.Rejected:
			j.unreadable(w.Reason)
		default:
			return nil, errors.New("Elasticsearch doesn't take documents for now, run it again: " + w.Reason)
		}
	}
	return again, nil
}

func (j *rejudging) unreadable(reason string) {
	j.done.Unreadable++
	j.done.Reason = line(reason)
}

// wait keeps to the rate.
func (j *rejudging) wait(ctx context.Context) error {
	due := j.began.Add(time.Duration(float64(j.sent) / float64(j.o.Rate) * float64(time.Second)))
	return pause(ctx, due.Sub(j.now()))
}

func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
