package profile

import (
	"slices"

	"dossier/correlate/law"
	"dossier/correlate/state"
)

// The lists of an attacker's document that are cut to fit, those first that
// are missed least.
const (
	listDwell = iota
	listClaims
	listClaimedServices
	listClaimedDeckies
	listClaimedCommands
	listSensors
	listNetwork
	listPorts
	listServices
	listTools
	listTechniques
	listConclusions
	listKex
	listFingerprints
	listAlerts
	listLeaks
	listForwards
	listIndicators
	listArtifacts
	listCredentials
	listHops
	listDeckies
	listCommands
	lists
)

// list is one of them.
type list struct {
	// fields are those that miss what is cut.
	fields []string
	// floor is the room, in bytes, that the list has in any case. Together with
	// what no list bounds the floors stay below the room beside the largest state.
	floor int
	// kept returns how many elements the state has, and whether the fold left
	// some out.
	kept func(of *subject) (n int, cut bool)
	// measure adds what each element takes, in the order in which the list is
	// cut, with all that the document says of it elsewhere.
	measure func(m *meter, of *subject)
}

// subject is the attacker of a document.
type subject struct {
	*state.Attacker
	r    *Renderer
	seen touched
}

func (r *Renderer) subject(s *state.Attacker) subject { return subject{s, r, r.touched(s)} }

