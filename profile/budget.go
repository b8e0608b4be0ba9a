package profile

import (
	"encoding/base64"
	"math"
	"slices"
	"unicode/utf8"

	"dossier/correlate/law"
	"dossier/correlate/state"
)

// The sizes of an attacker's document, in bytes.
const (
	// documentBudget bounds the whole document.
	documentBudget = 384 << 10
	// maxEnvelope is what the chunk ids and headers around a stored state
	// take at the most: 512 ids of 24 bytes.
	maxEnvelope = 512*24 + 32
	// stateMember is what stands around the state in the document.
	stateMember = len(`,"state":""}`)
	// commandBudget bounds commands and command.line together.
	commandBudget = 48 << 10
)

// room returns what is left for the view beside a state of size bytes, stored
// with as many chunk ids as there may be and unpacked. That depends neither on
// the chunks nor on how well the state packs: the same events would look
// otherwise in other chunks.
func room(size int) int {
	return documentBudget - base64.StdEncoding.EncodedLen(maxEnvelope+size) - stateMember
}

// The lists that are cut to fit, those first that are missed least.
const (
	listDwell = iota
	listClaims
	listClaimedServices
	listClaimedDeckies
	listClaimedCommands
	listSensors
	listNetwork
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
// list bounds they stay below the room beside the largest state.
var floors = [lists]int{
	listDwell:           512,
	listClaims:          1 << 10,
	listClaimedServices: 256,
	listClaimedDeckies:  512,
	listClaimedCommands: 2 << 10,
	listSensors:         512,
	listNetwork:         512,
	listServices:        768,
	listTools:           512,
	listTechniques:      768,
	listKex:             512,
	listFingerprints:    1792,
	listAlerts:          768,
	listLeaks:           768,
	listArtifacts:       1280,
	listCredentials:     2 << 10,
	listHops:            1536,
	listDeckies:         1792,
	listCommands:        9 << 10,
}

// plan says how many elements of each list a document shows.
type plan struct {
	keep [lists]int
	// commandBytes is what the commands took.
	commandBytes int
}

var everything = func() plan {
	var p plan
	for i := range p.keep {
		p.keep[i] = math.MaxInt
	}
	return p
}()

// maxPasses is how often a document is fitted anew before its lists get no more
// than the room they have in any case.
const maxPasses = 4

// step is what is cut more than was missing, so that the elements' sizes don't
// matter; it doubles with every pass.
const step = 512

// fit works out which elements stay in a document that takes over bytes too
// many: of each list the longest prefix, in the order of its law, that fits.
func fit(sizes *[lists][]int, over int) plan {
	p := everything
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
		entries := b.Ordered()
		for i := range entries {
			sizes[list] = append(sizes[list], of(&entries[i]))
		}
	}
	deckies := r.byFirst(&s.Deckies, s.Deckies.Len())
	for i := range deckies {
		sizes[listDwell] = append(sizes[listDwell], size(func() { d.dwell(&deckies[i]) }))
	}
	bottom(listSensors, &s.Sensors, func(e *law.Entry) int { return quoted(e.Key) })
	network := s.Network.Items()
	for i := range network {
		sizes[listNetwork] = append(sizes[listNetwork], 2*quoted(network[i].A)) // threat.indicator.ip and related.ip
	}
	seen := r.touched(s)
	bottom(listServices, seen.services, func(e *law.Entry) int { return 2 * quoted(e.Key) })
	bottom(listDeckies, seen.deckies, func(e *law.Entry) int { return 3*quoted(e.Key) + len(arrow) })
	bottom(listTools, &s.Tools, func(e *law.Entry) int { return size(func() { d.tool(e) }) })
	bottom(listTechniques, &s.Techniques, func(e *law.Entry) int { return size(func() { d.concluded(e) }) })
	bottom(listKex, &s.KexOrders, func(e *law.Entry) int { return quoted(e.Key) })
	bottom(listFingerprints, &s.Fingerprints, func(e *law.Entry) int {
		n := size(func() { d.fingerprint(e) })
		eachFlat(e, func(flat int, value string) {
			n += 2 * quoted(value) // flat, and among the related hashes
			if flat == flatHASSH || flat == flatSSHClient {
				n += 2 * campaignKey
			}
		})
		return n
	})
	bottom(listAlerts, &s.Alerts, func(e *law.Entry) int { return 2 * size(func() { d.alert(e) }) })
	bottom(listLeaks, &s.Leaks, func(e *law.Entry) int { return 2 * size(func() { d.leak(e) }) })
	bottom(listArtifacts, &s.Artifacts, func(e *law.Entry) int {
		a := artifactOf(e.Key)
		return size(func() { d.artifact(e) }) + 2*quoted(a.sha256) + quoted(a.url) + 2*campaignKey
	})
	credentials := r.orderedCredentials(s)
	for i := range credentials {
		e := &credentials[i]
		c := credentialOf(e.Key)
		secret, _ := r.password(c, e)
		sizes[listCredentials] = append(sizes[listCredentials], size(func() { r.credential(&d, e) })+3*quoted(c.principal)+2*quoted(secret))
	}
	r.measureClaimed(s, sizes)
	hops := s.Hops.Items()
	for i := range hops {
		n := size(func() { d.hop(&hops[i]) })
		if i > 0 && hops[i].A != hops[i-1].A {
			n += 2*(quoted(hops[i].A)+quoted(hops[i-1].A)) + len(`{"from":,"to":,"first":"2026-01-02T03:04:05.678901Z","count":128},`)
		}
		sizes[listHops] = append(sizes[listHops], n)
	}
	commands := r.orderedCommands(s)
	var lines []string
	for i := range commands {
		c := &commands[i]
		n := size(func() { d.command(c) })
		if indexable(c.C) && !slices.Contains(lines, c.C) {
			lines = append(lines, c.C)
			n += quoted(c.C)
		}
		if i == 0 {
			n += len(`"commands":[],"command":{"line":[]},`)
		}
		sizes[listCommands] = append(sizes[listCommands], n)
	}
}

// campaignKey is what a campaign key takes in a list.
const campaignKey = len(`"toolchain:0123456789abcdef0123456789abcdef",`)

// indexable says whether Elasticsearch indexes v as a keyword: a longer one
// would stand in the flat lists without being found.
func indexable(v string) bool {
	return len(v) <= longestKeyword || utf8.RuneCountInString(v) <= longestKeyword
}
