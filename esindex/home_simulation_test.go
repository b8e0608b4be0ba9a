package esindex_test

import (
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"dossier/correlate/commit"
	"dossier/esindex"
	"dossier/esindex/esindextest"
)

var (
	homesFrom  = flag.Uint64("homes-from", 1, "first seed of the simulation of months")
	homesSeeds = flag.Uint64("homes-seeds", 60, "how many")
)

// monthly are templates of three kinds of months: documents, what is created
// once, and the ledger.
func monthly() []esindex.Template {
	body := json.RawMessage(`{"mappings":{"dynamic":false,"properties":{"state":{"type":"binary"}}}}`)
	var out []esindex.Template
	for _, kind := range []string{"hours", "told", "chunks"} {
		out = append(out, esindex.Template{Name: "p-" + kind, Pattern: "p-" + kind + "-*", Version: 1, Body: body, Monthly: true, Homes: kind == "chunks"})
	}
	return out
}

// counting is a commit.Model: a document's payload has the number of each chunk
// as often as it was folded.
type counting struct{}

func (counting) Fold(key commit.Key, _ commit.Class, payload []byte, in []commit.Contribution) (commit.Folded, error) {
	f := &counted{key: key}
	if payload != nil {
		if err := json.Unmarshal(payload, &f.chunks); err != nil {
			return nil, err
		}
	}
	for _, c := range in {
		n := c.Delta.(int)
		if !c.Applied {
			f.chunks = append(f.chunks, n)
		}
		f.in = append(f.in, n)
	}
	return f, nil
}

type counted struct {
	key    commit.Key
	chunks []int
	in     []int
}

func (f *counted) AppendState(dst []byte) []byte {
	b, err := json.Marshal(f.chunks)
	if err != nil {
		panic(err) // of numbers
	}
	return append(dst, b...)
}

func (f *counted) AppendDocument(dst, state []byte) []byte {
	return fmt.Appendf(dst, `{"chunks":%s,"state":%q}`, f.AppendState(nil), base64.StdEncoding.EncodeToString(state))
}

// Effects tell of each chunk once, in the month of the document.
func (f *counted) Effects() (out []commit.Effect) {
	for _, n := range f.in {
		out = append(out, commit.Effect{
			Key:  commit.Key{Index: strings.Replace(f.key.Index, "p-hours", "p-told", 1), ID: fmt.Sprintf("%s|%d", f.key.ID, n)},
			Body: []byte(`{"told":true}`),
		})
	}
	return out
}

// homeSim is some writers on one node, each of which may be taken in the middle
// of a request while another goes on.
type homeSim struct {
	t       *testing.T
	rand    *rand.Rand
	node    *esindextest.Node
	now     time.Time
	writers []*homeWriter
	months  []string // whose indices are made in the course of it
	chunks  []*homeChunk
	late    []esindextest.Request // given up by whoever sent them, not yet carried out
	depth   int
	calm    bool // no more faults
	// order is what the race detector sees of the order in which the node and
	// whoever asked it take turns: a connection that is reset shows it nothing.
	order sync.Mutex
	done  map[string]bool
}

type homeWriter struct {
	n       int
	may     bool // make indices
	machine *commit.Machine
	store   *esindex.Store
	flight  []*commit.Request
}

type homeChunk struct {
	chunk commit.Chunk
	n     int
	oks   int
	want  int          // deliveries to be acknowledged
	under map[int]bool // by writer
}

