package behavior

import (
	"math"
	"slices"

	"dossier/correlate/event"
	"dossier/correlate/law"
)

const (
	day  = event.Time(24 * 3600 * 1e6)
	bins = 24
	// Below these numbers of hours with contacts nothing is said about the
	// hours' heights or about duration.
	minHoursBimodal  = 11
	minHoursDuration = 6
	// consistentHours is the run of hours that counts as full consistency.
	consistentHours = 12
	// strobe is the number of contacts in a day from which on they are one a
	// second, and no beacon any more.
	strobe = 86400
	// heightStep groups hours whose heights differ by less than this part of
	// the highest.
	heightStep = 0.05
)

// Beacon says how regular contacts are, from 0 to 1. The mathematics is that
// of RITA v5 (Active Countermeasures), which judges a day of connections by
// their times, sizes, histogram and duration. A decoy sees no sizes: their
// weight is shared equally by the others. RITA's day of capture becomes the
// 24 hours before the newest time.
type Beacon struct {
	// Strobe says that there are so many contacts that they are no beacon:
	// there are no scores then.
	Strobe bool
	// Score is the mean of the sub-scores.
	Score float64
	// Times judges the intervals: that they lie evenly around their median
	// (Bowley skewness) and near to it (median absolute deviation).
	Times float64
	// Histogram judges how even the hours are, or how well they fall into
	// two heights.
	Histogram float64
	// Duration judges how much of the day is covered, or how long without a
	// gap.
	Duration float64
}

// Score judges times, which ascend and all of which lie in the window where
// whole is false. hours counts the contacts of the newest hours, also of those
// that times doesn't hold. It returns false where there is nothing to say:
// there are less than four different seconds or three intervals. scratch is
// memory to work in; it is returned, grown where that was needed.
func Score(times []event.Time, whole bool, hours []law.Hour, scratch []float64) (Beacon, bool, []float64) {
	if len(times) < 4 {
		return Beacon{}, false, scratch
	}
	last := times[len(times)-1]
	first, _ := slices.BinarySearch(times, last-day)
	inside := times[first:]
	intervals := scratch[:0]
	distinct := 1
	for i := 1; i < len(inside); i++ {
		if d := second(inside[i]) - second(inside[i-1]); d > 0 {
			intervals = append(intervals, float64(d))
			distinct++
		}
	}
	var heights [bins]int
	var covered float64
	if whole || first > 0 {
		const width = float64(day) / bins
		for _, at := range inside {
			heights[min(int(float64(at-(last-day))/width), bins-1)]++
		}
		covered = float64(last-inside[0]) / float64(day)
	} else {
		// Older times of the day were not kept, but they were counted.
		covered = clockHours(&heights, hours, last)
		total := 0
		for _, h := range heights {
			total += h
		}
		if total >= strobe {
			return Beacon{Strobe: true}, true, intervals
		}
	}
	if distinct < 4 || len(intervals) < 3 {
		return Beacon{}, false, intervals
	}
	slices.Sort(intervals)
	var b Beacon
	b.Times, intervals = spread(intervals)
	b.Histogram = max(evenness(heights[:]), twoHeights(heights[:]))
	b.Duration = duration(heights[:], covered)
	b.Score = round3((b.Times + b.Histogram + b.Duration) / 3)
	return b, true, intervals
}

// clockHours counts the contacts of the 24 hours of the clock that end with
// the hour of last. It returns the part of them between the first and the last
// with contacts.
func clockHours(heights *[bins]int, hours []law.Hour, last event.Time) (covered float64) {
	const hour = day / bins
	end := last.Hour() + hour
	oldest := bins
	for _, h := range hours {
		if i := bins - int((end-h.Start)/hour); i >= 0 && i < bins {
			heights[i] += int(h.Count)
			oldest = min(oldest, i)
		}
	}
	return float64(bins-oldest) / bins
}

// second is the whole second that t lies in: intervals are judged in them.
func second(t event.Time) int64 { return int64(math.Floor(float64(t) / 1e6)) }

func round3(v float64) float64 { return math.Round(v*1000) / 1000 }

func ceil3(v float64) float64 { return min(math.Ceil(v*1000)/1000, 1) }

// spread judges ascending intervals; it works in the memory behind them.
func spread(v []float64) (score float64, memory []float64) {
	n := len(v)
	mid := median(v)
	q1, q3 := median(v[:n/2]), median(v[(n+1)/2:])
	skew := 0.0
	if q3-q1 >= 10 && mid != q1 && mid != q3 {
		skew = (q1 + q3 - 2*mid) / (q3 - q1)
	}
	// The distances from the median ascend on both sides of it.
	low, high := n/2-1, n/2
	for range n {
		if high == n || low >= 0 && mid-v[low] <= v[high]-mid {
			v = append(v, mid-v[low])
			low--
		} else {
			v = append(v, v[high]-mid)
			high++
		}
	}
	off := v[n:]
	near := 1.0
	if mid >= 1 {
		near = max((mid-median(off))/mid, 0)
	}
	return round3((1 - math.Abs(skew) + near) / 2), v
}

// evenness is one minus the coefficient of variation of the heights.
func evenness(heights []int) float64 {
	sum := 0
	for _, h := range heights {
		sum += h
	}
	mean := float64(sum) / float64(len(heights))
	squares := 0.0
	for _, h := range heights {
		squares += (float64(h) - mean) * (float64(h) - mean)
	}
	cv := math.Sqrt(squares/float64(len(heights))) / mean
	if cv > 1 {
		return 0
	}
	return round3(1 - cv)
}

// twoHeights is the part of the hours with contacts, one outlier aside, that
// fall into the two most frequent heights.
func twoHeights(heights []int) float64 {
	used := 0
	for _, h := range heights {
		if h > 0 {
			used++
		}
	}
	if used < minHoursBimodal {
		return 0
	}
	step := int(math.Ceil(float64(slices.Max(heights)) * heightStep))
	var groups [bins]int
	var frequency [bins]int
	n := 0
	for _, h := range heights {
		if h == 0 {
			continue
		}
		i := slices.Index(groups[:n], h/step)
		if i < 0 {
			i = n
			groups[i] = h / step
			n++
		}
		frequency[i]++
	}
	slices.Sort(frequency[:n])
	best := frequency[n-1]
	if n > 1 {
		best += frequency[n-2]
	}
	return min(round3(float64(best)/float64(max(used-1, 1))), 1)
}

func duration(heights []int, covered float64) float64 {
	used, run, longest := 0, 0, 0
	for i := range 2 * len(heights) {
		if heights[i%len(heights)] == 0 {
			run = 0
			continue
		}
		if i < len(heights) {
			used++
		}
		run++
		longest = max(longest, run)
	}
	if used < minHoursDuration {
		return 0
	}
	longest = min(longest, len(heights))
	return max(ceil3(covered), ceil3(float64(longest)/consistentHours))
}
