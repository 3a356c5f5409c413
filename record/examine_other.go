//go:build !linux || !(amd64 || arm64)

package record

import (
	"context"
	"runtime"
)

// Examine says that this system cannot record.
func Examine(context.Context) (*Report, error) {
	return &Report{Checks: []Check{{
		Name: runtime.GOOS + " " + runtime.GOARCH, State: StateUnsupported,
		Text: "recording needs Linux on amd64 or arm64", Fix: "record on a Linux host, read the session here",
	}}}, nil
}
