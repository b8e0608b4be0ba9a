package analyst

import (
	"slices"
	"time"
)

// sparkWidth is how many characters the line of activity has at most.
const sparkWidth = 72

// Spark returns the activity as a line of at most width characters, and from
// when to when it is; "" without any.
func Spark(hours []Hour, width int) (line, from, to string) {
	if len(hours) == 0 || width < 1 {
		return "", "", ""
	}
	bins, first, step := Bins(hours, width)
	most := slices.Max(bins)
	const blocks = "▁▂▃▄▅▆▇█"
	steps := []rune(blocks)
	out := make([]rune, len(bins))
	for i, n := range bins {
		if n == 0 {
			out[i] = '·'
		} else {
			out[i] = steps[min(len(steps)-1, int(n*int64(len(steps))/(most+1)))]
		}
	}
	last := first.Add(step * time.Duration(len(bins)))
	return string(out), first.Format("2006-01-02 15:04"), last.Format("2006-01-02 15:04")
}

// Bins sums up the activity in at most n equal intervals of whole hours, those
// without events included.
func Bins(hours []Hour, n int) (bins []int64, first time.Time, step time.Duration) {
	if len(hours) == 0 || n < 1 {
		return nil, first, 0
	}
	first = hours[0].Time
	span := hours[len(hours)-1].Time.Sub(first) + time.Hour
	step = time.Hour
	if all := int64(span / time.Hour); all > int64(n) {
		step = time.Duration((all+int64(n)-1)/int64(n)) * time.Hour
	}
	bins = make([]int64, int((span+step-1)/step))
	for _, h := range hours {
		bins[int(h.Time.Sub(first)/step)] += h.Events
	}
	return bins, first, step
}

func sortedByTime(lines []Transition) []Transition {
	slices.SortStableFunc(lines, func(a, b Transition) int { return a.Time.Compare(b.Time.Time) })
	return lines
}
