//go:build !windows

package main

import (
	"errors"
	"syscall"
)

// brokenPipe tells whether err means that the reader of our output went away.
func brokenPipe(err error) bool { return errors.Is(err, syscall.EPIPE) }
