package esnode

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
)

// newClient returns an HTTP client that trusts the node, with a client
// certificate where the authority can issue one.
func (n *Node) newClient() (*http.Client, error) {
	transport := &http.Transport{MaxIdleConnsPerHost: 8}
	if n.authority != nil {
		crt, key, err := n.authority.Client("test")
		if err != nil {
			return nil, err
		}
		pair, err := tls.X509KeyPair(crt, key)
		if err != nil {
			return nil, err
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: n.authority.Pool(), Certificates: []tls.Certificate{pair}}
	}
	return &http.Client{Transport: transport}, nil
}

// Client returns an HTTP client that trusts the node.
func (n *Node) Client() *http.Client { return n.client }

// Do sends one request as the node's first user and returns the status and
// the answer. The body is sent as it is where it is a string or bytes, else
// as JSON. An answer that is not a JSON object stands under "text".
func (n *Node) Do(ctx context.Context, method, path string, body any) (int, map[string]any, error) {
	var reader io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		reader = strings.NewReader(b)
	case []byte:
		reader = bytes.NewReader(b)
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
	if n.User != "" {
		req.SetBasicAuth(n.User, n.Password)
	}
	res, err := n.client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		return res.StatusCode, nil, err
	}
	answer := map[string]any{}
	if json.Unmarshal(raw, &answer) != nil {
		answer = map[string]any{"text": string(raw)}
	}
	return res.StatusCode, answer, nil
}

// Must is Do for a test that ends where the answer is not 2xx.
func (n *Node) Must(t testing.TB, method, path string, body any) map[string]any {
	t.Helper()
	code, answer, err := n.Do(t.Context(), method, path, body)
	if err != nil {
		t.Fatal(err)
	}
	if code < 200 || code > 299 {
		t.Fatalf("%s %s: HTTP %d: %v", method, path, code, answer)
	}
	return answer
}
