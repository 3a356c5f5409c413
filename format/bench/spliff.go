package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/NoFear0411/spliff/format"
)

// writeSpliff writes the whole corpus to w.
func writeSpliff(c *corpus, w io.Writer) error {
	s, err := format.NewWriter(w, session(), format.WriterOptions{})
	if err != nil {
		return err
	}
	var ev format.Event
	for i := range c.items {
		c.event(i, &ev)
		if err := s.Append(&ev); err != nil {
			return err
		}
	}
	return s.Close()
}

func session() format.Session {
	return format.Session{UUID: [16]byte{1}, Wall: 1_772_440_000_000_000_000, Mono: 1_000_000_000, Writer: "spliff bench",
		Host: "bench", Kernel: "6.12.0", Arch: "x86_64", Command: []string{"spliff", "record"}}
}

// readSpliff reads a session from memory, calls see for each event but repeats,
// and fails if any of it is damaged.
func readSpliff(file []byte, see func(*format.Event) error) error {
	r, err := format.NewReader(bytes.NewReader(file), format.ReaderOptions{})
	if err != nil {
		return err
	}
	var ev format.Event
	for {
		switch err := r.Next(&ev); {
		case errors.Is(err, io.EOF):
			if r.Damage() != nil {
				return fmt.Errorf("read session: damage: %v", r.Damage())
			}
			return nil
		case err != nil:
			return err
		}
		if ev.Flags&format.FlagRepeat != 0 || ev.Type == format.TypeSession {
			continue
		}
		if err := see(&ev); err != nil {
			return err
		}
	}
}
