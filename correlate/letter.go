package correlate

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/netip"

	"dossier/correlate/commit"
	"dossier/correlate/event"
)

// letterDelta is a delta as it stands in a dead letter.
type letterDelta struct {
	Sensor string       `json:"sensor,omitempty"`
	Source netip.Prefix `json:"source"`
	Domain string       `json:"domain,omitempty"`
	// First is the time of the chunk's first record. Letters of the first
	// version have none.
	First *event.Time `json:"first,omitempty"`
	Hour  event.Time  `json:"hour,omitempty"`
	// Kind and Value are an indicator's; its events say whose they are and how
	// each uses it.
	Kind   string        `json:"kind,omitempty"`
	Value  string        `json:"value,omitempty"`
	Events []letterEvent `json:"events"`
}

// letterEvent is an event as it stands in a dead letter: what the dialect
// read, so neither secrets that may not be shown nor local parts.
type letterEvent struct {
	Time    event.Time  `json:"time"`
	Addr    netip.Addr  `json:"address"`
	Decky   string      `json:"decky,omitempty"`
	Service string      `json:"service,omitempty"`
	Type    string      `json:"type"`
	Kind    event.Kind  `json:"kind"`
	Role    event.Role  `json:"role,omitempty"`
	Phase   event.Phase `json:"phase,omitempty"`
	// Handshake stands for Proof in letters of earlier versions.
	Handshake bool             `json:"handshake,omitempty"`
	Proof     string           `json:"proof,omitempty"`
	Port      uint16           `json:"port,omitempty"`
	Transport string           `json:"transport,omitempty"`
	Large     bool             `json:"large,omitempty"`
	Stray     bool             `json:"stray,omitempty"`
	Naming    event.Naming     `json:"naming,omitempty"`
	Session   uint64           `json:"session,omitempty"`
	Source    *netip.Prefix    `json:"source,omitempty"`
	Use       string           `json:"use,omitempty"`
	Evidence  []letterEvidence `json:"evidence,omitempty"`
}

// proof returns how the event's address is known.
func (e *letterEvent) proof() event.Proof {
	if e.Proof == "" && e.Handshake {
		return event.ByConnection
	}
	return event.ProofNamed(e.Proof)
}

type letterEvidence struct {
	Kind    event.EvidenceKind `json:"kind"`
	Outcome event.Outcome      `json:"outcome,omitempty"`
	N       int64              `json:"n,omitempty"`
	M       int64              `json:"m,omitempty"`
	A       string             `json:"a,omitempty"`
	B       string             `json:"b,omitempty"`
	C       string             `json:"c,omitempty"`
	Digest  string             `json:"sha256,omitempty"`
	Payload []event.Field      `json:"payload,omitempty"`
}

// EncodeDelta returns the delta of a dead letter as JSON.
func EncodeDelta(delta any) (json.RawMessage, error) {
	var l letterDelta
	var events []*event.Event
	// A fold may be reading meanwhile.
	own := new(recollection)
	switch d := delta.(type) {
	case *attackerDelta:
		l, events = letterDelta{Sensor: d.sensor, Source: d.prefix, First: &d.first}, d.by(own).all(0)
	case *targetDelta:
		d = &targetDelta{attacker: d.attacker.by(own), domain: d.domain, events: d.events}
		l, events = letterDelta{Sensor: d.attacker.sensor, Source: d.attacker.prefix, Domain: d.domain}, d.all(0)
	case *hourDelta:
		d = &hourDelta{attacker: d.attacker.by(own), key: d.key, events: d.events}
		l, events = letterDelta{Sensor: d.attacker.sensor, Source: d.attacker.prefix, Hour: d.key.hour}, d.all(0)
	case *indicatorDelta:
		l = letterDelta{Kind: d.kind, Value: d.value}
		for i := range d.uses {
			u := d.uses[i]
			u.attacker = u.attacker.by(own)
			l.Sensor, l.Source, events = u.attacker.sensor, u.attacker.prefix, append(events, u.seen(0))
		}
	default:
		return nil, fmt.Errorf("correlate: %T is no delta", delta)
	}
	l.Events = make([]letterEvent, len(events))
	for i, ev := range events {
		l.Events[i] = letterEvent{
			Time: ev.Time, Addr: ev.Addr, Decky: ev.Decky, Service: ev.Service, Type: ev.Type, Kind: ev.Kind, Role: ev.Role,
			Phase: ev.Phase, Proof: ev.Proof.String(), Port: ev.Port, Transport: ev.Transport.String(), Large: ev.Large, Stray: ev.Stray,
			Naming: ev.Naming, Session: ev.Session,
			Evidence: make([]letterEvidence, len(ev.Evidence)),
		}
		for j := range ev.Evidence {
			e := &ev.Evidence[j]
			le := letterEvidence{Kind: e.Kind, Outcome: e.Outcome, N: e.N, M: e.M, A: e.A, B: e.B, C: e.C, Payload: e.Payload}
			if e.Digest != ([32]byte{}) {
				le.Digest = hex.EncodeToString(e.Digest[:])
			}
			l.Events[i].Evidence[j] = le
		}
	}
	if d, ok := delta.(*indicatorDelta); ok {
		for i := range d.uses {
			// What the events show beside is in the attackers' documents.
			l.Events[i].Source, l.Events[i].Use, l.Events[i].Evidence = &d.uses[i].attacker.prefix, d.uses[i].use, nil
		}
	}
	return json.Marshal(l)
}

