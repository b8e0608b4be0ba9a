package esindex

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/elastic/go-elasticsearch/v8"
)

// Client sends requests to the nodes of one cluster. It tries each request
// once: whether it may be tried again is for the caller to know. Only where
// no connection came about, so that nothing can have been sent, it goes on to
// the next node. It is safe for concurrent use.
type Client struct {
	o         Options
	base      *elasticsearch.BaseClient
	transport *http.Transport
	secret    *secret
	nodes     int
	zip       bool
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
	addresses, err := o.addresses()
	if err != nil {
		return nil, err
	}
	secret, err := newSecret(o)
	if err != nil {
		return nil, err
	}
	trust, err := newTrust(o)
	if err != nil {
		return nil, err
	}
	c := &Client{o: o, secret: secret, nodes: len(addresses), zip: o.compress()}
	dialer := &net.Dialer{Timeout: o.DialTimeout, KeepAlive: 15 * time.Second}
	c.transport = &http.Transport{
		Proxy:       http.ProxyFromEnvironment,
		DialContext: dialer.DialContext,
		DialTLSContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			return trust.dial(ctx, dialer, network, addr)
		},
		TLSClientConfig:       trust.current(), // for connections through a proxy
		TLSHandshakeTimeout:   o.DialTimeout,
		MaxIdleConnsPerHost:   8,
		IdleConnTimeout:       90 * time.Second,
		ExpectContinueTimeout: time.Second,
		DisableCompression:    !c.zip,
		WriteBufferSize:       64 << 10,
		ReadBufferSize:        64 << 10,
	}
	c.base, err = elasticsearch.NewBaseClient(elasticsearch.Config{
		Addresses:         addresses,
		Transport:         c.transport,
		DisableRetry:      true,
		DisableMetaHeader: true,
		Header:            http.Header{"User-Agent": {cmp.Or(o.UserAgent, "dossier")}},
	})
	if err != nil {
		return nil, errors.New(oneLine("es_hosts: " + err.Error()))
	}
	return c, nil
}

// Close ends the idle connections. Requests after it fail.
func (c *Client) Close() error {
	// It waits for timers of dead nodes at most.
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	err := c.base.Close(ctx)
	c.transport.CloseIdleConnections()
	return err
}

// Info is what a node says about itself.
type Info struct {
	Cluster string
	Version string
}

// Info asks a node who it is: the cheapest way to see whether addresses,
// certificates and credentials are right. Both names are empty where the
// credentials are good but lack the cluster privilege "monitor", which
// writing doesn't need.
func (c *Client) Info(ctx context.Context) (Info, error) {
	var answer struct {
		Cluster string `json:"cluster_name"`
		Version struct {
			Number string `json:"number"`
		} `json:"version"`
	}
	err := c.call(ctx, "connect", http.MethodGet, "/", nil, &answer)
	if hasStatus(err, http.StatusForbidden) {
		if e, _ := errors.AsType[*Error](err); e.Type == "security_exception" {
			return Info{}, nil
		}
	}
	return Info{Cluster: oneLine(answer.Cluster), Version: oneLine(answer.Version.Number)}, err
}

// maxAnswer bounds the answers that are read as a whole.
const maxAnswer = 32 << 20

// call sends a small request and decodes the answer's JSON into out, unless
// it is nil. Every status but 2xx is an *Error.
func (c *Client) call(ctx context.Context, op, method, path string, body []byte, out any) error {
	res, err := c.send(ctx, op, method, path, "application/json", body)
	if err != nil {
		return err
	}
	defer finish(res.Body)
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	switch {
	case err != nil:
		return newTransportError(op, err)
	case res.StatusCode > 299:
		return newStatusError(op, res.StatusCode, answer)
	case out == nil:
		return nil
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return newUnreadable(op, res.StatusCode, err)
	}
	return nil
}

