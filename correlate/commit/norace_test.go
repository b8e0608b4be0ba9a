//go:build !race

package commit

const raceDetector = false
