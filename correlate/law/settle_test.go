package law

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"sort"
	"testing"

	"dossier/correlate/event"

	"github.com/tinylib/msgp/msgp"
)

// stored is a list as a state holds it: the form that all versions read, and
// the full list that only this one does.
type stored struct{ plain, full []byte }

// oldBottom is what an earlier version makes of its list and more items: the
// keys whose SHA-256 is smallest, and the mark where it cut.
func oldBottom(t *testing.T, was []byte, items []Entry, limit Limit) []byte {
	var b Bottom
	if was != nil {
		if _, err := b.Decode(was); err != nil {
			t.Fatal(err)
		}
	}
	mark := b.old
	merged := map[string]*Entry{}
	var keys []string
	for _, it := range append(slices.Clone(b.entries), items...) {
		e := merged[it.Key]
		if e == nil {
			e = &Entry{Key: it.Key, First: it.First, Last: it.Last}
			merged[it.Key] = e
			keys = append(keys, it.Key)
		}
		e.Count += it.Count
		e.First, e.Last, e.Rank = min(e.First, it.First), max(e.Last, it.Last), max(e.Rank, it.Rank)
		if len(it.Payload) > len(e.Payload) || len(it.Payload) == len(e.Payload) && it.Payload > e.Payload {
			e.Payload = it.Payload
		}
	}
	sort.Slice(keys, func(i, j int) bool { return keyHash(keys[i]) < keyHash(keys[j]) })
	size, n := 0, 0
	for _, key := range keys {
		if mark != 0 && keyHash(key) >= mark {
			break
		}
		size += entryOverhead + text(key) + text(merged[key].Payload)
		if n == limit.Keys || limit.Bytes > 0 && size > limit.Bytes {
			mark = keyHash(key)
			break
		}
		n++
	}
	out := msgp.AppendUint64(msgp.AppendArrayHeader(nil, uint32(1+n)), mark)
	for _, key := range keys[:n] {
		e := merged[key]
		out = msgp.AppendString(msgp.AppendArrayHeader(out, 6), key)
		out = appendTime(msgp.AppendInt64(out, e.Count), e.First)
		out = msgp.AppendUint8(msgp.AppendInt64(out, int64(e.Last-e.First)), e.Rank)
		out = msgp.AppendString(out, e.Payload)
	}
	return out
}

func (s stored) cut(t *testing.T) bool {
	var b Bottom
	if s.plain == nil {
		return false
	}
	if _, err := b.Decode(s.plain); err != nil {
		t.Fatal(err)
	}
	return b.old != 0
}

// newBottom is what this version makes of it.
func newBottom(t *testing.T, was stored, items []Entry, limit Limit, by Rank, foreign bool) (stored, *Bottom) {
	var b Bottom
	b.By(by)
	parts := [][]byte{was.plain, was.full}
	if len(items)%2 == 0 {
		parts[0], parts[1] = parts[1], parts[0]
	}
	for _, part := range parts {
		if part == nil {
			continue
		}
		if rest, err := b.DecodeMore(part); err != nil || len(rest) > 0 {
			t.Fatalf("%v, %d bytes left", err, len(rest))
		}
	}
	b.Settle(&limit, 1<<40, foreign)
	for _, it := range items {
		b.Add(it, limit)
	}
	if b.Full() {
		return stored{full: b.Append(nil)}, &b
	}
	return stored{plain: b.Append(nil)}, &b
}

func randomItems(r *rand.Rand, n, keys int) []Entry {
	items := make([]Entry, n)
	for i := range items {
		at := event.Time(1 + r.IntN(60))
		items[i] = Entry{
			Key: fmt.Sprintf("%0*d", 1+r.IntN(24), r.IntN(keys)), Count: 1 + int64(r.IntN(3)), First: at, Last: at, Rank: uint8(r.IntN(3)),
			Payload: string(bytes.Repeat([]byte{'a' + byte(r.IntN(3))}, r.IntN(30))),
		}
	}
	return items
}