// DecodeDelta reads what EncodeDelta returned for a document of that class.
func DecodeDelta(class commit.Class, raw json.RawMessage) (any, error) {
	return new(Letters).Decode(class, raw)
}

// Letters reads dead letters one after the other: what depends on an attacker
// whose letter came just before learns of its fold. The zero value has read
// none.
type Letters struct{ attacker *attackerDelta }

// Decode reads what EncodeDelta returned for a document of that class.
func (r *Letters) Decode(class commit.Class, raw json.RawMessage) (any, error) {
	var l letterDelta
	if err := json.Unmarshal(raw, &l); err != nil {
		return nil, fmt.Errorf("correlate: a dead letter's events: %w", err)
	}
	if !l.Source.IsValid() {
		return nil, fmt.Errorf("correlate: a dead letter's events name no source")
	}
	events := make([]*event.Event, len(l.Events))
	for i := range l.Events {
		le := &l.Events[i]
		ev := &event.Event{
			Time: le.Time, Addr: le.Addr, Decky: le.Decky, Service: le.Service, Type: le.Type, Kind: min(le.Kind, event.Interaction),
			Role: le.Role, Phase: le.Phase, Proof: le.proof(), Port: le.Port, Transport: event.TransportNamed(le.Transport), Large: le.Large, Stray: le.Stray,
			Naming: min(le.Naming, event.Guessed), Session: le.Session,
			Evidence: make([]event.Evidence, len(le.Evidence)),
		}
		for j := range le.Evidence {
			e := &le.Evidence[j]
			ev.Evidence[j] = event.Evidence{Kind: e.Kind, Outcome: min(e.Outcome, event.Success), N: e.N, M: e.M, A: e.A, B: e.B, C: e.C, Payload: e.Payload}
			if e.Digest != "" {
				b, err := hex.DecodeString(e.Digest)
				if err != nil || len(b) != 32 {
					return nil, fmt.Errorf("correlate: a dead letter's digest %q is no SHA-256", e.Digest)
				}
				copy(ev.Evidence[j].Digest[:], b)
			}
		}
		events[i] = ev
	}
	if class == ClassIndicator {
		return decodeUses(&l, events)
	}
	d := &attackerDelta{arena: new(event.Arena), sensor: l.Sensor, prefix: l.Source, events: events}
	if l.First != nil {
		d.first = *l.First
	} else {
		for _, ev := range events {
			if !ev.Stray {
				d.first = max(d.first, ev.Time)
			}
		}
	}
	if last := r.attacker; class != ClassAttacker && last != nil && last.prefix == d.prefix && last.sensor == d.sensor {
		d = last
	}
	switch class {
	case ClassAttacker:
		r.attacker = d
		return d, nil
	case ClassTarget:
		return &targetDelta{attacker: d, domain: l.Domain, events: events}, nil
	case ClassActivity:
		return &hourDelta{attacker: d, key: hourKey{hour: l.Hour}, events: events}, nil
	}
	return nil, fmt.Errorf("correlate: no documents of class %d", class)
}

// decodeUses makes the delta of an indicator: each event with its attacker.
func decodeUses(l *letterDelta, events []*event.Event) (any, error) {
	d := &indicatorDelta{kind: l.Kind, value: l.Value}
	attackers := map[netip.Prefix]*attackerDelta{}
	for i, ev := range events {
		source := l.Events[i].Source
		if source == nil || !source.IsValid() {
			return nil, fmt.Errorf("correlate: a dead letter's event names no source")
		}
		a := attackers[*source]
		if a == nil {
			a = &attackerDelta{arena: new(event.Arena), sensor: l.Sensor, prefix: *source}
			attackers[*source] = a
		}
		d.uses = append(d.uses, use{attacker: a, id: idOf(*source), use: l.Events[i].Use, event: ev})
	}
	return d, nil
}

// idOf returns the id of the attacker with that address or network.
func idOf(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}
