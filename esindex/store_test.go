package esindex_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"dossier/correlate/commit"
	"dossier/esindex"
	"dossier/testbed/esnode"

	"go.uber.org/goleak"
)

var _ commit.Store = (*esindex.Store)(nil)

// site is a set of indices of a test's own on a node.
type site struct {
	*esnode.Node
	prefix    string
	options   esindex.Options
	client    *esindex.Client
	store     *esindex.Store
	templates []esindex.Template
}

// templates are of the shapes the product has: one index, and months.
func templates(prefix string, version int) []esindex.Template {
	body := json.RawMessage(`{
		"settings": {"number_of_shards": 1, "auto_expand_replicas": "0-1", "refresh_interval": "5s"},
		"mappings": {"dynamic": false, "properties": {
			"state": {"type": "binary"}, "name": {"type": "keyword"}, "count": {"type": "long"}}}}`)
	single := json.RawMessage(strings.TrimSuffix(strings.TrimSpace(string(body)), "}") + `, "aliases": {"` + prefix + `-alias": {}}}`)
	return []esindex.Template{
		{Name: prefix + "-things", Pattern: prefix + "-things", Version: version, Body: single, Fixed: map[string]string{"ipv6_prefix": "128"}},
		{Name: prefix + "-months", Pattern: prefix + "-months-*", Version: version, Body: body},
	}
}

func newPrefix() string { return fmt.Sprintf("esindex%08x", rand.Uint32()) }

func newSite(t testing.TB, n *esnode.Node, change func(*esindex.Options)) *site {
	t.Helper()
	s := &site{Node: n, prefix: newPrefix()}
	esnode.CleanUp(t, s.prefix)
	s.options = esindex.Options{Hosts: []string{n.URL}, User: n.User, Password: n.Password}
	if change != nil {
		change(&s.options)
	}
	s.templates = templates(s.prefix, 1)
	s.client = newClient(t, s.options)
	var err error
	if s.store, err = esindex.NewStore(s.client, s.templates); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx := context.Background()
		for _, index := range []string{"things", "months-a", "months-b", "months-2026.01"} {
			n.Do(ctx, "DELETE", s.prefix+"-"+index, nil)
		}
		for _, name := range []string{"-things", "-months"} {
			n.Do(ctx, "DELETE", "_index_template/"+s.prefix+name, nil)
			n.Do(ctx, "DELETE", "_component_template/"+s.prefix+name+"@package", nil)
		}
	})
	return s
}

