package behavior

// The classes of behaviour.
const (
	Unknown     = "unknown"
	SlowScan    = "slow_scan"
	Scanning    = "scanning"
	BruteForce  = "brute_force"
	Beaconing   = "beaconing"
	Interactive = "interactive"
	Mixed       = "mixed"
)

// Class returns the first class whose rule fits, by the rounded mean and
// coefficient of variation, the number of all events and of services.
func Class(t Timing, events, services int64) string {
	switch mean := t.Mean; {
	case events < 3 || !t.Intervals:
		return Unknown
	case services >= 2 && mean >= 10 && events >= 4:
		return SlowScan
	case services >= 3 && mean < 10, services >= 2 && mean < 2:
		return Scanning
	case services == 1 && events >= 8 && mean < 5 && t.Varies && t.CV < 0.6:
		return BruteForce
	case t.Varies && t.CV < 0.35 && mean >= 5 && events >= 4:
		return Beaconing
	case t.Varies && t.CV >= 0.5 && mean < 5 && events >= 6:
		return Interactive
	default:
		return Mixed
	}
}

// Jitter returns a beacon's jitter in per cent.
func Jitter(t Timing) float64 { return Round(t.CV*100, 2) }

// A Cadence is the beat of a known tool.
type Cadence struct {
	Tool string
	// Interval in seconds, and by how much it may be off.
	Interval, IntervalTolerance float64
	// CV is the coefficient of variation, and by how much it may be off.
	CV, CVTolerance float64
}

// Fits says whether the timing has the beat.
func (c Cadence) Fits(t Timing) bool {
	return t.Varies && abs(t.Mean-c.Interval) <= c.IntervalTolerance && abs(t.CV-c.CV) <= c.CVTolerance
}

func abs(v float64) float64 {
	if v < 0 {
		return -v
	}
	return v
}
