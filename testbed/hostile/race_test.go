//go:build race

package hostile

// raceDetector says whether the race detector is on.
const raceDetector = true
