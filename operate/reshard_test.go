package operate

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"dossier/conf/roles"
	"dossier/correlate/commit"
	"dossier/esindex"
	"dossier/profile"
	"dossier/testbed/esnode"
)

// old opens a target whose indices have the names themselves, as all had before
// there were numbers, with some documents in each.
func old(t *testing.T) (*Target, *esnode.Node, *ledger) {
	t.Helper()
	target, node := plain(t, false, nil)
	before, err := Open(target.o, "test")
	if err != nil {
		t.Fatal(err)
	}
	defer before.Close()
	for i := range before.templates {
		before.templates[i].Numbered = false
	}
	if err := before.Setup(t.Context(), Setup{Roles: "off"}, func(esindex.Step) {}); err != nil {
		t.Fatal(err)
	}
	return target, node, fill(t, target)
}

// ledger is what a sensor has in memory: the documents that it wrote, with
// their tokens.
type ledger struct {
	store *esindex.Store
	keys  []commit.Key
	have  []commit.Version
	n     []int
}

func fill(t *testing.T, target *Target) *ledger {
	t.Helper()
	l := &ledger{store: target.store}
	for n := range 90 {
		index := []string{target.indices.Attackers(), target.indices.Targets(), target.indices.Indicators()}[n%3]
		l.keys = append(l.keys, commit.Key{Index: index, ID: fmt.Sprint("192.0.2.", n)})
	}
	l.have, l.n = make([]commit.Version, len(l.keys)), make([]int, len(l.keys))
	for range 3 {
		l.write(t)
	}
	return l
}

func body(n int) []byte {
	return fmt.Appendf(nil, `{"event_count":%d,"state":%q}`, n, base64.StdEncoding.EncodeToString(fmt.Append(nil, n)))
}

// write counts each document up by one with the token in memory, without a
// read.
func (l *ledger) write(t *testing.T) {
	t.Helper()
	for i, w := range l.try(t) {
		if w.Status != commit.Done {
			t.Fatalf("%v: %+v", l.keys[i], w)
		}
	}
}

func (l *ledger) try(t *testing.T) []commit.Written {
	t.Helper()
	var ops []commit.Op
	for i, k := range l.keys {
		op := commit.Op{Kind: commit.Replace, Key: k, Version: l.have[i], Body: body(l.n[i] + 1)}
		if l.n[i] == 0 {
			op.Kind = commit.Create
		}
		ops = append(ops, op)
	}
	out, err := l.store.Write(t.Context(), ops)
	if err != nil {
		t.Fatal(err)
	}
	for i, w := range out {
		if w.Status == commit.Done {
			l.n[i]++
			l.have[i] = w.Version
		}
	}
	return out
}

// whole wants every document to be as it was acknowledged last, under the same
// token.
func (l *ledger) whole(t *testing.T) {
	t.Helper()
	got, err := l.store.Read(t.Context(), l.keys)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range got {
		if !r.Exists || r.Version != l.have[i] || string(r.State) != fmt.Sprint(l.n[i]) {
			t.Fatalf("%v: %+v, want %d at %+v", l.keys[i], r, l.n[i], l.have[i])
		}
	}
}

func reshard(t *testing.T, ctx context.Context, target *Target, o Reshard, stopAt int) (string, error) {
	t.Helper()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var steps []string
	err := target.Reshard(ctx, o, func(s esindex.Step) {
		if steps = append(steps, s.String()); len(steps) == stopAt {
			cancel()
		}
	})
	return strings.Join(steps, "\n"), err
}

