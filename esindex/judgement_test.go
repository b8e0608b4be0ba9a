package esindex_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"dossier/correlate/commit"
	"dossier/esindex"
	"dossier/esindex/esindextest"
)

// lab is a store on a node in memory.
type lab struct {
	*esindextest.Node
	client *esindex.Client
	store  *esindex.Store
}

func newLab(t *testing.T, change func(*esindex.Options)) *lab {
	t.Helper()
	l := &lab{Node: esindextest.New(t)}
	o := esindex.Options{Hosts: []string{l.URL}}
	if change != nil {
		change(&o)
	}
	l.client = newClient(t, o)
	var err error
	if l.store, err = esindex.NewStore(l.client, templates("p", 1)); err != nil {
		t.Fatal(err)
	}
	return l
}

func (l *lab) must(t *testing.T, method, path string, body any) map[string]any {
	t.Helper()
	code, answer, err := l.Do(t.Context(), method, path, body)
	if err != nil || code > 299 {
		t.Fatalf("%s %s: %d, %v, %v", method, path, code, answer, err)
	}
	return answer
}

func thing(id string) commit.Key { return commit.Key{Index: "p-things", ID: id} }

func creates(ids ...string) (ops []commit.Op) {
	for _, id := range ids {
		ops = append(ops, commit.Op{Key: thing(id), Body: doc(id, "")})
	}
	return ops
}

// judgements are what Elasticsearch says of one item, and what it means.
var judgements = []struct {
	status      int
	typ, reason string
	want        commit.Status
	says        string // part of what is told
}{
	// The document: it will never be taken.
	{400, "document_parsing_exception", "[1:2] failed to parse field [a.b] of type [ip] in document with id 'SECRET'. Preview of field's value: 'SECRET'", commit.Rejected, "field a.b of type ip"},
	{400, "document_parsing_exception", "SECRET", commit.Rejected, "document_parsing_exception"},
	{400, "mapper_parsing_exception", "failed to parse field [x] of type [long] in document with id 'SECRET'", commit.Rejected, "field x of type long"},
	{400, "strict_dynamic_mapping_exception", "[1:9] mapping set to strict, dynamic introduction of [SECRET] within [_doc] is not allowed", commit.Rejected, "strict_dynamic_mapping_exception"},
	{400, "illegal_argument_exception", "Document contains at least one immense term in field=\"name\" (whose UTF8 encoding is longer than the max length 32766), all of which were skipped. The prefix of the first immense term is: '[83, 69]...', original message: bytes can be at most 32766 in length; got 40000: SECRET", commit.Rejected, "a value of field name is too long"},
	{400, "illegal_argument_exception", "SECRET", commit.Rejected, "illegal_argument_exception"},
	// Its version: another was faster.
	{409, "version_conflict_engine_exception", "[SECRET]: version conflict, document already exists (current version [1])", commit.Conflict, "version conflict"},
	{409, "", "", commit.Conflict, ""},
	// The cluster, or the index: it may go on later, with the same document.
	{400, "illegal_argument_exception", "no write index is defined for alias [p-things]. The write index may be explicitly disabled using is_write_index=false or the alias points to multiple indices without one being designated as a write index", commit.Unknown, "alias of several indices"},
	{400, "illegal_argument_exception", "alias [p-things] has more than one index associated with it [a, b], can't execute a single index op", commit.Unknown, "alias of several indices"},
	{400, "illegal_argument_exception", "Limit of total fields [1000] has been exceeded while adding new fields [1]", commit.Unknown, "illegal_argument_exception"},
	{400, "illegal_argument_exception", "number of documents in the index cannot exceed 2147483519", commit.Unknown, "shard is full"},
	{400, "illegal_argument_exception", "pipeline with id [x] does not exist", commit.Unknown, "ingest pipeline"},
	{400, "illegal_argument_exception", "this action would add [2] shards, but this cluster currently has [1000]/[1000] maximum normal shards open", commit.Unknown, "cluster.max_shards_per_node"},
	{400, "illegal_argument_exception", "see the setting cluster.max_shards_per_node", commit.Unknown, "cluster.max_shards_per_node"},
	{400, "validation_exception", "Validation Failed: 1: this action would add [2] shards, but this cluster currently has [1000]/[1000] maximum normal shards open;", commit.Unknown, "cluster.max_shards_per_node"},
	{400, "invalid_index_name_exception", "Invalid index name [P]", commit.Unknown, "Invalid index name"},
	{400, "index_closed_exception", "closed", commit.Unknown, "open the index again"},
	{400, "new_kind_of_exception", "SECRET", commit.Unknown, "new_kind_of_exception"},
	{400, "", "", commit.Unknown, "HTTP 400"},
	{404, "index_not_found_exception", "no such index [p-things]", commit.Unknown, "dossier setup"},
	{403, "cluster_block_exception", "index [p-things] blocked by: [FORBIDDEN/8/index write (api)];", commit.Unknown, "remove the block"},
	{403, "cluster_block_exception", "index [p-things] blocked by: [FORBIDDEN/12/index read-only / allow delete (api)];", commit.Unknown, "free disk space"},
	{429, "cluster_block_exception", "index [p-things] blocked by: [TOO_MANY_REQUESTS/12/disk usage exceeded flood-stage watermark, index has read-only-allow-delete block];", commit.Unknown, "free disk space"},
	{503, "cluster_block_exception", "blocked by: [SERVICE_UNAVAILABLE/2/no master];", commit.Unknown, "no master yet"},
	{503, "cluster_block_exception", "blocked by: [SERVICE_UNAVAILABLE/1/state not recovered / initialized];", commit.Unknown, "no master yet"},
	{503, "master_not_discovered_exception", "", commit.Unknown, "no master yet"},
	{429, "es_rejected_execution_exception", "rejected execution of coordinating operation", commit.Unknown, "overloaded"},
	{429, "circuit_breaking_exception", "[parent] Data too large", commit.Unknown, "short of heap"},
	{503, "unavailable_shards_exception", "[p-things][0] primary shard is not active Timeout: [1m]", commit.Unknown, "allocation/explain"},
	{503, "no_shard_available_action_exception", "", commit.Unknown, "allocation/explain"},
	{503, "process_cluster_event_timeout_exception", "failed to process cluster event (put-mapping) within 30s", commit.Unknown, "pending_tasks"},
	{500, "timeout_exception", "", commit.Unknown, "pending_tasks"},
	{403, "security_exception", "action [indices:data/write/bulk[s]] is unauthorized for API key id [x]", commit.Unknown, "that privilege"},
	{401, "security_exception", "unable to authenticate", commit.Unknown, "es_api_key"},
	{401, "", "", commit.Unknown, "es_api_key"},
	{403, "", "", commit.Unknown, "rights of the user"},
	{404, "", "", commit.Unknown, "path in es_hosts"},
	{407, "", "", commit.Unknown, "HTTPS_PROXY"},
	{413, "", "", commit.Unknown, "http.max_content_length"},
	{429, "", "", commit.Unknown, "overloaded"},
	{500, "", "", commit.Unknown, "HTTP 500"},
	{502, "", "", commit.Unknown, "_cluster/health"},
	{503, "", "", commit.Unknown, "_cluster/health"},
	{504, "", "", commit.Unknown, "_cluster/health"},
	// A type that rejects, with a status that doesn't.
	{429, "document_parsing_exception", "SECRET", commit.Unknown, "document_parsing_exception"},
	{500, "illegal_argument_exception", "SECRET", commit.Unknown, "illegal_argument_exception"},
	{412, "version_conflict_engine_exception", "SECRET", commit.Unknown, "version_conflict_engine_exception"},
}

