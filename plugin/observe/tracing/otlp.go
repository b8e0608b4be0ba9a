package tracing

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"time"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// client sends spans by OTLP over HTTP. The exporter of the OpenTelemetry
// project that does the same brings all of gRPC with it, on which the plugin
// would grow by 40 % (docs/dependencies.md).
type client struct {
	s    settings
	http *http.Client
	ctx  context.Context // ends with Stop
	end  context.CancelFunc
}

// firstPause is how long the first try waits for the second.
const firstPause = time.Second

func newClient(s settings) *client {
	c := &client{s: s, http: &http.Client{
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, TLSClientConfig: s.tls, ForceAttemptHTTP2: true,
			TLSHandshakeTimeout: 5 * time.Second, MaxIdleConns: 1, IdleConnTimeout: time.Minute,
		},
		// The headers may hold a secret of the collector's.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	c.ctx, c.end = context.WithCancel(context.Background())
	return c
}

// Start implements otlptrace.Client.
func (c *client) Start(context.Context) error { return nil }

// Stop implements otlptrace.Client. Uploads under way end.
func (c *client) Stop(context.Context) error {
	c.end()
	c.http.CloseIdleConnections()
	return nil
}

// UploadTraces implements otlptrace.Client. It tries again as long as the
// collector asks for it, by the timeout at the latest.
func (c *client) UploadTraces(ctx context.Context, spans []*tracepb.ResourceSpans) error {
	ctx, cancel := context.WithTimeout(ctx, c.s.timeout)
	defer cancel()
	defer context.AfterFunc(c.ctx, cancel)()
	// TracesData is on the wire what the export request is.
	body, err := proto.Marshal(&tracepb.TracesData{ResourceSpans: spans})
	if err != nil {
		return err
	}
	if c.s.gzip {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		_, _ = w.Write(body) // to memory
		w.Close()
		body = b.Bytes()
	}
	var last error
	for pause := firstPause; ; pause *= 2 {
		after, err := c.post(ctx, body)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil && last != nil:
			return last // which says more
		case after < 0:
			return err
		}
		last = err
		wait := max(after, pause/2+rand.N(pause))
		if end, _ := ctx.Deadline(); time.Now().Add(wait).After(end) {
			return err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return err
		}
	}
}

// post makes one try. With an error, after says how long to wait at the least
// before the next, and is negative where that is of no use.
func (c *client) post(ctx context.Context, body []byte) (after time.Duration, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.s.url, bytes.NewReader(body))
	if err != nil {
		return -1, err
	}
	maps.Copy(req.Header, c.s.headers)
	req.Header.Set("Content-Type", "application/x-protobuf")
	if c.s.gzip {
		req.Header.Set("Content-Encoding", "gzip")
	}
	res, err := c.http.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return -1, errors.New("the collector did not answer in time")
		}
		if e, ok := errors.AsType[*url.Error](err); ok {
			err = e.Err // the URL may hold a secret
		}
		return 0, fmt.Errorf("the collector does not answer: %w", err)
	}
	defer res.Body.Close()
	io.CopyN(io.Discard, res.Body, 64<<10)
	switch res.StatusCode {
	case http.StatusOK, http.StatusAccepted, http.StatusNoContent:
		return 0, nil
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		seconds, _ := strconv.Atoi(res.Header.Get("Retry-After"))
		after = time.Duration(min(max(seconds, 0), 3600)) * time.Second
	default:
		after = -1
	}
	return after, fmt.Errorf("the collector answers HTTP %d", res.StatusCode)
}
