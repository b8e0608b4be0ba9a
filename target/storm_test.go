package target_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime/pprof"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"dossier/correlate"
	"dossier/correlate/commit"
	"dossier/esindex"
	"dossier/plugin/chunk/chunktest"
	"dossier/plugin/observe"
	"dossier/plugin/options"
	"dossier/plugin/output"
	"dossier/profile"
	"dossier/target"
	"dossier/testbed/port"
	"dossier/testbed/process"
)

// illNode answers as Elasticsearch may when it is ill, by the last number of
// the attacker's address: 429 or 403 for one document, a document that it will
// never take, a state that nobody can read; every so often 503, 429 or 403 to
// the whole. It takes no transitions and no markers, but says where months are. Other documents it keeps.
type illNode struct {
	calls atomic.Int64

	mu   sync.Mutex
	docs map[string]illDoc
}

type illDoc struct {
	state string
	seq   int64
}

func kind(id string) int {
	address, _, _ := strings.Cut(id, "|")
	n := 0
	fmt.Sscan(address[strings.LastIndexByte(address, '.')+1:], &n)
	return n % 8
}

func (n *illNode) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Elastic-Product", "Elasticsearch")
	w.Header().Set("Content-Type", "application/json")
	body, _ := io.ReadAll(r.Body)
	read, write := strings.HasSuffix(r.URL.Path, "/_mget"), strings.HasSuffix(r.URL.Path, "/_bulk")
	if calls := n.calls.Add(1); (read || write) && calls%15 == 0 {
		status := []int{503, 429, 403}[calls/15%3]
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"error":{"type":"ill","reason":"ill"},"status":%d}`, status)
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case read:
		n.read(w, body)
	case write:
		n.write(w, body)
	case strings.HasSuffix(r.URL.Path, "-attackers/_mapping"): // it holds the list key
		name := strings.Split(r.URL.Path, "/")[1]
		fmt.Fprintf(w, `{%q:{"mappings":{"_meta":{"dossier":{"schema":%d,"ipv6_prefix":"128"}},"properties":{"list_key":{"type":"keyword","null_value":%q}}}}}`,
			name, profile.SchemaVersion, strings.Repeat("a1", esindex.ListKeySize))
	case r.Method == http.MethodGet && r.URL.Path != "/": // an index that is not there yet
		w.WriteHeader(http.StatusNotFound)
		io.WriteString(w, `{"error":{"type":"index_not_found_exception","reason":"no such index"},"status":404}`)
	default:
		io.WriteString(w, `{"acknowledged":true}`)
	}
}

func (n *illNode) read(w io.Writer, body []byte) {
	var ask struct {
		Docs []struct {
			Index string `json:"_index"`
			ID    string `json:"_id"`
		} `json:"docs"`
	}
	json.Unmarshal(body, &ask)
	var out []string
	for _, d := range ask.Docs {
		doc, ok := n.docs[d.Index+"/"+d.ID]
		switch {
		case strings.Contains(d.Index, "-attackers") && kind(d.ID) == 3:
			out = append(out, `{"found":true,"_seq_no":1,"_primary_term":1,"_source":{"state":"AAAA"}}`)
		case ok:
			out = append(out, fmt.Sprintf(`{"found":true,"_seq_no":%d,"_primary_term":1,"_source":{"state":%q}}`, doc.seq, doc.state))
		default:
			out = append(out, `{"found":false}`)
		}
	}
	fmt.Fprintf(w, `{"docs":[%s]}`, strings.Join(out, ","))
}

func (n *illNode) write(w io.Writer, body []byte) {
	var out []string
	lines := bufio.NewScanner(bytes.NewReader(body))
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var action map[string]struct {
			Index string `json:"_index"`
			ID    string `json:"_id"`
			Seq   *int64 `json:"if_seq_no"`
		}
		json.Unmarshal(lines.Bytes(), &action)
		lines.Scan()
		var doc struct {
			State string `json:"state"`
		}
		json.Unmarshal(lines.Bytes(), &doc)
		for verb, a := range action {
			refuse := func(status int, why string) {
				out = append(out, fmt.Sprintf(`{%q:{"status":%d,"error":{"type":%q,"reason":"x"}}}`, verb, status, why))
			}
			key := a.Index + "/" + a.ID
			old, there := n.docs[key]
			switch {
			case strings.HasPrefix(a.ID, "@"): // where a month's documents are
				out = append(out, fmt.Sprintf(`{%q:{"status":200,"_seq_no":1,"_primary_term":1}}`, verb))
			case strings.Contains(a.Index, "-chunks"):
				refuse(429, "es_rejected_execution_exception")
			case strings.Contains(a.Index, "-transitions"):
				refuse(400, "document_parsing_exception")
			case strings.Contains(a.Index, "-sensors"):
				out = append(out, fmt.Sprintf(`{%q:{"status":200,"_seq_no":1,"_primary_term":1}}`, verb))
			case kind(a.ID) == 0:
				refuse(429, "es_rejected_execution_exception")
			case kind(a.ID) == 1:
				refuse(403, "cluster_block_exception")
			case kind(a.ID) == 2:
				refuse(400, "document_parsing_exception")
			case there && (a.Seq == nil || *a.Seq != old.seq):
				refuse(409, "version_conflict_engine_exception")
			default:
				n.docs[key] = illDoc{doc.State, old.seq + 1}
				out = append(out, fmt.Sprintf(`{%q:{"status":200,"_seq_no":%d,"_primary_term":1}}`, verb, old.seq+1))
			}
		}
	}
	fmt.Fprintf(w, `{"items":[%s]}`, strings.Join(out, ","))
}

// storm is what goes on at once: each actor again and again until the end, and
// every one of them must get on.
type storm struct {
	t      *testing.T
	ctx    context.Context
	group  sync.WaitGroup
	mu     sync.Mutex
	rounds map[string]*atomic.Int64
}

func (s *storm) actor(name string, act func(n int)) {
	s.mu.Lock()
	rounds := s.rounds[name]
	if rounds == nil {
		rounds = new(atomic.Int64)
		s.rounds[name] = rounds
	}
	s.mu.Unlock()
	s.group.Go(func() {
		for n := 0; s.ctx.Err() == nil; n++ {
			act(n)
			rounds.Add(1)
		}
	})
}

// stuck is how long an actor may stand still: far longer than any deadline of
// what it does.
const stuck = 30 * time.Second

// watch fails when an actor stands still.
func (s *storm) watch() {
	type seen struct {
		n     int64
		since time.Time
	}
	last := make(map[string]seen)
	for s.ctx.Err() == nil {
		time.Sleep(100 * time.Millisecond)
		s.mu.Lock()
		for name, rounds := range s.rounds {
			n := rounds.Load()
			if was, ok := last[name]; !ok || was.n != n {
				last[name] = seen{n, time.Now()}
			} else if time.Since(was.since) > stuck {
				pprof.Lookup("goroutine").WriteTo(os.Stderr, 1)
				panic(name + " is stuck")
			}
		}
		s.mu.Unlock()
	}
}

// TestNothingWaitsInACircle: flushes, heartbeats, scrapes, questions after the
// health, outputs that start and end, and incidents of every kind that a node
// and a disk can bring about, all at once. Nothing stands still, and at the end
// everything closes.
func TestNothingWaitsInACircle(t *testing.T) {
	node := &illNode{docs: make(map[string]illDoc)}
	srv := httptest.NewServer(node)
	defer srv.Close()
	letters := filepath.Join(t.TempDir(), "letters")
	log := new(process.Log)
	var targets target.Pool
	begin := func(more map[string]string) *output.Output {
		p := map[string]string{
			"es_hosts": srv.URL, "sensor_id": "s1", "dead_letter_path": letters, "commit_timeout": "3s", "manage_templates": "off", "cache_size": "8M",
		}
		maps.Copy(p, more)
		o, err := options.Parse(func(key string) string { return p[key] }, func(string) {})
		if err != nil {
			t.Error(err)
			return nil
		}
		i, err := output.New(o, output.Host{Version: "test", Logger: slog.New(slog.NewTextHandler(log, nil)), Targets: &targets})
		if err != nil {
			return nil // the letters can't be written just now
		}
		return i
	}
	a, b := begin(nil), begin(map[string]string{"sensor_id": "s2"})
	if a == nil || b == nil {
		t.Fatal("it doesn't start")
	}
	shared := target.Only(&targets, "dossier")
	at := port.Address(t)
	var servers observe.Servers
	serve := func(name string, i *output.Output) func() {
		end, err := servers.Serve(at, name, i, observe.Options{Version: "test", Log: slog.New(slog.NewTextHandler(log, nil)), Panicked: targets.Panicked})
		if err != nil {
			t.Error(err)
			return func() {}
		}
		return end
	}
	defer serve("a", a)()

	ctx, cancel := context.WithTimeout(t.Context(), length)
	defer cancel()
	s := storm{t: t, ctx: ctx, rounds: make(map[string]*atomic.Int64)}
	chunkOf := func(who string, n int) []byte {
		var lines []string
		for k := range 40 {
			lines = append(lines, fmt.Sprintf(`<134>1 2026-01-02T03:04:05.%06d+00:00 web-1 http - request [relay@55555 src_ip="198.51.100.%d" path="/%s%d"]`, k, k, who, n))
		}
		return chunktest.Lines(time.Now(), "log", lines...)
	}
	for w, i := range []*output.Output{a, b, a} {
		s.actor("flush", func(n int) { i.Flush(fmt.Sprint("tag", w, n), chunkOf(fmt.Sprint(w), n), true) })
	}
	delta, err := correlate.DecodeDelta(correlate.ClassAttacker, []byte(`{"sensor":"s","source":"203.0.113.4/32","events":[{"time":1767780000000000,"address":"203.0.113.4","decky":"decky-01","service":"ssh","type":"connect","kind":1,"handshake":true}]}`))
	if err != nil {
		t.Fatal(err)
	}
	one := func(name, document string, w int) { // chunks that each are for one document
		s.actor(name, func(n int) {
			id := commit.ChunkID{byte(w), document[len(document)-1]}
			binary.BigEndian.PutUint32(id[2:], uint32(n))
			target.Committer(shared).Commit(ctx, commit.Chunk{ID: id, Minute: 29464320, Deadline: time.Now().Add(3 * time.Second), Parts: []commit.Part{
				{Key: commit.Key{Index: "dossier-attackers", ID: document}, Class: correlate.ClassAttacker, Delta: delta},
			}})
		})
	}
	for w := range 200 {
		one("full", "203.0.113.4", w) // until it holds as many as it may
	}
	for w := range 4 {
		one("bury", "203.0.113.2", w)
	}
	for range 2 {
		s.actor("heartbeat", func(int) { target.Heartbeats(shared); time.Sleep(time.Millisecond) })
	}
	client := &http.Client{Timeout: stuck}
	for _, path := range []string{"/metrics", "/readyz", "/healthz"} {
		s.actor(path, func(int) {
			res, err := client.Get("http://" + at + path)
			if err != nil {
				t.Error(err)
				return
			}
			io.Copy(io.Discard, res.Body)
			res.Body.Close()
			time.Sleep(time.Millisecond)
		})
	}
	s.actor("figures", func(int) {
		b.Figures()
		b.Histograms()
		b.Health()
		time.Sleep(time.Millisecond)
	})
	for w, more := range []map[string]string{{"sensor_id": "s3"}, {"index_prefix": "other", "dead_letter_path": letters + "2"}} {
		s.actor(fmt.Sprint("start", w), func(n int) {
			i := begin(more)
			if i == nil {
				time.Sleep(time.Millisecond)
				return
			}
			end := serve(fmt.Sprint("start", w), i)
			i.Flush("tag", chunkOf("start", n), false)
			end()
			i.Close()
		})
	}
	s.actor("disk", func(int) { // the letters' folder is there half of the time
		time.Sleep(150 * time.Millisecond)
		os.Rename(letters, letters+".away")
		os.WriteFile(letters, nil, 0o600)
		time.Sleep(150 * time.Millisecond)
		os.Remove(letters)
		os.Rename(letters+".away", letters)
	})
	go s.watch()
	// It goes on until each kind of incident was told of, on a busy machine
	// longer.
	kinds := target.Incidents(commit.Unreachable, commit.Unreadable, commit.Buried, commit.NotBuried, commit.Full, commit.EffectLost)
	go func() {
		for begin := time.Now(); ctx.Err() == nil; time.Sleep(100 * time.Millisecond) {
			text := log.String()
			missing := slices.ContainsFunc(kinds, func(kind string) bool { return !strings.Contains(text, kind) })
			if took := time.Since(begin); took > shortest && (!missing || took > longer) {
				cancel()
			}
		}
	}()
	ended := make(chan struct{})
	go func() {
		s.group.Wait()
		a.Close()
		b.Close()
		close(ended)
	}()
	defer time.AfterFunc(length+stuck, func() { // of a goroutine of its own: what is deferred here would wait as well
		pprof.Lookup("goroutine").WriteTo(os.Stderr, 1)
		panic("it doesn't end")
	}).Stop()
	<-ended
	text := log.String()
	for _, want := range kinds {
		switch full := target.Incidents(commit.Full)[0]; {
		case strings.Contains(text, want):
		case want == full:
			// While the node refuses whole requests nothing fills a document: that
			// depends on what it happens to answer.
			t.Logf("no document was full")
		default:
			t.Errorf("there was no %q", want)
		}
	}
	if strings.Contains(text, "panic") {
		t.Errorf("a panic: %.3000s", text[strings.Index(text, "panic"):])
	}
	for name, n := range s.rounds {
		t.Logf("%s: %d rounds", name, n.Load())
		if n.Load() == 0 {
			t.Errorf("%s never came round", name)
		}
	}
}

// The storm lasts from shortest to length: the code in which heartbeats asked the
// committer under a lock stood still within the first second.
const (
	shortest = 12 * time.Second
	longer   = 40 * time.Second
	length   = 90 * time.Second
)
