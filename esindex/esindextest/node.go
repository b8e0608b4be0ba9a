// Package esindextest is one node of Elasticsearch in memory: enough of it
// for what package esindex asks, with the sequence numbers, primary terms and
// errors of a real one, in microseconds and with faults on demand.
//
// The tests of this package run the same requests against it and a real node
// and compare the answers; what is not compared there it does not have. It
// keeps one shard an index, knows the field types long, ip, date, keyword and
// binary, and evaluates no query.
package esindextest

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Request is one request as the node got it, decompressed.
type Request struct {
	Method, Path string
	Query        map[string][]string
	Header       http.Header
	Body         []byte
	// Wire is how many bytes the body had as it was sent.
	Wire int
}

// Fault is what becomes of a request instead of its answer. The zero value
// changes nothing.
type Fault struct {
	// Status and Body are sent instead of the answer, unless Status is 0.
	Status int
	Body   string
	// Applied says that the request is carried out before Status, Cut or
	// Reset take effect.
	Applied bool
	// Cut ends the connection after so many bytes of the answer, unless it
	// is 0.
	Cut int
	// Reset ends the connection without an answer.
	Reset bool
	// Rewrite changes the answer.
	Rewrite func(answer []byte) []byte
	// Item is asked for each item of a _bulk: a status other than 0 fails the
	// item, which is then not carried out.
	Item func(index, id string) (status int, typ, reason string)
}

// Node is the node. Its methods may be called at any time.
type Node struct {
	URL string

	server *httptest.Server
	mu     sync.Mutex
	state  state
	// MaxContent bounds a request's body, in bytes as sent; 0 is no bound.
	// OldParameters says that the node knows no include_source_on_error. Both
	// are for the time before the first request.
	MaxContent    int
	OldParameters bool
	plan          func(*Request) Fault
	log           []Request
}

// New starts a node that ends with the test.
func New(t testing.TB) *Node {
	n := &Node{state: newState()}
	n.server = httptest.NewServer(n)
	n.URL = n.server.URL
	t.Cleanup(n.server.Close)
	return n
}

// Plan sets what becomes of requests; nil is nothing special.
func (n *Node) Plan(f func(*Request) Fault) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.plan = f
}

// Requests returns the requests so far whose path ends with the suffix.
func (n *Node) Requests(suffix string) []Request {
	n.mu.Lock()
	defer n.mu.Unlock()
	var out []Request
	for _, r := range n.log {
		if strings.HasSuffix(r.Path, suffix) {
			out = append(out, r)
		}
	}
	return out
}

// Failover makes the index's primary another one: its term grows.
func (n *Node) Failover(index string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.state.indices[index].term++
}

// Do sends one request and returns the status and the answer's JSON.
func (n *Node) Do(ctx context.Context, method, path string, body any) (int, map[string]any, error) {
	var reader io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		reader = strings.NewReader(b)
	default:
		j, err := json.Marshal(b)
		if err != nil {
			return 0, nil, err
		}
		reader = bytes.NewReader(j)
	}
	req, err := http.NewRequestWithContext(ctx, method, n.URL+"/"+strings.TrimLeft(path, "/"), reader)
	if err != nil {
		return 0, nil, err
	}
	if reader != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	answer := map[string]any{}
	err = json.NewDecoder(res.Body).Decode(&answer)
	return res.StatusCode, answer, err
}

// ServeHTTP implements http.Handler.
func (n *Node) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	wire := len(raw)
	if r.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(bytes.NewReader(raw))
		if err == nil {
			raw, err = io.ReadAll(z)
		}
		if err != nil {
			http.Error(w, `{"error":"not in gzip format","status":400}`, http.StatusBadRequest)
			return
		}
	}
	in := Request{Method: r.Method, Path: r.URL.Path, Query: r.URL.Query(), Header: r.Header, Body: raw, Wire: wire}
	n.mu.Lock()
	n.log = append(n.log, in)
	plan := n.plan
	n.mu.Unlock()
	var f Fault
	if plan != nil {
		f = plan(&in)
	}
	status, answer := 0, []byte(nil)
	switch {
	case n.MaxContent > 0 && wire > n.MaxContent:
		status = http.StatusRequestEntityTooLarge
	case f.Applied || f.Status == 0 && !f.Reset:
		n.mu.Lock()
		code, body := n.state.serve(&in, n.OldParameters, f.Item)
		n.mu.Unlock()
		status = code
		answer, _ = json.Marshal(body)
	}
	if f.Status != 0 {
		status, answer = f.Status, []byte(f.Body)
	}
	if f.Rewrite != nil {
		answer = f.Rewrite(answer)
	}
	w.Header().Set("X-Elastic-Product", "Elasticsearch")
	w.Header().Set("Content-Type", "application/json")
	if f.Reset || f.Cut > 0 {
		w.Header().Set("Content-Length", fmt.Sprint(len(answer)))
		if !f.Reset {
			w.WriteHeader(status)
			w.Write(answer[:min(f.Cut, len(answer))])
			w.(http.Flusher).Flush()
		}
		panic(http.ErrAbortHandler)
	}
	w.WriteHeader(status)
	w.Write(answer)
}

