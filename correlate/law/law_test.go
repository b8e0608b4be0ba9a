package law

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"dossier/correlate/event"
)

// A law under test folds numbered items and shows what it holds.
type subject interface {
	add(r *rand.Rand, i int)
	Append([]byte) []byte
	Decode([]byte) ([]byte, error)
	Size() int
}

type bottomSubject struct {
	Bottom
	limit Limit
}

func (s *bottomSubject) add(r *rand.Rand, _ int) {
	key := fmt.Sprintf("%0*d", 1+r.IntN(20), r.IntN(40))
	at := event.Time(1 + r.IntN(50))
	s.Add(Entry{
		Key: key, Count: 1 + int64(r.IntN(3)), First: at, Last: at, Rank: uint8(r.IntN(3)),
		Payload: string(bytes.Repeat([]byte{'a' + byte(r.IntN(3))}, r.IntN(30))),
	}, s.limit)
}

func (s *bottomSubject) settle() { s.Settle(&s.limit, 1000, false) }

// settler is a law that must be brought under its limit after it was read.
type settler interface{ settle() }

// testRank is a Rank like any other.
var testRank = NewRank([RankKeySize]byte{1, 2, 3, 4, 5, 6, 7, 8, 9})

// ranked returns a Bottom that ranks by testRank.
func ranked() (b Bottom) {
	b.By(testRank)
	return b
}

// byLength is three classes of keys.
func byLength(key string) int { return len(key) % 3 }

type newestSubject struct {
	Newest
	limit Limit
}

func (s *newestSubject) settle() { s.Settle(&s.limit) }

func (s *newestSubject) Append(b []byte) []byte {
	return append(s.Newest.Append(b), s.Oldest.Append(nil)...)
}

func (s *newestSubject) Size() int { return s.Newest.Size() + s.Oldest.Size() }

func (s *newestSubject) Decode(b []byte) ([]byte, error) {
	b, err := s.Newest.Decode(b)
	if err != nil {
		return b, err
	}
	return s.Oldest.Decode(b)
}

func (s *newestSubject) add(r *rand.Rand, _ int) {
	s.Add(Item{event.Time(r.IntN(30)), "decky", "ssh", string(bytes.Repeat([]byte{'a' + byte(r.IntN(3))}, r.IntN(40)))}, s.limit)
}

type firstSubject struct {
	First
	limit Limit
}

func (s *firstSubject) add(r *rand.Rand, _ int) {
	key := r.IntN(6)
	s.Add(Item{event.Time(r.IntN(60)), fmt.Sprintf("%0*d", 1+key*key, key), fmt.Sprint(r.IntN(4)), string(bytes.Repeat([]byte("ä"), r.IntN(9)))}, s.limit)
}

type hoursSubject struct{ Hours }

func (s *hoursSubject) add(r *rand.Rand, _ int) {
	s.Add(event.Time(r.Int64N(20*int64(length)))-3*length, 6)
}

type timesSubject struct {
	Times
	n int
}

func (s *timesSubject) add(r *rand.Rand, _ int) { s.Add(event.Time(r.IntN(40)), s.n) }

type latestSubject struct{ Latest }

func (s *latestSubject) add(r *rand.Rand, _ int) {
	s.Add(event.Time(1+r.IntN(10)), fmt.Sprint(r.IntN(9)))
}

type distinctSubject struct{ Distinct }

func (s *distinctSubject) settle() { s.Settle(12, 1000, false) }

func (s *distinctSubject) add(r *rand.Rand, _ int) { s.Add(fmt.Sprint(r.IntN(30)), 12) }

