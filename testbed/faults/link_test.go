package faults

import (
	"testing"
	"time"

	"dossier/plugin/chunk/chunktest"
	"dossier/testbed/e2e"
	"dossier/testbed/esnode"
	"dossier/testbed/faultproxy"
	"dossier/testbed/host"
)

// The link to Elasticsearch goes wrong in every way at random: it is slow,
// resets connections, cuts answers in half, swallows the answer to what was
// applied, applies late what nobody waits for, answers with errors and
// garbage. Nothing is lost or doubled, and nothing is dead-lettered.
func TestLink(t *testing.T) {
	node := esnode.Shared(t)
	chunks := e2e.Cut(sampleLines(t), 16)
	want := ofSample(t)
	const seed = 7
	proxy, err := faultproxy.New(node.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = proxy.Close() })
	prefix := e2e.Prefix(t)
	properties := e2e.Properties(t, proxy.URL, prefix, map[string]string{"commit_timeout": "2s"})
	h := e2e.StartHost(t, host.Options{Workers: 4, Properties: properties})
	// The start wants a score of requests to succeed one after the other: it
	// is tried again, too, but this test is about what comes after it.
	e2e.Deliver(t, h, []e2e.Chunk{{Tag: "start", Data: nil}}, 1)
	random := faultproxy.Random(seed, map[faultproxy.Fault]float64{
		{Kind: faultproxy.Pass}:                                90,
		{Kind: faultproxy.Pass, Delay: 200 * time.Millisecond}: 6,
		{Kind: faultproxy.Reset}:                               5,
		{Kind: faultproxy.Swallow}:                             6,
		{Kind: faultproxy.Late, Delay: 300 * time.Millisecond}: 4,
		{Kind: faultproxy.Cut}:                                 5,
		{Kind: faultproxy.Garbage}:                             4,
		{Kind: faultproxy.Status, Status: 429}:                 4,
		{Kind: faultproxy.Status, Status: 503}:                 4,
		{Kind: faultproxy.Status, Status: 413}:                 1,
		{Kind: faultproxy.Status, Status: 403}:                 2,
		{Kind: faultproxy.Hang}:                                0.3,
	})
	proxy.SetPlan(func(r *faultproxy.Request) faultproxy.Fault {
		f := random(r)
		if f.Status == 413 && len(r.Body) < 256<<10 {
			// Of one document alone it would be final.
			return faultproxy.Fault{Kind: faultproxy.Pass}
		}
		return f
	})
	start := time.Now()
	e2e.Deliver(t, h, e2e.Shuffle(chunks, seed), 4)
	took := time.Since(start)
	proxy.SetPlan(nil)
	if err := h.Exit(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d chunks in %.1f s through %v (seed %d)", len(chunks), took.Seconds(), proxy.Counts(), seed)
	equal(t, want, documents(t, node, prefix))
	if l := deadLetters(t, properties["dead_letter_path"]); len(l) > 0 {
		t.Errorf("%d dead letters from a bad link: %.300s", len(l), l[0])
	}
}

// Fluent Bit gives a chunk up after its last retry, whether the attempts left
// something behind or not: others count exactly meanwhile, and what was given
// up counts once if it is brought again.
func TestRetriesGivenUp(t *testing.T) {
	node := esnode.Shared(t)
	for name, c := range map[string]struct {
		fault faultproxy.Fault
		// left is how many events the attempts leave behind.
		left float64
	}{
		"nothing was applied":      {faultproxy.Fault{Kind: faultproxy.Status, Status: 503}, 0},
		"applied, answer lost":     {faultproxy.Fault{Kind: faultproxy.Swallow}, 1},
		"applied, answer cut":      {faultproxy.Fault{Kind: faultproxy.Cut}, 1},
		"applied later, nobody by": {faultproxy.Fault{Kind: faultproxy.Late, Delay: 100 * time.Millisecond}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // each waits for a deadline twice
			proxy, err := faultproxy.New(node.URL, nil)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = proxy.Close() })
			prefix := e2e.Prefix(t)
			properties := e2e.Properties(t, proxy.URL, prefix, map[string]string{"commit_timeout": "1s"})
			index, _ := seedIndex(t, node, prefix, properties)
			const attacker = "203.0.113.5"
			chunk := func(minute int) []byte {
				return chunktest.Lines(e2e.RecordTime, "log",
					line(e2e.RecordTime.Add(-time.Duration(minute)*time.Minute), `decky-01 ssh - connect [relay@55555 src_ip="`+attacker+`"]`))
			}
			h := e2e.StartHost(t, host.Options{Workers: 2, Properties: properties})
			proxy.SetPlan(func(r *faultproxy.Request) faultproxy.Fault {
				if r.IsBulk() {
					return c.fault
				}
				return faultproxy.Fault{Kind: faultproxy.Pass}
			})
			for range 2 {
				if code, err := h.Flush(t.Context(), "given.up", chunk(1)); err != nil || code != host.Retry {
					t.Fatalf("a flush returned %v, %v; want FLB_RETRY", code, err)
				}
			}
			proxy.SetPlan(nil)
			time.Sleep(300 * time.Millisecond) // what is late is applied
			count := func() float64 {
				n, _ := e2e.Documents(t, node, index)[attacker]["event_count"].(float64)
				return n
			}
			e2e.Deliver(t, h, []e2e.Chunk{{Tag: "goes.on", Data: chunk(2)}, {Tag: "goes.on", Data: chunk(3)}}, 2)
			if n := count(); n != c.left+2 {
				t.Errorf("event_count %v with two other chunks; want %v", n, c.left+2)
			}
			if err := h.Exit(t.Context()); err != nil {
				t.Fatal(err)
			}
			h = e2e.StartHost(t, host.Options{Workers: 2, Properties: properties})
			e2e.Deliver(t, h, []e2e.Chunk{{Tag: "given.up", Data: chunk(1)}}, 1)
			if err := h.Exit(t.Context()); err != nil {
				t.Fatal(err)
			}
			if n := count(); n != 3 {
				t.Errorf("event_count %v after it was brought again; want 3", n)
			}
		})
	}
}
