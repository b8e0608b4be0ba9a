package profile

import (
	"math"
	"slices"

	"dossier/correlate/law"
	"dossier/correlate/state"
)

// The sizes of an attacker's document, in bytes.
const (
	// documentBudget bounds the whole document.
	documentBudget = 192 << 10
	// stateBudget is what a state takes at the most.
	stateBudget = 64 << 10
	// viewBudget is what is left beside the largest state. It must not depend
	// on the state at hand: that holds the chunks too, and the same events
	// would look otherwise in other chunks.
	viewBudget = documentBudget - (stateBudget+2)/3*4 - 64
	// commandBudget bounds commands and command.line together.
	commandBudget = 48 << 10
)

// The lists that are cut to fit, those first that are missed least.
const (
	listDwell = iota
	listServices
	listTools
	listTechniques
	listKex
	listFingerprints
	listAlerts
	listLeaks
	listArtifacts
	listCredentials
	listHops
	listDeckies
	listCommands
	lists
)

// floors is the room that each list has in any case. Together with what no
// list bounds they stay below viewBudget.
var floors = [lists]int{
	listDwell:        4 << 10,
	listServices:     4 << 10,
	listTools:        2 << 10,
	listTechniques:   3 << 10,
	listKex:          2 << 10,
	listFingerprints: 12 << 10,
	listAlerts:       3 << 10,
	listLeaks:        3 << 10,
	listArtifacts:    6 << 10,
	listCredentials:  14 << 10,
	listHops:         6 << 10,
	listDeckies:      10 << 10,
	listCommands:     20 << 10,
}

// plan says how many elements of each list a document shows.
type plan struct {
	keep [lists]int
	// lines says whether the distinct command lines are shown.
	lines bool
	// commandBytes is what the commands took.
	commandBytes int
}

var everything = func() plan {
	p := plan{lines: true}
	for i := range p.keep {
		p.keep[i] = math.MaxInt
	}
	return p
}()

// fit works out which elements stay in a document whose whole view takes size
// bytes: of each list the longest prefix, in the order of its law, that fits.
func (r *Renderer) fit(s *state.Attacker, size int) plan {
	p := everything
	var sizes [lists][]int
	r.measure(s, &sizes)
	over := size - viewBudget
	for list := range sizes {
		total := 0
		for _, n := range sizes[list] {
			total += n
		}
		room := total
		if list == listCommands {
			room = min(room, commandBudget)
		}
		if over > 0 {
			room = min(room, max(total-over, floors[list]))
		}
		kept := 0
		for i, n := range sizes[list] {
			if kept+n > room {
				p.keep[list] = i
				break
			}
			kept += n
		}
		over -= total - kept
	}
	return p
}

// measure works out what each element takes, in the order in which lists are
// cut, with all that the document says of it elsewhere.
func (r *Renderer) measure(s *state.Attacker, sizes *[lists][]int) {
	var d document
	size := func(appendTo func()) int {
		d.b = append(d.b[:0], '[', 0)
		appendTo()
		return len(d.b) - 2
	}
	quoted := func(v string) int { return size(func() { d.item(v) }) }
	bottom := func(list int, b *law.Bottom, of func(e *law.Entry) int) {
		for i := range b.Entries() {
			sizes[list] = append(sizes[list], of(&b.Entries()[i]))
		}
	}
	deckies := r.byFirst(&s.Deckies, s.Deckies.Len())
	for i := range deckies {
		sizes[listDwell] = append(sizes[listDwell], size(func() { d.dwell(&deckies[i]) }))
	}
	bottom(listServices, &s.Services, func(e *law.Entry) int { return 2 * quoted(e.Key) })
	bottom(listDeckies, &s.Deckies, func(e *law.Entry) int { return 3*quoted(e.Key) + len(arrow) })
	bottom(listTools, &s.Tools, func(e *law.Entry) int { return size(func() { d.tool(e) }) })
	bottom(listTechniques, &s.Techniques, func(e *law.Entry) int { return size(func() { d.concluded(e) }) })
	bottom(listKex, &s.KexOrders, func(e *law.Entry) int { return quoted(e.Key) })
	bottom(listFingerprints, &s.Fingerprints, func(e *law.Entry) int {
		n := size(func() { d.fingerprint(e) })
		return 2*n + 16 // flat, and among the related hashes
	})
	bottom(listAlerts, &s.Alerts, func(e *law.Entry) int { return 2 * size(func() { d.alert(e) }) })
	bottom(listLeaks, &s.Leaks, func(e *law.Entry) int { return 2 * size(func() { d.leak(e) }) })
	bottom(listArtifacts, &s.Artifacts, func(e *law.Entry) int {
		a := artifactOf(e.Key)
		return size(func() { d.artifact(e) }) + 2*quoted(a.sha256) + quoted(a.url)
	})
	bottom(listCredentials, &s.Credentials, func(e *law.Entry) int {
		c := credentialOf(e.Key)
		secret, _ := r.password(c, e)
		return size(func() { r.credential(&d, e) }) + 3*quoted(c.principal) + 2*quoted(secret)
	})
	hops := s.Hops.Items()
	for i := range hops {
		n := size(func() { d.hop(&hops[i]) })
		if i > 0 && hops[i].A != hops[i-1].A {
			n += 2*(quoted(hops[i].A)+quoted(hops[i-1].A)) + len(`{"from":,"to":,"first":"2026-01-02T03:04:05.678901Z","count":128},`)
		}
		sizes[listHops] = append(sizes[listHops], n)
	}
	commands := s.Commands.Items()
	var lines []string
	for i := range commands {
		c := &commands[len(commands)-1-i]
		n := size(func() { d.command(c) })
		if !slices.Contains(lines, c.C) {
			lines = append(lines, c.C)
			n += quoted(c.C)
		}
		if i == 0 {
			n += len(`"commands":[],"command":{"line":[]},`)
		}
		sizes[listCommands] = append(sizes[listCommands], n)
	}
}
