package format

// Type says what an [Event] is. Values are part of the file format and are
// never renumbered or reused; 128–255 are private use.
type Type uint8

// Event types of format 1.1. See FORMAT.md "Events".
const (
	TypeData      Type = 1  // plaintext bytes of one direction of a connection
	TypeConn      Type = 2  // what is known of a connection, payload [Conn]
	TypeConnEnd   Type = 3  // a connection ended, payload [ConnEnd]
	TypeProc      Type = 4  // what is known of a process, payload [Proc]
	TypeProcEnd   Type = 5  // a process ended, payload [ProcEnd]
	TypeDrop      Type = 6  // something was not recorded, payload [Drop]
	TypeClock     Type = 7  // a pair of clock readings, payload [Clock]
	TypeSession   Type = 8  // the recording itself, payload [Session]
	TypeProbe     Type = 9  // a probed library, payload [Probe]
	TypeKeyLog    Type = 10 // reserved: TLS secrets
	TypeAttach    Type = 11 // reserved: an attachment
	TypeMark      Type = 12 // reserved: a note of the user
	TypeTick      Type = 13 // reserved: an idle timer
	TypeEnd       Type = 14 // the recording ended, payload [End]
	TypeHandshake Type = 15 // a TLS handshake finished, payload [Handshake]
	TypeUnwatched Type = 16 // a TLS library whose calls are not recorded, payload [Unwatched]; since 1.1
)

// Name returns the word for t in text forms of a session, "" for a type that 1.1
// has no word for.
func (t Type) Name() string {
	names := [...]string{
		TypeData: "data", TypeConn: "conn", TypeConnEnd: "conn_end", TypeProc: "proc",
		TypeProcEnd: "proc_end", TypeDrop: "drop", TypeClock: "clock", TypeSession: "session",
		TypeProbe: "probe", TypeKeyLog: "keylog", TypeAttach: "attach", TypeMark: "mark",
		TypeTick: "tick", TypeEnd: "end", TypeHandshake: "handshake",
		TypeUnwatched: "unwatched",
	}
	if int(t) < len(names) {
		return names[t]
	}
	return ""
}

// Dir says which way bytes went, seen from the recorded process.
type Dir uint8

// Directions. The zero value means "none": the event has no direction.
const (
	DirNone  Dir = 0
	DirWrite Dir = 1 // the process wrote: plaintext on its way out
	DirRead  Dir = 2 // the process read: plaintext that came in
)

// Flags of an event.
type Flags uint16

const (
	// FlagRepeat marks a CONN, PROC or PROBE written again so that its chunk stands
	// alone, or an UNWATCHED so that its file does. It carries nothing new and must not change what a reader that
	// has seen the original shows.
	FlagRepeat Flags = 1 << 4
)

// Event is one observation. It is the unit of the session file and of
// everything between record and replay.
//
// A reader fills it in place; Payload then aliases the reader's buffer and is
// valid only until the next call. A writer copies Payload. An Event is not safe
// for concurrent use.
type Event struct {
	Type  Type
	Dir   Dir
	Probe uint8 // id of the PROBE event the data came through, 0 if unknown
	Flags Flags
	CPU   uint16
	TID   uint32 // kernel thread id, 0 if none
	Conn  uint32 // session-local connection id, 0 if none
	Seq   uint64 // total order of the session, assigned before chunking
	Time  uint64 // nanoseconds of the session's clock, when the call returned

	// DATA only.
	Offset uint64 // position of Payload[0] in the plaintext stream of (Conn, Dir)
	Dur    uint32 // nanoseconds the call took, saturating; 0 if unknown

	Payload []byte // DATA: the bytes. Others: the encoded payload struct
}
