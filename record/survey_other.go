//go:build !linux || !(amd64 || arm64)

package record

import (
	"context"
	"fmt"
	"runtime"
)

// Survey returns an error wrapping [ErrNotSupported].
func Survey(context.Context, []uint32, []Offsets) (*Inventory, error) {
	return nil, fmt.Errorf("%w: libraries are found on linux/amd64 and linux/arm64, this is %s/%s", ErrNotSupported, runtime.GOOS, runtime.GOARCH)
}
