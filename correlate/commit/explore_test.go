package commit

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strings"
	"time"
)

// scope is a small world whose every schedule is explored: which chunks there
// are, where they are delivered, and how many faults may happen, anywhere.
type scope struct {
	name string
	// what says in one sentence what is in it.
	what string
	// chunks names the documents of each chunk; writers the chunks that each
	// process has in its buffer.
	chunks  [][]string
	writers [][]int
	// poison is the chunk that the document "a" is refused with until somebody
	// heals it; -1 for none. effects: each contribution has one.
	poison  int
	effects bool
	// led: the first document of each chunk leads the others.
	led bool
	// How often each fault may happen:
	faults schedule
	// apart: each document is written by a request of its own.
	apart bool
	// maxApplied bounds the ids in a document; 0 for as many as usual.
	maxApplied int
	// coarse: a request is carried out and answered in one step, and a fold takes
	// none. What this leaves out is what one writer does between the two; what
	// others do there, they also do before the step or after it, and a crash in
	// between is one before, whose writes arrive all the same.
	coarse bool
	// twins: the writers have the same to do. States that differ in which of them
	// is which are one.
	twins bool
	// moved says what happens to documents that somebody moves to another
	// index while writers hold tokens of the old one.
	moved movement
}

// schedule is how many of each fault a schedule may have.
type schedule struct {
	// lost: a request doesn't arrive, or its answer doesn't.
	lost int
	// late: a request is given up and carried out later all the same.
	late int
	// dirty: a write reaches the primary only, and may be taken back.
	dirty int
	// crash: a process dies; what it acknowledged may come again.
	crash int
	// item: one operation of a write is refused for now.
	item int
	// unread: one document of a read can't be read for now.
	unread int
	// twice: a chunk is delivered while it is under way.
	twice int
	// time: it passes until the next thing that is due by the clock.
	time int
}

// movement is what a move to another index does to tokens.
type movement uint8

const (
	stays movement = iota
	// split: as _split and _clone do, tokens are kept.
	split
	// reindexed: as _reindex does, tokens are given out anew, and one may be
	// equal to one that a writer holds of an older state.
	reindexed
)

// explored is one state of a scope.
type explored struct {
	s       *scope
	es      *elastic
	now     time.Time
	chunks  []Chunk
	writers []*explorer
	left    schedule
	healed  bool
	moves   int
	// late are operations that may still be carried out.
	late [][]Op
	// letters are on disk; acked says which chunks somebody was told OK of.
	letters map[pair]Letter
	acked   map[int]bool
	// replayed are the letters that were replayed with OK.
	replayed map[pair]bool
	err      error
}

// explorer is a process and Fluent Bit's buffer.
type explorer struct {
	w        *explored
	n        int
	m        *Machine
	epoch    int
	buffer   map[int]bool // chunks to deliver
	under    map[int]int  // how often the machine has each
	replays  map[pair]bool
	inflight []*onWire
}

// onWire is a request on its way.
type onWire struct {
	r *Request
	// served: it was carried out, and answer is on its way back.
	served bool
	answer Answer
}

func newExplored(s *scope) *explored {
	w := &explored{
		s: s, es: newElastic(), now: epoch, left: s.faults, letters: map[pair]Letter{}, acked: map[int]bool{}, replayed: map[pair]bool{},
	}
	w.es.reject = func(op *Op) bool { return !w.healed && poisonous(op) }
	for n, ids := range s.chunks {
		c := chunkOf(uint16(n), ids...)
		for i := range c.Parts {
			d := c.Parts[i].Delta.(*delta)
			d.effect = s.effects
			d.poison = n == s.poison && c.Parts[i].Key.ID == "a"
		}
		if s.led {
			c = led(c)
		}
		w.chunks = append(w.chunks, c)
	}
	for n, has := range s.writers {
		p := &explorer{w: w, n: n, buffer: map[int]bool{}}
		for _, c := range has {
			p.buffer[c] = true
		}
		w.writers = append(w.writers, p)
		p.start()
	}
	return w
}

// still is a source of numbers that are all the same: pauses have one length
// and no order is drawn.
type still struct{}

func (still) Uint64() uint64 { return 0x5555555555555555 }

