package commit_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"dossier/correlate"
	"dossier/correlate/commit"
	"dossier/correlate/dialect"
	"dossier/correlate/event"
	"dossier/correlate/law"
	"dossier/correlate/state"
	"dossier/plugin/chunk"
	"dossier/plugin/chunk/chunktest"
	"dossier/profile"
	"dossier/testbed/frozen"
	"dossier/testbed/memory"
	"dossier/testbed/race"

	"github.com/tinylib/msgp/msgp"
)

// frozenPrefixes are the prefixes of schema 1 by the ipv6_prefix they have.
var frozenPrefixes = map[string]int{"dossier": 128, "dossier6": 64}

// judged are the fields whose values rules and lists decide: a later version
// may come to another conclusion from the same state, but must show one. All
// other fields must stay as they were.
var judged = map[string]bool{"schema_version": true, "risk": true}

// frozenState is a state as one of the models' types.
type frozenState interface {
	Append([]byte) []byte
	Decode([]byte) error
}

func newState(kind string) frozenState {
	switch kind {
	case "attackers":
		return new(state.Attacker)
	case "smtp-targets":
		return new(state.Target)
	case "activity":
		return new(state.Activity)
	}
	return nil
}

// What schema 1 stored is read, and written again it is the same: the envelope
// and what the model keeps in it. Only where a list was cut, or an entry is
// longer than it may be by now, does the model bring it under its law, once.
func TestFrozenStatesReencode(t *testing.T) {
	race.OneGoroutine(t)
	names, deflated, held := map[string]map[string]bool{}, 0, 0
	same, over := 0, 0
	for prefix := range frozenPrefixes {
		for _, d := range frozen.Read(t, 1, prefix, prefix).Documents {
			s := newState(d.Kind())
			if s == nil {
				continue
			}
			stored := d.State(t)
			payload, applied, err := commit.Contents(stored)
			if err != nil {
				t.Fatalf("%s/%s: %v", d.Index, d.ID, err)
			}
			again, err := commit.Reencode(stored)
			if err != nil || !bytes.Equal(again, stored) {
				t.Errorf("%s/%s: the state is written as %d other bytes, was %d (%v)", d.Index, d.ID, len(again), len(stored), err)
			}
			if err := s.Decode(payload); err != nil {
				t.Fatalf("%s/%s: %v", d.Index, d.ID, err)
			}
			got := s.Append(nil)
			var document struct {
				Truncated []string
				Domains   int64 `json:"smtp_domain_count"`
			}
			if err := json.Unmarshal(d.Source, &document); err != nil {
				t.Fatal(err)
			}
			switch {
			case bytes.Equal(withoutMark(t, got), payload):
				same++
			case unproven(s):
				over++ // all of it is claimed by now
			case document.Truncated == nil && document.Domains <= state.LimitDomains && !long(payload):
				t.Errorf("%s/%s: the payload is written as\n%x\nwas\n%x", d.Index, d.ID, got, payload)
			default:
				over++
			}
			if err := s.Decode(got); err != nil {
				t.Fatalf("%s/%s: %v", d.Index, d.ID, err)
			}
			if again := s.Append(nil); !bytes.Equal(again, got) {
				t.Errorf("%s/%s: what went over is written as\n%x\nwas\n%x", d.Index, d.ID, again, got)
			}
			if len(payload) > len(stored) {
				deflated++
			}
			held += min(1, applied)
			note(t, names, d.Kind(), payload)
		}
	}
	t.Logf("%d states are written as they were, %d go over", same, over)
	if same < 10*over || over == 0 {
		t.Errorf("%d states are written as they were, %d go over: want both, and mostly the first", same, over)
	}
	if deflated == 0 || held == 0 {
		t.Errorf("%d states are deflated and %d hold a chunk: the snapshot lacks a kind", deflated, held)
	}
	// All that schema 1 can keep is somewhere in the snapshot.
	for kind, want := range map[string]string{
		"attackers":    "al ar c cf cn cr cw d do f fp h hd hr hs ip is k0 k1 k2 kx l la lf lk ls n nw os pl pr px rt s se sl sn st t te to tr tt",
		"smtp-targets": "a d f l m n r s sn",
		"activity":     "c cn d k0 k1 k2 la ls n rc s sn su",
	} {
		if got := strings.Join(slices.Sorted(maps.Keys(names[kind])), " "); got != want {
			t.Errorf("%s: the snapshot has the names\n%s\nwant\n%s", kind, got, want)
		}
	}
}

