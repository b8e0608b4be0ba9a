// Package faults breaks things on purpose: hosts, nodes, links, documents. A
// test here compares what stands in a real Elasticsearch afterwards with an
// undisturbed run, or with what was sent, and prints its figures.
package faults

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"dossier/plugin/chunk/chunktest"
	"dossier/testbed/e2e"
	"dossier/testbed/esnode"
	"dossier/testbed/host"
	"dossier/testbed/process"
)

// long skips a test that takes longer than two minutes, unless asked for.
func long(t *testing.T) {
	t.Helper()
	if os.Getenv("DOSSIER_LONG") == "" {
		t.Skip("SKIP: takes longer than two minutes; run it with `make test-faults`")
	}
}

// indices are the documents that must not depend on what went wrong. Their
// names follow the prefix.
var indices = []string{"-attackers", "-smtp-targets", "-activity-2026.01"}

// volatile are fields that show how the attacker stood at a write.
var volatile = []string{"totals", "risk", "behavior", "event_count", "service_count", "decky_count", "bounty_count", "credential_count", "is_traversal", "country_code", "asn"}

// undisturbed runs the chunks through one host without any fault and returns
// the documents by index.
func undisturbed(t *testing.T, node *esnode.Node, chunks []e2e.Chunk) map[string]map[string]map[string]any {
	t.Helper()
	prefix := e2e.Prefix(t) + "-u"
	h := e2e.StartHost(t, host.Options{Workers: 4, Properties: e2e.Properties(t, node.URL, prefix, nil)})
	e2e.Deliver(t, h, chunks, 4)
	if err := h.Exit(t.Context()); err != nil {
		t.Fatal(err)
	}
	return documents(t, node, prefix)
}

// ofSample are the documents of the sample's lines from a host without any fault.
// However those are cut and in whatever order they come, the documents are the
// same, so that they are made once for all tests.
func ofSample(t *testing.T) map[string]map[string]map[string]any {
	t.Helper()
	sampled.Lock()
	defer sampled.Unlock()
	if sampled.docs == nil {
		sampled.docs = undisturbed(t, esnode.Shared(t), e2e.Cut(sampleLines(t), 40))
	}
	return sampled.docs
}

var sampled struct {
	sync.Mutex
	docs map[string]map[string]map[string]any
}

func sampleLines(t *testing.T) []string {
	t.Helper()
	return e2e.Lines(t, e2e.Data("decnet", "raw_20k.log"))
}

// stoppable is a node that tests of one node stop, kill and pause in turn; each
// leaves it running. A start takes ten seconds of two processors.
func stoppable(t *testing.T) *esnode.Node {
	t.Helper()
	owned.Do(func() { owned.node, owned.err = esnode.Start(context.Background(), esnode.Options{Name: "stoppable"}) })
	if owned.err != nil {
		esnode.FailOrSkip(t, owned.err)
	}
	return owned.node
}

var owned struct {
	sync.Once
	node *esnode.Node
	err  error
}

func TestMain(m *testing.M) {
	status := m.Run()
	if owned.node != nil {
		if err := owned.node.Close(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			status = 1
		}
	}
	os.Exit(status)
}

func documents(t *testing.T, node *esnode.Node, prefix string) map[string]map[string]map[string]any {
	t.Helper()
	docs := map[string]map[string]map[string]any{}
	for _, i := range indices {
		docs[i] = e2e.Documents(t, node, prefix+i)
	}
	return docs
}

func equal(t *testing.T, want, got map[string]map[string]map[string]any) {
	t.Helper()
	for _, i := range indices {
		switch i {
		case "-activity-2026.01":
			e2e.Equal(t, i, want[i], got[i], volatile...)
		case "-smtp-targets":
			e2e.Equal(t, i, want[i], got[i], e2e.OfAttacker...)
		default:
			e2e.Equal(t, i, want[i], got[i])
		}
	}
}