func (p *explorer) start() {
	o := MachineOptions{Ledger: func(uint32) string { return "ledger" }}
	if p.w.s.apart {
		o.BulkOps = 1
	}
	o.MaxApplied = p.w.s.maxApplied
	m, err := NewMachine(o, &tally{early: func(k Key, d *delta) {
		p.w.fail("%s is opened with chunk %d, and what leads it was not folded", k.ID, d.chunk)
	}})
	if err != nil {
		panic(err)
	}
	m.rand = newStillRand()
	p.m, p.under, p.replays, p.inflight = m, map[int]int{}, map[pair]bool{}, nil
}

func (w *explored) fail(format string, args ...any) {
	if w.err == nil {
		w.err = fmt.Errorf(format, args...)
	}
}

// step is something that may happen next.
type step struct {
	do func()
	// What it is called, put together only where somebody asks; with ops, what is
	// written stands behind it.
	format string
	args   []any
	r      *Request
	ops    []Op
}

func (s *step) String() string {
	text := fmt.Sprintf(s.format, s.args...)
	switch {
	case s.r != nil:
		return text + ": " + requestText(s.r)
	case s.ops != nil:
		return text + ": " + opsText(s.ops)
	}
	return text
}

// steps returns what may happen next, always in the same order.
func (w *explored) steps() []step {
	var all []step
	can := func(s step, args ...any) { s.args = args; all = append(all, s) }
	for _, p := range w.writers {
		p.steps(can)
	}
	for i, ops := range w.late {
		can(step{format: "a late request is carried out", ops: ops, do: func() {
			w.late = slices.Delete(w.late, i, i+1)
			for j := range ops {
				w.es.write(&ops[j])
			}
		}})
	}
	for _, index := range slices.Sorted(maps.Keys(w.es.shards)) {
		if !w.es.unreplicated(index) {
			continue
		}
		can(step{format: "a failover takes back what is not replicated in %s", do: func() { w.es.failover(index, func(string) bool { return false }) }}, index)
		can(step{format: "what is not replicated in %s is", do: func() { w.es.settle(index) }}, index)
	}
	if w.s.poison >= 0 && !w.healed && len(w.letters) > 0 {
		can(step{format: "the mapping is fixed: nothing is refused any more", do: func() { w.healed = true }})
	}
	if w.moves == 0 && w.s.moved != stays && w.es.durable(key("a")) != nil {
		can(step{format: "the documents are moved to another index", do: func() { w.moves++; w.es.move("documents", w.s.moved) }})
	}
	if w.left.time > 0 {
		var at time.Time
		for _, p := range w.writers {
			if due := p.m.Wake(); !due.IsZero() && (at.IsZero() || due.Before(at)) {
				at = due
			}
		}
		if !at.IsZero() {
			can(step{format: "time passes, %v", do: func() {
				w.left.time--
				if at.After(w.now) {
					w.now = at
				}
			}}, max(0, at.Sub(w.now)))
		}
	}
	return all
}

func (p *explorer) steps(can func(s step, args ...any)) {
	w := p.w
	for c := range w.chunks {
		switch {
		case !p.buffer[c]:
		case p.under[c] == 0:
			can(step{format: "writer %d: chunk %d is delivered", do: func() { p.submit(c) }}, p.n, c)
		case w.left.twice > 0:
			can(step{format: "writer %d: chunk %d is delivered once more", do: func() { w.left.twice--; p.submit(c) }}, p.n, c)
		}
	}
	if w.healed && p.n == 0 {
		for _, l := range slices.SortedFunc(maps.Keys(w.letters), pair.compare) {
			if !w.replayed[l] && !p.replays[l] {
				can(step{format: "writer %d: the letter of chunk %d for %s is replayed", do: func() { p.replay(l) }}, p.n, l.chunk, l.key.ID)
			}
		}
	}
	for i, r := range p.inflight {
		p.requestSteps(can, i, r)
	}
	if w.left.crash > 0 {
		if !p.m.Idle() {
			can(step{format: "writer %d: crashes", do: func() { p.crash(false) }}, p.n)
		}
		if slices.ContainsFunc(w.s.writers[p.n], func(c int) bool { return !p.buffer[c] }) {
			can(step{format: "writer %d: crashes before Fluent Bit knows what is OK", do: func() { p.crash(true) }}, p.n)
		}
	}
}

