package commit

import (
	"cmp"
	"container/list"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"time"
	"unsafe"
)

// canon writes down a state of the exploration so that two states that can't
// be told apart by what may follow are written alike: times count from now and
// what is due is due, pointers and tokens by the order in which they are met,
// and what is unordered comes sorted. Left out are counters for operators, the
// seed of pauses, memory that is written before it is read, and when something
// was applied, which matters after weeks only.
type canon struct {
	b        []byte
	now      time.Time
	pointers map[unsafe.Pointer]uint64
	// rounds are those of the tasks at work; any other is over.
	rounds [laneCount]uint64
	// tokens has every token of compare-and-set met so far: they are only ever
	// compared for being the same. exact: they are told as they are, since one
	// that is over may be given out again.
	tokens map[versionOf]uint64
	index  string // whose tokens are being told
	exact  bool
	// folding: a fold is under way in the machine that is being told.
	folding bool
}

// versionOf is the token of an index: another's of the same number is another.
type versionOf struct {
	index string
	v     Version
}

// state writes down what tell tells.
func (c *canon) state(now time.Time, tell func()) []byte {
	c.b, c.now = c.b[:0], now
	if c.pointers == nil {
		c.pointers, c.tokens = map[unsafe.Pointer]uint64{}, map[versionOf]uint64{}
	}
	clear(c.pointers)
	clear(c.tokens)
	tell()
	return c.b
}

func (c *canon) int(n uint64)    { c.b = binary.AppendUvarint(c.b, n) }
func (c *canon) bytes(b []byte)  { c.int(uint64(len(b))); c.b = append(c.b, b...) }
func (c *canon) string(s string) { c.int(uint64(len(s))); c.b = append(c.b, s...) }
func (c *canon) bool(v bool) {
	if v {
		c.int(1)
	} else {
		c.int(0)
	}
}

func (c *canon) token(v Version) {
	if v == (Version{}) {
		c.int(0)
		return
	}
	if c.exact {
		c.int(uint64(v.PrimaryTerm))
		c.int(uint64(v.SeqNo))
		return
	}
	n, known := c.tokens[versionOf{c.index, v}]
	if !known {
		n = uint64(len(c.tokens)) + 1
		c.tokens[versionOf{c.index, v}] = n
	}
	c.int(n)
}

// applied writes down which chunks a state holds, without when it got them.
func (c *canon) applied(ids []applied) {
	c.int(uint64(len(ids)))
	ids = slices.Clone(ids)
	slices.SortFunc(ids, func(a, b applied) int { return slices.Compare(a.id[:], b.id[:]) })
	for _, a := range ids {
		c.b = append(c.b, a.id[:]...)
		c.bool(a.complete)
	}
}

// encoded writes down an encoded state.
func (c *canon) encoded(state []byte) {
	env, err := decodeEnvelope(state)
	if err != nil {
		c.bytes(state)
		return
	}
	c.applied(env.applied)
	c.bytes(env.payload)
}

// body writes down a document: of a marker only what it excepts, since it also
// tells when it was written.
func (c *canon) body(body []byte) {
	switch {
	case len(body) == 0:
		c.int(0)
	case body[0] == '{':
		c.bytes(stateOf(body))
	default:
		c.b = append(c.b, body[0])
		c.encoded(body[1:])
	}
}

func (c *canon) machine(m *Machine) {
	c.rounds = [laneCount]uint64{}
	for l, t := range m.lanes.busy {
		if t != nil {
			c.rounds[l] = t.round
		}
	}
	c.folding = m.foldsFor != nil
	c.value(reflect.ValueOf(m))
}

func (c *canon) round(n uint64) {
	for l, at := range c.rounds {
		if at == n && n != 0 {
			c.int(uint64(l) + 1)
			return
		}
	}
	c.int(0)
}

var (
	typeTime    = reflect.TypeFor[time.Time]()
	typeVersion = reflect.TypeFor[Version]()
	typeOp      = reflect.TypeFor[Op]()
	typeApplied = reflect.TypeFor[[]applied]()
	typeElement = reflect.TypeFor[list.Element]()

	typeDocuments = reflect.TypeFor[[]*document]()
	// skipped are the types that hold nothing of what may follow.
	skipped = map[reflect.Type]bool{
		reflect.TypeFor[*rand.Rand](): true, reflect.TypeFor[Stats](): true, reflect.TypeFor[incidents](): true,
		reflect.TypeFor[MachineOptions](): true, reflect.TypeFor[Model](): true, reflect.TypeFor[*block](): true,
	}
	// skippedFields are memory that is written before it is read, and counts of
	// rounds, of which the tasks at work have the ones that matter.
	skippedFields = map[string]bool{
		"folding.state": true, "folding.encoded": true, "Machine.rounds": true, "Machine.now": true, "Machine.turn": true,
		"chunk.done": true, "attempt.answer": true,
		// What is asked by those who bring chunks, which the scopes don't.
		"gates.stuck": true,
		// The order in which something is forgotten that is never forgotten here.
		"ledger.order": true, "ledger.next": true, "cache.order": true,
	}
	roundFields = map[string]bool{"lookup.asked": true, "lookup.answered": true, "task.round": true}
)

// peek makes a field readable that its package keeps to itself.
func peek(v reflect.Value) reflect.Value {
	if v.CanAddr() {
		return reflect.NewAt(v.Type(), unsafe.Pointer(v.UnsafeAddr())).Elem()
	}
	return v
}

// pointerTo returns a pointer to a struct of this package that can be addressed.
func pointerTo(v reflect.Value) any {
	if !v.CanAddr() {
		return nil
	}
	return reflect.NewAt(v.Type(), unsafe.Pointer(v.UnsafeAddr())).Interface()
}

