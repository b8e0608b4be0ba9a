package esindex_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"dossier/correlate/commit"
	"dossier/esindex"
	"dossier/testbed/esnode"
	"dossier/testbed/faultproxy"
	"dossier/testbed/port"

	"go.uber.org/goleak"
)

// TestFaultsOfTheLink: an answer that did not come whole is an error, never
// taken for another outcome, whether or not the write was applied.
func TestFaultsOfTheLink(t *testing.T) {
	n := esnode.Shared(t)
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	p, err := faultproxy.New(n.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	s := newSite(t, n, func(o *esindex.Options) { o.Hosts = []string{p.URL} })
	defer s.client.Close()
	write(t, s.store, commit.Op{Key: s.things("first"), Body: doc("1", "")})
	write(t, s.store, commit.Op{Key: s.things("second"), Body: doc("1", "")})
	for _, c := range []struct {
		name    string
		fault   faultproxy.Fault
		applied bool
		status  int
	}{
		{"reset", faultproxy.Fault{Kind: faultproxy.Reset}, false, 0},
		{"swallow", faultproxy.Fault{Kind: faultproxy.Swallow}, true, 0},
		{"late", faultproxy.Fault{Kind: faultproxy.Late}, true, 0},
		{"cut", faultproxy.Fault{Kind: faultproxy.Cut}, true, 0},
		{"garbage", faultproxy.Fault{Kind: faultproxy.Garbage}, true, 200},
		{"hang", faultproxy.Fault{Kind: faultproxy.Hang}, false, 0},
		{"503", faultproxy.Fault{Kind: faultproxy.Status, Status: 503}, false, 503},
		{"502", faultproxy.Fault{Kind: faultproxy.Status, Status: 502}, false, 502},
		{"429", faultproxy.Fault{Kind: faultproxy.Status, Status: 429}, false, 429},
		{"403", faultproxy.Fault{Kind: faultproxy.Status, Status: 403}, false, 403},
		{"401", faultproxy.Fault{Kind: faultproxy.Status, Status: 401}, false, 401},
		{"400", faultproxy.Fault{Kind: faultproxy.Status, Status: 400, Body: `{"error":{"type":"illegal_argument_exception","reason":"secret"}}`}, false, 400},
		{"empty", faultproxy.Fault{Kind: faultproxy.Status, Status: 200, Body: "{}"}, false, 200},
		{"too few", faultproxy.Fault{Kind: faultproxy.Status, Status: 200, Body: `{"items":[{"create":{"status":201,"_seq_no":1,"_primary_term":1}}],"docs":[{"found":false}]}`}, false, 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			ops := []commit.Op{{Key: s.things(c.name), Body: doc("1", "")}, {Key: s.things(c.name + "2"), Body: doc("1", "")}}
			keys := []commit.Key{ops[0].Key, ops[1].Key}
			p.SetPlan(func(*faultproxy.Request) faultproxy.Fault { return c.fault })
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			if c.fault.Kind == faultproxy.Hang {
				ctx, cancel = context.WithTimeout(t.Context(), 100*time.Millisecond)
			}
			defer cancel()
			w, err := s.store.Write(ctx, ops)
			e, ok := errors.AsType[*esindex.Error](err)
			if !ok || e.Status != c.status || strings.ContainsAny(err.Error(), "\n") || strings.Contains(err.Error(), "secret") {
				t.Errorf("write: %+v, %v", w, err)
			}
			t.Log(err)
			if _, err := s.store.Read(ctx, keys); err == nil {
				t.Error("read: no error")
			}
			if c.fault.Kind == faultproxy.Hang && !errors.Is(err, context.DeadlineExceeded) {
				t.Error("not the context's error")
			}
			p.SetPlan(nil)
			deadline := time.Now().Add(5 * time.Second)
			for {
				got := read(t, s.store, keys...)
				if got[0].Exists == c.applied && got[1].Exists == c.applied {
					break
				}
				if time.Now().After(deadline) {
					t.Fatalf("applied: %+v", got)
				}
				time.Sleep(10 * time.Millisecond)
			}
		})
	}
}

