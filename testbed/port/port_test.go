package port

import (
	"net"
	"testing"
)

// A port that was given isn't given again, though nobody listens there yet, and can
// be listened on.
func TestEachPortIsGivenOnce(t *testing.T) {
	seen := map[string]bool{}
	for range 100 {
		at := Address(t)
		if seen[at] {
			t.Fatalf("%s is given twice", at)
		}
		seen[at] = true
	}
	for at := range seen {
		l, err := net.Listen("tcp", at)
		if err != nil {
			t.Fatal(err)
		}
		l.Close()
	}
}
