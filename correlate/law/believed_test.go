package law

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"dossier/correlate/event"
)

// fullList is a list of n keys that has room for a few, ranked by r.
func fullList(r Rank, n int, limit *Limit) *Bottom {
	var b Bottom
	b.By(r)
	for i := range n {
		b.See(fmt.Sprint("key-", i), event.Time(n-i), 0, "", limit)
	}
	return &b
}

// TestEstimatesOfOthersAreBelievedWithinBounds: a mark is a number in a document
// that somebody else may have written. A list goes on from what it stands for, and
// never claims more keys than there were items.
func TestEstimatesOfOthersAreBelievedWithinBounds(t *testing.T) {
	limit := Limit{Keys: 8, Bytes: 4096, Entry: 64}
	const seen, least = 50, 40
	for _, tt := range []struct {
		name string
		list func() *Bottom
		rank bool // another's
		most int64
	}{
		{"another rank's", func() *Bottom {
			b := fullList(Rank{1, 2}, seen, &limit)
			b.classes[0].mark = 1 << 20
			return b
		}, true, seen},
		{"beside a full list", func() *Bottom {
			b := fullList(Rank{1, 2}, seen, &limit)
			e := Entry{Key: "one more", Count: 1, First: 1, Last: 1}
			// Of keys whose hashes are all small there would be very many.
			for i := 0; len(b.pile) < 3; i++ {
				if e.Key = fmt.Sprint("p", i); keyHash(e.Key) < 1<<54 {
					b.pile = append(b.pile, e)
				}
			}
			b.pileOld = 1 << 54
			return b
		}, false, seen + 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := tt.list()
			b.Settle(&limit, seen, tt.rank)
			if n := b.Distinct(); n < least || n > tt.most {
				t.Errorf("%d keys, want %d to %d", n, least, tt.most)
			}
		})
	}
	var b Bottom
	b.By(Rank{1, 2})
	b.rank(&limit)
	b.before = 900
	b.See("a", 1, 0, "", &limit)
	if n := b.Distinct(); n != 900 {
		t.Errorf("%d keys, an earlier version knew of 900", n)
	}
}

// TestOrderedTakesTurns: where not all can be shown, one that came first and one that
// comes first by rank are shown in turn.
func TestOrderedTakesTurns(t *testing.T) {
	r := Rank{3, 4}
	limit := Limit{Keys: 40, Bytes: 4096, Entry: 64, Firsts: 4}
	b := fullList(r, 100, &limit)
	first := slices.Clone(b.Entries())
	for i := range first {
		first[i].hash = r.of(first[i].Key)
	}
	ranked := slices.Clone(first)
	slices.SortFunc(first, compareFirst)
	slices.SortFunc(ranked, compareRank)
	var want []string
	for i := range first {
		for _, key := range []string{first[i].Key, ranked[i].Key} {
			if !slices.Contains(want, key) {
				want = append(want, key)
			}
		}
	}
	var got []string
	for _, e := range b.Ordered() {
		got = append(got, e.Key)
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

// TestShortenedAlikeEitherWay: it doesn't matter which of the two was cut.
func TestShortenedAlikeEitherWay(t *testing.T) {
	long, other := strings.Repeat("x", 100), strings.Repeat("x", 99)+"y"
	short := Shorten(long, 60)
	for _, tt := range []struct {
		a, b string
		want bool
	}{
		{long, long, true},
		{short, long, true},
		{long, short, true},
		{Shorten(long, 50), short, true},
		{long, other, false},
		{short, other, false},
		{other, short, false},
		{short, Shorten(other, 60), false},
	} {
		if got := ShortenedAlike(tt.a, tt.b); got != tt.want {
			t.Errorf("%.70q and %.70q: %v", tt.a, tt.b, got)
		}
	}
}

// TestLatestBeforeTheEpoch: a clock may stand before 1970, and what was seen then is
// newer than nothing.
func TestLatestBeforeTheEpoch(t *testing.T) {
	var l Latest
	l.Add(-7, "old")
	if l.Time != -7 || l.Value != "old" {
		t.Errorf("got %+v", l)
	}
	l.Add(-9, "older")
	l.Add(-7, "nude") // of one time the larger
	l.Add(-5, "new")
	l.Add(-5, "net")
	if l.Time != -5 || l.Value != "new" {
		t.Errorf("got %+v", l)
	}
}