func newHomeSim(t *testing.T, seed uint64) *homeSim {
	s := &homeSim{t: t, rand: rand.New(rand.NewPCG(seed, 16)), node: esindextest.New(t), done: map[string]bool{}}
	s.now = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	for _, kind := range []string{"hours", "told", "chunks"} {
		s.make("p-" + kind + "-other")
	}
	for _, month := range []string{"1999.01", "2019.05", "2025.03", "2026.10", "2026.11", "2026.12", "2027.01", "2027.09", "2031.01"} {
		for _, kind := range []string{"hours", "told", "chunks"} {
			switch index := "p-" + kind + "-" + month; s.rand.IntN(4) {
			case 0:
				s.make(index)
			case 1:
				if month > "2027.01" && s.rand.IntN(2) == 0 {
					continue // nobody ever makes it
				}
				s.months = append(s.months, index)
			default:
				if month >= "2026.11" && month <= "2027.01" {
					s.months = append(s.months, index)
				}
			}
		}
	}
	for n := range 2 + s.rand.IntN(2) {
		s.writers = append(s.writers, &homeWriter{n: n, may: s.rand.IntN(4) == 0})
		s.begin(s.writers[n])
	}
	all := []string{"2019.05", "2025.03", "2026.10", "2026.11", "2026.12", "2027.01", "2027.09", "2031.01"}
	s.rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	all = all[:1+s.rand.IntN(3)]
	for n := range 4 + s.rand.IntN(8) {
		at, err := time.Parse("2006.01", all[s.rand.IntN(len(all))])
		if err != nil {
			t.Fatal(err)
		}
		c := &homeChunk{n: n, want: 1 + s.rand.IntN(3), under: map[int]bool{}, chunk: commit.Chunk{ID: commit.ChunkID{byte(n), byte(seed), 1}, Minute: uint32(at.Unix() / 60)}}
		for _, month := range all {
			for _, id := range []string{"a", "b"} {
				if s.rand.IntN(2) == 0 {
					c.chunk.Parts = append(c.chunk.Parts, commit.Part{Key: commit.Key{Index: "p-hours-" + month, ID: id}, Delta: n})
				}
			}
		}
		if s.rand.IntN(3) == 0 {
			// A time that belongs to no month, of the same id.
			c.chunk.Parts = append(c.chunk.Parts, commit.Part{Key: commit.Key{Index: "p-hours-other", ID: "a"}, Delta: n})
		}
		s.chunks = append(s.chunks, c)
	}
	s.node.Plan(s.between)
	return s
}

// turns marks where one takes over from another.
func (s *homeSim) turns() {
	s.order.Lock()
	defer s.order.Unlock()
}

// make makes an index as set-up does.
func (s *homeSim) make(index string) {
	s.depth += 10 // nothing comes between
	s.turns()
	defer func() { s.turns(); s.depth -= 10 }()
	code, _, err := s.node.Do(s.t.Context(), "PUT", index, `{"mappings":{"dynamic":false,"_meta":{"dossier":{"schema":1}},"properties":{"state":{"type":"binary"}}}}`)
	if err != nil || code != 200 && code != 400 {
		s.t.Fatal(index, code, err)
	}
	s.done[index] = true
}

// begin begins a new life of the writer, which remembers nothing.
func (s *homeSim) begin(w *homeWriter) {
	var err error
	client := newClient(s.t, esindex.Options{Hosts: []string{s.node.URL}, APIKey: fmt.Sprint("writer", w.n)})
	if w.store, err = esindex.NewStore(client, monthly()); err != nil {
		s.t.Fatal(err)
	}
	esindex.SetClock(w.store, func() time.Time { return s.now })
	ledger := func(minute uint32) string {
		return "p-chunks-" + time.Unix(int64(minute)*60, 0).UTC().Format("2006.01")
	}
	if w.machine, err = commit.NewMachine(commit.MachineOptions{Ledger: ledger, Seed: s.rand.Uint64(), Gather: time.Millisecond, MaxApplied: 40, MaxDocuments: 1 + s.rand.IntN(4)}, counting{}); err != nil {
		s.t.Fatal(err)
	}
	for _, c := range s.chunks {
		c.under[w.n] = false
	}
}

// between is what happens while a request is on its way.
func (s *homeSim) between(r *esindextest.Request) esindextest.Fault {
	s.turns()
	defer s.turns()
	if s.depth > 9 {
		return esindextest.Fault{}
	}
	s.depth++
	defer func() { s.depth-- }()
	if s.depth <= 3 && !s.calm {
		for s.rand.IntN(3) == 0 {
			s.step()
		}
	}
	may := true
	for _, w := range s.writers {
		if r.Header.Get("Authorization") == fmt.Sprint("ApiKey writer", w.n) {
			may = w.may
		}
	}
	if r.Method == "PUT" && !may {
		return esindextest.Fault{Status: 403, Body: `{"error":{"type":"security_exception","reason":"action [indices:admin/create] is unauthorized"},"status":403}`}
	}
	if r.Method == "PUT" {
		s.done[strings.Trim(r.Path, "/")] = true
	}
	if !s.calm && r.Path == "/_bulk" {
		switch s.rand.IntN(12) {
		case 0:
			s.late = append(s.late, *r)
			return esindextest.Fault{Reset: true}
		case 1:
			return esindextest.Fault{Reset: true, Applied: true}
		}
	}
	return esindextest.Fault{}
}