func shuffle(r *rand.Rand, items []Entry) []Entry {
	out := slices.Clone(items)
	r.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

// pieces cuts items into chunks.
func pieces(r *rand.Rand, items []Entry) (out [][]Entry) {
	for len(items) > 0 {
		n := 1 + r.IntN(len(items))
		out, items = append(out, items[:n]), items[n:]
	}
	return out
}

func randomLimit(r *rand.Rand) Limit {
	l := Limit{Keys: 4 + r.IntN(60), Firsts: r.IntN(5), Early: r.IntN(2) == 0}
	if r.IntN(2) == 0 {
		l.Bytes = 300 + r.IntN(3000)
	}
	if r.IntN(3) == 0 {
		l.Entry, l.Payload = 90, 22
	}
	if r.IntN(3) == 0 {
		l.Class, l.Bytes = byLength, 300
		for range 3 {
			l.Shares = append(l.Shares, Share{r.IntN(2) * 500, r.IntN(3)})
			l.Bytes += l.Shares[len(l.Shares)-1].Bytes + r.IntN(300)
		}
	}
	return l
}

// What an earlier version left, cut or not, goes over to this version's law
// once: whatever comes after it gives the same in every order and cut of
// chunks. Where nothing was cut that is what this version would have made of
// all from the start.
func TestEarlierListsGoOver(t *testing.T) {
	cuts := 0
	for seed := range uint64(600) {
		r := rand.New(rand.NewPCG(seed, 11))
		limit := randomLimit(r)
		before := randomItems(r, r.IntN(200), 1+r.IntN(80))
		after := randomItems(r, r.IntN(200), 1+r.IntN(80))
		old := stored{plain: oldBottom(t, nil, before, Limit{Keys: 4 + r.IntN(80), Bytes: 200 + r.IntN(4000)})}
		var want stored
		for round := range 4 {
			s, b := old, (*Bottom)(nil)
			for _, chunk := range append(pieces(r, shuffle(r, after)), nil) {
				s, b = newBottom(t, s, chunk, limit, testRank, false)
			}
			if round == 0 {
				want = s
			} else if !bytes.Equal(s.plain, want.plain) || !bytes.Equal(s.full, want.full) {
				t.Fatalf("seed %d, round %d: the order shows, limit %+v:\n%x\n%x", seed, round, limit, s, want)
			}
			if old.cut(t) {
				if round == 0 {
					cuts++
				}
				if !b.Truncated() {
					t.Fatalf("seed %d: it was cut, and doesn't say so any more", seed)
				}
			} else if limit.Entry == 0 && !limit.Early { // an earlier version kept no early payload
				_, all := newBottom(t, stored{}, append(slices.Clone(before), after...), limit, testRank, false)
				if !bytes.Equal(b.Append(nil), all.Append(nil)) {
					t.Fatalf("seed %d: an uncut list goes over otherwise than it would have come to be, limit %+v:\n%x\n%x", seed, limit, b.Append(nil), all.Append(nil))
				}
			}
		}
	}
	if cuts < 100 {
		t.Errorf("only %d lists were cut before they went over", cuts)
	}
}

// Sensors of an earlier version and of this one fold into one list in turn.
// Nothing counts twice, and while the earlier ones cut nothing, nothing is
// lost either: it is as if this version had seen all.
func TestVersionsTakeTurns(t *testing.T) {
	whole, lost := 0, 0
	for seed := range uint64(600) {
		r := rand.New(rand.NewPCG(seed, 12))
		limit := randomLimit(r)
		limit.Entry, limit.Early = 0, false
		oldLimit := Limit{Keys: 10 + r.IntN(150), Bytes: 500 + r.IntN(10000)}
		items := randomItems(r, 1+r.IntN(300), 1+r.IntN(100))
		counts := map[string]int64{}
		var s stored
		cut := false
		for i, chunk := range pieces(r, items) {
			for _, it := range chunk {
				counts[it.Key] += it.Count
			}
			if i%2 == 1 {
				s.plain = oldBottom(t, s.plain, chunk, oldLimit)
				cut = cut || s.cut(t)
			} else {
				s, _ = newBottom(t, s, chunk, limit, testRank, false)
			}
		}
		_, b := newBottom(t, s, nil, limit, testRank, false)
		for _, e := range b.Entries() {
			if e.Count > counts[e.Key] {
				t.Fatalf("seed %d: %q counts %d times, it came %d times", seed, e.Key, e.Count, counts[e.Key])
			}
		}
		if cut {
			lost++
			continue
		}
		whole++
		_, all := newBottom(t, stored{}, items, limit, testRank, false)
		if !bytes.Equal(b.Append(nil), all.Append(nil)) {
			t.Fatalf("seed %d: limit %+v:\n%x\nwant\n%x", seed, limit, b.Append(nil), all.Append(nil))
		}
	}
	if whole < 100 || lost < 100 {
		t.Errorf("%d lists were kept whole, %d cut by an earlier version: want both", whole, lost)
	}
}

// A list that another Rank has cut is ranked anew, once, and goes on in any
// order.
func TestAnotherRanksListGoesOver(t *testing.T) {
	other := NewRank([RankKeySize]byte{9})
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 13))
		limit := randomLimit(r)
		was, _ := newBottom(t, stored{}, randomItems(r, 200, 90), limit, other, false)
		after := randomItems(r, r.IntN(200), 90)
		var want []byte
		for round := range 4 {
			s, b := was, (*Bottom)(nil)
			foreign := was.full != nil
			for _, chunk := range append(pieces(r, shuffle(r, after)), nil) {
				s, b = newBottom(t, s, chunk, limit, testRank, foreign)
				foreign = false
			}
			got := b.Append(nil)
			if round == 0 {
				want = got
			} else if !bytes.Equal(got, want) {
				t.Fatalf("seed %d, round %d: the order shows:\n%x\n%x", seed, round, got, want)
			}
		}
	}
}

