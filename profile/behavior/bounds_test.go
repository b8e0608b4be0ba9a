package behavior

import (
	"fmt"
	"slices"
	"testing"

	"dossier/correlate/event"
	"dossier/correlate/law"
)

// Each condition of each class, at its bound and beside it; the others hold.
func TestClassAtEachBound(t *testing.T) {
	still := func(mean float64) Timing { return Timing{Intervals: true, Mean: mean} }
	for _, c := range []struct {
		t                Timing
		events, services int64
		want             string
	}{
		{timing(60, 0.1), 2, 1, Unknown},
		{timing(60, 0.1), 3, 1, Mixed},
		{Timing{Varies: true, Mean: 60}, 9, 2, Unknown},
		// slow_scan: services ≥ 2, mean ≥ 10, events ≥ 4.
		{timing(10, 0.4), 4, 2, SlowScan},
		{timing(10, 0.4), 4, 1, Mixed},
		{timing(9.999, 0.4), 4, 2, Mixed},
		{timing(10, 0.4), 3, 2, Mixed},
		{still(10), 4, 2, SlowScan},
		{timing(10, 0.1), 4, 2, SlowScan}, // before beaconing
		{timing(10, 0.1), 4, 3, SlowScan},
		// scanning: services ≥ 3 and mean < 10, or services ≥ 2 and mean < 2.
		{timing(9.999, 0.4), 3, 3, Scanning},
		{timing(10, 0.4), 3, 3, Mixed},
		{timing(9.999, 0.4), 9, 2, Mixed},
		{timing(1.999, 0.4), 3, 2, Scanning},
		{timing(2, 0.4), 3, 2, Mixed},
		{timing(1.999, 0.4), 3, 1, Mixed},
		{timing(1, 0.1), 9, 2, Scanning}, // before brute force
		// brute_force: services = 1, events ≥ 8, mean < 5, cv < 0.6.
		{timing(4.999, 0.5999), 8, 1, BruteForce},
		{timing(4.999, 0.4), 8, 0, Mixed},
		{timing(4.999, 0.4), 8, 2, Mixed},
		{timing(4.999, 0.4), 7, 1, Mixed},
		{timing(5, 0.4), 8, 1, Mixed},
		{timing(4.999, 0.6), 8, 1, Interactive},
		{still(4.999), 8, 1, Mixed},
		// beaconing: cv < 0.35, mean ≥ 5, events ≥ 4.
		{timing(5, 0.3499), 4, 1, Beaconing},
		{timing(5, 0.3499), 4, 0, Beaconing},
		{timing(5, 0.3499), 4, 2, Beaconing},
		{timing(5, 0.35), 4, 1, Mixed},
		{timing(4.999, 0.3499), 4, 1, Mixed},
		{timing(5, 0.3499), 3, 1, Mixed},
		{still(5), 4, 1, Mixed},
		// interactive: cv ≥ 0.5, mean < 5, events ≥ 6.
		{timing(4.999, 0.5), 6, 1, Interactive},
		{timing(4.999, 0.5), 6, 2, Interactive},
		{timing(4.999, 0.4999), 6, 1, Mixed},
		{timing(5, 0.5), 6, 1, Mixed},
		{timing(4.999, 0.5), 5, 1, Mixed},
	} {
		if got := Class(c.t, c.events, c.services); got != c.want {
			t.Errorf("mean %v, cv %v, %d events, %d services: %s, want %s", c.t.Mean, c.t.CV, c.events, c.services, got, c.want)
		}
	}
}

func TestSystemByTTLAtEachBound(t *testing.T) {
	for ttl, want := range map[string]string{
		"54": "", "55": "linux", "70": "linux", "71": "", "114": "", "115": "windows", "135": "windows", "136": "",
		"234": "", "235": "embedded", "255": "embedded", "256": "", "0": "", "many": "", "": "",
	} {
		if got := System(new(law.Bottom), seen(law.Entry{Key: ttl, Count: 1})); got != want {
			t.Errorf("a TTL of %s is %q, want %q", ttl, got, want)
		}
	}
	// A label goes before any TTL, however seldom.
	if got := System(seen(law.Entry{Key: "bsd", Count: 1}), seen(law.Entry{Key: "64", Count: 9})); got != "bsd" {
		t.Errorf("%q, want the label", got)
	}
	// A tie among TTLs too goes to the first seen.
	if got := System(new(law.Bottom), seen(law.Entry{Key: "64", Count: 2, First: 9}, law.Entry{Key: "128", Count: 2, First: 8})); got != "windows" {
		t.Errorf("%q, want windows", got)
	}
}