// fault is an error in Elasticsearch's form.
type fault struct {
	status      int
	typ, reason string
}

func (f *fault) body() obj {
	if f.typ == "" {
		return obj{"error": f.reason, "status": f.status}
	}
	inner := obj{"type": f.typ, "reason": f.reason}
	return obj{"error": obj{"root_cause": []obj{inner}, "type": f.typ, "reason": f.reason}, "status": f.status}
}

type obj = map[string]any

func failf(status int, typ, format string, args ...any) *fault {
	return &fault{status, typ, fmt.Sprintf(format, args...)}
}

// serve carries out a request.
func (s *state) serve(r *Request, old bool, item func(index, id string) (int, string, string)) (int, any) {
	parts := strings.Split(strings.Trim(r.Path, "/"), "/")
	last := parts[len(parts)-1]
	var f *fault
	answer := obj{"acknowledged": true}
	body := obj{}
	if len(r.Body) > 0 && last != "_bulk" && json.Unmarshal(r.Body, &body) != nil {
		f = failf(400, "parse_exception", "request body is not JSON")
		return f.status, f.body()
	}
	one, two := parts[0], ""
	if len(parts) > 1 {
		two = parts[1]
	}
	switch {
	case r.Path == "/":
		answer = obj{"cluster_name": "esindextest", "version": obj{"number": "8.19.0"}}
	case one == "_bulk":
		if _, ok := r.Query["include_source_on_error"]; ok && old {
			f = failf(400, "illegal_argument_exception", "request [/_bulk] contains unrecognized parameter: [include_source_on_error]")
			break
		}
		answer, f = s.bulk(r, item)
	case one == "_mget":
		answer = s.mget(body)
	case one == "_index_template" && two == "_simulate":
		answer, f = simulate(body)
	case one == "_index_template" || one == "_component_template":
		answer, f = s.template(r.Method, one, two, body)
	case len(parts) == 1 && r.Method == http.MethodPut:
		f = s.create(one, body)
		answer = obj{"acknowledged": true, "shards_acknowledged": true, "index": one}
	case len(parts) == 1 && r.Method == http.MethodDelete:
		if s.indices[one] == nil {
			f = missing(one)
		} else {
			delete(s.indices, one)
		}
	case two == "_mapping":
		answer, f = s.mapping(r.Method, one, body)
	case two == "_settings" && r.Method == http.MethodPut:
		if x := s.indices[one]; x == nil {
			f = missing(one)
		} else {
			x.set(body)
		}
	case two == "_settings" && r.Method == http.MethodGet:
		answer, f = s.settingsOf(one)
	case two == "_alias" && len(parts) == 3:
		answer, f = s.alias(r.Method, one, parts[2], body)
	case two == "_doc" && len(parts) == 3 && r.Method == http.MethodPut:
		res := s.write("index", one, parts[2], r.Body, obj{}, false)
		if res.f != nil {
			f = res.f
		} else {
			answer = obj{"_seq_no": res.seq, "_primary_term": res.term}
		}
	default:
		f = failf(400, "illegal_argument_exception", "esindextest doesn't know %s %s", r.Method, r.Path)
	}
	if f != nil {
		return f.status, f.body()
	}
	return 200, answer
}

func missing(name string) *fault {
	return failf(404, "index_not_found_exception", "no such index [%s]", name)
}

// match returns the indices that a name, an alias or a pattern stands for.
func (s *state) match(name string) []string {
	var out []string
	pattern := strings.Contains(name, "*")
	for n, x := range s.indices {
		ok := n == name
		if pattern {
			ok, _ = path.Match(name, n)
		}
		if _, alias := x.aliases[name]; ok || alias {
			out = append(out, n)
		}
	}
	slices.Sort(out)
	return out
}

// Documents returns the sources of an index's documents by their ids.
func (n *Node) Documents(index string) map[string]map[string]any {
	n.mu.Lock()
	defer n.mu.Unlock()
	out := map[string]map[string]any{}
	if x := n.state.indices[index]; x != nil {
		for id, d := range x.docs {
			out[id] = d.source
		}
	}
	return out
}
