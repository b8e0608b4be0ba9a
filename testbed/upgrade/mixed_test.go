package upgrade

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tinylib/msgp/msgp"

	"dossier/correlate/commit"
	"dossier/esindex"
	"dossier/operate"
	"dossier/plugin/chunk/chunktest"
	"dossier/plugin/options"
	"dossier/testbed/e2e"
	"dossier/testbed/esnode"
	"dossier/testbed/frozen"
	"dossier/testbed/host"
)

// rounds is how often each sensor writes each attacker.
const rounds = 12

// chosen are attackers of schema 1 whose states are short enough to be edited as
// they stand, and of whom more is known than that somebody named them.
var chosen = []string{
	"10.0.143.121", "103.126.203.101", "127.0.0.1", "127.0.0.7", "2001:db8:1:2::b", "45.248.93.68", "80.192.76.163", "89.61.198.201",
}

// counts returns how many events each of the chosen attackers had.
func counts(t *testing.T, node *esnode.Node, index string) map[string]float64 {
	t.Helper()
	out := map[string]float64{}
	docs := e2e.Documents(t, node, index)
	for _, id := range chosen {
		n, ok := docs[id]["event_count"].(float64)
		if !ok {
			t.Fatalf("schema 1 has no attacker %s", id)
		}
		out[id] = n
	}
	return out
}

// setUp runs this version's set-up on what schema 1 left, and returns its lines.
func setUp(t *testing.T, properties map[string]string) string {
	t.Helper()
	o, err := options.Parse(func(k string) string { return properties[k] }, func(s string) { t.Error(s) })
	if err != nil {
		t.Fatal(err)
	}
	target, err := operate.Open(o, "test")
	if err != nil {
		t.Fatal(err)
	}
	defer target.Close()
	var lines []string
	if err := target.Setup(t.Context(), operate.Setup{Roles: "off"}, func(s esindex.Step) { lines = append(lines, s.String()) }); err != nil {
		t.Fatal(err)
	}
	return strings.Join(lines, "\n")
}

// newSensor delivers chunks of one event of each attacker.
func newSensor(t *testing.T, h *host.Host, ids []string, from, to int) {
	t.Helper()
	var chunks []e2e.Chunk
	for n := from; n < to; n++ {
		at := time.Date(2026, 11, 24, 12, 0, n, 0, time.UTC)
		var lines []string
		for _, id := range ids {
			lines = append(lines, fmt.Sprintf(`<134>1 %s decky-new newservice - connect [relay@55555 src_ip="%s"]`, at.Format(time.RFC3339), id))
		}
		chunks = append(chunks, e2e.Chunk{Tag: fmt.Sprint("new.", n), Data: chunktest.Lines(at, "log", lines...)})
	}
	e2e.Deliver(t, h, chunks, 2)
}