// A host killed at any moment loses and doubles nothing: what was not
// acknowledged comes again, and sometimes what was.
func TestKill(t *testing.T) {
	const kills = 50
	node := esnode.Shared(t)
	chunks := e2e.Cut(sampleLines(t), 80)
	want := ofSample(t)
	prefix := e2e.Prefix(t)
	properties := e2e.Properties(t, node.URL, prefix, nil)
	const seed = 20260101
	r := rand.New(rand.NewPCG(seed, 0))
	waiting := e2e.Shuffle(chunks, seed)
	var done []e2e.Chunk
	delivered, inFlight := 0, 0
	for kill := 0; kill <= kills; kill++ {
		h := e2e.StartHost(t, host.Options{Workers: 4, Properties: properties})
		last := kill == kills
		ctx, cancel := context.WithCancel(t.Context())
		if !last {
			// Long enough to get somewhere, short enough to be in the middle.
			time.AfterFunc(time.Duration(20+r.IntN(250))*time.Millisecond, func() { h.Kill(); cancel() })
		}
		batch := waiting
		if !last {
			batch = waiting[:min(len(waiting), 6)]
		}
		// An acknowledgement that Fluent Bit never read: the chunk comes again.
		for range min(2, len(done)) {
			batch = append(slices.Clip(batch), done[r.IntN(len(done))])
		}
		var mu sync.Mutex
		acked := map[string]bool{}
		var group sync.WaitGroup
		for _, c := range batch {
			delivered++
			group.Go(func() {
				if _, err := h.Deliver(ctx, c.Tag, c.Data, 50*time.Millisecond); err == nil {
					mu.Lock()
					acked[c.Tag] = true
					mu.Unlock()
				} else if !errors.Is(err, process.ErrGone) && !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
			})
		}
		group.Wait()
		if last {
			if err := h.Exit(t.Context()); err != nil {
				t.Fatal(err)
			}
		} else {
			h.Kill()
		}
		cancel()
		var still []e2e.Chunk
		for _, c := range waiting {
			if acked[c.Tag] {
				done = append(done, c)
			} else {
				still = append(still, c)
			}
		}
		inFlight += len(batch) - len(acked)
		waiting = still
	}
	if len(waiting) > 0 {
		t.Fatalf("%d chunks were never acknowledged", len(waiting))
	}
	t.Logf("%d kills, %d chunks, %d deliveries, %d of them ended by a kill (seed %d)", kills, len(chunks), delivered, inFlight, seed)
	equal(t, want, documents(t, node, prefix))
}

