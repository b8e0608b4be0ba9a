package state

import (
	"fmt"
	"testing"

	"dossier/correlate/event"
)

// BenchmarkFoldStored folds one event into a stored attacker, as a commit does:
// read, fold, measure, write.
func BenchmarkFoldStored(b *testing.B) {
	for _, n := range []int{1, 20, 1000} {
		b.Run(fmt.Sprintf("events=%d", n), func(b *testing.B) {
			a, s := new(event.Arena), new(Attacker)
			s.By(testRank)
			for i := range n {
				at := event.Time(1_760_000_000_000_000 + i*1_000_000)
				login := event.Evidence{Kind: event.Login, A: "root", B: "plaintext", C: fmt.Sprint("password", i)}
				login.Digest[0], login.Digest[1] = byte(i), byte(i>>8)
				s.Fold(a, "sensor-1", false, []*event.Event{{Time: at, Decky: fmt.Sprint("decky-", i%40), Service: "ssh", Type: "login", Kind: event.Scan, Proof: event.ByConnection, Evidence: []event.Evidence{login}}})
			}
			wire := s.Append(nil)
			more := []*event.Event{{Time: s.Last + 1, Decky: "decky-1", Service: "ssh", Type: "connect", Kind: event.Scan, Proof: event.ByConnection}}
			var out []byte
			b.ReportAllocs()
			for b.Loop() {
				s.By(testRank)
				if err := s.Decode(wire); err != nil {
					b.Fatal(err)
				}
				s.Fold(a, "sensor-1", false, more)
				if out = s.Append(out[:0]); len(out) > s.Size() {
					b.Fatal("too long")
				}
			}
		})
	}
}

// BenchmarkFoldWaiting folds an event into an attacker of whom as many wait for
// their service as may: one more that does, and a session's service.
func BenchmarkFoldWaiting(b *testing.B) {
	a, s := new(event.Arena), new(Attacker)
	s.By(testRank)
	of := func(i int, naming event.Naming) *event.Event {
		return &event.Event{
			Time: event.Time(1_760_000_000_000_000 + i*1_000_000), Decky: "decky-1", Service: "ssh", Type: "cowrie.command.input", Kind: event.Interaction, Proof: event.ByConnection,
			Naming: naming, Session: uint64(i) * 0x9e3779b97f4a7c15 >> 8, Evidence: []event.Evidence{{Kind: event.Command, A: fmt.Sprint("cat /proc/", i)}},
		}
	}
	for i := range 1000 {
		s.Fold(a, "sensor-1", false, []*event.Event{of(i, event.Guessed), of(i, event.Names)})
	}
	wire := s.Append(nil)
	for _, naming := range []event.Naming{event.Guessed, event.Names} {
		more := []*event.Event{of(1001, naming)}
		b.Run(map[event.Naming]string{event.Guessed: "waits", event.Names: "names"}[naming], func(b *testing.B) {
			var out []byte
			b.ReportAllocs()
			for b.Loop() {
				if err := s.Decode(wire); err != nil {
					b.Fatal(err)
				}
				a.Reset()
				s.Fold(a, "sensor-1", false, more)
				out = s.Append(out[:0])
			}
		})
	}
}
