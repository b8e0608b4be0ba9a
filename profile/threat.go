package profile

import (
	"slices"
	"strconv"
	"strings"

	"dossier/correlate/event"
	"dossier/correlate/law"
	"dossier/correlate/state"
	"dossier/profile/rules"
)

// confidence says how sure it is that the address means harm.
func (f *figures) confidence(s *state.Attacker) string {
	switch {
	case f.risk.Basis == rules.Announced, !s.Handshake, s.Kinds[event.Scan]+s.Kinds[event.Interaction] == 0:
		return "Low"
	case s.Attempts > 0, s.CommandCount > 0, s.Artifacts.Len() > 0:
		return "High"
	default:
		return "Medium"
	}
}

func (r *Renderer) threat(d *document, h Head, s *state.Attacker, f *figures, place *Place, p *plan) {
	d.object("threat")
	if len(f.techniques) > 0 {
		r.attack(d, f)
	}
	r.attributed(d, f)
	d.string("framework", "MITRE ATT&CK")
	d.object("feed")
	d.string("name", "Dossier")
	d.end()
	d.object("indicator")
	d.string("type", indicatorType(h.Addr))
	d.string("name", h.ID)
	if h.Network.IsValid() {
		d.strings("ip", r.addresses(h, &s.Network, p.keep[listNetwork]))
	} else {
		d.address("ip", h.Addr)
	}
	d.someTime("first_seen", s.First)
	d.someTime("last_seen", s.Last)
	d.someTime("modified_at", s.Last)
	d.int("sightings", s.Events)
	d.string("confidence", f.confidence(s))
	d.string("provider", "Dossier")
	r.text = r.describe(r.text[:0], h, s, f)
	d.string("description", event.View(r.text))
	d.object("marking")
	d.string("tlp", r.o.TLP)
	d.end()
	d.place(place)
	d.end()
	d.end()
}

// doing has what an attacker of a kind does, in words.
var doing = map[string]string{
	KindScan:       "looks for services",
	KindCrawl:      "asks a web server for page after page",
	KindBruteForce: "guesses logins",
	KindSpraying:   "tries few secrets for many users",
	KindExploit:    "attacks services",
	KindAutomated:  "runs a script on the decoys it got into",
	KindHandsOn:    "behaves like a person at a keyboard",
	KindRelay:      "uses decoys to relay mail or connections",
	KindMonitor:    "watches whether services answer",
	KindNoise:      "is behind packets without a connection",
}

// basisWords has by what somebody is taken for harmless, in words.
var basisWords = map[string]string{
	rules.ByNetwork: "its listed network",
	rules.ByName:    "its name",
	rules.Announced: "what it says itself",
	rules.Noise:     "packets alone",
}

// The most acts and names that a description tells.
const (
	actsTold  = 3
	namesTold = 3
)

// acts appends what the furthest and gravest rules saw the attacker do, what it did
// before what it only asked for.
func (r *Renderer) acts(b []byte) []byte {
	var told [actsTold]string
	for n := range told {
		var best *rules.Rule
		door := true
		for i := range r.facts.Concluded {
			c := &r.facts.Concluded[i]
			rule := r.o.Rules.Rule(c.Rule)
			if rule == nil || rule.Rank() < rules.Attempting || rule.Software != nil && rule.Technique == "" || slices.Contains(told[:n], rule.Name) {
				continue
			}
			if best == nil || door && !c.Door || door == c.Door && (rule.Grave() > best.Grave() || rule.Grave() == best.Grave() && rule.ID < best.ID) {
				best, door = rule, c.Door
			}
		}
		if best == nil {
			break
		}
		told[n] = best.Name
		b = append(b, []string{": ", ", ", ", "}[n]...)
		b = append(b, best.Name...)
	}
	return b
}

// namesTold appends the names of programs and groups that say something.
func (r *Renderer) namesTold(b []byte, f *figures) []byte {
	n := 0
	for _, kind := range [...]string{rules.Group, rules.Malware, rules.Tool, rules.Scanner} {
		for _, name := range f.tools {
			if n == namesTold || r.o.Rules.Kind(name) != kind || r.o.Rules.Announces(name) {
				continue
			}
			b = append(b, []string{" (", ", ", ", "}[n]...)
			b = append(b, name...)
			b = append(append(b, ' '), kind...)
			n++
		}
	}
	if n > 0 {
		b = append(b, ')')
	}
	return b
}

