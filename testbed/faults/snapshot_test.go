package faults

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"dossier/plugin/chunk/chunktest"
	"dossier/testbed/e2e"
	"dossier/testbed/esnode"
	"dossier/testbed/host"
)

// snapshots is a prefix on a node with a repository for its snapshots.
type snapshots struct {
	*testing.T
	node         *esnode.Node
	prefix, repo string
}

func newSnapshots(t *testing.T) *snapshots {
	t.Helper()
	s := &snapshots{T: t, node: esnode.Shared(t), prefix: e2e.Prefix(t)}
	s.repo = s.prefix + "-repo"
	// Below the node's path.repo.
	s.node.Must(t, "PUT", "/_snapshot/"+s.repo, fmt.Sprintf(`{"type":"fs","settings":{"location":%q}}`, s.prefix))
	t.Cleanup(func() {
		ctx := context.Background()
		s.node.Do(ctx, "DELETE", "/_snapshot/"+s.repo+"/*", nil)
		s.node.Do(ctx, "DELETE", "/_snapshot/"+s.repo, nil)
	})
	return s
}

func (s *snapshots) take() {
	s.Helper()
	s.node.Must(s, "PUT", "/_snapshot/"+s.repo+"/one?wait_for_completion=true", fmt.Sprintf(`{"indices":"%s-*","include_global_state":false}`, s.prefix))
}

func (s *snapshots) restore() {
	s.Helper()
	answer := s.node.Must(s, "POST", "/_snapshot/"+s.repo+"/one/_restore?wait_for_completion=true", fmt.Sprintf(`{"indices":"%s-*","include_global_state":false}`, s.prefix))
	snapshot, _ := answer["snapshot"].(map[string]any)
	shards, _ := snapshot["shards"].(map[string]any)
	if shards["failed"] != 0.0 || shards["total"] == 0.0 {
		s.Fatalf("restored: %v", answer)
	}
}

// names returns the indices, separated by commas: a node takes no pattern for
// what closes or deletes.
func (s *snapshots) names() string {
	s.Helper()
	return strings.Join(slices.Sorted(maps.Keys(s.node.Must(s, "GET", "/"+s.prefix+"-*/_settings", nil))), ",")
}

// term returns the primary term that writes to the attackers' index have.
func (s *snapshots) term() float64 {
	s.Helper()
	answer := s.node.Must(s, "GET", "/"+s.prefix+"-attackers/_stats?level=shards&filter_path=indices.*.shards", nil)
	found := 0.0
	for _, index := range answer["indices"].(map[string]any) {
		for _, shard := range index.(map[string]any)["shards"].(map[string]any) {
			for _, copyOf := range shard.([]any) {
				leases := copyOf.(map[string]any)["retention_leases"].(map[string]any)
				found = max(found, leases["primary_term"].(float64))
			}
		}
	}
	return found
}

// seen is how many events each of the attackers of chunks shows.
func (s *snapshots) seen(want int, when string) {
	s.Helper()
	docs := e2e.Documents(s, s.node, s.prefix+"-attackers")
	if len(docs) != attackersHere {
		s.Errorf("%s: %d attackers, want %d", when, len(docs), attackersHere)
	}
	for id, doc := range docs {
		if doc["event_count"] != float64(want) {
			s.Errorf("%s: %s has %v events, want %d", when, id, doc["event_count"], want)
		}
	}
}

const attackersHere = 5

// chunksOf returns chunks with one event of each attacker.
func chunksOf(from, to int) []e2e.Chunk {
	var out []e2e.Chunk
	for n := from; n < to; n++ {
		at := time.Date(2026, 11, 24, 12, n, 0, 0, time.UTC)
		var lines []string
		for a := range attackersHere {
			lines = append(lines, fmt.Sprintf(`<134>1 %s decky-01 ssh - connect [relay@55555 src_ip="203.0.113.%d"]`, at.Format(time.RFC3339), a+1))
		}
		out = append(out, e2e.Chunk{Tag: fmt.Sprint("chunk.", n), Data: chunktest.Lines(at, "log", lines...)})
	}
	return out
}

