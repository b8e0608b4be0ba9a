package instance

import (
	"slices"
	"sync/atomic"
)

// Histogram is one series of a histogram at one moment.
type Histogram struct {
	// Name is the histogram's name without prefix, with its unit at the end.
	Name   string
	Help   string
	Labels []Label
	Count  uint64
	Sum    float64
	// Buckets has the number of values up to each bound.
	Buckets map[float64]uint64
}

// The bounds of the buckets.
var (
	secondBounds   = []float64{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30}
	byteBounds     = []float64{1 << 10, 1 << 12, 1 << 14, 1 << 16, 1 << 18, 1 << 20, 1 << 21, 1 << 22, 1 << 24}
	documentBounds = []float64{1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000}
)

// histogram counts values by bounds. It is safe for concurrent use.
type histogram struct {
	bounds []float64
	counts []atomic.Uint64 // one for each bound and one beyond
	// sum is in millionths: a sum of floats can't be added to atomically.
	sum atomic.Int64
}

const sumUnit = 1e6

func newHistogram(bounds []float64) *histogram {
	return &histogram{bounds: bounds, counts: make([]atomic.Uint64, len(bounds)+1)}
}

func (h *histogram) observe(v float64) {
	i, _ := slices.BinarySearch(h.bounds, v)
	h.counts[i].Add(1)
	h.sum.Add(int64(v * sumUnit))
}

func (h *histogram) read(name, help string, labels ...Label) Histogram {
	out := Histogram{Name: name, Help: help, Labels: labels, Buckets: make(map[float64]uint64, len(h.bounds))}
	for i := range h.counts {
		out.Count += h.counts[i].Load()
		if i < len(h.bounds) {
			out.Buckets[h.bounds[i]] = out.Count
		}
	}
	out.Sum = float64(h.sum.Load()) / sumUnit
	return out
}
