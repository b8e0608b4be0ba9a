package commit

import (
	"crypto/sha256"
	"slices"
	"testing"
	"time"
	"unsafe"
)

// bed is a model of Elasticsearch and a clock for schedules that are written
// down step by step.
type bed struct {
	t       *testing.T
	es      *elastic
	now     time.Time
	options MachineOptions
	letters []Letter
	// machines are all the processes, reports what they told.
	machines []*Machine
	reports  []Incident
	// decided: what leads others is never folded, so they don't wait for it; untold
	// counts those that were opened without.
	decided bool
	untold  int
}

func newBed(t *testing.T) *bed {
	b := &bed{t: t, es: newElastic(), now: epoch}
	b.es.reject = poisonous
	b.options.Ledger = func(uint32) string { return "ledger" }
	return b
}

// process returns a new process, which remembers nothing.
func (b *bed) process() *Machine {
	m, err := NewMachine(b.options, &tally{early: func(k Key, d *delta) {
		if b.untold++; !b.decided {
			b.t.Errorf("%s is opened with chunk %d, and what leads it was not folded", k.ID, d.chunk)
		}
	}})
	if err != nil {
		b.t.Fatal(err)
	}
	b.machines = append(b.machines, m)
	return m
}

// next returns the next request for outside; folds are carried out at once.
func (b *bed) next(m *Machine) *Request {
	r := m.Next(b.now)
	for r != nil && r.Kind == Fold {
		r.Fold()
		m.Answer(r, Answer{}, b.now)
		r = m.Next(b.now)
	}
	return r
}

func key(id string) Key { return Key{Index: "documents", ID: id} }

// chunkOf returns chunk n with a delta for each of the documents.
func chunkOf(n uint16, ids ...string) Chunk {
	sum := sha256.Sum256([]byte{byte(n), byte(n >> 8)})
	c := Chunk{ID: ChunkID(sum[:16]), Minute: minute(epoch)}
	for _, id := range ids {
		c.Parts = append(c.Parts, Part{Key: key(id), Delta: &delta{chunk: n}})
	}
	return c
}

func poisoned(c Chunk) Chunk {
	for _, p := range c.Parts {
		p.Delta.(*delta).poison = true
	}
	return c
}

func replayOf(l Letter) Chunk {
	return Chunk{ID: l.Chunk, Minute: l.Minute, Parts: []Part{l.Part}, Replay: true}
}

// ending is what a chunk's callback was told.
type ending struct {
	calls  int
	result Result
}

// submit hands a chunk over with 8 s to go.
func (b *bed) submit(m *Machine, c Chunk) *ending {
	o := &ending{}
	c.Deadline = b.now.Add(8 * time.Second)
	c, back := lend(c)
	m.Submit(c, b.now, func(r Result) { back(); o.calls++; o.result = r })
	return o
}

// lend returns the chunk with ids and deltas that are lent, as those of an
// engine are: their memory is used again after back.
func lend(c Chunk) (lent Chunk, back func()) {
	var all []byte
	for i := range c.Parts {
		all = append(all, c.Parts[i].Key.ID...)
	}
	c.Parts = slices.Clone(c.Parts)
	deltas := make([]delta, len(c.Parts))
	for i, at := 0, 0; i < len(c.Parts); i++ {
		p := &c.Parts[i]
		n := len(p.Key.ID)
		p.Key.ID = unsafe.String(unsafe.SliceData(all[at:]), n)
		at += n
		deltas[i] = *p.Delta.(*delta)
		p.Delta = &deltas[i]
	}
	for i := range c.Parts {
		if p := &c.Parts[i]; p.Led {
			deltas[i].leaders = leadersOf(p, c.Parts)
		}
	}
	return c, func() {
		for i := range all {
			all[i] = '?'
		}
		for i := range deltas {
			deltas[i] = delta{chunk: usedAgain}
		}
	}
}

// leadersOf returns the deltas of what leads p.
func leadersOf(p *Part, parts []Part) (all []*delta) {
	for i := range parts {
		switch l := &parts[i]; {
		case !l.Leads:
		case l.Key.ID == p.Lead:
			return []*delta{l.Delta.(*delta)}
		default:
			all = append(all, l.Delta.(*delta))
		}
	}
	return all
}

// led makes the chunk's first document lead the others.
func led(c Chunk) Chunk {
	c.Parts[0].Leads = true
	for i := range c.Parts[1:] {
		p := &c.Parts[i+1]
		p.Led, p.Lead = true, c.Parts[0].Key.ID
	}
	return c
}

// kept returns the letter as a file keeps it.
func kept(l Letter) Letter {
	d := *l.Part.Delta.(*delta)
	d.leaders = nil
	l.Part.Delta = &d
	return l
}

// usedAgain is the chunk of a delta whose memory was given back.
const usedAgain = 1<<16 - 1

