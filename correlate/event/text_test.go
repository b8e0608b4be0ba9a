package event

import (
	"math/rand/v2"
	"strings"
	"testing"
)

func TestPrintable(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 300_000 {
		b := make([]byte, r.IntN(40))
		for i := range b {
			b[i] = byte(0x20 + r.UintN(0x5f))
		}
		for range r.IntN(3) {
			if len(b) > 0 {
				b[r.IntN(len(b))] = byte(r.UintN(256))
			}
		}
		s := string(b)
		want := strings.IndexFunc(s, func(c rune) bool { return c < 0x20 || c >= 0x7f }) < 0
		if got := printable(s); got != want {
			t.Fatalf("printable(%q) = %v", s, got)
		}
	}
	for c := range 256 {
		s := strings.Repeat("a", 3) + string([]byte{byte(c)}) + strings.Repeat("a", 4)
		if got := printable(s); got != (c >= 0x20 && c < 0x7f) {
			t.Fatalf("printable(%q) = %v", s, got)
		}
	}
}