func as[T any](v reflect.Value) T {
	if v.CanAddr() {
		return *(*T)(unsafe.Pointer(v.UnsafeAddr()))
	}
	return v.Interface().(T)
}

// value writes down anything a machine holds. A kind that isn't known is a
// failure: a field that is left out would make states alike that are not.
func (c *canon) value(v reflect.Value) {
	t := v.Type()
	if skipped[t] {
		return
	}
	switch t {
	case typeTime:
		at := as[time.Time](v)
		if at.IsZero() {
			c.int(0)
		} else {
			c.b = binary.AppendVarint(append(c.b, 1), int64(max(at.Sub(c.now), 0)))
		}
		return
	case typeElement:
		// An entry of the cache; the list around it is but its age.
		e := as[list.Element](v).Value.(*cacheEntry)
		c.index = e.key.Index
		c.encoded(e.state)
		c.token(e.version)
		c.int(e.complete)
		return
	case typeDocuments:
		// All of those that are ready or delayed are taken, in the order of their ids.
		docs := slices.Clone(as[[]*document](v))
		slices.SortFunc(docs, func(a, b *document) int {
			return cmp.Or(cmp.Compare(a.key.ID, b.key.ID), cmp.Compare(a.key.Index, b.key.Index))
		})
		c.int(uint64(len(docs)))
		for _, d := range docs {
			c.pointer(reflect.ValueOf(d))
		}
		return
	case typeVersion:
		c.token(as[Version](v))
		return
	case typeOp:
		op := as[Op](v)
		c.op(&op)
		return
	case typeApplied:
		c.applied(as[[]applied](v))
		return
	}
	switch t.Kind() {
	case reflect.Bool:
		c.bool(v.Bool())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		c.b = binary.AppendVarint(c.b, v.Int())
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		c.int(v.Uint())
	case reflect.String:
		c.string(v.String())
	case reflect.Func:
		c.bool(!v.IsNil())
	case reflect.Pointer:
		c.pointer(v)
	case reflect.Interface:
		if v.IsNil() {
			c.int(0)
			return
		}
		e := v.Elem()
		c.string(e.Type().String())
		if err, ok := reflect.TypeAssert[error](e); ok {
			c.string(err.Error())
			return
		}
		c.value(e)
	case reflect.Slice:
		c.int(uint64(v.Len()))
		if t.Elem().Kind() == reflect.Uint8 {
			c.b = append(c.b, as[[]byte](v)...)
			return
		}
		fallthrough
	case reflect.Array:
		for i := range v.Len() {
			c.value(v.Index(i))
		}
	case reflect.Map:
		c.mapping(v)
	case reflect.Struct:
		index := c.index
		switch x := pointerTo(v).(type) {
		case *document:
			index = x.key.Index
		case *attempt:
			if index = x.doc.key.Index; !x.current() {
				c.int(0) // nothing follows from it any more
				return
			}
		case *folded:
			index = x.key.Index
		case *marker:
			index = "ledger"
		}
		for i := range t.NumField() {
			c.index = index
			name := t.Name() + "." + t.Field(i).Name
			switch f := v.Field(i); {
			case skippedFields[name]:
			case name == "Machine.folding" && !c.folding:
			case name == "markers.since":
				// It is due so long after; until then the time that passed matters.
				late := max(as[time.Time](peek(f)).Sub(c.now), -time.Second)
				c.b = binary.AppendVarint(c.b, int64(late))
			case roundFields[name]:
				c.round(f.Uint())
			default:
				c.value(peek(f))
			}
		}
	default:
		panic(fmt.Sprintf("a %s can't be written down", t))
	}
}

func (c *canon) pointer(v reflect.Value) {
	if v.IsNil() {
		c.int(0)
		return
	}
	p := v.UnsafePointer()
	n, known := c.pointers[p]
	if !known {
		n = uint64(len(c.pointers)) + 1
		c.pointers[p] = n
	}
	c.int(n)
	if !known {
		c.value(v.Elem())
	}
}

// mapping writes down a map in the order of its keys, which are texts or chunk
// ids.
func (c *canon) mapping(v reflect.Value) {
	keys := v.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int { return cmp.Compare(fmt.Sprint(keyOf(a)), fmt.Sprint(keyOf(b))) })
	c.int(uint64(len(keys)))
	for _, k := range keys {
		c.string(keyOf(k))
		c.value(v.MapIndex(k))
	}
}

func keyOf(k reflect.Value) string {
	switch k := k.Interface().(type) {
	case Key:
		return k.Index + "\x00" + k.ID
	case ChunkID:
		return string(k[:])
	default:
		return fmt.Sprint(k)
	}
}

func (c *canon) op(op *Op) {
	c.index = op.Key.Index
	c.int(uint64(op.Kind))
	c.string(op.Key.Index)
	c.string(op.Key.ID)
	c.token(op.Version)
	c.body(op.Body)
}

// request writes down a request on its way, and its answer.
func (c *canon) request(r *onWire) {
	c.value(reflect.ValueOf(r.r))
	c.bool(r.served)
	for i := range r.answer.Stored {
		s := &r.answer.Stored[i]
		c.index = r.r.Keys[i].Index
		c.bool(s.Exists)
		c.bool(s.Err != nil)
		c.token(s.Version)
		c.encoded(s.State)
	}
	for i := range r.answer.Written {
		w := &r.answer.Written[i]
		c.index = r.r.Ops[i].Key.Index
		c.int(uint64(w.Status))
		c.token(w.Version)
	}
}

// newStillRand draws nothing: pauses have one length and no order changes.
func newStillRand() *rand.Rand { return rand.New(still{}) }