// TestEveryItemIsJudgedAlone: one by one between documents that are taken,
// then all in one request in an order by chance.
func TestEveryItemIsJudgedAlone(t *testing.T) {
	l := newLab(t, nil)
	for i, j := range judgements {
		bad := fmt.Sprint("bad", i)
		l.Plan(func(*esindextest.Request) esindextest.Fault {
			return esindextest.Fault{Item: func(_, id string) (int, string, string) {
				if id == bad {
					return j.status, j.typ, j.reason
				}
				return 0, "", ""
			}}
		})
		w := write(t, l.store, creates(fmt.Sprint("a", i), bad, fmt.Sprint("b", i))...)
		if w[0].Status != commit.Done || w[2].Status != commit.Done || w[0].Reason+w[2].Reason != "" {
			t.Errorf("%d %s: its neighbours: %+v", j.status, j.typ, w)
		}
		if w[1].Status != j.want || !strings.Contains(w[1].Reason, j.says) || strings.Contains(w[1].Reason, "SECRET") || strings.Contains(w[1].Reason, "83, 69") {
			t.Errorf("%d %s, %s: %+v, want %d", j.status, j.typ, j.reason, w[1], j.want)
		}
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for round := range 20 {
		order := r.Perm(2 * len(judgements)) // some twice in a row
		var ids []string
		for n, at := range order {
			ids = append(ids, fmt.Sprintf("%d-%d-%d", at%len(judgements), round, n))
		}
		l.Plan(func(*esindextest.Request) esindextest.Fault {
			return esindextest.Fault{Item: func(_, id string) (int, string, string) {
				var at int
				fmt.Sscanf(id, "%d-", &at)
				return judgements[at].status, judgements[at].typ, judgements[at].reason
			}}
		})
		for i, w := range write(t, l.store, creates(ids...)...) {
			j := judgements[order[i]%len(judgements)]
			if w.Status != j.want || !strings.Contains(w.Reason, j.says) {
				t.Errorf("%s: %d %s, %s: %+v", ids[i], j.status, j.typ, j.reason, w)
			}
		}
	}
}

// TestWholeAnswersAreNeverAVerdict: whatever a whole request is refused with,
// no document of it is given up or taken for done; the error says the same as
// for an item, and nothing of a document.
func TestWholeAnswersAreNeverAVerdict(t *testing.T) {
	l := newLab(t, nil)
	write(t, l.store, creates("0")...)
	write(t, l.store, creates("1")...)
	for _, j := range judgements {
		if j.status == http.StatusRequestEntityTooLarge {
			continue // is cut in halves
		}
		body := fmt.Sprintf(`{"error":{"type":%q,"reason":%q,"caused_by":{"type":"x","reason":"SECRET"}},"status":%d}`, j.typ, j.reason, j.status)
		l.Plan(func(*esindextest.Request) esindextest.Fault { return esindextest.Fault{Status: j.status, Body: body} })
		w, err := l.store.Write(t.Context(), creates("2", "3"))
		e, ok := errors.AsType[*esindex.Error](err)
		if !ok || w != nil || e.Status != j.status || e.Type != j.typ || strings.ContainsAny(err.Error(), "\n") || strings.Contains(err.Error(), "SECRET") {
			t.Errorf("write, %d %s: %+v, %v", j.status, j.typ, w, err)
			continue
		}
		if j.want == commit.Unknown && !strings.Contains(err.Error(), j.says) {
			t.Errorf("write, %d %s: %v lacks %q", j.status, j.typ, err, j.says)
		}
		r, err := l.store.Read(t.Context(), []commit.Key{thing("1")})
		if e, ok := errors.AsType[*esindex.Error](err); !ok || r != nil || e.Status != j.status || strings.Contains(err.Error(), "SECRET") {
			t.Errorf("read, %d %s: %+v, %v", j.status, j.typ, r, err)
		}
	}
	l.Plan(nil)
	if r := read(t, l.store, thing("1"), thing("2")); !r[0].Exists || r[1].Exists {
		t.Errorf("%+v", r)
	}
}

// TestAnswersThatBreakOff: cut anywhere, an answer says nothing of any of its
// documents, though it had named some.
func TestAnswersThatBreakOff(t *testing.T) {
	l := newLab(t, nil)
	write(t, l.store, creates("1")...)
	write(t, l.store, creates("2")...)
	for cut := 1; cut < 180; cut += 7 {
		l.Plan(func(r *esindextest.Request) esindextest.Fault { return esindextest.Fault{Cut: cut} })
		w, err := l.store.Write(t.Context(), creates(fmt.Sprint("a", cut), fmt.Sprint("b", cut), fmt.Sprint("c", cut)))
		if _, ok := errors.AsType[*esindex.Error](err); !ok || w != nil {
			t.Fatalf("cut at %d: %+v, %v", cut, w, err)
		}
		if r, err := l.store.Read(t.Context(), []commit.Key{thing("1"), thing("2"), thing("1"), thing("2")}); err == nil {
			t.Fatalf("cut at %d: %+v", cut, r)
		}
	}
	// Of two requests one breaks off: its documents are unknown, all of them.
	two := newLab(t, func(o *esindex.Options) { o.MaxBulkDocs = 3 })
	write(t, two.store, creates("1")...)
	write(t, two.store, creates("2")...)
	two.Plan(func(r *esindextest.Request) esindextest.Fault {
		if strings.Contains(string(r.Body), `"_id":"b1"`) {
			return esindextest.Fault{Cut: 120}
		}
		return esindextest.Fault{}
	})
	w := write(t, two.store, creates("a1", "a2", "a3", "b1", "b2", "b3")...)
	for i := range w {
		want := commit.Done
		if i >= 3 {
			want = commit.Unknown
		}
		if w[i].Status != want || (w[i].Reason == "") != (want == commit.Done) || (w[i].Version != commit.Version{}) != (want == commit.Done) {
			t.Errorf("%d: %+v", i, w[i])
		}
	}
}

// TestAHalfThatFails: of a bulk that was too large one half is answered.
func TestAHalfThatFails(t *testing.T) {
	for _, lost := range []string{"1", "2", "3", "4"} {
		l := newLab(t, nil)
		write(t, l.store, creates("first")...)
		write(t, l.store, creates("second")...)
		l.Plan(func(r *esindextest.Request) esindextest.Fault {
			if strings.Count(string(r.Body), `"_id"`) > 1 {
				return esindextest.Fault{Status: 413}
			}
			if strings.Contains(string(r.Body), `"_id":"`+lost+`"`) {
				return esindextest.Fault{Reset: true}
			}
			return esindextest.Fault{}
		})
		w, err := l.store.Write(t.Context(), creates("1", "2", "3", "4"))
		if err != nil {
			t.Fatalf("%s is lost: %v", lost, err)
		}
		for i, id := range []string{"1", "2", "3", "4"} {
			done := id != lost
			if done != (w[i].Status == commit.Done) || done != (w[i].Reason == "") || !done && w[i].Status != commit.Unknown {
				t.Errorf("%s is lost: %s: %+v", lost, id, w[i])
			}
		}
	}
	l := newLab(t, nil)
	write(t, l.store, creates("first")...)
	l.Plan(func(r *esindextest.Request) esindextest.Fault {
		if strings.Count(string(r.Body), `"_id"`) > 2 {
			return esindextest.Fault{Status: 413}
		}
		return esindextest.Fault{Reset: true}
	})
	if w, err := l.store.Write(t.Context(), creates("1", "2", "3", "4")); err == nil {
		t.Errorf("nothing was answered: %+v", w)
	}
}

// TestADocumentAloneTooLarge is given up; two that are too large together are
// not.
func TestADocumentAloneTooLarge(t *testing.T) {
	l := newLab(t, func(o *esindex.Options) { o.Compress = esindex.CompressOff })
	l.MaxContent = 2000
	ops := creates("a", "b", "c", "d")
	ops[0].Body, ops[1].Body = doc(strings.Repeat("x", 1000), ""), doc(strings.Repeat("x", 1000), "")
	ops[2].Body = doc(strings.Repeat("x", 1600), "")
	w := write(t, l.store, ops...)
	for i, want := range []commit.Status{commit.Done, commit.Done, commit.Rejected, commit.Done} {
		if w[i].Status != want || (want == commit.Rejected) != strings.Contains(w[i].Reason, "max_content_length") {
			t.Errorf("%d: %+v", i, w[i])
		}
	}
}

func ids(r *esindextest.Request) int {
	return strings.Count(string(r.Body), `"_id":"`)
}

// TestRequestsStayWithinBounds: by bytes and documents, whatever the keys
// look like; and none is smaller than it must be.
func TestRequestsStayWithinBounds(t *testing.T) {
	const most, docs = 10_000, 20
	l := newLab(t, func(o *esindex.Options) { o.MaxBulkBytes, o.MaxBulkDocs, o.Compress = most, docs, esindex.CompressOff })
	l.must(t, "PUT", "p-things", `{"mappings":{"_meta":{"dossier":{"schema":1,"ipv6_prefix":"128"}}}}`)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for _, id := range []string{"x", "\x01", `"`, `\`, "é"} {
		for _, size := range []int{0, 300, 900} {
			var ops []commit.Op
			var keys []commit.Key
			for n := range 200 {
				k := thing(fmt.Sprint(id, size, n) + strings.Repeat(id, r.IntN(400/len(id))))
				keys = append(keys, k)
				ops = append(ops, commit.Op{Kind: commit.Put, Key: k, Body: doc(strings.Repeat("x", r.IntN(size+1)), "")})
			}
			before := len(l.Requests("/_bulk"))
			w := write(t, l.store, ops...)
			for i := range w {
				if w[i].Status != commit.Done {
					t.Fatalf("%q: %+v", ops[i].Key.ID, w[i])
				}
				ops[i].Kind, ops[i].Version = commit.Replace, commit.Version{SeqNo: w[i].Version.SeqNo, PrimaryTerm: w[i].Version.PrimaryTerm}
			}
			write(t, l.store, ops...)
			small := 0
			for i, req := range l.Requests("/_bulk")[before:] {
				if n := ids(&req); n > docs || len(req.Body) > most && n > 1 {
					t.Fatalf("request %d: %d documents, %d bytes", i, n, len(req.Body))
				} else if n < docs && len(req.Body) < most/2 {
					small++
				}
			}
			if small > 2 {
				t.Errorf("%q, %d bytes: %d requests with few documents", id, size, small)
			}
			read(t, l.store, keys...)
		}
	}
	for i, req := range l.Requests("/_mget") {
		if n := ids(&req); n > docs {
			t.Fatalf("mget %d: %d documents", i, n)
		}
	}
	large := commit.Op{Kind: commit.Put, Key: thing("large"), Body: doc(strings.Repeat("x", 2*most), "")}
	if w := write(t, l.store, large); w[0].Status != commit.Done {
		t.Errorf("a document larger than a bulk: %+v", w)
	}
}

// TestRoomIsLearnt: after a refusal requests are smaller, at once; once more
// is taken they grow again, to the bound and not above; and a document that
// is too large alone doesn't make all others go one by one.
func TestRoomIsLearnt(t *testing.T) {
	const most = 1 << 20
	l := newLab(t, func(o *esindex.Options) { o.MaxBulkBytes, o.Compress = most, esindex.CompressOff })
	limit := 300_000
	var refused atomic.Int32
	l.Plan(func(r *esindextest.Request) esindextest.Fault {
		if strings.HasSuffix(r.Path, "_bulk") && r.Wire > limit {
			refused.Add(1)
			return esindextest.Fault{Status: 413}
		}
		return esindextest.Fault{}
	})
	var ops []commit.Op
	for n := range 200 {
		ops = append(ops, commit.Op{Kind: commit.Put, Key: thing(fmt.Sprint(n)), Body: doc(strings.Repeat("x", 7000), "")})
	}
	one := 9500 // bytes of an operation, about
	largest := func() (largest, n int) {
		t.Helper()
		from := len(l.Requests("/_bulk"))
		for _, w := range write(t, l.store, ops...) {
			if w.Status != commit.Done {
				t.Fatalf("%+v", w)
			}
		}
		list := l.Requests("/_bulk")[from:]
		for _, r := range list {
			largest = max(largest, len(r.Body))
		}
		return largest, len(list)
	}
	largest()
	if n := refused.Load(); n == 0 || n > 12 {
		t.Errorf("%d requests were refused at first", n)
	}
	refused.Store(0)
	largest()
	if n := refused.Load(); n > 16 { // growing tries again, by a quarter at a time
		t.Errorf("%d requests were refused later", n)
	}
	limit = 10 * most
	size, n := 0, 0
	for range 8 {
		size, n = largest()
		if size > most {
			t.Fatalf("a request of %d bytes", size)
		}
	}
	if size < most-2*one || n > 3 {
		t.Errorf("the largest request has %d bytes, %d requests; the bound is %d", size, n, most)
	}
	// A document that nobody takes alone, among small ones.
	limit = 5000
	ops = ops[:3]
	for i := range ops {
		ops[i].Body = doc(strings.Repeat("x", 7000), "")
	}
	for _, w := range write(t, l.store, ops...) {
		if w.Status != commit.Rejected {
			t.Fatalf("%+v", w)
		}
	}
	limit = 10 * most
	ops = nil
	for n := range 100 {
		ops = append(ops, commit.Op{Kind: commit.Put, Key: thing(fmt.Sprint(n)), Body: doc(strings.Repeat("x", 400), "")})
	}
	if _, n := largest(); n > 2 {
		t.Errorf("%d requests for 100 small documents", n)
	}
}

// TestADeletedIndexIsForgotten: whatever shows that an index is gone, the
// next write looks at it again, and makes it with our mapping.
func TestADeletedIndexIsForgotten(t *testing.T) {
	looks := func(l *lab) int { return len(l.Requests("p-things/_mapping")) }
	ours := func(t *testing.T, l *lab) {
		t.Helper()
		m := l.must(t, "GET", "p-things/_mapping", nil)
		if dig(m, "p-things", "mappings", "_meta", "dossier", "schema") != 1.0 {
			t.Errorf("not our mapping: %v", m)
		}
	}
	settle := func(t *testing.T) *lab {
		l := newLab(t, nil)
		write(t, l.store, creates("1")...) // has the number 0: looks again
		write(t, l.store, creates("2")...)
		n := looks(l)
		write(t, l.store, creates("3")...)
		if looks(l) != n {
			t.Errorf("looks each time")
		}
		return l
	}
	t.Run("a read finds no index", func(t *testing.T) {
		l := settle(t)
		l.must(t, "DELETE", "p-things", nil)
		if r := read(t, l.store, thing("1"), thing("2")); r[0].Exists || r[0].Err != nil || r[1].Exists || r[1].Err != nil {
			t.Errorf("%+v", r)
		}
		if w := write(t, l.store, creates("1")...); w[0].Status != commit.Done {
			t.Errorf("%+v", w)
		}
		ours(t, l)
	})
	t.Run("an item finds no index", func(t *testing.T) {
		l := settle(t)
		l.must(t, "DELETE", "p-things", nil)
		l.Plan(func(*esindextest.Request) esindextest.Fault { // a node that makes no indices by itself
			return esindextest.Fault{Item: func(_, id string) (int, string, string) {
				return 404, "index_not_found_exception", "no such index [p-things] and [action.auto_create_index] is [false]"
			}}
		})
		if w := write(t, l.store, creates("1")...); w[0].Status != commit.Unknown {
			t.Errorf("%+v", w)
		}
		l.Plan(nil)
		if w := write(t, l.store, creates("1")...); w[0].Status != commit.Done {
			t.Errorf("%+v", w)
		}
		ours(t, l)
	})
	t.Run("an index was made by the write", func(t *testing.T) {
		l := settle(t)
		l.must(t, "DELETE", "p-things", nil)
		write(t, l.store, creates("1")...) // no template is there: with a guessed mapping
		if _, err := l.store.Write(t.Context(), creates("2")); !errors.Is(err, esindex.ErrForeign) {
			t.Errorf("written again: %v", err)
		}
	})
	t.Run("many indices", func(t *testing.T) {
		l := newLab(t, nil)
		var ops []commit.Op
		for n := range esindex.MaxRemembered + 100 {
			ops = append(ops, commit.Op{Kind: commit.Put, Key: commit.Key{Index: fmt.Sprintf("p-months-%d", n), ID: "1"}, Body: doc("1", "")})
		}
		for range 2 { // after the first an index is looked at once more
			for i, w := range write(t, l.store, ops...) {
				if w.Status != commit.Done {
					t.Fatalf("%d: %+v", i, w)
				}
			}
		}
		if n := esindex.Remembered(l.store); n == 0 || n > esindex.MaxRemembered {
			t.Errorf("%d are remembered", n)
		}
	})
}

// TestReadsLandOnTheirOwnKeys, also beside keys that no document can have.
func TestReadsLandOnTheirOwnKeys(t *testing.T) {
	l := newLab(t, func(o *esindex.Options) { o.MaxBulkDocs = 4 })
	write(t, l.store, creates("a", "b", "c")...)
	keys := []string{"", "a", strings.Repeat("x", 513), "none", "b", "\xff", "c", "a", "b"}
	var list []commit.Key
	for _, id := range keys {
		list = append(list, thing(id))
	}
	for i, r := range read(t, l.store, list...) {
		want := ""
		if len(keys[i]) == 1 && keys[i] != "\xff" {
			want = keys[i]
		}
		if string(r.State) != want || r.Exists != (want != "") || r.Err != nil {
			t.Errorf("%.10q: %+v", keys[i], r)
		}
	}
}

// TestIndicesThatAreNotWritten: neither what is not ours nor what is not one
// index; all others go on.
func TestIndicesThatAreNotWritten(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(*testing.T, *lab)
		says    string
		is      error
	}{
		"foreign": {func(t *testing.T, l *lab) { l.must(t, "PUT", "p-things", nil) }, "did not make it", esindex.ErrForeign},
		"meta of another kind": {func(t *testing.T, l *lab) {
			l.must(t, "PUT", "p-things", `{"mappings":{"_meta":{"dossier":"yes"}}}`)
		}, "did not make it", esindex.ErrForeign},
		"no fixed setting": {func(t *testing.T, l *lab) {
			l.must(t, "PUT", "p-things", `{"mappings":{"_meta":{"dossier":{"schema":1}}}}`)
		}, "set ipv6_prefix to none", esindex.ErrFixed},
		"an alias of two": {func(t *testing.T, l *lab) {
			for _, x := range []string{"one", "two"} {
				l.must(t, "PUT", x, `{"mappings":{"_meta":{"dossier":{"schema":1,"ipv6_prefix":"128"}}},"aliases":{"p-things":{}}}`)
			}
		}, "stands for 2 indices", nil},
		"an alias of two, one to write": {func(t *testing.T, l *lab) {
			for _, x := range []string{"one", "two"} {
				l.must(t, "PUT", x, fmt.Sprintf(`{"mappings":{"_meta":{"dossier":{"schema":1,"ipv6_prefix":"128"}}},"aliases":{"p-things":{"is_write_index":%v}}}`, x == "two"))
			}
		}, "stands for 2 indices", nil},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, nil)
			c.prepare(t, l)
			month := commit.Op{Key: commit.Key{Index: "p-months-1", ID: "1"}, Body: doc("1", "")}
			for range 2 {
				w := write(t, l.store, creates("1")[0], month, creates("2")[0])
				if w[0].Status != commit.Unknown || !strings.Contains(w[0].Reason, c.says) || w[2].Reason != w[0].Reason || w[1].Status == commit.Unknown || w[1].Reason != "" && w[1].Status != commit.Conflict {
					t.Errorf("%+v", w)
				}
			}
			if _, err := l.store.Write(t.Context(), creates("1")); err == nil || c.is != nil && !errors.Is(err, c.is) {
				t.Errorf("alone: %v", err)
			}
			for _, r := range l.Requests("/_bulk") {
				if strings.Contains(string(r.Body), "p-things") {
					t.Error("it was written to")
				}
			}
			if strings.HasPrefix(name, "an alias") {
				if r := read(t, l.store, thing("1")); r[0].Err == nil || !strings.Contains(r[0].Err.Error(), "alias of several indices") {
					t.Errorf("read: %+v", r)
				}
			}
		})
	}
}

// TestAnotherMadeTheIndexMeanwhile: what another sensor made is looked at, not
// taken on trust.
func TestAnotherMadeTheIndexMeanwhile(t *testing.T) {
	for schema, want := range map[string]error{`{"schema":1,"ipv6_prefix":"128"}`: nil, `{"schema":1,"ipv6_prefix":"64"}`: esindex.ErrFixed, `{}`: esindex.ErrForeign} {
		l := newLab(t, nil)
		once := false
		l.Plan(func(r *esindextest.Request) esindextest.Fault {
			if r.Method == "PUT" && r.Path == "/p-things" && !once {
				once = true
				l.must(t, "PUT", "p-things", `{"mappings":{"_meta":{"dossier":`+schema+`}}}`)
			}
			return esindextest.Fault{}
		})
		_, err := l.store.Write(t.Context(), creates("1"))
		if !errors.Is(err, want) || !once {
			t.Errorf("%s: %v", schema, err)
		}
	}
}

// TestVersionsOfTemplates: only an older one is replaced.
func TestVersionsOfTemplates(t *testing.T) {
	for there := 1; there <= 6; there++ {
		l := newLab(t, nil)
		if _, err := l.client.Install(t.Context(), templates("p", there)); err != nil {
			t.Fatal(err)
		}
		before := l.Requests("")
		got := install(t, l.client, templates("p", 3))
		puts := 0
		for _, r := range l.Requests("")[len(before):] {
			if r.Method == "PUT" {
				puts++
			}
		}
		template := l.must(t, "GET", "_index_template/p-things", nil)["index_templates"].([]any)[0]
		schema := dig(template, "index_template", "_meta", "dossier", "schema")
		if schema != float64(max(there, 3)) || (puts == 0) != (there >= 3) || strings.Contains(got, "upgraded") != (there < 3) || strings.Contains(got, "newer") != (there > 3) {
			t.Errorf("version %d is there: then %v, %d changes:\n%s", there, schema, puts, got)
		}
		if p := dig(template, "index_template", "priority"); p != float64(esindex.Priority) {
			t.Errorf("priority %v", p)
		}
	}
}

// TestMappingsThatCannotBeUpgraded: what Elasticsearch refuses for what it is
// stays as it was; a missing right, or a cluster that can't, is an error.
func TestMappingsThatCannotBeUpgraded(t *testing.T) {
	for _, c := range []struct {
		status int
		typ    string
		stays  bool
	}{
		{400, "illegal_argument_exception", true},
		{403, "security_exception", false},
		{401, "security_exception", false},
		{429, "es_rejected_execution_exception", false},
		{503, "master_not_discovered_exception", false},
		{403, "cluster_block_exception", false},
		{500, "x_exception", false},
	} {
		for _, index := range []string{"p-things", "p-months-1"} {
			l := newLab(t, nil)
			install(t, l.client, templates("p", 1))
			write(t, l.store, commit.Op{Key: commit.Key{Index: "p-months-1", ID: "1"}, Body: doc("1", "")})
			l.Plan(func(r *esindextest.Request) esindextest.Fault {
				if r.Method == "PUT" && r.Path == "/"+index+"/_mapping" {
					return esindextest.Fault{Status: c.status, Body: `{"error":{"type":"` + c.typ + `","reason":"the very reason"}}`}
				}
				return esindextest.Fault{}
			})
			steps, err := l.client.Install(t.Context(), templates("p", 2))
			text := fmt.Sprint(steps)
			if c.stays != (err == nil) || c.stays != strings.Contains(text, "mapping "+index+": kept at version 1: ") {
				t.Errorf("%s, %d %s: %s, %v", index, c.status, c.typ, text, err)
			}
			if !strings.Contains(text+fmt.Sprint(err), "the very reason") {
				t.Errorf("%s, %d %s: no reason: %s, %v", index, c.status, c.typ, text, err)
			}
		}
	}
}

// TestRightsThatAreMissing says which, at each request that needs one.
func TestRightsThatAreMissing(t *testing.T) {
	for _, status := range []int{401, 403} {
		for path, says := range map[string]string{"/p-things/_mapping": "view_index_metadata", "/p-things": "run dossier setup", "/_bulk": "that privilege"} {
			l := newLab(t, nil)
			l.Plan(func(r *esindextest.Request) esindextest.Fault {
				if r.Path == path {
					return esindextest.Fault{Status: status, Body: `{"error":{"type":"security_exception","reason":"action [x] is unauthorized for user [u]"}}`}
				}
				return esindextest.Fault{}
			})
			if status == 401 {
				says = "es_api_key"
			}
			_, err := l.store.Write(t.Context(), creates("1"))
			if err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), "unauthorized for user [u]") {
				t.Errorf("%d at %s: %v", status, path, err)
			}
		}
	}
	// Who may write but not look at the cluster is told nothing, and no error.
	l := newLab(t, nil)
	for _, c := range []struct {
		status int
		body   string
		ok     bool
	}{
		{403, `{"error":{"type":"security_exception","reason":"x"}}`, true}, {403, `{}`, false}, {401, `{"error":{"type":"security_exception","reason":"x"}}`, false},
	} {
		l.Plan(func(r *esindextest.Request) esindextest.Fault {
			return esindextest.Fault{Status: c.status, Body: c.body}
		})
		if info, err := l.client.Info(t.Context()); (err == nil) != c.ok || info.Cluster+info.Version != "" {
			t.Errorf("%d %s: %+v, %v", c.status, c.body, info, err)
		}
	}
}

// TestFailover: a term that is not the document's is a conflict.
func TestFailover(t *testing.T) {
	l := newLab(t, nil)
	first := write(t, l.store, creates("1")...)
	l.Failover("p-things")
	second := write(t, l.store, commit.Op{Kind: commit.Replace, Key: thing("1"), Version: first[0].Version, Body: doc("2", "")})
	if second[0].Status != commit.Done || second[0].Version != (commit.Version{SeqNo: 1, PrimaryTerm: 2}) {
		t.Fatalf("%+v", second)
	}
	wrong := second[0].Version
	wrong.PrimaryTerm = 1
	if w := write(t, l.store, commit.Op{Kind: commit.Replace, Key: thing("1"), Version: wrong, Body: doc("3", "")}); w[0].Status != commit.Conflict {
		t.Errorf("%+v", w)
	}
	for _, v := range []commit.Version{{SeqNo: -1, PrimaryTerm: 1}, {SeqNo: 1, PrimaryTerm: 0}} {
		n := len(l.Requests("/_bulk"))
		if w := write(t, l.store, commit.Op{Kind: commit.Replace, Key: thing("1"), Version: v, Body: doc("3", "")}); w[0].Status != commit.Conflict || len(l.Requests("/_bulk")) != n {
			t.Errorf("%+v: %+v", v, w)
		}
	}
	if r := read(t, l.store, thing("1")); r[0].Version != second[0].Version || string(r[0].State) != "2" {
		t.Errorf("%+v", r)
	}
}

// TestOldNodes: one that doesn't know include_source_on_error costs one
// request, once; another refusal is not asked twice.
func TestOldNodes(t *testing.T) {
	for _, old := range []bool{false, true} {
		l := newLab(t, nil)
		l.OldParameters = old
		for n := range 3 {
			if w := write(t, l.store, creates(fmt.Sprint(n))...); w[0].Status != commit.Done {
				t.Errorf("%+v", w)
			}
		}
		want := []bool{true, true, true}
		if old {
			want = []bool{true, false, false, false}
		}
		var got []bool
		for _, r := range l.Requests("/_bulk") {
			got = append(got, slices.Equal(r.Query["include_source_on_error"], []string{"false"}))
		}
		if !slices.Equal(got, want) {
			t.Errorf("old %v: %v", old, got)
		}
	}
	l := newLab(t, nil)
	write(t, l.store, creates("0")...)
	write(t, l.store, creates("1")...)
	l.Plan(func(*esindextest.Request) esindextest.Fault {
		return esindextest.Fault{Status: 400, Body: `{"error":{"type":"illegal_argument_exception","reason":"SECRET"}}`}
	})
	if _, err := l.store.Write(t.Context(), creates("2")); err == nil || strings.Contains(err.Error(), "SECRET") {
		t.Errorf("%v", err)
	}
	if n := len(l.Requests("/_bulk")); n != 3 {
		t.Errorf("%d requests", n)
	}
}

// TestReasonsOfAdministrativeRequestsAreShown, in one line and bounded; those
// of requests about documents are not.
func TestReasonsOfAdministrativeRequestsAreShown(t *testing.T) {
	l := newLab(t, nil)
	overlap := "index template [p-things] has index patterns [p-things] matching patterns from existing templates [other] with patterns (other => [p-*]) that have the same priority [500], multiple index templates may not match during index creation, please use a different priority"
	body := fmt.Sprintf(`{"error":{"type":"illegal_argument_exception","reason":%q}}`, overlap)
	l.Plan(func(r *esindextest.Request) esindextest.Fault {
		if r.Method == "PUT" && strings.HasPrefix(r.Path, "/_index_template/") {
			return esindextest.Fault{Status: 400, Body: body}
		}
		return esindextest.Fault{}
	})
	_, err := l.client.Install(t.Context(), templates("p", 1))
	if err == nil || !strings.Contains(err.Error(), "illegal_argument_exception: "+overlap[:250]) {
		t.Errorf("%v", err)
	}
	l.Plan(func(r *esindextest.Request) esindextest.Fault {
		return esindextest.Fault{Status: 400, Body: `{"error":{"type":"x_exception","reason":"it\nfailed","caused_by":{"type":"y","reason":"because","caused_by":{"type":"z","reason":"of this"}}}}`}
	})
	for path, shown := range map[string]bool{
		"/_security/role/x": true, "/p-things/_settings": true, "/_index_template/x": true, "/p-things/_search?q=_doc": true,
		"/p-things/_doc/1": false, "/p-things/_create/1": false, "/p-things/_update/1": false, "/_bulk?x": false, "/p-things/_bulk": false,
		"/_reindex": false, "/p-things/_update_by_query": false, "/_mget": false, "/p-things/_source/1": false,
	} {
		err := l.client.Call(t.Context(), "try", "PUT", path, []byte(`{}`), nil)
		if err == nil || strings.Contains(err.Error(), "x_exception: it failed: of this") != shown || strings.Contains(err.Error(), "of this") != shown || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", path, err)
		}
	}
	l.Plan(func(r *esindextest.Request) esindextest.Fault {
		return esindextest.Fault{Status: 400, Body: `{"error":{"type":"x_exception","reason":"` + strings.Repeat("x", 100_000) + `"}}`}
	})
	if err := l.client.Call(t.Context(), "try", "GET", "/x", nil, nil); len(err.Error()) > 500 {
		t.Errorf("%d bytes", len(err.Error()))
	}
}