// oldDistinct is what an earlier version wrote.
func oldDistinct(keys []string, n int) []byte {
	var hashes []uint64
	for _, k := range keys {
		hashes = append(hashes, keyHash(k))
	}
	slices.Sort(hashes)
	hashes = slices.Compact(hashes)
	cut := len(hashes) > n
	hashes = hashes[:min(n, len(hashes))]
	b := msgp.AppendBool(msgp.AppendArrayHeader(nil, 2), cut)
	b = msgp.AppendBytesHeader(b, uint32(8*len(hashes)))
	for _, h := range hashes {
		b = binary.BigEndian.AppendUint64(b, h)
	}
	return b
}

// The same of counts: exact ones go over exactly, whatever an earlier version
// estimated is believed no further than so many items can have made it.
func TestEarlierCountsGoOver(t *testing.T) {
	const n, seen = 64, 100
	names := func(r *rand.Rand, count int) (out []string) {
		for range count {
			out = append(out, fmt.Sprint(r.IntN(300)))
		}
		return out
	}
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 14))
		before, beside, after := names(r, r.IntN(200)), names(r, r.IntN(100)), names(r, r.IntN(300))
		old, pile := oldDistinct(before, n), oldDistinct(beside, n)
		var want []byte
		for round := range 4 {
			r.Shuffle(len(after), func(i, j int) { after[i], after[j] = after[j], after[i] })
			var d Distinct
			d.By(testRank)
			if _, err := d.Decode(old); err != nil {
				t.Fatal(err)
			}
			d.Settle(n, seen, false)
			if d.Full() && len(beside) > 0 {
				if _, err := d.DecodeMore(pile); err != nil {
					t.Fatal(err)
				}
				d.Settle(n, seen, false)
			}
			for i, key := range after {
				d.Add(key, n)
				if (i+round)%40 == 7 {
					wire := d.Append(nil)
					if len(wire) > d.Size() {
						t.Fatalf("seed %d: %d bytes, said to be at most %d", seed, len(wire), d.Size())
					}
					if _, err := d.Decode(wire); err != nil {
						t.Fatal(err)
					}
					d.Settle(n, seen, false)
				}
			}
			if round == 0 {
				want = d.Append(nil)
			} else if !bytes.Equal(d.Append(nil), want) {
				t.Fatalf("seed %d: the order shows", seed)
			}
			all := map[string]bool{}
			for _, k := range append(slices.Clone(before), after...) {
				all[k] = true
			}
			if !d.Full() && d.Count() != int64(len(all)) {
				t.Fatalf("seed %d: %d keys, counted %d", seed, len(all), d.Count())
			}
			if most := int64(max(seen, len(before)+len(beside)+len(after))); d.Count() > most {
				t.Fatalf("seed %d: counted %d of at most %d", seed, d.Count(), most)
			}
		}
	}
}

// The oldest items beside the newest: a list that an earlier version has cut
// goes on with what is left of it.
func TestEarlierNewestGoesOver(t *testing.T) {
	limit := Limit{Keys: 6, Firsts: 3}
	var old Newest
	for i := range 12 {
		old.Add(Item{Time: event.Time(i), C: fmt.Sprint(i)}, Limit{Keys: 6})
	}
	wire := old.Append(nil)
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 15))
		var n Newest
		if _, err := n.Decode(wire); err != nil {
			t.Fatal(err)
		}
		n.Settle(&limit)
		for _, i := range r.Perm(20) {
			n.Add(Item{Time: event.Time(i + 7), C: fmt.Sprint("n", i)}, limit)
		}
		got := ""
		for _, it := range append(slices.Clone(n.Gone()), n.Items()...) {
			got += " " + it.C
		}
		if want := " 6 7 n0 n14 n15 n16 n17 n18 n19"; got != want {
			t.Fatalf("seed %d:%s, want%s", seed, got, want)
		}
	}
}

// Texts are cut with a mark, at a character, and stay apart.
func TestShorten(t *testing.T) {
	long := string(bytes.Repeat([]byte("ä"), 100))
	one, other := Shorten(long+"1", 60), Shorten(long+"2", 60)
	if one == other || len(one) > 60 || !Shortened(one) || Shortened(long) || Shorten(one, 60) != one || one[:2] != "ä" {
		t.Errorf("%q and %q", one, other)
	}
	if key := shortenPart("ssh\x00"+long+"\x00plaintext", 1, 60); len(key) > 60 || key[:4] != "ssh\x00" || key[len(key)-10:] != "\x00plaintext" {
		t.Errorf("%q", key)
	}
}