// describe appends the profile in one sentence. Everything in it is a number
// or a word of ours, or of the user's rules.
func (r *Renderer) describe(b []byte, h Head, s *state.Attacker, f *figures) []byte {
	count := func(n int64, one, many string) {
		b = strconv.AppendInt(b, n, 10)
		b = append(b, ' ')
		if n == 1 {
			b = append(b, one...)
		} else {
			b = append(b, many...)
		}
	}
	b = append(b, h.ID...)
	if f.actor != "" && f.risk.Basis != "" {
		b = append(append(b, ", of "...), f.actor...)
		b = append(append(b, " by "...), basisWords[f.risk.Basis]...)
		b = append(b, ',')
	}
	b = append(b, ' ')
	if f.kind == "" {
		b = append(b, "was seen"...)
	}
	b = append(b, doing[f.kind]...)
	b = r.acts(b)
	b = r.namesTold(b, f)
	b = append(b, "; "...)
	seen := r.touched(s)
	count(s.Total(), "event", "events")
	if s.Claimed.Events > 0 {
		b = append(b, " ("...)
		b = strconv.AppendInt(b, s.Claimed.Events, 10)
		b = append(b, " claimed)"...)
	}
	b = append(b, " on "...)
	count(seen.serviceCount(), "service", "services")
	b = append(b, " of "...)
	count(seen.deckyCount(), "decoy", "decoys")
	if s.Attempts > 0 {
		b = append(b, ", "...)
		count(s.Attempts, "login attempt", "login attempts")
		if s.Successes > 0 {
			b = append(b, " ("...)
			b = strconv.AppendInt(b, s.Successes, 10)
			b = append(b, " successful)"...)
		}
	}
	if s.CommandCount > 0 {
		b = append(b, ", "...)
		count(s.CommandCount, "command", "commands")
	}
	if n := s.Artifacts.Distinct(); n > 0 {
		b = append(b, ", "...)
		count(n, "file", "files")
	}
	if n := s.Forwards.Distinct(); n > 0 {
		// Its characters are those of hosts and ports.
		_, target := state.IndicatorOf(r.byFirst(&s.Forwards, 1)[0].Key)
		b = append(b, ", asked to pass on to "...)
		b = append(b, target...)
		if n > 1 {
			b = append(b, " and "...)
			count(n-1, "other", "others")
		}
	}
	return b
}

func (r *Renderer) related(d *document, h Head, s *state.Attacker, name string, p *plan) {
	d.object("related")
	ips := r.addresses(h, &s.Network, p.keep[listNetwork])
	leaks := first(&s.Leaks, p.keep[listLeaks])
	for i := range leaks {
		claimed, rest, _ := strings.Cut(leaks[i].Key, "\x00")
		if strings.HasSuffix(rest, "\x00"+public) {
			ips = append(ips, claimed)
		}
	}
	r.names = ips
	d.strings("ip", distinct(r.names))
	d.someStrings("user", r.each(r.firstCredentials(s, p.keep[listCredentials]), principalOf))
	r.names = r.each(first(r.touched(s).deckies, p.keep[listDeckies]), keyOf)
	if name != "" {
		r.names = append(r.names, name)
	}
	d.someStrings("hosts", distinct(r.names))
	r.names = r.each(first(&s.Artifacts, p.keep[listArtifacts]), func(e *law.Entry) (string, bool) {
		sum, ok := digestOf(e)
		return sum, ok && !rules.Nothing(sum)
	})
	if s.Fingerprints.Len() > 0 {
		r.flatten(s, p.keep[listFingerprints])
		for _, flat := range [...]int{flatJA3, flatJA3S, flatHASSH, flatJARM, flatCertificate} {
			r.names = append(r.names, r.flats[flat]...)
		}
	}
	d.someStrings("hash", distinct(r.names))
	d.end()
}

// attack appends the techniques and tactics of ATT&CK: ids, and names in the
// order of the ids. An id that isn't known stands for itself.
func (r *Renderer) attack(d *document, f *figures) {
	d.named("technique", f.techniques, func(id string) (string, bool) {
		t, ok := r.o.Rules.Technique(id)
		return t.Name, ok
	})
	if len(f.tactics) == 0 {
		return
	}
	d.named("tactic", f.tactics, func(id string) (string, bool) {
		t, ok := r.o.Rules.Tactic(id)
		return t.Name, ok
	})
}

func (d *document) named(object string, ids []string, nameOf func(id string) (string, bool)) {
	d.object(object)
	d.strings("id", ids)
	d.array("name")
	for _, id := range ids {
		if name, ok := nameOf(id); ok {
			id = name
		}
		d.item(id)
	}
	d.endArray()
	d.end()
}
