package faults

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"dossier/esindex"
	"dossier/operate"
	"dossier/plugin/chunk/chunktest"
	"dossier/plugin/options"
	"dossier/testbed/e2e"
	"dossier/testbed/esnode"
	"dossier/testbed/host"
)

// TestReshardUnderSensors moves an installation from before there were aliases
// behind them and splits it, while sensors write as fast as they can: both are
// stopped in the middle and run again, and one is taken back. No sensor is
// restarted, and every event counts once.
func TestReshardUnderSensors(t *testing.T) {
	const sensors, attackers = 4, 150
	node := esnode.Shared(t)
	prefix := e2e.Prefix(t)
	shared := e2e.Properties(t, node.URL, prefix, nil)
	o, err := options.Parse(func(key string) string { return shared[key] }, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	target, err := operate.Open(o, "test")
	if err != nil {
		t.Fatal(err)
	}
	defer target.Close()
	if err := target.Setup(t.Context(), operate.Setup{Roles: "off"}, func(esindex.Step) {}); err != nil {
		t.Fatal(err)
	}
	// As it was made then: the index has the name itself.
	for _, kind := range operate.ReshardKinds() {
		name := prefix + "-" + kind
		index := node.Must(t, "GET", name, nil)[name+"-000001"].(map[string]any)
		aliases := index["aliases"].(map[string]any)
		delete(aliases, name)
		node.Must(t, "DELETE", name+"-000001", nil)
		node.Must(t, "PUT", name, map[string]any{"mappings": index["mappings"], "aliases": aliases})
	}

	done := make(chan struct{})
	var group sync.WaitGroup
	var rounds [sensors]int
	var chunks, retries atomic.Int64
	var letters []string
	for s := range sensors {
		properties := e2e.Properties(t, node.URL, prefix, map[string]string{"sensor_id": fmt.Sprint("sensor-", s), "commit_timeout": "2s"})
		letters = append(letters, properties["dead_letter_path"])
		h := e2e.StartHost(t, host.Options{Workers: 2, Properties: properties})
		group.Go(func() {
			for going := true; going; rounds[s]++ {
				select {
				case <-done:
					going = false // one more, to what is there then
				default:
				}
				var lines []string
				for a := range attackers {
					lines = append(lines, line(e2e.RecordTime.Add(-time.Hour+time.Duration(rounds[s])*time.Millisecond),
						fmt.Sprintf(`decky-%02d ssh - connect [relay@55555 src_ip="198.18.%d.%d"]`, s, a/250, 1+a%250)))
				}
				n, err := h.Deliver(t.Context(), fmt.Sprint("sensor.", s, ".", rounds[s]), chunktest.Lines(e2e.RecordTime, "log", lines...), 50*time.Millisecond)
				retries.Add(int64(n - 1))
				chunks.Add(1)
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
	// more waits until sensors have written more.
	more := func() {
		t.Helper()
		for from, end := chunks.Load(), time.Now().Add(30*time.Second); chunks.Load() < from+2*sensors; time.Sleep(20 * time.Millisecond) {
			if time.Now().After(end) {
				t.Error("the sensors write nothing")
				return
			}
		}
	}
	reshard := func(o operate.Reshard, stopAt int) {
		t.Helper()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		n := 0
		err := target.Reshard(ctx, o, func(s esindex.Step) {
			t.Log(s)
			if n++; n == stopAt {
				cancel()
			}
		})
		if (err == nil) != (stopAt == 0) {
			t.Errorf("%+v, stopped at %d: %v", o, stopAt, err)
		}
	}
	more()
	reshard(operate.Reshard{}, 2) // blocked, copied, and no more
	time.Sleep(time.Second)
	reshard(operate.Reshard{}, 0)
	more()
	split := operate.Reshard{Kinds: []string{"attackers"}, Shards: 4}
	reshard(split, 3)
	reshard(operate.Reshard{Abort: true}, 0)
	more()
	reshard(split, 1)
	reshard(split, 0)
	more()
	close(done)
	group.Wait()

	total := 0
	for _, n := range rounds {
		total += n
	}
	docs := e2e.Documents(t, node, prefix+"-attackers")
	if len(docs) != attackers {
		t.Errorf("%d attackers; want %d", len(docs), attackers)
	}
	for id, d := range docs {
		if d["event_count"] != float64(total) || d["decky_count"] != float64(sensors) || len(d["sensors"].([]any)) != sensors {
			t.Fatalf("%s: %v events on %v deckies; want %d on %d", id, d["event_count"], d["decky_count"], total, sensors)
		}
	}
	for _, path := range letters {
		if l := deadLetters(t, path); len(l) > 0 {
			t.Errorf("%d dead letters: %.300s", len(l), l[0])
		}
	}
	index := node.Must(t, "GET", prefix+"-attackers/_settings?flat_settings=true", nil)
	if s := fmt.Sprint(index); len(index) != 1 || index[prefix+"-attackers-000002"] == nil || e2e.Documents(t, node, prefix+"-attackers-000002") == nil {
		t.Errorf("behind the name: %s", s)
	}
	t.Logf("%d sensors, %d chunks of %d events, %d given back meanwhile", sensors, total, attackers, retries.Load())
}
