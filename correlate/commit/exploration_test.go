package commit

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"dossier/testbed/race"
)

var (
	exploreStates = flag.Int("explore", 0, "states of each scope that are explored (default 3000; -1: all there are)")
	exploreFor    = flag.Duration("explore-for", 0, "stop exploring after so long, to go on another time (with -explore-dir)")
	exploreDir    = flag.String("explore-dir", "", "folder in which an exploration that was stopped is kept")
	exploreScope  = flag.String("explore-scope", "", "explore only the scope of that name")
)

// scopes are explored from the smallest. In each a document may be written by
// two processes at a time; "a" and "b" are documents.
var scopes = []*scope{
	{
		name: "one", what: "one chunk of two documents, one writer, each fault once",
		chunks: [][]string{{"a", "b"}}, writers: [][]int{{0}}, poison: -1,
		faults: schedule{lost: 1, late: 1, dirty: 1, crash: 1, item: 1, time: 3},
	},
	{
		name: "clone", what: "the same chunk at two writers, as where storage was copied",
		chunks: [][]string{{"a", "b"}}, writers: [][]int{{0}, {0}}, poison: -1,
		faults: schedule{lost: 1, crash: 1, time: 2},
	},
	{
		name: "clone dirty", what: "the same chunk of one document at two writers, a write that a failover takes back",
		chunks: [][]string{{"a"}}, writers: [][]int{{0}, {0}}, poison: -1, effects: true,
		faults: schedule{dirty: 1, late: 1, crash: 1, time: 2},
	},
	{
		name: "two", what: "two chunks of two documents at two writers",
		chunks: [][]string{{"a", "b"}, {"a", "b"}}, writers: [][]int{{0}, {1}}, poison: -1,
		faults: schedule{lost: 1, crash: 1, time: 2},
	},
	{
		name: "two apart", what: "two chunks of two documents at two writers, each document in a request of its own, an effect of each",
		chunks: [][]string{{"a", "b"}, {"a", "b"}}, writers: [][]int{{0}, {1}}, poison: -1, effects: true, apart: true,
		faults: schedule{lost: 1, crash: 1, time: 1},
	},
	{
		name: "two late", what: "two chunks of one document at two writers, requests that are carried out late and writes that are taken back",
		chunks: [][]string{{"a"}, {"a"}}, writers: [][]int{{0}, {1}}, poison: -1,
		faults: schedule{late: 1, dirty: 1, item: 1, crash: 1, time: 3},
	},
	{
		name: "group", what: "two chunks of two documents at one writer, written together or apart",
		chunks: [][]string{{"a", "b"}, {"a", "b"}}, writers: [][]int{{0, 1}}, poison: -1,
		faults: schedule{lost: 1, late: 1, item: 1, crash: 1, time: 3},
	},
	{
		name: "letter", what: "a chunk that a document is refused with, at one writer: its letter is replayed when the mapping is fixed",
		chunks: [][]string{{"a", "b"}}, writers: [][]int{{0}}, poison: 0,
		faults: schedule{lost: 1, crash: 1, item: 1, time: 3},
	},
	{
		name: "letter beside", what: "the same chunk with a letter at two writers, the letter replayed beside it",
		chunks: [][]string{{"a"}}, writers: [][]int{{0}, {0}}, poison: 0,
		faults: schedule{lost: 1, crash: 1, time: 2},
	},
	{
		name: "letter of two", what: "two chunks of one document at two writers, one of them refused",
		chunks: [][]string{{"a"}, {"a"}}, writers: [][]int{{0}, {1}}, poison: 0,
		faults: schedule{lost: 1, dirty: 1, crash: 1, time: 2},
	},
	{
		name: "unread", what: "two chunks of one document at one writer, in whole requests: something can't be read, and both come again",
		chunks: [][]string{{"a"}, {"a"}}, writers: [][]int{{0, 1}}, poison: -1, coarse: true,
		faults: schedule{unread: 1, crash: 1, time: 1},
	},
	{
		name: "refused", what: "two chunks of one document at one writer, in whole requests: something is refused for now, and both come again",
		chunks: [][]string{{"a"}, {"a"}}, writers: [][]int{{0, 1}}, poison: -1, coarse: true,
		faults: schedule{item: 1, crash: 1, time: 1},
	},
	{
		name: "twice", what: "a chunk of two documents at one writer, delivered while it is under way",
		chunks: [][]string{{"a", "b"}}, writers: [][]int{{0}}, poison: -1,
		faults: schedule{lost: 1, unread: 1, twice: 1, crash: 1, time: 1},
	},
	{
		name: "seen", what: "two chunks of one document at two writers that look for each other's markers, in whole requests: a marker is taken back",
		chunks: [][]string{{"a"}, {"a"}}, writers: [][]int{{0}, {1}}, poison: -1, coarse: true, maxApplied: 20,
		faults: schedule{dirty: 1, crash: 1, time: 1},
	},
	{
		name: "overtaken", what: "the same chunk of one document at two writers, in whole requests: one of them goes on to another chunk",
		chunks: [][]string{{"a"}, {"a"}}, writers: [][]int{{0, 1}, {0}}, poison: -1, coarse: true,
		faults: schedule{time: 1},
	},
	{
		name: "two whole", what: "two chunks of two documents at two writers, in whole requests",
		chunks: [][]string{{"a", "b"}, {"a", "b"}}, writers: [][]int{{0}, {1}}, poison: -1, coarse: true,
		faults: schedule{lost: 1, crash: 1, time: 1},
	},
	{
		name: "two late whole", what: "two chunks of two documents at two writers, in whole requests that may be carried out late",
		chunks: [][]string{{"a", "b"}, {"a", "b"}}, writers: [][]int{{0}, {1}}, poison: -1, coarse: true,
		faults: schedule{late: 1, lost: 1, time: 1},
	},
	{
		name: "one whole", what: "one chunk of two documents at one writer, in whole requests, each fault once",
		chunks: [][]string{{"a", "b"}}, writers: [][]int{{0}}, poison: -1, coarse: true,
		faults: schedule{lost: 1, late: 1, dirty: 1, crash: 1, item: 1, unread: 1, twice: 1, time: 1},
	},
	{
		name: "clone whole", what: "the same chunk at two writers, in whole requests",
		chunks: [][]string{{"a", "b"}}, writers: [][]int{{0}, {0}}, poison: -1, coarse: true, twins: true,
		faults: schedule{lost: 1, crash: 1, time: 1},
	},
	{
		name: "letter whole", what: "a chunk with a letter at two writers, in whole requests: the letter is replayed beside it",
		chunks: [][]string{{"a"}}, writers: [][]int{{0}, {0}}, poison: 0, coarse: true,
		faults: schedule{lost: 1, crash: 1, time: 1},
	},
	{
		name: "letter together", what: "two chunks of one document at one writer, one of them refused, in whole requests",
		chunks: [][]string{{"a"}, {"a"}}, writers: [][]int{{0, 1}}, poison: 0, coarse: true,
		faults: schedule{time: 1},
	},
	{
		name: "letter dirty", what: "a chunk with a letter and an effect at two writers, in whole requests: a write is taken back",
		chunks: [][]string{{"a"}}, writers: [][]int{{0}, {0}}, poison: 0, effects: true, coarse: true,
		faults: schedule{dirty: 1, crash: 1, time: 1},
	},
	{
		name: "led", what: "two chunks of one document at one writer, which another document leads in one of them, in whole requests: something can't be read",
		chunks: [][]string{{"a", "b"}, {"b"}}, writers: [][]int{{0, 1}}, poison: -1, led: true, coarse: true,
		faults: schedule{unread: 1, crash: 1, time: 1},
	},
	{
		name: "led letter", what: "a chunk of two documents at one writer, the one that leads is refused, in whole requests",
		chunks: [][]string{{"a", "b"}}, writers: [][]int{{0}}, poison: 0, led: true, coarse: true,
		faults: schedule{unread: 1, crash: 1, time: 1},
	},
	{
		name: "slow fold", what: "two chunks of one document at one writer that come to their deadlines while they are folded",
		chunks: [][]string{{"a"}, {"a"}}, writers: [][]int{{0, 1}}, poison: -1, effects: true, apart: true,
		faults: schedule{time: 2},
	},
	{
		name: "split", what: "three chunks of one document at two writers; the index is split, which keeps the tokens",
		chunks: [][]string{{"a"}, {"a"}, {"a"}}, writers: [][]int{{0, 2}, {1}}, poison: -1, moved: split,
		faults: schedule{crash: 1, time: 2},
	},
}