// step does one thing that may happen at any time.
func (s *homeSim) step() {
	w := s.writers[s.rand.IntN(len(s.writers))]
	switch n := s.rand.IntN(40); {
	case n < 6:
		s.deliver(w, s.chunks[s.rand.IntN(len(s.chunks))])
	case n < 18:
		s.next(w)
	case n < 32:
		s.carryOut(w)
	case n < 35 && len(s.months) > 0:
		i := s.rand.IntN(len(s.months))
		index := s.months[i]
		s.months = slices.Delete(s.months, i, i+1)
		s.make(index)
	case n < 36 && len(s.late) > 0:
		s.replayLate()
	case n < 37 && s.depth == 0:
		// What it sent is carried out or not, and nobody hears of it.
		w.flight = nil
		s.begin(w)
	default:
		s.tick(time.Duration(s.rand.IntN(300)) * time.Millisecond)
	}
}

func (s *homeSim) tick(d time.Duration) {
	s.now = s.now.Add(d)
	for _, w := range s.writers {
		w.machine.Tick(s.now)
	}
}

// turn lets all that is under way end, and the month with it: what was far
// ahead is near then. Just in that moment a document of such a month may be
// made in both places.
func (s *homeSim) turn() {
	s.calm = true
	for idle, round := false, 0; !idle && round < 300; round++ { // markers of a month that is waited for stay
		idle = true
		for _, w := range s.writers {
			s.next(w)
			s.carryOut(w)
			idle = idle && w.machine.Idle() && len(w.flight) == 0
		}
		s.tick(100 * time.Millisecond)
	}
	for len(s.late) > 0 {
		s.replayLate()
	}
	s.now = time.Date(2026, 12, 1, 0, 0, 1, 0, time.UTC)
	s.calm = false
}

func (s *homeSim) replayLate() {
	i := s.rand.IntN(len(s.late))
	r := s.late[i]
	s.late = slices.Delete(s.late, i, i+1)
	s.depth += 10
	s.turns()
	defer func() { s.turns(); s.depth -= 10 }()
	// Elasticsearch makes no index for a key that may not.
	var kept []string
	lines := strings.SplitAfter(string(r.Body), "\n")
	for i := 0; i+1 < len(lines); i += 2 {
		var action map[string]struct {
			Index string `json:"_index"`
		}
		if err := json.Unmarshal([]byte(lines[i]), &action); err != nil {
			s.t.Fatal(err)
		}
		for _, a := range action {
			if s.done[a.Index] {
				kept = append(kept, lines[i], lines[i+1])
			}
		}
	}
	if len(kept) == 0 {
		return
	}
	if _, _, err := s.node.Do(s.t.Context(), "POST", "_bulk", strings.Join(kept, "")); err != nil {
		s.t.Fatal(err)
	}
}

func (s *homeSim) deliver(w *homeWriter, c *homeChunk) {
	life := w.n
	if c.under[life] || c.oks >= c.want {
		return
	}
	c.under[life] = true
	chunk := c.chunk
	chunk.Parts = slices.Clone(chunk.Parts)
	chunk.Deadline = s.now.Add(8 * time.Second)
	machine := w.machine
	machine.Submit(chunk, s.now, func(r commit.Result) {
		if w.machine == machine {
			c.under[life] = false
		}
		if r == commit.OK {
			c.oks++
		}
	})
}

func (s *homeSim) next(w *homeWriter) {
	r := w.machine.Next(s.now)
	if r == nil {
		return
	}
	if r.Kind == commit.Fold {
		r.Fold()
		w.machine.Answer(r, commit.Answer{}, s.now)
		return
	}
	if r.Kind == commit.Bury {
		s.t.Fatalf("dead letters: %v", r.Letters[0].Reason)
	}
	w.flight = append(w.flight, r)
}

