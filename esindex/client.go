package esindex

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"sync/atomic"
	"time"

	"github.com/elastic/go-elasticsearch/v8/esapi"
)

// Client sends requests to the nodes of one cluster. It tries each request
// once: whether it may be tried again is for the caller to know. Only where
// no connection came about, so that nothing can have been sent, it goes on to
// the next node. It is safe for concurrent use.
type Client struct {
	o    Options
	wire *wire
	// quotes says that the nodes don't know the parameter
	// include_source_on_error (before Elasticsearch 8.18): what they say about
	// a document may quote it.
	quotes atomic.Bool
	// looks says that it changes nothing (Look).
	looks bool
}

// New makes a client. It reads the files that the options name, and sends
// nothing.
func New(o Options) (*Client, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o.MaxBulkBytes = cmp.Or(o.MaxBulkBytes, DefaultMaxBulkBytes)
	o.MaxBulkDocs = cmp.Or(o.MaxBulkDocs, DefaultMaxBulkDocs)
	o.DialTimeout = cmp.Or(o.DialTimeout, DefaultDialTimeout)
	w, err := newWire(o)
	if err != nil {
		return nil, err
	}
	return &Client{o: o, wire: w}, nil
}

// Close ends the idle connections. Requests after it fail.
func (c *Client) Close() error {
	// It waits for what would look after dead nodes, a moment at most.
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	err := c.wire.pool.Close(ctx)
	c.wire.http.CloseIdleConnections()
	return err
}

// maxAnswer bounds the answers that are read as a whole.
const maxAnswer = 32 << 20

// call carries out a small request and decodes the answer's JSON into out,
// unless it is nil. Every status but 2xx is an *Error.
func (c *Client) call(ctx context.Context, op string, r esapi.Request, out any) error {
	res, err := c.do(ctx, op, r)
	if err != nil {
		return err
	}
	defer finish(res.Body)
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	switch {
	case err != nil:
		return newTransportError(op, err)
	case res.StatusCode > 299:
		return c.wire.secret.explain(newStatusError(op, res.StatusCode, answer, holdsDocument(r)))
	case out == nil:
		return nil
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return newUnreadable(op, res.StatusCode, err)
	}
	return nil
}

// do carries out a request. The answer's body must be closed.
func (c *Client) do(ctx context.Context, op string, r esapi.Request) (*esapi.Response, error) {
	res, err := r.Do(ctx, c.transport())
	switch {
	case err == nil:
		return res, nil
	case ctx.Err() != nil:
		err = ctx.Err()
	case errors.Is(err, errProduct):
		return nil, &Error{
			Op: op, Reason: errProduct.Error(), cause: err,
			Fix: "correct es_hosts; a proxy in between must pass on the headers X-Elastic-Product and X-OpenSearch-Version",
		}
	}
	return nil, newTransportError(op, err)
}

// newUnreadable describes an answer that is not what Elasticsearch sends.
func newUnreadable(op string, status int, err error) *Error {
	if r, ok := errors.AsType[*readError](err); ok {
		return newTransportError(op, r.err)
	}
	return &Error{
		Op: op, Status: status, Reason: "the answer can't be read: " + oneLine(err.Error()), cause: err,
		Fix: "look at what stands between this machine and Elasticsearch if this stays",
	}
}

// finish lets the connection be used again where little is left to read.
func finish(body io.ReadCloser) {
	io.CopyN(io.Discard, body, 64<<10)
	body.Close()
}