var errNoAnswer = errors.New("no answer")

// requestSteps are what may become of the request in that place.
func (p *explorer) requestSteps(can func(s step, args ...any), i int, r *onWire) {
	w := p.w
	answer := func(a Answer) {
		p.inflight = slices.Delete(p.inflight, i, i+1)
		p.m.Answer(r.r, a, w.now)
	}
	unanswered := func(left *int) func() {
		return func() { *left--; answer(Answer{Err: errNoAnswer}) }
	}
	switch {
	case r.r.Kind == Fold:
		can(step{format: "writer %d: the fold is done", do: func() { r.r.Fold(); answer(Answer{}) }}, p.n)
		return
	case r.served:
		can(step{format: "writer %d: the answer comes", r: r.r, do: func() { answer(r.answer) }}, p.n)
		if w.left.lost > 0 {
			can(step{format: "writer %d: the answer is lost", r: r.r, do: unanswered(&w.left.lost)}, p.n)
		}
		return
	}
	carriedOut := func(s step, serve func(), args ...any) {
		s.r, s.do = r.r, serve
		if w.s.coarse {
			s.do = func() { serve(); answer(r.answer) }
		}
		can(s, args...)
	}
	carriedOut(step{format: "writer %d: carried out"}, func() { p.serve(r) }, p.n)
	if w.left.lost > 0 {
		can(step{format: "writer %d: lost", r: r.r, do: unanswered(&w.left.lost)}, p.n)
	}
	if r.r.Kind == Read && w.left.unread > 0 {
		for j := range r.r.Keys {
			carriedOut(step{format: "writer %d: carried out, but %s can't be read for now"}, func() {
				w.left.unread--
				p.serve(r)
				r.answer.Stored[j] = Stored{Err: errNoAnswer}
			}, p.n, shortID(r.r.Keys[j]))
		}
	}
	if w.left.lost > 0 && w.s.coarse && r.r.Kind != Read {
		can(step{format: "writer %d: carried out, and the answer is lost", r: r.r, do: func() { p.serve(r); unanswered(&w.left.lost)() }}, p.n)
	}
	if r.r.Kind != Write {
		return
	}
	if w.left.late > 0 {
		can(step{format: "writer %d: given up, but still under way", r: r.r, do: func() {
			w.late = append(w.late, sent(r.r.Ops))
			unanswered(&w.left.late)()
		}}, p.n)
	}
	if w.left.dirty > 0 {
		can(step{format: "writer %d: on the primary only, and no answer", r: r.r, do: func() {
			for _, op := range sent(r.r.Ops) {
				w.es.apply(&op)
			}
			unanswered(&w.left.dirty)()
		}}, p.n)
	}
	if w.left.item > 0 {
		for j := range r.r.Ops {
			carriedOut(step{format: "writer %d: carried out, but %s is refused for now"}, func() {
				w.left.item--
				p.serveBut(r, j)
			}, p.n, shortID(r.r.Ops[j].Key))
		}
	}
}

func (p *explorer) crash(forgetful bool) {
	p.w.left.crash--
	for _, r := range p.inflight {
		if r.r.Kind == Write && !r.served {
			// It may still arrive.
			p.w.late = append(p.w.late, sent(r.r.Ops))
		}
	}
	if forgetful {
		for _, c := range p.w.s.writers[p.n] {
			p.buffer[c] = true
		}
	}
	p.epoch++
	p.start()
}

// serve carries a request out; its answer is still to come.
func (p *explorer) serve(r *onWire) {
	r.served = true
	if r.r.Kind == Bury {
		for _, l := range r.r.Letters {
			l = kept(l)
			l.Part.Key.ID = strings.Clone(l.Part.Key.ID)
			p.w.letters[pair{l.Part.Delta.(*delta).chunk, l.Part.Key}] = l
		}
	}
	if r.r.Kind == Write {
		p.serveBut(r, -1)
		return
	}
	r.answer = p.w.es.serve(r.r)
}

// serveBut carries out the operations of a write, but for one that is refused
// for now.
func (p *explorer) serveBut(r *onWire, refused int) {
	r.served = true
	for i, op := range sent(r.r.Ops) {
		if i == refused {
			r.answer.Written = append(r.answer.Written, Written{Reason: "es_rejected_execution_exception: full"})
			continue
		}
		r.answer.Written = append(r.answer.Written, p.w.es.write(&op))
	}
}