func TestDistancesThatAreNone(t *testing.T) {
	for _, c := range []struct {
		of   *law.Bottom
		want int64
		ok   bool
	}{
		{seen(law.Entry{Key: "0", Count: 9}), 0, false},
		{seen(law.Entry{Key: "-3", Count: 9}), 0, false},
		{seen(law.Entry{Key: "far", Count: 9}), 0, false},
		{seen(law.Entry{Key: "0", Count: 9}, law.Entry{Key: "1", Count: 1}), 1, true},
		{seen(law.Entry{Key: "4", Count: 1}, law.Entry{Key: "9", Count: 1}, law.Entry{Key: "30", Count: 1}), 9, true},
		{seen(law.Entry{Key: "10", Count: 1}, law.Entry{Key: "9", Count: 2}), 9, true},
		{seen(law.Entry{Key: "4", Count: 1}, law.Entry{Key: "7", Count: 1}), 5, true},
	} {
		if got, ok := Distance(c.of); got != c.want || ok != c.ok {
			t.Errorf("%v: %d, %v, want %d, %v", c.of.Keys(), got, ok, c.want, c.ok)
		}
	}
}

// The sub-score of the intervals, by the formula in docs/profile.md.
func TestSpreadAtItsBounds(t *testing.T) {
	for _, c := range []struct {
		intervals []float64
		want      float64
	}{
		{[]float64{60, 60, 60}, 1},
		// Q3 − Q1 = 10: skew 1 − 4/10, spread (13 − 3)/13.
		{[]float64{10, 10, 13, 20, 20}, 0.685},
		// Q3 − Q1 = 9: the skew isn't asked for.
		{[]float64{10, 10, 13, 19, 19}, 0.885},
		// The median is a quartile: the skew isn't asked for.
		{[]float64{10, 10, 10, 30, 30}, 1},
		{[]float64{10, 10, 30, 30, 30}, 1},
		// An even number of intervals: Q1 10, Q2 25, Q3 60, skew 1 − 20/50,
		// spread (25 − 17.5)/25.
		{[]float64{5, 10, 10, 40, 60, 60}, 0.45},
		// Skewed to the right: 1 − 48/51, spread (2.5 − 1.5)/2.5; to the left:
		// 1 − 35/45, spread (50 − 5)/50.
		{[]float64{1, 1, 2.5, 52, 52}, 0.229},
		{[]float64{5, 15, 50, 55, 55}, 0.561},
	} {
		if got, _ := spread(slices.Clone(c.intervals)); got != c.want {
			t.Errorf("%v: %v, want %v", c.intervals, got, c.want)
		}
	}
}

func heightsOf(v ...int) (h [bins]int) {
	copy(h[:], v)
	return h
}

func TestHistogramAtItsBounds(t *testing.T) {
	var flat, half, one [bins]int
	for i := range flat {
		flat[i] = 7
		if i%2 == 0 {
			half[i] = 2
		}
	}
	one[5] = 3
	for name, c := range map[string]struct {
		heights [bins]int
		even    float64
		two     float64
	}{
		"flat": {flat, 1, 1},
		// σ = µ = 1: nothing is even; 12 used, all of one height.
		"every second hour": {half, 0, 1},
		"one hour":          {one, 0, 0},
		"ten hours":         {heightsOf(slices.Repeat([]int{5}, 10)...), 0, 0},
		"eleven hours":      {heightsOf(slices.Repeat([]int{5}, 11)...), 0, 1},
		"three heights":     {heightsOf(20, 20, 20, 20, 40, 40, 40, 60, 60, 80, 100), 0, 0.7},
		// 5 % of the highest, rounded up, is a step of 6: three of 96 to 101, five
		// of 102 to 107, and four others, of twelve hours but one.
		"in steps":        {heightsOf(100, 100, 101, 102, 103, 104, 104, 104, 90, 91, 10, 20), 0, 0.727},
		"all of one step": {heightsOf(100, 101, 102, 103, 104, 100, 101, 102, 103, 104, 100, 101), 0, 1},
	} {
		if got := twoHeights(c.heights[:]); got != c.two {
			t.Errorf("%s: two heights %v, want %v", name, got, c.two)
		}
		if got := evenness(c.heights[:]); name != "in steps" && name != "all of one step" && got != c.even {
			t.Errorf("%s: evenness %v, want %v", name, got, c.even)
		}
	}
	// µ = 1.5, σ = 0.5: 1 − 1/3.
	var uneven [bins]int
	for i := range uneven {
		uneven[i] = 1 + i%2
	}
	if got := evenness(uneven[:]); got != 0.667 {
		t.Errorf("ones and twos: %v, want 0.667", got)
	}
}

