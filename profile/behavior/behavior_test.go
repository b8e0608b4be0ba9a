package behavior

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"dossier/correlate/event"
	"dossier/correlate/law"
)

func load(t *testing.T, name string, v any) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, v); err != nil {
		t.Fatal(err)
	}
}

// sums turns a first value and differences into times.
func sums(differences []int64, unit int64) []event.Time {
	times := make([]event.Time, len(differences))
	at := int64(0)
	for i, d := range differences {
		at += d
		times[i] = event.Time(at * unit)
	}
	return times
}

// The statistics must be Python's to the last digit: DECNET's classes hang on
// them.
func TestTimingIsPythons(t *testing.T) {
	var cases []struct {
		Name   string
		Micros []int64
		Want   struct {
			Duration float64  `json:"duration_s"`
			Mean     *float64 `json:"mean_iat_s"`
			Median   float64  `json:"median_iat_s"`
			StdDev   float64  `json:"stdev_iat_s"`
			Min      float64  `json:"min_iat_s"`
			Max      float64  `json:"max_iat_s"`
			CV       *float64 `json:"cv"`
		}
	}
	load(t, "timing.json", &cases)
	var scratch []float64
	for _, c := range cases {
		var got Timing
		got, scratch = Time(sums(c.Micros, 1), scratch)
		want := Timing{Events: len(c.Micros), Duration: c.Want.Duration}
		if c.Want.Mean != nil {
			want.Intervals, want.Mean = true, *c.Want.Mean
			want.Median, want.StdDev, want.Min, want.Max = c.Want.Median, c.Want.StdDev, c.Want.Min, c.Want.Max
		}
		if c.Want.CV != nil {
			want.Varies, want.CV = true, *c.Want.CV
		}
		if got != want {
			t.Errorf("%s: got %+v, want %+v", c.Name, got, want)
		}
	}
	if got, _ := Time(nil, nil); got != (Timing{}) {
		t.Errorf("no times: %+v", got)
	}
}

// The sub-scores must be RITA's.
func TestBeaconScoresAreRITAs(t *testing.T) {
	var cases []struct {
		Name    string
		Seconds []int64
		Want    []float64
	}
	load(t, "beacon.json", &cases)
	var scratch []float64
	for _, c := range cases {
		var got Beacon
		var ok bool
		got, ok, scratch = Score(sums(c.Seconds, 1e6), true, nil, scratch)
		if ok != (c.Want != nil) {
			t.Errorf("%s: scored: %v, want %v", c.Name, ok, c.Want != nil)
			continue
		}
		if !ok {
			continue
		}
		if got.Times != c.Want[0] || got.Histogram != c.Want[1] || got.Duration != c.Want[2] {
			t.Errorf("%s: got %+v, want %v", c.Name, got, c.Want)
		}
		if mean := (got.Times + got.Histogram + got.Duration) / 3; math.Abs(got.Score-mean) > 0.0005 {
			t.Errorf("%s: the score is %v, the mean of its parts %v", c.Name, got.Score, mean)
		}
	}
}

// Only the day before the newest time counts. Of a day of which not all times
// were kept the hours still count them all.
func TestBeaconWindow(t *testing.T) {
	minute := make([]int64, 1440)
	for i := range minute {
		minute[i] = 60
	}
	minute[0] = 1767340800
	times := sums(minute, 1e6)
	var hours law.Hours
	for _, at := range times {
		hours.Add(at, bins)
	}
	alone, _, _ := Score(times, true, nil, nil)
	old := append([]event.Time{times[0] - 40*day, times[0] - 39*day}, times...)
	if got, _, _ := Score(old, true, nil, nil); got != alone {
		t.Errorf("events of last month change the score: %+v, without %+v", got, alone)
	}
	kept := times[len(times)-512:]
	if got, _, _ := Score(kept, false, hours.List(), nil); got != alone {
		t.Errorf("by the newest times and the hours %+v, by all times %+v", got, alone)
	}
	var third law.Hours
	for _, at := range times[960:] {
		third.Add(at, bins)
	}
	if got, _, _ := Score(kept[112:], false, third.List(), nil); got.Duration != 0.667 || got.Histogram >= alone.Histogram || got.Times != alone.Times {
		t.Errorf("eight hours: %+v, a whole day %+v", got, alone)
	}
}