// behind returns the index behind a name, how many shards it has, and its aliases.
func behind(t *testing.T, node *esnode.Node, name string) (index, shards string, aliases []string) {
	t.Helper()
	for index, v := range node.Must(t, "GET", name+"?flat_settings=true", nil) {
		of := v.(map[string]any)
		for alias, a := range of["aliases"].(map[string]any) {
			text := alias
			if filter, ok := a.(map[string]any)["filter"]; ok {
				text += fmt.Sprint(" ", filter)
			}
			aliases = append(aliases, text)
		}
		slices.Sort(aliases)
		s := of["settings"].(map[string]any)
		if b := s["index.blocks.write"]; b == "true" {
			t.Errorf("%s is blocked: %v", index, b)
		}
		return index, fmt.Sprint(s["index.number_of_shards"]), aliases
	}
	t.Fatal("nothing is ", name)
	return "", "", nil
}

// TestNewInstallationsStandBehindAliases: the first set-up makes numbered
// indices, the second finds nothing to do, and a write does not make one of
// the bare name where the alias was taken away.
func TestNewInstallationsStandBehindAliases(t *testing.T) {
	target, node := plain(t, false, nil)
	setup := func() string {
		var steps []string
		if err := target.Setup(t.Context(), Setup{Roles: "off"}, func(s esindex.Step) { steps = append(steps, s.String()) }); err != nil {
			t.Fatal(err)
		}
		return strings.Join(steps, "\n")
	}
	first := setup()
	for _, name := range []string{target.indices.Attackers(), target.indices.Targets(), target.indices.Indicators()} {
		index, _, aliases := behind(t, node, name)
		if index != name+"-000001" || !slices.Contains(aliases, name) {
			t.Errorf("%s is %s with %q", name, index, aliases)
		}
		if want := "index " + name + "-000001: created"; !strings.Contains(first, want) {
			t.Errorf("no %q in\n%s", want, first)
		}
	}
	for line := range strings.SplitSeq(setup(), "\n") {
		if !strings.Contains(line, ": kept") {
			t.Errorf("the second time: %s", line)
		}
	}
	for line := range strings.SplitSeq(findings(t, target, "setup", ""), "\n") {
		if strings.HasPrefix(line, "FAIL") || strings.HasPrefix(line, "WARN") && !strings.Contains(line, "no security") && !strings.Contains(line, "months ahead") {
			t.Error(line)
		}
	}
	// The template is that of the numbers, too.
	index, _, _ := behind(t, node, target.indices.Attackers())
	settings := node.Must(t, "GET", index+"/_settings?flat_settings=true", nil)[index].(map[string]any)["settings"].(map[string]any)
	if settings["index.refresh_interval"] != "5s" || settings["index.translog.durability"] != "request" {
		t.Errorf("settings %v", settings)
	}

	l := fill(t, target)
	node.Must(t, "POST", "_aliases", fmt.Sprintf(`{"actions":[{"remove":{"index":%q,"alias":%q}}]}`, index, target.indices.Attackers()))
	for i, w := range l.try(t) {
		if is := l.keys[i].Index == target.indices.Attackers(); is != (w.Status == commit.Unknown) {
			t.Errorf("%v: %+v", l.keys[i], w)
		}
	}
	if code, _, err := node.Do(t.Context(), "GET", target.indices.Attackers(), nil); err != nil || code != 404 {
		t.Errorf("an index of the alias's name: HTTP %d, %v", code, err)
	}
	if _, err := target.store.Write(t.Context(), []commit.Op{{Kind: commit.Create, Key: commit.Key{Index: target.indices.Attackers(), ID: "x"}, Body: body(1)}}); err == nil || !strings.Contains(err.Error(), "leads nowhere") {
		t.Errorf("the next write: %v", err)
	}
	node.Must(t, "POST", "_aliases", fmt.Sprintf(`{"actions":[{"add":{"index":%q,"alias":%q}}]}`, index, target.indices.Attackers()))
	for i, w := range l.try(t) {
		if is := l.keys[i].Index == target.indices.Attackers(); is && w.Status != commit.Done {
			t.Errorf("after it is back: %v: %+v", l.keys[i], w)
		}
	}
}

