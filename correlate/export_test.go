package correlate

import (
	"fmt"
	"strings"

	"dossier/correlate/event"
	"dossier/correlate/state"
)

// Core is the part of a flush that is computing alone, for benchmarks: one
// chunk from its bytes to the states of its attackers.
type Core struct {
	engine *Engine
	work   *work
	state  state.Attacker
}

// NewCore returns the core of an engine without a committer.
func NewCore(o Options) *Core {
	if o.IPv6Prefix == 0 {
		o.IPv6Prefix = 128
	}
	return &Core{engine: &Engine{o: o}, work: newWork()}
}

func newWork() *work { return &work{reading: newReading()} }

// Counts is what Read or Fold went through.
type Counts struct{ Records, Events, Attackers int }

// Read decodes, parses and groups.
func (c *Core) Read(data []byte) (Counts, error) {
	w := c.work
	w.reset()
	records := c.engine.o.Decode(&w.arena, data)
	var seen Stats
	for from := 0; records.Next(); from = records.Offset() {
		r := records.Record()
		c.engine.read(w, &r, place{from: uint32(from), to: uint32(records.Offset())}, &seen)
	}
	c.engine.settle(w, &seen)
	w.attackers(&c.engine.o)
	return Counts{w.records, len(w.events), len(w.groups.all)}, records.Err()
}

// Fold does what Read does, and folds each attacker's events into a state. The
// state is new, or the one that stored has for its id; with visit it is
// handed on.
func (c *Core) Fold(data []byte, stored map[string][]byte, visit func(h Head, s *state.Attacker)) (Counts, error) {
	n, err := c.Read(data)
	if err != nil {
		return n, err
	}
	for i := range c.work.deltas {
		d := &c.work.deltas[i]
		c.state.Reset()
		address := ""
		if stored != nil || visit != nil {
			address = strings.Clone(c.work.id(d.prefix))
		}
		if b := stored[address]; b != nil {
			if err := c.state.Decode(b); err != nil {
				return n, fmt.Errorf("%s: %w", address, err)
			}
		}
		c.state.Fold(d.arena, d.sensor, !d.prefix.IsSingleIP(), d.events)
		if visit != nil {
			visit(head(d.prefix, address, event.Time(1_800_000_000e6).Time()), &c.state)
		}
	}
	return n, nil
}

// KeepWhole has chunks keep their events while so many are under way; never where it
// is negative.
func KeepWhole(o *Options, chunks int) { o.keptWhole = chunks }