// TestVersionsWriteAtOnce: set-up runs while a sensor of schema 1 writes, then
// one of this version joins it on the same attackers. Each event counts once,
// what only this version knows outlives the other's writes, and set-up says
// which fields it brings.
//
// The sensor of schema 1 is emulated: through the store, with the templates as
// they were recorded, it reads a state, adds one event to the count, carries all
// other names through as every version does, and writes a document without a
// field that schema 1 didn't have.
func TestVersionsWriteAtOnce(t *testing.T) {
	node := esnode.Shared(t)
	as := e2e.Prefix(t)
	snapshot := frozen.Read(t, 1, "dossier", as)
	snapshot.Load(t, node)
	index := as + "-attackers"
	before, ids := counts(t, node, index), chosen
	old := newOldSensor(t, node, snapshot, as)

	var wrote sync.WaitGroup
	begun := make(chan bool)
	wrote.Go(func() {
		for n := range rounds {
			for _, id := range ids {
				old.add(t.Context(), id)
			}
			if n == 1 {
				close(begun)
			}
		}
	})
	<-begun
	properties := e2e.Properties(t, node.URL, as, map[string]string{"sensor_id": "new"})
	said := setUp(t, properties)
	for _, want := range []string{
		"index template " + index + ": upgraded from version 1, new fields: ", "mapping " + index + ": upgraded from version 1",
		"mapping " + as + "-activity-", "index " + as + "-indicators-000001: created",
	} {
		if !strings.Contains(said, want) {
			t.Errorf("set-up doesn't say %q:\n%s", want, said)
		}
	}
	if strings.Contains(said, "can't change") || strings.Contains(said, "kept at version") {
		t.Errorf("something of schema 1 can't be brought up to date:\n%s", said)
	}
	if again := setUp(t, properties); strings.Contains(again, "upgraded") || strings.Contains(again, "updated") {
		t.Errorf("a second set-up changed something:\n%s", again)
	}
	// A sensor of schema 1 that starts now leaves the templates as they are.
	steps, err := old.client.Install(t.Context(), old.templates)
	if err != nil || !strings.Contains(fmt.Sprint(steps), "kept, it is newer (version ") {
		t.Errorf("the old sensor's own set-up: %v, %v", steps, err)
	}

	h := e2e.StartHost(t, host.Options{Workers: 2, Properties: properties})
	newSensor(t, h, ids, 0, rounds)
	wrote.Wait()
	known := map[string][]string{} // what the states hold by now
	for id, doc := range e2e.Documents(t, node, index) {
		known[id] = namesIn(t, doc)
	}
	// The old one has the last word once.
	for _, id := range ids {
		old.add(t.Context(), id)
	}
	if old.err != nil {
		t.Fatal(old.err)
	}
	shown := e2e.Documents(t, node, index)
	for id, had := range before {
		// Events whose sender only claims its address are new since schema 1: it
		// carries them through, and shows what it counts itself.
		if got, want := shown[id]["event_count"], had+rounds+1; got != want {
			t.Errorf("%s: schema 1 shows %v events, want %v", id, got, want)
		}
		if _, ok := shown[id]["rules"]; ok {
			t.Errorf("%s: schema 1 wrote a field that it didn't have", id)
		}
		if names := namesIn(t, shown[id]); !slices.Equal(names, known[id]) {
			t.Errorf("%s: of what was in the state, %q, schema 1 left %q", id, known[id], names)
		}
	}
	newSensor(t, h, ids, rounds, rounds+1)
	if err := h.Exit(t.Context()); err != nil {
		t.Fatal(err)
	}
	after := e2e.Documents(t, node, index)
	for id, had := range before {
		doc := after[id]
		if got, want := doc["event_count"], had+2*rounds+2; got != want {
			t.Errorf("%s: at last %v events, want %v", id, got, want)
		}
		if _, ok := doc["rules"]; !ok || doc["uuid"] != shown[id]["uuid"] {
			t.Errorf("%s: at last rules %v, uuid %v and before %v", id, doc["rules"], doc["uuid"], shown[id]["uuid"])
		}
		if decoys := fmt.Sprint(doc["deckies"]); !strings.Contains(decoys, "decky-new") {
			t.Errorf("%s: what the new sensor saw is gone: %s", id, decoys)
		}
	}
}

// oldSensor is an emulated sensor of schema 1.
type oldSensor struct {
	node      *esnode.Node
	client    *esindex.Client
	store     *esindex.Store
	templates []esindex.Template
	index     string
	fields    map[string]bool // the top-level ones of schema 1
	err       error
}

func newOldSensor(t *testing.T, node *esnode.Node, snapshot *frozen.Snapshot, as string) *oldSensor {
	t.Helper()
	s := &oldSensor{node: node, index: as + "-attackers", fields: map[string]bool{}}
	for i := range snapshot.Documents {
		if snapshot.Documents[i].Kind() != "attackers" {
			continue
		}
		var doc map[string]json.RawMessage
		if err := json.Unmarshal(snapshot.Documents[i].Source, &doc); err != nil {
			t.Fatal(err)
		}
		for name := range doc {
			s.fields[name] = true
		}
	}
	body := snapshot.Component(t, s.index+"@package")
	delete(body["mappings"].(map[string]any), "_meta")
	raw, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	s.templates = []esindex.Template{{Name: s.index, Pattern: s.index, Version: 1, Body: raw, Fixed: map[string]string{"ipv6_prefix": "128"}}}
	if s.client, err = esindex.New(esindex.Options{Hosts: []string{node.URL}}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.client.Close() })
	if s.store, err = esindex.NewStore(s.client, s.templates); err != nil {
		t.Fatal(err)
	}
	return s
}

