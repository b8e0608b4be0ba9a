package state

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"dossier/correlate/event"
)

// The newest turns are kept, whatever order they came in and however often the
// state was written in between.
func TestTurnsAreFreeOfOrder(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 19))
		type entry struct {
			at            event.Time
			session, line string
		}
		all := make([]entry, r.IntN(3*maxTurns))
		for i := range all {
			all[i] = entry{t0 + event.Time(r.IntN(50)) - 10, []string{"", "a", "b"}[r.IntN(3)], fmt.Sprint("line", r.IntN(4))}
		}
		want := make([]Turn, 0, len(all))
		for _, e := range all {
			var one Turns
			one.Add(e.at, e.session, e.line)
			want = append(want, one.list[0])
		}
		slices.SortFunc(want, Turn.compare)
		want = want[max(0, len(want)-maxTurns):]
		for range 3 {
			r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
			var turns Turns
			for i, e := range all {
				turns.Add(e.at, e.session, e.line)
				if i%40 == 39 {
					b := turns.Append(nil)
					if len(b) > turns.Size() || len(b) > mostTurns {
						t.Fatalf("seed %d: %d bytes, said to be at most %d and %d", seed, len(b), turns.Size(), mostTurns)
					}
					var again Turns
					if rest, err := again.Decode(b); err != nil || len(rest) != 0 {
						t.Fatalf("seed %d: %v, %d bytes left", seed, err, len(rest))
					}
					turns = again
				}
			}
			if !slices.Equal(turns.List(), want) {
				t.Fatalf("seed %d: %v, want %v", seed, turns.List(), want)
			}
		}
	}
}

// Bytes that no version wrote are refused.
func TestCorruptTurns(t *testing.T) {
	var turns Turns
	turns.Add(t0, "s", "a")
	turns.Add(t0+1, "s", "b")
	good := turns.Append(nil)
	for name, b := range map[string][]byte{
		"nothing": {}, "no binary": {0xc0}, "half a turn": append([]byte{0xc4, turnBytes - 1}, make([]byte, turnBytes-1)...),
		"out of order": slices.Concat(good[:2], good[2+turnBytes:], good[2:2+turnBytes]),
		"too many":     append([]byte{0xc5, byte((maxTurns + 1) * turnBytes >> 8), byte((maxTurns + 1) * turnBytes & 0xff)}, make([]byte, (maxTurns+1)*turnBytes)...),
	} {
		if _, err := turns.Decode(b); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
