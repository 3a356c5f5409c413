package replay

// Summary counts what an engine saw. All counts are of the whole input, over
// its sections.
type Summary struct {
	Events      uint64 // pushed, repeated definitions not counted
	Bytes       uint64 // of plaintext in DATA events
	Sections    uint64
	Conns       uint64
	Messages    uint64 // of any kind: notices and opaque ones too
	Exchanges   uint64
	NoResponse  uint64 // exchanges of which no response was seen
	OpaqueBytes uint64 // bytes that were not HTTP
	Gaps        uint64 // holes in the streams of connections
	LostBytes   uint64 // bytes in those holes
	Drops       uint64 // DROP events
	Edited      uint64 // bytes left out on purpose after the recording
	Overlap     uint64 // bytes that came twice; the second copy was dropped
	Late        uint64 // bytes that came after their connection's end and were dropped
	Evicted     uint64 // connections given up because of Options.MaxConns
	Shed        uint64 // times a connection lost the bodies it held because of Options.Budget
	Malformed   uint64 // events that could not be understood
	Next        uint32 // number of the file in which the session goes on, if it ends in the middle of one
	// Closed: there is a section and each ended with its END event. Without it
	// the recording stopped in a way its recorder could not write down.
	Closed bool
}
