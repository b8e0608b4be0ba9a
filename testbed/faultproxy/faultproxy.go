// Package faultproxy stands between a client and Elasticsearch on loopback
// and goes wrong on purpose: it is slow, resets connections, cuts answers
// short, swallows the answer to what was applied, applies what nobody waits
// for any more, and answers with errors or garbage.
package faultproxy

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// Kind is a way to go wrong.
type Kind string

const (
	// Pass forwards the request and its answer.
	Pass Kind = "pass"
	// Reset resets the connection before anything is forwarded.
	Reset Kind = "reset"
	// Swallow forwards the request, waits for the answer, and resets the
	// connection instead of passing it on.
	Swallow Kind = "swallow"
	// Late resets the connection at once, and forwards the request after the
	// delay: it is applied when the client has tried something else.
	Late Kind = "late"
	// Cut forwards the request and passes on half of the answer.
	Cut Kind = "cut"
	// Garbage forwards the request and answers 200 with what is no JSON.
	Garbage Kind = "garbage"
	// Status answers with Fault.Status and forwards nothing.
	Status Kind = "status"
	// Hang never answers and forwards nothing, until the client goes.
	Hang Kind = "hang"
)

// Fault is what becomes of one request.
type Fault struct {
	Kind Kind
	// Delay comes before everything else, but see Late.
	Delay time.Duration
	// Status and Body are the answer of kind Status. Default 503 and an
	// error as Elasticsearch writes it.
	Status int
	Body   string
}

// Request is what a plan may go by.
type Request struct {
	// N counts the proxy's requests from 1.
	N            int
	Method, Path string
	// Body is uncompressed only where the client did not compress it.
	Body []byte
}

// IsBulk says whether the request writes documents.
func (r *Request) IsBulk() bool { return strings.HasSuffix(r.Path, "/_bulk") }

// Plan says what becomes of a request. It may be called by several goroutines
// at a time.
type Plan func(r *Request) Fault

// Random returns a plan that gives each request one of the faults by chance:
// weights need not sum to anything. The same seed gives the same row of
// faults.
func Random(seed uint64, weights map[Fault]float64) Plan {
	rng := rand.New(rand.NewPCG(seed, 1))
	faults := slices.SortedFunc(maps.Keys(weights), func(a, b Fault) int {
		return strings.Compare(fmt.Sprint(a), fmt.Sprint(b))
	})
	sum := 0.0
	for _, f := range faults {
		sum += weights[f]
	}
	var mu sync.Mutex
	return func(*Request) Fault {
		mu.Lock()
		x := rng.Float64() * sum
		mu.Unlock()
		for _, f := range faults {
			if x -= weights[f]; x < 0 {
				return f
			}
		}
		return Fault{Kind: Pass}
	}
}

// Proxy is a listening proxy.
type Proxy struct {
	// URL is where clients connect to.
	URL string

	target    *url.URL
	server    *http.Server
	transport *http.Transport
	group     sync.WaitGroup
	cancel    context.CancelFunc
	ctx       context.Context

	mu       sync.Mutex
	plan     Plan
	requests int
	counts   map[Kind]int
}

// New starts a proxy on loopback for the node at target, an http URL. Without
// a plan everything passes.
func New(target string, plan Plan) (*Proxy, error) {
	u, err := url.Parse(target)
	if err != nil || u.Scheme != "http" || u.Host == "" {
		return nil, fmt.Errorf("faultproxy: %q is no http URL of a node", target)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	p := &Proxy{
		URL: "http://" + l.Addr().String(), target: u, plan: plan, counts: make(map[Kind]int), ctx: ctx, cancel: cancel,
		// Compression is between the ends: it passes as it is.
		transport: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 16},
	}
	p.server = &http.Server{Handler: http.HandlerFunc(p.serve)}
	p.group.Go(func() { p.server.Serve(l) })
	return p, nil
}

// Close ends the proxy and all its connections. What was to be applied late
// and is not yet is dropped.
func (p *Proxy) Close() error {
	p.mu.Lock()
	p.cancel() // no request begins after this
	p.mu.Unlock()
	err := p.server.Close()
	p.group.Wait()
	p.transport.CloseIdleConnections()
	return err
}

// SetPlan changes what becomes of later requests; nil lets all pass.
func (p *Proxy) SetPlan(plan Plan) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.plan = plan
}

