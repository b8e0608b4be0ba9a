package esindex_test

import (
	"fmt"
	"strings"
	"testing"

	"dossier/correlate/commit"
	"dossier/testbed/esnode"
)

// BenchmarkStore replaces and reads 5,000 documents of 1.6 KB by compare-and-
// set on a real node.
func BenchmarkStore(b *testing.B) {
	s := newSite(b, esnode.Shared(b), nil)
	const docs = 5000
	body := doc(strings.Repeat("s", 900), `,"name":"`+strings.Repeat("x", 300)+`","count":1`)
	ops := make([]commit.Op, docs)
	keys := make([]commit.Key, docs)
	for i := range ops {
		keys[i] = s.things(fmt.Sprint(i))
		ops[i] = commit.Op{Key: keys[i], Body: body}
	}
	done := func(w []commit.Written) {
		for i := range w {
			if w[i].Status != commit.Done {
				b.Fatalf("%+v", w[i])
			}
			ops[i].Kind, ops[i].Version = commit.Replace, w[i].Version
		}
	}
	done(write(b, s.store, ops...))
	b.Run("write", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			done(write(b, s.store, ops...))
		}
		b.ReportMetric(float64(b.N)*docs/b.Elapsed().Seconds(), "docs/s")
	})
	b.Run("read", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if r := read(b, s.store, keys...); !r[docs-1].Exists {
				b.Fatal("missing")
			}
		}
		b.ReportMetric(float64(b.N)*docs/b.Elapsed().Seconds(), "docs/s")
	})
}
