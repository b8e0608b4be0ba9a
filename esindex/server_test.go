package esindex_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"dossier/correlate/commit"
	"dossier/esindex"
	"dossier/esindex/esindextest"
)

// answers are what servers say to GET /: the first, third and fourth as the
// launcher's nodes do, the second and the last as their documentation has it.
var answers = map[string]struct {
	header [2]string
	body   string
	want   esindex.Info
	unfit  string
}{
	"Elasticsearch 8.19": {
		[2]string{"X-Elastic-Product", "Elasticsearch"},
		`{"name":"n","cluster_name":"dossier","version":{"number":"8.19.13","build_flavor":"default","build_type":"zip","lucene_version":"9.12.2","minimum_wire_compatibility_version":"7.17.0"},"tagline":"You Know, for Search"}`,
		esindex.Info{Product: esindex.Elasticsearch, Cluster: "dossier", Version: "8.19.13"},
		"",
	},
	"Serverless": {
		[2]string{"X-Elastic-Product", "Elasticsearch"},
		`{"name":"serverless","cluster_name":"fd5fb0e0fbf94be1a46b1b1ffd8f0fc1","version":{"number":"8.11.0","build_flavor":"serverless","build_type":"docker","lucene_version":"9.7.0"},"tagline":"You Know, for Search"}`,
		esindex.Info{Product: esindex.Serverless, Cluster: "fd5fb0e0fbf94be1a46b1b1ffd8f0fc1", Version: "8.11.0"},
		"",
	},
	"OpenSearch 2.19": {
		[2]string{},
		`{"name":"n","cluster_name":"dossier","version":{"distribution":"opensearch","number":"2.19.6","build_type":"unknown","lucene_version":"9.12.3","minimum_wire_compatibility_version":"7.10.0"},"tagline":"The OpenSearch Project: https://opensearch.org/"}`,
		esindex.Info{Product: esindex.OpenSearch, Cluster: "dossier", Version: "2.19.6"},
		"",
	},
	"OpenSearch 3.9": {
		[2]string{"X-OpenSearch-Version", "OpenSearch/3.9.0 (opensearch)"},
		`{"name":"n","cluster_name":"dossier","version":{"distribution":"opensearch","number":"3.9.0"}}`,
		esindex.Info{Product: esindex.OpenSearch, Cluster: "dossier", Version: "3.9.0"},
		"",
	},
	"OpenSearch whose reads may be stale": {
		[2]string{},
		`{"cluster_name":"dossier","version":{"distribution":"opensearch","number":"2.9.0"}}`,
		esindex.Info{Product: esindex.OpenSearch, Cluster: "dossier", Version: "2.9.0"},
		"OpenSearch 2.9.0; at least 2.10 is needed; upgrade OpenSearch",
	},
	"OpenSearch that hides its version": {
		[2]string{},
		`{"cluster_name":"dossier","version":{"distribution":"opensearch","number":"7.10.2"}}`,
		esindex.Info{Product: esindex.OpenSearch, Cluster: "dossier", Version: "7.10.2"},
		"override_main_response_version",
	},
}

// TestProducts: each server is known by what it answers, however it is met
// first, and is asked once.
func TestProducts(t *testing.T) {
	for name, a := range answers {
		t.Run(name, func(t *testing.T) {
			var mu sync.Mutex
			asked := 0
			node := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if a.header[0] != "" {
					w.Header().Set(a.header[0], a.header[1])
				}
				if r.URL.Path != "/" {
					w.Write([]byte(`{}`))
					return
				}
				mu.Lock()
				asked++
				mu.Unlock()
				w.Write([]byte(a.body))
			}))
			defer node.Close()
			c := newClient(t, esindex.Options{Hosts: []string{node.URL}})
			for range 3 {
				if err := c.Call(t.Context(), "try", http.MethodGet, "/x/_settings", nil, nil); err != nil {
					t.Fatal(err)
				}
			}
			for range 2 {
				if p, err := c.Product(t.Context()); p != a.want.Product || err != nil {
					t.Errorf("%v, %v, want %v", p, err, a.want.Product)
				}
			}
			if asked > 1 {
				t.Errorf("asked %d times who it is", asked)
			}
			info, err := c.Info(t.Context())
			if info != a.want || err != nil {
				t.Errorf("%+v, %v, want %+v", info, err, a.want)
			}
			switch err := info.Unfit(); {
			case a.unfit == "" && err != nil, a.unfit != "" && (err == nil || !strings.Contains(err.Error(), a.unfit)):
				t.Errorf("%v, want %q", err, a.unfit)
			}
		})
	}
}