// long says whether a payload has a text of more than 256 bytes: it may be one
// that is cut by now.
func long(payload []byte) bool {
	found := false
	var look func(b []byte) []byte
	look = func(b []byte) []byte {
		switch msgp.NextType(b) {
		case msgp.MapType, msgp.ArrayType:
			n, rest, err := msgp.ReadArrayHeaderBytes(b)
			if err != nil {
				if n, rest, err = msgp.ReadMapHeaderBytes(b); err != nil {
					return nil
				}
				n *= 2
			}
			for range n {
				rest = look(rest)
			}
			return rest
		case msgp.StrType:
			text, rest, err := msgp.ReadStringZC(b)
			found = found || err == nil && len(text) > 256
			return rest
		}
		rest, err := msgp.Skip(b)
		if err != nil {
			return nil
		}
		return rest
	}
	look(payload)
	return found
}

// withoutMark returns a payload without the name that says that it tells what
// is proven.
func withoutMark(t *testing.T, payload []byte) []byte {
	t.Helper()
	before, after, found := bytes.Cut(payload, []byte("\xa2pv\xc3"))
	if !found {
		return payload
	}
	without := slices.Concat(before, after)
	binary.BigEndian.PutUint32(without[1:], binary.BigEndian.Uint32(without[1:])-1) // behind 0xdf
	return without
}

// unproven says whether nothing proved an attacker's address, or what a packet
// told of its system, which is marked by now.
func unproven(s any) bool {
	a, ok := s.(*state.Attacker)
	return ok && (!a.Handshake || a.SystemGuesses.Len() > 0)
}

// note adds the names in a payload.
func note(t *testing.T, names map[string]map[string]bool, kind string, payload []byte) {
	t.Helper()
	if names[kind] == nil {
		names[kind] = map[string]bool{}
	}
	n, b, err := msgp.ReadMapHeaderBytes(payload)
	for ; err == nil && n > 0; n-- {
		var name string
		if name, b, err = msgp.ReadStringBytes(b); err == nil {
			names[kind][name] = true
			b, err = msgp.Skip(b)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

// From the states of schema 1 the documents are rendered that stood there:
// every field is still there, with the value it had.
func TestFrozenStatesRender(t *testing.T) {
	race.OneGoroutine(t)
	r, err := profile.New(profile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for prefix := range frozenPrefixes {
		for _, d := range frozen.Read(t, 1, prefix, prefix).Documents {
			s := newState(d.Kind())
			if s == nil {
				continue
			}
			stored := d.State(t)
			payload, _, err := commit.Contents(stored)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Decode(payload); err != nil {
				t.Fatal(err)
			}
			was := fields(t, d.Source)
			head, rest := headOf(t, d.ID, was, stored)
			var line []byte
			switch s := s.(type) {
			case *state.Attacker:
				line = r.AppendAttacker(nil, head, s)
			case *state.Target:
				line = r.AppendTarget(nil, head, rest, s)
			case *state.Activity:
				hour, err := time.Parse("2006-01-02T15", rest)
				if err != nil {
					t.Fatal(err)
				}
				line = r.AppendActivity(nil, head, event.FromTime(hour), s)
			}
			compare(t, d, was, fields(t, line))
			seen[d.Kind()]++
		}
	}
	t.Log(seen)
	if len(seen) != 3 {
		t.Errorf("only %v", seen)
	}
}

func headOf(t *testing.T, id string, doc map[string]any, stored []byte) (h correlate.Head, rest string) {
	t.Helper()
	address, rest, _ := strings.Cut(id, "|")
	h = correlate.Head{ID: address, State: stored}
	var err error
	if strings.Contains(address, "/") {
		h.Network, err = netip.ParsePrefix(address)
		h.Addr = h.Network.Addr()
	} else {
		h.Addr, err = netip.ParseAddr(address)
	}
	if err != nil {
		t.Fatal(err)
	}
	if at, ok := doc["updated_at"].(string); ok {
		if h.Now, err = time.Parse(time.RFC3339Nano, at); err != nil {
			t.Fatal(err)
		}
	}
	return h, rest
}

func fields(t *testing.T, doc []byte) map[string]any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(doc))
	d.UseNumber()
	var m map[string]any
	if err := d.Decode(&m); err != nil {
		t.Fatalf("%v: %.300s", err, doc)
	}
	return m
}

// provenOnly are the fields of an attacker that show by now what is proven, and
// nothing else; counts and times are of all.
var provenOnly = map[string]bool{
	"movement": true, "hops": true, "is_traversal": true, "traversal_path": true, "transitions": true, "commands": true, "command": true,
	"credentials": true, "credential": true, "campaign": true, "behavior": true, "threat": true,
}

func compare(t *testing.T, d frozen.Document, was, is map[string]any) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(was)) {
		now, ok := is[name]
		switch {
		case was["spoofable"] == true && provenOnly[name]:
			// Nothing proved the address: what was told of it is claimed now.
		case !ok:
			t.Errorf("%s/%s: the field %s is gone; it was %.200v", d.Index, d.ID, name, was[name])
		case name == "truncated" && subset(now, was[name]):
			// There is more room by now.
		case name == "campaign" && strings.Contains(fmt.Sprint(is["credential"]), "…#"):
			// Its key is that of the credentials as they are kept.
		case name == "behavior" && movedTools(was[name], now):
			// A cadence names no tool any more; it stands in a list of its own.
		case name == "threat" && keptThreat(was[name], now):
			// The description is a sentence by now, and what the whole profile tells
			// is among the techniques.
		case !judged[name] && !kept(was[name], now):
			t.Errorf("%s/%s: %s is %.300v, was %.300v", d.Index, d.ID, name, now, was[name])
		}
	}
}