func TestDurationAtItsBounds(t *testing.T) {
	run := func(from, n int) []int {
		var h [bins]int
		for i := range n {
			h[(from+i)%bins] = 1
		}
		return h[:]
	}
	for _, c := range []struct {
		name    string
		heights []int
		covered float64
		want    float64
	}{
		{"five hours", run(0, 5), 0.9, 0},
		{"six hours", run(0, 6), 0.1, 0.5},
		{"six hours, much covered", run(0, 6), 0.9, 0.9},
		{"six hours, rounded up", run(0, 6), 0.9001, 0.901},
		{"seven hours, rounded up", run(0, 7), 0, 0.584},
		{"eleven hours", run(0, 11), 0, 0.917},
		{"twelve hours", run(0, 12), 0, 1},
		{"thirteen hours", run(0, 13), 0, 1},
		{"six hours over midnight", run(21, 6), 0, 0.5},
		{"all day", run(0, 24), 1, 1},
	} {
		if got := duration(c.heights, c.covered); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
	gaps := heightsOf(1, 1, 1, 0, 1, 1, 1, 1, 0, 1)
	if got := duration(gaps[:], 0); got != 0.334 {
		t.Errorf("a longest run of four: %v, want 0.334", got)
	}
}

// From how many times on there is something to say, and how far back they
// reach.
func TestScoreFromWhere(t *testing.T) {
	const start = event.Time(1767340800) * 1e6
	score := func(seconds ...float64) (Beacon, bool) {
		var times []event.Time
		for _, s := range seconds {
			times = append(times, start+event.Time(s*1e6))
		}
		b, ok, _ := Score(times, true, nil, nil)
		return b, ok
	}
	for _, c := range []struct {
		seconds []float64
		want    bool
	}{
		{nil, false},
		{[]float64{0, 60, 120}, false},
		{[]float64{0, 60, 120, 180}, true},
		{[]float64{0, 0.5, 60, 120}, false},         // three seconds
		{[]float64{0, 60, 120, 120.999}, false},     // three seconds
		{[]float64{0, 60, 120, 121}, true},          // four
		{[]float64{0, 86460, 86520, 86580}, false},  // the first is of the day before
		{[]float64{180, 86460, 86520, 86580}, true}, // exactly a day
		{[]float64{179.9, 86460, 86520, 86580}, false},
	} {
		if _, ok := score(c.seconds...); ok != c.want {
			t.Errorf("%v: scored: %v, want %v", c.seconds, ok, c.want)
		}
	}
	if b, _ := score(0, 60, 120, 180); b != (Beacon{Score: 0.333, Times: 1}) {
		t.Errorf("four contacts, a minute apart: %+v", b)
	}
}

// The hours of the clock: the one of the newest time and the 23 before.
func TestClockHours(t *testing.T) {
	const hour = day / bins
	const last = event.Time(1767340800)*1e6 + hour/2
	for age, c := range map[int]struct {
		bin     int
		covered float64
	}{0: {23, 1.0 / 24}, 1: {22, 2.0 / 24}, 12: {11, 13.0 / 24}, 23: {0, 1}, 24: {-1, 0}, -1: {-1, 0}} {
		var heights [bins]int
		covered := clockHours(&heights, []law.Hour{{Start: last.Hour() - event.Time(age)*hour, Count: 5}}, last)
		for i, h := range heights {
			if want := map[bool]int{true: 5}[i == c.bin]; h != want {
				t.Errorf("an hour of %d hours ago: bin %d has %d, want %d", age, i, h, want)
			}
		}
		if fmt.Sprint(covered) != fmt.Sprint(c.covered) {
			t.Errorf("an hour of %d hours ago covers %v of the day, want %v", age, covered, c.covered)
		}
	}
}

// The bins of a day that is known whole.
func TestScoreCountsEachHour(t *testing.T) {
	const start = event.Time(1767340800) * 1e6
	var times []event.Time
	for i := range 25 {
		times = append(times, start+event.Time(i)*day/bins)
	}
	// Bins are half open; the last has the newest time too.
	b, ok, _ := Score(times, true, nil, nil)
	if !ok || b.Duration != 1 || b.Times != 1 || b.Histogram != 1 {
		t.Errorf("once an hour: %+v, %v", b, ok)
	}
	b, ok, _ = Score(times[:7], true, nil, nil)
	if !ok || b.Duration != 0.5 || b.Histogram != 0 {
		t.Errorf("seven contacts in six hours: %+v, %v", b, ok)
	}
}

func TestRoundedFigures(t *testing.T) {
	got, _ := Time([]event.Time{0 + 1, 1_000_501, 3_001_002}, nil)
	want := Timing{Events: 3, Duration: 3.001, Intervals: true, Mean: 1.501, Median: 1.501, StdDev: 0.5, Min: 1, Max: 2.001, Varies: true, CV: 0.3332}
	if got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	for cv, want := range map[float64]float64{0: 0, 0.1234: 12.34, 0.3499: 34.99, 1: 100} {
		if got := Jitter(timing(60, cv)); got != want {
			t.Errorf("a cv of %v is a jitter of %v, want %v", cv, got, want)
		}
	}
}