// From one contact a second, for a day, there is no beacon any more.
func TestStrobe(t *testing.T) {
	var hours law.Hours
	start := event.Time(1767340800) * 1e6
	var times law.Times
	for i := range strobe {
		at := start + event.Time(i)*999_000
		hours.Add(at, bins)
		times.Add(at, 512)
		if i == strobe-2 {
			if got, ok, _ := Score(times.List(), false, hours.List(), nil); !ok || got.Strobe || got.Score == 0 {
				t.Errorf("%d contacts in a day: %+v, %v", i+1, got, ok)
			}
		}
	}
	if got, ok, _ := Score(times.List(), false, hours.List(), nil); !ok || got != (Beacon{Strobe: true}) {
		t.Errorf("%d contacts in a day: %+v, %v", strobe, got, ok)
	}
	// As many, but over three days.
	hours, times = law.Hours{}, law.Times{}
	for i := range strobe {
		at := start + event.Time(i)*3_000_000
		hours.Add(at, bins)
		times.Add(at, 512)
	}
	if got, ok, _ := Score(times.List(), false, hours.List(), nil); !ok || got.Strobe {
		t.Errorf("%d contacts in three days: %+v, %v", strobe, got, ok)
	}
	// All in one second are a strobe too, though there is no interval.
	hours, times = law.Hours{}, law.Times{}
	for range strobe {
		hours.Add(start, bins)
		times.Add(start, 512)
	}
	if got, ok, _ := Score(times.List(), false, hours.List(), nil); !ok || !got.Strobe {
		t.Errorf("%d contacts in a second: %+v, %v", strobe, got, ok)
	}
}

func TestRoundIsPythons(t *testing.T) {
	for _, c := range []struct {
		v        float64
		decimals int
		want     float64
	}{
		{2.675, 2, 2.67},
		{0.0625, 3, 0.062},
		{0.1875, 3, 0.188},
		{1.0005, 3, 1.0},
		{0.5, 0, 0},
		{1.5, 0, 2},
		{-2.5, 0, -2},
		{12345678.9995, 3, 12345679},
		{1e300, 3, 1e300},
	} {
		if got := Round(c.v, c.decimals); got != c.want {
			t.Errorf("Round(%v, %d) = %v, want %v", c.v, c.decimals, got, c.want)
		}
	}
}

func timing(mean, cv float64) Timing {
	return Timing{Intervals: true, Varies: true, Mean: mean, CV: cv}
}

