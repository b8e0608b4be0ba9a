package correlate

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"dossier/correlate/commit"
	"dossier/correlate/event"
	"dossier/correlate/law"
	"dossier/correlate/state"
)

// ModelOptions configures the Model of a Committer.
type ModelOptions struct {
	Renderer Renderer
	Indices  Indices
	// Activity says whether attackers leave their key figures for the hourly
	// activity.
	Activity bool
	// Transitions says whether transitions are written.
	Transitions bool
	// Rank returns what decides which keys full lists keep. All writers of a
	// prefix must have the same, from the first fold on.
	//
	// If Rank is nil, the zero Rank will be used: for tests.
	Rank func() law.Rank
	// Now is the clock for what is rendered.
	//
	// If Now is nil, the default of time.Now will be used.
	Now func() time.Time
}

// NewModel returns the Model that folds and renders all of Dossier's
// documents.
func NewModel(o ModelOptions) commit.Model {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Rank == nil {
		o.Rank = func() law.Rank { return law.Rank{} }
	}
	return &model{o: o}
}

// model folds one document at a time; its states are reused from one to the
// next.
type model struct {
	o        ModelOptions
	attacker attackerFold
	target   targetFold
	hour     hourFold
	thing    indicatorFold
	summary  []byte // memory to write one in
	turn     uint64 // the fold at work
}

// learned is what the fold of an attacker leaves in its deltas for the documents
// that depend on it. What it opens waits for it (commit.Part.Led); where it is
// rejected, and in the replay of a dead letter, it opens all that it names. An
// activity document doesn't wait: it costs it a figure.
type learned struct {
	events  int64
	summary string
	crowd   state.Crowd
	things  state.Crowd
}

// tell gives a document how the attacker stands, where that was worked out.
func (l *learned) tell(summary *law.Latest) {
	if l != nil && l.summary != "" {
		summary.Add(event.Time(l.events), l.summary)
	}
}

// Fold implements commit.Model.
func (m *model) Fold(key commit.Key, class commit.Class, payload []byte, in []commit.Contribution) (commit.Folded, error) {
	m.turn++
	switch class {
	case ClassAttacker:
		return m.foldAttacker(key, payload, in)
	case ClassTarget:
		return m.foldTarget(key, payload, in)
	case ClassActivity:
		return m.foldHour(key, payload, in)
	case ClassIndicator:
		return m.foldIndicator(payload, in)
	}
	return nil, fmt.Errorf("correlate: no documents of class %d", class)
}

// load makes s the stored state, the empty one of a document that doesn't exist.
func (m *model) load(s interface {
	By(r law.Rank)
	Reset()
	Decode(payload []byte) error
}, payload []byte,
) error {
	s.By(m.o.Rank())
	if payload == nil {
		s.Reset()
		return nil
	}
	return s.Decode(payload)
}

// crowded sets the crowd where a chunk takes the count from before over what opens
// documents without asking.
func crowded(crowd *state.Crowd, before, after, most int64, chunk commit.ChunkID) {
	if before <= most && after > most {
		*crowd = state.Crowd{Share: float64(most) / float64(after), Chunk: chunk}
	}
}

// attackerFold is an attacker's next state.
type attackerFold struct {
	m       *model
	s       state.Attacker
	head    Head
	reached []state.Transition
	effects []commit.Effect
	body    []byte // of the effects
}