func (s *homeSim) carryOut(w *homeWriter) {
	if len(w.flight) == 0 {
		return
	}
	i := s.rand.IntN(len(w.flight))
	r, machine := w.flight[i], w.machine
	w.flight = slices.Delete(w.flight, i, i+1)
	var a commit.Answer
	s.turns()
	if r.Kind == commit.Read {
		a.Stored, a.Err = w.store.Read(s.t.Context(), r.Keys)
	} else {
		a.Written, a.Err = w.store.Write(s.t.Context(), r.Ops)
	}
	s.turns()
	if w.machine == machine {
		machine.Answer(r, a, s.now)
	}
}

// settle lets everything end: all indices that are made are there, nothing
// fails, and each chunk comes until it is acknowledged.
func (s *homeSim) settle() {
	for len(s.late) > 0 {
		s.replayLate()
	}
	for _, index := range s.months {
		s.make(index)
	}
	s.calm = true
	for round := 0; ; round++ {
		open := false
		for _, w := range s.writers {
			for range 3 {
				s.next(w)
				s.carryOut(w)
			}
			open = open || !w.machine.Idle()
		}
		for _, c := range s.chunks {
			if c.oks < c.want {
				open = true
				s.deliver(s.writers[s.rand.IntN(len(s.writers))], c)
			}
		}
		if !open {
			return
		}
		if round > 4000 {
			s.t.Fatalf("chunks never end")
		}
		s.tick(100 * time.Millisecond)
	}
}

func (s *homeSim) check() {
	counts := map[string]map[int]int{} // by logical document, by chunk
	places := map[string][]string{}
	told := map[string]int{}
	for index := range s.done {
		for id, source := range s.node.Documents(index) {
			kind, month, _ := strings.Cut(strings.TrimPrefix(index, "p-"), "-")
			bare, of, moved := strings.Cut(id, "@")
			if moved {
				month = of
			}
			if kind == "chunks" || bare == "" {
				continue
			}
			name := month + "/" + bare
			if kind == "told" {
				told[name]++
				continue
			}
			places[name] = append(places[name], index)
			if counts[name] == nil {
				counts[name] = map[int]int{}
			}
			for _, n := range source["chunks"].([]any) {
				counts[name][int(n.(float64))]++
			}
		}
	}
	for name, at := range places {
		if len(at) > 1 {
			s.t.Errorf("%s is in %v", name, at)
		}
	}
	for _, c := range s.chunks {
		for _, p := range c.chunk.Parts {
			name := strings.TrimPrefix(p.Key.Index, "p-hours-") + "/" + p.Key.ID
			if got := counts[name][c.n]; got != 1 {
				s.t.Errorf("chunk %d counts %d times in %s", c.n, got, name)
			}
			// What claims a month far ahead, and comes again when that is near, may
			// be told again: transitions can't be read with a sensor's key.
			again := s.now.Month() == time.December && strings.HasPrefix(name, "2027.01")
			if got := told[fmt.Sprintf("%s|%d", name, c.n)]; got != 1 && !(again && got == 2) {
				s.t.Errorf("chunk %d is told %d times in %s", c.n, got, name)
			}
		}
	}
}

// Writers with and without the right to make indices bring chunks of months near
// and far, over and over, while months are made in between, requests get lost,
// come late, and writers begin anew: every document is in one place, and every
// chunk counts once in it.
func TestMonthsThatAreMadeInBetween(t *testing.T) {
	for seed := *homesFrom; seed < *homesFrom+*homesSeeds; seed++ {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			s := newHomeSim(t, seed)
			for range 150 + s.rand.IntN(300) {
				s.step()
			}
			if s.rand.IntN(3) == 0 {
				s.turn()
				for range 150 + s.rand.IntN(300) {
					s.step()
				}
			}
			s.settle()
			s.check()
		})
		if t.Failed() {
			t.Fatalf("go test ./esindex -run TestMonthsThatAreMadeInBetween -homes-from %d -homes-seeds 1", seed)
		}
	}
}
