package rules

import (
	"cmp"
	"crypto/sha256"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"dossier/correlate/event"
)

// event returns what a decoy sees of the example, where its rule holds for c.
func (e Example) event(c channel) event.Event {
	ev := event.Event{Addr: netip.MustParseAddr("198.51.100.1"), Service: e.Service, Type: e.Type, Kind: event.Scan}
	if e.Internal {
		ev.Addr = netip.MustParseAddr("10.0.0.1")
	}
	if ev.Service == "" {
		ev.Service = map[channel]string{
			shellChannel: "", sqlChannel: "mysql", redisChannel: "redis", mongoChannel: "mongodb", elasticChannel: "elasticsearch", httpChannel: "http",
			dockerChannel: "docker_api", kubernetesChannel: "k8s", ftpChannel: "ftp", fileChannel: "smb", sipChannel: "sip", icsChannel: "modbus",
		}[c]
	}
	add := func(v event.Evidence) { ev.Evidence = append(ev.Evidence, v) }
	outcome := map[string]event.Outcome{"success": event.Success, "failure": event.Failure}[e.Outcome]
	if e.Request != "" {
		method, path, _ := strings.Cut(e.Request, " ")
		add(event.Evidence{Kind: event.Said, B: event.SaidRequest, A: path, C: method})
	}
	for _, name := range slices.Sorted(maps.Keys(e.Headers)) {
		add(event.Evidence{Kind: event.Said, B: event.SaidHeader, A: e.Headers[name], C: name})
	}
	if e.Body != "" {
		add(event.Evidence{Kind: event.Said, B: event.SaidBody, A: e.Body})
	}
	switch {
	case e.User != "" || c == loginChannel:
		v := event.Evidence{Kind: event.Login, A: e.User, B: "plaintext", C: e.Secret, Outcome: outcome, Digest: sha256.Sum256([]byte(e.Secret))}
		if e.Kind != "" {
			v.B = e.Kind
		}
		add(v)
	case c == artifactChannel:
		add(event.Evidence{Kind: event.Artifact, C: e.Kind, B: e.Text})
	case c == recipientChannel:
		add(event.Evidence{Kind: event.Recipient, A: "example.org", Outcome: outcome})
	case c == messageChannel:
		add(event.Evidence{Kind: event.Message, A: "example.org"})
	case c == alertChannel:
		add(event.Evidence{Kind: event.Alert, A: e.Text})
	case c == fileChannel:
		add(event.Evidence{Kind: event.Said, B: event.SaidText, A: e.Text})
	case e.Kind != "":
		add(event.Evidence{Kind: event.Fingerprint, A: e.Kind, B: e.Text})
	case e.Text != "":
		add(event.Evidence{Kind: event.Command, A: e.Text})
	}
	return ev
}

// String says what the example is, in a line.
func (e Example) String() string {
	var parts []string
	for _, p := range [][2]string{{"", e.Text}, {"", e.Request}, {"body ", e.Body}, {"user ", e.User}, {"secret ", e.Secret}, {"kind ", e.Kind}, {"outcome ", e.Outcome}, {"type ", e.Type}, {"service ", e.Service}} {
		if p[1] != "" {
			parts = append(parts, p[0]+p[1])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(e.Headers)) {
		parts = append(parts, name+": "+e.Headers[name])
	}
	return strings.Join(parts, ", ")
}

// alone returns a set of the one rule and the tools.
func (s *Set) alone(r *Rule) (*Set, error) {
	x, err := newIndex([]*Rule{r})
	if err != nil {
		return nil, err
	}
	return &Set{catalogue: s.catalogue, signatures: s.signatures, index: x}, nil
}

// heldOn returns the channels on which the rule of the set holds for the
// example.
func (s *Set) heldOn(r *Rule, e Example) (on []string) {
	for c := range channels {
		if !r.channels.has(c) {
			continue
		}
		ev := e.event(c)
		s.Annotate(new(event.Arena), &ev)
		if slices.ContainsFunc(ev.Evidence, func(v event.Evidence) bool {
			return v.B == r.Name && (v.Kind == event.Technique && v.A == r.Technique || r.Software != nil && v.Kind == event.Tool && v.A == r.Software.Name)
		}) {
			on = append(on, channelNames[c])
		}
	}
	return on
}

// concludes says whether the rule of the set holds for the example on any of its
// channels.
func (s *Set) concludes(r *Rule, e Example) bool { return len(s.heldOn(r, e)) > 0 }

// Trial is what a rule made of one of its examples.
type Trial struct {
	Rule, Name string
	// Example is what was tried; Fires says that the rule has to hold for it, On
	// on which channels it did.
	Example Example
	Fires   bool
	On      []string
	// Others are rules of the set that hold for it as well.
	Others []string
}

// OK says whether the rule did what its example says.
func (t Trial) OK() bool { return t.Fires == (len(t.On) > 0) }

// Try runs every example of the rules by itself against its own rule, those of
// path alone where that is not "", and tells of each. It returns the ids of
// the rules that have no example to hold for. The set must have been read with
// that path.
func (s *Set) Try(path string, told func(Trial)) (untried []string, err error) {
	tried := s.index.rules
	if path != "" {
		data, err := read(path, nil)
		if err != nil {
			return nil, err
		}
		own, err := readRules(path, data)
		if err != nil {
			return nil, err
		}
		tried = nil
		for _, r := range own {
			tried = append(tried, s.Rule(r.ID))
		}
	}
	tried = slices.SortedFunc(slices.Values(tried), func(a, b *Rule) int { return cmp.Compare(a.ID, b.ID) })
	for _, r := range tried {
		one, err := s.alone(r)
		if err != nil {
			return nil, err
		}
		if len(r.Fires) == 0 {
			untried = append(untried, r.ID)
		}
		for i, e := range slices.Concat(r.Fires, r.Quiet) {
			told(Trial{Rule: r.ID, Name: r.Name, Example: e, Fires: i < len(r.Fires), On: one.heldOn(r, e), Others: s.others(r, e)})
		}
	}
	return untried, nil
}

// others returns the other rules that hold for an example of r.
func (s *Set) others(r *Rule, e Example) []string {
	ids := map[string]bool{}
	for c := range channels {
		if !r.channels.has(c) {
			continue
		}
		ev := e.event(c)
		s.Annotate(new(event.Arena), &ev)
		for _, v := range ev.Evidence {
			if v.Kind == event.Conclusion && v.A != r.ID && s.Rule(v.A) != nil {
				ids[v.A] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(ids))
}