// add counts one event of the attacker by compare-and-set, and again where
// somebody else was faster.
func (s *oldSensor) add(ctx context.Context, id string) {
	key := commit.Key{Index: s.index, ID: id}
	for s.err == nil {
		stored, err := s.store.Read(ctx, []commit.Key{key})
		if s.err = err; err != nil {
			return
		}
		_, found, err := s.node.Do(ctx, "GET", "/"+s.index+"/_source/"+id, nil)
		if s.err = err; err != nil {
			return
		}
		state, err := counted(stored[0].State)
		if s.err = err; err != nil {
			return
		}
		doc := map[string]any{}
		for name, value := range found {
			if s.fields[name] {
				doc[name] = value
			}
		}
		count, err := events(state)
		if s.err = err; err != nil {
			return
		}
		doc["state"], doc["event_count"], doc["schema_version"] = base64.StdEncoding.EncodeToString(state), count, 1
		body, err := json.Marshal(doc)
		if s.err = err; err != nil {
			return
		}
		written, err := s.store.Write(ctx, []commit.Op{{Kind: commit.Replace, Key: key, Version: stored[0].Version, Body: body}})
		if s.err = err; err != nil {
			return
		}
		switch w := written[0]; w.Status {
		case commit.Done:
			return
		case commit.Conflict:
		default:
			s.err = fmt.Errorf("%s: %v %s", id, w.Status, w.Reason)
		}
	}
}

// counted returns the state with one event more. All else stays as it stands.
func counted(state []byte) ([]byte, error) {
	payload, err := commit.Payload(state)
	if err != nil {
		return nil, err
	}
	names, rest, err := msgp.ReadMapHeaderBytes(payload)
	if err != nil {
		return nil, err
	}
	now := msgp.AppendMapHeader(nil, names)
	for range names {
		name, value, err := msgp.ReadStringBytes(rest)
		if err != nil {
			return nil, err
		}
		if rest, err = msgp.Skip(value); err != nil {
			return nil, err
		}
		now = msgp.AppendString(now, name)
		if name != "n" {
			now = append(now, value[:len(value)-len(rest)]...)
			continue
		}
		n, _, err := msgp.ReadInt64Bytes(value)
		if err != nil {
			return nil, err
		}
		now = msgp.AppendInt64(now, n+1)
	}
	// The envelope is [major, minor, applied, packing, payload, …].
	at := bytes.Index(state, payload)
	was := msgp.AppendBytes(nil, payload)
	if head := len(was) - len(payload); at < head || !bytes.Equal(state[at-head:at], was[:head]) {
		return nil, fmt.Errorf("a state whose payload is packed")
	} else {
		return slices.Concat(state[:at-head], msgp.AppendBytes(nil, now), state[at+len(payload):]), nil
	}
}

// events returns the number of events in a state.
func events(state []byte) (any, error) {
	payload, err := commit.Payload(state)
	if err != nil {
		return nil, err
	}
	m, _, err := msgp.ReadMapStrIntfBytes(payload, nil)
	return m["n"], err
}

func namesIn(t *testing.T, doc map[string]any) []string {
	t.Helper()
	state, err := base64.StdEncoding.DecodeString(doc["state"].(string))
	if err != nil {
		t.Fatal(err)
	}
	payload, err := commit.Payload(state)
	if err != nil {
		t.Fatal(err)
	}
	m, _, err := msgp.ReadMapStrIntfBytes(payload, nil)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for name := range m {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}
