package commit

import (
	"fmt"
	"testing"
	"time"
)

// blank is a Model that costs nothing.
type blank struct{ payload []byte }

func (b blank) Fold(Key, Class, []byte, []Contribution) (Folded, error) { return b, nil }
func (b blank) AppendState(dst []byte) []byte                           { return append(dst, b.payload...) }

func (b blank) AppendDocument(dst []byte, state []byte) []byte { return append(dst, state...) }
func (b blank) Effects() []Effect                              { return nil }

// BenchmarkMachine commits chunks of 5,000 documents each, all known to the
// cache; one operation is one document of one chunk. The model and the store
// cost next to nothing.
func BenchmarkMachine(b *testing.B) {
	const documents = 5000
	for _, together := range []int{1, 8} {
		b.Run(fmt.Sprintf("chunks=%d", together), func(b *testing.B) {
			m, err := NewMachine(MachineOptions{Ledger: func(uint32) string { return "ledger" }}, blank{make([]byte, 1000)})
			if err != nil {
				b.Fatal(err)
			}
			var ids []string
			for i := range documents {
				ids = append(ids, fmt.Sprintf("192.0.%d.%d", i/256, i%256))
			}
			now, n := epoch, uint16(0)
			var seq int64
			commit := func() {
				left := together
				for range together {
					n++
					c := chunkOf(n, ids...)
					c.Deadline = now.Add(8 * time.Second)
					m.Submit(c, now, func(r Result) {
						if r != OK {
							b.Fatal("not OK")
						}
						left--
					})
				}
				for r := m.Next(now); r != nil; r = m.Next(now) {
					if r.Kind == Fold {
						r.Fold()
						m.Answer(r, Answer{}, now)
						continue
					}
					b.StopTimer()
					a := Answer{Stored: make([]Stored, len(r.Keys)), Written: make([]Written, len(r.Ops))}
					for i := range a.Written {
						seq++
						a.Written[i] = Written{Status: Done, Version: Version{SeqNo: seq, PrimaryTerm: 1}}
					}
					b.StartTimer()
					m.Answer(r, a, now)
				}
				if left != 0 {
					b.Fatal("chunks are left")
				}
				now = now.Add(time.Second)
			}
			commit()
			b.ReportAllocs()
			b.ResetTimer()
			for i := 0; i < b.N; i += documents * together {
				commit()
			}
		})
	}
}

func BenchmarkDecodeEnvelope(b *testing.B) {
	for _, size := range []int{1 << 10, 64 << 10} {
		b.Run(fmt.Sprintf("payload=%d", size), func(b *testing.B) {
			e := someEnvelope(8, size)
			src := e.append(nil)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := decodeEnvelope(src); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