// TestRestoredOverClosedIndices: a snapshot is restored over the closed indices,
// as docs/operations.md has it. With the sensors stopped all is exact: what came
// since the snapshot is gone until it comes again, and then counts once. A
// sensor that somebody forgot overwrites nothing with what it knows from after
// the snapshot, and what comes to it counts; but its idea of the ledger is a
// later one, so what had been finished must not come again.
func TestRestoredOverClosedIndices(t *testing.T) {
	for _, forgotten := range []bool{false, true} {
		t.Run(fmt.Sprintf("forgotten=%t", forgotten), func(t *testing.T) {
			s := newSnapshots(t)
			start := func() *host.Host {
				return e2e.StartHost(t, host.Options{Workers: 2, Properties: e2e.Properties(t, s.node.URL, s.prefix, map[string]string{"commit_timeout": "3s"})})
			}
			stop := func(h *host.Host) {
				t.Helper()
				if err := h.Exit(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			sensor := start()
			e2e.Deliver(t, sensor, chunksOf(0, 6), 1)
			s.take()
			e2e.Deliver(t, sensor, chunksOf(6, 10), 1)
			s.seen(10, "before")
			was := s.term()
			if !forgotten {
				stop(sensor)
			}

			s.node.Must(t, "POST", "/"+s.names()+"/_close", nil)
			given := make(chan error, 1)
			if forgotten {
				go func() { // it comes while the indices are closed, and waits
					c := chunksOf(10, 11)[0]
					_, err := sensor.Deliver(t.Context(), c.Tag, c.Data, 100*time.Millisecond)
					given <- err
				}()
				time.Sleep(time.Second)
			}
			s.restore()
			if now := s.term(); now <= was {
				t.Errorf("primary term %v before and %v after: a token from before could be taken for one of now", was, now)
			}
			if forgotten {
				if err := <-given; err != nil {
					t.Fatal(err)
				}
			} else {
				sensor = start()
				e2e.Deliver(t, sensor, chunksOf(10, 11), 1)
			}
			s.seen(6+1, "restored, and one chunk more")
			e2e.Deliver(t, sensor, chunksOf(11, 14), 1)
			s.seen(6+4, "restored, and four chunks more")
			if !forgotten {
				for range 2 {
					e2e.Deliver(t, sensor, chunksOf(0, 14), 1)
				}
				s.seen(14, "all chunks again, twice")
			}
			stop(sensor)
		})
	}
}

// TestRestoredInPlaceOfDeletedIndices: indices that are deleted first begin their
// primary terms anew, so that a token of a sensor that runs on may fit another
// document than it was read with. So sensors must be stopped then, which is
// enough.
func TestRestoredInPlaceOfDeletedIndices(t *testing.T) {
	s := newSnapshots(t)
	properties := e2e.Properties(t, s.node.URL, s.prefix, nil)
	first := e2e.StartHost(t, host.Options{Workers: 2, Properties: properties})
	e2e.Deliver(t, first, chunksOf(0, 6), 1)
	s.take()
	// A restart of the node, here an index that is closed and opened, is enough.
	all := s.names()
	s.node.Must(t, "POST", "/"+all+"/_close", nil)
	s.node.Must(t, "POST", "/"+all+"/_open", nil)
	s.node.Must(t, "GET", "/_cluster/health/"+s.prefix+"-*?wait_for_status=yellow&timeout=30s", nil)
	e2e.Deliver(t, first, chunksOf(6, 10), 1)
	was := s.term()
	if err := first.Exit(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.node.Must(t, "DELETE", "/"+s.names(), nil)
	s.restore()
	if now := s.term(); now > was {
		t.Errorf("primary term %v before and %v after: a restore in place of a deleted index is as safe as one over a closed one, say so in docs/operations.md", was, now)
	}
	second := e2e.StartHost(t, host.Options{Workers: 2, Properties: properties})
	e2e.Deliver(t, second, chunksOf(10, 13), 1)
	s.seen(6+3, "restored, and three chunks more")
	e2e.Deliver(t, second, chunksOf(0, 13), 1)
	s.seen(13, "all chunks again")
	if err := second.Exit(t.Context()); err != nil {
		t.Fatal(err)
	}
}