// listed has the lists by their constants.
var listed = [lists]list{
	listDwell: {
		fields: []string{"movement.dwell"}, floor: 512,
		kept: func(of *subject) (int, bool) { return of.Deckies.Len(), of.Deckies.Truncated() },
		measure: func(m *meter, of *subject) {
			deckies := of.r.byFirst(&of.Deckies, of.Deckies.Len())
			for i := range deckies {
				m.add(m.size(func(d *document) { d.dwell(&deckies[i]) }))
			}
		},
	},
	listClaims: ofClaims("claimed.evidence", 1<<10, func(c *state.Claimed) *law.Bottom { return &c.Evidence },
		func(m *meter, of *subject, e *law.Entry) int {
			return m.size(func(d *document) { of.r.claim(d, e) })
		}),
	listClaimedServices: ofClaims("claimed.services", 256, func(c *state.Claimed) *law.Bottom { return &c.Services }, keySize),
	listClaimedDeckies:  ofClaims("claimed.deckies", 512, func(c *state.Claimed) *law.Bottom { return &c.Deckies }, keySize),
	listClaimedCommands: {
		fields: []string{"claimed.commands"}, floor: 2 << 10,
		kept: func(of *subject) (int, bool) {
			if of.Claimed.Events == 0 {
				return 0, false
			}
			return len(of.Claimed.Shell.Items()), of.ShellTruncated()
		},
		measure: func(m *meter, of *subject) {
			for _, it := range slices.Backward(of.Claimed.Shell.Items()) {
				m.add(m.size(func(d *document) { d.command(&it) }))
			}
		},
	},
	listSensors: ofKeys("sensors", 512, func(of *subject) *law.Bottom { return &of.Sensors }, keySize),
	listNetwork: {
		fields: []string{"threat.indicator.ip"}, floor: 512,
		kept: func(of *subject) (int, bool) { return len(of.Network.Items()), of.Network.Truncated() },
		measure: func(m *meter, of *subject) {
			for _, it := range of.Network.Items() {
				m.add(2 * m.quoted(it.A)) // threat.indicator.ip and related.ip
			}
		},
	},
	listPorts: ofKeys("ports", 1<<10, func(of *subject) *law.Bottom { return &of.Ports },
		func(m *meter, _ *subject, e *law.Entry) int {
			return m.size(func(d *document) { d.port(e) }) + len(`"tcp/65535",`)
		}),
	listServices: {
		fields: []string{"services"}, floor: 768,
		kept:    func(of *subject) (int, bool) { return of.seen.services.Len(), of.seen.servicesCut },
		measure: func(m *meter, of *subject) { m.keys(of, of.seen.services, keySizeTwice) },
	},
	listTools: ofKeys("behavior.tool_evidence", 512, func(of *subject) *law.Bottom { return &of.Tools },
		func(m *meter, of *subject, e *law.Entry) int {
			return m.size(func(d *document) { of.r.tool(d, e) }) + 4*m.quoted(e.Key) + len(`"Malware",`)
		}),
	listTechniques: ofKeys("behavior.technique_evidence", 768, func(of *subject) *law.Bottom { return &of.Techniques },
		func(m *meter, _ *subject, e *law.Entry) int { return m.size(func(d *document) { d.concluded(e) }) }),
	listConclusions: ofKeys("behavior.conclusions", 1<<10, func(of *subject) *law.Bottom { return &of.Conclusions },
		func(m *meter, of *subject, e *law.Entry) int {
			n := m.size(func(d *document) { of.r.conclusion(d, e) })
			if rule := of.r.exploit(e); rule != nil {
				n += m.quoted(e.Payload)
				for _, cve := range rule.CVE {
					n += m.quoted(cve)
				}
			}
			return n
		}),
	listKex: ofKeys("behavior.kex_order", 512, func(of *subject) *law.Bottom { return &of.KexOrders }, keySize),
	listFingerprints: ofKeys("fingerprints", 1792, func(of *subject) *law.Bottom { return &of.Fingerprints },
		func(m *meter, _ *subject, e *law.Entry) int {
			n := m.size(func(d *document) { d.fingerprint(e) })
			eachFlat(e, func(flat int, value string) {
				n += 2 * m.quoted(value) // flat, and among the related hashes
				if flat == flatHASSH || flat == flatSSHClient {
					n += 2 * campaignKey
				}
			})
			return n
		}),
	listAlerts: ofKeys("alerts", 768, func(of *subject) *law.Bottom { return &of.Alerts },
		func(m *meter, _ *subject, e *law.Entry) int { return 2 * m.size(func(d *document) { d.alert(e) }) }),
	listLeaks: ofKeys("ip_leaks", 768, func(of *subject) *law.Bottom { return &of.Leaks },
		func(m *meter, _ *subject, e *law.Entry) int { return 2 * m.size(func(d *document) { d.leak(e) }) }),
	listArtifacts: ofKeys("artifacts", 1280, func(of *subject) *law.Bottom { return &of.Artifacts },
		func(m *meter, _ *subject, e *law.Entry) int {
			a := artifactOf(e.Key)
			return m.size(func(d *document) { d.artifact(e) }) + 2*m.quoted(a.sha256) + m.quoted(a.url) + 2*campaignKey
		}),
	listForwards: ofKeys("forwards", 512, func(of *subject) *law.Bottom { return &of.Forwards },
		func(m *meter, _ *subject, e *law.Entry) int {
			_, target := state.IndicatorOf(e.Key)
			return m.size(func(d *document) { d.forward(e) }) + m.quoted(target)
		}),
	listIndicators: ofKeys("indicators", 2<<10, func(of *subject) *law.Bottom { return &of.Indicators },
		func(m *meter, _ *subject, e *law.Entry) int {
			_, value := state.IndicatorOf(e.Key)
			return m.size(func(d *document) { d.indicator(e) }) + m.quoted(value)
		}),
	listCredentials: {
		fields: []string{"credentials"}, floor: 2 << 10,
		kept: func(of *subject) (int, bool) { return of.Credentials.Len(), of.Credentials.Truncated() },
		measure: func(m *meter, of *subject) {
			credentials := of.r.orderedCredentials(of.Attacker)
			for i := range credentials {
				e := &credentials[i]
				c := credentialOf(e.Key)
				secret, _ := of.r.password(c, e)
				m.add(m.size(func(d *document) { of.r.credential(d, e) }) + 3*m.quoted(c.principal) + 2*m.quoted(secret))
			}
		},
	},
	listHops: {
		fields: []string{"hops", "movement.edges"}, floor: 1536,
		kept: func(of *subject) (int, bool) { return len(of.Hops.Items()), of.Hops.Truncated() },
		measure: func(m *meter, of *subject) {
			hops := of.Hops.Items()
			for i := range hops {
				n := m.size(func(d *document) { d.hop(&hops[i]) })
				if i > 0 && state.HopOf(&hops[i]).Decky() != state.HopOf(&hops[i-1]).Decky() {
					n += 2*(m.quoted(state.HopOf(&hops[i]).Decky())+m.quoted(state.HopOf(&hops[i-1]).Decky())) + len(`{"from":,"to":,"first":"2026-01-02T03:04:05.678901Z","count":128},`)
				}
				m.add(n)
			}
		},
	},
	listDeckies: {
		fields: []string{"deckies"}, floor: 1792,
		kept: func(of *subject) (int, bool) { return of.seen.deckies.Len(), of.seen.deckiesCut },
		measure: func(m *meter, of *subject) {
			m.keys(of, of.seen.deckies, func(m *meter, _ *subject, e *law.Entry) int { return 3*m.quoted(e.Key) + len(arrow) })
		},
	},
	listCommands: {
		fields: []string{"commands"}, floor: 9 << 10,
		kept: func(of *subject) (int, bool) {
			commands := of.Commands.Items()
			return len(commands), of.Commands.Truncated() || longest(commands) || of.SessionsTruncated()
		},
		measure: func(m *meter, of *subject) {
			commands := of.r.orderedCommands(of.Attacker)
			var lines []string
			for i := range commands {
				c := &commands[i]
				n := m.size(func(d *document) { d.command(c) })
				if line := state.CommandOf(c).Line(); indexable(line) && !slices.Contains(lines, line) {
					lines = append(lines, line)
					n += m.quoted(line)
				}
				if i == 0 {
					n += len(`"commands":[],"command":{"line":[]},`)
				}
				m.add(n)
			}
		},
	},
}

