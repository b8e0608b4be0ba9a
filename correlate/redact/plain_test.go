package redact

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// What is taken for a plain path is what looking closer leaves as it is.
func TestPlainPathsHideNothing(t *testing.T) {
	parts := []string{
		"/", "//", ".", "-", "_", "~", "password", "passwd", "token", "Authorization", "basic", "c2VjcmV0cGFzc3dvcmQ", "a", "Z", "0", "40",
		"=", ":", "@", "%40", "%3d", "&", "?", "bob", "http:", "\\", "&#64;", "+", "＠", ">", " ",
	}
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	plain := 0
	for range 200_000 {
		var b strings.Builder
		// Half of the texts are of what may stand in a plain path alone.
		from := parts
		if r.IntN(2) == 0 {
			from = parts[:16]
		}
		for range 1 + r.IntN(9) {
			b.WriteString(from[r.IntN(len(from))])
		}
		text := b.String()
		if !plainPath(text) {
			continue
		}
		plain++
		if got := hiddenURL(text); got != text {
			t.Fatalf("seed %d: %q is shown as %q", seed, text, got)
		}
	}
	if plain < 10_000 {
		t.Errorf("seed %d: only %d of 200,000 texts are plain", seed, plain)
	}
}
