package commit

import "strings"

// IncidentKind tells incidents apart.
type IncidentKind string

// The incidents.
const (
	// Unreachable: a request failed or a document was refused for now.
	Unreachable IncidentKind = "unreachable"
	// Unreadable: a stored state is corrupt or missing; its document is left
	// alone, what was to be added goes to the dead letters.
	Unreadable IncidentKind = "unreadable"
	// Newer: a newer major version wrote a document; it is left alone, and its
	// chunks wait.
	Newer IncidentKind = "newer"
	// Panicked: the Model broke down, or the protocol itself.
	Panicked IncidentKind = "panic"
	// Buried: a contribution went to the dead letters.
	Buried IncidentKind = "buried"
	// NotBuried: the dead letters could not be written.
	NotBuried IncidentKind = "not_buried"
	// Full: a document holds as many chunk ids as it may.
	Full IncidentKind = "full"
	// AtRisk: an id aged out without a marker.
	AtRisk IncidentKind = "exactness_at_risk"
	// EffectLost: a document to be created once was rejected.
	EffectLost IncidentKind = "effect_rejected"
)

// Incident is something an operator should know.
type Incident struct {
	Kind   IncidentKind
	Key    Key // the document, where it is about one: the first of Count
	Reason string
	Err    error
	Stack  []byte // with Panicked
	// Count is how often it happened since it was told last. Those of one
	// kind, index and cause are one incident, whatever documents they are
	// about.
	Count int64
}

// maxIncidents bounds the incidents that wait to be told. Beyond, those of one
// kind are one, whatever their cause.
const maxIncidents = 64

// incidentKey tells causes apart: what Elasticsearch says is a type, a colon
// and text that may hold figures.
type incidentKey struct {
	kind         IncidentKind
	index, cause string
}

// incidents collects what is to be told.
type incidents struct {
	all []Incident
	by  map[incidentKey]int
}

func (s *incidents) add(in Incident) {
	k := incidentKey{kind: in.Kind, index: in.Key.Index, cause: in.Reason}
	if in.Err == nil {
		k.cause, _, _ = strings.Cut(in.Reason, ":")
	}
	in.Count = max(in.Count, 1)
	i, known := s.by[k]
	if weakened("an incident for each document") {
		i, known = 0, false
	}
	if !known && len(s.all) >= maxIncidents {
		k = incidentKey{kind: in.Kind}
		i, known = s.by[k]
	}
	if known {
		s.all[i].Count += in.Count
		return
	}
	if s.by == nil {
		s.by = map[incidentKey]int{}
	}
	s.by[k] = len(s.all)
	s.all = append(s.all, in)
}

// take returns what there is and forgets it.
func (s *incidents) take() []Incident {
	all := s.all
	s.all, s.by = nil, nil
	return all
}

// report collects an incident until Incidents.
func (m *Machine) report(in Incident) { m.incidents.add(in) }

// Incidents returns what operators must know since the last call, in the order
// in which it happened first.
func (m *Machine) Incidents() []Incident { return m.incidents.take() }