// counted has the fields that a list's cap makes wrong and that are no such
// list.
var counted = [...]struct {
	field string
	cut   func(of *subject) bool
}{
	{"service_count", func(of *subject) bool { return of.seen.servicesCut }},
	{"port_count", func(of *subject) bool { return of.Ports.Truncated() }},
	{"decky_count", func(of *subject) bool { return of.seen.deckiesCut }},
	{"credential_count", func(of *subject) bool { return of.Credentials.Truncated() }},
	{"bounty_count", func(of *subject) bool {
		return of.Credentials.Truncated() || of.Fingerprints.Truncated() || of.Artifacts.Truncated() || of.Leaks.Truncated()
	}},
	{"indicator_count", func(of *subject) bool { return of.IndicatorCount.Truncated() }},
	{"session_count", func(of *subject) bool { return of.Sessions.Truncated() }},
	{"behavior.timing", func(of *subject) bool { return of.Times.Truncated() }},
	{"behavior.tools", func(of *subject) bool { return of.Tools.Truncated() }},
	{"behavior.os_guess", func(of *subject) bool {
		return of.SystemGuesses.Truncated() || of.SystemGuesses.Len() == 0 && of.TTLs.Truncated()
	}},
	{"behavior.hop_distance", func(of *subject) bool { return of.Distances.Truncated() }},
	{"threat.technique.id", func(of *subject) bool { return of.Techniques.Truncated() || of.Conclusions.Truncated() }},
	{"smtp_domain_count", func(of *subject) bool { return of.Domains.Truncated() }},
	{"transitions", func(of *subject) bool { return of.Untold > 0 }},
}

// ofKeys is a list that shows the keys of a law.Bottom.
func ofKeys(field string, floor int, keys func(of *subject) *law.Bottom, size func(m *meter, of *subject, e *law.Entry) int) list {
	return list{
		fields: []string{field}, floor: floor,
		kept:    func(of *subject) (int, bool) { return keys(of).Len(), keys(of).Truncated() },
		measure: func(m *meter, of *subject) { m.keys(of, keys(of), size) },
	}
}

// ofClaims is one that is absent where nothing is claimed.
func ofClaims(field string, floor int, keys func(c *state.Claimed) *law.Bottom, size func(m *meter, of *subject, e *law.Entry) int) list {
	l := ofKeys(field, floor, func(of *subject) *law.Bottom { return keys(&of.Claimed) }, size)
	kept := l.kept
	l.kept = func(of *subject) (int, bool) {
		if of.Claimed.Events == 0 {
			return 0, false
		}
		return kept(of)
	}
	return l
}

// keySize and keySizeTwice are the sizes of elements that are a key alone, shown once
// and twice.
func keySize(m *meter, _ *subject, e *law.Entry) int      { return m.quoted(e.Key) }
func keySizeTwice(m *meter, _ *subject, e *law.Entry) int { return 2 * m.quoted(e.Key) }

// measure works out what each list's elements take.
func (r *Renderer) measure(s *state.Attacker) *[lists][]int {
	var m meter
	var sizes [lists][]int
	of := r.subject(s)
	for i := range listed {
		m.sizes = nil
		listed[i].measure(&m, &of)
		sizes[i] = m.sizes
	}
	return &sizes
}

// meter collects what elements of a list take.
type meter struct {
	d     document
	sizes []int
}

func (m *meter) add(n int) { m.sizes = append(m.sizes, n) }

// size returns what appendTo appends, the comma in front included.
func (m *meter) size(appendTo func(d *document)) int {
	m.d.b = append(m.d.b[:0], '[', 0)
	appendTo(&m.d)
	return len(m.d.b) - 2
}

func (m *meter) quoted(v string) int { return m.size(func(d *document) { d.item(v) }) }

// keys adds the keys of b, those first that matter most.
func (m *meter) keys(of *subject, b *law.Bottom, size func(m *meter, of *subject, e *law.Entry) int) {
	entries := b.Ordered()
	for i := range entries {
		m.add(size(m, of, &entries[i]))
	}
}

// campaignKey is what a campaign key takes in a list.
const campaignKey = len(`"toolchain:0123456789abcdef0123456789abcdef",`)

// capped is a list of a state by the name of the field that shows it.
type capped struct {
	name string
	list *law.Bottom
}

// cutShort appends the names of the lists that had to leave something out.
func cutShort(names []string, lists ...capped) []string {
	for _, l := range lists {
		if l.list.Truncated() {
			names = append(names, l.name)
		}
	}
	return names
}