// TestWhoIsNotTold: OpenSearch before 3.x can't be told from anybody where
// credentials may not ask. Elasticsearch is known by its header, which a refusal
// by its security doesn't have, or by the words of that refusal.
func TestWhoIsNotTold(t *testing.T) {
	const (
		openSearch = "no permissions for [cluster:monitor/main] and User [name=s1, backend_roles=[], requestedTenant=null]"
		elastic    = "action [cluster:monitor/main] is unauthorized for API key id [3PgMIqIBGWqKK6ekPRCG] of user [elastic], this action is granted by the cluster privileges [monitor,manage,all]"
	)
	for _, a := range []struct {
		header, reason string
		want           esindex.Product
	}{
		{"Elasticsearch", openSearch, esindex.Elasticsearch}, {"", elastic, esindex.Elasticsearch}, {"", openSearch, esindex.Unknown},
	} {
		node := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if a.header != "" {
				w.Header().Set("X-Elastic-Product", a.header)
			}
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprintf(w, `{"error":{"type":"security_exception","reason":%q},"status":403}`, a.reason)
		}))
		defer node.Close()
		p, err := newClient(t, esindex.Options{Hosts: []string{node.URL}}).Product(t.Context())
		switch told := err != nil && strings.Contains(err.Error(), "cluster:monitor/main (GET /)"); {
		case p != a.want, (err != nil) != (p == esindex.Unknown), p == esindex.Unknown && !told:
			t.Errorf("%q %.20s: %v, %v", a.header, a.reason, p, err)
		}
	}
}

func TestVersions(t *testing.T) {
	for _, v := range []struct {
		version string
		before  bool
	}{{"8.6.2", true}, {"8.7.0", false}, {"8.19.13", false}, {"9.0.0", false}, {"7.17.0", true}, {"", false}, {"serverless", false}} {
		if got := esindex.Before(v.version, esindex.Elasticsearch.Least()); got != v.before {
			t.Errorf("%s before %s: %v", v.version, esindex.Elasticsearch.Least(), got)
		}
	}
}

// TestOpenSearchIdentity: the security plugin is asked, whose answer is that of
// its documentation; without it the call is unknown, as a node here says.
func TestOpenSearchIdentity(t *testing.T) {
	for _, c := range []struct {
		status int
		body   string
		user   string
		roles  []string
		err    error
	}{
		{200, `{"user":"User [name=sensor1, backend_roles=[], requestedTenant=null]","user_name":"sensor1","user_requested_tenant":null,"remote_address":"127.0.0.1:44560","backend_roles":[],"custom_attribute_names":[],"roles":["own_index","dossier-writer"],"tenants":{"sensor1":true},"principal":null,"peer_certificates":"0","sso_logout_url":null}`, "sensor1", []string{"own_index", "dossier-writer"}, nil},
		{400, `{"error":"no handler found for uri [/_plugins/_security/authinfo] and method [GET]","status":400}`, "", nil, esindex.ErrNoSecurity},
	} {
		node := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/":
				w.Write([]byte(answers["OpenSearch 2.19"].body))
			case "/_plugins/_security/authinfo":
				w.WriteHeader(c.status)
				w.Write([]byte(c.body))
			default:
				t.Errorf("asked for %s", r.URL.Path)
			}
		}))
		defer node.Close()
		who, err := newClient(t, esindex.Options{Hosts: []string{node.URL}}).Identity(t.Context())
		if who.User != c.user || !slices.Equal(who.Roles, c.roles) || !errors.Is(err, c.err) || (err == nil) != (c.err == nil) {
			t.Errorf("%d: %+v, %v", c.status, who, err)
		}
	}
}