// Eight sensors that write the same attackers at the same time keep every
// count exact and see each other's decoys.
func TestEightSensors(t *testing.T) {
	const sensors, attackers, rounds = 8, 150, 6
	node := esnode.Shared(t)
	prefix := e2e.Prefix(t)
	var group sync.WaitGroup
	start := time.Now()
	var retries atomic.Int64
	for s := range sensors {
		properties := e2e.Properties(t, node.URL, prefix, map[string]string{"sensor_id": fmt.Sprint("sensor-", s)})
		h := e2e.StartHost(t, host.Options{Workers: 2, Properties: properties})
		group.Go(func() {
			for round := range rounds {
				var lines []string
				for a := range attackers {
					at := e2e.RecordTime.Add(-time.Hour + time.Duration(round*sensors+s)*time.Second)
					lines = append(lines, fmt.Sprintf(`<134>1 %s decky-%02d ssh - connect [relay@55555 src_ip="198.18.%d.%d"]`,
						at.Format("2006-01-02T15:04:05.000000+00:00"), s, a/250, 1+a%250))
				}
				n, err := h.Deliver(t.Context(), fmt.Sprint("sensor.", s, ".", round), chunktest.Lines(e2e.RecordTime, "log", lines...), 50*time.Millisecond)
				retries.Add(int64(n - 1))
				if err != nil {
					t.Error(err)
					return
				}
			}
			if err := h.Exit(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	took := time.Since(start)
	docs := e2e.Documents(t, node, prefix+"-attackers")
	if len(docs) != attackers {
		t.Errorf("%d attackers; want %d", len(docs), attackers)
	}
	for id, d := range docs {
		if d["event_count"] != float64(sensors*rounds) || d["decky_count"] != float64(sensors) || d["is_traversal"] != true {
			t.Fatalf("%s: %v events on %v deckies, traversal %v; want %d, %d, true", id, d["event_count"], d["decky_count"], d["is_traversal"], sensors*rounds, sensors)
		}
		path := ""
		for s := range sensors {
			if s > 0 {
				path += " → "
			}
			path += fmt.Sprintf("decky-%02d", s)
		}
		if d["traversal_path"] != path {
			t.Fatalf("%s: path %v; want %s", id, d["traversal_path"], path)
		}
		if n := len(d["sensors"].([]any)); n != sensors {
			t.Fatalf("%s: %d sensors; want %d", id, n, sensors)
		}
	}
	t.Logf("%d sensors × %d chunks × %d attackers in %.1f s, %d chunks given back; conflicts: %s",
		sensors, rounds, attackers, took.Seconds(), retries.Load(), conflicts(t, node, prefix))
}

// conflicts reads from the heartbeats how many writes met a newer document.
func conflicts(t *testing.T, node *esnode.Node, prefix string) string {
	t.Helper()
	status, answer, err := node.Do(t.Context(), "POST", "/"+prefix+"-sensors/_search?size=100", nil)
	if err != nil || status != 200 {
		return fmt.Sprintf("no heartbeats (HTTP %d, %v)", status, err)
	}
	var sum, written float64
	hits := answer["hits"].(map[string]any)["hits"].([]any)
	for _, h := range hits {
		source := h.(map[string]any)["_source"].(map[string]any)
		n, _ := source["conflicts"].(float64)
		w, _ := source["documents_written"].(float64)
		sum, written = sum+n, written+w
	}
	return fmt.Sprintf("%.0f, beside %.0f writes, by %d heartbeats", sum, written, len(hits))
}

// Elasticsearch stops, starts, is killed and comes back while chunks are
// delivered: nothing is lost or doubled, and nobody has to help.
func TestElasticsearchGoesAway(t *testing.T) {
	t.Parallel() // it waits most of the time, as the other does that starts nodes
	chunks := e2e.Cut(sampleLines(t), 60)
	want := ofSample(t)
	node := stoppable(t)
	prefix := e2e.Prefix(t)
	h := e2e.StartHost(t, host.Options{Workers: 4, Properties: e2e.Properties(t, node.URL, prefix, map[string]string{"commit_timeout": "3s"})})
	delivered := make(chan struct{})
	attempts := 0
	go func() {
		defer close(delivered)
		for _, c := range e2e.Shuffle(chunks, 1) {
			n, err := h.Deliver(t.Context(), c.Tag, c.Data, 200*time.Millisecond)
			attempts += n
			if err != nil {
				t.Error(err)
				return
			}
			time.Sleep(150 * time.Millisecond)
		}
	}()
	pause := func(d time.Duration) {
		select {
		case <-delivered:
		case <-time.After(d):
		}
	}
	pause(1500 * time.Millisecond)
	if err := node.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	pause(2 * time.Second)
	if err := node.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	pause(2 * time.Second)
	if err := node.Kill(); err != nil {
		t.Fatal(err)
	}
	pause(time.Second)
	if err := node.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	select {
	case <-delivered:
	case <-time.After(2 * time.Minute):
		t.Fatal("the backlog was not delivered within two minutes of the last start")
	}
	if err := h.Exit(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Logf("a stop and a kill -9: %d chunks took %d attempts", len(chunks), attempts)
	equal(t, want, documents(t, node, prefix))
}

// One of two nodes is killed and comes back.
func TestOneNodeOfTwoIsLost(t *testing.T) {
	t.Parallel()
	chunks := e2e.Cut(sampleLines(t), 60)
	want := ofSample(t)
	cluster := esnode.RequireCluster(t, esnode.ClusterOptions{Nodes: 2})
	prefix := e2e.Prefix(t)
	urls := cluster.URLs()
	h := e2e.StartHost(t, host.Options{Workers: 4, Properties: e2e.Properties(t, urls[0]+" "+urls[1], prefix, map[string]string{"commit_timeout": "3s"})})
	delivered := make(chan struct{})
	attempts := 0
	go func() {
		defer close(delivered)
		for _, c := range e2e.Shuffle(chunks, 2) {
			n, err := h.Deliver(t.Context(), c.Tag, c.Data, 200*time.Millisecond)
			attempts += n
			if err != nil {
				t.Error(err)
				return
			}
			time.Sleep(150 * time.Millisecond)
		}
	}()
	time.Sleep(2 * time.Second)
	if err := cluster.WaitGreen(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := cluster.Nodes[1].Kill(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(2 * time.Second)
	if err := cluster.Nodes[1].Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	select {
	case <-delivered:
	case <-time.After(2 * time.Minute):
		t.Fatal("the backlog was not delivered within two minutes")
	}
	if err := h.Exit(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Logf("one of two nodes killed and back: %d chunks took %d attempts", len(chunks), attempts)
	equal(t, want, documents(t, cluster.Nodes[0], prefix))
}
