package law

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"dossier/correlate/event"
)

// settled returns the list as it is when it was written and read again.
func settled(t *testing.T, b *Bottom, limit *Limit) *Bottom {
	t.Helper()
	out := new(Bottom)
	rest, err := out.Decode(b.Append(nil))
	if err != nil || len(rest) > 0 {
		t.Fatal(err, len(rest))
	}
	out.Settle(limit, 1<<40, false)
	return out
}

// TestRemove: of a key that is taken out nothing is left, and a list that isn't
// full is as if it had never come; what comes after gives the same in every order.
func TestRemove(t *testing.T) {
	for seed := range uint64(400) {
		r := rand.New(rand.NewPCG(seed, 7))
		limit := Limit{Keys: 1 + r.IntN(90), Early: r.IntN(2) == 0, Firsts: r.IntN(6)}
		if r.IntN(3) == 0 {
			limit.Class, limit.Bytes = byLength, 1000
			for range 3 {
				limit.Shares = append(limit.Shares, Share{r.IntN(3) * 300, r.IntN(4)})
			}
		}
		items := make([]Entry, 1+r.IntN(300))
		for i := range items {
			at := event.Time(1 + r.IntN(50))
			items[i] = Entry{Key: fmt.Sprint("key-", r.IntN(120)), Count: 1, First: at, Last: at, Payload: fmt.Sprint(r.IntN(20))}
		}
		gone := items[r.IntN(len(items))].Key
		var b, never Bottom
		for _, it := range items {
			b.Add(it, limit)
			if it.Key != gone {
				never.Add(it, limit)
			}
		}
		is := settled(t, &b, &limit)
		was, distinct := is.Append(nil), is.Distinct()
		if kept := is.Get(gone) != nil; is.Remove(gone, &limit) != kept {
			t.Fatalf("seed %d: kept %v", seed, kept)
		} else if !kept && (!bytes.Equal(is.Append(nil), was) || is.Distinct() != distinct) {
			t.Fatalf("seed %d: a key that isn't there changes the list", seed)
		}
		if is.Get(gone) != nil || bytes.Contains(is.Append(nil), append([]byte{byte(0xa0 | len(gone))}, gone...)) || is.Remove(gone, &limit) {
			t.Fatalf("seed %d: %s is still there", seed, gone)
		}
		if !is.Full() && !bytes.Equal(is.Append(nil), never.Append(nil)) && !never.Full() {
			t.Fatalf("seed %d: it is not as if it had never come", seed)
		}
		if n := is.Distinct(); n < int64(is.Len()) || n > is.seen && is.Full() && is.Len() > 0 {
			t.Fatalf("seed %d: %d distinct, %d kept of %d items", seed, n, is.Len(), is.seen)
		}
		again := settled(t, is, &limit)
		if !bytes.Equal(again.Append(nil), is.Append(nil)) || again.Size() != is.Size() || again.Distinct() != is.Distinct() {
			t.Fatalf("seed %d: it reads back as another: %d and %d bytes, %d and %d distinct", seed, is.Size(), again.Size(), is.Distinct(), again.Distinct())
		}
		for _, it := range items {
			is.Add(it, limit)
		}
		r.Shuffle(len(items), func(i, j int) { items[i], items[j] = items[j], items[i] })
		for _, it := range items {
			again.Add(it, limit)
		}
		if !bytes.Equal(again.Append(nil), is.Append(nil)) {
			t.Fatalf("seed %d: what comes after depends on its order", seed)
		}
	}
}

// TestRemoveEstimates: over all keys, kept and cut, taking one out takes one from the
// estimate on the average.
func TestRemoveEstimates(t *testing.T) {
	limit := Limit{Keys: 128, Firsts: 4}
	const keys, lists = 1000, 10
	fell := 0.0
	for n := range lists {
		var b Bottom
		for k := range keys {
			b.Add(Entry{Key: fmt.Sprint(n, "-", k), Count: 3, First: event.Time(1 + k), Last: event.Time(1 + k)}, limit)
		}
		state, was := b.Append(nil), b.Distinct()
		for k := range keys {
			var one Bottom
			if _, err := one.Decode(state); err != nil {
				t.Fatal(err)
			}
			one.Settle(&limit, 1<<40, false)
			one.Remove(fmt.Sprint(n, "-", k), &limit)
			fell += float64(was - one.Distinct())
		}
	}
	if mean := fell / (keys * lists); mean < 0.9 || mean > 1.1 {
		t.Errorf("the estimate falls by %.2f, want 1", mean)
	}
}