// TestNothingAsksForAStaleCopy: reads by id are current on OpenSearch, with
// replicas that copy segments, only without a preference and in real time.
func TestNothingAsksForAStaleCopy(t *testing.T) {
	n := esindextest.New(t)
	c := newClient(t, esindex.Options{Hosts: []string{n.URL}})
	s, err := esindex.NewStore(c, templates("p", 1))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Install(t.Context(), templates("p", 1)); err != nil {
		t.Fatal(err)
	}
	key := commit.Key{Index: "p-things", ID: "1"}
	write(t, s, commit.Op{Key: key, Body: doc("1", "")})
	read(t, s, key)
	for _, request := range []string{"_mget", "_bulk"} {
		sent := n.Requests(request)
		if len(sent) == 0 {
			t.Errorf("no %s was sent", request)
		}
		for _, r := range sent {
			for name := range r.Query {
				if name != "filter_path" && name != "include_source_on_error" && name != "_source" && name != "_source_includes" {
					t.Errorf("%s with the parameter %s", request, name)
				}
			}
			if bytes.Contains(r.Body, []byte("preference")) || bytes.Contains(r.Body, []byte("realtime")) {
				t.Errorf("%s: %s", request, r.Body)
			}
		}
	}
	// Nor does any other request but the one that retain sends to the primary.
	root := os.DirFS("..")
	err = fs.WalkDir(root, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") || strings.HasPrefix(path, "testbed/") {
			return err
		}
		b, err := fs.ReadFile(root, path)
		for _, parameter := range []string{"preference=", "Preference:", "realtime=", "Realtime:"} {
			if bytes.Contains(bytes.ReplaceAll(b, []byte("&preference=_primary"), nil), []byte(parameter)) {
				t.Errorf("%s sends %s", path, parameter)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestServerless: what Serverless refuses is left out of the templates, and of
// what set-up compares. Its answers are those that others were given by it.
func TestServerless(t *testing.T) {
	l := newLab(t, nil)
	var installed []string
	l.Plan(func(r *esindextest.Request) esindextest.Fault {
		if r.Path == "/" {
			return esindextest.Fault{Status: 200, Body: answers["Serverless"].body}
		}
		if r.Method != http.MethodPut {
			return esindextest.Fault{}
		}
		installed = append(installed, string(r.Body))
		for _, refused := range []string{"number_of_shards", "number_of_replicas", "auto_expand_replicas", "translog"} {
			if bytes.Contains(r.Body, []byte(refused)) {
				const reason = "Settings [index.auto_expand_replicas,index.number_of_shards,index.translog.durability] are not available when running in serverless mode"
				return esindextest.Fault{Status: 400, Body: `{"error":{"root_cause":[{"type":"illegal_argument_exception","reason":"` + reason + `"}],"type":"illegal_argument_exception","reason":"` + reason + `"},"status":400}`}
			}
		}
		return esindextest.Fault{}
	})
	kinds := templates("p", 1)
	for i := range kinds {
		kinds[i].Body = bytes.Replace(kinds[i].Body, []byte(`"number_of_shards"`), []byte(`"translog.durability": "request", "number_of_shards"`), 1)
	}
	if _, err := l.client.Install(t.Context(), kinds); err != nil {
		t.Fatal(err)
	}
	if all := strings.Join(installed, "\n"); strings.Count(all, `"index.refresh_interval":"5s"`) != len(kinds) {
		t.Errorf("the refresh interval isn't set:\n%s", all)
	}
}