func (m *model) foldAttacker(key commit.Key, payload []byte, in []commit.Contribution) (commit.Folded, error) {
	f := &m.attacker
	f.m, f.head, f.reached, f.effects, f.body = m, Head{}, f.reached[:0], f.effects[:0], f.body[:0]
	if err := m.load(&f.s, payload); err != nil {
		return nil, err
	}
	var prefix netip.Prefix
	for i := range in {
		d, ok := in[i].Delta.(*attackerDelta)
		if !ok {
			return nil, fmt.Errorf("correlate: %T is no attacker's delta", in[i].Delta)
		}
		prefix = d.prefix
		if in[i].Applied {
			continue
		}
		before, things := f.s.Domains.Count(), f.s.IndicatorCount.Count()
		f.s.Fold(d.arena, d.sensor, !d.prefix.IsSingleIP(), d.all(m.turn))
		crowded(&f.s.Crowd, before, f.s.Domains.Count(), state.MaxTargets, in[i].Chunk)
		crowded(&f.s.IndicatorCrowd, things, f.s.IndicatorCount.Count(), state.MaxIndicators, in[i].Chunk)
	}
	f.head = head(prefix, key.ID, m.o.Now())
	if m.o.Transitions {
		f.cross(in)
	}
	l := &learned{events: f.s.Total(), crowd: f.s.Crowd, things: f.s.IndicatorCrowd}
	if m.o.Activity || f.s.Domains.Count() > 0 {
		m.summary = m.o.Renderer.AppendSummary(m.summary[:0], f.head, &f.s)
		l.summary = string(m.summary)
	}
	for i := range in {
		in[i].Delta.(*attackerDelta).learned = l
	}
	return f, nil
}

// cross notes the lines crossed for the first time and makes a document of
// each that one of the chunks crossed, now or when it was applied.
func (f *attackerFold) cross(in []commit.Contribution) {
	// Of the chunks folded together any may stand for a line: the one that is
	// redelivered writes it again. One that is in the state already crosses
	// nothing now.
	if i := slices.IndexFunc(in, func(c commit.Contribution) bool { return !c.Applied }); i >= 0 {
		f.reached = f.m.o.Renderer.Transitions(f.reached, f.head, &f.s)
		first := in[i].Delta.(*attackerDelta).first
		for n := range f.reached {
			t := &f.reached[n]
			t.Chunk, t.Stray = in[i].Chunk, stray(t.Time, first)
		}
		f.s.Cross(f.reached)
	}
	for _, t := range f.s.Transitions {
		if !slices.ContainsFunc(in, func(c commit.Contribution) bool { return c.Chunk == t.Chunk && !c.Complete }) {
			continue
		}
		from := len(f.body)
		f.body = f.m.o.Renderer.AppendTransition(f.body, f.head, t, &f.s)
		f.effects = append(f.effects, commit.Effect{
			Key:  commit.Key{Index: f.m.o.Indices.Transitions(t.Time, t.Stray), ID: f.head.ID + "|" + t.Action + "|" + t.Value},
			Body: f.body[from:],
		})
	}
}

func (f *attackerFold) AppendState(dst []byte) []byte { return f.s.Append(dst) }

func (f *attackerFold) AppendDocument(dst, st []byte) []byte {
	f.head.State = st
	return f.m.o.Renderer.AppendAttacker(dst, f.head, &f.s)
}

func (f *attackerFold) Effects() []commit.Effect { return f.effects }

// attackerOf returns the id of the attacker whose hour or mail domain the
// document is about: what stands before its name.
func attackerOf(k commit.Key) string {
	id, _, _ := strings.Cut(k.ID, "|")
	return id
}

// head describes the attacker of a document.
func head(p netip.Prefix, id string, now time.Time) Head {
	h := Head{Addr: p.Addr(), ID: id, Now: now}
	if !p.IsSingleIP() {
		h.Network = p
	}
	return h
}

// targetFold is a mail domain's next state.
type targetFold struct {
	m      *model
	s      state.Target
	head   Head
	domain string
}

