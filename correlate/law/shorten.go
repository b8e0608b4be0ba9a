package law

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"unicode/utf8"

	"dossier/correlate/event"
)

// cutMark stands in front of the digest at the end of a text that was cut.
const cutMark = "…#"

// cutTail is what the mark and the digest behind it take.
const cutTail = len(cutMark) + 16

// Shorten returns s cut to at most n bytes: its beginning, "…#" and the first
// 16 digits of its SHA-256 in hex, so that two texts that begin alike stay
// two. A text that fits is s itself.
func Shorten(s string, n int) string {
	if len(s) <= n {
		return s
	}
	sum := sha256.Sum256(event.Bytes(s))
	keep := max(0, n-cutTail)
	for keep > 0 && !utf8.RuneStart(s[keep]) {
		keep--
	}
	return s[:keep] + cutMark + hex.EncodeToString(sum[:8])
}

// Shortened says whether Shorten cut s.
func Shortened(s string) bool {
	at := len(s) - cutTail
	if at < 0 || s[at:at+len(cutMark)] != cutMark {
		return false
	}
	for _, c := range []byte(s[at+len(cutMark):]) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// HoldsShortened says whether a text that Shorten cut may stand in s.
func HoldsShortened(s string) bool { return strings.Contains(s, cutMark) }

// ShortenedAlike says whether two texts, each of which may be what Shorten made,
// are of one: they are the same, or what is left of them names the same digest.
func ShortenedAlike(a, b string) bool {
	if a == b {
		return true
	}
	return (Shortened(a) || Shortened(b)) && digestOf(a) == digestOf(b)
}

// digestOf returns the digits that Shorten puts behind a text, of a text that
// fits or that it has cut.
func digestOf(s string) string {
	if Shortened(s) {
		return s[len(s)-16:]
	}
	sum := sha256.Sum256(event.Bytes(s))
	return hex.EncodeToString(sum[:8])
}

// shortenPart shortens the n-th part of a key whose parts are joined by NUL,
// so that the key takes at most size bytes, as far as that part allows.
func shortenPart(key string, part, size int) string {
	over := len(key) - size
	if over <= 0 {
		return key
	}
	from := 0
	for range part {
		i := strings.IndexByte(key[from:], 0)
		if i < 0 {
			break
		}
		from += i + 1
	}
	to := len(key)
	if i := strings.IndexByte(key[from:], 0); i >= 0 {
		to = from + i
	}
	return key[:from] + Shorten(key[from:to], max(cutTail, to-from-over)) + key[to:]
}
