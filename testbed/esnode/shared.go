package esnode

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"dossier/testbed/authority"
)

// external returns the user's node from ELASTICSEARCH_URL, nil without one.
// Name and password may stand in the URL.
func external(ctx context.Context) (*Node, error) {
	given := os.Getenv("ELASTICSEARCH_URL")
	if given == "" {
		return nil, nil
	}
	u, err := url.Parse(given)
	if err != nil || u.Host == "" {
		return nil, errors.New("esnode: ELASTICSEARCH_URL is no URL such as http://127.0.0.1:9200")
	}
	n := &Node{}
	n.Name, n.Backend = "external", "external"
	if u.User != nil {
		n.User = u.User.Username()
		n.Password, _ = u.User.Password()
		u.User = nil
	}
	n.URL = strings.TrimRight(u.String(), "/")
	n.client = &http.Client{}
	code, info, err := n.Do(ctx, "GET", "/", nil)
	if err != nil || code != 200 {
		return nil, fmt.Errorf("esnode: the node of ELASTICSEARCH_URL does not answer at %s: HTTP %d, %v", n.URL, code, err)
	}
	n.Product = elasticsearch
	if version, _ := info["version"].(map[string]any); version["distribution"] == "opensearch" {
		n.Product = openSearch
	}
	return n, nil
}

// Open returns the running node with the name, or starts it. It runs on when
// this process ends, and its data is kept for the next time: it is a node for
// people. ELASTICSEARCH_URL goes before.
func Open(ctx context.Context, o Options) (*Node, error) {
	if n, err := external(ctx); n != nil || err != nil {
		return n, err
	}
	if err := o.complete(); err != nil {
		return nil, err
	}
	if o.Dir == "" {
		dir, err := keptDir(o.Server, o.Name)
		if err != nil {
			return nil, err
		}
		o.Dir = dir
	}
	return openOrStart(ctx, o, detached)
}

// keptDir is where a node is whose data is kept: what one server wrote no other
// can read.
func keptDir(server, name string) (string, error) {
	of, err := lookUp(server)
	if err != nil {
		return "", err
	}
	if !nameForm.MatchString(name) {
		return "", fmt.Errorf("esnode: %q is no name of a node", name)
	}
	nodes, err := nodesDir()
	if err != nil {
		return "", err
	}
	if of.name != DefaultServer {
		name += "-" + of.name
	}
	return filepath.Join(nodes, name), nil
}

// Find returns the running node of that server (see Options) that Open started
// under the name.
func Find(server, name string) (*Node, error) {
	dir, err := keptDir(server, name)
	if err != nil {
		return nil, err
	}
	n, err := reopen(dir)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !n.Running() {
		return nil, fmt.Errorf("esnode: no node named %s runs", name)
	}
	if err != nil {
		return nil, err
	}
	n.ours = true
	return n, nil
}

// openOrStart joins the node in o.Dir if it runs and answers, else starts it.
func openOrStart(ctx context.Context, o Options, life lifetime) (*Node, error) {
	lock, err := lockFile(ctx, o.Dir+".lock")
	if err != nil {
		return nil, err
	}
	defer lock.Close()
	if n, err := reopen(o.Dir); err == nil {
		if n.Running() && n.WaitFor(ctx, "yellow") == nil {
			if life != detached {
				if n.use, err = lockUse(ctx, o.Dir); err != nil {
					return nil, err
				}
			}
			return n, nil
		}
		n.ours = true
		if err := n.Close(); err != nil {
			return nil, err
		}
	}
	n, err := start(ctx, o, life, true)
	if err != nil {
		return nil, err
	}
	n.ours = false
	return n, nil
}

// reopen returns the node that is recorded in the folder.
func reopen(dir string) (*Node, error) {
	r, err := readRecord(dir)
	if err != nil {
		return nil, err
	}
	n := &Node{record: r}
	if strings.HasPrefix(r.URL, "https:") {
		if n.authority, err = authority.Open(filepath.Join(dir, "authority")); err != nil {
			return nil, err
		}
	}
	if n.client, err = n.newClient(); err != nil {
		return nil, err
	}
	server, err := lookUp(cmp.Or(r.Server, DefaultServer))
	if err != nil {
		return nil, err
	}
	n.runner = backend{name: r.Backend, server: server}.runner(n, Options{Name: r.Name})
	return n, nil
}

// opened is the shared node where this process has asked for it.
var opened atomic.Pointer[Node]

var sharedNode = sync.OnceValues(func() (*Node, error) {
	ctx, cancel := context.WithTimeout(context.Background(), startLimit+10*time.Minute)
	defer cancel()
	if n, err := external(ctx); n != nil || err != nil {
		return n, err
	}
	dir, err := keptDir("", "shared")
	if err != nil {
		return nil, err
	}
	return openOrStart(ctx, Options{Name: "shared", Dir: dir, Heap: "1g"}, shared)
})

// Shared returns the node that all test packages share: the one of
// ELASTICSEARCH_URL where it is set, else one that the first caller starts
// and that ends by itself soon after the last. It has no security. A test
// must use indices of its own and must not stop it. Without a way to run
// Elasticsearch the test fails.
func Shared(t testing.TB) *Node {
	t.Helper()
	n, err := sharedNode()
	if err != nil {
		t.Fatal(err)
	}
	opened.Store(n)
	return n
}

// Require starts a node of its own for the test and closes it at the end. On
// a machine that has nothing but ELASTICSEARCH_URL the test is skipped; with
// nothing at all it fails.
func Require(t testing.TB, o Options) *Node {
	t.Helper()
	n, err := Start(t.Context(), o)
	if err != nil {
		FailOrSkip(t, err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

// FailOrSkip ends a test whose node didn't start: it is skipped where this
// machine can't have that node.
func FailOrSkip(t testing.TB, err error) {
	t.Helper()
	switch {
	case errors.Is(err, errNoSecurity):
		t.Skip("SKIP: this test needs a node with security: OpenSearch's plugin for it isn't on Maven Central")
	case errors.Is(err, errNoBackend) && os.Getenv("ELASTICSEARCH_URL") != "":
		t.Skip("SKIP: this test needs an Elasticsearch of its own (Docker, or Java 17+ and Maven), not the one of ELASTICSEARCH_URL")
	}
	t.Fatal(err)
}

// Elastic skips a test of what only Elasticsearch has, and says what that is,
// where the tests run on another server.
func Elastic(t testing.TB, what string) {
	t.Helper()
	n, err := sharedNode()
	if err != nil {
		t.Fatal(err)
	}
	if n.IsOpenSearch() {
		t.Skipf("SKIP: OpenSearch has no %s", what)
	}
}
