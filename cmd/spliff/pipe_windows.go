package main

import (
	"errors"
	"syscall"
)

// errorNoData is ERROR_NO_DATA: the pipe is being closed. Package syscall has no name for it.
const errorNoData = syscall.Errno(232)

// brokenPipe tells whether err means that the reader of our output went away.
func brokenPipe(err error) bool {
	return errors.Is(err, syscall.ERROR_BROKEN_PIPE) || errors.Is(err, errorNoData)
}
