package esindex

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/elastic/elastic-transport-go/v8/elastictransport"
)

// wire carries requests to the nodes: it is the transport that the requests
// of Elastic's esapi go through. Elastic's whole client is left out: it pulls
// in a thousand packages, and hides what was sent how often.
type wire struct {
	pool   *elastictransport.Client
	http   *http.Transport
	secret *secret
	nodes  int
	zip    bool
	server server
}

func newWire(o Options) (*wire, error) {
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
	w := &wire{secret: secret, nodes: len(addresses), zip: o.compress()}
	dialer := &net.Dialer{Timeout: o.DialTimeout, KeepAlive: 15 * time.Second}
	w.http = &http.Transport{
		Proxy:       http.ProxyFromEnvironment,
		DialContext: dialer.DialContext,
		DialTLSContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			return trust.dial(ctx, dialer, network, addr)
		},
		TLSClientConfig: trust.current(), // for connections through a proxy
		OnProxyConnectResponse: func(_ context.Context, proxy *url.URL, _ *http.Request, res *http.Response) error {
			if res.StatusCode == http.StatusOK {
				return nil
			}
			return &proxyError{proxy: proxy.Host, status: res.StatusCode}
		},
		TLSHandshakeTimeout: o.DialTimeout,
		MaxIdleConnsPerHost: 8,
		IdleConnTimeout:     90 * time.Second,
		DisableCompression:  !w.zip,
		WriteBufferSize:     64 << 10,
		ReadBufferSize:      64 << 10,
	}
	w.pool, err = elastictransport.NewClient(
		elastictransport.WithURLs(addresses...),
		elastictransport.WithTransport(w.http),
		elastictransport.WithDisableRetry(),
		elastictransport.WithUserAgent(cmp.Or(o.UserAgent, "dossier")),
	)
	if err != nil {
		return nil, errors.New(oneLine("es_hosts: " + err.Error()))
	}
	return w, nil
}

// proxyError is what a proxy says instead of connecting to a node.
type proxyError struct {
	proxy  string // without its credentials
	status int
}

func (e *proxyError) Error() string {
	return fmt.Sprintf("the proxy %s doesn't connect to the node: HTTP %d %s", e.proxy, e.status, http.StatusText(e.status))
}

// payload is the body of a request: the esapi passes it on as it is.
type payload struct{ bytes []byte }

func (*payload) Read([]byte) (int, error) { return 0, io.EOF } // see wire.Perform
func (*payload) Close() error             { return nil }

// zipFrom is the size in bytes from which a body is worth compressing.
const zipFrom = 1 << 10

// errProduct says that somebody else answers.
var errProduct = errors.New("what answers is neither Elasticsearch nor OpenSearch")

// Perform sends a request whose body, if any, is a *payload. The payload's
// bytes are not used any more when it returns.
func (w *wire) Perform(req *http.Request) (*http.Response, error) {
	var body []byte
	if p, ok := req.Body.(*payload); ok {
		body = p.bytes
	}
	zipped := w.zip && len(body) >= zipFrom
	if zipped {
		buf := zip(body)
		defer buffers.Put(buf)
		body = buf.Bytes()
	}
	for try := 1; ; try++ {
		res, err := w.send(req, body, zipped)
		if dial, ok := errors.AsType[*net.OpError](err); ok && dial.Op == "dial" && try < w.nodes && req.Context().Err() == nil {
			continue // nothing was sent
		}
		if err != nil {
			return res, err
		}
		if named := w.server.learn(res.Header); !named && res.StatusCode < 300 {
			known, err := w.known(req)
			if err == nil && !known {
				err = errProduct
			}
			if err != nil {
				finish(res.Body)
				return nil, err
			}
		}
		return res, nil
	}
}

func (w *wire) send(in *http.Request, body []byte, zipped bool) (*http.Response, error) {
	req := in.Clone(in.Context()) // the pool writes the node's address into it
	w.secret.set(req.Header)
	req.Header.Set("Accept", "application/json")
	req.Body, req.GetBody, req.ContentLength = nil, nil, 0
	if body != nil {
		lent := &loan{buf: body}
		defer lent.end()
		req.ContentLength = int64(len(body))
		req.Body, _ = lent.reader()
		req.GetBody = lent.reader
		if zipped {
			req.Header.Set("Content-Encoding", "gzip")
		}
	}
	return w.pool.Perform(req)
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
	switch {
	case r.pos == len(r.loan.buf):
		// Also after the end: net/http asks once more when all is sent, and
		// would drop a connection that the next request is already on.
		return 0, io.EOF
	case r.loan.ended:
		return 0, io.ErrClosedPipe
	}
	n := copy(p, r.loan.buf[r.pos:])
	r.pos += n
	return n, nil
}

func (r *loanReader) Close() error { return nil }

// zip compresses a body into a buffer of the pool.
func zip(body []byte) *bytes.Buffer {
	buf := buffers.Get().(*bytes.Buffer)
	buf.Reset()
	w := zippers.Get().(*gzip.Writer)
	w.Reset(buf)
	_, _ = w.Write(body) // to memory: can't fail
	w.Close()
	zippers.Put(w)
	return buf
}

var (
	buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}
	zippers = sync.Pool{New: func() any {
		// The fastest level: the documents are small and much alike.
		w, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed)
		return w
	}}
)
