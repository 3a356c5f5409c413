//go:build !linux

package disk

import "os"

// Recording is for Linux. Elsewhere sessions are only converted, and plain means do.

const noFollow = 0

func lock(*os.File) error { return nil }

func syncData(f *os.File) error { return f.Sync() }

func uncache(*os.File, int64) {}

func reserve(*os.File, int64, int64) bool { return false }

// ignoreUnsupported: Windows cannot sync a folder at all.
func ignoreUnsupported(error) error { return nil }

func gather(f *os.File, pieces [][]byte) (int64, error) { return inTurn(f, pieces) }
