package operate

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"dossier/conf/roles"
	"dossier/esindex"
	"dossier/profile"
)

// Reshard says what Reshard does.
type Reshard struct {
	// Kinds are those whose indices are meant, of ReshardKinds; none for all.
	Kinds []string
	// Shards is how many each is to have, 1 to profile.MaxShards. Zero keeps
	// them as they are, or goes on with what was begun.
	Shards int
	// Abort takes back what was begun and is not done.
	Abort bool
}

// ReshardKinds returns the kinds whose one index may be replaced by a larger
// one.
func ReshardKinds() []string {
	return []string{profile.Attackers.String(), profile.Targets.String(), profile.Indicators.String()}
}

func (o *Reshard) validate() error {
	if len(o.Kinds) == 0 {
		o.Kinds = ReshardKinds()
	}
	for _, k := range o.Kinds {
		if !slices.Contains(ReshardKinds(), k) {
			return fmt.Errorf("got %q, want one of %s: months are their own indices already", line(k), strings.Join(ReshardKinds(), ", "))
		}
	}
	switch {
	case o.Shards < 0 || o.Shards > profile.MaxShards:
		return fmt.Errorf("--shards: got %d, want 1 to %d", o.Shards, profile.MaxShards)
	case o.Abort && o.Shards != 0:
		return errors.New("--abort takes back what was begun, and --shards begins something: leave one out")
	}
	return nil
}

