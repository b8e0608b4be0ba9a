package esindex

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/elastic/go-elasticsearch/v8/esapi"
)

// Call sends one small request and decodes the JSON of its answer, of at most
// 32 MiB, into out unless that is nil. It is for what operators do: roles,
// keys, settings, deletion. op names it in errors ("create role x"). Every
// status but 2xx is an *Error; like all others the request is tried once.
func (c *Client) Call(ctx context.Context, op, method, path string, body []byte, out any) error {
	return c.call(ctx, op, request{method, path, body}, out)
}

// request is one that has no type of its own here.
type request struct {
	method, path string
	body         []byte
}

// holdsDocument says whether what Elasticsearch says about a request may
// quote a document: the request has one, or asks for one. All others are
// ours: names, templates, roles.
func holdsDocument(r esapi.Request) bool {
	own, ok := r.(request)
	if !ok {
		return false // documents in requests of the esapi go through Store
	}
	path, _, _ := strings.Cut(own.path, "?")
	for part := range strings.SplitSeq(path, "/") {
		switch part {
		case "_doc", "_create", "_update", "_source", "_bulk", "_mget", "_update_by_query", "_reindex", "_simulate":
			return true
		}
	}
	return false
}

// Do implements esapi.Request.
func (r request) Do(ctx context.Context, t esapi.Transport) (*esapi.Response, error) {
	var body io.Reader
	if r.body != nil {
		body = &payload{r.body}
	}
	req, err := http.NewRequestWithContext(ctx, r.method, r.path, body)
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := t.Perform(req) //nolint:bodyclose // whoever gets the Response closes it
	if err != nil {
		return nil, err
	}
	return &esapi.Response{StatusCode: res.StatusCode, Header: res.Header, Body: res.Body}, nil
}

// EnsureIndex creates the index with the mapping of its template, unless it
// is there. One that is there and not ours is an error. It needs what the
// first write to an index needs: the index privileges view_index_metadata and
// create_index.
func (s *Store) EnsureIndex(ctx context.Context, index string) (Step, error) {
	k, err := s.guard.kind(index)
	if err != nil {
		return Step{}, err
	}
	done := "kept"
	_, err = s.c.checkIndex(ctx, k, index)
	if errors.Is(err, ErrMissing) {
		done, err = "created", s.c.createIndex(ctx, k, index)
	}
	return Step{"index", index, done}, err
}
