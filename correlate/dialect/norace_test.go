//go:build !race

package dialect

// raceDetector says whether the race detector is on.
const raceDetector = false