func newClient(t testing.TB, o esindex.Options) *esindex.Client {
	t.Helper()
	c, err := esindex.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func (s *site) things(id string) commit.Key { return commit.Key{Index: s.prefix + "-things", ID: id} }

func doc(state string, rest string) []byte {
	return fmt.Appendf(nil, `{"state":%q%s}`, base64.StdEncoding.EncodeToString([]byte(state)), rest)
}

func write(t testing.TB, s *esindex.Store, ops ...commit.Op) []commit.Written {
	t.Helper()
	w, err := s.Write(t.Context(), ops)
	if err != nil {
		t.Fatal(err)
	}
	if len(w) != len(ops) {
		t.Fatalf("%d answers to %d operations", len(w), len(ops))
	}
	return w
}

func read(t testing.TB, s *esindex.Store, keys ...commit.Key) []commit.Stored {
	t.Helper()
	r, err := s.Read(t.Context(), keys)
	if err != nil {
		t.Fatal(err)
	}
	if len(r) != len(keys) {
		t.Fatalf("%d answers to %d keys", len(r), len(keys))
	}
	return r
}

func TestCompareAndSet(t *testing.T) {
	n := esnode.Shared(t)
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	s := newSite(t, n, nil)
	defer s.client.Close()
	a, b := s.things("192.0.2.1"), s.things(`"\`+"\x01 é")

	if got := read(t, s.store, a, b); got[0].Exists || got[1].Exists || got[0].Err != nil {
		t.Fatalf("before the index exists: %+v", got)
	}
	first := write(t, s.store,
		commit.Op{Kind: commit.Create, Key: a, Body: doc("one", "")},
		commit.Op{Kind: commit.Create, Key: b, Body: doc("zwei", "")})
	for _, w := range first {
		if w.Status != commit.Done || w.Version.PrimaryTerm < 1 {
			t.Fatalf("create: %+v", w)
		}
	}
	again := write(t, s.store, commit.Op{Kind: commit.Create, Key: a, Body: doc("other", "")})
	if again[0].Status != commit.Conflict {
		t.Fatalf("create of what is there: %+v", again[0])
	}
	second := write(t, s.store, commit.Op{Kind: commit.Replace, Key: a, Version: first[0].Version, Body: doc("two", "")})
	if second[0].Status != commit.Done {
		t.Fatalf("replace: %+v", second[0])
	}
	stale := write(t, s.store,
		commit.Op{Kind: commit.Replace, Key: a, Version: first[0].Version, Body: doc("lost", "")},
		commit.Op{Kind: commit.Replace, Key: s.things("absent"), Version: first[0].Version, Body: doc("lost", "")},
		commit.Op{Kind: commit.Replace, Key: b, Body: doc("no version", "")},
		commit.Op{Kind: commit.Put, Key: b, Body: doc("put", "")})
	for i, want := range []commit.Status{commit.Conflict, commit.Conflict, commit.Conflict, commit.Done} {
		if stale[i].Status != want {
			t.Errorf("operation %d: %+v, want status %d", i, stale[i], want)
		}
	}
	got := read(t, s.store, a, s.things("absent"), b)
	if string(got[0].State) != "two" || got[0].Version != second[0].Version || got[1].Exists || string(got[2].State) != "put" || got[2].Version != stale[3].Version {
		t.Errorf("read: %+v", got)
	}
	// The index was created with the mapping, though no template is there.
	if err := s.store.CheckIndex(t.Context(), a.Index); err != nil {
		t.Error(err)
	}
}

func TestRejectedDocumentsDoNotHoldUpOthers(t *testing.T) {
	s := newSite(t, esnode.Shared(t), nil)
	secret := "hunter2"
	ops := []commit.Op{
		{Key: s.things("good"), Body: doc("1", "")},
		{Key: s.things("mapping"), Body: doc("1", `,"count":"`+secret+`"`)},
		{Key: s.things("garbage"), Body: []byte(`{"state":"` + secret)},
		{Key: s.things("term"), Body: doc("1", `,"name":"`+strings.Repeat(secret, 6000)+`"`)},
		{Key: s.things("two lines"), Body: []byte("{}\n{}")},
		{Key: s.things("empty")},
		{Key: s.things(strings.Repeat("x", 513)), Body: doc("1", "")},
		{Key: s.things(""), Body: doc("1", "")},
		{Key: s.things("\xff"), Body: doc("1", "")},
		{Key: commit.Key{Index: s.prefix + "-others", ID: "1"}, Body: doc("1", "")},
		{Key: s.things("good too"), Body: doc("1", "")},
	}
	got := write(t, s.store, ops...)
	want := []commit.Status{
		commit.Done, commit.Rejected, commit.Rejected, commit.Rejected, commit.Rejected, commit.Rejected,
		commit.Rejected, commit.Rejected, commit.Rejected, commit.Unknown, commit.Done,
	}
	for i := range got {
		if got[i].Status != want[i] {
			t.Errorf("%q: %+v, want status %d", ops[i].Key.ID, got[i], want[i])
		}
		if want[i] != commit.Done && got[i].Reason == "" {
			t.Errorf("%q: no reason", ops[i].Key.ID)
		}
		if strings.Contains(got[i].Reason, secret) || strings.Contains(got[i].Reason, "104, 117") {
			t.Errorf("%q: the reason quotes the document: %s", ops[i].Key.ID, got[i].Reason)
		}
	}
	for i, part := range map[int]string{1: "field count of type long", 3: "field name", 9: "no template"} {
		if !strings.Contains(got[i].Reason, part) {
			t.Errorf("%q: reason %q lacks %q", ops[i].Key.ID, got[i].Reason, part)
		}
	}
	if r := read(t, s.store, s.things(""), s.things("good"), s.things(strings.Repeat("x", 513))); r[0].Exists || !r[1].Exists || r[2].Exists {
		t.Errorf("read: %+v", r)
	}
}

func TestBlockedIndexIsRetriable(t *testing.T) {
	s := newSite(t, esnode.Shared(t), nil)
	write(t, s.store, commit.Op{Key: s.things("1"), Body: doc("1", "")})
	for _, block := range []string{"read_only_allow_delete", "write"} {
		setting := map[string]any{"index.blocks." + block: true}
		s.Must(t, "PUT", s.prefix+"-things/_settings", setting)
		w := write(t, s.store, commit.Op{Key: s.things("2"), Body: doc("1", "")}, commit.Op{Key: s.things("3"), Body: doc("1", "")})
		setting["index.blocks."+block] = nil
		s.Must(t, "PUT", s.prefix+"-things/_settings", setting)
		if w[0].Status != commit.Unknown || !strings.Contains(w[0].Reason, "block") || w[1].Reason != w[0].Reason {
			t.Errorf("%s: %+v", block, w)
		}
		t.Log(w[0].Reason)
	}
	if w := write(t, s.store, commit.Op{Key: s.things("2"), Body: doc("1", "")}); w[0].Status != commit.Done {
		t.Errorf("after the block: %+v", w)
	}
}

func TestStateThatCannotBeReadIsAnError(t *testing.T) {
	s := newSite(t, esnode.Shared(t), nil)
	if _, err := s.client.Install(t.Context(), s.templates); err != nil {
		t.Fatal(err)
	}
	// Our mapping would keep these out.
	s.Must(t, "PUT", s.prefix+"-months-a", map[string]any{"mappings": map[string]any{"dynamic": false}})
	s.Must(t, "PUT", s.prefix+"-months-a/_doc/text", `{"state":"not base64!"}`)
	s.Must(t, "PUT", s.prefix+"-months-a/_doc/number", `{"state":[1,{"a":"b"}]}`)
	s.Must(t, "PUT", s.prefix+"-months-a/_doc/none", `{"other":1}`)
	k := func(id string) commit.Key { return commit.Key{Index: s.prefix + "-months-a", ID: id} }
	got := read(t, s.store, k("text"), k("number"), k("none"))
	if got[0].Err == nil || got[1].Err == nil {
		t.Errorf("broken states pass: %+v", got)
	}
	if got[2].Err != nil || !got[2].Exists || got[2].State != nil {
		t.Errorf("a document without a state: %+v", got[2])
	}
}

func TestForeignIndexIsNotWritten(t *testing.T) {
	s := newSite(t, esnode.Shared(t), nil)
	s.Must(t, "PUT", s.prefix+"-things", map[string]any{})
	w := write(t, s.store,
		commit.Op{Key: s.things("1"), Body: doc("1", "")},
		commit.Op{Key: commit.Key{Index: s.prefix + "-months-a", ID: "1"}, Body: doc("1", "")})
	if w[0].Status != commit.Unknown || !strings.Contains(w[0].Reason, "did not make it") || w[1].Status != commit.Done {
		t.Fatalf("%+v", w)
	}
	if _, err := s.store.Write(t.Context(), []commit.Op{{Key: s.things("1"), Body: doc("1", "")}}); !errors.Is(err, esindex.ErrForeign) {
		t.Errorf("alone: %v", err)
	}
	if err := s.store.CheckIndex(t.Context(), s.prefix+"-things"); !errors.Is(err, esindex.ErrForeign) {
		t.Errorf("check: %v", err)
	}
	if _, err := s.client.Install(t.Context(), s.templates); !errors.Is(err, esindex.ErrForeign) {
		t.Errorf("install: %v", err)
	}
	s.Must(t, "DELETE", s.prefix+"-things", nil)
	if err := s.store.CheckIndex(t.Context(), s.prefix+"-things"); !errors.Is(err, esindex.ErrMissing) {
		t.Errorf("check of nothing: %v", err)
	}
	if w := write(t, s.store, commit.Op{Key: s.things("1"), Body: doc("1", "")}); w[0].Status != commit.Done {
		t.Errorf("after it is gone: %+v", w)
	}
	// Deleted behind our back where no template is, it is made anew by the
	// next write with a guessed mapping: the write after that sees it.
	write(t, s.store, commit.Op{Key: s.things("2"), Body: doc("1", "")})
	s.Must(t, "DELETE", s.prefix+"-things", nil)
	s.Must(t, "DELETE", "_index_template/"+s.prefix+"-things", nil)
	write(t, s.store, commit.Op{Key: s.things("1"), Body: doc("1", "")})
	if _, err := s.store.Write(t.Context(), []commit.Op{{Key: s.things("2"), Body: doc("1", "")}}); !errors.Is(err, esindex.ErrForeign) {
		t.Errorf("made anew: %v", err)
	}
}

func TestIndexBehindAnAlias(t *testing.T) {
	s := newSite(t, esnode.Shared(t), nil)
	b := commit.Key{Index: s.prefix + "-months-b", ID: "1"}
	write(t, s.store, commit.Op{Key: b, Body: doc("1", "")})
	s.Must(t, "PUT", b.Index+"/_alias/"+s.prefix+"-months-a", nil)
	a := commit.Key{Index: s.prefix + "-months-a", ID: "1"}
	if r := read(t, s.store, a); !r[0].Exists {
		t.Fatalf("through the alias: %+v", r)
	}
	if w := write(t, s.store, commit.Op{Kind: commit.Put, Key: a, Body: doc("2", "")}); w[0].Status != commit.Done {
		t.Errorf("through the alias: %+v", w)
	}
}

func TestBulksAreCut(t *testing.T) {
	s := newSite(t, esnode.Shared(t), func(o *esindex.Options) { o.MaxBulkBytes, o.MaxBulkDocs, o.Compress = 4000, 7, esindex.CompressOn })
	var ops []commit.Op
	var keys []commit.Key
	for i := range 100 {
		k := s.things(fmt.Sprint(i))
		keys = append(keys, k)
		ops = append(ops, commit.Op{Key: k, Body: doc(strings.Repeat(fmt.Sprint(i), 100*(i%20)), "")})
	}
	for i, w := range write(t, s.store, ops...) {
		if w.Status != commit.Done {
			t.Errorf("%d: %+v", i, w)
		}
	}
	for i, r := range read(t, s.store, keys...) {
		if string(r.State) != strings.Repeat(fmt.Sprint(i), 100*(i%20)) {
			t.Errorf("%d: another document's state", i)
		}
	}
}

func TestContextErrorsStay(t *testing.T) {
	s := newSite(t, esnode.Shared(t), nil)
	write(t, s.store, commit.Op{Key: s.things("1"), Body: doc("1", "")})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.store.Read(ctx, []commit.Key{s.things("1")}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	ctx, cancel = context.WithTimeout(t.Context(), time.Nanosecond)
	defer cancel()
	if _, err := s.store.Write(ctx, []commit.Op{{Key: s.things("1"), Body: doc("1", "")}}); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}