// TestExplore goes through every schedule of small scopes: every order of
// requests, answers, folds and deadlines, every place where a fault may happen.
// States that can't be told apart by what may follow are gone through once. In
// make test each scope is cut off at a number of states; make explore goes on
// to the end, or for as long as it is given, and another time from there.
func TestExplore(t *testing.T) {
	race.OneGoroutine(t)
	most := *exploreStates
	switch {
	case most != 0:
	case testing.Short():
		most = 1000
	default:
		most = 3000
	}
	deadline := time.Time{}
	if *exploreFor > 0 {
		deadline = time.Now().Add(*exploreFor)
	}
	for _, s := range scopes {
		if *exploreScope != "" && s.name != *exploreScope {
			continue
		}
		t.Run(s.name, func(t *testing.T) {
			e := newExploration(s)
			if *exploreDir != "" {
				if err := e.resume(*exploreDir); err != nil {
					t.Fatal(err)
				}
			}
			start := time.Now()
			e.run(most, deadline)
			if *exploreDir != "" && e.found == nil {
				if err := e.save(*exploreDir); err != nil {
					t.Fatal(err)
				}
			}
			t.Logf("%s: %d states, %d steps, %d ends, %d deep, %s, in %.1f s", s.what, e.states, e.stepped, e.ends, e.deepest, e.coverage(), time.Since(start).Seconds())
			if e.found != nil {
				t.Errorf("%v\n%s", e.found.err, e.found.text())
			}
			if e.ends == 0 && len(e.open) == 0 {
				t.Error("no schedule came to its end")
			}
		})
	}
}