// TestReshard moves an installation from before there were numbers behind
// aliases and splits it twice. A sensor that has its tokens in memory goes on
// with them, and each filtered alias comes along.
func TestReshard(t *testing.T) {
	target, node, l := old(t)
	name := target.indices.Attackers()
	if index, _, _ := behind(t, node, name); index != name {
		t.Fatalf("an old installation has %s", index)
	}
	_, _, was := behind(t, node, name)
	want := slices.Sorted(slices.Values(append(was, name)))
	said, err := reshard(t, t.Context(), target, Reshard{}, 0)
	if err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	for _, kind := range ReshardKinds() {
		name := target.o.IndexPrefix + "-" + kind
		for _, want := range []string{
			"index " + name + ": blocked for writes", "index " + name + "-000001: created from " + name + " by _clone",
			"index " + name + "-000001: compared: 30 documents, sequence numbers up to 89, the tokens of 30 documents", "index " + name + "-000001: is " + name + " now, with 1 shards",
		} {
			if !strings.Contains(said, want) {
				t.Errorf("no %q in\n%s", want, said)
			}
		}
	}
	index, shards, is := behind(t, node, name)
	if index != name+"-000001" || shards != "1" || !slices.Equal(is, want) {
		t.Errorf("%s with %s shards and aliases %q, want %q", index, shards, is, want)
	}
	l.whole(t)
	l.write(t)
	said, err = reshard(t, t.Context(), target, Reshard{}, 0)
	if err != nil || strings.Count(said, "kept, it has 1 shards behind ") != 3 || strings.Count(said, "\n") != 2 {
		t.Errorf("a second time: %v\n%s", err, said)
	}
	for _, n := range []int{3, 6} {
		if said, err = reshard(t, t.Context(), target, Reshard{Kinds: []string{"attackers"}, Shards: n}, 0); err != nil {
			t.Fatalf("%d: %v\n%s", n, err, said)
		}
		l.whole(t)
		l.write(t)
		l.write(t)
	}
	if index, shards, is := behind(t, node, name); index != name+"-000003" || shards != "6" || !slices.Equal(is, want) {
		t.Errorf("%s with %s shards and aliases %q, want %q", index, shards, is, want)
	}
	if index, shards, _ := behind(t, node, target.indices.Targets()); index != target.indices.Targets()+"-000001" || shards != "1" {
		t.Errorf("another kind was split: %s, %s", index, shards)
	}
	for _, test := range []struct {
		o    Reshard
		want string
	}{
		{Reshard{Shards: 2}, "can only get more"},
		{Reshard{Shards: 8}, "gives it 12, 18 or another multiple"},
		{Reshard{Shards: 42}, "number_of_routing_shards"},
		{Reshard{Shards: 65}, "want 1 to 64"},
		{Reshard{Kinds: []string{"activity"}}, "want one of attackers"},
		{Reshard{Shards: 12, Abort: true}, "leave one out"},
	} {
		if said, err := reshard(t, t.Context(), target, test.o, 0); err == nil || !strings.Contains(err.Error(), test.want) || said != "" {
			t.Errorf("%+v: %v\n%s", test.o, err, said)
		}
	}
	l.write(t)
	// Whoever has nothing in memory reads and writes the same, and what set-up
	// and check say is what they say of any.
	target.store, err = esindex.NewStore(target.client, target.templates)
	if err != nil {
		t.Fatal(err)
	}
	l.store = target.store
	l.whole(t)
	l.write(t)
	var steps []string
	for range 2 { // the first gives the templates their patterns
		steps = nil
		if err := target.Setup(t.Context(), Setup{Roles: "off"}, func(s esindex.Step) { steps = append(steps, s.String()) }); err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range steps {
		if !strings.Contains(s, ": kept") {
			t.Error(s)
		}
	}
	for line := range strings.SplitSeq(findings(t, target, "setup", ""), "\n") {
		// The states here are numbers, which is no state of an attacker.
		if strings.Contains(line, "index "+name) || strings.HasPrefix(line, "FAIL") && !strings.HasPrefix(line, "FAIL states: ") {
			t.Error(line)
		}
	}
}

// TestReshardStopsAnywhere: one that ends after any of its steps goes on when it
// is run again, and can be taken back until the last one.
func TestReshardStopsAnywhere(t *testing.T) {
	target, node, l := old(t)
	name := target.indices.Attackers()
	number := func() string { index, _, _ := behind(t, node, name); return index }
	// The steps before the last: blocked, created, compared.
	for at := 1; at <= 3; at++ {
		was := number()
		said, err := reshard(t, t.Context(), target, Reshard{Kinds: []string{"attackers"}, Shards: 2}, at)
		if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "dossier reshard --abort") {
			t.Fatalf("stopped at %d: %v\n%s", at, err, said)
		}
		for i, w := range l.try(t) {
			if l.keys[i].Index == name && w.Status != commit.Unknown {
				t.Errorf("stopped at %d: %v: %+v", at, l.keys[i], w)
			}
		}
		found := findings(t, target, "setup", "")
		if !strings.Contains(found, "FAIL index "+name+": it is blocked (index.blocks.write); where dossier reshard was stopped run it again") {
			t.Errorf("stopped at %d: check says\n%s", at, found)
		}
		if at > 1 {
			if !strings.Contains(found, "WARN index "+name+"-000001: dossier reshard is at work, or was stopped") {
				t.Errorf("stopped at %d: check says\n%s", at, found)
			}
			if _, err := reshard(t, t.Context(), target, Reshard{Kinds: []string{"attackers"}, Shards: 4}, 0); err == nil || !strings.Contains(err.Error(), "was begun with 2 shards") {
				t.Errorf("with another number: %v", err)
			}
		}
		if said, err = reshard(t, t.Context(), target, Reshard{Abort: true}, 0); err != nil || !strings.Contains(said, "index "+name+": open for writes again") {
			t.Fatalf("aborted at %d: %v\n%s", at, err, said)
		}
		if number() != was {
			t.Errorf("aborted at %d: it is %s", at, number())
		}
		l.whole(t)
		l.write(t)
	}
	said, err := reshard(t, t.Context(), target, Reshard{Abort: true}, 0)
	if err != nil || strings.Count(said, "kept, nothing was begun") != 3 {
		t.Errorf("nothing to abort: %v\n%s", err, said)
	}
	for at := 1; at <= 3; at++ {
		o := Reshard{Kinds: []string{"attackers"}, Shards: 1 << at}
		if said, err := reshard(t, t.Context(), target, o, at); !errors.Is(err, context.Canceled) {
			t.Fatalf("stopped at %d: %v\n%s", at, err, said)
		}
		if at > 1 {
			o.Shards = 0 // as many as it was begun with
		}
		if said, err := reshard(t, t.Context(), target, o, 0); err != nil {
			t.Fatalf("gone on at %d: %v\n%s", at, err, said)
		}
		index, shards, _ := behind(t, node, name)
		if index != fmt.Sprintf("%s-%06d", name, at) || shards != fmt.Sprint(1<<at) {
			t.Errorf("gone on at %d: %s with %s shards", at, index, shards)
		}
		l.whole(t)
		l.write(t)
	}
}

