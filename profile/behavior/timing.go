// Package behavior says how an attacker behaves: the statistics of its event
// times, the class of behaviour they stand for, how much it looks like a
// beacon, and what its packets tell of its system.
//
// Everything here is a pure function of the attacker's state.
package behavior

import (
	"math"
	"slices"
	"strconv"

	"dossier/correlate/event"
)

// Timing has the statistics of the intervals between events, in seconds,
// rounded to three decimals (CV to four). The statistics are those of DECNET
// 1.0.0: the standard deviation is the population's; sums are exact and
// rounded once, as Python's fmean and pstdev do.
type Timing struct {
	// Events is the number of times the statistics are over.
	Events int
	// Duration is from the oldest to the newest time.
	Duration float64
	// Intervals says that there is at least one interval. Without, the
	// fields below mean nothing.
	Intervals                      bool
	Mean, Median, StdDev, Min, Max float64
	// Varies says that CV has a value: that the mean is not zero.
	Varies bool
	// CV is the coefficient of variation, StdDev by Mean, of the unrounded
	// values.
	CV float64
}

// Time computes the statistics of times, which ascend. scratch is memory to
// work in; it is returned, grown where that was needed.
func Time(times []event.Time, scratch []float64) (Timing, []float64) {
	t := Timing{Events: len(times)}
	if len(times) == 0 {
		return t, scratch
	}
	t.Duration = Round(seconds(times[len(times)-1]-times[0]), 3)
	if len(times) == 1 {
		return t, scratch
	}
	intervals := scratch[:0]
	for i, at := range times[1:] {
		intervals = append(intervals, seconds(at-times[i]))
	}
	n := float64(len(intervals))
	sum := total(intervals)
	mean := sum.value() / n
	stdev := sum.over(n).deviation(intervals)
	slices.Sort(intervals)
	t.Intervals = true
	t.Mean = Round(mean, 3)
	t.Median = Round(median(intervals), 3)
	t.StdDev = Round(stdev, 3)
	t.Min = Round(intervals[0], 3)
	t.Max = Round(intervals[len(intervals)-1], 3)
	if mean != 0 {
		t.Varies = true
		t.CV = Round(stdev/mean, 4)
	}
	return t, intervals
}

func seconds(d event.Time) float64 { return float64(d) / 1e6 }

// median returns the median of ascending values: of an even number of them
// the mean of the middle two.
func median(v []float64) float64 {
	n := len(v)
	if n%2 == 1 {
		return v[n/2]
	}
	return (v[n/2-1] + v[n/2]) / 2
}

// Round rounds v to a number of decimals, correctly: by the exact binary
// value, ties to even.
func Round(v float64, decimals int) float64 {
	var b [64]byte
	r, err := strconv.ParseFloat(string(strconv.AppendFloat(b[:0], v, 'f', decimals, 64)), 64)
	if err != nil {
		return v
	}
	return r
}

// double is an unevaluated sum of two float64, about 106 bits wide (Dekker,
// "A floating-point technique for extending the available precision", 1971).
// Sums of a few hundred intervals in it are as good as exact: only a true
// value within 10⁻²⁹ of a rounding tie could come out on the other side.
type double struct{ hi, lo float64 }

func (d double) value() float64 { return d.hi + d.lo }

func twoSum(a, b float64) double {
	s := a + b
	v := s - a
	return double{s, (a - (s - v)) + (b - v)}
}

func twoProduct(a, b float64) double {
	p := a * b
	return double{p, math.FMA(a, b, -p)}
}

// normal returns the same value with lo as small as can be.
func normal(hi, lo float64) double {
	s := hi + lo
	return double{s, lo - (s - hi)}
}

func (d double) plus(e double) double {
	s, t := twoSum(d.hi, e.hi), twoSum(d.lo, e.lo)
	n := normal(s.hi, s.lo+t.hi)
	return normal(n.hi, n.lo+t.lo)
}

func (d double) times(e double) double {
	p := twoProduct(d.hi, e.hi)
	return normal(p.hi, p.lo+d.hi*e.lo+d.lo*e.hi)
}

// over returns d divided by n.
func (d double) over(n float64) double {
	q := d.hi / n
	p := twoProduct(q, n)
	return normal(q, (d.hi-p.hi-p.lo+d.lo)/n)
}

func total(v []float64) double {
	var s double
	for _, x := range v {
		s = s.plus(double{hi: x})
	}
	return s
}

// deviation returns the population standard deviation of v, whose mean is d.
func (d double) deviation(v []float64) float64 {
	var squares double
	for _, x := range v {
		diff := double{hi: x}.plus(double{-d.hi, -d.lo})
		squares = squares.plus(diff.times(diff))
	}
	variance := squares.over(float64(len(v)))
	if variance.hi <= 0 {
		return 0
	}
	// One step of Newton's method from the rounded root.
	root := math.Sqrt(variance.hi)
	p := twoProduct(root, root)
	rest := variance.plus(double{-p.hi, -p.lo})
	return root + rest.value()/(2*root)
}
