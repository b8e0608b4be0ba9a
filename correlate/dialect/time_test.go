package dialect

import (
	"math/rand/v2"
	"testing"
	"time"

	"dossier/correlate/event"
)

// The fast way reads what the plain one reads, and nothing else.
func TestParseUTC(t *testing.T) {
	const form = "2006-01-02T15:04:05.000000"
	r := rand.New(rand.NewPCG(1, 1))
	for range 300_000 {
		at := time.UnixMicro(r.Int64N(4e15)).UTC()
		b := []byte(at.Format(form) + []string{"Z", "+00:00"}[r.IntN(2)])
		if got, ok := parseUTC(string(b)); !ok || got != event.FromTime(at) {
			t.Fatalf("parseUTC(%s) = %d, %v; want %d", b, got, ok, at.UnixMicro())
		}
		for range 1 + r.IntN(2) {
			b[r.IntN(len(b))] = "0123456789:.-T/;\x00\x80\xb0\xff"[r.IntN(20)]
		}
		checkUTC(t, string(b))
	}
}

func checkUTC(t *testing.T, s string) {
	t.Helper()
	fast, ok := parseUTC(s)
	if plain, known := parseISO(s); ok && (fast > event.Never) != known || ok && known && fast != plain {
		t.Fatalf("parseUTC(%q) = %d, %v; the plain way %d, %v", s, fast, ok, plain, known)
	}
}

func FuzzParseUTC(f *testing.F) {
	f.Add("2026-01-02T03:04:05.678901+00:00")
	f.Add("2026-02-29T03:04:05.678901Z")
	f.Fuzz(func(t *testing.T, s string) {
		if len(s) < len("20060102") || len(s) > 64 {
			return // as parseTime, which asks both
		}
		checkUTC(t, s)
	})
}