// TestReshardIsHeldAgainstItsSource: a copy that is another one, or that lacks
// what somebody wrote when he lifted the block, takes nobody's place.
func TestReshardIsHeldAgainstItsSource(t *testing.T) {
	target, node, l := old(t)
	name := target.indices.Attackers()
	o := Reshard{Kinds: []string{"attackers"}}
	stop := func(at int) {
		t.Helper()
		if said, err := reshard(t, t.Context(), target, o, at); !errors.Is(err, context.Canceled) {
			t.Fatalf("%v\n%s", err, said)
		}
	}
	unblock := func() { node.Must(t, "PUT", name+"/_settings", `{"index.blocks.write":null}`) }
	block := func() { node.Must(t, "PUT", name+"/_block/write", nil) }
	refused := func(want string) {
		t.Helper()
		said, err := reshard(t, t.Context(), target, o, 0)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasSuffix(err.Error(), "nothing was changed") {
			t.Fatalf("%v\n%s", err, said)
		}
		if index, _, _ := behind(t, node, name); index != name {
			t.Fatalf("it is %s", index)
		}
		l.whole(t)
		l.write(t)
	}
	// The block is gone: neither is the copy put in place nor an index deleted
	// that may be somebody's.
	stop(3)
	unblock()
	l.write(t)
	for _, o := range []Reshard{o, {Abort: true}} {
		if said, err := reshard(t, t.Context(), target, o, 0); err == nil || !strings.Contains(err.Error(), "see whose it is and DELETE it") || said != "" {
			t.Errorf("%+v: %v\n%s", o, err, said)
		}
	}
	l.whole(t)
	// It was gone, and somebody wrote.
	block()
	refused("would give out sequence numbers again")

	stop(3)
	unblock()
	node.Must(t, "DELETE", name+"/_doc/"+l.keys[0].ID, nil)
	block()
	l.keys, l.have, l.n = l.keys[3:], l.have[3:], l.n[3:] // one of each kind
	refused("has 30 documents and " + name + " 29")

	// What _reindex makes has other numbers.
	node.Must(t, "PUT", name+"-000001", `{"settings":{"number_of_replicas":0}}`) // else it is waited for
	node.Must(t, "POST", "_reindex?refresh=true", fmt.Sprintf(`{"source":{"index":%q},"dest":{"index":%q}}`, name, name+"-000001"))
	m := move{Target: target, name: name, step: func(esindex.Step) {}}
	m.from.index, m.to.index = name, name+"-000001"
	if n, err := m.sample(t.Context()); err == nil || !strings.Contains(err.Error(), "another sequence number") {
		t.Errorf("the tokens of %d documents are the same after _reindex: %v", n, err)
	}
	if err := m.sameMapping(t.Context()); err == nil || !strings.Contains(err.Error(), "another mapping") {
		t.Errorf("the list key is the same after _reindex: %v", err)
	}
	block()
	refused("would give out sequence numbers again")
}

