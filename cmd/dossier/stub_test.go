package main

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"dossier/esindex"
	"dossier/testbed/authority"
)

// stub answers as an Elasticsearch with security does that holds nothing but a
// list key in each index that was made, and keeps what it was asked. It is for
// what must be seen on the wire; what becomes of it there is tested with a real
// node.
type stub struct {
	*httptest.Server
	// ca is a PEM file with its certificate's authority.
	ca string

	// silent: it never answers.
	silent atomic.Bool

	mu   sync.Mutex
	seen []asked
	made map[string]bool // indices
}

// asked is a request as the stub saw it.
type asked struct {
	line, authorization, encoding, client, body string
}

func newStub(t *testing.T, tls bool) *stub {
	t.Helper()
	s := &stub{made: map[string]bool{}}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(s.answer))
	s.Config.ErrorLog = nil
	if tls {
		s.EnableHTTP2 = false
		s.StartTLS()
		s.ca = filepath.Join(t.TempDir(), "ca.pem")
		b := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
		if err := os.WriteFile(s.ca, b, 0o600); err != nil {
			t.Fatal(err)
		}
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	return s
}

func (s *stub) answer(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body) // before, or nobody would see that the client is gone
	if s.silent.Load() {
		<-r.Context().Done()
		return
	}
	a := asked{line: r.Method + " " + r.RequestURI, authorization: r.Header.Get("Authorization"), encoding: r.Header.Get("Accept-Encoding"), body: string(body)}
	if r.TLS != nil && len(r.TLS.PeerCertificates) > 0 {
		a.client = r.TLS.PeerCertificates[0].Subject.CommonName
	}
	s.mu.Lock()
	s.seen = append(s.seen, a)
	index, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	switch {
	case index == "_index_template" && rest == "": // a set-up begins
		clear(s.made)
	case r.Method == "PUT" && rest == "":
		s.made[strings.TrimSuffix(index, "-000001")] = true
	}
	made := s.made[index]
	s.mu.Unlock()
	w.Header().Set("X-Elastic-Product", "Elasticsearch")
	w.Header().Set("Content-Type", "application/json")
	reply := func(code int, v any) {
		w.WriteHeader(code)
		json.NewEncoder(w).Encode(v)
	}
	object := map[string]any{}
	switch path := r.URL.Path; {
	case path == "/":
		reply(200, map[string]any{"cluster_name": "stub", "version": map[string]any{"number": "8.19.0"}})
	case path == "/_security/_authenticate" && r.Header.Get("Authorization") == "ApiKey aTpr":
		reply(200, map[string]any{"username": "stub", "api_key": map[string]any{"id": "i", "name": "new"}})
	case path == "/_security/_authenticate":
		reply(200, map[string]any{"username": "stub"})
	case path == "/_security/_query/api_key":
		keys := oldKeys(string(body))
		reply(200, map[string]any{"total": len(keys), "api_keys": keys})
	case path == "/_security/api_key" && r.Method == "DELETE":
		var ending struct{ IDs []string }
		json.Unmarshal(body, &ending)
		reply(200, map[string]any{"invalidated_api_keys": ending.IDs})
	case path == "/_security/user/_has_privileges":
		// What a replay asks first is enough of it.
		lacks := strings.Contains(string(body), "mget")
		reply(200, map[string]any{"index": map[string]any{"x": map[string]any{"y": !lacks}}})
	case path == "/_security/api_key" && r.Method == "POST":
		reply(200, map[string]any{"id": "i", "encoded": "aTpr"})
	case strings.HasSuffix(path, "/_count"):
		reply(200, map[string]any{"count": 0})
	case strings.Contains(path, "/_alias/"):
		reply(200, object)
	case r.Method == "GET" && rest == "_mapping" && made:
		key := map[string]any{"type": "keyword", "index": false, "doc_values": false, "null_value": strings.Repeat("5a", esindex.ListKeySize)}
		reply(200, map[string]any{index: map[string]any{"mappings": map[string]any{"properties": map[string]any{"list_key": key}}}})
	case r.Method == "GET" && strings.HasSuffix(path, "/_mapping"):
		reply(404, map[string]any{"error": map[string]any{"type": "index_not_found_exception", "reason": "no such index"}})
	case r.Method == "GET" && (strings.Contains(path, "_template/") || strings.HasPrefix(path, "/_security/role/")):
		reply(404, object)
	default:
		reply(200, object)
	}
}

// oldKeys are the keys that the stub has: by an id just the one in a file, else
// one of a name and two of another.
func oldKeys(query string) []any {
	key := func(id, name string) any {
		return map[string]any{
			"id": id, "name": name, "creation": 1.7e12, "role_descriptors": map[string]any{"r": map[string]any{"cluster": []string{"monitor"}}},
			"metadata": map[string]any{"dossier": map[string]any{"prefix": "dossier", "role": "retention", "name": name}},
		}
	}
	if strings.Contains(query, `"ids"`) {
		return []any{key("old", "one")}
	}
	return []any{key("old", "one"), key("a", "two"), key("b", "two")}
}

// take returns what was asked since the last time.
func (s *stub) take() []asked {
	s.mu.Lock()
	defer s.mu.Unlock()
	seen := s.seen
	s.seen = nil
	return seen
}

// lines returns the first lines of requests, one each.
func lines(seen []asked) string {
	var out []string
	for _, a := range seen {
		out = append(out, a.line)
	}
	return strings.Join(out, "\n")
}

// files are what the flags name: a certificate with its key, secrets, letters.
type files struct {
	dir                            string
	otherCA, clientCert, clientKey string
	password, key, mmdb, hosts     string
	types                          string // a list of networks that nothing comes from
}

func (f *files) write(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(f.dir, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func newFiles(t *testing.T) *files {
	t.Helper()
	f := &files{dir: t.TempDir()}
	ca, err := authority.New()
	if err != nil {
		t.Fatal(err)
	}
	crt, key, err := ca.Client("operator")
	if err != nil {
		t.Fatal(err)
	}
	f.otherCA = f.write(t, "other.pem", string(ca.CA()))
	f.clientCert, f.clientKey = f.write(t, "client.crt", string(crt)), f.write(t, "client.key", string(key))
	f.password, f.key = f.write(t, "password", "file-horse\n"), f.write(t, "key", "aWQ6a2V5\n")
	return f
}

// askForCertificate has the stub ask for certificates of the files' authority.
func (s *stub) askForCertificate(t *testing.T, f *files) {
	t.Helper()
	pool := x509.NewCertPool()
	b, err := os.ReadFile(f.otherCA)
	if err != nil || !pool.AppendCertsFromPEM(b) {
		t.Fatal(err)
	}
	s.TLS.ClientCAs, s.TLS.ClientAuth = pool, 3 // VerifyClientCertIfGiven
}