// TestExploreFindsReindex: a token is one of an index. Where documents get new
// ones while a writer holds an old one, a state is brought back that is over;
// so the exploration must find it.
func TestExploreFindsReindex(t *testing.T) {
	e := newExploration(&scope{
		name: "reindex", chunks: [][]string{{"a"}, {"a"}, {"a"}}, writers: [][]int{{0, 2}, {1}}, poison: -1, moved: reindexed,
	})
	e.run(-1, time.Time{})
	if e.found == nil {
		t.Fatalf("nothing was lost in %d states", e.states)
	}
	if !strings.HasPrefix(e.found.err.Error(), "lost: ") {
		t.Errorf("found %v\n%s", e.found.err, e.found.text())
	}
}

// TestExploreKnowsItsStates: two schedules that come to the same are one state,
// and two that don't are two.
func TestExploreKnowsItsStates(t *testing.T) {
	var c canon
	at := func(s *scope, steps ...string) uint64 {
		w := newExplored(s)
		for _, name := range steps {
			i := slices.IndexFunc(w.steps(), func(s step) bool { return strings.HasPrefix(s.String(), name) })
			if i < 0 {
				t.Fatalf("%q can't be taken; what can is %v", name, w.steps())
			}
			w.take(w.steps()[i])
		}
		return w.hash(&c)
	}
	s := &scope{chunks: [][]string{{"a"}, {"b"}}, writers: [][]int{{0}, {1}}, poison: -1, faults: schedule{lost: 1}}
	one := at(s, "writer 0: chunk 0", "writer 1: chunk 1", "writer 0: carried", "writer 1: carried")
	two := at(s, "writer 1: chunk 1", "writer 1: carried", "writer 0: chunk 0", "writer 0: carried")
	if one != two {
		t.Error("the order of what is independent makes two states of one")
	}
	for _, other := range [][]string{
		nil,
		{"writer 0: chunk 0"},
		{"writer 0: chunk 0", "writer 1: chunk 1"},
		{"writer 0: chunk 0", "writer 1: chunk 1", "writer 0: carried"},
		{"writer 0: chunk 0", "writer 1: chunk 1", "writer 0: carried", "writer 1: carried", "writer 0: the answer comes"},
		{"writer 0: chunk 0", "writer 1: chunk 1", "writer 0: lost", "writer 1: carried"},
	} {
		if at(s, other...) == one {
			t.Errorf("%q is taken for another state", other)
		}
	}
}

