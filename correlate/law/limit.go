package law

// Limit bounds a list.
type Limit struct {
	// Keys is the number of keys kept.
	Keys int
	// Bytes bounds what the keys kept take at the most when they are encoded:
	// the longest prefix, in the order of the law, that fits is kept. 0 means
	// no bound beyond Keys.
	Bytes int
	// Note is the length, in bytes, to which a First cuts what it knows of a
	// key beside the key. It counts in full into Bytes: what a key takes must
	// not depend on which of its items came first.
	Note int
	// Entry is what one entry may take when it is encoded; longer texts are
	// cut. 0 means no bound.
	Entry int
	// Part is the part of the key, of those joined by NUL, that is cut.
	Part int
	// Payload is what of an entry is left to its payload however long the key
	// is. 0 means that there are no payloads.
	Payload int
	// Fields says how a payload is cut to n bytes.
	//
	// If Fields is nil, payloads are texts, and Shorten will be used.
	Fields func(payload string, n int) string
	// Firsts is how many of the keys that came first a full list keeps
	// beside, whatever their place.
	Firsts int
	// Early says that a payload is kept with those that came first; payloads
	// count twice into Bytes.
	Early bool
	// Shares are what the classes that Class tells apart by the key have for
	// certain, so that none can push out another. What is left of Bytes goes
	// to those that need more, as evenly as it can. Without any there is one
	// class, bounded by Keys, Bytes and Firsts.
	Shares []Share
	Class  func(key string) int
}

// Share is what one class of a list has for certain: Bytes, and Firsts of the
// keys that came first.
type Share struct{ Bytes, Firsts int }

// Most is what a Bottom with this limit takes at the most when it is encoded.
func (l *Limit) Most() int {
	first := l.Entry
	if !l.Early {
		first = 1 + 9 + 1 + longText + l.longestKey()
	}
	classes := max(1, len(l.Shares))
	n := headOverhead + fullOverhead + 9*classes + l.Bytes
	for i := range classes {
		n += l.firsts(i) * first
	}
	return n
}

// firsts is how many of a class's keys that came first are kept.
func (l *Limit) firsts(class int) int {
	if len(l.Shares) == 0 {
		return l.Firsts
	}
	return l.Shares[class].Firsts
}

// Key returns a key as the list keeps it.
func (l *Limit) Key(key string) string {
	if l.Entry == 0 {
		return key
	}
	return shortenPart(key, l.Part, l.longestKey())
}

// longestKey is what a key may take.
func (l *Limit) longestKey() int {
	return l.Entry - entryOverhead - longText - l.times()*(longText+l.Payload)
}

func (l *Limit) class(key string) uint8 {
	if len(l.Shares) == 0 {
		return 0
	}
	return uint8(l.Class(key))
}

// fit cuts what is longer than an entry may be. How the key is cut depends on
// the key alone, how the payload is on both: a law's items stay the same
// whatever else was seen.
func (l *Limit) fit(key, payload string) (string, string) {
	times := l.times()
	key = l.Key(key)
	n := (l.Entry-entryOverhead-text(key))/times - longText
	switch {
	case len(payload) <= n:
	case n < cutTail:
		payload = ""
	case l.Fields != nil:
		payload = l.Fields(payload, n)
	default:
		payload = Shorten(payload, n)
	}
	return key, payload
}

// fits says whether fit has nothing to do, quickly.
func (l *Limit) fits(key, payload string) bool {
	return l.Entry == 0 || len(key)+l.times()*(len(payload)+l.Payload) <= l.Entry-entryOverhead-4*longText
}

// times is how often a payload counts.
func (l *Limit) times() int {
	if l.Early {
		return 2
	}
	return 1
}

// longText is what the header of a text takes that an entry may have.
const longText = 3

// headOverhead is what the header of a list and a number in front take.
const headOverhead = 5 + 9
