//go:build !unix

package decodetest

import "time"

var began = time.Now()

// spent is the time since the process began, where there is no better measure.
func spent() time.Duration { return time.Since(began) }
