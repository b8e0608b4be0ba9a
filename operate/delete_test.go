package operate

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"dossier/esindex"
	"dossier/testbed/esnode"
)

// between is a target whose requests to delete pass through before on their
// way, numbered from 1. Where that returns false they end there, with its answer.
func between(t *testing.T, before func(n int, w http.ResponseWriter) bool) (*Target, *esnode.Node) {
	t.Helper()
	node := esnode.Shared(t)
	to, err := url.Parse(node.URL)
	if err != nil {
		t.Fatal(err)
	}
	pass := httputil.NewSingleHostReverseProxy(to)
	var n atomic.Int32
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/_bulk") && !before(int(n.Add(1)), w) {
			return
		}
		pass.ServeHTTP(w, r)
	}))
	t.Cleanup(proxy.Close)
	target, _ := plain(t, false, map[string]string{"es_hosts": proxy.URL})
	return target, node
}

// expired writes n documents that are long past.
func expired(t *testing.T, node *esnode.Node, index string, n int) {
	t.Helper()
	var lines strings.Builder
	for i := range n {
		fmt.Fprintf(&lines, `{"index":{"_id":"%d"}}`+"\n"+`{"last_seen":"2019-01-02T03:04:05Z"}`+"\n", i)
	}
	if answer := node.Must(t, "POST", index+"/_bulk?refresh=true", lines.String()); answer["errors"] != false {
		t.Fatal("the documents could not be written")
	}
}

func left(t *testing.T, node *esnode.Node, index string) int {
	t.Helper()
	node.Must(t, "POST", index+"/_refresh", nil)
	return int(node.Must(t, "GET", index+"/_count", nil)["count"].(float64))
}

// TestStoppedDeletionGoesOn: what is killed in the middle has deleted whole
// parts, says how many, and the next run deletes the others and nothing else.
func TestStoppedDeletionGoesOn(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	target, node := between(t, func(n int, _ http.ResponseWriter) bool {
		if n == 3 {
			stop()
		}
		return n != 3
	})
	const n = 3*batch + 7
	index := target.indices.Attackers()
	expired(t, node, index, n)
	err := target.Retain(ctx, DefaultAges(), false, func(esindex.Step) {})
	if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%d of about %d are deleted, and the next run goes on from there", 2*batch, n)) {
		t.Errorf("stopped: %v", err)
	}
	if rest := left(t, node, index); rest != n-2*batch {
		t.Errorf("%d are left, want %d", rest, n-2*batch)
	}
	var said []string
	if err := target.Retain(t.Context(), DefaultAges(), false, func(s esindex.Step) { said = append(said, s.Done) }); err != nil {
		t.Fatal(err)
	}
	if rest := left(t, node, index); rest != 0 || !strings.HasPrefix(strings.Join(said, "\n"), fmt.Sprintf("%d deleted, last_seen before", n-2*batch)) {
		t.Errorf("%d are left; %q", rest, said)
	}
}

// TestDeletionOutlivesTheNodesMoods: an overloaded node, one that has forgotten the
// listing, and a document that a sensor writes between its listing and its
// deletion, which stays.
func TestDeletionOutlivesTheNodesMoods(t *testing.T) {
	node, index := esnode.Shared(t), ""
	target, _ := between(t, func(n int, w http.ResponseWriter) bool {
		switch n {
		case 1:
			node.Must(t, "PUT", index+"/_doc/17", fmt.Sprintf(`{"last_seen":%q}`, time.Now().UTC().Format(time.RFC3339)))
			node.Must(t, "DELETE", index+"/_doc/18", nil)
		case 2:
			w.Header().Set("X-Elastic-Product", "Elasticsearch")
			w.WriteHeader(http.StatusTooManyRequests)
			return false
		case 3:
			node.Must(t, "DELETE", "/_search/scroll/_all", nil)
		}
		return true
	})
	const n = 3*batch + 7
	index = target.indices.Attackers()
	expired(t, node, index, n)
	var said []string
	if err := target.Retain(t.Context(), DefaultAges(), false, func(s esindex.Step) { said = append(said, s.Done) }); err != nil {
		t.Fatal(err)
	}
	if rest := left(t, node, index); rest != 1 {
		t.Errorf("%d are left, want the one that was written: %q", rest, said)
	}
	if !strings.HasPrefix(strings.Join(said, "\n"), fmt.Sprintf("%d deleted, last_seen before", n-2)) {
		t.Errorf("%q", said)
	}
}

// TestDeletionThatNeverWorks ends, and says why.
func TestDeletionThatNeverWorks(t *testing.T) {
	tries := 0
	target, node := between(t, func(n int, w http.ResponseWriter) bool {
		tries = n
		w.Header().Set("X-Elastic-Product", "Elasticsearch")
		w.WriteHeader(http.StatusForbidden)
		return false
	})
	index := target.indices.Attackers()
	expired(t, node, index, 1)
	if err := target.Retain(t.Context(), DefaultAges(), false, func(esindex.Step) {}); !isForbidden(err) || tries != 1 {
		t.Errorf("after %d tries: %v", tries, err)
	}
}

func TestProgressOfADeletion(t *testing.T) {
	began := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	d := deletion{of: 2_000_000, deleted: 500_000, began: began}
	if got, want := d.progress(began.Add(20*time.Second)), "500000 of about 2000000 deleted so far, about 1m1s to go"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestABlockPasses: while an index is resharded nothing can be deleted from it; what
// these credentials may not is no such thing.
func TestABlockPasses(t *testing.T) {
	for kind, want := range map[string]bool{blockedType: true, "security_exception": false} {
		if got := isPassing(&esindex.Error{Status: http.StatusForbidden, Type: kind}); got != want {
			t.Errorf("%s: %v", kind, got)
		}
	}
}
