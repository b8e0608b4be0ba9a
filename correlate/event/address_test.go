package event

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
)

// checkIPv4 compares the fast way with netip.
func checkIPv4(t *testing.T, s string) {
	t.Helper()
	want, err := netip.ParseAddr(s)
	got, ok := parseIPv4(s)
	if wantOK := err == nil && want.Is4(); ok != wantOK || ok && got != want {
		t.Fatalf("parseIPv4(%q) = %v, %v; want %v, %v", s, got, ok, want, wantOK)
	}
}

func TestParseIPv4(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 300_000 {
		b := fmt.Appendf(nil, "%d.%d.%d.%d", r.IntN(260), r.IntN(260)>>r.IntN(8), r.IntN(260)>>r.IntN(8), r.IntN(260)>>r.IntN(8))
		checkIPv4(t, string(b))
		for range 1 + r.IntN(3) {
			i := r.IntN(len(b))
			switch r.IntN(3) {
			case 0:
				b[i] = "0123456789.:/-\x00\x80\xae\xb0 %"[r.IntN(20)]
			case 1:
				b = append(b[:i], b[i+1:]...)
			default:
				b = append(b[:i+1], b[i:]...)
			}
			if len(b) == 0 {
				break
			}
		}
		checkIPv4(t, string(b))
	}
	for _, s := range []string{
		"", ".", "...", "1.2.3", "1.2.3.4.5", "1..2.3", ".1.2.3", "1.2.3.", "01.2.3.4", "1.2.3.00", "0.0.0.0", "255.255.255.255",
		"256.1.1.1", "1.1.1.1 ", "1.1.1.1:80", "1111.1.1.1", "1.1.1", "1.1.1.1.", "::1", "::ffff:1.2.3.4", "1.1.1.\x00", "1.1.1.1\x00",
	} {
		checkIPv4(t, s)
	}
}

func FuzzParseIPv4(f *testing.F) {
	f.Add("192.0.2.1")
	f.Add("1.1.1.1")
	f.Add("255.255.255.255")
	f.Fuzz(checkIPv4)
}
