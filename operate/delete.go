package operate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"dossier/esindex"
)

const (
	// batch is how many documents one request deletes. A request must end before
	// a proxy in between loses patience.
	batch = 5000
	// scrollLife is how long a listing waits for its next page: more than a
	// page's deletion ever takes, and soon over where the command is killed.
	scrollLife = "5m"
	// expireTries is how often a listing is begun again in a row without a
	// document deleted.
	expireTries = 6
	// progressEvery is how often a long deletion says how far it is.
	progressEvery = 10 * time.Second
)

// deletion deletes the documents of one index that a query finds. They are listed
// as they stood when the listing began, so that nothing waits for a refresh
// between two pages, and each is deleted as it was listed: one that a sensor
// writes meanwhile stays.
//
// It keeps nothing: one that is stopped leaves what it has not deleted to the
// next, which finds just that.
type deletion struct {
	retention
	index string
	query map[string]any
	of    int64 // about, for progress

	deleted, younger int64
	told             time.Time
	began            time.Time
}

// hit is a document as it was listed.
type hit struct {
	ID    string `json:"_id"`
	SeqNo int64  `json:"_seq_no"`
	Term  int64  `json:"_primary_term"`
}

// listing is a page of documents.
type listing struct {
	Scroll string `json:"_scroll_id"`
	Hits   struct {
		Hits []hit `json:"hits"`
	} `json:"hits"`
}

func (d *deletion) run(ctx context.Context) error {
	d.began, d.told = d.now(), d.now()
	for try := 1; ; try++ {
		before := d.deleted
		err := d.once(ctx)
		if err == nil || ctx.Err() != nil || !isPassing(err) {
			return d.incomplete(err)
		}
		if d.deleted > before {
			try = 1
		}
		if try == expireTries {
			return d.incomplete(err)
		}
		if err := pause(ctx, time.Duration(1<<try)*time.Second/2); err != nil {
			return d.incomplete(err)
		}
	}
}

func (d *deletion) now() time.Time { return d.Target.now() }

// incomplete says how far it came.
func (d *deletion) incomplete(err error) error {
	if err == nil || d.deleted == 0 {
		return err
	}
	return fmt.Errorf("%w; %d of about %d are deleted, and the next run goes on from there", err, d.deleted, d.of)
}

// blockedType is the type of what an index answers that is blocked for writes.
const blockedType = "cluster_block_exception"

// isPassing says whether the same may work in a moment: the node is overloaded or
// away, has forgotten the listing, or the index is blocked.
func isPassing(err error) bool {
	e, ok := errors.AsType[*esindex.Error](err)
	switch {
	case !ok:
		return false
	case e.Status == 0, e.Status == http.StatusTooManyRequests, e.Status >= 500, e.Type == blockedType: // dossier reshard is at work
		return true
	}
	return e.Status == http.StatusNotFound && strings.Contains(e.Type, "search_context_missing") ||
		e.Status == http.StatusNotFound && e.Type == "search_phase_execution_exception"
}

// once lists and deletes; the next page is read while one is deleted.
func (d *deletion) once(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type page struct {
		hits []hit
		err  error
	}
	pages := make(chan page, 1)
	go func() {
		defer close(pages)
		scroll := ""
		defer func() { d.close(ctx, scroll) }()
		for {
			l, err := d.list(ctx, scroll)
			if l.Scroll != "" {
				scroll = l.Scroll
			}
			select {
			case pages <- page{l.Hits.Hits, err}:
			case <-ctx.Done():
				return
			}
			if err != nil || len(l.Hits.Hits) == 0 {
				return
			}
		}
	}()
	for p := range pages {
		if p.err != nil {
			return p.err
		}
		if err := d.delete(ctx, p.hits); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (d *deletion) list(ctx context.Context, scroll string) (l listing, err error) {
	path, search := "/_search/scroll", map[string]any{"scroll": scrollLife, "scroll_id": scroll}
	if scroll == "" {
		path = "/" + d.index + "/_search?allow_partial_search_results=false&scroll=" + scrollLife
		search = map[string]any{
			"query": d.query["query"], "size": batch, "sort": []string{"_doc"}, "_source": false,
			"seq_no_primary_term": true,
		}
	}
	body, err := json.Marshal(search)
	if err != nil {
		return l, err
	}
	return l, d.client.Call(ctx, "list in "+d.index, http.MethodPost, path, body, &l)
}

// close lets the node forget the listing. One that is not closed it forgets by
// itself.
func (d *deletion) close(ctx context.Context, scroll string) {
	if scroll == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	body, err := json.Marshal(map[string]any{"scroll_id": []string{scroll}})
	if err == nil {
		d.client.Call(ctx, "end the list of "+d.index, http.MethodDelete, "/_search/scroll", body, nil) //nolint:errcheck // it ends by itself
	}
}

// delete deletes a page of documents, each as it was listed.
func (d *deletion) delete(ctx context.Context, page []hit) error {
	if len(page) == 0 {
		return nil
	}
	var lines strings.Builder
	encoder := json.NewEncoder(&lines)
	for _, h := range page {
		if err := encoder.Encode(map[string]any{"delete": map[string]any{"_id": h.ID, "if_seq_no": h.SeqNo, "if_primary_term": h.Term}}); err != nil {
			return err
		}
	}
	var answer struct {
		Items []struct {
			Delete struct {
				Status int `json:"status"`
				Error  struct {
					Type string `json:"type"`
				} `json:"error"`
			} `json:"delete"`
		} `json:"items"`
	}
	op := "delete from " + d.index
	path := "/" + d.index + "/_bulk?filter_path=items.delete.status,items.delete.error.type"
	if err := d.client.Call(ctx, op, http.MethodPost, path, []byte(lines.String()), &answer); err != nil {
		return err
	}
	if len(answer.Items) != len(page) {
		return &esindex.Error{Op: op, Reason: fmt.Sprintf("%d results for %d documents", len(answer.Items), len(page))}
	}
	for _, i := range answer.Items {
		switch i := i.Delete; {
		case i.Status == http.StatusOK:
			d.deleted++
		case i.Status == http.StatusConflict, i.Status == http.StatusNotFound:
			d.younger++ // written meanwhile, or deleted by an earlier try
		default:
			fix := "look at the cluster's health"
			if i.Error.Type == blockedType {
				fix = "where dossier reshard is at work run it again afterwards; else dossier check says what blocks the index"
			}
			return &esindex.Error{Op: op, Status: i.Status, Type: i.Error.Type, Reason: "a document can't be deleted", Fix: fix}
		}
	}
	if at := d.now(); at.Sub(d.told) >= progressEvery {
		d.told = at
		d.step(esindex.Step{Object: "documents", Name: d.index, Done: d.progress(at)})
	}
	return nil
}

// progress says how far it is and how long it goes on.
func (d *deletion) progress(at time.Time) string {
	took := at.Sub(d.began)
	s := fmt.Sprintf("%d of about %d deleted so far", d.deleted, d.of)
	if left := d.of - d.deleted - d.younger; left > 0 && d.deleted > 0 {
		s += fmt.Sprintf(", about %s to go", (time.Duration(float64(took)/float64(d.deleted)*float64(left)) + time.Second).Truncate(time.Second))
	}
	return s
}
