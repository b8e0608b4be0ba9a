package law

import (
	"fmt"
	"testing"

	"dossier/correlate/event"
)

// An hour has its first microsecond and its last, and not the next one's; what
// is older than the newest hours kept is left out.
func TestHoursByValue(t *testing.T) {
	const base = 490_000 * length
	for _, tt := range []struct {
		at   []event.Time
		n    int
		want string
	}{
		{[]event.Time{base, base + length - 1}, 3, "[{0 2}]"},
		{[]event.Time{base, base + length}, 3, "[{0 1} {1 1}]"},
		{[]event.Time{base + length, base}, 3, "[{0 1} {1 1}]"},
		{[]event.Time{base + length, base + length - 1}, 3, "[{0 1} {1 1}]"},
		{[]event.Time{base, base - 1}, 3, "[{-1 1} {0 1}]"},
		{[]event.Time{base, base + 2*length, base + length, base + 5*length}, 3, "[{1 1} {2 1} {5 1}]"},
		{[]event.Time{base, base + length, base - length, base - length}, 2, "[{0 1} {1 1}]"},
		{[]event.Time{base, base + length, base + 2*length, base + length + 1, base}, 2, "[{1 2} {2 1}]"},
		{[]event.Time{base + length, base + 2*length, base, base + 1}, 2, "[{1 1} {2 1}]"},
	} {
		var h Hours
		for _, at := range tt.at {
			h.Add(at, tt.n)
		}
		list := append([]Hour(nil), h.List()...)
		for i := range list {
			list[i].Start = (list[i].Start - base) / length
		}
		if got := fmt.Sprint(list); got != tt.want {
			t.Errorf("%v, %d hours: %s, want %s", tt.at, tt.n, got, tt.want)
		}
	}
	for at, want := range map[event.Time]event.Time{0: 0, 1: 0, length - 1: 0, length: length, -1: -length, -length: -length, -length - 1: -2 * length} {
		if got := at.Hour(); got != want {
			t.Errorf("%d is in hour %d, want %d", at, got, want)
		}
	}
}