func (p *explorer) submit(n int) {
	c := p.w.chunks[n]
	c.Deadline = p.w.now.Add(8 * time.Second)
	c, back := lend(c)
	p.under[n]++
	at := p.epoch
	p.m.Submit(c, p.w.now, func(r Result) {
		back()
		if p.epoch != at {
			p.w.fail("an answer from the dead")
		}
		if p.under[n]--; p.under[n] == 0 {
			delete(p.under, n)
		}
		if r == OK {
			delete(p.buffer, n)
			p.w.acked[n] = true
		}
	})
}

func (p *explorer) replay(l pair) {
	c := replayOf(p.w.letters[l])
	c.Deadline = p.w.now.Add(8 * time.Second)
	c, back := lend(c)
	p.replays[l] = true
	at := p.epoch
	p.m.Submit(c, p.w.now, func(r Result) {
		back()
		if p.epoch == at {
			delete(p.replays, l)
		}
		if r == OK {
			p.w.replayed[l] = true
		}
	})
}

// take takes a step and everything that follows from it at once.
func (w *explored) take(s step) {
	s.do()
	for _, p := range w.writers {
		p.m.Tick(w.now)
		for n, r := 0, p.m.Next(w.now); r != nil; n, r = n+1, p.m.Next(w.now) {
			if n > 100 {
				w.fail("writer %d: there is no end of its requests", p.n)
				return
			}
			if w.s.coarse && r.Kind == Fold {
				r.Fold()
				p.m.Answer(r, Answer{}, w.now)
				continue
			}
			p.inflight = append(p.inflight, &onWire{r: r})
		}
		p.m.Incidents()
	}
}

// check checks what holds after every step: nothing is doubled, and what somebody was told
// is OK is durable or in the dead letters, whatever comes.
func (w *explored) check() {
	for _, p := range w.writers {
		folds := 0
		for _, r := range p.inflight {
			if r.r.Kind == Fold {
				folds++
			}
		}
		if folds > 1 {
			w.fail("writer %d: %d folds at a time", p.n, folds)
		}
		for _, c := range p.m.chunks {
			if !w.now.Before(c.deadline) && c.state != burying {
				w.fail("writer %d: a chunk is not given back at its deadline", p.n)
			}
		}
	}
	for _, s := range w.es.shards {
		for id, d := range s.docs {
			if d.current == nil || d.current.body[0] != 'D' && d.current.body[0] != 'P' {
				continue
			}
			for n := range countsOf(d.current.body) {
				if int(n) >= len(w.chunks) {
					w.fail("%s holds what is no chunk's: memory that was used again", id)
				}
			}
		}
	}
	for n, c := range w.chunks {
		for _, part := range c.Parts {
			got := countsOf(w.es.durable(part.Key))[uint16(n)]
			l := pair{uint16(n), part.Key}
			_, buried := w.letters[l]
			effect := effectKey(part.Key, uint16(n))
			switch {
			case got > 1:
				w.fail("doubled: %s holds chunk %d %d times", part.Key.ID, n, got)
			case w.replayed[l] && got == 0:
				w.fail("lost: %s lacks chunk %d although its letter was replayed", part.Key.ID, n)
			case w.acked[n] && got == 0 && !buried:
				w.fail("lost: %s lacks chunk %d, which was acknowledged", part.Key.ID, n)
			case buried && !part.Delta.(*delta).poison:
				w.fail("chunk %d went to the dead letters of %s without need", n, part.Key.ID)
			case w.s.effects && (w.acked[n] && !buried || w.replayed[l]) && w.es.durable(effect) == nil && !w.es.excused[effect]:
				w.fail("lost: the effect of chunk %d on %s", n, part.Key.ID)
			}
		}
	}
}

// stuck says whether nothing can happen any more although something is to be
// done. A scope that runs out of time is not stuck.
func (w *explored) stuck(steps []step) bool {
	if len(steps) > 0 {
		return false
	}
	for _, p := range w.writers {
		if !p.m.Wake().IsZero() {
			return false
		}
	}
	return !w.done()
}