// Reshard puts the index of each kind behind an alias of its name, where it
// has the name itself, and gives it more shards. While one is moved it is blocked
// for writes: sensors try again, and their chunks wait in Fluent Bit. A copy
// keeps the sequence numbers, which are the tokens that sensors compare and set
// with, and takes over the name and all aliases in one step; before that, it is
// held against what it was made from.
//
// What is under way is in the cluster alone. One that was stopped anywhere goes
// on when it is run again, or is taken back with Abort, but for the last
// step, which is whole or not there. step is told of each when it is done.
func (t *Target) Reshard(ctx context.Context, o Reshard, step func(esindex.Step)) error {
	if err := o.validate(); err != nil {
		return err
	}
	product, err := t.client.Product(ctx)
	switch {
	case err != nil:
		return err
	case product == esindex.Serverless:
		return errors.New("Elasticsearch Serverless sees to shards itself: there is nothing to do")
	}
	if err := t.mustHold(ctx, roles.Reshard); err != nil {
		return err
	}
	if _, err := t.client.ListKey(ctx, t.templates); err != nil && !o.Abort {
		return err // set-up would give it to the one that goes
	}
	for _, kind := range o.Kinds {
		m := move{Target: t, name: t.o.IndexPrefix + "-" + kind, shards: o.Shards, step: step}
		do := m.run
		if o.Abort {
			do = m.abort
		}
		if err := do(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Shards is how many shards the options ask for.
func (t *Target) Shards() int { return t.o.Shards }

// move is one index on its way to the next number.
type move struct {
	*Target
	// name is what everybody reads and writes by.
	name   string
	shards int
	step   func(esindex.Step)

	from, to copied // to.index is the name it gets where it isn't there
	begun    bool   // to is there
}

// copied is one of the two indices.
type copied struct {
	index    string
	aliases  map[string]map[string]json.RawMessage
	settings map[string]string
}

func (c *copied) shards() int {
	n, _ := strconv.Atoi(c.settings["index.number_of_shards"])
	return n
}

func (c *copied) isBlocked() bool { return c.settings["index.blocks.write"] == "true" }

func (m *move) call(ctx context.Context, what, method, path string, body, out any) error {
	var b []byte
	if body != nil {
		var err error
		if b, err = json.Marshal(body); err != nil {
			return err
		}
	}
	return m.client.Call(ctx, what, method, path, b, out)
}

func (m *move) say(index, format string, args ...any) {
	m.step(esindex.Step{Object: "index", Name: index, Done: fmt.Sprintf(format, args...)})
}

// look finds out how far it is.
func (m *move) look(ctx context.Context) error {
	var found map[string]struct {
		Aliases  map[string]map[string]json.RawMessage `json:"aliases"`
		Settings map[string]any                        `json:"settings"`
	}
	path := "/" + m.name + "," + m.name + "-0*?ignore_unavailable=true&flat_settings=true&filter_path=*.aliases,*.settings"
	if err := m.call(ctx, "look at index "+m.name, http.MethodGet, path, nil, &found); err != nil {
		return err
	}
	all := map[string]copied{}
	var have []string
	number := 0
	for index, f := range found {
		n, ok := esindex.NumberOf(m.name, index)
		if !ok {
			continue
		}
		c := copied{index: index, aliases: f.Aliases, settings: map[string]string{}}
		for name, v := range f.Settings {
			c.settings[name] = fmt.Sprint(v)
		}
		all[index] = c
		if _, ok := f.Aliases[m.name]; ok || n == 0 {
			have, number = append(have, index), n
		}
	}
	switch len(have) {
	case 0:
		return fmt.Errorf("%s is missing; run dossier setup", m.name)
	case 1:
	default:
		slices.Sort(have)
		return fmt.Errorf("the name %s stands for %d indices: %s; leave one behind the alias: a document's id is unique within one index only", m.name, len(have), strings.Join(have, ", "))
	}
	m.from = all[have[0]]
	next := esindex.NumberedIndex(m.name, number+1)
	m.to, m.begun = all[next]
	if m.to.index = next; !m.begun {
		return nil
	}
	// Elasticsearch says whose copy it is only until its shards have started.
	if of := m.to.settings["index.resize.source.uuid"]; of != "" && of != m.from.settings["index.uuid"] || of == "" && !m.from.isBlocked() {
		return fmt.Errorf("%s is there, and %s is not blocked for writes since, so that it is no copy or lacks something: see whose it is and DELETE it", next, m.from.index)
	}
	return nil
}

func (m *move) run(ctx context.Context) error {
	if err := m.store.CheckIndex(ctx, m.name); err != nil {
		return err
	}
	if err := m.look(ctx); err != nil {
		return err
	}
	want := cmp.Or(m.shards, m.to.shards(), m.from.shards())
	if !m.begun && want == m.from.shards() && m.from.index != m.name {
		m.say(m.from.index, "kept, it has %d shards behind %s", want, m.name)
		return nil
	}
	if err := m.fits(ctx, want); err != nil {
		return err
	}
	began := m.now()
	if err := m.copy(ctx, want); err != nil {
		return m.failed(ctx, err)
	}
	if err := m.compare(ctx); err != nil {
		return m.failed(ctx, err)
	}
	if err := m.takeOver(ctx); err != nil {
		return m.failed(ctx, err)
	}
	m.say(m.to.index, "is %s now, with %d shards, in place of %s, which is deleted; this run took %s", m.name, want, m.from.index, m.now().Sub(began).Round(100*time.Millisecond))
	return nil
}

// refused is an error after which it can't go on, now or later.
type refused struct{ error }

func (r refused) Unwrap() error { return r.error }

// failed takes back what was begun where going on makes no sense, and else says
// what may be done.
func (m *move) failed(ctx context.Context, err error) error {
	if _, ok := errors.AsType[refused](err); ok {
		if undone := m.abort(ctx); undone != nil {
			return fmt.Errorf("%w; taking it back failed too: %w; run dossier reshard --abort: until then sensors wait", err, undone)
		}
		return fmt.Errorf("%w; nothing was changed", err)
	}
	return fmt.Errorf("%w; run dossier reshard again to go on, or dossier reshard --abort: until then sensors wait", err)
}

// fits says whether the index can get so many shards.
func (m *move) fits(ctx context.Context, want int) error {
	have := m.from.shards()
	switch {
	case m.begun && want != m.to.shards():
		return fmt.Errorf("%s was begun with %d shards: run dossier reshard --shards %d to go on, or dossier reshard --abort", m.to.index, m.to.shards(), m.to.shards())
	case want < have:
		return fmt.Errorf("%s has %d shards and can only get more", m.from.index, have)
	case want == have:
		return nil
	case want%have != 0:
		return fmt.Errorf("%s has %d shards: a split gives it %d, %d or another multiple, not %d", m.from.index, have, 2*have, 3*have, want)
	case have == 1:
		return nil // one shard may be split into any number
	}
	var state struct {
		Metadata struct {
			Indices map[string]struct {
				Routing int `json:"routing_num_shards"`
			} `json:"indices"`
		} `json:"metadata"`
	}
	path := "/_cluster/state/metadata/" + m.from.index + "?filter_path=metadata.indices.*.routing_num_shards"
	if err := m.call(ctx, "ask how far the index can be split", http.MethodGet, path, nil, &state); err != nil {
		return err
	}
	if most := state.Metadata.Indices[m.from.index].Routing; most > 0 && most%want != 0 {
		return fmt.Errorf("%s can't be split into %d shards: it was made for a divisor of %d (number_of_routing_shards), so that every document finds its shard; take the next power of two", m.from.index, want, most)
	}
	return nil
}

// copy blocks the index and has Elasticsearch make the next one of the same
// segments.
func (m *move) copy(ctx context.Context, want int) error {
	// Other than a setting this waits for the writes that are under way.
	if err := m.call(ctx, "block index "+m.from.index, http.MethodPut, "/"+m.from.index+"/_block/write", nil, nil); err != nil {
		return err
	}
	if !m.from.isBlocked() {
		m.say(m.from.index, "blocked for writes: sensors wait")
	}
	if !m.begun {
		how := "_clone"
		settings := map[string]any{"index.blocks.write": nil}
		if want != m.from.shards() {
			how, settings["index.number_of_shards"] = "_split", want
		}
		path := "/" + m.from.index + "/" + how + "/" + m.to.index + "?wait_for_active_shards=0"
		err := m.call(ctx, "copy index "+m.from.index, http.MethodPost, path, map[string]any{"settings": settings}, nil)
		if e, ok := errors.AsType[*esindex.Error](err); ok && e.Status == http.StatusBadRequest && e.Type != "resource_already_exists_exception" {
			return refused{err}
		}
		if err != nil {
			return err
		}
		m.say(m.to.index, "created from %s by %s", m.from.index, how)
	}
	return m.await(ctx)
}

// healthPause is how often it is asked whether the copy is there.
const healthPause = 500 * time.Millisecond

// await waits until the copy is as healthy as what it was made from: that is
// deleted afterwards, and its replicas with it.
func (m *move) await(ctx context.Context) error {
	for {
		var h struct {
			Indices map[string]struct {
				Status string `json:"status"`
			} `json:"indices"`
		}
		path := "/_cluster/health/" + m.from.index + "," + m.to.index + "?level=indices&filter_path=indices.*.status"
		if err := m.call(ctx, "look at the copy's health", http.MethodGet, path, nil, &h); err != nil {
			return err
		}
		from, to := h.Indices[m.from.index].Status, h.Indices[m.to.index].Status
		if to == "green" || to == "yellow" && from != "green" {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s is %s, not %s as %s: look at GET _cluster/allocation/explain (%w)", m.to.index, cmp.Or(to, "not there"), from, m.from.index, ctx.Err())
		case <-time.After(healthPause):
		}
	}
}

// tokens are what sensors compare and set with.
type tokens struct {
	count  int64
	shards []int64 // the largest sequence number of each primary, sorted
}

func (m *move) tokens(ctx context.Context, index string) (t tokens, err error) {
	if err := m.call(ctx, "refresh index "+index, http.MethodPost, "/"+index+"/_refresh", nil, nil); err != nil {
		return t, err
	}
	var counted struct {
		Count int64 `json:"count"`
	}
	if err := m.call(ctx, "count in "+index, http.MethodGet, "/"+index+"/_count", nil, &counted); err != nil {
		return t, err
	}
	var stats struct {
		Indices map[string]struct {
			Shards map[string][]struct {
				Routing struct {
					Primary bool `json:"primary"`
				} `json:"routing"`
				Numbers struct {
					Max int64 `json:"max_seq_no"`
				} `json:"seq_no"`
			} `json:"shards"`
		} `json:"indices"`
	}
	if err := m.call(ctx, "ask for the sequence numbers of "+index, http.MethodGet, "/"+index+"/_stats/docs?level=shards", nil, &stats); err != nil {
		return t, err
	}
	t.count = counted.Count
	for _, copies := range stats.Indices[index].Shards {
		for _, c := range copies {
			if c.Routing.Primary {
				t.shards = append(t.shards, c.Numbers.Max)
			}
		}
	}
	slices.Sort(t.shards)
	return t, nil
}

// sampled is how many documents' tokens are held against each other.
const sampled = 500

// compare returns an error where the copy is not what it was made from: as many
// documents, no shard that would give out a number again, and the same tokens
// as far as a sample goes.
func (m *move) compare(ctx context.Context) error {
	if err := m.look(ctx); err != nil {
		return err
	}
	was, err := m.tokens(ctx, m.from.index)
	if err != nil {
		return err
	}
	is, err := m.tokens(ctx, m.to.index)
	if err != nil {
		return err
	}
	switch {
	case len(was.shards) != m.from.shards() || len(is.shards) != m.to.shards():
		return errors.New("not all shards tell their sequence numbers; look at the cluster's health")
	case was.count != is.count:
		return refused{fmt.Errorf("%s has %d documents and %s %d", m.to.index, is.count, m.from.index, was.count)}
	}
	// Each shard becomes as many, all of which go on from its largest number.
	each := len(is.shards) / len(was.shards)
	for i, n := range is.shards {
		if before := was.shards[i/each]; n < before {
			return refused{fmt.Errorf("%s would give out sequence numbers again that %s has given out: up to %d there, %d here", m.to.index, m.from.index, before, n)}
		}
	}
	if err := m.sameMapping(ctx); err != nil {
		return err
	}
	n, err := m.sample(ctx)
	if err != nil {
		return err
	}
	m.say(m.to.index, "compared: %d documents, sequence numbers up to %d, the tokens of %d documents", is.count, is.shards[len(is.shards)-1], n)
	return nil
}

// sameMapping: the list key stands in the mapping.
func (m *move) sameMapping(ctx context.Context) error {
	var found map[string]struct {
		Mappings map[string]any `json:"mappings"`
	}
	if err := m.call(ctx, "look at the mappings", http.MethodGet, "/"+m.from.index+","+m.to.index+"/_mapping", nil, &found); err != nil {
		return err
	}
	if !reflect.DeepEqual(found[m.from.index], found[m.to.index]) {
		return refused{fmt.Errorf("%s has another mapping than %s", m.to.index, m.from.index)}
	}
	return nil
}

// token is where a document stands, as a search and a read by id tell it.
type token struct {
	ID    string `json:"_id"`
	Found *bool  `json:"found,omitempty"`
	SeqNo int64  `json:"_seq_no"`
	Term  int64  `json:"_primary_term"`
}

func (m *move) sample(ctx context.Context) (int, error) {
	var found struct {
		Hits struct {
			Hits []token `json:"hits"`
		} `json:"hits"`
	}
	query := map[string]any{
		"size": sampled, "seq_no_primary_term": true, "_source": false,
		"query": map[string]any{"function_score": map[string]any{"random_score": map[string]any{}, "boost_mode": "replace"}},
	}
	if err := m.call(ctx, "look at documents of "+m.from.index, http.MethodPost, "/"+m.from.index+"/_search?filter_path=hits.hits._id,hits.hits._seq_no,hits.hits._primary_term", query, &found); err != nil {
		return 0, err
	}
	if len(found.Hits.Hits) == 0 {
		return 0, nil
	}
	ids := make([]string, len(found.Hits.Hits))
	for i, h := range found.Hits.Hits {
		ids[i] = h.ID
	}
	var read struct {
		Docs []token `json:"docs"`
	}
	if err := m.call(ctx, "look at documents of "+m.to.index, http.MethodPost, "/"+m.to.index+"/_mget?_source=false", map[string]any{"ids": ids}, &read); err != nil {
		return 0, err
	}
	for i, h := range found.Hits.Hits {
		if i >= len(read.Docs) || read.Docs[i].Found == nil || !*read.Docs[i].Found || read.Docs[i].SeqNo != h.SeqNo || read.Docs[i].Term != h.Term {
			return 0, refused{fmt.Errorf("%s has a document with another sequence number than %s: what sensors have in memory would be worth nothing there", m.to.index, m.from.index)}
		}
	}
	return len(ids), nil
}

// takeOver gives the copy the name and all aliases, and deletes what it was
// made from, in one step.
func (m *move) takeOver(ctx context.Context) error {
	actions := []any{
		map[string]any{"remove_index": map[string]any{"index": m.from.index}},
		map[string]any{"add": map[string]any{"index": m.to.index, "alias": m.name}},
	}
	for _, alias := range slices.Sorted(maps.Keys(m.from.aliases)) {
		if alias == m.name {
			continue
		}
		add := map[string]any{"index": m.to.index, "alias": alias}
		for name, v := range m.from.aliases[alias] { // filter, routing, is_hidden
			add[name] = v
		}
		actions = append(actions, map[string]any{"add": add})
	}
	err := m.call(ctx, "put "+m.to.index+" in the place of "+m.from.index, http.MethodPost, "/_aliases", map[string]any{"actions": actions}, nil)
	if e, ok := errors.AsType[*esindex.Error](err); ok && e.Status == http.StatusBadRequest {
		return refused{err}
	}
	return err
}

// abort takes back what was begun: the copy goes, and then the block.
func (m *move) abort(ctx context.Context) error {
	if err := m.look(ctx); err != nil {
		return err
	}
	if m.begun {
		// First, so that nobody puts it in place after there were writes again.
		if err := m.call(ctx, "delete index "+m.to.index, http.MethodDelete, "/"+m.to.index, nil, nil); err != nil && !isMissing(err) {
			return err
		}
		m.say(m.to.index, "deleted, %s is whole", m.from.index)
	}
	if m.from.isBlocked() {
		if err := m.call(ctx, "unblock index "+m.from.index, http.MethodPut, "/"+m.from.index+"/_settings", map[string]any{"index.blocks.write": nil}, nil); err != nil {
			return err
		}
		m.say(m.from.index, "open for writes again")
	}
	if !m.begun && !m.from.isBlocked() {
		m.say(m.from.index, "kept, nothing was begun")
	}
	return nil
}

// unfinished tells of what dossier reshard has begun and not ended.
func (k *checker) unfinished(ctx context.Context) {
	for _, kind := range ReshardKinds() {
		m := move{Target: k.Target, name: k.o.IndexPrefix + "-" + kind}
		if err := m.look(ctx); err != nil || !m.begun {
			continue // what is wrong with the index itself is said elsewhere
		}
		k.say(Warning, "index "+m.to.index, "run dossier reshard again, or dossier reshard --abort",
			"dossier reshard is at work, or was stopped: it is to take the place of %s, where sensors can't write meanwhile", m.from.index)
	}
}
