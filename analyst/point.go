package analyst

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"time"

	"dossier/esindex"
)

// point is a point in time: pages of a search that all see the same documents.
type point struct {
	id string
	// order is the field that puts documents in an order where nothing else
	// does.
	order string
	// path and body close it.
	path string
	body func(id string) any
}

// openPoint opens a point in time of an index, by the requests of the server
// that answers; nil where there is no such index and needn't be.
func (r *Reader) openPoint(ctx context.Context, index string) (*point, error) {
	product, err := r.client.Product(ctx)
	if err != nil {
		return nil, err
	}
	p := &point{order: "_shard_doc", path: "/_pit", body: func(id string) any { return map[string]string{"id": id} }}
	open := "/_pit?" + r.absent(index) + "&keep_alive="
	if product == esindex.OpenSearch {
		// There is no _shard_doc before 3.x.
		p = &point{order: "_id", path: "/_search/point_in_time", body: func(id string) any { return map[string][]string{"pit_id": {id}} }}
		// Of nothing it can't be opened either.
		open = p.path + "?keep_alive="
	}
	var made struct {
		ID         string `json:"id"`
		OpenSearch string `json:"pit_id"`
	}
	err = r.client.Call(ctx, "open a point in time of "+index, http.MethodPost, "/"+url.PathEscape(index)+open+pitLife, nil, &made)
	if e, ok := errors.AsType[*esindex.Error](err); ok && e.Type == "index_not_found_exception" && r.mayBeAbsent(index) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	p.id = made.ID + made.OpenSearch
	return p, nil
}

// closePoint closes it, also where the request that needed it was broken off.
func (r *Reader) closePoint(ctx context.Context, p *point) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	body, _ := json.Marshal(p.body(p.id))
	r.client.Call(ctx, "close a point in time", http.MethodDelete, p.path, body, nil) //nolint:errcheck // it ends by itself
}
