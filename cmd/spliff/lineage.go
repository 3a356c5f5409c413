package main

import (
	"strconv"

	"github.com/NoFear0411/spliff/export"
	"github.com/NoFear0411/spliff/replay"
)

// lineage lets the exchanges through whose process is one of those named, or
// descends from one, and everything that is no exchange. A name is a process number
// or, where it is none, a process name in full. The kernel gives numbers again: one
// that several processes had in turn names all of them.
type lineage struct {
	export.Sink
	names []string
}

// within wraps s if there are names, else it returns s.
func within(s export.Sink, names []string) export.Sink {
	if len(names) == 0 {
		return s
	}
	return &lineage{s, names}
}

func (l *lineage) Item(it *replay.Item) error {
	if it.Kind == replay.ItemExchange && !l.has(it.Exchange.Conn) {
		return nil
	}
	return l.Sink.Item(it)
}

func (l *lineage) has(c *replay.Conn) bool {
	if l.is(c.PID, c.Proc.Comm) || l.is(c.Proc.PPID, "") {
		return true
	}
	for _, a := range c.Proc.Ancestors {
		if l.is(a.PID, a.Comm) {
			return true
		}
	}
	return false
}

func (l *lineage) is(pid uint32, comm string) bool {
	for _, n := range l.names {
		if id, err := strconv.ParseUint(n, 10, 32); err == nil && uint32(id) == pid || n == comm && n != "" {
			return true
		}
	}
	return false
}
