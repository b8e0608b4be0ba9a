//go:build !race

package correlate_test

// raceDetector says whether the race detector is on.
const raceDetector = false