func (m *model) foldTarget(key commit.Key, payload []byte, in []commit.Contribution) (commit.Folded, error) {
	f := &m.target
	f.m, f.head, f.domain = m, Head{}, ""
	if err := m.load(&f.s, payload); err != nil {
		return nil, err
	}
	opened := payload != nil
	address := attackerOf(key)
	var prefix netip.Prefix
	for i := range in {
		d, ok := in[i].Delta.(*targetDelta)
		if !ok {
			return nil, fmt.Errorf("correlate: %T is no target's delta", in[i].Delta)
		}
		prefix, f.domain = d.attacker.prefix, d.domain
		d.attacker.learned.tell(&f.s.Summary)
		if in[i].Applied {
			continue
		}
		if !opened && !d.attacker.knows().crowd.Opens(m.o.Rank(), d.domain, in[i].Chunk) {
			continue
		}
		opened = true
		f.s.Fold(d.attacker.sensor, d.domain, d.all(m.turn))
	}
	f.head = head(prefix, address, m.o.Now())
	if !opened {
		return nil, commit.ErrNotOpened
	}
	return f, nil
}

func (f *targetFold) AppendState(dst []byte) []byte { return f.s.Append(dst) }

func (f *targetFold) AppendDocument(dst, st []byte) []byte {
	f.head.State = st
	return f.m.o.Renderer.AppendTarget(dst, f.head, f.domain, &f.s)
}

func (f *targetFold) Effects() []commit.Effect { return nil }

// indicatorFold is an indicator's next state.
type indicatorFold struct {
	m           *model
	s           state.Indicator
	head        Head
	kind, value string
}

func (m *model) foldIndicator(payload []byte, in []commit.Contribution) (commit.Folded, error) {
	f := &m.thing
	f.m, f.head = m, Head{Now: m.o.Now()}
	if err := m.load(&f.s, payload); err != nil {
		return nil, err
	}
	opened := payload != nil
	for i := range in {
		d, ok := in[i].Delta.(*indicatorDelta)
		if !ok {
			return nil, fmt.Errorf("correlate: %T is no indicator's delta", in[i].Delta)
		}
		f.kind, f.value = d.kind, d.value
		for j := range d.uses {
			u := &d.uses[j]
			// One attacker's rule holds for what he names, whoever else does.
			if in[i].Applied || !opened && !u.attacker.knows().things.Opens(m.o.Rank(), d.value, in[i].Chunk) {
				continue
			}
			opened = true
			f.s.Fold(u.attacker.sensor, u.id, u.use, u.seen(m.turn))
		}
	}
	if !opened {
		return nil, commit.ErrNotOpened
	}
	return f, nil
}

func (f *indicatorFold) AppendState(dst []byte) []byte { return f.s.Append(dst) }

func (f *indicatorFold) AppendDocument(dst, st []byte) []byte {
	f.head.State = st
	return f.m.o.Renderer.AppendIndicator(dst, f.head, f.kind, f.value, &f.s)
}

func (f *indicatorFold) Effects() []commit.Effect { return nil }

// hourFold is the next state of an attacker's hour.
type hourFold struct {
	m    *model
	s    state.Activity
	head Head
	hour event.Time
}

func (m *model) foldHour(key commit.Key, payload []byte, in []commit.Contribution) (commit.Folded, error) {
	f := &m.hour
	f.m, f.head, f.hour = m, Head{}, event.Never
	if err := m.load(&f.s, payload); err != nil {
		return nil, err
	}
	var prefix netip.Prefix
	for i := range in {
		d, ok := in[i].Delta.(*hourDelta)
		if !ok {
			return nil, fmt.Errorf("correlate: %T is no hour's delta", in[i].Delta)
		}
		prefix, f.hour = d.attacker.prefix, d.key.hour
		d.attacker.learned.tell(&f.s.Summary)
		if !in[i].Applied {
			f.s.Fold(d.attacker.arena, d.attacker.sensor, d.all(m.turn))
		}
	}
	f.head = head(prefix, attackerOf(key), m.o.Now())
	return f, nil
}

func (f *hourFold) AppendState(dst []byte) []byte { return f.s.Append(dst) }

func (f *hourFold) AppendDocument(dst, st []byte) []byte {
	f.head.State = st
	return f.m.o.Renderer.AppendActivity(dst, f.head, f.hour, &f.s)
}

func (f *hourFold) Effects() []commit.Effect { return nil }
