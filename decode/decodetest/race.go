//go:build race

package decodetest

// slowdown is how many times longer a case may take under the race detector.
const slowdown = 20
