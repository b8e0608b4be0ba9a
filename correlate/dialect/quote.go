package dialect

import (
	"math/bits"

	"dossier/correlate/event"
)

// quoteOrSlash returns the index of the first '"' or '\\' of s at or behind i,
// len(s) where there is none. It looks at eight bytes at once: most texts in
// records are short, and two searches for one byte each cost twice as much.
func quoteOrSlash(s string, i int) int {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	for ; i+8 <= len(s); i += 8 {
		w := event.Load64(s[i:])
		quote, slash := w^ones*'"', w^ones*'\\'
		// A byte's high bit is set where it is 0; above the first such byte
		// the borrow may set others.
		if zero := ((quote-ones)&^quote | (slash-ones)&^slash) & highs; zero != 0 {
			return i + bits.TrailingZeros64(zero)/8
		}
	}
	for ; i < len(s); i++ {
		if s[i] == '"' || s[i] == '\\' {
			return i
		}
	}
	return len(s)
}

// quoteSlashOrControl returns the index of the first '"', '\\' or control
// character of s at or behind i, len(s) where there is none: where a JSON string
// may end.
func quoteSlashOrControl(s string, i int) int {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	for ; i+8 <= len(s); i += 8 {
		w := event.Load64(s[i:])
		quote, slash := w^ones*'"', w^ones*'\\'
		if found := ((quote-ones)&^quote | (slash-ones)&^slash | (w-ones*' ')&^w) & highs; found != 0 {
			return i + bits.TrailingZeros64(found)/8
		}
	}
	for ; i < len(s); i++ {
		if s[i] == '"' || s[i] == '\\' || s[i] < ' ' {
			return i
		}
	}
	return len(s)
}
