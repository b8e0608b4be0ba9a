package profile

import (
	"encoding/base64"
	"math"
)

// The sizes of an attacker's document, in bytes.
const (
	// documentBudget bounds the whole document.
	documentBudget = 496 << 10
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
			room = min(room, max(total-over, listed[list].floor))
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
