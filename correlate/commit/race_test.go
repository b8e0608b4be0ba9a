//go:build race

package commit

const raceDetector = true
