package format

// withoutElements returns a payload without its elements of type typ. All others
// stay as they are, also those that this version does not know. What is behind a
// fault is left out, for it may be anything.
func withoutElements(payload []byte, typ uint16) []byte {
	kept := make([]byte, 0, len(payload))
	s := scanner{rest: payload}
	for before := s.rest; s.next(); before = s.rest {
		if s.typ != typ {
			kept = append(kept, before[:len(before)-len(s.rest)]...)
		}
	}
	return kept
}

// unargued returns ev without the command lines in it: of a process that was
// recorded, or of the recorder, which may have started it.
func unargued(ev *Event) *Event {
	own := *ev
	switch ev.Type {
	case TypeProc:
		own.Payload = withoutElements(ev.Payload, procArg)
	case TypeSession:
		own.Payload = withoutElements(ev.Payload, sessionCommand)
	default:
		return ev
	}
	return &own
}