// exploration goes through a scope on all processors: depth first where it goes
// to the end, else from places taken at random, each followed to its end. A trail is
// the choices made on the way to a state: a state is come to again by going
// there anew, since a Machine can't be copied.
type exploration struct {
	s *scope

	mu      sync.Mutex
	wake    sync.Cond
	open    [][]byte // trails not gone to yet
	working int
	seen    map[uint64]struct{}
	found   *violation

	states, stepped, ends, deepest int
	full                           atomic.Bool
}

// violation is a schedule after which something doesn't hold.
type violation struct {
	s     *scope
	err   error
	trail []byte
}

func newExploration(s *scope) *exploration {
	e := &exploration{s: s, open: [][]byte{{}}, seen: map[uint64]struct{}{}}
	e.wake.L = &e.mu
	return e
}

// coverage says what was not gone to.
func (e *exploration) coverage() string {
	if len(e.open) == 0 {
		return "all there are"
	}
	return fmt.Sprintf("cut off: %d places not gone to", len(e.open))
}

// run goes on until there is nothing left, something is found, most states were
// seen (-1: all), or the time is over.
func (e *exploration) run(most int, deadline time.Time) {
	e.full.Store(false)
	var group sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		group.Go(func() { e.work(most, deadline) })
	}
	group.Wait()
}

func (e *exploration) work(most int, deadline time.Time) {
	var c canon
	for {
		e.mu.Lock()
		for len(e.open) == 0 && e.working > 0 && !e.full.Load() {
			e.wake.Wait()
		}
		if len(e.open) == 0 || e.full.Load() {
			e.full.Store(true)
			e.mu.Unlock()
			e.wake.Broadcast()
			return
		}
		last := len(e.open) - 1
		if most >= 0 {
			// What is cut off is taken from everywhere, not from one corner.
			at := rand.IntN(len(e.open))
			e.open[at], e.open[last] = e.open[last], e.open[at]
		}
		trail := e.open[last]
		e.open = e.open[:last]
		e.working++
		e.mu.Unlock()

		e.follow(&c, trail, most, deadline)

		e.mu.Lock()
		e.working--
		e.mu.Unlock()
		e.wake.Broadcast()
	}
}

// follow goes where the trail leads, and from there always on by the first
// choice; the other choices are left open.
func (e *exploration) follow(c *canon, trail []byte, most int, deadline time.Time) {
	w := newExplored(e.s)
	steps := w.steps()
	for _, choice := range trail {
		// What stands before the last step was checked when it was new.
		w.take(steps[choice])
		steps = w.steps()
	}
	for {
		w.check()
		if w.err == nil && w.stuck(steps) {
			w.fail("stuck: nothing can happen any more, and not everything is done")
		}
		new, over := e.visit(w, c, trail, len(steps), most, deadline)
		if !new || over || len(steps) == 0 {
			return
		}
		trail = append(slices.Clip(trail), 0)
		w.take(steps[0])
		steps = w.steps()
	}
}

