package format

import "net/netip"

// Role is the side of a TLS connection the recorded process played.
type Role uint8

// Roles. RoleUnknown means no handshake function said so; a decoder may still
// find the role in the bytes.
const (
	RoleUnknown Role = 0
	RoleClient  Role = 1
	RoleServer  Role = 2
)

// Conn is the payload of a CONN event: everything known so far of the
// connection in Event.Conn. A later CONN event of the same id replaces the whole.
type Conn struct {
	PID        uint32 // process (tgid); its latest PROC event describes it
	SSL        uint64 // address of the session object in that process
	Generation uint32 // how many sessions of this PID had the same SSL before
	Cookie     uint64 // socket cookie, 0 if not linked
	Role       Role
	MidStream  bool           // true when the connection was older than the recording
	Local      netip.AddrPort // invalid if not linked
	Remote     netip.AddrPort // invalid if not linked
	ALPN       string         // as negotiated, "" if not seen
	Conflicts  uint32         // later sockets that did not match the first link
}

// EndReason says why a connection ended.
type EndReason uint8

// Reasons. EndFree and EndExit mean no more bytes can come.
const (
	EndUnknown EndReason = 0
	EndFree    EndReason = 1 // the session object was freed or cleared
	EndExit    EndReason = 2 // the process exited
	EndExec    EndReason = 3 // the process replaced its program
	EndReuse   EndReason = 4 // a newer session took its address; the end itself was not seen
)

// ConnEnd is the payload of a CONN_END event. Offsets are what the kernel side
// counted: a reader that holds fewer bytes lost the rest.
type ConnEnd struct {
	Reason   EndReason
	Shutdown bool      // close_notify was sent: the local side ended the stream on purpose
	Written  uint64    // bytes of DirWrite, lost ones included
	Read     uint64    // bytes of DirRead, lost ones included
	Lost     [2]uint64 // bytes lost of DirWrite, DirRead
}

// Proc is the payload of a PROC event: a process, by its PID and start time.
// All strings are captured data and may hold any byte.
type Proc struct {
	PID    uint32
	PPID   uint32
	UID    uint32
	Start  uint64 // nanoseconds of the session's clock when the process started, 0 if unknown
	Comm   string
	Exe    string   // path in the process's mount namespace, "" if not known
	Args   []string // argument vector, perhaps cut
	Cgroup string   // cgroup v2 path, "" if not known
}

// ProcEnd is the payload of a PROC_END event.
type ProcEnd struct {
	PID uint32
}

// DropCause says why something is missing.
type DropCause uint8

// Causes of loss. A DROP with a Conn and a Dir locates the loss exactly.
const (
	DropUnknown  DropCause = 0
	DropRingFull DropCause = 1 // the kernel ring had no room
	DropFault    DropCause = 2 // the process's memory could not be read
	DropSnaplen  DropCause = 3 // cut on purpose by a size limit
	DropNoState  DropCause = 4 // a kernel table was full: the connection could not be followed
	DropMissed   DropCause = 5 // the kernel did not run the probe
	DropControl  DropCause = 6 // an event without payload bytes was lost
	DropWriter   DropCause = 7 // the session writer shed it
	DropEdited   DropCause = 8 // it was recorded, and left out of a copy on purpose
)

// Drop is the payload of a DROP event. Event.Conn and Event.Dir, when set,
// say whose bytes are missing, from Offset on.
type Drop struct {
	Cause  DropCause
	Events uint64 // events lost, 0 if not known
	Bytes  uint64 // plaintext bytes lost, 0 if none or not known
	Offset uint64 // stream offset of the first lost byte
}

// Clock is the payload of a CLOCK event: two clocks read at the same instant.
type Clock struct {
	Wall int64  // CLOCK_REALTIME, nanoseconds since the Unix epoch
	Mono uint64 // the session's clock
}

// Session is the payload of the SESSION event, the first event of a section.
type Session struct {
	UUID      [16]byte
	Wall      int64  // CLOCK_REALTIME at start, nanoseconds since the Unix epoch
	Mono      uint64 // the session's clock at the same instant
	UTCOffset int32  // seconds east of UTC on the recording host, so that local times replay the same anywhere
	Writer    string // program and version
	Host      string
	Kernel    string
	Arch      string
	Command   []string // command line of the recorder
	Filter    string   // what was recorded, in words
}

// Probe is the payload of a PROBE event: one file with functions that were hooked.
type Probe struct {
	ID      uint8
	Library string // "openssl"
	Path    string
	BuildID string   // hexadecimal, "" if the file has none
	Sites   []string // "function+offset: why this place", one per hook
}

// Handshake is the payload of a HANDSHAKE event.
type Handshake struct {
	OK  bool
	Dur uint64 // nanoseconds from the first handshake call to its end
}

// End is the payload of the END event, the last event of a section that was
// closed in order.
type End struct {
	Reason     string // "interrupt", "child exited", "limit" …
	Events     uint64 // events in the section before this one, repeats not counted
	Bytes      uint64 // plaintext bytes recorded
	LostEvents uint64
	LostBytes  uint64
	Next       uint32 // number of the file in which the session goes on, 0 if it is over
}
