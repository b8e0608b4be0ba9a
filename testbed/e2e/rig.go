// Package e2e holds what the end-to-end tests share: chunks of a sensor's
// log, hosts that load the plugin, and the documents that come of them in a
// real Elasticsearch.
package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"dossier/plugin/chunk/chunktest"
	"dossier/testbed/esnode"
	"dossier/testbed/host"
	"dossier/testbed/sample"
)

// RecordTime is the time Fluent Bit gives the records of the tests: after
// every line's own.
var RecordTime = time.Date(2026, 1, 8, 0, 0, 0, 0, time.UTC)

// Data returns the path of a file under testbed/data.
func Data(parts ...string) string { return sample.Data(parts...) }

// Lines reads the lines of a file.
func Lines(t testing.TB, path string) []string {
	t.Helper()
	lines, err := sample.Lines(path)
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

// Chunk is a chunk as Fluent Bit delivers it.
type Chunk struct {
	Tag  string
	Data []byte
}

// Cut cuts lines into n chunks of about the same size, each with its tag.
func Cut(lines []string, n int) []Chunk {
	var chunks []Chunk
	for i := range n {
		part := lines[i*len(lines)/n : (i+1)*len(lines)/n]
		if len(part) > 0 {
			chunks = append(chunks, Chunk{fmt.Sprintf("decnet.%d", i), chunktest.Lines(RecordTime, "log", part...)})
		}
	}
	return chunks
}

// Shuffle returns the chunks in an order that the seed decides.
func Shuffle(chunks []Chunk, seed uint64) []Chunk {
	c := slices.Clone(chunks)
	rand.New(rand.NewPCG(seed, 0)).Shuffle(len(c), func(i, j int) { c[i], c[j] = c[j], c[i] })
	return c
}

// Prefix returns an index prefix of the test's own. What the test leaves of it
// on the shared node is removed at its end.
func Prefix(t testing.TB) string {
	prefix := newPrefix(t)
	esnode.CleanUp(t, prefix)
	return prefix
}

func newPrefix(t testing.TB) string {
	name := strings.ToLower(strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, t.Name()))
	return fmt.Sprintf("t-%s-%x", strings.Trim(name, "-"), time.Now().UnixNano()&0xffffff)
}

// Properties are the plugin's options for a test.
func Properties(t testing.TB, url, prefix string, more map[string]string) map[string]string {
	t.Helper()
	p := map[string]string{
		"es_hosts": url, "index_prefix": prefix, "sensor_id": "sensor-1",
		"dead_letter_path": filepath.Join(t.TempDir(), "dead-letters"),
	}
	maps.Copy(p, more)
	return p
}

// StartHost starts a host with the plugin; the test ends it.
func StartHost(t testing.TB, o host.Options) *host.Host {
	t.Helper()
	if o.Plugin == "" {
		o.Plugin = host.BuildPlugin(t)
	}
	// The minute is the host's: on a busy machine building takes its own.
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	h, err := host.Start(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		h.Kill()
		if t.Failed() {
			for _, l := range last(h.Log(), 30) {
				t.Log("host:", l)
			}
		}
	})
	return h
}

func last(s []string, n int) []string { return s[max(0, len(s)-n):] }

// deliverLimit bounds Deliver: what comes back for so long comes back for
// ever.
const deliverLimit = 5 * time.Minute

// Deliver hands over the chunks, several at a time, and again what isn't
// durable, until all are.
func Deliver(t testing.TB, h *host.Host, chunks []Chunk, atOnce int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), deliverLimit)
	defer cancel()
	next := make(chan Chunk)
	errs := make(chan error)
	for range atOnce {
		go func() {
			var err error
			for c := range next {
				if err == nil {
					_, err = h.Deliver(ctx, c.Tag, c.Data, 100*time.Millisecond)
				}
			}
			errs <- err
		}()
	}
	for _, c := range chunks {
		next <- c
	}
	close(next)
	for range atOnce {
		if err := <-errs; err != nil {
			t.Fatal(err)
		}
	}
}

// Documents returns the documents of an index by id.
func Documents(t testing.TB, node *esnode.Node, index string) map[string]map[string]any {
	t.Helper()
	node.Must(t, "POST", "/"+index+"/_refresh", nil)
	docs := map[string]map[string]any{}
	var after any
	for {
		query := map[string]any{"size": 1000, "sort": []any{map[string]any{"_seq_no": "asc"}}}
		if after != nil {
			query["search_after"] = after
		}
		answer := node.Must(t, "POST", "/"+index+"/_search", query)
		hits := answer["hits"].(map[string]any)["hits"].([]any)
		for _, h := range hits {
			m := h.(map[string]any)
			docs[m["_id"].(string)] = m["_source"].(map[string]any)
			after = m["sort"]
		}
		if len(hits) == 0 {
			return docs
		}
	}
}

// OfAttacker are the fields of a mail target that show how its attacker stood at the
// last write.
var OfAttacker = []string{"risk", "behavior"}

// OfHour are the fields of an hour that show how its attacker stood at the last
// write.
var OfHour = []string{
	"behavior", "bounty_count", "credential_count", "decky_count", "event_count", "is_traversal", "risk", "service_count",
}

// Bare returns a document as JSON without what may differ between two runs
// over the same events: the time of the write, the state with its chunk ids,
// and the sensors.
func Bare(t testing.TB, doc map[string]any, without ...string) string {
	t.Helper()
	d := maps.Clone(doc)
	for _, k := range append([]string{"updated_at", "state"}, without...) {
		delete(d, k)
	}
	b, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// Equal fails the test unless two indices hold the same documents, bare.
func Equal(t testing.TB, what string, want, got map[string]map[string]any, without ...string) {
	t.Helper()
	if len(want) == 0 {
		t.Fatalf("%s: nothing to compare with", what)
	}
	differ := 0
	for id, w := range want {
		g, ok := got[id]
		if !ok {
			t.Errorf("%s: %s is missing", what, id)
			differ++
		} else if a, b := Bare(t, w, without...), Bare(t, g, without...); a != b {
			t.Errorf("%s: %s differs:\nwant %.3000s\n got %.3000s", what, id, a, b)
			differ++
		}
		if differ > 3 {
			t.Fatalf("%s: and more", what)
		}
	}
	for id := range got {
		if _, ok := want[id]; !ok {
			t.Errorf("%s: %s is too much", what, id)
		}
	}
}