// Every law must hold the same, to the byte, for every order of arrival, also
// where it is written and read in between.
func TestOrderFree(t *testing.T) {
	subjects := map[string]func() subject{
		"bottom keys":   func() subject { return &bottomSubject{ranked(), Limit{Keys: 10}} },
		"bottom bytes":  func() subject { return &bottomSubject{ranked(), Limit{Keys: 30, Bytes: 600}} },
		"bottom firsts": func() subject { return &bottomSubject{ranked(), Limit{Keys: 10, Firsts: 4}} },
		"bottom early":  func() subject { return &bottomSubject{ranked(), Limit{Keys: 20, Bytes: 700, Firsts: 5, Early: true}} },
		"bottom short": func() subject {
			return &bottomSubject{ranked(), Limit{Keys: 20, Bytes: 700, Entry: 82, Payload: 20, Firsts: 3}}
		},
		"bottom shares": func() subject {
			return &bottomSubject{ranked(), Limit{Class: byLength, Bytes: 1100, Shares: []Share{{300, 2}, {200, 0}, {300, 3}}}}
		},
		"newest count":  func() subject { return &newestSubject{limit: Limit{Keys: 10}} },
		"newest bytes":  func() subject { return &newestSubject{limit: Limit{Keys: 30, Bytes: 200}} },
		"newest oldest": func() subject { return &newestSubject{limit: Limit{Keys: 9, Firsts: 4, Entry: 50}} },
		"first":         func() subject { return &firstSubject{limit: Limit{Keys: 8, Note: 4}} },
		"first bytes":   func() subject { return &firstSubject{limit: Limit{Keys: 20, Bytes: 300, Note: 9}} },
		"hours":         func() subject { return &hoursSubject{} },
		"times":         func() subject { return &timesSubject{n: 16} },
		"distinct":      func() subject { return &distinctSubject{} },
		"latest":        func() subject { return &latestSubject{} },
	}
	for name, make := range subjects {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(400) {
				n := 1 + int(seed%60)
				order := rand.New(rand.NewPCG(seed, 1)).Perm(n)
				var want []byte
				for shuffle := range 6 {
					s := make()
					for _, i := range order {
						s.add(rand.New(rand.NewPCG(seed, uint64(i)+100)), i)
						if shuffle%2 == 1 && i%5 == 0 {
							wire := s.Append(nil)
							s2 := make()
							rest, err := s2.Decode(wire)
							if err != nil || len(rest) != 0 {
								t.Fatalf("seed %d: decode: %v, %d bytes left", seed, err, len(rest))
							}
							s = s2
							if s, ok := s.(settler); ok {
								s.settle()
							}
						}
					}
					got := s.Append(nil)
					if len(got) > s.Size() {
						t.Fatalf("seed %d: %d bytes, said to be at most %d", seed, len(got), s.Size())
					}
					if want == nil {
						want = got
					} else if !bytes.Equal(got, want) {
						t.Fatalf("seed %d, shuffle %d: the order of arrival shows:\n%x\n%x", seed, shuffle, want, got)
					}
					r := rand.New(rand.NewPCG(seed, uint64(shuffle)))
					r.Shuffle(n, func(i, j int) { order[i], order[j] = order[j], order[i] })
				}
			}
		})
	}
}

func TestBottomKeepsExactAttributesAndEstimates(t *testing.T) {
	const keys, limit = 20000, 256
	var b Bottom
	for round := range 3 {
		for i := range keys {
			at := event.Time(1 + round)
			b.Add(Entry{Key: fmt.Sprint("user", i), Count: 1, First: at, Last: at}, Limit{Keys: limit})
		}
	}
	if b.Len() != limit || !b.Truncated() {
		t.Fatalf("kept %d keys, truncated %v; want %d, true", b.Len(), b.Truncated(), limit)
	}
	for _, e := range b.Entries() {
		if e.Count != 3 || e.First != 1 || e.Last != 3 {
			t.Fatalf("%s: count %d, first %d, last %d; want 3, 1, 3", e.Key, e.Count, e.First, e.Last)
		}
	}
	// Four standard errors.
	if got := b.Distinct(); got < keys*3/4 || got > keys*5/4 {
		t.Errorf("estimated %d distinct keys of %d", got, keys)
	}
}

func TestBottomCountsExactlyBelowItsLimit(t *testing.T) {
	var b Bottom
	for i := range 64 {
		b.Add(Entry{Key: fmt.Sprint(i), Count: 1}, Limit{Keys: 64})
	}
	if b.Distinct() != 64 || b.Truncated() {
		t.Errorf("distinct %d, truncated %v; want 64, false", b.Distinct(), b.Truncated())
	}
}

func FuzzDecode(f *testing.F) {
	var b Bottom
	b.Add(Entry{Key: "root", Count: 2, First: 1, Last: 9, Payload: "x"}, Limit{Keys: 4})
	f.Add(b.Append(nil))
	var n Newest
	n.Add(Item{1, "a", "b", "c"}, Limit{Keys: 4})
	f.Add(n.Append(nil))
	var ts Times
	ts.Add(5, 4)
	f.Add(ts.Append(nil))
	var h Hours
	h.Add(5, 4)
	f.Add(h.Append(nil))
	f.Add([]byte{0xdd, 0xff, 0xff, 0xff, 0xff, 0xc2})
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, s := range []subject{&bottomSubject{}, &newestSubject{}, &firstSubject{}, &timesSubject{}, &latestSubject{}, &distinctSubject{}, &hoursSubject{}} {
			if _, err := s.Decode(data); err != nil {
				continue
			}
			// What was accepted must survive a round trip.
			wire := s.Append(nil)
			if _, err := s.Decode(wire); err != nil {
				t.Fatalf("%T: own encoding refused: %v", s, err)
			}
		}
	})
}

func TestDistinctIsExactThenEstimates(t *testing.T) {
	var d Distinct
	for i := range 256 {
		d.Add(fmt.Sprint(i), 256)
		d.Add(fmt.Sprint(i), 256)
	}
	if d.Count() != 256 || d.Truncated() {
		t.Errorf("count %d, truncated %v; want 256, false", d.Count(), d.Truncated())
	}
	for i := range 50_000 {
		d.Add(fmt.Sprint(i), 256)
	}
	if got := d.Count(); got < 37_500 || got > 62_500 || !d.Truncated() {
		t.Errorf("estimated %d of 50000, truncated %v", got, d.Truncated())
	}
}