// newUnreadable describes an answer that is not what Elasticsearch sends.
func newUnreadable(op string, status int, err error) *Error {
	if cause := ioCause(err); cause != nil {
		return newTransportError(op, cause)
	}
	return &Error{Op: op, Status: status, Reason: "the answer can't be read: " + oneLine(err.Error()), cause: err,
		Fix: "look at what stands between this machine and Elasticsearch if this stays"}
}

// ioCause returns the error of reading, if that is what went wrong.
func ioCause(err error) error {
	if r, ok := errors.AsType[*readError](err); ok {
		return r.err
	}
	return nil
}

// zipFrom is the size in bytes from which a body is worth compressing.
const zipFrom = 1 << 10

// send sends one request. The body is not used any more when it returns.
func (c *Client) send(ctx context.Context, op, method, path, contentType string, body []byte) (*http.Response, error) {
	var zipped *bytes.Buffer
	if c.zip && len(body) >= zipFrom {
		zipped = buffers.Get().(*bytes.Buffer)
		defer buffers.Put(zipped)
		zipped.Reset()
		w := zippers.Get().(*gzip.Writer)
		w.Reset(zipped)
		w.Write(body) // to memory: can't fail
		w.Close()
		zippers.Put(w)
		body = zipped.Bytes()
	}
	for try := 1; ; try++ {
		res, err := c.sendOnce(ctx, method, path, contentType, body, zipped != nil)
		if err == nil {
			return res, nil
		}
		if dial, ok := errors.AsType[*net.OpError](err); ok && dial.Op == "dial" && try < c.nodes && ctx.Err() == nil {
			continue // nothing was sent
		}
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		if strings.Contains(err.Error(), "not Elasticsearch") {
			return nil, &Error{Op: op, Reason: "what answers is not Elasticsearch", cause: err,
				Fix: "correct es_hosts; forks and proxies that don't send the header X-Elastic-Product can't be used"}
		}
		return nil, newTransportError(op, err)
	}
}

func (c *Client) sendOnce(ctx context.Context, method, path, contentType string, body []byte, zipped bool) (*http.Response, error) {
	u, err := url.Parse(path)
	if err != nil {
		return nil, err
	}
	req := (&http.Request{
		Method: method, URL: u, Header: http.Header{"Accept": {"application/json"}},
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}).WithContext(ctx)
	c.secret.set(req.Header)
	if body != nil {
		lent := &loan{buf: body}
		defer lent.end()
		req.ContentLength = int64(len(body))
		req.Body, _ = lent.reader()
		req.GetBody = lent.reader
		req.Header.Set("Content-Type", contentType)
		if zipped {
			req.Header.Set("Content-Encoding", "gzip")
		}
	}
	return c.base.Perform(req)
}

// loan lends a buffer to net/http, which may go on reading a request's body
// after it has returned the answer. After end nobody reads it any more.
type loan struct {
	mu    sync.Mutex
	buf   []byte
	ended bool
}

func (l *loan) end() {
	l.mu.Lock()
	l.ended = true
	l.mu.Unlock()
}

func (l *loan) reader() (io.ReadCloser, error) { return &loanReader{loan: l}, nil }

type loanReader struct {
	loan *loan
	pos  int
}

func (r *loanReader) Read(p []byte) (int, error) {
	r.loan.mu.Lock()
	defer r.loan.mu.Unlock()
	if r.loan.ended {
		return 0, io.ErrClosedPipe
	}
	if r.pos == len(r.loan.buf) {
		return 0, io.EOF
	}
	n := copy(p, r.loan.buf[r.pos:])
	r.pos += n
	return n, nil
}

func (r *loanReader) Close() error { return nil }

// finish lets the connection be used again where little is left to read.
func finish(body io.ReadCloser) {
	io.CopyN(io.Discard, body, 64<<10)
	body.Close()
}

var (
	buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}
	zippers = sync.Pool{New: func() any {
		// The fastest level: the documents are small and much alike.
		w, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed)
		return w
	}}
)