// visit notes the state. It says whether it is new, and whether the exploration
// is over.
func (e *exploration) visit(w *explored, c *canon, trail []byte, choices, most int, deadline time.Time) (new, over bool) {
	var h uint64
	if w.err == nil {
		h = w.hash(c)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.stepped++
	if w.err != nil {
		if e.found == nil || len(trail) < len(e.found.trail) {
			e.found = &violation{e.s, w.err, slices.Clone(trail)}
		}
		e.full.Store(true)
		return false, true
	}
	if _, known := e.seen[h]; known {
		return false, false
	}
	if most >= 0 && e.states >= most || !deadline.IsZero() && e.states%64 == 0 && time.Now().After(deadline) {
		// It is gone to another time.
		e.open = append(e.open, trail)
		e.full.Store(true)
		return false, true
	}
	e.seen[h] = struct{}{}
	e.states++
	e.deepest = max(e.deepest, len(trail))
	if choices == 0 {
		e.ends++
	}
	for i := choices - 1; i > 0; i-- {
		e.open = append(e.open, append(slices.Clone(trail), byte(i)))
	}
	if choices > 2 {
		e.wake.Broadcast()
	}
	return true, false
}

// text tells the schedule step by step.
func (v *violation) text() string {
	var b strings.Builder
	w := newExplored(v.s)
	for i, choice := range v.trail {
		s := w.steps()[choice]
		fmt.Fprintf(&b, "%3d. %s\n", i+1, &s)
		w.take(s)
	}
	return b.String()
}

// An exploration that was stopped is kept in a file: what it is of, its
// figures, the hashes of the states seen, and the trails not gone to.

// of says what an exploration is of: another version of this package, or another
// scope, is another one.
func (e *exploration) of() (string, error) {
	h := sha256.New()
	sources, err := filepath.Glob("*.go")
	if err != nil {
		return "", err
	}
	for _, name := range sources {
		b, err := os.ReadFile(name)
		if err != nil {
			return "", err
		}
		h.Write(b)
	}
	fmt.Fprintf(h, "%+v", *e.s)
	return hex.EncodeToString(h.Sum(nil)), nil
}

func (e *exploration) path(dir string) string {
	return filepath.Join(dir, strings.ReplaceAll(e.s.name, " ", "-")+".exploration")
}

func (e *exploration) save(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	of, err := e.of()
	if err != nil {
		return err
	}
	f, err := os.Create(e.path(dir) + ".new")
	if err != nil {
		return err
	}
	defer f.Close()
	w := bufio.NewWriter(f)
	fmt.Fprintf(w, "%s\n", of)
	var b []byte
	for _, n := range [...]int{e.states, e.stepped, e.ends, e.deepest, len(e.seen)} {
		b = binary.AppendUvarint(b, uint64(n))
	}
	w.Write(b)
	for h := range e.seen {
		w.Write(binary.BigEndian.AppendUint64(b[:0], h))
	}
	for _, trail := range e.open {
		w.Write(append(binary.AppendUvarint(b[:0], uint64(len(trail))), trail...))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return os.Rename(f.Name(), e.path(dir))
}

// resume goes on with what save left, where it is of the same.
func (e *exploration) resume(dir string) error {
	f, err := os.Open(e.path(dir))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	of, err := e.of()
	if err != nil {
		return err
	}
	r := bufio.NewReader(f)
	if line, err := r.ReadString('\n'); err != nil || strings.TrimSpace(line) != of {
		return nil // of another version: from the beginning
	}
	var seen int
	for _, n := range [...]*int{&e.states, &e.stepped, &e.ends, &e.deepest, &seen} {
		v, err := binary.ReadUvarint(r)
		if err != nil {
			return fmt.Errorf("%s: %w; remove it to begin anew", f.Name(), err)
		}
		*n = int(v)
	}
	var b [8]byte
	for range seen {
		if _, err := io.ReadFull(r, b[:]); err != nil {
			return fmt.Errorf("%s: %w; remove it to begin anew", f.Name(), err)
		}
		e.seen[binary.BigEndian.Uint64(b[:])] = struct{}{}
	}
	e.open = nil
	for {
		n, err := binary.ReadUvarint(r)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil || n > 1<<16 {
			return fmt.Errorf("%s is damaged; remove it to begin anew", f.Name())
		}
		trail := make([]byte, n)
		if _, err := io.ReadFull(r, trail); err != nil {
			return fmt.Errorf("%s: %w; remove it to begin anew", f.Name(), err)
		}
		e.open = append(e.open, trail)
	}
}