// movedTools says whether behavior is kept when each tool that was named for
// its cadence alone is looked for in cadence_like.
func movedTools(was, is any) bool {
	w, _ := was.(map[string]any)
	i, _ := is.(map[string]any)
	tools, _ := w["tools"].([]any)
	named, _ := i["tools"].([]any)
	like, _ := i["cadence_like"].([]any)
	if len(tools) == 0 || !subset(tools, slices.Concat(named, like)) {
		return false
	}
	rest := maps.Clone(w)
	delete(rest, "tools")
	return kept(rest, i)
}

// keptThreat says whether threat is kept but for the words of its description, with
// all techniques and tactics that it had.
func keptThreat(was, is any) bool {
	w, _ := was.(map[string]any)
	i, _ := is.(map[string]any)
	for name := range w {
		part, _ := w[name].(map[string]any)
		now, _ := i[name].(map[string]any)
		switch name {
		case "technique", "tactic":
			if !subset(part["id"], now["id"]) || !subset(part["name"], now["name"]) {
				return false
			}
		case "indicator":
			part = maps.Clone(part)
			delete(part, "description")
			if text, _ := now["description"].(string); text == "" || !kept(part, now) {
				return false
			}
		default:
			if !kept(w[name], i[name]) {
				return false
			}
		}
	}
	return true
}

// subset says whether all elements of a are in b.
func subset(a, b any) bool {
	all, _ := b.([]any)
	some, ok := a.([]any)
	return ok && !slices.ContainsFunc(some, func(v any) bool { return !slices.Contains(all, v) })
}

// kept says whether a value is what it was; objects may have more names, a
// list that was cut to fit may show more, and a text or a payload that is longer
// than it may be by now is cut and says so.
func kept(was, is any) bool {
	switch w := was.(type) {
	case map[string]any:
		i, ok := is.(map[string]any)
		for name := range w {
			ok = ok && (kept(w[name], i[name]) || i[name] == nil && i["left_out"] != nil)
		}
		return ok
	case string:
		i, ok := is.(string)
		if ok && law.Shortened(i) && len(w) > len(i) {
			return i == law.Shorten(w, len(i)) || strings.HasPrefix(w, i[:strings.Index(i, "…#")])
		}
	case []any:
		i, ok := is.([]any)
		for n := 0; ok && n < len(w); i = i[min(1, len(i)):] {
			if ok = len(i) >= len(w)-n; ok && kept(w[n], i[0]) {
				n++
			}
		}
		return ok
	}
	return reflect.DeepEqual(was, is)
}

