package commit

import "testing"

// A marker need not be written again where it is there as it is, or with fewer
// exceptions; with more it must.
func TestLedgerKnowsMarkers(t *testing.T) {
	x, y := exception(key("x")), exception(key("y"))
	for _, tt := range []struct {
		there, marker string
		want          bool
	}{
		{"", "", true}, {x, x, true}, {x + y, x + y, true}, {"", x, true}, {x, x + y, true}, {x, "", false}, {x + y, x, false},
	} {
		l := newLedger(3)
		id := chunkOf(1).ID
		l.add(id, tt.there)
		if got := l.knows(marker{applied: applied{id: id}, except: tt.marker}); got != tt.want {
			t.Errorf("there with %d exceptions, wanted with %d: known %v", len(tt.there)/8, len(tt.marker)/8, got)
		}
		if l.knows(marker{applied: applied{id: chunkOf(2).ID}, except: tt.marker}) {
			t.Error("it knows another chunk's marker")
		}
	}
}