// TestHalfOfABulkFails: what was answered stands, the rest is unknown.
func TestHalfOfABulkFails(t *testing.T) {
	n := esnode.Shared(t)
	p, err := faultproxy.New(n.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	s := newSite(t, n, func(o *esindex.Options) { o.Hosts, o.MaxBulkDocs = []string{p.URL}, 2 })
	write(t, s.store, commit.Op{Key: s.things("first"), Body: doc("1", "")})
	write(t, s.store, commit.Op{Key: s.things("second"), Body: doc("1", "")})
	var bulks atomic.Int32
	p.SetPlan(func(r *faultproxy.Request) faultproxy.Fault {
		bulks.Add(1)
		if bytes.Contains(r.Body, []byte(`"_id":"c"`)) {
			return faultproxy.Fault{Kind: faultproxy.Cut}
		}
		return faultproxy.Fault{Kind: faultproxy.Pass}
	})
	var ops []commit.Op
	for _, id := range []string{"a", "b", "c", "d", "e", "f"} {
		ops = append(ops, commit.Op{Key: s.things(id), Body: doc("1", "")})
	}
	w := write(t, s.store, ops...)
	// The third request was sent or not, as the first one or the second ended
	// sooner.
	sent := bulks.Load() == 3
	for i := range w {
		done := i < 2 || i >= 4 && sent
		if done != (w[i].Status == commit.Done) || !done && (w[i].Status != commit.Unknown || w[i].Reason == "") {
			t.Errorf("%d, %d bulks: %+v", i, bulks.Load(), w[i])
		}
	}
}

// TestDeadNodeIsAvoided: a node that is gone costs nothing but a moment, and
// what was sent is not sent twice.
func TestDeadNodeIsAvoided(t *testing.T) {
	n := esnode.Shared(t)
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	dead := "http://" + port.Address(t)
	p, err := faultproxy.New(n.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	s := newSite(t, n, func(o *esindex.Options) { o.Hosts = []string{dead, p.URL, dead + "/"} })
	defer s.client.Close()
	for i := range 6 {
		w := write(t, s.store, commit.Op{Kind: commit.Put, Key: s.things("1"), Body: doc("1", "")})
		if w[0].Status != commit.Done || w[0].Version.SeqNo != int64(i) {
			t.Errorf("%+v", w)
		}
	}
	// A request that a node may have taken is not sent to another.
	p.SetPlan(func(*faultproxy.Request) faultproxy.Fault { return faultproxy.Fault{Kind: faultproxy.Swallow} })
	if _, err := s.store.Write(t.Context(), []commit.Op{{Kind: commit.Put, Key: s.things("1"), Body: doc("1", "")}}); err == nil {
		t.Error("no error")
	}
	if got := p.Counts()[faultproxy.Swallow]; got != 1 {
		t.Errorf("sent %d times", got)
	}
}

// TestConnectionErrorsSayWhatToDo: one line each, by cause, without secrets.
func TestConnectionErrorsSayWhatToDo(t *testing.T) {
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "{}") }))
	defer plain.Close()
	secure := httptest.NewUnstartedServer(plain.Config.Handler)
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	defer secure.Close()
	closed := port.Address(t)
	for _, c := range []struct {
		host string
		want []string
	}{
		{"http://no-such-host.invalid:9200", []string{"unknown host no-such-host.invalid", "es_hosts"}},
		{"http://" + closed, []string{"refused", "start Elasticsearch"}},
		{secure.URL, []string{"not trusted", "es_ca_file"}},
		{"https://" + plain.Listener.Addr().String(), []string{"does not speak TLS", "http://"}},
		{"http://" + secure.Listener.Addr().String(), []string{"HTTP 400", "https://"}},
		{plain.URL, []string{"neither Elasticsearch nor OpenSearch", "es_hosts"}},
	} {
		client := newClient(t, esindex.Options{Hosts: []string{c.host}, User: "u", Password: "hunter2"})
		_, err := client.Info(t.Context())
		if err == nil {
			t.Errorf("%s: no error", c.host)
			continue
		}
		t.Log(err)
		for _, part := range c.want {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: %v lacks %q", c.host, err, part)
			}
		}
		if strings.Contains(err.Error(), "hunter2") || strings.ContainsAny(err.Error(), "\n") {
			t.Errorf("%s: %v", c.host, err)
		}
	}
}