// A further event of every attacker of schema 1 is folded onto what was there
// and onto nothing else; a chunk that schema 1 committed is still known.
func TestFrozenStatesFold(t *testing.T) {
	race.OneGoroutine(t)
	for prefix, ipv6 := range frozenPrefixes {
		snapshot := frozen.Read(t, 1, prefix, prefix)
		store := memory.New()
		for _, d := range snapshot.Documents {
			_, err := store.Write(t.Context(), []commit.Op{{Kind: commit.Put, Key: commit.Key{Index: d.Index, ID: d.ID}, Body: d.Source}})
			if err != nil {
				t.Fatal(err)
			}
		}
		engine := frozenEngine(t, store, prefix, ipv6)
		at := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
		var lines []string
		was := map[string]map[string]any{}
		for _, d := range snapshot.Documents {
			if d.Kind() == "attackers" {
				address, _, _ := strings.Cut(d.ID, "/")
				was[d.ID] = fields(t, d.Source)
				lines = append(lines, fmt.Sprintf(`<134>1 %s decky-new newservice - connect [relay@55555 src_ip="%s"]`, at.Format(time.RFC3339), address))
			}
		}
		flush(t, engine, "further", chunktest.Lines(at, "log", lines...))
		flush(t, engine, "further", chunktest.Lines(at, "log", lines...))
		docs := store.Documents(prefix + "-attackers")
		if len(docs) != len(was) {
			t.Errorf("%d attackers after the event, %d before", len(docs), len(was))
		}
		for id, w := range was {
			checkFurther(t, id, w, fields(t, docs[id]), at)
		}
		if prefix != "dossier" {
			continue
		}
		// As capture.go made it: its marker is what tells.
		var old chunktest.Builder
		long := time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)
		old.Event(long, chunktest.Map{"log", `<134>1 1980-01-01T00:00:00.000000+00:00 decky-01 ssh - connect [relay@55555 src_ip="203.0.113.204"]`})
		flush(t, engine, "old", old.Bytes())
		if got := fields(t, store.Documents("dossier-attackers")["203.0.113.204"])["event_count"]; fmt.Sprint(got) != "4" {
			t.Errorf("after a chunk of schema 1 was delivered again: %v events, want 3 and the further one", got)
		}
	}
}

// checkFurther compares an attacker with what he was before one more event, of
// a service and on a decky that he had never touched.
func checkFurther(t *testing.T, id string, was, is map[string]any, at time.Time) {
	t.Helper()
	number := func(m map[string]any, name string) int64 {
		n, _ := m[name].(json.Number)
		v, _ := n.Int64()
		return v
	}
	for _, name := range []string{"command_count", "login_attempts", "login_successes", "credential_count", "session_count", "bounty_count", "smtp_domain_count"} {
		if number(was, name) != number(is, name) {
			t.Errorf("%s: %s went from %v to %v", id, name, was[name], is[name])
		}
	}
	for _, name := range []string{"event_count", "decky_count", "service_count"} {
		if _, there := was[name]; there && number(is, name) != number(was, name)+1 {
			t.Errorf("%s: %s went from %v to %v, want one more", id, name, was[name], is[name])
		}
	}
	if f := fmt.Sprint(was["first_seen"]); f < at.Format("2006-01-02T15") && fmt.Sprint(is["first_seen"]) != f {
		t.Errorf("%s: first_seen went from %v to %v", id, f, is["first_seen"])
	}
	if l := fmt.Sprint(is["last_seen"]); l < fmt.Sprint(was["last_seen"]) || l < at.Format("2006-01-02T15:04:05") {
		t.Errorf("%s: last_seen went from %v to %v", id, was["last_seen"], l)
	}
}

func flush(t *testing.T, e *correlate.Engine, tag string, data []byte) {
	t.Helper()
	if r, err := e.Flush(t.Context(), tag, data); r != correlate.OK {
		t.Fatalf("%s: %v, %v", tag, r, err)
	}
}

func frozenEngine(t *testing.T, store *memory.Store, prefix string, ipv6 int) *correlate.Engine {
	t.Helper()
	r, err := profile.New(profile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	parser, err := dialect.New(dialect.Options{})
	if err != nil {
		t.Fatal(err)
	}
	indices := correlate.Indices{Prefix: prefix}
	c, err := commit.New(commit.Options{
		MachineOptions: commit.MachineOptions{Ledger: indices.Ledger, CacheBytes: 64 << 20},
		Store:          store, DeadLetters: store,
		Model: correlate.NewModel(correlate.ModelOptions{Renderer: r, Indices: indices, Activity: true, Transitions: true}),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(t.Context()) })
	e, err := correlate.New(correlate.Options{
		Committer: c, Indices: indices, Parser: parser, Sensor: "sensor-1", Activity: true, IPv6Prefix: ipv6, Annotator: r,
		Decode:     func(a *event.Arena, data []byte) correlate.Records { return chunk.NewDecoder(data, a) },
		BuryBroken: func(_ context.Context, b correlate.Broken) error { return fmt.Errorf("%+v", b) },
	})
	if err != nil {
		t.Fatal(err)
	}
	return e
}