// unmarked commits a chunk in a process that dies after OK and before the
// marker.
func (b *bed) unmarked(n uint16, id string) {
	b.t.Helper()
	m := b.process()
	o := b.submit(m, chunkOf(n, id))
	b.steps(m, Read, Read, Write)
	if o.result != OK || b.marked(n) {
		b.t.Fatalf("chunk %d: %+v, marked %v", n, o, b.marked(n))
	}
}

// refuse makes a document be refused, whatever is in it, until heal.
func (b *bed) refuse(id string) {
	b.es.reject = func(op *Op) bool { return op.Key == key(id) }
}

func (b *bed) heal() { b.es.reject = func(*Op) bool { return false } }

// serve answers as a healthy cluster does, but for what has an answer of its
// own.
func (b *bed) serve(r *Request) Answer {
	if r.Kind == Bury {
		for _, l := range r.Letters {
			b.letters = append(b.letters, kept(l))
		}
	}
	return b.es.serve(r)
}

// pass serves all there is to do now with serve.
func (b *bed) pass(m *Machine, serve func(*Request) Answer) {
	for r := b.next(m); r != nil; r = b.next(m) {
		m.Answer(r, serve(r), b.now)
	}
}

// rest serves m with serve until nothing is under way, letting the time pass.
func (b *bed) rest(m *Machine, serve func(*Request) Answer) {
	b.t.Helper()
	for range 100_000 {
		b.pass(m, serve)
		if m.Idle() {
			return
		}
		b.now = m.Wake()
		m.Tick(b.now)
	}
	b.t.Fatal("it doesn't come to rest")
}

// commit commits a chunk and returns when nothing is under way.
func (b *bed) commit(m *Machine, c Chunk) Result {
	b.t.Helper()
	return b.commitWith(m, c, b.serve)
}

func (b *bed) commitWith(m *Machine, c Chunk, serve func(*Request) Answer) Result {
	b.t.Helper()
	o := b.submit(m, c)
	b.rest(m, serve)
	if o.calls != 1 {
		b.t.Fatalf("%d results", o.calls)
	}
	return o.result
}

// down answers as serve does, but documents of these ids can't be written.
func (b *bed) down(ids ...string) func(*Request) Answer {
	return func(r *Request) Answer {
		if r.Kind != Write {
			return b.serve(r)
		}
		a := Answer{Written: make([]Written, len(r.Ops))}
		for i := range r.Ops {
			if slices.Contains(ids, r.Ops[i].Key.ID) {
				a.Written[i] = Written{Reason: "unavailable_shards_exception"}
			} else {
				a.Written[i] = b.es.write(&r.Ops[i])
			}
		}
		return a
	}
}

// holds checks how often the durable document of that id holds chunk n.
func (b *bed) holds(id string, n uint16, want int) {
	b.t.Helper()
	if got := countsOf(b.es.durable(key(id)))[n]; got != want {
		b.t.Errorf("%s holds chunk %d %d times, want %d", id, n, got, want)
	}
}

// ids returns the number of chunk ids in a durable document, and whether
// chunk n's is among them.
func (b *bed) ids(id string, n uint16) (int, bool) {
	b.t.Helper()
	env, err := decodeEnvelope(stateOf(b.es.durable(key(id))))
	if err != nil {
		b.t.Fatal(err)
	}
	return len(env.applied), env.has(chunkOf(n).ID)
}

// marked says whether chunk n has a durable marker.
func (b *bed) marked(n uint16) bool {
	return b.es.durable(Key{"ledger", chunkOf(n).ID.String()}) != nil
}

// reported returns how often incidents of a kind were told.
func (b *bed) reported(kind IncidentKind) int {
	var n int64
	for _, in := range b.told() {
		if in.Kind == kind {
			n += in.Count
		}
	}
	return int(n)
}

// told returns what was told so far.
func (b *bed) told() []Incident {
	for _, m := range b.machines {
		b.reports = append(b.reports, m.Incidents()...)
	}
	return b.reports
}

// step returns the next request, which must be of that kind.
func (b *bed) step(m *Machine, kind RequestKind) *Request {
	b.t.Helper()
	r := b.next(m)
	if r == nil || r.Kind != kind {
		b.t.Fatalf("request %+v, want one of kind %d", r, kind)
	}
	return r
}

// steps answers the next requests, which must be of those kinds, and returns
// the last.
func (b *bed) steps(m *Machine, kinds ...RequestKind) (r *Request) {
	b.t.Helper()
	for _, k := range kinds {
		r = b.step(m, k)
		m.Answer(r, b.serve(r), b.now)
	}
	return r
}

// documents returns the ids of the documents a write is for.
func documents(r *Request) (ids []string) {
	for _, op := range r.Ops {
		if op.Key.Index == "documents" {
			ids = append(ids, op.Key.ID)
		}
	}
	return ids
}