// Counts returns how many requests had each fault.
func (p *Proxy) Counts() map[Kind]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.counts)
}

func (p *Proxy) serve(w http.ResponseWriter, req *http.Request) {
	p.mu.Lock()
	if p.ctx.Err() != nil {
		p.mu.Unlock()
		reset(w)
		return
	}
	p.group.Add(1)
	defer p.group.Done()
	p.requests++
	r := &Request{N: p.requests, Method: req.Method, Path: req.URL.Path}
	plan := p.plan
	p.mu.Unlock()
	var err error
	if r.Body, err = io.ReadAll(req.Body); err != nil {
		reset(w)
		return
	}
	f := Fault{Kind: Pass}
	if plan != nil {
		f = plan(r)
	}
	p.mu.Lock()
	p.counts[f.Kind]++
	p.mu.Unlock()

	if f.Kind == Late {
		p.group.Go(func() {
			if p.wait(p.ctx, f.Delay) {
				if res, err := p.forward(p.ctx, req, r.Body); err == nil {
					io.Copy(io.Discard, res.Body)
					res.Body.Close()
				}
			}
		})
		reset(w)
		return
	}
	if !p.wait(req.Context(), f.Delay) {
		reset(w)
		return
	}
	switch f.Kind {
	case Reset:
		reset(w)
		return
	case Hang:
		select {
		case <-req.Context().Done():
		case <-p.ctx.Done():
		}
		reset(w)
		return
	case Status:
		answer(w, f)
		return
	}
	// A client that gives up doesn't undo what it sent.
	res, err := p.forward(p.ctx, req, r.Body)
	if err != nil {
		reset(w)
		return
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	switch {
	case err != nil || f.Kind == Swallow:
		reset(w)
		return
	case f.Kind == Garbage:
		w.Header().Set("X-Elastic-Product", "Elasticsearch")
		w.Header().Set("Content-Type", "text/html")
		io.WriteString(w, "<html><body>It works!</body></html>")
		return
	}
	for k, v := range res.Header {
		if k != "Content-Length" {
			w.Header()[k] = v
		}
	}
	w.Header().Set("Content-Length", fmt.Sprint(len(got)))
	w.WriteHeader(res.StatusCode)
	if f.Kind == Cut {
		got = got[:len(got)/2]
	}
	w.Write(got)
	if f.Kind == Cut {
		http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler) // a clean end, so that the half arrives
	}
}

// wait returns false where the context or the proxy ends first.
func (p *Proxy) wait(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
	case <-p.ctx.Done():
	}
	return false
}

func (p *Proxy) forward(ctx context.Context, req *http.Request, body []byte) (*http.Response, error) {
	u := *req.URL
	u.Scheme, u.Host = p.target.Scheme, p.target.Host
	out, err := http.NewRequestWithContext(ctx, req.Method, u.String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	out.Header = req.Header.Clone()
	return p.transport.RoundTrip(out)
}

// reset ends the connection so that the client sees a reset.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // ends the connection too
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	conn.Close()
}

// Errors as Elasticsearch writes them.
var bodies = map[int]string{
	http.StatusTooManyRequests:       `{"error":{"type":"es_rejected_execution_exception","reason":"rejected execution of coordinating operation"},"status":429}`,
	http.StatusServiceUnavailable:    `{"error":{"type":"cluster_block_exception","reason":"blocked by: [SERVICE_UNAVAILABLE/2/no master];"},"status":503}`,
	http.StatusForbidden:             `{"error":{"type":"security_exception","reason":"action [indices:data/write/bulk] is unauthorized for user [sensor]"},"status":403}`,
	http.StatusUnauthorized:          `{"error":{"type":"security_exception","reason":"unable to authenticate user [sensor]"},"status":401}`,
	http.StatusRequestEntityTooLarge: ``,
	http.StatusBadGateway:            `<html><body>502 Bad Gateway</body></html>`,
}

func answer(w http.ResponseWriter, f Fault) {
	status := f.Status
	if status == 0 {
		status = http.StatusServiceUnavailable
	}
	body := f.Body
	if body == "" {
		body = bodies[status]
	}
	w.Header().Set("X-Elastic-Product", "Elasticsearch")
	if strings.HasPrefix(body, "{") {
		w.Header().Set("Content-Type", "application/json")
	}
	w.WriteHeader(status)
	io.WriteString(w, body)
}