// TestReshardRole: the role is enough, none of its privileges is too much, and a
// sensor's key writes before and after.
func TestReshardRole(t *testing.T) {
	s := secured(t)
	prefix := newPrefix()
	admin := s.admin(t, prefix)
	if err := admin.Setup(t.Context(), Setup{Roles: "off"}, func(esindex.Step) {}); err != nil {
		t.Fatal(err)
	}
	sensor := s.as(t, prefix, get(t, roles.Writer, prefix))
	l := fill(t, sensor)
	shards := 1
	needed(t, roles.Reshard, get(t, roles.Reshard, prefix), func(role roles.Role) error {
		target := s.as(t, prefix, role)
		o := Reshard{Kinds: []string{"attackers"}, Shards: 2 * shards}
		if err := target.Reshard(t.Context(), o, func(esindex.Step) {}); err != nil {
			if err := admin.Reshard(t.Context(), Reshard{Abort: true}, func(esindex.Step) {}); err != nil {
				t.Fatal(err)
			}
			return err
		}
		shards *= 2
		l.write(t)
		return nil
	})
	l.whole(t)
	as := s.as(t, prefix, get(t, roles.Reshard, prefix))
	for _, try := range [][2]string{{"PUT", "/" + prefix + "-attackers/_doc/1"}, {"DELETE", "/" + prefix + "-sensors"}, {"POST", "/" + prefix + "-chunks-other/_search"}} {
		var body []byte
		if try[0] != "DELETE" {
			body = []byte("{}")
		}
		if err := as.client.Call(t.Context(), "try", try[0], try[1], body, nil); !isForbidden(err) {
			t.Errorf("%s %s with the role reshard: %v", try[0], try[1], err)
		}
	}
	if _, err := as.client.HasAlias(t.Context(), admin.indices.Attackers(), profile.Alias(prefix)); err != nil {
		t.Error(err)
	}
}
