package format

import (
	"strconv"
	"strings"
)

// String returns a as it stands in a PROC event: "PID START COMM", decimal, with one
// space each.
func (a Ancestor) String() string {
	b := strconv.AppendUint(make([]byte, 0, 48), uint64(a.PID), 10)
	b = strconv.AppendUint(append(b, ' '), a.Start, 10)
	return string(append(append(b, ' '), a.Comm...))
}

// ParseAncestor reads what [Ancestor.String] returns, and nothing else: a number is
// written in one way only.
func ParseAncestor(s string) (a Ancestor, ok bool) {
	pid, rest, _ := strings.Cut(s, " ")
	start, comm, ok := strings.Cut(rest, " ")
	if !ok {
		return Ancestor{}, false
	}
	n, err := strconv.ParseUint(pid, 10, 32)
	t, err2 := strconv.ParseUint(start, 10, 64)
	a = Ancestor{PID: uint32(n), Start: t, Comm: comm}
	if err != nil || err2 != nil || a.String() != s {
		return Ancestor{}, false
	}
	return a, true
}