// done says whether everything is where it belongs.
func (w *explored) done() bool {
	for _, p := range w.writers {
		if len(p.buffer) > 0 || len(p.under) > 0 || len(p.replays) > 0 {
			return false
		}
	}
	return !w.healed || len(w.replayed) == len(w.letters)
}

// hash returns the hash of the state as canon writes it down; of twins as one of
// the two that comes first.
func (w *explored) hash(c *canon) uint64 {
	state := c.state(w.now, func() { w.tell(c, w.writers) })
	if w.s.twins {
		one := slices.Clone(state)
		other := c.state(w.now, func() { w.tell(c, []*explorer{w.writers[1], w.writers[0]}) })
		if state = other; bytes.Compare(one, other) < 0 {
			state = one
		}
	}
	h := fnv.New64a()
	h.Write(state)
	return h.Sum64()
}

func (w *explored) tell(c *canon, writers []*explorer) {
	c.exact = w.s.moved == reindexed
	for _, n := range [...]int{w.left.lost, w.left.late, w.left.dirty, w.left.crash, w.left.item, w.left.unread, w.left.twice, w.left.time, w.moves} {
		c.int(uint64(n))
	}
	c.bool(w.healed)
	for n := range w.chunks {
		c.bool(w.acked[n])
		for _, part := range w.chunks[n].Parts {
			l := pair{uint16(n), part.Key}
			_, buried := w.letters[l]
			c.bool(buried)
			c.bool(w.replayed[l])
		}
	}
	for _, index := range slices.Sorted(maps.Keys(w.es.shards)) {
		s := w.es.shards[index]
		c.string(index)
		for _, id := range slices.Sorted(maps.Keys(s.docs)) {
			d := s.docs[id]
			c.string(id)
			c.bool(w.es.excused[Key{index, id}])
			c.index = index
			for _, r := range [...]*revision{d.durable, d.current} {
				if r == nil {
					c.int(0)
					continue
				}
				c.body(r.body)
				c.token(r.version)
			}
			c.int(uint64(len(d.pending)))
			for _, r := range d.pending {
				c.body(r.body)
				c.token(r.version)
			}
		}
	}
	var late []string
	for _, ops := range w.late {
		at := len(c.b)
		for i := range ops {
			c.op(&ops[i])
		}
		late = append(late, string(c.b[at:]))
		c.b = c.b[:at]
	}
	slices.Sort(late)
	for _, l := range late {
		c.string(l)
	}
	for _, p := range writers {
		for n := range w.chunks {
			c.bool(p.buffer[n])
			c.int(uint64(p.under[n]))
		}
		for _, l := range slices.SortedFunc(maps.Keys(p.replays), pair.compare) {
			c.string(l.key.ID)
			c.int(uint64(l.chunk))
		}
		c.machine(p.m)
		// Which was asked first doesn't matter any more.
		inflight := slices.Clone(p.inflight)
		slices.SortStableFunc(inflight, func(a, b *onWire) int {
			return cmp.Or(cmp.Compare(a.r.Kind, b.r.Kind), cmp.Compare(requestText(a.r), requestText(b.r)))
		})
		c.int(uint64(len(inflight)))
		for _, r := range inflight {
			c.request(r)
		}
	}
}

func (p pair) compare(q pair) int {
	return bytes.Compare(p.bytes(), q.bytes())
}

func (p pair) bytes() []byte {
	return append(binary.BigEndian.AppendUint16(nil, p.chunk), p.key.Index+"\x00"+p.key.ID...)
}

func requestText(r *Request) string {
	switch r.Kind {
	case Read:
		var ids []string
		for _, k := range r.Keys {
			ids = append(ids, shortID(k))
		}
		return "read " + strings.Join(ids, ", ")
	case Bury:
		return "bury"
	}
	return opsText(r.Ops)
}

func opsText(ops []Op) string {
	var ids []string
	for i := range ops {
		ids = append(ids, [...]string{"create ", "replace ", "put "}[ops[i].Kind]+shortID(ops[i].Key))
	}
	return strings.Join(ids, ", ")
}

// shortID names a document, or the chunk of a marker.
func shortID(k Key) string {
	if k.Index != "ledger" {
		return k.ID
	}
	for n := range 8 {
		if chunkOf(uint16(n)).ID.String() == k.ID {
			return fmt.Sprintf("marker %d", n)
		}
	}
	return "marker of a letter"
}
