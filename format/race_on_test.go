//go:build race

package format

// raceEnabled thins out exhaustive tests that the race detector makes slow.
const (
	raceEnabled = true
	thin        = 7 // take every so-manyth case
)