func TestClass(t *testing.T) {
	for _, c := range []struct {
		name             string
		t                Timing
		events, services int64
		want             string
	}{
		{"two events", timing(60, 0.1), 2, 1, Unknown},
		{"no interval", Timing{Events: 1}, 5, 1, Unknown},
		{"slow scan", timing(10, 1), 4, 2, SlowScan},
		{"one event short of a slow scan", timing(10, 1), 3, 2, Mixed},
		{"scan of three services", timing(9.999, 1), 3, 3, Scanning},
		{"fast scan of two services", timing(1.999, 1), 3, 2, Scanning},
		{"two services, not so fast", timing(2, 1), 6, 2, Interactive},
		{"brute force", timing(4.999, 0.5999), 8, 1, BruteForce},
		{"brute force needs eight", timing(4.999, 0.3), 7, 1, Mixed},
		{"cv 0.6 is no brute force", timing(4.999, 0.6), 8, 1, Interactive},
		{"beaconing", timing(5, 0.3499), 4, 1, Beaconing},
		{"cv 0.35 is no beacon", timing(5, 0.35), 4, 1, Mixed},
		{"interactive", timing(4.999, 0.5), 6, 0, Interactive},
		{"interactive needs six", timing(4.999, 0.5), 5, 0, Mixed},
		{"all at once", Timing{Intervals: true}, 10, 1, Mixed},
		{"all at once on two services", Timing{Intervals: true}, 3, 2, Scanning},
	} {
		if got := Class(c.t, c.events, c.services); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// The comparisons are those of float64 with the rounded inputs: these are the
// traps measured on DECNET 1.0.0.
func TestCadenceTraps(t *testing.T) {
	cobalt := Cadence{Tool: "cobalt_strike", Interval: 60, IntervalTolerance: 8, CV: 0.20, CVTolerance: 0.05}
	sliver := Cadence{Tool: "sliver", Interval: 60, IntervalTolerance: 10, CV: 0.30, CVTolerance: 0.08}
	for _, c := range []struct {
		cadence  Cadence
		mean, cv float64
		want     bool
	}{
		{sliver, 60, 0.38, false}, // 0.08000000000000002 > 0.08
		{sliver, 60, 0.22, true},
		{cobalt, 60, 0.15, false},
		{cobalt, 60, 0.25, true},
		{sliver, 60, 0.25, true},
		{cobalt, 52.0, 0.2, true},
		{cobalt, 51.999, 0.2, false},
	} {
		if got := c.cadence.Fits(timing(c.mean, c.cv)); got != c.want {
			t.Errorf("%s at %v s, cv %v: %v, want %v", c.cadence.Tool, c.mean, c.cv, got, c.want)
		}
	}
	if cobalt.Fits(Timing{Intervals: true, Mean: 60}) {
		t.Error("a beat without a coefficient of variation fits")
	}
	if got := Jitter(timing(60, 0.1234)); got != 12.34 {
		t.Errorf("jitter %v, want 12.34", got)
	}
}

func seen(entries ...law.Entry) *law.Bottom {
	b := new(law.Bottom)
	for _, e := range entries {
		b.Add(e, law.Limit{Keys: 64})
	}
	return b
}

func TestSystem(t *testing.T) {
	none := new(law.Bottom)
	for _, c := range []struct {
		name         string
		labels, ttls *law.Bottom
		want         string
	}{
		{"nothing", none, none, ""},
		{"most frequent label", seen(law.Entry{Key: "windows", Count: 2, First: 9}, law.Entry{Key: "linux", Count: 3, First: 10}), none, "linux"},
		{"a tie goes to the first seen", seen(law.Entry{Key: "windows", Count: 3, First: 9}, law.Entry{Key: "linux", Count: 3, First: 10}), none, "windows"},
		{"a tie at one time goes by name", seen(law.Entry{Key: "windows", Count: 3, First: 9}, law.Entry{Key: "linux", Count: 3, First: 9}), none, "linux"},
		{"by TTL", none, seen(law.Entry{Key: "52", Count: 1, First: 1}, law.Entry{Key: "117", Count: 2, First: 2}), "windows"},
		{"TTL of a router", none, seen(law.Entry{Key: "250", Count: 1, First: 1}), "embedded"},
		{"TTL of nobody", none, seen(law.Entry{Key: "100", Count: 1, First: 1}), ""},
	} {
		if got := System(c.labels, c.ttls); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		name string
		of   *law.Bottom
		want int64
		ok   bool
	}{
		{"none", new(law.Bottom), 0, false},
		{"one", seen(law.Entry{Key: "12", Count: 1}), 12, true},
		{"half is cut", seen(law.Entry{Key: "12", Count: 1}, law.Entry{Key: "13", Count: 1}), 12, true},
		{"each counts as often as it was seen", seen(law.Entry{Key: "3", Count: 5}, law.Entry{Key: "20", Count: 4}), 3, true},
		{"even number", seen(law.Entry{Key: "3", Count: 2}, law.Entry{Key: "20", Count: 2}), 11, true},
	} {
		if got, ok := Distance(c.of); got != c.want || ok != c.ok {
			t.Errorf("%s: %d, %v, want %d, %v", c.name, got, ok, c.want, c.ok)
		}
	}
}
