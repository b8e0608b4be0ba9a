package rules

import (
	"crypto/sha256"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

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
	for name, value := range e.Headers {
		add(event.Evidence{Kind: event.Said, B: event.SaidHeader, A: value, C: name})
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

// alone returns a set of the one rule and the tools.
func alone(t *testing.T, s *Set, r *Rule) *Set {
	t.Helper()
	x, err := newIndex([]*Rule{r})
	if err != nil {
		t.Fatal(err)
	}
	return &Set{catalogue: s.catalogue, signatures: s.signatures, index: x}
}

// concludes says whether the rule of the set holds for the example on any of its
// channels.
func (s *Set) concludes(r *Rule, e Example) bool {
	for c := range channels {
		if !r.channels.has(c) {
			continue
		}
		ev := e.event(c)
		s.Annotate(new(event.Arena), &ev)
		if slices.ContainsFunc(ev.Evidence, func(v event.Evidence) bool {
			return v.B == r.Name && (v.Kind == event.Technique && v.A == r.Technique || r.Software != nil && v.Kind == event.Tool && v.A == r.Software.Name)
		}) {
			return true
		}
	}
	return false
}

// Every rule has an example that it holds for and two near misses that it
// doesn't, and no condition that they could do without.
func TestExamples(t *testing.T) {
	s := builtin(t)
	for _, r := range s.Rules() {
		t.Run(r.ID, func(t *testing.T) {
			if len(r.Fires) < 1 || len(r.Quiet) < 2 {
				t.Fatalf("%d examples and %d near misses; there must be one and two", len(r.Fires), len(r.Quiet))
			}
			if !strings.HasPrefix(r.Reference, "http") {
				t.Errorf("reference %q is no address", r.Reference)
			}
			passes := func(r *Rule) error {
				set := alone(t, s, r)
				for _, e := range r.Fires {
					if !set.concludes(r, e) {
						return fmt.Errorf("doesn't hold for %+v", e)
					}
				}
				for _, e := range r.Quiet {
					if set.concludes(r, e) {
						return fmt.Errorf("holds for %+v", e)
					}
				}
				return nil
			}
			if err := passes(r); err != nil {
				t.Fatal(err)
			}
			without := func(what string, change func(*Rule)) {
				changed := *r
				changed.when, changed.unless = slices.Clone(r.when), slices.Clone(r.unless)
				change(&changed)
				if _, err := newIndex([]*Rule{&changed}); err != nil || len(changed.when) == 0 {
					return // refused
				}
				if passes(&changed) == nil {
					t.Errorf("%s: no example needs %s", r.ID, what)
				}
			}
			for i := range r.when {
				without("when "+fieldNames[r.when[i].field], func(c *Rule) { c.when = slices.Delete(c.when, i, i+1) })
			}
			for i := range r.unless {
				without(fmt.Sprint("unless ", i+1), func(c *Rule) { c.unless = slices.Delete(c.unless, i, i+1) })
			}
		})
	}
}
