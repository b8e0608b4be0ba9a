package commit

import "testing"

// A marker need not be written again where it is there as it is, or with some
// of its exceptions only; with one that it doesn't have it must, however many
// there are.
func TestLedgerKnowsMarkers(t *testing.T) {
	x, y := exception(key("x")), exception(key("y"))
	for _, tt := range []struct {
		there, marker exceptions
		want          bool
	}{
		{"", "", true},
		{x, x, true},
		{x + y, x + y, true},
		{"", x, true},
		{x, x + y, true},
		{x, "", false},
		{x + y, x, false},
		{x, y, false},
		{x + y, y + x, true},
		{y, x + y, true},
		{exceptAll, exceptAll, true},
		{x, exceptAll, true},
		{exceptAll, x, false},
		{exceptAll, "", false},
		{"", exceptAll, true},
	} {
		l := newLedger(3)
		id := chunkOf(1).ID
		l.add(id, tt.there)
		if got := l.knows(marker{applied: applied{id: id}, except: tt.marker}); got != tt.want {
			t.Errorf("there but for %x, wanted but for %x: known %v", tt.there, tt.marker, got)
		}
		if l.knows(marker{applied: applied{id: chunkOf(2).ID}, except: tt.marker}) {
			t.Error("it knows another chunk's marker")
		}
	}
}
