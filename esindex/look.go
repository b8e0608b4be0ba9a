package esindex

import (
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/elastic/go-elasticsearch/v8/esapi"
)

// Look returns a client over the same connections that changes nothing: a request
// that would is not sent, and taken for done. What is then told is what would be done,
// but for what Elasticsearch would have refused. Closing it is closing c.
func (c *Client) Look() *Client {
	looks := &Client{o: c.o, wire: c.wire, looks: true}
	looks.quotes.Store(c.quotes.Load())
	return looks
}

// transport is what requests go through.
func (c *Client) transport() esapi.Transport {
	if c.looks {
		return withholding{c.wire}
	}
	return c.wire
}

// withholding is a wire that sends only what asks.
type withholding struct{ *wire }

// Perform implements esapi.Transport.
func (w withholding) Perform(req *http.Request) (*http.Response, error) {
	if asks(req.Method, req.URL.Path) {
		return w.wire.Perform(req)
	}
	return &http.Response{
		StatusCode: http.StatusOK, Status: "200 OK", Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: req,
		Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader("{}")), ContentLength: 2,
	}, nil
}

// questions are the ends of paths under which a POST changes nothing.
var questions = []string{"_search", "_count", "_mget", "_simulate", "_has_privileges", "_query/api_key"}

// asks says whether a request only asks.
func asks(method, path string) bool {
	switch method {
	case http.MethodGet, http.MethodHead:
		return true
	case http.MethodPost:
		return slices.ContainsFunc(questions, func(end string) bool { return strings.HasSuffix(path, "/"+end) })
	}
	return false
}

// Ahead is what the step would say before it is done.
func (s Step) Ahead() Step {
	if !s.Changed() {
		return s
	}
	for _, done := range []string{"updated", "added", "removed"} {
		if at := strings.LastIndex(s.Done, ": "+done); at >= 0 {
			s.Done = s.Done[:at] + ": would be " + s.Done[at+len(": "):]
			return s
		}
	}
	if rest, ok := strings.CutPrefix(s.Done, "its filter replaced"); ok {
		s.Done = "its filter would be replaced" + rest
		return s
	}
	s.Done = "would be " + s.Done
	return s
}
