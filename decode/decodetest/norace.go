//go:build !race

package decodetest

// slowdown is how many times longer than its bound a case may take: machines
// that are busy with others must not fail it.
const slowdown = 3
